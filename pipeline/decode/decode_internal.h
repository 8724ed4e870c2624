/* decode_internal.h -- what decode.c, decode_json.c and decode_turns.c share. */
#ifndef SLUICE_DECODE_INTERNAL_H
#define SLUICE_DECODE_INTERNAL_H

#include <sluice/decode.h>

struct cJSON;

/* Read the members of a JSON document into *document; strings are copied to the arena.
 * Errors: SL_REJECT as sl_decode(). */
enum sl_err sl_decode_json(struct sl_view json, struct sl_arena *arena,
                           struct sl_document *document, struct sl_error *err);

/* The list of turns of a transcript: the member turns, segments or utterances that begins with an object; NULL:
 * there is none. */
const struct cJSON *sl_decode_turns_find(const struct cJSON *root);

/*
 * Turns to the text of the document, and who speaks in it, each once, at most `speakers_max` of them.
 *
 * Owns:    both live in `arena`.
 * Errors:  SL_REJECT  bad_field, too_large
 */
enum sl_err sl_decode_turns(const struct cJSON *list, uint32_t speakers_max, struct sl_arena *arena,
                            struct sl_view *ret_text, struct sl_view **ret_speakers,
                            uint32_t *ret_count, struct sl_error *err);

/* Set document->date and date_days. Errors: SL_REJECT bad_field. */
enum sl_err sl_decode_date(struct sl_view date, struct sl_document *document, struct sl_error *err);

/* Set document->content_hash from everything that is stored but where the record stood. */
void sl_decode_hash(struct sl_document *document);

#endif
