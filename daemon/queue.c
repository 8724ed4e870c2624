/*
 * queue.c -- lines of items behind one lock and one condition; who takes goes from line to line.
 *
 * Simple on purpose: an item is a document or a question, worth milliseconds of work, so a
 * lock-free ring would save nothing that can be measured. Lines that have items stand in a ring; each
 * turn takes one item of the first line, which then goes to the ring's end. What was put at the head is
 * taken before all lines, the last one first. Waiting uses the monotonic clock; a jump of the wall clock
 * neither wakes nor stalls.
 */
#include "daemon/queue.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include <sluice/error.h>

#define NONE UINT32_MAX

struct node {
    void *item;
    uint32_t next; /* in its line, in `head` or in `free` */
};

struct line {
    uint32_t first, last; /* nodes */
    uint32_t next;        /* line in the ring; only while it has items */
};

struct sl_queue {
    pthread_mutex_t mutex;
    pthread_cond_t came;
    struct node *nodes;
    uint32_t capacity;
    uint32_t fresh; /* nodes from here on were never used */
    uint32_t free;
    uint32_t head; /* taken before all lines */
    struct line *lines;
    uint32_t line_count;
    uint32_t first_line, last_line;
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
    queue->nodes = calloc(capacity, sizeof(*queue->nodes));
    if (!queue->nodes) {
        free(queue);
        return NULL;
    }
    queue->capacity = capacity;
    queue->free = queue->head = queue->first_line = queue->last_line = NONE;
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
    free(queue->nodes);
    free(queue->lines);
    free(queue);
    return NULL;
}

/* ------------------------------------------------------------------------------ nodes and lines */

static uint32_t node_take(struct sl_queue *queue, void *item)
{
    uint32_t node = queue->free;

    if (node == NONE)
        node = queue->fresh++;
    else
        queue->free = queue->nodes[node].next;
    queue->nodes[node] = (struct node){item, NONE};
    return node;
}

static void *node_give_back(struct sl_queue *queue, uint32_t node)
{
    void *item = queue->nodes[node].item;

    queue->nodes[node].next = queue->free;
    queue->free = node;
    return item;
}

static void make_lines(struct sl_queue *queue, uint32_t count)
{
    if (count <= queue->line_count)
        return;
    queue->lines = realloc(queue->lines, count * sizeof(*queue->lines));
    SL_INVARIANT(queue->lines != NULL);
    for (; queue->line_count < count; queue->line_count++)
        queue->lines[queue->line_count] = (struct line){NONE, NONE, NONE};
}

static void ring_append(struct sl_queue *queue, uint32_t line)
{
    queue->lines[line].next = NONE;
    if (queue->last_line == NONE)
        queue->first_line = line;
    else
        queue->lines[queue->last_line].next = line;
    queue->last_line = line;
}

static void line_append(struct sl_queue *queue, uint32_t number, uint32_t node)
{
    struct line *line;

    make_lines(queue, number + 1);
    line = &queue->lines[number];
    if (line->first == NONE) {
        line->first = node;
        ring_append(queue, number);
    } else {
        queue->nodes[line->last].next = node;
    }
    line->last = node;
}

/* One item of the line whose turn it is. */
static void *line_take(struct sl_queue *queue)
{
    uint32_t number = queue->first_line;
    struct line *line = &queue->lines[number];
    uint32_t node = line->first;

    queue->first_line = line->next;
    if (queue->first_line == NONE)
        queue->last_line = NONE;
    line->first = queue->nodes[node].next;
    if (line->first != NONE)
        ring_append(queue, number);
    return node_give_back(queue, node);
}

static void *take(struct sl_queue *queue)
{
    uint32_t node = queue->head;

    queue->count--;
    if (node == NONE)
        return line_take(queue);
    queue->head = queue->nodes[node].next;
    return node_give_back(queue, node);
}

/* ------------------------------------------------------------------------------ in and out */

static bool push(struct sl_queue *queue, void *item, uint32_t line, bool front)
{
    bool room;
    uint32_t node;

    SL_PRE(item != NULL);
    pthread_mutex_lock(&queue->mutex);
    room = !queue->closed && queue->count < queue->capacity;
    if (room) {
        node = node_take(queue, item);
        if (front) {
            queue->nodes[node].next = queue->head;
            queue->head = node;
        } else {
            line_append(queue, line, node);
        }
        queue->count++;
        pthread_cond_signal(&queue->came);
    }
    pthread_mutex_unlock(&queue->mutex);
    return room;
}

bool sl_queue_push(struct sl_queue *queue, void *item)
{
    return push(queue, item, 0, false);
}

bool sl_queue_push_line(struct sl_queue *queue, void *item, uint32_t line)
{
    return push(queue, item, line, false);
}

bool sl_queue_push_front(struct sl_queue *queue, void *item)
{
    return push(queue, item, 0, true);
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
    if (queue->count > 0)
        item = take(queue);
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
