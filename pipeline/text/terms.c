/*
 * terms.c -- a text to the terms it is found by.
 *
 * The text goes block by block through NFKC case folding (which also drops invisible characters)
 * into UTF-16; each block is then cut into stretches by script, because the scripts need different
 * words: an eojeol with Hangul gives character bigrams and its stem, Han and kana give bigrams,
 * everything else ICU words that are stopped and stemmed (term_words.c). All terms are collected,
 * sorted by bytes and merged, which is simpler than a hash table and needs the order anyway.
 *
 * Rejected: one decision for the whole text by language (mixed texts are the rule in Korean), and
 * ICU's dictionary words for Han and kana (its words differ with context, and a question has none).
 *
 * Blocks are cut at white space, so memory stays bounded; runs of combining marks are cut at 30, as
 * Unicode's stream-safe form does, because canonical ordering of a longer one takes quadratic time.
 */
#include "term_internal.h"

#include <sluice/hash.h>
#include <sluice/limits.h>

#include <stdlib.h>
#include <unicode/uchar.h>

enum { MARKS_IN_A_ROW = 30, HASHED_HEAD_BYTES = SL_TERM_BYTES_MAX - 16 };

void sl_terms_add(struct sl_term_sink *sink, const char *term, size_t size)
{
    struct sl_term_place place = {(uint32_t)sink->pool.size, 0};

    if (size == 0)
        return;
    if (size > SL_TERM_BYTES_MAX) { /* the head for people, a digest to tell it from others */
        struct sl_view whole = {term, size};
        size_t head = sl_utf8_floor(whole, HASHED_HEAD_BYTES);
        uint8_t digest[32];
        char hex[17];

        sl_sha256(whole, digest);
        sl_hex(digest, 8, hex);
        sl_buffer_add(&sink->pool, term, head);
        sl_buffer_add(&sink->pool, hex, 16);
    } else {
        sl_buffer_add(&sink->pool, term, size);
    }
    place.size = (uint32_t)sink->pool.size - place.offset;
    sl_buffer_add(&sink->places, &place, sizeof place);
}

void sl_terms_add_units(struct sl_term_sink *sink, const UChar *units, int32_t count)
{
    char small[256], *text = small;
    size_t size = 0;

    if (count > (int32_t)sizeof small / 3) {
        text = malloc((size_t)count * 3);
        if (text == NULL) {
            sink->pool.failed = true;
            return;
        }
    }
    size = sl_units_to_utf8(units, count, text);
    sl_terms_add(sink, text, size);
    if (text != small)
        free(text);
}

static size_t put_utf8(uint32_t c, char *p)
{
    if (c < 0x80) {
        p[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        p[0] = (char)(0xC0 | c >> 6);
        p[1] = (char)(0x80 | (c & 0x3F));
        return 2;
    }
    if (c < 0x10000) {
        p[0] = (char)(0xE0 | c >> 12);
        p[1] = (char)(0x80 | (c >> 6 & 0x3F));
        p[2] = (char)(0x80 | (c & 0x3F));
        return 3;
    }
    p[0] = (char)(0xF0 | c >> 18);
    p[1] = (char)(0x80 | (c >> 12 & 0x3F));
    p[2] = (char)(0x80 | (c >> 6 & 0x3F));
    p[3] = (char)(0x80 | (c & 0x3F));
    return 4;
}

size_t sl_units_to_utf8(const UChar *units, int32_t count, char *ret_text)
{
    size_t size = 0;

    for (int32_t at = 0; at < count;) {
        uint32_t c = sl_utf16_next(units, count, &at);
        if (c < 0xD800 || c > 0xDFFF)
            size += put_utf8(c, ret_text + size);
    }
    return size;
}

/* ------------------------------------------------------------------ blocks */

/* Where the block that starts at `start` ends: at white space in its second half, else anywhere. */
static size_t block_end(struct sl_view text, size_t start)
{
    size_t end = start + SL_TEXT_BLOCK_BYTES / 2, middle = start + SL_TEXT_BLOCK_BYTES / 4;

    if (end >= text.size)
        return text.size;
    for (size_t at = end; at > middle; at--)
        if ((unsigned char)text.data[at] <= ' ')
            return at;
    return sl_grapheme_floor(text, start, end);
}

/* The block as UTF-16, long runs of combining marks cut. '_' and '@' part words here, unlike in
 * ICU. */
static int32_t to_units(struct sl_text_tools *tools, struct sl_view block)
{
    int32_t count = 0;
    uint32_t marks = 0;

    for (size_t at = 0; at < block.size;) {
        uint32_t c = sl_utf8_next(block, &at);

        if (c >= 0x300 && u_getCombiningClass((UChar32)c) != 0) {
            if (++marks > MARKS_IN_A_ROW)
                continue;
        } else {
            marks = 0;
        }
        if (c == '_' || c == '@')
            c = ' ';
        U16_APPEND_UNSAFE(tools->units, count, c);
    }
    return count;
}

static enum sl_err fold(struct sl_text_tools *tools, int32_t count, int32_t *ret_count,
                        struct sl_error *err)
{
    for (;;) {
        UErrorCode status = U_ZERO_ERROR;
        int32_t folded = unorm2_normalize(tools->fold, tools->units, count, tools->folded,
                                          tools->folded_capacity, &status);
        UChar *grown;

        if (U_SUCCESS(status)) {
            *ret_count = folded;
            return SL_OK;
        }
        if (status != U_BUFFER_OVERFLOW_ERROR)
            return sl_stop(err, SL_EXIT_SOFTWARE, (int)status, "icu", "ICU cannot fold a text: %s",
                           u_errorName(status));
        grown = realloc(tools->folded, sizeof(UChar) * (size_t)folded);
        if (grown == NULL)
            return sl_stop(err, SL_EXIT_OS, 0, "memory", "out of memory folding a text");
        tools->folded = grown;
        tools->folded_capacity = folded;
    }
}

enum sl_err sl_terms_fold(struct sl_text_tools *tools, struct sl_view text, int32_t *ret_count,
                          struct sl_error *err)
{
    return fold(tools, to_units(tools, text), ret_count, err);
}

/* ------------------------------------------------------------------ scripts */

enum script { SCRIPT_OTHER, SCRIPT_EOJEOL, SCRIPT_HAN_KANA };

static bool ascii_word(uint32_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* Is the unit a '.' or ',' inside a number? */
static bool inside_number(const UChar *units, int32_t count, int32_t at)
{
    return (units[at] == '.' || units[at] == ',') && at > 0 && at + 1 < count &&
           units[at - 1] >= '0' && units[at - 1] <= '9' && units[at + 1] >= '0' &&
           units[at + 1] <= '9';
}

/* The stretch that begins at `start`: its script, and its end. An eojeol is a run of Hangul, ASCII
 * letters and numbers that holds Hangul. */
static enum script stretch(const UChar *units, int32_t count, int32_t start, int32_t *ret_end)
{
    bool hangul = false;
    int32_t at = start, before;
    uint32_t c;

    while (at < count) {
        before = at;
        c = sl_utf16_next(units, count, &at);
        hangul |= sl_char_hangul(c);
        if (!ascii_word(c) && !sl_char_hangul(c) && !inside_number(units, count, before)) {
            at = before;
            break;
        }
    }
    *ret_end = at;
    if (hangul)
        return SCRIPT_EOJEOL;
    while (at < count) {
        before = at;
        c = sl_utf16_next(units, count, &at);
        if (!sl_char_han_kana(c)) {
            at = before;
            break;
        }
    }
    if (at > *ret_end && *ret_end == start) {
        *ret_end = at;
        return SCRIPT_HAN_KANA;
    }
    return SCRIPT_OTHER;
}

/* The end of a stretch of neither Hangul nor Han: up to the next one. */
static int32_t other_end(const UChar *units, int32_t count, int32_t start)
{
    int32_t at = start,
            word_start = start; /* start of the run of ASCII letters and digits at `at` */

    while (at < count) {
        int32_t before = at;
        uint32_t c;

        c = sl_utf16_next(units, count, &at);
        if (sl_char_hangul(c))
            return word_start;
        if (sl_char_han_kana(c))
            return before;
        if (!ascii_word(c) && !inside_number(units, count, before))
            word_start = at;
    }
    return count;
}

void sl_terms_bigrams(struct sl_term_sink *sink, const UChar *units, int32_t count)
{
    int32_t first = 0, second = 0, end;

    U16_FWD_1(units, second, count);
    if (second == count) {
        sl_terms_add_units(sink, units, count);
        return;
    }
    while (second < count) {
        end = second;
        U16_FWD_1(units, end, count);
        sl_terms_add_units(sink, units + first, end - first);
        first = second;
        second = end;
    }
}

static enum sl_err add_block(struct sl_term_sink *sink, const UChar *units, int32_t count,
                             struct sl_error *err)
{
    int32_t at = 0, end;

    while (at < count) {
        enum sl_err code = SL_OK;

        switch (stretch(units, count, at, &end)) {
        case SCRIPT_EOJEOL:
            code = sl_terms_eojeol(sink, units + at, end - at, err);
            break;
        case SCRIPT_HAN_KANA:
            sl_terms_bigrams(sink, units + at, end - at);
            break;
        case SCRIPT_OTHER:
            end = other_end(units, count, at);
            code = sl_terms_words(sink, units + at, end - at, err);
            break;
        }
        if (code != SL_OK)
            return code;
        at = end;
    }
    return SL_OK;
}

/* ------------------------------------------------------------------ counting */

static int compare_places(const void *left, const void *right, void *context)
{
    const struct sl_term_place *a = left, *b = right;
    const char *pool = context;
    uint32_t shorter = a->size < b->size ? a->size : b->size;
    int order = memcmp(pool + a->offset, pool + b->offset, shorter);

    if (order != 0)
        return order;
    return a->size < b->size ? -1 : a->size > b->size;
}

static bool same_term(const char *pool, struct sl_term_place a, struct sl_term_place b)
{
    return a.size == b.size && memcmp(pool + a.offset, pool + b.offset, a.size) == 0;
}

static enum sl_err count_terms(struct sl_term_sink *sink, struct sl_arena *arena,
                               struct sl_term_count **ret_terms, uint32_t *ret_count,
                               struct sl_error *err)
{
    struct sl_term_place *places = (struct sl_term_place *)(void *)sink->places.data;
    size_t total = sink->places.size / sizeof *places;
    const char *pool = sink->pool.data;
    struct sl_term_count *terms;
    uint32_t unique = 0;

    if (total > 0)
        qsort_r(places, total, sizeof *places, compare_places, sink->pool.data);
    for (size_t i = 0; i < total; i++)
        unique += i == 0 || !same_term(pool, places[i - 1], places[i]);
    terms = SL_NEW_ARRAY(arena, struct sl_term_count, unique);
    if (terms == NULL)
        return sl_fail(err, SL_REJECT, "too_large", "%u terms do not fit into memory", unique);
    unique = 0;
    for (size_t i = 0; i < total; i++) {
        if (i > 0 && same_term(pool, places[i - 1], places[i])) {
            terms[unique - 1].count++;
            continue;
        }
        terms[unique].term =
            sl_arena_copy(arena, (struct sl_view){pool + places[i].offset, places[i].size});
        if (terms[unique].term.data == NULL)
            return sl_fail(err, SL_REJECT, "too_large", "%u terms do not fit into memory", unique);
        terms[unique++].count = 1;
    }
    *ret_terms = terms;
    *ret_count = unique;
    return SL_OK;
}

static enum sl_err collect(struct sl_term_sink *sink, struct sl_view text, struct sl_error *err)
{
    for (size_t start = 0; start < text.size;) {
        size_t end = block_end(text, start);
        int32_t count = 0;
        enum sl_err code = sl_terms_fold(sink->tools, sl_view_range(text, start, end), &count, err);

        if (code == SL_OK)
            code = add_block(sink, sink->tools->folded, count, err);
        if (code != SL_OK)
            return code;
        start = end;
    }
    if (sink->pool.failed || sink->places.failed)
        return sl_stop(err, SL_EXIT_OS, 0, "memory", "out of memory collecting terms");
    return SL_OK;
}

enum sl_err sl_text_terms(struct sl_view text, const char *language, struct sl_arena *arena,
                          struct sl_term_count **ret_terms, uint32_t *ret_count,
                          uint32_t *ret_length, struct sl_error *err)
{
    return sl_text_terms_listed(text, language, NULL, arena, ret_terms, ret_count, ret_length, err);
}

enum sl_err sl_text_terms_listed(struct sl_view text, const char *language,
                                 const struct sl_word_lists *lists, struct sl_arena *arena,
                                 struct sl_term_count **ret_terms, uint32_t *ret_count,
                                 uint32_t *ret_length, struct sl_error *err)
{
    struct sl_term_sink sink = {.lists = lists};
    enum sl_err code = sl_text_tools(&sink.tools, err);

    if (code != SL_OK)
        return code;
    sink.language = sl_language_index(language != NULL ? language : sl_text_language(text));
    code = collect(&sink, text, err);
    if (code == SL_OK)
        code = count_terms(&sink, arena, ret_terms, ret_count, err);
    if (code == SL_OK)
        *ret_length = (uint32_t)(sink.places.size / sizeof(struct sl_term_place));
    sl_buffer_fini(&sink.pool);
    sl_buffer_fini(&sink.places);
    return code;
}
