/*
 * test_golden.c -- token ids and vectors equal to the reference implementation's, on 500 texts of
 * every kind and on every code point. make_golden.py says how the files came about.
 */
#include "test.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sluice/embed.h>
#include <sluice/hash.h>

#include "embed/model_config.h"
#include "embed/tokenizer.h"

#define GOLDEN       SOURCE_DIR "/tests/embed/"
#define TEXTS        500
#define DIM          384
#define FILE_BYTES   (4u << 20)
#define IDS_MAX      8192
#define COSINE_MIN   0.9999
#define POINTS_BLOCK 1024

struct golden {
    cJSON *lines[TEXTS]; /* owns the texts */
    struct sl_view texts[TEXTS];
    char *ids; /* the file */
    const char *ids_of[TEXTS];
    float *vectors; /* [TEXTS][DIM] */
};

static const char *model_directory(void)
{
    const char *given = getenv("SLUICE_MODEL");

    return given != NULL && *given != '\0' ? given : SOURCE_DIR "/build/models/all-MiniLM-L6-v2";
}

static bool have_model(void)
{
    char path[4200];

    (void)snprintf(path, sizeof path, "%s/model.safetensors", model_directory());
    return access(path, R_OK) == 0;
}

#define NEED_MODEL()                                                                               \
    do {                                                                                           \
        if (!have_model())                                                                         \
            SKIP("no model in %s: run tools/fetch-model", model_directory());                      \
    } while (0)

static char *read_golden(const char *name, size_t *ret_size)
{
    char path[4200], *data = NULL;

    (void)snprintf(path, sizeof path, GOLDEN "%s", name);
    if (sl_model_file_read(path, FILE_BYTES, &data, ret_size, NULL) != SL_OK)
        fprintf(stderr, "cannot read %s\n", path);
    return data;
}

static float float_of_half(const unsigned char *bytes)
{
    int bits = bytes[0] | bytes[1] << 8, exponent = bits >> 10 & 31;
    double value =
        exponent == 0 ? ldexp(bits & 1023, -24) : ldexp(1024 + (bits & 1023), exponent - 25);

    return (float)(bits & 0x8000 ? -value : value);
}

static bool load_texts(struct golden *golden)
{
    size_t size = 0;
    char *data = read_golden("texts.jsonl", &size), *at = data;
    int count = 0;

    while (data != NULL && count < TEXTS && at < data + size) {
        char *end = memchr(at, '\n', (size_t)(data + size - at));
        cJSON *text;
        golden->lines[count] = cJSON_ParseWithLength(at, (size_t)(end - at));
        text = cJSON_GetObjectItemCaseSensitive(golden->lines[count], "text");
        if (!cJSON_IsString(text))
            break;
        golden->texts[count++] = sl_view_of(text->valuestring);
        at = end + 1;
    }
    free(data);
    return count == TEXTS;
}

static bool load_ids(struct golden *golden)
{
    size_t size = 0;
    char *at = golden->ids = read_golden("ids.txt", &size);

    for (int i = 0; i < TEXTS; i++) {
        golden->ids_of[i] = at;
        at = at != NULL ? strchr(at, '\n') : NULL;
        if (at == NULL)
            return false;
        *at++ = '\0';
    }
    return true;
}

static bool load_vectors(struct golden *golden)
{
    size_t size = 0;
    char *data = read_golden("vectors.f16", &size);
    bool good = size == TEXTS * DIM * 2;

    golden->vectors = calloc(TEXTS * DIM, sizeof(float));
    for (size_t i = 0; good && i < TEXTS * DIM; i++)
        golden->vectors[i] = float_of_half((unsigned char *)data + 2 * i);
    free(data);
    return good;
}

static void golden_close(struct golden *golden)
{
    for (int i = 0; i < TEXTS; i++)
        cJSON_Delete(golden->lines[i]);
    free(golden->ids);
    free(golden->vectors);
}

static struct sl_tokenizer *open_tokenizer(bool lower_case)
{
    struct sl_model_config config;
    struct sl_tokenizer *tokenizer = NULL;

    if (sl_model_config_read(model_directory(), &config, NULL) != SL_OK)
        return NULL;
    if (!lower_case)
        config.casing = (struct sl_tokenizer_casing){SL_CHOICE_NO, SL_CHOICE_NO, SL_CHOICE_FILE};
    (void)sl_tokenizer_open(model_directory(), &config.casing, NULL, &tokenizer, NULL);
    return tokenizer;
}

/* Are the ids those written out in `line`, numbers with spaces between? */
static bool same_ids(const uint32_t *ids, uint32_t count, const char *line)
{
    for (uint32_t i = 0; i < count; i++) {
        char *end;
        unsigned long expected = strtoul(line, &end, 10);
        if (end == line || expected != ids[i])
            return false;
        line = end;
    }
    return line[strspn(line, " ")] == '\0';
}

static int count_other_ids(const struct golden *golden, const struct sl_tokenizer *tokenizer,
                           bool report)
{
    static uint32_t ids[IDS_MAX];
    int others = 0;

    for (int i = 0; i < TEXTS; i++) {
        uint32_t count = sl_tokenizer_ids(tokenizer, golden->texts[i], ids, IDS_MAX);
        bool same = same_ids(ids, count, golden->ids_of[i]) &&
                    sl_tokenizer_ids(tokenizer, golden->texts[i], NULL, UINT32_MAX) == count;
        if (!same && report)
            fprintf(stderr, "text %d: other ids: %s\n", i, golden->texts[i].data);
        others += !same;
    }
    return others;
}

TEST(ids_equal_on_all_texts)
{
    SL_CLEANUP(golden_close) struct golden golden = {0};
    struct sl_tokenizer *tokenizer, *cased;

    NEED_MODEL();
    REQUIRE(load_texts(&golden) && load_ids(&golden));
    tokenizer = open_tokenizer(true);
    cased = open_tokenizer(false);
    REQUIRE(tokenizer != NULL && cased != NULL);
    CHECK(count_other_ids(&golden, tokenizer, true) == 0);
    CHECK(count_other_ids(&golden, cased, false) > TEXTS / 2); /* the comparison can fail */
    sl_tokenizer_close(tokenizer);
    sl_tokenizer_close(cased);
}

TEST(ids_equal_when_cut_at_the_limit)
{
    SL_CLEANUP(golden_close) struct golden golden = {0};
    struct sl_tokenizer *tokenizer;
    uint32_t ids[256];
    size_t size = 0;
    int seen = 0;
    char *data, *line, *rest;

    NEED_MODEL();
    data = read_golden("truncated.txt", &size);
    tokenizer = open_tokenizer(true);
    REQUIRE(load_texts(&golden) && data != NULL && tokenizer != NULL);
    for (line = strtok_r(data, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        long i = strtol(line, &line, 10);
        uint32_t count = sl_tokenizer_ids(tokenizer, golden.texts[i], ids + 1, 254);
        ids[0] = sl_tokenizer_first_id(tokenizer);
        ids[count + 1] = sl_tokenizer_last_id(tokenizer);
        CHECK_THAT(count == 254 && same_ids(ids, count + 2, line + 1), "text %ld", i);
        seen++;
    }
    CHECK(seen > 20);
    free(data);
    sl_tokenizer_close(tokenizer);
}

/* The digest of the ids of "a<c>b" for each c of a block, as make_golden.py makes it. */
static void digest_block(const struct sl_tokenizer *tokenizer, uint32_t first, char *ret_hex)
{
    struct sl_sha256 *digest = sl_sha256_begin();
    uint8_t bytes[32];

    for (uint32_t c = first; c < first + POINTS_BLOCK; c++) {
        char text[8] = "a";
        uint32_t ids[65], count;
        size_t size = 1;
        if (c >= 0xD800 && c <= 0xDFFF)
            continue;
        if (c < 0x80) {
            text[size++] = (char)c;
        } else {
            int tail = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
            static const int lead[] = {0, 0xC0, 0xE0, 0xF0};
            text[size++] = (char)(lead[tail] | (int)(c >> 6 * tail));
            while (tail-- > 0)
                text[size++] = (char)(0x80 | (c >> 6 * tail & 63));
        }
        text[size++] = 'b';
        count = sl_tokenizer_ids(tokenizer, (struct sl_view){text, size}, ids + 1, 64);
        ids[0] = count;
        sl_sha256_add(digest, ids, (count + 1) * sizeof *ids); /* little endian, as written */
    }
    sl_sha256_end(digest, bytes);
    sl_hex(bytes, 8, ret_hex);
}

TEST(ids_equal_for_every_code_point)
{
    struct sl_tokenizer *tokenizer;
    size_t size = 0;
    char *data, *line, *rest;
    int seen = 0;

    NEED_MODEL();
    data = read_golden("codepoints.txt", &size);
    tokenizer = open_tokenizer(true);
    REQUIRE(data != NULL && tokenizer != NULL);
    for (line = strtok_r(data, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        char *end, hex[17];
        uint32_t first = (uint32_t)strtoul(line, &end, 16);
        digest_block(tokenizer, first, hex);
        CHECK_THAT(strcmp(hex, end + 1) == 0, "somewhere from U+%04X on", first);
        seen++;
    }
    CHECK(seen == 0x110000 / POINTS_BLOCK);
    free(data);
    sl_tokenizer_close(tokenizer);
}

struct half {
    const struct sl_embedder *embedder;
    const struct sl_view *texts;
    uint32_t count;
    float *vectors;
    enum sl_err result;
};

static void *encode_half(void *argument)
{
    struct half *half = argument;

    half->result = half->embedder->ops->encode(half->embedder, SL_EMBED_PASSAGE, half->texts,
                                               half->count, half->vectors, NULL);
    return NULL;
}

/* Texts whose vector is further than cosine_min from the golden one. */
static int count_far(const float *vectors, const float *golden, uint32_t count, double cosine_min,
                     double *ret_worst)
{
    int far = 0;

    *ret_worst = 1;
    for (uint32_t i = 0; i < count; i++, vectors += DIM, golden += DIM) {
        double dot = 0, a = 0, b = 0, cosine;
        for (int d = 0; d < DIM; d++) {
            dot += (double)vectors[d] * (double)golden[d];
            a += (double)vectors[d] * (double)vectors[d];
            b += (double)golden[d] * (double)golden[d];
        }
        cosine = dot / sqrt(a * b);
        far += !(cosine >= cosine_min) || fabs(a - 1) > 1e-4;
        if (!(cosine >= *ret_worst))
            *ret_worst = cosine;
    }
    return far;
}

/* The first `count` texts, half by each of two threads, are within cosine_min of the golden ones.
 */
static void check_precision(const char *precision, int count, double cosine_min)
{
    SL_CLEANUP(golden_close) struct golden golden = {0};
    struct sl_bert_options options = {.directory = model_directory(), .precision = precision};
    struct sl_embedder *embedder = NULL;
    struct half halves[2];
    pthread_t thread;
    float *vectors;
    double worst;

    REQUIRE(load_texts(&golden) && load_vectors(&golden));
    REQUIRE(sl_bert_open(&options, &embedder, NULL) == SL_OK);
    REQUIRE(embedder->dim == DIM && embedder->token_limit == 254);
    vectors = calloc(TEXTS * DIM, sizeof *vectors);
    for (int i = 0; i < 2; i++)
        halves[i] = (struct half){embedder, golden.texts + i * count / 2, (uint32_t)count / 2,
                                  vectors + i * count / 2 * DIM, SL_STOP};
    REQUIRE(pthread_create(&thread, NULL, encode_half, &halves[1]) == 0);
    (void)encode_half(&halves[0]);
    (void)pthread_join(thread, NULL);
    CHECK(halves[0].result == SL_OK && halves[1].result == SL_OK);
    CHECK_THAT(count_far(vectors, golden.vectors, (uint32_t)count, cosine_min, &worst) == 0,
               "%s: worst cosine %.6f", precision, worst);
    printf("%s: worst cosine of %d texts: %.7f\n", embedder->arithmetic, count, worst);
    free(vectors);
    (void)sl_embedder_close(embedder);
}

TEST(vectors_equal_on_all_texts_from_two_threads)
{
    NEED_MODEL();
    check_precision("f32", TEXTS, COSINE_MIN);
}

TEST(vectors_of_lower_precisions_are_near)
{
    NEED_MODEL();
    check_precision("bf16", TEXTS / 5, 0.999);
    check_precision("int8", TEXTS / 5, 0.99);
}

/* The model with first-token pooling, made of links to the real one. */
static const char *wrong_pooling(void)
{
    static const char *const files[] = {"config.json", "vocab.txt", "model.safetensors",
                                        "tokenizer_config.json", "sentence_bert_config.json"};
    const char *directory = test_directory();
    char from[4200], to[4200];
    FILE *file;

    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        (void)snprintf(from, sizeof from, "%s/%s", model_directory(), files[i]);
        (void)snprintf(to, sizeof to, "%s/%s", directory, files[i]);
        if (symlink(from, to) != 0)
            return NULL;
    }
    (void)snprintf(to, sizeof to, "%s/1_Pooling", directory);
    if (mkdir(to, 0700) != 0)
        return NULL;
    (void)snprintf(to, sizeof to, "%s/1_Pooling/config.json", directory);
    file = fopen(to, "w");
    if (file == NULL)
        return NULL;
    fputs("{\"pooling_mode_cls_token\": true, \"pooling_mode_mean_tokens\": false}", file);
    return fclose(file) == 0 ? directory : NULL;
}

TEST(another_pooling_is_noticed)
{
    SL_CLEANUP(golden_close) struct golden golden = {0};
    struct sl_bert_options options = {0};
    struct sl_embedder *embedder = NULL;
    float vectors[40 * DIM];
    double worst;

    NEED_MODEL();
    options.directory = wrong_pooling();
    REQUIRE(options.directory != NULL && load_texts(&golden) && load_vectors(&golden));
    REQUIRE(sl_bert_open(&options, &embedder, NULL) == SL_OK);
    CHECK(embedder->ops->encode(embedder, SL_EMBED_PASSAGE, golden.texts + TEXTS - 40, 40, vectors,
                                NULL) == SL_OK);
    CHECK(count_far(vectors, golden.vectors + (TEXTS - 40) * DIM, 40, COSINE_MIN, &worst) == 40);
    (void)sl_embedder_close(embedder);
}

TEST(coverage_tells_known_languages_from_others)
{
    struct sl_bert_options options = {.directory = model_directory()};
    struct sl_embedder *embedder = NULL;
    const char *known[] = {"What did the chair say about raising the federal funds rate?",
                           "I have a cat", "2015-12-16", ""};
    const char *unknown[] = {"기준금리를 올리기로 결정하였다", "中央银行决定提高利率",
                             "東京の港で灯台", "Съешь ещё этих мягких булок",
                             "हिन्दी में लिखा हुआ वाक्य"};

    NEED_MODEL();
    REQUIRE(sl_bert_open(&options, &embedder, NULL) == SL_OK);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        CHECK_THAT(embedder->ops->coverage(embedder, sl_view_of(known[i])) > 0.9, "%s", known[i]);
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
        CHECK_THAT(embedder->ops->coverage(embedder, sl_view_of(unknown[i])) < 0.3, "%s: %.2f",
                   unknown[i], embedder->ops->coverage(embedder, sl_view_of(unknown[i])));
    (void)sl_embedder_close(embedder);
}
