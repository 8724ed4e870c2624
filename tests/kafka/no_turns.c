/*
 * no_turns.c -- the daemon with one line for all partitions: with no_shares.c the control of test_bounded.py.
 *
 * Linked with --wrap for the function here, so that every other object is the one that is shipped.
 */
#include "daemon/queue.h"

bool __wrap_sl_queue_push_line(struct sl_queue *queue, void *item, uint32_t line);

bool __wrap_sl_queue_push_line(struct sl_queue *queue, void *item, uint32_t line)
{
    (void)line;
    return sl_queue_push(queue, item);
}
