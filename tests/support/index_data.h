/* index_data.h -- documents, vectors and an index for tests, without the stages before it. */
#ifndef SLUICE_TEST_INDEX_DATA_H
#define SLUICE_TEST_INDEX_DATA_H

#include <sluice/index.h>

#define TEST_TOPIC SL_VIEW("docs")

/* One document: words are terms, every `chunk_words` words a chunk, one window each. */
struct test_document {
    const char *key;
    const char *text;
    uint32_t chunk_words; /* 0: one chunk */
    int32_t partition;
    int64_t offset;
    int64_t timestamp_ms;
    const char *title, *date, *lang;
    const struct sl_field *fields;
    uint32_t field_count;
    const struct sl_day_range *valid;
    uint32_t valid_count;
    const float *vectors; /* [chunks][dim]; NULL: made from each chunk's text */
    bool keep_windows;    /* bring no vector for what the index has */
};

/* What tests keep vectors as: the environment's SLUICE_TEST_STORAGE, f32 without it. */
enum sl_storage test_storage(void);
struct sl_index *test_index_open(const char *path, uint32_t dim, enum sl_metric metric);
enum sl_err test_try_prepare(struct sl_index *index, const struct test_document *document,
                             struct sl_prepared **ret_prepared, struct sl_error *err);
struct sl_prepared *test_prepare(struct sl_index *index, const struct test_document *document);
/* In the batch, and with a batch of its own. */
enum sl_applied test_apply(struct sl_index *index, struct sl_batch *batch,
                           const struct test_document *document);
enum sl_applied test_put(struct sl_index *index, const struct test_document *document);
enum sl_applied test_delete(struct sl_index *index, const char *key, int64_t offset);
struct sl_snapshot *test_snapshot(struct sl_index *index);
/* A unit vector that depends on the bytes alone. */
void test_vector(struct sl_view text, uint32_t dim, float *ret_vector);
/* A random unit vector near one of `clusters` centres. */
void test_cluster_vector(uint32_t clusters, uint32_t dim, float *ret_vector);
void test_vector_unit(float *vector, uint32_t dim);
/* Faults found by verify; the first line goes to ret_line (char[320]), "" when there is none. */
uint64_t test_verify(struct sl_index *index, char *ret_line);
/* Did verify report a line that holds `part`? */
bool test_verify_says(struct sl_index *index, const char *part);
/* `count` lexical or vector hits by their documents' keys, "a b c". */
const char *test_lexical(struct sl_snapshot *snapshot, const char *terms);
const char *test_nearest(struct sl_snapshot *snapshot, const float *query, uint32_t k, bool exact);
const char *test_key_of(struct sl_snapshot *snapshot, sl_doc_id doc);

#endif
