/*
 * test_generation.c -- an index made anew for another pipeline beside the one that answers: nothing mixed, nothing
 * lost, whatever is written meanwhile and whenever the process is killed.
 */
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sluice/hash.h>
#include <sluice/limits.h>
#include <sluice/reindex.h>

#include "fake_embedder.h"
#include "index_data.h"
#include "test.h"

enum { DIM = 16, KEYS = 210 };

struct pipeline {
    struct sl_embedder *embedder;
    struct sl_ingest_options ingest;
    char fingerprint[256];
};

static void pipeline_open(struct pipeline *pipeline, uint32_t words, uint32_t dim)
{
    *pipeline = (struct pipeline){.embedder = fake_embedder_open(dim, 40)};
    pipeline->ingest =
        (struct sl_ingest_options){.chunk = {words, 5, true}, .embedder = pipeline->embedder};
    sl_ingest_fingerprint(&pipeline->ingest, pipeline->fingerprint);
}

static struct sl_index_options options_of(const struct pipeline *pipeline, const char *path)
{
    return (struct sl_index_options){.path = path, .map_size_bytes = 256u << 20,
                                     .dim = pipeline->embedder->dim,
                                     .fingerprint = pipeline->fingerprint};
}

static struct sl_index *open_index(const struct pipeline *pipeline, const char *path)
{
    struct sl_index_options options = options_of(pipeline, path);
    struct sl_index *index = NULL;
    struct sl_error err = {0};

    if (sl_index_open(&options, &index, &err) != SL_OK)
        TEST_REPORT_("open:", "%s %s", err.reason, err.message);
    return index;
}

/* ------------------------------------------------------------------------------ a history */

static void text_of(int64_t n, char text[1200])
{
    size_t used = 0;

    for (int64_t i = 0; i < 4 + n % 5; i++)
        used += (size_t)snprintf(text + used, 1200 - used,
                                 "Paragraph %d of key%d tells of the harbour town, its mayor %d and "
                                 "what the keeper of the light saw that night of number%d.\n\n",
                                 (int)i, (int)(n % KEYS), (int)(n % 7), (int)(i == 1 ? n : i));
}

static enum sl_err put_record(struct sl_index *index, struct sl_batch *batch,
                              const struct pipeline *pipeline, const struct sl_message *message,
                              struct sl_error *err)
{
    struct sl_arena *arena = sl_arena_open(SL_ARENA_BYTES_MAX);
    struct sl_prepared *prepared = NULL;
    struct sl_ingest *ingest = NULL;
    enum sl_applied applied;
    enum sl_err r = sl_ingest_read(message, &pipeline->ingest, index, arena, &ingest, err);
    uint32_t dim = pipeline->embedder->dim;

    if (r == SL_OK && ingest->text_count > 0) {
        float *vectors = SL_NEW_ARRAY(arena, float, ingest->text_count *dim);
        r = pipeline->embedder->ops->encode(pipeline->embedder, SL_EMBED_PASSAGE, ingest->texts,
                                            ingest->text_count, vectors, err);
        for (uint32_t i = 0; i < ingest->text_count; i++)
            ingest->vectors[i] = vectors + i * dim;
    }
    if (r == SL_OK)
        r = sl_ingest_finish(ingest, index, &prepared, err);
    if (r == SL_OK)
        r = sl_batch_apply(batch, prepared, &applied, err);
    sl_arena_close(arena);
    return r;
}

/* Record n of the history: every eleventh is a deletion. */
static enum sl_err write_record(struct sl_index *index, struct sl_batch *batch,
                                const struct pipeline *pipeline, int64_t n, struct sl_error *err)
{
    enum sl_applied applied;
    enum sl_err r;
    char key[16], text[1200];

    snprintf(key, sizeof key, "key%d", (int)(n * 11 % KEYS));
    text_of(n, text);
    struct sl_message message = {.topic = TEST_TOPIC, .offset = n, .timestamp_ms = 1000 + n,
                                 .key = sl_view_of(key), .value = sl_view_of(text)};
    r = n % 13 == 3 ? sl_batch_delete(batch, TEST_TOPIC, message.key, 0, n, &applied, err)
                    : put_record(index, batch, pipeline, &message, err);
    return r == SL_OK ? sl_batch_row(batch, SL_TABLE_REPLY, message.key, message.value, err) : r;
}

/* Records [first, end), and the position after them; no more than a third of the keys in a commit. */
static void write_records(struct sl_index *index, const struct pipeline *pipeline, int64_t first,
                          int64_t end)
{
    while (first < end) {
        int64_t stop = end - first > KEYS / 3 ? first + KEYS / 3 : end;
        struct sl_offset_range done = {stop + 1, stop + 1};
        struct sl_position position = {.next_offset = stop, .completed = &done, .completed_count = 1};
        struct sl_batch *batch = NULL;
        struct sl_error err = {0};
        enum sl_err r = sl_batch_begin(index, &batch, &err);

        for (; r == SL_OK && first < stop; first++)
            r = write_record(index, batch, pipeline, first, &err);
        if (r == SL_OK)
            r = sl_batch_position(batch, TEST_TOPIC, 0, &position, &err);
        if (r == SL_OK)
            r = sl_batch_commit(batch, &err);
        if (r != SL_OK)
            TEST_REPORT_("write:", "%d %s %s", (int)first, err.reason, err.message);
        first = stop;
    }
}

static int64_t next_record(struct sl_index *index)
{
    struct sl_arena *arena = sl_arena_open(SL_ARENA_BYTES_MAX);
    struct sl_snapshot *snapshot = test_snapshot(index);
    struct sl_position position = {0};

    (void)sl_snapshot_position(snapshot, TEST_TOPIC, 0, arena, &position, NULL);
    sl_snapshot_close(snapshot);
    sl_arena_close(arena);
    return position.next_offset;
}

/* ------------------------------------------------------------------------------ what it holds */

static void hash_document(struct sl_snapshot *snapshot, sl_doc_id doc, struct sl_arena *arena,
                          uint8_t sum[32])
{
    struct sl_buffer out = {0};
    struct sl_document document;
    struct sl_error err;
    uint32_t chunks = 0;
    uint8_t digest[32];

    sl_arena_reset(arena);
    if (sl_snapshot_document(snapshot, doc, arena, &document, &chunks, &err) != SL_OK)
        TEST_REPORT_("document:", "%s", err.message);
    sl_buffer_format(&out, "%.*s %lld %.*s", SL_VIEW_ARG(document.key), (long long)document.offset,
                     SL_VIEW_ARG(document.text));
    for (uint32_t i = 0; i < chunks; i++) {
        struct sl_chunk chunk = {0};
        if (sl_snapshot_chunk(snapshot, doc, i, arena, &chunk, &err) != SL_OK)
            TEST_REPORT_("chunk:", "%s", err.message);
        sl_buffer_format(&out, " %u-%u %u", chunk.byte_start, chunk.byte_end, chunk.length_terms);
        for (uint32_t w = 0; w < chunk.window_count; w++)
            sl_buffer_add(&out, chunk.windows[w].hash, SL_HASH_BYTES);
    }
    sl_sha256((struct sl_view){out.data, out.size}, digest);
    for (int i = 0; i < 32; i++)
        sum[i] ^= digest[i];
    sl_buffer_fini(&out);
}

static bool hash_row(void *context, struct sl_view key, struct sl_view value)
{
    uint8_t *sum = context, digest[32];

    (void)key;
    sl_sha256(value, digest);
    for (int i = 0; i < 32; i++)
        sum[i] ^= digest[i];
    return true;
}

/* All of it and what searches find, but for numbers: "documents tombstones chunks digest hits". */
static const char *contents(struct sl_index *index, const struct pipeline *pipeline)
{
    static char lines[4][2000];
    static int at;
    char *line = lines[at++ % 4];
    struct sl_arena *arena = sl_arena_open(SL_ARENA_BYTES_MAX);
    struct sl_snapshot *snapshot = test_snapshot(index);
    struct sl_index_stats stats = {0};
    struct sl_view question = SL_VIEW("the keeper of the light and number9");
    float query[2 * DIM];
    uint8_t sum[32] = {0};
    sl_doc_id doc = 0;
    int used;

    (void)sl_snapshot_stats(snapshot, &stats, NULL);
    while (sl_snapshot_next(snapshot, doc, &doc, NULL) == SL_OK)
        hash_document(snapshot, doc, arena, sum);
    (void)sl_snapshot_rows(snapshot, SL_TABLE_REPLY, SL_VIEW_NULL, hash_row, sum, NULL);
    pipeline->embedder->ops->encode(pipeline->embedder, SL_EMBED_QUESTION, &question, 1, query, NULL);
    used = snprintf(line, sizeof lines[0], "%d documents %d tombstones %d chunks %d vectors ",
                    (int)stats.documents, (int)stats.tombstones, (int)stats.chunks,
                    (int)stats.vectors_live);
    for (int i = 0; i < 8; i++)
        used += snprintf(line + used, sizeof lines[0] - (size_t)used, "%02x", sum[i]);
    struct sl_hit hits[3];
    uint32_t count = 0;
    (void)sl_snapshot_nearest(snapshot, query, 3, 50, true, NULL, hits, &count, NULL, NULL);
    for (uint32_t i = 0; i < count; i++)
        used += snprintf(line + used, sizeof lines[0] - (size_t)used, " %.4f", (double)hits[i].score);
    sl_snapshot_close(snapshot);
    sl_arena_close(arena);
    return line;
}

/* As if it had never been anything else. */
static const char *fresh_contents(const struct pipeline *pipeline, const char *path, int64_t records)
{
    struct sl_index *index = open_index(pipeline, path);
    const char *line;

    write_records(index, pipeline, 0, records);
    line = contents(index, pipeline);
    sl_index_close(index);
    return line;
}

/* ------------------------------------------------------------------------------ a reindex */

struct run {
    struct sl_index *index, *building;
    const struct pipeline *old, *fresh;
    struct sl_reindex reindex;
    struct sl_reindex_counts counts;
    int64_t written, records; /* of the history, by the progress function */
    int kill_after;           /* calls of it; 0: never */
    uint64_t *encoded;        /* shared with the parent */
    uint64_t left_out;
};

static enum sl_err encode(void *context, const struct sl_view *texts, uint32_t count,
                          float *vectors, struct sl_error *err)
{
    struct run *run = context;

    for (uint32_t i = 0; i < count; i++)
        if (memmem(texts[i].data, texts[i].size, "unspeakable", 11) != NULL)
            return sl_fail(err, SL_REJECT, "embed_failed", "a text nobody embeds");
    *run->encoded += count;
    return run->fresh->embedder->ops->encode(run->fresh->embedder, SL_EMBED_PASSAGE, texts, count,
                                             vectors, err);
}

/* The stream goes on into the old generation. */
static bool progress(void *context, const struct sl_reindex_counts *counts)
{
    struct run *run = context;

    (void)counts;
    if (run->kill_after > 0 && --run->kill_after == 0)
        raise(SIGKILL);
    if (run->written < run->records) {
        write_records(run->index, run->old, run->written, run->written + 5);
        run->written += 5;
    }
    return true;
}

static void left_out(void *context, struct sl_view topic, struct sl_view key,
                     const struct sl_error *why)
{
    struct run *run = context;

    CHECK(sl_view_equal(topic, TEST_TOPIC) && sl_view_is(key, "bad") &&
          strcmp(why->reason, "embed_failed") == 0);
    run->left_out++;
}

static bool begin(struct run *run, const char *path, bool *ret_resumed)
{
    struct sl_index_options options = options_of(run->fresh, path);
    struct sl_error err = {0};

    if (sl_generation_begin(run->index, &options, 1 << 20, &run->building, ret_resumed, &err) !=
        SL_OK) {
        TEST_REPORT_("begin:", "%s", err.message);
        return false;
    }
    run->reindex = (struct sl_reindex){.from = run->index, .to = run->building,
                                       .ingest = run->fresh->ingest, .context = run,
                                       .encode = encode, .progress = progress,
                                       .left_out = left_out};
    return true;
}

/* Passes until nothing is left, then the switch. `passes`: no more than that many, in line or not. */
static bool finish(struct run *run, int passes)
{
    struct sl_error err = {0};
    uint64_t changed = 1;

    for (int i = 0; i < passes && (changed > 0 || run->written < run->records); i++)
        if (sl_reindex_pass(&run->reindex, &run->counts, &changed, &err) != SL_OK) {
            TEST_REPORT_("pass:", "%s %s", err.reason, err.message);
            return false;
        }
    if (sl_generation_switch(run->index, run->building, &err) != SL_OK) {
        TEST_REPORT_("switch:", "%s", err.message);
        return false;
    }
    return true;
}

static void check_generations(const char *path, const char *expected)
{
    struct sl_generation list[SL_GENERATIONS_MAX];
    char line[200] = "";
    uint32_t count = 0;
    struct sl_error err;

    CHECK(sl_generation_list(path, list, &count, &err) == SL_OK);
    for (uint32_t i = 0; i < count; i++)
        snprintf(line + strlen(line), sizeof line - strlen(line), "%s%u %s", i ? ", " : "",
                 list[i].number, sl_generation_word(list[i].state));
    CHECK_THAT(strcmp(line, expected) == 0, "%s", line);
}

static const char *in(const char *directory, const char *name)
{
    static char paths[16][512];
    static int at;
    char made[512];

    snprintf(made, sizeof made, "%s/%s", directory, name);
    return memcpy(paths[at++ % 16], made, sizeof made);
}

TEST(generation_I15_I16_other_chunks_while_the_stream_goes_on)
{
    const char *path = in(test_directory(), "index"), *expected, *got;
    struct pipeline old, fresh;
    uint64_t encoded = 0;
    struct run run = {.old = &old, .fresh = &fresh, .written = 300, .records = 400,
                      .encoded = &encoded};
    struct sl_snapshot *before;
    bool resumed;
    char line[320];

    pipeline_open(&old, 30, DIM);
    pipeline_open(&fresh, 60, DIM);
    run.index = open_index(&old, path);
    write_records(run.index, &old, 0, run.written);
    before = test_snapshot(run.index);
    REQUIRE(begin(&run, path, &resumed));
    CHECK(!resumed);
    check_generations(path, "0 current, 1 building");
    REQUIRE(finish(&run, 100));
    CHECK(run.written == run.records && run.counts.moved > 0);
    check_generations(path, "1 current, 0 retired");
    CHECK(strcmp(sl_snapshot_fingerprint(before), old.fingerprint) == 0);
    CHECK(test_lexical(before, "harbour")[0] != '\0');
    sl_snapshot_close(before);
    CHECK(strcmp(sl_index_fingerprint(run.index), fresh.fingerprint) == 0);
    CHECK_THAT(test_verify(run.index, line) == 0, "%s", line);
    expected = fresh_contents(&fresh, in(test_directory(), "fresh"), run.records);
    got = contents(run.index, &fresh);
    CHECK_THAT(strcmp(got, expected) == 0, "%s, not %s", got, expected);
    write_records(run.index, &fresh, run.records, run.records + 30); /* and it goes on */
    sl_index_close(run.index);
    run.index = open_index(&fresh, path);
    expected = fresh_contents(&fresh, in(test_directory(), "fresh2"), run.records + 30);
    got = contents(run.index, &fresh);
    CHECK_THAT(strcmp(got, expected) == 0, "%s, not %s", got, expected);
    sl_index_close(run.index);
    sl_embedder_close(old.embedder);
    sl_embedder_close(fresh.embedder);
}

/* Control of the test before: without the last comparison, what was written meanwhile is missing, and that shows. */
TEST(control_a_switch_that_does_not_compare_again)
{
    const char *path = in(test_directory(), "index"), *expected, *got;
    struct pipeline old, fresh;
    uint64_t encoded = 0;
    struct run run = {.old = &old, .fresh = &fresh, .written = 300, .records = 400,
                      .encoded = &encoded};
    bool resumed;

    pipeline_open(&old, 30, DIM);
    pipeline_open(&fresh, 60, DIM);
    run.index = open_index(&old, path);
    write_records(run.index, &old, 0, run.written);
    REQUIRE(begin(&run, path, &resumed) && finish(&run, 1));
    expected = fresh_contents(&fresh, in(test_directory(), "fresh"), run.written);
    got = contents(run.index, &fresh);
    CHECK_THAT(strcmp(got, expected) != 0, "%s", got);
    sl_index_close(run.index);
    sl_embedder_close(old.embedder);
    sl_embedder_close(fresh.embedder);
}

TEST(generation_keeps_vectors_of_the_same_text)
{
    const char *path = in(test_directory(), "index");
    struct pipeline old, fresh;
    uint64_t encoded = 0;
    struct run run = {.old = &old, .fresh = &fresh, .encoded = &encoded};
    bool resumed;
    char line[320];

    pipeline_open(&old, 60, DIM);
    pipeline_open(&fresh, 60, DIM);
    fresh.ingest.chunk.boilerplate = false; /* another pipeline, the same texts here */
    sl_ingest_fingerprint(&fresh.ingest, fresh.fingerprint);
    CHECK(strcmp(old.fingerprint, fresh.fingerprint) != 0 &&
          sl_ingest_same_embedder(old.fingerprint, fresh.fingerprint));
    run.index = open_index(&old, path);
    write_records(run.index, &old, 0, 80);
    REQUIRE(begin(&run, path, &resumed) && finish(&run, 3));
    CHECK_THAT(encoded == 0 && run.counts.texts == 0 && run.counts.kept > 50, "%d embedded, %d kept",
               (int)run.counts.texts, (int)run.counts.kept);
    CHECK_THAT(test_verify(run.index, line) == 0, "%s", line);
    sl_index_close(run.index);
    sl_embedder_close(old.embedder);
    sl_embedder_close(fresh.embedder);
}

TEST(generation_another_model_and_a_text_it_refuses)
{
    const char *path = in(test_directory(), "index"), *expected, *got;
    struct pipeline old, fresh;
    uint64_t encoded = 0;
    struct run run = {.old = &old, .fresh = &fresh, .encoded = &encoded};
    struct test_document bad = {.key = "bad", .text = "an unspeakable thing", .offset = 9000};
    struct sl_error err;
    bool resumed;
    char line[320];

    pipeline_open(&old, 60, DIM);
    pipeline_open(&fresh, 60, 2 * DIM);
    snprintf(fresh.embedder->fingerprint, sizeof fresh.embedder->fingerprint, "another");
    sl_ingest_fingerprint(&fresh.ingest, fresh.fingerprint);
    run.index = open_index(&old, path);
    write_records(run.index, &old, 0, 80);
    CHECK(test_put(run.index, &bad) == SL_APPLIED_INSERTED);
    struct sl_prepared *stale = test_prepare(run.index, &(struct test_document){.key = "late",
                                                        .text = "came late", .offset = 9001});
    REQUIRE(begin(&run, path, &resumed) && finish(&run, 5));
    CHECK(run.left_out == 1 && run.counts.left_out == 1 && sl_index_dim(run.index) == 2 * DIM);
    CHECK_THAT(test_verify(run.index, line) == 0, "%s", line);
    struct sl_batch *batch = NULL;
    enum sl_applied applied;
    REQUIRE(sl_batch_begin(run.index, &batch, &err) == SL_OK);
    CHECK(sl_batch_apply(batch, stale, &applied, &err) == SL_AGAIN &&
          strcmp(err.reason, "generation_gone") == 0);
    sl_prepared_free(stale);
    sl_batch_delete(batch, TEST_TOPIC, SL_VIEW("bad"), 0, 9000, &applied, &err);
    sl_batch_abort(batch);
    expected = fresh_contents(&fresh, in(test_directory(), "fresh"), 80);
    got = contents(run.index, &fresh);
    /* but for the tombstone of what was left out */
    CHECK_THAT(strcmp(strstr(got, "chunks"), strstr(expected, "chunks")) == 0, "%s, not %s", got,
               expected);
    sl_index_close(run.index);
    sl_embedder_close(old.embedder);
    sl_embedder_close(fresh.embedder);
}

/* One life of the process: go on, be killed after some groups, or get to the end. */
static void live(const char *path, const struct pipeline *old, const struct pipeline *fresh,
                 uint64_t *encoded, int kill_after, int64_t records)
{
    struct sl_index_options options = {.path = path, .map_size_bytes = 256u << 20, .existing = true};
    struct run run = {.old = old, .fresh = fresh, .records = records, .kill_after = kill_after,
                      .encoded = encoded};
    struct sl_error err = {0};
    bool resumed;

    if (sl_index_open(&options, &run.index, &err) != SL_OK)
        _exit(3);
    run.written = next_record(run.index);
    if (strcmp(sl_index_fingerprint(run.index), old->fingerprint) == 0 &&
        (!begin(&run, path, &resumed) || !finish(&run, 100)))
        _exit(4);
    sl_index_close(run.index);
    _exit(0);
}

TEST(generation_I17_kill_9_and_nothing_is_done_twice)
{
    const char *path = in(test_directory(), "index"), *expected, *got;
    uint64_t *encoded = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct pipeline old, fresh;
    struct sl_index *index;
    int status = 0, kills = 0;
    uint64_t whole = 0;
    struct run once = {.old = &old, .fresh = &fresh, .encoded = &whole};
    bool resumed;
    char line[320];

    REQUIRE(encoded != MAP_FAILED);
    pipeline_open(&old, 30, DIM);
    pipeline_open(&fresh, 60, DIM);
    snprintf(fresh.embedder->fingerprint, sizeof fresh.embedder->fingerprint, "another");
    sl_ingest_fingerprint(&fresh.ingest, fresh.fingerprint);
    index = open_index(&old, path);
    write_records(index, &old, 0, 300);
    sl_index_close(index);
    do {
        pid_t child = fork();
        if (child == 0)
            live(path, &old, &fresh, encoded, kills < 12 ? 1 + kills % 3 : 0, 400);
        REQUIRE(waitpid(child, &status, 0) == child);
        kills += WIFSIGNALED(status);
    } while (WIFSIGNALED(status) && kills < 50);
    CHECK_THAT(WIFEXITED(status) && WEXITSTATUS(status) == 0 && kills > 5, "%d kills, %x", kills,
               (unsigned)status);
    check_generations(path, "1 current, 0 retired");
    index = open_index(&fresh, path);
    REQUIRE(index != NULL);
    CHECK_THAT(test_verify(index, line) == 0, "%s", line);
    int64_t records = next_record(index);
    expected = fresh_contents(&fresh, in(test_directory(), "fresh"), records);
    got = contents(index, &fresh);
    CHECK_THAT(strcmp(got, expected) == 0, "%s, not %s", got, expected);
    sl_index_close(index);

    /* Undisturbed, from the old generation as it was in the end: each kill adds no more than one group. */
    once.index = open_index(&old, in(test_directory(), "once"));
    write_records(once.index, &old, 0, records);
    REQUIRE(begin(&once, in(test_directory(), "once"), &resumed) && finish(&once, 3));
    CHECK_THAT(*encoded < whole * 2, "%d texts in %d lives, %d in one", (int)*encoded, kills + 1,
               (int)whole);
    sl_index_close(once.index);
    sl_embedder_close(old.embedder);
    sl_embedder_close(fresh.embedder);
    munmap(encoded, 4096);
}

TEST(generation_goes_back_and_is_dropped)
{
    const char *path = in(test_directory(), "index");
    struct pipeline old, fresh;
    uint64_t encoded = 0;
    struct run run = {.old = &old, .fresh = &fresh, .encoded = &encoded};
    struct sl_index_options other;
    struct sl_generation retired = {0, SL_GENERATION_RETIRED};
    struct sl_index *reader = NULL;
    struct sl_error err = {0};
    const char *before;
    bool resumed;

    pipeline_open(&old, 30, DIM);
    pipeline_open(&fresh, 60, DIM);
    run.index = open_index(&old, path);
    write_records(run.index, &old, 0, 50);
    before = contents(run.index, &old);
    REQUIRE(begin(&run, path, &resumed) && finish(&run, 3));
    CHECK(sl_index_compact(run.index, NULL, NULL, NULL, &err) == SL_OK);
    check_generations(path, "2 current, 0 retired");
    write_records(run.index, &fresh, 50, 51);

    other = (struct sl_index_options){.path = path, .read_only = true, .generation = &retired};
    CHECK(sl_index_open(&other, &reader, &err) == SL_OK);
    CHECK(strcmp(sl_index_fingerprint(reader), old.fingerprint) == 0);
    sl_index_close(reader);

    CHECK(sl_generation_rollback(run.index, 7, &err) == SL_REJECT);
    CHECK(sl_generation_rollback(run.index, 0, &err) == SL_OK);
    sl_index_close(run.index);
    check_generations(path, "0 current, 2 retired");
    other = options_of(&fresh, path);
    CHECK(sl_index_open(&other, &run.index, &err) == SL_STOP && err.exit_code == SL_EXIT_CONFIG &&
          strstr(err.message, "sluicectl reindex") != NULL);
    run.index = open_index(&old, path);
    CHECK(next_record(run.index) == 50); /* from here the stream is read again */
    CHECK(strcmp(contents(run.index, &old), before) == 0);
    CHECK(sl_generation_drop(run.index, 0, &err) == SL_REJECT && strcmp(err.reason, "in_use") == 0);
    CHECK(sl_generation_drop(run.index, 5, &err) == SL_REJECT && strcmp(err.reason, "not_found") == 0);
    CHECK(sl_generation_drop(run.index, 2, &err) == SL_OK);
    check_generations(path, "0 current");
    CHECK(access(in(path, "env.2"), F_OK) != 0 && access(in(path, "env.0"), F_OK) == 0);

    /* What was begun for one pipeline is not gone on with for another. */
    REQUIRE(begin(&run, path, &resumed));
    sl_index_close(run.building);
    REQUIRE(begin(&run, path, &resumed));
    CHECK(resumed);
    sl_index_close(run.building);
    fresh.ingest.chunk.words = 80;
    sl_ingest_fingerprint(&fresh.ingest, fresh.fingerprint);
    REQUIRE(begin(&run, path, &resumed));
    CHECK(!resumed);
    check_generations(path, "0 current, 1 building");
    sl_generation_abandon(run.index, run.building);
    check_generations(path, "0 current");
    sl_index_close(run.index);
    sl_embedder_close(old.embedder);
    sl_embedder_close(fresh.embedder);
}

TEST(generation_no_room_for_more)
{
    const char *path = in(test_directory(), "index");
    struct pipeline old;
    struct sl_index_options options;
    struct sl_index *index, *building = NULL;
    struct sl_error err = {0};
    bool resumed;

    pipeline_open(&old, 30, DIM);
    index = open_index(&old, path);
    options = options_of(&old, path);
    CHECK(sl_generation_begin(index, &options, 1ull << 60, &building, &resumed, &err) == SL_STOP &&
          strcmp(err.reason, "disk_full") == 0);
    for (uint32_t i = 0; i < SL_RETIRED_MAX; i++) {
        REQUIRE(sl_generation_begin(index, &options, 1, &building, &resumed, &err) == SL_OK);
        REQUIRE(sl_generation_switch(index, building, &err) == SL_OK);
    }
    CHECK(sl_generation_begin(index, &options, 1, &building, &resumed, &err) == SL_STOP &&
          strcmp(err.reason, "retired") == 0);
    check_generations(path, "6 current, 0 retired, 1 retired, 2 retired, 3 retired, 4 retired, 5 retired");
    sl_index_close(index);
    sl_embedder_close(old.embedder);
}
