/*
 * pace.c -- see pace.h.
 *
 * The bucket: with capacity C, debt C/2 and r a second, no 60 seconds see more than 1.5 C + 60 r;
 * so r is what is left of the limit. A bucket filled at the full rate lets twice the limit through
 * in its first minute, which is what a server that counts by the minute answers with 429.
 *
 * The breaker counts what failed by the server's fault, not by a text's. Rejected: a breaker that
 * lets a share of the traffic through when half open. The traffic here may be one text that the
 * server dies of; the probe is a text of our own (endpoint.h).
 */
#include "pace.h"

#include <math.h>
#include <string.h>

#include <sluice/error.h>

#define MINUTE_US         60e6
#define BURST_SHARE       0.2 /* of a minute's limit, at once */
#define BREAKER_WAITS_MAX 12
#define RETRY_SHARE       0.2
#define RETRY_CREDIT_MAX  10.0
#define RETRY_EARN_US     10e6
#define MS_PER_DAY        86400000

/* ------------------------------------------------------------------------------ token bucket */

void sl_bucket_init(struct sl_bucket *bucket, double per_minute, int64_t now_us)
{
    *bucket = (struct sl_bucket){.at_us = now_us};
    if (per_minute <= 0)
        return;
    bucket->capacity = per_minute * BURST_SHARE > 1 ? floor(per_minute * BURST_SHARE) : 1;
    bucket->level = bucket->capacity;
    bucket->per_us =
        (per_minute - 1.5 * bucket->capacity + (bucket->capacity <= 1 ? 1 : 0)) / MINUTE_US;
}

int64_t sl_bucket_wait_us(struct sl_bucket *bucket, int64_t now_us, double amount, bool urgent)
{
    double missing;

    if (bucket->capacity <= 0)
        return 0;
    if (now_us > bucket->at_us)
        bucket->level = fmin(bucket->capacity,
                             bucket->level + (double)(now_us - bucket->at_us) * bucket->per_us);
    bucket->at_us = now_us > bucket->at_us ? now_us : bucket->at_us;
    missing = fmin(amount, bucket->capacity) - bucket->level - (urgent ? bucket->capacity / 2 : 0);
    return missing <= 0 ? 0 : (int64_t)ceil(missing / bucket->per_us);
}

void sl_bucket_take(struct sl_bucket *bucket, double amount)
{
    if (bucket->capacity > 0)
        bucket->level -= amount;
}

/* ------------------------------------------------------------------------------ circuit breaker */

void sl_breaker_init(struct sl_breaker *breaker, int64_t wait_us, uint32_t failed_in_row_max)
{
    *breaker = (struct sl_breaker){
        .wait_us = wait_us,
        .failed_in_row_max = failed_in_row_max > 0 ? failed_in_row_max : SL_BREAKER_CONSECUTIVE};
}

const char *sl_breaker_name(enum sl_breaker_state state)
{
    static const char *const names[] = {"closed", "half_open", "open"};

    return names[state];
}

enum sl_breaker_word sl_breaker_ask(struct sl_breaker *breaker, int64_t now_us, int64_t probe_us)
{
    if (breaker->state == SL_BREAKER_CLOSED)
        return SL_BREAKER_GO;
    if (now_us < breaker->until_us)
        return SL_BREAKER_WAIT;
    breaker->state = SL_BREAKER_HALF_OPEN;
    breaker->until_us = now_us + probe_us;
    return SL_BREAKER_PROBE;
}

void sl_breaker_trip(struct sl_breaker *breaker, int64_t now_us, double chance)
{
    int64_t times = 1;

    for (uint32_t i = 0; i < breaker->opened_in_row && times < BREAKER_WAITS_MAX; i++)
        times *= 2;
    times = times < BREAKER_WAITS_MAX ? times : BREAKER_WAITS_MAX;
    breaker->state = SL_BREAKER_OPEN;
    breaker->opened_in_row++;
    breaker->until_us = now_us + breaker->wait_us * times +
                        (int64_t)((double)(breaker->wait_us * times) * chance / 2);
}

static void close_breaker(struct sl_breaker *breaker)
{
    breaker->state = SL_BREAKER_CLOSED;
    breaker->opened_in_row = breaker->failed_in_row = 0;
    memset(breaker->cells, 0, sizeof breaker->cells);
}

static bool too_many_failed(const struct sl_breaker *breaker, int64_t second)
{
    uint32_t succeeded = 0, failed = 0;

    for (uint32_t i = 0; i < SL_BREAKER_CELLS; i++)
        if (breaker->cells[i].second > second - (int64_t)SL_BREAKER_CELLS) {
            succeeded += breaker->cells[i].succeeded;
            failed += breaker->cells[i].failed;
        }
    return breaker->failed_in_row >= breaker->failed_in_row_max ||
           (succeeded + failed >= SL_BREAKER_SAMPLE && failed >= succeeded);
}

void sl_breaker_tell(struct sl_breaker *breaker, int64_t now_us, bool succeeded, double chance)
{
    int64_t second = now_us / 1000000;
    uint32_t i = (uint32_t)(second % SL_BREAKER_CELLS);

    SL_PRE(now_us >= 0);
    if (breaker->state == SL_BREAKER_OPEN)
        return;
    if (breaker->state == SL_BREAKER_HALF_OPEN && succeeded)
        close_breaker(breaker);
    if (breaker->cells[i].second != second)
        memset(&breaker->cells[i], 0, sizeof breaker->cells[i]);
    breaker->cells[i].second = second;
    breaker->cells[i].succeeded += succeeded;
    breaker->cells[i].failed += !succeeded;
    breaker->failed_in_row = succeeded ? 0 : breaker->failed_in_row + 1;
    if (!succeeded && (breaker->state == SL_BREAKER_HALF_OPEN || too_many_failed(breaker, second)))
        sl_breaker_trip(breaker, now_us, chance);
}

/* ------------------------------------------------------------------------------ retries */

int64_t sl_retry_wait_us(uint32_t attempt, int64_t base_us, int64_t cap_us, int64_t asked_us,
                         double chance)
{
    int64_t most = base_us;

    for (uint32_t i = 0; i < attempt && most < cap_us; i++)
        most *= 2;
    most = (int64_t)((double)(most < cap_us ? most : cap_us) * chance);
    return most > asked_us ? most : asked_us;
}

void sl_retry_budget_init(struct sl_retry_budget *budget, int64_t now_us)
{
    *budget = (struct sl_retry_budget){RETRY_CREDIT_MAX, now_us};
}

void sl_retry_budget_earn(struct sl_retry_budget *budget)
{
    budget->credit = fmin(RETRY_CREDIT_MAX, budget->credit + RETRY_SHARE);
}

bool sl_retry_budget_take(struct sl_retry_budget *budget, int64_t now_us)
{
    if (now_us > budget->at_us)
        budget->credit = fmin(RETRY_CREDIT_MAX,
                              budget->credit + (double)(now_us - budget->at_us) / RETRY_EARN_US);
    budget->at_us = now_us > budget->at_us ? now_us : budget->at_us;
    if (budget->credit < 1)
        return false;
    budget->credit -= 1;
    return true;
}

/* ------------------------------------------------------------------------------ ceiling a day */

static void turn_day(struct sl_spending *spending, int64_t wall_ms)
{
    int64_t day = wall_ms / MS_PER_DAY;

    if (day > spending->day) {
        spending->day = day;
        spending->tokens = 0;
    }
}

bool sl_spending_allows(struct sl_spending *spending, int64_t wall_ms, uint64_t tokens)
{
    turn_day(spending, wall_ms);
    return spending->tokens_max == 0 || (spending->tokens < spending->tokens_max &&
                                         tokens <= spending->tokens_max - spending->tokens);
}

void sl_spending_add(struct sl_spending *spending, int64_t wall_ms, int64_t tokens)
{
    turn_day(spending, wall_ms);
    if (tokens < 0 && (uint64_t)-tokens > spending->tokens)
        spending->tokens = 0;
    else
        spending->tokens = (uint64_t)((int64_t)spending->tokens + tokens);
}
