/*
 * insert.c -- a new vector into the graph.
 *
 * Finding its neighbours, choosing among them, and deciding what each full one drops to make room
 * is all but a tenth of the work, and only reads: it is done beforehand, by any thread
 * (sl_candidates_find). The writer compares: a choice that was removed since is known by its
 * generation, a list that changed by its version, and its plan is then made anew; what was inserted
 * since is compared one by one, or found by a short walk from the choices when it is much. So the
 * one writer is no bottleneck, no lock is held over two nodes, and a batch stays one consistent
 * cut.
 *
 * Rejected: locks striped over nodes, taken by many inserting threads. Half the edges of a new node
 * go to nodes that other threads want, trees and symmetry would need locks over many nodes at once,
 * and which edges belong to which commit would have to be settled by stopping all of them.
 *
 * The level of a node comes from the hash of its text, so that the same documents give the same
 * levels on every machine.
 */
#include "index/graph.h"

#include <math.h>
#include <stdlib.h>

/* Versions have 16 bits, and a change adds at most one per level to a slot's. */
#define PLAN_CHANGES_MAX (65536u / (SL_LEVEL_MAX + 1))

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
    free(candidates->choices);
    candidates->choices = NULL;
}

static uint32_t total(const struct sl_candidates *candidates)
{
    uint32_t count = 0;

    for (uint32_t level = 0; level <= SL_LEVEL_MAX; level++)
        count += candidates->counts[level];
    return count;
}

/* What `near` is as a choice: with a plan when it is full. */
static struct sl_choice choice_of(struct sl_graph *graph, struct sl_walk *walk, struct sl_near near,
                                  uint32_t level)
{
    const struct sl_slot *node = &graph->slots[near.slot];
    struct sl_choice choice = {.distance = near.distance,
                               .slot = near.slot,
                               .generation = node->generation,
                               .version = node->version}; /* before its list is read */
    uint32_t links[2 * SL_M_MAX], count = sl_walk_links(graph, near.slot, level, links);

    choice.planned = count >= sl_graph_cap(graph, level);
    if (choice.planned)
        sl_connect_plan(graph, near.slot, (struct sl_list){links, count}, near.distance,
                        walk->query, level, &walk->distances, &choice.plan);
    return choice;
}

/* Choose from a walk's pool for one level; the choices go behind those of the levels above. */
static bool choose_level(struct sl_graph *graph, struct sl_walk *walk, uint32_t level,
                         struct sl_candidates *candidates)
{
    uint32_t had = total(candidates), chosen;
    struct sl_near *near = walk->results; /* the pool is needed for the level below */
    struct sl_choice *choices = realloc(candidates->choices, (had + graph->m) * sizeof *choices);

    if (choices == NULL)
        return false;
    candidates->choices = choices;
    memcpy(near, walk->pool, walk->pool_size * sizeof *near);
    chosen = sl_connect_choose(graph, near, walk->pool_size, graph->m, SL_ALPHA_CHOOSE, NULL,
                               &walk->distances);
    for (uint32_t i = 0; i < chosen; i++)
        choices[had + i] = choice_of(graph, walk, near[i], level);
    candidates->counts[level] = chosen;
    return true;
}

bool sl_candidates_find(struct sl_graph *graph, const float *vector, uint32_t level,
                        struct sl_candidates *ret_candidates)
{
    struct sl_candidates found = {.level = level,
                                  .arrivals = graph->arrival_count,
                                  .changes = graph->changes,
                                  .graph = graph};
    struct sl_walk *walk;
    uint32_t top, at;
    bool good;

    walk = sl_walk_begin(graph, vector);
    if (walk == NULL)
        return false;
    sl_walk_pin(graph, walk);
    good = sl_walk_start(graph, walk, &top);
    at = level < top ? level : top;
    good = good && sl_walk_down(graph, walk, top, at, graph->ef_construction) &&
           choose_level(graph, walk, at, &found);
    while (good && at-- > 0)
        good = sl_walk_descend(graph, walk, at, graph->ef_construction) &&
               choose_level(graph, walk, at, &found);
    sl_walk_unpin(walk);
    sl_walk_end(graph, walk);
    if (good)
        *ret_candidates = found;
    else
        sl_candidates_fini(&found);
    return good;
}

/* ---------------------------------------------------------------------------------- applying */

/* The choices of one level. */
static const struct sl_choice *choices_of(const struct sl_candidates *candidates, uint32_t level)
{
    const struct sl_choice *choices = candidates->choices;

    for (uint32_t above = SL_LEVEL_MAX; above > level; above--)
        choices += candidates->counts[above];
    return choices;
}

/* Those that are still what they were. */
static uint32_t surviving(const struct sl_graph *graph, const struct sl_candidates *candidates,
                          uint32_t level, struct sl_near *ret_near)
{
    const struct sl_choice *choices = choices_of(candidates, level);
    uint32_t count = 0;

    for (uint32_t i = 0; i < candidates->counts[level]; i++) {
        const struct sl_slot *node = &graph->slots[choices[i].slot];
        if (node->state == SL_SLOT_LIVE && node->generation == choices[i].generation)
            ret_near[count++] = (struct sl_near){choices[i].distance, choices[i].slot};
    }
    return count;
}

/* What was inserted since, behind the `count` in `near`; all sorted. */
static uint32_t add_arrivals(struct sl_graph *graph, const struct sl_candidates *candidates,
                             uint32_t level, uint32_t slot, struct sl_near *near, uint32_t count)
{
    for (uint64_t i = candidates->arrivals; i < graph->arrival_count; i++) {
        uint32_t arrived = graph->arrivals[i % SL_ARRIVALS];
        const struct sl_slot *node = &graph->slots[arrived];
        if (node->state != SL_SLOT_LIVE || arrived == slot || node->level < level)
            continue;
        near[count++] = (struct sl_near){sl_graph_between(graph, slot, arrived), arrived};
        graph->visits++;
    }
    qsort(near, count, sizeof *near, sl_near_compare);
    return count;
}

/* The nodes around the `count` in `near`, nearest first: a short walk from them, or from the entry.
 */
static uint32_t look_around(struct sl_graph *graph, uint32_t level, uint32_t slot,
                            struct sl_near *near, uint32_t count)
{
    struct sl_walk *walk = sl_walk_begin_at(graph, slot);
    uint32_t ef = 4 * graph->m, found = 0, top;
    bool good = walk != NULL && sl_walk_room(walk, ef);

    if (good && count > 0) {
        qsort(near, count, sizeof *near, sl_near_compare);
        memcpy(walk->pool, near, count * sizeof *near);
        walk->pool_size = count;
        good = sl_walk_descend(graph, walk, level, ef);
    } else if (good) {
        good = sl_walk_start(graph, walk, &top) && sl_walk_down(graph, walk, top, level, ef);
    }
    for (uint32_t i = 0; good && i < walk->pool_size; i++)
        if (walk->pool[i].slot != slot && graph->slots[walk->pool[i].slot].state == SL_SLOT_LIVE)
            near[found++] = walk->pool[i];
    if (walk != NULL)
        graph->visits += walk->distances;
    sl_walk_end(graph, walk);
    return good ? found : count;
}

/* The plan made for this neighbour, if nothing has happened to its list since. */
static const struct sl_plan *plan_of(const struct sl_graph *graph,
                                     const struct sl_candidates *candidates, uint32_t level,
                                     uint32_t slot)
{
    const struct sl_choice *choices = choices_of(candidates, level);

    for (uint32_t i = 0; i < candidates->counts[level]; i++)
        if (choices[i].slot == slot)
            return choices[i].planned && choices[i].version == graph->slots[slot].version &&
                           graph->changes - candidates->changes < PLAN_CHANGES_MAX &&
                           !sl_edit_pending(graph, slot, level)
                       ? &choices[i].plan
                       : NULL;
    return NULL;
}

/* Link `slot` on one level to the best of its candidates. */
static bool link_level(struct sl_graph *graph, uint32_t slot, uint32_t level,
                       const struct sl_candidates *candidates)
{
    uint64_t arrivals = graph->arrival_count - candidates->arrivals;
    struct sl_near *near = malloc((5 * graph->m + SL_ARRIVALS) * sizeof *near);
    uint32_t chosen = candidates->counts[level], count;

    if (near == NULL)
        return false;
    count = surviving(graph, candidates, level, near);
    if (arrivals > SL_ARRIVALS || 2 * count < chosen)
        chosen = look_around(graph, level, slot, near, count);
    else
        chosen = add_arrivals(graph, candidates, level, slot, near, count);
    if (chosen != count || arrivals > SL_ARRIVALS)
        chosen = sl_connect_choose(graph, near, chosen, graph->m, SL_ALPHA_CHOOSE, NULL,
                                   &graph->visits);
    for (uint32_t i = 0; i < chosen; i++)
        (void)sl_connect(graph, slot, near[i].slot, level,
                         plan_of(graph, candidates, level, near[i].slot));
    free(near);
    return !graph->edits.failed;
}

static void arrive(struct sl_graph *graph, uint32_t slot)
{
    graph->arrivals[graph->arrival_count % SL_ARRIVALS] = slot;
    graph->arrival_count++;
}

/* The slot's own data, before anything links to it. */
static uint32_t place(struct sl_graph *graph, const float *vector, uint32_t chunk,
                      uint32_t document, uint32_t epoch, uint32_t level)
{
    uint32_t number = sl_graph_slot_alloc(graph);
    struct sl_slot *slot;

    if (number == SL_SLOT_NONE)
        return SL_SLOT_NONE;
    slot = &graph->slots[number];
    sl_graph_vector_put(graph, number, vector); /* nobody looks there yet */
    slot->chunk = chunk;
    slot->document = document;
    slot->parent = SL_SLOT_NONE;
    slot->fresh = 1;
    slot->orphan = 0;
    slot->depth = 0;
    slot->generation++;
    slot->birth = epoch; /* before its death: sl_slot_visible */
    slot->death = SL_EPOCH_NEVER;
    sl_graph_list(graph, number, 0)[0] = 0;
    if (!sl_graph_upper_make(graph, number, level) || !sl_graph_mark(graph, number))
        return SL_SLOT_NONE;
    slot->state = SL_SLOT_LIVE;
    return number;
}

uint32_t sl_graph_insert(struct sl_graph *graph, const float *vector, uint32_t chunk,
                         uint32_t document, uint32_t epoch, struct sl_candidates *candidates)
{
    uint32_t slot, top;
    bool good = true;

    if (candidates->graph != graph) {
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
    good = sl_edit_publish(graph, slot) && good;
    if (graph->entry == SL_SLOT_NONE) {
        graph->entry = graph->root = slot;
        graph->slots[slot].depth = 0;
    } else if (candidates->level > graph->slots[graph->entry].level) {
        graph->entry = slot;
    }
    graph->live++;
    arrive(graph, slot);
    return good ? slot : SL_SLOT_NONE;
}
