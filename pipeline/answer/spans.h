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

enum sl_look { /* of one word */
               SL_LOOK_CAPITAL = 0,
               SL_LOOK_NUMBER,
               SL_LOOK_JOINING,
               SL_LOOK_LY,
               SL_LOOK_ING,
               SL_LOOK_ED,
               SL_LOOK_THING, /* "-tion", "-ness" */
               SL_LOOK_KIND,  /* "-al", "-ous" */
               SL_LOOK_S,
               SL_LOOK_OTHER,
               SL_LOOKS
};

enum sl_frame_kind { /* of a question */
                     SL_FRAME_OTHER = 0,
                     SL_FRAME_WHO_DOES, /* "who discovered" */
                     SL_FRAME_WHO_DONE, /* "who did X meet", "by whom" */
                     SL_FRAME_WHO_IS,
                     SL_FRAME_WHO_NOUN, /* "what king" */
                     SL_FRAME_WHEN,
                     SL_FRAME_YEAR,
                     SL_FRAME_DAY,
                     SL_FRAME_TIME,
                     SL_FRAME_WHERE,
                     SL_FRAME_PLACE, /* "what city" */
                     SL_FRAME_COUNT,
                     SL_FRAME_MUCH,
                     SL_FRAME_MEASURE, /* "how long" */
                     SL_FRAME_SHARE,
                     SL_FRAME_WHAT_IS,
                     SL_FRAME_WHAT_ARE,
                     SL_FRAME_WHAT_DONE, /* "what did X discover" */
                     SL_FRAME_WHAT_DOES, /* "what caused" */
                     SL_FRAME_WHAT_NOUN,
                     SL_FRAME_KIND, /* "what type of" */
                     SL_FRAME_NAME, /* "what is the name of", "what is X called" */
                     SL_FRAME_WHICH,
                     SL_FRAME_INSIDE, /* the asking word stands late: "X was made in what?" */
                     SL_FRAMES
};

#define SL_SMALL_WORDS    42
#define SL_SPAN_DISTANCES 7

/* The features; each has one weight (span_weights.h). */
enum sl_span_feature {
    SL_SPAN_SHAPES = 0, /* kind of question x shape; this one comes first */
    SL_SPAN_LENGTHS =
        SL_SPAN_SHAPES + SL_FRAMES * SL_SHAPES, /* kind of question x 1 .. 6 and more words */
    SL_SPAN_SHAPE_LENGTHS = SL_SPAN_LENGTHS + SL_FRAMES * 6,
    SL_SPAN_FIRST = SL_SPAN_SHAPE_LENGTHS + SL_SHAPES * 6, /* look of the first word */
    SL_SPAN_LAST = SL_SPAN_FIRST + SL_LOOKS, /* kind of question x look of the last one */
    SL_SPAN_BOTH = SL_SPAN_LAST + SL_FRAMES * SL_LOOKS, /* left x right side */
    SL_SPAN_LEFT = SL_SPAN_BOTH + SL_SIDES * SL_SIDES,  /* kind of question x side */
    SL_SPAN_RIGHT = SL_SPAN_LEFT + SL_FRAMES * SL_SIDES,
    SL_SPAN_SHAPE_LEFT = SL_SPAN_RIGHT + SL_FRAMES * SL_SIDES,
    SL_SPAN_SHAPE_RIGHT = SL_SPAN_SHAPE_LEFT + SL_SHAPES * SL_SIDES,
    SL_SPAN_BEFORE =
        SL_SPAN_SHAPE_RIGHT + SL_SHAPES * SL_SIDES, /* kind of question x small word before it */
    SL_SPAN_AFTER = SL_SPAN_BEFORE + SL_FRAMES * SL_SMALL_WORDS, /* small word behind it */
    SL_SPAN_NEXT = SL_SPAN_AFTER + SL_SMALL_WORDS,               /* look of the word behind it */
    SL_SPAN_DISTANCE_LEFT = SL_SPAN_NEXT + SL_LOOKS,             /* to a word of the question */
    SL_SPAN_DISTANCE_RIGHT = SL_SPAN_DISTANCE_LEFT + SL_SPAN_DISTANCES,
    SL_SPAN_WEIGHT_LEFT =
        SL_SPAN_DISTANCE_RIGHT + SL_SPAN_DISTANCES, /* kind of question: needs met before it */
    SL_SPAN_WEIGHT_RIGHT = SL_SPAN_WEIGHT_LEFT + SL_FRAMES,
    SL_SPAN_QUOTED = SL_SPAN_WEIGHT_RIGHT + SL_FRAMES,
    SL_SPAN_INSIDE = SL_SPAN_QUOTED + SL_FRAMES, /* share of the needs inside the span */
    SL_SPAN_INSIDE_WORDS,                        /* share of its words that are of the question */
    SL_SPAN_INSIDE_ALL,
    SL_SPAN_NEAR,       /* share of the needs within 3 words of it */
    SL_SPAN_AROUND,     /* ... within 8 */
    SL_SPAN_COUNTED,    /* a number is asked for, and a word of the question follows */
    SL_SPAN_FOCUS_LAST, /* ends in the noun of "what NOUN" */
    SL_SPAN_FOCUS_AFTER,
    SL_SPAN_FOCUS_BEFORE,                     /* right before it, or one word further */
    SL_SPAN_COMMA = SL_SPAN_FOCUS_BEFORE + 2, /* holds one */
    SL_SPAN_APPOSITION, /* a word of the question and a comma stand before it */
    SL_SPAN_TITLE,      /* share of its words that the title holds */
    SL_SPAN_SENTENCE,   /* the sentence's score */
    SL_SPAN_COVER,
    SL_SPAN_BEHIND, /* ... how much worse it is than the best one's */
    SL_SPAN_RANK,
    SL_SPAN_BEST, /* the sentence is the best one */
    SL_SPAN_FEATURES
};

enum { SL_SPAN_FEATURES_EACH = 40 };

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
    double cover;
    double behind; /* the best sentence's score, less this one's */
    struct sl_view title;
    uint32_t rank; /* of its passage, from 0 */
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
