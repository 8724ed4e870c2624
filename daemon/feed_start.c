/*
 * feed_start.c -- where reading a partition begins.
 *
 * A stored position must be in the log. Reading starts one record earlier, at the last record known
 * to be done, whose checksum was stored: another record in its place means another topic under the
 * same name. What does not hold is a gap (feed_gap.c).
 *
 * There is one way in. A position that turns out wrong while the daemon runs (out of range, a topic
 * that went away) is not mended on the spot: the partition is taken out, what is under way of it
 * drains, and it is found and judged again like at a start.
 */
#include <stdio.h>
#include <string.h>

#include <sluice/limits.h>

#include "daemon/feed.h"
#include "daemon/log.h"
#include "daemon/resync.h"

/* What the index says of a partition. */
struct restored {
    bool is_known;
    struct sl_position position;
    struct sl_ledger *ledger;
    struct sl_resync resync;
};

static enum sl_err read_index(const struct sl_snapshot *snapshot, const struct found *found,
                              struct sl_arena *arena, struct restored *ret, struct sl_error *err)
{
    struct sl_view topic = sl_view_of(found->topic);
    enum sl_err r = resync_stored(snapshot, topic, found->partition, &ret->resync, err);

    if (r != SL_OK)
        return r;
    r = sl_snapshot_position(snapshot, topic, found->partition, arena, &ret->position, err);
    ret->is_known = r == SL_OK;
    if (r != SL_OK && r != SL_REJECT)
        return r;
    ret->ledger = sl_ledger_make(ret->is_known ? &ret->position : NULL);
    SL_INVARIANT(ret->ledger != NULL);
    return SL_OK;
}

static enum sl_err restore(struct sl_engine *engine, const struct found *found,
                           struct restored *ret, struct sl_error *err)
{
    struct sl_arena *arena = sl_arena_open(SL_ARENA_BYTES_MAX);
    struct sl_snapshot *snapshot = NULL;
    enum sl_err r;

    SL_INVARIANT(arena != NULL);
    r = sl_snapshot_open(engine->index, &snapshot, err);
    if (r == SL_OK)
        r = read_index(snapshot, found, arena, ret, err);
    sl_snapshot_close(snapshot);
    sl_arena_close(arena);
    return r;
}

/* ------------------------------------------------------------------------------ judging */

/* GAP_GO_ON: it holds, or it need not. */
static enum gap_action judge(struct sl_engine *engine, const struct found *found,
                             const struct restored *restored, bool *ret_gap)
{
    const struct sl_position *position = &restored->position;
    bool rereads = restored->resync.step == SL_RESYNC_READ; /* or it would never end */
    struct gap gap = {.kind = NULL, .stored = position->next_offset};
    int64_t away_ms = clock_wall_ms() - position->wall_ms;

    if (position->next_offset > found->high) {
        gap.kind = "truncated";
    } else if (position->next_offset < found->low) {
        gap.kind = "retention";
    } else if (found->tombstones_ms >= 0 && position->next_offset < found->high && !rereads &&
               away_ms > found->tombstones_ms) {
        gap.kind = "tombstone";
        snprintf(gap.detail, sizeof(gap.detail),
                 "its end was last reached %lld s ago, and tombstones stay for %lld s",
                 (long long)away_ms / 1000, (long long)found->tombstones_ms / 1000);
    }
    *ret_gap = gap.kind != NULL;
    return gap.kind ? feed_gap(engine, found, &gap) : GAP_GO_ON;
}

/* Read again from the beginning. */
static void reread(struct sl_engine *engine, const struct found *found, bool sweeps)
{
    struct sl_resync resync = {.step = SL_RESYNC_DOUBT, .sweeps = sweeps};
    struct sl_part *part;

    sl_book_lock(&engine->documents);
    part = sl_book_find(&engine->documents, sl_view_of(found->topic), found->partition, true);
    resync.generation = part->resync.generation + 1;
    resync_begin(part, &resync, found->low, found->high, clock_wall_ms());
    sl_book_unlock(&engine->documents);
}

/* Take it out of Kafka's assignment; the book still knows it. */
static void drop(struct sl_engine *engine, struct sl_part *part)
{
    struct sl_kafka_partition at = {part->topic, part->partition, 0};
    struct sl_error err = {0};

    sl_book_lock(&engine->documents);
    part->assigned = part->is_suspect = false;
    sl_book_unlock(&engine->documents);
    if (sl_kafka_in_unassign(engine->feed->in, &at, 1, &err) != SL_OK)
        engine_fail(engine, &err);
}

void feed_reopen(struct sl_engine *engine, struct sl_part *part)
{
    drop(engine, part);
    engine->feed->ask_again = true;
}

static struct sl_part *next_suspect(struct sl_engine *engine)
{
    struct sl_book *book = &engine->documents;
    struct sl_part *found = NULL;

    sl_book_lock(book);
    for (uint32_t i = 0; !found && i < book->count; i++)
        if (book->parts[i]->is_suspect && book->parts[i]->assigned)
            found = book->parts[i];
    sl_book_unlock(book);
    return found;
}

void feed_reopen_suspects(struct sl_engine *engine)
{
    struct sl_part *part;

    if (!engine->feed->suspects)
        return;
    engine->feed->suspects = false;
    while ((part = next_suspect(engine)))
        feed_reopen(engine, part);
}

bool feed_recreated(struct sl_engine *engine, struct sl_part *part,
                    const struct sl_fingerprint *stored, const struct sl_fingerprint *seen)
{
    struct found found = {.topic = part->topic, .partition = part->partition};
    struct gap gap = {.kind = "recreated", .stored = stored->offset};
    enum gap_action action;

    sl_book_lock(&engine->documents);
    found.low = part->low;
    found.high = part->high;
    found.is_compact = part->is_compact;
    sl_book_unlock(&engine->documents);
    snprintf(gap.detail, sizeof(gap.detail),
             "its record had time %lld and checksum %08x, the one there now %lld and %08x",
             (long long)stored->timestamp_ms, (unsigned)stored->crc, (long long)seen->timestamp_ms,
             (unsigned)seen->crc);
    action = feed_gap(engine, &found, &gap);
    drop(engine, part);
    if (action != GAP_STOP)
        reread(engine, &found, action == GAP_RESYNC);
    return false;
}

/* ------------------------------------------------------------------------------ a new partition */

static struct sl_part *enter(struct sl_engine *engine, const struct found *found,
                             const struct restored *restored, bool gap)
{
    const struct sl_position *position = restored->is_known ? &restored->position : NULL;
    int64_t now_ms = clock_wall_ms();
    struct sl_part *part;

    sl_book_lock(&engine->documents);
    part = sl_book_find(&engine->documents, sl_view_of(found->topic), found->partition, true);
    sl_ledger_free(part->ledger);
    part->ledger = restored->ledger;
    part->low = found->low;
    part->high = part->target = found->high;
    part->committed = position ? position->next_offset : found->low;
    part->newest_ms = position ? position->record_timestamp_ms : -1;
    part->whole_ms = part->whole_stored_ms = position && !gap ? position->wall_ms : now_ms;
    part->eof_at = part->storing = part->mark_high = part->expected.offset = -1;
    part->is_compact = found->is_compact;
    part->dirty = gap;
    part->resync = restored->resync;
    if (position && position->record_offset >= found->low)
        part->expected = (struct sl_fingerprint){
            position->record_offset, position->record_timestamp_ms, position->record_crc};
    if (!position || position->next_offset < found->low) {
        sl_ledger_skip(part->ledger, found->low);
        part->committed = found->low;
    }
    if (found->high <= found->low)
        part->eof_at = part->committed;
    if (part->resync.step == SL_RESYNC_READ)
        part->caught_up = false;
    sl_part_mark(part, found->high, now_ms);
    part->paused = NULL; /* assigning resumes */
    part->assigned = true;
    sl_book_unlock(&engine->documents);
    return part;
}

static void assign(struct sl_engine *engine, const struct found *found,
                   const struct restored *restored, bool gap)
{
    struct sl_part *part = enter(engine, found, restored, gap);
    struct sl_kafka_partition from = {found->topic, found->partition,
                                      part->expected.offset >= 0 ? part->expected.offset
                                                                 : part->committed};
    struct sl_error err = {0};

    if (sl_kafka_in_assign(engine->feed->in, &from, 1, &err) != SL_OK) {
        engine_fail(engine, &err);
        return;
    }
    sl_log(SL_LOG_INFO, "partition_assigned", "%s/%d: reading from %lld, the log is %lld to %lld",
           found->topic, (int)found->partition, (long long)part->committed, (long long)found->low,
           (long long)found->high);
}

/* May it be entered (anew)? Not while records of it are under way, nor while it is being doubted. */
static bool is_idle(struct sl_engine *engine, const struct found *found)
{
    struct sl_part *part;
    bool idle;

    sl_book_lock(&engine->documents);
    part = sl_book_find(&engine->documents, sl_view_of(found->topic), found->partition, false);
    idle = !part || (!part->assigned && part->resync.step != SL_RESYNC_DOUBT && part->storing < 0 &&
                     (!part->ledger || sl_ledger_open_count(part->ledger) == 0));
    sl_book_unlock(&engine->documents);
    return idle;
}

/* Nothing (more) is swept; a doubt that was begun is gone on with, for new offsets must win. */
static void cancel_sweep(struct sl_engine *engine, const struct found *found,
                         struct restored *restored)
{
    struct sl_resync none = {.generation = restored->resync.generation + 1};

    sl_log(SL_LOG_WARNING, "resync_cancelled", "%s/%d: what its log does not hold is not deleted",
           found->topic, (int)found->partition);
    if (restored->resync.step == SL_RESYNC_DOUBT) {
        restored->resync.sweeps = false;
        return;
    }
    restored->resync = none;
    row_submit(engine, resync_row(sl_view_of(found->topic), found->partition, &none));
}

static void go_on_doubting(struct sl_engine *engine, const struct found *found,
                           const struct restored *restored)
{
    struct sl_part *part;

    sl_book_lock(&engine->documents);
    part = sl_book_find(&engine->documents, sl_view_of(found->topic), found->partition, true);
    resync_begin(part, &restored->resync, found->low, found->high, clock_wall_ms());
    sl_book_unlock(&engine->documents);
}

static void enter_restored(struct sl_engine *engine, const struct found *found,
                           struct restored *restored)
{
    bool sweeps = restored->resync.step != SL_RESYNC_NONE && restored->resync.sweeps;
    enum gap_action action = GAP_GO_ON;
    bool gap = false;

    if (sweeps && !found->is_compact)
        cancel_sweep(engine, found, restored);
    if (restored->resync.step != SL_RESYNC_DOUBT && restored->is_known)
        action = judge(engine, found, restored, &gap);
    if (gap && action == GAP_GO_ON && restored->resync.step != SL_RESYNC_NONE)
        cancel_sweep(engine, found, restored);
    if (restored->resync.step != SL_RESYNC_DOUBT && action == GAP_GO_ON) {
        assign(engine, found, restored, gap);
        return;
    }
    sl_ledger_free(restored->ledger);
    if (restored->resync.step == SL_RESYNC_DOUBT)
        go_on_doubting(engine, found, restored);
    else if (action != GAP_STOP)
        reread(engine, found, action == GAP_RESYNC);
}

static void begin(struct sl_engine *engine, const struct found *found)
{
    struct restored restored = {.is_known = false};
    struct sl_error err = {0};
    enum sl_err r = SL_AGAIN;

    if (is_idle(engine, found))
        r = restore(engine, found, &restored, &err);
    if (r == SL_OK)
        enter_restored(engine, found, &restored);
    else if (r == SL_STOP)
        engine_fail(engine, &err);
    else
        engine->feed->ask_again = true;
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
        engine->partitions_waiting--;
    }
}
