/*
 * test_flips.c -- one flipped bit at a time: a correct answer, or an error that says so.
 *
 * An index with a history (replacements, deletions, free pages, slabs, values long and short) is asked
 * everything: each document word for word, words, vectors, filters, positions, rows, figures. Then, for each
 * seed, a child flips one bit of data.mdb, opens the index as the daemon does, asks the same, and verifies.
 * A different answer is a violation, and so are a signal and a child that hangs. A quarter of the bits lie in
 * the roots, a quarter in page headers and the places where pages keep their keys, the rest anywhere.
 *
 * The control is this file linked with a checksum that is always 0 and without the check of pages: it must
 * see wrong answers, or the test could not.
 */
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sluice/hash.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "index_data.h"
#include "test.h"

#define DIM           64
#define DOCUMENTS     420
#define WORDS         60
#define QUESTIONS_MAX 2048
#define HANG_S        30
#define ARENA_BYTES   (8u << 20)

#ifdef BLIND
#define FLIPS_DEFAULT 80
#else
#define FLIPS_DEFAULT 300
#endif

enum outcome { CORRECT, REFUSED, STOPPED, FAULTS_ONLY, WRONG, SIGNAL, HANG, OUTCOMES };

static const char *const outcome_names[OUTCOMES] = {
    "correct", "refused at open", "stopped by a question", "named by verify alone",
    "WRONG",   "SIGNAL",          "HANG"};

struct answers {
    uint64_t hashes[QUESTIONS_MAX];
    uint32_t count;
    bool stopped;
};

/* ------------------------------------------------------------------------------------ hashing */

static uint64_t mix(uint64_t hash, const void *data, size_t size)
{
    const unsigned char *bytes = data;

    for (size_t i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * 0x100000001B3u;
    return (hash ^ size) * 0x9E3779B97F4A7C15u;
}

static void answered(struct answers *answers, enum sl_err rc, uint64_t hash)
{
    answers->stopped = answers->stopped || rc == SL_STOP;
    if (answers->count < QUESTIONS_MAX)
        answers->hashes[answers->count++] = rc == SL_OK ? hash : (uint64_t)rc;
}

/* ------------------------------------------------------------------------------------- making */

static void vector_of(unsigned seed, float *ret_vector)
{
    uint64_t state = seed * 0x9E3779B97F4A7C15u + 1;

    for (int i = 0; i < DIM; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        ret_vector[i] = (float)((double)(state >> 33) * 0x1p-30 - 1.0);
    }
    test_vector_unit(ret_vector, DIM);
}

static void make_text(unsigned n, unsigned version, char *ret_text, size_t size)
{
    unsigned words = n % 40 == 7 ? 4000 : n % 6 == 1 ? 420 : 24;
    uint64_t state = (n + 1) * 0x9E3779B97F4A7C15u + version;
    size_t used = 0;

    for (unsigned i = 0; i < words && used + 40 < size; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        used += (size_t)snprintf(ret_text + used, size - used, "word%u ",
                                 (unsigned)(state >> 40) % (WORDS * 4));
    }
    snprintf(ret_text + used, size - used, "end%u", n);
}

static void put_one(struct sl_index *index, struct sl_batch *batch, unsigned n, unsigned version,
                    int64_t offset)
{
    static const char *const kinds[] = {"law", "speech", "minutes"};
    static char text[60000];
    static float vectors[2048 * DIM];
    struct sl_field field = {.name = SL_VIEW("kind"), .type = SL_FIELD_STRING,
                             .string = sl_view_of(kinds[n % 3])};
    char key[16];
    struct test_document document = {.key = key, .text = text, .offset = offset, .chunk_words = 12,
                                     .title = "a title", .vectors = vectors, .fields = &field,
                                     .field_count = 1};

    snprintf(key, sizeof key, "k%u", n);
    make_text(n, version, text, sizeof text);
    for (unsigned i = 0; i < 400; i++)
        vector_of(n * 1000 + version * 400 + i, vectors + (size_t)i * DIM);
    test_apply(index, batch, &document);
}

static void commit(struct sl_index *index, struct sl_batch **batch, bool again)
{
    struct sl_error err;

    if (*batch != NULL && sl_batch_commit(*batch, &err) != SL_OK)
        abort();
    *batch = NULL;
    if (again && sl_batch_begin(index, batch, &err) != SL_OK)
        abort();
}

/* Puts, replacements and deletions over many commits, so that there are free pages and old roots. */
static void make_index(const char *path)
{
    struct sl_index *index = test_index_open(path, DIM, SL_METRIC_COSINE);
    struct sl_batch *batch = NULL;
    struct sl_error err;
    struct sl_offset_range done = {900, 910};
    int64_t offset = 0;

    for (unsigned n = 0; n < DOCUMENTS; n++) {
        struct sl_position position = {.next_offset = offset, .completed = &done,
                                       .completed_count = 1};
        if (n % 30 == 0)
            commit(index, &batch, true);
        put_one(index, batch, n, 0, offset++);
        (void)sl_batch_position(batch, TEST_TOPIC, (int32_t)(n % 4), &position, &err);
    }
    for (unsigned n = 0; n < DOCUMENTS; n += 7) {
        enum sl_applied applied;
        char key[16];
        commit(index, &batch, true);
        snprintf(key, sizeof key, "k%u", n + 3);
        put_one(index, batch, n, 1, offset++);
        if (n % 2 == 0)
            (void)sl_batch_delete(batch, TEST_TOPIC, sl_view_of(key), 0, offset++, &applied, &err);
        (void)sl_batch_row(batch, SL_TABLE_REPLY, sl_view_of(key), SL_VIEW("an answer"), &err);
        (void)sl_batch_row(batch, SL_TABLE_OUTBOX, sl_view_of(key), SL_VIEW("a letter"), &err);
        (void)sl_batch_row(batch, SL_TABLE_NOTE, sl_view_of(key), SL_VIEW("a note"), &err);
    }
    commit(index, &batch, false);
    sl_index_close(index);
}

/* ------------------------------------------------------------------------------------- asking */

static uint64_t hash_document(const struct sl_document *document)
{
    uint64_t hash = mix(1, document->text.data, document->text.size);

    hash = mix(hash, document->title.data, document->title.size);
    hash = mix(hash, document->key.data, document->key.size);
    hash = mix(hash, &document->offset, sizeof document->offset);
    for (uint32_t i = 0; i < document->field_count; i++)
        hash = mix(hash, document->fields[i].string.data, document->fields[i].string.size);
    return hash;
}

static void ask_document(struct sl_snapshot *snapshot, unsigned n, struct answers *answers)
{
    SL_CLEANUP(sl_arena_closep) struct sl_arena *arena = sl_arena_open(ARENA_BYTES);
    struct sl_document document;
    struct sl_chunk chunk;
    struct sl_error err;
    char key[16];
    uint32_t chunks = 0;
    uint64_t hash = 0;
    sl_doc_id doc = 0;
    enum sl_err rc;

    snprintf(key, sizeof key, "k%u", n);
    rc = sl_snapshot_find(snapshot, TEST_TOPIC, sl_view_of(key), &doc, &err);
    if (rc == SL_OK)
        rc = sl_snapshot_document(snapshot, doc, arena, &document, &chunks, &err);
    if (rc == SL_OK)
        hash = hash_document(&document);
    for (uint32_t i = 0; rc == SL_OK && i < chunks; i++) {
        rc = sl_snapshot_chunk(snapshot, doc, i, arena, &chunk, &err);
        if (rc == SL_OK)
            hash = mix(hash, &chunk.byte_start, sizeof chunk.byte_start);
    }
    answered(answers, rc, hash);
}

static uint64_t hash_hits(const struct sl_hit *hits, uint32_t count)
{
    uint64_t hash = count;

    for (uint32_t i = 0; i < count; i++) {
        hash = mix(hash, &hits[i].doc, sizeof hits[i].doc);
        hash = mix(hash, &hits[i].chunk, sizeof hits[i].chunk);
        hash = mix(hash, &hits[i].score, sizeof hits[i].score);
    }
    return hash;
}

static void ask_words(struct sl_snapshot *snapshot, struct answers *answers)
{
    for (unsigned i = 0; i < WORDS; i++) {
        char first[16], second[16];
        struct sl_term_count terms[2];
        struct sl_hit hits[20];
        struct sl_error err;
        uint32_t count = 0;
        enum sl_err rc;
        snprintf(first, sizeof first, "end%u", i * 7);
        snprintf(second, sizeof second, "word%u", i);
        terms[0] = (struct sl_term_count){sl_view_of(first), 1, 0};
        terms[1] = (struct sl_term_count){sl_view_of(second), 1, 0};
        rc = sl_snapshot_lexical(snapshot, terms, 2, 20, NULL, hits, &count, NULL, &err);
        answered(answers, rc, hash_hits(hits, count));
    }
}

static void ask_vectors(struct sl_snapshot *snapshot, struct answers *answers)
{
    for (unsigned i = 0; i < 24; i++) {
        struct sl_hit hits[20];
        struct sl_error err;
        float query[DIM];
        uint32_t count = 0;
        enum sl_err rc;
        vector_of(i * 17 * 1000 + 1, query);
        rc = sl_snapshot_nearest(snapshot, query, 20, 64, i % 2 == 0, NULL, hits, &count, NULL,
                                 &err);
        answered(answers, rc, hash_hits(hits, count));
    }
}

static void ask_filters(struct sl_snapshot *snapshot, struct answers *answers)
{
    static const char *const filters[] = {"kind = \"law\"", "kind = \"speech\"", "kind != \"law\"",
                                          "kind = \"none\""};

    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++) {
        SL_CLEANUP(sl_arena_closep) struct sl_arena *arena = sl_arena_open(ARENA_BYTES);
        const struct sl_filter *filter;
        struct sl_selection *selection;
        struct sl_error err;
        enum sl_err rc = sl_filter_parse(sl_view_of(filters[i]), arena, &filter, &err);
        if (rc == SL_OK)
            rc = sl_snapshot_select(snapshot, filter, arena, &selection, &err);
        answered(answers, rc, rc == SL_OK ? sl_selection_count(selection) : 0);
    }
}

static bool add_row(void *context, struct sl_view key, struct sl_view value)
{
    uint64_t *hash = context;

    *hash = mix(mix(*hash, key.data, key.size), value.data, value.size);
    return true;
}

static bool add_position(void *context, struct sl_view topic, int32_t partition,
                         const struct sl_position *position)
{
    uint64_t *hash = context;

    *hash = mix(mix(*hash, topic.data, topic.size), &partition, sizeof partition);
    *hash = mix(*hash, &position->next_offset, sizeof position->next_offset);
    return true;
}

static void ask_rows(struct sl_snapshot *snapshot, struct answers *answers)
{
    SL_CLEANUP(sl_arena_closep) struct sl_arena *arena = sl_arena_open(ARENA_BYTES);
    struct sl_index_stats stats = {0};
    struct sl_error err;
    uint64_t hash = 0;
    enum sl_err rc;

    for (enum sl_table table = SL_TABLE_OUTBOX; table <= SL_TABLE_NOTE; table++) {
        hash = 0;
        rc = sl_snapshot_rows(snapshot, table, SL_VIEW_NULL, add_row, &hash, &err);
        answered(answers, rc, hash);
    }
    hash = 0;
    rc = sl_snapshot_positions(snapshot, arena, add_position, &hash, &err);
    answered(answers, rc, hash);
    rc = sl_snapshot_stats(snapshot, &stats, &err);
    answered(answers, rc, stats.documents * 1000003 + stats.chunks * 1009 + stats.outbox);
}

static void ask_all(struct sl_index *index, struct answers *ret_answers)
{
    struct sl_snapshot *snapshot;
    struct sl_error err;

    memset(ret_answers, 0, sizeof *ret_answers);
    if (sl_snapshot_open(index, &snapshot, &err) != SL_OK) {
        ret_answers->stopped = true;
        return;
    }
    ask_words(snapshot, ret_answers);
    ask_vectors(snapshot, ret_answers);
    ask_filters(snapshot, ret_answers);
    ask_rows(snapshot, ret_answers);
    for (unsigned n = 0; n < DOCUMENTS; n++)
        ask_document(snapshot, n, ret_answers);
    sl_snapshot_close(snapshot);
}

/* ----------------------------------------------------------------------------------- flipping */

static struct answers golden;
static const char *path;

/* An answer given although it differs from that of the whole index. */
static bool is_wrong(const struct answers *answers)
{
    for (uint32_t i = 0; i < answers->count; i++)
        if (answers->hashes[i] != golden.hashes[i] && answers->hashes[i] != (uint64_t)SL_STOP)
            return true;
    return false;
}

static void ignore(void *context, const char *line)
{
    (void)context, (void)line;
}

static enum outcome look(void)
{
    struct sl_index_options options = {.path = path, .map_size_bytes = 1u << 30, .dim = DIM};
    static struct answers answers;
    struct sl_index *index;
    struct sl_error err;
    uint64_t faults = 0;
    enum sl_err rc = sl_index_open(&options, &index, &err);

    if (rc != SL_OK)
        return REFUSED;
    ask_all(index, &answers);
    if (sl_index_verify(index, ignore, NULL, &faults, &err) != SL_OK)
        faults = 1;
    sl_index_close(index);
    if (is_wrong(&answers))
        return WRONG;
    return answers.stopped ? STOPPED : faults > 0 ? FAULTS_ONLY : CORRECT;
}

static enum outcome child_outcome(void)
{
    pid_t child = fork();
    int status = 0;

    if (child == 0) {
        int quiet = open("/dev/null", O_WRONLY);
        (void)dup2(quiet, STDERR_FILENO);
        (void)alarm(HANG_S);
        _exit((int)look());
    }
    (void)waitpid(child, &status, 0);
    if (WIFSIGNALED(status))
        return WTERMSIG(status) == SIGALRM ? HANG : SIGNAL;
    return WEXITSTATUS(status) < OUTCOMES ? (enum outcome)WEXITSTATUS(status) : SIGNAL;
}

static off_t place_of(unsigned flip, off_t size)
{
    off_t page = (off_t)(test_random() % (unsigned long long)(size / 4096)) * 4096;

    if (flip % 4 == 0)
        return (off_t)(test_random() % 2 * 4096 + test_random() % 160);
    if (flip % 4 == 1)
        return page + (off_t)(test_random() % 64);
    return (off_t)(test_random() % (unsigned long long)size);
}

static enum outcome flip_one(int fd, off_t place, unsigned bit)
{
    unsigned char byte, flipped;
    enum outcome outcome;

    if (pread(fd, &byte, 1, place) != 1)
        abort();
    flipped = byte ^ (unsigned char)(1u << bit);
    if (pwrite(fd, &flipped, 1, place) != 1)
        abort();
    outcome = child_outcome();
    if (pwrite(fd, &byte, 1, place) != 1)
        abort();
    return outcome;
}

static unsigned flips_wanted(void)
{
    const char *text = getenv("FLIPS");

    if (text != NULL)
        return (unsigned)atoi(text);
    return getenv("SLUICE_TEST_LONG") != NULL ? 10 * FLIPS_DEFAULT : FLIPS_DEFAULT;
}

TEST(flips_end_in_a_correct_answer_or_an_error)
{
    unsigned counts[OUTCOMES] = {0}, flips = flips_wanted(), bad;
    char file[PATH_MAX];
    struct sl_index *index;
    struct stat stat_;
    int fd;

    path = test_directory();
    make_index(path);
    index = test_index_open(path, DIM, SL_METRIC_COSINE);
    ask_all(index, &golden);
    REQUIRE(test_verify(index, NULL) == 0 && !golden.stopped && golden.count > 500);
    sl_index_close(index);
    snprintf(file, sizeof file, "%s/env.0/data.mdb", path);
    fd = open(file, O_RDWR);
    REQUIRE(fd >= 0 && fstat(fd, &stat_) == 0 && stat_.st_size > 1 << 20);
    REQUIRE(child_outcome() == CORRECT);
    test_seed(getenv("SEED") != NULL ? strtoull(getenv("SEED"), NULL, 10) : 20160101);
    for (unsigned i = 0; i < flips; i++) {
        off_t place = place_of(i, stat_.st_size);
        unsigned bit = (unsigned)(test_random() % 8);
        enum outcome outcome = flip_one(fd, place, bit);
        counts[outcome]++;
        if (outcome >= WRONG && counts[outcome] <= 5)
            printf("%s: bit %u of byte %lld (page %lld + %lld)\n", outcome_names[outcome], bit,
                   (long long)place, (long long)place / 4096, (long long)place % 4096);
    }
    close(fd);
    printf("%u bits of %lld bytes:", flips, (long long)stat_.st_size);
    for (int i = 0; i < OUTCOMES; i++)
        printf(" %s %u%s", outcome_names[i], counts[i], i + 1 < OUTCOMES ? "," : "\n");
    bad = counts[WRONG] + counts[SIGNAL] + counts[HANG];
#ifdef BLIND
    printf("PROVED {\"promise\": \"disk.bit_flips\", \"control\": true, \"violations\": %u}\n", bad);
    CHECK(counts[WRONG] > 0);
#else
    printf("PROVED {\"promise\": \"disk.bit_flips\", \"says\": \"a flipped bit is a correct answer or "
           "an error\", \"runs\": 1, \"faults\": %u, \"violations\": %u}\n", flips, bad);
    CHECK(bad == 0);
    CHECK(counts[REFUSED] + counts[STOPPED] > 0);
#endif
}

TEST(flips_a_file_cut_short_is_refused)
{
    char file[PATH_MAX];
    struct sl_index_options options = {.map_size_bytes = 1u << 30, .dim = DIM};
    struct sl_index *index;
    struct stat stat_;
    struct sl_error err;

    options.path = path = test_directory();
    make_index(path);
    snprintf(file, sizeof file, "%s/env.0/data.mdb", path);
    REQUIRE(stat(file, &stat_) == 0 && truncate(file, stat_.st_size / 2) == 0);
#ifndef BLIND
    CHECK(sl_index_open(&options, &index, &err) == SL_STOP);
    CHECK_THAT(err.exit_code == SL_EXIT_DATA && strcmp(err.reason, "corrupt") == 0, "%s: %s",
               err.reason, err.message);
    printf("%s\n", err.message);
    options.read_only = true;
    CHECK(sl_index_open(&options, &index, &err) == SL_STOP && err.exit_code == SL_EXIT_DATA);
#else
    (void)options, (void)index, (void)err;
#endif
}

TEST(flips_an_empty_file_is_no_new_index)
{
    char file[PATH_MAX];
    struct sl_index_options options = {.map_size_bytes = 1u << 30, .dim = DIM};
    struct sl_index *index;
    struct sl_error err;

    options.path = path = test_directory();
    index = test_index_open(path, DIM, SL_METRIC_COSINE);
    sl_index_close(index);
    snprintf(file, sizeof file, "%s/env.0/data.mdb", path);
    REQUIRE(truncate(file, 0) == 0);
#ifndef BLIND
    CHECK(sl_index_open(&options, &index, &err) == SL_STOP && err.exit_code == SL_EXIT_DATA);
#else
    (void)options, (void)err;
#endif
}
