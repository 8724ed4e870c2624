/* test_static.c -- static token vectors on a table written here: means, prefixes, limits, and bad
 * files. The reference's word on them is in tests/embed. */
#include "../support/test.h"

#include <math.h>
#include <stdint.h>

#include <sluice/embed.h>

#define TOKENIZER                                                                                  \
    "{\"pre_tokenizer\":{\"type\":\"WhitespaceSplit\"},\"model\":{\"type\":\"WordPiece\","         \
    "\"unk_token\":\"?\",\"vocab\":{\"?\":0,\"east\":1,\"north\":2}}}"

static void write_bytes(const char *directory, const char *name, const void *bytes, size_t size)
{
    char path[4300];
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/%s", directory, name);
    file = fopen(path, "wb");
    if (file == NULL || fwrite(bytes, 1, size, file) != size || fclose(file) != 0)
        abort();
}

/* A directory whose table has rows (1, 1), (1, 0), (0, 1) under the tensor's name. */
static const char *write_model(const char *tensor, const char *shape, const char *config)
{
    static const float rows[6] = {1, 1, 1, 0, 0, 1};
    const char *directory = test_directory();
    char header[256];
    unsigned char bytes[8 + 256 + sizeof rows] = {0};
    size_t size = (size_t)snprintf(
        header, sizeof header,
        "{\"%s\":{\"dtype\":\"F32\",\"shape\":[%s],\"data_offsets\":[0,24]}}", tensor, shape);

    bytes[0] = (unsigned char)size;
    memcpy(bytes + 8, header, size);
    memcpy(bytes + 8 + size, rows, sizeof rows);
    write_bytes(directory, "model.safetensors", bytes, 8 + size + sizeof rows);
    write_bytes(directory, "tokenizer.json", TOKENIZER, strlen(TOKENIZER));
    if (config != NULL)
        write_bytes(directory, "config.json", config, strlen(config));
    return directory;
}

static struct sl_embedder *open_model(const struct sl_static_options *options, struct sl_error *err)
{
    struct sl_embedder *embedder = NULL;

    (void)sl_static_open(options, &embedder, err);
    return embedder;
}

static bool is_vector(const struct sl_embedder *embedder, enum sl_embed_role role, const char *text,
                      double x, double y)
{
    struct sl_view view = sl_view_of(text);
    double length = sqrt(x * x + y * y);
    float vector[2];

    return embedder->ops->encode(embedder, role, &view, 1, vector, NULL) == SL_OK &&
           fabs((double)vector[0] - x / length) < 1e-6 &&
           fabs((double)vector[1] - y / length) < 1e-6;
}

TEST(a_text_is_the_mean_of_its_tokens)
{
    struct sl_static_options options = {.directory = write_model("embedding.weight", "3,2", NULL)};
    struct sl_embedder *embedder = open_model(&options, NULL);

    REQUIRE(embedder != NULL && embedder->dim == 2 && embedder->token_limit == 512);
    CHECK(is_vector(embedder, SL_EMBED_PASSAGE, "east", 1, 0));
    CHECK(is_vector(embedder, SL_EMBED_PASSAGE, "east north east", 2, 1));
    CHECK(is_vector(embedder, SL_EMBED_PASSAGE, "east south", 2, 1)); /* unknown counts: (1, 1) */
    CHECK(is_vector(embedder, SL_EMBED_PASSAGE, "", 1, 1));
    CHECK(embedder->ops->count_tokens(embedder, SL_VIEW("east north")) == 2);
    CHECK(embedder->ops->coverage(embedder, SL_VIEW("east south")) < 0.6);
    (void)sl_embedder_close(embedder);
}

TEST(model2vec_leaves_unknown_tokens_out_and_cuts)
{
    struct sl_static_options options = {
        .directory = write_model("embeddings", "3,2", "{\"max_length\": 3}")};
    struct sl_embedder *embedder = open_model(&options, NULL);

    REQUIRE(embedder != NULL && embedder->token_limit == 3);
    CHECK(is_vector(embedder, SL_EMBED_PASSAGE, "north s north", 0, 1));
    CHECK(is_vector(embedder, SL_EMBED_PASSAGE, "s s s east", 1, 1)); /* cut before it is known */
    CHECK(is_vector(embedder, SL_EMBED_PASSAGE, "east east nor", 1, 0));
    (void)sl_embedder_close(embedder);
}

TEST(prefixes_go_before_their_role_and_into_the_fingerprint)
{
    struct sl_static_options options = {.directory = write_model("embedding.weight", "3,2", NULL)};
    struct sl_embedder *plain = open_model(&options, NULL), *embedder;

    options.query_prefix = "north ";
    embedder = open_model(&options, NULL);
    REQUIRE(plain != NULL && embedder != NULL);
    CHECK(is_vector(embedder, SL_EMBED_QUESTION, "east", 1, 1));
    CHECK(is_vector(embedder, SL_EMBED_PASSAGE, "east", 1, 0));
    CHECK(strcmp(plain->fingerprint, embedder->fingerprint) != 0);
    CHECK(strstr(embedder->about, "query prefix \"north \"") != NULL);
    (void)sl_embedder_close(plain);
    (void)sl_embedder_close(embedder);
}

TEST(bad_tables_are_refused_by_name)
{
    static const struct {
        const char *tensor, *shape, *config, *word;
    } cases[] = {{"other", "3,2", NULL, "embedding.weight"},
                 {"embeddings", "6", NULL, "columns"},
                 {"embeddings", "2,3", NULL, "tokenizer.json has 3"},
                 {"embeddings", "3,2", "{", "config.json"},
                 {"embeddings", "3,2", "{\"max_length\": 0}", "max_length"}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sl_error err = {0};
        struct sl_static_options options = {
            .directory = write_model(cases[i].tensor, cases[i].shape, cases[i].config)};
        CHECK(open_model(&options, &err) == NULL);
        CHECK_THAT(err.exit_code == SL_EXIT_CONFIG && strstr(err.message, cases[i].word) != NULL,
                   "case %zu: %s", i, err.message);
    }
}
