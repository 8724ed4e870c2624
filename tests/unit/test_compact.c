/*
 * test_compact.c -- an index written anew as a whole holds the same and no more: compaction, backup, erasure.
 */
#include <pthread.h>
#include <sluice/hash.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "index_data.h"
#include "index_dump.h"
#include "test.h"

#define DIM 32

static void name_of(int i, char key[16])
{
    snprintf(key, 16, "k%d", i);
}

static void put(struct sl_index *index, struct sl_batch *batch, int i, int version)
{
    char key[16], text[200];
    struct test_document document = {.key = key, .text = text, .offset = version * 100000 + i,
                                     .chunk_words = 4, .title = "a title"};

    name_of(i, key);
    snprintf(text, sizeof text, "word%d and number%d of version%d are here with many%d more", i % 20, i,
             version, i % 7);
    test_apply(index, batch, &document);
}

static struct sl_batch *begin(struct sl_index *index)
{
    struct sl_batch *batch = NULL;
    struct sl_error err;

    if (sl_batch_begin(index, &batch, &err) != SL_OK)
        abort();
    return batch;
}

static void commit(struct sl_batch *batch)
{
    struct sl_error err;

    if (sl_batch_commit(batch, &err) != SL_OK)
        abort();
}

/* Documents put, replaced and deleted, positions and rows: `count` of each. */
static void fill(struct sl_index *index, int count)
{
    struct sl_offset_range completed = {count + 5, count + 9};
    struct sl_position position = {.next_offset = count, .completed = &completed,
                                   .completed_count = 1, .wall_ms = 77};
    struct sl_error err;
    char key[16];

    for (int version = 0; version < 2; version++) {
        struct sl_batch *batch = begin(index);
        for (int i = 0; i < count; i++)
            if (version == 0 || i % 3 == 0)
                put(index, batch, i, version);
        commit(batch);
    }
    struct sl_batch *batch = begin(index);
    for (int i = 0; i < count; i += 4) {
        enum sl_applied applied;
        name_of(i, key);
        sl_batch_delete(batch, TEST_TOPIC, sl_view_of(key), 0, 900000, &applied, &err);
    }
    sl_batch_position(batch, TEST_TOPIC, 0, &position, &err);
    sl_batch_row(batch, SL_TABLE_OUTBOX, SL_VIEW("00000001"), SL_VIEW("letter"), &err);
    sl_batch_row(batch, SL_TABLE_REPLY, SL_VIEW("reply"), SL_VIEW("answer"), &err);
    sl_batch_row(batch, SL_TABLE_NOTE, SL_VIEW("cluster"), SL_VIEW("id"), &err);
    commit(batch);
}

static enum sl_err compact(struct sl_index *index, struct sl_rewritten *ret, struct sl_error *err)
{
    return sl_index_compact(index, NULL, NULL, ret, err);
}

static bool there(const char *directory, const char *name)
{
    char path[4200];

    snprintf(path, sizeof path, "%s/%s", directory, name);
    return access(path, F_OK) == 0;
}

static struct sl_index_stats stats_of(struct sl_index *index)
{
    struct sl_snapshot *snapshot = test_snapshot(index);
    struct sl_index_stats stats = {0};
    struct sl_error err;

    CHECK(sl_snapshot_stats(snapshot, &stats, &err) == SL_OK);
    sl_snapshot_close(snapshot);
    return stats;
}

static const char *nearest(struct sl_index *index, struct sl_snapshot *snapshot, const char *text,
                           bool exact)
{
    float query[DIM];

    test_vector(sl_view_of(text), sl_index_dim(index), query);
    return test_nearest(snapshot, query, 5, exact);
}

TEST(compact_I13_keeps_everything)
{
    const char *path = test_directory(), *before_hits;
    struct sl_index *index = test_index_open(path, DIM, SL_METRIC_COSINE);
    struct sl_snapshot *old, *fresh;
    struct sl_index_stats before, after;
    struct sl_rewritten rewritten;
    struct sl_error err = {0};
    unsigned long long dump;
    char line[320];

    fill(index, 400);
    dump = test_dump_index(index);
    before = stats_of(index);
    old = test_snapshot(index);
    before_hits = nearest(index, old, "word3 and number3 of", true);
    REQUIRE(compact(index, &rewritten, &err) == SL_OK);
    after = stats_of(index);
    CHECK(test_dump(old) == dump);
    CHECK(strcmp(nearest(index, old, "word3 and number3 of", true), before_hits) == 0);
    fresh = test_snapshot(index);
    CHECK(test_dump(fresh) == dump);
    CHECK(strcmp(nearest(index, fresh, "word3 and number3 of", true), before_hits) == 0);
    CHECK(strcmp(nearest(index, fresh, "word3 and number3 of", false), before_hits) == 0);
    CHECK(before.vectors_dead > 0 && after.vectors_dead == 0);
    CHECK(after.sequence == before.sequence && after.unreachable == 0);
    CHECK(rewritten.slots_dropped > 0 && rewritten.before_bytes > 0 && rewritten.after_bytes > 0);
    CHECK(there(path, "env.0") && there(path, "env.1"));
    CHECK_THAT(test_verify(index, line) == 0, "%s", line);
    sl_snapshot_close(old); /* the last that knew env.0 */
    CHECK(!there(path, "env.0") && there(path, "env.1"));
    sl_snapshot_close(fresh);
    sl_index_close(index);
    index = test_index_open(path, DIM, SL_METRIC_COSINE);
    CHECK(test_dump_index(index) == dump);
    CHECK(test_verify(index, NULL) == 0);
    sl_index_close(index);
}

TEST(compact_is_followed_by_more_writing)
{
    const char *path = test_directory();
    struct sl_index *index = test_index_open(path, DIM, SL_METRIC_COSINE);
    struct test_document document = {.key = "prepared", .text = "prepared before it", .offset = 7};
    struct sl_prepared *prepared;
    struct sl_batch *batch;
    enum sl_applied applied;
    struct sl_error err = {0};
    char line[320];

    fill(index, 200);
    for (int round = 1; round <= 3; round++) {
        struct sl_snapshot *held = test_snapshot(index);
        unsigned long long dump = test_dump(held);
        document.offset = 7 + round;
        prepared = test_prepare(index, &document);
        REQUIRE(compact(index, NULL, &err) == SL_OK);
        batch = begin(index);
        REQUIRE(sl_batch_apply(batch, prepared, &applied, &err) == SL_OK);
        for (int i = 0; i < 100; i++)
            put(index, batch, i, 20 + round);
        commit(batch);
        test_delete(index, "k1", 5000000 + round);
        CHECK(test_dump(held) == dump);
        CHECK(test_dump_index(index) != dump);
        sl_snapshot_close(held);
        CHECK_THAT(test_verify(index, line) == 0, "round %d: %s", round, line);
    }
    sl_batch_abort(begin(index));
    CHECK(there(path, "env.3") && !there(path, "env.2"));
    sl_index_close(index);
}

TEST(compact_without_vectors_or_anything)
{
    for (int filled = 0; filled < 2; filled++)
        for (uint32_t dim = 0; dim <= DIM; dim += DIM) {
            const char *path = test_directory();
            struct sl_index *index = test_index_open(path, dim, SL_METRIC_COSINE);
            struct sl_error err = {0};
            unsigned long long dump;
            if (filled)
                fill(index, 60);
            dump = test_dump_index(index);
            CHECK_THAT(compact(index, NULL, &err) == SL_OK, "%s", err.message);
            CHECK(test_dump_index(index) == dump && test_verify(index, NULL) == 0);
            struct sl_batch *batch = begin(index);
            put(index, batch, 1000, 99);
            commit(batch);
            CHECK(test_verify(index, NULL) == 0);
            sl_index_close(index);
        }
}

static bool stop_at(void *context, uint64_t done_bytes, uint64_t total_bytes)
{
    (void)total_bytes;
    return done_bytes < *(uint64_t *)context;
}

TEST(compact_can_be_stopped)
{
    const char *path = test_directory();
    struct sl_index *index = test_index_open(path, DIM, SL_METRIC_COSINE);
    uint64_t limit = 0;
    struct sl_error err = {0};
    unsigned long long dump;

    fill(index, 600);
    dump = test_dump_index(index);
    CHECK(sl_index_compact(index, stop_at, &limit, NULL, &err) == SL_AGAIN);
    CHECK_THAT(strcmp(err.reason, "cancelled") == 0, "%s", err.reason);
    CHECK(!there(path, "env.new") && !there(path, "env.1"));
    CHECK(test_dump_index(index) == dump);
    struct sl_batch *batch = begin(index);
    put(index, batch, 1000, 99);
    commit(batch);
    CHECK(test_verify(index, NULL) == 0);
    sl_index_close(index);
}

TEST(compact_leftovers_are_removed)
{
    const char *path = test_directory();
    struct sl_index *index = test_index_open(path, DIM, SL_METRIC_COSINE);
    static const char *const rubbish[] = {"env.new", "env.7"};
    struct sl_index_options reader = {.path = path, .read_only = true};
    struct sl_error err = {0};
    char name[4096];

    fill(index, 40);
    sl_index_close(index);
    for (int i = 0; i < 2; i++) {
        FILE *file;
        snprintf(name, sizeof name, "%s/%s", path, rubbish[i]);
        mkdir(name, 0700);
        strcat(name, "/data.mdb");
        file = fopen(name, "w");
        fputs("half a file", file);
        fclose(file);
    }
    snprintf(name, sizeof name, "%s/env.keep", path);
    mkdir(name, 0700);
    REQUIRE(sl_index_open(&reader, &index, &err) == SL_OK);
    sl_index_close(index);
    CHECK(there(path, "env.new") && there(path, "env.7")); /* a reader removes nothing */
    index = test_index_open(path, DIM, SL_METRIC_COSINE);
    CHECK(!there(path, "env.new") && !there(path, "env.7"));
    CHECK(there(path, "env.0") && there(path, "env.keep"));
    CHECK(test_verify(index, NULL) == 0);
    sl_index_close(index);
}

TEST(compact_without_current_nothing_is_begun_anew)
{
    const char *path = test_directory();
    struct sl_index *index = test_index_open(path, DIM, SL_METRIC_COSINE);
    struct sl_index_options options = {.path = path, .dim = DIM};
    struct sl_error err;
    char current[200];
    FILE *file;

    fill(index, 20);
    REQUIRE(sl_index_compact(index, NULL, NULL, NULL, &err) == SL_OK);
    sl_index_close(index);
    snprintf(current, sizeof current, "%s/CURRENT", path);
    REQUIRE(unlink(current) == 0);
    CHECK(sl_index_open(&options, &index, &err) == SL_STOP && err.exit_code == SL_EXIT_DATA);
    CHECK_THAT(strstr(err.message, "env.1") != NULL, "%s", err.message);
    file = fopen(current, "w");
    REQUIRE(file != NULL);
    fputs("env.1\n", file);
    fclose(file);
    index = test_index_open(path, DIM, SL_METRIC_COSINE);
    CHECK(test_verify(index, NULL) == 0);
    sl_index_close(index);
}

TEST(compact_beside_a_reader)
{
    const char *path = test_directory();
    struct sl_index *index = test_index_open(path, DIM, SL_METRIC_COSINE);
    struct sl_index_options options = {.path = path, .read_only = true, .map_size_bytes = 1ull << 32};
    struct sl_index *before, *after;
    struct sl_snapshot *snapshot;
    struct sl_error err = {0};
    unsigned long long dump;

    fill(index, 100);
    dump = test_dump_index(index);
    sl_index_close(index);
    REQUIRE(sl_index_open(&options, &before, &err) == SL_OK);
    pid_t child = fork(); /* LMDB wants one environment a process */
    if (child == 0) {
        index = test_index_open(path, DIM, SL_METRIC_COSINE);
        if (compact(index, NULL, &err) != SL_OK)
            _exit(1);
        test_delete(index, "k1", 5000000);
        sl_index_close(index);
        _exit(0);
    }
    int status = -1;
    (void)waitpid(child, &status, 0);
    REQUIRE(status == 0);
    CHECK(!there(path, "env.0"));
    CHECK(test_dump_index(before) == dump);
    snapshot = test_snapshot(before);
    CHECK(nearest(before, snapshot, "word3 and number3 of", false)[0] != '\0');
    sl_snapshot_close(snapshot);
    REQUIRE(sl_index_open(&options, &after, &err) == SL_OK);
    CHECK(test_dump_index(after) != dump);
    sl_index_close(after);
    sl_index_close(before);
}

/* ------------------------------------------------------------------------------------- holes */

TEST(space_goes_back_but_not_under_a_reader)
{
    struct sl_index *index = test_index_open(test_directory(), 256, SL_METRIC_COSINE);
    struct sl_snapshot *held;
    enum sl_applied applied;
    struct sl_error err;
    unsigned long long dump;
    uint64_t full;
    char key[16];

    fill(index, 3000);
    held = test_snapshot(index);
    dump = test_dump(held);
    full = stats_of(index).disk_bytes;
    for (int round = 0; round < 6; round++) {
        struct sl_batch *batch = begin(index);
        for (int i = round * 480; i < (round + 1) * 480; i++) {
            name_of(i, key);
            sl_batch_delete(batch, TEST_TOPIC, sl_view_of(key), 0, 950000 + i, &applied, &err);
        }
        commit(batch);
        CHECK_THAT(test_dump(held) == dump, "round %d", round);
    }
    sl_snapshot_close(held);
    for (int round = 0; round < 12; round++) { /* what is left, over and over */
        struct sl_batch *batch = begin(index);
        for (int i = 2880; i < 3000; i++)
            put(index, batch, i, 20 + round);
        commit(batch);
    }
    CHECK_THAT(stats_of(index).disk_bytes < full / 2, "%llu of %llu",
               (unsigned long long)stats_of(index).disk_bytes, (unsigned long long)full);
    CHECK(test_verify(index, NULL) == 0);
    sl_index_close(index);
}

/* ------------------------------------------------------------------------------------- backup */

TEST(backup_I13_is_an_index)
{
    const char *path = test_directory();
    char copy[4096];
    struct sl_index *index = test_index_open(path, DIM, SL_METRIC_COSINE), *other;
    struct sl_rewritten rewritten;
    struct sl_error err = {0};
    unsigned long long dump;

    fill(index, 300);
    dump = test_dump_index(index);
    snprintf(copy, sizeof copy, "%s/deep", test_directory());
    REQUIRE(sl_index_backup(index, copy, NULL, NULL, &rewritten, &err) == SL_OK);
    CHECK(there(copy, "env.0") && there(copy, "CURRENT") && !there(copy, "env.new"));
    CHECK(rewritten.after_bytes > 0 && rewritten.slots_dropped > 0);
    CHECK(test_dump_index(index) == dump && there(path, "env.0"));
    CHECK(sl_index_backup(index, copy, NULL, NULL, NULL, &err) == SL_STOP);
    CHECK_THAT(strcmp(err.reason, "not_empty") == 0 && err.exit_code == SL_EXIT_USAGE, "%s",
               err.message);
    CHECK(sl_index_backup(index, path, NULL, NULL, NULL, &err) == SL_STOP); /* onto itself */
    CHECK(test_dump_index(index) == dump);
    sl_index_close(index);
    other = test_index_open(copy, DIM, SL_METRIC_COSINE);
    CHECK(test_dump_index(other) == dump && test_verify(other, NULL) == 0);
    struct sl_batch *batch = begin(other);
    put(other, batch, 1000, 99);
    commit(batch);
    CHECK(test_verify(other, NULL) == 0);
    sl_index_close(other);
}

struct writing {
    struct sl_index *index;
    atomic_int done; /* batches committed */
    atomic_bool stop;
};

/* Batch n of a history; the position says how many there were. */
static void write_batch(struct sl_index *index, struct sl_batch *batch, int n)
{
    struct sl_position position = {.next_offset = n};
    struct sl_error err;

    for (int i = 0; i < 20; i++)
        put(index, batch, (n * 7 + i) % 300, 10 + n);
    sl_batch_position(batch, TEST_TOPIC, 3, &position, &err);
}

static void *write_on(void *context)
{
    struct writing *writing = context;

    for (int n = 1; !atomic_load(&writing->stop); n++) {
        struct sl_batch *batch = begin(writing->index);
        write_batch(writing->index, batch, n);
        commit(batch);
        atomic_store(&writing->done, n);
    }
    return NULL;
}

/* The history up to batch n, on an index of its own. */
static unsigned long long replayed(int n)
{
    struct sl_index *index = test_index_open(test_directory(), DIM, SL_METRIC_COSINE);
    unsigned long long dump;

    fill(index, 300);
    struct sl_batch *batch = begin(index);
    for (int at = 1; at <= n; at++)
        write_batch(index, batch, at);
    commit(batch);
    dump = test_dump_index(index);
    sl_index_close(index);
    return dump;
}

static int position_of(struct sl_index *index)
{
    struct sl_arena *arena = sl_arena_open(1u << 16);
    struct sl_snapshot *snapshot = test_snapshot(index);
    struct sl_position position = {0};
    struct sl_error err;

    (void)sl_snapshot_position(snapshot, TEST_TOPIC, 3, arena, &position, &err);
    sl_snapshot_close(snapshot);
    sl_arena_close(arena);
    return (int)position.next_offset;
}

#define COPIES 3

TEST(backup_while_writing)
{
    struct writing writing = {.index = test_index_open(test_directory(), DIM, SL_METRIC_COSINE)};
    const char *copies[COPIES];
    pthread_t thread;
    struct sl_error err = {0};

    fill(writing.index, 300);
    pthread_create(&thread, NULL, write_on, &writing);
    for (int i = 0; i < COPIES; i++) {
        int before = atomic_load(&writing.done);
        while (atomic_load(&writing.done) < before + 2)
            usleep(1000);
        copies[i] = test_directory();
        CHECK_THAT(sl_index_backup(writing.index, copies[i], NULL, NULL, NULL, &err) == SL_OK, "%s",
                   err.message);
    }
    atomic_store(&writing.stop, true);
    pthread_join(thread, NULL);
    CHECK(test_verify(writing.index, NULL) == 0);
    for (int i = 0; i < COPIES; i++) {
        struct sl_index *other = test_index_open(copies[i], DIM, SL_METRIC_COSINE);
        int at = position_of(other);
        CHECK(at > 0 && test_verify(other, NULL) == 0);
        CHECK_THAT(test_dump_index(other) == replayed(at), "position %d", at);
        sl_index_close(other);
    }
    sl_index_close(writing.index);
}

/* ------------------------------------------------------------------------------------ erasure */

TEST(compact_erases_what_was_deleted)
{
    static const char secret[] = "Agathe Zwetschge lives at Number 7 quietly";
    const char *path = test_directory();
    char copy[4096];
    struct sl_index *index = test_index_open(path, DIM, SL_METRIC_COSINE);
    struct test_document document = {.key = "agathe-zwetschge", .text = secret, .offset = 1};
    struct sl_error err = {0};
    float vector[DIM];

    test_vector(sl_view_of(secret), DIM, vector);
    fill(index, 300);
    test_put(index, &document);
    struct sl_batch *batch = begin(index);
    for (int i = 0; i < 50; i++)
        put(index, batch, 2000 + i, 1);
    commit(batch);
    test_delete(index, "agathe-zwetschge", 2);
    /* The control: deleting alone leaves the bytes where they were. */
    CHECK(test_grep(path, secret, sizeof secret - 1) > 0);
    CHECK(test_grep(path, vector, sizeof vector) > 0);
    CHECK(test_grep(path, "Zwetschge", 9) > 0);
    snprintf(copy, sizeof copy, "%s/copy", test_directory());
    REQUIRE(sl_index_backup(index, copy, NULL, NULL, NULL, &err) == SL_OK);
    REQUIRE(compact(index, NULL, &err) == SL_OK);
    const char *places[] = {path, copy};
    for (int i = 0; i < 2; i++) {
        CHECK(test_grep(places[i], secret, sizeof secret - 1) == 0);
        CHECK(test_grep(places[i], vector, sizeof vector) == 0);
        CHECK(test_grep(places[i], vector, 16) == 0); /* nor a part of it */
        CHECK(test_grep(places[i], "Zwetschge", 9) == 0);
        CHECK(test_grep(places[i], "quietly", 7) == 0); /* its postings */
        CHECK(test_grep(places[i], "agathe-zwetschge", 16) > 0); /* the tombstone keeps the key */
    }
    CHECK(test_verify(index, NULL) == 0);
    sl_index_close(index);
}
