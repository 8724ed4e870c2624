/*
 * sluice/message.h -- the envelope: one Kafka record, seen from the pipeline.
 *
 * Everything in it is a view into memory that the net layer owns. `key.data == NULL` and
 * `value.data == NULL` are Kafka nulls (no key; a tombstone).
 */
#ifndef SLUICE_MESSAGE_H
#define SLUICE_MESSAGE_H

#include <stdint.h>

#include <sluice/view.h>

struct sl_header {
    struct sl_view name;
    struct sl_view value; /* data == NULL: a header without a value */
};

struct sl_message {
    struct sl_view topic;
    int32_t partition;
    int64_t offset;       /* -1: imported, not from Kafka            */
    int64_t timestamp_ms; /* Unix epoch; -1 = not available          */
    struct sl_view key;
    struct sl_view value;
    const struct sl_header *headers;
    uint32_t header_count;
};

/*
 * The value of the LAST header of that name (Kafka's convention); data == NULL when absent.
 *
 * Owns:    nothing changes hands.
 * Thread:  any.
 * Blocks:  no.
 * Errors:  none.
 */
struct sl_view sl_message_header(const struct sl_message *message, const char *name);

/*
 * How many headers of that name there are: where the last must not simply win.
 *
 * Owns:    nothing changes hands.
 * Thread:  any.
 * Blocks:  no.
 * Errors:  none.
 */
uint32_t sl_message_header_count(const struct sl_message *message, const char *name);

#endif /* SLUICE_MESSAGE_H */
