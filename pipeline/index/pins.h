/*
 * pins.h -- who may still see what was taken out of the graph.
 *
 * Readers hold no lock. A reader pins the present while it looks at the graph. The writer takes
 * something out (a slot, a slab's copy, pages of the map), and before it frees or uses that again
 * it waits until no reader is left who pinned a time before: those who came later cannot have found
 * it.
 *
 * Readers never wait. The writer waits for the walks under way, once a batch.
 */
#ifndef SLUICE_INDEX_PINS_H
#define SLUICE_INDEX_PINS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* One reader's. Lives as long as the pins it was entered into. */
struct sl_pin {
    _Atomic uint64_t since; /* 0: looks at nothing */
    struct sl_pin *next;
};

struct sl_pins {
    _Atomic uint64_t clock; /* from 1 */
    _Atomic(struct sl_pin *) first;
};

static inline void sl_pins_init(struct sl_pins *pins)
{
    atomic_init(&pins->clock, 1);
    atomic_init(&pins->first, NULL);
}

/* Any thread, once for each pin. */
static inline void sl_pins_enter(struct sl_pins *pins, struct sl_pin *pin)
{
    atomic_init(&pin->since, 0);
    pin->next = atomic_load(&pins->first);
    while (!atomic_compare_exchange_weak(&pins->first, &pin->next, pin))
        ;
}

/* The pin's thread. The second look at the clock makes sure that a writer who did not see the pin
 * has finished taking out, so that this reader does not find it. */
static inline void sl_pin(struct sl_pins *pins, struct sl_pin *pin)
{
    uint64_t now;

    do {
        now = atomic_load(&pins->clock);
        atomic_store(&pin->since, now);
    } while (atomic_load(&pins->clock) != now);
}

static inline void sl_unpin(struct sl_pin *pin)
{
    atomic_store_explicit(&pin->since, 0, memory_order_release);
}

/* Wait until all who pinned before this call have unpinned. The writer, which has no pin itself. */
void sl_pins_wait(struct sl_pins *pins);

#endif /* SLUICE_INDEX_PINS_H */
