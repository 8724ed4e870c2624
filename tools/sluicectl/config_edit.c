/*
 * config_edit.c -- a person's file stays a person's file: comments, order and blank lines survive a machine's edit.
 *
 * A file is written beside the old one and put in its place, so that whoever reads it sees one or the other. The old
 * one keeps its name with the time behind it. What would not be read as a configuration is not written.
 *
 * Rejected: writing the configuration out anew from its options, which loses the comments; opening the file before
 * root becomes another user and writing through that, which can neither make a copy beside it nor replace it at once.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "config_edit.h"

#define FILE_BYTES_MAX (1u << 20)

/* ---------------------------------------------------------------------------------------- editing */

struct place {
    size_t start, end; /* what the new line stands for; equal: it is put there */
    bool section, found;
};

/* "key = ...": of this key? */
static bool sets(struct sl_view line, const char *key)
{
    const char *equals = memchr(line.data, '=', line.size);

    return equals != NULL &&
           sl_view_is(sl_config_trim(sl_view_range(line, 0, (size_t)(equals - line.data))), key);
}

static bool begins(struct sl_view line, const char *section)
{
    return line.size > 2 && line.data[line.size - 1] == ']' &&
           sl_view_is(sl_config_trim(sl_view_range(line, 1, line.size - 1)), section);
}

static struct place find_place(struct sl_view text, const struct ctl_setting *setting)
{
    struct place place = {.start = text.size, .end = text.size};
    bool inside = false, switched_off = false;

    for (size_t at = 0, next; at < text.size && !place.found; at = next) {
        const char *end = memchr(text.data + at, '\n', text.size - at);
        struct sl_view line;
        next = end != NULL ? (size_t)(end - text.data) + 1 : text.size;
        line = sl_config_trim(sl_view_range(text, at, end != NULL ? next - 1 : next));
        if (line.size > 0 && line.data[0] == '[') {
            inside = begins(line, setting->section);
            if (inside)
                place = (struct place){.start = next, .end = next, .section = true};
        } else if (inside && line.size > 0) {
            bool comment = line.data[0] == '#' || line.data[0] == ';';
            bool off = comment && sets(sl_view_range(line, 1, line.size), setting->key);
            place.found = !comment && sets(line, setting->key);
            if (place.found)
                place.start = at, place.end = next;
            else if (off || !switched_off)
                place.start = place.end = next;
            switched_off |= off;
        }
    }
    return place;
}

void ctl_config_edit(struct sl_view text, const struct ctl_setting *setting, struct sl_buffer *out)
{
    struct place place = find_place(text, setting);
    bool open_line = place.start > 0 && text.data[place.start - 1] != '\n';

    sl_buffer_view(out, sl_view_range(text, 0, place.start));
    if (open_line)
        sl_buffer_format(out, "\n");
    if (!place.section)
        sl_buffer_format(out, "%s[%s]\n", text.size > 0 ? "\n" : "", setting->section);
    sl_buffer_format(out, "%s = %s\n", setting->key, setting->value);
    sl_buffer_view(out, sl_view_range(text, place.end, text.size));
}

/* ---------------------------------------------------------------------------------------- writing */

static int failed(const struct ctl *ctl, const char *path)
{
    return ctl_fail(ctl, errno == EACCES || errno == EPERM ? SL_EXIT_PERMISSION : SL_EXIT_IO,
                    "%s: %s", path, strerror(errno));
}

/* Written whole, on the disk, with owner and mode of `like` when that is given; or not there. */
static int write_file(const struct ctl *ctl, const char *path, struct sl_view text,
                      const struct stat *like)
{
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, like != NULL ? 0600 : 0644);
    bool good = true;
    int why;

    if (file < 0)
        return failed(ctl, path);
    if (like != NULL)
        good = (fchown(file, like->st_uid, like->st_gid) == 0 || errno == EPERM) &&
               fchmod(file, like->st_mode & 07777) == 0;
    for (size_t at = 0; good && at < text.size;) {
        ssize_t wrote = write(file, text.data + at, text.size - at);
        good = wrote > 0 || (wrote < 0 && errno == EINTR);
        at += wrote > 0 ? (size_t)wrote : 0;
    }
    good = good && fsync(file) == 0;
    why = errno;
    if (close(file) == 0 && good)
        return SL_EXIT_OK;
    errno = good ? errno : why;
    why = failed(ctl, path);
    (void)unlink(path);
    return why;
}

static int check(const struct ctl *ctl, const char *path, struct sl_view text)
{
    struct sl_config *config = NULL;
    struct sl_buffer problems = {0};
    struct sl_error err = {0};
    int exit_code = SL_EXIT_OK;

    if (sl_config_parse(path, text, &config, &problems, &err) != SL_OK)
        exit_code = ctl_fail(ctl, SL_EXIT_CONFIG, "%s is left as it is, for with the settings it would be wrong:\n%s",
                             path, problems.data != NULL ? problems.data : err.message);
    sl_config_free(config);
    sl_buffer_fini(&problems);
    return exit_code;
}

static int replace(const struct ctl *ctl, const char *path, struct sl_view before,
                   struct sl_view after)
{
    char beside[PATH_MAX], copy[PATH_MAX], when[32];
    struct stat status;
    bool there = stat(path, &status) == 0;
    time_t now = time(NULL);
    struct tm utc;
    int exit_code = SL_EXIT_OK;

    gmtime_r(&now, &utc);
    strftime(when, sizeof when, "%Y%m%dT%H%M%SZ", &utc);
    if (snprintf(beside, sizeof beside, "%s.new-%d", path, (int)getpid()) >= (int)sizeof beside ||
        snprintf(copy, sizeof copy, "%s.%s", path, when) >= (int)sizeof copy)
        return ctl_fail(ctl, SL_EXIT_IO, "%s: too long a path", path);
    if (there)
        exit_code = write_file(ctl, copy, before, &status);
    if (exit_code == SL_EXIT_OK)
        exit_code = write_file(ctl, beside, after, there ? &status : NULL);
    if (exit_code == SL_EXIT_OK && rename(beside, path) != 0)
        exit_code = failed(ctl, path);
    if (exit_code != SL_EXIT_OK)
        (void)unlink(beside);
    else if (there && !ctl->json)
        fprintf(stderr, "sluicectl %s: %s is written; as it was before: %s\n", ctl->command, path, copy);
    return exit_code;
}

static int put_settings(const struct ctl *ctl, const char *path, const struct ctl_setting *settings,
                        uint32_t count)
{
    struct sl_buffer before = {0}, now = {0}, next = {0};
    struct sl_error err = {0};
    struct sl_view text;
    int exit_code;

    if (access(path, F_OK) == 0 && ctl_read_file(path, FILE_BYTES_MAX, &before, &err) != SL_OK)
        return ctl_fail_error(ctl, &err, SL_EXIT_IO);
    text = before.size > 0 ? (struct sl_view){before.data, before.size} : SL_VIEW("");
    for (uint32_t i = 0; i < count; i++) {
        ctl_config_edit(text, &settings[i], &next);
        sl_buffer_fini(&now);
        now = next;
        next = (struct sl_buffer){0};
        text = (struct sl_view){now.data, now.size};
    }
    if (now.failed)
        exit_code = ctl_fail(ctl, SL_EXIT_OS, "no memory for %s", path);
    else
        exit_code = check(ctl, path, text);
    if (exit_code == SL_EXIT_OK)
        exit_code = replace(ctl, path,
                            before.size > 0 ? (struct sl_view){before.data, before.size} : SL_VIEW(""), text);
    sl_buffer_fini(&before);
    sl_buffer_fini(&now);
    return exit_code;
}

/* ------------------------------------------------------------------------------- another process */

/* Until the other end is closed; what comes of it is the process's exit code. */
static int wait_and_write(struct ctl *ctl, const char *given, int settings)
{
    char *path = realpath(given, NULL); /* the file itself, not a link to it */
    struct ctl_setting *list = NULL;
    size_t size = 0, room = 0;
    ssize_t got = 1;
    int exit_code = SL_EXIT_OK;

    while (got > 0) {
        if (size == room) {
            void *larger = realloc(list, room += 16 * sizeof *list);
            if (larger == NULL)
                return ctl_fail(ctl, SL_EXIT_OS, "no memory for settings");
            list = larger;
        }
        got = read(settings, (char *)list + size, room - size);
        size += got > 0 ? (size_t)got : 0;
    }
    if (size >= sizeof *list)
        exit_code = put_settings(ctl, path != NULL ? path : given, list, (uint32_t)(size / sizeof *list));
    free(list);
    free(path);
    return exit_code;
}

int ctl_config_writer_open(struct ctl *ctl, const char *path, struct ctl_config_writer *ret_writer)
{
    int ends[2];

    *ret_writer = (struct ctl_config_writer){-1, -1};
    (void)signal(SIGPIPE, SIG_IGN); /* it may be over before it is told */
    if (pipe2(ends, O_CLOEXEC) != 0)
        return ctl_fail(ctl, SL_EXIT_OS, "no pipe: %s", strerror(errno));
    ret_writer->process = fork();
    if (ret_writer->process == 0) {
        close(ends[1]);
        (void)signal(SIGINT, SIG_IGN); /* the end of the pipe says when it is over */
        _exit(wait_and_write(ctl, path, ends[0]));
    }
    close(ends[0]);
    if (ret_writer->process < 0) {
        close(ends[1]);
        return ctl_fail(ctl, SL_EXIT_OS, "no process to write %s: %s", path, strerror(errno));
    }
    ret_writer->settings = ends[1];
    return SL_EXIT_OK;
}

int ctl_config_writer_close(struct ctl_config_writer *writer, const struct ctl_setting *settings,
                            uint32_t count)
{
    size_t size = count * sizeof *settings;
    int status = 0;
    bool sent = true;

    if (writer->settings < 0)
        return SL_EXIT_OK;
    for (size_t at = 0; sent && at < size;) {
        ssize_t wrote = write(writer->settings, (const char *)settings + at, size - at);
        sent = wrote > 0;
        at += wrote > 0 ? (size_t)wrote : 0;
    }
    close(writer->settings);
    writer->settings = -1;
    while (waitpid(writer->process, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) && (sent || WEXITSTATUS(status) != 0) ? WEXITSTATUS(status) : SL_EXIT_IO;
}
