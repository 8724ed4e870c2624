/*
 * dates_internal.h -- what the date files share.
 *
 *     dates.c           days and ISO dates
 *     dates_question.c  ranges, open ends, and which of several dates a question means
 *     dates_english.c   one date in English words or digits
 *     dates_korean.c    one date in Korean
 */
#ifndef SLUICE_DATES_INTERNAL_H
#define SLUICE_DATES_INTERNAL_H

#include <sluice/dates.h>

#define SL_YEAR_MIN 1600
#define SL_YEAR_MAX 2199

/* Days of a month, 1..12, of a year. */
int sl_month_days(int year, int month);

/* The days of a year (month 0), a month (day 0) or a day. */
struct sl_day_range sl_days_of(int year, int month, int day);

/* `count` whole months from the month of (year, month) on; month may lie outside 1..12. */
struct sl_day_range sl_days_of_months(int year, int month, int count);

enum sl_unit { SL_UNIT_DAY = 1, SL_UNIT_WEEK, SL_UNIT_MONTH, SL_UNIT_QUARTER, SL_UNIT_YEAR };

/* The unit that lies `shift` units from today: (week, -1) is last week, from Monday on. */
struct sl_day_range sl_days_of_unit(sl_day today, enum sl_unit unit, int shift);

/* The third of `days` that early (0), mid (1) or late (2) means. */
struct sl_day_range sl_days_third(struct sl_day_range days, int third);

/* One date that stands at a place of a text. */
struct sl_date_atom {
    struct sl_day_range days;
    size_t end;
    bool weak;    /* a bare year: a date only with a word such as "in" before it */
    bool partial; /* no year: days are of year 0, to be filled in from the other end of a range */
};

bool sl_date_english(struct sl_view text, size_t at, sl_day today, struct sl_date_atom *ret);
bool sl_date_korean(struct sl_view text, size_t at, sl_day today, struct sl_date_atom *ret);

/* Scanning: each moves *at past what it took and returns true, or leaves it and returns false. */
bool sl_scan_digits(struct sl_view text, size_t *at, int min, int max, int *ret_value);
bool sl_scan_word(struct sl_view text, size_t *at, const char *word); /* ASCII, either case, whole */
bool sl_scan_bytes(struct sl_view text, size_t *at, const char *bytes);
bool sl_scan_any_word(struct sl_view text, size_t *at, const char *const *words, int *ret_index);
void sl_scan_space(struct sl_view text, size_t *at);

#endif
