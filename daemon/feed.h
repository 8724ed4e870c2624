/*
 * feed.h -- between feed.c, which polls, feed_start.c, which begins partitions, feed_pause.c, which holds
 * them up, and feed_topics.c, which asks the cluster.
 */
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
    struct sl_part *last; /* whose record came last */
    bool held;            /* the high mark of all together was reached, and not yet the low one */
    int64_t scan_us;      /* when all partitions were last looked at */
    int64_t high_us;      /* since when a partition waits to be paused; 0: none does */
    int64_t tick_us;
    int64_t lag_commit_us;
    int64_t poll_us;
    int64_t poll_max_us;
};

/* feed_topics.c -> feed.c: hand over a partition that is not read yet. Any thread. */
void feed_found(struct feed *feed, const struct found *found);

/* feed_pause.c: pause and resume what is due. True: wait a moment without polling. Feed's thread. */
bool feed_pause(struct sl_engine *engine);

/* feed_start.c: begin reading what was found; judge a position that is not in the log (true: go on).
 * Feed's thread. */
struct feed_gap {
    const char *kind; /* retention, truncated, recreated */
    int64_t stored, low, high;
};
void feed_start(struct sl_engine *engine);
bool feed_gap(struct sl_engine *engine, const struct sl_part *part, const struct feed_gap *found);

#endif
