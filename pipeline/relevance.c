/*
 * relevance.c -- do the documents say it? One number from a few figures, and the least that will do.
 */
#include "answer_internal.h"

double sl_relevance(const struct sl_evidence *evidence)
{
    return 0.5 * evidence->passage_cover + 0.5 * evidence->sentence_cover;
}

double sl_relevance_min(const struct sl_evidence *evidence)
{
    (void)evidence;
    return 0.4;
}
