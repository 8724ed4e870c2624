/*
 * test_daemon_reply_cache.c -- answers that cite a deleted document go with it, and no others.
 */
#include <sluice/index.h>

#include "daemon/engine_internal.h"
#include "index_data.h"
#include "test.h"

static void put_reply(struct sl_batch *batch, const char *id, const char *record)
{
    struct sl_reply_row row = {.topic = SL_VIEW("questions"), .status = SL_VIEW("answered"),
                               .record = sl_view_of(record)};
    struct sl_buffer bytes = {0};
    struct sl_error err;

    sl_reply_row_encode(&row, &bytes);
    if (sl_batch_row(batch, SL_TABLE_REPLY, sl_view_of(id), (struct sl_view){bytes.data, bytes.size},
                     &err) != SL_OK)
        abort();
    sl_buffer_fini(&bytes);
}

static bool there(struct sl_index *index, const char *id)
{
    struct sl_snapshot *snapshot = test_snapshot(index);
    struct sl_view value;
    bool found = sl_snapshot_row(snapshot, SL_TABLE_REPLY, sl_view_of(id), &value, NULL) == SL_OK;

    sl_snapshot_close(snapshot);
    return found;
}

TEST(reply_cache_forgets_what_cites_deleted_documents)
{
    struct sl_engine *engine = calloc(1, sizeof(*engine));
    struct sl_arena *arena = sl_arena_open(SL_ARENA_BYTES_MAX);
    struct sl_view deleted[] = {SL_VIEW("b"), SL_VIEW("a \"quoted\" key")};
    struct sl_batch *batch;
    struct sl_error err;

    REQUIRE(engine != NULL);
    engine->index = test_index_open(test_directory(), 0, SL_METRIC_COSINE);
    REQUIRE(sl_batch_begin(engine->index, &batch, &err) == SL_OK);
    put_reply(batch, "1", "{\"citations\": [{\"n\": 1, \"doc\": \"a\", \"topic\": \"docs\"}]}");
    put_reply(batch, "2", "{\"citations\": [{\"n\": 1, \"doc\": \"a\"}, {\"n\": 2, \"doc\": \"b\"}]}");
    put_reply(batch, "3", "{\"citations\": [{\"n\": 1, \"doc\": \"bb\", \"quote\": \"b \\\"b\\\"\"}]}");
    put_reply(batch, "4", "{\"citations\": [{\"n\": 1, \"doc\": \"a \\\"quoted\\\" key\"}]}");
    put_reply(batch, "5", "{\"citations\": [], \"text\": \"ends with \\\"doc\\\": \"");
    REQUIRE(sl_batch_commit(batch, &err) == SL_OK);
    REQUIRE(sl_batch_begin(engine->index, &batch, &err) == SL_OK);
    CHECK(reply_cache_forget(engine, batch, deleted, 2, arena, &err) == SL_OK);
    CHECK(there(engine->index, "2")); /* until the commit */
    REQUIRE(sl_batch_commit(batch, &err) == SL_OK);
    CHECK(there(engine->index, "1") && there(engine->index, "3") && there(engine->index, "5"));
    CHECK(!there(engine->index, "2") && !there(engine->index, "4"));
    sl_index_close(engine->index);
    sl_arena_close(arena);
    free(engine);
}
