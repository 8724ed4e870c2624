/*
 * nearest.c -- the chunks whose windows lie nearest to a query, and which way to find them.
 *
 *     no filter      walk the graph
 *     few selected   compare them all: the slots are in RAM with their documents, finding them is cheap
 *     many selected  walk the graph, taking what is selected; compare them all when that gets too costly
 *
 * Whatever the way, too few hits end in comparing all that is selected.
 *
 * Where codes are small (i8, bit), the nearest found are compared again on their full vectors: scores are
 * always those of full vectors. For i8 twice k are enough: recall at 1.5 k, 2 k, 4 k and all of ef was the
 * same to four digits on two sets. Signs alone order so coarsely that all of ef must be.
 *
 * The graph may be newer than the snapshot. What was removed since is in limbo, and compared one by one;
 * what was added since is passed over. So hits never depend on what a writer is doing.
 */
#include "index/internal.h"

#include <math.h>
#include <stdlib.h>

#define NORM_TOLERANCE 1e-3
#define SCAN_SLOTS     4096u /* compared before a writer who waits gets its turn */

struct hunt {
    const struct sl_snapshot *snapshot;
    struct sl_graph *graph;
    const struct sl_selection *selection;
    struct sl_walk *walk;
    uint32_t epoch;
    uint32_t k;
    uint32_t ef;
    bool thorough; /* compare again all that was found, and not only the first */
    bool cut;      /* some were not */
    struct sl_hit *hits;
    uint32_t count;
    struct sl_search_stats stats;
    uint32_t segment_number; /* the segment looked at last */
    const char *segment;
    struct sl_error *err;
};

static enum sl_err check_query(const struct sl_format *format, const float *query,
                               struct sl_error *err)
{
    double sum = 0;

    if (format->dim == 0)
        return sl_fail(err, SL_REJECT, "no_vectors", "the index holds no vectors");
    for (uint32_t i = 0; i < format->dim; i++)
        sum += (double)query[i] * (double)query[i];
    if (!isfinite(sum))
        return sl_fail(err, SL_REJECT, "bad_vector",
                       "the query vector holds values that are not finite");
    if (format->metric == SL_METRIC_COSINE && fabs(sqrt(sum) - 1.0) > NORM_TOLERANCE)
        return sl_fail(err, SL_REJECT, "bad_vector",
                       "the query vector has norm %.4f; with metric cosine it must be 1",
                       sqrt(sum));
    return SL_OK;
}

static float score_of(const struct sl_graph *graph, float distance)
{
    return graph->metric == SL_METRIC_L2 ? -distance : 1.0f - distance;
}

/* May this slot be returned? */
static bool passes(const void *context, uint32_t number)
{
    const struct hunt *hunt = context;
    const struct sl_slot *slot = &hunt->graph->slots[number];

    return sl_slot_visible(slot, hunt->epoch) &&
           (hunt->selection == NULL || sl_selection_has(hunt->selection, slot->document));
}

/* Which chunk of its document a slot belongs to, as this snapshot sees it. */
static enum sl_err ordinal_of(struct hunt *hunt, const struct sl_slot *slot, uint32_t *ret_ordinal)
{
    uint32_t number = slot->chunk / SL_SEGMENT_CHUNKS, local = slot->chunk % SL_SEGMENT_CHUNKS;
    uint32_t document;
    uint16_t ordinal;

    if (hunt->segment == NULL || hunt->segment_number != number) {
        struct sl_view payload;
        enum sl_err rc = sl_snapshot_segment(hunt->snapshot, number, &payload, hunt->err);
        if (rc != SL_OK)
            return rc;
        hunt->segment = payload.data;
        hunt->segment_number = number;
    }
    memcpy(&document, hunt->segment + offsetof(struct sl_segment, document) + local * 4,
           sizeof document);
    memcpy(&ordinal, hunt->segment + offsetof(struct sl_segment, ordinal) + local * 2,
           sizeof ordinal);
    if (document != slot->document)
        return sl_corrupt(hunt->err, "segment", number,
                          "a chunk belongs to another document than its vector");
    *ret_ordinal = ordinal;
    return SL_OK;
}

/* One candidate that passes. Nothing about a slot this snapshot may see changes while it is open.
 */
static enum sl_err offer(struct hunt *hunt, struct sl_near near)
{
    const struct sl_slot *slot = &hunt->graph->slots[near.slot];
    struct sl_hit hit = {slot->document, 0, score_of(hunt->graph, near.distance)};
    enum sl_err rc;

    if (hunt->count == hunt->k && hit.score < hunt->hits[hunt->k - 1].score)
        return SL_OK;
    rc = ordinal_of(hunt, slot, &hit.chunk);
    if (rc == SL_OK)
        sl_hits_add(hunt->hits, &hunt->count, hunt->k, hit, true);
    return rc;
}

static enum sl_err damaged(const struct hunt *hunt)
{
    uint32_t slab = atomic_load(&hunt->graph->damaged);

    return slab == 0 ? SL_OK : sl_corrupt(hunt->err, "vec", slab - 1, "wrong checksum");
}

/* What was removed since the snapshot, compared one by one into the walk's results. */
static bool search_limbo(struct hunt *hunt)
{
    struct sl_graph *graph = hunt->graph;
    struct sl_walk *walk = hunt->walk;
    uint32_t count, kept = walk->result_count;
    bool good;

    if (graph->limbo_count == 0)
        return true;
    (void)pthread_mutex_lock(&graph->limbo_lock);
    count = graph->limbo_count;
    good = sl_walk_room(walk, kept + count);
    for (uint32_t i = 0; good && i < count; i++)
        walk->results[kept + i].slot = graph->limbo[i];
    (void)pthread_mutex_unlock(&graph->limbo_lock);
    for (uint32_t i = 0; good && i < count; i++) {
        struct sl_near item = walk->results[walk->result_count + i];
        if (passes(hunt, item.slot))
            walk->results[kept++] = item;
    }
    sl_walk_exact(graph, walk, walk->results + walk->result_count, kept - walk->result_count);
    walk->result_count = kept;
    return good;
}

/* The walk's results, sorted by how far their codes are, get the distances of their full vectors. */
static void rescore(struct hunt *hunt)
{
    struct sl_walk *walk = hunt->walk;
    uint32_t enough = hunt->k > 8 ? 2 * hunt->k : hunt->k + 8;

    if (hunt->graph->full_at == 0)
        return;
    hunt->cut = !hunt->thorough && hunt->graph->storage == SL_STORAGE_I8 &&
                walk->result_count > enough;
    if (hunt->cut)
        walk->result_count = enough;
    sl_walk_exact(hunt->graph, walk, walk->results, walk->result_count);
}

/* Walk without a filter; what passes goes to the results. */
static bool walk_plain(struct hunt *hunt, uint32_t ef)
{
    struct sl_walk *walk = hunt->walk;

    walk->result_count = 0;
    if (!sl_walk_search(hunt->graph, walk, ef))
        return false;
    for (uint32_t i = 0; i < walk->pool_size; i++)
        if (passes(hunt, walk->pool[i].slot))
            walk->results[walk->result_count++] = walk->pool[i];
    rescore(hunt);
    return true;
}

static enum sl_err offer_all(struct hunt *hunt)
{
    enum sl_err rc = SL_OK;

    for (uint32_t i = 0; rc == SL_OK && i < hunt->walk->result_count; i++)
        rc = offer(hunt, hunt->walk->results[i]);
    return rc == SL_OK ? damaged(hunt) : rc;
}

/* Look harder until there are k distinct chunks or all nodes have been seen. */
static enum sl_err hunt_graph(struct hunt *hunt, bool *ret_done)
{
    uint32_t ef = hunt->ef > hunt->k ? hunt->ef : hunt->k;
    enum sl_err rc;

    hunt->stats.path = SL_PATH_GRAPH;
    for (;;) {
        uint64_t changes = hunt->graph->changes;
        bool good, all;
        sl_walk_pin(hunt->graph, hunt->walk);
        good = walk_plain(hunt, ef) && search_limbo(hunt);
        sl_walk_unpin(hunt->walk);
        all = hunt->walk->pool_size < ef;
        hunt->count = 0;
        rc = good ? offer_all(hunt) : sl_batch_memory(hunt->err);
        *ret_done =
            hunt->count == hunt->k || (all && !hunt->cut && hunt->graph->changes == changes);
        if (rc != SL_OK || *ret_done || (!hunt->cut && (all || ef >= SL_EF_MAX)))
            return rc;
        hunt->thorough = true;
        ef = ef * 2 < SL_EF_MAX ? ef * 2 : SL_EF_MAX;
    }
}

static enum sl_err hunt_filtered(struct hunt *hunt, double share, uint64_t selected, bool *ret_done)
{
    uint32_t ef = (hunt->ef > hunt->k ? hunt->ef : hunt->k) * 3 / 2; /* detours cost recall */
    bool good, gave_up = false;
    enum sl_err rc;

    if (ef > SL_EF_MAX)
        ef = SL_EF_MAX;
    hunt->stats.path = SL_PATH_FILTERED;
    sl_walk_pin(hunt->graph, hunt->walk);
    good = sl_walk_filtered(hunt->graph, hunt->walk, ef, share, passes, hunt, selected,
                            &gave_up);
    if (good)
        rescore(hunt);
    good = good && search_limbo(hunt);
    sl_walk_unpin(hunt->walk);
    hunt->count = 0;
    rc = good ? offer_all(hunt) : sl_batch_memory(hunt->err);
    if (rc == SL_OK && hunt->cut && hunt->count < hunt->k) {
        hunt->thorough = true;
        return hunt_filtered(hunt, share, selected, ret_done);
    }
    *ret_done = !gave_up && hunt->count == hunt->k;
    return rc;
}

/* Compare every vector that passes. */
static enum sl_err hunt_exact(struct hunt *hunt)
{
    struct sl_graph *graph = hunt->graph;
    struct sl_walk *walk = hunt->walk;
    enum sl_err rc = SL_OK;
    uint32_t end = UINT32_MAX;

    hunt->stats.path = SL_PATH_EXACT;
    hunt->count = 0;
    if (!sl_walk_room(walk, SCAN_SLOTS))
        return sl_batch_memory(hunt->err);
    for (uint32_t at = 0; rc == SL_OK && at < end; at += SCAN_SLOTS) {
        walk->result_count = 0;
        sl_walk_pin(graph, walk);
        end = graph->slot_end;
        for (uint32_t i = at; i < end && i < at + SCAN_SLOTS; i++)
            if (passes(hunt, i))
                walk->results[walk->result_count++].slot = i;
        sl_walk_exact(graph, walk, walk->results, walk->result_count);
        sl_walk_unpin(walk);
        rc = offer_all(hunt);
    }
    return rc;
}

/*
 * Measured at 384 dimensions: comparing one selected vector costs 70 to 130 ns, a walk that looks behind what does
 * not pass 480 us at ef 64, one on small codes 3/4 of that, and a walk that compares all, until enough pass, as
 * much as one without filter for ef / share.
 */
static bool exact_is_cheaper(const struct hunt *hunt, double selected, double share)
{
    double small = hunt->graph->full_at != 0 ? 0.75 : 1, ef = hunt->ef;

    return selected <= (70 * ef + 2000) * small || selected * share <= (8 * ef + 500) * small;
}

static enum sl_err hunt_best_way(struct hunt *hunt, bool exact)
{
    double live = (double)hunt->graph->live, share, selected;
    uint64_t documents;
    bool done = false;
    enum sl_err rc;

    if (exact)
        return hunt_exact(hunt);
    if (hunt->selection == NULL) {
        rc = hunt_graph(hunt, &done);
        return rc != SL_OK || done ? rc : hunt_exact(hunt);
    }
    rc = sl_txn_count(hunt->snapshot->txn, SL_STORE_DOC, &documents, hunt->err);
    if (rc != SL_OK)
        return rc;
    share = documents == 0 ? 0 : (double)hunt->selection->count / (double)documents;
    selected = share * live;
    if (exact_is_cheaper(hunt, selected, share))
        return hunt_exact(hunt);
    rc = hunt_filtered(hunt, share, (uint64_t)selected, &done);
    return rc != SL_OK || done ? rc : hunt_exact(hunt);
}

enum sl_err sl_snapshot_nearest(const struct sl_snapshot *snapshot, const float *query, uint32_t k,
                                uint32_t ef, bool exact, const struct sl_selection *selection,
                                struct sl_hit *ret_hits, uint32_t *ret_count,
                                struct sl_search_stats *ret_stats, struct sl_error *err)
{
    struct hunt hunt = {.snapshot = snapshot,
                        .selection = selection,
                        .k = k,
                        .ef = ef < SL_EF_MAX ? ef : SL_EF_MAX,
                        .err = err};
    enum sl_err rc = check_query(&snapshot->format, query, err);

    SL_PRE(k >= 1 && k <= SL_K_MAX);
    SL_PRE(selection == NULL || selection->snapshot == snapshot);
    if (rc == SL_OK)
        rc = sl_snapshot_graph(snapshot, &hunt.graph, err);
    if (rc != SL_OK)
        return rc;
    hunt.epoch = sl_graph_epoch(hunt.graph, snapshot->epoch);
    hunt.walk = sl_walk_begin(hunt.graph, query);
    hunt.hits = malloc(k * sizeof *hunt.hits);
    rc = hunt.walk == NULL || hunt.hits == NULL ? sl_batch_memory(err) : SL_OK;
    if (rc == SL_OK && (selection == NULL || selection->count > 0))
        rc = hunt_best_way(&hunt, exact);
    if (rc == SL_OK) {
        memcpy(ret_hits, hunt.hits, hunt.count * sizeof *ret_hits);
        *ret_count = hunt.count;
        hunt.stats.distances = hunt.walk->distances;
        hunt.stats.visited = hunt.walk->visited;
        if (ret_stats != NULL)
            *ret_stats = hunt.stats;
    }
    sl_walk_end(hunt.graph, hunt.walk);
    free(hunt.hits);
    return rc;
}
