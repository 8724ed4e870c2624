/*
 * sluice/respond.h -- the way of one question: understand, embed, retrieve, answer, as one call.
 *
 * The same function serves the daemon's answerers and `sluicectl answer`; `retrieve.h` has the search
 * alone, for `search` and `eval`.
 */
#ifndef SLUICE_RESPOND_H
#define SLUICE_RESPOND_H

#include <sluice/arena.h>
#include <sluice/embed.h>
#include <sluice/index.h>
#include <sluice/message.h>
#include <sluice/question.h>
#include <sluice/retrieve.h>

/* Time comes from outside. */
struct sl_clock {
    int64_t (*now_ms)(void *context);       /* Unix epoch: wall time, for "last year" */
    int64_t (*monotonic_us)(void *context); /* for timings and deadlines */
    void *context;
};

/* An answer writer outside the process (net/llm_client.c; a fake in tests). */
struct sl_generator {
    /* Send one chat: `system` and `user` texts; the reply's text goes to *ret_text in `arena`. Waits at most
     * until the monotonic deadline. SL_AGAIN: not reachable or too late; SL_REJECT: refused or broken. */
    enum sl_err (*generate)(struct sl_generator *generator, struct sl_view system,
                            struct sl_view user, int64_t deadline_us, struct sl_arena *arena,
                            struct sl_view *ret_text, struct sl_error *err);
    char model[96];
    void *context;
};

enum sl_status { SL_STATUS_ANSWERED = 1, SL_STATUS_NOT_FOUND, SL_STATUS_ERROR };

struct sl_citation {
    uint32_t n;
    sl_doc_id doc;
    uint32_t chunk;
    struct sl_view topic, key, title, date; /* into the snapshot */
    int32_t partition;
    int64_t offset;
    uint32_t byte_start, byte_end;
    struct sl_view quote; /* text[byte_start, byte_end) of the stored document */
    float score;
};

/* The few words of a citation that the question asks for. */
struct sl_answer_span {
    uint32_t n; /* of the citation; 0: there is no span */
    uint32_t byte_start, byte_end;
    struct sl_view text; /* text[byte_start, byte_end) of the stored document */
};

#define SL_NEAREST_MAX 3u

struct sl_answer {
    enum sl_status status;
    struct sl_view error_code;    /* SL_STATUS_ERROR: one word of docs/REASONS.md */
    struct sl_view error_message;
    struct sl_view text; /* with [1] marks; empty unless answered */
    struct sl_answer_span span;
    struct sl_citation *citations;
    uint32_t citation_count;
    struct sl_retrieved *retrieved; /* hits with both legs' ranks and scores; NULL when none was made */
    struct sl_citation *hits; /* [hit_count]: retrieved->results as places in documents, quote = the whole
                                 chunk; only when question->return_hits */
    uint32_t hit_count;
    struct sl_citation *nearest; /* [nearest_count] of SL_STATUS_NOT_FOUND: the passages that come nearest, each of
                                    another document, at most SL_NEAREST_MAX */
    uint32_t nearest_count;
    struct sl_view *warnings;
    uint32_t warning_count;
    uint32_t rerank_scored, rerank_late; /* passages, of all searches of this question; see retrieve.h */
    struct sl_view rerank_reason;        /* data == NULL: it did all it should, or there is none */
    double embed_ms, search_ms, rerank_ms, generate_ms, total_ms; /* generate: extracting and writing */
    struct sl_view embed_model;  /* "" when none */
    struct sl_view pipeline;     /* sl_ingest_pipeline() of what was searched; data == NULL: nothing was */
    struct sl_view answer_model; /* "extract", or the chat model that wrote the text */
};

struct sl_responder {
    struct sl_retrieve_options retrieve;
    const struct sl_embedder *embedder;   /* NULL: lexical only */
    bool encoder_gone;                    /* and that is to be said: the index has vectors all the same */
    struct sl_generator *generator;       /* NULL: extract */
    const struct sl_reader *reader;       /* NULL: spans are found without a model */
    uint32_t answer_tokens_max;
    uint32_t generate_deadline_ms;
    const struct sl_clock *clock;
};

/*
 * Answer a question from one snapshot. Every quote is checked byte for byte against the stored text
 * before it leaves. Never fails on account of the question: what is wrong with it is an answer of
 * SL_STATUS_ERROR.
 *
 * Post:    *ret_answer is complete; status not_found when the documents do not say.
 * Owns:    the answer lives in `arena` and points into `snapshot`: use it before either goes.
 * Thread:  any, one arena and snapshot each.
 * Blocks:  CPU; with a generator, network until its deadline.
 * Errors:  SL_STOP  corrupt, memory
 */
enum sl_err sl_respond(const struct sl_responder *responder, const struct sl_question *question,
                       const struct sl_snapshot *snapshot, struct sl_arena *arena,
                       struct sl_answer *ret_answer, struct sl_error *err);

/*
 * The error answer to a question that cannot be answered, from what a function said about it.
 *
 * Owns:    *ret_answer and copies of the texts live in `arena`.
 * Thread:  any.
 * Blocks:  no.
 * Errors:  none: without memory the message is empty
 */
void sl_answer_refuse(const struct sl_error *reason, struct sl_arena *arena,
                      struct sl_answer *ret_answer);

/* Where the index stood, for the answer's "index" member; made by the caller. */
struct sl_index_state {
    struct sl_view positions_json; /* {"docs/0": 18, ...} as JSON text; data == NULL: {} */
    int64_t lag_records;           /* -1: unknown */
    uint64_t documents;
    uint64_t chunks;
    bool of_tenant; /* a tenant asks, and must not learn how much others have: both are left out */
};

/*
 * Write the answer as the JSON of docs/FLOW.md. Keys in a fixed order; the same answer gives the same bytes
 * except for timing_ms.
 *
 * Owns:    *ret_json lives in `arena`.
 * Thread:  any.
 * Blocks:  no.
 * Errors:  SL_REJECT  too_large
 */
enum sl_err sl_answer_json(const struct sl_answer *answer, const struct sl_question *question,
                           struct sl_view answer_id, const struct sl_index_state *state,
                           struct sl_arena *arena, struct sl_view *ret_json, struct sl_error *err);

#endif /* SLUICE_RESPOND_H */
