/*
 * rankings.c -- TREC run files read, so that what other programs find is measured by the same arithmetic.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "rankings.h"

#define COLUMNS 6

static int by_question_then_score(const void *a, const void *b)
{
    const struct ctl_ranked *x = a, *y = b;
    int order = strcmp(x->query, y->query);

    if (order == 0)
        order = (y->score > x->score) - (y->score < x->score);
    return order != 0 ? order : (x->line > y->line) - (x->line < y->line);
}

static int by_question_then_doc(const void *a, const void *b)
{
    const struct ctl_ranked *x = a, *y = b;
    int order = strcmp(x->query, y->query);

    if (order == 0)
        order = strcmp(x->doc, y->doc);
    return order != 0 ? order : (x->line > y->line) - (x->line < y->line);
}

/* An id with its white space again. */
static char *id_of(const char *column)
{
    static const char *const spaces[] = {"%20 ", "%09\t", "%0A\n", "%0B\v", "%0C\f", "%0D\r"};
    char *id = strdup(column), *to = id;

    for (const char *from = id; from != NULL && *from != '\0'; from++, to++) {
        *to = *from;
        for (size_t i = 0; i < sizeof spaces / sizeof *spaces; i++)
            if (strncasecmp(from, spaces[i], 3) == 0) {
                *to = spaces[i][3];
                from += 2;
                break;
            }
    }
    if (id != NULL)
        *to = '\0';
    return id;
}

static bool line_parse(char *line, struct ctl_ranked *ret)
{
    char *columns[COLUMNS + 1], *rest = NULL, *end;
    int count = 0;

    for (char *column = strtok_r(line, " \t", &rest); column != NULL && count <= COLUMNS;
         column = strtok_r(NULL, " \t", &rest))
        columns[count++] = column;
    if (count != COLUMNS)
        return false;
    ret->score = strtod(columns[4], &end);
    if (end == columns[4] || *end != '\0' || !isfinite(ret->score))
        return false;
    ret->query = id_of(columns[0]);
    ret->doc = id_of(columns[2]);
    return ret->query != NULL && ret->doc != NULL;
}

static int fill(const struct ctl *ctl, const char *path, struct ctl_lines *lines,
                struct ctl_rankings *rankings)
{
    struct sl_error err = {0};
    struct sl_view view;
    enum sl_err result;

    while ((result = ctl_lines_next(lines, &view, &err)) == SL_OK) {
        struct ctl_ranked *items = reallocarray(rankings->items, (size_t)rankings->count + 1, sizeof *items);
        char *line = strndup(view.data, view.size);
        bool parsed;
        if (items != NULL)
            rankings->items = items;
        if (items == NULL || line == NULL) {
            free(line);
            return ctl_fail(ctl, SL_EXIT_OS, "no memory for the rankings of %s", path);
        }
        items[rankings->count] = (struct ctl_ranked){.line = (uint32_t)ctl_lines_number(lines)};
        parsed = line_parse(line, &items[rankings->count++]);
        free(line);
        if (!parsed)
            return ctl_fail(ctl, SL_EXIT_DATA,
                            "%s:%llu: allowed is: question, Q0, document, rank, score, name of the run", path,
                            (unsigned long long)ctl_lines_number(lines));
    }
    return result == SL_AGAIN ? SL_EXIT_OK : ctl_fail_error(ctl, &err, SL_EXIT_DATA);
}

static int refuse_doubles(const struct ctl *ctl, const char *path, struct ctl_rankings *rankings)
{
    struct ctl_ranked *items = rankings->items;

    if (rankings->count > 0)
        qsort(items, rankings->count, sizeof *items, by_question_then_doc);
    for (uint32_t i = 1; i < rankings->count; i++)
        if (strcmp(items[i].query, items[i - 1].query) == 0 && strcmp(items[i].doc, items[i - 1].doc) == 0)
            return ctl_fail(ctl, SL_EXIT_DATA, "%s:%u: document %s was ranked for question %s before, on line %u",
                            path, items[i].line, items[i].doc, items[i].query, items[i - 1].line);
    if (rankings->count > 0)
        qsort(items, rankings->count, sizeof *items, by_question_then_score);
    return SL_EXIT_OK;
}

int ctl_rankings_read(const struct ctl *ctl, const char *path, struct ctl_rankings *ret_rankings)
{
    struct ctl_lines *lines = NULL;
    struct sl_error err = {0};
    int exit_code;

    *ret_rankings = (struct ctl_rankings){0};
    if (ctl_lines_open(path, SL_QUESTION_BYTES_MAX, &lines, &err) != SL_OK)
        return ctl_fail_error(ctl, &err, SL_EXIT_IO);
    exit_code = fill(ctl, path, lines, ret_rankings);
    ctl_lines_close(lines);
    if (exit_code == SL_EXIT_OK && ret_rankings->count == 0)
        exit_code = ctl_fail(ctl, SL_EXIT_DATA, "%s: no ranking in it", path);
    if (exit_code == SL_EXIT_OK)
        exit_code = refuse_doubles(ctl, path, ret_rankings);
    if (exit_code != SL_EXIT_OK)
        ctl_rankings_free(ret_rankings);
    return exit_code;
}

void ctl_rankings_free(struct ctl_rankings *rankings)
{
    for (uint32_t i = 0; i < rankings->count; i++) {
        free(rankings->items[i].query);
        free(rankings->items[i].doc);
    }
    free(rankings->items);
    *rankings = (struct ctl_rankings){0};
}

const struct ctl_ranked *ctl_rankings_of(const struct ctl_rankings *rankings, const char *query,
                                         uint32_t *ret_count)
{
    uint32_t low = 0, high = rankings->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (strcmp(rankings->items[middle].query, query) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (*ret_count = 0; low + *ret_count < rankings->count; (*ret_count)++)
        if (strcmp(rankings->items[low + *ret_count].query, query) != 0)
            break;
    return rankings->items + low;
}
