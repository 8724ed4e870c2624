/*
 * batch.c -- one write transaction: begin, commit, abort, and the small rows in it.
 *
 * Graph and numbers in RAM change while the batch is built, before anything is on disk. When the batch ends
 * any other way than well they are read anew from the last commit: rare, and simpler to be sure of than
 * undoing each change.
 */
#include "index/internal.h"
#include "index/runs.h"

#include <stdlib.h>

#define SETTLE_SHARE 8u /* of the file: one page in so many was let go */

/* Of the snapshots of this graph: older ones, of an environment that was replaced, have their own. */
static uint64_t oldest_epoch(struct sl_index *index, uint64_t newest)
{
    (void)pthread_mutex_lock(&index->lock);
    for (const struct sl_snapshot *s = index->snapshots; s != NULL; s = s->next)
        if (s->graph == index->graph && s->epoch < newest)
            newest = s->epoch;
    (void)pthread_mutex_unlock(&index->lock);
    return newest;
}

static void batch_free(struct sl_batch *batch)
{
    for (uint32_t i = 0; i < batch->segment_count; i++)
        free(batch->segments[i]);
    free(batch->segments);
    sl_deltas_fini(&batch->deltas);
    (void)sl_arena_close(batch->arena);
    free(batch->cleaned);
    free(batch);
}

enum sl_err sl_batch_begin(struct sl_index *index, struct sl_batch **ret_batch,
                           struct sl_error *err)
{
    struct sl_batch *batch;
    enum sl_err rc;

    SL_PRE(!index->batch_open && !index->read_only);
    if (index->broken)
        return sl_stop(err, SL_EXIT_IO, 0, "io",
                       "index: an earlier commit failed in the middle; close and open it again");
    batch = calloc(1, sizeof *batch);
    if (batch == NULL)
        return sl_batch_memory(err);
    batch->index = index;
    batch->graph = index->graph;
    batch->arena = sl_arena_open(SL_ARENA_BYTES_MAX);
    rc = batch->arena == NULL ? sl_batch_memory(err)
                              : sl_txn_begin(index->store, true, &batch->txn, err);
    if (rc == SL_OK)
        rc = sl_index_state(batch->txn, &batch->state, err);
    if (rc != SL_OK) {
        (void)sl_txn_abort(batch->txn);
        batch_free(batch);
        return rc;
    }
    if (batch->graph != NULL) {
        uint64_t id = sl_txn_id(batch->txn);
        batch->epoch = sl_graph_epoch(batch->graph, id);
        sl_graph_quiesce(batch->graph);
        sl_graph_reclaim(batch->graph, oldest_epoch(index, id - 1));
    }
    index->batch_open = true;
    *ret_batch = batch;
    return SL_OK;
}

enum sl_err sl_batch_failed(struct sl_batch *batch, enum sl_err rc)
{
    batch->failed = batch->failed || rc == SL_STOP;
    return rc;
}

/* ------------------------------------------------------------------------------------ ending */

/* Let go of the transaction and bring RAM back to the last commit. */
static enum sl_err roll_back(struct sl_batch *batch, struct sl_error *err)
{
    struct sl_index *index = batch->index;
    enum sl_err rc = SL_OK;

    (void)sl_txn_abort(batch->txn);
    sl_quarantine_undo(batch);
    if (batch->touched)
        rc = sl_index_reload(index, err);
    index->broken = index->broken || rc != SL_OK;
    index->batch_open = false;
    batch_free(batch);
    return rc;
}

struct sl_batch *sl_batch_abort(struct sl_batch *batch)
{
    if (batch != NULL)
        (void)roll_back(batch, NULL);
    return NULL;
}

static enum sl_err write_segments(struct sl_batch *batch, struct sl_error *err)
{
    enum sl_err rc = SL_OK;

    for (uint32_t i = 0; rc == SL_OK && i < batch->segment_count; i++) {
        struct sl_key key = sl_key_number(batch->segments[i]->number);
        const struct sl_segment *segment = &batch->segments[i]->segment;
        rc = sl_txn_put(batch->txn, SL_STORE_SEGMENT, sl_key_view(&key),
                        (struct sl_view){(const char *)segment, sizeof *segment}, err);
    }
    return rc;
}

static enum sl_err write_all(struct sl_batch *batch, struct sl_error *err)
{
    enum sl_err rc =
        sl_deltas_flush(&batch->deltas, batch->txn, &batch->state.run_changes, err);

    if (rc == SL_OK)
        rc = write_segments(batch, err);
    if (rc == SL_OK)
        rc = sl_runs_settle(batch->txn, &batch->state, err);
    if (rc == SL_OK && batch->graph != NULL)
        rc = sl_graph_save(batch->graph, batch->txn, &batch->state, err);
    if (rc != SL_OK)
        return rc;
    batch->state.sequence++;
    return sl_txn_put(batch->txn, SL_STORE_META, SL_VIEW("state"),
                      (struct sl_view){(const char *)&batch->state, sizeof batch->state}, err);
}

/*
 * LMDB uses pages again two commits after the one that let them go. When a large part of the file has been let go,
 * an empty commit in between spares the next batch from growing the file by as much again; what is free then and
 * not in use soon takes no room on the disk. A full disk is no failure here: the batch is committed.
 */
static void settle(struct sl_index *index, uint64_t enough, const struct sl_state *state)
{
    struct sl_txn *txn;
    struct sl_error err = {0};

    if (sl_txn_begin(index->store, true, &txn, NULL) != SL_OK)
        return;
    if (sl_txn_put(txn, SL_STORE_META, SL_VIEW("state"),
                   (struct sl_view){(const char *)state, sizeof *state}, NULL) != SL_OK) {
        (void)sl_txn_abort(txn);
        return;
    }
    index->freed_pages = 0;
    if (sl_txn_commit(txn, &err) != SL_OK)
        index->broken = strcmp(err.reason, "map_full") != 0 && strcmp(err.reason, "disk_full") != 0;
    else if (sl_store_release_free(index->store))
        index->freed_pages = enough - enough / 16; /* soon again */
}

static enum sl_err after_commit(struct sl_batch *batch, struct sl_error *err)
{
    struct sl_index *index = batch->index;
    struct sl_txn *txn = NULL;
    uint64_t enough;
    enum sl_err rc = SL_OK;

    if (sl_txn_begin(index->store, false, &txn, NULL) == SL_OK)
        index->freed_pages += sl_txn_freed(txn);
    if (batch->graph != NULL)
        rc = sl_graph_saved(batch->graph, txn, err);
    (void)sl_txn_abort(txn);
    index->broken = index->broken || rc != SL_OK;
    enough = sl_store_pages(index->store) / SETTLE_SHARE;
    if (rc == SL_OK && index->freed_pages > enough)
        settle(index, enough, &batch->state);
    index->batch_open = false;
    batch_free(batch);
    return rc;
}

enum sl_err sl_batch_commit(struct sl_batch *batch, struct sl_error *err)
{
    struct sl_error local;
    enum sl_err rc;

    SL_PRE(!batch->failed);
    err = err != NULL ? err : &local;
    batch->touched = true;
    rc = write_all(batch, err);
    if (rc == SL_OK) {
        rc = sl_txn_commit(SL_TAKE(batch->txn), err);
        if (rc == SL_OK)
            return after_commit(batch, err);
    }
    batch->index->broken = strcmp(err->reason, "map_full") != 0 &&
                           strcmp(err->reason, "disk_full") != 0;
    if (roll_back(batch, &local) != SL_OK && err->exit_code == 0)
        *err = local;
    return rc;
}

/* ------------------------------------------------------------------------------------- parts */

enum sl_err sl_batch_segment(struct sl_batch *batch, uint32_t number,
                             struct sl_segment **ret_segment, struct sl_error *err)
{
    struct sl_key key = sl_key_number(number);
    struct sl_segment_edit *edit;
    struct sl_view payload;
    enum sl_err rc;

    for (uint32_t i = 0; i < batch->segment_count; i++)
        if (batch->segments[i]->number == number) {
            *ret_segment = &batch->segments[i]->segment;
            return SL_OK;
        }
    if (batch->segment_count == batch->segment_capacity) {
        uint32_t capacity = batch->segment_capacity * 2 + 16;
        struct sl_segment_edit **list =
            realloc(batch->segments, capacity * sizeof *batch->segments);
        if (list == NULL)
            return sl_batch_memory(err);
        batch->segments = list;
        batch->segment_capacity = capacity;
    }
    edit = calloc(1, sizeof *edit);
    if (edit == NULL)
        return sl_batch_memory(err);
    edit->number = number;
    rc = sl_txn_get(batch->txn, SL_STORE_SEGMENT, sl_key_view(&key), &payload, err);
    if (rc == SL_OK && payload.size != sizeof edit->segment)
        rc = sl_corrupt(err, "segment", number, "wrong length");
    if (rc == SL_STOP) {
        free(edit);
        return rc;
    }
    if (rc == SL_OK)
        memcpy(&edit->segment, payload.data, sizeof edit->segment);
    batch->segments[batch->segment_count++] = edit;
    *ret_segment = &edit->segment;
    return SL_OK;
}

enum sl_err sl_batch_position(struct sl_batch *batch, struct sl_view topic, int32_t partition,
                              const struct sl_position *position, struct sl_error *err)
{
    SL_CLEANUP(sl_buffer_fini) struct sl_buffer buffer = {0};
    struct sl_key key = sl_key_position(topic, partition);

    SL_PRE(!batch->failed);
    sl_write_u64(&buffer, (uint64_t)position->next_offset);
    sl_write_u64(&buffer, (uint64_t)position->wall_ms);
    sl_write_u64(&buffer, (uint64_t)position->record_offset);
    sl_write_u64(&buffer, (uint64_t)position->record_timestamp_ms);
    sl_write_u32(&buffer, position->record_crc);
    sl_write_u32(&buffer, position->completed_count);
    for (uint32_t i = 0; i < position->completed_count; i++) {
        sl_write_u64(&buffer, (uint64_t)position->completed[i].first);
        sl_write_u64(&buffer, (uint64_t)position->completed[i].last);
    }
    if (buffer.failed)
        return sl_batch_failed(batch, sl_batch_memory(err));
    return sl_batch_failed(batch, sl_txn_put(batch->txn, SL_STORE_POSITION, sl_key_view(&key),
                                             sl_buffer_as_view(&buffer), err));
}

enum sl_err sl_batch_row(struct sl_batch *batch, enum sl_table table, struct sl_view key,
                         struct sl_view value, struct sl_error *err)
{
    enum sl_store_table where = (enum sl_store_table)(SL_STORE_OUTBOX + (int)table - 1);

    SL_PRE(!batch->failed && key.size >= 1 && key.size <= 400 && table >= SL_TABLE_OUTBOX &&
           table <= SL_TABLE_NOTE);
    if (value.data == NULL)
        return sl_batch_failed(batch, sl_txn_delete(batch->txn, where, key, NULL, err));
    return sl_batch_failed(batch, sl_txn_put(batch->txn, where, key, value, err));
}
