/*
 * parking.c -- questions that are to be answered only once a position is in the index.
 *
 * They wait here and not in an answerer: ten questions that wait for a document still to come would
 * otherwise stop all the others. Each look takes one whose wait is over, because the position is
 * there or because its deadline passed.
 */
#include <stdlib.h>

#include "daemon/engine_internal.h"

struct parking {
    pthread_mutex_t mutex;
    struct asked *first;
    _Atomic uint32_t count;
};

struct parking *parking_open(void)
{
    struct parking *parking = calloc(1, sizeof(*parking));

    SL_INVARIANT(parking != NULL);
    pthread_mutex_init(&parking->mutex, NULL);
    return parking;
}

struct parking *parking_close(struct sl_engine *engine, struct parking *parking)
{
    if (!parking)
        return NULL;
    while (parking->first) {
        struct asked *asked = parking->first;

        parking->first = asked->next;
        asked_free(engine, asked);
    }
    pthread_mutex_destroy(&parking->mutex);
    free(parking);
    return NULL;
}

bool parking_is_unknown(struct sl_engine *engine, const struct asked *asked)
{
    bool unknown = false;

    sl_book_lock(&engine->documents);
    for (uint32_t i = 0; i < asked->question.min_position_count; i++)
        unknown |= !sl_book_find(&engine->documents, asked->question.min_positions[i].topic,
                                 asked->question.min_positions[i].partition, false);
    sl_book_unlock(&engine->documents);
    return unknown;
}

bool parking_must_wait(struct sl_engine *engine, const struct asked *asked)
{
    bool waits = false;

    sl_book_lock(&engine->documents);
    for (uint32_t i = 0; i < asked->question.min_position_count; i++) {
        const struct sl_min_position *wanted = &asked->question.min_positions[i];
        const struct sl_part *part =
            sl_book_find(&engine->documents, wanted->topic, wanted->partition, false);

        waits |= !part || part->committed <= wanted->offset;
    }
    sl_book_unlock(&engine->documents);
    return waits;
}

void parking_put(struct parking *parking, struct asked *asked)
{
    pthread_mutex_lock(&parking->mutex);
    asked->next = parking->first;
    parking->first = asked;
    parking->count++;
    pthread_mutex_unlock(&parking->mutex);
}

static bool is_over(struct sl_engine *engine, const struct asked *asked)
{
    int64_t now = clock_us();

    if (now >= asked->deadline_us || !parking_must_wait(engine, asked))
        return true;
    return asked->unseen_until_us && now >= asked->unseen_until_us &&
           parking_is_unknown(engine, asked);
}

struct asked *parking_take(struct sl_engine *engine, struct parking *parking)
{
    struct asked *found = NULL;

    if (parking->count == 0)
        return NULL;
    pthread_mutex_lock(&parking->mutex);
    for (struct asked **at = &parking->first; *at && !found; at = found ? at : &(*at)->next) {
        if (is_over(engine, *at)) {
            found = *at;
            *at = found->next;
            parking->count--;
        }
    }
    pthread_mutex_unlock(&parking->mutex);
    return found;
}

uint32_t parking_count(struct parking *parking)
{
    return parking->count;
}
