/*
 * fuzz_filter.c -- any bytes as a filter expression. What parses is also matched, and an error names bad_filter.
 */
#include <stdlib.h>

#include <sluice/filter.h>
#include <sluice/limits.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sl_arena *arena = sl_arena_open(4 << 20);
    struct sl_view expression = {(const char *)data, size};
    struct sl_field field = {.name = SL_VIEW("a"), .type = SL_FIELD_NUMBER, .number = 1};
    struct sl_document document = {.key = SL_VIEW("k"), .date = SL_VIEW("2015-12"),
                                   .fields = &field, .field_count = 1};
    const struct sl_filter *filter = NULL;
    struct sl_error err = {0};

    if (arena == NULL)
        abort();
    if (sl_filter_parse(expression, arena, &filter, &err) == SL_OK)
        (void)sl_filter_matches(filter, &document);
    else if (strcmp(err.reason, "bad_filter") != 0 || err.message[0] == '\0')
        abort();
    (void)sl_arena_close(arena);
    return 0;
}
