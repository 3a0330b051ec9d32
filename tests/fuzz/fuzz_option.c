/* Any text as the value of every option of every command: refused with a message and without effect, or a value in
 * range. What was set is then written as run.yaml writes it, and must read back the same. */
#include "options.h"

/* `before` is room for a copy of the options. */
static void set_option(lnt_ctx *ctx, void *opts, void *before, const lnt_command *command, const lnt_option *o,
                       const char *text)
{
    memcpy(before, opts, command->size);
    lnt_status status = lnt_option_set(ctx, opts, o, text);
    check_outcome(ctx, status);
    check_field(o, opts);
    if (status != LNT_OK)
        CHECK(memcmp(before, opts, command->size) == 0);
    lnt_ctx_clear(ctx);
}

/* yaml <- the options as run.yaml holds them. */
static void write_yaml(lnt_ctx *ctx, lnt_text *yaml, const lnt_command *command, const void *opts)
{
    lnt_record *record = lnt_record_new(command->name);
    CHECK(record);
    lnt_options_record(record, command->options, opts);
    CHECK(lnt_record_yaml(ctx, yaml, record) == LNT_OK);
    lnt_record_free(record);
}

static void check_round_trip(lnt_ctx *ctx, const lnt_command *command, const void *opts)
{
    lnt_text yaml = {0}, again = {0};
    lnt_config config;
    write_yaml(ctx, &yaml, command, opts);
    lnt_status status = lnt_config_parse(ctx, &config, yaml.p, yaml.n, "run.yaml");
    void *copy = new_opts(ctx, command);
    if (status == LNT_OK)
        status = lnt_config_apply(ctx, copy, command->options, &config, "run.yaml");
    if (status != LNT_OK)
        fprintf(stderr, "%s\n", lnt_ctx_message(ctx));
    CHECK(status == LNT_OK);
    write_yaml(ctx, &again, command, copy);
    CHECK(yaml.n == again.n && memcmp(yaml.p, again.p, yaml.n) == 0);
    lnt_text_free(&yaml);
    lnt_text_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (const lnt_command *command = lnt_commands; command->name; command++) {
        lnt_ctx *ctx = new_ctx();
        char *text = lnt_alloc(ctx, size + 1, 1);
        CHECK(text);
        if (size)
            memcpy(text, data, size);
        text[size] = '\0';
        void *opts = new_opts(ctx, command), *before = new_opts(ctx, command);
        for (const lnt_option *o = command->options; o->name; o++)
            set_option(ctx, opts, before, command, o, text);
        check_round_trip(ctx, command, opts);
        lnt_ctx_free(ctx);
    }
    return 0;
}
