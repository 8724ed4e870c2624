/*
 * sentences.c -- a text to its sentences.
 *
 * ICU's sentence rules see one block at a time (a block ends at an empty line, which also bounds
 * the scratch memory), on a UTF-16 copy with a byte offset for every unit. Two things are changed
 * in that copy only, never in the text: a newline that merely wraps a line becomes a space, and a
 * citation mark behind a full stop ("rose.[3] Then") becomes closing brackets, for ICU would cut
 * inside it. Boundaries that part nothing
 * ("Mr. | Chairman", "2015. | 12.") are then dropped by sentence_joins.c.
 *
 * Rejected: a sentence model (data, and different results with each version) and our own rules
 * alone (ICU knows quotes and brackets of all scripts).
 */
#include "text_internal.h"

#include <sluice/limits.h>

/* One line that is not blank, without its line end. */
struct line {
    size_t start, end, next;
};

static struct line line_at(struct sl_view text, size_t start)
{
    struct line line = {start, start, text.size};
    const char *newline = memchr(text.data + start, '\n', text.size - start);

    line.end = newline == NULL ? text.size : (size_t)(newline - text.data);
    if (newline != NULL)
        line.next = line.end + 1;
    return line;
}

static bool blank(struct sl_view text, struct line line)
{
    return sl_view_trim(sl_view_range(text, line.start, line.end)).size == 0;
}

/* Skip blank lines from *at and find the block there: up to the next blank line, or as much as the
 * scratch holds, cut at white space (*ret_cut). false at the end of the text. */
static bool next_block(struct sl_view text, size_t *at, struct sl_view *ret_block, bool *ret_cut)
{
    struct line line = {0, 0, 0};
    size_t start, end, limit;

    while (*at < text.size) {
        line = line_at(text, *at);
        if (!blank(text, line))
            break;
        *at = line.next;
    }
    if (*at >= text.size)
        return false;
    start = *at;
    limit = text.size - start > SL_TEXT_BLOCK_BYTES ? start + SL_TEXT_BLOCK_BYTES : text.size;
    end = line.end;
    while (line.end <= limit && line.next < text.size) {
        line = line_at(text, line.next);
        if (blank(text, line))
            break;
        end = line.end;
    }
    *ret_cut = end > limit;
    if (end > limit) {
        size_t space = limit;
        while (space > start + SL_TEXT_BLOCK_BYTES / 2 && (unsigned char)text.data[space] > ' ')
            space--;
        end =
            (unsigned char)text.data[space] <= ' ' ? space : sl_grapheme_floor(text, start, limit);
    }
    *at = end;
    *ret_block = sl_view_range(text, start, end);
    return true;
}

/* Bytes of citation marks ("[3][12]") at `at`, 0 when there are none. */
static size_t citation(struct sl_view block, size_t at)
{
    size_t end = at;

    while (end < block.size && block.data[end] == '[') {
        size_t close = end + 1;

        while (close < block.size && close - end < 6 && block.data[close] >= '0' &&
               block.data[close] <= '9')
            close++;
        if (close == end + 1 || close >= block.size || block.data[close] != ']')
            break;
        end = close + 1;
    }
    return end - at;
}

/* What ICU gets to see of the newline at `at`; `line_start` is where its line began. */
static UChar newline_unit(struct sl_view block, size_t line_start, size_t at)
{
    size_t next = at + 1;

    while (next < block.size && (block.data[next] == ' ' || block.data[next] == '\t'))
        next++;
    if (next == block.size)
        return '\n';
    return sl_line_ends_sentence(block, line_start, at, next) ? '\n' : ' ';
}

/* The block as ICU sees it. Offsets are relative to the block; one more marks its end. */
static int32_t to_units(struct sl_text_tools *tools, struct sl_view block)
{
    int32_t count = 0;
    size_t line_start = 0, cited = 0; /* bytes before `cited` are in a citation mark */

    for (size_t at = 0; at < block.size;) {
        size_t before = at;
        uint32_t c = sl_utf8_next(block, &at);
        int32_t first = count;

        if (c == '[' && before > 0 && before >= cited &&
            strchr(".!?\"", block.data[before - 1]) != NULL)
            cited = before + citation(block, before);
        if (before < cited) {
            c = ')';
        } else if (c == '\n') {
            c = newline_unit(block, line_start, before);
            line_start = at;
        } else if (c == '\r' || c == '\f' || c == '\v') {
            c = ' ';
        }
        U16_APPEND_UNSAFE(tools->units, count, c);
        for (int32_t i = first; i < count; i++)
            tools->unit_bytes[i] = (uint32_t)before;
    }
    tools->unit_bytes[count] = (uint32_t)block.size;
    return count;
}

static void add_span(struct sl_buffer *spans, struct sl_view text, size_t start, size_t end)
{
    struct sl_view trimmed = sl_view_trim(sl_view_range(text, start, end));
    struct sl_span span = {(uint32_t)(trimmed.data - text.data), 0};

    if (trimmed.size == 0)
        return;
    span.byte_end = span.byte_start + (uint32_t)trimmed.size;
    sl_buffer_add(spans, &span, sizeof span);
}

/* Add the sentences of a block. When the scratch, not the text, ended it (`cut`), its last sentence
 * is left for the next block if it began in the second half; *at_text is set to it. */
static enum sl_err cut_block(struct sl_text_tools *tools, struct sl_view text, struct sl_view block,
                             bool cut, size_t *at_text, struct sl_buffer *spans,
                             struct sl_error *err)
{
    size_t block_start = (size_t)(block.data - text.data), start = 0;
    int32_t count = to_units(tools, block), boundary;
    UErrorCode status = U_ZERO_ERROR;

    ubrk_setText(tools->sentences, tools->units, count, &status);
    if (U_FAILURE(status))
        return sl_stop(err, SL_EXIT_SOFTWARE, (int)status, "icu", "ICU cannot cut sentences: %s",
                       u_errorName(status));
    (void)ubrk_first(tools->sentences);
    while ((boundary = ubrk_next(tools->sentences)) != UBRK_DONE) {
        size_t at = tools->unit_bytes[boundary];

        if (at == block.size)
            break;
        if (tools->units[boundary - 1] != '\n' &&
            sl_sentence_joins(block, 0, start, at, block.size))
            continue;
        add_span(spans, text, block_start + start, block_start + at);
        start = at;
    }
    if (cut && start > SL_TEXT_BLOCK_BYTES / 2)
        *at_text = block_start + start;
    else
        add_span(spans, text, block_start + start, block_start + block.size);
    return SL_OK;
}

enum sl_err sl_text_sentences(struct sl_view text, struct sl_arena *arena,
                              struct sl_span **ret_spans, uint32_t *ret_count, struct sl_error *err)
{
    struct sl_text_tools *tools;
    struct sl_buffer spans = {0};
    struct sl_view block, copy;
    size_t at = 0;
    bool cut;
    enum sl_err code = sl_text_tools(&tools, err);

    while (code == SL_OK && next_block(text, &at, &block, &cut))
        code = cut_block(tools, text, block, cut, &at, &spans, err);
    if (code == SL_OK && spans.failed)
        code = sl_stop(err, SL_EXIT_OS, 0, "memory", "out of memory cutting sentences");
    copy = (struct sl_view){spans.data == NULL ? "" : spans.data, spans.size};
    if (code == SL_OK) {
        copy = sl_arena_copy(arena, copy);
        if (copy.data == NULL)
            code = sl_fail(err, SL_REJECT, "too_large", "the sentences do not fit into memory");
    }
    if (code == SL_OK) {
        *ret_spans = (struct sl_span *)(void *)(uintptr_t)copy.data;
        *ret_count = (uint32_t)(copy.size / sizeof(struct sl_span));
    }
    sl_buffer_fini(&spans);
    return code;
}
