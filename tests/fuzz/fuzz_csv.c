/* Any bytes as a CSV file: refused with a message, or finite values that survive being written and read again. */
#include "fuzz.h"

#include <string.h>

static void check_round_trip(lnt_ctx *ctx, const lnt_samples *samples)
{
    lnt_text text = {0};
    for (int i = 0; i < samples->n; i++)
        for (int j = 0; j < samples->dim; j++) {
            lnt_text_number(&text, samples->f64[(size_t)i * (size_t)samples->dim + (size_t)j]);
            lnt_text_add(&text, j + 1 < samples->dim ? "," : "\n");
        }
    CHECK(!text.failed);
    lnt_samples again;
    CHECK(lnt_csv_parse(ctx, &again, (const uint8_t *)text.p, text.n, "again") == LNT_OK);
    CHECK(again.n == samples->n && again.dim == samples->dim);
    CHECK(memcmp(again.f64, samples->f64, (size_t)again.n * (size_t)again.dim * sizeof *again.f64) == 0);
    lnt_text_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lnt_ctx *ctx = new_ctx();
    lnt_samples samples;
    lnt_status status = lnt_csv_parse(ctx, &samples, data, size, "input");
    check_outcome(ctx, status);
    if (status == LNT_OK) {
        CHECK(samples.n > 0 && samples.dim > 0 && samples.f64);
        check_samples(&samples);
        check_round_trip(ctx, &samples);
    }
    lnt_ctx_free(ctx);
    return 0;
}
