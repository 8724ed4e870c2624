/* extract_choose.c -- which sentences are cited, and what they need around them to be understood.
 */
#include "extract_internal.h"

#define FURTHER_MIN    0.55 /* of the best sentence's score, to be cited beside it ... */
#define FURTHER_OTHER  0.75 /* ... and from another document */
#define FURTHER_NEW    0.10 /* share of the needs it must add */
#define LIST_BYTES_MAX 1600u

static bool is_better(const struct sl_sentence *a, const struct sl_sentence *b)
{
    return b == NULL || a->score > b->score;
}

static bool is_repeated(const struct sl_extractor *x, const struct sl_sentence *sentence)
{
    for (uint32_t i = 0; i < x->count; i++)
        if (x->sentences[i].taken &&
            sl_view_equal(sl_sentence_text(x, &x->sentences[i]), sl_sentence_text(x, sentence)))
            return true;
    return false;
}

/* Is it good enough to stand beside the best one, and does it add to what is met? */
static bool adds_enough(const struct sl_extractor *x, const struct sl_sentence *sentence,
                        const struct sl_sentence *best, const uint64_t *met)
{
    bool same = x->passages[sentence->passage].document == x->passages[best->passage].document;
    double added = 0;

    if (sentence->score < best->score * (same ? FURTHER_MIN : FURTHER_OTHER))
        return false;
    for (uint32_t t = 0; t < x->needs->count; t++)
        if ((sentence->met[t / 64] & ~met[t / 64]) >> (t % 64) & 1)
            added += x->needs->weights[t];
    return added >= FURTHER_NEW * x->needs->total;
}

/* The next sentence worth citing; NULL when there is none. `met` is what those taken meet already.
 */
static struct sl_sentence *next_sentence(struct sl_extractor *x, const uint64_t *met,
                                         const struct sl_sentence *best)
{
    struct sl_sentence *found = NULL;

    for (uint32_t i = 0; i < x->count; i++) {
        struct sl_sentence *sentence = &x->sentences[i];
        if (sentence->taken || !(sentence->score > 0) || !sl_sentence_stands_alone(sentence) ||
            (best != NULL && !adds_enough(x, sentence, best, met)))
            continue;
        if (is_better(sentence, found) && !is_repeated(x, sentence))
            found = sentence;
    }
    return found;
}

static bool is_item(const struct sl_extractor *x, const struct sl_sentence *sentence)
{
    return sl_item_mark(sl_sentence_text(x, sentence)) > 0;
}

/* The list that a sentence is an item of, or that it introduces: all of it, with what introduces
 * it. */
static void widen_to_list(const struct sl_extractor *x, uint32_t *from, uint32_t *to)
{
    uint32_t passage = x->sentences[*from].passage, first = *from, last = *to;

    while (first > 0 && x->sentences[first - 1].passage == passage &&
           is_item(x, &x->sentences[first]) &&
           (is_item(x, &x->sentences[first - 1]) ||
            sl_line_leads(sl_sentence_text(x, &x->sentences[first - 1]))))
        first--;
    while (last + 1 < x->count && x->sentences[last + 1].passage == passage &&
           is_item(x, &x->sentences[last + 1]) &&
           x->sentences[last + 1].byte_end - x->sentences[first].byte_start <= LIST_BYTES_MAX)
        last++;
    if (x->sentences[last].byte_end - x->sentences[first].byte_start <= LIST_BYTES_MAX) {
        *from = first;
        *to = last;
    }
}

/* Does a sentence start with a word that stands for something said before it? */
static bool leans_back(const struct sl_extractor *x, const struct sl_sentence *sentence)
{
    struct sl_view text = sl_sentence_text(x, sentence);
    size_t at = 0;

    return sl_word_among(sl_word_next(text, &at),
                         " he her his it its she such their these they this those 그는 "
                         "그녀는 그것은 그들은 그의 이는 이것은 이들은 이에 이를 ");
}

/* A sentence with those around it that it cannot be understood without. */
static struct sl_pick pick_of(const struct sl_extractor *x, const struct sl_sentence *sentence)
{
    uint32_t from = (uint32_t)(sentence - x->sentences), to = from;
    const struct sl_sentence *before = from > 0 ? sentence - 1 : NULL;

    if (sl_line_leads(sl_sentence_text(x, sentence)) ||
        (sl_asked_whole_list(x->needs->asked) && is_item(x, sentence)))
        widen_to_list(x, &from, &to);
    else if (before != NULL && !before->taken && before->passage == sentence->passage &&
             leans_back(x, sentence) && !leans_back(x, before) && before->cover > 0 &&
             !sl_sentence_asks(x, before) &&
             sentence->byte_end - before->byte_start <= SL_QUOTE_BYTES_MAX)
        from--;
    return (struct sl_pick){sentence, x->sentences[from].byte_start, x->sentences[to].byte_end};
}

static void mark_taken(struct sl_extractor *x, const struct sl_pick *pick, uint64_t *met)
{
    for (uint32_t i = 0; i < x->count; i++) {
        struct sl_sentence *sentence = &x->sentences[i];
        if (sentence->passage != pick->sentence->passage ||
            sentence->byte_start < pick->byte_start || sentence->byte_end > pick->byte_end)
            continue;
        sentence->taken = true;
        for (uint32_t w = 0; w < x->words; w++)
            met[w] |= sentence->met[w];
    }
}

/* What to cite, best first; what holds the span goes before what only has the question's words. */
enum sl_err sl_extract_choose(struct sl_extractor *x, struct sl_pick *picks, uint32_t *ret_count)
{
    uint64_t *met = SL_NEW_ARRAY(x->arena, uint64_t, x->words);
    const struct sl_sentence *sentence = x->span_sentence;

    if (met == NULL)
        return sl_extract_no_memory(x);
    *ret_count = 0;
    if (sentence == NULL)
        sentence = next_sentence(x, met, NULL);
    while (sentence != NULL && *ret_count < SL_CITATIONS_MAX) {
        picks[*ret_count] = pick_of(x, sentence);
        mark_taken(x, &picks[(*ret_count)++], met);
        sentence = next_sentence(x, met, picks[0].sentence);
    }
    return SL_OK;
}
