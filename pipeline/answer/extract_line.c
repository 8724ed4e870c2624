/*
 * extract_line.c -- lines that are no sentences: headings, rows of tables, labels, items of lists.
 *
 * A heading says what stands below it and answers nothing itself; a row means nothing without the
 * names of its columns. Both are told by their first bytes, as Markdown has them; tables without
 * bars were left out, since their cells cannot be told from words.
 */
#include "extract_internal.h"

#include "text/text_internal.h"

#define LABEL_BYTES_MAX 40u
#define LEAD_BYTES      60u /* at the end of a sentence, that say a list follows */
#define CELLS_MAX       24u

enum sl_line sl_line_of(struct sl_view text)
{
    size_t marks = 0;
    bool dash = false;

    while (marks < text.size && text.data[marks] == '#')
        marks++;
    if (marks > 0 && marks <= 6 && (marks == text.size || text.data[marks] == ' '))
        return SL_LINE_HEADING;
    if (text.data[0] != '|')
        return SL_LINE_PROSE;
    for (size_t i = 0; i < text.size; i++) {
        if (strchr("|-: \t\r", text.data[i]) == NULL)
            return SL_LINE_ROW;
        dash = dash || text.data[i] == '-';
    }
    return dash ? SL_LINE_RULE : SL_LINE_ROW;
}

size_t sl_line_label(struct sl_view text)
{
    struct sl_view start =
        text.size > LABEL_BYTES_MAX ? sl_view_range(text, 0, LABEL_BYTES_MAX) : text;
    const char *colon = memchr(start.data, ':', start.size);
    size_t size = colon != NULL ? (size_t)(colon - text.data) : 0;

    return size > 0 && size + 2 < text.size && text.data[size + 1] == ' ' && text.data[0] != '"'
               ? size
               : 0;
}

size_t sl_item_mark(struct sl_view text)
{
    size_t digits = 0, dot;

    if (text.size > 2 && (text.data[0] == '-' || text.data[0] == '*') && text.data[1] == ' ')
        return 2;
    if (sl_word_starts(text, "• ") || sl_word_starts(text, "· "))
        return strcspn(text.data, " ") + 1;
    while (digits < text.size && digits < 3 && sl_is_digit(text.data[digits]))
        digits++;
    dot = digits + (digits < text.size && text.data[digits] == '\\' ? 1 : 0); /* Markdown may write "1\." */
    if (digits > 0 && text.size > dot + 2 && text.data[dot + 1] == ' ' &&
        (text.data[dot] == '.' || text.data[dot] == ')'))
        return dot + 2;
    return sl_circled_number(text);
}

bool sl_line_leads(struct sl_view text)
{
    static const char *const ends[] = {"다음과 같", "다음 각 호", "following", "as follows"};
    struct sl_view last =
        text.size > LEAD_BYTES ? sl_view_range(text, text.size - LEAD_BYTES, text.size) : text;

    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (sl_text_holds(last, ends[i]))
            return true;
    return text.data[text.size - 1] == ':';
}

/* -------------------------------------------------------------------------------------- tables */

/* The cells of a row, trimmed; at most CELLS_MAX. */
static uint32_t cells_of(struct sl_view row, struct sl_view cells[CELLS_MAX])
{
    uint32_t count = 0;
    size_t start = row.size > 0 && row.data[0] == '|' ? 1 : 0;

    while (start < row.size && count < CELLS_MAX) {
        const char *bar = memchr(row.data + start, '|', row.size - start);
        size_t end = bar != NULL ? (size_t)(bar - row.data) : row.size;
        cells[count++] = sl_view_trim(sl_view_range(row, start, end));
        start = end + 1;
    }
    return count;
}

struct sl_view sl_row_cell(struct sl_view header, struct sl_view row,
                           double (*weigh)(void *context, struct sl_view cell), void *context)
{
    struct sl_view names[CELLS_MAX], cells[CELLS_MAX];
    uint32_t name_count = cells_of(header, names), count = cells_of(row, cells);
    struct sl_view found = SL_VIEW("");
    double best = 0;

    for (uint32_t i = 0; i < count && i < name_count; i++) {
        double weight = weigh(context, names[i]);
        if (weight > best && cells[i].size > 0 && !(weigh(context, cells[i]) > 0)) {
            best = weight;
            found = cells[i];
        }
    }
    return found;
}

void sl_row_write(struct sl_buffer *out, struct sl_view header, struct sl_view row)
{
    struct sl_view names[CELLS_MAX], cells[CELLS_MAX];
    uint32_t name_count = cells_of(header, names), count = cells_of(row, cells);
    const char *parting = "";

    for (uint32_t i = 0; i < count; i++) {
        if (cells[i].size == 0)
            continue;
        sl_buffer_view(out, sl_view_of(parting));
        if (i < name_count && names[i].size > 0) {
            sl_buffer_view(out, names[i]);
            sl_buffer_view(out, SL_VIEW(": "));
        }
        sl_buffer_view(out, cells[i]);
        parting = ", ";
    }
}
