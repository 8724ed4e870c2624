/*
 * reader.c -- a question and a passage read together by a network that points at the answer's first and last word.
 *
 *     pair --encoder--> a row per token --qa_outputs--> start and end scores --> the best run of words
 *
 * The passage is tokenized a word at a time (words as white space parts them), which gives the tokens of the whole and
 * tells which bytes each came from; a span is therefore of whole words, with the punctuation at its ends taken off. The
 * score is that of the span less that of the first token, where models of SQuAD 2.0 put "no answer".
 */
#include <sluice/embed.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "embed/pairs.h"

#define SPAN_TOKENS_MAX 30u /* of an answer, as the reference code has it */

struct sl_reader {
    struct sl_model_parts parts;
    float *heads; /* [2][hidden]: start, end */
    float bias[2];
    char name[96];
};

struct word {
    uint32_t byte_start, byte_end;
};

/* One passage in the making. */
struct reading {
    const struct sl_reader *reader;
    struct sl_view text;
    uint32_t *ids;      /* [sequence_max] */
    struct word *words; /* [sequence_max] the word each token is of */
    uint32_t count;
    float *starts, *ends; /* [sequence_max] scores of the passage's tokens */
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void tokenize(struct reading *r)
{
    const uint32_t limit = r->reader->parts.config.sequence_max;
    uint32_t at = 0;

    r->count = 0;
    while (at < r->text.size && r->count < limit) {
        struct word word = {at, at};
        if (is_space(r->text.data[at])) {
            at++;
            continue;
        }
        while (at < r->text.size && !is_space(r->text.data[at]))
            at++;
        word.byte_end = at;
        uint32_t count = sl_tokenizer_ids(r->reader->parts.tokenizer,
                                          sl_view_range(r->text, word.byte_start, word.byte_end),
                                          r->ids + r->count, limit - r->count);
        for (uint32_t i = 0; i < count; i++)
            r->words[r->count + i] = word;
        r->count += count;
    }
}

static float head_of(const struct sl_reader *reader, const float *row, int which)
{
    const uint32_t hidden = reader->parts.config.hidden;
    double sum = (double)reader->bias[which];

    for (uint32_t i = 0; i < hidden; i++)
        sum += (double)reader->heads[(size_t)which * hidden + i] * (double)row[i];
    return (float)sum;
}

/* Punctuation at the ends of a span is the sentence's. */
static struct word trimmed(struct sl_view text, struct word span)
{
    static const char marks[] = ".,;:!?\"'()[]";

    while (span.byte_end > span.byte_start + 1 && strchr(marks, text.data[span.byte_end - 1]) != NULL)
        span.byte_end--;
    while (span.byte_end > span.byte_start + 1 && strchr(marks, text.data[span.byte_start]) != NULL)
        span.byte_start++;
    return span;
}

static struct sl_reading best_span(const struct reading *r, uint32_t count, float none)
{
    struct sl_reading best = {0};
    double score = -1e30;

    for (uint32_t s = 0; s < count; s++)
        for (uint32_t e = s; e < count && e - s < SPAN_TOKENS_MAX; e++)
            if ((double)r->starts[s] + (double)r->ends[e] > score) {
                struct word span = {r->words[s].byte_start, r->words[e].byte_end};
                score = (double)r->starts[s] + (double)r->ends[e];
                span = trimmed(r->text, span);
                best = (struct sl_reading){span.byte_start, span.byte_end, score - (double)none};
            }
    return best;
}

static struct sl_reading read_one(struct reading *r, struct sl_encoder_pass *pass,
                                  struct sl_view question)
{
    const struct sl_model_parts *parts = &r->reader->parts;
    const uint32_t hidden = parts->config.hidden;
    struct sl_pair pair;

    tokenize(r);
    pass->count = 0;
    pass->starts[0] = 0;
    pair = sl_pair_add(parts, pass, question, r->ids, r->count, true);
    sl_encoder_run(parts->encoder, pass, SL_ENCODER_ROWS_ALL);
    for (uint32_t i = 0; i < pair.passage_count; i++) {
        const float *row = pass->rows + (size_t)(pair.passage_row + i) * hidden;
        r->starts[i] = head_of(r->reader, row, 0);
        r->ends[i] = head_of(r->reader, row, 1);
    }
    return best_span(r, pair.passage_count,
                     head_of(r->reader, pass->rows, 0) + head_of(r->reader, pass->rows, 1));
}

enum sl_err sl_reader_read(const struct sl_reader *reader, struct sl_view question,
                           const struct sl_view *passages, uint32_t count,
                           const struct sl_time_limit *limit, struct sl_reading *readings,
                           struct sl_error *err)
{
    const uint32_t most = reader->parts.config.sequence_max;
    struct sl_encoder_pass *pass = sl_encoder_pass_take(reader->parts.encoder);
    struct reading r = {.reader = reader,
                        .ids = calloc(most, sizeof *r.ids),
                        .words = calloc(most, sizeof *r.words),
                        .starts = calloc(most, sizeof *r.starts),
                        .ends = calloc(most, sizeof *r.ends)};
    enum sl_err e = SL_OK;

    if (pass == NULL || r.ids == NULL || r.words == NULL || r.starts == NULL || r.ends == NULL)
        e = sl_stop(err, SL_EXIT_OS, ENOMEM, "no_memory", "out of memory for reading");
    for (uint32_t i = 0; !e && i < count; i++) {
        if (sl_time_over(limit)) {
            e = sl_fail(err, SL_AGAIN, "reader_late", "reader: %u of %u passages in time", i, count);
            break;
        }
        r.text = passages[i];
        readings[i] = read_one(&r, pass, question);
    }
    if (pass != NULL)
        sl_encoder_pass_give(reader->parts.encoder, pass);
    free(r.ids);
    free(r.words);
    free(r.starts);
    free(r.ends);
    return e;
}

const char *sl_reader_name(const struct sl_reader *reader)
{
    return reader->name;
}

enum sl_err sl_reader_open(const char *directory, const char *precision, struct sl_reader **ret_reader,
                           struct sl_error *err)
{
    struct sl_reader *reader = calloc(1, sizeof *reader);
    struct sl_safetensors *file = NULL;
    uint32_t hidden;
    enum sl_err e;

    if (reader == NULL)
        return sl_stop(err, SL_EXIT_OS, ENOMEM, "no_memory", "out of memory for the reader");
    sl_model_name(directory, reader->name, sizeof reader->name);
    e = sl_model_parts_open(directory, precision, NULL, &reader->parts, &file, err);
    if (!e) {
        hidden = reader->parts.config.hidden;
        reader->heads = calloc((size_t)2 * hidden, sizeof *reader->heads);
        e = reader->heads == NULL
                ? sl_stop(err, SL_EXIT_OS, ENOMEM, "no_memory", "out of memory for the model's head")
                : sl_safetensors_read(file, "qa_outputs.weight", 2, hidden, reader->heads, err);
    }
    if (!e)
        e = sl_safetensors_read(file, "qa_outputs.bias", 2, 0, reader->bias, err);
    sl_safetensors_close(file);
    if (e) {
        (void)sl_reader_close(reader);
        return e;
    }
    *ret_reader = reader;
    return SL_OK;
}

struct sl_reader *sl_reader_close(struct sl_reader *reader)
{
    if (reader == NULL)
        return NULL;
    sl_model_parts_close(&reader->parts);
    free(reader->heads);
    free(reader);
    return NULL;
}
