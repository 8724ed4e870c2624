/*
 * indexer.c -- the only writer: results into batches, batches into the index.
 *
 *     gather   results that are there, at most BATCH_ITEMS, engine->batch_bytes or BATCH_MS after the first
 *     apply    documents, deletes, dead letters (into the outbox), rows; then the positions they
 *              account for
 *     commit   all of it, or nothing
 *
 * A position is staged in its ledger while the batch is open and becomes done with the commit, so
 * what is stored and what the ledger says can never differ. When the map or the disk is full the
 * batch is kept and tried again, deletes and row deletions first because they make room; meanwhile
 * nothing is taken from Kafka (the feed pauses), and questions go on. Any other failure to write
 * ends the program: either outcome of the commit is consistent.
 *
 * Rejected: several writers (LMDB has one anyway), committing per document (two disk syncs each).
 * Known weakness: preparing a batch again after a full disk is done here, on one thread.
 */
#include <stdlib.h>
#include <string.h>

#include <sluice/limits.h>

#include "daemon/indexer.h"
#include "daemon/log.h"
#include "daemon/mender.h"
#include "daemon/resync.h"

#define BATCH_ITEMS 512u
#define BATCH_MS    20
#define POSITION_US                                                                                \
    1000000 /* a moved position is stored after this long even with nothing else to write */
#define RETRY_MS     500u
#define RETRY_MS_MAX 30000u
#define STATS_US     1000000

/* ------------------------------------------------------------------------------ open and close */

static bool last_row(void *context, struct sl_view key, struct sl_view value)
{
    struct indexer *indexer = context;
    uint64_t sequence = 0;

    (void)value;
    for (size_t i = 0; i < key.size && i < 8; i++)
        sequence = sequence << 8 | (uint8_t)key.data[i];
    indexer->outbox_next = sequence + 1;
    indexer->engine->outbox_waiting++;
    return true;
}

struct indexer *indexer_open(struct sl_engine *engine, struct sl_error *err)
{
    struct indexer *indexer = calloc(1, sizeof(*indexer));
    struct sl_snapshot *snapshot = NULL;
    enum sl_err r;

    SL_INVARIANT(indexer != NULL);
    indexer->engine = engine;
    indexer->outbox_next = 1;
    indexer->arena = sl_arena_open(SL_ARENA_BYTES_MAX);
    SL_INVARIANT(indexer->arena != NULL);
    r = sl_snapshot_open(engine->index, &snapshot, err);
    if (r == SL_OK)
        r = sl_snapshot_rows(snapshot, SL_TABLE_OUTBOX, SL_VIEW_NULL, last_row, indexer, err);
    sl_snapshot_close(snapshot);
    if (r != SL_OK) {
        indexer_close(engine, indexer);
        return NULL;
    }
    indexer_stats(indexer);
    return indexer;
}

static void free_job(struct sl_engine *engine, struct index_job *job)
{
    if (job->work)
        work_free(engine, job->work);
    if (job->row) {
        if (job->row->done)
            job->row->done(job->row->context, false);
        row_free(job->row);
    }
    free(job);
}

struct indexer *indexer_close(struct sl_engine *engine, struct indexer *indexer)
{
    struct index_job *job;

    if (!indexer)
        return NULL;
    while ((job = indexer->first)) {
        indexer->first = job->next;
        free_job(engine, job);
    }
    while ((job = sl_queue_pop(engine->to_indexer, 0)))
        free_job(engine, job);
    sl_arena_close(indexer->arena);
    free(indexer);
    return NULL;
}

/* ------------------------------------------------------------------------------ gathering */

static void keep(struct indexer *indexer, struct index_job *job)
{
    job->next = NULL;
    if (indexer->last)
        indexer->last->next = job;
    else
        indexer->first = job;
    indexer->last = job;
    indexer->count++;
    if (job->work)
        indexer->bytes += job->work->bytes;
}

/* Take what is there; wait for the first at most wait_ms, and BATCH_MS for what follows it. */
static void gather(struct indexer *indexer, int wait_ms)
{
    struct sl_queue *queue = indexer->engine->to_indexer;
    struct index_job *job = sl_queue_pop(queue, wait_ms);
    int64_t until = clock_us() + BATCH_MS * 1000;

    while (job) {
        int left = (int)((until - clock_us()) / 1000);

        keep(indexer, job);
        if (indexer->count >= BATCH_ITEMS || indexer->bytes >= indexer->engine->batch_bytes)
            return;
        job = sl_queue_pop(queue, left > 0 ? left : 0);
    }
}

/* ------------------------------------------------------------------------------ after a commit */

static void log_letter(const struct work *work)
{
    const struct sl_message *message = &work->record->message;
    struct sl_log_fields fields = {
        .topic = work->part->topic,
        .partition = message->partition,
        .has_offset = true,
        .offset = message->offset,
        .reason = work->error.reason,
        .attempt = work->attempts,
    };

    sl_log_with(SL_LOG_WARNING, "document_rejected", &fields,
                "%s/%d offset %lld cannot be used: %s", work->part->topic, (int)message->partition,
                (long long)message->offset, work->error.reason);
}

/* The metric's label. */
static const char *op_of(enum sl_applied applied)
{
    switch (applied) {
    case SL_APPLIED_INSERTED:
    case SL_APPLIED_REPLACED:
        return "upsert";
    case SL_APPLIED_COPIED:
        return "copy";
    case SL_APPLIED_UNCHANGED:
        return "touch";
    default:
        return "delete";
    }
}

/* How old the change is now that it is found. Clocks of producers may be ahead of ours. */
static void observe_latency(const struct work *work)
{
    int64_t written_ms = work->record->message.timestamp_ms;
    int64_t latency_ms = clock_wall_ms() - written_ms;

    if (written_ms >= 0)
        sl_metric_observe(SL_METRIC_DOCUMENT_LATENCY, latency_ms > 0 ? (double)latency_ms / 1e3 : 0);
}

static void finish_work(struct sl_engine *engine, struct work *work)
{
    struct sl_lane_item *next = sl_lanes_leave(engine->lanes, work->lane.lane);

    if (work->dead) {
        sl_metric_add_label(SL_METRIC_DLQ_RECORDS, work->error.reason, 1);
        log_letter(work);
    } else if (work->applied == SL_APPLIED_STALE) {
        sl_metric_add(SL_METRIC_DOCUMENTS_STALE, 1);
    } else {
        sl_metric_add_label(SL_METRIC_DOCUMENTS_APPLIED, op_of(work->applied), 1);
        observe_latency(work);
    }
    work_free(engine, work);
    if (next)
        work_to_workers(engine, (struct work *)next, WORK_READ, false);
}

static void finish_jobs(struct indexer *indexer, struct index_job *list)
{
    struct sl_engine *engine = indexer->engine;

    while (list) {
        struct index_job *job = list;

        list = job->next;
        if (job->work) {
            finish_work(engine, job->work);
        } else {
            if (job->row->table == SL_TABLE_OUTBOX && job->row->deletes)
                engine->outbox_waiting--;
            if (job->row->done)
                job->row->done(job->row->context, true);
            row_free(job->row);
        }
        free(job);
    }
}

/* ------------------------------------------------------------------------------ the loop */

static bool is_full(const struct sl_error *err)
{
    return strcmp(err->reason, "map_full") == 0 || strcmp(err->reason, "disk_full") == 0;
}

static const char *full_word(const struct sl_error *err)
{
    return strcmp(err->reason, "map_full") == 0 ? "map_full" : "disk_full";
}

static bool makes_room(const struct index_job *job)
{
    if (job->row)
        return job->row->deletes;
    return !job->work->dead && job->work->ingest->decoded == SL_DECODED_DELETE;
}

/* Take gathered jobs, the first `limit` of them or of those that make room; the rest is kept. */
static struct index_job *take_jobs(struct indexer *indexer, bool only_room, uint32_t limit)
{
    struct index_job *taken = NULL, **end = &taken, **at = &indexer->first;

    indexer->last = NULL;
    while (*at) {
        struct index_job *job = *at;

        if (limit == 0 || (only_room && !makes_room(job))) {
            indexer->last = job;
            at = &job->next;
            continue;
        }
        *at = job->next;
        job->next = NULL;
        *end = job;
        end = &job->next;
        limit--;
        indexer->count--;
        if (job->work)
            indexer->bytes -= job->work->bytes;
    }
    return taken;
}

static void give_back(struct indexer *indexer, struct index_job *list)
{
    while (list) {
        struct index_job *next = list->next;

        keep(indexer, list);
        list = next;
    }
}

static enum sl_err try_jobs(struct indexer *indexer, bool only_room, uint32_t limit,
                            struct sl_error *err)
{
    struct index_job *list = take_jobs(indexer, only_room, limit);
    uint64_t letters = 0;
    enum sl_err r;

    if (only_room && !list)
        return SL_OK;
    r = indexer_write(indexer, &list, &letters, err);
    if (r != SL_OK) {
        give_back(indexer, list);
        return r;
    }
    indexer->stored_us = clock_us();
    indexer->engine->outbox_waiting +=
        indexer->engine->config->documents.dead_letter_topic[0] ? letters : 0;
    indexer->engine->outbox_rows += letters;
    finish_jobs(indexer, list);
    return SL_OK;
}

/* Replies that wait to be cached go out uncached while nothing can be written. */
static void drop_reply_rows(struct indexer *indexer)
{
    struct index_job *list = take_jobs(indexer, false, UINT32_MAX);

    while (list) {
        struct index_job *job = list;

        list = job->next;
        if (job->row && job->row->table == SL_TABLE_REPLY)
            free_job(indexer->engine, job);
        else
            keep(indexer, job);
    }
}

void indexer_take_in(struct indexer *indexer)
{
    gather(indexer, 0);
    drop_reply_rows(indexer);
}

/* Take in what comes, without holding up a stop. */
static void wait_paused(struct indexer *indexer, uint32_t wait_ms)
{
    int64_t until = clock_us() + (int64_t)wait_ms * 1000;

    while (clock_us() < until && !indexer->engine->ending) {
        sl_heartbeat_beat(indexer->heartbeat);
        gather(indexer, 100);
        drop_reply_rows(indexer);
        if (clock_us() - indexer->stats_us > STATS_US)
            indexer_stats(indexer);
        reindex_upkeep(indexer);
        if (compaction_is_wanted(indexer->engine)) {
            compaction_run(indexer);
            return; /* there may be room now */
        }
    }
}

/*
 * A batch copies every page it touches, so a smaller one may still fit: halve it down to a single
 * job, and go on in that size. What makes room goes first.
 */
static enum sl_err try_smaller(struct indexer *indexer, struct sl_error *err)
{
    enum sl_err r = try_jobs(indexer, true, UINT32_MAX, err);
    uint32_t limit = indexer->count;

    while (limit > 0 && (indexer->first || r != SL_OK)) {
        sl_heartbeat_beat(indexer->heartbeat);
        r = try_jobs(indexer, false, limit, err);
        if (r == SL_OK && !indexer->first)
            break;
        if (r != SL_OK && (!is_full(err) || limit == 1))
            break;
        if (r != SL_OK)
            limit /= 2;
    }
    return r;
}

static void pause_until_room(struct indexer *indexer, struct sl_error *err)
{
    struct sl_engine *engine = indexer->engine;
    uint32_t wait_ms = RETRY_MS;
    enum sl_err r = try_smaller(indexer, err);

    if (r == SL_OK)
        return;
    sl_log_error(SL_LOG_ERROR, "index_full", err);
    while (r != SL_OK && is_full(err) && !engine->ending) {
        engine->paused = full_word(err);
        sl_metric_set_label(SL_METRIC_STATE, "paused", 1);
        wait_paused(indexer, wait_ms);
        wait_ms = wait_ms * 2 < RETRY_MS_MAX ? wait_ms * 2 : RETRY_MS_MAX;
        r = try_smaller(indexer, err);
    }
    if (r == SL_OK) {
        engine->paused = NULL;
        sl_metric_set_label(SL_METRIC_STATE, "paused", 0);
        sl_log(SL_LOG_NOTICE, "index_resumed", "there is room again: documents are being taken");
    } else if (!is_full(err)) {
        engine_fail(engine, err);
    }
}

static bool position_is_due(struct indexer *indexer)
{
    struct sl_book *book = &indexer->engine->documents;
    bool dirty = false;

    if (clock_us() - indexer->stored_us < POSITION_US)
        return false;
    sl_book_lock(book);
    for (uint32_t i = 0; i < book->count; i++)
        dirty |= book->parts[i]->dirty;
    sl_book_unlock(book);
    return dirty;
}

/* Documents that were met damaged go before anything else is written. */
static void mend(struct indexer *indexer)
{
    struct sl_error err = {0};
    enum sl_err r = mender_take_out(indexer->engine, &err);

    if (r == SL_OK)
        indexer_stats(indexer);
    else if (r == SL_STOP && is_full(&err))
        wait_paused(indexer, RETRY_MS);
    else if (r == SL_STOP)
        engine_fail(indexer->engine, &err);
}

/* A partition that is read again: one step of it, after what came by itself. */
static void resync(struct indexer *indexer)
{
    struct sl_engine *engine = indexer->engine;
    struct sl_error err = {0};

    if (sl_engine_failed(engine, &err) || resync_step(engine, &err) == SL_OK)
        return;
    if (!is_full(&err)) {
        engine_fail(engine, &err);
        return;
    }
    sl_log_error(SL_LOG_ERROR, "index_full", &err);
    wait_paused(indexer, RETRY_MS);
}

static void run_once(struct indexer *indexer)
{
    struct sl_engine *engine = indexer->engine;
    struct sl_error err = {0};
    bool resyncs = resync_is_due(engine);

    gather(indexer, resyncs ? 0 : 100);
    mend(indexer);
    if (indexer->first || position_is_due(indexer)) {
        if (try_jobs(indexer, false, UINT32_MAX, &err) != SL_OK) {
            if (is_full(&err))
                pause_until_room(indexer, &err);
            else if (sl_index_damaged(engine->index) == 0) /* else it is mended, and tried again */
                engine_fail(engine, &err);
        }
    }
    if (resyncs)
        resync(indexer);
    if (clock_us() - indexer->stats_us > STATS_US)
        indexer_stats(indexer);
    reindex_upkeep(indexer);
    if (compaction_is_wanted(engine) && !sl_engine_failed(engine, &err))
        compaction_run(indexer);
}

static void last_batch(struct indexer *indexer)
{
    struct sl_error err = {0};

    indexer->stored_us = 0;
    if ((indexer->first || position_is_due(indexer)) &&
        try_jobs(indexer, false, UINT32_MAX, &err) != SL_OK)
        sl_log_error(SL_LOG_ERROR, "last_batch_failed", &err);
}

/* Ends when the queue is closed and empty: all producers of jobs have stopped by then. */
void *indexer_run(void *context)
{
    struct sl_engine *engine = context;
    struct indexer *indexer = engine->indexer;
    struct sl_error failure;

    indexer->heartbeat = sl_heartbeat_open("indexer", ENGINE_HEARTBEAT_MS * 2);
    while (!sl_queue_is_closed(engine->to_indexer) || sl_queue_count(engine->to_indexer) > 0) {
        sl_heartbeat_beat(indexer->heartbeat);
        run_once(indexer);
        if (sl_engine_failed(engine, &failure) && sl_queue_is_closed(engine->to_indexer))
            break;
    }
    if (!sl_engine_failed(engine, &failure) && !engine->paused)
        last_batch(indexer);
    sl_heartbeat_close(indexer->heartbeat);
    return NULL;
}
