/*
 * config_paths.c -- where a daemon keeps what: the instance's name, its index, its control socket.
 *
 * The daemon is told by its manager ($STATE_DIRECTORY, $RUNTIME_DIRECTORY); sluicectl, run by hand, is not and must
 * find the same places. Both therefore follow from the configuration file's name, which the unit makes from the
 * instance's name (/etc/sluiced/%i.conf).
 */
#include "daemon/config_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "daemon/control.h"

#define CONFIG_DIRECTORY "/etc/sluiced/"
#define STATE_DIRECTORY  "/var/lib/sluiced/"

struct sl_view sl_config_name(const char *file)
{
    const char *slash = strrchr(file, '/');
    struct sl_view name = sl_view_of(slash == NULL ? file : slash + 1);

    if (name.size > 5 && memcmp(name.data + name.size - 5, ".conf", 5) == 0)
        name.size -= 5;
    return name.size == 0 ? SL_VIEW("sluiced") : name;
}

char *sl_config_state_path(const char *file)
{
    const char *given = getenv("STATE_DIRECTORY");
    struct sl_view name = sl_config_name(file);
    char *path = NULL;

    if (given != NULL && given[0] == '/')
        return strndup(given, strcspn(given, ":")); /* several are joined by colons */
    return asprintf(&path, STATE_DIRECTORY "%.*s", SL_VIEW_ARG(name)) < 0 ? NULL : path;
}

static enum sl_err join(char *path, size_t size, struct sl_view directory, struct sl_error *err)
{
    int needed = snprintf(path, size, "%.*s/control.sock", SL_VIEW_ARG(directory));

    if (needed < 0 || (size_t)needed >= size || (size_t)needed >= SL_CONTROL_PATH_BYTES_MAX)
        return sl_fail(err, SL_REJECT, "control_path_too_long",
                       "%.*s/control.sock: %d bytes; a unix socket's path has at most %u",
                       SL_VIEW_ARG(directory), needed, SL_CONTROL_PATH_BYTES_MAX - 1);
    return SL_OK;
}

enum sl_err sl_control_listen_path(const struct sl_config *config, char *path, size_t size,
                                   struct sl_error *err)
{
    const char *runtime = getenv("RUNTIME_DIRECTORY");

    if (runtime != NULL && runtime[0] == '/')
        return join(path, size, (struct sl_view){runtime, strcspn(runtime, ":")}, err);
    return join(path, size, sl_view_of(config->index.path), err);
}

/* /run/sluiced/NAME when the file is /etc/sluiced/NAME.conf. */
static bool run_directory(const char *file, char *directory, size_t size)
{
    struct sl_view name = sl_config_name(file);
    size_t prefix = strlen(CONFIG_DIRECTORY);

    if (strncmp(file, CONFIG_DIRECTORY, prefix) != 0 || strchr(file + prefix, '/') != NULL)
        return false;
    return snprintf(directory, size, "/run/sluiced/%.*s", SL_VIEW_ARG(name)) < (int)size;
}

enum sl_err sl_control_path(const struct sl_config *config, char *path, size_t size,
                            struct sl_error *err)
{
    char directory[SL_CONTROL_PATH_BYTES_MAX];
    struct stat found;

    if (getenv("RUNTIME_DIRECTORY") == NULL && run_directory(config->file, directory, sizeof directory) &&
        join(path, size, sl_view_of(directory), NULL) == SL_OK && stat(path, &found) == 0)
        return SL_OK;
    return sl_control_listen_path(config, path, size, err);
}
