/* feed.h -- between feed.c, which polls, and feed_topics.c, which asks the cluster. */
#ifndef SLUICE_FEED_H
#define SLUICE_FEED_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/engine_internal.h"

/* A partition the cluster has and the feed does not read yet. */
struct found {
    const char *topic; /* the configuration's */
    int32_t partition;
    int64_t low, high;
};

struct feed {
    struct sl_kafka_in *in;
    pthread_mutex_t mutex; /* found */
    struct found *found;
    uint32_t found_count;
    uint32_t found_capacity;
    uint32_t refresh_ms;
    /* the feed thread's own */
    bool paused;
    const char *paused_reason;
    int64_t tick_us;
    int64_t lag_commit_us;
    int64_t poll_us;
    int64_t poll_max_us;
};

/* feed_topics.c -> feed.c */
void feed_found(struct feed *feed, const struct found *found);

#endif
