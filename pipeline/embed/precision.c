/* precision.c -- from the configuration's word to a precision. */
#include "embed/precision.h"

#include <stddef.h>
#include <string.h>

#include "embed/tiles.h"

static const char *const words[SL_PRECISION_COUNT] = {
    [SL_PRECISION_F32] = "f32", [SL_PRECISION_BF16] = "bf16", [SL_PRECISION_INT8] = "int8"};

const char *sl_precision_name(enum sl_precision precision)
{
    return words[precision];
}

static enum sl_precision fastest(void)
{
    if (sl_tile_best(SL_PRECISION_BF16)->native)
        return SL_PRECISION_BF16;
    return sl_tile_best(SL_PRECISION_INT8)->native ? SL_PRECISION_INT8 : SL_PRECISION_F32;
}

enum sl_err sl_precision_choose(const char *word, enum sl_precision *ret_precision,
                                struct sl_error *err)
{
    if (word == NULL || strcmp(word, "auto") == 0) {
        *ret_precision = fastest();
        return SL_OK;
    }
    for (int p = 0; p < SL_PRECISION_COUNT; p++)
        if (strcmp(word, words[p]) == 0) {
            *ret_precision = (enum sl_precision)p;
            return SL_OK;
        }
    return sl_stop(err, SL_EXIT_CONFIG, 0, "bad_config",
                   "[embed] precision = %.40s: allowed are auto, f32, bf16 and int8", word);
}
