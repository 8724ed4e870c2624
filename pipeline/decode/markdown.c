/*
 * markdown.c -- finding headings, line by line.
 *
 * Only headings matter here: they give section paths and good places to cut. A full Markdown parser
 * would tell the same about them with far more code, so lines are looked at one by one; fenced code
 * is skipped, since `# comment` in a shell script is no heading. Known weakness: indented code
 * blocks and HTML blocks are not recognised.
 */
#include "markdown.h"
#include "text/text_internal.h"

struct line {
    size_t start, end, next; /* without the line end; start of the next line */
};

static struct line line_at(struct sl_view text, size_t start)
{
    const char *newline = memchr(text.data + start, '\n', text.size - start);
    struct line line = {start, text.size, text.size};

    if (newline != NULL) {
        line.end = (size_t)(newline - text.data);
        line.next = line.end + 1;
    }
    if (line.end > line.start && text.data[line.end - 1] == '\r')
        line.end--;
    return line;
}

/* Up to three spaces may stand before a mark. */
static size_t indent(struct sl_view text, struct line line)
{
    size_t at = line.start;

    while (at < line.end && at - line.start < 3 && text.data[at] == ' ')
        at++;
    return at;
}

/* Length of the run of `mark` at `at`. */
static size_t run_of(struct sl_view text, size_t at, size_t end, char mark)
{
    size_t count = 0;

    while (at + count < end && text.data[at + count] == mark)
        count++;
    return count;
}

/* The level of an ATX heading, 0 when the line is none; *ret_text is what it says. */
static uint32_t atx_level(struct sl_view text, struct line line, struct sl_view *ret_text)
{
    size_t at = indent(text, line), level = run_of(text, at, line.end, '#');
    struct sl_view title;

    if (level < 1 || level > 6)
        return 0;
    at += level;
    if (at < line.end && text.data[at] != ' ' && text.data[at] != '\t')
        return 0;
    title = sl_view_trim(sl_view_range(text, at, line.end));
    while (title.size > 0 && title.data[title.size - 1] == '#')
        title.size--;
    title = sl_view_trim(title);
    if (!sl_text_visible(title))
        return 0;
    *ret_text = title;
    return (uint32_t)level;
}

/* The mark that opens or closes fenced code on this line, '\0' when none. */
static char fence(struct sl_view text, struct line line)
{
    size_t at = indent(text, line);

    if (run_of(text, at, line.end, '`') >= 3)
        return '`';
    if (run_of(text, at, line.end, '~') >= 3)
        return '~';
    return '\0';
}

static bool blank(struct sl_view text, struct line line)
{
    return sl_view_trim(sl_view_range(text, line.start, line.end)).size == 0;
}

/* 1 for a line of `=`, 2 for one of `-`, at least three of them; else 0. */
static uint32_t underline_level(struct sl_view text, struct line line)
{
    struct sl_view marks = sl_view_trim(sl_view_range(text, line.start, line.end));

    if (marks.size < 3 || (marks.data[0] != '=' && marks.data[0] != '-'))
        return 0;
    if (run_of(marks, 0, marks.size, marks.data[0]) != marks.size)
        return 0;
    return marks.data[0] == '=' ? 1 : 2;
}

typedef bool (*heading_fn)(void *context, const struct sl_heading *heading);

/* Call `each` for every heading until it returns false. */
static void headings_walk(struct sl_view text, heading_fn each, void *context)
{
    struct line before = {0, 0, 0};
    bool before_alone = false; /* the line before is the first of its paragraph */
    char open_fence = '\0';

    for (size_t at = 0; at < text.size;) {
        struct line line = line_at(text, at);
        char mark = fence(text, line);
        struct sl_heading heading = {.byte_start = (uint32_t)line.start,
                                     .byte_end = (uint32_t)line.end};
        bool was_blank = at == 0 || blank(text, before);

        at = line.next;
        if (open_fence != '\0' || mark != '\0') {
            open_fence = open_fence == '\0' ? mark : mark == open_fence ? '\0' : open_fence;
            before_alone = false;
            before = line;
            continue;
        }
        heading.level = atx_level(text, line, &heading.text);
        if (heading.level == 0 && before_alone) {
            heading.level = underline_level(text, line);
            heading.text = sl_view_trim(sl_view_range(text, before.start, before.end));
            heading.byte_start = (uint32_t)before.start;
        }
        if (heading.level > 0 && !each(context, &heading))
            return;
        before_alone = heading.level == 0 && was_blank && !blank(text, line) &&
                       underline_level(text, line) == 0 &&
                       strchr("|>-*+", text.data[line.start]) == NULL;
        before = line;
    }
}

struct collect {
    struct sl_heading *headings;
    uint32_t count;
};

static bool count_heading(void *context, const struct sl_heading *heading)
{
    struct collect *collect = context;

    if (collect->headings != NULL)
        collect->headings[collect->count] = *heading;
    collect->count++;
    return true;
}

bool sl_markdown_headings(struct sl_view text, struct sl_arena *arena,
                          struct sl_heading **ret_headings, uint32_t *ret_count)
{
    struct collect collect = {NULL, 0};

    headings_walk(text, count_heading, &collect);
    collect.headings = SL_NEW_ARRAY(arena, struct sl_heading, collect.count);
    if (collect.headings == NULL)
        return false;
    collect.count = 0;
    headings_walk(text, count_heading, &collect);
    *ret_headings = collect.headings;
    *ret_count = collect.count;
    return true;
}

bool sl_markdown_looks_like(struct sl_view text)
{
    bool open = false;

    for (size_t at = 0; at < text.size;) {
        struct line line = line_at(text, at);
        struct sl_view title;

        if (fence(text, line) != '\0')
            open = !open;
        else if (!open && atx_level(text, line, &title) > 0)
            return true;
        at = line.next;
    }
    return false;
}

struct sl_view sl_markdown_title(struct sl_view text)
{
    for (size_t at = 0; at < text.size;) {
        struct line line = line_at(text, at);
        struct sl_view title;

        if (!blank(text, line))
            return atx_level(text, line, &title) == 1 ? title : SL_VIEW_NULL;
        at = line.next;
    }
    return SL_VIEW_NULL;
}
