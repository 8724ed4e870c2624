/*
 * test_index.c -- promises of sluice/index.h, each by its number (others stand where their subject is), and
 * the rest of the contract: versions, failures, read-only use.
 */
#include <fcntl.h>
#include <limits.h>
#include <lmdb.h>
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

/* Documents of this colour, by the attribute tables. */
static uint64_t coloured(struct sl_snapshot *snapshot, const char *colour)
{
    struct sl_arena *arena = sl_arena_open(1u << 20);
    struct sl_selection *selection;
    struct sl_error err;
    uint64_t count = UINT64_MAX;

    if (sl_snapshot_select(snapshot, sl_filter_equals(arena, "colour", sl_view_of(colour)), arena,
                           &selection, &err) == SL_OK)
        count = sl_selection_count(selection);
    sl_arena_close(arena);
    return count;
}

TEST(index_I1_all_of_a_document_appears_and_goes_at_once)
{
    struct sl_index *index = test_index_open(test_directory(), DIM, SL_METRIC_COSINE);
    struct test_document first = doc("a", "red apple tree", 1), second = doc("a", "blue boat", 2);
    struct sl_field red = {SL_VIEW("colour"), SL_FIELD_STRING, .string = SL_VIEW("red")};
    struct sl_field blue = {SL_VIEW("colour"), SL_FIELD_STRING, .string = SL_VIEW("blue")};
    struct sl_snapshot *before, *between, *after;
    struct sl_batch *batch;
    struct sl_error err;
    float query[DIM];

    first.fields = &red;
    second.fields = &blue;
    first.field_count = second.field_count = 1;
    before = test_snapshot(index);
    REQUIRE(sl_batch_begin(index, &batch, &err) == SL_OK);
    CHECK(test_apply(index, batch, &first) == SL_APPLIED_INSERTED);
    between = test_snapshot(index);
    vector_of(first.text, query);
    CHECK(strcmp(test_lexical(between, "apple"), "") == 0);
    CHECK(strcmp(test_nearest(between, query, 5, false), "") == 0);
    CHECK(coloured(between, "red") == 0);
    REQUIRE(sl_batch_commit(batch, &err) == SL_OK);
    CHECK(strcmp(test_lexical(between, "apple"), "") == 0);
    CHECK(strcmp(test_nearest(between, query, 5, true), "") == 0);
    after = test_snapshot(index);
    CHECK(strcmp(test_lexical(after, "apple"), "a") == 0);
    CHECK(strcmp(test_nearest(after, query, 5, false), "a") == 0);
    CHECK(coloured(between, "red") == 0 && coloured(after, "red") == 1);
    sl_snapshot_close(before);
    sl_snapshot_close(between);

    CHECK(test_put(index, &second) == SL_APPLIED_REPLACED);
    CHECK(strcmp(test_lexical(after, "apple"), "a") == 0); /* the old one, in the old snapshot */
    CHECK(strcmp(test_lexical(after, "boat"), "") == 0);
    before = test_snapshot(index);
    CHECK(strcmp(test_lexical(before, "apple"), "") == 0);
    CHECK(strcmp(test_lexical(before, "boat"), "a") == 0);
    CHECK(coloured(after, "red") == 1 && coloured(after, "blue") == 0);
    CHECK(coloured(before, "red") == 0 && coloured(before, "blue") == 1);
    CHECK(test_delete(index, "a", 3) == SL_APPLIED_DELETED);
    CHECK(strcmp(test_lexical(before, "boat"), "a") == 0);
    sl_snapshot_close(before);
    before = test_snapshot(index);
    CHECK(strcmp(test_lexical(before, "boat"), "") == 0);
    CHECK(strcmp(test_nearest(before, query, 5, false), "") == 0);
    CHECK(coloured(before, "blue") == 0);
    sl_snapshot_close(before);
    sl_snapshot_close(after);
    CHECK(test_verify(index, NULL) == 0);
    sl_index_close(index);
}

TEST(index_I1_I14_an_aborted_batch_leaves_nothing)
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
    struct sl_term_count term = {SL_VIEW("one"), 1, 0};
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

/* ------------------------------------------------------------------------- opening and refusing */

static enum sl_err open_with(struct sl_index_options options, struct sl_index **ret_index,
                             struct sl_error *err)
{
    options.map_size_bytes = options.map_size_bytes != 0 ? options.map_size_bytes : 1u << 30;
    return sl_index_open(&options, ret_index, err);
}

/* The bytes of the index's file, as one checksum. */
static unsigned long checksum(const char *path)
{
    char name[PATH_MAX];
    unsigned long sum = 5381;
    FILE *file;
    int c;

    snprintf(name, sizeof name, "%s/env.0/data.mdb", path);
    file = fopen(name, "rb");
    if (file == NULL)
        return 0;
    while ((c = getc(file)) != EOF)
        sum = sum * 33 + (unsigned long)c;
    fclose(file);
    return sum;
}

/* Replace the format record of a closed index. */
static void write_format(const char *path, const char *bytes, size_t size)
{
    char file[PATH_MAX];
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;
    MDB_val key = {6, (void *)(uintptr_t) "format"}, value = {size, (void *)(uintptr_t)bytes};

    snprintf(file, sizeof file, "%s/env.0", path);
    if (mdb_env_create(&env) != 0 || mdb_env_set_maxdbs(env, 32) != 0 ||
        mdb_env_open(env, file, 0, 0600) != 0 || mdb_txn_begin(env, NULL, 0, &txn) != 0 ||
        mdb_dbi_open(txn, "meta", 0, &dbi) != 0 || mdb_put(txn, dbi, &key, &value, 0) != 0 ||
        mdb_txn_commit(txn) != 0)
        abort();
    mdb_env_close(env);
}

TEST(index_I9_a_newer_format_is_refused_without_a_write)
{
    const char *path = test_directory();
    static const char newer[] = "CRC?sluice\r\n\x07\0\0\0\x04\x03\x02\x01 and whatever it holds";
    static const char foreign[] = "something else entirely, longer than a head";
    struct sl_index *index;
    struct sl_error err;
    unsigned long before;

    sl_index_close(test_index_open(path, DIM, SL_METRIC_COSINE));
    for (int i = 0; i < 4; i++) {
        struct sl_index_options options = {.path = path, .dim = DIM, .read_only = i % 2 == 1};
        if (i < 2)
            write_format(path, newer, sizeof newer);
        else
            write_format(path, foreign, sizeof foreign);
        before = checksum(path);
        CHECK(open_with(options, &index, &err) == SL_STOP);
        CHECK_THAT(err.exit_code == SL_EXIT_CONFIG && strcmp(err.reason, "bad_format") == 0,
                   "%s: %s", err.reason, err.message);
        CHECK(i >= 2 || strstr(err.message, "format 7") != NULL);
        CHECK(before == checksum(path) && before != 0);
    }
}

TEST(index_other_settings_are_refused_by_name)
{
    const char *path = test_directory();
    struct sl_index_options first = {.path = path, .dim = DIM, .fingerprint = "one way"};
    struct sl_index_options same = first, other = first, dim = first, any = first;
    struct sl_index *index;
    struct sl_error err;

    REQUIRE(open_with(first, &index, &err) == SL_OK);
    sl_index_close(index);
    other.fingerprint = "another way";
    CHECK(open_with(other, &index, &err) == SL_STOP && err.exit_code == SL_EXIT_CONFIG);
    CHECK(strcmp(err.reason, "fingerprint") == 0 && strstr(err.message, "one way") != NULL &&
          strstr(err.message, "another way") != NULL);
    dim.dim = DIM * 2;
    CHECK(open_with(dim, &index, &err) == SL_STOP && strcmp(err.reason, "fingerprint") == 0);
    any.fingerprint = NULL;
    any.dim = 0;
    any.read_only = true;
    REQUIRE(open_with(any, &index, &err) == SL_OK);
    CHECK(sl_index_dim(index) == DIM && strcmp(sl_index_fingerprint(index), "one way") == 0);
    sl_index_close(index);
    REQUIRE(open_with(same, &index, &err) == SL_OK);
    sl_index_close(index);
}

TEST(index_has_one_writer_and_many_readers)
{
    const char *path = test_directory();
    struct sl_index *index = test_index_open(path, DIM, SL_METRIC_COSINE);
    pid_t child;
    int status = -1;
    float query[DIM];

    put(index, "a", "red apple", 1);
    vector_of("red apple", query);
    child = fork();
    if (child == 0) { /* another process: refused to write, welcome to read */
        struct sl_index_options write = {.path = path, .dim = DIM};
        struct sl_index_options read = {.path = path, .read_only = true};
        struct sl_index *second;
        struct sl_snapshot *snapshot;
        struct sl_error err;
        int bad = 0;
        bad |= open_with(write, &second, &err) != SL_STOP || err.exit_code != SL_EXIT_LOCKED;
        bad |= (open_with(read, &second, &err) != SL_OK) << 1;
        if (bad == 0) {
            snapshot = test_snapshot(second);
            bad |= (strcmp(test_lexical(snapshot, "apple"), "a") != 0) << 2;
            bad |= (strcmp(test_nearest(snapshot, query, 3, false), "a") != 0) << 3;
            sl_snapshot_close(snapshot);
            sl_index_close(second);
        }
        _exit(bad);
    }
    waitpid(child, &status, 0);
    CHECK_THAT(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%d", status);
    sl_index_close(index);
}

TEST(index_a_reader_follows_the_writer)
{
    const char *path = test_directory();
    struct sl_index_options options = {.path = path, .read_only = true};
    struct sl_index *reader;
    struct sl_snapshot *snapshot;
    struct sl_error err;
    float query[DIM];
    int ready[2], go[2], status;
    char byte = 0;
    pid_t child;

    if (pipe(ready) != 0 || pipe(go) != 0)
        abort();
    child = fork(); /* LMDB wants one environment a process: the writer is another one */
    if (child == 0) {
        struct sl_index *index = test_index_open(path, DIM, SL_METRIC_COSINE);
        for (int i = 0; i < 3; i++) {
            put(index, "a", i % 2 == 0 ? "red apple" : "blue boat", i + 1);
            if (write(ready[1], &byte, 1) != 1 || read(go[0], &byte, 1) != 1)
                _exit(1);
        }
        sl_index_close(index);
        _exit(0);
    }
    vector_of("red apple", query);
    for (int i = 0; i < 3; i++) {
        REQUIRE(read(ready[0], &byte, 1) == 1);
        if (i == 0)
            REQUIRE(open_with(options, &reader, &err) == SL_OK);
        snapshot = test_snapshot(reader);
        CHECK(strcmp(test_lexical(snapshot, i % 2 == 0 ? "apple" : "boat"), "a") == 0);
        CHECK(strcmp(test_lexical(snapshot, i % 2 == 0 ? "boat" : "apple"), "") == 0);
        CHECK(strcmp(test_nearest(snapshot, query, 3, false), "a") == 0);
        sl_snapshot_close(snapshot);
        REQUIRE(write(go[1], &byte, 1) == 1);
    }
    waitpid(child, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    sl_index_close(reader);
}

TEST(index_nothing_there_is_said_so)
{
    struct sl_index_options options = {.path = test_directory(), .read_only = true};
    struct sl_index *index;
    struct sl_error err;

    CHECK(open_with(options, &index, &err) == SL_STOP && err.exit_code == SL_EXIT_NOINPUT);
    options.path = "/nowhere/at/all";
    CHECK(open_with(options, &index, &err) == SL_STOP && err.exit_code == SL_EXIT_NOINPUT);
}

/* ----------------------------------------------------------------------------------- failing */

TEST(index_I14_survives_a_full_map)
{
    const char *path = test_directory();
    struct sl_index_options options = {.path = path, .dim = DIM, .map_size_bytes = 4u << 20};
    struct sl_index *index;
    struct sl_error err;
    static char text[200000];
    char key[16];
    bool full = false;
    int stored = 0;

    for (size_t i = 0; i < sizeof text - 1; i++)
        text[i] = i % 6 == 5 ? ' ' : (char)('a' + i / 7 % 26);
    REQUIRE(sl_index_open(&options, &index, &err) == SL_OK);
    while (!full && stored < 100) {
        struct test_document document = {.key = key, .text = text, .offset = 1};
        struct sl_prepared *prepared;
        struct sl_batch *batch;
        enum sl_applied applied;
        enum sl_err rc;
        snprintf(key, sizeof key, "k%d", stored);
        prepared = test_prepare(index, &document);
        REQUIRE(sl_batch_begin(index, &batch, &err) == SL_OK);
        rc = sl_batch_apply(batch, prepared, &applied, &err);
        if (rc == SL_OK) {
            rc = sl_batch_commit(batch, &err);
        } else {
            sl_batch_abort(batch);
            sl_prepared_free(prepared);
        }
        full = rc != SL_OK;
        if (full)
            CHECK_THAT(rc == SL_STOP && strcmp(err.reason, "map_full") == 0 &&
                           err.exit_code == SL_EXIT_IO,
                       "%s: %s", err.reason, err.message);
        else
            stored++;
    }
    CHECK(full && stored > 0);
    CHECK(test_verify(index, NULL) == 0);
    CHECK(test_delete(index, "k0", 2) == SL_APPLIED_DELETED); /* making room works */
    CHECK(put(index, "small", "one two", 1) == SL_APPLIED_INSERTED);
    CHECK(test_verify(index, NULL) == 0);
    sl_index_close(index);
    options.map_size_bytes = 64u << 20; /* and so does a larger map */
    REQUIRE(sl_index_open(&options, &index, &err) == SL_OK);
    snprintf(key, sizeof key, "k%d", stored);
    CHECK(put(index, key, text, 1) == SL_APPLIED_INSERTED);
    CHECK(test_verify(index, NULL) == 0);
    sl_index_close(index);
}

TEST(index_a_document_prepared_once_may_be_applied_after_a_failed_batch)
{
    struct sl_index *index = test_index_open(test_directory(), DIM, SL_METRIC_COSINE);
    struct test_document document = doc("a", "red apple tree by the sea", 1);
    struct sl_prepared *prepared;
    struct sl_batch *batch;
    enum sl_applied applied;
    struct sl_error err;

    document.chunk_words = 2;
    prepared = test_prepare(index, &document);
    put(index, "b", "the graph is another one by now", 1);
    REQUIRE(sl_batch_begin(index, &batch, &err) == SL_OK);
    test_apply(index, batch, &(struct test_document){.key = "c", .text = "gone", .offset = 1});
    sl_batch_abort(batch); /* loads the graph anew */
    REQUIRE(sl_batch_begin(index, &batch, &err) == SL_OK);
    CHECK(sl_prepared_bytes(prepared) > 0);
    CHECK(sl_batch_apply(batch, prepared, &applied, &err) == SL_OK);
    CHECK(applied == SL_APPLIED_INSERTED);
    REQUIRE(sl_batch_commit(batch, &err) == SL_OK);
    CHECK(test_verify(index, NULL) == 0);
    sl_index_close(index);
}

/* ------------------------------------------------------------------------------ keeping windows */

static uint64_t live_vectors(struct sl_index *index, uint64_t *ret_dead)
{
    struct sl_snapshot *snapshot = test_snapshot(index);
    struct sl_index_stats stats;
    struct sl_error err;

    if (sl_snapshot_stats(snapshot, &stats, &err) != SL_OK)
        abort();
    sl_snapshot_close(snapshot);
    *ret_dead = stats.vectors_dead;
    return stats.vectors_live;
}

TEST(index_windows_that_stay_keep_their_vectors)
{
    struct sl_index *index = test_index_open(test_directory(), DIM, SL_METRIC_COSINE);
    struct test_document document = doc("a", "one two three four five six", 1);
    struct sl_snapshot *snapshot;
    uint64_t dead;
    float query[DIM];

    document.chunk_words = 2;
    document.keep_windows = true;
    CHECK(test_put(index, &document) == SL_APPLIED_INSERTED);
    document.offset = 2;
    document.text = "one two NEW four five six"; /* the first and the last stay */
    CHECK(test_put(index, &document) == SL_APPLIED_REPLACED);
    CHECK(live_vectors(index, &dead) == 3 && dead <= 1);
    document.offset = 3;
    document.text = "zero zero one two five six one two"; /* moved, and one of them twice */
    CHECK(test_put(index, &document) == SL_APPLIED_REPLACED);
    CHECK(live_vectors(index, &dead) == 4);
    CHECK(test_verify(index, NULL) == 0);
    snapshot = test_snapshot(index);
    vector_of("five six", query);
    CHECK(strcmp(test_nearest(snapshot, query, 1, true), "a") == 0);
    sl_snapshot_close(snapshot);
    sl_index_close(index);
}

TEST(index_a_window_that_went_away_is_asked_for_again)
{
    struct sl_index *index = test_index_open(test_directory(), DIM, SL_METRIC_COSINE);
    struct test_document document = doc("a", "one two three four", 1);
    struct sl_prepared *prepared;
    struct sl_batch *batch;
    enum sl_applied applied;
    struct sl_error err;

    document.chunk_words = 2;
    test_put(index, &document);
    document.keep_windows = true;
    document.offset = 3;
    document.text = "one two five six";
    prepared = test_prepare(index, &document); /* counts on "one two" */
    put(index, "a", "something else", 2);
    REQUIRE(sl_batch_begin(index, &batch, &err) == SL_OK);
    CHECK(sl_batch_apply(batch, prepared, &applied, &err) == SL_AGAIN);
    CHECK(strcmp(err.reason, "window_gone") == 0);
    sl_prepared_free(prepared);
    document.keep_windows = false;
    CHECK(test_apply(index, batch, &document) == SL_APPLIED_REPLACED); /* the batch is still good */
    REQUIRE(sl_batch_commit(batch, &err) == SL_OK);
    CHECK(test_verify(index, NULL) == 0);
    sl_index_close(index);
}

/* ----------------------------------------------------------------------------------- reading */

struct gathered {
    char text[200];
    int stop_after;
};

static bool gather_row(void *context, struct sl_view key, struct sl_view value)
{
    struct gathered *gathered = context;

    snprintf(gathered->text + strlen(gathered->text),
             sizeof gathered->text - strlen(gathered->text), "%.*s=%.*s ", SL_VIEW_ARG(key),
             SL_VIEW_ARG(value));
    return --gathered->stop_after != 0;
}

static bool gather_position(void *context, struct sl_view topic, int32_t partition,
                            const struct sl_position *position)
{
    struct gathered *gathered = context;

    snprintf(gathered->text + strlen(gathered->text),
             sizeof gathered->text - strlen(gathered->text), "%.*s/%d:%d ", SL_VIEW_ARG(topic),
             partition, (int)position->next_offset);
    return --gathered->stop_after != 0;
}

TEST(index_rows_and_positions_come_back_in_order)
{
    struct sl_index *index = test_index_open(test_directory(), 0, SL_METRIC_COSINE);
    struct sl_arena *arena = sl_arena_open(1u << 20);
    struct sl_position position = {.next_offset = 7};
    struct gathered gathered = {"", 0};
    struct sl_snapshot *snapshot;
    struct sl_batch *batch;
    struct sl_view value;
    struct sl_error err;

    REQUIRE(sl_batch_begin(index, &batch, &err) == SL_OK);
    sl_batch_row(batch, SL_TABLE_NOTE, SL_VIEW("b"), SL_VIEW("2"), &err);
    sl_batch_row(batch, SL_TABLE_NOTE, SL_VIEW("a"), SL_VIEW("1"), &err);
    sl_batch_row(batch, SL_TABLE_NOTE, SL_VIEW("c"), SL_VIEW(""), &err);
    sl_batch_row(batch, SL_TABLE_NOTE, SL_VIEW("x"), SL_VIEW("9"), &err);
    sl_batch_row(batch, SL_TABLE_NOTE, SL_VIEW("x"), SL_VIEW_NULL, &err);
    sl_batch_position(batch, SL_VIEW("u"), 2, &position, &err);
    sl_batch_position(batch, SL_VIEW("t"), 11, &position, &err);
    sl_batch_position(batch, SL_VIEW("t"), 2, &position, &err);
    REQUIRE(sl_batch_commit(batch, &err) == SL_OK);
    snapshot = test_snapshot(index);
    CHECK(sl_snapshot_rows(snapshot, SL_TABLE_NOTE, SL_VIEW_NULL, gather_row, &gathered, &err) ==
          SL_OK);
    CHECK_THAT(strcmp(gathered.text, "a=1 b=2 c= ") == 0, "%s", gathered.text);
    gathered = (struct gathered){"", 1};
    CHECK(sl_snapshot_rows(snapshot, SL_TABLE_NOTE, SL_VIEW("a"), gather_row, &gathered, &err) ==
          SL_OK);
    CHECK_THAT(strcmp(gathered.text, "b=2 ") == 0, "%s", gathered.text);
    gathered = (struct gathered){"", 0};
    CHECK(sl_snapshot_positions(snapshot, arena, gather_position, &gathered, &err) == SL_OK);
    CHECK_THAT(strcmp(gathered.text, "t/2:7 t/11:7 u/2:7 ") == 0, "%s", gathered.text);
    CHECK(sl_snapshot_row(snapshot, SL_TABLE_NOTE, SL_VIEW("c"), &value, &err) == SL_OK &&
          value.data != NULL && value.size == 0);
    CHECK(sl_snapshot_row(snapshot, SL_TABLE_NOTE, SL_VIEW("x"), &value, &err) == SL_REJECT);
    sl_snapshot_close(snapshot);
    sl_arena_close(arena);
    sl_index_close(index);
}

TEST(index_long_keys_and_all_fields_come_back)
{
    struct sl_index *index = test_index_open(test_directory(), 0, SL_METRIC_COSINE);
    struct sl_arena *arena = sl_arena_open(1u << 20);
    static char key[5000], other[5000];
    struct sl_field fields[] = {
        {.name = SL_VIEW("s"), .type = SL_FIELD_STRING, .string = SL_VIEW("x"), .in_array = true},
        {.name = SL_VIEW("n"), .type = SL_FIELD_NUMBER, .number = -0.25},
        {.name = SL_VIEW("b"), .type = SL_FIELD_BOOL, .boolean = true}};
    struct sl_day_range valid = {3, 9};
    struct test_document document = {.key = key, .text = "alpha beta", .offset = 12,
                                     .partition = 3, .timestamp_ms = 77, .fields = fields,
                                     .field_count = 3, .valid = &valid, .valid_count = 1,
                                     .title = "T", .date = "2015"};
    struct sl_document found;
    struct sl_chunk chunk;
    struct sl_snapshot *snapshot;
    struct sl_error err;
    sl_doc_id doc, next;
    uint32_t chunks;

    memset(key, 'k', sizeof key - 1);
    memset(other, 'k', sizeof other - 1);
    other[4000] = 'j';
    CHECK(test_put(index, &document) == SL_APPLIED_INSERTED);
    snapshot = test_snapshot(index);
    CHECK(sl_snapshot_find(snapshot, TEST_TOPIC, sl_view_of(other), &doc, &err) == SL_REJECT);
    REQUIRE(sl_snapshot_find(snapshot, TEST_TOPIC, sl_view_of(key), &doc, &err) == SL_OK);
    REQUIRE(sl_snapshot_document(snapshot, doc, arena, &found, &chunks, &err) == SL_OK);
    CHECK(found.partition == 3 && found.offset == 12 && found.timestamp_ms == 77 && chunks == 1);
    CHECK(found.field_count == 3 && found.fields[0].in_array && found.fields[1].number == -0.25 &&
          found.fields[2].boolean);
    CHECK(sl_view_is(found.title, "T") && sl_view_is(found.date, "2015") &&
          found.lang.data == NULL && found.vector == NULL);
    CHECK(found.valid_count == 1 && found.valid[0].to == 9 && sl_view_is(found.text, document.text));
    CHECK(sl_snapshot_chunk(snapshot, doc, 0, arena, &chunk, &err) == SL_OK &&
          chunk.byte_end == 10 && chunk.length_terms == 2);
    CHECK(sl_snapshot_chunk(snapshot, doc, 1, arena, &chunk, &err) == SL_REJECT);
    CHECK(sl_snapshot_next(snapshot, 0, &next, &err) == SL_OK && next == doc);
    CHECK(sl_snapshot_next(snapshot, next, &next, &err) == SL_REJECT);
    sl_snapshot_close(snapshot);
    CHECK(test_verify(index, NULL) == 0);
    sl_arena_close(arena);
    sl_index_close(index);
}

TEST(index_snapshots_are_bounded)
{
    struct sl_index *index = test_index_open(test_directory(), 0, SL_METRIC_COSINE);
    struct sl_snapshot *open[SL_SNAPSHOTS_MAX], *more;
    struct sl_error err;

    for (uint32_t i = 0; i < SL_SNAPSHOTS_MAX; i++)
        open[i] = test_snapshot(index);
    CHECK(sl_snapshot_open(index, &more, &err) == SL_AGAIN && strcmp(err.reason, "busy") == 0);
    for (uint32_t i = 0; i < SL_SNAPSHOTS_MAX; i++)
        sl_snapshot_close(open[i]);
    more = test_snapshot(index);
    sl_snapshot_close(more);
    sl_index_close(index);
}
