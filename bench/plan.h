/* plan.h -- which vectors leave an index and which come in, round after round. */
#ifndef SLUICE_BENCH_PLAN_H
#define SLUICE_BENCH_PLAN_H

#include <stdint.h>

#include "vectors.h"

enum plan_kind {
    PLAN_RANDOM = 1, /* any for any                                              */
    PLAN_CLUSTERED,  /* whole groups of near vectors for other groups            */
    PLAN_DRIFTING    /* a window that slides along the data's longest direction  */
};

struct plan_list {
    uint32_t *numbers;
    uint32_t count;
};

struct plan {
    struct plan_list start; /* what is live before the first round */
    struct plan_list *out;  /* [rounds] */
    struct plan_list *into; /* [rounds], none of it live before its round */
    uint32_t rounds;
};

/*
 * Four fifths of the vectors are live at any time; each round replaces about `fraction` of them.
 * The same arguments give the same plan. plan_fini() frees it. 0, or an exit code with the message
 * printed.
 */
int plan_make(enum plan_kind kind, const struct vectors *base, double fraction, uint32_t rounds,
              struct plan *ret_plan);
void plan_fini(struct plan *plan);

/* As an .ivecs file: the start, then per round what goes out and what comes in. 0, or an exit code.
 */
int plan_write(const struct plan *plan, const char *path);

#endif
