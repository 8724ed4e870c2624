/*
 * sluice/json.h -- writing JSON into a buffer. Reading is sl_json_parse() in decode.h.
 *
 * All of them: Owns: what is passed is copied. Thread: one at a time. Blocks: no. Errors: buffer->failed.
 */
#ifndef SLUICE_JSON_H
#define SLUICE_JSON_H

#include <sluice/view.h>

/*
 * Append a JSON string, quotes included. Controls are escaped; valid UTF-8 passes as it is; each byte that is
 * not UTF-8 becomes U+FFFD, so that the output is always valid. A NULL view gives `null`.
 *
 * Owns:    copied.
 * Thread:  one at a time.
 * Blocks:  no.
 * Errors:  buffer->failed
 */
void sl_json_string(struct sl_buffer *buffer, struct sl_view text);

/* Append `"name": ` with a leading comma and space unless the buffer ends with `{` or `[`. */
void sl_json_name(struct sl_buffer *buffer, const char *name);

/* Append a number: the shortest text that reads back the same; null when it is not finite. Not tied to locale. */
void sl_json_number(struct sl_buffer *buffer, double number);

#endif
