/*
 * embedder.c -- the stage that turns texts into vectors, in batches across documents.
 *
 * Documents with texts to embed wait in a line per partition. A thread fills a batch by going from
 * line to line and taking a few texts from the document at the head, which then goes to the end of
 * its line: a small document behind a huge one, or a new one beside another partition's backlog, is
 * through with the next batch. The texts are sorted by length before they are encoded (padding to
 * the longest is what a batch wastes), and a document whose last vector is in goes back to the
 * workers. Nobody waits for anything here but these threads for the encoder.
 *
 * An encoder that is away is asked again until it is back. One that fails on some text and on no
 * other would look the same; after a few failures in a row it is asked for a harmless text, and if
 * it can do that, the batch is taken apart, by halves, and what still fails alone is set aside. A
 * server that says itself why it is not asked (net/embed_client.h) is never taken for that.
 *
 * Rejected: one batch per document (a 3-chunk document uses a tenth of a batch), a thread that
 * waits a while for more texts (what is there is enough when there is load, and latency when there
 * is none). A server takes a moment and a price for each request: there it is worth it.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/engine_internal.h"
#include "net/embed_client.h"

#define RETRY_MS       200u
#define RETRY_MS_MAX   5000u
#define BATCH_ATTEMPTS 3u /* failures in a row before the encoder is asked for something harmless  \
                           */
#define TEXT_ATTEMPTS 5u
#define WAIT_MS       500
#define SHARES        4u /* of a batch's places, what one document gets per round */

/* One text of a batch. */
struct embedder_text {
    struct work *work;
    uint32_t index; /* into work->ingest->texts */
    bool rejected;
    struct sl_error error;
};

struct embedder_stage {
    struct sl_engine *engine;
    struct sl_queue *documents; /* with texts not taken yet; a line per partition */
    pthread_mutex_t mutex;      /* texts_done of documents whose texts are in several batches */
    uint32_t batch_max;
    uint32_t batch_tokens; /* 0: no limit, as in the process */
    uint32_t batch_wait_ms;
};

static _Thread_local struct sl_heartbeat *embedder_heartbeat; /* this thread's */

struct embedder_stage *embedder_open(struct sl_engine *engine)
{
    struct embedder_stage *stage = calloc(1, sizeof(*stage));

    if (!stage)
        return NULL;
    stage->engine = engine;
    stage->batch_max = engine->config->embed.batch ? engine->config->embed.batch : 32;
    if (sl_embed_is_remote(engine->embedder)) {
        stage->batch_tokens = engine->config->embed.batch_tokens;
        stage->batch_wait_ms = engine->config->embed.batch_wait_ms;
    }
    stage->documents = sl_queue_make(ENGINE_DOCUMENTS_MAX);
    SL_INVARIANT(stage->documents != NULL);
    pthread_mutex_init(&stage->mutex, NULL);
    return stage;
}

struct embedder_stage *embedder_close(struct embedder_stage *stage)
{
    struct work *work;

    if (!stage)
        return NULL;
    while ((work = sl_queue_pop(stage->documents, 0)))
        work_free(stage->engine, work);
    sl_queue_free(stage->documents);
    pthread_mutex_destroy(&stage->mutex);
    free(stage);
    return NULL;
}

void embedder_submit(struct embedder_stage *stage, struct work *work)
{
    if (sl_queue_push_line(stage->documents, work, work_line(work)))
        return;
    SL_INVARIANT(sl_queue_is_closed(stage->documents)); /* never full: budget.h */
    work_free(stage->engine, work);
}

void embedder_stop(struct embedder_stage *stage)
{
    sl_queue_close(stage->documents);
}

/* ------------------------------------------------------------------------------ a batch */

/* Does the document's next text fit into the batch's tokens? Counts it when it does. */
static bool has_room(const struct embedder_stage *stage, const struct work *work, uint64_t *tokens)
{
    uint64_t more;

    if (stage->batch_tokens == 0)
        return true;
    more = sl_embed_tokens(stage->engine->embedder, SL_EMBED_PASSAGE,
                           &work->ingest->texts[work->texts_taken], 1);
    if (*tokens > 0 && *tokens + more > stage->batch_tokens)
        return false;
    *tokens += more;
    return true;
}

/* A document's next texts. The document goes back to its line before they are encoded, or is out.
 */
static uint32_t take_texts(const struct embedder_stage *stage, struct work *work,
                           struct embedder_text *texts, uint32_t most, uint64_t *tokens)
{
    uint32_t left = work->ingest->text_count - work->texts_taken;
    uint32_t take = left < most ? left : most, taken = 0;

    while (taken < take && has_room(stage, work, tokens))
        texts[taken++] = (struct embedder_text){.work = work, .index = work->texts_taken++};
    return taken;
}

/* Back to its line. At the end there are no lines any more: nobody will ask for the rest of its
 * texts. */
static void put_back(struct embedder_stage *stage, struct work *work)
{
    if (sl_queue_push_line(stage->documents, work, work_line(work)))
        return;
    SL_INVARIANT(sl_queue_is_closed(stage->documents));
    pthread_mutex_lock(&stage->mutex);
    work->texts_done += work->ingest->text_count - work->texts_taken;
    pthread_mutex_unlock(&stage->mutex);
}

/* Take up to batch_max texts, a share from the document whose turn it is; alone it gets all it
 * likes. */
static uint32_t fill(struct embedder_stage *stage, struct work *work, struct embedder_text *texts)
{
    uint32_t count = 0, taken, wait_ms = stage->batch_wait_ms;
    uint32_t share = stage->batch_max / SHARES ? stage->batch_max / SHARES : 1;
    uint64_t tokens = 0;

    while (work) {
        uint32_t room = stage->batch_max - count;
        bool alone = sl_queue_count(stage->documents) == 0;

        taken =
            take_texts(stage, work, texts + count, alone || share > room ? room : share, &tokens);
        count += taken;
        if (work->texts_taken < work->ingest->text_count)
            put_back(stage, work);
        if (taken == 0 || count == stage->batch_max)
            break;
        work = sl_queue_pop(stage->documents, 0);
        if (!work && wait_ms > 0) {
            work = sl_queue_pop(stage->documents, (int)wait_ms);
            wait_ms = 0;
        }
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

/* 0: the stage ends. */
static uint32_t wait_batch(struct embedder_stage *stage, struct embedder_text *texts)
{
    struct work *work = NULL;
    uint32_t count;

    while (!work && !sl_queue_is_closed(stage->documents))
        work = sl_queue_pop(stage->documents, WAIT_MS);
    if (!work)
        return 0;
    count = fill(stage, work, texts);
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

    if (r == SL_OK)
        sl_metric_add_label(SL_METRIC_EMBED_TEXTS, "documents", count);
    if (sl_embed_is_remote(engine->embedder)) /* embed_watch.c sees more */
        return r;
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

/* It fails on these texts. On others too? */
static bool works_otherwise(const struct sl_engine *engine)
{
    struct sl_view harmless = SL_VIEW("a");
    float *vector = calloc(engine->embedder->dim, sizeof(*vector));
    enum sl_err r;

    SL_INVARIANT(vector != NULL);
    r = engine->embedder->ops->encode(engine->embedder, SL_EMBED_PASSAGE, &harmless, 1, vector,
                                      NULL);
    free(vector);
    return r == SL_OK;
}

/* Until it works, is refused, or the engine ends. */
static enum sl_err encode(struct embedder_stage *stage, const struct sl_view *views, uint32_t count,
                          float *vectors, struct sl_error *err)
{
    struct sl_engine *engine = stage->engine;
    uint32_t wait_ms = RETRY_MS, attempts = 0;
    uint32_t attempts_max = count > 1 ? BATCH_ATTEMPTS : TEXT_ATTEMPTS;
    enum sl_err r;

    while ((r = encode_once(engine, views, count, vectors, err)) == SL_AGAIN && !engine->ending) {
        bool away = sl_embed_is_away(err);

        if (!sl_embed_is_remote(engine->embedder))
            sl_metric_add_labels(SL_METRIC_RETRIES, "embed", err->reason, 1);
        engine_sleep(engine, wait_ms);
        sl_heartbeat_beat(embedder_heartbeat);
        if (away) /* it knows when to ask: that costs nothing */
            continue;
        wait_ms = wait_ms * 2 < RETRY_MS_MAX ? wait_ms * 2 : RETRY_MS_MAX;
        if (++attempts % attempts_max == 0 && works_otherwise(engine))
            return sl_fail(err, SL_REJECT, "embed_failed",
                           "the encoder failed on it %u times, and not on other texts", attempts);
    }
    return r;
}

static void deliver(struct embedder_text *texts, uint32_t count, const float *vectors, size_t dim)
{
    for (uint32_t i = 0; i < count; i++)
        memcpy(texts[i].work->ingest->vectors[texts[i].index], vectors + i * dim,
               dim * sizeof(float));
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

/* One text: vectors, or why not, and its document goes on if it was the last. */
static void settle_text(struct embedder_stage *stage, struct embedder_text *text, enum sl_err r,
                        const float *vector, const struct sl_error *err)
{
    text->rejected = r == SL_REJECT;
    text->error = *err;
    if (r == SL_OK)
        deliver(text, 1, vector, stage->engine->embedder->dim);
    complete(stage, text, 1);
}

static enum sl_err encode_halves(struct embedder_stage *stage, struct embedder_text *texts,
                                 uint32_t *count, struct sl_view *views, float *vectors,
                                 struct sl_error *err);

/*
 * Once. What works goes on at once, what is refused alone is set aside; what cannot be told from an
 * encoder that is away is left at the front of `texts`, *count long.
 */
static enum sl_err encode_group(struct embedder_stage *stage, struct embedder_text *texts,
                                uint32_t *count, struct sl_view *views, float *vectors,
                                struct sl_error *err)
{
    enum sl_err r;

    for (uint32_t i = 0; i < *count; i++)
        views[i] = texts[i].work->ingest->texts[texts[i].index];
    sl_heartbeat_beat(embedder_heartbeat);
    r = encode_once(stage->engine, views, *count, vectors, err);
    if (r == SL_AGAIN || r == SL_STOP)
        return r == SL_AGAIN ? SL_OK : r;
    if (r == SL_REJECT && *count > 1)
        return encode_halves(stage, texts, count, views, vectors, err);
    if (r == SL_OK) {
        deliver(texts, *count, vectors, stage->engine->embedder->dim);
        complete(stage, texts, *count);
    } else {
        settle_text(stage, texts, r, vectors, err);
    }
    *count = 0;
    return SL_OK;
}

/* A text of these fails where others work: which one? */
static enum sl_err encode_halves(struct embedder_stage *stage, struct embedder_text *texts,
                                 uint32_t *count, struct sl_view *views, float *vectors,
                                 struct sl_error *err)
{
    uint32_t half = *count / 2, first = half, second = *count - half;
    enum sl_err r = encode_group(stage, texts, &first, views, vectors, err);

    if (r == SL_OK)
        r = encode_group(stage, texts + half, &second, views, vectors, err);
    memmove(texts + first, texts + half, second * sizeof(*texts));
    *count = first + second;
    return r;
}

/* Each alone, until it works or is refused. Only when the engine ends something is left, at the
 * front. */
static enum sl_err encode_singly(struct embedder_stage *stage, struct embedder_text *texts,
                                 uint32_t *count, float *vector, struct sl_error *err)
{
    for (uint32_t i = 0; i < *count; i++) {
        struct sl_view *view = &texts[i].work->ingest->texts[texts[i].index];
        enum sl_err r = encode(stage, view, 1, vector, err);

        if (r == SL_STOP || r == SL_AGAIN) {
            *count -= i;
            memmove(texts, texts + i, *count * sizeof(*texts));
            return r;
        }
        settle_text(stage, &texts[i], r, vector, err);
    }
    *count = 0;
    return SL_OK;
}

static void run_batch(struct embedder_stage *stage, struct embedder_text *texts, uint32_t count,
                      struct sl_view *views, float *vectors)
{
    struct sl_error err = {0};
    enum sl_err r;

    for (uint32_t i = 0; i < count; i++)
        views[i] = texts[i].work->ingest->texts[texts[i].index];
    r = encode(stage, views, count, vectors, &err);
    if (r == SL_OK) {
        deliver(texts, count, vectors, stage->engine->embedder->dim);
        complete(stage, texts, count);
        return;
    }
    if (r == SL_REJECT && count == 1) {
        settle_text(stage, texts, r, vectors, &err);
        return;
    }
    if (r == SL_REJECT)
        r = encode_halves(stage, texts, &count, views, vectors, &err);
    if (r == SL_OK)
        r = encode_singly(stage, texts, &count, vectors, &err);
    if (r == SL_STOP)
        engine_fail(stage->engine, &err);
    if (r != SL_OK)
        abandon(stage, texts, count);
}

void *embedder_run(void *context)
{
    struct sl_engine *engine = context;
    struct embedder_stage *stage = engine->embedding;
    struct embedder_text *texts = calloc(stage->batch_max, sizeof(*texts));
    struct sl_view *views = calloc(stage->batch_max, sizeof(*views));
    float *vectors = calloc((size_t)stage->batch_max * engine->embedder->dim, sizeof(*vectors));
    uint32_t count;

    SL_INVARIANT(texts && views && vectors);
    embedder_heartbeat = sl_heartbeat_open("embedder", ENGINE_HEARTBEAT_MS * 5);
    for (;;) {
        sl_heartbeat_idle(embedder_heartbeat);
        count = wait_batch(stage, texts);
        sl_heartbeat_beat(embedder_heartbeat);
        if (count == 0)
            break;
        run_batch(stage, texts, count, views, vectors);
    }
    free(texts);
    free(views);
    free(vectors);
    sl_heartbeat_close(embedder_heartbeat);
    return NULL;
}
