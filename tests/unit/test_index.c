/*
 * test_index.c -- the promises I1 to I9 of sluice/index.h, each by its number, and the rest of the
 * contract: versions, failures, read-only use.
 */
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "index_data.h"
#include "test.h"

#define DIM 16

static struct test_document doc(const char *key, const char *text, int64_t offset)
{
    return (struct test_document){.key = key, .text = text, .offset = offset, .timestamp_ms = 1};
}

static enum sl_applied put(struct sl_index *index, const char *key, const char *text,
                           int64_t offset)
{
    struct test_document document = doc(key, text, offset);

    return test_put(index, &document);
}

static void vector_of(const char *text, float *ret_vector)
{
    test_vector(sl_view_of(text), DIM, ret_vector);
}

TEST(index_I1_all_of_a_document_appears_and_goes_at_once)
{
    struct sl_index *index = test_index_open(test_directory(), DIM, SL_METRIC_COSINE);
    struct test_document first = doc("a", "red apple tree", 1), second = doc("a", "blue boat", 2);
    struct sl_snapshot *before, *between, *after;
    struct sl_batch *batch;
    struct sl_error err;
    float query[DIM];

    before = test_snapshot(index);
    REQUIRE(sl_batch_begin(index, &batch, &err) == SL_OK);
    CHECK(test_apply(index, batch, &first) == SL_APPLIED_INSERTED);
    between = test_snapshot(index);
    vector_of(first.text, query);
    CHECK(strcmp(test_lexical(between, "apple"), "") == 0);
    CHECK(strcmp(test_nearest(between, query, 5, false), "") == 0);
    REQUIRE(sl_batch_commit(batch, &err) == SL_OK);
    CHECK(strcmp(test_lexical(between, "apple"), "") == 0);
    CHECK(strcmp(test_nearest(between, query, 5, true), "") == 0);
    after = test_snapshot(index);
    CHECK(strcmp(test_lexical(after, "apple"), "a") == 0);
    CHECK(strcmp(test_nearest(after, query, 5, false), "a") == 0);
    sl_snapshot_close(before);
    sl_snapshot_close(between);

    CHECK(test_put(index, &second) == SL_APPLIED_REPLACED);
    CHECK(strcmp(test_lexical(after, "apple"), "a") == 0); /* the old one, in the old snapshot */
    CHECK(strcmp(test_lexical(after, "boat"), "") == 0);
    before = test_snapshot(index);
    CHECK(strcmp(test_lexical(before, "apple"), "") == 0);
    CHECK(strcmp(test_lexical(before, "boat"), "a") == 0);
    CHECK(test_delete(index, "a", 3) == SL_APPLIED_DELETED);
    CHECK(strcmp(test_lexical(before, "boat"), "a") == 0);
    sl_snapshot_close(before);
    before = test_snapshot(index);
    CHECK(strcmp(test_lexical(before, "boat"), "") == 0);
    CHECK(strcmp(test_nearest(before, query, 5, false), "") == 0);
    sl_snapshot_close(before);
    sl_snapshot_close(after);
    CHECK(test_verify(index, NULL) == 0);
    sl_index_close(index);
}

TEST(index_I1_an_aborted_batch_leaves_nothing)
{
    struct sl_index *index = test_index_open(test_directory(), DIM, SL_METRIC_COSINE);
    struct sl_snapshot *snapshot;
    struct test_document more = doc("b", "green pear", 2);
    struct sl_batch *batch;
    enum sl_applied applied;
    struct sl_error err;
    float query[DIM];

    put(index, "a", "red apple", 1);
    REQUIRE(sl_batch_begin(index, &batch, &err) == SL_OK);
    test_apply(index, batch, &more);
    CHECK(sl_batch_delete(batch, TEST_TOPIC, SL_VIEW("a"), 0, 3, &applied, &err) == SL_OK);
    sl_batch_abort(batch);
    snapshot = test_snapshot(index);
    vector_of("red apple", query);
    CHECK(strcmp(test_lexical(snapshot, "apple pear"), "a") == 0);
    CHECK(strcmp(test_nearest(snapshot, query, 5, false), "a") == 0);
    sl_snapshot_close(snapshot);
    CHECK(put(index, "b", "green pear", 2) == SL_APPLIED_INSERTED);
    CHECK(test_verify(index, NULL) == 0);
    sl_index_close(index);
}

TEST(index_I2_a_position_moves_with_its_documents)
{
    struct sl_index *index = test_index_open(test_directory(), 0, SL_METRIC_COSINE);
    struct sl_arena *arena = sl_arena_open(1u << 20);
    struct sl_offset_range ranges[] = {{7, 8}, {10, 10}};
    struct sl_position position = {.next_offset = 5, .completed = ranges, .completed_count = 2,
                                   .wall_ms = 99, .record_offset = 4, .record_timestamp_ms = 3,
                                   .record_crc = 2};
    struct sl_position found;
    struct test_document document = doc("a", "one", 4);
    struct sl_snapshot *before = test_snapshot(index), *after;
    struct sl_batch *batch;
    struct sl_error err;

    REQUIRE(sl_batch_begin(index, &batch, &err) == SL_OK);
    test_apply(index, batch, &document);
    CHECK(sl_batch_position(batch, TEST_TOPIC, 3, &position, &err) == SL_OK);
    REQUIRE(sl_batch_commit(batch, &err) == SL_OK);
    after = test_snapshot(index);
    CHECK(sl_snapshot_position(before, TEST_TOPIC, 3, arena, &found, &err) == SL_REJECT);
    CHECK(strcmp(test_lexical(before, "one"), "") == 0);
    REQUIRE(sl_snapshot_position(after, TEST_TOPIC, 3, arena, &found, &err) == SL_OK);
    CHECK(strcmp(test_lexical(after, "one"), "a") == 0);
    CHECK(found.next_offset == 5 && found.completed_count == 2 && found.wall_ms == 99);
    CHECK(found.completed[1].first == 10 && found.record_crc == 2 && found.record_offset == 4);
    sl_snapshot_close(before);
    sl_snapshot_close(after);

    position.next_offset = 50; /* thrown away with its batch */
    REQUIRE(sl_batch_begin(index, &batch, &err) == SL_OK);
    CHECK(sl_batch_position(batch, TEST_TOPIC, 3, &position, &err) == SL_OK);
    sl_batch_abort(batch);
    after = test_snapshot(index);
    CHECK(sl_snapshot_position(after, TEST_TOPIC, 3, arena, &found, &err) == SL_OK &&
          found.next_offset == 5);
    sl_snapshot_close(after);
    sl_arena_close(arena);
    sl_index_close(index);
}

TEST(index_I3_vectors_are_finite_and_of_unit_norm)
{
    struct sl_index *index = test_index_open(test_directory(), DIM, SL_METRIC_COSINE);
    float vector[DIM], query[DIM] = {1};
    struct sl_window window = {0, 3, {1}, vector};
    struct sl_term_count term = {SL_VIEW("one"), 1};
    struct sl_chunk chunk = {.byte_end = 3, .windows = &window, .window_count = 1, .terms = &term,
                             .term_count = 1, .length_terms = 1};
    struct sl_document document = {.topic = TEST_TOPIC, .key = SL_VIEW("a"), .text = SL_VIEW("one"),
                                   .text_media = SL_MEDIA_TEXT};
    const float bad[] = {NAN, INFINITY, 1.01f, 0.0f};
    struct sl_prepared *prepared;
    struct sl_snapshot *snapshot;
    struct sl_hit hit;
    struct sl_error err;
    uint32_t count;

    for (int i = 0; i < 4; i++) {
        memset(vector, 0, sizeof vector);
        vector[0] = bad[i];
        CHECK(sl_index_prepare(index, &document, &chunk, 1, &prepared, &err) == SL_REJECT);
        CHECK(strcmp(err.reason, "bad_vector") == 0);
    }
    vector[0] = 1.0005f;
    CHECK(sl_index_prepare(index, &document, &chunk, 1, &prepared, &err) == SL_OK);
    sl_prepared_free(prepared);
    snapshot = test_snapshot(index);
    query[0] = NAN;
    CHECK(sl_snapshot_nearest(snapshot, query, 1, 10, false, NULL, &hit, &count, NULL, &err) ==
          SL_REJECT);
    query[0] = 2;
    CHECK(sl_snapshot_nearest(snapshot, query, 1, 10, false, NULL, &hit, &count, NULL, &err) ==
          SL_REJECT);
    sl_snapshot_close(snapshot);
    sl_index_close(index);
}

TEST(index_I4_a_snapshot_never_changes)
{
    struct sl_index *index = test_index_open(test_directory(), DIM, SL_METRIC_COSINE);
    struct sl_snapshot *snapshot;
    char key[16], text[64], lexical[2048], exact[2048], walked[2048];
    float query[DIM];

    for (int i = 0; i < 60; i++) {
        snprintf(key, sizeof key, "d%d", i);
        snprintf(text, sizeof text, "common word%d", i);
        put(index, key, text, i + 1);
    }
    vector_of("common word7", query);
    snapshot = test_snapshot(index);
    snprintf(lexical, sizeof lexical, "%s", test_lexical(snapshot, "common word7"));
    snprintf(exact, sizeof exact, "%s", test_nearest(snapshot, query, 20, true));
    snprintf(walked, sizeof walked, "%s", test_nearest(snapshot, query, 20, false));
    CHECK(strcmp(exact, walked) == 0); /* 60 vectors: ef covers them all */
    for (int i = 0; i < 60; i++) {
        snprintf(key, sizeof key, "d%d", i);
        snprintf(text, sizeof text, "common other%d", i);
        if (i % 2 == 0)
            test_delete(index, key, 100 + i);
        else
            put(index, key, text, 100 + i);
        CHECK(strcmp(test_nearest(snapshot, query, 20, true), exact) == 0);
        CHECK(strcmp(test_nearest(snapshot, query, 20, false), walked) == 0);
        CHECK(strcmp(test_lexical(snapshot, "common word7"), lexical) == 0);
    }
    sl_snapshot_close(snapshot);
    snapshot = test_snapshot(index);
    CHECK(strcmp(test_nearest(snapshot, query, 20, true), exact) != 0); /* the world did change */
    sl_snapshot_close(snapshot);
    CHECK(test_verify(index, NULL) == 0);
    sl_index_close(index);
}

TEST(index_I5_a_record_applied_twice_changes_nothing)
{
    struct sl_index *index = test_index_open(test_directory(), 0, SL_METRIC_COSINE);
    struct test_document other = doc("a", "elsewhere", 1);
    struct sl_snapshot *snapshot;

    CHECK(put(index, "a", "one", 5) == SL_APPLIED_INSERTED);
    CHECK(put(index, "a", "two", 5) == SL_APPLIED_STALE);
    CHECK(put(index, "a", "two", 4) == SL_APPLIED_STALE);
    CHECK(put(index, "a", "one", 6) == SL_APPLIED_UNCHANGED);
    CHECK(put(index, "a", "two", 6) == SL_APPLIED_STALE); /* its version moved all the same */
    CHECK(put(index, "a", "imported", -1) == SL_APPLIED_STALE);
    CHECK(test_delete(index, "a", 5) == SL_APPLIED_STALE);
    CHECK(put(index, "a", "two", 7) == SL_APPLIED_REPLACED);
    CHECK(test_delete(index, "a", 8) == SL_APPLIED_DELETED);
    CHECK(put(index, "a", "three", 8) == SL_APPLIED_STALE); /* the tombstone remembers */
    CHECK(test_delete(index, "a", 9) == SL_APPLIED_ABSENT);
    CHECK(put(index, "a", "three", 9) == SL_APPLIED_STALE);
    CHECK(put(index, "a", "three", 10) == SL_APPLIED_INSERTED);
    CHECK(test_delete(index, "never", 1) == SL_APPLIED_ABSENT);

    other.partition = 1; /* another partition: time decides */
    other.timestamp_ms = 0;
    CHECK(test_put(index, &other) == SL_APPLIED_STALE);
    other.timestamp_ms = 2;
    CHECK(test_put(index, &other) == SL_APPLIED_REPLACED);

    CHECK(put(index, "i", "one", -1) == SL_APPLIED_INSERTED); /* imports: the last one wins */
    CHECK(put(index, "i", "two", -1) == SL_APPLIED_REPLACED);
    CHECK(put(index, "i", "three", 0) == SL_APPLIED_REPLACED);
    CHECK(put(index, "i", "four", -1) == SL_APPLIED_STALE);
    snapshot = test_snapshot(index);
    CHECK(strcmp(test_lexical(snapshot, "three"), "i") == 0);
    CHECK(strcmp(test_lexical(snapshot, "one two four"), "") == 0);
    sl_snapshot_close(snapshot);
    CHECK(test_verify(index, NULL) == 0);
    sl_index_close(index);
}

TEST(index_I7_no_vector_is_ever_unreachable)
{
    struct sl_index *index = test_index_open(test_directory(), DIM, SL_METRIC_COSINE);
    struct sl_index_stats stats;
    struct sl_snapshot *snapshot;
    struct sl_error err;
    char key[16], line[320];
    float vector[DIM];
    int64_t offset = 0;

    test_seed(7);
    for (int round = 0; round < 12; round++) {
        struct sl_batch *batch;
        REQUIRE(sl_batch_begin(index, &batch, &err) == SL_OK);
        for (int i = 0; i < 60; i++) {
            struct test_document document;
            enum sl_applied applied;
            snprintf(key, sizeof key, "%d", (int)(test_random() % 300));
            document = doc(key, key, ++offset);
            test_cluster_vector(5, DIM, vector); /* tight clusters: what hides nodes */
            document.vectors = vector;
            if (test_random() % 3 == 0)
                sl_batch_delete(batch, TEST_TOPIC, sl_view_of(key), 0, offset, &applied, &err);
            else
                test_apply(index, batch, &document);
        }
        REQUIRE(sl_batch_commit(batch, &err) == SL_OK);
        CHECK_THAT(test_verify(index, line) == 0, "round %d: %s", round, line);
        snapshot = test_snapshot(index);
        CHECK(sl_snapshot_stats(snapshot, &stats, &err) == SL_OK && stats.unreachable == 0);
        sl_snapshot_close(snapshot);
    }
    for (int i = 0; i < 300; i++) { /* down to nothing */
        snprintf(key, sizeof key, "%d", i);
        test_delete(index, key, ++offset);
        if (i % 50 == 0)
            CHECK_THAT(test_verify(index, line) == 0, "delete %d: %s", i, line);
    }
    CHECK_THAT(test_verify(index, line) == 0, "empty: %s", line);
    CHECK(put(index, "again", "again", ++offset) == SL_APPLIED_INSERTED);
    CHECK(test_verify(index, NULL) == 0);
    sl_index_close(index);
}

TEST(index_is_the_same_when_opened_again)
{
    const char *path = test_directory();
    struct sl_index *index = test_index_open(path, DIM, SL_METRIC_COSINE);
    struct sl_snapshot *snapshot;
    char key[16], text[64], found[2048], line[320];
    float query[DIM];

    for (int i = 0; i < 100; i++) {
        snprintf(key, sizeof key, "d%d", i);
        snprintf(text, sizeof text, "common word%d", i);
        put(index, key, text, i + 1);
    }
    for (int i = 0; i < 100; i += 3) {
        snprintf(key, sizeof key, "d%d", i);
        test_delete(index, key, 200);
    }
    vector_of("common word7", query);
    snapshot = test_snapshot(index);
    snprintf(found, sizeof found, "%s|%s", test_nearest(snapshot, query, 20, false),
             test_lexical(snapshot, "word7 common"));
    sl_snapshot_close(snapshot);
    sl_index_close(index);
    index = test_index_open(path, DIM, SL_METRIC_COSINE);
    CHECK_THAT(test_verify(index, line) == 0, "%s", line);
    snapshot = test_snapshot(index);
    snprintf(text, sizeof text, "%s", "");
    {
        char again[2048];
        snprintf(again, sizeof again, "%s|%s", test_nearest(snapshot, query, 20, false),
                 test_lexical(snapshot, "word7 common"));
        CHECK_THAT(strcmp(found, again) == 0, "%s\n%s", found, again);
    }
    sl_snapshot_close(snapshot);
    CHECK(put(index, "d0", "new", 300) == SL_APPLIED_INSERTED);
    CHECK(test_verify(index, NULL) == 0);
    sl_index_close(index);
}
