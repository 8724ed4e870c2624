/*
 * tokenizer_regex.c -- ICU's regular expressions, one clone of the pattern for each text.
 *
 * The tables that most files of SentencePiece models ask for, two or more spaces into one, are
 * matched here: a clone and a UText for each text would cost more than the rest of tokenizing.
 * Matching has a limit of steps, so that no pattern can stall a thread; past it the rest of the
 * text counts as without a match.
 */
#include "embed/tokenizer_regex.h"

#include <stdlib.h>
#include <string.h>
#include <unicode/uregex.h>
#include <unicode/utext.h>

#define PATTERN_BYTES_MAX 4096u
#define TIME_LIMIT_STEPS  100000

struct sl_regex {
    URegularExpression *expression; /* NULL: two or more spaces */
};

struct sl_regex_walk {
    URegularExpression *expression; /* NULL: two or more spaces */
    UText *text;
    struct sl_view view;
    size_t at;
};

enum sl_err sl_regex_open_text(const char *pattern, const struct sl_json_place *place,
                               struct sl_regex **ret_regex, struct sl_error *err)
{
    UErrorCode status = U_ZERO_ERROR;
    struct sl_regex *regex;
    UText *text;

    if (strlen(pattern) > PATTERN_BYTES_MAX)
        return sl_json_refuse(place, err, "a pattern is longer than %u bytes", PATTERN_BYTES_MAX);
    regex = calloc(1, sizeof *regex);
    if (regex == NULL)
        return sl_json_refuse(place, err, "out of memory");
    if (strcmp(pattern, " {2,}") != 0) {
        text = utext_openUTF8(NULL, pattern, -1, &status);
        regex->expression = uregex_openUText(text, 0, NULL, &status);
        (void)utext_close(text);
    }
    if (U_FAILURE(status)) {
        (void)sl_regex_close(regex);
        return sl_json_refuse(place, err, "pattern \"%.60s\": %s", pattern, u_errorName(status));
    }
    *ret_regex = regex;
    return SL_OK;
}

enum sl_err sl_regex_open(const cJSON *pattern, const struct sl_json_place *place,
                          struct sl_regex **ret_regex, struct sl_error *err)
{
    if (!cJSON_IsString(pattern))
        return sl_json_refuse(place, err, "\"Regex\" must be a string");
    return sl_regex_open_text(pattern->valuestring, place, ret_regex, err);
}

struct sl_regex *sl_regex_close(struct sl_regex *regex)
{
    if (regex != NULL && regex->expression != NULL)
        uregex_close(regex->expression);
    free(regex);
    return NULL;
}

struct sl_regex_walk *sl_regex_begin(const struct sl_regex *regex, struct sl_view text)
{
    UErrorCode status = U_ZERO_ERROR;
    struct sl_regex_walk *walk = calloc(1, sizeof *walk);

    if (walk == NULL)
        return NULL;
    walk->view = text;
    if (regex->expression == NULL)
        return walk;
    walk->expression = uregex_clone(regex->expression, &status);
    walk->text = utext_openUTF8(NULL, text.data, (int64_t)text.size, &status);
    uregex_setTimeLimit(walk->expression, TIME_LIMIT_STEPS, &status);
    uregex_setUText(walk->expression, walk->text, &status);
    if (U_SUCCESS(status))
        return walk;
    sl_regex_end(walk);
    return NULL;
}

static bool next_spaces(struct sl_regex_walk *walk, size_t *ret_start, size_t *ret_end)
{
    while (walk->at < walk->view.size) {
        const char *space = memchr(walk->view.data + walk->at, ' ', walk->view.size - walk->at);
        size_t start = space != NULL ? (size_t)(space - walk->view.data) : walk->view.size;
        size_t end = start;
        while (end < walk->view.size && walk->view.data[end] == ' ')
            end++;
        walk->at = end;
        if (end - start >= 2) {
            *ret_start = start;
            *ret_end = end;
            return true;
        }
    }
    return false;
}

bool sl_regex_next(struct sl_regex_walk *walk, size_t *ret_start, size_t *ret_end)
{
    UErrorCode status = U_ZERO_ERROR;

    if (walk->expression == NULL)
        return next_spaces(walk, ret_start, ret_end);
    while (uregex_findNext(walk->expression, &status) && U_SUCCESS(status)) {
        int64_t start = uregex_start64(walk->expression, 0, &status);
        int64_t end = uregex_end64(walk->expression, 0, &status);
        if (U_FAILURE(status) || start < 0 || end < start)
            return false;
        *ret_start = (size_t)start;
        *ret_end = (size_t)end;
        if (end > start)
            return true;
    }
    return false;
}

void sl_regex_end(struct sl_regex_walk *walk)
{
    if (walk == NULL)
        return;
    if (walk->expression != NULL)
        uregex_close(walk->expression);
    if (walk->text != NULL)
        (void)utext_close(walk->text);
    free(walk);
}

void sl_regex_replace(const struct sl_regex *regex, struct sl_view text, struct sl_view content,
                      struct sl_work_text *out)
{
    struct sl_regex_walk *walk = sl_regex_begin(regex, text);
    size_t done = 0, start, end;

    while (walk != NULL && !out->overflow && sl_regex_next(walk, &start, &end)) {
        sl_work_add(out, text.data + done, start - done);
        sl_work_add(out, content.data, content.size);
        done = end;
    }
    sl_work_add(out, text.data + done, text.size - done);
    sl_regex_end(walk);
}
