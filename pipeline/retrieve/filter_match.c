/*
 * filter_match.c -- filters made by the program, and whether a document matches one.
 *
 * A date value stands for the days it covers, and so does a document's date. A comparison holds when it
 * holds for every day of the document: `date <= "2019-07"` when its last day is not after July, `date =
 * "2019-07"` when all of it lies in July. So a document dated "2019" is not `date = "2019-07"`, which is
 * what a reader of a cited answer expects.
 */
#include <sluice/arena.h>
#include <sluice/dates.h>
#include <sluice/filter.h>

static const struct sl_filter *join(struct sl_arena *arena, enum sl_filter_op op,
                                    const struct sl_filter *left, const struct sl_filter *right)
{
    struct sl_filter *node;

    if (left == NULL || right == NULL)
        return left != NULL ? left : right;
    node = SL_NEW(arena, struct sl_filter);
    if (node != NULL)
        *node = (struct sl_filter){.op = op, .left = left, .right = right};
    return node;
}

const struct sl_filter *sl_filter_and(struct sl_arena *arena, const struct sl_filter *left,
                                      const struct sl_filter *right)
{
    return join(arena, SL_FILTER_AND, left, right);
}

const struct sl_filter *sl_filter_or(struct sl_arena *arena, const struct sl_filter *left,
                                     const struct sl_filter *right)
{
    return join(arena, SL_FILTER_OR, left, right);
}

static const struct sl_filter *compare_new(struct sl_arena *arena, enum sl_filter_op op,
                                           struct sl_view field, struct sl_filter_value value)
{
    struct sl_filter *node = SL_NEW(arena, struct sl_filter);
    struct sl_filter_value *copy = SL_NEW(arena, struct sl_filter_value);

    if (node == NULL || copy == NULL)
        return NULL;
    *copy = value;
    *node = (struct sl_filter){.op = op, .field = field, .values = copy, .value_count = 1};
    return node;
}

const struct sl_filter *sl_filter_equals(struct sl_arena *arena, const char *field,
                                         struct sl_view text)
{
    struct sl_filter_value value = {.type = SL_FIELD_STRING, .string = sl_arena_copy(arena, text)};
    struct sl_view name = sl_arena_copy(arena, sl_view_of(field));

    if (value.string.data == NULL || name.data == NULL)
        return NULL;
    value.is_date = sl_date_iso(text, &value.days);
    return compare_new(arena, SL_FILTER_EQ, name, value);
}

static const struct sl_filter *date_bound(struct sl_arena *arena, enum sl_filter_op op, sl_day day)
{
    char text[11];
    struct sl_filter_value value = {.type = SL_FIELD_STRING, .is_date = true, .days = {day, day}};

    sl_day_format(day, text);
    value.string = sl_arena_copy(arena, sl_view_of(text));
    if (value.string.data == NULL)
        return NULL;
    return compare_new(arena, op, SL_VIEW("date"), value);
}

const struct sl_filter *sl_filter_dates(struct sl_arena *arena, struct sl_day_range days)
{
    const struct sl_filter *from = NULL, *to = NULL;
    struct sl_filter *exists;

    if (days.from != SL_DAY_NONE && (from = date_bound(arena, SL_FILTER_GE, days.from)) == NULL)
        return NULL;
    if (days.to != SL_DAY_MAX && (to = date_bound(arena, SL_FILTER_LE, days.to)) == NULL)
        return NULL;
    if (from != NULL || to != NULL)
        return sl_filter_and(arena, from, to);
    exists = SL_NEW(arena, struct sl_filter); /* open at both ends: any dated document */
    if (exists != NULL)
        *exists = (struct sl_filter){.op = SL_FILTER_EXISTS, .field = SL_VIEW("date")};
    return exists;
}

const struct sl_filter *sl_filter_valid(struct sl_arena *arena, enum sl_filter_op op,
                                        struct sl_day_range days)
{
    struct sl_filter_value value = {.type = SL_FIELD_STRING, .is_date = true, .days = days};

    SL_PRE(op == SL_FILTER_VALID_AT || op == SL_FILTER_VALID_IN);
    return compare_new(arena, op, SL_VIEW_NULL, value);
}

static bool order_holds(enum sl_filter_op op, int order)
{
    switch (op) {
    case SL_FILTER_EQ:
    case SL_FILTER_IN:
        return order == 0;
    case SL_FILTER_NE:
        return order != 0;
    case SL_FILTER_LT:
        return order < 0;
    case SL_FILTER_LE:
        return order <= 0;
    case SL_FILTER_GT:
        return order > 0;
    case SL_FILTER_GE:
        return order >= 0;
    default:
        return false;
    }
}

static bool days_hold(enum sl_filter_op op, struct sl_day_range have, struct sl_day_range want)
{
    bool inside = have.from >= want.from && have.to <= want.to;

    switch (op) {
    case SL_FILTER_EQ:
    case SL_FILTER_IN:
        return inside;
    case SL_FILTER_NE:
        return !inside;
    case SL_FILTER_LT:
        return have.to < want.from;
    case SL_FILTER_LE:
        return have.to <= want.to;
    case SL_FILTER_GT:
        return have.from > want.to;
    case SL_FILTER_GE:
        return have.from >= want.from;
    default:
        return false;
    }
}

static int compare_bytes(struct sl_view a, struct sl_view b)
{
    size_t common = a.size < b.size ? a.size : b.size;
    int order = common > 0 ? memcmp(a.data, b.data, common) : 0;

    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

static bool value_holds(enum sl_filter_op op, const struct sl_field *have,
                        const struct sl_filter_value *want)
{
    struct sl_day_range days;

    if (have->type != want->type)
        return op == SL_FILTER_NE;
    if (have->type == SL_FIELD_NUMBER)
        return order_holds(op, (have->number > want->number) - (have->number < want->number));
    if (have->type == SL_FIELD_BOOL)
        return order_holds(op, have->boolean != want->boolean);
    if (want->is_date && sl_date_iso(have->string, &days))
        return days_hold(op, days, want->days);
    return order_holds(op, compare_bytes(have->string, want->string));
}

bool sl_filter_field_matches(const struct sl_filter *comparison, const struct sl_field *field)
{
    if (comparison->op == SL_FILTER_EXISTS)
        return true;
    for (uint32_t i = 0; i < comparison->value_count; i++)
        if (value_holds(comparison->op, field, &comparison->values[i]))
            return true;
    return false;
}

/* A field that every document has a place for: true when `name` is one, *ret data == NULL when absent. */
static bool builtin_field(const struct sl_document *document, struct sl_view name,
                          struct sl_view *ret)
{
    const struct {
        const char *name;
        struct sl_view value;
    } builtins[] = {{"topic", document->topic},   {"key", document->key},
                    {"title", document->title},   {"lang", document->lang},
                    {"url", document->url},       {"tenant", document->tenant},
                    {"date", document->date}};

    for (size_t i = 0; i < sizeof builtins / sizeof *builtins; i++)
        if (sl_view_is(name, builtins[i].name)) {
            *ret = builtins[i].value;
            return true;
        }
    return false;
}

static bool comparison_matches(const struct sl_filter *filter, const struct sl_document *document)
{
    struct sl_field builtin = {.name = filter->field, .type = SL_FIELD_STRING};

    if (builtin_field(document, filter->field, &builtin.string))
        return builtin.string.data != NULL && sl_filter_field_matches(filter, &builtin);
    for (uint32_t i = 0; i < document->field_count; i++)
        if (sl_view_equal(document->fields[i].name, filter->field) &&
            sl_filter_field_matches(filter, &document->fields[i]))
            return true;
    return false;
}

static bool valid_in(const struct sl_document *document, struct sl_day_range days)
{
    for (uint32_t i = 0; i < document->valid_count; i++)
        if (document->valid[i].from <= days.to && days.from <= document->valid[i].to)
            return true;
    return false;
}

bool sl_filter_matches(const struct sl_filter *filter, const struct sl_document *document)
{
    if (filter == NULL)
        return true;
    switch (filter->op) {
    case SL_FILTER_AND:
        return sl_filter_matches(filter->left, document) &&
               sl_filter_matches(filter->right, document);
    case SL_FILTER_OR:
        return sl_filter_matches(filter->left, document) ||
               sl_filter_matches(filter->right, document);
    case SL_FILTER_NOT:
        return !sl_filter_matches(filter->left, document);
    case SL_FILTER_VALID_AT:
        return document->valid_count == 0 || valid_in(document, filter->values[0].days);
    case SL_FILTER_VALID_IN:
        return valid_in(document, filter->values[0].days);
    default:
        return comparison_matches(filter, document);
    }
}
