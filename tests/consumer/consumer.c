/* Trains a small network on data of its own and prints the final loss. */
#include <linnet.h>

#include <stdio.h>

int main(void)
{
    lnt_ctx *ctx = lnt_ctx_new();
    lnt_record *record = lnt_record_new("train");
    lnt_train_opts opts;
    lnt_train_defaults(&opts);
    opts.task.data = "digits";
    opts.task.whiten = 10;
    opts.epochs = 2;
    lnt_status status = ctx && record ? lnt_train_study(ctx, record, &opts) : LNT_ENOMEM;
    lnt_value loss = {LNT_NOTHING, 0, 0, NULL, NULL};
    if (status == LNT_OK && lnt_record_get_fact(record, "final", "loss", &loss))
        printf("linnet %s: final loss %g\n", lnt_version(), loss.number);
    else
        fprintf(stderr, "%s\n", ctx ? lnt_ctx_message(ctx) : lnt_status_text(status));
    lnt_record_free(record);
    lnt_ctx_free(ctx);
    return status == LNT_OK ? 0 : 1;
}
