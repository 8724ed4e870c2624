/*
 * kafka_watch.c -- what the Kafka clients say beside their records, to metrics and the log.
 *
 * Errors here are ones librdkafka recovers from by itself; they are counted by its own word for
 * them, and logged at a level that does not wake anybody. That a cluster is away at all is
 * engine->kafka_down, set by whoever polls.
 */
#include <stdarg.h>
#include <stdio.h>
#include <syslog.h>

#include "daemon/engine_internal.h"
#include "daemon/log.h"

static void on_error(void *context, const char *code, const char *text)
{
    struct sl_log_fields fields = {.kafka_code = code};
    struct sl_engine *engine = context;

    sl_metric_add_label(SL_METRIC_KAFKA_ERRORS, code, 1);
    sl_log_with(SL_LOG_INFO, "kafka_error", &fields, "Kafka client: %s", text);
    if (sl_kafka_is_login(code))
        engine_trouble(engine, SL_TROUBLE_LOGIN, "", "login_failed", "no entry to Kafka: %s", text);
    if (sl_kafka_is_doubtful(code))
        engine->kafka_suspect = true;
}

static void on_broker(void *context, const char *broker, bool up, double rtt_mean, double rtt_p99)
{
    (void)context;
    sl_metric_set_label(SL_METRIC_KAFKA_BROKER_UP, broker, up ? 1 : 0);
    sl_metric_set_labels(SL_METRIC_KAFKA_BROKER_RTT, broker, "mean", rtt_mean);
    sl_metric_set_labels(SL_METRIC_KAFKA_BROKER_RTT, broker, "0.99", rtt_p99);
}

static void on_waiting(void *context, int64_t replies)
{
    (void)context;
    sl_metric_set(SL_METRIC_KAFKA_REPLYQ, (double)replies);
}

/* Errors come through on_error() too. */
static void on_log(void *context, int level, const char *text)
{
    (void)context;
    sl_log(level <= LOG_CRIT ? SL_LOG_WARNING : SL_LOG_DEBUG, "kafka_client", "%s", text);
}

void engine_trouble(struct sl_engine *engine, enum sl_trouble kind, const char *subject,
                    const char *event, const char *format, ...)
{
    char text[300];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (sl_trouble_begin(&engine->troubles, kind, subject, clock_us(), text))
        sl_log(SL_LOG_ERROR, event, "%s", text);
}

void engine_trouble_over(struct sl_engine *engine, enum sl_trouble kind, const char *subject)
{
    static const char *const what[SL_TROUBLE_COUNT] = {
        "Kafka lets us in", "the documents can be read", "the group can be joined",
        "the questions can be read",
        "answers are taken", "dead letters are taken", "the embedding server works",
        "documents may be embedded", "the reranking server works"};

    if (sl_trouble_end(&engine->troubles, kind, subject))
        sl_log(SL_LOG_NOTICE, "trouble_over", "%s again", what[kind]);
}

void engine_breaker(struct sl_engine *engine, const struct engine_server *server, enum sl_breaker_state state,
                    const char *event, const char *why)
{
    sl_metric_set_label(SL_METRIC_BREAKER_STATE, server->label, (double)state);
    sl_metric_add_labels(SL_METRIC_BREAKER_TRANSITIONS, server->label, sl_breaker_name(state), 1);
    if (state == SL_BREAKER_OPEN)
        engine_trouble(engine, server->trouble, "", event, "the %s is not asked for a while: %s. %s",
                       server->name, why, server->meanwhile);
    else if (state == SL_BREAKER_CLOSED)
        engine_trouble_over(engine, server->trouble, "");
}

void engine_denied(struct sl_engine *engine, enum sl_trouble kind, const char *operation,
                   const char *resource, const char *name)
{
    engine_trouble(engine, kind, name, "access_denied",
                   "access denied: this user needs %s on %s %s", operation,
                   resource, name);
}

void engine_kafka(struct sl_engine *engine, bool up)
{
    if (up)
        engine_trouble_over(engine, SL_TROUBLE_LOGIN, NULL);
    if (atomic_exchange(&engine->kafka_down, !up) == !up)
        return;
    if (up)
        sl_log(SL_LOG_NOTICE, "kafka_up", "Kafka can be reached");
    else
        sl_log(SL_LOG_WARNING, "kafka_down",
               "no Kafka broker can be reached; trying again until one can");
}

void engine_watch(struct sl_engine *engine, struct sl_kafka_watch *ret)
{
    *ret = (struct sl_kafka_watch){on_error, on_broker, on_waiting, on_log, engine};
}
