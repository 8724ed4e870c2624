/*
 * dates_internal.h -- what the date files share.
 *
 *     dates.c           days and ISO dates
 *     dates_question.c  ranges, open ends, and which of several dates a question means
 *     dates_english.c   one date in English words or digits
 *     dates_relative.c  English dates that count from today
 *     dates_korean.c    one date in Korean
 *     dates_korean_relative.c  Korean dates that count from today
 *     dates_words.c     years and days in words
 *     dates_holidays.c  days that have a name
 *     dates_counted.c   lengths of time from a date on
 *     dates_phrase.c    how far the words of a date reach
 *     dates_name.c      the date in a title or file name
 *     dates_scan.c      small steps over a text, and calendar units
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

enum sl_unit { SL_UNIT_DAY = 1, SL_UNIT_WEEK, SL_UNIT_MONTH, SL_UNIT_QUARTER, SL_UNIT_YEAR,
               SL_UNIT_DECADE };

/* The unit that lies `shift` units from today: (week, -1) is last week, from Monday on. */
struct sl_day_range sl_days_of_unit(sl_day today, enum sl_unit unit, int shift);

/* March to May of a year (0), June to August (1), September to November (2), December to February (3). */
struct sl_day_range sl_days_of_season(int year, int season);

/* The season that ended last before today (-1), that of this time of year (0), that begins next (1). */
struct sl_day_range sl_days_of_season_near(sl_day today, int season, int shift);

/* Monday of the week of a day. */
sl_day sl_day_monday(sl_day day);

/* The n-th week (1 ..; 0 = the last) of a month or year: of those whose Thursday lies in it. False: it has
 * none. */
bool sl_days_of_week(struct sl_day_range of, int number, struct sl_day_range *ret);

/* The n-th such weekday (Monday 0; n as above) in `of`. */
bool sl_days_of_weekday(struct sl_day_range of, int weekday, int number, struct sl_day_range *ret);

/* `count` units back or on from a day, as one day; the last of a shorter month. */
sl_day sl_day_shifted(sl_day day, enum sl_unit unit, int count);

/* The last `count` units up to today, or the next ones from tomorrow on when `count` < 0. */
struct sl_day_range sl_days_span(sl_day today, enum sl_unit unit, int count);

/* The third of `days` that early (0), mid (1) or late (2) means. */
struct sl_day_range sl_days_third(struct sl_day_range days, int third);

/* One date that stands at a place of a text. */
struct sl_date_atom {
    struct sl_day_range days;
    size_t end;
    bool weak;    /* a bare year: a date only with a word such as "in" before it */
    bool partial; /* no year: days are of year 0, to be filled in */
    bool yearless; /* the text says no year, whether it is filled in yet or not */
    bool now;     /* "now", "today": an end of a range, and no date by itself */
    bool ago;     /* Korean "so long before": before now, or before something */
    bool as_of;   /* asked is what was in force then */
};

/* A length of time. Few, several: `count` to look back, `least` to `most` when it is "ago". */
struct sl_amount {
    int count, least, most;
    enum sl_unit unit;
};

/* The days of a partial date in `year`; false when it has no such day (February 29). */
bool sl_date_place(struct sl_date_atom *atom, int year);

/* Fill in the year of a partial date: the last such that has begun, or the nearest to today on either side. */
void sl_date_resolve(struct sl_date_atom *atom, sl_day today, bool either_side);

bool sl_date_english(struct sl_view text, size_t at, sl_day today, struct sl_date_atom *ret);
bool sl_date_korean(struct sl_view text, size_t at, sl_day today, struct sl_date_atom *ret);

/* A length of time from a date on, and the words around it. */
bool sl_date_counted(struct sl_view text, size_t at, sl_day today, struct sl_date_atom *ret);

/* Widen [*start, *end) of a question to the words that hang on the date there. */
void sl_date_phrase(struct sl_view text, size_t *start, size_t *end);

/* A question of few words is about what it says; in a longer one, much is background. */
bool sl_question_is_short(struct sl_view question);

/* Scanning: each moves *at past what it took and returns true, or leaves it and returns false. */
bool sl_scan_digits(struct sl_view text, size_t *at, int min, int max, int *ret_value);
bool sl_scan_word(struct sl_view text, size_t *at, const char *word); /* ASCII, either case, whole */
bool sl_scan_bytes(struct sl_view text, size_t *at, const char *bytes);
bool sl_scan_any_word(struct sl_view text, size_t *at, const char *const *words, int *ret_index);
void sl_scan_space(struct sl_view text, size_t *at);

/* A text and what it stands for; the longer of two that begin alike comes first. NULL ends a list. */
struct sl_named {
    const char *text;
    int value;
};
bool sl_scan_named(struct sl_view text, size_t *at, const struct sl_named *names, int *ret_value);

/* Korean, in dates_korean.c: a number and its unit, "12 월"; what may stand behind a year, ... */
bool sl_korean_number(struct sl_view text, size_t *at, int min, int max, const char *unit, int *ret);
bool sl_korean_in_year(struct sl_view text, size_t at, int year, struct sl_date_atom *ret);
/* ... behind a month, and behind a week, a day of it or a third: always true, with `days` when there is none */
bool sl_korean_in_month(struct sl_view text, size_t at, struct sl_day_range days,
                        struct sl_date_atom *ret);
bool sl_korean_in_week(struct sl_view text, size_t at, struct sl_day_range days,
                       struct sl_date_atom *ret);
bool sl_korean_weekday(struct sl_view text, size_t *at, int *ret); /* Monday 0 */
bool sl_korean_absolute(struct sl_view text, size_t at, struct sl_date_atom *ret);
bool sl_korean_amount(struct sl_view text, size_t *at, struct sl_amount *ret); /* 3개월, 두 달, 몇 년 */
/* In dates_words.c: 이천십구 */
bool sl_korean_words(struct sl_view text, size_t *at, int *ret);
/* In dates_holidays.c: 크리스마스 behind a year */
bool sl_korean_holiday(struct sl_view text, size_t *at, int year, struct sl_day_range *ret);
/* In dates_korean_relative.c. */
bool sl_korean_relative(struct sl_view text, size_t at, sl_day today, struct sl_date_atom *ret);

#endif
