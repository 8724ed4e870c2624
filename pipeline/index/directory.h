/*
 * directory.h -- the directory of an index: its lock, CURRENT, and the environments in it.
 *
 *     DIR/lock, DIR/CURRENT    see docs/DISK_FORMAT.md
 *     DIR/env.N/               used, being filled, or kept from before: as CURRENT says
 *     DIR/env.new/             being built; worth nothing until it is renamed
 */
#ifndef SLUICE_DIRECTORY_H
#define SLUICE_DIRECTORY_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include <sluice/error.h>
#include <sluice/generation.h>

#define SL_ENVIRONMENT_NAME_BYTES 32u /* of "env.0" */
#define SL_ENVIRONMENT_NEW        "env.new"

struct sl_directory {
    char path[PATH_MAX - 2 * SL_ENVIRONMENT_NAME_BYTES];
    char name[SL_ENVIRONMENT_NAME_BYTES]; /* of the environment in use; "" = none yet */
    char building[SL_ENVIRONMENT_NAME_BYTES];                  /* to take its place; "" = none */
    char retired[SL_RETIRED_MAX][SL_ENVIRONMENT_NAME_BYTES]; /* was in use; oldest first */
    uint32_t retired_count;
    int lock_fd; /* -1: not held */
};

/* What errno says about a path, as not_found, permission or io. */
enum sl_err sl_path_error(const char *path, const char *doing, struct sl_error *err);

/*
 * Look at (writers: make and lock) a directory and read CURRENT.
 *
 * Owns:    ret_directory's lock; sl_directory_fini() lets go of it, also after a failure.
 * Thread:  any.
 * Blocks:  disk.
 * Errors:  SL_STOP  locked, not_found, permission, bad_format (network file system), corrupt (CURRENT), io
 */
enum sl_err sl_directory_open(const char *path, bool read_only,
                              struct sl_directory *ret_directory, struct sl_error *err);
void sl_directory_fini(struct sl_directory *directory);

/* Does a writer hold the lock just now? */
bool sl_directory_is_held(const struct sl_directory *directory);

/* Read CURRENT again: a reader may have been overtaken by a writer that replaced the environment. */
enum sl_err sl_directory_read_current(struct sl_directory *directory, struct sl_error *err);

/* "DIR/name", and "DIR/name/data.mdb" for `file`. */
void sl_directory_environment(const struct sl_directory *directory, const char *name,
                              const char *file, char ret_path[PATH_MAX]);

/* Errors: SL_STOP disk_full (74), naming the bytes needed and free. */
enum sl_err sl_directory_room(const struct sl_directory *directory, uint64_t needed_bytes,
                              struct sl_error *err);

/* Is less than 1 MiB free? */
bool sl_directory_is_full(const struct sl_directory *directory);

/* The environment it names must be there. Errors: SL_STOP corrupt (65) */
enum sl_err sl_directory_check(const struct sl_directory *directory, struct sl_error *err);

/* Is nothing in it but what sl_directory_open() makes? SL_STOP not_empty (64) */
enum sl_err sl_directory_empty(const struct sl_directory *directory, struct sl_error *err);

/* The name of environment N, and N of a name (UINT32_MAX: it is none). */
void sl_directory_name(uint32_t number, char ret_name[SL_ENVIRONMENT_NAME_BYTES]);
uint32_t sl_directory_number(const char *name);

/*
 * env.new, whole and synced, gets the next free number; it is worth nothing still until CURRENT names it.
 */
enum sl_err sl_directory_settle(const struct sl_directory *directory,
                                char ret_name[SL_ENVIRONMENT_NAME_BYTES], struct sl_error *err);

/*
 * env.new, whole and synced, becomes the one in use: renamed to the next number, named by CURRENT, both synced.
 *
 * Post:    SL_OK: directory->name is its name. Not SL_OK: the one before is in use, but for *ret_unsure: then
 *          nobody knows which.
 */
enum sl_err sl_directory_adopt(struct sl_directory *directory, bool *ret_unsure,
                               struct sl_error *err);
/* Write CURRENT anew: the one in use, the one being built, those retired. */
enum sl_err sl_directory_write_current(const struct sl_directory *directory, bool *ret_unsure,
                                       struct sl_error *err);

/*
 * Who is what, changed in CURRENT and in *directory in one step (roles.c). With *ret_unsure nobody knows what
 * CURRENT says after a failure; else it is as before.
 *
 * build     env.new, its first commit made, is the one being built
 * promote   the one being built is in use; the one in use is the last of the retired
 * rollback  a retired one is in use; the one in use is the last of the retired
 * drop      not the one in use: it is removed
 *
 * Errors:  SL_REJECT  not_found, in_use; SL_STOP io, disk_full, permission
 */
enum sl_err sl_directory_build(struct sl_directory *directory, bool *ret_unsure,
                               struct sl_error *err);
enum sl_err sl_directory_promote(struct sl_directory *directory, bool *ret_unsure,
                                 struct sl_error *err);
enum sl_err sl_directory_rollback(struct sl_directory *directory, uint32_t number,
                                  bool *ret_unsure, struct sl_error *err);
enum sl_err sl_directory_drop(struct sl_directory *directory, uint32_t number, bool *ret_unsure,
                              struct sl_error *err);

/* Remove one environment; and all that CURRENT does not name. What cannot be removed is left for the next time. */
void sl_directory_remove(const struct sl_directory *directory, const char *name);
void sl_directory_clean(const struct sl_directory *directory);

#endif /* SLUICE_DIRECTORY_H */
