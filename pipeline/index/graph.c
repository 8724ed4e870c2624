/*
 * graph.c -- the graph's memory: slots, link lists, slabs of vectors.
 *
 * The arrays are as long as the map could ever need, reserved as address space and made usable from the
 * front: they never move, so a walker needs no second look at a base pointer. Links of level 0 lie flat,
 * one record a slot; the levels above concern one slot in m and are allocated one by one.
 *
 * Vectors of a slab are read where LMDB mapped them. A slab that changes is copied to the heap first and
 * written back as a whole later; so a free slot is used again only in a slab that is on the heap anyway,
 * or one with a fifth of its slots free, which bounds both the bytes written and the space lost.
 */
#include "index/graph.h"

#include <math.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <sluice/hash.h>

#define REGION_STEP (1u << 20)
#define LARGE_PAGE  ((size_t)2 << 20)
#define FREE_SHARE  10u /* when one slot in so many is free, the slab with most is filled up, few as they be */

/* Begins where a large page may. */
static bool region_reserve(struct sl_region *region, size_t bytes)
{
    size_t all = bytes + LARGE_PAGE, skip;
    char *base = mmap(NULL, all, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (base == MAP_FAILED)
        return false;
    skip = LARGE_PAGE - ((uintptr_t)base & (LARGE_PAGE - 1));
    (void)munmap(base, skip);
    base += skip;
    *region = (struct sl_region){base, 0, all - skip};
    return true;
}

static bool region_grow(struct sl_region *region, size_t bytes)
{
    size_t wanted;

    if (bytes <= region->usable)
        return true;
    wanted = (bytes + bytes / 8 + REGION_STEP) & ~(size_t)(REGION_STEP - 1);
    if (wanted > region->reserved)
        wanted = region->reserved;
    if (bytes > wanted || mprotect(region->base, wanted, PROT_READ | PROT_WRITE) != 0)
        return false;
    region->usable = wanted;
    return true;
}

static void region_free(struct sl_region *region)
{
    if (region->base != NULL)
        (void)munmap(region->base, region->reserved);
}

void sl_graph_large_pages(struct sl_graph *graph)
{
    (void)madvise(graph->links_region.base, graph->links_region.reserved, MADV_HUGEPAGE);
    (void)madvise(graph->slots_region.base, graph->slots_region.reserved, MADV_HUGEPAGE);
}

static bool reserve_all(struct sl_graph *graph)
{
    size_t slots = graph->slot_max, slabs = (slots >> graph->slab_shift) + 1;
    size_t link_slabs = slots / graph->link_slab_slots + 1;

    if (!region_reserve(&graph->links_region, slots * (1 + 2 * graph->m) * sizeof(uint32_t)) ||
        !region_reserve(&graph->slots_region, slots * sizeof(struct sl_slot)) ||
        !region_reserve(&graph->upper_region, slots * sizeof(uint32_t *)) ||
        !region_reserve(&graph->slabs_region, slabs * sizeof(char *)) ||
        !region_reserve(&graph->codes_region, slabs * sizeof(char *)) ||
        !region_reserve(&graph->fulls_region, slabs * sizeof(char *)) ||
        !region_reserve(&graph->vector_slab_region, slabs * sizeof(struct sl_slab)) ||
        !region_reserve(&graph->link_slab_region, link_slabs * sizeof(struct sl_slab)))
        return false;
    graph->links = (uint32_t *)(void *)graph->links_region.base;
    graph->slots = (struct sl_slot *)(void *)graph->slots_region.base;
    graph->upper = (uint32_t **)(void *)graph->upper_region.base;
    graph->slabs = (_Atomic(char *) *)(void *)graph->slabs_region.base;
    graph->codes = (_Atomic(const char *) *)(void *)graph->codes_region.base;
    graph->fulls = graph->full_at == 0 ? graph->codes
                                       : (_Atomic(const char *) *)(void *)graph->fulls_region.base;
    graph->vector_slabs = (struct sl_slab *)(void *)graph->vector_slab_region.base;
    graph->link_slabs = (struct sl_slab *)(void *)graph->link_slab_region.base;
    return true;
}

/* How vectors are kept, and how many of them fit a slab. */
static void choose_storage(struct sl_graph *graph, enum sl_storage storage)
{
    static const enum sl_code codes[] = {[SL_STORAGE_F32] = SL_CODE_F32, [SL_STORAGE_F16] = SL_CODE_F16,
                                         [SL_STORAGE_BF16] = SL_CODE_BF16, [SL_STORAGE_I8] = SL_CODE_I8,
                                         [SL_STORAGE_BIT] = SL_CODE_BIT};
    bool both = storage == SL_STORAGE_I8 || storage == SL_STORAGE_BIT;
    size_t each;

    graph->storage = storage;
    graph->codec = sl_codec_choose(codes[storage], graph->metric, graph->dim);
    graph->exact =
        both ? sl_codec_choose(SL_CODE_F32, graph->metric, graph->dim) : graph->codec;
    each = graph->codec.stride + (both ? graph->exact.stride : 0);
    while (((size_t)2 << graph->slab_shift) * each <= SL_SLAB_BYTES_MAX)
        graph->slab_shift++;
    graph->full_at = both ? (size_t)graph->codec.stride << graph->slab_shift : 0;
}

struct sl_graph *sl_graph_new(const struct sl_format *format, uint32_t ef_construction,
                              uint64_t map_bytes)
{
    struct sl_graph *graph = calloc(1, sizeof *graph);
    uint64_t slots;

    if (graph == NULL)
        return NULL;
    atomic_init(&graph->references, 1);
    graph->dim = format->dim;
    graph->m = format->m;
    graph->metric = (enum sl_metric)format->metric;
    graph->ef_construction = ef_construction;
    graph->level_factor = 1.0 / log((double)(format->m > 1 ? format->m : 2));
    graph->entry = graph->root = graph->leaving = SL_SLOT_NONE;
    choose_storage(graph, (enum sl_storage)format->storage);
    /* the most records of (4 + 2 m) numbers that fit */
    graph->link_slab_slots = (SL_LINK_PAGES * 4096 - 16 - SL_SLAB_HEADER) /
                             ((4 + 2 * graph->m) * (uint32_t)sizeof(uint32_t));
    slots = map_bytes / (sl_graph_slab_bytes(graph) >> graph->slab_shift) +
            (2u << graph->slab_shift);
    graph->slot_max = slots < SL_SLOT_NONE - 1 ? (uint32_t)slots : SL_SLOT_NONE - 1;
    sl_pins_init(&graph->pins);
    (void)pthread_mutex_init(&graph->limbo_lock, NULL);
    (void)pthread_mutex_init(&graph->walks_lock, NULL);
    graph->arrivals = calloc(SL_ARRIVALS, sizeof *graph->arrivals);
    if (graph->arrivals == NULL || !reserve_all(graph))
        return sl_graph_drop(graph);
    return graph;
}

struct sl_graph *sl_graph_take(struct sl_graph *graph)
{
    if (graph != NULL)
        atomic_fetch_add(&graph->references, 1);
    return graph;
}

static void free_walks(struct sl_graph *graph)
{
    while (graph->walks != NULL) {
        struct sl_walk *walk = graph->walks;
        graph->walks = walk->next;
        free(walk->seen);
        free(walk->pool);
        free(walk->results);
        free(walk->query);
        free(walk->full);
        free(walk);
    }
}

struct sl_graph *sl_graph_drop(struct sl_graph *graph)
{
    if (graph == NULL || atomic_fetch_sub(&graph->references, 1) > 1)
        return NULL;
    for (uint32_t slot = 0; slot < graph->slot_end; slot++)
        free(graph->upper[slot]);
    for (uint32_t slab = 0; slab < sl_graph_slabs(graph); slab++)
        if (graph->vector_slabs[slab].on_heap)
            free(graph->slabs[slab]);
    free_walks(graph);
    region_free(&graph->links_region);
    region_free(&graph->slots_region);
    region_free(&graph->upper_region);
    region_free(&graph->slabs_region);
    region_free(&graph->codes_region);
    region_free(&graph->fulls_region);
    region_free(&graph->vector_slab_region);
    region_free(&graph->link_slab_region);
    free(graph->edits.list);
    free(graph->edits.table);
    free(graph->dirty);
    free(graph->limbo);
    for (uint32_t i = 0; i < graph->retired_count; i++)
        free(graph->retired[i]);
    free(graph->retired);
    free(graph->arrivals);
    (void)pthread_mutex_destroy(&graph->limbo_lock);
    (void)pthread_mutex_destroy(&graph->walks_lock);
    (void)sl_store_close(graph->store);
    free(graph);
    return NULL;
}

uint32_t sl_graph_slabs(const struct sl_graph *graph)
{
    return (graph->slot_end + (1u << graph->slab_shift) - 1) >> graph->slab_shift;
}

uint32_t sl_graph_link_slabs(const struct sl_graph *graph)
{
    return (graph->slot_end + graph->link_slab_slots - 1) / graph->link_slab_slots;
}

bool sl_graph_grow(struct sl_graph *graph, uint32_t slot_end)
{
    size_t slabs = (slot_end >> graph->slab_shift) + 1;
    size_t link_slabs = slot_end / graph->link_slab_slots + 1;

    return slot_end <= graph->slot_max &&
           region_grow(&graph->links_region,
                       (size_t)slot_end * (1 + 2 * graph->m) * sizeof(uint32_t)) &&
           region_grow(&graph->slots_region, (size_t)slot_end * sizeof(struct sl_slot)) &&
           region_grow(&graph->upper_region, (size_t)slot_end * sizeof(uint32_t *)) &&
           region_grow(&graph->slabs_region, slabs * sizeof(char *)) &&
           region_grow(&graph->codes_region, slabs * sizeof(char *)) &&
           region_grow(&graph->fulls_region, slabs * sizeof(char *)) &&
           region_grow(&graph->vector_slab_region, slabs * sizeof(struct sl_slab)) &&
           region_grow(&graph->link_slab_region, link_slabs * sizeof(struct sl_slab));
}

/* ------------------------------------------------------------------------------------- slabs */

size_t sl_graph_slab_bytes(const struct sl_graph *graph)
{
    return graph->full_at + ((size_t)graph->exact.stride << graph->slab_shift);
}

/* Its checksum has been compared: from now on it is read. Unless it was exchanged meanwhile. */
static const char *admit(_Atomic(const char *) *place, const char *base)
{
    const char *before = NULL;

    return atomic_compare_exchange_strong(place, &before, base) ? base : before;
}

const char *sl_graph_check_fulls(struct sl_graph *graph, uint32_t slab)
{
    size_t value = SL_STORE_SLAB_BYTES(SL_SLAB_HEADER + sl_graph_slab_bytes(graph));
    struct sl_key key = sl_key_number(slab);
    const char *base = graph->slabs[slab];

    if (!sl_record_intact(sl_key_view(&key),
                          (struct sl_view){base - SL_SLAB_HEADER + 4, value - 4}))
        atomic_store(&graph->damaged, slab + 1);
    (void)admit(&graph->codes[slab], base);
    return graph->full_at == 0 ? graph->codes[slab]
                               : admit(&graph->fulls[slab], base + graph->full_at);
}

const char *sl_graph_check_codes(struct sl_graph *graph, uint32_t slab)
{
    const char *base = graph->slabs[slab];
    uint32_t sum;

    if (graph->full_at == 0)
        return sl_graph_check_fulls(graph, slab);
    memcpy(&sum, base - SL_SLAB_HEADER + SL_SLAB_CODES_SUM, sizeof sum);
    if (sum != sl_graph_codes_sum(base - SL_SLAB_HEADER + 4, base, graph->full_at))
        atomic_store(&graph->damaged, slab + 1);
    return admit(&graph->codes[slab], base);
}

uint32_t sl_graph_codes_sum(const char *header, const char *codes, size_t bytes)
{
    return sl_crc32c(sl_crc32c(0, header, SL_SLAB_CODES_SUM - 4), codes, bytes);
}

static void let_read(struct sl_graph *graph, uint32_t slab, bool checked)
{
    const char *base = graph->slabs[slab];

    atomic_store_explicit(&graph->codes[slab], checked ? base : NULL, memory_order_release);
    atomic_store_explicit(&graph->fulls[slab], checked ? base + graph->full_at : NULL,
                          memory_order_release);
}

void sl_graph_slab_place(struct sl_graph *graph, uint32_t slab, const char *vectors, bool checked)
{
    graph->slabs[slab] = (char *)(uintptr_t)(const void *)vectors;
    graph->vector_slabs[slab].on_heap = false;
    let_read(graph, slab, checked);
}

char *sl_graph_slab_edit(struct sl_graph *graph, uint32_t slab)
{
    size_t bytes = sl_graph_slab_bytes(graph);
    char *copy;

    if (graph->vector_slabs[slab].on_heap)
        return graph->slabs[slab];
    copy = aligned_alloc(SL_LINE_BYTES, bytes);
    if (copy == NULL)
        return NULL;
    if (graph->slabs[slab] != NULL) {
        if (graph->fulls[slab] == NULL)
            (void)sl_graph_check_fulls(graph, slab);
        if (atomic_load(&graph->damaged) != 0) {
            free(copy);
            return NULL;
        }
        memcpy(copy, graph->slabs[slab], bytes);
    } else {
        memset(copy, 0, bytes);
    }
    graph->slabs[slab] = copy;
    graph->vector_slabs[slab].on_heap = true;
    let_read(graph, slab, true);
    return copy;
}

void sl_graph_slab_release(struct sl_graph *graph, uint32_t slab)
{
    SL_PRE(graph->vector_slabs[slab].on_heap);
    free(graph->slabs[slab]);
    sl_graph_slab_place(graph, slab, NULL, false);
}

/* ---------------------------------------------------------------------------------- vectors */

static char *full_room(struct sl_graph *graph, uint32_t slot)
{
    return graph->slabs[slot >> graph->slab_shift] + graph->full_at +
           (size_t)(slot & ((1u << graph->slab_shift) - 1)) * graph->exact.stride;
}

/* The code of what is now the slot's full vector. */
static void put_code(struct sl_graph *graph, uint32_t slot)
{
    if (graph->full_at != 0)
        sl_codec_encode(&graph->codec, (const float *)(const void *)full_room(graph, slot),
                        graph->slabs[slot >> graph->slab_shift] +
                            (size_t)(slot & ((1u << graph->slab_shift) - 1)) *
                                graph->codec.stride);
}

size_t sl_graph_kept_bytes(const struct sl_graph *graph)
{
    bool half = graph->storage == SL_STORAGE_F16 || graph->storage == SL_STORAGE_BF16;

    return (size_t)graph->dim * (half ? 2 : sizeof(float));
}

void sl_graph_kept_put(struct sl_graph *graph, uint32_t slot, const char *kept)
{
    size_t bytes = sl_graph_kept_bytes(graph);
    char *room = full_room(graph, slot);

    memcpy(room, kept, bytes);
    memset(room + bytes, 0, graph->exact.stride - bytes);
    put_code(graph, slot);
}

void sl_graph_vector_put(struct sl_graph *graph, uint32_t slot, const float *vector)
{
    sl_codec_encode(&graph->exact, vector, full_room(graph, slot));
    put_code(graph, slot);
}

void sl_graph_vector_get(struct sl_graph *graph, uint32_t slot, float *ret_vector)
{
    sl_codec_decode(&graph->exact, sl_graph_full(graph, slot), ret_vector);
}

bool sl_graph_vector_is(struct sl_graph *graph, uint32_t slot, const float *vector)
{
    _Alignas(SL_LINE_BYTES) char code[SL_DIM_MAX * sizeof(float)];

    sl_codec_encode(&graph->exact, vector, code);
    return memcmp(code, sl_graph_full(graph, slot), sl_graph_kept_bytes(graph)) == 0;
}

bool sl_graph_code_agrees(struct sl_graph *graph, uint32_t slot)
{
    _Alignas(SL_LINE_BYTES) char code[SL_DIM_MAX + SL_LINE_BYTES];
    size_t bytes = graph->storage == SL_STORAGE_BIT ? graph->dim / 8 : graph->dim;

    if (graph->full_at == 0)
        return true;
    SL_INVARIANT(graph->codec.stride <= sizeof code);
    sl_codec_encode(&graph->codec, sl_graph_full(graph, slot), code);
    return memcmp(code, sl_graph_code(graph, slot), bytes) == 0;
}

void sl_graph_vector_copy(struct sl_graph *graph, uint32_t slot, struct sl_graph *to,
                          uint32_t to_slot)
{
    SL_PRE(graph->storage == to->storage && graph->dim == to->dim &&
           to->vector_slabs[to_slot >> to->slab_shift].on_heap);
    sl_graph_kept_put(to, to_slot, sl_graph_full(graph, slot));
}

/* ------------------------------------------------------------------------------------- slots */

/* The next free slot of the slab at `alloc_slab`, from alloc_next on. */
static uint32_t next_free(struct sl_graph *graph)
{
    uint64_t end = (uint64_t)(graph->alloc_slab + 1) << graph->slab_shift;

    for (; graph->alloc_next < end && graph->alloc_next < graph->slot_end; graph->alloc_next++)
        if (graph->slots[graph->alloc_next].state == SL_SLOT_FREE)
            return graph->alloc_next++;
    return SL_SLOT_NONE;
}

/* A slab with free slots worth rewriting it for; the one with most of them. */
static bool choose_slab(struct sl_graph *graph)
{
    uint32_t in_slab = 1u << graph->slab_shift, best = 0;
    bool many = graph->slot_end - graph->live - graph->limbo_count > graph->slot_end / FREE_SHARE;
    uint32_t worth = many ? in_slab / 16 + 1 : in_slab / 5 + 1;

    for (uint32_t slab = 0; slab < sl_graph_slabs(graph); slab++) {
        const struct sl_slab *s = &graph->vector_slabs[slab];
        if (s->free > best && (s->on_heap || s->free >= worth)) {
            best = s->free;
            graph->alloc_slab = slab;
        }
    }
    graph->alloc_next = graph->alloc_slab << graph->slab_shift;
    return best > 0;
}

uint32_t sl_graph_slot_alloc(struct sl_graph *graph)
{
    uint32_t slot = next_free(graph);

    if (slot == SL_SLOT_NONE && choose_slab(graph))
        slot = next_free(graph);
    if (slot == SL_SLOT_NONE) {
        slot = graph->slot_end;
        if (!sl_graph_grow(graph, slot + 1))
            return SL_SLOT_NONE;
        graph->slot_end++;
        graph->alloc_slab = slot >> graph->slab_shift;
        graph->alloc_next = slot + 1;
    } else {
        graph->vector_slabs[slot >> graph->slab_shift].free--;
    }
    if (sl_graph_slab_edit(graph, slot >> graph->slab_shift) == NULL)
        return SL_SLOT_NONE;
    return slot;
}

bool sl_graph_upper_make(struct sl_graph *graph, uint32_t slot, uint32_t level)
{
    uint32_t *lists = NULL;

    if (level > 0) {
        lists = calloc((size_t)level * (1 + graph->m), sizeof *lists);
        if (lists == NULL)
            return false;
    }
    free(graph->upper[slot]);
    graph->upper[slot] = lists;
    graph->slots[slot].level = (uint8_t)level;
    return true;
}

void sl_graph_quiesce(struct sl_graph *graph)
{
    sl_pins_wait(&graph->pins);
    while (graph->retired_count > 0)
        free(graph->retired[--graph->retired_count]);
}

bool sl_graph_retire(struct sl_graph *graph, void *memory)
{
    if (graph->retired_count == graph->retired_capacity) {
        uint32_t capacity = graph->retired_capacity * 2 + 16;
        void **list = realloc(graph->retired, capacity * sizeof *list);
        if (list == NULL)
            return false;
        graph->retired = list;
        graph->retired_capacity = capacity;
    }
    graph->retired[graph->retired_count++] = memory;
    return true;
}

void sl_graph_reclaim(struct sl_graph *graph, uint64_t epoch_oldest)
{
    uint32_t oldest = sl_graph_epoch(graph, epoch_oldest), kept = 0;

    (void)pthread_mutex_lock(&graph->limbo_lock);
    for (uint32_t i = 0; i < graph->limbo_count; i++) {
        uint32_t slot = graph->limbo[i];
        if (graph->slots[slot].death > oldest) {
            graph->limbo[kept++] = slot;
            continue;
        }
        graph->slots[slot].state = SL_SLOT_FREE;
        graph->vector_slabs[slot >> graph->slab_shift].free++;
    }
    graph->limbo_count = kept;
    (void)pthread_mutex_unlock(&graph->limbo_lock);
}

bool sl_graph_mark(struct sl_graph *graph, uint32_t slot)
{
    if (graph->slots[slot].dirty)
        return true;
    if (graph->dirty_count == graph->dirty_capacity) {
        uint32_t capacity = graph->dirty_capacity * 2 + 256;
        uint32_t *list = realloc(graph->dirty, capacity * sizeof *list);
        if (list == NULL)
            return false;
        graph->dirty = list;
        graph->dirty_capacity = capacity;
    }
    graph->slots[slot].dirty = 1;
    graph->dirty[graph->dirty_count++] = slot;
    return true;
}

uint32_t sl_graph_epoch(const struct sl_graph *graph, uint64_t epoch)
{
    return epoch <= graph->epoch_base ? 0 : (uint32_t)(epoch - graph->epoch_base);
}
