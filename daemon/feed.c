/*
 * feed.c -- one thread reads the documents: assign, poll, ledger, lanes.
 *
 * There is no group: every document partition is read from the position stored with the documents
 * themselves, so a crash can neither lose nor repeat one, and no rebalance ever moves state. The
 * thread waits at most 100 ms in any call. When partitions pause and resume is in feed_pause.c; where a
 * partition begins, and what happens when its position is not in the log, in feed_start.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sluice/hash.h>
#include <sluice/limits.h>

#include "daemon/feed.h"
#include "daemon/log.h"

#define POLL_MS          100
#define TICK_US          1000000
#define LAG_COMMIT_US    5000000
#define REFRESH_MS       30000
#define PATIENCE_STEP_US 2000

/* ------------------------------------------------------------------------------ open and close */

static uint32_t refresh_ms(const struct sl_config *config)
{
    const char *text = sl_kafka_property(config, "topic.metadata.refresh.interval.ms");
    long ms = text ? strtol(text, NULL, 10) : 0;

    return ms > 0 ? (uint32_t)ms : REFRESH_MS;
}

enum sl_err feed_open(struct sl_engine *engine, struct sl_error *err)
{
    const char *lag_group = engine->config->documents.lag_group;
    char group[192];
    struct sl_kafka_watch watch;
    struct sl_kafka_in_options options = {
        .fetch_bytes = engine->fetch_bytes, .group_id = group, .watch = &watch};
    struct feed *feed = calloc(1, sizeof(*feed));

    SL_INVARIANT(feed != NULL);
    if (lag_group && lag_group[0])
        snprintf(group, sizeof(group), "%s", lag_group);
    else
        snprintf(group, sizeof(group), "sluice-docs-%s", engine->instance);
    pthread_mutex_init(&feed->mutex, NULL);
    feed->refresh_ms = refresh_ms(engine->config);
    feed->cleanups = calloc(engine->config->documents.topics.count + 1u, sizeof(*feed->cleanups));
    SL_INVARIANT(feed->cleanups != NULL);
    engine->feed = feed;
    engine_watch(engine, &watch);
    return sl_kafka_in_open(engine->config, &options, &feed->in, err);
}

void feed_close(struct sl_engine *engine)
{
    struct feed *feed = engine->feed;

    if (!feed)
        return;
    sl_kafka_in_close(feed->in);
    pthread_mutex_destroy(&feed->mutex);
    free(feed->found);
    free(feed->cleanups);
    free(feed);
    engine->feed = NULL;
}

void feed_found(struct sl_engine *engine, const struct found *found)
{
    struct feed *feed = engine->feed;
    bool known = false;

    pthread_mutex_lock(&feed->mutex);
    for (uint32_t i = 0; i < feed->found_count; i++)
        known |= feed->found[i].partition == found->partition &&
                 strcmp(feed->found[i].topic, found->topic) == 0;
    if (!known) {
        if (feed->found_count == feed->found_capacity) {
            feed->found_capacity = feed->found_capacity ? feed->found_capacity * 2 : 16;
            feed->found = realloc(feed->found, feed->found_capacity * sizeof(*feed->found));
            SL_INVARIANT(feed->found != NULL);
        }
        feed->found[feed->found_count++] = *found;
        engine->partitions_waiting++;
    }
    pthread_mutex_unlock(&feed->mutex);
}

/* ------------------------------------------------------------------------------ events */

static struct sl_fingerprint fingerprint_of(const struct sl_message *message)
{
    uint32_t crc = sl_crc32c(0, message->key.data, message->key.size);

    crc = sl_crc32c(crc, message->value.data, message->value.size);
    return (struct sl_fingerprint){message->offset, message->timestamp_ms, crc};
}

/* Is the record where the last one was done still that record? True: go on. */
static bool check_expected(struct sl_engine *engine, struct sl_part *part,
                           const struct sl_fingerprint *seen)
{
    struct sl_fingerprint expected = part->expected;

    if (expected.offset < 0)
        return true;
    part->expected.offset = -1;
    if (seen->offset != expected.offset ||
        (seen->crc == expected.crc && seen->timestamp_ms == expected.timestamp_ms))
        return true;
    return feed_recreated(engine, part, &expected, seen);
}

static void count_record(const struct sl_message *message, const char *topic)
{
    sl_metric_add_label(SL_METRIC_RECORDS_CONSUMED, topic, 1);
    sl_metric_add_label(SL_METRIC_RECORD_BYTES, topic, message->key.size + message->value.size);
}

static void take_record(struct sl_engine *engine, const struct sl_message *message)
{
    struct sl_fingerprint seen = fingerprint_of(message);
    struct sl_part *part;
    struct work *work;
    bool fresh;

    sl_book_lock(&engine->documents);
    part = sl_book_find(&engine->documents, message->topic, message->partition, false);
    sl_book_unlock(&engine->documents);
    if (!part || !part->assigned || !check_expected(engine, part, &seen))
        return;
    sl_book_lock(&engine->documents);
    fresh = sl_ledger_deliver(part->ledger, &seen);
    part->dirty |= !fresh;
    if (part->high <= seen.offset)
        part->high = seen.offset + 1;
    sl_book_unlock(&engine->documents);
    count_record(message, part->topic);
    engine->records_total++;
    if (!fresh) {
        sl_metric_add_label(SL_METRIC_RECORDS_DEDUPLICATED, part->topic, 1);
        return;
    }
    engine->feed->last = part;
    work = work_make(engine, message, part);
    SL_INVARIANT(work != NULL);
    if (sl_lanes_enter(engine->lanes, &work->lane))
        work_to_workers(engine, work, WORK_READ, false);
}

static struct sl_part *part_of(struct sl_engine *engine, const struct sl_kafka_event *event)
{
    struct sl_part *part = NULL;

    if (event->topic) {
        sl_book_lock(&engine->documents);
        part = sl_book_find(&engine->documents, sl_view_of(event->topic), event->partition, false);
        sl_book_unlock(&engine->documents);
    }
    return part;
}

static void reach_end(struct sl_engine *engine, const struct sl_kafka_event *event)
{
    struct sl_part *part = part_of(engine, event);

    if (!part)
        return;
    sl_book_lock(&engine->documents);
    /* What lies between the last record and the end is control records and aborted data. */
    part->dirty |= sl_ledger_skip(part->ledger, event->offset);
    part->eof_at = sl_ledger_end(part->ledger);
    if (event->offset > part->high)
        part->high = event->offset;
    sl_part_settle(part);
    sl_book_unlock(&engine->documents);
    engine_kafka(engine, true);
}

/* What we wanted next is not in the log, or the topic went away: hold the position against it anew. */
static void lose_place(struct sl_engine *engine, const struct sl_kafka_event *event)
{
    struct sl_part *part = part_of(engine, event);

    if (part && part->assigned)
        feed_reopen(engine, part);
}

static void complain(struct sl_engine *engine, const struct sl_kafka_event *event)
{
    struct sl_log_fields fields = {
        .topic = event->topic, .partition = event->partition, .kafka_code = event->code_name};
    struct sl_error err = {0};

    sl_metric_add_label(SL_METRIC_KAFKA_ERRORS, event->code_name, 1);
    if (event->type == SL_KAFKA_FATAL) {
        sl_metric_add(SL_METRIC_KAFKA_FATAL_ERRORS, 1);
        sl_stop(&err, SL_EXIT_TEMPORARY, event->code, "kafka_fatal", "documents consumer: %s",
                event->text);
        engine_fail(engine, &err);
        return;
    }
    if (event->type == SL_KAFKA_DENIED && event->topic)
        engine_denied(engine, SL_TROUBLE_DOCUMENTS, "READ", "TOPIC", event->topic);
    if (event->type == SL_KAFKA_DOWN)
        engine->kafka_suspect = true;
    sl_log_with(SL_LOG_INFO, "kafka_error", &fields, "documents consumer: %s", event->text);
}

static void handle(struct sl_engine *engine, const struct sl_kafka_event *event)
{
    if (event->type == SL_KAFKA_RECORD || event->type == SL_KAFKA_EOF)
        engine_trouble_over(engine, SL_TROUBLE_DOCUMENTS, event->topic);
    switch (event->type) {
    case SL_KAFKA_NOTHING:
        break;
    case SL_KAFKA_RECORD:
        take_record(engine, &event->message);
        break;
    case SL_KAFKA_EOF:
        reach_end(engine, event);
        break;
    case SL_KAFKA_OUT_OF_RANGE:
        lose_place(engine, event);
        break;
    case SL_KAFKA_NO_TOPIC:
        lose_place(engine, event);
        complain(engine, event);
        break;
    default:
        complain(engine, event);
    }
}

/* ------------------------------------------------------------------------------ once a second */

static void show_part(struct sl_part *part, int64_t now_ms)
{
    int64_t lag = sl_part_lag(part);
    double behind =
        lag > 0 && part->newest_ms > 0 ? (double)(now_ms - part->newest_ms) / 1000.0 : 0;

    sl_metric_set_partition(SL_METRIC_PARTITION_NEXT_OFFSET, part->topic, part->partition,
                            (double)part->committed);
    sl_metric_set_partition(SL_METRIC_PARTITION_HIGH_WATERMARK, part->topic, part->partition,
                            (double)part->high);
    sl_metric_set_partition(SL_METRIC_PARTITION_LAG_RECORDS, part->topic, part->partition,
                            (double)lag);
    sl_metric_set_partition(SL_METRIC_PARTITION_LAG_SECONDS, part->topic, part->partition,
                            behind > 0 ? behind : 0);
    sl_metric_set_partition(SL_METRIC_PARTITION_CAUGHT_UP, part->topic, part->partition,
                            sl_part_settle(part));
    sl_metric_set_partition(SL_METRIC_COMPLETED_BEYOND_FRONTIER, part->topic, part->partition,
                            sl_ledger_beyond_count(part->ledger));
}

static void show_parts(struct sl_engine *engine)
{
    struct sl_book *book = &engine->documents;
    int64_t now_ms = clock_wall_ms(), lag = engine->topics_known ? 0 : -1;

    sl_book_lock(book);
    for (uint32_t i = 0; i < book->count; i++) {
        struct sl_part *part = book->parts[i];
        int64_t low, high;

        if (sl_kafka_in_watermarks(engine->feed->in, part->topic, part->partition, &low, &high) &&
            high > part->high)
            part->high = high;
        show_part(part, now_ms);
        lag += lag >= 0 && sl_part_lag(part) > 0 ? sl_part_lag(part) : 0;
    }
    sl_book_unlock(book);
    engine->lag_records = lag;
}

static void show_stages(struct sl_engine *engine)
{
    for (enum sl_stage stage = 0; stage < SL_STAGE_COUNT; stage++) {
        sl_metric_set_label(SL_METRIC_INFLIGHT_RECORDS, sl_stage_name(stage),
                            (double)engine->budget.items[stage]);
        sl_metric_set_label(SL_METRIC_INFLIGHT_BYTES, sl_stage_name(stage),
                            (double)engine->budget.bytes[stage]);
    }
}

static void tick(struct sl_engine *engine)
{
    struct feed *feed = engine->feed;
    struct sl_kafka_partition *list = NULL;
    int64_t now = clock_us();
    uint32_t count;

    if (now - feed->tick_us < TICK_US)
        return;
    feed->tick_us = now;
    show_parts(engine);
    show_stages(engine);
    if (now - feed->lag_commit_us < LAG_COMMIT_US)
        return;
    feed->lag_commit_us = now;
    sl_metric_set(SL_METRIC_KAFKA_POLL_INTERVAL, (double)feed->poll_max_us / 1e6);
    feed->poll_max_us = 0;
    count = sl_book_assigned(&engine->documents, &list);
    if (count > 0 && !engine->kafka_down)
        sl_kafka_in_commit(feed->in, list, count, false,
                           NULL); /* for lag tools only; never read back */
    free(list);
}

static void poll_once(struct sl_engine *engine)
{
    struct feed *feed = engine->feed;
    struct sl_kafka_event event;
    int64_t now = clock_us();

    if (feed->poll_us && now - feed->poll_us > feed->poll_max_us)
        feed->poll_max_us = now - feed->poll_us;
    feed->poll_us = now;
    sl_kafka_in_poll(feed->in, POLL_MS, &event);
    handle(engine, &event);
}

/* How far each partition is whole goes with the last batch: an outage is counted from there. */
static void store_whole(struct sl_engine *engine)
{
    struct sl_book *book = &engine->documents;

    sl_book_lock(book);
    for (uint32_t i = 0; i < book->count; i++)
        book->parts[i]->dirty |= book->parts[i]->assigned &&
                                 book->parts[i]->whole_ms > book->parts[i]->whole_stored_ms;
    sl_book_unlock(book);
}

void *feed_run(void *context)
{
    struct sl_engine *engine = context;
    struct sl_heartbeat *heartbeat = sl_heartbeat_open("feed", ENGINE_HEARTBEAT_MS);

    while (!engine->stopping) {
        sl_heartbeat_beat(heartbeat);
        feed_reopen_suspects(engine);
        feed_start(engine);
        if (feed_pause(engine))
            usleep(PATIENCE_STEP_US);
        else
            poll_once(engine);
        tick(engine);
    }
    store_whole(engine);
    sl_heartbeat_close(heartbeat);
    return NULL;
}
