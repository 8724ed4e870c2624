/* indexer.h -- between the indexer's files only. */
#ifndef SLUICE_INDEXER_H
#define SLUICE_INDEXER_H

#include "daemon/engine_internal.h"

struct indexer {
    struct sl_engine *engine;
    struct sl_heartbeat *heartbeat;
    struct index_job *first, *last; /* gathered, not committed yet */
    uint32_t count;
    int64_t bytes;
    uint64_t outbox_next; /* sequence of the next dead letter */
    int64_t stored_us;    /* when positions were last stored */
    int64_t stats_us;
    struct sl_arena *arena; /* of one batch */
};

/*
 * Apply the jobs of `list`, store the positions they account for, commit. A document whose window
 * is gone is taken out of the list and goes back to a worker.
 *
 * Post:    not SL_OK: nothing of it is in the index, and `list` holds the jobs to be tried again.
 * Owns:    the list stays the caller's.
 * Thread:  the indexer's.
 * Blocks:  CPU and disk.
 * Errors:  SL_STOP  as sl_batch_apply() and sl_batch_commit()
 */
enum sl_err indexer_write(struct indexer *indexer, struct index_job **list, uint64_t *ret_letters,
                          struct sl_error *err);

/* Take in what the other threads have done, while nothing can be written; replies go on uncached. */
void indexer_take_in(struct indexer *indexer);

/* Read the index's figures. Thread: the indexer's. */
void indexer_stats(struct indexer *indexer);

#endif
