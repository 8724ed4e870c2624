/* index_data.c -- documents, vectors and an index for tests. */
#include "index_data.h"

#include <math.h>
#include <sluice/hash.h>

#include "test.h"

static void must(enum sl_err rc, const struct sl_error *err)
{
    if (rc == SL_OK)
        return;
    fprintf(stderr, "unexpected: %s: %s\n", err->reason, err->message);
    abort();
}

enum sl_storage test_storage(void)
{
    const char *name = getenv("SLUICE_TEST_STORAGE");
    enum sl_storage storage = name != NULL ? sl_storage_named(name) : SL_STORAGE_F32;

    if (storage == 0)
        abort();
    return storage;
}

struct sl_index *test_index_open(const char *path, uint32_t dim, enum sl_metric metric)
{
    struct sl_index_options options = {.path = path,
                                       .map_size_bytes = 1ull << 32,
                                       .dim = dim,
                                       .metric = metric,
                                       .storage = test_storage()};
    struct sl_index *index;
    struct sl_error err;

    must(sl_index_open(&options, &index, &err), &err);
    return index;
}

void test_vector_unit(float *vector, uint32_t dim)
{
    double sum = 0;

    for (uint32_t i = 0; i < dim; i++)
        sum += (double)vector[i] * (double)vector[i];
    for (uint32_t i = 0; i < dim; i++)
        vector[i] = (float)((double)vector[i] / sqrt(sum));
}

static double gauss(void)
{
    double u = test_uniform() + 1e-12, v = test_uniform();

    return sqrt(-2 * log(u)) * cos(6.283185307179586 * v);
}

void test_cluster_vector(uint32_t clusters, uint32_t dim, float *ret_vector)
{
    uint64_t state = test_random() % clusters * 0x9E3779B97F4A7C15u + 12345;

    for (uint32_t i = 0; i < dim; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        ret_vector[i] = (float)((double)(state >> 33) * 0x1p-30 - 1.0) + 0.6f * (float)gauss();
    }
    test_vector_unit(ret_vector, dim);
}

void test_vector(struct sl_view text, uint32_t dim, float *ret_vector)
{
    uint64_t state = ((uint64_t)sl_crc32c(7, text.data, text.size) << 32 |
                      sl_crc32c(0, text.data, text.size)) | 1;

    for (uint32_t i = 0; i < dim; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        ret_vector[i] = (float)((double)(state >> 33) * 0x1p-30 - 1.0);
    }
    test_vector_unit(ret_vector, dim);
}

static int compare_terms(const void *a, const void *b)
{
    const struct sl_term_count *x = a, *y = b;
    size_t common = x->term.size < y->term.size ? x->term.size : y->term.size;
    int order = memcmp(x->term.data, y->term.data, common);

    return order != 0 ? order : (x->term.size > y->term.size) - (x->term.size < y->term.size);
}

/* Words of text[start, ...) up to `words` of them, as terms; returns where they end. */
static size_t cut_chunk(struct sl_arena *arena, struct sl_view text, size_t start, uint32_t words,
                        struct sl_chunk *chunk)
{
    struct sl_term_count *terms = SL_NEW_ARRAY(arena, struct sl_term_count, text.size / 2 + 2);
    uint32_t count = 0, kept = 0;
    size_t at = start;

    while (at < text.size && (words == 0 || count < words)) {
        size_t from;
        while (at < text.size && text.data[at] == ' ')
            at++;
        from = at;
        while (at < text.size && text.data[at] != ' ')
            at++;
        if (at > from)
            terms[count++] = (struct sl_term_count){sl_view_range(text, from, at), 1, 0};
    }
    qsort(terms, count, sizeof *terms, compare_terms);
    for (uint32_t i = 0; i < count; i++)
        if (kept > 0 && sl_view_equal(terms[kept - 1].term, terms[i].term))
            terms[kept - 1].count++;
        else
            terms[kept++] = terms[i];
    chunk->byte_start = (uint32_t)start;
    chunk->byte_end = (uint32_t)at;
    chunk->word_count = chunk->length_terms = count;
    chunk->terms = terms;
    chunk->term_count = kept;
    while (at < text.size && text.data[at] == ' ')
        at++;
    return at;
}

static void add_window(struct sl_index *index, struct sl_snapshot *snapshot,
                       struct sl_arena *arena, const struct test_document *from, uint32_t number,
                       struct sl_view text, struct sl_chunk *chunk)
{
    uint32_t dim = sl_index_dim(index);
    struct sl_view own = sl_view_range(text, chunk->byte_start, chunk->byte_end);
    struct sl_window *window = SL_NEW(arena, struct sl_window);
    float *vector = SL_NEW_ARRAY(arena, float, dim);
    uint8_t digest[32];

    sl_sha256(own, digest);
    memcpy(window->hash, digest, SL_HASH_BYTES);
    window->byte_start = chunk->byte_start;
    window->byte_end = chunk->byte_end;
    if (from->vectors != NULL)
        memcpy(vector, from->vectors + (size_t)number * dim, dim * sizeof *vector);
    else
        test_vector(own, dim, vector);
    window->vector = vector;
    if (from->keep_windows &&
        sl_snapshot_has_window(snapshot, TEST_TOPIC, sl_view_of(from->key), window->hash))
        window->vector = NULL;
    chunk->windows = window;
    chunk->window_count = 1;
}

enum sl_err test_try_prepare(struct sl_index *index, const struct test_document *from,
                             struct sl_prepared **ret_prepared, struct sl_error *err)
{
    struct sl_arena *arena = sl_arena_open(SL_ARENA_BYTES_MAX);
    struct sl_snapshot *snapshot = NULL;
    struct sl_view text = sl_view_of(from->text);
    struct sl_chunk *chunks = SL_NEW_ARRAY(arena, struct sl_chunk, text.size / 2 + 2);
    uint32_t count = 0;
    enum sl_err rc = sl_snapshot_open(index, &snapshot, err);
    struct sl_document document = {.topic = TEST_TOPIC,
                                   .key = sl_view_of(from->key),
                                   .partition = from->partition,
                                   .offset = from->offset,
                                   .timestamp_ms = from->timestamp_ms,
                                   .text = text,
                                   .text_media = SL_MEDIA_TEXT,
                                   .title = sl_view_of(from->title),
                                   .date = sl_view_of(from->date),
                                   .lang = sl_view_of(from->lang),
                                   .date_days = {SL_DAY_NONE, SL_DAY_NONE},
                                   .fields = from->fields,
                                   .field_count = from->field_count,
                                   .valid = from->valid,
                                   .valid_count = from->valid_count};

    for (size_t at = 0; rc == SL_OK && at < text.size;) {
        at = cut_chunk(arena, text, at, from->chunk_words, &chunks[count]);
        if (sl_index_dim(index) > 0)
            add_window(index, snapshot, arena, from, count, text, &chunks[count]);
        count++;
    }
    sl_sha256(text, document.content_hash);
    if (rc == SL_OK)
        rc = sl_index_prepare(index, &document, chunks, count, ret_prepared, err);
    sl_snapshot_close(snapshot);
    sl_arena_close(arena);
    return rc;
}

struct sl_prepared *test_prepare(struct sl_index *index, const struct test_document *document)
{
    struct sl_prepared *prepared;
    struct sl_error err;

    must(test_try_prepare(index, document, &prepared, &err), &err);
    return prepared;
}

enum sl_applied test_apply(struct sl_index *index, struct sl_batch *batch,
                           const struct test_document *document)
{
    struct sl_prepared *prepared = test_prepare(index, document);
    enum sl_applied applied;
    struct sl_error err;

    must(sl_batch_apply(batch, prepared, &applied, &err), &err);
    return applied;
}

static void begin(struct sl_index *index, struct sl_batch **ret_batch)
{
    struct sl_error err;

    must(sl_batch_begin(index, ret_batch, &err), &err);
}

enum sl_applied test_put(struct sl_index *index, const struct test_document *document)
{
    struct sl_batch *batch;
    enum sl_applied applied;
    struct sl_error err;

    begin(index, &batch);
    applied = test_apply(index, batch, document);
    must(sl_batch_commit(batch, &err), &err);
    return applied;
}

enum sl_applied test_delete(struct sl_index *index, const char *key, int64_t offset)
{
    struct sl_batch *batch;
    enum sl_applied applied;
    struct sl_error err;

    begin(index, &batch);
    must(sl_batch_delete(batch, TEST_TOPIC, sl_view_of(key), 0, offset, &applied, &err), &err);
    must(sl_batch_commit(batch, &err), &err);
    return applied;
}

struct sl_snapshot *test_snapshot(struct sl_index *index)
{
    struct sl_snapshot *snapshot;
    struct sl_error err;

    must(sl_snapshot_open(index, &snapshot, &err), &err);
    return snapshot;
}

struct seen {
    char first[320];
    const char *part;
    bool found;
};

static void see(void *context, const char *line)
{
    struct seen *seen = context;

    if (seen->first[0] == '\0')
        (void)snprintf(seen->first, sizeof seen->first, "%s", line);
    if (seen->part != NULL && strstr(line, seen->part) != NULL)
        seen->found = true;
}

uint64_t test_verify(struct sl_index *index, char *ret_line)
{
    struct seen seen = {.first = ""};
    struct sl_error err;
    uint64_t faults;

    must(sl_index_verify(index, see, &seen, &faults, &err), &err);
    if (ret_line != NULL)
        (void)snprintf(ret_line, 320, "%s", seen.first);
    return faults;
}

bool test_verify_says(struct sl_index *index, const char *part)
{
    struct seen seen = {.part = part};
    struct sl_error err;
    uint64_t faults;

    must(sl_index_verify(index, see, &seen, &faults, &err), &err);
    if (!seen.found)
        fprintf(stderr, "verify found %llu faults, first: %s\n", (unsigned long long)faults,
                seen.first);
    return seen.found;
}

const char *test_key_of(struct sl_snapshot *snapshot, sl_doc_id doc)
{
    static char names[8][64];
    static unsigned turn;
    struct sl_arena *arena = sl_arena_open(SL_ARENA_BYTES_MAX);
    char *name = names[turn++ % 8];
    struct sl_document document;
    struct sl_error err;

    must(sl_snapshot_document(snapshot, doc, arena, &document, NULL, &err), &err);
    (void)snprintf(name, sizeof names[0], "%.*s", SL_VIEW_ARG(document.key));
    sl_arena_close(arena);
    return name;
}

static const char *join(struct sl_snapshot *snapshot, const struct sl_hit *hits, uint32_t count)
{
    static char lines[4][2048];
    static unsigned turn;
    char *line = lines[turn++ % 4];
    size_t used = 0;

    line[0] = '\0';
    for (uint32_t i = 0; i < count && used < 1900; i++)
        used += (size_t)snprintf(line + used, 2048 - used, "%s%s", i > 0 ? " " : "",
                                 test_key_of(snapshot, hits[i].doc));
    return line;
}

const char *test_lexical(struct sl_snapshot *snapshot, const char *words)
{
    struct sl_arena *arena = sl_arena_open(1u << 20);
    struct sl_view text = sl_view_of(words);
    struct sl_chunk chunk = {0};
    struct sl_hit hits[20];
    struct sl_error err;
    uint32_t count;

    cut_chunk(arena, text, 0, 0, &chunk);
    must(sl_snapshot_lexical(snapshot, chunk.terms, chunk.term_count, 20, NULL, hits, &count, NULL,
                             &err),
         &err);
    sl_arena_close(arena);
    return join(snapshot, hits, count);
}

const char *test_nearest(struct sl_snapshot *snapshot, const float *query, uint32_t k, bool exact)
{
    struct sl_hit hits[20];
    struct sl_error err;
    uint32_t count;

    must(sl_snapshot_nearest(snapshot, query, k, 64, exact, NULL, hits, &count, NULL, &err), &err);
    return join(snapshot, hits, count);
}
