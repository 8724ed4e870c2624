/*
 * test_bert.c -- the encoder on small random weights written here, against the same arithmetic done
 * plainly in double, in every precision; its model files, good and bad.
 */
#include "../support/test.h"

#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/stat.h>

#include <sluice/embed.h>

#include "embed/encoder.h"
#include "embed/safetensors.h"

/* Sizes that are no multiples of a vector register. */
#define VOCABULARY   13
#define HIDDEN       24
#define LAYERS       2
#define HEADS        3
#define WIDTH        (HIDDEN / HEADS)
#define INTERMEDIATE 40
#define POSITIONS    20
#define TENSORS_MAX  64
#define EPSILON      1e-5
#define COSINE_MIN   0.999999

/* One tensor of the model on test, kept so that the plain encoder can read it. */
struct tensor {
    char name[96];
    uint32_t rows, columns; /* columns 0: a vector */
    float values[INTERMEDIATE * HIDDEN];
};

static struct tensor tensors[TENSORS_MAX];
static int tensor_count;

/* What a test may want different from a good model. */
struct variant {
    const char *prefix;      /* of tensor names */
    const char *norm_weight; /* "weight" or "gamma" */
    const char *norm_bias;
    const char *config_more; /* members put first in config.json: these count */
    const char *config;      /* config.json as a whole */
    const char *vocabulary;
    const char *pooling; /* 1_Pooling/config.json */
    const char *modules;
    const char *sentence; /* sentence_bert_config.json */
    const char *drop;     /* tensor left out */
    bool nan;             /* one weight is not a number */
    const char *precision;
    int seed;
};

static const char good_vocabulary[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n"
                                      "tide\nship\nlamp\npier\n##s\nin\nthe\n.\n";

static void add_tensor(const struct variant *variant, const char *part, const char *kind,
                       uint32_t rows, uint32_t columns, float centre, float spread)
{
    struct tensor *tensor = &tensors[tensor_count];

    (void)snprintf(tensor->name, sizeof tensor->name, "%s%s.%s",
                   variant->prefix ? variant->prefix : "", part, kind);
    if (variant->drop != NULL && strcmp(variant->drop, tensor->name) == 0)
        return;
    tensor->rows = rows;
    tensor->columns = columns;
    for (uint32_t i = 0; i < rows * (columns ? columns : 1); i++)
        tensor->values[i] = centre + spread * (float)(2 * test_uniform() - 1);
    tensor_count++;
}

static void add_norm(const struct variant *variant, const char *part)
{
    add_tensor(variant, part, variant->norm_weight ? variant->norm_weight : "weight", HIDDEN, 0, 1,
               0.3f);
    add_tensor(variant, part, variant->norm_bias ? variant->norm_bias : "bias", HIDDEN, 0, 0, 0.3f);
}

static void add_linear(const struct variant *variant, uint32_t layer, const char *part,
                       uint32_t out, uint32_t in)
{
    char name[64];

    (void)snprintf(name, sizeof name, "encoder.layer.%u.%s", layer, part);
    add_tensor(variant, name, "weight", out, in, 0, 0.5f);
    add_tensor(variant, name, "bias", out, 0, 0, 0.5f);
}

static void make_tensors(const struct variant *variant)
{
    char name[64];

    tensor_count = 0;
    test_seed((unsigned long long)variant->seed + 1);
    add_tensor(variant, "embeddings.word_embeddings", "weight", VOCABULARY, HIDDEN, 0, 1);
    add_tensor(variant, "embeddings.position_embeddings", "weight", POSITIONS, HIDDEN, 0, 0.5f);
    add_tensor(variant, "embeddings.token_type_embeddings", "weight", 2, HIDDEN, 0, 0.5f);
    add_norm(variant, "embeddings.LayerNorm");
    for (uint32_t i = 0; i < LAYERS; i++) {
        add_linear(variant, i, "attention.self.query", HIDDEN, HIDDEN);
        add_linear(variant, i, "attention.self.key", HIDDEN, HIDDEN);
        add_linear(variant, i, "attention.self.value", HIDDEN, HIDDEN);
        add_linear(variant, i, "attention.output.dense", HIDDEN, HIDDEN);
        (void)snprintf(name, sizeof name, "encoder.layer.%u.attention.output.LayerNorm", i);
        add_norm(variant, name);
        add_linear(variant, i, "intermediate.dense", INTERMEDIATE, HIDDEN);
        add_linear(variant, i, "output.dense", HIDDEN, INTERMEDIATE);
        (void)snprintf(name, sizeof name, "encoder.layer.%u.output.LayerNorm", i);
        add_norm(variant, name);
    }
    if (variant->nan)
        tensors[tensor_count - 3].values[5] = NAN;
}

static void write_text(const char *directory, const char *name, const char *text)
{
    char path[4200];
    FILE *file;

    if (text == NULL)
        return;
    (void)snprintf(path, sizeof path, "%s/%s", directory, name);
    file = fopen(path, "w");
    if (file == NULL)
        abort();
    (void)fputs(text, file);
    (void)fclose(file);
}

static void write_tensors(const char *directory)
{
    static char header[65536];
    char path[4200], shape[32];
    size_t size = 1, at = 0;
    FILE *file;

    header[0] = '{';
    for (int i = 0; i < tensor_count; i++) {
        const struct tensor *t = &tensors[i];
        size_t bytes = (size_t)t->rows * (t->columns ? t->columns : 1) * 4;
        (void)snprintf(shape, sizeof shape, t->columns ? "%u,%u" : "%u", t->rows, t->columns);
        size += (size_t)snprintf(
            header + size, sizeof header - size,
            "%s\"%s\":{\"dtype\":\"F32\",\"shape\":[%s],\"data_offsets\":[%zu,%zu]}", i ? "," : "",
            t->name, shape, at, at + bytes);
        at += bytes;
    }
    size += (size_t)snprintf(header + size, sizeof header - size, "}");
    (void)snprintf(path, sizeof path, "%s/model.safetensors", directory);
    file = fopen(path, "wb");
    if (file == NULL)
        abort();
    for (int i = 0; i < 8; i++)
        (void)fputc((int)((uint64_t)size >> 8 * i & 255), file);
    (void)fwrite(header, 1, size, file);
    for (int i = 0; i < tensor_count; i++)
        (void)fwrite(tensors[i].values, 4,
                     (size_t)tensors[i].rows * (tensors[i].columns ? tensors[i].columns : 1), file);
    (void)fclose(file);
}

/* A model directory for the variant. */
static const char *write_model(const struct variant *variant)
{
    const char *directory = test_directory();
    char config[1024], path[4200];

    make_tensors(variant);
    write_tensors(directory);
    (void)snprintf(config, sizeof config,
                   "{%s\"model_type\": \"bert\", \"vocab_size\": %d, \"hidden_size\": %d, "
                   "\"num_hidden_layers\": %d, \"num_attention_heads\": %d, "
                   "\"intermediate_size\": %d, \"max_position_embeddings\": %d, "
                   "\"type_vocab_size\": 2, \"hidden_act\": \"gelu\", \"layer_norm_eps\": %g}",
                   variant->config_more ? variant->config_more : "", VOCABULARY, HIDDEN, LAYERS,
                   HEADS, INTERMEDIATE, POSITIONS, EPSILON);
    write_text(directory, "config.json", variant->config ? variant->config : config);
    write_text(directory, "vocab.txt", variant->vocabulary ? variant->vocabulary : good_vocabulary);
    (void)snprintf(path, sizeof path, "%s/1_Pooling", directory);
    (void)mkdir(path, 0700);
    write_text(directory, "1_Pooling/config.json", variant->pooling);
    write_text(directory, "modules.json", variant->modules);
    write_text(directory, "sentence_bert_config.json", variant->sentence);
    return directory;
}

static struct sl_embedder *open_variant(const struct variant *variant, uint32_t batch_max,
                                        struct sl_error *err)
{
    struct sl_bert_options options = {.directory = write_model(variant), .batch_max = batch_max};
    struct sl_embedder *embedder = NULL;

    options.precision = variant->precision ? variant->precision : "f32";

    (void)sl_bert_open(&options, &embedder, err);
    return embedder;
}

/* ---- the same arithmetic, plainly ---- */

static const float *values_of(const char *format, int layer)
{
    char name[96];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    (void)snprintf(name, sizeof name, format, layer);
#pragma GCC diagnostic pop
    for (int i = 0; i < tensor_count; i++)
        if (strcmp(tensors[i].name, name) == 0)
            return tensors[i].values;
    abort();
}

static void plain_norm(double *row, const float *scale, const float *shift)
{
    double mean = 0, variance = 0;

    for (int i = 0; i < HIDDEN; i++)
        mean += row[i] / HIDDEN;
    for (int i = 0; i < HIDDEN; i++)
        variance += (row[i] - mean) * (row[i] - mean) / HIDDEN;
    for (int i = 0; i < HIDDEN; i++)
        row[i] = (row[i] - mean) / sqrt(variance + EPSILON) * (double)scale[i] + (double)shift[i];
}

static void plain_linear(const double *x, int in, int out, const float *weight, const float *bias,
                         double *ret)
{
    for (int o = 0; o < out; o++) {
        ret[o] = (double)bias[o];
        for (int i = 0; i < in; i++)
            ret[o] += x[i] * (double)weight[o * in + i];
    }
}

static void plain_attention(double (*q)[HIDDEN], double (*k)[HIDDEN], double (*v)[HIDDEN],
                            int count, int row, double *ret)
{
    for (int h = 0; h < HEADS; h++) {
        double scores[POSITIONS], sum = 0;
        for (int t = 0; t < count; t++) {
            double dot = 0;
            for (int i = h * WIDTH; i < (h + 1) * WIDTH; i++)
                dot += q[row][i] * k[t][i];
            scores[t] = exp(dot / sqrt(WIDTH));
            sum += scores[t];
        }
        for (int i = h * WIDTH; i < (h + 1) * WIDTH; i++) {
            ret[i] = 0;
            for (int t = 0; t < count; t++)
                ret[i] += scores[t] / sum * v[t][i];
        }
    }
}

static void plain_layer(double (*x)[HIDDEN], int count, int layer)
{
    static double q[POSITIONS][HIDDEN], k[POSITIONS][HIDDEN], v[POSITIONS][HIDDEN];
    double mixed[HIDDEN], out[HIDDEN], wide[INTERMEDIATE];

#define PART(name)                                                                                 \
    values_of("encoder.layer.%d." name ".weight", layer),                                          \
        values_of("encoder.layer.%d." name ".bias", layer)
    for (int t = 0; t < count; t++) {
        plain_linear(x[t], HIDDEN, HIDDEN, PART("attention.self.query"), q[t]);
        plain_linear(x[t], HIDDEN, HIDDEN, PART("attention.self.key"), k[t]);
        plain_linear(x[t], HIDDEN, HIDDEN, PART("attention.self.value"), v[t]);
    }
    for (int t = 0; t < count; t++) {
        plain_attention(q, k, v, count, t, mixed);
        plain_linear(mixed, HIDDEN, HIDDEN, PART("attention.output.dense"), out);
        for (int i = 0; i < HIDDEN; i++)
            x[t][i] += out[i];
        plain_norm(x[t], PART("attention.output.LayerNorm"));
        plain_linear(x[t], HIDDEN, INTERMEDIATE, PART("intermediate.dense"), wide);
        for (int i = 0; i < INTERMEDIATE; i++)
            wide[i] = wide[i] * 0.5 * (1 + erf(wide[i] / sqrt(2)));
        plain_linear(wide, INTERMEDIATE, HIDDEN, PART("output.dense"), out);
        for (int i = 0; i < HIDDEN; i++)
            x[t][i] += out[i];
        plain_norm(x[t], PART("output.LayerNorm"));
    }
#undef PART
}

/* The vector of these ids, [CLS] and [SEP] among them. */
static void plain_encode(const uint32_t *ids, int count, bool first_only, double *vector)
{
    static double x[POSITIONS][HIDDEN];
    const float *tokens = values_of("embeddings.word_embeddings.weight", 0);
    const float *positions = values_of("embeddings.position_embeddings.weight", 0);
    const float *types = values_of("embeddings.token_type_embeddings.weight", 0);

    for (int t = 0; t < count; t++) {
        for (int i = 0; i < HIDDEN; i++)
            x[t][i] = (double)tokens[ids[t] * HIDDEN + (uint32_t)i] +
                      (double)positions[t * HIDDEN + i] + (double)types[i];
        plain_norm(x[t], values_of("embeddings.LayerNorm.weight", 0),
                   values_of("embeddings.LayerNorm.bias", 0));
    }
    for (int i = 0; i < LAYERS; i++)
        plain_layer(x, count, i);
    for (int i = 0; i < HIDDEN; i++) {
        vector[i] = 0;
        for (int t = 0; t < (first_only ? 1 : count); t++)
            vector[i] += x[t][i];
    }
}

static double cosine(const double *a, const float *b)
{
    double dot = 0, aa = 0, bb = 0;

    for (int i = 0; i < HIDDEN; i++) {
        dot += a[i] * (double)b[i];
        aa += a[i] * a[i];
        bb += (double)b[i] * (double)b[i];
    }
    return fabs(bb - 1) < 1e-5 ? dot / sqrt(aa * bb) : -2; /* -2: not of length 1 */
}

/* A text of `words` words, ids 5 to 8, and its ids cut at the limit. */
static struct sl_view make_text(char *text, uint32_t words, uint32_t limit, uint32_t *ids,
                                int *ret_count)
{
    static const char *const names[] = {"tide", "ship", "lamp", "pier"};
    uint32_t count = 0;

    text[0] = '\0';
    ids[count++] = 2;
    for (uint32_t w = 0; w < words; w++) {
        unsigned which = (unsigned)(test_random() % 4);
        strcat(strcat(text, w ? " " : ""), names[which]);
        if (w < limit)
            ids[count++] = 5 + which;
    }
    ids[count++] = 3;
    *ret_count = (int)count;
    return sl_view_of(text);
}

#define TEXTS 300 /* more rows than one pass holds */

struct texts {
    char bytes[TEXTS][256];
    struct sl_view views[TEXTS];
    uint32_t ids[TEXTS][POSITIONS];
    int counts[TEXTS];
};

static struct texts *make_texts(uint32_t limit)
{
    static struct texts texts;

    for (uint32_t i = 0; i < TEXTS; i++)
        texts.views[i] = make_text(texts.bytes[i], (uint32_t)(test_random() % (limit + 6)), limit,
                                   texts.ids[i], &texts.counts[i]);
    return &texts;
}

static void check_vectors(const struct variant *variant, uint32_t batch_max, uint32_t limit,
                          bool first_only, double cosine_min)
{
    struct sl_error err = {0};
    struct sl_embedder *embedder = open_variant(variant, batch_max, &err);
    static float vectors[TEXTS][HIDDEN];
    double expected[HIDDEN];
    struct texts *texts;

    CHECK_THAT(embedder != NULL, "%s", err.message);
    if (embedder == NULL)
        return;
    CHECK(embedder->dim == HIDDEN);
    CHECK_THAT(embedder->token_limit == limit, "%u, not %u", embedder->token_limit, limit);
    texts = make_texts(limit);
    CHECK(embedder->ops->encode(embedder, SL_EMBED_PASSAGE, texts->views, TEXTS, vectors[0],
                                &err) == SL_OK);
    for (int i = 0; i < TEXTS; i++) {
        plain_encode(texts->ids[i], texts->counts[i], first_only, expected);
        CHECK_THAT(cosine(expected, vectors[i]) >= cosine_min, "text %d of %d tokens: %.8f", i,
                   texts->counts[i], cosine(expected, vectors[i]));
        if (test_failures > 10)
            break;
    }
    (void)sl_embedder_close(embedder);
}

#define MEAN  "{\"pooling_mode_mean_tokens\": true, \"pooling_mode_cls_token\": false}"
#define FIRST "{\"pooling_mode_mean_tokens\": false, \"pooling_mode_cls_token\": true}"

TEST(vectors_equal_plain_arithmetic)
{
    check_vectors(&(struct variant){.seed = 1}, 0, POSITIONS - 2, false, COSINE_MIN);
    check_vectors(&(struct variant){.seed = 2, .pooling = MEAN}, 7, POSITIONS - 2, false,
                  COSINE_MIN);
    check_vectors(&(struct variant){.seed = 3, .pooling = FIRST}, 1, POSITIONS - 2, true,
                  COSINE_MIN);
    check_vectors(&(struct variant){.seed = 4, .sentence = "{\"max_seq_length\": 9}"}, 1000, 7,
                  false, COSINE_MIN);
}

TEST(lower_precisions_stay_near_plain_arithmetic)
{
    check_vectors(&(struct variant){.seed = 1, .precision = "bf16"}, 0, POSITIONS - 2, false,
                  0.999);
    check_vectors(&(struct variant){.seed = 2, .precision = "bf16", .pooling = FIRST}, 0,
                  POSITIONS - 2, true, 0.999);
    check_vectors(&(struct variant){.seed = 3, .precision = "int8"}, 0, POSITIONS - 2, false, 0.99);
    check_vectors(&(struct variant){.seed = 4, .precision = "int8", .pooling = FIRST}, 0,
                  POSITIONS - 2, true, 0.99);
}

static const char *const precisions[] = {"f32", "bf16", "int8"};

TEST(a_vector_does_not_depend_on_the_texts_beside_it)
{
    for (size_t p = 0; p < sizeof precisions / sizeof *precisions; p++) {
        struct variant variant = {.seed = 11, .precision = precisions[p]};
        struct sl_embedder *embedder = open_variant(&variant, 64, NULL);
        struct texts *texts = make_texts(POSITIONS - 2);
        static float together[TEXTS][HIDDEN];
        float alone[HIDDEN];
        REQUIRE(embedder != NULL);
        CHECK(embedder->ops->encode(embedder, SL_EMBED_PASSAGE, texts->views, TEXTS, together[0],
                                    NULL) == SL_OK);
        for (uint32_t i = 0; i < TEXTS; i++) {
            CHECK(embedder->ops->encode(embedder, SL_EMBED_PASSAGE, &texts->views[i], 1, alone,
                                        NULL) == SL_OK);
            CHECK_THAT(memcmp(alone, together[i], sizeof alone) == 0, "%s, text %u", precisions[p],
                       i);
        }
        (void)sl_embedder_close(embedder);
    }
}

/* The network alone, without a tokenizer. */
static struct sl_encoder *open_encoder(const struct variant *variant, uint32_t position_first,
                                       const char *precision)
{
    struct sl_model_config config;
    struct sl_safetensors *file = NULL;
    struct sl_encoder *encoder = NULL;
    enum sl_precision chosen;
    const char *directory = write_model(variant);
    char path[4200];

    (void)snprintf(path, sizeof path, "%s/model.safetensors", directory);
    if (sl_model_config_read(directory, &config, NULL) != SL_OK ||
        sl_safetensors_open(path, &file, NULL) != SL_OK ||
        sl_precision_choose(precision, &chosen, NULL) != SL_OK)
        return NULL;
    config.position_first = position_first;
    config.sequence_max = POSITIONS - position_first;
    (void)sl_encoder_open(file, &config, chosen, &encoder, NULL);
    sl_safetensors_close(file);
    return encoder;
}

static const uint32_t pair_ids[] = {2, 5, 6, 3, 7, 8, 3, 2, 5, 3};
static const uint32_t pair_starts[] = {0, 7, 10};

/* A pair with types and a single text, run as asked; the pass is lent on. */
static struct sl_encoder_pass *run_pair(struct sl_encoder *encoder, uint8_t second_type,
                                        enum sl_encoder_rows wanted)
{
    struct sl_encoder_pass *pass = sl_encoder_pass_take(encoder);

    if (pass == NULL)
        abort();
    memcpy(pass->ids, pair_ids, sizeof pair_ids);
    memcpy(pass->starts, pair_starts, sizeof pair_starts);
    pass->count = 2;
    memset(pass->types + 4, second_type, 3);
    sl_encoder_run(encoder, pass, wanted);
    return pass;
}

TEST(first_rows_are_those_of_all_rows)
{
    for (size_t p = 0; p < sizeof precisions / sizeof *precisions; p++) {
        struct variant variant = {.seed = 12};
        struct sl_encoder *encoder = open_encoder(&variant, 0, precisions[p]);
        struct sl_encoder_pass *all, *first;
        REQUIRE(encoder != NULL);
        all = run_pair(encoder, 1, SL_ENCODER_ROWS_ALL);
        first = run_pair(encoder, 1, SL_ENCODER_ROWS_FIRST);
        for (uint32_t s = 0; s < 2; s++)
            CHECK_THAT(memcmp(first->rows + (size_t)s * HIDDEN,
                              all->rows + (size_t)pair_starts[s] * HIDDEN,
                              HIDDEN * sizeof(float)) == 0,
                       "%s, sequence %u", precisions[p], s);
        sl_encoder_pass_give(encoder, first);
        sl_encoder_pass_give(encoder, all);
        (void)sl_encoder_close(encoder);
    }
}

/* The last row's hidden state by plain arithmetic. */
static void plain_rows(const uint8_t *token_types, int first_position, double (*x)[HIDDEN])
{
    const float *tokens = values_of("embeddings.word_embeddings.weight", 0);
    const float *positions = values_of("embeddings.position_embeddings.weight", 0);
    const float *types = values_of("embeddings.token_type_embeddings.weight", 0);

    for (int t = 0; t < 7; t++) {
        for (int i = 0; i < HIDDEN; i++)
            x[t][i] = (double)tokens[pair_ids[t] * HIDDEN + (uint32_t)i] +
                      (double)positions[(first_position + t) * HIDDEN + i] +
                      (double)types[token_types[t] * HIDDEN + i];
        plain_norm(x[t], values_of("embeddings.LayerNorm.weight", 0),
                   values_of("embeddings.LayerNorm.bias", 0));
    }
    for (int i = 0; i < LAYERS; i++)
        plain_layer(x, 7, i);
}

static double worst_row(const struct sl_encoder_pass *pass, double (*x)[HIDDEN])
{
    double worst = 0;

    for (int t = 0; t < 7; t++)
        for (int i = 0; i < HIDDEN; i++)
            worst = fmax(worst, fabs(x[t][i] - (double)pass->rows[t * HIDDEN + i]));
    return worst;
}

TEST(types_and_positions_are_added)
{
    static double x[POSITIONS][HIDDEN];
    struct variant variant = {.seed = 13};

    for (uint32_t position_first = 0; position_first <= 2; position_first += 2) {
        struct sl_encoder *encoder = open_encoder(&variant, position_first, "f32");
        struct sl_encoder_pass *pass;
        REQUIRE(encoder != NULL);
        plain_rows((const uint8_t[]){0, 0, 0, 0, 1, 1, 1}, (int)position_first, x);
        pass = run_pair(encoder, 1, SL_ENCODER_ROWS_ALL);
        CHECK_THAT(worst_row(pass, x) < 1e-4, "%g", worst_row(pass, x));
        sl_encoder_pass_give(encoder, pass);
        pass = run_pair(encoder, 0, SL_ENCODER_ROWS_ALL);
        CHECK(worst_row(pass, x) > 1e-2); /* the types count */
        plain_rows((const uint8_t[7]){0}, (int)position_first + 1, x);
        CHECK(worst_row(pass, x) > 1e-2); /* and the positions */
        sl_encoder_pass_give(encoder, pass);
        (void)sl_encoder_close(encoder);
    }
}

TEST(the_comparison_can_fail)
{
    struct variant variant = {.seed = 5};
    struct sl_embedder *embedder = open_variant(&variant, 0, NULL);
    double expected[HIDDEN];
    float vector[HIDDEN];
    uint32_t ids[] = {2, 5, 6, 3};
    const struct sl_view text = SL_VIEW("tide ship"), other = SL_VIEW("ship tide");

    REQUIRE(embedder != NULL);
    plain_encode(ids, 4, false, expected);
    CHECK(embedder->ops->encode(embedder, SL_EMBED_PASSAGE, &text, 1, vector, NULL) == SL_OK);
    CHECK(cosine(expected, vector) >= COSINE_MIN);
    CHECK(embedder->ops->encode(embedder, SL_EMBED_PASSAGE, &other, 1, vector, NULL) == SL_OK);
    CHECK(cosine(expected, vector) < COSINE_MIN); /* the order of words matters */
    plain_encode(ids, 4, true, expected);
    CHECK(embedder->ops->encode(embedder, SL_EMBED_PASSAGE, &text, 1, vector, NULL) == SL_OK);
    CHECK(cosine(expected, vector) < COSINE_MIN); /* so does the pooling */
    (void)sl_embedder_close(embedder);
}

TEST(older_tensor_names_are_understood)
{
    struct variant plain = {.seed = 6};
    struct variant larger = {.seed = 6, .prefix = "roberta."};
    struct variant older = {
        .seed = 6, .prefix = "bert.", .norm_weight = "gamma", .norm_bias = "beta"};
    struct sl_embedder *a = open_variant(&plain, 0, NULL), *b = open_variant(&older, 0, NULL);
    struct sl_embedder *c = open_variant(&larger, 0, NULL);
    const struct sl_view text = SL_VIEW("the tide in the pier.");
    float x[HIDDEN], y[HIDDEN];

    REQUIRE(a != NULL && b != NULL && c != NULL);
    CHECK(c->ops->encode(c, SL_EMBED_PASSAGE, &text, 1, y, NULL) == SL_OK);
    CHECK(a->ops->encode(a, SL_EMBED_PASSAGE, &text, 1, x, NULL) == SL_OK);
    CHECK(memcmp(x, y, sizeof x) == 0);
    (void)sl_embedder_close(c);
    CHECK(a->ops->encode(a, SL_EMBED_PASSAGE, &text, 1, x, NULL) == SL_OK);
    CHECK(b->ops->encode(b, SL_EMBED_PASSAGE, &text, 1, y, NULL) == SL_OK);
    CHECK(memcmp(x, y, sizeof x) == 0);
    (void)sl_embedder_close(a);
    (void)sl_embedder_close(b);
}

struct share {
    const struct sl_embedder *embedder;
    const struct texts *texts;
    float vectors[TEXTS][HIDDEN];
};

static void *encode_share(void *argument)
{
    struct share *share = argument;

    for (int i = 0; i < TEXTS; i += 11) {
        uint32_t count = i + 11 <= TEXTS ? 11 : (uint32_t)(TEXTS - i);
        CHECK(share->embedder->ops->encode(share->embedder, SL_EMBED_QUESTION,
                                           share->texts->views + i, count, share->vectors[i],
                                           NULL) == SL_OK);
    }
    return NULL;
}

TEST(threads_may_share_an_encoder)
{
    static struct share shares[4];
    struct variant variant = {.seed = 7};
    struct sl_embedder *embedder = open_variant(&variant, 0, NULL);
    pthread_t ids[4];

    REQUIRE(embedder != NULL);
    for (int i = 0; i < 4; i++) {
        shares[i].embedder = embedder;
        shares[i].texts = i == 0 ? make_texts(POSITIONS - 2) : shares[0].texts;
    }
    for (int i = 0; i < 4; i++)
        REQUIRE(pthread_create(&ids[i], NULL, encode_share, &shares[i]) == 0);
    for (int i = 0; i < 4; i++)
        (void)pthread_join(ids[i], NULL);
    for (int i = 1; i < 4; i++)
        CHECK(memcmp(shares[0].vectors, shares[i].vectors, sizeof shares[0].vectors) == 0);
    (void)sl_embedder_close(embedder);
}

TEST(the_fingerprint_tells_models_apart)
{
    const struct variant variants[] = {
        {.seed = 8},
        {.seed = 9},
        {.seed = 8, .pooling = FIRST},
        {.seed = 8, .sentence = "{\"max_seq_length\": 9}"},
        {.seed = 8, .vocabulary = "[PAD]\n[UNK]\n[CLS]\n[SEP]\ntide\n"},
        {.seed = 8, .precision = "bf16"},
        {.seed = 8, .precision = "int8"}};
    char prints[7][65];
    struct sl_embedder *again;

    for (int i = 0; i < 7; i++) {
        struct sl_embedder *embedder = open_variant(&variants[i], 0, NULL);
        REQUIRE(embedder != NULL);
        memcpy(prints[i], embedder->fingerprint, 65);
        CHECK(strlen(prints[i]) == 64 && strspn(prints[i], "0123456789abcdef") == 64);
        for (int j = 0; j < i; j++)
            CHECK_THAT(strcmp(prints[i], prints[j]) != 0, "%d and %d", i, j);
        (void)sl_embedder_close(embedder);
    }
    again = open_variant(&variants[0], 3, NULL);
    REQUIRE(again != NULL);
    CHECK(strcmp(again->fingerprint, prints[0]) == 0);
    CHECK(strncmp(again->name, "sluice-test-", 12) == 0);
    (void)sl_embedder_close(again);
}

TEST(what_cannot_be_computed_is_refused_by_name)
{
    const struct {
        struct variant variant;
        const char *file, *word;
    } cases[] = {
        {{.config = "{"}, "config.json", "not valid JSON"},
        {{.config = "{}"}, "config.json", "\"vocab_size\""},
        {{.config_more = "\"hidden_act\": \"relu\", "}, "config.json", "\"gelu\""},
        {{.config_more = "\"model_type\": \"distilbert\", "}, "config.json", "xlm-roberta"},
        {{.config_more = "\"model_type\": \"roberta\", \"pad_token_id\": 19, "},
         "config.json",
         "no positions"},
        {{.config_more = "\"position_embedding_type\": \"relative_key\", "},
         "config.json",
         "\"absolute\""},
        {{.config_more = "\"num_attention_heads\": 5, "}, "config.json", "not a multiple"},
        {{.config_more = "\"hidden_size\": 1e9, "}, "config.json", "from 8 to"},
        {{.config_more = "\"hidden_size\": 48, "}, "model.safetensors", "shape"},
        {{.config_more = "\"num_hidden_layers\": 3, "},
         "model.safetensors",
         "no tensor encoder.layer.2"},
        {{.config_more = "\"layer_norm_eps\": -1, "}, "config.json", "layer_norm_eps"},
        {{.sentence = "{\"max_seq_length\": 21}"}, "sentence_bert_config.json", "from 3 to 20"},
        {{.pooling = "{\"pooling_mode_max_tokens\": true}"},
         "1_Pooling/config.json",
         "pooling_mode_mean_tokens"},
        {{.pooling = "{}"}, "1_Pooling/config.json", "exactly one"},
        {{.modules = "[{\"type\": \"sentence_transformers.models.Dense\"}]"},
         "modules.json",
         "Dense"},
        {{.vocabulary = "a\nb\n"}, "vocab.txt", "[UNK]"},
        {{.vocabulary = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n"},
         "the tokenizer has 14",
         "vocab_size"},
        {{.drop = "encoder.layer.1.output.dense.bias"},
         "model.safetensors",
         "no tensor encoder.layer.1.output.dense.bias"},
        {{.nan = true}, "model.safetensors", "NaN"}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sl_error err = {0};
        struct sl_embedder *embedder = open_variant(&cases[i].variant, 0, &err);
        CHECK_THAT(embedder == NULL, "case %zu", i);
        CHECK_THAT(err.code == SL_STOP && err.exit_code == SL_EXIT_CONFIG, "case %zu", i);
        CHECK_THAT(strstr(err.message, cases[i].file) != NULL &&
                       strstr(err.message, cases[i].word) != NULL,
                   "case %zu: %s", i, err.message);
        (void)sl_embedder_close(embedder);
    }
}

TEST(options_are_checked)
{
    struct sl_bert_options options = {.directory = "/nonexistent/model"};
    struct sl_embedder *embedder = NULL;
    struct sl_error err = {0};

    CHECK(sl_bert_open(&options, &embedder, &err) == SL_STOP && err.exit_code == SL_EXIT_CONFIG);
    CHECK_THAT(strstr(err.message, "/nonexistent/model/config.json") != NULL, "%s", err.message);
    options.precision = "int4";
    CHECK(sl_bert_open(&options, &embedder, &err) == SL_STOP && err.exit_code == SL_EXIT_CONFIG);
    CHECK_THAT(strstr(err.message, "auto, f32, bf16 and int8") != NULL, "%s", err.message);
    options.precision = "f32";
    options.batch_max = 100000;
    CHECK(sl_bert_open(&options, &embedder, &err) == SL_STOP);
    CHECK_THAT(strstr(err.message, "batch") != NULL, "%s", err.message);
    CHECK(sl_embedder_close(NULL) == NULL && embedder == NULL);
}
