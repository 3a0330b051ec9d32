#include "internal.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

lnt_record *lnt_record_new(const char *command)
{
    lnt_record *record = lnt_heap_resize(NULL, sizeof *record);
    if (!record)
        return NULL;
    *record = (lnt_record){.memory = lnt_ctx_new()};
    record->command = record->memory ? lnt_strdup(record->memory, command) : NULL;
    if (record->command)
        return record;
    lnt_record_free(record);
    return NULL;
}

void lnt_record_free(lnt_record *record)
{
    if (!record)
        return;
    lnt_ctx_free(record->memory);
    lnt_heap_free(record);
}

lnt_status lnt_record_status(lnt_ctx *ctx, const lnt_record *record)
{
    const char *message = lnt_ctx_message(record->memory);
    if (*message)
        return lnt_fail(ctx, LNT_ENOMEM, "%s", message);
    return *lnt_ctx_message(ctx) ? LNT_ENOMEM : LNT_OK;
}

const char *lnt_record_command(const lnt_record *record)
{
    return record->command;
}

void lnt_record_set_interrupted(lnt_record *record)
{
    record->interrupted = true;
}

bool lnt_record_interrupted(const lnt_record *record)
{
    return record->interrupted;
}

/* ---- Scalars ---- */

lnt_value lnt_number(double x)
{
    return (lnt_value){.kind = LNT_NUMBER, .number = x};
}

lnt_value lnt_known(double x)
{
    return isfinite(x) ? lnt_number(x) : (lnt_value){0};
}

lnt_value lnt_integer(long i)
{
    return (lnt_value){.kind = LNT_INTEGER, .integer = i, .number = (double)i};
}

lnt_value lnt_flag(bool b)
{
    return (lnt_value){.kind = LNT_FLAG, .integer = b, .number = b};
}

lnt_value lnt_string(const char *s)
{
    return (lnt_value){.kind = s ? LNT_STRING : LNT_NOTHING, .string = s};
}

lnt_value lnt_integers(const int *list, int count)
{
    return (lnt_value){.kind = LNT_INTEGERS, .list = list, .integer = count};
}

lnt_value lnt_numbers(const double *numbers, int count)
{
    return (lnt_value){.kind = LNT_NUMBERS, .numbers = numbers, .integer = count};
}

static lnt_value copy_value(lnt_ctx *memory, lnt_value value)
{
    if (value.kind == LNT_STRING) {
        value.string = lnt_strdup(memory, value.string);
    } else if (value.kind == LNT_INTEGERS) {
        int *list = lnt_alloc(memory, (size_t)value.integer, sizeof *list);
        if (list && value.integer)
            memcpy(list, value.list, (size_t)value.integer * sizeof *list);
        value.list = list;
    } else if (value.kind == LNT_NUMBERS) {
        double *numbers = lnt_alloc(memory, (size_t)value.integer, sizeof *numbers);
        if (numbers && value.integer)
            memcpy(numbers, value.numbers, (size_t)value.integer * sizeof *numbers);
        value.numbers = numbers;
    }
    if ((value.kind == LNT_STRING && !value.string) || (value.kind == LNT_INTEGERS && !value.list) ||
        (value.kind == LNT_NUMBERS && !value.numbers))
        value.kind = LNT_NOTHING;
    return value;
}

static lnt_scalar *find_scalar(lnt_scalar *list, const char *group, const char *name)
{
    for (; list; list = list->next)
        if (strcmp(list->name, name) == 0 && (!group || strcmp(list->group, group) == 0))
            return list;
    return NULL;
}

/* Sets a scalar, in its old place if it is there already. */
static lnt_scalar *set_scalar(lnt_record *record, lnt_scalar **list, const char *group, const char *name,
                              const char *unit, lnt_value value)
{
    lnt_ctx *memory = record->memory;
    lnt_scalar *s = find_scalar(*list, group, name);
    if (!s) {
        s = lnt_alloc(memory, 1, sizeof *s);
        if (!s)
            return NULL;
        *s = (lnt_scalar){.group = group ? lnt_strdup(memory, group) : NULL,
                          .name = lnt_strdup(memory, name),
                          .unit = lnt_strdup(memory, unit)};
        if (!s->name || !s->unit || (group && !s->group))
            return NULL;
        while (*list)
            list = &(*list)->next;
        *list = s;
    }
    s->value = copy_value(memory, value);
    return s;
}

void lnt_record_parameter(lnt_record *record, const char *name, lnt_value value, bool how)
{
    lnt_scalar *s = set_scalar(record, &record->parameters, NULL, name, "", value);
    if (s)
        s->how = how;
}

void lnt_record_fact(lnt_record *record, const char *group, const char *name, const char *unit, lnt_value value)
{
    set_scalar(record, &record->facts, group, name, unit, value);
}

bool lnt_record_get_fact(const lnt_record *record, const char *group, const char *name, lnt_value *value)
{
    const lnt_scalar *s = find_scalar(record->facts, group, name);
    if (s)
        *value = s->value;
    return s != NULL;
}

bool lnt_record_get_parameter(const lnt_record *record, const char *name, lnt_value *value)
{
    const lnt_scalar *s = find_scalar(record->parameters, NULL, name);
    if (s)
        *value = s->value;
    return s != NULL;
}

void lnt_record_warn(lnt_record *record, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    lnt_line *line = lnt_alloc(record->memory, 1, sizeof *line);
    if (!line)
        return;
    *line = (lnt_line){NULL, lnt_strdup(record->memory, text)};
    if (!line->text)
        return;
    lnt_line **end = &record->warnings;
    while (*end)
        end = &(*end)->next;
    *end = line;
}

/* ---- Series and arrays ---- */

static double *add_array(lnt_record *record, const char *path, const char *unit, bool is_series, int rank,
                         const int dims[3])
{
    lnt_ctx *memory = record->memory;
    size_t size = 1;
    for (int d = 0; d < rank; d++)
        size *= (size_t)dims[d];
    lnt_array_node *node = lnt_alloc(memory, 1, sizeof *node);
    double *values = lnt_alloc(memory, size, sizeof *values);
    if (!node || !values)
        return NULL;
    *node = (lnt_array_node){.array = {.path = lnt_strdup(memory, path),
                                       .unit = lnt_strdup(memory, unit),
                                       .is_series = is_series,
                                       .rank = rank,
                                       .values = values}};
    memcpy(node->array.dims, dims, sizeof node->array.dims);
    if (!node->array.path || !node->array.unit)
        return NULL;
    lnt_array_node **end = &record->arrays;
    while (*end)
        end = &(*end)->next;
    *end = node;
    return values;
}

static void add_vector(lnt_record *record, const char *path, const char *unit, bool is_series, const double *values,
                       int count)
{
    double *copy = add_array(record, path, unit, is_series, 1, (int[3]){count});
    if (copy && count)
        memcpy(copy, values, (size_t)count * sizeof *copy);
}

void lnt_record_series(lnt_record *record, const char *path, const char *unit, const double *values, int count)
{
    add_vector(record, path, unit, true, values, count);
}

void lnt_record_vector(lnt_record *record, const char *path, const char *unit, const double *values, int count)
{
    add_vector(record, path, unit, false, values, count);
}

static void add_matrices(lnt_record *record, const char *path, const char *unit, const lnt_mat *A, int count,
                         bool stack)
{
    int rows = A[0].rows, cols = A[0].cols, many[3] = {count, rows, cols}, one[3] = {rows, cols};
    double *values = add_array(record, path, unit, false, stack ? 3 : 2, stack ? many : one);
    for (int k = 0; k < count && values; k++, values += (size_t)rows * (size_t)cols)
        lnt_mat_transpose(lnt_mat_view(values, cols, rows), A[k]);
}

void lnt_record_matrix(lnt_record *record, const char *path, const char *unit, const lnt_mat *A, int count)
{
    add_matrices(record, path, unit, A, count, count > 1);
}

void lnt_record_stack(lnt_record *record, const char *path, const char *unit, const lnt_mat *A, int count)
{
    add_matrices(record, path, unit, A, count, true);
}

void lnt_record_samples(lnt_record *record, const char *path, const char *unit, lnt_mat X)
{
    double *values = add_array(record, path, unit, false, 2, (int[3]){X.cols, X.rows});
    if (values)
        lnt_mat_copy(lnt_mat_view(values, X.rows, X.cols), X);
}

bool lnt_record_array(const lnt_record *record, const char *path, lnt_array *array)
{
    for (const lnt_array_node *node = record->arrays; node; node = node->next)
        if (strcmp(node->array.path, path) == 0) {
            *array = node->array;
            return true;
        }
    return false;
}

int lnt_record_parallel_series(const lnt_record *record, const lnt_array **series, int most, int *length)
{
    int found = 0;
    *length = 0;
    for (const lnt_array_node *node = record->arrays; node && found < most; node = node->next) {
        if (!node->array.is_series)
            continue;
        if (found == 0)
            *length = node->array.dims[0];
        if (node->array.dims[0] == *length)
            series[found++] = &node->array;
    }
    return found;
}

/* ---- Figures ---- */

static double *copy_values(lnt_ctx *memory, const double *values, int n)
{
    double *copy = values ? lnt_alloc(memory, (size_t)n, sizeof *copy) : NULL;
    if (copy && n)
        memcpy(copy, values, (size_t)n * sizeof *copy);
    return copy;
}

static lnt_image *copy_image(lnt_ctx *memory, const lnt_image *from)
{
    lnt_image *to = lnt_alloc(memory, 1, sizeof *to);
    if (!to)
        return NULL;
    *to = *from;
    to->label = lnt_strdup(memory, from->label);
    to->x = copy_values(memory, from->x, from->entries.cols);
    to->y = copy_values(memory, from->y, from->entries.rows);
    if (!to->label || (from->x && !to->x) || (from->y && !to->y) ||
        lnt_mat_alloc(memory, &to->entries, from->entries.rows, from->entries.cols) != LNT_OK)
        return NULL;
    lnt_mat_copy(to->entries, from->entries);
    return to;
}

static bool copy_panel(lnt_ctx *memory, lnt_panel *to, const lnt_panel *from)
{
    lnt_curve *curve = lnt_alloc(memory, (size_t)from->curves, sizeof *curve);
    *to = *from;
    to->title = lnt_strdup(memory, from->title);
    to->xlabel = lnt_strdup(memory, from->xlabel);
    to->ylabel = lnt_strdup(memory, from->ylabel);
    to->image = from->image ? copy_image(memory, from->image) : NULL;
    if (!curve || !to->title || !to->xlabel || !to->ylabel || (from->image && !to->image))
        return false;
    for (int c = 0; c < from->curves; c++) {
        const lnt_curve *old = &from->curve[c];
        curve[c] = (lnt_curve){lnt_strdup(memory, old->label),
                               old->style,
                               old->n,
                               copy_values(memory, old->x, old->n),
                               copy_values(memory, old->y, old->n),
                               copy_values(memory, old->y2, old->n)};
        if (!curve[c].label || !curve[c].x || !curve[c].y || (old->y2 && !curve[c].y2))
            return false;
    }
    to->curve = curve;
    return true;
}

void lnt_record_figure(lnt_record *record, const lnt_figure *figure)
{
    lnt_ctx *memory = record->memory;
    lnt_figure_node *node = lnt_alloc(memory, 1, sizeof *node);
    lnt_panel *panel = lnt_alloc(memory, (size_t)figure->panels, sizeof *panel);
    if (!node || !panel)
        return;
    *node = (lnt_figure_node){
        .figure = {lnt_strdup(memory, figure->name), lnt_strdup(memory, figure->caption), figure->panels, panel}};
    bool copied = node->figure.name && node->figure.caption;
    for (int p = 0; p < figure->panels && copied; p++)
        copied = copy_panel(memory, &panel[p], &figure->panel[p]);
    lnt_figure_node **end = &record->figures;
    while (*end)
        end = &(*end)->next;
    if (copied)
        *end = node;
}

int lnt_record_figures(const lnt_record *record)
{
    int count = 0;
    for (const lnt_figure_node *node = record->figures; node; node = node->next)
        count++;
    return count;
}

const lnt_figure *lnt_record_get_figure(const lnt_record *record, int index)
{
    const lnt_figure_node *node = record->figures;
    while (node && index-- > 0)
        node = node->next;
    return node ? &node->figure : NULL;
}
