/*
 * tokenizer_trie.c -- a double-array trie: one memory access for each byte walked.
 *
 * A tokenizer asks for all entries of its vocabulary that begin at a place; a hash table would be
 * asked once for each length, found or not. Here a walk ends where no entry goes on. Children of a
 * node stand at base + byte and name the node in `check`. Built breadth first from sorted keys;
 * where a family of children fits is sought from the first stretch that is not nearly full, which
 * keeps the building linear in practice at a few per cent of empty places.
 */
#include "embed/tokenizer_internal.h"

#include <stdlib.h>
#include <string.h>

#define NOBODY    UINT32_MAX
#define UNITS_MAX (1u << 28)

/* A node whose children are still to be placed: the keys [begin, end) go through it. */
struct job {
    uint32_t node, begin, end, depth;
};

struct builder {
    struct sl_trie *trie;
    const struct sl_trie_key *keys;
    struct job *jobs;
    size_t job_count, job_capacity;
    uint32_t capacity;
    uint32_t search_from; /* before it, places are nearly all taken */
};

static int compare_keys(const void *a, const void *b)
{
    const struct sl_trie_key *x = a, *y = b;
    int order = memcmp(x->bytes, y->bytes, x->size < y->size ? x->size : y->size);

    if (order != 0)
        return order;
    if (x->size != y->size)
        return x->size < y->size ? -1 : 1;
    return (x->value > y->value) - (x->value < y->value);
}

static bool reserve(struct builder *b, uint32_t count)
{
    uint32_t capacity = b->capacity;
    struct sl_trie_unit *units;

    if (count <= capacity)
        return true;
    while (capacity < count)
        capacity = capacity == 0 ? 1024 : 2 * capacity;
    if (capacity > UNITS_MAX)
        return false;
    units = realloc(b->trie->units, capacity * sizeof *units);
    if (units == NULL)
        return false;
    for (uint32_t i = b->capacity; i < capacity; i++)
        units[i] = (struct sl_trie_unit){0, NOBODY, SL_NO_TOKEN};
    b->trie->units = units;
    b->capacity = capacity;
    return true;
}

static bool add_job(struct builder *b, struct job job)
{
    if (b->job_count == b->job_capacity) {
        size_t capacity = b->job_capacity == 0 ? 1024 : 2 * b->job_capacity;
        struct job *jobs = realloc(b->jobs, capacity * sizeof *jobs);
        if (jobs == NULL)
            return false;
        b->jobs = jobs;
        b->job_capacity = capacity;
    }
    b->jobs[b->job_count++] = job;
    return true;
}

/* A base under which all these bytes are free; 0: out of memory. */
static uint32_t find_base(struct builder *b, const uint8_t *bytes, uint32_t count)
{
    uint32_t at = b->search_from > bytes[0] ? b->search_from : bytes[0] + 1u;
    uint32_t from = at, taken = 0;
    bool skipping = at == b->search_from;

    for (;; at++) {
        uint32_t base = at - bytes[0], fits = 0;
        if (!reserve(b, base + 256))
            return 0;
        if (b->trie->units[at].check != NOBODY) {
            taken++;
            continue;
        }
        while (fits < count && b->trie->units[base + bytes[fits]].check == NOBODY)
            fits++;
        if (fits < count)
            continue;
        if (skipping && taken > 64 && taken * 20 > (at - from) * 19)
            b->search_from = at;
        return base;
    }
}

static bool place_children(struct builder *b, struct job job)
{
    uint8_t bytes[256];
    uint32_t starts[257], count = 0, base, i = job.begin;

    for (; i < job.end && b->keys[i].size == job.depth; i++)
        b->trie->units[job.node].value = b->keys[i].value;
    for (; i < job.end; i++) {
        uint8_t byte = (uint8_t)b->keys[i].bytes[job.depth];
        if (count == 0 || bytes[count - 1] != byte) {
            bytes[count] = byte;
            starts[count++] = i;
        }
    }
    if (count == 0)
        return true;
    starts[count] = job.end;
    base = find_base(b, bytes, count);
    if (base == 0)
        return false;
    b->trie->units[job.node].base = base;
    for (uint32_t c = 0; c < count; c++)
        b->trie->units[base + bytes[c]].check = job.node;
    for (uint32_t c = 0; c < count; c++)
        if (!add_job(b, (struct job){base + bytes[c], starts[c], starts[c + 1], job.depth + 1}))
            return false;
    return true;
}

bool sl_trie_init(struct sl_trie *trie, struct sl_trie_key *keys, uint32_t count)
{
    struct builder b = {.trie = trie, .keys = keys, .search_from = 1};
    bool good;

    *trie = (struct sl_trie){0};
    if (count > 0)
        qsort(keys, count, sizeof *keys, compare_keys);
    good = reserve(&b, 512) && add_job(&b, (struct job){0, 0, count, 0});
    for (size_t i = 0; good && i < b.job_count; i++)
        good = place_children(&b, b.jobs[i]);
    free(b.jobs);
    trie->count = b.capacity;
    if (!good)
        sl_trie_fini(trie);
    return good;
}

void sl_trie_fini(struct sl_trie *trie)
{
    free(trie->units);
    *trie = (struct sl_trie){0};
}

uint32_t sl_trie_find(const struct sl_trie *trie, struct sl_view key)
{
    uint32_t node = 0;

    if (trie->units == NULL)
        return SL_NO_TOKEN;
    for (size_t i = 0; i < key.size; i++)
        if (!sl_trie_step(trie, &node, key.data[i]))
            return SL_NO_TOKEN;
    return trie->units[node].value;
}

size_t sl_trie_longest(const struct sl_trie *trie, struct sl_view text, uint32_t *ret_value)
{
    uint32_t node = 0;
    size_t found = 0;

    if (trie->units == NULL)
        return 0;
    for (size_t i = 0; i < text.size && sl_trie_step(trie, &node, text.data[i]); i++)
        if (trie->units[node].value != SL_NO_TOKEN) {
            *ret_value = trie->units[node].value;
            found = i + 1;
        }
    return found;
}
