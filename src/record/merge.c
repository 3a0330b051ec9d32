#include "internal.h"

#include <stdint.h>

static void copy_array(lnt_record *to, const lnt_array *a)
{
    if (a->is_series) {
        lnt_record_series(to, a->path, a->unit, a->values, a->dims[0]);
    } else if (a->rank == 1) {
        lnt_record_vector(to, a->path, a->unit, a->values, a->dims[0]);
    } else if (a->rank == 2) { /* C order (rows, cols) is the transpose by columns: as samples */
        lnt_record_samples(to, a->path, a->unit, lnt_mat_view((double *)(uintptr_t)a->values, a->dims[1], a->dims[0]));
    }
}

static void copy_table(lnt_record *to, const lnt_table *from)
{
    lnt_table *table = lnt_record_table(to, from->name);
    for (int row = 0; row < from->rows; row++) {
        lnt_table_row(table);
        for (const lnt_column *c = from->columns; c; c = c->next)
            lnt_table_set(table, c->name, c->unit, lnt_table_cell(c, row));
    }
}

void lnt_record_merge(lnt_record *to, const lnt_record *from)
{
    for (const lnt_line *line = from->warnings; line; line = line->next)
        lnt_record_warn(to, "%s", line->text);
    for (const lnt_scalar *s = from->facts; s; s = s->next)
        lnt_record_fact(to, s->group, s->name, s->unit, s->value);
    for (const lnt_array_node *n = from->arrays; n; n = n->next)
        copy_array(to, &n->array);
    for (const lnt_table *t = from->tables; t; t = t->next)
        copy_table(to, t);
    for (const lnt_figure_node *f = from->figures; f; f = f->next)
        lnt_record_figure(to, &f->figure);
    if (from->interrupted)
        lnt_record_set_interrupted(to);
}
