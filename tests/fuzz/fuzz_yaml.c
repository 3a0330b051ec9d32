/* Any bytes as an experiment file: refused with a message, or named entries that set options within their ranges. */
#include "options.h"

#include <yaml.h>

/* What was accepted is one whole document, as libyaml alone reads it, and no text in it was cut at a NUL. */
static void check_document(const uint8_t *data, size_t size)
{
    yaml_parser_t yaml;
    yaml_event_t event;
    int documents = 0;
    bool end = false;
    CHECK(yaml_parser_initialize(&yaml));
    yaml_parser_set_input_string(&yaml, data, size);
    while (!end) {
        CHECK(yaml_parser_parse(&yaml, &event));
        documents += event.type == YAML_DOCUMENT_START_EVENT;
        if (event.type == YAML_SCALAR_EVENT)
            CHECK(memchr(event.data.scalar.value, '\0', event.data.scalar.length) == NULL);
        end = event.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&yaml);
    CHECK(documents == 1);
}

static void check_entries(const lnt_config *config)
{
    CHECK(config->count >= 0);
    for (int i = 0; i < config->count; i++) {
        CHECK(config->entry[i].name && config->entry[i].text && config->entry[i].line > 0);
        for (int j = 0; j < i; j++)
            CHECK(strcmp(config->entry[i].name, config->entry[j].name) != 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const lnt_command *command = &lnt_commands[0];
    lnt_ctx *ctx = new_ctx();
    lnt_config config;
    lnt_status status = lnt_config_parse(ctx, &config, data, size, "input");
    check_outcome(ctx, status);
    if (status == LNT_OK) {
        void *opts = new_opts(ctx, command);
        check_document(data, size);
        check_entries(&config);
        status = lnt_config_apply(ctx, opts, command->options, &config, "input");
        check_outcome(ctx, status);
        for (const lnt_option *o = command->options; o->name; o++)
            check_field(o, opts);
    }
    lnt_ctx_free(ctx);
    return 0;
}
