/*
 * dates_english.c -- one date in English words or digits.
 *
 * Each form is a short function that tries itself at a place; the first that fits wins, so the longer ones
 * come first. 03/04/2015 is not read at all: half the world means April. A month without a year is
 * read only as one end of a range, for it says nothing about which year.
 */
#include "dates_internal.h"

static const char *const MONTHS[] = {"january", "february", "march", "april", "may", "june", "july",
                                     "august", "september", "october", "november", "december",
                                     "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep",
                                     "oct", "nov", "dec", "sept", NULL};
static const char *const WEEKDAYS[] = {"monday", "tuesday", "wednesday", "thursday", "friday",
                                       "saturday", "sunday", "mon", "tue", "wed", "thu", "fri",
                                       "sat", "sun", NULL};
static const char *const ORDINALS[] = {"first", "second", "third", "fourth", "1st", "2nd", "3rd",
                                       "4th", NULL};
static const char *const SEASONS[] = {"spring", "summer", "fall", "winter", "autumn", NULL};

struct cursor {
    struct sl_view text;
    size_t at;
    sl_day today;
};

static bool byte(struct cursor *c, char wanted)
{
    if (c->at >= c->text.size || c->text.data[c->at] != wanted)
        return false;
    c->at++;
    return true;
}

static bool word(struct cursor *c, const char *wanted)
{
    return sl_scan_word(c->text, &c->at, wanted);
}

static void space(struct cursor *c)
{
    sl_scan_space(c->text, &c->at);
}

static bool digits(struct cursor *c, int min, int max, int *ret)
{
    return sl_scan_digits(c->text, &c->at, min, max, ret);
}

static bool at_letter_or_digit(const struct cursor *c)
{
    char byte_here = c->at < c->text.size ? c->text.data[c->at] : ' ';

    return (byte_here >= '0' && byte_here <= '9') ||
           ((byte_here | 0x20) >= 'a' && (byte_here | 0x20) <= 'z');
}

/* Four digits that can be a year and are not part of 2,015 or 2015.5 or 2015%. */
static bool year(struct cursor *c, int *ret)
{
    struct cursor try = *c;
    size_t at = try.at;

    if (at > 0 && memchr("$#./", c->text.data[at - 1], 4) != NULL)
        return false;
    if (at > 2 && memcmp(c->text.data + at - 2, "\xC2\xA3", 2) == 0) /* pound sign */
        return false;
    if (!digits(&try, 4, 4, ret) || *ret < SL_YEAR_MIN || *ret > SL_YEAR_MAX ||
        at_letter_or_digit(&try))
        return false;
    if (try.at + 1 < c->text.size && memchr(".,:", c->text.data[try.at], 3) != NULL &&
        c->text.data[try.at + 1] >= '0' && c->text.data[try.at + 1] <= '9')
        return false;
    if (try.at < c->text.size && memchr("%$", c->text.data[try.at], 2) != NULL)
        return false;
    *c = try;
    return true;
}

static bool month(struct cursor *c, int *ret)
{
    int index;

    if (!sl_scan_any_word(c->text, &c->at, MONTHS, &index))
        return false;
    *ret = index == 24 ? 9 : index % 12 + 1;
    if (index >= 12)
        (void)byte(c, '.');
    return true;
}

/* 16, 16th, 1st */
static bool day(struct cursor *c, int *ret)
{
    struct cursor try = *c;

    if (!digits(&try, 1, 2, ret) || *ret < 1 || *ret > 31)
        return false;
    (void)(word(&try, "st") || word(&try, "nd") || word(&try, "rd") || word(&try, "th"));
    if (at_letter_or_digit(&try))
        return false;
    *c = try;
    return true;
}

static bool day_fits(int y, int m, int d)
{
    return m >= 1 && m <= 12 && d >= 1 && d <= sl_month_days(y, m);
}

static bool done(const struct cursor *c, struct sl_day_range days, struct sl_date_atom *ret)
{
    *ret = (struct sl_date_atom){.days = days, .end = c->at};
    return true;
}

/* ", 2015", " 2015", " of 2015" */
static bool year_after(struct cursor *c, int *ret)
{
    struct cursor try = *c;

    space(&try);
    if (byte(&try, ','))
        space(&try);
    if (word(&try, "of") || word(&try, "in"))
        space(&try);
    if (word(&try, "the year") || word(&try, "fiscal year") || word(&try, "calendar year") ||
        word(&try, "FY"))
        space(&try);
    if (!year(&try, ret))
        return false;
    *c = try;
    return true;
}

/* A year in words: "this year", "last year", "next year". */
static bool relative_year(struct cursor *c, int *ret)
{
    struct cursor try = *c;
    int shift, m, d;

    space(&try);
    if (word(&try, "of"))
        space(&try);
    shift = word(&try, "last") ? -1 : word(&try, "this") ? 0 : word(&try, "next") ? 1 : 9;
    space(&try);
    if (shift == 9 || !word(&try, "year"))
        return false;
    *c = try;
    sl_day_to_civil(c->today, ret, &m, &d);
    *ret += shift;
    return true;
}

/* 2015-12-16, 2015/12/16, 2015-12, 12/16/2015 when only one reading fits */
static bool read_digits(struct cursor c, struct sl_date_atom *ret)
{
    struct cursor start = c, months;
    int y, m, d;
    char mark;

    if (digits(&c, 4, 4, &y) && y >= 1000 && y <= SL_YEAR_MAX && c.at < c.text.size &&
        memchr("-/.", c.text.data[c.at], 3) != NULL) {
        mark = c.text.data[c.at++];
        if (!digits(&c, 1, 2, &m) || m < 1 || m > 12)
            return false;
        months = c;
        if (byte(&c, mark) && digits(&c, 1, 2, &d) && day_fits(y, m, d) &&
            (!at_letter_or_digit(&c) || c.text.data[c.at] == 'T'))
            return done(&c, sl_days_of(y, m, d), ret);
        if (mark == '.' || months.at - start.at < 6 || at_letter_or_digit(&months) ||
            (months.at < c.text.size && c.text.data[months.at] == mark))
            return false;
        return done(&months, sl_days_of(y, m, 0), ret);
    }
    c = start;
    if (!digits(&c, 1, 2, &m) || !byte(&c, '/') || !digits(&c, 1, 2, &d) || !byte(&c, '/') ||
        !digits(&c, 4, 4, &y) || at_letter_or_digit(&c) || y < SL_YEAR_MIN || y > SL_YEAR_MAX)
        return false;
    if (m > 12 && day_fits(y, d, m))
        return done(&c, sl_days_of(y, d, m), ret);
    if ((d > 12 || d == m) && day_fits(y, m, d))
        return done(&c, sl_days_of(y, m, d), ret);
    return false;
}

/* December 16, 2015; December 2015; December 16-18, 2015; December (partial); December 16 (partial) */
static bool read_month_first(struct cursor c, struct sl_date_atom *ret)
{
    struct cursor after_month, after_day;
    int y, m, d, last;

    if (!month(&c, &m))
        return false;
    after_month = c;
    if (year_after(&c, &y) || relative_year(&c, &y))
        return done(&c, sl_days_of(y, m, 0), ret);
    c = after_month;
    space(&c);
    if (word(&c, "the"))
        space(&c);
    if (day(&c, &d)) {
        after_day = c;
        if ((year_after(&c, &y) || relative_year(&c, &y)) && day_fits(y, m, d))
            return done(&c, sl_days_of(y, m, d), ret);
        c = after_day;
        space(&c);
        if (byte(&c, '-') || sl_scan_bytes(c.text, &c.at, "\xE2\x80\x93") || word(&c, "to") ||
            word(&c, "and") || word(&c, "through")) {
            space(&c);
            if (day(&c, &last) && year_after(&c, &y) && day_fits(y, m, d) && day_fits(y, m, last) &&
                d <= last)
                return done(&c, (struct sl_day_range){sl_day_from_civil(y, m, d),
                                                      sl_day_from_civil(y, m, last)},
                            ret);
        }
        if (!day_fits(0, m, d))
            return false;
        done(&after_day, sl_days_of(0, m, d), ret);
        ret->partial = true;
        return true;
    }
    done(&after_month, sl_days_of(0, m, 0), ret);
    ret->partial = true;
    return true;
}

/* 16 December 2015; the 16th of December, 2015; 14-16 December 2015; 16 December (partial) */
static bool read_day_first(struct cursor c, struct sl_date_atom *ret)
{
    struct cursor try;
    int y, m, d, last;

    if (word(&c, "the"))
        space(&c);
    if (!day(&c, &d))
        return false;
    try = c;
    space(&try);
    last = d;
    if (byte(&try, '-') || sl_scan_bytes(c.text, &try.at, "\xE2\x80\x93") || word(&try, "to") ||
        word(&try, "and")) {
        space(&try);
        if (day(&try, &last) && last >= d)
            c = try;
        else
            last = d;
    }
    space(&c);
    if (word(&c, "of"))
        space(&c);
    if (!month(&c, &m))
        return false;
    try = c;
    if (year_after(&try, &y) && day_fits(y, m, d) && day_fits(y, m, last))
        return done(&try, (struct sl_day_range){sl_day_from_civil(y, m, d),
                                                sl_day_from_civil(y, m, last)},
                    ret);
    if (last != d || !day_fits(0, m, d))
        return false;
    done(&c, sl_days_of(0, m, d), ret);
    ret->partial = true;
    return true;
}

static bool part_of_year(const struct cursor *c, int y, char kind, int part, struct sl_date_atom *ret)
{
    int months = kind == 'q' ? 3 : 6;

    if (part < 1 || part > 12 / months)
        return false;
    return done(c, sl_days_of_months(y, (part - 1) * months + 1, months), ret);
}

/* Q3 2015, Q3 of 2015, 3Q 2015, H1 2015, 2015 Q3, 2015Q3, 2015-Q3 */
static bool read_code(struct cursor c, struct sl_date_atom *ret)
{
    bool year_first;
    int y = 0, part;
    char kind;

    year_first = digits(&c, 4, 4, &y) && y >= SL_YEAR_MIN && y <= SL_YEAR_MAX;
    if (year_first) {
        space(&c);
        if (byte(&c, '-') || byte(&c, '/'))
            space(&c);
    }
    kind = c.at < c.text.size ? (char)(c.text.data[c.at] | 0x20) : ' ';
    if (kind == 'q' || kind == 'h') {
        c.at++;
        if (!digits(&c, 1, 1, &part))
            return false;
    } else {
        if (!digits(&c, 1, 1, &part) || c.at >= c.text.size)
            return false;
        kind = (char)(c.text.data[c.at++] | 0x20);
        if (kind != 'q' && kind != 'h')
            return false;
    }
    if (at_letter_or_digit(&c))
        return false;
    if (!year_first) {
        (void)byte(&c, '-');
        if (!year_after(&c, &y) && !relative_year(&c, &y))
            return false;
    }
    return part_of_year(&c, y, kind, part, ret);
}

/* the third quarter of 2015, first half 2015, 2015 third quarter */
static bool read_part(struct cursor c, struct sl_date_atom *ret)
{
    bool year_first = false;
    int y = 0, part;
    char kind;

    if (year(&c, &y)) {
        year_first = true;
        space(&c);
    }
    if (word(&c, "the"))
        space(&c);
    if (word(&c, "last"))
        part = 4;
    else if (sl_scan_any_word(c.text, &c.at, ORDINALS, &part))
        part = part % 4 + 1;
    else
        return false;
    if (!byte(&c, '-'))
        space(&c);
    kind = word(&c, "quarter") ? 'q' : word(&c, "half") ? 'h' : ' ';
    if (kind == ' ')
        return false;
    if (kind == 'h' && part == 4)
        part = 2;
    if (!year_first && !year_after(&c, &y) && !relative_year(&c, &y))
        return false;
    return part_of_year(&c, y, kind, part, ret);
}

/* summer 2015, the winter of 2015 (December to February) */
static bool read_season(struct cursor c, struct sl_date_atom *ret)
{
    int y, season;

    if (word(&c, "the"))
        space(&c);
    if (!sl_scan_any_word(c.text, &c.at, SEASONS, &season) ||
        (!year_after(&c, &y) && !relative_year(&c, &y)))
        return false;
    season = season == 4 ? 2 : season;
    return done(&c, sl_days_of_months(y, 3 + 3 * season, 3), ret);
}

/* FY 2018, FY 2018 (calendar), fiscal year 2018, the year 2018 */
static bool read_named_year(struct cursor c, struct sl_date_atom *ret)
{
    int y;

    if (word(&c, "the"))
        space(&c);
    if (!word(&c, "FY") && !word(&c, "fiscal year") && !word(&c, "fiscal") &&
        !word(&c, "calendar year") && !word(&c, "calendar") && !word(&c, "year"))
        return false;
    space(&c);
    if (!year(&c, &y))
        return false;
    struct cursor try = c;
    space(&try);
    if (sl_scan_bytes(try.text, &try.at, "(calendar)"))
        c = try;
    return done(&c, sl_days_of(y, 0, 0), ret);
}

/* 2015, the 1990s */
static bool read_year(struct cursor c, struct sl_date_atom *ret)
{
    struct cursor start = c;
    struct cursor try;
    int y, m;

    if (word(&c, "the"))
        space(&c);
    if (digits(&c, 4, 4, &y) && y % 10 == 0 && y >= SL_YEAR_MIN && y <= SL_YEAR_MAX) {
        (void)(byte(&c, '\'') || sl_scan_bytes(c.text, &c.at, "\xE2\x80\x99"));
        if (word(&c, "s")) {
            done(&c, sl_days_of_months(y, 1, 120), ret);
            ret->weak = true;
            return true;
        }
    }
    c = start;
    if (!year(&c, &y))
        return false;
    try = c;
    space(&try);
    if (byte(&try, ','))
        space(&try);
    if (month(&try, &m) && try.at - c.at > 2) /* 2015 December, "2015, Dec" */
        return done(&try, sl_days_of(y, m, 0), ret);
    done(&c, sl_days_of(y, 0, 0), ret);
    ret->weak = true;
    return true;
}

static bool unit_word(struct cursor *c, enum sl_unit *ret)
{
    static const char *const units[] = {"day",  "week",  "month",  "quarter",  "year",
                                        "days", "weeks", "months", "quarters", "years", NULL};
    int index;

    if (!sl_scan_any_word(c->text, &c->at, units, &index))
        return false;
    *ret = (enum sl_unit)(index % 5 + 1);
    return true;
}

static bool small_number(struct cursor *c, int *ret)
{
    static const char *const numbers[] = {"one", "two", "three", "four", "five", "six", "seven",
                                          "eight", "nine", "ten", "eleven", "twelve", NULL};

    if (digits(c, 1, 3, ret))
        return *ret > 0;
    if (sl_scan_any_word(c->text, &c->at, numbers, ret)) {
        ++*ret;
        return true;
    }
    return false;
}

/* `count` units back or on from today, as one day. */
static sl_day shifted(sl_day today, enum sl_unit unit, int count)
{
    int y, m, d, months;

    if (unit == SL_UNIT_DAY || unit == SL_UNIT_WEEK)
        return today + count * (unit == SL_UNIT_WEEK ? 7 : 1);
    sl_day_to_civil(today, &y, &m, &d);
    months = y * 12 + m - 1 + count * (unit == SL_UNIT_YEAR ? 12 : unit == SL_UNIT_QUARTER ? 3 : 1);
    y = months / 12;
    m = months % 12 + 1;
    return sl_day_from_civil(y, m, d < sl_month_days(y, m) ? d : sl_month_days(y, m));
}

/* last year, this month, the past three weeks, last December */
static bool read_relative(struct cursor c, struct sl_date_atom *ret)
{
    enum sl_unit unit;
    int shift, count, y, m, today_month, today_day;
    size_t before = c.at >= 4 ? c.at - 4 : 0;
    bool article = word(&c, "the") || sl_scan_word(c.text, &before, "the");

    space(&c);
    if (word(&c, "last") || word(&c, "past") || word(&c, "previous"))
        shift = -1;
    else if (word(&c, "this") || word(&c, "current"))
        shift = 0;
    else if (word(&c, "next") || word(&c, "coming") || word(&c, "upcoming"))
        shift = 1;
    else
        return false;
    space(&c);
    if (unit_word(&c, &unit)) {
        done(&c, sl_days_of_unit(c.today, unit, shift), ret);
        ret->weak = article; /* "the last year of the war" */
        return unit != SL_UNIT_DAY;
    }
    if (month(&c, &m)) {
        sl_day_to_civil(c.today, &y, &today_month, &today_day);
        y += shift < 0 && m >= today_month ? -1 : shift > 0 && m <= today_month ? 1 : 0;
        return done(&c, sl_days_of(y, m, 0), ret);
    }
    if (shift == 0 || !small_number(&c, &count))
        return false;
    space(&c);
    if (!unit_word(&c, &unit))
        return false;
    if (shift < 0)
        return done(&c, (struct sl_day_range){shifted(c.today, unit, -count), c.today}, ret);
    return done(&c, (struct sl_day_range){c.today + 1, shifted(c.today, unit, count)}, ret);
}

/* yesterday, today, tomorrow, the day before yesterday, three weeks ago (that unit) */
static bool read_ago(struct cursor c, struct sl_date_atom *ret)
{
    enum sl_unit unit;
    int count, shift;

    if (word(&c, "the day before yesterday"))
        return done(&c, sl_days_of_unit(c.today, SL_UNIT_DAY, -2), ret);
    if (word(&c, "the day after tomorrow"))
        return done(&c, sl_days_of_unit(c.today, SL_UNIT_DAY, 2), ret);
    shift = word(&c, "yesterday") ? -1 : word(&c, "today") ? 0 : word(&c, "tomorrow") ? 1 : 9;
    if (shift != 9) {
        done(&c, sl_days_of_unit(c.today, SL_UNIT_DAY, shift), ret);
        ret->weak = shift >= 0; /* "today" mostly means these days: read only in a range */
        return true;
    }
    if (!small_number(&c, &count))
        return false;
    space(&c);
    if (!unit_word(&c, &unit))
        return false;
    space(&c);
    return word(&c, "ago") && done(&c, sl_days_of_unit(c.today, unit, -count), ret);
}

static bool read_plain(struct cursor c, struct sl_date_atom *ret)
{
    int weekday;
    struct cursor try = c;

    if (sl_scan_any_word(try.text, &try.at, WEEKDAYS, &weekday)) { /* Wednesday, December 16, 2015 */
        (void)byte(&try, '.');
        (void)byte(&try, ',');
        space(&try);
        return (read_month_first(try, ret) || read_day_first(try, ret)) && !ret->partial;
    }
    return read_digits(c, ret) || read_code(c, ret) || read_part(c, ret) || read_season(c, ret) ||
           read_named_year(c, ret) || read_month_first(c, ret) || read_day_first(c, ret) ||
           read_relative(c, ret) || read_ago(c, ret) || read_year(c, ret);
}

/* early 2019, mid-2019, the end of March 2019: a third of what follows */
static bool read_third(struct cursor c, struct sl_date_atom *ret)
{
    static const char *const words[] = {"early", "mid", "late", "beginning", "middle", "end",
                                        "start", NULL};
    int index, third;

    if (word(&c, "the"))
        space(&c);
    if (!sl_scan_any_word(c.text, &c.at, words, &index))
        return false;
    third = index == 6 ? 0 : index % 3;
    if (!byte(&c, '-'))
        space(&c);
    if (word(&c, "of"))
        space(&c);
    else if (index >= 3)
        return false;
    if (word(&c, "the"))
        space(&c);
    if (!read_plain(c, ret) || ret->partial || ret->days.to - ret->days.from < 6)
        return false;
    ret->days = sl_days_third(ret->days, third);
    ret->weak = false;
    return true;
}

bool sl_date_english(struct sl_view text, size_t at, sl_day today, struct sl_date_atom *ret)
{
    struct cursor c = {text, at, today};

    return read_third(c, ret) || read_plain(c, ret);
}
