/*
 * feed.h -- between feed.c, which polls, feed_start.c, which begins partitions, feed_gap.c, which judges
 * gaps, feed_pause.c, which holds them up, and feed_topics.c, which asks the cluster.
 */
#ifndef SLUICE_FEED_H
#define SLUICE_FEED_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/engine_internal.h"

/* A partition the cluster has and the feed does not read yet. */
struct found {
    const char *topic; /* the configuration's */
    int32_t partition;
    int64_t low, high;
    bool is_compact;       /* the log holds every document: what it does not hold may be swept */
    int64_t tombstones_ms; /* how long it keeps tombstones; -1: not known, or not compacted */
};

/* What is known of how a topic is cleaned up. */
struct cleanup {
    bool is_known;
    bool is_compact;
    int64_t tombstones_ms;
};

struct feed {
    struct sl_kafka_in *in;
    pthread_mutex_t mutex; /* found */
    struct found *found;
    uint32_t found_count;
    uint32_t found_capacity;
    uint32_t refresh_ms;
    atomic_bool ask_again; /* the cluster is to be asked now, not at the next refresh */
    atomic_bool suspects;  /* a partition is_suspect */
    /* the topics thread's own */
    struct cleanup *cleanups; /* of each configured topic */
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
void feed_found(struct sl_engine *engine, const struct found *found);

/* feed_pause.c: pause and resume what is due. True: wait a moment without polling. Feed's thread. */
bool feed_pause(struct sl_engine *engine);

/* A stored position the log does not have. */
struct gap {
    const char *kind; /* retention, truncated, recreated, tombstone */
    int64_t stored;
    char detail[160]; /* what was compared, beyond offsets; "": nothing */
};

/* feed_start.c, the feed's thread: begin reading what was found; take a partition out, to be judged
 * anew from its stored position; the same for all that are suspect. */
void feed_start(struct sl_engine *engine);
void feed_reopen(struct sl_engine *engine, struct sl_part *part);
void feed_reopen_suspects(struct sl_engine *engine);
/* Another record lies where the last one done was: true: it may be read on. */
bool feed_recreated(struct sl_engine *engine, struct sl_part *part,
                    const struct sl_fingerprint *stored, const struct sl_fingerprint *found);

/* feed_gap.c: what [documents] on_gap says to it. */
enum gap_action {
    GAP_STOP = 1, /* the program ends: failed */
    GAP_GO_ON,    /* from what is there */
    GAP_DOUBT,    /* read again; whatever comes wins over what is stored */
    GAP_RESYNC    /* the same, and what does not come is deleted */
};
enum gap_action feed_gap(struct sl_engine *engine, const struct found *found,
                         const struct gap *gap);

#endif
