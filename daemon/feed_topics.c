/*
 * feed_topics.c -- a thread that asks the cluster what there is, so that the one that polls never
 * waits for it.
 *
 * Every [kafka] topic.metadata.refresh.interval.ms (30 s unless set): how many partitions each
 * documents topic has, and where each begins and ends. A partition not yet read is handed to the
 * feed; a topic that is not there yet is asked for again, more often. The cluster's id is asked
 * once: every id the daemon makes hangs on it, and an index that belongs to another cluster must
 * not be touched.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/hash.h>

#include "daemon/feed.h"
#include "daemon/log.h"

#define ASK_MS       2000
#define MISSING_MS   300u
#define CLUSTER_NOTE "cluster_id"

static enum sl_err stored_cluster(struct sl_engine *engine, char *ret_id, size_t room,
                                  struct sl_error *err)
{
    struct sl_snapshot *snapshot = NULL;
    struct sl_view value = SL_VIEW_NULL;
    enum sl_err r = sl_snapshot_open(engine->index, &snapshot, err);

    if (r != SL_OK)
        return r;
    r = sl_snapshot_row(snapshot, SL_TABLE_NOTE, SL_VIEW(CLUSTER_NOTE), &value, err);
    if (r == SL_OK)
        snprintf(ret_id, room, "%.*s", SL_VIEW_ARG(value));
    sl_snapshot_close(snapshot);
    return r;
}

static void know_cluster(struct sl_engine *engine, const char *id)
{
    pthread_mutex_lock(&engine->mutex);
    snprintf(engine->cluster_id, sizeof(engine->cluster_id), "%s", id);
    sl_uuid5_bytes(NULL, sl_view_of(id), engine->cluster_space);
    pthread_mutex_unlock(&engine->mutex);
    engine->cluster_known = true;
    sl_log(SL_LOG_INFO, "cluster_known", "connected to Kafka cluster %s", id);
}

/* False: ask again later, or never. */
static bool check_cluster(struct sl_engine *engine)
{
    char id[128], stored[128];
    struct sl_error err = {0};
    enum sl_err r;

    if (sl_kafka_in_cluster_id(engine->feed->in, ASK_MS, id, &err) != SL_OK)
        return false;
    r = stored_cluster(engine, stored, sizeof(stored), &err);
    if (r == SL_REJECT) {
        row_submit(engine, row_make(SL_TABLE_NOTE, SL_VIEW(CLUSTER_NOTE), sl_view_of(id)));
        know_cluster(engine, id);
        return true;
    }
    if (r == SL_OK && strcmp(stored, id) == 0) {
        know_cluster(engine, id);
        return true;
    }
    if (r == SL_OK) {
        sl_metric_add_label(SL_METRIC_GAP_DETECTED, "recreated", 1);
        sl_stop(&err, SL_EXIT_CONFIG, 0, "foreign_cluster",
                "index %s holds documents of Kafka cluster %s, and [kafka] leads to cluster %s: "
                "use another "
                "[index] path, or the cluster it was made from",
                engine->config->index.path, stored, id);
    }
    if (r != SL_AGAIN)
        engine_fail(engine, &err);
    return false;
}

static bool is_read(struct sl_engine *engine, const char *topic, int32_t partition)
{
    struct sl_part *part;
    bool assigned;

    sl_book_lock(&engine->documents);
    part = sl_book_find(&engine->documents, sl_view_of(topic), partition, false);
    assigned = part && part->assigned;
    sl_book_unlock(&engine->documents);
    return assigned;
}

static void saw_ends(struct sl_engine *engine, const struct found *found)
{
    struct sl_part *part;

    sl_book_lock(&engine->documents);
    part = sl_book_find(&engine->documents, sl_view_of(found->topic), found->partition, false);
    if (part) {
        part->low = found->low > part->low ? found->low : part->low;
        part->high = found->high > part->high ? found->high : part->high;
    }
    sl_book_unlock(&engine->documents);
}

/* False: something could not be asked. */
static bool look_at_topic(struct sl_engine *engine, const char *topic, struct sl_error *err)
{
    uint32_t count = 0;
    bool complete = true;

    if (sl_kafka_in_partitions(engine->feed->in, topic, ASK_MS, &count, err) != SL_OK)
        return false;
    for (uint32_t i = 0; i < count && !engine->stopping; i++) {
        struct found found = {.topic = topic, .partition = (int32_t)i};

        if (sl_kafka_in_query(engine->feed->in, topic, found.partition, ASK_MS, &found.low,
                              &found.high, err) != SL_OK) {
            complete = false;
            continue;
        }
        saw_ends(engine, &found);
        if (!is_read(engine, topic, found.partition))
            feed_found(engine->feed, &found);
    }
    return complete && count > 0;
}

static void say_missing(struct sl_engine *engine, const char *missing)
{
    bool news;

    pthread_mutex_lock(&engine->mutex);
    news = strcmp(engine->topics_missing, missing) != 0;
    snprintf(engine->topics_missing, sizeof(engine->topics_missing), "%s", missing);
    pthread_mutex_unlock(&engine->mutex);
    if (news && missing[0])
        sl_log(SL_LOG_NOTICE, "topics_missing", "waiting for %s", missing);
}

static bool look_at_topics(struct sl_engine *engine)
{
    const struct sl_config_list *topics = &engine->config->documents.topics;
    char missing[256] = "";
    bool complete = true;

    for (uint32_t i = 0; i < topics->count && !engine->stopping; i++) {
        struct sl_error err = {0};

        if (look_at_topic(engine, topics->items[i], &err))
            continue;
        complete = false;
        engine_kafka(engine, !sl_kafka_is_away(&err));
        if (strcmp(err.reason, "denied") == 0)
            engine_denied(engine, SL_TROUBLE_DOCUMENTS, "READ", "TOPIC", topics->items[i]);
        snprintf(missing, sizeof(missing), "topic %.100s: %.140s", topics->items[i], err.message);
    }
    if (complete)
        engine_kafka(engine, true);
    say_missing(engine, missing);
    return complete;
}

void *feed_topics_run(void *context)
{
    struct sl_engine *engine = context;
    uint32_t refresh_ms = engine->feed->refresh_ms;

    while (!engine->stopping) {
        bool complete = engine->cluster_known || check_cluster(engine);

        if (!complete) {
            engine_kafka(engine, false);
        } else {
            engine->kafka_suspect = false;
            complete = look_at_topics(engine);
            engine->topics_known = engine->topics_known || complete;
        }
        for (uint32_t slept = 0; !engine->stopping; slept += 50) {
            bool is_well = complete && !engine->kafka_down && !engine->kafka_suspect;

            if (slept >= (is_well ? refresh_ms : MISSING_MS))
                break;
            engine_sleep(engine, 50);
        }
    }
    return NULL;
}
