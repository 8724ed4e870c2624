/*
 * damage.c -- documents whose records were found damaged, until somebody takes care of them.
 *
 * Whoever meets a damaged record is a reader, in the middle of a question; what must happen is a write. So
 * it is noted here, and the writer takes the notes. A note may be wrong about what is lost, never about
 * what is not: the writer looks again.
 */
#include "index/damage.h"

#include <stdio.h>

#include <stdlib.h>
#include <string.h>

void sl_damage_init(struct sl_damage *damage)
{
    damage->documents = NULL;
    damage->count = damage->capacity = 0;
    (void)pthread_mutex_init(&damage->lock, NULL);
}

void sl_damage_fini(struct sl_damage *damage)
{
    free(damage->documents);
    (void)pthread_mutex_destroy(&damage->lock);
}

/* Where the document is in the list, or belongs. */
static uint32_t place_of(const struct sl_damage *damage, uint32_t document)
{
    uint32_t low = 0, high = damage->count;

    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (damage->documents[middle] < document)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_at(const struct sl_damage *damage, uint32_t at, uint32_t document)
{
    return at < damage->count && damage->documents[at] == document;
}

static void insert(struct sl_damage *damage, uint32_t at, uint32_t document)
{
    if (damage->count == damage->capacity) {
        uint32_t capacity = damage->capacity * 2 + 16;
        uint32_t *list = realloc(damage->documents, capacity * sizeof *list);
        if (list == NULL)
            return;
        damage->documents = list;
        damage->capacity = capacity;
    }
    memmove(damage->documents + at + 1, damage->documents + at,
            (damage->count - at) * sizeof *damage->documents);
    damage->documents[at] = document;
    damage->count++;
}

void sl_damage_note(struct sl_damage *damage, uint32_t document)
{
    uint32_t at;

    (void)pthread_mutex_lock(&damage->lock);
    at = place_of(damage, document);
    if (!is_at(damage, at, document))
        insert(damage, at, document);
    (void)pthread_mutex_unlock(&damage->lock);
}

bool sl_damage_has(struct sl_damage *damage, uint32_t document)
{
    bool has;

    (void)pthread_mutex_lock(&damage->lock);
    has = is_at(damage, place_of(damage, document), document);
    (void)pthread_mutex_unlock(&damage->lock);
    return has;
}

uint32_t sl_damage_take(struct sl_damage *damage)
{
    uint32_t document = 0;

    (void)pthread_mutex_lock(&damage->lock);
    if (damage->count > 0)
        document = damage->documents[--damage->count];
    (void)pthread_mutex_unlock(&damage->lock);
    return document;
}

uint32_t sl_damage_count(struct sl_damage *damage)
{
    uint32_t count;

    (void)pthread_mutex_lock(&damage->lock);
    count = damage->count;
    (void)pthread_mutex_unlock(&damage->lock);
    return count;
}

void sl_damage_describe(struct sl_view key, char *ret_text, size_t size)
{
    bool plain = key.size > 0;
    size_t used = 0;

    for (size_t i = 0; i < key.size; i++)
        plain = plain && key.data[i] > ' ' && key.data[i] < 0x7F;
    if (plain) {
        (void)snprintf(ret_text, size, "%.*s", (int)(key.size < 60 ? key.size : 60), key.data);
        return;
    }
    ret_text[0] = '\0';
    for (size_t i = 0; i < key.size && i < 30 && used + 3 < size; i++)
        used += (size_t)snprintf(ret_text + used, size - used, "%02x", (unsigned char)key.data[i]);
}
