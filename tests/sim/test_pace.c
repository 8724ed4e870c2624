/*
 * test_pace.c -- limits, breaker and retries of a server that is asked, under one seed and a
 * simulated clock.
 *
 * The arithmetic is the daemon's own (net/pace.h); around it callers with batches, and a server
 * that works, fails for a while or now and then, asks for patience, and counts what it sees. One
 * seed decides all of it. A run is unsafe for twenty minutes and then left in peace. Checked:
 *
 *     P1  no 60 seconds see more requests or tokens than allowed
 *     P2  retries are at most a fifth of the first attempts, one in ten seconds, and ten a closing
 * of the breaker P3  while the server is down it is asked at most once in the breaker's time, after
 * what it takes to open P4  what the server asked for is waited for P5  a day's tokens are never
 * more than the ceiling P6  in peace every batch gets through, unless the ceiling is reached
 *
 * With one mechanism taken out (--break NAME) a run must be caught; ctest runs each of them.
 * (Without the breaker the budget of retries would still hold most back: it goes with it.)
 *
 *     test_pace [--seeds N] [--from SEED] [--break NAME]
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/error.h>

#include "net/pace.h"

#define SECOND    INT64_C(1000000)
#define MINUTE    (60 * SECOND)
#define CALLERS   6u
#define SEEN_MAX  400000u
#define UNSAFE_US (20 * MINUTE)
#define PEACE_US  (180 * MINUTE)

enum broken {
    BROKEN_NOTHING,
    BROKEN_BUCKET,
    BROKEN_BREAKER,
    BROKEN_RETRIES,
    BROKEN_PATIENCE,
    BROKEN_CEILING
};
static const char *const broken_names[] = {"nothing", "bucket",   "breaker",
                                           "retries", "patience", "ceiling"};

struct caller {
    bool busy; /* has a batch */
    bool sent; /* waits for the response */
    bool paid;
    bool probes;
    uint32_t tokens, attempt;
    int64_t not_before, answered; /* when it may, when the response comes */
};

struct seen {
    int64_t at;
    uint32_t tokens;
};

struct sim {
    uint64_t random;
    enum broken broken;
    int64_t now;
    /* the daemon's */
    struct sl_bucket requests, tokens;
    struct sl_breaker breaker;
    struct sl_retry_budget retries;
    struct sl_spending spending;
    int64_t held_until;
    struct caller callers[CALLERS];
    /* the server's */
    bool down, peace;
    uint32_t fails_percent;       /* while it is up */
    int64_t changes, asked_until; /* when it changes its mind; what it asked for */
    /* what was seen */
    double per_minute, tokens_per_minute;
    struct seen *seen;
    uint32_t seen_count, firsts, retried, closings;
    int64_t down_since, wait_us;
    uint32_t asked_while_down;
    uint64_t spent_today;
    int64_t day;
    const char *fault;
};

static uint64_t draw(struct sim *sim, uint64_t below)
{
    uint64_t z = (sim->random += 0x9E3779B97F4A7C15u);

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (z ^ (z >> 31)) % below;
}

static double chance(struct sim *sim)
{
    return (double)draw(sim, 1u << 30) / (double)(1u << 30);
}

static void expect(struct sim *sim, bool condition, const char *fault)
{
    if (!condition && sim->fault == NULL)
        sim->fault = fault;
}

static int64_t wall_ms(const struct sim *sim)
{
    return INT64_C(86400000) * 20000 - 600000 + sim->now / 1000; /* ten minutes before midnight */
}

/* ------------------------------------------------------------------------------ what is seen */

/* P1: over the minute that ends now. */
static void check_minute(struct sim *sim)
{
    double requests = 0, tokens = 0;

    for (uint32_t i = sim->seen_count; i-- > 0 && sim->seen[i].at > sim->now - MINUTE;) {
        requests += 1;
        tokens += sim->seen[i].tokens;
    }
    expect(sim, sim->per_minute <= 0 || requests <= sim->per_minute,
           "P1: too many requests a minute");
    expect(sim, sim->tokens_per_minute <= 0 || tokens <= sim->tokens_per_minute + 1,
           "P1: too many tokens a minute");
}

static void see(struct sim *sim, const struct caller *caller)
{
    int64_t day = wall_ms(sim) / 86400000;
    double down_s = (double)(sim->now - sim->down_since) / 1e6;

    SL_INVARIANT(sim->seen_count < SEEN_MAX);
    sim->seen[sim->seen_count++] = (struct seen){sim->now, caller->tokens};
    check_minute(sim);
    expect(sim, sim->now >= sim->asked_until, "P4: the server had asked for patience");
    if (day != sim->day) {
        sim->day = day;
        sim->spent_today = 0;
    }
    sim->spent_today += caller->tokens;
    expect(sim, sim->spending.tokens_max == 0 || sim->spent_today <= sim->spending.tokens_max,
           "P5: more than the day's ceiling");
    if (sim->down)
        sim->asked_while_down++;
    expect(sim,
           !sim->down || sim->asked_while_down <= SL_BREAKER_SAMPLE + CALLERS +
                                                      down_s / ((double)sim->wait_us / 1e6) + 1,
           "P3: a server that is down was asked again and again");
}

/* ------------------------------------------------------------------------------ the callers */

static void begin_batch(struct sim *sim, struct caller *caller)
{
    if (sim->peace || draw(sim, 100) < 30)
        return;
    *caller = (struct caller){.busy = true, .tokens = 10 + (uint32_t)draw(sim, 400)};
    sl_retry_budget_earn(&sim->retries);
    caller->paid = true;
    sim->firsts++;
}

static bool may_go(struct sim *sim, struct caller *caller)
{
    if (sim->breaker.state != SL_BREAKER_CLOSED && sim->now < sim->breaker.until_us)
        return false;
    if (sim->now < caller->not_before)
        return false;
    if (sim->broken != BROKEN_PATIENCE && sim->now < sim->held_until)
        return false;
    if (sim->broken != BROKEN_CEILING &&
        !sl_spending_allows(&sim->spending, wall_ms(sim), caller->tokens))
        return false;
    if (sim->broken != BROKEN_BUCKET &&
        (sl_bucket_wait_us(&sim->requests, sim->now, 1, false) > 0 ||
         sl_bucket_wait_us(&sim->tokens, sim->now, caller->tokens, false) > 0))
        return false;
    if (!caller->paid && sim->broken != BROKEN_RETRIES && sim->broken != BROKEN_BREAKER &&
        !sl_retry_budget_take(&sim->retries, sim->now))
        return false;
    sim->retried += caller->attempt > 0;
    caller->paid = true;
    return true;
}

static void send(struct sim *sim, struct caller *caller)
{
    enum sl_breaker_word word;

    if (!may_go(sim, caller))
        return;
    word = sl_breaker_ask(&sim->breaker, sim->now, 5 * SECOND);
    SL_INVARIANT(word != SL_BREAKER_WAIT);
    sl_bucket_take(&sim->requests, 1);
    sl_bucket_take(&sim->tokens, caller->tokens);
    sl_spending_add(&sim->spending, wall_ms(sim), caller->tokens);
    caller->sent = true;
    caller->answered = sim->now + (int64_t)draw(sim, 400000);
    see(sim, caller);
}

static void receive(struct sim *sim, struct caller *caller)
{
    bool fails = !sim->peace && (sim->down || draw(sim, 100) < sim->fails_percent);
    enum sl_breaker_state before = sim->breaker.state;

    caller->sent = false;
    if (sim->broken != BROKEN_BREAKER)
        sl_breaker_tell(&sim->breaker, sim->now, !fails, chance(sim));
    if (before != SL_BREAKER_CLOSED && sim->breaker.state == SL_BREAKER_CLOSED) {
        sl_retry_budget_init(&sim->retries, sim->now);
        sim->closings++;
    }
    if (!fails) {
        caller->busy = false;
        return;
    }
    caller->paid = false;
    caller->attempt++;
    caller->not_before =
        sim->now + sl_retry_wait_us(caller->attempt % 4, 200000, 20 * SECOND, 0, chance(sim));
    if (draw(sim, 100) < 10) { /* Retry-After */
        sim->held_until = sim->asked_until = sim->now + (int64_t)draw(sim, 20) * SECOND;
    }
}

static void step(struct sim *sim)
{
    sim->now += 1 + (int64_t)draw(sim, 100000);
    if (!sim->peace && sim->now >= sim->changes) {
        sim->down = !sim->down && draw(sim, 2);
        sim->fails_percent = draw(sim, 2) ? 40 : 2;
        sim->down_since = sim->now;
        sim->asked_while_down = 0;
        sim->changes = sim->now + (int64_t)draw(sim, 180) * SECOND;
    }
    for (uint32_t i = 0; i < CALLERS; i++) {
        struct caller *caller = &sim->callers[i];

        if (!caller->busy)
            begin_batch(sim, caller);
        else if (caller->sent && sim->now >= caller->answered)
            receive(sim, caller);
        else if (!caller->sent)
            send(sim, caller);
    }
    expect(sim,
           sim->retried <= sim->firsts / 5.0 + (double)sim->now / 10e6 + 11.0 * (1 + sim->closings),
           "P2: too many retries");
}

/* ------------------------------------------------------------------------------ a run */

static bool all_done(const struct sim *sim)
{
    for (uint32_t i = 0; i < CALLERS; i++)
        if (sim->callers[i].busy)
            return false;
    return true;
}

static const char *run(uint64_t seed, enum broken broken, struct seen *seen)
{
    struct sim sim = {.random = seed, .broken = broken, .seen = seen};
    bool ceiling;

    sim.per_minute = draw(&sim, 3) ? (double)(1 + draw(&sim, 400)) : 0;
    sim.tokens_per_minute = draw(&sim, 3) ? (double)(5000 + draw(&sim, 100000)) : 0;
    sim.wait_us = (int64_t)(1 + draw(&sim, 20)) * SECOND / 2;
    sl_bucket_init(&sim.requests, sim.per_minute, 0);
    sl_bucket_init(&sim.tokens, sim.tokens_per_minute, 0);
    sl_breaker_init(&sim.breaker, sim.wait_us, 0);
    sl_retry_budget_init(&sim.retries, 0);
    sim.spending.tokens_max = draw(&sim, 3) ? 0 : 5000 + draw(&sim, 40000);
    while (sim.now < UNSAFE_US && sim.fault == NULL)
        step(&sim);
    sim.peace = true;
    sim.down = false;
    while (sim.now < UNSAFE_US + PEACE_US && !all_done(&sim) && sim.fault == NULL)
        step(&sim);
    ceiling = sim.spending.tokens_max > 0 || (sim.per_minute > 0 && sim.per_minute < 8);
    expect(&sim, ceiling || all_done(&sim), "P6: a batch never got through");
    return sim.fault;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"seeds", required_argument, NULL, 's'},
                                            {"from", required_argument, NULL, 'f'},
                                            {"break", required_argument, NULL, 'b'},
                                            {0}};
    uint64_t seeds = 200, from = 1, faults = 0;
    enum broken broken = BROKEN_NOTHING;
    struct seen *seen = calloc(SEEN_MAX, sizeof *seen);
    int option;

    SL_INVARIANT(seen != NULL);
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 's')
            seeds = strtoull(optarg, NULL, 10);
        else if (option == 'f')
            from = strtoull(optarg, NULL, 10);
        else if (option == 'b')
            while (strcmp(optarg, broken_names[broken]) != 0 && broken < BROKEN_CEILING)
                broken++;
        else
            return 64;
    }
    for (uint64_t seed = from; seed < from + seeds; seed++) {
        const char *fault = run(seed, broken, seen);

        if (fault != NULL && (faults++ < 3))
            printf("seed %" PRIu64 ": %s\n", seed, fault);
    }
    printf("%" PRIu64 " runs, %" PRIu64 " faults, broken: %s\n", seeds, faults,
           broken_names[broken]);
    if (broken == BROKEN_NOTHING)
        printf("PROVED {\"promise\": \"embedding.pace\", \"says\": \"limits, patience, retries and "
               "the day's ceiling "
               "hold, and all gets through\", \"runs\": %" PRIu64 ", \"faults\": %" PRIu64
               ", \"violations\": %" PRIu64 "}\n",
               seeds, seeds, faults);
    else
        printf(
            "PROVED {\"promise\": \"embedding.pace\", \"control\": true, \"violations\": %" PRIu64
            "}\n",
            faults);
    free(seen);
    return (broken == BROKEN_NOTHING) == (faults == 0) ? 0 : 1;
}
