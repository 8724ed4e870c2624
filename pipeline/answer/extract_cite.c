/* extract_cite.c -- the sentences chosen as citations and as the text of the answer. */
#include "extract_internal.h"

/* Does `b` follow `a` in one document with nothing but white space between? */
static bool touches(const struct sl_citation *a, const struct sl_citation *b)
{
    if (a->doc != b->doc || a->byte_end > b->byte_start)
        return false;
    for (const char *at = a->quote.data + a->quote.size; at < b->quote.data; at++)
        if (*at != ' ' && *at != '\n' && *at != '\r' && *at != '\t')
            return false;
    return true;
}

/* One citation from two that touch, `a` before `b`; the number stays. */
static struct sl_citation joined(const struct sl_citation *a, const struct sl_citation *b,
                                 uint32_t n)
{
    struct sl_citation both = *a;

    both.n = n;
    both.byte_end = b->byte_end;
    both.quote.size = b->byte_end - a->byte_start;
    both.score = a->score > b->score ? a->score : b->score;
    return both;
}

/* Make an earlier quote longer by `one`, if it stands next to it. */
static bool join_to_any(struct sl_citation *citations, uint32_t count,
                        const struct sl_sentence *const rows[SL_CITATIONS_MAX],
                        const struct sl_citation *one)
{
    for (uint32_t i = 0; i < count; i++) {
        struct sl_citation *other = &citations[i];
        if (rows[i] != NULL)
            continue;
        if (touches(other, one) || touches(one, other)) {
            *other =
                touches(other, one) ? joined(other, one, other->n) : joined(one, other, other->n);
            return true;
        }
    }
    return false;
}

/* Citations in the order taken; a sentence next to one already there makes that quote longer, a row
 * of a table does not: rows[i] is the row that citation i is, or NULL. */
static enum sl_err cite(struct sl_extractor *x, const struct sl_pick *picks, uint32_t count,
                        const struct sl_sentence *rows[SL_CITATIONS_MAX], struct sl_extracted *out)
{
    struct sl_citation *citations = SL_NEW_ARRAY(x->arena, struct sl_citation, SL_CITATIONS_MAX);

    if (citations == NULL)
        return sl_extract_no_memory(x);
    out->citations = citations;
    out->citation_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct sl_citation one =
            sl_citation_of(&x->passages[picks[i].sentence->passage], 0, picks[i].byte_start,
                           picks[i].byte_end, (float)picks[i].sentence->score);
        bool is_row = picks[i].sentence->line == SL_LINE_ROW && picks[i].sentence->above != NULL;
        if (!is_row && join_to_any(citations, out->citation_count, rows, &one))
            continue;
        rows[out->citation_count] = is_row ? picks[i].sentence : NULL;
        one.n = out->citation_count + 1;
        citations[out->citation_count++] = one;
    }
    return SL_OK;
}

/* A word without what Markdown puts around it: "**", and the backslash of "1\." */
static void write_word(struct sl_buffer *out, struct sl_view word)
{
    size_t from = 0;

    for (size_t at = 0; at + 1 < word.size; at++) {
        size_t marks = memcmp(word.data + at, "**", 2) == 0 ? 2 : memcmp(word.data + at, "\\.", 2) == 0 ? 1 : 0;
        if (marks == 0)
            continue;
        sl_buffer_view(out, sl_view_range(word, from, at));
        from = at + marks;
        at = from - 1;
    }
    sl_buffer_view(out, sl_view_range(word, from, word.size));
}

/* A quote on one line: white space as one space, the items of a list after semicolons, without
 * "**". */
static void write_quote(struct sl_buffer *out, struct sl_view quote)
{
    for (size_t at = 0; at < quote.size;) {
        size_t word = at, end;
        while (word < quote.size && strchr(" \t\r\n", quote.data[word]) != NULL &&
               quote.data[word] != '\0')
            word++;
        bool line = memchr(quote.data + at, '\n', word - at) != NULL;
        size_t mark = line || word == 0 ? sl_item_mark(sl_view_range(quote, word, quote.size)) : 0;
        if (mark > 0 && at > 0 && strchr(".:;,", quote.data[at - 1]) == NULL)
            sl_buffer_view(out, SL_VIEW(";"));
        if (at > 0 && word > at)
            sl_buffer_view(out, SL_VIEW(" "));
        word += mark > 0 && !sl_is_digit(quote.data[word]) ? mark : 0;
        for (end = word; end < quote.size &&
                         (strchr(" \t\r\n", quote.data[end]) == NULL || quote.data[end] == '\0');)
            end++;
        write_word(out, sl_view_range(quote, word, end));
        at = end;
    }
}

/* "Sentence. [1] Sentence. [2]" */
static enum sl_err write_text(struct sl_extractor *x,
                              const struct sl_sentence *const rows[SL_CITATIONS_MAX],
                              struct sl_extracted *out)
{
    struct sl_buffer buffer = {0};

    for (uint32_t i = 0; i < out->citation_count; i++) {
        if (i > 0)
            sl_buffer_view(&buffer, SL_VIEW(" "));
        if (rows[i] != NULL)
            sl_row_write(&buffer, sl_sentence_text(x, rows[i]->above), out->citations[i].quote);
        else
            write_quote(&buffer, out->citations[i].quote);
        sl_buffer_format(&buffer, " [%u]", out->citations[i].n);
    }
    out->text =
        sl_arena_copy(x->arena, (struct sl_view){buffer.data ? buffer.data : "", buffer.size});
    bool failed = buffer.failed || out->text.data == NULL;
    sl_buffer_fini(&buffer);
    return failed ? sl_extract_no_memory(x) : SL_OK;
}

/* Where the span stands among the citations; nowhere when its sentence was not taken. */
static void place_span(const struct sl_extractor *x, struct sl_extracted *out)
{
    for (uint32_t i = 0; x->span_sentence != NULL && i < out->citation_count; i++) {
        const struct sl_citation *citation = &out->citations[i];
        const struct sl_passage *passage = &x->passages[x->span_sentence->passage];
        if (citation->doc == passage->result->doc && citation->byte_start <= x->span.byte_start &&
            x->span.byte_end <= citation->byte_end) {
            out->span = (struct sl_answer_span){
                citation->n, x->span.byte_start, x->span.byte_end,
                sl_view_range(passage->document->text, x->span.byte_start, x->span.byte_end)};
            return;
        }
    }
}

enum sl_err sl_extract_cite(struct sl_extractor *x, const struct sl_pick *picks, uint32_t count,
                            struct sl_extracted *out)
{
    const struct sl_sentence *rows[SL_CITATIONS_MAX] = {0};
    enum sl_err e;

    if ((e = cite(x, picks, count, rows, out)) || (e = write_text(x, rows, out)))
        return e;
    place_span(x, out);
    return SL_OK;
}
