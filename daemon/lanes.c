/*
 * lanes.c -- very many waiting lines behind one lock. Two keys share one rarely, which matters: a document
 * would wait for another's, and that may have a backlog before it. Idle lanes cost no memory, for pages of
 * zeros never written to are not there.
 *
 * Rejected: one worker per lane set (a slow document then blocks all keys of its worker), a map of
 * keys (grows and shrinks with every record; with a thousand documents under way one key in 260 shares its
 * lane).
 */
#include "daemon/lanes.h"

#include <pthread.h>
#include <stdlib.h>

#include <sluice/error.h>
#include <sluice/hash.h>

struct lane {
    bool runs;
    struct sl_lane_item *first;
    struct sl_lane_item *last;
};

struct sl_lanes {
    pthread_mutex_t mutex;
    uint32_t drained; /* lanes before it hold nothing any more */
    struct lane lanes[SL_LANES];
};

struct sl_lanes *sl_lanes_make(void)
{
    struct sl_lanes *lanes = calloc(1, sizeof(*lanes));

    if (lanes)
        pthread_mutex_init(&lanes->mutex, NULL);
    return lanes;
}

struct sl_lanes *sl_lanes_free(struct sl_lanes *lanes)
{
    if (!lanes)
        return NULL;
    pthread_mutex_destroy(&lanes->mutex);
    free(lanes);
    return NULL;
}

uint32_t sl_lane_of(struct sl_view topic, struct sl_view key)
{
    return sl_crc32c(sl_crc32c(0, topic.data, topic.size), key.data, key.size) % SL_LANES;
}

bool sl_lanes_enter(struct sl_lanes *lanes, struct sl_lane_item *item)
{
    struct lane *lane = &lanes->lanes[item->lane % SL_LANES];
    bool runs;

    item->next = NULL;
    pthread_mutex_lock(&lanes->mutex);
    runs = !lane->runs;
    lane->runs = true;
    if (!runs) {
        if (lane->last)
            lane->last->next = item;
        else
            lane->first = item;
        lane->last = item;
    }
    pthread_mutex_unlock(&lanes->mutex);
    return runs;
}

static struct sl_lane_item *take_first(struct lane *lane)
{
    struct sl_lane_item *item = lane->first;

    if (item) {
        lane->first = item->next;
        if (!lane->first)
            lane->last = NULL;
        item->next = NULL;
    }
    return item;
}

struct sl_lane_item *sl_lanes_leave(struct sl_lanes *lanes, uint32_t lane)
{
    struct sl_lane_item *item;

    pthread_mutex_lock(&lanes->mutex);
    SL_PRE(lanes->lanes[lane % SL_LANES].runs);
    item = take_first(&lanes->lanes[lane % SL_LANES]);
    lanes->lanes[lane % SL_LANES].runs = item != NULL;
    pthread_mutex_unlock(&lanes->mutex);
    return item;
}

struct sl_lane_item *sl_lanes_drain(struct sl_lanes *lanes)
{
    struct sl_lane_item *item = NULL;

    pthread_mutex_lock(&lanes->mutex);
    while (lanes->drained < SL_LANES && !(item = take_first(&lanes->lanes[lanes->drained])))
        lanes->drained++;
    pthread_mutex_unlock(&lanes->mutex);
    return item;
}
