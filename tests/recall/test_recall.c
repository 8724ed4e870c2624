/*
 * test_recall.c -- what approximate search finds on real vectors, without and with filters.
 *
 * Vectors come from ../shared/data/ann-vectors beside the source tree, when it is there. Floors are stated
 * for 1,000 queries. A control shows that the test can fail: filtering after the search, not inside it,
 * loses most of the k where few documents match.
 */
#include <math.h>
#include <stdint.h>

#include "index_data.h"
#include "test.h"

#define K 10

struct rows {
    float *values;
    uint32_t count, dim;
};

static bool read_rows(const char *name, struct rows *ret_rows)
{
    char path[512];
    FILE *file;
    struct rows rows = {0};
    uint32_t dim;

    snprintf(path, sizeof path, "%s/../shared/data/ann-vectors/%s", SOURCE_DIR, name);
    file = fopen(path, "rb");
    if (file == NULL)
        return false;
    while (fread(&dim, 4, 1, file) == 1) {
        if (rows.count % 1024 == 0)
            rows.values = realloc(rows.values, (size_t)(rows.count + 1024) * dim * 4);
        rows.dim = dim;
        if (rows.values == NULL || fread(rows.values + (size_t)rows.count * dim, 4, dim, file) != dim)
            abort();
        rows.count++;
    }
    fclose(file);
    *ret_rows = rows;
    return true;
}

/*
 * The vectors parted around 2, 10, 100 and 1,000 of them: a part nearest to a query is a filter that goes with
 * the query, a far one goes against it, and each holds about so large a share as the parts are many.
 */
#define PARTINGS 4
static const uint32_t part_counts[PARTINGS] = {2, 10, 100, 1000};

static float inner_product(const float *a, const float *b, uint32_t dim)
{
    float sums[8] = {0};

    for (uint32_t i = 0; i + 8 <= dim; i += 8)
        for (uint32_t j = 0; j < 8; j++)
            sums[j] += a[i + j] * b[i + j];
    return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

static const float *middle_of(const struct rows *rows, uint32_t part)
{
    return rows->values + (size_t)((part + 1) * 2654435761u % rows->count) * rows->dim;
}

/* Of the first `parts`, the one whose middle is nearest to a vector, or (`far`) farthest from it. */
static uint32_t part_of(const struct rows *rows, uint32_t parts, const float *vector, bool far)
{
    uint32_t best = 0;
    float most = -INFINITY;

    for (uint32_t part = 0; part < parts; part++) {
        float near = inner_product(vector, middle_of(rows, part), rows->dim);
        if ((far ? -near : near) > most) {
            most = far ? -near : near;
            best = part;
        }
    }
    return best;
}

#define FIELDS (5 + PARTINGS)

static const char *const part_names[PARTINGS] = {"halves", "tenths", "hundredths", "thousandths"};

static void mark_parts(const struct rows *rows, uint32_t i, struct sl_field *fields)
{
    const float *vector = rows->values + (size_t)i * rows->dim;

    for (int f = 0; f < PARTINGS; f++)
        fields[f] = (struct sl_field){.name = sl_view_of(part_names[f]),
                                      .type = SL_FIELD_NUMBER,
                                      .number = part_of(rows, part_counts[f], vector, false)};
}

/* Which share of documents each value of `part` marks; part 4 is correlated with the data's order. */
static void mark(uint32_t i, uint32_t count, struct sl_field *fields)
{
    static const uint32_t one_in[] = {2, 10, 100, 1000};

    for (int f = 0; f < 4; f++) {
        static const char *const names[] = {"half", "tenth", "hundredth", "thousandth"};
        uint64_t mixed = (i + 1) * 0x9E3779B97F4A7C15u;
        fields[f] = (struct sl_field){.name = sl_view_of(names[f]), .type = SL_FIELD_BOOL,
                                      .boolean = (mixed >> 33) % one_in[f] == 0};
    }
    fields[4] = (struct sl_field){
        .name = SL_VIEW("place"), .type = SL_FIELD_NUMBER, .number = (double)i / count};
}

static struct sl_index *build(const struct rows *rows, enum sl_metric metric, bool parts)
{
    struct sl_index *index = test_index_open(test_directory(), rows->dim, metric);
    struct sl_batch *batch = NULL;
    struct sl_error err;

    for (uint32_t i = 0; i < rows->count; i++) {
        char key[16];
        struct sl_field fields[FIELDS];
        struct test_document document = {.key = key, .text = key, .offset = 1, .fields = fields,
                                         .field_count = parts ? FIELDS : 5,
                                         .vectors = rows->values + (size_t)i * rows->dim};
        snprintf(key, sizeof key, "%u", i);
        mark(i, rows->count, fields);
        if (parts)
            mark_parts(rows, i, fields + 5);
        if (i % 1000 == 0 && sl_batch_begin(index, &batch, &err) != SL_OK)
            abort();
        test_apply(index, batch, &document);
        if ((i % 1000 == 999 || i + 1 == rows->count) && sl_batch_commit(batch, &err) != SL_OK)
            abort();
    }
    return index;
}

struct result {
    double recall, share;
};

/* Recall of ten against the truth of the file. */
static struct result against_truth(struct sl_index *index, const struct rows *queries,
                                   const struct rows *truth, uint32_t vectors, uint32_t ef)
{
    struct sl_snapshot *snapshot = test_snapshot(index);
    uint64_t hits = 0, distances = 0;

    for (uint32_t q = 0; q < queries->count; q++) {
        struct sl_search_stats stats;
        struct sl_hit found[K];
        struct sl_error err;
        uint32_t count;
        if (sl_snapshot_nearest(snapshot, queries->values + (size_t)q * queries->dim, K, ef, false,
                                NULL, found, &count, &stats, &err) != SL_OK)
            abort();
        distances += stats.distances;
        for (uint32_t i = 0; i < count; i++)
            for (uint32_t j = 0; j < K; j++) {
                int32_t number;
                memcpy(&number, truth->values + (size_t)q * truth->dim + j, sizeof number);
                hits += found[i].doc == (sl_doc_id)number + 1;
            }
    }
    sl_snapshot_close(snapshot);
    return (struct result){(double)hits / K / queries->count,
                           (double)distances / queries->count / vectors};
}

static struct result measure(const char *name, enum sl_metric metric, uint32_t ef, bool parts,
                             struct sl_index **ret_index, struct rows *ret_base,
                             struct rows *ret_queries)
{
    struct rows base, queries, truth;
    char file[64];
    struct result result = {-1, -1};

    snprintf(file, sizeof file, "%s_base.fvecs", name);
    if (!read_rows(file, &base))
        return result;
    snprintf(file, sizeof file, "%s_query.fvecs", name);
    if (!read_rows(file, &queries))
        return result;
    snprintf(file, sizeof file, "%s_groundtruth.ivecs", name);
    if (!read_rows(file, &truth))
        return result;
    *ret_index = build(&base, metric, parts);
    result = against_truth(*ret_index, &queries, &truth, base.count, ef);
    printf("%s as %s: ef %u, recall@10 %.4f, distances to %.2f %% of %u vectors\n", name,
           sl_storage_name(test_storage()), ef, result.recall, 100 * result.share, base.count);
    free(truth.values);
    *ret_base = base;
    *ret_queries = queries;
    return result;
}

/* --------------------------------------------------------------------------------- under filters */

struct filtered {
    double recall;     /* of all queries' best k that match */
    double complete;   /* queries that got min(k, matching) */
    double after;      /* the control: search first, filter then */
    double share;
    enum sl_search_path path;
};

static struct filtered measure_filter(struct sl_snapshot *snapshot, const struct rows *queries,
                                      const char *expression, uint32_t vectors)
{
    struct sl_arena *arena = sl_arena_open(SL_ARENA_BYTES_MAX);
    struct sl_selection *selection;
    const struct sl_filter *filter;
    struct filtered sum = {0};
    struct sl_error err;
    uint64_t wanted = 0, hits = 0, distances = 0, complete = 0, after = 0;
    uint32_t asked = 200;

    if (sl_filter_parse(sl_view_of(expression), arena, &filter, &err) != SL_OK ||
        sl_snapshot_select(snapshot, filter, arena, &selection, &err) != SL_OK)
        abort();
    for (uint32_t q = 0; q < asked; q++) {
        const float *query = queries->values + (size_t)q * queries->dim;
        struct sl_hit exact[K], found[K], plain[K];
        struct sl_search_stats stats;
        uint32_t exact_count, count, plain_count;
        if (sl_snapshot_nearest(snapshot, query, K, 64, true, selection, exact, &exact_count, NULL,
                                &err) != SL_OK ||
            sl_snapshot_nearest(snapshot, query, K, 64, false, selection, found, &count, &stats,
                                &err) != SL_OK ||
            sl_snapshot_nearest(snapshot, query, K, 64, false, NULL, plain, &plain_count, NULL,
                                &err) != SL_OK)
            abort();
        wanted += exact_count;
        complete += count == exact_count &&
                    count == (sl_selection_count(selection) < K ? sl_selection_count(selection) : K);
        distances += stats.distances;
        sum.path = stats.path;
        for (uint32_t i = 0; i < exact_count; i++) {
            for (uint32_t j = 0; j < count; j++)
                hits += exact[i].doc == found[j].doc;
            for (uint32_t j = 0; j < plain_count; j++)
                after += exact[i].doc == plain[j].doc;
        }
    }
    sum.recall = (double)hits / (double)wanted;
    sum.after = (double)after / (double)wanted;
    sum.complete = (double)complete / asked;
    sum.share = (double)distances / asked / vectors;
    printf("%-28s %6llu documents, path %d: recall@10 %.4f, complete %.3f, distances %.2f %%; "
           "filtering afterwards: %.4f\n",
           expression, (unsigned long long)sl_selection_count(selection), (int)sum.path,
           sum.recall, sum.complete, 100 * sum.share, sum.after);
    sl_arena_close(arena);
    return sum;
}

/* Recall where each query is asked for within the part it belongs to, or within a far one. */
static double measure_parts(struct sl_snapshot *snapshot, const struct rows *base,
                            const struct rows *queries, int parting, bool far)
{
    uint64_t wanted = 0, hits = 0, distances = 0, selected = 0, paths[4] = {0};
    uint32_t asked = 200;

    for (uint32_t q = 0; q < asked; q++) {
        const float *query = queries->values + (size_t)q * queries->dim;
        struct sl_arena *arena = sl_arena_open(SL_ARENA_BYTES_MAX);
        struct sl_selection *selection;
        const struct sl_filter *filter;
        struct sl_hit exact[K], found[K];
        struct sl_search_stats stats;
        struct sl_error err;
        uint32_t exact_count, count;
        char expression[64];
        snprintf(expression, sizeof expression, "%s = %u", part_names[parting],
                 part_of(base, part_counts[parting], query, far));
        if (sl_filter_parse(sl_view_of(expression), arena, &filter, &err) != SL_OK ||
            sl_snapshot_select(snapshot, filter, arena, &selection, &err) != SL_OK ||
            sl_snapshot_nearest(snapshot, query, K, 64, true, selection, exact, &exact_count, NULL,
                                &err) != SL_OK ||
            sl_snapshot_nearest(snapshot, query, K, 64, false, selection, found, &count, &stats,
                                &err) != SL_OK)
            abort();
        CHECK(count == exact_count);
        wanted += exact_count;
        distances += stats.distances;
        selected += sl_selection_count(selection);
        paths[stats.path]++;
        for (uint32_t i = 0; i < exact_count; i++)
            for (uint32_t j = 0; j < count; j++)
                hits += exact[i].doc == found[j].doc;
        sl_arena_close(arena);
    }
    printf("%s %-12s %8.1f documents, walked %3d, compared %3d: recall@10 %.4f, distances %.2f %%\n",
           far ? "a far one of" : "its own of", part_names[parting], (double)selected / asked,
           (int)paths[SL_PATH_FILTERED], (int)paths[SL_PATH_EXACT], (double)hits / (double)wanted,
           100.0 * (double)distances / asked / base->count);
    return (double)hits / (double)wanted;
}

TEST(recall_squad_and_filters)
{
    static const char *const filters[] = {
        "half = true", "tenth = true", "hundredth = true", "thousandth = true",
        "place < 0.5", "place >= 0.4 and place < 0.8", "place < 0.1", "place > 0.99",
        "place > 0.999", "not thousandth = true"};
    struct sl_index *index;
    struct rows base, queries;
    struct result result = measure("squad-lsa256", SL_METRIC_IP, 64, true, &index, &base, &queries);
    struct sl_snapshot *snapshot;

    if (result.recall < 0)
        SKIP("no ../shared/data/ann-vectors beside the source tree");
    CHECK_THAT(result.recall >= 0.98, "recall %f", result.recall);
    CHECK_THAT(result.share <= 0.10, "share %f", result.share);
    snapshot = test_snapshot(index);
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++) {
        struct filtered sum = measure_filter(snapshot, &queries, filters[i], 20958);
        /* where nearly all match, as good as without a filter is good enough */
        CHECK_THAT(sum.recall >= 0.99 || (i == 9 && sum.recall >= sum.after - 0.01), "%s: %f",
                   filters[i], sum.recall);
        CHECK_THAT(sum.complete == 1.0, "%s: %f", filters[i], sum.complete);
        if (i == 3) { /* 0.1 %: equal to exhaustive; filtering afterwards fails that */
            CHECK(sum.recall == 1.0);
            CHECK_THAT(sum.after < 0.2, "the control passes: %f", sum.after);
        }
    }
    for (int parting = 0; parting < PARTINGS; parting++)
        for (int far = 0; far < 2; far++) {
            double recall = measure_parts(snapshot, &base, &queries, parting, far == 1);
            CHECK_THAT(recall >= 0.99, "%s %s: %f", far ? "far" : "near", part_names[parting],
                       recall);
        }
    sl_snapshot_close(snapshot);
    free(base.values);
    free(queries.values);
    sl_index_close(index);
}

TEST(recall_of_other_storages)
{
    static const struct {
        const char *storage;
        uint32_t ef;
        double floor;
    } runs[] = {{"f16", 64, 0.975}, {"bf16", 64, 0.97}, {"bit", 256, 0.975}};
    const char *before = getenv("SLUICE_TEST_STORAGE");

    if (before != NULL)
        SKIP("runs once, without SLUICE_TEST_STORAGE");
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
        struct sl_index *index;
        struct rows base, queries;
        struct result result;
        (void)setenv("SLUICE_TEST_STORAGE", runs[i].storage, 1);
        result = measure("squad-lsa256", SL_METRIC_IP, runs[i].ef, false, &index, &base, &queries);
        (void)unsetenv("SLUICE_TEST_STORAGE");
        if (result.recall < 0)
            SKIP("no ../shared/data/ann-vectors beside the source tree");
        CHECK_THAT(result.recall >= runs[i].floor, "%s: recall %f", runs[i].storage, result.recall);
        free(base.values);
        free(queries.values);
        sl_index_close(index);
    }
}

TEST(recall_mnist)
{
    struct sl_index *index;
    struct rows base, queries;
    struct result result = measure("mnist9k", SL_METRIC_L2, 64, false, &index, &base, &queries);

    if (result.recall < 0)
        SKIP("no ../shared/data/ann-vectors beside the source tree");
    CHECK_THAT(result.recall >= 0.995, "recall %f", result.recall);
    CHECK_THAT(result.share <= 0.10, "share %f", result.share);
    free(base.values);
    free(queries.values);
    sl_index_close(index);
}

TEST(recall_after_replacing_everything)
{
    struct sl_index *index = test_index_open(test_directory(), 32, SL_METRIC_COSINE);
    struct sl_batch *batch;
    struct sl_snapshot *snapshot;
    struct sl_error err;
    float vector[32];
    char key[16];
    uint32_t hits = 0, wanted = 0;
    int64_t offset = 0;

    test_seed(11);
    for (int round = 0; round < 4; round++) {
        for (int part = 0; part < 4; part++) {
            if (sl_batch_begin(index, &batch, &err) != SL_OK)
                abort();
            for (int i = 0; i < 750; i++) {
                struct test_document document = {.key = key, .text = key, .offset = ++offset,
                                                 .vectors = vector};
                snprintf(key, sizeof key, "%d", part * 750 + i);
                test_cluster_vector(40, 32, vector);
                test_apply(index, batch, &document);
            }
            if (sl_batch_commit(batch, &err) != SL_OK)
                abort();
        }
    }
    snapshot = test_snapshot(index);
    for (int q = 0; q < 300; q++) {
        struct sl_hit exact[K], found[K];
        uint32_t exact_count, count;
        test_cluster_vector(40, 32, vector);
        if (sl_snapshot_nearest(snapshot, vector, K, 64, true, NULL, exact, &exact_count, NULL,
                                &err) != SL_OK ||
            sl_snapshot_nearest(snapshot, vector, K, 64, false, NULL, found, &count, NULL, &err) !=
                SL_OK)
            abort();
        wanted += exact_count;
        for (uint32_t i = 0; i < count; i++)
            for (uint32_t j = 0; j < exact_count; j++)
                hits += found[i].doc == exact[j].doc && found[i].chunk == exact[j].chunk;
    }
    sl_snapshot_close(snapshot);
    printf("after 300 %% turnover: recall@10 %.4f\n", (double)hits / wanted);
    CHECK(hits >= 0.97 * wanted);
    CHECK(test_verify(index, NULL) == 0);
    sl_index_close(index);
}
