/*
 * damage.c -- documents whose records were found damaged, until somebody takes care of them.
 *
 * Whoever meets a damaged record is a reader, in the middle of a question; what must happen is a write. So
 * it is noted here, and the writer takes the notes. A note may be wrong about what is lost, never about
 * what is not: the writer looks again.
 */
#include "index/damage.h"

void sl_damage_init(struct sl_damage *damage)
{
    damage->count = 0;
    (void)pthread_mutex_init(&damage->lock, NULL);
}

void sl_damage_fini(struct sl_damage *damage)
{
    (void)pthread_mutex_destroy(&damage->lock);
}

void sl_damage_note(struct sl_damage *damage, uint32_t document)
{
    bool known = false;

    (void)pthread_mutex_lock(&damage->lock);
    for (uint32_t i = 0; i < damage->count; i++)
        known = known || damage->documents[i] == document;
    if (!known && damage->count < SL_DAMAGE_MAX)
        damage->documents[damage->count++] = document;
    (void)pthread_mutex_unlock(&damage->lock);
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
