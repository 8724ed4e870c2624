/*
 * gated.c -- the daemon with an encoder that can be stopped, slowed down and made to fail: for test_bounded.py.
 *
 * Linked with --wrap=sl_config_embedder, so that every other object is the one that is shipped. The encoder is
 * the tests' bag of words, and
 *
 *     is away while the file $SLUICE_TEST_GATE exists
 *     takes $SLUICE_TEST_TEXT_US microseconds a text
 *     cannot be opened when [embed] model is $SLUICE_TEST_GONE
 *     is another model when the last part of [embed] model is another
 *     fails for a while, each time, on a text with the word "unspeakable", and refuses "unmentionable"
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/config_pipeline.h"
#include "fake_embedder.h"

enum sl_err __wrap_sl_config_embedder(const struct sl_config *config,
                                      struct sl_embedder **ret_embedder, struct sl_error *err);

static struct sl_embedder *inner;

static uint32_t count_tokens(const struct sl_embedder *embedder, struct sl_view text)
{
    (void)embedder;
    return inner->ops->count_tokens(inner, text);
}

static double coverage(const struct sl_embedder *embedder, struct sl_view text)
{
    (void)embedder;
    return inner->ops->coverage(inner, text);
}

static bool says(struct sl_view text, const char *word)
{
    return memmem(text.data, text.size, word, strlen(word)) != NULL;
}

static enum sl_err encode(const struct sl_embedder *embedder, enum sl_embed_role role,
                          const struct sl_view *texts, uint32_t count, float *vectors,
                          struct sl_error *err)
{
    const char *gate = getenv("SLUICE_TEST_GATE"), *pace = getenv("SLUICE_TEST_TEXT_US");

    (void)embedder;
    if (gate && access(gate, F_OK) == 0)
        return sl_fail(err, SL_AGAIN, "embed_away", "the gate is shut");
    for (uint32_t i = 0; i < count; i++) {
        if (says(texts[i], "unspeakable"))
            return sl_fail(err, SL_AGAIN, "embed_away", "it cannot say that");
        if (says(texts[i], "unmentionable"))
            return sl_fail(err, SL_REJECT, "embed_rejected", "it will not say that");
        if (pace)
            usleep((useconds_t)atoi(pace));
    }
    return inner->ops->encode(inner, role, texts, count, vectors, err);
}

/* There may be several, of several generations of the index: all speak with one voice, which ends with the last. */
static uint32_t open_count;

static void close_gated(struct sl_embedder *embedder)
{
    if (--open_count == 0)
        inner = sl_embedder_close(inner);
    free(embedder);
}

enum sl_err __wrap_sl_config_embedder(const struct sl_config *config,
                                      struct sl_embedder **ret_embedder, struct sl_error *err)
{
    static const struct sl_embedder_ops ops = {
        .count_tokens = count_tokens, .coverage = coverage, .encode = encode, .close = close_gated};

    const char *gone = getenv("SLUICE_TEST_GONE");

    if (gone && strcmp(gone, config->embed.model) == 0)
        return sl_stop(err, SL_EXIT_CONFIG, 0, "bad_model", "%s: not there any more", gone);
    if (open_count++ == 0)
        inner = fake_embedder_open(64, 100000);
    *ret_embedder = malloc(sizeof(**ret_embedder));
    SL_INVARIANT(*ret_embedder != NULL);
    **ret_embedder = *inner;
    (*ret_embedder)->ops = &ops;
    snprintf((*ret_embedder)->fingerprint, sizeof((*ret_embedder)->fingerprint), "%.60s",
             strrchr(config->embed.model, '/') ? strrchr(config->embed.model, '/') : "/");
    return SL_OK;
}
