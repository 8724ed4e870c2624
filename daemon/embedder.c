/*
 * embedder.c -- the stage that turns texts into vectors, in batches across documents.
 *
 * Documents with texts to embed stand in a ring. A thread fills a batch by going round the ring and
 * taking a few texts from each, so that a small document behind a huge one is through with the next
 * batch. The texts are sorted by length before they are encoded (padding to the longest is what a
 * batch wastes), and a document whose last vector is in goes back to the workers. Nobody waits for
 * anything here but these threads for the encoder.
 *
 * Rejected: one batch per document (a 3-chunk document uses a tenth of a batch), a thread that
 * waits a while for more texts (what is there is enough when there is load, and latency when there
 * is none).
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/engine_internal.h"

#define RETRY_MS     200u
#define RETRY_MS_MAX 5000u
#define SHARES       4u /* of a batch's places, what one document gets per round */

/* One text of a batch. */
struct embedder_text {
    struct work *work;
    uint32_t index; /* into work->ingest->texts */
    bool rejected;
    struct sl_error error;
};

struct embedder_stage {
    struct sl_engine *engine;
    pthread_mutex_t mutex;
    pthread_cond_t came;
    struct work *first; /* ring of documents with texts not taken yet */
    struct work *last;
    uint32_t batch_max;
    bool stopped;
};

struct embedder_stage *embedder_open(struct sl_engine *engine)
{
    struct embedder_stage *stage = calloc(1, sizeof(*stage));

    if (!stage)
        return NULL;
    stage->engine = engine;
    stage->batch_max = engine->config->embed.batch ? engine->config->embed.batch : 32;
    pthread_mutex_init(&stage->mutex, NULL);
    pthread_cond_init(&stage->came, NULL);
    return stage;
}

struct embedder_stage *embedder_close(struct embedder_stage *stage)
{
    if (!stage)
        return NULL;
    while (stage->first) {
        struct work *work = stage->first;

        stage->first = work->next;
        work_free(stage->engine, work);
    }
    pthread_cond_destroy(&stage->came);
    pthread_mutex_destroy(&stage->mutex);
    free(stage);
    return NULL;
}

static void append(struct embedder_stage *stage, struct work *work)
{
    work->next = NULL;
    if (stage->last)
        stage->last->next = work;
    else
        stage->first = work;
    stage->last = work;
}

static struct work *take_first(struct embedder_stage *stage)
{
    struct work *work = stage->first;

    stage->first = work->next;
    if (!stage->first)
        stage->last = NULL;
    return work;
}

void embedder_submit(struct embedder_stage *stage, struct work *work)
{
    pthread_mutex_lock(&stage->mutex);
    append(stage, work);
    pthread_cond_signal(&stage->came);
    pthread_mutex_unlock(&stage->mutex);
}

void embedder_stop(struct embedder_stage *stage)
{
    pthread_mutex_lock(&stage->mutex);
    stage->stopped = true;
    pthread_cond_broadcast(&stage->came);
    pthread_mutex_unlock(&stage->mutex);
}

/* ------------------------------------------------------------------------------ a batch */

/* Take up to batch_max texts, a share from each document in turn. A document leaves the ring with
 * its last text. */
static uint32_t fill(struct embedder_stage *stage, struct embedder_text *texts)
{
    uint32_t count = 0;
    uint32_t share = stage->batch_max / SHARES ? stage->batch_max / SHARES : 1;

    while (stage->first && count < stage->batch_max) {
        struct work *work = take_first(stage);
        uint32_t left = work->ingest->text_count - work->texts_taken;
        uint32_t take = stage->first ? share : left; /* alone: all it likes */

        take = take < left ? take : left;
        take = take < stage->batch_max - count ? take : stage->batch_max - count;
        for (uint32_t i = 0; i < take; i++)
            texts[count++] = (struct embedder_text){.work = work, .index = work->texts_taken++};
        if (work->texts_taken < work->ingest->text_count)
            append(stage, work);
    }
    return count;
}

static int by_length(const void *a, const void *b)
{
    const struct embedder_text *x = a, *y = b;
    size_t x_size = x->work->ingest->texts[x->index].size;
    size_t y_size = y->work->ingest->texts[y->index].size;

    return x_size < y_size ? -1 : x_size > y_size;
}

static uint32_t wait_batch(struct embedder_stage *stage, struct embedder_text *texts)
{
    uint32_t count = 0;

    pthread_mutex_lock(&stage->mutex);
    while (!stage->first && !stage->stopped)
        pthread_cond_wait(&stage->came, &stage->mutex);
    if (!stage->stopped)
        count = fill(stage, texts);
    if (stage->first)
        pthread_cond_signal(&stage->came);
    pthread_mutex_unlock(&stage->mutex);
    qsort(texts, count, sizeof(*texts), by_length);
    return count;
}

/* ------------------------------------------------------------------------------ encoding */

static enum sl_err encode_once(const struct sl_engine *engine, const struct sl_view *views,
                               uint32_t count, float *vectors, struct sl_error *err)
{
    int64_t start = clock_us();
    enum sl_err r = engine->embedder->ops->encode(engine->embedder, SL_EMBED_PASSAGE, views, count,
                                                  vectors, err);
    uint64_t tokens = 0;

    sl_metric_add_label(SL_METRIC_EMBED_REQUESTS, r == SL_OK ? "ok" : "error", 1);
    if (r != SL_OK)
        return r;
    for (uint32_t i = 0; i < count; i++)
        tokens += engine->embedder->ops->count_tokens(engine->embedder, views[i]);
    sl_metric_add(SL_METRIC_EMBED_TOKENS, tokens);
    sl_metric_observe(SL_METRIC_EMBED_REQUEST_DURATION, (double)(clock_us() - start) / 1e6);
    sl_metric_observe(SL_METRIC_EMBED_BATCH_SIZE, count);
    return SL_OK;
}

/* Until it works, is refused, or the engine ends. */
static enum sl_err encode(struct sl_engine *engine, const struct sl_view *views, uint32_t count,
                          float *vectors, struct sl_error *err)
{
    uint32_t wait_ms = RETRY_MS;
    enum sl_err r;

    while ((r = encode_once(engine, views, count, vectors, err)) == SL_AGAIN && !engine->ending) {
        sl_metric_add_labels(SL_METRIC_RETRIES, "embed", err->reason, 1);
        engine_sleep(engine, wait_ms);
        wait_ms = wait_ms * 2 < RETRY_MS_MAX ? wait_ms * 2 : RETRY_MS_MAX;
    }
    return r;
}

static void deliver(struct embedder_text *texts, uint32_t count, const float *vectors, size_t dim)
{
    for (uint32_t i = 0; i < count; i++)
        memcpy(texts[i].work->ingest->vectors[texts[i].index], vectors + i * dim,
               dim * sizeof(float));
}

/* One text of the batch can never work: find it, and set its document aside. */
static enum sl_err encode_singly(struct sl_engine *engine, struct embedder_text *texts,
                                 uint32_t count, float *vectors, struct sl_error *err)
{
    size_t dim = engine->embedder->dim;

    for (uint32_t i = 0; i < count; i++) {
        enum sl_err r =
            encode(engine, &texts[i].work->ingest->texts[texts[i].index], 1, vectors, err);

        if (r == SL_STOP || r == SL_AGAIN)
            return r;
        texts[i].rejected = r == SL_REJECT;
        texts[i].error = *err;
        if (r == SL_OK)
            deliver(&texts[i], 1, vectors, dim);
    }
    return SL_OK;
}

/* The document that got its last vector with this text; NULL when some are still out. The lock is
 * held. */
static struct work *count_done(struct embedder_text *text)
{
    struct work *work = text->work;

    if (text->rejected && !work->dead)
        work_reject(work, &text->error);
    return ++work->texts_done == work->ingest->text_count ? work : NULL;
}

static void complete(struct embedder_stage *stage, struct embedder_text *texts, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct work *work;

        pthread_mutex_lock(&stage->mutex);
        work = count_done(&texts[i]);
        pthread_mutex_unlock(&stage->mutex);
        if (work)
            work_to_workers(stage->engine, work, WORK_FINISH, true);
    }
}

/* The engine is on its way out: documents nobody else still has a text of go with it. */
static void abandon(struct embedder_stage *stage, struct embedder_text *texts, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct work *work;

        pthread_mutex_lock(&stage->mutex);
        work = count_done(&texts[i]);
        pthread_mutex_unlock(&stage->mutex);
        if (work)
            work_free(stage->engine, work);
    }
}

static void run_batch(struct embedder_stage *stage, struct embedder_text *texts, uint32_t count,
                      struct sl_view *views, float *vectors)
{
    struct sl_engine *engine = stage->engine;
    struct sl_error err = {0};
    enum sl_err r;

    for (uint32_t i = 0; i < count; i++)
        views[i] = texts[i].work->ingest->texts[texts[i].index];
    r = encode(engine, views, count, vectors, &err);
    if (r == SL_OK)
        deliver(texts, count, vectors, engine->embedder->dim);
    else if (r == SL_REJECT)
        r = encode_singly(engine, texts, count, vectors, &err);
    if (r == SL_STOP)
        engine_fail(engine, &err);
    if (r == SL_OK)
        complete(stage, texts, count);
    else
        abandon(stage, texts, count);
}

void *embedder_run(void *context)
{
    struct sl_engine *engine = context;
    struct embedder_stage *stage = engine->embedding;
    struct sl_heartbeat *heartbeat = sl_heartbeat_open("embedder", ENGINE_HEARTBEAT_MS * 5);
    struct embedder_text *texts = calloc(stage->batch_max, sizeof(*texts));
    struct sl_view *views = calloc(stage->batch_max, sizeof(*views));
    float *vectors = calloc((size_t)stage->batch_max * engine->embedder->dim, sizeof(*vectors));
    uint32_t count;

    SL_INVARIANT(texts && views && vectors);
    for (;;) {
        sl_heartbeat_idle(heartbeat);
        count = wait_batch(stage, texts);
        sl_heartbeat_beat(heartbeat);
        if (count == 0)
            break;
        run_batch(stage, texts, count, views, vectors);
    }
    free(texts);
    free(views);
    free(vectors);
    sl_heartbeat_close(heartbeat);
    return NULL;
}
