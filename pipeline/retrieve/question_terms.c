/*
 * question_terms.c -- a question to the terms it is searched for.
 *
 * The problem with its language: documents are stemmed by theirs, which a page of text tells; a
 * question of three words often tells nothing, and stemmed as English it misses German documents.
 * So where the text does not tell, each language that would give other terms is tried, and the one
 * of whose terms the fewest are unknown to the index is taken; of equals the first, and English
 * before all. (Most known ones: worse, for English stop words are words to the others, and some are
 * in any index.)
 *
 * Expansion is RM3 (Lavrenko and Croft; parameters as in Anserini): a model of relevance from the
 * ten best chunks, the ten strongest of its terms, mixed half and half with the question. Terms in
 * more than a tenth of all chunks say nothing and are left out. See docs/QUALITY.md for when it
 * helps.
 */
#include "question_terms.h"

#include <sluice/text.h>

#include <stdlib.h>

#define CHUNKS         10u
#define TERMS          10u
#define SHARE_QUESTION 0.5
#define SHARE_FREQUENT 0.1
#define LOOK_BYTES     512u /* of a question whose language is sought */

/* ------------------------------------------------------------------------------------ language */

struct analysed {
    const char *language;
    struct sl_term_count *terms;
    uint32_t count;
    uint32_t known; /* of its terms, in the index */
};

static enum sl_err analyse(const struct sl_snapshot *snapshot, struct sl_view text,
                           const struct sl_retrieve_options *options, struct sl_arena *arena,
                           struct analysed *analysed, struct sl_error *err)
{
    uint32_t length;
    enum sl_err e = sl_text_terms_listed(text, analysed->language, options->lists, arena,
                                         &analysed->terms, &analysed->count, &length, err);

    for (uint32_t i = 0; snapshot != NULL && e == SL_OK && i < analysed->count; i++) {
        uint64_t chunks;
        float idf;
        e = sl_snapshot_idf(snapshot, analysed->terms[i].term, &idf, &chunks, err);
        analysed->known += e == SL_OK && chunks > 0;
    }
    return e;
}

static bool same(const struct analysed *a, const struct analysed *b)
{
    if (a->count != b->count)
        return false;
    for (uint32_t i = 0; i < a->count; i++)
        if (!sl_view_equal(a->terms[i].term, b->terms[i].term))
            return false;
    return true;
}

/* Of the languages in Latin letters, the one of whose terms the index lacks fewest. */
static enum sl_err find_language(const struct sl_snapshot *snapshot, struct sl_view text,
                                 const struct sl_retrieve_options *options, struct sl_arena *arena,
                                 const char **ret_language, struct sl_error *err)
{
    const char *const *codes = sl_text_languages_latin();
    struct sl_view head = sl_view_range(text, 0, sl_utf8_floor(text, LOOK_BYTES));
    struct analysed best = {.language = codes[0]}, english;
    enum sl_err e = analyse(snapshot, head, options, arena, &best, err);

    english = best;
    for (uint32_t i = 1; e == SL_OK && codes[i] != NULL && best.known < best.count; i++) {
        struct analysed other = {.language = codes[i]};
        e = analyse(NULL, head, options, arena, &other, err);
        if (e != SL_OK || same(&other, &english))
            continue;
        e = analyse(snapshot, head, options, arena, &other, err);
        if (other.count - other.known < best.count - best.known)
            best = other;
    }
    *ret_language = best.language;
    return e;
}

enum sl_err sl_question_terms(const struct sl_snapshot *snapshot, struct sl_view text,
                              const struct sl_retrieve_options *options, struct sl_arena *arena,
                              struct sl_term_count **ret_terms, uint32_t *ret_count,
                              struct sl_error *err)
{
    const char *language = sl_text_language_told(text);
    uint32_t length;
    enum sl_err e = SL_OK;

    if (language == NULL)
        e = find_language(snapshot, text, options, arena, &language, err);
    if (e == SL_OK)
        e = sl_text_terms_listed(text, language, options->lists, arena, ret_terms, ret_count,
                                 &length, err);
    if (e == SL_OK && options->synonyms != NULL)
        e = sl_synonyms_apply(options->synonyms, language, arena, ret_terms, ret_count, err);
    return e;
}

/* ----------------------------------------------------------------------------------- expansion */

struct weighed {
    struct sl_view term;
    double weight;
};

static int by_term(const void *a, const void *b)
{
    const struct weighed *x = a, *y = b;
    size_t common = x->term.size < y->term.size ? x->term.size : y->term.size;
    int order = memcmp(x->term.data, y->term.data, common);

    return order != 0 ? order : (x->term.size > y->term.size) - (x->term.size < y->term.size);
}

static int by_weight(const void *a, const void *b)
{
    const struct weighed *x = a, *y = b;

    if (x->weight < y->weight || x->weight > y->weight)
        return x->weight < y->weight ? 1 : -1;
    return by_term(a, b);
}

/* The same term of several entries becomes one. */
static uint32_t join(struct weighed *list, uint32_t count)
{
    uint32_t unique = 0;

    qsort(list, count, sizeof *list, by_term);
    for (uint32_t i = 0; i < count; i++) {
        if (unique > 0 && sl_view_equal(list[unique - 1].term, list[i].term))
            list[unique - 1].weight += list[i].weight;
        else
            list[unique++] = list[i];
    }
    return unique;
}

static enum sl_err no_room(struct sl_error *err)
{
    return sl_fail(err, SL_REJECT, "too_large",
                   "search: its expansion needs more memory than one question has");
}

/* What the best chunks say, each as much as it scored: all their terms. */
static enum sl_err read_chunks(const struct sl_snapshot *snapshot, const struct sl_hit *hits,
                               uint32_t hit_count, struct sl_arena *arena,
                               struct weighed **ret_list, uint32_t *ret_count, struct sl_error *err)
{
    struct sl_term_count *terms[CHUNKS];
    uint32_t counts[CHUNKS], lengths[CHUNKS], total = 0, at = 0;
    double scores = 0;
    struct weighed *list;

    for (uint32_t i = 0; i < hit_count; i++) {
        enum sl_err e = sl_snapshot_terms(snapshot, hits[i].doc, hits[i].chunk, arena, &terms[i],
                                          &counts[i], &lengths[i], err);
        if (e != SL_OK)
            return e;
        total += counts[i];
        scores += (double)hits[i].score;
    }
    list = SL_NEW_ARRAY(arena, struct weighed, total + 1);
    if (list == NULL)
        return no_room(err);
    for (uint32_t i = 0; i < hit_count; i++)
        for (uint32_t t = 0; t < counts[i]; t++)
            list[at++] = (struct weighed){terms[i][t].term, (double)hits[i].score / scores *
                                                                terms[i][t].count / lengths[i]};
    *ret_list = list;
    *ret_count = join(list, total);
    return SL_OK;
}

/* The strongest terms that are not everywhere, with weights that add up to 1. */
static enum sl_err choose_terms(const struct sl_snapshot *snapshot, struct weighed *list,
                                uint32_t *count, struct sl_error *err)
{
    struct sl_index_stats stats;
    uint32_t chosen = 0;
    double sum = 0;
    enum sl_err e = sl_snapshot_stats(snapshot, &stats, err);

    if (*count > 1)
        qsort(list, *count, sizeof *list, by_weight);
    for (uint32_t i = 0; e == SL_OK && i < *count && chosen < TERMS; i++) {
        uint64_t chunks;
        float idf;
        e = sl_snapshot_idf(snapshot, list[i].term, &idf, &chunks, err);
        if (chunks > CHUNKS && (double)chunks > SHARE_FREQUENT * (double)stats.chunks)
            continue;
        sum += list[i].weight;
        list[chosen++] = list[i];
    }
    for (uint32_t i = 0; i < chosen; i++)
        list[i].weight /= sum;
    *count = chosen;
    return e;
}

static double boost_of(const struct sl_term_count *term)
{
    return term->boost > 0 ? (double)term->boost : (double)term->count;
}

enum sl_err sl_question_expand(const struct sl_snapshot *snapshot, const struct sl_hit *hits,
                               uint32_t hit_count, struct sl_arena *arena,
                               struct sl_term_count **terms, uint32_t *count, struct sl_error *err)
{
    uint32_t added = 0, total;
    struct weighed *list = NULL, *mixed;
    double asked = 0;
    enum sl_err e = read_chunks(snapshot, hits, hit_count < CHUNKS ? hit_count : CHUNKS, arena,
                                &list, &added, err);

    if (e == SL_OK)
        e = choose_terms(snapshot, list, &added, err);
    if (e != SL_OK || added == 0)
        return e;
    mixed = SL_NEW_ARRAY(arena, struct weighed, *count + added);
    if (mixed == NULL)
        return no_room(err);
    for (uint32_t i = 0; i < *count; i++)
        asked += boost_of(&(*terms)[i]);
    for (uint32_t i = 0; i < *count; i++)
        mixed[i] = (struct weighed){(*terms)[i].term, SHARE_QUESTION * boost_of(&(*terms)[i])};
    for (uint32_t i = 0; i < added; i++)
        mixed[*count + i] =
            (struct weighed){list[i].term, (1 - SHARE_QUESTION) * asked * list[i].weight};
    total = join(mixed, *count + added);
    *terms = SL_NEW_ARRAY(arena, struct sl_term_count, total);
    if (*terms == NULL)
        return no_room(err);
    for (uint32_t i = 0; i < total; i++)
        (*terms)[i] = (struct sl_term_count){mixed[i].term, 1, (float)mixed[i].weight};
    *count = total;
    return SL_OK;
}
