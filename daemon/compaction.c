/*
 * compaction.c -- the index written anew while the daemon runs: `sluicectl compact`.
 *
 * The indexer does it between two batches, for it is the only writer. Documents wait in their queues and the
 * feed pauses, as with a full disk; questions go on, on the old environment and then on the new. Answers that
 * would wait for their row in the reply cache go out uncached meanwhile.
 *
 * Rejected: a schedule of its own (how much room is worth the pause is the operator's to say), a thread of its
 * own (two writers).
 */
#include "daemon/compaction.h"

#include <stdio.h>

#include <sluice/json.h>

#include "daemon/indexer.h"
#include "daemon/log.h"

#define TAKE_IN_US 100000

enum sl_err sl_engine_compact(struct sl_engine *engine, struct sl_error *err)
{
    struct compaction *compaction = &engine->compaction;
    enum sl_err r = SL_OK;

    pthread_mutex_lock(&engine->mutex);
    if (engine->stopping || engine->ending)
        r = sl_fail(err, SL_AGAIN, "busy", "the daemon is stopping");
    else if (compaction->state != COMPACTION_IDLE)
        r = sl_fail(err, SL_AGAIN, "busy", "a compaction is under way");
    else
        compaction->state = COMPACTION_WANTED;
    pthread_mutex_unlock(&engine->mutex);
    return r;
}

bool compaction_is_wanted(struct sl_engine *engine)
{
    return engine->compaction.state == COMPACTION_WANTED;
}

struct progress {
    struct indexer *indexer;
    int64_t taken_us;
};

static bool show_progress(void *context, uint64_t done_bytes, uint64_t total_bytes)
{
    struct progress *progress = context;
    struct sl_engine *engine = progress->indexer->engine;

    engine->compaction.done_bytes = done_bytes;
    engine->compaction.total_bytes = total_bytes;
    sl_heartbeat_beat(progress->indexer->heartbeat);
    if (clock_us() - progress->taken_us > TAKE_IN_US) {
        progress->taken_us = clock_us();
        indexer_take_in(progress->indexer);
    }
    return !engine->stopping && !engine->ending;
}

static void finish(struct sl_engine *engine, enum sl_err r, const struct sl_rewritten *rewritten,
                   int64_t took_us, const struct sl_error *err)
{
    struct compaction *compaction = &engine->compaction;

    pthread_mutex_lock(&engine->mutex);
    compaction->state = COMPACTION_IDLE;
    compaction->finished++;
    compaction->last = *rewritten;
    compaction->last_us = took_us;
    snprintf(compaction->last_error, sizeof(compaction->last_error), "%s",
             r == SL_OK ? "" : err->message);
    pthread_mutex_unlock(&engine->mutex);
    sl_metric_add_label(SL_METRIC_INDEX_COMPACTIONS,
                        r == SL_OK ? "done" : r == SL_AGAIN ? "cancelled" : "failed", 1);
}

/* The thread of the indexer, no batch being open. */
void compaction_run(struct indexer *indexer)
{
    struct sl_engine *engine = indexer->engine;
    struct progress progress = {.indexer = indexer};
    struct sl_rewritten rewritten = {0};
    struct sl_error err = {0};
    const char *paused = engine->paused;
    int64_t from = clock_us();
    enum sl_err r;

    sl_log(SL_LOG_NOTICE, "compaction_started", "writing the index anew; documents wait, questions "
                                                "are answered");
    engine->compaction.done_bytes = 0;
    engine->compaction.state = COMPACTION_RUNNING;
    engine->paused = "compacting";
    r = sl_index_compact(engine->index, show_progress, &progress, &rewritten, &err);
    engine->paused = paused;
    finish(engine, r, &rewritten, clock_us() - from, &err);
    if (r == SL_OK)
        sl_log(SL_LOG_NOTICE, "compaction_finished", "%llu bytes before, %llu after, %.1f s",
               (unsigned long long)rewritten.before_bytes,
               (unsigned long long)rewritten.after_bytes, (double)(clock_us() - from) / 1e6);
    else
        sl_log_error(SL_LOG_ERROR, "compaction_failed", &err);
    indexer_stats(indexer);
}

void compaction_json(struct sl_engine *engine, struct sl_buffer *out)
{
    static const char *const states[] = {"idle", "wanted", "running"};
    struct compaction now;

    pthread_mutex_lock(&engine->mutex);
    now.state = engine->compaction.state;
    now.finished = engine->compaction.finished;
    now.last = engine->compaction.last;
    now.last_us = engine->compaction.last_us;
    memcpy(now.last_error, engine->compaction.last_error, sizeof(now.last_error));
    pthread_mutex_unlock(&engine->mutex);
    sl_buffer_format(out,
                     "{\"state\": \"%s\", \"done_bytes\": %llu, \"total_bytes\": %llu, \"finished\": %llu, "
                     "\"before_bytes\": %llu, \"after_bytes\": %llu, \"slots_dropped\": %llu, "
                     "\"seconds\": %.3f, \"error\": ",
                     states[now.state], (unsigned long long)engine->compaction.done_bytes,
                     (unsigned long long)engine->compaction.total_bytes,
                     (unsigned long long)now.finished, (unsigned long long)now.last.before_bytes,
                     (unsigned long long)now.last.after_bytes,
                     (unsigned long long)now.last.slots_dropped, (double)now.last_us / 1e6);
    sl_json_string(out, sl_view_of(now.last_error));
    sl_buffer_view(out, SL_VIEW("}"));
}
