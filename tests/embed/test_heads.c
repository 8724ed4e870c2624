/*
 * test_heads.c -- the ranking and reading heads against what the reference code says of small random networks
 * (tests/embed/make_heads.py), and what happens when time is short or a model is not what it should be.
 */
#include <cjson/cJSON.h>
#include <math.h>
#include <sluice/embed.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "../support/test.h"

enum { PASSAGES = 4, LINES_MAX = 64 };

struct line {
    char *question;
    char *passages[PASSAGES];
};

static struct line lines[LINES_MAX];
static int line_count;

static int64_t now_us, step_us;

static int64_t clock_at(void *context)
{
    int64_t *now = context, at = *now;

    *now += step_us;
    return at;
}

static const struct sl_time_limit LIMIT = {clock_at, &now_us, 1000};

static const char *path_of(const char *name)
{
    static char path[4096];

    (void)snprintf(path, sizeof path, "%s/tests/embed/heads/%s", SOURCE_DIR, name);
    return path;
}

static void read_lines(void)
{
    FILE *file = fopen(path_of("pairs.jsonl"), "r");
    char *text = NULL;
    size_t room = 0;

    REQUIRE(file != NULL);
    now_us = 0;
    for (line_count = 0; line_count < LINES_MAX && getline(&text, &room, file) > 0; line_count++) {
        cJSON *root = cJSON_Parse(text);
        lines[line_count].question = strdup(cJSON_GetObjectItem(root, "question")->valuestring);
        for (int i = 0; i < PASSAGES; i++)
            lines[line_count].passages[i] =
                strdup(cJSON_GetArrayItem(cJSON_GetObjectItem(root, "passages"), i)->valuestring);
        cJSON_Delete(root);
    }
    free(text);
    (void)fclose(file);
    REQUIRE(line_count >= 10);
}

static void free_lines(void)
{
    for (int l = 0; l < line_count; l++) {
        free(lines[l].question);
        for (int i = 0; i < PASSAGES; i++)
            free(lines[l].passages[i]);
    }
}

static void views_of(const struct line *line, struct sl_view views[PASSAGES])
{
    for (int i = 0; i < PASSAGES; i++)
        views[i] = sl_view_of(line->passages[i]);
}

/* The golden scores of a model for pair line `wanted`. */
static void golden_scores(const char *model, int wanted, double scores[PASSAGES])
{
    FILE *file = fopen(path_of("scores.txt"), "r");
    char name[32];
    int seen = 0;

    REQUIRE(file != NULL);
    while (fscanf(file, "%31s %lf %lf %lf %lf", name, &scores[0], &scores[1], &scores[2], &scores[3]) == 5)
        if (strcmp(name, model) == 0 && seen++ == wanted)
            break;
    (void)fclose(file);
    REQUIRE(seen == wanted + 1);
}

static void check_ranking(const char *model)
{
    struct sl_reranker *reranker = NULL;
    struct sl_error err = {0};

    read_lines();
    REQUIRE(sl_cross_encoder_open(path_of(model), "f32", &reranker, &err) == SL_OK);
    CHECK(strcmp(reranker->name, model) == 0);
    for (int l = 0; l < line_count; l++) {
        struct sl_view views[PASSAGES];
        double golden[PASSAGES];
        float scores[PASSAGES] = {0};
        uint32_t scored = 0;
        views_of(&lines[l], views);
        golden_scores(model, l, golden);
        REQUIRE(reranker->ops->score(reranker, sl_view_of(lines[l].question), views, PASSAGES, &LIMIT, scores,
                                     &scored, &err) == SL_OK && scored == PASSAGES);
        for (int i = 0; i < PASSAGES; i++)
            CHECK_THAT(fabs((double)scores[i] - golden[i]) < 1e-3, "%s line %d passage %d: %g, reference %g", model,
                       l, i, (double)scores[i], golden[i]);
    }
    (void)sl_reranker_close(reranker);
    free_lines();
}

TEST(one_label_is_ranked_as_the_reference_does)
{
    check_ranking("one");
}

TEST(two_labels_are_ranked_as_the_reference_does)
{
    check_ranking("two");
}

TEST(roberta_is_ranked_as_the_reference_does)
{
    check_ranking("roberta");
}

TEST(passages_are_read_as_the_reference_does)
{
    struct sl_reader *reader = NULL;
    struct sl_error err = {0};
    FILE *file;

    read_lines();
    file = fopen(path_of("readings.txt"), "r");
    REQUIRE(file != NULL && sl_reader_open(path_of("reader"), "f32", &reader, &err) == SL_OK);
    CHECK(strcmp(sl_reader_name(reader), "reader") == 0);
    for (int l = 0; l < line_count; l++) {
        struct sl_view views[PASSAGES];
        struct sl_reading readings[PASSAGES];
        views_of(&lines[l], views);
        REQUIRE(sl_reader_read(reader, sl_view_of(lines[l].question), views, PASSAGES, &LIMIT, readings, &err) ==
                SL_OK);
        for (int i = 0; i < PASSAGES; i++) {
            unsigned start, end;
            double score;
            REQUIRE(fscanf(file, "%u %u %lf", &start, &end, &score) == 3);
            CHECK_THAT(readings[i].byte_start == start && readings[i].byte_end == end &&
                           fabs(readings[i].score - score) < 5e-3,
                       "line %d passage %d: %u-%u %g, reference %u-%u %g", l, i, readings[i].byte_start,
                       readings[i].byte_end, readings[i].score, start, end, score);
        }
    }
    (void)fclose(file);
    (void)sl_reader_close(reader);
    free_lines();
}

TEST(what_comes_too_late_is_given_up)
{
    struct sl_view passage = SL_VIEW("the lamp burns oil");
    struct sl_reranker *reranker = NULL;
    struct sl_reader *reader = NULL;
    struct sl_reading reading;
    struct sl_error err = {0};
    uint32_t scored = 0;
    float score;

    REQUIRE(sl_cross_encoder_open(path_of("one"), NULL, &reranker, &err) == SL_OK);
    REQUIRE(sl_reader_open(path_of("reader"), NULL, &reader, &err) == SL_OK);
    now_us = 1000;
    CHECK(reranker->ops->score(reranker, SL_VIEW("who"), &passage, 1, &LIMIT, &score, &scored, &err) == SL_AGAIN);
    CHECK(strcmp(err.reason, "rerank_late") == 0);
    CHECK(sl_reader_read(reader, SL_VIEW("who"), &passage, 1, &LIMIT, &reading, &err) == SL_AGAIN);
    CHECK(strcmp(err.reason, "reader_late") == 0);
    (void)sl_reranker_close(reranker);
    (void)sl_reader_close(reader);
}

TEST(what_is_scored_in_time_is_kept)
{
    struct sl_view passages[60];
    struct sl_reranker *reranker = NULL;
    struct sl_error err = {0};
    float scores[60], all[60];
    uint32_t scored = 0, before;
    char text[600] = "";

    for (int i = 0; i < 60; i++)
        (void)strcat(text, "the lamp ");
    for (int i = 0; i < 60; i++)
        passages[i] = (struct sl_view){text, (size_t)(9 * (i + 1) - 1)};
    now_us = step_us = 0;
    REQUIRE(sl_cross_encoder_open(path_of("one"), NULL, &reranker, &err) == SL_OK);
    CHECK(reranker->ops->score(reranker, SL_VIEW("who"), passages, 60, &LIMIT, all, &scored, &err) == SL_OK);
    CHECK(scored == 60);
    step_us = 600; /* each look at the clock; the limit is 1000 */
    CHECK(reranker->ops->score(reranker, SL_VIEW("who"), passages, 60, &LIMIT, scores, &scored, &err) == SL_OK);
    CHECK_THAT(scored > 0 && scored < 60, "%u", scored);
    before = scored;
    for (uint32_t i = 0; i < before; i++)
        CHECK(fabsf(scores[i] - all[i]) < 1e-6f);
    now_us = step_us = 0;
    (void)sl_reranker_close(reranker);
}

TEST(empty_texts_are_scored_and_say_nothing)
{
    struct sl_view passages[] = {SL_VIEW(""), SL_VIEW("   ")};
    struct sl_reranker *reranker = NULL;
    struct sl_reader *reader = NULL;
    struct sl_reading readings[2];
    struct sl_error err = {0};
    float scores[2] = {-1, -1};
    uint32_t scored = 0;

    now_us = 0;
    REQUIRE(sl_cross_encoder_open(path_of("one"), NULL, &reranker, &err) == SL_OK);
    REQUIRE(sl_reader_open(path_of("reader"), NULL, &reader, &err) == SL_OK);
    CHECK(reranker->ops->score(reranker, SL_VIEW(""), passages, 2, &LIMIT, scores, &scored, &err) == SL_OK);
    CHECK(scores[0] > 0 && fabsf(scores[0] - scores[1]) < 1e-4f);
    CHECK(sl_reader_read(reader, SL_VIEW(""), passages, 2, &LIMIT, readings, &err) == SL_OK);
    CHECK(readings[0].byte_end == 0 && readings[1].byte_end == 0);
    (void)sl_reranker_close(reranker);
    (void)sl_reader_close(reader);
}

TEST(a_model_without_the_head_is_refused)
{
    struct sl_reranker *reranker = NULL;
    struct sl_reader *reader = NULL;
    struct sl_error err = {0};

    CHECK(sl_cross_encoder_open(path_of("reader"), NULL, &reranker, &err) == SL_STOP && reranker == NULL);
    CHECK(strcmp(err.reason, "bad_model") == 0);
    CHECK(sl_reader_open(path_of("one"), NULL, &reader, &err) == SL_STOP && reader == NULL);
    CHECK(strcmp(err.reason, "bad_model") == 0);
    CHECK(sl_cross_encoder_open("/nonexistent", NULL, &reranker, &err) == SL_STOP);
    CHECK(sl_reranker_close(NULL) == NULL && sl_reader_close(NULL) == NULL);
}
