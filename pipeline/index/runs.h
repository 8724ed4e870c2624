/*
 * runs.h -- where the postings of a term lie, and how they move together as the index grows.
 *
 * A run holds the postings of a range of chunk numbers, of all their terms: on level 0 of one
 * segment (1,024 numbers), on level l of 8^l of them. A posting is in the highest level that has
 * its number, and on each level the runs begin at number 0 and have no gaps. So how often a term
 * has to be looked up grows with the logarithm of the index, not with it.
 */
#ifndef SLUICE_INDEX_RUNS_H
#define SLUICE_INDEX_RUNS_H

#include "index/block.h"
#include "index/internal.h"

/* The run that has a segment's postings of a term. */
uint32_t sl_run_of(const struct sl_state *state, uint32_t segment, struct sl_view term);
/* The run of a level that a segment is, or will be, part of. */
uint32_t sl_run_at(uint32_t level, uint32_t segment);
/* The chunk numbers of a run: from the first up to (without) the end. */
uint64_t sl_run_first(uint32_t run);
uint64_t sl_run_end(uint32_t run);

/* A block's key taken apart. `from`: the least number it may hold. false: senseless. */
struct sl_post_key {
    uint32_t run;
    struct sl_view term;
    uint32_t from;
};
bool sl_post_key_read(struct sl_view key, struct sl_post_key *ret_key);

/* Walks the blocks of one term, chunk numbers ascending. */
struct sl_term_walk {
    const struct sl_state *state;
    struct sl_cursor cursor;
    struct sl_view term;
    uint32_t segments;
    uint32_t segment;  /* before it all is done */
    struct sl_key key; /* of the run it is in: its beginning */
    uint64_t run_end;
    bool inside;
    struct sl_post_key at; /* the block it stands on; its payload is the cursor's */
};
/* Pre: `term` is as sl_term_key() makes it. Close it in any case. */
enum sl_err sl_term_walk_open(struct sl_term_walk *walk, struct sl_txn *txn,
                              const struct sl_state *state, uint32_t segments,
                              struct sl_error *err);
void sl_term_walk_start(struct sl_term_walk *walk, struct sl_view term);
/* The next block; SL_REJECT: there is none. */
enum sl_err sl_term_walk_next(struct sl_term_walk *walk, struct sl_error *err);
void sl_term_walk_close(struct sl_term_walk *walk);

/* Work some of what has come since into larger runs. Pre: the batch's changes are flushed. */
enum sl_err sl_runs_settle(struct sl_txn *txn, struct sl_state *state, struct sl_error *err);

#endif /* SLUICE_INDEX_RUNS_H */
