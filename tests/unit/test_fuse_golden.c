/*
 * test_fuse_golden.c -- fusion of two published runs of SciFact gives the published figures to four
 * digits, and the fused runs line by line.
 *
 * The runs are not part of this source: they are looked for in ../shared/data beside it.
 */
#include <math.h>
#include <sluice/eval.h>
#include <sluice/retrieve.h>

#include "test.h"

#define DATA      SOURCE_DIR "/../shared/data/scifact/"
#define QUESTIONS 300
#define DEPTH     100

struct run {
    uint32_t count;
    struct sl_scored list[DEPTH]; /* best first */
};

static struct run bm25[QUESTIONS], lsa[QUESTIONS], wanted[QUESTIONS];
static uint64_t names[QUESTIONS];
static uint32_t questions;

static int place_of(uint64_t question)
{
    for (uint32_t i = 0; i < questions; i++)
        if (names[i] == question)
            return (int)i;
    names[questions] = question;
    return (int)questions++;
}

/* Numbers in the order their texts have, for that is how the published runs order equal scores. */
static uint64_t by_text(unsigned long long document)
{
    char digits[24];
    uint64_t value = 0;

    snprintf(digits, sizeof digits, "%llu", document);
    for (size_t i = 0, end = strlen(digits); i < 12; i++)
        value = value * 11 + (i < end ? (uint64_t)(digits[i] - '0') + 1 : 0);
    return value;
}

static bool read_run(const char *name, struct run *ret_runs)
{
    char path[4200];
    unsigned long long question, document;
    unsigned rank;
    double score;
    FILE *file;

    snprintf(path, sizeof path, DATA "golden/%s.run", name);
    file = fopen(path, "r");
    if (file == NULL)
        return false;
    memset(ret_runs, 0, QUESTIONS * sizeof *ret_runs);
    while (fscanf(file, "%llu Q0 %llu %u %lf %*s", &question, &document, &rank, &score) == 4) {
        struct run *run = &ret_runs[place_of(question)];
        if (run->count < DEPTH)
            run->list[run->count++] = (struct sl_scored){by_text(document), score};
    }
    fclose(file);
    return true;
}

/* Grades per question: which documents are right. */
static struct judged {
    uint64_t documents[16];
    uint32_t count;
} judged[QUESTIONS];

static void read_judgements(void)
{
    unsigned long long question, document;
    FILE *file = fopen(DATA "qrels/test.tsv", "r");
    int grade;

    memset(judged, 0, sizeof judged);
    if (file == NULL || fscanf(file, "%*s %*s %*s") != 0)
        abort();
    while (fscanf(file, "%llu %llu %d", &question, &document, &grade) == 3)
        if (grade > 0) {
            struct judged *right = &judged[place_of(question)];
            right->documents[right->count++] = by_text(document);
        }
    fclose(file);
}

static double ndcg_of(const struct sl_scored *list, uint32_t count, const struct judged *right)
{
    int32_t grades[10] = {0}, ideal[16];

    for (uint32_t i = 0; i < right->count; i++)
        ideal[i] = 1;
    for (uint32_t i = 0; i < 10 && i < count; i++)
        for (uint32_t j = 0; j < right->count; j++)
            grades[i] |= right->documents[j] == list[i].id;
    return sl_eval_ndcg(grades, count < 10 ? count : 10, ideal, right->count, 10);
}

/* nDCG@10 of fusing both runs; *ret_far: the largest distance of a score from the published fused
 * run. */
static double fuse_all(enum sl_fusion fusion, double a, double b, double *ret_far)
{
    struct sl_arena *arena = sl_arena_open(SL_ARENA_BYTES_MAX);
    double values[QUESTIONS];

    *ret_far = 0;
    for (uint32_t q = 0; q < questions; q++) {
        struct sl_scored fused[2 * DEPTH];
        uint32_t count;
        if (sl_fuse(fusion, bm25[q].list, bm25[q].count, a, lsa[q].list, lsa[q].count, b, arena,
                    fused, &count, NULL) != SL_OK)
            abort();
        values[q] = ndcg_of(fused, count, &judged[q]);
        for (uint32_t i = 0; i < wanted[q].count && i < count; i++)
            *ret_far = fmax(*ret_far, fabs(wanted[q].list[i].score - fused[i].score));
        sl_arena_reset(arena);
    }
    sl_arena_close(arena);
    return sl_eval_mean(values, questions);
}

static bool is(double value, double published)
{
    return fabs(value - published) <= 0.00005;
}

TEST(fuse_golden_runs_give_the_published_figures)
{
    double far, value;

    if (!read_run("bm25_k0.9_b0.4", bm25) || !read_run("lsa256", lsa))
        SKIP("%s is not there", DATA);
    REQUIRE(read_run("rrf60", wanted) && questions == QUESTIONS);
    read_judgements();
    value = fuse_all(SL_FUSION_RRF, 1, 1, &far);
    CHECK_THAT(is(value, 0.6145) && far < 1e-6, "rrf %.4f, off by %g", value, far);
    REQUIRE(read_run("minmax0.5", wanted));
    value = fuse_all(SL_FUSION_MINMAX, 0.5, 0.5, &far);
    CHECK_THAT(is(value, 0.6755) && far < 1e-5, "minmax .5 %.4f, off by %g", value, far);
    value = fuse_all(SL_FUSION_MINMAX, 0.7, 0.3, &far);
    CHECK_THAT(is(value, 0.6947) && far > 0.1, "minmax .7 %.4f", value);
    value = fuse_all(SL_FUSION_MINMAX, 0.3, 0.7, &far);
    CHECK_THAT(is(value, 0.6189), "minmax .3 %.4f", value);
}
