/*
 * cuts.c -- where a text is parted into chunks, so that an edit moves only the cuts beside it.
 *
 * Each place between two units has a rank: what begins there (heading, speaker, paragraph,
 * sentence), then a hash of the unit that begins there. A place that outranks all others within
 * reach, on both sides, is an anchor and always a cut. Whether it is one depends on the text within
 * reach alone, so an edit changes no anchor further away, and everything between two anchors that
 * stay is cut as it was. Where two anchors are further apart than a chunk may be long, the stretch
 * is shared out from its start, at the place of the highest rank each time, into few parts: short
 * chunks hand on less of what they belong to.
 *
 * In a transcript the place between a question and its reply is no place to cut: a question is
 * found by its words, and the reply has others.
 *
 * Rejected: packing greedily until a chunk is full, and then looking back for the best place: an
 * edit moves all later cuts up to the next heading that happens to be met by both packings.
 * Rejected too: splitting at the highest rank, then each half at its highest: as stable, but many
 * chunks are much too short.
 *
 * Known weakness: sentences that are all the same have the same rank and no anchors; there an edit
 * moves the cuts of the whole run. No crafted text costs more than linear time.
 */
#include "chunk_internal.h"

#include <sluice/limits.h>

enum {
    CLASS_BITS = 8, /* of a rank: the kind of break and the heading's level; the rest is the hash */
    HEADING_LEVELS = 6
};

struct cutter {
    const struct sl_outline *outline;
    uint32_t words_max;
    uint32_t reach;     /* words on each side that an anchor outranks */
    uint32_t part_min;  /* words of a part when a stretch is shared out, if it can be helped */
    uint32_t part_full; /* words after which a part may end where it likes */
    uint64_t *ranks; /* [unit_count + 1] of the place before each unit; 0: no good place at all */
    uint32_t *words; /* [unit_count + 1] before each unit */
    uint32_t *cuts;
    uint32_t cut_count;
};

/* FNV-1a, its bits stirred once more: short units differ in few of them. */
static uint64_t hash_of(struct sl_view text)
{
    uint64_t hash = 14695981039346656037u;

    for (size_t i = 0; i < text.size; i++)
        hash = (hash ^ (unsigned char)text.data[i]) * 1099511628211u;
    hash = (hash ^ hash >> 32) * 0x9E3779B97F4A7C15u;
    return hash ^ hash >> 29;
}

/* A heading of level 1 is a better place than one of level 6. */
static uint64_t class_of(const struct sl_unit *unit)
{
    uint64_t class = (uint64_t)unit->before * (HEADING_LEVELS + 1);

    return unit->before == SL_BREAK_HEADING ? class + HEADING_LEVELS - unit->level : class;
}

static bool ends_with(struct sl_view text, struct sl_view end)
{
    return text.size >= end.size &&
           memcmp(text.data + text.size - end.size, end.data, end.size) == 0;
}

/* Does the unit end with a question mark, closing quotes and brackets aside? */
static bool is_question(struct sl_view text, const struct sl_unit *unit)
{
    static const struct sl_view closers[] = {{"\"", 1}, {"'", 1},      {")", 1},
                                             {"]", 1},  {"\u2019", 3}, {"\u201D", 3}};
    struct sl_view end = sl_view_range(text, unit->byte_start, unit->byte_end);
    size_t i = 0;

    while (i < sizeof closers / sizeof closers[0])
        if (ends_with(end, closers[i])) {
            end.size -= closers[i].size;
            i = 0;
        } else {
            i++;
        }
    return ends_with(end, SL_VIEW("?")) || ends_with(end, SL_VIEW("\uFF1F"));
}

/* May a chunk end with the unit before `i`? */
static bool is_place(const struct cutter *c, struct sl_view text, uint32_t i)
{
    const struct sl_unit *units = c->outline->units;

    return i > 0 && !units[i - 1].clings &&
           !(units[i].before == SL_BREAK_SPEAKER && is_question(text, &units[i - 1]));
}

static void rank_places(struct cutter *c, struct sl_view text)
{
    const struct sl_outline *outline = c->outline;

    for (uint32_t i = 0; i < outline->unit_count; i++) {
        const struct sl_unit *unit = &outline->units[i];
        uint64_t hash = hash_of(sl_view_range(text, unit->byte_start, unit->byte_end));

        c->words[i + 1] = c->words[i] + unit->words;
        if (is_place(c, text, i))
            c->ranks[i] = (class_of(unit) + 1) << (64 - CLASS_BITS) | hash >> CLASS_BITS;
    }
}

/*
 * Mark anchors in `anchors`: first every place that outranks what lies within reach before it, then
 * of these the ones that also outrank what comes after. `open` holds the places not yet outranked
 * by a later one, ranks falling.
 */
static void find_anchors(const struct cutter *c, bool *anchors, uint32_t *open)
{
    uint32_t count = c->outline->unit_count, open_count = 0, total = c->words[count];

    for (uint32_t i = 1; i < count; i++) {
        while (open_count > 0 && c->ranks[open[open_count - 1]] < c->ranks[i]) {
            uint32_t outranked = open[--open_count];
            if (c->words[i] - c->words[outranked] <= c->reach)
                anchors[outranked] = false;
        }
        anchors[i] = c->ranks[i] > 0 && c->words[i] >= c->reach &&
                     total - c->words[i] >= c->reach &&
                     (open_count == 0 || c->words[i] - c->words[open[open_count - 1]] > c->reach);
        open[open_count++] = i;
    }
}

/* May the units [first, next) be one chunk? */
static bool is_small(const struct cutter *c, uint32_t first, uint32_t next)
{
    const struct sl_unit *units = c->outline->units;

    return c->words[next] - c->words[first] <= c->words_max &&
           units[next - 1].byte_end - units[first].byte_start <= SL_CHUNK_BYTES_MAX;
}

/*
 * The end of the part that begins at `first` of a stretch that is too long and ends at `end`: of
 * the places that leave no part too short the one of the highest rank, of equals the one nearest to
 * what an even share would be. Where there is no such place, as much as fits. So early that the
 * rest needs a part more it ends only when it is nearly full.
 */
static uint32_t part_end(const struct cutter *c, uint32_t first, uint32_t end)
{
    uint32_t rest = c->words[end] - c->words[first], at, best = 0, best_off = 0;
    uint32_t parts = (rest + c->words_max - 1) / c->words_max, share = rest / parts;
    uint32_t least = rest / 3 < c->part_min ? rest / 3 : c->part_min;
    uint32_t least_first = rest - (parts - 1) * c->words_max;

    if (least_first > c->part_full)
        least_first = c->part_full;
    if (least_first < least)
        least_first = least;

    for (at = first + 1; at < end && is_small(c, first, at); at++) {
        uint32_t words = c->words[at] - c->words[first];
        uint32_t off = words > share ? words - share : share - words;
        bool heading = c->outline->units[at].before == SL_BREAK_HEADING;

        if (words < (heading ? least : least_first) || c->words[end] - c->words[at] < least ||
            c->ranks[at] == 0)
            continue;
        if (best == 0 || c->ranks[at] > c->ranks[best] ||
            (c->ranks[at] == c->ranks[best] && off < best_off)) {
            best = at;
            best_off = off;
        }
    }
    return best > 0 ? best : at > first + 1 ? at - 1 : at;
}

static void cut_stretch(struct cutter *c, uint32_t first, uint32_t end)
{
    while (!is_small(c, first, end)) {
        first = part_end(c, first, end);
        c->cuts[c->cut_count++] = first;
        if (first == end)
            return;
    }
    c->cuts[c->cut_count++] = end;
}

bool sl_cuts_make(const struct sl_outline *outline, struct sl_view text, uint32_t words_max,
                  struct sl_arena *arena, uint32_t **ret_cuts, uint32_t *ret_count)
{
    uint32_t count = outline->unit_count, first = 0;
    struct cutter c = {.outline = outline,
                       .words_max = words_max,
                       .reach = words_max,
                       .part_min = words_max / 2,
                       .part_full = words_max - words_max / 4,
                       .ranks = SL_NEW_ARRAY(arena, uint64_t, (size_t)count + 1),
                       .words = SL_NEW_ARRAY(arena, uint32_t, (size_t)count + 1),
                       .cuts = SL_NEW_ARRAY(arena, uint32_t, (size_t)count + 1)};
    bool *anchors = SL_NEW_ARRAY(arena, bool, (size_t)count + 1);
    uint32_t *open = SL_NEW_ARRAY(arena, uint32_t, (size_t)count + 1);

    if (c.ranks == NULL || c.words == NULL || c.cuts == NULL || anchors == NULL || open == NULL)
        return false;
    rank_places(&c, text);
    find_anchors(&c, anchors, open);
    for (uint32_t i = 1; i <= count; i++)
        if (i == count || anchors[i]) {
            cut_stretch(&c, first, i);
            first = i;
        }
    *ret_cuts = c.cuts;
    *ret_count = c.cut_count;
    return true;
}
