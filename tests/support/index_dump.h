/* index_dump.h -- all that can be read through a snapshot, as one digest: two indexes hold the same, or not. */
#ifndef SLUICE_TEST_INDEX_DUMP_H
#define SLUICE_TEST_INDEX_DUMP_H

#include <sluice/index.h>

/* Documents by key with text, chunks, windows and terms found, positions, rows, counts; not numbers of slots. */
unsigned long long test_dump(struct sl_snapshot *snapshot);
/* The same of the index as it is now. */
unsigned long long test_dump_index(struct sl_index *index);
/* How often `bytes` occur in the files under a directory, subdirectories included. */
unsigned test_grep(const char *directory, const void *bytes, size_t size);
/* Bytes of all files in it. */
unsigned long long test_directory_bytes(const char *directory);

#endif
