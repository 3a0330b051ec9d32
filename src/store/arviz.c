#include "linnet/arviz.h"

#include "hdf5_image.h"
#include "linnet/version.h"

#include <ctype.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

/* A variable refers to the dimensions of its group by an attribute DIMENSION_LIST, a list of references for each of its
 * axes; each of these, marked by CLASS and NAME, tells by REFERENCE_LIST on which axis of which variables it lies (the
 * HDF5 dimension scale specification, on which the netCDF-4 format rests). */

typedef struct reference {
    hobj_ref_t dataset;
    int dimension;
} reference;

static size_t cells(const lnt_arviz_variable *v, int from)
{
    size_t n = 1;
    for (int i = from; i < v->rank; i++)
        n *= (size_t)v->dim[i]->length;
    return n;
}

/* ---- What the file can hold ---- */

static bool is_name(const char *name)
{
    size_t n = 0;
    for (; name && name[n]; n++)
        if (!isalnum((unsigned char)name[n]) && name[n] != '_')
            return false;
    return n > 0 && n < 128;
}

static bool same_dim(const lnt_arviz_dim *a, const lnt_arviz_dim *b)
{
    return a == b || (a->length == b->length && a->values == b->values);
}

static lnt_status check_variable(lnt_ctx *ctx, const lnt_arviz_variable *v)
{
    if (!is_name(v->group) || !is_name(v->name))
        return lnt_fail(ctx, LNT_EINVAL, "'%s' in '%s' is no name: letters, digits and _ only", v->name ? v->name : "",
                        v->group ? v->group : "");
    if (v->rank < 1 || v->rank > LNT_ARVIZ_RANK || (v->stride && (v->rank < 2 || v->stride < cells(v, 2))))
        return lnt_fail(ctx, LNT_EINVAL, "%s/%s has rank %d and stride %zu", v->group, v->name, v->rank, v->stride);
    for (int i = 0; i < v->rank; i++)
        if (!is_name(v->dim[i]->name) || v->dim[i]->length < 1)
            return lnt_fail(ctx, LNT_EINVAL, "%s/%s: dimension %d of length %d cannot be stored", v->group, v->name, i,
                            v->dim[i]->length);
    return LNT_OK;
}

static lnt_status check_pair(lnt_ctx *ctx, const lnt_arviz_variable *v, const lnt_arviz_variable *other)
{
    if (strcmp(v->group, other->group) != 0)
        return LNT_OK;
    bool clash = v != other && strcmp(v->name, other->name) == 0;
    for (int i = 0; i < v->rank; i++) {
        clash = clash || strcmp(v->dim[i]->name, other->name) == 0;
        for (int j = 0; j < other->rank; j++)
            if (strcmp(v->dim[i]->name, other->dim[j]->name) == 0)
                clash = clash || !same_dim(v->dim[i], other->dim[j]) || (v == other && i != j);
    }
    return clash ? lnt_fail(ctx, LNT_EINVAL, "%s and %s of %s use a name for different things", v->name, other->name,
                            v->group)
                 : LNT_OK;
}

static lnt_status check_all(lnt_ctx *ctx, const lnt_arviz_variable *variables, int count)
{
    if (count < 1)
        return lnt_fail(ctx, LNT_EINVAL, "a file of %d variables says nothing", count);
    lnt_status status = LNT_OK;
    for (int i = 0; i < count && status == LNT_OK; i++)
        status = check_variable(ctx, &variables[i]);
    for (int i = 0; i < count && status == LNT_OK; i++)
        for (int j = 0; j < count && status == LNT_OK; j++)
            status = check_pair(ctx, &variables[i], &variables[j]);
    return status;
}

/* ---- Values ---- */

static const double *cell(const lnt_arviz_variable *v, size_t i, size_t inner)
{
    return v->values + (v->stride ? i / inner * v->stride + i % inner : i);
}

static void put_variable(lnt_ctx *ctx, lnt_h5_image *im, const lnt_arviz_variable *v, const char *path)
{
    hsize_t dims[LNT_ARVIZ_RANK];
    size_t n = cells(v, 0), inner = v->stride ? cells(v, 2) : 1;
    for (int i = 0; i < v->rank; i++)
        dims[i] = (hsize_t)v->dim[i]->length;
    if (v->kind == LNT_ARVIZ_NUMBER && (!v->stride || v->stride == inner)) {
        lnt_h5_dataset(im, path, NULL, H5T_NATIVE_DOUBLE, v->rank, dims, v->values);
        return;
    }
    const hid_t types[] = {H5T_NATIVE_DOUBLE, H5T_NATIVE_INT64, H5T_NATIVE_SCHAR};
    const size_t sizes[] = {sizeof(double), sizeof(int64_t), sizeof(signed char)};
    void *values = lnt_alloc(ctx, n, sizes[v->kind]);
    lnt_h5_check(im, values != NULL);
    if (!values)
        return;
    for (size_t i = 0; i < n; i++) {
        double x = *cell(v, i, inner);
        if (v->kind == LNT_ARVIZ_NUMBER)
            ((double *)values)[i] = x;
        else if (v->kind == LNT_ARVIZ_INTEGER)
            ((int64_t *)values)[i] = fabs(x) <= 0x1p53 ? (int64_t)llround(x) : INT64_MIN;
        else
            ((signed char *)values)[i] = x != 0;
    }
    lnt_h5_dataset(im, path, NULL, types[v->kind], v->rank, dims, values);
}

/* The dimension scale specification wants strings that end with a NUL. */
static void put_text(lnt_h5_image *im, hid_t object, const char *name, const char *text)
{
    hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR);
    H5Tset_size(type, strlen(text) + 1);
    hid_t attribute = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    lnt_h5_check(im, H5Awrite(attribute, type, text) >= 0);
    H5Aclose(attribute);
    H5Sclose(space);
    H5Tclose(type);
}

static void put_scale(lnt_ctx *ctx, lnt_h5_image *im, const lnt_arviz_dim *dim, const char *path)
{
    hsize_t length[1] = {(hsize_t)dim->length};
    int64_t *count = lnt_alloc(ctx, (size_t)dim->length, sizeof *count);
    lnt_h5_check(im, count != NULL);
    for (int i = 0; i < dim->length && count; i++)
        count[i] = i;
    if (dim->values)
        lnt_h5_dataset(im, path, NULL, H5T_NATIVE_DOUBLE, 1, length, dim->values);
    else if (count)
        lnt_h5_dataset(im, path, NULL, H5T_NATIVE_INT64, 1, length, count);
    hid_t set = H5Dopen2(im->file, path, H5P_DEFAULT);
    put_text(im, set, "CLASS", "DIMENSION_SCALE");
    put_text(im, set, "NAME", dim->name);
    H5Dclose(set);
}

/* ---- References ---- */

static void attach(lnt_ctx *ctx, lnt_h5_image *im, const lnt_arviz_variable *v, hid_t set)
{
    hobj_ref_t scale[LNT_ARVIZ_RANK];
    hvl_t list[LNT_ARVIZ_RANK];
    hsize_t rank[1] = {(hsize_t)v->rank};
    for (int i = 0; i < v->rank; i++) {
        const char *path = lnt_sprintf(ctx, "%s/%s", v->group, v->dim[i]->name);
        lnt_h5_check(im, path && H5Rcreate(&scale[i], im->file, path, H5R_OBJECT, -1) >= 0);
        list[i] = (hvl_t){1, &scale[i]};
    }
    if (im->failed)
        return;
    hid_t type = H5Tvlen_create(H5T_STD_REF_OBJ), space = H5Screate_simple(1, rank, NULL);
    hid_t attribute = H5Acreate2(set, "DIMENSION_LIST", type, space, H5P_DEFAULT, H5P_DEFAULT);
    lnt_h5_check(im, H5Awrite(attribute, type, list) >= 0);
    H5Aclose(attribute);
    H5Sclose(space);
    H5Tclose(type);
}

static void describe(lnt_ctx *ctx, lnt_h5_image *im, const lnt_arviz_variable *v, const char *path)
{
    hid_t set = H5Dopen2(im->file, path, H5P_DEFAULT);
    if (v->unit && *v->unit)
        lnt_h5_attribute(im, set, "units", v->unit);
    if (v->kind == LNT_ARVIZ_FLAG)
        put_text(im, set, "dtype", "bool"); /* as xarray writes flags */
    attach(ctx, im, v, set);
    H5Dclose(set);
}

/* Which variables of the group lie along the scale. */
static void put_back_references(lnt_ctx *ctx, lnt_h5_image *im, const lnt_arviz_variable *variables, int count,
                                const char *group, const lnt_arviz_dim *dim)
{
    reference *list = lnt_alloc(ctx, (size_t)count, sizeof *list);
    hsize_t n[1] = {0};
    for (int k = 0; k < count && list; k++)
        for (int i = 0; i < variables[k].rank && strcmp(variables[k].group, group) == 0; i++) {
            if (strcmp(variables[k].dim[i]->name, dim->name) != 0)
                continue;
            const char *path = lnt_sprintf(ctx, "%s/%s", group, variables[k].name);
            lnt_h5_check(im, path && H5Rcreate(&list[n[0]].dataset, im->file, path, H5R_OBJECT, -1) >= 0);
            list[n[0]++].dimension = i;
        }
    const char *path = lnt_sprintf(ctx, "%s/%s", group, dim->name);
    lnt_h5_check(im, list && path);
    if (im->failed)
        return;
    hid_t set = H5Dopen2(im->file, path, H5P_DEFAULT), space = H5Screate_simple(1, n, NULL);
    hid_t type = H5Tcreate(H5T_COMPOUND, sizeof *list);
    H5Tinsert(type, "dataset", offsetof(reference, dataset), H5T_STD_REF_OBJ);
    H5Tinsert(type, "dimension", offsetof(reference, dimension), H5T_NATIVE_INT);
    hid_t attribute = H5Acreate2(set, "REFERENCE_LIST", type, space, H5P_DEFAULT, H5P_DEFAULT);
    lnt_h5_check(im, H5Awrite(attribute, type, list) >= 0);
    H5Aclose(attribute);
    H5Tclose(type);
    H5Sclose(space);
    H5Dclose(set);
}

/* ---- The file ---- */

/* Is this the first variable of its group (dim NULL), or the first one there along `dim`? */
static bool is_first(const lnt_arviz_variable *variables, int index, const char *dim)
{
    for (int k = 0; k < index; k++) {
        if (strcmp(variables[k].group, variables[index].group) != 0)
            continue;
        for (int i = 0; i < variables[k].rank; i++)
            if (!dim || strcmp(variables[k].dim[i]->name, dim) == 0)
                return false;
    }
    return true;
}

static void put_group(lnt_h5_image *im, const char *group)
{
    hid_t made = H5Gcreate2(im->file, group, H5P_DEFAULT, im->group, H5P_DEFAULT);
    lnt_h5_check(im, made >= 0);
    put_text(im, made, "inference_library", "linnet");
    put_text(im, made, "inference_library_version", LNT_VERSION);
    H5Gclose(made);
}

typedef void (*step)(lnt_ctx *ctx, lnt_h5_image *im, const lnt_arviz_variable *v, int count, int index);

static void put_scales_and_values(lnt_ctx *ctx, lnt_h5_image *im, const lnt_arviz_variable *v, int count, int index)
{
    const lnt_arviz_variable *one = &v[index];
    (void)count;
    if (is_first(v, index, NULL))
        put_group(im, one->group);
    for (int i = 0; i < one->rank; i++) {
        const char *path = lnt_sprintf(ctx, "%s/%s", one->group, one->dim[i]->name);
        lnt_h5_check(im, path != NULL);
        if (path && is_first(v, index, one->dim[i]->name))
            put_scale(ctx, im, one->dim[i], path);
    }
    const char *path = lnt_sprintf(ctx, "%s/%s", one->group, one->name);
    lnt_h5_check(im, path != NULL);
    if (path)
        put_variable(ctx, im, one, path);
}

static void put_references(lnt_ctx *ctx, lnt_h5_image *im, const lnt_arviz_variable *v, int count, int index)
{
    const lnt_arviz_variable *one = &v[index];
    const char *path = lnt_sprintf(ctx, "%s/%s", one->group, one->name);
    lnt_h5_check(im, path != NULL);
    if (path)
        describe(ctx, im, one, path);
    for (int i = 0; i < one->rank; i++)
        if (is_first(v, index, one->dim[i]->name))
            put_back_references(ctx, im, v, count, one->group, one->dim[i]);
}

static void for_each(lnt_ctx *ctx, lnt_h5_image *im, const lnt_arviz_variable *v, int count, step put)
{
    for (int k = 0; k < count && !im->failed; k++) {
        lnt_mark mark = lnt_ctx_mark(ctx);
        put(ctx, im, v, count, k);
        lnt_ctx_reset(ctx, mark);
    }
}

lnt_status lnt_store_arviz(lnt_ctx *ctx, lnt_text *image, const lnt_arviz_variable *variables, int count)
{
    lnt_h5_image im;
    lnt_status status = check_all(ctx, variables, count);
    if (status != LNT_OK)
        return status;
    lnt_h5_begin(&im);
    for_each(ctx, &im, variables, count, put_scales_and_values);
    for_each(ctx, &im, variables, count, put_references);
    return lnt_h5_end(ctx, image, &im);
}
