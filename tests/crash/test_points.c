/*
 * test_points.c -- the index killed at every single point at which it changes a file.
 *
 * One act (the first commit, commits that insert, replace, delete, write slabs and cut the log, a
 * compaction, a move to another generation and back) is done again and again from the same start by
 * a child that dies at its n-th call, for every n there is: with half of it done, and when it is
 * done. Each time what is left must be the state before or after a commit, whole, and go on from
 * there. A commit split in two, and a switch before all is carried over, are the controls: they
 * must be caught.
 */
#include <signal.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sluice/generation.h>
#include <sluice/reindex.h>

#include "fake_embedder.h"
#include "history.h"
#include "index/format.h"
#include "index/store.h"
#include "points.h"
#include "test.h"

#define DIM 4096 /* large vectors: few of them fill slabs and log */

static struct history history = {.keys = 120, .batch = 40, .records = 40000};

/* What the child does, between opening the index and closing it. */
typedef enum sl_err (*act_fn)(struct sl_index *index, int64_t first);

struct scene;

/* Is it all there, and does it go on? 0 = no, 1 = as before the act, 2 = as after it. */
typedef int (*judge_fn)(const struct scene *scene, const char *path, int n);

struct scene {
    const char *base; /* directory the child starts from */
    enum sl_storage storage;
    int64_t first; /* records in it */
    act_fn act;
    int64_t after; /* records when it is done */
    judge_fn judge;
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
                                       .storage = storage,
                                       .duplicates = history.texts > 0 ? SL_DUPLICATES_EXACT
                                                                       : SL_DUPLICATES_KEEP};
    struct sl_index *index = NULL;
    struct sl_error err;

    if (sl_index_open(&options, &index, &err) != SL_OK)
        fprintf(stderr, "%s: %s\n", err.reason, err.message);
    return index;
}

/* ------------------------------------------------------------------------------------ what is done
 */

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

/* --------------------------------------------------------------------------------- what is found
 */

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

static int judge_commits(const struct scene *scene, const char *path, int n)
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

/* ---------------------------------------------------------------------------------------
 * generations */

/* What the other generation is made by: other windows, other vectors. */
static struct sl_embedder *embedder;
static struct sl_ingest_options other;
static char other_fingerprint[256];

static void other_open(void)
{
    embedder = fake_embedder_open(DIM, 40);
    other = (struct sl_ingest_options){.chunk = {.words = 30, .overlap_words = 5},
                                       .embedder = embedder};
    sl_ingest_fingerprint(&other, other_fingerprint);
}

static enum sl_err encode(void *context, const struct sl_view *texts, uint32_t count,
                          float *vectors, struct sl_error *err)
{
    (void)context;
    return embedder->ops->encode(embedder, SL_EMBED_PASSAGE, texts, count, vectors, err);
}

static bool progress(void *context, const struct sl_reindex_counts *counts)
{
    (void)context;
    (void)counts;
    return true;
}

/* Passes until nothing differs. */
static enum sl_err carry(struct sl_index *from, struct sl_index *to, struct sl_error *err)
{
    const struct sl_reindex reindex = {
        .from = from, .to = to, .ingest = other, .encode = encode, .progress = progress};
    struct sl_reindex_counts counts = {0};
    enum sl_err rc = SL_OK;

    for (uint64_t changed = 1; rc == SL_OK && changed > 0;)
        rc = sl_reindex_pass(&reindex, &counts, &changed, err);
    return rc;
}

static bool is_moved(const struct sl_index *index)
{
    return strcmp(sl_index_fingerprint(index), other_fingerprint) == 0;
}

static int count_documents(struct sl_index *index)
{
    struct sl_snapshot *snapshot = test_snapshot(index);
    struct sl_index_stats stats = {0};

    CHECK(sl_snapshot_stats(snapshot, &stats, NULL) == SL_OK);
    sl_snapshot_close(snapshot);
    return (int)stats.documents;
}

static enum sl_err begin_other(struct sl_index *index, struct sl_index **ret_building,
                               bool *ret_resumed, struct sl_error *err)
{
    const struct sl_index_options options = {.map_size_bytes = 1ull << 32,
                                             .dim = DIM,
                                             .metric = SL_METRIC_COSINE,
                                             .storage = SL_STORAGE_F32,
                                             .fingerprint = other_fingerprint};

    return sl_generation_begin(index, &options, 1, ret_building, ret_resumed, err);
}

/* Another generation is filled while a commit comes in, and takes the old one's place; `again`:
 * after a last look. */
static enum sl_err switch_over(struct sl_index *index, int64_t first, bool again,
                               struct sl_error *err)
{
    struct sl_index *building = NULL;
    int64_t next = 0;
    bool resumed;
    enum sl_err rc = begin_other(index, &building, &resumed, err);

    if (rc == SL_OK)
        rc = carry(index, building, err);
    if (rc == SL_OK)
        rc = history_next(index, &next, err);
    if (rc == SL_OK && next == first)
        rc = history_apply(&history, index, first, err);
    if (rc == SL_OK && again)
        rc = carry(index, building, err);
    return rc == SL_OK ? sl_generation_switch(index, building, err) : rc;
}

/* What of it is not yet done: the move to the other generation, and the end of the old one. */
static enum sl_err move(struct sl_index *index, int64_t first, bool again, bool drops)
{
    struct sl_error err = {0};
    enum sl_err rc = is_moved(index) ? SL_OK : switch_over(index, first, again, &err);

    if (rc == SL_OK && drops && sl_generation_drop(index, 0, &err) == SL_STOP)
        rc = SL_STOP;
    if (rc != SL_OK)
        fprintf(stderr, "%s: %s\n", err.reason, err.message);
    return rc;
}

static enum sl_err act_move(struct sl_index *index, int64_t first)
{
    return move(index, first, true, true);
}

/* The fault that is looked for: what was written meanwhile stays behind. */
static enum sl_err act_move_too_early(struct sl_index *index, int64_t first)
{
    return move(index, first, false, true);
}

static enum sl_err act_roll_back(struct sl_index *index, int64_t first)
{
    struct sl_error err;

    (void)first;
    return sl_generation_rollback(index, 0, &err);
}

/* "0 current, 1 building" is 0c1b. */
static void list_generations(const char *path, char ret_line[64])
{
    struct sl_generation list[SL_GENERATIONS_MAX];
    uint32_t count = 0;

    ret_line[0] = '\0';
    CHECK(sl_generation_list(path, list, &count, NULL) == SL_OK);
    for (uint32_t i = 0; i < count; i++)
        snprintf(ret_line + strlen(ret_line), 64 - strlen(ret_line), "%u%c", list[i].number,
                 sl_generation_word(list[i].state)[0]);
}

/* How far a move has come; -1: no state of it. Documents in the building generation count. */
static int stage_of(const char *generations, struct sl_index *index)
{
    static const char *const stages[] = {"0c", "0c1b", "1c0r", "1c"};
    struct sl_index *building = NULL;
    struct sl_error err;
    bool resumed = false;
    int at = 0, carried = 0;

    while (at < 4 && strcmp(stages[at], generations) != 0)
        at++;
    if (at == 1) {
        if (begin_other(index, &building, &resumed, &err) != SL_OK || !resumed)
            return -1;
        carried = count_documents(building);
        sl_index_close(building);
    }
    return at == 4 || (at >= 2) != is_moved(index) ? -1 : at * 10000 + carried;
}

static bool is_whole(struct sl_index *index, int64_t *ret_next, char line[320])
{
    struct sl_error err;

    return history_next(index, ret_next, &err) == SL_OK && test_verify(index, line) == 0 &&
           history_compare(&history, index, *ret_next) == 0;
}

/* No later kill leaves less than an earlier one did; the rest of the move leads to the other
 * generation alone. */
static int judge_move(const struct scene *scene, const char *path, int n)
{
    static int reached;
    struct sl_index *index = open_index(path, scene->storage);
    char generations[64] = "", line[320] = "";
    int64_t next = -1;
    int stage = -1;
    bool good = index != NULL && is_whole(index, &next, line);

    reached = n == 1 ? 0 : reached;
    good = good && (next == scene->first || next == scene->after);
    if (good) {
        list_generations(path, generations);
        stage = stage_of(generations, index);
        good = stage >= reached && (stage < 20000 || next == scene->after);
        reached = stage;
    }
    good = good && act_move(index, scene->first) == SL_OK;
    good = good && is_whole(index, &next, line) && next == scene->after;
    good = good && act_commit(index, next) == SL_OK;
    sl_index_close(index);
    index = good ? open_index(path, scene->storage) : NULL;
    good = index != NULL && is_whole(index, &next, line) && next == scene->after + history.batch;
    list_generations(path, generations);
    good = good && strcmp(generations, "1c") == 0;
    sl_index_close(index);
    if (!good)
        printf("killed at %d: stage %d, then %s, %lld records: %s\n", n, stage, generations,
               (long long)next, line);
    return !good ? 0 : stage < 20000 ? 1 : 2;
}

/* In use is the one, with a commit more, or the other; it goes on in that. */
static int judge_roll_back(const struct scene *scene, const char *path, int n)
{
    struct sl_index *index = open_index(path, scene->storage);
    char generations[64] = "", line[320] = "";
    int64_t next = -1;
    bool good = index != NULL && is_whole(index, &next, line),
         moved = index != NULL && is_moved(index);

    list_generations(path, generations);
    good = good && strcmp(generations, moved ? "1c0r" : "0c1r") == 0;
    good = good && next == (moved ? scene->first : scene->after);
    good = good && act_commit(index, next) == SL_OK && is_whole(index, &next, line) &&
           sl_generation_drop(index, moved ? 0 : 1, NULL) == SL_OK;
    sl_index_close(index);
    if (!good)
        printf("killed at %d: %s, %lld records: %s\n", n, generations, (long long)next, line);
    return !good ? 0 : moved ? 1 : 2;
}

/* ----------------------------------------------------------------------------------- killing it */

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
        found = scene->judge(scene, path, n);
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

/* ------------------------------------------------------------------------------------ where it
 * starts */

/* The commit the log begins with; 0: it is empty. */
static uint64_t log_begin(const char *path)
{
    const struct sl_store_options options = {
        .path = path, .map_size_bytes = 1ull << 32, .read_only = true};
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
 * Apply batches until the next one would cut the log (and so writes slabs): it begins the act.
 * Tried on a copy, for only doing it tells.
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
    struct scene scene = {test_directory(), SL_STORAGE_F32, 0,
                          act_commit,       history.batch,  judge_commits};

    survey_both_ways("first commit", &scene);
}

/* Few texts under many keys: originals go in each commit, and copies take their place. */
TEST(points_I18_of_a_commit_that_promotes_copies)
{
    struct scene scene = {test_directory(), SL_STORAGE_F32, 0, act_commit, 0, judge_commits};
    struct sl_index_stats stats = {0};
    struct sl_snapshot *snapshot;
    struct sl_index *index;

    history.texts = 9;
    index = open_index(scene.base, scene.storage);
    for (; scene.first < 3 * history.batch; scene.first += history.batch)
        CHECK(act_commit(index, scene.first) == SL_OK);
    snapshot = test_snapshot(index);
    CHECK(sl_snapshot_stats(snapshot, &stats, NULL) == SL_OK && stats.copies > 30);
    sl_snapshot_close(snapshot);
    sl_index_close(index);
    scene.after = scene.first + history.batch;
    survey_both_ways("copies", &scene);
    history.texts = 0;
}

TEST(points_I11_of_commits_with_everything)
{
    struct scene scene = {test_directory(), SL_STORAGE_F32, 0, act_commit_twice, 0, judge_commits};

    start_before_a_cut(&scene);
    survey_both_ways("two commits", &scene);
}

TEST(points_I11_of_commits_of_small_codes)
{
    struct scene scene = {test_directory(), SL_STORAGE_I8, 0, act_commit_twice, 0, judge_commits};

    start_before_a_cut(&scene);
    survey_both_ways("two commits of i8", &scene);
}

TEST(points_I11_of_a_compaction)
{
    struct scene scene = {test_directory(), SL_STORAGE_F32, 0, act_compact, 0, judge_commits};
    struct sl_index *index = open_index(scene.base, scene.storage);

    for (; scene.first < 4 * history.batch; scene.first += history.batch)
        CHECK(act_commit(index, scene.first) == SL_OK);
    sl_index_close(index);
    scene.after = scene.first;
    survey_both_ways("compaction", &scene);
}

TEST(points_I11_a_commit_split_in_two_is_caught)
{
    struct scene scene = {test_directory(),        SL_STORAGE_F32, 0,
                          act_commit_split_in_two, history.batch,  judge_commits};
    struct survey found = survey(&scene, POINTS_AFTER);

    printf("PROVED {\"promise\": \"disk.kill_points\", \"control\": true, \"violations\": %d}\n",
           found.wrong);
    CHECK(found.wrong > 0);
}

/* An index that holds `records` of the history. */
static struct sl_index *start(const struct scene *scene, int64_t records)
{
    struct sl_index *index = open_index(scene->base, scene->storage);

    for (int64_t first = 0; first < records; first += history.batch)
        CHECK(act_commit(index, first) == SL_OK);
    return index;
}

TEST(points_I15_I16_I17_of_a_move_to_another_generation)
{
    struct scene scene = {test_directory(), SL_STORAGE_F32,    3 * history.batch,
                          act_move,         4 * history.batch, judge_move};

    other_open();
    sl_index_close(start(&scene, scene.first));
    survey_both_ways("move to another generation", &scene);
    embedder = sl_embedder_close(embedder);
}

TEST(points_I17_of_the_way_back)
{
    struct scene scene = {test_directory(), SL_STORAGE_F32,    5 * history.batch,
                          act_roll_back,    4 * history.batch, judge_roll_back};
    int64_t before = scene.after - history.batch;
    struct sl_index *index = start(&scene, before);

    other_open();
    CHECK(move(index, before, true, false) == SL_OK);
    CHECK(act_commit(index, scene.after) == SL_OK);
    sl_index_close(index);
    survey_both_ways("rollback", &scene);
    embedder = sl_embedder_close(embedder);
}

TEST(points_I16_a_switch_before_all_is_carried_over_is_caught)
{
    struct scene scene = {test_directory(),   SL_STORAGE_F32,    3 * history.batch,
                          act_move_too_early, 4 * history.batch, judge_move};
    struct survey found;

    other_open();
    sl_index_close(start(&scene, scene.first));
    found = survey(&scene, POINTS_AFTER);
    printf("PROVED {\"promise\": \"disk.kill_points\", \"control\": true, \"violations\": %d}\n",
           found.wrong);
    CHECK(found.wrong > 0);
    embedder = sl_embedder_close(embedder);
}
