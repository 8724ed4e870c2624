/* no_promotion.c -- the fault that test_copies.c looks for: what copies hang on goes, and nobody takes its place. */
#include "index/internal.h"

enum sl_err __wrap_sl_copy_promote(struct sl_batch *batch, const struct sl_stored *gone, uint32_t copy,
                                   struct sl_error *err);

enum sl_err __wrap_sl_copy_promote(struct sl_batch *batch, const struct sl_stored *gone, uint32_t copy,
                                   struct sl_error *err)
{
    (void)copy;
    return sl_batch_drop_document(batch, gone, err);
}
