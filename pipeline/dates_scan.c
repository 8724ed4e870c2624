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

struct sl_day_range sl_days_of_unit(sl_day today, enum sl_unit unit, int shift)
{
    int year, month, day;
    sl_day monday = today - ((today + 3) % 7 + 7) % 7; /* day 0 was a Thursday */

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
    if (length >= 365) /* whole months: January-April, May-August, September-December */
        return sl_days_of_months(year, 1 + 4 * third, 4);
    part.from = days.from + (is_month ? 10 * third : length * third / 3);
    part.to = days.from + (is_month ? 10 * (third + 1) : length * (third + 1) / 3) - 1;
    if (third == 2)
        part.to = days.to;
    return part;
}
