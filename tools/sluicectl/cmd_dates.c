/*
 * cmd_dates.c -- `sluicectl dates`: the date range a question would be searched with.
 */
#include <stdio.h>

#include <sluice/dates.h>
#include <sluice/json.h>
#include <sluice/text.h>

#include "ask.h"

static void add_day(struct sl_buffer *out, const struct ctl *ctl, const char *name, sl_day day)
{
    char text[11];
    bool open = day == SL_DAY_NONE || day == SL_DAY_MAX;

    if (!open)
        sl_day_format(day, text);
    if (ctl->json) {
        sl_json_name(out, name);
        sl_json_string(out, open ? SL_VIEW_NULL : sl_view_of(text));
    } else {
        sl_buffer_format(out, "%-10s %s\n", name, open ? "open" : text);
    }
}

static void add_found(struct sl_buffer *out, const struct ctl *ctl, const char *id,
                      struct sl_view text, const struct sl_date_found *found)
{
    struct sl_view phrase = SL_VIEW_NULL;

    if (found != NULL)
        phrase = sl_view_range(text, found->byte_start, found->byte_end);
    if (ctl->json) {
        sl_buffer_format(out, "{");
        if (id != NULL) {
            sl_json_name(out, "_id");
            sl_json_string(out, sl_view_of(id));
        }
        sl_json_name(out, "text");
        sl_json_string(out, text);
        sl_json_name(out, "found");
        sl_buffer_format(out, found != NULL ? "true" : "false");
    }
    if (found != NULL) {
        add_day(out, ctl, "date_from", found->days.from);
        add_day(out, ctl, "date_to", found->days.to);
    }
    if (ctl->json && found != NULL) {
        sl_json_name(out, "phrase");
        sl_json_string(out, phrase);
        sl_buffer_format(out, ", \"byte_start\": %zu, \"byte_end\": %zu", found->byte_start,
                         found->byte_end);
    }
    if (ctl->json)
        sl_buffer_format(out, "}\n");
    else if (found != NULL)
        sl_buffer_format(out, "%-10s %.*s\n", "phrase", SL_VIEW_ARG(phrase));
    else
        sl_buffer_format(out, "no date\n");
}

static void add_read(struct sl_buffer *out, const struct ctl *ctl, const char *id,
                     struct sl_view text, int64_t asked_ms)
{
    struct sl_date_found found;

    if (asked_ms < 0)
        asked_ms = ctl_clock.now_ms(ctl_clock.context);
    add_found(out, ctl, id, text,
              sl_date_read(text, sl_day_of_ms(asked_ms), &found) ? &found : NULL);
}

/* One JSON object a question, in their order. */
static int read_file(struct ctl *ctl, const char *path, int64_t asked_ms)
{
    struct sl_buffer out = {0};
    struct ctl_queries queries;
    int exit_code = ctl_queries_read(ctl, path, &queries);

    if (exit_code != SL_EXIT_OK)
        return exit_code;
    ctl->json = true;
    for (uint32_t i = 0; i < queries.count; i++) {
        const struct ctl_query *query = &queries.items[i];
        add_read(&out, ctl, query->id, sl_view_of(query->text),
                 query->asked_ms >= 0 ? query->asked_ms : asked_ms);
    }
    ctl_queries_free(&queries);
    return ctl_print(ctl, &out);
}

int cmd_dates(struct ctl *ctl, int argc, char **argv)
{
    const char *now = NULL, *path = NULL;
    const struct ctl_option options[] = {
        {"now", CTL_TEXT, &now, "DATE", "the day \"last year\" is counted from; default: today", 0,
         0},
        {"queries", CTL_TEXT, &path, "FILE",
         "read each question of a file instead, one JSON object a line with \"text\" and, if wanted, "
         "\"now\"",
         0, 0},
    };
    const struct ctl_usage usage = {"dates \"TEXT\" | --queries FILE [--now DATE]",
                                    "Show the date range that is read from a question, and from "
                                    "which words. Needs no configuration file.\n"
                                    "Exit: 0, also when there is no date in it.",
                                    options,
                                    CTL_OPTION_COUNT(options),
                                    0,
                                    1};
    struct ctl_list args = {0};
    struct sl_buffer out = {0};
    struct sl_view text;
    int64_t asked_ms;
    enum ctl_parsed parsed = ctl_parse(ctl, argc, argv, &usage, &args);
    int exit_code;

    if (parsed != CTL_PARSED)
        return ctl_parsed_exit(parsed);
    if ((args.count == 1) == (path != NULL))
        return ctl_fail(ctl, SL_EXIT_USAGE, "one of both is needed: \"TEXT\" or --queries FILE");
    exit_code = ctl_now(ctl, now, &asked_ms);
    if (exit_code != SL_EXIT_OK)
        return exit_code;
    if (path != NULL)
        return read_file(ctl, path, asked_ms);
    text = sl_view_of(args.items[0]);
    if (sl_utf8_bad(text) != text.size)
        return ctl_fail(ctl, SL_EXIT_DATA, "the text is not UTF-8 at byte %zu", sl_utf8_bad(text));
    add_read(&out, ctl, NULL, text, asked_ms);
    return ctl_print(ctl, &out);
}
