#include "linnet/net.h"

#include "linnet/linalg.h"
#include "linnet/text.h"

#include <math.h>
#include <string.h>

lnt_status lnt_init_parse(lnt_ctx *ctx, lnt_init *init, const char *text)
{
    static const char gaussian[] = "gaussian:";
    *init = (lnt_init){LNT_INIT_ORTHOGONAL, 0};
    if (strcmp(text, "orthogonal") == 0)
        return LNT_OK;
    if (strncmp(text, gaussian, sizeof gaussian - 1) == 0) {
        const char *number = text + sizeof gaussian - 1;
        init->kind = LNT_INIT_GAUSSIAN;
        if (lnt_number_read(number, strlen(number), &init->sd) && init->sd >= 0 && init->sd < 1e100)
            return LNT_OK;
    }
    return lnt_fail(ctx, LNT_EUSAGE,
                    "--init %s: use orthogonal, or gaussian:SD with a standard deviation 0 <= SD < 1e100, as in "
                    "gaussian:0.01",
                    text);
}

/* The leading block of a Haar-distributed orthogonal matrix Q of the longer side's size: QR of a Gaussian matrix, made
 * unique by a positive diagonal of R. Of Q only the columns that W has are needed, and drawn. */
static lnt_status haar(lnt_ctx *ctx, lnt_mat W, lnt_rng *rng)
{
    lnt_mat Q;
    double *diag = lnt_alloc(ctx, (size_t)W.cols, sizeof *diag);
    lnt_status status = diag ? lnt_mat_alloc(ctx, &Q, W.rows > W.cols ? W.rows : W.cols, W.cols) : LNT_ENOMEM;
    if (status != LNT_OK)
        return status;
    for (int j = 0; j < Q.cols; j++)
        for (int i = 0; i < Q.rows; i++)
            *lnt_at(Q, i, j) = lnt_rng_normal(rng);
    status = lnt_qr(ctx, Q, diag);
    for (int j = 0; j < Q.cols && status == LNT_OK; j++)
        if (diag[j] < 0)
            lnt_mat_scale(lnt_columns(Q, j, 1), -1);
    lnt_mat_copy(W, lnt_block(Q, 0, 0, W.rows, W.cols));
    return status;
}

lnt_status lnt_net_init(lnt_ctx *ctx, double *w, const lnt_net *net, const lnt_init *init, lnt_rng *rng)
{
    if (init->kind == LNT_INIT_GAUSSIAN) {
        for (size_t i = 0; i < lnt_net_size(net); i++)
            w[i] = init->sd * lnt_rng_normal(rng);
        return LNT_OK;
    }
    lnt_status status = LNT_OK;
    for (int l = 1; l <= net->depth && status == LNT_OK; l++) {
        lnt_mark mark = lnt_ctx_mark(ctx);
        status = haar(ctx, lnt_net_weights(net, w, l), rng);
        lnt_ctx_reset(ctx, mark);
    }
    return status;
}

lnt_status lnt_net_factor(lnt_ctx *ctx, double *w, const lnt_net *net, lnt_mat P)
{
    int L = net->depth, least = P.rows < P.cols ? P.rows : P.cols, r = lnt_net_bottleneck(net);
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_mat U, VT;
    double *s = lnt_alloc(ctx, (size_t)least, sizeof *s);
    lnt_status status = s ? lnt_mat_alloc(ctx, &U, P.rows, least) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &VT, least, P.cols);
    if (status == LNT_OK)
        status = lnt_svd(ctx, U, s, VT, P);
    for (int l = 1; l <= L && status == LNT_OK; l++) {
        lnt_mat W = lnt_net_weights(net, w, l);
        lnt_mat_fill(W, 0);
        for (int k = 0; k < r; k++) {
            double root = pow(s[k], 1.0 / L);
            for (int i = 0; i < (l == L ? W.rows : 1); i++)
                for (int j = 0; j < (l == 1 ? W.cols : 1); j++)
                    *lnt_at(W, l == L ? i : k, l == 1 ? j : k) +=
                        root * (l == L ? *lnt_at(U, i, k) : 1) * (l == 1 ? *lnt_at(VT, k, j) : 1);
        }
    }
    lnt_ctx_reset(ctx, mark);
    return status;
}
