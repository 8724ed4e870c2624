/*
 * engine.h -- everything of the daemon that works on records: what starts first, what stops last.
 *
 *     documents  feed -> lanes -> workers -> embedder -> workers -> indexer -> outbox -> publisher
 *     questions  asker -> answerers -> publisher
 *
 * main.c owns signals, systemd, HTTP and the control socket; it knows the engine by these calls
 * only. docs/FLOW.md has the stages one by one.
 */
#ifndef SLUICE_ENGINE_H
#define SLUICE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sluice/error.h>
#include <sluice/view.h>

#include "daemon/config.h"

struct sl_engine;

/*
 * Open the model and the index, then start all threads. A broker that cannot be reached is no
 * failure: the engine keeps trying and says so in its status.
 *
 * Pre:     signals main.c waits for are blocked, so that no thread of the engine takes them.
 * Owns:    caller gets *ret_engine; end it with sl_engine_stop(). `config` must live until then.
 * Thread:  main.
 * Blocks:  disk and CPU: loads the model, opens the index.
 * Errors:  SL_STOP  with the exit code to leave with: 78 configuration, model or foreign index; 73
 *                   locked;
 *                   77 permission; 74 io; 71 memory or threads
 */
enum sl_err sl_engine_start(const struct sl_config *config, struct sl_engine **ret_engine,
                            struct sl_error *err);

/*
 * Take over what may change while running: [retrieve] all, [index] ef_search, [answer] max_tokens
 * and deadline_ms, [workers] queue_items, queue_bytes and memory_budget, [documents] on_gap,
 * [queries] reply_topics, an embedding server's key and ceilings a day.
 *
 * Owns:    nothing of `config` is kept: it may be freed at once.
 * Thread:  main.
 * Blocks:  no.
 * Errors:  none.
 */
void sl_engine_reload(struct sl_engine *engine, const struct sl_config *config);

/*
 * Have the index written anew (sl_index_compact()) after the batch under way. What becomes of it is in the
 * status object, member `compaction`.
 *
 * Owns:    nothing.
 * Thread:  any.
 * Blocks:  no.
 * Errors:  SL_AGAIN  busy: one is under way, or the daemon is stopping
 */
enum sl_err sl_engine_compact(struct sl_engine *engine, struct sl_error *err);

/*
 * Make the index anew in the background for `config`, read from the same file again; with `hold` it waits for
 * sl_engine_promote(), as it does when golden questions find less in it; `forced`: whatever they say. Go back to a retired generation. Drop one. What becomes of it is in the status object,
 * member `reindex`.
 *
 * Owns:    `config` must live until the engine is stopped, and is what it is started with again.
 * Thread:  any.
 * Blocks:  drop: for a batch, at most a second; else no.
 * Errors:  SL_AGAIN   busy: one is under way, or the daemon is stopping
 *          SL_REJECT  not_found, in_use
 */
enum sl_err sl_engine_reindex(struct sl_engine *engine, const struct sl_config *config, bool hold,
                              struct sl_error *err);
enum sl_err sl_engine_promote(struct sl_engine *engine, bool forced, struct sl_error *err);
enum sl_err sl_engine_rollback(struct sl_engine *engine, uint32_t number, struct sl_error *err);
enum sl_err sl_engine_drop(struct sl_engine *engine, uint32_t number, struct sl_error *err);

/*
 * Is the engine to be stopped and started again, because another generation is ready to be used?
 *
 * Owns:    nothing.
 * Thread:  any.
 * Blocks:  no.
 * Errors:  none.
 */
bool sl_engine_wants_restart(struct sl_engine *engine);

/*
 * Has something happened that ends the program? Then *err says what, with its exit code.
 *
 * Owns:    nothing.
 * Thread:  any.
 * Blocks:  no.
 * Errors:  none.
 */
bool sl_engine_failed(struct sl_engine *engine, struct sl_error *err);

/*
 * Stop taking records, finish what is under way for at most `drain_ms`, commit, flush, close, free.
 * What was not finished is read again at the next start.
 *
 * Owns:    consumes `engine`. NULL is fine.
 * Thread:  main.
 * Blocks:  until drained; beyond `drain_ms` only for the document or question each thread has in
 *          hand.
 * Errors:  returns the exit code: 0, or that of the failure that ended the engine.
 */
int sl_engine_stop(struct sl_engine *engine, uint32_t drain_ms);

/*
 * Append one JSON object on one line, with the members of daemon/status.h and more (docs/FLOW.md,
 * "Status").
 *
 * Owns:    copied.
 * Thread:  any.
 * Blocks:  no: figures of the index are those of the last commit.
 * Errors:  out->failed
 */
void sl_engine_status_json(struct sl_engine *engine, struct sl_buffer *out);

/*
 * Is every document partition caught up with the end it had when the engine started, and are
 * questions being taken? Otherwise `reason` says what is missing.
 *
 * Owns:    written to reason[size], NUL-terminated; also when true ("caught up").
 * Thread:  any.
 * Blocks:  no.
 * Errors:  none.
 */
bool sl_engine_ready(struct sl_engine *engine, char *reason, size_t size);

#endif
