/* produce.h -- records to Kafka from the command line, each with its delivery checked. */
#ifndef SLUICECTL_PRODUCE_H
#define SLUICECTL_PRODUCE_H

#include "ctl.h"
#include "net/kafka_out.h"

struct ctl_producer;

/* How far a partition was written: offsets up to and including this one are ours. */
struct ctl_written {
    char *topic;
    int32_t partition;
    int64_t offset;
};

/*
 * Connect a producer to the configured cluster. A record that is not delivered within `timeout_ms`
 * counts as failed.
 *
 * Owns:    caller gets *ret_producer; close it with ctl_producer_close().
 * Thread:  main.
 * Blocks:  disk, for the credentials.
 * Errors:  the exit code after saying why
 */
int ctl_producer_open(const struct ctl *ctl, uint32_t timeout_ms,
                      struct ctl_producer **ret_producer);
struct ctl_producer *ctl_producer_close(struct ctl_producer *producer);

/*
 * Send one record, waiting while the queue is full. `name` stands in messages when it is not
 * delivered.
 *
 * Owns:    copied.
 * Thread:  main.
 * Blocks:  while the queue is full, at most the timeout.
 * Errors:  the exit code after saying why; a record too large for Kafka is said and counted, and
 * gives 0
 */
int ctl_producer_send(struct ctl_producer *producer, const struct sl_kafka_send *send,
                      const char *name);

/*
 * Wait until every record sent has its report.
 *
 * Owns:    nothing.
 * Thread:  main.
 * Blocks:  network, at most the timeout.
 * Errors:  the exit code after saying why: 69 some are not delivered
 */
int ctl_producer_finish(struct ctl_producer *producer);

uint64_t ctl_producer_delivered(const struct ctl_producer *producer);
uint64_t ctl_producer_failed(const struct ctl_producer *producer);

/*
 * Remember how many records the running daemon has set aside so far, before anything is sent.
 *
 * Owns:    nothing.
 * Thread:  main.
 * Blocks:  on the control socket.
 * Errors:  none: a daemon that cannot be asked is the wait's to say
 */
void ctl_producer_look(struct ctl_producer *producer, const char *topic);

/*
 * Wait until the running daemon has read all that was delivered and stored it.
 *
 * Owns:    nothing.
 * Thread:  main.
 * Blocks:  at most the timeout.
 * Errors:  the exit code after saying why: 69 no daemon, or not in time; 65 records of the topic became
 *          dead letters meanwhile
 */
int ctl_producer_wait_searchable(struct ctl_producer *producer);

#endif
