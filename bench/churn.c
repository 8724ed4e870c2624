/*
 * churn.c -- `sluice-bench churn`: what replacing documents round after round does to recall,
 * speed, size and reachability.
 *
 * The plan (plan.h) says which vectors go and come. One that comes takes the key of one that goes,
 * so it is a replaced document; where a round has more of one than of the other, the rest is
 * deleted or new. Recall is against exact search of that round. At the end a fresh index of what is
 * live then is measured beside.
 */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>

#include <sluice/error.h>

#include "fill.h"
#include "measure.h"
#include "plan.h"

#define QUERIES_MAX 300u
#define NO_KEY      UINT32_MAX

struct churn {
    const struct bench_options *options;
    struct sl_index *index;
    const struct vectors *base;
    struct plan plan;
    struct measure measure;
    uint32_t *truth;  /* [queries][BENCH_K]                     */
    uint32_t *key_of; /* [base]; NO_KEY: not in the index       */
    uint32_t *free;   /* keys of deleted documents, a stack     */
    struct fill_item *items;
    uint32_t free_count, key_next, version;
};

static uint32_t take_key(struct churn *churn)
{
    return churn->free_count > 0 ? churn->free[--churn->free_count] : churn->key_next++;
}

/* What goes out under a key that nothing takes over. */
static void delete_rest(struct churn *churn, const struct plan_list *out, uint32_t from)
{
    struct sl_batch *batch = NULL;

    for (uint32_t i = from; i < out->count; i++) {
        uint32_t *key = churn->key_of + out->numbers[i];
        uint32_t place = (i - from) % churn->options->commit;
        if (place == 0)
            bench_begin(churn->index, &batch);
        bench_remove(batch, *key, churn->version++);
        churn->free[churn->free_count++] = *key;
        *key = NO_KEY;
        if (place == churn->options->commit - 1 || i + 1 == out->count)
            bench_commit(batch);
    }
}

static void replace(struct churn *churn, const struct plan_list *out, const struct plan_list *into)
{
    uint32_t both = out->count < into->count ? out->count : into->count;

    delete_rest(churn, out, both);
    for (uint32_t i = 0; i < into->count; i++) {
        uint32_t key = i < both ? churn->key_of[out->numbers[i]] : take_key(churn);
        if (i < both)
            churn->key_of[out->numbers[i]] = NO_KEY;
        churn->key_of[into->numbers[i]] = key;
        churn->items[i] = (struct fill_item){into->numbers[i], key, churn->version++};
    }
    fill_items(churn->index, churn->base, churn->items, into->count, churn->options->threads,
               churn->options->commit);
}

static void report(struct churn *churn, struct sl_index *index, const char *phase, uint32_t round,
                   double rate)
{
    struct measure_result result, median = {0};
    struct sl_index_stats stats;
    double micros[3], cpu[3];

    measure_truth(index, churn->measure.queries, churn->truth);
    for (uint32_t i = 0; i < 3; i++) {
        measure_search(&churn->measure, index, churn->options->efs[0], 1, churn->options->hold,
                       &result);
        micros[i] = 1e6 / result.qps;
        cpu[i] = 1e6 / result.cpu_qps;
        median = result;
    }
    bench_stats(index, &stats);
    printf("{\"phase\": \"%s\", \"round\": %u, \"recall@10\": %.4f, \"unreachable\": %llu, "
           "\"disk_bytes\": %llu, \"rate\": %.0f, \"search_us\": %.1f, \"cpu_us\": %.1f, "
           "\"distances\": %.0f, \"live\": %llu}\n",
           phase, round, median.recall, (unsigned long long)stats.unreachable,
           (unsigned long long)stats.disk_bytes, rate, measure_quantile(micros, 3, 0.5),
           measure_quantile(cpu, 3, 0.5), median.distances, (unsigned long long)stats.vectors_live);
    (void)fflush(stdout);
}

/* Put what is live into an index, under new keys when it is the churned one. */
static double fill_live(struct churn *churn, struct sl_index *index)
{
    uint32_t count = 0;
    double from = bench_seconds();

    for (uint32_t i = 0; i < churn->base->count; i++)
        if (churn->key_of[i] != NO_KEY)
            churn->items[count++] = (struct fill_item){i, churn->key_of[i], churn->version++};
    fill_items(index, churn->base, churn->items, count, churn->options->threads,
               churn->options->commit);
    return count / (bench_seconds() - from);
}

static int compare_fresh(struct churn *churn, uint32_t round)
{
    struct sl_index *fresh;
    int code = bench_create(churn->options, "fresh", churn->base->dim, &fresh);

    if (code != 0)
        return code;
    report(churn, fresh, "fresh", round, fill_live(churn, fresh));
    report(churn, churn->index, "churned", round, 0);
    sl_index_close(fresh);
    return 0;
}

static int run(struct churn *churn)
{
    const struct plan *plan = &churn->plan;
    uint32_t every = churn->options->every;

    for (uint32_t i = 0; i < churn->base->count; i++)
        churn->key_of[i] = NO_KEY;
    for (uint32_t i = 0; i < plan->start.count; i++)
        churn->key_of[plan->start.numbers[i]] = churn->key_next++;
    report(churn, churn->index, "churn", 0, fill_live(churn, churn->index));
    for (uint32_t round = 1; round <= plan->rounds; round++) {
        double from = bench_seconds(), rate;
        replace(churn, plan->out + round - 1, plan->into + round - 1);
        rate = plan->into[round - 1].count / (bench_seconds() - from);
        if (round % every == 0 || round == plan->rounds)
            report(churn, churn->index, "churn", round, rate);
    }
    return compare_fresh(churn, plan->rounds);
}

static int start(struct churn *churn, struct vectors *queries)
{
    const struct bench_options *options = churn->options;
    size_t total = churn->base->count;
    int code =
        plan_make(options->kind, churn->base, options->fraction, options->rounds, &churn->plan);

    if (queries->count > QUERIES_MAX)
        queries->count = QUERIES_MAX;
    if (code == 0 && options->plan != NULL)
        code = plan_write(&churn->plan, options->plan);
    if (code == 0)
        code = measure_init(queries, &churn->measure);
    churn->truth = calloc((size_t)queries->count * BENCH_K, sizeof *churn->truth);
    churn->key_of = calloc(total, sizeof *churn->key_of);
    churn->free = calloc(total, sizeof *churn->free);
    churn->items = calloc(total, sizeof *churn->items);
    if (churn->truth == NULL || churn->key_of == NULL || churn->free == NULL ||
        churn->items == NULL)
        code = SL_EXIT_OS;
    churn->measure.truth = churn->truth;
    churn->measure.truth_dim = BENCH_K;
    churn->version = 1;
    return code;
}

int bench_churn(int argc, char **argv)
{
    struct bench_options options;
    struct vectors base = {0}, queries = {0};
    struct churn churn = {.options = &options, .base = &base};
    int code = bench_options_read(argc, argv, &options);

    if (code == 0)
        code = bench_read_vectors(&options, &base, &queries);
    if (code == 0)
        code = start(&churn, &queries);
    if (code == 0)
        code = bench_create(&options, NULL, base.dim, &churn.index);
    if (code == 0)
        code = run(&churn);
    sl_index_close(churn.index);
    plan_fini(&churn.plan);
    measure_fini(&churn.measure);
    free(churn.truth);
    free(churn.key_of);
    free(churn.free);
    free(churn.items);
    free(base.values);
    free(queries.values);
    return code;
}
