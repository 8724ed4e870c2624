/*
 * qrels.c -- a table of judgements, sorted so that a question's lie together.
 */
#include <stdlib.h>
#include <string.h>

#include "qrels.h"

#define COLUMNS_MAX 4

static int by_query_then_doc(const void *a, const void *b)
{
    const struct ctl_judgement *x = a;
    const struct ctl_judgement *y = b;
    int order = strcmp(x->query, y->query);

    if (order == 0)
        order = strcmp(x->doc, y->doc);
    return order != 0 ? order : (x->line > y->line) - (x->line < y->line);
}

static int by_query_then_grade(const void *a, const void *b)
{
    const struct ctl_judgement *x = a;
    const struct ctl_judgement *y = b;
    int order = strcmp(x->query, y->query);

    if (order == 0)
        order = (y->grade > x->grade) - (y->grade < x->grade);
    return order != 0 ? order : strcmp(x->doc, y->doc);
}

/* Cut at tabs, or at spaces when there is no tab. */
static int split(char *line, char **columns)
{
    const char *separators = strchr(line, '\t') != NULL ? "\t" : " ";
    char *rest = NULL;
    int count = 0;

    for (char *column = strtok_r(line, separators, &rest); column != NULL && count < COLUMNS_MAX;
         column = strtok_r(NULL, separators, &rest))
        columns[count++] = column;
    return count;
}

/* False when the line is no judgement; *ret_heading: but may be the names of the columns. */
static bool judgement_parse(char *line, uint32_t number, struct ctl_judgement *ret_judgement, bool *ret_heading)
{
    char *columns[COLUMNS_MAX];
    int count = split(line, columns);
    char *end;
    long grade;

    *ret_heading = number == 1 && count >= 3 && strpbrk(columns[count - 1], "0123456789") == NULL;
    if (count < 3)
        return false;
    grade = strtol(columns[count - 1], &end, 10);
    if (end == columns[count - 1] || *end != '\0' || grade < -1000 || grade > 1000)
        return false;
    *ret_judgement =
        (struct ctl_judgement){strdup(columns[0]), strdup(columns[count - 2]), (int32_t)grade, number};
    return ret_judgement->query != NULL && ret_judgement->doc != NULL;
}

static int qrels_fill(const struct ctl *ctl, const char *path, struct ctl_lines *lines,
                      struct ctl_qrels *qrels)
{
    struct sl_error err = {0};
    struct sl_view view;
    enum sl_err result;

    while ((result = ctl_lines_next(lines, &view, &err)) == SL_OK) {
        struct ctl_judgement *items =
            reallocarray(qrels->items, (size_t)qrels->count + 1, sizeof(*items));
        char *line = strndup(view.data, view.size);
        bool parsed, heading;

        if (items != NULL)
            qrels->items = items;
        if (items == NULL || line == NULL) {
            free(line);
            return ctl_fail(ctl, SL_EXIT_OS, "no memory for the judgements of %s", path);
        }
        parsed = judgement_parse(line, (uint32_t)ctl_lines_number(lines), &items[qrels->count], &heading);
        free(line);
        if (parsed)
            qrels->count++;
        else if (!heading)
            return ctl_fail(ctl, SL_EXIT_DATA,
                            "%s:%llu: allowed is: question, tab, document, tab, whole number", path,
                            (unsigned long long)ctl_lines_number(lines));
    }
    return result == SL_AGAIN ? SL_EXIT_OK : ctl_fail_error(ctl, &err, SL_EXIT_DATA);
}

/* A document is judged once for a question: said twice it would count twice, said otherwise it is not known which. */
static int drop_doubles(const struct ctl *ctl, const char *path, struct ctl_qrels *qrels)
{
    uint32_t kept = 0;

    if (qrels->count > 0)
        qsort(qrels->items, qrels->count, sizeof(*qrels->items), by_query_then_doc);
    for (uint32_t i = 0; i < qrels->count; i++) {
        struct ctl_judgement *last = kept > 0 ? &qrels->items[kept - 1] : NULL, one = qrels->items[i];
        if (last == NULL || strcmp(last->query, one.query) != 0 || strcmp(last->doc, one.doc) != 0) {
            qrels->items[i] = qrels->items[kept];
            qrels->items[kept++] = one;
        } else if (last->grade != one.grade) {
            return ctl_fail(ctl, SL_EXIT_DATA, "%s:%u: question %s, document %s: judged %d here, but %d on line %u", path,
                            one.line, one.query, one.doc, one.grade, last->grade, last->line);
        }
    }
    for (uint32_t i = kept; i < qrels->count; i++) {
        free(qrels->items[i].query);
        free(qrels->items[i].doc);
    }
    qrels->count = kept;
    return SL_EXIT_OK;
}

int ctl_qrels_read(const struct ctl *ctl, const char *path, struct ctl_qrels *ret_qrels)
{
    struct ctl_lines *lines = NULL;
    struct sl_error err = {0};
    int exit_code;

    *ret_qrels = (struct ctl_qrels){0};
    if (ctl_lines_open(path, SL_QUESTION_BYTES_MAX, &lines, &err) != SL_OK)
        return ctl_fail_error(ctl, &err, SL_EXIT_IO);
    exit_code = qrels_fill(ctl, path, lines, ret_qrels);
    ctl_lines_close(lines);
    if (exit_code == SL_EXIT_OK)
        exit_code = drop_doubles(ctl, path, ret_qrels);
    if (exit_code != SL_EXIT_OK)
        ctl_qrels_free(ret_qrels);
    else if (ret_qrels->count > 0)
        qsort(ret_qrels->items, ret_qrels->count, sizeof(*ret_qrels->items), by_query_then_grade);
    return exit_code;
}

void ctl_qrels_free(struct ctl_qrels *qrels)
{
    for (uint32_t i = 0; i < qrels->count; i++) {
        free(qrels->items[i].query);
        free(qrels->items[i].doc);
    }
    free(qrels->items);
    *qrels = (struct ctl_qrels){0};
}

const struct ctl_judgement *ctl_qrels_of(const struct ctl_qrels *qrels, const char *query,
                                         uint32_t *ret_count)
{
    uint32_t low = 0;
    uint32_t high = qrels->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (strcmp(qrels->items[middle].query, query) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (*ret_count = 0; low + *ret_count < qrels->count; (*ret_count)++) {
        if (strcmp(qrels->items[low + *ret_count].query, query) != 0)
            break;
    }
    return qrels->items + low;
}
