/*
 * sluice/filter.h -- filter expressions, parsed once and evaluated inside the index.
 *
 *     date >= "2019-07" and (type = "press_conference" or not exists(url))
 *     speaker in ("YELLEN", "POWELL") and valid_at("2002-04-08")
 *
 * Fields: document metadata, plus topic, key, title, lang, url, tenant, date. A missing field makes a
 * comparison false (so `not (x = 1)` is true of documents without x). A multi-valued field matches when
 * any value does. An ISO date compares as the days it covers: `date = "2019-07"` is the whole month and
 * `<=` includes it. Strings compare by bytes; numbers as numbers; a type never equals another type.
 */
#ifndef SLUICE_FILTER_H
#define SLUICE_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include <sluice/arena.h>
#include <sluice/document.h>
#include <sluice/error.h>
#include <sluice/view.h>

enum sl_filter_op {
    SL_FILTER_AND = 1, /* left, right */
    SL_FILTER_OR,      /* left, right */
    SL_FILTER_NOT,     /* left        */
    SL_FILTER_EXISTS,  /* field       */
    SL_FILTER_EQ,      /* field, values[0] */
    SL_FILTER_NE,
    SL_FILTER_LT,
    SL_FILTER_LE,
    SL_FILTER_GT,
    SL_FILTER_GE,
    SL_FILTER_IN,      /* field, values[value_count] */
    SL_FILTER_VALID_AT, /* values[0].days: one day; documents without intervals too */
    SL_FILTER_VALID_IN  /* values[0].days: any of them; documents with intervals only */
};

struct sl_filter_value {
    enum sl_field_type type;
    struct sl_view string;
    double number;
    bool boolean;
    bool is_date;             /* the string is an ISO date; `days` is what it covers */
    struct sl_day_range days;
};

struct sl_filter {
    enum sl_filter_op op;
    const struct sl_filter *left;
    const struct sl_filter *right;
    struct sl_view field;
    const struct sl_filter_value *values;
    uint32_t value_count;
};

/*
 * Parse an expression. Empty (or only white space) gives *ret_filter = NULL: everything.
 *
 * Owns:    the tree lives in `arena` and points into `expression`'s copy there.
 * Thread:  any.
 * Blocks:  no.
 * Errors:  SL_REJECT  bad_filter: what was found, at which byte, what is allowed there; also past
 *                     SL_FILTER_DEPTH_MAX, SL_FILTER_TERMS_MAX or SL_FILTER_BYTES_MAX
 */
enum sl_err sl_filter_parse(struct sl_view expression, struct sl_arena *arena,
                            const struct sl_filter **ret_filter, struct sl_error *err);

/*
 * Trees made by the program itself: `left and right`, `left or right` (either may be NULL), `field = "text"`,
 * a date range (both ends inclusive, SL_DAY_NONE / SL_DAY_MAX for open ones), and valid_at or valid_in.
 *
 * Owns:    the node lives in `arena`; the children are referred to.
 * Thread:  any.
 * Blocks:  no.
 * Errors:  NULL when the arena is full
 */
const struct sl_filter *sl_filter_and(struct sl_arena *arena, const struct sl_filter *left,
                                      const struct sl_filter *right);
const struct sl_filter *sl_filter_or(struct sl_arena *arena, const struct sl_filter *left,
                                     const struct sl_filter *right);
const struct sl_filter *sl_filter_equals(struct sl_arena *arena, const char *field,
                                         struct sl_view text);
const struct sl_filter *sl_filter_dates(struct sl_arena *arena, struct sl_day_range days);
const struct sl_filter *sl_filter_valid(struct sl_arena *arena, enum sl_filter_op op,
                                        struct sl_day_range days);

/*
 * Does one value of a field satisfy a comparison node (SL_FILTER_EXISTS, EQ .. GE, IN)? For an index that
 * keeps values by field; the field's name is not looked at. `date` is the string as given in the document.
 *
 * Owns:    nothing.
 * Thread:  any.
 * Blocks:  no.
 * Errors:  none.
 */
bool sl_filter_field_matches(const struct sl_filter *comparison, const struct sl_field *field);

/*
 * Does one document match? The reference the index's own evaluation is tested against.
 *
 * Owns:    nothing.
 * Thread:  any.
 * Blocks:  no.
 * Errors:  none.
 */
bool sl_filter_matches(const struct sl_filter *filter, const struct sl_document *document);

#endif /* SLUICE_FILTER_H */
