/*
 * sentence_lines.c -- does a newline end a sentence, or only a line?
 *
 * Text comes in two manners. Wrapped at a column, a newline means nothing; one paragraph or item a
 * line, it ends whatever stood there. Which one it is shows in the two lines themselves: what the
 * next one starts with, and how long the first is. Known weakness: verse and addresses of long
 * lines are taken for wrapped prose.
 */
#include "text_internal.h"

enum { WRAP_COLUMNS_MIN = 40, WRAP_COLUMNS_MAX = 110 };

static bool lower(uint32_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 0xDF && c <= 0xFF);
}

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

/* "12." "12)" "(12)" "a)" at the start of an item, followed by white space. */
static bool numbered(struct sl_view rest)
{
    size_t at = 0, start;

    if (rest.size > 0 && rest.data[0] == '(')
        at++;
    start = at;
    while (at < rest.size && at - start < 3 && digit(rest.data[at]))
        at++;
    if (at == start && at < rest.size && lower((unsigned char)rest.data[at]))
        at++;
    if (at == start || at + 1 >= rest.size || (rest.data[at] != '.' && rest.data[at] != ')'))
        return false;
    return rest.data[at + 1] == ' ';
}

/* Marks of lists, headings, tables, quotes; circled numbers; 제12조. */
static bool starts_item(struct sl_view rest)
{
    size_t at = 0;
    uint32_t c = sl_utf8_next(rest, &at);

    if (c == '#' || c == '|' || c == '>' || c == '=' || (c >= 0x2460 && c <= 0x24FF) ||
        c == 0x2022 || c == 0x25AA || c == 0x25CB || c == 0x25CF || c == 0x3147 || c == 0x203B)
        return true;
    if (c == '-' || c == '*' || c == '+' || c == 0x2013 || c == 0x2014)
        return at < rest.size && (rest.data[at] == ' ' || rest.data[at] == (char)c);
    if (c == 0xC81C) /* 제 */
        return at < rest.size && digit(rest.data[at]);
    return numbered(rest) || (rest.size >= 3 && memcmp(rest.data, "```", 3) == 0);
}

/* Columns on a screen: wide characters count two. Counts no further than needed. */
static uint32_t columns(struct sl_view line)
{
    uint32_t count = 0;

    for (size_t at = 0; at < line.size && count <= WRAP_COLUMNS_MAX;)
        count += sl_utf8_next(line, &at) >= 0x1100 ? 2 : 1;
    return count;
}

bool sl_line_ends_sentence(struct sl_view text, size_t line_start, size_t line_end, size_t next)
{
    struct sl_view line = sl_view_trim(sl_view_range(text, line_start, line_end));
    struct sl_view rest = sl_view_range(text, next, text.size);
    size_t at = 0;
    uint32_t width;

    if (line.size == 0)
        return true;
    if (line.data[0] == '#' || line.data[0] == '|' || starts_item(rest))
        return true;
    if (lower(sl_utf8_next(rest, &at)))
        return false;
    width = columns(line);
    if (width > WRAP_COLUMNS_MAX)
        return true;
    return width < WRAP_COLUMNS_MIN && line.data[line.size - 1] != ',';
}
