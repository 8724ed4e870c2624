/*
 * eval_answers.c -- telling answerable questions from others, and answers from accepted ones.
 *
 * Words are compared as they come by a scan that normalises on the way; nothing is copied, so texts of any
 * length are measured without memory. Known weakness of the measure: a whole sentence around the right words
 * scores low on F1.
 */
#include <sluice/error.h>
#include <sluice/eval.h>

#include <stdlib.h>
#include <strings.h>

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double sl_eval_auroc(double *positives, uint32_t positive_count, double *negatives,
                     uint32_t negative_count)
{
    uint32_t below = 0, upto = 0;
    double wins = 0;

    SL_PRE(positive_count > 0 && negative_count > 0);
    qsort(positives, positive_count, sizeof *positives, by_value);
    qsort(negatives, negative_count, sizeof *negatives, by_value);
    for (uint32_t i = 0; i < positive_count; i++) {
        while (below < negative_count && negatives[below] < positives[i])
            below++;
        while (upto < negative_count && negatives[upto] <= positives[i])
            upto++;
        wins += below + 0.5 * (upto - below);
    }
    return wins / ((double)positive_count * negative_count);
}

double sl_eval_threshold(const double *positives, uint32_t positive_count, const double *negatives,
                         uint32_t negative_count, double *ret_accuracy)
{
    uint32_t below = 0;
    double best = positives[0];

    SL_PRE(positive_count > 0 && negative_count > 0);
    *ret_accuracy = 0;
    for (uint32_t i = 0; i < positive_count; i++) {
        double accuracy;
        while (below < negative_count && negatives[below] < positives[i])
            below++;
        accuracy = 0.5 * (positive_count - i) / positive_count + 0.5 * below / negative_count;
        if (accuracy > *ret_accuracy) {
            *ret_accuracy = accuracy;
            best = positives[i];
        }
    }
    return best;
}

static bool is_punctuation(char c)
{
    return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') ||
           (c >= '{' && c <= '~');
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* A word: bytes between spaces, of which punctuation does not count. */
struct word {
    struct sl_view bytes;
};

static char next_byte(struct sl_view *rest)
{
    while (rest->size > 0 && is_punctuation(rest->data[0]))
        *rest = sl_view_range(*rest, 1, rest->size);
    if (rest->size == 0)
        return '\0';
    char c = rest->data[0];
    *rest = sl_view_range(*rest, 1, rest->size);
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static bool same_word(struct word a, struct word b)
{
    for (;;) {
        char x = next_byte(&a.bytes), y = next_byte(&b.bytes);
        if (x != y)
            return false;
        if (x == '\0')
            return true;
    }
}

static bool counts(struct word word)
{
    static const char *const skipped[] = {"a", "an", "the", ""};

    for (size_t i = 0; i < sizeof skipped / sizeof *skipped; i++)
        if (same_word(word, (struct word){sl_view_of(skipped[i])}))
            return false;
    return true;
}

/* The next word that counts; false at the end. */
static bool next_word(struct sl_view text, size_t *at, struct word *ret)
{
    while (*at < text.size) {
        size_t start;
        while (*at < text.size && is_space(text.data[*at]))
            ++*at;
        start = *at;
        while (*at < text.size && !is_space(text.data[*at]))
            ++*at;
        ret->bytes = sl_view_range(text, start, *at);
        if (counts(*ret))
            return true;
    }
    return false;
}

bool sl_eval_exact(struct sl_view answer, struct sl_view accepted)
{
    size_t a = 0, b = 0;
    struct word x, y;

    for (;;) {
        bool more_a = next_word(answer, &a, &x), more_b = next_word(accepted, &b, &y);
        if (more_a != more_b)
            return false;
        if (!more_a)
            return true;
        if (!same_word(x, y))
            return false;
    }
}

static uint32_t count_of(struct sl_view text, struct word wanted, size_t before)
{
    struct word word;
    uint32_t count = 0;

    for (size_t at = 0; next_word(text, &at, &word);)
        if ((size_t)(word.bytes.data - text.data) < before && same_word(word, wanted))
            count++;
    return count;
}

double sl_eval_f1(struct sl_view answer, struct sl_view accepted)
{
    uint32_t answer_words = 0, accepted_words = 0, common = 0;
    struct word word;

    for (size_t at = 0; next_word(answer, &at, &word);)
        answer_words++;
    for (size_t at = 0; next_word(accepted, &at, &word);) {
        size_t start = (size_t)(word.bytes.data - accepted.data);
        accepted_words++;
        /* the n-th of its kind is matched when the answer has n of them */
        common += count_of(accepted, word, start) < count_of(answer, word, answer.size) ? 1 : 0;
    }
    if (answer_words == 0 || accepted_words == 0)
        return answer_words == accepted_words ? 1 : 0;
    return 2.0 * common / (answer_words + accepted_words);
}
