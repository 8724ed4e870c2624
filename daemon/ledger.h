/*
 * ledger.h -- which offsets of one partition are done, in a way that survives a restart.
 *
 *     delivered, in order:   17  18  21  22  25        (19, 20, 23, 24 do not exist: holes)
 *     done:                  17      21      25
 *     frontier = 18          first delivered offset that is not done
 *     beyond   = 21, 25      done although an earlier one is not
 *
 * WHAT IS ALWAYS TRUE (tests/unit/test_daemon_ledger.c proves each line by number)
 *
 *     L1  Every existing offset below the frontier is done.
 *     L2  An offset is delivered as new at most once, over any number of restarts from stored
 *         positions.
 *     L3  What was restored as done stays done until the frontier has passed it.
 *     L4  The frontier and the done set never lose an offset that was committed.
 *     L5  Holes never hold up the frontier: it is a place in the delivered list, no arithmetic on
 *         offsets.
 *
 * A pure state machine: no locks, no clock, no I/O. It belongs to one thread at a time.
 */
#ifndef SLUICE_LEDGER_H
#define SLUICE_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include <sluice/index.h>

struct sl_ledger;

/*
 * Begin at `position` as restored (NULL: at whatever comes first).
 *
 * Owns:    caller gets the ledger; free it with sl_ledger_free(). `position` is copied. NULL: no
 *          memory.
 * Thread:  any.
 * Blocks:  no.
 * Errors:  NULL
 */
struct sl_ledger *sl_ledger_make(const struct sl_position *position);

/* Free it. NULL is fine. Always returns NULL. */
struct sl_ledger *sl_ledger_free(struct sl_ledger *ledger);

/* What is kept of a record, to notice a topic that is no longer the one it was. */
struct sl_fingerprint {
    int64_t offset;
    int64_t timestamp_ms;
    uint32_t crc;
};

/*
 * A record was read. True: it is new, and must be marked done in time. False: it was done in an
 * earlier run or delivered before; forget it.
 *
 * Owns:    copied.
 * Thread:  one at a time.
 * Blocks:  no.
 * Errors:  none; aborts when out of memory.
 */
bool sl_ledger_deliver(struct sl_ledger *ledger, const struct sl_fingerprint *record);

/*
 * Mark an offset done at once (questions), or as part of a batch that may still fail (documents):
 * staged offsets count as done in sl_ledger_position(), and become done by _commit() or open again
 * by _abort().
 *
 * Pre:     sl_ledger_deliver() returned true for it, and it is not done.
 * Owns:    nothing.
 * Thread:  one at a time.
 * Blocks:  no.
 * Errors:  none.
 */
void sl_ledger_done(struct sl_ledger *ledger, int64_t offset);
void sl_ledger_stage(struct sl_ledger *ledger, int64_t offset);
void sl_ledger_commit(struct sl_ledger *ledger);
void sl_ledger_abort(struct sl_ledger *ledger);

/*
 * Where the partition stands, staged offsets included: what to store.
 *
 * Owns:    position->completed belongs to the ledger, until the next call.
 * Thread:  one at a time.
 * Blocks:  CPU: linear in the offsets that are open or beyond.
 * Errors:  none.
 */
void sl_ledger_position(struct sl_ledger *ledger, struct sl_position *ret_position);

/* First offset not done (nothing staged counts); -1 when nothing was delivered or restored yet. */
int64_t sl_ledger_frontier(const struct sl_ledger *ledger);

/* One more than the last offset delivered; what was restored when there was none. */
int64_t sl_ledger_end(const struct sl_ledger *ledger);

/* There is nothing to be delivered before `offset` (any more): go on from there. False: the end lay
 * there or behind it already. */
bool sl_ledger_skip(struct sl_ledger *ledger, int64_t offset);

/* Offsets delivered and not done; offsets done beyond the frontier. */
uint32_t sl_ledger_open_count(const struct sl_ledger *ledger);
uint32_t sl_ledger_beyond_count(const struct sl_ledger *ledger);

/* Too many to carry: take no more of this partition until the frontier moves. */
#define SL_LEDGER_ENTRIES_MAX 10000u
bool sl_ledger_is_full(const struct sl_ledger *ledger);

#endif
