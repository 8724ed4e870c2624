/*
 * extract.c -- the sentences of the found passages that answer the question.
 *
 * A sentence is worth the weight of the question's terms it holds; a little for terms that its
 * neighbours, the title or the heading hold; a little for holding the kind of thing asked for (a
 * number, a date, a name); a little for standing in a passage that both legs rank high. After the
 * best one, others are taken while they add terms not met so far. Nothing is rewritten: an answer
 * is made of stored bytes only.
 *
 * A trained reader was left out: it would cost a second model in memory for every daemon. Known
 * weakness: a sentence that answers in quite other words than the question's is passed over.
 */
#include <sluice/limits.h>

#include <math.h>
#include <stdlib.h>

#include "extract_internal.h"

#define CONTEXT_WEIGHT 0.25
#define HEADING_WEIGHT 0.5
#define CUE_WEIGHT     0.08
#define RANK_WEIGHT    0.10
#define LABEL_WEIGHT   0.20 /* "Label: value", and the label is asked for */
#define ASKING_LOSS    0.45 /* of a sentence that is a question itself */
#define SENTENCES_MAX  2000u

static int compare_view(struct sl_view a, struct sl_view b)
{
    size_t common = a.size < b.size ? a.size : b.size;
    int order = common > 0 ? memcmp(a.data, b.data, common) : 0;

    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

/* Which needs `text` meets. Both term lists are sorted. */
static enum sl_err mark_met(struct sl_extractor *x, struct sl_view text, uint64_t *met)
{
    struct sl_term_count *terms = NULL;
    uint32_t count = 0, length = 0, need = 0, have = 0;
    enum sl_err e =
        sl_text_terms(text, x->needs->language, x->arena, &terms, &count, &length, x->err);

    while (!e && need < x->needs->count && have < count) {
        int order = compare_view(x->needs->terms[need], terms[have].term);
        if (order == 0)
            met[need / 64] |= UINT64_C(1) << (need % 64);
        need += order <= 0 ? 1 : 0;
        have += order >= 0 ? 1 : 0;
    }
    return e;
}

double sl_extract_weight(const struct sl_extractor *x, const uint64_t *met)
{
    double weight = 0;

    for (uint32_t i = 0; i < x->needs->count; i++)
        if (met[i / 64] >> (i % 64) & 1)
            weight += x->needs->weights[i];
    return x->needs->total > 0 ? weight / x->needs->total : 0;
}

/* A run of bytes too long to quote is cut at white space, or at a code point where there is none.
 */
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

static enum sl_err add_sentence(struct sl_extractor *x, uint32_t passage, uint32_t start,
                                uint32_t end)
{
    struct sl_view text = x->passages[passage].document->text;
    struct sl_sentence *sentence;
    enum sl_err e;

    if (sl_word_starts(sl_view_range(text, start, end), "\uFEFF")) /* the mark of a file, no text */
        start += (uint32_t)strlen("\uFEFF");
    while (start < end && x->count < SENTENCES_MAX) {
        uint32_t stop = piece_end(text, start, end);
        sentence = &x->sentences[x->count++];
        *sentence = (struct sl_sentence){.passage = passage,
                                         .byte_start = start,
                                         .byte_end = stop,
                                         .line = sl_line_of(sl_view_range(text, start, stop))};
        sentence->met = SL_NEW_ARRAY(x->arena, uint64_t, x->words);
        if (sentence->met == NULL)
            return sl_extract_no_memory(x);
        if ((e = mark_met(x, sl_view_range(text, start, stop), sentence->met)))
            return e;
        for (start = stop; start < end && (text.data[start] == ' ' || text.data[start] == '\n');)
            start++;
    }
    return SL_OK;
}

/* "Owner: People Team" tells who it is, if "owner" is asked for. */
static bool is_label_asked(struct sl_extractor *x, const struct sl_sentence *sentence)
{
    struct sl_view text = sl_sentence_text(x, sentence);
    size_t label = sl_line_label(text);

    return label > 0 && sl_needs_meet(x->needs, sl_view_range(text, 0, label), x->arena) > 0;
}

/* A row says its cells of its columns, and a label its value of what stands above it. */
static void complete_line(struct sl_extractor *x, struct sl_sentence *sentence,
                          const struct sl_sentence *header)
{
    sentence->labelled = sentence->line == SL_LINE_PROSE && is_label_asked(x, sentence);
    for (uint32_t w = 0; w < x->words; w++) {
        if (sentence->line == SL_LINE_ROW && header != NULL)
            sentence->met[w] |= header->met[w];
        if (sentence->labelled)
            sentence->met[w] |= sl_sentence_above(x, sentence, w);
    }
    sentence->cover = sl_extract_weight(x, sentence->met);
}

/* What stands above each sentence of a passage, and what that adds to it. */
static void read_lines(struct sl_extractor *x, uint32_t first)
{
    const struct sl_sentence *heading = NULL, *header = NULL;

    for (uint32_t i = first; i < x->count; i++) {
        struct sl_sentence *sentence = &x->sentences[i];
        if (sentence->line == SL_LINE_ROW && i + 1 < x->count &&
            x->sentences[i + 1].line == SL_LINE_RULE)
            sentence->line = SL_LINE_HEADER;
        if (sentence->line == SL_LINE_HEADING)
            heading = sentence;
        else if (sentence->line == SL_LINE_HEADER)
            header = sentence;
        else
            sentence->above = sentence->line == SL_LINE_ROW ? header : heading;
        complete_line(x, sentence, header);
    }
}

static enum sl_err read_passage(struct sl_extractor *x, uint32_t index)
{
    const struct sl_passage *passage = &x->passages[index];
    struct sl_view text =
        sl_view_range(passage->document->text, passage->byte_start, passage->byte_end);
    struct sl_span *spans = NULL;
    uint32_t count = 0, first = x->count;
    enum sl_err e;

    x->around[index] = SL_NEW_ARRAY(x->arena, uint64_t, x->words);
    if (x->around[index] == NULL)
        return sl_extract_no_memory(x);
    if ((e = mark_met(x, passage->document->title, x->around[index])) ||
        (e = mark_met(x, passage->section, x->around[index])) ||
        (e = sl_text_sentences(text, x->arena, &spans, &count, x->err)))
        return e;
    for (uint32_t i = 0; !e && i < count; i++)
        e = add_sentence(x, index, passage->byte_start + spans[i].byte_start,
                         passage->byte_start + spans[i].byte_end);
    read_lines(x, first);
    return e;
}

/* ------------------------------------------------------------------------------------ scoring */

/* Does the sentence hold what the question asks for? A name: a capital after the first word. */
static bool meets_cue(struct sl_view text, enum sl_asked asked)
{
    bool number = asked == SL_ASKED_WHEN || asked == SL_ASKED_COUNT || asked == SL_ASKED_AMOUNT;
    bool name = asked == SL_ASKED_WHO || asked == SL_ASKED_WHERE;
    bool after_space = false;

    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        if (number && sl_is_digit(c))
            return true;
        if (name && after_space && c >= 'A' && c <= 'Z' && i + 1 < text.size &&
            text.data[i + 1] >= 'a' && text.data[i + 1] <= 'z')
            return true;
        after_space = c == ' ';
    }
    return false;
}

/* What neighbours, title and heading are worth beside the terms of sentence i itself. */
static double context_of(const struct sl_extractor *x, uint32_t i)
{
    const struct sl_sentence *sentence = &x->sentences[i];
    double weight = 0;

    for (uint32_t t = 0; t < x->needs->count; t++) {
        uint64_t bit = UINT64_C(1) << (t % 64);
        uint64_t above = sentence->above != NULL ? sentence->above->met[t / 64] : 0;
        uint64_t near = x->around[sentence->passage][t / 64];
        if (i > 0 && x->sentences[i - 1].passage == sentence->passage)
            near |= x->sentences[i - 1].met[t / 64];
        if (i + 1 < x->count && x->sentences[i + 1].passage == sentence->passage)
            near |= x->sentences[i + 1].met[t / 64];
        if (sentence->met[t / 64] & bit)
            continue;
        if (above & bit)
            weight += HEADING_WEIGHT * x->needs->weights[t];
        else if (near & bit)
            weight += CONTEXT_WEIGHT * x->needs->weights[t];
    }
    return x->needs->total > 0 ? weight / x->needs->total : 0;
}

static void score_sentences(struct sl_extractor *x)
{
    for (uint32_t i = 0; i < x->count; i++) {
        struct sl_sentence *sentence = &x->sentences[i];
        bool met = sentence->cover > 0 || (sentence->above != NULL && sentence->above->cover > 0);
        if (!sl_sentence_stands_alone(sentence) || (!met && x->meaning->vector == NULL))
            continue;
        sentence->score =
            sentence->cover + context_of(x, i) + RANK_WEIGHT / (1.0 + sentence->passage);
        if (sl_sentence_asks(x, sentence))
            sentence->score -= ASKING_LOSS;
        if (meets_cue(sl_sentence_text(x, sentence), x->needs->asked))
            sentence->score += CUE_WEIGHT;
        if (sentence->labelled)
            sentence->score += LABEL_WEIGHT;
    }
}

enum sl_err sl_extract(const struct sl_needs *needs, const struct sl_meaning *meaning,
                       const struct sl_passage *passages, uint32_t passage_count,
                       struct sl_arena *arena, struct sl_extracted *ret_extracted,
                       struct sl_error *err)
{
    struct sl_extractor x = {.needs = needs,
                             .meaning = meaning,
                             .cosine = -1,
                             .passages = passages,
                             .passage_count = passage_count,
                             .arena = arena,
                             .err = err,
                             .words = needs->count / 64 + 1};
    struct sl_pick picks[SL_CITATIONS_MAX];
    struct sl_extracted out = {0};
    uint32_t taken = 0;
    enum sl_err e = SL_OK;

    x.sentences = SL_NEW_ARRAY(arena, struct sl_sentence, SENTENCES_MAX);
    x.around = SL_NEW_ARRAY(arena, uint64_t *, passage_count);
    if (x.sentences == NULL || x.around == NULL)
        return sl_extract_no_memory(&x);
    for (uint32_t i = 0; !e && i < passage_count; i++)
        e = read_passage(&x, i);
    if (e)
        return e;
    score_sentences(&x);
    if ((e = sl_extract_meanings(&x)) || (e = sl_extract_span(&x, &out)) ||
        (e = sl_extract_choose(&x, picks, &taken)) ||
        (e = sl_extract_cite(&x, picks, taken, &out)) ||
        (e = sl_extract_evidence(&x, taken > 0 ? picks[0].sentence : NULL, &out.evidence)))
        return e;
    out.relevance = sl_relevance(&out.evidence);
    for (uint32_t i = 0; i < out.citation_count; i++) { /* the first one's share is 1 */
        double first = picks[0].sentence->score;        /* 0: only a reader has seen it */
        double share = first > 0 ? (double)out.citations[i].score / first : 1;
        out.citations[i].score = (float)(out.relevance * fmin(share, 1));
    }
    *ret_extracted = out;
    return SL_OK;
}
