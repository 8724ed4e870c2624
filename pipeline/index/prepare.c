/*
 * prepare.c -- a document as the index will store it, and the neighbours of its vectors.
 *
 * Everything that needs no lock and no transaction happens here, in any thread: records encoded, terms
 * packed, attributes listed, candidates found in the graph as it is now. What is left for the one writer
 * is to compare, to edit links and to write.
 */
#include "index/internal.h"

#include <math.h>
#include <stdlib.h>

#include <sluice/hash.h>

#define NORM_TOLERANCE 1e-3

/* Finite, and of unit norm where the metric asks for it. */
static enum sl_err check_vector(const struct sl_format *format, const float *vector,
                                struct sl_error *err)
{
    double sum = 0;

    for (uint32_t i = 0; i < format->dim; i++)
        sum += (double)vector[i] * (double)vector[i];
    if (!isfinite(sum))
        return sl_fail(err, SL_REJECT, "bad_vector", "a vector holds values that are not finite");
    if (format->metric == SL_METRIC_COSINE && fabs(sqrt(sum) - 1.0) > NORM_TOLERANCE)
        return sl_fail(err, SL_REJECT, "bad_vector",
                       "a vector has norm %.4f; with metric cosine it must be 1", sqrt(sum));
    return SL_OK;
}

static enum sl_err full(struct sl_error *err)
{
    return sl_batch_memory(err);
}

static int compare_terms(const void *a, const void *b)
{
    const struct sl_term_count *x = a, *y = b;
    size_t common = x->term.size < y->term.size ? x->term.size : y->term.size;
    int order = memcmp(x->term.data, y->term.data, common);

    return order != 0 ? order : (x->term.size > y->term.size) - (x->term.size < y->term.size);
}

/* The terms as keys (long ones shortened), sorted again if need be, in one run of bytes. */
static enum sl_err pack_terms(const struct sl_chunk *chunk, struct sl_arena *arena,
                              struct sl_view *ret_terms, struct sl_error *err)
{
    SL_CLEANUP(sl_buffer_fini) struct sl_buffer buffer = {0};
    struct sl_term_count *terms = SL_NEW_ARRAY(arena, struct sl_term_count, chunk->term_count + 1);
    bool sorted = true;

    if (terms == NULL)
        return full(err);
    for (uint32_t i = 0; i < chunk->term_count; i++) {
        char room[SL_TERM_KEY_BYTES];
        terms[i].count = chunk->terms[i].count;
        terms[i].term = sl_arena_copy(arena, sl_term_key(chunk->terms[i].term, room));
        if (terms[i].term.data == NULL)
            return full(err);
        sorted = sorted && (i == 0 || compare_terms(&terms[i - 1], &terms[i]) < 0);
    }
    if (!sorted)
        qsort(terms, chunk->term_count, sizeof *terms, compare_terms);
    for (uint32_t i = 0; i < chunk->term_count; i++) {
        if (terms[i].term.size == 0 || terms[i].count == 0)
            continue;
        sl_write_u8(&buffer, (uint8_t)terms[i].term.size);
        sl_buffer_view(&buffer, terms[i].term);
        sl_write_varint(&buffer, terms[i].count);
    }
    *ret_terms = sl_arena_copy(arena, sl_buffer_as_view(&buffer));
    return buffer.failed || ret_terms->data == NULL ? full(err) : SL_OK;
}

bool sl_terms_next(struct sl_reader *reader, struct sl_term_row *ret_row)
{
    uint8_t size;

    if (reader->at == reader->end || reader->bad)
        return false;
    size = sl_read_u8(reader);
    ret_row->term = (struct sl_view){sl_read_bytes(reader, size), size};
    ret_row->count = sl_read_varint(reader);
    return !reader->bad && size > 0 && ret_row->count > 0;
}

static enum sl_err prepare_window(struct sl_prepared *prepared, const struct sl_window *window,
                                  struct sl_prepared_window *ret_window, struct sl_error *err)
{
    enum sl_err rc;
    float *copy;

    ret_window->row = (struct sl_window_row){window->byte_start, window->byte_end, {0},
                                             SL_SLOT_NONE};
    memcpy(ret_window->row.hash, window->hash, sizeof window->hash);
    if (window->vector == NULL)
        return SL_OK;
    rc = check_vector(&prepared->format, window->vector, err);
    if (rc != SL_OK)
        return rc;
    copy = SL_NEW_ARRAY(prepared->arena, float, prepared->format.dim);
    if (copy == NULL)
        return full(err);
    memcpy(copy, window->vector, prepared->format.dim * sizeof *copy);
    ret_window->vector = copy;
    return SL_OK;
}

static enum sl_err prepare_chunk(struct sl_prepared *prepared, const struct sl_chunk *chunk,
                                 struct sl_prepared_chunk *ret_chunk, struct sl_error *err)
{
    struct sl_view section = sl_arena_copy(prepared->arena, chunk->section);
    uint32_t windows = prepared->format.dim > 0 ? chunk->window_count : 0;
    enum sl_err rc = SL_OK;

    if (chunk->section.data != NULL && section.data == NULL)
        return full(err);
    ret_chunk->head = (struct sl_chunk_head){.byte_start = chunk->byte_start,
                                             .byte_end = chunk->byte_end,
                                             .word_count = chunk->word_count,
                                             .length_terms = chunk->length_terms,
                                             .window_count = windows,
                                             .section = section};
    ret_chunk->windows = SL_NEW_ARRAY(prepared->arena, struct sl_prepared_window, windows + 1);
    if (ret_chunk->windows == NULL)
        return full(err);
    for (uint32_t i = 0; i < windows && rc == SL_OK; i++)
        rc = prepare_window(prepared, &chunk->windows[i], &ret_chunk->windows[i], err);
    return rc == SL_OK ? pack_terms(chunk, prepared->arena, &ret_chunk->terms, err) : rc;
}

/* A digest over all that the chunks store, slots and numbers left out. */
static bool hash_chunks(struct sl_prepared *prepared)
{
    SL_CLEANUP(sl_buffer_fini) struct sl_buffer buffer = {0};
    uint8_t digest[32];

    for (uint32_t i = 0; i < prepared->head.chunk_count; i++) {
        const struct sl_prepared_chunk *chunk = &prepared->chunks[i];
        sl_chunk_head_write(&buffer, &chunk->head);
        for (uint32_t w = 0; w < chunk->head.window_count; w++)
            sl_window_write(&buffer, &chunk->windows[w].row);
        sl_write_view(&buffer, chunk->terms);
    }
    sl_sha256(sl_buffer_as_view(&buffer), digest);
    memcpy(prepared->head.chunk_hash, digest, sizeof prepared->head.chunk_hash);
    return !buffer.failed;
}

/* The document's own record, its key's row, and its attributes. */
static enum sl_err prepare_document(struct sl_prepared *prepared,
                                    const struct sl_document *document, struct sl_error *err)
{
    SL_CLEANUP(sl_buffer_fini) struct sl_buffer buffer = {0};
    struct sl_arena *arena = prepared->arena;

    memcpy(prepared->head.content_hash, document->content_hash,
           sizeof prepared->head.content_hash);
    prepared->row = (struct sl_key_row){.partition = document->partition,
                                        .offset = document->offset,
                                        .timestamp_ms = document->timestamp_ms,
                                        .topic = sl_arena_copy(arena, document->topic),
                                        .key = sl_arena_copy(arena, document->key)};
    if (prepared->row.topic.data == NULL || prepared->row.key.data == NULL ||
        !hash_chunks(prepared))
        return full(err);
    sl_doc_write(&buffer, &prepared->head, document);
    prepared->document = sl_arena_copy(arena, sl_buffer_as_view(&buffer));
    prepared->attributes = sl_attr_keys(document, arena, &prepared->attribute_count);
    if (buffer.failed || prepared->document.data == NULL || prepared->attributes == NULL)
        return full(err);
    prepared->has_digest = sl_copy_digest(document, prepared->attributes, prepared->attribute_count,
                                          prepared->digest);
    return SL_OK;
}

static enum sl_err find_neighbours(struct sl_prepared *prepared, struct sl_error *err)
{
    struct sl_graph *graph = prepared->graph;

    for (uint32_t i = 0; i < prepared->head.chunk_count; i++)
        for (uint32_t w = 0; w < prepared->chunks[i].head.window_count; w++) {
            struct sl_prepared_window *window = &prepared->chunks[i].windows[w];
            uint32_t level = sl_graph_level(graph, window->row.hash);
            bool good;
            window->candidates.level = level;
            if (window->vector == NULL)
                continue;
            good = sl_candidates_find(graph, window->vector, level, &window->candidates);
            if (!good)
                return full(err);
            if (atomic_load(&graph->damaged) != 0)
                return sl_corrupt(err, "vec", atomic_load(&graph->damaged) - 1,
                                  "wrong checksum");
        }
    return SL_OK;
}

static enum sl_err check(const struct sl_document *document, uint32_t chunk_count,
                         struct sl_error *err)
{
    if (document->key.size > SL_KEY_BYTES_MAX || document->topic.size > SL_TOPIC_BYTES_MAX)
        return sl_fail(err, SL_REJECT, "key_too_long",
                       "the key has %zu bytes and its topic %zu; allowed are %u and %u",
                       document->key.size, document->topic.size, SL_KEY_BYTES_MAX,
                       SL_TOPIC_BYTES_MAX);
    if (chunk_count > SL_CHUNKS_MAX)
        return sl_fail(err, SL_REJECT, "too_many_chunks",
                       "the document has %u chunks; allowed are %u", chunk_count, SL_CHUNKS_MAX);
    return SL_OK;
}

/* What it is prepared for: another generation may take its place meanwhile. */
static void look_at(struct sl_index *index, struct sl_prepared *prepared)
{
    (void)pthread_mutex_lock(&index->lock);
    prepared->format = index->format;
    prepared->switches = index->switches;
    if (index->format.dim > 0)
        prepared->graph = sl_graph_take(index->graph);
    (void)pthread_mutex_unlock(&index->lock);
}

enum sl_err sl_index_prepare(struct sl_index *index, const struct sl_document *document,
                             const struct sl_chunk *chunks, uint32_t chunk_count,
                             struct sl_prepared **ret_prepared, struct sl_error *err)
{
    struct sl_prepared *prepared;
    enum sl_err rc = check(document, chunk_count, err);

    SL_PRE(!index->read_only && document->topic.data != NULL && document->key.data != NULL);
    if (rc != SL_OK)
        return rc;
    prepared = calloc(1, sizeof *prepared);
    if (prepared == NULL)
        return full(err);
    look_at(index, prepared);
    prepared->as_copy = chunks == NULL;
    prepared->arena = sl_arena_open(SL_ARENA_BYTES_MAX);
    if (prepared->arena != NULL)
        prepared->chunks =
            SL_NEW_ARRAY(prepared->arena, struct sl_prepared_chunk, chunk_count + 1);
    if (prepared->chunks == NULL)
        rc = full(err);
    for (uint32_t i = 0; rc == SL_OK && i < chunk_count; i++) {
        rc = prepare_chunk(prepared, &chunks[i], &prepared->chunks[i], err);
        prepared->head.chunk_count = i + 1;
    }
    if (rc == SL_OK)
        rc = prepare_document(prepared, document, err);
    if (rc == SL_OK && index->duplicates == SL_DUPLICATES_NEAR)
        rc = sl_near_sketch(document, prepared->attributes, prepared->attribute_count,
                            &prepared->sketch, err);
    prepared->collapses = index->duplicates != SL_DUPLICATES_KEEP && prepared->has_digest &&
                          (prepared->as_copy || chunk_count > 0);
    if (rc == SL_OK && prepared->graph != NULL)
        rc = find_neighbours(prepared, err);
    if (rc == SL_OK)
        *ret_prepared = SL_TAKE(prepared);
    (void)sl_prepared_free(prepared);
    return rc;
}

size_t sl_prepared_bytes(const struct sl_prepared *prepared)
{
    size_t choices = 0;

    for (uint32_t i = 0; i < prepared->head.chunk_count; i++)
        for (uint32_t w = 0; w < prepared->chunks[i].head.window_count; w++)
            for (uint32_t level = 0; level <= SL_LEVEL_MAX; level++)
                choices += prepared->chunks[i].windows[w].candidates.counts[level];
    return sl_arena_bytes(prepared->arena) + choices * sizeof(struct sl_choice);
}

struct sl_prepared *sl_prepared_free(struct sl_prepared *prepared)
{
    if (prepared == NULL)
        return NULL;
    for (uint32_t i = 0; prepared->chunks != NULL && i < prepared->head.chunk_count; i++)
        for (uint32_t w = 0; prepared->chunks[i].windows != NULL &&
                             w < prepared->chunks[i].head.window_count;
             w++)
            sl_candidates_fini(&prepared->chunks[i].windows[w].candidates);
    (void)sl_graph_drop(prepared->graph);
    (void)sl_arena_close(prepared->arena);
    free(prepared);
    return NULL;
}
