/*
 * test_postings.c -- BM25 is exact after any history (I8), against a plain computation over the documents.
 */
#include <math.h>

#include "index/block.h"
#include "index_data.h"
#include "test.h"

#define KEYS  150
#define WORDS 40

struct stored {
    char text[400]; /* "" = not there */
};

static struct stored stored[KEYS];

static int count_word(const char *text, const char *word)
{
    size_t length = strlen(word);
    int count = 0;

    for (const char *at = text; (at = strstr(at, word)) != NULL; at += length)
        if ((at == text || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0'))
            count++;
    return count;
}

static int count_words(const char *text)
{
    int count = text[0] != '\0';

    for (const char *at = text; *at != '\0'; at++)
        count += *at == ' ';
    return count;
}

/* Chunks of 10 words, as the index has them. */
static int cut(const char *text, char (*ret_chunks)[400])
{
    int count = 0, words = 0;
    size_t used = 0;

    for (const char *at = text; *at != '\0'; at++) {
        if (*at == ' ' && ++words % 10 == 0) {
            ret_chunks[count++][used] = '\0';
            used = 0;
            continue;
        }
        ret_chunks[count][used++] = *at;
    }
    if (used > 0)
        ret_chunks[count++][used] = '\0';
    return count;
}

struct totals {
    double chunks, terms, frequency[WORDS];
};

static void word_of(int number, char *ret_word)
{
    snprintf(ret_word, 16, "w%d", number);
}

static struct totals add_up(void)
{
    static char chunks[40][400];
    struct totals totals = {0};
    char word[16];

    for (int i = 0; i < KEYS; i++) {
        int count = cut(stored[i].text, chunks);
        for (int c = 0; c < count; c++) {
            totals.chunks++;
            totals.terms += count_words(chunks[c]);
            for (int w = 0; w < WORDS; w++) {
                word_of(w, word);
                totals.frequency[w] += count_word(chunks[c], word) > 0;
            }
        }
    }
    return totals;
}

static double score(const struct totals *totals, const char *chunk, const int *words, int count)
{
    double sum = 0;

    for (int i = 0; i < count; i++) {
        char word[16];
        double tf, df = totals->frequency[words[i]];
        word_of(words[i], word);
        tf = count_word(chunk, word);
        sum += log(1 + (totals->chunks - df + 0.5) / (df + 0.5)) * tf /
               (tf + 0.9 * (0.6 + 0.4 * count_words(chunk) / (totals->terms / totals->chunks)));
    }
    return sum;
}

/* Every hit has the score it should have, and none that should be there is missing. */
static void compare(struct sl_snapshot *snapshot, const struct totals *totals, const int *words,
                    int count)
{
    static struct sl_hit hits[SL_K_MAX];
    static char chunks[40][400];
    struct sl_term_count terms[4];
    char names[4][16];
    struct sl_error err;
    uint32_t found, expected = 0;

    for (int i = 0; i < count; i++) {
        word_of(words[i], names[i]);
        terms[i] = (struct sl_term_count){sl_view_of(names[i]), 1, 0};
    }
    REQUIRE(sl_snapshot_lexical(snapshot, terms, (uint32_t)count, SL_K_MAX, NULL, hits, &found,
                                NULL, &err) == SL_OK);
    for (uint32_t i = 0; i < found; i++) {
        int key = atoi(test_key_of(snapshot, hits[i].doc) + 1);
        double right;
        cut(stored[key].text, chunks);
        right = score(totals, chunks[hits[i].chunk], words, count);
        CHECK_THAT(fabs(right - (double)hits[i].score) < 1e-4, "%f, not %f", hits[i].score, right);
        CHECK(i == 0 || hits[i - 1].score > hits[i].score ||
              (hits[i - 1].score == hits[i].score &&
               (hits[i - 1].doc < hits[i].doc ||
                (hits[i - 1].doc == hits[i].doc && hits[i - 1].chunk < hits[i].chunk))));
    }
    for (int i = 0; i < KEYS; i++) {
        int n = cut(stored[i].text, chunks);
        for (int c = 0; c < n; c++)
            expected += score(totals, chunks[c], words, count) > 0;
    }
    CHECK_THAT(found == (expected < SL_K_MAX ? expected : SL_K_MAX), "%u of %u", found, expected);
}

static void write_text(char *text)
{
    size_t used = 0;
    int words = 1 + (int)(test_random() % 60);

    text[0] = '\0';
    for (int i = 0; i < words; i++) {
        double u = test_uniform(); /* some words are frequent, most are rare */
        used += (size_t)snprintf(text + used, 400 - used, "%sw%d", i > 0 ? " " : "",
                                 (int)(u * u * u * WORDS));
    }
}

TEST(index_I8_bm25_statistics_are_exact_after_any_history)
{
    struct sl_index *index = test_index_open(test_directory(), 0, SL_METRIC_COSINE);
    int64_t offset = 0;

    test_seed(3);
    for (int round = 0; round < 6; round++) {
        struct sl_snapshot *snapshot;
        struct sl_batch *batch;
        struct totals totals;
        struct sl_error err;
        float idf;
        uint64_t chunks;
        REQUIRE(sl_batch_begin(index, &batch, &err) == SL_OK);
        for (int i = 0; i < 100; i++) {
            int number = (int)(test_random() % KEYS);
            char key[16];
            struct test_document document = {.key = key, .text = stored[number].text,
                                             .chunk_words = 10, .offset = ++offset};
            enum sl_applied applied;
            snprintf(key, sizeof key, "k%d", number);
            if (test_random() % 4 == 0) {
                stored[number].text[0] = '\0';
                sl_batch_delete(batch, TEST_TOPIC, sl_view_of(key), 0, offset, &applied, &err);
            } else {
                write_text(stored[number].text);
                test_apply(index, batch, &document);
            }
        }
        REQUIRE(sl_batch_commit(batch, &err) == SL_OK);
        snapshot = test_snapshot(index);
        totals = add_up();
        for (int q = 0; q < 10; q++) {
            int first = (int)(test_random() % WORDS);
            compare(snapshot, &totals, (int[]){first, (first + 7) % WORDS, (first + 19) % WORDS},
                    3);
        }
        CHECK(sl_snapshot_idf(snapshot, SL_VIEW("w0"), &idf, &chunks, &err) == SL_OK);
        CHECK(chunks == (uint64_t)totals.frequency[0]);
        CHECK(sl_snapshot_idf(snapshot, SL_VIEW("unknown"), &idf, &chunks, &err) == SL_OK);
        CHECK(chunks == 0 && idf == 0);
        sl_snapshot_close(snapshot);
        CHECK(test_verify(index, NULL) == 0);
    }
    sl_index_close(index);
}

TEST(postings_terms_longer_than_a_key_are_told_apart)
{
    struct sl_index *index = test_index_open(test_directory(), 0, SL_METRIC_COSINE);
    char text[2][300];
    struct sl_snapshot *snapshot;

    for (int i = 0; i < 2; i++) {
        struct test_document document = {.key = i == 0 ? "a" : "b", .text = text[i], .offset = 1};
        memset(text[i], 'x', sizeof text[i]);
        text[i][250] = (char)('a' + i);
        text[i][299] = '\0';
        test_put(index, &document);
    }
    snapshot = test_snapshot(index);
    CHECK(strcmp(test_lexical(snapshot, text[0]), "a") == 0);
    CHECK(strcmp(test_lexical(snapshot, text[1]), "b") == 0);
    sl_snapshot_close(snapshot);
    CHECK(test_verify(index, NULL) == 0);
    sl_index_close(index);
}

TEST(postings_chunk_numbers_are_unpacked_alike_with_and_without_vectors)
{
    char bytes[SL_BLOCK_POSTINGS * 4 + SL_UNPACK_BEYOND];
    uint32_t fast[SL_BLOCK_POSTINGS], plain[SL_BLOCK_POSTINGS];

    for (uint32_t round = 0; round < 20000; round++) {
        uint32_t bits = round % 33, count = 1 + (uint32_t)(test_random() % SL_BLOCK_POSTINGS);
        uint32_t first = (uint32_t)test_random() >> test_random() % 32;
        bool good;
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = (char)test_random();
        good = sl_unpack_ascending_scalar(bytes, bits, first, count, plain);
        CHECK(sl_unpack_ascending(bytes, bits, first, count, fast) == good);
        CHECK_THAT(!good || memcmp(fast, plain, count * sizeof *fast) == 0, "%u bits, %u", bits,
                   count);
    }
}

TEST(postings_a_block_read_in_parts_is_the_one_written)
{
    for (uint32_t round = 0; round < 2000; round++) {
        struct sl_occurrence list[SL_BLOCK_POSTINGS], read[SL_BLOCK_POSTINGS];
        uint32_t chunks[SL_BLOCK_POSTINGS], count = 1 + round % SL_BLOCK_POSTINGS, got;
        uint32_t base = (uint32_t)(test_random() % 1000), chunk = base;
        struct sl_block_head head = {0};
        struct sl_buffer buffer = {0};
        for (uint32_t i = 0; i < count; i++, chunk++) {
            chunk += (uint32_t)test_random() % (1u << round % 24);
            list[i] = (struct sl_occurrence){chunk, 1 + (uint32_t)test_random() % (1u << round % 5),
                                             (uint32_t)test_random() % SL_LENGTH_CODES};
        }
        sl_block_write(&buffer, base, list, count);
        CHECK(sl_block_read(sl_buffer_as_view(&buffer), base, read, &got) && got == count);
        CHECK(memcmp(read, list, count * sizeof *list) == 0);
        CHECK(sl_block_head_read(sl_buffer_as_view(&buffer), &head) && head.count == count);
        if (count >= SL_BLOCK_FEW)
            CHECK(sl_block_chunks(sl_buffer_as_view(&buffer), &head.layout, count, base, chunks));
        for (uint32_t i = 0; count >= SL_BLOCK_FEW && i < count; i++) {
            struct sl_bound value =
                sl_block_value(sl_buffer_as_view(&buffer), &head.layout, count, i);
            CHECK(chunks[i] == list[i].chunk && value.count == list[i].count &&
                  value.length == list[i].length);
        }
        sl_buffer_fini(&buffer);
    }
}
