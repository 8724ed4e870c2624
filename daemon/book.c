/*
 * book.c -- a sorted array of partitions.
 *
 * Caught up is not "position equals high watermark": behind the last record there may be control
 * records that are never delivered. What counts is the end-of-partition event, and that all
 * delivered before it is stored.
 */
#include "daemon/book.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sluice/error.h>

void sl_book_init(struct sl_book *book)
{
    pthread_condattr_t attributes;

    *book = (struct sl_book){0};
    pthread_mutex_init(&book->mutex, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&book->moved, &attributes);
    pthread_condattr_destroy(&attributes);
}

void sl_book_fini(struct sl_book *book)
{
    for (uint32_t i = 0; i < book->count; i++) {
        sl_ledger_free(book->parts[i]->ledger);
        free(book->parts[i]->topic);
        free(book->parts[i]);
    }
    free(book->parts);
    pthread_cond_destroy(&book->moved);
    pthread_mutex_destroy(&book->mutex);
}

static int compare(struct sl_view topic, int32_t partition, const struct sl_part *part)
{
    size_t size = strlen(part->topic);
    int order = memcmp(topic.data, part->topic, topic.size < size ? topic.size : size);

    if (order == 0 && topic.size != size)
        order = topic.size < size ? -1 : 1;
    if (order == 0 && partition != part->partition)
        order = partition < part->partition ? -1 : 1;
    return order;
}

static struct sl_part *make_part(struct sl_view topic, int32_t partition)
{
    struct sl_part *part = calloc(1, sizeof(*part));

    SL_INVARIANT(part != NULL);
    part->topic = strndup(topic.data, topic.size);
    SL_INVARIANT(part->topic != NULL);
    part->partition = partition;
    part->committed = part->storing = part->newest_ms = part->low = part->high = part->target =
        part->eof_at = -1;
    part->expected.offset = -1;
    part->mark_high = -1;
    return part;
}

static struct sl_part *enter(struct sl_book *book, uint32_t at, struct sl_part *part)
{
    if (book->count == book->capacity) {
        book->capacity = book->capacity ? book->capacity * 2 : 16;
        book->parts = realloc(book->parts, book->capacity * sizeof(struct sl_part *));
        SL_INVARIANT(book->parts != NULL);
    }
    part->number = book->count;
    memmove(&book->parts[at + 1], &book->parts[at], (book->count - at) * sizeof(struct sl_part *));
    book->parts[at] = part;
    book->count++;
    return part;
}

struct sl_part *sl_book_find(struct sl_book *book, struct sl_view topic, int32_t partition,
                             bool make)
{
    uint32_t low = 0, high = book->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = compare(topic, partition, book->parts[middle]);

        if (order == 0)
            return book->parts[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return make ? enter(book, low, make_part(topic, partition)) : NULL;
}

uint32_t sl_book_assigned(struct sl_book *book, struct sl_kafka_partition **ret_list)
{
    struct sl_kafka_partition *list;
    uint32_t count = 0;

    sl_book_lock(book);
    list = calloc(book->count + 1u, sizeof(*list));
    SL_INVARIANT(list != NULL);
    for (uint32_t i = 0; i < book->count; i++)
        if (book->parts[i]->assigned)
            list[count++] = (struct sl_kafka_partition){
                book->parts[i]->topic, book->parts[i]->partition, book->parts[i]->committed};
    sl_book_unlock(book);
    *ret_list = list;
    return count;
}

void sl_part_mark(struct sl_part *part, int64_t high, int64_t now_ms)
{
    if (part->mark_high < 0) {
        part->mark_high = high;
        part->mark_ms = now_ms;
    }
    sl_part_settle(part);
}

bool sl_part_settle(struct sl_part *part)
{
    if (part->mark_high >= 0 && part->committed >= part->mark_high) {
        part->whole_ms = part->mark_ms;
        part->mark_high = -1;
    }
    if (!part->caught_up && part->target >= 0)
        part->caught_up = part->committed >= part->target ||
                          (part->eof_at >= 0 && part->committed >= part->eof_at);
    return part->caught_up;
}

int64_t sl_part_lag(const struct sl_part *part)
{
    if (part->high < 0)
        return -1;
    if (part->eof_at >= 0 && part->committed >= part->eof_at &&
        part->eof_at == sl_ledger_end(part->ledger))
        return 0;
    return part->high > part->committed
               ? part->high - (part->committed < part->low ? part->low : part->committed)
               : 0;
}
