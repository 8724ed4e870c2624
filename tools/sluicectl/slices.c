/*
 * slices.c -- which kind of question is it that goes wrong?
 *
 * Judgements name documents by their key alone, and the same key may be in several topics. So the documents are gone
 * through once and those that are judged are picked out, rather than looked up by topic and key.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/dates.h>
#include <sluice/json.h>

#include "slices.h"

#define VALUES_MAX 64u /* told apart; the rest is "other" */
#define PREFIX     "doc."

struct slices {
    const struct ctl_evaluation *evaluation;
    char *values[VALUES_MAX + 1]; /* the last: what is beyond */
    uint32_t *questions[VALUES_MAX + 1];
    uint32_t counts[VALUES_MAX + 1];
    uint32_t count;
};

/* The value of one judged document. */
struct of_document {
    const char *key;
    char *value; /* NULL: it is not in the index */
};

static bool slice_add(struct slices *slices, uint32_t question, const char *value)
{
    uint32_t i = 0;

    while (i < slices->count && i < VALUES_MAX && strcmp(slices->values[i], value) != 0)
        i++;
    if (i == slices->count) {
        slices->questions[i] = calloc(slices->evaluation->queries.count, sizeof(uint32_t));
        slices->values[i] = strdup(i == VALUES_MAX ? "other" : value);
        slices->count++;
    }
    if (slices->questions[i] == NULL || slices->values[i] == NULL)
        return false;
    if (slices->counts[i] == 0 || slices->questions[i][slices->counts[i] - 1] != question)
        slices->questions[i][slices->counts[i]++] = question;
    return true;
}

/* --------------------------------------------------------------------------- members of questions */

/* A member of the question's own line as text; "none" without one. Caller frees. */
static char *value_of_question(const struct ctl_query *query, const char *field)
{
    cJSON *line = cJSON_Parse(query->line);
    const cJSON *member = cJSON_GetObjectItemCaseSensitive(line, field);
    char *value = NULL;

    if (cJSON_IsString(member))
        value = strdup(member->valuestring);
    else if (member != NULL && !cJSON_IsNull(member))
        value = cJSON_PrintUnformatted(member);
    else
        value = strdup("none");
    cJSON_Delete(line);
    return value;
}

static bool slice_questions(struct slices *slices, const char *field)
{
    bool good = true;

    for (uint32_t i = 0; good && i < slices->evaluation->queries.count; i++) {
        char *value = value_of_question(&slices->evaluation->queries.items[i], field);
        good = value != NULL && slice_add(slices, i, value);
        free(value);
    }
    return good;
}

/* --------------------------------------------------------------------------- fields of documents */

static char *text_of(struct sl_view view)
{
    return view.data != NULL ? strndup(view.data, view.size) : strdup("none");
}

static char *metadata_of(const struct sl_document *document, const char *field)
{
    struct sl_buffer text = {0};

    for (uint32_t i = 0; i < document->field_count && text.size == 0; i++) {
        const struct sl_field *one = &document->fields[i];
        if (!sl_view_is(one->name, field))
            continue;
        if (one->type == SL_FIELD_STRING)
            sl_buffer_view(&text, one->string);
        else if (one->type == SL_FIELD_NUMBER)
            sl_json_number(&text, one->number);
        else
            sl_buffer_format(&text, one->boolean ? "true" : "false");
    }
    return text.size > 0 ? text.data : strdup("none");
}

static char *value_of_document(const struct sl_document *document, const char *field)
{
    int year, month, day;
    char text[16];

    if (strcmp(field, "lang") == 0)
        return text_of(document->lang);
    if (strcmp(field, "tenant") == 0)
        return text_of(document->tenant);
    if (strcmp(field, "topic") == 0)
        return text_of(document->topic);
    if (strcmp(field, "title") == 0)
        return text_of(document->title);
    if (strcmp(field, "date") != 0)
        return metadata_of(document, field);
    if (document->date_days.from == SL_DAY_NONE)
        return strdup("none");
    sl_day_to_civil(document->date_days.from, &year, &month, &day);
    (void)snprintf(text, sizeof text, "%04d", year);
    return strdup(text);
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct of_document *)a)->key, ((const struct of_document *)b)->key);
}

static struct of_document *find_key(struct of_document *documents, uint32_t count, const char *key)
{
    return bsearch(&(struct of_document){.key = key}, documents, count, sizeof *documents, by_key);
}

/* The relevant documents' keys, sorted, each once. */
static uint32_t list_relevant(const struct ctl_qrels *qrels, struct of_document *documents)
{
    uint32_t count = 0, kept = 0;

    for (uint32_t i = 0; i < qrels->count; i++)
        if (qrels->items[i].grade > 0)
            documents[count++].key = qrels->items[i].doc;
    if (count > 0)
        qsort(documents, count, sizeof *documents, by_key);
    for (uint32_t i = 0; i < count; i++)
        if (kept == 0 || strcmp(documents[kept - 1].key, documents[i].key) != 0)
            documents[kept++] = documents[i];
    return kept;
}

static enum sl_err read_values(const struct ctl_evaluation *evaluation, const char *field,
                               struct of_document *documents, uint32_t count, struct sl_error *err)
{
    SL_CLEANUP(sl_snapshot_closep) struct sl_snapshot *snapshot = NULL;
    SL_CLEANUP(sl_arena_closep) struct sl_arena *arena = sl_arena_open(SL_ARENA_BYTES_MAX);
    sl_doc_id doc = 0;
    enum sl_err code = sl_snapshot_open(evaluation->opened->index, &snapshot, err);

    if (arena == NULL)
        return sl_stop(err, SL_EXIT_OS, 0, "memory", "no memory for a document");
    while (code == SL_OK && (code = sl_snapshot_next(snapshot, doc, &doc, err)) == SL_OK) {
        struct of_document *found;
        struct sl_document document;
        uint32_t chunks;
        char *key;
        sl_arena_reset(arena);
        if ((code = sl_snapshot_document(snapshot, doc, arena, &document, &chunks, err)) != SL_OK)
            return code;
        key = strndup(document.key.data, document.key.size);
        found = key != NULL ? find_key(documents, count, key) : NULL;
        free(key);
        if (found != NULL && found->value == NULL)
            found->value = value_of_document(&document, field);
    }
    return code == SL_REJECT ? SL_OK : code;
}

static bool slice_by(struct slices *slices, struct of_document *documents, uint32_t document_count)
{
    const struct ctl_evaluation *evaluation = slices->evaluation;
    bool good = true;

    for (uint32_t q = 0; good && q < evaluation->queries.count; q++) {
        uint32_t judged;
        const struct ctl_judgement *judgements =
            ctl_qrels_of(&evaluation->qrels, evaluation->queries.items[q].id, &judged);
        for (uint32_t j = 0; good && j < judged && judgements[j].grade > 0; j++) {
            const struct of_document *found = find_key(documents, document_count, judgements[j].doc);
            good = slice_add(slices, q, found != NULL && found->value != NULL ? found->value : "not in the index");
        }
    }
    return good;
}

static int slice_documents(struct slices *slices, const char *field)
{
    const struct ctl_evaluation *evaluation = slices->evaluation;
    struct of_document *documents = calloc((size_t)evaluation->qrels.count + 1, sizeof *documents);
    uint32_t count = documents != NULL ? list_relevant(&evaluation->qrels, documents) : 0;
    struct sl_error err = {0};
    int exit_code = SL_EXIT_OK;

    if (documents != NULL && read_values(evaluation, field, documents, count, &err) != SL_OK)
        exit_code = ctl_fail_error(evaluation->ctl, &err, SL_EXIT_IO);
    else if (documents == NULL || !slice_by(slices, documents, count))
        exit_code = ctl_fail(evaluation->ctl, SL_EXIT_OS, "no memory for slices");
    for (uint32_t i = 0; i < count; i++)
        free(documents[i].value);
    free(documents);
    return exit_code;
}

/* ------------------------------------------------------------------------------------- output */

int ctl_slices_write(const struct ctl_evaluation *evaluation, const char *field, struct sl_buffer *out)
{
    struct slices slices = {.evaluation = evaluation};
    int exit_code = SL_EXIT_OK;

    if (strncmp(field, PREFIX, strlen(PREFIX)) == 0)
        exit_code = slice_documents(&slices, field + strlen(PREFIX));
    else if (!slice_questions(&slices, field))
        exit_code = ctl_fail(evaluation->ctl, SL_EXIT_OS, "no memory for slices");
    sl_json_name(out, "slices");
    sl_buffer_format(out, "{");
    for (uint32_t i = 0; exit_code == SL_EXIT_OK && i < slices.count; i++) {
        sl_json_name(out, slices.values[i]);
        sl_buffer_format(out, "{\"queries\": %u", slices.counts[i]);
        ctl_evaluation_write(evaluation, slices.questions[i], slices.counts[i], out);
        sl_buffer_format(out, "}");
    }
    sl_buffer_format(out, "}");
    for (uint32_t i = 0; i < slices.count; i++) {
        free(slices.values[i]);
        free(slices.questions[i]);
    }
    return exit_code;
}
