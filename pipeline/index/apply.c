/*
 * apply.c -- putting, replacing and deleting one document inside a batch.
 *
 * A document is replaced whole, but what stays the same is not touched. New chunks take over the numbers of
 * old ones: first those that share a window (its vector and its place in the graph are then kept as they
 * are), then those with the same terms, then any. Postings change only where a term or a count differs.
 *
 * A window that moved into a chunk with another number is inserted again with its stored vector: which
 * chunk a slot belongs to never changes, so that older snapshots may rely on it.
 *
 * Which version is newer: of one partition, the higher offset; of two (the topic grew, and the key moved),
 * the later timestamp, then partition, then offset. A deletion carries no timestamp and counts as later.
 * What came from Kafka is never undone by an import. A doubtful version (sweep.c) loses to whatever comes
 * from the log: its offset belongs to another history.
 */
#include "index/internal.h"
#include "index/runs.h"

#include <stdlib.h>

#include <sluice/hash.h>

#define DELTAS_MAX (1u << 20)
#define NONE       UINT32_MAX

struct old_chunk {
    struct sl_chunk_head head;
    struct sl_window_row *windows;
    bool *kept; /* [window_count] */
    struct sl_view row;
    struct sl_view terms;
    uint64_t signature;
    bool taken;
};

/* Where an old window is, to be found by hash. */
struct old_window {
    uint8_t hash[SL_HASH_BYTES];
    uint32_t chunk;
    uint32_t window;
};

struct change {
    struct sl_batch *batch;
    uint32_t document;
    struct old_chunk *old;
    uint32_t old_count;
    struct old_window *windows; /* sorted by hash */
    uint32_t window_count;
    uint32_t *match; /* per new chunk: the old one whose number it takes over */
    struct sl_error *err;
};

/* ----------------------------------------------------------------------------- what is there */

static struct sl_view keep(struct sl_batch *batch, struct sl_view payload)
{
    return sl_arena_copy(batch->arena, payload);
}

static enum sl_err load_chunk(struct change *change, uint32_t ordinal)
{
    struct sl_batch *batch = change->batch;
    struct sl_key key = sl_key_pair(change->document, ordinal);
    struct old_chunk *old = &change->old[ordinal];
    struct sl_view row, terms;
    struct sl_reader reader;
    enum sl_err rc =
        sl_txn_get(batch->txn, SL_STORE_CHUNK, sl_key_view(&key), &row, change->err);

    if (rc == SL_OK)
        rc = sl_txn_get(batch->txn, SL_STORE_TERM, sl_key_view(&key), &terms, change->err);
    if (rc == SL_REJECT)
        return sl_corrupt(change->err, "chunk", change->document, "a chunk is missing");
    if (rc != SL_OK)
        return rc;
    old->row = keep(batch, row);
    old->terms = keep(batch, terms);
    if (old->row.data == NULL || old->terms.data == NULL)
        return sl_batch_memory(change->err);
    reader = sl_reader_of(old->row);
    old->head = sl_chunk_head_read(&reader);
    old->windows =
        SL_NEW_ARRAY(batch->arena, struct sl_window_row, old->head.window_count + 1);
    old->kept = SL_NEW_ARRAY(batch->arena, bool, old->head.window_count + 1);
    if (old->windows == NULL || old->kept == NULL)
        return sl_batch_memory(change->err);
    for (uint32_t i = 0; i < old->head.window_count; i++)
        old->windows[i] = sl_window_read(&reader);
    old->signature = (uint64_t)sl_crc32c(0, old->terms.data, old->terms.size) << 32 |
                     (uint32_t)old->terms.size;
    change->window_count += old->head.window_count;
    return reader.bad ? sl_corrupt(change->err, "chunk", change->document, "wrong lengths")
                      : SL_OK;
}

static int compare_windows(const void *a, const void *b)
{
    const struct old_window *x = a, *y = b;
    int order = memcmp(x->hash, y->hash, SL_HASH_BYTES);

    if (order != 0)
        return order;
    return x->chunk != y->chunk ? (x->chunk < y->chunk ? -1 : 1)
                                : (x->window > y->window) - (x->window < y->window);
}

static enum sl_err load_old(struct change *change, uint32_t chunk_count)
{
    uint32_t at = 0;
    enum sl_err rc = SL_OK;

    change->old_count = chunk_count;
    change->old = SL_NEW_ARRAY(change->batch->arena, struct old_chunk, chunk_count + 1);
    if (change->old == NULL)
        return sl_batch_memory(change->err);
    for (uint32_t i = 0; i < chunk_count && rc == SL_OK; i++)
        rc = load_chunk(change, i);
    if (rc != SL_OK)
        return rc;
    change->windows =
        SL_NEW_ARRAY(change->batch->arena, struct old_window, change->window_count + 1);
    if (change->windows == NULL)
        return sl_batch_memory(change->err);
    for (uint32_t i = 0; i < chunk_count; i++)
        for (uint32_t w = 0; w < change->old[i].head.window_count; w++) {
            memcpy(change->windows[at].hash, change->old[i].windows[w].hash, SL_HASH_BYTES);
            change->windows[at].chunk = i;
            change->windows[at++].window = w;
        }
    qsort(change->windows, at, sizeof *change->windows, compare_windows);
    return SL_OK;
}

/* The first old window of this hash, or NULL. */
static const struct old_window *find_window(const struct change *change,
                                            const uint8_t hash[SL_HASH_BYTES])
{
    uint32_t low = 0, high = change->window_count;

    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (memcmp(change->windows[middle].hash, hash, SL_HASH_BYTES) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == change->window_count ||
        memcmp(change->windows[low].hash, hash, SL_HASH_BYTES) != 0)
        return NULL;
    return &change->windows[low];
}

/* ---------------------------------------------------------------------------------- matching */

struct signed_chunk {
    uint64_t signature;
    uint32_t index;
};

static int compare_signed(const void *a, const void *b)
{
    const struct signed_chunk *x = a, *y = b;

    if (x->signature != y->signature)
        return x->signature < y->signature ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

static void take(struct change *change, uint32_t fresh, uint32_t old)
{
    change->match[fresh] = old;
    change->old[old].taken = true;
}

static void match_by_window(struct change *change, const struct sl_prepared *prepared)
{
    for (uint32_t i = 0; i < prepared->head.chunk_count; i++)
        for (uint32_t w = 0; w < prepared->chunks[i].head.window_count && change->match[i] == NONE;
             w++) {
            const uint8_t *hash = prepared->chunks[i].windows[w].row.hash;
            const struct old_window *found = find_window(change, hash);
            const struct old_window *end = change->windows + change->window_count;
            for (; found != NULL && found < end && memcmp(found->hash, hash, SL_HASH_BYTES) == 0;
                 found++)
                if (!change->old[found->chunk].taken) {
                    take(change, i, found->chunk);
                    break;
                }
        }
}

static bool match_by_terms(struct change *change, const struct sl_prepared *prepared)
{
    uint32_t count = 0, spare = 0;
    struct signed_chunk *list =
        SL_NEW_ARRAY(change->batch->arena, struct signed_chunk, change->old_count + 1);

    if (list == NULL)
        return false;
    for (uint32_t i = 0; i < change->old_count; i++)
        if (!change->old[i].taken)
            list[count++] = (struct signed_chunk){change->old[i].signature, i};
    qsort(list, count, sizeof *list, compare_signed);
    for (uint32_t i = 0; i < prepared->head.chunk_count; i++) {
        struct sl_view terms = prepared->chunks[i].terms;
        uint64_t signature =
            (uint64_t)sl_crc32c(0, terms.data, terms.size) << 32 | (uint32_t)terms.size;
        uint32_t low = 0, high = count;
        while (change->match[i] == NONE && low < high) {
            uint32_t middle = (low + high) / 2;
            if (list[middle].signature < signature)
                low = middle + 1;
            else
                high = middle;
        }
        for (; change->match[i] == NONE && low < count && list[low].signature == signature; low++)
            if (!change->old[list[low].index].taken)
                take(change, i, list[low].index);
    }
    for (uint32_t i = 0; i < prepared->head.chunk_count; i++) {
        while (spare < change->old_count && change->old[spare].taken)
            spare++;
        if (change->match[i] == NONE && spare < change->old_count)
            take(change, i, spare);
    }
    return true;
}

/* ------------------------------------------------------------------------------------- terms */

static void term_delta(struct change *change, uint32_t number, struct sl_view term, uint32_t count,
                       uint32_t length)
{
    struct sl_batch *batch = change->batch;
    struct sl_key key =
        sl_key_post(sl_run_of(&batch->state, number / SL_SEGMENT_CHUNKS, term), term);

    sl_deltas_add(&batch->deltas, SL_STORE_POST, sl_key_view(&key), number, count, length);
}

/*
 * The difference of two sorted lists of terms, as changes to one chunk's postings. They hold a code of the chunk's
 * length, too: where that changed (`all`), every one does.
 */
static void change_terms(struct change *change, uint32_t number, struct sl_view old_terms,
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
static struct sl_window_row *kept_window(struct change *change, uint32_t match,
                                         const struct sl_prepared_window *window)
{
    struct old_chunk *old = &change->old[match];
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
static enum sl_err check_windows(const struct change *change, const struct sl_prepared *prepared)
{
    for (uint32_t i = 0; i < prepared->head.chunk_count; i++)
        for (uint32_t w = 0; w < prepared->chunks[i].head.window_count; w++) {
            const struct sl_prepared_window *window = &prepared->chunks[i].windows[w];
            if (window->vector == NULL && find_window(change, window->row.hash) == NULL)
                return sl_fail(change->err, SL_AGAIN, "window_gone",
                               "chunk %u was to keep the vector of a window that is no longer "
                               "stored; embed it again",
                               i);
        }
    return SL_OK;
}

/* Slots for the windows of all chunks: kept ones first noted, the rest removed, then the new inserted. */
static enum sl_err keep_slots(struct change *change, struct sl_prepared *prepared)
{
    struct sl_graph *graph = change->batch->graph;

    for (uint32_t i = 0; i < prepared->head.chunk_count; i++)
        for (uint32_t w = 0; w < prepared->chunks[i].head.window_count; w++) {
            struct sl_prepared_window *window = &prepared->chunks[i].windows[w];
            struct sl_window_row *kept =
                change->match[i] != NONE ? kept_window(change, change->match[i], window) : NULL;
            window->row.slot = SL_SLOT_NONE; /* a batch that failed may have been here before */
            if (kept != NULL) {
                window->row.slot = kept->slot;
            } else if (window->vector == NULL) { /* moved to another chunk: take its vector along */
                const struct old_window *from = find_window(change, window->row.hash);
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

static enum sl_err graph_failed(struct change *change)
{
    uint32_t damaged = atomic_load(&change->batch->graph->damaged);

    if (damaged != 0)
        return sl_corrupt(change->err, "vec", damaged - 1, "wrong checksum");
    return sl_batch_memory(change->err);
}

static enum sl_err remove_slots(struct change *change)
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

static enum sl_err insert_slots(struct change *change, struct sl_prepared_chunk *chunk)
{
    struct sl_batch *batch = change->batch;

    for (uint32_t w = 0; w < chunk->head.window_count; w++) {
        struct sl_prepared_window *window = &chunk->windows[w];
        if (window->row.slot != SL_SLOT_NONE)
            continue;
        batch->touched = true;
        window->row.slot =
            sl_graph_insert(batch->graph, window->vector != NULL ? window->vector : window->moved,
                            chunk->head.number, change->document, batch->epoch,
                            &window->candidates);
        if (window->row.slot == SL_SLOT_NONE)
            return graph_failed(change);
    }
    return SL_OK;
}

/* ------------------------------------------------------------------------------------ chunks */

static enum sl_err set_segment(struct change *change, uint32_t number, uint32_t document,
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

static enum sl_err put_if_changed(struct change *change, enum sl_store_table table,
                                  uint32_t ordinal, struct sl_view before, struct sl_view now)
{
    struct sl_key key = sl_key_pair(change->document, ordinal);

    if (before.data != NULL && sl_view_equal(before, now))
        return SL_OK;
    return sl_txn_put(change->batch->txn, table, sl_key_view(&key), now, change->err);
}

static enum sl_err put_chunk(struct change *change, uint32_t ordinal,
                             struct sl_prepared_chunk *chunk)
{
    SL_CLEANUP(sl_buffer_fini) struct sl_buffer buffer = {0};
    bool same_place = ordinal < change->old_count;
    uint32_t match = change->match[ordinal];
    uint32_t length = sl_length_code(chunk->head.length_terms);
    enum sl_err rc;

    chunk->head.number = match != NONE ? change->old[match].head.number
                                       : sl_numbers_take(&change->batch->index->chunks);
    if (chunk->head.number == UINT32_MAX)
        return sl_batch_memory(change->err);
    change_terms(change, chunk->head.number,
                 match != NONE ? change->old[match].terms : SL_VIEW(""), chunk->terms, length,
                 match != NONE &&
                     sl_length_code(change->old[match].head.length_terms) != length);
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
static enum sl_err drop_chunks(struct change *change, uint32_t new_count)
{
    struct sl_batch *batch = change->batch;
    enum sl_err rc = SL_OK;

    for (uint32_t i = 0; rc == SL_OK && i < change->old_count; i++) {
        struct old_chunk *old = &change->old[i];
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

/* -------------------------------------------------------------------------------- attributes */

static bool attribute_delta(struct change *change, struct sl_view attribute, bool add)
{
    char *key = sl_arena_alloc(change->batch->arena, attribute.size + 4);

    if (key == NULL)
        return false;
    memcpy(key, attribute.data, attribute.size);
    sl_put_be32(key + attribute.size, change->document / SL_SEGMENT_CHUNKS);
    sl_deltas_add(&change->batch->deltas, SL_STORE_ATTR,
                  (struct sl_view){key, attribute.size + 4},
                  change->document % SL_SEGMENT_CHUNKS, add ? 1 : 0, 0);
    return true;
}

static enum sl_err change_attributes(struct change *change, const struct sl_view *old,
                                     uint32_t old_count, const struct sl_view *fresh,
                                     uint32_t new_count)
{
    uint32_t i = 0, j = 0;
    bool good = true;

    while (good && (i < old_count || j < new_count)) {
        int order = i == old_count ? 1 : j == new_count ? -1 : 0;
        if (order == 0) {
            size_t common = old[i].size < fresh[j].size ? old[i].size : fresh[j].size;
            order = memcmp(old[i].data, fresh[j].data, common);
            if (order == 0)
                order = (old[i].size > fresh[j].size) - (old[i].size < fresh[j].size);
        }
        if (order < 0)
            good = attribute_delta(change, old[i], false);
        else if (order > 0)
            good = attribute_delta(change, fresh[j], true);
        i += order <= 0 ? 1 : 0;
        j += order >= 0 ? 1 : 0;
    }
    return good ? SL_OK : sl_batch_memory(change->err);
}

/* Attributes and head of the document that is stored now. */
static enum sl_err load_document(struct change *change, struct sl_doc_head *ret_head,
                                 struct sl_view **ret_attributes, uint32_t *ret_count)
{
    struct sl_key key = sl_key_number(change->document);
    struct sl_document document = {0};
    struct sl_view payload;
    enum sl_err rc = sl_txn_get(change->batch->txn, SL_STORE_DOC, sl_key_view(&key), &payload,
                                change->err);

    if (rc == SL_REJECT)
        return sl_corrupt(change->err, "doc", change->document, "missing");
    if (rc == SL_OK)
        rc = sl_doc_read(payload, change->batch->arena, &document, ret_head, change->err);
    if (rc == SL_REJECT)
        return sl_batch_memory(change->err);
    if (rc != SL_OK)
        return rc;
    *ret_attributes = sl_attr_keys(&document, change->batch->arena, ret_count);
    return *ret_attributes == NULL ? sl_batch_memory(change->err) : SL_OK;
}

/* ---------------------------------------------------------------------------------- versions */

static bool is_newer(const struct sl_key_row *stored, const struct sl_key_row *row)
{
    if (row->offset < 0 || stored->offset < 0)
        return stored->offset < 0;
    if (stored->doubtful)
        return true;
    if (row->partition == stored->partition)
        return row->offset > stored->offset;
    if (row->timestamp_ms < 0 || stored->timestamp_ms < 0)
        return true;
    if (row->timestamp_ms != stored->timestamp_ms)
        return row->timestamp_ms > stored->timestamp_ms;
    return row->partition > stored->partition;
}

/* The stored row of a key. SL_REJECT: there is none. */
static enum sl_err find_row(struct sl_batch *batch, const struct sl_key_row *row,
                            struct sl_key_row *ret_stored, struct sl_error *err)
{
    struct sl_key key = sl_key_document(row->topic, row->key);
    struct sl_view payload;
    enum sl_err rc = sl_txn_get(batch->txn, SL_STORE_KEY, sl_key_view(&key), &payload, err);

    if (rc == SL_OK && !sl_key_row_read(payload, ret_stored))
        return sl_corrupt(err, "key", 0, "wrong lengths");
    return rc;
}

static enum sl_err put_row(struct sl_batch *batch, const struct sl_key_row *row,
                           struct sl_error *err)
{
    SL_CLEANUP(sl_buffer_fini) struct sl_buffer buffer = {0};
    struct sl_key key = sl_key_document(row->topic, row->key);
    enum sl_err rc = sl_batch_came_again(batch, row->topic, row->key, err);

    sl_key_row_write(&buffer, row);
    if (rc == SL_OK && buffer.failed)
        return sl_batch_memory(err);
    return rc == SL_OK ? sl_txn_put(batch->txn, SL_STORE_KEY, sl_key_view(&key),
                                    sl_buffer_as_view(&buffer), err)
                       : rc;
}

/* ------------------------------------------------------------------------------------ public */

static enum sl_err put_document(struct change *change, struct sl_prepared *prepared,
                                const struct sl_view *old_attributes, uint32_t old_count)
{
    struct sl_batch *batch = change->batch;
    struct sl_key key = sl_key_number(change->document);
    enum sl_err rc = batch->graph != NULL ? keep_slots(change, prepared) : SL_OK;

    batch->touched = true;
    if (rc == SL_OK && batch->graph != NULL)
        rc = remove_slots(change);
    for (uint32_t i = 0; rc == SL_OK && i < prepared->head.chunk_count; i++)
        rc = put_chunk(change, i, &prepared->chunks[i]);
    if (rc == SL_OK)
        rc = drop_chunks(change, prepared->head.chunk_count);
    if (rc == SL_OK)
        rc = change_attributes(change, old_attributes, old_count, prepared->attributes,
                               prepared->attribute_count);
    if (rc == SL_OK)
        rc = sl_txn_put(batch->txn, SL_STORE_DOC, sl_key_view(&key), prepared->document,
                        change->err);
    prepared->row.document = change->document;
    if (rc == SL_OK)
        rc = put_row(batch, &prepared->row, change->err);
    if (rc == SL_OK && batch->deltas.count > DELTAS_MAX)
        rc = sl_deltas_flush(&batch->deltas, batch->txn, &batch->state.run_changes,
                             change->err);
    return rc;
}

/* Number, old chunks and their matches with the new. */
static enum sl_err plan(struct change *change, const struct sl_prepared *prepared, bool replace,
                        uint32_t old_chunks)
{
    struct sl_batch *batch = change->batch;
    enum sl_err rc = load_old(change, replace ? old_chunks : 0);

    if (rc == SL_OK && batch->graph != NULL)
        rc = check_windows(change, prepared);
    if (rc != SL_OK)
        return rc;
    change->match = SL_NEW_ARRAY(batch->arena, uint32_t, prepared->head.chunk_count + 1);
    if (change->match == NULL)
        return sl_batch_memory(change->err);
    for (uint32_t i = 0; i < prepared->head.chunk_count; i++)
        change->match[i] = NONE;
    match_by_window(change, prepared);
    if (!match_by_terms(change, prepared))
        return sl_batch_memory(change->err);
    if (!replace) {
        batch->touched = true;
        change->document = sl_numbers_take(&batch->index->documents);
        if (change->document == UINT32_MAX)
            return sl_batch_memory(change->err);
        if (change->document >= batch->state.document_end)
            batch->state.document_end = change->document + 1;
    }
    return SL_OK;
}

static enum sl_err apply(struct sl_batch *batch, struct sl_prepared *prepared,
                         enum sl_applied *ret_applied, struct sl_error *err)
{
    struct change change = {.batch = batch, .err = err};
    struct sl_doc_head head = {.chunk_count = 0};
    struct sl_view *attributes = NULL;
    struct sl_key_row stored;
    uint32_t attribute_count = 0;
    enum sl_err rc = find_row(batch, &prepared->row, &stored, err);
    bool known = rc == SL_OK, replace = known && stored.document != 0;

    if (rc == SL_STOP)
        return rc;
    if (known && !is_newer(&stored, &prepared->row)) {
        *ret_applied = SL_APPLIED_STALE;
        return SL_OK;
    }
    if (replace) {
        change.document = stored.document;
        rc = load_document(&change, &head, &attributes, &attribute_count);
        if (rc != SL_OK)
            return rc;
        if (memcmp(head.content_hash, prepared->head.content_hash, sizeof head.content_hash) ==
                0 &&
            memcmp(head.chunk_hash, prepared->head.chunk_hash, sizeof head.chunk_hash) == 0) {
            prepared->row.document = stored.document;
            *ret_applied = SL_APPLIED_UNCHANGED;
            return put_row(batch, &prepared->row, err);
        }
    }
    rc = plan(&change, prepared, replace, head.chunk_count);
    if (rc == SL_OK)
        rc = put_document(&change, prepared, attributes, attribute_count);
    if (rc == SL_OK)
        *ret_applied = replace ? SL_APPLIED_REPLACED : SL_APPLIED_INSERTED;
    return rc;
}

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

static enum sl_err delete_document(struct change *change)
{
    struct sl_batch *batch = change->batch;
    struct sl_key key = sl_key_number(change->document);
    struct sl_view *attributes;
    struct sl_doc_head head;
    uint32_t count;
    enum sl_err rc = load_document(change, &head, &attributes, &count);

    if (rc == SL_OK)
        rc = load_old(change, head.chunk_count);
    batch->touched = true;
    if (rc == SL_OK && batch->graph != NULL)
        rc = remove_slots(change);
    if (rc == SL_OK)
        rc = drop_chunks(change, 0);
    if (rc == SL_OK)
        rc = change_attributes(change, attributes, count, NULL, 0);
    if (rc == SL_OK)
        rc = sl_txn_delete(batch->txn, SL_STORE_DOC, sl_key_view(&key), NULL, change->err);
    if (rc == SL_OK)
        sl_numbers_give(&batch->index->documents, change->document);
    return rc;
}

enum sl_err sl_batch_forget(struct sl_batch *batch, const struct sl_key_row *row,
                            struct sl_error *err)
{
    struct change change = {.batch = batch, .document = row->document, .err = err};
    struct sl_key key = sl_key_document(row->topic, row->key);
    enum sl_err rc = SL_OK;

    sl_arena_reset(batch->arena);
    if (change.document != 0)
        rc = delete_document(&change);
    if (rc == SL_OK)
        rc = sl_txn_delete(batch->txn, SL_STORE_KEY, sl_key_view(&key), NULL, err);
    return sl_batch_failed(batch, rc);
}

enum sl_err sl_batch_delete(struct sl_batch *batch, struct sl_view topic, struct sl_view key,
                            int32_t partition, int64_t offset, enum sl_applied *ret_applied,
                            struct sl_error *err)
{
    struct change change = {.batch = batch, .err = err};
    struct sl_key_row row = {.partition = partition, .offset = offset, .timestamp_ms = -1,
                             .topic = topic, .key = key};
    struct sl_key_row stored = {0};
    enum sl_err rc;

    SL_PRE(!batch->failed && topic.data != NULL && key.data != NULL);
    sl_arena_reset(batch->arena);
    rc = find_row(batch, &row, &stored, err);
    if (rc == SL_STOP)
        return sl_batch_failed(batch, rc);
    if (rc == SL_OK && !is_newer(&stored, &row)) {
        *ret_applied = SL_APPLIED_STALE;
        return SL_OK;
    }
    row.timestamp_ms = rc == SL_OK ? stored.timestamp_ms : -1;
    change.document = stored.document;
    rc = change.document != 0 ? delete_document(&change) : SL_OK;
    if (rc == SL_OK)
        rc = put_row(batch, &row, err);
    if (rc == SL_OK)
        *ret_applied = change.document != 0 ? SL_APPLIED_DELETED : SL_APPLIED_ABSENT;
    return sl_batch_failed(batch, rc);
}

/* ---------------------------------------------------------------------------------- carrying */

/* The document as prepared, in the place of whatever version is there. */
static enum sl_err carry_document(struct change *change, const struct sl_key_row *stored,
                                  struct sl_prepared *prepared)
{
    struct sl_doc_head head = {.chunk_count = 0};
    struct sl_view *attributes = NULL;
    uint32_t count = 0;
    bool replace = stored->document != 0;
    enum sl_err rc = SL_OK;

    change->document = stored->document;
    if (replace)
        rc = load_document(change, &head, &attributes, &count);
    if (rc == SL_OK)
        rc = plan(change, prepared, replace, head.chunk_count);
    return rc == SL_OK ? put_document(change, prepared, attributes, count) : rc;
}

enum sl_err sl_batch_carry(struct sl_batch *batch, const struct sl_difference *difference,
                           struct sl_prepared *prepared, struct sl_error *err)
{
    struct change change = {.batch = batch, .err = err};
    struct sl_key_row row = {.partition = difference->partition, .offset = difference->offset,
                             .timestamp_ms = difference->timestamp_ms,
                             .doubtful = difference->doubtful, .topic = difference->topic,
                             .key = difference->key};
    struct sl_key_row stored = {0};
    enum sl_err rc;

    SL_PRE(!batch->failed);
    sl_arena_reset(batch->arena);
    rc = find_row(batch, &row, &stored, err);
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
    change.document = stored.document;
    if (difference->kind == SL_DIFFERS_VERSION)
        row.document = stored.document;
    else if (stored.document != 0)
        rc = delete_document(&change);
    return sl_batch_failed(batch, rc == SL_OK ? put_row(batch, &row, err) : rc);
}
