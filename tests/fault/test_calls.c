/*
 * test_calls.c -- each call into LMDB and each allocation fails once, at every place there is.
 *
 * Opening, a batch (prepare, apply, delete, position, row, commit), searching and reading, verifying,
 * compacting, taking out what is damaged: for every n the nth call fails. Each must come back with an error
 * that names the cause, never crash, hold no block it does not need, and leave the index as it was or as it
 * should be: the same handle goes on, or must be opened again when it says so.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <lmdb.h>
#include <sys/stat.h>
#include <unistd.h>

#include "failing_calls.h"
#include "history.h"
#include "test.h"

#define DIM   16
#define FIRST 60 /* records that are there */

static const struct history history = {.keys = 40, .batch = 20, .records = 200};
static char scratch[1024];

/* -------------------------------------------------------------------------------- what is done */

static float vectors[2][DIM];

/* One fixed document of two chunks, made before anything fails. */
static void make_document(struct sl_document *document, struct sl_chunk chunks[2])
{
    static struct sl_window windows[2];
    static struct sl_term_count terms[2] = {{SL_VIEW_NULL, 1, 0}, {SL_VIEW_NULL, 2, 0}};
    static struct sl_field field = {.name = SL_VIEW_NULL, .type = SL_FIELD_STRING};

    terms[0].term = SL_VIEW("fresh");
    terms[1].term = SL_VIEW("word1");
    field.name = SL_VIEW("kind");
    field.string = SL_VIEW("law");
    *document = (struct sl_document){.topic = TEST_TOPIC, .key = SL_VIEW("fresh"), .offset = 1000,
                                     .text = SL_VIEW("fresh word1 word1 fresh word1 word1"),
                                     .text_media = SL_MEDIA_TEXT, .fields = &field, .field_count = 1,
                                     .date_days = {SL_DAY_NONE, SL_DAY_NONE}};
    for (unsigned i = 0; i < 2; i++) {
        test_vector((struct sl_view){(const char *)&i, sizeof i}, DIM, vectors[i]);
        memset(windows[i].hash, (int)i + 1, sizeof windows[i].hash);
        windows[i].vector = vectors[i];
        windows[i].byte_end = 17 * (i + 1);
        chunks[i] = (struct sl_chunk){.byte_start = 18 * i, .byte_end = 17 + 18 * i, .word_count = 3,
                                      .length_terms = 3, .terms = terms, .term_count = 2,
                                      .windows = &windows[i], .window_count = 1};
    }
}

static enum sl_err in_batch(struct sl_index *index, struct sl_batch *batch, struct sl_error *err)
{
    struct sl_document document;
    struct sl_chunk chunks[2];
    struct sl_position position = {.next_offset = 1001};
    struct sl_prepared *prepared = NULL;
    enum sl_applied applied;
    enum sl_err rc;

    make_document(&document, chunks);
    rc = sl_index_prepare(index, &document, chunks, 2, &prepared, err);
    if (rc == SL_OK)
        rc = sl_batch_apply(batch, prepared, &applied, err);
    if (rc != SL_OK)
        (void)sl_prepared_free(prepared);
    for (int i = 0; rc == SL_OK && i < 4; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        rc = sl_batch_delete(batch, TEST_TOPIC, sl_view_of(key), 0, 1000 + i, &applied, err);
    }
    if (rc == SL_OK)
        rc = sl_batch_position(batch, TEST_TOPIC, 0, &position, err);
    if (rc == SL_OK)
        rc = sl_batch_row(batch, SL_TABLE_NOTE, SL_VIEW("n"), SL_VIEW("v"), err);
    return rc;
}

static enum sl_err do_batch(struct sl_index *index, struct sl_error *err)
{
    struct sl_batch *batch = NULL;
    enum sl_err rc = sl_batch_begin(index, &batch, err);

    if (rc == SL_OK)
        rc = in_batch(index, batch, err);
    if (rc == SL_OK)
        return sl_batch_commit(batch, err);
    (void)sl_batch_abort(batch);
    return rc;
}

static enum sl_err read_one(struct sl_snapshot *snapshot, struct sl_arena *arena,
                            struct sl_error *err)
{
    struct sl_document document;
    struct sl_chunk chunk;
    sl_doc_id doc;
    enum sl_err rc = sl_snapshot_next(snapshot, 0, &doc, err);

    if (rc == SL_OK)
        rc = sl_snapshot_document(snapshot, doc, arena, &document, NULL, err);
    if (rc == SL_OK)
        rc = sl_snapshot_chunk(snapshot, doc, 0, arena, &chunk, err);
    if (rc == SL_OK)
        (void)sl_snapshot_has_window(snapshot, document.topic, document.key, chunk.windows[0].hash);
    return rc;
}

static enum sl_err search(struct sl_snapshot *snapshot, struct sl_arena *arena, struct sl_error *err)
{
    struct sl_term_count terms[1] = {{SL_VIEW("word1"), 1, 0}};
    struct sl_index_stats stats;
    struct sl_selection *selection = NULL;
    const struct sl_filter *filter = NULL;
    struct sl_hit hits[10];
    uint32_t count;
    enum sl_err rc = sl_filter_parse(SL_VIEW("kind = \"law\""), arena, &filter, err);

    if (rc == SL_OK)
        rc = sl_snapshot_select(snapshot, filter, arena, &selection, err);
    if (rc == SL_OK)
        rc = sl_snapshot_nearest(snapshot, vectors[0], 10, 32, false, NULL, hits, &count, NULL, err);
    if (rc == SL_OK)
        rc = sl_snapshot_nearest(snapshot, vectors[0], 10, 32, true, selection, hits, &count, NULL,
                                 err);
    if (rc == SL_OK)
        rc = sl_snapshot_lexical(snapshot, terms, 1, 10, NULL, hits, &count, NULL, err);
    return rc == SL_OK ? sl_snapshot_stats(snapshot, &stats, err) : rc;
}

static enum sl_err do_search(struct sl_index *index, struct sl_error *err)
{
    struct sl_arena *arena = sl_arena_open(SL_ARENA_BYTES_MAX);
    struct sl_snapshot *snapshot = NULL;
    enum sl_err rc;

    if (arena == NULL)
        return sl_stop(err, SL_EXIT_OS, 0, "memory", "no arena");
    rc = sl_snapshot_open(index, &snapshot, err);
    if (rc == SL_OK)
        rc = read_one(snapshot, arena, err);
    if (rc == SL_OK)
        rc = search(snapshot, arena, err);
    (void)sl_snapshot_close(snapshot);
    (void)sl_arena_close(arena);
    return rc;
}

static void ignore(void *context, const char *line)
{
    (void)context, (void)line;
}

/* Faults that verify reports because it was hindered are an error like any other. */
static enum sl_err do_verify(struct sl_index *index, struct sl_error *err)
{
    uint64_t faults = 0;
    enum sl_err rc = sl_index_verify(index, ignore, NULL, &faults, err);

    return rc == SL_OK && faults > 0 ? sl_stop(err, SL_EXIT_DATA, 0, "corrupt", "faults") : rc;
}

static enum sl_err do_compact(struct sl_index *index, struct sl_error *err)
{
    return sl_index_compact(index, NULL, NULL, NULL, err);
}

static enum sl_err do_quarantine(struct sl_index *index, struct sl_error *err)
{
    struct sl_batch *batch = NULL;
    uint32_t count;
    enum sl_err rc = sl_batch_begin(index, &batch, err);

    if (rc == SL_OK)
        rc = sl_batch_quarantine(batch, &count, err);
    if (rc == SL_OK)
        return sl_batch_commit(batch, err);
    (void)sl_batch_abort(batch);
    return rc;
}

/* --------------------------------------------------------------------------- what must hold then */

static void copy_directory(const char *from, const char *to)
{
    char command[4096];

    snprintf(command, sizeof command, "rm -rf '%s' && cp -r '%s' '%s'", to, from, to);
    if (system(command) != 0)
        abort();
}

static enum sl_err open_index(const char *path, struct sl_index **ret_index, struct sl_error *err)
{
    struct sl_index_options options = {.path = path, .map_size_bytes = 1u << 26, .dim = DIM};

    return sl_index_open(&options, ret_index, err);
}

static bool has_fresh(struct sl_index *index)
{
    struct sl_snapshot *snapshot = test_snapshot(index);
    struct sl_error err;
    sl_doc_id doc;
    bool has = sl_snapshot_find(snapshot, TEST_TOPIC, SL_VIEW("fresh"), &doc, &err) == SL_OK;

    sl_snapshot_close(snapshot);
    return has;
}

/* The history's first records are there, untouched; or all of the batch is. */
static bool is_as_before_or_after(struct sl_index *index, bool damaged)
{
    int64_t next = -1;
    struct sl_error err;

    if (history_next(index, &next, &err) != SL_OK || (damaged && next == FIRST))
        return damaged;
    if (test_verify(index, NULL) != 0)
        return false;
    if (next == FIRST)
        return !has_fresh(index) && history_compare(&history, index, FIRST) == 0;
    return next == 1001 && has_fresh(index);
}

/* An error for a person and for the program: which, with what to leave, and why. */
static bool is_clean(enum sl_err rc, const struct sl_error *err, enum failing what)
{
    if (rc == SL_REJECT) /* a document or question that does not fit its arena */
        return what == FAIL_MEMORY && strcmp(err->reason, "too_large") == 0;
    if (rc != SL_STOP || err->message[0] == '\0')
        return false;
    if (what == FAIL_MEMORY)
        return strcmp(err->reason, "memory") == 0 || strcmp(err->reason, "corrupt") == 0;
    return err->exit_code == SL_EXIT_IO || err->exit_code == SL_EXIT_DATA ||
           err->exit_code == SL_EXIT_OS || err->exit_code == SL_EXIT_CONFIG;
}

struct scenario {
    const char *name;
    enum sl_err (*act)(struct sl_index *index, struct sl_error *err); /* NULL: opening */
    bool damaged; /* on an index with a damaged document */
};

static char whole[1100], hurt[1100];

/* true: the call to fail was met, there may be another. */
static bool fail_at(const struct scenario *scenario, enum failing what, long nth, int error,
                    bool forever)
{
    char path[1100];
    struct sl_index *index = NULL;
    struct sl_error err = {0};
    long blocks = failing_blocks(), seen;
    enum sl_err rc = SL_OK;

    snprintf(path, sizeof path, "%s/one", scratch);
    copy_directory(scenario->damaged ? hurt : whole, path);
    if (scenario->act != NULL)
        rc = open_index(path, &index, &err);
    if (rc != SL_OK)
        abort();
    failing_begin(what, nth, error, forever);
    rc = scenario->act != NULL ? scenario->act(index, &err) : open_index(path, &index, &err);
    seen = failing_end();
    if (rc != SL_OK)
        CHECK_THAT(is_clean(rc, &err, what), "%s, call %ld: %d %s: %s", scenario->name, nth, (int)rc,
                   err.reason, err.message);
    if (rc != SL_OK && seen < nth)
        TEST_REPORT_("failed by itself:", "%s: %s", scenario->name, err.message);
    if (index != NULL && scenario->act == do_search) /* readers change nothing: the handle goes on */
        CHECK_THAT(do_search(index, &err) == SL_OK, "%s, call %ld: then %s", scenario->name, nth,
                   err.message);
    (void)sl_index_close(index);
    CHECK_THAT(failing_blocks() == blocks, "%s, call %ld: %ld blocks lost", scenario->name, nth,
               failing_blocks() - blocks);
    if (open_index(path, &index, &err) != SL_OK) {
        TEST_REPORT_("cannot be opened:", "%s, call %ld: %s", scenario->name, nth, err.message);
        return false;
    }
    CHECK_THAT(is_as_before_or_after(index, scenario->damaged), "%s, call %ld", scenario->name, nth);
    (void)sl_index_close(index);
    return seen >= nth;
}

/* Change a letter of a stored text: the last that was written. */
static void hurt_document(const char *path)
{
    static char bytes[8 << 20];
    char file[1200], key[16], text[200] = "";
    ssize_t size;
    char *at;
    int fd;

    for (int64_t n = FIRST - 1; text[0] == '\0'; n--)
        history_record(&history, n, key, text);
    snprintf(file, sizeof file, "%s/env.0/data.mdb", path);
    fd = open(file, O_RDWR);
    size = pread(fd, bytes, sizeof bytes, 0);
    for (at = bytes; (at = memmem(at, (size_t)(bytes + size - at), text, strlen(text))) != NULL; at++)
        if (pwrite(fd, "R", 1, at - bytes) != 1)
            abort();
    (void)close(fd);
}

static void make_directories(void)
{
    struct sl_index *index;
    struct sl_error err;

    if (scratch[0] != '\0')
        return;
    snprintf(scratch, sizeof scratch, "%s", test_directory());
    snprintf(whole, sizeof whole, "%s/whole", scratch);
    snprintf(hurt, sizeof hurt, "%s/hurt", scratch);
    if (open_index(whole, &index, &err) != SL_OK)
        abort();
    for (int64_t n = 0; n < FIRST; n += history.batch)
        if (history_apply(&history, index, n, &err) != SL_OK)
            abort();
    (void)sl_index_close(index);
    copy_directory(whole, hurt);
    hurt_document(hurt);
}

static void fail_everywhere(enum failing what, int error, bool forever)
{
    static const struct scenario scenarios[] = {
        {"open", NULL, false},          {"batch", do_batch, false},
        {"search", do_search, false},   {"verify", do_verify, false},
        {"compact", do_compact, false}, {"quarantine", do_quarantine, true}};
    long stride = getenv("SLUICE_TEST_LONG") != NULL ? 1 : 7, faults = 0;

    make_directories();
    for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++) {
        long nth = 1;
        while (fail_at(&scenarios[i], what, nth, error, forever) && test_failures < 20) {
            nth += nth < 20 ? 1 : stride;
            faults++;
        }
        CHECK_THAT(nth > 3, "%s: only %ld calls were seen", scenarios[i].name, nth);
        printf("%s: %ld calls\n", scenarios[i].name, nth);
    }
    printf("PROVED {\"promise\": \"disk.failing_calls\", \"says\": \"any call that fails is an error, and the index as "
           "before\", \"runs\": 1, \"faults\": %ld, \"violations\": %d}\n", faults, test_failures);
}

TEST(calls_into_lmdb_fail_with_eio)
{
    fail_everywhere(FAIL_LMDB, EIO, false);
}

TEST(calls_into_lmdb_fail_with_damage)
{
    fail_everywhere(FAIL_LMDB, MDB_CORRUPTED, false);
}

TEST(calls_into_lmdb_fail_for_want_of_memory)
{
    fail_everywhere(FAIL_LMDB, ENOMEM, true);
}

TEST(calls_allocations_fail_once)
{
    fail_everywhere(FAIL_MEMORY, 0, false);
}

TEST(calls_allocations_fail_from_then_on)
{
    fail_everywhere(FAIL_MEMORY, 0, true);
}
