/*
 * kafka_metadata.c -- questions to the cluster: its id, a topic's partitions, where a partition
 * begins and ends.
 *
 * All of it blocks, so it is called from a thread beside the one that polls. A topic that was seen
 * once is asked for by name: the whole list of a big cluster is megabytes. One that was not is
 * looked for in that list, because a broker may create a topic merely because it is asked for by
 * name, with a number of partitions nobody chose (old brokers and librdkafka's mock do, whatever
 * allow.auto.create.topics says). A list holds only what this user may see, though: where users are
 * told apart, only the name gets an answer that says so, and brokers like that do obey.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/kafka_in_internal.h"

bool sl_kafka_in_watermarks(struct sl_kafka_in *in, const char *topic, int32_t partition,
                            int64_t *ret_low, int64_t *ret_high)
{
    int64_t low, high;

    if (rd_kafka_get_watermark_offsets(in->rk, topic, partition, &low, &high) !=
            RD_KAFKA_RESP_ERR_NO_ERROR ||
        high < 0)
        return false;
    *ret_low = low;
    *ret_high = high;
    return true;
}

enum sl_err sl_kafka_in_cluster_id(struct sl_kafka_in *in, int timeout_ms, char *ret_id,
                                   struct sl_error *err)
{
    char *id = rd_kafka_clusterid(in->rk, timeout_ms);

    if (!id)
        return sl_fail(err, SL_AGAIN, "kafka", "the cluster has not told its id yet");
    snprintf(ret_id, 128, "%s", id);
    rd_kafka_mem_free(in->rk, id);
    return SL_OK;
}

static enum sl_err read_failure(rd_kafka_resp_err_t code, const char *topic, struct sl_error *err)
{
    if (kafka_is_no_topic(code))
        return sl_fail(err, SL_REJECT, "no_topic", "the cluster has no topic %s", topic);
    if (kafka_is_denied(code))
        return sl_fail(err, SL_REJECT, "denied", "not allowed to see topic %s", topic);
    return kafka_again(err, code, topic);
}

/* ------------------------------------------------------------------------------ topics */

static bool was_seen(struct sl_kafka_in *in, const char *topic)
{
    bool seen = false;

    pthread_mutex_lock(&in->mutex);
    for (uint32_t i = 0; i < in->topics_seen_count; i++)
        seen |= strcmp(in->topics_seen[i], topic) == 0;
    pthread_mutex_unlock(&in->mutex);
    return seen;
}

static void note_seen(struct sl_kafka_in *in, const char *topic)
{
    char **grown;

    if (was_seen(in, topic))
        return;
    pthread_mutex_lock(&in->mutex);
    grown = realloc(in->topics_seen, (in->topics_seen_count + 1) * sizeof(char *));
    SL_INVARIANT(grown != NULL);
    in->topics_seen = grown;
    in->topics_seen[in->topics_seen_count++] = strdup(topic);
    pthread_mutex_unlock(&in->mutex);
}

/* One topic's metadata by name; or, for a topic not seen yet, out of the list of all: see above. */
static rd_kafka_resp_err_t ask_metadata(struct sl_kafka_in *in, const char *topic, int timeout_ms,
                                        const struct rd_kafka_metadata **ret)
{
    rd_kafka_topic_t *handle;
    rd_kafka_resp_err_t code;

    if (!in->asks_by_name && !was_seen(in, topic))
        return rd_kafka_metadata(in->rk, 1, NULL, ret, timeout_ms);
    handle = rd_kafka_topic_new(in->rk, topic, NULL);
    if (!handle)
        return rd_kafka_last_error();
    code = rd_kafka_metadata(in->rk, 0, handle, ret, timeout_ms);
    rd_kafka_topic_destroy(handle);
    return code;
}

enum sl_err sl_kafka_in_partitions(struct sl_kafka_in *in, const char *topic, int timeout_ms,
                                   uint32_t *ret_count, struct sl_error *err)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_resp_err_t code = ask_metadata(in, topic, timeout_ms, &metadata);

    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return read_failure(code, topic, err);
    code = RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC;
    for (int i = 0; i < metadata->topic_cnt; i++) {
        const struct rd_kafka_metadata_topic *found = &metadata->topics[i];

        if (strcmp(found->topic, topic) != 0)
            continue;
        code = found->err;
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
            *ret_count = (uint32_t)found->partition_cnt;
    }
    rd_kafka_metadata_destroy(metadata);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return read_failure(code, topic, err);
    note_seen(in, topic);
    return SL_OK;
}

enum sl_err sl_kafka_in_query(struct sl_kafka_in *in, const char *topic, int32_t partition,
                              int timeout_ms, int64_t *ret_low, int64_t *ret_high,
                              struct sl_error *err)
{
    int64_t low = -1, high = -1;
    rd_kafka_resp_err_t code =
        rd_kafka_query_watermark_offsets(in->rk, topic, partition, &low, &high, timeout_ms);

    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return read_failure(code, topic, err);
    *ret_low = low;
    *ret_high = high;
    return SL_OK;
}
