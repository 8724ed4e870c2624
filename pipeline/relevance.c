/*
 * relevance.c -- do the documents say it? The chance of it, from a few figures.
 *
 * Two logistic curves, one for searches with vectors and one without, fitted to tell answerable questions
 * (SQuAD 1.1 train, over 5,000 of its paragraphs) from questions about other things (half of NQ-oracle), both
 * kinds weighing the same; so 0.5 is where the mean of the two error rates is least. The figures are shares,
 * so that they mean the same in collections of any size and subject. tests/quality/abstain.py measures it on
 * SQuAD 2.0 dev against the other half.
 *
 * A threshold on the fused score was rejected: ranks say nothing about a question whose best hit is bad.
 * Known weaknesses: questions that sound like the documents and are not answered there (SQuAD 2.0's
 * unanswerable ones) are mostly answered; the cosine's scale is that of all-MiniLM-L6-v2.
 */
#include <math.h>

#include "answer_internal.h"

static double logistic(double z)
{
    return 1.0 / (1.0 + exp(-z));
}

double sl_relevance(const struct sl_evidence *e)
{
    if (e->cosine > -1) /* vectors were searched */
        return logistic(-9.34 + 1.39 * e->passage_cover + 4.71 * e->sentence_cover +
                        11.66 * e->cosine);
    return logistic(-4.68 + 3.08 * e->passage_cover + 3.56 * e->sentence_cover +
                    1.49 * e->lexical_share);
}
