/*
 * config_secret.c -- secrets come from files the service manager or the administrator protects.
 *
 * A name without a slash is a file in $CREDENTIALS_DIRECTORY, where the manager has already set owner and mode. An
 * absolute path is checked here: a regular file nobody but its owner can read. The check is made on the open file,
 * not on the name, so that nobody can put another file there in between. Messages name the file, never a byte of it.
 */
#include "daemon/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECRET_BYTES_MAX (64u << 10)

static enum sl_err bad(struct sl_error *err, int system_errno, const char *name, const char *what)
{
    return sl_stop(err, SL_EXIT_CONFIG, system_errno, "credential", "credential %s: %s", name,
                   what);
}

static enum sl_err path_of(const char *name, char **ret_path, struct sl_error *err)
{
    const char *directory = getenv("CREDENTIALS_DIRECTORY");
    char *path = NULL;

    if (name[0] == '/') {
        path = strdup(name);
    } else {
        if (strchr(name, '/') != NULL)
            return bad(err, 0, name, "not a file name; allowed: a name without '/', or an "
                                     "absolute path");
        if (directory == NULL)
            return bad(err, 0, name, "$CREDENTIALS_DIRECTORY is not set; start the daemon by its "
                                     "unit (LoadCredential=), or give an absolute path");
        if (asprintf(&path, "%s/%s", directory, name) < 0)
            path = NULL;
    }
    if (path == NULL)
        return sl_stop(err, SL_EXIT_OS, ENOMEM, "memory", "credential %s: out of memory", name);
    *ret_path = path;
    return SL_OK;
}

static enum sl_err permission_check(int file, const char *name, struct sl_error *err)
{
    struct stat found;

    if (fstat(file, &found) != 0)
        return bad(err, errno, name, strerror(errno));
    if (!S_ISREG(found.st_mode))
        return bad(err, 0, name, "not a regular file");
    if (name[0] == '/' && (found.st_mode & 077) != 0)
        return sl_stop(err, SL_EXIT_CONFIG, 0, "credential",
                       "credential %s: mode %04o lets others at it; allowed: 0600 or stricter", name,
                       (unsigned)found.st_mode & 07777u);
    return SL_OK;
}

static enum sl_err secret_open(const char *name, const char *path, int *ret_file, struct sl_error *err)
{
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    enum sl_err result;

    if (file < 0)
        return bad(err, errno, name, strerror(errno));
    result = permission_check(file, name, err);
    if (result != SL_OK)
        (void)close(file);
    else
        *ret_file = file;
    return result;
}

enum sl_err sl_secret_path(const char *name, char **ret_path, struct sl_error *err)
{
    char *path = NULL;
    int file;
    enum sl_err result = path_of(name, &path, err);

    if (result == SL_OK)
        result = secret_open(name, path, &file, err);
    if (result != SL_OK) {
        free(path);
        return result;
    }
    (void)close(file);
    *ret_path = path;
    return SL_OK;
}

/* Read at most one byte more than is allowed. */
static enum sl_err bytes_read(int file, const char *name, char *bytes, size_t *ret_size,
                              struct sl_error *err)
{
    size_t size = 0;

    while (size <= SECRET_BYTES_MAX) {
        ssize_t got = read(file, bytes + size, SECRET_BYTES_MAX + 1 - size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return bad(err, errno, name, strerror(errno));
        if (got == 0)
            break;
        size += (size_t)got;
    }
    if (size > SECRET_BYTES_MAX)
        return bad(err, 0, name, "larger than 64 KiB");
    *ret_size = size;
    return SL_OK;
}

/* One trailing newline goes. Lines inside are fine (a PEM key); NUL and other controls are not. */
static enum sl_err bytes_check(char *bytes, size_t size, const char *name, struct sl_error *err)
{
    if (size > 0 && bytes[size - 1] == '\n')
        bytes[--size] = '\0';
    if (size > 0 && bytes[size - 1] == '\r')
        bytes[--size] = '\0';
    if (size == 0)
        return bad(err, 0, name, "empty");
    for (size_t i = 0; i < size; i++)
        if (((unsigned char)bytes[i] < 0x20 && strchr("\t\n\r", bytes[i]) == NULL) ||
            bytes[i] == '\0' || bytes[i] == 0x7F)
            return bad(err, 0, name, "has a control character");
    return SL_OK;
}

static enum sl_err secret_load(int file, const char *name, char *bytes, struct sl_error *err)
{
    size_t size = 0;
    enum sl_err result = bytes_read(file, name, bytes, &size, err);

    return result != SL_OK ? result : bytes_check(bytes, size, name, err);
}

enum sl_err sl_secret_read(const char *name, char **ret_secret, struct sl_error *err)
{
    char *path = NULL, *bytes;
    enum sl_err result = path_of(name, &path, err);
    int file;

    if (result == SL_OK)
        result = secret_open(name, path, &file, err);
    free(path);
    if (result != SL_OK)
        return result;
    bytes = calloc(1, SECRET_BYTES_MAX + 2);
    if (bytes == NULL) {
        (void)close(file);
        return sl_stop(err, SL_EXIT_OS, ENOMEM, "memory", "credential %s: out of memory", name);
    }
    result = secret_load(file, name, bytes, err);
    (void)close(file);
    if (result != SL_OK) {
        explicit_bzero(bytes, SECRET_BYTES_MAX + 2);
        free(bytes);
        return result;
    }
    *ret_secret = bytes;
    return SL_OK;
}

void sl_secret_free(char *secret)
{
    if (secret == NULL)
        return;
    explicit_bzero(secret, strlen(secret));
    free(secret);
}
