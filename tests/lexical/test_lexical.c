/*
 * test_lexical.c -- the k best by BM25 are those of scoring every chunk, after any history of
 * inserts, replaces and deletes, while runs of postings move up and after.
 *
 * The control is this program with bounds that are never raised (low_bounds.c): it must find the
 * difference.
 */
#include <math.h>

#include "index_data.h"
#include "test.h"

#define DOCUMENTS  3600
#define CHUNKS_MAX 40
#define WORDS_MAX  12
#define VOCABULARY 3000
#define K1         0.9f
#define B          0.4f

struct made {
    bool there;
    int chunk_words;
    int chunks;
    int lengths[CHUNKS_MAX];
    uint16_t words[CHUNKS_MAX][WORDS_MAX];
};

static struct made *made;

/* Some words are frequent, most are rare. */
static uint16_t some_word(void)
{
    double u = test_uniform();

    return (uint16_t)(u * u * u * u * VOCABULARY);
}

static void write_document(struct made *document, int chunks, char *ret_text)
{
    size_t used = 0;

    document->there = true;
    document->chunk_words = 1 + (int)(test_random() % WORDS_MAX);
    document->chunks = chunks;
    for (int c = 0; c < chunks; c++) {
        bool last = c == chunks - 1;
        document->lengths[c] = last ? 1 + (int)(test_random() % (unsigned)document->chunk_words)
                                    : document->chunk_words;
        for (int w = 0; w < document->lengths[c]; w++) {
            document->words[c][w] =
                w > 0 && test_random() % 4 == 0 ? document->words[c][w - 1] : some_word();
            used += (size_t)sprintf(ret_text + used, "%sw%u", used > 0 ? " " : "",
                                    document->words[c][w]);
        }
    }
}

static void change(struct sl_index *index, struct sl_batch *batch, int number, int chunks,
                   int64_t offset)
{
    static char text[CHUNKS_MAX * WORDS_MAX * 8];
    char key[16];
    struct test_document document = {
        .key = key, .text = text, .offset = offset, .lang = number % 3 == 0 ? "en" : "ko"};

    snprintf(key, sizeof key, "k%d", number);
    if (chunks == 0) {
        enum sl_applied applied;
        struct sl_error err;
        made[number].there = false;
        CHECK(sl_batch_delete(batch, TEST_TOPIC, sl_view_of(key), 0, offset, &applied, &err) ==
              SL_OK);
        return;
    }
    write_document(&made[number], chunks, text);
    document.chunk_words = (uint32_t)made[number].chunk_words;
    test_apply(index, batch, &document);
}

/* ------------------------------------------------------------------------- scoring every chunk */

struct totals {
    double chunks, terms;
    double *frequency; /* [VOCABULARY] */
};

static void add_up(struct totals *totals)
{
    totals->chunks = totals->terms = 0;
    memset(totals->frequency, 0, VOCABULARY * sizeof *totals->frequency);
    for (int d = 0; d < DOCUMENTS; d++)
        for (int c = 0; made[d].there && c < made[d].chunks; c++) {
            totals->chunks++;
            totals->terms += made[d].lengths[c];
            for (int w = 0; w < made[d].lengths[c]; w++) {
                bool before = false;
                for (int v = 0; v < w; v++)
                    before = before || made[d].words[c][v] == made[d].words[c][w];
                totals->frequency[made[d].words[c][w]] += !before;
            }
        }
}

static float score(const struct totals *totals, const struct made *document, int chunk,
                   const struct sl_term_count *terms, const int *words, int count)
{
    float average = (float)(totals->terms / totals->chunks), sum = 0;

    for (int i = 0; i < count; i++) {
        double df = totals->frequency[words[i]];
        float weight = (float)log(1.0 + (totals->chunks - df + 0.5) / (df + 0.5));
        float tf = 0, length = (float)document->lengths[chunk];
        weight *= terms[i].boost > 0 ? terms[i].boost : (float)terms[i].count;
        for (int w = 0; w < document->lengths[chunk]; w++)
            tf += document->words[chunk][w] == words[i];
        sum += weight * tf / (tf + K1 * (1 - B + B * length / average));
    }
    return sum;
}

static int descending(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;

    return (x < y) - (x > y);
}

static bool near(float a, float b)
{
    return fabsf(a - b) <= 1e-5f * (fabsf(a) + 1e-3f);
}

/* Are the hits the k best of all (selected) chunks? */
static bool right(struct sl_snapshot *snapshot, const struct totals *totals,
                  const struct sl_term_count *terms, const int *words, int count, bool selected,
                  const struct sl_hit *hits, uint32_t found, uint32_t k)
{
    float *all = malloc(DOCUMENTS * CHUNKS_MAX * sizeof *all);
    uint32_t n = 0;
    bool good = true;

    for (int d = 0; d < DOCUMENTS; d++)
        for (int c = 0; made[d].there && (!selected || d % 3 == 0) && c < made[d].chunks; c++) {
            all[n] = score(totals, &made[d], c, terms, words, count);
            n += all[n] > 0;
        }
    qsort(all, n, sizeof *all, descending);
    good = found == (n < k ? n : k);
    for (uint32_t i = 0; good && i < found; i++) {
        int document = atoi(test_key_of(snapshot, hits[i].doc) + 1);
        good = near(hits[i].score, all[i]) && (!selected || document % 3 == 0) &&
               near(hits[i].score,
                    score(totals, &made[document], (int)hits[i].chunk, terms, words, count));
        if (good && i > 0)
            good = hits[i - 1].score > hits[i].score ||
                   (hits[i - 1].score == hits[i].score &&
                    (hits[i - 1].doc < hits[i].doc ||
                     (hits[i - 1].doc == hits[i].doc && hits[i - 1].chunk < hits[i].chunk)));
    }
    free(all);
    return good;
}

static void compare(struct sl_index *index, struct totals *totals, int questions)
{
    static const uint32_t depths[] = {1, 5, 10, 100};
    struct sl_snapshot *snapshot = test_snapshot(index);
    struct sl_arena *arena = sl_arena_open(SL_ARENA_BYTES_MAX);
    const struct sl_filter *filter;
    struct sl_selection *selection;
    struct sl_search_stats stats;
    struct sl_error err;

    add_up(totals);
    REQUIRE(sl_filter_parse(SL_VIEW("lang = \"en\""), arena, &filter, &err) == SL_OK);
    REQUIRE(sl_snapshot_select(snapshot, filter, arena, &selection, &err) == SL_OK);
    for (int q = 0; q < questions; q++) {
        struct sl_term_count terms[4];
        struct sl_hit hits[100];
        char names[4][16];
        int words[4], count = 1 + (int)(test_random() % 4);
        uint32_t found, k = depths[test_random() % 4];
        bool selected = q % 4 == 3;
        for (int i = 0; i < count; i++) {
            words[i] = some_word() + i;
            snprintf(names[i], sizeof names[i], "w%d", words[i]);
            terms[i] = (struct sl_term_count){sl_view_of(names[i]), 1 + (uint32_t)(q % 5 == 0),
                                              q % 7 == 0 ? 0.25f * (float)(i + 1) : 0};
            words[i] %= VOCABULARY;
        }
        REQUIRE(sl_snapshot_lexical(snapshot, terms, (uint32_t)count, k,
                                    selected ? selection : NULL, hits, &found, &stats,
                                    &err) == SL_OK);
        CHECK_THAT(right(snapshot, totals, terms, words, count, selected, hits, found, k),
                   "question %d, %d terms, k %u", q, count, k);
    }
    sl_arena_close(arena);
    sl_snapshot_close(snapshot);
}

/* -------------------------------------------------------------------------------------- histories
 */

static void run_batch(struct sl_index *index, int first, int count, bool churn, int64_t *offset)
{
    struct sl_batch *batch;
    struct sl_error err;

    REQUIRE(sl_batch_begin(index, &batch, &err) == SL_OK);
    for (int i = 0; i < count; i++) {
        int number = churn ? (int)(test_random() % (unsigned)first) : first + i;
        bool out = churn && test_random() % 3 == 0;
        if (out && !made[number].there)
            continue;
        change(index, batch, number, out ? 0 : 10 + (int)(test_random() % 31), ++*offset);
    }
    REQUIRE(sl_batch_commit(batch, &err) == SL_OK);
}

static void check(struct sl_index *index, struct totals *totals, int questions)
{
    compare(index, totals, questions);
#ifndef LOW_BOUNDS
    char line[320];
    uint64_t faults = test_verify(index, line);
    CHECK_THAT(faults == 0, "%s", line);
#endif
}

/* 90,000 chunks in 3,600 documents: 88 segments, eleven runs of the next level and one of the one
 * above. */
TEST(lexical_finds_what_scoring_every_chunk_finds)
{
    const char *path = test_directory();
    struct sl_index *index = test_index_open(path, 0, SL_METRIC_COSINE);
    struct totals totals = {.frequency = calloc(VOCABULARY, sizeof(double))};
    int64_t offset = 0;
    int filled = 0;

    test_seed(11);
    made = calloc(DOCUMENTS, sizeof *made);
    for (int round = 0; round < 12; round++) {
        for (int i = 0; i < 3; i++, filled += 100)
            run_batch(index, filled, 100, false, &offset);
        run_batch(index, filled, 20, true, &offset);
        if (round == 6) { /* all that counts is on disk */
            sl_index_close(index);
            index = test_index_open(path, 0, SL_METRIC_COSINE);
        }
        if (round % 2 == 1)
            compare(index, &totals, 25);
    }
    check(index, &totals, 60);
    for (int i = 0; i < 8; i++) { /* nothing but changes of what is there */
        run_batch(index, DOCUMENTS, 60, true, &offset);
        compare(index, &totals, 15);
    }
    check(index, &totals, 60);
    free(totals.frequency);
    free(made);
    sl_index_close(index);
}
