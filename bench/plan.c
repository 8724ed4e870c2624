/*
 * plan.c -- which vectors leave an index and which come in, round after round.
 *
 * Random replacement is the kind churn there is: what leaves is spread evenly over the graph.
 * Deleting all there is about one topic tears a hole, and a drifting stream moves the whole index
 * to where nothing was; both are made here from the vectors alone, by k-means and by the first
 * principal direction. A plan is made before anything is timed and can be written down, so that
 * other engines replay the very same one.
 */
#include "plan.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/error.h>

#define GROUPS_MAX    100u
#define GROUP_VECTORS 100u /* at least so many in a group on average */
#define KMEANS_ROUNDS 4u
#define POWER_ROUNDS  12u

struct maker {
    const struct vectors *base;
    struct plan *plan;
    uint32_t total, live, step; /* vectors, live ones at a time, replaced a round */
    uint64_t random;
};

static uint32_t draw(struct maker *maker, uint32_t below)
{
    uint64_t z = (maker->random += 0x9E3779B97F4A7C15u);

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (uint32_t)((z ^ (z >> 31)) % below);
}

static void *must_allocate(size_t count, size_t size)
{
    void *memory = calloc(count > 0 ? count : 1, size);

    if (memory != NULL)
        return memory;
    (void)fprintf(stderr, "sluice-bench: out of memory\n");
    exit(SL_EXIT_OS);
}

/* Move `count` numbers drawn from `numbers` to its front. */
static void shuffle_front(struct maker *maker, uint32_t *numbers, uint32_t total, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t j = i + draw(maker, total - i), number = numbers[i];
        numbers[i] = numbers[j];
        numbers[j] = number;
    }
}

static struct plan_list copy_list(const uint32_t *numbers, uint32_t count)
{
    struct plan_list list = {must_allocate(count, sizeof *list.numbers), count};

    memcpy(list.numbers, numbers, count * sizeof *numbers);
    return list;
}

static void make_random(struct maker *maker)
{
    uint32_t *numbers = must_allocate(maker->total, sizeof *numbers);
    uint32_t *spare = numbers + maker->live;

    for (uint32_t i = 0; i < maker->total; i++)
        numbers[i] = i;
    maker->plan->start = copy_list(numbers, maker->live);
    for (uint32_t r = 0; r < maker->plan->rounds; r++) {
        shuffle_front(maker, numbers, maker->live, maker->step);
        shuffle_front(maker, spare, maker->total - maker->live, maker->step);
        maker->plan->out[r] = copy_list(numbers, maker->step);
        maker->plan->into[r] = copy_list(spare, maker->step);
        for (uint32_t i = 0; i < maker->step; i++) {
            numbers[i] = maker->plan->into[r].numbers[i];
            spare[i] = maker->plan->out[r].numbers[i];
        }
    }
    free(numbers);
}

/* ------------------------------------------------------------------------------- clustered */

static float squared_distance(const float *a, const float *b, uint32_t dim)
{
    float sums[8] = {0};
    uint32_t i = 0;

    for (; i + 8 <= dim; i += 8)
        for (uint32_t j = 0; j < 8; j++)
            sums[j] += (a[i + j] - b[i + j]) * (a[i + j] - b[i + j]);
    for (; i < dim; i++)
        sums[0] += (a[i] - b[i]) * (a[i] - b[i]);
    return sums[0] + sums[1] + sums[2] + sums[3] + sums[4] + sums[5] + sums[6] + sums[7];
}

static uint32_t nearest_centre(const float *vector, const float *centres, uint32_t groups,
                               uint32_t dim)
{
    float least = INFINITY;
    uint32_t best = 0;

    for (uint32_t g = 0; g < groups; g++) {
        float distance = squared_distance(vector, centres + (size_t)g * dim, dim);
        if (distance < least) {
            least = distance;
            best = g;
        }
    }
    return best;
}

static void move_centres(const struct vectors *base, const uint32_t *group_of, uint32_t groups,
                         float *centres)
{
    uint32_t *counts = must_allocate(groups, sizeof *counts);

    memset(centres, 0, (size_t)groups * base->dim * sizeof *centres);
    for (uint32_t i = 0; i < base->count; i++) {
        float *centre = centres + (size_t)group_of[i] * base->dim;
        counts[group_of[i]]++;
        for (uint32_t d = 0; d < base->dim; d++)
            centre[d] += vector_at(base, i)[d];
    }
    for (uint32_t g = 0; g < groups; g++)
        for (uint32_t d = 0; counts[g] > 0 && d < base->dim; d++)
            centres[(size_t)g * base->dim + d] /= (float)counts[g];
    free(counts);
}

/* By k-means: the group of each vector. */
static uint32_t *find_groups(struct maker *maker, uint32_t groups)
{
    const struct vectors *base = maker->base;
    float *centres = must_allocate((size_t)groups * base->dim, sizeof *centres);
    uint32_t *group_of = must_allocate(base->count, sizeof *group_of);

    for (uint32_t g = 0; g < groups; g++)
        memcpy(centres + (size_t)g * base->dim, vector_at(base, draw(maker, base->count)),
               base->dim * sizeof *centres);
    for (uint32_t round = 0; round < KMEANS_ROUNDS; round++) {
        for (uint32_t i = 0; i < base->count; i++)
            group_of[i] = nearest_centre(vector_at(base, i), centres, groups, base->dim);
        move_centres(base, group_of, groups, centres);
    }
    free(centres);
    return group_of;
}

struct groups {
    struct plan_list *members; /* [count] */
    bool *live, *moved;        /* [count]; moved in this round */
    uint32_t count, live_vectors;
};

static void list_members(const uint32_t *group_of, uint32_t total, struct groups *groups)
{
    for (uint32_t g = 0; g < groups->count; g++)
        groups->members[g].numbers = must_allocate(total, sizeof(uint32_t));
    for (uint32_t i = 0; i < total; i++) {
        struct plan_list *list = groups->members + group_of[i];
        list->numbers[list->count++] = i;
    }
}

/* Move whole groups, drawn at random, to the other side until it has at least `wanted` more
 * vectors. */
static struct plan_list move_groups(struct maker *maker, struct groups *groups, bool to_live,
                                    uint32_t wanted)
{
    struct plan_list list = {must_allocate(maker->total, sizeof *list.numbers), 0};

    for (uint32_t tries = 0; list.count < wanted && tries < groups->count * 20; tries++) {
        uint32_t g = draw(maker, groups->count);
        if (groups->live[g] == to_live || groups->moved[g] || groups->members[g].count == 0)
            continue;
        memcpy(list.numbers + list.count, groups->members[g].numbers,
               groups->members[g].count * sizeof *list.numbers);
        list.count += groups->members[g].count;
        groups->live[g] = to_live;
        groups->moved[g] = true;
    }
    groups->live_vectors += to_live ? list.count : 0u - list.count;
    return list;
}

static void make_clustered(struct maker *maker)
{
    struct groups groups = {.count = maker->total / GROUP_VECTORS};
    uint32_t *group_of;

    if (groups.count > GROUPS_MAX)
        groups.count = GROUPS_MAX;
    if (groups.count < 10)
        groups.count = 10;
    groups.members = must_allocate(groups.count, sizeof *groups.members);
    groups.live = must_allocate(groups.count, sizeof *groups.live);
    groups.moved = must_allocate(groups.count, sizeof *groups.moved);
    group_of = find_groups(maker, groups.count);
    list_members(group_of, maker->total, &groups);
    maker->plan->start = move_groups(maker, &groups, true, maker->live);
    for (uint32_t r = 0; r < maker->plan->rounds; r++) {
        memset(groups.moved, 0, groups.count * sizeof *groups.moved);
        maker->plan->out[r] = move_groups(maker, &groups, false, maker->step);
        maker->plan->into[r] =
            move_groups(maker, &groups, true,
                        groups.live_vectors < maker->live ? maker->live - groups.live_vectors : 0);
    }
    for (uint32_t g = 0; g < groups.count; g++)
        free(groups.members[g].numbers);
    free(groups.members);
    free(groups.live);
    free(groups.moved);
    free(group_of);
}

/* -------------------------------------------------------------------------------- drifting */

struct placed {
    double along;
    uint32_t number;
};

static int compare_placed(const void *a, const void *b)
{
    const struct placed *x = a, *y = b;

    return x->along != y->along ? (x->along > y->along) - (x->along < y->along)
                                : (x->number > y->number) - (x->number < y->number);
}

static double project(const float *vector, const double *mean, const double *direction,
                      uint32_t dim)
{
    double sum = 0;

    for (uint32_t d = 0; d < dim; d++)
        sum += ((double)vector[d] - mean[d]) * direction[d];
    return sum;
}

/* The first principal direction, by power iteration on the centred vectors. */
static void find_direction(const struct vectors *base, double *mean, double *direction)
{
    double *next = must_allocate(base->dim, sizeof *next);

    for (uint32_t i = 0; i < base->count; i++)
        for (uint32_t d = 0; d < base->dim; d++)
            mean[d] += (double)vector_at(base, i)[d] / base->count;
    for (uint32_t d = 0; d < base->dim; d++)
        direction[d] = 1.0 / (1 + d);
    for (uint32_t round = 0; round < POWER_ROUNDS; round++) {
        double norm = 0;
        memset(next, 0, base->dim * sizeof *next);
        for (uint32_t i = 0; i < base->count; i++) {
            const float *vector = vector_at(base, i);
            double along = project(vector, mean, direction, base->dim);
            for (uint32_t d = 0; d < base->dim; d++)
                next[d] += along * ((double)vector[d] - mean[d]);
        }
        for (uint32_t d = 0; d < base->dim; d++)
            norm += next[d] * next[d];
        for (uint32_t d = 0; d < base->dim; d++)
            direction[d] = next[d] / sqrt(norm > 0 ? norm : 1);
    }
    free(next);
}

static struct plan_list copy_window(const struct placed *placed, uint32_t total, uint32_t from,
                                    uint32_t count)
{
    struct plan_list list = {must_allocate(count, sizeof *list.numbers), count};

    for (uint32_t i = 0; i < count; i++)
        list.numbers[i] = placed[(from + i) % total].number;
    return list;
}

static void make_drifting(struct maker *maker)
{
    const struct vectors *base = maker->base;
    struct placed *placed = must_allocate(maker->total, sizeof *placed);
    double *mean = must_allocate(base->dim, sizeof *mean);
    double *direction = must_allocate(base->dim, sizeof *direction);

    find_direction(base, mean, direction);
    for (uint32_t i = 0; i < maker->total; i++)
        placed[i] = (struct placed){project(vector_at(base, i), mean, direction, base->dim), i};
    qsort(placed, maker->total, sizeof *placed, compare_placed);
    maker->plan->start = copy_window(placed, maker->total, 0, maker->live);
    for (uint32_t r = 0; r < maker->plan->rounds; r++) {
        uint32_t from = (uint32_t)((uint64_t)r * maker->step % maker->total);
        maker->plan->out[r] = copy_window(placed, maker->total, from, maker->step);
        maker->plan->into[r] = copy_window(placed, maker->total, from + maker->live, maker->step);
    }
    free(placed);
    free(mean);
    free(direction);
}

/* ------------------------------------------------------------------------------------------ */

int plan_make(enum plan_kind kind, const struct vectors *base, double fraction, uint32_t rounds,
              struct plan *ret_plan)
{
    struct maker maker = {.base = base, .plan = ret_plan, .total = base->count, .random = 1};

    if (base->count < 500) {
        (void)fprintf(stderr, "sluice-bench: %u vectors; churn needs 500 at least\n", base->count);
        return SL_EXIT_DATA;
    }
    maker.live = base->count - base->count / 5;
    maker.step = (uint32_t)(fraction * maker.live);
    *ret_plan = (struct plan){.out = must_allocate(rounds, sizeof *ret_plan->out),
                              .into = must_allocate(rounds, sizeof *ret_plan->into),
                              .rounds = rounds};
    if (kind == PLAN_RANDOM)
        make_random(&maker);
    else if (kind == PLAN_CLUSTERED)
        make_clustered(&maker);
    else
        make_drifting(&maker);
    return 0;
}

void plan_fini(struct plan *plan)
{
    free(plan->start.numbers);
    for (uint32_t r = 0; r < plan->rounds; r++) {
        free(plan->out[r].numbers);
        free(plan->into[r].numbers);
    }
    free(plan->out);
    free(plan->into);
}

int plan_write(const struct plan *plan, const char *path)
{
    FILE *file = fopen(path, "wb");

    if (file != NULL) {
        vectors_write_row(file, plan->start.numbers, plan->start.count);
        for (uint32_t r = 0; r < plan->rounds; r++) {
            vectors_write_row(file, plan->out[r].numbers, plan->out[r].count);
            vectors_write_row(file, plan->into[r].numbers, plan->into[r].count);
        }
    }
    if (file != NULL && (ferror(file) | fclose(file)) == 0)
        return 0;
    (void)fprintf(stderr, "sluice-bench: cannot write %s\n", path);
    return SL_EXIT_IO;
}
