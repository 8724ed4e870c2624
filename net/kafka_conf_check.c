/*
 * kafka_conf_check.c -- librdkafka's own opinion of a property, asked on a configuration that is thrown away.
 *
 * It knows its table in the version in use, with ranges; a copy of ours would be wrong with the next one. A name is
 * tried with rd_kafka_conf_get() on the global, then the topic table: setting it would need a value it takes.
 */
#include "net/kafka_conf_check.h"

#include <librdkafka/rdkafka.h>
#include <stdio.h>

bool sl_kafka_property_check(const char *name, const char *value, char *why, size_t size)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_res_t result = rd_kafka_conf_set(conf, name, value, why, size);

    rd_kafka_conf_destroy(conf);
    if (result == RD_KAFKA_CONF_UNKNOWN)
        (void)snprintf(why, size, "librdkafka %s has no such property", rd_kafka_version_str());
    return result == RD_KAFKA_CONF_OK;
}

bool sl_kafka_property_known(const char *name, char *why, size_t size)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_topic_conf_t *topic = rd_kafka_topic_conf_new();
    char value[512];
    size_t value_size = sizeof value;
    bool known = rd_kafka_conf_get(conf, name, value, &value_size) != RD_KAFKA_CONF_UNKNOWN;

    value_size = sizeof value;
    if (!known)
        known = rd_kafka_topic_conf_get(topic, name, value, &value_size) != RD_KAFKA_CONF_UNKNOWN;
    rd_kafka_topic_conf_destroy(topic);
    rd_kafka_conf_destroy(conf);
    if (!known)
        (void)snprintf(why, size, "librdkafka %s has no such property", rd_kafka_version_str());
    return known;
}
