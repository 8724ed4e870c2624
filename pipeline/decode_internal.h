/* decode_internal.h -- what decode.c and decode_json.c share. */
#ifndef SLUICE_DECODE_INTERNAL_H
#define SLUICE_DECODE_INTERNAL_H

#include <sluice/decode.h>

/* Read the members of a JSON document into *document; strings are copied to the arena.
 * Errors: SL_REJECT as sl_decode(). */
enum sl_err sl_decode_json(struct sl_view json, struct sl_arena *arena,
                           struct sl_document *document, struct sl_error *err);

/* Set document->date and date_days. Errors: SL_REJECT bad_field. */
enum sl_err sl_decode_date(struct sl_view date, struct sl_document *document, struct sl_error *err);

/* Set document->content_hash from everything that is stored but where the record stood. */
void sl_decode_hash(struct sl_document *document);

#endif
