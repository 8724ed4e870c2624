/*
 * kafka_out.c -- the producer: one record in, one report out.
 *
 * Idempotent with acks=all, so that librdkafka's own repetitions neither lose, double nor reorder a
 * record. What it gives up on is reported with the one question that matters: may the record be in
 * the log all the same? A timeout often means yes; the sender decides, and deterministic ids make
 * sending again harmless.
 *
 * Unless the configuration names one, the partitioner is murmur2_random, which is Java's: all who
 * write a topic must agree on it, or versions of one document end up in two partitions. (kcat's own
 * default is another one: give it -X partitioner=murmur2_random when both write the same
 * documents.)
 *
 * Rejected: rd_kafka_produce() per topic handle; producev looks topics up itself and takes headers
 * and timestamps.
 */
#include <stdlib.h>

#include <sluice/limits.h>

#include "net/kafka_login.h"
#include "net/kafka_out_internal.h"
#include "net/kafka_transaction.h"

static enum sl_sent sent_of(rd_kafka_resp_err_t code)
{
    switch (code) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
        return SL_SENT_OK;
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
        return SL_SENT_TOO_LARGE;
    case RD_KAFKA_RESP_ERR__FATAL:
    case RD_KAFKA_RESP_ERR__FENCED:
        return SL_SENT_FATAL;
    default:
        if (kafka_is_no_topic(code))
            return SL_SENT_NO_TOPIC;
        return kafka_is_denied(code) ? SL_SENT_DENIED : SL_SENT_FAILED;
    }
}

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    struct sl_kafka_watch *watch = opaque;
    struct sl_kafka_out *out =
        (struct sl_kafka_out *)((char *)watch - offsetof(struct sl_kafka_out, watch));
    char text[8];
    struct sl_kafka_report report = {
        .result = sent_of(message->err),
        .maybe_stored = rd_kafka_message_status(message) != RD_KAFKA_MSG_STATUS_NOT_PERSISTED,
        .partition = message->partition,
        .offset = message->err ? -1 : message->offset,
        .code_name = message->err ? rd_kafka_err2name(message->err) : "",
        .tag = message->_private,
    };

    if (report.result != SL_SENT_OK && rd_kafka_fatal_error(rk, text, sizeof(text)))
        report.result = SL_SENT_FATAL;
    if (out->report)
        out->report(out->context, &report);
}

static enum sl_err make_client(struct sl_kafka_out *out, rd_kafka_conf_t *conf,
                               struct sl_error *err)
{
    char text[256];

    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_conf_set_opaque(conf, &out->watch);
    out->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
    if (out->rk) {
        kafka_login_open(out->rk);
        return SL_OK;
    }
    rd_kafka_conf_destroy(conf);
    return sl_stop(err, SL_EXIT_CONFIG, 0, "bad_property", "[kafka]: %s", text);
}

#define TEXT_OF_(number) #number
#define TEXT_OF(number)  TEXT_OF_(number)

enum sl_err sl_kafka_out_open_transactional(const struct sl_config *config,
                                            const char *transactional_id,
                                            const struct sl_kafka_watch *watch,
                                            sl_kafka_report_fn report, void *context,
                                            struct sl_kafka_out **ret_out, struct sl_error *err)
{
    struct kafka_property owned[6] = {{"enable.idempotence", "true"}, {"acks", "all"}};
    size_t count = 2;
    struct sl_kafka_out *out = calloc(1, sizeof(*out));
    rd_kafka_conf_t *conf = NULL;
    enum sl_err r;

    if (!out)
        return sl_stop(err, SL_EXIT_OS, 0, "memory", "no memory for a producer");
    if (!sl_kafka_property(config, "partitioner"))
        owned[count++] = (struct kafka_property){"partitioner", "murmur2_random"};
    /* A record waits as long as its broker is away: what the client gave up on might be in the log all the same. */
    if (!transactional_id && !sl_kafka_property(config, "message.timeout.ms") &&
        !sl_kafka_property(config, "delivery.timeout.ms"))
        owned[count++] = (struct kafka_property){"message.timeout.ms", "0"};
    if (transactional_id) {
        owned[count++] = (struct kafka_property){"transactional.id", transactional_id};
        owned[count++] = (struct kafka_property){"transaction.timeout.ms",
                                                 TEXT_OF(SL_KAFKA_TRANSACTION_MS)};
    }
    out->report = report;
    out->context = context;
    if (watch)
        out->watch = *watch;
    r = kafka_conf_make(config, RD_KAFKA_PRODUCER, owned, count, &out->watch, &conf, err);
    if (r == SL_OK)
        r = make_client(out, conf, err);
    if (r != SL_OK) {
        free(out);
        return r;
    }
    *ret_out = out;
    return SL_OK;
}

enum sl_err sl_kafka_out_open(const struct sl_config *config, const struct sl_kafka_watch *watch,
                              sl_kafka_report_fn report, void *context,
                              struct sl_kafka_out **ret_out, struct sl_error *err)
{
    return sl_kafka_out_open_transactional(config, NULL, watch, report, context, ret_out, err);
}

static rd_kafka_headers_t *headers_of(const struct sl_kafka_send *send)
{
    rd_kafka_headers_t *headers = rd_kafka_headers_new(send->header_count);

    for (uint32_t i = 0; i < send->header_count; i++)
        rd_kafka_header_add(headers, send->headers[i].name.data,
                            (ssize_t)send->headers[i].name.size, send->headers[i].value.data,
                            (ssize_t)send->headers[i].value.size);
    return headers;
}

static enum sl_err send_failed(rd_kafka_resp_err_t code, const char *topic, struct sl_error *err)
{
    enum sl_err r;

    if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL)
        return sl_fail(err, SL_AGAIN, "queue_full", "the producer's queue is full");
    if (sent_of(code) == SL_SENT_FATAL)
        return sl_stop(err, SL_EXIT_TEMPORARY, code, "kafka_fatal",
                       "the producer is no longer usable: %s", rd_kafka_err2str(code));
    r = sl_fail(err, SL_REJECT,
                sent_of(code) == SL_SENT_TOO_LARGE ? "too_large"
                : kafka_is_denied(code)            ? "denied"
                                                   : "no_topic",
                "topic %s: %s", topic, rd_kafka_err2str(code));
    if (err)
        err->foreign_code = code;
    return r;
}

enum sl_err sl_kafka_out_send(struct sl_kafka_out *out, const struct sl_kafka_send *send,
                              struct sl_error *err)
{
    rd_kafka_headers_t *headers = headers_of(send);
    rd_kafka_vu_t parts[] = {
        {.vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = send->topic},
        {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = send->partition},
        {.vtype = RD_KAFKA_VTYPE_KEY,
         .u.mem = {.ptr = (void *)(uintptr_t)send->key.data, .size = send->key.size}},
        {.vtype = RD_KAFKA_VTYPE_VALUE,
         .u.mem = {.ptr = (void *)(uintptr_t)send->value.data, .size = send->value.size}},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
        {.vtype = RD_KAFKA_VTYPE_TIMESTAMP,
         .u.i64 = send->timestamp_ms > 0 ? send->timestamp_ms : 0},
        {.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = send->tag},
        {.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers},
    };
    rd_kafka_error_t *error = rd_kafka_produceva(out->rk, parts, sizeof(parts) / sizeof(*parts));
    rd_kafka_resp_err_t code;

    if (!error)
        return SL_OK;
    code = rd_kafka_error_code(error);
    rd_kafka_error_destroy(error);
    rd_kafka_headers_destroy(headers);
    return send_failed(code, send->topic, err);
}

bool sl_kafka_out_is_denied(struct sl_kafka_out *out)
{
    char text[8];

    return kafka_is_denied(rd_kafka_fatal_error(out->rk, text, sizeof(text)));
}

void sl_kafka_out_poll(struct sl_kafka_out *out, int timeout_ms)
{
    rd_kafka_poll(out->rk, timeout_ms);
}

uint32_t sl_kafka_out_waiting(struct sl_kafka_out *out)
{
    return (uint32_t)rd_kafka_outq_len(out->rk);
}

enum sl_err sl_kafka_out_flush(struct sl_kafka_out *out, int timeout_ms, struct sl_error *err)
{
    rd_kafka_resp_err_t code = rd_kafka_flush(out->rk, timeout_ms);

    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        return SL_OK;
    return kafka_again(err, code, "records are still on their way to the broker");
}

struct sl_kafka_out *sl_kafka_out_close(struct sl_kafka_out *out)
{
    if (!out)
        return NULL;
    rd_kafka_purge(out->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_flush(out->rk, 1000);
    out->watch = (struct sl_kafka_watch){0}; /* who listened may be gone before the client is */
    if (kafka_destroy(out->rk))
        free(out);
    return NULL;
}
