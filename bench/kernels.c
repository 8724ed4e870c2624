/*
 * kernels.c -- `sluice-bench kernels`: what one distance costs, for each code, kernel and dimension.
 *
 * Three figures, for a walk lives between them. hot: all codes in the first cache, so arithmetic alone. ram:
 * codes at random in far more memory than any cache holds, each known only when its turn comes. prefetch: the
 * same, but asked for a few turns ahead, as the walk does with the neighbours of a node. Pages are of 4 KiB,
 * as those of a mapped file are.
 */
#include "bench.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <sluice/error.h>

#include "index/codec.h"

#define RUNS      5u /* the median counts */
#define HOT       4u /* codes that are compared again and again */
#define HOT_TURNS 100000u
#define RAM_TURNS 100000u
#define AHEAD     4u

struct kernels_arguments {
    uint32_t dims[16], dim_count;
    size_t bytes; /* of codes in RAM */
    enum sl_metric metric;
};

struct kernels_room {
    char *codes; /* [count] of stride, more than caches hold */
    uint32_t count;
    uint32_t *order; /* [RAM_TURNS] */
    char *query;
};

static float volatile sink; /* what is summed there must be computed */

/* Of this thread: what else the machine does takes caches away, but no time. */
static double nanoseconds_now(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static double time_hot(const struct sl_codec *codec, const struct kernels_room *room)
{
    double start = nanoseconds_now();
    float sum = 0;

    for (uint32_t i = 0; i < HOT_TURNS; i++)
        sum += codec->distance(room->query, room->codes + (i % HOT) * codec->stride, codec->units);
    sink = sum;
    return (nanoseconds_now() - start) / HOT_TURNS;
}

static double time_ram(const struct sl_codec *codec, const struct kernels_room *room)
{
    double start = nanoseconds_now();
    float sum = 0;

    for (uint32_t i = 0; i < RAM_TURNS; i++)
        sum += codec->distance(room->query, room->codes + (size_t)room->order[i] * codec->stride,
                               codec->units);
    sink = sum;
    return (nanoseconds_now() - start) / RAM_TURNS;
}

static double time_prefetch(const struct sl_codec *codec, const struct kernels_room *room)
{
    double start = nanoseconds_now();
    float sum = 0;

    for (uint32_t i = 0; i < RAM_TURNS; i++) {
        const char *next =
            room->codes + (size_t)room->order[(i + AHEAD) % RAM_TURNS] * codec->stride;
        for (uint32_t at = 0; at < codec->stride; at += SL_LINE_BYTES)
            __builtin_prefetch(next + at);
        sum += codec->distance(room->query, room->codes + (size_t)room->order[i] * codec->stride,
                               codec->units);
    }
    sink = sum;
    return (nanoseconds_now() - start) / RAM_TURNS;
}

static int compare_doubles(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static double median(double (*time)(const struct sl_codec *, const struct kernels_room *),
                     const struct sl_codec *codec, const struct kernels_room *room)
{
    double runs[RUNS];

    for (uint32_t i = 0; i < RUNS; i++)
        runs[i] = time(codec, room);
    qsort(runs, RUNS, sizeof *runs, compare_doubles);
    return runs[RUNS / 2];
}

/* Every code in memory is the same vector's; that does not change what it costs to fetch it. */
static void room_fill(struct kernels_room *room, const struct sl_codec *codec, size_t bytes)
{
    float vector[SL_DIM_MAX];
    uint64_t random = 1;

    for (uint32_t i = 0; i < codec->dim; i++)
        vector[i] = (float)((i * 2654435761u) >> 16) / 65536.0f - 0.5f;
    sl_codec_encode(codec, vector, room->query);
    room->count = (uint32_t)(bytes / codec->stride);
    for (uint32_t i = 0; i < room->count; i++)
        memcpy(room->codes + (size_t)i * codec->stride, room->query, codec->stride);
    for (uint32_t i = 0; i < RAM_TURNS; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        room->order[i] = (uint32_t)((random >> 32) * room->count >> 32);
    }
}

static void measure_code(enum sl_code code, uint32_t dim, const struct kernels_arguments *arguments,
                         struct kernels_room *room)
{
    static const char *const code_names[] = {"", "f32", "f16", "bf16", "i8", "bit"};
    struct sl_codec codec = sl_codec_choose(code, arguments->metric, dim);

    room_fill(room, &codec, arguments->bytes);
    for (const char *const *name = sl_codec_kernels(); *name != NULL; name++) {
        if (!sl_codec_named(code, arguments->metric, dim, *name, &codec))
            continue;
        printf("{\"phase\": \"kernels\", \"code\": \"%s\", \"kernel\": \"%s\", \"metric\": \"%s\", "
               "\"dim\": %u, \"bytes\": %u, \"hot_ns\": %.1f, \"ram_ns\": %.1f, \"prefetch_ns\": "
               "%.1f}\n",
               code_names[code], *name, arguments->metric == SL_METRIC_L2 ? "l2" : "ip", dim,
               codec.stride, median(time_hot, &codec, room), median(time_ram, &codec, room),
               median(time_prefetch, &codec, room));
        (void)fflush(stdout);
    }
}

static bool read_dims(const char *text, struct kernels_arguments *arguments)
{
    char *end = (char *)(uintptr_t)text;

    arguments->dim_count = 0;
    do {
        unsigned long dim = strtoul(*end == ',' ? end + 1 : end, &end, 10);
        if (dim == 0 || dim > SL_DIM_MAX || arguments->dim_count == 16 || (*end && *end != ','))
            return false;
        arguments->dims[arguments->dim_count++] = (uint32_t)dim;
    } while (*end != '\0');
    return true;
}

static int read_arguments(int argc, char **argv, struct kernels_arguments *arguments)
{
    static const struct option options[] = {{"dims", required_argument, NULL, 'd'},
                                            {"mib", required_argument, NULL, 'b'},
                                            {"metric", required_argument, NULL, 'm'},
                                            {0}};
    int option;

    *arguments = (struct kernels_arguments){
        .dims = {128, 384, 768, 1536}, .dim_count = 4, .bytes = 512u << 20, .metric = SL_METRIC_IP};
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
        if (option == 'b' && atoi(optarg) > 0)
            arguments->bytes = (size_t)atoi(optarg) << 20;
        else if (option == 'm' && strcmp(optarg, "l2") == 0)
            arguments->metric = SL_METRIC_L2;
        else if (option == 'm' && strcmp(optarg, "ip") == 0)
            arguments->metric = SL_METRIC_IP;
        else if (option != 'd' || !read_dims(optarg, arguments)) {
            (void)fprintf(stderr,
                          "sluice-bench kernels: --dims 1..%u,..., --mib N, --metric ip|l2\n",
                          SL_DIM_MAX);
            return SL_EXIT_USAGE;
        }
    return SL_EXIT_OK;
}

int bench_kernels(int argc, char **argv)
{
    struct kernels_arguments arguments;
    struct kernels_room room = {0};
    int code = read_arguments(argc, argv, &arguments);

    if (code != SL_EXIT_OK)
        return code;
    room.codes =
        mmap(NULL, arguments.bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    room.order = malloc(RAM_TURNS * sizeof *room.order);
    room.query = aligned_alloc(SL_LINE_BYTES, SL_DIM_MAX * sizeof(float));
    if (room.codes == MAP_FAILED || room.order == NULL || room.query == NULL) {
        (void)fprintf(stderr, "sluice-bench: no memory for %zu bytes of codes\n", arguments.bytes);
        return SL_EXIT_OS;
    }
    (void)madvise(room.codes, arguments.bytes, MADV_NOHUGEPAGE);
    for (uint32_t d = 0; d < arguments.dim_count; d++)
        for (int c = SL_CODE_F32; c <= SL_CODE_BIT; c++)
            measure_code((enum sl_code)c, arguments.dims[d], &arguments, &room);
    (void)munmap(room.codes, arguments.bytes);
    free(room.order);
    free(room.query);
    return SL_EXIT_OK;
}
