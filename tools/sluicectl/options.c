/*
 * options.c -- options of a subcommand from its table, which also makes its help text.
 *
 * getopt_long would parse too, but knows neither types nor ranges, and its table cannot print a
 * help text: one table for both keeps them the same.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"

static void print_help(const struct ctl_usage *usage)
{
    printf("usage: sluicectl %s\n\n%s\n\n", usage->synopsis, usage->about);
    for (uint32_t i = 0; i < usage->option_count; i++) {
        const struct ctl_option *option = &usage->options[i];
        char left[64];

        snprintf(left, sizeof(left), "--%s%s%s", option->name, option->value_name ? " " : "",
                 option->value_name ? option->value_name : "");
        printf("  %-22s %s\n", left, option->help);
    }
    printf("  %-22s %s\n", "-c, --config FILE", "the configuration; default " CTL_CONFIG_DEFAULT);
    printf("  %-22s %s\n", "--json", "machine-readable output");
}

/* A list's memory holds as many items as there can be arguments; main() frees it. */
static bool list_add(struct ctl *ctl, struct ctl_list *list, const char *item)
{
    if (list->items == NULL) {
        SL_INVARIANT(ctl->list_count < CTL_LISTS_MAX);
        list->items = calloc((size_t)ctl->argument_count + 1, sizeof(*list->items));
        if (list->items == NULL)
            return false;
        ctl->lists[ctl->list_count++] = list->items;
    }
    list->items[list->count++] = item;
    return true;
}

/* Store one value; false after saying what is allowed. */
static bool option_set(struct ctl *ctl, const struct ctl_option *option, const char *text)
{
    char *end = NULL;
    double number;

    if (option->kind == CTL_TEXT) {
        *(const char **)option->value = text;
        return true;
    }
    if (option->kind == CTL_LIST) {
        if (list_add(ctl, option->value, text))
            return true;
        ctl_fail(ctl, SL_EXIT_OS, "no memory for --%s", option->name);
        return false;
    }
    errno = 0;
    number = strtod(text, &end);
    if (end == text || *end != '\0' || errno != 0 ||
        !(number >= option->min && number <= option->max) ||
        (option->kind == CTL_COUNT && number != floor(number))) {
        ctl_fail(ctl, SL_EXIT_USAGE, "--%s '%s': allowed is a%s number from %g to %g", option->name,
                 text, option->kind == CTL_COUNT ? " whole" : "", option->min, option->max);
        return false;
    }
    if (option->kind == CTL_COUNT)
        *(uint32_t *)option->value = (uint32_t)number;
    else
        *(double *)option->value = number;
    return true;
}

static void say_unknown(const struct ctl *ctl, const struct ctl_usage *usage, const char *argument)
{
    struct sl_buffer names = {0};

    for (uint32_t i = 0; i < usage->option_count; i++)
        sl_buffer_format(&names, "--%s ", usage->options[i].name);
    sl_buffer_format(&names, "-c --json --help");
    ctl_fail(ctl, SL_EXIT_USAGE, "unknown option '%s'; allowed: %s", argument,
             names.failed ? "see --help" : names.data);
    sl_buffer_fini(&names);
}

/* Parse the option at argv[*at]; moves *at past a value of its own. */
static enum ctl_parsed option_parse(struct ctl *ctl, int argc, char **argv, int *at,
                                    const struct ctl_usage *usage)
{
    const char *argument = argv[*at];
    struct ctl_option config = {.name = "config", .kind = CTL_TEXT, .value = &ctl->config_file};
    struct ctl_option json = {.name = "json", .kind = CTL_FLAG, .value = &ctl->json};
    const struct ctl_option *option = NULL;
    const char *name = argument + 2;
    const char *equals = strchr(argument, '=');
    size_t name_bytes = equals != NULL ? (size_t)(equals - name) : strlen(argument) - 2;
    const char *value = equals != NULL ? equals + 1 : NULL;

    if (strcmp(argument, "-h") == 0 || strcmp(argument, "--help") == 0) {
        print_help(usage);
        return CTL_PARSED_HELP;
    }
    if (strcmp(argument, "-c") == 0) {
        option = &config;
        value = NULL;
    } else if (strncmp(argument, "--", 2) == 0) {
        if (name_bytes == 6 && strncmp(name, "config", 6) == 0)
            option = &config;
        else if (name_bytes == 4 && strncmp(name, "json", 4) == 0)
            option = &json;
        for (uint32_t i = 0; i < usage->option_count; i++) {
            if (strlen(usage->options[i].name) == name_bytes &&
                strncmp(usage->options[i].name, name, name_bytes) == 0)
                option = &usage->options[i];
        }
    }
    if (option == NULL) {
        say_unknown(ctl, usage, argument);
        return CTL_PARSED_BAD;
    }
    if (option->kind == CTL_FLAG) {
        if (value != NULL) {
            ctl_fail(ctl, SL_EXIT_USAGE, "--%s takes no value", option->name);
            return CTL_PARSED_BAD;
        }
        *(bool *)option->value = true;
        return CTL_PARSED;
    }
    if (value == NULL) {
        if (*at + 1 >= argc) {
            ctl_fail(ctl, SL_EXIT_USAGE, "%s needs a value", argument);
            return CTL_PARSED_BAD;
        }
        value = argv[++*at];
    }
    if (option == &config)
        ctl->config_given = true;
    return option_set(ctl, option, value) ? CTL_PARSED : CTL_PARSED_BAD;
}

enum ctl_parsed ctl_parse(struct ctl *ctl, int argc, char **argv, const struct ctl_usage *usage,
                          struct ctl_list *ret_args)
{
    bool options_over = false;

    ctl->argument_count = argc;
    for (int at = 1; at < argc; at++) {
        enum ctl_parsed parsed = CTL_PARSED;

        if (!options_over && strcmp(argv[at], "--") == 0)
            options_over = true;
        else if (!options_over && argv[at][0] == '-' && argv[at][1] != '\0')
            parsed = option_parse(ctl, argc, argv, &at, usage);
        else if (!list_add(ctl, ret_args, argv[at]))
            parsed = CTL_PARSED_BAD;
        if (parsed != CTL_PARSED)
            return parsed;
    }
    if (ret_args->count < usage->args_min || ret_args->count > usage->args_max) {
        ctl_fail(ctl, SL_EXIT_USAGE, "too %s arguments; usage: sluicectl %s",
                 ret_args->count < usage->args_min ? "few" : "many", usage->synopsis);
        return CTL_PARSED_BAD;
    }
    return CTL_PARSED;
}
