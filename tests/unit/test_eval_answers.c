/* test_eval_answers.c -- measures of answers, against values worked out by hand. */
#include "../support/test.h"

#include <math.h>
#include <sluice/eval.h>

static bool near(double a, double b)
{
    return fabs(a - b) < 1e-12;
}

TEST(auroc_counts_pairs_in_the_right_order_and_half_the_ties)
{
    double up[] = {3, 1, 2}, down[] = {0, 2, 1};

    /* 3 beats 3; 1 beats 1 and ties 1; 2 beats 2 and ties 1: 3 + 1.5 + 2.5 of 9 */
    CHECK(near(sl_eval_auroc(up, 3, down, 3), 7.0 / 9));
    double same[] = {1, 1}, other[] = {1, 1, 1};
    CHECK(near(sl_eval_auroc(same, 2, other, 3), 0.5));
    double high[] = {5, 6}, low[] = {1, 2};
    CHECK(near(sl_eval_auroc(high, 2, low, 2), 1));
    CHECK(near(sl_eval_auroc(low, 2, high, 2), 0));
}

TEST(auroc_equals_a_count_of_all_pairs)
{
    double a[60], b[40], wins = 0;

    for (int i = 0; i < 60; i++)
        a[i] = (double)(test_random() % 20);
    for (int i = 0; i < 40; i++)
        b[i] = (double)(test_random() % 15);
    for (int i = 0; i < 60; i++)
        for (int j = 0; j < 40; j++)
            wins += a[i] > b[j] ? 1 : a[i] < b[j] ? 0 : 0.5;
    CHECK(near(sl_eval_auroc(a, 60, b, 40), wins / 2400));
}

TEST(the_threshold_parts_two_groups_where_that_costs_least)
{
    double up[] = {0.4, 0.6, 0.8, 0.9}, down[] = {0.1, 0.2, 0.3, 0.7}, accuracy = 0;

    CHECK(near(sl_eval_auroc(up, 4, down, 4), 14.0 / 16));
    CHECK(near(sl_eval_threshold(up, 4, down, 4, &accuracy), 0.4));
    CHECK(near(accuracy, 0.5 * 1 + 0.5 * 0.75));
}

TEST(exact_forgets_case_articles_and_punctuation)
{
    CHECK(sl_eval_exact(SL_VIEW("The Eiffel-Tower."), SL_VIEW("eiffeltower")));
    CHECK(sl_eval_exact(SL_VIEW("  an  apple "), SL_VIEW("Apple")));
    CHECK(!sl_eval_exact(SL_VIEW("two apples"), SL_VIEW("apples")));
    CHECK(!sl_eval_exact(SL_VIEW("apple"), SL_VIEW("apples")));
    CHECK(sl_eval_exact(SL_VIEW(""), SL_VIEW("the")));
    CHECK(sl_eval_exact(SL_VIEW("\xED\x95\x9C\xEA\xB5\xAD"), SL_VIEW("\xED\x95\x9C\xEA\xB5\xAD.")));
}

TEST(f1_weighs_shared_words_by_how_often_they_stand)
{
    CHECK(near(sl_eval_f1(SL_VIEW("the cat sat"), SL_VIEW("cat")), 2.0 / 3));
    CHECK(near(sl_eval_f1(SL_VIEW("cat cat"), SL_VIEW("cat")), 2.0 / 3));
    CHECK(near(sl_eval_f1(SL_VIEW("cat"), SL_VIEW("cat cat cat")), 2.0 / 4));
    CHECK(near(sl_eval_f1(SL_VIEW("dog"), SL_VIEW("cat")), 0));
    CHECK(near(sl_eval_f1(SL_VIEW(""), SL_VIEW("the")), 1));
    CHECK(near(sl_eval_f1(SL_VIEW(""), SL_VIEW("cat")), 0));
}
