/*
 * reindex.c -- one pass over the old generation: what differs is made anew for the new one.
 *
 * Documents are taken in groups: cut, then the texts of all of them encoded in one go, then applied in one commit.
 * The snapshot of the old generation is held for one group and not for the pass, so that its pages can be used
 * again; the walk goes on by key. A vector is copied when the encoder is the same and the window's text is stored,
 * wherever it stood in the document.
 *
 * A text that the encoder refuses leaves out its document alone: the group is then encoded document by document.
 *
 * Rejected: copying unchanged chunks as rows (numbers, slots and terms are the other generation's; cutting is cheap
 * beside embedding), copying vectors that were rounded for storage into an index that keeps them in full.
 */
#include <sluice/reindex.h>

#include <stdlib.h>
#include <string.h>

#include <sluice/limits.h>

#define GROUP_DOCUMENTS 64u
#define GROUP_TEXTS     128u /* a group ends soon after it has so many */
#define STEP_DOCUMENTS  4u   /* taken at once: documents may be large */
#define ROOM_SPARE      (16u << 20)

/* One difference of the group. */
struct item {
    struct sl_difference difference;
    struct sl_arena *arena; /* of the document */
    struct sl_ingest *ingest;
    struct sl_error why; /* it is left out; reason "" : it is not */
};

struct group {
    const struct sl_reindex *reindex;
    struct sl_reindex_counts *counts;
    struct sl_snapshot *from, *to;
    struct sl_arena *arena; /* keys */
    struct sl_difference list[STEP_DOCUMENTS];
    struct item items[GROUP_DOCUMENTS];
    uint32_t count;
    uint32_t texts;
    bool copies_vectors;
    struct sl_error *err;
};

static enum sl_err no_memory(struct sl_error *err)
{
    return sl_stop(err, SL_EXIT_OS, 0, "memory", "reindex: out of memory");
}

/* What is stored is the vector itself, or will be rounded in the same way again. */
static bool copies_vectors(const struct group *group)
{
    struct sl_index_stats old, fresh;

    if (group->reindex->ingest.embedder == NULL ||
        !sl_ingest_same_embedder(sl_snapshot_fingerprint(group->from),
                                 sl_snapshot_fingerprint(group->to)) ||
        sl_snapshot_stats(group->from, &old, NULL) != SL_OK ||
        sl_snapshot_stats(group->to, &fresh, NULL) != SL_OK)
        return false;
    return old.dim == fresh.dim && (old.storage == fresh.storage ||
                                    (old.storage != SL_STORAGE_F16 && old.storage != SL_STORAGE_BF16));
}

/* ------------------------------------------------------------------------------ making */

static enum sl_err leave_out(struct group *group, struct item *item, const struct sl_error *why)
{
    item->why = *why;
    item->arena = sl_arena_close(item->arena);
    item->ingest = NULL;
    if (group->reindex->left_out != NULL)
        group->reindex->left_out(group->reindex->context, item->difference.topic,
                                 item->difference.key, why);
    return SL_OK;
}

static enum sl_err read_one(struct group *group, struct item *item)
{
    struct sl_error why = {0};
    enum sl_err rc;

    item->arena = sl_arena_open(SL_ARENA_BYTES_MAX);
    if (item->arena == NULL)
        return no_memory(group->err);
    rc = sl_ingest_stored(group->from, item->difference.doc, group->copies_vectors, group->to,
                          &group->reindex->ingest, item->arena, &item->ingest, &why);
    if (rc == SL_OK)
        group->texts += item->ingest->text_count;
    if (rc == SL_STOP)
        *group->err = why;
    return rc == SL_REJECT ? leave_out(group, item, &why) : rc;
}

static enum sl_err read_all(struct group *group, uint32_t listed)
{
    enum sl_err rc = SL_OK;

    for (uint32_t i = 0; i < listed && rc == SL_OK; i++) {
        struct item *item = &group->items[group->count++];
        *item = (struct item){.difference = group->list[i]};
        if (item->difference.kind == SL_DIFFERS_DOCUMENT)
            rc = read_one(group, item);
    }
    return rc;
}

/* ---------------------------------------------------------------------------- encoding */

/* Vectors of one document live in its arena. */
static enum sl_err make_room(struct group *group, struct item *item)
{
    size_t dim = group->reindex->ingest.embedder->dim;
    float *block = SL_NEW_ARRAY(item->arena, float, item->ingest->text_count *dim);

    if (block == NULL) {
        struct sl_error why;
        (void)sl_fail(&why, SL_REJECT, "too_large",
                      "its vectors need more memory than a document may take");
        return leave_out(group, item, &why);
    }
    for (uint32_t i = 0; i < item->ingest->text_count; i++)
        item->ingest->vectors[i] = block + i * dim;
    return SL_OK;
}

static bool has_texts(const struct item *item)
{
    return item->ingest != NULL && item->ingest->text_count > 0;
}

static enum sl_err encode_one(struct group *group, struct item *item)
{
    const struct sl_reindex *reindex = group->reindex;
    struct sl_error why = {0};
    enum sl_err rc;

    if (!has_texts(item))
        return SL_OK;
    rc = reindex->encode(reindex->context, item->ingest->texts, item->ingest->text_count,
                         item->ingest->vectors[0], &why);
    if (rc == SL_REJECT)
        return leave_out(group, item, &why);
    if (rc != SL_OK)
        *group->err = why;
    return rc;
}

static enum sl_err encode_singly(struct group *group)
{
    enum sl_err rc = SL_OK;

    for (uint32_t i = 0; i < group->count && rc == SL_OK; i++)
        rc = encode_one(group, &group->items[i]);
    return rc;
}

static enum sl_err encode_together(struct group *group, struct sl_view *texts, float *vectors)
{
    const struct sl_reindex *reindex = group->reindex;
    size_t dim = reindex->ingest.embedder->dim;
    uint32_t count = 0;
    enum sl_err rc;

    for (uint32_t i = 0; i < group->count; i++)
        for (uint32_t t = 0; has_texts(&group->items[i]) && t < group->items[i].ingest->text_count;
             t++)
            texts[count++] = group->items[i].ingest->texts[t];
    rc = reindex->encode(reindex->context, texts, count, vectors, group->err);
    count = 0;
    for (uint32_t i = 0; rc == SL_OK && i < group->count; i++)
        if (has_texts(&group->items[i])) {
            const struct sl_ingest *ingest = group->items[i].ingest;
            memcpy(ingest->vectors[0], vectors + count * dim,
                   ingest->text_count * dim * sizeof(float));
            count += ingest->text_count;
        }
    return rc;
}

static enum sl_err encode(struct group *group)
{
    struct sl_view *texts;
    float *vectors;
    enum sl_err rc = SL_OK;

    if (group->texts == 0)
        return SL_OK;
    texts = calloc(group->texts, sizeof *texts);
    vectors = calloc((size_t)group->texts * group->reindex->ingest.embedder->dim, sizeof *vectors);
    if (texts == NULL || vectors == NULL)
        rc = no_memory(group->err);
    for (uint32_t i = 0; i < group->count && rc == SL_OK; i++)
        if (has_texts(&group->items[i]))
            rc = make_room(group, &group->items[i]);
    if (rc == SL_OK)
        rc = encode_together(group, texts, vectors);
    if (rc == SL_REJECT)
        rc = encode_singly(group);
    free(texts);
    free(vectors);
    return rc;
}

/* ---------------------------------------------------------------------------- applying */

static enum sl_err prepare_one(struct group *group, struct item *item,
                               struct sl_prepared **ret_prepared)
{
    struct sl_error why = {0};
    enum sl_err rc = SL_OK;

    if (item->ingest == NULL)
        return SL_OK;
    rc = sl_ingest_finish(item->ingest, group->reindex->to, ret_prepared, &why);
    if (rc == SL_REJECT)
        return leave_out(group, item, &why);
    if (rc != SL_OK)
        *group->err = why;
    return rc;
}

/* What it was to be a copy of has gone in this very commit: it is cut and encoded after all. */
static enum sl_err prepare_again(struct group *group, struct item *item,
                                 struct sl_prepared **ret_prepared)
{
    struct sl_error why = {0};
    enum sl_err rc = sl_ingest_again(item->ingest, &group->reindex->ingest, &why);

    *ret_prepared = sl_prepared_free(*ret_prepared);
    if (rc == SL_REJECT)
        return leave_out(group, item, &why);
    if (rc != SL_OK)
        *group->err = why;
    if (rc == SL_OK && has_texts(item))
        rc = make_room(group, item);
    if (rc == SL_OK)
        rc = encode_one(group, item);
    return rc == SL_OK ? prepare_one(group, item, ret_prepared) : rc;
}

static enum sl_err carry_one(struct group *group, struct sl_batch *batch, struct item *item)
{
    struct sl_prepared *prepared = NULL;
    enum sl_err rc = prepare_one(group, item, &prepared);

    if (rc == SL_OK)
        rc = sl_batch_carry(batch, &item->difference, prepared, group->err);
    if (rc == SL_AGAIN && item->ingest != NULL && item->ingest->copy) {
        rc = prepare_again(group, item, &prepared);
        if (rc == SL_OK)
            rc = sl_batch_carry(batch, &item->difference, prepared, group->err);
    }
    if (rc != SL_OK)
        (void)sl_prepared_free(prepared);
    return rc;
}

static void count_one(struct sl_reindex_counts *counts, const struct item *item)
{
    if (item->ingest == NULL) {
        if (item->difference.kind == SL_DIFFERS_DOCUMENT)
            counts->left_out++;
        else
            counts->moved++;
        return;
    }
    counts->documents++;
    counts->texts += item->ingest->text_count;
    counts->kept += item->ingest->kept;
}

static enum sl_err apply(struct group *group)
{
    struct sl_batch *batch = NULL;
    enum sl_err rc = sl_batch_begin(group->reindex->to, &batch, group->err);

    if (rc != SL_OK)
        return rc;
    for (uint32_t i = 0; i < group->count && rc == SL_OK; i++)
        rc = carry_one(group, batch, &group->items[i]);
    if (rc != SL_OK) {
        (void)sl_batch_abort(batch);
        return rc;
    }
    rc = sl_batch_commit(batch, group->err);
    for (uint32_t i = 0; i < group->count && rc == SL_OK; i++)
        count_one(group->counts, &group->items[i]);
    return rc;
}

/* ------------------------------------------------------------------------------ passes */

static void group_end(struct group *group)
{
    for (uint32_t i = 0; i < group->count; i++)
        (void)sl_arena_close(group->items[i].arena);
    group->from = sl_snapshot_close(group->from);
    group->to = sl_snapshot_close(group->to);
    sl_arena_reset(group->arena);
    group->count = group->texts = 0;
}

/* The walk's next group: SL_OK with nothing in it when no key of this step differs. */
static enum sl_err group_begin(struct group *group, struct sl_sweep *walk)
{
    uint64_t keys = 0;
    enum sl_err rc = sl_snapshot_open(group->reindex->from, &group->from, group->err);

    if (rc == SL_OK)
        rc = sl_snapshot_open(group->reindex->to, &group->to, group->err);
    if (rc != SL_OK)
        return rc;
    group->copies_vectors = copies_vectors(group);
    while (rc == SL_OK && !walk->done && group->count < GROUP_DOCUMENTS &&
           group->texts < GROUP_TEXTS) {
        uint32_t listed = 0;
        rc = sl_generation_compare(group->from, group->to, walk, group->arena, STEP_DOCUMENTS,
                                   group->list, &listed, &keys, group->err);
        group->counts->keys += keys;
        if (rc == SL_OK)
            rc = read_all(group, listed);
        if (listed < STEP_DOCUMENTS) /* many keys were looked at: tell */
            break;
    }
    return rc;
}

/* SL_AGAIN window_gone cannot happen but by damage: `to` is written by this pass alone. */
static enum sl_err run_group(struct group *group, struct sl_sweep *walk, uint64_t *changed)
{
    enum sl_err rc = group_begin(group, walk);

    if (rc == SL_OK)
        rc = encode(group);
    group->to = sl_snapshot_close(group->to);
    if (rc == SL_OK && group->count > 0)
        rc = apply(group);
    *changed += group->count;
    group_end(group);
    return rc;
}

static enum sl_err count_keys(struct sl_index *index, uint64_t *ret_keys, struct sl_error *err)
{
    struct sl_snapshot *snapshot;
    struct sl_index_stats stats = {0};
    enum sl_err rc = sl_snapshot_open(index, &snapshot, err);

    if (rc != SL_OK)
        return rc;
    rc = sl_snapshot_stats(snapshot, &stats, err);
    *ret_keys = stats.documents + stats.tombstones;
    (void)sl_snapshot_close(snapshot);
    return rc;
}

enum sl_err sl_reindex_pass(const struct sl_reindex *reindex, struct sl_reindex_counts *counts,
                            uint64_t *ret_changed, struct sl_error *err)
{
    struct sl_sweep walk = {.done = false};
    struct group *group = calloc(1, sizeof *group);
    enum sl_err rc;

    *ret_changed = 0;
    if (group == NULL)
        return no_memory(err);
    group->reindex = reindex;
    group->counts = counts;
    group->err = err;
    group->arena = sl_arena_open(SL_ARENA_BYTES_MAX);
    counts->keys = 0;
    rc = group->arena == NULL ? no_memory(err) : count_keys(reindex->from, &counts->keys_total, err);
    while (rc == SL_OK && !walk.done) {
        rc = run_group(group, &walk, ret_changed);
        if (rc == SL_OK && !reindex->progress(reindex->context, counts))
            rc = sl_fail(err, SL_AGAIN, "cancelled", "the reindex was stopped; it goes on from there");
    }
    (void)sl_arena_close(group->arena);
    free(group);
    return rc;
}

enum sl_err sl_reindex_room(struct sl_index *from, uint64_t *ret_bytes, struct sl_error *err)
{
    struct sl_snapshot *snapshot;
    struct sl_index_stats stats;
    enum sl_err rc = sl_snapshot_open(from, &snapshot, err);

    if (rc != SL_OK)
        return rc;
    rc = sl_snapshot_stats(snapshot, &stats, err);
    if (rc == SL_OK)
        *ret_bytes = stats.used_bytes + stats.used_bytes / 8 + ROOM_SPARE;
    (void)sl_snapshot_close(snapshot);
    return rc;
}
