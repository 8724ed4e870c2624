/*
 * notify.c -- sd_notify() and heartbeats.
 *
 * A watchdog fed by a timer thread shows that timers work. Here every loop leaves the time of its last beat in a
 * slot of its own, and the ping goes out only when all slots are fresh. Slots are a fixed array with atomic times:
 * beating costs one clock reading and one store, and takes no lock.
 */
#include "daemon/notify.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include <sluice/error.h>

#include "daemon/metrics.h"

#define IDLE UINT64_MAX

struct sl_heartbeat {
    const char *loop; /* NULL = free slot; under the lock */
    uint32_t limit_ms;
    _Atomic uint64_t beat_ms; /* IDLE = not watched */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct sl_heartbeat heartbeats[SL_HEARTBEATS_MAX];
static uint64_t (*clock_ms)(void);

static uint64_t monotonic_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

static uint64_t now_ms(void)
{
    return clock_ms != NULL ? clock_ms() : monotonic_us() / 1000u;
}

/* One STATUS line: controls would end the line and begin a command to the manager. */
static void status_text(char *text, size_t size, const char *format, va_list arguments)
{
    (void)vsnprintf(text, size, format, arguments);
    for (char *c = text; *c != '\0'; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7F)
            *c = '?';
}

#define STATUS_BYTES_MAX 512
#define STATUS(text)                                                                               \
    do {                                                                                           \
        va_list arguments;                                                                         \
        va_start(arguments, format);                                                               \
        status_text(text, sizeof text, format, arguments);                                         \
        va_end(arguments);                                                                         \
    } while (0)

void sl_notify_ready(const char *format, ...)
{
    char text[STATUS_BYTES_MAX];

    STATUS(text);
    (void)sd_notifyf(0, "READY=1\nSTATUS=%s", text);
}

void sl_notify_status(const char *format, ...)
{
    char text[STATUS_BYTES_MAX];

    STATUS(text);
    (void)sd_notifyf(0, "STATUS=%s", text);
}

void sl_notify_reloading(const char *format, ...)
{
    char text[STATUS_BYTES_MAX];

    STATUS(text);
    (void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu\nSTATUS=%s",
                     (unsigned long long)monotonic_us(), text);
}

void sl_notify_stopping(const char *format, ...)
{
    char text[STATUS_BYTES_MAX];

    STATUS(text);
    (void)sd_notifyf(0, "STOPPING=1\nSTATUS=%s", text);
}

void sl_notify_errno(int system_errno, const char *format, ...)
{
    char text[STATUS_BYTES_MAX];

    STATUS(text);
    (void)sd_notifyf(0, "ERRNO=%d\nSTATUS=%s", system_errno, text);
}

void sl_notify_extend(uint32_t ms)
{
    (void)sd_notifyf(0, "EXTEND_TIMEOUT_USEC=%llu", (unsigned long long)ms * 1000u);
}

struct sl_heartbeat *sl_heartbeat_open(const char *loop, uint32_t limit_ms)
{
    struct sl_heartbeat *made = NULL;

    SL_PRE(loop != NULL && limit_ms > 0);
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < SL_HEARTBEATS_MAX && made == NULL; i++)
        if (heartbeats[i].loop == NULL)
            made = &heartbeats[i];
    SL_INVARIANT(made != NULL);
    made->loop = loop;
    made->limit_ms = limit_ms;
    atomic_store(&made->beat_ms, now_ms());
    pthread_mutex_unlock(&lock);
    return made;
}

void sl_heartbeat_beat(struct sl_heartbeat *heartbeat)
{
    if (heartbeat != NULL)
        atomic_store_explicit(&heartbeat->beat_ms, now_ms(), memory_order_relaxed);
}

void sl_heartbeat_idle(struct sl_heartbeat *heartbeat)
{
    if (heartbeat != NULL)
        atomic_store_explicit(&heartbeat->beat_ms, IDLE, memory_order_relaxed);
}

struct sl_heartbeat *sl_heartbeat_close(struct sl_heartbeat *heartbeat)
{
    const char *loop;
    bool last = true;

    if (heartbeat == NULL)
        return NULL;
    pthread_mutex_lock(&lock);
    loop = heartbeat->loop;
    heartbeat->loop = NULL;
    for (size_t i = 0; i < SL_HEARTBEATS_MAX; i++)
        if (heartbeats[i].loop != NULL && strcmp(heartbeats[i].loop, loop) == 0)
            last = false;
    pthread_mutex_unlock(&lock);
    if (last)
        sl_metric_forget(SL_METRIC_LOOP_STALL, loop, NULL);
    return NULL;
}

struct age {
    const char *loop;
    uint64_t age_ms;
    bool stale;
};

static size_t ages_read(struct age *ages)
{
    uint64_t now = now_ms();
    size_t count = 0;

    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < SL_HEARTBEATS_MAX; i++) {
        uint64_t beat;
        if (heartbeats[i].loop == NULL)
            continue;
        beat = atomic_load_explicit(&heartbeats[i].beat_ms, memory_order_relaxed);
        ages[count].loop = heartbeats[i].loop;
        ages[count].age_ms = beat == IDLE || beat > now ? 0 : now - beat;
        ages[count].stale = ages[count].age_ms > heartbeats[i].limit_ms;
        count++;
    }
    pthread_mutex_unlock(&lock);
    return count;
}

/* Loops of one name share a gauge: the stalest of them counts. */
static void ages_publish(const struct age *ages, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t most = 0;
        for (size_t j = 0; j < count; j++)
            if (strcmp(ages[i].loop, ages[j].loop) == 0 && ages[j].age_ms > most)
                most = ages[j].age_ms;
        sl_metric_set_label(SL_METRIC_LOOP_STALL, ages[i].loop, (double)most / 1000);
    }
}

bool sl_heartbeats_fresh(const char **ret_loop, uint64_t *ret_age_ms)
{
    struct age ages[SL_HEARTBEATS_MAX];
    size_t count = ages_read(ages);
    const struct age *worst = NULL;

    ages_publish(ages, count);
    for (size_t i = 0; i < count; i++)
        if (worst == NULL || (ages[i].stale && !worst->stale) ||
            (ages[i].stale == worst->stale && ages[i].age_ms > worst->age_ms))
            worst = &ages[i];
    if (ret_loop != NULL)
        *ret_loop = worst != NULL ? worst->loop : "";
    if (ret_age_ms != NULL)
        *ret_age_ms = worst != NULL ? worst->age_ms : 0;
    return worst == NULL || !worst->stale;
}

uint32_t sl_watchdog_interval_ms(void)
{
    uint64_t us = 0;
    uint64_t third;

    if (sd_watchdog_enabled(0, &us) <= 0)
        return 0;
    third = us / 3000u;
    return third == 0 ? 1 : third > UINT32_MAX ? UINT32_MAX : (uint32_t)third;
}

bool sl_watchdog_ping(void)
{
    if (!sl_heartbeats_fresh(NULL, NULL))
        return false;
    (void)sd_notify(0, "WATCHDOG=1");
    sl_metric_add(SL_METRIC_WATCHDOG_PINGS, 1);
    return true;
}

void sl_heartbeat_clock(uint64_t (*now)(void))
{
    clock_ms = now;
}
