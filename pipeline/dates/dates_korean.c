/*
 * dates_korean.c -- one date in Korean: 2015년, 2015년 12월 16일, 2015. 12. 16., 4분기, 상반기,
 * 12월 첫째 주.
 *
 * A number with 년, 월 or 일 behind it says what it is, so no word is needed before it. Particles
 * that only tie the date to the sentence (에, 의, 중, 동안) belong to the phrase; those that make a
 * range of it (부터, 이후) are left for the caller. What counts from today is in
 * dates_korean_relative.c.
 */
#include "dates_internal.h"

/* 이천십구, 십이: a number in words of so many digits */
static bool in_words(struct sl_view text, size_t *at, int min, int max, int *ret)
{
    size_t i = *at;

    if (!sl_korean_words(text, &i, ret) || (min >= 4 && *ret < 1000) || (max <= 2 && *ret > 99))
        return false;
    *at = i;
    return true;
}

static bool ends_in_unit(struct sl_view text, size_t at, const char *unit, int number)
{
    size_t size = strlen("일");

    return strcmp(unit, "일") == 0 && number > 1 && number % 10 == 1 && at >= size &&
           memcmp(text.data + at - size, "일", size) == 0;
}

bool sl_korean_number(struct sl_view text, size_t *at, int min, int max, const char *unit, int *ret)
{
    size_t i = *at;

    sl_scan_space(text, &i);
    if (!sl_scan_digits(text, &i, min, max, ret) && !in_words(text, &i, min, max, ret))
        return false;
    sl_scan_space(text, &i);
    if (!sl_scan_bytes(text, &i, unit)) {
        if (!ends_in_unit(text, i, unit, *ret))
            return false;
        --*ret; /* 이십일 without another 일 is the twentieth */
    }
    *at = i;
    return true;
}

static bool done(size_t at, struct sl_day_range days, struct sl_date_atom *ret)
{
    *ret = (struct sl_date_atom){.days = days, .end = at};
    return true;
}

/* 초, 중반, 말 after a year, a month or a week: a third of it. */
static bool with_third(struct sl_view text, size_t at, struct sl_day_range days,
                       struct sl_date_atom *ret)
{
    static const struct sl_named thirds[] = {{"초순", 0}, {"상순", 0}, {"초반", 0}, {"초", 0},
                                             {"중순", 1}, {"중반", 1}, {"하순", 2}, {"후반", 2},
                                             {"연초", 0}, {"연말", 2}, {"월초", 0}, {"월말", 2},
                                             {"주초", 0}, {"말", 2},   {NULL, 0}};
    size_t i = at;
    int third;

    sl_scan_space(text, &i);
    if (days.to - days.from < 6 || !sl_scan_named(text, &i, thirds, &third))
        return done(at, days, ret);
    return done(i, sl_days_third(days, third), ret);
}

bool sl_korean_weekday(struct sl_view text, size_t *at, int *ret)
{
    static const struct sl_named days[] = {{"월요일", 0}, {"화요일", 1}, {"수요일", 2},
                                           {"목요일", 3}, {"금요일", 4}, {"토요일", 5},
                                           {"일요일", 6}, {NULL, 0}};

    return sl_scan_named(text, at, days, ret);
}

/* 첫째, 두 번째, 3번째; 마지막 is 0 */
static bool ordinal(struct sl_view text, size_t *at, int *ret)
{
    static const struct sl_named words[] = {{"첫째", 1},   {"둘째", 2},   {"셋째", 3}, {"넷째", 4},
                                            {"다섯째", 5}, {"마지막", 0}, {NULL, 0}};
    static const struct sl_named counted[] = {{"첫", 1}, {"두", 2},   {"세", 3},
                                              {"네", 4}, {"다섯", 5}, {NULL, 0}};
    size_t i = *at;

    if (!sl_scan_named(text, &i, words, ret)) {
        if (!sl_scan_named(text, &i, counted, ret) && !sl_scan_digits(text, &i, 1, 2, ret))
            return false;
        sl_scan_space(text, &i);
        if (!sl_scan_bytes(text, &i, "번째") && !sl_scan_bytes(text, &i, "번 째"))
            return false;
    }
    sl_scan_space(text, &i);
    *at = i;
    return true;
}

/* 첫째 주, 마지막 주; 둘째 월요일, 첫째 주 금요일 (of a month: the first Friday) */
static bool with_ordinal(struct sl_view text, size_t at, struct sl_day_range days, bool is_month,
                         struct sl_date_atom *ret)
{
    struct sl_day_range part;
    int number, weekday;
    bool week;
    size_t i;

    (void)sl_scan_bytes(text, &at, "의");
    sl_scan_space(text, &at);
    if (!ordinal(text, &at, &number))
        return false;
    week = sl_scan_bytes(text, &at, "주");
    i = at;
    sl_scan_space(text, &i);
    if (is_month && sl_korean_weekday(text, &i, &weekday))
        return sl_days_of_weekday(days, weekday, number, &part) && done(i, part, ret);
    return week && sl_days_of_week(days, number, &part) && done(at, part, ret);
}

bool sl_korean_in_week(struct sl_view text, size_t at, struct sl_day_range days,
                       struct sl_date_atom *ret)
{
    size_t i = at;
    int weekday;

    sl_scan_space(text, &i);
    if (sl_korean_weekday(text, &i, &weekday))
        return done(i, (struct sl_day_range){days.from + weekday, days.from + weekday}, ret);
    return with_third(text, at, days, ret);
}

bool sl_korean_in_month(struct sl_view text, size_t at, struct sl_day_range days,
                        struct sl_date_atom *ret)
{
    size_t i = at, behind;
    int day, weekday;

    if (sl_korean_number(text, &i, 1, 2, "일", &day)) {
        if (day < 1 || day > days.to - days.from + 1)
            return false;
        behind = i;
        sl_scan_space(text, &behind);
        if (sl_korean_weekday(text, &behind, &weekday)) /* 2018년 1월 22일 월요일 */
            i = behind;
        return done(i, (struct sl_day_range){days.from + day - 1, days.from + day - 1}, ret);
    }
    return with_ordinal(text, at, days, true, ret) || with_third(text, at, days, ret);
}

/* 유월, 시월: June and October have a form of their own */
static bool read_month_word(struct sl_view text, size_t *at, int *ret)
{
    static const struct sl_named months[] = {{"유월", 6}, {"시월", 10}, {NULL, 0}};
    size_t i = *at;

    sl_scan_space(text, &i);
    if (!sl_scan_named(text, &i, months, ret))
        return false;
    *at = i;
    return true;
}

bool sl_korean_in_year(struct sl_view text, size_t at, int year, struct sl_date_atom *ret)
{
    static const struct sl_named halves[] = {
        {"상반기", 0}, {"전반기", 0}, {"하반기", 1}, {"후반기", 1}, {NULL, 0}};
    static const struct sl_named seasons[] = {
        {"봄", 0}, {"여름", 1}, {"가을", 2}, {"겨울", 3}, {NULL, 0}};
    static const struct sl_named quarters[] = {
        {"분기", 0}, {"사분기", 0}, {"/4분기", 0}, {NULL, 0}};
    struct sl_day_range holiday;
    int month, part, ignored;
    size_t i = at;

    if (read_month_word(text, &i, &month) || sl_korean_number(text, &i, 1, 2, "월", &month))
        return month >= 1 && month <= 12 &&
               sl_korean_in_month(text, i, sl_days_of(year, month, 0), ret);
    sl_scan_space(text, &i);
    (void)sl_scan_bytes(text, &i, "제");
    if (sl_scan_digits(text, &i, 1, 1, &part) && part >= 1 && part <= 4 &&
        sl_scan_named(text, &i, quarters, &ignored))
        return done(i, sl_days_of_months(year, part * 3 - 2, 3), ret);
    i = at;
    sl_scan_space(text, &i);
    if (sl_korean_holiday(text, &i, year, &holiday))
        return done(i, holiday, ret);
    if (sl_scan_named(text, &i, halves, &part))
        return done(i, sl_days_of_months(year, part * 6 + 1, 6), ret);
    if (sl_scan_named(text, &i, seasons, &part))
        return done(i, sl_days_of_season(year, part), ret);
    return with_ordinal(text, at, sl_days_of(year, 0, 0), false, ret) ||
           with_third(text, at, sl_days_of(year, 0, 0), ret);
}

/* 19년 7월, '19년 3분기: a year of two digits says what it is by what stands behind it */
static bool read_short_year(struct sl_view text, size_t at, struct sl_date_atom *ret)
{
    int year;
    size_t behind;
    bool marked = sl_scan_bytes(text, &at, "'") || sl_scan_bytes(text, &at, "\xE2\x80\x99");

    if (!sl_scan_digits(text, &at, 2, 2, &year) || !sl_scan_bytes(text, &at, "년"))
        return false;
    year += year < 50 ? 2000 : 1900;
    (void)sl_scan_bytes(text, &at, "도");
    behind = at;
    return sl_korean_in_year(text, at, year, ret) && (marked || ret->end > behind);
}

/* 2019학년도: from March to February */
static bool read_school_year(struct sl_view text, size_t at, struct sl_date_atom *ret)
{
    int year;

    return sl_korean_number(text, &at, 4, 4, "학년도", &year) && year >= SL_YEAR_MIN &&
           year <= SL_YEAR_MAX && done(at, sl_days_of_months(year, 3, 12), ret);
}

/* 2015년 ..., 1990년대, 90년대, 2018 회계연도, 2019년도 */
static bool read_year(struct sl_view text, size_t at, struct sl_date_atom *ret)
{
    static const struct sl_named lengths[] = {
        {"형", 0}, {"간", 0}, {"차", 0}, {"이상", 0}, {NULL, 0}};
    size_t i = at;
    int year, ignored;

    if (sl_korean_number(text, &i, 2, 2, "년대", &year) && year % 10 == 0)
        return done(i, sl_days_of_months(year + (year < 20 ? 2000 : 1900), 1, 120), ret);
    if (!sl_korean_number(text, &at, 4, 4, "년", &year) &&
        !sl_korean_number(text, &at, 4, 4, "회계연도", &year) &&
        !sl_korean_number(text, &at, 4, 4, "회계 연도", &year))
        return false;
    if (year < SL_YEAR_MIN || year > SL_YEAR_MAX)
        return false;
    i = at;
    if (sl_scan_bytes(text, &i, "대") && (i >= text.size || !sl_scan_bytes(text, &i, "비"))) {
        at += strlen("대");
        return done(at, sl_days_of_months(year / 10 * 10, 1, 120), ret);
    }
    if (sl_scan_named(text, &at, lengths, &ignored))
        return false; /* a model year, a number of years */
    (void)(sl_scan_bytes(text, &at, "도") && sl_scan_bytes(text, &at, " 회계연도"));
    return sl_korean_in_year(text, at, year, ret);
}

/* 2015. 12. 16. with or without spaces; English reads those without */
static bool read_dotted(struct sl_view text, size_t at, struct sl_date_atom *ret)
{
    int year, month, day;

    if (!sl_korean_number(text, &at, 4, 4, ".", &year) ||
        !sl_korean_number(text, &at, 1, 2, ".", &month))
        return false;
    sl_scan_space(text, &at);
    if (!sl_scan_digits(text, &at, 1, 2, &day) || year < SL_YEAR_MIN || year > SL_YEAR_MAX ||
        month < 1 || month > 12 || day < 1 || day > sl_month_days(year, month))
        return false;
    (void)sl_scan_bytes(text, &at, ".");
    return done(at, sl_days_of(year, month, day), ret);
}

static bool yearless(size_t at, struct sl_day_range days, struct sl_date_atom *ret)
{
    done(at, days, ret);
    ret->partial = ret->yearless = true;
    return true;
}

/* The whole month and what stands behind it, of the last year in which it has begun: 3월 말, 7월
 * 마지막 주 */
static bool in_last_month(struct sl_view text, size_t at, int month, sl_day today,
                          struct sl_date_atom *ret)
{
    struct sl_date_atom atom = {.days = sl_days_of(0, month, 0)};

    sl_date_resolve(&atom, today, false);
    if (!sl_korean_in_month(text, at, atom.days, ret) || ret->end == at)
        return false;
    ret->yearless = true;
    return true;
}

/* Is it the month of a year that was not read? 1391년 12월 */
static bool behind_year(struct sl_view text, size_t at)
{
    size_t size = strlen("년");

    while (at > 0 && text.data[at - 1] == ' ')
        at--;
    return at >= size && memcmp(text.data + at - size, "년", size) == 0;
}

/* 9월 10일, 1901 */
static bool with_year_behind(struct sl_view text, size_t at, int month, int day, struct sl_date_atom *ret)
{
    int year;

    (void)sl_scan_bytes(text, &at, ",");
    sl_scan_space(text, &at);
    if (!sl_korean_number(text, &at, 4, 4, "년", &year) && !sl_scan_digits(text, &at, 4, 4, &year))
        return false;
    if (year < SL_YEAR_MIN || year > SL_YEAR_MAX || day > sl_month_days(year, month))
        return false;
    return done(at, sl_days_of(year, month, day), ret);
}

/* Without a year: 12월, 12월 16일, 12월 초, 3분기, 상반기 */
static bool read_partial(struct sl_view text, size_t at, sl_day today, struct sl_date_atom *ret)
{
    static const struct sl_named quarters[] = {
        {"분기", 0}, {"사분기", 0}, {"/4분기", 0}, {NULL, 0}};
    static const struct sl_named halves[] = {{"상반기", 0}, {"하반기", 1}, {NULL, 0}};
    size_t i = at;
    int month, day, part, ignored;
    bool ordinal = sl_scan_bytes(text, &i, "제");

    if (sl_scan_digits(text, &i, 1, 1, &part) && part >= 1 && part <= 4 &&
        sl_scan_named(text, &i, quarters, &ignored))
        return !sl_scan_bytes(text, &(size_t){i}, " 연속") &&
               yearless(i, sl_days_of_months(0, part * 3 - 2, 3), ret);
    i = at;
    if (sl_scan_named(text, &i, halves, &part))
        return yearless(i, sl_days_of_months(0, part * 6 + 1, 6), ret);
    if (ordinal || behind_year(text, at))
        return false;
    i = at;
    if (!sl_korean_number(text, &i, 1, 2, "월", &month) || month < 1 || month > 12)
        return false;
    bool in_digits = text.data[at] >= '0' && text.data[at] <= '9';
    at = i;
    if (sl_korean_number(text, &i, 1, 2, "일", &day)) {
        if (day < 1 || day > sl_month_days(0, month))
            return false;
        return with_year_behind(text, i, month, day, ret) || yearless(i, sl_days_of(0, month, day), ret);
    }
    return in_digits && /* 이월 is also what is carried over */
           (in_last_month(text, at, month, today, ret) || yearless(at, sl_days_of(0, month, 0), ret));
}

bool sl_korean_absolute(struct sl_view text, size_t at, struct sl_date_atom *ret)
{
    return read_year(text, at, ret) || read_school_year(text, at, ret) ||
           read_short_year(text, at, ret) || read_dotted(text, at, ret);
}

/* 5월 3일이 있는 주, 5월 3일의 주 */
static void in_its_week(struct sl_view text, sl_day today, struct sl_date_atom *atom)
{
    static const struct sl_named weeks[] = {{"이 있는 주", 0}, {"이 있던 주", 0}, {"이 속한 주", 0},
                                            {"이 포함된 주", 0}, {"의 주", 0},    {NULL, 0}};
    size_t at = atom->end;
    int ignored;

    if (atom->days.from != atom->days.to || !sl_scan_named(text, &at, weeks, &ignored) ||
        (at < text.size && (unsigned char)text.data[at] >= 0xEA && !sl_scan_bytes(text, &(size_t){at}, "에") &&
         !sl_scan_bytes(text, &(size_t){at}, "의")))
        return; /* 3일의 주가, 주요 */
    if (atom->partial)
        sl_date_resolve(atom, today, false);
    atom->days.from = sl_day_monday(atom->days.from);
    atom->days.to = atom->days.from + 6;
    atom->end = at;
}

bool sl_date_korean(struct sl_view text, size_t at, sl_day today, struct sl_date_atom *ret)
{
    if (!sl_korean_absolute(text, at, ret) && !sl_korean_relative(text, at, today, ret) &&
        !read_partial(text, at, today, ret))
        return false;
    in_its_week(text, today, ret);
    return true;
}
