/*
 * cmd_answer.c -- `sluicectl answer`: a file of questions to one answer object a line, from the
 * index alone.
 *
 * Each line becomes the JSON record that `sluiced` would read from Kafka, and goes the daemon's way
 * from there; what is wrong with a question is therefore an answer of status error here too. The
 * answer's id is the question's _id, so that both files can be joined.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/json.h>
#include <sluice/question.h>
#include <sluice/respond.h>

#include "ask.h"

#define ROUND_QUESTIONS 64u

struct answering {
    struct ctl *ctl;
    const struct ctl_opened *opened;
    const struct ctl_queries *queries;
    const char *path; /* of their file */
    struct sl_responder responder;
    struct sl_question_options question_options;
    struct sl_header tenant;
    uint32_t tenant_count;
    int64_t asked_ms;
    uint32_t first; /* of this round */
    struct sl_buffer lines[ROUND_QUESTIONS];
    enum sl_err results[ROUND_QUESTIONS];
    bool refused[ROUND_QUESTIONS]; /* it has an error answer */
    struct sl_error errs[ROUND_QUESTIONS];
};

/* The record: the line's members that a question knows, with "text" as "query". */
static char *record_of(const struct ctl_query *query)
{
    static const char *const kept[] = {"k",           "filter",       "mode",        "exact",
                                       "session",     "deadline_ms",  "min_position", "return_hits",
                                       "duplicates",  "stream"};
    cJSON *line = cJSON_Parse(query->line);
    cJSON *record = cJSON_CreateObject();
    char *text = NULL;

    if (line != NULL && record != NULL &&
        cJSON_AddStringToObject(record, "query", query->text) != NULL) {
        for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
            cJSON *member = cJSON_DetachItemFromObjectCaseSensitive(line, kept[i]);

            if (member != NULL)
                cJSON_AddItemToObject(record, kept[i], member);
        }
        text = cJSON_PrintUnformatted(record);
    }
    cJSON_Delete(line);
    cJSON_Delete(record);
    return text;
}

struct positions {
    struct sl_buffer out;
};

static bool position_add(void *context, struct sl_view topic, int32_t partition,
                         const struct sl_position *position)
{
    struct positions *positions = context;
    struct sl_buffer name = {0};

    sl_buffer_format(&name, "%.*s/%d", SL_VIEW_ARG(topic), partition);
    if (!name.failed) {
        sl_json_name(&positions->out, name.data);
        sl_buffer_format(&positions->out, "%lld", (long long)position->next_offset);
    }
    sl_buffer_fini(&name);
    return true;
}

/* Where the index stands, in `arena`. */
static enum sl_err index_state(const struct sl_snapshot *snapshot, bool of_tenant, struct sl_arena *arena,
                               struct sl_index_state *ret_state, struct sl_error *err)
{
    struct positions positions = {0};
    struct sl_index_stats stats;
    enum sl_err code = sl_snapshot_stats(snapshot, &stats, err);

    sl_buffer_format(&positions.out, "{");
    if (code == SL_OK)
        code = sl_snapshot_positions(snapshot, arena, position_add, &positions, err);
    sl_buffer_format(&positions.out, "}");
    if (code == SL_OK)
        *ret_state = (struct sl_index_state){
            .positions_json =
                sl_arena_copy(arena, (struct sl_view){positions.out.data, positions.out.size}),
            .lag_records = -1,
            .documents = stats.documents,
            .chunks = stats.chunks,
            .of_tenant = of_tenant};
    sl_buffer_fini(&positions.out);
    return code;
}

static enum sl_err answer_one(const struct answering *answering, const struct ctl_query *query,
                              struct sl_view record, struct sl_arena *arena,
                              struct sl_view *ret_json, bool *ret_refused,
                              const struct sl_snapshot *snapshot, struct sl_error *err)
{
    struct sl_message message = {.topic = SL_VIEW("questions"),
                                 .offset = -1,
                                 .timestamp_ms = query->asked_ms >= 0 ? query->asked_ms
                                                                      : answering->asked_ms,
                                 .value = record,
                                 .headers = &answering->tenant,
                                 .header_count = answering->tenant_count};
    struct sl_question question = {0};
    struct sl_answer answer = {0};
    struct sl_index_state state;
    struct sl_error refused = {0};
    enum sl_err code = index_state(snapshot,
                                   answering->question_options.tenant.data != NULL ||
                                       answering->question_options.tenant_header != NULL,
                                   arena, &state, err);

    if (code != SL_OK)
        return code;
    code = sl_question_parse(&message, &answering->question_options, arena, &question, &refused);
    if (code == SL_STOP) {
        *err = refused;
        return code;
    }
    *ret_refused = code != SL_OK;
    if (code != SL_OK) {
        *err = refused;
        if (question.text.data == NULL)
            question.text = sl_view_of(query->text);
        answer.status = SL_STATUS_ERROR;
        answer.error_code = sl_arena_copy(arena, sl_view_of(refused.reason));
        answer.error_message = sl_arena_copy(arena, sl_view_of(refused.message));
        answer.text = SL_VIEW("");
        answer.embed_model = SL_VIEW("");
        answer.answer_model = SL_VIEW("extract");
    } else {
        code = sl_respond(&answering->responder, &question, snapshot, arena, &answer, err);
        if (code != SL_OK)
            return code;
    }
    return sl_answer_json(&answer, &question, sl_view_of(query->id != NULL ? query->id : ""),
                          &state, arena, ret_json, err);
}

static void answer_item(void *context, uint32_t thread, uint32_t i)
{
    struct answering *answering = context;
    const struct ctl_query *query = &answering->queries->items[answering->first + i];
    struct sl_arena *arena = sl_arena_open(SL_ARENA_BYTES_MAX);
    struct sl_snapshot *snapshot = NULL;
    char *record = record_of(query);
    struct sl_view json;
    enum sl_err *result = &answering->results[i];
    struct sl_error *err = &answering->errs[i];

    (void)thread;
    *err = (struct sl_error){0};
    answering->refused[i] = false;
    if (arena == NULL || record == NULL)
        *result = sl_stop(err, SL_EXIT_OS, 0, "memory", "no memory for a question");
    else
        *result = sl_snapshot_open(answering->opened->index, &snapshot, err);
    if (*result == SL_OK)
        *result = answer_one(answering, query, sl_view_of(record), arena, &json, &answering->refused[i],
                             snapshot, err);
    if (*result == SL_OK) {
        sl_buffer_view(&answering->lines[i], json);
        sl_buffer_view(&answering->lines[i], SL_VIEW("\n"));
    }
    sl_snapshot_close(snapshot);
    free(record);
    sl_arena_close(arena);
}

/* Name the line: the exit code at the end is that of wrong data. */
static int say_refused(const struct answering *answering, uint32_t i)
{
    return ctl_fail(answering->ctl, SL_EXIT_DATA, "%s:%u: %s: %s", answering->path,
                    answering->queries->items[answering->first + i].number,
                    answering->errs[i].reason, answering->errs[i].message);
}

/* Answer in rounds, so that the answers come out in the order of the questions. */
static int answer_all(struct answering *answering)
{
    const struct ctl *ctl = answering->ctl;
    uint32_t count = answering->queries->count;
    struct ctl_progress progress;
    int exit_code = SL_EXIT_OK, refused = SL_EXIT_OK;

    ctl_progress_begin(&progress, ctl, "answer", "questions");
    for (uint32_t at = 0; at < count && exit_code == SL_EXIT_OK; at += ROUND_QUESTIONS) {
        uint32_t items = count - at < ROUND_QUESTIONS ? count - at : ROUND_QUESTIONS;

        answering->first = at;
        ctl_parallel(ctl_threads(ctl->config), items, answer_item, answering);
        for (uint32_t i = 0; i < items; i++) {
            if (exit_code == SL_EXIT_OK && answering->results[i] != SL_OK)
                exit_code = ctl_fail_error(ctl, &answering->errs[i], SL_EXIT_SOFTWARE);
            if (exit_code == SL_EXIT_OK)
                exit_code = ctl_print(ctl, &answering->lines[i]);
            else
                sl_buffer_fini(&answering->lines[i]);
            if (exit_code == SL_EXIT_OK && answering->refused[i])
                refused = say_refused(answering, i);
        }
        ctl_progress_move(&progress, at + items, (double)(at + items) / count);
    }
    ctl_progress_end(&progress);
    return exit_code == SL_EXIT_OK ? refused : exit_code;
}

int cmd_answer(struct ctl *ctl, int argc, char **argv)
{
    const char *path = NULL, *mode_name = NULL, *tenant = NULL, *now = NULL;
    uint32_t k = 0;
    bool processor = false;
    const struct ctl_option options[] = {
        {"queries", CTL_TEXT, &path, "FILE",
         "questions, one JSON object a line: \"query\" or \"text\", and any "
         "member of a question",
         0, 0},
        {"mode", CTL_TEXT, &mode_name, "MODE", "hybrid, vector or lexical; default: as configured",
         0, 0},
        {"k", CTL_COUNT, &k, "N", "how many chunks are read; default: as configured", 1,
         SL_QUESTION_K_MAX},
        {"tenant", CTL_TEXT, &tenant, "NAME", "the tenant that asks", 0, 0},
        {"now", CTL_TEXT, &now, "DATE", "the day \"last year\" is counted from; default: today", 0,
         0},
        {"processor-time", CTL_FLAG, &processor, NULL,
         "timing_ms is the processor time taken, not the time that passed", 0, 0},
    };
    const struct ctl_usage usage = {
        "answer --queries FILE",
        "Answer questions from the index, extractively, without Kafka: one answer object a line, "
        "in their order.\n"
        "Exit: 65 a line of the file is not JSON, or a question cannot be used, 66 no such file or index.",
        options,
        CTL_OPTION_COUNT(options),
        0,
        0};
    struct ctl_list args = {0};
    struct ctl_opened opened;
    struct ctl_queries queries;
    struct answering answering = {.ctl = ctl, .opened = &opened, .queries = &queries};
    enum sl_mode mode;
    enum ctl_parsed parsed = ctl_parse(ctl, argc, argv, &usage, &args);
    int exit_code;

    if (parsed != CTL_PARSED)
        return ctl_parsed_exit(parsed);
    if (path == NULL)
        return ctl_fail(ctl, SL_EXIT_USAGE, "which questions? Give --queries FILE");
    exit_code = ctl_mode(ctl, mode_name, &mode);
    if (exit_code == SL_EXIT_OK)
        exit_code = ctl_now(ctl, now, &answering.asked_ms);
    if (exit_code == SL_EXIT_OK)
        exit_code = ctl_config(ctl);
    if (exit_code == SL_EXIT_OK)
        exit_code = ctl_queries_read(ctl, path, &queries);
    if (exit_code != SL_EXIT_OK)
        return exit_code;
    ctl_retrieve_options(ctl->config, mode, k, 0, &answering.responder.retrieve);
    exit_code = ctl_open(ctl, CTL_ACCESS_SEARCH,
                         answering.responder.retrieve.mode != SL_MODE_LEXICAL, &opened);
    if (exit_code == SL_EXIT_OK) {
        answering.responder.embedder = opened.embedder;
        ctl_retrieve_words(&opened, &answering.responder.retrieve);
        answering.responder.retrieve.reranker = opened.heads.reranker;
        answering.responder.reader = opened.heads.reader;
        answering.responder.clock = processor ? &ctl_processor_clock : &ctl_clock;
        if (ctl->config->queries.tenant_header[0] != '\0')
            answering.question_options.tenant_header = ctl->config->queries.tenant_header;
        answering.question_options.tenant = ctl->config->queries.tenant[0] != '\0'
                                                ? sl_view_of(ctl->config->queries.tenant)
                                                : SL_VIEW_NULL;
        if (tenant != NULL && answering.question_options.tenant_header != NULL) {
            answering.tenant = (struct sl_header){sl_view_of(ctl->config->queries.tenant_header),
                                                  sl_view_of(tenant)};
            answering.tenant_count = 1;
        } else if (tenant != NULL) {
            answering.question_options.tenant = sl_view_of(tenant);
        }
        answering.path = path;
        exit_code = answer_all(&answering);
        ctl_close(&opened);
    }
    ctl_queries_free(&queries);
    return exit_code;
}
