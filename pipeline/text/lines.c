/*
 * lines.c -- the small text files a user writes, line by line.
 *
 * A `#` begins a comment at the start of a line or after white space, so that "C#" can be an entry.
 */
#include "lines.h"
#include "text_internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum sl_err sl_line_bad(const char *path, uint32_t number, struct sl_error *err, const char *format,
                        ...)
{
    char what[200];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    return sl_stop(err, SL_EXIT_CONFIG, 0, "bad_file", "%s:%u: %s", path, number, what);
}

static struct sl_view without_comment(struct sl_view line)
{
    for (size_t i = 0; i < line.size; i++)
        if (line.data[i] == '#' && (i == 0 || line.data[i - 1] == ' ' || line.data[i - 1] == '\t'))
            return sl_view_range(line, 0, i);
    return line;
}

static enum sl_err read_all(FILE *file, const char *path, sl_line_fn each, void *context,
                            struct sl_error *err)
{
    char *room = NULL;
    size_t capacity = 0, total = 0;
    ssize_t size;
    uint32_t number = 0;
    enum sl_err code = SL_OK;

    while (code == SL_OK && (size = getline(&room, &capacity, file)) >= 0) {
        struct sl_view line = {room, (size_t)size};
        total += line.size;
        number++;
        if (number == 1 && line.size >= 3 && memcmp(line.data, "\xEF\xBB\xBF", 3) == 0)
            line = sl_view_range(line, 3, line.size);
        if (total > SL_LINES_BYTES_MAX)
            code = sl_line_bad(path, number, err, "the file is larger than 16 MiB");
        else if (sl_utf8_bad(line) < line.size)
            code = sl_line_bad(path, number, err, "not UTF-8 at byte %zu", sl_utf8_bad(line) + 1);
        line = sl_view_trim(without_comment(line));
        if (code == SL_OK && line.size > 0)
            code = each(context, path, number, line, err);
    }
    free(room);
    if (code == SL_OK && ferror(file))
        code = sl_stop(err, SL_EXIT_CONFIG, errno, "bad_file", "%s cannot be read: %m", path);
    return code;
}

enum sl_err sl_lines_read(const char *path, sl_line_fn each, void *context, struct sl_error *err)
{
    FILE *file = fopen(path, "re");
    enum sl_err code;

    if (file == NULL)
        return sl_stop(err, SL_EXIT_CONFIG, errno, "bad_file", "%s cannot be read: %m", path);
    code = read_all(file, path, each, context, err);
    (void)fclose(file);
    return code;
}
