/*
 * graph.h -- the HNSW graph in RAM. Shared by the files of pipeline/index that read or change it.
 *
 *     slot      the place of one vector: a number that never moves while the vector lives.
 *     code      a vector as it is walked on (codec.h); full: as it is compared at last. With storage f32, f16
 *               and bf16 they are one, i8 and bit keep both.
 *     slab      2^k codes side by side, then as many full vectors where those are kept too: in LMDB's map, or
 *               on the heap while it changes.
 *     limbo     a removed slot that an open snapshot may still return: out of the graph, vector kept.
 *     tree      every live slot but the root names one of its level 0 neighbours as its parent. Tree edges
 *               are never pruned, so the level 0 graph is connected, always: no vector is unreachable.
 *
 * One thread writes; walkers go on meanwhile and hold no lock. The writer works on copies (edits) and puts
 * them in place number by number: a walker may meet half of an old list and half of a new one, but each
 * number in it is a slot with a vector. What was taken out is used again only when no walker from before
 * is left (pins.h), and a removed slot keeps its links until then, so that no walk ends in it. What a
 * walker meets may be newer than its snapshot, so results are asked for their epochs.
 */
#ifndef SLUICE_GRAPH_H
#define SLUICE_GRAPH_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "index/codec.h"
#include "index/format.h"
#include "index/pins.h"
#include "index/store.h"

#define SL_LEVEL_MAX        15u
/* How much nearer than the node itself another neighbour must be to hide one: where links are chosen (the
 * plain rule: more is found with as many comparisons), and where a full node drops some (long ones are kept,
 * or recall sinks as vectors come and go). */
#define SL_ALPHA_CHOOSE     1.0f
#define SL_ALPHA_KEEP       1.2f
#define SL_EPOCH_NEVER      UINT32_MAX
#define SL_SLAB_HEADER      48u /* of a value, checksum included; LMDB's page header makes it 64 */
#define SL_INTACT_MARKS     1024u
#define SL_SLAB_CODES_SUM   16u /* where in it the codes' own checksum stands, if they have one */

enum sl_slot_state { SL_SLOT_FREE = 0, SL_SLOT_LIVE, SL_SLOT_LIMBO };

struct sl_slot {
    _Atomic uint32_t chunk;
    _Atomic uint32_t document;
    _Atomic uint32_t birth; /* commits since the graph was loaded */
    _Atomic uint32_t death;
    _Atomic uint16_t generation; /* grows when the slot is used again */
    _Atomic uint16_t version;    /* grows when one of its lists changes */
    _Atomic uint8_t level;
    _Atomic uint8_t state;
    /* the writer's own */
    uint16_t depth;  /* about how far from the root: a hint only */
    uint32_t parent; /* SL_SLOT_NONE: the root */
    uint8_t dirty;  /* changed in this batch       */
    uint8_t fresh;  /* its vector is of this batch */
    uint8_t orphan;
};

struct sl_near {
    float distance;
    uint32_t slot;
};

/* Memory reserved once and filled from the front, so that it never moves. */
struct sl_region {
    char *base;
    size_t usable;
    size_t reserved;
};

/* One slab of vectors or of links, as its owner, the writer, sees it. */
struct sl_slab {
    uint64_t dirty_since; /* commit of the oldest change not in the slab on disk; 0 = none */
    uint32_t touched;     /* slots changed in this batch; vector slabs: new vectors in it */
    uint32_t free;        /* vector slabs: slots below slot_end in no use */
    bool on_heap;
    bool written; /* in this batch */
    bool dropped; /* in this batch: not one of its slots is in use */
};

/* A changed list, not yet in place. Level 0 carries the slot's parent. */
struct sl_edit {
    uint32_t slot;
    uint32_t level;
    uint32_t parent;
    uint32_t count;
    uint32_t links[2 * SL_M_MAX + 1];
};

struct sl_edits {
    struct sl_edit *list;
    uint32_t count;
    uint32_t capacity;
    uint32_t *table; /* hash of (slot, level) -> index + 1 */
    uint32_t table_size;
    bool failed; /* out of memory: the batch must end */
};

/* What one walk needs, kept for the next one. */
struct sl_walk {
    struct sl_walk *next;
    struct sl_pin pin;
    uint16_t *seen;
    uint32_t seen_slots;
    uint16_t epoch;
    struct sl_near *pool;
    uint32_t pool_size;
    uint32_t pool_capacity;
    struct sl_near *results;
    uint32_t result_count;
    void *query; /* as a code        */
    void *full;  /* as a full vector */
    uint64_t distances;
    uint64_t visited;
};

struct sl_graph {
    atomic_uint references;
    struct sl_store *store; /* whose map the slabs lie in; NULL: none does */
    uint32_t dim;
    uint32_t m;
    enum sl_metric metric;
    uint32_t ef_construction;
    enum sl_storage storage;
    struct sl_codec codec; /* of codes                                          */
    struct sl_codec exact; /* of full vectors; the same where codes are all     */
    size_t full_at;        /* where a slab's full vectors begin; 0: they are its codes */
    double level_factor;

    struct sl_pins pins;
    uint64_t epoch_base; /* the commit it was loaded from */
    _Atomic uint32_t slot_end;
    uint32_t slot_max;
    _Atomic uint32_t entry;
    uint32_t root;
    _Atomic uint32_t live;
    _Atomic uint32_t orphans; /* live slots without parent but for the root: 0, or reachability is lost */
    struct sl_region links_region, slots_region, upper_region, slabs_region, codes_region, fulls_region;
    uint32_t *links;        /* per slot: count, 2 m links */
    struct sl_slot *slots;
    uint32_t **upper;       /* per slot: NULL, or per level from 1: count, m links */
    _Atomic(char *) *slabs; /* in the map these are read only */
    _Atomic(const char *) *codes; /* per slab: its codes, once their checksum has been compared */
    _Atomic(const char *) *fulls; /* per slab: its full vectors, likewise                       */
    atomic_uint damaged;    /* slab + 1 that failed it */
    uint32_t slab_shift;
    pthread_mutex_t limbo_lock; /* for as long as the list is copied */
    uint32_t *limbo;
    _Atomic uint32_t limbo_count;
    uint32_t limbo_capacity;

    /* commit << 22 | segment: its record's checksum was compared as of that commit */
    _Atomic uint64_t intact[SL_INTACT_MARKS];

    pthread_mutex_t walks_lock;
    struct sl_walk *walks;

    /* the writer's own */
    struct sl_region vector_slab_region, link_slab_region;
    struct sl_slab *vector_slabs;
    struct sl_slab *link_slabs;
    uint32_t link_slab_slots;
    uint32_t alloc_slab;
    uint32_t alloc_next;
    struct sl_edits edits;
    uint32_t *dirty;
    uint32_t dirty_count;
    uint32_t dirty_capacity;
    uint64_t checkpoint_credit; /* bytes of slabs that commits have earned to write */
    uint32_t leaving;   /* the slot being removed, else SL_SLOT_NONE */
    uint32_t *arrivals; /* ring of the slots inserted last */
    _Atomic uint64_t arrival_count;
    _Atomic uint64_t changes; /* insertions and removals so far */
    void **retired; /* copies of slabs that walkers may still read */
    uint32_t retired_count;
    uint32_t retired_capacity;
    uint64_t visits;  /* lists read and vectors compared by changes: how local they are */
};

#define SL_ARRIVALS 512u

static inline uint32_t sl_graph_cap(const struct sl_graph *graph, uint32_t level)
{
    return level == 0 ? 2 * graph->m : graph->m;
}

static inline uint32_t *sl_graph_list(const struct sl_graph *graph, uint32_t slot, uint32_t level)
{
    if (level == 0)
        return graph->links + (size_t)slot * (1 + 2 * graph->m);
    return graph->upper[slot] + (size_t)(level - 1) * (1 + graph->m);
}

/* Compare a checksum: of a slab's codes, or of all of it. Damage is noted in `damaged`; where the vectors
 * lie is returned all the same. */
const char *sl_graph_check_codes(struct sl_graph *graph, uint32_t slab);
const char *sl_graph_check_fulls(struct sl_graph *graph, uint32_t slab);
/* The checksum of a slab's codes and of the header before it. */
uint32_t sl_graph_codes_sum(const char *header, const char *codes, size_t bytes);

static inline const void *sl_graph_code(struct sl_graph *graph, uint32_t slot)
{
    uint32_t slab = slot >> graph->slab_shift;
    const char *codes = atomic_load_explicit(&graph->codes[slab], memory_order_acquire);

    if (__builtin_expect(codes == NULL, 0))
        codes = sl_graph_check_codes(graph, slab);
    return codes + (size_t)(slot & ((1u << graph->slab_shift) - 1)) * graph->codec.stride;
}

static inline const void *sl_graph_full(struct sl_graph *graph, uint32_t slot)
{
    uint32_t slab = slot >> graph->slab_shift;
    const char *fulls = atomic_load_explicit(&graph->fulls[slab], memory_order_acquire);

    if (__builtin_expect(fulls == NULL, 0))
        fulls = sl_graph_check_fulls(graph, slab);
    return fulls + (size_t)(slot & ((1u << graph->slab_shift) - 1)) * graph->exact.stride;
}

/* A slot is given its birth before its death, and asked the other way round. */
static inline bool sl_slot_visible(const struct sl_slot *slot, uint32_t epoch)
{
    return slot->state != SL_SLOT_FREE && epoch < slot->death && slot->birth <= epoch;
}

/* graph.c: the arrays, slots and slabs */
struct sl_graph *sl_graph_new(const struct sl_format *format, uint32_t ef_construction,
                              uint64_t map_bytes);
struct sl_graph *sl_graph_take(struct sl_graph *graph); /* one more owner */
struct sl_graph *sl_graph_drop(struct sl_graph *graph); /* one less; the last frees it */
bool sl_graph_grow(struct sl_graph *graph, uint32_t slot_end);
/* Ask for large pages from here on, since walks jump about: a tenth faster at a million vectors. Before loading
 * it would cost the time that the kernel may need to find some. */
void sl_graph_large_pages(struct sl_graph *graph);
uint32_t sl_graph_slabs(const struct sl_graph *graph);      /* vector slabs in use */
uint32_t sl_graph_link_slabs(const struct sl_graph *graph); /* link slabs in use   */
/* A slot for a new vector, on the heap from here on; SL_SLOT_NONE: out of memory. Writer only. */
uint32_t sl_graph_slot_alloc(struct sl_graph *graph);
/* The slab on the heap, copied there if need be. Writer only. */
char *sl_graph_slab_edit(struct sl_graph *graph, uint32_t slab);
/* A slab read from the map from now on; its checksums are compared when they are first needed, or have been. */
void sl_graph_slab_place(struct sl_graph *graph, uint32_t slab, const char *vectors, bool checked);
/* Free the slab's copy on the heap. */
void sl_graph_slab_release(struct sl_graph *graph, uint32_t slab);
size_t sl_graph_slab_bytes(const struct sl_graph *graph);
/* What is kept of one vector, as the log carries it, and back. Pre (put): the slab is on the heap. */
size_t sl_graph_kept_bytes(const struct sl_graph *graph);
void sl_graph_kept_put(struct sl_graph *graph, uint32_t slot, const char *kept);
/* The same as float[dim]: encoded on the way in, decoded on the way out. */
void sl_graph_vector_put(struct sl_graph *graph, uint32_t slot, const float *vector);
void sl_graph_vector_get(struct sl_graph *graph, uint32_t slot, float *ret_vector);
/* Would this vector be kept as the very bytes the slot has? */
bool sl_graph_vector_is(struct sl_graph *graph, uint32_t slot, const float *vector);
/* Is the slot's code what its full vector gives? */
bool sl_graph_code_agrees(struct sl_graph *graph, uint32_t slot);
/* What lies in one graph's slot into another's of the same shape, whose slab is on the heap. */
void sl_graph_vector_copy(struct sl_graph *graph, uint32_t slot, struct sl_graph *to,
                          uint32_t to_slot);
/* Upper lists for a slot of this level, all empty. false: out of memory */
bool sl_graph_upper_make(struct sl_graph *graph, uint32_t slot, uint32_t level);
/* Wait for the walks under way, and free what they alone could still see. Writer only. */
void sl_graph_quiesce(struct sl_graph *graph);
/* Free it when no walker can see it any more. false: out of memory, it is not freed. Writer only. */
bool sl_graph_retire(struct sl_graph *graph, void *memory);
/* Slots in limbo that no snapshot of `epoch_oldest` or later can see become free. */
void sl_graph_reclaim(struct sl_graph *graph, uint64_t epoch_oldest);
bool sl_graph_mark(struct sl_graph *graph, uint32_t slot); /* dirty; false: out of memory */
uint32_t sl_graph_epoch(const struct sl_graph *graph, uint64_t epoch);

/* edit.c: lists as the writer sees them, its own changes included */
struct sl_list {
    const uint32_t *links;
    uint32_t count;
};
struct sl_list sl_edit_list(struct sl_graph *graph, uint32_t slot, uint32_t level);
uint32_t sl_edit_parent(struct sl_graph *graph, uint32_t slot);
void sl_edit_parent_set(struct sl_graph *graph, uint32_t slot, uint32_t parent);
/* Is there an unpublished change to this list? */
bool sl_edit_pending(const struct sl_graph *graph, uint32_t slot, uint32_t level);
bool sl_edit_linked(struct sl_graph *graph, uint32_t a, uint32_t b, uint32_t level);
void sl_edit_link(struct sl_graph *graph, uint32_t a, uint32_t b, uint32_t level);
void sl_edit_unlink(struct sl_graph *graph, uint32_t a, uint32_t b, uint32_t level);
bool sl_edit_in_tree(struct sl_graph *graph, uint32_t a, uint32_t b);
/* Put the edits in place, those of `first` before those that lead to it. false: out of memory */
bool sl_edit_publish(struct sl_graph *graph, uint32_t first);

/* connect.c: which links a node should have */
/* How far apart two codes are. */
/* For qsort(): the nearest first, equal ones by slot. */
int sl_near_compare(const void *a, const void *b);
float sl_graph_between(struct sl_graph *graph, uint32_t a, uint32_t b);
/*
 * Choose at most `max` of `near` (sorted) that look in different directions; returns how many, in front.
 * `newcomer` is the code of the one item without a slot (SL_SLOT_NONE), if any. Adds the vectors compared to
 * *visits. Any thread that may read the graph.
 */
uint32_t sl_connect_choose(struct sl_graph *graph, struct sl_near *near, uint32_t count,
                           uint32_t max, float alpha, const void *newcomer, uint64_t *visits);

/* What a full node would do to make room for a newcomer; one bit for each place of its list. */
struct sl_plan {
    uint64_t drop[2 * SL_M_MAX / 64];
    bool wanted; /* false: it keeps what it has */
};
/* Any thread that may read the graph. `links` are those of `b`, `distance` its distance to the newcomer. */
void sl_connect_plan(struct sl_graph *graph, uint32_t b, struct sl_list links, float distance,
                     const void *newcomer, uint32_t level, uint64_t *visits,
                     struct sl_plan *ret_plan);
/* Link a and b, making room at b when it is full, as planned (NULL: decided now). false: b keeps what it
 * has. */
bool sl_connect(struct sl_graph *graph, uint32_t a, uint32_t b, uint32_t level,
                const struct sl_plan *plan);
/* The same, but one way or another: for a's place in the tree. false: b is full of tree edges. */
bool sl_connect_firmly(struct sl_graph *graph, uint32_t a, uint32_t b);
/* Give each orphan a parent that does not hang on it. Pre: their parents are SL_SLOT_NONE, none is the
 * root. `without` is leaving the graph. The array is used up. */
void sl_connect_attach(struct sl_graph *graph, uint32_t *orphans, uint32_t count,
                       uint32_t without);

/* walk.c: searching. Between begin and end a walk belongs to one thread; it looks at the graph only while it
 * is pinned, unless that thread is the writer's. */
static inline void sl_walk_pin(struct sl_graph *graph, struct sl_walk *walk)
{
    sl_pin(&graph->pins, &walk->pin);
}
static inline void sl_walk_unpin(struct sl_walk *walk)
{
    sl_unpin(&walk->pin);
}
struct sl_walk *sl_walk_begin(struct sl_graph *graph, const float *query);
/* To look for what lies near a slot's own vector. */
struct sl_walk *sl_walk_begin_at(struct sl_graph *graph, uint32_t slot);
void sl_walk_end(struct sl_graph *graph, struct sl_walk *walk);
/* How far the query is from the full vectors of `count` slots: their distances are filled in. */
void sl_walk_exact(struct sl_graph *graph, struct sl_walk *walk, struct sl_near *items,
                   uint32_t count);
/* The entry alone in the pool, or nothing when the graph is empty; its level. false: out of memory */
bool sl_walk_start(struct sl_graph *graph, struct sl_walk *walk, uint32_t *ret_level);
/* From the pool on level `top` down to `level`, greedily above it; the pool then holds the nearest `ef` found
 * there, sorted. false: out of memory */
bool sl_walk_down(struct sl_graph *graph, struct sl_walk *walk, uint32_t top, uint32_t level,
                  uint32_t ef);
/* Both, down to level 0. */
bool sl_walk_search(struct sl_graph *graph, struct sl_walk *walk, uint32_t ef);
/* On from the pool one level down. */
bool sl_walk_descend(struct sl_graph *graph, struct sl_walk *walk, uint32_t level, uint32_t ef);
/* A node's links as they are now, into room for 2 m; returns how many. */
uint32_t sl_walk_links(const struct sl_graph *graph, uint32_t slot, uint32_t level,
                       uint32_t *ret_links);
/* Room for `count` in pool and results. */
bool sl_walk_room(struct sl_walk *walk, uint32_t count);
/*
 * Level 0 with a test on what may be returned, which `share` of all nodes pass; results hold the nearest `ef` that
 * do. Gives up, and says so, after `distances_max`, and where the filter goes against the query.
 */
typedef bool (*sl_walk_test)(const void *context, uint32_t slot);
bool sl_walk_filtered(struct sl_graph *graph, struct sl_walk *walk, uint32_t ef, double share,
                      sl_walk_test test, const void *context, uint64_t distances_max,
                      bool *ret_gave_up);

/* insert.c, remove.c */

/* A neighbour that a new vector is to have, chosen beforehand. */
struct sl_choice {
    float distance;
    uint32_t slot;
    uint16_t generation;
    uint16_t version; /* of its lists when it was planned what to drop */
    bool planned;     /* it was full then */
    struct sl_plan plan;
};

struct sl_candidates {
    struct sl_choice *choices; /* level after level, from the highest down */
    uint32_t counts[SL_LEVEL_MAX + 1];
    uint32_t level;    /* of the new node */
    uint64_t arrivals; /* arrival_count when they were chosen */
    uint64_t changes;  /* likewise */
    const struct sl_graph *graph;
};
uint32_t sl_graph_level(const struct sl_graph *graph, const uint8_t hash[SL_HASH_BYTES]);
/* Any thread. false: out of memory */
bool sl_candidates_find(struct sl_graph *graph, const float *vector, uint32_t level,
                        struct sl_candidates *ret_candidates);
void sl_candidates_fini(struct sl_candidates *candidates);
/* A new vector. SL_SLOT_NONE: out of memory (the batch must end). */
uint32_t sl_graph_insert(struct sl_graph *graph, const float *vector, uint32_t chunk,
                         uint32_t document, uint32_t epoch, struct sl_candidates *candidates);
bool sl_graph_remove(struct sl_graph *graph, uint32_t slot, uint32_t epoch);

/* redo.c: to and from the store */
enum sl_err sl_graph_load(struct sl_txn *txn, const struct sl_format *format,
                          const struct sl_state *state, uint32_t ef_construction,
                          uint64_t map_bytes, struct sl_graph **ret_graph, struct sl_error *err);
/* One slab, as it is in RAM, into the store. */
enum sl_err sl_graph_write_links(struct sl_graph *graph, uint32_t slab, struct sl_txn *txn,
                                 struct sl_error *err);
enum sl_err sl_graph_write_vectors(struct sl_graph *graph, uint32_t slab, struct sl_txn *txn,
                                   struct sl_error *err);
size_t sl_graph_link_slab_bytes(const struct sl_graph *graph);
size_t sl_graph_vector_slab_bytes(const struct sl_graph *graph);
/* Log this batch's changes, checkpoint what has waited longest, trim the log. */
enum sl_err sl_graph_save(struct sl_graph *graph, struct sl_txn *txn, struct sl_state *state,
                          struct sl_error *err);
/* After the commit: changes are no longer dirty; slabs written are read from the map, given a transaction
 * that sees them (NULL: they stay on the heap until another time). */
enum sl_err sl_graph_saved(struct sl_graph *graph, struct sl_txn *read_txn, struct sl_error *err);

#endif /* SLUICE_GRAPH_H */
