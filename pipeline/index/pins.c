/*
 * pins.c -- waiting for readers.
 *
 * A walk takes a fraction of a millisecond: giving the processor away until it is over costs less than
 * being woken. Rejected: a list of what is to be freed with the time it may be (the pages of
 * the map, too, are used again, by the store and at a time of its own); a lock that readers hold (a
 * writer that waits for one reader keeps all others out: the slowest walk sets the pace of all).
 */
#include "index/pins.h"

#include <sched.h>

void sl_pins_wait(struct sl_pins *pins)
{
    uint64_t now = atomic_fetch_add(&pins->clock, 1) + 1;

    for (struct sl_pin *pin = atomic_load(&pins->first); pin != NULL; pin = pin->next)
        for (;;) {
            uint64_t since = atomic_load(&pin->since);
            if (since == 0 || since >= now)
                break;
            (void)sched_yield();
        }
}
