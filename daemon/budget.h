/*
 * budget.h -- what is under way, in items and bytes, stage by stage; and whether more may come in.
 *
 * One brake for the whole daemon. A record is charged when it is taken and again whenever it grows
 * (arena, vectors, prepared document); the charge goes when it is done. What the Kafka clients and the
 * index's open transaction take cannot be seen from here: it is bounded by their settings, and as much is
 * set aside (sl_budget_reserve()).
 *
 * Each partition has its share of three quarters of the limits, as many shares as there are partitions with
 * work under way. One that is at its share pauses alone, and resumes at half of it; the last quarter is
 * there for whoever comes. At the high mark of all together every partition pauses, at the low mark (three
 * quarters) they resume. Growth after admission is held by the workers: past the limit they start no new
 * document while another is further on, so at least one always gets through.
 */
#ifndef SLUICE_BUDGET_H
#define SLUICE_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum sl_stage {
    SL_STAGE_LANES = 0, /* taken, waiting for its lane or a worker   */
    SL_STAGE_WORKERS,
    SL_STAGE_EMBEDDER,
    SL_STAGE_INDEXER,
    SL_STAGE_ANSWERERS,
    SL_STAGE_PUBLISHER,
    SL_STAGE_COUNT
};

/* What one partition has under way. */
struct sl_share {
    _Atomic int64_t items;
    _Atomic int64_t record_bytes;
    _Atomic int64_t bytes;
};

struct sl_budget {
    _Atomic int64_t items[SL_STAGE_COUNT];
    _Atomic int64_t bytes[SL_STAGE_COUNT];
    _Atomic int64_t record_bytes; /* of documents, as read from Kafka */
    /* Limits; may change while running. */
    _Atomic int64_t items_max;
    _Atomic int64_t record_bytes_max;
    _Atomic int64_t bytes_max;
    _Atomic int64_t reserved; /* of bytes_max, for what is not charged */
};

const char *sl_stage_name(enum sl_stage stage);

/*
 * Limits to start with, or to change to.
 *
 * Owns:    nothing.
 * Thread:  any.
 * Blocks:  no.
 * Errors:  none.
 */
void sl_budget_limit(struct sl_budget *budget, uint32_t items, uint64_t record_bytes,
                     uint64_t bytes);

/* Set bytes aside for what is bounded elsewhere; at most three quarters of the limit. Thread: any. */
void sl_budget_reserve(struct sl_budget *budget, uint64_t bytes);

/* Bytes there are for what is charged. */
int64_t sl_budget_room(const struct sl_budget *budget);

/* Add to a stage (negative: take off). Thread: any. */
void sl_budget_add(struct sl_budget *budget, enum sl_stage stage, int64_t items, int64_t bytes);

/* Documents under way, and bytes of everything. */
int64_t sl_budget_documents(const struct sl_budget *budget);
int64_t sl_budget_bytes(const struct sl_budget *budget);

/* Is the high mark reached? Is all of it below the low mark again? */
bool sl_budget_is_high(const struct sl_budget *budget);
bool sl_budget_is_low(const struct sl_budget *budget);

/* The same for one partition, of `active` with work under way. Nothing under way is never high. */
bool sl_budget_share_is_high(const struct sl_budget *budget, const struct sl_share *share,
                             uint32_t active);
bool sl_budget_share_is_low(const struct sl_budget *budget, const struct sl_share *share,
                            uint32_t active);

/* Questions and answers under way may take a quarter of the bytes. */
bool sl_budget_questions_are_high(const struct sl_budget *budget);
bool sl_budget_questions_are_low(const struct sl_budget *budget);

/* May a worker start on another document? Not past the byte limit while others are further on. */
bool sl_budget_admits(const struct sl_budget *budget);

#endif
