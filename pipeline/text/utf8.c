/*
 * utf8.c -- strict UTF-8, and the few character classes the rest of the text code needs.
 *
 * Validation follows the table of well-formed sequences: the second byte's range depends on the
 * first, which rules out overlong forms, surrogates and everything above U+10FFFF in one comparison
 * each. Runs of ASCII are skipped eight bytes at a time, for most text is mostly that.
 *
 * The classes are small range tables of our own rather than ICU properties: they are asked for
 * every character of every document, and which characters count as invisible is our decision (a
 * bidi override must not hide a word from the index), not Unicode's.
 */
#include "text_internal.h"

#include <sluice/limits.h>

struct range {
    uint32_t first, last;
};

static bool ascii8(const unsigned char *p)
{
    uint64_t word;

    memcpy(&word, p, 8);
    return (word & 0x8080808080808080u) == 0;
}

/* Length of the well-formed sequence at p, 0 when there is none. */
static size_t sequence(const unsigned char *p, size_t left)
{
    unsigned char low = 0x80, high = 0xBF;
    size_t length;

    if (p[0] < 0x80)
        return 1;
    if (p[0] >= 0xC2 && p[0] <= 0xDF) {
        length = 2;
    } else if (p[0] >= 0xE0 && p[0] <= 0xEF) {
        length = 3;
        if (p[0] == 0xE0)
            low = 0xA0;
        else if (p[0] == 0xED)
            high = 0x9F;
    } else if (p[0] >= 0xF0 && p[0] <= 0xF4) {
        length = 4;
        if (p[0] == 0xF0)
            low = 0x90;
        else if (p[0] == 0xF4)
            high = 0x8F;
    } else {
        return 0;
    }
    if (left < length || p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    return length;
}

size_t sl_utf8_bad(struct sl_view text)
{
    const unsigned char *p = (const unsigned char *)text.data;
    size_t at = 0;

    while (at < text.size) {
        size_t length;

        while (text.size - at >= 8 && ascii8(p + at))
            at += 8;
        if (at == text.size)
            break;
        length = sequence(p + at, text.size - at);
        if (length == 0)
            return at;
        at += length;
    }
    return text.size;
}

size_t sl_utf8_floor(struct sl_view text, size_t at)
{
    if (at >= text.size)
        return text.size;
    while (at > 0 && ((unsigned char)text.data[at] & 0xC0) == 0x80)
        at--;
    return at;
}

uint32_t sl_utf8_next(struct sl_view text, size_t *at)
{
    const unsigned char *p = (const unsigned char *)text.data + *at;

    if (p[0] < 0x80) {
        *at += 1;
        return p[0];
    }
    if (p[0] < 0xE0) {
        *at += 2;
        return (uint32_t)(p[0] & 0x1F) << 6 | (p[1] & 0x3F);
    }
    if (p[0] < 0xF0) {
        *at += 3;
        return (uint32_t)(p[0] & 0x0F) << 12 | (uint32_t)(p[1] & 0x3F) << 6 | (p[2] & 0x3F);
    }
    *at += 4;
    return (uint32_t)(p[0] & 0x07) << 18 | (uint32_t)(p[1] & 0x3F) << 12 |
           (uint32_t)(p[2] & 0x3F) << 6 | (p[3] & 0x3F);
}

static bool in_ranges(const struct range *ranges, size_t count, uint32_t c)
{
    for (size_t i = 0; i < count && c >= ranges[i].first; i++)
        if (c <= ranges[i].last)
            return true;
    return false;
}
#define IN(table, c) in_ranges((table), sizeof(table) / sizeof((table)[0]), (c))

bool sl_char_space(uint32_t c)
{
    static const struct range spaces[] = {{0x85, 0x85},     {0xA0, 0xA0},     {0x1680, 0x1680},
                                          {0x2000, 0x200A}, {0x2028, 0x2029}, {0x202F, 0x202F},
                                          {0x205F, 0x205F}, {0x3000, 0x3000}};

    if (c < 0x80)
        return c == ' ' || (c >= '\t' && c <= '\r');
    return IN(spaces, c);
}

bool sl_char_invisible(uint32_t c)
{
    static const struct range hidden[] = {
        {0x7F, 0x84},     {0x86, 0x9F},      {0xAD, 0xAD},     {0x34F, 0x34F},   {0x61C, 0x61C},
        {0x115F, 0x1160}, {0x17B4, 0x17B5},  {0x180B, 0x180F}, {0x200B, 0x200F}, {0x202A, 0x202E},
        {0x2060, 0x206F}, {0x3164, 0x3164},  {0xFE00, 0xFE0F}, {0xFEFF, 0xFEFF}, {0xFFA0, 0xFFA0},
        {0xFFF0, 0xFFFB}, {0xE0000, 0xE0FFF}};

    if (c < 0x7F)
        return c < 0x20 && !sl_char_space(c);
    return IN(hidden, c);
}

bool sl_char_hangul(uint32_t c)
{
    static const struct range hangul[] = {
        {0x1100, 0x11FF}, {0x3130, 0x318F}, {0xA960, 0xA97F}, {0xAC00, 0xD7FF}, {0xFFA1, 0xFFDC}};

    return c >= 0x1100 && IN(hangul, c);
}

bool sl_char_han_kana(uint32_t c)
{
    static const struct range han_kana[] = {
        {0x2E80, 0x2FDF}, {0x3005, 0x3007}, {0x3021, 0x3029},  {0x3041, 0x3096}, {0x309D, 0x309F},
        {0x30A1, 0x30FA}, {0x30FC, 0x30FF}, {0x31F0, 0x31FF},  {0x3400, 0x4DBF}, {0x4E00, 0x9FFF},
        {0xF900, 0xFAFF}, {0xFF66, 0xFF9D}, {0x20000, 0x323AF}};

    return c >= 0x2E80 && IN(han_kana, c);
}

bool sl_char_extends(uint32_t c)
{
    static const struct range marks[] = {
        {0x300, 0x36F},   {0x483, 0x489},     {0x591, 0x5BD},     {0x610, 0x61A},
        {0x64B, 0x65F},   {0x6D6, 0x6DC},     {0x900, 0x903},     {0x93A, 0x94F},
        {0x981, 0x983},   {0x9BC, 0x9CD},     {0xE31, 0xE31},     {0xE34, 0xE3A},
        {0xE47, 0xE4E},   {0x1160, 0x11FF},   {0x135D, 0x135F},   {0x1AB0, 0x1AFF},
        {0x1DC0, 0x1DFF}, {0x200C, 0x200D},   {0x20D0, 0x20FF},   {0x302A, 0x302F},
        {0x3099, 0x309A}, {0xD7B0, 0xD7FB},   {0xFE00, 0xFE0F},   {0xFE20, 0xFE2F},
        {0xFF9E, 0xFF9F}, {0x1F3FB, 0x1F3FF}, {0xE0020, 0xE007F}, {0xE0100, 0xE01EF}};

    return c >= 0x300 && IN(marks, c);
}

size_t sl_grapheme_floor(struct sl_view text, size_t start, size_t at)
{
    size_t fallback = sl_utf8_floor(text, at);

    for (size_t cut = fallback; cut > start && fallback - cut <= 64;
         cut = sl_utf8_floor(text, cut - 1)) {
        size_t next = cut, before = sl_utf8_floor(text, cut - 1);

        if (cut == text.size)
            return cut;
        if (!sl_char_extends(sl_utf8_next(text, &next)) && sl_utf8_next(text, &before) != 0x200D)
            return cut;
    }
    return fallback > start ? fallback : at;
}

struct sl_view sl_view_trim(struct sl_view view)
{
    size_t start = 0, end = view.size;

    while (start < end) {
        size_t next = start;
        if (!sl_char_space(sl_utf8_next(view, &next)))
            break;
        start = next;
    }
    while (end > start) {
        size_t before = sl_utf8_floor(view, end - 1), at = before;
        if (!sl_char_space(sl_utf8_next(view, &at)))
            break;
        end = before;
    }
    return view.data == NULL ? view : sl_view_range(view, start, end);
}

bool sl_text_visible(struct sl_view text)
{
    for (size_t at = 0; at < text.size;) {
        uint32_t c = sl_utf8_next(text, &at);

        if (!sl_char_space(c) && !sl_char_invisible(c))
            return true;
    }
    return false;
}

uint32_t sl_text_words(struct sl_view text)
{
    uint32_t count = 0;
    size_t run_bytes = 0; /* of the run of letters we are in; 0 = between runs */

    for (size_t at = 0; at < text.size;) {
        size_t before = at;
        uint32_t c = sl_utf8_next(text, &at);

        if (sl_char_space(c) || (c >= 0x3001 && c <= 0x3003) || c == 0xFF0C || c == 0xFF0E) {
            run_bytes = 0;
        } else if (sl_char_han_kana(c)) {
            count++;
            run_bytes = 0;
        } else {
            if (run_bytes == 0 || run_bytes + (at - before) > SL_WORD_BYTES_MAX) {
                count++;
                run_bytes = 0;
            }
            run_bytes += at - before;
        }
    }
    return count;
}
