/* extract_span.c -- the span among the best sentences. */
#include "extract_internal.h"

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
        double score = sl_span_score(&candidates[i]);
        if (x->span_sentence == NULL || score > x->span_score) {
            x->span = candidates[i];
            x->span_sentence = sentence;
            x->span_score = score;
        }
    }
}

enum sl_err sl_extract_span(struct sl_extractor *x, struct sl_extracted *out)
{
    enum sl_err e;

    out->close = SL_NEW_ARRAY(x->arena, struct sl_span_sentence, SL_CLOSE_MAX);
    if (out->close == NULL)
        return sl_extract_no_memory(x);
    out->close_count = x->close_count = choose_close(x);
    for (uint32_t i = 0; i < out->close_count; i++) {
        struct sl_candidate *candidates = NULL;
        uint32_t count = 0;
        out->close[i] = (struct sl_span_sentence){x->passages[x->close[i]->passage].document->text,
                                                  x->close[i]->byte_start, x->close[i]->byte_end,
                                                  x->close[i]->score, i == 0};
        if ((e = sl_spans_of(x->needs, &out->close[i], x->arena, &candidates, &count, x->err)))
            return e;
        choose_span(x, x->close[i], candidates, count);
    }
    x->kind_missing = x->span_sentence != NULL && x->needs->asked != SL_ASKED_WHAT &&
                      x->needs->asked != SL_ASKED_LIST && !sl_span_of_kind(&x->span);
    return SL_OK;
}
