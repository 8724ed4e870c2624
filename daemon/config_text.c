/*
 * config_text.c -- the table as a sample file, as a page, as one option's explanation, as bare defaults.
 *
 * All four say the same because they read the same rows. config/sluiced.conf and docs/CONFIGURATION.md are committed
 * so that they can be read without building anything; a test compares them with what is made here.
 */
#include "daemon/config_internal.h"

#define COMMENT_COLUMNS 96

/* `text` in lines of at most COMMENT_COLUMNS, each beginning with `prefix`. */
static void wrap(struct sl_buffer *out, const char *prefix, const char *text)
{
    size_t column = 0;

    while (*text != '\0') {
        size_t word = strcspn(text, " ");
        if (column > 0 && column + 1 + word > COMMENT_COLUMNS) {
            sl_buffer_add(out, "\n", 1);
            column = 0;
        }
        if (column == 0) {
            sl_buffer_view(out, sl_view_of(prefix));
            column = strlen(prefix);
        } else {
            sl_buffer_add(out, " ", 1);
            column++;
        }
        sl_buffer_add(out, text, word);
        column += word;
        text += word;
        text += strspn(text, " ");
    }
    sl_buffer_add(out, "\n", 1);
}

static void wrap_allowed(struct sl_buffer *out, const char *prefix, const struct option *option)
{
    struct sl_buffer text = {0};

    sl_buffer_view(&text, SL_VIEW("Allowed: "));
    option_allowed(option, &text);
    sl_buffer_view(&text, option->reload ? SL_VIEW(". Taken over by a reload.") : SL_VIEW("."));
    wrap(out, prefix, text.data != NULL ? text.data : "");
    sl_buffer_fini(&text);
}

static void sample_kafka(struct sl_buffer *out)
{
    sl_buffer_view(out, SL_VIEW("\nbootstrap.servers = localhost:9092\n"
                                "#security.protocol = SASL_SSL\n"
                                "#sasl.mechanism = SCRAM-SHA-512\n"
                                "#sasl.username = sluice\n"
                                "#sasl.password_credential = kafka-password\n"));
}

static void sample_option(struct sl_buffer *out, const struct option *option)
{
    sl_buffer_add(out, "\n", 1);
    wrap(out, "# ", option->help);
    wrap_allowed(out, "# ", option);
    sl_buffer_format(out, "#%s =%s%s\n", option->key, option->fallback[0] != '\0' ? " " : "",
                     option->fallback);
}

void sl_config_sample(struct sl_buffer *out)
{
    sl_buffer_view(out, SL_VIEW(
        "# sluiced.conf: one collection of documents.\n"
        "#\n"
        "# Every option is here with its default, switched off by a '#'. Comments stand on lines of\n"
        "# their own, beginning with # or ;. `sluiced -c FILE --check` says all that is wrong with a file.\n"));
    for (size_t i = 0; i < option_section_count; i++) {
        const struct option_section *section = &option_sections[i];
        sl_buffer_format(out, "\n[%s]\n", section->name);
        wrap(out, "# ", section->help);
        if (strcmp(section->name, "kafka") == 0)
            sample_kafka(out);
        for (size_t j = 0; j < option_count; j++)
            if (strcmp(option_table[j].section, section->name) == 0)
                sample_option(out, &option_table[j]);
    }
}

static void markdown_option(struct sl_buffer *out, const struct option *option)
{
    sl_buffer_format(out, "### `%s`\n\n%s\n\n", option->key, option->help);
    sl_buffer_format(out, "- default: %s%s%s\n- allowed: ", option->fallback[0] != '\0' ? "`" : "",
                     option->fallback[0] != '\0' ? option->fallback : "empty",
                     option->fallback[0] != '\0' ? "`" : "");
    option_allowed(option, out);
    sl_buffer_format(out, "\n- changes: %s\n\n",
                     option->reload ? "with a reload (SIGHUP)" : "with a restart");
}

void sl_config_markdown(struct sl_buffer *out)
{
    sl_buffer_view(out, SL_VIEW(
        "# Configuration\n\n"
        "<!-- Made by `sluicectl config markdown`; a test compares. Change daemon/config_table.c instead. -->\n\n"
        "One file, one daemon, one collection of documents. Sections in brackets, `key = value` lines, comments on\n"
        "lines of their own beginning with `#` or `;`. Sizes take K, M, G or T (powers of 1024); times take ms, s, m\n"
        "or h. An unknown key, a wrong type or a value out of range is an error with file, line, key and what is\n"
        "allowed, all of them at once, exit code 78: `sluiced -c FILE --check`.\n\n"
        "`systemctl reload sluiced@NAME` reads the file again. If something is wrong with it the old configuration\n"
        "stays, and the log and `systemctl status` say so.\n\n"));
    for (size_t i = 0; i < option_section_count; i++) {
        const struct option_section *section = &option_sections[i];
        sl_buffer_format(out, "## [%s]\n\n%s\n\n", section->name, section->help);
        if (strcmp(section->name, "kafka") == 0)
            sl_buffer_view(out, SL_VIEW("### `bootstrap.servers`\n\nHOST:PORT of one or more brokers, separated by "
                                        "commas.\n\n- default: `localhost:9092`\n- changes: with a restart\n\n"));
        for (size_t j = 0; j < option_count; j++)
            if (strcmp(option_table[j].section, section->name) == 0)
                markdown_option(out, &option_table[j]);
    }
    if (out->size > 0)
        out->data[--out->size] = '\0'; /* one newline at the end */
}

void sl_config_defaults(struct sl_buffer *out)
{
    sl_buffer_view(out, SL_VIEW("[kafka]\nbootstrap.servers = localhost:9092\n"));
    for (size_t i = 0; i < option_count; i++) {
        const struct option *option = &option_table[i];
        if (i == 0 || strcmp(option->section, option_table[i - 1].section) != 0)
            sl_buffer_format(out, "\n[%s]\n", option->section);
        sl_buffer_format(out, "%s =%s%s\n", option->key, option->fallback[0] != '\0' ? " " : "",
                         option->fallback);
    }
}

static void explain(const struct option *option, struct sl_buffer *out)
{
    sl_buffer_format(out, "[%s] %s\n", option->section, option->key);
    wrap(out, "  ", option->help);
    sl_buffer_format(out, "  Default: %s\n", option->fallback[0] != '\0' ? option->fallback : "empty");
    wrap_allowed(out, "  ", option);
}

/* "section.key", "[section] key" or "key". Every option of that key is explained. */
bool sl_config_explain(const char *name, struct sl_buffer *out)
{
    const char *dot = strchr(name, '.');
    bool found = false;

    for (size_t i = 0; i < option_count; i++) {
        const struct option *option = &option_table[i];
        bool same = dot == NULL ? strcmp(option->key, name) == 0
                                : strlen(option->section) == (size_t)(dot - name) &&
                                      memcmp(option->section, name, (size_t)(dot - name)) == 0 &&
                                      strcmp(option->key, dot + 1) == 0;
        if (!same)
            continue;
        if (found)
            sl_buffer_add(out, "\n", 1);
        explain(option, out);
        found = true;
    }
    return found;
}
