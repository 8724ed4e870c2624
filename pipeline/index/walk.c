/*
 * walk.c -- finding the nodes nearest to a vector by walking the graph.
 *
 * Waiting for memory is most of the cost. Neighbours not seen before are collected first and compared then: f32
 * four side by side, which waits once where one after the other waits four times; shorter codes are fetched some
 * steps ahead as a whole. The list of links that is likely to be followed next is fetched meanwhile. "Seen" is
 * a number per slot that differs in each walk, so nothing needs clearing. The pool is one array kept sorted,
 * each entry marked once its links have been followed.
 *
 * Lost when measured: two heaps for a pool; fetching more of a vector, or more of them, ahead (nothing between
 * two and eight, 256 bytes and all, made a difference that could be told from noise); a copy of codes in memory
 * of large pages (5 %, for twice the memory); taking more than m links for a new node (what is found in fewer
 * steps costs as many comparisons, and a third of the speed of building).
 *
 * Under a filter there are two arrays: the pool leads the way, results take what passes. Where most pass, all
 * nodes are compared and lead on. Where a tenth or so does, the walk starts from the nearest nodes of all; from
 * there only those that pass are compared, and the links of the others are looked through for more of them, so
 * that gaps of one node are crossed without paying for their vectors. Where fewer than one in fourteen pass, the
 * gaps are wider than that (recall fell to .98 at 3 %, to .75 at 1 %), and all nodes are compared again.
 *
 * A filter that goes against the query, so that hardly any of the nodes nearest to it pass, leads a walk astray:
 * what it finds lies on the far side of where it began (recall .1 to .9 where the farther half, or tenth, was
 * asked for). Such a walk is given up, as is one that costs more than comparing what is selected one by one,
 * which the caller then does.
 */
#include "index/graph.h"

#include <float.h>
#include <stdlib.h>

#define FOLLOWED      0x80000000u /* on a pool entry's slot */
#define AHEAD         4u
#define FETCHED_BYTES 1024u /* of a vector; the processor goes on by itself */
#define FETCHED_BYTES_FOUR 256u /* where four are read side by side */
#define BATCH_MAX     (2 * SL_M_MAX)
#define SHARE_THROUGH 0.07 /* from here to where most pass: look behind what does not */
#define SHARE_MOST    0.35
#define AGAINST       0.25 /* of the share: fewer near the query, and the filter goes against it */

_Static_assert(SL_EF_MAX < 1u << 20, "a pool is sorted by moving entries");

static struct sl_walk *begin(struct sl_graph *graph)
{
    struct sl_walk *walk;

    (void)pthread_mutex_lock(&graph->walks_lock);
    walk = graph->walks;
    if (walk != NULL)
        graph->walks = walk->next;
    (void)pthread_mutex_unlock(&graph->walks_lock);
    if (walk == NULL) {
        walk = calloc(1, sizeof *walk);
        if (walk == NULL)
            return NULL;
        sl_pins_enter(&graph->pins, &walk->pin);
    }
    if (walk->query == NULL)
        walk->query = aligned_alloc(SL_LINE_BYTES, graph->codec.stride);
    if (walk->full == NULL && graph->full_at != 0)
        walk->full = aligned_alloc(SL_LINE_BYTES, graph->exact.stride);
    if (walk->query == NULL || (walk->full == NULL && graph->full_at != 0)) {
        sl_walk_end(graph, walk);
        return NULL;
    }
    walk->distances = walk->visited = 0;
    return walk;
}

struct sl_walk *sl_walk_begin(struct sl_graph *graph, const float *query)
{
    struct sl_walk *walk = begin(graph);

    if (walk != NULL) {
        sl_codec_encode(&graph->codec, query, walk->query);
        if (graph->full_at != 0)
            sl_codec_encode(&graph->exact, query, walk->full);
    }
    return walk;
}

struct sl_walk *sl_walk_begin_at(struct sl_graph *graph, uint32_t slot)
{
    struct sl_walk *walk = begin(graph);

    if (walk != NULL)
        memcpy(walk->query, sl_graph_code(graph, slot), graph->codec.stride);
    return walk;
}

void sl_walk_end(struct sl_graph *graph, struct sl_walk *walk)
{
    if (walk == NULL)
        return;
    (void)pthread_mutex_lock(&graph->walks_lock);
    walk->next = graph->walks;
    graph->walks = walk;
    (void)pthread_mutex_unlock(&graph->walks_lock);
}

bool sl_walk_room(struct sl_walk *walk, uint32_t count)
{
    struct sl_near *pool, *results;

    if (count < walk->pool_capacity)
        return true;
    count += count / 2 + 64;
    pool = realloc(walk->pool, count * sizeof *pool);
    if (pool == NULL)
        return false;
    walk->pool = pool;
    results = realloc(walk->results, count * sizeof *results);
    if (results == NULL)
        return false;
    walk->results = results;
    walk->pool_capacity = count;
    return true;
}

/* A new round of "seen". */
static bool forget(struct sl_graph *graph, struct sl_walk *walk)
{
    if (walk->seen_slots < graph->slot_end) {
        uint32_t slots = graph->slot_end + graph->slot_end / 4 + 1024;
        free(walk->seen);
        walk->seen = calloc(slots, sizeof *walk->seen);
        walk->seen_slots = walk->seen != NULL ? slots : 0;
        walk->epoch = 0;
        if (walk->seen == NULL)
            return false;
    }
    if (++walk->epoch == 0) {
        memset(walk->seen, 0, walk->seen_slots * sizeof *walk->seen);
        walk->epoch = 1;
    }
    return true;
}

/* Insert into a sorted array of at most `limit`; returns where. Pre: it is not full of nearer ones. */
static uint32_t insert_sorted(struct sl_near *array, uint32_t *size, uint32_t limit,
                              struct sl_near item)
{
    uint32_t low = 0, high = *size;

    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (array[middle].distance <= item.distance)
            low = middle + 1;
        else
            high = middle;
    }
    if (*size < limit)
        (*size)++;
    memmove(array + low + 1, array + low, (*size - 1 - low) * sizeof *array);
    array[low] = item;
    return low;
}

static inline void prefetch(const void *from, uint32_t bytes)
{
    const char *at = from;

    for (uint32_t i = 0; i < bytes; i += SL_LINE_BYTES)
        __builtin_prefetch(at + i, 0, 3);
}

/* Distances from a query to the codes, or full vectors, of at most BATCH_MAX slots. */
static inline void compare(struct sl_graph *graph, const void *query, const uint32_t *slots,
                           uint32_t count, bool full, float *ret_distances)
{
    const struct sl_codec *codec = full ? &graph->exact : &graph->codec;
    uint32_t fetched = codec->four != NULL ? FETCHED_BYTES_FOUR : FETCHED_BYTES, i = 0;
    const void *codes[BATCH_MAX];

    if (fetched > codec->stride)
        fetched = codec->stride;
    for (uint32_t j = 0; j < count; j++) {
        codes[j] = full ? sl_graph_full(graph, slots[j]) : sl_graph_code(graph, slots[j]);
        if (j < AHEAD)
            prefetch(codes[j], fetched);
    }
    for (; codec->four != NULL && i + 4 <= count; i += 4) {
        for (uint32_t j = i + 4; j < count && j < i + 8; j++)
            prefetch(codes[j], fetched);
        codec->four(query, codes + i, codec->units, ret_distances + i);
    }
    for (; i < count; i++) {
        if (codec->four == NULL && i + AHEAD < count)
            prefetch(codes[i + AHEAD], fetched);
        ret_distances[i] = codec->distance(query, codes[i], codec->units);
    }
}

void sl_walk_exact(struct sl_graph *graph, struct sl_walk *walk, struct sl_near *items,
                   uint32_t count)
{
    const void *query = graph->full_at != 0 ? walk->full : walk->query;
    uint32_t slots[BATCH_MAX];
    float distances[BATCH_MAX];

    walk->distances += count;
    while (count > 0) {
        uint32_t some = count < BATCH_MAX ? count : BATCH_MAX;
        for (uint32_t i = 0; i < some; i++)
            slots[i] = items[i].slot;
        compare(graph, query, slots, some, true, distances);
        for (uint32_t i = 0; i < some; i++)
            (items++)->distance = distances[i];
        count -= some;
    }
}

/* A list on level 0, wherever in its lines it begins. */
static inline void prefetch_list(const struct sl_graph *graph, uint32_t slot)
{
    uint32_t bytes = (1 + 2 * graph->m) * (uint32_t)sizeof(uint32_t);

    prefetch(graph->links + (size_t)slot * (1 + 2 * graph->m), bytes + SL_LINE_BYTES - 4);
}

uint32_t sl_walk_links(const struct sl_graph *graph, uint32_t slot, uint32_t level,
                       uint32_t *ret_links)
{
    const uint32_t *list = sl_graph_list(graph, slot, level);
    uint32_t count = __atomic_load_n(list, __ATOMIC_ACQUIRE);

    for (uint32_t i = 0; i < count; i++)
        ret_links[i] = __atomic_load_n(list + 1 + i, __ATOMIC_ACQUIRE);
    return count;
}

/* The neighbours of `slot` not seen yet, marked as seen. */
static uint32_t collect(struct sl_graph *graph, struct sl_walk *walk, uint32_t slot, uint32_t level,
                        uint32_t *ret_slots)
{
    uint32_t links[BATCH_MAX], all = sl_walk_links(graph, slot, level, links), count = 0;

    walk->visited++;
    for (uint32_t i = 0; i < all; i++)
        __builtin_prefetch(walk->seen + links[i], 1, 3);
    for (uint32_t i = 0; i < all; i++) {
        uint32_t next = links[i];
        if (next >= walk->seen_slots || walk->seen[next] == walk->epoch)
            continue; /* the former: it has come since the walk began */
        walk->seen[next] = walk->epoch;
        ret_slots[count++] = next;
    }
    return count;
}

/* A walk under a filter. */
struct passage {
    struct sl_graph *graph;
    struct sl_walk *walk;
    uint32_t ef;
    uint32_t pool_max;
    double share; /* of all nodes that pass */
    bool through; /* compare only what passes, and look behind what does not */
    sl_walk_test test;
    const void *context;
};

static void admit(const struct passage *passage, struct sl_near item)
{
    struct sl_walk *walk = passage->walk;

    if (walk->result_count == passage->ef &&
        item.distance >= walk->results[passage->ef - 1].distance)
        return;
    if (passage->test(passage->context, item.slot))
        (void)insert_sorted(walk->results, &walk->result_count, passage->ef, item);
}

/*
 * Compare a batch, and put it into the pool; with a passage, what passes goes into the results too.
 * Returns the lowest place taken in the pool.
 */
static inline uint32_t compare_batch(struct sl_graph *graph, struct sl_walk *walk,
                                     const uint32_t *batch, uint32_t count, uint32_t pool_max,
                                     uint32_t lowest, const struct passage *passage)
{
    float distances[BATCH_MAX];

    compare(graph, walk->query, batch, count, false, distances);
    for (uint32_t i = 0; i < count; i++) {
        struct sl_near item = {distances[i], batch[i]};
        uint32_t place;
        if (passage != NULL)
            admit(passage, item);
        if (walk->pool_size == pool_max && item.distance >= walk->pool[pool_max - 1].distance)
            continue;
        place = insert_sorted(walk->pool, &walk->pool_size, pool_max, item);
        if (place < lowest) {
            lowest = place;
            prefetch_list(graph, item.slot);
        }
    }
    walk->distances += count;
    return lowest;
}

/* Follow the pool's nearest entry not followed yet, until there is none. */
static void expand(struct sl_graph *graph, struct sl_walk *walk, uint32_t level, uint32_t ef)
{
    uint32_t batch[BATCH_MAX];
    uint32_t at = 0;

    while (at < walk->pool_size) {
        uint32_t slot = walk->pool[at].slot, count;

        if (slot & FOLLOWED) {
            at++;
            continue;
        }
        walk->pool[at].slot |= FOLLOWED;
        count = collect(graph, walk, slot, level, batch);
        if (at + 1 < walk->pool_size)
            prefetch_list(graph, walk->pool[at + 1].slot & ~FOLLOWED);
        at = compare_batch(graph, walk, batch, count, ef, at + 1, NULL);
    }
    for (uint32_t i = 0; i < walk->pool_size; i++)
        walk->pool[i].slot &= ~FOLLOWED;
}

bool sl_walk_descend(struct sl_graph *graph, struct sl_walk *walk, uint32_t level, uint32_t ef)
{
    if (!sl_walk_room(walk, ef) || !forget(graph, walk))
        return false;
    if (walk->pool_size > ef)
        walk->pool_size = ef;
    for (uint32_t i = 0; i < walk->pool_size; i++)
        walk->seen[walk->pool[i].slot] = walk->epoch;
    expand(graph, walk, level, ef);
    return true;
}

bool sl_walk_start(struct sl_graph *graph, struct sl_walk *walk, uint32_t *ret_level)
{
    uint32_t entry = graph->entry; /* asked once: it may be another the next moment */

    walk->pool_size = 0;
    *ret_level = 0;
    if (entry == SL_SLOT_NONE)
        return true;
    if (!sl_walk_room(walk, 1))
        return false;
    walk->distances++;
    walk->pool[0] = (struct sl_near){
        graph->codec.distance(walk->query, sl_graph_code(graph, entry), graph->codec.units), entry};
    walk->pool_size = 1;
    *ret_level = graph->slots[entry].level;
    return true;
}

bool sl_walk_down(struct sl_graph *graph, struct sl_walk *walk, uint32_t top, uint32_t level,
                  uint32_t ef)
{
    for (; top > level; top--)
        if (!sl_walk_descend(graph, walk, top, 1))
            return false;
    return sl_walk_descend(graph, walk, level, ef);
}

bool sl_walk_search(struct sl_graph *graph, struct sl_walk *walk, uint32_t ef)
{
    uint32_t top;

    return sl_walk_start(graph, walk, &top) && sl_walk_down(graph, walk, top, 0, ef);
}

/* --------------------------------------------------------------------------- under a filter */

static uint32_t compare_passing(const struct passage *passage, const uint32_t *batch,
                                uint32_t count, uint32_t lowest)
{
    return compare_batch(passage->graph, passage->walk, batch, count, passage->pool_max, lowest,
                         passage);
}

/* What passes among `count` slots stays in front; returns how many that are. */
static uint32_t keep_passing(const struct passage *passage, uint32_t *batch, uint32_t count)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < count; i++)
        if (passage->test(passage->context, batch[i])) {
            uint32_t slot = batch[kept];
            batch[kept++] = batch[i];
            batch[i] = slot;
        }
    return kept;
}

static uint32_t follow(const struct passage *passage, uint32_t slot, uint32_t lowest)
{
    uint32_t batch[BATCH_MAX], behind[BATCH_MAX];
    uint32_t count = collect(passage->graph, passage->walk, slot, 0, batch), kept;

    if (!passage->through)
        return compare_passing(passage, batch, count, lowest);
    kept = keep_passing(passage, batch, count);
    lowest = compare_passing(passage, batch, kept, lowest);
    for (uint32_t i = kept; i < count; i++) {
        uint32_t more = collect(passage->graph, passage->walk, batch[i], 0, behind);
        lowest = compare_passing(passage, behind, keep_passing(passage, behind, more), lowest);
    }
    return lowest;
}

/* Do far fewer of the nearest nodes pass than of all? Pre: the pool holds them. */
static bool goes_against(const struct passage *passage)
{
    const struct sl_walk *walk = passage->walk;
    uint32_t count = walk->pool_size < passage->ef ? walk->pool_size : passage->ef, passing = 0;

    for (uint32_t i = 0; i < count; i++)
        passing += passage->test(passage->context, walk->pool[i].slot & ~FOLLOWED);
    return passing < AGAINST * passage->share * count;
}

static uint32_t pool_size(uint32_t ef, double share)
{
    double wanted = 1.5 * ef / share;

    if (wanted < 8.0 * ef)
        wanted = 8.0 * ef;
    return wanted < SL_EF_MAX ? (uint32_t)wanted : SL_EF_MAX;
}

/* To where the walk begins, as far as it is allowed to. false: out of memory */
static bool approach(const struct passage *passage, bool *ret_gave_up)
{
    struct sl_walk *walk = passage->walk;
    uint32_t top;

    *ret_gave_up = false;
    if (!sl_walk_start(passage->graph, walk, &top))
        return false;
    if (!passage->through)
        return top == 0 || sl_walk_down(passage->graph, walk, top, 1, 1);
    if (!sl_walk_down(passage->graph, walk, top, 0, passage->ef))
        return false;
    *ret_gave_up = goes_against(passage);
    return true;
}

bool sl_walk_filtered(struct sl_graph *graph, struct sl_walk *walk, uint32_t ef, double share,
                      sl_walk_test test, const void *context, uint64_t distances_max,
                      bool *ret_gave_up)
{
    struct passage passage = {.graph = graph,
                              .walk = walk,
                              .ef = ef,
                              .pool_max = pool_size(ef, share),
                              .share = share,
                              .through = share >= SHARE_THROUGH && share < SHARE_MOST,
                              .test = test,
                              .context = context};
    uint32_t at = 0;

    walk->result_count = 0;
    if (!approach(&passage, ret_gave_up))
        return false;
    if (*ret_gave_up)
        return true;
    if (!sl_walk_room(walk, passage.pool_max) || !forget(graph, walk))
        return false;
    for (uint32_t i = 0; i < walk->pool_size; i++) {
        walk->seen[walk->pool[i].slot] = walk->epoch;
        admit(&passage, walk->pool[i]);
    }
    while (at < walk->pool_size) {
        uint32_t slot = walk->pool[at].slot;
        if (slot & FOLLOWED) {
            at++;
            continue;
        }
        if (walk->result_count == ef && walk->pool[at].distance > walk->results[ef - 1].distance)
            break;
        if (walk->distances > distances_max) {
            *ret_gave_up = true;
            break;
        }
        walk->pool[at].slot |= FOLLOWED;
        at = follow(&passage, slot, at + 1);
    }
    if (!passage.through)
        *ret_gave_up = *ret_gave_up || goes_against(&passage);
    return true;
}
