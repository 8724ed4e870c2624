/*
 * answer_internal.h -- what the files that make an answer share.
 *
 *     retrieved --> passages --> extract --> citations, text, relevance
 *                           \--> llm -----> citations, text (checked against the same passages)
 */
#ifndef SLUICE_ANSWER_INTERNAL_H
#define SLUICE_ANSWER_INTERNAL_H

#include <sluice/respond.h>
#include <sluice/text.h>

#define SL_PASSAGES_MAX  10u  /* read closely, whatever k is */
#define SL_CITATIONS_MAX 3u   /* of an extracted answer */
#define SL_QUOTE_BYTES_MAX 800u

#define SL_PASSAGE_BYTES_MAX  6000u  /* of a passage of several chunks */
#define SL_EXPANDED_BYTES_MAX 16000u /* of all passages, when some are more than what was found */

/* A chunk of a passage. */
struct sl_part {
    uint32_t chunk;
    uint32_t byte_start, byte_end;
};

/* A chunk that was found, or several that stand together, with their document. */
struct sl_passage {
    const struct sl_result *result; /* of the best chunk; its legs' scores are the best of all */
    const struct sl_document *document;
    uint32_t byte_start, byte_end;
    struct sl_view section; /* of the best chunk */
    struct sl_part *parts;  /* [part_count] in order, ranges may overlap; none: the result's chunk alone */
    uint32_t part_count;
    uint32_t document_chunks;
};

/*
 * Read the documents of the best results, each document once; same text twice is left out, and chunks of a
 * document that touch or overlap are one passage, in the place of the best of them.
 *
 * Owns:    all in `arena`; views into the snapshot.
 * Shape:   *ret_passages is struct sl_passage[*ret_count], best first, at most `max`.
 * Thread:  the snapshot's.
 * Blocks:  page faults.
 * Errors:  SL_REJECT too_large; SL_STOP corrupt
 */
enum sl_err sl_passages_read(const struct sl_snapshot *snapshot,
                             const struct sl_retrieved *retrieved, uint32_t max,
                             struct sl_arena *arena, struct sl_passage **ret_passages,
                             uint32_t *ret_count, struct sl_error *err);

/*
 * The same passages with what stands around them, for a reader that can use it: the chunks before and after, up
 * to two on each side, as far as `expand` goes and the bounds above allow; the best passages first.
 *
 * Post:    `passages` are untouched; *ret_expanded may be fewer, since some grow together.
 * Owns:    all in `arena`; views into the snapshot.
 * Thread:  the snapshot's.
 * Blocks:  page faults.
 * Errors:  SL_REJECT too_large; SL_STOP corrupt
 */
enum sl_err sl_passages_expand(const struct sl_snapshot *snapshot, enum sl_expand expand,
                               const struct sl_passage *passages, uint32_t count,
                               struct sl_arena *arena, struct sl_passage **ret_expanded,
                               uint32_t *ret_count, struct sl_error *err);

/* The chunk of a passage that holds this range of its document, or most of it. */
uint32_t sl_passage_chunk(const struct sl_passage *passage, uint32_t byte_start, uint32_t byte_end);

/* The kind of thing a question asks for. */
enum sl_asked {
    SL_ASKED_OTHER = 0, /* key words */
    SL_ASKED_WHO,
    SL_ASKED_WHEN,
    SL_ASKED_WHERE,
    SL_ASKED_COUNT,  /* how many */
    SL_ASKED_AMOUNT, /* how much, how long, what share */
    SL_ASKED_WHAT,
    SL_ASKED_WHY,
    SL_ASKED_HOW,
    SL_ASKED_YES_NO,
    SL_ASKED_LIST,
    SL_ASKED_KINDS
};

/*
 * What a question, English or Korean, asks for.
 *
 * Owns:    nothing.
 * Thread:  any.
 * Blocks:  no.
 * Errors:  none.
 */
enum sl_asked sl_asked_read(struct sl_view question);

/* The next word of `text` from *at on, punctuation at its ends taken off; size 0 at the end. */
struct sl_view sl_word_next(struct sl_view text, size_t *at);

/* ASCII letters in any case; `list` has one space between its words and at each end. */
bool sl_word_is(struct sl_view word, const char *text);
bool sl_word_among(struct sl_view word, const char *list);
bool sl_word_starts(struct sl_view word, const char *start);

static inline bool sl_text_holds(struct sl_view text, const char *part)
{
    return memmem(text.data, text.size, part, strlen(part)) != NULL;
}

/* Bytes of the circled number, "①" to "⑳", that `text` starts with; 0 when it starts with none. */
static inline uint32_t sl_circled_number(struct sl_view text)
{
    return text.size >= 3 && text.data[0] == '\xE2' && text.data[1] == '\x91' &&
                   (unsigned char)text.data[2] >= 0xA0 && (unsigned char)text.data[2] <= 0xB3
               ? 3
               : 0;
}

/* Are at least half of the letters in the first 4,096 bytes Hangul? */
bool sl_text_hangul(struct sl_view text);

static inline bool sl_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* A question's terms that carry meaning, each with the weight of finding it. Sorted by term. */
struct sl_needs {
    struct sl_view question;
    struct sl_view *terms;
    double *weights;
    uint32_t count;
    uint32_t words; /* of the question that tell, as often as they stand there */
    double total;
    const char *language; /* of the question, for analysing sentences the same way */
    enum sl_asked asked;
    bool hangul;          /* written in it, mostly */
};

/*
 * What a question wants to see in an answer. Question words and the like are left out, unless nothing
 * else is there; a term that no chunk holds weighs as much as the rarest.
 *
 * Owns:    lives in `arena`.
 * Thread:  the snapshot's.
 * Blocks:  page faults.
 * Errors:  SL_REJECT too_large; SL_STOP corrupt, ICU data missing
 */
enum sl_err sl_needs_read(const struct sl_snapshot *snapshot, struct sl_view question,
                          struct sl_arena *arena, struct sl_needs *ret_needs,
                          struct sl_error *err);

/* What finding `term` is worth; 0 when the question does not need it. */
double sl_needs_weight(const struct sl_needs *needs, struct sl_view term);

/* What the question's terms in `text` weigh together; 0 also when there is no memory to find them. */
double sl_needs_meet(const struct sl_needs *needs, struct sl_view text, struct sl_arena *arena);

/* Figures from which relevance is made. */
struct sl_evidence {
    double first_cover;     /* share of the needs met by the first sentence cited */
    double around_cover;    /* ... by the best sentence for it with its neighbours, its title and its section */
    double passage_cover;   /* ... by the passage that meets most, with its title and its section */
    double missing;         /* greatest share of one term that the passage which meets most lacks; 1: no passage */
    double cosine;          /* of the best hit; -1 when there was no vector leg */
    double sentence_cosine; /* of the best sentence encoded; -1 when none was */
    bool kind_missing;      /* a person, time, place or number is asked for, and no such thing was found */
    uint32_t words;         /* of the question that tell something */
    bool foreign;           /* the passage is written in another script than the question */
};

/* Sentences that were read closely for a span, best first. */
#define SL_CLOSE_MAX 6u

struct sl_extracted {
    struct sl_citation *citations;
    uint32_t citation_count;
    struct sl_view text;
    struct sl_answer_span span; /* n == 0: none */
    struct sl_span_sentence *close;
    uint32_t close_count;
    struct sl_evidence evidence;
    double relevance;
};

/* What the question means, for comparing sentences by more than their words. */
struct sl_meaning {
    const struct sl_embedder *embedder; /* NULL: words only */
    const float *vector;                /* of the question */
    const struct sl_reader *reader;     /* NULL: spans by their looks */
    struct sl_view question;            /* for the reader */
    struct sl_time_limit limit;         /* for the reader */
};

/*
 * The sentences that answer best, as text with [n] marks and as citations. An encoder that is busy or refuses
 * costs the comparison by meaning, nothing else.
 *
 * Post:    at most SL_CITATIONS_MAX citations; none when no sentence meets any need or comes near.
 * Owns:    lives in `arena`, quotes are views into the snapshot.
 * Thread:  any.
 * Blocks:  CPU; with an encoder, and where words alone leave doubt, encodes up to 2,000 bytes.
 * Errors:  SL_REJECT too_large; SL_STOP ICU data missing, or the encoder's
 */
enum sl_err sl_extract(const struct sl_needs *needs, const struct sl_meaning *meaning,
                       const struct sl_passage *passages, uint32_t passage_count,
                       struct sl_arena *arena, struct sl_extracted *ret_extracted,
                       struct sl_error *err);

/* The chance, in (0, 1), that the documents answer the question, and the least that counts as an answer. */
#define SL_RELEVANCE_MIN 0.5
#define SL_RELEVANCE_DATED_MIN 0.3 /* of passages that are of the dates the question names */
double sl_relevance(const struct sl_evidence *evidence);

/*
 * Let a chat model answer from the passages, and check what it says.
 *
 * Post:    on SL_OK either *ret_declined (the model says the passages do not answer), or *ret_answer has text
 *          and at least one citation, every quote true. *ret_answer is touched only then.
 * Owns:    lives in `arena`, quotes are views into the snapshot.
 * Thread:  any.
 * Blocks:  network, until deadline_us of the monotonic clock.
 * Errors:  SL_AGAIN llm_unavailable; SL_REJECT llm_rejected, llm_broken, llm_unverified, too_large
 */
enum sl_err sl_llm_answer(struct sl_generator *generator, struct sl_view question,
                          const struct sl_passage *passages, uint32_t passage_count,
                          int64_t deadline_us, struct sl_arena *arena,
                          struct sl_extracted *ret_answer, bool *ret_declined, struct sl_error *err);

/* Fill a citation from a passage and a range of its document's text. */
struct sl_citation sl_citation_of(const struct sl_passage *passage, uint32_t n, uint32_t byte_start,
                                  uint32_t byte_end, float score);

#endif
