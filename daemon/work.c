/*
 * work.c -- a document under way: made, weighed, handed on, freed.
 *
 * Its weight (record, arena, prepared document) is charged to exactly one stage at any time, and to its
 * partition's share; handing it on moves the charge and weighs it anew, so the budget follows a document
 * as it grows from a record to vectors.
 */
#include <stdlib.h>

#include <sluice/limits.h>

#include "daemon/engine_internal.h"

static int64_t weigh(const struct work *work)
{
    size_t bytes = sizeof(*work) + work->record->bytes;

    if (work->arena)
        bytes += sl_arena_bytes(work->arena);
    if (work->prepared)
        bytes += sl_prepared_bytes(work->prepared);
    return (int64_t)bytes;
}

/* To its stage and to its partition's share. */
static void charge(struct sl_engine *engine, struct work *work, int64_t items)
{
    sl_budget_add(&engine->budget, work->stage, items, items * work->bytes);
    if (work->part)
        work->part->share.bytes += items * work->bytes;
}

static void charge_record(struct sl_engine *engine, struct work *work, int64_t items)
{
    int64_t bytes = items * (int64_t)work->record->bytes;

    engine->budget.record_bytes += bytes;
    if (work->part) {
        work->part->share.items += items;
        work->part->share.record_bytes += bytes;
    }
}

struct work *work_make(struct sl_engine *engine, const struct sl_message *message,
                       struct sl_part *part)
{
    struct work *work = calloc(1, sizeof(*work));

    if (!work)
        return NULL;
    work->record = sl_record_copy(message);
    if (!work->record) {
        free(work);
        return NULL;
    }
    work->part = part;
    work->step = WORK_READ;
    work->stage = SL_STAGE_LANES;
    work->lane.lane = sl_lane_of(message->topic, message->key);
    work->bytes = weigh(work);
    charge(engine, work, 1);
    charge_record(engine, work, 1);
    return work;
}

void work_free(struct sl_engine *engine, struct work *work)
{
    charge(engine, work, -1);
    charge_record(engine, work, -1);
    sl_prepared_free(work->prepared);
    sl_arena_close(work->arena);
    free(work->record);
    free(work);
}

void work_move(struct sl_engine *engine, struct work *work, enum sl_stage stage)
{
    charge(engine, work, -1);
    work->stage = stage;
    work->bytes = weigh(work);
    charge(engine, work, 1);
}

uint32_t work_line(const struct work *work)
{
    return work->part ? work->part->number : 0;
}

void work_to_workers(struct sl_engine *engine, struct work *work, enum work_step step, bool first)
{
    bool pushed;

    work->step = step;
    if (step != WORK_READ)
        work_move(engine, work, SL_STAGE_WORKERS);
    pushed = first ? sl_queue_push_front(engine->to_workers, work)
                   : sl_queue_push_line(engine->to_workers, work, work_line(work));
    if (!pushed) {
        SL_INVARIANT(sl_queue_is_closed(engine->to_workers)); /* never full: budget.h */
        work_free(engine, work);
    }
}

void work_to_indexer(struct sl_engine *engine, struct work *work)
{
    struct index_job *job = calloc(1, sizeof(*job));

    SL_INVARIANT(job != NULL);
    job->work = work;
    work_move(engine, work, SL_STAGE_INDEXER);
    if (!sl_queue_push(engine->to_indexer, job)) {
        SL_INVARIANT(sl_queue_is_closed(engine->to_indexer));
        free(job);
        work_free(engine, work);
    }
}

void work_reject(struct work *work, const struct sl_error *err)
{
    work->dead = true;
    work->error = *err;
}

struct row_job *row_make(enum sl_table table, struct sl_view key, struct sl_view value)
{
    struct row_job *row = calloc(1, sizeof(*row));

    SL_INVARIANT(row != NULL);
    row->table = table;
    row->deletes = value.data == NULL;
    sl_buffer_view(&row->key, key);
    if (!row->deletes)
        sl_buffer_view(&row->value, value);
    SL_INVARIANT(!row->key.failed && !row->value.failed);
    return row;
}

void row_free(struct row_job *row)
{
    sl_buffer_fini(&row->key);
    sl_buffer_fini(&row->value);
    free(row);
}

void row_submit(struct sl_engine *engine, struct row_job *row)
{
    struct index_job *job = calloc(1, sizeof(*job));

    SL_INVARIANT(job != NULL);
    job->row = row;
    if (sl_queue_push(engine->to_indexer, job))
        return;
    if (row->done)
        row->done(row->context, false);
    row_free(row);
    free(job);
}
