/*
 * resync.c -- the steps of a resync, each in one batch with the row that says how far it has come.
 *
 * Who does what: the feed decides and reads, the indexer marks and sweeps, and the book's lock is
 * between them. A step is made on a copy; it is taken over after the commit unless the feed has begun
 * anew meanwhile, which the generation tells.
 *
 * Sweeping begins when everything that was in the log when reading it began is stored, which is what
 * "caught up" means: sl_part_settle(). After a restart the end is looked at again and lies further
 * back; that costs a moment and cannot sweep too early.
 */
#include "daemon/resync.h"

#include <string.h>

#include "daemon/feed.h"
#include "daemon/log.h"

#define ROWS_DOUBT 2048u
#define ROWS_SWEEP 256u
#define ROW_FORMAT 1u

/* ------------------------------------------------------------------------------ the row */

struct stored {
    uint8_t format;
    uint8_t step;
    uint8_t sweeps;
    uint8_t unused;
    uint32_t generation;
    uint32_t after_size; /* that many bytes follow */
};

static void key_of(struct sl_view topic, int32_t partition, struct sl_buffer *key)
{
    sl_buffer_format(key, "resync %.*s/%d", SL_VIEW_ARG(topic), (int)partition);
    SL_INVARIANT(!key->failed);
}

static void encode(const struct sl_resync *resync, struct sl_buffer *value)
{
    struct stored stored = {.format = ROW_FORMAT,
                            .step = (uint8_t)resync->step,
                            .sweeps = resync->sweeps,
                            .generation = resync->generation,
                            .after_size = resync->walk.after_size};

    sl_buffer_add(value, &stored, sizeof(stored));
    sl_buffer_add(value, resync->walk.after, resync->walk.after_size);
    SL_INVARIANT(!value->failed);
}

static bool decode(struct sl_view value, struct sl_resync *resync)
{
    struct stored stored;

    if (value.size < sizeof(stored))
        return false;
    memcpy(&stored, value.data, sizeof(stored));
    if (stored.format != ROW_FORMAT || stored.step > SL_RESYNC_SWEEP ||
        stored.after_size > SL_SWEEP_BYTES_MAX || value.size != sizeof(stored) + stored.after_size)
        return false;
    *resync = (struct sl_resync){.step = (enum sl_resync_step)stored.step,
                                 .sweeps = stored.sweeps != 0,
                                 .generation = stored.generation};
    resync->walk.after_size = stored.after_size;
    memcpy(resync->walk.after, value.data + sizeof(stored), stored.after_size);
    return true;
}

enum sl_err resync_stored(const struct sl_snapshot *snapshot, struct sl_view topic,
                          int32_t partition, struct sl_resync *ret_resync, struct sl_error *err)
{
    struct sl_buffer key = {0};
    struct sl_view value;
    enum sl_err r;

    *ret_resync = (struct sl_resync){.step = SL_RESYNC_NONE};
    key_of(topic, partition, &key);
    r = sl_snapshot_row(snapshot, SL_TABLE_NOTE, (struct sl_view){key.data, key.size}, &value, err);
    sl_buffer_fini(&key);
    if (r == SL_REJECT)
        return SL_OK;
    if (r == SL_OK && !decode(value, ret_resync))
        return sl_stop(err, SL_EXIT_DATA, 0, "corrupt",
                       "index: the row that says how far %.*s/%d has been read again is senseless",
                       SL_VIEW_ARG(topic), (int)partition);
    return r;
}

struct row_job *resync_row(struct sl_view topic, int32_t partition, const struct sl_resync *resync)
{
    struct sl_buffer key = {0}, value = {0};
    struct row_job *row;

    key_of(topic, partition, &key);
    encode(resync, &value);
    row = row_make(SL_TABLE_NOTE, (struct sl_view){key.data, key.size},
                   resync->step == SL_RESYNC_NONE ? SL_VIEW_NULL
                                                  : (struct sl_view){value.data, value.size});
    sl_buffer_fini(&key);
    sl_buffer_fini(&value);
    return row;
}

/* ------------------------------------------------------------------------------ begin and end */

void resync_begin(struct sl_part *part, const struct sl_resync *resync, int64_t low, int64_t high,
                  int64_t now_ms)
{
    SL_PRE(!part->assigned && (!part->ledger || sl_ledger_open_count(part->ledger) == 0));
    sl_ledger_free(part->ledger);
    part->ledger = sl_ledger_make(NULL);
    SL_INVARIANT(part->ledger != NULL);
    sl_ledger_skip(part->ledger, low);
    part->committed = low;
    part->low = low;
    part->high = part->target = high;
    part->newest_ms = part->storing = part->eof_at = part->mark_high = -1;
    part->expected.offset = -1;
    part->caught_up = part->dirty = part->is_suspect = false;
    part->whole_ms = part->whole_stored_ms = now_ms;
    part->resync = *resync;
}

const char *resync_word(const struct sl_part *part)
{
    static const char *const words[] = {NULL, "doubt", "read", "sweep"};

    return words[part->resync.step];
}

/* ------------------------------------------------------------------------------ steps */

/* The next partition with something to do, as a copy; NULL: none. */
static struct sl_part *take(struct sl_engine *engine, struct sl_resync *ret_resync)
{
    struct sl_book *book = &engine->documents;
    struct sl_part *found = NULL;
    uint32_t active = 0;

    sl_book_lock(book);
    for (uint32_t i = 0; i < book->count; i++) {
        struct sl_part *part = book->parts[i];

        active += part->resync.step != SL_RESYNC_NONE;
        if (part->resync.step == SL_RESYNC_READ && sl_part_settle(part)) {
            part->resync.step = SL_RESYNC_SWEEP;
            part->resync.walk = (struct sl_sweep){.done = false};
        }
        if (!found && (part->resync.step == SL_RESYNC_DOUBT || part->resync.step == SL_RESYNC_SWEEP))
            found = part;
    }
    if (found)
        *ret_resync = found->resync;
    sl_book_unlock(book);
    sl_metric_set(SL_METRIC_RESYNC_PARTITIONS, active);
    return found;
}

bool resync_is_due(struct sl_engine *engine)
{
    struct sl_resync resync;

    return take(engine, &resync) != NULL;
}

/* Where the partition is read from once all of it is doubted. */
static enum sl_err put_beginning(struct sl_engine *engine, struct sl_batch *batch,
                                 const struct sl_part *part, struct sl_error *err)
{
    struct sl_position position = {.record_offset = -1};

    sl_book_lock(&engine->documents);
    position.next_offset = part->committed;
    position.wall_ms = part->whole_ms;
    sl_book_unlock(&engine->documents);
    return sl_batch_position(batch, sl_view_of(part->topic), part->partition, &position, err);
}

static enum sl_err put_row(struct sl_batch *batch, const struct sl_part *part,
                           const struct sl_resync *resync, struct sl_error *err)
{
    struct sl_buffer key = {0}, value = {0};
    enum sl_err r;

    key_of(sl_view_of(part->topic), part->partition, &key);
    encode(resync, &value);
    r = sl_batch_row(batch, SL_TABLE_NOTE, (struct sl_view){key.data, key.size},
                     resync->step == SL_RESYNC_NONE ? SL_VIEW_NULL
                                                    : (struct sl_view){value.data, value.size},
                     err);
    sl_buffer_fini(&key);
    sl_buffer_fini(&value);
    return r;
}

static void advance(struct sl_resync *resync)
{
    if (!resync->walk.done)
        return;
    resync->step = resync->step == SL_RESYNC_DOUBT && resync->sweeps ? SL_RESYNC_READ
                                                                     : SL_RESYNC_NONE;
    resync->walk = (struct sl_sweep){.done = false};
}

static enum sl_err write_step(struct sl_engine *engine, const struct sl_part *part,
                              struct sl_resync *resync, uint32_t *ret_changed, struct sl_error *err)
{
    struct sl_view topic = sl_view_of(part->topic);
    struct sl_batch *batch = NULL;
    enum sl_err r = sl_batch_begin(engine->index, &batch, err);

    if (r != SL_OK)
        return r;
    if (resync->step == SL_RESYNC_SWEEP) {
        r = sl_batch_sweep(batch, topic, part->partition, ROWS_SWEEP, &resync->walk, err);
    } else {
        r = sl_batch_doubt(batch, topic, part->partition, ROWS_DOUBT, &resync->walk, err);
        if (r == SL_OK)
            r = put_beginning(engine, batch, part, err);
    }
    *ret_changed = resync->walk.changed;
    advance(resync);
    if (r == SL_OK)
        r = put_row(batch, part, resync, err);
    if (r != SL_OK) {
        sl_batch_abort(batch);
        return r;
    }
    return sl_batch_commit(batch, err);
}

static void show_step(const struct sl_part *part, enum sl_resync_step from,
                      const struct sl_resync *to, uint32_t changed)
{
    struct sl_log_fields fields = {.topic = part->topic, .partition = part->partition};

    if (from == SL_RESYNC_SWEEP)
        sl_metric_add(SL_METRIC_DOCUMENTS_SWEPT, changed);
    if (to->step == SL_RESYNC_READ)
        sl_log_with(SL_LOG_INFO, "resync_reading", &fields,
                    "%s/%d: its documents are marked; its log is read from the beginning",
                    part->topic, (int)part->partition);
    else if (to->step == SL_RESYNC_NONE)
        sl_log_with(SL_LOG_NOTICE, "resync_done", &fields, "%s/%d: %s", part->topic,
                    (int)part->partition,
                    to->sweeps ? "in line with its log again"
                               : "its log is read from the beginning; nothing will be swept");
}

enum sl_err resync_step(struct sl_engine *engine, struct sl_error *err)
{
    struct sl_resync resync;
    struct sl_part *part = take(engine, &resync);
    enum sl_resync_step from = part ? resync.step : SL_RESYNC_NONE;
    uint32_t changed = 0;
    enum sl_err r;

    if (!part)
        return SL_OK;
    r = write_step(engine, part, &resync, &changed, err);
    if (r != SL_OK)
        return r;
    show_step(part, from, &resync, changed);
    sl_book_lock(&engine->documents);
    if (part->resync.generation == resync.generation)
        part->resync = resync;
    sl_book_unlock(&engine->documents);
    if (from == SL_RESYNC_DOUBT && resync.step != SL_RESYNC_DOUBT)
        engine->feed->ask_again = true; /* it can be read now */
    return SL_OK;
}
