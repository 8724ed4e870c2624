/* test_goldens.c -- golden questions: read, asked, summed up, compared. */
#include "small_index.h"

#include <sluice/goldens.h>

static const struct sl_retrieve_options OPTIONS = {.mode = SL_MODE_LEXICAL, .k = 5, .ef = 64,
                                                   .fusion = SL_FUSION_RRF, .weight_lexical = 1,
                                                   .weight_vector = 1, .coverage_min = 0.5};

TEST(accepted_lines_are_read_and_drafts_passed_over)
{
    SL_CLEANUP(sl_arena_closep) struct sl_arena *arena = sl_arena_open(1 << 20);
    struct sl_goldens goldens = {0};
    struct sl_error err = {0};
    struct sl_view text = SL_VIEW(
        "{\"query\": \"one\", \"relevant\": [\"a\", \"b\"], \"status\": \"accepted\", \"chunk\": 3}\n\n"
        "{\"query\": \"two\", \"relevant\": [\"a\"], \"status\": \"draft\"}\n"
        "{\"text\": \"three\", \"relevant\": [\"c\"], \"filter\": \"x = 1\", \"now\": \"2015-12-16\"}");

    small_check(sl_goldens_read(text, arena, &goldens, &err), &err);
    REQUIRE(goldens.count == 2);
    CHECK(sl_view_is(goldens.items[0].query, "one") && goldens.items[0].relevant_count == 2);
    CHECK(sl_view_is(goldens.items[1].query, "three") && sl_view_is(goldens.items[1].filter, "x = 1"));
    CHECK(goldens.items[0].asked_ms == -1 && sl_day_of_ms(goldens.items[1].asked_ms) ==
                                                 sl_day_from_civil(2015, 12, 16));
    small_check(sl_goldens_read(SL_VIEW(""), arena, &goldens, &err), &err);
    CHECK(goldens.count == 0);
}

TEST(a_line_that_cannot_be_used_is_named)
{
    static const char *const bad[] = {"{\"query\": \"one\"}", "{\"relevant\": [\"a\"]}",
                                      "{\"query\": \"one\", \"relevant\": []}",
                                      "{\"query\": \"one\", \"relevant\": [1]}",
                                      "{\"query\": \"one\", \"relevant\": [\"a\"], \"now\": \"today\"}"};

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        SL_CLEANUP(sl_arena_closep) struct sl_arena *arena = sl_arena_open(1 << 20);
        struct sl_goldens goldens = {0};
        struct sl_error err = {0};
        struct sl_buffer text = {0};
        sl_buffer_format(&text, "{\"query\": \"x\", \"relevant\": [\"a\"]}\n%s\n", bad[i]);
        CHECK(sl_goldens_read((struct sl_view){text.data, text.size}, arena, &goldens, &err) ==
              SL_REJECT);
        CHECK_THAT(strcmp(err.reason, "bad_field") == 0 && strstr(err.message, "line 2") != NULL,
                   "%s", err.message);
        sl_buffer_fini(&text);
    }
}

TEST(a_question_is_judged_by_the_documents_it_finds)
{
    struct small_index *small = small_open(false);
    struct sl_view keys[] = {SL_VIEW("kiln"), SL_VIEW("gone")};
    struct sl_golden golden = {.query = SL_VIEW("beech kiln"), .asked_ms = -1, .relevant = keys,
                               .relevant_count = 2};
    struct sl_golden_result result, other;
    struct sl_error err = {0};

    small_put(small, "kiln", "{\"text\": \"The kiln is fired with beech.\", \"tenant\": \"hr\"}");
    small_put(small, "forge", "{\"text\": \"The beech forge burns beech, beech and no kiln beech.\"}");
    small_check(sl_golden_ask(&golden, small->snapshot, &OPTIONS, NULL, &small->clock, small->arena,
                              &result, &err), &err);
    CHECK(result.recall == 0.5 && result.reciprocal > 0 && result.top != 0);
    golden.tenant = SL_VIEW("hr");
    small_check(sl_golden_ask(&golden, small->snapshot, &OPTIONS, NULL, &small->clock, small->arena,
                              &other, &err), &err);
    CHECK(other.reciprocal == 1);
    golden.tenant = SL_VIEW("nobody");
    small_check(sl_golden_ask(&golden, small->snapshot, &OPTIONS, NULL, &small->clock, small->arena,
                              &other, &err), &err);
    CHECK(other.recall == 0 && other.reciprocal == 0 && other.top == 0);
    golden.filter = SL_VIEW("((");
    CHECK(sl_golden_ask(&golden, small->snapshot, &OPTIONS, NULL, &small->clock, small->arena, &other,
                        &err) == SL_REJECT);
    small_close(small);
}

TEST(a_key_that_is_named_twice_counts_once)
{
    SL_CLEANUP(sl_arena_closep) struct sl_arena *arena = sl_arena_open(1 << 20);
    struct sl_goldens goldens = {0};
    struct sl_error err = {0};

    small_check(sl_goldens_read(SL_VIEW("{\"query\": \"one\", \"relevant\": [\"a\", \"b\", \"a\"]}"), arena, &goldens,
                                &err), &err);
    REQUIRE(goldens.count == 1);
    CHECK(goldens.items[0].relevant_count == 2 && sl_view_is(goldens.items[0].relevant[1], "b"));
}

TEST(runs_are_summed_up_and_compared)
{
    struct sl_golden_result first[] = {{1, 1, 7}, {1, 0.5, 8}, {0, 0, 9}, {1, 1, 0}};
    struct sl_golden_result second[] = {{1, 1, 7}, {0, 0, 5}, {0, 0, 9}, {1, 1, 0}};
    struct sl_goldens_result a = sl_goldens_sum(first, NULL, 4), b = sl_goldens_sum(second, first, 4);
    struct sl_goldens_result none = sl_goldens_sum(NULL, NULL, 0);

    CHECK(a.count == 4 && a.recall == 0.75 && a.reciprocal == 0.625 && a.changed == 0);
    CHECK(b.recall == 0.5 && b.changed == 0.25);
    CHECK(sl_goldens_worse(&a, &b, 0.05) && !sl_goldens_worse(&a, &b, 0.3));
    CHECK(!sl_goldens_worse(&b, &a, 0) && !sl_goldens_worse(&a, &a, 0));
    CHECK(!sl_goldens_worse(&none, &a, 0) && !sl_goldens_worse(&a, &none, 0));
}
