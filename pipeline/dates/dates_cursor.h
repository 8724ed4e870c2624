/*
 * dates_cursor.h -- a place in a text from which one English date is tried; what both files that do so share.
 *
 * A cursor is passed by value to what may fail, and by address to what moves it.
 */
#ifndef SLUICE_DATES_CURSOR_H
#define SLUICE_DATES_CURSOR_H

#include "dates_internal.h"

struct cursor {
    struct sl_view text;
    size_t at;
    sl_day today;
};

static inline bool byte(struct cursor *c, char wanted)
{
    if (c->at >= c->text.size || c->text.data[c->at] != wanted)
        return false;
    c->at++;
    return true;
}

static inline bool word(struct cursor *c, const char *wanted)
{
    return sl_scan_word(c->text, &c->at, wanted);
}

static inline bool any_of(struct cursor *c, const char *const *words, int *ret_index)
{
    return sl_scan_any_word(c->text, &c->at, words, ret_index);
}

static inline void space(struct cursor *c)
{
    sl_scan_space(c->text, &c->at);
}

/* A word that may stand there, with the space behind it. */
static inline bool skip(struct cursor *c, const char *wanted)
{
    if (!word(c, wanted))
        return false;
    space(c);
    return true;
}

static inline bool digits(struct cursor *c, int min, int max, int *ret)
{
    return sl_scan_digits(c->text, &c->at, min, max, ret);
}

static inline bool at_letter_or_digit(const struct cursor *c)
{
    char here = c->at < c->text.size ? c->text.data[c->at] : ' ';

    return (here >= '0' && here <= '9') || ((here | 0x20) >= 'a' && (here | 0x20) <= 'z');
}

static inline bool done(const struct cursor *c, struct sl_day_range days, struct sl_date_atom *ret)
{
    *ret = (struct sl_date_atom){.days = days, .end = c->at};
    return true;
}

/* dates_english.c: a month's name; 16, 16th, sixteenth; monday = 0; a date with its year; "first" = 1 .. 31 */
bool sl_english_month(struct cursor *c, int *ret);
bool sl_english_day(struct cursor *c, int *ret);
bool sl_english_weekday(struct cursor *c, int *ret);
bool sl_english_ordinal(struct cursor *c, int *ret);
bool sl_english_absolute(struct cursor c, struct sl_date_atom *ret);
/* behind a month, quarter or holiday: ", 2015", " of last year" */
bool sl_english_year_after(struct cursor *c, int *ret);

/* dates_words.c: nineteen ninety-nine; the eighties (1980); one .. ninety-nine */
bool sl_english_year_words(struct cursor *c, int *ret);
bool sl_english_decade_words(struct cursor *c, int *ret);
bool sl_english_small_words(struct cursor *c, int *ret);

/* dates_holidays.c: Christmas 2018, last Easter */
bool sl_english_holiday(struct cursor c, struct sl_date_atom *ret);

/* dates_relative.c: last -1, this 0, next 1, with the space behind it; SL_SHIFT_NONE when there is no such word */
#define SL_SHIFT_NONE 9
int sl_english_shift(struct cursor *c);
/* three weeks; a week, a few months */
bool sl_english_amount(struct cursor *c, struct sl_amount *ret);
/* every form that counts from today, and parts of what such a form names */
bool sl_english_relative(struct cursor c, struct sl_date_atom *ret);

#endif
