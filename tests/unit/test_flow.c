/* Initial value problems, against solutions in closed form. */
#include "../../src/flow/dop853.h"
#include "check.h"

static const lnt_flow_method methods[] = {LNT_FLOW_EXPLICIT, LNT_FLOW_BDF, LNT_FLOW_AUTO};
enum { METHODS = 3 };

static lnt_flow_opts options(lnt_flow_method method, double rtol, double atol)
{
    lnt_flow_opts opts;
    lnt_flow_defaults(&opts);
    opts.method = method;
    opts.rtol = rtol;
    opts.atol = atol;
    return opts;
}

/* ---- Problems ---- */

/* y' = y (1 - y), y = 1 / (1 + (1/y0 - 1) exp(-t)). */
static int logistic(double *dy, double t, const double *y, void *user)
{
    (void)t;
    (void)user;
    dy[0] = y[0] * (1 - y[0]);
    return 0;
}

enum { MANY = 40000 };

static int many_logistic(double *dy, double t, const double *y, void *user)
{
    for (int i = 0; i < MANY; i++)
        logistic(dy + i, t, y + i, user);
    return 0;
}

static double logistic_solution(double y0, double t)
{
    return 1 / (1 + (1 / y0 - 1) * exp(-t));
}

/* y = (sin t, cos t). */
static int oscillator(double *dy, double t, const double *y, void *user)
{
    (void)t;
    (void)user;
    dy[0] = y[1];
    dy[1] = -y[0];
    return 0;
}

/* y = cos t for y(0) = 1, and whatever else falls onto it at rate `*user`. */
static int follower(double *dy, double t, const double *y, void *user)
{
    dy[0] = -*(double *)user * (y[0] - cos(t)) - sin(t);
    return 0;
}

static int follower_jacobian(double *Jv, const double *v, double t, const double *y, void *user)
{
    (void)t;
    (void)y;
    Jv[0] = -*(double *)user * v[0];
    return 0;
}

/* ---- Solutions ---- */

static void logistic_growth_from_a_small_start(void **state)
{
    enum { TIMES = 60 };
    double times[TIMES], y0 = 1e-6, y[TIMES], exact[TIMES];
    lnt_ode ode = {.size = 1, .slope = logistic};
    for (int i = 0; i < TIMES; i++) {
        times[i] = i * 0.5;
        exact[i] = logistic_solution(y0, times[i]);
    }
    for (int m = 0; m < METHODS; m++) {
        lnt_flow_opts opts = options(methods[m], 1e-10, 1e-18);
        lnt_flow_info info;
        check_status(*state, lnt_flow(*state, lnt_mat_view(y, 1, TIMES), &info, &ode, &y0, 0, times, TIMES, &opts),
                     LNT_OK);
        for (int i = 0; i < TIMES; i++) /* relative, while small too */
            check_near(y[i] / exact[i], 1, methods[m] == LNT_FLOW_BDF ? 1e-6 : 5e-9, "logistic");
        assert_true(info.stop == LNT_FLOW_DONE && info.outputs == TIMES && info.t == times[TIMES - 1]);
        assert_true(info.steps > 0 && info.evaluations > info.steps);
        assert_true(info.method == (m == 1 ? LNT_FLOW_BDF : LNT_FLOW_EXPLICIT) && isnan(info.switched));
    }
}

/* Rows sum to their nodes; the weights of the step integrate powers up to the seventh, those of the error estimates to
 * their lower orders only. */
static void coefficients_satisfy_their_conditions(void **state)
{
    (void)state;
    for (int i = 0; i < SLOPES; i++) {
        double sum = 0, size = 1;
        for (int j = 0; j < SLOPES - 1; j++) {
            sum += weight[i][j];
            size = fmax(size, fabs(weight[i][j]));
        }
        check_near(sum / size, node[i] / size, 2e-15, "node");
    }
    for (int power = 0; power < 8; power++) {
        double step = 0, five = 0, three = 0;
        for (int j = 0; j < STAGES; j++) {
            step += weight[STAGES][j] * pow(node[j], power);
            five += error5[j] * pow(node[j], power);
            three += error3[j] * pow(node[j], power);
        }
        check_near(step, 1.0 / (power + 1), 1e-14, "quadrature");
        assert_true((fabs(five) < 1e-14) == (power < 5) && (fabs(three) < 1e-14) == (power < 3));
    }
    for (int f = 0; f < 4; f++) { /* constants need no form beyond the cubic ones */
        double sum = 0, size = 0;
        for (int j = 0; j < SLOPES; j++) {
            sum += dense[f][j];
            size += fabs(dense[f][j]);
        }
        assert_true(fabs(sum) < 1e-14 * size);
    }
}

static int decay(double *dy, double t, const double *y, void *user)
{
    (void)t;
    (void)user;
    dy[0] = 1 - y[0];
    return 0;
}

/* Counts the questions. */
static int nearly_one(double t, const double *y, void *user)
{
    (void)t;
    ++*(int *)user;
    return fabs(y[0] - 1) < 1e-9;
}

static int never(double t, const double *y, void *user)
{
    (void)t;
    (void)y;
    ++*(int *)user;
    return 0;
}

static void what_rests_is_not_integrated_further(void **state)
{
    const double times[] = {1, 1e3, 1e6, 1e12}, y0 = 0;
    double y[4];
    for (int m = 0; m < METHODS; m++) {
        int asked = 0;
        lnt_flow_opts opts = options(methods[m], 1e-10, 1e-14);
        lnt_flow_info info;
        lnt_ode ode = {.size = 1, .slope = decay, .rest = nearly_one, .user = &asked};
        check_status(*state, lnt_flow(*state, lnt_mat_view(y, 1, 4), &info, &ode, &y0, 0, times, 4, &opts), LNT_OK);
        assert_true(info.stop == LNT_FLOW_DONE && info.outputs == 4 && info.t == 1e12);
        assert_int_equal(asked > 0, info.steps >= 64);
        assert_true(asked ? info.rest > 20 && info.rest < 1e6 && info.steps < 1000 : isnan(info.rest));
        check_near(y[0], -expm1(-1), 1e-8, "before");
        assert_true(fabs(y[2] - 1) < 1e-9 && y[3] == y[2]);
        ode.rest = never;
        opts.max_steps = 500;
        check_status(*state, lnt_flow(*state, lnt_mat_view(y, 1, 1), &info, &ode, &y0, 0, times, 1, &opts), LNT_OK);
        assert_true(isnan(info.rest));
    }
}

/* The step count is what a wrong coefficient of the pair would raise first, the error between steps what one of the
 * interpolant would. */
static void errors_follow_the_tolerance(void **state)
{
    enum { TIMES = 401 };
    double times[TIMES], y0[] = {0, 1}, Y[2 * TIMES];
    const long most_steps[] = {13, 20, 35, 61, 110};
    lnt_ode ode = {.size = 2, .slope = oscillator};
    for (int i = 0; i < TIMES; i++)
        times[i] = i * 0.05;
    for (int k = 0; k < 5; k++) {
        double rtol = pow(10, -4 - 2 * k), worst = 0;
        lnt_flow_opts opts = options(LNT_FLOW_EXPLICIT, rtol, rtol);
        lnt_flow_info info;
        check_status(*state, lnt_flow(*state, lnt_mat_view(Y, 2, TIMES), &info, &ode, y0, 0, times, TIMES, &opts),
                     LNT_OK);
        for (int i = 0; i < TIMES; i++)
            worst = fmax(worst, hypot(Y[2 * i] - sin(times[i]), Y[2 * i + 1] - cos(times[i])));
        if (!(worst < 30 * rtol && info.steps <= most_steps[k]))
            fail_msg("rtol %g: error %g after %ld steps", rtol, worst, info.steps);
    }
}

static void bdf_errors_follow_the_tolerance(void **state)
{
    double times[] = {1, 5, 10}, y0[] = {0, 1}, Y[6];
    lnt_ode ode = {.size = 2, .slope = oscillator};
    for (int k = 0; k < 3; k++) {
        double rtol = pow(10, -4 - 2 * k);
        lnt_flow_opts opts = options(LNT_FLOW_BDF, rtol, rtol);
        check_status(*state, lnt_flow(*state, lnt_mat_view(Y, 2, 3), NULL, &ode, y0, 0, times, 3, &opts), LNT_OK);
        for (int i = 0; i < 3; i++)
            assert_true(hypot(Y[2 * i] - sin(times[i]), Y[2 * i + 1] - cos(times[i])) < 300 * rtol);
    }
}

static int backwards(double *dy, double t, const double *y, void *user)
{
    oscillator(dy, t, y, user);
    dy[0] = -dy[0];
    dy[1] = -dy[1];
    return 0;
}

static void there_and_back(void **state)
{
    double y0[] = {0.3, -0.7}, there[2], back[2], end = 50;
    lnt_ode ode = {.size = 2, .slope = oscillator};
    lnt_flow_opts opts = options(LNT_FLOW_EXPLICIT, 1e-12, 1e-14);
    check_status(*state, lnt_flow(*state, lnt_mat_view(there, 2, 1), NULL, &ode, y0, 0, &end, 1, &opts), LNT_OK);
    ode.slope = backwards;
    check_status(*state, lnt_flow(*state, lnt_mat_view(back, 2, 1), NULL, &ode, there, 0, &end, 1, &opts), LNT_OK);
    check_close(lnt_mat_view(back, 2, 1), lnt_mat_view(y0, 2, 1), 1e-10, "start");
}

enum { RATES = 8 };

static int relaxation(double *dy, double t, const double *y, void *user) /* y_i -> 1 at rate i + 1 */
{
    (void)t;
    (void)user;
    for (int i = 0; i < RATES; i++)
        dy[i] = -(i + 1) * (y[i] - 1);
    return 0;
}

/* Long steps once the fast modes have decayed: the error estimate alone would let them be unstable. */
static void rests_stay_at_rest(void **state)
{
    double y0[RATES] = {0}, times[50], Y[50 * RATES];
    lnt_ode ode = {.size = RATES, .slope = relaxation};
    for (int i = 0; i < 50; i++)
        times[i] = i * 1.02;
    for (int digits = 6; digits <= 12; digits++) {
        lnt_flow_opts opts = options(LNT_FLOW_EXPLICIT, pow(10, -digits), 1e-14);
        lnt_flow_info info;
        check_status(*state, lnt_flow(*state, lnt_mat_view(Y, RATES, 50), &info, &ode, y0, 0, times, 50, &opts),
                     LNT_OK);
        for (int i = 0; i < 50; i++)
            for (int k = 0; k < RATES; k++)
                check_near(Y[i * RATES + k], 1 - exp(-(k + 1) * times[i]), 10 * opts.rtol, "y");
        assert_true(info.rejected <= 4);
    }
}

/* As above for a slope that depends on time, where the nodes count. */
static void errors_follow_the_tolerance_of_moving_targets(void **state)
{
    double rate = 1, y0 = 3, times[100], y[100];
    lnt_ode ode = {.size = 1, .slope = follower, .user = &rate};
    for (int i = 0; i < 100; i++)
        times[i] = i * 0.2;
    for (int digits = 6; digits <= 12; digits += 2) {
        lnt_flow_opts opts = options(LNT_FLOW_EXPLICIT, pow(10, -digits), pow(10, -digits));
        lnt_flow_info info;
        check_status(*state, lnt_flow(*state, lnt_mat_view(y, 1, 100), &info, &ode, &y0, 0, times, 100, &opts), LNT_OK);
        for (int i = 0; i < 100; i++)
            check_near(y[i], cos(times[i]) + 2 * exp(-times[i]), 30 * opts.rtol, "y");
        if (info.steps > 8 * pow(10, digits / 8.0))
            fail_msg("%ld steps to %d digits", info.steps, digits);
    }
}

static int calm(double *dy, double t, const double *y, void *user)
{
    (void)user;
    dy[0] = t < 1 ? -100 * y[0] + 100 : 1 - y[0];
    return 0;
}

/* What was fast is no bound for ever. */
static void steps_grow_again_where_it_gets_slow(void **state)
{
    double y0 = 0, times[] = {1, 100}, y[2];
    lnt_ode ode = {.size = 1, .slope = calm};
    lnt_flow_opts opts = options(LNT_FLOW_EXPLICIT, 1e-8, 1e-10);
    lnt_flow_info info;
    check_status(*state, lnt_flow(*state, lnt_mat_view(y, 1, 2), &info, &ode, &y0, 0, times, 2, &opts), LNT_OK);
    assert_true(info.steps < 100); /* 5.8 / 100 for ever would make 1,700 */
    check_near(y[1], 1, 1e-7, "y");
}

/* A rate that jumps a hundredfold: the step finds its new size in a few tries, not by small steps down. */
static int jump(double *dy, double t, const double *y, void *user)
{
    (void)user;
    dy[0] = t < 1 ? -y[0] : -100 * y[0];
    return 0;
}

static void rejected_steps_shrink_as_far_as_needed(void **state)
{
    double y0 = 1, times[] = {1, 1.1}, y[2];
    lnt_ode ode = {.size = 1, .slope = jump};
    lnt_flow_opts opts = options(LNT_FLOW_EXPLICIT, 1e-8, 1e-10);
    lnt_flow_info info;
    check_status(*state, lnt_flow(*state, lnt_mat_view(y, 1, 2), &info, &ode, &y0, 0, times, 2, &opts), LNT_OK);
    check_near(y[0] / exp(-1), 1, 1e-6, "before the jump");
    check_near(y[1] / exp(-11), 1, 1e-4, "after it");
    assert_true(info.rejected > 2 && info.rejected < 60);
}

/* ---- Stiff ---- */

static void stiff_problems_switch_to_bdf(void **state)
{
    double rate = 1e5, y0 = 1, times[] = {1, 10, 20}, y[3];
    lnt_ode ode = {.size = 1, .slope = follower, .user = &rate};
    lnt_flow_opts opts = options(LNT_FLOW_AUTO, 1e-8, 1e-10);
    lnt_flow_info info;
    check_status(*state, lnt_flow(*state, lnt_mat_view(y, 1, 3), &info, &ode, &y0, 0, times, 3, &opts), LNT_OK);
    for (int i = 0; i < 3; i++)
        check_near(y[i], cos(times[i]), 1e-6, "y");
    assert_true(info.method == LNT_FLOW_BDF && info.switched > 0 && info.switched < 0.1);
    assert_true(info.steps < 3000); /* explicit steps would be 300,000 */
    opts.method = LNT_FLOW_EXPLICIT;
    opts.max_steps = 3000;
    check_status(*state, lnt_flow(*state, lnt_mat_view(y, 1, 3), &info, &ode, &y0, 0, times, 3, &opts), LNT_OK);
    assert_true(info.stop == LNT_FLOW_STEPS && info.steps + info.rejected == 3000 && info.outputs == 0);
    assert_true(isnan(y[0]) && isnan(y[2]) && info.t > 0 && info.t < 1);
}

static void a_jacobian_saves_slopes(void **state)
{
    double rate = 1e4, y0 = 0, end = 3, y;
    lnt_ode ode = {.size = 1, .slope = follower, .user = &rate};
    lnt_flow_opts opts = options(LNT_FLOW_BDF, 1e-8, 1e-10);
    lnt_flow_info quotient, product;
    check_status(*state, lnt_flow(*state, lnt_mat_view(&y, 1, 1), &quotient, &ode, &y0, 0, &end, 1, &opts), LNT_OK);
    check_near(y, cos(end), 1e-6, "difference quotients");
    ode.jacobian = follower_jacobian;
    check_status(*state, lnt_flow(*state, lnt_mat_view(&y, 1, 1), &product, &ode, &y0, 0, &end, 1, &opts), LNT_OK);
    check_near(y, cos(end), 1e-6, "products");
    assert_true(product.evaluations < quotient.evaluations);
}

/* ---- Events ---- */

typedef struct seen {
    int count, k[64], direction[64], outputs, stop_at;
    double t[64], first[64];
    int cancel_after, polls;
} seen;

static int crossed(double t, int k, int direction, const double *y, void *user)
{
    seen *s = user;
    s->k[s->count] = k;
    s->direction[s->count] = direction;
    s->first[s->count] = y[0];
    s->t[s->count++] = t;
    return s->stop_at && s->count == s->stop_at ? -1 : 0;
}

static int zero_and_half(double *g, double t, const double *y, void *user)
{
    (void)t;
    (void)user;
    g[0] = y[0];
    g[1] = y[0] - 0.5;
    return 0;
}

static void crossings_are_found_once_each_and_in_order(void **state)
{
    const double pi = acos(-1), y0[] = {0, 1}, end = 20;
    for (int m = 0; m < METHODS; m++) {
        seen s = {0};
        lnt_ode ode = {.size = 2, .slope = oscillator, .events = 2, .event = zero_and_half, .crossing = crossed};
        ode.user = &s;
        lnt_flow_opts opts = options(methods[m], 1e-11, 1e-12);
        check_status(*state, lnt_flow(*state, (lnt_mat){0}, NULL, &ode, y0, 0, &end, 1, &opts), LNT_OK);
        /* sin t at 0: that start is no crossing; then zeros at pi, 2 pi, ..., and 1/2 at pi/6, 5 pi/6, ... */
        int zeros = 0, halves = 0;
        for (int i = 0; i < s.count; i++) {
            double expected = s.k[i] == 0 ? ++zeros * pi : (halves / 2 * 2 + (halves % 2 ? 5 : 1) / 6.0) * pi;
            int direction = s.k[i] == 0 ? (zeros % 2 ? -1 : 1) : halves % 2 ? -1 : 1;
            halves += s.k[i];
            check_near(s.t[i] / expected, 1, methods[m] == LNT_FLOW_BDF ? 1e-7 : 1e-10, "time");
            check_near(s.first[i], 0.5 * s.k[i], 1e-10, "function there");
            assert_int_equal(s.direction[i], direction);
            assert_true(i == 0 || s.t[i] > s.t[i - 1]);
        }
        assert_int_equal(zeros, 6);
        assert_int_equal(halves, 7); /* up at pi/6 + 2 pi k for k < 4, down at 5 pi/6 + 2 pi k for k < 3 */
    }
}

static int half(double *g, double t, const double *y, void *user)
{
    (void)t;
    (void)user;
    g[0] = y[0] - 0.5;
    return 0;
}

static void half_times_of_logistic_growth(void **state)
{
    const double end = 40;
    for (int m = 0; m < METHODS; m++)
        for (int k = 1; k <= 12; k += 3) {
            double y0 = pow(10, -k);
            seen s = {0};
            lnt_ode ode = {.size = 1, .slope = logistic, .events = 1, .event = half, .crossing = crossed, .user = &s};
            lnt_flow_opts opts = options(methods[m], 1e-12, 1e-24);
            check_status(*state, lnt_flow(*state, (lnt_mat){0}, NULL, &ode, &y0, 0, &end, 1, &opts), LNT_OK);
            assert_int_equal(s.count, 1);
            assert_int_equal(s.direction[0], 1);
            check_near(s.t[0], log(1 / y0 - 1), methods[m] == LNT_FLOW_BDF ? 1e-7 : 1e-10, "half time");
        }
}

static int two_levels(double *g, double t, const double *y, void *user)
{
    (void)t;
    ((seen *)user)->polls++;
    g[0] = expm1(60 * (0.501 - y[0])); /* bent each way: one end of a bracket moves little */
    g[1] = expm1(60 * (y[0] - 0.5));
    return 0;
}

static void crossings_within_a_step_come_in_order(void **state)
{
    double y0 = 0.01, end = 10;
    for (int m = 0; m < METHODS; m++) {
        seen s = {0};
        lnt_ode ode = {.size = 1, .slope = logistic, .events = 2, .event = two_levels, .crossing = crossed, .user = &s};
        lnt_flow_opts opts = options(methods[m], 1e-8, 1e-10);
        lnt_flow_info info;
        check_status(*state, lnt_flow(*state, (lnt_mat){0}, &info, &ode, &y0, 0, &end, 1, &opts), LNT_OK);
        assert_true(s.count == 2 && s.k[0] == 1 && s.k[1] == 0 && s.t[0] < s.t[1]);

        assert_true(s.polls <= 4 * info.steps + 1 + 2 * 28); /* once a step, and the searches are quick */
    }
}

/* ---- Output times ---- */

static int count_output(double t, int index, const double *y, void *user)
{
    seen *s = user;
    (void)y;
    assert_int_equal(index, s->outputs);
    s->t[s->outputs++] = t;
    return s->stop_at && s->outputs == s->stop_at ? -1 : 0;
}

static void output_times_may_repeat_and_coincide_with_the_start(void **state)
{
    const double times[] = {2, 2, 2.5, 2.5, 2.5, 3}, start[] = {2, 2, 2};
    double y0 = 0.1, y[6];
    for (int m = 0; m < METHODS; m++) {
        seen s = {0};
        lnt_ode ode = {.size = 1, .slope = logistic, .output = count_output, .user = &s};
        lnt_flow_opts opts = options(methods[m], 1e-10, 1e-12);
        lnt_flow_info info;
        check_status(*state, lnt_flow(*state, lnt_mat_view(y, 1, 6), &info, &ode, &y0, 2, times, 6, &opts), LNT_OK);
        assert_int_equal(s.outputs, 6);
        assert_true(y[0] == y0 && y[1] == y0 && y[2] == y[3] && y[3] == y[4]);
        for (int i = 0; i < 6; i++) {
            assert_true(s.t[i] == times[i]);
            check_near(y[i], logistic_solution(y0, times[i] - 2), 1e-7, "y");
        }
        s.outputs = 0;
        check_status(*state, lnt_flow(*state, lnt_mat_view(y, 1, 3), &info, &ode, &y0, 2, start, 3, &opts), LNT_OK);
        assert_true(s.outputs == 3 && info.steps == 0 && info.evaluations == 0 && info.t == 2 && y[2] == y0);
        check_status(*state, lnt_flow(*state, (lnt_mat){0}, &info, &ode, &y0, 2, NULL, 0, &opts), LNT_OK);
        assert_true(info.outputs == 0 && info.stop == LNT_FLOW_DONE);
        s.outputs = 0;
        double next = nextafter(2, 3); /* no room for a step */
        check_status(*state, lnt_flow(*state, lnt_mat_view(y, 1, 1), &info, &ode, &y0, 2, &next, 1, &opts), LNT_OK);
        assert_true(info.stop == LNT_FLOW_DONE);
        check_near(y[0], y0, 1e-14, "y");
    }
}

static void wrong_arguments_are_refused(void **state)
{
    lnt_ctx *ctx = *state;
    const double descending[] = {1, 0.5}, nan = NAN, early = -1, end = 1;
    double y0 = 0.1, bad = INFINITY, y[2];
    lnt_mat Y = lnt_mat_view(y, 1, 2);
    lnt_ode ode = {.size = 1, .slope = logistic};
    lnt_flow_opts opts = options(LNT_FLOW_AUTO, 1e-8, 0);
    check_failure(ctx, lnt_flow(ctx, Y, NULL, &ode, &y0, 0, descending, 2, NULL), LNT_EINVAL, "0.5 after 1");
    check_failure(ctx, lnt_flow(ctx, Y, NULL, &ode, &y0, 0, descending, 1, NULL), LNT_ESHAPE, "1 unknowns x 1 times");
    Y.cols = 1;
    check_failure(ctx, lnt_flow(ctx, Y, NULL, &ode, &y0, 0, &nan, 1, NULL), LNT_EINVAL, "nan");
    check_failure(ctx, lnt_flow(ctx, Y, NULL, &ode, &y0, 0, &early, 1, NULL), LNT_EINVAL, "-1 after 0");
    check_failure(ctx, lnt_flow(ctx, Y, NULL, &ode, &y0, INFINITY, &end, 1, NULL), LNT_EINVAL, "start time");
    check_failure(ctx, lnt_flow(ctx, Y, NULL, &ode, &bad, 0, &end, 1, NULL), LNT_EDOMAIN, "start value 1 is inf");
    check_failure(ctx, lnt_flow(ctx, Y, NULL, &ode, &y0, 0, &end, 1, &opts), LNT_EINVAL, "atol > 0");
    opts = options(LNT_FLOW_AUTO, 0, 1e-8);
    check_failure(ctx, lnt_flow(ctx, Y, NULL, &ode, &y0, 0, &end, 1, &opts), LNT_EINVAL, "rtol");
    opts = options(LNT_FLOW_AUTO, 1e-8, 1e-8);
    opts.max_steps = 0;
    check_failure(ctx, lnt_flow(ctx, Y, NULL, &ode, &y0, 0, &end, 1, &opts), LNT_EINVAL, "max_steps");
}

/* ---- Ends before the end ---- */

static int root(double *dy, double t, const double *y, void *user) /* y = sqrt(1 - t) */
{
    (void)t;
    (void)user;
    if (y[0] <= 0)
        return 1;
    dy[0] = -0.5 / y[0];
    return 0;
}

static int square(double *dy, double t, const double *y, void *user) /* y = 1 / (1 - t) */
{
    (void)t;
    (void)user;
    dy[0] = y[0] * y[0];
    return 0;
}

static void solutions_that_end_are_followed_to_their_end(void **state)
{
    const double times[] = {0.5, 2}, y0 = 1;
    double y[2];
    for (int m = 0; m < METHODS; m++)
        for (int blow_up = 0; blow_up < 2; blow_up++) {
            lnt_ode ode = {.size = 1, .slope = blow_up ? square : root};
            lnt_flow_opts opts = options(methods[m], 1e-8, 1e-10);
            lnt_flow_info info;
            check_status(*state, lnt_flow(*state, lnt_mat_view(y, 1, 2), &info, &ode, &y0, 0, times, 2, &opts), LNT_OK);
            if (info.stop != LNT_FLOW_STUCK || info.outputs != 1 || !(fabs(info.t - 1) < 1e-5) || !isnan(y[1]))
                fail_msg("method %d: stop %d at %.12g, %d outputs", methods[m], info.stop, info.t, info.outputs);
            check_near(y[0], blow_up ? 2 : sqrt(0.5), 1e-6, "y before");
        }
}

static int on_cancel(void *user)
{
    seen *s = user;
    return ++s->polls > s->cancel_after;
}

static void cancelled_runs_keep_what_they_have(void **state)
{
    double times[] = {0, 0.001, 30}, y0[] = {0, 1}, Y[6];
    for (int m = 0; m < METHODS; m++) {
        seen s = {.cancel_after = 20};
        lnt_ode ode = {.size = 2, .slope = oscillator};
        lnt_flow_opts opts = options(methods[m], 1e-11, 1e-11);
        lnt_flow_info info;
        lnt_ctx_set_cancel(*state, on_cancel, &s);
        check_status(*state, lnt_flow(*state, lnt_mat_view(Y, 2, 3), &info, &ode, y0, 0, times, 3, &opts), LNT_OK);
        lnt_ctx_set_cancel(*state, NULL, NULL);
        assert_true(info.stop == LNT_FLOW_INTERRUPTED && info.steps == 20 && info.outputs == 2 && info.t < 30);
        assert_true(Y[0] == 0 && isnan(Y[4]) && isnan(Y[5]));
        check_near(Y[2], sin(0.001), 1e-9, "y");
    }
}

static int refuse(double *dy, double t, const double *y, void *user)
{
    (void)y;
    dy[0] = 1;
    return t > 0.5 ? *(int *)user : 0;
}

static int refuse_at_once(double *dy, double t, const double *y, void *user)
{
    (void)t;
    (void)y;
    dy[0] = NAN;
    return *(int *)user;
}

static int stop_event(double *g, double t, const double *y, void *user)
{
    (void)user;
    g[0] = y[0];
    return t > 0.5 ? -1 : 0;
}

static void callbacks_can_stop_it(void **state)
{
    lnt_ctx *ctx = *state;
    double y0 = 0.1, end = 1, half_way[] = {0, 0.5, 1};
    for (int m = 0; m < METHODS; m++) {
        int code = -3;
        lnt_flow_opts opts = options(methods[m], 1e-8, 1e-10);
        lnt_ode ode = {.size = 1, .slope = refuse, .user = &code};
        lnt_mark before = lnt_ctx_mark(ctx);
        check_failure(ctx, lnt_flow(ctx, (lnt_mat){0}, NULL, &ode, &y0, 0, &end, 1, &opts), LNT_EUSER, "slope");
        ode.slope = refuse_at_once;
        check_failure(ctx, lnt_flow(ctx, (lnt_mat){0}, NULL, &ode, &y0, 0, &end, 1, &opts), LNT_EUSER, "slope");
        for (code = 0; code < 2; code++)
            check_failure(ctx, lnt_flow(ctx, (lnt_mat){0}, NULL, &ode, &y0, 0, &end, 1, &opts), LNT_EDOMAIN,
                          "at the start");
        seen s = {.stop_at = 2};
        ode = (lnt_ode){.size = 1, .slope = logistic, .output = count_output, .user = &s};
        check_failure(ctx, lnt_flow(ctx, (lnt_mat){0}, NULL, &ode, &y0, 0, half_way, 3, &opts), LNT_EUSER, "output");
        ode = (lnt_ode){.size = 1, .slope = logistic, .events = 1, .event = stop_event};
        check_failure(ctx, lnt_flow(ctx, (lnt_mat){0}, NULL, &ode, &y0, 0, &end, 1, &opts), LNT_EUSER, "event");
        s = (seen){.stop_at = 1};
        end = 10;
        ode = (lnt_ode){.size = 1, .slope = logistic, .events = 1, .event = half, .crossing = crossed, .user = &s};
        check_failure(ctx, lnt_flow(ctx, (lnt_mat){0}, NULL, &ode, &y0, 0, &end, 1, &opts), LNT_EUSER, "crossing");
        end = 1;
        lnt_mark after = lnt_ctx_mark(ctx);
        assert_true(before.chunk == after.chunk && before.used == after.used);
    }
}

/* ---- Memory and threads ---- */

/* So large that every vector is a chunk of its own. */
static lnt_status large_flow(lnt_ctx *ctx, void *method)
{
    static double y0[MANY];
    const double end = 0.1;
    for (int i = 0; i < MANY; i++)
        y0[i] = 0.5;
    lnt_ode ode = {.size = MANY, .slope = many_logistic, .events = 1, .event = half};
    lnt_flow_opts opts = options(*(const lnt_flow_method *)method, 1e-6, 1e-8);
    return lnt_flow(ctx, (lnt_mat){0}, NULL, &ode, y0, 0, &end, 1, &opts);
}

static void every_failing_allocation_is_survived(void **state)
{
    (void)state;
    for (int m = 0; m < METHODS; m++) {
        lnt_flow_method method = methods[m];
        assert_true(check_allocations(large_flow, &method, LNT_OK, 1000) >= 3);
    }
}

typedef struct shared_work {
    double result[16];
} shared_work;

static lnt_status one_flow(lnt_ctx *ctx, int index, void *user)
{
    shared_work *w = user;
    double rate = 10 + 1000 * index, y0 = 0.5, end = 5;
    lnt_ode ode = {.size = 1, .slope = follower, .user = &rate};
    lnt_flow_opts opts = options(methods[index % METHODS], 1e-8, 1e-10);
    return lnt_flow(ctx, lnt_mat_view(&w->result[index], 1, 1), NULL, &ode, &y0, 0, &end, 1, &opts);
}

static void several_threads_give_the_same_bits(void **state)
{
    shared_work alone, together;
    check_status(*state, lnt_parallel(*state, 16, 1, one_flow, &alone), LNT_OK);
    check_status(*state, lnt_parallel(*state, 16, 4, one_flow, &together), LNT_OK);
    assert_memory_equal(&alone, &together, sizeof alone);
    for (int i = 0; i < 16; i++)
        check_near(alone.result[i], cos(5), 1e-6, "y");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_CTX(logistic_growth_from_a_small_start),
        cmocka_unit_test(coefficients_satisfy_their_conditions),
        WITH_CTX(errors_follow_the_tolerance),
        WITH_CTX(bdf_errors_follow_the_tolerance),
        WITH_CTX(there_and_back),
        WITH_CTX(rests_stay_at_rest),
        WITH_CTX(what_rests_is_not_integrated_further),
        WITH_CTX(errors_follow_the_tolerance_of_moving_targets),
        WITH_CTX(steps_grow_again_where_it_gets_slow),
        WITH_CTX(rejected_steps_shrink_as_far_as_needed),
        WITH_CTX(crossings_within_a_step_come_in_order),
        WITH_CTX(stiff_problems_switch_to_bdf),
        WITH_CTX(a_jacobian_saves_slopes),
        WITH_CTX(crossings_are_found_once_each_and_in_order),
        WITH_CTX(half_times_of_logistic_growth),
        WITH_CTX(output_times_may_repeat_and_coincide_with_the_start),
        WITH_CTX(wrong_arguments_are_refused),
        WITH_CTX(solutions_that_end_are_followed_to_their_end),
        WITH_CTX(cancelled_runs_keep_what_they_have),
        WITH_CTX(callbacks_can_stop_it),
        cmocka_unit_test(every_failing_allocation_is_survived),
        WITH_CTX(several_threads_give_the_same_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
