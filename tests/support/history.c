/* history.c -- a fixed history of records for an index. */
#include "history.h"

#include "test.h"

static void history_text(int64_t n, uint64_t mixed, char *ret_text)
{
    snprintf(ret_text, 200, "record %d says word%d and word%d of number%d", (int)n,
             (int)(mixed >> 8 & 63), (int)(mixed >> 14 & 63), (int)n);
}

void history_record(const struct history *history, int64_t n, char *ret_key, char *ret_text)
{
    uint64_t mixed = (uint64_t)(n + 1) * 0x9E3779B97F4A7C15u;

    mixed = (mixed ^ (mixed >> 29)) * 0xBF58476D1CE4E5B9u;
    snprintf(ret_key, 16, "k%d", (int)(mixed >> 40) % history->keys);
    if ((mixed >> 20) % 5 == 0)
        ret_text[0] = '\0';
    else
        history_text(history->texts > 0 ? (int64_t)(mixed >> 8) % history->texts : n,
                     history->texts > 0 ? 0 : mixed, ret_text);
}

enum sl_err history_next(struct sl_index *index, int64_t *ret_next, struct sl_error *err)
{
    struct sl_arena *arena = sl_arena_open(1u << 16);
    struct sl_snapshot *snapshot = NULL;
    struct sl_position position = {.next_offset = 0};
    enum sl_err rc = sl_snapshot_open(index, &snapshot, err);

    if (rc == SL_OK)
        rc = sl_snapshot_position(snapshot, TEST_TOPIC, 0, arena, &position, err);
    sl_snapshot_close(snapshot);
    sl_arena_close(arena);
    *ret_next = position.next_offset;
    return rc == SL_REJECT ? SL_OK : rc;
}

static enum sl_err apply_one(const struct history *history, struct sl_index *index,
                             struct sl_batch *batch, int64_t n, struct sl_error *err)
{
    struct sl_prepared *prepared = NULL;
    enum sl_applied applied;
    char key[16], text[200];
    struct test_document document = {.key = key, .text = text, .offset = n, .chunk_words = 4};
    enum sl_err rc;

    history_record(history, n, key, text);
    if (text[0] == '\0')
        return sl_batch_delete(batch, TEST_TOPIC, sl_view_of(key), 0, n, &applied, err);
    rc = test_try_prepare(index, &document, &prepared, err);
    if (rc == SL_OK)
        rc = sl_batch_apply(batch, prepared, &applied, err);
    if (rc != SL_OK)
        (void)sl_prepared_free(prepared);
    return rc;
}

enum sl_err history_apply(const struct history *history, struct sl_index *index, int64_t first,
                          struct sl_error *err)
{
    struct sl_position position = {.next_offset = first + history->batch};
    struct sl_batch *batch;
    enum sl_err rc = sl_batch_begin(index, &batch, err);

    if (rc != SL_OK)
        return rc;
    for (int64_t n = first; rc == SL_OK && n < first + history->batch; n++)
        rc = apply_one(history, index, batch, n, err);
    if (rc == SL_OK)
        rc = sl_batch_position(batch, TEST_TOPIC, 0, &position, err);
    if (rc != SL_OK) {
        (void)sl_batch_abort(batch);
        return rc;
    }
    return sl_batch_commit(batch, err);
}

/* Is the document there as it must be? Not at all, when text is "". */
static bool is_as(struct sl_snapshot *snapshot, const char *key, const char *text)
{
    struct sl_arena *arena = sl_arena_open(SL_ARENA_BYTES_MAX);
    struct sl_document document;
    struct sl_error err;
    sl_doc_id doc;
    enum sl_err rc = sl_snapshot_find(snapshot, TEST_TOPIC, sl_view_of(key), &doc, &err);
    bool good = text[0] == '\0' ? rc == SL_REJECT : rc == SL_OK;

    if (good && text[0] != '\0')
        good = sl_snapshot_document(snapshot, doc, arena, &document, NULL, &err) == SL_OK &&
               sl_view_is(document.text, text);
    sl_arena_close(arena);
    return good;
}

int history_compare(const struct history *history, struct sl_index *index, int64_t done)
{
    char(*texts)[200] = calloc((size_t)history->keys, sizeof *texts);
    struct sl_snapshot *snapshot = test_snapshot(index);
    struct sl_index_stats stats;
    struct sl_error err;
    int wrong = 0, expected = 0;

    for (int64_t n = 0; n < done; n++) {
        char key[16], text[200];
        history_record(history, n, key, text);
        memcpy(texts[atoi(key + 1)], text, sizeof text);
    }
    for (int i = 0; i < history->keys; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        expected += texts[i][0] != '\0';
        wrong += !is_as(snapshot, key, texts[i]);
    }
    if (sl_snapshot_stats(snapshot, &stats, &err) != SL_OK ||
        stats.documents != (uint64_t)expected || stats.unreachable != 0)
        wrong++;
    sl_snapshot_close(snapshot);
    free(texts);
    return wrong;
}
