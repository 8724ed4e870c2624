/*
 * read.c -- documents, chunks, positions and rows out of a snapshot.
 *
 * Everything is a look-up in the snapshot's transaction; texts are not copied, they are views into the map.
 */
#include "index/internal.h"

#include <stdlib.h>

#include "index/damage.h"

/* Its checksum is compared once a commit and not with every question: it covers 10 KiB. */
enum sl_err sl_snapshot_segment(const struct sl_snapshot *snapshot, uint32_t number,
                                struct sl_view *ret_segment, struct sl_error *err)
{
    struct sl_graph *graph = snapshot->graph; /* NULL: opened read only, and nothing searched yet */
    _Atomic uint64_t *mark = graph != NULL ? &graph->intact[number % SL_INTACT_MARKS] : NULL;
    uint64_t intact = snapshot->epoch << 22 | number;
    struct sl_key key = sl_key_number(number);
    enum sl_err rc;

    if (mark != NULL && atomic_load_explicit(mark, memory_order_relaxed) == intact) {
        rc = sl_txn_get_unchecked(snapshot->txn, SL_STORE_SEGMENT, sl_key_view(&key), ret_segment,
                                  err);
    } else {
        rc = sl_txn_get(snapshot->txn, SL_STORE_SEGMENT, sl_key_view(&key), ret_segment, err);
        if (rc == SL_OK && mark != NULL)
            atomic_store_explicit(mark, intact, memory_order_relaxed);
    }
    if (rc == SL_REJECT || (rc == SL_OK && ret_segment->size != sizeof(struct sl_segment)))
        return sl_corrupt(err, "segment", number, "missing or cut short");
    return rc;
}

/* A record that is not there, of a document known to be damaged: its key may be what changed. */
static bool is_damaged(const struct sl_snapshot *snapshot, sl_doc_id doc)
{
    return doc <= UINT32_MAX &&
           sl_damage_has(sl_store_damage(snapshot->index->store), (uint32_t)doc);
}

static enum sl_err get_document(const struct sl_snapshot *snapshot, sl_doc_id doc,
                                struct sl_view *ret_payload, struct sl_error *err)
{
    struct sl_key key = sl_key_number((uint32_t)doc);
    enum sl_err rc = SL_REJECT;

    if (doc > 0 && doc <= UINT32_MAX)
        rc = sl_txn_get(snapshot->txn, SL_STORE_DOC, sl_key_view(&key), ret_payload, err);
    if (rc == SL_REJECT && is_damaged(snapshot, doc))
        return sl_corrupt(err, "doc", doc, "missing");
    if (rc == SL_REJECT)
        return sl_fail(err, SL_REJECT, "not_found", "index: no document %llu",
                       (unsigned long long)doc);
    return rc;
}

enum sl_err sl_snapshot_document(const struct sl_snapshot *snapshot, sl_doc_id doc,
                                 struct sl_arena *arena, struct sl_document *ret_document,
                                 uint32_t *ret_chunk_count, struct sl_error *err)
{
    struct sl_document document = {0};
    struct sl_doc_head head;
    struct sl_key_row row;
    struct sl_view payload;
    enum sl_err rc = get_document(snapshot, doc, &payload, err);

    if (rc == SL_OK)
        rc = sl_doc_read(payload, arena, &document, &head, err);
    if (rc != SL_OK)
        return rc;
    rc = sl_txn_find_row(snapshot->txn, document.topic, document.key, &row, err);
    if (rc == SL_REJECT || (rc == SL_OK && row.document != doc))
        return sl_corrupt(err, "key", doc, "does not lead to its document");
    if (rc != SL_OK)
        return rc;
    document.partition = row.partition;
    document.offset = row.offset;
    document.timestamp_ms = row.timestamp_ms;
    *ret_document = document;
    if (ret_chunk_count != NULL)
        *ret_chunk_count = head.chunk_count;
    return SL_OK;
}

enum sl_err sl_snapshot_find(const struct sl_snapshot *snapshot, struct sl_view topic,
                             struct sl_view key, sl_doc_id *ret_doc, struct sl_error *err)
{
    struct sl_key_row row;
    enum sl_err rc = sl_txn_find_row(snapshot->txn, topic, key, &row, err);

    if (rc == SL_REJECT || (rc == SL_OK && row.document == 0))
        return sl_fail(err, SL_REJECT, "not_found", "index: no document of that topic and key");
    if (rc == SL_OK)
        *ret_doc = row.document;
    return rc;
}

enum sl_err sl_snapshot_chunk(const struct sl_snapshot *snapshot, sl_doc_id doc, uint32_t chunk,
                              struct sl_arena *arena, struct sl_chunk *ret_chunk,
                              struct sl_error *err)
{
    struct sl_reader reader;
    struct sl_chunk_head head;
    struct sl_window *windows;
    struct sl_view payload;
    enum sl_err rc = sl_copy_get(snapshot, SL_STORE_CHUNK, doc, chunk, &payload, err);

    if (rc == SL_REJECT && is_damaged(snapshot, doc))
        return sl_corrupt(err, "chunk", doc, "missing");
    if (rc == SL_REJECT)
        return sl_fail(err, SL_REJECT, "not_found", "index: document %llu has no chunk %u",
                       (unsigned long long)doc, chunk);
    if (rc != SL_OK)
        return rc;
    reader = sl_reader_of(payload);
    head = sl_chunk_head_read(&reader);
    windows = SL_NEW_ARRAY(arena, struct sl_window, head.window_count + 1);
    if (windows == NULL)
        return sl_fail(err, SL_REJECT, "too_large", "a stored chunk does not fit the arena");
    for (uint32_t i = 0; i < head.window_count; i++) {
        struct sl_window_row row = sl_window_read(&reader);
        windows[i].byte_start = row.byte_start;
        windows[i].byte_end = row.byte_end;
        memcpy(windows[i].hash, row.hash, sizeof row.hash);
    }
    if (reader.bad)
        return sl_corrupt(err, "chunk", doc, "wrong lengths");
    *ret_chunk = (struct sl_chunk){.byte_start = head.byte_start,
                                   .byte_end = head.byte_end,
                                   .word_count = head.word_count,
                                   .section = head.section,
                                   .windows = windows,
                                   .window_count = head.window_count,
                                   .length_terms = head.length_terms};
    return SL_OK;
}

enum sl_err sl_snapshot_next(const struct sl_snapshot *snapshot, sl_doc_id doc, sl_doc_id *ret_doc,
                             struct sl_error *err)
{
    struct sl_key from = sl_key_number((uint32_t)(doc + 1));
    struct sl_cursor cursor;
    enum sl_err rc;

    if (doc >= UINT32_MAX)
        return sl_fail(err, SL_REJECT, "not_found", "index: no more documents");
    rc = sl_cursor_open(snapshot->txn, SL_STORE_DOC, true, &cursor, err);
    if (rc != SL_OK)
        return rc;
    rc = sl_cursor_seek(&cursor, sl_key_view(&from), err);
    if (rc == SL_OK && (cursor.key.size != 4 || !cursor.intact))
        rc = sl_corrupt(err, "doc", doc + 1, "wrong checksum of this or the next document");
    if (rc == SL_OK)
        *ret_doc = sl_get_be32(cursor.key.data);
    sl_cursor_close(&cursor);
    return rc;
}

/* ----------------------------------------------------------------------------------- windows */

static int compare_places(const void *a, const void *b)
{
    return memcmp(a, b, SL_HASH_BYTES); /* the hash stands first */
}

static bool add_windows(struct sl_snapshot *snapshot, struct sl_view payload, uint32_t *capacity)
{
    struct sl_reader reader = sl_reader_of(payload);
    struct sl_chunk_head chunk = sl_chunk_head_read(&reader);

    if (snapshot->window_count + chunk.window_count > *capacity) {
        uint32_t more = (snapshot->window_count + chunk.window_count) * 2;
        void *list = realloc(snapshot->windows, (size_t)more * sizeof *snapshot->windows);
        if (list == NULL)
            return false;
        snapshot->windows = list;
        *capacity = more;
    }
    for (uint32_t w = 0; w < chunk.window_count; w++) {
        struct sl_window_row row = sl_window_read(&reader);
        struct sl_window_place *place = &snapshot->windows[snapshot->window_count++];
        memcpy(place->hash, row.hash, SL_HASH_BYTES);
        place->slot = row.slot;
    }
    return true;
}

/* The windows of a document, read once and kept for the questions that follow. */
static bool load_windows(struct sl_snapshot *snapshot, uint32_t document)
{
    struct sl_view payload;
    struct sl_doc_head head;
    uint32_t capacity = 0;

    free(snapshot->windows);
    snapshot->windows = NULL;
    snapshot->window_count = 0;
    snapshot->windows_of = 0;
    if (get_document(snapshot, document, &payload, NULL) != SL_OK ||
        !sl_doc_head_read(payload, &head))
        return false;
    for (uint32_t i = 0; i < head.chunk_count; i++) {
        struct sl_key key = sl_key_pair(document, i);
        if (sl_txn_get(snapshot->txn, SL_STORE_CHUNK, sl_key_view(&key), &payload, NULL) != SL_OK ||
            !add_windows(snapshot, payload, &capacity))
            return false;
    }
    if (snapshot->window_count > 0)
        qsort(snapshot->windows, snapshot->window_count, sizeof *snapshot->windows, compare_places);
    snapshot->windows_of = document;
    return true;
}

/* NULL: the document has no such window. */
static const struct sl_window_place *find_window(const struct sl_snapshot *snapshot, sl_doc_id doc,
                                                 const uint8_t *hash)
{
    struct sl_snapshot *own = (struct sl_snapshot *)(uintptr_t)snapshot;

    if (own->windows_of != doc && !load_windows(own, (uint32_t)doc))
        return NULL;
    return own->window_count == 0 ? NULL
                                  : bsearch(hash, own->windows, own->window_count,
                                            sizeof *own->windows, compare_places);
}

bool sl_snapshot_has_window(const struct sl_snapshot *snapshot, struct sl_view topic,
                            struct sl_view key, const uint8_t hash[SL_HASH_BYTES])
{
    sl_doc_id doc = 0;

    return sl_snapshot_find(snapshot, topic, key, &doc, NULL) == SL_OK &&
           find_window(snapshot, doc, hash) != NULL;
}

enum sl_err sl_snapshot_vector(const struct sl_snapshot *snapshot, sl_doc_id doc,
                               const uint8_t *hash, float *ret_vector, struct sl_error *err)
{
    const struct sl_window_place *place = find_window(snapshot, doc, hash);
    struct sl_graph *graph;
    uint32_t damaged;
    enum sl_err rc;

    if (place == NULL || snapshot->format.dim == 0)
        return sl_fail(err, SL_REJECT, "not_found", "index: no such window");
    rc = sl_snapshot_graph(snapshot, &graph, err);
    if (rc != SL_OK)
        return rc;
    if (place->slot >= graph->slot_end)
        return sl_corrupt(err, "chunk", doc, "a window names a slot without vector");
    sl_graph_vector_get(graph, place->slot, ret_vector);
    damaged = atomic_load(&graph->damaged);
    return damaged == 0 ? SL_OK : sl_corrupt(err, "vec", damaged - 1, "wrong checksum");
}

/* --------------------------------------------------------------------------------- positions */

static enum sl_err read_position(struct sl_view payload, struct sl_arena *arena,
                                 struct sl_position *ret_position, struct sl_error *err)
{
    struct sl_reader reader = sl_reader_of(payload);
    struct sl_position position;
    struct sl_offset_range *completed;

    position.next_offset = (int64_t)sl_read_u64(&reader);
    position.wall_ms = (int64_t)sl_read_u64(&reader);
    position.record_offset = (int64_t)sl_read_u64(&reader);
    position.record_timestamp_ms = (int64_t)sl_read_u64(&reader);
    position.record_crc = sl_read_u32(&reader);
    position.completed_count = sl_read_u32(&reader);
    if (reader.bad || (size_t)(reader.end - reader.at) != position.completed_count * (size_t)16)
        return sl_corrupt(err, "pos", 0, "wrong lengths");
    completed = SL_NEW_ARRAY(arena, struct sl_offset_range, position.completed_count + 1);
    if (completed == NULL)
        return sl_fail(err, SL_REJECT, "too_large", "a stored position does not fit the arena");
    for (uint32_t i = 0; i < position.completed_count; i++) {
        completed[i].first = (int64_t)sl_read_u64(&reader);
        completed[i].last = (int64_t)sl_read_u64(&reader);
    }
    position.completed = completed;
    *ret_position = position;
    return SL_OK;
}

enum sl_err sl_snapshot_position(const struct sl_snapshot *snapshot, struct sl_view topic,
                                 int32_t partition, struct sl_arena *arena,
                                 struct sl_position *ret_position, struct sl_error *err)
{
    struct sl_key key = sl_key_position(topic, partition);
    struct sl_view payload;
    enum sl_err rc =
        sl_txn_get(snapshot->txn, SL_STORE_POSITION, sl_key_view(&key), &payload, err);

    return rc == SL_OK ? read_position(payload, arena, ret_position, err) : rc;
}

enum sl_err sl_snapshot_positions(const struct sl_snapshot *snapshot, struct sl_arena *arena,
                                  sl_position_fn each, void *context, struct sl_error *err)
{
    struct sl_cursor cursor;
    struct sl_position position;
    bool more = true;
    enum sl_err rc = sl_cursor_open(snapshot->txn, SL_STORE_POSITION, false, &cursor, err);

    if (rc != SL_OK)
        return rc;
    for (rc = sl_cursor_seek(&cursor, SL_VIEW_NULL, err); rc == SL_OK && more;
         rc = sl_cursor_next(&cursor, err)) {
        size_t topic = cursor.key.size < 5 ? 0 : cursor.key.size - 5;
        rc = read_position(cursor.payload, arena, &position, err);
        if (rc != SL_OK)
            break;
        more = each(context, sl_view_range(cursor.key, 0, topic),
                    (int32_t)sl_get_be32(cursor.key.data + topic + 1), &position);
        if (!more)
            break;
    }
    sl_cursor_close(&cursor);
    return rc == SL_REJECT ? SL_OK : rc;
}

/* -------------------------------------------------------------------------------------- rows */

static enum sl_store_table store_table(enum sl_table table)
{
    SL_PRE(table >= SL_TABLE_OUTBOX && table <= SL_TABLE_NOTE);
    return (enum sl_store_table)(SL_STORE_OUTBOX + (int)table - 1);
}

enum sl_err sl_snapshot_row(const struct sl_snapshot *snapshot, enum sl_table table,
                            struct sl_view key, struct sl_view *ret_value, struct sl_error *err)
{
    return sl_txn_get(snapshot->txn, store_table(table), key, ret_value, err);
}

enum sl_err sl_snapshot_rows(const struct sl_snapshot *snapshot, enum sl_table table,
                             struct sl_view after, sl_row_fn each, void *context,
                             struct sl_error *err)
{
    struct sl_cursor cursor;
    enum sl_err rc = sl_cursor_open(snapshot->txn, store_table(table), false, &cursor, err);

    if (rc != SL_OK)
        return rc;
    rc = sl_cursor_seek(&cursor, after, err);
    if (rc == SL_OK && after.data != NULL && sl_view_equal(cursor.key, after))
        rc = sl_cursor_next(&cursor, err);
    while (rc == SL_OK && each(context, cursor.key, cursor.payload))
        rc = sl_cursor_next(&cursor, err);
    sl_cursor_close(&cursor);
    return rc == SL_REJECT ? SL_OK : rc;
}

/* ------------------------------------------------------------------------------------- stats */

static enum sl_err count_rows(const struct sl_snapshot *snapshot, struct sl_index_stats *stats,
                              struct sl_error *err)
{
    uint64_t keys = 0;
    uint32_t quarantined = 0;
    enum sl_err rc = sl_txn_count(snapshot->txn, SL_STORE_DOC, &stats->documents, err);

    if (rc == SL_OK)
        rc = sl_txn_count(snapshot->txn, SL_STORE_COPY, &stats->copies, err);
    if (rc == SL_OK)
        rc = sl_txn_count(snapshot->txn, SL_STORE_KEY, &keys, err);
    stats->tombstones = keys > stats->documents ? keys - stats->documents : 0;
    if (rc == SL_OK)
        rc = sl_txn_count(snapshot->txn, SL_STORE_OUTBOX, &stats->outbox, err);
    if (rc == SL_OK)
        rc = sl_txn_count(snapshot->txn, SL_STORE_REPLY, &stats->replies, err);
    if (rc == SL_OK)
        rc = sl_quarantine_count(snapshot->txn, &quarantined, err);
    stats->quarantined = quarantined;
    return rc;
}

static enum sl_err count_vectors(const struct sl_snapshot *snapshot, struct sl_index_stats *stats,
                                 struct sl_error *err)
{
    struct sl_graph *graph;
    uint32_t entry;
    enum sl_err rc = sl_snapshot_graph(snapshot, &graph, err);

    if (rc != SL_OK)
        return rc;
    stats->vectors_live = graph->live;
    stats->vectors_dead = graph->slot_end - graph->live;
    stats->unreachable = graph->orphans;
    entry = graph->entry;
    stats->level_max = entry == SL_SLOT_NONE ? 0 : graph->slots[entry].level;
    return SL_OK;
}

enum sl_err sl_snapshot_stats(const struct sl_snapshot *snapshot, struct sl_index_stats *ret_stats,
                              struct sl_error *err)
{
    const struct sl_format *format = &snapshot->format;
    struct sl_index_stats stats = {.chunks = snapshot->state.chunks,
                                   .terms_total = snapshot->state.terms_total,
                                   .dim = format->dim,
                                   .m = format->m,
                                   .format = format->version,
                                   .storage = (enum sl_storage)format->storage,
                                   .sequence = snapshot->state.sequence};
    struct sl_store_stats store;
    enum sl_err rc = count_rows(snapshot, &stats, err);

    if (rc == SL_OK)
        rc = sl_txn_stats(snapshot->txn, &store, err);
    if (rc == SL_OK && format->dim > 0)
        rc = count_vectors(snapshot, &stats, err);
    if (rc != SL_OK)
        return rc;
    stats.map_bytes = store.map_bytes;
    stats.used_bytes = store.used_bytes;
    stats.disk_bytes = store.disk_bytes;
    stats.free_pages = store.free_pages;
    stats.readers = store.readers;
    *ret_stats = stats;
    return SL_OK;
}
