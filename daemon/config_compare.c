/*
 * config_compare.c -- what changed between two configurations, and needs a restart.
 *
 * By the table: a row knows where its value lies and whether a reload takes it over. [kafka] as a whole needs a
 * restart, since a Kafka client cannot be told anything new.
 */
#include "daemon/config_internal.h"

static bool lists_equal(const struct sl_config_list *a, const struct sl_config_list *b)
{
    if (a->count != b->count)
        return false;
    for (uint32_t i = 0; i < a->count; i++)
        if (strcmp(a->items[i], b->items[i]) != 0)
            return false;
    return true;
}

static size_t value_size(enum option_kind kind)
{
    switch (kind) {
    case OPTION_SIZE:
        return sizeof(uint64_t);
    case OPTION_FLAG:
        return sizeof(bool);
    case OPTION_DAYS:
    case OPTION_AMOUNT:
        return sizeof(double);
    case OPTION_WEIGHTS:
        return 2 * sizeof(double);
    default:
        return sizeof(uint32_t); /* counts, times and enums */
    }
}

static bool values_equal(const struct option *option, const void *a, const void *b)
{
    if (option->kind == OPTION_TOPICS)
        return lists_equal(a, b);
    if (option->kind < OPTION_COUNT || option->kind == OPTION_WORD)
        return strcmp(*(char *const *)a, *(char *const *)b) == 0;
    return memcmp(a, b, value_size(option->kind)) == 0;
}

static bool properties_equal(const struct sl_config_property *a, uint32_t a_count,
                             const struct sl_config_property *b, uint32_t b_count)
{
    if (a_count != b_count)
        return false;
    for (uint32_t i = 0; i < a_count; i++)
        if (strcmp(a[i].name, b[i].name) != 0 || strcmp(a[i].value, b[i].value) != 0)
            return false;
    return true;
}

void sl_config_restart_needed(const struct sl_config *old, const struct sl_config *now,
                              struct sl_buffer *out)
{
    const char *separator = "";

    if (!properties_equal(old->kafka.properties, old->kafka.count, now->kafka.properties,
                          now->kafka.count) ||
        !properties_equal(old->kafka.credentials, old->kafka.credential_count,
                          now->kafka.credentials, now->kafka.credential_count)) {
        sl_buffer_view(out, SL_VIEW("[kafka]"));
        separator = ", ";
    }
    for (size_t i = 0; i < option_count; i++) {
        const struct option *option = &option_table[i];
        if (option->reload || option->at == NO_FIELD ||
            values_equal(option, (const char *)old + option->at, (const char *)now + option->at))
            continue;
        sl_buffer_format(out, "%s[%s] %s", separator, option->section, option->key);
        separator = ", ";
    }
}
