/* test_dates.c -- days, ISO dates, and the date range a question asks for. */
#include "../support/test.h"

#include <sluice/dates.h>

TEST(every_day_of_a_thousand_years_converts_back)
{
    sl_day first = sl_day_from_civil(1600, 1, 1), last = sl_day_from_civil(2600, 12, 31);
    int year = 1599, month = 12, day = 31;

    for (sl_day at = first; at <= last; at++) {
        int y, m, d;
        sl_day_to_civil(at, &y, &m, &d);
        REQUIRE(sl_day_from_civil(y, m, d) == at);
        REQUIRE((y == year && m == month && d == day + 1) ||
                (y == year && m == month + 1 && d == 1 && day >= 28) ||
                (y == year + 1 && m == 1 && d == 1 && month == 12 && day == 31));
        year = y, month = m, day = d;
    }
    CHECK(sl_day_from_civil(1970, 1, 1) == 0);
    CHECK(sl_day_from_civil(2000, 2, 29) == 11016);
    CHECK(sl_day_of_ms(-1) == -1 && sl_day_of_ms(0) == 0 && sl_day_of_ms(86400000) == 1);
    CHECK(sl_day_of_ms(INT64_MAX) == SL_DAY_MAX - 1 && sl_day_of_ms(INT64_MIN) == SL_DAY_NONE + 1);
}

TEST(a_day_prints_as_iso_and_is_clamped)
{
    char text[11];

    sl_day_format(sl_day_from_civil(2015, 12, 16), text);
    CHECK_THAT(strcmp(text, "2015-12-16") == 0, "%s", text);
    sl_day_format(sl_day_from_civil(7, 1, 2), text);
    CHECK(strcmp(text, "0007-01-02") == 0);
    sl_day_format(SL_DAY_MAX, text);
    CHECK(strcmp(text, "9999-12-31") == 0);
    sl_day_format(SL_DAY_NONE, text);
    CHECK(strcmp(text, "0000-01-01") == 0);
}

static void check_iso(const char *text, const char *from, const char *to)
{
    struct sl_day_range days = {0, 0};
    char got_from[11], got_to[11];

    CHECK_THAT(sl_date_iso(sl_view_of(text), &days), "%s", text);
    sl_day_format(days.from, got_from);
    sl_day_format(days.to, got_to);
    CHECK_THAT(strcmp(from, got_from) == 0 && strcmp(to, got_to) == 0, "%s gave %s..%s", text,
               got_from, got_to);
}

TEST(iso_dates_cover_what_they_name)
{
    check_iso("2015", "2015-01-01", "2015-12-31");
    check_iso("2016-02", "2016-02-01", "2016-02-29");
    check_iso("2015-02", "2015-02-01", "2015-02-28");
    check_iso("2015-12-16", "2015-12-16", "2015-12-16");
    check_iso("2015-12-16T14:00", "2015-12-16", "2015-12-16");
    check_iso("2015-12-16 14:00:59", "2015-12-16", "2015-12-16");
    check_iso("2015-12-16T14:00:59.123456Z", "2015-12-16", "2015-12-16");
    check_iso("2015-12-16T14:00:59+09:00", "2015-12-16", "2015-12-16");
    check_iso("2015-12-16T14:00:59-0500", "2015-12-16", "2015-12-16");
}

TEST(what_is_not_an_iso_date_is_refused)
{
    static const char *const bad[] = {"",           "15",         "201",         "20155",
                                      "2015-",      "2015-1",     "2015-13",     "2015-00",
                                      "2015-02-29", "2015-12-32", "2015-12-16T", "2015-12-16T25:00",
                                      "2015-12x",   "2015 12",    "2015-12-16Z", "2015-12-16T14:00:59.",
                                      "2015T14:00", "x2015",      "2015-12-16T14:00+9",
                                      "2015-12-16T14:60"};
    struct sl_day_range days;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK_THAT(!sl_date_iso(sl_view_of(bad[i]), &days), "%s", bad[i]);
    CHECK(!sl_date_iso(SL_VIEW_NULL, &days));
}

/* What a question asks for: "from to", with "-" for an open end or "none", as of 2016-11-07. */
static void check_read(const char *question, const char *expected, const char *phrase)
{
    struct sl_date_found found = {0};
    char from[11] = "-", to[11] = "-", got[32] = "none";

    if (sl_date_read(sl_view_of(question), sl_day_from_civil(2016, 11, 7), &found)) {
        if (found.days.from != SL_DAY_NONE)
            sl_day_format(found.days.from, from);
        if (found.days.to != SL_DAY_MAX)
            sl_day_format(found.days.to, to);
        (void)snprintf(got, sizeof got, "%s %s", from, to);
    }
    CHECK_THAT(strcmp(got, expected) == 0, "%s: got %s, expected %s", question, got, expected);
    if (phrase != NULL)
        CHECK_THAT(sl_view_is(sl_view_range(sl_view_of(question), found.byte_start, found.byte_end),
                              phrase),
                   "%s: phrase %.*s", question, (int)(found.byte_end - found.byte_start),
                   question + found.byte_start);
}

TEST(english_questions_name_days_months_and_years)
{
    check_read("What did the chair say about raising the federal funds rate in December 2015?",
               "2015-12-01 2015-12-31", "in December 2015");
    check_read("What happened in 2015?", "2015-01-01 2015-12-31", "in 2015");
    check_read("What was said on December 16, 2015?", "2015-12-16 2015-12-16",
               "on December 16, 2015");
    check_read("What was said on Wednesday, December 16th, 2015?", "2015-12-16 2015-12-16", NULL);
    check_read("minutes of 16 December 2015", "2015-12-16 2015-12-16", "of 16 December 2015");
    check_read("the 3rd of May, 2014 vote", "2014-05-03 2014-05-03", NULL);
    check_read("2015-12-16 statement", "2015-12-16 2015-12-16", "2015-12-16");
    check_read("rates, 2015-12", "2015-12-01 2015-12-31", "2015-12");
    check_read("[2016-12-14] why?", "2016-12-14 2016-12-14", "2016-12-14");
    check_read("votes Sept. 2014", "2014-09-01 2014-09-30", "Sept. 2014");
    check_read("votes in February of 2016", "2016-02-01 2016-02-29", "in February of 2016");
    check_read("FY 2018 (calendar): why?", "2018-01-01 2018-12-31", "FY 2018 (calendar)");
    check_read("What was decided on 12/16/2015?", "2015-12-16 2015-12-16", NULL);
    check_read("What was decided on 16/12/2015?", "2015-12-16 2015-12-16", NULL);
    check_read("prices in the 1990s", "1990-01-01 1999-12-31", "in the 1990s");
}

TEST(english_questions_name_parts_of_a_year)
{
    check_read("inflation in Q3 2015", "2015-07-01 2015-09-30", "in Q3 2015");
    check_read("inflation in 2015 Q3", "2015-07-01 2015-09-30", "in 2015 Q3");
    check_read("the third quarter of 2015", "2015-07-01 2015-09-30", NULL);
    check_read("In the fourth quarter of 2018, why?", "2018-10-01 2018-12-31", NULL);
    check_read("H2 2018: why?", "2018-07-01 2018-12-31", "H2 2018");
    check_read("in the first half of 2018", "2018-01-01 2018-06-30", NULL);
    check_read("growth in early 2019", "2019-01-01 2019-04-30", "in early 2019");
    check_read("growth in mid 2019", "2019-05-01 2019-08-31", "in mid 2019");
    check_read("growth in mid-2019", "2019-05-01 2019-08-31", NULL);
    check_read("growth in late 2019", "2019-09-01 2019-12-31", NULL);
    check_read("at the end of March 2019", "2019-03-21 2019-03-31", NULL);
    check_read("in the summer of 2015", "2015-06-01 2015-08-31", NULL);
    check_read("winter 2015 storms", "2015-12-01 2016-02-29", NULL);
}

TEST(english_ranges_and_open_ends)
{
    check_read("between 2017 and 2019, why?", "2017-01-01 2019-12-31", "between 2017 and 2019");
    check_read("2017-2019: why?", "2017-01-01 2019-12-31", "2017-2019");
    check_read("from March to June 2015", "2015-03-01 2015-06-30", "from March to June 2015");
    check_read("from November to February 2016", "2015-11-01 2016-02-29", NULL);
    check_read("between January 5 and January 10, 2015", "2015-01-05 2015-01-10", NULL);
    check_read("from 4 to 22 January 1995", "1995-01-04 1995-01-22", NULL);
    check_read("December 15-16, 2015 meeting", "2015-12-15 2015-12-16", NULL);
    check_read("changes since March 2015", "2015-03-01 -", "since March 2015");
    check_read("changes after March 2015", "2015-04-01 -", NULL);
    check_read("changes before March 2015", "- 2015-02-28", NULL);
    check_read("changes until March 2015", "- 2015-03-31", NULL);
    check_read("rules from 2015 onwards", "2015-01-01 -", NULL);
}

TEST(relative_dates_count_from_the_day_of_the_question)
{
    check_read("what changed last year?", "2015-01-01 2015-12-31", "last year");
    check_read("what changed this month?", "2016-11-01 2016-11-30", NULL);
    check_read("what changed last week?", "2016-10-31 2016-11-06", NULL);
    check_read("what changed last quarter?", "2016-07-01 2016-09-30", NULL);
    check_read("what was said yesterday?", "2016-11-06 2016-11-06", NULL);
    check_read("what was said three weeks ago?", "2016-10-17 2016-10-23", NULL);
    check_read("in the past 3 weeks", "2016-10-17 2016-11-07", NULL);
    check_read("last December", "2015-12-01 2015-12-31", NULL);
    check_read("late last year", "2015-09-01 2015-12-31", NULL);
    check_read("early next week", "2016-11-14 2016-11-15", NULL);
}

TEST(korean_dates)
{
    check_read("2015년 12월 금리 인상 이유는?", "2015-12-01 2015-12-31", "2015년 12월");
    check_read("2015년 12월에 무엇을 했나요?", "2015-12-01 2015-12-31", "2015년 12월에");
    check_read("2015년 12월 16일 기자회견에서", "2015-12-16 2015-12-16", "2015년 12월 16일");
    check_read("2015. 12. 16. 회의", "2015-12-16 2015-12-16", NULL);
    check_read("2018년 중 물가는?", "2018-01-01 2018-12-31", "2018년 중");
    check_read("2015년 4분기에 성장률은?", "2015-10-01 2015-12-31", NULL);
    check_read("2015년 3사분기", "2015-07-01 2015-09-30", NULL);
    check_read("2018년 하반기에", "2018-07-01 2018-12-31", NULL);
    check_read("2015년 초에", "2015-01-01 2015-04-30", NULL);
    check_read("2015년 3월 말에", "2015-03-21 2015-03-31", NULL);
    check_read("2015년 여름", "2015-06-01 2015-08-31", NULL);
    check_read("1990년대 물가", "1990-01-01 1999-12-31", NULL);
    check_read("2017년부터 2019년 사이에 무엇이", "2017-01-01 2019-12-31", "2017년부터 2019년 사이에");
    check_read("2015년 3월에서 6월까지", "2015-03-01 2015-06-30", NULL);
    check_read("2018년 2월 2일부터 7일까지", "2018-02-02 2018-02-07", NULL);
    check_read("2015년 이후", "2015-01-01 -", NULL);
    check_read("2015년 이전", "- 2014-12-31", NULL);
    check_read("2015년까지", "- 2015-12-31", NULL);
    check_read("작년에 무엇이 바뀌었나요?", "2015-01-01 2015-12-31", NULL);
    check_read("지난달 회의", "2016-10-01 2016-10-31", NULL);
    check_read("지난 주 회의", "2016-10-31 2016-11-06", NULL);
    check_read("올해 3월", "2016-03-01 2016-03-31", NULL);
    check_read("어제 회의", "2016-11-06 2016-11-06", NULL);
    check_read("최근 2주간", "2016-10-24 2016-11-07", NULL);
    check_read("회의는 2년 전에", "2014-01-01 2014-12-31", NULL);
}

TEST(english_dates_that_count_from_today)
{
    check_read("what was said last Wednesday?", "2016-11-02 2016-11-02", "last Wednesday");
    check_read("what was said this past Friday?", "2016-11-04 2016-11-04", NULL);
    check_read("on Tuesday of last week", "2016-11-01 2016-11-01", "on Tuesday of last week");
    check_read("last week Friday", "2016-11-04 2016-11-04", NULL);
    check_read("votes last spring", "2016-03-01 2016-05-31", "last spring");
    check_read("votes last winter", "2015-12-01 2016-02-29", NULL);
    check_read("votes this summer", "2016-06-01 2016-08-31", NULL);
    check_read("votes last weekend", "2016-11-05 2016-11-06", NULL);
    check_read("3 past weeks", "2016-10-17 2016-11-07", NULL);
    check_read("over the last two quarters", "2016-04-01 2016-09-30", "over the last two quarters");
    check_read("1 month and 21 days ago", "2016-09-16 2016-09-16", NULL);
    check_read("what changed earlier this year?", "2016-01-01 2016-11-07", "earlier this year");
    check_read("sales year to date", "2016-01-01 2016-11-07", NULL);
    check_read("the 20th of next month", "2016-12-20 2016-12-20", NULL);
    check_read("the first week of 2015", "2014-12-29 2015-01-04", NULL);
    check_read("the last week of December 2016", "2016-12-26 2017-01-01", NULL);
    check_read("week 27 of 2015", "2015-06-29 2015-07-05", NULL);
    check_read("the last Friday of March 2015", "2015-03-27 2015-03-27", NULL);
    check_read("the last four months of 2021", "2021-09-01 2021-12-31", NULL);
    check_read("last year's second half", "2015-07-01 2015-12-31", NULL);
    check_read("between January 2015 and now", "2015-01-01 2016-11-07", NULL);
    check_read("between 4 and 22 this month", "2016-11-04 2016-11-22", NULL);
    check_read("in the late 1960s", "1967-01-01 1969-12-31", "in the late 1960s");
    check_read("the fourth of July, 1995", "1995-07-04 1995-07-04", NULL);
    check_read("23/Sep/2020 and 05-Aug-2016", "2020-09-23 2020-09-23", "23/Sep/2020");
    check_read("the file of 20161016", "2016-10-16 2016-10-16", NULL);
    check_read("rules in 2018 or later", "2018-01-01 -", "in 2018 or later");
    check_read("2014 to 2018 prices", "2014-01-01 2018-12-31", "2014 to 2018");
    check_read("2014?", "2014-01-01 2014-12-31", "2014");
}

TEST(korean_dates_that_count_from_today)
{
    check_read("지난 금요일에 무엇을", "2016-11-04 2016-11-04", "지난 금요일에");
    check_read("지난주 금요일 회의", "2016-11-04 2016-11-04", NULL);
    check_read("다음 달 20일", "2016-12-20 2016-12-20", NULL);
    check_read("지난봄 회의", "2016-03-01 2016-05-31", "지난봄");
    check_read("작년 봄 회의", "2015-03-01 2015-05-31", NULL);
    check_read("올 하반기 전망", "2016-07-01 2016-12-31", "올 하반기");
    check_read("두 달 전 회의", "2016-09-01 2016-09-30", "두 달 전");
    check_read("이틀 전 회의", "2016-11-05 2016-11-05", NULL);
    check_read("최근 일주일", "2016-10-31 2016-11-07", NULL);
    check_read("2015년 1월 첫째 주", "2014-12-29 2015-01-04", NULL);
    check_read("2015년 3월 마지막 금요일", "2015-03-27 2015-03-27", NULL);
    check_read("90년대 물가", "1990-01-01 1999-12-31", NULL);
    check_read("2018 회계연도 예산", "2018-01-01 2018-12-31", NULL);
    check_read("2015년부터 현재까지", "2015-01-01 2016-11-07", "2015년부터 현재까지");
    check_read("2012년 또는 그 이후", "2012-01-01 -", NULL);
    check_read("올바른 답은", "none", NULL);
}

TEST(a_date_without_its_year_is_the_last_that_has_begun)
{
    check_read("What was said in March?", "2016-03-01 2016-03-31", "in March");
    check_read("What was said in December?", "2015-12-01 2015-12-31", NULL);
    check_read("What happened on February 8th?", "2016-02-08 2016-02-08", "on February 8th");
    check_read("Which rules changed since August?", "2016-08-01 -", "since August");
    check_read("Which rules changed before December 5?", "- 2016-12-04", NULL);
    check_read("sales from May to July", "2016-05-01 2016-07-31", "from May to July");
    check_read("sales from November to February", "2016-11-01 2017-02-28", NULL);
    check_read("sales from the ninth till the seventeenth of April", "2016-04-09 2016-04-17", NULL);
    check_read("sales between 3 and 12 September", "2016-09-03 2016-09-12", NULL);
    check_read("올해 들어 현재까지 매출", "2016-01-01 2016-11-07", NULL);
    check_read("the first week of October", "2016-10-03 2016-10-09", NULL);
    check_read("what was decided in late July?", "2016-07-21 2016-07-31", "in late July");
    check_read("how did sales do in Q2?", "2016-04-01 2016-06-30", "in Q2");
    check_read("12월에 무엇을 했나요?", "2015-12-01 2015-12-31", "12월에");
    check_read("3월 2일 회의록", "2016-03-02 2016-03-02", "3월 2일");
    check_read("2분기 실적은?", "2016-04-01 2016-06-30", NULL);
    check_read("7월 말 회의", "2016-07-21 2016-07-31", NULL);
    check_read("8월부터 무엇이 바뀌었나요?", "2016-08-01 -", NULL);
    check_read("What may change?", "none", NULL);
    check_read("Who led the march from Selma?", "none", NULL);
    check_read("What is due every March?", "none", NULL);
    check_read("매년 3월에 내는 보고서는?", "none", NULL);
    check_read("근로자를 해고하려면 30일 전에 예고해야 하나요?", "none", NULL);
    check_read("휴가는 이틀 전까지 신청해야 합니까?", "none", NULL);
    check_read("2주 전에 통보하지 않으면 어떻게 되나요?", "none", NULL);
    check_read("퇴직 1개월 전에 무엇을 내나요?", "none", NULL);
    check_read("출산 예정일 45일 전부터 쓸 수 있나요?", "none", NULL);
    check_read("3월 31일까지 무엇을 내야 하나요?", "none", NULL);
}

TEST(by_the_end_is_everything_until_then)
{
    check_read("What had been decided by the end of 2015?", "- 2015-12-31", "by the end of 2015");
    check_read("by the end of June 2015", "- 2015-06-30", NULL);
    check_read("What was said at the end of 2015?", "2015-09-01 2015-12-31", NULL);
    check_read("minutes up to and including 2014", "- 2014-12-31", "up to and including 2014");
    check_read("전분기 매출은?", "2016-07-01 2016-09-30", "전분기");
    check_read("직전 분기의 매출", "2016-07-01 2016-09-30", NULL);
    check_read("전월 실적", "2016-10-01 2016-10-31", "전월");
    check_read("전분기 대비 매출은?", "none", NULL);
    check_read("최근 3개월간 회의", "2016-08-07 2016-11-07", NULL);
    check_read("What are the plans for next year?", "2017-01-01 2017-12-31", NULL);
}

TEST(numbers_of_dates_may_be_words)
{
    check_read("reports from nineteen ninety-nine", "1999-01-01 1999-12-31", NULL);
    check_read("what changed in two thousand and nineteen?", "2019-01-01 2019-12-31", NULL);
    check_read("what changed in March twenty fifteen?", "2015-03-01 2015-03-31", NULL);
    check_read("what changed in nineteen oh five?", "1905-01-01 1905-12-31", NULL);
    check_read("prices in the eighties", "1980-01-01 1989-12-31", "in the eighties");
    check_read("이천십오년 회의", "2015-01-01 2015-12-31", "이천십오년");
    check_read("이천십오년 십이월 십육일 회의", "2015-12-16 2015-12-16", NULL);
    check_read("twenty people in one office", "none", NULL);
}

TEST(lengths_of_time_count_from_a_date)
{
    check_read("what followed two weeks after May 3, 2015?", "2015-05-17 2015-05-17", NULL);
    check_read("sales within three months of May 3, 2015", "2015-05-03 2015-08-03", NULL);
    check_read("sales in the two weeks before May 3, 2015", "2015-04-19 2015-05-03", NULL);
    check_read("prices two years after 2011", "2013-01-01 2013-12-31", NULL);
    check_read("2015년 5월 6일이 있는 주의 매출은?", "2015-05-04 2015-05-10", NULL);
    check_read("2015년 5월 3일부터 2주간 매출은?", "2015-05-03 2015-05-17", NULL);
    check_read("2015년 5월 3일로부터 2주 전 회의", "2015-04-19 2015-04-19", NULL);
    check_read("2015년 5월 이후 6개월 동안 매출은?", "2015-05-01 2015-11-30", NULL);
    check_read("What must happen within 30 days after termination?", "none", NULL);
    check_read("2015년 5월 3일부터 3년 이상 근속한 사람은?", "2015-05-03 -", NULL);
}

TEST(vague_amounts_and_other_ways_to_say_when)
{
    check_read("what was said a few months ago?", "2016-06-01 2016-09-30", "a few months ago");
    check_read("what was said several years ago?", "2009-01-01 2013-12-31", NULL);
    check_read("the past few months", "2016-08-07 2016-11-07", NULL);
    check_read("what changed over the last year?", "2015-11-07 2016-11-07", NULL);
    check_read("the rest of this year", "2016-11-07 2016-12-31", NULL);
    check_read("sales in the same month last year", "2015-11-01 2015-11-30", NULL);
    check_read("what changed the year before last?", "2014-01-01 2014-12-31", NULL);
    check_read("what was said before the end of 2015?", "- 2015-12-31", NULL);
    check_read("what was said today?", "2016-11-07 2016-11-07", NULL);
    check_read("votes in FY15", "2015-01-01 2015-12-31", "in FY15");
    check_read("votes in FY15 Q3", "2015-07-01 2015-09-30", NULL);
    check_read("votes in 3Q15 and Q4 FY2014", "2015-07-01 2015-09-30", "in 3Q15");
    check_read("votes in Dec '15", "2015-12-01 2015-12-31", NULL);
    check_read("the academic year 2015-16", "2015-08-01 2016-07-31", NULL);
    check_read("sales on Christmas 2015", "2015-12-25 2015-12-25", NULL);
    check_read("what was said on Thanksgiving of last year?", "2015-11-26 2015-11-26", NULL);
    check_read("what was said last Easter?", "2016-03-27 2016-03-27", NULL);
    check_read("Who invented Black Friday?", "none", NULL);
    check_read("몇 달 전 회의", "2016-06-01 2016-09-30", "몇 달 전");
    check_read("최근 몇 달간 회의", "2016-08-07 2016-11-07", NULL);
    check_read("작년 이맘때 회의", "2015-11-01 2015-11-30", NULL);
    check_read("15년 3분기 실적", "2015-07-01 2015-09-30", "15년 3분기");
    check_read("2015학년도 계획", "2015-03-01 2016-02-29", NULL);
    check_read("2015년 광복절 연설", "2015-08-15 2015-08-15", NULL);
    check_read("9월 10일, 2015년 회의", "2015-09-10 2015-09-10", NULL);
}

TEST(terms_and_comparisons_are_no_dates)
{
    static const char *const undated[] = {
        "해고 30일 전에 예고해야 하나요?", "며칠 전에 신청해야 하나요?", "휴가는 며칠 전까지 신청해야 하나요?",
        "30일 이내에 이의신청을 해야 하나요?", "3년 이상 근속한 근로자의 퇴직금은?", "1년 미만 근로자의 연차는?",
        "제10조에 따른 연차는?", "제2015-07호 고시의 내용은?", "연말까지 쓰지 않은 연차는?", "연차 이월이 가능한가요?",
        "오늘날 노동법의 의의는?", "내일채움공제란?", "이주 노동자의 권리는?", "전년 동기 대비 매출은 늘었나요?",
        "2015년보다 매출이 늘었나요?", "What is new in Python 3.11?", "Is COVID-19 notifiable?",
        "Does Windows 95 support USB?", "How do I boil an egg in 10 minutes?", "Who won 21-14?",
        "Was inflation higher than in 2015?", "How is growth compared to last year?", "call 02-2015-0731",
        "Can I carry leave over to next year?", "Can leave be carried over into the next year?",
        "연차를 내년으로 이월할 수 있나요?", "다음 해로 넘길 수 있나요?", "최근 6개월간의 평균임금은?",
        "6개월 전에 예고 없이 해고할 수 있나요?", "전주 지점의 영업시간은?",
        "Who wrote Nineteen Eighty-Four?", "Is notice of one month enough?", "May one ask twice?"};

    for (size_t i = 0; i < sizeof undated / sizeof *undated; i++)
        check_read(undated[i], "none", NULL);
}

/* Without its date, the question is what it was before one was put in. */
TEST(nothing_hangs_in_the_question_when_its_date_is_gone)
{
    static const char *const dates[] = {
        "in December 2015", "by around March 2015", "on the weekend of May 3, 2015", "throughout 2015",
        "over the past three weeks", "in the month of March 2015", "sometime in 2015", "at the end of 2015",
        "from March to June 2015", "up to March 2015", "as of 2015-12-16", "back in 2015", "a few weeks ago",
        "until the end of 2015", "in late July", "during Q3 FY15", "2015-12-16"};
    static const char *const korean[] = {"2015년 12월에는", "2015년 12월경", "2015년 무렵", "2015년에 들어",
                                         "2015년 내내", "2015년 12월 16일자", "작년에는", "최근 몇 달간",
                                         "2015년 한 해 동안", "2015년 3월부터 6월까지", "2015년 말까지", "3월에",
                                         "2015년 3월을 기준으로", "2015년의", "어제", "2015년 12월"};
    static const char *const asked[] = {"what was said about rates", "의장은 금리를 왜 올렸나"};

    for (int language = 0; language < 2; language++) {
        size_t count = language == 0 ? sizeof dates / sizeof *dates : sizeof korean / sizeof *korean;
        for (size_t i = 0; i < 2 * count; i++) {
            const char *date = language == 0 ? dates[i / 2] : korean[i / 2];
            bool first = i % 2 == 0;
            struct sl_date_found found = {0};
            struct sl_buffer text = {0};
            sl_buffer_format(&text, "%s %s?", first ? date : asked[language], first ? asked[language] : date);
            struct sl_view view = {text.data, text.size};
            CHECK_THAT(sl_date_read(view, 17000, &found), "%s", text.data);
            struct sl_view left = first ? sl_view_range(view, found.byte_end + 1, view.size - 1)
                                        : sl_view_range(view, 0, found.byte_start - 1);
            CHECK_THAT(sl_view_is(left, asked[language]) && (first ? found.byte_start == 0
                                                                  : found.byte_end == view.size - 1),
                       "%s: %.*s is left", text.data, SL_VIEW_ARG(left));
            sl_buffer_fini(&text);
        }
    }
}

TEST(what_was_in_force_is_asked_by_its_day)
{
    static const char *const asked[] = {"2006년 2월 2일 기준으로 연차는?", "2011.12.15.에 시행 중이던 법은?",
                                        "2001.5.28. 당시 해고는?", "the rule as of 2002-04-08",
                                        "the rule in force on April 8, 2002"};
    static const char *const phrases[] = {"2006년 2월 2일 기준으로", "2011.12.15.에 시행 중이던",
                                          "2001.5.28. 당시", "as of 2002-04-08",
                                          "in force on April 8, 2002"};
    struct sl_date_found found;

    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        struct sl_view text = sl_view_of(asked[i]);
        REQUIRE(sl_date_read(text, 17000, &found));
        CHECK_THAT(found.as_of && found.days.from == found.days.to, "%s", asked[i]);
        CHECK_THAT(sl_view_is(sl_view_range(text, found.byte_start, found.byte_end), phrases[i]),
                   "%s: phrase %.*s", asked[i], (int)(found.byte_end - found.byte_start),
                   asked[i] + found.byte_start);
    }
    REQUIRE(sl_date_read(sl_view_of("what was said on 2002-04-08?"), 17000, &found));
    CHECK(!found.as_of);
}

TEST(a_name_has_the_date_of_its_document_or_none)
{
    static const struct {
        const char *name, *date;
    } cases[] = {{"FOMC20151216confcall.txt", "2015-12-16 2015-12-16"},
                 {"2015-12-16-press.md", "2015-12-16 2015-12-16"},
                 {"minutes_2015_12_16.txt", "2015-12-16 2015-12-16"},
                 {"report-2015-12.md", "2015-12-01 2015-12-31"},
                 {"Minutes of December 15-16, 2015", "2015-12-16 2015-12-16"},
                 {"Minutes, 16 December 2015 (December 16, 2015)", "2015-12-16 2015-12-16"},
                 {"Outlook of March 2015", "2015-03-01 2015-03-31"},
                 {"2015년 12월 16일 회의록", "2015-12-16 2015-12-16"},
                 {"제3차 회의 2015. 12. 16.", "2015-12-16 2015-12-16"},
                 {"2019년 3월 인사규정(개정).md", "2019-03-01 2019-03-31"},
                 {"report_v2.3_20190731-final.pdf", "2019-07-31 2019-07-31"},
                 {"회의록_190731.txt", "2019-07-31 2019-07-31"},
                 {"(190731) 보도자료.hwp", "2019-07-31 2019-07-31"},
                 {"'19.7.31 회의.txt", "2019-07-31 2019-07-31"},
                 {"2019_7_31.txt", "2019-07-31 2019-07-31"},
                 {"IMG_20190731_142501.jpg", "2019-07-31 2019-07-31"},
                 {"20190731T142501Z.json", "2019-07-31 2019-07-31"},
                 {"31-07-2019_report.pdf", "2019-07-31 2019-07-31"},
                 {"report-Jul-2019.pdf", "2019-07-01 2019-07-31"},
                 {"1234567890.txt", "none"},
                 {"회의록_191301.txt", "none"},
                 {"ticket 180525", "none"},
                 {"20190230.txt", "none"},
                 {"2019-02-30-note.md", "none"},
                 {"03-04-2019 report.pdf", "none"},
                 {"uuid-20190731a4f.txt", "none"},
                 {"제2019-07호 고시.md", "none"},
                 {"2019고합1234 판결문.txt", "none"},
                 {"02-2019-0731.txt", "none"},
                 {"010-1234-5678.txt", "none"},
                 {"회의 5월 이후 2주", "none"},
                 {"Windows 2000", "none"},
                 {"Budget 2015", "none"},
                 {"From 2015-12-16 to 2016-01-27", "none"},
                 {"last year's minutes", "none"},
                 {"작년 회의록", "none"},
                 {"Q3 2015 results", "none"},
                 {"order 120151216", "none"},
                 {"order 20151316", "none"},
                 {"note-17", "none"},
                 {"", "none"}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sl_day_range days;
        char from[11], to[11], got[32] = "none";
        if (sl_date_of_name(sl_view_of(cases[i].name), &days)) {
            sl_day_format(days.from, from);
            sl_day_format(days.to, to);
            (void)snprintf(got, sizeof got, "%s %s", from, to);
        }
        CHECK_THAT(strcmp(got, cases[i].date) == 0, "%s: got %s, expected %s", cases[i].name, got,
                   cases[i].date);
    }
}

TEST(numbers_and_words_that_only_look_like_dates_are_left_alone)
{
    static const char *const undated[] = {
        "What did the chair say about inflation?", "How did 2015 people vote in 2000 cases?",
        "Is 2,015 more than 2015.5?", "room 2015", "$2015 in fees", "Call 2015-1234", "Is version 1.2.2015 out?", "1.5 percent in the second half",
        "Which rules apply today?", "When was the last year of the war?", "03/04/2015 meeting",
        "2015년형 자동차", "2000년간 지속된", "제3조 제2항은?", "이 주식은 무엇인가요?",
        "Article 2015 of the code", "", " ", "the 2015",
        "What radio format is in the present day?", "Who was eliminated the following week?",
        "medals in the 19th century", "until now", "Regulation 11/2016",
        "part 10/1/2018-x", "only 3 next to it", "the 1924 olympics"};

    for (size_t i = 0; i < sizeof undated / sizeof *undated; i++)
        check_read(undated[i], "none", NULL);
}

TEST(in_a_long_text_only_a_leading_date_counts)
{
    static const char background[] =
        "You have said several times that the recovery is uneven, and the projections show rates of "
        "about three percent in 2014 and beyond, with unemployment falling only slowly over the whole "
        "of that time. Could you say why?";
    struct sl_buffer text = {0};

    check_read(background, "none", NULL);
    sl_buffer_format(&text, "In April 2011, %s", background);
    check_read(text.data, "2011-04-01 2011-04-30", "In April 2011");
    sl_buffer_fini(&text);
}

TEST(any_bytes_can_be_asked)
{
    struct sl_date_found found;
    char text[64];

    for (int i = 0; i < 20000; i++) {
        static const char *const parts[] = {"2015", "년", "월", "-", " ", "in ", "12", "Q3", "between ",
                                            "and", ".", "\xED", "last ", "year", "지난", "/", "to", "3"};
        struct sl_buffer buffer = {0};
        for (int j = 0; j < 8; j++)
            sl_buffer_view(&buffer, sl_view_of(parts[test_random() % 18]));
        size_t size = buffer.size < sizeof text ? buffer.size : sizeof text;
        memcpy(text, buffer.data, size);
        if (sl_date_read((struct sl_view){text, size}, 17000, &found))
            CHECK(found.byte_start < found.byte_end && found.byte_end <= size &&
                  (found.days.from <= found.days.to));
        sl_buffer_fini(&buffer);
    }
}
