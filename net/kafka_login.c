/*
 * kafka_login.c -- credentials that change while the daemon runs.
 *
 * A password is given to librdkafka once, when a client is made; a rotated one has to be handed to every client that
 * lives (rd_kafka_sasl_set_credentials). So the process keeps a list of its clients, and a reload walks it. Connections
 * that are up stay up; the next ones use what is new.
 *
 * A token (SASL/OAUTHBEARER) is a file that something else keeps fresh: an agent, a sidecar, a timer. librdkafka asks
 * for one when 80 % of the last one's life is over, and again after 80 % of what is left, so a file that is renewed at
 * any moment before the end is read in time. It is asked for on librdkafka's own background thread: a client that
 * nobody polls yet could otherwise never connect. The token must be a JWT, because librdkafka wants to know how long
 * it lives and whose it is; its signature is the broker's business.
 *
 * OpenSSL knows why a certificate is refused, and librdkafka's message does not say; the callback tells the reason, in
 * place of that message, and changes no verdict.
 *
 * Rejected: OIDC (asking the token endpoint here). Debian's librdkafka is built without it, and a file keeps the client
 * secret out of this process.
 */
#include <cjson/cJSON.h>
#include <openssl/evp.h>
#include <openssl/x509_vfy.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/kafka_login.h"

#define CLIENTS_MAX       16u
#define PRINCIPAL_BYTES   256u
#define CERTIFICATE_IS_OK 1

static pthread_mutex_t clients_mutex = PTHREAD_MUTEX_INITIALIZER;
static rd_kafka_t *clients[CLIENTS_MAX];

/* ------------------------------------------------------------------------------ tokens */

struct token {
    int64_t expires_ms;
    char principal[PRINCIPAL_BYTES];
};

/* The middle part of header.payload.signature, decoded; NULL: there is none. Caller frees it. */
static char *payload_of(const char *jwt)
{
    const char *from = strchr(jwt, '.');
    const char *end = from ? strchr(from + 1, '.') : NULL;
    size_t size = end ? (size_t)(end - from) - 1 : 0;
    size_t padded = (size + 3) / 4 * 4;
    char *text, *decoded;
    int made;

    if (size == 0)
        return NULL;
    text = malloc(padded + 1);
    decoded = calloc(1, padded + 1);
    if (!text || !decoded) {
        free(text);
        free(decoded);
        return NULL;
    }
    memset(text, '=', padded);
    for (size_t i = 0; i < size; i++)
        text[i] = from[1 + i] == '-' ? '+' : from[1 + i] == '_' ? '/' : from[1 + i];
    made = EVP_DecodeBlock((unsigned char *)decoded, (unsigned char *)text, (int)padded);
    free(text);
    if (made >= 0)
        return decoded;
    free(decoded);
    return NULL;
}

static enum sl_err bad_token(struct sl_error *err, const char *name, const char *what)
{
    return sl_fail(err, SL_AGAIN, "bad_token", "credential %s: %s", name, what);
}

static enum sl_err token_read(const char *jwt, const char *name, struct token *ret,
                              struct sl_error *err)
{
    char *payload = payload_of(jwt);
    cJSON *root = payload ? cJSON_Parse(payload) : NULL;
    const cJSON *expires = cJSON_GetObjectItemCaseSensitive(root, "exp");
    const cJSON *subject = cJSON_GetObjectItemCaseSensitive(root, "sub");
    enum sl_err r = SL_OK;

    free(payload);
    if (!cJSON_IsNumber(expires) || expires->valuedouble <= 0 || expires->valuedouble > 1e11)
        r = bad_token(err, name, "not a token; allowed: a JWT with a time of expiry (exp)");
    else
        ret->expires_ms = (int64_t)(expires->valuedouble * 1000);
    snprintf(ret->principal, sizeof(ret->principal), "%s",
             cJSON_IsString(subject) ? subject->valuestring : "sluice");
    cJSON_Delete(root);
    return r;
}

/* Read the file and hand it over. */
static enum sl_err token_set(rd_kafka_t *rk, const char *name, struct sl_error *err)
{
    struct token token = {0};
    char *jwt = NULL, why[256];
    enum sl_err r = sl_secret_read(name, &jwt, err);

    if (r == SL_OK)
        r = token_read(jwt, name, &token, err);
    if (r == SL_OK &&
        rd_kafka_oauthbearer_set_token(rk, jwt, token.expires_ms, token.principal, NULL, 0, why,
                                       sizeof(why)) != RD_KAFKA_RESP_ERR_NO_ERROR)
        r = bad_token(err, name, why);
    sl_secret_free(jwt);
    return r;
}

/* `name` is the property's value: the name of the credential. */
static void on_token_wanted(rd_kafka_t *rk, const char *name, void *opaque)
{
    struct sl_error err = {0};

    (void)opaque;
    if (name && token_set(rk, name, &err) != SL_OK)
        rd_kafka_oauthbearer_set_token_failure(rk, err.message);
}

/* ------------------------------------------------------------------------------ certificates */

/* For each certificate of the chain. Says why, and leaves the verdict as it is. */
static int on_certificate(rd_kafka_t *rk, const char *broker, int32_t broker_id, int *x509_error,
                          int depth, const char *bytes, size_t size, char *ret_why, size_t room,
                          void *opaque)
{
    const struct sl_kafka_watch *watch = opaque;
    char text[300];

    (void)rk, (void)broker_id, (void)bytes, (void)size;
    if (*x509_error == X509_V_OK)
        return CERTIFICATE_IS_OK;
    snprintf(text, sizeof(text), "the certificate of %s%s is refused: %s", broker,
             depth > 0 ? " (of its issuer)" : "", X509_verify_cert_error_string(*x509_error));
    snprintf(ret_why, room, "%.*s", (int)(room - 1), text);
    if (watch->error)
        watch->error(watch->context, "_SSL", text);
    return 0;
}

/* ------------------------------------------------------------------------------ clients */

void kafka_login_configure(rd_kafka_conf_t *conf, bool has_token)
{
    rd_kafka_conf_set_ssl_cert_verify_cb(conf, on_certificate);
    if (!has_token)
        return;
    rd_kafka_conf_set_oauthbearer_token_refresh_cb(conf, on_token_wanted);
    rd_kafka_conf_enable_sasl_queue(conf, 1);
}

void kafka_login_open(rd_kafka_t *rk)
{
    rd_kafka_error_t *error = rd_kafka_sasl_background_callbacks_enable(rk);

    if (error) /* no token is ever asked for */
        rd_kafka_error_destroy(error);
    pthread_mutex_lock(&clients_mutex);
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        if (!clients[i]) {
            clients[i] = rk;
            break;
        }
    pthread_mutex_unlock(&clients_mutex);
}

void kafka_login_close(rd_kafka_t *rk)
{
    pthread_mutex_lock(&clients_mutex);
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        if (clients[i] == rk)
            clients[i] = NULL;
    pthread_mutex_unlock(&clients_mutex);
}

static const char *credential_of(const struct sl_config *config, const char *property)
{
    for (uint32_t i = 0; i < config->kafka.credential_count; i++)
        if (strcmp(config->kafka.credentials[i].name, property) == 0)
            return config->kafka.credentials[i].value;
    return NULL;
}

static enum sl_err password_set(rd_kafka_t *rk, const char *user, const char *password,
                                struct sl_error *err)
{
    rd_kafka_error_t *error = rd_kafka_sasl_set_credentials(rk, user, password);
    enum sl_err r;

    if (!error)
        return SL_OK;
    r = sl_fail(err, SL_AGAIN, "bad_property", "sasl.password: %s", rd_kafka_error_string(error));
    rd_kafka_error_destroy(error);
    return r;
}

enum sl_err sl_kafka_login_renew(const struct sl_config *config, struct sl_error *err)
{
    const char *password_name = credential_of(config, "sasl.password");
    const char *token_name = credential_of(config, KAFKA_TOKEN_PROPERTY);
    const char *user = sl_kafka_property(config, "sasl.username");
    char *password = NULL;
    enum sl_err r = SL_OK;

    if (password_name)
        r = sl_secret_read(password_name, &password, err);
    pthread_mutex_lock(&clients_mutex);
    for (size_t i = 0; r == SL_OK && i < CLIENTS_MAX; i++) {
        if (clients[i] && password)
            r = password_set(clients[i], user ? user : "", password, err);
        if (clients[i] && r == SL_OK && token_name)
            r = token_set(clients[i], token_name, err);
    }
    pthread_mutex_unlock(&clients_mutex);
    sl_secret_free(password);
    return r;
}
