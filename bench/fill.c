/*
 * fill.c -- vectors into an index as fast as a number of threads can.
 *
 * As in the daemon, documents are prepared by many and applied by one, in order. They stand in a
 * ring: whoever is free takes the next number and prepares it, at most RING ahead of the one to be
 * applied; the applier takes what is ready in front and otherwise prepares as well, so two threads
 * are both always busy. Rejected: preparing a block with all threads and then applying it; apply
 * and commit then leave the others idle, and what one block holds cannot see its own neighbours.
 */
#include "fill.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <sluice/error.h>

#define RING        64u
#define THREADS_MAX 256u

struct fill {
    struct sl_index *index;
    const struct vectors *base;
    const struct fill_item *items;
    uint32_t count;
    pthread_mutex_t mutex;
    pthread_cond_t moved;
    uint32_t next;    /* to be prepared by whoever is free */
    uint32_t applied; /* items before it are in a batch    */
    struct sl_prepared *ring[RING];
};

/* Prepare the next item, if there is room; called and left with the mutex held. */
static bool prepare_next(struct fill *fill)
{
    uint32_t at = fill->next;
    const struct fill_item *item = fill->items + at;
    struct sl_prepared *prepared;

    if (at == fill->count || at - fill->applied >= RING)
        return false;
    fill->next++;
    (void)pthread_mutex_unlock(&fill->mutex);
    prepared =
        bench_prepare(fill->index, vector_at(fill->base, item->vector), item->key, item->version);
    (void)pthread_mutex_lock(&fill->mutex);
    fill->ring[at % RING] = prepared;
    (void)pthread_cond_broadcast(&fill->moved);
    return true;
}

static void *prepare_all(void *context)
{
    struct fill *fill = context;

    (void)pthread_mutex_lock(&fill->mutex);
    while (fill->next < fill->count)
        if (!prepare_next(fill))
            (void)pthread_cond_wait(&fill->moved, &fill->mutex);
    (void)pthread_mutex_unlock(&fill->mutex);
    return NULL;
}

/* The item in front, prepared by whomever. */
static struct sl_prepared *take_front(struct fill *fill)
{
    struct sl_prepared *prepared;

    (void)pthread_mutex_lock(&fill->mutex);
    while ((prepared = fill->ring[fill->applied % RING]) == NULL)
        if (!prepare_next(fill))
            (void)pthread_cond_wait(&fill->moved, &fill->mutex);
    fill->ring[fill->applied % RING] = NULL;
    (void)pthread_mutex_unlock(&fill->mutex);
    return prepared;
}

static void apply_all(struct fill *fill, uint32_t commit)
{
    struct sl_batch *batch = NULL;

    for (uint32_t at = 0; at < fill->count; at++) {
        if (at % commit == 0)
            bench_begin(fill->index, &batch);
        bench_apply(batch, take_front(fill));
        (void)pthread_mutex_lock(&fill->mutex);
        fill->applied++;
        (void)pthread_cond_broadcast(&fill->moved);
        (void)pthread_mutex_unlock(&fill->mutex);
        if (at % commit == commit - 1 || at + 1 == fill->count)
            bench_commit(batch);
    }
}

void fill_items(struct sl_index *index, const struct vectors *base, const struct fill_item *items,
                uint32_t count, uint32_t threads, uint32_t commit)
{
    struct fill fill = {.index = index,
                        .base = base,
                        .items = items,
                        .count = count,
                        .mutex = PTHREAD_MUTEX_INITIALIZER,
                        .moved = PTHREAD_COND_INITIALIZER};
    pthread_t others[THREADS_MAX];
    uint32_t started = 0;

    while (started + 1 < threads && started < THREADS_MAX &&
           pthread_create(&others[started], NULL, prepare_all, &fill) == 0)
        started++;
    apply_all(&fill, commit);
    for (uint32_t i = 0; i < started; i++)
        (void)pthread_join(others[i], NULL);
}

void fill_vectors(struct sl_index *index, const struct vectors *base, uint32_t first,
                  uint32_t count, uint32_t threads, uint32_t commit)
{
    struct fill_item *items = calloc(count + (size_t)1, sizeof *items);

    if (items == NULL) {
        (void)fprintf(stderr, "sluice-bench: out of memory\n");
        exit(SL_EXIT_OS);
    }
    for (uint32_t i = 0; i < count; i++)
        items[i] = (struct fill_item){first + i, first + i, 1};
    fill_items(index, base, items, count, threads, commit);
    free(items);
}
