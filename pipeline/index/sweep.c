/*
 * sweep.c -- doubting what came from a partition, and removing what is still doubtful in the end.
 *
 * The mark is in the row every version of a document rewrites anyway: applying a record confirms its document
 * by writing the row without the mark. So there is no set of "seen" keys to keep in memory or to store, and a
 * walk broken off by a crash goes on where it was. One bit is enough instead of a generation number: a
 * partition is read again by one walk at a time, and starting over doubts everything once more.
 *
 * Rejected: deleting all at once and reading anew (nothing would be found meanwhile, and everything would be
 * embedded again); comparing offsets with the log's beginning (a topic made anew begins with small ones).
 */
#include "index/internal.h"

#include <string.h>

/* Rows read but not to be changed cost little; a step still ends. */
#define VISITS_PER_CHANGE 16u
#define KEYS_BYTES_MAX    (4u << 20) /* of the rows of one step: a key may be long */

struct walking {
    struct sl_batch *batch;
    struct sl_view topic;
    int32_t partition;
    bool doubtful; /* the rows wanted */
    uint32_t rows_max;
    struct sl_sweep *sweep;
    struct sl_arena *arena;  /* of the rows found */
    struct sl_key_row *rows; /* [rows_max] */
    uint32_t count;
    struct sl_error *err;
};

static enum sl_err full(struct walking *walking)
{
    return sl_batch_failed(walking->batch, sl_batch_memory(walking->err));
}

/* Keys too long for the table come last, of all topics, under their digests. */
static bool is_of_topic(const struct walking *walking, struct sl_view key)
{
    size_t size = walking->topic.size;

    return key.size > 0 && (key.data[0] == 1 ||
                            (key.size >= size + 2 && key.data[size + 1] == 0 &&
                             memcmp(key.data + 1, walking->topic.data, size) == 0));
}

static enum sl_err seek(const struct walking *walking, struct sl_cursor *cursor)
{
    const struct sl_sweep *sweep = walking->sweep;
    struct sl_key first = sl_key_document(walking->topic, SL_VIEW(""));
    struct sl_view after = {sweep->after, sweep->after_size};
    enum sl_err rc =
        sl_cursor_seek(cursor, sweep->after_size > 0 ? after : sl_key_view(&first), walking->err);

    if (rc == SL_OK && sweep->after_size > 0 && sl_view_equal(cursor->key, after))
        rc = sl_cursor_next(cursor, walking->err);
    if (rc == SL_OK && !is_of_topic(walking, cursor->key) && cursor->key.data[0] == 0)
        rc = sl_cursor_seek(cursor, SL_VIEW("\1"), walking->err);
    return rc;
}

static enum sl_err take(struct walking *walking, struct sl_view payload)
{
    struct sl_key_row row;

    if (!sl_key_row_read(payload, &row))
        return sl_corrupt(walking->err, "key", 0, "wrong lengths");
    if (row.offset < 0 || row.partition != walking->partition ||
        row.doubtful != walking->doubtful || !sl_view_equal(row.topic, walking->topic))
        return SL_OK;
    row.topic = sl_arena_copy(walking->arena, row.topic);
    row.key = sl_arena_copy(walking->arena, row.key);
    if (row.topic.data == NULL || row.key.data == NULL)
        return full(walking);
    walking->rows[walking->count++] = row;
    return SL_OK;
}

static void note(struct sl_sweep *sweep, struct sl_view key)
{
    memcpy(sweep->after, key.data, key.size);
    sweep->after_size = (uint32_t)key.size;
}

/* The next rows that are wanted. They are copied: a cursor does not outlive a change. */
static enum sl_err find_rows(struct walking *walking)
{
    uint32_t visits = walking->rows_max * VISITS_PER_CHANGE;
    struct sl_cursor cursor;
    enum sl_err rc =
        sl_cursor_open(walking->batch->txn, SL_STORE_KEY, false, &cursor, walking->err);

    if (rc != SL_OK)
        return rc;
    rc = seek(walking, &cursor);
    while (rc == SL_OK && visits-- > 0 && walking->count < walking->rows_max &&
           sl_arena_bytes(walking->arena) < KEYS_BYTES_MAX) {
        rc = take(walking, cursor.payload);
        if (rc != SL_OK)
            break;
        note(walking->sweep, cursor.key);
        rc = sl_cursor_next(&cursor, walking->err);
        if (rc == SL_OK && !is_of_topic(walking, cursor.key))
            rc = sl_cursor_seek(&cursor, SL_VIEW("\1"), walking->err);
    }
    sl_cursor_close(&cursor);
    walking->sweep->done = rc == SL_REJECT;
    return rc == SL_REJECT ? SL_OK : rc;
}

static enum sl_err put_doubtful(struct walking *walking, struct sl_key_row *row)
{
    SL_CLEANUP(sl_buffer_fini) struct sl_buffer buffer = {0};
    struct sl_key key = sl_key_document(row->topic, row->key);

    row->doubtful = true;
    sl_key_row_write(&buffer, row);
    if (buffer.failed)
        return full(walking);
    return sl_txn_put(walking->batch->txn, SL_STORE_KEY, sl_key_view(&key),
                      sl_buffer_as_view(&buffer), walking->err);
}

static enum sl_err step(struct walking *walking)
{
    SL_CLEANUP(sl_arena_closep) struct sl_arena *arena = sl_arena_open(SL_ARENA_BYTES_MAX);
    enum sl_err rc;

    SL_PRE(!walking->batch->failed && walking->rows_max > 0 && !walking->sweep->done);
    walking->arena = arena;
    if (arena == NULL)
        return full(walking);
    walking->rows = SL_NEW_ARRAY(arena, struct sl_key_row, walking->rows_max);
    if (walking->rows == NULL)
        return full(walking);
    rc = find_rows(walking);
    for (uint32_t i = 0; rc == SL_OK && i < walking->count; i++)
        rc = walking->doubtful
                 ? sl_batch_forget(walking->batch, &walking->rows[i], walking->err)
                 : put_doubtful(walking, &walking->rows[i]);
    walking->sweep->changed = walking->count;
    return sl_batch_failed(walking->batch, rc);
}

enum sl_err sl_batch_doubt(struct sl_batch *batch, struct sl_view topic, int32_t partition,
                           uint32_t rows_max, struct sl_sweep *sweep, struct sl_error *err)
{
    struct walking walking = {.batch = batch, .topic = topic, .partition = partition,
                              .rows_max = rows_max, .sweep = sweep, .err = err};

    return step(&walking);
}

enum sl_err sl_batch_sweep(struct sl_batch *batch, struct sl_view topic, int32_t partition,
                           uint32_t rows_max, struct sl_sweep *sweep, struct sl_error *err)
{
    struct walking walking = {.batch = batch, .topic = topic, .partition = partition,
                              .doubtful = true, .rows_max = rows_max, .sweep = sweep, .err = err};

    return step(&walking);
}
