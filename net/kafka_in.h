/*
 * kafka_in.h -- records from Kafka: by hand-made assignment (documents, `ask`) or as a member of a
 * group (questions). Nobody outside net/ sees librdkafka.
 *
 * THREADS    A consumer belongs to the thread that polls it. sl_kafka_in_cluster_id(),
 * _partitions(),
 *            _query() and _watermarks() may be called from any thread beside it: they block, or
 *            look.
 */
#ifndef SLUICE_KAFKA_IN_H
#define SLUICE_KAFKA_IN_H

#include "net/kafka_conf.h"

struct sl_kafka_in;

#define SL_KAFKA_OFFSET_BEGINNING (-2)
#define SL_KAFKA_OFFSET_END       (-1)

struct sl_kafka_partition {
    const char *topic;
    int32_t partition;
    int64_t offset; /* where to start, or what to commit: the next one wanted */
};

/* What a group consumer is told. All run inside sl_kafka_in_poll() and sl_kafka_in_close(). */
struct sl_kafka_group_ops {
    /* These partitions are ours from here on; records follow from the group's committed offsets. */
    void (*assigned)(void *context, const struct sl_kafka_partition *list, uint32_t count);
    /* They are not. Commit now, with wait, unless `lost`: then somebody else has them already. */
    void (*revoked)(void *context, const struct sl_kafka_partition *list, uint32_t count,
                    bool lost);
    /* How a commit without wait ended: SL_OK, or SL_AGAIN `kafka`, or SL_REJECT `denied`. */
    void (*committed)(void *context, const struct sl_kafka_partition *list, uint32_t count,
                      const struct sl_error *err);
    void *context;
};

struct sl_kafka_in_options {
    uint32_t fetch_bytes; /* to fetch ahead, and in one response; 0: 16 MiB. One larger record still comes */
    const char *group_id;                 /* always needed */
    const char *instance_id;              /* static member of the group; NULL: dynamic */
    const struct sl_kafka_group_ops *ops; /* NULL: assigned by hand */
    const struct sl_kafka_watch *watch;   /* NULL: nobody listens */
};

/*
 * Make a consumer: [kafka] and its credentials, then what sluice decides (no automatic commits,
 * read_committed, checksums, end-of-partition events). Does not connect.
 *
 * Owns:    caller gets *ret_in; close it with sl_kafka_in_close(). `ops` and `watch` are copied.
 * Thread:  any.
 * Blocks:  disk, for the credentials.
 * Errors:  SL_STOP  exit 78: a property librdkafka refuses, a missing credential; 71 memory
 */
enum sl_err sl_kafka_in_open(const struct sl_config *config,
                             const struct sl_kafka_in_options *options, struct sl_kafka_in **ret_in,
                             struct sl_error *err);

/*
 * Leave the group (static members stay in it until the session times out) and free. NULL is fine.
 * Always returns NULL.
 *
 * Owns:    consumes `in`; the last event is invalid.
 * Thread:  the consumer's; may call ops->revoked.
 * Blocks:  network: seconds.
 * Errors:  none.
 */
struct sl_kafka_in *sl_kafka_in_close(struct sl_kafka_in *in);

enum sl_kafka_event_type {
    SL_KAFKA_NOTHING = 0,
    SL_KAFKA_RECORD,
    SL_KAFKA_EOF,          /* nothing behind `offset` at this moment          */
    SL_KAFKA_OUT_OF_RANGE, /* the offset asked for is not in the log          */
    SL_KAFKA_NO_TOPIC,     /* topic or partition went away, or never was      */
    SL_KAFKA_DOWN,         /* no broker can be reached; it keeps trying       */
    SL_KAFKA_DENIED,       /* not allowed to read the topic (`text` may name it)  */
    SL_KAFKA_GROUP_DENIED, /* not allowed to be in the group                      */
    SL_KAFKA_ERROR,        /* anything else that librdkafka recovers from     */
    SL_KAFKA_FATAL         /* this consumer is done for (fenced, for one)     */
};

struct sl_kafka_event {
    enum sl_kafka_event_type type;
    struct sl_message message; /* SL_KAFKA_RECORD; all of it valid until the next poll */
    const char *topic;         /* where there is one, until the next poll; else NULL */
    int32_t partition;
    int64_t offset;
    int code;              /* rd_kafka_resp_err_t */
    const char *code_name; /* "_FATAL"; "" without an error */
    char text[256];
};

/*
 * Wait for the next event.
 *
 * Owns:    the event refers to the consumer's memory, until the next poll or close.
 * Thread:  the consumer's.
 * Blocks:  at most timeout_ms, plus what ops->revoked takes.
 * Errors:  are events.
 */
void sl_kafka_in_poll(struct sl_kafka_in *in, int timeout_ms, struct sl_kafka_event *ret_event);

/*
 * Become a member of the group for these topics.
 *
 * Owns:    copied.
 * Thread:  the consumer's.
 * Blocks:  no.
 * Errors:  SL_STOP  exit 70
 */
enum sl_err sl_kafka_in_subscribe(struct sl_kafka_in *in, char *const *topics, uint32_t count,
                                  struct sl_error *err);

/*
 * Add partitions to the hand-made assignment, each from its offset; or take some away again. To go
 * to another offset, take away and add: a seek right after assigning fails, and a partition stuck
 * out of range stays stuck.
 *
 * Owns:    copied.
 * Thread:  the consumer's.
 * Blocks:  briefly, on librdkafka's own thread.
 * Errors:  SL_STOP  exit 70
 */
enum sl_err sl_kafka_in_assign(struct sl_kafka_in *in, const struct sl_kafka_partition *list,
                               uint32_t count, struct sl_error *err);
enum sl_err sl_kafka_in_unassign(struct sl_kafka_in *in, const struct sl_kafka_partition *list,
                                 uint32_t count, struct sl_error *err);

/*
 * Stop or go on fetching partitions. Polling goes on. Call once per edge, not per record.
 *
 * Owns:    copied.
 * Thread:  the consumer's.
 * Blocks:  no.
 * Errors:  SL_REJECT  kafka: a partition that is not assigned
 */
enum sl_err sl_kafka_in_pause(struct sl_kafka_in *in, const struct sl_kafka_partition *list,
                              uint32_t count, struct sl_error *err);
enum sl_err sl_kafka_in_resume(struct sl_kafka_in *in, const struct sl_kafka_partition *list,
                               uint32_t count, struct sl_error *err);

/*
 * Commit offsets to the group; with `wait`, until the broker has answered; without, ops->committed
 * tells.
 *
 * Owns:    copied.
 * Thread:  the consumer's.
 * Blocks:  with `wait`: network.
 * Errors:  SL_AGAIN  kafka: not committed, with librdkafka's code
 */
enum sl_err sl_kafka_in_commit(struct sl_kafka_in *in, const struct sl_kafka_partition *list,
                               uint32_t count, bool wait, struct sl_error *err);

/* Low and high water mark as last seen in a fetch; false when none was seen yet. Any thread, does
 * not block. */
bool sl_kafka_in_watermarks(struct sl_kafka_in *in, const char *topic, int32_t partition,
                            int64_t *ret_low, int64_t *ret_high);

/*
 * Ask the cluster: its id (char[128]), how many partitions a topic has, where a partition begins
 * and ends.
 *
 * Owns:    nothing.
 * Thread:  any, beside the consumer's.
 * Blocks:  network, at most timeout_ms.
 * Errors:  SL_AGAIN   kafka: not reachable, no leader just now, or not known yet
 *          SL_REJECT  no_topic: the cluster has no such topic or partition; denied: not allowed to
 *                     see it
 */
enum sl_err sl_kafka_in_cluster_id(struct sl_kafka_in *in, int timeout_ms, char *ret_id,
                                   struct sl_error *err);
enum sl_err sl_kafka_in_partitions(struct sl_kafka_in *in, const char *topic, int timeout_ms,
                                   uint32_t *ret_count, struct sl_error *err);
enum sl_err sl_kafka_in_query(struct sl_kafka_in *in, const char *topic, int32_t partition,
                              int timeout_ms, int64_t *ret_low, int64_t *ret_high,
                              struct sl_error *err);

/* What the broker does with a topic's old records. */
struct sl_topic_policy {
    bool is_compact;       /* cleanup.policy is "compact" alone */
    int64_t tombstones_ms; /* how long a tombstone stays at least; -1: not said */
};

/*
 * Ask how a topic is cleaned up.
 *
 * Owns:    nothing.
 * Thread:  any, beside the consumer's.
 * Blocks:  network, at most timeout_ms and a second.
 * Errors:  SL_AGAIN   kafka: not reachable just now
 *          SL_REJECT  no_topic; denied: not allowed to ask (DescribeConfigs), or the broker cannot say
 */
enum sl_err sl_kafka_in_policy(struct sl_kafka_in *in, const char *topic, int timeout_ms,
                               struct sl_topic_policy *ret_policy, struct sl_error *err);

#endif
