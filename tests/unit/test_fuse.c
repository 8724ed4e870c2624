/* test_fuse.c -- fusing two ranked lists, against arithmetic by hand. */
#include "../support/test.h"

#include <math.h>
#include <sluice/retrieve.h>

static const struct sl_scored A[] = {{10, 9.0}, {20, 5.0}, {30, 1.0}};
static const struct sl_scored B[] = {{30, 0.9}, {40, 0.5}};

static bool near(double a, double b)
{
    return fabs(a - b) < 1e-12;
}

static uint32_t fuse(enum sl_fusion fusion, uint32_t a, double wa, uint32_t b, double wb,
                     struct sl_scored *out)
{
    SL_CLEANUP(sl_arena_closep) struct sl_arena *arena = sl_arena_open(1 << 20);
    uint32_t count = 99;

    CHECK(sl_fuse(fusion, A, a, wa, B, b, wb, arena, out, &count, NULL) == SL_OK);
    return count;
}

TEST(rrf_adds_weighted_reciprocal_ranks)
{
    struct sl_scored out[5];

    REQUIRE(fuse(SL_FUSION_RRF, 3, 1.0, 2, 2.0, out) == 4);
    CHECK(out[0].id == 30 && near(out[0].score, 1.0 / 63 + 2.0 / 61));
    CHECK(out[1].id == 40 && near(out[1].score, 2.0 / 62));
    CHECK(out[2].id == 10 && near(out[2].score, 1.0 / 61));
    CHECK(out[3].id == 20 && near(out[3].score, 1.0 / 62));
}

TEST(minmax_scales_each_list_by_its_own_ends)
{
    struct sl_scored out[5];

    REQUIRE(fuse(SL_FUSION_MINMAX, 3, 0.6, 2, 0.4, out) == 4);
    CHECK(out[0].id == 10 && near(out[0].score, 0.6));
    CHECK(out[1].id == 30 && near(out[1].score, 0.4));
    CHECK(out[2].id == 20 && near(out[2].score, 0.3));
    CHECK(out[3].id == 40 && near(out[3].score, 0.0));
}

TEST(equal_scores_are_ordered_by_id)
{
    struct sl_scored out[5];

    REQUIRE(fuse(SL_FUSION_RRF, 2, 1.0, 2, 1.0, out) == 4);
    CHECK(out[0].id == 10 && out[1].id == 30 && out[2].id == 20 && out[3].id == 40);
}

TEST(one_empty_list_leaves_the_other_in_its_order)
{
    struct sl_scored out[5];

    REQUIRE(fuse(SL_FUSION_RRF, 3, 1.0, 0, 1.0, out) == 3);
    CHECK(out[0].id == 10 && out[1].id == 20 && out[2].id == 30);
    REQUIRE(fuse(SL_FUSION_MINMAX, 1, 1.0, 0, 1.0, out) == 1);
    CHECK(near(out[0].score, 1.0)); /* a list of one is all at the top */
    CHECK(fuse(SL_FUSION_MINMAX, 0, 1.0, 0, 1.0, out) == 0);
}

TEST(no_room_is_said_and_not_guessed)
{
    SL_CLEANUP(sl_arena_closep) struct sl_arena *arena = sl_arena_open(16);
    struct sl_scored out[5];
    uint32_t count = 99;
    struct sl_error err;

    CHECK(sl_fuse(SL_FUSION_RRF, A, 3, 1, B, 2, 1, arena, out, &count, &err) == SL_REJECT);
    CHECK(strcmp(err.reason, "too_large") == 0 && count == 99);
}
