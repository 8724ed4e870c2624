/*
 * parallel.c -- the same work on many items, on all cores.
 *
 * Threads are made for each call and take the next item from a counter: items differ in size, and a
 * thread costs microseconds where a round of items costs tenths of a second. A standing pool would
 * save nothing and would need a way to stop.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "ctl.h"

#define THREADS_MAX 256u

struct shared {
    atomic_uint next_item;
    uint32_t item_count;
    ctl_work work;
    void *context;
};

struct worker {
    struct shared *shared;
    uint32_t thread;
    pthread_t id;
};

static void *worker_run(void *argument)
{
    struct worker *worker = argument;
    struct shared *shared = worker->shared;

    for (;;) {
        uint32_t item = atomic_fetch_add(&shared->next_item, 1);

        if (item >= shared->item_count)
            return NULL;
        shared->work(shared->context, worker->thread, item);
    }
}

uint32_t ctl_threads(const struct sl_config *config)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    uint32_t count = config != NULL ? config->workers.threads : 0;

    if (count == 0)
        count = cores > 0 ? (uint32_t)cores : 1;
    return count < THREADS_MAX ? count : THREADS_MAX;
}

void ctl_parallel(uint32_t thread_count, uint32_t item_count, ctl_work work, void *context)
{
    struct shared shared = {.item_count = item_count, .work = work, .context = context};
    struct worker workers[THREADS_MAX];
    uint32_t started = 1;

    SL_PRE(thread_count >= 1 && thread_count <= THREADS_MAX);
    atomic_init(&shared.next_item, 0);
    if (thread_count > item_count)
        thread_count = item_count > 0 ? item_count : 1;
    for (; started < thread_count; started++) {
        workers[started] = (struct worker){.shared = &shared, .thread = started};
        if (pthread_create(&workers[started].id, NULL, worker_run, &workers[started]) != 0)
            break;
    }
    workers[0] = (struct worker){.shared = &shared, .thread = 0};
    worker_run(&workers[0]);
    for (uint32_t i = 1; i < started; i++)
        pthread_join(workers[i].id, NULL);
}
