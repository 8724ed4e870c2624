/*
 * sluice/document.h -- a document, as decoded and as stored; the same struct in both places.
 *
 * Identity is (topic, key). `text` is what is stored, exported and quoted: the bytes of the source,
 * never rewritten for searching (normal forms are made on the way into the index only).
 */
#ifndef SLUICE_DOCUMENT_H
#define SLUICE_DOCUMENT_H

#include <stdbool.h>
#include <stdint.h>

#include <sluice/view.h>

/* Days since 1970-01-01, proleptic Gregorian. */
typedef int32_t sl_day;
#define SL_DAY_NONE ((sl_day)INT32_MIN)
#define SL_DAY_MAX  ((sl_day)INT32_MAX)

/* Both ends inclusive. SL_DAY_NONE as `from` / SL_DAY_MAX as `to`: open. */
struct sl_day_range {
    sl_day from;
    sl_day to;
};

enum sl_field_type { SL_FIELD_STRING = 1, SL_FIELD_NUMBER, SL_FIELD_BOOL };

/* One metadata value. An array in the source is several fields of one name, in order. */
struct sl_field {
    struct sl_view name;
    enum sl_field_type type;
    struct sl_view string; /* SL_FIELD_STRING */
    double number;         /* SL_FIELD_NUMBER */
    bool boolean;          /* SL_FIELD_BOOL   */
    bool in_array;         /* came from an array: exported as one again, even if alone */
};

enum sl_media { SL_MEDIA_TEXT = 1, SL_MEDIA_MARKDOWN, SL_MEDIA_JSON };

struct sl_document {
    struct sl_view topic;
    struct sl_view key;
    int32_t partition;
    int64_t offset;       /* -1: imported */
    int64_t timestamp_ms; /* -1: unknown  */

    struct sl_view text;
    enum sl_media text_media; /* how `text` is structured: SL_MEDIA_TEXT or SL_MEDIA_MARKDOWN */
    struct sl_view title;     /* each of these: data == NULL when absent */
    struct sl_view date;      /* as given: "2015-12-16", "2015-12", "2015", or with a time */
    struct sl_day_range date_days; /* the days that `date` covers; from == SL_DAY_NONE: no date */
    struct sl_view lang;
    struct sl_view url;
    struct sl_view tenant;
    const struct sl_day_range *valid; /* validity intervals; count 0 = always valid */
    uint32_t valid_count;
    const struct sl_field *fields;
    uint32_t field_count;

    const float *vector; /* embedded elsewhere; NULL = none */
    uint32_t vector_dim;
    struct sl_view vector_model;

    uint8_t content_hash[32]; /* SHA-256 over everything above that is stored, set by decode */
};

#endif /* SLUICE_DOCUMENT_H */
