/*
 * test_bert.c -- the encoder on small random weights written here, against the same arithmetic done
 * plainly in double; its model files, good and bad; its kernels on every instruction set of this
 * machine.
 */
#include "../support/test.h"

#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/stat.h>

#include <sluice/embed.h>

#include "embed/kernels.h"

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
                          bool first_only)
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
        CHECK_THAT(cosine(expected, vectors[i]) >= COSINE_MIN, "text %d of %d tokens: %.8f", i,
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
    check_vectors(&(struct variant){.seed = 1}, 0, POSITIONS - 2, false);
    check_vectors(&(struct variant){.seed = 2, .pooling = MEAN}, 7, POSITIONS - 2, false);
    check_vectors(&(struct variant){.seed = 3, .pooling = FIRST}, 1, POSITIONS - 2, true);
    check_vectors(&(struct variant){.seed = 4, .sentence = "{\"max_seq_length\": 9}"}, 1000, 7,
                  false);
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
    struct variant older = {
        .seed = 6, .prefix = "bert.", .norm_weight = "gamma", .norm_bias = "beta"};
    struct sl_embedder *a = open_variant(&plain, 0, NULL), *b = open_variant(&older, 0, NULL);
    const struct sl_view text = SL_VIEW("the tide in the pier.");
    float x[HIDDEN], y[HIDDEN];

    REQUIRE(a != NULL && b != NULL);
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
        {.seed = 8, .vocabulary = "[PAD]\n[UNK]\n[CLS]\n[SEP]\ntide\n"}};
    char prints[5][65];
    struct sl_embedder *again;

    for (int i = 0; i < 5; i++) {
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
    CHECK_THAT(strstr(err.message, "auto and f32") != NULL, "%s", err.message);
    options.precision = "f32";
    options.batch_max = 100000;
    CHECK(sl_bert_open(&options, &embedder, &err) == SL_STOP);
    CHECK_THAT(strstr(err.message, "batch") != NULL, "%s", err.message);
    CHECK(sl_embedder_close(NULL) == NULL && embedder == NULL);
}

/* ---- kernels ---- */

#define KERNEL_WIDTH 83 /* five vectors and a rest */

TEST(gelu_is_exact_on_every_instruction_set)
{
    float row[KERNEL_WIDTH], bias[KERNEL_WIDTH];

    for (const struct sl_kernels *const *set = sl_kernels_all(); *set != NULL; set++)
        for (int start = -40; start < 40; start++) {
            for (int i = 0; i < KERNEL_WIDTH; i++) {
                bias[i] = (float)start * 0.25f;
                row[i] = (float)i / KERNEL_WIDTH * 0.25f;
            }
            (*set)->bias_gelu(row, 1, KERNEL_WIDTH, bias);
            for (int i = 0; i < KERNEL_WIDTH; i++) {
                double x = (double)((float)i / KERNEL_WIDTH * 0.25f + bias[i]);
                double expected = x * 0.5 * erfc(-x / sqrt(2));
                CHECK_THAT(fabs((double)row[i] - expected) < 1e-6 * fmax(1, fabs(x)),
                           "%s at %g: %g, not %g", (*set)->name, x, (double)row[i], expected);
            }
        }
}

static void plain_softmax(const float *row, uint32_t width, double factor, double *ret)
{
    double most = (double)row[0], sum = 0;

    for (uint32_t i = 1; i < width; i++)
        most = fmax(most, (double)row[i]);
    for (uint32_t i = 0; i < width; i++)
        sum += ret[i] = exp(((double)row[i] - most) * factor);
    for (uint32_t i = 0; i < width; i++)
        ret[i] /= sum;
}

TEST(softmax_is_exact_on_every_instruction_set)
{
    for (const struct sl_kernels *const *set = sl_kernels_all(); *set != NULL; set++)
        for (uint32_t width = 1; width <= KERNEL_WIDTH; width++) {
            float rows[2 * KERNEL_WIDTH];
            double expected[KERNEL_WIDTH];
            for (uint32_t i = 0; i < 2 * KERNEL_WIDTH; i++) /* gentle and steep rows */
                rows[i] = (float)(i * 37 % 101) * (width % 2 ? 0.1f : 30.0f) - 20;
            plain_softmax(rows + KERNEL_WIDTH, width, 0.5, expected);
            (*set)->softmax(rows, 2, width, KERNEL_WIDTH, 0.5f);
            for (uint32_t i = 0; i < width; i++)
                CHECK_THAT(fabs((double)rows[KERNEL_WIDTH + i] - expected[i]) < 1e-6,
                           "%s width %u: %g, not %g", (*set)->name, width,
                           (double)rows[KERNEL_WIDTH + i], expected[i]);
        }
}

TEST(layer_norm_is_exact_on_every_instruction_set)
{
    for (const struct sl_kernels *const *set = sl_kernels_all(); *set != NULL; set++) {
        float row[KERNEL_WIDTH], added[KERNEL_WIDTH], bias[KERNEL_WIDTH], ones[KERNEL_WIDTH];
        double mean = 0, variance = 0, sums[KERNEL_WIDTH];
        for (int i = 0; i < KERNEL_WIDTH; i++) {
            row[i] = (float)test_uniform();
            added[i] = (float)test_uniform() * 4;
            bias[i] = (float)test_uniform();
            ones[i] = (float)i;
            sums[i] = (double)row[i] + (double)added[i] + (double)bias[i];
            mean += sums[i] / KERNEL_WIDTH;
        }
        for (int i = 0; i < KERNEL_WIDTH; i++)
            variance += (sums[i] - mean) * (sums[i] - mean) / KERNEL_WIDTH;
        (*set)->add_norm(row, added, 1, KERNEL_WIDTH, bias, ones, ones, 1e-5f);
        for (int i = 0; i < KERNEL_WIDTH; i++) {
            double expected = (sums[i] - mean) / sqrt(variance + 1e-5) * i + i;
            CHECK_THAT(fabs((double)row[i] - expected) < 1e-4 * fmax(1, fabs(expected)),
                       "%s: %g, not %g", (*set)->name, (double)row[i], expected);
        }
        (*set)->bias(row, 1, KERNEL_WIDTH, bias);
        CHECK(fabsf(row[0] - bias[0]) < 1e-6f);
    }
}
