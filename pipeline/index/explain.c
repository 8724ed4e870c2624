/*
 * explain.c -- the terms a chunk is found by, and what each adds to its score.
 *
 * Both are read from the chunk's own list of terms, not from the postings: a score is explained by
 * what the documents say.
 */
#include "index/internal.h"

enum sl_err sl_snapshot_terms(const struct sl_snapshot *snapshot, sl_doc_id doc, uint32_t chunk,
                              struct sl_arena *arena, struct sl_term_count **ret_terms,
                              uint32_t *ret_count, uint32_t *ret_length, struct sl_error *err)
{
    struct sl_term_count *terms;
    struct sl_term_row row;
    struct sl_reader reader;
    struct sl_view payload;
    uint32_t count = 0, length = 0;
    enum sl_err rc = sl_copy_get(snapshot, SL_STORE_TERM, doc, chunk, &payload, err);

    if (rc != SL_OK)
        return rc;
    terms = SL_NEW_ARRAY(arena, struct sl_term_count, payload.size / 3 + 1);
    if (terms == NULL)
        return sl_fail(err, SL_REJECT, "too_large", "the chunk's terms do not fit into memory");
    reader = sl_reader_of(payload);
    for (; sl_terms_next(&reader, &row); count++) {
        terms[count] = (struct sl_term_count){row.term, row.count, 0};
        length += row.count;
    }
    if (reader.bad || reader.at != reader.end)
        return sl_corrupt(err, "term", doc, "wrong lengths");
    *ret_terms = terms;
    *ret_count = count;
    *ret_length = length;
    return SL_OK;
}

static uint32_t occurrences_of(const struct sl_term_count *terms, uint32_t count,
                               struct sl_view term)
{
    char room[SL_TERM_KEY_BYTES];
    struct sl_view stored = sl_term_key(term, room);

    for (uint32_t i = 0; i < count; i++)
        if (sl_view_equal(terms[i].term, stored))
            return terms[i].count;
    return 0;
}

enum sl_err sl_snapshot_explain(const struct sl_snapshot *snapshot, sl_doc_id doc, uint32_t chunk,
                                const struct sl_term_count *terms, uint32_t term_count,
                                struct sl_arena *arena, struct sl_term_part *ret_parts,
                                uint32_t *ret_length, float *ret_average, struct sl_error *err)
{
    const struct sl_state *state = &snapshot->state;
    float average = (float)((double)state->terms_total / (double)state->chunks);
    struct sl_term_count *stored;
    uint32_t count;
    enum sl_err rc =
        sl_snapshot_terms(snapshot, doc, chunk, arena, &stored, &count, ret_length, err);

    *ret_average = average;
    for (uint32_t i = 0; rc == SL_OK && i < term_count; i++) {
        struct sl_term_part *part = &ret_parts[i];
        *part = (struct sl_term_part){.term = terms[i].term, .boost = sl_term_boost(&terms[i])};
        rc = sl_snapshot_idf(snapshot, terms[i].term, &part->idf, NULL, err);
        part->occurrences = occurrences_of(stored, count, terms[i].term);
        part->part = sl_bm25_part(part->idf * part->boost, (float)part->occurrences,
                                  sl_bm25_norm((float)*ret_length, average));
    }
    return rc;
}
