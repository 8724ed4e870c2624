/*
 * extract.c -- the sentences of the found passages that answer the question.
 *
 * A sentence is worth the weight of the question's terms it holds; a little for terms that its neighbours,
 * the title or the heading hold; a little for holding the kind of thing asked for (a number, a date, a
 * name); a little for standing in a passage that both legs rank high. After the best one, others are taken
 * while they add terms not met so far. Nothing is rewritten: an answer is made of stored bytes only.
 *
 * A trained reader was left out: it would cost a second model in memory for every daemon. Known weakness:
 * a sentence that answers in quite other words than the question's is passed over.
 */
#include <sluice/limits.h>

#include <math.h>
#include <stdlib.h>

#include "spans.h"

#define CONTEXT_WEIGHT 0.25
#define CUE_WEIGHT     0.08
#define RANK_WEIGHT    0.10
#define ASKING_LOSS    0.45 /* of a sentence that is a question itself */
#define FURTHER_MIN    0.55 /* of the best sentence's score, to be cited beside it ... */
#define FURTHER_OTHER  0.75 /* ... and from another document */
#define FURTHER_NEW    0.10 /* share of the needs it must add */
#define SENTENCES_MAX  2000u
#define COSINE_WEIGHT  0.6
#define COVER_CLEAR    0.8  /* met by one sentence: its words say enough, nothing is encoded */
#define ENCODED_MAX    10u  /* sentences compared by meaning */
#define ENCODED_BYTES_MAX 2000u
#define TITLE_BYTES_MAX 120u
#define LIST_BYTES_MAX  1600u
#define SPAN_MARGIN_MAX 5.0
#define ENCODED_BY_WORDS 3u  /* of them taken for their words first */

struct sentence {
    uint32_t passage;
    uint32_t byte_start, byte_end; /* in the document */
    uint64_t *met;                 /* bit i: holds needs->terms[i] */
    double cover;
    double score;
    bool encoded;
    bool taken;
};

/* Sentences cited as one quote: one, or with those it needs to be understood. */
struct pick {
    const struct sentence *sentence; /* why it was taken */
    uint32_t byte_start, byte_end;
};

struct extractor {
    const struct sl_needs *needs;
    const struct sl_meaning *meaning;
    double cosine; /* of the best sentence encoded */
    const struct sl_passage *passages;
    uint32_t passage_count;
    struct sl_arena *arena;
    struct sl_error *err;
    struct sentence *sentences;
    uint32_t count;
    uint32_t words; /* of 64 bits in `met` */
    uint64_t **around; /* [passage_count]: terms of title and section */
    struct sl_candidate span; /* the best; feature_count == 0: none */
    const struct sentence *span_sentence;
    double span_score, span_margin;
    bool kind_missing;
};

static enum sl_err no_memory(struct extractor *x)
{
    return sl_fail(x->err, SL_REJECT, "too_large",
                   "answer: needs more memory than one question has");
}

static int compare_view(struct sl_view a, struct sl_view b)
{
    size_t common = a.size < b.size ? a.size : b.size;
    int order = common > 0 ? memcmp(a.data, b.data, common) : 0;

    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

/* Which needs `text` meets. Both term lists are sorted. */
static enum sl_err mark_met(struct extractor *x, struct sl_view text, uint64_t *met)
{
    struct sl_term_count *terms = NULL;
    uint32_t count = 0, length = 0, need = 0, have = 0;
    enum sl_err e = sl_text_terms(text, x->needs->language, x->arena, &terms, &count, &length, x->err);

    while (!e && need < x->needs->count && have < count) {
        int order = compare_view(x->needs->terms[need], terms[have].term);
        if (order == 0)
            met[need / 64] |= UINT64_C(1) << (need % 64);
        need += order <= 0 ? 1 : 0;
        have += order >= 0 ? 1 : 0;
    }
    return e;
}

static double weight_of(const struct extractor *x, const uint64_t *met)
{
    double weight = 0;

    for (uint32_t i = 0; i < x->needs->count; i++)
        if (met[i / 64] >> (i % 64) & 1)
            weight += x->needs->weights[i];
    return x->needs->total > 0 ? weight / x->needs->total : 0;
}

/* A run of bytes too long to quote is cut at white space, or at a code point where there is none. */
static uint32_t piece_end(struct sl_view text, uint32_t start, uint32_t end)
{
    size_t cut;

    if (end - start <= SL_QUOTE_BYTES_MAX)
        return end;
    cut = sl_utf8_floor(text, start + SL_QUOTE_BYTES_MAX);
    for (size_t at = cut; at > start + SL_QUOTE_BYTES_MAX / 2; at--)
        if (text.data[at] == ' ' || text.data[at] == '\n')
            return (uint32_t)at;
    return cut > start ? (uint32_t)cut : end;
}

static enum sl_err add_sentence(struct extractor *x, uint32_t passage, uint32_t start, uint32_t end)
{
    struct sl_view text = x->passages[passage].document->text;
    struct sentence *sentence;
    enum sl_err e;

    while (start < end && x->count < SENTENCES_MAX) {
        uint32_t stop = piece_end(text, start, end);
        sentence = &x->sentences[x->count++];
        *sentence = (struct sentence){.passage = passage, .byte_start = start, .byte_end = stop};
        sentence->met = SL_NEW_ARRAY(x->arena, uint64_t, x->words);
        if (sentence->met == NULL)
            return no_memory(x);
        if ((e = mark_met(x, sl_view_range(text, start, stop), sentence->met)))
            return e;
        sentence->cover = weight_of(x, sentence->met);
        for (start = stop; start < end && (text.data[start] == ' ' || text.data[start] == '\n');)
            start++;
    }
    return SL_OK;
}

static enum sl_err read_passage(struct extractor *x, uint32_t index)
{
    const struct sl_passage *passage = &x->passages[index];
    struct sl_view text = sl_view_range(passage->document->text, passage->byte_start,
                                        passage->byte_end);
    struct sl_span *spans = NULL;
    uint32_t count = 0;
    enum sl_err e;

    x->around[index] = SL_NEW_ARRAY(x->arena, uint64_t, x->words);
    if (x->around[index] == NULL)
        return no_memory(x);
    if ((e = mark_met(x, passage->document->title, x->around[index])) ||
        (e = mark_met(x, passage->section, x->around[index])) ||
        (e = sl_text_sentences(text, x->arena, &spans, &count, x->err)))
        return e;
    for (uint32_t i = 0; !e && i < count; i++)
        e = add_sentence(x, index, passage->byte_start + spans[i].byte_start,
                         passage->byte_start + spans[i].byte_end);
    return e;
}

/* ------------------------------------------------------------------------------------ scoring */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Does the sentence hold what the question asks for? A name: a capital after the first word. */
static bool meets_cue(struct sl_view text, enum sl_asked asked)
{
    bool number = asked == SL_ASKED_WHEN || asked == SL_ASKED_COUNT || asked == SL_ASKED_AMOUNT;
    bool name = asked == SL_ASKED_WHO || asked == SL_ASKED_WHERE;
    bool after_space = false;

    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        if (number && is_digit(c))
            return true;
        if (name && after_space && c >= 'A' && c <= 'Z' && i + 1 < text.size &&
            text.data[i + 1] >= 'a' && text.data[i + 1] <= 'z')
            return true;
        after_space = c == ' ';
    }
    return false;
}

static struct sl_view sentence_text(const struct extractor *x, const struct sentence *sentence)
{
    return sl_view_range(x->passages[sentence->passage].document->text, sentence->byte_start,
                         sentence->byte_end);
}

static bool is_question(const struct extractor *x, const struct sentence *sentence)
{
    return sentence_text(x, sentence).data[sentence->byte_end - sentence->byte_start - 1] == '?';
}

/* What neighbours, title and heading add to the terms of sentence i itself. */
static double context_of(const struct extractor *x, uint32_t i)
{
    const struct sentence *sentence = &x->sentences[i];
    double weight = 0;

    for (uint32_t t = 0; t < x->needs->count; t++) {
        uint64_t bit = UINT64_C(1) << (t % 64);
        uint64_t near = x->around[sentence->passage][t / 64];
        if (i > 0 && x->sentences[i - 1].passage == sentence->passage)
            near |= x->sentences[i - 1].met[t / 64];
        if (i + 1 < x->count && x->sentences[i + 1].passage == sentence->passage)
            near |= x->sentences[i + 1].met[t / 64];
        if ((near & bit) && !(sentence->met[t / 64] & bit))
            weight += x->needs->weights[t];
    }
    return x->needs->total > 0 ? weight / x->needs->total : 0;
}

static void score_sentences(struct extractor *x)
{
    for (uint32_t i = 0; i < x->count; i++) {
        struct sentence *sentence = &x->sentences[i];
        if (!(sentence->cover > 0) && x->meaning->vector == NULL)
            continue;
        sentence->score = sentence->cover + CONTEXT_WEIGHT * context_of(x, i) +
                          RANK_WEIGHT / (1.0 + sentence->passage);
        if (is_question(x, sentence))
            sentence->score -= ASKING_LOSS;
        if (meets_cue(sentence_text(x, sentence), x->needs->asked))
            sentence->score += CUE_WEIGHT;
    }
}

/* ------------------------------------------------------------------------------------ meaning */

/* The best sentence by words that is not yet to be encoded; NULL when there is none. */
static struct sentence *best_by_words(struct extractor *x)
{
    struct sentence *found = NULL;

    for (uint32_t i = 0; i < x->count; i++)
        if (!x->sentences[i].encoded && x->sentences[i].score > 0 &&
            (found == NULL || x->sentences[i].score > found->score))
            found = &x->sentences[i];
    return found;
}

static double best_cover(const struct extractor *x)
{
    double best = 0;

    for (uint32_t i = 0; i < x->count; i++)
        best = fmax(best, x->sentences[i].cover);
    return best;
}

static void encode_later(struct sentence *sentence, struct sentence **chosen, uint32_t *count,
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
static uint32_t choose_encoded(struct extractor *x, struct sentence **chosen)
{
    uint32_t count = 0, bytes = 0;
    struct sentence *sentence;

    for (uint32_t i = 0; i < ENCODED_BY_WORDS && (sentence = best_by_words(x)) != NULL; i++)
        encode_later(sentence, chosen, &count, &bytes);
    for (uint32_t i = 0; i < x->count; i++) /* sentences are in the order of the passages */
        encode_later(&x->sentences[i], chosen, &count, &bytes);
    return count;
}

/* A sentence with its title before it: "it" and "they" mean nothing alone. data == NULL: no memory. */
static struct sl_view text_to_encode(struct extractor *x, const struct sentence *sentence)
{
    struct sl_view title = x->passages[sentence->passage].document->title;
    struct sl_view text = sentence_text(x, sentence);
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
static enum sl_err compare_meanings(struct extractor *x)
{
    struct sentence *chosen[ENCODED_MAX];
    struct sl_view texts[ENCODED_MAX];
    uint32_t count = choose_encoded(x, chosen), dim = x->meaning->embedder->dim;
    float *vectors = SL_NEW_ARRAY(x->arena, float, (size_t)count * dim);
    enum sl_err e;

    if (vectors == NULL)
        return no_memory(x);
    for (uint32_t i = 0; i < count; i++)
        if ((texts[i] = text_to_encode(x, chosen[i])).data == NULL)
            return no_memory(x);
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

/* ---------------------------------------------------------------------------------------- spans */

/* The best sentences, in order. */
static uint32_t choose_close(const struct extractor *x, const struct sentence **close)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < x->count; i++) {
        const struct sentence *sentence = &x->sentences[i];
        uint32_t at = count;
        if (!(sentence->score > 0) || is_question(x, sentence))
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

static bool overlap(const struct sl_candidate *a, const struct sl_candidate *b)
{
    return a->byte_start < b->byte_end && b->byte_start < a->byte_end;
}

/* Take the candidates of one sentence into the choice of the best and of the best elsewhere. */
static void choose_span(struct extractor *x, const struct sentence *sentence,
                        const struct sl_candidate *candidates, uint32_t count, double *second)
{
    for (uint32_t i = 0; i < count; i++) {
        double score = sl_span_score(&candidates[i]);
        bool same = x->span_sentence == sentence && overlap(&x->span, &candidates[i]);
        if (x->span_sentence == NULL || score > x->span_score) {
            *second = same || x->span_sentence == NULL ? *second : x->span_score;
            x->span = candidates[i];
            x->span_sentence = sentence;
            x->span_score = score;
        } else if (!same && score > *second) {
            *second = score;
        }
    }
}

static enum sl_err find_span(struct extractor *x, struct sl_extracted *out)
{
    const struct sentence *close[SL_CLOSE_MAX];
    double second = -99;
    enum sl_err e;

    out->close = SL_NEW_ARRAY(x->arena, struct sl_span_sentence, SL_CLOSE_MAX);
    if (out->close == NULL)
        return no_memory(x);
    out->close_count = choose_close(x, close);
    for (uint32_t i = 0; i < out->close_count; i++) {
        struct sl_candidate *candidates = NULL;
        uint32_t count = 0;
        out->close[i] = (struct sl_span_sentence){x->passages[close[i]->passage].document->text,
                                                  close[i]->byte_start, close[i]->byte_end,
                                                  close[i]->score, i == 0};
        if ((e = sl_spans_of(x->needs, &out->close[i], x->arena, &candidates, &count, x->err)))
            return e;
        choose_span(x, close[i], candidates, count, &second);
    }
    x->kind_missing = x->span_sentence != NULL && x->needs->asked != SL_ASKED_WHAT && x->needs->asked != SL_ASKED_LIST && !sl_span_of_kind(&x->span);
    x->span_margin = x->span_sentence != NULL ? fmin(x->span_score - second, SPAN_MARGIN_MAX) : 0;
    return SL_OK;
}

/* Where the span stands among the citations; nowhere when its sentence was not taken. */
static void place_span(const struct extractor *x, struct sl_extracted *out)
{
    for (uint32_t i = 0; x->span_sentence != NULL && i < out->citation_count; i++) {
        const struct sl_citation *citation = &out->citations[i];
        const struct sl_passage *passage = &x->passages[x->span_sentence->passage];
        if (citation->doc == passage->result->doc && citation->byte_start <= x->span.byte_start &&
            x->span.byte_end <= citation->byte_end) {
            out->span = (struct sl_answer_span){citation->n, x->span.byte_start, x->span.byte_end,
                                                sl_view_range(passage->document->text, x->span.byte_start,
                                                              x->span.byte_end)};
            return;
        }
    }
}

/* ----------------------------------------------------------------------------------- choosing */

static bool is_better(const struct sentence *a, const struct sentence *b)
{
    return b == NULL || a->score > b->score;
}

static bool is_repeated(const struct extractor *x, const struct sentence *sentence)
{
    for (uint32_t i = 0; i < x->count; i++)
        if (x->sentences[i].taken &&
            sl_view_equal(sentence_text(x, &x->sentences[i]), sentence_text(x, sentence)))
            return true;
    return false;
}

/* Is it good enough to stand beside the best one, and does it add to what is met? */
static bool adds_enough(const struct extractor *x, const struct sentence *sentence,
                        const struct sentence *best, const uint64_t *met)
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

/* The next sentence worth citing; NULL when there is none. `met` is what those taken meet already. */
static struct sentence *next_sentence(struct extractor *x, const uint64_t *met,
                                      const struct sentence *best)
{
    struct sentence *found = NULL;

    for (uint32_t i = 0; i < x->count; i++) {
        struct sentence *sentence = &x->sentences[i];
        if (sentence->taken || !(sentence->score > 0) ||
            (best != NULL && !adds_enough(x, sentence, best, met)))
            continue;
        if (is_better(sentence, found) && !is_repeated(x, sentence))
            found = sentence;
    }
    return found;
}

/* Bytes of the mark that an item of a list starts with: "- ", "* ", "• ", "2. ", "2) "; 0 when it is none. */
static size_t item_mark(struct sl_view text)
{
    size_t digits = 0;

    if (text.size > 2 && (text.data[0] == '-' || text.data[0] == '*') && text.data[1] == ' ')
        return 2;
    if (sl_word_starts(text, "• ") || sl_word_starts(text, "· "))
        return strcspn(text.data, " ") + 1;
    while (digits < text.size && digits < 3 && is_digit(text.data[digits]))
        digits++;
    return digits > 0 && text.size > digits + 2 && text.data[digits + 1] == ' ' &&
                   (text.data[digits] == '.' || text.data[digits] == ')')
               ? digits + 2
               : 0;
}

static bool is_item(const struct extractor *x, const struct sentence *sentence)
{
    return item_mark(sentence_text(x, sentence)) > 0;
}

static bool is_lead(const struct extractor *x, const struct sentence *sentence)
{
    struct sl_view text = sentence_text(x, sentence);

    return text.data[text.size - 1] == ':';
}

/* The list that a sentence is an item of, or that it introduces: all of it, with what introduces it. */
static void widen_to_list(const struct extractor *x, uint32_t *from, uint32_t *to)
{
    uint32_t passage = x->sentences[*from].passage, first = *from, last = *to;

    while (first > 0 && x->sentences[first - 1].passage == passage && is_item(x, &x->sentences[first]) &&
           (is_item(x, &x->sentences[first - 1]) || is_lead(x, &x->sentences[first - 1])))
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
static bool leans_back(const struct extractor *x, const struct sentence *sentence)
{
    struct sl_view text = sentence_text(x, sentence);
    size_t at = 0;

    return sl_word_among(sl_word_next(text, &at), " he her his it its she such their these they this those 그는 "
                                                  "그녀는 그것은 그들은 그의 이는 이것은 이들은 이에 이를 ");
}

/* A sentence with those around it that it cannot be understood without. */
static struct pick pick_of(const struct extractor *x, const struct sentence *sentence)
{
    uint32_t from = (uint32_t)(sentence - x->sentences), to = from;
    const struct sentence *before = from > 0 ? sentence - 1 : NULL;

    if (is_lead(x, sentence) || (x->needs->asked == SL_ASKED_LIST && is_item(x, sentence)))
        widen_to_list(x, &from, &to);
    else if (before != NULL && before->passage == sentence->passage && leans_back(x, sentence) &&
             !leans_back(x, before) && before->cover > 0 && !is_question(x, before) &&
             sentence->byte_end - before->byte_start <= SL_QUOTE_BYTES_MAX)
        from--;
    return (struct pick){sentence, x->sentences[from].byte_start, x->sentences[to].byte_end};
}

static void mark_taken(struct extractor *x, const struct pick *pick, uint64_t *met)
{
    for (uint32_t i = 0; i < x->count; i++) {
        struct sentence *sentence = &x->sentences[i];
        if (sentence->passage != pick->sentence->passage || sentence->byte_start < pick->byte_start ||
            sentence->byte_end > pick->byte_end)
            continue;
        sentence->taken = true;
        for (uint32_t w = 0; w < x->words; w++)
            met[w] |= sentence->met[w];
    }
}

/* What to cite, best first; what holds the span goes before what only has the question's words. */
static enum sl_err take_sentences(struct extractor *x, struct pick *picks, uint32_t *ret_count)
{
    uint64_t *met = SL_NEW_ARRAY(x->arena, uint64_t, x->words);
    const struct sentence *sentence = x->span_sentence;

    if (met == NULL)
        return no_memory(x);
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

/* ------------------------------------------------------------------------------------- writing */

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
static bool join_to_any(struct sl_citation *citations, uint32_t count, const struct sl_citation *one)
{
    for (uint32_t i = 0; i < count; i++) {
        struct sl_citation *other = &citations[i];
        if (touches(other, one) || touches(one, other)) {
            *other = touches(other, one) ? joined(other, one, other->n)
                                         : joined(one, other, other->n);
            return true;
        }
    }
    return false;
}

/* Citations in the order taken; a sentence next to one already there makes that quote longer. */
static enum sl_err cite(struct extractor *x, const struct pick *picks, uint32_t count,
                        struct sl_extracted *out)
{
    struct sl_citation *citations = SL_NEW_ARRAY(x->arena, struct sl_citation, SL_CITATIONS_MAX);

    if (citations == NULL)
        return no_memory(x);
    out->citations = citations;
    out->citation_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct sl_citation one =
            sl_citation_of(&x->passages[picks[i].sentence->passage], 0, picks[i].byte_start,
                           picks[i].byte_end, (float)picks[i].sentence->score);
        if (join_to_any(citations, out->citation_count, &one))
            continue;
        one.n = out->citation_count + 1;
        citations[out->citation_count++] = one;
    }
    return SL_OK;
}

/* A quote on one line: white space as one space, the items of a list after semicolons. */
static void write_quote(struct sl_buffer *out, struct sl_view quote)
{
    for (size_t at = 0; at < quote.size;) {
        size_t word = at, end;
        while (word < quote.size && strchr(" \t\r\n", quote.data[word]) != NULL && quote.data[word] != '\0')
            word++;
        bool line = memchr(quote.data + at, '\n', word - at) != NULL;
        size_t mark = line || word == 0 ? item_mark(sl_view_range(quote, word, quote.size)) : 0;
        if (mark > 0 && at > 0 && strchr(":;,", quote.data[at - 1]) == NULL)
            sl_buffer_view(out, SL_VIEW(";"));
        if (at > 0 && word > at)
            sl_buffer_view(out, SL_VIEW(" "));
        word += mark > 0 && !is_digit(quote.data[word]) ? mark : 0;
        for (end = word; end < quote.size && (strchr(" \t\r\n", quote.data[end]) == NULL || quote.data[end] == '\0');)
            end++;
        sl_buffer_view(out, sl_view_range(quote, word, end));
        at = end;
    }
}

/* "Sentence. [1] Sentence. [2]" */
static enum sl_err write_text(struct extractor *x, struct sl_extracted *out)
{
    struct sl_buffer buffer = {0};

    for (uint32_t i = 0; i < out->citation_count; i++) {
        if (i > 0)
            sl_buffer_view(&buffer, SL_VIEW(" "));
        write_quote(&buffer, out->citations[i].quote);
        sl_buffer_format(&buffer, " [%u]", out->citations[i].n);
    }
    out->text = sl_arena_copy(x->arena, (struct sl_view){buffer.data ? buffer.data : "", buffer.size});
    bool failed = buffer.failed || out->text.data == NULL;
    sl_buffer_fini(&buffer);
    return failed ? no_memory(x) : SL_OK;
}

/* Share of the question's names and numbers that `met` lacks; 0 when it has none. */
static double named_missing(const struct extractor *x, const uint64_t *met)
{
    double named = 0, missing = 0;

    for (uint32_t i = 0; i < x->needs->count; i++) {
        named += x->needs->named[i] ? x->needs->weights[i] : 0;
        missing += x->needs->named[i] && !(met[i / 64] >> (i % 64) & 1) ? x->needs->weights[i] : 0;
    }
    return named > 0 ? missing / named : 0;
}

/* What the best passage meets, with its title and section. */
static enum sl_err gather_passages(struct extractor *x, struct sl_evidence *out)
{
    uint64_t *met = SL_NEW_ARRAY(x->arena, uint64_t, x->words);

    if (met == NULL)
        return no_memory(x);
    out->named_missing = x->passage_count > 0 ? 1 : 0;
    for (uint32_t p = 0; p < x->passage_count; p++) {
        memcpy(met, x->around[p], x->words * sizeof *met);
        for (uint32_t i = 0; i < x->count; i++) {
            for (uint32_t w = 0; w < x->words && x->sentences[i].passage == p; w++)
                met[w] |= x->sentences[i].met[w];
        }
        out->passage_cover = fmax(out->passage_cover, weight_of(x, met));
        out->named_missing = fmin(out->named_missing, named_missing(x, met));
    }
    return SL_OK;
}

/* What the best sentence meets with its neighbours, its title and its section. */
static enum sl_err gather_sentence(struct extractor *x, const struct sentence *best,
                                   struct sl_evidence *out)
{
    uint64_t *met = SL_NEW_ARRAY(x->arena, uint64_t, x->words);
    uint32_t at = (uint32_t)(best - x->sentences);

    if (met == NULL)
        return no_memory(x);
    memcpy(met, x->around[best->passage], x->words * sizeof *met);
    for (uint32_t i = at > 0 ? at - 1 : 0; i < x->count && i <= at + 1; i++)
        for (uint32_t w = 0; w < x->words && x->sentences[i].passage == best->passage; w++)
            met[w] |= x->sentences[i].met[w];
    out->clear_cover = weight_of(x, met);
    out->named_apart = named_missing(x, met);
    return SL_OK;
}

static enum sl_err gather_evidence(struct extractor *x, const struct sentence *best,
                                   struct sl_evidence *out)
{
    double lexical = 0;
    enum sl_err e;

    *out = (struct sl_evidence){.cosine = -1, .sentence_cosine = x->cosine,
                                .span_asked = x->span_sentence != NULL,
                                .kind_missing = x->kind_missing,
                                .span_score = x->span_sentence != NULL ? sl_span_fit(&x->span) : 0, .span_margin = x->span_margin};
    for (uint32_t p = 0; p < x->passage_count; p++) {
        const struct sl_result *result = x->passages[p].result;
        if (result->vector_rank > 0)
            out->cosine = fmax(out->cosine, (double)result->vector_score);
        if (result->lexical_rank > 0)
            lexical = fmax(lexical, (double)result->lexical_score);
    }
    out->first_cover = best != NULL ? best->cover : 0;
    for (uint32_t i = 0; i < x->count; i++)
        out->sentence_cover = fmax(out->sentence_cover, x->sentences[i].cover);
    out->lexical_share = x->needs->total > 0 ? lexical / x->needs->total : 0;
    if ((e = gather_passages(x, out)))
        return e;
    return best != NULL ? gather_sentence(x, best, out) : SL_OK;
}

enum sl_err sl_extract(const struct sl_needs *needs, const struct sl_meaning *meaning,
                       const struct sl_passage *passages, uint32_t passage_count,
                       struct sl_arena *arena, struct sl_extracted *ret_extracted,
                       struct sl_error *err)
{
    struct extractor x = {.needs = needs, .meaning = meaning, .cosine = -1, .passages = passages,
                          .passage_count = passage_count, .arena = arena, .err = err,
                          .words = needs->count / 64 + 1};
    struct pick picks[SL_CITATIONS_MAX];
    struct sl_extracted out = {0};
    uint32_t taken = 0;
    enum sl_err e = SL_OK;

    x.sentences = SL_NEW_ARRAY(arena, struct sentence, SENTENCES_MAX);
    x.around = SL_NEW_ARRAY(arena, uint64_t *, passage_count);
    if (x.sentences == NULL || x.around == NULL)
        return no_memory(&x);
    for (uint32_t i = 0; !e && i < passage_count; i++)
        e = read_passage(&x, i);
    if (e)
        return e;
    score_sentences(&x);
    if (meaning->embedder != NULL && meaning->vector != NULL && best_cover(&x) < COVER_CLEAR &&
        (e = compare_meanings(&x)))
        return e;
    if ((e = find_span(&x, &out)))
        return e;
    if ((e = take_sentences(&x, picks, &taken)) || (e = cite(&x, picks, taken, &out)) ||
        (e = write_text(&x, &out)) || (e = gather_evidence(&x, taken > 0 ? picks[0].sentence : NULL, &out.evidence)))
        return e;
    place_span(&x, &out);
    out.relevance = sl_relevance(&out.evidence);
    for (uint32_t i = 0; i < out.citation_count; i++) /* the best sentence's share is 1 */
        out.citations[i].score = (float)(out.relevance * (double)out.citations[i].score / picks[0].sentence->score);
    *ret_extracted = out;
    return SL_OK;
}
