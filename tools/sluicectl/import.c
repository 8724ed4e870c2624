/*
 * import.c -- one round of documents on its way into the index.
 *
 * A round of some hundred documents goes through four steps, each on all cores, with a barrier
 * between them: read (decode, chunk, cut windows), embed, prepare, and then, on one thread and in
 * the order given, apply and commit. Barriers leave cores idle for a moment at the end of a step; a
 * pipeline of queues as in the daemon would not, but order of equal keys, errors and memory would
 * each need a mechanism where here they need none.
 *
 * Texts of the whole round are sorted by length before they are cut into batches: the encoder pays
 * for the longest text of a batch with every other in it.
 */
#include <stdlib.h>
#include <string.h>

#include "import.h"

#define BATCH_TEXTS_MAX 64u

struct slot {
    struct ctl_item item;
    struct sl_header header;
    struct sl_message message;
    struct sl_arena *arena; /* kept from round to round */
    struct sl_ingest *ingest;
    struct sl_prepared *prepared;
    enum sl_err result;
    struct sl_error err;
};

struct text {
    struct slot *slot;
    uint32_t ordinal; /* in slot->ingest->texts */
};

struct import_round {
    const struct ctl_opened *opened;
    struct sl_view topic;
    uint32_t thread_count;
    uint32_t batch_texts;
    struct slot slots[IMPORT_ROUND_ITEMS];
    uint32_t count;
    size_t bytes;
    struct text *texts; /* [text_count], longest first */
    uint32_t text_count;
    float *vectors; /* [text_count][dim] */
};

struct import_round *import_round_open(const struct ctl_opened *opened, const char *topic,
                                       uint32_t thread_count, uint32_t batch_texts)
{
    struct import_round *round = calloc(1, sizeof(*round));

    if (round != NULL) {
        round->opened = opened;
        round->topic = sl_view_of(topic);
        round->thread_count = thread_count;
        round->batch_texts =
            batch_texts > 0 && batch_texts < BATCH_TEXTS_MAX ? batch_texts : BATCH_TEXTS_MAX;
    }
    return round;
}

static void slot_clear(struct slot *slot)
{
    slot->prepared = sl_prepared_free(slot->prepared);
    slot->ingest = NULL;
    ctl_item_fini(&slot->item);
    if (slot->arena != NULL)
        sl_arena_reset(slot->arena);
}

static void round_clear(struct import_round *round)
{
    for (uint32_t i = 0; i < round->count; i++)
        slot_clear(&round->slots[i]);
    free(round->texts);
    free(round->vectors);
    round->texts = NULL;
    round->vectors = NULL;
    round->text_count = 0;
    round->count = 0;
    round->bytes = 0;
}

struct import_round *import_round_close(struct import_round *round)
{
    if (round != NULL) {
        round_clear(round);
        for (uint32_t i = 0; i < IMPORT_ROUND_ITEMS; i++)
            sl_arena_close(round->slots[i].arena);
        free(round);
    }
    return NULL;
}

static struct sl_view buffer_view(const struct sl_buffer *buffer)
{
    return (struct sl_view){buffer->data != NULL ? buffer->data : "", buffer->size};
}

bool import_round_take(struct import_round *round, struct ctl_item *item)
{
    struct slot *slot = &round->slots[round->count];

    if (round->count == IMPORT_ROUND_ITEMS ||
        (round->count > 0 && round->bytes > IMPORT_ROUND_BYTES))
        return false;
    for (uint32_t i = 0; i < round->count; i++) {
        if (sl_view_equal(round->slots[i].message.key, buffer_view(&item->key)))
            return false;
    }
    slot->item = *item;
    slot->result = SL_OK;
    slot->header = (struct sl_header){SL_VIEW("content-type"), sl_view_of(item->content_type)};
    slot->message = (struct sl_message){
        .topic = round->topic,
        .offset = -1,
        .timestamp_ms = -1,
        .key = buffer_view(&slot->item.key),
        .value = item->is_delete ? SL_VIEW_NULL : buffer_view(&slot->item.value),
        .headers = &slot->header,
        .header_count = item->content_type != NULL ? 1 : 0,
    };
    round->bytes += item->value.size;
    round->count++;
    return true;
}

static void read_slot(void *context, uint32_t thread, uint32_t i)
{
    struct import_round *round = context;
    struct slot *slot = &round->slots[i];

    (void)thread;
    if (slot->arena == NULL)
        slot->arena = sl_arena_open(SL_ARENA_BYTES_MAX);
    if (slot->arena == NULL)
        slot->result = sl_stop(&slot->err, SL_EXIT_OS, 0, "memory", "no memory for a document");
    else
        slot->result = sl_ingest_read(&slot->message, &round->opened->ingest, round->opened->index,
                                      slot->arena, &slot->ingest, &slot->err);
}

static size_t text_bytes(const struct text *text)
{
    return text->slot->ingest->texts[text->ordinal].size;
}

static int longest_first(const void *a, const void *b)
{
    size_t x = text_bytes(a);
    size_t y = text_bytes(b);

    return x < y ? 1 : x > y ? -1 : 0;
}

/* List the texts of all documents that were read, and make room for their vectors. */
static enum sl_err list_texts(struct import_round *round, struct sl_error *err)
{
    uint32_t dim = round->opened->embedder != NULL ? round->opened->embedder->dim : 0;
    uint32_t count = 0;

    for (uint32_t i = 0; i < round->count; i++) {
        if (round->slots[i].result == SL_OK)
            count += round->slots[i].ingest->text_count;
    }
    if (count == 0)
        return SL_OK;
    round->texts = malloc(sizeof(*round->texts) * count);
    round->vectors = malloc(sizeof(float) * count * dim);
    if (round->texts == NULL || round->vectors == NULL)
        return sl_stop(err, SL_EXIT_OS, 0, "memory", "no memory for %u vectors", count);
    for (uint32_t i = 0; i < round->count; i++) {
        struct slot *slot = &round->slots[i];

        for (uint32_t t = 0; slot->result == SL_OK && t < slot->ingest->text_count; t++)
            round->texts[round->text_count++] = (struct text){slot, t};
    }
    qsort(round->texts, round->text_count, sizeof(*round->texts), longest_first);
    for (uint32_t i = 0; i < round->text_count; i++)
        round->texts[i].slot->ingest->vectors[round->texts[i].ordinal] =
            round->vectors + (size_t)i * dim;
    return SL_OK;
}

/* Encode texts [first, first + count). A text that can never work takes its document out, not its
 * batch. */
static void encode_texts(struct import_round *round, uint32_t first, uint32_t count)
{
    const struct sl_embedder *embedder = round->opened->embedder;
    struct sl_view views[BATCH_TEXTS_MAX] = {0};
    struct sl_error err = {0};
    enum sl_err result;

    for (uint32_t i = 0; i < count; i++) {
        const struct text *text = &round->texts[first + i];

        views[i] = text->slot->ingest->texts[text->ordinal];
    }
    result = embedder->ops->encode(embedder, SL_EMBED_PASSAGE, views, count,
                                   round->vectors + (size_t)first * embedder->dim, &err);
    if (result == SL_REJECT && count > 1) {
        for (uint32_t i = 0; i < count; i++)
            encode_texts(round, first + i, 1);
        return;
    }
    for (uint32_t i = 0; result != SL_OK && i < count; i++) {
        struct slot *slot = round->texts[first + i].slot;
        enum sl_err none = SL_OK;

        /* Texts of one document may fail on several threads: the first one speaks. */
        if (__atomic_compare_exchange_n(&slot->result, &none, result, false, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED))
            slot->err = err;
    }
}

static void encode_batch(void *context, uint32_t thread, uint32_t i)
{
    struct import_round *round = context;
    uint32_t first = i * round->batch_texts;
    uint32_t left = round->text_count - first;

    (void)thread;
    encode_texts(round, first, left < round->batch_texts ? left : round->batch_texts);
}

static void prepare_slot(void *context, uint32_t thread, uint32_t i)
{
    struct import_round *round = context;
    struct slot *slot = &round->slots[i];

    (void)thread;
    if (slot->result == SL_OK && slot->ingest->decoded == SL_DECODED_DOCUMENT)
        slot->result =
            sl_ingest_finish(slot->ingest, round->opened->index, &slot->prepared, &slot->err);
}

static void count_applied(struct import_counts *counts, enum sl_applied applied,
                          uint32_t chunk_count)
{
    switch (applied) {
    case SL_APPLIED_INSERTED:
        counts->inserted++;
        break;
    case SL_APPLIED_REPLACED:
        counts->replaced++;
        break;
    case SL_APPLIED_COPIED:
        counts->copied++;
        break;
    case SL_APPLIED_UNCHANGED:
        counts->unchanged++;
        break;
    case SL_APPLIED_DELETED:
        counts->deleted++;
        break;
    case SL_APPLIED_ABSENT:
        counts->absent++;
        break;
    case SL_APPLIED_STALE:
        counts->stale++;
        break;
    }
    if (applied == SL_APPLIED_INSERTED || applied == SL_APPLIED_REPLACED)
        counts->chunks += chunk_count;
}

/* What it was to be a copy of went earlier in the round: it is made a document of its own, here and now. */
static enum sl_err prepare_again(struct import_round *round, struct slot *slot,
                                 struct import_counts *counts, struct sl_error *err)
{
    const struct sl_embedder *embedder = round->opened->embedder;
    struct sl_ingest *ingest = slot->ingest;
    enum sl_err result = sl_ingest_again(ingest, &round->opened->ingest, err);
    float *vectors = NULL;

    slot->prepared = sl_prepared_free(slot->prepared);
    if (result == SL_OK && ingest->text_count > 0)
        vectors = SL_NEW_ARRAY(slot->arena, float, (size_t)ingest->text_count *embedder->dim);
    if (result == SL_OK && ingest->text_count > 0 && vectors == NULL)
        return sl_fail(err, SL_REJECT, "too_large",
                       "the document needs more memory than one may take");
    for (uint32_t i = 0; result == SL_OK && i < ingest->text_count; i++) {
        ingest->vectors[i] = vectors + (size_t)i * embedder->dim;
        result = embedder->ops->encode(embedder, SL_EMBED_PASSAGE, &ingest->texts[i], 1,
                                       ingest->vectors[i], err);
        counts->embedded++;
    }
    if (result == SL_OK)
        result = sl_ingest_finish(ingest, round->opened->index, &slot->prepared, err);
    return result;
}

static enum sl_err put_slot(struct import_round *round, struct slot *slot, struct sl_batch *batch,
                            struct import_counts *counts, enum sl_applied *ret_applied,
                            struct sl_error *err)
{
    enum sl_err result = sl_batch_apply(batch, slot->prepared, ret_applied, err);

    if (result == SL_AGAIN && strcmp(err->reason, "window_gone") == 0) {
        result = prepare_again(round, slot, counts, err);
        if (result == SL_OK)
            result = sl_batch_apply(batch, slot->prepared, ret_applied, err);
    }
    if (result == SL_OK || result == SL_REJECT)
        slot->prepared = NULL;
    return result;
}

static enum sl_err apply_slot(struct import_round *round, struct slot *slot, struct sl_batch *batch,
                              struct import_counts *counts, struct sl_error *err)
{
    const struct sl_document *document = &slot->ingest->document;
    enum sl_applied applied;
    enum sl_err result;

    if (slot->ingest->decoded == SL_DECODED_DELETE)
        result = sl_batch_delete(batch, document->topic, document->key, document->partition,
                                 document->offset, &applied, err);
    else
        result = put_slot(round, slot, batch, counts, &applied, err);
    if (result == SL_OK)
        count_applied(counts, applied, slot->ingest->chunk_count);
    return result;
}

/* Apply in the order given. A document refused here is told like one refused earlier. */
static enum sl_err apply_all(struct import_round *round, struct import_counts *counts,
                             struct sl_error *err)
{
    struct sl_batch *batch = NULL;
    struct import_counts after = *counts;
    enum sl_err result = sl_batch_begin(round->opened->index, &batch, err);

    if (result != SL_OK)
        return result;
    for (uint32_t i = 0; i < round->count; i++) {
        struct slot *slot = &round->slots[i];

        if (slot->result != SL_OK)
            continue;
        slot->result = apply_slot(round, slot, batch, &after, &slot->err);
        if (slot->result == SL_AGAIN || slot->result == SL_STOP) {
            *err = slot->err;
            sl_batch_abort(batch);
            return SL_STOP;
        }
    }
    result = sl_batch_commit(batch, err);
    if (result == SL_OK)
        *counts = after;
    return result;
}

/* The first failure that is not the document's own ends the import. */
static enum sl_err first_stop(const struct import_round *round, struct sl_error *err)
{
    for (uint32_t i = 0; i < round->count; i++) {
        enum sl_err result = round->slots[i].result;

        if (result == SL_STOP || result == SL_AGAIN) {
            *err = round->slots[i].err;
            return SL_STOP;
        }
    }
    return SL_OK;
}

static enum sl_err round_run(struct import_round *round, struct import_counts *counts,
                             struct sl_error *err)
{
    enum sl_err result;

    ctl_parallel(round->thread_count, round->count, read_slot, round);
    result = first_stop(round, err);
    if (result == SL_OK)
        result = list_texts(round, err);
    if (result != SL_OK)
        return result;
    ctl_parallel(round->thread_count,
                 (round->text_count + round->batch_texts - 1) / round->batch_texts, encode_batch,
                 round);
    ctl_parallel(round->thread_count, round->count, prepare_slot, round);
    result = first_stop(round, err);
    if (result == SL_OK)
        result = apply_all(round, counts, err);
    if (result == SL_OK)
        counts->embedded += round->text_count;
    return result;
}

enum sl_err import_round_finish(struct import_round *round, const struct ctl *ctl,
                                struct ctl_refusals *refusals, struct import_counts *counts,
                                struct sl_error *err)
{
    enum sl_err result = SL_OK;

    if (round->count > 0)
        result = round_run(round, counts, err);
    for (uint32_t i = 0; i < round->count; i++) {
        if (round->slots[i].result == SL_REJECT)
            ctl_refuse(ctl, refusals, round->slots[i].item.where, &round->slots[i].err);
    }
    round_clear(round);
    return result;
}
