/* test_daemon_queue.c -- the bounded queue, alone and between threads; the budget's marks. */
#include <pthread.h>
#include <stdint.h>

#include "daemon/budget.h"
#include "daemon/queue.h"
#include "test.h"

TEST(queue_keeps_order_and_bound)
{
    struct sl_queue *queue = sl_queue_make(3);
    int items[4];

    CHECK(sl_queue_push(queue, &items[0]) && sl_queue_push(queue, &items[1]));
    CHECK(sl_queue_push_front(queue, &items[2]));
    CHECK(!sl_queue_push(queue, &items[3]));
    CHECK(!sl_queue_push_front(queue, &items[3]));
    CHECK(sl_queue_count(queue) == 3);
    CHECK(sl_queue_pop(queue, 0) == &items[2]);
    CHECK(sl_queue_pop(queue, 0) == &items[0]);
    CHECK(sl_queue_push(queue, &items[3]));
    CHECK(sl_queue_pop(queue, 0) == &items[1] && sl_queue_pop(queue, 0) == &items[3]);
    CHECK(sl_queue_pop(queue, 0) == NULL && sl_queue_pop(queue, 5) == NULL);
    sl_queue_free(queue);
}

TEST(queue_lines_take_turns)
{
    struct sl_queue *queue = sl_queue_make(8);
    int a[4], b[2], c, head;

    for (int i = 0; i < 4; i++)
        CHECK(sl_queue_push_line(queue, &a[i], 5));
    CHECK(sl_queue_push_line(queue, &b[0], 0) && sl_queue_push_line(queue, &b[1], 0));
    CHECK(sl_queue_pop(queue, 0) == &a[0] && sl_queue_pop(queue, 0) == &b[0]);
    CHECK(sl_queue_push_line(queue, &c, 9)); /* whoever comes waits for one of each line */
    CHECK(sl_queue_push_front(queue, &head));
    CHECK(sl_queue_pop(queue, 0) == &head);
    CHECK(sl_queue_pop(queue, 0) == &a[1] && sl_queue_pop(queue, 0) == &b[1]);
    CHECK(sl_queue_pop(queue, 0) == &c);
    CHECK(sl_queue_pop(queue, 0) == &a[2] && sl_queue_pop(queue, 0) == &a[3]);
    CHECK(sl_queue_count(queue) == 0 && sl_queue_pop(queue, 0) == NULL);
    CHECK(sl_queue_push(queue, &c) && sl_queue_pop(queue, 0) == &c);
    sl_queue_free(queue);
}

TEST(queue_closed_gives_out_what_is_left)
{
    struct sl_queue *queue = sl_queue_make(2);
    int item;

    CHECK(sl_queue_push(queue, &item));
    sl_queue_close(queue);
    CHECK(!sl_queue_push(queue, &item));
    CHECK(sl_queue_pop(queue, -1) == &item);
    CHECK(sl_queue_pop(queue, -1) == NULL);
    CHECK(sl_queue_is_closed(queue));
    sl_queue_free(queue);
}

#define EACH 20000

static void *consume(void *queue)
{
    uintptr_t sum = 0;
    void *item;

    while ((item = sl_queue_pop(queue, -1)))
        sum += (uintptr_t)item;
    return (void *)sum;
}

TEST(queue_between_threads_loses_nothing)
{
    struct sl_queue *queue = sl_queue_make(EACH);
    pthread_t threads[3];
    uintptr_t sum = 0, expected = 0;
    void *part;

    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, consume, queue);
    for (uintptr_t i = 1; i <= EACH; i++) {
        expected += i;
        while (!sl_queue_push(queue, (void *)i))
            ;
    }
    sl_queue_close(queue);
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], &part);
        sum += (uintptr_t)part;
    }
    CHECK(sum == expected);
    sl_queue_free(queue);
}

TEST(budget_marks)
{
    struct sl_budget budget = {0};

    sl_budget_limit(&budget, 4, 1000, 10000);
    CHECK(!sl_budget_is_high(&budget) && sl_budget_is_low(&budget));
    sl_budget_add(&budget, SL_STAGE_LANES, 4, 400);
    CHECK(sl_budget_is_high(&budget));
    sl_budget_add(&budget, SL_STAGE_WORKERS, 1, 100);
    sl_budget_add(&budget, SL_STAGE_LANES, -1, -100);
    CHECK(sl_budget_documents(&budget) == 4 && sl_budget_bytes(&budget) == 400);
    sl_budget_add(&budget, SL_STAGE_WORKERS, -1, -100);
    CHECK(!sl_budget_is_high(&budget) && sl_budget_is_low(&budget));
    sl_budget_add(&budget, SL_STAGE_ANSWERERS, 1, 10000);
    CHECK(sl_budget_is_high(&budget) && !sl_budget_is_low(&budget));
}

TEST(budget_shares)
{
    struct sl_budget budget = {0};
    struct sl_share share = {0};

    sl_budget_limit(&budget, 80, 8000, 20000);
    sl_budget_reserve(&budget, 12000);
    CHECK(sl_budget_room(&budget) == 8000);
    share.items = 59;
    CHECK(!sl_budget_share_is_high(&budget, &share, 1));
    share.items = 60; /* three quarters */
    CHECK(sl_budget_share_is_high(&budget, &share, 1) && !sl_budget_share_is_low(&budget, &share, 1));
    share.items = 29; /* half of it */
    CHECK(sl_budget_share_is_low(&budget, &share, 1));
    CHECK(!sl_budget_share_is_low(&budget, &share, 2) && !sl_budget_share_is_high(&budget, &share, 2));
    share.bytes = 3000;
    CHECK(sl_budget_share_is_high(&budget, &share, 2));
    share.items = 0; /* nothing under way: it may always take one */
    CHECK(!sl_budget_share_is_high(&budget, &share, 1000) && sl_budget_share_is_low(&budget, &share, 1000));
    sl_budget_reserve(&budget, 1000000); /* never all of it */
    CHECK(sl_budget_room(&budget) == 5000);
}

TEST(budget_always_lets_one_document_through)
{
    struct sl_budget budget = {0};

    sl_budget_limit(&budget, 10, 1000, 1000);
    sl_budget_add(&budget, SL_STAGE_LANES, 2, 5000);
    CHECK(sl_budget_admits(&budget)); /* nothing is further on: whatever it weighs */
    sl_budget_add(&budget, SL_STAGE_EMBEDDER, 1, 10);
    CHECK(!sl_budget_admits(&budget));
    sl_budget_add(&budget, SL_STAGE_LANES, -2, -5000);
    CHECK(sl_budget_admits(&budget));
}
