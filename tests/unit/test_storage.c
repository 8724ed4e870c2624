/*
 * test_storage.c -- whatever vectors are kept as, what is found is scored on the best that is kept, over
 * replacing, deleting and opening again.
 */
#include <math.h>

#include "index/codec.h"
#include "index_data.h"
#include "test.h"

#define DIM   100 /* not a whole number of lines in any code */
#define KEYS  400
#define K     10
#define BATCH 400

static const enum sl_metric metrics[] = {SL_METRIC_IP, SL_METRIC_COSINE, SL_METRIC_L2};

/* What must be found: the vector each key has now. */
struct model {
    float vectors[KEYS][DIM];
    bool live[KEYS];
    int64_t offset;
};

static struct sl_index *open_index(const char *path, enum sl_storage storage, enum sl_metric metric)
{
    struct sl_index_options options = {.path = path,
                                       .map_size_bytes = 1ull << 32,
                                       .dim = DIM,
                                       .metric = metric,
                                       .storage = storage};
    struct sl_index *index;
    struct sl_error err;

    if (sl_index_open(&options, &index, &err) != SL_OK) {
        fprintf(stderr, "%s\n", err.message);
        abort();
    }
    return index;
}

static void change_one(struct sl_index *index, struct sl_batch *batch, struct model *model)
{
    int number = (int)(test_random() % KEYS);
    struct test_document document;
    enum sl_applied applied;
    struct sl_error err;
    char key[16], text[40];

    model->offset++;
    snprintf(key, sizeof key, "%d", number);
    snprintf(text, sizeof text, "version %d", (int)model->offset);
    model->live[number] = test_random() % 5 > 0;
    if (!model->live[number]) {
        CHECK(sl_batch_delete(batch, TEST_TOPIC, sl_view_of(key), 0, model->offset, &applied,
                              &err) == SL_OK);
        return;
    }
    test_cluster_vector(20, DIM, model->vectors[number]);
    document = (struct test_document){
        .key = key, .text = text, .offset = model->offset, .vectors = model->vectors[number]};
    test_apply(index, batch, &document);
}

static void change(struct sl_index *index, struct model *model, int times)
{
    for (int i = 0; i < times; i += BATCH) {
        struct sl_batch *batch;
        struct sl_error err;
        REQUIRE(sl_batch_begin(index, &batch, &err) == SL_OK);
        for (int j = 0; j < BATCH; j++)
            change_one(index, batch, model);
        REQUIRE(sl_batch_commit(batch, &err) == SL_OK);
    }
}

static double score(enum sl_metric metric, const float *a, const float *b)
{
    double sum = 0;

    for (int i = 0; i < DIM; i++) {
        double d = (double)a[i] - (double)b[i];
        sum += metric == SL_METRIC_L2 ? -d * d : (double)a[i] * (double)b[i];
    }
    return sum;
}

static int greater_first(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x < *y) - (*x > *y);
}

/* The best K scores there are. */
static void best_scores(const struct model *model, enum sl_metric metric, const float *query,
                        double ret_best[K])
{
    double scores[KEYS];
    int count = 0;

    for (int i = 0; i < KEYS; i++)
        if (model->live[i])
            scores[count++] = score(metric, query, model->vectors[i]);
    qsort(scores, (size_t)count, sizeof *scores, greater_first);
    memcpy(ret_best, scores, K * sizeof *scores);
}

/* f32, i8 and bit keep the full vector; a half is off by 2^-11 of each value, a bf16 by 2^-8. */
static double tolerance(enum sl_storage storage)
{
    return storage == SL_STORAGE_F16 ? 2e-3 : storage == SL_STORAGE_BF16 ? 2e-2 : 1e-5;
}

/* Ten queries; every score is the vector's own, exact search misses nothing, and walking little. */
static void check_searches(struct sl_index *index, const struct model *model,
                           enum sl_storage storage, enum sl_metric metric)
{
    struct sl_snapshot *snapshot = test_snapshot(index);
    int found = 0, wanted = 0;

    for (int q = 0; q < 20; q++) {
        struct sl_hit hits[K];
        struct sl_error err;
        float query[DIM];
        double best[K];
        uint32_t count = 0;
        bool exact = q % 2 == 0;
        test_cluster_vector(20, DIM, query);
        best_scores(model, metric, query, best);
        CHECK(sl_snapshot_nearest(snapshot, query, K, 64, exact, NULL, hits, &count, NULL, &err) ==
              SL_OK);
        CHECK(count == K);
        for (uint32_t i = 0; i < count; i++) {
            int number = atoi(test_key_of(snapshot, hits[i].doc));
            double own = score(metric, query, model->vectors[number]);
            CHECK_THAT(model->live[number] &&
                           fabs((double)hits[i].score - own) <= tolerance(storage),
                       "%s, metric %d, key %d: %f is %f", sl_storage_name(storage), metric, number,
                       (double)hits[i].score, own);
            if (exact)
                CHECK_THAT(fabs((double)hits[i].score - best[i]) <= tolerance(storage),
                           "%s, metric %d, place %u: %f is %f", sl_storage_name(storage), metric, i,
                           (double)hits[i].score, best[i]);
            else
                found += own >= best[K - 1] - tolerance(storage);
        }
        wanted += exact ? 0 : K;
    }
    CHECK_THAT(found >= wanted * (storage == SL_STORAGE_BIT ? 6 : 9) / 10,
               "%s, metric %d: %d of %d", sl_storage_name(storage), metric, found, wanted);
    sl_snapshot_close(snapshot);
}

TEST(storage_I10_what_is_found_is_scored_on_the_full_vectors)
{
    static struct model model;

    for (enum sl_storage storage = SL_STORAGE_F32; storage <= SL_STORAGE_BIT; storage++)
        for (int m = 0; m < 3; m++) {
            const char *path = test_directory();
            struct sl_index *index = open_index(path, storage, metrics[m]);
            char line[320];
            memset(&model, 0, sizeof model);
            test_seed(storage);
            change(index, &model, 3 * KEYS);
            check_searches(index, &model, storage, metrics[m]);
            sl_index_close(index);
            index = open_index(path, storage, metrics[m]);
            check_searches(index, &model, storage, metrics[m]);
            change(index, &model, KEYS);
            check_searches(index, &model, storage, metrics[m]);
            CHECK_THAT(test_verify(index, line) == 0, "%s: %s", sl_storage_name(storage), line);
            sl_index_close(index);
        }
}

/* The control: scores of the small codes alone would be noticed. */
TEST(storage_I10_scores_of_the_codes_alone_would_not_do)
{
    struct sl_codec codec = sl_codec_choose(SL_CODE_I8, SL_METRIC_IP, DIM);
    void *a_code = aligned_alloc(SL_LINE_BYTES, codec.stride);
    void *b_code = aligned_alloc(SL_LINE_BYTES, codec.stride);
    int off = 0;

    for (int i = 0; i < 100; i++) {
        float a[DIM], b[DIM];
        test_cluster_vector(20, DIM, a);
        test_cluster_vector(20, DIM, b);
        sl_codec_encode(&codec, a, a_code);
        sl_codec_encode(&codec, b, b_code);
        off += fabs(1 - (double)codec.distance(a_code, b_code, codec.units) -
                    score(SL_METRIC_IP, a, b)) > tolerance(SL_STORAGE_I8);
    }
    CHECK_THAT(off > 90, "%d", off);
    free(a_code);
    free(b_code);
}

TEST(storage_is_of_the_directory)
{
    const char *path = test_directory();
    struct sl_index_options options = {
        .path = path, .dim = DIM, .metric = SL_METRIC_COSINE, .storage = SL_STORAGE_F32};
    struct sl_index *index;
    struct sl_error err;

    sl_index_close(open_index(path, SL_STORAGE_I8, SL_METRIC_COSINE));
    CHECK(sl_index_open(&options, &index, &err) == SL_STOP);
    CHECK_THAT(err.exit_code == SL_EXIT_CONFIG && strstr(err.message, "i8") != NULL &&
                   strstr(err.message, "f32") != NULL,
               "%s: %s", err.reason, err.message);
    options.storage = 0;
    options.read_only = true;
    REQUIRE(sl_index_open(&options, &index, &err) == SL_OK);
    sl_index_close(index);
    CHECK(sl_storage_named("bf16") == SL_STORAGE_BF16 && sl_storage_named("f64") == 0);
}
