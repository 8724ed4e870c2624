/*
 * static.c -- static token vectors: no network, a text's vector is the mean of its tokens' rows.
 *
 * Two families keep such tables. model2vec has a tensor "embeddings", perhaps a weight for each
 * token and a mapping from tokens to fewer rows; it leaves unknown tokens out, and cuts texts at a
 * number of tokens and, before that, at that many times the characters of a middling token.
 * WordLlama and sentence-transformers have "embedding.weight" and take every token. Rows are kept
 * as float32: a gather of a dozen rows is bound by memory, and converting costs more than it saves.
 *
 * Vectors are scaled to length 1 whether or not the configuration asks for it: everything behind
 * compares directions. A text without a known token gets the vector of equal components, which is
 * near nothing; its coverage says that it is not to be trusted.
 */
#include <sluice/embed.h>

#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <sluice/hash.h>
#include <sluice/limits.h>

#include "embed/embedder_internal.h"
#include "embed/model_parts.h"

#define PATH_BYTES_MAX     4096
#define CONFIG_BYTES_MAX   (1u << 20)
#define ROWS_MAX           4000000u
#define IDS_AT_ONCE        1024u
#define LIMIT_DEFAULT      512u
#define LIMIT_MAX          1000000u
#define FINGERPRINT_FORMAT 1u

struct static_model {
    struct sl_embedder base; /* first: a struct sl_embedder * is a struct static_model * */
    struct sl_tokenizer *tokenizer;
    float *rows; /* [row_count][dim] */
    uint32_t row_count;
    float *weights;    /* [token_count], or NULL */
    uint32_t *mapping; /* [token_count] to rows, or NULL: tokens are rows */
    uint32_t token_count;
    bool model2vec;                            /* unknown tokens are left out */
    uint32_t ids_max;                          /* tokens of a text that are read */
    uint64_t chars_max;                        /* characters of a text that are read */
    char prefixes[2][SL_PREFIX_BYTES_MAX + 1]; /* by enum sl_embed_role */
};

static struct static_model *model_of(const struct sl_embedder *embedder)
{
    return (struct static_model *)(uintptr_t)embedder;
}

/* ---- encoding ---- */

/* The first characters of a text, as many as are read. */
static struct sl_view cut_chars(struct sl_view text, uint64_t chars)
{
    size_t at = 0;

    if (text.size <= chars)
        return text;
    for (; at < text.size; at++)
        if (((unsigned char)text.data[at] & 0xC0) != 0x80 && chars-- == 0)
            break;
    return sl_view_range(text, 0, at);
}

static void add_row(const struct static_model *model, uint32_t id, float *restrict vector)
{
    const uint32_t dim = model->base.dim;
    uint32_t at = id < model->token_count ? id : model->token_count - 1;
    const float *restrict row =
        model->rows + (size_t)(model->mapping != NULL ? model->mapping[at] : at) * dim;

    if (model->weights == NULL) {
        for (uint32_t i = 0; i < dim; i++)
            vector[i] += row[i];
        return;
    }
    for (uint32_t i = 0; i < dim; i++)
        vector[i] += row[i] * model->weights[at];
}

static void encode_text(const struct static_model *model, struct sl_view prefix,
                        struct sl_view text, uint32_t *ids, float *vector)
{
    const uint32_t unknown =
        model->model2vec ? sl_tokenizer_unknown_id(model->tokenizer) : UINT32_MAX;
    uint32_t count = sl_tokenizer_ids_after(model->tokenizer, prefix,
                                            cut_chars(text, model->chars_max), ids, model->ids_max);

    memset(vector, 0, model->base.dim * sizeof *vector);
    for (uint32_t i = 0; i < count; i++)
        if (ids[i] != unknown)
            add_row(model, ids[i], vector);
    sl_embedder_scale(vector, model->base.dim); /* a mean needs no division then */
}

static enum sl_err encode(const struct sl_embedder *embedder, enum sl_embed_role role,
                          const struct sl_view *texts, uint32_t count, float *vectors,
                          struct sl_error *err)
{
    const struct static_model *model = model_of(embedder);
    const struct sl_view prefix = sl_view_of(model->prefixes[role]);
    uint32_t few[IDS_AT_ONCE], *ids = few;

    if (model->ids_max > IDS_AT_ONCE)
        ids = malloc(model->ids_max * sizeof *ids);
    if (ids == NULL)
        return sl_stop(err, SL_EXIT_OS, ENOMEM, "no_memory", "out of memory for encoding");
    for (uint32_t i = 0; i < count; i++)
        encode_text(model, prefix, texts[i], ids, vectors + (size_t)i * embedder->dim);
    if (ids != few)
        free(ids);
    return SL_OK;
}

static uint32_t count_tokens(const struct sl_embedder *embedder, struct sl_view text)
{
    return sl_tokenizer_ids(model_of(embedder)->tokenizer, text, NULL, UINT32_MAX);
}

static double coverage(const struct sl_embedder *embedder, struct sl_view text)
{
    return sl_tokenizer_coverage(model_of(embedder)->tokenizer, text);
}

static void close_static(struct sl_embedder *embedder)
{
    struct static_model *model = model_of(embedder);

    sl_tokenizer_close(model->tokenizer);
    free(model->rows);
    free(model->weights);
    free(model->mapping);
    free(model);
}

/* ---- opening ---- */

/* max_length of config.json: a number, or null for no limit; 512 when it does not say. */
static enum sl_err read_limit(struct static_model *model, const char *path, const cJSON *root,
                              struct sl_error *err)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(root, "max_length");

    if (item == NULL)
        return SL_OK;
    if (cJSON_IsNull(item)) {
        model->ids_max = LIMIT_MAX;
        return SL_OK;
    }
    if (!cJSON_IsNumber(item) || !(item->valuedouble >= 2 && item->valuedouble <= LIMIT_MAX))
        return sl_stop(err, SL_EXIT_CONFIG, 0, "bad_model",
                       "%s: \"max_length\" must be null or a whole number from 2 to %u", path,
                       LIMIT_MAX);
    model->ids_max = (uint32_t)item->valuedouble;
    return SL_OK;
}

static enum sl_err read_config(struct static_model *model, const char *directory,
                               struct sl_error *err)
{
    struct sl_error failure = {0};
    char path[PATH_BYTES_MAX], *text = NULL;
    size_t size = 0;
    cJSON *root;
    enum sl_err r = sl_model_path(directory, "config.json", path, sizeof path, err);

    if (r != SL_OK)
        return r;
    r = sl_model_file_read(path, CONFIG_BYTES_MAX, &text, &size, &failure);
    if (r != SL_OK && failure.foreign_code == ENOENT)
        return SL_OK;
    if (r != SL_OK) {
        if (err != NULL)
            *err = failure;
        return r;
    }
    root = cJSON_ParseWithLength(text, size);
    free(text);
    if (root == NULL)
        return sl_stop(err, SL_EXIT_CONFIG, 0, "bad_model", "%s: not valid JSON", path);
    r = read_limit(model, path, root, err);
    cJSON_Delete(root);
    return r;
}

static enum sl_err check_finite(const char *path, const char *name, const float *values,
                                size_t count, struct sl_error *err)
{
    float sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += values[i] * 0.0f;
    if (sum == 0.0f)
        return SL_OK;
    return sl_stop(err, SL_EXIT_CONFIG, 0, "bad_model", "%s: tensor %s holds infinities or NaN",
                   path, name);
}

static enum sl_err no_memory(const char *path, struct sl_error *err)
{
    return sl_stop(err, SL_EXIT_OS, ENOMEM, "no_memory", "%s: out of memory", path);
}

/* "weights" and "mapping", when they are there: one entry for each token. */
static enum sl_err read_tokens(struct static_model *model, struct sl_safetensors *file,
                               const char *path, struct sl_error *err)
{
    uint32_t ignored;
    enum sl_err r = SL_OK;

    model->token_count = model->row_count;
    if (sl_safetensors_has(file, "mapping")) {
        if (!sl_safetensors_shape(file, "mapping", &model->token_count, &ignored) ||
            model->token_count < 1 || model->token_count > ROWS_MAX)
            return sl_stop(err, SL_EXIT_CONFIG, 0, "bad_model",
                           "%s: tensor mapping: must be a vector of 1 to %u numbers", path,
                           ROWS_MAX);
        model->mapping = malloc(model->token_count * sizeof *model->mapping);
        if (model->mapping == NULL)
            return no_memory(path, err);
        r = sl_safetensors_read_indices(file, "mapping", model->token_count, model->row_count,
                                        model->mapping, err);
    }
    if (r != SL_OK || !sl_safetensors_has(file, "weights"))
        return r;
    model->weights = malloc(model->token_count * sizeof *model->weights);
    if (model->weights == NULL)
        return no_memory(path, err);
    r = sl_safetensors_read(file, "weights", model->token_count, 0, model->weights, err);
    return r == SL_OK ? check_finite(path, "weights", model->weights, model->token_count, err) : r;
}

static enum sl_err read_rows(struct static_model *model, struct sl_safetensors *file,
                             const char *path, struct sl_error *err)
{
    const char *name;
    uint32_t dim = 0;
    enum sl_err r;

    model->model2vec = sl_safetensors_has(file, "embeddings");
    name = model->model2vec ? "embeddings" : "embedding.weight";
    if (!sl_safetensors_shape(file, name, &model->row_count, &dim) || dim < 1 || dim > SL_DIM_MAX ||
        model->row_count < 1 || model->row_count > ROWS_MAX)
        return sl_stop(err, SL_EXIT_CONFIG, 0, "bad_model",
                       "%s: no tensor \"embeddings\" or \"embedding.weight\" of at most %u rows "
                       "and %u columns",
                       path, ROWS_MAX, SL_DIM_MAX);
    model->base.dim = dim;
    model->rows = malloc((size_t)model->row_count * dim * sizeof *model->rows);
    if (model->rows == NULL)
        return no_memory(path, err);
    r = sl_safetensors_read(file, name, model->row_count, dim, model->rows, err);
    if (r == SL_OK)
        r = check_finite(path, name, model->rows, (size_t)model->row_count * dim, err);
    return r == SL_OK ? read_tokens(model, file, path, err) : r;
}

static enum sl_err read_vectors(struct static_model *model, const char *directory,
                                struct sl_sha256 *digest, struct sl_error *err)
{
    struct sl_safetensors *file = NULL;
    char path[PATH_BYTES_MAX];
    enum sl_err r = sl_model_path(directory, "model.safetensors", path, sizeof path, err);

    if (r == SL_OK)
        r = sl_safetensors_open(path, &file, err);
    if (r == SL_OK)
        r = sl_safetensors_digest(file, digest, err);
    if (r == SL_OK)
        r = read_rows(model, file, path, err);
    sl_safetensors_close(file);
    return r;
}

/* model2vec wants a row for each token; the others read the last row for those beyond. */
static enum sl_err check_tokens(const struct static_model *model, const char *directory,
                                struct sl_error *err)
{
    uint32_t count = sl_tokenizer_vocabulary_count(model->tokenizer);

    if (!model->model2vec || count <= model->token_count)
        return SL_OK;
    return sl_stop(err, SL_EXIT_CONFIG, 0, "bad_model",
                   "%.200s: tokenizer.json has %u tokens, but model.safetensors has %u of them",
                   directory, count, model->token_count);
}

static enum sl_err set_prefixes(struct static_model *model, const struct sl_static_options *options,
                                struct sl_error *err)
{
    const char *given[2] = {
        [SL_EMBED_PASSAGE] = options->passage_prefix, [SL_EMBED_QUESTION] = options->query_prefix};
    const uint32_t most =
        model->ids_max < LIMIT_MAX && model->model2vec ? model->ids_max : LIMIT_DEFAULT;
    uint32_t counts[2];

    for (int role = 0; role < 2; role++) {
        if (given[role] != NULL)
            (void)snprintf(model->prefixes[role], sizeof model->prefixes[role], "%s", given[role]);
        counts[role] =
            sl_tokenizer_ids(model->tokenizer, sl_view_of(model->prefixes[role]), NULL, most);
        if (counts[role] > most / 2)
            return sl_stop(err, SL_EXIT_CONFIG, 0, "bad_config",
                           "[embed] %s: more than half of the model's %u tokens",
                           role == SL_EMBED_PASSAGE ? "passage_prefix" : "query_prefix", most);
    }
    model->base.token_limit = most - counts[SL_EMBED_PASSAGE];
    return SL_OK;
}

/* Everything that changes vectors and is in neither file. */
static void digest_settings(const struct static_model *model, struct sl_sha256 *digest)
{
    char text[128];
    int size = snprintf(text, sizeof text, "%u static %s limit %u\n", FINGERPRINT_FORMAT,
                        model->model2vec ? "model2vec" : "mean", model->ids_max);

    sl_sha256_add(digest, text, (size_t)size);
    for (int role = 0; role < 2; role++)
        sl_sha256_add(digest, model->prefixes[role], strlen(model->prefixes[role]) + 1);
}

/* The directory, or the one in it where sentence-transformers keeps such a module. */
static enum sl_err find_directory(const char *directory, char *ret_path, struct sl_error *err)
{
    struct stat status;
    enum sl_err r = sl_model_path(directory, "0_StaticEmbedding", ret_path, PATH_BYTES_MAX, err);

    if (r == SL_OK && !(stat(ret_path, &status) == 0 && S_ISDIR(status.st_mode)))
        (void)snprintf(ret_path, PATH_BYTES_MAX, "%s", directory);
    return r;
}

static enum sl_err load(struct static_model *model, const struct sl_static_options *options,
                        struct sl_sha256 *digest, struct sl_error *err)
{
    char directory[PATH_BYTES_MAX];
    enum sl_err r = find_directory(options->directory, directory, err);

    model->ids_max = LIMIT_DEFAULT;
    if (r == SL_OK)
        r = read_config(model, directory, err);
    if (r == SL_OK)
        r = sl_tokenizer_open(directory, NULL, digest, &model->tokenizer, err);
    if (r == SL_OK)
        r = read_vectors(model, directory, digest, err);
    if (r == SL_OK)
        r = check_tokens(model, directory, err);
    if (r != SL_OK)
        return r;
    if (!model->model2vec)
        model->ids_max = LIMIT_MAX;
    model->chars_max =
        model->ids_max == LIMIT_MAX
            ? UINT64_MAX
            : (uint64_t)model->ids_max * sl_tokenizer_token_chars_median(model->tokenizer);
    return set_prefixes(model, options, err);
}

enum sl_err sl_static_open(const struct sl_static_options *options,
                           struct sl_embedder **ret_embedder, struct sl_error *err)
{
    static const struct sl_embedder_ops ops = {.count_tokens = count_tokens,
                                               .coverage = coverage,
                                               .encode = encode,
                                               .close = close_static};
    struct static_model *model = calloc(1, sizeof *model);
    struct sl_sha256 *digest;
    uint8_t bytes[32];
    enum sl_err r;

    if (model == NULL)
        return no_memory(options->directory, err);
    model->base.ops = &ops;
    sl_model_name(options->directory, model->base.name, sizeof model->base.name);
    digest = sl_sha256_begin();
    r = load(model, options, digest, err);
    if (r == SL_OK)
        digest_settings(model, digest);
    sl_sha256_end(digest, bytes);
    if (r != SL_OK) {
        close_static(&model->base);
        return r;
    }
    sl_hex(bytes, sizeof bytes, model->base.fingerprint);
    sl_embedder_set_about(&model->base,
                          model->model2vec ? "static token vectors, mean of known tokens"
                                           : "static token vectors, mean",
                          model->prefixes[SL_EMBED_QUESTION], model->prefixes[SL_EMBED_PASSAGE]);
    *ret_embedder = &model->base;
    return SL_OK;
}
