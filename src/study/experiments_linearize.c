/* The experiment on linearised training: how the deviation of networks from their linearisation falls with the width.
 */
#include "experiment.h"

#include "linnet/study_linearize.h"

#include <math.h>
#include <string.h>

ADOPT(linearizing)

#define TIMES 3

/* Root mean square differences at test rows of an earlier, independent run: means of twelve starts, and exponents over
 * widths from 64 to 4096. Single widths scatter severalfold, and fewer and narrower networks have flatter laws: the
 * checks are of the exponents alone, between the bound h^-1/2 (Lee et al. 2019) and what follows the leading term 1/h
 * (Dyer et al. 2020). Standard errors over starts say nothing of the draw of the data, so there are none beside these
 * numbers. */
static const double narrow[TIMES] = {0.021, 0.124, 0.19}, wide[TIMES] = {0.0004, 0.0042, 0.0088},
                    exponents[TIMES] = {-0.97, -0.82, -0.74};

/* Test deviations at one width beside the reference. */
static lnt_status compare(lnt_ctx *ctx, lnt_record *record, int width, const double *reference)
{
    for (int i = 0, k = 0; k < TIMES && i < lnt_record_rows(record, "widths"); i++) {
        if (lnt_record_cell_number(record, "widths", i, "width") != width)
            continue;
        double time = lnt_record_cell_number(record, "widths", i, "time");
        const char *name =
            lnt_sprintf(ctx, "deviation at test rows, width %d, t = %g, beside an independent run", width, time);
        if (!name)
            return LNT_ENOMEM;
        lnt_record_deviation(record, name, lnt_record_cell_number(record, "widths", i, "test"), reference[k++], NAN,
                             NAN);
    }
    return LNT_OK;
}

lnt_status lnt_linearized_experiment(lnt_ctx *ctx, lnt_record *record, const lnt_experiment *self,
                                     const lnt_reproduce_opts *opts)
{
    lnt_linearizing_opts o;
    (void)self;
    lnt_linearizing_defaults(&o);
    o.seed = opts->seed;
    o.threads = opts->threads;
    if (opts->full) {
        o.widths = (lnt_int_list){7, {64, 128, 256, 512, 1024, 2048, 4096}};
        o.runs = 12;
    }
    lnt_status status = adopt_linearizing(ctx, record, &o);
    if (status == LNT_OK)
        status = compare(ctx, record, 64, narrow);
    if (status == LNT_OK && opts->full)
        status = compare(ctx, record, 4096, wide);
    for (int i = 0, k = 0; k < TIMES && i < lnt_record_rows(record, "laws") && status == LNT_OK; i++) {
        lnt_value rows;
        double time = lnt_record_cell_number(record, "laws", i, "time"),
               exponent = lnt_record_cell_number(record, "laws", i, "exponent");
        if (!lnt_record_cell(record, "laws", i, "rows", &rows) || strcmp(rows.string, "test") != 0)
            continue;
        const char *name = lnt_sprintf(ctx, "exponent of the width at test rows, t = %g", time);
        if (!name)
            return LNT_ENOMEM;
        lnt_record_deviation(record, name, exponent, exponents[k++], NAN, NAN);
        lnt_record_check(record, name, exponent, -0.8, 0.3);
    }
    return status;
}
