/*
 * test_daemon_ledger.c -- the ledger against a model, over random schedules with holes, failed
 * batches and crashes.
 *
 * The model is a log with holes and a flag per offset: was it applied? A run delivers from the
 * stored position, finishes records in random order in batches that sometimes fail, stores the
 * position with each batch that does not, and crashes at a random moment. At the end every record
 * must have been applied exactly once (L1, L2).
 */
#include "daemon/ledger.h"
#include "test.h"

#define LOG_MAX 400

static struct sl_fingerprint record_at(int64_t offset)
{
    return (struct sl_fingerprint){offset, offset * 10, (uint32_t)offset * 7u};
}

static bool deliver(struct sl_ledger *ledger, int64_t offset)
{
    struct sl_fingerprint record = record_at(offset);

    return sl_ledger_deliver(ledger, &record);
}

TEST(ledger_L5_holes_do_not_hold_up_the_frontier)
{
    struct sl_ledger *ledger = sl_ledger_make(NULL);
    struct sl_position position;

    CHECK(sl_ledger_frontier(ledger) == -1);
    CHECK(deliver(ledger, 17) && deliver(ledger, 18) && deliver(ledger, 21) && deliver(ledger, 25));
    CHECK(sl_ledger_frontier(ledger) == 17);
    sl_ledger_done(ledger, 17);
    sl_ledger_done(ledger, 21);
    sl_ledger_done(ledger, 25);
    CHECK(sl_ledger_frontier(ledger) == 18);
    sl_ledger_position(ledger, &position);
    CHECK(position.next_offset == 18 && position.completed_count == 1);
    CHECK(position.completed[0].first == 21 && position.completed[0].last == 25);
    CHECK(position.record_offset == 17 && position.record_crc == 17 * 7u);
    sl_ledger_done(ledger, 18);
    CHECK(sl_ledger_frontier(ledger) == 26);
    sl_ledger_free(ledger);
}

TEST(ledger_L3_restored_completions_are_carried)
{
    struct sl_offset_range done[] = {{12, 13}, {15, 20}};
    struct sl_position stored = {
        .next_offset = 10, .completed = done, .completed_count = 2, .record_offset = 9};
    struct sl_ledger *ledger = sl_ledger_make(&stored);
    struct sl_position position;

    CHECK(deliver(ledger, 10));
    sl_ledger_done(ledger, 10);
    sl_ledger_position(
        ledger, &position); /* nothing beyond 10 was delivered: the set must still be there */
    CHECK(position.next_offset == 11 && position.completed_count == 2);
    CHECK(position.completed[0].first == 12 && position.completed[1].last == 20);
    CHECK(deliver(ledger, 11));
    CHECK(!deliver(ledger, 12));
    sl_ledger_position(ledger, &position);
    CHECK(position.next_offset == 11);
    CHECK_THAT(position.completed_count == 3, "%u",
               position.completed_count); /* 12, rest of 12..13, 15..20 */
    CHECK(!deliver(ledger, 13) && deliver(ledger, 14) && !deliver(ledger, 15));
    sl_ledger_done(ledger, 11);
    sl_ledger_done(ledger, 14);
    CHECK(sl_ledger_frontier(ledger) == 16);
    sl_ledger_free(ledger);
}

TEST(ledger_drops_what_was_delivered_before)
{
    struct sl_ledger *ledger = sl_ledger_make(NULL);

    CHECK(deliver(ledger, 5) && deliver(ledger, 6));
    CHECK(!deliver(ledger, 5) && !deliver(ledger, 6) && !deliver(ledger, 1));
    CHECK(sl_ledger_open_count(ledger) == 2);
    sl_ledger_free(ledger);
}

TEST(ledger_a_failed_batch_opens_its_offsets_again)
{
    struct sl_ledger *ledger = sl_ledger_make(NULL);
    struct sl_position position;

    CHECK(deliver(ledger, 0) && deliver(ledger, 1) && deliver(ledger, 2));
    sl_ledger_stage(ledger, 0);
    sl_ledger_stage(ledger, 2);
    sl_ledger_position(ledger, &position);
    CHECK(position.next_offset == 1 && position.completed_count == 1);
    CHECK(sl_ledger_frontier(ledger) == 0);
    sl_ledger_abort(ledger);
    sl_ledger_position(ledger, &position);
    CHECK(position.next_offset == 0 && position.completed_count == 0);
    sl_ledger_stage(ledger, 0);
    sl_ledger_commit(ledger);
    CHECK(sl_ledger_frontier(ledger) == 1 && sl_ledger_open_count(ledger) == 2);
    sl_ledger_free(ledger);
}

TEST(ledger_skips_a_gap)
{
    struct sl_ledger *ledger =
        sl_ledger_make(&(struct sl_position){.next_offset = 5, .record_offset = 4});

    CHECK(sl_ledger_skip(ledger, 48));
    CHECK(sl_ledger_frontier(ledger) == 48 && sl_ledger_end(ledger) == 48);
    CHECK(!sl_ledger_skip(ledger, 3)); /* never back */
    CHECK(sl_ledger_end(ledger) == 48);
    CHECK(!deliver(ledger, 20) && deliver(ledger, 50));
    CHECK(sl_ledger_frontier(ledger) == 50);
    sl_ledger_free(ledger);
}

TEST(ledger_says_when_it_is_full)
{
    struct sl_ledger *ledger = sl_ledger_make(NULL);

    for (int64_t i = 0; i < (int64_t)SL_LEDGER_ENTRIES_MAX; i++) {
        CHECK(!sl_ledger_is_full(ledger));
        deliver(ledger, i);
        if (i > 0)
            sl_ledger_done(ledger, i);
    }
    CHECK(sl_ledger_is_full(ledger));
    CHECK(sl_ledger_beyond_count(ledger) == SL_LEDGER_ENTRIES_MAX - 1);
    sl_ledger_done(ledger, 0);
    CHECK(!sl_ledger_is_full(ledger) &&
          sl_ledger_frontier(ledger) == (int64_t)SL_LEDGER_ENTRIES_MAX);
    sl_ledger_free(ledger);
}

/* ------------------------------------------------------------------------------ the model */

struct model {
    bool exists[LOG_MAX];
    uint32_t applied[LOG_MAX];
    int64_t end;
    struct sl_position stored; /* completed points to `ranges` */
    struct sl_offset_range ranges[LOG_MAX];
    bool forgets_carried; /* the negative control: a position made without what was restored */
};

static void store(struct model *model, const struct sl_position *position)
{
    model->stored = *position;
    for (uint32_t i = 0; i < position->completed_count; i++)
        model->ranges[i] = position->completed[i];
    model->stored.completed = model->ranges;
}

static void check_position(const struct model *model, const struct sl_position *position)
{
    int64_t before = position->next_offset;

    for (int64_t o = 0; o < model->end && o < position->next_offset; o++)
        CHECK_THAT(!model->exists[o] || model->applied[o] == 1, "L1: %lld below the frontier",
                   (long long)o);
    for (uint32_t i = 0; i < position->completed_count; i++) {
        CHECK(position->completed[i].first >= before &&
              position->completed[i].first <= position->completed[i].last);
        before = position->completed[i].last + 1;
        for (int64_t o = position->completed[i].first;
             o <= position->completed[i].last && o < model->end; o++)
            CHECK_THAT(!model->exists[o] || model->applied[o] == 1, "L4: %lld in the set",
                       (long long)o);
    }
}

/* One batch of up to four random open records. */
static void run_batch(struct model *model, struct sl_ledger *ledger, int64_t *open,
                      uint32_t *open_count)
{
    uint32_t count = (uint32_t)(test_random() % 5);
    bool fails = test_random() % 6 == 0;
    int64_t batch[4];
    uint32_t n = 0;
    struct sl_position position;

    for (; n < count && n < 4 && *open_count > 0; n++) {
        uint32_t pick = (uint32_t)(test_random() % *open_count);

        batch[n] = open[pick];
        open[pick] = open[--*open_count];
        sl_ledger_stage(ledger, batch[n]);
    }
    sl_ledger_position(ledger, &position);
    if (fails) {
        sl_ledger_abort(ledger);
        for (uint32_t i = 0; i < n; i++)
            open[(*open_count)++] = batch[i];
        return;
    }
    for (uint32_t i = 0; i < n; i++)
        model->applied[batch[i]]++;
    if (model->forgets_carried && position.completed_count > 0 &&
        sl_ledger_beyond_count(ledger) == 0)
        position.completed_count = 0;
    else if (!model->forgets_carried)
        check_position(model, &position);
    if (position.next_offset >= 0)
        store(model, &position);
    sl_ledger_commit(ledger);
}

/* One process: from the stored position until a crash, or until all is done. True: done. */
static bool run_process(struct model *model)
{
    bool restored = model->stored.next_offset >= 0;
    struct sl_ledger *ledger = sl_ledger_make(restored ? &model->stored : NULL);
    int64_t at = restored ? model->stored.next_offset : 0, open[LOG_MAX];
    uint32_t open_count = 0, life = (uint32_t)(test_random() % 150);

    while (life-- > 0) {
        if (test_random() % 2 == 0 && at < model->end) {
            if (model->exists[at] && deliver(ledger, at))
                open[open_count++] = at;
            at++;
        } else {
            run_batch(model, ledger, open, &open_count);
        }
        if (at == model->end && open_count == 0)
            break;
    }
    sl_ledger_free(ledger);
    return at == model->end && open_count == 0;
}

static uint32_t run_model(unsigned long long seed, bool forgets_carried)
{
    struct model model = {.end = 50 + (int64_t)(seed % (LOG_MAX - 50)),
                          .forgets_carried = forgets_carried};
    uint32_t wrong = 0;

    test_seed(seed);
    model.stored.next_offset = -1;
    for (int64_t o = 0; o < model.end; o++)
        model.exists[o] = test_random() % 4 != 0;
    for (int rounds = 0; rounds < 1000 && !run_process(&model); rounds++)
        ;
    for (int64_t o = 0; o < model.end; o++)
        wrong += model.exists[o] && model.applied[o] != 1;
    return wrong;
}

TEST(ledger_L2_random_schedules_apply_each_record_once)
{
    for (unsigned long long seed = 1; seed <= 3000; seed++) {
        uint32_t wrong = run_model(seed, false);

        CHECK_THAT(wrong == 0, "seed %llu: %u records not applied exactly once", seed, wrong);
        if (wrong)
            return;
    }
}

TEST(ledger_control_forgetting_the_restored_set_is_seen)
{
    uint32_t wrong = 0;

    for (unsigned long long seed = 1; seed <= 200; seed++)
        wrong += run_model(seed, true);
    CHECK(wrong > 0);
}
