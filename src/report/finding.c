#include "page.h"

#include <math.h>
#include <string.h>

static const char *check_name(const lnt_record *record, int row)
{
    lnt_value name;
    bool known = lnt_record_cell(record, "checks", row, "name", &name) && name.kind == LNT_STRING;
    return known ? name.string : "";
}

static double check_number(const lnt_record *record, int row, const char *column)
{
    return lnt_record_cell_number(record, "checks", row, column);
}

static bool check_holds(const lnt_record *record, int row)
{
    lnt_value holds;
    return lnt_record_cell(record, "checks", row, "holds", &holds) && holds.number != 0;
}

/* What a check says: "NAME is VALUE, expected E within T". */
static void put_check(lnt_text *out, const lnt_record *record, int row)
{
    lnt_text_add(out, "“");
    lnt_put_escaped(out, check_name(record, row));
    lnt_text_add(out, "” is ");
    lnt_put_number(out, check_number(record, row, "value"));
    lnt_text_add(out, ", expected ");
    lnt_put_number(out, check_number(record, row, "expected"));
    double tolerance = check_number(record, row, "tolerance");
    if (tolerance > 0) {
        lnt_text_add(out, " within ");
        lnt_put_number(out, tolerance);
    } else {
        lnt_text_add(out, " exactly");
    }
}

/* `finding` with the values of checks in place of their names. */
static void put_template(lnt_text *out, const char *finding, const lnt_record *record)
{
    while (*finding) {
        size_t plain = strcspn(finding, "{");
        lnt_text_bytes(out, finding, plain);
        finding += plain;
        size_t n = strcspn(finding, "}");
        if (!*finding || finding[n] != '}')
            break;
        double value = NAN;
        for (int row = lnt_record_rows(record, "checks") - 1; row >= 0; row--)
            if (strlen(check_name(record, row)) == n - 1 && memcmp(check_name(record, row), finding + 1, n - 1) == 0)
                value = check_number(record, row, "value");
        if (isnan(value))
            lnt_text_add(out, "?");
        else
            lnt_text_add(out, "%.4g", value);
        finding += n + 1;
    }
    lnt_text_add(out, " ");
}

static void put_checks(lnt_text *out, const lnt_record *record)
{
    int rows = lnt_record_rows(record, "checks"), failed = 0, closest = -1;
    double most = 0;
    for (int row = 0; row < rows; row++) {
        double tolerance = check_number(record, row, "tolerance");
        double share = fabs(check_number(record, row, "value") - check_number(record, row, "expected")) / tolerance;
        bool holds = check_holds(record, row);
        failed += !holds;
        if (holds && tolerance > 0 && share > most) {
            most = share;
            closest = row;
        }
    }
    if (rows == 0) {
        lnt_text_add(out, "No number was known beforehand. ");
    } else if (failed == 0) {
        lnt_text_add(out, "%s hold%s", rows == 1 ? "The check" : "All checks", rows == 1 ? "s" : "");
        if (rows > 1)
            lnt_text_add(out, ", %d of them", rows);
    } else {
        lnt_text_add(out, "%d of %d checks fail%s: ", failed, rows, failed == 1 ? "s" : "");
        for (int row = 0, shown = 0; row < rows; row++)
            if (!check_holds(record, row)) {
                lnt_text_add(out, shown++ ? "; " : "");
                put_check(out, record, row);
            }
    }
    if (rows > 0 && closest >= 0 && most >= 0.01) {
        lnt_text_add(out, "; nearest to its limit, at %.0f %% of the tolerance, ", 100 * most);
        put_check(out, record, closest);
    }
    lnt_text_add(out, rows > 0 ? ". " : "");
}

/* The largest of the deviations that a tolerance judges; those that none does are named as such in the table. */
static void put_largest(lnt_text *out, const lnt_record *record)
{
    int rows = lnt_record_rows(record, "deviations"), judged = 0, worst = -1;
    double most = -1;
    lnt_value name;
    for (int row = 0; row < rows; row++) {
        double relative = lnt_record_cell_number(record, "deviations", row, "relative");
        if (!lnt_record_cell(record, "deviations", row, "name", &name) || name.kind != LNT_STRING ||
            lnt_record_judge(record, name.string) < 0)
            continue;
        judged++;
        if (relative > most) {
            most = relative;
            worst = row;
        }
    }
    if (worst < 0)
        return;
    lnt_record_cell(record, "deviations", worst, "name", &name);
    double sigmas = lnt_record_cell_number(record, "deviations", worst, "sigmas");
    lnt_text_add(out, "Of %d deviation%s between simulation and theory %d %s judged; the largest of these is %.2g %%",
                 rows, rows == 1 ? "" : "s", judged, judged == 1 ? "is" : "are", 100 * most);
    if (isfinite(sigmas))
        lnt_text_add(out, " or %.2g standard errors", sigmas);
    lnt_text_add(out, ", in “");
    lnt_put_escaped(out, name.string);
    lnt_text_add(out, "”. ");
}

lnt_status lnt_report_finding(lnt_ctx *ctx, lnt_text *out, const char *finding, const lnt_record *record)
{
    if (finding)
        put_template(out, finding, record);
    put_checks(out, record);
    put_largest(out, record);
    return lnt_text_status(ctx, out);
}

/* ---- All deviations ---- */

static void put_judgement(lnt_text *out, const lnt_record *record, const char *deviation)
{
    int row = lnt_record_judge(record, deviation);
    if (row < 0) {
        lnt_text_add(out, "not covered by a tolerance");
        return;
    }
    lnt_put_verdict(out, check_holds(record, row));
    lnt_text_add(out, ": ");
    const char *name = check_name(record, row) + strlen(deviation);
    name += strspn(name, ",: ");
    lnt_put_escaped(out, name);
    lnt_text_add(out, *name ? " " : "");
    lnt_put_number(out, check_number(record, row, "value"));
    lnt_text_add(out, ", expected ");
    lnt_put_number(out, check_number(record, row, "expected"));
    lnt_text_add(out, " ± ");
    lnt_put_number(out, check_number(record, row, "tolerance"));
}

void lnt_put_deviations(lnt_text *out, const lnt_chapter *chapter, int count)
{
    static const char *const numbers[] = {"simulated", "predicted", "absolute", "sigmas"};
    lnt_text_add(out, "<div class=\"wide\"><table class=\"all\"><thead><tr><th>experiment</th><th>quantity</th>"
                      "<th class=\"n\">simulated</th><th class=\"n\">predicted</th><th class=\"n\">difference</th>"
                      "<th class=\"n\">in standard errors</th><th>verdict</th></tr></thead>\n<tbody>");
    for (int i = 0; i < count; i++) {
        int rows = chapter[i].record ? lnt_record_rows(chapter[i].record, "deviations") : 0;
        for (int row = 0; row < rows; row++) {
            lnt_value name = {0};
            lnt_record_cell(chapter[i].record, "deviations", row, "name", &name);
            lnt_text_add(out, "<tr><td><a href=\"#%s\">%s</a></td><td>", chapter[i].name, chapter[i].name);
            lnt_put_value(out, name);
            lnt_text_add(out, "</td>");
            for (int k = 0; k < 4; k++) {
                lnt_text_add(out, "<td class=\"n\">");
                lnt_put_number(out, lnt_record_cell_number(chapter[i].record, "deviations", row, numbers[k]));
                lnt_text_add(out, "</td>");
            }
            lnt_text_add(out, "<td>");
            if (name.kind == LNT_STRING)
                put_judgement(out, chapter[i].record, name.string);
            lnt_text_add(out, "</td></tr>\n");
        }
    }
    lnt_text_add(out, "</tbody></table></div>\n");
}
