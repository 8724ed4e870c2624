/*
 * roles.c -- who is what in an index's directory: in use, being built, retired.
 *
 * Each change is made on a copy, written to CURRENT as a whole, and taken over once that is on the disk.
 */
#include <string.h>

#include "index/directory.h"

static enum sl_err take_over(struct sl_directory *directory, const struct sl_directory *after,
                             bool *ret_unsure, struct sl_error *err)
{
    enum sl_err rc = sl_directory_write_current(after, ret_unsure, err);

    if (rc == SL_OK)
        *directory = *after;
    return rc;
}

/* The one in use becomes the last of the retired, `name` takes its place. */
static enum sl_err replace(struct sl_directory *after, const char *name, struct sl_error *err)
{
    if (after->retired_count == SL_RETIRED_MAX)
        return sl_stop(err, SL_EXIT_TEMPORARY, 0, "retired",
                       "%s: %u retired generations are kept already: drop one "
                       "(`sluicectl generation list`)", after->path, SL_RETIRED_MAX);
    memcpy(after->retired[after->retired_count++], after->name, sizeof after->name);
    memcpy(after->name, name, sizeof after->name);
    return SL_OK;
}

/* Out of the retired ones. false: it is none. */
static bool take_out(struct sl_directory *after, const char *name)
{
    uint32_t at = 0;

    while (at < after->retired_count && strcmp(after->retired[at], name) != 0)
        at++;
    if (at == after->retired_count)
        return false;
    after->retired_count--;
    for (; at < after->retired_count; at++)
        memcpy(after->retired[at], after->retired[at + 1], sizeof after->retired[at]);
    memset(after->retired[at], 0, sizeof after->retired[at]);
    return true;
}

enum sl_err sl_directory_build(struct sl_directory *directory, bool *ret_unsure,
                               struct sl_error *err)
{
    struct sl_directory after = *directory;
    enum sl_err rc = sl_directory_settle(directory, after.building, err);

    *ret_unsure = false;
    return rc == SL_OK ? take_over(directory, &after, ret_unsure, err) : rc;
}

enum sl_err sl_directory_promote(struct sl_directory *directory, bool *ret_unsure,
                                 struct sl_error *err)
{
    struct sl_directory after = *directory;
    enum sl_err rc = replace(&after, directory->building, err);

    *ret_unsure = false;
    memset(after.building, 0, sizeof after.building);
    return rc == SL_OK ? take_over(directory, &after, ret_unsure, err) : rc;
}

enum sl_err sl_directory_rollback(struct sl_directory *directory, uint32_t number,
                                  bool *ret_unsure, struct sl_error *err)
{
    struct sl_directory after = *directory;
    char name[SL_ENVIRONMENT_NAME_BYTES] = "";
    enum sl_err rc;

    *ret_unsure = false;
    sl_directory_name(number, name);
    if (!take_out(&after, name))
        return sl_fail(err, SL_REJECT, "not_found", "%s: generation %u is none of the retired ones",
                       directory->path, number);
    rc = replace(&after, name, err);
    return rc == SL_OK ? take_over(directory, &after, ret_unsure, err) : rc;
}

enum sl_err sl_directory_drop(struct sl_directory *directory, uint32_t number, bool *ret_unsure,
                              struct sl_error *err)
{
    struct sl_directory after = *directory;
    char name[SL_ENVIRONMENT_NAME_BYTES];
    enum sl_err rc;

    *ret_unsure = false;
    sl_directory_name(number, name);
    if (strcmp(name, after.name) == 0)
        return sl_fail(err, SL_REJECT, "in_use", "%s: generation %u is the one in use", after.path,
                       number);
    if (strcmp(name, after.building) == 0)
        memset(after.building, 0, sizeof after.building);
    else if (!take_out(&after, name))
        return sl_fail(err, SL_REJECT, "not_found", "%s: there is no generation %u", after.path,
                       number);
    rc = take_over(directory, &after, ret_unsure, err);
    if (rc == SL_OK)
        sl_directory_remove(&after, name);
    return rc;
}
