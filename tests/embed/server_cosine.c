/*
 * server_cosine.c -- the vectors of an embedding server beside those of the encoder in the process,
 * on the golden texts in Latin script: the same model must give the same vectors either way.
 *
 *     server_cosine URL MODEL_DIR
 *
 * Prints the lowest cosine; exit 0 when it is at least 0.9999.
 */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/embed_client.h"

#define TEXTS      500
#define COSINE_MIN 0.9999

struct texts {
    cJSON *lines[TEXTS];
    struct sl_view texts[TEXTS];
    uint32_t count;
};

/* Code points up to U+027F only. */
static bool is_latin(const char *text)
{
    while ((unsigned char)*text != '\0' && (unsigned char)*text < 0xCA)
        text++;
    return *text == '\0';
}

/* Prose. What else there is (markers, controls, endless words) tokenizers treat as
 * they like. */
static bool is_prose(const cJSON *object)
{
    const cJSON *kind = cJSON_GetObjectItemCaseSensitive(object, "kind");

    return cJSON_IsString(kind) &&
           (strcmp(kind->valuestring, "english") == 0 || strcmp(kind->valuestring, "accents") == 0);
}

/* Those the encoder reads whole: it cuts longer ones, and the server does not. */
static void read_texts(const struct sl_embedder *process, struct texts *all)
{
    FILE *file = fopen(SOURCE_DIR "/tests/embed/texts.jsonl", "re");
    char *line = NULL;
    size_t size = 0;

    while (file != NULL && all->count < TEXTS && getline(&line, &size, file) > 0) {
        cJSON *object = cJSON_Parse(line);
        const cJSON *text = cJSON_GetObjectItemCaseSensitive(object, "text");

        if (cJSON_IsString(text) && is_prose(object) && is_latin(text->valuestring) &&
            process->ops->count_tokens(process, sl_view_of(text->valuestring)) <=
                process->token_limit) {
            all->texts[all->count] = sl_view_of(text->valuestring);
            all->lines[all->count++] = object;
        } else {
            cJSON_Delete(object);
        }
    }
    free(line);
    if (file != NULL)
        (void)fclose(file);
}

static struct sl_embedder *open_server(const char *url, struct sl_error *err)
{
    struct sl_embed_options options = {.api = "auto",
                                       .url = url,
                                       .model = "MiniLM",
                                       .token_limit = 256,
                                       .batch_tokens =
                                           1, /* a text a request: this server can no more */
                                       .in_flight = 1,
                                       .timeout_ms = 60000,
                                       .question_timeout_ms = 60000,
                                       .breaker_wait_ms = 1000};
    struct sl_embedder *embedder = NULL;

    return sl_embed_open(&options, &embedder, err) == SL_OK ? embedder : NULL;
}

static double lowest_cosine(const struct sl_embedder *a, const struct sl_embedder *b,
                            const struct texts *all, struct sl_error *err)
{
    float *x = calloc((size_t)all->count * a->dim + 1, sizeof *x);
    float *y = calloc((size_t)all->count * b->dim + 1, sizeof *y);
    double lowest = all->count > 0 ? 1 : -1;

    if (x == NULL || y == NULL || a->dim != b->dim ||
        a->ops->encode(a, SL_EMBED_PASSAGE, all->texts, all->count, x, err) != SL_OK ||
        b->ops->encode(b, SL_EMBED_PASSAGE, all->texts, all->count, y, err) != SL_OK)
        lowest = -1;
    for (uint32_t i = 0; lowest > -1 && i < all->count; i++) {
        double dot = 0;

        for (uint32_t d = 0; d < a->dim; d++)
            dot += (double)x[i * a->dim + d] * (double)y[i * a->dim + d];
        if (dot < COSINE_MIN)
            printf("%.6f for a text of %zu bytes: %.60s\n", dot, all->texts[i].size,
                   all->texts[i].data);
        lowest = dot < lowest ? dot : lowest;
    }
    free(x);
    free(y);
    return lowest;
}

int main(int argc, char **argv)
{
    struct sl_bert_options bert = {.directory = argc == 3 ? argv[2] : "", .precision = "f32"};
    struct sl_embedder *server, *process = NULL;
    struct texts all = {0};
    struct sl_error err = {0};
    double lowest = -1;

    if (argc != 3)
        return 64;
    server = open_server(argv[1], &err);
    if (server != NULL && sl_bert_open(&bert, &process, &err) == SL_OK) {
        read_texts(process, &all);
        lowest = lowest_cosine(server, process, &all, &err);
    }
    printf("%u texts, lowest cosine %.6f %s\n", (unsigned)all.count, lowest, err.message);
    (void)sl_embedder_close(server);
    (void)sl_embedder_close(process);
    for (uint32_t i = 0; i < all.count; i++)
        cJSON_Delete(all.lines[i]);
    return lowest >= COSINE_MIN ? 0 : 1;
}
