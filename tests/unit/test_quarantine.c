/*
 * test_quarantine.c -- a damaged record takes its document out of the index, and nothing else; the same record
 * applied again brings it back.
 */
#include <limits.h>
#include <lmdb.h>
#include <unistd.h>

#include "index/format.h"
#include "index_data.h"
#include "test.h"

#define DIM       16
#define DOCUMENTS 60

static const char *path;

static struct test_document document_of(int n, char *key, char *text)
{
    snprintf(key, 16, "k%d", n);
    snprintf(text, 200, "common word%d and more%d of number%d at the end", n % 7, n % 3, n);
    return (struct test_document){.key = key, .text = text, .offset = n, .partition = 0,
                                  .chunk_words = 4, .timestamp_ms = 1000 + n};
}

static void make_index(void)
{
    struct sl_index *index;
    char key[16], text[200];

    path = test_directory();
    index = test_index_open(path, DIM, SL_METRIC_COSINE);
    for (int n = 0; n < DOCUMENTS; n++) {
        struct test_document document = document_of(n, key, text);
        test_put(index, &document);
    }
    sl_index_close(index);
}

/* Flip a bit of a record, in its key or its value, by LMDB's own hand: the pages stay sound. */
static void damage(const char *table, struct sl_view key, bool in_key)
{
    char file[PATH_MAX], fresh[64];
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;
    MDB_val k = {key.size, (void *)(uintptr_t)key.data}, v;
    static char copy[1 << 20];

    snprintf(file, sizeof file, "%s/env.0", path);
    if (mdb_env_create(&env) != 0 || mdb_env_set_maxdbs(env, 32) != 0 ||
        mdb_env_set_mapsize(env, 1u << 30) != 0 || mdb_env_open(env, file, 0, 0600) != 0 ||
        mdb_txn_begin(env, NULL, 0, &txn) != 0 || mdb_dbi_open(txn, table, 0, &dbi) != 0 ||
        mdb_get(txn, dbi, &k, &v) != 0)
        abort();
    memcpy(copy, v.mv_data, v.mv_size);
    memcpy(fresh, key.data, key.size);
    v.mv_data = copy;
    if (in_key) {
        fresh[1] = (char)(fresh[1] ^ 0x40);
        if (mdb_del(txn, dbi, &k, NULL) != 0)
            abort();
        k.mv_data = fresh;
    } else {
        copy[v.mv_size / 2] = (char)(copy[v.mv_size / 2] ^ 4);
    }
    if (mdb_put(txn, dbi, &k, &v, 0) != 0 || mdb_txn_commit(txn) != 0)
        abort();
    mdb_env_close(env);
}

struct named {
    int count;
    char key[16];
    int64_t offset;
};

static bool name_one(void *context, const struct sl_quarantined *document)
{
    struct named *named = context;

    named->count++;
    snprintf(named->key, sizeof named->key, "%.*s", SL_VIEW_ARG(document->key));
    named->offset = document->offset;
    return true;
}

static struct named quarantined(struct sl_index *index)
{
    struct sl_snapshot *snapshot = test_snapshot(index);
    struct named named = {0};
    struct sl_error err;

    CHECK(sl_snapshot_quarantined(snapshot, name_one, &named, &err) == SL_OK);
    sl_snapshot_close(snapshot);
    return named;
}

static uint32_t take_out(struct sl_index *index)
{
    struct sl_batch *batch;
    struct sl_error err;
    uint32_t count = 0;

    if (sl_batch_begin(index, &batch, &err) != SL_OK)
        abort();
    CHECK_THAT(sl_batch_quarantine(batch, &count, &err) == SL_OK, "%s", err.message);
    CHECK_THAT(sl_batch_commit(batch, &err) == SL_OK, "%s", err.message);
    return count;
}

static enum sl_err look_up(struct sl_index *index, const char *key)
{
    struct sl_arena *arena = sl_arena_open(1u << 20);
    struct sl_snapshot *snapshot = test_snapshot(index);
    struct sl_document document;
    struct sl_error err;
    sl_doc_id doc;
    enum sl_err rc = sl_snapshot_find(snapshot, TEST_TOPIC, sl_view_of(key), &doc, &err);

    if (rc == SL_OK)
        rc = sl_snapshot_document(snapshot, doc, arena, &document, NULL, &err);
    sl_snapshot_close(snapshot);
    sl_arena_close(arena);
    return rc;
}

/* Everything but the note is in order, and all other documents are there. */
static void check_rest(struct sl_index *index, int without)
{
    struct sl_snapshot *snapshot = test_snapshot(index);
    struct sl_index_stats stats;
    struct sl_error err;
    char line[320];

    CHECK(sl_snapshot_stats(snapshot, &stats, &err) == SL_OK);
    CHECK(stats.documents == DOCUMENTS - 1 && stats.quarantined == 1 && stats.unreachable == 0);
    sl_snapshot_close(snapshot);
    CHECK_THAT(test_verify(index, line) == 1 && strstr(line, "table note, document k") != NULL,
               "%s", line);
    for (int n = 0; n < DOCUMENTS; n++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", n);
        CHECK(look_up(index, key) == (n == without ? SL_REJECT : SL_OK));
    }
}

static void bring_back(struct sl_index *index, int n)
{
    char key[16], text[200], line[320];
    struct test_document document = document_of(n, key, text);

    CHECK(test_put(index, &document) == SL_APPLIED_INSERTED);
    CHECK(test_put(index, &document) == SL_APPLIED_STALE);
    CHECK(quarantined(index).count == 0);
    CHECK(look_up(index, key) == SL_OK);
    CHECK_THAT(test_verify(index, line) == 0, "%s", line);
}

static void run(const char *table, struct sl_view row, bool in_key, int document)
{
    struct sl_index *index;
    struct named named;
    char key[16];

    make_index();
    damage(table, row, in_key);
    index = test_index_open(path, DIM, SL_METRIC_COSINE);
    snprintf(key, sizeof key, "k%d", document);
    CHECK(sl_index_damaged(index) >= 1);
    if (strcmp(table, "doc") == 0)
        CHECK_THAT(look_up(index, key) == SL_STOP, "%s: a damaged document is not just absent", table);
    CHECK(take_out(index) >= 1);
    CHECK(sl_index_damaged(index) == 0);
    named = quarantined(index);
    CHECK_THAT(named.count == 1 && strcmp(named.key, key) == 0 && named.offset == document,
               "%s: %d, %s", table, named.count, named.key);
    check_rest(index, document);
    sl_index_close(index); /* it stays quarantined */
    index = test_index_open(path, DIM, SL_METRIC_COSINE);
    CHECK(sl_index_damaged(index) == 0 && quarantined(index).count == 1);
    bring_back(index, document);
    sl_index_close(index);
}

TEST(quarantine_of_documents_with_damaged_records)
{
    struct sl_key document = sl_key_number(18), chunk = sl_key_pair(18, 1);

    for (int in_key = 0; in_key < 2; in_key++) {
        run("doc", sl_key_view(&document), in_key != 0, 17);
        run("chunk", sl_key_view(&chunk), in_key != 0, 17);
        run("term", sl_key_view(&chunk), in_key != 0, 17);
    }
}

TEST(quarantine_of_a_record_that_rots_while_the_index_is_open)
{
    struct sl_key document = sl_key_number(5);
    struct sl_index *index;

    make_index();
    index = test_index_open(path, DIM, SL_METRIC_COSINE);
    CHECK(sl_index_damaged(index) == 0);
    damage("doc", sl_key_view(&document), false);
    CHECK(look_up(index, "k4") == SL_STOP && sl_index_damaged(index) == 1);
    CHECK(take_out(index) == 1);
    CHECK(look_up(index, "k4") == SL_REJECT);
    check_rest(index, 4);
    bring_back(index, 4);
    sl_index_close(index);
}

TEST(quarantine_is_undone_with_its_batch)
{
    struct sl_key document = sl_key_number(5);
    struct sl_index *index;
    struct sl_batch *batch;
    struct sl_error err;
    uint32_t count = 0;

    make_index();
    damage("doc", sl_key_view(&document), true);
    index = test_index_open(path, DIM, SL_METRIC_COSINE);
    CHECK(sl_index_compact(index, NULL, NULL, NULL, &err) == SL_STOP &&
          strcmp(err.reason, "corrupt") == 0);
    REQUIRE(sl_batch_begin(index, &batch, &err) == SL_OK);
    CHECK(sl_batch_quarantine(batch, &count, &err) == SL_OK && count >= 1);
    CHECK(sl_index_damaged(index) == 0);
    sl_batch_abort(batch);
    CHECK(sl_index_damaged(index) == count && quarantined(index).count == 0);
    CHECK(look_up(index, "k4") == SL_STOP);
    CHECK(take_out(index) == count);
    check_rest(index, 4);
    sl_index_close(index);
}

TEST(quarantine_ends_with_a_deletion_too)
{
    struct sl_key document = sl_key_number(5);
    struct sl_index *index;
    char line[320];

    make_index();
    damage("doc", sl_key_view(&document), false);
    index = test_index_open(path, DIM, SL_METRIC_COSINE);
    CHECK(take_out(index) == 1);
    CHECK(test_delete(index, "k4", 1000) == SL_APPLIED_ABSENT);
    CHECK(quarantined(index).count == 0);
    CHECK_THAT(test_verify(index, line) == 0, "%s", line);
    sl_index_close(index);
}

TEST(quarantine_of_a_slab_of_vectors)
{
    struct sl_key slab = sl_key_number(0);
    struct sl_snapshot *snapshot;
    struct sl_index *index;
    struct sl_hit hits[10];
    struct sl_error err;
    float query[512];
    char key[16], text[200], line[320];
    uint32_t count, out;

    path = test_directory();
    index = test_index_open(path, 512, SL_METRIC_COSINE);
    for (int n = 0; n < 300; n++) {
        struct test_document document = document_of(n, key, text);
        document.chunk_words = 0;
        test_put(index, &document);
    }
    sl_index_close(index);
    damage("vec", sl_key_view(&slab), false);
    index = test_index_open(path, 512, SL_METRIC_COSINE);
    CHECK(sl_index_damaged(index) == 0); /* vectors are compared when they are used */
    test_vector(SL_VIEW("x"), 512, query);
    snapshot = test_snapshot(index);
    CHECK(sl_snapshot_nearest(snapshot, query, 10, 64, true, NULL, hits, &count, NULL, &err) ==
              SL_STOP &&
          strcmp(err.reason, "corrupt") == 0);
    sl_snapshot_close(snapshot);
    CHECK(sl_index_damaged(index) == 1);
    out = take_out(index);
    CHECK(out > 20 && out < 300 && sl_index_damaged(index) == 0);
    CHECK(test_delete(index, "nobody", 1) == SL_APPLIED_ABSENT); /* the next commit drops the slab */
    CHECK_THAT(test_verify(index, line) == out, "%u: %s", out, line);
    snapshot = test_snapshot(index);
    CHECK(sl_snapshot_nearest(snapshot, query, 10, 64, true, NULL, hits, &count, NULL, &err) ==
              SL_OK && count == 10);
    sl_snapshot_close(snapshot);
    sl_index_close(index);
    index = test_index_open(path, 512, SL_METRIC_COSINE);
    for (int n = 0; n < 300; n++) {
        struct test_document document = document_of(n, key, text);
        document.chunk_words = 0;
        test_put(index, &document);
    }
    CHECK(quarantined(index).count == 0);
    CHECK_THAT(test_verify(index, line) == 0, "%s", line);
    sl_index_close(index);
}
