/*
 * filter.c -- filter expressions: text to tree.
 *
 *     expression = conjunction { "or" conjunction }
 *     conjunction = factor { "and" factor }
 *     factor = "not" factor | "(" expression ")" | "exists" "(" field ")" | "valid_at" "(" day ")"
 *            | "valid_in" "(" date [ "," date ] ")"
 *            | field ( "=" | "!=" | "<" | "<=" | ">" | ">=" ) value | field "in" "(" value {"," value} ")"
 *            | field "exists"
 *     value = "text in double quotes" | number | true | false
 *
 * A recursive descent over a one-token look-ahead; every level of recursion is counted, so an expression
 * from outside cannot exhaust the stack. A generated parser was left out: the error messages, which must
 * say what is allowed at a byte, are most of the work, and they are easier by hand. Key words are known in
 * either case and are key words only where one may stand: a field that is called like one goes in quotes.
 * Matching is in filter_match.c.
 */
#include <sluice/arena.h>
#include <sluice/dates.h>
#include <sluice/filter.h>
#include <sluice/limits.h>
#include <sluice/text.h>

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define ALLOWED_FACTOR "a field name, not, exists(, valid_at(, valid_in( or ("
#define ALLOWED_OPERATOR "=, !=, <, <=, >, >=, in or exists"
#define ALLOWED_VALUE "\"text in double quotes\", a number, true or false"

enum token_kind { END, WORD, STRING, NUMBER, OPEN, CLOSE, COMMA, OPERATOR };

struct token {
    enum token_kind kind;
    size_t byte_start;
    size_t byte_end;
    struct sl_view text;  /* WORD, STRING (escapes undone) */
    double number;        /* NUMBER */
    enum sl_filter_op op; /* OPERATOR */
};

struct parser {
    struct sl_view source;
    struct sl_arena *arena;
    struct sl_error *err;
    struct token token; /* the next one, not yet taken */
    uint32_t depth;
    uint32_t terms;
};

static enum sl_err parse_expression(struct parser *p, const struct sl_filter **ret);

static enum sl_err no_memory(struct parser *p)
{
    return sl_fail(p->err, SL_REJECT, "bad_filter", "filter: needs more memory than one question has");
}

/* What stands at the next token, named briefly and without cutting a character. */
static enum sl_err wrong(struct parser *p, const char *allowed)
{
    struct sl_view found = sl_view_range(p->source, p->token.byte_start, p->token.byte_end);

    if (p->token.kind == END)
        return sl_fail(p->err, SL_REJECT, "bad_filter",
                       "filter, byte %zu: found the end; allowed here: %s", p->token.byte_start,
                       allowed);
    if (found.size > 32)
        found.size = sl_utf8_floor(found, 32);
    return sl_fail(p->err, SL_REJECT, "bad_filter", "filter, byte %zu: found %.*s; allowed here: %s",
                   p->token.byte_start, SL_VIEW_ARG(found), allowed);
}

static bool is_word_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.' || (unsigned char)c >= 0x80;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* "..." with \" and \\ inside. */
static enum sl_err scan_string(struct parser *p)
{
    size_t at = p->token.byte_start + 1, used = 0;
    char *text = sl_arena_alloc(p->arena, p->source.size - at + 1);

    if (text == NULL)
        return no_memory(p);
    while (at < p->source.size && p->source.data[at] != '"') {
        if (p->source.data[at] == '\\') {
            at++;
            if (at == p->source.size || (p->source.data[at] != '"' && p->source.data[at] != '\\'))
                return sl_fail(p->err, SL_REJECT, "bad_filter",
                               "filter, byte %zu: found \\ in a text; allowed after it: \" or \\",
                               at - 1);
        }
        text[used++] = p->source.data[at++];
    }
    if (at == p->source.size)
        return sl_fail(p->err, SL_REJECT, "bad_filter",
                       "filter, byte %zu: the text that begins here has no closing \"",
                       p->token.byte_start);
    p->token.kind = STRING;
    p->token.byte_end = at + 1;
    p->token.text = (struct sl_view){text, used};
    return SL_OK;
}

/* [-] digits [. digits] [e [+-] digits], not running into a word: 2019-07 without quotes is an error. */
static enum sl_err scan_number(struct parser *p)
{
    const char *s = p->source.data;
    size_t at = p->token.byte_start, size = p->source.size;
    char copy[SL_JSON_NUMBER_BYTES_MAX + 1];

    at += s[at] == '-' ? 1 : 0;
    while (at < size && is_digit(s[at]))
        at++;
    if (at + 1 < size && s[at] == '.' && is_digit(s[at + 1]))
        for (at++; at < size && is_digit(s[at]);)
            at++;
    if (at < size && (s[at] == 'e' || s[at] == 'E')) {
        at++;
        at += at < size && (s[at] == '+' || s[at] == '-') ? 1 : 0;
        while (at < size && is_digit(s[at]))
            at++;
    }
    p->token.kind = NUMBER;
    p->token.byte_end = at;
    while (p->token.byte_end < size && is_word_byte(s[p->token.byte_end]))
        p->token.byte_end++;
    if (p->token.byte_end != at || !is_digit(s[at - 1]))
        return wrong(p, "a number such as 3.5 (dates and other text go in double quotes)");
    if (at - p->token.byte_start >= sizeof copy)
        return wrong(p, "a number of at most 32 bytes");
    memcpy(copy, s + p->token.byte_start, at - p->token.byte_start);
    copy[at - p->token.byte_start] = '\0';
    p->token.number = strtod(copy, NULL);
    return SL_OK;
}

static bool scan_operator(struct parser *p)
{
    static const struct {
        const char *text;
        enum sl_filter_op op;
    } operators[] = {{"!=", SL_FILTER_NE}, {"<=", SL_FILTER_LE}, {">=", SL_FILTER_GE},
                     {"==", SL_FILTER_EQ}, {"=", SL_FILTER_EQ},  {"<", SL_FILTER_LT},
                     {">", SL_FILTER_GT}};
    struct sl_view rest = sl_view_range(p->source, p->token.byte_start, p->source.size);

    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
        size_t length = strlen(operators[i].text);
        if (rest.size >= length && memcmp(rest.data, operators[i].text, length) == 0) {
            p->token.kind = OPERATOR;
            p->token.op = operators[i].op;
            p->token.byte_end = p->token.byte_start + length;
            return true;
        }
    }
    return false;
}

/* Take the current token: read the next one into p->token. */
static enum sl_err advance(struct parser *p)
{
    size_t at = p->token.byte_end;
    char c;

    while (at < p->source.size && strchr(" \t\r\n", p->source.data[at]) != NULL &&
           p->source.data[at] != '\0')
        at++;
    p->token = (struct token){.kind = END, .byte_start = at, .byte_end = at};
    if (at == p->source.size)
        return SL_OK;
    c = p->source.data[at];
    p->token.byte_end = at + 1;
    if (c == '(' || c == ')' || c == ',') {
        p->token.kind = c == '(' ? OPEN : c == ')' ? CLOSE : COMMA;
        return SL_OK;
    }
    if (c == '"')
        return scan_string(p);
    if (is_digit(c) || (c == '-' && at + 1 < p->source.size && is_digit(p->source.data[at + 1])))
        return scan_number(p);
    if (is_word_byte(c)) {
        while (p->token.byte_end < p->source.size && is_word_byte(p->source.data[p->token.byte_end]))
            p->token.byte_end++;
        p->token.kind = WORD;
        p->token.text = sl_view_range(p->source, at, p->token.byte_end);
        return SL_OK;
    }
    if (scan_operator(p))
        return SL_OK;
    p->token.kind = OPERATOR;
    return wrong(p, "a name, a \"text\", a number, =, !=, <, <=, >, >=, ( , ) or a comma");
}

static bool is_word(const struct parser *p, const char *word)
{
    size_t length = strlen(word);

    return p->token.kind == WORD && p->token.text.size == length &&
           strncasecmp(p->token.text.data, word, length) == 0;
}

static enum sl_err node_new(struct parser *p, enum sl_filter_op op, struct sl_filter **ret)
{
    struct sl_filter *node = SL_NEW(p->arena, struct sl_filter);

    if (node == NULL)
        return no_memory(p);
    node->op = op;
    *ret = node;
    return SL_OK;
}

static enum sl_err count_term(struct parser *p)
{
    if (++p->terms > SL_FILTER_TERMS_MAX)
        return sl_fail(p->err, SL_REJECT, "bad_filter",
                       "filter, byte %zu: more than %u comparisons and listed values",
                       p->token.byte_start, SL_FILTER_TERMS_MAX);
    return SL_OK;
}

static enum sl_err parse_value(struct parser *p, struct sl_filter_value *ret)
{
    enum sl_err e = count_term(p);

    if (e)
        return e;
    *ret = (struct sl_filter_value){.type = SL_FIELD_STRING, .string = SL_VIEW_NULL};
    if (p->token.kind == STRING) {
        ret->string = p->token.text;
        ret->is_date = sl_date_iso(p->token.text, &ret->days);
    } else if (p->token.kind == NUMBER) {
        ret->type = SL_FIELD_NUMBER;
        ret->number = p->token.number;
    } else if (is_word(p, "true") || is_word(p, "false")) {
        ret->type = SL_FIELD_BOOL;
        ret->boolean = is_word(p, "true");
    } else {
        return wrong(p, ALLOWED_VALUE);
    }
    return advance(p);
}

/* `date` is a date in every document: what is none can only be a mistake, where other fields may hold anything. */
static enum sl_err parse_value_of(struct parser *p, struct sl_view field,
                                  struct sl_filter_value *ret)
{
    struct sl_day_range days;

    if (sl_view_is(field, "date") &&
        (p->token.kind != STRING || !sl_date_iso(p->token.text, &days)))
        return wrong(p, "a date in double quotes: \"2019-07-31\", \"2019-07\" or \"2019\"");
    return parse_value(p, ret);
}

/* "(" value {"," value} ")" into node->values. */
static enum sl_err parse_list(struct parser *p, struct sl_filter *node)
{
    struct sl_filter_value *values =
        SL_NEW_ARRAY(p->arena, struct sl_filter_value, SL_FILTER_TERMS_MAX);
    enum sl_err e;

    if (values == NULL)
        return no_memory(p);
    node->values = values;
    if (p->token.kind != OPEN)
        return wrong(p, "( and a list of values");
    do { /* count_term() ends this before the array is full */
        if ((e = advance(p)) || (e = parse_value_of(p, node->field, &values[node->value_count])))
            return e;
        node->value_count++;
    } while (p->token.kind == COMMA);
    if (p->token.kind != CLOSE)
        return wrong(p, "a comma or )");
    return advance(p);
}

/* field op value | field in (...) | field exists */
static enum sl_err parse_comparison(struct parser *p, const struct sl_filter **ret)
{
    struct sl_filter *node = NULL;
    struct sl_filter_value *value;
    struct sl_view field = p->token.text;
    size_t op_start;
    enum sl_err e;

    if (field.size == 0 || field.size > SL_FIELD_NAME_MAX)
        return wrong(p, "a field name of 1 to 128 bytes");
    if ((e = advance(p)))
        return e;
    if (p->token.kind != OPERATOR && !is_word(p, "in") && !is_word(p, "exists"))
        return wrong(p, ALLOWED_OPERATOR);
    if ((e = node_new(p, p->token.kind == OPERATOR ? p->token.op : SL_FILTER_IN, &node)))
        return e;
    node->field = field;
    *ret = node;
    if (is_word(p, "exists")) {
        node->op = SL_FILTER_EXISTS;
        if ((e = count_term(p)))
            return e;
        return advance(p);
    }
    op_start = p->token.byte_start;
    if ((e = advance(p)))
        return e;
    if (node->op == SL_FILTER_IN)
        return parse_list(p, node);
    value = SL_NEW(p->arena, struct sl_filter_value);
    if (value == NULL)
        return no_memory(p);
    node->values = value;
    node->value_count = 1;
    if ((e = parse_value_of(p, field, value)))
        return e;
    if (value->type == SL_FIELD_BOOL && node->op != SL_FILTER_EQ && node->op != SL_FILTER_NE)
        return sl_fail(p->err, SL_REJECT, "bad_filter",
                       "filter, byte %zu: true and false have no order; allowed here: = or !=",
                       op_start);
    return SL_OK;
}

/* "2002-04-08"; for valid_in also "2002", and a second one for the end */
static enum sl_err parse_days(struct parser *p, struct sl_filter *node)
{
    struct sl_filter_value *value = SL_NEW(p->arena, struct sl_filter_value);
    struct sl_day_range days, last;
    bool one_day = node->op == SL_FILTER_VALID_AT;
    enum sl_err e;

    if (value == NULL)
        return no_memory(p);
    if (p->token.kind != STRING || !sl_date_iso(p->token.text, &days) ||
        (one_day && days.from != days.to))
        return wrong(p, one_day ? "one day such as \"2002-04-08\"" : "a date such as \"2002-04\"");
    *value = (struct sl_filter_value){.type = SL_FIELD_STRING, .string = p->token.text,
                                      .is_date = true, .days = days};
    node->values = value;
    node->value_count = 1;
    if ((e = advance(p)) || one_day || p->token.kind != COMMA)
        return e;
    if ((e = advance(p)))
        return e;
    if (p->token.kind != STRING || !sl_date_iso(p->token.text, &last) || last.to < days.from)
        return wrong(p, "a date such as \"2002-04\", not before the first");
    value->days.to = last.to;
    return advance(p);
}

/* exists(field), valid_at("day") and valid_in("date", "date"), after the word. */
static enum sl_err parse_call(struct parser *p, enum sl_filter_op op, const struct sl_filter **ret)
{
    struct sl_filter *node = NULL;
    enum sl_err e;

    if ((e = node_new(p, op, &node)) || (e = count_term(p)))
        return e;
    if ((e = advance(p)))
        return e;
    if (op == SL_FILTER_EXISTS) {
        if ((p->token.kind != WORD && p->token.kind != STRING) || p->token.text.size == 0)
            return wrong(p, "a field name");
        node->field = p->token.text;
        e = advance(p);
    } else {
        e = parse_days(p, node);
    }
    if (e)
        return e;
    if (p->token.kind != CLOSE)
        return wrong(p, ")");
    *ret = node;
    return advance(p);
}

static enum sl_err enter(struct parser *p)
{
    if (++p->depth > SL_FILTER_DEPTH_MAX)
        return sl_fail(p->err, SL_REJECT, "bad_filter",
                       "filter, byte %zu: parentheses and not nested more than %u deep",
                       p->token.byte_start, SL_FILTER_DEPTH_MAX);
    return SL_OK;
}

/* Is the byte after the next white space a "("? Tells exists(x) from a field called exists. */
static bool open_follows(const struct parser *p)
{
    size_t at = p->token.byte_end;

    while (at < p->source.size && (p->source.data[at] == ' ' || p->source.data[at] == '\t'))
        at++;
    return at < p->source.size && p->source.data[at] == '(';
}

static enum sl_err parse_factor(struct parser *p, const struct sl_filter **ret)
{
    struct sl_filter *node = NULL;
    enum sl_err e;

    if (is_word(p, "not") || p->token.kind == OPEN) {
        bool negated = p->token.kind != OPEN;
        if ((e = enter(p)) || (e = advance(p)))
            return e;
        if (negated) {
            if ((e = node_new(p, SL_FILTER_NOT, &node)) || (e = parse_factor(p, &node->left)))
                return e;
            *ret = node;
        } else {
            if ((e = parse_expression(p, ret)))
                return e;
            if (p->token.kind != CLOSE)
                return wrong(p, "and, or or )");
            if ((e = advance(p)))
                return e;
        }
        p->depth--;
        return SL_OK;
    }
    if ((is_word(p, "exists") || is_word(p, "valid_at") || is_word(p, "valid_in")) &&
        open_follows(p)) {
        enum sl_filter_op op = is_word(p, "exists")     ? SL_FILTER_EXISTS
                               : is_word(p, "valid_at") ? SL_FILTER_VALID_AT
                                                        : SL_FILTER_VALID_IN;
        if ((e = advance(p)))
            return e;
        return parse_call(p, op, ret);
    }
    if (is_word(p, "and") || is_word(p, "or") || is_word(p, "in") ||
        (p->token.kind != WORD && p->token.kind != STRING))
        return wrong(p, ALLOWED_FACTOR);
    return parse_comparison(p, ret);
}

/* factor { word factor }, leaning left. */
static enum sl_err parse_chain(struct parser *p, const char *word, enum sl_filter_op op,
                               enum sl_err (*part)(struct parser *, const struct sl_filter **),
                               const struct sl_filter **ret)
{
    enum sl_err e = part(p, ret);

    while (!e && is_word(p, word)) {
        struct sl_filter *node = NULL;
        if ((e = advance(p)) || (e = node_new(p, op, &node)))
            return e;
        node->left = *ret;
        if ((e = part(p, &node->right)))
            return e;
        *ret = node;
    }
    return e;
}

static enum sl_err parse_conjunction(struct parser *p, const struct sl_filter **ret)
{
    return parse_chain(p, "and", SL_FILTER_AND, parse_factor, ret);
}

static enum sl_err parse_expression(struct parser *p, const struct sl_filter **ret)
{
    return parse_chain(p, "or", SL_FILTER_OR, parse_conjunction, ret);
}

enum sl_err sl_filter_parse(struct sl_view expression, struct sl_arena *arena,
                            const struct sl_filter **ret_filter, struct sl_error *err)
{
    struct parser p = {.arena = arena, .err = err};
    const struct sl_filter *filter = NULL;
    enum sl_err e;

    if (expression.size > SL_FILTER_BYTES_MAX)
        return sl_fail(err, SL_REJECT, "bad_filter", "filter: %zu bytes; at most %u are allowed",
                       expression.size, SL_FILTER_BYTES_MAX);
    if (expression.size == 0) {
        *ret_filter = NULL;
        return SL_OK;
    }
    p.source = sl_arena_copy(arena, expression);
    if (p.source.data == NULL)
        return no_memory(&p);
    if (sl_utf8_bad(p.source) != p.source.size)
        return sl_fail(err, SL_REJECT, "bad_filter", "filter, byte %zu: not UTF-8",
                       sl_utf8_bad(p.source));
    if ((e = advance(&p)))
        return e;
    if (p.token.kind != END) {
        if ((e = parse_expression(&p, &filter)))
            return e;
        if (p.token.kind != END)
            return wrong(&p, "and, or or the end");
    }
    *ret_filter = filter;
    return SL_OK;
}
