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
