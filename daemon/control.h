/*
 * control.h -- the unix socket that `sluicectl status`, `compact`, `reindex` and `generation` ask.
 *
 * Protocol: connect, send one request line, read one line of JSON, closed. Requests:
 *
 *     status     the status object
 *     compact    {"compaction": "wanted"}, or {"error": "...", "reason": "busy"}; the status object says how it
 *                goes on, in its member `compaction`
 *
 *     reindex, reindex hold, generation promote, generation promote force, generation rollback N, generation drop N
 *                {"done": "REQUEST"}, or {"error": "...", "reason": "..."}; the status object's member `reindex`
 *                says how it goes on
 *
 * Anything else gets {"error": "..."}. A request is at most 256 bytes and must come within 2 s.
 *
 * WHERE the socket is
 *     $RUNTIME_DIRECTORY/control.sock   when the service manager made one (RuntimeDirectory=);
 *     [index] path/control.sock         otherwise.
 * sluicectl, which has no $RUNTIME_DIRECTORY, looks for /run/sluiced/NAME/control.sock when its configuration is
 * /etc/sluiced/NAME.conf (what the unit runs), and in the index directory otherwise.
 *
 * The socket has mode 0660; its directory decides who gets there.
 */
#ifndef SLUICE_CONTROL_H
#define SLUICE_CONTROL_H

#include <stddef.h>

#include <sluice/error.h>

#include "daemon/config.h"
#include "daemon/status.h"

#define SL_CONTROL_REQUEST_BYTES_MAX 256u
#define SL_CONTROL_PATH_BYTES_MAX    108u /* what struct sockaddr_un holds */

struct sl_control;

/*
 * The path to listen on (daemon), and to connect to (sluicectl). Both by the rule above. In daemon/config_paths.c.
 *
 * Owns:    writes into `path`, NUL-terminated.
 * Thread:  any.
 * Blocks:  sl_control_path: one stat().
 * Errors:  SL_REJECT  `control_path_too_long`: a unix socket's path has at most 107 bytes
 */
enum sl_err sl_control_listen_path(const struct sl_config *config, char *path, size_t size,
                                   struct sl_error *err);
enum sl_err sl_control_path(const struct sl_config *config, char *path, size_t size,
                            struct sl_error *err);

/*
 * Listen at `path` and answer from one thread of its own. A socket file left by a dead daemon is replaced: the
 * index directory's lock has already shown that no other daemon lives here.
 *
 * Owns:    `source` is copied; its context outlives the server. Caller gets *ret_control.
 * Thread:  any.
 * Blocks:  no.
 * Errors:  SL_STOP  exit 71: the path cannot be bound
 */
enum sl_err sl_control_start(const char *path, const struct sl_status_source *source,
                             struct sl_control **ret_control, struct sl_error *err);

/* Stop, join, unlink the socket. NULL is fine. Always returns NULL. */
struct sl_control *sl_control_stop(struct sl_control *control);

#endif
