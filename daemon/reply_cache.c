/*
 * reply_cache.c -- answers already given, so that a question that is delivered again gets the same
 * bytes.
 *
 * A row is found by the answer's id, which is made of the question's place in the log; it counts
 * only when digest and timestamp of the question are the same too, for a recreated topic has the
 * same places with other questions in them. Rows are dropped with the documents they cite, and once
 * the question's offset is committed: it will not come again. Rows of partitions that went to another daemon stay until
 * there are too many; the oldest go then.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/json.h>

#include "daemon/engine_internal.h"

#define ENTRIES_MAX 16384u
#define PRUNE_MAX   1024u /* rows deleted in one go */

struct entry {
    char id[37];
    const struct sl_part *part;
    int64_t offset;
};

struct reply_cache {
    pthread_mutex_t mutex;
    struct entry *entries; /* in the order they were made */
    uint32_t count;
};

static void add_entry(struct reply_cache *cache, const char *id, const struct sl_part *part,
                      int64_t offset)
{
    struct entry *entry = &cache->entries[cache->count++];

    memcpy(entry->id, id, sizeof(entry->id));
    entry->part = part;
    entry->offset = offset;
}

static void drop_row(struct sl_engine *engine, const char *id)
{
    row_submit(engine, row_make(SL_TABLE_REPLY, sl_view_of(id), SL_VIEW_NULL));
}

static bool load_row(void *context, struct sl_view key, struct sl_view value)
{
    struct sl_engine *engine = context;
    struct sl_reply_row row;
    char id[37];

    if (key.size != 36 || sl_reply_row_decode(value, &row, NULL) != SL_OK ||
        engine->replies->count == ENTRIES_MAX)
        return true;
    memcpy(id, key.data, 36);
    id[36] = 0;
    sl_book_lock(&engine->questions);
    add_entry(engine->replies, id, sl_book_find(&engine->questions, row.topic, row.partition, true),
              row.offset);
    sl_book_unlock(&engine->questions);
    return true;
}

struct reply_cache *reply_cache_open(struct sl_engine *engine, struct sl_error *err)
{
    struct reply_cache *cache = calloc(1, sizeof(*cache));
    struct sl_snapshot *snapshot = NULL;
    enum sl_err r;

    SL_INVARIANT(cache != NULL);
    pthread_mutex_init(&cache->mutex, NULL);
    cache->entries = calloc(ENTRIES_MAX, sizeof(*cache->entries));
    SL_INVARIANT(cache->entries != NULL);
    engine->replies = cache;
    r = sl_snapshot_open(engine->index, &snapshot, err);
    if (r == SL_OK)
        r = sl_snapshot_rows(snapshot, SL_TABLE_REPLY, SL_VIEW_NULL, load_row, engine, err);
    sl_snapshot_close(snapshot);
    if (r != SL_OK)
        engine->replies = reply_cache_close(cache);
    return engine->replies;
}

struct reply_cache *reply_cache_close(struct reply_cache *cache)
{
    if (!cache)
        return NULL;
    pthread_mutex_destroy(&cache->mutex);
    free(cache->entries);
    free(cache);
    return NULL;
}

static bool is_same(const struct asked *asked, const struct sl_reply_row *row)
{
    uint8_t digest[32];

    sl_record_digest(&asked->record->message, digest);
    return row->question_timestamp_ms == asked->record->message.timestamp_ms &&
           memcmp(digest, row->question_digest, sizeof(digest)) == 0;
}

bool reply_cache_get(struct sl_engine *engine, struct asked *asked)
{
    struct sl_snapshot *snapshot = NULL;
    struct sl_view value;
    struct sl_reply_row row;
    bool hit;

    if (sl_snapshot_open(engine->index, &snapshot, NULL) != SL_OK)
        return false;
    hit = sl_snapshot_row(snapshot, SL_TABLE_REPLY, sl_view_of(asked->id), &value, NULL) == SL_OK &&
          sl_reply_row_decode(value, &row, NULL) == SL_OK && is_same(asked, &row);
    if (hit) {
        sl_buffer_view(&asked->encoded, row.record);
        snprintf(asked->status, sizeof(asked->status), "%.*s", SL_VIEW_ARG(row.status));
        asked->republished = true;
    }
    sl_snapshot_close(snapshot);
    return hit;
}

static void remember(struct sl_engine *engine, const struct asked *asked)
{
    struct reply_cache *cache = engine->replies;
    char oldest[37] = "";

    pthread_mutex_lock(&cache->mutex);
    if (cache->count == ENTRIES_MAX) {
        memcpy(oldest, cache->entries[0].id, sizeof(oldest));
        cache->count--;
        memmove(cache->entries, cache->entries + 1, cache->count * sizeof(*cache->entries));
    }
    add_entry(cache, asked->id, asked->part, asked->record->message.offset);
    pthread_mutex_unlock(&cache->mutex);
    if (oldest[0])
        drop_row(engine, oldest);
}

struct waiting {
    struct sl_engine *engine;
    struct asked *asked; /* NULL: nobody waits */
};

static void on_stored(void *context, bool stored)
{
    struct waiting *waiting = context;

    (void)stored; /* an answer that could not be cached goes out all the same */
    waiting->engine->row_jobs--;
    if (waiting->asked)
        publisher_submit(waiting->engine, waiting->asked);
    free(waiting);
}

void reply_cache_put(struct sl_engine *engine, struct asked *asked, bool then_publish)
{
    const struct sl_message *message = &asked->record->message;
    struct sl_reply_row fields = {
        .question_timestamp_ms = message->timestamp_ms,
        .topic = message->topic,
        .partition = message->partition,
        .offset = message->offset,
        .status = sl_view_of(asked->status),
        .record = {asked->encoded.data, asked->encoded.size},
    };
    struct waiting *waiting = calloc(1, sizeof(*waiting));
    struct sl_buffer bytes = {0};
    struct row_job *row;

    SL_INVARIANT(waiting != NULL);
    *waiting = (struct waiting){engine, then_publish ? asked : NULL};
    engine->row_jobs++;
    if (engine->paused || engine->row_jobs > ENGINE_ROWS_MAX) {
        on_stored(waiting, false);
        return;
    }
    sl_record_digest(message, fields.question_digest);
    sl_reply_row_encode(&fields, &bytes);
    row = row_make(SL_TABLE_REPLY, sl_view_of(asked->id), (struct sl_view){bytes.data, bytes.size});
    sl_buffer_fini(&bytes);
    row->done = on_stored;
    row->context = waiting;
    remember(engine, asked);
    row_submit(engine, row);
}

void reply_cache_prune(struct sl_engine *engine, const struct sl_part *part, int64_t frontier)
{
    struct reply_cache *cache = engine->replies;
    char(*ids)[37] = calloc(PRUNE_MAX, sizeof(*ids));
    uint32_t kept = 0, dropped = 0;

    SL_INVARIANT(ids != NULL);
    pthread_mutex_lock(&cache->mutex);
    for (uint32_t i = 0; i < cache->count; i++) {
        struct entry *entry = &cache->entries[i];

        if (dropped < PRUNE_MAX && entry->part == part && entry->offset < frontier)
            memcpy(ids[dropped++], entry->id, sizeof(*ids));
        else
            cache->entries[kept++] = *entry;
    }
    cache->count = kept;
    pthread_mutex_unlock(&cache->mutex);
    for (uint32_t i = 0; i < dropped; i++)
        drop_row(engine, ids[i]);
    free(ids);
}

/* --------------------------------------------------------------------------- deleted documents */

struct forgetting {
    const struct sl_view *keys; /* sorted */
    uint32_t key_count;
    struct sl_view marker; /* what stands before a key */
    struct sl_arena *arena;
    struct sl_view *ids; /* of the rows to go */
    uint32_t id_count;
};

static int compare_views(const void *a, const void *b)
{
    const struct sl_view *x = a, *y = b;
    int order = memcmp(x->data, y->data, x->size < y->size ? x->size : y->size);

    return order ? order : (x->size > y->size) - (x->size < y->size);
}

/* The JSON string at the beginning of `text`, quotes included. */
static struct sl_view string_at(struct sl_view text)
{
    size_t at = 1;

    while (at < text.size && text.data[at] != '"')
        at += text.data[at] == '\\' ? 2 : 1;
    return sl_view_range(text, 0, at < text.size ? at + 1 : text.size);
}

static bool cites_one(const struct forgetting *forgetting, struct sl_view record)
{
    const char *found;

    while ((found = memmem(record.data, record.size, forgetting->marker.data,
                           forgetting->marker.size)) != NULL) {
        struct sl_view key;

        record = sl_view_range(record, (size_t)(found - record.data) + forgetting->marker.size,
                               record.size);
        key = string_at(record);
        if (bsearch(&key, forgetting->keys, forgetting->key_count, sizeof(key), compare_views))
            return true;
    }
    return false;
}

static bool look_at_row(void *context, struct sl_view key, struct sl_view value)
{
    struct forgetting *forgetting = context;
    struct sl_reply_row row;

    if (sl_reply_row_decode(value, &row, NULL) == SL_OK && forgetting->id_count < ENTRIES_MAX &&
        cites_one(forgetting, row.record))
        forgetting->ids[forgetting->id_count++] = sl_arena_copy(forgetting->arena, key);
    return true;
}

enum sl_err reply_cache_forget(struct sl_engine *engine, struct sl_batch *batch,
                               struct sl_view *keys, uint32_t count, struct sl_arena *arena,
                               struct sl_error *err)
{
    struct sl_snapshot *snapshot = NULL;
    struct sl_buffer marker = {0};
    struct forgetting forgetting = {.keys = keys, .key_count = count, .arena = arena};
    enum sl_err r;

    if (count == 0)
        return SL_OK;
    for (uint32_t i = 0; i < count; i++) {
        struct sl_buffer quoted = {0};

        sl_json_string(&quoted, keys[i]);
        keys[i] = sl_arena_copy(arena, (struct sl_view){quoted.data, quoted.size});
        sl_buffer_fini(&quoted);
        SL_INVARIANT(keys[i].data != NULL);
    }
    qsort(keys, count, sizeof(*keys), compare_views);
    sl_json_name(&marker, "doc");
    forgetting.marker = (struct sl_view){marker.data, marker.size};
    forgetting.ids = SL_NEW_ARRAY(arena, struct sl_view, ENTRIES_MAX);
    SL_INVARIANT(marker.data != NULL && forgetting.ids != NULL);
    r = sl_snapshot_open(engine->index, &snapshot, err);
    if (r == SL_OK)
        r = sl_snapshot_rows(snapshot, SL_TABLE_REPLY, SL_VIEW_NULL, look_at_row, &forgetting, err);
    for (uint32_t i = 0; r == SL_OK && i < forgetting.id_count; i++)
        r = sl_batch_row(batch, SL_TABLE_REPLY, forgetting.ids[i], SL_VIEW_NULL, err);
    sl_snapshot_close(snapshot);
    sl_buffer_fini(&marker);
    return r;
}
