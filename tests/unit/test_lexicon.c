/*
 * test_lexicon.c -- a user's words: kept whole, stopped, standing for each other; and a question's
 * terms.
 */
#include <math.h>
#include <sluice/lexicon.h>
#include <sluice/text.h>

#include "index_data.h"
#include "retrieve/question_terms.h"
#include "test.h"

static const char *write_file(const char *name, const char *text)
{
    static char paths[4][4200];
    static int used;
    char *path = paths[used++ % 4];
    FILE *file;

    snprintf(path, sizeof paths[0], "%s/%s", test_directory(), name);
    file = fopen(path, "w");
    if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0)
        abort();
    return path;
}

/* The terms as "a b:0.40 c": a boost where there is one. */
static const char *show(const struct sl_term_count *terms, uint32_t count)
{
    static char text[2000];
    size_t used = 0;

    text[0] = '\0';
    for (uint32_t i = 0; i < count; i++) {
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%.*s", i > 0 ? " " : "",
                                 SL_VIEW_ARG(terms[i].term));
        if (terms[i].boost > 0)
            used +=
                (size_t)snprintf(text + used, sizeof text - used, ":%.2f", (double)terms[i].boost);
    }
    return text;
}

static struct sl_word_lists *lists;
static struct sl_synonyms *synonyms;

static const char *terms_of(const char *text, const char *language)
{
    static struct sl_arena *arena;
    struct sl_term_count *terms;
    uint32_t count, length;
    static struct sl_error err;

    if (arena == NULL)
        arena = sl_arena_open(SL_ARENA_BYTES_MAX);
    sl_arena_reset(arena);
    if (sl_text_terms_listed(sl_view_of(text), language, lists, arena, &terms, &count, &length,
                             &err) != SL_OK)
        return err.message;
    if (synonyms != NULL &&
        sl_synonyms_apply(synonyms, language, arena, &terms, &count, &err) != SL_OK)
        return "not applied";
    return show(terms, count);
}

#define GIVES(text, language, expected)                                                            \
    CHECK_THAT(strcmp(terms_of(text, language), expected) == 0, "'%s'", terms_of(text, language))

static const char *refused(const char *text)
{
    static char message[600];
    struct sl_synonyms *none;
    struct sl_error err = {0};

    if (sl_synonyms_open(write_file("bad", text), NULL, &none, &err) == SL_OK)
        return "";
    snprintf(message, sizeof message, "%s", strstr(err.message, "bad:") + 4);
    return message;
}

TEST(lexicon_synonyms_stand_for_each_other_or_one_way)
{
    struct sl_error err;
    const char *path = write_file("synonyms", "# leave\n"
                                              "연차 = 연차유급휴가  # both ways\n"
                                              "annual leave = vacation\n"
                                              "TF => task force, working group\r\n");

    REQUIRE(sl_synonyms_open(path, NULL, &synonyms, &err) == SL_OK);
    GIVES("연차는?", "ko",
          "급휴:0.27 연차 연차_ 연차유급휴:0.27 유급:0.27 차는 차유:0.27 휴가:0.27");
    GIVES("연차유급휴가", "ko", "급휴 연차 연차_:0.80 연차유급휴 유급 차유 휴가");
    GIVES("vacations", "en", "annual:0.40 leav:0.40 vacat");
    GIVES("leave is annual", "en", "annual leav vacat:0.80");
    GIVES("leave", "en", "leav");
    GIVES("The TF", "en", "forc:0.40 group:0.40 task:0.40 tf work:0.40");
    GIVES("task force", "en", "forc task"); /* not the other way round */
    synonyms = sl_synonyms_close(synonyms);
}

TEST(lexicon_errors_name_file_and_line)
{
    struct sl_word_lists *none;
    struct sl_error err;

    CHECK(strncmp(refused("one = two\nalone\n"), "2: neither", 10) == 0);
    CHECK(strncmp(refused("one = \n"), "1: an entry is empty", 20) == 0);
    CHECK(strncmp(refused("the = one\n"), "1: 'the' holds no word", 22) == 0);
    CHECK(strncmp(refused("one = two => three\n"), "1: more than one", 16) == 0);
    CHECK(strncmp(refused("one = two\none => two = three\n"), "2: more than one", 16) == 0);
    CHECK(strncmp(refused("one => two => three\n"), "1: more than one", 16) == 0);
    CHECK(strncmp(refused("\n\xff = b\n"), "2: not UTF-8 at byte 1", 22) == 0);
    CHECK(sl_synonyms_open("/nowhere/s", NULL, &synonyms, &err) == SL_STOP && synonyms == NULL &&
          err.exit_code == SL_EXIT_CONFIG && strstr(err.message, "/nowhere/s") != NULL);
    CHECK(sl_word_lists_open(write_file("words", "one\ntwo words\n"), NULL, &none, &err) ==
              SL_STOP &&
          strstr(err.message, "words:2: 'two words'") != NULL);
    CHECK(sl_word_lists_open(NULL, write_file("stop", "one\n\n...\n"), &none, &err) == SL_STOP &&
          strstr(err.message, "stop:3: '...' holds neither") != NULL);
    CHECK(sl_word_lists_open("", NULL, &none, &err) == SL_OK && none == NULL);
}

TEST(lexicon_words_are_kept_and_found_in_compounds_and_stop_words_are_out)
{
    char digest[17];
    struct sl_error err;

    GIVES("Windows 고양이", "en", "window 고양 고양_ 양이");
    REQUIRE(sl_word_lists_open(write_file("words", "Windows\n고양이\n연차유급휴가\n"),
                               write_file("stops", "관련\nregards\n"), &lists, &err) == SL_OK);
    GIVES("Windows' windows", "en", "windows");
    GIVES("고양이 고양이가", "ko", "고양 고양이 양이 이가");
    CHECK(strstr(terms_of("연차유급휴가신청서를", "ko"), "연차유급휴가 연차유급휴가신청서") !=
          NULL);
    GIVES("Regards 관련의 일", "ko", "일");
    snprintf(digest, sizeof digest, "%s", sl_word_lists_digest(lists));
    lists = sl_word_lists_close(lists);
    CHECK(strlen(digest) == 16 && strcmp(sl_word_lists_digest(NULL), "-") == 0);
}

/* ---------------------------------------------------------------------------------- questions */

static void put_words(struct sl_index *index, struct sl_batch *batch, const char *key,
                      const char *text, const char *language)
{
    struct sl_arena *arena = sl_arena_open(SL_ARENA_BYTES_MAX);
    struct sl_document document = {.topic = TEST_TOPIC,
                                   .key = sl_view_of(key),
                                   .offset = 1,
                                   .text = sl_view_of(text),
                                   .date_days = {SL_DAY_NONE, SL_DAY_NONE}};
    struct sl_chunk chunk = {.byte_end = (uint32_t)strlen(text)};
    struct sl_term_count *terms;
    struct sl_prepared *prepared;
    enum sl_applied applied;
    struct sl_error err;

    if (sl_text_terms(document.text, language, arena, &terms, &chunk.term_count,
                      &chunk.length_terms, &err) != SL_OK)
        abort();
    chunk.terms = terms;
    if (sl_index_prepare(index, &document, &chunk, 1, &prepared, &err) != SL_OK ||
        sl_batch_apply(batch, prepared, &applied, &err) != SL_OK)
        abort();
    sl_arena_close(arena);
}

static const char *question_terms(struct sl_snapshot *snapshot, const char *text)
{
    static struct sl_arena *arena;
    struct sl_retrieve_options options = {.k = 5};
    struct sl_term_count *terms;
    uint32_t count;
    static struct sl_error err;

    if (arena == NULL)
        arena = sl_arena_open(SL_ARENA_BYTES_MAX);
    sl_arena_reset(arena);
    if (sl_question_terms(snapshot, sl_view_of(text), &options, arena, &terms, &count, &err) !=
        SL_OK)
        return err.message;
    return show(terms, count);
}

static struct sl_index *make_index(void)
{
    struct sl_index *index = test_index_open(test_directory(), 0, SL_METRIC_COSINE);
    struct sl_batch *batch;
    struct sl_error err;

    if (sl_batch_begin(index, &batch, &err) != SL_OK)
        abort();
    put_words(index, batch, "de1", "Die Kündigungsfristen während der Probezeit", "de");
    put_words(index, batch, "de2", "Der Urlaubsanspruch der Beschäftigten", "de");
    put_words(index, batch, "en1", "Notice periods and probation are agreed in writing", "en");
    put_words(index, batch, "en2", "Vacations grow with years of service; notice is given", "en");
    put_words(index, batch, "en3", "A notice of probation names its periods and reasons", "en");
    if (sl_batch_commit(batch, &err) != SL_OK)
        abort();
    return index;
}

TEST(lexicon_a_short_question_is_taken_in_a_language_the_index_has)
{
    struct sl_index *index = make_index();
    struct sl_snapshot *snapshot = test_snapshot(index);

    CHECK(sl_text_language_told(SL_VIEW("Kündigungsfrist Probezeit")) == NULL);
    CHECK_THAT(strcmp(question_terms(snapshot, "Kündigungsfrist Probezeit"),
                      "kundigungsfrist probezeit") == 0,
               "'%s'", question_terms(snapshot, "Kündigungsfrist Probezeit"));
    CHECK(strcmp(question_terms(snapshot, "notice periods"), "notic period") == 0);
    CHECK(strcmp(question_terms(snapshot, "unheard words"), "unheard word") == 0);
    sl_snapshot_close(snapshot);
    sl_index_close(index);
}

TEST(lexicon_expansion_adds_what_the_best_chunks_share)
{
    struct sl_index *index = make_index();
    struct sl_snapshot *snapshot = test_snapshot(index);
    struct sl_arena *arena = sl_arena_open(SL_ARENA_BYTES_MAX);
    struct sl_term_count one = {SL_VIEW("probat"), 1, 0}, *terms = &one;
    struct sl_hit hits[10];
    uint32_t count = 1, found;
    struct sl_error err;
    float sum = 0;

    REQUIRE(sl_snapshot_lexical(snapshot, terms, 1, 10, NULL, hits, &found, NULL, &err) == SL_OK);
    CHECK(found == 2);
    REQUIRE(sl_question_expand(snapshot, hits, found, arena, &terms, &count, &err) == SL_OK);
    CHECK(count > 1);
    for (uint32_t i = 0; i < count; i++)
        sum += terms[i].boost;
    CHECK_THAT(sum > 0.49f && sum < 1.01f, "%f", (double)sum);
    CHECK(strstr(show(terms, count), "probat:0.5") != NULL);
    sl_arena_close(arena);
    sl_snapshot_close(snapshot);
    sl_index_close(index);
}

TEST(lexicon_parts_of_a_score_add_up_to_it)
{
    struct sl_index *index = make_index();
    struct sl_snapshot *snapshot = test_snapshot(index);
    struct sl_arena *arena = sl_arena_open(SL_ARENA_BYTES_MAX);
    struct sl_term_count terms[] = {{SL_VIEW("notic"), 1, 0},
                                    {SL_VIEW("period"), 2, 0},
                                    {SL_VIEW("servic"), 1, 0.3f},
                                    {SL_VIEW("unheard"), 1, 0}};
    struct sl_term_part parts[4];
    struct sl_hit hits[10];
    uint32_t found, length;
    struct sl_error err;
    float average;

    REQUIRE(sl_snapshot_lexical(snapshot, terms, 4, 10, NULL, hits, &found, NULL, &err) == SL_OK);
    CHECK(found == 3);
    for (uint32_t i = 0; i < found; i++) {
        float sum = 0;
        REQUIRE(sl_snapshot_explain(snapshot, hits[i].doc, hits[i].chunk, terms, 4, arena, parts,
                                    &length, &average, &err) == SL_OK);
        for (int p = 0; p < 4; p++)
            sum += parts[p].part;
        CHECK_THAT(fabsf(sum - hits[i].score) < 1e-6f, "%f", (double)sum);
        CHECK(parts[3].occurrences == 0 && parts[3].idf == 0 && length > 0 && average > 1);
    }
    sl_arena_close(arena);
    sl_snapshot_close(snapshot);
    sl_index_close(index);
}
