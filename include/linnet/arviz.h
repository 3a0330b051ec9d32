/* Draws as the file that ArviZ opens: az.from_netcdf(path), and through it its plots, tables and model comparisons.
 *
 * The file is HDF5 with what makes it netCDF-4: every dimension is a dataset of its coordinates marked as a dimension
 * scale, which its variables refer to; xarray, netCDF4 and h5netcdf read it too (xr.open_dataset(path,
 * group="posterior")), and ncdump and h5dump. Groups are those of InferenceData: "posterior" and "sample_stats", whose
 * variables begin with the dimensions chain and draw, "posterior_predictive", "log_likelihood", "prior",
 * "observed_data", "constant_data". ArviZ knows in sample_stats the names lp, energy, diverging (a flag), tree_depth,
 * n_steps (integers), step_size, acceptance_rate. */
#ifndef LINNET_ARVIZ_H
#define LINNET_ARVIZ_H

#include "linnet/text.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lnt_arviz_dim {
    const char *name;
    int length;           /* >= 1 */
    const double *values; /* coordinates, such as the inputs of predictions; NULL: 0, 1, ... */
} lnt_arviz_dim;

typedef enum lnt_arviz_kind { LNT_ARVIZ_NUMBER, LNT_ARVIZ_INTEGER, LNT_ARVIZ_FLAG } lnt_arviz_kind;

#define LNT_ARVIZ_RANK 4

/* Values in C order. Where `stride` is not 0, those of one chain and draw stand side by side, and those of the next
 * draw `stride` numbers further on: one of several quantities of an lnt_chains, with values = a + first, stride = dim.
 */
typedef struct lnt_arviz_variable {
    const char *group, *name; /* letters, digits and _ */
    const char *unit;         /* NULL: none */
    lnt_arviz_kind kind;      /* integers (below 2^53) and flags (not 0: true) are rounded from the doubles */
    int rank;                 /* 1 .. 4 */
    const lnt_arviz_dim *dim[LNT_ARVIZ_RANK];
    const double *values;
    size_t stride;
} lnt_arviz_variable;

/* image <- the file with `count` >= 1 variables, groups in the order of their first one. Equal input gives equal bytes.
 * LNT_EINVAL for names, ranks and lengths that it cannot hold, two variables or different dimensions of one name in a
 * group, or a variable with the name of another one's dimension. */
LNT_API lnt_status lnt_store_arviz(lnt_ctx *ctx, lnt_text *image, const lnt_arviz_variable *variables, int count);

#ifdef __cplusplus
}
#endif
#endif
