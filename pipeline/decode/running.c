/*
 * running.c -- running heads that text extraction joined into the sentences of a page.
 *
 * "... rises to 2.4 percent for this year and Chair Yellen's Press Conference FINAL rises to ..."
 * is no line of its own any more, but it kept the rhythm of pages: it stands a page apart, or two
 * or three, where a head was lost. Three words in a row with capitals or numbers, digits blotted
 * out, are a candidate; it is a head when it comes six times or more, half of them inside a
 * sentence, and most distances are a multiple of the shortest. No phrase that an author repeats
 * does that.
 *
 * Known weakness: in scripts without capitals only heads with numbers are seen.
 */
#include "clean.h"
#include "text/text_internal.h"

#include <stdlib.h>

enum {
    WORDS = 3, /* of a candidate */
    REPEATS_MIN = 6,
    PAGE_BYTES_MIN = 800,
    CANDIDATES_MAX = 200000,
    PAGES_MISSED = 4 /* distances of more pages say nothing */
};

struct candidate {
    uint64_t hash;
    uint32_t start, end;
    bool inside; /* of a sentence, as far as the word before tells */
};

/* One word of a head. */
struct word {
    uint64_t hash;
    uint32_t start;
    bool capital;
};

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Read the word at `start`; false when no head has such a word. */
static bool head_word(struct sl_view text, uint32_t start, uint32_t end, struct word *ret)
{
    struct sl_view view = sl_view_range(text, start, end);
    uint64_t hash = 14695981039346656037u;
    bool number = digit(view.data[0]), of = sl_view_is(view, "of");

    *ret = (struct word){.start = start, .capital = view.data[0] >= 'A' && view.data[0] <= 'Z'};
    for (size_t i = 0; i < view.size; i++) {
        bool repeated = i > 0 && digit(view.data[i]) && digit(view.data[i - 1]);
        char c = digit(view.data[i]) ? '0' : view.data[i];
        if (!repeated)
            hash = (hash ^ (unsigned char)c) * 1099511628211u;
    }
    ret->hash = hash;
    return number || of || ret->capital;
}

/* Stands the word at `start` on a line behind a word that ends no sentence? */
static bool is_inside(struct sl_view text, uint32_t start)
{
    return start >= 2 && text.data[start - 1] == ' ' &&
           strchr(".!?:;,|>)\"", text.data[start - 2]) == NULL &&
           (unsigned char)text.data[start - 2] > ' ';
}

/* Call for all candidates; stores them when `out` is there. Returns how many there are. */
static uint32_t collect(struct sl_view text, struct candidate *out)
{
    struct word words[WORDS];
    uint32_t count = 0, run = 0;

    for (uint32_t at = 0, end; at < text.size && count < CANDIDATES_MAX; at = end) {
        for (; at < text.size && (unsigned char)text.data[at] <= ' '; at++)
            run = text.data[at] == ' ' ? run : 0; /* a head stands on one line */
        for (end = at; end < text.size && (unsigned char)text.data[end] > ' ';)
            end++;
        if (end == at)
            break;
        memmove(words, words + 1, (WORDS - 1) * sizeof *words);
        run = head_word(text, at, end, &words[WORDS - 1]) ? run + 1 : 0;
        if (run < WORDS ||
            !(words[0].capital || words[1].capital || words[2].capital ||
              sl_view_is(sl_view_range(text, words[1].start, words[1].start + 2), "of")))
            continue;
        if (out != NULL)
            out[count] =
                (struct candidate){(words[0].hash * 31 + words[1].hash) * 31 + words[2].hash,
                                   words[0].start, end, is_inside(text, words[0].start)};
        count++;
    }
    return count;
}

static int compare(const void *left, const void *right)
{
    const struct candidate *a = left, *b = right;

    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    return a->start < b->start ? -1 : a->start > b->start;
}

/* Are most distances between them about a multiple of the shortest, and half of them a single one?
 */
static bool periodic(const struct candidate *all, uint32_t count)
{
    uint32_t page = UINT32_MAX, close = 0, single = 0, inside = all[0].inside;

    if (count < REPEATS_MIN)
        return false;
    for (uint32_t i = 1; i < count; i++)
        if (all[i].start - all[i - 1].start < page)
            page = all[i].start - all[i - 1].start;
    if (page < PAGE_BYTES_MIN)
        return false;
    page += page / 25; /* the shortest page is shorter than most */
    for (uint32_t i = 1; i < count; i++) {
        uint32_t distance = all[i].start - all[i - 1].start;
        uint32_t pages = (distance + page / 2) / page, off;

        off = distance > pages * page ? distance - pages * page : pages * page - distance;
        close += pages <= PAGES_MISSED && off <= page / 8 * pages;
        single += pages == 1 && off <= page / 8;
        inside += all[i].inside;
    }
    return inside * 2 >= count && close * 5 >= (count - 1) * 4 && single * 2 >= count - 1;
}

bool sl_clean_running(struct sl_view text, struct sl_arena *arena, struct sl_span **ret_spans,
                      uint32_t *ret_count)
{
    uint32_t count = collect(text, NULL), found = 0;
    struct candidate *all = SL_NEW_ARRAY(arena, struct candidate, count);
    struct sl_span *spans = SL_NEW_ARRAY(arena, struct sl_span, count);

    if (all == NULL || spans == NULL)
        return false;
    (void)collect(text, all);
    qsort(all, count, sizeof *all, compare);
    for (uint32_t first = 0, next; first < count; first = next) {
        for (next = first + 1; next < count && all[next].hash == all[first].hash; next++)
            ;
        if (periodic(all + first, next - first))
            for (uint32_t i = first; i < next; i++)
                spans[found++] = (struct sl_span){all[i].start, all[i].end};
    }
    *ret_spans = spans;
    *ret_count = found;
    return true;
}
