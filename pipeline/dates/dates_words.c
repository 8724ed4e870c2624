/*
 * dates_words.c -- years and other numbers of dates that are written in words: nineteen
 * ninety-nine, two thousand and nineteen, twenty nineteen, the eighties; 이천십구년, 십이월.
 *
 * Only what can be a year or a day is read, the way people say years, and not numbers in general:
 * "nineteen hundred five" is a year and "one hundred thousand" is not. Rejected: ICU's spellout
 * rules, which read any number and want to know where it ends.
 */
#include "dates_cursor.h"

static const char *const ONES[] = {"one", "two",   "three", "four", "five",
                                   "six", "seven", "eight", "nine", NULL};
static const char *const TEENS[] = {"ten",      "eleven",   "twelve",  "thirteen",
                                    "fourteen", "fifteen",  "sixteen", "seventeen",
                                    "eighteen", "nineteen", NULL};
static const char *const TENS[] = {"twenty",  "thirty", "forty",  "fifty", "sixty",
                                   "seventy", "eighty", "ninety", NULL};

/* The space or hyphen between two words of a number. */
static void joint(struct cursor *c)
{
    if (!byte(c, '-'))
        space(c);
}

static bool one_of(struct cursor *c, const char *const *words, int first, int *ret)
{
    if (!any_of(c, words, ret))
        return false;
    *ret += first;
    return true;
}

/* one .. ninety-nine */
static bool below_hundred(struct cursor *c, int *ret)
{
    struct cursor try;
    int ten, one;

    if (one_of(c, ONES, 1, ret) || one_of(c, TEENS, 10, ret))
        return true;
    if (!one_of(c, TENS, 2, &ten))
        return false;
    *ret = ten * 10;
    try = *c;
    joint(&try);
    if (one_of(&try, ONES, 1, &one)) {
        *ret += one;
        *c = try;
    }
    return true;
}

bool sl_english_small_words(struct cursor *c, int *ret)
{
    return below_hundred(c, ret);
}

/* ten .. twenty, as the first half of a year */
static bool century_word(struct cursor *c, int *ret)
{
    *ret = 20;
    return one_of(c, TEENS, 10, ret) || word(c, "twenty");
}

/* What may stand behind whole thousands or hundreds: "and nineteen", "five", nothing. */
static int rest_after(struct cursor *c)
{
    struct cursor try = *c;
    int rest;

    joint(&try);
    (void)skip(&try, "and");
    if (!below_hundred(&try, &rest))
        return 0;
    *c = try;
    return rest;
}

/* two thousand nineteen, one thousand seven hundred and eighty-nine */
static bool thousands(struct cursor c, struct cursor *ret_behind, int *ret)
{
    struct cursor try;
    int thousand, hundred;

    if (!one_of(&c, ONES, 1, &thousand) || thousand > 2)
        return false;
    joint(&c);
    if (!word(&c, "thousand"))
        return false;
    *ret = thousand * 1000;
    try = c;
    joint(&try);
    if (one_of(&try, ONES, 1, &hundred)) {
        joint(&try);
        if (word(&try, "hundred")) {
            *ret += hundred * 100;
            c = try;
        }
    }
    *ret += rest_after(&c);
    *ret_behind = c;
    return true;
}

/* nineteen hundred five; nineteen ninety-nine, nineteen oh one, twenty nineteen */
static bool two_halves(struct cursor c, struct cursor *ret_behind, int *ret)
{
    int century, rest;

    if (!century_word(&c, &century))
        return false;
    joint(&c);
    if (word(&c, "hundred"))
        rest = rest_after(&c);
    else if (word(&c, "oh") || word(&c, "o") || word(&c, "zero")) {
        joint(&c);
        if (!one_of(&c, ONES, 1, &rest))
            return false;
    } else if (!below_hundred(&c, &rest) || rest < 10) {
        return false;
    }
    *ret = century * 100 + rest;
    *ret_behind = c;
    return true;
}

bool sl_english_year_words(struct cursor *c, int *ret)
{
    struct cursor behind;

    if ((!thousands(*c, &behind, ret) && !two_halves(*c, &behind, ret)) || *ret < SL_YEAR_MIN ||
        *ret > SL_YEAR_MAX)
        return false;
    *c = behind;
    return true;
}

bool sl_english_decade_words(struct cursor *c, int *ret)
{
    static const char *const tens[] = {"tens",    "twenties",  "thirties", "forties",  "fifties",
                                       "sixties", "seventies", "eighties", "nineties", NULL};
    struct cursor try = *c;
    int century = 19, ten;

    if (word(&try, "noughties") || word(&try, "two thousands")) {
        *ret = 2000;
    } else {
        if (word(&try, "two thousand and"))
            century = 20;
        else if (!century_word(&try, &century))
            century = 19;
        joint(&try);
        if (!one_of(&try, tens, 1, &ten))
            return false;
        *ret = century * 100 + ten * 10;
    }
    *c = try;
    return true;
}

bool sl_korean_words(struct sl_view text, size_t *at, int *ret)
{
    static const struct sl_named digits[] = {{"일", 1}, {"이", 2}, {"삼", 3}, {"사", 4}, {"오", 5},
                                             {"육", 6}, {"칠", 7}, {"팔", 8}, {"구", 9}, {NULL, 0}};
    static const struct sl_named powers[] = {{"천", 1000}, {"백", 100}, {"십", 10}, {NULL, 0}};
    size_t i = *at;
    int sum = 0, digit, power, last = 10000;

    for (;;) {
        size_t start = i;
        bool named = sl_scan_named(text, &i, digits, &digit);
        if (!sl_scan_named(text, &i, powers, &power)) {
            sum += named ? digit : 0;
            break;
        }
        if (power >= last) {
            i = start;
            break;
        }
        sum += (named ? digit : 1) * power;
        last = power;
    }
    if (sum == 0)
        return false;
    *at = i;
    *ret = sum;
    return true;
}
