/*
 * embed_wire.c -- three ways to say the same.
 *
 * A response is not trusted: its values are counted before it is parsed, so that a parser's node
 * for each cannot take more memory than an honest response would. The strict check that documents
 * go through is not used: it allows fewer values than a batch has, and what it finds (a member
 * twice, say) does no harm here.
 *
 * Floats are asked for and not base64, which some compatible servers refuse; both are read.
 */
#include "embed_wire.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include <sluice/json.h>
#include <sluice/limits.h>

#include "http_client.h"

#define NUMBER_BYTES 32u /* of one number, as text, with its comma */
#define ITEM_BYTES   256u
#define FRAME_BYTES  (64u << 10)
#define ITEM_VALUES  8u
#define FRAME_VALUES 256u

static bool ends_with(const char *url, const char *end)
{
    size_t size = strcspn(url, "?#"), end_size = strlen(end);

    while (size > 0 && url[size - 1] == '/')
        size--;
    return size >= end_size && memcmp(url + size - end_size, end, end_size) == 0;
}

enum sl_embed_api sl_embed_api_of(const char *name, const char *url)
{
    if (strcmp(name, "openai") == 0)
        return SL_EMBED_API_OPENAI;
    if (strcmp(name, "ollama") == 0)
        return SL_EMBED_API_OLLAMA;
    if (strcmp(name, "tei") == 0)
        return SL_EMBED_API_TEI;
    SL_PRE(strcmp(name, "auto") == 0);
    if (ends_with(url, "/api/embed"))
        return SL_EMBED_API_OLLAMA;
    return ends_with(url, "/embed") ? SL_EMBED_API_TEI : SL_EMBED_API_OPENAI;
}

const char *sl_embed_api_name(enum sl_embed_api api)
{
    static const char *const names[] = {"openai", "ollama", "tei"};

    return names[api];
}

char *sl_embed_api_url(enum sl_embed_api api, const char *url, bool path_empty)
{
    static const struct {
        const char *from_root, *from_base;
    } paths[] = {
        {"/v1/embeddings", "/embeddings"}, {"/api/embed", "/api/embed"}, {"/embed", "/embed"}};

    return sl_http_whole_url(url, path_empty, paths[api].from_root, paths[api].from_base);
}

/* ------------------------------------------------------------------------------ the request */

static void add_text(struct sl_buffer *body, struct sl_view prefix, struct sl_view text)
{
    struct sl_buffer whole = {0};

    if (prefix.size == 0) {
        sl_json_string(body, text);
        return;
    }
    sl_buffer_view(&whole, prefix);
    sl_buffer_view(&whole, text);
    body->failed |= whole.failed;
    if (!whole.failed)
        sl_json_string(body, (struct sl_view){whole.data, whole.size});
    sl_buffer_fini(&whole);
}

void sl_embed_wire_write(const struct sl_embed_batch *batch, struct sl_buffer *body)
{
    bool tei = batch->api == SL_EMBED_API_TEI;

    sl_buffer_view(body, SL_VIEW("{"));
    if (!tei) {
        sl_json_name(body, "model");
        sl_json_string(body, sl_view_of(batch->model));
    }
    sl_json_name(body, tei ? "inputs" : "input");
    sl_buffer_view(body, SL_VIEW("["));
    for (uint32_t i = 0; i < batch->count; i++) {
        if (i > 0)
            sl_buffer_view(body, SL_VIEW(", "));
        add_text(body, batch->prefix, batch->texts[i]);
    }
    sl_buffer_view(body, SL_VIEW("]"));
    if (batch->dimensions > 0 && !tei) {
        sl_json_name(body, "dimensions");
        sl_json_number(body, batch->dimensions);
    }
    if (batch->api == SL_EMBED_API_OPENAI)
        sl_buffer_view(body, SL_VIEW(", \"encoding_format\": \"float\""));
    else /* longer ones are cut by the server: the estimate of their tokens may have been too low */
        sl_buffer_view(body, SL_VIEW(", \"truncate\": true"));
    sl_buffer_view(body, SL_VIEW("}"));
}

/* ------------------------------------------------------------------------------ the response */

size_t sl_embed_wire_bytes_max(uint32_t count, uint32_t dim)
{
    return FRAME_BYTES +
           (size_t)count * ((size_t)(dim ? dim : SL_DIM_MAX) * NUMBER_BYTES + ITEM_BYTES);
}

struct reader {
    uint32_t count, dim;
    float *vectors;
    struct sl_error *err;
};

static enum sl_err bad(struct reader *r, const char *what)
{
    return sl_fail(r->err, SL_REJECT, "bad_response", "embedding response: %s", what);
}

static bool too_many_values(struct sl_view body, uint32_t count, uint32_t dim)
{
    size_t most = FRAME_VALUES + (size_t)count * ((dim ? dim : SL_DIM_MAX) + ITEM_VALUES),
           found = 0;

    for (size_t i = 0; i < body.size; i++)
        found += body.data[i] == ',' || body.data[i] == '[' || body.data[i] == '{';
    return found > most;
}

/* To length 1. */
static enum sl_err scale(struct reader *r, float *vector)
{
    double norm = 0;

    for (uint32_t i = 0; i < r->dim; i++) {
        if (!isfinite(vector[i]))
            return bad(r, "a number is not finite");
        norm += (double)vector[i] * (double)vector[i];
    }
    if (norm <= 0 || !isfinite(norm))
        return bad(r, "a vector is zero, or too long for a length");
    norm = sqrt(norm);
    for (uint32_t i = 0; i < r->dim; i++)
        vector[i] = (float)((double)vector[i] / norm);
    return SL_OK;
}

static enum sl_err wrong_dim(struct reader *r, size_t found)
{
    return sl_fail(r->err, SL_REJECT, "bad_response",
                   "embedding response: a vector has %zu numbers, and the index's have %u", found,
                   r->dim);
}

/* Little-endian floats. */
static enum sl_err read_base64(struct reader *r, const char *text, float *vector)
{
    size_t size = strlen(text), bytes = (size_t)r->dim * sizeof(float);
    size_t padding = size > 1 && text[size - 1] == '=' ? 1 + (text[size - 2] == '=') : 0;
    unsigned char *decoded;

    if (size % 4 != 0 || size / 4 * 3 - padding != bytes)
        return wrong_dim(r, (size / 4 * 3 - (size >= 4 ? padding : 0)) / sizeof(float));
    decoded = malloc(size / 4 * 3 + 1);
    if (decoded == NULL || EVP_DecodeBlock(decoded, (const unsigned char *)text, (int)size) < 0) {
        free(decoded);
        return bad(r, "a vector is not base64");
    }
    for (uint32_t i = 0; i < r->dim; i++) {
        const unsigned char *b = decoded + 4 * (size_t)i;
        uint32_t bits =
            (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
        memcpy(&vector[i], &bits, sizeof bits);
    }
    free(decoded);
    return SL_OK;
}

static enum sl_err read_numbers(struct reader *r, const cJSON *array, float *vector)
{
    const cJSON *number;
    uint32_t i = 0;

    cJSON_ArrayForEach(number, array)
    {
        if (!cJSON_IsNumber(number))
            return bad(r, "a vector holds something that is no number");
        if (i < r->dim)
            vector[i] = (float)number->valuedouble;
        i++;
    }
    return i == r->dim ? SL_OK : wrong_dim(r, i);
}

static enum sl_err read_vector(struct reader *r, const cJSON *value, float *vector)
{
    enum sl_err e;

    if (cJSON_IsString(value))
        e = read_base64(r, value->valuestring, vector);
    else if (cJSON_IsArray(value))
        e = read_numbers(r, value, vector);
    else
        return bad(r, "an item has no vector");
    return e ? e : scale(r, vector);
}

/* Where an item belongs: OpenAI's say so, the others' come in order. */
static bool place_of(const cJSON *item, uint32_t position, uint32_t count, uint32_t *ret_place)
{
    const cJSON *index = cJSON_GetObjectItemCaseSensitive(item, "index");

    *ret_place = position;
    if (index == NULL)
        return true;
    if (!cJSON_IsNumber(index) || index->valuedouble < 0 || index->valuedouble >= count ||
        index->valuedouble > floor(index->valuedouble))
        return false;
    *ret_place = (uint32_t)index->valuedouble;
    return true;
}

static enum sl_err read_items(struct reader *r, const cJSON *items, bool objects)
{
    bool *seen = calloc(r->count, sizeof *seen);
    const cJSON *item;
    uint32_t position = 0, place = 0;
    enum sl_err e = seen != NULL ? SL_OK : bad(r, "no memory to read it");

    cJSON_ArrayForEach(item, items)
    {
        const cJSON *value = objects ? cJSON_GetObjectItemCaseSensitive(item, "embedding") : item;

        if (e || position == r->count)
            break;
        place = position;
        if (objects && !place_of(item, position, r->count, &place))
            e = bad(r, "an item's index is not that of a text");
        else if (seen[place])
            e = bad(r, "two items have the same index");
        else
            e = read_vector(r, value, r->vectors + (size_t)place * r->dim);
        seen[place] = true;
        position++;
    }
    free(seen);
    if (!e && (position != r->count || item != NULL))
        e = bad(r, "it has fewer or more vectors than there were texts");
    return e;
}

static uint64_t tokens_of(enum sl_embed_api api, const cJSON *root)
{
    const cJSON *tokens =
        api == SL_EMBED_API_OPENAI
            ? cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(root, "usage"),
                                               "prompt_tokens")
            : cJSON_GetObjectItemCaseSensitive(root, "prompt_eval_count");

    return cJSON_IsNumber(tokens) && tokens->valuedouble >= 1 && tokens->valuedouble < 1e9
               ? (uint64_t)tokens->valuedouble
               : 0;
}

static const cJSON *items_of(enum sl_embed_api api, const cJSON *root)
{
    if (api == SL_EMBED_API_TEI)
        return root;
    return cJSON_GetObjectItemCaseSensitive(root,
                                            api == SL_EMBED_API_OPENAI ? "data" : "embeddings");
}

/* The dimension of a lone vector; 0: there is none. */
static uint32_t dim_of(enum sl_embed_api api, const cJSON *items)
{
    const cJSON *value = cJSON_GetArrayItem(items, 0);
    size_t dim;

    if (api == SL_EMBED_API_OPENAI)
        value = cJSON_GetObjectItemCaseSensitive(value, "embedding");
    if (cJSON_IsString(value))
        dim = strlen(value->valuestring) * 3 / 4 / sizeof(float);
    else
        dim = cJSON_IsArray(value) ? (size_t)cJSON_GetArraySize(value) : 0;
    return dim <= SL_DIM_MAX ? (uint32_t)dim : 0;
}

static enum sl_err read_root(struct reader *r, enum sl_embed_api api, const cJSON *root,
                             uint32_t *ret_dim)
{
    const cJSON *items = items_of(api, root);

    if (!cJSON_IsArray(items))
        return bad(r, "it has no list of vectors");
    if (r->dim > 0)
        return read_items(r, items, api == SL_EMBED_API_OPENAI);
    *ret_dim = dim_of(api, items);
    return *ret_dim > 0 ? SL_OK : bad(r, "its vector is empty, or too long");
}

enum sl_err sl_embed_wire_read(enum sl_embed_api api, struct sl_view body, uint32_t count,
                               uint32_t dim, float *vectors, uint32_t *ret_dim,
                               uint64_t *ret_tokens, struct sl_error *err)
{
    struct reader reader = {count, dim, vectors, err};
    cJSON *root;
    enum sl_err e;

    SL_PRE(count > 0 && (dim > 0 || count == 1));
    *ret_tokens = 0;
    if (too_many_values(body, count, dim))
        return bad(&reader, "it has more values than the vectors would have");
    root = cJSON_ParseWithLength(body.data, body.size);
    if (root == NULL)
        return bad(&reader, "it is not JSON");
    e = read_root(&reader, api, root, ret_dim);
    if (!e)
        *ret_tokens = tokens_of(api, root);
    cJSON_Delete(root);
    return e;
}
