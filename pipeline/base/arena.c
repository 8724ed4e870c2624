/*
 * arena.c -- blocks in a list, bump allocation in the newest one.
 *
 * Blocks double from 64 KiB to 4 MiB, so a small question costs one block and a large document a few.
 * A request larger than half a block gets a block of its own behind the current one, which goes on
 * being filled. Reset keeps the first block only: an arena used once for a huge document does not stay huge.
 */
#include <sluice/arena.h>
#include <sluice/error.h>

#include <stdlib.h>

enum { FIRST_BLOCK = 64 << 10, LARGEST_BLOCK = 4 << 20, ALIGN = 16 };

struct block {
    struct block *next;
    size_t capacity;
    size_t used;
    _Alignas(ALIGN) char data[];
};

struct sl_arena {
    struct block *newest;
    size_t limit;
    size_t bytes;
};

static struct block *block_open(struct sl_arena *arena, size_t capacity)
{
    struct block *block;

    if (capacity > arena->limit - arena->bytes)
        return NULL;
    block = malloc(sizeof *block + capacity);
    if (block == NULL)
        return NULL;
    block->next = NULL;
    block->capacity = capacity;
    block->used = 0;
    arena->bytes += capacity;
    return block;
}

struct sl_arena *sl_arena_open(size_t limit_bytes)
{
    struct sl_arena *arena = calloc(1, sizeof *arena);

    if (arena != NULL)
        arena->limit = limit_bytes;
    return arena;
}

static void *take(struct block *block, size_t size)
{
    void *bytes = block->data + block->used;

    block->used += size;
    memset(bytes, 0, size);
    return bytes;
}

void *sl_arena_alloc(struct sl_arena *arena, size_t size)
{
    struct block *newest = arena->newest, *block;
    size_t capacity;

    if (size > SIZE_MAX / 2)
        return NULL;
    size = size == 0 ? ALIGN : (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    if (newest != NULL && size <= newest->capacity - newest->used)
        return take(newest, size);
    capacity = newest == NULL ? FIRST_BLOCK : newest->capacity * 2;
    if (capacity > LARGEST_BLOCK)
        capacity = LARGEST_BLOCK;
    if (size > capacity / 2 && newest != NULL) { /* a block of its own; the newest stays in use */
        block = block_open(arena, size);
        if (block == NULL)
            return NULL;
        block->next = newest->next;
        newest->next = block;
        return take(block, size);
    }
    if (capacity < size)
        capacity = size;
    block = block_open(arena, capacity);
    if (block == NULL && capacity > size)
        block = block_open(arena, size); /* close to the ceiling: just what is needed */
    if (block == NULL)
        return NULL;
    block->next = newest;
    arena->newest = block;
    return take(block, size);
}

struct sl_view sl_arena_copy(struct sl_arena *arena, struct sl_view source)
{
    char *copy;

    if (source.data == NULL)
        return SL_VIEW_NULL;
    copy = sl_arena_alloc(arena, source.size + 1);
    if (copy == NULL)
        return SL_VIEW_NULL;
    if (source.size > 0)
        memcpy(copy, source.data, source.size);
    return (struct sl_view){copy, source.size};
}

size_t sl_arena_bytes(const struct sl_arena *arena)
{
    return arena->bytes;
}

void sl_arena_reset(struct sl_arena *arena)
{
    struct block *block = arena->newest, *next;
    struct block *kept = NULL;

    for (; block != NULL; block = next) {
        next = block->next;
        if (kept == NULL && block->capacity <= FIRST_BLOCK) {
            kept = block;
        } else {
            arena->bytes -= block->capacity;
            free(block);
        }
    }
    if (kept != NULL) {
        kept->next = NULL;
        kept->used = 0;
    }
    arena->newest = kept;
}

struct sl_arena *sl_arena_close(struct sl_arena *arena)
{
    struct block *block, *next;

    if (arena == NULL)
        return NULL;
    for (block = arena->newest; block != NULL; block = next) {
        next = block->next;
        free(block);
    }
    free(arena);
    return NULL;
}
