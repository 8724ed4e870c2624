/*
 * kafka_conf.c -- from [kafka] to a librdkafka configuration.
 *
 * One section serves consumers and producers. librdkafka marks each property with the kind of
 * client it is for, and only warns when it is set on the other kind; the warning would come with
 * each start, so properties known to belong to one kind are left out for the other. The order is:
 * the file, its credentials, then what sluice decides, so that nothing in a file can weaken a
 * guarantee even where the validator should have missed it.
 *
 * Rejected: keeping a table of librdkafka's properties. It knows them better than we do, in the
 * version in use. Known weakness: the list of one-sided properties below is of prefixes; a property
 * it does not know costs a warning in the log.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/kafka_internal.h"
#include "net/kafka_login.h"

/* A broker that stands still is known by this alone; librdkafka's own 60 s are a long time to answer nobody. */
#define SOCKET_TIMEOUT_MS "10000"

static const char *const consumer_only[] = {
    "fetch.",
    "queued.",
    "session.timeout.ms",
    "heartbeat.interval.ms",
    "max.poll.",
    "check.crcs",
    "auto.offset.",
    "max.partition.fetch",
    "partition.assignment.",
    "isolation.",
    "enable.auto",
    "enable.partition",
    "group.",
    "consume.",
    "offset.",
};
static const char *const producer_only[] = {
    "queue.buffering.",  "linger.ms",   "batch.",
    "compression.",      "delivery.",   "acks",
    "request.required.", "retries",     "retry.",
    "message.send.",     "transaction", "enable.idempotence",
    "partitioner",       "sticky.",     "message.timeout.",
};

static bool starts_with_any(const char *name, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strncmp(name, list[i], strlen(list[i])) == 0)
            return true;
    return false;
}

static bool is_for_other(const char *name, rd_kafka_type_t type)
{
    if (type == RD_KAFKA_CONSUMER)
        return starts_with_any(name, producer_only, sizeof(producer_only) / sizeof(*producer_only));
    return starts_with_any(name, consumer_only, sizeof(consumer_only) / sizeof(*consumer_only));
}

static enum sl_err set_property(rd_kafka_conf_t *conf, const char *name, const char *value,
                                bool secret, struct sl_error *err)
{
    char text[200];

    if (rd_kafka_conf_set(conf, name, value, text, sizeof(text)) == RD_KAFKA_CONF_OK)
        return SL_OK;
    return sl_stop(err, SL_EXIT_CONFIG, 0, "bad_property", "[kafka] %s: %s", name,
                   secret ? "refused by librdkafka" : text);
}

/* librdkafka opens these files itself (ssl.key.location, ssl.keystore.location), binary ones too.
 * */
static bool names_file(const char *property)
{
    const size_t suffix = strlen(".location"), size = strlen(property);

    return size > suffix && strcmp(property + size - suffix, ".location") == 0;
}

static enum sl_err set_credential_path(rd_kafka_conf_t *conf,
                                       const struct sl_config_property *credential,
                                       struct sl_error *err)
{
    char *path = NULL;
    enum sl_err r = sl_secret_path(credential->value, &path, err);

    if (r == SL_OK)
        r = set_property(conf, credential->name, path, true, err);
    free(path);
    return r;
}

static enum sl_err set_credential(rd_kafka_conf_t *conf,
                                  const struct sl_config_property *credential, struct sl_error *err)
{
    char *secret = NULL;
    enum sl_err r;

    if (names_file(credential->name))
        return set_credential_path(conf, credential, err);
    if (strcmp(credential->name, KAFKA_TOKEN_PROPERTY) == 0) /* read when a token is wanted */
        return set_property(conf, credential->name, credential->value, true, err);
    r = sl_secret_read(credential->value, &secret, err);
    if (r != SL_OK)
        return r;
    r = set_property(conf, credential->name, secret, true, err);
    sl_secret_free(secret);
    return r;
}

static void on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
    const struct sl_kafka_watch *watch = opaque;

    (void)rk;
    if (code == RD_KAFKA_RESP_ERR__SSL && strstr(reason, "certificate verify failed"))
        return; /* kafka_login.c has told why */
    if (watch->error)
        watch->error(watch->context, rd_kafka_err2name((rd_kafka_resp_err_t)code), reason);
}

static int on_stats(rd_kafka_t *rk, char *json, size_t size, void *opaque)
{
    (void)rk;
    kafka_stats_read(json, size, opaque);
    return 0;
}

static void on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    const struct sl_kafka_watch *watch = rk ? rd_kafka_opaque(rk) : NULL;

    (void)facility;
    if (watch && watch->log)
        watch->log(watch->context, level, text);
}

enum sl_err kafka_conf_make(const struct sl_config *config, rd_kafka_type_t type,
                            const struct kafka_property *owned, size_t owned_count,
                            const struct sl_kafka_watch *watch, rd_kafka_conf_t **ret_conf,
                            struct sl_error *err)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    bool has_token = false;
    enum sl_err r = SL_OK;

    for (uint32_t i = 0; r == SL_OK && i < config->kafka.count; i++)
        if (!is_for_other(config->kafka.properties[i].name, type))
            r = set_property(conf, config->kafka.properties[i].name,
                             config->kafka.properties[i].value, false, err);
    for (uint32_t i = 0; r == SL_OK && i < config->kafka.credential_count; i++) {
        r = set_credential(conf, &config->kafka.credentials[i], err);
        has_token |= strcmp(config->kafka.credentials[i].name, KAFKA_TOKEN_PROPERTY) == 0;
    }
    for (size_t i = 0; r == SL_OK && i < owned_count; i++)
        r = set_property(conf, owned[i].name, owned[i].value, false, err);
    if (r == SL_OK && !sl_kafka_property(config, "statistics.interval.ms") && watch->broker)
        r = set_property(conf, "statistics.interval.ms", "5000", false, err);
    if (r == SL_OK && !sl_kafka_property(config, "socket.timeout.ms"))
        r = set_property(conf, "socket.timeout.ms", SOCKET_TIMEOUT_MS, false, err);
    if (r == SL_OK && !sl_kafka_property(config, "client.id"))
        r = set_property(conf, "client.id", "sluice", false, err);
    if (r != SL_OK) {
        rd_kafka_conf_destroy(conf);
        return r;
    }
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_stats_cb(conf, on_stats);
    rd_kafka_conf_set_log_cb(conf, on_log);
    kafka_login_configure(conf, has_token);
    *ret_conf = conf;
    return SL_OK;
}

const char *sl_kafka_property(const struct sl_config *config, const char *name)
{
    const char *found = NULL;

    for (uint32_t i = 0; i < config->kafka.count; i++)
        if (strcmp(config->kafka.properties[i].name, name) == 0)
            found = config->kafka.properties[i].value;
    return found;
}

void sl_kafka_instance(const struct sl_config *config, char *ret_name)
{
    size_t room = 128;

    if (config->queries.instance && config->queries.instance[0]) {
        size_t size = strlen(config->queries.instance);

        size = size < room ? size : room - 1;
        memcpy(ret_name, config->queries.instance, size);
        ret_name[size] = 0;
        return;
    }
    if (gethostname(ret_name, room) != 0)
        memcpy(ret_name, "localhost", sizeof("localhost"));
    ret_name[room - 1] = 0;
}

const char *sl_kafka_version(void)
{
    return rd_kafka_version_str();
}

enum sl_err kafka_again(struct sl_error *err, rd_kafka_resp_err_t code, const char *what)
{
    enum sl_err r = sl_fail(err, SL_AGAIN, "kafka", "%s: %s", what, rd_kafka_err2str(code));

    if (err)
        err->foreign_code = code;
    return r;
}

bool kafka_is_no_topic(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
           code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC ||
           code == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION ||
           code == RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION;
}

bool kafka_is_denied(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
           code == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED ||
           code == RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED ||
           code == RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED;
}

bool sl_kafka_is_away(const struct sl_error *err)
{
    return err->foreign_code == RD_KAFKA_RESP_ERR__TRANSPORT ||
           err->foreign_code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN ||
           err->foreign_code == RD_KAFKA_RESP_ERR__TIMED_OUT ||
           err->foreign_code == RD_KAFKA_RESP_ERR__RESOLVE;
}

bool sl_kafka_is_login(const char *code)
{
    return strcmp(code, "_AUTHENTICATION") == 0 || strcmp(code, "_SSL") == 0;
}

bool sl_kafka_is_doubtful(const char *code)
{
    return strcmp(code, "_ALL_BROKERS_DOWN") == 0 || strcmp(code, "_TIMED_OUT") == 0 ||
           strcmp(code, "_TRANSPORT") == 0;
}
