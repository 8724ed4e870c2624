/*
 * no_breaker.c -- the daemon that asks a failing server as if it worked, and again as often as it likes: the control of
 * test_embedding.py.
 *
 * Linked with --wrap for the functions here, so that every other object is the one that is shipped.
 */
#include "net/pace.h"

void __wrap_sl_breaker_tell(struct sl_breaker *breaker, int64_t now_us, bool succeeded, double chance);
bool __wrap_sl_retry_budget_take(struct sl_retry_budget *budget, int64_t now_us);

void __wrap_sl_breaker_tell(struct sl_breaker *breaker, int64_t now_us, bool succeeded, double chance)
{
    (void)breaker;
    (void)now_us;
    (void)succeeded;
    (void)chance;
}

bool __wrap_sl_retry_budget_take(struct sl_retry_budget *budget, int64_t now_us)
{
    (void)budget;
    (void)now_us;
    return true;
}
