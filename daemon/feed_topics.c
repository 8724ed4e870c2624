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
#define TOMBSTONES_MS (24 * 3600 * INT64_C(1000)) /* Kafka's delete.retention.ms unless set */
#define WHOLE_MS      (10 * 60 * INT64_C(1000))   /* a quiet partition's position is stored again */

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
        sl_metric_add_label(SL_METRIC_GAP_DETECTED, "cluster", 1);
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

/* ------------------------------------------------------------------------------ how it is cleaned */

/*
 * The broker's word decides; [documents] cleanup stands in where it may not be asked. `delete` there
 * is a promise of the daemon's, whatever the broker says.
 */
static void judge_policy(struct sl_engine *engine, struct cleanup *cleanup, bool asked,
                         const struct sl_topic_policy *policy)
{
    enum sl_cleanup_policy wanted = engine->config->documents.cleanup;

    cleanup->is_known = true;
    cleanup->is_compact =
        wanted != SL_CLEANUP_DELETE && (asked ? policy->is_compact : wanted == SL_CLEANUP_COMPACT);
    cleanup->tombstones_ms = -1;
    if (cleanup->is_compact)
        cleanup->tombstones_ms = asked ? policy->tombstones_ms : TOMBSTONES_MS;
}

/* False: it could not be asked, and was never known. */
static bool look_at_policy(struct sl_engine *engine, uint32_t topic, struct sl_error *err)
{
    struct cleanup *cleanup = &engine->feed->cleanups[topic];
    struct sl_topic_policy policy = {0};
    enum sl_err r = sl_kafka_in_policy(engine->feed->in, engine->config->documents.topics.items[topic],
                                       ASK_MS, &policy, err);

    if (r == SL_AGAIN)
        return cleanup->is_known;
    if (r == SL_REJECT && strcmp(err->reason, "no_topic") == 0)
        return false;
    judge_policy(engine, cleanup, r == SL_OK, &policy);
    return true;
}

/* ------------------------------------------------------------------------------ topics */

/* Is the feed concerned with it already, be it that its documents are being doubted? */
static bool is_read(struct sl_engine *engine, const char *topic, int32_t partition)
{
    struct sl_part *part;
    bool read;

    sl_book_lock(&engine->documents);
    part = sl_book_find(&engine->documents, sl_view_of(topic), partition, false);
    read = part && (part->assigned || part->resync.step == SL_RESYNC_DOUBT);
    sl_book_unlock(&engine->documents);
    return read;
}

/*
 * A log that shrinks, begins earlier than it did, or was not read to its end for longer than it keeps
 * tombstones: the feed holds the position against it anew. What is behind in time only because the
 * cluster is asked every refresh is not late.
 */
static bool is_suspect(const struct sl_engine *engine, const struct sl_part *part,
                       const struct found *found, int64_t now_ms)
{
    int64_t slack_ms = 4 * (int64_t)engine->feed->refresh_ms;
    int64_t late_ms = found->tombstones_ms > slack_ms ? found->tombstones_ms : slack_ms;

    if (found->high < sl_ledger_end(part->ledger) || found->low < part->low)
        return true;
    return found->tombstones_ms >= 0 && part->resync.step == SL_RESYNC_NONE && part->committed < found->high &&
           now_ms - part->whole_ms > late_ms;
}

static void saw_ends(struct sl_engine *engine, const struct found *found, int64_t now_ms)
{
    struct sl_part *part;

    sl_book_lock(&engine->documents);
    part = sl_book_find(&engine->documents, sl_view_of(found->topic), found->partition, false);
    if (part && part->assigned && is_suspect(engine, part, found, now_ms)) {
        part->is_suspect = true;
        engine->feed->suspects = true;
    } else if (part && part->assigned) {
        part->low = found->low;
        part->high = found->high > part->high ? found->high : part->high;
        part->is_compact = found->is_compact;
        sl_part_mark(part, found->high, now_ms);
        part->dirty |= part->whole_ms - part->whole_stored_ms > WHOLE_MS;
    }
    sl_book_unlock(&engine->documents);
}

/* A topic that went away: what comes under its name next is another one. */
static void lost_topic(struct sl_engine *engine, const char *topic)
{
    struct sl_book *book = &engine->documents;

    sl_book_lock(book);
    for (uint32_t i = 0; i < book->count; i++)
        if (book->parts[i]->assigned && strcmp(book->parts[i]->topic, topic) == 0)
            book->parts[i]->is_suspect = true;
    sl_book_unlock(book);
    engine->feed->suspects = true;
}

static void look_at_partition(struct sl_engine *engine, struct found *found)
{
    saw_ends(engine, found, clock_wall_ms());
    if (!is_read(engine, found->topic, found->partition))
        feed_found(engine, found);
}

/* False: something could not be asked. */
static bool look_at_topic(struct sl_engine *engine, uint32_t topic, struct sl_error *err)
{
    const char *name = engine->config->documents.topics.items[topic];
    const struct cleanup *cleanup = &engine->feed->cleanups[topic];
    uint32_t count = 0;
    bool complete = true;

    if (sl_kafka_in_partitions(engine->feed->in, name, ASK_MS, &count, err) != SL_OK) {
        if (strcmp(err->reason, "no_topic") == 0)
            lost_topic(engine, name);
        return false;
    }
    if (!look_at_policy(engine, topic, err))
        return false;
    for (uint32_t i = 0; i < count && !engine->stopping; i++) {
        struct found found = {.topic = name,
                              .partition = (int32_t)i,
                              .is_compact = cleanup->is_compact,
                              .tombstones_ms = cleanup->tombstones_ms};

        if (sl_kafka_in_query(engine->feed->in, name, found.partition, ASK_MS, &found.low,
                              &found.high, err) == SL_OK)
            look_at_partition(engine, &found);
        else
            complete = false;
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

        if (look_at_topic(engine, i, &err))
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
        engine->feed->ask_again = false;
        bool complete;

        engine->looking_since_us = clock_us();
        complete = engine->cluster_known || check_cluster(engine);
        if (!complete) {
            engine_kafka(engine, false);
        } else {
            engine->kafka_suspect = false;
            complete = look_at_topics(engine);
            engine->topics_known = engine->topics_known || complete;
        }
        engine->looking_since_us = 0;
        for (uint32_t slept = 0; !engine->stopping && !engine->feed->ask_again; slept += 50) {
            bool is_well = complete && !engine->kafka_down && !engine->kafka_suspect;

            if (slept >= (is_well ? refresh_ms : MISSING_MS))
                break;
            engine_sleep(engine, 50);
        }
    }
    return NULL;
}
