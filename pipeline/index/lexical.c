/*
 * lexical.c -- BM25 over the postings, without scoring all of them.
 *
 * A first pass reads the heads of each term's blocks: their counts add up to exact document
 * frequencies, and their bounds say what a posting in them gives at most. Chunk numbers are cut
 * into windows, a window's bound is the sum of what each term can give there, and windows are
 * looked at best bound first, until none can reach the k best any more. In a window, terms that
 * together cannot lift a chunk among the k best are not walked: the others are, and what they give
 * is added up; only chunks for which that and the rest may suffice are looked up in the rest
 * (MaxScore), and then scored exactly, with their true length.
 *
 * Until there are k, chunks of the best window are scored in two goes, best first, so that nearly
 * all the others fall short. Of a block only chunk numbers are unpacked; counts and lengths are
 * read where a posting counts.
 *
 * Exact scores are summed in the order of the terms, so they are to the bit those of scoring
 * everything. Bounds are of rounded floats; a share of 1e-5, and 2.4e-7 a term, on top of them is
 * more than rounding can be.
 *
 * Formula as in Lucene: idf = ln(1 + (N - df + 0.5) / (df + 0.5)), tf / (tf + k1 (1 - b + b length
 * / average)), without its quantised lengths.
 *
 * Rejected: block-max WAND (one pivot a posting: with the dozen bigrams of a Korean question it was
 * slower than walking the terms that count), a stored frequency and bound a term (one more row for
 * each term of a document), adding up the bounds of all blocks at a chunk before looking it up (few
 * are saved, each costs).
 */
#include "index/runs.h"

#include <math.h>
#include <stdlib.h>

#define WINDOW 4096u
#define NONE   UINT32_MAX
#define STEPS  256u

struct block {
    struct sl_view payload;
    uint32_t from, last; /* no posting of it lies outside */
    float bound;         /* of one posting, without the term's weight */
    uint32_t count;
    struct sl_block_layout layout;
    uint32_t *kept; /* chunks, of one that spans windows: they come in no order */
};

/* What a list has in a window. */
struct place {
    uint32_t first; /* block; of no meaning when the bound is 0 */
    float bound;    /* of one posting, without the term's weight; 0: the list has none here */
};

struct list {
    struct sl_view term;
    char room[SL_TERM_KEY_BYTES];
    float weight;
    float once[SL_LENGTH_CODES]; /* what a posting of one occurrence gives at most, by its length */
    uint64_t frequency;
    struct block *blocks;
    uint32_t block_count;
    uint32_t capacity;
    struct place *places; /* by window */

    uint32_t first, end; /* blocks in the window */
    float bound;         /* in the window, weighed */

    uint32_t block; /* that is decoded; NONE */
    uint32_t count;
    uint32_t at;
    const uint32_t *chunks; /* kept, or in `decoded` */
    uint32_t decoded[SL_BLOCK_POSTINGS];
    struct sl_occurrence few[SL_BLOCK_FEW]; /* of a block without a layout */
};

struct window {
    float bound;
    uint32_t number;
};

struct search {
    const struct sl_snapshot *snapshot;
    const struct sl_selection *selection;
    float
        norms[SL_LENGTH_CODES]; /* K1 (1 - B + B length / average), of the least length of a code */
    float average;
    float margin;       /* what rounding may take from a bound */
    struct list *lists; /* in the order of the terms */
    uint32_t list_count;
    struct list **order; /* those with postings in the window, by bound, least first */
    uint32_t order_count;
    struct place *places;
    uint32_t segment_count;
    struct sl_view *segments;
    struct window *windows;
    uint32_t window_count;
    float sums[WINDOW];
    uint64_t near[WINDOW / 64]; /* bits of chunks whose sum may suffice */
    struct sl_hit *hits;
    uint32_t k, count;
    struct sl_search_stats stats;
    struct sl_error *err;
};

static float idf_of(uint64_t chunks, uint64_t frequency)
{
    double n = (double)chunks, df = (double)frequency;

    return (float)log(1.0 + (n - df + 0.5) / (df + 0.5));
}

static enum sl_err senseless(const struct search *search, uint32_t chunk)
{
    return sl_corrupt(search->err, "post", chunk, "a row of senseless values");
}

/* -------------------------------------------------------------------------------- the blocks */

static float bound_of(const struct search *search, const struct sl_bound *bounds, uint32_t count)
{
    float best = 0;

    for (uint32_t i = 0; i < count; i++) {
        float value = sl_bm25_part(1, (float)bounds[i].count, search->norms[bounds[i].length]);
        best = value > best ? value : best;
    }
    return best;
}

static enum sl_err add_block(struct search *search, struct list *list,
                             const struct sl_term_walk *walk)
{
    struct sl_block_head head = {0};

    if (!sl_block_head_read(walk->cursor.payload, &head))
        return senseless(search, walk->at.from);
    if (list->block_count == list->capacity) {
        uint32_t capacity = list->capacity * 2 + 16;
        struct block *blocks = realloc(list->blocks, capacity * sizeof *blocks);
        if (blocks == NULL)
            return sl_batch_memory(search->err);
        list->blocks = blocks;
        list->capacity = capacity;
    }
    if (list->block_count > 0 && list->blocks[list->block_count - 1].last >= walk->at.from)
        list->blocks[list->block_count - 1].last = walk->at.from - 1;
    list->blocks[list->block_count++] =
        (struct block){.payload = walk->cursor.payload,
                       .from = walk->at.from,
                       .last = (uint32_t)(sl_run_end(walk->at.run) - 1),
                       .bound = bound_of(search, head.bounds, head.bound_count),
                       .count = head.count,
                       .layout = head.layout};
    list->frequency += head.count;
    return SL_OK;
}

static enum sl_err read_blocks(struct search *search, struct list *list, struct sl_term_walk *walk)
{
    enum sl_err rc;

    sl_term_walk_start(walk, list->term);
    while ((rc = sl_term_walk_next(walk, search->err)) == SL_OK) {
        rc = add_block(search, list, walk);
        if (rc != SL_OK)
            return rc;
    }
    return rc == SL_REJECT ? SL_OK : rc;
}

/* Segments in use: their numbers are dense from 0, but one that became empty may lie between. */
static enum sl_err count_segments(const struct sl_snapshot *snapshot, uint32_t *ret_count,
                                  struct sl_error *err)
{
    uint64_t rows;
    enum sl_err rc = sl_txn_count(snapshot->txn, SL_STORE_SEGMENT, &rows, err);

    if (rc == SL_OK)
        *ret_count = (uint32_t)rows;
    return rc;
}

/* A list for each term that any chunk holds. */
static enum sl_err read_lists(struct search *search, const struct sl_term_count *terms,
                              uint32_t term_count)
{
    const struct sl_state *state = &search->snapshot->state;
    struct sl_term_walk walk;
    enum sl_err rc =
        sl_term_walk_open(&walk, search->snapshot->txn, state, search->segment_count, search->err);

    for (uint32_t i = 0; rc == SL_OK && i < term_count; i++) {
        struct list *list = &search->lists[search->list_count];
        if (terms[i].term.size == 0)
            continue;
        list->term = sl_term_key(terms[i].term, list->room);
        rc = read_blocks(search, list, &walk);
        list->weight = idf_of(state->chunks, list->frequency) * sl_term_boost(&terms[i]);
        for (uint32_t c = 0; c < SL_LENGTH_CODES; c++)
            list->once[c] = sl_bm25_part(list->weight, 1, search->norms[c]);
        search->list_count += list->block_count > 0 ? 1 : 0;
    }
    sl_term_walk_close(&walk);
    return rc;
}

static bool decode_few(struct list *list, const struct block *block)
{
    if (!sl_block_read(block->payload, block->from, list->few, &list->count))
        return false;
    for (uint32_t i = 0; i < list->count; i++)
        list->decoded[i] = list->few[i].chunk;
    return true;
}

/* Make a block the one whose postings are at hand. false: senseless. */
static bool decode(struct search *search, struct list *list, uint32_t number)
{
    struct block *block = &list->blocks[number];
    uint32_t *room;

    if (list->block == number)
        return true;
    list->block = number;
    list->at = 0;
    list->count = block->count;
    list->chunks = block->kept;
    if (block->kept != NULL)
        return true;
    search->stats.visited++;
    if (block->count >= SL_BLOCK_FEW && block->last / WINDOW > block->from / WINDOW + 1)
        block->kept = malloc(SL_BLOCK_POSTINGS * sizeof *block->kept); /* or decoded again */
    list->chunks = room = block->kept != NULL ? block->kept : list->decoded;
    return (block->count < SL_BLOCK_FEW ? decode_few(list, block)
                                        : sl_block_chunks(block->payload, &block->layout,
                                                          block->count, block->from, room)) &&
           room[list->count - 1] <= block->last &&
           room[list->count - 1] / SL_SEGMENT_CHUNKS < search->segment_count;
}

/* What a posting at hand has beside its chunk. A row whose checksum is right has no other codes. */
static inline struct sl_bound value_of(const struct list *list, uint32_t at)
{
    const struct block *block = &list->blocks[list->block];
    struct sl_bound value = {list->few[at % SL_BLOCK_FEW].count,
                             list->few[at % SL_BLOCK_FEW].length};

    if (block->count >= SL_BLOCK_FEW)
        value = sl_block_value(block->payload, &block->layout, block->count, at);
    if (value.length >= SL_LENGTH_CODES)
        value.length = SL_LENGTH_CODES - 1;
    return value;
}

/* The first posting at hand, from `at` on, whose chunk is not below this one. */
static inline uint32_t place_of(const struct list *list, uint32_t chunk)
{
    uint32_t at = list->at, rest = list->count - at;

    while (rest > 0) {
        uint32_t half = rest / 2;
        bool below = list->chunks[at + half] < chunk;
        at = below ? at + half + 1 : at;
        rest = below ? rest - half - 1 : half;
    }
    return at;
}

/* The block a chunk would be in, or NULL. Chunks asked for in a window ascend. */
static const struct block *find_block(struct list *list, uint32_t chunk)
{
    while (list->first < list->end && list->blocks[list->first].last < chunk)
        list->first++;
    return list->first < list->end && list->blocks[list->first].from <= chunk
               ? &list->blocks[list->first]
               : NULL;
}

/* Is the list's next block, as find_block() left it, one with the chunk? Then it stands there. */
static enum sl_err find(struct search *search, struct list *list, uint32_t chunk, bool *ret_found)
{
    if (!decode(search, list, list->first))
        return senseless(search, chunk);
    list->at = place_of(list, chunk);
    *ret_found = list->at < list->count && list->chunks[list->at] == chunk;
    return SL_OK;
}

/* ----------------------------------------------------------------------------------- windows */

static void raise_bound(struct list *list, uint32_t block, uint32_t window, float bound)
{
    struct place *place = &list->places[window];

    if (place->bound == 0)
        place->first = block;
    if (bound > place->bound)
        place->bound = bound;
}

/* What a list gives in each window at most. A block that spans more windows than it has postings is
 * decoded: a rare term counts where it stands, not all over its run. */
static enum sl_err bound_windows(struct search *search, struct list *list)
{
    for (uint32_t i = 0; i < list->block_count; i++) {
        const struct block *block = &list->blocks[i];
        uint32_t first = block->from / WINDOW, last = block->last / WINDOW;
        if (last >= search->window_count)
            last = search->window_count - 1;
        if (last - first < block->count) {
            for (uint32_t w = first; w <= last; w++)
                raise_bound(list, i, w, block->bound);
            continue;
        }
        if (!decode(search, list, i))
            return senseless(search, block->from);
        for (uint32_t p = 0; p < list->count; p++) {
            struct sl_bound value = value_of(list, p);
            raise_bound(list, i, list->chunks[p] / WINDOW, bound_of(search, &value, 1));
        }
    }
    return SL_OK;
}

static int compare_windows(const void *a, const void *b)
{
    const struct window *x = a, *y = b;

    if (x->bound != y->bound)
        return x->bound > y->bound ? -1 : 1;
    return (x->number > y->number) - (x->number < y->number);
}

static enum sl_err order_windows(struct search *search)
{
    uint32_t count = (search->segment_count * SL_SEGMENT_CHUNKS + WINDOW - 1) / WINDOW;
    enum sl_err rc = SL_OK;

    search->window_count = count;
    search->windows = calloc(count, sizeof *search->windows);
    search->places = calloc((size_t)count * search->list_count, sizeof *search->places);
    if (search->windows == NULL || search->places == NULL)
        return sl_batch_memory(search->err);
    for (uint32_t i = 0; i < count; i++)
        search->windows[i].number = i;
    for (uint32_t i = 0; rc == SL_OK && i < search->list_count; i++) {
        struct list *list = &search->lists[i];
        list->places = search->places + (size_t)i * count;
        rc = bound_windows(search, list);
        for (uint32_t w = 0; rc == SL_OK && w < count; w++)
            search->windows[w].bound += list->weight * list->places[w].bound;
    }
    if (rc == SL_OK)
        qsort(search->windows, count, sizeof *search->windows, compare_windows);
    return rc;
}

/* The blocks of each list in the window; lists in the order of what they can give there. */
static void enter(struct search *search, uint32_t number)
{
    uint32_t last = number * WINDOW + (WINDOW - 1);

    search->order_count = 0;
    for (uint32_t i = 0; i < search->list_count; i++) {
        struct list *list = &search->lists[i];
        const struct place *place = &list->places[number];
        uint32_t at = search->order_count;
        list->first = list->end = place->first;
        list->bound = list->weight * place->bound;
        list->at = 0;
        if (place->bound == 0)
            continue;
        while (list->end < list->block_count && list->blocks[list->end].from <= last)
            list->end++;
        for (; at > 0 && search->order[at - 1]->bound > list->bound; at--)
            search->order[at] = search->order[at - 1];
        search->order[at] = list;
        search->order_count++;
    }
}

/* ----------------------------------------------------------------------------------- scoring */

static float at_least(const struct search *search)
{
    return search->count == search->k ? search->hits[search->k - 1].score : 0;
}

static uint32_t number_in(struct sl_view segment, size_t offset, uint32_t local)
{
    uint32_t number;

    memcpy(&number, segment.data + offset + local * sizeof number, sizeof number);
    return number;
}

static enum sl_err segment_of(struct search *search, uint32_t chunk, struct sl_view *ret_segment)
{
    uint32_t number = chunk / SL_SEGMENT_CHUNKS;
    struct sl_view *segment = &search->segments[number];
    enum sl_err rc = SL_OK;

    if (segment->data == NULL)
        rc = sl_snapshot_segment(search->snapshot, number, segment, search->err);
    *ret_segment = *segment;
    return rc;
}

static enum sl_err score(struct search *search, uint32_t chunk)
{
    uint32_t local = chunk % SL_SEGMENT_CHUNKS, document;
    struct sl_view segment;
    uint16_t ordinal;
    float sum = 0, norm;
    enum sl_err rc = segment_of(search, chunk, &segment);

    if (rc != SL_OK)
        return rc;
    document = number_in(segment, offsetof(struct sl_segment, document), local);
    if (document == 0)
        return sl_corrupt(search->err, "segment", chunk, "a chunk with postings is not there");
    if (search->selection != NULL && !sl_selection_has(search->selection, document))
        return SL_OK;
    norm = sl_bm25_norm((float)number_in(segment, offsetof(struct sl_segment, length), local),
                        search->average);
    for (uint32_t i = 0; rc == SL_OK && i < search->list_count; i++) {
        struct list *list = &search->lists[i];
        bool found = false;
        if (find_block(list, chunk) != NULL)
            rc = find(search, list, chunk, &found);
        if (found)
            sum += sl_bm25_part(list->weight, (float)value_of(list, list->at).count, norm);
    }
    if (rc != SL_OK)
        return rc;
    memcpy(&ordinal, segment.data + offsetof(struct sl_segment, ordinal) + local * sizeof ordinal,
           sizeof ordinal);
    search->stats.distances++;
    sl_hits_add(search->hits, &search->count, search->k, (struct sl_hit){document, ordinal, sum},
                false);
    return SL_OK;
}

/* What a posting at hand gives, if its chunk is as short as its code allows. */
static inline float most_of(const struct search *search, const struct list *list, uint32_t at)
{
    struct sl_bound value = value_of(list, at);

    return value.count == 1
               ? list->once[value.length]
               : sl_bm25_part(list->weight, (float)value.count, search->norms[value.length]);
}

/* Add up what a list gives to the chunks of a window, at most, and mark those with `enough`. */
static enum sl_err walk(struct search *search, struct list *list, uint32_t first, float enough)
{
    for (uint32_t b = list->first; b < list->end; b++) {
        if (!decode(search, list, b))
            return senseless(search, first);
        for (uint32_t i = place_of(list, first); i < list->count; i++) {
            uint32_t at = list->chunks[i] - first;
            if (at >= WINDOW)
                break;
            search->sums[at] += most_of(search, list, i);
            search->near[at / 64] |= (uint64_t)(search->sums[at] >= enough) << at % 64;
        }
    }
    list->block = NONE; /* find() begins with the first */
    return SL_OK;
}

/* Look a chunk up in the lists that were not walked, best first, while it may still suffice: first
 * what its block gives at most, then whether it is there. */
static enum sl_err complete(struct search *search, uint32_t chunk, float sum, uint32_t unwalked,
                            float rest)
{
    float most = sum + rest;

    for (uint32_t i = unwalked; i > 0; i--) {
        struct list *list = search->order[i - 1];
        const struct block *block = find_block(list, chunk);
        bool found = false;
        enum sl_err rc;
        most -= list->bound;
        if (block == NULL)
            continue;
        if ((most + list->weight * block->bound) * search->margin < at_least(search))
            return SL_OK;
        rc = find(search, list, chunk, &found);
        if (rc != SL_OK)
            return rc;
        if (found)
            most += most_of(search, list, list->at);
    }
    return most * search->margin < at_least(search) ? SL_OK : score(search, chunk);
}

/* Marked chunks whose sum is not below `least`. */
static enum sl_err complete_marked(struct search *search, uint32_t first, uint32_t unwalked,
                                   float rest, float least)
{
    enum sl_err rc = SL_OK;

    for (uint32_t i = 0; rc == SL_OK && i < WINDOW / 64; i++)
        for (uint64_t near = search->near[i]; rc == SL_OK && near != 0; near &= near - 1) {
            uint32_t at = i * 64 + (uint32_t)__builtin_ctzll(near);
            if (search->sums[at] < least)
                continue;
            search->near[i] &= ~(near & -near);
            if ((search->sums[at] + rest) * search->margin >= at_least(search))
                rc = complete(search, first + at, search->sums[at], unwalked, rest);
        }
    return rc;
}

/* A sum that about k chunks of the window reach: they are scored before the others, for after them
 * most of those cannot suffice any more. */
static float sum_of_best(const struct search *search)
{
    uint32_t reached[STEPS] = {0}, step = STEPS - 1;
    float most = 0, scale;

    for (uint32_t i = 0; i < WINDOW; i++)
        most = search->sums[i] > most ? search->sums[i] : most;
    if (most <= 0)
        return 0;
    scale = (STEPS - 1) / most;
    for (uint32_t i = 0; i < WINDOW; i++)
        reached[(uint32_t)(search->sums[i] * scale) % STEPS]++;
    for (uint32_t count = reached[step]; step > 0 && count < search->k; count += reached[step])
        step--;
    return (float)step / scale;
}

static enum sl_err search_window(struct search *search, uint32_t number)
{
    uint32_t first = number * WINDOW, unwalked = 0;
    float rest = 0, enough;
    enum sl_err rc = SL_OK;

    enter(search, number);
    while (unwalked < search->order_count &&
           (rest + search->order[unwalked]->bound) * search->margin < at_least(search))
        rest += search->order[unwalked++]->bound;
    if (unwalked == search->order_count)
        return SL_OK;
    memset(search->sums, 0, sizeof search->sums);
    memset(search->near, 0, sizeof search->near);
    enough = at_least(search) / search->margin / search->margin - rest;
    for (uint32_t i = unwalked; rc == SL_OK && i < search->order_count; i++)
        rc = walk(search, search->order[i], first, enough);
    if (rc == SL_OK && search->count < search->k && search->selection == NULL) {
        rc = complete_marked(search, first, unwalked, rest, sum_of_best(search));
        enter(search, number); /* they are looked up in ascending order, from the beginning */
    }
    return rc == SL_OK ? complete_marked(search, first, unwalked, rest, 0) : rc;
}

/* ------------------------------------------------------------------------------------- whole */

static enum sl_err search_all(struct search *search)
{
    enum sl_err rc = order_windows(search);

    search->stats.path = SL_PATH_EXACT;
    for (uint32_t i = 0; rc == SL_OK && i < search->window_count; i++) {
        float bound = search->windows[i].bound;
        if (bound <= 0 || bound * search->margin < at_least(search))
            break;
        rc = search_window(search, search->windows[i].number);
    }
    return rc;
}

static struct search *search_new(const struct sl_snapshot *snapshot, uint32_t term_count,
                                 uint32_t segment_count)
{
    struct search *search = calloc(1, sizeof *search);

    if (search == NULL)
        return NULL;
    search->snapshot = snapshot;
    search->segment_count = segment_count;
    search->lists = calloc(term_count + 1u, sizeof *search->lists);
    search->order = calloc(term_count + 1u, sizeof *search->order);
    search->segments = calloc(segment_count + 1u, sizeof *search->segments);
    search->margin = 1.00001f + 2.4e-7f * (float)term_count;
    search->average = (float)((double)snapshot->state.terms_total / (double)snapshot->state.chunks);
    for (uint32_t i = 0; i < SL_LENGTH_CODES; i++)
        search->norms[i] = sl_bm25_norm((float)sl_length_floor(i), search->average);
    return search;
}

static struct search *search_free(struct search *search, uint32_t term_count)
{
    if (search == NULL)
        return NULL;
    for (uint32_t i = 0; search->lists != NULL && i <= term_count; i++) {
        for (uint32_t b = 0; b < search->lists[i].block_count; b++)
            free(search->lists[i].blocks[b].kept);
        free(search->lists[i].blocks);
    }
    free(search->lists);
    free(search->order);
    free(search->segments);
    free(search->windows);
    free(search->places);
    free(search);
    return NULL;
}

enum sl_err sl_snapshot_lexical(const struct sl_snapshot *snapshot,
                                const struct sl_term_count *terms, uint32_t term_count, uint32_t k,
                                const struct sl_selection *selection, struct sl_hit *ret_hits,
                                uint32_t *ret_count, struct sl_search_stats *ret_stats,
                                struct sl_error *err)
{
    uint32_t segments;
    uint64_t blocks = 0;
    struct search *search;
    enum sl_err rc = count_segments(snapshot, &segments, err);

    SL_PRE(k >= 1 && k <= SL_K_MAX);
    if (rc != SL_OK)
        return rc;
    search = search_new(snapshot, term_count, segments);
    if (search == NULL || search->lists == NULL || search->order == NULL ||
        search->segments == NULL) {
        (void)search_free(search, term_count);
        return sl_batch_memory(err);
    }
    search->selection = selection;
    search->hits = ret_hits;
    search->k = k;
    search->err = err;
    rc = read_lists(search, terms, term_count);
    for (uint32_t i = 0; i < search->list_count; i++) {
        search->lists[i].block = NONE;
        blocks += search->lists[i].block_count;
    }
    if (rc == SL_OK && search->list_count > 0)
        rc = search_all(search);
    search->stats.skipped = blocks > search->stats.visited ? blocks - search->stats.visited : 0;
    if (rc == SL_OK)
        *ret_count = search->count;
    if (rc == SL_OK && ret_stats != NULL)
        *ret_stats = search->stats;
    (void)search_free(search, term_count);
    return rc;
}

enum sl_err sl_snapshot_idf(const struct sl_snapshot *snapshot, struct sl_view term, float *ret_idf,
                            uint64_t *ret_chunks, struct sl_error *err)
{
    char room[SL_TERM_KEY_BYTES];
    struct sl_term_walk walk;
    uint64_t frequency = 0;
    uint32_t segments;
    enum sl_err rc = count_segments(snapshot, &segments, err);

    if (rc == SL_OK)
        rc = sl_term_walk_open(&walk, snapshot->txn, &snapshot->state, segments, err);
    if (rc != SL_OK)
        return rc;
    if (term.size > 0)
        sl_term_walk_start(&walk, sl_term_key(term, room));
    while ((rc = sl_term_walk_next(&walk, err)) == SL_OK)
        frequency += walk.cursor.payload.size > 0 ? (uint8_t)walk.cursor.payload.data[0] : 0;
    sl_term_walk_close(&walk);
    if (rc == SL_STOP)
        return rc;
    *ret_idf = frequency > 0 ? idf_of(snapshot->state.chunks, frequency) : 0;
    if (ret_chunks != NULL)
        *ret_chunks = frequency;
    return SL_OK;
}
