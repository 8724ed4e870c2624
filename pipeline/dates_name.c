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

/* 20151216, 2015_12_16, 2015-12-16, 2015.12.16, 2015-12 among letters and marks */
static bool read_digits(struct sl_view name, size_t at, struct sl_date_atom *ret)
{
    struct cursor c = {name, at, 0}, months;
    int number, month, day;
    char mark;

    if (digits(&c, 8, 8, &number)) {
        day = number % 100, month = number / 100 % 100, number /= 10000;
    } else {
        if (!digits(&c, 4, 4, &number) || c.at >= name.size || !memchr("-_.", name.data[c.at], 3))
            return false;
        mark = name.data[c.at++];
        if (!digits(&c, 2, 2, &month))
            return false;
        months = c;
        if (!byte(&c, mark) || !digits(&c, 2, 2, &day))
            c = months, day = 0;
        if (day == 0 && mark == '.')
            return false;
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
    unsigned char before = at > 0 ? (unsigned char)name.data[at - 1] : ' ';

    if ((before | 0x20) >= 'a' && (before | 0x20) <= 'z')
        return false;
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
        bool inside = at > 0 && ((name.data[at - 1] >= '0' && name.data[at - 1] <= '9') ||
                                 ((unsigned char)name.data[at] & 0xC0) == 0x80);
        if (inside || (!read_digits(name, at, &atom) && !read_words(name, at, &atom))) {
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
