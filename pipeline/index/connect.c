/*
 * connect.c -- which links a node has: choosing, making room, and the tree that keeps all
 * reachable.
 *
 * A node keeps neighbours that look in different directions: one is left out when a nearer one,
 * chosen before, is closer to it than the node itself, by a margin (alpha) that keeps some longer
 * links. Links are symmetric, so a full node drops a link on both sides; the other side may come to
 * have few, which is why links to nodes with few are kept.
 *
 * Reachability is not left to luck. Each node but the root names a neighbour as parent, and edges
 * between parent and child are never dropped: the level 0 graph holds a spanning tree. Removing a
 * node orphans its children; each gets another parent whose own chain to the root does not pass
 * through the orphan.
 *
 * Rejected: repairing from time to time by a search through the whole graph (vectors are lost until
 * then). Known weakness: chains grow long when data arrives sorted; taking the neighbour nearest to
 * the root as parent keeps them short in practice, but nothing bounds them.
 */
#include "index/graph.h"

#include <stdlib.h>

/* A link is dropped only from nodes that keep at least this share of m on level 0. */
static uint32_t degree_floor(const struct sl_graph *graph)
{
    return graph->m / 2 + 1;
}

float sl_graph_between(struct sl_graph *graph, uint32_t a, uint32_t b)
{
    const void *first = sl_graph_code(graph, a);

    return graph->codec.distance(first, sl_graph_code(graph, b), graph->codec.units);
}

/* The same, by the writer, who keeps count. */
static float measure(struct sl_graph *graph, uint32_t a, uint32_t b)
{
    graph->visits++;
    return sl_graph_between(graph, a, b);
}

static const void *code_of(struct sl_graph *graph, uint32_t slot, const void *newcomer)
{
    return slot != SL_SLOT_NONE ? sl_graph_code(graph, slot) : newcomer;
}

/* Is `item` hidden behind one of the chosen? */
static bool hidden(struct sl_graph *graph, const struct sl_near *chosen, uint32_t count,
                   struct sl_near item, float alpha, const void *newcomer, uint64_t *visits)
{
    const void *code = code_of(graph, item.slot, newcomer);

    for (uint32_t i = 0; i < count; i++) {
        float apart = graph->codec.distance(code, code_of(graph, chosen[i].slot, newcomer),
                                            graph->codec.units);
        ++*visits;
        if ((apart > 0 ? apart * alpha : apart / alpha) <= item.distance)
            return true;
    }
    return false;
}

uint32_t sl_connect_choose(struct sl_graph *graph, struct sl_near *near, uint32_t count,
                           uint32_t max, float alpha, const void *newcomer, uint64_t *visits)
{
    uint32_t chosen = 0;

    for (uint32_t i = 0; i < count && chosen < max; i++)
        if (!hidden(graph, near, chosen, near[i], alpha, newcomer, visits)) {
            struct sl_near item = near[i];
            near[i] = near[chosen];
            near[chosen++] = item;
        }
    return chosen;
}

int sl_near_compare(const void *a, const void *b)
{
    const struct sl_near *x = a, *y = b;

    if (x->distance != y->distance)
        return x->distance < y->distance ? -1 : 1;
    return (x->slot > y->slot) - (x->slot < y->slot);
}

/* May b's link to `other` be dropped? */
static bool droppable(struct sl_graph *graph, uint32_t b, uint32_t other, uint32_t level)
{
    if (level > 0)
        return true;
    return !sl_edit_in_tree(graph, b, other) &&
           sl_edit_list(graph, other, 0).count > degree_floor(graph);
}

void sl_connect_plan(struct sl_graph *graph, uint32_t b, struct sl_list links, float distance,
                     const void *newcomer, uint32_t level, uint64_t *visits,
                     struct sl_plan *ret_plan)
{
    struct sl_near near[2 * SL_M_MAX + 1];
    struct sl_plan plan = {.wanted = false};
    const void *code = sl_graph_code(graph, b);
    uint32_t count = links.count, chosen;

    for (uint32_t i = 0; i < count; i++)
        near[i] = (struct sl_near){
            graph->codec.distance(code, sl_graph_code(graph, links.links[i]), graph->codec.units),
            links.links[i]};
    *visits += count;
    near[count++] = (struct sl_near){distance, SL_SLOT_NONE};
    qsort(near, count, sizeof *near, sl_near_compare);
    chosen = sl_connect_choose(graph, near, count, sl_graph_cap(graph, level), SL_ALPHA_KEEP,
                               newcomer, visits);
    for (uint32_t i = 0; i < chosen; i++)
        plan.wanted = plan.wanted || near[i].slot == SL_SLOT_NONE;
    for (uint32_t i = chosen; i < count; i++)
        for (uint32_t at = 0; at < links.count; at++)
            if (links.links[at] == near[i].slot)
                plan.drop[at / 64] |= (uint64_t)1 << at % 64;
    *ret_plan = plan;
}

/* Drop what is to be dropped and may go. true: there is room for `a` now. */
static bool make_room(struct sl_graph *graph, uint32_t b, uint32_t a, uint32_t level,
                      const struct sl_plan *plan)
{
    struct sl_list list = sl_edit_list(graph, b, level);
    uint32_t links[2 * SL_M_MAX], count = list.count;
    struct sl_plan made;

    if (plan == NULL) {
        sl_connect_plan(graph, b, list, measure(graph, b, a), sl_graph_code(graph, a), level,
                        &graph->visits, &made);
        plan = &made;
    }
    if (!plan->wanted)
        return false;
    memcpy(links, list.links, count * sizeof *links);
    for (uint32_t i = 0; i < count; i++)
        if ((plan->drop[i / 64] >> i % 64 & 1) != 0 && droppable(graph, b, links[i], level))
            sl_edit_unlink(graph, b, links[i], level);
    return sl_edit_list(graph, b, level).count < sl_graph_cap(graph, level);
}

bool sl_connect(struct sl_graph *graph, uint32_t a, uint32_t b, uint32_t level,
                const struct sl_plan *plan)
{
    uint32_t cap = sl_graph_cap(graph, level);

    if (a == b || sl_edit_list(graph, a, level).count >= cap || graph->edits.failed)
        return false;
    if (sl_edit_linked(graph, a, b, level))
        return true;
    if (sl_edit_list(graph, b, level).count >= cap && !make_room(graph, b, a, level, plan))
        return false;
    sl_edit_link(graph, a, b, level);
    return !graph->edits.failed;
}

/* Drop the farthest link of b that is no tree edge, the other end's degree notwithstanding. */
static bool drop_one(struct sl_graph *graph, uint32_t b)
{
    struct sl_list list = sl_edit_list(graph, b, 0);
    uint32_t farthest = SL_SLOT_NONE;
    float most = 0;

    for (uint32_t i = 0; i < list.count; i++) {
        float distance = measure(graph, b, list.links[i]);
        if (!sl_edit_in_tree(graph, b, list.links[i]) &&
            (farthest == SL_SLOT_NONE || distance > most)) {
            farthest = list.links[i];
            most = distance;
        }
    }
    if (farthest == SL_SLOT_NONE)
        return false;
    sl_edit_unlink(graph, b, farthest, 0);
    return true;
}

bool sl_connect_firmly(struct sl_graph *graph, uint32_t a, uint32_t b)
{
    uint32_t cap = sl_graph_cap(graph, 0);

    if (sl_edit_linked(graph, a, b, 0))
        return true;
    if (sl_edit_list(graph, b, 0).count >= cap && !drop_one(graph, b))
        return false;
    if (sl_edit_list(graph, a, 0).count >= cap && !drop_one(graph, a))
        return false;
    sl_edit_link(graph, a, b, 0);
    return !graph->edits.failed;
}

/* --------------------------------------------------------------------------------- the tree */

/* The end of the chain of parents. */
static uint32_t top_of(struct sl_graph *graph, uint32_t slot)
{
    uint32_t steps = 0;

    for (;;) {
        uint32_t parent = sl_edit_parent(graph, slot);
        if (parent == SL_SLOT_NONE)
            return slot;
        slot = parent;
        SL_INVARIANT(++steps <= graph->slot_end);
    }
}

static void adopt(struct sl_graph *graph, uint32_t child, uint32_t parent)
{
    uint16_t depth = graph->slots[parent].depth;

    sl_edit_parent_set(graph, child, parent);
    graph->slots[child].depth = depth < UINT16_MAX ? (uint16_t)(depth + 1) : depth;
}

/* Among its own neighbours, the one nearest to the root. */
static bool attach_to_neighbour(struct sl_graph *graph, uint32_t slot)
{
    struct sl_list list = sl_edit_list(graph, slot, 0);
    uint32_t best = SL_SLOT_NONE;

    for (uint32_t i = 0; i < list.count; i++) {
        uint32_t next = list.links[i];
        if ((best == SL_SLOT_NONE || graph->slots[next].depth < graph->slots[best].depth) &&
            top_of(graph, next) == graph->root)
            best = next;
    }
    if (best == SL_SLOT_NONE)
        return false;
    adopt(graph, slot, best);
    return true;
}

/* Among the nearest nodes, linking to the first that has room and hangs on the root. */
static bool attach_nearby(struct sl_graph *graph, uint32_t slot, uint32_t without)
{
    struct sl_walk *walk = sl_walk_begin_at(graph, slot);
    bool done = false;

    if (walk != NULL && sl_walk_search(graph, walk, graph->ef_construction)) {
        graph->visits += walk->distances;
        for (uint32_t i = 0; i < walk->pool_size && !done; i++) {
            uint32_t next = walk->pool[i].slot;
            if (next == slot || next == without || graph->slots[next].state != SL_SLOT_LIVE ||
                top_of(graph, next) != graph->root || !sl_connect_firmly(graph, slot, next))
                continue;
            adopt(graph, slot, next);
            done = true;
        }
    }
    sl_walk_end(graph, walk);
    return done;
}

/* From the root down the tree until a node has room. A leaf always has: one tree edge, the rest may
 * go. */
static void attach_anywhere(struct sl_graph *graph, uint32_t slot)
{
    uint32_t at = graph->root;

    while (!sl_connect_firmly(graph, slot, at)) {
        struct sl_list list = sl_edit_list(graph, at, 0);
        uint32_t child = SL_SLOT_NONE;
        if (graph->edits.failed)
            return;
        for (uint32_t i = 0; i < list.count && child == SL_SLOT_NONE; i++)
            if (sl_edit_parent(graph, list.links[i]) == at)
                child = list.links[i];
        SL_INVARIANT(child != SL_SLOT_NONE);
        at = child;
    }
    adopt(graph, slot, at);
}

void sl_connect_attach(struct sl_graph *graph, uint32_t *orphans, uint32_t count, uint32_t without)
{
    bool more = true;

    while (more) { /* one that found a parent may be another's */
        more = false;
        for (uint32_t i = 0; i < count; i++)
            if (attach_to_neighbour(graph, orphans[i])) {
                orphans[i--] = orphans[--count];
                more = true;
            }
    }
    for (uint32_t i = 0; i < count && !graph->edits.failed; i++)
        if (!attach_to_neighbour(graph, orphans[i]) && !attach_nearby(graph, orphans[i], without))
            attach_anywhere(graph, orphans[i]);
}
