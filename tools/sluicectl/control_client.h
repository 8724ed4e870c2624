/* control_client.h -- the near end of the daemon's control socket (daemon/control.h). */
#ifndef SLUICECTL_CONTROL_CLIENT_H
#define SLUICECTL_CONTROL_CLIENT_H

#include "ctl.h"

/*
 * Send one request to the running daemon and read its line of JSON, without the newline.
 *
 * Owns:    caller frees `ret_answer` with sl_buffer_fini().
 * Thread:  main.
 * Blocks:  the socket, at most 5 s.
 * Errors:  SL_STOP  unavailable (69): no daemon there, or it does not answer; permission (77);
 * too_large
 */
enum sl_err ctl_control_ask(const struct sl_config *config, const char *request,
                            struct sl_buffer *ret_answer, struct sl_error *err);

/* The same, as an object for the caller to delete; NULL with *err. And a number of an object, 0 when it is none. */
cJSON *ctl_control_json(const struct ctl *ctl, const char *request, struct sl_error *err);
double ctl_json_number(const cJSON *object, const char *name);

#endif
