/*
 * word_lists.c -- a user's words to keep whole, and those to leave out, as sorted arrays of folded
 * UTF-16.
 *
 * Entries are folded as texts are, so that what is compared is compared alike. A Korean noun is
 * sought at every place of an eojeol, the longest first, by binary search: an eojeol has some ten
 * syllables, and most are not the beginning of any entry.
 */
#include "lines.h"
#include "term_internal.h"

#include <sluice/hash.h>

#include <stdlib.h>

enum { ENTRY_UNITS_MAX = 64 };

struct entry {
    UChar *units;
    int32_t count;
};

struct list {
    struct entry *entries;
    uint32_t count;
    uint32_t capacity;
    int32_t longest;
};

struct sl_word_lists {
    struct list words, stops;
    char digest[17];
};

static enum sl_err no_memory(struct sl_error *err)
{
    return sl_stop(err, SL_EXIT_OS, 0, "memory", "out of memory reading a list of words");
}

static int compare_units(const UChar *a, int32_t a_count, const UChar *b, int32_t b_count)
{
    for (int32_t i = 0; i < a_count && i < b_count; i++)
        if (a[i] != b[i])
            return a[i] < b[i] ? -1 : 1;
    return (a_count > b_count) - (a_count < b_count);
}

static int compare_entries(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;

    return compare_units(x->units, x->count, y->units, y->count);
}

static bool has(const struct list *list, const UChar *units, int32_t count)
{
    struct entry wanted = {(UChar *)(uintptr_t)units, count};

    return count <= list->longest && bsearch(&wanted, list->entries, list->count,
                                             sizeof *list->entries, compare_entries) != NULL;
}

/* ------------------------------------------------------------------ reading */

/* Is there anything that a text could be searched for? */
static bool has_word(const UChar *units, int32_t count)
{
    for (int32_t i = 0; i < count; i++)
        if (U16_IS_SURROGATE(units[i]) || u_isalnum((UChar32)units[i])) /* emoji, and rare Han */
            return true;
    return false;
}

static enum sl_err add_line(void *context, const char *path, uint32_t number, struct sl_view line,
                            struct sl_error *err)
{
    struct list *list = context;
    struct sl_text_tools *tools;
    struct entry entry;
    enum sl_err code = sl_text_tools(&tools, err);

    if (code != SL_OK)
        return code;
    if (line.size > ENTRY_UNITS_MAX)
        return sl_line_bad(path, number, err, "a word of %zu bytes; allowed are %d", line.size,
                           ENTRY_UNITS_MAX);
    for (size_t at = 0; at < line.size;)
        if (sl_char_space(sl_utf8_next(line, &at)))
            return sl_line_bad(path, number, err,
                               "'%.*s' is more than one word; one stands alone on its line",
                               SL_VIEW_ARG(line));
    if (list->count == SL_LEXICON_LINES_MAX)
        return sl_line_bad(path, number, err, "more than %u words", SL_LEXICON_LINES_MAX);
    code = sl_terms_fold(tools, line, &entry.count, err);
    if (code != SL_OK)
        return code;
    if (!has_word(tools->folded, entry.count))
        return sl_line_bad(path, number, err, "'%.*s' holds neither letter nor digit", SL_VIEW_ARG(line));
    if (list->count == list->capacity) {
        uint32_t capacity = list->capacity * 2 + 64;
        struct entry *entries = realloc(list->entries, capacity * sizeof *entries);
        if (entries == NULL)
            return no_memory(err);
        list->entries = entries;
        list->capacity = capacity;
    }
    entry.units = malloc((size_t)entry.count * sizeof *entry.units);
    if (entry.units == NULL)
        return no_memory(err);
    memcpy(entry.units, tools->folded, (size_t)entry.count * sizeof *entry.units);
    list->longest = entry.count > list->longest ? entry.count : list->longest;
    list->entries[list->count++] = entry;
    return SL_OK;
}

static enum sl_err read_list(const char *path, struct list *list, struct sl_error *err)
{
    enum sl_err code = SL_OK;

    if (path != NULL && path[0] != '\0')
        code = sl_lines_read(path, add_line, list, err);
    if (list->count > 0)
        qsort(list->entries, list->count, sizeof *list->entries, compare_entries);
    return code;
}

static void add_to_digest(struct sl_sha256 *state, const struct list *list)
{
    for (uint32_t i = 0; i < list->count; i++) {
        sl_sha256_add(state, list->entries[i].units,
                      (size_t)list->entries[i].count * sizeof(UChar));
        sl_sha256_add(state, "\n", 2);
    }
    sl_sha256_add(state, "", 1);
}

static void make_digest(struct sl_word_lists *lists)
{
    struct sl_sha256 *state = sl_sha256_begin();
    uint8_t digest[32];

    add_to_digest(state, &lists->words);
    add_to_digest(state, &lists->stops);
    sl_sha256_end(state, digest);
    sl_hex(digest, 8, lists->digest);
}

enum sl_err sl_word_lists_open(const char *words_path, const char *stop_words_path,
                               struct sl_word_lists **ret_lists, struct sl_error *err)
{
    bool none = (words_path == NULL || words_path[0] == '\0') &&
                (stop_words_path == NULL || stop_words_path[0] == '\0');
    struct sl_word_lists *lists = none ? NULL : calloc(1, sizeof *lists);
    enum sl_err code;

    *ret_lists = NULL;
    if (lists == NULL)
        return none ? SL_OK : no_memory(err);
    code = read_list(words_path, &lists->words, err);
    if (code == SL_OK)
        code = read_list(stop_words_path, &lists->stops, err);
    if (code != SL_OK) {
        (void)sl_word_lists_close(lists);
        return code;
    }
    make_digest(lists);
    *ret_lists = lists;
    return SL_OK;
}

static void list_free(struct list *list)
{
    for (uint32_t i = 0; i < list->count; i++)
        free(list->entries[i].units);
    free(list->entries);
}

struct sl_word_lists *sl_word_lists_close(struct sl_word_lists *lists)
{
    if (lists != NULL) {
        list_free(&lists->words);
        list_free(&lists->stops);
    }
    free(lists);
    return NULL;
}

const char *sl_word_lists_digest(const struct sl_word_lists *lists)
{
    return lists != NULL ? lists->digest : "-";
}

/* ------------------------------------------------------------------ asking */

bool sl_word_kept(const struct sl_word_lists *lists, const UChar *units, int32_t count)
{
    return lists != NULL && has(&lists->words, units, count);
}

bool sl_word_stopped(const struct sl_word_lists *lists, const UChar *units, int32_t count)
{
    return lists != NULL && has(&lists->stops, units, count);
}

int32_t sl_word_at(const struct sl_word_lists *lists, const UChar *units, int32_t count)
{
    int32_t longest = lists == NULL ? 0 : lists->words.longest;

    for (int32_t size = count < longest ? count : longest; size > 1; size--)
        if (has(&lists->words, units, size))
            return size;
    return 0;
}
