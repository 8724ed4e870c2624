/* extract_meaning.c -- sentences compared with the question by what they mean, where words leave doubt. */
#include <math.h>

#include "extract_internal.h"

#define COSINE_WEIGHT  0.6
#define COVER_CLEAR    0.8  /* met by one sentence: its words say enough, nothing is encoded */
#define ENCODED_MAX    10u  /* sentences compared by meaning */
#define ENCODED_BYTES_MAX 2000u
#define TITLE_BYTES_MAX 120u
#define ENCODED_BY_WORDS 3u  /* of them taken for their words first */

/* The best sentence by words that is not yet to be encoded; NULL when there is none. */
static struct sl_sentence *best_by_words(struct sl_extractor *x)
{
    struct sl_sentence *found = NULL;

    for (uint32_t i = 0; i < x->count; i++)
        if (!x->sentences[i].encoded && x->sentences[i].score > 0 &&
            (found == NULL || x->sentences[i].score > found->score))
            found = &x->sentences[i];
    return found;
}

static double best_cover(const struct sl_extractor *x)
{
    double best = 0;

    for (uint32_t i = 0; i < x->count; i++)
        best = fmax(best, x->sentences[i].cover);
    return best;
}

static void encode_later(struct sl_sentence *sentence, struct sl_sentence **chosen, uint32_t *count,
                         uint32_t *bytes)
{
    uint32_t size = sentence->byte_end - sentence->byte_start;

    if (sentence->encoded || *count == ENCODED_MAX || *bytes + size > ENCODED_BYTES_MAX)
        return;
    sentence->encoded = true;
    *bytes += size;
    chosen[(*count)++] = sentence;
}

/* A few by their words, then all of the best passages in order, then more by their words. */
static uint32_t choose_encoded(struct sl_extractor *x, struct sl_sentence **chosen)
{
    uint32_t count = 0, bytes = 0;
    struct sl_sentence *sentence;

    for (uint32_t i = 0; i < ENCODED_BY_WORDS && (sentence = best_by_words(x)) != NULL; i++)
        encode_later(sentence, chosen, &count, &bytes);
    for (uint32_t i = 0; i < x->count; i++) /* sentences are in the order of the passages */
        encode_later(&x->sentences[i], chosen, &count, &bytes);
    return count;
}

/* A sentence with its title before it: "it" and "they" mean nothing alone. data == NULL: no memory. */
static struct sl_view text_to_encode(struct sl_extractor *x, const struct sl_sentence *sentence)
{
    struct sl_view title = x->passages[sentence->passage].document->title;
    struct sl_view text = sl_sentence_text(x, sentence);
    char *both;

    if (title.size > TITLE_BYTES_MAX)
        title.size = sl_utf8_floor(title, TITLE_BYTES_MAX);
    both = sl_arena_alloc(x->arena, title.size + text.size + 1);
    if (both == NULL)
        return SL_VIEW_NULL;
    if (title.size > 0)
        memcpy(both, title.data, title.size);
    both[title.size] = '\n';
    memcpy(both + title.size + 1, text.data, text.size);
    return (struct sl_view){both, title.size + 1 + text.size};
}

/* Add what a sentence means to its score, where that is known. */
enum sl_err sl_extract_meanings(struct sl_extractor *x)
{
    struct sl_sentence *chosen[ENCODED_MAX];
    struct sl_view texts[ENCODED_MAX];
    uint32_t count, dim;
    float *vectors;
    enum sl_err e;

    if (x->meaning->embedder == NULL || x->meaning->vector == NULL || best_cover(x) >= COVER_CLEAR)
        return SL_OK;
    count = choose_encoded(x, chosen);
    dim = x->meaning->embedder->dim;
    vectors = SL_NEW_ARRAY(x->arena, float, (size_t)count * dim);
    if (vectors == NULL)
        return sl_extract_no_memory(x);
    for (uint32_t i = 0; i < count; i++)
        if ((texts[i] = text_to_encode(x, chosen[i])).data == NULL)
            return sl_extract_no_memory(x);
    e = count > 0 ? x->meaning->embedder->ops->encode(x->meaning->embedder, SL_EMBED_PASSAGE, texts,
                                                      count, vectors, x->err)
                  : SL_REJECT;
    if (e)
        return e == SL_STOP ? e : SL_OK;
    for (uint32_t i = 0; i < count; i++) {
        double cosine = 0;
        for (uint32_t d = 0; d < dim; d++)
            cosine += (double)vectors[(size_t)i * dim + d] * (double)x->meaning->vector[d];
        chosen[i]->score += COSINE_WEIGHT * (cosine > 0 ? cosine : 0);
        if (texts[i].data[texts[i].size - 1] != '?' && cosine > x->cosine)
            x->cosine = cosine;
    }
    return SL_OK;
}
