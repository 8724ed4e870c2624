/* golden_model.h -- a golden question drafted by the configured chat model, and held against the document. */
#ifndef SLUICECTL_GOLDEN_MODEL_H
#define SLUICECTL_GOLDEN_MODEL_H

#include <sluice/respond.h>

#include "ctl.h"

struct ctl_golden_draft {
    struct sl_view query;
    struct sl_view source; /* what answers it, in the passage's own bytes */
};

/* The chat model of [answer]; NULL in *ret_generator when the backend is another. Exit code. Close with sl_llm_close(). */
int ctl_golden_model(const struct ctl *ctl, struct sl_generator **ret_generator);

/*
 * Ask for one question that the passage answers.
 *
 * Post:    the source is a part of `passage`; the question does not repeat it.
 * Owns:    *ret_draft lives in `arena` and points into `passage`.
 * Thread:  any, one arena each.
 * Blocks:  network, [answer] deadline_ms.
 * Errors:  SL_REJECT  llm_broken (no such reply), not_quoted (its source is not in the passage), bad_question
 *          SL_AGAIN, SL_REJECT llm_rejected as generate() says
 */
enum sl_err ctl_golden_draft(struct sl_generator *generator, const struct sl_config *config, struct sl_view title,
                             struct sl_view passage, struct sl_arena *arena, struct ctl_golden_draft *ret_draft,
                             struct sl_error *err);

#endif
