/*
 * main.c -- sluice-bench: the benchmarks, on files a stranger can bring. JSON lines on standard output.
 */
#include "bench.h"

#include <stdio.h>
#include <string.h>

#include <sluice/error.h>

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *usage;
} benchmarks[] = {
    {"index", bench_index,
     "--base B.fvecs --query Q.fvecs [--truth T.ivecs] --dir D [--metric ip|l2|cos] [--m 16]\n"
     "        [--ef-construction 200] [--ef 16,32,64,128] [--threads 1] [--storage f32]\n"
     "        [--commit 1000] [--limit N]"},
    {"churn", bench_churn,
     "--base B.fvecs --query Q.fvecs --dir D [--rounds 20] [--fraction 0.05] [--ef 64] ..."},
    {"embed", bench_embed,
     "--model DIR --input FILE [--threads 1] [--batch 32] [--out V.fvecs]"}};

static int usage(FILE *to, int code)
{
    (void)fprintf(to, "usage: sluice-bench BENCHMARK OPTIONS\n");
    for (size_t i = 0; i < sizeof benchmarks / sizeof *benchmarks; i++)
        (void)fprintf(to, "  %s %s\n", benchmarks[i].name, benchmarks[i].usage);
    return code;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--version") == 0) {
        (void)printf("sluice-bench %s\n", SLUICE_VERSION);
        return SL_EXIT_OK;
    }
    if (argc > 1 && strcmp(argv[1], "--help") == 0)
        return usage(stdout, SL_EXIT_OK);
    for (size_t i = 0; argc > 1 && i < sizeof benchmarks / sizeof *benchmarks; i++)
        if (strcmp(argv[1], benchmarks[i].name) == 0)
            return benchmarks[i].run(argc - 1, argv + 1);
    return usage(stderr, SL_EXIT_USAGE);
}
