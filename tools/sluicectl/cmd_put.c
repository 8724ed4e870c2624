/*
 * cmd_put.c -- `sluicectl put`: files or JSON lines to the documents topic, each delivery checked.
 */
#include <stdio.h>

#include "produce.h"
#include "source.h"

static int put_item(struct ctl_producer *producer, const char *topic, const struct ctl_item *item)
{
    struct sl_header header = {SL_VIEW("content-type"), sl_view_of(item->content_type)};
    struct sl_view value = {item->value.data != NULL ? item->value.data : "", item->value.size};
    struct sl_kafka_send send = {.topic = topic,
                                 .partition = -1,
                                 .key = {item->key.data, item->key.size},
                                 .value = item->is_delete ? SL_VIEW_NULL : value,
                                 .headers = &header,
                                 .header_count =
                                     item->content_type != NULL && !item->is_delete ? 1 : 0,
                                 .timestamp_ms = -1};

    return ctl_producer_send(producer, &send, item->where);
}

static int put_all(const struct ctl *ctl, struct ctl_source *source, struct ctl_producer *producer,
                   const char *topic, struct ctl_refusals *refusals)
{
    struct ctl_progress progress;
    struct ctl_item item;
    struct sl_error err = {0};
    enum sl_err result;
    int exit_code = SL_EXIT_OK;

    ctl_progress_begin(&progress, ctl, "put", "delivered");
    while (exit_code == SL_EXIT_OK && (result = ctl_source_next(source, &item, &err)) != SL_AGAIN) {
        if (result == SL_STOP) {
            exit_code = ctl_fail_error(ctl, &err, SL_EXIT_IO);
        } else if (result == SL_REJECT) {
            ctl_refuse(ctl, refusals, item.where, &err);
        } else {
            exit_code = put_item(producer, topic, &item);
            ctl_item_fini(&item);
        }
        ctl_progress_move(&progress, ctl_producer_delivered(producer), ctl_source_fraction(source));
    }
    ctl_progress_end(&progress);
    return exit_code;
}

static int print_result(const struct ctl *ctl, const struct ctl_producer *producer,
                        const char *topic, struct ctl_refusals *refusals, bool searchable)
{
    struct sl_buffer out = {0};

    if (ctl->json) {
        sl_buffer_format(
            &out,
            "{\"topic\": \"%s\", \"delivered\": %llu, \"failed\": %llu, \"searchable\": %s, "
            "\"refused\": %llu, \"refusals\": [",
            topic, (unsigned long long)ctl_producer_delivered(producer),
            (unsigned long long)ctl_producer_failed(producer), searchable ? "true" : "false",
            (unsigned long long)refusals->count);
        sl_buffer_add(&out, refusals->json.data, refusals->json.size);
        sl_buffer_format(&out, "]}\n");
    } else {
        sl_buffer_format(&out, "%llu documents delivered to topic %s%s",
                         (unsigned long long)ctl_producer_delivered(producer), topic,
                         searchable ? " and searchable" : "");
        if (ctl_producer_failed(producer) > 0)
            sl_buffer_format(&out, ", %llu not delivered",
                             (unsigned long long)ctl_producer_failed(producer));
        if (refusals->count > 0)
            sl_buffer_format(&out, ", %llu refused, see above",
                             (unsigned long long)refusals->count);
        sl_buffer_format(&out, "\n");
    }
    sl_buffer_fini(&refusals->json);
    return ctl_print(ctl, &out);
}

static int put_run(const struct ctl *ctl, struct ctl_source *source, const char *topic,
                   uint32_t timeout_s, bool wait)
{
    struct ctl_producer *producer;
    struct ctl_refusals refusals = {0};
    int exit_code = ctl_producer_open(ctl, timeout_s * 1000, &producer);
    int finished;
    uint64_t refused;

    if (exit_code != SL_EXIT_OK)
        return exit_code;
    if (wait)
        ctl_producer_look(producer, topic);
    exit_code = put_all(ctl, source, producer, topic, &refusals);
    finished = ctl_producer_finish(producer);
    if (exit_code == SL_EXIT_OK)
        exit_code = finished;
    if (exit_code == SL_EXIT_OK && wait)
        exit_code = ctl_producer_wait_searchable(producer);
    refused = refusals.count;
    if (print_result(ctl, producer, topic, &refusals, wait && exit_code == SL_EXIT_OK) !=
            SL_EXIT_OK &&
        exit_code == SL_EXIT_OK)
        exit_code = SL_EXIT_IO;
    ctl_producer_close(producer);
    return exit_code == SL_EXIT_OK && refused > 0 ? SL_EXIT_DATA : exit_code;
}

int cmd_put(struct ctl *ctl, int argc, char **argv)
{
    struct ctl_list paths = {0};
    struct ctl_list lines = {0};
    const char *topic = NULL, *key = NULL;
    uint32_t timeout_s = 60;
    bool wait = false;
    const struct ctl_option options[] = {
        {"jsonl", CTL_LIST, &lines, "FILE",
         "one document a line, key = _id or id; - is standard input", 0, 0},
        {"key", CTL_TEXT, &key, "KEY", "key of the one file, instead of its path", 0, 0},
        {"topic", CTL_TEXT, &topic, "TOPIC", "produce there; default: the first of [documents]", 0,
         0},
        {"wait", CTL_FLAG, &wait, NULL,
         "until the running daemon has read them; says how many it set aside meanwhile", 0, 0},
        {"timeout", CTL_COUNT, &timeout_s, "SECONDS",
         "for delivery, and again for --wait; default: 60", 1, 3600},
    };
    const struct ctl_usage usage = {
        "put PATH... [--jsonl FILE]...",
        "Produce files, folders of files, or JSON lines as documents; their content-type header "
        "follows the file's\n"
        "name. A line {\"_id\": \"KEY\", \"_delete\": true} becomes a tombstone.\n"
        "Exit: 65 some lines were refused (the others are delivered), or with --wait became dead letters; 69 not\n"
        "all were delivered, or with --wait not read in time.",
        options,
        CTL_OPTION_COUNT(options),
        0,
        UINT32_MAX};
    struct ctl_source *source = NULL;
    struct ctl_source_options source_options = {&paths, &lines, NULL};
    int exit_code;

    if (!ctl_begin(ctl, argc, argv, &usage, &paths, &exit_code))
        return exit_code;
    source_options.key = key;
    exit_code = ctl_documents_topic(ctl, &topic);
    if (exit_code == SL_EXIT_OK)
        exit_code = ctl_source_open(ctl, &source_options, &source);
    if (exit_code == SL_EXIT_OK)
        exit_code = put_run(ctl, source, topic, timeout_s, wait);
    ctl_source_close(source);
    return exit_code;
}
