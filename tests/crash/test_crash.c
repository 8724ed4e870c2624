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

#include "history.h"
#include "test.h"

#define DIM     64
#define KEYS    200
#define BATCHES 120
#define BATCH   25
#define KILLS   40

static const struct history history = {.keys = KEYS, .batch = BATCH, .records = BATCHES * BATCH};

static int64_t next_record(struct sl_index *index)
{
    struct sl_error err;
    int64_t next;

    if (history_next(index, &next, &err) != SL_OK)
        abort();
    return next;
}

static void run_child(const char *path)
{
    struct sl_index *index = test_index_open(path, DIM, SL_METRIC_COSINE);
    struct sl_error err;

    for (int64_t n = next_record(index); n < history.records; n += BATCH)
        if (history_apply(&history, index, n, &err) != SL_OK)
            _exit(2);
    sl_index_close(index);
    _exit(0);
}

static void sleep_us(long microseconds)
{
    struct timespec time = {0, microseconds * 1000};

    (void)nanosleep(&time, NULL);
}

TEST(crash_I11_leaves_the_old_state_or_the_new)
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
        CHECK_THAT(history_compare(&history, index, last) == 0, "after %d records", (int)last);
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
    struct sl_error err;

    CHECK(history_apply(&history, index, 0, &err) == SL_OK);
    CHECK(history_compare(&history, index, BATCH) == 0);
    CHECK(history_compare(&history, index, 2 * BATCH) > 0);
    CHECK(test_delete(index, "k199", 1000) == SL_APPLIED_ABSENT ||
          history_compare(&history, index, BATCH) > 0);
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

/* ------------------------------------------------------------------- written anew without room */

static char hoard[256]; /* a file that takes all the room there is */

static void take_all_room(void)
{
    static char block[1 << 16];
    FILE *file = fopen(hoard, "w");

    setbuf(file, NULL);
    while (fwrite(block, 1, sizeof block, file) == sizeof block)
        ;
    while (fwrite(block, 1, 512, file) == 512)
        ;
    fclose(file);
}

static bool take_room_when_it_runs(void *context, uint64_t done_bytes, uint64_t total_bytes)
{
    (void)context;
    (void)done_bytes;
    (void)total_bytes;
    if (access(hoard, F_OK) != 0)
        take_all_room();
    return true;
}

/* The failure is clean: nothing is left of it, and the index holds what it held. */
static void check_failure(struct sl_index *index, const char *copy, enum sl_err rc,
                          const struct sl_error *err)
{
    char name[300];

    CHECK_THAT(rc == SL_STOP && strcmp(err->reason, "disk_full") == 0 &&
                   err->exit_code == SL_EXIT_IO,
               "%d %s: %s", (int)rc, err->reason, err->message);
    snprintf(name, sizeof name, "%s/../env.new", copy);
    CHECK(access(name, F_OK) != 0);
    snprintf(name, sizeof name, "%s/env.new", copy);
    CHECK(access(name, F_OK) != 0);
    snprintf(name, sizeof name, "%s/CURRENT", copy);
    CHECK(access(name, F_OK) != 0);
    (void)remove(hoard);
    CHECK(history_compare(&history, index, 20 * BATCH) == 0 && test_verify(index, NULL) == 0);
}

static int rewrite_without_room(const char *path)
{
    struct sl_index *index;
    struct sl_error err = {0};
    char copy[256];
    enum sl_err rc;

    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("tmpfs", path, "tmpfs", 0, "size=40m") != 0)
        return 77;
    snprintf(hoard, sizeof hoard, "%s/hoard", path);
    snprintf(copy, sizeof copy, "%s/copy", path);
    index = test_index_open(path, DIM, SL_METRIC_COSINE);
    for (int64_t n = 0; n < 20 * BATCH; n += BATCH)
        CHECK(history_apply(&history, index, n, &err) == SL_OK);
    take_all_room(); /* known before it begins: the message says how much is missing */
    rc = sl_index_compact(index, NULL, NULL, NULL, &err);
    CHECK_THAT(strstr(err.message, "bytes are needed") != NULL, "%s", err.message);
    check_failure(index, copy, rc, &err);
    take_all_room();
    rc = sl_index_backup(index, copy, NULL, NULL, NULL, &err);
    check_failure(index, copy, rc, &err);
    rc = sl_index_compact(index, take_room_when_it_runs, NULL, NULL, &err);
    check_failure(index, copy, rc, &err);
    rc = sl_index_backup(index, copy, take_room_when_it_runs, NULL, NULL, &err);
    check_failure(index, copy, rc, &err);
    CHECK(sl_index_backup(index, copy, NULL, NULL, NULL, &err) == SL_OK); /* and with room */
    CHECK(sl_index_compact(index, NULL, NULL, NULL, &err) == SL_OK);
    CHECK(history_apply(&history, index, 20 * BATCH, &err) == SL_OK &&
          history_compare(&history, index, 21 * BATCH) == 0);
    sl_index_close(index);
    index = test_index_open(copy, DIM, SL_METRIC_COSINE);
    CHECK(history_compare(&history, index, 20 * BATCH) == 0 && test_verify(index, NULL) == 0);
    sl_index_close(index);
    return test_failures > 0;
}

static void run_apart(int (*run)(const char *path))
{
    const char *path = test_directory();
    pid_t child = fork();
    int status = 0;

    if (child == 0)
        _exit(run(path));
    (void)waitpid(child, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        SKIP("mounting a small file system is not allowed here");
    CHECK_THAT(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%d", status);
}

TEST(crash_I14_a_full_disk_is_survived)
{
    run_apart(fill_the_disk);
}

TEST(crash_I14_no_room_to_write_anew)
{
    run_apart(rewrite_without_room);
}
