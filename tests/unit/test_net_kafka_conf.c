/* test_net_kafka_conf.c -- what librdkafka is given from [kafka]: values, secrets, and paths of secrets. */
#include "test.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/kafka_internal.h"

static char path[512];

static void file_write(const char *text, mode_t mode)
{
    int file;

    (void)snprintf(path, sizeof path, "%s/secret", test_directory());
    file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    CHECK(file >= 0 && write(file, text, strlen(text)) == (ssize_t)strlen(text));
    CHECK(fchmod(file, mode) == 0);
    (void)close(file);
}

/* The value that a consumer would be made with; "" when it is refused, with the reason in *ret_err. */
static const char *given(const char *section, const char *name, struct sl_error *ret_err)
{
    static char value[600];
    struct sl_buffer text = {0}, problems = {0};
    struct sl_config *config = NULL;
    rd_kafka_conf_t *conf = NULL;
    const struct sl_kafka_watch watch = {0};
    size_t size = sizeof value;

    value[0] = '\0';
    *ret_err = (struct sl_error){0};
    sl_buffer_format(&text, "[kafka]\n%s%s\n", section, path);
    CHECK_THAT(sl_config_parse("t.conf", sl_view_of(text.data), &config, &problems, NULL) == SL_OK, "%s", problems.data);
    if (config && kafka_conf_make(config, RD_KAFKA_CONSUMER, NULL, 0, &watch, &conf, ret_err) == SL_OK) {
        CHECK(rd_kafka_conf_get(conf, name, value, &size) == RD_KAFKA_CONF_OK);
        rd_kafka_conf_destroy(conf);
    }
    sl_config_free(config);
    sl_buffer_fini(&text);
    sl_buffer_fini(&problems);
    return value;
}

TEST(a_secret_is_given_by_its_content)
{
    struct sl_error err;

    file_write("hunter2\n", 0600);
    CHECK(strcmp(given("sasl.password_credential = ", "sasl.password", &err), "hunter2") == 0);
}

TEST(a_property_that_names_a_file_is_given_the_path)
{
    struct sl_error err;

    file_write("-----BEGIN PRIVATE KEY-----\n", 0600);
    CHECK(strcmp(given("ssl.key.location_credential = ", "ssl.key.location", &err), path) == 0);
    file_write("\x01\x02 a binary key store", 0600);
    CHECK(strcmp(given("ssl.keystore.location_credential = ", "ssl.keystore.location", &err), path) == 0);
}

TEST(a_secret_that_others_can_read_is_refused_either_way)
{
    struct sl_error err;

    file_write("hunter2", 0644);
    CHECK(given("sasl.password_credential = ", "sasl.password", &err)[0] == '\0' && err.exit_code == SL_EXIT_CONFIG);
    CHECK(given("ssl.key.location_credential = ", "ssl.key.location", &err)[0] == '\0' &&
          err.exit_code == SL_EXIT_CONFIG && strcmp(err.reason, "credential") == 0);
    (void)unlink(path);
    CHECK(given("ssl.key.location_credential = ", "ssl.key.location", &err)[0] == '\0' &&
          err.exit_code == SL_EXIT_CONFIG);
}
