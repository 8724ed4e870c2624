/*
 * attributes.c -- a document's fields as keys that filters can look up.
 *
 *     key = length of field (1), field, type (1), value, block (4, added by the postings)
 *
 * Values are written so that bytes compare as values do: strings with 0x00 escaped and an end mark, numbers
 * as their bits with the sign turned, booleans as one byte. Strings over 160 bytes keep their beginning and
 * a digest; a filter that must know the rest reads the document.
 *
 * Every document has one more key without field, which makes "all documents" a look-up like any other, and
 * one for each validity interval.
 */
#include "index/internal.h"

#include <stdlib.h>

#include <sluice/hash.h>

#define STRING_BYTES_MAX (2 * SL_ATTR_VALUE_BYTES + 2 + 16)

static size_t write_string(struct sl_view text, char *to)
{
    size_t size = text.size <= SL_ATTR_VALUE_BYTES ? text.size : SL_ATTR_VALUE_BYTES, at = 0;

    for (size_t i = 0; i < size; i++) {
        to[at++] = text.data[i];
        if (text.data[i] == '\0')
            to[at++] = (char)0xFF;
    }
    to[at++] = 0;
    to[at++] = text.size > size ? 1 : 0;
    if (text.size > size) {
        uint8_t digest[32];
        sl_sha256(text, digest);
        memcpy(to + at, digest, 16);
        at += 16;
    }
    return at;
}

static size_t write_number(double number, char *to)
{
    uint64_t bits;

    if (number == 0)
        number = 0; /* -0 is 0 */
    memcpy(&bits, &number, sizeof bits);
    bits = bits >> 63 ? ~bits : bits | (uint64_t)1 << 63;
    sl_put_be64(to, bits);
    return 8;
}

static double read_number(const char *from)
{
    uint64_t bits = sl_get_be64(from);
    double number;

    bits = bits >> 63 ? bits & ~((uint64_t)1 << 63) : ~bits;
    memcpy(&number, &bits, sizeof number);
    return number;
}

void sl_attr_days_write(struct sl_day_range days, char bytes[8])
{
    sl_put_be32(bytes, (uint32_t)days.from ^ 0x80000000u);
    sl_put_be32(bytes + 4, (uint32_t)days.to ^ 0x80000000u);
}

struct sl_day_range sl_attr_days_read(const char *bytes)
{
    return (struct sl_day_range){(sl_day)(sl_get_be32(bytes) ^ 0x80000000u),
                                 (sl_day)(sl_get_be32(bytes + 4) ^ 0x80000000u)};
}

struct sl_view sl_attr_key(struct sl_view field, int type, struct sl_view value,
                           struct sl_arena *arena)
{
    size_t name = field.size <= SL_FIELD_NAME_MAX ? field.size : SL_FIELD_NAME_MAX;
    char *bytes = sl_arena_alloc(arena, name + value.size + 2);

    if (bytes == NULL)
        return SL_VIEW_NULL;
    bytes[0] = (char)name;
    memcpy(bytes + 1, field.data != NULL ? field.data : "", name);
    bytes[name + 1] = (char)type;
    memcpy(bytes + name + 2, value.data, value.size);
    return (struct sl_view){bytes, name + 2 + value.size};
}

struct sl_view sl_attr_prefix(struct sl_view field, struct sl_arena *arena)
{
    struct sl_view key = sl_attr_key(field, 0, SL_VIEW(""), arena);

    if (key.data != NULL)
        key.size--;
    return key;
}

struct sl_view sl_attr_field_key(const struct sl_field *field, struct sl_arena *arena)
{
    char value[STRING_BYTES_MAX];
    size_t size;

    if (field->type == SL_FIELD_STRING) {
        size = write_string(field->string, value);
    } else if (field->type == SL_FIELD_NUMBER) {
        size = write_number(field->number, value);
    } else {
        value[0] = field->boolean ? 1 : 0;
        size = 1;
    }
    return sl_attr_key(field->name, (int)field->type, (struct sl_view){value, size}, arena);
}

static bool read_string(struct sl_view value, struct sl_arena *arena, struct sl_view *ret_text,
                        bool *ret_long)
{
    char *text = sl_arena_alloc(arena, value.size + 1);
    size_t used = 0;

    for (size_t i = 0; text != NULL && i + 1 < value.size; i++) {
        if (value.data[i] != '\0') {
            text[used++] = value.data[i];
            continue;
        }
        if ((unsigned char)value.data[++i] == 0xFF) {
            text[used++] = '\0';
            continue;
        }
        *ret_long = value.data[i] == 1;
        *ret_text = (struct sl_view){text, used};
        return i + 1 + (*ret_long ? 16u : 0u) == value.size;
    }
    return false;
}

bool sl_attr_key_read(struct sl_view key, struct sl_arena *arena, struct sl_field *ret_field,
                      int *ret_type, bool *ret_long)
{
    size_t name = key.size > 0 ? (unsigned char)key.data[0] : 0;
    struct sl_field field = {0};
    struct sl_view value;

    if (key.size < name + 2)
        return false;
    field.name = sl_view_range(key, 1, 1 + name);
    value = sl_view_range(key, name + 2, key.size);
    *ret_type = (unsigned char)key.data[name + 1];
    *ret_long = false;
    field.type = (enum sl_field_type) * ret_type;
    if (*ret_type == SL_FIELD_STRING) {
        if (!read_string(value, arena, &field.string, ret_long))
            return false;
    } else if (*ret_type == SL_FIELD_NUMBER && value.size == 8) {
        field.number = read_number(value.data);
    } else if (*ret_type == SL_FIELD_BOOL && value.size == 1) {
        field.boolean = value.data[0] != 0;
    } else if (!(*ret_type == SL_ATTR_LIVE && value.size == 0) &&
               !(*ret_type == SL_ATTR_VALID && value.size == 8)) {
        return false;
    }
    *ret_field = field;
    return true;
}

static int compare_views(const void *a, const void *b)
{
    const struct sl_view *x = a, *y = b;
    size_t common = x->size < y->size ? x->size : y->size;
    int order = memcmp(x->data, y->data, common);

    return order != 0 ? order : (x->size > y->size) - (x->size < y->size);
}

static bool is_builtin(struct sl_view name)
{
    static const char *const names[] = {"topic", "key", "title", "lang", "url", "tenant", "date"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (sl_view_is(name, names[i]))
            return true;
    return false;
}

struct sl_view *sl_attr_keys(const struct sl_document *document, struct sl_arena *arena,
                             uint32_t *ret_count)
{
    const struct sl_field builtins[] = {
        {.name = SL_VIEW("topic"), .type = SL_FIELD_STRING, .string = document->topic},
        {.name = SL_VIEW("key"), .type = SL_FIELD_STRING, .string = document->key},
        {.name = SL_VIEW("title"), .type = SL_FIELD_STRING, .string = document->title},
        {.name = SL_VIEW("lang"), .type = SL_FIELD_STRING, .string = document->lang},
        {.name = SL_VIEW("url"), .type = SL_FIELD_STRING, .string = document->url},
        {.name = SL_VIEW("tenant"), .type = SL_FIELD_STRING, .string = document->tenant},
        {.name = SL_VIEW("date"), .type = SL_FIELD_STRING, .string = document->date}};
    uint32_t builtin_count = sizeof builtins / sizeof *builtins, count = 0, kept = 0;
    struct sl_view *keys =
        SL_NEW_ARRAY(arena, struct sl_view,
                     builtin_count + document->field_count + document->valid_count + 1);
    char days[8];

    if (keys == NULL)
        return NULL;
    keys[count++] = sl_attr_key(SL_VIEW(""), SL_ATTR_LIVE, SL_VIEW(""), arena);
    for (uint32_t i = 0; i < builtin_count; i++)
        if (builtins[i].string.data != NULL)
            keys[count++] = sl_attr_field_key(&builtins[i], arena);
    for (uint32_t i = 0; i < document->field_count; i++)
        if (!is_builtin(document->fields[i].name))
            keys[count++] = sl_attr_field_key(&document->fields[i], arena);
    for (uint32_t i = 0; i < document->valid_count; i++) {
        sl_attr_days_write(document->valid[i], days);
        keys[count++] = sl_attr_key(SL_VIEW(""), SL_ATTR_VALID, (struct sl_view){days, 8}, arena);
    }
    for (uint32_t i = 0; i < count; i++)
        if (keys[i].data == NULL)
            return NULL;
    qsort(keys, count, sizeof *keys, compare_views);
    for (uint32_t i = 0; i < count; i++)
        if (kept == 0 || !sl_view_equal(keys[kept - 1], keys[i]))
            keys[kept++] = keys[i];
    *ret_count = kept;
    return keys;
}
