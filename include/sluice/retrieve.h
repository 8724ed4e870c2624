/*
 * sluice/retrieve.h -- a question to its best chunks: both legs, fused, dated, filtered.
 */
#ifndef SLUICE_RETRIEVE_H
#define SLUICE_RETRIEVE_H

#include <sluice/arena.h>
#include <sluice/dates.h>
#include <sluice/embed.h>
#include <sluice/index.h>
#include <sluice/lexicon.h>
#include <sluice/question.h>

enum sl_fusion { SL_FUSION_RRF = 1, SL_FUSION_MINMAX };

/* What a chat model gets to read around a chunk that was found. */
enum sl_expand {
    SL_EXPAND_OFF = 0,
    SL_EXPAND_SECTION,   /* what stands beside it under the same heading, or in the same turn */
    SL_EXPAND_NEIGHBOURS /* what stands beside it */
};
/* What the lexical leg searches for beside the question: nothing, or what its best chunks have in common. */
enum sl_expansion { SL_EXPANSION_NONE = 0, SL_EXPANSION_RM3 };

struct sl_retrieve_options {
    enum sl_mode mode;       /* default of questions that name none */
    uint32_t k;
    uint32_t ef;
    enum sl_fusion fusion;
    double weight_lexical;   /* where the encoder knows the question's language; >= 0 */
    double weight_vector;
    double coverage_min;     /* below it the question goes to the lexical leg alone; default 0.5 */
    enum sl_expand expand;
    bool keep_duplicates;    /* copies of a better result stay among the results */
    bool judged;             /* they do, but versions do not: judgements name one of several copies */
    double half_life_days;   /* 0 = off: a document loses half its weight in that time */
    enum sl_expansion expansion;
    const struct sl_word_lists *lists; /* those the documents were read with; NULL: none */
    const struct sl_synonyms *synonyms; /* NULL: none */
    const struct sl_reranker *reranker; /* NULL: none */
    uint32_t rerank_depth;       /* results it looks at */
    uint32_t rerank_deadline_ms; /* > 0 with a reranker */
    double rerank_weight;    /* [0, 1]: its share of the final score; the rest is the first order's */
    int64_t answer_until_us; /* of the clock: reranking leaves half of the time before it; 0: no limit */
    double diversity;        /* [0, 1]; 0 = off: results that say something else come first */
};

/* One chunk found. Ranks from 1; 0 = that leg did not return it. */
struct sl_result {
    sl_doc_id doc;
    uint32_t chunk;
    float score;         /* in the end */
    uint32_t rank_before; /* from 1: its place before reranking and diversity */
    float rerank_score;  /* as the reranker gave it */
    float rerank_share;  /* the same, between the least (0) and the greatest (1) of those looked at */
    uint32_t rerank_rank; /* its place after; 0: it was not looked at again */
    float lexical_score; /* BM25   */
    uint32_t lexical_rank;
    float vector_score;  /* cosine */
    uint32_t vector_rank;
    uint32_t duplicates; /* copies of it that are stored, or were found too, and left out */
};

struct sl_retrieved {
    struct sl_result *results; /* [count], best first */
    uint32_t count;
    enum sl_mode mode;         /* what was done in the end */
    const float *vector;       /* of search_text; NULL: not encoded */
    double coverage;           /* of the question by the encoder's vocabulary; -1: not asked */
    bool date_read;            /* a date was read from the question */
    struct sl_date_found date;
    bool widened;              /* the dated search found too little: searched again without the date */
    bool newest;               /* newer documents were preferred: "latest", 최근 */
    struct sl_view search_text; /* the question without its date phrase */
    struct sl_term_count *terms; /* [term_count]: what the lexical leg searched for, synonyms included */
    uint32_t term_count;
    struct sl_view filter_expression; /* all of it, as text: caller's, tenant's and date's */
    uint64_t selected_documents;      /* of the filter; UINT64_MAX: no filter */
    struct sl_search_stats lexical_stats, vector_stats;
    uint32_t rerank_scored; /* results that were looked at again */
    uint32_t rerank_late;   /* and that should have been, had there been time */
    struct sl_view rerank_reason;  /* why not all were: one word of docs/REASONS.md; data == NULL: all were, or none
                                      had to be */
    struct sl_view rerank_failure; /* the same as a warning for people */
    double embed_ms, search_ms, rerank_ms;
    double dates_ms, lexical_ms, vector_ms, fusion_ms; /* lexical and vector are parts of search_ms; dates and fusion are not */
};

struct sl_clock;

/*
 * Find the best chunks for a question.
 *
 * Post:    at most k results (question->k, else options->k), sorted, equal scores by (doc, chunk), a stored
 *          copy after the document it is found through. None is a copy of a better one, unless question or
 *          options want them: then copies that are not exact stay when the question asks for versions, all of
 *          them with question->duplicates. A result matches the filter: of what is stored as copies, one that does.
 * Owns:    *ret_retrieved lives in `arena`.
 * Thread:  any, one snapshot and arena each.
 * Blocks:  CPU: encoding, search. Page faults.
 * Errors:  SL_REJECT  no_vectors (mode vector without an encoder), too_large
 *          SL_AGAIN   the embedder says later
 *          SL_STOP    corrupt, memory
 */
enum sl_err sl_retrieve(const struct sl_snapshot *snapshot, const struct sl_question *question,
                        const struct sl_retrieve_options *options,
                        const struct sl_embedder *embedder, const struct sl_clock *clock,
                        struct sl_arena *arena, struct sl_retrieved **ret_retrieved,
                        struct sl_error *err);

struct sl_scored {
    uint64_t id; /* whatever names an item in both legs */
    double score;
};

/*
 * Fuse two ranked lists. RRF: sum of weight / (60 + rank). Min-max: each list scaled to [0, 1] by its own
 * ends, weighted sum; an item missing from a list gets 0 there.
 *
 * Shape:   lists best first; ret_fused has room for both counts together; sorted best first, equal
 *          scores by id.
 * Owns:    nothing.
 * Thread:  any.
 * Blocks:  no.
 * Errors:  SL_REJECT  too_large (the arena)
 */
enum sl_err sl_fuse(enum sl_fusion fusion, const struct sl_scored *a, uint32_t a_count,
                    double a_weight, const struct sl_scored *b, uint32_t b_count, double b_weight,
                    struct sl_arena *arena, struct sl_scored *ret_fused, uint32_t *ret_count,
                    struct sl_error *err);

#endif /* SLUICE_RETRIEVE_H */
