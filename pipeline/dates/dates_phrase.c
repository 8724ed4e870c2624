/*
 * dates_phrase.c -- how far the words of a date reach within a question.
 *
 * What is searched is the question without its date, and it must still read as one: "what was said about rates by
 * around March 2015?" would keep "by around", and "2015년 12월경에는" would keep 경에는. So words that are of no use without
 * their date go with it. Only words that a date leaves hanging are named here; a content word never goes.
 */
#include "dates_internal.h"

/* Where the word before `at` starts; `at` when a sign stands between. */
static size_t word_before(struct sl_view text, size_t at)
{
    size_t start = at;

    while (start > 0 && text.data[start - 1] == ' ')
        start--;
    while (start > 0 && memchr(" ,.;:?!([\"", text.data[start - 1], 10) == NULL)
        start--;
    return start;
}

static size_t grown_back(struct sl_view text, size_t start)
{
    static const char *const hanging[] = {
        "in",     "on",     "at",      "of",    "by",       "around", "about",   "circa",    "during",
        "through", "throughout", "from", "for", "since",    "until",  "till",    "to",       "up",
        "the",    "as",     "early",   "late",  "sometime", "back",   "month",   "months",   "week",
        "year",   "years",  "time",    "some",  "or",       "only",   "just",    "dated",    "within",
        "over",   "between", "after",  "before", "weekend", "quarter", "starting", "beginning", NULL};
    static const char *const leading[] = {"in", "on", "at", "of", "by", "around", "about", "circa", "during", "through",
                                          "throughout", "from", "for", "since", "until", "till", "to", "up", "as",
                                          "sometime", "back", "some", "dated", "within", "over", "between", "after",
                                          "before", "starting", "beginning", NULL};
    size_t at = start, end, grown = start;
    int ignored;

    for (;;) { /* the longest run of such words that begins with one that ties */
        size_t word = word_before(text, at);
        end = word;
        if (word == at || !sl_scan_any_word(text, &end, hanging, &ignored))
            return grown;
        at = word;
        end = word;
        if (sl_scan_any_word(text, &end, leading, &ignored))
            grown = word;
    }
}

static bool starts_hangul(struct sl_view text, size_t at)
{
    return at < text.size && (unsigned char)text.data[at] >= 0xEA && (unsigned char)text.data[at] <= 0xED;
}

/* One ending behind a date: a particle, which is part of its word, or a noun such as 무렵, which may stand alone. */
static bool past_ending(struct sl_view text, size_t *at)
{
    static const struct sl_named particles[] = {{"에는", 0}, {"에서는", 0}, {"에서", 0}, {"에", 0},   {"의", 0},
                                                {"으로", 0}, {"로", 0},     {"은", 0},   {"는", 0},   {"경", 0},
                                                {"께", 0},   {"자로", 0},   {"자", 0},   {"쯤", 0},   {NULL, 0}};
    static const struct sl_named nouns[] = {{"무렵", 0},  {"즈음", 0}, {"쯤", 0},   {"들어서", 0},
                                            {"들어", 0},  {"내내", 0}, {"한 해", 0}, {"한해", 0},
                                            {"한 달", 0}, {"동안", 0}, {"사이", 0}, {"전후", 0},
                                            {"전반에 걸쳐", 0}, {"중", 0}, {NULL, 0}};
    int ignored;

    if (sl_scan_named(text, at, particles, &ignored))
        return true;
    if ((unsigned char)text.data[*at - 1] >= 0x80)
        sl_scan_space(text, at);
    return sl_scan_named(text, at, nouns, &ignored);
}

static size_t grown_on(struct sl_view text, size_t end)
{
    for (size_t at = end; past_ending(text, &at);)
        if (!starts_hangul(text, at)) /* the whole word is spent: not 자료, 중국 */
            end = at;
    return end;
}

void sl_date_phrase(struct sl_view text, size_t *start, size_t *end)
{
    *start = grown_back(text, *start);
    *end = grown_on(text, *end);
}
