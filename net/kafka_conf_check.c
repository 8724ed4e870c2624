/*
 * kafka_conf_check.c -- librdkafka's own opinion of a property, asked on a configuration that is thrown away.
 *
 * It knows its table in the version in use, with ranges; a copy of ours would be wrong with the next one. A name
 * alone is tried with a value: "unknown" and "invalid" are different answers. Names like plugin.library.paths, which
 * do something when set, are refused before they get here (config_kafka.c).
 */
#include "net/kafka_conf_check.h"

#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool sl_kafka_property_check(const char *name, const char *value, char *why, size_t size)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_res_t result = rd_kafka_conf_set(conf, name, value, why, size);

    rd_kafka_conf_destroy(conf);
    if (result == RD_KAFKA_CONF_UNKNOWN)
        (void)snprintf(why, size, "librdkafka %s has no such property", rd_kafka_version_str());
    return result == RD_KAFKA_CONF_OK;
}

bool sl_kafka_property_known(const char *name, char *why, size_t size)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_res_t result = rd_kafka_conf_set(conf, name, "x", why, size);

    rd_kafka_conf_destroy(conf);
    if (result == RD_KAFKA_CONF_UNKNOWN)
        (void)snprintf(why, size, "librdkafka %s has no such property", rd_kafka_version_str());
    return result != RD_KAFKA_CONF_UNKNOWN;
}

void sl_kafka_properties_each(void (*each)(void *context, const char *name), void *context)
{
    char *text = NULL, *line, *rest = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);

    if (memory == NULL)
        return;
    rd_kafka_conf_properties_show(memory);
    if (fclose(memory) == 0)
        for (line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
            line[strcspn(line, " ")] = '\0';
            if (line[0] >= 'a' && line[0] <= 'z') /* the others are headings and rules */
                each(context, line);
        }
    free(text);
}
