/*
 * resync.h -- reading a partition again from its beginning, while all its documents stay searchable.
 *
 *     doubt   mark every document that came from it; meanwhile nothing of it is read     (indexer)
 *     read    its log from the beginning: each record confirms, replaces or deletes       (as ever)
 *     sweep   delete what is marked still: the log does not hold it                      (indexer)
 *
 * Each step and how far it has come is a row of the index, written with what it did: a process that
 * is killed goes on from there. Unchanged content is not embedded again. Without `sweeps` it ends
 * with the doubt: then old offsets only lose to new ones.
 */
#ifndef SLUICE_RESYNC_H
#define SLUICE_RESYNC_H

#include "daemon/engine_internal.h"

/*
 * How far a resync of the partition had come; step SL_RESYNC_NONE: there is none.
 *
 * Owns:    nothing.
 * Thread:  any.
 * Blocks:  page faults.
 * Errors:  SL_STOP  corrupt, io
 */
enum sl_err resync_stored(const struct sl_snapshot *snapshot, struct sl_view topic,
                          int32_t partition, struct sl_resync *ret_resync, struct sl_error *err);

/* The row that says so, for the indexer's queue. SL_RESYNC_NONE: its deletion. */
struct row_job *resync_row(struct sl_view topic, int32_t partition,
                           const struct sl_resync *resync);

/* Begin with `resync` (a new one, or a stored one) at the log's beginning. The book is locked.
 * Pre: not assigned, and no record of it is under way. */
void resync_begin(struct sl_part *part, const struct sl_resync *resync, int64_t low, int64_t high,
                  int64_t now_ms);

/* The word for the status; NULL: none. */
const char *resync_word(const struct sl_part *part);

struct indexer;

/* Is there a step to be made? */
bool resync_is_due(struct sl_engine *engine);

/*
 * Make one step of one partition, in a batch of its own.
 *
 * Owns:    nothing.
 * Thread:  the indexer's.
 * Blocks:  CPU and disk.
 * Errors:  SL_STOP  as sl_batch_commit(); nothing of the step happened
 */
enum sl_err resync_step(struct sl_engine *engine, struct sl_error *err);

#endif
