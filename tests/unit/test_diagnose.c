/* Diagnostics against R's package posterior 1.4.0, and against what is known of the chains. */
#include "check.h"

/* Chains of seven kinds: first order autoregressions, and what is made of them. */
typedef struct chain_case {
    const char *name;
    int chains, draws;
    double phi;
} chain_case;

static const chain_case cases[] = {{"correlated", 4, 1000, 0.7},  {"antithetic, odd", 3, 501, -0.5},
                                   {"Cauchy", 4, 500, 0},         {"other means", 4, 400, 0.5},
                                   {"other scales", 4, 400, 0.5}, {"ties", 4, 300, 0.6},
                                   {"one chain", 1, 2000, 0.9},   {"short", 4, 13, 0.3}};
enum { CORRELATED, ODD, CAUCHY, MEANS, SCALES, TIES, ONE, SHORT, CASES };

/* x_0 stationary, x_t = phi x_{t-1} + sqrt(1 - phi^2) g_t: rho_t = phi^t, tau = (1 + phi)/(1 - phi). */
static void autoregression(double *x, int n, double phi, lnt_rng *rng)
{
    x[0] = lnt_rng_normal(rng);
    for (int t = 1; t < n; t++)
        x[t] = phi * x[t - 1] + sqrt(1 - phi * phi) * lnt_rng_normal(rng);
}

static void make_case(double *x, int which)
{
    const chain_case *c = &cases[which];
    for (int j = 0; j < c->chains; j++) {
        lnt_rng rng = lnt_rng_stream(11, (uint32_t)(100 * which + j), LNT_FOR_TESTS);
        double *chain = x + (size_t)j * (size_t)c->draws;
        autoregression(chain, c->draws, c->phi, &rng);
        for (int t = 0; t < c->draws; t++)
            chain[t] = which == CAUCHY   ? chain[t] / lnt_rng_normal(&rng)
                       : which == MEANS  ? chain[t] + 0.4 * j
                       : which == SCALES ? chain[t] * (1 + 0.5 * j)
                       : which == TIES   ? floor(2 * chain[t])
                                         : chain[t];
    }
}

/* mean, sd, their errors, quantiles 5%, 50%, 95%, their errors, their effective sizes, effective sizes of mean, bulk
 * and tail, R-hat: posterior's mcse_mean, mcse_sd, mcse_quantile, ess_quantile, ess_mean, ess_bulk, ess_tail, rhat. */
static const double reference[CASES][17] = {
    {-0.006762436768, 0.9726148728, 0.03724194998, 0.02018555814, -1.621041882, 0.002203365541, 1.616291659,
     0.06999007673, 0.03837348465, 0.04216994661, 1200.226227, 959.9807773, 1603.120002, 682.0512163, 684.7884318,
     1200.226227, 1.00495812},
    {0.02740138784, 1.005845219, 0.01457266698, 0.02430632951, -1.544308411, 0.03641421894, 1.748769612, 0.06118797203,
     0.02293850745, 0.06419802123, 1462.516911, 3383.276461, 1381.754377, 4764.136889, 4764.136889, 1381.754377,
     0.9994412453},
    {-0.624141719, 39.39860541, 0.8817806448, 10.58163834, -7.701586647, -0.05381788228, 7.212004342, 1.154023966,
     0.03193154587, 0.8547648047, 1870.587296, 2034.625375, 1973.251701, 1996.367886, 1943.475011, 1870.587296,
     0.99972084},
    {0.6448003611, 1.113555672, 0.216631991, 0.02698994283, -1.2427095, 0.6345094383, 2.424109124, 0.1092747586,
     0.2150079982, 0.05777163849, 605.593521, 44.39019188, 774.1395161, 26.4227908, 26.35584848, 605.593521,
     1.118517237},
    {-0.06397376914, 1.859159054, 0.07837447778, 0.2247720141, -3.240058689, -0.05889599959, 2.939261006, 0.171723041,
     0.06195112902, 0.1783095467, 794.714894, 756.2849289, 646.8709412, 562.7088839, 560.098989, 646.8709412,
     1.075486972},
    {-0.3741666667, 2.067864283, 0.1191130013, 0.05823981382, -4, 0, 3, 0, 0, 0, 596.7443124, 385.236862, 799.4951899,
     301.3878414, 300.6056354, 596.7443124, 1.002238397},
    {0.10725258, 1.019854376, 0.1006040622, 0.04320496986, -1.520752389, 0.08517505088, 1.768629326, 0.1439982552,
     0.1019398159, 0.08109606255, 301.1088316, 138.7804739, 416.4246912, 102.7650157, 102.9210849, 301.1088316,
     1.01537646},
    {-0.04965118211, 1.222438261, 0.2321544639, 0.1011498163, -2.178494825, 0.2170154423, 1.698478149, 0.5191364599,
     0.2552369532, 0.3015056142, 66.49507949, 47.61394102, 80.69957939, 27.72680266, 26.69551038, 66.49507949,
     1.223431227},
};

static void flatten(double v[17], const lnt_diagnosis *d)
{
    const double all[17] = {d->mean,      d->sd,       d->mcse_mean,   d->mcse_sd,  d->q05.value, d->median.value,
                            d->q95.value, d->q05.mcse, d->median.mcse, d->q95.mcse, d->q05.ess,   d->median.ess,
                            d->q95.ess,   d->ess_mean, d->ess_bulk,    d->ess_tail, d->rhat};
    memcpy(v, all, sizeof all);
}

static lnt_diagnosis diagnose_one(lnt_ctx *ctx, const double *x, int chains, int draws)
{
    lnt_diagnosis d;
    check_status(ctx, lnt_diagnose(ctx, &d, &(lnt_chains){x, chains, draws, 1}, 1), LNT_OK);
    return d;
}

static lnt_diagnosis diagnose_case(lnt_ctx *ctx, double *x, int which)
{
    make_case(x, which);
    return diagnose_one(ctx, x, cases[which].chains, cases[which].draws);
}

static void agrees_with_posterior(void **state)
{
    lnt_ctx *ctx = *state;
    double *x = new_vector(ctx, 4000), v[17];
    for (int which = 0; which < CASES; which++) {
        lnt_diagnosis d = diagnose_case(ctx, x, which);
        flatten(v, &d);
        for (int i = 0; i < 17; i++)
            if (!(fabs(v[i] - reference[which][i]) <= 1e-9 * fmax(1, fabs(v[i]))))
                fail_msg("%s: number %d is %.10g, not %.10g", cases[which].name, i, v[i], reference[which][i]);
    }
}

/* By the definition, with sums instead of transforms, of chains that are not split: two halves are two chains. */
static double direct_ess(const double *x, int M, int N)
{
    double W = 0, B = 0, grand = 0, *C = calloc((size_t)N, sizeof *C), *mean = calloc((size_t)M, sizeof *mean);
    assert_true(C && mean);
    for (int j = 0; j < M; j++) {
        for (int i = 0; i < N; i++)
            mean[j] += x[j * N + i] / N;
        grand += mean[j] / M;
    }
    for (int j = 0; j < M; j++) {
        B += (mean[j] - grand) * (mean[j] - grand) / (M - 1);
        for (int t = 0; t < N; t++)
            for (int i = t; i < N; i++)
                C[t] += (x[j * N + i] - mean[j]) * (x[j * N + i - t] - mean[j]) / N / M;
    }
    W = C[0] * N / (N - 1);
    double V = C[0] + B, tau = -1, former = INFINITY;
    for (int t = 0;; t += 2) {
        double even = t ? 1 - (W - C[t]) / V : 1, odd = 1 - (W - C[t + 1]) / V;
        if (even + odd <= 0 || t >= N - 5) {
            tau += fmax(even, 0);
            break;
        }
        former = fmin(former, even + odd);
        tau += 2 * former;
    }
    free(C);
    free(mean);
    return M * N / fmax(tau, 1 / log10(M * N));
}

static void agrees_with_sums(void **state)
{
    lnt_ctx *ctx = *state;
    double *x = new_vector(ctx, 4000);
    const int which[] = {CORRELATED, MEANS, SCALES, TIES, ONE};
    for (int i = 0; i < 5; i++) {
        lnt_diagnosis d = diagnose_case(ctx, x, which[i]);
        const chain_case *c = &cases[which[i]];
        check_near(d.ess_mean, direct_ess(x, 2 * c->chains, c->draws / 2), 1e-11, c->name);
    }
}

/* E[(mean/mcse)^2] = 1 for a normal mean. 300 sets of chains: standard error .08, so that 4 of them fail one time in
 * 16000; what ESS misses by its own noise is below .1. */
static void errors_are_right(void **state)
{
    lnt_ctx *ctx = *state;
    enum { SETS = 300, CHAINS = 4, DRAWS = 400 };
    const double phis[] = {0, 0.6, -0.3};
    double *x = new_vector(ctx, CHAINS * DRAWS);
    for (int i = 0; i < 3; i++) {
        double phi = phis[i], mean = 0, sd = 0, median = 0, q95 = 0, ess = 0, rhat = 0;
        for (int set = 0; set < SETS; set++) {
            for (int c = 0; c < CHAINS; c++) {
                lnt_rng rng = lnt_rng_stream(5, (uint32_t)(i * 10000 + set * CHAINS + c), LNT_FOR_TESTS);
                autoregression(x + c * DRAWS, DRAWS, phi, &rng);
            }
            lnt_diagnosis d = diagnose_one(ctx, x, CHAINS, DRAWS);
            mean += d.mean * d.mean / (d.mcse_mean * d.mcse_mean) / SETS;
            sd += (d.sd - 1) * (d.sd - 1) / (d.mcse_sd * d.mcse_sd) / SETS;
            median += d.median.value * d.median.value / (d.median.mcse * d.median.mcse) / SETS;
            q95 += pow((d.q95.value - 1.6448536269514722) / d.q95.mcse, 2) / SETS;
            ess += d.ess_mean / SETS;
            rhat += d.rhat / SETS;
        }
        check_near(mean, 1, 0.4, "the error of means");
        check_near(sd, 1, 0.4, "the error of standard deviations");
        check_near(median, 1, 0.4, "the error of medians");
        check_near(q95, 1, 0.4, "the error of quantiles");
        check_near(ess, CHAINS * DRAWS * (1 - phi) / (1 + phi), 0.1, "(1 + phi)/(1 - phi)");
        check_near(rhat, 1, 0.01, "R-hat of chains that agree");
    }
}

/* Ranks do not see monotone maps, ratios do not see units (powers of two, since rounding breaks the tie of the two
 * draws beside a median); the shift costs digits. */
static void invariances(void **state)
{
    lnt_ctx *ctx = *state;
    double *x = new_vector(ctx, 4000), a[17], b[17];
    lnt_diagnosis d = diagnose_case(ctx, x, SCALES), e;
    const double scales[] = {0x1p-600, 0x1p600};
    for (int s = 0; s < 2; s++) {
        make_case(x, SCALES);
        for (int i = 0; i < 1600; i++)
            x[i] *= scales[s];
        e = diagnose_one(ctx, x, 4, 400);
        flatten(a, &d), flatten(b, &e);
        for (int i = 0; i < 17; i++)
            check_near(i < 10 ? b[i] / scales[s] : b[i], a[i], 1e-12, "another unit");
    }
    make_case(x, SCALES);
    for (int i = 0; i < 1600; i++)
        x[i] = exp(5 * x[i]);
    e = diagnose_one(ctx, x, 4, 400);
    assert_true(e.ess_bulk == d.ess_bulk); /* to the bit */
    check_near(e.ess_tail, d.ess_tail, 1e-12, "tail ESS of a monotone map");
    make_case(x, SCALES);
    for (int i = 0; i < 1600; i++)
        x[i] += 1e6;
    e = diagnose_one(ctx, x, 4, 400);
    check_near(e.ess_mean, d.ess_mean, 1e-6, "a shift");
    check_near(e.rhat, d.rhat, 1e-12, "a shift");
}

static void what_r_hat_sees(void **state)
{
    lnt_ctx *ctx = *state;
    double *x = new_vector(ctx, 4000);
    assert_true(diagnose_case(ctx, x, MEANS).rhat > 1.05);
    assert_true(diagnose_case(ctx, x, SCALES).rhat > 1.05); /* by folding: all means are 0 */
    assert_true(diagnose_case(ctx, x, CAUCHY).rhat < 1.01);
    assert_true(diagnose_case(ctx, x, CAUCHY).ess_bulk > 1600);
    make_case(x, CORRELATED);
    for (int t = 500; t < 1000; t++)
        x[t] += 3; /* one chain jumps half-way */
    assert_true(diagnose_one(ctx, x, 4, 1000).rhat > 1.1);
    for (int i = 0; i < 2000; i++)
        x[i] = i / 500;
    assert_true(diagnose_one(ctx, x, 4, 500).rhat > 1e6); /* each chain at its own place */
    for (int i = 0; i < 2000; i++)
        x[i] = i % 2;
    check_near(diagnose_one(ctx, x, 4, 500).rhat, 1, 0.01, "two values"); /* the folded ones are the same */
}

static void nothing_to_say(void **state)
{
    lnt_ctx *ctx = *state;
    double *x = new_vector(ctx, 4000), v[17];
    const double bad[] = {NAN, INFINITY, -INFINITY};
    lnt_diagnosis d = diagnose_one(ctx, x, 4, 100);
    assert_true(d.mean == 0 && d.sd == 0 && d.median.value == 0 && d.q95.value == 0);
    assert_true(isnan(d.rhat) && isnan(d.ess_bulk) && isnan(d.ess_tail) && isnan(d.ess_mean) && isnan(d.mcse_mean) &&
                isnan(d.mcse_sd) && isnan(d.median.mcse) && isnan(d.median.ess));
    for (int i = 0; i < 3; i++) {
        make_case(x, CORRELATED);
        x[77] = bad[i];
        d = diagnose_one(ctx, x, 4, 1000);
        flatten(v, &d);
        for (int j = 0; j < 17; j++)
            assert_true(isnan(v[j]));
    }
    make_case(x, CORRELATED);
    for (int draws = 1; draws < 20; draws++) {
        d = diagnose_one(ctx, x, 2, draws);
        assert_true(isfinite(d.mean) && isfinite(d.sd) && isfinite(d.q05.value));
        assert_true((draws >= 12) == isfinite(d.rhat) && (draws >= 12) == isfinite(d.ess_bulk));
    }
    d = diagnose_one(ctx, x, 1, 1);
    assert_true(d.mean == x[0] && isnan(d.sd));
    check_failure(ctx, lnt_diagnose(ctx, &d, &(lnt_chains){x, 0, 5, 1}, 1), LNT_EINVAL, "0 chains of 5 draws");
    check_failure(ctx, lnt_diagnose(ctx, &d, &(lnt_chains){x, 5, 0, 1}, 1), LNT_EINVAL, "5 chains of 0 draws");
    check_failure(ctx, lnt_diagnose(ctx, &d, &(lnt_chains){x, 1 << 20, 1 << 20, 1}, 1), LNT_EINVAL, "more than");
    check_status(ctx, lnt_diagnose(ctx, &d, &(lnt_chains){x, 4, 5, 0}, 1), LNT_OK);
}

/* Seven quantities side by side are those one by one, on any number of threads. */
static void many_quantities(void **state)
{
    lnt_ctx *ctx = *state;
    enum { DIM = 7, DRAWS = 101 };
    double *x = new_vector(ctx, 3 * DRAWS * DIM), *one = new_vector(ctx, 3 * DRAWS);
    lnt_rng rng = lnt_rng_stream(3, 0, LNT_FOR_TESTS);
    lnt_rng_normals(&rng, x, 3 * DRAWS * DIM);
    lnt_chains all = {x, 3, DRAWS, DIM};
    lnt_diagnosis d[2][DIM], alone;
    lnt_quantile q;
    for (int t = 0; t < 2; t++)
        check_status(ctx, lnt_diagnose(ctx, d[t], &all, 1 + 2 * t), LNT_OK);
    assert_memory_equal(d[0], d[1], sizeof d[0]);
    for (int i = 0; i < DIM; i++) {
        for (int s = 0; s < 3 * DRAWS; s++)
            one[s] = x[s * DIM + i];
        alone = diagnose_one(ctx, one, 3, DRAWS);
        assert_memory_equal(&alone, &d[0][i], sizeof alone);
        check_status(ctx, lnt_chains_quantile(ctx, &q, &all, i, 0.95), LNT_OK);
        assert_memory_equal(&q, &alone.q95, sizeof q);
    }
    check_failure(ctx, lnt_chains_quantile(ctx, &q, &all, 7, 0.5), LNT_EINVAL, "quantity 7");
    check_failure(ctx, lnt_chains_quantile(ctx, &q, &all, 0, 1), LNT_EINVAL, "quantile 1");
    check_failure(ctx, lnt_chains_quantile(ctx, &q, &all, 0, NAN), LNT_EINVAL, "quantile nan");
    x[5] = NAN;
    check_status(ctx, lnt_chains_quantile(ctx, &q, &all, 5, 0.5), LNT_OK);
    assert_true(isnan(q.value) && isnan(q.ess) && isnan(q.mcse));
}

static void energies(void **state)
{
    lnt_ctx *ctx = *state;
    enum { N = 20000 };
    double *E = new_vector(ctx, 3 * N), b[3];
    const double phis[] = {0, 0.9, -0.5};
    for (int c = 0; c < 3; c++) {
        lnt_rng rng = lnt_rng_stream(9, (uint32_t)c, LNT_FOR_TESTS);
        autoregression(E + (size_t)c * N, N, phis[c], &rng);
    }
    lnt_ebfmi(b, &(lnt_chains){E, 3, N, 1});
    for (int c = 0; c < 3; c++)
        check_near(b[c], 2 * (1 - phis[c]), 0.05, "E-BFMI is 2 (1 - rho_1)");
    memset(E, 0, 10 * sizeof *E);
    lnt_ebfmi(b, &(lnt_chains){E, 1, 10, 1});
    assert_true(isnan(b[0]));
}

static const lnt_verdict_row *row_named(const lnt_verdict *v, const char *name)
{
    for (int i = 0; i < v->count; i++)
        if (strcmp(v->row[i].name, name) == 0)
            return &v->row[i];
    return NULL;
}

static void check_words(lnt_ctx *ctx, const lnt_verdict *v, const char *name, const char *where, const char *words)
{
    const lnt_verdict_row *row = row_named(v, name);
    assert_non_null(row);
    assert_false(row->holds);
    const char *text = lnt_verdict_words(ctx, row, where);
    if (!strstr(text, words))
        fail_msg("'%s' does not say '%s'", text, words);
}

static void verdicts(void **state)
{
    lnt_ctx *ctx = *state;
    enum { N = 1000 };
    double *x = new_vector(ctx, 4 * N), *wide = new_vector(ctx, 4 * N), *zero = new_vector(ctx, 4 * N),
           *depth = new_vector(ctx, 4 * N);
    make_case(wide, CORRELATED);
    for (int c = 0; c < 4; c++) {
        lnt_rng rng = lnt_rng_stream(21, (uint32_t)c, LNT_FOR_TESTS);
        lnt_rng_normals(&rng, x + (size_t)c * N, N);
    }
    lnt_diagnosis d[3] = {diagnose_one(ctx, zero, 4, N), diagnose_one(ctx, x, 4, N), diagnose_one(ctx, wide, 4, N)};
    lnt_chains good = {x, 4, N, 1}, none = {zero, 4, N, 1};
    lnt_sampler_trace trace = {good, none, {depth, 4, N, 1}, good};
    lnt_verdict v;
    check_status(ctx, lnt_verdict_on(ctx, &v, d, 3, 4, &trace, NULL), LNT_OK);
    assert_true(v.trusted);
    assert_int_equal(v.count, LNT_VERDICT_ROWS);
    for (int i = 0; i < v.count; i++)
        assert_true(v.row[i].holds);
    assert_int_equal(row_named(&v, "R-hat")->where, 2); /* the constant is left out */
    depth[3] = 10;                                      /* dearer, but true */
    check_status(ctx, lnt_verdict_on(ctx, &v, d, 3, 4, &trace, NULL), LNT_OK);
    assert_true(v.trusted);
    check_words(ctx, &v, "deepest trees", NULL, "1 deepest tree: trajectories");
    zero[5] = zero[7] = 1;
    check_status(ctx, lnt_verdict_on(ctx, &v, d, 3, 4, &trace, NULL), LNT_OK);
    assert_false(v.trusted);
    check_words(ctx, &v, "divergences", NULL, "2 divergences: places");
    for (int i = 2 * N; i < 2 * N + 600; i++)
        x[i] = 1;
    check_status(ctx, lnt_verdict_on(ctx, &v, d, 3, 4, &(lnt_sampler_trace){.position = good}, NULL), LNT_OK);
    assert_true(!v.trusted && v.count == 4);
    check_words(ctx, &v, "stuck chains", "chain 3", "1 stuck chain (chain 3): they hardly");
    assert_int_equal(row_named(&v, "stuck chains")->where, 2);
    make_case(x, ONE);
    check_status(ctx, lnt_verdict_on(ctx, &v, NULL, 0, 1, &(lnt_sampler_trace){.energy = {x, 1, N, 1}}, NULL), LNT_OK);
    assert_true(!v.trusted && v.count == 1);
    check_words(ctx, &v, "E-BFMI", NULL, "not at least 0.3");
    d[1] = diagnose_case(ctx, x, MEANS);
    check_status(ctx, lnt_verdict_on(ctx, &v, d, 3, 4, NULL, NULL), LNT_OK);
    check_words(ctx, &v, "R-hat", "w2", "R-hat is 1.119 (w2), not below 1.01: the chains");
    check_words(ctx, &v, "bulk ESS", NULL, "bulk ESS is 26.36, not at least 400");
    lnt_verdict_row close = *row_named(&v, "R-hat");
    close.measure = 1.010004; /* as many digits as it takes */
    assert_non_null(strstr(lnt_verdict_words(ctx, &close, NULL), "R-hat is 1.010004, not below 1.01"));
    assert_false(v.trusted);
    d[2] = diagnose_one(ctx, x, 4, 5);
    check_status(ctx, lnt_verdict_on(ctx, &v, d, 3, 4, NULL, NULL), LNT_OK);
    check_words(ctx, &v, "tail ESS", NULL, "tail ESS cannot be said: too few");
    check_status(ctx, lnt_verdict_on(ctx, &v, d, 1, 4, NULL, NULL), LNT_OK);
    assert_false(v.trusted); /* nothing but constants */
    trace.energy.chains = 3;
    check_failure(ctx, lnt_verdict_on(ctx, &v, d, 3, 4, &trace, NULL), LNT_EINVAL, "3 chains");
    check_failure(ctx, lnt_verdict_on(ctx, &v, d, 3, 0, NULL, NULL), LNT_EINVAL, "0 chains");
}

/* chi^2 p-values of uniform ranks are uniform themselves: below .1 in 10% of 500 sets, standard error 1.3%; those of
 * draws that are too narrow are small. */
static void calibrations(void **state)
{
    lnt_ctx *ctx = *state;
    enum { RUNS = 400, DRAWS = 99 };
    int ranks[RUNS];
    double low = 0, x[DRAWS];
    lnt_calibration c;
    lnt_rng rng = lnt_rng_stream(8, 0, LNT_FOR_TESTS);
    for (int set = 0; set < 500; set++) {
        for (int i = 0; i < RUNS; i++)
            ranks[i] = (int)lnt_rng_below(&rng, DRAWS + 1);
        check_status(ctx, lnt_calibrate(ctx, &c, ranks, RUNS, DRAWS, 20), LNT_OK);
        assert_int_equal(c.bins, 20);
        low += c.p < 0.1 ? 1 / 500. : 0;
    }
    assert_true(fabs(low - 0.1) < 0.06);
    for (int narrow = 0; narrow < 2; narrow++) {
        for (int i = 0; i < RUNS; i++) {
            lnt_rng_normals(&rng, x, DRAWS);
            ranks[i] = lnt_calibration_rank(lnt_rng_normal(&rng) * (1 + 0.5 * narrow), x, DRAWS, 1);
        }
        check_status(ctx, lnt_calibrate(ctx, &c, ranks, RUNS, DRAWS, 20), LNT_OK);
        assert_true(narrow ? c.p < 1e-6 : c.p > 0.001);
    }
}

static void calibration_by_hand(void **state)
{
    lnt_ctx *ctx = *state;
    int ranks[100];
    lnt_calibration c;
    for (int i = 0; i < 100; i++)
        ranks[i] = i;
    check_status(ctx, lnt_calibrate(ctx, &c, ranks, 100, 99, 20), LNT_OK);
    for (int b = 0; b < 20; b++)
        assert_true(c.count[b] == 5 && fabs(c.expected[b] - 5) < 1e-12);
    check_near(c.p, 1, 1e-14, "a flat histogram");
    for (int i = 0; i < 100; i++)
        ranks[i] = 99 * (i % 4 == 0);
    check_status(ctx, lnt_calibrate(ctx, &c, ranks, 100, 99, 20), LNT_OK);
    check_near(c.chi2, (70. * 70 + 20 * 20 + 18 * 25) / 5, 1e-13, "two bins");
    check_status(ctx, lnt_calibrate(ctx, &c, ranks, 100, 100, 20), LNT_OK); /* bins of 5 and of 6 ranks */
    assert_true(c.bins == 20 && fabs(c.expected[0] / c.expected[1] - 6 / 5.) < 1e-12);
    ranks[0] = 3;
    check_failure(ctx, lnt_calibrate(ctx, &c, ranks, 100, 2, 20), LNT_EINVAL, "rank 3");
    ranks[0] = -1;
    check_failure(ctx, lnt_calibrate(ctx, &c, ranks, 100, 99, 20), LNT_EINVAL, "rank -1");
    check_failure(ctx, lnt_calibrate(ctx, &c, ranks, 0, 99, 20), LNT_EINVAL, "at least a rank");
    ranks[0] = 1;
    check_status(ctx, lnt_calibrate(ctx, &c, ranks, 1, 1, 20), LNT_OK);
    assert_int_equal(c.bins, 2);
    const double draws[] = {1, 9, 2, 9, 3, 9};
    assert_int_equal(lnt_calibration_rank(2.5, draws, 3, 2), 2);
}

/* Numbers of 40-digit arithmetic. */
static void special_functions(void **state)
{
    (void)state;
    const double p[][2] = {{0.975, 1.959963984540053856},    {1e-10, -6.361340902404056199},
                           {1e-300, -37.04709629936119924},  {0.5, 0},
                           {0.02425, -1.972961051311884838}, {0.75, 0.6744897501960817432}};
    for (int i = 0; i < 6; i++)
        check_near(lnt_probit(p[i][0]), p[i][1], 5e-16 * fmax(1, fabs(p[i][1])), "probit");
    for (double q = 1e-12; q < 0.5; q *= 1.7)
        check_near(0.5 * erfc(-lnt_probit(q) * 0.70710678118654752440) / q, 1, 3e-14, "its inverse");
    assert_true(lnt_probit(0) == -INFINITY && lnt_probit(1) == INFINITY && isnan(lnt_probit(-1)) &&
                isnan(lnt_probit(2)) && isnan(lnt_probit(NAN)));
    const double g[][3] = {{9.5, 15.0, 0.0517984588930238736},     {9.5, 3.0, 0.997928455202864974},
                           {9.5, 40.0, 1.85962550298585077e-9},    {0.25, 0.01, 0.651813547239515952},
                           {0.25, 3.0, 0.00501089594870830809},    {100.0, 90.0, 0.841779010813569832},
                           {100.0, 150.0, 5.92454033548391583e-6}, {5000.5, 5100.0, 0.0803751756389834052},
                           {12.0, 12.5, 0.405760688811482747}};
    for (int i = 0; i < (int)(sizeof g / sizeof *g); i++)
        check_near(lnt_gamma_q(g[i][0], g[i][1]) / g[i][2], 1, 1e-13, "incomplete gamma function");
    for (double x = 0.1; x < 50; x *= 1.3) { /* a = 1 and 1/2 */
        check_near(lnt_gamma_q(1, x) / exp(-x), 1, 2e-14, "exponential tail");
        check_near(lnt_gamma_q(0.5, x) / erfc(sqrt(x)), 1, 2e-14, "normal tail");
        double a = 3 * x, y = 2.9 * x; /* Q(a + 1, y) = Q(a, y) + y^a e^-y/Gamma(a + 1) */
        check_near(lnt_gamma_q(a + 1, y), lnt_gamma_q(a, y) + exp(a * log(y) - y - lgamma(a + 1)), 1e-12, "recurrence");
    }
    assert_true(lnt_gamma_q(2, 0) == 1 && lnt_gamma_q(2, INFINITY) == 0);
    assert_true(isnan(lnt_gamma_q(0, 1)) && isnan(lnt_gamma_q(1, -1)) && isnan(lnt_gamma_q(NAN, 1)));
}

static lnt_status diagnose_all(lnt_ctx *ctx, void *user)
{
    lnt_diagnosis d[2];
    lnt_quantile q;
    lnt_verdict v;
    lnt_chains x = {user, 2, 20, 2};
    lnt_status status = lnt_diagnose(ctx, d, &x, 1);
    if (status == LNT_OK)
        status = lnt_chains_quantile(ctx, &q, &x, 1, 0.3);
    if (status == LNT_OK)
        status = lnt_verdict_on(ctx, &v, d, 2, 2, NULL, NULL);
    return status != LNT_OK ? status : lnt_verdict_words(ctx, &v.row[0], "w") ? LNT_OK : LNT_ENOMEM;
}

static void survives(void **state)
{
    (void)state;
    double x[80];
    lnt_rng rng = lnt_rng_stream(1, 0, LNT_FOR_TESTS);
    lnt_rng_normals(&rng, x, 80);
    check_allocations(diagnose_all, x, LNT_OK, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {WITH_CTX(agrees_with_posterior),
                                       WITH_CTX(agrees_with_sums),
                                       WITH_CTX(errors_are_right),
                                       WITH_CTX(invariances),
                                       WITH_CTX(what_r_hat_sees),
                                       WITH_CTX(nothing_to_say),
                                       WITH_CTX(many_quantities),
                                       WITH_CTX(energies),
                                       WITH_CTX(verdicts),
                                       WITH_CTX(calibrations),
                                       WITH_CTX(calibration_by_hand),
                                       cmocka_unit_test(special_functions),
                                       cmocka_unit_test(survives)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
