/*
 * model_config.c -- the JSON files of a model directory into one checked struct.
 *
 * Every number is bounded here, so that the encoder can multiply them without thought. What we
 * cannot compute (another architecture, activation, pooling or an extra module) is refused: a wrong
 * vector looks like a right one.
 */
#include "embed/model_config.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sluice/limits.h>
#include <sluice/view.h>

#define JSON_BYTES_MAX (4u << 20)
#define PATH_BYTES_MAX 4096

/* One parsed file and its path, for messages. */
struct json_file {
    char path[PATH_BYTES_MAX];
    cJSON *root; /* NULL: the file is not there */
};

static void json_file_fini(struct json_file *file)
{
    cJSON_Delete(file->root);
    file->root = NULL;
}

enum sl_err sl_model_path(const char *directory, const char *name, char *ret_path, size_t size,
                          struct sl_error *err)
{
    int n = snprintf(ret_path, size, "%s/%s", directory, name);

    if (n < 0 || (size_t)n >= size)
        return sl_stop(err, SL_EXIT_CONFIG, ENAMETOOLONG, "bad_model",
                       "%.200s: the path is too long", directory);
    return SL_OK;
}

static enum sl_err file_error(const char *path, int number, const char *what, struct sl_error *err)
{
    return sl_stop(err, number == ENOMEM ? SL_EXIT_OS : SL_EXIT_CONFIG, number, "bad_model",
                   "%s: %s", path, what);
}

static enum sl_err read_all(int fd, const char *path, size_t size_max, char **ret_data,
                            size_t *ret_size, struct sl_error *err)
{
    struct stat status;
    size_t done = 0, size;
    char *data;

    if (fstat(fd, &status) != 0)
        return file_error(path, errno, strerror(errno), err);
    if (!S_ISREG(status.st_mode) || status.st_size < 0 || (uint64_t)status.st_size > size_max)
        return file_error(path, 0, "not a regular file, or too large for its kind", err);
    size = (size_t)status.st_size;
    data = malloc(size + 1);
    if (data == NULL)
        return file_error(path, ENOMEM, "out of memory", err);
    while (done < size) {
        ssize_t n = read(fd, data + done, size - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            free(data);
            return file_error(path, n < 0 ? errno : 0, "cannot be read to its end", err);
        }
        done += (size_t)n;
    }
    data[size] = '\0';
    *ret_data = data;
    *ret_size = size;
    return SL_OK;
}

enum sl_err sl_model_file_read(const char *path, size_t size_max, char **ret_data, size_t *ret_size,
                               struct sl_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    enum sl_err r;

    if (fd < 0)
        return file_error(path, errno, strerror(errno), err);
    r = read_all(fd, path, size_max, ret_data, ret_size, err);
    (void)close(fd);
    return r;
}

/* Parse one file of the directory. Not there: root stays NULL, which is an error when `needed`. */
static enum sl_err json_file_read(const char *directory, const char *name, bool needed,
                                  struct json_file *file, struct sl_error *err)
{
    struct sl_error failure = {0};
    char *text = NULL;
    size_t size = 0;
    enum sl_err r;

    r = sl_model_path(directory, name, file->path, sizeof file->path, err);
    if (r != SL_OK)
        return r;
    r = sl_model_file_read(file->path, JSON_BYTES_MAX, &text, &size, &failure);
    if (r != SL_OK && failure.foreign_code == ENOENT && !needed)
        return SL_OK;
    if (r != SL_OK) {
        if (err != NULL)
            *err = failure;
        return r;
    }
    file->root = cJSON_ParseWithLength(text, size);
    free(text);
    if (file->root == NULL)
        return file_error(file->path, 0, "not valid JSON", err);
    return SL_OK;
}

/* An optional whole number: *value stays as it is when the member is absent or null. */
static enum sl_err read_number(const struct json_file *file, const char *name, uint32_t least,
                               uint32_t most, uint32_t *value, struct sl_error *err)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(file->root, name);

    if (item == NULL || cJSON_IsNull(item)) {
        if (*value != 0)
            return SL_OK;
        return sl_stop(err, SL_EXIT_CONFIG, 0, "bad_model", "%s: no member \"%s\"", file->path,
                       name);
    }
    if (!cJSON_IsNumber(item) || !(item->valuedouble >= least && item->valuedouble <= most) ||
        (double)(uint32_t)item->valuedouble != item->valuedouble)
        return sl_stop(err, SL_EXIT_CONFIG, 0, "bad_model",
                       "%s: \"%s\" must be a whole number from %u to %u", file->path, name, least,
                       most);
    *value = (uint32_t)item->valuedouble;
    return SL_OK;
}

/* A member that, when present, must be this string. */
static enum sl_err require_string(const struct json_file *file, const char *name,
                                  const char *allowed, struct sl_error *err)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(file->root, name);

    if (item == NULL || (cJSON_IsString(item) && strcmp(item->valuestring, allowed) == 0))
        return SL_OK;
    return sl_stop(err, SL_EXIT_CONFIG, 0, "bad_model", "%s: \"%s\" must be \"%s\"", file->path,
                   name, allowed);
}

static bool read_bool(const struct json_file *file, const char *name, bool otherwise)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(file->root, name);

    return cJSON_IsBool(item) ? cJSON_IsTrue(item) : otherwise;
}

/* The kinds differ in where positions begin: RoBERTa's lie behind the padding token's id. */
static enum sl_err read_kind(const struct json_file *file, struct sl_model_config *config,
                             struct sl_error *err)
{
    static const char *const roberta[] = {"roberta", "xlm-roberta", "camembert"};
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(file->root, "model_type");
    uint32_t padding = 1;
    enum sl_err r;

    if (item == NULL || (cJSON_IsString(item) && strcmp(item->valuestring, "bert") == 0))
        return SL_OK;
    for (size_t i = 0; cJSON_IsString(item) && i < sizeof roberta / sizeof *roberta; i++) {
        if (strcmp(item->valuestring, roberta[i]) != 0)
            continue;
        r = read_number(file, "pad_token_id", 0, config->position_count, &padding, err);
        if (r == SL_OK && config->position_count < padding + 4)
            r = sl_stop(err, SL_EXIT_CONFIG, 0, "bad_model",
                        "%s: max_position_embeddings %u leaves no positions behind pad_token_id %u",
                        file->path, config->position_count, padding);
        config->position_first = padding + 1;
        return r;
    }
    return sl_stop(err, SL_EXIT_CONFIG, 0, "bad_model",
                   "%s: \"model_type\" is \"%.40s\"; allowed are bert, roberta, xlm-roberta and "
                   "camembert",
                   file->path, cJSON_IsString(item) ? item->valuestring : "");
}

static enum sl_err read_shape(const struct json_file *file, struct sl_model_config *config,
                              struct sl_error *err)
{
    const struct {
        const char *name;
        uint32_t least, most;
        uint32_t *value;
    } numbers[] = {{"vocab_size", 5, 4000000, &config->vocabulary_count},
                   {"hidden_size", 8, SL_DIM_MAX, &config->hidden},
                   {"num_hidden_layers", 1, 128, &config->layer_count},
                   {"num_attention_heads", 1, 256, &config->head_count},
                   {"intermediate_size", 8, 65536, &config->intermediate},
                   {"max_position_embeddings", 8, 8192, &config->position_count},
                   {"type_vocab_size", 1, 64, &config->type_count}};
    const cJSON *epsilon = cJSON_GetObjectItemCaseSensitive(file->root, "layer_norm_eps");
    enum sl_err r = SL_OK;

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers && r == SL_OK; i++)
        r = read_number(file, numbers[i].name, numbers[i].least, numbers[i].most, numbers[i].value,
                        err);
    if (r == SL_OK)
        r = read_kind(file, config, err);
    if (r == SL_OK)
        r = require_string(file, "hidden_act", "gelu", err);
    if (r == SL_OK)
        r = require_string(file, "position_embedding_type", "absolute", err);
    if (r != SL_OK)
        return r;
    if (config->hidden % config->head_count != 0)
        return sl_stop(err, SL_EXIT_CONFIG, 0, "bad_model",
                       "%s: hidden_size %u is not a multiple of num_attention_heads %u", file->path,
                       config->hidden, config->head_count);
    config->layer_norm_epsilon = cJSON_IsNumber(epsilon) ? (float)epsilon->valuedouble : 1e-12f;
    if (!(config->layer_norm_epsilon >= 0 && config->layer_norm_epsilon < 1))
        return sl_stop(err, SL_EXIT_CONFIG, 0, "bad_model", "%s: layer_norm_eps must be in [0, 1)",
                       file->path);
    return SL_OK;
}

/* The token limit: sentence_bert_config.json's, else tokenizer_config.json's, never over the
 * positions. */
static enum sl_err read_limit(const struct json_file *sentence, const struct json_file *tokenizer,
                              struct sl_model_config *config, struct sl_error *err)
{
    const cJSON *longest = cJSON_GetObjectItemCaseSensitive(tokenizer->root, "model_max_length");
    const uint32_t most = config->position_count - config->position_first;

    config->sequence_max = most;
    if (cJSON_IsNumber(longest) && longest->valuedouble >= 3 && longest->valuedouble < most)
        config->sequence_max = (uint32_t)longest->valuedouble;
    if (sentence->root == NULL)
        return SL_OK;
    return read_number(sentence, "max_seq_length", 3, most, &config->sequence_max, err);
}

/* One name of a pooling: newer files have "pooling_mode": "cls", older ones a flag for each. */
static bool set_pooling(const char *name, struct sl_model_config *config)
{
    if (strcmp(name, "cls") == 0 || strcmp(name, "cls_token") == 0)
        config->pooling = SL_POOLING_FIRST;
    else if (strcmp(name, "mean") != 0 && strcmp(name, "mean_tokens") != 0)
        return false;
    return true;
}

static enum sl_err read_pooling(const struct json_file *file, struct sl_model_config *config,
                                struct sl_error *err)
{
    const cJSON *mode = cJSON_GetObjectItemCaseSensitive(file->root, "pooling_mode"), *item;
    uint32_t chosen = 0;

    config->pooling = SL_POOLING_MEAN;
    if (file->root == NULL)
        return SL_OK;
    if (cJSON_IsString(mode))
        chosen = set_pooling(mode->valuestring, config) ? 1 : 0;
    cJSON_ArrayForEach(item, file->root) if (mode == NULL && cJSON_IsTrue(item) &&
                                             strncmp(item->string, "pooling_mode_", 13) == 0)
        chosen += set_pooling(item->string + 13, config) ? 1 : 2;
    if (chosen != 1)
        return sl_stop(err, SL_EXIT_CONFIG, 0, "bad_model",
                       "%s: exactly one of pooling_mode_mean_tokens and pooling_mode_cls_token "
                       "must be true, or \"pooling_mode\" be mean or cls",
                       file->path);
    if (!read_bool(file, "include_prompt", true) &&
        (config->query_prefix[0] != '\0' || config->passage_prefix[0] != '\0'))
        return sl_stop(err, SL_EXIT_CONFIG, 0, "bad_model",
                       "%s: \"include_prompt\" must be true: prefixes are pooled with the text",
                       file->path);
    return SL_OK;
}

/* The prompt of the first of these names that the file has, or the one of default_prompt_name. */
static enum sl_err read_prompt(const struct json_file *file, const char *const *names,
                               char *ret_prefix, struct sl_error *err)
{
    const cJSON *prompts = cJSON_GetObjectItemCaseSensitive(file->root, "prompts"), *item = NULL;
    const cJSON *otherwise = cJSON_GetObjectItemCaseSensitive(file->root, "default_prompt_name");

    for (; *names != NULL && item == NULL; names++)
        item = cJSON_GetObjectItemCaseSensitive(prompts, *names);
    if (item == NULL && cJSON_IsString(otherwise))
        item = cJSON_GetObjectItemCaseSensitive(prompts, otherwise->valuestring);
    if (item == NULL || cJSON_IsNull(item))
        return SL_OK;
    if (!cJSON_IsString(item) || strlen(item->valuestring) > SL_PREFIX_BYTES_MAX)
        return sl_stop(err, SL_EXIT_CONFIG, 0, "bad_model",
                       "%s: \"prompts\" must hold strings of at most %u bytes", file->path,
                       SL_PREFIX_BYTES_MAX);
    memcpy(ret_prefix, item->valuestring, strlen(item->valuestring) + 1);
    return SL_OK;
}

static enum sl_err read_prompts(const struct json_file *file, struct sl_model_config *config,
                                struct sl_error *err)
{
    static const char *const query[] = {"query", NULL};
    static const char *const passage[] = {"document", "passage", "corpus", NULL};
    enum sl_err r = read_prompt(file, query, config->query_prefix, err);

    return r == SL_OK ? read_prompt(file, passage, config->passage_prefix, err) : r;
}

static enum sl_err check_modules(const struct json_file *file, struct sl_error *err)
{
    static const char *const known[] = {"Transformer", "Pooling", "Normalize"};
    const cJSON *module;

    cJSON_ArrayForEach(module, file->root)
    {
        const cJSON *type = cJSON_GetObjectItemCaseSensitive(module, "type");
        const char *name = cJSON_IsString(type) ? type->valuestring : "";
        bool found = false;

        if (strrchr(name, '.') != NULL)
            name = strrchr(name, '.') + 1;
        for (size_t i = 0; i < sizeof known / sizeof *known; i++)
            found = found || strcmp(name, known[i]) == 0;
        if (!found)
            return sl_stop(err, SL_EXIT_CONFIG, 0, "bad_model",
                           "%s: module type \"%.60s\"; allowed are Transformer, Pooling and "
                           "Normalize",
                           file->path, name);
    }
    return SL_OK;
}

static enum sl_choice read_choice(const struct json_file *file, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(file->root, name);

    if (!cJSON_IsBool(item))
        return SL_CHOICE_FILE;
    return cJSON_IsTrue(item) ? SL_CHOICE_YES : SL_CHOICE_NO;
}

/* sentence_bert_config.json can ask for lower case as well; accents do not go with that. */
static void read_casing(const struct json_file *sentence, const struct json_file *tokenizer,
                        struct sl_tokenizer_casing *casing)
{
    casing->lower_case = read_choice(tokenizer, "do_lower_case");
    casing->strip_accents = read_choice(tokenizer, "strip_accents");
    casing->split_chinese = read_choice(tokenizer, "tokenize_chinese_chars");
    if (casing->lower_case == SL_CHOICE_NO && casing->strip_accents == SL_CHOICE_FILE)
        casing->strip_accents = SL_CHOICE_NO;
    if (read_bool(sentence, "do_lower_case", false))
        casing->lower_case = SL_CHOICE_YES;
}

enum sl_err sl_model_config_read(const char *directory, struct sl_model_config *ret_config,
                                 struct sl_error *err)
{
    SL_CLEANUP(json_file_fini) struct json_file main = {.root = NULL};
    SL_CLEANUP(json_file_fini) struct json_file sentence = {.root = NULL};
    SL_CLEANUP(json_file_fini) struct json_file tokenizer = {.root = NULL};
    SL_CLEANUP(json_file_fini) struct json_file pooling = {.root = NULL};
    SL_CLEANUP(json_file_fini) struct json_file modules = {.root = NULL};
    SL_CLEANUP(json_file_fini) struct json_file prompts = {.root = NULL};
    const struct {
        const char *name;
        bool needed;
        struct json_file *file;
    } files[] = {{"config.json", true, &main},
                 {"sentence_bert_config.json", false, &sentence},
                 {"tokenizer_config.json", false, &tokenizer},
                 {"1_Pooling/config.json", false, &pooling},
                 {"modules.json", false, &modules},
                 {"config_sentence_transformers.json", false, &prompts}};
    struct sl_model_config config = {.type_count = 2};
    enum sl_err r = SL_OK;

    for (size_t i = 0; i < sizeof files / sizeof *files && r == SL_OK; i++)
        r = json_file_read(directory, files[i].name, files[i].needed, files[i].file, err);
    if (r == SL_OK)
        r = check_modules(&modules, err);
    if (r == SL_OK)
        r = read_shape(&main, &config, err);
    if (r == SL_OK)
        r = read_limit(&sentence, &tokenizer, &config, err);
    if (r == SL_OK)
        r = read_prompts(&prompts, &config, err);
    if (r == SL_OK)
        r = read_pooling(&pooling, &config, err);
    if (r != SL_OK)
        return r;
    read_casing(&sentence, &tokenizer, &config.casing);
    *ret_config = config;
    return SL_OK;
}
