/*
 * kafka_metadata.c -- questions to the cluster: its id, a topic's partitions, where a partition begins and ends.
 *
 * All of it blocks, so it is called from a thread beside the one that polls. One topic is asked for at a time: the
 * whole list of a big cluster is megabytes, and needs rights a reader of one topic does not have.
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

enum sl_err sl_kafka_in_partitions(struct sl_kafka_in *in, const char *topic, int timeout_ms,
                                   uint32_t *ret_count, struct sl_error *err)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_topic_t *handle = rd_kafka_topic_new(in->rk, topic, NULL);
    rd_kafka_resp_err_t code;

    if (!handle)
        return read_failure(rd_kafka_last_error(), topic, err);
    code = rd_kafka_metadata(in->rk, 0, handle, &metadata, timeout_ms);
    rd_kafka_topic_destroy(handle);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return read_failure(code, topic, err);
    code = metadata->topic_cnt == 1 ? metadata->topics[0].err : RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC;
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        *ret_count = (uint32_t)metadata->topics[0].partition_cnt;
    rd_kafka_metadata_destroy(metadata);
    return code == RD_KAFKA_RESP_ERR_NO_ERROR ? SL_OK : read_failure(code, topic, err);
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
