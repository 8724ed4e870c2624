/*
 * queue.c -- a ring of pointers with one lock and one condition.
 *
 * Simple on purpose: an item is a document or a question, worth milliseconds of work, so a
 * lock-free ring would save nothing that can be measured. Waiting uses the monotonic clock; a jump
 * of the wall clock neither wakes nor stalls.
 */
#include "daemon/queue.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include <sluice/error.h>

struct sl_queue {
    pthread_mutex_t mutex;
    pthread_cond_t came;
    void **items;
    uint32_t capacity;
    uint32_t head;
    uint32_t count;
    bool closed;
};

struct sl_queue *sl_queue_make(uint32_t capacity)
{
    struct sl_queue *queue = calloc(1, sizeof(*queue));
    pthread_condattr_t attributes;

    SL_PRE(capacity > 0);
    if (!queue)
        return NULL;
    queue->items = calloc(capacity, sizeof(*queue->items));
    if (!queue->items) {
        free(queue);
        return NULL;
    }
    queue->capacity = capacity;
    pthread_mutex_init(&queue->mutex, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&queue->came, &attributes);
    pthread_condattr_destroy(&attributes);
    return queue;
}

struct sl_queue *sl_queue_free(struct sl_queue *queue)
{
    if (!queue)
        return NULL;
    pthread_cond_destroy(&queue->came);
    pthread_mutex_destroy(&queue->mutex);
    free(queue->items);
    free(queue);
    return NULL;
}

static bool push(struct sl_queue *queue, void *item, bool front)
{
    bool room;

    SL_PRE(item != NULL);
    pthread_mutex_lock(&queue->mutex);
    room = !queue->closed && queue->count < queue->capacity;
    if (room) {
        if (front)
            queue->head = (queue->head + queue->capacity - 1) % queue->capacity;
        queue->items[(queue->head + (front ? 0 : queue->count)) % queue->capacity] = item;
        queue->count++;
        pthread_cond_signal(&queue->came);
    }
    pthread_mutex_unlock(&queue->mutex);
    return room;
}

bool sl_queue_push(struct sl_queue *queue, void *item)
{
    return push(queue, item, false);
}

bool sl_queue_push_front(struct sl_queue *queue, void *item)
{
    return push(queue, item, true);
}

static struct timespec until(int timeout_ms)
{
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += timeout_ms / 1000;
    at.tv_nsec += (long)(timeout_ms % 1000) * 1000000L;
    if (at.tv_nsec >= 1000000000L) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000L;
    }
    return at;
}

void *sl_queue_pop(struct sl_queue *queue, int timeout_ms)
{
    struct timespec at = until(timeout_ms < 0 ? 0 : timeout_ms);
    void *item = NULL;
    int waited = 0;

    pthread_mutex_lock(&queue->mutex);
    while (queue->count == 0 && !queue->closed && waited != ETIMEDOUT) {
        if (timeout_ms < 0)
            waited = pthread_cond_wait(&queue->came, &queue->mutex);
        else
            waited = pthread_cond_timedwait(&queue->came, &queue->mutex, &at);
    }
    if (queue->count > 0) {
        item = queue->items[queue->head];
        queue->head = (queue->head + 1) % queue->capacity;
        queue->count--;
    }
    pthread_mutex_unlock(&queue->mutex);
    return item;
}

void sl_queue_close(struct sl_queue *queue)
{
    pthread_mutex_lock(&queue->mutex);
    queue->closed = true;
    pthread_cond_broadcast(&queue->came);
    pthread_mutex_unlock(&queue->mutex);
}

bool sl_queue_is_closed(struct sl_queue *queue)
{
    bool closed;

    pthread_mutex_lock(&queue->mutex);
    closed = queue->closed;
    pthread_mutex_unlock(&queue->mutex);
    return closed;
}

uint32_t sl_queue_count(struct sl_queue *queue)
{
    uint32_t count;

    pthread_mutex_lock(&queue->mutex);
    count = queue->count;
    pthread_mutex_unlock(&queue->mutex);
    return count;
}
