/*
 * pace.h -- when a server may be asked: token buckets, circuit breaker, retries, a ceiling a day.
 * Arithmetic only: time and chance come in as numbers, so that tests run years of it in a second.
 *
 * Thread:  none of it locks; net/endpoint.c does.
 */
#ifndef SLUICE_PACE_H
#define SLUICE_PACE_H

#include <stdbool.h>
#include <stdint.h>

/* ------------------------------------------------------------------------------ token bucket */

/* At most `per_minute` in any 60 seconds, as long as no single amount is more than `capacity`. */
struct sl_bucket {
    double capacity; /* 0: no limit */
    double per_us;
    double level; /* in [-capacity / 2, capacity] */
    int64_t at_us;
};

void sl_bucket_init(struct sl_bucket *bucket, double per_minute, int64_t now_us);

/* How long until `amount` may be taken; 0: now. One that is `urgent` may go half a capacity into
 * debt. More than the capacity is asked for as the whole capacity. */
int64_t sl_bucket_wait_us(struct sl_bucket *bucket, int64_t now_us, double amount, bool urgent);
void sl_bucket_take(struct sl_bucket *bucket, double amount);

/* ------------------------------------------------------------------------------ circuit breaker */

#define SL_BREAKER_CELLS       30u /* seconds looked back on */
#define SL_BREAKER_CONSECUTIVE 10u
#define SL_BREAKER_SAMPLE      20u

enum sl_breaker_state { SL_BREAKER_CLOSED = 0, SL_BREAKER_HALF_OPEN, SL_BREAKER_OPEN };

/*
 * CLOSED     all may ask. Failures in a row, 10 unless set otherwise, or half of at least 20 in 30 seconds, open it.
 * OPEN       nobody may, for `wait` with jitter: [1, 1.5) of it; each time in a row it doubles, up
 * to 12 times. HALF_OPEN  one may ask; its success closes, its failure opens.
 */
struct sl_breaker {
    enum sl_breaker_state state;
    int64_t wait_us;  /* of the first time */
    int64_t until_us; /* OPEN: not before. HALF_OPEN: the probe is given up for lost */
    uint32_t failed_in_row_max;
    uint32_t opened_in_row;
    uint32_t failed_in_row;
    struct {
        int64_t second;
        uint32_t succeeded, failed;
    } cells[SL_BREAKER_CELLS];
};

enum sl_breaker_word { SL_BREAKER_GO = 1, SL_BREAKER_PROBE, SL_BREAKER_WAIT };

/* `failed_in_row_max` 0: SL_BREAKER_CONSECUTIVE. */
void sl_breaker_init(struct sl_breaker *breaker, int64_t wait_us, uint32_t failed_in_row_max);

/* May the server be asked? PROBE: this one alone, and its outcome must be told; after `probe_us`
 * another may. */
enum sl_breaker_word sl_breaker_ask(struct sl_breaker *breaker, int64_t now_us, int64_t probe_us);

/* What became of a request; `chance` in [0, 1). An outcome that comes while it is OPEN changes
 * nothing. */
void sl_breaker_tell(struct sl_breaker *breaker, int64_t now_us, bool succeeded, double chance);

/* Open it at once: asking again makes no sense. */
void sl_breaker_trip(struct sl_breaker *breaker, int64_t now_us, double chance);

const char *sl_breaker_name(enum sl_breaker_state state); /* closed, half_open, open */

/* ------------------------------------------------------------------------------ retries */

/* Full jitter: anything up to `base` doubled with each attempt, at most `cap`; never less than the
 * server asked for. */
int64_t sl_retry_wait_us(uint32_t attempt, int64_t base_us, int64_t cap_us, int64_t asked_us,
                         double chance);

/*
 * Retries are at most a fifth of the requests, and ten more: each first attempt earns a fifth of
 * one. While nothing else is asked one is earned every ten seconds, so that what waits for one gets
 * it.
 */
struct sl_retry_budget {
    double credit;
    int64_t at_us;
};

void sl_retry_budget_init(struct sl_retry_budget *budget, int64_t now_us);
void sl_retry_budget_earn(struct sl_retry_budget *budget); /* a first attempt */
bool sl_retry_budget_take(struct sl_retry_budget *budget, int64_t now_us);

/* ------------------------------------------------------------------------------ ceiling a day */

/* What was spent since midnight UTC. */
struct sl_spending {
    uint64_t tokens_max; /* 0: none */
    int64_t day;
    uint64_t tokens;
};

bool sl_spending_allows(struct sl_spending *spending, int64_t wall_ms, uint64_t tokens);
void sl_spending_add(struct sl_spending *spending, int64_t wall_ms,
                     int64_t tokens); /* negative: given back */

#endif
