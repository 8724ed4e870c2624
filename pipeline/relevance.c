/*
 * relevance.c -- do the documents say it? The chance of it, from a few figures.
 *
 * Logistic curves, one for each kind of search, fitted to tell answerable questions (SQuAD 1.1 train, over an
 * eighth of its paragraphs, a quarter for the curve without vectors) from questions about other things (half
 * of NQ-oracle); both kinds weigh the same, so 0.5 is where the mean of the two error rates is least.
 * tests/quality/fit_relevance.py fits them, quality_answers measures them on SQuAD 2.0 dev against the other
 * half: AUROC 0.95 by words, 0.98 with vectors. The figures are shares, so that they mean the same in
 * collections of any size and subject.
 *
 * A threshold on the fused score was rejected: ranks say nothing about a question whose best hit is bad.
 * Known weaknesses: questions that sound like the documents and are not answered there (SQuAD 2.0's
 * unanswerable ones) are mostly answered; a text that answers in none of the question's words is mostly
 * passed over; the cosines' scale is that of all-MiniLM-L6-v2.
 */
#include <math.h>

#include "answer_internal.h"

static double logistic(double z)
{
    return 1.0 / (1.0 + exp(-z));
}

double sl_relevance(const struct sl_evidence *e)
{
    double kind = e->kind_missing ? 1 : 0;

    if (e->sentence_cosine > -1) /* vectors were searched, and sentences compared by meaning */
        return logistic(-9.74 + 4.96 * e->first_cover + 2.33 * e->cosine + 11.12 * e->sentence_cosine);
    if (e->cosine > -1) /* vectors were searched */
        return logistic(-8.90 + 6.24 * e->first_cover + 11.34 * e->cosine);
    return logistic(-4.95 + 2.75 * e->first_cover + 3.92 * e->around_cover +
                    2.68 * e->lexical_share - 0.66 * kind);
}
