/* The experiment on calibration: whether samplers of posteriors are right, by data whose truth is known. */
#include "experiment.h"
#include "linnet/study_sample.h"

ADOPT(calibrating)

/* Copies a table of another record, with the model in a column of its own. */
static void copy_table(lnt_record *to, const lnt_record *from, const char *model)
{
    static const char *const columns[] = {"method", "quantity", "chi2", "p", "verdict"};
    lnt_table *table = lnt_record_table(to, "models");
    for (int row = 0; row < lnt_record_rows(from, "calibration"); row++) {
        lnt_table_row(table);
        lnt_table_set(table, "model", "", lnt_string(model));
        for (int i = 0; i < 5; i++) {
            lnt_value value;
            if (lnt_record_cell(from, "calibration", row, columns[i], &value))
                lnt_table_set(table, columns[i], "", value);
        }
    }
}

static void copy_checks(lnt_ctx *ctx, lnt_record *to, const lnt_record *from, const char *model)
{
    for (int row = 0; row < lnt_record_rows(from, "checks"); row++) {
        lnt_value name;
        lnt_record_cell(from, "checks", row, "name", &name);
        const char *title = lnt_sprintf(ctx, "%s: %s", model, name.string);
        if (title)
            lnt_record_check(to, title, lnt_record_cell_number(from, "checks", row, "value"),
                             lnt_record_cell_number(from, "checks", row, "expected"),
                             lnt_record_cell_number(from, "checks", row, "tolerance"));
    }
}

static lnt_status add_linear(lnt_ctx *ctx, lnt_record *record, const lnt_calibrating_opts *opts)
{
    lnt_record *found = lnt_record_new("calibrating");
    if (!found)
        return lnt_fail(ctx, LNT_ENOMEM, "out of memory for a record");
    lnt_status status = lnt_calibrating_study(ctx, found, opts);
    if (status == LNT_OK) {
        copy_table(record, found, "linear");
        copy_checks(ctx, record, found, "linear");
        for (int i = 0; i < lnt_record_figures(found); i++)
            lnt_record_figure(record, lnt_record_get_figure(found, i));
        if (lnt_record_interrupted(found))
            lnt_record_set_interrupted(record);
    }
    lnt_record_free(found);
    return status;
}

lnt_status lnt_calibration_experiment(lnt_ctx *ctx, lnt_record *record, const lnt_experiment *self,
                                      const lnt_reproduce_opts *opts)
{
    lnt_calibrating_opts o;
    (void)self;
    lnt_calibrating_defaults(&o);
    o.runs = opts->full ? 1000 : 200;
    o.seed = opts->seed;
    o.threads = opts->threads;
    lnt_status status = adopt_calibrating(ctx, record, &o);
    if (status != LNT_OK)
        return status;
    o.hidden = (lnt_int_list){.count = 1};
    return add_linear(ctx, record, &o);
}
