/*
 * dead_letter.c -- the envelope tools for Kafka Connect's dead letters can read, and our own words
 * in it.
 *
 * Headers are appended: what the record carried stays first and as it was, and whoever asks for the
 * last header of a name gets the newest failure. The id is made from the record's place in the log,
 * so a letter sent twice (a crash between the broker's acknowledgement and ours) can be recognised.
 */
#include "daemon/dead_letter.h"

#include <stdio.h>
#include <string.h>

#include <sluice/hash.h>

#define OWN_HEADERS_MAX    18u
#define KEY_KEPT_BYTES_MAX (64u << 10) /* in a shortened letter */

struct list {
    struct sl_header *headers;
    uint32_t count;
    struct sl_arena *arena;
    bool failed;
};

static void add(struct list *list, const char *name, const char *value)
{
    struct sl_view copy = sl_arena_copy(list->arena, sl_view_of(value));

    list->failed |= copy.data == NULL;
    list->headers[list->count++] = (struct sl_header){sl_view_of(name), copy};
}

static void add_number(struct list *list, const char *name, int64_t number)
{
    char text[24];

    snprintf(text, sizeof(text), "%lld", (long long)number);
    add(list, name, text);
}

/* Connect's name for the step that failed. */
static const char *stage_of(const char *reason)
{
    if (strstr(reason, "key") && strcmp(reason, "duplicate_key") != 0)
        return "KEY_CONVERTER";
    return strcmp(reason, "embed_rejected") == 0 ? "TRANSFORMATION" : "VALUE_CONVERTER";
}

void sl_record_id(const uint8_t *space, const struct sl_message *message, char *ret_text)
{
    char name[320];
    int size = snprintf(name, sizeof(name), "%.*s/%d/%lld", SL_VIEW_ARG(message->topic),
                        (int)message->partition, (long long)message->offset);

    sl_uuid5(space, (struct sl_view){name, (size_t)size}, ret_text);
}

static void add_facts(struct list *list, const char *size_name, const char *digest_name,
                      struct sl_view bytes)
{
    uint8_t digest[32];
    char hex[65];

    sl_sha256(bytes, digest);
    sl_hex(digest, sizeof(digest), hex);
    add_number(list, size_name, (int64_t)bytes.size);
    add(list, digest_name, hex);
}

static void add_value_facts(struct list *list, struct sl_view value)
{
    add_facts(list, "sluice-value-bytes", "sluice-value-sha256", value);
}

static bool begin_list(struct list *list, const struct sl_header *headers, uint32_t count,
                       struct sl_arena *arena)
{
    *list = (struct list){.arena = arena, .count = count};
    list->headers = SL_NEW_ARRAY(arena, struct sl_header, count + OWN_HEADERS_MAX);
    if (list->headers && count)
        memcpy(list->headers, headers, count * sizeof(*headers));
    return list->headers != NULL;
}

static enum sl_err no_memory(struct sl_error *err)
{
    return sl_stop(err, SL_EXIT_OS, 0, "memory", "no memory for a dead letter");
}

enum sl_err sl_dead_letter_make(const struct sl_dead_letter *letter, struct sl_arena *arena,
                                struct sl_outgoing *ret_outgoing, struct sl_error *err)
{
    const struct sl_message *message = letter->message;
    struct list list;
    char id[37], class_name[64];
    const char *topic = sl_arena_copy(arena, message->topic).data;

    if (!topic || !begin_list(&list, message->headers, message->header_count, arena))
        return no_memory(err);
    sl_record_id(letter->space, message, id);
    snprintf(class_name, sizeof(class_name), "sluice.%s", letter->reason);
    add(&list, "__connect.errors.topic", topic);
    add_number(&list, "__connect.errors.partition", message->partition);
    add_number(&list, "__connect.errors.offset", message->offset);
    add(&list, "__connect.errors.connector.name", "sluice");
    add(&list, "__connect.errors.task.id", letter->instance);
    add(&list, "__connect.errors.stage", stage_of(letter->reason));
    add(&list, "__connect.errors.class.name", "sluice");
    add(&list, "__connect.errors.exception.class.name", class_name);
    add(&list, "__connect.errors.exception.message", letter->explanation);
    add(&list, "sluice-reason", letter->reason);
    add(&list, "sluice-dlq-id", id);
    add_number(&list, "sluice-attempts", letter->attempts);
    if (letter->value_omitted && message->value.data)
        add_value_facts(&list, message->value);
    if (list.failed)
        return no_memory(err);
    *ret_outgoing = (struct sl_outgoing){
        .topic = letter->topic,
        .partition = -1,
        .timestamp_ms = message->timestamp_ms,
        .key = message->key,
        .value = letter->value_omitted ? SL_VIEW_NULL : message->value,
        .headers = list.headers,
        .header_count = list.count,
    };
    return SL_OK;
}

enum sl_err sl_dead_letter_shorten(const struct sl_outgoing *outgoing, struct sl_arena *arena,
                                   struct sl_outgoing *ret_outgoing, struct sl_error *err)
{
    bool key_goes = outgoing->key.size > KEY_KEPT_BYTES_MAX;
    struct list list;

    if (!begin_list(&list, outgoing->headers, outgoing->header_count, arena))
        return no_memory(err);
    if (outgoing->value.data)
        add_value_facts(&list, outgoing->value);
    if (key_goes)
        add_facts(&list, "sluice-key-bytes", "sluice-key-sha256", outgoing->key);
    if (list.failed)
        return no_memory(err);
    *ret_outgoing = *outgoing;
    ret_outgoing->value = SL_VIEW_NULL;
    if (key_goes)
        ret_outgoing->key = SL_VIEW_NULL;
    ret_outgoing->headers = list.headers;
    ret_outgoing->header_count = list.count;
    return SL_OK;
}
