/*
 * dates_name.c -- the date in a document's title or file name: "Minutes of December 15-16, 2015",
 * FOMC20151216confcall.txt, 2015-12-16-press.md, 2015년 12월 회의록.
 *
 * For documents that come with no date of their own. Only what names a day or a month with its year counts: a bare
 * year in a title is as often part of a name, and nothing here counts from today. Of a meeting of two days the
 * last one is taken. Two different dates say that neither is the document's.
 */
#include "dates_cursor.h"

#define MEETING_MAX_DAYS 7
#define NAME_BYTES_MAX   512u /* what is longer is no title */

static bool is_digit(struct sl_view name, size_t at)
{
    return at < name.size && name.data[at] >= '0' && name.data[at] <= '9';
}

static bool is_letter(struct sl_view name, size_t at)
{
    return at < name.size && (name.data[at] | 0x20) >= 'a' && (name.data[at] | 0x20) <= 'z';
}

/* Letters and digits run on, as in an identifier: 20151216a4f; but 20151216T1400 is a time. */
static bool runs_on(struct sl_view name, size_t at)
{
    size_t start = at;

    while (is_letter(name, at))
        at++;
    return at > start && is_digit(name, at) && !(at == start + 1 && (name.data[start] | 0x20) == 't');
}

static bool has_hangul(struct sl_view name)
{
    for (size_t i = 0; i < name.size; i++)
        if ((unsigned char)name.data[i] >= 0xEA && (unsigned char)name.data[i] <= 0xED)
            return true;
    return false;
}

/* 151216, 15.12.16: as Korean files are named, and only there; six digits elsewhere are a number */
static bool read_short(struct sl_view name, size_t at, struct sl_date_atom *ret)
{
    struct cursor c = {name, at, 0};
    int number, year, month, day;

    if (!has_hangul(name) || (at > 0 && memchr("_-([ '", name.data[at - 1], 6) == NULL))
        return false;
    if (digits(&c, 6, 6, &number)) {
        year = number / 10000, month = number / 100 % 100, day = number % 100;
    } else if (!digits(&c, 2, 2, &year) || !byte(&c, '.') || !digits(&c, 1, 2, &month) || !byte(&c, '.') ||
               !digits(&c, 1, 2, &day)) {
        return false;
    }
    year += year < 50 ? 2000 : 1900;
    if (month < 1 || month > 12 || day < 1 || day > sl_month_days(year, month) ||
        (c.at < name.size && memchr("_-)] .", name.data[c.at], 6) == NULL) ||
        (c.at < name.size && name.data[c.at] == '.' && is_digit(name, c.at + 1)))
        return false;
    return done(&c, sl_days_of(year, month, day), ret);
}

/* 20151216, 2015_12_16, 2015-12-16, 2015.12.16, 2015-12 among letters and marks */
static bool read_digits(struct sl_view name, size_t at, struct sl_date_atom *ret)
{
    struct cursor c = {name, at, 0}, months;
    int number, month, day;
    size_t start;
    char mark;

    if (digits(&c, 8, 8, &number)) {
        day = number % 100, month = number / 100 % 100, number /= 10000;
        if (runs_on(name, c.at))
            return false;
    } else {
        if (!digits(&c, 4, 4, &number) || c.at >= name.size || !memchr("-_.", name.data[c.at], 3))
            return false;
        mark = name.data[c.at++];
        start = c.at;
        if (!digits(&c, 1, 2, &month))
            return false;
        months = c;
        if (!byte(&c, mark) || !digits(&c, 1, 2, &day))
            c = months, day = 0;
        if ((day == 0 && (mark == '.' || c.at - start < 2)) || sl_scan_bytes(name, &(size_t){c.at}, "호"))
            return false; /* 제2019-07호 is the number of a decree */
    }
    if (number < 1900 || number > 2099 || month < 1 || month > 12 ||
        (day != 0 && day > sl_month_days(number, month)) ||
        (day == 0 && c.at < name.size && name.data[c.at] >= '0' && name.data[c.at] <= '9'))
        return false;
    return done(&c, sl_days_of(number, month, day), ret);
}

static bool read_words(struct sl_view name, size_t at, struct sl_date_atom *ret)
{
    struct cursor c = {name, at, 0};

    if (at > 0 && (is_letter(name, at - 1) ||
                   (at > 1 && memchr("-/.", name.data[at - 1], 3) != NULL && is_digit(name, at - 2))))
        return false; /* within a word, or the rest of a number: 03-04-2015 */
    if (!sl_korean_absolute(name, at, ret) && !sl_english_absolute(c, ret))
        return false;
    return !ret->weak && !ret->partial;
}

/* A day, a month or the last day of a meeting; anything else is no document's date. */
static bool settle(struct sl_day_range *days)
{
    int year, month, day;
    struct sl_day_range whole;

    sl_day_to_civil(days->from, &year, &month, &day);
    whole = sl_days_of(year, month, 0);
    if (days->from == whole.from && days->to == whole.to)
        return true;
    if (days->to - days->from >= MEETING_MAX_DAYS)
        return false;
    days->from = days->to;
    return true;
}

bool sl_date_of_name(struct sl_view name, struct sl_day_range *ret_days)
{
    bool found = false;
    size_t at = 0;

    if (name.size > NAME_BYTES_MAX)
        return false;
    while (at < name.size) {
        struct sl_date_atom atom;
        bool inside =
            at > 0 && (is_digit(name, at - 1) || ((unsigned char)name.data[at] & 0xC0) == 0x80);
        if (inside || (!read_digits(name, at, &atom) && !read_words(name, at, &atom) &&
                       !read_short(name, at, &atom))) {
            at++;
            continue;
        }
        at = atom.end;
        if (!settle(&atom.days))
            continue;
        if (found && (ret_days->from != atom.days.from || ret_days->to != atom.days.to))
            return false;
        *ret_days = atom.days;
        found = true;
    }
    return found;
}
