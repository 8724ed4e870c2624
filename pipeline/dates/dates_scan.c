/* dates_scan.c -- small steps over a text, and calendar units; shared by the readers of dates. */
#include "dates_internal.h"

#include <strings.h>

static bool is_digit_at(struct sl_view text, size_t at)
{
    return at < text.size && text.data[at] >= '0' && text.data[at] <= '9';
}

static bool is_letter_at(struct sl_view text, size_t at)
{
    return at < text.size && ((text.data[at] | 0x20) >= 'a' && (text.data[at] | 0x20) <= 'z');
}

bool sl_scan_digits(struct sl_view text, size_t *at, int min, int max, int *ret_value)
{
    size_t i = *at;
    int value = 0, count = 0;

    if (i > 0 && is_digit_at(text, i - 1))
        return false;
    for (; is_digit_at(text, i) && count <= max; i++, count++)
        value = value * 10 + (text.data[i] - '0');
    if (count < min || count > max)
        return false;
    *ret_value = value;
    *at = i;
    return true;
}

bool sl_scan_bytes(struct sl_view text, size_t *at, const char *bytes)
{
    size_t size = strlen(bytes);

    if (*at > text.size || text.size - *at < size || memcmp(text.data + *at, bytes, size) != 0)
        return false;
    *at += size;
    return true;
}

bool sl_scan_word(struct sl_view text, size_t *at, const char *word)
{
    size_t size = strlen(word);

    if (*at > text.size || text.size - *at < size ||
        strncasecmp(text.data + *at, word, size) != 0 || is_letter_at(text, *at + size))
        return false;
    *at += size;
    return true;
}

bool sl_scan_any_word(struct sl_view text, size_t *at, const char *const *words, int *ret_index)
{
    for (int i = 0; words[i] != NULL; i++)
        if (sl_scan_word(text, at, words[i])) {
            *ret_index = i;
            return true;
        }
    return false;
}

bool sl_scan_named(struct sl_view text, size_t *at, const struct sl_named *names, int *ret_value)
{
    for (; names->text != NULL; names++)
        if (sl_scan_bytes(text, at, names->text)) {
            *ret_value = names->value;
            return true;
        }
    return false;
}

void sl_scan_space(struct sl_view text, size_t *at)
{
    for (;;) {
        if (*at < text.size && (text.data[*at] == ' ' || text.data[*at] == '\t' ||
                                text.data[*at] == '\n' || text.data[*at] == '\r'))
            ++*at;
        else if (!sl_scan_bytes(text, at, "\xC2\xA0")) /* no-break space */
            return;
    }
}

struct sl_day_range sl_days_of_months(int year, int month, int count)
{
    int first = year * 12 + month - 1, last = first + count - 1;
    struct sl_day_range days = sl_days_of(first / 12, first % 12 + 1, 0);

    days.to = sl_days_of(last / 12, last % 12 + 1, 0).to;
    return days;
}

struct sl_day_range sl_days_of_season(int year, int season)
{
    return sl_days_of_months(year, 3 + 3 * season, 3);
}

struct sl_day_range sl_days_of_season_near(sl_day today, int season, int shift)
{
    int year, month, day;
    struct sl_day_range days;

    sl_day_to_civil(today, &year, &month, &day);
    if (shift == 0) /* in January "this winter" is the one that began in December */
        return sl_days_of_season(year - (season == 3 && month <= 2 ? 1 : 0), season);
    days = sl_days_of_season(year + shift, season);
    for (int i = 0; i < 2; i++) {
        struct sl_day_range nearer = sl_days_of_season(year + shift - shift * (i + 1), season);
        if (shift < 0 ? nearer.to < today : nearer.from > today)
            days = nearer;
    }
    return days;
}

sl_day sl_day_monday(sl_day day)
{
    return day - ((day + 3) % 7 + 7) % 7; /* day 0 was a Thursday */
}

bool sl_days_of_week(struct sl_day_range of, int number, struct sl_day_range *ret)
{
    sl_day thursday = number > 0 ? sl_day_monday(of.from) + 3 : sl_day_monday(of.to) + 3;

    if (number > 0)
        thursday += (thursday < of.from ? 7 : 0) + 7 * (number - 1);
    else if (thursday > of.to)
        thursday -= 7;
    *ret = (struct sl_day_range){thursday - 3, thursday + 3};
    return thursday >= of.from && thursday <= of.to;
}

bool sl_days_of_weekday(struct sl_day_range of, int weekday, int number, struct sl_day_range *ret)
{
    sl_day day = sl_day_monday(number > 0 ? of.from : of.to) + weekday;

    if (number > 0)
        day += (day < of.from ? 7 : 0) + 7 * (number - 1);
    else if (day > of.to)
        day -= 7;
    *ret = (struct sl_day_range){day, day};
    return day >= of.from && day <= of.to;
}

sl_day sl_day_shifted(sl_day day, enum sl_unit unit, int count)
{
    int y, m, d, months;

    if (unit == SL_UNIT_DAY || unit == SL_UNIT_WEEK)
        return day + count * (unit == SL_UNIT_WEEK ? 7 : 1);
    months = unit == SL_UNIT_DECADE ? 120 : unit == SL_UNIT_YEAR ? 12 : unit == SL_UNIT_QUARTER ? 3 : 1;
    sl_day_to_civil(day, &y, &m, &d);
    months = y * 12 + m - 1 + count * months;
    y = months / 12;
    m = months % 12 + 1;
    return sl_day_from_civil(y, m, d < sl_month_days(y, m) ? d : sl_month_days(y, m));
}

struct sl_day_range sl_days_span(sl_day today, enum sl_unit unit, int count)
{
    struct sl_day_range days;

    if (unit == SL_UNIT_QUARTER || unit == SL_UNIT_DECADE) { /* whole ones: the last two quarters */
        days.from = sl_days_of_unit(today, unit, count > 0 ? -count : 1).from;
        days.to = sl_days_of_unit(today, unit, count > 0 ? -1 : -count).to;
        return days;
    }
    days.from = count > 0 ? sl_day_shifted(today, unit, -count) : today + 1;
    days.to = count > 0 ? today : sl_day_shifted(today, unit, -count);
    return days;
}

struct sl_day_range sl_days_of_unit(sl_day today, enum sl_unit unit, int shift)
{
    int year, month, day;
    sl_day monday = sl_day_monday(today);

    sl_day_to_civil(today, &year, &month, &day);
    switch (unit) {
    case SL_UNIT_DAY:
        return (struct sl_day_range){today + shift, today + shift};
    case SL_UNIT_WEEK:
        return (struct sl_day_range){monday + 7 * shift, monday + 7 * shift + 6};
    case SL_UNIT_MONTH:
        return sl_days_of_months(year, month + shift, 1);
    case SL_UNIT_QUARTER:
        return sl_days_of_months(year, (month - 1) / 3 * 3 + 1 + 3 * shift, 3);
    case SL_UNIT_DECADE:
        return sl_days_of_months(year / 10 * 10 + 10 * shift, 1, 120);
    case SL_UNIT_YEAR:
    default:
        return sl_days_of(year + shift, 0, 0);
    }
}

struct sl_day_range sl_days_third(struct sl_day_range days, int third)
{
    int year, month, day, length = days.to - days.from + 1;
    bool is_month = length >= 28 && length <= 31; /* 1-10, 11-20, 21-end */
    struct sl_day_range part;

    sl_day_to_civil(days.from, &year, &month, &day);
    if (length > 3000) /* 3, 4 and 3 years of a decade */
        return sl_days_of_months(year + (third > 0) * 3 + (third > 1) * 4, 1, third == 1 ? 48 : 36);
    if (length >= 365) /* whole months: January-April, May-August, September-December */
        return sl_days_of_months(year, 1 + 4 * third, 4);
    part.from = days.from + (is_month ? 10 * third : length * third / 3);
    part.to = days.from + (is_month ? 10 * (third + 1) : length * (third + 1) / 3) - 1;
    if (third == 2)
        part.to = days.to;
    return part;
}

bool sl_date_place(struct sl_date_atom *atom, int year)
{
    int ignored, month, day, last_month, last_day;
    bool one_day = atom->days.from == atom->days.to;

    sl_day_to_civil(atom->days.from, &ignored, &month, &day);
    sl_day_to_civil(atom->days.to, &ignored, &last_month, &last_day);
    if (day > sl_month_days(year, month))
        return false;
    if (last_day > sl_month_days(year, last_month)) /* February, whose year 0 is a leap year */
        last_day = sl_month_days(year, last_month);
    atom->days.from = sl_day_from_civil(year, month, day);
    atom->days.to = one_day ? atom->days.from : sl_day_from_civil(year, last_month, last_day);
    atom->partial = false;
    return true;
}

void sl_date_resolve(struct sl_date_atom *atom, sl_day today, bool either_side)
{
    struct sl_date_atom last = *atom, next = *atom;
    int year, ignored;

    sl_day_to_civil(today, &year, &ignored, &ignored);
    for (int y = year; !sl_date_place(&last, y) || last.days.from > today; y--)
        last = *atom;
    for (int y = year; !sl_date_place(&next, y) || next.days.from <= today; y++)
        next = *atom;
    *atom = either_side && next.days.from - today < today - last.days.from ? next : last;
}
