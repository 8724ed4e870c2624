/*
 * feed_start.c -- where reading a partition begins, and what happens when its position is not in
 * the log.
 *
 * A stored position must be in the log. Reading starts one record earlier, at the last record known
 * to be done, whose checksum was stored: another record in its place means another topic under the
 * same name. A position before the log's beginning is a gap (retention took what was never read),
 * one behind its end a topic cut short or made anew.
 */
#include <string.h>

#include <sluice/limits.h>

#include "daemon/feed.h"
#include "daemon/log.h"

/* ------------------------------------------------------------------------------ gaps */

/*
 * Records that were never read are gone, or the topic is not the one it was. Only the first can be
 * lived with: with on_gap = continue reading goes on from the log's beginning. Behind a recreated
 * topic old offsets would count as older than what is stored, and everything new would be dropped
 * as stale; that always ends the program. True: go on.
 */
bool feed_gap(struct sl_engine *engine, const struct sl_part *part, const struct feed_gap *found)
{
    struct sl_log_fields fields = {.topic = part->topic,
                                   .partition = part->partition,
                                   .has_offset = true,
                                   .offset = found->stored};
    struct settings settings;
    struct sl_error err = {0};

    engine_settings(engine, &settings);
    sl_metric_add_label(SL_METRIC_GAP_DETECTED, found->kind, 1);
    if (strcmp(found->kind, "retention") == 0 && settings.on_gap == SL_ON_GAP_CONTINUE) {
        sl_log_with(SL_LOG_WARNING, "gap_skipped", &fields,
                    "%s/%d: stored position %lld, the log begins at %lld: %lld offsets were never "
                    "read and are gone; "
                    "going on from %lld, as on_gap = continue says",
                    part->topic, (int)part->partition, (long long)found->stored,
                    (long long)found->low, (long long)(found->low - found->stored),
                    (long long)found->low);
        return true;
    }
    sl_stop(&err, SL_EXIT_CONFIG, 0, "gap",
            "%s/%d: stored position %lld, the log is %lld to %lld (%s): %s", part->topic,
            (int)part->partition, (long long)found->stored, (long long)found->low,
            (long long)found->high, found->kind,
            strcmp(found->kind, "retention") == 0
                ? "records were lost unread; on_gap = continue goes on without them"
                : "this is not the topic the index was made from; give it a new [index] path");
    sl_log_with(SL_LOG_ERROR, "gap_detected", &fields, "%s", err.message);
    engine_fail(engine, &err);
    return false;
}

/* ------------------------------------------------------------------------------ a new partition */

/* Where the index says the partition stands. SL_REJECT: never read. */
static enum sl_err restore(struct sl_engine *engine, const struct found *found,
                           struct sl_ledger **ret_ledger, struct sl_position *ret_position,
                           struct sl_error *err)
{
    struct sl_arena *arena = sl_arena_open(SL_ARENA_BYTES_MAX);
    struct sl_snapshot *snapshot = NULL;
    enum sl_err r;

    SL_INVARIANT(arena != NULL);
    r = sl_snapshot_open(engine->index, &snapshot, err);
    if (r == SL_OK)
        r = sl_snapshot_position(snapshot, sl_view_of(found->topic), found->partition, arena,
                                 ret_position, err);
    if (r == SL_OK)
        *ret_ledger = sl_ledger_make(ret_position);
    sl_snapshot_close(snapshot);
    sl_arena_close(arena);
    return r;
}

static struct sl_part *enter(struct sl_engine *engine, const struct found *found,
                             struct sl_ledger *ledger, const struct sl_position *position)
{
    struct sl_part *part;

    sl_book_lock(&engine->documents);
    part = sl_book_find(&engine->documents, sl_view_of(found->topic), found->partition, true);
    sl_ledger_free(part->ledger);
    part->ledger = ledger;
    part->low = found->low;
    part->high = found->high;
    part->target = found->high;
    part->committed = position ? position->next_offset : found->low;
    part->newest_ms = position ? position->record_timestamp_ms : -1;
    if (position && position->record_offset >= found->low)
        part->expected = (struct sl_fingerprint){
            position->record_offset, position->record_timestamp_ms, position->record_crc};
    if (!position || position->next_offset < found->low) {
        sl_ledger_skip(ledger, found->low);
        part->committed = found->low;
        part->dirty = position != NULL;
    }
    if (found->high <= found->low)
        part->eof_at = part->committed;
    sl_part_settle(part);
    part->assigned = true;
    part->paused = NULL;
    sl_book_unlock(&engine->documents);
    return part;
}

static bool position_holds(struct sl_engine *engine, const struct found *found,
                           const struct sl_position *position)
{
    struct sl_part part = {.topic = (char *)(uintptr_t)found->topic, .partition = found->partition};
    struct feed_gap seen = {"retention", position->next_offset, found->low, found->high};

    if (position->next_offset > found->high) {
        seen.kind = "truncated";
        return feed_gap(engine, &part, &seen);
    }
    return position->next_offset >= found->low || feed_gap(engine, &part, &seen);
}

static void begin(struct sl_engine *engine, const struct found *found)
{
    struct sl_position position;
    struct sl_ledger *ledger = NULL;
    struct sl_error err = {0};
    enum sl_err r = restore(engine, found, &ledger, &position, &err);
    struct sl_kafka_partition from = {found->topic, found->partition, found->low};
    struct sl_part *part;

    if (r == SL_AGAIN)
        return; /* it will be found again */
    if (r == SL_STOP) {
        engine_fail(engine, &err);
        return;
    }
    if (r == SL_OK && !position_holds(engine, found, &position)) {
        sl_ledger_free(ledger);
        return;
    }
    if (r == SL_REJECT)
        ledger = sl_ledger_make(NULL);
    SL_INVARIANT(ledger != NULL);
    part = enter(engine, found, ledger, r == SL_OK ? &position : NULL);
    from.offset = part->expected.offset >= 0 ? part->expected.offset : part->committed;
    if (sl_kafka_in_assign(engine->feed->in, &from, 1, &err) != SL_OK) {
        engine_fail(engine, &err);
        return;
    }
    sl_log(SL_LOG_INFO, "partition_assigned", "%s/%d: reading from %lld, the log is %lld to %lld",
           found->topic, (int)found->partition, (long long)part->committed, (long long)found->low,
           (long long)found->high);
}

void feed_start(struct sl_engine *engine)
{
    struct feed *feed = engine->feed;

    for (;;) {
        struct found found;

        pthread_mutex_lock(&feed->mutex);
        if (feed->found_count == 0) {
            pthread_mutex_unlock(&feed->mutex);
            return;
        }
        found = feed->found[--feed->found_count];
        pthread_mutex_unlock(&feed->mutex);
        begin(engine, &found);
    }
}
