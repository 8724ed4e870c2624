/*
 * dates_holidays.c -- days that have a name: Christmas 2018, Thanksgiving of last year, 2019년
 * 광복절.
 *
 * What falls on one day of the calendar, on a weekday of a month, or hangs on Easter is computed.
 * Feasts of the lunar calendar (설날, 추석, Ramadan) are left out: they need a table of observed
 * new moons for each year. A name without a year is no date here: "Christmas" is mostly what is
 * asked about.
 */
#include "dates_cursor.h"

enum { LAST = 0, EASTER = -1 };

struct holiday {
    const char *name;
    signed char month;   /* EASTER: `day` counts from there */
    signed char day;     /* or the number of the weekday in the month */
    signed char weekday; /* Monday 1; 0: `day` is a day */
};

static const struct holiday ENGLISH[] = {{"christmas eve", 12, 24, 0},
                                         {"christmas day", 12, 25, 0},
                                         {"christmas", 12, 25, 0},
                                         {"boxing day", 12, 26, 0},
                                         {"new year's eve", 12, 31, 0},
                                         {"new years eve", 12, 31, 0},
                                         {"new year's day", 1, 1, 0},
                                         {"new years day", 1, 1, 0},
                                         {"new year day", 1, 1, 0},
                                         {"halloween", 10, 31, 0},
                                         {"valentine's day", 2, 14, 0},
                                         {"valentines day", 2, 14, 0},
                                         {"independence day", 7, 4, 0},
                                         {"saint patrick's day", 3, 17, 0},
                                         {"st patrick's day", 3, 17, 0},
                                         {"st. patrick's day", 3, 17, 0},
                                         {"earth day", 4, 22, 0},
                                         {"veterans day", 11, 11, 0},
                                         {"may day", 5, 1, 0},
                                         {"juneteenth", 6, 19, 0},
                                         {"epiphany", 1, 6, 0},
                                         {"martin luther king day", 1, 3, 1},
                                         {"presidents' day", 2, 3, 1},
                                         {"presidents day", 2, 3, 1},
                                         {"memorial day", 5, LAST, 1},
                                         {"labor day", 9, 1, 1},
                                         {"labour day", 9, 1, 1},
                                         {"columbus day", 10, 2, 1},
                                         {"mother's day", 5, 2, 7},
                                         {"mothers day", 5, 2, 7},
                                         {"father's day", 6, 3, 7},
                                         {"fathers day", 6, 3, 7},
                                         {"thanksgiving day", 11, 4, 4},
                                         {"thanksgiving", 11, 4, 4},
                                         {"good friday", EASTER, -2, 0},
                                         {"easter monday", EASTER, 1, 0},
                                         {"easter sunday", EASTER, 0, 0},
                                         {"easter", EASTER, 0, 0},
                                         {"pentecost", EASTER, 49, 0},
                                         {"ascension day", EASTER, 39, 0},
                                         {NULL, 0, 0, 0}};

static const struct holiday KOREAN[] = {{"크리스마스 이브", 12, 24, 0},
                                        {"크리스마스", 12, 25, 0},
                                        {"성탄절", 12, 25, 0},
                                        {"신정", 1, 1, 0},
                                        {"삼일절", 3, 1, 0},
                                        {"3·1절", 3, 1, 0},
                                        {"3.1절", 3, 1, 0},
                                        {"식목일", 4, 5, 0},
                                        {"근로자의 날", 5, 1, 0},
                                        {"노동절", 5, 1, 0},
                                        {"어린이날", 5, 5, 0},
                                        {"어버이날", 5, 8, 0},
                                        {"스승의 날", 5, 15, 0},
                                        {"현충일", 6, 6, 0},
                                        {"제헌절", 7, 17, 0},
                                        {"광복절", 8, 15, 0},
                                        {"개천절", 10, 3, 0},
                                        {"한글날", 10, 9, 0},
                                        {"핼러윈", 10, 31, 0},
                                        {"부활절", EASTER, 0, 0},
                                        {NULL, 0, 0, 0}};

/* Easter Sunday by the anonymous Gregorian rule (Meeus, Jones, Butcher). */
static sl_day easter(int year)
{
    int a = year % 19, b = year / 100, c = year % 100;
    int h = (19 * a + b - b / 4 - (b - (b + 8) / 25 + 1) / 3 + 15) % 30;
    int l = (32 + 2 * (b % 4) + 2 * (c / 4) - h - c % 4) % 7;
    int m = (a + 11 * h + 22 * l) / 451, days = h + l - 7 * m + 114;

    return sl_day_from_civil(year, days / 31, days % 31 + 1);
}

static struct sl_day_range holiday_in(const struct holiday *holiday, int year)
{
    struct sl_day_range days;

    if (holiday->month == EASTER) {
        days.from = days.to = easter(year) + holiday->day;
        return days;
    }
    if (holiday->weekday == 0)
        return sl_days_of(year, holiday->month, holiday->day);
    (void)sl_days_of_weekday(sl_days_of(year, holiday->month, 0), holiday->weekday - 1,
                             holiday->day, &days);
    return days;
}

/* Black Friday is no weekday of its month but the day after Thanksgiving. */
static const struct holiday THANKSGIVING = {"", 11, 4, 4};

static bool english_name(struct cursor *c, const struct holiday **ret, int *ret_behind)
{
    *ret_behind = 0;
    (void)skip(c, "the");
    if (word(c, "black friday")) {
        *ret = &THANKSGIVING;
        *ret_behind = 1;
        return true;
    }
    for (*ret = ENGLISH; (*ret)->name != NULL; ++*ret)
        if (word(c, (*ret)->name))
            return true;
    return false;
}

/* last Easter, next Thanksgiving: the nearest before or after today; this Christmas: of this year
 */
static struct sl_day_range nearest(const struct holiday *holiday, int behind, sl_day today,
                                   int shift)
{
    int year, ignored;
    struct sl_day_range days;

    sl_day_to_civil(today, &year, &ignored, &ignored);
    days = holiday_in(holiday, year);
    if (shift < 0 && days.from + behind >= today)
        days = holiday_in(holiday, year - 1);
    else if (shift > 0 && days.from + behind <= today)
        days = holiday_in(holiday, year + 1);
    return days;
}

bool sl_english_holiday(struct cursor c, struct sl_date_atom *ret)
{
    const struct holiday *holiday;
    struct sl_day_range days;
    int shift = sl_english_shift(&c), behind, year;

    if (!english_name(&c, &holiday, &behind))
        return false;
    if (shift != SL_SHIFT_NONE)
        days = nearest(holiday, behind, c.today, shift);
    else if (sl_english_year_after(&c, &year))
        days = holiday_in(holiday, year);
    else
        return false;
    days.from += behind;
    days.to = days.from;
    return done(&c, days, ret);
}

bool sl_korean_holiday(struct sl_view text, size_t *at, int year, struct sl_day_range *ret)
{
    size_t i = *at;

    (void)sl_scan_bytes(text, &i, "의");
    sl_scan_space(text, &i);
    for (const struct holiday *holiday = KOREAN; holiday->name != NULL; holiday++)
        if (sl_scan_bytes(text, &i, holiday->name)) {
            *at = i;
            *ret = holiday_in(holiday, year);
            return true;
        }
    return false;
}
