/*
 * verify_graph.c -- is the graph on disk the graph it should be?
 *
 * It is loaded from the snapshot as a daemon would load it at start, so log and checkpoint are checked as a
 * whole. Then: every link has its mirror on the same level, no list names a slot twice or one that is free,
 * every parent is a neighbour, the entry is as high as any, every live slot is reached from the entry by
 * walking level 0, every vector is finite and, with cosine, of unit norm, and every code is its vector's.
 */
#include "index/verify.h"

#include <math.h>
#include <stdlib.h>

static bool names(const uint32_t *list, uint32_t slot)
{
    for (uint32_t i = 1; i <= list[0]; i++)
        if (list[i] == slot)
            return true;
    return false;
}

static void check_list(struct sl_verify *verify, uint32_t number, uint32_t level)
{
    const struct sl_graph *graph = verify->graph;
    const uint32_t *list = sl_graph_list(graph, number, level);
    enum sl_store_table table = level == 0 ? SL_STORE_LINK : SL_STORE_UPLINK;

    for (uint32_t i = 1; i <= list[0]; i++) {
        const struct sl_slot *other = &graph->slots[list[i]];
        if (other->state != SL_SLOT_LIVE || other->level < level) {
            sl_verify_fault(verify, table, "slot %u, level %u: links to slot %u, which is not there",
                            number, level, list[i]);
            continue;
        }
        if (!names(sl_graph_list(graph, list[i], level), number))
            sl_verify_fault(verify, table, "slot %u, level %u: slot %u does not link back", number,
                            level, list[i]);
        for (uint32_t j = 1; j < i; j++)
            if (list[j] == list[i])
                sl_verify_fault(verify, table, "slot %u, level %u: links to slot %u twice", number,
                                level, list[i]);
    }
}

static void check_slot(struct sl_verify *verify, uint32_t number)
{
    const struct sl_graph *graph = verify->graph;
    const struct sl_slot *slot = &graph->slots[number];

    for (uint32_t level = 0; level <= slot->level; level++)
        check_list(verify, number, level);
    if (number == graph->root ? slot->parent != SL_SLOT_NONE
                              : !names(sl_graph_list(graph, number, 0), slot->parent))
        sl_verify_fault(verify, SL_STORE_LINK, "slot %u: its parent is not a neighbour", number);
    if (slot->level > graph->slots[graph->entry].level)
        sl_verify_fault(verify, SL_STORE_META, "key state: slot %u stands higher than the entry",
                        number);
}

static void check_vector(struct sl_verify *verify, uint32_t number)
{
    struct sl_graph *graph = verify->graph;
    float vector[SL_DIM_MAX];
    double sum = 0;

    sl_graph_vector_get(graph, number, vector);
    if (atomic_load(&graph->damaged) == (number >> graph->slab_shift) + 1)
        return; /* the pass over all records has named the slab */
    for (uint32_t i = 0; i < graph->dim; i++)
        sum += (double)vector[i] * (double)vector[i];
    if (!isfinite(sum) || (graph->metric == SL_METRIC_COSINE && fabs(sqrt(sum) - 1.0) > 4e-3))
        sl_verify_fault(verify, SL_STORE_VECTOR, "slot %u: its vector has norm %g", number,
                        sqrt(sum));
    if (!sl_graph_code_agrees(graph, number))
        sl_verify_fault(verify, SL_STORE_VECTOR, "slot %u: its code is not its vector's", number);
}

/* Walks read codes alone, so these have a checksum of their own within the slab. */
static void check_codes(struct sl_verify *verify)
{
    struct sl_graph *graph = verify->graph;

    for (uint32_t slab = 0; graph->full_at != 0 && slab < sl_graph_slabs(graph); slab++) {
        if (graph->slabs[slab] == NULL || graph->vector_slabs[slab].on_heap)
            continue;
        (void)sl_graph_check_codes(graph, slab);
        if (atomic_load(&graph->damaged) != slab + 1)
            continue;
        atomic_store(&graph->damaged, 0);
        (void)sl_graph_check_fulls(graph, slab);
        if (atomic_load(&graph->damaged) == 0) /* or else the whole slab has been named */
            sl_verify_fault(verify, SL_STORE_VECTOR, "slab %u: its codes have another checksum",
                            slab);
    }
}

static void check_reachable(struct sl_verify *verify)
{
    const struct sl_graph *graph = verify->graph;
    uint32_t *queue = malloc((graph->slot_end + 1) * sizeof *queue);
    uint8_t *seen = calloc(graph->slot_end + 1, 1);
    uint32_t head = 0, tail = 0;

    verify->no_memory = verify->no_memory || queue == NULL || seen == NULL;
    if (queue != NULL && seen != NULL) {
        queue[tail++] = graph->entry;
        seen[graph->entry] = 1;
        while (head < tail) {
            const uint32_t *list = sl_graph_list(graph, queue[head++], 0);
            for (uint32_t i = 1; i <= list[0]; i++)
                if (!seen[list[i]]) {
                    seen[list[i]] = 1;
                    queue[tail++] = list[i];
                }
        }
        for (uint32_t i = 0; i < graph->slot_end; i++)
            if (graph->slots[i].state == SL_SLOT_LIVE && !seen[i])
                sl_verify_fault(verify, SL_STORE_LINK, "slot %u: no path leads to it", i);
    }
    free(queue);
    free(seen);
}

void sl_verify_graph(struct sl_verify *verify)
{
    const struct sl_index *index = verify->snapshot->index;
    struct sl_error err;
    struct sl_graph *graph = NULL;
    enum sl_err rc = sl_graph_load(verify->snapshot->txn, &verify->snapshot->format,
                                   &verify->snapshot->state, index->ef_construction,
                                   index->map_bytes, &graph, &err);

    if (rc != SL_OK) {
        verify->faults++;
        verify->report(verify->context, err.message);
        return;
    }
    verify->graph = graph;
    check_codes(verify);
    for (uint32_t i = 0; i < graph->slot_end; i++)
        if (graph->slots[i].state == SL_SLOT_LIVE) {
            check_slot(verify, i);
            check_vector(verify, i);
        }
    if (graph->live > 0)
        check_reachable(verify);
}
