/*
 * json_scan.c -- everything about a JSON text that cJSON would let through, in one pass before it.
 *
 * cJSON accepts bytes after the root, duplicate keys (the first wins), raw control characters,
 * numbers such as 0123 and 1e999, invalid UTF-8, and cuts a string at \u0000; it also turns 10 MB
 * of `[0,0,...` into 400 MB of tree. So the text is walked once here against the grammar and our
 * limits, and only what passes is parsed. Every refusal names its reason and the byte.
 *
 * Duplicate keys are found when an object closes: the keys of the objects still open wait on one
 * stack of (hash, offset) pairs, at most SL_JSON_DEPTH_MAX * SL_JSON_MEMBERS_MAX of them whatever
 * the input; the closing object's own are sorted by hash, and equal hashes are compared decoded,
 * since "a" and "\u0061" are one key. Known weakness: a duplicate is therefore reported after a
 * later fault of the same object.
 */
#include "text/text_internal.h"

#include <sluice/decode.h>
#include <sluice/limits.h>

#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>

struct key {
    uint32_t hash;
    uint32_t offset; /* of the opening quote */
};

enum { KEYS_AT_FIRST = 128 };

struct scan {
    const char *text;
    size_t size;
    size_t at;
    uint32_t depth;
    uint32_t tokens;
    struct key *keys;
    size_t key_count;
    size_t key_capacity;
    struct key first_keys[KEYS_AT_FIRST];
    struct sl_error *err;
};

/* One container that is open. */
struct frame {
    bool object;
    uint32_t members;
    size_t first_key; /* index into scan.keys */
};

static enum sl_err refuse(struct scan *scan, const char *reason, const char *what)
{
    return sl_fail(scan->err, SL_REJECT, reason, "JSON, byte %zu: %s", scan->at, what);
}

static void skip_space(struct scan *scan)
{
    while (scan->at < scan->size && strchr(" \t\r\n", scan->text[scan->at]) != NULL &&
           scan->text[scan->at] != '\0')
        scan->at++;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Four hex digits at p, or -1. */
static int32_t hex4(const char *p, size_t left)
{
    int32_t value = 0;

    if (left < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        int digit = hex_value(p[i]);
        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

/* After `\u`: the code point, its pair included. */
static enum sl_err scan_unicode_escape(struct scan *scan, uint32_t *ret_code)
{
    int32_t first = hex4(scan->text + scan->at, scan->size - scan->at), second;

    if (first < 0)
        return refuse(scan, "bad_json", "\\u needs four hex digits");
    if (first == 0)
        return refuse(scan, "nul_in_string", "\\u0000 in a string; no text may hold it");
    if (first >= 0xDC00 && first <= 0xDFFF)
        return refuse(scan, "bad_utf8", "a low surrogate without its high one");
    scan->at += 4;
    *ret_code = (uint32_t)first;
    if (first < 0xD800 || first > 0xDBFF)
        return SL_OK;
    if (scan->size - scan->at < 6 || scan->text[scan->at] != '\\' ||
        scan->text[scan->at + 1] != 'u')
        return refuse(scan, "bad_utf8", "a high surrogate without its low one");
    second = hex4(scan->text + scan->at + 2, 4);
    if (second < 0xDC00 || second > 0xDFFF)
        return refuse(scan, "bad_utf8", "a high surrogate without its low one");
    scan->at += 6;
    *ret_code = 0x10000u + ((uint32_t)(first - 0xD800) << 10) + (uint32_t)(second - 0xDC00);
    return SL_OK;
}

/* FNV-1a over decoded code points, so that escapes make no difference. */
static uint32_t hash_step(uint32_t hash, uint32_t code)
{
    for (int shift = 0; shift < 24; shift += 8)
        hash = (hash ^ ((code >> shift) & 0xFF)) * 16777619u;
    return hash;
}

static enum sl_err scan_escape(struct scan *scan, uint32_t *ret_code)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    const char *name;
    char c;

    if (scan->at == scan->size)
        return refuse(scan, "bad_json", "the text ends inside a string");
    c = scan->text[scan->at];
    if (c == 'u') {
        scan->at++;
        return scan_unicode_escape(scan, ret_code);
    }
    name = c == '\0' ? NULL : strchr(names, c);
    if (name == NULL)
        return refuse(scan, "bad_json",
                      "no such escape; allowed are \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\u");
    scan->at++;
    *ret_code = (unsigned char)values[name - names];
    return SL_OK;
}

/* One character of a string, escape or not. *ret_code is UINT32_MAX at the closing quote. */
static enum sl_err scan_character(struct scan *scan, uint32_t *ret_code)
{
    unsigned char c;

    if (scan->at == scan->size)
        return refuse(scan, "bad_json", "the text ends inside a string");
    c = (unsigned char)scan->text[scan->at];
    if (c == 0)
        return refuse(scan, "nul_in_string", "a NUL byte in a string; no text may hold it");
    if (c < 0x20)
        return refuse(scan, "control_in_string", "a raw control character in a string; escape it");
    if (c == '"') {
        scan->at++;
        *ret_code = UINT32_MAX;
        return SL_OK;
    }
    if (c == '\\') {
        scan->at++;
        return scan_escape(scan, ret_code);
    }
    *ret_code = sl_utf8_next((struct sl_view){scan->text, scan->size}, &scan->at);
    return SL_OK;
}

/* Pre: at the opening quote. */
static enum sl_err scan_string(struct scan *scan, uint32_t *ret_hash)
{
    uint32_t hash = 2166136261u, code = 0;

    scan->at++;
    for (;;) {
        enum sl_err code_err = scan_character(scan, &code);
        if (code_err != SL_OK)
            return code_err;
        if (code == UINT32_MAX)
            break;
        hash = hash_step(hash, code);
    }
    *ret_hash = hash;
    return SL_OK;
}

static bool keys_equal(const struct scan *scan, uint32_t a_offset, uint32_t b_offset)
{
    struct scan a = {.text = scan->text, .size = scan->size, .at = a_offset + 1u};
    struct scan b = {.text = scan->text, .size = scan->size, .at = b_offset + 1u};
    uint32_t a_code = 0, b_code = 0;

    do { /* both were scanned before, so neither can fail */
        (void)scan_character(&a, &a_code);
        (void)scan_character(&b, &b_code);
    } while (a_code == b_code && a_code != UINT32_MAX);
    return a_code == b_code;
}

static int compare_keys(const void *left, const void *right)
{
    const struct key *a = left, *b = right;

    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    return a->offset < b->offset ? -1 : a->offset > b->offset;
}

/* Find a key that stands twice in the object whose keys begin at `first`, and forget them all. */
static enum sl_err close_keys(struct scan *scan, size_t first)
{
    struct key *keys = scan->keys + first;
    size_t count = scan->key_count - first;

    scan->key_count = first;
    qsort(keys, count, sizeof *keys, compare_keys);
    for (size_t i = 0; i < count; i++)
        for (size_t j = i + 1; j < count && keys[j].hash == keys[i].hash; j++)
            if (keys_equal(scan, keys[i].offset, keys[j].offset)) {
                scan->at = keys[j].offset;
                return refuse(scan, "duplicate_key", "this key stands twice in one object");
            }
    return SL_OK;
}

static enum sl_err push_key(struct scan *scan, uint32_t hash, size_t offset)
{
    if (scan->key_count == scan->key_capacity) {
        size_t capacity = scan->key_capacity * 4;
        bool own = scan->keys != scan->first_keys;
        struct key *grown = realloc(own ? scan->keys : NULL, capacity * sizeof *grown);

        if (grown == NULL)
            return sl_stop(scan->err, SL_EXIT_OS, 0, "memory", "out of memory checking JSON");
        if (!own)
            memcpy(grown, scan->first_keys, sizeof scan->first_keys);
        scan->keys = grown;
        scan->key_capacity = capacity;
    }
    scan->keys[scan->key_count++] = (struct key){hash, (uint32_t)offset};
    return SL_OK;
}

static size_t digits(struct scan *scan)
{
    size_t start = scan->at;

    while (scan->at < scan->size && scan->text[scan->at] >= '0' && scan->text[scan->at] <= '9')
        scan->at++;
    return scan->at - start;
}

static bool next_is(const struct scan *scan, const char *any)
{
    return scan->at < scan->size && scan->text[scan->at] != '\0' &&
           strchr(any, scan->text[scan->at]) != NULL;
}

/* The grammar of a number; false when it is broken. */
static bool number_form(struct scan *scan, bool *ret_integer)
{
    size_t start;

    *ret_integer = true;
    if (next_is(scan, "-"))
        scan->at++;
    start = scan->at;
    if (digits(scan) == 0 || (scan->text[start] == '0' && scan->at - start > 1))
        return false;
    if (next_is(scan, ".")) {
        scan->at++;
        *ret_integer = false;
        if (digits(scan) == 0)
            return false;
    }
    if (next_is(scan, "eE")) {
        scan->at++;
        *ret_integer = false;
        if (next_is(scan, "+-"))
            scan->at++;
        if (digits(scan) == 0)
            return false;
    }
    return true;
}

static enum sl_err scan_number(struct scan *scan)
{
    char copy[SL_JSON_NUMBER_BYTES_MAX + 1];
    size_t start = scan->at, length;
    bool integer;
    double value;

    if (!number_form(scan, &integer))
        return refuse(scan, "bad_json", "not a number as JSON writes them");
    length = scan->at - start;
    if (length > SL_JSON_NUMBER_BYTES_MAX)
        return refuse(scan, "number_range", "a number longer than 32 bytes");
    memcpy(copy, scan->text + start, length);
    copy[length] = '\0';
    value = strtod(copy, NULL);
    if (!isfinite(value))
        return refuse(scan, "number_range", "a number no double can hold");
    if (integer) {
        long long whole = strtoll(copy, NULL, 10); /* saturates */
        if (whole > (1LL << 53) || whole < -(1LL << 53))
            return refuse(scan, "number_range",
                          "an integer beyond 2^53 would lose digits; write it as a string");
    }
    return SL_OK;
}

static enum sl_err scan_word(struct scan *scan)
{
    static const char *const words[] = {"true", "false", "null"};

    for (size_t i = 0; i < 3; i++) {
        size_t length = strlen(words[i]);
        if (scan->size - scan->at >= length &&
            memcmp(scan->text + scan->at, words[i], length) == 0) {
            scan->at += length;
            return SL_OK;
        }
    }
    return refuse(scan, "bad_json", "expected a value");
}

static enum sl_err count_token(struct scan *scan)
{
    if (++scan->tokens > SL_JSON_TOKENS_MAX)
        return refuse(scan, "too_many_tokens", "more than 50000 values and names");
    return SL_OK;
}

/* `"name":` of the next member. */
static enum sl_err scan_name(struct scan *scan, struct frame *frame)
{
    size_t start = scan->at;
    uint32_t hash = 0;
    enum sl_err code;

    if (!next_is(scan, "\""))
        return refuse(scan, "bad_json", "expected a member name in double quotes");
    if (++frame->members > SL_JSON_MEMBERS_MAX)
        return refuse(scan, "too_many_tokens", "an object with more than 1000 members");
    if ((code = count_token(scan)) != SL_OK || (code = scan_string(scan, &hash)) != SL_OK ||
        (code = push_key(scan, hash, start)) != SL_OK)
        return code;
    skip_space(scan);
    if (!next_is(scan, ":"))
        return refuse(scan, "bad_json", "expected ':' after a member name");
    scan->at++;
    return SL_OK;
}

static enum sl_err open_container(struct scan *scan, struct frame *frames)
{
    if (scan->depth == SL_JSON_DEPTH_MAX)
        return refuse(scan, "too_deep", "nested deeper than 32");
    frames[scan->depth++] = (struct frame){scan->text[scan->at] == '{', 0, scan->key_count};
    scan->at++;
    return SL_OK;
}

/* A value that is not a container. */
static enum sl_err scan_scalar(struct scan *scan)
{
    uint32_t hash;

    if (next_is(scan, "\""))
        return scan_string(scan, &hash);
    if (next_is(scan, "-0123456789"))
        return scan_number(scan);
    return scan_word(scan);
}

/* After a value: close what ends here, or move past the comma. Leaves `at` where a value or name
 * starts, or depth 0. */
static enum sl_err after_value(struct scan *scan, struct frame *frames)
{
    while (scan->depth > 0) {
        struct frame *frame = &frames[scan->depth - 1];
        enum sl_err code;

        skip_space(scan);
        if (next_is(scan, ",")) {
            scan->at++;
            return SL_OK;
        }
        if (!next_is(scan, frame->object ? "}" : "]"))
            return refuse(scan, "bad_json",
                          frame->object ? "expected ',' or '}'" : "expected ',' or ']'");
        scan->at++;
        if (frame->object && (code = close_keys(scan, frame->first_key)) != SL_OK)
            return code;
        scan->depth--;
    }
    return SL_OK;
}

static enum sl_err scan_root(struct scan *scan)
{
    struct frame frames[SL_JSON_DEPTH_MAX];
    bool opened = false; /* the container on top was just opened: it may close at once */
    enum sl_err code;

    do {
        struct frame *frame = scan->depth > 0 ? &frames[scan->depth - 1] : NULL;

        skip_space(scan);
        if (opened && next_is(scan, frame->object ? "}" : "]")) {
            scan->at++;
            scan->depth--;
            opened = false;
            if ((code = after_value(scan, frames)) != SL_OK)
                return code;
            continue;
        }
        opened = false;
        if (frame != NULL && frame->object && (code = scan_name(scan, frame)) != SL_OK)
            return code;
        skip_space(scan);
        if ((code = count_token(scan)) != SL_OK)
            return code;
        if (next_is(scan, "{[")) {
            if ((code = open_container(scan, frames)) != SL_OK)
                return code;
            opened = true;
        } else if ((code = scan_scalar(scan)) != SL_OK ||
                   (code = after_value(scan, frames)) != SL_OK) {
            return code;
        }
    } while (scan->depth > 0);
    skip_space(scan);
    if (scan->at < scan->size)
        return refuse(scan, "trailing_data", "something follows the value; one record holds one");
    return SL_OK;
}

static enum sl_err json_check(struct sl_view json, struct sl_error *err)
{
    struct scan scan = {.text = json.data, .size = json.size, .err = err};
    enum sl_err code;

    scan.keys = scan.first_keys;
    scan.key_capacity = KEYS_AT_FIRST;
    scan.at = sl_utf8_bad(json);
    if (scan.at < json.size)
        return refuse(&scan, "bad_utf8", "not UTF-8");
    scan.at = 0;
    code = scan_root(&scan);
    if (scan.keys != scan.first_keys)
        free(scan.keys);
    return code;
}

enum sl_err sl_json_parse(struct sl_view json, struct cJSON **ret_root, struct sl_error *err)
{
    struct cJSON *root;
    enum sl_err code;

    if (json.size > SL_RECORD_BYTES_MAX)
        return sl_fail(err, SL_REJECT, "too_large", "JSON of %zu bytes; at most %u are read",
                       json.size, SL_RECORD_BYTES_MAX);
    if (json.size >= 3 && memcmp(json.data, "\xEF\xBB\xBF", 3) == 0)
        json = sl_view_range(json, 3, json.size);
    if (json.size == 0)
        return sl_fail(err, SL_REJECT, "bad_json", "JSON, byte 0: nothing there");
    code = json_check(json, err);
    if (code != SL_OK)
        return code;
    root = cJSON_ParseWithLength(json.data, json.size);
    if (root == NULL)
        return sl_fail(err, SL_REJECT, "bad_json", "the JSON parser refused a text of %zu bytes",
                       json.size);
    *ret_root = root;
    return SL_OK;
}
