/*
 * read.c -- files as a whole and line by line, both with a bound: a file that grows without end, or
 * a line that never does, must not take the machine's memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl.h"

static enum sl_err fail_file(struct sl_error *err, const char *path)
{
    int number = errno;

    if (number == ENOENT || number == ENOTDIR)
        return sl_stop(err, SL_EXIT_NOINPUT, number, "not_found", "%s: no such file", path);
    if (number == EACCES || number == EPERM)
        return sl_stop(err, SL_EXIT_PERMISSION, number, "permission", "%s: not allowed to read it",
                       path);
    return sl_stop(err, SL_EXIT_IO, number, "io", "%s: %s", path, strerror(number));
}

static int open_file(const char *path)
{
    struct stat status;
    int fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);

    if (fd >= 0 && fstat(fd, &status) == 0 && S_ISDIR(status.st_mode)) {
        close(fd);
        errno = EISDIR;
        return -1;
    }
    return fd;
}

enum sl_err ctl_read_file(const char *path, size_t bytes_max, struct sl_buffer *ret_content,
                          struct sl_error *err)
{
    struct sl_buffer content = {0};
    char block[65536];
    ssize_t got;
    int fd = open_file(path);

    if (fd < 0)
        return fail_file(err, path);
    sl_buffer_add(&content, "", 0);
    while ((got = read(fd, block, sizeof(block))) > 0 && content.size <= bytes_max &&
           !content.failed)
        sl_buffer_add(&content, block, (size_t)got);
    if (got < 0) {
        enum sl_err result = fail_file(err, path);

        close(fd);
        sl_buffer_fini(&content);
        return result;
    }
    close(fd);
    if (content.failed || content.size > bytes_max) {
        bool failed = content.failed;

        sl_buffer_fini(&content);
        if (failed)
            return sl_stop(err, SL_EXIT_OS, ENOMEM, "memory", "%s: no memory to read it", path);
        return sl_fail(err, SL_REJECT, "too_large", "%s: larger than the %zu bytes allowed", path,
                       bytes_max);
    }
    *ret_content = content;
    return SL_OK;
}

struct ctl_lines {
    FILE *file;
    char *path;
    struct sl_buffer line;
    size_t bytes_max;
    uint64_t number;
    uint64_t position;
};

enum sl_err ctl_lines_open(const char *path, size_t bytes_max, struct ctl_lines **ret_lines,
                           struct sl_error *err)
{
    struct ctl_lines *lines;
    int fd = open_file(path);

    if (fd < 0)
        return fail_file(err, path);
    lines = calloc(1, sizeof(*lines));
    if (lines == NULL || (lines->path = strdup(path)) == NULL ||
        (lines->file = fdopen(fd, "r")) == NULL) {
        close(fd);
        ctl_lines_close(lines);
        return sl_stop(err, SL_EXIT_OS, ENOMEM, "memory", "%s: no memory to read it", path);
    }
    lines->bytes_max = bytes_max;
    *ret_lines = lines;
    return SL_OK;
}

struct ctl_lines *ctl_lines_close(struct ctl_lines *lines)
{
    if (lines != NULL) {
        if (lines->file != NULL)
            fclose(lines->file);
        sl_buffer_fini(&lines->line);
        free(lines->path);
        free(lines);
    }
    return NULL;
}

/* One line without its end, empty ones too. False at the end of the file. */
static bool line_read(struct ctl_lines *lines, bool *ret_too_large)
{
    int c;
    bool any = false;

    lines->line.size = 0;
    *ret_too_large = false;
    flockfile(lines->file);
    while ((c = getc_unlocked(lines->file)) != EOF) {
        char byte = (char)c;

        any = true;
        lines->position++;
        if (c == '\n')
            break;
        if (lines->line.size < lines->bytes_max)
            sl_buffer_add(&lines->line, &byte, 1);
        else
            *ret_too_large = true;
    }
    funlockfile(lines->file);
    if (any)
        lines->number++;
    if (lines->line.size > 0 && lines->line.data[lines->line.size - 1] == '\r')
        lines->line.size--;
    return any;
}

enum sl_err ctl_lines_next(struct ctl_lines *lines, struct sl_view *ret_line, struct sl_error *err)
{
    bool too_large;

    while (line_read(lines, &too_large)) {
        if (lines->line.failed)
            return sl_stop(err, SL_EXIT_OS, ENOMEM, "memory", "%s:%llu: no memory for the line",
                           lines->path, (unsigned long long)lines->number);
        if (too_large)
            return sl_fail(err, SL_REJECT, "too_large", "longer than the %zu bytes allowed",
                           lines->bytes_max);
        if (lines->line.size > 0) {
            *ret_line = (struct sl_view){lines->line.data, lines->line.size};
            return SL_OK;
        }
    }
    if (ferror(lines->file))
        return fail_file(err, lines->path);
    return SL_AGAIN;
}

uint64_t ctl_lines_number(const struct ctl_lines *lines)
{
    return lines->number;
}

uint64_t ctl_lines_position(const struct ctl_lines *lines)
{
    return lines->position;
}

struct sl_view ctl_json_text(const cJSON *object, const char *name)
{
    const cJSON *member = cJSON_GetObjectItemCaseSensitive(object, name);

    return cJSON_IsString(member) ? sl_view_of(member->valuestring) : SL_VIEW_NULL;
}
