/*
 * dates_relative.c -- English dates that count from today: last year, the past three weeks, last
 * Friday, last spring, two months ago, earlier this year; and parts of a period: the first week of
 * March 2015, the 20th of next month, Friday of last week.
 *
 * People do not agree on some of these. Chosen: "last Friday" lies in last week and "past Friday"
 * is the one before today; the n-th week of a month is the n-th that has its Thursday there, as ISO
 * 8601 counts; "two years ago" is that whole year, for a question rarely means one day of it.
 * Without a period that carries its year ("the first week of March") nothing is read.
 */
#include "dates_cursor.h"

#define RECENT_UNITS 3 /* "recent months" are the last three */

/* last: -1, this: 0, next: 1; *ret_nearest when it counts from today and not from this week. */
static int shift_word(struct cursor *c, bool *ret_nearest)
{
    static const char *const words[] = {
        "this past", "this coming", "this upcoming", "last",   "previous", "past", "this",
        "current",   "next",        "following",     "coming", "upcoming", NULL};
    static const int shifts[] = {-1, 1, 1, -1, -1, -1, 0, 0, 1, 1, 1, 1};
    int index;

    if (!any_of(c, words, &index))
        return SL_SHIFT_NONE;
    space(c);
    *ret_nearest = index <= 2 || index == 5 || index == 11;
    return shifts[index];
}

static bool unit_word(struct cursor *c, enum sl_unit *ret)
{
    static const char *const words[] = {"day", "week", "month", "quarter", "year", "decade", NULL};
    int index;

    (void)(skip(c, "calendar") || skip(c, "fiscal"));
    if (!any_of(c, words, &index))
        return false;
    *ret = (enum sl_unit)(index + 1);
    return true;
}

/* weeks; and week after "one" */
static bool units_word(struct cursor *c, int count, enum sl_unit *ret)
{
    static const char *const words[] = {"days",  "weeks",   "months", "quarters",
                                        "years", "decades", NULL};
    int index;

    if (count == 1 && unit_word(c, ret))
        return true;
    if (!any_of(c, words, &index))
        return false;
    *ret = (enum sl_unit)(index + 1);
    return true;
}

static bool small_number(struct cursor *c, int *ret)
{
    static const char *const numbers[] = {"one",    "two",    "three", "four", "five",
                                          "six",    "seven",  "eight", "nine", "ten",
                                          "eleven", "twelve", NULL};

    if (digits(c, 1, 3, ret))
        return *ret > 0;
    if (!any_of(c, numbers, ret))
        return false;
    ++*ret;
    return true;
}

int sl_english_shift(struct cursor *c)
{
    bool ignored;

    return shift_word(c, &ignored);
}

/* How many: three, a, a couple of; a few, several. */
static bool how_many(struct cursor *c, struct sl_amount *ret)
{
    static const struct {
        const char *word;
        int count, least, most;
    } words[] = {{"a couple of", 2, 2, 2}, {"couple of", 2, 2, 2}, {"a couple", 2, 2, 2},
                 {"couple", 2, 2, 2},      {"a few", 3, 2, 5},     {"few", 3, 2, 5},
                 {"several", 5, 3, 7},     {"a", 1, 1, 1},         {"an", 1, 1, 1}};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (word(c, words[i].word)) {
            ret->count = words[i].count, ret->least = words[i].least, ret->most = words[i].most;
            return true;
        }
    if (!small_number(c, &ret->count))
        return false;
    ret->least = ret->most = ret->count;
    return true;
}

bool sl_english_amount(struct cursor *c, struct sl_amount *ret)
{
    struct cursor try = *c;

    if (!how_many(&try, ret))
        return false;
    space(&try);
    if (word(&try, "fortnight") || word(&try, "fortnights")) {
        ret->count *= 2, ret->least *= 2, ret->most *= 2;
        ret->unit = SL_UNIT_WEEK;
    } else if (!units_word(&try, ret->count, &ret->unit)) {
        return false;
    }
    *c = try;
    return true;
}

/* the year before last, the week after next */
static bool beyond(struct cursor *c, enum sl_unit *ret_unit, int *ret_shift)
{
    struct cursor try = *c;

    if (!unit_word(&try, ret_unit))
        return false;
    space(&try);
    *ret_shift = word(&try, "before last") ? -2 : word(&try, "after next") || word(&try, "after the next") ? 2 : 0;
    if (*ret_shift == 0)
        return false;
    *c = try;
    return true;
}

/* last week, this month; a month's name with such a word; a month or a year that says which it is
 */
static bool period(struct cursor *c, struct sl_day_range *ret, enum sl_unit *ret_unit)
{
    struct cursor try = *c;
    struct sl_date_atom atom;
    bool nearest;
    int shift, y, m, d, length;

    (void)skip(&try, "the");
    if (beyond(&try, ret_unit, &shift)) {
        *ret = sl_days_of_unit(c->today, *ret_unit, shift);
        *c = try;
        return true;
    }
    shift = shift_word(&try, &nearest);
    if (shift != SL_SHIFT_NONE && unit_word(&try, ret_unit)) {
        *ret = sl_days_of_unit(c->today, *ret_unit, shift);
    } else if (shift != SL_SHIFT_NONE && sl_english_month(&try, &m)) {
        sl_day_to_civil(c->today, &y, &length, &d);
        y += shift < 0 && m >= length ? -1 : shift > 0 && m <= length ? 1 : 0;
        *ret = sl_days_of(y, m, 0);
        *ret_unit = SL_UNIT_MONTH;
    } else {
        try = *c;
        if (sl_english_absolute(try, &atom) && !atom.partial) {
            length = atom.days.to - atom.days.from;
            if (length < 27 || length > 365 || (length > 30 && length < 364))
                return false;
            *ret_unit = length > 30 ? SL_UNIT_YEAR : SL_UNIT_MONTH;
            *ret = atom.days;
            try.at = atom.end;
        } else if (sl_english_year_words(&try, &y)) {
            *ret_unit = SL_UNIT_YEAR;
            *ret = sl_days_of(y, 0, 0);
        } else if (digits(&try, 4, 4, &y) && y >= SL_YEAR_MIN && y <= SL_YEAR_MAX &&
                   !at_letter_or_digit(&try)) {
            *ret_unit = SL_UNIT_YEAR;
            *ret = sl_days_of(y, 0, 0);
        } else {
            return false;
        }
    }
    *c = try;
    return true;
}

static bool of_period(struct cursor *c, struct sl_day_range *ret, enum sl_unit *ret_unit)
{
    space(c);
    (void)(skip(c, "of") || skip(c, "in"));
    return period(c, ret, ret_unit);
}

/* Does the question, or a part of it, end here? */
static bool ends_clause(const struct cursor *c)
{
    return c->at >= c->text.size || memchr("?.!,;)", c->text.data[c->at], 6) != NULL;
}

/* Is one of `words` the word before? */
static bool stands_behind(const struct cursor *c, const char *const *words)
{
    size_t end = c->at, start;
    int ignored;

    while (end > 0 && c->text.data[end - 1] == ' ')
        end--;
    for (start = end; start > 0 && c->text.data[start - 1] != ' ';)
        start--;
    return start < end && sl_scan_any_word(c->text, &start, words, &ignored);
}

/* over the last year, in the past month: up to today, and not that of the calendar */
static bool read_up_to_today(struct cursor c, struct sl_date_atom *ret)
{
    static const char *const within[] = {"over", "in", "during", "within", NULL};
    static const char *const telling[] = {"of", "for", "in", "that", "when", "where", "before", "which", NULL};
    struct cursor behind;
    enum sl_unit unit;
    int ignored;

    if (!stands_behind(&c, within) || !skip(&c, "the") || (!skip(&c, "last") && !skip(&c, "past")) ||
        !unit_word(&c, &unit) || unit == SL_UNIT_DAY || unit == SL_UNIT_QUARTER)
        return false;
    behind = c;
    space(&behind);
    return !any_of(&behind, telling, &ignored) && done(&c, sl_days_span(c.today, unit, 1), ret);
}

/* last year, this month, the past three weeks, 3 past weeks, last December, last spring */
static bool read_shifted(struct cursor c, struct sl_date_atom *ret)
{
    static const char *const seasons[] = {"spring", "summer", "fall", "winter", "autumn", NULL};
    struct cursor start;
    struct sl_amount amount;
    enum sl_unit unit;
    struct sl_day_range days;
    size_t before = c.at >= 4 ? c.at - 4 : 0;
    bool article = sl_scan_word(c.text, &before, "the"), nearest;
    int shift, count, season;

    article = skip(&c, "the") || article;
    start = c;
    bool following = word(&c, "following");
    c = start;
    if (word(&c, "recent")) { /* recent months */
        space(&c);
        return units_word(&c, 2, &unit) && unit <= SL_UNIT_MONTH && done(&c, sl_days_span(c.today, unit, RECENT_UNITS), ret);
    }
    if (small_number(&c, &count)) { /* 3 past weeks */
        space(&c);
        shift = shift_word(&c, &nearest);
        if (shift == SL_SHIFT_NONE || shift == 0 || !units_word(&c, count, &unit))
            return false;
        return done(&c, sl_days_span(c.today, unit, -shift * count), ret);
    }
    if (beyond(&c, &unit, &shift))
        return unit > SL_UNIT_DAY && done(&c, sl_days_of_unit(c.today, unit, shift), ret);
    shift = shift_word(&c, &nearest);
    if (shift == SL_SHIFT_NONE)
        return false;
    if (shift != 0 && sl_english_amount(&c, &amount))
        return done(&c, sl_days_span(c.today, amount.unit, -shift * amount.count), ret);
    if (any_of(&c, seasons, &season))
        return done(&c, sl_days_of_season_near(c.today, season == 4 ? 2 : season, shift), ret);
    if (word(&c, "weekend")) {
        days = sl_days_of_unit(c.today, SL_UNIT_WEEK, shift);
        return done(&c, (struct sl_day_range){days.to - 1, days.to}, ret);
    }
    c = start;
    if (!period(&c, &days, &unit) || unit == SL_UNIT_DAY)
        return false;
    done(&c, days, ret);
    /* "the last year of the war", "eliminated the following week" */
    ret->weak = unit < SL_UNIT_DECADE && article && (following || (shift < 0 && !ends_clause(&c)));
    return true;
}

/* earlier this year: up to today; later this year: from today; year to date */
static bool read_so_far(struct cursor c, struct sl_date_atom *ret)
{
    enum sl_unit unit;
    bool earlier = skip(&c, "earlier"), later = !earlier && skip(&c, "later");
    struct sl_day_range days;

    if (!earlier && !later) {
        if (!unit_word(&c, &unit) || unit == SL_UNIT_DAY)
            return false;
        space(&c);
        return word(&c, "to date") &&
               done(&c, (struct sl_day_range){sl_days_of_unit(c.today, unit, 0).from, c.today},
                    ret);
    }
    if (!skip(&c, "this") || !unit_word(&c, &unit) || unit == SL_UNIT_DAY)
        return false;
    days = sl_days_of_unit(c.today, unit, 0);
    return done(&c,
                earlier ? (struct sl_day_range){days.from, c.today}
                        : (struct sl_day_range){c.today, days.to},
                ret);
}

/* the rest of 2019, the remainder of this year: what is still to come of it; all of what is over */
static bool read_rest(struct cursor c, struct sl_date_atom *ret)
{
    static const char *const words[] = {"rest", "remainder", NULL};
    struct sl_day_range days;
    enum sl_unit unit;
    int ignored;

    (void)skip(&c, "the");
    if (!any_of(&c, words, &ignored))
        return false;
    space(&c);
    if (!skip(&c, "of"))
        return false;
    struct cursor start = c;
    if (!period(&c, &days, &unit)) { /* the rest of the year */
        c = start;
        if (!skip(&c, "the") || !unit_word(&c, &unit) || unit == SL_UNIT_DAY)
            return false;
        days = sl_days_of_unit(c.today, unit, 0);
    }
    days.from = days.from <= c.today && c.today <= days.to ? c.today : days.from;
    return done(&c, days, ret);
}

/* the same month last year, this time last year, the same period of the previous year: that month
 * or quarter */
static bool read_same(struct cursor c, struct sl_date_atom *ret)
{
    static const char *const last_year[] = {
        "last year",     "a year ago", "a year earlier", "the previous year", "the year before",
        "previous year", NULL};
    enum sl_unit unit = SL_UNIT_MONTH;
    sl_day day;
    int ignored;

    (void)skip(&c, "the");
    if (!skip(&c, "this time") && !skip(&c, "same time") && !skip(&c, "same period") &&
        !(skip(&c, "same") && unit_word(&c, &unit)))
        return false;
    space(&c);
    (void)(skip(&c, "of") || skip(&c, "in"));
    if (unit > SL_UNIT_QUARTER || !any_of(&c, last_year, &ignored))
        return false;
    day = sl_day_shifted(c.today, SL_UNIT_YEAR, -1);
    return done(&c, sl_days_of_unit(day, unit, 0), ret);
}

/* last Friday, this Friday, past Friday; Friday of last week, last week Friday */
static bool read_weekday(struct cursor c, struct sl_date_atom *ret)
{
    struct cursor start = c;
    struct sl_day_range days;
    enum sl_unit unit;
    bool nearest;
    int weekday, shift;

    if (sl_english_weekday(&c, &weekday)) {
        space(&c);
        (void)(skip(&c, "of") || skip(&c, "in"));
        if (!period(&c, &days, &unit) || unit != SL_UNIT_WEEK)
            return false;
        return done(&c, (struct sl_day_range){days.from + weekday, days.from + weekday}, ret);
    }
    if (period(&c, &days, &unit) && unit == SL_UNIT_WEEK) {
        space(&c);
        (void)(skip(&c, "on") || skip(&c, "-"));
        if (!sl_english_weekday(&c, &weekday))
            return false;
        return done(&c, (struct sl_day_range){days.from + weekday, days.from + weekday}, ret);
    }
    c = start;
    shift = shift_word(&c, &nearest);
    if (shift == SL_SHIFT_NONE || !sl_english_weekday(&c, &weekday))
        return false;
    sl_day day = sl_day_monday(c.today) + weekday;
    if (!nearest)
        day += 7 * shift;
    else if (shift < 0 && day >= c.today)
        day -= 7;
    else if (shift > 0 && day <= c.today)
        day += 7;
    return done(&c, (struct sl_day_range){day, day}, ret);
}

/* yesterday; today and now, as ends of ranges */
static bool read_day(struct cursor c, struct sl_date_atom *ret)
{
    static const char *const present[] = {"today",        "now",     "the present",
                                          "present day",  "to date", "the current date",
                                          "current date", NULL};
    int count, shift;

    if (word(&c, "the day before yesterday"))
        return done(&c, sl_days_of_unit(c.today, SL_UNIT_DAY, -2), ret);
    if (word(&c, "the day after tomorrow"))
        return done(&c, sl_days_of_unit(c.today, SL_UNIT_DAY, 2), ret);
    if (any_of(&c, present, &count)) {
        done(&c, sl_days_of_unit(c.today, SL_UNIT_DAY, 0), ret);
        ret->weak = ret->now = true;
        return true;
    }
    shift = word(&c, "yesterday") ? -1 : word(&c, "tomorrow") ? 1 : SL_SHIFT_NONE;
    if (shift != SL_SHIFT_NONE) {
        done(&c, sl_days_of_unit(c.today, SL_UNIT_DAY, shift), ret);
        ret->weak = shift > 0;
        return true;
    }
    return false;
}

/* three weeks ago: that week; 1 month and 21 days ago; a few years ago: two to five */
static bool read_ago(struct cursor c, struct sl_date_atom *ret)
{
    struct sl_amount amount = {0};
    enum sl_unit smallest = SL_UNIT_DECADE;
    sl_day first = c.today, last = c.today;
    int terms = 0;

    for (; terms < 3 && sl_english_amount(&c, &amount); terms++) {
        first = sl_day_shifted(first, amount.unit, -amount.most);
        last = sl_day_shifted(last, amount.unit, -amount.least);
        smallest = amount.unit < smallest ? amount.unit : smallest;
        space(&c);
        if (byte(&c, ','))
            space(&c);
        (void)skip(&c, "and");
    }
    return terms > 0 && word(&c, "ago") &&
           done(&c,
                (struct sl_day_range){sl_days_of_unit(first, smallest, 0).from,
                                      sl_days_of_unit(last, smallest, 0).to},
                ret);
}

static int year_of(struct sl_day_range days)
{
    int year, ignored;

    sl_day_to_civil(days.from, &year, &ignored, &ignored);
    return year;
}

/* The last March that has begun, for "the first week of March". */
static bool month_alone(struct cursor *c, struct sl_day_range *ret, enum sl_unit *ret_unit)
{
    struct sl_date_atom atom = {0};
    int month;

    if (!sl_english_month(c, &month))
        return false;
    atom.days = sl_days_of(0, month, 0);
    sl_date_resolve(&atom, c->today, false);
    *ret = atom.days;
    *ret_unit = SL_UNIT_MONTH;
    return true;
}

/* the 20th of next month, the 15th day of next month; the first week of 2015; the last Friday of
 * March 2015 */
static bool read_ordinal_part(struct cursor c, struct sl_date_atom *ret)
{
    struct sl_day_range of, days;
    enum sl_unit unit, part = SL_UNIT_DAY;
    int number = 0, weekday = -1;
    bool named;

    (void)skip(&c, "the");
    if (!word(&c, "last") && !sl_english_ordinal(&c, &number))
        return false;
    space(&c);
    named = sl_english_weekday(&c, &weekday) || unit_word(&c, &part);
    space(&c);
    if ((!named && number == 0) || !(skip(&c, "of") || skip(&c, "in") || named) ||
        !(period(&c, &of, &unit) ||
          (named && part != SL_UNIT_MONTH && month_alone(&c, &of, &unit))) ||
        (unit != SL_UNIT_MONTH && unit != SL_UNIT_YEAR) || part >= unit)
        return false;
    if (weekday >= 0)
        return sl_days_of_weekday(of, weekday, number, &days) && done(&c, days, ret);
    if (part == SL_UNIT_WEEK)
        return sl_days_of_week(of, number, &days) && done(&c, days, ret);
    if (part == SL_UNIT_MONTH) {
        days = sl_days_of_months(year_of(of), number > 0 ? number : 12, 1);
        return days.to <= of.to && done(&c, days, ret);
    }
    if (part != SL_UNIT_DAY)
        return false;
    days.from = days.to = number > 0 ? of.from + number - 1 : of.to;
    return days.to <= of.to && done(&c, days, ret);
}

/* the first two weeks of 2021, the last four months of 2021 */
static bool read_counted_part(struct cursor c, struct sl_date_atom *ret)
{
    struct sl_day_range of, first;
    enum sl_unit unit, part;
    struct sl_amount amount;
    int count;
    bool leading;

    (void)skip(&c, "the");
    leading = skip(&c, "first");
    if ((!leading && !skip(&c, "last") && !skip(&c, "final")) || !sl_english_amount(&c, &amount) ||
        !of_period(&c, &of, &unit) || amount.unit >= unit)
        return false;
    part = amount.unit;
    count = amount.count;
    if (part == SL_UNIT_WEEK) {
        if (!sl_days_of_week(of, leading ? 1 : 0, &first))
            return false;
        of.from = leading ? first.from : first.from - 7 * (count - 1);
        of.to = leading ? first.to + 7 * (count - 1) : first.to;
    } else if (leading) {
        of.to = sl_day_shifted(of.from, part, count) - 1;
    } else {
        of.from = sl_day_shifted(of.to + 1, part, -count);
    }
    return done(&c, of, ret);
}

/* The week that a day lies in, or that begins with it. */
static bool week_from(struct cursor c, bool around, struct sl_date_atom *ret)
{
    struct sl_date_atom day;
    struct sl_day_range days;

    (void)(!around && skip(&c, "on"));
    if (!sl_english_absolute(c, &day) || day.days.from != day.days.to)
        return false;
    if (day.partial)
        sl_date_resolve(&day, c.today, false);
    c.at = day.end;
    days.from = around ? sl_day_monday(day.days.from) : day.days.from;
    days.to = days.from + 6;
    return done(&c, days, ret);
}

/* week 27 of 2015; the week of February 4, 2019: from its Monday; the week beginning February 4,
 * 2019 */
static bool read_week(struct cursor c, struct sl_date_atom *ret)
{
    struct sl_day_range of, days;
    enum sl_unit unit;
    int number;

    (void)skip(&c, "the");
    if (skip(&c, "w/c"))
        return week_from(c, false, ret);
    if (!skip(&c, "week"))
        return false;
    if (digits(&c, 1, 2, &number))
        return number > 0 && of_period(&c, &of, &unit) && unit == SL_UNIT_YEAR &&
               sl_days_of_week(of, number, &days) && done(&c, days, ret);
    bool around = skip(&c, "of");
    if (!around && !skip(&c, "beginning") && !skip(&c, "starting") && !skip(&c, "commencing"))
        return false;
    return week_from(c, around, ret);
}

/* this year's first quarter, last year's second half */
static bool read_part_of_year(struct cursor c, struct sl_date_atom *ret)
{
    bool nearest;
    int shift = shift_word(&c, &nearest), y, m, d, number;

    if (shift == SL_SHIFT_NONE || !word(&c, "year") ||
        !(sl_scan_bytes(c.text, &c.at, "'s") || sl_scan_bytes(c.text, &c.at, "\xE2\x80\x99s")))
        return false;
    space(&c);
    sl_day_to_civil(c.today, &y, &m, &d);
    if (!sl_english_ordinal(&c, &number))
        return false;
    space(&c);
    if (word(&c, "quarter") && number <= 4)
        return done(&c, sl_days_of_months(y + shift, number * 3 - 2, 3), ret);
    return word(&c, "half") && number <= 2 &&
           done(&c, sl_days_of_months(y + shift, number * 6 - 5, 6), ret);
}

bool sl_english_relative(struct cursor c, struct sl_date_atom *ret)
{
    return read_same(c, ret) || read_rest(c, ret) || read_up_to_today(c, ret) ||
           read_counted_part(c, ret) || read_ordinal_part(c, ret) || read_week(c, ret) ||
           read_weekday(c, ret) || read_part_of_year(c, ret) || read_so_far(c, ret) ||
           read_shifted(c, ret) || read_day(c, ret) || read_ago(c, ret);
}
