/*
 * no_shares.c -- the daemon whose partitions have no shares of the budget: part of the controls of test_bounded.py.
 *
 * Linked with --wrap for the function here, so that every other object is the one that is shipped.
 */
#include "daemon/budget.h"

bool __wrap_sl_budget_share_is_high(const struct sl_budget *budget, const struct sl_share *share,
                                    uint32_t active);

bool __wrap_sl_budget_share_is_high(const struct sl_budget *budget, const struct sl_share *share,
                                    uint32_t active)
{
    (void)budget;
    (void)share;
    (void)active;
    return false;
}
