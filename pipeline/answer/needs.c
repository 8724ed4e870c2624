/*
 * needs.c -- what a question wants to see in an answer: its terms, and what finding each is worth.
 *
 * Question words ("what", "tell me", "언제", "~인가요") stand in the question and not in the
 * answer, and so do words that wish for the newest ("latest", 현행); a share of terms met that
 * counts them is low for good answers and says little about bad ones. They are taken out of the
 * text before it is analysed, because afterwards they are stems and bigrams.
 */
#include <sluice/index.h>

#include <math.h>
#include <stdlib.h>
#include <strings.h>

#include "answer_internal.h"

#define UNKNOWN_HANGUL    0.5
#define BACKGROUND_CHUNKS 1000.0

static enum sl_err no_memory(struct sl_error *err)
{
    return sl_fail(err, SL_REJECT, "too_large", "answer: needs more memory than one question has");
}

/* Sorted: found by bsearch. */
static const char *const ENGLISH_WORDS[] = {
    "a",      "about",  "all",      "am",     "an",     "and",   "any",     "are",       "as",
    "at",     "be",     "been",     "by",     "can",    "could", "current", "currently", "did",
    "do",     "does",   "during",   "for",    "from",   "get",   "give",    "had",       "has",
    "have",   "he",     "her",      "his",    "how",    "i",     "if",      "in",        "into",
    "is",     "it",     "its",      "latest", "many",   "may",   "me",      "might",     "most",
    "much",   "must",   "my",       "name",   "newest", "of",    "on",      "one",       "or",
    "please", "recent", "recently", "say",    "says",   "shall", "she",     "should",    "so",
    "some",   "tell",   "than",     "that",   "the",    "their", "them",    "there",     "these",
    "they",   "this",   "those",    "to",     "us",     "was",   "we",      "were",      "what",
    "when",   "where",  "which",    "who",    "whom",   "whose", "why",     "will",      "with",
    "would",  "you",    "your"};

/* What "how" asks the measure of; the answer names the measure, not the word. */
static const char *const MEASURES[] = {"big",  "deep",  "far", "fast", "high", "large",
                                       "long", "often", "old", "tall", "wide"};

/* Korean words (eojeols) that start like this ask and do not tell. */
static const char *const KOREAN_STARTS[] = {
    "무엇", "뭐", "무슨", "누구", "누가", "언제",   "어디", "어느", "어떤", "어떻게", "왜",
    "얼마", "몇", "며칠", "알려", "말해", "설명해", "최근", "최신", "현행", "현재",   "요즘"};

/* Verbs that only help, as whole words. */
#define KOREAN_HELPERS " 수 해야 하나요 되나요 있나요 없나요 합니까 됩니까 있습니까 있는가 하는가 되는가 하는지 되는지 " \
                       "있는지 할 될 되어야 하여야 때 대해 대한 관한 관해 어때 어때요 어떤가요 있어 있어요 하면 되면 좀 " \
                       "이내에 이내 필요한 해 돼 되요 돼요 하죠 되죠 받을 받나요 "

/* Endings of verbs made from nouns: 지급해야 asks for 지급. */
static const char *const VERB_ENDINGS[] = {"하여야", "되어야", "하려면", "해야", "돼야", "하면", "되면", "하는", "되는",
                                           "하여",   "되어",   "해서",   "하기", "하지", "했던", "할",   "될"};

/* Endings that turn the last word into a question; longest first. */
static const char *const KOREAN_ENDINGS[] = {
    "하였습니까", "했습니까", "입니까", "합니까", "됩니까", "습니까", "되나요", "하나요", "했나요",
    "인가요",     "나요",     "가요",   "까요",   "는가",   "인가",   "니까",   "지요",   "죠"};

static int compare_word(const void *key, const void *item)
{
    const struct sl_view *word = key;
    const char *entry = *(const char *const *)item;
    int order = strncasecmp(word->data, entry, word->size);

    return order != 0 ? order : entry[word->size] != '\0' ? -1 : 0;
}

static bool asks(struct sl_view word)
{
    if (bsearch(&word, ENGLISH_WORDS, sizeof ENGLISH_WORDS / sizeof *ENGLISH_WORDS,
                sizeof *ENGLISH_WORDS, compare_word) != NULL)
        return true;
    if (sl_word_among(word, KOREAN_HELPERS))
        return true;
    for (size_t i = 0; i < sizeof KOREAN_STARTS / sizeof *KOREAN_STARTS; i++)
        if (sl_word_starts(word, KOREAN_STARTS[i]))
            return true;
    return false;
}

static struct sl_view without_any(struct sl_view word, const char *const *endings, size_t count, size_t least)
{
    for (size_t i = 0; i < count; i++) {
        size_t size = strlen(endings[i]);
        if (word.size >= size + least && memcmp(word.data + word.size - size, endings[i], size) == 0)
            return sl_view_range(word, 0, word.size - size);
    }
    return word;
}

static bool is_measure(struct sl_view word)
{
    for (size_t i = 0; i < sizeof MEASURES / sizeof *MEASURES; i++)
        if (sl_word_is(word, MEASURES[i]))
            return true;
    return false;
}

/* "Lamp의": a particle behind a Latin word is no part of it, and no text has that very pair. */
static struct sl_view without_tail(struct sl_view word)
{
    size_t latin = 0;

    while (latin < word.size && (unsigned char)word.data[latin] < 0x80)
        latin++;
    return latin > 1 && !sl_is_digit(word.data[latin - 1]) && latin < word.size &&
                   sl_text_hangul(sl_view_range(word, latin, word.size))
               ? sl_view_range(word, 0, latin)
               : word;
}

/* The words of a question that tell, with single spaces, and how many; the whole question when none does. */
static enum sl_err telling_text(struct sl_view question, struct sl_arena *arena, struct sl_view *ret_text,
                                uint32_t *ret_words, struct sl_error *err)
{
    char *text = sl_arena_alloc(arena, question.size + 2);
    size_t used = 0, at = 0, ahead;

    *ret_words = 0;
    if (text == NULL)
        return no_memory(err);
    for (struct sl_view word = sl_word_next(question, &at); word.size > 0;
         word = sl_word_next(question, &at)) {
        ahead = at;
        struct sl_view next = sl_word_next(question, &ahead);
        if (sl_word_is(word, "how") && is_measure(next))
            at = ahead;
        if (asks(word))
            continue;
        if (next.size == 0)
            word = without_any(word, KOREAN_ENDINGS, sizeof KOREAN_ENDINGS / sizeof *KOREAN_ENDINGS, 1);
        word = without_any(word, VERB_ENDINGS, sizeof VERB_ENDINGS / sizeof *VERB_ENDINGS, 2 * strlen("가"));
        word = without_tail(word);
        memcpy(text + used, word.data, word.size);
        used += word.size;
        text[used++] = ' ';
        (*ret_words)++;
    }
    *ret_text = used > 0 ? (struct sl_view){text, used} : question;
    return SL_OK;
}

/*
 * What a term weighs that stands in `holding` of `chunks` chunks: BM25's idf, taken as if
 * BACKGROUND_CHUNKS more were known that do not hold it. Without them a word of a collection of ten
 * chunks weighs next to nothing, and any word that is not there outweighs all that are; in large
 * collections they change little.
 *
 * A term that no chunk holds says that the documents are about something else. Not so much in
 * Korean, where half of a verb's bigrams are its ending, and the question's ending is not the
 * text's.
 */
static double weight_of(struct sl_view term, uint64_t holding, uint64_t chunks)
{
    bool hangul =
        term.size > 0 && (unsigned char)term.data[0] >= 0xEA && (unsigned char)term.data[0] <= 0xED;
    double others = (double)(chunks - holding) + BACKGROUND_CHUNKS;
    double weight = log(1.0 + (others + 0.5) / ((double)holding + 0.5));

    return holding == 0 && hangul ? weight * UNKNOWN_HANGUL : weight;
}

enum sl_err sl_needs_read(const struct sl_snapshot *snapshot, struct sl_view question,
                          struct sl_arena *arena, struct sl_needs *ret_needs, struct sl_error *err)
{
    struct sl_needs needs = {.question = question, .language = sl_text_language(question)};
    struct sl_term_count *terms = NULL;
    struct sl_view text = question;
    uint32_t length = 0;
    struct sl_index_stats stats;
    enum sl_err e;

    needs.asked = sl_asked_read(question);
    needs.hangul = sl_text_hangul(question);
    if ((e = telling_text(question, arena, &text, &needs.words, err)) ||
        (e = sl_text_terms(text, needs.language, arena, &terms, &needs.count, &length, err)))
        return e;
    if (needs.count == 0 &&
        (e = sl_text_terms(question, needs.language, arena, &terms, &needs.count, &length, err)))
        return e;
    needs.terms = SL_NEW_ARRAY(arena, struct sl_view, needs.count);
    needs.weights = SL_NEW_ARRAY(arena, double, needs.count);
    if (needs.terms == NULL || needs.weights == NULL)
        return no_memory(err);
    if ((e = sl_snapshot_stats(snapshot, &stats, err)))
        return e;
    for (uint32_t i = 0; i < needs.count; i++) {
        float idf = 0;
        uint64_t chunks = 0;
        if ((e = sl_snapshot_idf(snapshot, terms[i].term, &idf, &chunks, err)))
            return e;
        needs.terms[i] = terms[i].term;
        needs.weights[i] = weight_of(terms[i].term, chunks, stats.chunks);
        needs.total += needs.weights[i];
    }
    *ret_needs = needs;
    return SL_OK;
}

static int compare_term(const void *key, const void *item)
{
    const struct sl_view *a = key, *b = item;
    size_t common = a->size < b->size ? a->size : b->size;
    int order = common > 0 ? memcmp(a->data, b->data, common) : 0;

    return order != 0 ? order : (a->size > b->size) - (a->size < b->size);
}

double sl_needs_weight(const struct sl_needs *needs, struct sl_view term)
{
    const struct sl_view *found =
        needs->count > 0 ? bsearch(&term, needs->terms, needs->count, sizeof term, compare_term)
                         : NULL;

    return found != NULL ? needs->weights[found - needs->terms] : 0;
}

double sl_needs_meet(const struct sl_needs *needs, struct sl_view text, struct sl_arena *arena)
{
    struct sl_term_count *terms = NULL;
    uint32_t count = 0, length = 0;
    double weight = 0;

    if (sl_text_terms(text, needs->language, arena, &terms, &count, &length, NULL))
        return 0;
    for (uint32_t i = 0; i < count; i++)
        weight += sl_needs_weight(needs, terms[i].term);
    return weight;
}
