/*
 * kept_vectors.c -- the same questions asked with many settings are encoded once.
 *
 * Encoding takes ten times as long as searching, and its result does not depend on how is searched. Texts are found
 * by hash, in an open table that is made anew at twice the size when it is two thirds full.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/hash.h>

#include "kept_vectors.h"

#define SLOTS_FIRST 1024u

struct slot {
    uint8_t name[32]; /* SHA-256 of the text */
    float *vector;    /* [dim]; NULL: free */
};

struct ctl_kept_vectors {
    struct sl_embedder embedder; /* first: ops get a pointer to it */
    const struct sl_embedder *of;
    pthread_mutex_t mutex;
    struct slot *slots;
    uint32_t slot_count; /* a power of two */
    uint32_t used;
};

static struct slot *find(struct slot *slots, uint32_t count, const uint8_t *name)
{
    uint32_t at;

    memcpy(&at, name, sizeof at);
    for (at &= count - 1; slots[at].vector != NULL && memcmp(slots[at].name, name, 32) != 0;)
        at = (at + 1) & (count - 1);
    return &slots[at];
}

static bool grow(struct ctl_kept_vectors *kept)
{
    struct slot *slots = calloc((size_t)kept->slot_count * 2, sizeof *slots);

    if (slots == NULL)
        return false;
    for (uint32_t i = 0; i < kept->slot_count; i++)
        if (kept->slots[i].vector != NULL)
            *find(slots, kept->slot_count * 2, kept->slots[i].name) = kept->slots[i];
    free(kept->slots);
    kept->slots = slots;
    kept->slot_count *= 2;
    return true;
}

static bool look_up(struct ctl_kept_vectors *kept, const uint8_t *name, float *vector)
{
    const float *found;

    pthread_mutex_lock(&kept->mutex);
    found = find(kept->slots, kept->slot_count, name)->vector;
    if (found != NULL)
        memcpy(vector, found, kept->embedder.dim * sizeof(float));
    pthread_mutex_unlock(&kept->mutex);
    return found != NULL;
}

/* Without memory it is not kept, and encoded again. */
static void keep(struct ctl_kept_vectors *kept, const uint8_t *name, const float *vector)
{
    float *copy = malloc(kept->embedder.dim * sizeof(float));
    struct slot *slot;

    if (copy == NULL)
        return;
    memcpy(copy, vector, kept->embedder.dim * sizeof(float));
    pthread_mutex_lock(&kept->mutex);
    slot = find(kept->slots, kept->slot_count, name);
    if (slot->vector == NULL && (kept->used < kept->slot_count / 3 * 2 || grow(kept))) {
        slot = find(kept->slots, kept->slot_count, name);
        memcpy(slot->name, name, sizeof slot->name);
        slot->vector = copy;
        kept->used++;
        copy = NULL;
    }
    pthread_mutex_unlock(&kept->mutex);
    free(copy);
}

static struct ctl_kept_vectors *kept_of(const struct sl_embedder *embedder)
{
    return (struct ctl_kept_vectors *)(uintptr_t)embedder;
}

static uint32_t count_tokens(const struct sl_embedder *embedder, struct sl_view text)
{
    const struct sl_embedder *of = kept_of(embedder)->of;

    return of->ops->count_tokens(of, text);
}

static double coverage(const struct sl_embedder *embedder, struct sl_view text)
{
    const struct sl_embedder *of = kept_of(embedder)->of;

    return of->ops->coverage(of, text);
}

static enum sl_err encode(const struct sl_embedder *embedder, enum sl_embed_role role,
                          const struct sl_view *texts, uint32_t count, float *vectors,
                          struct sl_error *err)
{
    struct ctl_kept_vectors *kept = kept_of(embedder);
    uint8_t name[32];
    enum sl_err e;

    if (role != SL_EMBED_QUESTION || count != 1)
        return kept->of->ops->encode(kept->of, role, texts, count, vectors, err);
    sl_sha256(texts[0], name);
    if (look_up(kept, name, vectors))
        return SL_OK;
    e = kept->of->ops->encode(kept->of, role, texts, count, vectors, err);
    if (e == SL_OK)
        keep(kept, name, vectors);
    return e;
}

static void close_nothing(struct sl_embedder *embedder)
{
    (void)embedder;
}

static const struct sl_embedder_ops ops = {count_tokens, coverage, encode, close_nothing};

struct ctl_kept_vectors *ctl_kept_vectors_open(const struct sl_embedder *of)
{
    struct ctl_kept_vectors *kept = calloc(1, sizeof *kept);

    if (kept == NULL)
        return NULL;
    kept->embedder = *of;
    kept->embedder.ops = &ops;
    kept->of = of;
    kept->slot_count = SLOTS_FIRST;
    kept->slots = calloc(SLOTS_FIRST, sizeof *kept->slots);
    pthread_mutex_init(&kept->mutex, NULL);
    return kept->slots != NULL ? kept : ctl_kept_vectors_close(kept);
}

const struct sl_embedder *ctl_kept_vectors_embedder(const struct ctl_kept_vectors *kept)
{
    return kept != NULL ? &kept->embedder : NULL;
}

struct ctl_kept_vectors *ctl_kept_vectors_close(struct ctl_kept_vectors *kept)
{
    if (kept == NULL)
        return NULL;
    for (uint32_t i = 0; kept->slots != NULL && i < kept->slot_count; i++)
        free(kept->slots[i].vector);
    free(kept->slots);
    pthread_mutex_destroy(&kept->mutex);
    free(kept);
    return NULL;
}
