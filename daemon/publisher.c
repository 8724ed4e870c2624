/*
 * publisher.c -- one thread owns the producer: answers, and dead letters from the outbox.
 *
 * An answer's question counts as answered, and a dead letter's row goes, only when the broker has
 * acknowledged the record. What the client gives up on is sent again with the same id (it may be in
 * the log all the same), a few times, with growing pauses; then the program ends with 75 and the
 * next start begins where this one stood. Three failures are not passing ones:
 *
 *     too large        an answer becomes the error answer_too_large; a dead letter loses its value,
 *                      once
 *     no such topic    a reply topic the question named: the error goes to the default topic; ours:
 *                      wait for it
 *     not allowed      the same
 *
 * With delivery = exactly_once only dead letters go this way; answers go through transactor.c.
 *
 * Dead letters are read from the index in the order they were stored, at most LETTERS_MAX on their
 * way at once.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/limits.h>

#include "daemon/dead_letter.h"
#include "daemon/engine_internal.h"
#include "daemon/log.h"

#define LETTERS_MAX      64u
#define LETTER_BYTES_MAX (16u << 20) /* of one reading of the outbox */
#define ATTEMPTS_MAX     8u
#define RETRY_MS         250
#define RETRY_MS_MAX     30000
#define REPORTS_MS       5 /* pause between looks for reports while some are due */
#define IDLE_MS          50
#define FLUSH_MS         5000
#define TICK_US          1000000
#define RENEW_US         5000000  /* between producers, while none gets an id */
#define STUCK_US         10000000 /* without a report while records wait: say so */

/* One record on its way: an answer or a dead letter. */
struct sending {
    struct asked *asked; /* NULL: a dead letter */
    uint64_t sequence;   /* of its outbox row */
    struct sl_buffer letter;
    bool shortened;
    uint32_t attempts; /* makes the pauses grow */
    uint32_t failures; /* of those that end the program when there are too many */
    int64_t due_us;
    struct sending *next;
};

struct publisher {
    struct sl_kafka_out *out;
    struct sending *waiting; /* to be sent (again) when due */
    uint32_t open;           /* handed to the client and not reported */
    uint32_t letters;        /* dead letters on their way or waiting */
    uint64_t outbox_at;      /* last row taken */
    uint64_t outbox_seen;    /* engine->outbox_rows when last read to the end */
    bool outbox_more;
    struct sl_arena *arena; /* of one send */
    int64_t tick_us;
    int64_t opened_us;
    int64_t reported_us; /* the last record taken, or nothing was waiting */
};

/* ------------------------------------------------------------------- done, one way or the other */

void publisher_answered(struct sl_engine *engine, struct asked *asked)
{
    sl_metric_add_label(SL_METRIC_ANSWERS, asked->status, 1);
    sl_metric_observe(SL_METRIC_ANSWER_LATENCY, (double)(clock_us() - asked->received_us) / 1e6);
    engine->answers_total++;
    asker_done(engine, asked);
}

/* The letter and the client's copy of it. */
static void charge_letter(struct sl_engine *engine, const struct sending *sending, int64_t sign)
{
    sl_budget_add(&engine->budget, SL_STAGE_PUBLISHER, sign,
                  sign * 2 * (int64_t)sending->letter.capacity);
}

static void finish_letter(struct sl_engine *engine, const struct sending *sending)
{
    uint8_t key[8];

    for (int i = 0; i < 8; i++)
        key[i] = (uint8_t)(sending->sequence >> (8 * (7 - i)));
    engine->publisher->letters--;
    charge_letter(engine, sending, -1);
    row_submit(engine, row_make(SL_TABLE_OUTBOX, (struct sl_view){(const char *)key, sizeof(key)},
                                SL_VIEW_NULL));
}

static void finish(struct sl_engine *engine, struct sending *sending)
{
    if (sending->asked)
        publisher_answered(engine, sending->asked);
    else
        finish_letter(engine, sending);
    sl_buffer_fini(&sending->letter);
    free(sending);
}

static void retry(struct sl_engine *engine, struct sending *sending, bool counts)
{
    int64_t wait_ms = (int64_t)RETRY_MS << (sending->attempts < 8 ? sending->attempts : 8);
    struct sl_error err;

    sending->attempts++;
    sending->failures += counts;
    if (sending->failures > ATTEMPTS_MAX) {
        sl_stop(&err, SL_EXIT_TEMPORARY, 0, "delivery_failed",
                "a record could not be delivered in %u attempts: it is sent again after a restart",
                ATTEMPTS_MAX);
        engine_fail(engine, &err);
    }
    sending->due_us = clock_us() + (wait_ms < RETRY_MS_MAX ? wait_ms : RETRY_MS_MAX) * 1000;
    sending->next = engine->publisher->waiting;
    engine->publisher->waiting = sending;
}

/* ------------------------------------------------------------------------------ what went wrong */

static void shorten(struct sl_engine *engine, struct sending *sending)
{
    struct publisher *publisher = engine->publisher;
    struct sl_outgoing outgoing, shorter;
    struct sl_buffer bytes = {0};
    struct sl_error err = {0};

    sl_arena_reset(publisher->arena);
    if (sending->shortened ||
        sl_outgoing_decode((struct sl_view){sending->letter.data, sending->letter.size},
                           publisher->arena, &outgoing, &err) != SL_OK ||
        sl_dead_letter_shorten(&outgoing, publisher->arena, &shorter, &err) != SL_OK) {
        sl_log(SL_LOG_ERROR, "dead_letter_lost",
               "a dead letter is too large for its topic even without its value");
        finish(engine, sending);
        return;
    }
    sl_outgoing_encode(&shorter, &bytes);
    charge_letter(engine, sending, -1);
    sl_buffer_fini(&sending->letter);
    sending->letter = bytes;
    charge_letter(engine, sending, 1);
    sending->shortened = true;
    retry(engine, sending, false);
}

static void too_large(struct sl_engine *engine, struct sending *sending)
{
    if (!sending->asked) {
        shorten(engine, sending);
    } else if (sending->asked->is_fallback) {
        sl_log(SL_LOG_ERROR, "answer_lost",
               "an error answer is too large for its topic: is the question's key?");
        finish(engine, sending);
    } else {
        answer_fallback(engine, sending->asked, "answer_too_large",
                        "the answer is larger than its topic takes");
        retry(engine, sending, false);
    }
}

bool publisher_is_default(const struct sl_engine *engine, const struct sl_outgoing *outgoing)
{
    return strcmp(outgoing->topic, engine->config->queries.answers_topic) == 0 &&
           outgoing->partition < 0;
}

static void no_topic(struct sl_engine *engine, struct sending *sending, bool denied,
                     const char *code)
{
    const char *topic = sending->asked ? engine->config->queries.answers_topic
                                       : engine->config->documents.dead_letter_topic;
    enum sl_trouble kind = sending->asked ? SL_TROUBLE_ANSWERS : SL_TROUBLE_LETTERS;
    struct sl_outgoing outgoing;
    const struct asked *asked = sending->asked;

    sl_arena_reset(engine->publisher->arena);
    if (asked &&
        sl_outgoing_decode((struct sl_view){asked->encoded.data, asked->encoded.size},
                           engine->publisher->arena, &outgoing, NULL) == SL_OK &&
        !publisher_is_default(engine, &outgoing)) {
        answer_fallback(engine, sending->asked, "reply_topic_unavailable",
                        "the reply topic or partition the question names does not exist or may not "
                        "be written to");
    } else if (denied) {
        engine_denied(engine, kind, "WRITE", "TOPIC", topic);
    } else {
        engine_trouble(engine, kind, topic, "topic_unavailable",
                       "%s %s cannot be written to (%s)",
                       asked ? "the answers topic" : "the dead-letter topic", topic, code);
    }
    retry(engine, sending, false);
}

static void on_failure(struct sl_engine *engine, struct sending *sending, enum sl_sent result,
                       const char *code)
{
    struct sl_error err;

    if (result == SL_SENT_FATAL && sl_kafka_out_is_denied(engine->publisher->out))
        result = SL_SENT_DENIED;
    switch (result) {
    case SL_SENT_TOO_LARGE:
        too_large(engine, sending);
        break;
    case SL_SENT_NO_TOPIC:
    case SL_SENT_DENIED:
        no_topic(engine, sending, result == SL_SENT_DENIED, code);
        break;
    case SL_SENT_FATAL:
        sl_metric_add(SL_METRIC_KAFKA_FATAL_ERRORS, 1);
        sl_stop(&err, SL_EXIT_TEMPORARY, 0, "kafka_fatal", "the producer is no longer usable: %s",
                code);
        engine_fail(engine, &err);
        retry(engine, sending, false);
        break;
    default:
        sl_metric_add_labels(SL_METRIC_RETRIES, "publish", "delivery", 1);
        retry(engine, sending, true);
    }
}

static void on_report(void *context, const struct sl_kafka_report *report)
{
    struct sl_engine *engine = context;
    struct sending *sending = report->tag;

    engine->publisher->open--;
    if (report->result == SL_SENT_OK) {
        engine->publisher->reported_us = clock_us();
        engine_trouble_over(engine, sending->asked ? SL_TROUBLE_ANSWERS : SL_TROUBLE_LETTERS, NULL);
        finish(engine, sending);
        return;
    }
    sl_metric_add_labels(SL_METRIC_DELIVERY_FAILURES, report->code_name,
                         report->maybe_stored ? "maybe" : "no", 1);
    on_failure(engine, sending, report->result, report->code_name);
}

/* ------------------------------------------------------------------------------ sending */

enum sl_err publisher_send(struct sl_kafka_out *out, const struct sl_outgoing *outgoing, void *tag,
                           struct sl_error *err)
{
    return sl_kafka_out_send(out,
                             &(struct sl_kafka_send){.topic = outgoing->topic,
                                                     .partition = outgoing->partition,
                                                     .key = outgoing->key,
                                                     .value = outgoing->value,
                                                     .headers = outgoing->headers,
                                                     .header_count = outgoing->header_count,
                                                     .timestamp_ms = outgoing->timestamp_ms,
                                                     .tag = tag},
                             err);
}

static void send_one(struct sl_engine *engine, struct sending *sending)
{
    struct publisher *publisher = engine->publisher;
    const struct sl_buffer *bytes = sending->asked ? &sending->asked->encoded : &sending->letter;
    struct sl_outgoing outgoing;
    struct sl_error err = {0};
    enum sl_err r;

    sl_arena_reset(publisher->arena);
    r = sl_outgoing_decode((struct sl_view){bytes->data, bytes->size}, publisher->arena, &outgoing,
                           &err);
    if (r == SL_OK)
        r = publisher_send(publisher->out, &outgoing, sending, &err);
    if (r == SL_OK) {
        publisher->open++;
    } else if (r == SL_AGAIN) {
        retry(engine, sending, false);
    } else if (r == SL_REJECT) {
        on_failure(engine, sending,
                   strcmp(err.reason, "too_large") == 0 ? SL_SENT_TOO_LARGE
                   : strcmp(err.reason, "denied") == 0  ? SL_SENT_DENIED
                                                        : SL_SENT_NO_TOPIC,
                   err.reason);
    } else if (sl_kafka_out_is_denied(publisher->out)) {
        on_failure(engine, sending, SL_SENT_DENIED, "denied");
    } else {
        engine_fail(engine, &err);
        retry(engine, sending, false);
    }
}

static struct sending *make_sending(struct asked *asked)
{
    struct sending *sending = calloc(1, sizeof(*sending));

    SL_INVARIANT(sending != NULL);
    sending->asked = asked;
    return sending;
}

static void send_due(struct sl_engine *engine)
{
    struct sending *all = engine->publisher->waiting;
    int64_t now = clock_us();

    engine->publisher->waiting = NULL;
    while (all) {
        struct sending *sending = all;

        all = sending->next;
        if (sending->due_us <= now) {
            send_one(engine, sending);
        } else {
            sending->next = engine->publisher->waiting;
            engine->publisher->waiting = sending;
        }
    }
}

/* ------------------------------------------------------------------------------ the outbox */

struct taking {
    struct sl_engine *engine;
    struct publisher *publisher;
    struct sending *first, **end;
    size_t bytes;
};

static size_t letter_bytes_max(const struct sl_engine *engine)
{
    size_t part = (size_t)sl_budget_room(&engine->budget) / 16;

    return part < LETTER_BYTES_MAX ? part : LETTER_BYTES_MAX;
}

static bool take_letter(void *context, struct sl_view key, struct sl_view value)
{
    struct taking *taking = context;
    struct publisher *publisher = taking->publisher;
    struct sending *sending;

    if (publisher->letters >= LETTERS_MAX || taking->bytes > letter_bytes_max(taking->engine)) {
        publisher->outbox_more = true;
        return false;
    }
    sending = make_sending(NULL);
    for (size_t i = 0; i < key.size && i < 8; i++)
        sending->sequence = sending->sequence << 8 | (uint8_t)key.data[i];
    sl_buffer_view(&sending->letter, value);
    SL_INVARIANT(!sending->letter.failed);
    charge_letter(taking->engine, sending, 1);
    publisher->outbox_at = sending->sequence;
    publisher->letters++;
    taking->bytes += value.size;
    *taking->end = sending;
    taking->end = &sending->next;
    return true;
}

static void read_outbox(struct sl_engine *engine)
{
    struct publisher *publisher = engine->publisher;
    struct taking taking = {.engine = engine, .publisher = publisher, .end = &taking.first};
    uint64_t rows = engine->outbox_rows;
    struct sl_snapshot *snapshot = NULL;
    uint8_t after[8];

    if (publisher->letters >= LETTERS_MAX ||
        (!publisher->outbox_more && publisher->outbox_seen == rows))
        return;
    if (sl_snapshot_open(engine->index, &snapshot, NULL) != SL_OK)
        return;
    for (int i = 0; i < 8; i++)
        after[i] = (uint8_t)(publisher->outbox_at >> (8 * (7 - i)));
    publisher->outbox_more = false;
    sl_snapshot_rows(snapshot, SL_TABLE_OUTBOX,
                     publisher->outbox_at ? (struct sl_view){(const char *)after, sizeof(after)}
                                          : SL_VIEW_NULL,
                     take_letter, &taking, NULL);
    sl_snapshot_close(snapshot);
    publisher->outbox_seen = rows;
    while (taking.first) {
        struct sending *sending = taking.first;

        taking.first = sending->next;
        send_one(engine, sending);
    }
}

/* ------------------------------------------------------------------------ open, close, the loop */

static enum sl_err open_producer(struct sl_engine *engine, struct sl_kafka_out **ret_out,
                                 struct sl_error *err)
{
    struct sl_kafka_watch watch;

    engine_watch(engine, &watch);
    watch.waiting = NULL; /* the documents consumer's figure */
    engine->publisher->opened_us = clock_us();
    return sl_kafka_out_open(engine->config, &watch, on_report, engine, ret_out, err);
}

/* An idempotent producer that gets no id from the broker never asks again: make another one. */
static void renew_denied(struct sl_engine *engine)
{
    struct publisher *publisher = engine->publisher;
    struct sl_kafka_out *fresh = NULL;
    struct sl_error err = {0};

    if (!sl_kafka_out_is_denied(publisher->out))
        return;
    engine_denied(engine, SL_TROUBLE_ANSWERS, "WRITE", "TOPIC",
                  engine->config->queries.answers_topic);
    if (clock_us() - publisher->opened_us < RENEW_US)
        return;
    if (open_producer(engine, &fresh, &err) != SL_OK) {
        sl_log_error(SL_LOG_ERROR, "credential_kept", &err);
        return;
    }
    sl_kafka_out_close(publisher->out); /* its reports ask it why */
    publisher->out = fresh;
}

enum sl_err publisher_open(struct sl_engine *engine, struct sl_error *err)
{
    struct publisher *publisher = calloc(1, sizeof(*publisher));

    SL_INVARIANT(publisher != NULL);
    publisher->arena = sl_arena_open(SL_ARENA_BYTES_MAX);
    SL_INVARIANT(publisher->arena != NULL);
    publisher->outbox_more = true; /* what the last run left behind */
    engine->publisher = publisher;
    return open_producer(engine, &publisher->out, err);
}

static void free_sending(struct sl_engine *engine, struct sending *sending)
{
    if (sending->asked)
        asked_free(engine, sending->asked);
    else
        charge_letter(engine, sending, -1);
    sl_buffer_fini(&sending->letter);
    free(sending);
}

void publisher_close(struct sl_engine *engine)
{
    struct publisher *publisher = engine->publisher;

    if (!publisher)
        return;
    sl_kafka_out_close(publisher->out); /* reports what is left as failed: it goes to `waiting` */
    while (publisher->waiting) {
        struct sending *sending = publisher->waiting;

        publisher->waiting = sending->next;
        free_sending(engine, sending);
    }
    sl_arena_close(publisher->arena);
    free(publisher);
    engine->publisher = NULL;
}

void publisher_submit(struct sl_engine *engine, struct asked *asked)
{
    struct sl_queue *queue = engine->to_transactor ? engine->to_transactor : engine->to_publisher;

    if (!sl_queue_push(queue, asked)) {
        SL_INVARIANT(sl_queue_is_closed(queue));
        asked_free(engine, asked);
    }
}

static void tick(struct sl_engine *engine)
{
    struct publisher *publisher = engine->publisher;

    if (clock_us() - publisher->tick_us < TICK_US)
        return;
    publisher->tick_us = clock_us();
    if (publisher->open == 0 || publisher->reported_us == 0)
        publisher->reported_us = publisher->tick_us;
    else if (!engine->kafka_down && publisher->tick_us - publisher->reported_us > STUCK_US)
        engine_trouble(engine, SL_TROUBLE_ANSWERS, "", "delivery_stuck",
                       "the broker takes no answers: too few replicas in sync, or no leader; what "
                       "waits is sent as soon as it does");
    sl_metric_set(SL_METRIC_PRODUCER_QUEUE, sl_kafka_out_waiting(publisher->out));
    sl_metric_set(SL_METRIC_OUTBOX_RECORDS, (double)engine->outbox_waiting);
}

static void run_once(struct sl_engine *engine)
{
    struct publisher *publisher = engine->publisher;
    struct asked *asked =
        sl_queue_pop(engine->to_publisher, publisher->open ? REPORTS_MS : IDLE_MS);

    while (asked) {
        if (engine->failed) /* perhaps fenced: another daemon answers it */
            asked_free(engine, asked);
        else
            send_one(engine, make_sending(asked));
        asked = sl_queue_pop(engine->to_publisher, 0);
    }
    if (!engine->failed) {
        read_outbox(engine);
        send_due(engine);
    }
    sl_kafka_out_poll(publisher->out, 0);
    renew_denied(engine);
    tick(engine);
}

void *publisher_run(void *context)
{
    struct sl_engine *engine = context;
    struct sl_heartbeat *heartbeat = sl_heartbeat_open("publisher", ENGINE_HEARTBEAT_MS);

    while (!sl_queue_is_closed(engine->to_publisher) || sl_queue_count(engine->to_publisher) > 0) {
        sl_heartbeat_beat(heartbeat);
        run_once(engine);
    }
    if (!engine->kafka_down && !engine->failed)
        sl_kafka_out_flush(engine->publisher->out, FLUSH_MS, NULL);
    sl_heartbeat_close(heartbeat);
    return NULL;
}
