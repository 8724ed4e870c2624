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
    double lexical = 0;

    *out = (struct sl_evidence){
        .cosine = -1, .sentence_cosine = x->cosine, .kind_missing = x->kind_missing};
    for (uint32_t p = 0; p < x->passage_count; p++) {
        const struct sl_result *result = x->passages[p].result;
        if (result->vector_rank > 0)
            out->cosine = fmax(out->cosine, (double)result->vector_score);
        if (result->lexical_rank > 0)
            lexical = fmax(lexical, (double)result->lexical_score);
    }
    out->lexical_share = x->needs->total > 0 ? lexical / x->needs->total : 0;
    if (first == NULL)
        return SL_OK;
    out->first_cover = first->cover;
    out->foreign = is_foreign(x, first);
    return gather_around(x, out);
}
