/*
 * quality_answers.c -- how well answers and silences are chosen, on question sets in BEIR's form.
 *
 *     quality_answers --corpus F --positive F [--negative F --half 0|1] [--model DIR] [--every N]
 *                     [--questions N] [--near] [--part 1|2] [--auroc-min X] [--span-f1-min X] [--figures] [--spans]
 *
 * Indexes the corpus (every N-th document), asks the positive questions (those whose passage is indexed, evenly
 * thinned to N) and one half of the negative ones (by line parity), and prints one JSON object: AUROC of the
 * relevance, share answered of each, best threshold, and for positives with "answers" EM, F1 and how often the
 * answer holds an accepted one. With --figures a line per question instead, for tests/quality/fit_relevance.py.
 * With --part only a half of the lines of --positive is asked. With --near the negatives are the positives' file's questions marked as not answerable. With --spans, the
 * candidates of each positive question for tests/quality/fit_spans.py. Exit 77 without the
 * data, 1 below --auroc-min or --span-f1-min.
 */
#include <cjson/cJSON.h>
#include <ftw.h>
#include <sluice/eval.h>
#include <sluice/ingest.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "answer/spans.h"

struct options {
    const char *corpus, *positive, *negative, *model;
    unsigned long half, every, questions;
    double auroc_min, span_f1_min;
    unsigned long part; /* 0: all; 1 or 2: a half of the positives' lines, and so of their articles */
    bool figures, spans, near;
};

struct run {
    struct options options;
    struct sl_index *index;
    struct sl_snapshot *snapshot;
    struct sl_embedder *embedder;
    struct sl_arena *arena;
    double *scores[2]; /* relevance, negative and positive */
    uint32_t counts[2], answered[2];
    uint32_t with_answers, held, span_asked;
    double f1, exact, span_f1, span_exact;
    double asked_f1[SL_ASKED_KINDS];
    uint32_t asked[SL_ASKED_KINDS];
};

static int64_t now_ms(void *context)
{
    (void)context;
    return INT64_C(1700000000000);
}

static int64_t monotonic_us(void *context)
{
    struct timespec now;

    (void)context;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static const struct sl_clock CLOCK = {now_ms, monotonic_us, NULL};

static void require(enum sl_err e, const struct sl_error *err)
{
    if (e == SL_OK)
        return;
    fprintf(stderr, "quality_answers: %s: %s\n", err->reason, err->message);
    exit(70);
}

static const char *text_of(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);

    return cJSON_IsString(item) ? item->valuestring : "";
}

/* ------------------------------------------------------------------------------------ indexing */

static void embed(struct run *run, struct sl_ingest *ingest)
{
    struct sl_error err = {0};
    float *vectors;

    if (ingest->text_count == 0)
        return;
    vectors = SL_NEW_ARRAY(run->arena, float, (size_t)ingest->text_count * run->embedder->dim);
    for (uint32_t i = 0; i < ingest->text_count; i++)
        ingest->vectors[i] = vectors + (size_t)i * run->embedder->dim;
    require(run->embedder->ops->encode(run->embedder, SL_EMBED_PASSAGE, ingest->texts,
                                       ingest->text_count, vectors, &err), &err);
}

static void add_line(struct run *run, struct sl_batch *batch, const struct sl_ingest_options *options,
                     struct sl_view line)
{
    cJSON *root = cJSON_ParseWithLength(line.data, line.size);
    struct sl_message message = {.topic = SL_VIEW("docs"), .offset = -1, .timestamp_ms = -1,
                                 .key = sl_view_of(text_of(root, "_id")), .value = line};
    struct sl_prepared *prepared = NULL;
    struct sl_ingest *ingest = NULL;
    struct sl_error err = {0};
    enum sl_applied applied;

    sl_arena_reset(run->arena);
    require(sl_ingest_read(&message, options, NULL, run->arena, &ingest, &err), &err);
    embed(run, ingest);
    require(sl_ingest_finish(ingest, run->index, &prepared, &err), &err);
    require(sl_batch_apply(batch, prepared, &applied, &err), &err);
    cJSON_Delete(root);
}

static void index_corpus(struct run *run, FILE *file)
{
    struct sl_ingest_options options = {.chunk = {.words = 220, .overlap_words = 30},
                                        .embedder = run->embedder};
    struct sl_batch *batch = NULL;
    struct sl_error err = {0};
    char *line = NULL;
    size_t room = 0;
    ssize_t size;
    unsigned long number = 0, pending = 0;

    while ((size = getline(&line, &room, file)) > 0) {
        if (number++ % run->options.every != 0)
            continue;
        if (batch == NULL)
            require(sl_batch_begin(run->index, &batch, &err), &err);
        add_line(run, batch, &options, (struct sl_view){line, (size_t)size});
        if (++pending % 500 == 0) {
            require(sl_batch_commit(batch, &err), &err);
            batch = NULL;
        }
    }
    if (batch != NULL)
        require(sl_batch_commit(batch, &err), &err);
    free(line);
}

/* -------------------------------------------------------------------------------------- asking */

struct match {
    double f1;
    bool exact, held;
};

/* The best over all accepted answers. */
static struct match match_of(const cJSON *answers, struct sl_view answer)
{
    struct match best = {0};
    const cJSON *item;

    cJSON_ArrayForEach(item, answers)
    {
        struct sl_view accepted = sl_view_of(cJSON_IsString(item) ? item->valuestring : "");
        double one = sl_eval_f1(answer, accepted);
        best.f1 = one > best.f1 ? one : best.f1;
        best.exact = best.exact || sl_eval_exact(answer, accepted);
        best.held = best.held || (accepted.size > 0 && memmem(answer.data, answer.size, accepted.data,
                                                              accepted.size) != NULL);
    }
    return best;
}

static void measure_answer(struct run *run, const cJSON *root, enum sl_asked asked, struct sl_view answer,
                           struct sl_view span)
{
    const cJSON *answers = cJSON_GetObjectItemCaseSensitive(root, "answers");
    struct match match, few;

    if (cJSON_GetArraySize(answers) == 0)
        return;
    match = match_of(answers, answer);
    few = match_of(answers, span.size > 0 ? span : answer);
    run->with_answers++;
    run->f1 += match.f1;
    run->exact += match.exact;
    run->held += match.held;
    run->span_f1 += few.f1;
    run->span_exact += few.exact;
    run->asked[asked]++;
    run->asked_f1[asked] += few.f1;
}

/* All candidates of one question, in the machine's own form: the question's number, the answers' F1, and
 * SL_SPAN_FEATURES_EACH features and values. */
static void print_spans(struct run *run, const cJSON *root, const struct sl_needs *needs,
                        const struct sl_extracted *extracted)
{
    const cJSON *answers = cJSON_GetObjectItemCaseSensitive(root, "answers");
    struct sl_error err = {0};

    for (uint32_t i = 0; i < extracted->close_count; i++) {
        struct sl_candidate *candidates = NULL;
        uint32_t count = 0;
        require(sl_spans_of(needs, &extracted->close[i], run->arena, &candidates, &count, &err), &err);
        for (uint32_t c = 0; c < count; c++) {
            struct sl_view text = sl_view_range(extracted->close[i].text, candidates[c].byte_start,
                                                candidates[c].byte_end);
            struct match match = match_of(answers, text);
            float f1 = match.exact ? 1 : (float)match.f1;
            (void)fwrite(&run->counts[1], sizeof run->counts[1], 1, stdout);
            (void)fwrite(&f1, sizeof f1, 1, stdout);
            for (uint32_t f = candidates[c].feature_count; f < SL_SPAN_FEATURES_EACH; f++)
                candidates[c].features[f] = 0, candidates[c].values[f] = 0;
            (void)fwrite(candidates[c].features, sizeof *candidates[c].features, SL_SPAN_FEATURES_EACH, stdout);
            (void)fwrite(candidates[c].values, sizeof *candidates[c].values, SL_SPAN_FEATURES_EACH, stdout);
        }
    }
}

/* The quotes without their marks. */
static struct sl_view answer_words(struct run *run, const struct sl_extracted *extracted)
{
    struct sl_buffer text = {0};
    struct sl_view copy;

    for (uint32_t i = 0; i < extracted->citation_count; i++) {
        sl_buffer_view(&text, i > 0 ? SL_VIEW(" ") : SL_VIEW(""));
        sl_buffer_view(&text, extracted->citations[i].quote);
    }
    copy = sl_arena_copy(run->arena, (struct sl_view){text.data ? text.data : "", text.size});
    sl_buffer_fini(&text);
    return copy;
}

static void print_figures(const struct sl_evidence *e, bool positive)
{
    printf("%d %.5f %.5f %.5f %.5f %.5f %d\n", positive, e->first_cover, e->around_cover, e->missing, e->cosine,
           e->sentence_cosine, e->kind_missing);
}

static void ask(struct run *run, const cJSON *root, bool positive)
{
    struct sl_retrieve_options options = {.mode = SL_MODE_HYBRID, .k = SL_PASSAGES_MAX, .ef = 64,
                                          .fusion = SL_FUSION_RRF, .weight_lexical = 1,
                                          .weight_vector = 1, .coverage_min = 0.5};
    struct sl_question question = {.text = sl_view_of(text_of(root, "text")), .asked_ms = -1};
    struct sl_retrieved *retrieved = NULL;
    struct sl_passage *passages = NULL;
    struct sl_extracted extracted = {0};
    struct sl_needs needs = {0};
    struct sl_error err = {0};
    uint32_t count = 0;

    sl_arena_reset(run->arena);
    require(sl_retrieve(run->snapshot, &question, &options, run->embedder, &CLOCK, run->arena,
                        &retrieved, &err), &err);
    require(sl_passages_read(run->snapshot, retrieved, SL_PASSAGES_MAX, run->arena, &passages, &count,
                             &err), &err);
    require(sl_needs_read(run->snapshot, retrieved->search_text, run->arena, &needs, &err), &err);
    struct sl_meaning meaning = {.embedder = run->embedder, .vector = retrieved->vector};
    require(sl_extract(&needs, &meaning, passages, count, run->arena, &extracted, &err), &err);
    if (run->options.figures)
        print_figures(&extracted.evidence, positive);
    run->scores[positive][run->counts[positive]++] = extracted.relevance;
    run->answered[positive] += extracted.relevance >= SL_RELEVANCE_MIN ? 1 : 0;
    if (positive)
        measure_answer(run, root, needs.asked, answer_words(run, &extracted), extracted.span.text);
    if (positive && run->options.spans)
        print_spans(run, root, &needs, &extracted);
}

static bool is_wanted(struct run *run, const cJSON *root, bool positive)
{
    bool unanswerable = cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(root, "answerable"));

    const char *passage = text_of(root, "passage");
    struct sl_error err = {0};
    sl_doc_id doc;

    if (unanswerable == positive)
        return false;
    return passage[0] == '\0' || sl_snapshot_find(run->snapshot, SL_VIEW("docs"), sl_view_of(passage),
                                                  &doc, &err) == SL_OK;
}

/* Ask the wanted lines of a file, thinned evenly to at most `most`. */
static void ask_file(struct run *run, FILE *file, bool positive, unsigned long most)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t size;
    unsigned long wanted = 0, number = 0, lines = 0, step;

    for (rewind(file); getline(&line, &room, file) > 0;)
        lines++;
    for (int pass = 0; pass < 2; pass++) {
        step = pass == 0 || wanted <= most ? 1 : (wanted + most - 1) / most;
        wanted = number = 0;
        rewind(file);
        while ((size = getline(&line, &room, file)) > 0) {
            cJSON *root = cJSON_ParseWithLength(line, (size_t)size);
            bool take = positive || run->options.near ? is_wanted(run, root, positive)
                                                      : number % 2 == run->options.half;
            bool in_part = run->options.part == 0 || !(positive || run->options.near) ||
                           (number < lines / 2) == (run->options.part == 1);
            number++;
            if (take && in_part && wanted++ % step == 0 && pass == 1) {
                for (int side = 0; side < 2; side++)
                    if (run->scores[side] == NULL)
                        run->scores[side] = calloc(most + 1, sizeof(double));
                ask(run, root, positive);
            }
            cJSON_Delete(root);
        }
    }
    free(line);
}

/* -------------------------------------------------------------------------------------- report */

static int report(struct run *run)
{
    double auroc = 0, accuracy = 0, best = 0;

    printf("{\"positives\": %u, \"answered\": %.4f", run->counts[1],
           run->answered[1] / (double)run->counts[1]);
    if (run->counts[0] > 0) {
        auroc = sl_eval_auroc(run->scores[1], run->counts[1], run->scores[0], run->counts[0]);
        best = sl_eval_threshold(run->scores[1], run->counts[1], run->scores[0], run->counts[0],
                                 &accuracy);
        printf(", \"negatives\": %u, \"answered_wrongly\": %.4f, \"auroc\": %.4f, "
               "\"best_threshold\": %.4f, \"best_accuracy\": %.4f",
               run->counts[0], run->answered[0] / (double)run->counts[0], auroc, best, accuracy);
    }
    if (run->with_answers > 0)
        printf(", \"exact\": %.4f, \"f1\": %.4f, \"holds_answer\": %.4f",
               run->exact / run->with_answers, run->f1 / run->with_answers,
               run->held / (double)run->with_answers);
    if (run->with_answers > 0)
        printf(", \"span_exact\": %.4f, \"span_f1\": %.4f", run->span_exact / run->with_answers,
               run->span_f1 / run->with_answers);
    for (int i = 0; i < SL_ASKED_KINDS; i++)
        if (run->asked[i] > 0)
            fprintf(stderr, "asked %d: %u questions, span F1 %.4f\n", i, run->asked[i],
                    run->asked_f1[i] / run->asked[i]);
    puts("}");
    if (run->with_answers > 0 && run->span_f1 / run->with_answers < run->options.span_f1_min)
        return 1;
    return auroc < run->options.auroc_min ? 1 : 0;
}

static struct options read_options(int argc, char **argv)
{
    struct options options = {.every = 1, .questions = 1500};

    for (int i = 1; i < argc; i++) {
        const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(name, "--figures") == 0) {
            options.figures = true;
            continue;
        }
        if (strcmp(name, "--spans") == 0 || strcmp(name, "--near") == 0) {
            *(name[2] == 's' ? &options.spans : &options.near) = true;
            continue;
        }
        i++;
        if (strcmp(name, "--corpus") == 0)
            options.corpus = value;
        else if (strcmp(name, "--positive") == 0)
            options.positive = value;
        else if (strcmp(name, "--negative") == 0)
            options.negative = value;
        else if (strcmp(name, "--model") == 0)
            options.model = value;
        else if (strcmp(name, "--half") == 0)
            options.half = strtoul(value, NULL, 10);
        else if (strcmp(name, "--part") == 0)
            options.part = strtoul(value, NULL, 10);
        else if (strcmp(name, "--every") == 0)
            options.every = strtoul(value, NULL, 10);
        else if (strcmp(name, "--questions") == 0)
            options.questions = strtoul(value, NULL, 10);
        else if (strcmp(name, "--auroc-min") == 0)
            options.auroc_min = strtod(value, NULL);
        else if (strcmp(name, "--span-f1-min") == 0)
            options.span_f1_min = strtod(value, NULL);
        else
            exit(64);
    }
    if (options.corpus == NULL || options.positive == NULL || options.every == 0)
        exit(64);
    return options;
}

static char directory[] = "/tmp/sluice-quality-XXXXXX";

static int remove_one(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
    (void)stat, (void)type, (void)ftw;
    return remove(path);
}

static void remove_directory(void)
{
    (void)nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static FILE *open_or_skip(const char *path)
{
    FILE *file = fopen(path, "r");

    if (file == NULL) {
        fprintf(stderr, "SKIP %s is not there\n", path);
        exit(77);
    }
    return file;
}

static int measure(struct run *run)
{
    FILE *corpus = open_or_skip(run->options.corpus), *positive = open_or_skip(run->options.positive);
    const char *others = run->options.near ? run->options.positive : run->options.negative;
    FILE *negative = others ? open_or_skip(others) : NULL;
    struct sl_bert_options model = {.directory = run->options.model};
    struct sl_index_options options = {.path = directory, .map_size_bytes = UINT64_C(8) << 30};
    struct sl_error err = {0};
    int exit_code;

    if (model.directory != NULL) {
        if (access(model.directory, R_OK) != 0)
            exit(77);
        require(sl_bert_open(&model, &run->embedder, &err), &err);
        options.dim = run->embedder->dim;
    }
    if (mkdtemp(directory) == NULL || atexit(remove_directory) != 0)
        exit(74);
    require(sl_index_open(&options, &run->index, &err), &err);
    index_corpus(run, corpus);
    require(sl_snapshot_open(run->index, &run->snapshot, &err), &err);
    ask_file(run, positive, true, run->options.questions);
    if (negative != NULL) {
        ask_file(run, negative, false, run->options.questions);
        (void)fclose(negative);
    }
    exit_code = run->options.figures || run->options.spans ? 0 : report(run);
    (void)sl_snapshot_close(run->snapshot);
    (void)sl_index_close(run->index);
    (void)sl_embedder_close(run->embedder);
    (void)fclose(corpus);
    (void)fclose(positive);
    return exit_code;
}

int main(int argc, char **argv)
{
    struct run run = {.options = read_options(argc, argv), .arena = sl_arena_open(256 << 20)};
    int exit_code = measure(&run);

    free(run.scores[0]);
    free(run.scores[1]);
    (void)sl_arena_close(run.arena);
    return exit_code;
}
