/* fill.h -- vectors into an index as fast as a number of threads can. */
#ifndef SLUICE_BENCH_FILL_H
#define SLUICE_BENCH_FILL_H

#include "client.h"

/* One document to put in. */
struct fill_item {
    uint32_t vector, key, version;
};

/*
 * Put in all items, in order, a durable commit every `commit`. This thread applies and commits; the
 * others prepare ahead of it, and it prepares too when nothing is ready.
 */
void fill_items(struct sl_index *index, const struct vectors *base, const struct fill_item *items,
                uint32_t count, uint32_t threads, uint32_t commit);

/* Vectors first to first + count - 1 as documents of the same numbers. */
void fill_vectors(struct sl_index *index, const struct vectors *base, uint32_t first,
                  uint32_t count, uint32_t threads, uint32_t commit);

#endif
