/* test_question.c -- question records: text and JSON, what is clamped, what is refused. */
#include "../support/test.h"

#include <sluice/limits.h>
#include <sluice/question.h>

struct asked {
    struct sl_arena *arena;
    struct sl_question question;
    struct sl_error err;
    enum sl_err e;
};

static struct asked ask_with(struct sl_view value, const struct sl_question_options *options,
                             const struct sl_header *headers, uint32_t header_count)
{
    struct sl_message message = {.topic = SL_VIEW("questions"), .timestamp_ms = 1450224000000,
                                 .value = value, .headers = headers, .header_count = header_count};
    struct asked asked = {.arena = sl_arena_open(8 << 20)};

    asked.e = sl_question_parse(&message, options, asked.arena, &asked.question, &asked.err);
    return asked;
}

static struct asked ask(const char *value)
{
    struct sl_question_options options = {0};

    return ask_with(sl_view_of(value), &options, NULL, 0);
}

static void done(struct asked *asked)
{
    asked->arena = sl_arena_close(asked->arena);
}

static void check_refused(const char *value, const char *reason)
{
    struct asked asked = ask(value);

    CHECK_THAT(asked.e == SL_REJECT && strcmp(asked.err.reason, reason) == 0, "%s gave %s: %s", value,
               asked.err.reason, asked.err.message);
    done(&asked);
}

TEST(plain_text_is_the_question)
{
    struct asked asked = ask("\xEF\xBB\xBF  What happened? \n");

    CHECK(asked.e == SL_OK);
    CHECK(sl_view_is(asked.question.text, "What happened?"));
    CHECK(asked.question.k == 0 && asked.question.mode == SL_MODE_DEFAULT);
    CHECK(asked.question.filter == NULL && asked.question.filter_text.data == NULL);
    CHECK(asked.question.asked_ms == 1450224000000);
    done(&asked);
    asked = ask("[1] is a question too");
    CHECK(asked.e == SL_OK && sl_view_is(asked.question.text, "[1] is a question too"));
    done(&asked);
}

TEST(json_fills_every_member)
{
    struct asked asked =
        ask(" {\"query\": \" why? \", \"k\": 7, \"filter\": \"a = 1\", \"mode\": \"lexical\","
            " \"exact\": true, \"session\": \"s1\", \"deadline_ms\": 5000,"
            " \"min_position\": {\"docs/0\": 1234, \"a/b/12\": 0}, \"return_hits\": true,"
            " \"stream\": null}");
    struct sl_question *q = &asked.question;

    REQUIRE(asked.e == SL_OK);
    CHECK(sl_view_is(q->text, "why?") && q->k == 7 && q->mode == SL_MODE_LEXICAL);
    CHECK(sl_view_is(q->filter_text, "a = 1") && q->filter != NULL);
    CHECK(q->exact && q->return_hits && !q->stream && sl_view_is(q->session, "s1"));
    CHECK(q->deadline_ms == 5000 && q->warning_count == 0);
    REQUIRE(q->min_position_count == 2);
    CHECK(sl_view_is(q->min_positions[0].topic, "docs") && q->min_positions[0].partition == 0 &&
          q->min_positions[0].offset == 1234);
    CHECK(sl_view_is(q->min_positions[1].topic, "a/b") && q->min_positions[1].partition == 12);
    done(&asked);
}

TEST(what_this_version_has_not_is_warned_of)
{
    struct asked asked = ask("{\"query\": \"x\", \"stream\": true, \"k\": 101, \"deadline_ms\": 99999999}");

    REQUIRE(asked.e == SL_OK && asked.question.warning_count == 3 && asked.question.stream);
    CHECK(sl_view_is(asked.question.warnings[0], "stream is not in this version: the answer comes whole"));
    done(&asked);
    asked = ask("{\"query\": \"x\", \"stream\": false}");
    CHECK(asked.e == SL_OK && asked.question.warning_count == 0);
    done(&asked);
}

TEST(too_much_is_clamped_with_a_warning)
{
    struct asked asked = ask("{\"query\": \"x\", \"k\": 101, \"deadline_ms\": 99999999}");

    REQUIRE(asked.e == SL_OK && asked.question.warning_count == 2);
    CHECK(asked.question.k == 100 && asked.question.deadline_ms == SL_DEADLINE_MS_MAX);
    CHECK(sl_view_is(asked.question.warnings[0], "k clamped to 100"));
    done(&asked);
    asked = ask("{\"query\": \"x\", \"k\": 100}");
    CHECK(asked.e == SL_OK && asked.question.k == 100 && asked.question.warning_count == 0);
    done(&asked);
}

TEST(what_cannot_be_used_is_refused_with_one_word)
{
    check_refused("", "empty_query");
    check_refused(" \n\t", "empty_query");
    check_refused("{}", "empty_query");
    check_refused("{\"query\": \" \"}", "empty_query");
    check_refused("{\"query\": 3}", "bad_field");
    check_refused("{\"query\": \"x\", \"k\": 0}", "bad_k");
    check_refused("{\"query\": \"x\", \"k\": -1}", "bad_k");
    check_refused("{\"query\": \"x\", \"k\": 1.5}", "bad_k");
    check_refused("{\"query\": \"x\", \"k\": \"5\"}", "bad_k");
    check_refused("{\"query\": \"x\", \"mode\": \"fast\"}", "bad_mode");
    check_refused("{\"query\": \"x\", \"mode\": 1}", "bad_mode");
    check_refused("{\"query\": \"x\", \"filter\": \"a =\"}", "bad_filter");
    check_refused("{\"query\": \"x\", \"filter\": 1}", "bad_field");
    check_refused("{\"query\": \"x\", \"exact\": \"yes\"}", "bad_field");
    check_refused("{\"query\": \"x\", \"deadline_ms\": -1}", "bad_field");
    check_refused("{\"query\": \"x\", \"min_position\": {\"docs\": 1}}", "bad_field");
    check_refused("{\"query\": \"x\", \"min_position\": {\"docs/x\": 1}}", "bad_field");
    check_refused("{\"query\": \"x\", \"min_position\": {\"docs/9999999999\": 1}}", "bad_field");
    check_refused("{\"query\": \"x\", \"min_position\": {\"/0\": 1}}", "bad_field");
    check_refused("{\"query\": \"x\", \"min_position\": [1]}", "bad_field");
    check_refused("{\"query\": \"x\", \"filtr\": \"a = 1\"}", "bad_field");
    check_refused("{\"query\": \"x\", \"tenant\": \"other\"}", "bad_field");
    check_refused("{\"query\": \"x\"", "bad_json");
    check_refused("{\"query\": \"x\"} y", "trailing_data");
    check_refused("{\"query\": \"x\", \"query\": \"y\"}", "duplicate_key");
    check_refused("a \xFF b", "bad_utf8");
}

TEST(a_refused_question_still_says_what_was_asked)
{
    struct asked asked = ask("{\"k\": 0, \"query\": \"what?\"}");

    CHECK(asked.e == SL_REJECT && sl_view_is(asked.question.text, "what?"));
    done(&asked);
}

TEST(length_is_bounded_and_the_text_is_cut_at_a_character)
{
    struct sl_buffer text = {0};
    struct sl_question_options options = {0};
    struct asked asked;

    for (uint32_t i = 0; i < SL_QUERY_BYTES_MAX / 3 + 1; i++)
        sl_buffer_view(&text, SL_VIEW("\xEA\xB0\x80"));
    asked = ask_with((struct sl_view){text.data, text.size}, &options, NULL, 0);
    CHECK(asked.e == SL_REJECT && strcmp(asked.err.reason, "too_large") == 0);
    CHECK(asked.question.text.size <= SL_QUERY_BYTES_MAX && asked.question.text.size % 3 == 0);
    done(&asked);
    for (uint32_t i = 0; i < SL_QUESTION_BYTES_MAX / 3; i++)
        sl_buffer_view(&text, SL_VIEW("\xEA\xB0\x80"));
    asked = ask_with((struct sl_view){text.data, text.size}, &options, NULL, 0);
    CHECK(asked.e == SL_REJECT && asked.question.text.data == NULL);
    done(&asked);
    sl_buffer_fini(&text);
}

TEST(content_type_decides_over_the_first_byte)
{
    struct sl_header text = {SL_VIEW("content-type"), SL_VIEW("text/plain; charset=utf-8")};
    struct sl_header json = {SL_VIEW("content-type"), SL_VIEW("application/json")};
    struct sl_question_options options = {0};
    struct asked asked = ask_with(SL_VIEW("{what is this?"), &options, &text, 1);

    CHECK(asked.e == SL_OK && sl_view_is(asked.question.text, "{what is this?"));
    done(&asked);
    asked = ask_with(SL_VIEW("what?"), &options, &json, 1);
    CHECK(asked.e == SL_REJECT && strcmp(asked.err.reason, "bad_json") == 0);
    done(&asked);
}

TEST(the_tenant_comes_from_topic_or_header_only)
{
    struct sl_header header = {SL_VIEW("x-tenant"), SL_VIEW("hr")};
    struct sl_question_options by_topic = {.tenant = SL_VIEW("hr")};
    struct sl_question_options by_header = {.tenant_header = "x-tenant"};
    struct sl_question_options both = {.tenant = SL_VIEW("law"), .tenant_header = "x-tenant"};
    struct asked asked = ask_with(SL_VIEW("x"), &by_topic, NULL, 0);

    CHECK(asked.e == SL_OK && sl_view_is(asked.question.tenant, "hr"));
    done(&asked);
    asked = ask_with(SL_VIEW("x"), &by_header, &header, 1);
    CHECK(asked.e == SL_OK && sl_view_is(asked.question.tenant, "hr"));
    done(&asked);
    asked = ask_with(SL_VIEW("x"), &by_header, NULL, 0);
    CHECK(asked.e == SL_REJECT && strcmp(asked.err.reason, "no_tenant") == 0);
    done(&asked);
    asked = ask_with(SL_VIEW("x"), &both, &header, 1);
    CHECK(asked.e == SL_REJECT && strcmp(asked.err.reason, "no_tenant") == 0);
    done(&asked);
}
