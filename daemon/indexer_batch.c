/*
 * indexer_batch.c -- one batch: results and rows applied, positions stored, committed.
 *
 * An offset is staged in its ledger once its result is in the batch. The positions written count
 * staged offsets as done; after the commit they are done, after an abort open again. The ledger's
 * lock is never held while LMDB works.
 */
#include <stdlib.h>
#include <string.h>

#include <sluice/limits.h>

#include "daemon/dead_letter.h"
#include "daemon/indexer.h"

static enum sl_err store_letter(struct indexer *indexer, struct sl_batch *batch, struct work *work,
                                struct sl_error *err)
{
    struct sl_engine *engine = indexer->engine;
    struct sl_dead_letter letter = {
        .topic = engine->config->documents.dead_letter_topic,
        .instance = engine->instance,
        .space = engine->cluster_space,
        .message = &work->record->message,
        .reason = work->error.reason,
        .explanation = work->error.message,
        .attempts = work->attempts ? work->attempts : 1,
        .value_omitted = work->record->message.value.size > SL_RECORD_BYTES_MAX,
    };
    struct sl_outgoing outgoing;
    struct sl_buffer bytes = {0};
    uint8_t key[8];
    enum sl_err r;

    if (letter.topic[0] == 0)
        return SL_OK;
    r = sl_dead_letter_make(&letter, indexer->arena, &outgoing, err);
    if (r != SL_OK)
        return r;
    sl_outgoing_encode(&outgoing, &bytes);
    for (int i = 0; i < 8; i++)
        key[i] = (uint8_t)(indexer->outbox_next >> (8 * (7 - i)));
    indexer->outbox_next++;
    if (bytes.failed)
        r = sl_stop(err, SL_EXIT_OS, 0, "memory", "no memory for a dead letter");
    else
        r = sl_batch_row(batch, SL_TABLE_OUTBOX, (struct sl_view){(const char *)key, sizeof(key)},
                         (struct sl_view){bytes.data, bytes.size}, err);
    sl_buffer_fini(&bytes);
    return r;
}

static enum sl_err apply_document(struct sl_engine *engine, struct sl_batch *batch,
                                  struct work *work, enum sl_applied *ret_applied,
                                  struct sl_error *err)
{
    const struct sl_message *message = &work->record->message;
    enum sl_err r = SL_OK;

    if (work->ingest->decoded == SL_DECODED_DELETE)
        return sl_batch_delete(batch, message->topic, message->key, message->partition,
                               message->offset, ret_applied, err);
    if (!work->prepared) /* went with a batch that was aborted */
        r = sl_ingest_finish(work->ingest, engine->index, &work->prepared, err);
    if (r == SL_OK)
        r = sl_batch_apply(batch, work->prepared, ret_applied, err);
    if (r == SL_OK || r == SL_REJECT)
        work->prepared = NULL; /* consumed */
    return r;
}

static enum sl_err apply_work(struct indexer *indexer, struct sl_batch *batch, struct work *work,
                              uint64_t *letters, struct sl_error *err)
{
    enum sl_err r = SL_OK;

    if (!work->dead) {
        r = apply_document(indexer->engine, batch, work, &work->applied, err);
        if (r == SL_REJECT)
            work_reject(work, err);
        else if (r != SL_OK)
            return r;
    }
    if (work->dead) {
        ++*letters;
        return store_letter(indexer, batch, work, err);
    }
    return SL_OK;
}

/* Its document is not in the index (any more), and this record says that it should not be. */
static bool has_deleted(const struct work *work)
{
    return !work->dead &&
           (work->applied == SL_APPLIED_DELETED || work->applied == SL_APPLIED_ABSENT);
}

static enum sl_err apply_row(struct sl_batch *batch, const struct row_job *row,
                             struct sl_error *err)
{
    struct sl_view key = {row->key.data, row->key.size};
    struct sl_view value = {row->value.data ? row->value.data : "", row->value.size};

    return sl_batch_row(batch, row->table, key, row->deletes ? SL_VIEW_NULL : value, err);
}

static void stage_work(struct sl_engine *engine, const struct work *work)
{
    struct sl_part *part = work->part;

    if (work->again)
        return;
    sl_book_lock(&engine->documents);
    sl_ledger_stage(part->ledger, work->record->message.offset);
    part->setting_aside += work->dead;
    part->dirty = true;
    sl_book_unlock(&engine->documents);
}

/* The ledger's arrays are copied out under the lock: the feed goes on delivering while the batch is
 * written. */
static enum sl_err store_position(struct indexer *indexer, struct sl_batch *batch,
                                  struct sl_part *part, struct sl_error *err)
{
    struct sl_book *book = &indexer->engine->documents;
    struct sl_position position;
    struct sl_offset_range *ranges;
    bool dirty;

    sl_book_lock(book);
    dirty = part->dirty && part->resync.step != SL_RESYNC_DOUBT && sl_ledger_end(part->ledger) >= 0;
    if (dirty) {
        sl_ledger_position(part->ledger, &position);
        ranges =
            SL_NEW_ARRAY(indexer->arena, struct sl_offset_range, position.completed_count + 1u);
        SL_INVARIANT(ranges != NULL);
        if (position.completed_count)
            memcpy(ranges, position.completed, position.completed_count * sizeof(*ranges));
        position.completed = ranges;
        position.wall_ms = part->whole_stored_ms = part->whole_ms;
        part->storing = position.next_offset;
        part->storing_ms = position.record_timestamp_ms;
        part->dirty = false;
    }
    sl_book_unlock(book);
    if (!dirty)
        return SL_OK;
    return sl_batch_position(batch, sl_view_of(part->topic), part->partition, &position, err);
}

/* The list is copied: a partition that is added meanwhile has nothing in this batch. */
static enum sl_err store_positions(struct indexer *indexer, struct sl_batch *batch,
                                   struct sl_error *err)
{
    struct sl_book *book = &indexer->engine->documents;
    struct sl_part **parts;
    uint32_t count;
    enum sl_err r = SL_OK;

    sl_book_lock(book);
    count = book->count;
    parts = SL_NEW_ARRAY(indexer->arena, struct sl_part *, count + 1u);
    SL_INVARIANT(parts != NULL);
    if (count)
        memcpy(parts, book->parts, count * sizeof(struct sl_part *));
    sl_book_unlock(book);
    for (uint32_t i = 0; r == SL_OK && i < count; i++)
        r = store_position(indexer, batch, parts[i], err);
    return r;
}

/* What was staged is done, or open again and to be stored with the next batch. */
static void settle_ledgers(struct sl_engine *engine, bool committed)
{
    struct sl_book *book = &engine->documents;

    sl_book_lock(book);
    for (uint32_t i = 0; i < book->count; i++) {
        struct sl_part *part = book->parts[i];

        if (committed && part->storing >= 0) {
            part->committed = part->storing;
            if (part->storing_ms > part->newest_ms)
                part->newest_ms = part->storing_ms;
        }
        if (!committed && part->storing >= 0)
            part->dirty = true;
        part->set_aside += committed ? part->setting_aside : 0;
        part->setting_aside = 0;
        part->storing = -1;
        if (committed)
            sl_ledger_commit(part->ledger);
        else
            sl_ledger_abort(part->ledger);
        sl_part_settle(part);
    }
    pthread_cond_broadcast(&book->moved);
    sl_book_unlock(book);
}

static enum sl_err commit(struct sl_batch *batch, struct sl_error *err)
{
    int64_t start = clock_us();
    enum sl_err r = sl_batch_commit(batch, err);

    sl_metric_observe(SL_METRIC_LMDB_COMMIT_DURATION, (double)(clock_us() - start) / 1e6);
    if (r != SL_OK)
        sl_metric_add_label(SL_METRIC_LMDB_COMMIT_FAILURES, err->reason, 1);
    return r;
}

static uint32_t length_of(const struct index_job *list)
{
    uint32_t length = 0;

    for (; list; list = list->next)
        length++;
    return length;
}

/*
 * Apply the jobs of `list` and commit. SL_AGAIN never leaves here: a document whose window is gone
 * is taken out of the list and goes back to a worker.
 */
enum sl_err indexer_write(struct indexer *indexer, struct index_job **list, uint64_t *ret_letters,
                          struct sl_error *err)
{
    struct sl_engine *engine = indexer->engine;
    struct sl_batch *batch = NULL;
    struct sl_view *deleted = SL_NEW_ARRAY(indexer->arena, struct sl_view, length_of(*list) + 1u);
    uint32_t deleted_count = 0;
    enum sl_err r = sl_batch_begin(engine->index, &batch, err);

    SL_INVARIANT(deleted != NULL);
    *ret_letters = 0;
    for (struct index_job **at = list; r == SL_OK && *at;) {
        struct index_job *job = *at;

        r = job->row ? apply_row(batch, job->row, err)
                     : apply_work(indexer, batch, job->work, ret_letters, err);
        if (r == SL_AGAIN) {
            *at = job->next;
            job->work->prepared = sl_prepared_free(job->work->prepared);
            work_to_workers(engine, job->work, WORK_AGAIN, true);
            free(job);
            r = SL_OK;
            continue;
        }
        if (r == SL_OK && job->work) {
            stage_work(engine, job->work);
            if (has_deleted(job->work))
                deleted[deleted_count++] = job->work->record->message.key;
        }
        at = &job->next;
    }
    if (r == SL_OK)
        r = reply_cache_forget(engine, batch, deleted, deleted_count, indexer->arena, err);
    if (r == SL_OK)
        r = store_positions(indexer, batch, err);
    r = r == SL_OK ? commit(batch, err) : (sl_batch_abort(batch), r);
    settle_ledgers(engine, r == SL_OK);
    sl_arena_reset(indexer->arena);
    return r;
}
