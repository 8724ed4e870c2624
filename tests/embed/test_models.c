/*
 * test_models.c -- small models of every kind against what the reference code said about them: ids
 * of 500 texts and of every code point, vectors as question and as passage. make_models.py says how
 * the files came about; weights are made here from the tensors' names, the same as there.
 */
#include "test.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sluice/embed.h>
#include <sluice/hash.h>

#include "embed/tokenizer.h"

#define FOLDER       SOURCE_DIR "/tests/embed/"
#define TEXTS        500
#define STEP         9 /* every ninth text has its vectors kept */
#define SOME         ((TEXTS + STEP - 1) / STEP)
#define DIM_MAX      64
#define IDS_MAX      8192
#define POINTS_BLOCK 4096
#define TENSORS_MAX  64
#define COSINE_MIN   0.99999

static cJSON *text_items[TEXTS];
static struct sl_view texts[TEXTS];

static char *read_file(const char *folder, const char *name, size_t *ret_size)
{
    char path[4200], *data;
    FILE *file;
    long size;

    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "rb");
    if (file == NULL)
        return NULL;
    (void)fseek(file, 0, SEEK_END);
    size = ftell(file);
    rewind(file);
    data = calloc((size_t)size + 1, 1);
    *ret_size = fread(data, 1, (size_t)size, file);
    (void)fclose(file);
    return data;
}

static bool load_texts(void)
{
    size_t size = 0;
    char *data = read_file(FOLDER, "texts.jsonl", &size), *rest = data, *line;
    int count = 0;

    while (data != NULL && count < TEXTS && (line = strsep(&rest, "\n")) != NULL) {
        text_items[count] = cJSON_Parse(line);
        texts[count] = sl_view_of(
            cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(text_items[count], "text")));
        if (texts[count].data == NULL)
            break;
        count++;
    }
    free(data);
    return count == TEXTS;
}

static void drop_texts(void)
{
    for (int i = 0; i < TEXTS; i++) {
        cJSON_Delete(text_items[i]);
        text_items[i] = NULL;
    }
}

static void folder_of(const char *model, char *ret_path, size_t size)
{
    (void)snprintf(ret_path, size, "%s/models/%s", FOLDER, model);
}

/* ---- ids ---- */

static void digest_ids(const uint32_t *ids, size_t count, char *ret_hex)
{
    uint8_t bytes[32];

    sl_sha256((struct sl_view){(const char *)ids, count * sizeof *ids}, bytes);
    sl_hex(bytes, 4, ret_hex);
}

static void check_ids(const char *model, const struct sl_tokenizer *tokenizer)
{
    static uint32_t ids[IDS_MAX];
    char folder[4200], *data, *rest, *line;
    size_t size = 0;
    int seen = 0;

    folder_of(model, folder, sizeof folder);
    data = rest = read_file(folder, "ids.txt", &size);
    REQUIRE(data != NULL);
    while (seen < TEXTS && (line = strsep(&rest, "\n")) != NULL) {
        uint32_t count = sl_tokenizer_ids(tokenizer, texts[seen], ids, IDS_MAX);
        char here[32], hex[9];
        digest_ids(ids, count, hex);
        (void)snprintf(here, sizeof here, "%u %s", count, hex);
        CHECK_THAT(strcmp(here, line) == 0, "%s, text %d: %s, the reference has %s", model, seen,
                   here, line);
        CHECK(sl_tokenizer_ids(tokenizer, texts[seen], NULL, UINT32_MAX) == count);
        seen++;
    }
    CHECK(seen == TEXTS);
    free(data);
}

static size_t put_utf8(uint32_t c, char *out)
{
    int tail = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    static const int lead[] = {0, 0xC0, 0xE0, 0xF0};
    size_t size = 0;

    out[size++] = (char)(lead[tail] | (int)(c >> 6 * tail));
    while (tail-- > 0)
        out[size++] = (char)(0x80 | (c >> 6 * tail & 63));
    return size;
}

/* Ids of "a<c>b" for each c of a block. */
static void digest_block(const struct sl_tokenizer *tokenizer, uint32_t first, char *ret_hex)
{
    static uint32_t ids[POINTS_BLOCK * 65];
    size_t total = 0;

    for (uint32_t c = first; c < first + POINTS_BLOCK; c++) {
        char text[8] = "a";
        size_t size = 1;
        uint32_t count;
        if (c >= 0xD800 && c <= 0xDFFF)
            continue;
        size += put_utf8(c, text + size);
        text[size++] = 'b';
        count = sl_tokenizer_ids(tokenizer, (struct sl_view){text, size}, ids + total + 1, 64);
        ids[total] = count;
        total += count + 1;
    }
    digest_ids(ids, total, ret_hex);
}

/* Code points below `end_point`. What splits at digits is not asked about those beyond the BMP: the
 * reference may know newer ones than the ICU here. */
static void check_points(const char *model, const struct sl_tokenizer *tokenizer,
                         uint32_t end_point)
{
    char folder[4200], *data, *rest, *line, *end, hex[9];
    size_t size = 0;
    int seen = 0;

    folder_of(model, folder, sizeof folder);
    data = rest = read_file(folder, "points.txt", &size);
    REQUIRE(data != NULL);
    while ((line = strsep(&rest, "\n")) != NULL && *line != '\0') {
        uint32_t first = (uint32_t)strtoul(line, &end, 16);
        digest_block(tokenizer, first, hex);
        CHECK_THAT(strcmp(hex, end + 1) == 0, "%s: somewhere from U+%04X on", model, first);
        seen++;
    }
    CHECK(seen == (int)(end_point / POINTS_BLOCK));
    free(data);
}

static struct sl_tokenizer *open_tokenizer(const char *model)
{
    struct sl_tokenizer *tokenizer = NULL;
    struct sl_error err = {0};
    char folder[4200];

    folder_of(model, folder, sizeof folder);
    (void)sl_tokenizer_open(folder, NULL, NULL, &tokenizer, &err);
    CHECK_THAT(tokenizer != NULL, "%s", err.message);
    return tokenizer;
}

static void check_tokenizer(const char *model, uint32_t end_point)
{
    struct sl_tokenizer *tokenizer = open_tokenizer(model);

    REQUIRE(tokenizer != NULL && load_texts());
    check_ids(model, tokenizer);
    check_points(model, tokenizer, end_point);
    sl_tokenizer_close(tokenizer);
    drop_texts();
}

/* ---- weights ---- */

struct tensor {
    char name[96];
    uint32_t rows, columns; /* columns 0: a vector */
    float centre, spread;
};

struct plan {
    struct tensor tensors[TENSORS_MAX];
    uint32_t count;
    const char *prefix;
};

static void plan_add(struct plan *plan, const char *layer, const char *name, uint32_t rows,
                     uint32_t columns, float centre, float spread)
{
    struct tensor *tensor = &plan->tensors[plan->count++];

    (void)snprintf(tensor->name, sizeof tensor->name, "%s%s%s", plan->prefix, layer, name);
    tensor->rows = rows;
    tensor->columns = columns;
    tensor->centre = centre;
    tensor->spread = spread;
}

static void plan_linear(struct plan *plan, const char *layer, const char *part, uint32_t rows,
                        uint32_t columns)
{
    char name[96];

    (void)snprintf(name, sizeof name, "%s.weight", part);
    plan_add(plan, layer, name, rows, columns, 0, 0.3f);
    (void)snprintf(name, sizeof name, "%s.bias", part);
    plan_add(plan, layer, name, rows, 0, 0, 0.3f);
}

static void plan_norm(struct plan *plan, const char *layer, const char *part, uint32_t hidden)
{
    char name[96];

    (void)snprintf(name, sizeof name, "%s.weight", part);
    plan_add(plan, layer, name, hidden, 0, 1, 0.3f);
    (void)snprintf(name, sizeof name, "%s.bias", part);
    plan_add(plan, layer, name, hidden, 0, 0, 0.3f);
}

static uint32_t number(const cJSON *config, const char *name)
{
    return (uint32_t)cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(config, name));
}

static void plan_encoder(struct plan *plan, const cJSON *config)
{
    const uint32_t hidden = number(config, "hidden_size");
    const uint32_t wide = number(config, "intermediate_size");
    char layer[32];

    plan_add(plan, "", "embeddings.word_embeddings.weight", number(config, "vocab_size"), hidden, 0,
             1);
    plan_add(plan, "", "embeddings.position_embeddings.weight",
             number(config, "max_position_embeddings"), hidden, 0, 0.3f);
    plan_add(plan, "", "embeddings.token_type_embeddings.weight", number(config, "type_vocab_size"),
             hidden, 0, 0.3f);
    plan_norm(plan, "", "embeddings.LayerNorm", hidden);
    for (uint32_t i = 0; i < number(config, "num_hidden_layers"); i++) {
        (void)snprintf(layer, sizeof layer, "encoder.layer.%u.", i);
        plan_linear(plan, layer, "attention.self.query", hidden, hidden);
        plan_linear(plan, layer, "attention.self.key", hidden, hidden);
        plan_linear(plan, layer, "attention.self.value", hidden, hidden);
        plan_linear(plan, layer, "attention.output.dense", hidden, hidden);
        plan_norm(plan, layer, "attention.output.LayerNorm", hidden);
        plan_linear(plan, layer, "intermediate.dense", wide, hidden);
        plan_linear(plan, layer, "output.dense", hidden, wide);
        plan_norm(plan, layer, "output.LayerNorm", hidden);
    }
}

/* splitmix64 over a counter that begins at the hash of the name, prefix left out. A mapping is
 * made of whole numbers below the centre instead. */
static void write_values(FILE *file, const struct tensor *tensor, const char *name)
{
    const bool mapping = strcmp(tensor->name, "mapping") == 0;
    size_t count = (size_t)tensor->rows * (tensor->columns != 0 ? tensor->columns : 1);
    uint64_t seed = 0xCBF29CE484222325u;

    for (const char *at = name; *at != '\0'; at++)
        seed = (seed ^ (unsigned char)*at) * 0x100000001B3u;
    for (size_t i = 0; i < count; i++) {
        uint64_t x = seed + (i + 1) * 0x9E3779B97F4A7C15u;
        float value;
        x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
        x = (x ^ x >> 27) * 0x94D049BB133111EBu;
        x ^= x >> 31;
        value = (float)(x >> 40) * 0x1p-23f - 1.0f;
        if (mapping) {
            int64_t at = (int64_t)((0.5f + 0.5f * value) * tensor->centre);
            (void)fwrite(&at, sizeof at, 1, file);
            continue;
        }
        value = tensor->centre + tensor->spread * value;
        (void)fwrite(&value, sizeof value, 1, file);
    }
}

static bool write_weights(const char *path, const struct plan *plan)
{
    static char header[65536];
    size_t size = 1, at = 0;
    FILE *file = fopen(path, "wb");

    header[0] = '{';
    for (uint32_t i = 0; i < plan->count; i++) {
        const struct tensor *t = &plan->tensors[i];
        bool mapping = strcmp(t->name, "mapping") == 0;
        size_t bytes =
            (size_t)t->rows * (t->columns != 0 ? t->columns : 1) * (mapping ? sizeof(int64_t) : 4);
        char shape[32];
        (void)snprintf(shape, sizeof shape, t->columns != 0 ? "%u,%u" : "%u", t->rows, t->columns);
        size += (size_t)snprintf(
            header + size, sizeof header - size,
            "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[%s],\"data_offsets\":[%zu,%zu]}", i ? "," : "",
            t->name, mapping ? "I64" : "F32", shape, at, at + bytes);
        at += bytes;
    }
    size += (size_t)snprintf(header + size, sizeof header - size, "}");
    if (file == NULL)
        return false;
    for (int i = 0; i < 8; i++)
        (void)fputc((int)((uint64_t)size >> 8 * i & 255), file);
    (void)fwrite(header, 1, size, file);
    for (uint32_t i = 0; i < plan->count; i++)
        write_values(file, &plan->tensors[i], plan->tensors[i].name + strlen(plan->prefix));
    return fclose(file) == 0;
}

/* A directory with links to the small files of a model. */
static const char *link_files(const char *model)
{
    static const char *const files[] = {"config.json",
                                        "tokenizer.json",
                                        "tokenizer_config.json",
                                        "sentence_bert_config.json",
                                        "modules.json",
                                        "config_sentence_transformers.json",
                                        "1_Pooling"};
    const char *directory = test_directory();
    char folder[4200], from[8500], to[4300];

    folder_of(model, folder, sizeof folder);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        (void)snprintf(from, sizeof from, "%s/%s", folder, files[i]);
        (void)snprintf(to, sizeof to, "%s/%s", directory, files[i]);
        if (access(from, R_OK) == 0 && symlink(from, to) != 0)
            return NULL;
    }
    return directory;
}

static const char *write_model(const char *model, const struct plan *plan)
{
    const char *directory = link_files(model);
    char path[4300];

    (void)snprintf(path, sizeof path, "%s/model.safetensors", directory);
    return directory != NULL && write_weights(path, plan) ? directory : NULL;
}

static const char *write_encoder(const char *model, const char *prefix)
{
    struct plan plan = {.prefix = prefix};
    char folder[4200], *text;
    cJSON *config;
    size_t size = 0;

    folder_of(model, folder, sizeof folder);
    text = read_file(folder, "config.json", &size);
    config = cJSON_Parse(text != NULL ? text : "");
    free(text);
    plan_encoder(&plan, config);
    cJSON_Delete(config);
    return write_model(model, &plan);
}

/* ---- vectors ---- */

static double cosine_of(const float *a, const float *b, uint32_t dim)
{
    double dot = 0, x = 0, y = 0;

    for (uint32_t i = 0; i < dim; i++) {
        dot += (double)a[i] * (double)b[i];
        x += (double)a[i] * (double)a[i];
        y += (double)b[i] * (double)b[i];
    }
    return dot / sqrt(x * y);
}

static double worst_cosine(const struct sl_embedder *embedder, enum sl_embed_role role,
                           const float *expected)
{
    static float vectors[SOME * DIM_MAX];
    struct sl_view some[SOME];
    double worst = 1;

    for (int i = 0; i < SOME; i++)
        some[i] = texts[i * STEP];
    if (embedder->ops->encode(embedder, role, some, SOME, vectors, NULL) != SL_OK)
        return -1;
    for (uint32_t i = 0; i < SOME; i++) {
        double cosine =
            cosine_of(vectors + i * embedder->dim, expected + i * embedder->dim, embedder->dim);
        worst = cosine >= worst ? worst : cosine;
    }
    return worst;
}

static void check_encoder(const char *model, const char *prefix, bool roles_differ)
{
    struct sl_bert_options options = {.directory = write_encoder(model, prefix),
                                      .precision = "f32"};
    struct sl_embedder *embedder = NULL;
    struct sl_error err = {0};
    char folder[4200];
    size_t size = 0;
    float *expected;
    double question, passage, crossed;

    folder_of(model, folder, sizeof folder);
    expected = (float *)(void *)read_file(folder, "vectors.f32", &size);
    REQUIRE(options.directory != NULL && expected != NULL && load_texts());
    (void)sl_bert_open(&options, &embedder, &err);
    CHECK_THAT(embedder != NULL, "%s", err.message);
    REQUIRE(embedder != NULL && size == (size_t)2 * SOME * embedder->dim * sizeof(float));
    question = worst_cosine(embedder, SL_EMBED_QUESTION, expected);
    passage = worst_cosine(embedder, SL_EMBED_PASSAGE, expected + SOME * embedder->dim);
    crossed = worst_cosine(embedder, SL_EMBED_PASSAGE, expected);
    printf("%s: worst cosine %.8f %.8f, roles crossed %.4f\n", model, question, passage, crossed);
    CHECK(question >= COSINE_MIN && passage >= COSINE_MIN);
    CHECK(roles_differ == (crossed < COSINE_MIN)); /* the comparison can fail */
    (void)sl_embedder_close(embedder);
    free(expected);
    drop_texts();
}

/* Vectors equal to 1e-5 in every number; the reference has no vector where no token is known. */
static void check_static(const char *model, const struct plan *plan)
{
    static float vectors[SOME * DIM_MAX];
    struct sl_static_options options = {.directory = write_model(model, plan)};
    struct sl_embedder *embedder = NULL;
    struct sl_error err = {0};
    struct sl_view some[SOME];
    char folder[4200];
    size_t size = 0;
    float *expected;
    double worst = 0;

    folder_of(model, folder, sizeof folder);
    expected = (float *)(void *)read_file(folder, "vectors.f32", &size);
    REQUIRE(options.directory != NULL && expected != NULL && load_texts());
    (void)sl_static_open(&options, &embedder, &err);
    CHECK_THAT(embedder != NULL, "%s", err.message);
    REQUIRE(embedder != NULL && size == (size_t)SOME * embedder->dim * sizeof(float));
    for (int i = 0; i < SOME; i++)
        some[i] = texts[i * STEP];
    CHECK(embedder->ops->encode(embedder, SL_EMBED_PASSAGE, some, SOME, vectors, NULL) == SL_OK);
    for (uint32_t i = 0; i < SOME * embedder->dim; i += embedder->dim) {
        bool none = true;
        double length = 0;
        for (uint32_t d = i; d < i + embedder->dim; d++) {
            none = none && expected[d] == 0;
            length += (double)vectors[d] * (double)vectors[d];
        }
        CHECK(fabs(length - 1) < 1e-5);
        for (uint32_t d = i; !none && d < i + embedder->dim; d++)
            worst = fmax(worst, fabs((double)vectors[d] - (double)expected[d]));
    }
    printf("%s: worst difference %.2g; %s\n", model, worst, embedder->about);
    CHECK_THAT(worst <= 1e-5, "%s: %g", model, worst);
    CHECK(strlen(embedder->fingerprint) == 64);
    (void)sl_embedder_close(embedder);
    free(expected);
    drop_texts();
}

static uint32_t count_tokens(const char *model)
{
    struct sl_tokenizer *tokenizer = open_tokenizer(model);
    uint32_t count = tokenizer != NULL ? sl_tokenizer_vocabulary_count(tokenizer) : 0;

    sl_tokenizer_close(tokenizer);
    return count;
}

TEST(static_vectors_with_weights_and_fewer_rows_than_tokens)
{
    const uint32_t count = count_tokens("model2vec");
    struct plan plan = {.prefix = ""};

    plan_add(&plan, "", "embeddings", count - 200, 32, 0, 1);
    plan_add(&plan, "", "weights", count, 0, 1, 0.5f);
    plan_add(&plan, "", "mapping", count, 0, (float)(count - 200), 0);
    check_tokenizer("model2vec", 0x110000);
    check_static("model2vec", &plan);
}

TEST(static_vectors_by_byte_pairs_with_bytes_for_unknown_letters)
{
    struct plan plan = {.prefix = ""};

    plan_add(&plan, "", "embedding.weight", count_tokens("wordllama"), 32, 0, 1);
    check_tokenizer("wordllama", 0x110000);
    check_static("wordllama", &plan);
}

TEST(static_vectors_by_pairs_of_bytes)
{
    struct plan plan = {.prefix = ""};

    plan_add(&plan, "", "embedding.weight", count_tokens("wordllama-bytes"), 32, 0, 1);
    check_tokenizer("wordllama-bytes", 0x110000);
    check_static("wordllama-bytes", &plan);
}

TEST(bert_with_a_wordpiece_tokenizer_json_mean)
{
    check_tokenizer("bert-mean", 0x110000);
    check_encoder("bert-mean", "", true);
}

TEST(bert_cased_with_tokens_of_its_own_first_token)
{
    check_tokenizer("bert-cls", 0x110000);
    check_encoder("bert-cls", "bert.", true);
}

TEST(xlm_roberta_with_a_table_of_replacements_mean)
{
    check_tokenizer("xlmr-mean", 0x110000);
    check_encoder("xlmr-mean", "roberta.", false);
}

TEST(xlm_roberta_with_bytes_for_unknown_letters_first_token)
{
    check_tokenizer("xlmr-cls", 0x110000);
    check_encoder("xlmr-cls", "", true);
}

TEST(bert_with_a_unigram_tokenizer)
{
    check_tokenizer("bert-unigram", 0x10000);
    check_encoder("bert-unigram", "", true);
}

TEST(another_tokenizer_is_noticed)
{
    struct sl_tokenizer *tokenizer = open_tokenizer("xlmr-cls");
    uint32_t ids[64], others[64], count;
    struct sl_tokenizer *other = open_tokenizer("xlmr-mean");

    REQUIRE(tokenizer != NULL && other != NULL);
    count = sl_tokenizer_ids(tokenizer, SL_VIEW("The harbour authority"), ids, 64);
    CHECK(sl_tokenizer_ids(other, SL_VIEW("The harbour authority"), others, 64) != count ||
          memcmp(ids, others, count * sizeof *ids) != 0);
    sl_tokenizer_close(tokenizer);
    sl_tokenizer_close(other);
}

/* A prefix joined by the tokenizer is the same as one joined in the text, also where the text is
 * taken in segments. */
TEST(long_texts_in_segments_have_the_ids_of_their_parts)
{
    static const char *const models[] = {"bert-mean", "bert-cls", "xlmr-mean", "xlmr-cls",
                                         "bert-unigram"};
    const size_t size = 300000;
    char *text = calloc(size + 200, 1);
    size_t at = 0;

    while (at < size)
        at += (size_t)snprintf(text + at, 200, "%sThe night watch measured %zu lamps: 등대 %zu.",
                               at ? " " : "", at, at % 97);
    for (size_t m = 0; m < sizeof models / sizeof *models; m++) {
        struct sl_tokenizer *tokenizer = open_tokenizer(models[m]);
        uint32_t sum = 0, whole;
        REQUIRE(tokenizer != NULL);
        for (char *part = text; part != NULL; part = strstr(part + 1, " The night")) {
            char *end = strstr(part + 1, " The night");
            sum += sl_tokenizer_ids(
                tokenizer,
                (struct sl_view){part, end != NULL ? (size_t)(end - part) : strlen(part)}, NULL,
                UINT32_MAX);
        }
        whole = sl_tokenizer_ids(tokenizer, (struct sl_view){text, at}, NULL, UINT32_MAX);
        CHECK_THAT(whole == sum, "%s: %u, its parts have %u", models[m], whole, sum);
        CHECK(sl_tokenizer_ids_after(tokenizer, SL_VIEW("query: "), SL_VIEW("lamps"), NULL, 99) ==
              sl_tokenizer_ids(tokenizer, SL_VIEW("query: lamps"), NULL, 99));
        sl_tokenizer_close(tokenizer);
    }
    free(text);
}
