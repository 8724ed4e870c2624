/*
 * sluice/decode.h -- a Kafka record to a document, or the one word why not.
 *
 * `content-type` decides; without it a value that starts with `{` (after white space and BOM) is JSON,
 * everything else is text. JSON is checked in one pass for everything cJSON lets through (docs/FLOW.md)
 * before cJSON sees it.
 */
#ifndef SLUICE_DECODE_H
#define SLUICE_DECODE_H

#include <sluice/arena.h>
#include <sluice/document.h>
#include <sluice/error.h>
#include <sluice/message.h>

struct cJSON;

struct sl_decode_options {
    struct sl_view tenant;      /* tenant of this record's topic; data == NULL: from the field */
    const char *tenant_header;  /* trusted header that names the tenant; NULL = none */
    size_t record_bytes_max;    /* 0 = SL_RECORD_BYTES_MAX */
};

enum sl_decoded { SL_DECODED_DOCUMENT = 1, SL_DECODED_DELETE };

/*
 * Decode one record. A null value is a delete; then only topic, key, partition, offset and timestamp of
 * *ret_document are set.
 *
 * Post:    text is valid UTF-8 with something visible in it; dates are read; content_hash is set.
 * Owns:    *ret_document points into `message` and `arena`; valid while both are.
 * Thread:  any, one arena each.
 * Blocks:  CPU: linear in the record.
 * Errors:  SL_REJECT  with one of the dead-letter reasons of docs/REASONS.md: null_key, empty_key,
 *                     empty_value, too_large, bad_utf8, bad_json, trailing_data, duplicate_key,
 *                     nul_in_string, control_in_string, number_range, too_deep, too_many_tokens, no_text,
 *                     bad_field, bad_vector, unsupported_content_type, schema_framing, ...
 */
enum sl_err sl_decode(const struct sl_message *message, const struct sl_decode_options *options,
                      struct sl_arena *arena, struct sl_document *ret_document,
                      enum sl_decoded *ret_decoded, struct sl_error *err);

/*
 * Check `json` strictly in one pass without allocating: UTF-8, depth, tokens, members, no duplicate keys,
 * no raw controls or NUL, number grammar and range, integers within 2^53, nothing after the root. A
 * leading BOM is allowed. Then parse it with cJSON.
 *
 * Owns:    caller frees *ret_root with cJSON_Delete().
 * Thread:  any.
 * Blocks:  CPU: linear.
 * Errors:  SL_REJECT  the reason word, and the byte offset in the message
 */
enum sl_err sl_json_parse(struct sl_view json, struct cJSON **ret_root, struct sl_error *err);

#endif /* SLUICE_DECODE_H */
