/*
 * test_verify.c -- one planted fault per kind of record, each found and named by sl_index_verify().
 *
 * Two kinds of fault: a flipped byte, which the checksum must notice (I6), and a record that is whole but
 * disagrees with the others, written with a good checksum. The test pokes LMDB directly.
 */
#include <limits.h>
#include <lmdb.h>
#include <sluice/hash.h>
#include <unistd.h>

#include "index/format.h"
#include "index_data.h"
#include "test.h"

#define DIM 8

static const char *path;

static void make_index(void)
{
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
    struct sl_index *index;
    struct sl_batch *batch = NULL;
    struct sl_error err;
    struct sl_position position = {.next_offset = 9};
    char key[16], text[320];

    path = test_directory();
    index = test_index_open(path, DIM, SL_METRIC_COSINE);
    for (int i = 0; i < 300; i++) { /* enough for upper levels */
        struct test_document document = {.key = key, .text = text, .offset = i, .chunk_words = 3,
                                         .title = names[i % 8]};
        snprintf(key, sizeof key, "k%d", i);
        snprintf(text, sizeof text, "word%d %s other%d more %s", i, names[i % 8], i % 10,
                 names[i % 5]);
        if (i % 100 == 0 && sl_batch_begin(index, &batch, &err) != SL_OK)
            abort();
        test_apply(index, batch, &document);
        if (i == 0) {
            sl_batch_position(batch, TEST_TOPIC, 0, &position, &err);
            sl_batch_row(batch, SL_TABLE_OUTBOX, SL_VIEW("00000001"), SL_VIEW("letter"), &err);
            sl_batch_row(batch, SL_TABLE_REPLY, SL_VIEW("reply"), SL_VIEW("answer"), &err);
            sl_batch_row(batch, SL_TABLE_NOTE, SL_VIEW("cluster"), SL_VIEW("id"), &err);
        }
        if (i % 100 == 99 && sl_batch_commit(batch, &err) != SL_OK)
            abort();
    }
    if (test_verify(index, text) != 0)
        TEST_REPORT_("a fresh index has faults:", "%s", text);
    sl_index_close(index);
}

/* Change one value of a table. `edit` gets a copy, checksum first, and returns its new size. */
typedef size_t (*edit_fn)(char *value, size_t size);

static void poke(const char *table, const char *key, size_t key_size, edit_fn edit, bool seal)
{
    char file[PATH_MAX], *copy;
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;
    MDB_cursor *cursor;
    MDB_val k = {key_size, (void *)(uintptr_t)key}, v;
    size_t size;

    snprintf(file, sizeof file, "%s/env.0", path);
    if (mdb_env_create(&env) != 0 || mdb_env_set_maxdbs(env, 32) != 0 ||
        mdb_env_set_mapsize(env, 1u << 30) != 0 || mdb_env_open(env, file, 0, 0600) != 0 ||
        mdb_txn_begin(env, NULL, 0, &txn) != 0 || mdb_dbi_open(txn, table, 0, &dbi) != 0 ||
        mdb_cursor_open(txn, dbi, &cursor) != 0 ||
        mdb_cursor_get(cursor, &k, &v, key == NULL ? MDB_FIRST : MDB_SET_KEY) != 0)
        abort();
    size = v.mv_size;
    copy = malloc(size + 64);
    memcpy(copy, v.mv_data, size);
    size = edit(copy, size);
    if (size == 0) {
        if (mdb_cursor_del(cursor, 0) != 0)
            abort();
    } else {
        if (seal) {
            uint32_t crc =
                sl_crc32c(sl_crc32c(0, k.mv_data, k.mv_size), copy + 4, size - 4);
            memcpy(copy, &crc, 4);
        }
        v = (MDB_val){size, copy};
        if (mdb_cursor_put(cursor, &k, &v, MDB_CURRENT) != 0)
            abort();
    }
    mdb_cursor_close(cursor);
    if (mdb_txn_commit(txn) != 0)
        abort();
    mdb_env_close(env);
    free(copy);
}

static bool verify_says(const char *part)
{
    struct sl_index_options options = {.path = path, .read_only = true};
    struct sl_index *index;
    struct sl_error err;
    bool says;

    if (sl_index_open(&options, &index, &err) != SL_OK)
        return strstr(err.message, part) != NULL;
    says = test_verify_says(index, part);
    sl_index_close(index);
    return says;
}

static size_t flip_last(char *value, size_t size)
{
    value[size - 1] ^= 0x10;
    return size;
}

static size_t flip_middle(char *value, size_t size)
{
    value[size / 2] ^= 0x01;
    return size;
}

static size_t remove_it(char *value, size_t size)
{
    (void)value, (void)size;
    return 0;
}

TEST(verify_I6_a_flipped_bit_in_each_table_is_found_and_named)
{
    static const struct {
        const char *table, *key;
    } tables[] = {{"pos", NULL},   {"key", NULL},     {"doc", NULL},    {"chunk", NULL},
                  {"term", NULL},  {"post", NULL},    {"segment", NULL}, {"attr", NULL},
                  {"outbox", NULL}, {"reply", NULL},  {"note", NULL},   {"log", NULL},
                  {"meta", "state"}, {"meta", "format"}};

    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        char part[64];
        make_index();
        poke(tables[i].table, tables[i].key, tables[i].key != NULL ? strlen(tables[i].key) : 0,
             flip_last, false);
        snprintf(part, sizeof part, "table %s, key", tables[i].table);
        CHECK_THAT(verify_says(part), "%s", tables[i].table);
    }
}

/* The log's limit is megabytes: an index as large as that has slabs on disk. */
static void make_large_index(void)
{
    static const char *made; /* once; each test gets a copy */
    struct sl_index *index;
    struct sl_batch *batch;
    struct sl_error err;
    char key[16], command[2 * PATH_MAX];

    path = test_directory();
    if (made != NULL) {
        snprintf(command, sizeof command, "cp -r '%s'/. '%s'", made, path);
        if (system(command) != 0)
            abort();
        return;
    }
    made = path;
    path = test_directory();
    index = test_index_open(path, 512, SL_METRIC_COSINE);
    for (int i = 0; i < 2000;) {
        if (sl_batch_begin(index, &batch, &err) != SL_OK)
            abort();
        for (int j = 0; j < 500; j++, i++) {
            struct test_document document = {.key = key, .text = key, .offset = i};
            snprintf(key, sizeof key, "k%d", i);
            test_apply(index, batch, &document);
        }
        if (sl_batch_commit(batch, &err) != SL_OK)
            abort();
    }
    sl_index_close(index);
    snprintf(command, sizeof command, "cp -r '%s'/. '%s'", path, made);
    if (system(command) != 0)
        abort();
}

TEST(verify_I6_a_flipped_bit_in_each_slab_is_found_and_named)
{
    static const char *const tables[] = {"vec", "link", "uplink"};

    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        struct sl_index_options options;
        struct sl_index *index;
        struct sl_error err;
        char part[64];
        make_large_index();
        options = (struct sl_index_options){.path = path, .dim = 512};
        poke(tables[i], NULL, 0, flip_middle, false);
        snprintf(part, sizeof part, "table %s, key", tables[i]);
        CHECK_THAT(verify_says(part), "%s", tables[i]);
        if (i > 0) { /* links are needed at once: a daemon does not start on damaged ones */
            CHECK(sl_index_open(&options, &index, &err) == SL_STOP);
            CHECK(err.exit_code == SL_EXIT_DATA && strstr(err.message, tables[i]) != NULL);
        }
    }
}

/* With a slab of vectors damaged, a search of this kind ends, and says where. */
static void check_search_stops(size_t (*damage)(char *value, size_t size), uint32_t ef, bool exact)
{
    struct sl_index_options options;
    struct sl_snapshot *snapshot;
    struct sl_index *index;
    struct sl_error err;
    struct sl_hit hits[10];
    float query[512];
    uint32_t count;

    make_large_index();
    options = (struct sl_index_options){.path = path, .read_only = true};
    poke("vec", NULL, 0, damage, false);
    test_vector(SL_VIEW("k1"), 512, query);
    REQUIRE(sl_index_open(&options, &index, &err) == SL_OK);
    snapshot = test_snapshot(index);
    CHECK(sl_snapshot_nearest(snapshot, query, 10, ef, exact, NULL, hits, &count, NULL, &err) ==
          SL_STOP);
    CHECK_THAT(strcmp(err.reason, "corrupt") == 0 && strstr(err.message, "vec") != NULL, "%s",
               err.message);
    sl_snapshot_close(snapshot);
    sl_index_close(index);
}

TEST(verify_I6_a_damaged_vector_slab_stops_a_search)
{
    check_search_stops(flip_middle, 64, true);
}

static size_t flip_first_code(char *value, size_t size)
{
    value[48] ^= 0x10;
    return size;
}

TEST(verify_I6_damaged_codes_stop_a_walk)
{
    check_search_stops(flip_first_code, 2000, false);
}

/* ------------------------------------------------------ whole records that disagree with others */

static size_t cut_link(char *value, size_t size)
{
    /* slot 0 of the slab: its number of links, less one: its last neighbour links back to nobody */
    value[48 + 12]--;
    return size;
}

static size_t scale_vector(char *value, size_t size)
{
    float factor = 3.0f;

    memcpy(value + 48, &factor, sizeof factor);
    return size;
}

static size_t change_codes_sum(char *value, size_t size)
{
    value[16]++;
    return size;
}

static size_t count_more(char *value, size_t size)
{
    value[size - 1]++; /* the last posting's count */
    return size;
}

static size_t move_chunk(char *value, size_t size)
{
    value[4]++; /* its number */
    return size;
}

static size_t add_chunks(char *value, size_t size)
{
    value[4 + 8]++; /* state: chunks */
    return size;
}

static size_t drop_length(char *value, size_t size)
{
    value[4 + 4 * SL_SEGMENT_CHUNKS]++;
    return size;
}

TEST(verify_names_records_that_disagree)
{
    static const struct {
        const char *table, *key;
        edit_fn edit;
        const char *part;
    } faults[] = {{"post", NULL, count_more, "table post, segment 0: does not agree"},
                  {"post", NULL, remove_it, "table post, segment 0: does not agree"},
                  {"attr", NULL, remove_it, "table attr, segment 0: does not agree"},
                  {"chunk", NULL, move_chunk, "table segment, number 0"},
                  {"chunk", NULL, remove_it, "table chunk, document 1, chunk 0: missing"},
                  {"term", NULL, remove_it, "table term, document 1, chunk 0: missing"},
                  {"doc", NULL, remove_it, "table key, key"},
                  {"key", NULL, remove_it, "table key, document"},
                  {"segment", NULL, drop_length, "table segment, number 0"},
                  {"meta", "state", add_chunks, "table meta, key state"},
                  {"log", NULL, remove_it, "table"}};

    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        make_index();
        poke(faults[i].table, faults[i].key, faults[i].key != NULL ? strlen(faults[i].key) : 0,
             faults[i].edit, true);
        CHECK_THAT(verify_says(faults[i].part), "%s: %s", faults[i].table, faults[i].part);
    }
}

TEST(verify_names_links_and_vectors_that_disagree)
{
    make_large_index();
    poke("link", NULL, 0, cut_link, true);
    CHECK(verify_says("table link"));
    make_large_index();
    poke("vec", NULL, 0, scale_vector, true);
    CHECK(verify_says("table vec, slot"));
    if (test_storage() != SL_STORAGE_I8 && test_storage() != SL_STORAGE_BIT)
        return;
    make_large_index();
    poke("vec", NULL, 0, change_codes_sum, true);
    CHECK(verify_says("table vec, slab 0: its codes have another checksum"));
}
