/* kafka_in_internal.h -- the consumer's insides, for kafka_in.c and kafka_metadata.c. */
#ifndef SLUICE_KAFKA_IN_INTERNAL_H
#define SLUICE_KAFKA_IN_INTERNAL_H

#include <pthread.h>

#include "net/kafka_in.h"
#include "net/kafka_internal.h"

struct sl_kafka_in {
    rd_kafka_t *rk;
    struct sl_kafka_watch watch; /* librdkafka's opaque points here */
    struct sl_kafka_group_ops ops;
    rd_kafka_message_t *current; /* the event last polled */
    struct sl_header *headers;
    rd_kafka_resp_err_t unassigned; /* why an assignment could not be taken over; the next poll says so */
    pthread_mutex_t mutex; /* topics_seen */
    bool asks_by_name;     /* see kafka_metadata.c */
    char **topics_seen;    /* the cluster had them once */
    uint32_t topics_seen_count;
};

static inline struct sl_kafka_in *kafka_in_of(struct sl_kafka_watch *watch)
{
    return (struct sl_kafka_in *)((char *)watch - offsetof(struct sl_kafka_in, watch));
}

#endif
