/*
 * asker.c -- one thread reads the questions, as a static member of a group, and commits what has
 * been answered.
 *
 * A question counts as answered once the broker has acknowledged its answer; the committed offset
 * is the frontier of the partition's ledger, so none is lost whatever order answers come in.
 * Commits are by hand: every second without waiting, and waiting when partitions are taken away and
 * at the end. Nothing is committed for partitions that were lost: somebody else answers there
 * already. With transactions (transactor.c) offsets travel with the answers instead.
 *
 * A partition's epoch tells one assignment from the next: an answer that comes in from an earlier
 * one moves nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/limits.h>

#include "daemon/dead_letter.h"
#include "daemon/engine_internal.h"
#include "daemon/log.h"

#define POLL_MS        100
#define COMMIT_US      1000000
#define REVOKE_WAIT_MS 5000

struct asker {
    struct sl_kafka_in *in;
    bool subscribed;
    bool paused;
    bool lost; /* the assignment ran out, and there is no new one yet */
    bool committing; /* a commit is on its way: one at a time, for they wait for a coordinator that is away */
    int64_t commit_us;
};

/* ------------------------------------------------------------------------------ commits */

/* What can be committed and has not been, of one topic and partition or (NULL) of all. */
static uint32_t due_list(struct sl_engine *engine, struct sl_kafka_partition **ret)
{
    struct sl_book *book = &engine->questions;
    struct sl_kafka_partition *list;
    uint32_t count = 0;

    sl_book_lock(book);
    list = calloc(book->count + 1u, sizeof(*list));
    SL_INVARIANT(list != NULL);
    for (uint32_t i = 0; i < book->count; i++) {
        struct sl_part *part = book->parts[i];
        int64_t frontier = part->assigned ? sl_ledger_frontier(part->ledger) : -1;

        if (frontier > part->committed)
            list[count++] = (struct sl_kafka_partition){part->topic, part->partition, frontier};
    }
    sl_book_unlock(book);
    *ret = list;
    return count;
}

struct sl_kafka_in *asker_consumer(struct sl_engine *engine)
{
    return engine->asker->in;
}

void asker_committed(struct sl_engine *engine, const struct sl_kafka_partition *list,
                     uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct sl_part *part;

        sl_book_lock(&engine->questions);
        part = sl_book_find(&engine->questions, sl_view_of(list[i].topic), list[i].partition, true);
        part->committed = list[i].offset;
        sl_book_unlock(&engine->questions);
        reply_cache_prune(engine, part, list[i].offset);
    }
}

/* With transactions offsets are committed together with the answers, and nowhere else. */
static void commit(struct sl_engine *engine, bool wait)
{
    struct sl_kafka_partition *list = NULL;
    struct sl_error err = {0};
    uint32_t count = engine->transactor ? 0 : due_list(engine, &list);

    if (count > 0 && (wait || !engine->asker->committing)) {
        if (sl_kafka_in_commit(engine->asker->in, list, count, wait, &err) != SL_OK)
            sl_log_error(SL_LOG_WARNING, "commit_failed", &err);
        else if (wait)
            asker_committed(engine, list, count);
        else
            engine->asker->committing = true;
    }
    free(list);
}

/* What failed is due again. */
static void on_committed(void *context, const struct sl_kafka_partition *list, uint32_t count,
                         const struct sl_error *err)
{
    struct sl_engine *engine = context;

    engine->asker->committing = false;
    if (err->code == SL_OK) {
        asker_committed(engine, list, count);
        engine_trouble_over(engine, SL_TROUBLE_GROUP, NULL);
        return;
    }
    sl_log_error(SL_LOG_WARNING, "commit_failed", err);
    if (err->code == SL_REJECT)
        engine_denied(engine, SL_TROUBLE_GROUP, "READ", "GROUP", engine->config->queries.group);
}

/* ------------------------------------------------------------------------------ assignment */

static void on_assigned(void *context, const struct sl_kafka_partition *list, uint32_t count)
{
    struct sl_engine *engine = context;

    sl_metric_add_label(SL_METRIC_KAFKA_REBALANCES, "assign", 1);
    engine->asker->paused = false;
    engine->asker->lost = false;
    engine->group_joined = true;
    engine_trouble_over(engine, SL_TROUBLE_GROUP, NULL);
    if (count > 0)
        engine_trouble_over(engine, SL_TROUBLE_QUESTIONS, NULL);
    sl_book_lock(&engine->questions);
    for (uint32_t i = 0; i < count; i++) {
        struct sl_part *part =
            sl_book_find(&engine->questions, sl_view_of(list[i].topic), list[i].partition, true);

        sl_ledger_free(part->ledger);
        part->ledger = sl_ledger_make(NULL);
        SL_INVARIANT(part->ledger != NULL);
        part->epoch++;
        part->assigned = true;
        part->committed = -1;
    }
    sl_book_unlock(&engine->questions);
    sl_log(SL_LOG_INFO, "questions_assigned", "answering %u question partitions", count);
}

static bool open_in(struct sl_engine *engine, const struct sl_kafka_partition *list, uint32_t count)
{
    bool open = false;

    sl_book_lock(&engine->questions);
    for (uint32_t i = 0; i < count; i++) {
        struct sl_part *part =
            sl_book_find(&engine->questions, sl_view_of(list[i].topic), list[i].partition, true);

        open |= part->assigned && sl_ledger_open_count(part->ledger) > 0;
    }
    sl_book_unlock(&engine->questions);
    return open;
}

static void on_revoked(void *context, const struct sl_kafka_partition *list, uint32_t count,
                       bool lost)
{
    struct sl_engine *engine = context;

    sl_metric_add_label(SL_METRIC_KAFKA_REBALANCES, "revoke", 1);
    engine->asker->lost = lost;
    if (lost) {
        engine->group_joined = false;
        sl_metric_add(SL_METRIC_KAFKA_ASSIGNMENT_LOST, 1);
    }
    for (int waited = 0; !lost && waited < REVOKE_WAIT_MS && open_in(engine, list, count);
         waited += 10)
        engine_sleep(engine, 10);
    if (!lost && !engine->kafka_down)
        commit(engine, true);
    sl_book_lock(&engine->questions);
    for (uint32_t i = 0; i < count; i++) {
        struct sl_part *part =
            sl_book_find(&engine->questions, sl_view_of(list[i].topic), list[i].partition, true);

        part->epoch++;
        part->assigned = false;
    }
    sl_book_unlock(&engine->questions);
    transactor_end_generation(engine, lost);
    sl_log(SL_LOG_INFO, "questions_revoked", "%u question partitions %s", count,
           lost ? "were lost" : "went to others");
}

/* ------------------------------------------------------------------------------ open and close */

static enum sl_err open_consumer(struct sl_engine *engine, struct sl_error *err)
{
    struct sl_kafka_group_ops ops = {on_assigned, on_revoked, on_committed, engine};
    struct sl_kafka_watch watch;
    char member[160];
    struct sl_kafka_in_options options = {.fetch_bytes = engine->fetch_bytes / 4,
                                          .group_id = engine->config->queries.group,
                                          .instance_id = member,
                                          .ops = &ops,
                                          .watch = &watch};

    snprintf(member, sizeof(member), "sluice-%s", engine->instance);
    engine_watch(engine, &watch);
    return sl_kafka_in_open(engine->config, &options, &engine->asker->in, err);
}

enum sl_err asker_open(struct sl_engine *engine, struct sl_error *err)
{
    engine->asker = calloc(1, sizeof(*engine->asker));
    SL_INVARIANT(engine->asker != NULL);
    return open_consumer(engine, err);
}

void asker_close(struct sl_engine *engine)
{
    struct asker *asker = engine->asker;

    if (!asker)
        return;
    if (asker->subscribed && !engine->kafka_down)
        commit(engine, true);
    sl_kafka_in_close(asker->in);
    free(asker);
    engine->asker = NULL;
}

/* ------------------------------------------------------------------------------ one question */

static int64_t weigh(const struct asked *asked)
{
    size_t answer = asked->encoded.capacity;

    if (asked->stage == SL_STAGE_PUBLISHER)
        answer *= 2; /* the client's copy */
    return (int64_t)(sizeof(*asked) + asked->record->bytes + answer +
                     (asked->arena ? sl_arena_bytes(asked->arena) : 0));
}

void asked_move(struct sl_engine *engine, struct asked *asked, enum sl_stage stage)
{
    sl_budget_add(&engine->budget, asked->stage, -1, -asked->bytes);
    asked->stage = stage;
    asked->bytes = weigh(asked);
    sl_budget_add(&engine->budget, stage, 1, asked->bytes);
}

void asked_free(struct sl_engine *engine, struct asked *asked)
{
    sl_budget_add(&engine->budget, asked->stage, -1, -asked->bytes);
    sl_arena_close(asked->arena);
    sl_buffer_fini(&asked->encoded);
    free(asked->record);
    free(asked);
    engine->questions_open--;
}

void asker_done(struct sl_engine *engine, struct asked *asked)
{
    sl_book_lock(&engine->questions);
    if (asked->part->epoch == asked->epoch)
        sl_ledger_done(asked->part->ledger, asked->record->message.offset);
    sl_book_unlock(&engine->questions);
    asked_free(engine, asked);
}

static struct asked *asked_make(struct sl_engine *engine, const struct sl_message *message,
                                struct sl_part *part, uint32_t epoch)
{
    struct asked *asked = calloc(1, sizeof(*asked));

    SL_INVARIANT(asked != NULL);
    asked->record = sl_record_copy(message);
    SL_INVARIANT(asked->record != NULL);
    asked->part = part;
    asked->epoch = epoch;
    asked->received_us = clock_us();
    asked->deadline_us = INT64_MAX;
    asked->stage = SL_STAGE_ANSWERERS;
    asked->bytes = weigh(asked);
    sl_record_id(engine->cluster_space, message, asked->id);
    sl_budget_add(&engine->budget, asked->stage, 1, asked->bytes);
    engine->questions_open++;
    return asked;
}

static void take_record(struct sl_engine *engine, const struct sl_message *message)
{
    struct sl_fingerprint seen = {message->offset, message->timestamp_ms, 0};
    struct sl_part *part;
    struct asked *asked;
    uint32_t epoch = 0;
    bool fresh = false;

    sl_book_lock(&engine->questions);
    part = sl_book_find(&engine->questions, message->topic, message->partition, false);
    if (part && part->assigned) {
        fresh = sl_ledger_deliver(part->ledger, &seen);
        epoch = part->epoch;
    }
    sl_book_unlock(&engine->questions);
    if (!fresh)
        return;
    sl_metric_add_label(SL_METRIC_RECORDS_CONSUMED, part->topic, 1);
    sl_metric_add_label(SL_METRIC_RECORD_BYTES, part->topic,
                        message->key.size + message->value.size);
    asked = asked_make(engine, message, part, epoch);
    if (!sl_queue_push(engine->to_answerers, asked)) {
        SL_INVARIANT(sl_queue_is_closed(engine->to_answerers));
        asked_free(engine, asked);
    }
}

/* ------------------------------------------------------------------------------ the loop */

/*
 * A commit that waited for a coordinator when the session ran out is sent once there is one, by then in
 * the name of nobody; the broker answers that somebody else has taken this instance's place, and
 * librdkafka 2.0.2 calls that fatal. Nobody has: while the assignment is lost there is nothing to be
 * thrown out of. So a new consumer takes the place. A second daemon of the same name is met as a member,
 * with an assignment, and that stays fatal. With transactions nothing is committed this way.
 */
static void join_again(struct sl_engine *engine)
{
    struct asker *asker = engine->asker;
    struct sl_error err = {0};

    sl_log(SL_LOG_NOTICE, "group_rejoined",
           "the question group's session ran out while its broker was away; joining anew");
    asker->subscribed = false;
    asker->lost = false;
    asker->committing = false;
    asker->in = sl_kafka_in_close(asker->in);
    if (open_consumer(engine, &err) != SL_OK)
        engine_fail(engine, &err);
}

static void complain(struct sl_engine *engine, const struct sl_kafka_event *event)
{
    struct sl_log_fields fields = {
        .topic = event->topic, .partition = event->partition, .kafka_code = event->code_name};
    struct sl_error err = {0};

    sl_metric_add_label(SL_METRIC_KAFKA_ERRORS, event->code_name, 1);
    if (event->type == SL_KAFKA_FATAL && engine->asker->lost && !engine->transactor) {
        join_again(engine);
        return;
    }
    if (event->type == SL_KAFKA_FATAL) {
        sl_metric_add(SL_METRIC_KAFKA_FATAL_ERRORS, 1);
        sl_stop(&err, SL_EXIT_TEMPORARY, event->code, "kafka_fatal",
                "questions consumer: %s (is another daemon running as [queries] instance %s?)",
                event->text, engine->instance);
        engine_fail(engine, &err);
        return;
    }
    if (event->type == SL_KAFKA_GROUP_DENIED)
        engine_denied(engine, SL_TROUBLE_GROUP, "READ", "GROUP",
                      engine->config->queries.group);
    if (event->type == SL_KAFKA_DENIED)
        engine_denied(engine, SL_TROUBLE_QUESTIONS, "READ", "TOPIC",
                      event->topic ? event->topic : engine->config->queries.topics.items[0]);
    if (event->type == SL_KAFKA_DOWN)
        engine->kafka_suspect = true;
    sl_log_with(SL_LOG_INFO, "kafka_error", &fields, "questions consumer: %s", event->text);
}

static void handle(struct sl_engine *engine, const struct sl_kafka_event *event)
{
    if (event->type == SL_KAFKA_RECORD || event->type == SL_KAFKA_EOF)
        engine_trouble_over(engine, SL_TROUBLE_QUESTIONS, event->topic);
    if (event->type == SL_KAFKA_RECORD)
        take_record(engine, &event->message);
    else if (event->type == SL_KAFKA_OUT_OF_RANGE)
        sl_metric_add_label(SL_METRIC_GAP_DETECTED, "retention", 1);
    else if (event->type != SL_KAFKA_NOTHING && event->type != SL_KAFKA_EOF)
        complain(engine, event);
}

static void set_paused(struct sl_engine *engine)
{
    struct asker *asker = engine->asker;
    struct sl_kafka_partition *list = NULL;
    uint32_t open = engine->questions_open, count;
    bool pause = asker->paused ? open > ENGINE_QUESTIONS_MAX / 2 ||
                                     (open > 0 && !sl_budget_questions_are_low(&engine->budget))
                               : open >= ENGINE_QUESTIONS_MAX ||
                                     (open > 0 && sl_budget_questions_are_high(&engine->budget));

    if (pause == asker->paused)
        return;
    count = sl_book_assigned(&engine->questions, &list);
    if (pause)
        sl_kafka_in_pause(asker->in, list, count, NULL);
    else
        sl_kafka_in_resume(asker->in, list, count, NULL);
    free(list);
    asker->paused = pause;
}

/* Ids of answers hang on the cluster's id: no question is taken before it is known. Without topics none ever is. */
static bool is_subscribed(struct sl_engine *engine)
{
    const struct sl_config_list *topics = &engine->config->queries.topics;
    struct sl_error err = {0};

    if (engine->asker->subscribed)
        return true;
    if (!engine->cluster_known || topics->count == 0 || !transactor_is_ready(engine)) {
        engine_sleep(engine, POLL_MS);
        return false;
    }
    if (sl_kafka_in_subscribe(engine->asker->in, topics->items, topics->count, &err) != SL_OK) {
        engine_fail(engine, &err);
        return false;
    }
    engine->asker->subscribed = true;
    return true;
}

void *asker_run(void *context)
{
    struct sl_engine *engine = context;
    struct asker *asker = engine->asker;
    struct sl_heartbeat *heartbeat = sl_heartbeat_open("asker", ENGINE_HEARTBEAT_MS);
    struct sl_kafka_event event;

    while (!engine->stopping) {
        sl_heartbeat_beat(heartbeat);
        if (!is_subscribed(engine))
            continue;
        set_paused(engine);
        sl_kafka_in_poll(asker->in, POLL_MS, &event);
        handle(engine, &event);
        if (clock_us() - asker->commit_us > COMMIT_US && !engine->kafka_down &&
            !engine->kafka_suspect && asker->subscribed) {
            asker->commit_us = clock_us();
            commit(engine, false);
        }
    }
    sl_heartbeat_close(heartbeat);
    return NULL;
}
