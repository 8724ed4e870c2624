/*
 * kafka_in.c -- the consumer: one event at a time, by value, so that nobody else knows librdkafka.
 *
 * A record's memory stays with librdkafka until the next poll: whoever keeps it longer copies it.
 * That costs one copy of each record, and buys an honest byte count: a kept record would pin the
 * whole fetch response it came in.
 *
 * What is decided here and cannot be configured: no automatic commits or stored offsets (positions
 * live in the index, or are committed by hand), read_committed, checksums checked, end-of-partition
 * events, and for documents auto.offset.reset=error, so that a hole in the log is seen instead of
 * skipped. Groups use the eager assignors: librdkafka before 2.10 loses assignments when committing
 * during a cooperative rebalance.
 *
 * Rejected: rd_kafka_consume_batch_queue() (loses records around pause and seek before 2.1),
 * rd_kafka_seek() (fails right after assigning; a partition stuck out of range stays stuck).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <sluice/limits.h>

#include "net/kafka_in.h"
#include "net/kafka_in_internal.h"
#include "net/kafka_login.h"

#define FETCH_BYTES     (16u << 20)
#define PARTITION_BYTES (256u << 10) /* of one partition in one response: what a pause throws away */

static void copy_text(char *to, size_t room, const char *from)
{
    snprintf(to, room, "%s", from ? from : "");
}

/* ------------------------------------------------------------------------------ groups */

static uint32_t list_of(const rd_kafka_topic_partition_list_t *from,
                        struct sl_kafka_partition **ret)
{
    struct sl_kafka_partition *list = calloc((size_t)from->cnt + 1, sizeof(*list));

    SL_INVARIANT(list != NULL);
    for (int i = 0; i < from->cnt; i++)
        list[i] = (struct sl_kafka_partition){from->elems[i].topic, from->elems[i].partition,
                                              from->elems[i].offset};
    *ret = list;
    return (uint32_t)from->cnt;
}

/* Always assigns or unassigns, whatever happened: a rebalance left unanswered hangs the close. */
static void on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t code,
                         rd_kafka_topic_partition_list_t *partitions, void *opaque)
{
    struct sl_kafka_watch *watch = opaque;
    struct sl_kafka_in *in = kafka_in_of(watch);
    struct sl_kafka_partition *list = NULL;
    uint32_t count = list_of(partitions, &list);

    if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        rd_kafka_resume_partitions(rk,
                                   partitions); /* a pause would survive into the new assignment */
        in->ops.assigned(in->ops.context, list, count);
        in->unassigned = rd_kafka_assign(rk, partitions);
    } else {
        in->ops.revoked(in->ops.context, list, count, rd_kafka_assignment_lost(rk) != 0);
        in->unassigned = rd_kafka_assign(rk, NULL);
    }
    free(list);
}

static void on_commit(rd_kafka_t *rk, rd_kafka_resp_err_t code,
                      rd_kafka_topic_partition_list_t *offsets, void *opaque)
{
    struct sl_kafka_in *in = kafka_in_of(opaque);
    struct sl_kafka_partition *list = NULL;
    struct sl_error err = {0};
    uint32_t count;

    (void)rk;
    for (int i = 0; offsets && code == RD_KAFKA_RESP_ERR_NO_ERROR && i < offsets->cnt; i++)
        code = offsets->elems[i].err;
    if (!offsets || code == RD_KAFKA_RESP_ERR__NO_OFFSET)
        return;
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        (void)kafka_again(&err, code, "commit");
    if (kafka_is_denied(code))
        (void)sl_fail(&err, SL_REJECT, "denied", "commit: %s", rd_kafka_err2str(code));
    count = list_of(offsets, &list);
    in->ops.committed(in->ops.context, list, count, &err);
    free(list);
}

/* ------------------------------------------------------------------------------ open and close */

static enum sl_err make_client(struct sl_kafka_in *in, rd_kafka_conf_t *conf, struct sl_error *err)
{
    char text[256];

    rd_kafka_conf_set_opaque(conf, &in->watch);
    if (in->ops.assigned)
        rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
    if (in->ops.committed)
        rd_kafka_conf_set_offset_commit_cb(conf, on_commit);
    in->rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof(text));
    if (!in->rk) {
        rd_kafka_conf_destroy(conf);
        return sl_stop(err, SL_EXIT_CONFIG, 0, "bad_property", "[kafka]: %s", text);
    }
    rd_kafka_poll_set_consumer(in->rk);
    kafka_login_open(in->rk);
    return SL_OK;
}

static void free_consumer(struct sl_kafka_in *in)
{
    for (uint32_t i = 0; i < in->topics_seen_count; i++)
        free(in->topics_seen[i]);
    free(in->topics_seen);
    pthread_mutex_destroy(&in->mutex);
    free(in);
}

/* Does the broker know who we are? */
static bool is_guarded(const struct sl_config *config)
{
    const char *protocol = sl_kafka_property(config, "security.protocol");

    return protocol && strcasecmp(protocol, "plaintext") != 0;
}

enum sl_err sl_kafka_in_open(const struct sl_config *config,
                             const struct sl_kafka_in_options *options, struct sl_kafka_in **ret_in,
                             struct sl_error *err)
{
    bool group = options->ops != NULL;
    uint32_t bytes = options->fetch_bytes ? options->fetch_bytes : FETCH_BYTES;
    char queue_kbytes[16], fetch_bytes[16], partition_bytes[16];
    struct kafka_property owned[] = {
        {"group.id", options->group_id},
        {"enable.auto.commit", "false"},
        {"enable.auto.offset.store", "false"},
        {"enable.partition.eof", "true"},
        {"isolation.level", "read_committed"},
        {"check.crcs", "true"},
        {"queued.max.messages.kbytes", queue_kbytes},
        {"fetch.max.bytes", fetch_bytes},
        {"message.max.bytes", fetch_bytes}, /* a producer's; but checked against fetch.max.bytes */
        {"fetch.message.max.bytes", partition_bytes},
        {"allow.auto.create.topics", "false"},
        {"auto.offset.reset", group ? "earliest" : "error"},
        {"partition.assignment.strategy", "range,roundrobin"},
        /* Without a group the session is how long a commit waits for a coordinator: a close waits, too. */
        {group ? "group.instance.id" : "session.timeout.ms", group ? options->instance_id : "6000"},
    };
    size_t count = sizeof(owned) / sizeof(*owned) - (group && !options->instance_id ? 1 : 0);
    struct sl_kafka_in *in = calloc(1, sizeof(*in));
    rd_kafka_conf_t *conf = NULL;
    enum sl_err r;

    SL_PRE(options->group_id && options->group_id[0]);
    snprintf(queue_kbytes, sizeof(queue_kbytes), "%u", bytes >> 10);
    snprintf(fetch_bytes, sizeof(fetch_bytes), "%u", bytes);
    snprintf(partition_bytes, sizeof(partition_bytes), "%u",
             bytes < PARTITION_BYTES ? bytes : PARTITION_BYTES);
    if (!in)
        return sl_stop(err, SL_EXIT_OS, 0, "memory", "no memory for a consumer");
    pthread_mutex_init(&in->mutex, NULL);
    if (options->watch)
        in->watch = *options->watch;
    in->asks_by_name = is_guarded(config);
    if (group)
        in->ops = *options->ops;
    r = kafka_conf_make(config, RD_KAFKA_CONSUMER, owned, count, &in->watch, &conf, err);
    if (r == SL_OK)
        r = make_client(in, conf, err);
    if (r != SL_OK) {
        free_consumer(in);
        return r;
    }
    *ret_in = in;
    return SL_OK;
}

static void drop_event(struct sl_kafka_in *in)
{
    if (in->current)
        rd_kafka_message_destroy(in->current);
    in->current = NULL;
    free(in->headers);
    in->headers = NULL;
}

struct sl_kafka_in *sl_kafka_in_close(struct sl_kafka_in *in)
{
    if (!in)
        return NULL;
    drop_event(in); /* a record kept makes the close hang */
    rd_kafka_consumer_close(in->rk);
    in->watch = (struct sl_kafka_watch){0}; /* who listened may be gone before the client is */
    if (kafka_destroy(in->rk))
        free_consumer(in);
    return NULL;
}

/* ------------------------------------------------------------------------------ events */

static struct sl_header *headers_of(const rd_kafka_message_t *record, uint32_t *ret_count)
{
    rd_kafka_headers_t *headers = NULL;
    struct sl_header *list;
    size_t count, n = 0;

    *ret_count = 0;
    if (rd_kafka_message_headers(record, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return NULL;
    count = rd_kafka_header_cnt(headers);
    list = calloc(count + 1, sizeof(*list));
    SL_INVARIANT(list != NULL);
    for (const char *name; n < count; n++) {
        const void *value;
        size_t size;

        if (rd_kafka_header_get_all(headers, n, &name, &value, &size) != RD_KAFKA_RESP_ERR_NO_ERROR)
            break;
        list[n] = (struct sl_header){sl_view_of(name), {value, value ? size : 0}};
    }
    *ret_count = (uint32_t)n;
    return list;
}

/* An empty key or value is there; a null one is not. librdkafka tells them apart by the pointer
 * alone. */
static struct sl_view bytes_of(const void *data, size_t size)
{
    return (struct sl_view){data, data ? size : 0};
}

static void read_record(struct sl_kafka_in *in, struct sl_kafka_event *event)
{
    const rd_kafka_message_t *record = in->current;
    rd_kafka_timestamp_type_t type;
    int64_t timestamp = rd_kafka_message_timestamp(record, &type);
    uint32_t count;

    in->headers = headers_of(record, &count);
    event->type = SL_KAFKA_RECORD;
    event->message = (struct sl_message){
        .topic = sl_view_of(event->topic),
        .partition = record->partition,
        .offset = record->offset,
        .timestamp_ms = type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE ? -1 : timestamp,
        .key = bytes_of(record->key, record->key_len),
        .value = bytes_of(record->payload, record->len),
        .headers = in->headers,
        .header_count = count,
    };
}

static enum sl_kafka_event_type type_of(rd_kafka_resp_err_t code)
{
    switch (code) {
    case RD_KAFKA_RESP_ERR__PARTITION_EOF:
        return SL_KAFKA_EOF;
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
        return SL_KAFKA_OUT_OF_RANGE;
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
        return SL_KAFKA_DOWN;
    case RD_KAFKA_RESP_ERR__FATAL:
    case RD_KAFKA_RESP_ERR__FENCED:
    case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
        return SL_KAFKA_FATAL;
    default:
        if (kafka_is_denied(code))
            return code == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED ? SL_KAFKA_GROUP_DENIED
                                                                        : SL_KAFKA_DENIED;
        return kafka_is_no_topic(code) ? SL_KAFKA_NO_TOPIC : SL_KAFKA_ERROR;
    }
}

static void read_error(struct sl_kafka_in *in, struct sl_kafka_event *event)
{
    const rd_kafka_message_t *record = in->current;

    event->type = type_of(record->err);
    event->code = record->err;
    event->code_name = rd_kafka_err2name(record->err);
    copy_text(event->text, sizeof(event->text), rd_kafka_message_errstr(record));
    if (event->type == SL_KAFKA_FATAL)
        rd_kafka_fatal_error(in->rk, event->text, sizeof(event->text));
}

void sl_kafka_in_poll(struct sl_kafka_in *in, int timeout_ms, struct sl_kafka_event *ret_event)
{
    struct sl_kafka_event event = {
        .type = SL_KAFKA_NOTHING, .offset = -1, .partition = -1, .code_name = ""};

    drop_event(in);
    in->current = rd_kafka_consumer_poll(in->rk, timeout_ms);
    if (in->current) {
        event.topic = in->current->rkt ? rd_kafka_topic_name(in->current->rkt) : NULL;
        event.partition = in->current->partition;
        event.offset = in->current->offset;
        if (in->current->err)
            read_error(in, &event);
        else
            read_record(in, &event);
    }
    if (in->unassigned != RD_KAFKA_RESP_ERR_NO_ERROR) {
        event.type = SL_KAFKA_FATAL;
        event.code = in->unassigned;
        event.code_name = rd_kafka_err2name(in->unassigned);
        copy_text(event.text, sizeof(event.text), "an assignment could not be taken over");
    }
    *ret_event = event;
}

/* ----------------------------------------------------------------------- assignment and offsets */

static rd_kafka_topic_partition_list_t *kafka_list(const struct sl_kafka_partition *list,
                                                   uint32_t count)
{
    rd_kafka_topic_partition_list_t *made = rd_kafka_topic_partition_list_new((int)count);

    for (uint32_t i = 0; i < count; i++) {
        rd_kafka_topic_partition_list_add(made, list[i].topic, list[i].partition);
        made->elems[i].offset = list[i].offset;
    }
    return made;
}

static enum sl_err stop_of(rd_kafka_error_t *error, const char *what, struct sl_error *err)
{
    enum sl_err r;

    if (!error)
        return SL_OK;
    r = sl_stop(err, SL_EXIT_SOFTWARE, rd_kafka_error_code(error), "kafka", "%s: %s", what,
                rd_kafka_error_string(error));
    rd_kafka_error_destroy(error);
    return r;
}

enum sl_err sl_kafka_in_subscribe(struct sl_kafka_in *in, char *const *topics, uint32_t count,
                                  struct sl_error *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    rd_kafka_resp_err_t code;

    for (uint32_t i = 0; i < count; i++)
        rd_kafka_topic_partition_list_add(list, topics[i], RD_KAFKA_PARTITION_UA);
    code = rd_kafka_subscribe(in->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        return SL_OK;
    return sl_stop(err, SL_EXIT_SOFTWARE, code, "kafka", "subscribe: %s", rd_kafka_err2str(code));
}

enum sl_err sl_kafka_in_assign(struct sl_kafka_in *in, const struct sl_kafka_partition *list,
                               uint32_t count, struct sl_error *err)
{
    rd_kafka_topic_partition_list_t *made = kafka_list(list, count);
    enum sl_err r;

    rd_kafka_resume_partitions(in->rk, made);
    r = stop_of(rd_kafka_incremental_assign(in->rk, made), "assign", err);
    rd_kafka_topic_partition_list_destroy(made);
    return r;
}

enum sl_err sl_kafka_in_unassign(struct sl_kafka_in *in, const struct sl_kafka_partition *list,
                                 uint32_t count, struct sl_error *err)
{
    rd_kafka_topic_partition_list_t *made = kafka_list(list, count);
    enum sl_err r = stop_of(rd_kafka_incremental_unassign(in->rk, made), "unassign", err);

    rd_kafka_topic_partition_list_destroy(made);
    return r;
}

static enum sl_err list_result(rd_kafka_topic_partition_list_t *made, rd_kafka_resp_err_t code,
                               const char *what, struct sl_error *err)
{
    for (int i = 0; code == RD_KAFKA_RESP_ERR_NO_ERROR && i < made->cnt; i++)
        code = made->elems[i].err;
    rd_kafka_topic_partition_list_destroy(made);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        return SL_OK;
    return sl_fail(err, SL_REJECT, "kafka", "%s: %s", what, rd_kafka_err2str(code));
}

enum sl_err sl_kafka_in_pause(struct sl_kafka_in *in, const struct sl_kafka_partition *list,
                              uint32_t count, struct sl_error *err)
{
    rd_kafka_topic_partition_list_t *made = kafka_list(list, count);

    return list_result(made, rd_kafka_pause_partitions(in->rk, made), "pause", err);
}

enum sl_err sl_kafka_in_resume(struct sl_kafka_in *in, const struct sl_kafka_partition *list,
                               uint32_t count, struct sl_error *err)
{
    rd_kafka_topic_partition_list_t *made = kafka_list(list, count);

    return list_result(made, rd_kafka_resume_partitions(in->rk, made), "resume", err);
}

enum sl_err sl_kafka_in_commit(struct sl_kafka_in *in, const struct sl_kafka_partition *list,
                               uint32_t count, bool wait, struct sl_error *err)
{
    rd_kafka_topic_partition_list_t *made = kafka_list(list, count);
    rd_kafka_resp_err_t code = rd_kafka_commit(in->rk, made, wait ? 0 : 1);

    rd_kafka_topic_partition_list_destroy(made);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        return SL_OK;
    return kafka_again(err, code, "commit");
}
