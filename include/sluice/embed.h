/*
 * sluice/embed.h -- texts to unit vectors, behind a small table of functions.
 *
 * The pipeline knows only struct sl_embedder. pipeline/embed/bert.c runs an encoder in the process;
 * tests/support has a deterministic fake; others (static vectors, HTTP) take the same place.
 *
 *     vector    float[dim], unit L2 norm.
 *     text      UTF-8; cut to the token limit by the encoder when longer.
 */
#ifndef SLUICE_EMBED_H
#define SLUICE_EMBED_H

#include <stdint.h>

#include <sluice/error.h>
#include <sluice/view.h>

enum sl_embed_role { SL_EMBED_PASSAGE = 0, SL_EMBED_QUESTION };

struct sl_embedder;

struct sl_embedder_ops {
    /* Tokens of `text` without the special ones. Additive over texts joined by white space. */
    uint32_t (*count_tokens)(const struct sl_embedder *embedder, struct sl_view text);
    /* Share [0,1] of the text's letters that the vocabulary holds as words or word pieces of more than
     * one letter on average: near 1 for the languages the model knows, near 0 for the others. */
    double (*coverage)(const struct sl_embedder *embedder, struct sl_view text);
    /* texts[count] -> vectors float[count][dim]. Safe from several threads at once. CPU-bound, or
     * network for remote ones. SL_AGAIN: try later; SL_REJECT: a text can never work; SL_STOP. */
    enum sl_err (*encode)(const struct sl_embedder *embedder, enum sl_embed_role role,
                          const struct sl_view *texts, uint32_t count, float *vectors,
                          struct sl_error *err);
    void (*close)(struct sl_embedder *embedder);
};

struct sl_embedder {
    const struct sl_embedder_ops *ops;
    uint32_t dim;
    uint32_t token_limit;  /* tokens a window may have, special ones and prefix taken off */
    char name[96];         /* for answers: the model directory's last component */
    char arithmetic[48];   /* for people: "bf16 by avx512_bf16"; empty where it is computed elsewhere */
    char about[256];       /* kind, pooling, limit and prefixes, for people */
    char fingerprint[65];  /* lower-case hex SHA-256 over weights, tokenizer, pooling, precision */
};

struct sl_bert_options {
    const char *directory;   /* Hugging Face layout: config.json, tokenizer.json or vocab.txt,
                                model.safetensors */
    const char *precision;   /* "auto", "f32", "bf16" or "int8"; NULL = auto, the fastest that is near
                                enough: bf16 where the processor has instructions for it, else int8
                                where it has those, else f32. Any can be asked for anywhere. */
    uint32_t batch_max;      /* texts in one pass; 0 = 32 */
    const char *query_prefix;   /* put before questions; NULL: what the directory says */
    const char *passage_prefix; /* put before passages; NULL: what the directory says */
};

/*
 * Load a BERT-family encoder from a directory (docs/FLOW.md says which files, and which one decides
 * pooling, casing and the token limit).
 *
 * Owns:    caller gets *ret_embedder; close it with sl_embedder_close().
 * Thread:  any; the embedder may then be shared by threads.
 * Blocks:  disk: reads and hashes the weights. CPU: packs them.
 * Errors:  SL_STOP  exit 78, naming the file and what is wrong with it; out of memory
 */
enum sl_err sl_bert_open(const struct sl_bert_options *options, struct sl_embedder **ret_embedder,
                         struct sl_error *err);

struct sl_static_options {
    const char *directory;      /* model.safetensors, tokenizer.json, config.json when there is one;
                                   or those in 0_StaticEmbedding/ */
    const char *query_prefix;   /* put before questions; NULL: nothing */
    const char *passage_prefix; /* put before passages; NULL: nothing */
};

/*
 * Load static token vectors: a text's vector is the mean of its tokens' rows. Layouts of model2vec
 * (tensor "embeddings", with "weights" and "mapping" when there) and of WordLlama and
 * sentence-transformers ("embedding.weight").
 *
 * Owns:    caller gets *ret_embedder; close it with sl_embedder_close().
 * Thread:  any; the embedder may then be shared by threads.
 * Blocks:  disk: reads and hashes the vectors.
 * Errors:  SL_STOP  exit 78, naming the file and what is wrong with it; out of memory
 */
enum sl_err sl_static_open(const struct sl_static_options *options,
                           struct sl_embedder **ret_embedder, struct sl_error *err);

/*
 * Free the embedder. NULL is fine. Always returns NULL.
 *
 * Owns:    consumes `embedder`.
 * Thread:  the last one to use it.
 * Blocks:  no.
 * Errors:  none.
 */
struct sl_embedder *sl_embedder_close(struct sl_embedder *embedder);

/* When to give up. The clock is the caller's. */
struct sl_time_limit {
    int64_t (*monotonic_us)(void *context);
    void *context;
    int64_t deadline_us;
};

/* ------------------------------------------------------------------------------------------ ranking */

struct sl_reranker;

struct sl_reranker_ops {
    /* How well each passage answers the question: scores float[count], finite, greater is better. When the time is
     * over, *ret_scored of them are, the first ones; never none. Safe from several threads at once. SL_AGAIN: none in
     * time, or not reachable; SL_REJECT: refused or broken; SL_STOP. */
    enum sl_err (*score)(const struct sl_reranker *reranker, struct sl_view question,
                         const struct sl_view *passages, uint32_t count,
                         const struct sl_time_limit *limit, float *scores, uint32_t *ret_scored,
                         struct sl_error *err);
    void (*close)(struct sl_reranker *reranker);
};

struct sl_reranker {
    const struct sl_reranker_ops *ops;
    char name[96];
};

/*
 * Load a cross-encoder: a directory as for sl_bert_open(), of a network with a head for sequence classification of
 * one label (its score, through a sigmoid unless config.json says otherwise) or two (the second one's share).
 *
 * Owns:    caller gets *ret_reranker; close it with sl_reranker_close().
 * Thread:  any; the reranker may then be shared by threads.
 * Blocks:  disk, CPU.
 * Errors:  SL_STOP  exit 78, naming the file and what is wrong with it; out of memory
 */
enum sl_err sl_cross_encoder_open(const char *directory, const char *precision,
                                  struct sl_reranker **ret_reranker, struct sl_error *err);

/*
 * Free it. NULL is fine. Always returns NULL.
 *
 * Owns:    consumes it.
 * Thread:  the last one to use it.
 * Blocks:  no.
 * Errors:  none.
 */
struct sl_reranker *sl_reranker_close(struct sl_reranker *reranker);

/* ------------------------------------------------------------------------------------------ reading */

/* The words of a passage that answer; byte_end == 0: the passage does not. */
struct sl_reading {
    uint32_t byte_start, byte_end;
    double score; /* of the best span; what is more likely than not is above 0 for models that know "no answer" */
};

struct sl_reader;

/*
 * Load a reader: a directory as for sl_bert_open(), of a network with a head for question answering.
 *
 * Owns:    caller gets *ret_reader; close it with sl_reader_close().
 * Thread:  any; the reader may then be shared by threads.
 * Blocks:  disk, CPU.
 * Errors:  SL_STOP  exit 78, naming the file and what is wrong with it; out of memory
 */
enum sl_err sl_reader_open(const char *directory, const char *precision, struct sl_reader **ret_reader,
                           struct sl_error *err);

/*
 * Read passages for an answer: readings[count]. What is beyond the model's length is not read.
 *
 * Owns:    nothing.
 * Thread:  any, several at once.
 * Blocks:  CPU, until the limit.
 * Errors:  SL_AGAIN  late: the time is over; SL_STOP out of memory
 */
enum sl_err sl_reader_read(const struct sl_reader *reader, struct sl_view question,
                           const struct sl_view *passages, uint32_t count,
                           const struct sl_time_limit *limit, struct sl_reading *readings,
                           struct sl_error *err);

/*
 * The directory's last component.
 *
 * Owns:    the reader's.
 * Thread:  any.
 * Blocks:  no.
 * Errors:  none.
 */
const char *sl_reader_name(const struct sl_reader *reader);

/*
 * Free it. NULL is fine. Always returns NULL.
 *
 * Owns:    consumes it.
 * Thread:  the last one to use it.
 * Blocks:  no.
 * Errors:  none.
 */
struct sl_reader *sl_reader_close(struct sl_reader *reader);

#endif /* SLUICE_EMBED_H */
