/*
 * no_turns.c -- the daemon with one line for all partitions and no shares: the control of test_bounded.py.
 *
 * Linked with --wrap for each function here, so that every other object is the one that is shipped.
 */
#include "daemon/budget.h"
#include "daemon/queue.h"

bool __wrap_sl_queue_push_line(struct sl_queue *queue, void *item, uint32_t line);
bool __wrap_sl_budget_share_is_high(const struct sl_budget *budget, const struct sl_share *share,
                                    uint32_t active);

bool __wrap_sl_queue_push_line(struct sl_queue *queue, void *item, uint32_t line)
{
    (void)line;
    return sl_queue_push(queue, item);
}

bool __wrap_sl_budget_share_is_high(const struct sl_budget *budget, const struct sl_share *share,
                                    uint32_t active)
{
    (void)budget;
    (void)share;
    (void)active;
    return false;
}
