#include "hdf5_image.h"

#include <string.h>

void lnt_h5_begin(lnt_h5_image *im)
{
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    const unsigned ordered = H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED;
    *im = (lnt_h5_image){.access = H5Pcreate(H5P_FILE_ACCESS),
                         .creation = H5Pcreate(H5P_FILE_CREATE),
                         .dataset = H5Pcreate(H5P_DATASET_CREATE),
                         .group = H5Pcreate(H5P_GROUP_CREATE)};
    H5Pset_fapl_core(im->access, 1 << 16, 0); /* 0: never written to disk */
    H5Pset_obj_track_times(im->dataset, 0);   /* equal results are equal bytes */
    H5Pset_obj_track_times(im->group, 0);
    H5Pset_obj_track_times(im->creation, 0);
    H5Pset_link_creation_order(im->group, ordered);
    H5Pset_link_creation_order(im->creation, ordered);
    im->file = H5Fcreate("linnet-result", H5F_ACC_TRUNC, im->creation, im->access);
    lnt_h5_check(im, im->file >= 0);
}

void lnt_h5_check(lnt_h5_image *im, bool good)
{
    im->failed = im->failed || !good;
}

hid_t lnt_h5_string_type(const char *const *strings, size_t count)
{
    size_t longest = 1;
    for (size_t i = 0; i < count; i++)
        if (strlen(strings[i]) > longest)
            longest = strlen(strings[i]);
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, longest);
    H5Tset_strpad(type, H5T_STR_NULLPAD);
    H5Tset_cset(type, H5T_CSET_UTF8);
    return type;
}

void lnt_h5_attribute(lnt_h5_image *im, hid_t object, const char *name, const char *text)
{
    hid_t type = lnt_h5_string_type(&text, 1), space = H5Screate(H5S_SCALAR);
    hid_t attribute = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    size_t size = H5Tget_size(type);
    char padded[512] = {0};
    if (size <= sizeof padded) {
        memcpy(padded, text, strlen(text));
        lnt_h5_check(im, H5Awrite(attribute, type, padded) >= 0);
    }
    H5Aclose(attribute);
    H5Sclose(space);
    H5Tclose(type);
}

/* Groups remember the order of their members, so that a record that is read back keeps the order of its tables. */
static void make_groups(lnt_h5_image *im, const char *path)
{
    char name[512];
    for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
        size_t n = (size_t)(slash - path);
        if (n == 0 || n >= sizeof name)
            continue;
        memcpy(name, path, n);
        name[n] = '\0';
        if (H5Lexists(im->file, name, H5P_DEFAULT) <= 0)
            H5Gclose(H5Gcreate2(im->file, name, H5P_DEFAULT, im->group, H5P_DEFAULT));
    }
}

void lnt_h5_dataset(lnt_h5_image *im, const char *path, const char *unit, hid_t type, int rank, const hsize_t *dims,
                    const void *values)
{
    make_groups(im, path);
    hid_t space = rank ? H5Screate_simple(rank, dims, NULL) : H5Screate(H5S_SCALAR);
    hid_t set = H5Dcreate2(im->file, path, type, space, H5P_DEFAULT, im->dataset, H5P_DEFAULT);
    hssize_t points = H5Sget_simple_extent_npoints(space);
    lnt_h5_check(im, set >= 0 && (points == 0 || H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0));
    if (unit && *unit && set >= 0)
        lnt_h5_attribute(im, set, "unit", unit);
    H5Dclose(set);
    H5Sclose(space);
}

static lnt_status take_image(lnt_ctx *ctx, lnt_text *out, lnt_h5_image *im)
{
    ssize_t size = -1;
    lnt_h5_check(im, H5Fflush(im->file, H5F_SCOPE_GLOBAL) >= 0);
    if (!im->failed)
        size = H5Fget_file_image(im->file, NULL, 0);
    if (size <= 0)
        return lnt_fail(ctx, LNT_ENOMEM, "the HDF5 library could not build the results in memory");
    void *buffer = lnt_heap_resize(NULL, (size_t)size);
    if (!buffer || H5Fget_file_image(im->file, buffer, (size_t)size) != size) {
        lnt_heap_free(buffer);
        return lnt_fail(ctx, LNT_ENOMEM, "out of memory for %zd bytes of HDF5", size);
    }
    lnt_text_bytes(out, buffer, (size_t)size);
    lnt_heap_free(buffer);
    return lnt_text_status(ctx, out);
}

lnt_status lnt_h5_end(lnt_ctx *ctx, lnt_text *out, lnt_h5_image *im)
{
    lnt_status status = take_image(ctx, out, im);
    H5Fclose(im->file);
    H5Pclose(im->access);
    H5Pclose(im->creation);
    H5Pclose(im->dataset);
    H5Pclose(im->group);
    return status;
}
