/*
 * notify.h -- what the service manager is told, and the proof of life behind it.
 *
 * Without $NOTIFY_SOCKET every sl_notify_*() does nothing, so the same program runs in a shell or a container.
 *
 * A heartbeat belongs to one loop (a thread). The loop beats each time round; main pings the manager's watchdog
 * only while every loop's last beat is younger than that loop's own limit. One stuck thread is then a restart,
 * not a daemon that looks alive. A loop about to wait for as long as it takes (an empty queue) says
 * sl_heartbeat_idle() first: idle is not stuck.
 */
#ifndef SLUICE_NOTIFY_H
#define SLUICE_NOTIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sl_heartbeat;

#define SL_HEARTBEATS_MAX 64u

/*
 * Tell the manager. `format` makes the STATUS line.
 *
 * Owns:    nothing.
 * Thread:  any.
 * Blocks:  no.
 * Errors:  none: the manager may be absent.
 */
void sl_notify_ready(const char *format, ...) __attribute__((format(printf, 1, 2)));
void sl_notify_status(const char *format, ...) __attribute__((format(printf, 1, 2)));
void sl_notify_reloading(const char *format, ...) __attribute__((format(printf, 1, 2)));
void sl_notify_stopping(const char *format, ...) __attribute__((format(printf, 1, 2)));
void sl_notify_errno(int system_errno, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Ask for that much more time, from now, to start or to stop. */
void sl_notify_extend(uint32_t ms);

/*
 * Register a loop. Starts as if it had just beaten.
 *
 * Pre:     `loop` is a literal of lower-case letters (a metric label); at most SL_HEARTBEATS_MAX at once.
 * Owns:    caller gets it; close it with sl_heartbeat_close() when the loop ends on purpose. Several loops may
 *          share a name ("worker").
 * Thread:  any.
 * Blocks:  no.
 * Errors:  none
 */
struct sl_heartbeat *sl_heartbeat_open(const char *loop, uint32_t limit_ms);

/*
 * I am alive; I am about to wait without a limit (until the next beat nobody watches).
 *
 * Owns:    nothing.
 * Thread:  the loop's. NULL is fine (a unit under test).
 * Blocks:  no: one atomic store.
 * Errors:  none.
 */
void sl_heartbeat_beat(struct sl_heartbeat *heartbeat);
void sl_heartbeat_idle(struct sl_heartbeat *heartbeat);

/* Give it back. NULL is fine. Always returns NULL. */
struct sl_heartbeat *sl_heartbeat_close(struct sl_heartbeat *heartbeat);

/*
 * The stalest loop: true when all are within their limits. `ret_loop` (a literal) and `ret_age_ms` may be NULL.
 * Sets sluice_loop_stall_seconds{loop} of every loop.
 */
bool sl_heartbeats_fresh(const char **ret_loop, uint64_t *ret_age_ms);

/* How often to ping: a third of $WATCHDOG_USEC; 0 = the manager does not watch. */
uint32_t sl_watchdog_interval_ms(void);

/* Ping if every loop is fresh; else say nothing and return false. Counts sluice_watchdog_pings_total. */
bool sl_watchdog_ping(void);

/* Tests: milliseconds of this clock instead of CLOCK_MONOTONIC; NULL ends it. */
void sl_heartbeat_clock(uint64_t (*now_ms)(void));

#endif
