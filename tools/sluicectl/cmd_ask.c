/*
 * cmd_ask.c -- `sluicectl ask`: one question over Kafka, and its answer.
 *
 * The answers topic is read from where it ends before the question is sent, so the answer cannot be
 * missed; which of the answers is ours is told by the correlation id, 16 random bytes that the
 * daemon echoes. No reply topic is asked for: the default one always works, an own one only where
 * it is allowed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include <sluice/decode.h>
#include <sluice/json.h>

#include "net/kafka_in.h"
#include "produce.h"

#define CORRELATION_BYTES 16
#define CORRELATION_NAME  "kafka_correlationId"

struct asking {
    struct ctl *ctl;
    const char *topic; /* of the question */
    const char *answers;
    uint32_t timeout_s;
    double deadline;
    struct sl_view value;  /* the question's record */
    struct sl_view tenant; /* data == NULL: none */
    char correlation[CORRELATION_BYTES];
    struct sl_kafka_in *in;
    bool assigned;
};

static int left_ms(const struct asking *asking)
{
    double left = (asking->deadline - ctl_seconds()) * 1000;

    return left > 0 ? (int)left : 0;
}

static int fail_late(const struct asking *asking, const char *what, const char *why)
{
    return ctl_fail(asking->ctl, SL_EXIT_UNAVAILABLE, "%s within %u s%s%s", what, asking->timeout_s,
                    why[0] != '\0' ? ": " : "", why);
}

/*
 * Start reading every partition of the answers topic at its end; from its beginning when the topic
 * was not there before the question was sent.
 */
static enum sl_err assign_answers(struct asking *asking, bool from_end, struct sl_error *err)
{
    uint32_t count = 0;
    enum sl_err result = sl_kafka_in_partitions(asking->in, asking->answers, 1000, &count, err);
    struct sl_kafka_partition *list;

    if (result != SL_OK)
        return result;
    list = calloc((size_t)count + 1, sizeof(*list));
    if (list == NULL)
        return sl_stop(err, SL_EXIT_OS, 0, "memory", "no memory for %u partitions", count);
    for (uint32_t i = 0; i < count && result == SL_OK; i++) {
        int64_t low = 0;
        int64_t high = 0;

        result = sl_kafka_in_query(asking->in, asking->answers, (int32_t)i, 1000, &low, &high, err);
        list[i] = (struct sl_kafka_partition){asking->answers, (int32_t)i, from_end ? high : low};
    }
    if (result == SL_OK)
        result = sl_kafka_in_assign(asking->in, list, count, err);
    asking->assigned = result == SL_OK;
    free(list);
    return result;
}

/* Before the question is sent: until it works, or the topic is known not to be there yet. */
static int listen_first(struct asking *asking)
{
    struct sl_error err = {0};
    enum sl_err result;

    while ((result = assign_answers(asking, true, &err)) == SL_AGAIN && left_ms(asking) > 0)
        ;
    if (result == SL_OK || (result == SL_REJECT && strcmp(err.reason, "no_topic") == 0))
        return SL_EXIT_OK;
    if (result == SL_AGAIN)
        return fail_late(asking, "Kafka cannot be reached", err.message);
    return ctl_fail_error(asking->ctl, &err, SL_EXIT_UNAVAILABLE);
}

static int send_question(const struct asking *asking)
{
    struct sl_header headers[2] = {
        {SL_VIEW(CORRELATION_NAME), {asking->correlation, CORRELATION_BYTES}},
        {sl_view_of(asking->ctl->config->queries.tenant_header), asking->tenant},
    };
    struct sl_kafka_send send = {.topic = asking->topic,
                                 .partition = -1,
                                 .value = asking->value,
                                 .headers = headers,
                                 .header_count = asking->tenant.data != NULL ? 2 : 1,
                                 .timestamp_ms = -1};
    struct ctl_producer *producer;
    int exit_code = ctl_producer_open(asking->ctl, (uint32_t)left_ms(asking) + 1, &producer);

    if (exit_code != SL_EXIT_OK)
        return exit_code;
    exit_code = ctl_producer_send(producer, &send, "the question");
    if (exit_code == SL_EXIT_OK)
        exit_code = ctl_producer_finish(producer);
    ctl_producer_close(producer);
    return exit_code;
}

static bool is_ours(const struct asking *asking, const struct sl_message *message)
{
    struct sl_view correlation = sl_message_header(message, CORRELATION_NAME);

    return message->value.data != NULL &&
           sl_view_equal(correlation, (struct sl_view){asking->correlation, CORRELATION_BYTES});
}

/* The answer's value, copied. */
static int await_answer(struct asking *asking, struct sl_buffer *ret_answer)
{
    const struct timespec pause = {.tv_nsec = 100000000};
    char last[320] = "";

    while (left_ms(asking) > 0) {
        struct sl_kafka_event event;
        struct sl_error err = {0};

        if (!asking->assigned && assign_answers(asking, false, &err) != SL_OK) {
            snprintf(last, sizeof(last), "%s", err.message);
            nanosleep(&pause, NULL);
            continue;
        }
        sl_kafka_in_poll(asking->in, left_ms(asking) < 200 ? left_ms(asking) : 200, &event);
        if (event.type == SL_KAFKA_RECORD && is_ours(asking, &event.message)) {
            sl_buffer_view(ret_answer, event.message.value);
            return SL_EXIT_OK;
        }
        if (event.type == SL_KAFKA_FATAL)
            return ctl_fail(asking->ctl, SL_EXIT_UNAVAILABLE, "reading topic '%s': %s",
                            asking->answers, event.text);
        if (event.type == SL_KAFKA_DOWN || event.type == SL_KAFKA_ERROR ||
            event.type == SL_KAFKA_NO_TOPIC)
            snprintf(last, sizeof(last), "%s", event.text);
    }
    return fail_late(asking, "no answer", last[0] != '\0' ? last : "is sluiced running?");
}

static void print_source(struct sl_buffer *out, const cJSON *citation)
{
    const cJSON *n = cJSON_GetObjectItemCaseSensitive(citation, "n");
    struct sl_view title = ctl_json_text(citation, "title");
    struct sl_view date = ctl_json_text(citation, "date");
    struct sl_view quote = ctl_json_text(citation, "quote");

    sl_buffer_format(out, "[%d]", cJSON_IsNumber(n) ? n->valueint : 0);
    sl_buffer_format(out, " ");
    if (title.size > 0) {
        ctl_show(out, title, false);
        sl_buffer_format(out, ", ");
    }
    if (date.size > 0)
        sl_buffer_format(out, "%.*s, ", SL_VIEW_ARG(date));
    ctl_show(out, ctl_json_text(citation, "doc"), false);
    sl_buffer_format(out, "\n    \"");
    ctl_show(out, quote, true);
    sl_buffer_format(out, "\"\n");
}

static void print_text(struct sl_buffer *out, struct sl_view text)
{
    ctl_show(out, text, true);
    sl_buffer_format(out, "\n\n");
}

/* Answer and sources for a person. */
static void print_answer(struct sl_buffer *out, const cJSON *answer)
{
    struct sl_view status = ctl_json_text(answer, "status");
    const cJSON *error = cJSON_GetObjectItemCaseSensitive(answer, "error");
    const cJSON *item;

    if (sl_view_is(status, "error"))
        sl_buffer_format(out, "error %.*s: %.*s\n", SL_VIEW_ARG(ctl_json_text(error, "code")),
                         SL_VIEW_ARG(ctl_json_text(error, "message")));
    else if (sl_view_is(status, "not_found"))
        sl_buffer_format(out, "The documents do not say.\n");
    else
        print_text(out, ctl_json_text(answer, "answer"));
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(answer, "citations"))
        print_source(out, item);
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(answer, "warnings"))
        sl_buffer_format(out, "note: %s\n", cJSON_IsString(item) ? item->valuestring : "");
}

static int show(const struct asking *asking, struct sl_buffer *answer)
{
    struct sl_view text = {answer->data, answer->size};
    struct sl_buffer out = {0};
    cJSON *root = cJSON_ParseWithLength(text.data, text.size); /* sl_json_parse() refuses keys with a NUL */
    bool is_error;
    int exit_code;

    if (root == NULL)
        return ctl_fail(asking->ctl, SL_EXIT_DATA, "the answer is not JSON");
    is_error = sl_view_is(ctl_json_text(root, "status"), "error");
    if (asking->ctl->json) {
        sl_buffer_view(&out, text);
        sl_buffer_format(&out, "\n");
    } else {
        print_answer(&out, root);
    }
    cJSON_Delete(root);
    exit_code = ctl_print(asking->ctl, &out);
    return exit_code == SL_EXIT_OK && is_error ? SL_EXIT_DATA : exit_code;
}

static int ask_run(struct asking *asking)
{
    struct sl_kafka_in_options options = {.group_id = "sluicectl-ask"};
    struct sl_buffer answer = {0};
    struct sl_error err = {0};
    int exit_code;

    if (getrandom(asking->correlation, CORRELATION_BYTES, 0) != CORRELATION_BYTES)
        return ctl_fail(asking->ctl, SL_EXIT_OS, "no random bytes for a correlation id");
    if (sl_kafka_in_open(asking->ctl->config, &options, &asking->in, &err) != SL_OK)
        return ctl_fail_error(asking->ctl, &err, SL_EXIT_CONFIG);
    asking->deadline = ctl_seconds() + asking->timeout_s;
    exit_code = listen_first(asking);
    if (exit_code == SL_EXIT_OK)
        exit_code = send_question(asking);
    if (exit_code == SL_EXIT_OK)
        exit_code = await_answer(asking, &answer);
    if (exit_code == SL_EXIT_OK)
        exit_code = show(asking, &answer);
    sl_buffer_fini(&answer);
    sl_kafka_in_close(asking->in);
    return exit_code;
}

/* The question as JSON, with what was asked for beside the text. */
static char *question_json(const char *text, const char *filter, const char *mode, uint32_t k,
                           uint32_t timeout_s)
{
    cJSON *root = cJSON_CreateObject();
    char *json = NULL;
    bool good = root != NULL && cJSON_AddStringToObject(root, "query", text) != NULL;

    if (good && filter != NULL)
        good = cJSON_AddStringToObject(root, "filter", filter) != NULL;
    if (good && mode != NULL)
        good = cJSON_AddStringToObject(root, "mode", mode) != NULL;
    if (good && k != 0)
        good = cJSON_AddNumberToObject(root, "k", k) != NULL;
    if (good)
        good = cJSON_AddNumberToObject(root, "deadline_ms", timeout_s * 1000.0) != NULL;
    if (good)
        json = cJSON_PrintUnformatted(root);
    cJSON_Delete(root);
    return json;
}

int cmd_ask(struct ctl *ctl, int argc, char **argv)
{
    const char *filter = NULL, *topic = NULL, *tenant = NULL, *mode_name = NULL;
    uint32_t k = 0, timeout_s = 30;
    const struct ctl_option options[] = {
        {"k", CTL_COUNT, &k, "N", "how many chunks are read; default: as the daemon is configured",
         1, SL_QUESTION_K_MAX},
        {"filter", CTL_TEXT, &filter, "EXPR", "only documents this is true of", 0, 0},
        {"mode", CTL_TEXT, &mode_name, "MODE",
         "hybrid, vector or lexical; default: as the daemon is configured", 0, 0},
        {"topic", CTL_TEXT, &topic, "TOPIC", "ask there; default: the first of [queries]", 0, 0},
        {"tenant", CTL_TEXT, &tenant, "NAME", "the tenant that asks, in the configured header", 0,
         0},
        {"timeout", CTL_COUNT, &timeout_s, "SECONDS", "how long to wait; default: 30", 1, 600},
    };
    const struct ctl_usage usage = {
        "ask \"QUESTION\"",
        "Produce a question, wait for its answer, and print it with its numbered sources.\n"
        "Exit: 0 an answer came, also when it is that the documents do not say; 65 the answer is "
        "an error;\n"
        "69 no broker, or no answer in time.",
        options,
        CTL_OPTION_COUNT(options),
        1,
        1};
    struct ctl_list args = {0};
    struct asking asking = {.ctl = ctl};
    enum sl_mode mode;
    char *value;
    enum ctl_parsed parsed = ctl_parse(ctl, argc, argv, &usage, &args);
    int exit_code;

    if (parsed != CTL_PARSED)
        return ctl_parsed_exit(parsed);
    exit_code = ctl_mode(ctl, mode_name, &mode);
    if (exit_code == SL_EXIT_OK)
        exit_code = ctl_config(ctl);
    if (exit_code != SL_EXIT_OK)
        return exit_code;
    if (tenant != NULL && ctl->config->queries.tenant_header[0] == '\0')
        return ctl_fail(ctl, SL_EXIT_USAGE,
                        "--tenant: [queries] tenant_header names no header it could go into");
    if (topic == NULL && ctl->config->queries.topics.count == 0)
        return ctl_fail(ctl, SL_EXIT_CONFIG, "[queries] topics is empty; say --topic TOPIC");
    asking.topic = topic != NULL ? topic : ctl->config->queries.topics.items[0];
    asking.answers = ctl->config->queries.answers_topic;
    asking.timeout_s = timeout_s;
    asking.tenant = sl_view_of(tenant);
    value = question_json(args.items[0], filter, mode_name, k, timeout_s);
    if (value == NULL)
        return ctl_fail(ctl, SL_EXIT_OS, "no memory for the question");
    asking.value = sl_view_of(value);
    exit_code = ask_run(&asking);
    free(value);
    return exit_code;
}
