/* kafka_out_internal.h -- the producer's insides, for kafka_out.c and kafka_transaction.c. */
#ifndef SLUICE_KAFKA_OUT_INTERNAL_H
#define SLUICE_KAFKA_OUT_INTERNAL_H

#include "net/kafka_internal.h"
#include "net/kafka_out.h"

struct sl_kafka_out {
    rd_kafka_t *rk;
    struct sl_kafka_watch watch; /* librdkafka's opaque points here */
    sl_kafka_report_fn report;
    void *context;
};

#endif
