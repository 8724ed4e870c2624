/*
 * test_daemon_embedder.c -- batches across documents: nobody's vectors get mixed up, a small
 * document does not wait behind a huge one, one text that cannot be embedded costs its own document
 * only, and an encoder that is away is asked again.
 */
#include <pthread.h>

#include "daemon/engine_internal.h"
#include "test.h"

#define DIM   4u
#define BATCH 8u

/* An encoder whose vector is the text's length and first byte; "!" can never work; the first calls
 * say later. */
static _Atomic uint32_t calls_to_fail;
static _Atomic uint32_t largest_batch;

static enum sl_err fake_encode(const struct sl_embedder *embedder, enum sl_embed_role role,
                               const struct sl_view *texts, uint32_t count, float *vectors,
                               struct sl_error *err)
{
    (void)embedder;
    (void)role;
    if (calls_to_fail > 0) {
        calls_to_fail--;
        return sl_fail(err, SL_AGAIN, "away", "not now");
    }
    if (count > largest_batch)
        largest_batch = count;
    for (uint32_t i = 0; i < count; i++) {
        if (texts[i].data[0] == '!')
            return sl_fail(err, SL_REJECT, "embed_rejected", "this never works");
        for (uint32_t d = 0; d < DIM; d++)
            vectors[i * DIM + d] = (float)texts[i].size * 1000.0f + (float)texts[i].data[0];
    }
    return SL_OK;
}

static uint32_t fake_tokens(const struct sl_embedder *embedder, struct sl_view text)
{
    (void)embedder;
    return (uint32_t)text.size;
}

static const struct sl_embedder_ops fake_ops = {.count_tokens = fake_tokens, .encode = fake_encode};
static struct sl_embedder fake = {.ops = &fake_ops, .dim = DIM};
static struct sl_config config = {.embed = {.batch = BATCH}};

struct bench {
    struct sl_engine engine;
    pthread_t threads[2];
};

static struct bench *bench_open(void)
{
    struct bench *bench = calloc(1, sizeof(*bench));

    bench->engine.config = &config;
    bench->engine.embedder = &fake;
    bench->engine.to_workers = sl_queue_make(100);
    bench->engine.embedding = embedder_open(&bench->engine);
    pthread_mutex_init(&bench->engine.mutex, NULL);
    calls_to_fail = largest_batch = 0;
    return bench;
}

static void bench_run(struct bench *bench, int threads)
{
    for (int i = 0; i < threads; i++)
        pthread_create(&bench->threads[i], NULL, embedder_run, &bench->engine);
}

static void bench_close(struct bench *bench, int threads)
{
    embedder_stop(bench->engine.embedding);
    for (int i = 0; i < threads; i++)
        pthread_join(bench->threads[i], NULL);
    embedder_close(bench->engine.embedding);
    sl_queue_free(bench->engine.to_workers);
    pthread_mutex_destroy(&bench->engine.mutex);
    free(bench);
}

/* A document with `count` texts of the letter, each one byte longer than the one before. */
static struct work *document(struct bench *bench, char letter, uint32_t count)
{
    struct sl_message message = {
        .topic = SL_VIEW("docs"), .key = SL_VIEW("k"), .value = SL_VIEW("v")};
    struct work *work = work_make(&bench->engine, &message, NULL);

    work->arena = sl_arena_open(16 << 20);
    work->ingest = SL_NEW(work->arena, struct sl_ingest);
    work->ingest->text_count = count;
    work->ingest->texts = SL_NEW_ARRAY(work->arena, struct sl_view, count);
    work->ingest->vectors = SL_NEW_ARRAY(work->arena, float *, count);
    for (uint32_t i = 0; i < count; i++) {
        char *text = sl_arena_alloc(work->arena, i % 50 + 1);

        memset(text, letter, i % 50 + 1);
        work->ingest->texts[i] = (struct sl_view){text, i % 50 + 1};
        work->ingest->vectors[i] = SL_NEW_ARRAY(work->arena, float, DIM);
    }
    return work;
}

static void check_vectors(const struct work *work)
{
    for (uint32_t i = 0; i < work->ingest->text_count; i++) {
        struct sl_view text = work->ingest->texts[i];
        float expected = (float)text.size * 1000.0f + (float)text.data[0];

        CHECK(work->ingest->vectors[i][0] >= expected &&
              work->ingest->vectors[i][DIM - 1] <= expected);
    }
}

TEST(embedder_small_documents_do_not_wait_behind_a_huge_one)
{
    struct bench *bench = bench_open();
    struct work *huge = document(bench, 'h', 400), *small[3], *done;

    embedder_submit(bench->engine.embedding, huge);
    for (int i = 0; i < 3; i++)
        embedder_submit(bench->engine.embedding, small[i] = document(bench, (char)('a' + i), 2));
    bench_run(bench, 1);
    while (sl_queue_count(bench->engine.to_workers) < 4)
        ;
    done = sl_queue_pop(bench->engine.to_workers,
                        1000); /* finished work goes to the head: the last comes first */
    CHECK(done == huge);
    check_vectors(huge);
    work_free(&bench->engine, huge);
    for (int i = 2; i >= 0; i--) {
        done = sl_queue_pop(bench->engine.to_workers, 1000);
        CHECK(done->step == WORK_FINISH && !done->dead);
        check_vectors(done);
        work_free(&bench->engine, done);
    }
    CHECK(largest_batch == BATCH);
    bench_close(bench, 1);
}

TEST(embedder_two_threads_mix_nothing_up)
{
    struct bench *bench = bench_open();
    uint32_t total = 0;

    bench_run(bench, 2);
    for (uint32_t i = 0; i < 60; i++)
        embedder_submit(bench->engine.embedding,
                        document(bench, (char)('a' + i % 26), i * 7 % 40 + 1));
    for (uint32_t i = 0; i < 60; i++) {
        struct work *work = sl_queue_pop(bench->engine.to_workers, 10000);

        REQUIRE(work != NULL);
        check_vectors(work);
        total += work->texts_done;
        work_free(&bench->engine, work);
    }
    CHECK(total > 60);
    CHECK(sl_budget_documents(&bench->engine.budget) == 0 &&
          sl_budget_bytes(&bench->engine.budget) == 0);
    bench_close(bench, 2);
}

TEST(embedder_one_bad_text_costs_its_document_only)
{
    struct bench *bench = bench_open();
    struct work *bad = document(bench, '!', 2), *good = document(bench, 'g', 3);

    embedder_submit(bench->engine.embedding, bad);
    embedder_submit(bench->engine.embedding, good);
    bench_run(bench, 1);
    for (int i = 0; i < 2; i++) {
        struct work *work = sl_queue_pop(bench->engine.to_workers, 10000);

        REQUIRE(work != NULL);
        CHECK(work->dead == (work == bad));
        if (work == bad)
            CHECK(strcmp(work->error.reason, "embed_rejected") == 0);
        else
            check_vectors(work);
        work_free(&bench->engine, work);
    }
    bench_close(bench, 1);
}

TEST(embedder_asks_again_when_the_encoder_is_away)
{
    struct bench *bench = bench_open();
    struct work *work;

    calls_to_fail = 2;
    embedder_submit(bench->engine.embedding, document(bench, 'x', 5));
    bench_run(bench, 1);
    work = sl_queue_pop(bench->engine.to_workers, 20000);
    REQUIRE(work != NULL);
    CHECK(!work->dead && calls_to_fail == 0);
    check_vectors(work);
    work_free(&bench->engine, work);
    bench_close(bench, 1);
}
