/*
 * replies.c -- the reply headers of Spring for Apache Kafka and of SmallRye Reactive Messaging.
 *
 * A question may name any topic; only those the configuration lists are written to, for otherwise
 * whoever can ask could write anywhere the daemon may (__consumer_offsets, the documents). Names
 * are compared as bytes, so a topic with a NUL or a line feed in it matches nothing.
 */
#include "daemon/replies.h"

#include <sluice/limits.h>

static const char *const topic_headers[] = {"kafka_replyTopic", "REPLY_TOPIC"};
static const char *const partition_headers[] = {"kafka_replyPartition", "REPLY_PARTITION"};
static const char *const echoed_headers[] = {"kafka_correlationId", "REPLY_CORRELATION_ID",
                                             "traceparent"};

static struct sl_view first_header(const struct sl_message *question, const char *const names[2])
{
    struct sl_view value = sl_message_header(question, names[0]);

    return value.data ? value : sl_message_header(question, names[1]);
}

static const char *allowed_topic(struct sl_view name, const char *answers_topic,
                                 const struct sl_config_list *allowed)
{
    if (sl_view_is(name, answers_topic))
        return answers_topic;
    for (uint32_t i = 0; i < allowed->count; i++)
        if (sl_view_is(name, allowed->items[i]))
            return allowed->items[i];
    return NULL;
}

static bool all_digits(struct sl_view text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
    return text.size > 0 && text.size < 10;
}

/* No partition has a number whose four bytes are all digits: it would be above 800 million. */
static int32_t partition_of(struct sl_view value)
{
    uint32_t number = 0;

    if (all_digits(value)) {
        for (size_t i = 0; i < value.size; i++)
            number = number * 10 + (uint32_t)(value.data[i] - '0');
        return (int32_t)number;
    }
    if (value.size != 4)
        return -1;
    for (size_t i = 0; i < 4; i++)
        number = number << 8 | (uint8_t)value.data[i];
    return number <= INT32_MAX ? (int32_t)number : -1;
}

void sl_reply_target(const struct sl_message *question, const char *answers_topic,
                     const struct sl_config_list *allowed, struct sl_reply_target *ret)
{
    struct sl_view wanted = first_header(question, topic_headers);
    const char *topic;

    *ret = (struct sl_reply_target){answers_topic, -1, false};
    if (wanted.data) {
        topic = allowed_topic(wanted, answers_topic, allowed);
        if (!topic) {
            ret->not_allowed = true;
            return;
        }
        ret->topic = topic;
    }
    ret->partition = partition_of(first_header(question, partition_headers));
}

struct sl_header *sl_reply_headers(const struct sl_message *question, struct sl_view id,
                                   struct sl_view status, struct sl_arena *arena,
                                   uint32_t *ret_count)
{
    const uint32_t echoed = sizeof(echoed_headers) / sizeof(*echoed_headers);
    struct sl_header *headers = SL_NEW_ARRAY(arena, struct sl_header, 3 + echoed);
    uint32_t count = 0;

    if (!headers)
        return NULL;
    headers[count++] = (struct sl_header){SL_VIEW("sluice-answer-id"), id};
    headers[count++] = (struct sl_header){SL_VIEW("sluice-status"), status};
    headers[count++] = (struct sl_header){SL_VIEW("content-type"), SL_VIEW("application/json")};
    for (uint32_t i = 0; i < echoed; i++) {
        struct sl_view value = sl_message_header(question, echoed_headers[i]);

        if (value.data && value.size > SL_CORRELATION_BYTES_MAX)
            value.size = SL_CORRELATION_BYTES_MAX;
        if (value.data)
            headers[count++] = (struct sl_header){sl_view_of(echoed_headers[i]), value};
    }
    *ret_count = count;
    return headers;
}
