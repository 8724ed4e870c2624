/* verify.h -- what the two halves of verification share. */
#ifndef SLUICE_VERIFY_H
#define SLUICE_VERIFY_H

#include "index/internal.h"

struct sl_verify {
    const struct sl_snapshot *snapshot;
    sl_report_fn report;
    void *context;
    uint64_t faults;
    struct sl_graph *graph; /* as it is on disk; NULL: none, or it cannot be loaded */
    uint64_t windows;       /* that name a slot */
    bool no_memory;
};

/* Report one fault as "table T, ...". */
void sl_verify_fault(struct sl_verify *verify, enum sl_store_table table, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Load the graph from the snapshot and check links, reachability and vectors. */
void sl_verify_graph(struct sl_verify *verify);

#endif /* SLUICE_VERIFY_H */
