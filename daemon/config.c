/*
 * config.c -- reading the configuration file.
 *
 * Lines, sections, keys; what a key may hold is the table's business (config_table.c). All that is wrong is reported
 * in one pass, each with file and line, so that a person corrects a file once. Comments are whole lines: a '#' inside
 * a value is part of it, since passwords and paths may have one.
 *
 * Rejected: inih of Debian 12 (cuts lines at 199 bytes, keeps no line numbers); a general INI library (the messages
 * are the point, and they need the table).
 */
#include "daemon/config_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sluice/text.h>

struct reader {
    struct sl_config *config;
    struct problems problems;
    const struct option_section *section; /* NULL: before the first, or inside an unknown one */
    bool section_unknown;                 /* its keys are skipped: one problem, not ten */
    int line;
    int *lines;      /* [option_count]: line on which it was set, 0 = not */
    int *seen_lines; /* [option_section_count] */
};

void problem_add(struct problems *problems, int line, const char *section, const char *key,
                 const char *format, ...)
{
    char text[700];
    va_list arguments;

    problems->count++;
    if (problems->count > SL_CONFIG_PROBLEMS_MAX)
        return;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    sl_buffer_format(problems->out, "%s:", problems->file);
    if (line > 0)
        sl_buffer_format(problems->out, "%d:", line);
    if (section != NULL)
        sl_buffer_format(problems->out, " [%s]", section);
    if (key != NULL)
        sl_buffer_format(problems->out, " %s:", key);
    sl_buffer_format(problems->out, " %s\n", text);
    if (problems->count == SL_CONFIG_PROBLEMS_MAX)
        sl_buffer_format(problems->out, "%s: more is wrong; only the first %u problems are shown\n",
                         problems->file, SL_CONFIG_PROBLEMS_MAX);
}

static size_t edit_distance(const char *a, const char *b)
{
    size_t row[65];
    size_t a_size = strlen(a), b_size = strlen(b);

    if (a_size > 64 || b_size > 64)
        return SIZE_MAX;
    for (size_t j = 0; j <= b_size; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_size; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_size; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[b_size];
}

void nearest_offer(struct nearest *nearest, const char *candidate)
{
    size_t distance = edit_distance(nearest->name, candidate);

    if (distance <= 1 + strlen(nearest->name) / 4 && distance < strlen(nearest->name) &&
        (nearest->best[0] == '\0' || distance < nearest->distance)) {
        (void)snprintf(nearest->best, sizeof nearest->best, "%s", candidate);
        nearest->distance = distance;
    }
}

/* A name from the file for a message: cut, one line. char[65]. */
static void name_show(struct sl_view name, char *shown)
{
    size_t size = name.size < 64 ? name.size : 64;

    for (size_t i = 0; i < size; i++)
        shown[i] = name.data[i];
    shown[size] = '\0';
}

static void section_unknown(struct reader *reader, const char *name)
{
    struct nearest nearest = {.name = name};
    struct sl_buffer names = {0};

    for (size_t i = 0; i < option_section_count; i++) {
        nearest_offer(&nearest, option_sections[i].name);
        sl_buffer_format(&names, "%s%s", i > 0 ? ", " : "", option_sections[i].name);
    }
    if (nearest.best[0] != '\0')
        problem_add(&reader->problems, reader->line, name, NULL,
                    "unknown section; did you mean [%s]?", nearest.best);
    else
        problem_add(&reader->problems, reader->line, name, NULL, "unknown section; allowed: %s",
                    names.data != NULL ? names.data : "");
    sl_buffer_fini(&names);
}

static void section_begin(struct reader *reader, struct sl_view line)
{
    char name[65];

    reader->section = NULL;
    reader->section_unknown = true;
    if (line.size < 3 || line.data[line.size - 1] != ']') {
        problem_add(&reader->problems, reader->line, NULL, NULL,
                    "a section must be [NAME], alone on its line");
        return;
    }
    name_show(sl_config_trim(sl_view_range(line, 1, line.size - 1)), name);
    for (size_t i = 0; i < option_section_count; i++) {
        if (strcmp(option_sections[i].name, name) != 0)
            continue;
        reader->section = &option_sections[i];
        reader->section_unknown = false;
        if (reader->seen_lines[i] != 0)
            problem_add(&reader->problems, reader->line, name, NULL,
                        "this section began before, on line %d; allowed: each once",
                        reader->seen_lines[i]);
        reader->seen_lines[i] = reader->line;
        return;
    }
    section_unknown(reader, name);
}

static void key_unknown(struct reader *reader, const char *key)
{
    const char *section = reader->section->name;
    struct nearest nearest = {.name = key};

    for (size_t i = 0; i < option_count; i++) {
        if (strcmp(option_table[i].key, key) == 0) {
            problem_add(&reader->problems, reader->line, section, key,
                        "unknown key; it belongs to [%s]", option_table[i].section);
            return;
        }
        if (strcmp(option_table[i].section, section) == 0)
            nearest_offer(&nearest, option_table[i].key);
    }
    if (nearest.best[0] != '\0')
        problem_add(&reader->problems, reader->line, section, key, "unknown key; did you mean %s?",
                    nearest.best);
    else
        problem_add(&reader->problems, reader->line, section, key,
                    "unknown key; docs/CONFIGURATION.md lists those of this section");
}

static void option_read(struct reader *reader, struct sl_view key, struct sl_view value)
{
    const struct option *option;
    char name[65];
    int *line;

    name_show(key, name);
    option = option_find(reader->section->name, name);
    if (option == NULL) {
        key_unknown(reader, name);
        return;
    }
    line = &reader->lines[option - option_table];
    if (*line != 0) {
        problem_add(&reader->problems, reader->line, option->section, option->key,
                    "set before, on line %d", *line);
        return;
    }
    *line = reader->line;
    (void)option_set(option, reader->config, value, reader->line, &reader->problems);
}

static void key_read(struct reader *reader, struct sl_view line)
{
    const char *equals = memchr(line.data, '=', line.size);
    struct sl_view key, value;

    if (reader->section_unknown)
        return;
    if (reader->section == NULL) {
        problem_add(&reader->problems, reader->line, NULL, NULL,
                    "a key before the first [section]");
        return;
    }
    if (equals == NULL || equals == line.data) {
        problem_add(&reader->problems, reader->line, reader->section->name, NULL,
                    "neither KEY = VALUE, nor [SECTION], nor a comment (# or ; at its start)");
        return;
    }
    key = sl_config_trim(sl_view_range(line, 0, (size_t)(equals - line.data)));
    value = sl_config_trim(sl_view_range(line, (size_t)(equals - line.data) + 1, line.size));
    if (strcmp(reader->section->name, "kafka") == 0)
        (void)kafka_option_add(reader->config, key, value, reader->line, &reader->problems);
    else
        option_read(reader, key, value);
}

static bool has_controls(struct sl_view line)
{
    for (size_t i = 0; i < line.size; i++)
        if (((unsigned char)line.data[i] < 0x20 && line.data[i] != '\t') || line.data[i] == 0x7F)
            return true;
    return false;
}

static void line_read(struct reader *reader, struct sl_view line)
{
    line = sl_config_trim(line);
    if (has_controls(line) || sl_utf8_bad(line) != line.size) {
        problem_add(&reader->problems, reader->line, NULL, NULL,
                    "a control character, or bytes that are not UTF-8");
        return;
    }
    if (line.size == 0 || line.data[0] == '#' || line.data[0] == ';')
        return;
    if (line.data[0] == '[')
        section_begin(reader, line);
    else
        key_read(reader, line);
}

static void lines_read(struct reader *reader, struct sl_view text)
{
    if (text.size >= 3 && memcmp(text.data, "\xEF\xBB\xBF", 3) == 0)
        text = sl_view_range(text, 3, text.size);
    while (text.size > 0) {
        const char *end = memchr(text.data, '\n', text.size);
        size_t size = end == NULL ? text.size : (size_t)(end - text.data);

        reader->line++;
        line_read(reader, sl_view_range(text, 0, size));
        text = sl_view_range(text, end == NULL ? size : size + 1, text.size);
    }
}

/* Every option's default through the same setter as the file's values. False: memory. */
static bool defaults_set(struct sl_config *config)
{
    struct sl_buffer out = {0};
    struct problems problems = {&out, "default", 0};

    for (size_t i = 0; i < option_count; i++)
        (void)option_set(&option_table[i], config, sl_view_of(option_table[i].fallback), 0,
                         &problems);
    sl_buffer_fini(&out);
    return problems.count == 0;
}

static bool index_path_complete(struct sl_config *config)
{
    if (config->index.path[0] != '\0')
        return true;
    free(config->index.path);
    config->index.path = sl_config_state_path(config->file);
    return config->index.path != NULL;
}

static enum sl_err memory(struct sl_error *err, const char *name)
{
    return sl_stop(err, SL_EXIT_OS, ENOMEM, "memory", "%s: out of memory", name);
}

static enum sl_err read_all(struct reader *reader, const char *name, struct sl_view text,
                            struct sl_error *err)
{
    reader->config->file = strdup(name);
    if (reader->config->file == NULL || !defaults_set(reader->config))
        return memory(err, name);
    if (text.size > SL_CONFIG_FILE_BYTES_MAX)
        problem_add(&reader->problems, 0, NULL, NULL, "%zu bytes; allowed: at most %u", text.size,
                    SL_CONFIG_FILE_BYTES_MAX);
    else
        lines_read(reader, text);
    if (!kafka_options_complete(reader->config) || !index_path_complete(reader->config))
        return memory(err, name);
    if (reader->problems.count == 0)
        config_check(reader->config, reader->lines, &reader->problems);
    if (reader->problems.count > 0)
        return sl_stop(err, SL_EXIT_CONFIG, 0, "bad_config", "%s: %zu problem%s in the configuration",
                       name, reader->problems.count, reader->problems.count == 1 ? "" : "s");
    return SL_OK;
}

enum sl_err sl_config_parse(const char *name, struct sl_view text, struct sl_config **ret_config,
                            struct sl_buffer *problems, struct sl_error *err)
{
    struct reader reader = {.config = calloc(1, sizeof *reader.config),
                            .problems = {problems, name, 0},
                            .lines = calloc(option_count, sizeof(int)),
                            .seen_lines = calloc(option_section_count, sizeof(int))};
    enum sl_err result;

    if (reader.config == NULL || reader.lines == NULL || reader.seen_lines == NULL)
        result = memory(err, name);
    else
        result = read_all(&reader, name, text, err);
    free(reader.lines);
    free(reader.seen_lines);
    if (result != SL_OK)
        sl_config_free(reader.config);
    else
        *ret_config = reader.config;
    return result;
}

static enum sl_err no_file(struct sl_error *err, const char *file, int saved)
{
    return sl_stop(err, SL_EXIT_NOINPUT, saved, "no_config", "%s: %s", file, strerror(saved));
}

/* The whole file, or one byte more than is allowed. */
static enum sl_err file_read(int descriptor, const char *file, struct sl_buffer *text,
                             struct sl_error *err)
{
    char block[16384];

    while (text->size <= SL_CONFIG_FILE_BYTES_MAX) {
        ssize_t got = read(descriptor, block, sizeof block);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return no_file(err, file, errno);
        if (got == 0)
            break;
        sl_buffer_add(text, block, (size_t)got);
    }
    return text->failed ? memory(err, file) : SL_OK;
}

enum sl_err sl_config_read(const char *file, struct sl_config **ret_config,
                           struct sl_buffer *problems, struct sl_error *err)
{
    struct sl_buffer text = {0};
    int descriptor = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    enum sl_err result;

    if (descriptor < 0)
        return no_file(err, file, errno);
    result = file_read(descriptor, file, &text, err);
    (void)close(descriptor);
    if (result == SL_OK)
        result = sl_config_parse(file, text.size > 0 ? (struct sl_view){text.data, text.size}
                                                     : SL_VIEW(""),
                                 ret_config, problems, err);
    sl_buffer_fini(&text);
    return result;
}

static void properties_free(struct sl_config_property *properties, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        free(properties[i].name);
        free(properties[i].value);
    }
    free(properties);
}

/* By the table: whatever an option stores as text or list is freed by the same row. */
struct sl_config *sl_config_free(struct sl_config *config)
{
    if (config == NULL)
        return NULL;
    for (size_t i = 0; i < option_count; i++) {
        const struct option *option = &option_table[i];
        void *field;

        if (option->at == NO_FIELD)
            continue;
        field = (char *)config + option->at;
        if (option->kind == OPTION_TOPICS)
            config_list_fini(field);
        else if (option->kind < OPTION_COUNT || option->kind == OPTION_WORD)
            free(*(char **)field);
    }
    properties_free(config->kafka.properties, config->kafka.count);
    properties_free(config->kafka.credentials, config->kafka.credential_count);
    free(config->file);
    free(config);
    return NULL;
}
