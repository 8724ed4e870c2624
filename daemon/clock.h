/* clock.h -- the daemon's two clocks. The pipeline has none: it is handed sl_daemon_clock. */
#ifndef SLUICE_CLOCK_H
#define SLUICE_CLOCK_H

#include <stdint.h>
#include <time.h>

#include <sluice/respond.h>

/* Time passed, for waits, deadlines and durations. */
static inline int64_t clock_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Time of day, Unix epoch: to compare with records' timestamps. It may jump. */
static inline int64_t clock_wall_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

extern const struct sl_clock sl_daemon_clock;

#endif
