/*
 * insert.c -- a new vector into the graph.
 *
 * Finding its neighbours is the long part and only reads, so it is done beforehand, by any thread
 * (sl_candidates_find). What was inserted between then and now is not among them: the last arrivals are
 * compared one by one, and when there were too many the search is done again. Candidates that were removed
 * meanwhile are known by their generation.
 *
 * The level of a node comes from the hash of its text, so that the same documents give the same levels on
 * every machine.
 */
#include "index/graph.h"

#include <math.h>
#include <stdlib.h>

uint32_t sl_graph_level(const struct sl_graph *graph, const uint8_t hash[SL_HASH_BYTES])
{
    uint64_t bits;
    double level;

    memcpy(&bits, hash, sizeof bits);
    bits *= 0x9E3779B97F4A7C15u;
    bits ^= bits >> 32;
    bits *= 0xD6E8FEB86659FD93u;
    level = -log(((double)(bits >> 11) + 1.0) * 0x1p-53) * graph->level_factor;
    return level < (double)SL_LEVEL_MAX ? (uint32_t)level : SL_LEVEL_MAX;
}

void sl_candidates_fini(struct sl_candidates *candidates)
{
    free(candidates->near);
    free(candidates->generations);
    candidates->near = NULL;
    candidates->generations = NULL;
}

static uint32_t total(const struct sl_candidates *candidates)
{
    uint32_t count = 0;

    for (uint32_t level = 0; level <= SL_LEVEL_MAX; level++)
        count += candidates->counts[level];
    return count;
}

/* Append a walk's pool as the candidates of one level (the lowest so far comes last). */
static bool keep_pool(struct sl_graph *graph, const struct sl_walk *walk, uint32_t level,
                      struct sl_candidates *candidates)
{
    uint32_t had = total(candidates), count = had + walk->pool_size;
    struct sl_near *near = realloc(candidates->near, (count + 1) * sizeof *near);
    uint16_t *generations;

    if (near == NULL)
        return false;
    candidates->near = near;
    generations = realloc(candidates->generations, (count + 1) * sizeof *generations);
    if (generations == NULL)
        return false;
    candidates->generations = generations;
    for (uint32_t i = 0; i < walk->pool_size; i++) {
        near[had + i] = walk->pool[i];
        generations[had + i] = graph->slots[walk->pool[i].slot].generation;
    }
    candidates->counts[level] = walk->pool_size;
    return true;
}

bool sl_candidates_find(struct sl_graph *graph, const float *vector, uint32_t level,
                        struct sl_candidates *ret_candidates)
{
    struct sl_candidates found = {
        .level = level, .arrivals = graph->arrival_count, .graph = graph};
    struct sl_walk *walk;
    uint32_t at;
    bool good;

    if (graph->entry == SL_SLOT_NONE) {
        *ret_candidates = found;
        return true;
    }
    walk = sl_walk_begin(graph, vector);
    if (walk == NULL)
        return false;
    at = graph->slots[graph->entry].level;
    at = level < at ? level : at;
    good = sl_walk_search(graph, walk, at, graph->ef_construction) &&
           keep_pool(graph, walk, at, &found);
    while (good && at-- > 0)
        good = sl_walk_descend(graph, walk, at, graph->ef_construction) &&
               keep_pool(graph, walk, at, &found);
    sl_walk_end(graph, walk);
    if (good)
        *ret_candidates = found;
    else
        sl_candidates_fini(&found);
    return good;
}

static int compare_near(const void *a, const void *b)
{
    const struct sl_near *x = a, *y = b;

    if (x->distance != y->distance)
        return x->distance < y->distance ? -1 : 1;
    return (x->slot > y->slot) - (x->slot < y->slot);
}

/* Candidates of one level that are still what they were, and what arrived since; sorted, unique. */
static uint32_t refresh(struct sl_graph *graph, const struct sl_candidates *candidates,
                        uint32_t level, uint32_t slot, struct sl_near *ret_near)
{
    const struct sl_near *near = candidates->near;
    const uint16_t *generations = candidates->generations;
    uint32_t count = 0, skip = 0, kept = 0;

    for (uint32_t above = SL_LEVEL_MAX; above > level; above--)
        skip += candidates->counts[above];
    for (uint32_t i = skip; i < skip + candidates->counts[level]; i++) {
        const struct sl_slot *node = &graph->slots[near[i].slot];
        if (near[i].slot != slot && node->state == SL_SLOT_LIVE &&
            node->generation == generations[i])
            ret_near[count++] = near[i];
    }
    for (uint64_t i = candidates->arrivals; i < graph->arrival_count; i++) {
        uint32_t arrived = graph->arrivals[i % SL_ARRIVALS];
        if (graph->slots[arrived].state == SL_SLOT_LIVE && arrived != slot &&
            graph->slots[arrived].level >= level)
            ret_near[count++] =
                (struct sl_near){sl_graph_between(graph, slot, arrived), arrived};
    }
    qsort(ret_near, count, sizeof *ret_near, compare_near);
    for (uint32_t i = 0; i < count; i++)
        if (kept == 0 || ret_near[kept - 1].slot != ret_near[i].slot)
            ret_near[kept++] = ret_near[i];
    return kept;
}

/* Link `slot` on one level to the best of its candidates. */
static bool link_level(struct sl_graph *graph, uint32_t slot, uint32_t level,
                       const struct sl_candidates *candidates)
{
    struct sl_near *near =
        malloc((candidates->counts[level] + SL_ARRIVALS + 1) * sizeof *near);
    uint32_t count, chosen;

    if (near == NULL)
        return false;
    count = refresh(graph, candidates, level, slot, near);
    chosen = sl_connect_choose(graph, near, count, graph->m, &graph->visits);
    for (uint32_t i = 0; i < chosen; i++)
        (void)sl_connect(graph, slot, near[i].slot, level);
    free(near);
    return !graph->edits.failed;
}

static void arrive(struct sl_graph *graph, uint32_t slot)
{
    graph->arrivals[graph->arrival_count++ % SL_ARRIVALS] = slot;
}

/* The slot's own data, before anything links to it. */
static uint32_t place(struct sl_graph *graph, const float *vector, uint32_t chunk,
                      uint32_t document, uint32_t epoch, uint32_t level)
{
    uint32_t number = sl_graph_slot_alloc(graph);
    struct sl_slot *slot;
    float *room;

    if (number == SL_SLOT_NONE)
        return SL_SLOT_NONE;
    slot = &graph->slots[number];
    room = graph->slabs[number >> graph->slab_shift] +
           (size_t)(number & ((1u << graph->slab_shift) - 1)) * graph->floats;
    (void)pthread_rwlock_wrlock(&graph->lock);
    memcpy(room, vector, graph->dim * sizeof *room);
    memset(room + graph->dim, 0, (graph->floats - graph->dim) * sizeof *room);
    *slot = (struct sl_slot){.chunk = chunk,
                             .document = document,
                             .parent = SL_SLOT_NONE,
                             .birth = epoch,
                             .death = SL_EPOCH_NEVER,
                             .generation = (uint16_t)(slot->generation + 1),
                             .dirty = slot->dirty,
                             .fresh = 1,
                             .state = SL_SLOT_LIVE};
    sl_graph_list(graph, number, 0)[0] = 0;
    if (!sl_graph_upper_make(graph, number, level) || !sl_graph_mark(graph, number)) {
        slot->state = SL_SLOT_FREE;
        number = SL_SLOT_NONE;
    }
    (void)pthread_rwlock_unlock(&graph->lock);
    return number;
}

uint32_t sl_graph_insert(struct sl_graph *graph, const float *vector, uint32_t chunk,
                         uint32_t document, uint32_t epoch, struct sl_candidates *candidates)
{
    uint32_t slot, top;
    bool good = true;

    if (candidates->graph != graph || graph->arrival_count - candidates->arrivals > SL_ARRIVALS) {
        uint32_t level = candidates->level;
        sl_candidates_fini(candidates);
        if (!sl_candidates_find(graph, vector, level, candidates))
            return SL_SLOT_NONE;
    }
    slot = place(graph, vector, chunk, document, epoch, candidates->level);
    if (slot == SL_SLOT_NONE)
        return SL_SLOT_NONE;
    if (graph->entry != SL_SLOT_NONE) {
        top = graph->slots[graph->entry].level;
        for (uint32_t level = candidates->level < top ? candidates->level : top; good; level--) {
            good = link_level(graph, slot, level, candidates);
            if (level == 0)
                break;
        }
        if (good)
            sl_connect_attach(graph, &(uint32_t){slot}, 1, slot);
    }
    (void)pthread_rwlock_wrlock(&graph->lock);
    good = sl_edit_publish(graph) && good;
    if (graph->entry == SL_SLOT_NONE) {
        graph->entry = graph->root = slot;
        graph->slots[slot].depth = 0;
    } else if (candidates->level > graph->slots[graph->entry].level) {
        graph->entry = slot;
    }
    graph->live++;
    (void)pthread_rwlock_unlock(&graph->lock);
    arrive(graph, slot);
    return good ? slot : SL_SLOT_NONE;
}
