#include "linnet/option.h"

#include <string.h>
#include <yaml.h>

#define MOST_ITEMS 1000 /* of a list, and options: far more than there are */

typedef struct parser {
    yaml_parser_t *yaml;
    lnt_ctx *ctx;
    const char *name;
} parser;

static lnt_status syntax(const parser *p, const yaml_event_t *event, const char *what)
{
    return lnt_fail(p->ctx, LNT_EFORMAT, "%s: line %zu: %s", p->name, event->start_mark.line + 1, what);
}

/* The next event; its type is YAML_NO_EVENT after a syntax error, whose message is set. */
static lnt_status next(const parser *p, yaml_event_t *event)
{
    if (yaml_parser_parse(p->yaml, event))
        return LNT_OK;
    memset(event, 0, sizeof *event);
    return lnt_fail(p->ctx, LNT_EFORMAT, "%s: line %zu: %s", p->name, p->yaml->problem_mark.line + 1,
                    p->yaml->problem ? p->yaml->problem : "not YAML");
}

/* A value that is left out, `name:`, or said to be nothing: the option keeps its default. */
static bool is_nothing(const yaml_event_t *event)
{
    const char *s = (const char *)event->data.scalar.value;
    return event->data.scalar.plain_implicit && event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (*s == '\0' || strcmp(s, "~") == 0 || strcmp(s, "null") == 0);
}

/* *text <- a scratch copy of a scalar. */
static lnt_status scalar_text(const parser *p, char **text, const yaml_event_t *event)
{
    size_t n = event->data.scalar.length;
    const yaml_char_t *value = event->data.scalar.value;
    if (memchr(value, '\0', n)) // NOLINT: a scalar's value is never NULL
        return syntax(p, event, "a NUL character cannot be part of a text");
    *text = lnt_alloc(p->ctx, n + 1, 1);
    if (!*text)
        return LNT_ENOMEM;
    memcpy(*text, value, n);
    (*text)[n] = '\0';
    return LNT_OK;
}

/* A list of scalars as one text with commas. */
static lnt_status read_list(const parser *p, char **text)
{
    yaml_event_t event;
    lnt_text list = {0};
    lnt_text_bytes(&list, "", 0);
    for (int items = 0;; items++) {
        lnt_status status = next(p, &event);
        if (status == LNT_OK && items > MOST_ITEMS)
            status = syntax(p, &event, "a list of more than 1000 values");
        if (status == LNT_OK && event.type != YAML_SCALAR_EVENT && event.type != YAML_SEQUENCE_END_EVENT)
            status = syntax(p, &event, "a list may hold only plain values");
        bool end = event.type == YAML_SEQUENCE_END_EVENT;
        if (status == LNT_OK && !end) {
            char *item = NULL;
            status = scalar_text(p, &item, &event);
            if (status == LNT_OK)
                lnt_text_add(&list, "%s%s", items ? "," : "", item);
        }
        yaml_event_delete(&event);
        if (status == LNT_OK && end)
            status = lnt_text_status(p->ctx, &list);
        if (status == LNT_OK && end)
            status = (*text = lnt_strdup(p->ctx, list.p)) ? LNT_OK : LNT_ENOMEM;
        if (status != LNT_OK || end) {
            lnt_text_free(&list);
            return status;
        }
    }
}

static lnt_status read_value(const parser *p, char **text)
{
    yaml_event_t event;
    lnt_status status = next(p, &event);
    if (status == LNT_OK && event.type == YAML_SCALAR_EVENT && is_nothing(&event))
        *text = NULL;
    else if (status == LNT_OK && event.type == YAML_SCALAR_EVENT)
        status = scalar_text(p, text, &event);
    else if (status == LNT_OK && event.type == YAML_SEQUENCE_START_EVENT)
        status = read_list(p, text);
    else if (status == LNT_OK)
        status = syntax(p, &event, "a value or a list of values is needed");
    yaml_event_delete(&event);
    return status;
}

static lnt_status add_entry(const parser *p, lnt_config *config, const char *name, const char *text, int line)
{
    if (config->count == MOST_ITEMS)
        return lnt_fail(p->ctx, LNT_EFORMAT, "%s: line %d: more than 1000 options", p->name, line);
    for (int i = 0; i < config->count; i++)
        if (strcmp(config->entry[i].name, name) == 0)
            return lnt_fail(p->ctx, LNT_EFORMAT, "%s: line %d: '%s' is given twice", p->name, line, name);
    if ((config->count & (config->count + 1)) == 0) { /* full at 0, 1, 3, 7, ...: double */
        struct lnt_config_entry *entry = lnt_alloc(p->ctx, 2 * (size_t)config->count + 2, sizeof *entry);
        if (!entry)
            return LNT_ENOMEM;
        if (config->count)
            memcpy(entry, config->entry, (size_t)config->count * sizeof *entry);
        config->entry = entry;
    }
    config->entry[config->count++] = (struct lnt_config_entry){name, text, line};
    return LNT_OK;
}

static lnt_status read_mapping(const parser *p, lnt_config *config, bool top);

static lnt_status read_pair(const parser *p, lnt_config *config, bool top, char *key, int line, int seen[3])
{
    static const char *const keys[] = {"command", "version", "options"};
    char *text = NULL;
    for (int i = 0; top && i < 3; i++)
        if (strcmp(key, keys[i]) == 0 && seen[i]++)
            return lnt_fail(p->ctx, LNT_EFORMAT, "%s: line %d: '%s' is given twice", p->name, line, key);
    if (top && strcmp(key, "options") == 0) {
        yaml_event_t event;
        lnt_status status = next(p, &event);
        if (status == LNT_OK && event.type != YAML_MAPPING_START_EVENT)
            status = syntax(p, &event, "options: must hold lines of the form name: value");
        yaml_event_delete(&event);
        return status == LNT_OK ? read_mapping(p, config, false) : status;
    }
    lnt_status status = read_value(p, &text);
    if (status != LNT_OK)
        return status;
    if (!top && text == NULL)
        return LNT_OK;
    if (!top)
        return add_entry(p, config, key, text, line);
    if (strcmp(key, "command") == 0)
        config->command = text;
    else if (strcmp(key, "version") == 0)
        config->version = text;
    else
        return lnt_fail(p->ctx, LNT_EFORMAT, "%s: line %d: '%s' is not known here (command, version, options are)",
                        p->name, line, key);
    return LNT_OK;
}

static lnt_status read_mapping(const parser *p, lnt_config *config, bool top)
{
    int seen[3] = {0};
    for (;;) {
        yaml_event_t event;
        lnt_status status = next(p, &event);
        bool end = event.type == YAML_MAPPING_END_EVENT;
        char *key = "";
        if (status == LNT_OK && !end) {
            if (event.type != YAML_SCALAR_EVENT)
                status = syntax(p, &event, "a name is needed");
            else
                status = scalar_text(p, &key, &event);
        }
        int line = (int)event.start_mark.line + 1;
        yaml_event_delete(&event);
        if (status == LNT_OK && !end)
            status = read_pair(p, config, top, key, line, seen);
        if (status != LNT_OK || end)
            return status;
    }
}

static lnt_status read_stream(const parser *p, lnt_config *config)
{
    static const yaml_event_type_t opening[] = {YAML_STREAM_START_EVENT, YAML_DOCUMENT_START_EVENT,
                                                YAML_MAPPING_START_EVENT};
    for (size_t i = 0; i < 3; i++) {
        yaml_event_t event;
        lnt_status status = next(p, &event);
        if (status == LNT_OK && event.type != opening[i])
            status = syntax(p, &event, "lines of the form name: value are needed");
        yaml_event_delete(&event);
        if (status != LNT_OK)
            return status;
    }
    lnt_status result = read_mapping(p, config, true);
    static const yaml_event_type_t closing[] = {YAML_DOCUMENT_END_EVENT, YAML_STREAM_END_EVENT};
    for (size_t i = 0; i < 2 && result == LNT_OK; i++) {
        yaml_event_t event;
        result = next(p, &event);
        if (result == LNT_OK && event.type != closing[i])
            result = syntax(p, &event, "one document is needed, here is more");
        yaml_event_delete(&event);
    }
    return result;
}

lnt_status lnt_config_parse(lnt_ctx *ctx, lnt_config *config, const void *bytes, size_t n, const char *name)
{
    yaml_parser_t yaml;
    *config = (lnt_config){0};
    if (!yaml_parser_initialize(&yaml))
        return lnt_fail(ctx, LNT_ENOMEM, "out of memory for reading %s", name);
    yaml_parser_set_input_string(&yaml, bytes ? bytes : (const unsigned char *)"", n);
    parser p = {&yaml, ctx, name};
    lnt_status status = read_stream(&p, config);
    yaml_parser_delete(&yaml);
    return status;
}

lnt_status lnt_config_apply(lnt_ctx *ctx, void *opts, const lnt_option *table, const lnt_config *config,
                            const char *name)
{
    for (int i = 0; i < config->count; i++) {
        const lnt_option *option = lnt_option_find(table, config->entry[i].name);
        if (!option)
            return lnt_fail(ctx, LNT_EUSAGE, "%s: line %d: there is no option '%s'", name, config->entry[i].line,
                            config->entry[i].name);
        lnt_status status = lnt_option_set(ctx, opts, option, config->entry[i].text);
        if (status != LNT_OK) {
            const char *message = lnt_strdup(ctx, lnt_ctx_message(ctx));
            lnt_ctx_clear(ctx);
            return lnt_fail(ctx, status, "%s: line %d: %s", name, config->entry[i].line, message ? message : "");
        }
    }
    return LNT_OK;
}
