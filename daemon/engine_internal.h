/*
 * engine_internal.h -- what the stages share: the engine, a document under way, a question under
 * way.
 *
 * Each stage is one .c file with a `_run` function per thread and a few calls its neighbours make.
 * Who holds a document or a question is whoever popped it last; nobody else touches it.
 */
#ifndef SLUICE_ENGINE_INTERNAL_H
#define SLUICE_ENGINE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include <sluice/ingest.h>
#include <sluice/respond.h>

#include "daemon/config_pipeline.h"
#include "daemon/book.h"
#include "daemon/budget.h"
#include "daemon/clock.h"
#include "daemon/compaction.h"
#include "daemon/engine.h"
#include "daemon/goldens.h"
#include "daemon/lanes.h"
#include "daemon/metrics.h"
#include "daemon/notify.h"
#include "daemon/queue.h"
#include "daemon/records.h"
#include "daemon/reindex.h"
#include "daemon/trouble.h"
#include "net/kafka_in.h"
#include "net/kafka_out.h"

#define ENGINE_WORKERS_MAX   64u
#define ENGINE_DOCUMENTS_MAX 65536u /* under way; room in every queue for documents */
#define ENGINE_QUESTIONS_MAX 512u   /* under way; beyond it question partitions pause */
#define ENGINE_ROWS_MAX      8192u  /* rows waiting for the indexer */
#define ENGINE_HEARTBEAT_MS  60000u

/* ------------------------------------------------------------------------------ a document */

enum work_step {
    WORK_READ = 1, /* decode, chunk, look up known windows           */
    WORK_FINISH,   /* vectors are there: prepare                     */
    WORK_AGAIN     /* a window it relied on is gone: embed all of it */
};

struct work {
    struct sl_lane_item lane; /* first: lanes hand it back by this */
    struct sl_record *record;
    struct sl_part *part;
    struct sl_arena *arena;
    struct sl_ingest *ingest;
    struct sl_prepared *prepared;
    enum work_step step;
    enum sl_stage stage; /* where it is charged */
    int64_t bytes;       /* what is charged */
    uint32_t texts_taken;
    uint32_t texts_done;
    uint32_t attempts;
    struct sl_error error; /* why it is dead: what the dead letter says */
    bool dead;
    bool again;        /* its offset was done before: read again for a damaged document */
    enum sl_applied applied; /* what applying it did */
    struct work *next; /* in the indexer's lists */
};

/* A row to be written with the next batch. Made with malloc(); freed by the indexer. */
struct row_job {
    enum sl_table table;
    struct sl_buffer key;
    struct sl_buffer value;
    bool deletes;
    void (*done)(void *context, bool stored); /* may be NULL */
    void *context;
};

/* What the indexer's queue holds. */
struct index_job {
    struct work *work; /* one of the two */
    struct row_job *row;
    struct index_job *next;
};

/* ------------------------------------------------------------------------------ a question */

struct asked {
    struct sl_record *record;
    struct sl_part *part;
    uint32_t epoch;
    struct sl_arena *arena;
    struct sl_question question;
    bool parsed;
    bool parse_failed;
    int64_t unseen_until_us; /* it waits for a partition nobody has seen: not beyond this; 0: it does not */
    struct sl_error parse_error;
    char id[37];
    int64_t received_us;
    int64_t deadline_us; /* INT64_MAX: none */
    int64_t bytes;       /* charged */
    enum sl_stage stage;
    /* The answer, from here on the publisher's. */
    struct sl_buffer encoded; /* struct sl_outgoing */
    char status[16];
    bool is_fallback; /* already turned into an error answer for the default topic */
    bool republished;
    bool may_go;       /* its topic is there (transactions only) */
    enum sl_sent sent; /* its report; 0: none yet (transactions only) */
    struct asked *next; /* while parked */
};

/* ------------------------------------------------------------------------------ the engine */

struct embedder_stage;
struct indexer;
struct publisher;
struct transactor;
struct asker;
struct feed;
struct reply_cache;
struct parking;

/* What a reload may change, read by copying it under the lock. */
struct settings {
    struct sl_retrieve_options retrieve;
    uint32_t answer_tokens_max;
    uint32_t generate_deadline_ms;
    enum sl_on_gap on_gap;
};

/* Threads of one kind. */
struct crew {
    pthread_t threads[ENGINE_WORKERS_MAX];
    uint32_t count;
};

struct sl_engine {
    const struct sl_config *config;
    char instance[128];

    struct sl_index *index;
    struct sl_embedder *embedder;   /* NULL: none */
    bool encoder_gone;              /* NULL, because what the index was made with is not there any more */
    struct sl_generator *generator; /* NULL: extract */
    struct sl_config_heads heads;
    struct sl_ingest_options ingest;
    struct sl_word_lists *lists; /* NULL: none */

    pthread_mutex_t mutex; /* settings, failure, cluster, reply topics */
    struct settings settings;
    struct sl_synonyms *synonyms; /* NULL: none; a question takes them: engine_retrieve() */
    struct sl_config_list reply_topics; /* a copy of the engine's own */
    atomic_bool failed;
    struct sl_error failure;

    atomic_bool cluster_known;
    char cluster_id[128];
    uint8_t cluster_space[16]; /* namespace of all ids */

    struct sl_budget budget;
    int64_t batch_bytes;  /* prepared documents in one transaction of the index */
    uint32_t fetch_bytes; /* what the documents consumer may fetch ahead; the questions' a quarter */
    struct sl_book documents;
    struct sl_book questions;
    struct sl_lanes *lanes;
    struct sl_queue *to_workers;   /* struct work */
    struct sl_queue *to_indexer;   /* struct index_job */
    struct sl_queue *to_answerers; /* struct asked */
    struct sl_queue *to_publisher; /* struct asked */
    struct sl_queue *to_transactor; /* struct asked; NULL: answers go to the publisher */

    atomic_bool stopping; /* take no more records */
    atomic_bool ending;   /* finish now, drained or not */
    atomic_bool kafka_down;
    atomic_bool kafka_suspect; /* a client thinks so: the topics thread looks at once */
    _Atomic int64_t looking_since_us; /* the topics thread is waiting for a broker's answer; 0: it is not */
    struct sl_troubles troubles;
    atomic_bool group_joined;     /* the question group gave an assignment, if an empty one */
    _Atomic uint32_t partitions_waiting; /* found and not begun yet */
    atomic_bool topics_known;     /* every configured topic was there once */
    char topics_missing[256];     /* the mutex's */
    _Atomic(const char *) paused; /* a word, while the index cannot be written; else NULL */
    _Atomic int64_t lag_records;  /* of all document partitions; -1: unknown */
    _Atomic uint64_t outbox_rows; /* grows with each dead letter stored: the publisher looks */
    _Atomic uint64_t outbox_waiting;
    _Atomic uint64_t records_total;
    _Atomic uint64_t answers_total;
    _Atomic uint32_t questions_open;
    _Atomic uint32_t row_jobs;   /* reply rows waiting for the indexer */
    struct sl_index_stats stats; /* of the last commit; the mutex's */
    struct compaction compaction;
    struct goldens_state goldens; /* the mutex's */
    struct reindexing reindex;
    int64_t started_us;

    struct feed *feed;
    struct embedder_stage *embedding;
    struct indexer *indexer;
    struct asker *asker;
    struct reply_cache *replies;
    struct parking *parking;
    struct publisher *publisher;
    struct transactor *transactor; /* NULL: delivery = at_least_once */

    struct crew mender_thread, goldens_thread, feed_thread, topics_thread, asker_thread, indexer_thread, publisher_thread;
    struct crew transactor_thread, tender_thread;
    struct crew workers, encoders, answerers, reindexers;
    _Atomic int64_t snapshot_since_us[ENGINE_WORKERS_MAX]; /* of each answerer; 0: none open */
    _Atomic uint32_t answerers_started;
};

/* First failure wins; main.c sees it by sl_engine_failed(). Any thread. */
void engine_fail(struct sl_engine *engine, const struct sl_error *err);

/* Sleep in small steps, until `ms` have passed or the engine ends. */
void engine_sleep(struct sl_engine *engine, uint32_t ms);

void engine_settings(struct sl_engine *engine, struct settings *ret);
/* The settings with all that a question is searched with: the users' words, which are to be closed as *ret_synonyms
   when it is answered, and the reranker. */
void engine_retrieve(struct sl_engine *engine, struct settings *ret, struct sl_synonyms **ret_synonyms);

/* engine_setup.c: from configuration to options. */
void setup_settings(const struct sl_config *config, struct settings *ret);
enum sl_err setup_generator(const struct sl_config *config, const atomic_bool *cancelled,
                            struct sl_generator **ret, struct sl_error *err);
struct sl_generator *setup_generator_close(struct sl_generator *generator);

/* work.c */
struct work *work_make(struct sl_engine *engine, const struct sl_message *message,
                       struct sl_part *part);
void work_free(struct sl_engine *engine, struct work *work);
void work_move(struct sl_engine *engine, struct work *work,
               enum sl_stage stage); /* and weigh it again */
uint32_t work_line(const struct work *work); /* its partition's line in a queue */
void work_to_workers(struct sl_engine *engine, struct work *work, enum work_step step, bool first);
void work_to_indexer(struct sl_engine *engine, struct work *work);
void work_reject(struct work *work, const struct sl_error *err);
void row_submit(struct sl_engine *engine, struct row_job *row);
struct row_job *row_make(enum sl_table table, struct sl_view key,
                         struct sl_view value); /* null value: delete */
void row_free(struct row_job *row);

/* kafka_watch.c: the clients' side remarks, to log and metrics. `engine` is the context. */
void engine_watch(struct sl_engine *engine, struct sl_kafka_watch *ret);
/* A broker answered, or none can be reached: logged when it is news. Any thread. */
void engine_kafka(struct sl_engine *engine, bool up);
/* Something does not work, or works again: told when it is news. `event` is a row of docs/OPERATIONS.md. Any thread. */
void engine_trouble(struct sl_engine *engine, enum sl_trouble kind, const char *subject,
                    const char *event, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
void engine_trouble_over(struct sl_engine *engine, enum sl_trouble kind, const char *subject);

/* A server that text is sent to, and what it means that it is left alone for a while. */
struct engine_server {
    enum sl_trouble trouble;
    const char *label; /* in metrics */
    const char *name, *meanwhile;
};

/* Its breaker opened, lets one through, or closed: metrics, and a trouble or its end. Any thread. */
void engine_breaker(struct sl_engine *engine, const struct engine_server *server, enum sl_breaker_state state,
                    const char *event, const char *why);
/* A right is missing: which one ("READ"), on what ("TOPIC"), of which name. */
void engine_denied(struct sl_engine *engine, enum sl_trouble kind, const char *operation,
                   const char *resource, const char *name);

/* feed.c, feed_topics.c */
enum sl_err feed_open(struct sl_engine *engine, struct sl_error *err);
void *feed_run(void *engine);
void *feed_topics_run(void *engine);
void feed_close(struct sl_engine *engine);

/* workers.c */
void *worker_run(void *engine);

/* embed_watch.c: the embedding server, if that is what embeds. Open the encoder; take over what a reload may; a
 * thread that sees whether a server that was away is back. */
enum sl_err embed_open(struct sl_engine *engine, struct sl_error *err);
void embed_reload(struct sl_engine *engine, const struct sl_config *config);
void *embed_tend_run(void *engine);

/* rerank_watch.c: what looks at question and passage together, be it a server. Open; take over what a reload may. */
enum sl_err heads_open(struct sl_engine *engine, struct sl_error *err);
void heads_reload(struct sl_engine *engine, const struct sl_config *config);

/* embedder.c */
struct embedder_stage *embedder_open(struct sl_engine *engine);
struct embedder_stage *embedder_close(struct embedder_stage *stage);
void embedder_submit(struct embedder_stage *stage, struct work *work);
void embedder_stop(struct embedder_stage *stage);
void *embedder_run(void *engine);

/* indexer.c */
struct indexer *indexer_open(struct sl_engine *engine, struct sl_error *err);
struct indexer *indexer_close(struct sl_engine *engine, struct indexer *indexer);
void *indexer_run(void *engine);

/* asker.c */
enum sl_err asker_open(struct sl_engine *engine, struct sl_error *err);
void *asker_run(void *engine);
void asker_close(struct sl_engine *engine); /* commits what is answered */
void asker_done(struct sl_engine *engine,
                struct asked *asked); /* its answer is in the log: consumes it */
/* The group has these offsets now: what the reply cache holds below them goes. */
void asker_committed(struct sl_engine *engine, const struct sl_kafka_partition *list,
                     uint32_t count);
struct sl_kafka_in *asker_consumer(struct sl_engine *engine);
void asked_free(struct sl_engine *engine, struct asked *asked);
void asked_move(struct sl_engine *engine, struct asked *asked, enum sl_stage stage);

/* answerers.c, parking.c */
void *answerer_run(void *engine);
/* Replace the answer by an error answer on the default topic. */
void answer_fallback(struct sl_engine *engine, struct asked *asked, const char *code,
                     const char *message);
struct parking *parking_open(void);
struct parking *parking_close(struct sl_engine *engine, struct parking *parking);
/* Questions that wait for a position: put one in; take one whose wait is over; how many wait. */
/* Does it name a partition that has not been seen? */
bool parking_is_unknown(struct sl_engine *engine, const struct asked *asked);
bool parking_must_wait(struct sl_engine *engine, const struct asked *asked);
void parking_put(struct parking *parking, struct asked *asked);
struct asked *parking_take(struct sl_engine *engine, struct parking *parking);
uint32_t parking_count(struct parking *parking);

/* reply_cache.c */
struct reply_cache *reply_cache_open(struct sl_engine *engine, struct sl_error *err);
struct reply_cache *reply_cache_close(struct reply_cache *cache);
/* Has this very question been answered before? Then its answer is in asked->encoded and
 * asked->status. */
bool reply_cache_get(struct sl_engine *engine, struct asked *asked);
/* Remember the answer. With `then_publish` it goes to the publisher once stored (or when it cannot
 * be). */
void reply_cache_put(struct sl_engine *engine, struct asked *asked, bool then_publish);
/* Drop, in this batch, the answers that cite one of the deleted documents. `keys` is used up. The indexer's. */
enum sl_err reply_cache_forget(struct sl_engine *engine, struct sl_batch *batch,
                               struct sl_view *keys, uint32_t count, struct sl_arena *arena,
                               struct sl_error *err);
/* Questions of this partition below `frontier` are committed and will not come again. */
void reply_cache_prune(struct sl_engine *engine, const struct sl_part *part, int64_t frontier);

/* publisher.c */
enum sl_err publisher_open(struct sl_engine *engine, struct sl_error *err);
void *publisher_run(void *engine);
void publisher_close(struct sl_engine *engine);
void publisher_submit(struct sl_engine *engine, struct asked *asked);
void publisher_answered(struct sl_engine *engine, struct asked *asked); /* counts it; consumes it */
/* Is this an answer on the default topic, in a partition its key chose? */
bool publisher_is_default(const struct sl_engine *engine, const struct sl_outgoing *outgoing);
/* As sl_kafka_out_send(), a stored record. */
enum sl_err publisher_send(struct sl_kafka_out *out, const struct sl_outgoing *outgoing, void *tag,
                           struct sl_error *err);

/* transactor.c: answers and the offsets of their questions, exactly once */
enum sl_err transactor_open(struct sl_engine *engine, struct sl_error *err);
void *transactor_run(void *engine);
void transactor_close(struct sl_engine *engine);
/* Have older transactions of this instance ended? No question is read before. */
bool transactor_is_ready(struct sl_engine *engine);
/* Question partitions were taken away (their epochs have changed): waits until no transaction is open. */
void transactor_end_generation(struct sl_engine *engine, bool lost);

#endif
