/*
 * queue.h -- a bounded queue of pointers between threads.
 *
 * The bound is a promise, not a brake: what may be under way at all is limited where records come
 * in (budget.h), and every queue has room for all of it. So no push ever waits, and no two stages
 * can wait for each other although work goes both ways between them.
 *
 * It has lines, numbered from 0: within a line first in, first out; between lines in turn, so that a long
 * one holds nobody up for more than its share.
 */
#ifndef SLUICE_QUEUE_H
#define SLUICE_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

struct sl_queue;

/*
 * Make a queue for `capacity` items.
 *
 * Owns:    caller gets it; free it with sl_queue_free(). NULL: no memory.
 * Thread:  any.
 * Blocks:  no.
 * Errors:  NULL
 */
struct sl_queue *sl_queue_make(uint32_t capacity);

/* Free it; items still in it are the caller's. NULL is fine. Always returns NULL. */
struct sl_queue *sl_queue_free(struct sl_queue *queue);

/*
 * Put an item at the end of a line (line 0), or before all lines (work that frees memory goes first).
 * False when the queue is full or closed: the item stays the caller's.
 *
 * Owns:    the queue holds the pointer until it is popped.
 * Thread:  any.
 * Blocks:  no.
 * Errors:  false
 */
bool sl_queue_push(struct sl_queue *queue, void *item);
bool sl_queue_push_line(struct sl_queue *queue, void *item, uint32_t line);
bool sl_queue_push_front(struct sl_queue *queue, void *item);

/*
 * Take the item whose turn it is; NULL when none came within timeout_ms (-1: wait for as long as it
 * takes), or when the queue is closed and empty.
 *
 * Owns:    the item is the caller's.
 * Thread:  any.
 * Blocks:  at most timeout_ms.
 * Errors:  NULL
 */
void *sl_queue_pop(struct sl_queue *queue, int timeout_ms);

/* Refuse pushes from here on and wake all who wait; what is in it can still be popped. */
void sl_queue_close(struct sl_queue *queue);

bool sl_queue_is_closed(struct sl_queue *queue);
uint32_t sl_queue_count(struct sl_queue *queue);

#endif
