/* The experiments on posteriors by Markov chains. */
#include "experiment.h"
#include "sampling.h"

#include <math.h>

#define EXPONENT_TOLERANCE 0.1 /* of finite numbers of rows, beside 4 standard errors */

static void set_options(lnt_sampling_opts *o, const lnt_reproduce_opts *opts, int draws)
{
    lnt_sampling_defaults(o);
    o->draws = draws;
    o->seed = opts->seed;
    o->threads = opts->threads;
}

lnt_status lnt_nuts_experiment(lnt_ctx *ctx, lnt_record *record, const lnt_experiment *self,
                               const lnt_reproduce_opts *opts)
{
    lnt_sampling_opts o;
    lnt_network_data data;
    lnt_sampled s;
    (void)self;
    set_options(&o, opts, opts->full ? 10000 : 1000);
    lnt_status status = lnt_sampling_problems(ctx, record, &s, &data, &o);
    if (status != LNT_OK)
        return status;
    lnt_record_check(record, "bump: alpha from the evidence", s.fit.alpha[0], 0.47088610, 1e-5);
    lnt_record_check(record, "bump: noise from the evidence", 1 / s.fit.noise, 368.5015578, 1e-2);
    lnt_record_check(record, "bump: log evidence of Laplace's approximation", s.fit.posterior.log_evidence, 33.50024299,
                     1e-6);
    lnt_record_check(record, "bump: Laplace's mean, distance in standard deviations",
                     lnt_record_fact_number(record, "laplace", "largest_shift"), 0, 0.2);
    return LNT_OK;
}

lnt_status lnt_gaussian_posterior_experiment(lnt_ctx *ctx, lnt_record *record, const lnt_experiment *self,
                                             const lnt_reproduce_opts *opts)
{
    lnt_sampling_opts o;
    (void)self;
    set_options(&o, opts, opts->full ? 2000 : 1000);
    o.warmup = 500;
    if (opts->full)
        o.grow = (lnt_int_list){.count = 6, .item = {80, 160, 320, 640, 1280, 2560}};
    else
        o.grow = (lnt_int_list){.count = 4, .item = {80, 160, 320, 640}};
    lnt_status status = lnt_sampling_grow_bump(ctx, record, &o, opts->full ? 16 : 8);
    if (status != LNT_OK)
        return status;
    double slope = lnt_record_fact_number(record, "growth", "exponent"),
           error = lnt_record_fact_number(record, "growth", "exponent_error");
    lnt_record_check(record, "exponent of n in the distance of Laplace's approximation", slope, -0.5,
                     4 * error + EXPONENT_TOLERANCE);
    lnt_record_check(record, "its standard error", error, 0, 0.1);
    lnt_record_check(record, "ratio of standard deviations with the most rows",
                     lnt_record_cell_number(record, "growth", o.grow.count - 1, "sd_ratio"), 1, 0.03);
    return LNT_OK;
}
