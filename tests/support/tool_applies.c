/*
 * tool_applies.c -- prints what applies_counted.c wrote down, a line a record: partition, offset, and each
 * application's code (enum sl_applied), joined by commas. Sorted, as the rows are.
 */
#include <stdio.h>

#include <sluice/index.h>

#include "index/format.h"

struct printing {
    int32_t partition;
    int64_t offset;
    bool begun;
};

static bool print_row(void *context, struct sl_view key, struct sl_view value)
{
    struct printing *at = context;
    int32_t partition;
    int64_t offset;

    if (key.size != 32 || memcmp(key.data, "applied ", 8) != 0)
        return true;
    partition = (int32_t)sl_get_be32(key.data + 8);
    offset = (int64_t)sl_get_be64(key.data + 12);
    if (at->begun && at->partition == partition && at->offset == offset)
        printf(",%d", value.data[0]);
    else
        printf("%s%d %lld %d", at->begun ? "\n" : "", (int)partition, (long long)offset,
               value.data[0]);
    *at = (struct printing){partition, offset, true};
    return true;
}

int main(int count, char **arguments)
{
    struct sl_index_options options = {.path = count == 2 ? arguments[1] : "", .read_only = true};
    struct sl_index *index = NULL;
    struct sl_snapshot *snapshot = NULL;
    struct printing at = {0};
    struct sl_error err = {0};
    enum sl_err r = sl_index_open(&options, &index, &err);

    if (r == SL_OK)
        r = sl_snapshot_open(index, &snapshot, &err);
    if (r == SL_OK)
        r = sl_snapshot_rows(snapshot, SL_TABLE_NOTE, SL_VIEW_NULL, print_row, &at, &err);
    if (r != SL_OK)
        fprintf(stderr, "tool_applies: %s\n", err.message);
    else if (at.begun)
        printf("\n");
    sl_snapshot_close(snapshot);
    sl_index_close(index);
    return r == SL_OK ? 0 : 1;
}
