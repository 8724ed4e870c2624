/*
 * relevance.c -- do the documents say it? The chance of it, from a few figures.
 *
 * Logistic curves, one for each kind of search, fitted to tell answerable questions (SQuAD 1.1 train over an
 * eighth of its paragraphs, SQuAD 2.0 dev) from questions about other things (half of NQ-oracle) and, at a fifth of
 * their weight, from near misses (SQuAD 2.0's unanswerable ones). tests/quality/fit_relevance.py fits them,
 * quality_answers measures them on the other half: docs/QUALITY.md. The figures are shares, so that they mean the
 * same in collections of any size and subject; the share of BM25's score was dropped for that, since in ten chunks no
 * word is rare.
 *
 * Words that are missing count by their weight, so that a name the documents lack counts most; a number, a date
 * or a name that is asked for and stands nowhere counts on its own. A passage in another script than the question
 * can share no words with it, so there only the cosines speak: a model of both languages finds it, one of a single
 * language gives cosines too low.
 *
 * A threshold on the fused score was rejected: ranks say nothing about a question whose best hit is bad. How
 * clearly one span wins was left out: it wins as clearly where it is wrong; whether neighbouring words of the question
 * stand close to each other told nothing that the shares do not. Known weaknesses: most near misses are
 * answered; the cosines' scale is that of all-MiniLM-L6-v2; another language in the same script is not noticed.
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

    if (e->sentence_cosine > -1 && e->foreign)
        return logistic(-7.54 + 3.47 * e->cosine + 11.48 * e->sentence_cosine);
    if (e->sentence_cosine > -1) /* vectors were searched, and sentences compared by meaning */
        return logistic(-7.95 + 1.23 * e->first_cover + 2.34 * e->around_cover + 2.47 * e->cosine +
                        9.73 * e->sentence_cosine - 0.50 * kind);
    if (e->cosine > -1) /* vectors were searched */
        return logistic(-7.66 + 3.01 * e->first_cover + 2.71 * e->around_cover + 9.66 * e->cosine -
                        0.83 * kind);
    return logistic(-2.59 + 3.31 * e->first_cover + 2.49 * e->around_cover - 2.14 * e->missing - 0.44 * kind);
}
