/*
 * open.c -- `sluice-bench open`: seconds to open an index that was closed, and one whose process
 * was killed.
 *
 * A child fills the index and kills itself after the last commit; this process then opens what is
 * there, closes it and opens it again. The file is in the page cache, as after a restart of the
 * service.
 */
#include "bench.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sluice/error.h>

#include "fill.h"

static void print_open(const struct bench_options *options, const struct vectors *base,
                       const struct vectors *queries, const char *after)
{
    struct sl_search_stats stats;
    uint32_t found[BENCH_K];
    double from = bench_seconds(), cpu = bench_cpu_seconds(), opened, searched;
    struct sl_index *index = bench_reopen(options, base->dim);
    struct sl_snapshot *snapshot;

    opened = bench_seconds() - from;
    cpu = bench_cpu_seconds() - cpu;
    from = bench_seconds();
    snapshot = bench_snapshot(index);
    (void)bench_search(snapshot, vector_at(queries, 0), options->efs[0], false, found, &stats);
    sl_snapshot_close(snapshot);
    searched = bench_seconds() - from;
    sl_index_close(index);
    printf("{\"phase\": \"open\", \"after\": \"%s\", \"vectors\": %u, \"seconds\": %.4f, "
           "\"cpu_seconds\": %.4f, "
           "\"per_million_s\": %.3f, \"first_search_us\": %.0f}\n",
           after, base->count, opened, cpu, opened / base->count * 1e6, searched * 1e6);
    (void)fflush(stdout);
}

/* Fill in a child that ends by SIGKILL. 0, or an exit code. */
static int fill_and_die(const struct bench_options *options, const struct vectors *base)
{
    struct sl_index *index;
    int status, code;
    pid_t child = fork();

    if (child == 0) {
        code = bench_create(options, NULL, base->dim, &index);
        if (code != 0)
            _exit(code);
        fill_vectors(index, base, 0, base->count, options->threads, options->commit);
        (void)raise(SIGKILL);
    }
    if (child < 0 || waitpid(child, &status, 0) != child)
        return SL_EXIT_OS;
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
        return 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : SL_EXIT_SOFTWARE;
}

int bench_open(int argc, char **argv)
{
    struct bench_options options;
    struct vectors base = {0}, queries = {0};
    int code = bench_options_read(argc, argv, &options);

    if (code == 0)
        code = bench_read_vectors(&options, &base, &queries);
    if (code == 0 && !options.existing)
        code = fill_and_die(&options, &base);
    if (code == 0) {
        print_open(&options, &base, &queries, options.existing ? "existing" : "kill");
        print_open(&options, &base, &queries, "close");
    }
    free(base.values);
    free(queries.values);
    return code;
}
