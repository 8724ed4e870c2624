/*
 * spans.h -- the few words of a sentence that may be what a question asks for, and what speaks for
 * each.
 *
 *     sentence --> tokens (tokens of the question's own words marked) --> runs of tokens -->
 * features --> score
 */
#ifndef SLUICE_SPANS_H
#define SLUICE_SPANS_H

#include "answer_internal.h"

enum sl_shape { /* of a run of words */
                SL_SHAPE_YEAR = 0,
                SL_SHAPE_DATE,
                SL_SHAPE_MONEY,
                SL_SHAPE_PERCENT,
                SL_SHAPE_QUANTITY, /* a number with what it counts */
                SL_SHAPE_NUMBER,
                SL_SHAPE_NAME,
                SL_SHAPE_FIRST, /* one word with a capital, at the start of its sentence */
                SL_SHAPE_MIXED, /* with and without capitals */
                SL_SHAPE_LOWER,
                SL_SHAPE_HANGUL,
                SL_SHAPES
};

enum sl_side { /* what stands beside a run of words */
               SL_SIDE_EDGE = 0,
               SL_SIDE_PUNCTUATION,
               SL_SIDE_ARTICLE,
               SL_SIDE_PREPOSITION, /* or a Korean particle */
               SL_SIDE_FUNCTION,
               SL_SIDE_TERM, /* of the question */
               SL_SIDE_CAPITAL,
               SL_SIDE_NUMBER,
               SL_SIDE_WORD,
               SL_SIDES
};

/* The features; each has one weight (spans.c). */
enum sl_span_feature {
    SL_SPAN_SHAPES = 0,                                            /* asked x shape */
    SL_SPAN_LENGTHS = SL_SPAN_SHAPES + SL_ASKED_KINDS * SL_SHAPES, /* 1 .. 6 and more words */
    SL_SPAN_LEFT = SL_SPAN_LENGTHS + 6,
    SL_SPAN_RIGHT = SL_SPAN_LEFT + SL_SIDES,
    SL_SPAN_PREPOSITION =
        SL_SPAN_RIGHT + SL_SIDES, /* the one that fits what is asked stands before it */
    SL_SPAN_INSIDE,               /* share of the needs inside the span */
    SL_SPAN_NEAR,                 /* ... within 3 words of it */
    SL_SPAN_AROUND,               /* ... within 8 */
    SL_SPAN_COUNTED,              /* a number is asked for, and a word of the question follows */
    SL_SPAN_COMMA,                /* holds one */
    SL_SPAN_QUOTED,
    SL_SPAN_COPULA,   /* Korean: something is this */
    SL_SPAN_SENTENCE, /* the sentence's score */
    SL_SPAN_BEST,     /* the sentence is the best one */
    SL_SPAN_FEATURES
};

enum { SL_SPAN_FEATURES_EACH = 15 };

struct sl_candidate {
    uint32_t byte_start, byte_end; /* in the document */
    double score; /* how much speaks for it; those of one question can be compared */
    bool of_kind; /* looks like what is asked for: a number for "how many", a name for "who" */
    uint16_t features[SL_SPAN_FEATURES_EACH];
    float values[SL_SPAN_FEATURES_EACH];
    uint32_t feature_count; /* 0: found by rule */
};

/* A sentence to look at. */
struct sl_span_sentence {
    struct sl_view text; /* the document's */
    uint32_t byte_start, byte_end;
    double score;
    bool best;
};

/*
 * All runs of words of a sentence that may be an answer, each with its features.
 *
 * Post:    none when the question asks for nothing that a few words can be (why, how, yes or no,
 * key words). Owns:    lives in `arena`. Thread:  any. Blocks:  CPU: tens of microseconds. Errors:
 * SL_REJECT too_large; SL_STOP ICU data missing
 */
enum sl_err sl_spans_of(const struct sl_needs *needs, const struct sl_span_sentence *sentence,
                        struct sl_arena *arena, struct sl_candidate **ret_candidates,
                        uint32_t *ret_count, struct sl_error *err);

#endif
