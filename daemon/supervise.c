/*
 * supervise.c -- start, watch, reload, stop.
 *
 * Main's thread does nothing that can take long but starting and stopping the engine, so that a reload, a failure
 * and the watchdog are each seen within a quarter of a second. Ready means: configuration valid, index open, threads
 * up; a broker that cannot be reached is a status and /readyz 503, not a failed start.
 *
 * While the engine drains main is inside sl_engine_stop(); a second thread then takes the signals: a second SIGTERM
 * leaves at once, which is safe at any moment (what was not committed is read again), and the manager is asked for
 * time as long as there is something to wait for.
 */
#include "daemon/supervise.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "daemon/control.h"
#include "daemon/engine.h"
#include "daemon/http.h"
#include "daemon/log.h"
#include "daemon/metrics.h"
#include "daemon/notify.h"
#include "daemon/signals.h"

#define TICK_MS        250u
#define STATUS_MS      10000u
#define STARTING_MS    120000u
#define STOP_EXTEND_MS 15000u
#define REASON_BYTES   256u
#define CHANGING       "changing over to another generation of the index"

struct supervisor {
    struct sl_config *started; /* the engine's, until it is stopped */
    struct sl_config *current; /* what the last good reload said; == started before the first */
    struct sl_config *next;    /* what the engine is started with again, for another generation; NULL: `started` */
    pthread_mutex_t lock;      /* engine, next: those who show it are not stopped while it is started again */
    struct sl_engine *engine;  /* NULL: just now there is none */
    struct sl_http *http;
    struct sl_control *control;
    int signals;
    char rejected[200]; /* the last reload's first problem; "" = it was good */
    uint64_t status_ms, watchdog_ms;
    uint32_t watchdog_interval_ms;
    atomic_bool stopping;
};

static uint64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

static bool is_ready(void *context, char *reason, size_t size)
{
    struct supervisor *s = context;
    bool ready = false;

    if (atomic_load(&s->stopping)) {
        (void)snprintf(reason, size, "stopping");
        return false;
    }
    pthread_mutex_lock(&s->lock);
    if (s->engine != NULL)
        ready = sl_engine_ready(s->engine, reason, size);
    else
        (void)snprintf(reason, size, CHANGING);
    pthread_mutex_unlock(&s->lock);
    return ready;
}

static void status_json(void *context, struct sl_buffer *out)
{
    struct supervisor *s = context;

    pthread_mutex_lock(&s->lock);
    if (s->engine != NULL)
        sl_engine_status_json(s->engine, out);
    else
        sl_buffer_view(out, SL_VIEW("{\"state\": \"recovering\", \"ready\": false, \"reason\": \"" CHANGING
                                    "\", \"reindex\": {\"state\": \"switching\"}}"));
    pthread_mutex_unlock(&s->lock);
}

static enum sl_err is_absent(struct sl_error *err)
{
    return sl_fail(err, SL_AGAIN, "busy", CHANGING);
}

static enum sl_err compact(void *context, struct sl_error *err)
{
    struct supervisor *s = context;
    enum sl_err r;

    pthread_mutex_lock(&s->lock);
    r = s->engine != NULL ? sl_engine_compact(s->engine, err) : is_absent(err);
    pthread_mutex_unlock(&s->lock);
    return r;
}

/* The configuration file as it is now, for the engine's next life. */
static enum sl_err read_next(struct supervisor *s, struct sl_config **ret, struct sl_error *err)
{
    struct sl_buffer problems = {0};
    enum sl_err r = sl_config_read(s->started->file, ret, &problems, err);

    sl_buffer_fini(&problems);
    if (r == SL_OK && strcmp((*ret)->index.path, s->started->index.path) != 0) {
        *ret = sl_config_free(*ret);
        r = sl_fail(err, SL_REJECT, "bad_config",
                    "[index] path is another in the file: another index needs a restart");
    }
    return r;
}

static enum sl_err change_engine(struct supervisor *s, const char *request, struct sl_error *err)
{
    struct sl_config *next = NULL;
    unsigned number = 0;
    enum sl_err r;

    if (sscanf(request, "generation drop %u", &number) == 1)
        return sl_engine_drop(s->engine, number, err);
    if (strcmp(request, "generation promote") == 0)
        return sl_engine_promote(s->engine, false, err);
    if (strcmp(request, "generation promote force") == 0)
        return sl_engine_promote(s->engine, true, err);
    r = read_next(s, &next, err);
    if (r == SL_OK && sscanf(request, "generation rollback %u", &number) == 1)
        r = sl_engine_rollback(s->engine, number, err);
    else if (r == SL_OK && (strcmp(request, "reindex") == 0 || strcmp(request, "reindex hold") == 0))
        r = sl_engine_reindex(s->engine, next, strcmp(request, "reindex") != 0, err);
    else if (r == SL_OK)
        r = sl_fail(err, SL_REJECT, "bad_request", "%.60s: no such request", request);
    if (r != SL_OK) {
        sl_config_free(next);
        return r;
    }
    sl_config_free(s->next); /* of one that came to nothing */
    s->next = next;
    return SL_OK;
}

static enum sl_err change(void *context, const char *request, struct sl_error *err)
{
    struct supervisor *s = context;
    enum sl_err r;

    pthread_mutex_lock(&s->lock);
    r = s->engine != NULL ? change_engine(s, request, err) : is_absent(err);
    pthread_mutex_unlock(&s->lock);
    return r;
}

static void log_start(const struct supervisor *s)
{
    struct sl_view instance = sl_config_name(s->started->file);
    char name[256];

    (void)snprintf(name, sizeof name, "%.*s", SL_VIEW_ARG(instance));
    sl_log_configure(s->started->log.format, s->started->log.level, name);
    sl_log(SL_LOG_INFO, "starting", "sluiced %s, configuration %s, index %s", SLUICE_VERSION,
           s->started->file, s->started->index.path);
}

static void fail(const struct sl_error *err)
{
    sl_log_error(SL_LOG_ERROR, "failed", err);
    sl_notify_errno(err->foreign_code > 0 && err->foreign_code < 200 ? err->foreign_code : 0, "%s",
                    err->message);
}

/* A person's convenience: without it the daemon still works, so a failure is a warning. */
static void control_start(struct supervisor *s, const struct sl_status_source *source)
{
    char path[SL_CONTROL_PATH_BYTES_MAX];
    struct sl_error err = {0};

    if (sl_control_listen_path(s->started, path, sizeof path, &err) != SL_OK ||
        sl_control_start(path, source, &s->control, &err) != SL_OK)
        sl_log_error(SL_LOG_WARNING, "control_socket_off", &err);
}

/* 0, or the exit code. */
static int start(struct supervisor *s)
{
    const struct sl_status_source source = {is_ready, status_json, s, compact, change};
    struct sl_error err = {0};

    sl_notify_status("starting: opening the model and the index");
    sl_notify_extend(STARTING_MS);
    if (sl_engine_start(s->started, &s->engine, &err) != SL_OK) {
        fail(&err);
        return err.exit_code;
    }
    control_start(s, &source);
    if (s->started->http.listen[0] != '\0' &&
        sl_http_start(s->started->http.listen, &source, &s->http, &err) != SL_OK) {
        fail(&err);
        return err.exit_code;
    }
    return 0;
}

static void set_state(const char *now)
{
    static const char *const states[] = {"recovering", "serving", "draining"};

    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++)
        sl_metric_set_label(SL_METRIC_STATE, states[i], strcmp(states[i], now) == 0);
}

/* One line for `systemctl status`, and the two gauges that say the same. */
static void status_show(struct supervisor *s)
{
    char reason[REASON_BYTES] = "";
    bool ready = is_ready(s, reason, sizeof reason);

    sl_metric_set(SL_METRIC_READY, ready);
    set_state(ready ? "serving" : "recovering");
    sl_notify_status("%s%s%s%s%s", ready ? "serving: " : "not ready: ", reason,
                     s->rejected[0] != '\0' ? "; the configuration file was rejected (" : "",
                     s->rejected, s->rejected[0] != '\0' ? "), the old one is in use" : "");
}

static void lines_log(enum sl_log_level level, const char *event, char *lines)
{
    char *rest = NULL;

    for (char *line = strtok_r(lines, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest))
        sl_log(level, event, "%s", line);
}

static void reload_rejected(struct supervisor *s, struct sl_buffer *problems,
                            const struct sl_error *err)
{
    const char *first = problems->size > 0 ? problems->data : err->message;

    (void)snprintf(s->rejected, sizeof s->rejected, "%.*s", (int)strcspn(first, "\n"), first);
    sl_metric_add_label(SL_METRIC_CONFIG_RELOADS, "rejected", 1);
    sl_log(SL_LOG_ERROR, "config_rejected", "%s; the old configuration stays", err->message);
    if (problems->size > 0)
        lines_log(SL_LOG_ERROR, "config_problem", problems->data);
}

static void reload_taken(struct supervisor *s, struct sl_config *config)
{
    struct sl_view instance = sl_config_name(config->file);
    struct sl_buffer restart = {0};
    char name[256];

    (void)snprintf(name, sizeof name, "%.*s", SL_VIEW_ARG(instance));
    sl_log_configure(config->log.format, config->log.level, name);
    sl_engine_reload(s->engine, config);
    sl_config_restart_needed(s->started, config, &restart);
    if (restart.size > 0)
        sl_log(SL_LOG_WARNING, "restart_needed", "changed, but taken over by a restart only: %s",
               restart.data);
    sl_buffer_fini(&restart);
    if (s->current != s->started)
        sl_config_free(s->current);
    s->current = config;
    s->rejected[0] = '\0';
    sl_metric_add_label(SL_METRIC_CONFIG_RELOADS, "ok", 1);
    sl_metric_set(SL_METRIC_CONFIG_LAST_RELOAD_SUCCESS, (double)time(NULL));
    sl_log(SL_LOG_NOTICE, "config_reloaded", "%s taken over", config->file);
}

/* All or nothing: a file with a single problem changes nothing. */
static void reload(struct supervisor *s)
{
    struct sl_config *config = NULL;
    struct sl_buffer problems = {0};
    struct sl_error err = {0};

    sl_notify_reloading("reading %s again", s->started->file);
    if (sl_config_read(s->started->file, &config, &problems, &err) == SL_OK)
        reload_taken(s, config);
    else
        reload_rejected(s, &problems, &err);
    sl_buffer_fini(&problems);
    sl_notify_ready("configuration %s", s->rejected[0] != '\0' ? "rejected" : "taken over");
    status_show(s);
}

static void timers(struct supervisor *s)
{
    uint64_t now = now_ms();

    if (s->watchdog_interval_ms > 0 && now - s->watchdog_ms >= s->watchdog_interval_ms) {
        const char *loop;
        uint64_t age_ms;
        s->watchdog_ms = now;
        if (!sl_watchdog_ping() && !sl_heartbeats_fresh(&loop, &age_ms))
            sl_log(SL_LOG_ERROR, "loop_stuck", "the %s loop has not moved for %llu ms", loop,
                   (unsigned long long)age_ms);
    }
    if (now - s->status_ms >= STATUS_MS) {
        s->status_ms = now;
        if (s->watchdog_interval_ms == 0)
            (void)sl_heartbeats_fresh(NULL, NULL); /* for the gauges */
        status_show(s);
    }
}

static int engine_stop(struct supervisor *s, struct sl_engine *engine);

/* The engine changes over to another generation: stopped, and started as if the program had been. Returns 0, or the
 * exit code. */
static int start_again(struct supervisor *s)
{
    struct sl_engine *engine = s->engine;
    struct sl_error err = {0};
    int exit_code;

    sl_notify_status(CHANGING);
    pthread_mutex_lock(&s->lock);
    s->engine = NULL;
    pthread_mutex_unlock(&s->lock);
    exit_code = engine_stop(s, engine);
    if (exit_code != 0)
        return exit_code;
    if (s->next != NULL) {
        if (s->current != s->started)
            sl_config_free(s->current);
        sl_config_free(s->started);
        s->started = s->current = s->next;
        s->next = NULL;
    }
    if (sl_engine_start(s->started, &engine, &err) != SL_OK) {
        fail(&err);
        return err.exit_code;
    }
    pthread_mutex_lock(&s->lock);
    s->engine = engine;
    pthread_mutex_unlock(&s->lock);
    status_show(s);
    return 0;
}

/* Until a signal or a failure ends it. Returns 0, or the exit code. */
static int run(struct supervisor *s)
{
    struct sl_error err = {0};
    int exit_code;

    for (;;) {
        int signal_number = sl_signals_next(s->signals, TICK_MS);

        if (signal_number == SIGHUP)
            reload(s);
        if (signal_number == SIGTERM || signal_number == SIGINT) {
            sl_log(SL_LOG_NOTICE, "stopping", "asked to stop; finishing what is under way");
            sl_notify_stopping("finishing what is under way");
            return 0;
        }
        if (sl_engine_failed(s->engine, &err)) {
            fail(&err);
            sl_notify_stopping("failed: %s", err.message);
            return 0;
        }
        if (sl_engine_wants_restart(s->engine) && (exit_code = start_again(s)) != 0)
            return exit_code;
        timers(s);
    }
}

/* While main waits for the engine: signals, and time from the manager. Ended by the write end of a pipe. */
struct drain {
    int signals;
    atomic_bool done;
};

static void *drain_watch(void *argument)
{
    struct drain *drain = argument;
    uint64_t asked_ms = 0;

    while (!atomic_load(&drain->done)) {
        int signal_number = sl_signals_next(drain->signals, 100);

        if (signal_number == SIGTERM || signal_number == SIGINT) {
            sl_log(SL_LOG_WARNING, "stopping_now", "asked again; leaving at once, what is not "
                                                   "committed will be read again");
            _exit(SL_EXIT_TEMPORARY);
        }
        if (now_ms() - asked_ms >= STOP_EXTEND_MS / 3) {
            asked_ms = now_ms();
            sl_notify_extend(STOP_EXTEND_MS);
            (void)sl_watchdog_ping();
        }
    }
    return NULL;
}

/* With the signals and the manager looked after meanwhile. Returns the exit code. */
static int engine_stop(struct supervisor *s, struct sl_engine *engine)
{
    struct drain drain = {.signals = s->signals};
    pthread_t watcher;
    bool watched = pthread_create(&watcher, NULL, drain_watch, &drain) == 0;
    int exit_code = sl_engine_stop(engine, SL_DRAIN_MS);

    atomic_store(&drain.done, true);
    if (watched)
        (void)pthread_join(watcher, NULL);
    return exit_code;
}

/* Engine last: the others show its figures. Returns the exit code. */
static int stop(struct supervisor *s)
{
    atomic_store(&s->stopping, true);
    set_state("draining");
    sl_metric_set(SL_METRIC_READY, 0);
    s->http = sl_http_stop(s->http);
    s->control = sl_control_stop(s->control);
    return engine_stop(s, s->engine);
}

int sl_supervise(struct sl_config *config, int signals)
{
    struct supervisor s = {.started = config,
                           .current = config,
                           .signals = signals,
                           .watchdog_interval_ms = sl_watchdog_interval_ms()};
    int exit_code, stopped;

    pthread_mutex_init(&s.lock, NULL);
    log_start(&s);
    sl_metric_set(SL_METRIC_START_TIME, (double)time(NULL));
    exit_code = start(&s);
    if (exit_code == 0) {
        sl_notify_ready("started");
        sl_log(SL_LOG_NOTICE, "started", "serving questions as soon as Kafka answers");
        status_show(&s);
        exit_code = run(&s);
    }
    stopped = stop(&s);
    if (exit_code == 0)
        exit_code = stopped;
    sl_log(exit_code == 0 ? SL_LOG_NOTICE : SL_LOG_ERROR, "stopped", "exit code %d", exit_code);
    if (s.current != s.started)
        sl_config_free(s.current);
    sl_config_free(s.started);
    sl_config_free(s.next);
    pthread_mutex_destroy(&s.lock);
    return exit_code;
}
