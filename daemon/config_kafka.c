/*
 * config_kafka.c -- [kafka]: which of librdkafka's properties a file may set.
 *
 * All but three kinds pass as they are. Some decide whether a record is lost or doubled: sluiced sets them, and a
 * file that could change them would turn a promise into a hope. Some are secrets: a file with secrets in it ends up
 * in tickets and backups, so only the name of a credential is taken. One loads code. Names and values of the rest
 * are checked by librdkafka itself (net/kafka_conf_check.c), which knows its own table.
 */
#include "daemon/config_internal.h"

#include <stdlib.h>

#include "net/kafka_conf_check.h"

#define CREDENTIAL_SUFFIX "_credential"

static const struct {
    const char *name, *instead;
} owned[] = {
    {"enable.auto.commit", "positions are kept in the index"},
    {"auto.commit.enable", "positions are kept in the index"},
    {"auto.commit.interval.ms", "positions are kept in the index"},
    {"enable.auto.offset.store", "positions are kept in the index"},
    {"offset.store.method", "positions are kept in the index"},
    {"offset.store.path", "positions are kept in the index"},
    {"offset.store.sync.interval.ms", "positions are kept in the index"},
    {"auto.offset.reset", "a gap is [documents] on_gap's business"},
    {"isolation.level", "only committed records are read"},
    {"group.id", "set [queries] group"},
    {"group.instance.id", "set [queries] instance"},
    {"partition.assignment.strategy", "sluiced chooses it"},
    {"transactional.id", "set [queries] delivery"},
    {"transaction.timeout.ms", "set [queries] delivery"},
    {"enable.partition.eof", "sluiced needs it to know when it has caught up"},
    {"enable.idempotence", "always on"},
    {"enable.gapless.guarantee", "sluiced decides it"},
    {"acks", "always all"},
    {"request.required.acks", "always all"},
    {"statistics.interval.ms", "sluiced makes its metrics from it"},
    {"plugin.library.paths", "it would load code into the daemon"},
};

static const char *const secrets[] = {
    "sasl.password",    "ssl.key.password",      "ssl.keystore.password",
    "ssl.key.pem",      "sasl.oauthbearer.config", "sasl.oauthbearer.client.secret",
    "sasl.jaas.config", "ssl_key",
};

static bool is_secret(struct sl_view name)
{
    for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++)
        if (sl_view_is(name, secrets[i]))
            return true;
    return memmem(name.data, name.size, "password", 8) != NULL ||
           memmem(name.data, name.size, "secret", 6) != NULL;
}

static const char *owned_instead(struct sl_view name)
{
    for (size_t i = 0; i < sizeof owned / sizeof owned[0]; i++)
        if (sl_view_is(name, owned[i].name))
            return owned[i].instead;
    return NULL;
}

static const struct sl_config_property *property_find(const struct sl_config_property *properties,
                                                      uint32_t count, struct sl_view name)
{
    for (uint32_t i = 0; i < count; i++)
        if (sl_view_is(name, properties[i].name))
            return &properties[i];
    return NULL;
}

static bool property_add(struct sl_config_property **properties, uint32_t *count,
                         struct sl_view name, struct sl_view value, int line)
{
    struct sl_config_property *grown = realloc(*properties, (*count + 1u) * sizeof *grown);
    struct sl_config_property made = {.line = line};

    if (grown == NULL)
        return false;
    *properties = grown;
    made.name = strndup(name.data, name.size);
    made.value = strndup(value.size > 0 ? value.data : "", value.size);
    if (made.name == NULL || made.value == NULL) {
        free(made.name);
        free(made.value);
        return false;
    }
    grown[(*count)++] = made;
    return true;
}

/* Says why this name may not be set at all. */
static bool name_refused(struct sl_view name, const char *shown, int line, bool credential,
                         struct problems *problems)
{
    const char *instead = owned_instead(name);

    if (instead != NULL) {
        problem_add(problems, line, "kafka", shown, "belongs to sluiced: %s", instead);
        return true;
    }
    if (!credential && is_secret(name)) {
        problem_add(problems, line, "kafka", shown,
                    "is a secret; write %s" CREDENTIAL_SUFFIX " = NAME, a file in "
                    "$CREDENTIALS_DIRECTORY or an absolute path", shown);
        return true;
    }
    return false;
}

static bool twice(const struct sl_config *config, struct sl_view name, const char *shown, int line,
                  struct problems *problems)
{
    const struct sl_config_property *before =
        property_find(config->kafka.properties, config->kafka.count, name);

    if (before == NULL)
        before = property_find(config->kafka.credentials, config->kafka.credential_count, name);
    if (before == NULL)
        return false;
    problem_add(problems, line, "kafka", shown, "set before, on line %d", before->line);
    return true;
}

static void offer(void *context, const char *name)
{
    nearest_offer(context, name);
}

/* Is there such a property? Else the nearest name is in the message. */
static bool known(const char *shown, int line, struct problems *problems)
{
    char why[200];
    struct nearest nearest = {.name = shown};

    if (sl_kafka_property_known(shown, why, sizeof why))
        return true;
    sl_kafka_properties_each(offer, &nearest);
    if (nearest.best[0] != '\0')
        problem_add(problems, line, "kafka", shown, "%s; did you mean %s?", why, nearest.best);
    else
        problem_add(problems, line, "kafka", shown, "%s", why);
    return false;
}

static bool credential_add(struct sl_config *config, struct sl_view name, const char *shown,
                           struct sl_view value, int line, struct problems *problems)
{
    if (value.size == 0 || value.size > 4095 ||
        (value.data[0] != '/' && !topic_name_valid(value))) {
        problem_add(problems, line, "kafka", shown,
                    "not the name of a credential; allowed: a file name in "
                    "$CREDENTIALS_DIRECTORY, or an absolute path");
        return false;
    }
    return property_add(&config->kafka.credentials, &config->kafka.credential_count, name, value,
                        line);
}

static bool plain_add(struct sl_config *config, struct sl_view name, const char *shown,
                      struct sl_view value, int line, struct problems *problems)
{
    char why[300];
    char *copy = strndup(value.size > 0 ? value.data : "", value.size);
    bool fits = copy != NULL && sl_kafka_property_check(shown, copy, why, sizeof why);

    if (copy != NULL && !fits)
        problem_add(problems, line, "kafka", shown, "%s", why);
    free(copy);
    return fits && property_add(&config->kafka.properties, &config->kafka.count, name, value, line);
}

bool kafka_option_add(struct sl_config *config, struct sl_view key, struct sl_view value, int line,
                      struct problems *problems)
{
    const size_t suffix = strlen(CREDENTIAL_SUFFIX);
    bool credential = key.size > suffix &&
                      memcmp(key.data + key.size - suffix, CREDENTIAL_SUFFIX, suffix) == 0;
    struct sl_view name = credential ? sl_view_range(key, 0, key.size - suffix) : key;
    char shown[128];

    if (name.size >= sizeof shown ||
        config->kafka.count + config->kafka.credential_count >= SL_CONFIG_PROPERTIES_MAX) {
        problem_add(problems, line, "kafka", NULL, "a name too long, or too many; allowed: %u keys",
                    SL_CONFIG_PROPERTIES_MAX);
        return false;
    }
    memcpy(shown, name.data, name.size);
    shown[name.size] = '\0';
    if (name_refused(name, shown, line, credential, problems) ||
        twice(config, name, shown, line, problems) || !known(shown, line, problems))
        return false;
    return credential ? credential_add(config, name, shown, value, line, problems)
                      : plain_add(config, name, shown, value, line, problems);
}

bool kafka_options_complete(struct sl_config *config)
{
    if (property_find(config->kafka.properties, config->kafka.count,
                      SL_VIEW("bootstrap.servers")) != NULL ||
        property_find(config->kafka.properties, config->kafka.count,
                      SL_VIEW("metadata.broker.list")) != NULL)
        return true;
    return property_add(&config->kafka.properties, &config->kafka.count,
                        SL_VIEW("bootstrap.servers"), SL_VIEW("localhost:9092"), 0);
}
