/*
 * sluice/arena.h -- the memory of one work item: many small allocations, freed together.
 *
 * An arena has a hard ceiling, so no single document or question can take more than its share.
 */
#ifndef SLUICE_ARENA_H
#define SLUICE_ARENA_H

#include <stddef.h>
#include <stdint.h>

#include <sluice/view.h>

struct sl_arena;

/*
 * Make an arena that hands out at most `limit_bytes` between two resets.
 *
 * Owns:    caller gets the arena; free it with sl_arena_close(). NULL when out of memory.
 * Thread:  any; the arena then belongs to one thread at a time.
 * Blocks:  no.
 * Errors:  NULL
 */
struct sl_arena *sl_arena_open(size_t limit_bytes);

/*
 * `size` zeroed bytes, aligned to 16. NULL past the ceiling or out of memory.
 *
 * Owns:    the arena owns the bytes, until reset or close.
 * Thread:  the arena's.
 * Blocks:  no.
 * Errors:  NULL
 */
void *sl_arena_alloc(struct sl_arena *arena, size_t size);

/*
 * A copy of the bytes, followed by a NUL that is not counted. A NULL view gives a NULL view.
 * When there is no memory the result has data == NULL although the source had not.
 *
 * Owns:    the arena owns the copy.
 * Thread:  the arena's.
 * Blocks:  no.
 * Errors:  data == NULL
 */
struct sl_view sl_arena_copy(struct sl_arena *arena, struct sl_view source);

/*
 * Bytes taken from the system, for the byte budget.
 *
 * Owns:    nothing.
 * Thread:  the arena's.
 * Blocks:  no.
 * Errors:  none.
 */
size_t sl_arena_bytes(const struct sl_arena *arena);

/*
 * Forget every allocation; keeps one block for the next item.
 *
 * Owns:    everything handed out is invalid from here on.
 * Thread:  the arena's.
 * Blocks:  no.
 * Errors:  none.
 */
void sl_arena_reset(struct sl_arena *arena);

/*
 * Free all of it. NULL is fine. Always returns NULL.
 *
 * Owns:    consumes `arena`.
 * Thread:  the last one to use it.
 * Blocks:  no.
 * Errors:  none.
 */
struct sl_arena *sl_arena_close(struct sl_arena *arena);

/* For SL_CLEANUP. */
static inline void sl_arena_closep(struct sl_arena **arena)
{
    *arena = sl_arena_close(*arena);
}

#define SL_NEW(arena, type)          ((type *)sl_arena_alloc((arena), sizeof(type)))
#define SL_NEW_ARRAY(arena, type, n) ((type *)sl_arena_alloc((arena), sizeof(type) * (size_t)(n)))

#endif /* SLUICE_ARENA_H */
