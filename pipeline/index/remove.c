/*
 * remove.c -- a vector out of the graph, at once and for good.
 *
 * Its neighbours know each other through it; so they are paired up, nearest pairs first, at most
 * one new link for each. Degrees have absolute floors: a node left with less than half of m is
 * linked to the nearest of the others, one with less than a quarter searches for neighbours anew. A
 * floor relative to what a node has now would let degrees sink step by step.
 *
 * The slot goes into limbo: searches on snapshots from before still find it there, by comparing all
 * of limbo, and it is used again when the last such snapshot is closed.
 */
#include "index/graph.h"

#include <stdlib.h>

struct pair {
    float distance;
    uint32_t a, b; /* indexes into the neighbours */
};

static int compare_pairs(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;

    if (x->distance != y->distance)
        return x->distance < y->distance ? -1 : 1;
    return x->a != y->a ? (x->a < y->a ? -1 : 1) : (x->b > y->b) - (x->b < y->b);
}

static bool has_room(struct sl_graph *graph, uint32_t slot, uint32_t level)
{
    return sl_edit_list(graph, slot, level).count < sl_graph_cap(graph, level);
}

/* One new link for each former neighbour that has not got one: the nearest pairs first. Nodes below
 * the floor may take more. */
static void pair_up(struct sl_graph *graph, const uint32_t *nodes, uint32_t count, uint32_t level)
{
    struct pair pairs[SL_M_MAX * (2 * SL_M_MAX - 1)];
    uint8_t gained[2 * SL_M_MAX] = {0};
    uint32_t pair_count = 0, floor = graph->m / 2;

    for (uint32_t a = 0; a < count; a++)
        for (uint32_t b = a + 1; b < count; b++)
            if (!sl_edit_linked(graph, nodes[a], nodes[b], level))
                pairs[pair_count++] =
                    (struct pair){sl_graph_between(graph, nodes[a], nodes[b]), a, b};
    graph->visits += pair_count;
    qsort(pairs, pair_count, sizeof *pairs, compare_pairs);
    for (uint32_t i = 0; i < pair_count; i++) {
        uint32_t a = pairs[i].a, b = pairs[i].b;
        bool low = sl_edit_list(graph, nodes[a], level).count < floor ||
                   sl_edit_list(graph, nodes[b], level).count < floor;
        if ((!low && (gained[a] > 0 || gained[b] > 0)) || !has_room(graph, nodes[a], level) ||
            !has_room(graph, nodes[b], level))
            continue;
        sl_edit_link(graph, nodes[a], nodes[b], level);
        if (graph->edits.failed)
            return;
        gained[a]++;
        gained[b]++;
    }
}

/* Look for neighbours anew, from the whole graph. */
static bool refill(struct sl_graph *graph, uint32_t slot, uint32_t without)
{
    struct sl_walk *walk = sl_walk_begin_at(graph, slot);
    bool good = walk != NULL && sl_walk_search(graph, walk, graph->ef_construction);
    uint32_t kept = 0, chosen;

    if (good) {
        graph->visits += walk->distances;
        for (uint32_t i = 0; i < walk->pool_size; i++)
            if (walk->pool[i].slot != slot && walk->pool[i].slot != without)
                walk->pool[kept++] = walk->pool[i];
        chosen = sl_connect_choose(graph, walk->pool, kept, graph->m, SL_ALPHA_CHOOSE, NULL,
                                   &graph->visits);
        for (uint32_t i = 0; i < chosen; i++)
            (void)sl_connect(graph, slot, walk->pool[i].slot, 0, NULL);
    }
    sl_walk_end(graph, walk);
    return good;
}

/* New parents for the children of a removed node. */
static void rehang(struct sl_graph *graph, uint32_t slot, const uint32_t *nodes, uint32_t count)
{
    uint32_t children[2 * SL_M_MAX], child_count = 0;

    for (uint32_t i = 0; i < count; i++)
        if (sl_edit_parent(graph, nodes[i]) == slot) {
            sl_edit_parent_set(graph, nodes[i], SL_SLOT_NONE);
            children[child_count++] = nodes[i];
        }
    if (graph->root == slot && child_count > 0) {
        graph->root = children[--child_count];
        graph->slots[graph->root].depth = 0;
    }
    sl_connect_attach(graph, children, child_count, slot);
}

static bool unlink_level(struct sl_graph *graph, uint32_t slot, uint32_t level)
{
    struct sl_list list = sl_edit_list(graph, slot, level);
    uint32_t nodes[2 * SL_M_MAX], count = list.count;
    bool good = true;

    memcpy(nodes, list.links, count * sizeof *nodes);
    for (uint32_t i = 0; i < count && !graph->edits.failed; i++)
        sl_edit_unlink(graph, slot, nodes[i], level);
    if (graph->edits.failed)
        return false;
    pair_up(graph, nodes, count, level);
    if (level > 0)
        return !graph->edits.failed;
    for (uint32_t i = 0; i < count && good; i++)
        if (sl_edit_list(graph, nodes[i], 0).count < graph->m / 4 && graph->live > graph->m)
            good = refill(graph, nodes[i], slot);
    rehang(graph, slot, nodes, count);
    return good && !graph->edits.failed;
}

/* The highest of the live nodes but for `slot`. */
static uint32_t next_entry(const struct sl_graph *graph, uint32_t slot)
{
    uint32_t best = SL_SLOT_NONE;

    for (uint32_t i = 0; i < graph->slot_end; i++)
        if (i != slot && graph->slots[i].state == SL_SLOT_LIVE &&
            (best == SL_SLOT_NONE || graph->slots[i].level > graph->slots[best].level))
            best = i;
    return best;
}

bool sl_graph_remove(struct sl_graph *graph, uint32_t slot, uint32_t epoch)
{
    bool good = true;

    SL_PRE(slot < graph->slot_end && graph->slots[slot].state == SL_SLOT_LIVE);
    if (graph->limbo_count == graph->limbo_capacity) {
        uint32_t capacity = graph->limbo_capacity * 2 + 256;
        uint32_t *limbo;
        (void)pthread_mutex_lock(&graph->limbo_lock);
        limbo = realloc(graph->limbo, capacity * sizeof *limbo);
        if (limbo != NULL) {
            graph->limbo = limbo;
            graph->limbo_capacity = capacity;
        }
        (void)pthread_mutex_unlock(&graph->limbo_lock);
        if (limbo == NULL)
            return false;
    }
    for (uint32_t level = graph->slots[slot].level; good; level--) {
        good = unlink_level(graph, slot, level);
        if (level == 0)
            break;
    }
    graph->leaving = slot;
    good = sl_edit_publish(graph, SL_SLOT_NONE) && good;
    graph->leaving = SL_SLOT_NONE;
    if (graph->entry == slot)
        graph->entry = next_entry(graph, slot);
    if (graph->root == slot)
        graph->root = SL_SLOT_NONE;
    graph->slots[slot].death = epoch;
    graph->slots[slot].state = SL_SLOT_LIMBO;
    (void)pthread_mutex_lock(&graph->limbo_lock);
    graph->limbo[graph->limbo_count] = slot;
    graph->limbo_count++;
    (void)pthread_mutex_unlock(&graph->limbo_lock);
    graph->live--;
    return sl_graph_mark(graph, slot) && good;
}
