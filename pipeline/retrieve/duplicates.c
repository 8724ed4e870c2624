/*
 * duplicates.c -- one of several copies.
 *
 * Two chunks are compared by the pairs of neighbouring words they hold, the document's title first:
 * long texts are copies under any title, short ones ("Yes, with a permit.") only under the same
 * one. The share of pairs in common is counted on the sets' smallest hashes, which for a chunk of
 * usual length is the whole set. Measured: different paragraphs about one subject have less than
 * .15 in common, versions of an article that differ in a clause .6 to .9, and so have the monthly
 * reports of a series, which are no copies. So the line is .7 under one title and .9 under two, and
 * texts of few words are only copies when they are the same.
 *
 * Signatures are made when a question is asked, from the few chunks it found. Rejected: storing
 * them with each chunk (a format for what costs a tenth of a millisecond), and SimHash or a MinHash
 * of few bits: at this number of pairs the sets themselves can be compared, which errs less.
 *
 * Copies that are stored and not indexed (index/copies.c) are put among the results last: what ranks passages sees
 * each text once, and the k results are what they would be, were all copies indexed.
 *
 * Known weakness: copies beyond the depth of the search are not seen; a translation is no copy.
 */
#include "duplicates.h"
#include "text/text_internal.h"

#include <sluice/limits.h>


#define LIKENESS_MIN   0.7 /* under the same title */
#define LIKENESS_OTHER 0.9 /* under another */
#define PAIRS_MIN      16u /* of a text that may be nearly a copy */
#define SIGNATURE_SIZE 256u
#define WORDS_MAX      4096u /* looked at; texts that are the same so far are copies */

struct signature {
    uint64_t title;   /* of its words in order */
    uint64_t whole;   /* of all words in order */
    uint64_t *hashes; /* [count]: the smallest of the pairs', rising */
    uint32_t count;
};

/* A document that was read for one of its chunks. */
struct source {
    sl_doc_id doc;
    struct sl_view title, text;
};

struct dropper {
    const struct sl_snapshot *snapshot;
    struct sl_arena *arena;
    struct sl_error *err;
    uint64_t *scratch; /* [WORDS_MAX] */
    struct source *sources;
    uint32_t source_count;
};

static enum sl_err no_memory(struct sl_error *err)
{
    return sl_fail(err, SL_REJECT, "too_large", "search: needs more memory than one question has");
}

/* ------------------------------------------------------------------ signatures */

/* `hashes` has room for WORDS_MAX. false: no memory. */
static bool sign(struct sl_view title, struct sl_view text, struct sl_arena *arena,
                 uint64_t *hashes, struct signature *ret)
{
    const struct sl_view parts[] = {title, text};
    uint64_t before = 0, whole = 0, of_title = 0;
    uint32_t count = 0;

    for (size_t i = 0; i < 2; i++)
        for (size_t at = 0; at < parts[i].size && count < WORDS_MAX;) {
            uint64_t word = sl_word_hash(parts[i], &at);

            if (word == 0)
                break;
            hashes[count++] = sl_hash_stir(before * 3 + word);
            whole = sl_hash_stir(whole + word);
            before = word;
            of_title = i == 0 ? whole : of_title;
        }
    count = sl_hashes_unique(hashes, count);
    count = count < SIGNATURE_SIZE ? count : SIGNATURE_SIZE;
    *ret = (struct signature){of_title, whole, SL_NEW_ARRAY(arena, uint64_t, count), count};
    if (ret->hashes != NULL && count > 0)
        memcpy(ret->hashes, hashes, count * sizeof *hashes);
    return ret->hashes != NULL;
}

/* The share in common, of the smallest hashes of both together; stops early below `least`. */
static double likeness(const struct signature *a, const struct signature *b, double least)
{
    uint32_t i = 0, j = 0, common = 0, seen = 0, all = a->count + b->count;
    double misses_max;

    all = all < SIGNATURE_SIZE ? all : SIGNATURE_SIZE;
    misses_max = (1 - least) * all;
    while (seen < SIGNATURE_SIZE && (i < a->count || j < b->count)) {
        bool from_a = j == b->count || (i < a->count && a->hashes[i] <= b->hashes[j]);
        bool from_b = i == a->count || (j < b->count && b->hashes[j] <= a->hashes[i]);

        if ((i == a->count && i == SIGNATURE_SIZE) || (j == b->count && j == SIGNATURE_SIZE))
            break; /* what comes next in that one is not known */
        common += from_a && from_b;
        seen++;
        if (seen - common > misses_max)
            return 0;
        i += from_a;
        j += from_b;
    }
    return seen > 0 ? (double)common / seen : 0;
}

double sl_duplicates_likeness(struct sl_view a, struct sl_view b, struct sl_arena *arena)
{
    uint64_t *scratch = SL_NEW_ARRAY(arena, uint64_t, WORDS_MAX);
    struct signature first, second;

    if (scratch == NULL || !sign(SL_VIEW(""), a, arena, scratch, &first) ||
        !sign(SL_VIEW(""), b, arena, scratch, &second))
        return -1;
    return likeness(&first, &second, 0);
}

static bool is_copy(const struct signature *a, const struct signature *b, enum sl_copies copies)
{
    double least = a->title == b->title ? LIKENESS_MIN : LIKENESS_OTHER;
    uint32_t fewer = a->count < b->count ? a->count : b->count;

    if (a->whole == b->whole)
        return a->count > 0;
    return copies == SL_COPIES_NEAR && fewer >= PAIRS_MIN &&
           fewer >= least * (a->count + b->count - fewer) && likeness(a, b, least) >= least;
}

/* ------------------------------------------------------------------ results */

static enum sl_err read_source(struct dropper *d, sl_doc_id doc, const struct source **ret)
{
    struct sl_document document;
    uint32_t chunk_count;
    enum sl_err e;

    for (uint32_t i = d->source_count; i > 0; i--)
        if (d->sources[i - 1].doc == doc) {
            *ret = &d->sources[i - 1];
            return SL_OK;
        }
    e = sl_snapshot_document(d->snapshot, doc, d->arena, &document, &chunk_count, d->err);
    if (e)
        return e;
    d->sources[d->source_count] = (struct source){doc, document.title, document.text};
    *ret = &d->sources[d->source_count++];
    return SL_OK;
}

static enum sl_err sign_result(struct dropper *d, const struct sl_result *result,
                               struct signature *ret)
{
    const struct source *source = NULL;
    struct sl_chunk chunk;
    enum sl_err e;

    if ((e = read_source(d, result->doc, &source)) ||
        (e = sl_snapshot_chunk(d->snapshot, result->doc, result->chunk, d->arena, &chunk, d->err)))
        return e;
    if (chunk.byte_start > chunk.byte_end || chunk.byte_end > source->text.size)
        return sl_stop(d->err, SL_EXIT_DATA, 0, "corrupt",
                       "search: chunk %u of document %llu lies outside its text", result->chunk,
                       (unsigned long long)result->doc);
    if (!sign(source->title, sl_view_range(source->text, chunk.byte_start, chunk.byte_end),
              d->arena, d->scratch, ret))
        return no_memory(d->err);
    return SL_OK;
}

enum sl_err sl_duplicates_drop(const struct sl_snapshot *snapshot, enum sl_copies copies,
                               uint32_t wanted, struct sl_arena *arena, struct sl_result *results,
                               uint32_t *count, struct sl_error *err)
{
    struct dropper d = {.snapshot = snapshot, .arena = arena, .err = err};
    uint32_t kept = 0, most = *count < wanted ? *count : wanted;
    struct signature *signatures = SL_NEW_ARRAY(arena, struct signature, most);
    enum sl_err e;

    d.sources = SL_NEW_ARRAY(arena, struct source, *count);
    d.scratch = SL_NEW_ARRAY(arena, uint64_t, WORDS_MAX);
    if (signatures == NULL || d.sources == NULL || d.scratch == NULL)
        return no_memory(err);
    for (uint32_t i = 0; i < *count && kept < wanted; i++) {
        uint32_t same = kept, stored;

        e = sl_snapshot_copies(snapshot, results[i].doc, &stored, err);
        if (e)
            return e;
        if (copies != SL_COPIES_NONE) {
            if ((e = sign_result(&d, &results[i], &signatures[kept])))
                return e;
            for (same = 0; same < kept && !is_copy(&signatures[same], &signatures[kept], copies);)
                same++;
        }
        if (same < kept)
            results[same].duplicates += 1 + stored;
        else {
            results[kept] = results[i];
            results[kept++].duplicates = stored;
        }
    }
    *count = kept;
    return SL_OK;
}

/* ------------------------------------------------------------------ stored copies */

struct lister {
    const struct sl_snapshot *snapshot;
    const struct sl_listing *listing;
    struct sl_arena *arena;
    struct sl_error *err;
    struct sl_result *listed; /* [k] */
    uint32_t k, count;
};

/* May the copy be shown with the original's chunk? */
static enum sl_err can_stand(struct lister *l, const struct sl_document *original, sl_doc_id copy,
                             bool *ret)
{
    struct sl_document document;
    enum sl_err e = SL_OK;

    *ret = l->listing->judged;
    if (*ret)
        return SL_OK;
    e = sl_snapshot_document(l->snapshot, copy, l->arena, &document, NULL, l->err);
    *ret = !e && sl_view_equal(document.text, original->text);
    return e;
}

/* Puts the copies after the last one listed, which is the original or, where that does not match, nothing yet. */
static enum sl_err list_copies(struct lister *l, const struct sl_result *result,
                               const struct sl_document *original, uint32_t most)
{
    sl_doc_id copy = 0;
    enum sl_err e = SL_OK;

    while (most > 0 && l->count < l->k) {
        bool stands;
        e = sl_snapshot_copy_next(l->snapshot, result->doc, l->listing->selection, copy, &copy, l->err);
        if (e || (e = can_stand(l, original, copy, &stands)))
            break;
        if (!stands)
            continue;
        l->listed[l->count] = *result;
        l->listed[l->count].doc = copy;
        l->listed[l->count++].duplicates = 0;
        most--;
    }
    return e == SL_REJECT ? SL_OK : e;
}

static enum sl_err list_result(struct lister *l, const struct sl_result *result)
{
    struct sl_document original;
    uint32_t first = l->count, stored, listed;
    bool matches;
    enum sl_err e;

    l->listed[l->count++] = *result;
    if ((e = sl_snapshot_copies(l->snapshot, result->doc, &stored, l->err)) || stored == 0)
        return e;
    if ((e = sl_snapshot_document(l->snapshot, result->doc, l->arena, &original, NULL, l->err)))
        return e;
    matches = l->listing->filter == NULL || sl_filter_matches(l->listing->filter, &original);
    if (matches && !l->listing->all)
        return SL_OK;
    l->count -= !matches;
    if ((e = list_copies(l, result, &original, l->listing->all ? stored : 1)))
        return e;
    if (l->count == first)
        l->listed[l->count++] = *result;
    listed = l->count - first - 1;
    l->listed[first].duplicates = result->duplicates - (listed < stored ? listed : stored);
    return SL_OK;
}

enum sl_err sl_duplicates_list(const struct sl_snapshot *snapshot, const struct sl_listing *listing,
                               uint32_t k, struct sl_arena *arena, struct sl_result **results,
                               uint32_t *count, struct sl_error *err)
{
    struct lister l = {snapshot, listing, arena, err, SL_NEW_ARRAY(arena, struct sl_result, k), k, 0};
    enum sl_err e = SL_OK;

    if (l.listed == NULL)
        return no_memory(err);
    for (uint32_t i = 0; !e && i < *count && l.count < k; i++)
        e = list_result(&l, &(*results)[i]);
    *results = l.listed;
    *count = l.count;
    return e;
}
