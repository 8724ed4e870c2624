/*
 * budget.h -- what is under way, in items and bytes, stage by stage; and whether more may come in.
 *
 * One brake for the whole daemon. A record is charged when it is taken and again whenever it grows
 * (arena, vectors, prepared document); the charge goes when it is done. At the high mark the feed
 * pauses its partitions, at the low mark (three quarters) it resumes. Growth after admission is
 * held by the workers: past the limit they start no new document while another is further on, so at
 * least one always gets through.
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

struct sl_budget {
    _Atomic int64_t items[SL_STAGE_COUNT];
    _Atomic int64_t bytes[SL_STAGE_COUNT];
    _Atomic int64_t record_bytes; /* of documents, as read from Kafka */
    /* Limits; may change while running. */
    _Atomic int64_t items_max;
    _Atomic int64_t record_bytes_max;
    _Atomic int64_t bytes_max;
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

/* Add to a stage (negative: take off). Thread: any. */
void sl_budget_add(struct sl_budget *budget, enum sl_stage stage, int64_t items, int64_t bytes);

/* Documents under way, and bytes of everything. */
int64_t sl_budget_documents(const struct sl_budget *budget);
int64_t sl_budget_bytes(const struct sl_budget *budget);

/* Is the high mark reached? Is all of it below the low mark again? */
bool sl_budget_is_high(const struct sl_budget *budget);
bool sl_budget_is_low(const struct sl_budget *budget);

/* May a worker start on another document? Not past the byte limit while others are further on. */
bool sl_budget_admits(const struct sl_budget *budget);

#endif
