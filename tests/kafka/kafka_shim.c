/*
 * kafka_shim.c -- preloaded into the daemon: one call into librdkafka fails once.
 *
 * KAFKA_FAIL=FUNCTION:N makes the Nth call of rd_kafka_FUNCTION fail as a lost connection would, without doing
 * anything. KAFKA_FAIL_NOTE names a file that is made when it happened.
 */
#include <dlfcn.h>
#include <librdkafka/rdkafka.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static atomic_long calls;

static bool fails(const char *function)
{
    const char *order = getenv("KAFKA_FAIL"), *note = getenv("KAFKA_FAIL_NOTE");
    size_t size = strlen(function);
    FILE *file;

    if (order == NULL || strncmp(order, function, size) != 0 || order[size] != ':' ||
        atomic_fetch_add(&calls, 1) + 1 != strtol(order + size + 1, NULL, 10))
        return false;
    file = note != NULL ? fopen(note, "w") : NULL;
    if (file != NULL)
        fclose(file);
    return true;
}

/* A function that returns rd_kafka_resp_err_t. */
#define FAILING(name, parameters, arguments)                                                       \
    rd_kafka_resp_err_t rd_kafka_##name parameters                                                 \
    {                                                                                              \
        static rd_kafka_resp_err_t(*real) parameters;                                              \
        if (real == NULL)                                                                          \
            *(void **)&real = dlsym(RTLD_NEXT, "rd_kafka_" #name);                                 \
        return fails(#name) ? RD_KAFKA_RESP_ERR__TRANSPORT : real arguments;                       \
    }

FAILING(assign, (rd_kafka_t * rk, const rd_kafka_topic_partition_list_t *list), (rk, list))
FAILING(subscribe, (rd_kafka_t * rk, const rd_kafka_topic_partition_list_t *list), (rk, list))
FAILING(pause_partitions, (rd_kafka_t * rk, rd_kafka_topic_partition_list_t *list), (rk, list))
FAILING(resume_partitions, (rd_kafka_t * rk, rd_kafka_topic_partition_list_t *list), (rk, list))
FAILING(commit, (rd_kafka_t * rk, const rd_kafka_topic_partition_list_t *list, int async),
        (rk, list, async))
FAILING(seek, (rd_kafka_topic_t * topic, int32_t partition, int64_t offset, int timeout_ms),
        (topic, partition, offset, timeout_ms))
FAILING(query_watermark_offsets,
        (rd_kafka_t * rk, const char *topic, int32_t partition, int64_t *low, int64_t *high,
         int timeout_ms),
        (rk, topic, partition, low, high, timeout_ms))
FAILING(metadata,
        (rd_kafka_t * rk, int all, rd_kafka_topic_t *topic, const struct rd_kafka_metadata **metadata,
         int timeout_ms),
        (rk, all, topic, metadata, timeout_ms))
FAILING(flush, (rd_kafka_t * rk, int timeout_ms), (rk, timeout_ms))

/* One that returns an error object. */
#define FAILING_OBJECT(name, parameters, arguments)                                                \
    rd_kafka_error_t *rd_kafka_##name parameters                                                   \
    {                                                                                              \
        static rd_kafka_error_t *(*real) parameters;                                               \
        if (real == NULL)                                                                          \
            *(void **)&real = dlsym(RTLD_NEXT, "rd_kafka_" #name);                                 \
        return fails(#name) ? rd_kafka_error_new(RD_KAFKA_RESP_ERR__TRANSPORT, "shim")             \
                            : real arguments;                                                      \
    }

FAILING_OBJECT(incremental_assign, (rd_kafka_t * rk, const rd_kafka_topic_partition_list_t *list),
               (rk, list))
FAILING_OBJECT(incremental_unassign, (rd_kafka_t * rk, const rd_kafka_topic_partition_list_t *list),
               (rk, list))
FAILING_OBJECT(produceva, (rd_kafka_t * rk, const rd_kafka_vu_t *values, size_t count),
               (rk, values, count))

char *rd_kafka_clusterid(rd_kafka_t *rk, int timeout_ms)
{
    static char *(*real)(rd_kafka_t *, int);

    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "rd_kafka_clusterid");
    return fails("clusterid") ? NULL : real(rk, timeout_ms);
}

rd_kafka_t *rd_kafka_new(rd_kafka_type_t type, rd_kafka_conf_t *conf, char *text, size_t size)
{
    static rd_kafka_t *(*real)(rd_kafka_type_t, rd_kafka_conf_t *, char *, size_t);

    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "rd_kafka_new");
    if (!fails("new"))
        return real(type, conf, text, size);
    snprintf(text, size, "shim");
    return NULL;
}
