/*
 * engine_status.c -- what people and probes are shown: one JSON object, and ready or not.
 *
 * Everything here is read from memory; figures of the index are those of its last commit, so that a
 * status page open in a browser never waits for the disk. Rates are averages since the start: who
 * wants better has /metrics.
 */
#include <stdio.h>

#include <sluice/json.h>

#include "daemon/engine_internal.h"
#include "daemon/resync.h"

static const char *state_of(struct sl_engine *engine)
{
    char reason[8];

    if (engine->stopping)
        return "draining";
    if (engine->paused)
        return "paused";
    return sl_engine_ready(engine, reason, sizeof(reason)) ? "serving" : "recovering";
}

static bool documents_ready(struct sl_engine *engine, char *reason, size_t size)
{
    struct sl_book *book = &engine->documents;
    bool waiting = engine->partitions_waiting > 0; /* asked first: what waits no more is in the book */
    bool ready = true;

    sl_book_lock(book);
    for (uint32_t i = 0; ready && i < book->count; i++) {
        const struct sl_part *part = book->parts[i];

        ready = part->caught_up;
        if (!ready)
            snprintf(reason, size, "%s: %s/%d is at %lld of %lld",
                     part->resync.step ? "reading again after a gap" : "catching up", part->topic,
                     (int)part->partition, (long long)part->committed, (long long)part->target);
    }
    sl_book_unlock(book);
    if (ready && waiting) {
        snprintf(reason, size, "catching up: partitions are being looked at");
        ready = false;
    }
    return ready;
}

static bool is_joined(struct sl_engine *engine, char *reason, size_t size)
{
    int64_t looking_us = engine->looking_since_us;
    const char *plain = NULL;
    char missing[256];

    pthread_mutex_lock(&engine->mutex);
    snprintf(missing, sizeof(missing), "%s", engine->topics_missing);
    pthread_mutex_unlock(&engine->mutex);
    if (engine->kafka_down || !engine->cluster_known)
        plain = "kafka down: no broker can be reached";
    else if (looking_us > 0 && clock_us() - looking_us > TROUBLE_GRACE_US)
        plain = "kafka does not answer: a broker takes connections and stands still";
    else if (!engine->topics_known)
        plain = missing[0] ? missing : "waiting for the topics";
    else if (engine->config->queries.topics.count > 0 && !engine->group_joined)
        plain = "waiting to join the question group";
    if (plain)
        snprintf(reason, size, "%s%s", plain == missing ? "waiting for " : "", plain);
    return !plain;
}

/* The reason is the troubles there are, however young, if there are any. */
bool sl_engine_ready(struct sl_engine *engine, char *reason, size_t size)
{
    struct sl_troubles *troubles = &engine->troubles;
    bool ready = is_joined(engine, reason, size);

    if (engine->failed) {
        snprintf(reason, size, "failed: the log says why");
        return false;
    }
    if (ready)
        ready = !sl_troubles_show(troubles, SL_TROUBLE_LETTERS, clock_us(), TROUBLE_GRACE_US,
                                  reason, size) &&
                documents_ready(engine, reason, size);
    if (ready)
        snprintf(reason, size, "caught up");
    (void)sl_troubles_show(troubles, SL_TROUBLE_COUNT, clock_us(), 0, reason, size);
    return ready;
}

/* ------------------------------------------------------------------------------ the object */

static void add_text(struct sl_buffer *out, const char *name, const char *text)
{
    sl_json_name(out, name);
    sl_json_string(out, sl_view_of(text));
}

static void add_number(struct sl_buffer *out, const char *name, double number)
{
    sl_json_name(out, name);
    sl_json_number(out, number);
}

static void add_bool(struct sl_buffer *out, const char *name, bool value)
{
    sl_json_name(out, name);
    sl_buffer_view(out, value ? SL_VIEW("true") : SL_VIEW("false"));
}

static void add_partitions(struct sl_engine *engine, struct sl_buffer *out)
{
    struct sl_book *book = &engine->documents;

    sl_json_name(out, "partitions");
    sl_buffer_view(out, SL_VIEW("["));
    sl_book_lock(book);
    for (uint32_t i = 0; i < book->count; i++) {
        const struct sl_part *part = book->parts[i];

        sl_buffer_view(out, i ? SL_VIEW(", {") : SL_VIEW("{"));
        add_text(out, "topic", part->topic);
        add_number(out, "partition", part->partition);
        add_number(out, "next_offset", (double)part->committed);
        add_number(out, "high_watermark", (double)part->high);
        add_number(out, "lag_records", (double)sl_part_lag(part));
        add_number(out, "set_aside", (double)part->set_aside);
        add_bool(out, "caught_up", part->caught_up);
        if (resync_word(part))
            add_text(out, "resync", resync_word(part));
        sl_buffer_view(out, SL_VIEW("}"));
    }
    sl_book_unlock(book);
    sl_buffer_view(out, SL_VIEW("]"));
}

static void add_queues(struct sl_engine *engine, struct sl_buffer *out)
{
    const struct sl_budget *budget = &engine->budget;

    sl_json_name(out, "queues");
    sl_buffer_view(out, SL_VIEW("["));
    for (enum sl_stage stage = 0; stage < SL_STAGE_COUNT; stage++) {
        sl_buffer_view(out, stage ? SL_VIEW(", {") : SL_VIEW("{"));
        add_text(out, "name", sl_stage_name(stage));
        add_number(out, "items", (double)budget->items[stage]);
        add_number(out, "items_max",
                   stage <= SL_STAGE_INDEXER ? (double)budget->items_max
                                             : (double)ENGINE_QUESTIONS_MAX);
        add_number(out, "bytes", (double)budget->bytes[stage]);
        add_number(out, "bytes_max", (double)budget->bytes_max);
        sl_buffer_view(out, SL_VIEW("}"));
    }
    sl_buffer_view(out, SL_VIEW("]"));
}

static void add_index(struct sl_engine *engine, struct sl_buffer *out)
{
    struct sl_index_stats stats;

    pthread_mutex_lock(&engine->mutex);
    stats = engine->stats;
    pthread_mutex_unlock(&engine->mutex);
    add_number(out, "documents", (double)stats.documents);
    add_number(out, "copies", (double)stats.copies);
    add_number(out, "chunks", (double)stats.chunks);
    add_number(out, "vectors", (double)stats.vectors_live);
    add_number(out, "disk_bytes", (double)stats.disk_bytes);
    add_number(out, "outbox", (double)stats.outbox);
    add_number(out, "retired_bytes", (double)sl_generation_bytes(engine->config->index.path, SL_GENERATION_RETIRED));
    sl_json_name(out, "compaction");
    compaction_json(engine, out);
    sl_json_name(out, "golden");
    goldens_json(engine, out);
    sl_json_name(out, "reindex");
    reindex_json(engine, out);
}

void sl_engine_status_json(struct sl_engine *engine, struct sl_buffer *out)
{
    double uptime_s = (double)(clock_us() - engine->started_us) / 1e6;
    const char *paused = engine->paused;
    char reason[300], pipeline[SL_PIPELINE_BYTES];
    bool ready = sl_engine_ready(engine, reason, sizeof(reason));

    sl_buffer_view(out, SL_VIEW("{"));
    add_text(out, "version", SLUICE_VERSION);
    add_text(out, "state", state_of(engine));
    add_bool(out, "ready", ready);
    add_text(out, "reason", paused ? paused : reason);
    add_text(out, "instance", engine->instance);
    add_bool(out, "kafka_up", !engine->kafka_down && engine->cluster_known);
    add_index(engine, out);
    add_partitions(engine, out);
    add_queues(engine, out);
    add_number(out, "lag_records", (double)engine->lag_records);
    add_number(out, "questions_open", (double)engine->questions_open);
    add_number(out, "records_per_s", uptime_s > 0 ? (double)engine->records_total / uptime_s : 0);
    add_number(out, "answers_per_s", uptime_s > 0 ? (double)engine->answers_total / uptime_s : 0);
    add_text(out, "model", engine->embedder ? engine->embedder->name : "none");
    add_text(out, "arithmetic", engine->embedder ? engine->embedder->arithmetic : "");
    sl_ingest_pipeline(sl_index_fingerprint(engine->index), pipeline);
    add_text(out, "pipeline", pipeline);
    add_number(out, "uptime_s", uptime_s);
    sl_buffer_view(out, SL_VIEW("}"));
}
