#include "linnet/figure.h"
#include "linnet/store.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static lnt_status make_folders(lnt_ctx *ctx, const char *folder)
{
    char *path = lnt_strdup(ctx, folder);
    if (!path)
        return LNT_ENOMEM;
    for (char *slash = path + 1; *path; slash++) {
        bool last = *slash == '\0';
        if (*slash != '/' && !last)
            continue;
        *slash = '\0';
        if (mkdir(path, 0777) != 0 && errno != EEXIST)
            return lnt_fail(ctx, LNT_EIO, "the folder %s could not be made: %s", path, strerror(errno));
        if (last)
            return LNT_OK;
        *slash = '/';
    }
    return lnt_fail(ctx, LNT_EUSAGE, "the name of the output folder is empty");
}

static bool has_file(lnt_ctx *ctx, const char *folder, const char *name)
{
    struct stat info;
    const char *path = lnt_sprintf(ctx, "%s/%s", folder, name);
    return path && stat(path, &info) == 0;
}

static lnt_status prepare(lnt_ctx *ctx, const char *folder, bool force)
{
    struct stat info;
    lnt_status status = make_folders(ctx, folder);
    if (status != LNT_OK)
        return status;
    if (stat(folder, &info) != 0 || !S_ISDIR(info.st_mode))
        return lnt_fail(ctx, LNT_EIO, "%s is a file; --out names a folder", folder);
    if (access(folder, W_OK | X_OK) != 0)
        return lnt_fail(ctx, LNT_EIO, "the folder %s is not writable: %s", folder, strerror(errno));
    if (!force && (has_file(ctx, folder, "result.h5") || has_file(ctx, folder, "run.yaml")))
        return lnt_fail(ctx, LNT_EEXIST, "%s holds results already; choose another folder, or --force to replace them",
                        folder);
    return LNT_OK;
}

lnt_status lnt_folder_prepare(lnt_ctx *ctx, const char *folder, bool force)
{
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_status status = prepare(ctx, folder, force);
    lnt_ctx_reset(ctx, mark);
    return status;
}

static lnt_status write_file(lnt_ctx *ctx, const char *folder, const char *stem, const char *name, const char *suffix,
                             const lnt_text *text)
{
    lnt_mark mark = lnt_ctx_mark(ctx);
    const char *path = lnt_sprintf(ctx, "%s/%s%s%s", folder, stem, name, suffix);
    lnt_status status = lnt_text_status(ctx, text);
    if (status == LNT_OK)
        status = path ? lnt_write_atomic(ctx, path, text->p, text->n) : LNT_ENOMEM;
    lnt_ctx_reset(ctx, mark);
    return status;
}

/* Script and data are written even where the drawing program is missing: they can be drawn elsewhere. */
static lnt_status save_source(lnt_ctx *ctx, const lnt_figure *figure, const char *folder)
{
    lnt_text script = {0}, data = {0};
    lnt_status status = lnt_figure_script(ctx, &script, figure);
    if (status == LNT_OK)
        status = lnt_figure_data(ctx, &data, figure);
    if (status == LNT_OK)
        status = write_file(ctx, folder, "figure-", figure->name, ".gp", &script);
    if (status == LNT_OK)
        status = write_file(ctx, folder, "figure-", figure->name, ".dat", &data);
    lnt_text_free(&script);
    lnt_text_free(&data);
    return status;
}

static lnt_status save_drawings(lnt_ctx *ctx, const lnt_figure *figure, const char *folder)
{
    lnt_text svg = {0}, pdf = {0}, png = {0};
    lnt_status status = lnt_figure_svg(ctx, &svg, figure);
    if (status == LNT_OK)
        status = write_file(ctx, folder, "figure-", figure->name, ".svg", &svg);
    if (status == LNT_OK)
        status = lnt_figure_convert(ctx, &pdf, &svg, LNT_PDF);
    if (status == LNT_OK)
        status = write_file(ctx, folder, "figure-", figure->name, ".pdf", &pdf);
    if (status == LNT_OK)
        status = lnt_figure_convert(ctx, &png, &svg, LNT_PNG);
    if (status == LNT_OK)
        status = write_file(ctx, folder, "figure-", figure->name, ".png", &png);
    lnt_text_free(&svg);
    lnt_text_free(&pdf);
    lnt_text_free(&png);
    return status;
}

static void save_figures(lnt_ctx *ctx, lnt_record *record, const char *folder)
{
    for (int i = 0; i < lnt_record_figures(record); i++) {
        const lnt_figure *figure = lnt_record_get_figure(record, i);
        lnt_status status = save_source(ctx, figure, folder);
        if (status == LNT_OK)
            status = save_drawings(ctx, figure, folder);
        if (status == LNT_OK)
            continue;
        lnt_record_warn(record, "figure %s was not drawn: %s%s", figure->name, lnt_ctx_message(ctx),
                        status == LNT_EMISSING ? "; install gnuplot and librsvg2-bin" : "");
        lnt_ctx_clear(ctx);
    }
}

/* Figures of results that are being replaced. */
static void remove_figures(lnt_ctx *ctx, const char *folder)
{
    static const char *const suffixes[] = {".svg", ".pdf", ".png", ".gp", ".dat"};
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        const char *suffix = strrchr(entry->d_name, '.');
        bool ours = false;
        for (size_t i = 0; suffix && i < sizeof suffixes / sizeof *suffixes; i++)
            ours = ours || strcmp(suffix, suffixes[i]) == 0;
        char *path =
            ours && strncmp(entry->d_name, "figure-", 7) == 0 ? lnt_sprintf(ctx, "%s/%s", folder, entry->d_name) : NULL;
        if (path)
            unlink(path);
    }
    if (dir)
        closedir(dir);
}

lnt_status lnt_folder_save(lnt_ctx *ctx, lnt_record *record, const char *folder, bool figures)
{
    lnt_text image = {0}, yaml = {0};
    lnt_mark mark = lnt_ctx_mark(ctx);
    const char *complete = lnt_sprintf(ctx, "%s/run.yaml", folder);
    if (!complete)
        return LNT_ENOMEM;
    unlink(complete); /* results that are being replaced are not complete */
    remove_figures(ctx, folder);
    lnt_status status = lnt_store_hdf5(ctx, &image, record);
    if (status == LNT_OK)
        status = write_file(ctx, folder, "", "result", ".h5", &image);
    if (status == LNT_OK && figures)
        save_figures(ctx, record, folder);
    if (status == LNT_OK)
        status = lnt_record_yaml(ctx, &yaml, record);
    if (status == LNT_OK && !lnt_record_interrupted(record))
        status = write_file(ctx, folder, "", "run", ".yaml", &yaml);
    lnt_text_free(&image);
    lnt_text_free(&yaml);
    lnt_ctx_reset(ctx, mark);
    return status;
}
