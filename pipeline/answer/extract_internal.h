/*
 * extract_internal.h -- what the files that extract an answer share.
 *
 *     extract.c (sentences, scores) -> extract_meaning.c -> extract_span.c -> extract_choose.c ->
 * extract_cite.c extract_line.c (headings, rows, labels, items) \--> extract_evidence.c
 *
 * Where a function says nothing else: Owns: lives in x->arena. Thread: the extractor's. Blocks: no.
 * Errors: SL_REJECT too_large.
 */
#ifndef SLUICE_EXTRACT_INTERNAL_H
#define SLUICE_EXTRACT_INTERNAL_H

#include "spans.h"

enum sl_line { /* what a sentence is, where it is none */
               SL_LINE_PROSE = 0,
               SL_LINE_HEADING, /* says what is below it, and is not cited itself */
               SL_LINE_HEADER,  /* the row of a table that names its columns */
               SL_LINE_ROW,
               SL_LINE_RULE /* "| --- | --- |" */
};

struct sl_sentence {
    uint32_t passage;
    uint32_t byte_start, byte_end; /* in the document */
    enum sl_line line;
    uint64_t *met; /* bit i: holds needs->terms[i]; of a row, with its header */
    const struct sl_sentence
        *above; /* the heading it stands under; of a row, its header; or NULL */
    double cover;
    double score;
    bool labelled; /* "Label: value", and the label is asked for */
    bool encoded;
    bool taken;
};

/* Sentences cited as one quote: one, or with those it needs to be understood. */
struct sl_pick {
    const struct sl_sentence *sentence; /* why it was taken */
    uint32_t byte_start, byte_end;
};

struct sl_extractor {
    const struct sl_needs *needs;
    const struct sl_meaning *meaning;
    double cosine; /* of the best sentence encoded */
    const struct sl_passage *passages;
    uint32_t passage_count;
    struct sl_arena *arena;
    struct sl_error *err;
    struct sl_sentence *sentences;
    uint32_t count;
    uint32_t words;                                /* of 64 bits in `met` */
    uint64_t **around;                             /* [passage_count]: terms of title and section */
    const struct sl_sentence *close[SL_CLOSE_MAX]; /* the best, in order */
    uint32_t close_count;
    struct sl_candidate span;                /* the best */
    const struct sl_sentence *span_sentence; /* it stands in; NULL: there is no span */
    bool kind_missing;
};

static inline enum sl_err sl_extract_no_memory(struct sl_extractor *x)
{
    return sl_fail(x->err, SL_REJECT, "too_large",
                   "answer: needs more memory than one question has");
}

static inline struct sl_view sl_sentence_text(const struct sl_extractor *x,
                                              const struct sl_sentence *sentence)
{
    return sl_view_range(x->passages[sentence->passage].document->text, sentence->byte_start,
                         sentence->byte_end);
}

static inline bool sl_sentence_asks(const struct sl_extractor *x,
                                    const struct sl_sentence *sentence)
{
    struct sl_view text = sl_sentence_text(x, sentence);

    return text.data[text.size - 1] == '?';
}

/* Share of the needs that `met` has the bits of. */
double sl_extract_weight(const struct sl_extractor *x, const uint64_t *met);

static inline bool sl_sentence_stands_alone(const struct sl_sentence *sentence)
{
    return sentence->line == SL_LINE_PROSE || sentence->line == SL_LINE_ROW;
}

/* Terms of the title, the section and the heading above: bit i, of 64 in word `word`. */
static inline uint64_t sl_sentence_above(const struct sl_extractor *x,
                                         const struct sl_sentence *sentence, uint32_t word)
{
    return x->around[sentence->passage][word] |
           (sentence->above != NULL ? sentence->above->met[word] : 0);
}

/* What the line is that a sentence was cut from, by its own bytes: a row or header of a table is
 * SL_LINE_ROW. */
enum sl_line sl_line_of(struct sl_view text);

/* Bytes of "Label" in "Label: value"; 0 when the line has none. */
size_t sl_line_label(struct sl_view text);

/* Is an item of a list only a part of what is asked for? */
static inline bool sl_asked_whole_list(enum sl_asked asked)
{
    return asked == SL_ASKED_LIST || asked == SL_ASKED_WHAT || asked == SL_ASKED_HOW;
}

/* Does a sentence introduce a list, or rows? */
bool sl_line_leads(struct sl_view text);

/* The cell of a row that answers: in the column whose name weighs most, and without words of the
 * question itself; empty when no column is named. */
struct sl_view sl_row_cell(struct sl_view header, struct sl_view row,
                           double (*weigh)(void *context, struct sl_view cell), void *context);

/* A row in words: "Column: cell, Column: cell". */
void sl_row_write(struct sl_buffer *out, struct sl_view header, struct sl_view row);

/* Bytes of the mark that an item of a list starts with: "- ", "* ", "• ", "2. ", "2) ", "①"; 0 when
 * it is none. */
size_t sl_item_mark(struct sl_view text);

/* Add what sentences mean to their scores, where words leave doubt. Blocks: CPU or network, the
 * encoder's. Errors: also SL_STOP, the encoder's. */
enum sl_err sl_extract_meanings(struct sl_extractor *x);

/* Find the span in the best sentences. Errors: also SL_STOP. */
enum sl_err sl_extract_span(struct sl_extractor *x, struct sl_extracted *out);

/* What to cite, best first: picks[SL_CITATIONS_MAX]. */
enum sl_err sl_extract_choose(struct sl_extractor *x, struct sl_pick *picks, uint32_t *ret_count);

/* Citations in the order taken, text with marks, and where among them the span stands. */
enum sl_err sl_extract_cite(struct sl_extractor *x, const struct sl_pick *picks, uint32_t count,
                            struct sl_extracted *out);

/* Figures of what was found; `first` is the sentence cited first, NULL when there is none. */
enum sl_err sl_extract_evidence(struct sl_extractor *x, const struct sl_sentence *first,
                                struct sl_evidence *out);

#endif
