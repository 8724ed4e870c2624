/*
 * answerers.c -- M threads, each with one question and one snapshot at a time.
 *
 *     reply cache -> parse -> deadline -> reply topic -> min_position -> snapshot -> sl_respond()
 *     -> JSON -> publisher
 *
 * Every question gets exactly one answer: what cannot be answered gets one with status error and a
 * fixed code. Only an index that cannot be trusted ends the program. An answer never leaves after
 * its deadline: it becomes an error answer, so that whoever asked knows which of the two it is.
 *
 * With the extractive backend the answer goes out beside its row in the reply cache; one that was
 * paid for waits until the row is stored, for made again it would read differently.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/json.h>
#include <sluice/limits.h>

#include "daemon/engine_internal.h"
#include "daemon/log.h"
#include "daemon/mender.h"
#include "daemon/replies.h"

#define IDLE_MS   200
#define PARKED_MS 20
#define BUSY_MS   5
#define UNSEEN_US 3000000 /* a partition that was added a moment ago is found within that */

/* ------------------------------------------------------------------------------ understanding */

static enum sl_err parse(struct sl_engine *engine, struct asked *asked, struct sl_error *err)
{
    const struct sl_config *config = engine->config;
    struct sl_question_options options = {
        .tenant = config->queries.tenant[0] ? sl_view_of(config->queries.tenant) : SL_VIEW_NULL,
        .tenant_header = config->queries.tenant_header[0] ? config->queries.tenant_header : NULL,
    };

    asked->arena = sl_arena_close(asked->arena);
    asked->arena = sl_arena_open(SL_ARENA_BYTES_MAX);
    SL_INVARIANT(asked->arena != NULL);
    asked->question = (struct sl_question){.asked_ms = asked->record->message.timestamp_ms};
    return sl_question_parse(&asked->record->message, &options, asked->arena, &asked->question,
                             err);
}

/* Its own deadline runs from when it was written; the configured one from when it was read. */
static void set_deadline(struct sl_engine *engine, struct asked *asked)
{
    int64_t written_ms = asked->record->message.timestamp_ms;
    int64_t age_ms = written_ms >= 0 ? clock_wall_ms() - written_ms : 0;
    struct settings settings;

    if (asked->question.deadline_ms) {
        asked->deadline_us = clock_us() + ((int64_t)asked->question.deadline_ms - age_ms) * 1000;
    } else {
        engine_settings(engine, &settings);
        asked->deadline_us = asked->received_us + (int64_t)settings.generate_deadline_ms * 1000;
    }
}

static bool is_document_topic(const struct sl_config *config, struct sl_view topic)
{
    for (uint32_t i = 0; i < config->documents.topics.count; i++)
        if (sl_view_is(topic, config->documents.topics.items[i]))
            return true;
    return false;
}

static enum sl_err check_positions(struct sl_engine *engine, const struct asked *asked,
                                   struct sl_error *err)
{
    for (uint32_t i = 0; i < asked->question.min_position_count; i++)
        if (!is_document_topic(engine->config, asked->question.min_positions[i].topic))
            return sl_fail(err, SL_REJECT, "unknown_topic",
                           "min_position: names a topic this index is not made from; allowed: "
                           "[documents] topics");
    return SL_OK;
}

/* ----------------------------------------------------------------------- where the index stands */

struct positions {
    struct sl_buffer *out;
};

static bool add_position(void *context, struct sl_view topic, int32_t partition,
                         const struct sl_position *position)
{
    struct positions *positions = context;
    char name[300];

    snprintf(name, sizeof(name), "%.*s/%d", SL_VIEW_ARG(topic), (int)partition);
    sl_json_name(positions->out, name);
    sl_buffer_format(positions->out, "%lld", (long long)position->next_offset);
    return true;
}

static void index_state(struct sl_engine *engine, const struct sl_snapshot *snapshot,
                        struct sl_arena *arena, struct sl_buffer *text, struct sl_index_state *ret)
{
    struct positions positions = {text};
    struct sl_index_stats stats = {0};

    sl_buffer_view(text, SL_VIEW("{"));
    if (snapshot) {
        sl_snapshot_positions(snapshot, arena, add_position, &positions, NULL);
        sl_snapshot_stats(snapshot, &stats, NULL);
    }
    sl_buffer_view(text, SL_VIEW("}"));
    *ret = (struct sl_index_state){
        .positions_json = text->failed ? SL_VIEW_NULL : (struct sl_view){text->data, text->size},
        .lag_records = engine->lag_records,
        .documents = stats.documents,
        .chunks = stats.chunks,
        .of_tenant = engine->config->queries.tenant[0] != '\0' ||
                     engine->config->queries.tenant_header[0] != '\0',
    };
}

/* ------------------------------------------------------------------------------ the record */

static const char *status_word(enum sl_status status)
{
    return status == SL_STATUS_ANSWERED    ? "answered"
           : status == SL_STATUS_NOT_FOUND ? "not_found"
                                           : "error";
}

static void encode(struct asked *asked, const struct sl_reply_target *target, const char *status,
                   struct sl_view json)
{
    const struct sl_message *message = &asked->record->message;
    struct sl_outgoing outgoing = {.topic = target->topic,
                                   .partition = target->partition,
                                   .timestamp_ms = -1,
                                   .key = message->key,
                                   .value = json};

    snprintf(asked->status, sizeof(asked->status), "%s", status);
    outgoing.headers = sl_reply_headers(message, sl_view_of(asked->id), sl_view_of(asked->status),
                                        asked->arena, &outgoing.header_count);
    SL_INVARIANT(outgoing.headers != NULL);
    asked->encoded.size = 0;
    sl_outgoing_encode(&outgoing, &asked->encoded);
    SL_INVARIANT(!asked->encoded.failed);
}

static void find_target(struct sl_engine *engine, const struct asked *asked,
                        struct sl_reply_target *ret)
{
    pthread_mutex_lock(&engine->mutex);
    sl_reply_target(&asked->record->message, engine->config->queries.answers_topic,
                    &engine->reply_topics, ret);
    pthread_mutex_unlock(&engine->mutex);
}

/* The answer as JSON, ready for the publisher. */
static enum sl_err write_answer(struct sl_engine *engine, struct asked *asked,
                                const struct sl_snapshot *snapshot, const struct sl_answer *answer,
                                const struct sl_reply_target *target, struct sl_error *err)
{
    struct sl_buffer text = {0};
    struct sl_index_state state;
    struct sl_view json;
    enum sl_err r;

    index_state(engine, snapshot, asked->arena, &text, &state);
    r = sl_answer_json(answer, &asked->question, sl_view_of(asked->id), &state, asked->arena, &json,
                       err);
    sl_buffer_fini(&text);
    if (r == SL_OK)
        encode(asked, target, status_word(answer->status), json);
    return r;
}

static void write_error(struct sl_engine *engine, struct asked *asked,
                        const struct sl_snapshot *snapshot, const struct sl_error *reason,
                        const struct sl_reply_target *target)
{
    struct sl_answer answer;
    struct sl_error err = {0};

    sl_answer_refuse(reason, asked->arena, &answer);
    if (write_answer(engine, asked, snapshot, &answer, target, &err) != SL_OK) {
        asked->question.text = SL_VIEW("");
        SL_INVARIANT(write_answer(engine, asked, NULL, &answer, target, &err) == SL_OK);
    }
}

void answer_fallback(struct sl_engine *engine, struct asked *asked, const char *code,
                     const char *message)
{
    struct sl_reply_target target = {engine->config->queries.answers_topic, -1, false};
    struct sl_error reason = {0}, ignored = {0};

    parse(engine, asked, &ignored);
    sl_fail(&reason, SL_REJECT, code, "%s", message);
    write_error(engine, asked, NULL, &reason, &target);
    asked->is_fallback = true;
    asked->arena = sl_arena_close(asked->arena);
}

/* ------------------------------------------------------------------------------ answering */

static bool is_late(const struct asked *asked)
{
    return asked->question.deadline_ms && clock_us() >= asked->deadline_us;
}

static enum sl_err too_late(const struct asked *asked, struct sl_error *err)
{
    return sl_fail(err, SL_REJECT, "deadline_exceeded",
                   "question: its deadline of %u ms has passed", asked->question.deadline_ms);
}

static void observe_rerank(const struct sl_answer *answer)
{
    struct sl_view why = answer->rerank_reason;
    char reason[48];

    if (answer->rerank_scored == 0 && why.data == NULL)
        return;
    sl_metric_add_label(SL_METRIC_RERANKS,
                        why.data == NULL              ? "ok"
                        : answer->rerank_scored > 0 ? "partial"
                                                       : "failed",
                        1);
    sl_metric_observe(SL_METRIC_RERANK_DURATION, answer->rerank_ms / 1000.0);
    sl_metric_add_label(SL_METRIC_RERANK_PASSAGES, "scored", answer->rerank_scored);
    sl_metric_add_label(SL_METRIC_RERANK_PASSAGES, "late", answer->rerank_late);
    if (why.data == NULL)
        return;
    (void)snprintf(reason, sizeof reason, "%.*s", SL_VIEW_ARG(why));
    sl_metric_add_label(SL_METRIC_RERANK_FAILURES, reason, 1);
}

static void observe(const struct sl_answer *answer)
{
    if (!answer->retrieved)
        return;
    sl_metric_observe(SL_METRIC_INDEX_SEARCH_DURATION, answer->search_ms / 1000.0);
    observe_rerank(answer);
    sl_metric_observe(SL_METRIC_INDEX_VISITED_NODES,
                      (double)answer->retrieved->vector_stats.distances);
}

static enum sl_err respond(struct sl_engine *engine, struct asked *asked,
                           const struct sl_snapshot *snapshot, const struct sl_reply_target *target,
                           struct sl_error *err)
{
    SL_CLEANUP(sl_synonyms_closep) struct sl_synonyms *synonyms = NULL;
    struct settings settings;
    struct sl_responder responder = {
        .embedder = engine->embedder, .encoder_gone = engine->encoder_gone,
        .generator = engine->generator, .clock = &sl_daemon_clock};
    struct sl_answer answer;
    enum sl_err r;

    engine_retrieve(engine, &settings, &synonyms);
    responder.retrieve = settings.retrieve;
    responder.reader = engine->heads.reader;
    responder.answer_tokens_max = settings.answer_tokens_max;
    responder.generate_deadline_ms = settings.generate_deadline_ms;
    sl_metric_move(SL_METRIC_HTTP_INFLIGHT, NULL, engine->generator ? 1 : 0);
    r = sl_respond(&responder, &asked->question, snapshot, asked->arena, &answer, err);
    sl_metric_move(SL_METRIC_HTTP_INFLIGHT, NULL, engine->generator ? -1 : 0);
    if (r != SL_OK)
        return r;
    observe(&answer);
    if (answer.status != SL_STATUS_ERROR && is_late(asked))
        return too_late(asked, err);
    return write_answer(engine, asked, snapshot, &answer, target, err);
}

static enum sl_err open_snapshot(struct sl_engine *engine, const struct asked *asked,
                                 struct sl_snapshot **ret, struct sl_error *err)
{
    enum sl_err r;

    while ((r = sl_snapshot_open(engine->index, ret, err)) == SL_AGAIN && !engine->ending) {
        sl_metric_add_labels(SL_METRIC_RETRIES, "answer", err->reason, 1);
        if (clock_us() >= asked->deadline_us)
            return sl_fail(err, SL_REJECT, "busy",
                           "too many questions at once: none of the index's readers is free");
        engine_sleep(engine, BUSY_MS);
    }
    return r;
}

/* Everything between a parsed question and an encoded answer. SL_REJECT becomes an error answer. */
static enum sl_err answer_once(struct sl_engine *engine, struct asked *asked, uint32_t self,
                               uint32_t *tries)
{
    struct sl_reply_target target;
    struct sl_snapshot *snapshot = NULL;
    struct sl_error err = {0};
    enum sl_err r = SL_OK;

    find_target(engine, asked, &target);
    if (asked->parse_failed) {
        r = SL_REJECT;
        err = asked->parse_error;
    } else if (target.not_allowed) {
        r = sl_fail(&err, SL_REJECT, "reply_topic_not_allowed",
                    "the reply topic the question names is not among [queries] reply_topics");
    } else if (asked->unseen_until_us && parking_is_unknown(engine, asked)) {
        r = sl_fail(&err, SL_REJECT, "unknown_partition",
                    "min_position: names a partition that its topic does not have");
    } else if (clock_us() >= asked->deadline_us) {
        r = asked->question.deadline_ms ? too_late(asked, &err)
                                        : sl_fail(&err, SL_REJECT, "deadline_exceeded",
                                                  "the position asked for did not come in time");
    }
    if (r == SL_OK)
        r = open_snapshot(engine, asked, &snapshot, &err);
    engine->snapshot_since_us[self] = snapshot ? clock_us() : 0;
    if (r == SL_OK)
        r = respond(engine, asked, snapshot, &target, &err);
    if (r == SL_REJECT && !snapshot) /* an error says, too, where the index stands; unless all readers are taken */
        (void)sl_snapshot_open(engine->index, &snapshot, NULL);
    if (r == SL_REJECT)
        write_error(engine, asked, snapshot, &err, &target);
    sl_snapshot_close(snapshot);
    engine->snapshot_since_us[self] = 0;
    if (r != SL_STOP)
        return r;
    if (mender_wait(engine, &err, tries))
        return SL_AGAIN;
    engine_fail(engine, &err);
    return SL_STOP;
}

/* A document that is damaged is out of the index the next time. */
static enum sl_err answer_parsed(struct sl_engine *engine, struct asked *asked, uint32_t self)
{
    uint32_t tries = 0, tried = 0;
    enum sl_err r;

    do {
        tried = tries;
        r = answer_once(engine, asked, self, &tries);
    } while (r == SL_AGAIN && tries > tried);
    return r;
}

/* The partition went to somebody else meanwhile, who answers this question too. */
static bool is_stale(struct sl_engine *engine, const struct asked *asked)
{
    bool stale;

    sl_book_lock(&engine->questions);
    stale = asked->part->epoch != asked->epoch;
    sl_book_unlock(&engine->questions);
    return stale;
}

static void hand_over(struct sl_engine *engine, struct asked *asked)
{
    asked->arena = sl_arena_close(asked->arena);
    asked_move(engine, asked, SL_STAGE_PUBLISHER);
    if (asked->republished) {
        sl_metric_add(SL_METRIC_ANSWERS_REPUBLISHED, 1);
        publisher_submit(engine, asked);
    } else if (engine->generator) {
        reply_cache_put(engine, asked, true);
    } else {
        reply_cache_put(engine, asked, false);
        publisher_submit(engine, asked);
    }
}

/* True: it is answered. False: it waits for a position, and is parked. */
static bool understand(struct sl_engine *engine, struct asked *asked)
{
    enum sl_err r;

    if (asked->parsed)
        return true;
    asked->parsed = true;
    r = parse(engine, asked, &asked->parse_error);
    if (r == SL_OK)
        r = check_positions(engine, asked, &asked->parse_error);
    asked->parse_failed = r != SL_OK;
    if (asked->parse_failed)
        return true;
    set_deadline(engine, asked);
    if (clock_us() >= asked->deadline_us || !parking_must_wait(engine, asked))
        return true;
    if (parking_is_unknown(engine, asked)) {
        engine->kafka_suspect = true; /* have the topics looked at now */
        asked->unseen_until_us = clock_us() + UNSEEN_US;
    }
    asked_move(engine, asked, SL_STAGE_ANSWERERS);
    parking_put(engine->parking, asked);
    return false;
}

static void answer(struct sl_engine *engine, struct asked *asked, uint32_t self)
{
    enum sl_err r = SL_OK;

    if (asked->parsed || !reply_cache_get(engine, asked)) {
        if (!understand(engine, asked))
            return;
        r = answer_parsed(engine, asked, self);
    }
    if (r == SL_STOP || r == SL_AGAIN || is_stale(engine, asked))
        asked_free(engine, asked); /* it will be delivered again */
    else
        hand_over(engine, asked);
}

void *answerer_run(void *context)
{
    struct sl_engine *engine = context;
    struct sl_heartbeat *heartbeat = sl_heartbeat_open("answerer", ENGINE_HEARTBEAT_MS * 15);
    uint32_t self = engine->answerers_started++;
    struct asked *asked;

    while (!engine->ending) {
        sl_heartbeat_idle(heartbeat);
        asked = parking_take(engine, engine->parking);
        if (!asked)
            asked = sl_queue_pop(engine->to_answerers,
                                 parking_count(engine->parking) ? PARKED_MS : IDLE_MS);
        sl_heartbeat_beat(heartbeat);
        if (asked)
            answer(engine, asked, self);
    }
    sl_heartbeat_close(heartbeat);
    return NULL;
}
