/*
 * dates_english.c -- one date in English words or digits.
 *
 * Each form is a short function that tries itself at a place; the first that fits wins, so the longer ones
 * come first. 03/04/2015 is not read at all: half the world means April. A date without a year is left in the
 * year 0 (`partial`): the other end of a range, or the question's own time, says which is meant.
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

/* A year of four digits that are no part of 2,015 or 2015.5 or 2015%, or in words. */
static bool year(struct cursor *c, int *ret)
{
    struct cursor try = *c;
    size_t at = try.at;

    if (sl_english_year_words(c, ret))
        return true;
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

/* '19, or the two digits behind FY: 1950 .. 2049 */
static bool short_year(struct cursor *c, int *ret)
{
    if (!digits(c, 2, 2, ret) || at_letter_or_digit(c))
        return false;
    *ret += *ret < 50 ? 2000 : 1900;
    return true;
}

static bool apostrophe(struct cursor *c)
{
    return byte(c, '\'') || sl_scan_bytes(c->text, &c->at, "\xE2\x80\x98") ||
           sl_scan_bytes(c->text, &c->at, "\xE2\x80\x99");
}

static bool year_name(struct cursor *c)
{
    static const char *const names[] = {"the year", "fiscal year", "financial year", "fiscal",
                                        "calendar year", "calendar", "FY", "CY", NULL};
    int ignored;

    return any_of(c, names, &ignored);
}

/* ", 2015", " 2015", " of 2015", " '15", " of fiscal year 2015", " FY15" */
static bool year_after(struct cursor *c, int *ret)
{
    struct cursor try = *c, plain;

    space(&try);
    if (byte(&try, ','))
        space(&try);
    if (word(&try, "of") || word(&try, "in"))
        space(&try);
    bool named = year_name(&try);
    if (named)
        space(&try);
    plain = try;
    if (!year(&plain, ret)) {
        plain = try;
        if ((!apostrophe(&plain) && !named) || !short_year(&plain, ret))
            return false;
    }
    *c = plain;
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

bool sl_english_year_after(struct cursor *c, int *ret)
{
    return year_after(c, ret) || relative_year(c, ret);
}

/* A date that lacks its year, in the year 0. */
static bool yearless(const struct cursor *c, struct sl_day_range days, struct sl_date_atom *ret)
{
    done(c, days, ret);
    ret->partial = ret->yearless = ret->weak = true;
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

/* Does the number go on, as in 1/2/2015/7 and 10-2015-3? */
static bool at_mark_and_digit(const struct cursor *c)
{
    return c->at + 1 < c->text.size && memchr("-/.", c->text.data[c->at], 3) != NULL &&
           c->text.data[c->at + 1] >= '0' && c->text.data[c->at + 1] <= '9';
}

/* Is the number here one of a law? "Regulation 11/2016", "Regulation (EU) 11/2016", "No. 11/2016" */
static bool is_law(struct cursor c)
{
    static const char *const laws[] = {"regulation", "directive", "decision", "law", "act", "no", "number",
                                       "order", "case", "resolution", "opinion", "circular", "rule",
                                       "article", "decree", "ruling", "bill", "regulations", NULL};
    size_t end = c.at, start;
    int ignored;

    while (end > 0 && (c.text.data[end - 1] == ' ' || c.text.data[end - 1] == '.'))
        end--;
    if (end > 0 && c.text.data[end - 1] == ')')
        return true;
    for (start = end; start > 0 && (c.text.data[start - 1] | 0x20) >= 'a' &&
                      (c.text.data[start - 1] | 0x20) <= 'z';)
        start--;
    return sl_scan_any_word(c.text, &start, laws, &ignored);
}

/* 12/16/2015, 16.12.2015, 16-12-2015, 9/18/15 when only one reading fits; 11/2016, 11-2016 */
static bool read_year_last(struct cursor c, struct sl_date_atom *ret)
{
    bool law = is_law(c);
    int y, first, second;
    char mark;

    if (!digits(&c, 1, 2, &first) || c.at >= c.text.size ||
        memchr("-/.", c.text.data[c.at], 3) == NULL)
        return false;
    mark = c.text.data[c.at++];
    struct cursor months = c;
    if (mark != '.' && digits(&months, 4, 4, &y) && fits_year(y) && first >= 1 && first <= 12 &&
        !at_letter_or_digit(&months) && !at_mark_and_digit(&months))
        return !law && done(&months, sl_days_of(y, first, 0), ret);
    if (!digits(&c, 1, 2, &second) || !byte(&c, mark))
        return false;
    struct cursor two = c;
    if (!digits(&c, 4, 4, &y)) {
        c = two;
        if (mark != '/' || !short_year(&c, &y) || at_mark_and_digit(&c))
            return false;
    }
    if (at_letter_or_digit(&c) || !fits_year(y))
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
    return (read_year_first(c, ret) || read_year_last(c, ret) || read_named(c, ret) ||
            read_compact(c, ret)) &&
           !sl_scan_bytes(c.text, &(size_t){ret->end}, "호"); /* the number of a decree */
}

static struct sl_day_range days_of_month(int y, int m, int first, int last)
{
    return (struct sl_day_range){sl_day_from_civil(y, m, first), sl_day_from_civil(y, m, last)};
}

/* Twenty-five, as in "January twenty-five, 1986": only where a year follows, for "may one ask" is no date. */
static bool day_in_words(struct cursor *c, int *ret)
{
    struct cursor try = *c;

    if (!sl_english_small_words(&try, ret) || *ret > 31)
        return false;
    *c = try;
    return true;
}

/* What may stand between a month and its day: "Oct-2", "Oct/2", "October, 2nd" */
static void past_mark(struct cursor *c)
{
    struct cursor try = *c;
    int ignored;

    if (byte(&try, '-') || byte(&try, '/') || byte(&try, '.') || byte(&try, ',')) {
        space(&try);
        if (sl_english_day(&try, &ignored) && !at_mark_and_digit(&try) && ++c->at)
            space(c);
        return;
    }
    space(c);
}

/* As year_after(), and "April of 87"; but "April of 12" is a day. */
static bool year_after_month(struct cursor *c, int *ret)
{
    struct cursor try = *c;

    if (year_after(c, ret))
        return true;
    space(&try);
    if (!skip(&try, "of") || !short_year(&try, ret) || *ret % 100 < 32)
        return false;
    *c = try;
    return true;
}

/* December 16, 2015; December 2015; December 16-18, 2015; December (partial); December 16 (partial) */
static bool read_month_first(struct cursor c, struct sl_date_atom *ret)
{
    struct cursor after_month, after_day;
    int y, m, d, last;

    if (!sl_english_month(&c, &m))
        return false;
    after_month = c;
    if (year_after_month(&c, &y) || relative_year(&c, &y))
        return done(&c, sl_days_of(y, m, 0), ret);
    c = after_month;
    past_mark(&c);
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
            if (sl_english_day(&c, &last) && d <= last && day_fits(0, m, last)) {
                if (!year_after(&c, &y))
                    return yearless(&c, days_of_month(0, m, d, last), ret);
                if (day_fits(y, m, last))
                    return done(&c, days_of_month(y, m, d, last), ret);
            }
        }
        return day_fits(0, m, d) && yearless(&after_day, sl_days_of(0, m, d), ret);
    }
    c = after_month;
    space(&c);
    if (day_in_words(&c, &d)) {
        after_day = c;
        if (year_after(&c, &y) && day_fits(y, m, d))
            return done(&c, sl_days_of(y, m, d), ret);
        if (d > 20 && d % 10 != 0 && day_fits(0, m, d)) /* May twenty-one */
            return yearless(&after_day, sl_days_of(0, m, d), ret);
    }
    return yearless(&after_month, sl_days_of(0, m, 0), ret);
}

/* twenty-five January 1986 */
static bool words_day_first(struct cursor c, struct sl_date_atom *ret)
{
    int y, m, d;

    if (!day_in_words(&c, &d))
        return false;
    space(&c);
    (void)skip(&c, "of");
    return sl_english_month(&c, &m) && year_after(&c, &y) && day_fits(y, m, d) &&
           done(&c, sl_days_of(y, m, d), ret);
}

/* 16 December 2015; the 16th of December, 2015; 14-16 December 2015; 16 December (partial) */
static bool read_day_first(struct cursor c, struct sl_date_atom *ret)
{
    struct cursor try;
    int y, m, d, last;

    if (word(&c, "the"))
        space(&c);
    if (!sl_english_day(&c, &d))
        return words_day_first(c, ret);
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
    if ((year_after_month(&try, &y) || relative_year(&try, &y)) && day_fits(y, m, d) &&
        day_fits(y, m, last))
        return done(&try, days_of_month(y, m, d, last), ret);
    return day_fits(0, m, d) && day_fits(0, m, last) && yearless(&c, days_of_month(0, m, d, last), ret);
}

static bool part_of_year(const struct cursor *c, int y, char kind, int part, struct sl_date_atom *ret)
{
    int months = kind == 'q' ? 3 : 6;

    if (part < 1 || part > 12 / months)
        return false;
    return done(c, sl_days_of_months(y, (part - 1) * months + 1, months), ret);
}

/* Q3, 3Q, H1, 1H: the letter first or last */
static bool part_code(struct cursor *c, char *ret_kind, int *ret_part, bool *ret_digit_first)
{
    struct cursor try = *c;
    size_t letter = c->at;

    *ret_digit_first = digits(&try, 1, 1, ret_part);
    if (*ret_digit_first)
        letter = try.at;
    if (letter >= c->text.size)
        return false;
    *ret_kind = (char)(c->text.data[letter] | 0x20);
    try.at = letter + 1;
    if ((*ret_kind != 'q' && *ret_kind != 'h') || (!*ret_digit_first && !digits(&try, 1, 1, ret_part)))
        return false;
    *c = try;
    return true;
}

/* 2015 or FY15 before "Q3" */
static bool year_before_code(struct cursor *c, int *ret)
{
    struct cursor try = *c, plain;
    bool named = year_name(&try);

    if (named)
        space(&try);
    plain = try;
    if (!digits(&plain, 4, 4, ret) || !fits_year(*ret)) {
        plain = try;
        if (!named || !short_year(&plain, ret))
            return false;
    }
    *c = plain;
    space(c);
    if (byte(c, '-') || byte(c, '/') || byte(c, ','))
        space(c);
    return true;
}

/* Behind a code: " of 2015", "-2015", "'15", and 15 at once behind 3Q */
static bool year_after_code(struct cursor *c, bool digit_first, int *ret)
{
    struct cursor try = *c;

    if (digit_first && short_year(&try, ret)) {
        *c = try;
        return true;
    }
    try = *c;
    (void)byte(&try, '-');
    if (!sl_english_year_after(&try, ret))
        return false;
    *c = try;
    return true;
}

/* Q3 2015, Q3 of 2015, 3Q 2015, H1 2015, 2015 Q3, 2015Q3, 2015-Q3, FY15 Q3, Q3 FY15, 3Q15, Q3'15; Q3 (partial) */
static bool read_code(struct cursor c, struct sl_date_atom *ret)
{
    int y = 0, part;
    char kind;
    bool has_year = year_before_code(&c, &y), digit_first;

    if (!part_code(&c, &kind, &part, &digit_first))
        return false;
    has_year = has_year || year_after_code(&c, digit_first, &y);
    if (at_letter_or_digit(&c) || !part_of_year(&c, y, kind, part, ret))
        return false;
    return has_year || (kind == 'q' && yearless(&c, ret->days, ret));
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

/* school year 2019, academic year 2019-20, 2019/2020 school year: from August to July */
static bool read_school_year(struct cursor c, struct sl_date_atom *ret)
{
    static const char *const names[] = {"school year", "academic year", NULL};
    struct cursor try;
    int y, next, ignored;
    bool named;

    (void)skip(&c, "the");
    named = any_of(&c, names, &ignored) || word(&c, "SY");
    space(&c);
    if (!digits(&c, 4, 4, &y) && !(named && short_year(&c, &y)))
        return false;
    try = c;
    if ((byte(&try, '-') || byte(&try, '/') || sl_scan_bytes(try.text, &try.at, "\xE2\x80\x93")) &&
        digits(&try, 2, 4, &next) && (next == y + 1 || next == (y + 1) % 100))
        c = try;
    if (!named) {
        space(&c);
        if (!any_of(&c, names, &ignored))
            return false;
    }
    return fits_year(y) && !at_letter_or_digit(&c) && done(&c, sl_days_of_months(y, 8, 12), ret);
}

/* FY 2018, FY18, FY 2018 (calendar), fiscal year 2018, the year 2018 */
static bool read_named_year(struct cursor c, struct sl_date_atom *ret)
{
    struct cursor try;
    bool named;
    int y;

    (void)skip(&c, "the");
    named = year_name(&c);
    if (!named && !word(&c, "year of") && !word(&c, "year"))
        return false;
    space(&c);
    (void)(named && apostrophe(&c));
    try = c;
    if (!year(&c, &y)) {
        c = try;
        if (!named || !short_year(&c, &y))
            return false;
    }
    try = c;
    space(&try);
    if (sl_scan_bytes(try.text, &try.at, "(calendar)"))
        c = try;
    return done(&c, sl_days_of(y, 0, 0), ret);
}

/* the 1990s, the '70s. A century is no date: who asks about one asks about a matter, not for documents of it */
static bool read_age(struct cursor c, struct sl_date_atom *ret)
{
    bool article = skip(&c, "the"), whole;
    int y;

    if (sl_english_decade_words(&c, &y)) {
        done(&c, sl_days_of_months(y, 1, 120), ret);
        ret->weak = true;
        return true;
    }
    (void)apostrophe(&c);
    if (!digits(&c, 2, 4, &y) || y % 10 != 0)
        return false;
    whole = y > 1000;
    if (y < 100) /* the 40s are the 1940s */
        y += !article ? 0 : y < 20 ? 2000 : 1900;
    (void)apostrophe(&c);
    if (!fits_year(y) || !word(&c, "s"))
        return false;
    done(&c, sl_days_of_months(y, 1, 120), ret);
    ret->weak = !whole;
    return true;
}

/* 2015, 2015 December */
static bool read_year(struct cursor c, struct sl_date_atom *ret)
{
    struct cursor try;
    int y, m;

    if (!year(&c, &y) && !(apostrophe(&c) && short_year(&c, &y)))
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
        if (!read_month_first(try, ret) && !read_day_first(try, ret))
            return false;
        ret->weak = false;
        return ret->days.from == ret->days.to;
    }
    return read_school_year(c, ret) || read_digits(c, ret) || read_code(c, ret) || read_part(c, ret) || read_season(c, ret) ||
           read_named_year(c, ret) || sl_english_holiday(c, ret) || read_month_first(c, ret) ||
           read_day_first(c, ret);
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
    if (!read_plain(c, ret) || ret->days.to - ret->days.from < 6)
        return false;
    if (ret->partial)
        sl_date_resolve(ret, c.today, false);
    ret->days = sl_days_third(ret->days, third);
    ret->weak = false;
    return true;
}

bool sl_date_english(struct sl_view text, size_t at, sl_day today, struct sl_date_atom *ret)
{
    struct cursor c = {text, at, today};

    return read_third(c, ret) || read_plain(c, ret);
}
