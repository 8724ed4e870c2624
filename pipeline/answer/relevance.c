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
 * A long question tells a story (who asks, what was said before), and no answer says that again: the shares of good
 * answers fall with the number of words, near enough with its square root, and one sentence meets less of them than
 * the passage. So from PLAIN_WORDS on the shares are taken as if they were larger, and more and more those of the
 * passage. Which sentences of the question ask was left out: the whole question tells its own subject from another
 * one better (AUROC .98 by words, against .92 for the asking sentences alone).
 *
 * A threshold on the fused score was rejected: ranks say nothing about a question whose best hit is bad. How
 * clearly one span wins was left out: it wins as clearly where it is wrong; whether neighbouring words of the question
 * stand close to each other told nothing that the shares do not. Known weaknesses: most near misses are
 * answered; the cosines' scale is that of all-MiniLM-L6-v2; another language in the same script is not noticed.
 */
#include <math.h>

#include "answer_internal.h"

#define PLAIN_WORDS 6.0 /* that tell, in a question without a story */

static double logistic(double z)
{
    return 1.0 / (1.0 + exp(-z));
}

/* A share of the needs as it would be in a plain question. */
static double plain(const struct sl_evidence *e, double share)
{
    double length = fmax(1, e->words / PLAIN_WORDS);
    double story = 1 - 1 / length; /* how much of it is for a passage to meet, not for a sentence */

    return fmin(1, (share + (e->passage_cover - share) * story) * sqrt(length));
}

double sl_relevance(const struct sl_evidence *e)
{
    double kind = e->kind_missing ? 1 : 0;
    double first = plain(e, e->first_cover), around = plain(e, e->around_cover);

    if (e->sentence_cosine > -1 && e->foreign)
        return logistic(-7.54 + 3.47 * e->cosine + 11.48 * e->sentence_cosine);
    if (e->sentence_cosine > -1) /* vectors were searched, and sentences compared by meaning */
        return logistic(-7.95 + 1.23 * first + 2.34 * around + 2.47 * e->cosine +
                        9.73 * e->sentence_cosine - 0.50 * kind);
    if (e->cosine > -1) /* vectors were searched */
        return logistic(-7.66 + 3.01 * first + 2.71 * around + 9.66 * e->cosine -
                        0.83 * kind);
    return logistic(-2.59 + 3.31 * first + 2.49 * around - 2.14 * e->missing - 0.44 * kind);
}
