/*
 * directory.h -- the directory of an index: its lock, CURRENT, and the environments in it.
 *
 *     DIR/lock, DIR/CURRENT    see docs/DISK_FORMAT.md
 *     DIR/env.N/               whole, always; used when CURRENT names it
 *     DIR/env.new/             being built; worth nothing until it is renamed
 */
#ifndef SLUICE_DIRECTORY_H
#define SLUICE_DIRECTORY_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include <sluice/error.h>

#define SL_ENVIRONMENT_NAME_BYTES 32u /* of "env.0" */
#define SL_ENVIRONMENT_NEW        "env.new"

struct sl_directory {
    char path[PATH_MAX - 2 * SL_ENVIRONMENT_NAME_BYTES];
    char name[SL_ENVIRONMENT_NAME_BYTES]; /* of the environment in use; "" = none yet */
    int lock_fd;                          /* -1: not held */
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

/* Is nothing in it but what sl_directory_open() makes? SL_STOP not_empty (64) */
enum sl_err sl_directory_empty(const struct sl_directory *directory, struct sl_error *err);

/*
 * env.new, whole and synced, becomes the one in use: renamed to the next number, named by CURRENT, both synced.
 *
 * Post:    SL_OK: directory->name is its name. Not SL_OK: the one before is in use, but for *ret_unsure: then
 *          nobody knows which.
 */
enum sl_err sl_directory_adopt(struct sl_directory *directory, bool *ret_unsure,
                               struct sl_error *err);
/* Write CURRENT with directory->name. */
enum sl_err sl_directory_write_current(const struct sl_directory *directory, struct sl_error *err);

/* Remove one environment; and all but the one in use. What cannot be removed is left for the next time. */
void sl_directory_remove(const struct sl_directory *directory, const char *name);
void sl_directory_clean(const struct sl_directory *directory);

#endif /* SLUICE_DIRECTORY_H */
