/*
 * quarantine.c -- a document of which a record is damaged, taken out of the index with what is left of it.
 *
 * The problem: deleting a document needs its records: its chunks say which numbers and slots it has, its
 * terms which postings, its fields which attributes. One of them is damaged, so none is relied on.
 *
 * The idea: what refers to the document says so itself. Segments name the document of each chunk, slots
 * theirs, and rows of postings and attributes hold numbers; so a walk over those tables finds all of it. That
 * is slow, and rare. What stays is the row of its key, doubtful, so that the same record may be applied once
 * more, and a note of where it came from, which goes when it comes again.
 *
 * Rejected: keeping the rest of the document and serving it (an answer might cite a text whose chunk is
 * another's); rebuilding from the parts that are whole (the log has the record, and it is the same).
 *
 * Of a damaged slab of vectors, every document that has one there goes, the usual way.
 *
 * Copies of it (copies.c) go with it, though theirs is whole: nothing is left that they could be found through.
 *
 * Known weakness: a damaged row of postings, attributes, segments, keys or positions belongs to many
 * documents, and is not mended here: the index is then made anew, or taken from a copy.
 */
#include "index/internal.h"
#include "index/runs.h"

#include <stdlib.h>

#include <sluice/hash.h>

#include "index/damage.h"

#define NOTE_PREFIX "quarantine/"

struct numbers {
    uint32_t *list;
    uint32_t count, capacity;
};

struct cleaning {
    struct sl_batch *batch;
    uint32_t document;
    uint32_t copies; /* taken out with it */
    struct numbers chunks; /* its own, in order */
    struct sl_error *err;
};

static enum sl_err note_number(struct numbers *numbers, uint32_t number, struct sl_error *err)
{
    if (numbers->count == numbers->capacity) {
        uint32_t capacity = numbers->capacity * 2 + 16;
        uint32_t *list = realloc(numbers->list, capacity * sizeof *list);
        if (list == NULL)
            return sl_batch_memory(err);
        numbers->list = list;
        numbers->capacity = capacity;
    }
    numbers->list[numbers->count++] = number;
    return SL_OK;
}

/* -------------------------------------------------------------------------------------- notes */

static struct sl_key note_key(struct sl_view topic, struct sl_view name)
{
    struct sl_key row = sl_key_document(topic, name), key = {.size = sizeof NOTE_PREFIX - 1 + 16};
    uint8_t digest[32];

    sl_sha256(sl_key_view(&row), digest);
    memcpy(key.bytes, NOTE_PREFIX, sizeof NOTE_PREFIX - 1);
    memcpy(key.bytes + sizeof NOTE_PREFIX - 1, digest, 16);
    return key;
}

enum sl_err sl_batch_came_again(struct sl_batch *batch, struct sl_view topic, struct sl_view name,
                                struct sl_error *err)
{
    struct sl_key key;
    bool found = false;
    enum sl_err rc;

    if (batch->index->quarantined == 0)
        return SL_OK;
    key = note_key(topic, name);
    rc = sl_txn_delete(batch->txn, SL_STORE_NOTE, sl_key_view(&key), &found, err);
    batch->touched = batch->touched || found;
    batch->index->quarantined -= found;
    return rc;
}

static enum sl_err each_note(struct sl_txn *txn, sl_quarantined_fn each, void *context,
                             struct sl_error *err)
{
    struct sl_cursor cursor;
    struct sl_view prefix = SL_VIEW(NOTE_PREFIX);
    enum sl_err rc = sl_cursor_open(txn, SL_STORE_NOTE, false, &cursor, err);

    if (rc != SL_OK)
        return rc;
    for (rc = sl_cursor_seek(&cursor, prefix, err);
         rc == SL_OK && cursor.key.size > prefix.size &&
         memcmp(cursor.key.data, prefix.data, prefix.size) == 0;
         rc = sl_cursor_next(&cursor, err)) {
        struct sl_key_row row;
        struct sl_quarantined found;
        if (!sl_key_row_read(cursor.payload, &row)) {
            rc = sl_corrupt(err, "note", 0, "wrong lengths");
            break;
        }
        found = (struct sl_quarantined){row.topic, row.key, row.partition, row.offset,
                                        row.timestamp_ms};
        if (!each(context, &found))
            break;
    }
    sl_cursor_close(&cursor);
    return rc == SL_REJECT ? SL_OK : rc;
}

enum sl_err sl_snapshot_quarantined(const struct sl_snapshot *snapshot, sl_quarantined_fn each,
                                    void *context, struct sl_error *err)
{
    return each_note(snapshot->txn, each, context, err);
}

static bool count_one(void *context, const struct sl_quarantined *found)
{
    (void)found;
    ++*(uint32_t *)context;
    return true;
}

enum sl_err sl_quarantine_count(struct sl_txn *txn, uint32_t *ret_count, struct sl_error *err)
{
    *ret_count = 0;
    return each_note(txn, count_one, ret_count, err);
}

/* ------------------------------------------------------------------------------ what is missing */

static enum sl_err look_for(struct sl_txn *txn, enum sl_store_table table, const struct sl_key *key,
                            struct sl_view *ret_payload, bool *ret_there, struct sl_error *err)
{
    enum sl_err rc = sl_txn_get_unchecked(txn, table, sl_key_view(key), ret_payload, err);

    *ret_there = rc == SL_OK && sl_record_intact(sl_key_view(key), *ret_payload);
    return rc == SL_REJECT ? SL_OK : rc;
}

static enum sl_err is_whole(struct sl_txn *txn, uint32_t document, bool *ret_whole,
                            struct sl_error *err)
{
    struct sl_key key = sl_key_number(document);
    struct sl_doc_head head = {.chunk_count = 0};
    struct sl_view payload;
    enum sl_err rc = look_for(txn, SL_STORE_DOC, &key, &payload, ret_whole, err);

    *ret_whole = *ret_whole && sl_doc_head_read(payload, &head);
    for (uint32_t i = 0; rc == SL_OK && *ret_whole && i < head.chunk_count; i++) {
        bool has_terms = false;
        key = sl_key_pair(document, i);
        rc = look_for(txn, SL_STORE_CHUNK, &key, &payload, ret_whole, err);
        if (rc == SL_OK)
            rc = look_for(txn, SL_STORE_TERM, &key, &payload, &has_terms, err);
        *ret_whole = *ret_whole && has_terms;
    }
    return rc;
}

/* A key that was damaged leads nowhere: its document is found by missing a record. */
enum sl_err sl_quarantine_find(struct sl_index *index, struct sl_error *err)
{
    struct sl_damage *damage = sl_store_damage(index->store);
    const struct sl_numbers *live = &index->documents;
    struct sl_txn *txn;
    bool whole = true;
    enum sl_err rc;

    if (sl_damage_count(damage) == 0)
        return SL_OK;
    rc = sl_txn_begin(index->store, false, &txn, err);
    if (rc != SL_OK)
        return rc;
    for (uint32_t number = 1; rc == SL_OK && number < live->words * 64u; number++)
        if ((live->bits[number / 64] >> (number % 64) & 1) != 0) {
            rc = is_whole(txn, number, &whole, err);
            if (rc == SL_OK && !whole)
                sl_damage_note(damage, number);
        }
    (void)sl_txn_abort(txn);
    return rc;
}

uint32_t sl_index_damaged(struct sl_index *index)
{
    uint32_t count = sl_damage_count(sl_store_damage(index->store));

    (void)pthread_mutex_lock(&index->lock);
    if (index->graph != NULL && atomic_load(&index->graph->damaged) != 0)
        count++;
    (void)pthread_mutex_unlock(&index->lock);
    return count;
}

/*
 * Every document with a vector in the slab whose checksum was wrong. Its row goes; in memory it moves to the
 * heap as it is, for older snapshots. SL_REJECT: there is none.
 */
static enum sl_err note_slab(struct sl_batch *batch, struct sl_error *err)
{
    struct sl_graph *graph = batch->graph;
    uint32_t slab = graph != NULL ? atomic_load(&graph->damaged) : 0;
    struct sl_key key;

    if (slab == 0)
        return SL_REJECT;
    slab--;
    batch->touched = true;
    for (uint64_t slot = (uint64_t)slab << graph->slab_shift;
         slot < (uint64_t)(slab + 1) << graph->slab_shift && slot < graph->slot_end; slot++)
        if (graph->slots[slot].state == SL_SLOT_LIVE)
            sl_damage_note(sl_store_damage(batch->index->store), graph->slots[slot].document);
    (void)sl_graph_check_fulls(graph, slab);
    atomic_store(&graph->damaged, 0);
    if (sl_graph_slab_edit(graph, slab) == NULL)
        return sl_batch_memory(err);
    key = sl_key_number(slab);
    return sl_txn_delete(batch->txn, SL_STORE_VECTOR, sl_key_view(&key), NULL, err);
}

/* ---------------------------------------------------------------------------------- cleaning up */

/* The row of the key that leads to the document, in the batch's arena. SL_REJECT: no key does. */
static enum sl_err find_owner(struct cleaning *cleaning, struct sl_key_row *ret_row)
{
    struct sl_arena *arena = cleaning->batch->arena;
    struct sl_cursor cursor;
    enum sl_err rc =
        sl_cursor_open(cleaning->batch->txn, SL_STORE_KEY, true, &cursor, cleaning->err);
    bool found = false;

    if (rc != SL_OK)
        return rc;
    for (rc = sl_cursor_seek(&cursor, SL_VIEW_NULL, cleaning->err); rc == SL_OK;
         rc = sl_cursor_next(&cursor, cleaning->err)) {
        found = cursor.intact && sl_key_row_read(cursor.payload, ret_row) &&
                ret_row->document == cleaning->document;
        if (found)
            break;
    }
    if (found) {
        ret_row->topic = sl_arena_copy(arena, ret_row->topic);
        ret_row->key = sl_arena_copy(arena, ret_row->key);
        if (ret_row->topic.data == NULL || ret_row->key.data == NULL)
            rc = sl_batch_memory(cleaning->err);
    }
    sl_cursor_close(&cursor);
    return rc;
}

static enum sl_err find_chunks(struct cleaning *cleaning)
{
    struct sl_cursor cursor;
    enum sl_err rc =
        sl_cursor_open(cleaning->batch->txn, SL_STORE_SEGMENT, false, &cursor, cleaning->err);

    if (rc != SL_OK)
        return rc;
    for (rc = sl_cursor_seek(&cursor, SL_VIEW_NULL, cleaning->err); rc == SL_OK;
         rc = sl_cursor_next(&cursor, cleaning->err)) {
        uint32_t number = cursor.key.size == 4 ? sl_get_be32(cursor.key.data) : UINT32_MAX;
        struct sl_segment segment;
        if (number > UINT32_MAX / SL_SEGMENT_CHUNKS || cursor.payload.size != sizeof segment) {
            rc = sl_corrupt(cleaning->err, "segment", number, "wrong length");
            break;
        }
        memcpy(&segment, cursor.payload.data, sizeof segment);
        for (uint32_t i = 0; rc == SL_OK && i < SL_SEGMENT_CHUNKS; i++)
            if (segment.document[i] == cleaning->document)
                rc = note_number(&cleaning->chunks, number * SL_SEGMENT_CHUNKS + i, cleaning->err);
        if (rc != SL_OK)
            break;
    }
    sl_cursor_close(&cursor);
    return rc == SL_REJECT ? SL_OK : rc;
}

/* Take numbers out of the row under the cursor, those that are there. */
static enum sl_err take_out(struct cleaning *cleaning, const struct sl_cursor *cursor,
                            const bool *locals)
{
    struct sl_posting postings[SL_SEGMENT_CHUNKS];
    uint32_t count;

    if (!sl_postings_read(cursor->payload, postings, &count))
        return sl_corrupt(cleaning->err, sl_store_table_name(cursor->table), 0,
                          "a row of senseless values");
    for (uint32_t i = 0; i < count; i++)
        if (locals[postings[i].local])
            sl_deltas_add(&cleaning->batch->deltas, cursor->table, cursor->key, postings[i].local,
                          0, 0);
    return SL_OK;
}

/* The same of a block of postings, and of numbers of one segment. */
static enum sl_err take_out_of_block(struct cleaning *cleaning, struct sl_view key,
                                     struct sl_view payload, uint32_t segment, const bool *locals)
{
    struct sl_occurrence postings[SL_BLOCK_POSTINGS];
    struct sl_post_key at;
    struct sl_key first;
    uint32_t count;

    if (!sl_post_key_read(key, &at) || !sl_block_read(payload, at.from, postings, &count))
        return sl_corrupt(cleaning->err, sl_store_table_name(SL_STORE_POST), 0,
                          "a row of senseless values");
    first = sl_key_post(at.run, at.term);
    for (uint32_t i = 0; i < count; i++)
        if (postings[i].chunk / SL_SEGMENT_CHUNKS == segment &&
            locals[postings[i].chunk % SL_SEGMENT_CHUNKS])
            sl_deltas_add(&cleaning->batch->deltas, SL_STORE_POST, sl_key_view(&first),
                          postings[i].chunk, 0, 0);
    return SL_OK;
}

static enum sl_err drop_of_run(struct cleaning *cleaning, uint32_t run, uint32_t segment,
                               const bool *locals)
{
    struct sl_key first = sl_key_number(run);
    struct sl_cursor cursor;
    enum sl_err rc =
        sl_cursor_open(cleaning->batch->txn, SL_STORE_POST, false, &cursor, cleaning->err);

    if (rc != SL_OK)
        return rc;
    for (rc = sl_cursor_seek(&cursor, sl_key_view(&first), cleaning->err);
         rc == SL_OK && cursor.key.size >= 4 && memcmp(cursor.key.data, first.bytes, 4) == 0;
         rc = sl_cursor_next(&cursor, cleaning->err)) {
        rc = take_out_of_block(cleaning, cursor.key, cursor.payload, segment, locals);
        if (rc != SL_OK)
            break;
    }
    sl_cursor_close(&cursor);
    return rc == SL_REJECT ? SL_OK : rc;
}

/* The postings of chunks of one segment: in the runs it is part of, whatever their terms. */
static enum sl_err drop_postings(struct cleaning *cleaning, uint32_t segment, const bool *locals)
{
    enum sl_err rc = SL_OK;

    for (uint32_t level = 0; rc == SL_OK && level <= SL_RUN_LEVELS; level++)
        rc = drop_of_run(cleaning, sl_run_at(level, segment), segment, locals);
    return rc;
}

static void give_number(struct sl_numbers *numbers, uint32_t number)
{
    if (number / 64 < numbers->words && (numbers->bits[number / 64] >> (number % 64) & 1) != 0)
        sl_numbers_give(numbers, number);
}

static void clear_chunk(struct sl_batch *batch, struct sl_segment *segment, uint32_t chunk)
{
    uint32_t local = chunk % SL_SEGMENT_CHUNKS;

    batch->state.chunks--;
    batch->state.terms_total -= segment->length[local];
    segment->document[local] = segment->length[local] = 0;
    segment->ordinal[local] = 0;
    give_number(&batch->index->chunks, chunk);
}

static enum sl_err drop_chunks(struct cleaning *cleaning)
{
    const struct numbers *chunks = &cleaning->chunks;
    enum sl_err rc = SL_OK;

    for (uint32_t i = 0, end; rc == SL_OK && i < chunks->count; i = end) {
        uint32_t number = chunks->list[i] / SL_SEGMENT_CHUNKS;
        bool locals[SL_SEGMENT_CHUNKS] = {false};
        struct sl_segment *segment;
        for (end = i; end < chunks->count && chunks->list[end] / SL_SEGMENT_CHUNKS == number; end++)
            locals[chunks->list[end] % SL_SEGMENT_CHUNKS] = true;
        rc = drop_postings(cleaning, number, locals);
        if (rc == SL_OK)
            rc = sl_batch_segment(cleaning->batch, number, &segment, cleaning->err);
        for (uint32_t j = i; rc == SL_OK && j < end; j++)
            clear_chunk(cleaning->batch, segment, chunks->list[j]);
    }
    return rc;
}

static enum sl_err drop_attributes(struct cleaning *cleaning)
{
    bool locals[SL_SEGMENT_CHUNKS] = {false};
    struct sl_cursor cursor;
    enum sl_err rc =
        sl_cursor_open(cleaning->batch->txn, SL_STORE_ATTR, false, &cursor, cleaning->err);

    if (rc != SL_OK)
        return rc;
    locals[cleaning->document % SL_SEGMENT_CHUNKS] = true;
    for (rc = sl_cursor_seek(&cursor, SL_VIEW_NULL, cleaning->err); rc == SL_OK;
         rc = sl_cursor_next(&cursor, cleaning->err)) {
        if (cursor.key.size < 4 || sl_get_be32(cursor.key.data + cursor.key.size - 4) !=
                                       cleaning->document / SL_SEGMENT_CHUNKS)
            continue;
        rc = take_out(cleaning, &cursor, locals);
        if (rc != SL_OK)
            break;
    }
    sl_cursor_close(&cursor);
    return rc == SL_REJECT ? SL_OK : rc;
}

static enum sl_err drop_slots(struct cleaning *cleaning)
{
    struct sl_graph *graph = cleaning->batch->graph;

    for (uint32_t slot = 0; graph != NULL && slot < graph->slot_end; slot++)
        if (graph->slots[slot].state == SL_SLOT_LIVE &&
            graph->slots[slot].document == cleaning->document &&
            !sl_graph_remove(graph, slot, cleaning->batch->epoch))
            return sl_batch_memory(cleaning->err);
    return SL_OK;
}

/* Every row whose key begins with the document's number, damaged or not. */
static enum sl_err drop_rows(struct cleaning *cleaning, enum sl_store_table table)
{
    struct sl_txn *txn = cleaning->batch->txn;
    struct sl_key first = sl_key_number(cleaning->document);

    for (;;) {
        struct sl_cursor cursor;
        char bytes[SL_KEY_TABLE_BYTES + 1];
        struct sl_view key = {bytes, 0};
        enum sl_err rc = sl_cursor_open(txn, table, true, &cursor, cleaning->err);
        if (rc != SL_OK)
            return rc;
        rc = sl_cursor_seek(&cursor, sl_key_view(&first), cleaning->err);
        if (rc == SL_OK && cursor.key.size >= 4 && cursor.key.size <= sizeof bytes &&
            memcmp(cursor.key.data, first.bytes, 4) == 0) {
            key.size = cursor.key.size;
            memcpy(bytes, cursor.key.data, key.size);
        }
        sl_cursor_close(&cursor);
        if (rc == SL_STOP)
            return rc;
        if (key.size == 0)
            return SL_OK;
        rc = sl_txn_delete(txn, table, key, NULL, cleaning->err);
        if (rc != SL_OK)
            return rc;
    }
}

/* The rows of a table that lead to the document without beginning with it: `of` tells which do. */
static enum sl_err drop_leading(struct cleaning *cleaning, enum sl_store_table table,
                                bool (*of)(const struct sl_cursor *cursor, uint32_t document))
{
    SL_CLEANUP(sl_buffer_fini) struct sl_buffer keys = {0};
    struct sl_cursor cursor;
    struct sl_view left;
    enum sl_err rc = sl_cursor_open(cleaning->batch->txn, table, false, &cursor, cleaning->err);

    if (rc != SL_OK)
        return rc;
    for (rc = sl_cursor_seek(&cursor, SL_VIEW_NULL, cleaning->err); rc == SL_OK;
         rc = sl_cursor_next(&cursor, cleaning->err))
        if (of(&cursor, cleaning->document)) {
            sl_write_u8(&keys, (uint8_t)cursor.key.size);
            sl_buffer_view(&keys, cursor.key);
        }
    sl_cursor_close(&cursor);
    if (rc == SL_REJECT)
        rc = keys.failed ? sl_batch_memory(cleaning->err) : SL_OK;
    left = sl_buffer_as_view(&keys);
    while (rc == SL_OK && left.size > 0) {
        size_t size = (unsigned char)left.data[0];
        rc = sl_txn_delete(cleaning->batch->txn, table, sl_view_range(left, 1, 1 + size), NULL,
                           cleaning->err);
        left = sl_view_range(left, 1 + size, left.size);
    }
    return rc;
}

static bool is_named(const struct sl_cursor *cursor, uint32_t document)
{
    return cursor->payload.size == 4 && sl_get_be32(cursor->payload.data) == document;
}

static bool is_copy(const struct sl_cursor *cursor, uint32_t document)
{
    return cursor->key.size == 8 && sl_get_be32(cursor->key.data + 4) == document;
}

static bool is_sketched(const struct sl_cursor *cursor, uint32_t document)
{
    return cursor->key.size == 12 && sl_get_be32(cursor->key.data + 8) == document;
}

static enum sl_err put(struct cleaning *cleaning, enum sl_store_table table,
                       const struct sl_key *key, const struct sl_key_row *row)
{
    SL_CLEANUP(sl_buffer_fini) struct sl_buffer buffer = {0};

    sl_key_row_write(&buffer, row);
    if (buffer.failed)
        return sl_batch_memory(cleaning->err);
    return sl_txn_put(cleaning->batch->txn, table, sl_key_view(key), sl_buffer_as_view(&buffer),
                      cleaning->err);
}

/* The key takes the same record again, and a note says which it was. */
static enum sl_err keep_note(struct cleaning *cleaning, struct sl_key_row *row)
{
    struct sl_key note = note_key(row->topic, row->key);
    struct sl_key key = sl_key_document(row->topic, row->key);
    enum sl_err rc;

    row->document = 0;
    rc = put(cleaning, SL_STORE_NOTE, &note, row);
    row->doubtful = row->offset >= 0; /* an import wins over an import as it is */
    if (rc == SL_OK)
        rc = put(cleaning, SL_STORE_KEY, &key, row);
    cleaning->batch->index->quarantined++;
    return rc;
}

/* All its records are there: it goes as any other does. SL_REJECT: its key leads to another. */
static enum sl_err clean_whole(struct cleaning *cleaning)
{
    SL_CLEANUP(sl_buffer_fini) struct sl_buffer payload = {0};
    struct sl_batch *batch = cleaning->batch;
    struct sl_document document = {0};
    struct sl_key number = sl_key_number(cleaning->document), key;
    struct sl_doc_head head;
    struct sl_key_row row;
    struct sl_view found;
    enum sl_err rc =
        sl_txn_get(batch->txn, SL_STORE_DOC, sl_key_view(&number), &found, cleaning->err);

    if (rc == SL_OK)
        rc = sl_doc_read(found, batch->arena, &document, &head, cleaning->err);
    if (rc != SL_OK)
        return rc;
    key = sl_key_document(document.topic, document.key);
    rc = sl_txn_get(batch->txn, SL_STORE_KEY, sl_key_view(&key), &found, cleaning->err);
    if (rc != SL_OK)
        return rc;
    sl_buffer_view(&payload, found);
    if (payload.failed || !sl_key_row_read(sl_buffer_as_view(&payload), &row))
        return sl_batch_memory(cleaning->err);
    if (row.document != cleaning->document)
        return SL_REJECT;
    rc = sl_batch_forget(batch, &row, cleaning->err);
    return rc == SL_OK ? keep_note(cleaning, &row) : rc;
}

static enum sl_err clean_remains(struct cleaning *cleaning)
{
    static const enum sl_store_table own[] = {SL_STORE_DOC, SL_STORE_CHUNK, SL_STORE_TERM,
                                              SL_STORE_SPARE};
    struct sl_batch *batch = cleaning->batch;
    struct sl_key_row row = {0};
    enum sl_err rc;

    sl_arena_reset(batch->arena);
    rc = find_owner(cleaning, &row);
    if (rc == SL_OK)
        rc = keep_note(cleaning, &row);
    if (rc == SL_OK)
        give_number(&batch->index->documents, cleaning->document);
    if (rc == SL_STOP)
        return rc;
    rc = find_chunks(cleaning);
    if (rc == SL_OK)
        rc = drop_slots(cleaning);
    if (rc == SL_OK)
        rc = drop_chunks(cleaning);
    if (rc == SL_OK)
        rc = drop_attributes(cleaning);
    for (size_t i = 0; rc == SL_OK && i < sizeof own / sizeof *own; i++)
        rc = drop_rows(cleaning, own[i]);
    if (rc == SL_OK)
        rc = drop_leading(cleaning, SL_STORE_ORIGINAL, is_named);
    if (rc == SL_OK)
        rc = drop_leading(cleaning, SL_STORE_BAND, is_sketched);
    return rc == SL_OK ? drop_leading(cleaning, SL_STORE_COPY, is_copy) : rc;
}

static enum sl_err clean(struct cleaning *cleaning);

/* What hangs on it cannot take over chunks or vectors that are damaged, and comes again by itself. */
static enum sl_err clean_copies(struct cleaning *cleaning)
{
    struct cleaning copy = {.batch = cleaning->batch, .err = cleaning->err};
    enum sl_err rc;

    while ((rc = sl_copy_next(cleaning->batch->txn, cleaning->document, 0, &copy.document,
                              cleaning->err)) == SL_OK) {
        rc = clean(&copy);
        free(copy.chunks.list);
        copy.chunks = (struct numbers){0};
        if (rc != SL_OK)
            return rc;
        cleaning->copies++;
    }
    return rc == SL_REJECT ? SL_OK : rc;
}

static enum sl_err clean(struct cleaning *cleaning)
{
    struct sl_batch *batch = cleaning->batch;
    bool whole = false;
    enum sl_err rc = clean_copies(cleaning);

    if (rc == SL_OK)
        rc = is_whole(batch->txn, cleaning->document, &whole, cleaning->err);
    if (rc == SL_OK)
        rc = whole ? clean_whole(cleaning) : SL_REJECT;
    if (rc == SL_REJECT)
        rc = clean_remains(cleaning);
    return rc == SL_OK ? sl_deltas_flush(&batch->deltas, batch->txn, &batch->state.run_changes,
                                         cleaning->err)
                       : rc;
}

/* The damage is noted again should the batch fail. */
static enum sl_err remember(struct sl_batch *batch, uint32_t document, struct sl_error *err)
{
    uint32_t *list = realloc(batch->cleaned, (batch->cleaned_count + 1u) * sizeof *list);

    if (list == NULL)
        return sl_batch_memory(err);
    batch->cleaned = list;
    list[batch->cleaned_count++] = document;
    return SL_OK;
}

static enum sl_err remove_one(struct sl_batch *batch, uint32_t document, uint32_t *count,
                              struct sl_error *err)
{
    struct cleaning cleaning = {.batch = batch, .document = document, .err = err};
    enum sl_err rc = remember(batch, document, err);

    batch->touched = true;
    if (rc == SL_OK)
        rc = clean(&cleaning);
    free(cleaning.chunks.list);
    *count += rc == SL_OK ? 1 + cleaning.copies : 0;
    if (rc != SL_OK)
        sl_damage_note(sl_store_damage(batch->index->store), document);
    return rc;
}

enum sl_err sl_batch_quarantine(struct sl_batch *batch, uint32_t *ret_count, struct sl_error *err)
{
    struct sl_damage *damage = sl_store_damage(batch->index->store);
    enum sl_err rc = SL_OK;
    uint32_t document;

    SL_PRE(!batch->failed && !batch->touched);
    *ret_count = 0;
    while (rc == SL_OK) {
        rc = note_slab(batch, err);
        if (rc == SL_STOP)
            break;
        document = sl_damage_take(damage);
        rc = document != 0 ? remove_one(batch, document, ret_count, err) : rc;
    }
    return sl_batch_failed(batch, rc == SL_REJECT ? SL_OK : rc);
}

void sl_quarantine_undo(struct sl_batch *batch)
{
    for (uint32_t i = 0; i < batch->cleaned_count; i++)
        sl_damage_note(sl_store_damage(batch->index->store), batch->cleaned[i]);
}
