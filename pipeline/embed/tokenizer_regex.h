/*
 * tokenizer_regex.h -- patterns of a tokenizer.json, matched by ICU over UTF-8.
 *
 * Thread:  any. Errors: SL_STOP, exit 78 bad_model, naming file and member.
 */
#ifndef SLUICE_EMBED_TOKENIZER_REGEX_H
#define SLUICE_EMBED_TOKENIZER_REGEX_H

#include "embed/tokenizer_internal.h"

struct sl_regex;

/* From a JSON string. Owns: caller closes *ret_regex. */
enum sl_err sl_regex_open(const cJSON *pattern, const struct sl_json_place *place,
                          struct sl_regex **ret_regex, struct sl_error *err);
enum sl_err sl_regex_open_text(const char *pattern, const struct sl_json_place *place,
                               struct sl_regex **ret_regex, struct sl_error *err);
struct sl_regex *sl_regex_close(struct sl_regex *regex);

/* Append `text` with every match replaced by `content`. */
void sl_regex_replace(const struct sl_regex *regex, struct sl_view text, struct sl_view content,
                      struct sl_work_text *out);

/* Matches of `text` one after the other, empty ones left out. NULL: out of memory. */
struct sl_regex_walk;
struct sl_regex_walk *sl_regex_begin(const struct sl_regex *regex, struct sl_view text);
bool sl_regex_next(struct sl_regex_walk *walk, size_t *ret_start, size_t *ret_end);
void sl_regex_end(struct sl_regex_walk *walk);

#endif
