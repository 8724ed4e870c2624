/*
 * workers.c -- N threads between the records and the index: decode and chunk, then prepare.
 *
 * A worker never waits for vectors: it hands the texts to the embedder and takes the next document.
 * What comes back from the embedder goes to the head of the queue, for finished work frees memory.
 * What cannot be used is marked dead and goes the same way as everything else, so that its dead
 * letter and its offset are stored together and in order.
 */
#include <sluice/limits.h>

#include "daemon/engine_internal.h"

#define BUSY_MS      5
#define PAUSE_MS     10
#define ATTEMPTS_MAX 8u

static bool make_vectors(struct sl_engine *engine, struct work *work)
{
    size_t dim = engine->embedder->dim;
    float *block = SL_NEW_ARRAY(work->arena, float, (size_t)work->ingest->text_count *dim);

    for (uint32_t i = 0; block && i < work->ingest->text_count; i++)
        work->ingest->vectors[i] = block + i * dim;
    work->texts_taken = work->texts_done = 0;
    return block != NULL;
}

static void embed(struct sl_engine *engine, struct work *work)
{
    struct sl_error err;

    sl_metric_add(SL_METRIC_EMBED_REUSED_WINDOWS, work->ingest->kept);
    if (work->ingest->text_count == 0) {
        work_to_workers(engine, work, WORK_FINISH, true);
        return;
    }
    if (!make_vectors(engine, work)) {
        sl_fail(&err, SL_REJECT, "too_large",
                "its vectors need more memory than a document may take");
        work_reject(work, &err);
        work_to_indexer(engine, work);
        return;
    }
    work_move(engine, work, SL_STAGE_EMBEDDER);
    embedder_submit(engine->embedding, work);
}

/* SL_AGAIN is a snapshot that is not free just now: to the end of the queue, a little later. */
static void settle(struct sl_engine *engine, struct work *work, enum sl_err r,
                   const struct sl_error *err)
{
    if (r == SL_STOP && sl_index_damaged(engine->index) > 0) {
        engine_sleep(engine, BUSY_MS); /* the indexer takes out what is damaged */
        work_to_workers(engine, work, work->step, false);
    } else if (r == SL_STOP) {
        engine_fail(engine, err);
        work_free(engine, work);
    } else if (r == SL_REJECT) {
        work_reject(work, err);
        work_to_indexer(engine, work);
    } else {
        sl_metric_add_labels(SL_METRIC_RETRIES, "worker", err->reason, 1);
        engine_sleep(engine, BUSY_MS);
        work_to_workers(engine, work, work->step, false);
    }
}

static void read_document(struct sl_engine *engine, struct work *work)
{
    struct sl_error err = {0};
    enum sl_err r;

    work->arena = sl_arena_close(work->arena);
    work->arena = sl_arena_open(SL_ARENA_BYTES_MAX);
    if (!work->arena) {
        r = sl_stop(&err, SL_EXIT_OS, 0, "memory", "no memory for a document");
        settle(engine, work, r, &err);
        return;
    }
    work->attempts++;
    r = sl_ingest_read(&work->record->message, &engine->ingest, engine->index, work->arena,
                       &work->ingest, &err);
    if (r != SL_OK)
        settle(engine, work, r, &err);
    else if (work->ingest->decoded == SL_DECODED_DELETE)
        work_to_indexer(engine, work);
    else
        embed(engine, work);
}

static void finish_document(struct sl_engine *engine, struct work *work)
{
    struct sl_error err = {0};
    enum sl_err r = SL_OK;

    if (!work->dead)
        r = sl_ingest_finish(work->ingest, engine->index, &work->prepared, &err);
    if (r != SL_OK)
        settle(engine, work, r, &err);
    else
        work_to_indexer(engine, work);
}

static void embed_again(struct sl_engine *engine, struct work *work)
{
    struct sl_error err = {0};
    enum sl_err r = SL_OK;

    sl_metric_add_labels(SL_METRIC_RETRIES, "indexer", "window_gone", 1);
    if (++work->attempts > ATTEMPTS_MAX)
        r = sl_fail(&err, SL_REJECT, "window_gone",
                    "its vectors vanished %u times while it was prepared", ATTEMPTS_MAX);
    else
        r = sl_ingest_again(work->ingest, &engine->ingest, &err);
    if (r != SL_OK)
        settle(engine, work, r, &err);
    else
        embed(engine, work);
}

static void run_step(struct sl_engine *engine, struct work *work)
{
    work_move(engine, work, SL_STAGE_WORKERS);
    if (work->step == WORK_READ)
        read_document(engine, work);
    else if (work->step == WORK_FINISH)
        finish_document(engine, work);
    else
        embed_again(engine, work);
}

void *worker_run(void *context)
{
    struct sl_engine *engine = context;
    struct sl_heartbeat *heartbeat = sl_heartbeat_open("worker", ENGINE_HEARTBEAT_MS * 5);
    struct work *work;

    while (!engine->ending) {
        sl_heartbeat_idle(heartbeat);
        work = sl_queue_pop(engine->to_workers, 500);
        sl_heartbeat_beat(heartbeat);
        if (!work)
            continue;
        if (work->step == WORK_READ &&
            (engine->reindex.frozen || !sl_budget_admits(&engine->budget))) {
            work_to_workers(engine, work, WORK_READ, true);
            engine_sleep(engine, PAUSE_MS);
            continue;
        }
        run_step(engine, work);
    }
    sl_heartbeat_close(heartbeat);
    return NULL;
}
