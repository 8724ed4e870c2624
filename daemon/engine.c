/*
 * engine.c -- what starts first and what stops last; the one place that knows all threads.
 *
 * START   model, index (each can refuse the start with a clear exit code); what the last run left
 *         (outbox, reply cache); Kafka clients (nothing connects yet); then the threads from the
 *         index outwards, so that no stage hands anything to one that is not there.
 * STOP    the other way round: take no more records, let what is under way drain, then end each
 *         stage before the one it hands to. The last batch holds the last positions; only then do
 *         consumers leave and the index closes.
 *
 *     feed, topics, asker | workers, encoders, answerers | publisher | indexer | clients | index
 *
 * What did not drain in time is thrown away: its offset is not in a stored position, so it is read
 * again.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/config_pipeline.h"
#include "daemon/engine_internal.h"
#include "daemon/log.h"
#include "daemon/mender.h"
#include "net/embed_client.h"

#define FETCH_PART      32u /* of the budget, for the documents consumer's queue */
#define FETCH_BYTES_MAX (16u << 20)
#define BATCH_PART      16u /* of the budget, for one transaction of the index */
#define BATCH_BYTES_MAX (32u << 20)

/* -------------------------------------------------------------------------- shared small things */

void engine_fail(struct sl_engine *engine, const struct sl_error *err)
{
    pthread_mutex_lock(&engine->mutex);
    if (!engine->failed) {
        engine->failure = *err;
        if (engine->failure.exit_code == 0)
            engine->failure.exit_code = SL_EXIT_SOFTWARE;
        engine->failed = true;
        if (strcmp(err->reason, "corrupt") == 0)
            sl_metric_add_label(SL_METRIC_CHECKSUM_FAILURES, "index", 1);
    }
    pthread_mutex_unlock(&engine->mutex);
}

bool sl_engine_failed(struct sl_engine *engine, struct sl_error *err)
{
    bool failed;

    pthread_mutex_lock(&engine->mutex);
    failed = engine->failed;
    if (failed)
        *err = engine->failure;
    pthread_mutex_unlock(&engine->mutex);
    return failed;
}

void engine_sleep(struct sl_engine *engine, uint32_t ms)
{
    for (uint32_t slept = 0; slept < ms && !engine->ending; slept += 10)
        usleep((ms - slept < 10 ? ms - slept : 10) * 1000);
}

void engine_settings(struct sl_engine *engine, struct settings *ret)
{
    pthread_mutex_lock(&engine->mutex);
    *ret = engine->settings;
    pthread_mutex_unlock(&engine->mutex);
}

/* Those the index was made with: not the configured ones while another is still being made with these. */
static const struct sl_word_lists *lists_in_use(const struct sl_engine *engine)
{
    return sl_ingest_lists_for(sl_index_fingerprint(engine->index), engine->lists);
}

void engine_retrieve(struct sl_engine *engine, struct settings *ret, struct sl_synonyms **ret_synonyms)
{
    pthread_mutex_lock(&engine->mutex);
    *ret = engine->settings;
    *ret_synonyms = sl_synonyms_take(engine->synonyms);
    pthread_mutex_unlock(&engine->mutex);
    ret->retrieve.lists = lists_in_use(engine);
    ret->retrieve.synonyms = *ret_synonyms;
    ret->retrieve.reranker = engine->heads.reranker;
}

/* ------------------------------------------------------------------------------ settings */

static void free_list(struct sl_config_list *list)
{
    for (uint32_t i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
    *list = (struct sl_config_list){0};
}

static struct sl_config_list copy_list(const struct sl_config_list *list)
{
    struct sl_config_list copy = {calloc(list->count + 1u, sizeof(char *)), list->count};

    SL_INVARIANT(copy.items != NULL);
    for (uint32_t i = 0; i < list->count; i++) {
        copy.items[i] = strdup(list->items[i]);
        SL_INVARIANT(copy.items[i] != NULL);
    }
    return copy;
}

static void take_settings(struct sl_engine *engine, const struct sl_config *config)
{
    uint32_t items = config->workers.queue_items;
    struct sl_config_list topics = copy_list(&config->queries.reply_topics);
    struct settings settings;

    setup_settings(config, &settings);
    pthread_mutex_lock(&engine->mutex);
    engine->settings = settings;
    free_list(&engine->reply_topics);
    engine->reply_topics = topics;
    pthread_mutex_unlock(&engine->mutex);
    sl_budget_limit(&engine->budget,
                    items < ENGINE_DOCUMENTS_MAX ? items : ENGINE_DOCUMENTS_MAX - 1,
                    config->workers.queue_bytes, config->workers.memory_budget);
}

static enum sl_err take_synonyms(struct sl_engine *engine, const struct sl_config *config,
                                 struct sl_error *err)
{
    struct sl_synonyms *fresh, *old;
    enum sl_err r = sl_config_synonyms(config, lists_in_use(engine), &fresh, err);

    if (r != SL_OK)
        return r;
    pthread_mutex_lock(&engine->mutex);
    old = engine->synonyms;
    engine->synonyms = fresh;
    pthread_mutex_unlock(&engine->mutex);
    (void)sl_synonyms_close(old);
    return SL_OK;
}

void sl_engine_reload(struct sl_engine *engine, const struct sl_config *config)
{
    struct sl_error err = {0};

    take_settings(engine, config);
    if (take_synonyms(engine, config, &err) != SL_OK)
        sl_log_error(SL_LOG_ERROR, "synonyms_kept", &err);
    if (sl_kafka_login_renew(engine->config, &err) != SL_OK)
        sl_log_error(SL_LOG_ERROR, "credential_kept", &err);
    embed_reload(engine, config);
    heads_reload(engine, config);
}

/* ------------------------------------------------------------------------------ threads */

static enum sl_err start_crew(struct sl_engine *engine, struct crew *crew, const char *name,
                              uint32_t count, void *(*run)(void *), struct sl_error *err)
{
    for (uint32_t i = 0; i < count; i++) {
        int code = pthread_create(&crew->threads[crew->count], NULL, run, engine);

        if (code != 0)
            return sl_stop(err, SL_EXIT_OS, code, "threads",
                           "a thread (%s) could not be started: %s", name, strerror(code));
        pthread_setname_np(crew->threads[crew->count++], name);
    }
    return SL_OK;
}

static void join_crew(struct crew *crew)
{
    for (uint32_t i = 0; i < crew->count; i++)
        pthread_join(crew->threads[i], NULL);
    crew->count = 0;
}

static uint32_t worker_count(const struct sl_config *config)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    uint32_t count =
        config->workers.threads ? config->workers.threads : (uint32_t)(cores > 0 ? cores : 1);

    return count < ENGINE_WORKERS_MAX ? count : ENGINE_WORKERS_MAX;
}

static enum sl_err start_threads(struct sl_engine *engine, struct sl_error *err)
{
    uint32_t workers = worker_count(engine->config);
    uint32_t answerers = workers < 2 ? 2 : workers;
    bool remote = sl_embed_is_remote(engine->embedder);
    uint32_t encoders = remote ? engine->config->embed.in_flight : engine->embedder ? workers : 0;
    enum sl_err r = start_crew(engine, &engine->indexer_thread, "indexer", 1, indexer_run, err);

    if (r == SL_OK)
        r = start_crew(engine, &engine->publisher_thread, "publisher", 1, publisher_run, err);
    if (r == SL_OK && engine->transactor)
        r = start_crew(engine, &engine->transactor_thread, "transactor", 1, transactor_run, err);
    if (r == SL_OK)
        r = start_crew(engine, &engine->encoders, "encoder", encoders, embedder_run, err);
    if (r == SL_OK && remote)
        r = start_crew(engine, &engine->tender_thread, "tender", 1, embed_tend_run, err);
    if (r == SL_OK)
        r = start_crew(engine, &engine->workers, "worker", workers, worker_run, err);
    if (r == SL_OK)
        r = start_crew(engine, &engine->reindexers, "reindexer", 1, reindex_run, err);
    if (r == SL_OK)
        r = start_crew(engine, &engine->reindexers, "reindexer", workers < 2 ? 0 : workers - 1,
                       reindex_help, err);
    if (r == SL_OK)
        r = start_crew(engine, &engine->answerers, "answerer", answerers, answerer_run, err);
    if (r == SL_OK)
        r = start_crew(engine, &engine->asker_thread, "asker", 1, asker_run, err);
    if (r == SL_OK)
        r = start_crew(engine, &engine->feed_thread, "feed", 1, feed_run, err);
    if (r == SL_OK)
        r = start_crew(engine, &engine->topics_thread, "topics", 1, feed_topics_run, err);
    if (r == SL_OK)
        r = start_crew(engine, &engine->mender_thread, "mender", 1, mender_run, err);
    if (r == SL_OK && engine->config->golden.file[0] != '\0')
        r = start_crew(engine, &engine->goldens_thread, "goldens", 1, goldens_run, err);
    return r;
}

/* ------------------------------------------------------------------------------ start */

static void make_queues(struct sl_engine *engine)
{
    engine->lanes = sl_lanes_make();
    engine->to_workers = sl_queue_make(ENGINE_DOCUMENTS_MAX);
    engine->to_indexer = sl_queue_make(ENGINE_DOCUMENTS_MAX + 4 * ENGINE_ROWS_MAX);
    engine->to_answerers = sl_queue_make(2 * ENGINE_QUESTIONS_MAX);
    engine->to_publisher = sl_queue_make(2 * ENGINE_QUESTIONS_MAX);
    SL_INVARIANT(engine->lanes && engine->to_workers && engine->to_indexer &&
                 engine->to_answerers && engine->to_publisher);
}

/*
 * What is not charged record by record is bounded by a part of the budget, and set aside: what the consumers
 * fetch ahead (a full queue, and one response from each of a few brokers on top), and the pages an
 * index transaction has changed.
 */
static void set_aside(struct sl_engine *engine, uint64_t budget)
{
    uint64_t fetch = budget / FETCH_PART < FETCH_BYTES_MAX ? budget / FETCH_PART : FETCH_BYTES_MAX;
    uint64_t batch = budget / BATCH_PART < BATCH_BYTES_MAX ? budget / BATCH_PART : BATCH_BYTES_MAX;

    engine->fetch_bytes = (uint32_t)fetch;
    engine->batch_bytes = (int64_t)batch;
    sl_budget_reserve(&engine->budget, 4 * (fetch + fetch / 4) + batch);
}

static struct sl_engine *make_engine(const struct sl_config *config)
{
    struct sl_engine *engine = calloc(1, sizeof(*engine));

    SL_INVARIANT(engine != NULL);
    engine->config = config;
    engine->started_us = clock_us();
    engine->lag_records = -1;
    pthread_mutex_init(&engine->mutex, NULL);
    sl_troubles_init(&engine->troubles);
    reindex_init(engine);
    sl_book_init(&engine->documents);
    sl_book_init(&engine->questions);
    sl_kafka_instance(config, engine->instance);
    make_queues(engine);
    take_settings(engine, config);
    set_aside(engine, config->workers.memory_budget);
    return engine;
}

static enum sl_err open_parts(struct sl_engine *engine, struct sl_error *err)
{
    enum sl_err r = embed_open(engine, err);

    if (r != SL_OK)
        return r;
    sl_config_ingest(engine->config, engine->embedder, &engine->ingest);
    r = sl_config_lists(engine->config, &engine->lists, err);
    engine->ingest.lists = engine->lists;
    if (r == SL_OK)
        r = reindex_open_index(engine, err);
    if (r == SL_OK)
        r = take_synonyms(engine, engine->config, err);
    if (r == SL_OK)
        r = setup_generator(engine->config, &engine->ending, &engine->generator, err);
    if (r == SL_OK)
        r = heads_open(engine, err);
    if (r != SL_OK)
        return r;
    engine->parking = parking_open();
    engine->indexer = indexer_open(engine, err);
    if (!engine->indexer || !reply_cache_open(engine, err) ||
        mender_take_out(engine, err) == SL_STOP)
        return SL_STOP;
    if (engine->embedder)
        engine->embedding = embedder_open(engine);
    r = publisher_open(engine, err);
    if (r == SL_OK && engine->config->queries.delivery == SL_DELIVERY_EXACTLY_ONCE)
        r = transactor_open(engine, err);
    if (r == SL_OK)
        r = asker_open(engine, err);
    if (r == SL_OK)
        r = feed_open(engine, err);
    return r;
}

enum sl_err sl_engine_start(const struct sl_config *config, struct sl_engine **ret_engine,
                            struct sl_error *err)
{
    struct sl_engine *engine = make_engine(config);
    enum sl_err r = open_parts(engine, err);

    if (r == SL_OK)
        r = start_threads(engine, err);
    if (r != SL_OK) {
        sl_engine_stop(engine, 0);
        return r;
    }
    *ret_engine = engine;
    return SL_OK;
}

/* ------------------------------------------------------------------------------ stop */

/* Documents that cannot be written or embedded now are not waited for, nor is a broker that is away. */
static bool is_drained(struct sl_engine *engine)
{
    bool documents = (sl_budget_documents(&engine->budget) == 0 || engine->reindex.frozen ||
                      sl_embed_paused(engine->embedder)) &&
                     sl_queue_count(engine->to_indexer) == 0;

    if (engine->kafka_down)
        return documents || engine->paused;
    return (documents || engine->paused) && engine->questions_open == 0 &&
           (engine->outbox_waiting == 0 || engine->paused);
}

static void drain(struct sl_engine *engine, uint32_t drain_ms)
{
    int64_t until = clock_us() + (int64_t)drain_ms * 1000;

    while (!is_drained(engine) && !engine->failed && clock_us() < until)
        usleep(10000);
    if (!is_drained(engine))
        sl_log(SL_LOG_WARNING, "drain_incomplete",
               "%lld documents and %u questions were not finished in time; they are read again at "
               "the next start",
               (long long)sl_budget_documents(&engine->budget), (unsigned)engine->questions_open);
}

static void end_stages(struct sl_engine *engine)
{
    engine->ending = true;
    sl_queue_close(engine->to_workers);
    sl_queue_close(engine->to_answerers);
    if (engine->embedding)
        embedder_stop(engine->embedding);
    join_crew(&engine->workers);
    join_crew(&engine->encoders);
    join_crew(&engine->tender_thread);
    join_crew(&engine->answerers);
    sl_queue_close(engine->to_publisher);
    join_crew(&engine->publisher_thread);
    if (engine->to_transactor)
        sl_queue_close(engine->to_transactor);
    join_crew(&engine->transactor_thread);
    sl_queue_close(engine->to_indexer);
    join_crew(&engine->indexer_thread);
}

static void free_left(struct sl_engine *engine)
{
    struct work *work;
    struct asked *asked;
    struct sl_lane_item *item;

    while ((work = sl_queue_pop(engine->to_workers, 0)))
        work_free(engine, work);
    while ((item = sl_lanes_drain(engine->lanes)))
        work_free(engine, (struct work *)item);
    while ((asked = sl_queue_pop(engine->to_answerers, 0)))
        asked_free(engine, asked);
    while ((asked = sl_queue_pop(engine->to_publisher, 0)))
        asked_free(engine, asked);
    while (engine->to_transactor && (asked = sl_queue_pop(engine->to_transactor, 0)))
        asked_free(engine, asked);
}

/* In the order the contents depend on each other; each accepts what was never opened. */
static void close_parts(struct sl_engine *engine)
{
    engine->embedding = embedder_close(engine->embedding);
    engine->parking = parking_close(engine, engine->parking);
    publisher_close(engine);
    free_left(engine);
    asker_close(engine);
    transactor_close(engine); /* after the consumer, which leaves its partitions */
    feed_close(engine);
    engine->indexer = indexer_close(engine, engine->indexer);
    engine->replies = reply_cache_close(engine->replies);
    engine->generator = setup_generator_close(engine->generator);
    sl_config_heads_close(&engine->heads);
    reindex_fini(engine);
    engine->index = sl_index_close(engine->index);
    engine->embedder = sl_embedder_close(engine->embedder);
    engine->synonyms = sl_synonyms_close(engine->synonyms);
    engine->lists = sl_word_lists_close(engine->lists);
}

static void free_engine(struct sl_engine *engine)
{
    sl_lanes_free(engine->lanes);
    sl_queue_free(engine->to_workers);
    sl_queue_free(engine->to_indexer);
    sl_queue_free(engine->to_answerers);
    sl_queue_free(engine->to_publisher);
    sl_queue_free(engine->to_transactor);
    sl_troubles_fini(&engine->troubles);
    sl_book_fini(&engine->documents);
    sl_book_fini(&engine->questions);
    free_list(&engine->reply_topics);
    pthread_mutex_destroy(&engine->mutex);
    free(engine);
}

int sl_engine_stop(struct sl_engine *engine, uint32_t drain_ms)
{
    struct sl_error err = {0};
    int exit_code = SL_EXIT_OK;

    if (!engine)
        return exit_code;
    engine->stopping = true;
    join_crew(&engine->goldens_thread);
    join_crew(&engine->mender_thread);
    join_crew(&engine->topics_thread);
    join_crew(&engine->feed_thread);
    join_crew(&engine->asker_thread);
    reindex_end(engine);
    join_crew(&engine->reindexers);
    drain(engine, drain_ms);
    end_stages(engine);
    reindex_finish(engine);
    close_parts(engine);
    if (sl_engine_failed(engine, &err))
        exit_code = err.exit_code;
    free_engine(engine);
    return exit_code;
}
