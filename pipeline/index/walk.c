/*
 * walk.c -- finding the nodes nearest to a vector by walking the graph.
 *
 * The pool is one array kept sorted, each entry marked once its links have been followed; two heaps, the
 * usual choice, were slower. Neighbours not seen before are collected first and compared then, fetching
 * vectors some steps ahead, since waiting for memory is most of the cost. "Seen" is a number per slot that
 * differs in each walk, so nothing needs clearing.
 *
 * Under a filter there are two arrays: the pool leads the way through all nodes, results take those that
 * pass. Where few pass this visits far more than it returns, so it stops at a bound and the caller compares
 * the selected vectors one by one instead.
 */
#include "index/graph.h"

#include <float.h>
#include <stdlib.h>

#define FOLLOWED    0x80000000u /* on a pool entry's slot */
#define AHEAD       4u
#define BATCH_MAX   (2 * SL_M_MAX)

_Static_assert(SL_EF_MAX < 1u << 20, "a pool is sorted by moving entries");

struct sl_walk *sl_walk_begin(struct sl_graph *graph, const float *query)
{
    struct sl_walk *walk;

    (void)pthread_mutex_lock(&graph->walks_lock);
    walk = graph->walks;
    if (walk != NULL)
        graph->walks = walk->next;
    (void)pthread_mutex_unlock(&graph->walks_lock);
    if (walk == NULL)
        walk = calloc(1, sizeof *walk);
    if (walk == NULL)
        return NULL;
    if (walk->query == NULL)
        walk->query = aligned_alloc(64, graph->floats * sizeof(float));
    if (walk->query == NULL) {
        free(walk);
        return NULL;
    }
    memcpy(walk->query, query, graph->dim * sizeof(float));
    memset(walk->query + graph->dim, 0, (graph->floats - graph->dim) * sizeof(float));
    walk->distances = walk->visited = 0;
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

/* Insert into a sorted array of at most `limit`; returns where, or `limit` when it is too far away. */
static uint32_t insert_sorted(struct sl_near *array, uint32_t *size, uint32_t limit,
                              struct sl_near item)
{
    uint32_t low = 0, high = *size;

    if (*size == limit && item.distance >= array[limit - 1].distance)
        return limit;
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

static inline void prefetch(const float *vector, uint32_t floats)
{
    uint32_t lines = floats / SL_VECTOR_FLOATS;

    if (lines > 16)
        lines = 16;
    for (uint32_t i = 0; i < lines; i++)
        __builtin_prefetch(vector + (size_t)i * SL_VECTOR_FLOATS, 0, 3);
}

/* The neighbours of `slot` not seen yet, marked as seen. */
static uint32_t collect(struct sl_graph *graph, struct sl_walk *walk, uint32_t slot,
                        uint32_t level, uint32_t *ret_slots)
{
    const uint32_t *list = sl_graph_list(graph, slot, level);
    uint32_t count = 0;

    walk->visited++;
    for (uint32_t i = 0; i < list[0]; i++)
        __builtin_prefetch(walk->seen + list[i + 1], 1, 3);
    for (uint32_t i = 0; i < list[0]; i++) {
        uint32_t next = list[i + 1];
        if (walk->seen[next] == walk->epoch)
            continue;
        walk->seen[next] = walk->epoch;
        ret_slots[count++] = next;
    }
    return count;
}

/* Follow the pool's nearest entry not followed yet, until there is none. */
static void expand(struct sl_graph *graph, struct sl_walk *walk, uint32_t level, uint32_t ef)
{
    uint32_t batch[BATCH_MAX];
    uint32_t at = 0;

    while (at < walk->pool_size) {
        uint32_t slot = walk->pool[at].slot, count, lowest = at + 1;

        if (slot & FOLLOWED) {
            at++;
            continue;
        }
        walk->pool[at].slot |= FOLLOWED;
        count = collect(graph, walk, slot, level, batch);
        for (uint32_t i = 0; i < count && i < AHEAD; i++)
            prefetch(sl_graph_vector(graph, batch[i]), graph->floats);
        for (uint32_t i = 0; i < count; i++) {
            struct sl_near item = {.slot = batch[i]};
            uint32_t place;
            if (i + AHEAD < count)
                prefetch(sl_graph_vector(graph, batch[i + AHEAD]), graph->floats);
            item.distance =
                graph->distance(walk->query, sl_graph_vector(graph, batch[i]), graph->floats);
            place = insert_sorted(walk->pool, &walk->pool_size, ef, item);
            if (place < lowest)
                lowest = place;
        }
        walk->distances += count;
        at = lowest;
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

/* The entry alone in the pool. */
static bool start(struct sl_graph *graph, struct sl_walk *walk)
{
    uint32_t entry = graph->entry;

    walk->pool_size = 0;
    if (entry == SL_SLOT_NONE || !sl_walk_room(walk, 1))
        return false;
    walk->distances++;
    walk->pool[0] = (struct sl_near){
        graph->distance(walk->query, sl_graph_vector(graph, entry), graph->floats), entry};
    walk->pool_size = 1;
    return true;
}

bool sl_walk_search(struct sl_graph *graph, struct sl_walk *walk, uint32_t level, uint32_t ef)
{
    if (!start(graph, walk))
        return false;
    for (uint32_t above = graph->slots[graph->entry].level; above > level; above--)
        if (!sl_walk_descend(graph, walk, above, 1))
            return false;
    return sl_walk_descend(graph, walk, level, ef);
}

static void admit(struct sl_walk *walk, uint32_t ef, struct sl_near item, sl_walk_test test,
                  const void *context)
{
    if (walk->result_count == ef && item.distance >= walk->results[ef - 1].distance)
        return;
    if (test(context, item.slot))
        (void)insert_sorted(walk->results, &walk->result_count, ef, item);
}

bool sl_walk_filtered(struct sl_graph *graph, struct sl_walk *walk, uint32_t ef, sl_walk_test test,
                      const void *context, uint64_t distances_max, bool *ret_gave_up)
{
    uint32_t batch[BATCH_MAX], pool_max, at = 0;

    if (!sl_walk_search(graph, walk, 0, ef))
        return false;
    walk->result_count = 0;
    for (uint32_t i = 0; i < walk->pool_size; i++)
        admit(walk, ef, walk->pool[i], test, context);
    /* what was followed so far stays followed; go on outwards in a longer pool */
    pool_max = SL_EF_MAX;
    if (!sl_walk_room(walk, pool_max))
        return false;
    for (uint32_t i = 0; i < walk->pool_size; i++)
        walk->pool[i].slot |= FOLLOWED;
    at = 0;
    *ret_gave_up = false;
    if (walk->result_count == ef)
        return true;
    for (uint32_t i = 0; i < walk->pool_size; i++)
        walk->pool[i].slot &= ~FOLLOWED;
    if (!forget(graph, walk))
        return false;
    for (uint32_t i = 0; i < walk->pool_size; i++)
        walk->seen[walk->pool[i].slot] = walk->epoch;
    while (at < walk->pool_size) {
        uint32_t slot = walk->pool[at].slot, count, lowest = at + 1;

        if (slot & FOLLOWED) {
            at++;
            continue;
        }
        if (walk->result_count == ef &&
            walk->pool[at].distance > walk->results[ef - 1].distance)
            break;
        if (walk->distances > distances_max) {
            *ret_gave_up = true;
            break;
        }
        walk->pool[at].slot |= FOLLOWED;
        count = collect(graph, walk, slot, 0, batch);
        for (uint32_t i = 0; i < count; i++) {
            struct sl_near item = {.slot = batch[i]};
            uint32_t place;
            item.distance =
                graph->distance(walk->query, sl_graph_vector(graph, batch[i]), graph->floats);
            place = insert_sorted(walk->pool, &walk->pool_size, pool_max, item);
            if (place < lowest)
                lowest = place;
            admit(walk, ef, item, test, context);
        }
        walk->distances += count;
        at = lowest;
    }
    return true;
}
