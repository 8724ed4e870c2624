/*
 * transactor.c -- one thread writes answers and the offsets of their questions in Kafka transactions, so
 * that who reads only what is committed sees each answer once (delivery = exactly_once).
 *
 *     gather answers, no transaction open | choose | begin, produce, wait for reports, offsets, commit
 *
 * Answers are computed before, and short of the index nothing is waited for while a transaction is open:
 * an open one holds up everybody who reads the answers topic with read_committed. Chosen are only answers
 * below the frontier that the partition has once they are done; the others wait, for the group knows one
 * offset a partition and a crash would have them answered again. What is aborted is sent again from
 * memory, with the same bytes.
 *
 * No transaction is open across a generation of the group: when partitions are taken away the asker
 * changes their epochs and waits here until the open transaction has ended. Should that take longer
 * than the group can wait for (a broker is away), then the generation noted before the transaction began
 * makes the broker refuse its offsets, or, where they are in already, lets the next owner wait for its end.
 *
 * A commit that took more than one call may leave an end-of-transaction request on its way somewhere;
 * brokers before 4.0 could take it for the end of the next transaction. The producer is made anew then,
 * which gives it a new epoch.
 *
 * Rejected: a transaction per question (8 ms each against 8 ms a hundred), one transaction kept open
 * and filled as answers come (readers wait), encoding what is done beyond the frontier into the
 * commit's metadata (4,096 bytes). Known weakness: a transaction that meets a broker outage longer than
 * SL_KAFKA_TRANSACTION_MS is ended by the broker, and the program ends with 75 and starts again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/limits.h>

#include "daemon/engine_internal.h"
#include "daemon/log.h"
#include "net/kafka_transaction.h"

#define READY_MAX          (2 * ENGINE_QUESTIONS_MAX)
#define IDLE_MS            50
#define STEP_MS            5000 /* one blocking call */
#define GENERATION_WAIT_MS 10000
#define RETRY_MS           100u
#define RETRY_MS_MAX       5000u
#define DENIED_MS    3000 /* between producers, while a right is missing */
#define TOPIC_WAIT_US      1000000

/* A topic answers go to, as the cluster has it. */
struct target {
    char *topic;
    uint32_t partitions;
};

struct transactor {
    struct sl_kafka_out *out;
    struct sl_heartbeat *heartbeat;
    pthread_mutex_t mutex; /* open, generation */
    bool open;             /* answers are chosen, or a transaction is open */
    uint32_t generation;   /* of the group, as far as we were told */
    atomic_bool is_ready;
    bool renew; /* make the producer anew before the next transaction */
    struct asked *ready[READY_MAX];
    uint32_t ready_count;
    uint32_t chosen_count; /* the first of `ready` */
    uint32_t attempts;     /* aborted in a row */
    struct target *targets;
    uint32_t target_count;
    int64_t look_us;        /* when to look for missing topics again */
    struct sl_arena *arena; /* of one send */
};

/* ------------------------------------------------------------------------ open, close, generations */

static void on_report(void *context, const struct sl_kafka_report *report)
{
    struct asked *asked = report->tag;

    (void)context;
    asked->sent = report->result;
    if (report->result != SL_SENT_OK)
        sl_metric_add_labels(SL_METRIC_DELIVERY_FAILURES, report->code_name,
                             report->maybe_stored ? "maybe" : "no", 1);
}

#define ID_BYTES_MAX 400

static void write_id(const struct sl_engine *engine, char *ret_id)
{
    snprintf(ret_id, ID_BYTES_MAX, "sluice.%s.%s", engine->config->queries.group, engine->instance);
}

static enum sl_err open_producer(struct sl_engine *engine, struct sl_error *err)
{
    struct sl_kafka_watch watch;
    char id[ID_BYTES_MAX];

    write_id(engine, id);
    engine_watch(engine, &watch);
    watch.waiting = NULL; /* the documents consumer's figure */
    return sl_kafka_out_open_transactional(engine->config, id, &watch, on_report, engine,
                                           &engine->transactor->out, err);
}

enum sl_err transactor_open(struct sl_engine *engine, struct sl_error *err)
{
    struct transactor *transactor = calloc(1, sizeof(*transactor));

    SL_INVARIANT(transactor != NULL);
    pthread_mutex_init(&transactor->mutex, NULL);
    transactor->arena = sl_arena_open(SL_ARENA_BYTES_MAX);
    engine->to_transactor = sl_queue_make(READY_MAX);
    SL_INVARIANT(transactor->arena && engine->to_transactor);
    engine->transactor = transactor;
    return open_producer(engine, err);
}

void transactor_close(struct sl_engine *engine)
{
    struct transactor *transactor = engine->transactor;

    if (!transactor)
        return;
    sl_kafka_out_close(transactor->out);
    for (uint32_t i = 0; i < transactor->target_count; i++)
        free(transactor->targets[i].topic);
    free(transactor->targets);
    sl_arena_close(transactor->arena);
    pthread_mutex_destroy(&transactor->mutex);
    free(transactor);
    engine->transactor = NULL;
}

bool transactor_is_ready(struct sl_engine *engine)
{
    return !engine->transactor || engine->transactor->is_ready;
}

static bool is_open(struct transactor *transactor)
{
    bool open;

    pthread_mutex_lock(&transactor->mutex);
    open = transactor->open;
    pthread_mutex_unlock(&transactor->mutex);
    return open;
}

static void next_generation(struct transactor *transactor)
{
    pthread_mutex_lock(&transactor->mutex);
    transactor->generation++;
    pthread_mutex_unlock(&transactor->mutex);
}

void transactor_end_generation(struct sl_engine *engine, bool lost)
{
    struct transactor *transactor = engine->transactor;

    if (!transactor)
        return;
    if (lost)
        next_generation(transactor);
    for (int waited = 0; waited < GENERATION_WAIT_MS && is_open(transactor); waited += 5)
        engine_sleep(engine, 5);
    if (!lost)
        next_generation(transactor);
}

/* ------------------------------------------------------------------------------ topics */

static struct target *find_target(struct transactor *transactor, const char *topic)
{
    for (uint32_t i = 0; i < transactor->target_count; i++)
        if (strcmp(transactor->targets[i].topic, topic) == 0)
            return &transactor->targets[i];
    return NULL;
}

static struct target *add_target(struct transactor *transactor, const char *topic,
                                 uint32_t partitions)
{
    size_t count = transactor->target_count + 1u;
    struct target *targets = realloc(transactor->targets, count * sizeof(*targets));

    SL_INVARIANT(targets != NULL);
    transactor->targets = targets;
    targets[transactor->target_count] = (struct target){strdup(topic), partitions};
    SL_INVARIANT(targets[transactor->target_count].topic != NULL);
    return &targets[transactor->target_count++];
}

/* A record for a topic that is not there would keep its transaction open until librdkafka gives up on it. */
static enum sl_err look_up(struct sl_engine *engine, const struct sl_outgoing *outgoing,
                           struct sl_error *err)
{
    struct target *target = find_target(engine->transactor, outgoing->topic);
    uint32_t partitions = 0;
    enum sl_err r;

    if (!target) {
        r = sl_kafka_in_partitions(asker_consumer(engine), outgoing->topic, STEP_MS, &partitions,
                                   err);
        if (r != SL_OK)
            return r;
        target = add_target(engine->transactor, outgoing->topic, partitions);
    }
    if (outgoing->partition >= (int32_t)target->partitions)
        return sl_fail(err, SL_REJECT, "no_topic", "%s has no partition %d", outgoing->topic,
                       (int)outgoing->partition);
    return SL_OK;
}

/* The topics of answers that failed may have gone; they are looked for again. */
static void forget_targets(struct transactor *transactor)
{
    for (uint32_t i = 0; i < transactor->target_count; i++)
        free(transactor->targets[i].topic);
    transactor->target_count = 0;
}

static void decode(struct transactor *transactor, const struct asked *asked,
                   struct sl_outgoing *ret)
{
    struct sl_view bytes = {asked->encoded.data, asked->encoded.size};

    sl_arena_reset(transactor->arena);
    SL_INVARIANT(sl_outgoing_decode(bytes, transactor->arena, ret, NULL) == SL_OK);
}

/* May it go into a transaction? A reply topic that is not there gets an error answer on the default one. */
static void check_target(struct sl_engine *engine, struct asked *asked)
{
    struct sl_outgoing outgoing;
    struct sl_error err = {0};
    enum sl_err r;

    decode(engine->transactor, asked, &outgoing);
    r = look_up(engine, &outgoing, &err);
    if (r == SL_REJECT && !publisher_is_default(engine, &outgoing)) {
        answer_fallback(engine, asked, "reply_topic_unavailable",
                        "the reply topic or partition the question names does not exist or may not "
                        "be written to");
        decode(engine->transactor, asked, &outgoing);
        r = look_up(engine, &outgoing, &err);
    }
    if (r == SL_REJECT)
        sl_log(SL_LOG_ERROR, "topic_unavailable",
               "the answers topic cannot be written to: it is tried again until it can");
    asked->may_go = r == SL_OK;
}

static void check_targets(struct sl_engine *engine)
{
    struct transactor *transactor = engine->transactor;
    bool all = clock_us() >= transactor->look_us;

    for (uint32_t i = 0; all && i < transactor->ready_count; i++) {
        struct asked *asked = transactor->ready[i];

        if (asked->may_go || asked->encoded.size == 0)
            continue;
        check_target(engine, asked);
        if (!asked->may_go)
            transactor->look_us = clock_us() + TOPIC_WAIT_US;
        all = asked->may_go;
    }
}

/* ------------------------------------------------------------------------------ choosing */

static bool is_eligible(const struct asked *asked)
{
    return asked->may_go || asked->encoded.size == 0;
}

static void drop_stale(struct sl_engine *engine)
{
    struct transactor *transactor = engine->transactor;
    uint32_t kept = 0;

    for (uint32_t i = 0; i < transactor->ready_count; i++) {
        struct asked *asked = transactor->ready[i];

        if (asked->part->epoch == asked->epoch)
            transactor->ready[kept++] = asked;
        else
            asked_free(engine, asked); /* whoever has the partition now answers it */
    }
    transactor->ready_count = kept;
}

/* How far each partition gets with these answers: part->storing, and the list of those that move. */
static uint32_t reach(struct sl_engine *engine, struct sl_kafka_partition *list)
{
    struct transactor *transactor = engine->transactor;
    struct sl_book *book = &engine->questions;
    uint32_t count = 0;

    for (uint32_t i = 0; i < transactor->ready_count; i++)
        if (is_eligible(transactor->ready[i]))
            sl_ledger_stage(transactor->ready[i]->part->ledger,
                            transactor->ready[i]->record->message.offset);
    for (uint32_t i = 0; i < book->count; i++) {
        struct sl_part *part = book->parts[i];
        struct sl_position position;

        if (!part->assigned)
            continue;
        sl_ledger_position(part->ledger, &position);
        part->storing = position.next_offset;
        if (position.next_offset > sl_ledger_frontier(part->ledger))
            list[count++] =
                (struct sl_kafka_partition){part->topic, part->partition, part->storing};
        sl_ledger_abort(part->ledger);
    }
    return count;
}

/* Bring the answers below the new frontiers to the front of `ready`. */
static uint32_t gather_chosen(struct transactor *transactor)
{
    uint32_t chosen = 0;

    for (uint32_t i = 0; i < transactor->ready_count; i++) {
        struct asked *asked = transactor->ready[i];

        if (!is_eligible(asked) || asked->record->message.offset >= asked->part->storing)
            continue;
        transactor->ready[i] = transactor->ready[chosen];
        transactor->ready[chosen++] = asked;
    }
    return chosen;
}

/*
 * Choose what goes into the next transaction. From here until transaction_over() the asker waits with
 * giving partitions away. `generation` is the one the answers belong to.
 */
static uint32_t choose(struct sl_engine *engine, struct sl_kafka_partition **ret_list,
                       uint32_t *ret_generation)
{
    struct transactor *transactor = engine->transactor;
    uint32_t count;

    pthread_mutex_lock(&transactor->mutex);
    sl_book_lock(&engine->questions);
    drop_stale(engine);
    *ret_list = calloc(engine->questions.count + 1u, sizeof(**ret_list));
    SL_INVARIANT(*ret_list != NULL);
    count = reach(engine, *ret_list);
    transactor->chosen_count = gather_chosen(transactor);
    sl_book_unlock(&engine->questions);
    transactor->open = transactor->chosen_count > 0;
    *ret_generation = transactor->generation;
    pthread_mutex_unlock(&transactor->mutex);
    return count;
}

static void transaction_over(struct transactor *transactor)
{
    pthread_mutex_lock(&transactor->mutex);
    transactor->open = false;
    pthread_mutex_unlock(&transactor->mutex);
}

/* ------------------------------------------------------------------------------ one transaction */

/* Repeat what has not settled. SL_AGAIN comes back only when the engine ends. */
static enum sl_err settle(struct sl_engine *engine,
                          enum sl_err (*step)(struct sl_kafka_out *, int, struct sl_error *),
                          struct sl_error *err)
{
    struct transactor *transactor = engine->transactor;
    enum sl_err r;

    while ((r = step(transactor->out, STEP_MS, err)) == SL_AGAIN && !engine->ending) {
        sl_heartbeat_beat(transactor->heartbeat);
        transactor->renew = true;
        engine_sleep(engine, RETRY_MS);
    }
    return r;
}

/* SL_REJECT: this one will not get through as it is; asked->sent says why. */
static enum sl_err send_one(struct transactor *transactor, struct asked *asked,
                            struct sl_error *err)
{
    struct sl_outgoing outgoing;
    enum sl_err r;

    decode(transactor, asked, &outgoing);
    asked->sent = 0;
    while ((r = publisher_send(transactor->out, &outgoing, asked, err)) == SL_AGAIN)
        sl_kafka_out_poll(transactor->out, 10);
    if (r == SL_REJECT)
        asked->sent = strcmp(err->reason, "too_large") == 0 ? SL_SENT_TOO_LARGE : SL_SENT_NO_TOPIC;
    return r;
}

static enum sl_err send_all(struct sl_engine *engine, struct sl_error *err)
{
    struct transactor *transactor = engine->transactor;
    enum sl_err r = SL_OK;

    for (uint32_t i = 0; r == SL_OK && i < transactor->chosen_count; i++)
        if (transactor->ready[i]->encoded.size > 0)
            r = send_one(transactor, transactor->ready[i], err);
    if (r != SL_OK)
        return r;
    while (sl_kafka_out_flush(transactor->out, STEP_MS, err) != SL_OK && !engine->ending)
        sl_heartbeat_beat(transactor->heartbeat);
    for (uint32_t i = 0; i < transactor->chosen_count; i++)
        if (transactor->ready[i]->encoded.size > 0 && transactor->ready[i]->sent != SL_SENT_OK)
            return sl_fail(err, SL_REJECT, "abort", "an answer did not get through");
    return SL_OK;
}

/* Records, offsets, the end. Everything short of SL_OK and SL_STOP asks for an abort. */
static enum sl_err fill(struct sl_engine *engine, const struct sl_kafka_member *member,
                        const struct sl_kafka_partition *list, uint32_t count, struct sl_error *err)
{
    struct transactor *transactor = engine->transactor;
    enum sl_err r = send_all(engine, err);

    if (r == SL_OK)
        r = sl_kafka_transaction_offsets(transactor->out, member, list, count, STEP_MS, err);
    if (r == SL_OK)
        r = settle(engine, sl_kafka_transaction_commit, err);
    return r;
}

static bool is_generation(struct transactor *transactor, uint32_t generation)
{
    bool same;

    pthread_mutex_lock(&transactor->mutex);
    same = transactor->generation == generation;
    pthread_mutex_unlock(&transactor->mutex);
    return same;
}

/* SL_REJECT: it was aborted. SL_AGAIN: the engine ends; the next start settles it. */
static enum sl_err transact(struct sl_engine *engine, const struct sl_kafka_partition *list,
                            uint32_t count, uint32_t generation, struct sl_error *err)
{
    struct transactor *transactor = engine->transactor;
    struct sl_kafka_member *member = sl_kafka_member_make(asker_consumer(engine));
    struct sl_error ignored;
    enum sl_err r;

    if (!member || !is_generation(transactor, generation)) {
        sl_kafka_member_free(member);
        return sl_fail(err, SL_REJECT, "abort", "the question group has changed");
    }
    r = sl_kafka_transaction_begin(transactor->out, err);
    if (r == SL_OK)
        r = fill(engine, member, list, count, err);
    sl_kafka_member_free(member);
    if (r == SL_REJECT || (r == SL_AGAIN && !engine->ending)) {
        r = settle(engine, sl_kafka_transaction_abort, &ignored);
        if (r == SL_STOP)
            *err = ignored;
        r = r == SL_OK ? SL_REJECT : r;
    }
    return r;
}

/* ------------------------------------------------------------------------------ how it ended */

static void remove_chosen(struct transactor *transactor)
{
    transactor->ready_count -= transactor->chosen_count;
    memmove(transactor->ready, transactor->ready + transactor->chosen_count,
            transactor->ready_count * sizeof(struct asked *));
    transactor->chosen_count = 0;
}

static void committed(struct sl_engine *engine, const struct sl_kafka_partition *list,
                      uint32_t count)
{
    struct transactor *transactor = engine->transactor;

    sl_metric_add_label(SL_METRIC_TRANSACTIONS, "committed", 1);
    transactor->attempts = 0;
    for (uint32_t i = 0; i < transactor->chosen_count; i++)
        publisher_answered(engine, transactor->ready[i]);
    asker_committed(engine, list, count);
    remove_chosen(transactor);
}

/* What is wrong with the answer itself is put right; the rest only goes again. */
static void mend(struct sl_engine *engine, struct asked *asked)
{
    if (asked->sent == SL_SENT_TOO_LARGE && asked->is_fallback) {
        sl_log(SL_LOG_ERROR, "answer_lost",
               "an error answer is too large for its topic: is the question's key?");
        asked->encoded.size = 0; /* its offset goes without it */
    } else if (asked->sent == SL_SENT_TOO_LARGE) {
        answer_fallback(engine, asked, "answer_too_large",
                        "the answer is larger than its topic takes");
        asked->may_go = false;
    } else if (asked->sent == SL_SENT_NO_TOPIC || asked->sent == SL_SENT_DENIED) {
        forget_targets(engine->transactor);
        asked->may_go = false;
    }
}

static void aborted(struct sl_engine *engine, const struct sl_error *err)
{
    struct transactor *transactor = engine->transactor;
    uint32_t wait_ms = RETRY_MS << (transactor->attempts < 6 ? transactor->attempts : 6);

    sl_metric_add_label(SL_METRIC_TRANSACTIONS, "aborted", 1);
    sl_log_error(SL_LOG_WARNING, "transaction_aborted", err);
    for (uint32_t i = 0; i < transactor->chosen_count; i++)
        mend(engine, transactor->ready[i]);
    transactor->chosen_count = 0;
    transactor->attempts++;
    engine_sleep(engine, wait_ms < RETRY_MS_MAX ? wait_ms : RETRY_MS_MAX);
}

static void give_up(struct sl_engine *engine, const struct sl_error *err)
{
    struct sl_error failure = {0};

    sl_metric_add(SL_METRIC_KAFKA_FATAL_ERRORS, 1);
    sl_stop(&failure, SL_EXIT_TEMPORARY, err->foreign_code, "kafka_fatal",
            "answers: %s (is another daemon running as [queries] instance %s?)", err->message,
            engine->instance);
    engine_fail(engine, &failure);
}

/* ------------------------------------------------------------------------------ the loop */

/* A right is missing: told, and tried again with a new producer, for this one asks no more. */
static bool is_denied(struct sl_engine *engine)
{
    struct transactor *transactor = engine->transactor;
    char id[ID_BYTES_MAX];

    if (!transactor->out || !sl_kafka_out_is_denied(transactor->out))
        return false;
    write_id(engine, id);
    engine_denied(engine, SL_TROUBLE_ANSWERS, "WRITE", "TRANSACTIONAL_ID", id);
    transactor->renew = true;
    engine_sleep(engine, DENIED_MS);
    return true;
}

static void make_ready(struct sl_engine *engine)
{
    struct transactor *transactor = engine->transactor;
    struct sl_error err = {0};
    enum sl_err r = SL_OK;

    if (transactor->renew) {
        transactor->out = sl_kafka_out_close(transactor->out);
        r = open_producer(engine, &err);
    }
    transactor->renew = false;
    if (r == SL_OK)
        r = settle(engine, sl_kafka_transaction_init, &err);
    transactor->renew = false; /* an initialisation that took its time leaves nothing behind */
    transactor->is_ready = r == SL_OK;
    if (r == SL_OK)
        engine_trouble_over(engine, SL_TROUBLE_ANSWERS, NULL);
    else if (is_denied(engine))
        return;
    if (r == SL_STOP || r == SL_REJECT)
        give_up(engine, &err);
}

static void take_answers(struct sl_engine *engine)
{
    struct transactor *transactor = engine->transactor;
    struct asked *asked = sl_queue_pop(engine->to_transactor, IDLE_MS);

    while (asked) {
        transactor->ready[transactor->ready_count++] = asked;
        asked = transactor->ready_count < READY_MAX ? sl_queue_pop(engine->to_transactor, 0) : NULL;
    }
}

static void run_once(struct sl_engine *engine)
{
    struct transactor *transactor = engine->transactor;
    struct sl_kafka_partition *list = NULL;
    struct sl_error err = {0};
    uint32_t generation, count;
    enum sl_err r;

    sl_kafka_out_poll(transactor->out, 0);
    take_answers(engine);
    check_targets(engine);
    count = choose(engine, &list, &generation);
    if (transactor->chosen_count > 0) {
        r = transact(engine, list, count, generation, &err);
        transaction_over(transactor);
        if (r == SL_OK)
            committed(engine, list, count);
        else if (r == SL_REJECT)
            aborted(engine, &err);
        else if (r == SL_STOP)
            give_up(engine, &err);
    }
    free(list);
}

void *transactor_run(void *context)
{
    struct sl_engine *engine = context;
    struct transactor *transactor = engine->transactor;

    transactor->heartbeat = sl_heartbeat_open("transactor", ENGINE_HEARTBEAT_MS);
    make_ready(engine);
    while (!sl_queue_is_closed(engine->to_transactor) && !engine->ending) {
        sl_heartbeat_beat(transactor->heartbeat);
        if (engine->failed) {
            engine_sleep(engine, IDLE_MS);
            continue;
        }
        if (transactor->renew)
            make_ready(engine);
        run_once(engine);
    }
    for (uint32_t i = 0; i < transactor->ready_count; i++)
        asked_free(engine, transactor->ready[i]);
    sl_heartbeat_close(transactor->heartbeat);
    return NULL;
}
