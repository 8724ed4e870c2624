/*
 * tokenizer_charsmap.c -- "Precompiled": the replacements SentencePiece was trained with.
 *
 * The file holds, in base64, the bytes of a double-array trie (their number first, little endian)
 * and behind it the replacements, each ended by a NUL; the trie's values are offsets into those.
 * The reference looks a grapheme of under six bytes up as a whole and takes the first entry that it
 * begins with, even when that leaves a part of it out; then each of its characters. What it does is
 * what models were trained on, so this does the same. Offsets out of range are refused while the
 * text is read, by ending the walk: the file may say anything.
 */
#include "embed/tokenizer_internal.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <unicode/uchar.h>

#define BASE64_BYTES_MAX   (16u << 20)
#define GRAPHEME_BYTES_MAX 6u /* looked up whole when shorter */

struct sl_charsmap {
    uint8_t *bytes;
    const uint8_t *units; /* [unit_count] of 4 bytes */
    uint32_t unit_count;
    const char *replacements;
    uint32_t replacements_size;
};

static uint32_t unit_at(const struct sl_charsmap *map, uint32_t at)
{
    const uint8_t *p = map->units + (size_t)at * 4;

    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint32_t offset_of(uint32_t unit)
{
    return unit >> 10 << ((unit & 1u << 9) >> 6);
}

static enum sl_err decode(struct sl_charsmap *map, const char *text,
                          const struct sl_json_place *place, struct sl_error *err)
{
    size_t length = strlen(text), padding = 0;
    uint32_t size, trie_bytes;
    int decoded;

    while (padding < 2 && padding < length && text[length - 1 - padding] == '=')
        padding++;
    if (length == 0 || length % 4 != 0 || length > BASE64_BYTES_MAX)
        return sl_json_refuse(place, err, "must be base64 of at most %u bytes", BASE64_BYTES_MAX);
    map->bytes = malloc(length);
    if (map->bytes == NULL)
        return sl_json_refuse(place, err, "out of memory");
    decoded = EVP_DecodeBlock(map->bytes, (const unsigned char *)text, (int)length);
    if (decoded < 0 || (size_t)decoded < padding + 4)
        return sl_json_refuse(place, err, "must be base64 of a table of replacements");
    size = (uint32_t)decoded - (uint32_t)padding;
    map->units = map->bytes;
    trie_bytes = unit_at(map, 0);
    if (trie_bytes > size - 4 || trie_bytes % 4 != 0 || trie_bytes == 0)
        return sl_json_refuse(place, err,
                              "says its trie has %u bytes, but %u follow; allowed is a multiple "
                              "of 4 in that range",
                              trie_bytes, size - 4);
    map->units = map->bytes + 4;
    map->unit_count = trie_bytes / 4;
    map->replacements = (const char *)map->units + trie_bytes;
    map->replacements_size = size - 4 - trie_bytes;
    return SL_OK;
}

enum sl_err sl_charsmap_read(const cJSON *base64, const struct sl_json_place *place,
                             struct sl_charsmap **ret_charsmap, struct sl_error *err)
{
    struct sl_charsmap *map;
    enum sl_err r;

    if (!cJSON_IsString(base64))
        return sl_json_refuse(place, err, "must be a string in base64");
    map = calloc(1, sizeof *map);
    if (map == NULL)
        return sl_json_refuse(place, err, "out of memory");
    r = decode(map, base64->valuestring, place, err);
    if (r != SL_OK)
        map = sl_charsmap_close(map);
    else
        *ret_charsmap = map;
    return r;
}

struct sl_charsmap *sl_charsmap_close(struct sl_charsmap *charsmap)
{
    if (charsmap != NULL)
        free(charsmap->bytes);
    free(charsmap);
    return NULL;
}

/* The replacement of the shortest entry that `text` begins with; data is NULL when there is none.
 */
static struct sl_view replacement(const struct sl_charsmap *map, struct sl_view text)
{
    uint32_t at = offset_of(unit_at(map, 0));

    for (size_t i = 0; i < text.size && text.data[i] != '\0'; i++) {
        uint32_t byte = (unsigned char)text.data[i], unit, value;
        at ^= byte;
        if (at >= map->unit_count)
            break;
        unit = unit_at(map, at);
        if ((unit & (1u << 31 | 0xFF)) != byte)
            break;
        at ^= offset_of(unit);
        if (at >= map->unit_count)
            break;
        if ((unit >> 8 & 1) == 0)
            continue;
        value = unit_at(map, at) & 0x7FFFFFFF;
        if (value >= map->replacements_size)
            break;
        return (struct sl_view){map->replacements + value,
                                strnlen(map->replacements + value, map->replacements_size - value)};
    }
    return SL_VIEW_NULL;
}

static bool is_control(int32_t kind)
{
    return kind == U_GCB_CR || kind == U_GCB_LF || kind == U_GCB_CONTROL;
}

static bool joins_hangul(int32_t before, int32_t after)
{
    if (before == U_GCB_L)
        return after == U_GCB_L || after == U_GCB_V || after == U_GCB_LV || after == U_GCB_LVT;
    if (before == U_GCB_LV || before == U_GCB_V)
        return after == U_GCB_V || after == U_GCB_T;
    return (before == U_GCB_LVT || before == U_GCB_T) && after == U_GCB_T;
}

/* Do the two belong to one grapheme? Flags and emoji are not asked for: theirs are longer than
 * what is looked up whole. */
static bool joins(int32_t before, int32_t after)
{
    if (before == U_GCB_CR && after == U_GCB_LF)
        return true;
    if (is_control(before) || is_control(after))
        return false;
    return after == U_GCB_EXTEND || after == U_GCB_ZWJ || after == U_GCB_SPACING_MARK ||
           before == U_GCB_PREPEND || joins_hangul(before, after);
}

/* End of the grapheme at `start`. */
static size_t grapheme_end(struct sl_view text, size_t start)
{
    const char *bytes = text.data;
    size_t at = start, next;
    UChar32 c, after;
    int32_t kind;

    c = sl_next_char(text, &at);
    if (at < text.size && (unsigned char)bytes[at] < 0x80 && c < 0x300 && bytes[at] != '\n')
        return at;
    kind = u_getIntPropertyValue(c, UCHAR_GRAPHEME_CLUSTER_BREAK);
    while (at < text.size) {
        int32_t kind_after;
        next = at;
        after = sl_next_char(text, &next);
        kind_after = u_getIntPropertyValue(after, UCHAR_GRAPHEME_CLUSTER_BREAK);
        if (!joins(kind, kind_after) &&
            !(kind == U_GCB_ZWJ && u_hasBinaryProperty(after, UCHAR_EXTENDED_PICTOGRAPHIC) &&
              u_hasBinaryProperty(c, UCHAR_EXTENDED_PICTOGRAPHIC)))
            break;
        kind = kind_after;
        at = next;
    }
    return at;
}

/* Each character of one grapheme by itself. */
static bool run_chars(const struct sl_charsmap *map, struct sl_view grapheme,
                      struct sl_work_text *out)
{
    bool kept = false;

    for (size_t at = 0, start; at < grapheme.size;) {
        struct sl_view part, by;
        start = at;
        (void)sl_next_char(grapheme, &at);
        part = sl_view_range(grapheme, start, at);
        by = replacement(map, part);
        part = by.data != NULL ? by : part;
        sl_work_add(out, part.data, part.size);
        kept = kept || (start == 0 && part.size > 0);
    }
    return kept;
}

bool sl_charsmap_run(const struct sl_charsmap *charsmap, struct sl_view text,
                     struct sl_work_text *out)
{
    bool kept = true;

    for (size_t start = 0, end; start < text.size && !out->overflow; start = end) {
        struct sl_view grapheme, by = SL_VIEW_NULL;
        bool some;
        end = grapheme_end(text, start);
        grapheme = sl_view_range(text, start, end);
        if (grapheme.size < GRAPHEME_BYTES_MAX)
            by = replacement(charsmap, grapheme);
        if (by.data != NULL)
            sl_work_add(out, by.data, by.size);
        some = by.data != NULL ? by.size > 0 : run_chars(charsmap, grapheme, out);
        kept = kept && (start > 0 || some);
    }
    return kept;
}
