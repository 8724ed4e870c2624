/* test_filter.c -- filter expressions: what parses, what it selects, what the errors say. */
#include "../support/test.h"

#include <sluice/dates.h>
#include <sluice/filter.h>
#include <sluice/limits.h>

static struct sl_field string_field(const char *name, const char *value)
{
    return (struct sl_field){.name = sl_view_of(name), .type = SL_FIELD_STRING,
                             .string = sl_view_of(value)};
}

static struct sl_field number_field(const char *name, double value)
{
    return (struct sl_field){.name = sl_view_of(name), .type = SL_FIELD_NUMBER, .number = value};
}

/* A press conference of 2015-12-16 with metadata of every kind. */
static bool selects(const char *expression)
{
    SL_CLEANUP(sl_arena_closep) struct sl_arena *arena = sl_arena_open(1 << 20);
    struct sl_field fields[] = {string_field("speaker", "YELLEN"),
                                string_field("speaker", "POWELL"),
                                number_field("pages", 12),
                                string_field("filed", "2016-01"),
                                string_field("code", "12"),
                                {.name = SL_VIEW("final"), .type = SL_FIELD_BOOL, .boolean = true}};
    struct sl_document document = {.topic = SL_VIEW("docs"),
                                   .key = SL_VIEW("fomc-1"),
                                   .title = SL_VIEW("Press \"conference\""),
                                   .date = SL_VIEW("2015-12-16"),
                                   .fields = fields,
                                   .field_count = 6};
    const struct sl_filter *filter = NULL;
    struct sl_error err = {0};

    if (sl_filter_parse(sl_view_of(expression), arena, &filter, &err) != SL_OK) {
        CHECK_THAT(false, "%s: %s", expression, err.message);
        return false;
    }
    return sl_filter_matches(filter, &document);
}

TEST(comparisons_of_texts_numbers_and_flags)
{
    CHECK(selects(""));
    CHECK(selects(" \n"));
    CHECK(selects("key = \"fomc-1\""));
    CHECK(!selects("key = \"fomc-2\""));
    CHECK(selects("key != \"fomc-2\" and topic = \"docs\""));
    CHECK(selects("pages > 11.5 and pages <= 12 and pages >= 1.2e1 and not (pages < 12)"));
    CHECK(!selects("pages = \"12\"")); /* a type never equals another */
    CHECK(selects("pages != \"12\" and code = \"12\" and not (code = 12)"));
    CHECK(selects("final = true and final != false and not (final = false)"));
    CHECK(selects("title = \"Press \\\"conference\\\"\""));
    CHECK(selects("speaker >= \"Q\"") && !selects("speaker < \"A\""));
    CHECK(selects("\"speaker\" = \"YELLEN\""));
}

TEST(any_value_of_a_field_with_several_will_do)
{
    CHECK(selects("speaker = \"YELLEN\""));
    CHECK(selects("speaker = \"POWELL\""));
    CHECK(selects("speaker != \"YELLEN\""));
    CHECK(!selects("not (speaker = \"YELLEN\")"));
    CHECK(selects("speaker in (\"A\", \"POWELL\")"));
    CHECK(!selects("speaker in (\"A\")"));
    CHECK(selects("pages in (1, 12, \"x\")"));
}

TEST(a_missing_field_makes_a_comparison_false)
{
    CHECK(!selects("nothing = 1"));
    CHECK(!selects("nothing != 1"));
    CHECK(selects("not (nothing != 1)"));
    CHECK(!selects("nothing in (1)"));
    CHECK(!selects("exists(nothing)") && selects("exists(pages)") && selects("pages exists"));
    CHECK(!selects("exists(url)") && selects("exists(date) and not exists(lang)"));
}

TEST(a_date_compares_as_the_days_it_covers)
{
    CHECK(selects("date = \"2015-12-16\""));
    CHECK(selects("date = \"2015-12\""));
    CHECK(selects("date = \"2015\""));
    CHECK(!selects("date = \"2015-11\""));
    CHECK(selects("date <= \"2015-12\"") && selects("date >= \"2015-12\""));
    CHECK(!selects("date < \"2015-12\"") && !selects("date > \"2015-12\""));
    CHECK(selects("date < \"2016\"") && selects("date > \"2015-12-15\""));
    CHECK(selects("date != \"2015-11\"") && !selects("date != \"2015\""));
    CHECK(selects("date in (\"2014\", \"2015-12\")"));
    CHECK(selects("date >= \"2015-12\" and date < \"2016-01\""));
    /* a month is not inside one of its days */
    CHECK(!selects("filed = \"2016-01-15\"") && selects("filed = \"2016\""));
    CHECK(selects("filed > \"2015\"") && !selects("filed <= \"2016-01-30\""));
}

TEST(and_binds_closer_than_or_and_not_closest)
{
    CHECK(selects("pages = 12 or pages = 1 and pages = 2"));
    CHECK(!selects("(pages = 12 or pages = 1) and pages = 2"));
    CHECK(!selects("not pages = 12 or pages = 1"));
    CHECK(selects("NOT pages = 1 AND pages != 3 OR Pages = 12"));
}

static bool valid(const char *expression, uint32_t count)
{
    SL_CLEANUP(sl_arena_closep) struct sl_arena *arena = sl_arena_open(1 << 20);
    struct sl_day_range ranges[] = {
        {sl_day_from_civil(2000, 1, 1), sl_day_from_civil(2002, 4, 8)},
        {sl_day_from_civil(2010, 1, 1), SL_DAY_MAX}};
    struct sl_document document = {.valid = ranges, .valid_count = count};
    const struct sl_filter *filter = NULL;

    CHECK(sl_filter_parse(sl_view_of(expression), arena, &filter, NULL) == SL_OK);
    return sl_filter_matches(filter, &document);
}

TEST(valid_at_includes_both_ends)
{
    CHECK(valid("valid_at(\"2002-04-08\")", 2));
    CHECK(!valid("valid_at(\"2002-04-09\")", 2));
    CHECK(valid("valid_at(\"2000-01-01\")", 2));
    CHECK(!valid("valid_at(\"1999-12-31\")", 2));
    CHECK(valid("valid_at(\"2999-12-31\")", 2));
    CHECK(!valid("valid_at(\"2999-12-31\")", 1));
    CHECK(valid("valid_at(\"1066-10-14\")", 0)); /* none given: always valid */
}

TEST(valid_in_asks_for_any_of_the_days_and_for_bounds)
{
    CHECK(valid("valid_in(\"2002\")", 2));
    CHECK(valid("valid_in(\"2002-04-08\", \"2009\")", 2));
    CHECK(!valid("valid_in(\"2002-04-09\", \"2009\")", 2));
    CHECK(valid("valid_in(\"2002-04-09\", \"2010\")", 2));
    CHECK(!valid("valid_in(\"1999\")", 2));
    CHECK(!valid("valid_in(\"2002\")", 0)); /* none given: not said */
}

TEST(errors_name_the_byte_what_was_found_and_what_is_allowed)
{
    static const struct {
        const char *expression, *parts[3];
    } cases[] = {
        {"pages >", {"byte 7", "found the end", "a number"}},
        {"pages => 3", {"byte 7", "found >", "\"text in double quotes\""}},
        {"pages 3", {"byte 6", "found 3", "<="}},
        {"and pages = 3", {"byte 0", "found and", "a field name"}},
        {"pages = 3 pages = 4", {"byte 10", "found pages", "and, or"}},
        {"(pages = 3", {"byte 10", "found the end", ")"}},
        {"date = 2019-07", {"byte 7", "found 2019-07", "double quotes"}},
        {"date = 2019", {"byte 7", "found 2019", "a date in double quotes"}},
        {"date > \"yesterday\"", {"byte 7", "found \"yesterday\"", "\"2019-07\""}},
        {"date in (\"2019\", \"2019-13\")", {"byte 17", "found \"2019-13\"", "a date"}},
        {"a = \"x", {"byte 4", "no closing", ""}},
        {"a = \"x\\n\"", {"byte 6", "\\", ""}},
        {"a = 'x'", {"byte 4", "found '", ""}},
        {"a in (1", {"byte 7", "found the end", "a comma or )"}},
        {"a in ()", {"byte 6", "found )", "a number"}},
        {"exists(", {"byte 7", "found the end", "a field name"}},
        {"valid_at(\"2002-04\")", {"byte 9", "\"2002-04\"", "one day"}},
        {"valid_in(\"2003\", \"2002\")", {"byte 17", "\"2002\"", "not before the first"}},
        {"valid_in(3)", {"byte 9", "found 3", "a date"}},
        {"final < true", {"byte 6", "no order", "= or !="}},
        {"a = 1e", {"byte 4", "found 1e", "a number"}},
        {"\"\" = 1", {"byte 0", "found \"\"", "field name"}},
        {"a = 1 or", {"byte 8", "found the end", "a field name"}},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        SL_CLEANUP(sl_arena_closep) struct sl_arena *arena = sl_arena_open(1 << 20);
        const struct sl_filter *filter = NULL;
        struct sl_error err = {0};
        CHECK_THAT(sl_filter_parse(sl_view_of(cases[i].expression), arena, &filter, &err) ==
                       SL_REJECT, "%s", cases[i].expression);
        CHECK(strcmp(err.reason, "bad_filter") == 0 && filter == NULL);
        for (int part = 0; part < 3; part++)
            CHECK_THAT(strstr(err.message, cases[i].parts[part]) != NULL, "%s -> %s",
                       cases[i].expression, err.message);
    }
}

static enum sl_err parse_built(const char *before, const char *middle, uint32_t count,
                               const char *after)
{
    SL_CLEANUP(sl_arena_closep) struct sl_arena *arena = sl_arena_open(8 << 20);
    struct sl_buffer text = {0};
    const struct sl_filter *filter = NULL;
    enum sl_err e;

    for (uint32_t i = 0; i < count; i++)
        sl_buffer_view(&text, sl_view_of(before));
    sl_buffer_view(&text, sl_view_of(middle));
    for (uint32_t i = 0; i < count; i++)
        sl_buffer_view(&text, sl_view_of(after));
    e = sl_filter_parse((struct sl_view){text.data, text.size}, arena, &filter, NULL);
    sl_buffer_fini(&text);
    return e;
}

TEST(depth_terms_and_bytes_are_bounded_exactly)
{
    CHECK(parse_built("(", "a = 1", SL_FILTER_DEPTH_MAX, ")") == SL_OK);
    CHECK(parse_built("(", "a = 1", SL_FILTER_DEPTH_MAX + 1, ")") == SL_REJECT);
    CHECK(parse_built("not ", "a = 1", SL_FILTER_DEPTH_MAX + 1, "") == SL_REJECT);
    CHECK(parse_built("a = 1 and ", "a = 1", SL_FILTER_TERMS_MAX - 1, "") == SL_OK);
    CHECK(parse_built("a = 1 and ", "a = 1", SL_FILTER_TERMS_MAX, "") == SL_REJECT);
    CHECK(parse_built("", "a in (1", 1, "") == SL_REJECT);
    CHECK(parse_built("(", "", 10000, "") == SL_REJECT);
    CHECK(parse_built(" ", "", SL_FILTER_BYTES_MAX, "") == SL_OK);
    CHECK(parse_built(" ", "", SL_FILTER_BYTES_MAX + 1, "") == SL_REJECT);
}

TEST(a_long_list_stops_at_the_limit)
{
    SL_CLEANUP(sl_arena_closep) struct sl_arena *arena = sl_arena_open(8 << 20);
    struct sl_buffer text = {0};
    const struct sl_filter *filter = NULL;

    sl_buffer_view(&text, SL_VIEW("a in (0"));
    for (uint32_t i = 1; i < SL_FILTER_TERMS_MAX; i++)
        sl_buffer_format(&text, ",%u", i);
    sl_buffer_view(&text, SL_VIEW(")"));
    CHECK(sl_filter_parse((struct sl_view){text.data, text.size}, arena, &filter, NULL) == SL_OK);
    CHECK(filter->value_count == SL_FILTER_TERMS_MAX);
    text.size--;
    sl_buffer_view(&text, SL_VIEW(",1)"));
    CHECK(sl_filter_parse((struct sl_view){text.data, text.size}, arena, &filter, NULL) ==
          SL_REJECT);
    sl_buffer_fini(&text);
}

TEST(filters_of_the_program_select_as_those_of_people)
{
    SL_CLEANUP(sl_arena_closep) struct sl_arena *arena = sl_arena_open(1 << 20);
    struct sl_day_range year = {sl_day_from_civil(2015, 1, 1), sl_day_from_civil(2015, 12, 31)};
    struct sl_document document = {.date = SL_VIEW("2015-12-16"), .tenant = SL_VIEW("hr")};
    struct sl_document undated = {.tenant = SL_VIEW("hr")};
    const struct sl_filter *tenant = sl_filter_equals(arena, "tenant", SL_VIEW("hr"));
    const struct sl_filter *both = sl_filter_and(arena, tenant, sl_filter_dates(arena, year));

    CHECK(sl_filter_matches(both, &document) && !sl_filter_matches(both, &undated));
    CHECK(sl_filter_and(arena, NULL, tenant) == tenant && sl_filter_and(arena, NULL, NULL) == NULL);
    year.from = SL_DAY_NONE;
    CHECK(sl_filter_matches(sl_filter_dates(arena, year), &document));
    year.to = SL_DAY_MAX;
    CHECK(sl_filter_matches(sl_filter_dates(arena, year), &document));
    CHECK(!sl_filter_matches(sl_filter_dates(arena, year), &undated));
    year.from = sl_day_from_civil(2016, 1, 1);
    CHECK(!sl_filter_matches(sl_filter_dates(arena, year), &document));
    document.tenant = SL_VIEW("hr2");
    CHECK(!sl_filter_matches(tenant, &document));
}
