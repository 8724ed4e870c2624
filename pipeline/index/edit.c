/*
 * edit.c -- changes to link lists, collected on the side and put in place at once.
 *
 * One insertion or removal touches some twenty lists, and choosing what to drop costs vector
 * comparisons. The writer does all of that on copies, so that walkers, who hold no lock, meet lists
 * of before or of after, and at worst a mixture of the two. Links are symmetric: whatever changes a
 * list here changes its mirror too.
 *
 * The copies live in one array, found by a small hash table that is emptied after each publication.
 */
#include "index/graph.h"

#include <stdlib.h>

#define TABLE_FIRST 1024u

static uint32_t hash_of(uint32_t slot, uint32_t level, uint32_t size)
{
    uint64_t mixed = ((uint64_t)slot << 4 | level) * 0x9E3779B97F4A7C15u;

    return (uint32_t)(mixed >> 40) & (size - 1);
}

static struct sl_edit *find(const struct sl_edits *edits, uint32_t slot, uint32_t level)
{
    uint32_t at;

    if (edits->count == 0)
        return NULL;
    for (at = hash_of(slot, level, edits->table_size); edits->table[at] != 0;
         at = (at + 1) & (edits->table_size - 1)) {
        struct sl_edit *edit = &edits->list[edits->table[at] - 1];
        if (edit->slot == slot && edit->level == level)
            return edit;
    }
    return NULL;
}

static void enter(struct sl_edits *edits, uint32_t index)
{
    const struct sl_edit *edit = &edits->list[index];
    uint32_t at = hash_of(edit->slot, edit->level, edits->table_size);

    while (edits->table[at] != 0)
        at = (at + 1) & (edits->table_size - 1);
    edits->table[at] = index + 1;
}

/* Room for one more, table at most half full. */
static bool make_room(struct sl_edits *edits)
{
    if (edits->count == edits->capacity) {
        uint32_t capacity = edits->capacity * 2 + 64;
        struct sl_edit *list = realloc(edits->list, capacity * sizeof *list);
        if (list == NULL)
            return false;
        edits->list = list;
        edits->capacity = capacity;
    }
    if (2 * (edits->count + 1) > edits->table_size) {
        uint32_t size = edits->table_size == 0 ? TABLE_FIRST : edits->table_size * 2;
        uint32_t *table = calloc(size, sizeof *table);
        if (table == NULL)
            return false;
        free(edits->table);
        edits->table = table;
        edits->table_size = size;
        for (uint32_t i = 0; i < edits->count; i++)
            enter(edits, i);
    }
    return true;
}

/* The list to change; a copy of what is in place at first. NULL: out of memory, noted. */
static struct sl_edit *open_edit(struct sl_graph *graph, uint32_t slot, uint32_t level)
{
    struct sl_edits *edits = &graph->edits;
    struct sl_edit *edit = find(edits, slot, level);
    const uint32_t *list;

    if (edit != NULL)
        return edit;
    if (!make_room(edits)) {
        edits->failed = true;
        return NULL;
    }
    list = sl_graph_list(graph, slot, level);
    edit = &edits->list[edits->count];
    edit->slot = slot;
    edit->level = level;
    edit->parent = graph->slots[slot].parent;
    edit->count = list[0];
    memcpy(edit->links, list + 1, list[0] * sizeof *list);
    enter(edits, edits->count++);
    return edit;
}

struct sl_list sl_edit_list(struct sl_graph *graph, uint32_t slot, uint32_t level)
{
    const struct sl_edit *edit = find(&graph->edits, slot, level);
    const uint32_t *list;

    graph->visits++;
    if (edit != NULL)
        return (struct sl_list){edit->links, edit->count};
    list = sl_graph_list(graph, slot, level);
    return (struct sl_list){list + 1, list[0]};
}

uint32_t sl_edit_parent(struct sl_graph *graph, uint32_t slot)
{
    const struct sl_edit *edit = find(&graph->edits, slot, 0);

    return edit != NULL ? edit->parent : graph->slots[slot].parent;
}

void sl_edit_parent_set(struct sl_graph *graph, uint32_t slot, uint32_t parent)
{
    struct sl_edit *edit = open_edit(graph, slot, 0);

    if (edit != NULL)
        edit->parent = parent;
}

bool sl_edit_pending(const struct sl_graph *graph, uint32_t slot, uint32_t level)
{
    return find(&graph->edits, slot, level) != NULL;
}

bool sl_edit_linked(struct sl_graph *graph, uint32_t a, uint32_t b, uint32_t level)
{
    struct sl_list list = sl_edit_list(graph, a, level);

    for (uint32_t i = 0; i < list.count; i++)
        if (list.links[i] == b)
            return true;
    return false;
}

void sl_edit_link(struct sl_graph *graph, uint32_t a, uint32_t b, uint32_t level)
{
    uint32_t ends[2] = {a, b};

    SL_PRE(a != b);
    for (int i = 0; i < 2; i++) {
        struct sl_edit *edit = open_edit(graph, ends[i], level);
        if (edit == NULL)
            return;
        SL_INVARIANT(edit->count < sl_graph_cap(graph, level));
        edit->links[edit->count++] = ends[1 - i];
    }
}

void sl_edit_unlink(struct sl_graph *graph, uint32_t a, uint32_t b, uint32_t level)
{
    uint32_t ends[2] = {a, b};

    for (int i = 0; i < 2; i++) {
        struct sl_edit *edit = open_edit(graph, ends[i], level);
        uint32_t at = 0;
        if (edit == NULL)
            return;
        while (at < edit->count && edit->links[at] != ends[1 - i])
            at++;
        SL_INVARIANT(at < edit->count);
        edit->links[at] = edit->links[--edit->count];
    }
}

bool sl_edit_in_tree(struct sl_graph *graph, uint32_t a, uint32_t b)
{
    return sl_edit_parent(graph, a) == b || sl_edit_parent(graph, b) == a;
}

/* A walker may be reading: number by number, the count last. */
static void put_list(uint32_t *list, const struct sl_edit *edit)
{
    for (uint32_t i = 0; i < edit->count; i++)
        __atomic_store_n(list + 1 + i, edit->links[i], __ATOMIC_RELEASE);
    __atomic_store_n(list, edit->count, __ATOMIC_RELEASE);
}

/* Keep count of slots that no chain of parents ties to the root. */
static void set_parent(struct sl_graph *graph, uint32_t number, uint32_t parent)
{
    struct sl_slot *slot = &graph->slots[number];
    uint8_t orphan = parent == SL_SLOT_NONE && number != graph->root && number != graph->leaving;

    slot->parent = parent;
    graph->orphans += (uint32_t)orphan - slot->orphan;
    slot->orphan = orphan;
}

/* A slot that leaves keeps its links: a walker that stands on it finds its way. */
static bool put_edit(struct sl_graph *graph, const struct sl_edit *edit)
{
    if (edit->slot != graph->leaving)
        put_list(sl_graph_list(graph, edit->slot, edit->level), edit);
    graph->slots[edit->slot].version++;
    if (edit->level == 0)
        set_parent(graph, edit->slot, edit->parent);
    return sl_graph_mark(graph, edit->slot);
}

bool sl_edit_publish(struct sl_graph *graph, uint32_t first)
{
    struct sl_edits *edits = &graph->edits;
    bool good = !edits->failed;

    for (uint32_t i = 0; i < edits->count; i++)
        if (edits->list[i].slot == first)
            good = put_edit(graph, &edits->list[i]) && good;
    for (uint32_t i = 0; i < edits->count; i++)
        if (edits->list[i].slot != first)
            good = put_edit(graph, &edits->list[i]) && good;
    if (edits->table != NULL)
        memset(edits->table, 0, edits->table_size * sizeof *edits->table);
    edits->count = 0;
    edits->failed = false;
    graph->changes++;
    return good;
}
