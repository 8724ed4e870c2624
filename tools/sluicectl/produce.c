/*
 * produce.c -- a producer that knows what became of each record.
 *
 * "Sent" means nothing until the broker has said so: every record carries its name as tag and is
 * counted when its report comes. To wait until documents are searchable the daemon is asked for its
 * positions, which move in the same transaction as the documents they account for.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sluice/decode.h>

#include "control_client.h"
#include "produce.h"

#define FAILURES_SHOWN 20u

struct ctl_producer {
    const struct ctl *ctl;
    struct sl_kafka_out *out;
    uint32_t timeout_ms;
    uint64_t delivered;
    uint64_t failed;
    bool abandoned; /* what is still queued was told as not delivered already */
    struct ctl_written *written;
    uint32_t written_count;
    char topic[256]; /* of all records */
    int64_t set_aside, set_aside_before; /* by the daemon, of this topic, since it started */
};

static void note_written(struct ctl_producer *producer, int32_t partition, int64_t offset)
{
    struct ctl_written *written;

    for (uint32_t i = 0; i < producer->written_count; i++) {
        written = &producer->written[i];
        if (written->partition == partition) {
            if (offset > written->offset)
                written->offset = offset;
            return;
        }
    }
    written =
        reallocarray(producer->written, (size_t)producer->written_count + 1, sizeof(*written));
    if (written == NULL)
        return;
    producer->written = written;
    written[producer->written_count++] = (struct ctl_written){producer->topic, partition, offset};
}

static void tell_failed(struct ctl_producer *producer, const char *name, const char *why)
{
    if (producer->failed++ < FAILURES_SHOWN)
        ctl_fail(producer->ctl, SL_EXIT_UNAVAILABLE, "%s: not delivered to topic '%s': %s", name,
                 producer->topic, why);
}

static void on_report(void *context, const struct sl_kafka_report *report)
{
    struct ctl_producer *producer = context;

    if (report->result == SL_SENT_OK) {
        producer->delivered++;
        note_written(producer, report->partition, report->offset);
    } else if (!producer->abandoned) {
        tell_failed(producer, report->tag, report->code_name);
    }
    free(report->tag);
}

int ctl_producer_open(const struct ctl *ctl, uint32_t timeout_ms,
                      struct ctl_producer **ret_producer)
{
    struct ctl_producer *producer = calloc(1, sizeof(*producer));
    struct sl_error err = {0};

    if (producer == NULL)
        return ctl_fail(ctl, SL_EXIT_OS, "no memory for a producer");
    producer->ctl = ctl;
    producer->timeout_ms = timeout_ms;
    if (sl_kafka_out_open(ctl->config, NULL, on_report, producer, &producer->out, &err) != SL_OK) {
        free(producer);
        return ctl_fail_error(ctl, &err, SL_EXIT_CONFIG);
    }
    *ret_producer = producer;
    return SL_EXIT_OK;
}

struct ctl_producer *ctl_producer_close(struct ctl_producer *producer)
{
    if (producer != NULL) {
        sl_kafka_out_close(producer->out);
        free(producer->written);
        free(producer);
    }
    return NULL;
}

int ctl_producer_send(struct ctl_producer *producer, const struct sl_kafka_send *send,
                      const char *name)
{
    double deadline = ctl_seconds() + producer->timeout_ms / 1000.0;
    struct sl_kafka_send record = *send;
    struct sl_error err = {0};
    enum sl_err result;

    snprintf(producer->topic, sizeof(producer->topic), "%s", send->topic);
    record.tag = strdup(name);
    if (record.tag == NULL)
        return ctl_fail(producer->ctl, SL_EXIT_OS, "no memory for a record");
    while ((result = sl_kafka_out_send(producer->out, &record, &err)) == SL_AGAIN &&
           ctl_seconds() < deadline)
        sl_kafka_out_poll(producer->out, 100);
    if (result == SL_OK) {
        sl_kafka_out_poll(producer->out, 0);
        return SL_EXIT_OK;
    }
    free(record.tag);
    if (result == SL_REJECT) {
        tell_failed(producer, name, err.message);
        return SL_EXIT_OK;
    }
    if (result == SL_AGAIN)
        return ctl_fail(producer->ctl, SL_EXIT_UNAVAILABLE, "%s: Kafka takes no more records: %s",
                        name, err.message);
    return ctl_fail_error(producer->ctl, &err, SL_EXIT_UNAVAILABLE);
}

int ctl_producer_finish(struct ctl_producer *producer)
{
    struct sl_error err = {0};
    uint32_t waiting;

    if (sl_kafka_out_flush(producer->out, (int)producer->timeout_ms, &err) != SL_OK) {
        waiting = sl_kafka_out_waiting(producer->out);
        producer->failed += waiting;
        producer->abandoned = true;
        return ctl_fail(
            producer->ctl, SL_EXIT_UNAVAILABLE,
            "%u records not delivered within %u s: is a broker reachable? (bootstrap.servers = %s)",
            waiting, producer->timeout_ms / 1000,
            sl_kafka_property(producer->ctl->config, "bootstrap.servers"));
    }
    return producer->failed > 0 ? SL_EXIT_UNAVAILABLE : SL_EXIT_OK;
}

uint64_t ctl_producer_delivered(const struct ctl_producer *producer)
{
    return producer->delivered;
}

uint64_t ctl_producer_failed(const struct ctl_producer *producer)
{
    return producer->failed;
}

/* Is everything written to this partition in the index, by the daemon's status? */
static bool is_indexed(const cJSON *status, const struct ctl_written *written)
{
    const cJSON *partition;

    cJSON_ArrayForEach(partition, cJSON_GetObjectItemCaseSensitive(status, "partitions"))
    {
        const cJSON *number = cJSON_GetObjectItemCaseSensitive(partition, "partition");
        const cJSON *next = cJSON_GetObjectItemCaseSensitive(partition, "next_offset");

        if (sl_view_is(ctl_json_text(partition, "topic"), written->topic) &&
            cJSON_IsNumber(number) && (int32_t)number->valuedouble == written->partition)
            return cJSON_IsNumber(next) && next->valuedouble > (double)written->offset;
    }
    return false;
}

static int64_t set_aside_of(const cJSON *status, const char *topic)
{
    const cJSON *partition;
    int64_t sum = 0;

    cJSON_ArrayForEach(partition, cJSON_GetObjectItemCaseSensitive(status, "partitions"))
    {
        const cJSON *count = cJSON_GetObjectItemCaseSensitive(partition, "set_aside");

        if (sl_view_is(ctl_json_text(partition, "topic"), topic) && cJSON_IsNumber(count))
            sum += (int64_t)count->valuedouble;
    }
    return sum;
}

static enum sl_err ask_positions(struct ctl_producer *producer, bool *ret_indexed,
                                 struct sl_error *err)
{
    struct sl_buffer answer = {0};
    cJSON *status = NULL;
    enum sl_err result = ctl_control_ask(producer->ctl->config, "status", &answer, err);

    if (result != SL_OK)
        return result;
    result = sl_json_parse((struct sl_view){answer.data, answer.size}, &status, err);
    *ret_indexed = result == SL_OK;
    for (uint32_t i = 0; result == SL_OK && i < producer->written_count; i++)
        *ret_indexed &= is_indexed(status, &producer->written[i]);
    producer->set_aside = set_aside_of(status, producer->topic);
    cJSON_Delete(status);
    sl_buffer_fini(&answer);
    return result;
}

void ctl_producer_look(struct ctl_producer *producer, const char *topic)
{
    struct sl_error err = {0};
    bool ignored;

    snprintf(producer->topic, sizeof(producer->topic), "%s", topic);
    (void)ask_positions(producer, &ignored, &err);
    producer->set_aside_before = producer->set_aside;
}

int ctl_producer_wait_searchable(struct ctl_producer *producer)
{
    const struct timespec pause = {.tv_nsec = 50000000};
    double deadline = ctl_seconds() + producer->timeout_ms / 1000.0;
    struct sl_error err = {0};
    bool indexed = false;

    while (!indexed) {
        if (ask_positions(producer, &indexed, &err) != SL_OK)
            return ctl_fail(producer->ctl, SL_EXIT_UNAVAILABLE,
                            "delivered, but whether it is searchable cannot be seen: %s",
                            err.message);
        if (!indexed && ctl_seconds() > deadline)
            return ctl_fail(producer->ctl, SL_EXIT_UNAVAILABLE,
                            "delivered, but not searchable within %u s",
                            producer->timeout_ms / 1000);
        if (!indexed)
            nanosleep(&pause, NULL);
    }
    if (producer->set_aside > producer->set_aside_before)
        return ctl_fail(producer->ctl, SL_EXIT_DATA,
                        "%lld records of topic %s could not be used and became dead letters "
                        "meanwhile (topic %s says why); the others are searchable",
                        (long long)(producer->set_aside - producer->set_aside_before),
                        producer->topic, producer->ctl->config->documents.dead_letter_topic);
    return SL_EXIT_OK;
}
