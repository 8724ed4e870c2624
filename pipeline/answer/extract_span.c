/*
 * extract_span.c -- the few words that answer.
 *
 * With a reader, a network that was trained for it points at them in the best passages; without
 * one, or when it is late, the runs of words in the best sentences are compared by their looks
 * (spans.c). How sure a reader is decides which passage is quoted first, and not whether there is
 * an answer: its scale is not known.
 */
#include "extract_internal.h"

#define READ_MAX 5u /* passages a reader reads */

/* The best sentences, in order. */
static uint32_t choose_close(struct sl_extractor *x)
{
    const struct sl_sentence **close = x->close;
    uint32_t count = 0;

    for (uint32_t i = 0; i < x->count; i++) {
        const struct sl_sentence *sentence = &x->sentences[i];
        uint32_t at = count;
        if (!(sentence->score > 0) || sl_sentence_asks(x, sentence))
            continue;
        while (at > 0 && close[at - 1]->score < sentence->score)
            at--;
        if (at == SL_CLOSE_MAX)
            continue;
        count += count < SL_CLOSE_MAX ? 1 : 0;
        for (uint32_t to = count - 1; to > at; to--)
            close[to] = close[to - 1];
        close[at] = sentence;
    }
    return count;
}

/* Take the candidates of one sentence into the choice. */
static void choose_span(struct sl_extractor *x, const struct sl_sentence *sentence,
                        const struct sl_candidate *candidates, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (x->span_sentence == NULL || candidates[i].score > x->span.score) {
            x->span = candidates[i];
            x->span_sentence = sentence;
        }
    }
}

/* The sentence of a passage that a byte of its document stands in. */
static const struct sl_sentence *sentence_at(const struct sl_extractor *x, uint32_t passage,
                                             uint32_t byte)
{
    for (uint32_t i = 0; i < x->count; i++)
        if (x->sentences[i].passage == passage && x->sentences[i].byte_start <= byte &&
            byte < x->sentences[i].byte_end)
            return &x->sentences[i];
    return NULL;
}

/* Let the reader point. What it cannot do, or not in time, is left to the looks of words. */
static enum sl_err read_passages(struct sl_extractor *x)
{
    struct sl_reading readings[READ_MAX];
    struct sl_view texts[READ_MAX];
    uint32_t count = x->passage_count < READ_MAX ? x->passage_count : READ_MAX;
    enum sl_err e;

    for (uint32_t i = 0; i < count; i++)
        texts[i] = sl_view_range(x->passages[i].document->text, x->passages[i].byte_start,
                                 x->passages[i].byte_end);
    e = sl_reader_read(x->meaning->reader, x->meaning->question, texts, count, &x->meaning->limit,
                       readings, x->err);
    for (uint32_t i = 0; e == SL_OK && i < count; i++) {
        uint32_t start = x->passages[i].byte_start + readings[i].byte_start;
        const struct sl_sentence *sentence = sentence_at(x, i, start);
        if (readings[i].byte_end == 0 || sentence == NULL ||
            (x->span_sentence != NULL && readings[i].score <= x->span.score))
            continue;
        x->span =
            (struct sl_candidate){.byte_start = start,
                                  .byte_end = x->passages[i].byte_start + readings[i].byte_end,
                                  .score = readings[i].score};
        if (x->span.byte_end > sentence->byte_end) /* an answer is of one sentence */
            x->span.byte_end = sentence->byte_end;
        x->span_sentence = sentence;
    }
    return e == SL_STOP ? e : SL_OK;
}

struct asking {
    const struct sl_extractor *x;
};

static double weight_of_cell(void *context, struct sl_view cell)
{
    const struct asking *asking = context;

    return sl_needs_meet(asking->x->needs, cell, asking->x->arena);
}

/* The best sentence is a row of a table: the cell that is asked for, if a column is. */
static void choose_cell(struct sl_extractor *x, const struct sl_sentence *row)
{
    struct sl_view text = x->passages[row->passage].document->text;
    struct asking asking = {x};
    struct sl_view cell = sl_row_cell(sl_sentence_text(x, row->above), sl_sentence_text(x, row),
                                      weight_of_cell, &asking);

    if (cell.size == 0)
        return;
    x->span = (struct sl_candidate){.byte_start = (uint32_t)(cell.data - text.data)};
    x->span.byte_end = x->span.byte_start + (uint32_t)cell.size;
    x->span_sentence = row;
}

/* The best sentence introduces a list, or is an item of one: all of that is the answer. */
static bool list_answers(const struct sl_extractor *x)
{
    const struct sl_sentence *best = x->close_count > 0 ? x->close[0] : NULL;
    const struct sl_sentence *next =
        best != NULL && best + 1 < x->sentences + x->count ? best + 1 : NULL;

    if (best != NULL && sl_asked_whole_list(x->needs->asked) &&
        sl_item_mark(sl_sentence_text(x, best)) > 0)
        return true;
    return next != NULL && next->passage == best->passage &&
           sl_line_leads(sl_sentence_text(x, best)) && sl_item_mark(sl_sentence_text(x, next)) > 0;
}

static struct sl_span_sentence close_sentence(const struct sl_extractor *x, uint32_t i)
{
    const struct sl_sentence *sentence = x->close[i];
    const struct sl_document *document = x->passages[sentence->passage].document;

    return (struct sl_span_sentence){.text = document->text,
                                     .byte_start = sentence->byte_start,
                                     .byte_end = sentence->byte_end,
                                     .score = sentence->score,
                                     .cover = sentence->cover,
                                     .behind = x->close[0]->score - sentence->score,
                                     .title = document->title,
                                     .rank = sentence->passage,
                                     .best = i == 0};
}

enum sl_err sl_extract_span(struct sl_extractor *x, struct sl_extracted *out)
{
    bool found;
    enum sl_err e;

    out->close = SL_NEW_ARRAY(x->arena, struct sl_span_sentence, SL_CLOSE_MAX);
    if (out->close == NULL)
        return sl_extract_no_memory(x);
    if (x->meaning->reader != NULL && (e = read_passages(x)))
        return e;
    out->close_count = x->close_count = choose_close(x);
    if (x->span_sentence == NULL && x->close_count > 0 && x->close[0]->line == SL_LINE_ROW &&
        x->close[0]->above != NULL)
        choose_cell(x, x->close[0]);
    found = x->span_sentence != NULL || list_answers(x); /* nothing is left to compare by looks */
    for (uint32_t i = 0; i < out->close_count; i++) {
        struct sl_candidate *candidates = NULL;
        uint32_t count = 0;
        out->close[i] = close_sentence(x, i);
        if (found || x->close[i]->line == SL_LINE_ROW)
            continue;
        if ((e = sl_spans_of(x->needs, &out->close[i], x->arena, &candidates, &count, x->err)))
            return e;
        choose_span(x, x->close[i], candidates, count);
    }
    x->kind_missing = x->span_sentence != NULL && !found && x->needs->asked != SL_ASKED_WHAT &&
                      x->needs->asked != SL_ASKED_LIST && !x->span.of_kind;
    return SL_OK;
}
