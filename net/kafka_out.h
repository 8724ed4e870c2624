/*
 * kafka_out.h -- records to Kafka: one idempotent producer (acks=all) with a report for every
 * record sent.
 *
 *     struct sl_kafka_out *out;
 *     sl_kafka_out_open(config, NULL, on_report, context, &out, &err);
 *     sl_kafka_out_send(out, &(struct sl_kafka_send){.topic = "docs", .partition = -1, ...}, &err);
 *     sl_kafka_out_flush(out, 10000, &err);       // on_report runs in here, and in _poll()
 *     sl_kafka_out_close(out);
 */
#ifndef SLUICE_KAFKA_OUT_H
#define SLUICE_KAFKA_OUT_H

#include "net/kafka_conf.h"

struct sl_kafka_out;

struct sl_kafka_send {
    const char *topic;
    int32_t partition;    /* -1: by the key's hash, as Java clients do */
    struct sl_view key;   /* data == NULL: no key       */
    struct sl_view value; /* data == NULL: a tombstone  */
    const struct sl_header *headers;
    uint32_t header_count;
    int64_t timestamp_ms; /* -1 or 0: now */
    void *tag;            /* comes back in the report */
};

enum sl_sent {
    SL_SENT_OK = 1,
    SL_SENT_TOO_LARGE, /* larger than client or broker take: never works         */
    SL_SENT_NO_TOPIC,  /* no such topic or partition                              */
    SL_SENT_DENIED,    /* not allowed to write there                              */
    SL_SENT_FAILED,    /* timed out or refused: may be sent again                 */
    SL_SENT_FATAL      /* the producer is done for: close it, and leave with 75   */
};

struct sl_kafka_report {
    enum sl_sent result;
    bool maybe_stored; /* not OK, and yet it may be in the log: a timeout is not a failure */
    int32_t partition;
    int64_t offset; /* of SL_SENT_OK; -1 unknown */
    const char *code_name;
    void *tag;
};

typedef void (*sl_kafka_report_fn)(void *context, const struct sl_kafka_report *report);

/*
 * Make a producer. Does not connect.
 *
 * Owns:    caller gets *ret_out; close it with sl_kafka_out_close(). `watch` is copied.
 * Thread:  any.
 * Blocks:  disk, for the credentials.
 * Errors:  SL_STOP  exit 78: a property librdkafka refuses, a missing credential; 71 memory
 */
enum sl_err sl_kafka_out_open(const struct sl_config *config, const struct sl_kafka_watch *watch,
                              sl_kafka_report_fn report, void *context,
                              struct sl_kafka_out **ret_out, struct sl_error *err);

/* The same with a transactional id: every record belongs to a transaction (net/kafka_transaction.h). */
enum sl_err sl_kafka_out_open_transactional(const struct sl_config *config,
                                            const char *transactional_id,
                                            const struct sl_kafka_watch *watch,
                                            sl_kafka_report_fn report, void *context,
                                            struct sl_kafka_out **ret_out, struct sl_error *err);

/*
 * Hand over one record. Its report comes later, from poll, flush or close; exactly one for each
 * SL_OK here.
 *
 * Owns:    copied.
 * Thread:  any.
 * Blocks:  no.
 * Errors:  SL_AGAIN   queue_full: poll, then send it again
 *          SL_REJECT  too_large, no_topic, denied: will not work
 *          SL_STOP    kafka_fatal (75): the producer is done for
 */
enum sl_err sl_kafka_out_send(struct sl_kafka_out *out, const struct sl_kafka_send *send,
                              struct sl_error *err);

/* Is the producer done for because this user may write nowhere? A new one may work later. Any thread. */
bool sl_kafka_out_is_denied(struct sl_kafka_out *out);

/* Run reports that are due; waits up to timeout_ms for the first. Thread: one at a time. */
void sl_kafka_out_poll(struct sl_kafka_out *out, int timeout_ms);

/* Records not yet reported, in librdkafka's queues. */
uint32_t sl_kafka_out_waiting(struct sl_kafka_out *out);

/*
 * Wait until everything sent has its report.
 *
 * Owns:    nothing.
 * Thread:  as poll.
 * Blocks:  network, at most timeout_ms.
 * Errors:  SL_AGAIN  kafka: some are still under way
 */
enum sl_err sl_kafka_out_flush(struct sl_kafka_out *out, int timeout_ms, struct sl_error *err);

/*
 * Free. What is still queued is dropped and reported as failed. NULL is fine. Always returns NULL.
 *
 * Owns:    consumes `out`.
 * Thread:  the last one to use it; reports run in here.
 * Blocks:  briefly.
 * Errors:  none.
 */
struct sl_kafka_out *sl_kafka_out_close(struct sl_kafka_out *out);

#endif
