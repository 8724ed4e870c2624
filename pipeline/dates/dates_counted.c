/*
 * dates_counted.c -- lengths of time from a date on: two weeks after May 3, 2019, within three months of March 2019,
 * 2019년 3월 5일부터 2주간, 2019년 3월 이후 6개월, 오늘로부터 2주 전.
 *
 * "Two weeks after" a day is one day; with a word that says it lasts (for, within, following, 동안, 이내) it is all of
 * the time from the date on, the date among it. Without a date nothing is read: "within 30 days", 30일 이내 and 3년 이상
 * are terms that a text sets, and not times of documents.
 */
#include "dates_cursor.h"

enum relation { NO_RELATION, AFTER, BEFORE, LASTING_AFTER, LASTING_BEFORE };

/* What `amount` from the date on means: all of the time, or where it ends. */
static struct sl_day_range counted(struct sl_day_range from, const struct sl_amount *amount,
                                   enum relation relation)
{
    bool back = relation == BEFORE || relation == LASTING_BEFORE;
    int count = back ? -amount->count : amount->count;
    struct sl_day_range days;

    if (relation == LASTING_AFTER || relation == LASTING_BEFORE) {
        days.from = back ? sl_day_shifted(from.from, amount->unit, count) : from.from;
        days.to = back ? from.to : sl_day_shifted(from.to, amount->unit, count);
        return days;
    }
    if (from.from == from.to || amount->unit < SL_UNIT_MONTH) {
        days.from = days.to = sl_day_shifted(back ? from.from : from.to, amount->unit, count);
        return days;
    }
    days.from = sl_day_shifted(from.from, amount->unit, count); /* two years after 2011 is 2013 */
    days.to = sl_day_shifted(from.to + 1, amount->unit, count) - 1;
    return days;
}

static void settle(sl_day today, struct sl_date_atom *atom)
{
    if (atom->partial)
        sl_date_resolve(atom, today, false);
}

/* ------------------------------------------------------------------------------------- English */

static enum relation english_relation(struct cursor *c, bool lasting, bool within)
{
    static const struct {
        const char *word;
        enum relation plain, lasting;
    } words[] = {{"after", AFTER, LASTING_AFTER},
                 {"from", AFTER, LASTING_AFTER},
                 {"since", NO_RELATION, LASTING_AFTER},
                 {"following", LASTING_AFTER, LASTING_AFTER},
                 {"starting from", LASTING_AFTER, LASTING_AFTER},
                 {"starting on", LASTING_AFTER, LASTING_AFTER},
                 {"starting", LASTING_AFTER, LASTING_AFTER},
                 {"beginning", LASTING_AFTER, LASTING_AFTER},
                 {"before", BEFORE, LASTING_BEFORE},
                 {"prior to", BEFORE, LASTING_BEFORE},
                 {"preceding", LASTING_BEFORE, LASTING_BEFORE},
                 {"leading up to", LASTING_BEFORE, LASTING_BEFORE},
                 {"up to", NO_RELATION, LASTING_BEFORE}};

    if (within && skip(c, "of")) /* within two weeks of May 3 */
        return LASTING_AFTER;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (skip(c, words[i].word))
            return lasting ? words[i].lasting : words[i].plain;
    return NO_RELATION;
}

static bool english(struct cursor c, struct sl_date_atom *ret)
{
    static const char *const lasting_words[] = {"within", "for", "during the", "over the", "in the", "the", NULL};
    struct sl_amount amount;
    struct sl_date_atom day;
    enum relation relation;
    int which;
    bool lasting = any_of(&c, lasting_words, &which);

    space(&c);
    (void)(lasting && which < 5 && skip(&c, "the"));
    (void)(lasting && skip(&c, "first"));
    if (!sl_english_amount(&c, &amount))
        return false;
    (void)byte(&c, ',');
    space(&c);
    relation = english_relation(&c, lasting, lasting && which == 0);
    if (relation == NO_RELATION || !sl_date_english(c.text, c.at, c.today, &day))
        return false;
    settle(c.today, &day);
    *ret = (struct sl_date_atom){.days = counted(day.days, &amount, relation), .end = day.end,
                                 .yearless = day.yearless};
    return true;
}

/* -------------------------------------------------------------------------------------- Korean */

static bool starts_hangul(struct sl_view text, size_t at)
{
    return at < text.size && (unsigned char)text.data[at] >= 0xEA && (unsigned char)text.data[at] <= 0xED;
}

/* What the words behind the length say; `before`: those before it said 전. */
static enum relation korean_relation(struct sl_view text, size_t *at, bool before, bool of_days)
{
    static const struct sl_named terms[] = {{"이상", 0}, {"초과", 0}, {"미만", 0}, {"이하", 0}, {"연속", 0},
                                            {"만에", 0}, {"마다", 0}, {"넘", 0},   {"차", 0},   {NULL, 0}};
    static const struct sl_named words[] = {{"동안", LASTING_AFTER}, {"간", LASTING_AFTER},
                                            {"이내", LASTING_AFTER}, {"내", LASTING_AFTER},
                                            {"안", LASTING_AFTER},
                                            {"후", AFTER},           {"뒤", AFTER},
                                            {"전", BEFORE},          {NULL, 0}};
    size_t i = *at;
    int relation = LASTING_AFTER, ignored;

    sl_scan_space(text, &i);
    if (sl_scan_named(text, &i, terms, &ignored))
        return NO_RELATION;
    if (sl_scan_named(text, &i, words, &relation))
        *at = i;
    else if (of_days || starts_hangul(text, *at))
        return NO_RELATION; /* 4일부터 22일 사이, 22일까지 */
    if (!before)
        return (enum relation)relation;
    return relation == LASTING_AFTER ? LASTING_BEFORE : NO_RELATION;
}

static bool korean(struct sl_view text, size_t at, sl_day today, struct sl_date_atom *ret)
{
    static const struct sl_named joining[] = {{"으로부터", 0}, {"로부터", 0}, {"부터", 0}, {"이후로", 0},
                                              {"이후", 0},     {"후", 0},     {"이전", 1}, {"전", 1},
                                              {NULL, 0}};
    struct sl_date_atom day;
    struct sl_amount amount;
    enum relation relation;
    int before;
    size_t i;

    if (!sl_date_korean(text, at, today, &day))
        return false;
    i = day.end;
    sl_scan_space(text, &i);
    if (!sl_scan_named(text, &i, joining, &before))
        return false;
    sl_scan_space(text, &i);
    if (!sl_korean_amount(text, &i, &amount))
        return false;
    relation = korean_relation(text, &i, before != 0, amount.unit == SL_UNIT_DAY);
    if (relation == NO_RELATION)
        return false;
    settle(today, &day);
    *ret = (struct sl_date_atom){.days = counted(day.days, &amount, relation), .end = i,
                                 .yearless = day.yearless};
    return true;
}

bool sl_date_counted(struct sl_view text, size_t at, sl_day today, struct sl_date_atom *ret)
{
    return korean(text, at, today, ret) || english((struct cursor){text, at, today}, ret);
}
