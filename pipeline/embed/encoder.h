/*
 * encoder.h -- the network of a BERT-family model alone: token ids in, the last hidden state of
 * every token out. Tokenizing, pooling, classifying are its callers' (bert.c; heads that rank or
 * point at answers).
 *
 *     ids, types  --(embeddings, layers)-->  rows float[row_count][hidden]
 *
 *     sequence    the tokens that attend to each other: a text, or a pair of texts, with its
 *                 special tokens.
 *     pass        sequences laid end to end without padding. What a sequence's rows become does
 *                 not depend on the others in its pass.
 *
 * A caller takes a pass, fills it, runs it, reads the rows, fills it again, and gives it back:
 *
 *     struct sl_encoder_pass *pass = sl_encoder_pass_take(encoder);
 *     while (more) {
 *         pass->starts[0] = 0, pass->count = 0;
 *         while (more && sl_encoder_pass_room(pass) >= length)
 *             write ids (and types), starts[++pass->count] = the row behind them;
 *         sl_encoder_run(encoder, pass, SL_ENCODER_ROWS_ALL);
 *         read pass->rows
 *     }
 *     sl_encoder_pass_give(encoder, pass);
 *
 * Passes are pooled: after the first of each thread nothing is allocated.
 */
#ifndef SLUICE_EMBED_ENCODER_H
#define SLUICE_EMBED_ENCODER_H

#include <stdint.h>

#include <sluice/error.h>

#include "embed/model_config.h"
#include "embed/precision.h"
#include "embed/safetensors.h"

struct sl_encoder;

struct sl_encoder_pass {
    uint32_t rows_max; /* at least the configuration's sequence_max */
    uint32_t hidden;
    uint32_t *ids;    /* in: [rows_max] */
    uint8_t *types;   /* in: [rows_max] token types; 0 when the pass was taken */
    uint32_t *starts; /* in: [rows_max + 1] first row of each sequence, and the row behind the last;
                         starts[0] = 0, each sequence has 1 to sequence_max rows */
    uint32_t count;   /* in: sequences */
    float *rows;      /* out: see sl_encoder_run() */
};

/*
 * Read the encoder's tensors out of `file` and arrange them for this processor. Names may carry
 * the prefix of a larger model ("bert.", "roberta."). Tensors of heads, the pooler among them, are
 * left alone: callers that have a head read its tensors themselves, before or after, from the file
 * they hold.
 *
 * Pre:     the configuration's sequence_max + position_first <= position_count.
 * Owns:    caller gets *ret_encoder; close it with sl_encoder_close(). The file stays the caller's
 *          and may be closed as soon as this returns. The configuration is copied.
 * Thread:  any; the encoder may then be shared by threads.
 * Blocks:  disk: reads the weights. CPU: packs them.
 * Errors:  SL_STOP  exit 78 bad_model, naming file and tensor; out of memory
 */
enum sl_err sl_encoder_open(struct sl_safetensors *file, const struct sl_model_config *config,
                            enum sl_precision precision, struct sl_encoder **ret_encoder,
                            struct sl_error *err);

/* Free it. Pre: no pass is out. NULL is fine. Always returns NULL. */
struct sl_encoder *sl_encoder_close(struct sl_encoder *encoder);

/* The instruction set its products use, for the log. Static text. */
const char *sl_encoder_instructions(const struct sl_encoder *encoder);

/*
 * Borrow a pass, its types all 0. NULL when out of memory.
 *
 * Owns:    caller gives it back with sl_encoder_pass_give().
 * Thread:  any; the pass is one thread's at a time.
 * Blocks:  no.
 * Errors:  NULL
 */
struct sl_encoder_pass *sl_encoder_pass_take(struct sl_encoder *encoder);
void sl_encoder_pass_give(struct sl_encoder *encoder, struct sl_encoder_pass *pass);

/* Rows that are still free behind the pass's sequences. */
static inline uint32_t sl_encoder_pass_room(const struct sl_encoder_pass *pass)
{
    return pass->rows_max - pass->starts[pass->count];
}

enum sl_encoder_rows {
    SL_ENCODER_ROWS_ALL = 0, /* rows[starts[count]][hidden]: of every token */
    SL_ENCODER_ROWS_FIRST,   /* rows[count][hidden]: of each sequence's first token. Saves most of
                                the last layer. */
};

/*
 * Encode the sequences of the pass; the hidden states of the last layer are then in pass->rows.
 *
 * Pre:     count >= 1; the sequences are as struct sl_encoder_pass says; ids < vocabulary_count,
 *          types < type_count.
 * Owns:    nothing changes hands; ids, types and starts stay as they are.
 * Thread:  the one that has the pass.
 * Blocks:  CPU, on the calling thread alone.
 * Errors:  none.
 */
void sl_encoder_run(struct sl_encoder *encoder, struct sl_encoder_pass *pass,
                    enum sl_encoder_rows wanted);

#endif
