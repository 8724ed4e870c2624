/*
 * test_points.c -- the index killed at every single point at which it changes a file.
 *
 * One act (the first commit, commits that insert, replace, delete, write slabs and cut the log, a compaction)
 * is done again and again from the same start by a child that dies at its n-th call, for every n there is: with
 * half of it done, and when it is done. Each time what is left must be the state before or after a commit,
 * whole, and go on from there. A commit split in two is the control: it must be caught.
 */
#include <signal.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sluice/index.h>

#include "history.h"
#include "index/format.h"
#include "index/store.h"
#include "points.h"
#include "test.h"

#define DIM 4096 /* large vectors: few of them fill slabs and log */

static const struct history history = {.keys = 120, .batch = 40, .records = 40000};

/* What the child does, between opening the index and closing it. */
typedef enum sl_err (*act_fn)(struct sl_index *index, int64_t first);

struct scene {
    const char *base; /* directory the child starts from */
    enum sl_storage storage;
    int64_t first; /* records in it */
    act_fn act;
    int64_t after; /* records when it is done */
};

struct survey {
    int points, old, new;
    int wrong; /* states that are neither */
};

static struct sl_index *open_index(const char *path, enum sl_storage storage)
{
    struct sl_index_options options = {.path = path,
                                       .map_size_bytes = 1ull << 32,
                                       .dim = DIM,
                                       .metric = SL_METRIC_COSINE,
                                       .storage = storage};
    struct sl_index *index = NULL;
    struct sl_error err;

    if (sl_index_open(&options, &index, &err) != SL_OK)
        fprintf(stderr, "%s: %s\n", err.reason, err.message);
    return index;
}

/* ------------------------------------------------------------------------------------ what is done */

static enum sl_err act_commit(struct sl_index *index, int64_t first)
{
    struct sl_error err;

    return history_apply(&history, index, first, &err);
}

static enum sl_err act_commit_twice(struct sl_index *index, int64_t first)
{
    enum sl_err rc = act_commit(index, first);

    return rc == SL_OK ? act_commit(index, first + history.batch) : rc;
}

/* The fault that is looked for: what belongs together in two transactions. */
static enum sl_err act_commit_split_in_two(struct sl_index *index, int64_t first)
{
    struct test_document document = {.key = "k1", .text = "too early", .offset = first + 1};

    (void)test_put(index, &document);
    return act_commit(index, first);
}

static enum sl_err act_compact(struct sl_index *index, int64_t first)
{
    struct sl_error err;

    (void)first;
    return sl_index_compact(index, NULL, NULL, NULL, &err);
}

/* --------------------------------------------------------------------------------- what is found */

static void shell(const char *format, ...)
{
    char line[8192];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (system(line) != 0)
        abort();
}

/* Is it all there, and does it go on? 0 = no, 1 = as before the act, 2 = with a commit more. */
static int judge(const struct scene *scene, const char *path, int n)
{
    struct sl_index *index = open_index(path, scene->storage);
    struct sl_error err;
    int64_t next = -1;
    char line[320] = "does not open";
    bool good = index != NULL;

    good = good && history_next(index, &next, &err) == SL_OK && test_verify(index, line) == 0;
    if (good) {
        snprintf(line, sizeof line, "holds something else than %lld records say", (long long)next);
        good = next >= scene->first && next <= scene->after && next % history.batch == 0 &&
               history_compare(&history, index, next) == 0;
    }
    if (good) {
        snprintf(line, sizeof line, "does not go on from %lld", (long long)next);
        good = history_apply(&history, index, next, &err) == SL_OK &&
               history_compare(&history, index, next + history.batch) == 0;
    }
    if (!good)
        printf("killed at %d: %s\n", n, line);
    sl_index_close(index);
    return !good ? 0 : next == scene->first ? 1 : 2;
}

static void run_child(const struct scene *scene, const char *path, int n, enum points_way way)
{
    struct sl_index *index;

    points_arm(n, way);
    index = open_index(path, scene->storage);
    if (index == NULL || scene->act(index, scene->first) != SL_OK)
        _exit(1);
    sl_index_close(index);
    _exit(0);
}

/* Kill it at every point there is. */
static struct survey survey(const struct scene *scene, enum points_way way)
{
    struct survey survey = {0};
    const char *work = test_directory();
    char path[4096];

    snprintf(path, sizeof path, "%s/index", work);
    for (int n = 1;; n++) {
        int status = 0, found;
        pid_t child;
        shell("cp -r '%s' '%s'", scene->base, path);
        child = fork();
        if (child == 0)
            run_child(scene, path, n, way);
        (void)waitpid(child, &status, 0);
        if (WIFEXITED(status)) { /* there is no n-th point */
            CHECK_THAT(WEXITSTATUS(status) == 0, "%d", WEXITSTATUS(status));
            survey.points = n - 1;
            shell("rm -r '%s'", path);
            return survey;
        }
        CHECK(WTERMSIG(status) == SIGKILL);
        found = judge(scene, path, n);
        survey.wrong += found == 0;
        survey.old += found == 1;
        survey.new += found == 2;
        shell("rm -r '%s'", path);
    }
}

static void survey_both_ways(const char *what, const struct scene *scene)
{
    for (enum points_way way = POINTS_HALF; way < POINTS_WAYS; way++) {
        struct survey found = survey(scene, way);
        printf("%s, %s: %d points, %d times the old state, %d times a new one\n", what,
               way == POINTS_HALF ? "in the middle of writes" : "after each call", found.points,
               found.old, found.new);
        printf("PROVED {\"promise\": \"disk.kill_points\", \"says\": \"killed at any call that "
               "changes a "
               "file, the index is as before or after a commit\", \"runs\": 1, \"faults\": %d, "
               "\"violations\": %d}\n",
               found.points, found.wrong);
        CHECK_THAT(found.wrong == 0, "%s: %d of %d", what, found.wrong, found.points);
        CHECK(found.points > 3 && found.old > 0); /* or it shows nothing */
        CHECK(way == POINTS_HALF || scene->first == scene->after || found.new > 0);
    }
}

/* ------------------------------------------------------------------------------------ where it starts */

/* The commit the log begins with; 0: it is empty. */
static uint64_t log_begin(const char *path)
{
    const struct sl_store_options options = {.path = path, .map_size_bytes = 1ull << 32,
                                             .read_only = true};
    struct sl_store *store;
    struct sl_txn *txn;
    struct sl_cursor cursor;
    struct sl_error err;
    uint64_t begin = 0;

    if (sl_store_open(&options, &store, &err) != SL_OK ||
        sl_txn_begin(store, false, &txn, &err) != SL_OK ||
        sl_cursor_open(txn, SL_STORE_LOG, true, &cursor, &err) != SL_OK)
        abort();
    if (sl_cursor_seek(&cursor, SL_VIEW_NULL, &err) == SL_OK && cursor.key.size >= 8)
        begin = sl_get_be64(cursor.key.data);
    sl_cursor_close(&cursor);
    (void)sl_txn_abort(txn);
    (void)sl_store_close(store);
    return begin;
}

/*
 * Apply batches until the next one would cut the log (and so writes slabs): it begins the act. Tried on a
 * copy, for only doing it tells.
 */
static void start_before_a_cut(struct scene *scene)
{
    char copy[4096];

    snprintf(copy, sizeof copy, "%s/index", test_directory());
    for (scene->first = 0; scene->first < 40 * history.batch; scene->first += history.batch) {
        uint64_t begin = scene->first > 0 ? log_begin(scene->base) : 0;
        struct sl_index *index;
        bool cut;
        shell("cp -r '%s' '%s'", scene->base, copy);
        index = open_index(copy, scene->storage);
        if (act_commit(index, scene->first) != SL_OK)
            abort();
        sl_index_close(index);
        cut = begin != 0 && log_begin(copy) != begin;
        shell("rm -r '%s'", copy);
        if (cut)
            break;
        index = open_index(scene->base, scene->storage);
        if (act_commit(index, scene->first) != SL_OK)
            abort();
        sl_index_close(index);
    }
    scene->after = scene->first + 2 * history.batch;
    printf("%d records are there, the next %d cut the log\n", (int)scene->first,
           (int)history.batch);
    CHECK(scene->first > 0 && scene->first < 40 * history.batch);
}

TEST(points_I11_of_the_first_commit)
{
    struct scene scene = {test_directory(), SL_STORAGE_F32, 0, act_commit, history.batch};

    survey_both_ways("first commit", &scene);
}

TEST(points_I11_of_commits_with_everything)
{
    struct scene scene = {test_directory(), SL_STORAGE_F32, 0, act_commit_twice, 0};

    start_before_a_cut(&scene);
    survey_both_ways("two commits", &scene);
}

TEST(points_I11_of_commits_of_small_codes)
{
    struct scene scene = {test_directory(), SL_STORAGE_I8, 0, act_commit_twice, 0};

    start_before_a_cut(&scene);
    survey_both_ways("two commits of i8", &scene);
}

TEST(points_I11_of_a_compaction)
{
    struct scene scene = {test_directory(), SL_STORAGE_F32, 0, act_compact, 0};
    struct sl_index *index = open_index(scene.base, scene.storage);

    for (; scene.first < 4 * history.batch; scene.first += history.batch)
        CHECK(act_commit(index, scene.first) == SL_OK);
    sl_index_close(index);
    scene.after = scene.first;
    survey_both_ways("compaction", &scene);
}

TEST(points_I11_a_commit_split_in_two_is_caught)
{
    struct scene scene = {test_directory(), SL_STORAGE_F32, 0, act_commit_split_in_two,
                          history.batch};
    struct survey found = survey(&scene, POINTS_AFTER);

    printf("PROVED {\"promise\": \"disk.kill_points\", \"control\": true, \"violations\": %d}\n",
           found.wrong);
    CHECK(found.wrong > 0);
}
