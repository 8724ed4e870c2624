/*
 * select.c -- a filter to the set of documents it selects.
 *
 * Each comparison looks at the distinct values of its field in the attribute index, not at documents: the
 * value is tested once, by the same function that tests documents (sl_filter_field_matches), and the rows
 * that hold it are added to the set. A comparison for equality goes straight to its value. Sets are bits by
 * document number; and, or, not work on words.
 *
 * A copy has attributes of its own and no chunks: where the filter could tell it from the document it is found
 * through, that one is selected with it.
 *
 * A string too long for a key is known there by its beginning only; then the documents are read.
 */
#include "index/internal.h"

struct choice {
    const struct sl_snapshot *snapshot;
    struct sl_arena *arena;
    uint32_t words;
    struct sl_error *err;
};

static enum sl_err too_large(const struct choice *choice)
{
    return sl_fail(choice->err, SL_REJECT, "too_large",
                   "filter: its set of documents does not fit the question's memory");
}

static void add(uint64_t *bits, uint32_t words, uint32_t document)
{
    if (document / 64 < words)
        bits[document / 64] |= (uint64_t)1 << (document % 64);
}

/* Does one stored document match a comparison? For values whose key does not hold all of them. */
static enum sl_err test_document(const struct choice *choice, uint32_t document,
                                 const struct sl_filter *filter, bool *ret_matches)
{
    SL_CLEANUP(sl_arena_closep) struct sl_arena *arena = sl_arena_open(SL_ARENA_BYTES_MAX);
    struct sl_document stored;
    enum sl_err rc;

    if (arena == NULL)
        return too_large(choice);
    rc = sl_snapshot_document(choice->snapshot, document, arena, &stored, NULL, choice->err);
    if (rc == SL_REJECT)
        return sl_corrupt(choice->err, "attr", document, "names a document that is not there");
    if (rc == SL_OK)
        *ret_matches = sl_filter_matches(filter, &stored);
    return rc;
}

/* Add a row's documents; with a filter, those that match it. */
static enum sl_err add_row(const struct choice *choice, const struct sl_cursor *cursor,
                           const struct sl_filter *filter, uint64_t *bits)
{
    struct sl_posting postings[SL_SEGMENT_CHUNKS];
    uint32_t block = sl_get_be32(cursor->key.data + cursor->key.size - 4), count;
    enum sl_err rc = SL_OK;

    if (block > UINT32_MAX / SL_SEGMENT_CHUNKS ||
        !sl_postings_read(cursor->payload, postings, &count))
        return sl_corrupt(choice->err, "attr", block, "a row of senseless values");
    for (uint32_t i = 0; rc == SL_OK && i < count; i++) {
        uint32_t document = block * SL_SEGMENT_CHUNKS + postings[i].local;
        bool matches = true;
        if (filter != NULL)
            rc = test_document(choice, document, filter, &matches);
        if (rc == SL_OK && matches)
            add(bits, choice->words, document);
    }
    return rc;
}

static bool starts_with(struct sl_view key, struct sl_view prefix)
{
    return key.size >= prefix.size && memcmp(key.data, prefix.data, prefix.size) == 0;
}

/* What to do with a value: 1 take its rows, 0 leave them, -1 ask each document. */
typedef int (*value_fn)(const void *context, const struct sl_field *field, int type,
                        bool is_long);

/* Go through the rows under a prefix; each distinct value is judged once. */
static enum sl_err scan(const struct choice *choice, struct sl_view prefix, value_fn judge,
                        const void *context, const struct sl_filter *filter, uint64_t *bits)
{
    struct sl_cursor cursor;
    char last[SL_KEY_TABLE_BYTES];
    size_t last_size = 0;
    int verdict = 0;
    enum sl_err rc =
        sl_cursor_open(choice->snapshot->txn, SL_STORE_ATTR, false, &cursor, choice->err);

    if (rc != SL_OK)
        return rc;
    for (rc = sl_cursor_seek(&cursor, prefix, choice->err);
         rc == SL_OK && starts_with(cursor.key, prefix);
         rc = sl_cursor_next(&cursor, choice->err)) {
        struct sl_view key = {cursor.key.data, cursor.key.size - 4};
        if (cursor.key.size < prefix.size + 4)
            continue;
        if (key.size != last_size || memcmp(key.data, last, last_size) != 0) {
            SL_CLEANUP(sl_arena_closep) struct sl_arena *arena = sl_arena_open(1u << 16);
            struct sl_field field;
            int type;
            bool is_long;
            if (arena == NULL || !sl_attr_key_read(key, arena, &field, &type, &is_long)) {
                rc = sl_corrupt(choice->err, "attr", 0, "a key of senseless values");
                break;
            }
            verdict = judge(context, &field, type, is_long);
            memcpy(last, key.data, key.size);
            last_size = key.size;
        }
        if (verdict != 0)
            rc = add_row(choice, &cursor, verdict < 0 ? filter : NULL, bits);
        if (rc != SL_OK)
            break;
    }
    sl_cursor_close(&cursor);
    return rc == SL_REJECT ? SL_OK : rc;
}

static int judge_all(const void *context, const struct sl_field *field, int type, bool is_long)
{
    (void)context, (void)field, (void)type, (void)is_long;
    return 1;
}

static int judge_comparison(const void *context, const struct sl_field *field, int type,
                            bool is_long)
{
    const struct sl_filter *filter = context;

    (void)type;
    if (is_long && filter->op != SL_FILTER_EXISTS)
        return -1;
    return sl_filter_field_matches(filter, field) ? 1 : 0;
}

static int judge_validity(const void *context, const struct sl_field *field, int type,
                          bool is_long)
{
    (void)context, (void)field, (void)is_long;
    return type == SL_ATTR_VALID;
}

/* ------------------------------------------------------------------------------- comparisons */

/* Equality with values whose key is known: no need to look at the field's other values. */
static bool is_direct(const struct sl_filter *filter)
{
    if (filter->op != SL_FILTER_EQ && filter->op != SL_FILTER_IN)
        return false;
    for (uint32_t i = 0; i < filter->value_count; i++)
        if (filter->values[i].is_date || filter->values[i].string.size > SL_ATTR_VALUE_BYTES)
            return false;
    return true;
}

static enum sl_err compare_direct(const struct choice *choice, const struct sl_filter *filter,
                                  uint64_t *bits)
{
    enum sl_err rc = SL_OK;

    for (uint32_t i = 0; rc == SL_OK && i < filter->value_count; i++) {
        const struct sl_filter_value *value = &filter->values[i];
        struct sl_field field = {.name = filter->field,
                                 .type = value->type,
                                 .string = value->string,
                                 .number = value->number,
                                 .boolean = value->boolean};
        struct sl_view key = sl_attr_field_key(&field, choice->arena);
        rc = key.data == NULL ? too_large(choice)
                              : scan(choice, key, judge_comparison, filter, filter, bits);
    }
    return rc;
}

static enum sl_err compare(const struct choice *choice, const struct sl_filter *filter,
                           uint64_t *bits)
{
    struct sl_view prefix;

    if (filter->field.size == 0 || filter->field.size > SL_FIELD_NAME_MAX)
        return SL_OK; /* no document has such a field */
    if (is_direct(filter))
        return compare_direct(choice, filter, bits);
    prefix = sl_attr_prefix(filter->field, choice->arena);
    if (prefix.data == NULL)
        return too_large(choice);
    return scan(choice, prefix, judge_comparison, filter, filter, bits);
}

static struct sl_view system_prefix(int type, struct sl_arena *arena)
{
    return sl_attr_key(SL_VIEW(""), type, SL_VIEW(""), arena);
}

static enum sl_err all_documents(const struct choice *choice, uint64_t *bits)
{
    struct sl_view prefix = system_prefix(SL_ATTR_LIVE, choice->arena);

    if (prefix.data == NULL)
        return too_large(choice);
    return scan(choice, prefix, judge_all, NULL, NULL, bits);
}

/* Add what is in force on any of `days`. The interval is in the key's value, which sl_attr_key_read() does not
 * return: it is read here. */
static enum sl_err valid_in(const struct choice *choice, struct sl_day_range days, uint64_t *bits)
{
    struct sl_view prefix = system_prefix(SL_ATTR_VALID, choice->arena);
    struct sl_cursor cursor;
    enum sl_err rc;

    if (prefix.data == NULL)
        return too_large(choice);
    rc = sl_cursor_open(choice->snapshot->txn, SL_STORE_ATTR, false, &cursor, choice->err);
    if (rc != SL_OK)
        return rc;
    for (rc = sl_cursor_seek(&cursor, prefix, choice->err);
         rc == SL_OK && starts_with(cursor.key, prefix) && cursor.key.size == prefix.size + 12;
         rc = sl_cursor_next(&cursor, choice->err)) {
        struct sl_day_range valid = sl_attr_days_read(cursor.key.data + prefix.size);
        if (valid.from > days.to)
            break;
        if (days.from <= valid.to)
            rc = add_row(choice, &cursor, NULL, bits);
        if (rc != SL_OK)
            break;
    }
    sl_cursor_close(&cursor);
    return rc == SL_REJECT ? SL_OK : rc;
}

/* What is in force on a day, and what is without bounds. */
static enum sl_err valid_at(const struct choice *choice, struct sl_day_range day, uint64_t *bits)
{
    struct sl_view prefix = system_prefix(SL_ATTR_VALID, choice->arena);
    uint64_t *bounded = SL_NEW_ARRAY(choice->arena, uint64_t, choice->words + 1);
    enum sl_err rc;

    if (prefix.data == NULL || bounded == NULL)
        return too_large(choice);
    rc = scan(choice, prefix, judge_validity, NULL, NULL, bounded);
    if (rc == SL_OK)
        rc = all_documents(choice, bits);
    for (uint32_t i = 0; i < choice->words; i++)
        bits[i] &= ~bounded[i];
    return rc == SL_OK ? valid_in(choice, day, bits) : rc;
}

/* -------------------------------------------------------------------------------------- tree */

static enum sl_err choose(const struct choice *choice, const struct sl_filter *filter,
                          uint64_t **ret_bits);

static enum sl_err choose_both(const struct choice *choice, const struct sl_filter *filter,
                               uint64_t *bits)
{
    uint64_t *left, *right;
    enum sl_err rc = choose(choice, filter->left, &left);

    if (rc == SL_OK)
        rc = choose(choice, filter->right, &right);
    for (uint32_t i = 0; rc == SL_OK && i < choice->words; i++)
        bits[i] = filter->op == SL_FILTER_AND ? left[i] & right[i] : left[i] | right[i];
    return rc;
}

static enum sl_err choose_not(const struct choice *choice, const struct sl_filter *filter,
                              uint64_t *bits)
{
    uint64_t *left;
    enum sl_err rc = choose(choice, filter->left, &left);

    if (rc == SL_OK)
        rc = all_documents(choice, bits);
    for (uint32_t i = 0; rc == SL_OK && i < choice->words; i++)
        bits[i] &= ~left[i];
    return rc;
}

static enum sl_err choose(const struct choice *choice, const struct sl_filter *filter,
                          uint64_t **ret_bits)
{
    uint64_t *bits = SL_NEW_ARRAY(choice->arena, uint64_t, choice->words + 1);
    enum sl_err rc;

    if (bits == NULL)
        return too_large(choice);
    switch (filter->op) {
    case SL_FILTER_AND:
    case SL_FILTER_OR:
        rc = choose_both(choice, filter, bits);
        break;
    case SL_FILTER_NOT:
        rc = choose_not(choice, filter, bits);
        break;
    case SL_FILTER_VALID_AT:
        rc = valid_at(choice, filter->values[0].days, bits);
        break;
    case SL_FILTER_VALID_IN:
        rc = valid_in(choice, filter->values[0].days, bits);
        break;
    default:
        rc = compare(choice, filter, bits);
        break;
    }
    if (rc == SL_OK)
        *ret_bits = bits;
    return rc;
}

/* Copies differ from what they are found through in these. */
static bool tells_copies_apart(const struct sl_filter *filter)
{
    if (filter->op == SL_FILTER_AND || filter->op == SL_FILTER_OR)
        return tells_copies_apart(filter->left) || tells_copies_apart(filter->right);
    if (filter->op == SL_FILTER_NOT)
        return tells_copies_apart(filter->left);
    return sl_view_is(filter->field, "key") || sl_view_is(filter->field, "url");
}

/* A document is found when the filter selects it, or a copy of it. */
static enum sl_err add_originals(const struct choice *choice, uint64_t *bits)
{
    struct sl_cursor cursor;
    enum sl_err rc = sl_cursor_open(choice->snapshot->txn, SL_STORE_COPY, false, &cursor, choice->err);

    if (rc != SL_OK)
        return rc;
    for (rc = sl_cursor_seek(&cursor, SL_VIEW_NULL, choice->err); rc == SL_OK;
         rc = sl_cursor_next(&cursor, choice->err)) {
        uint32_t copy = cursor.key.size == 8 ? sl_get_be32(cursor.key.data + 4) : 0;
        if (copy / 64 < choice->words && (bits[copy / 64] >> (copy % 64) & 1) != 0)
            add(bits, choice->words, sl_get_be32(cursor.key.data));
    }
    sl_cursor_close(&cursor);
    return rc == SL_REJECT ? SL_OK : rc;
}

enum sl_err sl_snapshot_select(const struct sl_snapshot *snapshot, const struct sl_filter *filter,
                               struct sl_arena *arena, struct sl_selection **ret_selection,
                               struct sl_error *err)
{
    struct choice choice = {snapshot, arena, snapshot->state.document_end / 64 + 1, err};
    struct sl_selection *selection;
    enum sl_err rc;

    if (filter == NULL) {
        *ret_selection = NULL;
        return SL_OK;
    }
    selection = SL_NEW(arena, struct sl_selection);
    if (selection == NULL)
        return too_large(&choice);
    selection->snapshot = snapshot;
    selection->words = choice.words;
    rc = choose(&choice, filter, &selection->bits);
    if (rc == SL_OK && tells_copies_apart(filter))
        rc = add_originals(&choice, selection->bits);
    if (rc != SL_OK)
        return rc;
    for (uint32_t i = 0; i < choice.words; i++)
        selection->count += (uint64_t)__builtin_popcountll(selection->bits[i]);
    *ret_selection = selection;
    return SL_OK;
}

uint64_t sl_selection_count(const struct sl_selection *selection)
{
    return selection->count;
}
