/*
 * test_daemon_lanes.c -- per-key order: random schedules of many keys, finished in any order, must
 * start and finish each key's items in the order they came, with one at a time.
 */
#include "daemon/lanes.h"
#include "test.h"

#define ITEMS 5000
#define KEYS  300

struct item {
    struct sl_lane_item lane; /* first */
    uint32_t key;
    uint32_t number;
};

TEST(lanes_one_at_a_time_in_order)
{
    struct sl_lanes *lanes = sl_lanes_make();
    struct item items[3] = {{.lane.lane = 7}, {.lane.lane = 7}, {.lane.lane = 8}};

    CHECK(sl_lanes_enter(lanes, &items[0].lane));
    CHECK(!sl_lanes_enter(lanes, &items[1].lane));
    CHECK(sl_lanes_enter(lanes, &items[2].lane));
    CHECK(sl_lanes_leave(lanes, 7) == &items[1].lane);
    CHECK(sl_lanes_leave(lanes, 7) == NULL);
    CHECK(sl_lanes_leave(lanes, 8) == NULL);
    CHECK(sl_lanes_enter(lanes, &items[0].lane));
    CHECK(!sl_lanes_enter(lanes, &items[1].lane));
    CHECK(sl_lanes_drain(lanes) == &items[1].lane && sl_lanes_drain(lanes) == NULL);
    sl_lanes_free(lanes);
}

TEST(lanes_topic_and_key_choose_together)
{
    uint32_t a = sl_lane_of(SL_VIEW("docs"), SL_VIEW("k1"));

    CHECK(a < SL_LANES && a == sl_lane_of(SL_VIEW("docs"), SL_VIEW("k1")));
    CHECK(a != sl_lane_of(SL_VIEW("docs"), SL_VIEW("k2")));
    CHECK(a != sl_lane_of(SL_VIEW("news"), SL_VIEW("k1")));
    CHECK(sl_lane_of(SL_VIEW("docs"), SL_VIEW_NULL) < SL_LANES);
}

/* Items wait or run; the running ones finish in random order. */
static uint32_t run_schedule(unsigned long long seed, uint32_t *ret_side_by_side)
{
    static struct item items[ITEMS];
    static struct item *running[ITEMS];
    uint32_t last[KEYS] = {0}, busy[KEYS] = {0}, count = 0, next = 0, wrong = 0, finished = 0;
    struct sl_lanes *lanes = sl_lanes_make();

    test_seed(seed);
    while (finished < ITEMS) {
        if (next < ITEMS && (count == 0 || test_random() % 2)) {
            struct item *item = &items[next++];
            char text[16];
            int size;

            item->key = (uint32_t)(test_random() % KEYS);
            item->number = next;
            size = snprintf(text, sizeof(text), "key-%u", item->key);
            item->lane.lane = sl_lane_of(SL_VIEW("docs"), (struct sl_view){text, (size_t)size});
            if (sl_lanes_enter(lanes, &item->lane)) {
                wrong += busy[item->key]++ > 0;
                running[count++] = item;
            }
        } else {
            uint32_t pick = (uint32_t)(test_random() % count);
            struct item *item = running[pick];
            struct item *after;

            wrong += item->number <= last[item->key];
            last[item->key] = item->number;
            busy[item->key]--;
            finished++;
            after = (struct item *)sl_lanes_leave(lanes, item->lane.lane);
            running[pick] = after ? after : running[--count];
            if (after)
                wrong += busy[after->key]++ > 0;
        }
        if (count > *ret_side_by_side)
            *ret_side_by_side = count;
    }
    sl_lanes_free(lanes);
    return wrong;
}

TEST(lanes_random_schedules_keep_each_keys_order)
{
    uint32_t side_by_side = 0;

    for (unsigned long long seed = 1; seed <= 100; seed++) {
        uint32_t wrong = run_schedule(seed, &side_by_side);

        CHECK_THAT(wrong == 0, "seed %llu: %u out of order", seed, wrong);
    }
    CHECK_THAT(side_by_side > 20, "%u ran side by side at most",
               side_by_side); /* else nothing was shown */
}
