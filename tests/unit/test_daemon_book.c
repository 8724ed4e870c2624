/* test_daemon_book.c -- partitions and where they stand: order, caught up, lag, questions that wait
 * for a position. */
#include "daemon/book.h"
#include "daemon/engine_internal.h"
#include "test.h"

static struct sl_part *add(struct sl_book *book, const char *topic, int32_t partition)
{
    struct sl_part *part = sl_book_find(book, sl_view_of(topic), partition, true);

    if (!part->ledger)
        part->ledger = sl_ledger_make(NULL);
    return part;
}

TEST(book_finds_what_was_entered_and_keeps_it_sorted)
{
    struct sl_book book;
    struct sl_part *b1, *a2, *a;

    sl_book_init(&book);
    b1 = add(&book, "b", 1);
    a2 = add(&book, "ab", 2);
    a = add(&book, "a", 10);
    CHECK(add(&book, "a", 9) != a && add(&book, "b", 1) == b1 && book.count == 4);
    CHECK(sl_book_find(&book, SL_VIEW("ab"), 2, false) == a2);
    CHECK(sl_book_find(&book, SL_VIEW("ab"), 3, false) == NULL);
    CHECK(sl_book_find(&book, SL_VIEW("abc"), 2, false) == NULL);
    CHECK(book.parts[0]->partition == 9 && book.parts[1] == a && book.parts[2] == a2 &&
          book.parts[3] == b1);
    for (int32_t i = 0; i < 100; i++)
        add(&book, "many", (i * 37) % 100);
    CHECK(book.count == 104 && sl_book_find(&book, SL_VIEW("many"), 77, false)->partition == 77);
    sl_book_fini(&book);
}

TEST(part_is_caught_up_by_the_end_event_not_by_arithmetic)
{
    struct sl_book book;
    struct sl_part *part;
    struct sl_fingerprint record = {.offset = 8};

    sl_book_init(&book);
    part = add(&book, "docs", 0);
    part->low = 0;
    part->high = part->target = 10; /* offset 9 is a transaction marker: never delivered */
    part->committed = 0;
    CHECK(!sl_part_settle(part) && sl_part_lag(part) == 10);
    sl_ledger_deliver(part->ledger, &record);
    part->eof_at = sl_ledger_end(part->ledger);
    CHECK(!sl_part_settle(part)); /* delivered, not stored */
    part->committed = 9;
    CHECK(sl_part_settle(part) && sl_part_lag(part) == 0);
    record.offset = 10; /* more came: caught up stays, lag is seen */
    sl_ledger_deliver(part->ledger, &record);
    part->high = 11;
    CHECK(sl_part_settle(part) && sl_part_lag(part) == 2);
    sl_book_fini(&book);
}

TEST(part_is_whole_up_to_when_the_end_it_reached_was_seen)
{
    struct sl_part part = {.committed = 5, .target = -1, .eof_at = -1, .mark_high = -1};

    sl_part_mark(&part, 10, 1000);
    sl_part_mark(&part, 20, 2000); /* the earlier mark stands until it is reached */
    CHECK(part.whole_ms == 0);
    part.committed = 10;
    sl_part_settle(&part);
    CHECK(part.whole_ms == 1000 && part.mark_high == -1);
    sl_part_mark(&part, 10, 3000); /* nothing new was written since */
    CHECK(part.whole_ms == 3000);
}

TEST(part_whose_log_begins_late_has_no_lag_before_it)
{
    struct sl_part part = {.low = 100, .high = 110, .committed = 5, .eof_at = -1};

    CHECK(sl_part_lag(&part) == 10);
    part.high = -1;
    CHECK(sl_part_lag(&part) == -1);
}

/* ------------------------------------------------------------------------------ min_position */

TEST(question_waits_for_each_position_and_not_longer)
{
    static struct sl_engine engine; /* zeroed; only the document book is used */
    struct sl_min_position wanted[] = {{SL_VIEW("docs"), 0, 5}, {SL_VIEW("docs"), 1, 0}};
    struct asked asked = {.question = {.min_positions = wanted, .min_position_count = 2},
                          .deadline_us = INT64_MAX};
    struct parking *parking = parking_open();
    struct sl_part *first, *second;

    sl_book_init(&engine.documents);
    CHECK(parking_must_wait(&engine, &asked)); /* a partition nobody has read yet */
    first = add(&engine.documents, "docs", 0);
    second = add(&engine.documents, "docs", 1);
    first->committed = 6;
    second->committed = 0;
    CHECK(parking_must_wait(&engine, &asked));
    parking_put(parking, &asked);
    CHECK(parking_count(parking) == 1 && parking_take(&engine, parking) == NULL);
    second->committed = 1; /* offset 0 is stored */
    CHECK(parking_take(&engine, parking) == &asked && parking_count(parking) == 0);
    second->committed = 0;
    asked.deadline_us = 0; /* long past */
    parking_put(parking, &asked);
    CHECK(parking_take(&engine, parking) == &asked);
    parking_close(&engine, parking);
    sl_book_fini(&engine.documents);
}
