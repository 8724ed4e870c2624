/* test_rerank.c -- the second look at results: order, mixture, failures, and results that differ. */
#include "small_index.h"

#include <math.h>

#include "retrieve/retrieve_internal.h"

struct fake {
    struct sl_reranker base; /* first */
    enum sl_err e;
    const char *liked; /* passages with it score 2, others 1 */
    float wrong;       /* != 0: the score of the first */
    uint32_t in_time;  /* 0: all are scored */
    uint32_t count;    /* passages of the last call */
    uint32_t calls;
    int64_t deadline_us;
    char first[256];
};

static enum sl_err fake_score(const struct sl_reranker *reranker, struct sl_view question,
                              const struct sl_view *passages, uint32_t count,
                              const struct sl_time_limit *limit, float *scores, uint32_t *ret_scored,
                              struct sl_error *err)
{
    struct fake *fake = (struct fake *)(uintptr_t)reranker;

    (void)question;
    fake->calls++;
    fake->count = count;
    *ret_scored = fake->in_time > 0 ? fake->in_time : count;
    fake->deadline_us = limit->deadline_us;
    (void)snprintf(fake->first, sizeof fake->first, "%.*s", SL_VIEW_ARG(passages[0]));
    if (fake->e)
        return sl_fail(err, fake->e, "rerank_unavailable", "rerank: away");
    for (uint32_t i = 0; i < count; i++)
        scores[i] = memmem(passages[i].data, passages[i].size, fake->liked, strlen(fake->liked)) ? 2 : 1;
    if (!(fake->wrong >= 0) || isinf(fake->wrong))
        scores[0] = fake->wrong;
    return SL_OK;
}

static const struct sl_reranker_ops OPS = {.score = fake_score};

static struct small_index *open_lamps(void)
{
    struct small_index *small = small_open(true);

    small_put(small, "a", "{\"title\": \"First\", \"text\": \"The lamp, the lamp, the lamp keeper.\"}");
    small_put(small, "b", "{\"text\": \"The lamp has a keeper who sings.\"}");
    small_put(small, "c", "{\"text\": \"A keeper without any lamp sleeps by day.\"}");
    small_put(small, "d", "{\"text\": \"Nothing but oil is needed for a lamp of this kind.\"}");
    return small;
}

static struct sl_retrieve_options options_of(struct fake *fake)
{
    return (struct sl_retrieve_options){.mode = SL_MODE_LEXICAL, .k = 4, .ef = 64, .fusion = SL_FUSION_MINMAX,
                                        .weight_lexical = 1, .weight_vector = 1, .coverage_min = 0.5,
                                        .reranker = &fake->base, .rerank_depth = 50,
                                        .rerank_deadline_ms = 200, .rerank_weight = 1};
}

static const struct sl_retrieved *search(struct small_index *small, const struct sl_retrieve_options *options)
{
    struct sl_question question = {.text = SL_VIEW("lamp keeper"), .asked_ms = -1};
    struct sl_retrieved *retrieved = NULL;
    struct sl_error err = {0};

    small_check(sl_retrieve(small->snapshot, &question, options, small->embedder, &small->clock, small->arena,
                            &retrieved, &err), &err);
    for (uint32_t i = 1; i < retrieved->count; i++)
        CHECK(retrieved->results[i].score <= retrieved->results[i - 1].score);
    return retrieved;
}

static bool holds(struct small_index *small, const struct sl_retrieved *retrieved, uint32_t place, const char *word)
{
    struct sl_document document;
    uint32_t chunks;
    struct sl_error err = {0};

    if (place >= retrieved->count)
        return false;
    small_check(sl_snapshot_document(small->snapshot, retrieved->results[place].doc, small->arena, &document,
                                     &chunks, &err), &err);
    return memmem(document.text.data, document.text.size, word, strlen(word)) != NULL;
}

TEST(what_the_reranker_likes_comes_first)
{
    struct small_index *small = open_lamps();
    struct fake fake = {.base = {.ops = &OPS}, .liked = "sleeps"};
    struct sl_retrieve_options options = options_of(&fake);
    const struct sl_retrieved *r = search(small, &options);

    CHECK(r->count == 4 && fake.count == 4 && r->rerank_failure.data == NULL && r->rerank_ms > 0);
    CHECK(holds(small, r, 0, "sleeps") && r->results[0].rerank_rank == 1);
    CHECK(r->results[0].rerank_score > 1.9f && r->results[1].rerank_score < 1.1f);
    CHECK(r->results[0].rerank_share > 0.99f && r->results[1].rerank_share < 0.01f);
    CHECK(r->results[0].rank_before > 1 && r->rerank_scored == 4 && r->rerank_late == 0);
    CHECK_THAT(strncmp(fake.first, "First\nThe lamp, ", 16) == 0, "%s", fake.first); /* title, then passage */
    small_close(small);
}

TEST(what_is_beyond_the_depth_stays_behind)
{
    struct small_index *small = open_lamps();
    struct fake fake = {.base = {.ops = &OPS}, .liked = "oil"};
    struct sl_retrieve_options options = options_of(&fake);
    const struct sl_retrieved *r;

    options.rerank_depth = 2;
    r = search(small, &options);
    CHECK(fake.count == 2 && r->count == 4);
    CHECK(r->results[2].rerank_rank == 0 && r->results[3].rerank_rank == 0);
    CHECK(!holds(small, r, 0, "oil") && !holds(small, r, 1, "oil"));
    options.k = 1; /* and what is looked at is more than what is handed on */
    options.rerank_depth = 50;
    r = search(small, &options);
    CHECK(fake.count == 4 && r->count == 1 && holds(small, r, 0, "oil"));
    small_close(small);
}

TEST(a_weight_of_nothing_leaves_the_order)
{
    struct small_index *small = open_lamps();
    struct fake fake = {.base = {.ops = &OPS}, .liked = "oil"};
    struct sl_retrieve_options options = options_of(&fake);
    const struct sl_retrieved *r;

    options.rerank_weight = 0;
    r = search(small, &options);
    CHECK(!holds(small, r, 0, "oil") && r->results[0].rerank_rank == 1);
    small_close(small);
}

TEST(a_reranker_that_fails_costs_its_order_only)
{
    static const float wrong[] = {NAN, INFINITY};
    struct small_index *small = open_lamps();
    struct fake fake = {.base = {.ops = &OPS}, .liked = "oil", .e = SL_AGAIN};
    struct sl_retrieve_options options = options_of(&fake), plain = options;
    const struct sl_retrieved *r, *first;

    plain.reranker = NULL;
    first = search(small, &plain);
    r = search(small, &options);
    CHECK(r->count == first->count && r->results[0].doc == first->results[0].doc);
    CHECK(strncmp(r->rerank_failure.data, "rerank_unavailable: rerank: away", 32) == 0);
    fake.e = SL_OK;
    for (size_t i = 0; i < 2; i++) {
        fake.wrong = wrong[i];
        r = search(small, &options);
        CHECK(strncmp(r->rerank_failure.data, "rerank_broken", 13) == 0);
        CHECK(r->results[0].doc == first->results[0].doc && r->results[0].rerank_rank == 0);
    }
    small_close(small);
}

TEST(what_was_not_looked_at_in_time_stays_behind)
{
    struct small_index *small = open_lamps();
    struct fake fake = {.base = {.ops = &OPS}, .liked = "oil", .in_time = 3};
    struct sl_retrieve_options options = options_of(&fake), plain = options;
    const struct sl_retrieved *r, *first;

    plain.reranker = NULL;
    first = search(small, &plain);
    r = search(small, &options);
    CHECK(r->count == 4 && r->rerank_scored == 3 && r->rerank_late == 1);
    CHECK(r->results[3].doc == first->results[3].doc && r->results[3].rerank_rank == 0);
    CHECK(r->results[3].rank_before == 4 && r->results[0].rerank_rank == 1);
    CHECK(sl_view_is(r->rerank_reason, "rerank_late"));
    CHECK(strstr(r->rerank_failure.data, "3 of 4 passages in time") != NULL);
    small_close(small);
}

TEST(a_search_that_looks_deeper_asks_the_reranker_once)
{
    struct small_index *small = small_open(true);
    struct fake fake = {.base = {.ops = &OPS}, .liked = "sleeps"};
    struct sl_retrieve_options options = options_of(&fake);
    const struct sl_retrieved *r;

    for (uint32_t i = 0; i < 130; i++) { /* copies fill the first depth */
        char key[16];
        (void)snprintf(key, sizeof key, "copy%u", i);
        small_put(small, key, "{\"text\": \"The lamp keeper, the lamp keeper.\"}");
    }
    small_put(small, "c", "{\"text\": \"A keeper without any lamp sleeps by day and by night and in between.\"}");
    r = search(small, &options);
    CHECK_THAT(r->count == 2 && fake.calls == 1 && holds(small, r, 0, "sleeps"), "%u, %u", r->count, fake.calls);
    small_close(small);
}

TEST(an_answer_says_that_it_was_not_reranked_and_keeps_its_time)
{
    struct small_index *small = open_lamps();
    struct fake fake = {.base = {.ops = &OPS}, .liked = "oil", .e = SL_REJECT};
    struct sl_responder responder = {.retrieve = options_of(&fake), .embedder = small->embedder,
                                     .clock = &small->clock};
    struct sl_question question = {.text = SL_VIEW("Who is the lamp keeper who sings?"), .asked_ms = -1,
                                   .deadline_ms = 300};
    struct sl_answer answer;
    struct sl_error err = {0};
    int64_t start = small->clock_us;

    small_check(sl_respond(&responder, &question, small->snapshot, small->arena, &answer, &err), &err);
    REQUIRE(answer.warning_count == 1);
    CHECK(strncmp(answer.warnings[0].data, "rerank_unavailable", 18) == 0 && answer.rerank_ms > 0);
    CHECK(fake.deadline_us < start + 200000); /* half of what the question has left */
    small_close(small);
}

/* The same by looking at all of them each time, on terms as they are. */
struct plain_terms {
    struct sl_term_count *terms;
    uint32_t count;
};

static double plain_overlap(const struct plain_terms *x, const struct plain_terms *y)
{
    uint32_t common = 0;

    for (uint32_t i = 0; i < x->count; i++)
        for (uint32_t j = 0; j < y->count; j++)
            common += sl_view_equal(x->terms[i].term, y->terms[j].term) ? 1 : 0;
    return (double)common / (double)(x->count + y->count - common);
}

static void plain_order(const struct plain_terms *terms, const struct sl_result *all, uint32_t count, uint32_t k,
                        double diversity, uint32_t *ret)
{
    const double first = (double)all[0].score, last = (double)all[count - 1].score;
    bool taken[64] = {false};

    for (uint32_t place = 0; place < k; place++) {
        double most = 0;
        ret[place] = UINT32_MAX;
        for (uint32_t i = 0; i < count; i++) {
            double likeness = 0;
            for (uint32_t j = 0; j < place; j++)
                likeness = fmax(likeness, plain_overlap(&terms[i], &terms[ret[j]]));
            double share = first > last ? ((double)all[i].score - last) / (first - last) : 1;
            double value = (1 - diversity) * share - diversity * likeness;
            if (!taken[i] && (ret[place] == UINT32_MAX || value > most)) {
                most = value;
                ret[place] = i;
            }
        }
        taken[ret[place]] = true;
    }
}

TEST(the_order_is_that_of_looking_at_all)
{
    static const char *const words[] = {"lamp", "keeper", "oil", "sea", "tower", "wind", "tea", "song", "stone"};
    struct small_index *small = small_open(false);
    struct plain_terms terms[60];
    uint32_t seed = 7, moved = 0, length;

    for (uint32_t i = 0; i < 60; i++) {
        char key[16], text[512] = "{\"text\": \"lamp";
        for (uint32_t j = 0; j < 3 + i % 9; j++) {
            seed = seed * 1103515245 + 12345;
            (void)strcat(strcat(text, " "), words[(seed >> 16) % 9]);
        }
        (void)snprintf(key, sizeof key, "d%u", i);
        small_put(small, key, strcat(text, ".\"}"));
    }
    for (uint32_t k = 2; k <= 40; k += 19)
        for (double diversity = 0.1; diversity < 1; diversity += 0.2) {
            struct sl_retrieve_options options = {.mode = SL_MODE_LEXICAL, .k = 60, .ef = 64, .keep_duplicates = true,
                                                  .fusion = SL_FUSION_MINMAX, .weight_lexical = 1};
            const uint32_t looked_at = 4 * k < 60 ? 4 * k : 60;
            const struct sl_retrieved *all, *got;
            uint32_t order[60];

            all = search(small, &options);
            REQUIRE(all->count == 60);
            options.k = k;
            options.diversity = diversity;
            got = search(small, &options);
            REQUIRE(got->count == k);
            for (uint32_t i = 0; i < 60; i++)
                small_check(sl_snapshot_terms(small->snapshot, all->results[i].doc, all->results[i].chunk, small->arena,
                                              &terms[i].terms, &terms[i].count, &length, NULL), NULL);
            plain_order(terms, all->results, looked_at, k, diversity, order);
            for (uint32_t i = 0; i < k; i++) {
                CHECK_THAT(got->results[i].doc == all->results[order[i]].doc, "k %u, %g, place %u", k, diversity, i);
                moved += order[i] != i;
            }
        }
    CHECK(moved > 50);
    small_close(small);
}

TEST(different_things_come_before_more_of_the_same)
{
    for (int vectors = 0; vectors < 2; vectors++) {
        struct small_index *small = small_open(vectors == 1);
        struct sl_retrieve_options options = {.mode = SL_MODE_LEXICAL, .k = 2, .ef = 64, .keep_duplicates = true,
                                              .fusion = SL_FUSION_MINMAX, .weight_lexical = 1};
        const struct sl_retrieved *r;

        small_put(small, "a", "{\"text\": \"The lamp keeper polishes lamp and lens on Friday.\"}");
        small_put(small, "b", "{\"text\": \"The lamp keeper polishes lamp and lens on Sunday.\"}");
        small_put(small, "c", "{\"text\": \"A keeper without a lamp may sleep, drink tea and sing loudly all night.\"}");
        r = search(small, &options);
        CHECK(r->count == 2 && !holds(small, r, 1, "tea"));
        options.diversity = 0.7;
        r = search(small, &options);
        CHECK_THAT(r->count == 2 && holds(small, r, 1, "tea"), "with vectors: %d", vectors);
        small_close(small);
    }
}
