/*
 * records.c -- copying records, and their form as rows of the index.
 *
 * Numbers are little endian; a length of 0xffffffff is a Kafka null, so that a null key, an empty
 * key, a header without a value and one with an empty value all come back as they were. Each row
 * begins with a version byte; the index puts its own checksum around it.
 */
#include "daemon/records.h"

#include <stdlib.h>
#include <string.h>

#include <sluice/hash.h>

#define OUTGOING_VERSION  1u
#define REPLY_ROW_VERSION 1u
#define LENGTH_NULL       0xffffffffu

/* ------------------------------------------------------------------------------ copies */

static struct sl_view place(char **at, struct sl_view source)
{
    struct sl_view copy = {*at, source.size};

    if (!source.data)
        return SL_VIEW_NULL;
    if (source.size)
        memcpy(*at, source.data, source.size);
    (*at)[source.size] = 0;
    *at += source.size + 1;
    return copy;
}

static size_t copy_bytes(const struct sl_message *message)
{
    size_t bytes = sizeof(struct sl_record) + message->header_count * sizeof(struct sl_header);

    bytes += message->topic.size + message->key.size + message->value.size + 3;
    for (uint32_t i = 0; i < message->header_count; i++)
        bytes += message->headers[i].name.size + message->headers[i].value.size + 2;
    return bytes;
}

struct sl_record *sl_record_copy(const struct sl_message *message)
{
    size_t bytes = copy_bytes(message);
    struct sl_record *record = malloc(bytes);
    struct sl_header *headers;
    char *at;

    if (!record)
        return NULL;
    headers = (struct sl_header *)(record + 1);
    at = (char *)(headers + message->header_count);
    record->bytes = bytes;
    record->message = *message;
    record->message.topic = place(&at, message->topic);
    record->message.key = place(&at, message->key);
    record->message.value = place(&at, message->value);
    for (uint32_t i = 0; i < message->header_count; i++) {
        headers[i].name = place(&at, message->headers[i].name);
        headers[i].value = place(&at, message->headers[i].value);
    }
    record->message.headers = headers;
    return record;
}

static void digest_view(struct sl_sha256 *state, struct sl_view view)
{
    uint32_t size = view.data ? (uint32_t)view.size : LENGTH_NULL;

    sl_sha256_add(state, &size, sizeof(size));
    if (view.data)
        sl_sha256_add(state, view.data, view.size);
}

void sl_record_digest(const struct sl_message *message, uint8_t ret_digest[32])
{
    struct sl_sha256 *state = sl_sha256_begin();

    digest_view(state, message->key);
    digest_view(state, message->value);
    for (uint32_t i = 0; i < message->header_count; i++) {
        digest_view(state, message->headers[i].name);
        digest_view(state, message->headers[i].value);
    }
    sl_sha256_end(state, ret_digest);
}

/* ------------------------------------------------------------------------------ bytes */

static void put_number(struct sl_buffer *out, uint64_t number, unsigned bytes)
{
    uint8_t raw[8];

    for (unsigned i = 0; i < bytes; i++)
        raw[i] = (uint8_t)(number >> (8 * i));
    sl_buffer_add(out, raw, bytes);
}

static void put_view(struct sl_buffer *out, struct sl_view view)
{
    put_number(out, view.data ? view.size : LENGTH_NULL, 4);
    if (view.data)
        sl_buffer_view(out, view);
}

struct reader {
    struct sl_view bytes;
    size_t at;
    bool bad;
};

static uint64_t get_number(struct reader *reader, unsigned bytes)
{
    uint64_t number = 0;

    if (reader->bad || reader->bytes.size - reader->at < bytes) {
        reader->bad = true;
        return 0;
    }
    for (unsigned i = 0; i < bytes; i++)
        number |= (uint64_t)(uint8_t)reader->bytes.data[reader->at + i] << (8 * i);
    reader->at += bytes;
    return number;
}

static struct sl_view get_view(struct reader *reader)
{
    uint32_t size = (uint32_t)get_number(reader, 4);
    struct sl_view view;

    if (reader->bad || size == LENGTH_NULL)
        return SL_VIEW_NULL;
    if (reader->bytes.size - reader->at < size) {
        reader->bad = true;
        return SL_VIEW_NULL;
    }
    view = sl_view_range(reader->bytes, reader->at, reader->at + size);
    reader->at += size;
    return view;
}

static enum sl_err corrupt(struct sl_error *err, const char *what)
{
    return sl_stop(err, SL_EXIT_DATA, 0, "corrupt",
                   "a row of the %s is not in a form this version writes", what);
}

void sl_outgoing_encode(const struct sl_outgoing *outgoing, struct sl_buffer *out)
{
    put_number(out, OUTGOING_VERSION, 1);
    put_view(out, sl_view_of(outgoing->topic));
    put_number(out, (uint32_t)outgoing->partition, 4);
    put_number(out, (uint64_t)outgoing->timestamp_ms, 8);
    put_view(out, outgoing->key);
    put_view(out, outgoing->value);
    put_number(out, outgoing->header_count, 4);
    for (uint32_t i = 0; i < outgoing->header_count; i++) {
        put_view(out, outgoing->headers[i].name);
        put_view(out, outgoing->headers[i].value);
    }
}

enum sl_err sl_outgoing_decode(struct sl_view bytes, struct sl_arena *arena,
                               struct sl_outgoing *ret_outgoing, struct sl_error *err)
{
    struct reader reader = {.bytes = bytes};
    struct sl_outgoing outgoing = {0};
    struct sl_header *headers;

    if (get_number(&reader, 1) != OUTGOING_VERSION)
        return corrupt(err, "outbox");
    outgoing.topic = sl_arena_copy(arena, get_view(&reader)).data;
    outgoing.partition = (int32_t)get_number(&reader, 4);
    outgoing.timestamp_ms = (int64_t)get_number(&reader, 8);
    outgoing.key = get_view(&reader);
    outgoing.value = get_view(&reader);
    outgoing.header_count = (uint32_t)get_number(&reader, 4);
    if (reader.bad || !outgoing.topic || outgoing.header_count > bytes.size)
        return corrupt(err, "outbox");
    headers = SL_NEW_ARRAY(arena, struct sl_header, outgoing.header_count + 1u);
    if (!headers)
        return sl_stop(err, SL_EXIT_OS, 0, "memory", "no memory for a record's headers");
    for (uint32_t i = 0; i < outgoing.header_count; i++) {
        headers[i].name = get_view(&reader);
        headers[i].value = get_view(&reader);
    }
    outgoing.headers = headers;
    if (reader.bad || reader.at != bytes.size)
        return corrupt(err, "outbox");
    *ret_outgoing = outgoing;
    return SL_OK;
}

void sl_reply_row_encode(const struct sl_reply_row *row, struct sl_buffer *out)
{
    put_number(out, REPLY_ROW_VERSION, 1);
    sl_buffer_add(out, row->question_digest, sizeof(row->question_digest));
    put_number(out, (uint64_t)row->question_timestamp_ms, 8);
    put_view(out, row->topic);
    put_number(out, (uint32_t)row->partition, 4);
    put_number(out, (uint64_t)row->offset, 8);
    put_view(out, row->status);
    put_view(out, row->record);
}

enum sl_err sl_reply_row_decode(struct sl_view bytes, struct sl_reply_row *ret_row,
                                struct sl_error *err)
{
    struct reader reader = {.bytes = bytes};
    struct sl_reply_row row = {0};

    if (get_number(&reader, 1) != REPLY_ROW_VERSION)
        return corrupt(err, "reply cache");
    for (size_t i = 0; i < sizeof(row.question_digest); i++)
        row.question_digest[i] = (uint8_t)get_number(&reader, 1);
    row.question_timestamp_ms = (int64_t)get_number(&reader, 8);
    row.topic = get_view(&reader);
    row.partition = (int32_t)get_number(&reader, 4);
    row.offset = (int64_t)get_number(&reader, 8);
    row.status = get_view(&reader);
    row.record = get_view(&reader);
    if (reader.bad || reader.at != bytes.size || !row.record.data)
        return corrupt(err, "reply cache");
    *ret_row = row;
    return SL_OK;
}
