/* kafka_conf_check.h -- does librdkafka know this property, and does it take this value? */
#ifndef SLUICE_KAFKA_CONF_CHECK_H
#define SLUICE_KAFKA_CONF_CHECK_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Ask the librdkafka in use. `why` gets one line when the answer is no; _known asks for the name alone.
 *
 * Owns:    writes to why[size], NUL-terminated.
 * Thread:  any.
 * Blocks:  no.
 * Errors:  false
 */
bool sl_kafka_property_check(const char *name, const char *value, char *why, size_t size);
bool sl_kafka_property_known(const char *name, char *why, size_t size);

/* Every name of librdkafka's table, for suggestions. Same thread, no order, nothing kept. */
void sl_kafka_properties_each(void (*each)(void *context, const char *name), void *context);

#endif
