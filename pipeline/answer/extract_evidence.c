/* extract_evidence.c -- figures of what was found, for the chance that it answers. */
#include <math.h>

#include "extract_internal.h"

/* What the best sentence for it meets with its neighbours, its title and its section. */
static enum sl_err gather_around(struct sl_extractor *x, struct sl_evidence *out)
{
    uint64_t *met = SL_NEW_ARRAY(x->arena, uint64_t, x->words);

    if (met == NULL)
        return sl_extract_no_memory(x);
    for (uint32_t c = 0; c < x->close_count; c++) {
        uint32_t at = (uint32_t)(x->close[c] - x->sentences);
        for (uint32_t w = 0; w < x->words; w++)
            met[w] = sl_sentence_above(x, x->close[c], w);
        for (uint32_t i = at > 0 ? at - 1 : 0; i < x->count && i <= at + 1; i++)
            for (uint32_t w = 0; w < x->words && x->sentences[i].passage == x->close[c]->passage;
                 w++)
                met[w] |= x->sentences[i].met[w];
        out->around_cover = fmax(out->around_cover, sl_extract_weight(x, met));
    }
    return SL_OK;
}

/* The share of the weightiest term that is not in `met`. */
static double missing_from(const struct sl_extractor *x, const uint64_t *met)
{
    double missing = 0;

    for (uint32_t t = 0; t < x->needs->count; t++)
        if (!(met[t / 64] >> (t % 64) & 1))
            missing = fmax(missing, x->needs->weights[t]);
    return x->needs->total > 0 ? missing / x->needs->total : 0;
}

/* What the passage that meets most lacks, with its title. */
static enum sl_err gather_missing(struct sl_extractor *x, struct sl_evidence *out)
{
    uint64_t *met = SL_NEW_ARRAY(x->arena, uint64_t, x->words);
    uint32_t at = 0;
    double best = -1;

    if (met == NULL)
        return sl_extract_no_memory(x);
    for (uint32_t p = 0; p < x->passage_count;
         p++) { /* sentences are in the order of the passages */
        double cover;
        memcpy(met, x->around[p], x->words * sizeof *met);
        for (; at < x->count && x->sentences[at].passage == p; at++)
            for (uint32_t w = 0; w < x->words; w++)
                met[w] |= x->sentences[at].met[w];
        cover = sl_extract_weight(x, met);
        if (cover <= best)
            continue;
        best = out->passage_cover = cover;
        out->missing = missing_from(x, met);
    }
    return SL_OK;
}

/* A passage that shares no script with the question can share no words with it either. */
static bool is_foreign(const struct sl_extractor *x, const struct sl_sentence *first)
{
    const struct sl_passage *passage = &x->passages[first->passage];

    return sl_text_hangul(sl_view_range(passage->document->text, passage->byte_start,
                                        passage->byte_end)) != x->needs->hangul;
}

enum sl_err sl_extract_evidence(struct sl_extractor *x, const struct sl_sentence *first,
                                struct sl_evidence *out)
{
    enum sl_err e;

    *out = (struct sl_evidence){
        .missing = 1,
        .cosine = -1,
        .sentence_cosine = x->cosine,
        .kind_missing = x->kind_missing,
        .words = x->needs->words};
    for (uint32_t p = 0; p < x->passage_count; p++)
        if (x->passages[p].result->vector_rank > 0)
            out->cosine = fmax(out->cosine, (double)x->passages[p].result->vector_score);
    if (first == NULL)
        return SL_OK;
    out->first_cover = first->cover;
    out->foreign = is_foreign(x, first);
    if ((e = gather_missing(x, out)))
        return e;
    return gather_around(x, out);
}
