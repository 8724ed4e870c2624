/* failing_calls.h -- calls of libsluice into LMDB and the allocator, one of which fails. */
#ifndef SLUICE_TEST_FAILING_CALLS_H
#define SLUICE_TEST_FAILING_CALLS_H

#include <stdbool.h>

enum failing { FAIL_NOTHING, FAIL_LMDB, FAIL_MEMORY };

/* From here on the nth call fails (0: none, only count); `forever`: and all after it. */
void failing_begin(enum failing what, long nth, int error, bool forever);
/* Calls seen since; nothing fails any more. */
long failing_end(void);
/* Blocks that libsluice holds now. */
long failing_blocks(void);

#endif
