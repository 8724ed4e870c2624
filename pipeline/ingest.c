/*
 * ingest.c -- the stages of one record in a row, and what of it must be embedded.
 *
 * Reading does everything that needs no encoder: decode, chunk, windows, terms. Then the index is
 * asked what it holds of the same key: with the same content nothing is embedded at all, else only
 * the windows whose hash it does not know. The snapshot is closed before anything is embedded, so a
 * vector may be gone when the batch applies the document; sl_ingest_again() then lists them all.
 *
 * A copy of what is stored is not even chunked. Should the other be gone when the batch applies it, the
 * batch says so, and it is chunked after all.
 *
 * A document that brings its own vector is one chunk with one window: the vector stands for the
 * whole text, and giving it to each of several chunks would fill the results with copies.
 */
#include "text/text_internal.h"

#include <sluice/hash.h>
#include <sluice/ingest.h>
#include <sluice/limits.h>

#include <math.h>
#include <stdio.h>

static enum sl_err full(struct sl_error *err)
{
    return sl_fail(err, SL_REJECT, "too_large", "the document needs more memory than one may take");
}

/* ------------------------------------------------------------------ terms */

/* The language whose rules the document's words follow: its own word on it, else a guess. */
static const char *language_of(const struct sl_document *document, char ret_code[4])
{
    if (document->lang.size < 2)
        return sl_text_language(document->text);
    memcpy(ret_code, document->lang.data, 2);
    ret_code[2] = document->lang.size > 2 ? document->lang.data[2] : '\0';
    ret_code[3] = '\0';
    return ret_code;
}

static enum sl_err add_terms(struct sl_ingest *ingest, const struct sl_word_lists *lists,
                             struct sl_error *err)
{
    const struct sl_document *document = &ingest->document;
    char code_text[4];
    const char *language = language_of(document, code_text);

    for (uint32_t i = 0; i < ingest->chunk_count; i++) {
        struct sl_chunk *chunk = &ingest->chunks[i];
        struct sl_view prefix = sl_chunk_prefix(document, chunk, ingest->arena);
        struct sl_view text = SL_VIEW_NULL;
        struct sl_term_count *terms;
        enum sl_err code;

        if (prefix.data != NULL)
            text = sl_chunk_text(document, chunk, prefix, chunk->byte_start, chunk->byte_end,
                                 ingest->arena);
        if (text.data == NULL)
            return full(err);
        code = sl_text_terms_listed(text, language, lists, ingest->arena, &terms,
                                    &chunk->term_count, &chunk->length_terms, err);
        if (code != SL_OK)
            return code;
        chunk->terms = terms;
    }
    return SL_OK;
}

/* ------------------------------------------------------------------ vectors */

/* The document's own vector, scaled to length 1, as the one window of its one chunk. */
static enum sl_err own_vector(struct sl_ingest *ingest, const struct sl_embedder *embedder,
                              struct sl_error *err)
{
    const struct sl_document *document = &ingest->document;
    uint32_t dim = document->vector_dim;
    float *vector = SL_NEW_ARRAY(ingest->arena, float, dim);
    struct sl_chunk *chunk = ingest->chunks;
    double norm = 0;

    if (dim != embedder->dim)
        return sl_fail(err, SL_REJECT, "bad_vector", "vector: %u numbers; the index holds %u", dim,
                       embedder->dim);
    if (document->vector_model.data != NULL &&
        !sl_view_is(document->vector_model, embedder->name) &&
        !sl_view_is(document->vector_model, embedder->fingerprint))
        return sl_fail(err, SL_REJECT, "bad_vector", "vector_model: the index was made by '%s'",
                       embedder->name);
    if (vector == NULL)
        return full(err);
    for (uint32_t i = 0; i < dim; i++)
        norm += (double)document->vector[i] * (double)document->vector[i];
    norm = sqrt(norm);
    for (uint32_t i = 0; i < dim; i++)
        vector[i] = (float)((double)document->vector[i] / norm);
    for (uint32_t i = 0; i < ingest->chunk_count; i++) {
        struct sl_window *window = SL_NEW(ingest->arena, struct sl_window);
        if (window == NULL)
            return full(err);
        *window = (struct sl_window){
            .byte_start = chunk[i].byte_start, .byte_end = chunk[i].byte_end, .vector = vector};
        memcpy(window->hash, document->content_hash, SL_HASH_BYTES);
        chunk[i].windows = window;
        chunk[i].window_count = 1;
    }
    return SL_OK;
}

static uint32_t window_total(const struct sl_ingest *ingest)
{
    uint32_t total = 0;

    for (uint32_t i = 0; i < ingest->chunk_count; i++)
        total += ingest->chunks[i].window_count;
    return total;
}

/* May the stored vector of this window be kept? NULL snapshot: no. */
static bool known(const struct sl_snapshot *snapshot, const struct sl_ingest *ingest,
                  const struct sl_window *window)
{
    return snapshot != NULL && sl_snapshot_has_window(snapshot, ingest->document.topic,
                                                      ingest->document.key, window->hash);
}

/* List the texts of all windows the snapshot does not know. */
static enum sl_err list_texts(struct sl_ingest *ingest, const struct sl_snapshot *snapshot,
                              const struct sl_embedder *embedder, struct sl_error *err)
{
    uint32_t total = window_total(ingest), count = 0;

    ingest->kept = 0;
    ingest->texts = SL_NEW_ARRAY(ingest->arena, struct sl_view, total);
    ingest->vectors = SL_NEW_ARRAY(ingest->arena, float *, total);
    ingest->windows = SL_NEW_ARRAY(ingest->arena, struct sl_window *, total);
    if (ingest->texts == NULL || ingest->vectors == NULL || ingest->windows == NULL)
        return full(err);
    for (uint32_t i = 0; i < ingest->chunk_count; i++) {
        struct sl_chunk *chunk = &ingest->chunks[i];
        struct sl_view prefix =
            sl_chunk_window_prefix(&ingest->document, chunk, embedder, ingest->arena);

        if (prefix.data == NULL)
            return full(err);
        for (uint32_t w = 0; w < chunk->window_count; w++) {
            struct sl_window *window = &chunk->windows[w];

            if (window->vector != NULL || known(snapshot, ingest, window)) {
                ingest->kept++;
                continue;
            }
            ingest->windows[count] = window;
            ingest->texts[count] =
                sl_chunk_text(&ingest->document, chunk, prefix, window->byte_start,
                              window->byte_end, ingest->arena);
            if (ingest->texts[count++].data == NULL)
                return full(err);
        }
    }
    ingest->text_count = count;
    return SL_OK;
}

/* ------------------------------------------------------------------ vectors of another */

static enum sl_err copied(struct sl_ingest *ingest, const struct sl_snapshot *from, sl_doc_id doc,
                          const uint8_t *hash, uint32_t dim, const float **ret_vector,
                          struct sl_error *err)
{
    struct sl_error local = {0};
    float *vector = SL_NEW_ARRAY(ingest->arena, float, dim);
    enum sl_err code;

    if (vector == NULL)
        return full(err);
    code = sl_snapshot_original(from, doc, &doc, &local);
    if (code == SL_OK)
        code = sl_snapshot_vector(from, doc, hash, vector, &local);
    *ret_vector = code == SL_OK ? vector : NULL;
    if (code == SL_STOP && err != NULL)
        *err = local;
    return code == SL_REJECT ? SL_OK : code;
}

static enum sl_err copy_vectors(struct sl_ingest *ingest, const struct sl_snapshot *from,
                                sl_doc_id doc, uint32_t dim, struct sl_error *err)
{
    enum sl_err code = SL_OK;

    for (uint32_t i = 0; i < ingest->chunk_count && code == SL_OK; i++)
        for (uint32_t w = 0; w < ingest->chunks[i].window_count && code == SL_OK; w++) {
            struct sl_window *window = &ingest->chunks[i].windows[w];
            code = copied(ingest, from, doc, window->hash, dim, &window->vector, err);
        }
    return code;
}

/* ------------------------------------------------------------------ the index */

/* not_found is an answer, and *ret_found says which. */
static enum sl_err found(enum sl_err code, const struct sl_error *local, bool *ret_found,
                         struct sl_error *err)
{
    *ret_found = code == SL_OK;
    if (code == SL_REJECT && strcmp(local->reason, "not_found") == 0)
        return SL_OK;
    if (code != SL_OK && err != NULL)
        *err = *local;
    return code;
}

/* Will the document be a copy of another one? */
static enum sl_err find_same(struct sl_ingest *ingest, const struct sl_snapshot *snapshot,
                             struct sl_error *err)
{
    const struct sl_document *document = &ingest->document;
    struct sl_error local = {0};
    sl_doc_id same = 0, own = 0;
    bool has_same, is_known;
    enum sl_err code = found(sl_snapshot_same(snapshot, document, ingest->arena, &same, &local),
                             &local, &has_same, err);

    if (code != SL_OK || !has_same)
        return code;
    code = found(sl_snapshot_find(snapshot, document->topic, document->key, &own, &local), &local,
                 &is_known, err);
    ingest->copy = code == SL_OK && same != own;
    return code;
}

/* Is this very content stored under the key already, or under another one? */
static enum sl_err stored_already(struct sl_ingest *ingest, const struct sl_snapshot *snapshot,
                                  struct sl_error *err)
{
    const struct sl_document *document = &ingest->document;
    struct sl_document stored;
    struct sl_error local = {0};
    sl_doc_id doc = 0, original = 0;
    bool is_known;
    enum sl_err code = found(sl_snapshot_find(snapshot, document->topic, document->key, &doc, &local),
                             &local, &is_known, err);

    if (code == SL_OK && is_known) {
        code = sl_snapshot_document(snapshot, doc, ingest->arena, &stored, NULL, err);
        if (code == SL_OK)
            code = sl_snapshot_original(snapshot, doc, &original, err);
        if (code != SL_OK)
            return code;
        ingest->unchanged = memcmp(stored.content_hash, document->content_hash,
                                   sizeof stored.content_hash) == 0;
        ingest->copy = ingest->unchanged && original != doc;
    }
    return code == SL_OK && !ingest->unchanged ? find_same(ingest, snapshot, err) : code;
}

static enum sl_err cut(struct sl_ingest *ingest, const struct sl_ingest_options *options,
                       struct sl_error *err);

/* Windows that a document which is nearly the same has, too, take its vectors. */
static enum sl_err take_from_near(struct sl_ingest *ingest, const struct sl_snapshot *snapshot,
                                  uint32_t dim, struct sl_error *err)
{
    struct sl_error local = {0};
    sl_doc_id near = 0;
    bool has_near;
    enum sl_err code = found(sl_snapshot_near(snapshot, &ingest->document, ingest->arena, &near, &local),
                             &local, &has_near, err);

    return code == SL_OK && has_near ? copy_vectors(ingest, snapshot, near, dim, err) : code;
}

/* Chunks, windows and terms, and which windows need a vector that the snapshot (or NULL) does not have. */
static enum sl_err make_chunks(struct sl_ingest *ingest, const struct sl_ingest_options *options,
                               const struct sl_snapshot *snapshot, struct sl_error *err)
{
    bool lists = options->embedder != NULL && ingest->document.vector == NULL && !ingest->unchanged;
    enum sl_err code = cut(ingest, options, err);

    if (code == SL_OK && lists && snapshot != NULL)
        code = take_from_near(ingest, snapshot, options->embedder->dim, err);
    if (code == SL_OK && lists)
        code = list_texts(ingest, snapshot, options->embedder, err);
    if (code == SL_OK && ingest->unchanged)
        ingest->kept = window_total(ingest);
    return code == SL_OK ? add_terms(ingest, options->lists, err) : code;
}

/* Find what need not be done, and do the rest but for embedding. */
static enum sl_err read_document(struct sl_ingest *ingest, const struct sl_ingest_options *options,
                                 struct sl_index *index, struct sl_error *err)
{
    SL_CLEANUP(sl_snapshot_closep) struct sl_snapshot *snapshot = NULL;
    enum sl_err code = index != NULL ? sl_snapshot_open(index, &snapshot, err) : SL_OK;

    if (code == SL_OK && snapshot != NULL)
        code = stored_already(ingest, snapshot, err);
    if (code != SL_OK || ingest->copy)
        return code;
    return make_chunks(ingest, options, snapshot, err);
}

/* ------------------------------------------------------------------ the calls */

static enum sl_err cut(struct sl_ingest *ingest, const struct sl_ingest_options *options,
                       struct sl_error *err)
{
    struct sl_chunk_options chunk = options->chunk;
    const struct sl_embedder *embedder = options->embedder;
    bool own = ingest->document.vector != NULL && embedder != NULL;
    enum sl_err code;

    if (own)
        chunk.words = SL_CHUNK_WORDS_MAX;
    code = sl_chunk_document(&ingest->document, &chunk, ingest->arena, &ingest->chunks,
                             &ingest->chunk_count, err);
    if (code != SL_OK || embedder == NULL)
        return code;
    if (own)
        return own_vector(ingest, embedder, err);
    return sl_chunk_windows(&ingest->document, ingest->chunks, ingest->chunk_count, embedder,
                            ingest->arena, err);
}

enum sl_err sl_ingest_read(const struct sl_message *message,
                           const struct sl_ingest_options *options, struct sl_index *index,
                           struct sl_arena *arena, struct sl_ingest **ret_ingest,
                           struct sl_error *err)
{
    struct sl_ingest *ingest = SL_NEW(arena, struct sl_ingest);
    enum sl_err code;

    if (ingest == NULL)
        return full(err);
    ingest->arena = arena;
    code = sl_decode(message, &options->decode, arena, &ingest->document, &ingest->decoded, err);
    if (code == SL_OK && ingest->decoded == SL_DECODED_DOCUMENT)
        code = read_document(ingest, options, index, err);
    if (code == SL_OK)
        *ret_ingest = ingest;
    return code;
}

enum sl_err sl_ingest_again(struct sl_ingest *ingest, const struct sl_ingest_options *options,
                            struct sl_error *err)
{
    ingest->unchanged = false;
    if (ingest->copy) {
        ingest->copy = false;
        return make_chunks(ingest, options, NULL, err);
    }
    if (options->embedder == NULL || ingest->document.vector != NULL)
        return SL_OK;
    return list_texts(ingest, NULL, options->embedder, err);
}

enum sl_err sl_ingest_finish(struct sl_ingest *ingest, struct sl_index *index,
                             struct sl_prepared **ret_prepared, struct sl_error *err)
{
    SL_PRE(ingest->decoded == SL_DECODED_DOCUMENT);
    for (uint32_t i = 0; i < ingest->text_count; i++) {
        SL_PRE(ingest->vectors[i] != NULL);
        ingest->windows[i]->vector = ingest->vectors[i];
    }
    SL_PRE(ingest->copy || ingest->chunks != NULL);
    return sl_index_prepare(index, &ingest->document, ingest->copy ? NULL : ingest->chunks,
                            ingest->chunk_count, ret_prepared, err);
}

/* ------------------------------------------------------------------ from another generation */

/* A document that brought its vector has one window under its content's hash. */
static enum sl_err find_own_vector(struct sl_ingest *ingest, const struct sl_snapshot *from,
                                   sl_doc_id doc, uint32_t dim, struct sl_error *err)
{
    enum sl_err code = copied(ingest, from, doc, ingest->document.content_hash, dim,
                              &ingest->document.vector, err);

    ingest->document.vector_dim = ingest->document.vector != NULL ? dim : 0;
    return code;
}

enum sl_err sl_ingest_stored(const struct sl_snapshot *from, sl_doc_id doc, bool copies_vectors,
                             const struct sl_snapshot *to, const struct sl_ingest_options *options,
                             struct sl_arena *arena, struct sl_ingest **ret_ingest,
                             struct sl_error *err)
{
    const struct sl_embedder *embedder = options->embedder;
    struct sl_ingest *ingest = SL_NEW(arena, struct sl_ingest);
    uint32_t chunk_count;
    enum sl_err code;

    SL_PRE(!copies_vectors || embedder != NULL);
    if (ingest == NULL)
        return full(err);
    ingest->arena = arena;
    ingest->decoded = SL_DECODED_DOCUMENT;
    code = sl_snapshot_document(from, doc, arena, &ingest->document, &chunk_count, err);
    if (code == SL_OK && copies_vectors)
        code = find_own_vector(ingest, from, doc, embedder->dim, err);
    if (code == SL_OK)
        code = find_same(ingest, to, err);
    if (code != SL_OK || ingest->copy) {
        *ret_ingest = ingest;
        return code;
    }
    code = cut(ingest, options, err);
    if (code == SL_OK && ingest->document.vector != NULL)
        ingest->kept = window_total(ingest);
    else if (code == SL_OK && copies_vectors)
        code = copy_vectors(ingest, from, doc, embedder->dim, err);
    if (code == SL_OK && embedder != NULL && ingest->document.vector == NULL)
        code = list_texts(ingest, to, embedder, err);
    if (code == SL_OK)
        code = add_terms(ingest, options->lists, err);
    if (code == SL_OK)
        *ret_ingest = ingest;
    return code;
}

/* ------------------------------------------------------------------ what it was made with */

#define LISTS    " lists="
#define EMBEDDER " embedder=" /* comes last: a directory's name may hold anything */

void sl_ingest_fingerprint(const struct sl_ingest_options *options, char *ret_text)
{
    const struct sl_embedder *embedder = options->embedder;

    (void)snprintf(ret_text, SL_FINGERPRINT_BYTES,
                   "analyzer=%u chunker=%u words=%u overlap=%u boilerplate=%s%s%s" EMBEDDER "%s:%s",
                   SL_ANALYZER_VERSION, SL_CHUNKER_VERSION, options->chunk.words,
                   options->chunk.overlap_words, options->chunk.boilerplate ? "on" : "off",
                   options->lists ? LISTS : "",
                   options->lists ? sl_word_lists_digest(options->lists) : "",
                   embedder ? embedder->name : "none",
                   embedder ? embedder->fingerprint : "-");
}

void sl_ingest_pipeline(const char *fingerprint, char ret_hash[SL_PIPELINE_BYTES])
{
    uint8_t digest[32];

    sl_sha256(sl_view_of(fingerprint), digest);
    for (uint32_t i = 0; i < SL_PIPELINE_BYTES / 2; i++)
        (void)snprintf(ret_hash + (size_t)2 * i, 3, "%02x", digest[i]);
}

bool sl_ingest_same_embedder(const char *fingerprint, const char *other)
{
    const char *a = strstr(fingerprint, EMBEDDER), *b = strstr(other, EMBEDDER);

    a = a != NULL ? strrchr(a, ':') : NULL;
    b = b != NULL ? strrchr(b, ':') : NULL;
    return a != NULL && b != NULL && strcmp(a, b) == 0;
}

bool sl_ingest_settings(const char *fingerprint, struct sl_ingest_options *options)
{
    char boilerplate[4];

    if (sscanf(fingerprint, "analyzer=%*u chunker=%*u words=%u overlap=%u boilerplate=%3s",
               &options->chunk.words, &options->chunk.overlap_words, boilerplate) != 3)
        return false;
    options->chunk.boilerplate = strcmp(boilerplate, "on") == 0;
    return true;
}

const struct sl_word_lists *sl_ingest_lists_for(const char *fingerprint,
                                                const struct sl_word_lists *lists)
{
    const char *at = strstr(fingerprint, LISTS), *embedder = strstr(fingerprint, EMBEDDER);
    const char *digest = lists != NULL ? sl_word_lists_digest(lists) : "";

    if (lists == NULL || at == NULL || embedder == NULL || at > embedder)
        return NULL;
    at += strlen(LISTS);
    return (size_t)(embedder - at) == strlen(digest) && strncmp(at, digest, strlen(digest)) == 0
               ? lists
               : NULL;
}
