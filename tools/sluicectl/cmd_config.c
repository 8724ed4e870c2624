/*
 * cmd_config.c -- `sluicectl config`: what the one option table knows.
 */
#include <stdio.h>
#include <string.h>

#include <sluice/json.h>

#include "ctl.h"

static int print_text(const struct ctl *ctl, struct sl_buffer *text, const char *name)
{
    struct sl_buffer json = {0};

    if (!ctl->json)
        return ctl_print(ctl, text);
    sl_buffer_format(&json, "{");
    sl_json_name(&json, name);
    sl_json_string(&json, (struct sl_view){text->data != NULL ? text->data : "", text->size});
    sl_buffer_format(&json, "}\n");
    json.failed |= text->failed;
    sl_buffer_fini(text);
    return ctl_print(ctl, &json);
}

static int explain(const struct ctl *ctl, const char *name)
{
    struct sl_buffer text = {0};

    if (!sl_config_explain(name, &text)) {
        sl_buffer_fini(&text);
        return ctl_fail(ctl, SL_EXIT_USAGE,
                        "there is no option '%s'; 'sluicectl config defaults' lists them all",
                        name);
    }
    return print_text(ctl, &text, "explanation");
}

int cmd_config(struct ctl *ctl, int argc, char **argv)
{
    const struct ctl_usage usage = {
        "config explain NAME | defaults | sample | markdown",
        "explain NAME   what an option is, its type, range and default; NAME is section.key or "
        "key\n"
        "defaults       every option with its default, as a configuration file\n"
        "sample         the commented sample file\n"
        "markdown       the reference manual of the options\n"
        "Needs no configuration file. Exit: 64 there is no such option.",
        NULL,
        0,
        1,
        2};
    struct ctl_list args = {0};
    struct sl_buffer text = {0};
    enum ctl_parsed parsed = ctl_parse(ctl, argc, argv, &usage, &args);

    if (parsed != CTL_PARSED)
        return ctl_parsed_exit(parsed);
    if (strcmp(args.items[0], "explain") == 0 && args.count == 2)
        return explain(ctl, args.items[1]);
    if (strcmp(args.items[0], "defaults") == 0 && args.count == 1)
        sl_config_defaults(&text);
    else if (strcmp(args.items[0], "sample") == 0 && args.count == 1)
        sl_config_sample(&text);
    else if (strcmp(args.items[0], "markdown") == 0 && args.count == 1)
        sl_config_markdown(&text);
    else
        return ctl_fail(ctl, SL_EXIT_USAGE, "allowed is: %s", usage.synopsis);
    return print_text(ctl, &text, args.items[0]);
}
