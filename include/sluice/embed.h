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

/*
 * Free the embedder. NULL is fine. Always returns NULL.
 *
 * Owns:    consumes `embedder`.
 * Thread:  the last one to use it.
 * Blocks:  no.
 * Errors:  none.
 */
struct sl_embedder *sl_embedder_close(struct sl_embedder *embedder);

#endif /* SLUICE_EMBED_H */
