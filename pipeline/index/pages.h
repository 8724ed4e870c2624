/* pages.h -- the pages of an LMDB file, checked before LMDB trusts them. */
#ifndef SLUICE_PAGES_H
#define SLUICE_PAGES_H

#include <stdbool.h>
#include <stdint.h>

#include <sluice/error.h>
#include <sluice/view.h>

#define SL_PAGES_NEWEST UINT64_MAX

struct sl_pages_options {
    const char *file;
    uint64_t commit; /* which transaction's pages; SL_PAGES_NEWEST: the last one's */
    /* Does this table hold slabs, whose content is checked when it is first used? Only the number at
     * their beginning is compared with the key then. */
    bool (*is_slabs)(struct sl_view table);
    /* A record whose checksum is wrong. It is reported, and the check goes on. */
    void (*damaged)(void *context, struct sl_view table, struct sl_view key);
    void *context;
};

/*
 * Check the structure of the file: that every page is used by one tree or is on the free list, that keys
 * are in order and trees as deep and as large as they say; and every record's checksum.
 *
 * Post:    SL_OK: LMDB finds in this file what was put there, or `damaged` was called.
 * Owns:    nothing changes hands; the views given to `damaged` are valid during the call.
 * Thread:  any. Beside a writer `commit` must be that of a read transaction that stays open.
 * Blocks:  disk: reads all of the file but the slabs.
 * Errors:  SL_AGAIN busy: the writer has written over the root of `commit`
 *          SL_STOP  corrupt (65), bad_format (78), io (74), memory (71)
 */
enum sl_err sl_pages_check(const struct sl_pages_options *options, struct sl_error *err);

#endif /* SLUICE_PAGES_H */
