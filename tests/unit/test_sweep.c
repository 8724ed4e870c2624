/* test_sweep.c -- documents of a partition doubted, confirmed by its log, and swept when it does not hold them. */
#include "index_data.h"
#include "test.h"

#include <stdio.h>
#include <string.h>

#include <sluice/index.h>

typedef enum sl_err (*step_fn)(struct sl_batch *, struct sl_view, int32_t, uint32_t,
                               struct sl_sweep *, struct sl_error *);

/* Walk to the end, a batch a step. Returns how many rows were changed; counts the steps. */
static uint32_t walk_all(struct sl_index *index, step_fn step, struct sl_view topic,
                         int32_t partition, uint32_t rows_max, uint32_t *ret_steps)
{
    struct sl_sweep walk = {.done = false};
    uint32_t changed = 0, steps = 0;

    for (; !walk.done && steps < 10000; steps++) {
        struct sl_batch *batch = NULL;
        struct sl_error err;

        SL_INVARIANT(sl_batch_begin(index, &batch, &err) == SL_OK);
        CHECK(step(batch, topic, partition, rows_max, &walk, &err) == SL_OK);
        CHECK(sl_batch_commit(batch, &err) == SL_OK);
        CHECK(walk.changed <= rows_max);
        changed += walk.changed;
    }
    CHECK(walk.done);
    if (ret_steps != NULL)
        *ret_steps = steps;
    return changed;
}

static enum sl_applied put(struct sl_index *index, const char *key, const char *text,
                           int32_t partition, int64_t offset)
{
    return test_put(index, &(struct test_document){.key = key, .text = text,
                                                   .partition = partition, .offset = offset,
                                                   .timestamp_ms = 1});
}

static bool has(struct sl_index *index, const char *key)
{
    struct sl_snapshot *snapshot = test_snapshot(index);
    struct sl_error err;
    sl_doc_id doc;
    bool found = sl_snapshot_find(snapshot, TEST_TOPIC, sl_view_of(key), &doc, &err) == SL_OK;

    sl_snapshot_close(snapshot);
    return found;
}

static uint64_t tombstones(struct sl_index *index)
{
    struct sl_snapshot *snapshot = test_snapshot(index);
    struct sl_index_stats stats = {0};
    struct sl_error err;

    CHECK(sl_snapshot_stats(snapshot, &stats, &err) == SL_OK);
    sl_snapshot_close(snapshot);
    return stats.tombstones;
}

TEST(sweep_removes_what_the_log_does_not_hold)
{
    struct sl_index *index = test_index_open(test_directory(), 8, SL_METRIC_COSINE);

    put(index, "kept", "one", 0, 100);
    put(index, "changed", "two", 0, 101);
    put(index, "gone", "three", 0, 102);
    put(index, "deleted", "four", 0, 103);
    test_delete(index, "deleted", 104);
    test_delete(index, "returns", 105);
    put(index, "other", "five", 1, 7);
    put(index, "imported", "six", 0, -1);
    CHECK(walk_all(index, sl_batch_doubt, TEST_TOPIC, 0, 100, NULL) == 5);
    CHECK(has(index, "gone") && has(index, "kept")); /* found all the while */
    CHECK(test_verify(index, NULL) == 0);
    /* A log made anew: small offsets win over doubtful ones, and once only. */
    CHECK(put(index, "kept", "one", 0, 0) == SL_APPLIED_UNCHANGED);
    CHECK(put(index, "kept", "one", 0, 0) == SL_APPLIED_STALE);
    CHECK(put(index, "changed", "new", 0, 1) == SL_APPLIED_REPLACED);
    CHECK(put(index, "returns", "seven", 0, 2) == SL_APPLIED_INSERTED);
    CHECK(put(index, "gone", "never", 0, -1) == SL_APPLIED_STALE); /* an import undoes nothing */
    CHECK(walk_all(index, sl_batch_sweep, TEST_TOPIC, 0, 100, NULL) == 2);
    CHECK(has(index, "kept") && has(index, "changed") && has(index, "returns"));
    CHECK(has(index, "other") && has(index, "imported"));
    CHECK(!has(index, "gone") && tombstones(index) == 0);
    CHECK(put(index, "gone", "back", 0, 3) == SL_APPLIED_INSERTED); /* as if never seen */
    CHECK(test_verify(index, NULL) == 0);
    CHECK(walk_all(index, sl_batch_sweep, TEST_TOPIC, 0, 100, NULL) == 0);
    sl_index_close(index);
}

TEST(sweep_a_delete_confirms_too)
{
    struct sl_index *index = test_index_open(test_directory(), 0, SL_METRIC_COSINE);

    put(index, "a", "one", 0, 100);
    CHECK(walk_all(index, sl_batch_doubt, TEST_TOPIC, 0, 100, NULL) == 1);
    CHECK(test_delete(index, "a", 5) == SL_APPLIED_DELETED);
    CHECK(put(index, "a", "old", 0, 4) == SL_APPLIED_STALE); /* the new tombstone remembers */
    CHECK(walk_all(index, sl_batch_sweep, TEST_TOPIC, 0, 100, NULL) == 0);
    sl_index_close(index);
}

TEST(sweep_goes_on_after_every_step_and_over_a_restart)
{
    const char *directory = test_directory();
    struct sl_index *index = test_index_open(directory, 8, SL_METRIC_COSINE);
    uint32_t steps = 0;
    char key[16];

    for (int i = 0; i < 100; i++) {
        snprintf(key, sizeof key, "d%02d", i);
        put(index, key, "text of it", i % 3, 100 + i);
    }
    CHECK(walk_all(index, sl_batch_doubt, TEST_TOPIC, 2, 4, &steps) == 33);
    CHECK(steps > 8);
    for (int i = 2; i < 100; i += 6) { /* every other one of partition 2 is still in the log */
        snprintf(key, sizeof key, "d%02d", i);
        CHECK(put(index, key, "text of it", 2, i) == SL_APPLIED_UNCHANGED);
    }
    index = sl_index_close(index);
    index = test_index_open(directory, 8, SL_METRIC_COSINE);
    CHECK(walk_all(index, sl_batch_sweep, TEST_TOPIC, 2, 3, &steps) == 16);
    CHECK(steps > 5);
    for (int i = 0; i < 100; i++) {
        snprintf(key, sizeof key, "d%02d", i);
        CHECK(has(index, key) == (i % 3 != 2 || i % 6 == 2));
    }
    CHECK(test_verify(index, NULL) == 0);
    sl_index_close(index);
}

TEST(sweep_keys_too_long_for_the_table)
{
    struct sl_index *index = test_index_open(test_directory(), 0, SL_METRIC_COSINE);
    static char first[3000], second[3000];

    memset(first, 'k', sizeof first - 1);
    memset(second, 'k', sizeof second - 1);
    second[0] = 'l';
    put(index, first, "one", 0, 1);
    put(index, second, "two", 0, 2);
    put(index, "short", "three", 0, 3);
    CHECK(walk_all(index, sl_batch_doubt, TEST_TOPIC, 0, 1, NULL) == 3);
    CHECK(put(index, second, "two", 0, 4) == SL_APPLIED_UNCHANGED);
    CHECK(walk_all(index, sl_batch_sweep, TEST_TOPIC, 0, 1, NULL) == 2);
    CHECK(!has(index, first) && has(index, second) && !has(index, "short"));
    CHECK(test_verify(index, NULL) == 0);
    sl_index_close(index);
}

TEST(sweep_leaves_other_topics_alone)
{
    struct sl_index *index = test_index_open(test_directory(), 0, SL_METRIC_COSINE);

    put(index, "a", "one", 0, 1);
    CHECK(walk_all(index, sl_batch_doubt, SL_VIEW("doc"), 0, 10, NULL) == 0);
    CHECK(walk_all(index, sl_batch_doubt, SL_VIEW("docs2"), 0, 10, NULL) == 0);
    CHECK(walk_all(index, sl_batch_doubt, TEST_TOPIC, 0, 10, NULL) == 1);
    CHECK(walk_all(index, sl_batch_sweep, SL_VIEW("do"), 0, 10, NULL) == 0);
    CHECK(has(index, "a"));
    sl_index_close(index);
}

TEST(sweep_an_aborted_step_changes_nothing)
{
    struct sl_index *index = test_index_open(test_directory(), 8, SL_METRIC_COSINE);
    struct sl_sweep walk = {.done = false};
    struct sl_batch *batch = NULL;
    struct sl_error err;

    put(index, "a", "one", 0, 5);
    REQUIRE(sl_batch_begin(index, &batch, &err) == SL_OK);
    CHECK(sl_batch_doubt(batch, TEST_TOPIC, 0, 10, &walk, &err) == SL_OK && walk.changed == 1);
    sl_batch_abort(batch);
    CHECK(put(index, "a", "two", 0, 4) == SL_APPLIED_STALE);
    CHECK(walk_all(index, sl_batch_doubt, TEST_TOPIC, 0, 10, NULL) == 1);
    walk = (struct sl_sweep){.done = false};
    REQUIRE(sl_batch_begin(index, &batch, &err) == SL_OK);
    CHECK(sl_batch_sweep(batch, TEST_TOPIC, 0, 10, &walk, &err) == SL_OK && walk.changed == 1);
    sl_batch_abort(batch);
    CHECK(has(index, "a") && test_verify(index, NULL) == 0);
    sl_index_close(index);
}
