/*
 * import.h -- documents into the index in rounds: read, embed, prepare on all cores, apply in
 * order, commit.
 */
#ifndef SLUICECTL_IMPORT_H
#define SLUICECTL_IMPORT_H

#include "source.h"

#define IMPORT_ROUND_ITEMS 256u
#define IMPORT_ROUND_BYTES (32u << 20)

/* What became of the documents. */
struct import_counts {
    uint64_t inserted, replaced, copied, unchanged, deleted, absent, stale;
    uint64_t chunks;   /* of documents put in or replaced */
    uint64_t embedded; /* windows that went through the encoder */
};

struct import_round;

/*
 * A round that puts documents under `topic`.
 *
 * Owns:    caller gets *ret_round; close it with import_round_close(). All arguments must outlive
 * it. Thread:  main. Blocks:  no. Errors:  NULL when out of memory
 */
struct import_round *import_round_open(const struct ctl_opened *opened, const char *topic,
                                       uint32_t thread_count, uint32_t batch_texts);
struct import_round *import_round_close(struct import_round *round);

/*
 * Take one document. False, taking nothing, when the round is full or holds its key already: finish
 * it first, so that of two documents with one key the later wins.
 *
 * Owns:    takes over the item's buffers when true.
 * Thread:  main.
 * Blocks:  no.
 * Errors:  false
 */
bool import_round_take(struct import_round *round, struct ctl_item *item);

/*
 * Put all of the round into the index in one commit, and empty it. What cannot be used is handed to
 * ctl_refuse().
 *
 * Owns:    nothing.
 * Thread:  main; works on all threads.
 * Blocks:  CPU and disk.
 * Errors:  SL_STOP  the whole round is not in; the index is as it was before
 */
enum sl_err import_round_finish(struct import_round *round, const struct ctl *ctl,
                                struct ctl_refusals *refusals, struct import_counts *counts,
                                struct sl_error *err);

#endif
