/*
 * dates_korean.c -- one date in Korean: 2015년, 2015년 12월 16일, 2015. 12. 16., 4분기, 상반기, 작년, 지난달.
 *
 * A number with 년, 월 or 일 behind it says what it is, so no word is needed before it. Particles that only
 * tie the date to the sentence (에, 의, 중, 동안) belong to the phrase; those that make a range of it (부터,
 * 이후) are left for the caller.
 */
#include "dates_internal.h"

struct named {
    const char *text;
    int value;
};

static bool one_of(struct sl_view text, size_t *at, const struct named *names, int *ret)
{
    for (; names->text != NULL; names++)
        if (sl_scan_bytes(text, at, names->text)) {
            *ret = names->value;
            return true;
        }
    return false;
}

/* A number and its unit, with spaces allowed before and between: " 12 월". */
static bool number_unit(struct sl_view text, size_t *at, int min, int max, const char *unit, int *ret)
{
    size_t i = *at;

    sl_scan_space(text, &i);
    if (!sl_scan_digits(text, &i, min, max, ret))
        return false;
    sl_scan_space(text, &i);
    if (!sl_scan_bytes(text, &i, unit))
        return false;
    *at = i;
    return true;
}

static bool done(size_t at, struct sl_day_range days, struct sl_date_atom *ret)
{
    *ret = (struct sl_date_atom){.days = days, .end = at};
    return true;
}

/* 초, 중반, 말 after a year, a month or a week: a third of it. */
static struct sl_day_range with_third(struct sl_view text, size_t *at, struct sl_day_range days)
{
    static const struct named thirds[] = {{"초순", 0}, {"상순", 0}, {"초반", 0}, {"초", 0},
                                          {"중순", 1}, {"중반", 1}, {"하순", 2}, {"후반", 2},
                                          {"말", 2},   {NULL, 0}};
    size_t i = *at;
    int third;

    sl_scan_space(text, &i);
    if (days.to - days.from < 6 || !one_of(text, &i, thirds, &third))
        return days;
    *at = i;
    return sl_days_third(days, third);
}

/* What may follow a year: month and day, quarter, half, season, 초/말, or nothing. */
static bool after_year(struct sl_view text, size_t at, int year, struct sl_date_atom *ret)
{
    static const struct named halves[] = {{"상반기", 0}, {"전반기", 0}, {"하반기", 1},
                                          {"후반기", 1}, {NULL, 0}};
    static const struct named seasons[] = {{"봄", 0}, {"여름", 1}, {"가을", 2}, {"겨울", 3}, {NULL, 0}};
    static const struct named quarters[] = {{"분기", 0}, {"사분기", 0}, {"/4분기", 0}, {NULL, 0}};
    int month, day, part, ignored;
    size_t i = at;

    if (number_unit(text, &i, 1, 2, "월", &month)) {
        if (month < 1 || month > 12)
            return false;
        at = i;
        if (number_unit(text, &i, 1, 2, "일", &day)) {
            if (day < 1 || day > sl_month_days(year, month))
                return false;
            return done(i, sl_days_of(year, month, day), ret);
        }
        struct sl_day_range days = with_third(text, &at, sl_days_of(year, month, 0));
        return done(at, days, ret);
    }
    i = at;
    sl_scan_space(text, &i);
    (void)sl_scan_bytes(text, &i, "제");
    if (sl_scan_digits(text, &i, 1, 1, &part) && part >= 1 && part <= 4 &&
        one_of(text, &i, quarters, &ignored))
        return done(i, sl_days_of_months(year, part * 3 - 2, 3), ret);
    i = at;
    sl_scan_space(text, &i);
    if (one_of(text, &i, halves, &part))
        return done(i, sl_days_of_months(year, part * 6 + 1, 6), ret);
    if (one_of(text, &i, seasons, &part))
        return done(i, sl_days_of_months(year, 3 + 3 * part, 3), ret);
    struct sl_day_range days = with_third(text, &at, sl_days_of(year, 0, 0));
    return done(at, days, ret);
}

/* 2015년 ..., 1990년대 */
static bool read_year(struct sl_view text, size_t at, struct sl_date_atom *ret)
{
    int year;

    if (!number_unit(text, &at, 4, 4, "년", &year) || year < SL_YEAR_MIN || year > SL_YEAR_MAX)
        return false;
    if (sl_scan_bytes(text, &at, "대"))
        return done(at, sl_days_of_months(year / 10 * 10, 1, 120), ret);
    if (sl_scan_bytes(text, &at, "형") || sl_scan_bytes(text, &at, "간"))
        return false; /* a model year, a number of years */
    (void)sl_scan_bytes(text, &at, "도");
    return after_year(text, at, year, ret);
}

/* 2015. 12. 16. with or without spaces; English reads those without */
static bool read_dotted(struct sl_view text, size_t at, struct sl_date_atom *ret)
{
    int year, month, day;

    if (!number_unit(text, &at, 4, 4, ".", &year) || !number_unit(text, &at, 1, 2, ".", &month))
        return false;
    sl_scan_space(text, &at);
    if (!sl_scan_digits(text, &at, 1, 2, &day) || year < SL_YEAR_MIN || year > SL_YEAR_MAX ||
        month < 1 || month > 12 || day < 1 || day > sl_month_days(year, month))
        return false;
    (void)sl_scan_bytes(text, &at, ".");
    return done(at, sl_days_of(year, month, day), ret);
}

/* 작년, 올해 12월, 내년 상반기 */
static bool read_relative_year(struct sl_view text, size_t at, sl_day today, struct sl_date_atom *ret)
{
    static const struct named years[] = {{"재작년", -2}, {"작년", -1},  {"지난해", -1}, {"지난 해", -1},
                                         {"올해", 0},    {"올 해", 0},  {"금년", 0},    {"이번 해", 0},
                                         {"내년", 1},    {"다음 해", 1}, {NULL, 0}};
    int shift, year, month, day;

    if (!one_of(text, &at, years, &shift))
        return false;
    sl_day_to_civil(today, &year, &month, &day);
    (void)sl_scan_bytes(text, &at, "도");
    return after_year(text, at, year + shift, ret);
}

/* Does the word end here, but for a particle? 이 주에, and not 이 주식. */
static bool word_ends(struct sl_view text, size_t at)
{
    static const struct named particles[] = {{"에", 0}, {"의", 0},   {"초", 0},   {"중", 0}, {"말", 0},
                                             {"후", 0}, {"부터", 0}, {"까지", 0}, {"은", 0}, {"는", 0},
                                             {"과", 0}, {"와", 0},   {"도", 0},   {"동안", 0}, {NULL, 0}};
    int ignored;
    bool hangul = at < text.size && (unsigned char)text.data[at] >= 0xEA &&
                  (unsigned char)text.data[at] <= 0xED;

    return !hangul || one_of(text, &at, particles, &ignored);
}

/* 지난달, 이번 주, 다음 분기, 어제 */
static bool read_relative(struct sl_view text, size_t at, sl_day today, struct sl_date_atom *ret)
{
    static const struct named days[] = {{"그저께", -2}, {"그제", -2}, {"엊그제", -2}, {"어제", -1},
                                        {"오늘", 0},    {"내일", 1},  {"모레", 2},    {NULL, 0}};
    static const struct named shifts[] = {{"지지난", -2}, {"지난", -1}, {"저번", -1}, {"이번", 0},
                                          {"다다음", 2},  {"다음", 1},  {"이", 0},    {NULL, 0}};
    static const struct named units[] = {{"주", SL_UNIT_WEEK}, {"달", SL_UNIT_MONTH},
                                         {"분기", SL_UNIT_QUARTER}, {NULL, 0}};
    int shift, unit;
    size_t i;

    if (one_of(text, &at, days, &shift))
        return done(at, sl_days_of_unit(today, SL_UNIT_DAY, shift), ret);
    if (!one_of(text, &at, shifts, &shift))
        return false;
    sl_scan_space(text, &at);
    if (!one_of(text, &at, units, &unit) || !word_ends(text, at))
        return false;
    i = at;
    if (sl_scan_bytes(text, &i, "말") && unit == SL_UNIT_WEEK) /* 지난 주말 */
        return false;
    struct sl_day_range range =
        with_third(text, &at, sl_days_of_unit(today, (enum sl_unit)unit, shift));
    return done(at, range, ret);
}

/* 지난 3개월, 최근 2주; 3년 전 */
static bool read_span(struct sl_view text, size_t at, sl_day today, struct sl_date_atom *ret)
{
    static const struct named starts[] = {{"지난", 0}, {"최근", 0}, {NULL, 0}};
    static const struct named units[] = {{"개월", SL_UNIT_MONTH}, {"달", SL_UNIT_MONTH},
                                         {"년", SL_UNIT_YEAR},    {"주", SL_UNIT_WEEK},
                                         {"일", SL_UNIT_DAY},     {NULL, 0}};
    int ignored, count, unit;
    bool span = one_of(text, &at, starts, &ignored);

    sl_scan_space(text, &at);
    if (!sl_scan_digits(text, &at, 1, 3, &count) || count == 0)
        return false;
    sl_scan_space(text, &at);
    if (!one_of(text, &at, units, &unit))
        return false;
    if (span) {
        struct sl_day_range first = sl_days_of_unit(today, (enum sl_unit)unit, -count);
        int offset = today - sl_days_of_unit(today, (enum sl_unit)unit, 0).from;
        sl_day from = first.from + offset <= first.to ? first.from + offset : first.to;
        (void)(sl_scan_bytes(text, &at, "간") || sl_scan_bytes(text, &at, " 간"));
        return done(at, (struct sl_day_range){from, today}, ret);
    }
    sl_scan_space(text, &at);
    return sl_scan_bytes(text, &at, "전") &&
           done(at, sl_days_of_unit(today, (enum sl_unit)unit, -count), ret);
}

/* 12월, 12월 16일: one end of a range */
static bool read_partial(struct sl_view text, size_t at, struct sl_date_atom *ret)
{
    int month, day;

    if (!number_unit(text, &at, 1, 2, "월", &month) || month < 1 || month > 12)
        return false;
    if (number_unit(text, &at, 1, 2, "일", &day)) {
        if (day < 1 || day > sl_month_days(0, month))
            return false;
        done(at, sl_days_of(0, month, day), ret);
    } else {
        done(at, sl_days_of(0, month, 0), ret);
    }
    ret->partial = true;
    return true;
}

bool sl_date_korean(struct sl_view text, size_t at, sl_day today, struct sl_date_atom *ret)
{
    return read_year(text, at, ret) || read_dotted(text, at, ret) ||
           read_relative_year(text, at, today, ret) || read_span(text, at, today, ret) ||
           read_relative(text, at, today, ret) || read_partial(text, at, ret);
}
