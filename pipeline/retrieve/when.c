/*
 * when.c -- what a question's time makes of the search: filter and weights.
 *
 * A document has a date, or bounds of validity, or both. "In 2015" wants what is dated so, or was in force
 * then; "as of" a day wants what was in force, and of what has no bounds the last published by then.
 * "Current" is as of today, but only where documents have bounds: elsewhere it prefers the newest, as "latest"
 * does. Newer is relative to the newest document found, so that an archive answers as a feed does.
 *
 * Only short questions prefer the newest: in a long one "current" belongs to its background, and preferring
 * the newest there cost most of what was found (fomc-qa, 55 questions of 585: nDCG@10 .28 to .05).
 *
 * Rejected: a filter for "latest" (the last document of all is rarely of the matter asked about).
 */
#include <math.h>
#include <strings.h>

#include <sluice/filter.h>
#include <sluice/json.h>

#include "dates/dates_internal.h"
#include "retrieve_internal.h"

#define NEWEST_HALF_LIFE_DAYS 180.0 /* unless the configured one is shorter */

static bool has_word(struct sl_view text, const char *const *words, const char *const *unless)
{
    for (size_t at = 0; at < text.size; at++) {
        size_t end = at;
        int ignored;
        bool inside = at > 0 && (((text.data[at - 1] | 0x20) >= 'a' && (text.data[at - 1] | 0x20) <= 'z') ||
                                 text.data[at - 1] == '-');
        if (inside || (unless != NULL && sl_scan_any_word(text, &end, unless, &ignored)))
            continue;
        if (sl_scan_any_word(text, &end, words, &ignored))
            return true;
    }
    return false;
}

static bool has_bytes(struct sl_view text, const char *const *strings)
{
    for (; *strings != NULL; strings++)
        if (memmem(text.data, text.size, *strings, strlen(*strings)) != NULL)
            return true;
    return false;
}

void sl_when_read(struct sl_view question, sl_day today, struct sl_when *ret)
{
    static const char *const newest[] = {"latest", "newest", "most recent", "most recently", "current",
                                         "currently", "up-to-date", "up to date", "right now", NULL};
    static const char *const currents[] = {"current account", "current density", "current flow",
                                           "current events", NULL};
    static const char *const newest_korean[] = {"최근", "최신", "현행", "현재", "요즘", NULL};
    static const char *const versions[] = {"versions", "history", "amended", "amendments", "amendment",
                                           "changed", "changes", "revisions", "difference",
                                           "differences", "compare", "compared", NULL};
    static const char *const versions_korean[] = {"개정", "연혁", "변천", "바뀌었", "바뀐", "달라졌", "차이", "비교",
                                                  NULL};

    *ret = (struct sl_when){0};
    ret->date_read = sl_date_read(question, today, &ret->date);
    ret->newest = !ret->date_read && sl_question_is_short(question) &&
                  (has_word(question, newest, currents) || has_bytes(question, newest_korean));
    ret->versions = has_word(question, versions, NULL) || has_bytes(question, versions_korean);
    if (ret->date_read && !ret->date.as_of && ret->date.days.from != ret->date.days.to)
        ret->versions = true; /* of a whole year each version counts */
}

static bool in_force_at(const struct sl_when *when, sl_day today, struct sl_day_range *ret)
{
    *ret = when->date.days;
    if (when->date_read && when->date.as_of)
        ret->from = ret->to;
    else if (when->newest && !when->date_read)
        *ret = (struct sl_day_range){today, today};
    else
        return false;
    return true;
}

enum sl_err sl_when_select(const struct sl_snapshot *snapshot, struct sl_when *when, sl_day today,
                           struct sl_arena *arena, const struct sl_filter **ret_filter,
                           struct sl_error *err)
{
    struct sl_day_range days;
    bool in_force = in_force_at(when, today, &days);
    const struct sl_filter *valid = sl_filter_valid(arena, SL_FILTER_VALID_IN, days);
    const struct sl_filter *dates = NULL, *at;
    struct sl_selection *selection = NULL;
    enum sl_err e;

    *ret_filter = NULL;
    if (!when->date_read && !in_force)
        return SL_OK;
    if (valid == NULL)
        return sl_fail(err, SL_REJECT, "too_large", "search: no memory for a filter");
    if ((e = sl_snapshot_select(snapshot, valid, arena, &selection, err)))
        return e;
    when->has_validity = sl_selection_count(selection) > 0;
    if (when->date_read) {
        dates = sl_filter_dates(arena, (struct sl_day_range){in_force ? SL_DAY_NONE : days.from, days.to});
        if (dates != NULL && when->has_validity)
            dates = sl_filter_or(arena, dates, valid);
        if (dates == NULL)
            return sl_fail(err, SL_REJECT, "too_large", "search: no memory for a filter");
    }
    if (in_force && when->has_validity) {
        at = sl_filter_valid(arena, SL_FILTER_VALID_AT, days);
        if (at == NULL || (dates = sl_filter_and(arena, at, dates)) == NULL)
            return sl_fail(err, SL_REJECT, "too_large", "search: no memory for a filter");
    }
    *ret_filter = dates;
    return SL_OK;
}

static void write_bounds(struct sl_buffer *out, struct sl_day_range days)
{
    char text[11];

    if (days.from != SL_DAY_NONE) {
        sl_day_format(days.from, text);
        sl_buffer_format(out, "date >= \"%s\"%s", text, days.to != SL_DAY_MAX ? " and " : "");
    }
    if (days.to != SL_DAY_MAX) {
        sl_day_format(days.to, text);
        sl_buffer_format(out, "date <= \"%s\"", text);
    }
}

void sl_when_write(const struct sl_when *when, sl_day today, struct sl_buffer *out)
{
    struct sl_day_range days;
    bool in_force = in_force_at(when, today, &days), bounds = in_force && when->has_validity;
    char from[11], to[11];

    sl_day_format(days.from, from);
    sl_day_format(days.to, to);
    if (bounds)
        sl_buffer_format(out, "valid_at(\"%s\")%s", to, when->date_read ? " and " : "");
    if (!when->date_read)
        return;
    if (when->has_validity)
        sl_buffer_format(out, "(");
    write_bounds(out, (struct sl_day_range){in_force ? SL_DAY_NONE : days.from, days.to});
    if (when->has_validity)
        sl_buffer_format(out, " or valid_in(\"%s\", \"%s\"))", from, to);
}

double sl_when_weight(double age_days, double half_life_days)
{
    if (half_life_days <= 0 || half_life_days > NEWEST_HALF_LIFE_DAYS)
        half_life_days = NEWEST_HALF_LIFE_DAYS;
    return age_days > 0 ? exp2(-age_days / half_life_days) : 1;
}
