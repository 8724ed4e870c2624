/*
 * snippet.c -- what to show of a chunk.
 *
 * The sentence that holds most different terms of the question, and what follows it while there is
 * room. Terms are compared as the index has them (stems, bigrams), so that "raised" marks
 * "raising"; then each word of what is shown is looked up alone, to find the words to mark.
 */
#include <string.h>

#include <sluice/text.h>

#include "ask.h"

#define SNIPPET_BYTES 260u

struct terms {
    struct sl_term_count *items; /* sorted */
    uint32_t count;
};

static enum sl_err terms_of(struct sl_view text, const char *language, struct sl_arena *arena,
                            struct terms *ret_terms, struct sl_error *err)
{
    uint32_t length;

    return sl_text_terms(text, language, arena, &ret_terms->items, &ret_terms->count, &length, err);
}

static int view_compare(struct sl_view a, struct sl_view b)
{
    int order = memcmp(a.data, b.data, a.size < b.size ? a.size : b.size);

    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

/* Different terms that both lists hold. */
static uint32_t shared_count(const struct terms *a, const struct terms *b)
{
    uint32_t shared = 0;

    for (uint32_t i = 0, j = 0; i < a->count && j < b->count;) {
        int order = view_compare(a->items[i].term, b->items[j].term);

        shared += order == 0;
        i += order <= 0;
        j += order >= 0;
    }
    return shared;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

/* Copy with runs of white space as one space, at most SNIPPET_BYTES, cut at a code point. */
static struct sl_view one_line(struct sl_view text, struct sl_arena *arena)
{
    char *line = sl_arena_alloc(arena, SNIPPET_BYTES + 4);
    size_t size = 0;

    if (line == NULL)
        return SL_VIEW_NULL;
    for (size_t i = 0; i < text.size; i++) {
        if (is_space(text.data[i]) && (size == 0 || line[size - 1] == ' '))
            continue;
        if (size == SNIPPET_BYTES) {
            size -= i - sl_utf8_floor(text, i);
            memcpy(line + size, "\xE2\x80\xA6", 3);
            return (struct sl_view){line, size + 3};
        }
        line[size++] = is_space(text.data[i]) ? ' ' : text.data[i];
    }
    while (size > 0 && line[size - 1] == ' ')
        size--;
    return (struct sl_view){line, size};
}

static enum sl_err best_sentence(struct sl_view chunk_text, const struct terms *wanted,
                                 const char *language, struct sl_arena *arena, size_t *ret_start,
                                 struct sl_error *err)
{
    struct sl_span *spans;
    uint32_t span_count;
    uint32_t best = 0;
    enum sl_err result = sl_text_sentences(chunk_text, arena, &spans, &span_count, err);

    *ret_start = 0;
    for (uint32_t i = 0; result == SL_OK && i < span_count; i++) {
        struct terms terms;
        uint32_t shared;

        result = terms_of(sl_view_range(chunk_text, spans[i].byte_start, spans[i].byte_end),
                          language, arena, &terms, err);
        if (result != SL_OK)
            break;
        shared = shared_count(wanted, &terms);
        if (shared > best) {
            best = shared;
            *ret_start = spans[i].byte_start;
        }
    }
    return result;
}

static enum sl_err mark_words(const struct terms *wanted, const char *language,
                              struct sl_arena *arena, struct ctl_snippet *snippet,
                              struct sl_error *err)
{
    struct sl_view text = snippet->text;
    struct sl_span *marks = SL_NEW_ARRAY(arena, struct sl_span, text.size / 2 + 1);
    enum sl_err result;

    if (marks == NULL)
        return sl_fail(err, SL_REJECT, "too_large", "no room for a snippet");
    for (size_t start = 0; start < text.size;) {
        const char *space = memchr(text.data + start, ' ', text.size - start);
        size_t end = space != NULL ? (size_t)(space - text.data) : text.size;
        struct terms terms = {0};

        if (end > start) {
            result = terms_of(sl_view_range(text, start, end), language, arena, &terms, err);
            if (result != SL_OK)
                return result;
        }
        if (shared_count(wanted, &terms) > 0)
            marks[snippet->mark_count++] = (struct sl_span){(uint32_t)start, (uint32_t)end};
        start = end + 1;
    }
    snippet->marks = marks;
    return SL_OK;
}

enum sl_err ctl_snippet(struct sl_view question, const struct sl_document *document,
                        const struct sl_chunk *chunk, struct sl_arena *arena,
                        struct ctl_snippet *ret_snippet, struct sl_error *err)
{
    struct sl_view text = sl_view_range(document->text, chunk->byte_start, chunk->byte_end);
    const char *language = sl_text_language(document->text);
    struct ctl_snippet snippet = {0};
    struct terms wanted;
    size_t start;
    enum sl_err result = terms_of(question, language, arena, &wanted, err);

    if (result == SL_OK)
        result = best_sentence(text, &wanted, language, arena, &start, err);
    if (result != SL_OK)
        return result;
    snippet.text = one_line(sl_view_range(text, start, text.size), arena);
    if (snippet.text.data == NULL)
        return sl_fail(err, SL_REJECT, "too_large", "no room for a snippet");
    result = mark_words(&wanted, language, arena, &snippet, err);
    if (result == SL_OK)
        *ret_snippet = snippet;
    return result;
}
