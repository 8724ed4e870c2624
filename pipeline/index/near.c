/*
 * near.c -- documents whose text is nearly that of another, and that may be found through it.
 *
 * The problem: a page is mirrored with another footer, a report is sent again with a typing error mended. Compared with all
 * that is stored, that would cost a walk over the index a document.
 *
 * The idea: of the text's runs of three words, 128 hash functions each keep the least hash (MinHash); two texts agree in one
 * of them as often as their sets agree. They are put together to 16 bands of 8, and each band is a row of a table: texts alike
 * to .9 share a band with certainty .9999, to .5 once in sixteen. Whoever shares one is compared in full: the true share
 * of runs in common, .9 at least. Everything that filters see, and all numbers in the text, must be the same: they go into
 * the band's hash, so that documents of other dates or tenants do not even meet.
 *
 * One that is nearly a copy keeps its chunks, terms and vectors in a record of its own (spare). When its original goes, that
 * record is applied in the place of it: nothing is embedded, and windows that both have keep their place in the graph. Whatever
 * else hung there stays if it is like the new one, and is indexed by itself if not. All of that is one commit.
 *
 * Rejected: SimHash (one bit pattern a text: at .9 alike it errs where this does not), a list of what is still to be embedded
 * (nothing would find the text until a worker has been there).
 *
 * Known weakness: the vectors of such a copy take the same room on the disk as if it were indexed. A changed word may be
 * "not": off unless asked for.
 */
#include "index/internal.h"

#include <stdlib.h>

#include <sluice/hash.h>

#include "text/text_internal.h"

#define BAND_ROWS      8u
#define SHINGLES_MIN   32u /* shorter texts are copies when they are the same */
#define CANDIDATES_MAX 32u /* compared with one document */

static enum sl_err full(struct sl_error *err)
{
    return sl_fail(err, SL_REJECT, "too_large", "the document needs more memory than one may take");
}

/* ------------------------------------------------------------------------------------- sketches */

/* A hash of all but the text that both must have alike, and of the text's numbers. */
static uint64_t context_of(const struct sl_document *document, const struct sl_view *attributes,
                           uint32_t count)
{
    struct sl_document bare = *document;
    uint8_t digest[SL_HASH_BYTES];
    uint64_t context;

    bare.text = SL_VIEW("");
    bare.vector = NULL;
    (void)sl_copy_digest(&bare, attributes, count, digest);
    memcpy(&context, digest, sizeof context);
    return sl_hash_stir(context ^ sl_text_numbers(document->text));
}

static void sketch_bands(const uint64_t *hashes, uint32_t count, uint64_t context,
                         struct sl_sketch *sketch)
{
    uint64_t seed = 0x5EED;

    for (uint32_t band = 0; band < SL_NEAR_BANDS; band++) {
        uint64_t all = context + band;
        for (uint32_t row = 0; row < BAND_ROWS; row++) {
            uint64_t least = UINT64_MAX;
            seed = sl_hash_stir(seed + 0x632BE59BD9B4E019u);
            for (uint32_t i = 0; i < count; i++) {
                uint64_t hash = sl_hash_stir(hashes[i] ^ seed);
                least = hash < least ? hash : least;
            }
            all = sl_hash_stir(all * 3 + least);
        }
        sketch->bands[band] = all;
    }
}

enum sl_err sl_near_sketch(const struct sl_document *document, const struct sl_view *attributes,
                           uint32_t count, struct sl_sketch *ret_sketch, struct sl_error *err)
{
    SL_CLEANUP(sl_arena_closep) struct sl_arena *arena = sl_arena_open(SL_ARENA_BYTES_MAX);
    uint32_t shingles;
    uint64_t *hashes;

    *ret_sketch = (struct sl_sketch){.is_set = false};
    if (document->vector != NULL)
        return SL_OK;
    if (arena == NULL)
        return sl_batch_memory(err);
    hashes = sl_text_shingles(document->text, arena, &shingles);
    if (hashes == NULL)
        return full(err);
    if (shingles < SHINGLES_MIN)
        return SL_OK;
    sketch_bands(hashes, shingles, context_of(document, attributes, count), ret_sketch);
    ret_sketch->is_set = true;
    return SL_OK;
}

/* ------------------------------------------------------------------------------------ comparing */

/* A document to be compared with others. */
struct subject {
    struct sl_arena *arena;
    struct sl_document document;
    struct sl_doc_head head;
    uint64_t context;
    uint64_t *hashes;
    uint32_t count;
};

static enum sl_err examine(struct subject *subject, struct sl_error *err)
{
    uint32_t attribute_count;
    struct sl_view *attributes =
        sl_attr_keys(&subject->document, subject->arena, &attribute_count);

    subject->hashes = sl_text_shingles(subject->document.text, subject->arena, &subject->count);
    if (attributes == NULL || subject->hashes == NULL)
        return full(err);
    subject->context = context_of(&subject->document, attributes, attribute_count);
    return SL_OK;
}

static enum sl_err read_subject(struct sl_txn *txn, uint32_t number, struct subject *subject,
                                struct sl_error *err)
{
    struct sl_key key = sl_key_number(number);
    struct sl_view payload;
    enum sl_err rc = sl_txn_get(txn, SL_STORE_DOC, sl_key_view(&key), &payload, err);

    if (rc == SL_OK)
        rc = sl_doc_read(payload, subject->arena, &subject->document, &subject->head, err);
    return rc == SL_OK ? examine(subject, err) : rc;
}

static double likeness(const struct subject *a, const struct subject *b)
{
    if (a->context != b->context || a->document.vector != NULL || b->document.vector != NULL)
        return 0;
    return sl_shingles_likeness(a->hashes, a->count, b->hashes, b->count);
}

enum sl_err sl_near_are_like(struct sl_txn *txn, uint32_t a, uint32_t b, bool *ret_like,
                             struct sl_error *err)
{
    SL_CLEANUP(sl_arena_closep) struct sl_arena *arena = sl_arena_open(SL_ARENA_BYTES_MAX);
    struct subject first = {.arena = arena}, second = {.arena = arena};
    enum sl_err rc;

    *ret_like = false;
    if (arena == NULL)
        return sl_batch_memory(err);
    rc = read_subject(txn, a, &first, err);
    if (rc == SL_OK)
        rc = read_subject(txn, b, &second, err);
    if (rc == SL_OK)
        *ret_like = likeness(&first, &second) >= SL_LIKENESS_NEAR;
    return rc == SL_REJECT ? SL_OK : rc;
}

/* ------------------------------------------------------------------------------------ searching */

static struct sl_key band_key(uint64_t band, uint32_t document)
{
    struct sl_key key = {.size = 12};

    sl_put_be64(key.bytes, band);
    sl_put_be32(key.bytes + 8, document);
    return key;
}

/* The documents of one band that are not listed yet. */
static enum sl_err list_band(struct sl_txn *txn, uint64_t band, uint32_t *list, uint32_t *count,
                             struct sl_error *err)
{
    struct sl_key first = band_key(band, 0);
    struct sl_cursor cursor;
    enum sl_err rc = sl_cursor_open(txn, SL_STORE_BAND, false, &cursor, err);

    if (rc != SL_OK)
        return rc;
    for (rc = sl_cursor_seek(&cursor, sl_key_view(&first), err);
         rc == SL_OK && *count < CANDIDATES_MAX && cursor.key.size == 12 &&
         memcmp(cursor.key.data, first.bytes, 8) == 0;
         rc = sl_cursor_next(&cursor, err)) {
        uint32_t document = sl_get_be32(cursor.key.data + 8), at = 0;
        while (at < *count && list[at] != document)
            at++;
        list[at] = document;
        *count += at == *count;
    }
    sl_cursor_close(&cursor);
    return rc == SL_REJECT ? SL_OK : rc;
}

static enum sl_err choose(struct sl_txn *txn, const struct subject *subject, const uint32_t *list,
                          uint32_t count, uint32_t *ret_original, struct sl_error *err)
{
    double best = SL_LIKENESS_NEAR;
    enum sl_err rc = SL_OK;

    for (uint32_t i = 0; rc == SL_OK && i < count; i++) {
        SL_CLEANUP(sl_arena_closep) struct sl_arena *arena = sl_arena_open(SL_ARENA_BYTES_MAX);
        struct subject other = {.arena = arena};
        double like;
        if (arena == NULL)
            return sl_batch_memory(err);
        rc = read_subject(txn, list[i], &other, err);
        like = rc == SL_OK && sl_doc_head_original(&other.head) == 0 ? likeness(subject, &other) : 0;
        if (like > best || (like >= best && *ret_original == 0)) {
            best = like;
            *ret_original = list[i];
        }
    }
    return rc;
}

enum sl_err sl_near_original(struct sl_txn *txn, const struct sl_document *document,
                             const struct sl_sketch *sketch, uint32_t *ret_original,
                             struct sl_error *err)
{
    SL_CLEANUP(sl_arena_closep) struct sl_arena *arena = NULL;
    struct subject subject = {.document = *document};
    uint32_t list[CANDIDATES_MAX + 1], count = 0;
    enum sl_err rc = SL_OK;

    *ret_original = 0;
    for (uint32_t i = 0; rc == SL_OK && sketch->is_set && i < SL_NEAR_BANDS; i++)
        rc = list_band(txn, sketch->bands[i], list, &count, err);
    if (rc != SL_OK || count == 0)
        return rc;
    subject.arena = arena = sl_arena_open(SL_ARENA_BYTES_MAX);
    if (arena == NULL)
        return sl_batch_memory(err);
    rc = examine(&subject, err);
    return rc == SL_OK ? choose(txn, &subject, list, count, ret_original, err) : rc;
}

enum sl_err sl_near_name(struct sl_batch *batch, const struct sl_sketch *sketch, uint32_t document,
                         struct sl_error *err)
{
    enum sl_err rc = SL_OK;

    for (uint32_t i = 0; rc == SL_OK && sketch->is_set && i < SL_NEAR_BANDS; i++) {
        struct sl_key key = band_key(sketch->bands[i], document);
        rc = sl_txn_put(batch->txn, SL_STORE_BAND, sl_key_view(&key), SL_VIEW(""), err);
    }
    return rc;
}

enum sl_err sl_near_unname(struct sl_batch *batch, uint32_t document, struct sl_error *err)
{
    SL_CLEANUP(sl_arena_closep) struct sl_arena *arena = NULL;
    struct subject subject = {0};
    struct sl_sketch sketch = {.is_set = false};
    uint64_t rows = 0;
    enum sl_err rc = sl_txn_count(batch->txn, SL_STORE_BAND, &rows, err);

    if (rc != SL_OK || rows == 0)
        return rc;
    subject.arena = arena = sl_arena_open(SL_ARENA_BYTES_MAX);
    if (arena == NULL)
        return sl_batch_memory(err);
    rc = read_subject(batch->txn, document, &subject, err);
    if (rc == SL_OK && subject.document.vector == NULL && subject.count >= SHINGLES_MIN) {
        sketch_bands(subject.hashes, subject.count, subject.context, &sketch);
        for (uint32_t i = 0; rc == SL_OK && i < SL_NEAR_BANDS; i++) {
            struct sl_key key = band_key(sketch.bands[i], document);
            rc = sl_txn_delete(batch->txn, SL_STORE_BAND, sl_key_view(&key), NULL, err);
        }
    }
    return rc;
}

/* ---------------------------------------------------------------------------------------- spare */

enum sl_err sl_near_keep(struct sl_batch *batch, const struct sl_prepared *prepared, uint32_t document,
                         struct sl_error *err)
{
    SL_CLEANUP(sl_buffer_fini) struct sl_buffer buffer = {0};
    struct sl_key key = sl_key_number(document);

    sl_buffer_add(&buffer, prepared->head.chunk_hash, sizeof prepared->head.chunk_hash);
    sl_write_u32(&buffer, prepared->head.chunk_count);
    for (uint32_t i = 0; i < prepared->head.chunk_count; i++) {
        const struct sl_prepared_chunk *chunk = &prepared->chunks[i];
        sl_chunk_head_write(&buffer, &chunk->head);
        sl_write_view(&buffer, chunk->terms);
        for (uint32_t w = 0; w < chunk->head.window_count; w++) {
            sl_window_write(&buffer, &chunk->windows[w].row);
            sl_buffer_add(&buffer,
                          chunk->windows[w].vector != NULL ? chunk->windows[w].vector
                                                           : chunk->windows[w].moved,
                          prepared->format.dim * sizeof(float));
        }
    }
    if (buffer.failed)
        return sl_batch_memory(err);
    return sl_txn_put(batch->txn, SL_STORE_SPARE, sl_key_view(&key), sl_buffer_as_view(&buffer), err);
}

static enum sl_err read_chunk(struct sl_prepared *prepared, struct sl_reader *reader,
                              struct sl_prepared_chunk *chunk, struct sl_error *err)
{
    size_t bytes = prepared->format.dim * sizeof(float);

    chunk->head = sl_chunk_head_read(reader);
    chunk->terms = sl_read_view(reader);
    if (reader->bad || chunk->terms.data == NULL)
        return sl_corrupt(err, "spare", prepared->row.document, "wrong lengths");
    chunk->windows =
        SL_NEW_ARRAY(prepared->arena, struct sl_prepared_window, chunk->head.window_count + 1);
    for (uint32_t w = 0; chunk->windows != NULL && w < chunk->head.window_count; w++) {
        struct sl_prepared_window *window = &chunk->windows[w];
        float *vector = SL_NEW_ARRAY(prepared->arena, float, prepared->format.dim);
        window->row = sl_window_read(reader);
        if (vector == NULL)
            return sl_batch_memory(err);
        sl_read(reader, vector, bytes);
        window->vector = vector;
        if (prepared->graph != NULL)
            window->candidates.level = sl_graph_level(prepared->graph, window->row.hash);
    }
    return chunk->windows == NULL ? sl_batch_memory(err) : SL_OK;
}

/* Its row, record and attributes, as they were prepared once. */
static enum sl_err read_document(struct sl_batch *batch, struct sl_prepared *prepared,
                                 uint32_t document, struct sl_error *err)
{
    struct sl_key key = sl_key_number(document);
    struct sl_document stored = {0};
    struct sl_doc_head head;
    struct sl_view payload;
    enum sl_err rc = sl_txn_get(batch->txn, SL_STORE_DOC, sl_key_view(&key), &payload, err);

    if (rc == SL_OK) {
        payload = sl_arena_copy(prepared->arena, payload);
        rc = payload.data == NULL ? sl_batch_memory(err)
                                  : sl_doc_read(payload, prepared->arena, &stored, &head, err);
    }
    if (rc != SL_OK)
        return rc;
    memcpy(prepared->head.content_hash, head.content_hash, sizeof head.content_hash);
    sl_doc_head_set((char *)(uintptr_t)payload.data, &prepared->head);
    prepared->document = payload;
    prepared->attributes = sl_attr_keys(&stored, prepared->arena, &prepared->attribute_count);
    if (prepared->attributes == NULL)
        return sl_batch_memory(err);
    prepared->has_digest = sl_copy_digest(&stored, prepared->attributes, prepared->attribute_count,
                                          prepared->digest);
    prepared->collapses = prepared->has_digest;
    rc = sl_near_sketch(&stored, prepared->attributes, prepared->attribute_count, &prepared->sketch, err);
    if (rc == SL_OK)
        rc = sl_txn_find_row(batch->txn, stored.topic, stored.key, &prepared->row, err);
    prepared->row.topic = stored.topic;
    prepared->row.key = stored.key;
    return rc;
}

static enum sl_err read_spare(struct sl_batch *batch, struct sl_prepared *prepared,
                              uint32_t document, struct sl_view payload, struct sl_error *err)
{
    struct sl_reader reader;
    enum sl_err rc = SL_OK;

    prepared->arena = sl_arena_open(SL_ARENA_BYTES_MAX);
    payload = prepared->arena != NULL ? sl_arena_copy(prepared->arena, payload) : SL_VIEW_NULL;
    if (payload.data == NULL)
        return sl_batch_memory(err);
    reader = sl_reader_of(payload);
    sl_read(&reader, prepared->head.chunk_hash, sizeof prepared->head.chunk_hash);
    uint32_t count = sl_read_u32(&reader);
    prepared->chunks = SL_NEW_ARRAY(prepared->arena, struct sl_prepared_chunk, (size_t)count + 1);
    if (prepared->chunks == NULL)
        return sl_batch_memory(err);
    for (uint32_t i = 0; rc == SL_OK && i < count; i++) {
        rc = read_chunk(prepared, &reader, &prepared->chunks[i], err);
        prepared->head.chunk_count = i + 1;
    }
    if (rc == SL_OK && (reader.bad || reader.at != reader.end))
        rc = sl_corrupt(err, "spare", document, "wrong lengths");
    return rc == SL_OK ? read_document(batch, prepared, document, err) : rc;
}

enum sl_err sl_near_kept(struct sl_batch *batch, uint32_t document, struct sl_prepared **ret_prepared,
                         struct sl_error *err)
{
    struct sl_key key = sl_key_number(document);
    struct sl_prepared *prepared;
    struct sl_view payload;
    enum sl_err rc = sl_txn_get(batch->txn, SL_STORE_SPARE, sl_key_view(&key), &payload, err);

    if (rc != SL_OK)
        return rc;
    prepared = calloc(1, sizeof *prepared);
    if (prepared == NULL)
        return sl_batch_memory(err);
    prepared->format = batch->index->format;
    prepared->graph = batch->graph != NULL ? sl_graph_take(batch->graph) : NULL;
    rc = read_spare(batch, prepared, document, payload, err);
    if (rc == SL_OK)
        *ret_prepared = SL_TAKE(prepared);
    (void)sl_prepared_free(prepared);
    return rc == SL_REJECT ? sl_batch_memory(err) : rc;
}

/* -------------------------------------------------------------------------------------- reading */

enum sl_err sl_snapshot_near(const struct sl_snapshot *snapshot, const struct sl_document *document,
                             struct sl_arena *arena, sl_doc_id *ret_doc, struct sl_error *err)
{
    struct sl_sketch sketch;
    uint32_t count, original = 0;
    struct sl_view *attributes;
    enum sl_err rc = SL_OK;

    if (snapshot->index->duplicates == SL_DUPLICATES_NEAR) {
        attributes = sl_attr_keys(document, arena, &count);
        rc = attributes == NULL ? full(err)
                                : sl_near_sketch(document, attributes, count, &sketch, err);
        if (rc == SL_OK)
            rc = sl_near_original(snapshot->txn, document, &sketch, &original, err);
    }
    if (rc == SL_OK && original == 0)
        return sl_fail(err, SL_REJECT, "not_found", "index: no document is nearly the same");
    *ret_doc = original;
    return rc;
}
