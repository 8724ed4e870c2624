/* bench.h -- the benchmarks; each takes the arguments behind its name and returns an exit code. */
#ifndef SLUICE_BENCH_H
#define SLUICE_BENCH_H

int bench_index(int argc, char **argv);
int bench_churn(int argc, char **argv);
int bench_ingest(int argc, char **argv);
int bench_delete(int argc, char **argv);
int bench_lexical(int argc, char **argv);
int bench_open(int argc, char **argv);
int bench_kernels(int argc, char **argv);
int bench_embed(int argc, char **argv);

#endif
