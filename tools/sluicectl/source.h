/*
 * source.h -- documents from files: whole files, folders of files, or one document a line. What
 * `put` sends to Kafka and `import` puts into the index.
 */
#ifndef SLUICECTL_SOURCE_H
#define SLUICECTL_SOURCE_H

#include "ctl.h"

struct ctl_source;

/* One document to be. Buffers are the caller's, to be freed with ctl_item_fini(). */
struct ctl_item {
    struct sl_buffer key;
    struct sl_buffer value;
    bool is_delete;           /* {"_id": "...", "_delete": true} on a line of its own */
    const char *content_type; /* NULL: to be found out */
    char where[512];          /* "FILE" or "FILE:LINE", for messages; cut when longer */
};

struct ctl_source_options {
    const struct ctl_list *paths; /* files and folders */
    const struct ctl_list *lines; /* files of JSON lines; "-" is standard input */
    const char *key;              /* of the one file, instead of its path; NULL: none */
};

/*
 * Look at every path, list the folders, and add up the bytes.
 *
 * Owns:    caller gets *ret_source; close it with ctl_source_close().
 * Thread:  main.
 * Blocks:  disk.
 * Errors:  the exit code after saying why: 64 usage, 66 a path that is not there
 */
int ctl_source_open(const struct ctl *ctl, const struct ctl_source_options *options,
                    struct ctl_source **ret_source);
struct ctl_source *ctl_source_close(struct ctl_source *source);

/*
 * The next document.
 *
 * Owns:    *ret_item is overwritten, not freed, and is the caller's on SL_OK; on SL_REJECT only
 * `where` is set. Thread:  main. Blocks:  disk. Errors:  SL_REJECT  this one cannot be used, with
 * its reason; there may be more SL_AGAIN   there are no more SL_STOP    io, memory, permission
 */
enum sl_err ctl_source_next(struct ctl_source *source, struct ctl_item *ret_item,
                            struct sl_error *err);

/* How much of the bytes has been read, [0, 1]; -1 when that is unknown. */
double ctl_source_fraction(const struct ctl_source *source);

void ctl_item_fini(struct ctl_item *item);

/* What could not be used: counted, said on standard error (or collected for --json), exit 65 at the
 * end. */
struct ctl_refusals {
    uint64_t count;
    struct sl_buffer json; /* elements of a list */
};

void ctl_refuse(const struct ctl *ctl, struct ctl_refusals *refusals, const char *where,
                const struct sl_error *err);

#endif
