/*
 * dates_english.c -- one date in English words or digits.
 *
 * Each form is a short function that tries itself at a place; the first that fits wins, so the longer ones
 * come first. 03/04/2015 is not read at all: half the world means April. A month without a year is
 * read only as one end of a range, for it says nothing about which year.
 */
#include "dates_cursor.h"

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

bool sl_english_month(struct cursor *c, int *ret)
{
    int index;

    if (!sl_scan_any_word(c->text, &c->at, MONTHS, &index))
        return false;
    *ret = index == 24 ? 9 : index % 12 + 1;
    if (index >= 12)
        (void)byte(c, '.');
    return true;
}

bool sl_english_weekday(struct cursor *c, int *ret)
{
    if (!any_of(c, WEEKDAYS, ret))
        return false;
    (void)(*ret >= 7 && byte(c, '.'));
    *ret %= 7;
    return true;
}

/* first .. thirty-first, 1st .. 31st */
bool sl_english_ordinal(struct cursor *c, int *ret)
{
    static const char *const ones[] = {"first", "second", "third", "fourth", "fifth", "sixth", "seventh",
                                       "eighth", "ninth", "tenth", "eleventh", "twelfth", "thirteenth",
                                       "fourteenth", "fifteenth", "sixteenth", "seventeenth",
                                       "eighteenth", "nineteenth", "twentieth", "thirtieth", NULL};
    static const char *const tens[] = {"twenty", "thirty", NULL};
    struct cursor try = *c;
    int index;

    if (any_of(&try, ones, ret)) {
        *ret = *ret == 20 ? 30 : *ret + 1;
    } else if (any_of(&try, tens, &index)) {
        (void)byte(&try, '-');
        space(&try);
        if (!any_of(&try, ones, ret) || *ret >= 9)
            return false;
        *ret += 21 + index * 10;
    } else if (!digits(&try, 1, 2, ret) ||
               !(word(&try, "st") || word(&try, "nd") || word(&try, "rd") || word(&try, "th"))) {
        return false;
    }
    if (*ret < 1 || *ret > 31)
        return false;
    *c = try;
    return true;
}

/* 16, 16., 16th, sixteenth */
bool sl_english_day(struct cursor *c, int *ret)
{
    struct cursor try = *c;

    if (sl_english_ordinal(c, ret))
        return true;
    if (!digits(&try, 1, 2, ret) || *ret < 1 || *ret > 31 || at_letter_or_digit(&try))
        return false;
    *c = try;
    return true;
}

static bool day_fits(int y, int m, int d)
{
    return m >= 1 && m <= 12 && d >= 1 && d <= sl_month_days(y, m);
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

static bool fits_year(int y)
{
    return y >= SL_YEAR_MIN && y <= SL_YEAR_MAX;
}

/* 2015-12-16, 2015/12/16, 2015-12 */
static bool read_year_first(struct cursor c, struct sl_date_atom *ret)
{
    struct cursor start = c, months;
    int y, m, d;
    char mark;

    if (!digits(&c, 4, 4, &y) || y < 1000 || y > SL_YEAR_MAX || c.at >= c.text.size ||
        memchr("-/.", c.text.data[c.at], 3) == NULL)
        return false;
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

/* 12/16/2015, 16.12.2015, 16-12-2015 when only one reading fits; 11/2016 */
static bool read_year_last(struct cursor c, struct sl_date_atom *ret)
{
    int y, first, second;
    char mark;

    if (!digits(&c, 1, 2, &first) || c.at >= c.text.size ||
        memchr("-/.", c.text.data[c.at], 3) == NULL)
        return false;
    mark = c.text.data[c.at++];
    struct cursor months = c;
    if (mark == '/' && digits(&months, 4, 4, &y) && fits_year(y) && first >= 1 && first <= 12 &&
        !at_letter_or_digit(&months)) {
        done(&months, sl_days_of(y, first, 0), ret);
        ret->weak = true; /* also the number of a law */
        return true;
    }
    if (!digits(&c, 1, 2, &second) || !byte(&c, mark) || !digits(&c, 4, 4, &y) ||
        at_letter_or_digit(&c) || !fits_year(y))
        return false;
    if (first > 12 && day_fits(y, second, first))
        return done(&c, sl_days_of(y, second, first), ret);
    if (mark != '.' && (second > 12 || second == first) && day_fits(y, first, second))
        return done(&c, sl_days_of(y, first, second), ret);
    return false;
}

/* 23/sep/2020, 05-Aug-2016, 2019-aug-1, Sep-23-2020, dec/2018 */
static bool read_named(struct cursor c, struct sl_date_atom *ret)
{
    int part[3] = {0}, y, d, named = -1, last;
    char mark = '\0';

    for (last = 0; last < 3; last++) {
        if (last > 0 && (mark == '\0' || !byte(&c, mark)))
            break;
        if (named < 0 && sl_english_month(&c, &part[last]))
            named = last;
        else if (!digits(&c, 1, 4, &part[last]))
            return false;
        if (last == 0 && c.at < c.text.size && memchr("-/", c.text.data[c.at], 2) != NULL)
            mark = c.text.data[c.at];
    }
    if (named < 0 || last < 2 || at_letter_or_digit(&c))
        return false;
    if (last == 2) /* dec/2018 */
        return named == 0 && fits_year(part[1]) && done(&c, sl_days_of(part[1], part[0], 0), ret);
    y = named == 0 ? part[2] : part[named == 1 && part[0] > 31 ? 0 : 2];
    d = named == 0 ? part[1] : part[named == 1 && part[0] > 31 ? 2 : 0];
    return named < 2 && fits_year(y) && day_fits(y, part[named], d) &&
           done(&c, sl_days_of(y, part[named], d), ret);
}

/* 20161016 */
static bool read_compact(struct cursor c, struct sl_date_atom *ret)
{
    int number;

    if (!digits(&c, 8, 8, &number) || at_letter_or_digit(&c))
        return false;
    int y = number / 10000, m = number / 100 % 100, d = number % 100;
    return y >= 1900 && y <= 2099 && day_fits(y, m, d) && done(&c, sl_days_of(y, m, d), ret);
}

static bool read_digits(struct cursor c, struct sl_date_atom *ret)
{
    return read_year_first(c, ret) || read_year_last(c, ret) || read_named(c, ret) ||
           read_compact(c, ret);
}

/* December 16, 2015; December 2015; December 16-18, 2015; December (partial); December 16 (partial) */
static bool read_month_first(struct cursor c, struct sl_date_atom *ret)
{
    struct cursor after_month, after_day;
    int y, m, d, last;

    if (!sl_english_month(&c, &m))
        return false;
    after_month = c;
    if (year_after(&c, &y) || relative_year(&c, &y))
        return done(&c, sl_days_of(y, m, 0), ret);
    c = after_month;
    space(&c);
    if (word(&c, "the"))
        space(&c);
    if (sl_english_day(&c, &d)) {
        after_day = c;
        if ((year_after(&c, &y) || relative_year(&c, &y)) && day_fits(y, m, d))
            return done(&c, sl_days_of(y, m, d), ret);
        c = after_day;
        space(&c);
        if (byte(&c, '-') || sl_scan_bytes(c.text, &c.at, "\xE2\x80\x93") || word(&c, "to") ||
            word(&c, "and") || word(&c, "through")) {
            space(&c);
            if (sl_english_day(&c, &last) && year_after(&c, &y) && day_fits(y, m, d) && day_fits(y, m, last) &&
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
    if (!sl_english_day(&c, &d))
        return false;
    (void)byte(&c, '.');
    try = c;
    space(&try);
    last = d;
    if (byte(&try, '-') || sl_scan_bytes(c.text, &try.at, "\xE2\x80\x93") || word(&try, "to") ||
        word(&try, "and")) {
        space(&try);
        if (sl_english_day(&try, &last) && last >= d)
            c = try;
        else
            last = d;
    }
    space(&c);
    if (word(&c, "of"))
        space(&c);
    if (!sl_english_month(&c, &m))
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
    return done(&c, sl_days_of_season(y, season == 4 ? 2 : season), ret);
}

/* FY 2018, FY 2018 (calendar), fiscal year 2018, the year 2018 */
static bool read_named_year(struct cursor c, struct sl_date_atom *ret)
{
    int y;

    if (word(&c, "the"))
        space(&c);
    if (!word(&c, "FY") && !word(&c, "fiscal year") && !word(&c, "fiscal") &&
        !word(&c, "calendar year") && !word(&c, "calendar") && !word(&c, "year of") &&
        !word(&c, "year"))
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

/* the 1990s, the '70s. A century is no date: who asks about one asks about a matter, not for documents of it */
static bool read_age(struct cursor c, struct sl_date_atom *ret)
{
    bool article = skip(&c, "the");
    int y;

    (void)(byte(&c, '\'') || sl_scan_bytes(c.text, &c.at, "\xE2\x80\x98") ||
           sl_scan_bytes(c.text, &c.at, "\xE2\x80\x99"));
    if (!digits(&c, 2, 4, &y) || y % 10 != 0)
        return false;
    if (y < 100) /* the 40s are the 1940s */
        y += !article ? 0 : y < 20 ? 2000 : 1900;
    (void)(byte(&c, '\'') || sl_scan_bytes(c.text, &c.at, "\xE2\x80\x99"));
    if (!fits_year(y) || !word(&c, "s"))
        return false;
    done(&c, sl_days_of_months(y, 1, 120), ret);
    ret->weak = true;
    return true;
}

/* 2015, 2015 December */
static bool read_year(struct cursor c, struct sl_date_atom *ret)
{
    struct cursor try;
    int y, m;

    if (!year(&c, &y))
        return false;
    try = c;
    space(&try);
    if (byte(&try, ','))
        space(&try);
    if (sl_english_month(&try, &m) && try.at - c.at > 2) /* 2015 December, "2015, Dec" */
        return done(&try, sl_days_of(y, m, 0), ret);
    done(&c, sl_days_of(y, 0, 0), ret);
    ret->weak = true;
    return true;
}

bool sl_english_absolute(struct cursor c, struct sl_date_atom *ret)
{
    int weekday;
    struct cursor try = c;

    if (sl_english_weekday(&try, &weekday)) { /* Wednesday, December 16, 2015 */
        (void)byte(&try, ',');
        space(&try);
        return (read_month_first(try, ret) || read_day_first(try, ret)) && !ret->partial;
    }
    return read_digits(c, ret) || read_code(c, ret) || read_part(c, ret) || read_season(c, ret) ||
           read_named_year(c, ret) || read_month_first(c, ret) || read_day_first(c, ret);
}

static bool read_plain(struct cursor c, struct sl_date_atom *ret)
{
    struct sl_date_atom relative;

    if (sl_english_relative(c, &relative)) { /* the longer one: "the 20th of next month" */
        if (!sl_english_absolute(c, ret) || ret->partial || ret->end < relative.end)
            *ret = relative;
        return true;
    }
    return sl_english_absolute(c, ret) || read_age(c, ret) || read_year(c, ret);
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
