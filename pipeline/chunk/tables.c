/*
 * tables.c -- tables in plain text and Markdown: lines of cells under a header row.
 *
 * A row that is cut, or parted from its header, means nothing: "1279 | 1278" is no answer. So rows
 * are found here, made units that stay whole, and each chunk that begins inside a table gets the
 * header row into its prefix. A table is two or more lines in a row with cells parted by bars, or
 * three or more with the same number of tabs; what kind of cells they hold does not matter.
 *
 * Known weakness: columns aligned by spaces are not seen, nor a header of several rows.
 */
#include "chunk_internal.h"
#include "text/text_internal.h"

enum { BAR_ROWS_MIN = 2, TAB_ROWS_MIN = 3 };

struct line {
    uint32_t start, end, next;
    bool bars;     /* "| a | b |" or "a | b" */
    uint32_t tabs; /* between cells */
};

static struct line line_at(struct sl_view text, uint32_t start)
{
    const char *newline = memchr(text.data + start, '\n', text.size - start);
    struct line line = {.start = start, .end = (uint32_t)text.size, .next = (uint32_t)text.size};
    struct sl_view cells;

    if (newline != NULL) {
        line.end = (uint32_t)(newline - text.data);
        line.next = line.end + 1;
    }
    cells = sl_view_trim(sl_view_range(text, line.start, line.end));
    if (cells.size == 0)
        return line;
    line.bars =
        (cells.data[0] == '|' && cells.size > 1) || memmem(cells.data, cells.size, " | ", 3);
    for (size_t i = 0; i < cells.size; i++)
        line.tabs += cells.data[i] == '\t';
    return line;
}

/* "|---|:--:|": parts the header from the body. */
static bool is_rule(struct sl_view line)
{
    bool dash = false;

    for (size_t i = 0; i < line.size; i++) {
        if (strchr("|-: \t\r", line.data[i]) == NULL)
            return false;
        dash = dash || line.data[i] == '-';
    }
    return dash;
}

/* The table whose first line is `first`; false when there is none. *ret_next is the line after it.
 */
static bool table_at(struct sl_view text, struct line first, struct sl_table *ret,
                     uint32_t *ret_next)
{
    struct line line = first, last = first;
    uint32_t rows = 0;

    while (line.bars ? first.bars : !first.bars && line.tabs > 0 && line.tabs == first.tabs) {
        rows++;
        last = line;
        if (line.next >= text.size)
            break;
        line = line_at(text, line.next);
    }
    *ret_next = rows > 0 ? last.next : first.next;
    if (rows < (first.bars ? BAR_ROWS_MIN : TAB_ROWS_MIN))
        return false;
    *ret = (struct sl_table){.byte_start = first.start,
                             .byte_end = last.end,
                             .header = sl_view_trim(sl_view_range(text, first.start, first.end)),
                             .body_start = first.next};
    line = line_at(text, first.next);
    if (is_rule(sl_view_range(text, line.start, line.end)))
        ret->body_start = line.next;
    return true;
}

static uint32_t walk(struct sl_view text, struct sl_table *tables)
{
    uint32_t count = 0;
    struct sl_table table;

    for (uint32_t at = 0, next; at < text.size; at = next) {
        struct line line = line_at(text, at);

        next = line.next;
        if ((!line.bars && line.tabs == 0) || !table_at(text, line, &table, &next))
            continue;
        if (tables != NULL)
            tables[count] = table;
        count++;
    }
    return count;
}

bool sl_tables_find(struct sl_view text, struct sl_arena *arena, struct sl_table **ret_tables,
                    uint32_t *ret_count)
{
    *ret_count = walk(text, NULL);
    *ret_tables = SL_NEW_ARRAY(arena, struct sl_table, *ret_count);
    if (*ret_tables == NULL)
        return false;
    (void)walk(text, *ret_tables);
    return true;
}
