/* test_eval.c -- ranking figures against values worked out by hand. */
#include <math.h>

#include <sluice/eval.h>

#include "test.h"

static bool near(double a, double b)
{
    return fabs(a - b) < 1e-9;
}

TEST(ndcg_is_one_for_the_ideal_order)
{
    const int32_t grades[] = {2, 1, 0};
    const int32_t ideal[] = {2, 1};

    CHECK(near(sl_eval_ndcg(grades, 3, ideal, 2, 10), 1));
}

TEST(ndcg_discounts_by_log2_of_rank_plus_one)
{
    const int32_t grades[] = {0, 1, 0, 1};
    const int32_t ideal[] = {1, 1};
    double expected = (1 / log2(3) + 1 / log2(5)) / (1 + 1 / log2(3));

    CHECK(near(sl_eval_ndcg(grades, 4, ideal, 2, 10), expected));
    CHECK(near(sl_eval_ndcg(grades, 4, ideal, 2, 3), (1 / log2(3)) / (1 + 1 / log2(3))));
    CHECK(near(sl_eval_ndcg(grades, 4, ideal, 2, 1), 0));
    CHECK(near(sl_eval_ndcg(grades, 4, NULL, 0, 10), 0));
}

TEST(ndcg_of_graded_judgements_is_linear_in_the_grade)
{
    const int32_t grades[] = {1, 0, 3, -1, 2};
    const int32_t ideal[] = {3, 2, 1, 1, 0, -1};
    double found = 1 + 3 / 2.0 + 2 / log2(6), best = 3 + 2 / log2(3) + 1 / 2.0 + 1 / log2(5);

    CHECK(near(sl_eval_ndcg(grades, 5, ideal, 6, 10), found / best));
    CHECK(near(sl_eval_ndcg(grades, 5, ideal, 6, 3), (1 + 3 / 2.0) / (3 + 2 / log2(3) + 0.5)));
    CHECK(near(sl_eval_recall(grades, 5, 4, 10), 0.75));
}

TEST(recall_counts_within_k)
{
    const int32_t grades[] = {0, 1, 0, 2};

    CHECK(near(sl_eval_recall(grades, 4, 4, 10), 0.5));
    CHECK(near(sl_eval_recall(grades, 4, 4, 2), 0.25));
    CHECK(near(sl_eval_recall(grades, 0, 4, 10), 0));
}

TEST(mrr_is_of_the_first_relevant)
{
    const int32_t grades[] = {0, 0, 1, 1};

    CHECK(near(sl_eval_mrr(grades, 4, 10), 1.0 / 3));
    CHECK(near(sl_eval_mrr(grades, 4, 2), 0));
}

TEST(interval_holds_the_mean_and_repeats)
{
    double values[200];
    double low, high, low_again, high_again;

    for (int i = 0; i < 200; i++)
        values[i] = i % 4 == 0;
    sl_eval_ci95(values, 200, &low, &high);
    sl_eval_ci95(values, 200, &low_again, &high_again);
    CHECK(near(low, low_again) && near(high, high_again));
    CHECK_THAT(low > 0.17 && low < 0.22 && high > 0.28 && high < 0.33, "%f %f", low, high);
}

TEST(two_runs_are_compared_question_by_question)
{
    double first[60], second[60], same[60];
    struct sl_paired paired;

    for (int i = 0; i < 60; i++) {
        first[i] = i % 3 == 0 ? 1 : 0.2;
        second[i] = i % 3 == 1 ? 0.6 : first[i]; /* 20 better by 0.4 */
        same[i] = i % 2 == 0 ? first[i] + 0.1 : first[i] - 0.1;
    }
    sl_eval_compare(first, second, 60, &paired);
    CHECK(near(paired.difference, 20 * 0.4 / 60));
    CHECK(paired.wins == 20 && paired.losses == 0 && paired.ties == 40);
    CHECK_THAT(paired.low > 0.07 && paired.high < 0.2 && paired.p < 0.001, "%f %f %f", paired.low,
               paired.high, paired.p);
    sl_eval_compare(first, same, 60, &paired);
    CHECK(fabs(paired.difference) < 1e-12 && paired.p > 0.99 && paired.low < 0 && paired.high > 0);
    sl_eval_compare(first, first, 60, &paired);
    CHECK(paired.ties == 60 && near(paired.p, 1) && near(paired.high, 0));
    sl_eval_compare(first, second, 1, &paired);
    CHECK(near(paired.p, 1));
}
