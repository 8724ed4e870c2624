/* fake_embedder.c -- hashed bag of words in place of a model. */
#include "fake_embedder.h"

#include <ctype.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <sluice/hash.h>
#include <sluice/limits.h>

struct fake {
    struct sl_embedder base; /* first: a struct sl_embedder * is a struct fake * */
    atomic_uint_fast64_t encoded;
    atomic_uint failures_left;
    atomic_int failure;
};

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_word_byte(char c)
{
    return (unsigned char)c >= 0x80 || isalnum((unsigned char)c);
}

static uint32_t count_tokens(const struct sl_embedder *embedder, struct sl_view text)
{
    uint32_t count = 0;

    (void)embedder;
    for (size_t i = 0; i < text.size; i++)
        if (!is_space(text.data[i]) && (i == 0 || is_space(text.data[i - 1])))
            count++;
    return count;
}

static double coverage(const struct sl_embedder *embedder, struct sl_view text)
{
    size_t known = 0, unknown = 0;

    (void)embedder;
    for (size_t i = 0; i < text.size; i++) {
        if (isalpha((unsigned char)text.data[i]))
            known++;
        else if ((unsigned char)text.data[i] >= 0xC0)
            unknown++;
    }
    return known + unknown == 0 ? 1.0 : (double)known / (double)(known + unknown);
}

/* The end of the token_limit-th white-space word. */
static size_t cut_at_limit(struct sl_view text, uint32_t token_limit)
{
    uint32_t seen = 0;

    for (size_t i = 0; i < text.size; i++)
        if (!is_space(text.data[i]) && (i == 0 || is_space(text.data[i - 1])) &&
            ++seen > token_limit)
            return i;
    return text.size;
}

static void add_word(float *vector, uint32_t dim, const char *word, size_t size)
{
    uint64_t z = 0xCBF29CE484222325u;

    for (size_t i = 0; i < size; i++)
        z = (z ^ (unsigned char)tolower((unsigned char)word[i])) * 0x100000001B3u;
    for (uint32_t d = 0; d < dim; d++) { /* splitmix64 */
        uint64_t x = (z += 0x9E3779B97F4A7C15u);
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
        x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
        x ^= x >> 31;
        vector[d] += (float)((double)(x >> 11) * 0x1p-52 - 1.0);
    }
}

static void encode_one(float *vector, uint32_t dim, struct sl_view text)
{
    double norm = 0;
    size_t start = 0, words = 0;

    memset(vector, 0, dim * sizeof *vector);
    for (size_t i = 0; i <= text.size; i++) {
        if (i < text.size && is_word_byte(text.data[i]))
            continue;
        if (i > start) {
            add_word(vector, dim, text.data + start, i - start);
            words++;
        }
        start = i + 1;
    }
    if (words == 0)
        add_word(vector, dim, "", 0);
    for (uint32_t d = 0; d < dim; d++)
        norm += (double)vector[d] * (double)vector[d];
    norm = sqrt(norm);
    for (uint32_t d = 0; d < dim; d++)
        vector[d] = (float)((double)vector[d] / norm);
}

static enum sl_err encode(const struct sl_embedder *embedder, enum sl_embed_role role,
                          const struct sl_view *texts, uint32_t count, float *vectors,
                          struct sl_error *err)
{
    struct fake *fake = (struct fake *)(uintptr_t)embedder;
    unsigned left = atomic_load(&fake->failures_left);

    (void)role;
    while (left > 0 && !atomic_compare_exchange_weak(&fake->failures_left, &left, left - 1))
        ;
    if (left > 0)
        return sl_fail(err, (enum sl_err)atomic_load(&fake->failure), "embed_failed",
                       "the test asked for this failure");
    for (uint32_t i = 0; i < count; i++) {
        struct sl_view text = texts[i];
        text.size = cut_at_limit(text, embedder->token_limit);
        encode_one(vectors + (size_t)i * embedder->dim, embedder->dim, text);
    }
    atomic_fetch_add(&fake->encoded, count);
    return SL_OK;
}

static void close_fake(struct sl_embedder *embedder)
{
    free(embedder);
}

struct sl_embedder *fake_embedder_open(uint32_t dim, uint32_t token_limit)
{
    static const struct sl_embedder_ops ops = {
        .count_tokens = count_tokens, .coverage = coverage, .encode = encode, .close = close_fake};
    struct fake *fake = calloc(1, sizeof *fake);
    uint8_t digest[32];

    SL_PRE(dim >= 1 && dim <= SL_DIM_MAX);
    SL_INVARIANT(fake != NULL);
    fake->base = (struct sl_embedder){.ops = &ops, .dim = dim, .token_limit = token_limit};
    (void)snprintf(fake->base.name, sizeof fake->base.name, "fake-%u", dim);
    sl_sha256(sl_view_of(fake->base.name), digest);
    sl_hex(digest, sizeof digest, fake->base.fingerprint);
    return &fake->base;
}

uint64_t fake_embedder_encoded(const struct sl_embedder *embedder)
{
    return atomic_load(&((struct fake *)(uintptr_t)embedder)->encoded);
}

void fake_embedder_fail(struct sl_embedder *embedder, uint32_t count, enum sl_err code)
{
    struct fake *fake = (struct fake *)(void *)embedder;

    SL_PRE(code != SL_OK);
    atomic_store(&fake->failure, (int)code);
    atomic_store(&fake->failures_left, count);
}
