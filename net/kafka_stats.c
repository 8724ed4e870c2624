/*
 * kafka_stats.c -- the few numbers of librdkafka's statistics that nothing else tells: which
 * brokers are up, how long they take to answer, and how much waits to be polled.
 *
 * The document is librdkafka's own, so it is read with cJSON as it stands. Lag is not taken from
 * it: its figure is of the group's committed offsets, which sluice does not rely on.
 */
#include <cjson/cJSON.h>
#include <string.h>

#include "net/kafka_internal.h"

static double number_of(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);

    return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

/* Names the cluster gave brokers only; bootstrap addresses (node id -1) come and go. */
static void read_broker(const cJSON *broker, const struct sl_kafka_watch *watch)
{
    const cJSON *state = cJSON_GetObjectItemCaseSensitive(broker, "state");
    const cJSON *node = cJSON_GetObjectItemCaseSensitive(broker, "nodename");
    const cJSON *rtt = cJSON_GetObjectItemCaseSensitive(broker, "rtt");

    if (number_of(broker, "nodeid") < 0 || !cJSON_IsString(node) || !cJSON_IsString(state))
        return;
    watch->broker(watch->context, node->valuestring, strcmp(state->valuestring, "UP") == 0,
                  number_of(rtt, "avg") / 1e6, number_of(rtt, "p99") / 1e6);
}

void kafka_stats_read(const char *json, size_t size, const struct sl_kafka_watch *watch)
{
    cJSON *root = cJSON_ParseWithLength(json, size);
    const cJSON *brokers = cJSON_GetObjectItemCaseSensitive(root, "brokers");
    const cJSON *broker;

    if (root && watch->waiting)
        watch->waiting(watch->context, (int64_t)number_of(root, "replyq"));
    if (watch->broker)
        cJSON_ArrayForEach(broker, brokers) read_broker(broker, watch);
    cJSON_Delete(root);
}
