/* Lasso and elastic net against solvers of the test's own, closed forms and the conditions of optimality. */
#include "check.h"

#define SEED 77

/* ---- Problems ---- */

typedef struct sample {
    int n, D;
    lnt_mat X; /* n x D */
    double *y, *weight;
    lnt_design design;
} sample;

/* Neighbours correlate by 1/2; means and scales differ; `active` features matter. */
static sample make_sample(lnt_ctx *ctx, int n, int D, int active, double noise, lnt_rng *rng)
{
    sample s = {.n = n, .D = D, .X = random_matrix(ctx, n, D, rng)};
    s.y = new_vector(ctx, n);
    s.weight = new_vector(ctx, n);
    for (int j = 1; j < D; j++)
        for (int i = 0; i < n; i++)
            *lnt_at(s.X, i, j) = *lnt_at(s.X, i, j - 1) / 2 + sqrt(0.75) * *lnt_at(s.X, i, j);
    for (int i = 0; i < n; i++) {
        for (int k = 0; k < active; k++)
            s.y[i] += (k % 2 ? -1 : 1) * *lnt_at(s.X, i, k * D / active);
        s.y[i] += 3 + noise * lnt_rng_normal(rng);
        s.weight[i] = 0.2 + 3 * lnt_rng_uniform(rng);
    }
    for (int j = 0; j < D; j++)
        for (int i = 0; i < n; i++)
            *lnt_at(s.X, i, j) = (1 + j % 3) * *lnt_at(s.X, i, j) + j % 5;
    s.design = lnt_design_dense(s.X);
    return s;
}

/* The preparation, by its definition: Z (n x D), centred y, shares of the samples. */
typedef struct prepared {
    lnt_mat Z;
    double *y, *share, *mean, *scale, y_mean;
} prepared;

static prepared prepare(lnt_ctx *ctx, const sample *s, const lnt_path_opts *o)
{
    prepared p = {.y = new_vector(ctx, s->n), .share = new_vector(ctx, s->n)};
    p.mean = new_vector(ctx, s->D);
    p.scale = new_vector(ctx, s->D);
    check_status(ctx, lnt_mat_alloc(ctx, &p.Z, s->n, s->D), LNT_OK);
    double sum = 0;
    for (int i = 0; i < s->n; i++)
        sum += o->weight ? o->weight[i] : 1;
    for (int i = 0; i < s->n; i++) {
        p.share[i] = (o->weight ? o->weight[i] : 1) / sum;
        p.y_mean += o->intercept ? p.share[i] * s->y[i] : 0;
    }
    for (int i = 0; i < s->n; i++)
        p.y[i] = s->y[i] - p.y_mean;
    for (int j = 0; j < s->D; j++) {
        double mean = 0, square = 0;
        for (int i = 0; i < s->n; i++)
            mean += p.share[i] * *lnt_at(s->X, i, j);
        for (int i = 0; i < s->n; i++)
            square += p.share[i] * pow(*lnt_at(s->X, i, j) - mean, 2);
        p.scale[j] = o->standardize ? sqrt(square) : 1;
        p.mean[j] = o->intercept ? mean : 0;
        for (int i = 0; i < s->n; i++)
            *lnt_at(p.Z, i, j) = (*lnt_at(s->X, i, j) - p.mean[j]) / p.scale[j];
    }
    return p;
}

/* P(a, w), from its definition; w belongs to the features as given. */
static double objective(const sample *s, const prepared *p, const double *w, double a, double lambda, double alpha)
{
    double P = 0;
    for (int i = 0; i < s->n; i++) {
        double r = s->y[i] - a;
        for (int j = 0; j < s->D; j++)
            r -= *lnt_at(s->X, i, j) * w[j];
        P += p->share[i] * r * r / 2;
    }
    for (int j = 0; j < s->D; j++) {
        double u = p->scale[j] * w[j];
        P += lambda * (alpha * fabs(u) + (1 - alpha) / 2 * u * u);
    }
    return P;
}

/* h_j = sum_i share_i z_ij r_i - lambda (1 - alpha) u_j. */
static void slopes(double *h, const sample *s, const prepared *p, const double *u, double lambda2)
{
    for (int j = 0; j < s->D; j++)
        h[j] = -lambda2 * u[j];
    for (int i = 0; i < s->n; i++) {
        double r = p->y[i];
        for (int j = 0; j < s->D; j++)
            r -= *lnt_at(p->Z, i, j) * u[j];
        for (int j = 0; j < s->D; j++)
            h[j] += p->share[i] * *lnt_at(p->Z, i, j) * r;
    }
}

/* The oracle: accelerated proximal gradient with restarts on the prepared matrix. u <- the minimum. */
static void fista(lnt_ctx *ctx, double *u, const sample *s, const prepared *p, double lambda, double alpha)
{
    double *v = new_vector(ctx, s->D), *h = new_vector(ctx, s->D), t = 1, L = 0;
    lnt_mat A, V;
    double *values = new_vector(ctx, s->D);
    check_status(ctx, lnt_mat_alloc_zero(ctx, &A, s->D, s->D), LNT_OK);
    check_status(ctx, lnt_mat_alloc_zero(ctx, &V, s->D, s->D), LNT_OK);
    for (int i = 0; i < s->n; i++)
        for (int j = 0; j < s->D; j++)
            for (int k = 0; k < s->D; k++)
                *lnt_at(A, k, j) += p->share[i] * *lnt_at(p->Z, i, j) * *lnt_at(p->Z, i, k);
    check_status(ctx, lnt_eigh(ctx, values, V, A), LNT_OK);
    L = values[s->D - 1] * (1 + 1e-9) + lambda * (1 - alpha);
    for (int step = 0; step < 200000; step++) {
        double turn = 0, change = 0, next = (1 + sqrt(1 + 4 * t * t)) / 2;
        slopes(h, s, p, v, lambda * (1 - alpha));
        for (int j = 0; j < s->D; j++) {
            double x = v[j] + h[j] / L, a = lambda * alpha / L, new = x > a ? x - a : x < -a ? x + a : 0;
            turn += (v[j] - new) * (new - u[j]);
            change = fmax(change, fabs(new - v[j]));
            h[j] = new;
        }
        for (int j = 0; j < s->D; j++) {
            v[j] = h[j] + (turn > 0 ? 0 : (t - 1) / next) * (h[j] - u[j]);
            u[j] = h[j];
        }
        t = turn > 0 ? 1 : next;
        if (change < 1e-14)
            return;
    }
}

/* Largest violation of the conditions of optimality, over all features. */
static double violation(lnt_ctx *ctx, const sample *s, const prepared *p, const double *w, double lambda, double alpha)
{
    double *u = new_vector(ctx, s->D), *h = new_vector(ctx, s->D), worst = 0;
    for (int j = 0; j < s->D; j++)
        u[j] = w[j] * p->scale[j];
    slopes(h, s, p, u, lambda * (1 - alpha));
    for (int j = 0; j < s->D; j++)
        worst = fmax(worst, u[j] != 0 ? fabs(h[j] - copysign(lambda * alpha, u[j])) : fabs(h[j]) - lambda * alpha);
    return worst;
}

static lnt_path_opts options(int kind, const sample *s)
{
    lnt_path_opts o;
    lnt_path_defaults(&o);
    o.intercept = kind & 1;
    o.standardize = kind & 2;
    o.weight = kind & 4 ? s->weight : NULL;
    o.count = 12;
    o.min_ratio = 1e-2;
    return o;
}

/* ---- The minimum ---- */

static void paths_agree_with_proximal_gradient(void **state)
{
    lnt_ctx *ctx = *state;
    for (int kind = 0; kind < 16; kind++) {
        lnt_rng rng = lnt_rng_stream(SEED, (uint32_t)kind, LNT_FOR_TESTS);
        lnt_mark mark = lnt_ctx_mark(ctx);
        sample s = make_sample(ctx, kind % 3 ? 40 : 18, 25, 5, 0.7, &rng);
        lnt_path_opts o = options(kind & 7, &s);
        o.alpha = kind & 8 ? 0.4 : 1;
        prepared p = prepare(ctx, &s, &o);
        lnt_path path;
        check_status(ctx, lnt_path_fit(ctx, &path, &s.design, s.y, &o), LNT_OK);
        assert_int_equal(path.count, o.count);
        double *u = new_vector(ctx, s.D), *w = new_vector(ctx, s.D);
        for (int k = 0; k < path.count; k++) {
            const lnt_path_point *at = &path.at[k];
            double lambda = at->lambda, a = p.y_mean;
            if (!(at->converged && at->gap >= 0 && at->gap <= 1e-8 * path.null_loss))
                fail_msg("kind %d, point %d: gap %g after %ld epochs", kind, k, at->gap, at->epochs);
            fista(ctx, u, &s, &p, lambda, o.alpha);
            for (int j = 0; j < s.D; j++) {
                w[j] = u[j] / p.scale[j];
                a -= p.mean[j] * w[j];
            }
            check_close(lnt_columns(path.W, k, 1), lnt_mat_view(w, s.D, 1), 1e-6, "coefficients");
            check_near(at->intercept, a, 1e-6, "intercept");
            double P = objective(&s, &p, lnt_at(path.W, 0, k), at->intercept, lambda, o.alpha);
            double best = objective(&s, &p, w, a, lambda, o.alpha);
            check_near(at->objective, P, 1e-13, "objective");
            assert_true(P - best <= at->gap + 1e-13 * P && P - best >= -1e-11 * P);
            assert_true(violation(ctx, &s, &p, lnt_at(path.W, 0, k), lambda, o.alpha) <= 1e-6);
        }
        lnt_ctx_reset(ctx, mark);
    }
}

/* All 3^D choices of signs: the one whose solution satisfies the conditions of optimality. */
static void supports_are_those_of_the_right_signs(void **state)
{
    lnt_ctx *ctx = *state;
    enum { N = 15, D = 6 };
    for (int run = 0; run < 20; run++) {
        lnt_rng rng = lnt_rng_stream(SEED, 100 + (uint32_t)run, LNT_FOR_TESTS);
        lnt_mark mark = lnt_ctx_mark(ctx);
        sample s = make_sample(ctx, N, D, 3, 1, &rng);
        lnt_path_opts o = options(run & 7, &s);
        o.count = 6;
        prepared p = prepare(ctx, &s, &o);
        lnt_path path;
        check_status(ctx, lnt_path_fit(ctx, &path, &s.design, s.y, &o), LNT_OK);
        for (int k = 1; k < path.count; k++) {
            double lambda = path.at[k].lambda, h[D];
            int found = 0;
            for (int pattern = 0; pattern < 729; pattern++) {
                int sign[D], on[D], a = 0;
                for (int j = 0, rest = pattern; j < D; j++, rest /= 3)
                    if ((sign[j] = rest % 3 - 1) != 0)
                        on[a++] = j;
                double G[D * D], u[D] = {0}, rhs[D];
                for (int x = 0; x < a; x++) {
                    rhs[x] = -lambda * sign[on[x]];
                    for (int i = 0; i < N; i++)
                        rhs[x] += p.share[i] * *lnt_at(p.Z, i, on[x]) * p.y[i];
                    for (int z = 0; z < a; z++) {
                        G[x + z * a] = 0;
                        for (int i = 0; i < N; i++)
                            G[x + z * a] += p.share[i] * *lnt_at(p.Z, i, on[x]) * *lnt_at(p.Z, i, on[z]);
                    }
                }
                lnt_mat L = lnt_mat_view(G, a, a), x = lnt_mat_view(rhs, a, 1);
                assert_true(lnt_cholesky(L));
                lnt_solve_lower(x, LNT_N, L);
                lnt_solve_lower(x, LNT_T, L);
                bool right = true;
                for (int i = 0; i < a; i++) {
                    u[on[i]] = rhs[i];
                    right &= rhs[i] * sign[on[i]] > 0;
                }
                slopes(h, &s, &p, u, 0);
                for (int j = 0; j < D; j++)
                    right &= fabs(h[j]) <= lambda * (1 + 1e-12);
                if (!right)
                    continue;
                found++;
                for (int j = 0; j < D; j++) {
                    assert_true((*lnt_at(path.W, j, k) != 0) == (sign[j] != 0));
                    check_near(*lnt_at(path.W, j, k) * p.scale[j], u[j], 1e-11, "coefficient");
                }
            }
            assert_int_equal(found, 1);
        }
        lnt_ctx_reset(ctx, mark);
    }
}

static double soft(double x, double t)
{
    return x > t ? x - t : x < -t ? x + t : 0;
}

/* Z'Z/n = I: u = soft(z.y/n, lambda1)/(1 + lambda2). */
static void orthonormal_features_are_thresholded(void **state)
{
    lnt_ctx *ctx = *state;
    enum { N = 64, D = 20 };
    lnt_rng rng = lnt_rng_stream(SEED, 200, LNT_FOR_TESTS);
    lnt_mat Q;
    double y[N], b[D] = {0};
    check_status(ctx, lnt_mat_alloc(ctx, &Q, N, D), LNT_OK);
    check_status(ctx, lnt_rng_orthogonal(ctx, Q, &rng), LNT_OK);
    lnt_mat_scale(Q, sqrt(N));
    for (int i = 0; i < N; i++)
        y[i] = lnt_rng_normal(&rng);
    for (int j = 0; j < D; j++)
        for (int i = 0; i < N; i++)
            b[j] += *lnt_at(Q, i, j) * y[i] / N;
    lnt_design design = lnt_design_dense(Q);
    lnt_path_opts o;
    lnt_path_defaults(&o);
    o.intercept = o.standardize = false;
    for (int net = 0; net < 2; net++) {
        lnt_path path;
        o.alpha = net ? 0.3 : 1;
        check_status(ctx, lnt_path_fit(ctx, &path, &design, y, &o), LNT_OK);
        for (int k = 0; k < path.count; k++)
            for (int j = 0; j < D; j++) {
                double lambda = path.at[k].lambda;
                double u = soft(b[j], lambda * o.alpha) / (1 + lambda * (1 - o.alpha));
                check_near(*lnt_at(path.W, j, k), u, 1e-13, "coefficient");
            }
    }
}

static void the_grid_begins_where_features_begin(void **state)
{
    lnt_ctx *ctx = *state;
    for (int kind = 0; kind < 16; kind++) {
        lnt_rng rng = lnt_rng_stream(SEED, 300 + (uint32_t)kind, LNT_FOR_TESTS);
        sample s = make_sample(ctx, 30, 50, 4, 1, &rng);
        lnt_path_opts o = options(kind & 7, &s);
        o.alpha = kind & 8 ? 0.37 : 1;
        double lambda[12], largest = 0, *h = new_vector(ctx, s.D), *w = new_vector(ctx, s.D);
        prepared p = prepare(ctx, &s, &o);
        lnt_path_point point;
        check_status(ctx, lnt_path_grid(ctx, lambda, &s.design, s.y, &o), LNT_OK);
        slopes(h, &s, &p, w, 0);
        for (int j = 0; j < s.D; j++)
            largest = fmax(largest, fabs(h[j]) / o.alpha);
        check_near(lambda[0] / largest, 1, 1e-13, "lambda_max");
        for (int k = 1; k < 12; k++)
            check_near(lambda[k] / lambda[k - 1], pow(1e-2, 1.0 / 11), 1e-13, "ratio");
        const double factors[] = {1, 1.5, 100};
        for (int k = 0; k < 3; k++) {
            check_status(ctx, lnt_lasso_fit(ctx, w, &point, &s.design, s.y, factors[k] * lambda[0], &o, false), LNT_OK);
            for (int j = 0; j < s.D; j++)
                assert_true(w[j] == 0);
            if (!(point.nonzero == 0 && point.gap <= 1e-25 && point.converged && fabs(point.explained) < 1e-14))
                fail_msg("kind %d: %d features, gap %g, explained %g", kind, point.nonzero, point.gap, point.explained);
        }
        check_status(ctx, lnt_lasso_fit(ctx, w, &point, &s.design, s.y, (1 - 1e-9) * lambda[0], &o, false), LNT_OK);
        assert_int_equal(point.nonzero, 1);
    }
}

/* ---- Certificates ---- */

/* Points that stopped early: P - P_min within the gap, and not far below it. */
static void gaps_bound_what_is_left(void **state)
{
    lnt_ctx *ctx = *state;
    int unconverged = 0;
    for (int kind = 0; kind < 32; kind++) {
        lnt_rng rng = lnt_rng_stream(SEED, 400 + (uint32_t)kind, LNT_FOR_TESTS);
        lnt_mark mark = lnt_ctx_mark(ctx);
        sample s = make_sample(ctx, kind & 16 ? 60 : 25, 40, 10, 0.3, &rng);
        lnt_path_opts o = options(kind & 7, &s);
        o.alpha = kind & 8 ? 0.6 : 1;
        prepared p = prepare(ctx, &s, &o);
        double top, *w = new_vector(ctx, s.D), *best = new_vector(ctx, s.D);
        o.count = 1;
        check_status(ctx, lnt_path_grid(ctx, &top, &s.design, s.y, &o), LNT_OK);
        for (int k = 1; k <= 3; k++) {
            double lambda = top * pow(0.05, k);
            lnt_path_point point, exact;
            o.max_epochs = 100000;
            check_status(ctx, lnt_lasso_fit(ctx, best, &exact, &s.design, s.y, lambda, &o, false), LNT_OK);
            assert_true(exact.converged && violation(ctx, &s, &p, best, lambda, o.alpha) <= 1e-6);
            for (o.max_epochs = 1; o.max_epochs <= 3; o.max_epochs++) {
                check_status(ctx, lnt_lasso_fit(ctx, w, &point, &s.design, s.y, lambda, &o, false), LNT_OK);
                double P = objective(&s, &p, w, point.intercept, lambda, o.alpha);
                double least = objective(&s, &p, best, exact.intercept, lambda, o.alpha);
                check_near(point.objective, P, 1e-12, "objective");
                if (!(point.gap >= 0 && P - least <= point.gap * (1 + 1e-9) + 1e-14 * P))
                    fail_msg("kind %d: %g above the minimum, gap %g", kind, P - least, point.gap);
                unconverged += !point.converged;
            }
        }
        lnt_ctx_reset(ctx, mark);
    }
    assert_true(unconverged > 50);
}

/* Features of many kinds that are not in the working set of a long path: none that belongs into it is missed. */
static void no_feature_is_left_out_wrongly(void **state)
{
    lnt_ctx *ctx = *state;
    for (int kind = 0; kind < 8; kind++) {
        lnt_rng rng = lnt_rng_stream(SEED, 500 + (uint32_t)kind, LNT_FOR_TESTS);
        lnt_mark mark = lnt_ctx_mark(ctx);
        sample s = make_sample(ctx, 50, kind & 4 ? 600 : 2000, 12, 1, &rng);
        lnt_path_opts o = options(kind, &s);
        prepared p = prepare(ctx, &s, &o);
        lnt_path path;
        o.count = kind & 1 ? 60 : kind & 4 ? 5 : 20;
        o.alpha = kind & 2 ? 1 : 0.7;
        check_status(ctx, lnt_path_fit(ctx, &path, &s.design, s.y, &o), LNT_OK);
        for (int k = 0; k < path.count; k++) {
            double worst = violation(ctx, &s, &p, lnt_at(path.W, 0, k), path.at[k].lambda, o.alpha);
            assert_true(path.at[k].converged);
            if (!(worst <= 1e-7 * path.at[0].lambda))
                fail_msg("kind %d, point %d: conditions of optimality violated by %g", kind, k, worst);
            check_near(path.at[k].kkt * path.at[0].lambda * o.alpha, fmax(0, worst), 1e-7, "kkt");
        }
        lnt_ctx_reset(ctx, mark);
    }
}

static void tolerances_are_kept(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 600, LNT_FOR_TESTS);
    sample s = make_sample(ctx, 80, 200, 10, 0.5, &rng);
    const double tolerances[] = {1e-2, 1e-5, 1e-8, 1e-12};
    long last = 0;
    for (int t = 0; t < 4; t++) {
        lnt_path_opts o = options(3, &s);
        lnt_path path;
        long epochs = 0;
        o.tolerance = tolerances[t];
        o.min_ratio = 1e-4;
        check_status(ctx, lnt_path_fit(ctx, &path, &s.design, s.y, &o), LNT_OK);
        for (int k = 0; k < path.count; k++) {
            assert_true(path.at[k].gap <= o.tolerance * path.null_loss && path.at[k].converged);
            epochs += path.at[k].epochs;
        }
        assert_true(epochs >= last);
        last = epochs;
    }
}

/* ---- Preparation and storage ---- */

static void preparing_by_hand_gives_the_same(void **state)
{
    lnt_ctx *ctx = *state;
    for (int kind = 0; kind < 4; kind++) {
        lnt_rng rng = lnt_rng_stream(SEED, 700 + (uint32_t)kind, LNT_FOR_TESTS);
        sample s = make_sample(ctx, 40, 60, 6, 0.5, &rng);
        lnt_path_opts o = options(kind, &s), bare;
        prepared p = prepare(ctx, &s, &o);
        lnt_path path, plain;
        bare = o;
        bare.intercept = bare.standardize = false;
        check_status(ctx, lnt_path_fit(ctx, &path, &s.design, s.y, &o), LNT_OK);
        lnt_design design = lnt_design_dense(p.Z);
        check_status(ctx, lnt_path_fit(ctx, &plain, &design, p.y, &bare), LNT_OK);
        for (int k = 0; k < path.count; k++) {
            double a = p.y_mean;
            check_near(path.at[k].lambda / plain.at[k].lambda, 1, 1e-12, "lambda");
            assert_int_equal(path.at[k].nonzero, plain.at[k].nonzero);
            for (int j = 0; j < s.D; j++) {
                *lnt_at(plain.W, j, k) /= p.scale[j];
                a -= p.mean[j] * *lnt_at(plain.W, j, k);
            }
            check_near(path.at[k].intercept, a, 1e-10, "intercept");
        }
        check_close(path.W, plain.W, 1e-10, "coefficients");
    }
}

/* Integer weights are repetitions, and their scale does not matter. */
static void weights_are_repetitions(void **state)
{
    lnt_ctx *ctx = *state;
    enum { N = 20, D = 12, ALL = 40 };
    lnt_rng rng = lnt_rng_stream(SEED, 710, LNT_FOR_TESTS);
    sample s = make_sample(ctx, N, D, 3, 1, &rng);
    double y[ALL];
    int count = 0;
    lnt_mat X;
    check_status(ctx, lnt_mat_alloc(ctx, &X, ALL, D), LNT_OK);
    for (int i = 0; i < N; i++) {
        s.weight[i] = i % 5; /* some 0 */
        for (int k = 0; k < i % 5; k++, count++) {
            lnt_mat_copy(lnt_block(X, count, 0, 1, D), lnt_block(s.X, i, 0, 1, D));
            y[count] = s.y[i];
        }
    }
    assert_int_equal(count, ALL);
    lnt_design repeated = lnt_design_dense(X);
    for (int scale = 0; scale < 2; scale++) {
        lnt_path_opts o = options(7, &s), even = options(3, &s);
        lnt_path a, b;
        o.min_ratio = even.min_ratio = 1e-3;
        for (int i = 0; i < N; i++)
            s.weight[i] *= scale ? 1e300 : 1;
        check_status(ctx, lnt_path_fit(ctx, &a, &s.design, s.y, &o), LNT_OK);
        check_status(ctx, lnt_path_fit(ctx, &b, &repeated, y, &even), LNT_OK);
        check_close(a.W, b.W, 1e-11, "coefficients");
        for (int k = 0; k < a.count; k++) {
            check_near(a.at[k].lambda, b.at[k].lambda, 1e-12, "lambda");
            check_near(a.at[k].intercept, b.at[k].intercept, 1e-11, "intercept");
        }
    }
}

/* Compressed columns of a matrix, rows in falling order. */
static lnt_design compress(lnt_ctx *ctx, lnt_mat X)
{
    size_t *start = lnt_alloc(ctx, (size_t)X.cols + 1, sizeof *start), count = 0;
    int *row = lnt_alloc(ctx, (size_t)X.rows * (size_t)X.cols, sizeof *row);
    double *value = new_vector(ctx, X.rows * X.cols);
    assert_true(start && row);
    for (int j = 0; j < X.cols; j++) {
        start[j] = count;
        for (int i = X.rows - 1; i >= 0; i--)
            if (*lnt_at(X, i, j) != 0) {
                row[count] = i;
                value[count++] = *lnt_at(X, i, j);
            }
    }
    start[X.cols] = count;
    return lnt_design_sparse(X.rows, X.cols, start, row, value);
}

static void sparse_is_dense(void **state)
{
    lnt_ctx *ctx = *state;
    for (int kind = 0; kind < 16; kind++) {
        lnt_rng rng = lnt_rng_stream(SEED, 720 + (uint32_t)kind, LNT_FOR_TESTS);
        lnt_mark mark = lnt_ctx_mark(ctx);
        sample s = make_sample(ctx, 50, 120, 8, 0.5, &rng);
        for (int j = 0; j < s.D; j++)
            for (int i = 0; i < s.n; i++)
                *lnt_at(s.X, i, j) *= j == 7 || lnt_rng_uniform(&rng) < 0.2; /* one is dense */
        lnt_path_opts o = options(kind & 7, &s);
        o.alpha = kind & 8 ? 0.5 : 1;
        lnt_design sparse = compress(ctx, s.X), copy;
        lnt_path a, b, c;
        lnt_mat samples;
        check_status(ctx, lnt_mat_alloc(ctx, &samples, s.D, s.n), LNT_OK);
        lnt_mat_transpose(samples, s.X);
        check_status(ctx, lnt_design_samples(ctx, &copy, samples), LNT_OK);
        check_status(ctx, lnt_path_fit(ctx, &a, &s.design, s.y, &o), LNT_OK);
        check_status(ctx, lnt_path_fit(ctx, &b, &sparse, s.y, &o), LNT_OK);
        check_status(ctx, lnt_path_fit(ctx, &c, &copy, s.y, &o), LNT_OK);
        check_close(b.W, a.W, 1e-10, "sparse");
        assert_memory_equal(a.W.a, c.W.a, sizeof(double) * (size_t)(s.D * a.count));
        double *fit = new_vector(ctx, s.n), *other = new_vector(ctx, s.n);
        lnt_path_point *last = &a.at[a.count - 1];
        lnt_design_predict(fit, &s.design, lnt_at(a.W, 0, a.count - 1), last->intercept);
        lnt_design_predict(other, &sparse, lnt_at(a.W, 0, a.count - 1), last->intercept);
        prepared p = prepare(ctx, &s, &o);
        double loss = 0;
        for (int i = 0; i < s.n; i++) {
            loss += p.share[i] * (s.y[i] - fit[i]) * (s.y[i] - fit[i]) / 2;
            check_near(other[i], fit[i], 1e-12, "prediction");
        }
        check_near(last->loss, loss, 1e-12, "loss");
        check_near(last->explained, 1 - loss / a.null_loss, 1e-12, "explained");
        lnt_ctx_reset(ctx, mark);
    }
}

/* Means of 10,000 standard deviations cost digits, not the answer. */
static void large_means_do_little_harm(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 740, LNT_FOR_TESTS);
    sample s = make_sample(ctx, 40, 100, 6, 0.5, &rng);
    lnt_path_opts o = options(3, &s);
    lnt_path a, b;
    check_status(ctx, lnt_path_fit(ctx, &a, &s.design, s.y, &o), LNT_OK);
    for (int j = 0; j < s.D; j++)
        for (int i = 0; i < s.n; i++)
            *lnt_at(s.X, i, j) += 1e4;
    check_status(ctx, lnt_path_fit(ctx, &b, &s.design, s.y, &o), LNT_OK);
    check_close(b.W, a.W, 1e-8, "coefficients");
}

/* ---- Starts and single penalties ---- */

static void single_penalties_and_starts_agree_with_the_path(void **state)
{
    lnt_ctx *ctx = *state;
    for (int kind = 0; kind < 16; kind++) {
        lnt_rng rng = lnt_rng_stream(SEED, 750 + (uint32_t)kind, LNT_FOR_TESTS);
        lnt_mark mark = lnt_ctx_mark(ctx);
        sample s = make_sample(ctx, 40, 150, 6, 0.5, &rng);
        lnt_path_opts o = options(kind & 7, &s);
        o.alpha = kind & 8 ? 0.5 : 1;
        lnt_path path;
        lnt_path_point point;
        double *w = new_vector(ctx, s.D);
        check_status(ctx, lnt_path_fit(ctx, &path, &s.design, s.y, &o), LNT_OK);
        for (int k = 0; k < path.count; k += 3) {
            lnt_mat W = lnt_mat_view(w, s.D, 1);
            check_status(ctx, lnt_lasso_fit(ctx, w, &point, &s.design, s.y, path.at[k].lambda, &o, false), LNT_OK);
            check_close(W, lnt_columns(path.W, k, 1), 1e-6, "cold start");
            for (int j = 0; j < s.D; j++) /* a bad start */
                w[j] = j % 3 ? lnt_rng_normal(&rng) : 0;
            check_status(ctx, lnt_lasso_fit(ctx, w, &point, &s.design, s.y, path.at[k].lambda, &o, true), LNT_OK);
            check_close(W, lnt_columns(path.W, k, 1), 1e-6, "start from elsewhere");
            assert_true(point.converged);
            check_status(ctx, lnt_lasso_fit(ctx, w, &point, &s.design, s.y, path.at[k].lambda, &o, true), LNT_OK);
            assert_true(point.epochs <= 2); /* there already */
        }
        double up[] = {0.01, 0.1, 0, 0.05, 1e9, 0.02}; /* any order, 0 too */
        o.lambda = up;
        o.count = 6;
        check_status(ctx, lnt_path_fit(ctx, &path, &s.design, s.y, &o), LNT_OK);
        prepared p = prepare(ctx, &s, &o);
        for (int k = 0; k < 6; k++) {
            assert_true(path.at[k].lambda == up[k] && path.at[k].converged);
            assert_true(violation(ctx, &s, &p, lnt_at(path.W, 0, k), up[k], o.alpha) <= 1e-6);
        }
        lnt_ctx_reset(ctx, mark);
    }
}

/* ---- Odd problems ---- */

static void constant_and_equal_features(void **state)
{
    lnt_ctx *ctx = *state;
    for (int kind = 0; kind < 8; kind++) {
        lnt_rng rng = lnt_rng_stream(SEED, 800 + (uint32_t)kind, LNT_FOR_TESTS);
        sample s = make_sample(ctx, 20, 40, 4, 0.3, &rng);
        for (int i = 0; i < s.n; i++) {
            *lnt_at(s.X, i, 3) = 0.1;                                               /* constant */
            *lnt_at(s.X, i, 5) = 0;                                                 /* nothing */
            *lnt_at(s.X, i, 11) = *lnt_at(s.X, i, 10);                              /* equal */
            *lnt_at(s.X, i, 13) = -*lnt_at(s.X, i, 10);                             /* opposite */
            *lnt_at(s.X, i, 21) = *lnt_at(s.X, i, 20) + 1e-9 * *lnt_at(s.X, i, 22); /* nearly equal */
            *lnt_at(s.X, i, 30) = *lnt_at(s.X, i, 0) + *lnt_at(s.X, i, 10) - *lnt_at(s.X, i, 20);
        }
        lnt_path_opts o = options(kind, &s);
        o.min_ratio = 1e-4;
        o.count = 30;
        prepared p = prepare(ctx, &s, &o);
        for (int j = 3; j <= 5; j += 2) /* of these the preparation leaves nothing */
            for (int i = 0; i < s.n && (o.intercept || o.standardize); i++)
                *lnt_at(p.Z, i, j) = 0;
        p.scale[3] = p.scale[5] = 1;
        lnt_path path;
        check_status(ctx, lnt_path_fit(ctx, &path, &s.design, s.y, &o), LNT_OK);
        for (int k = 0; k < path.count; k++) {
            if (!path.at[k].converged)
                fail_msg("kind %d, point %d: gap %g after %ld epochs", kind, k, path.at[k].gap, path.at[k].epochs);
            assert_true(*lnt_at(path.W, 5, k) == 0);
            assert_true(*lnt_at(path.W, 3, k) == 0 || !(o.intercept || o.standardize));
            assert_true(violation(ctx, &s, &p, lnt_at(path.W, 0, k), path.at[k].lambda, 1) <=
                        1e-6 * path.at[0].lambda * 30);
        }
    }
}

/* Far below the last feature that fits: the minimum of least |u|_1 among those that interpolate. */
static void small_penalties_with_more_features_than_samples(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 810, LNT_FOR_TESTS);
    sample s = make_sample(ctx, 25, 400, 5, 0.5, &rng);
    lnt_path_opts o = options(3, &s);
    lnt_path path;
    o.min_ratio = 1e-7;
    o.count = 100;
    o.tolerance = 1e-12;
    check_status(ctx, lnt_path_fit(ctx, &path, &s.design, s.y, &o), LNT_OK);
    for (int k = 0; k < path.count; k++)
        assert_true(path.at[k].converged && path.at[k].nonzero <= s.n);
    assert_true(path.at[99].explained > 1 - 1e-9);
}

static void penalty_zero(void **state)
{
    lnt_ctx *ctx = *state;
    for (int kind = 0; kind < 16; kind++) {
        lnt_rng rng = lnt_rng_stream(SEED, 820 + (uint32_t)kind, LNT_FOR_TESTS);
        sample s = make_sample(ctx, 20, kind & 8 ? 35 : 8, 4, 0.5, &rng);
        lnt_path_opts o = options(kind & 7, &s);
        prepared p = prepare(ctx, &s, &o);
        double *w = new_vector(ctx, s.D), *u = new_vector(ctx, s.D), *h = new_vector(ctx, s.D), size = 0, least = 0;
        lnt_path_point point;
        check_status(ctx, lnt_lasso_fit(ctx, w, &point, &s.design, s.y, 0, &o, false), LNT_OK);
        assert_true(point.converged && point.gap >= 0 && point.lambda == 0);
        for (int j = 0; j < s.D; j++) {
            u[j] = w[j] * p.scale[j];
            size += u[j] * u[j];
        }
        slopes(h, &s, &p, u, 0);
        assert_true(lnt_mat_max(lnt_mat_view(h, s.D, 1)) < 1e-12);
        /* least norm: along the rows of Z; any other solution, here of a small ridge, is no smaller */
        o.alpha = 0;
        check_status(ctx, lnt_lasso_fit(ctx, w, &point, &s.design, s.y, 1e-10, &o, false), LNT_OK);
        for (int j = 0; j < s.D; j++)
            least += pow(w[j] * p.scale[j], 2);
        check_near(size, least, 1e-6, "norm");
    }
}

static void targets_without_variation(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 840, LNT_FOR_TESTS);
    sample s = make_sample(ctx, 15, 20, 3, 1, &rng);
    lnt_path path;
    for (int i = 0; i < s.n; i++)
        s.y[i] = 0.1;
    for (int kind = 0; kind < 3; kind++) {
        lnt_path_opts o = options(3, &s);
        const double zero[] = {1, 0};
        o.alpha = kind == 1 ? 0 : 1;
        o.lambda = kind == 2 ? zero : NULL;
        o.count = kind == 2 ? 2 : 5;
        check_status(ctx, lnt_path_fit(ctx, &path, &s.design, s.y, &o), LNT_OK);
        assert_true(path.null_loss == 0);
        for (int k = 0; k < path.count; k++) {
            assert_true(path.at[k].converged && path.at[k].gap == 0 && path.at[k].nonzero == 0);
            check_near(path.at[k].intercept, 0.1, 1e-15, "intercept");
        }
    }
    lnt_mat_fill(s.X, 2); /* features without variation */
    s.y[0] = 1;
    for (int kind = 0; kind < 2; kind++) {
        lnt_path_opts o = options(3, &s);
        o.alpha = kind;
        check_status(ctx, lnt_path_fit(ctx, &path, &s.design, s.y, &o), LNT_OK);
        for (int k = 0; k < path.count; k++) {
            assert_true(path.at[k].converged && path.at[k].gap == 0 && path.at[k].kkt == 0);
            assert_true(path.at[k].nonzero == 0 && path.at[k].lambda == 0);
            check_near(path.at[k].intercept, 0.16, 1e-15, "intercept");
        }
    }
    double x = 2, y = 3; /* one sample, one feature */
    lnt_design one = lnt_design_dense(lnt_mat_view(&x, 1, 1));
    lnt_path_opts o = options(0, &s);
    o.alpha = 1;
    check_status(ctx, lnt_path_fit(ctx, &path, &one, &y, &o), LNT_OK);
    for (int k = 0; k < path.count; k++)
        check_near(*lnt_at(path.W, 0, k), soft(6, path.at[k].lambda) / 4, 1e-14, "coefficient");
}

static void running_out_of_epochs_is_said(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 850, LNT_FOR_TESTS);
    sample s = make_sample(ctx, 50, 80, 20, 0.1, &rng);
    lnt_path_opts o = options(3, &s);
    lnt_path path;
    int unconverged = 0;
    o.max_epochs = 1;
    check_status(ctx, lnt_path_fit(ctx, &path, &s.design, s.y, &o), LNT_OK);
    for (int k = 0; k < path.count; k++) {
        assert_true(path.at[k].converged == (path.at[k].gap <= o.tolerance * path.null_loss));
        unconverged += !path.at[k].converged;
    }
    assert_true(unconverged > 0 && path.count == o.count);
}

/* Elastic nets with more active features than a Gram matrix pays for. */
static void many_active_features_descend_without_a_gram_matrix(void **state)
{
    lnt_ctx *ctx = *state;
    for (int kind = 0; kind < 3; kind++) {
        lnt_rng rng = lnt_rng_stream(SEED, 860, LNT_FOR_TESTS);
        sample s = make_sample(ctx, 30, 1600, 5, 0.5, &rng);
        lnt_path_opts o = options(kind == 1 ? 7 : 3, &s);
        if (kind == 2)
            s.design = compress(ctx, s.X);
        o.alpha = 0.002;
        o.count = 4;
        o.min_ratio = 0.05;
        lnt_path path;
        check_status(ctx, lnt_path_fit(ctx, &path, &s.design, s.y, &o), LNT_OK);
        prepared p = prepare(ctx, &s, &o);
        assert_true(path.at[3].nonzero > 1100);
        for (int k = 0; k < path.count; k++) {
            double *w = lnt_at(path.W, 0, k), lambda = path.at[k].lambda;
            assert_true(path.at[k].converged && path.at[k].gap >= 0);
            assert_true(violation(ctx, &s, &p, w, lambda, o.alpha) <= 1e-3 * path.at[0].lambda * o.alpha);
            check_near(path.at[k].objective, objective(&s, &p, w, path.at[k].intercept, lambda, o.alpha), 1e-11, "P");
        }
    }
}

/* ---- Cross-validation ---- */

static void validation_refits_without_each_fold(void **state)
{
    lnt_ctx *ctx = *state;
    enum { FOLDS = 4 };
    for (int kind = 0; kind < 24; kind++) {
        lnt_rng rng = lnt_rng_stream(SEED, 900 + (uint32_t)kind, LNT_FOR_TESTS);
        lnt_mark mark = lnt_ctx_mark(ctx);
        sample s = make_sample(ctx, 30, 15, 4, 1, &rng);
        lnt_path_opts o = options(kind & 7, &s);
        o.alpha = kind < 8 ? 1 : kind < 16 ? 0.5 : 0;
        o.tolerance = 1e-12;
        int fold[30], sizes[FOLDS] = {0};
        lnt_path_folds(fold, 30, FOLDS, &rng);
        for (int i = 0; i < 30; i++)
            sizes[fold[i]]++;
        for (int f = 0; f < FOLDS; f++)
            assert_true(sizes[f] == 7 || sizes[f] == 8);
        lnt_path_cv cv, two;
        check_status(ctx, lnt_path_validate(ctx, &cv, &s.design, s.y, fold, FOLDS, 1, &o), LNT_OK);
        check_status(ctx, lnt_path_validate(ctx, &two, &s.design, s.y, fold, FOLDS, 3, &o), LNT_OK);
        assert_memory_equal(cv.error.a, two.error.a, sizeof(double) * FOLDS * (size_t)cv.count);
        assert_memory_equal(cv.mean, two.mean, sizeof(double) * (size_t)cv.count);
        double grid[12], share[FOLDS] = {0}, total = 0;
        check_status(ctx, lnt_path_grid(ctx, grid, &s.design, s.y, &o), LNT_OK);
        for (int f = 0; f < FOLDS; f++) {
            lnt_mat X;
            double y[30], v[30], fit[30], w[30];
            int count = 0;
            check_status(ctx, lnt_mat_alloc(ctx, &X, 30 - sizes[f], s.D), LNT_OK);
            for (int i = 0; i < 30; i++) {
                if (fold[i] == f) {
                    share[f] += o.weight ? s.weight[i] : 1;
                    continue;
                }
                lnt_mat_copy(lnt_block(X, count, 0, 1, s.D), lnt_block(s.X, i, 0, 1, s.D));
                y[count] = s.y[i];
                v[count++] = s.weight[i];
            }
            lnt_design rest = lnt_design_dense(X);
            lnt_path_opts part = o;
            part.weight = o.weight ? v : NULL;
            total += share[f];
            for (int k = 0; k < cv.count; k++) {
                lnt_path_point point;
                double error = 0;
                check_status(ctx, lnt_lasso_fit(ctx, w, &point, &rest, y, grid[k], &part, false), LNT_OK);
                lnt_design_predict(fit, &s.design, w, point.intercept);
                for (int i = 0; i < 30; i++)
                    error += fold[i] == f ? (o.weight ? s.weight[i] : 1) * pow(s.y[i] - fit[i], 2) / share[f] : 0;
                check_near(*lnt_at(cv.error, f, k), error, 1e-5, "error of a fold");
            }
        }
        for (int k = 0; k < cv.count; k++) {
            double mean = 0, square = 0;
            for (int f = 0; f < FOLDS; f++)
                mean += share[f] / total * *lnt_at(cv.error, f, k);
            for (int f = 0; f < FOLDS; f++)
                square += share[f] / total * pow(*lnt_at(cv.error, f, k) - mean, 2);
            assert_true(cv.lambda[k] == grid[k]);
            check_near(cv.mean[k], mean, 1e-13, "mean");
            check_near(cv.se[k], sqrt(square / (FOLDS - 1)), 1e-13, "standard error");
            assert_true(cv.mean[cv.best] <= cv.mean[k]);
            assert_true(k >= cv.one_se || cv.mean[k] > cv.mean[cv.best] + cv.se[cv.best]); /* grid falls */
        }
        assert_true(cv.converged && cv.one_se <= cv.best);
        assert_true(cv.mean[cv.one_se] <= cv.mean[cv.best] + cv.se[cv.best]);
        lnt_ctx_reset(ctx, mark);
    }
}

/* ---- Errors ---- */

static void wrong_input_is_refused(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 950, LNT_FOR_TESTS);
    sample s = make_sample(ctx, 10, 5, 2, 1, &rng);
    lnt_path_opts o = options(3, &s);
    lnt_path path;
    lnt_path_cv cv;
    lnt_path_point point;
    double w[5] = {0}, bad_lambda = -1;
    int fold[10] = {0, 0, 0, 0, 0, 1, 1, 1, 1, 1};
#define REFUSED(change, restore, expected, part)                                                                       \
    change;                                                                                                            \
    check_failure(ctx, lnt_path_fit(ctx, &path, &s.design, s.y, &o), expected, part);                                  \
    restore
    REFUSED(o.alpha = 1.1, o.alpha = 1, LNT_EINVAL, "alpha is 1.1");
    REFUSED(o.alpha = NAN, o.alpha = 1, LNT_EINVAL, "alpha");
    REFUSED(o.min_ratio = 1, o.min_ratio = 0, LNT_EINVAL, "ratio");
    REFUSED(o.count = 0, o.count = 5, LNT_EINVAL, "at least one penalty");
    REFUSED(o.tolerance = 0, o.tolerance = 1e-8, LNT_EINVAL, "tolerance");
    REFUSED(o.max_epochs = 0, o.max_epochs = 10, LNT_EINVAL, "max_epochs");
    REFUSED((o.lambda = &bad_lambda, o.count = 1), (o.lambda = NULL, o.count = 5), LNT_EINVAL, "penalty 0 is -1");
    REFUSED(s.y[3] = NAN, s.y[3] = 1, LNT_EDOMAIN, "target 3");
    REFUSED(s.y[3] = 1e200, s.y[3] = 1, LNT_EDOMAIN, "too large");
    REFUSED(*lnt_at(s.X, 2, 4) = INFINITY, *lnt_at(s.X, 2, 4) = 1, LNT_EDOMAIN, "feature 4");
    o.weight = s.weight;
    REFUSED(s.weight[7] = -1, s.weight[7] = 1, LNT_EDOMAIN, "weight 7");
    double zeros[10] = {0};
    REFUSED(o.weight = zeros, o.weight = NULL, LNT_EINVAL, "all weights are 0");
    lnt_design design = s.design;
    REFUSED(s.design.n = 11, s.design = design, LNT_ESHAPE, "10 x 5");
    REFUSED(s.design.features = 0, s.design = design, LNT_ESHAPE, "at least one");
    lnt_design sparse = compress(ctx, s.X);
    s.design = sparse;
    int *row = (int *)sparse.row;
    REFUSED(row[12] = 10, row[12] = 7, LNT_EINVAL, "column 1 has row 10");
    size_t *start = (size_t *)sparse.start;
    REFUSED(start[2] = 3, start[2] = 20, LNT_EINVAL, "ends before it starts");
    REFUSED(start[0] = 3, start[0] = 0, LNT_EINVAL, "start at 3");
    s.design = design;
    check_failure(ctx, lnt_lasso_fit(ctx, w, &point, &s.design, s.y, NAN, &o, false), LNT_EINVAL, "penalty");
    w[1] = NAN;
    check_failure(ctx, lnt_lasso_fit(ctx, w, NULL, &s.design, s.y, 0.1, &o, true), LNT_EDOMAIN, "coefficient 1");
    check_failure(ctx, lnt_path_validate(ctx, &cv, &s.design, s.y, fold, 1, 1, &o), LNT_EINVAL, "at least 2 folds");
    check_failure(ctx, lnt_path_validate(ctx, &cv, &s.design, s.y, fold, 3, 1, &o), LNT_EINVAL,
                  "fold 2 of 3 has no weight");
    fold[4] = 5;
    check_failure(ctx, lnt_path_validate(ctx, &cv, &s.design, s.y, fold, 2, 1, &o), LNT_EINVAL, "sample 4");
}

static int stop(void *user)
{
    return --*(int *)user <= 0;
}

static void paths_can_be_stopped(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 960, LNT_FOR_TESTS);
    sample s = make_sample(ctx, 20, 30, 4, 1, &rng);
    lnt_path_opts o = options(3, &s);
    lnt_path path;
    lnt_path_cv cv;
    int left = 6, fold[20];
    for (int i = 0; i < 20; i++)
        fold[i] = i % 4;
    lnt_ctx_set_cancel(ctx, stop, &left);
    check_status(ctx, lnt_path_fit(ctx, &path, &s.design, s.y, &o), LNT_OK);
    assert_true(path.count > 0 && path.count < o.count && path.W.cols == path.count);
    check_failure(ctx, lnt_path_validate(ctx, &cv, &s.design, s.y, fold, 4, 1, &o), LNT_EUSER, "cancelled");
    lnt_ctx_set_cancel(ctx, NULL, NULL);
}

/* Large enough for many chunks of scratch memory. */
static lnt_status everything(lnt_ctx *ctx, void *which)
{
    enum { N = 300, D = 400 };
    static double x[N * D], y[N];
    int kind = *(const int *)which, fold[N];
    lnt_rng rng = lnt_rng_stream(SEED, 970, LNT_FOR_TESTS);
    for (int i = 0; i < N * D; i++)
        x[i] = lnt_rng_normal(&rng);
    for (int i = 0; i < N; i++) {
        y[i] = x[i] - x[i + 5 * N] + lnt_rng_normal(&rng);
        fold[i] = i % 2;
    }
    lnt_design design = lnt_design_dense(lnt_mat_view(x, N, D));
    lnt_path_opts o;
    lnt_path path;
    lnt_path_cv cv;
    lnt_path_defaults(&o);
    o.count = 4;
    o.alpha = kind == 1 ? 0.5 : 1;
    o.tolerance = 1e-2;
    o.min_ratio = 0.1;
    return kind == 2 ? lnt_path_validate(ctx, &cv, &design, y, fold, 2, 1, &o)
                     : lnt_path_fit(ctx, &path, &design, y, &o);
}

static void every_failing_allocation_is_survived(void **state)
{
    long total = 0;
    (void)state;
    for (int kind = 0; kind < 3; kind++)
        total += check_allocations(everything, &kind, LNT_OK, 1000);
    assert_true(total > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {WITH_CTX(paths_agree_with_proximal_gradient),
                                       WITH_CTX(supports_are_those_of_the_right_signs),
                                       WITH_CTX(orthonormal_features_are_thresholded),
                                       WITH_CTX(the_grid_begins_where_features_begin),
                                       WITH_CTX(gaps_bound_what_is_left),
                                       WITH_CTX(no_feature_is_left_out_wrongly),
                                       WITH_CTX(tolerances_are_kept),
                                       WITH_CTX(preparing_by_hand_gives_the_same),
                                       WITH_CTX(weights_are_repetitions),
                                       WITH_CTX(sparse_is_dense),
                                       WITH_CTX(large_means_do_little_harm),
                                       WITH_CTX(single_penalties_and_starts_agree_with_the_path),
                                       WITH_CTX(constant_and_equal_features),
                                       WITH_CTX(small_penalties_with_more_features_than_samples),
                                       WITH_CTX(penalty_zero),
                                       WITH_CTX(targets_without_variation),
                                       WITH_CTX(running_out_of_epochs_is_said),
                                       WITH_CTX(many_active_features_descend_without_a_gram_matrix),
                                       WITH_CTX(validation_refits_without_each_fold),
                                       WITH_CTX(wrong_input_is_refused),
                                       WITH_CTX(paths_can_be_stopped),
                                       cmocka_unit_test(every_failing_allocation_is_survived)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
