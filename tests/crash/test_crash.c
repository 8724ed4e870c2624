/*
 * test_crash.c -- the index killed in the middle of whatever it was doing.
 *
 * A child applies a fixed history, batch after batch, and stores in each batch how far it is. The parent
 * kills it after a random time, opens what is left, and works out from the stored position alone what must
 * be there: every document in its right version, none else, verify without a fault. Then the child goes on
 * from that position, as the daemon would. In the end all of it equals a history without interruption.
 */
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "index_data.h"
#include "test.h"

#define DIM     64
#define KEYS    200
#define BATCHES 120
#define BATCH   25
#define KILLS   40

/* What record number n of the history does: to which key, and with which text ("" deletes). */
static void record(int n, char *ret_key, char *ret_text)
{
    uint64_t mixed = (uint64_t)(n + 1) * 0x9E3779B97F4A7C15u;

    mixed = (mixed ^ (mixed >> 29)) * 0xBF58476D1CE4E5B9u;
    snprintf(ret_key, 16, "k%d", (int)(mixed >> 40) % KEYS);
    if ((mixed >> 20) % 5 == 0)
        ret_text[0] = '\0';
    else
        snprintf(ret_text, 200, "record %d says word%d and word%d of number%d", n,
                 (int)(mixed >> 8 & 63), (int)(mixed >> 14 & 63), n);
}

static int64_t next_record(struct sl_index *index)
{
    struct sl_arena *arena = sl_arena_open(1u << 16);
    struct sl_snapshot *snapshot = test_snapshot(index);
    struct sl_position position = {.next_offset = 0};
    struct sl_error err;

    (void)sl_snapshot_position(snapshot, TEST_TOPIC, 0, arena, &position, &err);
    sl_snapshot_close(snapshot);
    sl_arena_close(arena);
    return position.next_offset;
}

/* One batch of the history, position included. */
static bool apply_batch(struct sl_index *index, int64_t first)
{
    struct sl_position position = {.next_offset = first + BATCH};
    struct sl_batch *batch;
    struct sl_error err;
    char key[16], text[200];

    if (sl_batch_begin(index, &batch, &err) != SL_OK)
        return false;
    for (int64_t n = first; n < first + BATCH; n++) {
        struct test_document document = {.key = key, .text = text, .offset = n, .chunk_words = 4,
                                         .keep_windows = true};
        enum sl_applied applied;
        record((int)n, key, text);
        if (text[0] == '\0')
            (void)sl_batch_delete(batch, TEST_TOPIC, sl_view_of(key), 0, n, &applied, &err);
        else {
            document.keep_windows = false;
            test_apply(index, batch, &document);
        }
    }
    return sl_batch_position(batch, TEST_TOPIC, 0, &position, &err) == SL_OK &&
           sl_batch_commit(batch, &err) == SL_OK;
}

static void run_child(const char *path)
{
    struct sl_index *index = test_index_open(path, DIM, SL_METRIC_COSINE);

    for (int64_t n = next_record(index); n < BATCHES * BATCH; n += BATCH)
        if (!apply_batch(index, n))
            _exit(2);
    sl_index_close(index);
    _exit(0);
}

/* Does the index hold what `done` records of the history leave behind, and nothing else? */
static int compare(struct sl_index *index, int64_t done)
{
    static char texts[KEYS][200];
    struct sl_arena *arena = sl_arena_open(SL_ARENA_BYTES_MAX);
    struct sl_snapshot *snapshot = test_snapshot(index);
    struct sl_index_stats stats;
    struct sl_error err;
    int wrong = 0, expected = 0;

    memset(texts, 0, sizeof texts);
    for (int n = 0; n < done; n++) {
        char key[16], text[200];
        record(n, key, text);
        memcpy(texts[atoi(key + 1)], text, sizeof text);
    }
    for (int i = 0; i < KEYS; i++) {
        struct sl_document document;
        char key[16];
        sl_doc_id doc;
        bool there;
        snprintf(key, sizeof key, "k%d", i);
        there = sl_snapshot_find(snapshot, TEST_TOPIC, sl_view_of(key), &doc, &err) == SL_OK;
        expected += texts[i][0] != '\0';
        if (there != (texts[i][0] != '\0')) {
            wrong++;
            continue;
        }
        if (there && (sl_snapshot_document(snapshot, doc, arena, &document, NULL, &err) != SL_OK ||
                      !sl_view_is(document.text, texts[i])))
            wrong++;
    }
    if (sl_snapshot_stats(snapshot, &stats, &err) != SL_OK ||
        stats.documents != (uint64_t)expected || stats.unreachable != 0)
        wrong++;
    sl_snapshot_close(snapshot);
    sl_arena_close(arena);
    return wrong;
}

static void sleep_us(long microseconds)
{
    struct timespec time = {0, microseconds * 1000};

    (void)nanosleep(&time, NULL);
}

TEST(crash_leaves_the_old_state_or_the_new)
{
    const char *path = test_directory();
    struct sl_index *index;
    char line[320];
    int killed = 0, status = 0;
    int64_t last = 0;
    bool finished = false;

    test_seed((unsigned long long)getpid());
    for (int round = 0; round < 10 * KILLS && !finished; round++) {
        pid_t child = fork();
        if (child == 0)
            run_child(path);
        if (killed < KILLS) {
            sleep_us(1000 + (long)(test_random() % 60000));
            (void)kill(child, SIGKILL);
        }
        (void)waitpid(child, &status, 0);
        if (WIFSIGNALED(status))
            killed++;
        else
            CHECK_THAT(WEXITSTATUS(status) == 0, "%d", status);
        index = test_index_open(path, DIM, SL_METRIC_COSINE);
        CHECK(next_record(index) >= last && next_record(index) % BATCH == 0);
        last = next_record(index);
        CHECK_THAT(compare(index, last) == 0, "after %d records", (int)last);
        CHECK_THAT(test_verify(index, line) == 0, "after %d records: %s", (int)last, line);
        sl_index_close(index);
        finished = last == BATCHES * BATCH;
        if (test_failures > 0)
            return;
    }
    CHECK(finished);
    printf("killed %d times on the way to %d records\n", killed, (int)last);
    CHECK(killed >= 10); /* or the test shows nothing */
}

TEST(crash_a_lost_record_would_be_noticed)
{
    struct sl_index *index = test_index_open(test_directory(), DIM, SL_METRIC_COSINE);

    CHECK(apply_batch(index, 0));
    CHECK(compare(index, BATCH) == 0);
    CHECK(compare(index, 2 * BATCH) > 0);
    CHECK(test_delete(index, "k199", 1000) == SL_APPLIED_ABSENT ||
          compare(index, BATCH) > 0);
    sl_index_close(index);
}

/* In a file system of 6 MiB of its own: fill it, find out, make room, go on. Returns an exit code. */
static int fill_the_disk(const char *path)
{
    struct sl_index *index;
    struct sl_error err = {0};
    static char text[60000];
    char ballast[256], key[16];
    FILE *file;
    int stored = 0;
    bool full = false;

    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("tmpfs", path, "tmpfs", 0, "size=6m") != 0)
        return 77;
    for (size_t i = 0; i < sizeof text - 1; i++)
        text[i] = i % 6 == 5 ? ' ' : (char)('a' + (i * i / 7) % 26);
    snprintf(ballast, sizeof ballast, "%s/ballast", path);
    file = fopen(ballast, "w");
    for (int i = 0; i < 20; i++)
        fwrite(text, 1, sizeof text, file);
    fclose(file);
    index = test_index_open(path, 0, SL_METRIC_COSINE);
    while (!full && stored < 1000) {
        struct test_document document = {.key = key, .text = text, .offset = 1};
        struct sl_batch *batch;
        snprintf(key, sizeof key, "k%d", stored);
        if (sl_batch_begin(index, &batch, &err) != SL_OK)
            return 3;
        test_apply(index, batch, &document);
        full = sl_batch_commit(batch, &err) != SL_OK;
        stored += !full;
    }
    CHECK_THAT(full && strcmp(err.reason, "disk_full") == 0 && err.exit_code == SL_EXIT_IO,
               "%s: %s", err.reason, err.message);
    CHECK(stored > 0 && test_verify(index, NULL) == 0);
    CHECK(remove(ballast) == 0);
    for (int i = 0; i < 3; i++, stored++) { /* the same work again, in the same process */
        struct test_document document = {.key = key, .text = text, .offset = 1};
        snprintf(key, sizeof key, "k%d", stored);
        CHECK(test_put(index, &document) == SL_APPLIED_INSERTED);
    }
    CHECK(test_verify(index, NULL) == 0);
    sl_index_close(index);
    return test_failures > 0;
}

TEST(crash_a_full_disk_is_survived)
{
    const char *path = test_directory();
    pid_t child = fork();
    int status = 0;

    if (child == 0)
        _exit(fill_the_disk(path));
    (void)waitpid(child, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        SKIP("mounting a small file system is not allowed here");
    CHECK_THAT(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%d", status);
}
