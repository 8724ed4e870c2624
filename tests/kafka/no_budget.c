/*
 * no_budget.c -- the daemon without its brake: with no_shares.c the control of test_bounded.py.
 *
 * Linked with --wrap for each function here, so that every other object is the one that is shipped.
 */
#include "daemon/budget.h"

bool __wrap_sl_budget_is_high(const struct sl_budget *budget);
bool __wrap_sl_budget_admits(const struct sl_budget *budget);

bool __wrap_sl_budget_is_high(const struct sl_budget *budget)
{
    (void)budget;
    return false;
}

bool __wrap_sl_budget_admits(const struct sl_budget *budget)
{
    (void)budget;
    return true;
}
