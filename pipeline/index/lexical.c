/*
 * lexical.c -- BM25 over the postings.
 *
 * Two passes: the first finds the rows of each term in each segment and adds up their counts, which gives
 * exact document frequencies; the second scores segment by segment in a small array, terms in their order,
 * so that sums come out the same on every run. Formula as in Lucene: idf = ln(1 + (N - df + 0.5) / (df +
 * 0.5)), tf / (tf + k1 (1 - b + b length / average)), without its quantised lengths.
 *
 * Known weakness: no skipping of segments that cannot reach the best k; the cost is linear in the postings.
 */
#include "index/internal.h"

#include <math.h>
#include <stdlib.h>

#define K1 0.9f
#define B  0.4f

struct row {
    uint32_t segment;
    uint32_t term;
    struct sl_view payload;
};

struct search {
    const struct sl_snapshot *snapshot;
    struct row *rows; /* by segment, then term */
    uint32_t row_count;
    uint32_t row_capacity;
    uint64_t *frequencies; /* per term */
};

static float idf_of(uint64_t chunks, uint64_t frequency)
{
    double n = (double)chunks, df = (double)frequency;

    return (float)log(1.0 + (n - df + 0.5) / (df + 0.5));
}

/* The rows of one term, and its frequency. */
static enum sl_err find_rows(struct search *search, uint32_t segment, uint32_t term,
                             struct sl_view name, struct sl_error *err)
{
    char room[SL_TERM_KEY_BYTES];
    struct sl_key key = sl_key_post(segment, sl_term_key(name, room));
    struct sl_reader reader;
    struct sl_view payload;
    enum sl_err rc =
        sl_txn_get(search->snapshot->txn, SL_STORE_POST, sl_key_view(&key), &payload, err);

    if (rc != SL_OK)
        return rc == SL_REJECT ? SL_OK : rc;
    if (search->row_count == search->row_capacity) {
        uint32_t capacity = search->row_capacity * 2 + 64;
        struct row *rows = realloc(search->rows, capacity * sizeof *rows);
        if (rows == NULL)
            return sl_batch_memory(err);
        search->rows = rows;
        search->row_capacity = capacity;
    }
    search->rows[search->row_count++] = (struct row){segment, term, payload};
    reader = sl_reader_of(payload);
    search->frequencies[term] += sl_read_varint(&reader);
    return SL_OK;
}

/* Segments in use: their numbers are dense from 0, but one that became empty may lie between. */
static enum sl_err count_segments(const struct sl_snapshot *snapshot, uint32_t *ret_count,
                                  struct sl_error *err)
{
    uint64_t rows;
    enum sl_err rc = sl_txn_count(snapshot->txn, SL_STORE_SEGMENT, &rows, err);

    if (rc == SL_OK)
        *ret_count = (uint32_t)rows;
    return rc;
}

static enum sl_err collect(struct search *search, const struct sl_term_count *terms,
                           uint32_t term_count, struct sl_error *err)
{
    uint32_t segments;
    enum sl_err rc = count_segments(search->snapshot, &segments, err);

    search->frequencies = calloc(term_count + 1, sizeof *search->frequencies);
    if (rc == SL_OK && search->frequencies == NULL)
        rc = sl_batch_memory(err);
    for (uint32_t segment = 0; rc == SL_OK && segment < segments; segment++)
        for (uint32_t i = 0; rc == SL_OK && i < term_count; i++)
            if (terms[i].term.size > 0)
                rc = find_rows(search, segment, i, terms[i].term, err);
    return rc;
}

struct scores {
    float score[SL_SEGMENT_CHUNKS];
    bool hit[SL_SEGMENT_CHUNKS];
    struct sl_segment segment;
    struct sl_posting postings[SL_SEGMENT_CHUNKS];
};

static enum sl_err score_row(const struct search *search, const struct row *row, float weight,
                             struct scores *scores, struct sl_error *err)
{
    const struct sl_state *state = &search->snapshot->state;
    float average = (float)((double)state->terms_total / (double)state->chunks);
    uint32_t count;

    if (!sl_postings_read(row->payload, scores->postings, &count))
        return sl_corrupt(err, "post", row->segment, "a row of senseless values");
    for (uint32_t i = 0; i < count; i++) {
        uint32_t local = scores->postings[i].local;
        float tf = (float)scores->postings[i].value;
        float length = (float)scores->segment.length[local];
        scores->score[local] += weight * tf / (tf + K1 * (1 - B + B * length / average));
        scores->hit[local] = true;
    }
    return SL_OK;
}

static enum sl_err score_segment(const struct search *search, uint32_t first, uint32_t end,
                                 const struct sl_term_count *terms, struct scores *scores,
                                 struct sl_error *err)
{
    struct sl_key key = sl_key_number(search->rows[first].segment);
    struct sl_view payload;
    enum sl_err rc = sl_txn_get(search->snapshot->txn, SL_STORE_SEGMENT, sl_key_view(&key),
                                &payload, err);

    if (rc == SL_STOP)
        return rc;
    if (rc == SL_REJECT || payload.size != sizeof scores->segment)
        return sl_corrupt(err, "segment", search->rows[first].segment, "missing or cut short");
    memcpy(&scores->segment, payload.data, sizeof scores->segment);
    memset(scores->score, 0, sizeof scores->score);
    memset(scores->hit, 0, sizeof scores->hit);
    rc = SL_OK;
    for (uint32_t i = first; rc == SL_OK && i < end; i++) {
        uint32_t term = search->rows[i].term;
        float weight = idf_of(search->snapshot->state.chunks, search->frequencies[term]) *
                       (float)terms[term].count;
        rc = score_row(search, &search->rows[i], weight, scores, err);
    }
    return rc;
}

static enum sl_err score_all(const struct search *search, const struct sl_term_count *terms,
                             uint32_t k, const struct sl_selection *selection,
                             struct sl_hit *ret_hits, uint32_t *count,
                             struct sl_search_stats *stats, struct sl_error *err)
{
    struct scores *scores = malloc(sizeof *scores);
    enum sl_err rc = scores == NULL ? sl_batch_memory(err) : SL_OK;

    for (uint32_t at = 0, end; rc == SL_OK && at < search->row_count; at = end) {
        for (end = at + 1; end < search->row_count &&
                           search->rows[end].segment == search->rows[at].segment;
             end++)
            ;
        rc = score_segment(search, at, end, terms, scores, err);
        for (uint32_t i = 0; rc == SL_OK && i < SL_SEGMENT_CHUNKS; i++) {
            uint32_t document = scores->segment.document[i];
            if (!scores->hit[i] ||
                (selection != NULL && !sl_selection_has(selection, document)))
                continue;
            stats->distances++;
            sl_hits_add(ret_hits, count, k,
                        (struct sl_hit){document, scores->segment.ordinal[i], scores->score[i]},
                        false);
        }
    }
    free(scores);
    return rc;
}

enum sl_err sl_snapshot_lexical(const struct sl_snapshot *snapshot,
                                const struct sl_term_count *terms, uint32_t term_count, uint32_t k,
                                const struct sl_selection *selection, struct sl_hit *ret_hits,
                                uint32_t *ret_count, struct sl_search_stats *ret_stats,
                                struct sl_error *err)
{
    struct search search = {.snapshot = snapshot};
    struct sl_search_stats stats = {.path = SL_PATH_NONE};
    uint32_t count = 0;
    enum sl_err rc;

    SL_PRE(k >= 1 && k <= SL_K_MAX);
    rc = collect(&search, terms, term_count, err);
    if (rc == SL_OK && search.row_count > 0) {
        stats.path = SL_PATH_EXACT;
        stats.visited = search.row_count;
        rc = score_all(&search, terms, k, selection, ret_hits, &count, &stats, err);
    }
    free(search.rows);
    free(search.frequencies);
    if (rc != SL_OK)
        return rc;
    *ret_count = count;
    if (ret_stats != NULL)
        *ret_stats = stats;
    return SL_OK;
}

enum sl_err sl_snapshot_idf(const struct sl_snapshot *snapshot, struct sl_view term, float *ret_idf,
                            uint64_t *ret_chunks, struct sl_error *err)
{
    struct search search = {.snapshot = snapshot};
    struct sl_term_count one = {term, 1};
    enum sl_err rc = collect(&search, &one, 1, err);

    if (rc == SL_OK) {
        uint64_t frequency = search.frequencies[0];
        *ret_idf = frequency > 0 ? idf_of(snapshot->state.chunks, frequency) : 0;
        if (ret_chunks != NULL)
            *ret_chunks = frequency;
    }
    free(search.rows);
    free(search.frequencies);
    return rc;
}
