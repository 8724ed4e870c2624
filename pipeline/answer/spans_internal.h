/*
 * spans_internal.h -- the tokens of a sentence, for the files that look for an answer's few words
 * among them.
 *
 *     spans_tokens.c --> spans.c, spans_frame.c, spans_features.c (English and others, fitted)
 *                   \-> spans_korean.c (by rule)
 */
#ifndef SLUICE_SPANS_INTERNAL_H
#define SLUICE_SPANS_INTERNAL_H

#include "spans.h"

#define SL_TOKENS_MAX 96u

struct sl_token {
    uint32_t start, end; /* bytes in the sentence; punctuation and particle taken off */
    uint32_t full_end;   /* with its particle */
    enum sl_side side;   /* what it is to its neighbours */
    double weight;       /* of the needs it meets */
    bool number, capital, hangul;
    bool clause_before; /* punctuation that ends a clause stands before it */
    bool colon_before;
    bool comma_before;
    bool quote_before, quote_after;
    bool particle; /* taken off */
    bool ending;   /* ... and it is Korean: nothing more belongs to the run */
    bool copula;   /* ... and says that something is this */
};

struct sl_tokens {
    const struct sl_needs *needs;
    struct sl_view text; /* of the sentence */
    struct sl_token tokens[SL_TOKENS_MAX];
    uint32_t count;
};

/*
 * Cut a sentence into tokens, each with what it weighs among the needs.
 *
 * Owns:    nothing; views into the sentence.
 * Thread:  any.
 * Blocks:  CPU: tens of microseconds.
 * Errors:  SL_REJECT too_large; SL_STOP ICU data missing
 */
enum sl_err sl_tokens_read(struct sl_tokens *tokens, struct sl_arena *arena, struct sl_error *err);

static inline struct sl_view sl_token_text(const struct sl_tokens *tokens, uint32_t i)
{
    return sl_view_range(tokens->text, tokens->tokens[i].start, tokens->tokens[i].end);
}

/* Share of the needs met by the tokens within `words` of the run [from, to), or inside it for 0. */
double sl_tokens_weight(const struct sl_tokens *tokens, uint32_t from, uint32_t to, uint32_t words);

bool sl_starts_hangul(struct sl_view text);

/* Bytes of the number that `word` starts with, with the Korean units behind it; 0 when it starts
 * with none. */
uint32_t sl_number_end(struct sl_view word);

static inline bool sl_token_joins(const struct sl_token *token)
{
    return token->side == SL_SIDE_ARTICLE || token->side == SL_SIDE_PREPOSITION ||
           token->side == SL_SIDE_FUNCTION;
}

/* What the words of an English question say of its answer, more finely than what is asked for. */
struct sl_frame {
    enum sl_frame_kind kind;
    struct sl_view focus; /* "city" of "what city"; size 0: none */
    bool counts;          /* a number is asked for */
};

void sl_frame_read(const struct sl_needs *needs, struct sl_frame *ret_frame);

/* Describe the run of tokens [from, to) by its features, and score it. */
void sl_span_describe(const struct sl_tokens *tokens, const struct sl_frame *frame,
                      const struct sl_span_sentence *sentence, uint32_t from, uint32_t to,
                      struct sl_candidate *candidate);

/* The candidates of a Korean sentence: contract as sl_spans_of(). */
enum sl_err sl_spans_korean(const struct sl_tokens *tokens, const struct sl_span_sentence *sentence,
                            struct sl_arena *arena, struct sl_candidate **ret_candidates,
                            uint32_t *ret_count, struct sl_error *err);

#endif
