/*
 * budget.c -- counters per stage and the two marks.
 *
 * Plain atomics: the marks are read once a record, and being off by the record just taken does no
 * harm.
 */
#include "daemon/budget.h"

static const char *const names[SL_STAGE_COUNT] = {"lanes",   "workers",   "embedder",
                                                  "indexer", "answerers", "publisher"};

const char *sl_stage_name(enum sl_stage stage)
{
    return names[stage];
}

void sl_budget_limit(struct sl_budget *budget, uint32_t items, uint64_t record_bytes,
                     uint64_t bytes)
{
    budget->items_max = items;
    budget->record_bytes_max = (int64_t)record_bytes;
    budget->bytes_max = (int64_t)bytes;
}

void sl_budget_reserve(struct sl_budget *budget, uint64_t bytes)
{
    budget->reserved = (int64_t)bytes;
}

int64_t sl_budget_room(const struct sl_budget *budget)
{
    int64_t most = budget->bytes_max / 4 * 3;

    return budget->bytes_max - (budget->reserved < most ? budget->reserved : most);
}

void sl_budget_add(struct sl_budget *budget, enum sl_stage stage, int64_t items, int64_t bytes)
{
    budget->items[stage] += items;
    budget->bytes[stage] += bytes;
}

int64_t sl_budget_documents(const struct sl_budget *budget)
{
    int64_t sum = 0;

    for (int stage = SL_STAGE_LANES; stage <= SL_STAGE_INDEXER; stage++)
        sum += budget->items[stage];
    return sum;
}

int64_t sl_budget_bytes(const struct sl_budget *budget)
{
    int64_t sum = 0;

    for (int stage = 0; stage < SL_STAGE_COUNT; stage++)
        sum += budget->bytes[stage];
    return sum;
}

bool sl_budget_is_high(const struct sl_budget *budget)
{
    return sl_budget_documents(budget) >= budget->items_max ||
           budget->record_bytes >= budget->record_bytes_max ||
           sl_budget_bytes(budget) >= sl_budget_room(budget);
}

bool sl_budget_is_low(const struct sl_budget *budget)
{
    return sl_budget_documents(budget) * 4 <= budget->items_max * 3 &&
           budget->record_bytes * 4 <= budget->record_bytes_max * 3 &&
           sl_budget_bytes(budget) * 4 <= sl_budget_room(budget) * 3;
}

/* Is any of the three beyond `part` of a share, in eighths of the limits? */
static bool is_beyond(const struct sl_budget *budget, const struct sl_share *share, uint32_t active,
                      int64_t eighths)
{
    int64_t shares = active > 0 ? active : 1;

    return share->items * 8 * shares >= budget->items_max * eighths ||
           share->record_bytes * 8 * shares >= budget->record_bytes_max * eighths ||
           share->bytes * 8 * shares >= sl_budget_room(budget) * eighths;
}

bool sl_budget_share_is_high(const struct sl_budget *budget, const struct sl_share *share,
                             uint32_t active)
{
    return share->items > 0 && is_beyond(budget, share, active, 6);
}

bool sl_budget_share_is_low(const struct sl_budget *budget, const struct sl_share *share,
                            uint32_t active)
{
    return share->items == 0 || !is_beyond(budget, share, active, 3);
}

static int64_t question_bytes(const struct sl_budget *budget)
{
    return budget->bytes[SL_STAGE_ANSWERERS] + budget->bytes[SL_STAGE_PUBLISHER];
}

bool sl_budget_questions_are_high(const struct sl_budget *budget)
{
    return question_bytes(budget) * 4 >= sl_budget_room(budget);
}

bool sl_budget_questions_are_low(const struct sl_budget *budget)
{
    return question_bytes(budget) * 8 <= sl_budget_room(budget);
}

bool sl_budget_admits(const struct sl_budget *budget)
{
    int64_t further = budget->items[SL_STAGE_WORKERS] + budget->items[SL_STAGE_EMBEDDER] +
                      budget->items[SL_STAGE_INDEXER];

    return further == 0 || sl_budget_bytes(budget) < sl_budget_room(budget);
}
