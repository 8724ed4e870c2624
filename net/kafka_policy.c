/*
 * kafka_policy.c -- what the broker does with a topic's old records: DescribeConfigs.
 *
 * Whether a document may be deleted because its topic does not hold it any more hangs on the answer, so
 * whatever is not clearly "compact" and nothing else is not compacted.
 */
#include <stdlib.h>
#include <string.h>

#include "net/kafka_in_internal.h"

static const char *value_of(const rd_kafka_ConfigResource_t *resource, const char *name)
{
    size_t count = 0;
    const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(resource, &count);

    for (size_t i = 0; i < count; i++)
        if (strcmp(rd_kafka_ConfigEntry_name(entries[i]), name) == 0)
            return rd_kafka_ConfigEntry_value(entries[i]);
    return NULL;
}

static enum sl_err refusal(rd_kafka_resp_err_t code, const char *text, const char *topic,
                           struct sl_error *err)
{
    if (kafka_is_no_topic(code))
        return sl_fail(err, SL_REJECT, "no_topic", "the cluster has no topic %s", topic);
    if (kafka_is_denied(code) || code == RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE)
        return sl_fail(err, SL_REJECT, "denied", "the settings of topic %s cannot be read: %s",
                       topic, text ? text : rd_kafka_err2str(code));
    return kafka_again(err, code, topic);
}

static enum sl_err read_result(rd_kafka_event_t *event, const char *topic,
                               struct sl_topic_policy *ret, struct sl_error *err)
{
    const rd_kafka_DescribeConfigs_result_t *result;
    const rd_kafka_ConfigResource_t **resources;
    const char *policy, *retention;
    size_t count = 0;

    if (!event)
        return kafka_again(err, RD_KAFKA_RESP_ERR__TIMED_OUT, topic);
    if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return refusal(rd_kafka_event_error(event), rd_kafka_event_error_string(event), topic, err);
    result = rd_kafka_event_DescribeConfigs_result(event);
    resources = rd_kafka_DescribeConfigs_result_resources(result, &count);
    if (count != 1)
        return kafka_again(err, RD_KAFKA_RESP_ERR__BAD_MSG, topic);
    if (rd_kafka_ConfigResource_error(resources[0]) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return refusal(rd_kafka_ConfigResource_error(resources[0]),
                       rd_kafka_ConfigResource_error_string(resources[0]), topic, err);
    policy = value_of(resources[0], "cleanup.policy");
    retention = value_of(resources[0], "delete.retention.ms");
    *ret = (struct sl_topic_policy){
        .is_compact = policy && strcmp(policy, "compact") == 0,
        .tombstones_ms = retention ? strtoll(retention, NULL, 10) : -1,
    };
    return SL_OK;
}

/*
 * librdkafka sends the question to the controller and waits for it to appear, also for one that no
 * broker of the cluster is (its own mock cluster names such a one).
 */
static enum sl_err find_controller(struct sl_kafka_in *in, const char *topic, int timeout_ms,
                                   struct sl_error *err)
{
    const struct rd_kafka_metadata *metadata = NULL;
    int32_t controller = rd_kafka_controllerid(in->rk, timeout_ms);
    rd_kafka_resp_err_t code = rd_kafka_metadata(in->rk, 0, NULL, &metadata, timeout_ms);
    bool found = false;

    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return kafka_again(err, code, topic);
    for (int i = 0; i < metadata->broker_cnt; i++)
        found |= metadata->brokers[i].id == controller;
    rd_kafka_metadata_destroy(metadata);
    return found ? SL_OK
                 : sl_fail(err, SL_REJECT, "denied",
                           "the settings of topic %s cannot be read: the cluster has no controller",
                           topic);
}

enum sl_err sl_kafka_in_policy(struct sl_kafka_in *in, const char *topic, int timeout_ms,
                               struct sl_topic_policy *ret_policy, struct sl_error *err)
{
    rd_kafka_ConfigResource_t *resource;
    rd_kafka_AdminOptions_t *options;
    rd_kafka_queue_t *queue;
    rd_kafka_event_t *event;
    enum sl_err r = find_controller(in, topic, timeout_ms, err);

    if (r != SL_OK)
        return r;
    resource = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);
    options = rd_kafka_AdminOptions_new(in->rk, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
    queue = rd_kafka_queue_new(in->rk);
    SL_INVARIANT(resource && options && queue);
    rd_kafka_AdminOptions_set_request_timeout(options, timeout_ms, NULL, 0);
    rd_kafka_DescribeConfigs(in->rk, &resource, 1, options, queue);
    event = rd_kafka_queue_poll(queue, timeout_ms + 1000);
    r = read_result(event, topic, ret_policy, err);
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_ConfigResource_destroy(resource);
    return r;
}
