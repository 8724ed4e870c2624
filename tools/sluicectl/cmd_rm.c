/*
 * cmd_rm.c -- `sluicectl rm`: tombstones. A null value deletes every chunk of its key.
 */
#include <stdio.h>

#include "produce.h"

static int rm_all(struct ctl_producer *producer, const char *topic, const struct ctl_list *keys)
{
    int exit_code = SL_EXIT_OK;
    int finished;

    for (uint32_t i = 0; i < keys->count && exit_code == SL_EXIT_OK; i++) {
        struct sl_kafka_send send = {.topic = topic,
                                     .partition = -1,
                                     .key = sl_view_of(keys->items[i]),
                                     .value = SL_VIEW_NULL,
                                     .timestamp_ms = -1};

        exit_code = ctl_producer_send(producer, &send, keys->items[i]);
    }
    finished = ctl_producer_finish(producer);
    return exit_code != SL_EXIT_OK ? exit_code : finished;
}

int cmd_rm(struct ctl *ctl, int argc, char **argv)
{
    const char *topic = NULL;
    uint32_t timeout_s = 60;
    bool wait = false;
    const struct ctl_option options[] = {
        {"topic", CTL_TEXT, &topic, "TOPIC", "produce there; default: the first of [documents]", 0,
         0},
        {"wait", CTL_FLAG, &wait, NULL, "until the running daemon has deleted them", 0, 0},
        {"timeout", CTL_COUNT, &timeout_s, "SECONDS",
         "for delivery, and again for --wait; default: 60", 1, 3600},
    };
    const struct ctl_usage usage = {
        "rm KEY...",
        "Produce a tombstone for each key: the document and all its chunks are deleted.\n"
        "Exit: 69 not all were delivered, or with --wait not deleted in time.",
        options,
        CTL_OPTION_COUNT(options),
        1,
        UINT32_MAX};
    struct ctl_list keys = {0};
    struct ctl_producer *producer;
    struct sl_buffer out = {0};
    enum ctl_parsed parsed = ctl_parse(ctl, argc, argv, &usage, &keys);
    int exit_code;

    if (parsed != CTL_PARSED)
        return ctl_parsed_exit(parsed);
    for (uint32_t i = 0; i < keys.count; i++) {
        if (keys.items[i][0] == '\0')
            return ctl_fail(ctl, SL_EXIT_USAGE, "a key is not empty");
    }
    exit_code = ctl_config(ctl);
    if (exit_code == SL_EXIT_OK)
        exit_code = ctl_documents_topic(ctl, &topic);
    if (exit_code == SL_EXIT_OK)
        exit_code = ctl_producer_open(ctl, timeout_s * 1000, &producer);
    if (exit_code != SL_EXIT_OK)
        return exit_code;
    if (wait)
        ctl_producer_look(producer, topic);
    exit_code = rm_all(producer, topic, &keys);
    if (exit_code == SL_EXIT_OK && wait)
        exit_code = ctl_producer_wait_searchable(producer);
    if (ctl->json)
        sl_buffer_format(&out, "{\"topic\": \"%s\", \"delivered\": %llu, \"failed\": %llu}\n",
                         topic, (unsigned long long)ctl_producer_delivered(producer),
                         (unsigned long long)ctl_producer_failed(producer));
    else
        sl_buffer_format(&out, "%llu tombstones delivered to topic %s\n",
                         (unsigned long long)ctl_producer_delivered(producer), topic);
    ctl_producer_close(producer);
    if (ctl_print(ctl, &out) != SL_EXIT_OK && exit_code == SL_EXIT_OK)
        exit_code = SL_EXIT_IO;
    return exit_code;
}
