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
     "--base B.fvecs --query Q.fvecs --dir D [--truth T.ivecs] [--ef 16,32,64,128] [--hold 100]\n"
     "        [--queries-repeat 1] [--session]     build, then recall and speed of searches"},
    {"churn", bench_churn,
     "... [--kind random|clustered|drifting] [--rounds 60] [--fraction 0.05] [--every 5] [--ef 64]\n"
     "        [--plan P.ivecs]     recall, size and speed while documents are replaced"},
    {"ingest", bench_ingest, "...     searches beside ingestion at full speed"},
    {"delete", bench_delete, "...     what taking a document out costs"},
    {"lexical", bench_lexical,
     "--input FILE --dir D [--documents 1000000] [--questions 2000] [--words 3] [--k 10] [--commit 1000]\n"
     "        [--existing]     short texts by their words: building, then speed of questions"},
    {"open", bench_open, "... [--existing]     seconds to open after a close and after a kill"},
    {"kernels", bench_kernels,
     "[--dims 128,384,768,1536] [--mib 512] [--metric ip|l2]     ns a distance, cached and not"},
    {"embed", bench_embed,
     "--model DIR --input FILE [--threads 1] [--batch 32] [--out V.fvecs]"}};

static int usage(FILE *to, int code)
{
    (void)fprintf(to, "usage: sluice-bench BENCHMARK OPTIONS\n");
    for (size_t i = 0; i < sizeof benchmarks / sizeof *benchmarks; i++)
        (void)fprintf(to, "  %s %s\n", benchmarks[i].name, benchmarks[i].usage);
    (void)fprintf(to, "All but lexical, kernels and embed: [--metric ip|l2|cos] [--storage f32|f16|bf16|i8|bit] [--m 16]\n"
                      "    [--ef-construction 200] [--threads 1] [--commit 1000] [--limit N]\n");
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
