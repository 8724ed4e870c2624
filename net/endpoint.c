/*
 * endpoint.c -- who may send now, and who waits.
 *
 * A caller waits by looking again: the lock is held for the arithmetic only, and all who wait sleep
 * until the earliest moment it can be their turn, in steps short enough to notice the end of the
 * program. A line in which each has its place would be fairer and buys nothing: callers carry
 * batches of the same kind.
 *
 * The day's tokens are counted by estimate when a request goes out and corrected when the server
 * has counted, so that requests under way together cannot pass the ceiling. Known weakness: the
 * count is in memory, and begins anew with the program.
 */
#include "endpoint.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define STEP_US        20000
#define BACKOFF_US     200000
#define BACKOFF_US_MAX 20000000
#define URGENT_WAIT_US 500000

struct sl_endpoint {
    struct sl_endpoint_options options;
    char name[24];
    pthread_mutex_t mutex; /* all below */
    struct sl_bucket requests, tokens;
    struct sl_breaker breaker;
    struct sl_retry_budget retries;
    struct sl_spending spending;
    int64_t held_until_us; /* the server asked for it */
    uint64_t budget_lacks; /* tokens that were asked for in vain; 0: none */
    uint64_t random;
    char why[200]; /* the last failure */
};

static int64_t now_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int64_t wall_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* [0, 1); splitmix64. */
static double chance(struct sl_endpoint *endpoint)
{
    uint64_t z = (endpoint->random += 0x9E3779B97F4A7C15u);

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

enum sl_err sl_endpoint_open(const struct sl_endpoint_options *options,
                             struct sl_endpoint **ret_endpoint, struct sl_error *err)
{
    struct sl_endpoint *endpoint = calloc(1, sizeof *endpoint);
    int64_t now;

    if (endpoint == NULL)
        return sl_stop(err, SL_EXIT_OS, 0, "memory", "%s: out of memory", options->name);
    endpoint->options = *options;
    (void)snprintf(endpoint->name, sizeof endpoint->name, "%s", options->name);
    now = now_us();
    if (getrandom(&endpoint->random, sizeof endpoint->random, GRND_NONBLOCK) < 0)
        endpoint->random = (uint64_t)now;
    pthread_mutex_init(&endpoint->mutex, NULL);
    sl_bucket_init(&endpoint->requests, (double)options->requests_per_minute, now);
    sl_bucket_init(&endpoint->tokens, (double)options->tokens_per_minute, now);
    sl_breaker_init(&endpoint->breaker, (int64_t)options->breaker_wait_ms * 1000,
                    options->failed_in_row_max);
    sl_retry_budget_init(&endpoint->retries, now);
    endpoint->spending.tokens_max = options->tokens_max_per_day;
    *ret_endpoint = endpoint;
    return SL_OK;
}

struct sl_endpoint *sl_endpoint_close(struct sl_endpoint *endpoint)
{
    if (endpoint == NULL)
        return NULL;
    pthread_mutex_destroy(&endpoint->mutex);
    free(endpoint);
    return NULL;
}

static void tell_breaker(const struct sl_endpoint *endpoint, enum sl_breaker_state before,
                         enum sl_breaker_state after, const char *why)
{
    const struct sl_endpoint_watch *watch = &endpoint->options.watch;

    if (before != after && watch->breaker != NULL)
        watch->breaker(watch->context, after, why);
}

/* ------------------------------------------------------------------------------ entering */

/* One who waits. */
struct turn {
    const struct sl_endpoint_ask *ask;
    int64_t until_us;      /* patience */
    int64_t not_before_us; /* backoff of this attempt */
    bool paid;             /* for the retry, or earned by the first attempt */
    const char *waits_for;
};

static enum sl_err hold(const struct sl_endpoint *endpoint, const char *what, struct sl_error *err,
                        const char *message)
{
    char reason[40];

    (void)snprintf(reason, sizeof reason, "%s_%s", endpoint->name, what);
    return sl_fail(err, SL_AGAIN, reason, "%s: %s", endpoint->name, message);
}

static bool retry_is_due(struct sl_endpoint *endpoint, struct turn *turn, int64_t now)
{
    if (now < turn->not_before_us)
        return false;
    if (turn->paid)
        return true;
    if (turn->ask->attempt == 0)
        sl_retry_budget_earn(&endpoint->retries);
    turn->paid = turn->ask->attempt == 0 || sl_retry_budget_take(&endpoint->retries, now);
    return turn->paid;
}

/* How long still, by the limits; 0: now, and it is taken. */
static int64_t take_turn(struct sl_endpoint *endpoint, struct turn *turn, int64_t now)
{
    double tokens = (double)turn->ask->tokens;
    bool urgent = turn->ask->urgent;
    int64_t requests_us = sl_bucket_wait_us(&endpoint->requests, now, 1, urgent);
    int64_t tokens_us = sl_bucket_wait_us(&endpoint->tokens, now, tokens, urgent);
    int64_t held_us = endpoint->held_until_us - now;
    int64_t wait_us = requests_us > tokens_us ? requests_us : tokens_us;

    turn->waits_for = held_us > wait_us ? "retry_after" : "rate";
    wait_us = held_us > wait_us ? held_us : wait_us;
    if (wait_us <= 0 && !retry_is_due(endpoint, turn, now)) {
        turn->waits_for = "backoff";
        return turn->not_before_us > now ? turn->not_before_us - now : STEP_US;
    }
    if (wait_us > 0)
        return wait_us;
    sl_bucket_take(&endpoint->requests, 1);
    sl_bucket_take(&endpoint->tokens, tokens);
    return 0;
}

/* Under the lock: SL_OK with *ret_wait_us 0 when it may go. */
static enum sl_err look(struct sl_endpoint *endpoint, struct turn *turn, int64_t *ret_wait_us,
                        bool *ret_probe, struct sl_error *err)
{
    int64_t now = now_us();
    enum sl_breaker_word word;

    if (!sl_spending_allows(&endpoint->spending, wall_ms(), turn->ask->tokens)) {
        endpoint->budget_lacks = turn->ask->tokens;
        return hold(endpoint, "budget", err, "the tokens allowed for today are spent");
    }
    if (now < endpoint->breaker.until_us && endpoint->breaker.state != SL_BREAKER_CLOSED)
        return hold(endpoint, "breaker", err, endpoint->why);
    *ret_wait_us = take_turn(endpoint, turn, now);
    if (*ret_wait_us > 0)
        return SL_OK;
    word = sl_breaker_ask(&endpoint->breaker, now, (int64_t)endpoint->options.probe_ms * 1000);
    SL_INVARIANT(word != SL_BREAKER_WAIT);
    *ret_probe = word == SL_BREAKER_PROBE;
    sl_spending_add(&endpoint->spending, wall_ms(), (int64_t)turn->ask->tokens);
    return SL_OK;
}

static bool is_cancelled(const struct sl_endpoint *endpoint)
{
    return endpoint->options.cancelled != NULL && atomic_load(endpoint->options.cancelled);
}

static void sleep_us(int64_t us)
{
    struct timespec time = {0, (us < STEP_US ? us : STEP_US) * 1000};

    (void)nanosleep(&time, NULL);
}

/* The lock is held. */
static void begin_turn(struct sl_endpoint *endpoint, struct turn *turn)
{
    const struct sl_endpoint_ask *ask = turn->ask;
    int64_t now = now_us();

    turn->until_us = now + (ask->urgent && ask->patience_us > URGENT_WAIT_US ? URGENT_WAIT_US
                                                                             : ask->patience_us);
    if (ask->attempt > 0)
        turn->not_before_us = now + sl_retry_wait_us(ask->attempt - 1, BACKOFF_US, BACKOFF_US_MAX,
                                                     ask->asked_us, chance(endpoint));
}

enum sl_err sl_endpoint_enter(struct sl_endpoint *endpoint, const struct sl_endpoint_ask *ask,
                              bool *ret_probe, struct sl_error *err)
{
    const struct sl_endpoint_watch *watch = &endpoint->options.watch;
    struct turn turn = {.ask = ask};
    enum sl_breaker_state before, after;
    int64_t wait_us = 0;
    enum sl_err e;

    pthread_mutex_lock(&endpoint->mutex);
    begin_turn(endpoint, &turn);
    for (;;) {
        *ret_probe = false;
        before = endpoint->breaker.state;
        e = look(endpoint, &turn, &wait_us, ret_probe, err);
        after = endpoint->breaker.state;
        if (!e && wait_us > 0 && (is_cancelled(endpoint) || now_us() + wait_us > turn.until_us))
            e = hold(endpoint, "throttled", err, "the server's limits leave no room just now");
        pthread_mutex_unlock(&endpoint->mutex);
        tell_breaker(endpoint, before, after, "");
        if (e || wait_us <= 0)
            return e;
        sleep_us(wait_us);
        if (watch->waited != NULL)
            watch->waited(watch->context, turn.waits_for, wait_us < STEP_US ? wait_us : STEP_US);
        pthread_mutex_lock(&endpoint->mutex);
    }
}

/* ------------------------------------------------------------------------------ leaving */

void sl_endpoint_leave(struct sl_endpoint *endpoint, const struct sl_endpoint_ask *ask,
                       enum sl_endpoint_outcome outcome, uint64_t tokens, int64_t retry_after_ms,
                       const char *why)
{
    enum sl_breaker_state before, after;
    int64_t now = now_us();
    char kept[sizeof endpoint->why];

    pthread_mutex_lock(&endpoint->mutex);
    before = endpoint->breaker.state;
    if (outcome != SL_ENDPOINT_SERVED)
        (void)snprintf(endpoint->why, sizeof endpoint->why, "%s", why);
    if (outcome == SL_ENDPOINT_BROKEN && before != SL_BREAKER_OPEN)
        sl_breaker_trip(&endpoint->breaker, now, chance(endpoint));
    else
        sl_breaker_tell(&endpoint->breaker, now, outcome == SL_ENDPOINT_SERVED, chance(endpoint));
    after = endpoint->breaker.state;
    if (after == SL_BREAKER_CLOSED && before != after) /* back: what was spent on it is forgiven */
        sl_retry_budget_init(&endpoint->retries, now);
    if (retry_after_ms > 0 && now + retry_after_ms * 1000 > endpoint->held_until_us)
        endpoint->held_until_us = now + retry_after_ms * 1000;
    sl_spending_add(&endpoint->spending, wall_ms(), (int64_t)tokens - (int64_t)ask->tokens);
    memcpy(kept, endpoint->why, sizeof kept);
    pthread_mutex_unlock(&endpoint->mutex);
    tell_breaker(endpoint, before, after, kept);
}

/* ------------------------------------------------------------------------------ looking */

const char *sl_endpoint_paused(struct sl_endpoint *endpoint)
{
    const char *paused = NULL;

    pthread_mutex_lock(&endpoint->mutex);
    if (sl_spending_allows(&endpoint->spending, wall_ms(), endpoint->budget_lacks))
        endpoint->budget_lacks = 0;
    if (endpoint->breaker.state != SL_BREAKER_CLOSED)
        paused = "breaker";
    else if (endpoint->budget_lacks > 0)
        paused = "budget";
    pthread_mutex_unlock(&endpoint->mutex);
    return paused;
}

enum sl_breaker_state sl_endpoint_state(struct sl_endpoint *endpoint)
{
    enum sl_breaker_state state;

    pthread_mutex_lock(&endpoint->mutex);
    state = endpoint->breaker.state;
    pthread_mutex_unlock(&endpoint->mutex);
    return state;
}

uint64_t sl_endpoint_tokens_today(struct sl_endpoint *endpoint)
{
    uint64_t tokens;

    pthread_mutex_lock(&endpoint->mutex);
    (void)sl_spending_allows(&endpoint->spending, wall_ms(), 0);
    tokens = endpoint->spending.tokens;
    pthread_mutex_unlock(&endpoint->mutex);
    return tokens;
}

void sl_endpoint_set_tokens_max(struct sl_endpoint *endpoint, uint64_t tokens_max_per_day)
{
    pthread_mutex_lock(&endpoint->mutex);
    endpoint->spending.tokens_max = tokens_max_per_day;
    pthread_mutex_unlock(&endpoint->mutex);
}
