/*
 * feed_pause.c -- which document partitions are not fetched, and since which mark.
 *
 * A partition pauses alone when it has its share under way (budget.h), so that a backlog in one
 * does not keep the records of another waiting; all pause when the index cannot be written or
 * nothing can be embedded, or when all together are at the high mark. Each has its low mark.
 * Polling goes on.
 *
 * librdkafka throws away what it has fetched of a partition that pauses, so a pause for every burst
 * would fetch some of it twice. When no other partition is read it is worth waiting a moment
 * without polling instead. When others are, it is not: their records stand in the client's one
 * queue behind those of the backlog, and are not even fetched while that is full.
 */
#include <stdlib.h>
#include <string.h>

#include "daemon/feed.h"
#include "net/embed_client.h"

#define SCAN_US     20000
#define PATIENCE_US 300000

static bool is_ledger_full(const struct sl_part *part)
{
    uint32_t entries = sl_ledger_open_count(part->ledger) + sl_ledger_beyond_count(part->ledger);

    return part->paused ? entries * 4ull > SL_LEDGER_ENTRIES_MAX * 3ull
                        : sl_ledger_is_full(part->ledger);
}

/* Why none is read, whatever it has under way. */
static const char *closed_word(struct sl_engine *engine)
{
    const char *full = engine->paused;

    if (engine->reindex.frozen)
        return "reindexing";
    return full ? full : sl_embed_paused(engine->embedder);
}

static const char *reason_of(struct sl_engine *engine, const struct sl_part *part, uint32_t active)
{
    const struct sl_budget *budget = &engine->budget;
    const char *full = closed_word(engine);
    bool share = part->paused ? !sl_budget_share_is_low(budget, &part->share, active)
                              : sl_budget_share_is_high(budget, &part->share, active);

    if (full)
        return full;
    return engine->feed->held || share || is_ledger_full(part) ? "inflight" : NULL;
}

static uint32_t active_count(const struct sl_book *book)
{
    uint32_t active = 0;

    for (uint32_t i = 0; i < book->count; i++)
        active += book->parts[i]->share.items > 0;
    return active;
}

/* What has changed: partitions to pause, partitions to resume. The lists are as long as the book.
 */
struct change {
    struct sl_kafka_partition *pause, *resume;
    uint32_t pause_count, resume_count;
    uint32_t free_count; /* of partitions that are read and go on being read */
};

static void look(struct sl_engine *engine, struct change *ret)
{
    struct sl_book *book = &engine->documents;
    uint32_t active;

    sl_book_lock(book);
    active = active_count(book);
    ret->pause = calloc(2u * book->count + 1u, sizeof(*ret->pause));
    SL_INVARIANT(ret->pause != NULL);
    ret->resume = ret->pause + book->count;
    for (uint32_t i = 0; i < book->count; i++) {
        const struct sl_part *part = book->parts[i];
        struct sl_kafka_partition at = {part->topic, part->partition, 0};
        bool pause = part->assigned && reason_of(engine, part, active);

        if (part->assigned && pause && !part->paused)
            ret->pause[ret->pause_count++] = at;
        else if (part->assigned && !pause && part->paused)
            ret->resume[ret->resume_count++] = at;
        else
            ret->free_count += part->assigned && !pause;
    }
    sl_book_unlock(book);
}

static void mark(struct sl_engine *engine, const struct sl_kafka_partition *list, uint32_t count,
                 const char *reason)
{
    sl_book_lock(&engine->documents);
    for (uint32_t i = 0; i < count; i++)
        sl_book_find(&engine->documents, sl_view_of(list[i].topic), list[i].partition, true)
            ->paused = reason;
    sl_book_unlock(&engine->documents);
}

/* The gauges, by reason; the index's reason may change while partitions stay paused. */
static void show(struct sl_engine *engine)
{
    static const char *const reasons[] = {"inflight", "disk_full", "map_full", "embed_breaker",
                                          "embed_budget"};
    enum { REASONS = sizeof(reasons) / sizeof(reasons[0]) };
    struct sl_book *book = &engine->documents;
    const char *full = closed_word(engine);
    double counts[REASONS] = {0};

    sl_book_lock(book);
    for (uint32_t i = 0; i < book->count; i++) {
        struct sl_part *part = book->parts[i];

        if (part->paused && full)
            part->paused = full;
        for (size_t r = 0; part->paused && r < REASONS; r++)
            counts[r] += strcmp(part->paused, reasons[r]) == 0;
    }
    sl_book_unlock(book);
    for (size_t r = 0; r < REASONS; r++)
        sl_metric_set_label(SL_METRIC_KAFKA_PARTITIONS_PAUSED, reasons[r], counts[r]);
}

static bool is_patient(struct feed *feed, const struct change *change, int64_t now)
{
    if (change->pause_count == 0 || change->resume_count + change->free_count > 0)
        return false;
    if (feed->high_us == 0)
        feed->high_us = now;
    return now - feed->high_us < PATIENCE_US;
}

static void apply(struct sl_engine *engine, const struct change *change)
{
    struct feed *feed = engine->feed;
    const char *full = closed_word(engine);

    if (change->pause_count > 0) {
        sl_kafka_in_pause(feed->in, change->pause, change->pause_count, NULL);
        mark(engine, change->pause, change->pause_count, full ? full : "inflight");
    }
    if (change->resume_count > 0) {
        sl_kafka_in_resume(feed->in, change->resume, change->resume_count, NULL);
        mark(engine, change->resume, change->resume_count, NULL);
    }
}

/* Every partition is looked at fifty times a second, and the one whose record came last each time.
 */
static bool is_due(struct sl_engine *engine, int64_t now)
{
    const struct feed *feed = engine->feed;

    return feed->high_us || now - feed->scan_us >= SCAN_US || sl_budget_is_high(&engine->budget) ||
           (feed->last && !feed->last->paused &&
            sl_budget_share_is_high(&engine->budget, &feed->last->share, 1));
}

bool feed_pause(struct sl_engine *engine)
{
    struct feed *feed = engine->feed;
    struct change change = {0};
    int64_t now = clock_us();
    bool wait;

    if (!is_due(engine, now))
        return false;
    feed->scan_us = now;
    feed->held =
        feed->held ? !sl_budget_is_low(&engine->budget) : sl_budget_is_high(&engine->budget);
    look(engine, &change);
    wait = is_patient(feed, &change, now);
    if (!wait) {
        feed->high_us = 0;
        apply(engine, &change);
        show(engine);
    }
    free(change.pause);
    return wait;
}
