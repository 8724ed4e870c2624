/*
 * dates.c -- days as numbers, and ISO 8601 dates as the days they cover.
 *
 * A day is a count from 1970-01-01 in the proleptic Gregorian calendar; the conversions work on a year
 * that starts in March, so that the leap day is the last one and needs no special case. timegm() and
 * struct tm were left out: they are slower, range over int years only and depend on the C library.
 * A date in the text of a question is read by dates_question.c.
 */
#include <sluice/dates.h>
#include <sluice/error.h>

#include <stdio.h>

#include "dates_internal.h"

#define MS_PER_DAY INT64_C(86400000)

static bool is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

int sl_month_days(int year, int month)
{
    static const int days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    SL_PRE(month >= 1 && month <= 12);
    return days[month - 1] + (month == 2 && is_leap(year) ? 1 : 0);
}

sl_day sl_day_from_civil(int year, int month, int day)
{
    int64_t shifted = (int64_t)year - (month <= 2 ? 1 : 0); /* the year starts in March */
    int64_t era = (shifted >= 0 ? shifted : shifted - 399) / 400;
    int64_t year_of_era = shifted - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    int64_t days = era * 146097 + day_of_era - 719468;

    if (days <= INT32_MIN)
        return SL_DAY_NONE + 1;
    return days >= INT32_MAX ? SL_DAY_MAX - 1 : (sl_day)days;
}

void sl_day_to_civil(sl_day day, int *ret_year, int *ret_month, int *ret_day)
{
    int64_t shifted = (int64_t)day + 719468;
    int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    int64_t day_of_era = shifted - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * day_of_year + 2) / 153;

    *ret_day = (int)(day_of_year - (153 * month_from_march + 2) / 5 + 1);
    *ret_month = (int)(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
    *ret_year = (int)(year_of_era + era * 400 + (*ret_month <= 2 ? 1 : 0));
}

sl_day sl_day_of_ms(int64_t unix_ms)
{
    int64_t days = unix_ms / MS_PER_DAY - (unix_ms % MS_PER_DAY < 0 ? 1 : 0);

    if (days <= INT32_MIN)
        return SL_DAY_NONE + 1;
    return days >= INT32_MAX ? SL_DAY_MAX - 1 : (sl_day)days;
}

void sl_day_format(sl_day day, char *ret_text)
{
    int year, month, day_of_month;

    sl_day_to_civil(day, &year, &month, &day_of_month);
    if (year < 0)
        year = 0, month = 1, day_of_month = 1;
    else if (year > 9999)
        year = 9999, month = 12, day_of_month = 31;
    (void)snprintf(ret_text, 11, "%04u-%02u-%02u", (unsigned)year % 10000, (unsigned)month % 100,
                   (unsigned)day_of_month % 100);
}

struct sl_day_range sl_days_of(int year, int month, int day)
{
    struct sl_day_range days;

    days.from = sl_day_from_civil(year, month ? month : 1, day ? day : 1);
    if (month == 0)
        days.to = sl_day_from_civil(year, 12, 31);
    else if (day == 0)
        days.to = sl_day_from_civil(year, month, sl_month_days(year, month));
    else
        days.to = days.from;
    return days;
}

/* Exactly `digits` digits at text[*at]: their value, and *at moves on. -1: something else. */
static int number_at(struct sl_view text, size_t *at, size_t digits)
{
    int value = 0;

    if (*at > text.size || text.size - *at < digits)
        return -1;
    for (size_t i = 0; i < digits; i++) {
        char c = text.data[*at + i];
        if (c < '0' || c > '9')
            return -1;
        value = value * 10 + (c - '0');
    }
    *at += digits;
    return value;
}

static bool is_at(struct sl_view text, size_t at, char c)
{
    return at < text.size && text.data[at] == c;
}

/* Z, +hh, +hhmm or +hh:mm up to the end. */
static bool is_zone(struct sl_view text, size_t at)
{
    if (is_at(text, at, 'Z') || is_at(text, at, 'z'))
        return at + 1 == text.size;
    if (!is_at(text, at, '+') && !is_at(text, at, '-'))
        return false;
    at++;
    int hour = number_at(text, &at, 2), minute = 0;
    if (at < text.size) {
        at += is_at(text, at, ':') ? 1 : 0;
        minute = number_at(text, &at, 2);
    }
    return hour >= 0 && hour <= 23 && minute >= 0 && minute <= 59 && at == text.size;
}

/* hh, hh:mm, hh:mm:ss, hh:mm:ss.fraction and a zone, up to the end. */
static bool is_time(struct sl_view text, size_t at)
{
    int hour = number_at(text, &at, 2), minute = 0, second = 0;

    if (is_at(text, at, ':')) {
        at++;
        minute = number_at(text, &at, 2);
        if (is_at(text, at, ':')) {
            at++;
            second = number_at(text, &at, 2);
        }
    }
    if (hour < 0 || hour > 24 || minute < 0 || minute > 59 || second < 0 || second > 60)
        return false;
    if (is_at(text, at, '.') || is_at(text, at, ',')) {
        size_t first = ++at;
        while (at < text.size && text.data[at] >= '0' && text.data[at] <= '9')
            at++;
        if (at == first)
            return false;
    }
    return at == text.size || is_zone(text, at);
}

bool sl_date_iso(struct sl_view text, struct sl_day_range *ret_days)
{
    size_t at = 0;
    int year = number_at(text, &at, 4), month = 0, day = 0;

    if (year < 0)
        return false;
    if (is_at(text, at, '-')) {
        at++;
        month = number_at(text, &at, 2);
        if (month < 1 || month > 12)
            return false;
        if (is_at(text, at, '-')) {
            at++;
            day = number_at(text, &at, 2);
            if (day < 1 || day > sl_month_days(year, month))
                return false;
        }
    }
    if (at < text.size) { /* only a time may follow, and only a whole date */
        if (day == 0 || !(is_at(text, at, 'T') || is_at(text, at, 't') || is_at(text, at, ' ')) ||
            !is_time(text, at + 1))
            return false;
    }
    *ret_days = sl_days_of(year, month, day);
    return true;
}
