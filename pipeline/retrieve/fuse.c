/*
 * fuse.c -- two ranked lists into one.
 *
 * Ranks (RRF) need no knowledge of the scores and are safe by default; scaled scores (min-max) keep how
 * far apart the items were and win where the weights are known to fit. Both are kept because which one is
 * better depends on the collection. Known weakness of min-max: one outlier at the end of a list squeezes
 * all the others.
 */
#include <sluice/retrieve.h>

#include <stdlib.h>

#define RRF_CONSTANT 60.0

static int by_id(const void *a, const void *b)
{
    const struct sl_scored *x = a, *y = b;

    return (x->id > y->id) - (x->id < y->id);
}

static int by_score(const void *a, const void *b)
{
    const struct sl_scored *x = a, *y = b;

    if (x->score != y->score)
        return x->score < y->score ? 1 : -1;
    return by_id(a, b);
}

/* Add one list, its scores made comparable, to `out`. */
static void add_list(enum sl_fusion fusion, const struct sl_scored *list, uint32_t count,
                     double weight, struct sl_scored *out)
{
    double top = count > 0 ? list[0].score : 0;
    double span = count > 0 ? top - list[count - 1].score : 0;

    for (uint32_t i = 0; i < count; i++) {
        double share = 1.0; /* all equal: all at the top */
        if (fusion == SL_FUSION_RRF)
            share = 1.0 / (RRF_CONSTANT + i + 1);
        else if (span > 0)
            share = 1.0 - (top - list[i].score) / span;
        out[i] = (struct sl_scored){list[i].id, weight * share};
    }
}

enum sl_err sl_fuse(enum sl_fusion fusion, const struct sl_scored *a, uint32_t a_count,
                    double a_weight, const struct sl_scored *b, uint32_t b_count, double b_weight,
                    struct sl_arena *arena, struct sl_scored *ret_fused, uint32_t *ret_count,
                    struct sl_error *err)
{
    size_t all = (size_t)a_count + b_count;
    struct sl_scored *both = SL_NEW_ARRAY(arena, struct sl_scored, all);
    uint32_t count = 0;

    if (both == NULL)
        return sl_fail(err, SL_REJECT, "too_large", "fusion: no room for %zu results", all);
    add_list(fusion, a, a_count, a_weight, both);
    add_list(fusion, b, b_count, b_weight, both + a_count);
    qsort(both, all, sizeof *both, by_id);
    for (size_t i = 0; i < all; i++) {
        if (count > 0 && ret_fused[count - 1].id == both[i].id)
            ret_fused[count - 1].score += both[i].score;
        else
            ret_fused[count++] = both[i];
    }
    qsort(ret_fused, count, sizeof *ret_fused, by_score);
    *ret_count = count;
    return SL_OK;
}
