/*
 * mender.c -- damaged documents: taken out by the indexer, read again from Kafka by a thread of their own.
 *
 * A read that meets a damaged record fails and leaves a note in the index. The indexer looks for such notes
 * before each batch and takes the documents out, in one commit; the question that failed waits for that and
 * is answered anew, from what is whole. The document's place in Kafka stays noted in the index. This thread
 * takes a consumer of its own to that place and puts the record among the others; applying it removes the
 * note. A record Kafka does not have any more stays noted: `sluicectl verify` names it.
 *
 * Rejected: moving the feed back to the record (everything after it would be read again).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/log.h"
#include "daemon/mender.h"

#define LOOK_MS      500
#define WAIT_STEP_MS 10u
#define WAITS_MAX    1000u /* of WAIT_STEP_MS */
#define TRIES_MAX    5u
#define FETCH_POLLS  100
#define POLL_MS      100
#define AGAIN_US     30000000 /* before the same record is asked for again */
#define WANTED_MAX   1024u    /* at once */

/* One record to be read again. */
struct wanted {
    char *topic;
    char *key;
    size_t key_size;
    int32_t partition;
    int64_t offset;
    int64_t asked_us; /* 0: not yet; INT64_MAX: Kafka does not have it */
};

struct mender {
    struct sl_engine *engine;
    struct wanted *list;
    uint32_t count;
};

/* ------------------------------------------------------------------------------ taking out */

static bool log_one(void *context, const struct sl_quarantined *document)
{
    char topic[300];
    struct sl_log_fields fields = {.topic = topic, .partition = document->partition,
                                   .has_offset = true, .offset = document->offset,
                                   .reason = "corrupt"};

    (void)context;
    snprintf(topic, sizeof(topic), "%.*s", SL_VIEW_ARG(document->topic));
    sl_log_with(SL_LOG_ERROR, "document_quarantined", &fields,
                "a stored record of the document of %s/%d offset %lld is damaged: it is not served, "
                "and its record is read again",
                topic, (int)document->partition, (long long)document->offset);
    return true;
}

static void log_quarantined(struct sl_engine *engine)
{
    struct sl_snapshot *snapshot = NULL;

    if (sl_snapshot_open(engine->index, &snapshot, NULL) == SL_OK)
        (void)sl_snapshot_quarantined(snapshot, log_one, NULL, NULL);
    sl_snapshot_close(snapshot);
}

enum sl_err mender_take_out(struct sl_engine *engine, struct sl_error *err)
{
    struct sl_batch *batch = NULL;
    uint32_t count = 0;
    enum sl_err r;

    if (sl_index_damaged(engine->index) == 0)
        return SL_AGAIN;
    r = sl_batch_begin(engine->index, &batch, err);
    if (r == SL_OK)
        r = sl_batch_quarantine(batch, &count, err);
    if (r != SL_OK) {
        sl_batch_abort(batch);
        return r;
    }
    r = sl_batch_commit(batch, err);
    if (r == SL_OK) {
        sl_metric_add_label(SL_METRIC_CHECKSUM_FAILURES, "document", count);
        log_quarantined(engine);
    }
    return r;
}

bool mender_wait(struct sl_engine *engine, const struct sl_error *err, uint32_t *tries)
{
    if (strcmp(err->reason, "corrupt") != 0 || ++*tries > TRIES_MAX)
        return false;
    for (uint32_t i = 0; i < WAITS_MAX && sl_index_damaged(engine->index) > 0; i++) {
        if (engine->ending || engine->failed || engine->paused)
            return false;
        engine_sleep(engine, WAIT_STEP_MS);
    }
    return true;
}

/* ------------------------------------------------------------------------------ reading again */

static void forget(struct wanted *wanted)
{
    free(wanted->topic);
    free(wanted->key);
}

static bool is_same(const struct wanted *wanted, const struct sl_quarantined *document)
{
    return wanted->partition == document->partition && wanted->offset == document->offset &&
           wanted->key_size == document->key.size &&
           memcmp(wanted->key, document->key.data, wanted->key_size) == 0 &&
           sl_view_is(document->topic, wanted->topic);
}

struct listing {
    struct mender *mender;
    struct wanted *list;
    uint32_t count;
};

static bool list_one(void *context, const struct sl_quarantined *document)
{
    struct listing *listing = context;
    struct wanted *wanted = &listing->list[listing->count];

    if (document->offset < 0)
        return true; /* imported: no record in Kafka */
    *wanted = (struct wanted){.topic = strndup(document->topic.data, document->topic.size),
                              .key = malloc(document->key.size + 1),
                              .key_size = document->key.size,
                              .partition = document->partition,
                              .offset = document->offset};
    SL_INVARIANT(wanted->topic != NULL && wanted->key != NULL);
    memcpy(wanted->key, document->key.data, document->key.size);
    for (uint32_t i = 0; i < listing->mender->count; i++)
        if (is_same(&listing->mender->list[i], document))
            wanted->asked_us = listing->mender->list[i].asked_us;
    return ++listing->count < WANTED_MAX;
}

/* The list anew from the index; what is known of the old one's records is kept. */
static void list_wanted(struct mender *mender)
{
    struct listing listing = {mender, calloc(WANTED_MAX, sizeof(struct wanted)), 0};
    struct sl_snapshot *snapshot = NULL;

    SL_INVARIANT(listing.list != NULL);
    if (sl_snapshot_open(mender->engine->index, &snapshot, NULL) == SL_OK)
        (void)sl_snapshot_quarantined(snapshot, list_one, &listing, NULL);
    sl_snapshot_close(snapshot);
    for (uint32_t i = 0; i < mender->count; i++)
        forget(&mender->list[i]);
    free(mender->list);
    mender->list = listing.list;
    mender->count = listing.count;
}

static struct sl_part *part_of(struct sl_engine *engine, const struct wanted *wanted)
{
    struct sl_part *part;

    sl_book_lock(&engine->documents);
    part = sl_book_find(&engine->documents, sl_view_of(wanted->topic), wanted->partition, false);
    part = part != NULL && part->assigned ? part : NULL;
    sl_book_unlock(&engine->documents);
    return part;
}

static void log_lost(const struct wanted *wanted)
{
    struct sl_log_fields fields = {.topic = wanted->topic, .partition = wanted->partition,
                                   .has_offset = true, .offset = wanted->offset};

    sl_log_with(SL_LOG_ERROR, "document_lost", &fields,
                "the document of %s/%d offset %lld was damaged, and Kafka does not have its record "
                "any more: write it again",
                wanted->topic, (int)wanted->partition, (long long)wanted->offset);
}

static void take_record(struct sl_engine *engine, struct sl_part *part,
                        const struct sl_message *message)
{
    struct work *work = work_make(engine, message, part);

    SL_INVARIANT(work != NULL);
    work->again = true;
    if (sl_lanes_enter(engine->lanes, &work->lane))
        work_to_workers(engine, work, WORK_READ, false);
}

/* What the event says about the record: true when no more is to be waited for. */
static bool take_event(struct sl_engine *engine, struct sl_part *part, struct wanted *wanted,
                       const struct sl_kafka_event *event)
{
    struct sl_view key = {wanted->key, wanted->key_size};

    switch (event->type) {
    case SL_KAFKA_NOTHING:
    case SL_KAFKA_DOWN:
    case SL_KAFKA_ERROR:
        return false;
    case SL_KAFKA_RECORD:
        if (event->message.offset == wanted->offset && sl_view_equal(event->message.key, key))
            take_record(engine, part, &event->message);
        else
            wanted->asked_us = INT64_MAX;
        return true;
    case SL_KAFKA_FATAL:
        return true;
    default:
        wanted->asked_us = INT64_MAX;
        return true;
    }
}

static void fetch(struct sl_engine *engine, struct sl_part *part, struct wanted *wanted)
{
    struct sl_kafka_partition from = {wanted->topic, wanted->partition, wanted->offset};
    char group[192];
    struct sl_kafka_in_options options = {.group_id = group};
    struct sl_kafka_event event = {.type = SL_KAFKA_NOTHING};
    struct sl_kafka_in *in = NULL;
    bool over = false;

    snprintf(group, sizeof(group), "sluice-docs-%s", engine->instance);
    wanted->asked_us = clock_us();
    if (sl_kafka_in_open(engine->config, &options, &in, NULL) != SL_OK)
        return;
    over = sl_kafka_in_assign(in, &from, 1, NULL) != SL_OK;
    for (int i = 0; i < FETCH_POLLS && !over && !engine->stopping; i++) {
        sl_kafka_in_poll(in, POLL_MS, &event);
        over = take_event(engine, part, wanted, &event);
    }
    sl_kafka_in_close(in);
    if (wanted->asked_us == INT64_MAX)
        log_lost(wanted);
}

static void fetch_due(struct mender *mender)
{
    struct sl_engine *engine = mender->engine;

    for (uint32_t i = 0; i < mender->count && !engine->stopping; i++) {
        struct wanted *wanted = &mender->list[i];
        struct sl_part *part = part_of(engine, wanted);

        if (part != NULL && wanted->asked_us != INT64_MAX &&
            (wanted->asked_us == 0 || clock_us() - wanted->asked_us > AGAIN_US))
            fetch(engine, part, wanted);
    }
}

static bool is_needed(struct sl_engine *engine)
{
    bool needed;

    pthread_mutex_lock(&engine->mutex);
    needed = engine->stats.quarantined > 0;
    pthread_mutex_unlock(&engine->mutex);
    return needed && engine->cluster_known && !engine->kafka_down && !engine->paused;
}

void *mender_run(void *context)
{
    struct mender mender = {.engine = context};

    while (!mender.engine->stopping) {
        if (is_needed(mender.engine)) {
            list_wanted(&mender);
            fetch_due(&mender);
        }
        engine_sleep(mender.engine, LOOK_MS);
    }
    for (uint32_t i = 0; i < mender.count; i++)
        forget(&mender.list[i]);
    free(mender.list);
    return NULL;
}
