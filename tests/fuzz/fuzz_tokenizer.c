/* fuzz_tokenizer.c -- any bytes as a tokenizer.json, and texts through what it makes. A refusal
 * names file and reason; ids stay below the count; counting and writing agree. */
#include <stdlib.h>
#include <string.h>

#include "embed/tokenizer_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const struct sl_tokenizer *tokenizer, struct sl_view text)
{
    uint32_t ids[256], count = sl_tokenizer_ids(tokenizer, text, ids, 256);

    if (sl_tokenizer_ids(tokenizer, text, NULL, 256) != count)
        abort();
    for (uint32_t i = 0; i < count; i++)
        if (ids[i] >= sl_tokenizer_vocabulary_count(tokenizer))
            abort();
    if (!(sl_tokenizer_coverage(tokenizer, text) >= 0))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sl_tokenizer *tokenizer = NULL;
    struct sl_error err = {0};

    if (sl_tokenizer_open_json("t.json", (const char *)data, size, &tokenizer, &err) != SL_OK) {
        if (err.code != SL_STOP || err.reason[0] == '\0' || strstr(err.message, "t.json") == NULL)
            abort();
        return 0;
    }
    check_text(tokenizer, SL_VIEW(""));
    check_text(tokenizer,
               SL_VIEW("The pier's 3 lamps  <s>\xED\x95\x9C\xEA\xB5\xAD[CLS] caf\xC3\xA9 "
                       "e\xCC\x81 \xF0\x9F\x91\x8D\r\n\xE2\x96\x81\xFF"));
    check_text(tokenizer, (struct sl_view){(const char *)data, size < 4096 ? size : 4096});
    sl_tokenizer_close(tokenizer);
    return 0;
}
