/*
 * tokenizer_json.c -- a tokenizer.json into the parts of a tokenizer.
 *
 * The file was written by somebody else: its size, depth (cJSON's limit), entries, ids and texts
 * are bounded before they are used, and what this program cannot do as the reference does is
 * refused by name. "truncation" and "padding" are leftovers of training and not looked at.
 */
#include "embed/tokenizer_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ADDED_MAX     100000u
#define CHARS_COUNTED 512u /* longer tokens count as that long in the median */
#define SPECIALS_MAX  16u

/* What one reading carries about. */
struct reader {
    const char *path;
    const cJSON *root;
    const struct sl_tokenizer_casing *casing;
    struct sl_tokenizer *tokenizer;
    struct sl_vocabulary vocabulary;
    uint32_t lengths[CHARS_COUNTED + 1]; /* tokens by characters */
    uint32_t length_count;
    struct sl_error *err;
};

#define REFUSE(reader, name, ...)                                                                  \
    sl_json_refuse(&(struct sl_json_place){(reader)->path, (name)}, (reader)->err, __VA_ARGS__)

static const cJSON *member(const cJSON *item, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(item, name);
}

static bool flag(const cJSON *item, const char *name)
{
    return cJSON_IsTrue(member(item, name));
}

/* An id, or SL_NO_TOKEN when it is none. */
static uint32_t id_of(const cJSON *item)
{
    if (!cJSON_IsNumber(item) || !(item->valuedouble >= 0) ||
        !(item->valuedouble < SL_TOKEN_ID_MAX) ||
        (double)(uint32_t)item->valuedouble != item->valuedouble)
        return SL_NO_TOKEN;
    return (uint32_t)item->valuedouble;
}

static void count_length(struct reader *reader, struct sl_view token)
{
    uint32_t chars = 0;

    for (size_t i = 0; i < token.size; i++)
        chars += ((unsigned char)token.data[i] & 0xC0) != 0x80;
    reader->lengths[chars < CHARS_COUNTED ? chars : CHARS_COUNTED]++;
    reader->length_count++;
}

static void set_median(struct reader *reader)
{
    const uint32_t count = reader->length_count;
    uint32_t seen = 0, low = 0, high = 0;

    for (uint32_t chars = 0; chars <= CHARS_COUNTED; chars++) {
        if (count > 0 && seen <= (count - 1) / 2)
            low = chars;
        if (count > 0 && seen <= count / 2)
            high = chars;
        seen += reader->lengths[chars];
    }
    reader->tokenizer->token_chars_median = (low + high) / 2;
}

/* ---- vocabularies ---- */

static enum sl_err add_entry(struct reader *reader, const char *text, uint32_t id)
{
    struct sl_vocabulary *vocabulary = &reader->vocabulary;
    size_t size = strlen(text);

    if (size > SL_TOKEN_BYTES_MAX)
        return REFUSE(reader, "model.vocab", "a token is longer than %u bytes", SL_TOKEN_BYTES_MAX);
    if (id == SL_NO_TOKEN)
        return REFUSE(reader, "model.vocab", "the id of \"%.40s\" must be a whole number below %u",
                      text, SL_TOKEN_ID_MAX);
    vocabulary->keys[vocabulary->count++] = (struct sl_trie_key){text, (uint32_t)size, id};
    if (id >= vocabulary->id_end)
        vocabulary->id_end = id + 1;
    count_length(reader, (struct sl_view){text, size});
    return SL_OK;
}

static enum sl_err new_vocabulary(struct reader *reader, const cJSON *list)
{
    int count = cJSON_GetArraySize(list);

    if (count <= 0 || (uint32_t)count > SL_TOKEN_ID_MAX)
        return REFUSE(reader, "model.vocab", "%d entries; allowed are 1 to %u", count,
                      SL_TOKEN_ID_MAX);
    reader->vocabulary.keys = calloc((size_t)count, sizeof *reader->vocabulary.keys);
    if (reader->vocabulary.keys == NULL)
        return REFUSE(reader, "model.vocab", "out of memory");
    return SL_OK;
}

/* {"token": id} */
static enum sl_err read_named_entries(struct reader *reader, const cJSON *vocab)
{
    const cJSON *entry;
    enum sl_err r;

    if (!cJSON_IsObject(vocab))
        return REFUSE(reader, "model.vocab", "must be an object of ids by token");
    r = new_vocabulary(reader, vocab);
    if (r != SL_OK)
        return r;
    cJSON_ArrayForEach(entry, vocab)
    {
        r = add_entry(reader, entry->string, id_of(entry));
        if (r != SL_OK)
            return r;
    }
    return SL_OK;
}

/* [["token", score]], ids in this order */
static enum sl_err read_scored_entries(struct reader *reader, const cJSON *vocab)
{
    const cJSON *entry;
    enum sl_err r;

    if (!cJSON_IsArray(vocab))
        return REFUSE(reader, "model.vocab", "must be a list of [token, score]");
    r = new_vocabulary(reader, vocab);
    if (r != SL_OK)
        return r;
    reader->vocabulary.scores =
        calloc((size_t)cJSON_GetArraySize(vocab), sizeof *reader->vocabulary.scores);
    if (reader->vocabulary.scores == NULL)
        return REFUSE(reader, "model.vocab", "out of memory");
    cJSON_ArrayForEach(entry, vocab)
    {
        const cJSON *token = cJSON_IsArray(entry) ? entry->child : NULL;
        const cJSON *score = token != NULL ? token->next : NULL;
        uint32_t id = reader->vocabulary.count;
        if (!cJSON_IsString(token) || !cJSON_IsNumber(score) || score->next != NULL)
            return REFUSE(reader, "model.vocab", "entry %u must be [token, score]", id);
        reader->vocabulary.scores[id] = score->valuedouble;
        r = add_entry(reader, token->valuestring, id);
        if (r != SL_OK)
            return r;
    }
    return SL_OK;
}

/* The id of a token that the model names, or SL_NO_TOKEN. */
static uint32_t find_entry(const struct reader *reader, const char *text)
{
    uint32_t id = SL_NO_TOKEN;

    for (uint32_t i = 0; i < reader->vocabulary.count; i++)
        if (strcmp(reader->vocabulary.keys[i].bytes, text) == 0)
            id = reader->vocabulary.keys[i].value;
    return id;
}

/* ---- models ---- */

static enum sl_err read_wordpiece(struct reader *reader, const cJSON *model)
{
    const cJSON *unknown = member(model, "unk_token");
    const cJSON *prefix = member(model, "continuing_subword_prefix");
    const cJSON *longest = member(model, "max_input_chars_per_word");
    enum sl_err r = read_named_entries(reader, member(model, "vocab"));

    if (r != SL_OK)
        return r;
    if (cJSON_IsString(unknown))
        reader->tokenizer->unknown_id = find_entry(reader, unknown->valuestring);
    if (reader->tokenizer->unknown_id == SL_NO_TOKEN)
        return REFUSE(reader, "model.unk_token", "must name a token of model.vocab");
    if (longest != NULL && !(cJSON_IsNumber(longest) && longest->valuedouble == 100))
        return REFUSE(reader, "model.max_input_chars_per_word", "must be 100");
    if (prefix != NULL && !cJSON_IsString(prefix))
        return REFUSE(reader, "model.continuing_subword_prefix", "must be a string");
    reader->tokenizer->wordpiece =
        sl_wordpiece_open(&reader->vocabulary, prefix != NULL ? prefix->valuestring : "##",
                          reader->tokenizer->unknown_id);
    return reader->tokenizer->wordpiece != NULL ? SL_OK : REFUSE(reader, "model", "out of memory");
}

static enum sl_err read_unigram(struct reader *reader, const cJSON *model)
{
    const struct sl_json_place place = {reader->path, "model.vocab"};
    enum sl_err r = read_scored_entries(reader, member(model, "vocab"));

    if (r != SL_OK)
        return r;
    reader->tokenizer->unknown_id = id_of(member(model, "unk_id"));
    if (reader->tokenizer->unknown_id >= reader->vocabulary.count)
        return REFUSE(reader, "model.unk_id", "must be the index of an entry of model.vocab");
    return sl_unigram_open(&reader->vocabulary, reader->tokenizer->unknown_id,
                           flag(model, "byte_fallback"), &place, &reader->tokenizer->unigram,
                           reader->err);
}

static bool is_absent(const cJSON *item)
{
    return item == NULL || cJSON_IsNull(item) ||
           (cJSON_IsString(item) && item->valuestring[0] == '\0') ||
           (cJSON_IsNumber(item) && item->valuedouble == 0);
}

static enum sl_err read_bpe(struct reader *reader, const cJSON *model)
{
    static const char *const unsupported[] = {"dropout", "continuing_subword_prefix",
                                              "end_of_word_suffix"};
    const struct sl_json_place place = {reader->path, "model.merges"};
    const cJSON *unknown = member(model, "unk_token");
    enum sl_err r = read_named_entries(reader, member(model, "vocab"));

    if (r != SL_OK)
        return r;
    for (size_t i = 0; i < sizeof unsupported / sizeof *unsupported; i++)
        if (!is_absent(member(model, unsupported[i])))
            return REFUSE(reader, "model", "\"%s\" must be absent or null", unsupported[i]);
    if (cJSON_IsString(unknown))
        reader->tokenizer->unknown_id = find_entry(reader, unknown->valuestring);
    return sl_bpe_open(&reader->vocabulary, reader->tokenizer->unknown_id, model, &place,
                       &reader->tokenizer->bpe, reader->err);
}

/* Older files do not name the type: each kind has members of its own. */
static const char *model_type(const cJSON *model)
{
    const cJSON *type = member(model, "type");

    if (type != NULL)
        return cJSON_IsString(type) ? type->valuestring : "";
    if (member(model, "unk_id") != NULL)
        return "Unigram";
    return member(model, "merges") != NULL ? "BPE" : "WordPiece";
}

static enum sl_err read_model(struct reader *reader)
{
    const cJSON *model = member(reader->root, "model");
    const char *type = model_type(model);
    enum sl_err r;

    if (!cJSON_IsObject(model))
        return REFUSE(reader, "model", "must be an object");
    if (strcmp(type, "WordPiece") == 0)
        r = read_wordpiece(reader, model);
    else if (strcmp(type, "Unigram") == 0)
        r = read_unigram(reader, model);
    else if (strcmp(type, "BPE") == 0)
        r = read_bpe(reader, model);
    else
        return REFUSE(reader, "model.type", "\"%.40s\"; allowed are WordPiece, Unigram and BPE",
                      type);
    reader->tokenizer->id_end = reader->vocabulary.id_end;
    return r;
}

/* ---- added tokens ---- */

static enum sl_err read_added_token(struct reader *reader, const cJSON *item,
                                    struct sl_added_source *source)
{
    const cJSON *content = member(item, "content");
    uint32_t id = id_of(member(item, "id"));

    if (!cJSON_IsString(content) || strlen(content->valuestring) > SL_TOKEN_BYTES_MAX ||
        id == SL_NO_TOKEN)
        return REFUSE(reader, "added_tokens",
                      "each needs \"content\", at most %u bytes, and an \"id\" below %u",
                      SL_TOKEN_BYTES_MAX, SL_TOKEN_ID_MAX);
    source->content = sl_view_of(content->valuestring);
    source->token = (struct sl_added_token){id, flag(item, "single_word"), flag(item, "lstrip"),
                                            flag(item, "rstrip")};
    if (id >= reader->vocabulary.id_end) /* the others have been counted */
        count_length(reader, source->content);
    if (id >= reader->tokenizer->id_end)
        reader->tokenizer->id_end = id + 1;
    return SL_OK;
}

/* The content as the normalizer leaves it, in memory that *ret_copy owns. */
static bool normalize_content(struct reader *reader, struct sl_added_source *source,
                              char **ret_copy)
{
    struct sl_scratch *scratch = sl_scratch_take(reader->tokenizer);
    struct sl_stretch stretch = {.first = true};
    struct sl_work_text *text =
        sl_normalizer_run(reader->tokenizer->normalizer, source->content, &stretch, scratch);

    *ret_copy = text->overflow ? NULL : malloc(text->size + (size_t)1);
    if (*ret_copy != NULL) {
        memcpy(*ret_copy, text->bytes, text->size);
        source->content = (struct sl_view){*ret_copy, text->size};
    }
    sl_scratch_give(reader->tokenizer, scratch);
    return *ret_copy != NULL;
}

/* Those that are cut out of the raw text, or those of the normalized one. */
static enum sl_err read_added_kind(struct reader *reader, const cJSON *list, bool normalized,
                                   struct sl_added *added)
{
    int most = cJSON_GetArraySize(list);
    struct sl_added_source *sources = calloc((size_t)most + 1, sizeof *sources);
    char **copies = calloc((size_t)most + 1, sizeof *copies);
    enum sl_err r =
        sources != NULL && copies != NULL ? SL_OK : REFUSE(reader, "added_tokens", "out of memory");
    uint32_t count = 0;
    const cJSON *item;

    for (item = list != NULL ? list->child : NULL; item != NULL && r == SL_OK; item = item->next) {
        if (flag(item, "normalized") != normalized)
            continue;
        r = read_added_token(reader, item, &sources[count]);
        if (r == SL_OK && normalized && !normalize_content(reader, &sources[count], &copies[count]))
            r = REFUSE(reader, "added_tokens", "out of memory");
        count += r == SL_OK && sources[count].content.size > 0;
    }
    if (r == SL_OK && !sl_added_init(added, sources, count))
        r = REFUSE(reader, "added_tokens", "out of memory");
    for (int i = 0; copies != NULL && i <= most; i++)
        free(copies[i]);
    free(copies);
    free(sources);
    return r;
}

static enum sl_err read_added(struct reader *reader)
{
    const cJSON *list = member(reader->root, "added_tokens");
    enum sl_err r;

    if (list != NULL && (!cJSON_IsArray(list) || cJSON_GetArraySize(list) > (int)ADDED_MAX))
        return REFUSE(reader, "added_tokens", "must be a list of at most %u tokens", ADDED_MAX);
    r = read_added_kind(reader, list, false, &reader->tokenizer->added);
    if (r == SL_OK)
        r = read_added_kind(reader, list, true, &reader->tokenizer->added_normalized);
    return r;
}

/* ---- the tokens around a text ---- */

/* Ids before and behind the text; SPECIALS_MAX + 1 of either: too many. */
struct frame {
    uint32_t before[SPECIALS_MAX], before_count;
    uint32_t after[SPECIALS_MAX], after_count;
};

static void frame_put(struct frame *frame, bool behind, uint32_t id)
{
    uint32_t *count = behind ? &frame->after_count : &frame->before_count;

    if (*count < SPECIALS_MAX)
        (behind ? frame->after : frame->before)[(*count)++] = id;
}

static enum sl_err read_template(struct reader *reader, const cJSON *item, struct frame *frame)
{
    const cJSON *specials = member(item, "special_tokens"), *part, *id;
    bool behind = false;

    cJSON_ArrayForEach(part, member(item, "single"))
    {
        const cJSON *name = member(member(part, "SpecialToken"), "id");
        const cJSON *ids =
            cJSON_IsString(name) ? member(member(specials, name->valuestring), "ids") : NULL;
        if (member(part, "Sequence") != NULL) {
            behind = true;
            continue;
        }
        if (!cJSON_IsArray(ids))
            return REFUSE(reader, "post_processor.single",
                          "each part must be a Sequence, or a SpecialToken of \"special_tokens\"");
        cJSON_ArrayForEach(id, ids)
        {
            if (id_of(id) == SL_NO_TOKEN)
                return REFUSE(reader, "post_processor.special_tokens",
                              "ids must be whole numbers below %u", SL_TOKEN_ID_MAX);
            frame_put(frame, behind, id_of(id));
        }
    }
    return SL_OK;
}

/* "cls": ["[CLS]", 101], "sep": ["[SEP]", 102] */
static enum sl_err read_pair(struct reader *reader, const cJSON *item, struct frame *frame)
{
    uint32_t first = id_of(cJSON_GetArrayItem(member(item, "cls"), 1));
    uint32_t last = id_of(cJSON_GetArrayItem(member(item, "sep"), 1));

    if (first == SL_NO_TOKEN || last == SL_NO_TOKEN)
        return REFUSE(reader, "post_processor", "\"cls\" and \"sep\" must be [token, id]");
    frame_put(frame, false, first);
    frame_put(frame, true, last);
    return SL_OK;
}

static enum sl_err read_processor(struct reader *reader, const cJSON *item, uint32_t depth,
                                  struct frame *frame)
{
    const cJSON *type = member(item, "type"), *one;
    const char *name = cJSON_IsString(type) ? type->valuestring : "";
    enum sl_err r = SL_OK;

    if (item == NULL || cJSON_IsNull(item) || strcmp(name, "ByteLevel") == 0)
        return SL_OK;
    if (strcmp(name, "TemplateProcessing") == 0)
        return read_template(reader, item, frame);
    if (strcmp(name, "BertProcessing") == 0 || strcmp(name, "RobertaProcessing") == 0)
        return read_pair(reader, item, frame);
    if (strcmp(name, "Sequence") != 0 || depth > 4)
        return REFUSE(reader, "post_processor",
                      "type \"%.40s\"; allowed are TemplateProcessing, BertProcessing, "
                      "RobertaProcessing, ByteLevel and Sequence",
                      name);
    cJSON_ArrayForEach(one, member(item, "processors"))
    {
        r = read_processor(reader, one, depth + 1, frame);
        if (r != SL_OK)
            return r;
    }
    return SL_OK;
}

static enum sl_err read_frame(struct reader *reader)
{
    struct frame frame = {.before_count = 0};
    enum sl_err r = read_processor(reader, member(reader->root, "post_processor"), 0, &frame);

    if (r != SL_OK || frame.before_count != 1 || frame.after_count != 1)
        return r;
    reader->tokenizer->first_id = frame.before[0];
    reader->tokenizer->last_id = frame.after[0];
    if (frame.before[0] >= reader->tokenizer->id_end || frame.after[0] >= reader->tokenizer->id_end)
        return REFUSE(reader, "post_processor", "its tokens must be in the vocabulary");
    return SL_OK;
}

/* ---- the file ---- */

/* BERT's own way in one pass, when nothing in the file asks for more. */
static void choose_way(struct sl_tokenizer *tokenizer)
{
    bool plain = tokenizer->wordpiece != NULL && tokenizer->added_normalized.count == 0 &&
                 sl_splitter_is_bert(tokenizer->splitter) &&
                 sl_normalizer_is_bert(tokenizer->normalizer, &tokenizer->bert);

    for (uint32_t i = 0; i < tokenizer->added.count; i++)
        plain = plain && !tokenizer->added.tokens[i].single_word;
    tokenizer->one_pass = plain;
}

static enum sl_err read_parts(struct reader *reader)
{
    const struct sl_json_place normalizer = {reader->path, "normalizer"};
    const struct sl_json_place splitter = {reader->path, "pre_tokenizer"};
    struct sl_tokenizer *tokenizer = reader->tokenizer;
    enum sl_err r;

    if (!cJSON_IsObject(reader->root))
        return REFUSE(reader, "", "must be one JSON object");
    r = sl_normalizer_read(member(reader->root, "normalizer"), &normalizer, &tokenizer->normalizer,
                           reader->err);
    if (r == SL_OK)
        r = sl_splitter_read(member(reader->root, "pre_tokenizer"), &splitter, &tokenizer->splitter,
                             reader->err);
    if (r != SL_OK)
        return r;
    sl_normalizer_set_casing(tokenizer->normalizer, reader->casing);
    r = read_model(reader);
    if (r == SL_OK)
        r = read_added(reader);
    if (r == SL_OK)
        r = read_frame(reader);
    if (r != SL_OK)
        return r;
    set_median(reader);
    choose_way(tokenizer);
    return SL_OK;
}

enum sl_err sl_tokenizer_json_read(const char *path, const char *text, size_t size,
                                   const struct sl_tokenizer_casing *casing,
                                   struct sl_tokenizer *tokenizer, struct sl_error *err)
{
    struct reader reader = {.path = path, .casing = casing, .tokenizer = tokenizer, .err = err};
    cJSON *root = cJSON_ParseWithLength(text, size);
    enum sl_err r;

    if (root == NULL)
        return sl_stop(err, SL_EXIT_CONFIG, 0, "bad_model", "%s: not valid JSON", path);
    reader.root = root;
    r = read_parts(&reader);
    sl_vocabulary_fini(&reader.vocabulary);
    cJSON_Delete(root);
    return r;
}
