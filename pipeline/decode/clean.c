/*
 * clean.c -- running headers, footers and page numbers, found by their rhythm.
 *
 * A page's furniture is a short line that comes again and again, a page's length apart, the same
 * but for its number. So short lines are compared with their digits blotted out; a line counts as
 * boilerplate when it stands often enough, far enough apart on average, and never close to itself.
 * That last rule spares what merely repeats: table cells, "None", labels of speakers, list marks.
 *
 * The text itself is never changed: the spans found are only left out of terms and embeddings.
 * Rejected: a list of known phrases ("All rights reserved"), for it would be one of many languages
 * and never complete.
 */
#include "clean.h"
#include "text/text_internal.h"

#include <stdlib.h>

enum {
    LINE_BYTES_MAX = 120,
    LINES_MAX = 200000,   /* texts of more short lines are no pages */
    REPEATS_MIN = 4,      /* of a line with words */
    PAGES_MIN = 3,        /* of a line that is a page number */
    PAGE_BYTES_MIN = 800, /* between two of them on average */
};

struct short_line {
    uint64_t hash;
    uint32_t start, end;
    bool number; /* nothing but a number, "page" and marks */
};

/* FNV-1a of the line, each run of digits as one. */
static uint64_t line_hash(struct sl_view line)
{
    uint64_t hash = 14695981039346656037u;
    bool in_digits = false;

    for (size_t i = 0; i < line.size; i++) {
        unsigned char c = (unsigned char)line.data[i];
        bool digit = c >= '0' && c <= '9';

        if (digit && in_digits)
            continue;
        in_digits = digit;
        hash = (hash ^ (digit ? '0' : c)) * 1099511628211u;
    }
    return hash;
}

static bool has_prefix(struct sl_view view, const char *word)
{
    return view.size >= strlen(word) && strncasecmp(view.data, word, strlen(word)) == 0;
}

/* "12" "- 12 -" "Page 12 of 30" "12/30" "12쪽" */
static bool page_number(struct sl_view line)
{
    static const char *const words[] = {"page", "of", "p.", "쪽", "페이지", "-",
                                        "/",    "–",  "—",  " ",  "|"};
    bool digit = false;

    for (size_t at = 0; at < line.size;) {
        size_t i, before = at;

        if (line.data[at] >= '0' && line.data[at] <= '9') {
            digit = true;
            at++;
            continue;
        }
        for (i = 0; i < sizeof words / sizeof words[0] && at == before; i++)
            if (has_prefix(sl_view_range(line, at, line.size), words[i]))
                at += strlen(words[i]);
        if (at == before)
            return false;
    }
    return digit;
}

/* Lines that carry structure in Markdown or data are never furniture. */
static bool structural(struct sl_view line)
{
    return strchr("#|>`*+{}[]<", line.data[0]) != NULL || has_prefix(line, "- ");
}

/* Call for each short line; stores it when `lines` is there. Returns how many there are. */
static uint32_t collect(struct sl_view text, struct short_line *lines)
{
    uint32_t count = 0;

    for (size_t start = 0; start < text.size && count < LINES_MAX;) {
        size_t end = start;
        struct sl_view line;

        while (end < text.size && text.data[end] != '\n' && text.data[end] != '\f')
            end++;
        line = end - start > LINE_BYTES_MAX + 64 ? SL_VIEW_NULL
                                                 : sl_view_trim(sl_view_range(text, start, end));
        if (line.size > 0 && line.size <= LINE_BYTES_MAX) {
            bool number = page_number(line);

            if (number || !structural(line)) {
                if (lines != NULL)
                    lines[count] = (struct short_line){line_hash(line), (uint32_t)start,
                                                       (uint32_t)end, number};
                count++;
            }
        }
        start = end + 1;
    }
    return count;
}

static int compare_lines(const void *left, const void *right)
{
    const struct short_line *a = left, *b = right;

    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    return a->start < b->start ? -1 : a->start > b->start;
}

/* Has this group of equal lines the rhythm of pages? */
static bool periodic(const struct short_line *lines, uint32_t count)
{
    uint32_t average, needed = lines[0].number ? PAGES_MIN : REPEATS_MIN;

    if (count < needed)
        return false;
    average = (lines[count - 1].start - lines[0].start) / (count - 1);
    if (average < PAGE_BYTES_MIN)
        return false;
    for (uint32_t i = 1; i < count; i++)
        if (lines[i].start - lines[i - 1].start < average / 4)
            return false;
    return true;
}

static int compare_spans(const void *left, const void *right)
{
    const struct sl_span *a = left, *b = right;

    return a->byte_start < b->byte_start ? -1 : a->byte_start > b->byte_start;
}

/* Spans of whole lines, in no order. */
static bool find_lines(struct sl_view text, struct sl_arena *arena, struct sl_span **ret_spans,
                       uint32_t *ret_count)
{
    uint32_t line_count = collect(text, NULL), count = 0;
    struct short_line *lines;
    struct sl_span *spans;

    *ret_spans = NULL;
    *ret_count = 0;
    if (line_count < PAGES_MIN || line_count == LINES_MAX)
        return true;
    lines = SL_NEW_ARRAY(arena, struct short_line, line_count);
    spans = SL_NEW_ARRAY(arena, struct sl_span, line_count);
    if (lines == NULL || spans == NULL)
        return false;
    (void)collect(text, lines);
    qsort(lines, line_count, sizeof *lines, compare_lines);
    for (uint32_t first = 0, next; first < line_count; first = next) {
        for (next = first + 1; next < line_count && lines[next].hash == lines[first].hash; next++)
            ;
        if (periodic(lines + first, next - first))
            for (uint32_t i = first; i < next; i++)
                spans[count++] = (struct sl_span){lines[i].start, lines[i].end};
    }
    *ret_spans = spans;
    *ret_count = count;
    return true;
}

/* Sort the spans, and make one of those that overlap. Returns how many are left. */
static uint32_t unite(struct sl_span *spans, uint32_t count)
{
    uint32_t kept = 0;

    qsort(spans, count, sizeof *spans, compare_spans);
    for (uint32_t i = 0; i < count; i++)
        if (kept > 0 && spans[i].byte_start <= spans[kept - 1].byte_end) {
            if (spans[i].byte_end > spans[kept - 1].byte_end)
                spans[kept - 1].byte_end = spans[i].byte_end;
        } else {
            spans[kept++] = spans[i];
        }
    return kept;
}

bool sl_clean_boilerplate(struct sl_view text, struct sl_arena *arena, struct sl_span **ret_spans,
                          uint32_t *ret_count)
{
    struct sl_span *lines, *heads, *spans;
    uint32_t line_count, head_count;

    if (!find_lines(text, arena, &lines, &line_count) ||
        !sl_clean_running(text, arena, &heads, &head_count))
        return false;
    spans = SL_NEW_ARRAY(arena, struct sl_span, (size_t)line_count + head_count);
    if (spans == NULL)
        return false;
    if (line_count > 0)
        memcpy(spans, lines, line_count * sizeof *spans);
    if (head_count > 0)
        memcpy(spans + line_count, heads, head_count * sizeof *spans);
    *ret_spans = spans;
    *ret_count = unite(spans, line_count + head_count);
    return true;
}
