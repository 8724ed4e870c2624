/*
 * test_copies.c -- documents that are the same are found once, and none is lost when one of them goes.
 *
 * Random histories over few keys and few texts are put into an index that collapses copies and into one that keeps
 * them. After every commit both must hold what a table of keys says: each document readable, each text found, once or as
 * often as it was put, whatever was deleted before it. A third one also collapses what is nearly the same: there a text may be
 * found through another, never not at all. Built again with the promotion of copies wrapped away
 * (tests/copies), the same histories must fail.
 */
#include "test.h"

#include "fake_embedder.h"
#include "index_data.h"

#include <sluice/ingest.h>
#include <sluice/limits.h>
#include <sluice/text.h>

enum { DIM = 16, KEYS = 9, TEXTS = 4, DATES = 2, URLS = 2, VARIANTS = 4, WORDS = 200, STEPS = 80 };

struct version {
    bool there;
    uint32_t text, date, url;
    uint32_t variant; /* 1 and 2 are nearly 0, but not each other; 3 is like none */
};

struct bench {
    struct sl_embedder *embedder;
    struct sl_index *index;
    struct sl_ingest_options options;
    enum sl_duplicates duplicates;
    char path[600];
    struct version keys[KEYS];
    int64_t offset;
};

static const char *const dates[DATES] = {"2024-03-01", "2025-03-01"};
static const char *const urls[URLS] = {"http://a.example/x", "http://b.example/x"};

static void open_index(struct bench *b)
{
    struct sl_index_options options = {.path = b->path, .map_size_bytes = 64u << 20, .dim = DIM,
                                       .duplicates = b->duplicates};
    struct sl_error err;

    SL_INVARIANT(sl_index_open(&options, &b->index, &err) == SL_OK);
}

static void bench_open(struct bench *b, const char *name, enum sl_duplicates duplicates)
{
    memset(b, 0, sizeof *b);
    (void)snprintf(b->path, sizeof b->path, "%s/%s", test_directory(), name);
    b->duplicates = duplicates;
    b->embedder = fake_embedder_open(DIM, 40);
    b->options = (struct sl_ingest_options){.chunk = {60, 10, true}, .embedder = b->embedder};
    open_index(b);
}

static void bench_close(struct bench *b)
{
    sl_index_close(b->index);
    sl_embedder_close(b->embedder);
}

static void write_word(struct sl_buffer *out, uint32_t seed)
{
    uint64_t hash = (seed + 1) * 0x9E3779B97F4A7C15u;

    for (uint32_t i = 0; i < 6; i++, hash = hash * 31 + (hash >> 40))
        sl_buffer_format(out, "%c", (int)('a' + (hash >> 33) % 26));
    sl_buffer_format(out, seed % 12 == 11 ? ". " : " ");
}

static bool is_changed(uint32_t variant, uint32_t word)
{
    static const uint32_t changed[VARIANTS][2] = {{0, 0}, {40, 80}, {120, 160}, {0, 0}};

    if (variant == 3)
        return word % 8 == 5;
    return word > 0 && (word == changed[variant][0] || word == changed[variant][1]);
}

/* A few chunks; "word<n>" stands in one text only. */
static void write_value(struct sl_buffer *out, const struct version *version)
{
    sl_buffer_format(out, "{\"title\": \"Harbour\", \"date\": \"%s\", \"url\": \"%s\", \"text\": \"",
                     dates[version->date], urls[version->url]);
    for (uint32_t i = 0; i < WORDS; i++)
        write_word(out, version->text * WORDS + i +
                            (is_changed(version->variant, i) ? version->variant * 100000 : 0));
    sl_buffer_format(out, "Last words: word%u. \"}", version->text);
}

/* ---------------------------------------------------------------------------------- doing */

struct step {
    uint32_t key;
    bool deletes;
    struct version version;
    struct sl_buffer value;
    struct sl_arena *arena;
    struct sl_ingest *ingest;
    struct sl_prepared *prepared;
    char name[16];
};

static void embed(const struct bench *b, struct step *step)
{
    struct sl_ingest *ingest = step->ingest;
    struct sl_error err;
    float *vectors = SL_NEW_ARRAY(step->arena, float, ingest->text_count *DIM);

    if (ingest->text_count > 0)
        CHECK(b->embedder->ops->encode(b->embedder, SL_EMBED_PASSAGE, ingest->texts, ingest->text_count,
                                       vectors, &err) == SL_OK);
    for (uint32_t i = 0; i < ingest->text_count; i++)
        ingest->vectors[i] = vectors + i * DIM;
    SL_INVARIANT(sl_ingest_finish(ingest, b->index, &step->prepared, &err) == SL_OK);
}

/* Read and embed as workers do: what the batch has done by then is not known to them. */
static void begin_step(struct bench *b, struct step *step)
{
    struct sl_message message = {.topic = SL_VIEW("docs"), .offset = b->offset, .timestamp_ms = -1};
    struct sl_error err;

    step->arena = sl_arena_open(SL_ARENA_BYTES_MAX);
    (void)snprintf(step->name, sizeof step->name, "k%u", step->key);
    if (step->deletes)
        return;
    write_value(&step->value, &step->version);
    message.key = sl_view_of(step->name);
    message.value = (struct sl_view){step->value.data, step->value.size};
    SL_INVARIANT(sl_ingest_read(&message, &b->options, b->index, step->arena, &step->ingest, &err) ==
                 SL_OK);
    embed(b, step);
}

static void apply_step(struct bench *b, struct step *step, struct sl_batch *batch, int64_t offset)
{
    struct sl_error err = {0};
    enum sl_applied applied;
    enum sl_err rc;

    if (step->deletes) {
        CHECK(sl_batch_delete(batch, TEST_TOPIC, sl_view_of(step->name), 0, offset, &applied, &err) ==
              SL_OK);
        return;
    }
    rc = sl_batch_apply(batch, step->prepared, &applied, &err);
    if (rc == SL_AGAIN) {
        step->prepared = sl_prepared_free(step->prepared);
        CHECK(sl_ingest_again(step->ingest, &b->options, &err) == SL_OK);
        embed(b, step);
        rc = sl_batch_apply(batch, step->prepared, &applied, &err);
    }
    CHECK_THAT(rc == SL_OK, "%s", err.message);
    step->prepared = NULL;
}

/* Some changes of different keys, in one commit, or none of them. */
static void commit_steps(struct bench *b, struct step *steps, uint32_t count, bool aborts)
{
    struct sl_batch *batch;
    struct sl_error err;

    for (uint32_t i = 0; i < count; i++, b->offset++)
        begin_step(b, &steps[i]);
    SL_INVARIANT(sl_batch_begin(b->index, &batch, &err) == SL_OK);
    for (uint32_t i = 0; i < count; i++)
        apply_step(b, &steps[i], batch, b->offset - count + i);
    if (aborts)
        (void)sl_batch_abort(batch);
    else
        CHECK(sl_batch_commit(batch, &err) == SL_OK);
    for (uint32_t i = 0; i < count; i++) {
        if (!aborts)
            b->keys[steps[i].key] = steps[i].version;
        sl_buffer_fini(&steps[i].value);
        sl_arena_close(steps[i].arena);
    }
}

/* ---------------------------------------------------------------------------------- looking */

static uint32_t number_of(const struct version *keys, const struct version *like)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < KEYS; i++)
        count += keys[i].there && keys[i].text == like->text && keys[i].date == like->date;
    return count;
}

/* How often a search for the text of `like` finds it; *ret_copies: those that hang on what was found. */
static uint32_t find_text(struct bench *b, struct sl_snapshot *snapshot, const struct version *like,
                          bool lexical, uint32_t *ret_copies)
{
    SL_CLEANUP(sl_arena_closep) struct sl_arena *arena = sl_arena_open(SL_ARENA_BYTES_MAX);
    struct sl_hit hits[64];
    struct sl_search_stats stats;
    struct sl_term_count term = {.count = 1};
    char word[16], filter_text[64];
    const struct sl_filter *filter;
    struct sl_selection *selection;
    struct sl_error err;
    float vector[DIM];
    sl_doc_id seen[64];
    uint32_t count = 0, found = 0;

    (void)snprintf(word, sizeof word, "word%u", like->text);
    (void)snprintf(filter_text, sizeof filter_text, "date = \"%s\"", dates[like->date]);
    term.term = sl_view_of(word);
    SL_INVARIANT(sl_filter_parse(sl_view_of(filter_text), arena, &filter, &err) == SL_OK);
    SL_INVARIANT(sl_snapshot_select(snapshot, filter, arena, &selection, &err) == SL_OK);
    CHECK(b->embedder->ops->encode(b->embedder, SL_EMBED_QUESTION, &term.term, 1, vector, &err) == SL_OK);
    if (lexical)
        CHECK(sl_snapshot_lexical(snapshot, &term, 1, 64, selection, hits, &count, &stats, &err) == SL_OK);
    else
        CHECK(sl_snapshot_nearest(snapshot, vector, 64, 64, true, selection, hits, &count, &stats, &err) ==
              SL_OK);
    *ret_copies = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct sl_document document;
        uint32_t copies, known = 0;
        CHECK(sl_snapshot_document(snapshot, hits[i].doc, arena, &document, NULL, &err) == SL_OK);
        while (known < found && seen[known] != hits[i].doc)
            known++;
        if (known < found || memmem(document.text.data, document.text.size, word, strlen(word)) == NULL ||
            document.text.data[document.text.size - 1] == '\0')
            continue;
        seen[found++] = hits[i].doc;
        CHECK(sl_snapshot_copies(snapshot, hits[i].doc, &copies, &err) == SL_OK);
        *ret_copies += copies;
    }
    return found;
}

static void check_texts(struct bench *b, struct sl_snapshot *snapshot)
{
    for (uint32_t i = 0; i < TEXTS * DATES; i++) {
        struct version like = {true, i % TEXTS, i / TEXTS, 0, 0};
        uint32_t stored = number_of(b->keys, &like);
        uint32_t wanted = b->duplicates == SL_DUPLICATES_KEEP || stored == 0 ? stored : 1;
        for (int lexical = 0; lexical < 2; lexical++) {
            uint32_t copies, found = find_text(b, snapshot, &like, lexical == 1, &copies);
            if (b->duplicates == SL_DUPLICATES_NEAR && found > 1)
                wanted = found;
            CHECK_THAT(found == wanted && copies == stored - wanted,
                       "text %u of %s is stored %u times, found %u times with %u copies", like.text,
                       dates[like.date], stored, found, copies);
        }
    }
}

/* Is the document read as it was put, and found by a filter that names it alone? */
static void check_key(struct sl_snapshot *snapshot, uint32_t number, const struct version *version)
{
    SL_CLEANUP(sl_arena_closep) struct sl_arena *arena = sl_arena_open(SL_ARENA_BYTES_MAX);
    char key[16], word[16], filter_text[64];
    const struct sl_filter *filter;
    struct sl_selection *selection;
    struct sl_search_stats stats;
    struct sl_term_count term = {.count = 1};
    struct sl_document document = {0};
    struct sl_hit hit = {0};
    struct sl_error err;
    sl_doc_id doc = 0;
    uint32_t count;
    bool found;

    (void)snprintf(key, sizeof key, "k%u", number);
    found = sl_snapshot_find(snapshot, TEST_TOPIC, sl_view_of(key), &doc, &err) == SL_OK;
    CHECK_THAT(found == version->there, "%s is %s", key, found ? "there" : "not there");
    if (!found)
        return;
    CHECK(sl_snapshot_document(snapshot, doc, arena, &document, NULL, &err) == SL_OK);
    (void)snprintf(word, sizeof word, "word%u", version->text);
    CHECK(sl_view_is(document.key, key) && sl_view_is(document.url, urls[version->url]) &&
          sl_view_is(document.date, dates[version->date]) &&
          memmem(document.text.data, document.text.size, word, strlen(word)) != NULL);
    (void)snprintf(filter_text, sizeof filter_text, "key = \"%s\"", key);
    term.term = sl_view_of(word);
    SL_INVARIANT(sl_filter_parse(sl_view_of(filter_text), arena, &filter, &err) == SL_OK);
    SL_INVARIANT(sl_snapshot_select(snapshot, filter, arena, &selection, &err) == SL_OK);
    CHECK(sl_snapshot_lexical(snapshot, &term, 1, 1, selection, &hit, &count, &stats, &err) == SL_OK);
    CHECK_THAT(count == 1, "a filter on %s finds nothing", key);
}

static uint32_t check_all(struct bench *b)
{
    struct sl_snapshot *snapshot = test_snapshot(b->index);
    struct sl_index_stats stats = {0};
    struct sl_error err;
    char line[320];
    uint32_t there = 0;
    uint64_t faults = test_verify(b->index, line);

    CHECK_THAT(faults == 0, "%s", line);
    for (uint32_t i = 0; i < KEYS; i++) {
        there += b->keys[i].there;
        check_key(snapshot, i, &b->keys[i]);
    }
    check_texts(b, snapshot);
    CHECK(sl_snapshot_stats(snapshot, &stats, &err) == SL_OK && stats.documents == there);
    sl_snapshot_close(snapshot);
    return (uint32_t)stats.copies;
}

/* ---------------------------------------------------------------------------------- histories */

static void reopen(struct bench *b)
{
    sl_index_close(b->index);
    open_index(b);
}

static uint32_t random_steps(struct step *steps)
{
    uint32_t count = 1 + (uint32_t)(test_random() % 4), first = (uint32_t)(test_random() % KEYS);

    for (uint32_t i = 0; i < count; i++) {
        bool deletes = test_random() % 3 == 0;
        steps[i] = (struct step){.key = (first + i * 2) % KEYS, .deletes = deletes};
        steps[i].version = (struct version){.there = !deletes,
                                            .text = (uint32_t)(test_random() % TEXTS),
                                            .variant = (uint32_t)(test_random() % VARIANTS),
                                            .date = test_random() % 4 == 0,
                                            .url = test_random() % 4 == 0};
    }
    return count;
}

static void run_history(const char *name, unsigned long long seed)
{
    struct bench all[3];
    uint32_t most[3] = {0};
    struct sl_error err;

    test_seed(seed);
    for (int i = 0; i < 3; i++) {
        char path[64];
        (void)snprintf(path, sizeof path, "%s%d", name, i);
        bench_open(&all[i], path, (enum sl_duplicates)i);
    }
    for (uint32_t at = 0; at < STEPS && test_failures == 0; at++) {
        struct step steps[4];
        uint32_t count = random_steps(steps), chance = (uint32_t)(test_random() % 40);
        for (int i = 0; i < 3; i++) {
            struct step own[4];
            uint32_t copies;
            memcpy(own, steps, sizeof own);
            for (uint32_t j = 0; j < count && i != SL_DUPLICATES_NEAR; j++)
                own[j].version.variant = 0;
            commit_steps(&all[i], own, count, chance < 3);
            if (chance == 4)
                reopen(&all[i]);
            if (chance == 5)
                CHECK(sl_index_compact(all[i].index, NULL, NULL, NULL, &err) == SL_OK);
            copies = check_all(&all[i]);
            most[i] = copies > most[i] ? copies : most[i];
        }
    }
    CHECK_THAT(most[0] == 0 && most[1] >= 3 && most[2] >= 3, "%u %u %u copies: too few to tell", most[0],
               most[1], most[2]);
    for (int i = 0; i < 3; i++)
        bench_close(&all[i]);
}

TEST(index_I18_histories_lose_and_double_nothing)
{
    for (unsigned long long seed = 1; seed <= 1 && test_failures == 0; seed++) {
        char name[16];
        (void)snprintf(name, sizeof name, "seed%llu.", seed);
        run_history(name, seed);
    }
}

/* ---------------------------------------------------------------------------------- one by one */

static void put_variant(struct bench *b, uint32_t key, uint32_t text, uint32_t date, uint32_t variant)
{
    struct step step = {.key = key, .version = {true, text, date, 0, variant}};

    commit_steps(b, &step, 1, false);
}

static void put(struct bench *b, uint32_t key, uint32_t text, uint32_t date)
{
    put_variant(b, key, text, date, 0);
}

static void drop(struct bench *b, uint32_t key)
{
    struct step step = {.key = key, .deletes = true};

    commit_steps(b, &step, 1, false);
}

TEST(index_I18_a_copy_is_not_embedded_and_takes_over_without_being_embedded)
{
    struct bench b;
    uint64_t once;

    bench_open(&b, "once", SL_DUPLICATES_EXACT);
    put(&b, 0, 0, 0);
    once = fake_embedder_encoded(b.embedder);
    for (uint32_t key = 1; key < 6; key++)
        put(&b, key, 0, 0);
    CHECK(fake_embedder_encoded(b.embedder) == once && check_all(&b) == 5);
    once = fake_embedder_encoded(b.embedder);
    drop(&b, 0);
    CHECK(fake_embedder_encoded(b.embedder) == once);
    CHECK(check_all(&b) == 4);
    put(&b, 1, 1, 0); /* the original becomes another document: its copies keep the text */
    CHECK(check_all(&b) == 3);
    put(&b, 2, 1, 0);
    put(&b, 7, 0, 1); /* of another date: no copy */
    CHECK(check_all(&b) == 3);
    for (uint32_t key = 1; key < 8; key++)
        drop(&b, key);
    CHECK(check_all(&b) == 0);
    bench_close(&b);
}

TEST(index_I18_a_snapshot_keeps_the_original_that_went)
{
    struct bench b;
    struct sl_snapshot *before;
    struct version like = {true, 0, 0, 0, 0};
    uint32_t copies;

    bench_open(&b, "before", SL_DUPLICATES_EXACT);
    put(&b, 0, 0, 0);
    put(&b, 1, 0, 0);
    before = test_snapshot(b.index);
    drop(&b, 0);
    CHECK(find_text(&b, before, &like, true, &copies) == 1 && copies == 1);
    check_key(before, 0, &like);
    sl_snapshot_close(before);
    CHECK(check_all(&b) == 0);
    bench_close(&b);
}

TEST(index_I18_doubt_and_sweep_leave_the_copies_that_the_log_holds)
{
    struct bench b;
    struct sl_sweep walk = {.done = false};
    struct sl_batch *batch;
    struct sl_error err;

    bench_open(&b, "sweep", SL_DUPLICATES_EXACT);
    for (uint32_t key = 0; key < 4; key++)
        put(&b, key, 0, 0);
    SL_INVARIANT(sl_batch_begin(b.index, &batch, &err) == SL_OK);
    CHECK(sl_batch_doubt(batch, TEST_TOPIC, 0, 100, &walk, &err) == SL_OK && walk.done);
    CHECK(sl_batch_commit(batch, &err) == SL_OK);
    put(&b, 2, 0, 0);
    walk = (struct sl_sweep){.done = false};
    SL_INVARIANT(sl_batch_begin(b.index, &batch, &err) == SL_OK);
    CHECK(sl_batch_sweep(batch, TEST_TOPIC, 0, 100, &walk, &err) == SL_OK && walk.changed == 3);
    CHECK(sl_batch_commit(batch, &err) == SL_OK);
    b.keys[0].there = b.keys[1].there = b.keys[3].there = false;
    CHECK(check_all(&b) == 0);
    bench_close(&b);
}

TEST(index_I18_what_is_nearly_a_copy_takes_over_without_being_embedded)
{
    struct bench b;
    uint64_t before;

    bench_open(&b, "near", SL_DUPLICATES_NEAR);
    put(&b, 0, 0, 0);
    before = fake_embedder_encoded(b.embedder);
    put_variant(&b, 1, 0, 0, 1);
    CHECK_THAT(fake_embedder_encoded(b.embedder) - before < before,
               "%llu of %llu windows embedded", (unsigned long long)(fake_embedder_encoded(b.embedder) - before),
               (unsigned long long)before);
    put_variant(&b, 2, 0, 0, 2);
    put_variant(&b, 3, 0, 0, 3); /* like none */
    put_variant(&b, 4, 0, 1, 1); /* of another date */
    CHECK(check_all(&b) == 2);
    before = fake_embedder_encoded(b.embedder);
    drop(&b, 0);
    CHECK(fake_embedder_encoded(b.embedder) == before);
    CHECK(check_all(&b) == 0); /* what is left is not like each other */
    bench_close(&b);
}
