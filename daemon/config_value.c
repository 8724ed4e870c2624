/*
 * config_value.c -- one value: from the text after '=' to its field.
 *
 * Numbers are read digit by digit: strtoul() takes signs, hexadecimal and spaces, strtod() listens to the locale, and
 * neither says that "64Q" was meant as a size. Every refusal names what is allowed.
 */
#include "daemon/config_internal.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define SHOWN_BYTES_MAX 60

/* Everything a setter needs. */
struct setting {
    const struct option *option;
    struct sl_config *config;
    struct sl_view value;
    int line;
    struct problems *problems;
};

static void *field(const struct setting *s)
{
    SL_PRE(s->option->at != NO_FIELD);
    return (char *)s->config + s->option->at;
}

/* "is '64Q'; allowed: ...". The value is cut and cleaned; a credential's is not shown at all. */
static bool refuse(const struct setting *s, const char *what)
{
    struct sl_buffer allowed = {0};
    char shown[SHOWN_BYTES_MAX + 4] = "";
    size_t size = s->value.size < SHOWN_BYTES_MAX ? s->value.size : SHOWN_BYTES_MAX;
    const char *hint = "";

    for (size_t i = 0; i < size; i++)
        shown[i] = (unsigned char)s->value.data[i] < 0x20 ? '?' : s->value.data[i];
    if (size < s->value.size)
        memcpy(shown + size, "...", 4);
    if (memmem(s->value.data, s->value.size, " #", 2) != NULL ||
        memmem(s->value.data, s->value.size, " ;", 2) != NULL)
        hint = " (a comment needs a line of its own)";
    option_allowed(s->option, &allowed);
    if (s->option->kind == OPTION_CREDENTIAL)
        problem_add(s->problems, s->line, s->option->section, s->option->key, "%s; allowed: %s",
                    what, allowed.data != NULL ? allowed.data : "");
    else
        problem_add(s->problems, s->line, s->option->section, s->option->key,
                    "'%s' %s%s; allowed: %s", shown, what, hint,
                    allowed.data != NULL ? allowed.data : "");
    sl_buffer_fini(&allowed);
    return false;
}

static bool memory(const struct setting *s)
{
    problem_add(s->problems, s->line, s->option->section, s->option->key, "out of memory");
    return false;
}

/* Leading digits; false when there are none or they do not fit. */
static bool digits(struct sl_view *text, uint64_t *ret_number)
{
    uint64_t number = 0;
    size_t at = 0;

    for (; at < text->size && text->data[at] >= '0' && text->data[at] <= '9'; at++)
        if (__builtin_mul_overflow(number, (uint64_t)10, &number) ||
            __builtin_add_overflow(number, (uint64_t)(text->data[at] - '0'), &number))
            return false;
    if (at == 0)
        return false;
    *text = sl_view_range(*text, at, text->size);
    *ret_number = number;
    return true;
}

struct suffix {
    const char *word;
    uint64_t factor;
};

static const struct suffix no_suffixes[] = {{"", 1}, {NULL, 0}};
static const struct suffix size_suffixes[] = {
    {"", 1}, {"K", 1ull << 10}, {"M", 1ull << 20}, {"G", 1ull << 30}, {"T", 1ull << 40}, {NULL, 0}};
static const struct suffix time_suffixes[] = {{"", 1},      {"ms", 1},       {"s", 1000},
                                              {"m", 60000}, {"h", 3600000}, {NULL, 0}};

static bool set_number(const struct setting *s, const struct suffix *suffixes, uint64_t *ret_number)
{
    struct sl_view rest = s->value;
    uint64_t number;

    if (!digits(&rest, &number))
        return refuse(s, "is not a number");
    while (suffixes->word != NULL && !sl_view_is(rest, suffixes->word))
        suffixes++;
    if (suffixes->word == NULL)
        return refuse(s, "is not a number of that kind");
    if (__builtin_mul_overflow(number, suffixes->factor, &number) || number < s->option->least ||
        number > s->option->most)
        return refuse(s, "is out of range");
    *ret_number = number;
    return true;
}

static bool set_u32(const struct setting *s, const struct suffix *suffixes)
{
    uint64_t number;

    if (!set_number(s, suffixes, &number))
        return false;
    if (s->option->at != NO_FIELD)
        *(uint32_t *)field(s) = (uint32_t)number;
    return true;
}

static bool set_size(const struct setting *s)
{
    uint64_t number;

    if (!set_number(s, size_suffixes, &number))
        return false;
    *(uint64_t *)field(s) = number;
    return true;
}

static bool set_text(const struct setting *s)
{
    char *copy, **at;

    if (s->option->kind == OPTION_TEXT && s->value.size > s->option->most)
        return refuse(s, "is too long");
    if (s->option->at == NO_FIELD)
        return true;
    copy = strndup(s->value.data, s->value.size);
    if (copy == NULL)
        return memory(s);
    at = field(s);
    free(*at);
    *at = copy;
    return true;
}

static bool set_choice(const struct setting *s)
{
    const struct option_choice *choice = s->option->choices;

    while (choice->word != NULL && !sl_view_is(s->value, choice->word))
        choice++;
    if (choice->word == NULL)
        return refuse(s, "is unknown");
    if (choice->planned)
        return refuse(s, "is not in this version");
    if (s->option->kind == OPTION_WORD)
        return set_text(s);
    /* Every choice field is an enum of its own; all of them have the size of an int here. */
    memcpy(field(s), &choice->value, sizeof choice->value);
    return true;
}

static bool set_flag(const struct setting *s)
{
    if (!sl_view_is(s->value, "on") && !sl_view_is(s->value, "off"))
        return refuse(s, "is neither");
    *(bool *)field(s) = sl_view_is(s->value, "on");
    return true;
}

struct sl_view sl_config_trim(struct sl_view text)
{
    while (text.size > 0 && strchr(" \t\r", text.data[0]) != NULL && text.data[0] != '\0')
        text = sl_view_range(text, 1, text.size);
    while (text.size > 0 && text.data[text.size - 1] != '\0' &&
           strchr(" \t\r", text.data[text.size - 1]) != NULL)
        text.size--;
    return text;
}

/* 12, 12.5: no sign, no exponent. */
static bool decimal(struct sl_view text, double *ret_number)
{
    uint64_t whole, part = 0;
    size_t places = 0;

    if (!digits(&text, &whole) || whole > 1000000000u)
        return false;
    if (text.size > 0 && text.data[0] == '.') {
        text = sl_view_range(text, 1, text.size);
        places = text.size;
        if (places > 9 || !digits(&text, &part))
            return false;
    }
    *ret_number = (double)whole + (double)part / pow(10, (double)places);
    return text.size == 0;
}

static bool set_decimal(const struct setting *s, const char *what)
{
    double number = 0;

    if (!sl_view_is(s->value, "off") && (!decimal(s->value, &number) || number <= 0))
        return refuse(s, what);
    if (number > (double)s->option->most)
        return refuse(s, "is out of range");
    *(double *)field(s) = number;
    return true;
}

static bool set_weights(const struct setting *s)
{
    const char *comma = memchr(s->value.data, ',', s->value.size);
    double weights[2];
    size_t at;

    if (comma == NULL)
        return refuse(s, "is not two numbers");
    at = (size_t)(comma - s->value.data);
    if (!decimal(sl_config_trim(sl_view_range(s->value, 0, at)), &weights[0]) ||
        !decimal(sl_config_trim(sl_view_range(s->value, at + 1, s->value.size)), &weights[1]))
        return refuse(s, "is not two numbers");
    if (weights[0] > 100 || weights[1] > 100 || weights[0] + weights[1] <= 0)
        return refuse(s, "is out of range");
    SL_INVARIANT(offsetof(struct sl_config, retrieve.weight_vector) ==
                 offsetof(struct sl_config, retrieve.weight_lexical) + sizeof(double));
    memcpy(field(s), weights, sizeof weights);
    return true;
}

bool topic_name_valid(struct sl_view name)
{
    if (name.size == 0 || name.size > 249 || sl_view_is(name, ".") || sl_view_is(name, ".."))
        return false;
    for (size_t i = 0; i < name.size; i++) {
        char c = name.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '.' || c == '_' || c == '-'))
            return false;
    }
    return true;
}

static bool list_has(const struct sl_config_list *list, struct sl_view item)
{
    for (uint32_t i = 0; i < list->count; i++)
        if (sl_view_is(item, list->items[i]))
            return true;
    return false;
}

void config_list_fini(struct sl_config_list *list)
{
    for (uint32_t i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
    *list = (struct sl_config_list){0};
}

static bool list_add(struct sl_config_list *list, struct sl_view item)
{
    char **items = realloc(list->items, (list->count + 1u) * sizeof *items);

    if (items == NULL)
        return false;
    list->items = items;
    items[list->count] = strndup(item.data, item.size);
    if (items[list->count] == NULL)
        return false;
    list->count++;
    return true;
}

/* The next item before a comma; false at the end. */
static bool item_next(struct sl_view *rest, struct sl_view *ret_item)
{
    const char *comma;
    size_t at;

    if (rest->data == NULL)
        return false;
    comma = memchr(rest->data, ',', rest->size);
    at = comma == NULL ? rest->size : (size_t)(comma - rest->data);
    *ret_item = sl_config_trim(sl_view_range(*rest, 0, at));
    *rest = comma == NULL ? SL_VIEW_NULL : sl_view_range(*rest, at + 1, rest->size);
    return true;
}

static bool set_topics(const struct setting *s)
{
    struct sl_config_list list = {0};
    struct sl_view rest = s->value, item;
    const char *wrong = NULL;
    bool stored = true;

    while (s->value.size > 0 && wrong == NULL && stored && item_next(&rest, &item)) {
        if (!topic_name_valid(item))
            wrong = "has something that is no topic name";
        else if (list_has(&list, item))
            wrong = "names a topic twice";
        else if (list.count == SL_CONFIG_TOPICS_MAX)
            wrong = "has too many topics";
        else
            stored = list_add(&list, item);
    }
    if (wrong != NULL || !stored) {
        config_list_fini(&list);
        return wrong != NULL ? refuse(s, wrong) : memory(s);
    }
    config_list_fini(field(s));
    *(struct sl_config_list *)field(s) = list;
    return true;
}

static bool group_valid(struct sl_view name)
{
    return name.size <= 249 && topic_name_valid(name);
}

static bool credential_valid(struct sl_view name)
{
    if (name.data[0] == '/')
        return name.size < 4096;
    return name.size <= 255 && topic_name_valid(name);
}

static bool url_valid(struct sl_view url)
{
    size_t scheme = url.size > 8 && memcmp(url.data, "https://", 8) == 0 ? 8
                    : url.size > 7 && memcmp(url.data, "http://", 7) == 0 ? 7
                                                                           : 0;

    if (scheme == 0 || url.size > 2048 || url.data[scheme] == '/')
        return false;
    for (size_t i = scheme; i < url.size; i++)
        if ((unsigned char)url.data[i] <= 0x20 || (unsigned char)url.data[i] >= 0x7F ||
            strchr("@?#\"<>\\^`{|}", url.data[i]) != NULL)
            return false;
    return true;
}

/* ADDRESS:PORT; what the address is, inet_pton() decides when listening. */
static bool listen_valid(struct sl_view listen)
{
    const char *colon = memrchr(listen.data, ':', listen.size);
    struct sl_view port, address;
    uint64_t number;

    if (colon == NULL)
        return false;
    address = sl_view_range(listen, 0, (size_t)(colon - listen.data));
    port = sl_view_range(listen, address.size + 1, listen.size);
    if (address.size >= 2 && address.data[0] == '[' && address.data[address.size - 1] == ']')
        address = sl_view_range(address, 1, address.size - 1);
    else if (memchr(address.data, ':', address.size) != NULL)
        return false;
    for (size_t i = 0; i < address.size; i++)
        if (strchr("0123456789abcdefABCDEF.:", address.data[i]) == NULL)
            return false;
    return address.size > 0 && digits(&port, &number) && port.size == 0 && number <= 65535;
}

static bool set_checked(const struct setting *s, bool valid, const char *what)
{
    return valid ? set_text(s) : refuse(s, what);
}

bool option_set(const struct option *option, struct sl_config *config, struct sl_view value,
                int line, struct problems *problems)
{
    const struct setting s = {option, config, value, line, problems};

    if (value.size == 0 && !option->may_be_empty)
        return refuse(&s, "is not a value");
    if (value.size == 0 && option->kind != OPTION_TOPICS)
        return set_text(&s);
    if (option->at == NO_FIELD && (option->kind == OPTION_URL || option->kind == OPTION_CREDENTIAL))
        return refuse(&s, "cannot be used by this version");
    switch (option->kind) {
    case OPTION_TEXT:
        return set_text(&s);
    case OPTION_DIRECTORY:
    case OPTION_FILE:
        return set_checked(&s, value.size < 3500, "is too long");
    case OPTION_TOPIC:
        return set_checked(&s, topic_name_valid(value), "is no topic name");
    case OPTION_TOPICS:
        return set_topics(&s);
    case OPTION_GROUP:
        return set_checked(&s, group_valid(value), "is no name");
    case OPTION_CREDENTIAL:
        return set_checked(&s, credential_valid(value), "not the name of a credential");
    case OPTION_URL:
        return set_checked(&s, url_valid(value), "is no address");
    case OPTION_LISTEN:
        return set_checked(&s, listen_valid(value), "is no address and port");
    case OPTION_COUNT:
        return set_u32(&s, no_suffixes);
    case OPTION_SIZE:
        return set_size(&s);
    case OPTION_MS:
        return set_u32(&s, time_suffixes);
    case OPTION_CHOICE:
    case OPTION_WORD:
        return set_choice(&s);
    case OPTION_FLAG:
        return set_flag(&s);
    case OPTION_DAYS:
        return set_decimal(&s, "is not a number of days");
    case OPTION_AMOUNT:
        return set_decimal(&s, "is not an amount");
    case OPTION_WEIGHTS:
        return set_weights(&s);
    }
    return refuse(&s, "is of an unknown kind");
}

/* 67108864 as 64M. */
static void size_text(uint64_t bytes, struct sl_buffer *out)
{
    static const char units[] = " KMGT";
    size_t unit = 0;

    while (unit < 4 && bytes >= 1024 && bytes % 1024 == 0) {
        bytes /= 1024;
        unit++;
    }
    sl_buffer_format(out, "%" PRIu64 "%.*s", bytes, unit > 0 ? 1 : 0, units + unit);
}

static void choices_allowed(const struct option_choice *choices, struct sl_buffer *out)
{
    const char *separator = "";

    for (; choices->word != NULL; choices++) {
        if (choices->planned)
            continue;
        sl_buffer_format(out, "%s%s", separator, choices->word);
        separator = ", ";
    }
}

static void numbers_allowed(const struct option *option, struct sl_buffer *out)
{
    if (option->kind == OPTION_SIZE) {
        size_text(option->least, out);
        sl_buffer_view(out, SL_VIEW(" to "));
        size_text(option->most, out);
        sl_buffer_view(out, SL_VIEW(" (bytes, or with K, M, G, T)"));
    } else if (option->least == option->most) {
        sl_buffer_format(out, "%" PRIu64, option->least);
    } else {
        sl_buffer_format(out, "%" PRIu64 " to %" PRIu64 "%s%s", option->least, option->most,
                         option->unit[0] != '\0' ? " " : "", option->unit);
        if (option->kind == OPTION_MS)
            sl_buffer_view(out, SL_VIEW(" (or with a suffix: ms, s, m, h)"));
    }
}

void option_allowed(const struct option *option, struct sl_buffer *out)
{
    switch (option->kind) {
    case OPTION_TEXT:
        sl_buffer_format(out, "text of at most %" PRIu64 " bytes", option->most);
        break;
    case OPTION_DIRECTORY:
        sl_buffer_view(out, SL_VIEW("a directory"));
        break;
    case OPTION_FILE:
        sl_buffer_view(out, SL_VIEW("a file"));
        break;
    case OPTION_TOPIC:
        sl_buffer_view(out, SL_VIEW("a topic: 1 to 249 letters, digits, '.', '_' or '-'"));
        break;
    case OPTION_TOPICS:
        sl_buffer_format(out, "1 to %u topics separated by commas", SL_CONFIG_TOPICS_MAX);
        break;
    case OPTION_GROUP:
        sl_buffer_view(out, SL_VIEW("a name: 1 to 249 letters, digits, '.', '_' or '-'"));
        break;
    case OPTION_CREDENTIAL:
    case OPTION_URL:
        if (option->at == NO_FIELD)
            sl_buffer_view(out, SL_VIEW("nothing"));
        else if (option->kind == OPTION_URL)
            sl_buffer_view(out, SL_VIEW("http:// or https:// with host, port and path only"));
        else
            sl_buffer_view(out, SL_VIEW("a file name in $CREDENTIALS_DIRECTORY, or an absolute path"));
        break;
    case OPTION_LISTEN:
        sl_buffer_view(out, SL_VIEW("ADDRESS:PORT with a numeric address, as 127.0.0.1:9464 or "
                                    "[::1]:9464"));
        break;
    case OPTION_COUNT:
    case OPTION_SIZE:
    case OPTION_MS:
        numbers_allowed(option, out);
        break;
    case OPTION_CHOICE:
    case OPTION_WORD:
        choices_allowed(option->choices, out);
        break;
    case OPTION_FLAG:
        sl_buffer_view(out, SL_VIEW("on, off"));
        break;
    case OPTION_DAYS:
        sl_buffer_format(out, "off, or more than 0 and at most %" PRIu64 " days", option->most);
        break;
    case OPTION_AMOUNT:
        sl_buffer_format(out, "off, or more than 0 and at most %" PRIu64, option->most);
        break;
    case OPTION_WEIGHTS:
        sl_buffer_view(out, SL_VIEW("two numbers from 0 to 100, not both 0, as 1, 0.5"));
        break;
    }
    if (option->may_be_empty && option->at != NO_FIELD)
        sl_buffer_view(out, SL_VIEW(", or empty"));
}
