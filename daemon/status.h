/*
 * status.h -- where the HTTP server, the control socket and the status line get what they show. The engine
 * fills it; nothing that shows it knows the engine.
 */
#ifndef SLUICE_STATUS_H
#define SLUICE_STATUS_H

#include <stdbool.h>
#include <stddef.h>

#include <sluice/error.h>
#include <sluice/view.h>

/*
 * The functions are called from any thread, at any time between start and stop of whoever holds the source,
 * and must not wait for disk or network.
 *
 * ready        true once caught up; else writes why not (one line, at most `size` bytes with the NUL).
 * status_json  appends one JSON object on one line (no newline inside or after it). What the status page reads:
 *              {"version","state","ready","reason","documents","chunks","vectors",
 *               "partitions":[{"topic","partition","next_offset","high_watermark","lag_records"}],
 *               "queues":[{"name","items","items_max","bytes","bytes_max"}],
 *               "records_per_s","answers_per_s","disk_bytes","model","uptime_s"}
 *              A missing member is shown as a dash; more members do no harm.
 * compact      begins what sl_engine_compact() does; NULL: not to be had here.
 * change       does or begins what a request says that begins with "reindex" or "generation" (control.h); NULL: not
 *              to be had here.
 */
struct sl_status_source {
    bool (*ready)(void *context, char *reason, size_t size);
    void (*status_json)(void *context, struct sl_buffer *out);
    void *context;
    enum sl_err (*compact)(void *context, struct sl_error *err);
    enum sl_err (*change)(void *context, const char *request, struct sl_error *err);
};

#endif
