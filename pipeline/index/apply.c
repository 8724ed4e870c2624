/*
 * apply.c -- putting, replacing and deleting one document inside a batch.
 *
 * A document is replaced whole, but what stays the same is not touched. New chunks take over the
 * numbers of old ones: first those that share a window (its vector and its place in the graph are
 * then kept as they are), then those with the same terms, then any. Postings change only where a
 * term or a count differs.
 *
 * A window that moved into a chunk with another number is inserted again with its stored vector:
 * which chunk a slot belongs to never changes, so that older snapshots may rely on it.
 *
 * A document that copies hang on leaves its chunks to one of them when it goes (copies.c). If it is
 * replaced, its next version is a document of its own, and takes from the chunks it leaves the
 * vectors it wanted to keep.
 */
#include "index/change.h"
#include "index/runs.h"

#include <stdlib.h>

#include <sluice/hash.h>

#define DELTAS_MAX (1u << 20)

/* ------------------------------------------------------------------------------------- terms */

static void term_delta(struct sl_change *change, uint32_t number, struct sl_view term,
                       uint32_t count, uint32_t length)
{
    struct sl_batch *batch = change->batch;
    struct sl_key key =
        sl_key_post(sl_run_of(&batch->state, number / SL_SEGMENT_CHUNKS, term), term);

    sl_deltas_add(&batch->deltas, SL_STORE_POST, sl_key_view(&key), number, count, length);
}

/*
 * The difference of two sorted lists of terms, as changes to one chunk's postings. They hold a code
 * of the chunk's length, too: where that changed (`all`), every one does.
 */
static void change_terms(struct sl_change *change, uint32_t number, struct sl_view old_terms,
                         struct sl_view new_terms, uint32_t length, bool all)
{
    struct sl_reader old_reader = sl_reader_of(old_terms), new_reader = sl_reader_of(new_terms);
    struct sl_term_row old, fresh;
    bool has_old = sl_terms_next(&old_reader, &old);
    bool has_new = sl_terms_next(&new_reader, &fresh);

    while (has_old || has_new) {
        int order = !has_old ? 1 : !has_new ? -1 : 0;
        if (has_old && has_new) {
            size_t common = old.term.size < fresh.term.size ? old.term.size : fresh.term.size;
            order = memcmp(old.term.data, fresh.term.data, common);
            if (order == 0)
                order = (old.term.size > fresh.term.size) - (old.term.size < fresh.term.size);
        }
        if (order < 0)
            term_delta(change, number, old.term, 0, 0);
        else if (order > 0 || all || old.count != fresh.count)
            term_delta(change, number, fresh.term, fresh.count, length);
        if (order <= 0)
            has_old = sl_terms_next(&old_reader, &old);
        if (order >= 0)
            has_new = sl_terms_next(&new_reader, &fresh);
    }
}

/* ----------------------------------------------------------------------------------- vectors */

/* Does this new window keep the slot of an old one in the chunk whose number it gets? */
static struct sl_window_row *kept_window(struct sl_change *change, uint32_t match,
                                         const struct sl_prepared_window *window)
{
    struct sl_old_chunk *old = &change->old[match];
    struct sl_graph *graph = change->batch->graph;

    for (uint32_t i = 0; i < old->head.window_count; i++) {
        uint32_t slot = old->windows[i].slot;
        if (old->kept[i] || memcmp(old->windows[i].hash, window->row.hash, SL_HASH_BYTES) != 0 ||
            slot >= graph->slot_end)
            continue;
        if (window->vector != NULL && !sl_graph_vector_is(graph, slot, window->vector))
            continue;
        old->kept[i] = true;
        return &old->windows[i];
    }
    return NULL;
}

/* Every window either brings a vector or finds one. Nothing is changed here. */
static enum sl_err check_windows(const struct sl_change *change, const struct sl_prepared *prepared)
{
    for (uint32_t i = 0; i < prepared->head.chunk_count; i++)
        for (uint32_t w = 0; w < prepared->chunks[i].head.window_count; w++) {
            const struct sl_prepared_window *window = &prepared->chunks[i].windows[w];
            if (window->vector == NULL && sl_change_window(change, window->row.hash) == NULL)
                return sl_fail(change->err, SL_AGAIN, "window_gone",
                               "chunk %u was to keep the vector of a window that is no longer "
                               "stored; embed it again",
                               i);
        }
    return SL_OK;
}

/* Slots for the windows of all chunks: kept ones first noted, the rest removed, then the new
 * inserted. */
static enum sl_err keep_slots(struct sl_change *change, struct sl_prepared *prepared)
{
    struct sl_graph *graph = change->batch->graph;

    for (uint32_t i = 0; i < prepared->head.chunk_count; i++)
        for (uint32_t w = 0; w < prepared->chunks[i].head.window_count; w++) {
            struct sl_prepared_window *window = &prepared->chunks[i].windows[w];
            struct sl_window_row *kept = change->match[i] != SL_CHUNK_NONE
                                             ? kept_window(change, change->match[i], window)
                                             : NULL;
            window->row.slot = SL_SLOT_NONE; /* a batch that failed may have been here before */
            if (kept != NULL) {
                window->row.slot = kept->slot;
            } else if (window->vector == NULL) { /* moved to another chunk: take its vector along */
                const struct sl_old_window *from = sl_change_window(change, window->row.hash);
                uint32_t slot = change->old[from->chunk].windows[from->window].slot;
                float *copy = SL_NEW_ARRAY(change->batch->arena, float, graph->dim);
                if (copy == NULL || slot >= graph->slot_end)
                    return sl_batch_memory(change->err);
                sl_graph_vector_get(graph, slot, copy);
                window->moved = copy;
            }
        }
    return SL_OK;
}

static enum sl_err graph_failed(struct sl_change *change)
{
    uint32_t damaged = atomic_load(&change->batch->graph->damaged);

    if (damaged != 0)
        return sl_corrupt(change->err, "vec", damaged - 1, "wrong checksum");
    return sl_batch_memory(change->err);
}

static enum sl_err remove_slots(struct sl_change *change)
{
    struct sl_graph *graph = change->batch->graph;

    for (uint32_t i = 0; i < change->old_count; i++)
        for (uint32_t w = 0; w < change->old[i].head.window_count; w++) {
            uint32_t slot = change->old[i].windows[w].slot;
            if (change->old[i].kept[w])
                continue;
            if (slot >= graph->slot_end || graph->slots[slot].state != SL_SLOT_LIVE)
                return sl_corrupt(change->err, "chunk", change->document,
                                  "a window names a slot without vector");
            change->batch->touched = true;
            if (!sl_graph_remove(graph, slot, change->batch->epoch))
                return graph_failed(change);
        }
    return SL_OK;
}

static enum sl_err insert_slots(struct sl_change *change, struct sl_prepared_chunk *chunk)
{
    struct sl_batch *batch = change->batch;

    for (uint32_t w = 0; w < chunk->head.window_count; w++) {
        struct sl_prepared_window *window = &chunk->windows[w];
        if (window->row.slot != SL_SLOT_NONE)
            continue;
        batch->touched = true;
        window->row.slot = sl_graph_insert(
            batch->graph, window->vector != NULL ? window->vector : window->moved,
            chunk->head.number, change->document, batch->epoch, &window->candidates);
        if (window->row.slot == SL_SLOT_NONE)
            return graph_failed(change);
    }
    return SL_OK;
}

/* ------------------------------------------------------------------------------------ chunks */

static enum sl_err set_segment(struct sl_change *change, uint32_t number, uint32_t document,
                               uint32_t ordinal, uint32_t length)
{
    struct sl_segment *segment;
    uint32_t local = number % SL_SEGMENT_CHUNKS;
    enum sl_err rc =
        sl_batch_segment(change->batch, number / SL_SEGMENT_CHUNKS, &segment, change->err);

    if (rc != SL_OK)
        return rc;
    segment->document[local] = document;
    segment->ordinal[local] = (uint16_t)ordinal;
    segment->length[local] = length;
    return SL_OK;
}

static enum sl_err put_if_changed(struct sl_change *change, enum sl_store_table table,
                                  uint32_t ordinal, struct sl_view before, struct sl_view now)
{
    struct sl_key key = sl_key_pair(change->document, ordinal);

    if (before.data != NULL && sl_view_equal(before, now))
        return SL_OK;
    return sl_txn_put(change->batch->txn, table, sl_key_view(&key), now, change->err);
}

static enum sl_err put_chunk(struct sl_change *change, uint32_t ordinal,
                             struct sl_prepared_chunk *chunk)
{
    SL_CLEANUP(sl_buffer_fini) struct sl_buffer buffer = {0};
    bool same_place = ordinal < change->old_count;
    uint32_t match = change->match[ordinal];
    uint32_t length = sl_length_code(chunk->head.length_terms);
    enum sl_err rc;

    chunk->head.number = match != SL_CHUNK_NONE ? change->old[match].head.number
                                                : sl_numbers_take(&change->batch->index->chunks);
    if (chunk->head.number == UINT32_MAX)
        return sl_batch_memory(change->err);
    change_terms(
        change, chunk->head.number, match != SL_CHUNK_NONE ? change->old[match].terms : SL_VIEW(""),
        chunk->terms, length,
        match != SL_CHUNK_NONE && sl_length_code(change->old[match].head.length_terms) != length);
    rc = set_segment(change, chunk->head.number, change->document, ordinal,
                     chunk->head.length_terms);
    if (rc == SL_OK && change->batch->graph != NULL)
        rc = insert_slots(change, chunk);
    if (rc != SL_OK)
        return rc;
    sl_chunk_head_write(&buffer, &chunk->head);
    for (uint32_t w = 0; w < chunk->head.window_count; w++)
        sl_window_write(&buffer, &chunk->windows[w].row);
    if (buffer.failed)
        return sl_batch_memory(change->err);
    rc = put_if_changed(change, SL_STORE_CHUNK, ordinal,
                        same_place ? change->old[ordinal].row : SL_VIEW_NULL,
                        sl_buffer_as_view(&buffer));
    if (rc == SL_OK)
        rc = put_if_changed(change, SL_STORE_TERM, ordinal,
                            same_place ? change->old[ordinal].terms : SL_VIEW_NULL, chunk->terms);
    change->batch->state.chunks++;
    change->batch->state.terms_total += chunk->head.length_terms;
    return rc;
}

/* Old chunks: numbers nobody took over become free; rows past the new end go. */
static enum sl_err drop_chunks(struct sl_change *change, uint32_t new_count)
{
    struct sl_batch *batch = change->batch;
    enum sl_err rc = SL_OK;

    for (uint32_t i = 0; rc == SL_OK && i < change->old_count; i++) {
        struct sl_old_chunk *old = &change->old[i];
        struct sl_key key = sl_key_pair(change->document, i);
        batch->state.chunks--;
        batch->state.terms_total -= old->head.length_terms;
        if (!old->taken) {
            change_terms(change, old->head.number, old->terms, SL_VIEW(""), 0, false);
            rc = set_segment(change, old->head.number, 0, 0, 0);
            sl_numbers_give(&batch->index->chunks, old->head.number);
        }
        if (rc == SL_OK && i >= new_count)
            rc = sl_txn_delete(batch->txn, SL_STORE_CHUNK, sl_key_view(&key), NULL, change->err);
        if (rc == SL_OK && i >= new_count)
            rc = sl_txn_delete(batch->txn, SL_STORE_TERM, sl_key_view(&key), NULL, change->err);
    }
    return rc;
}

/* -------------------------------------------------------------------------------- documents */

/* Is this content stored already, whether with chunks or as a copy? */
static bool is_same(const struct sl_doc_head *head, const struct sl_prepared *prepared)
{
    if (memcmp(head->content_hash, prepared->head.content_hash, sizeof head->content_hash) != 0)
        return false;
    return prepared->as_copy || sl_doc_head_original(head) != 0 ||
           memcmp(head->chunk_hash, prepared->head.chunk_hash, sizeof head->chunk_hash) == 0;
}

static enum sl_err flush_if_many(struct sl_change *change)
{
    struct sl_batch *batch = change->batch;

    return batch->deltas.count <= DELTAS_MAX
               ? SL_OK
               : sl_deltas_flush(&batch->deltas, batch->txn, &batch->state.run_changes,
                                 change->err);
}

static enum sl_err put_document(struct sl_change *change, struct sl_prepared *prepared,
                                const struct sl_stored *before)
{
    struct sl_batch *batch = change->batch;
    struct sl_key key = sl_key_number(change->document);
    enum sl_err rc = SL_OK;

    batch->touched = true;
    if (batch->graph != NULL)
        rc = remove_slots(change);
    for (uint32_t i = 0; rc == SL_OK && i < prepared->head.chunk_count; i++)
        rc = put_chunk(change, i, &prepared->chunks[i]);
    if (rc == SL_OK)
        rc = drop_chunks(change, prepared->head.chunk_count);
    if (rc == SL_OK)
        rc = sl_batch_attributes(batch, change->document, before->attributes,
                                 before->attribute_count, prepared->attributes,
                                 prepared->attribute_count, change->err);
    if (rc == SL_OK)
        rc = sl_txn_put(batch->txn, SL_STORE_DOC, sl_key_view(&key), prepared->document,
                        change->err);
    prepared->row.document = change->document;
    if (rc == SL_OK)
        rc = sl_batch_put_row(batch, &prepared->row, change->err);
    if (rc == SL_OK && prepared->collapses)
        rc = sl_copy_name(batch, prepared->digest, change->document, change->err);
    if (rc == SL_OK && prepared->collapses)
        rc = sl_near_name(batch, &prepared->sketch, change->document, change->err);
    return rc == SL_OK ? flush_if_many(change) : rc;
}

static enum sl_err take_number(struct sl_change *change)
{
    struct sl_batch *batch = change->batch;

    batch->touched = true;
    change->document = sl_numbers_take(&batch->index->documents);
    if (change->document == UINT32_MAX)
        return sl_batch_memory(change->err);
    if (change->document >= batch->state.document_end)
        batch->state.document_end = change->document + 1;
    return SL_OK;
}

/* Old chunks, their matches with the new, and the slots these keep. Nothing is changed on disk. */
static enum sl_err plan(struct sl_change *change, struct sl_prepared *prepared,
                        const struct sl_stored *before)
{
    bool has_graph = change->batch->graph != NULL;
    enum sl_err rc = sl_change_load(change, before->head.chunk_count);

    if (rc == SL_OK && has_graph)
        rc = check_windows(change, prepared);
    if (rc == SL_OK)
        rc = sl_change_match(change, prepared);
    if (rc == SL_OK && has_graph)
        rc = keep_slots(change, prepared);
    return rc;
}

static enum sl_err bequeath(struct sl_change *change, const struct sl_stored *before, uint32_t heir,
                            bool near);

/* The stored version makes room for the next one: whom does its number belong to then? */
static enum sl_err step_aside(struct sl_change *change, struct sl_stored *before)
{
    struct sl_batch *batch = change->batch;
    enum sl_err rc = SL_OK;

    if (change->leaves) { /* number and chunks go to a copy */
        rc = bequeath(change, before, change->heir, change->near);
        *before = (struct sl_stored){0};
        change->old_count = 0;
        return rc == SL_OK ? take_number(change) : rc;
    }
    if (before->number == 0)
        return take_number(change);
    if (sl_doc_head_original(&before->head) != 0)
        return sl_copy_drop(batch, sl_doc_head_original(&before->head), before->number,
                            change->err);
    return change->same_text ? SL_OK : sl_copy_unname(batch, before, change->err);
}

static enum sl_err remove_document(struct sl_change *change, const struct sl_stored *before);

/* As a copy of `original`, in the place of the version before. */
static enum sl_err put_copy(struct sl_change *change, struct sl_prepared *prepared,
                            uint32_t original, const struct sl_stored *before)
{
    enum sl_err rc = SL_OK;

    if (change->near) { /* its windows' vectors are kept, also those that the version before has */
        change->leaves = true;
        rc = plan(change, prepared, before);
        change->leaves = false;
        change->old_count = change->window_count = 0;
    }
    if (rc == SL_OK && before->number != 0)
        rc = remove_document(change, before);
    if (rc == SL_OK)
        rc = take_number(change);
    if (rc == SL_OK)
        rc = sl_copy_insert(change->batch, prepared, original, change->document, change->err);
    if (rc == SL_OK && change->near)
        rc = sl_near_keep(change->batch, prepared, change->document, change->err);
    return rc == SL_OK ? flush_if_many(change) : rc;
}

/* What the document is a copy of, the same or nearly; 0: nothing. */
static enum sl_err find_original(struct sl_change *change, const struct sl_prepared *prepared,
                                 const struct sl_stored *before, uint32_t *ret_original)
{
    struct sl_txn *txn = change->batch->txn;
    struct sl_document document = {0};
    bool stays = change->same_text && sl_doc_head_original(&before->head) == 0;
    enum sl_err rc = SL_OK;

    *ret_original = 0;
    if (prepared->collapses)
        rc = sl_copy_original(change->batch, prepared->digest, ret_original, change->err);
    if (rc != SL_OK || *ret_original != 0 || stays || prepared->as_copy || !prepared->sketch.is_set)
        return rc;
    rc = sl_doc_read(prepared->document, change->batch->arena, &document, NULL, change->err);
    if (rc == SL_OK)
        rc = sl_near_original(txn, &document, &prepared->sketch, ret_original, change->err);
    if (*ret_original == before->number)
        *ret_original = 0; /* what hangs on it will be looked at */
    change->near = *ret_original != 0;
    return rc == SL_REJECT ? sl_batch_memory(change->err) : rc;
}

/* The next version, in the place of the one before (number 0: there is none). */
static enum sl_err put_version(struct sl_change *change, struct sl_prepared *prepared,
                               struct sl_stored *before, bool *ret_copied)
{
    struct sl_batch *batch = change->batch;
    uint32_t original = 0;
    enum sl_err rc = SL_OK;

    change->document = before->number;
    change->same_text = prepared->has_digest && before->has_digest &&
                        memcmp(prepared->digest, before->digest, sizeof before->digest) == 0;
    rc = find_original(change, prepared, before, &original);
    *ret_copied = original != 0 && original != before->number;
    if (rc == SL_OK && *ret_copied)
        return put_copy(change, prepared, original, before);
    if (rc == SL_OK && prepared->as_copy)
        return sl_fail(change->err, SL_AGAIN, "window_gone",
                       "what it was to be a copy of is no longer stored; embed it");
    if (rc == SL_OK && before->number != 0 && !change->same_text) {
        rc = sl_copy_heir(batch->txn, before->number, &change->heir, &change->near, change->err);
        change->leaves = rc == SL_OK;
        rc = rc == SL_REJECT ? SL_OK : rc;
    }
    if (rc == SL_OK)
        rc = plan(change, prepared, before);
    if (rc == SL_OK)
        rc = step_aside(change, before);
    return rc == SL_OK ? put_document(change, prepared, before) : rc;
}

static enum sl_err apply(struct sl_batch *batch, struct sl_prepared *prepared,
                         enum sl_applied *ret_applied, struct sl_error *err)
{
    struct sl_change change = {.batch = batch, .err = err};
    struct sl_stored before = {0};
    struct sl_key_row stored;
    bool copied = false;
    enum sl_err rc = sl_txn_find_row(batch->txn, prepared->row.topic, prepared->row.key, &stored, err);
    bool known = rc == SL_OK, replace = known && stored.document != 0;

    if (rc == SL_STOP)
        return rc;
    if (known && !sl_key_row_is_newer(&prepared->row, &stored)) {
        *ret_applied = SL_APPLIED_STALE;
        return SL_OK;
    }
    if (replace) {
        rc = sl_batch_load(batch, stored.document, &before, err);
        if (rc != SL_OK)
            return rc;
        if (is_same(&before.head, prepared)) {
            prepared->row.document = stored.document;
            *ret_applied = SL_APPLIED_UNCHANGED;
            return sl_batch_put_row(batch, &prepared->row, err);
        }
    }
    rc = put_version(&change, prepared, &before, &copied);
    if (rc == SL_OK)
        *ret_applied = copied    ? SL_APPLIED_COPIED
                       : replace ? SL_APPLIED_REPLACED
                                 : SL_APPLIED_INSERTED;
    return rc;
}

/* ------------------------------------------------------------------------------------- heirs */

/* A document that was nearly a copy of what has changed: of something else, or by itself. */
static enum sl_err put_apart(struct sl_batch *batch, uint32_t document, struct sl_error *err)
{
    struct sl_change change = {.batch = batch, .err = err};
    struct sl_prepared *prepared = NULL;
    struct sl_stored before;
    bool copied;
    enum sl_err rc = sl_batch_load(batch, document, &before, err);

    if (rc == SL_OK)
        rc = sl_near_kept(batch, document, &prepared, err);
    if (rc == SL_OK)
        rc = put_version(&change, prepared, &before, &copied);
    (void)sl_prepared_free(prepared);
    return rc == SL_REJECT ? sl_corrupt(err, "spare", document, "missing") : rc;
}

static enum sl_err put_unlike_apart(struct sl_batch *batch, uint32_t original, struct sl_error *err)
{
    uint32_t copy = 0;
    enum sl_err rc;

    while ((rc = sl_copy_next(batch->txn, original, copy, &copy, err)) == SL_OK) {
        bool like = false;
        rc = sl_near_are_like(batch->txn, original, copy, &like, err);
        if (rc == SL_OK && !like)
            rc = put_apart(batch, copy, err);
        if (rc != SL_OK)
            return rc;
    }
    return rc == SL_REJECT ? SL_OK : rc;
}

/* The chunks that were kept for the heir, in the place of those of the document that goes. */
static enum sl_err promote_near(struct sl_batch *batch, const struct sl_stored *gone, uint32_t heir,
                                struct sl_error *err)
{
    struct sl_change change = {.batch = batch, .document = gone->number, .err = err};
    struct sl_prepared *prepared = NULL;
    struct sl_stored stored;
    enum sl_err rc = sl_batch_load(batch, heir, &stored, err);

    if (rc == SL_OK)
        rc = sl_near_kept(batch, heir, &prepared, err);
    if (rc == SL_OK)
        rc = plan(&change, prepared, gone);
    if (rc == SL_OK)
        rc = sl_copy_unname(batch, gone, err);
    if (rc == SL_OK)
        rc = sl_copy_drop(batch, gone->number, heir, err);
    if (rc == SL_OK)
        rc = put_document(&change, prepared, gone);
    (void)sl_prepared_free(prepared);
    if (rc == SL_OK)
        rc = sl_batch_drop_document(batch, &stored, err);
    return rc == SL_OK ? put_unlike_apart(batch, gone->number, err) : rc;
}

static enum sl_err bequeath(struct sl_change *change, const struct sl_stored *before, uint32_t heir,
                            bool near)
{
    return near ? promote_near(change->batch, before, heir, change->err)
                : sl_copy_promote(change->batch, before, heir, change->err);
}

/* ------------------------------------------------------------------------------------ public */

enum sl_err sl_batch_apply(struct sl_batch *batch, struct sl_prepared *prepared,
                           enum sl_applied *ret_applied, struct sl_error *err)
{
    enum sl_err rc;

    SL_PRE(!batch->failed);
    if (prepared->switches != batch->index->switches)
        return sl_fail(err, SL_AGAIN, "generation_gone",
                       "it was prepared for a generation that is no longer in use");
    sl_arena_reset(batch->arena);
    rc = sl_batch_failed(batch, apply(batch, prepared, ret_applied, err));
    if (rc == SL_OK)
        (void)sl_prepared_free(prepared);
    return rc;
}

static enum sl_err remove_chunks(struct sl_change *change, const struct sl_stored *before)
{
    enum sl_err rc = sl_change_load(change, before->head.chunk_count);

    if (rc == SL_OK && change->batch->graph != NULL)
        rc = remove_slots(change);
    if (rc == SL_OK)
        rc = drop_chunks(change, 0);
    change->old_count = change->window_count = 0;
    return rc == SL_OK ? sl_copy_unname(change->batch, before, change->err) : rc;
}

static enum sl_err remove_document(struct sl_change *change, const struct sl_stored *before)
{
    struct sl_batch *batch = change->batch;
    uint32_t original = sl_doc_head_original(&before->head), heir;
    bool near;
    enum sl_err rc = sl_copy_heir(batch->txn, before->number, &heir, &near, change->err);

    batch->touched = true;
    if (rc == SL_OK)
        return bequeath(change, before, heir, near);
    if (rc == SL_STOP)
        return rc;
    change->document = before->number;
    rc = original != 0 ? sl_copy_drop(batch, original, before->number, change->err)
                       : remove_chunks(change, before);
    return rc == SL_OK ? sl_batch_drop_document(batch, before, change->err) : rc;
}

static enum sl_err delete_document(struct sl_change *change, uint32_t document)
{
    struct sl_stored before;
    enum sl_err rc = sl_batch_load(change->batch, document, &before, change->err);

    return rc == SL_OK ? remove_document(change, &before) : rc;
}

enum sl_err sl_batch_forget(struct sl_batch *batch, const struct sl_key_row *row,
                            struct sl_error *err)
{
    struct sl_change change = {.batch = batch, .err = err};
    struct sl_key key = sl_key_document(row->topic, row->key);
    struct sl_key_row stored; /* a copy may have got another number since the row was read */
    enum sl_err rc;

    sl_arena_reset(batch->arena);
    rc = sl_txn_find_row(batch->txn, row->topic, row->key, &stored, err);
    if (rc == SL_OK && stored.document != 0)
        rc = delete_document(&change, stored.document);
    if (rc == SL_OK)
        rc = sl_txn_delete(batch->txn, SL_STORE_KEY, sl_key_view(&key), NULL, err);
    return sl_batch_failed(batch, rc);
}

enum sl_err sl_batch_delete(struct sl_batch *batch, struct sl_view topic, struct sl_view key,
                            int32_t partition, int64_t offset, enum sl_applied *ret_applied,
                            struct sl_error *err)
{
    struct sl_change change = {.batch = batch, .err = err};
    struct sl_key_row row = {
        .partition = partition, .offset = offset, .timestamp_ms = -1, .topic = topic, .key = key};
    struct sl_key_row stored = {0};
    enum sl_err rc;

    SL_PRE(!batch->failed && topic.data != NULL && key.data != NULL);
    sl_arena_reset(batch->arena);
    rc = sl_txn_find_row(batch->txn, topic, key, &stored, err);
    if (rc == SL_STOP)
        return sl_batch_failed(batch, rc);
    if (rc == SL_OK && !sl_key_row_is_newer(&row, &stored)) {
        *ret_applied = SL_APPLIED_STALE;
        return SL_OK;
    }
    row.timestamp_ms = rc == SL_OK ? stored.timestamp_ms : -1;
    rc = stored.document != 0 ? delete_document(&change, stored.document) : SL_OK;
    if (rc == SL_OK)
        rc = sl_batch_put_row(batch, &row, err);
    if (rc == SL_OK)
        *ret_applied = stored.document != 0 ? SL_APPLIED_DELETED : SL_APPLIED_ABSENT;
    return sl_batch_failed(batch, rc);
}

/* ---------------------------------------------------------------------------------- carrying */

/* The document as prepared, in the place of whatever version is there. */
static enum sl_err carry_document(struct sl_change *change, const struct sl_key_row *stored,
                                  struct sl_prepared *prepared)
{
    struct sl_stored before = {0};
    bool copied;
    enum sl_err rc = SL_OK;

    if (stored->document != 0)
        rc = sl_batch_load(change->batch, stored->document, &before, change->err);
    return rc == SL_OK ? put_version(change, prepared, &before, &copied) : rc;
}

enum sl_err sl_batch_carry(struct sl_batch *batch, const struct sl_difference *difference,
                           struct sl_prepared *prepared, struct sl_error *err)
{
    struct sl_change change = {.batch = batch, .err = err};
    struct sl_key_row row = {.partition = difference->partition,
                             .offset = difference->offset,
                             .timestamp_ms = difference->timestamp_ms,
                             .doubtful = difference->doubtful,
                             .topic = difference->topic,
                             .key = difference->key};
    struct sl_key_row stored = {0};
    enum sl_err rc;

    SL_PRE(!batch->failed);
    sl_arena_reset(batch->arena);
    rc = sl_txn_find_row(batch->txn, row.topic, row.key, &stored, err);
    if (rc == SL_STOP)
        return sl_batch_failed(batch, rc);
    if (difference->kind == SL_DIFFERS_GONE)
        return rc == SL_REJECT ? SL_OK : sl_batch_forget(batch, &stored, err);
    if (prepared != NULL) {
        prepared->row.doubtful = row.doubtful;
        rc = sl_batch_failed(batch, carry_document(&change, &stored, prepared));
        if (rc == SL_OK)
            (void)sl_prepared_free(prepared);
        return rc;
    }
    rc = SL_OK;
    if (difference->kind == SL_DIFFERS_VERSION)
        row.document = stored.document;
    else if (stored.document != 0)
        rc = delete_document(&change, stored.document);
    return sl_batch_failed(batch, rc == SL_OK ? sl_batch_put_row(batch, &row, err) : rc);
}
