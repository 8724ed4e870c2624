/*
 * sluice/dates.h -- days, ISO dates, and the date range a question asks for.
 *
 * Where a function says nothing else: Owns: nothing. Thread: any. Blocks: no. Errors: none.
 */
#ifndef SLUICE_DATES_H
#define SLUICE_DATES_H

#include <stdbool.h>

#include <sluice/arena.h>
#include <sluice/document.h>
#include <sluice/error.h>
#include <sluice/view.h>

/* Between days and the civil calendar. month is 1..12; a day past the end of its month runs on into the next. */
sl_day sl_day_from_civil(int year, int month, int day);
void sl_day_to_civil(sl_day day, int *ret_year, int *ret_month, int *ret_day);
sl_day sl_day_of_ms(int64_t unix_ms); /* UTC */

/* "YYYY-MM-DD" plus NUL; years outside 0..9999 are clamped. `ret_text` is char[11]. */
void sl_day_format(sl_day day, char *ret_text);

/*
 * Read an ISO 8601 date: YYYY, YYYY-MM, YYYY-MM-DD, or one of these with a time behind it (then the day).
 *
 * Post:    true and *ret_days covers exactly what was named; false when `text` is nothing of the kind.
 * Owns:    nothing.
 * Thread:  any.
 * Blocks:  no.
 * Errors:  false
 */
bool sl_date_iso(struct sl_view text, struct sl_day_range *ret_days);

struct sl_date_found {
    struct sl_day_range days;
    size_t byte_start; /* the phrase within the question */
    size_t byte_end;
    bool as_of; /* asked is what was in force then: "as of 2002-04-08", "2002년 4월 8일 기준" */
};

/*
 * The date range a question asks for, English and Korean, absolute and relative to `today`:
 * ISO forms, "in December 2015", "in 2015", "mid 2019", "Q3 2015", "2015년 12월", "작년", ...
 *
 * Post:    true and *ret_found when one range was read with confidence; false when there is none, or when
 *          a number only looks like a year.
 * Owns:    nothing.
 * Thread:  any.
 * Blocks:  CPU: linear in the question.
 * Errors:  false
 */
bool sl_date_read(struct sl_view question, sl_day today, struct sl_date_found *ret_found);

/*
 * The date in a document's title or file name: one day, or month with its year, and no other date beside it.
 * English, Korean, ISO, and digits as in FOMC20151216confcall.txt.
 *
 * Post:    true and *ret_days, a day or a whole month, when there is exactly one.
 * Owns:    nothing.
 * Thread:  any.
 * Blocks:  no.
 * Errors:  false
 */
bool sl_date_of_name(struct sl_view name, struct sl_day_range *ret_days);

#endif /* SLUICE_DATES_H */
