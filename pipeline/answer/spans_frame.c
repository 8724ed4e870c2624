/*
 * spans_frame.c -- what the words of an English question say of its answer: does it do something,
 * is it done to, is it a name, a kind, a year?
 *
 * Read off the asking word and the three words behind it. "What led" and "what city" are told apart
 * by the second word's ending and a list of verbs; where that errs, the weights of both kinds are
 * alike.
 */
#include "spans_internal.h"

#define AUXILIARIES " did does do can could has have had will would should may might must "
#define COPULAS     " is was are were be been "
#define VERBS                                                                                      \
    " led made gave became caused began came took held won ran wrote set grew drew fell got kept " \
    "left lost "                                                                                   \
    "met said saw sent stood told makes causes gives leads comes determines happens happened "
#define KIND_WORDS " kind kinds type types sort sorts form forms style category "
#define NAME_WORDS " name names term word title nickname "
#define CALLED     " called named known termed "
#define MEASURES   " long old far high tall deep large big fast often wide heavy "

static bool is_verb(struct sl_view word)
{
    return sl_word_among(word, VERBS) ||
           (word.size > 4 && memcmp(word.data + word.size - 2, "ed", 2) == 0);
}

/* The noun that "what" or "which" asks by: the last of the words before a helping verb. */
static struct sl_view focus_of(struct sl_view question, size_t at)
{
    struct sl_view word, focus = SL_VIEW("");

    for (int i = 0; i < 4 && (word = sl_word_next(question, &at)).size > 0; i++) {
        if (sl_word_among(word, AUXILIARIES) || sl_word_among(word, COPULAS) ||
            sl_word_among(word, " of in for that ") || (i > 0 && is_verb(word)))
            break;
        focus = word;
    }
    return focus;
}

static enum sl_frame_kind who_frame(struct sl_view asking, struct sl_view next)
{
    if (sl_word_is(asking, "whom") || sl_word_among(next, AUXILIARIES))
        return SL_FRAME_WHO_DONE;
    return sl_word_among(next, COPULAS) ? SL_FRAME_WHO_IS : SL_FRAME_WHO_DOES;
}

static enum sl_frame_kind when_frame(struct sl_view asking, struct sl_view next,
                                     struct sl_view focus)
{
    if (sl_word_is(asking, "when"))
        return SL_FRAME_WHEN;
    if (sl_word_among(next, " year years ") || sl_word_is(focus, "year"))
        return SL_FRAME_YEAR;
    return sl_word_among(next, " day date month ") ? SL_FRAME_DAY : SL_FRAME_TIME;
}

static enum sl_frame_kind what_frame(struct sl_view asking, struct sl_view question, size_t at)
{
    struct sl_view next = sl_word_next(question, &at), word = next;
    bool is = sl_word_among(next, COPULAS);

    if (sl_word_among(next, KIND_WORDS))
        return SL_FRAME_KIND;
    for (int i = 0; word.size > 0; i++, word = sl_word_next(question, &at))
        if ((i < 3 && sl_word_among(word, NAME_WORDS)) || (i > 1 && sl_word_among(word, CALLED)))
            return SL_FRAME_NAME;
    if (sl_word_is(asking, "which"))
        return SL_FRAME_WHICH;
    if (sl_word_among(next, AUXILIARIES))
        return SL_FRAME_WHAT_DONE;
    if (is)
        return sl_word_is(next, "are") || sl_word_is(next, "were") ? SL_FRAME_WHAT_ARE
                                                                   : SL_FRAME_WHAT_IS;
    return is_verb(next) ? SL_FRAME_WHAT_DOES : SL_FRAME_WHAT_NOUN;
}

static enum sl_frame_kind kind_of(const struct sl_needs *needs, struct sl_view asking, size_t at,
                                  struct sl_view focus)
{
    size_t ahead = at;
    struct sl_view next = sl_word_next(needs->question, &ahead);

    switch (needs->asked) {
    case SL_ASKED_WHO:
        return sl_word_among(asking, " what which ") ? SL_FRAME_WHO_NOUN : who_frame(asking, next);
    case SL_ASKED_WHEN:
        return when_frame(asking, next, focus);
    case SL_ASKED_WHERE:
        return sl_word_is(asking, "where") ? SL_FRAME_WHERE : SL_FRAME_PLACE;
    case SL_ASKED_COUNT:
        return SL_FRAME_COUNT;
    case SL_ASKED_AMOUNT:
        return !sl_word_is(asking, "how")      ? SL_FRAME_SHARE
               : sl_word_among(next, MEASURES) ? SL_FRAME_MEASURE
                                               : SL_FRAME_MUCH;
    case SL_ASKED_WHAT:
    case SL_ASKED_LIST:
        return what_frame(asking, needs->question, at);
    default:
        return SL_FRAME_OTHER;
    }
}

void sl_frame_read(const struct sl_needs *needs, struct sl_frame *ret_frame)
{
    struct sl_view word, first = SL_VIEW("");
    size_t at = 0;

    *ret_frame = (struct sl_frame){.focus = SL_VIEW(""),
                                   .counts = needs->asked == SL_ASKED_COUNT ||
                                             needs->asked == SL_ASKED_AMOUNT};
    while ((word = sl_word_next(needs->question, &at)).size > 0) {
        if (first.size == 0)
            first = word;
        if (!sl_word_among(word, " who whom whose who's when where what what's which how "))
            continue;
        if (sl_word_among(word, " what which "))
            ret_frame->focus = focus_of(needs->question, at);
        ret_frame->kind = kind_of(needs, word, at, ret_frame->focus);
        if (ret_frame->kind == SL_FRAME_WHAT_NOUN && sl_word_next(needs->question, &at).size == 0)
            ret_frame->kind = SL_FRAME_INSIDE;
        return;
    }
}
