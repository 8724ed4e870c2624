/*
 * spans_korean.c -- the few words of a Korean sentence that answer, by rule.
 *
 * Korean says what a word does by what hangs on it, so the question's own asking word tells what to
 * look for: who "누구의" asks for stands before "의", "몇 시간" is a number before "시간". A
 * candidate is a noun phrase that ends in an eojeol which is neither a verb nor an ending of one.
 * Points were set by hand, on questions about rules and acts: there is no free set of questions
 * with accepted spans to fit them on. Known weakness: whatever ends like a verb is taken for one,
 * and a clause is an answer only before a person ("... 자녀를 둔 직원").
 */
#include "spans_internal.h"

#define RUN_TOKENS_MAX    5u
#define CLAUSE_TOKENS_MAX 12u

#define PLACES_AFTER " 에 에서 에게 로 으로 에는 에서는 "
#define ACTORS_AFTER " 은 는 이 가 께서 의 "
#define JOINS_AFTER  " 의 과 와 이나 나 "
#define MODIFIERS    " 최대 최소 약 매월 매년 매주 매일 다음 해 만 오전 오후 총 연간 월 주 "
#define BEHIND       " 전 후 이내 이상 이하 미만 초과 동안 안 전까지 이내에 후에 전에 이상의 "
#define BARE         " 수 것 때 바 등 및 또는 이 그 경우 다만 각 호 중 것은 "
#define TIME_WORDS   " 즉시 매년 매월 매주 매일 당일 연말 월말 분기별 지체없이 "

/* What was asked for, by the word that asks. */
struct asking {
    struct sl_view particle; /* behind it; size 0: none */
    struct sl_view unit;     /* "시간" of "몇 시간" */
    bool extent;             /* 얼마나, or a period */
    bool limit;              /* before, after or until when */
    bool definition;         /* "...란 무엇" */
};

static bool ends_with(struct sl_view word, const char *end)
{
    size_t size = strlen(end);

    return word.size >= size && memcmp(word.data + word.size - size, end, size) == 0;
}

static bool ends_with_any(struct sl_view word, const char *const *ends)
{
    for (; *ends != NULL; ends++)
        if (ends_with(word, *ends))
            return true;
    return false;
}

static struct asking read_asking(struct sl_view question)
{
    static const char *const askers[] = {"누구",   "누",   "어디", "언제", "며칠",
                                         "얼마나", "얼마", "몇",   "무엇", "뭐"};
    struct asking asking = {SL_VIEW(""), SL_VIEW(""), false, false, false};
    struct sl_view word, before = SL_VIEW("");

    for (size_t at = 0; (word = sl_word_next(question, &at)).size > 0; before = word)
        for (size_t i = 0; i < sizeof askers / sizeof *askers; i++) {
            size_t size = strlen(askers[i]), ahead = at;
            if (!sl_word_starts(word, askers[i]))
                continue;
            asking.particle = sl_view_range(word, size, word.size);
            if (sl_word_is(asking.particle, "서"))
                asking.particle = SL_VIEW("에서");
            asking.extent =
                sl_word_is(sl_view_of(askers[i]), "얼마나") || sl_text_holds(question, "기간");
            asking.limit = sl_word_is(sl_view_of(askers[i]), "언제") ||
                           sl_text_holds(question, "까지") || sl_text_holds(question, " 전") ||
                           sl_text_holds(question, " 후") || sl_text_holds(question, "이내");
            asking.definition =
                sl_word_is(sl_view_of(askers[i]), "무엇") && ends_with(before, "란");
            if (sl_word_is(sl_view_of(askers[i]), "며칠"))
                asking.unit = SL_VIEW("일");
            else if (sl_word_is(sl_view_of(askers[i]), "몇"))
                asking.unit =
                    asking.particle.size > 0 ? asking.particle : sl_word_next(question, &ahead);
            if (asking.unit.size > 0) {
                size_t stem = sl_text_without_particle(asking.unit);
                const char *copula = memmem(asking.unit.data, asking.unit.size, "인가", 6);
                if (copula != NULL && copula > asking.unit.data)
                    stem = (size_t)(copula - asking.unit.data);
                asking.particle = sl_view_range(asking.unit, stem, asking.unit.size);
                asking.unit.size = stem;
            }
            return asking;
        }
    return asking;
}

static struct sl_view full_text(const struct sl_tokens *s, uint32_t i)
{
    return sl_view_range(s->text, s->tokens[i].start, s->tokens[i].full_end);
}

static struct sl_view particle_of(const struct sl_tokens *s, uint32_t i)
{
    return sl_view_range(s->text, s->tokens[i].end, s->tokens[i].full_end);
}

/* Does the eojeol stand before a noun and describe it: "둔", "하는", "다니는"? */
static bool describes(struct sl_view word)
{
    static const char *const ends[] = {"하는", "되는", "있는", "없는", "않은", "않는", "하던",
                                       "위한", "대한", "관한", "따른", "의한", "받은", "둔",
                                       "된",   "될",   "할",   "려는", "가진", NULL};

    return ends_with_any(word, ends);
}

static bool is_verb(const struct sl_tokens *s, uint32_t i)
{
    static const char *const ends[] = {"하고", "하며", "하면", "하여", "해서",   "하지",
                                       "되고", "되며", "되어", "되면", "있고",   "으며",
                                       "없고", "어야", "아야", "여야", "지만",   "거나",
                                       "도록", "으면", "므로", "니다", "까지는", NULL};
    const struct sl_token *token = &s->tokens[i];
    struct sl_view word = full_text(s, i);

    if (token->number || token->copula || !token->hangul)
        return false;
    return ends_with(word, "다") || ends_with_any(word, ends) || describes(word);
}

/* "제37조", "제2항": where something stands, and no quantity. */
static bool is_reference(const struct sl_tokens *s, uint32_t i)
{
    struct sl_view word = sl_token_text(s, i);

    return word.size > 3 && sl_word_starts(word, "제") && sl_is_digit(word.data[3]);
}

static bool is_noun(const struct sl_tokens *s, uint32_t i)
{
    return !is_reference(s, i) && !is_verb(s, i) && !sl_word_among(full_text(s, i), BARE) &&
           !sl_word_among(full_text(s, i), BEHIND);
}

/* May token `i` stand in a run before its last one? */
static bool goes_on(const struct sl_tokens *s, uint32_t i)
{
    const struct sl_token *token = &s->tokens[i], *next = &s->tokens[i + 1];

    if (next->clause_before || next->comma_before)
        return false;
    if (sl_word_among(full_text(s, i), " 및 또는 "))
        return true;
    return is_noun(s, i) && !token->copula &&
           (!token->ending || sl_word_among(particle_of(s, i), JOINS_AFTER));
}

/* Is the run's last eojeol a number, or what a number in words counts ("예순 명")? */
static bool ends_in_number(const struct sl_tokens *s, uint32_t from, uint32_t to)
{
    return s->tokens[to - 1].number || (to - from > 1 && s->tokens[to - 2].number &&
                                        !sl_is_digit(sl_token_text(s, to - 2).data[0]));
}

/* --------------------------------------------------------------------------------------- points */

static bool holds_unit(struct sl_view run, struct sl_view unit)
{
    bool share = sl_word_among(unit, " 퍼센트 프로 % ");

    return memmem(run.data, run.size, unit.data, unit.size) != NULL ||
           (share && (sl_text_holds(run, "%") || sl_text_holds(run, "퍼센트") ||
                      sl_text_holds(run, "분의 ")));
}

static double number_points(const struct sl_tokens *s, const struct asking *asking, uint32_t from,
                            uint32_t to, struct sl_view run)
{
    static const char *const lengths[] = {"년", "월",   "일",   "시간", "주",
                                          "분", "년간", "일간", NULL};
    struct sl_view word = sl_token_text(s, to - 1);
    uint32_t digits = sl_number_end(word);
    double points = 4;

    if (asking->unit.size > 0 && !holds_unit(run, asking->unit))
        return -4;
    if (!ends_in_number(s, from, to) || sl_word_is(particle_of(s, to - 1), "당"))
        return -4; /* "1명당" says for what, and not how much */
    if (asking->unit.size > 0)
        points += 3;
    else if (s->needs->asked == SL_ASKED_AMOUNT && !asking->extent)
        points +=
            sl_text_holds(word, "원") || sl_text_holds(word, "%") || sl_text_holds(word, "퍼센트")
                ? 1.5
                : 0;
    else if (asking->extent)
        points += ends_with_any(word, lengths) ? 1 : -1;
    return digits > 0 && digits == word.size && sl_is_digit(word.data[word.size - 1]) ? points - 1
                                                                                      : points;
}

static double time_points(const struct sl_tokens *s, uint32_t from, uint32_t to, struct sl_view run)
{
    static const char *const units[] = {"년", "월", "일", "시", "분", "주", "세기", NULL};
    bool number = false;

    for (uint32_t i = from; i < to; i++)
        number = number || s->tokens[i].number;
    if (!number)
        return sl_word_among(run, TIME_WORDS) ? 2 : -4;
    for (size_t i = 0; units[i] != NULL; i++)
        if (sl_text_holds(run, units[i]))
            return sl_text_holds(run, "명") || sl_text_holds(run, "원") ||
                           sl_text_holds(run, "일분")
                       ? 1
                       : 4;
    return sl_number_end(run) >= 4 ? 2 : -2;
}

static double person_points(const struct sl_tokens *s, uint32_t to)
{
    static const char *const ends[] = {"자", "인", "장",   "원",   "관",   "부", "팀",
                                       "회", "사", "회사", "대표", "이사", "감", NULL};
    bool fits = s->tokens[to - 1].copula || sl_word_among(particle_of(s, to - 1), ACTORS_AFTER);
    double points = fits ? 1 : -1;

    points += ends_with_any(sl_token_text(s, to - 1), ends) ? 1.5 : 0;
    return s->tokens[to - 1].number ? points - 3 : points;
}

static double place_points(const struct sl_tokens *s, uint32_t to)
{
    static const char *const ends[] = {"시", "도", "군", "구", "부",   "청",   "센터", "소", "실",
                                       "층", "관", "팀", "역", "학교", "회사", "동",   NULL};
    double points = sl_word_among(particle_of(s, to - 1), PLACES_AFTER) ? 2 : -1;

    points += ends_with_any(sl_token_text(s, to - 1), ends) ? 1 : 0;
    return s->tokens[to - 1].number ? points - 2 : points;
}

static double thing_points(const struct sl_tokens *s, uint32_t to)
{
    return s->tokens[to - 1].copula ? 1.5 : s->tokens[to - 1].ending ? 0.3 : -0.5;
}

static double kind_points(const struct sl_tokens *s, const struct asking *asking, uint32_t from,
                          uint32_t to, struct sl_view run)
{
    switch (s->needs->asked) {
    case SL_ASKED_COUNT:
    case SL_ASKED_AMOUNT:
        return number_points(s, asking, from, to, run);
    case SL_ASKED_WHEN:
        return time_points(s, from, to, run);
    case SL_ASKED_WHO:
        return person_points(s, to);
    case SL_ASKED_WHERE:
        return place_points(s, to);
    default:
        return thing_points(s, to);
    }
}

static bool has_label(const struct sl_tokens *s, uint32_t from)
{
    double label = 0;

    for (uint32_t i = 0; i < from; i++)
        label += s->tokens[i].weight;
    return s->tokens[from].colon_before && label > 0;
}

static double points_of(const struct sl_tokens *s, const struct asking *asking,
                        const struct sl_span_sentence *sentence, uint32_t from, uint32_t to)
{
    struct sl_view particle = particle_of(s, to - 1);
    double points = 6 * sentence->score + (sentence->best ? 0.4 : 0);

    points += 2 * sl_tokens_weight(s, from, to, 3) + sl_tokens_weight(s, from, to, 8) -
              3 * sl_tokens_weight(s, from, to, 0);
    if (asking->particle.size > 0 && sl_view_equal(asking->particle, particle))
        points += 2;
    else if (s->needs->asked == SL_ASKED_WHEN && sl_word_among(particle, " 에 까지 부터 "))
        points += 1;
    if (s->tokens[to - 1].copula)
        points += 1;
    if (!asking->limit && to < s->count &&
        sl_word_among(full_text(s, to), " 전 전에 전까지 후 후에 "))
        points -= 3;                                /* "3일 전까지" is no number of days */
    if (from > 0 && s->tokens[from - 1].weight > 0) /* "상한액은 150만원" */
        points += 1;
    return points + (has_label(s, from) ? 3 : 0);
}

/* ----------------------------------------------------------------------------------- candidates */

/* "7일 전까지", "5일 이내에": what limits a time belongs to it. */
static uint32_t end_behind(const struct sl_tokens *s, uint32_t to)
{
    bool number = s->tokens[to - 1].number && s->needs->asked != SL_ASKED_WHO;

    if (number && to < s->count && !s->tokens[to].clause_before && !s->tokens[to].comma_before &&
        sl_word_among(full_text(s, to), BEHIND))
        return s->tokens[to].end;
    return s->tokens[to - 1].end;
}

static void add_run(const struct sl_tokens *s, const struct asking *asking,
                    const struct sl_span_sentence *sentence, uint32_t from, uint32_t to,
                    double more, struct sl_candidate *candidate)
{
    uint32_t end = end_behind(s, to);
    struct sl_view run = sl_view_range(s->text, s->tokens[from].start, s->tokens[to - 1].end);
    double kind = kind_points(s, asking, from, to, run);

    *candidate =
        (struct sl_candidate){.byte_start = sentence->byte_start + s->tokens[from].start,
                              .byte_end = sentence->byte_start + end,
                              .score = kind + more + points_of(s, asking, sentence, from, to),
                              .of_kind = kind > 0};
}

/* Where the clause begins that describes the person token `head` names; `head` itself when none
 * does. */
static uint32_t clause_start(const struct sl_tokens *s, uint32_t head)
{
    static const char *const persons[] = {"직원", "사람", "자",   "근로자", "사용자",
                                          "사원", "학생", "회원", NULL};
    uint32_t at = head;

    if (head == 0 || !ends_with_any(sl_token_text(s, head), persons) ||
        !describes(full_text(s, head - 1)))
        return head;
    while (at > 0 && head - at < CLAUSE_TOKENS_MAX && !s->tokens[at].clause_before &&
           !s->tokens[at].comma_before)
        at--;
    return at;
}

/* A name is worth more with all its words; before a number only what sizes it belongs to it. */
static double length_points(const struct sl_tokens *s, uint32_t from, uint32_t to, bool counted)
{
    double points = 0;

    for (uint32_t i = from; i + 1 < to; i++)
        points += !counted || s->tokens[i].number || sl_word_among(full_text(s, i), MODIFIERS)
                      ? 0.3
                      : -0.6;
    return points;
}

/* A word that only sizes or joins starts no run, but before a number. */
static bool may_start(const struct sl_tokens *s, uint32_t from, uint32_t to)
{
    struct sl_view word = full_text(s, from);

    if (sl_word_among(word, MODIFIERS))
        return to - from > 1 && ends_in_number(s, from, to);
    return is_noun(s, from);
}

enum sl_err sl_spans_korean(const struct sl_tokens *s, const struct sl_span_sentence *sentence,
                            struct sl_arena *arena, struct sl_candidate **ret_candidates,
                            uint32_t *ret_count, struct sl_error *err)
{
    struct asking asking = read_asking(s->needs->question);
    bool counted = s->needs->asked == SL_ASKED_COUNT || s->needs->asked == SL_ASKED_AMOUNT ||
                   s->needs->asked == SL_ASKED_WHEN;
    struct sl_candidate *candidates =
        SL_NEW_ARRAY(arena, struct sl_candidate, (size_t)s->count * (RUN_TOKENS_MAX + 1));
    uint32_t count = 0;

    if (candidates == NULL)
        return sl_fail(err, SL_REJECT, "too_large",
                       "answer: needs more memory than one question has");
    for (uint32_t to = 1; to <= s->count && !asking.definition; to++) {
        uint32_t clause = s->needs->asked == SL_ASKED_WHO ? clause_start(s, to - 1) : to - 1;
        if (!is_noun(s, to - 1))
            continue;
        if (clause < to - 1)
            add_run(s, &asking, sentence, clause, to, 1.5, &candidates[count++]);
        for (uint32_t from = to; from-- > 0 && to - from <= RUN_TOKENS_MAX;) {
            if (to - from > 1 && !goes_on(s, from))
                break;
            if (!may_start(s, from, to))
                continue;
            add_run(s, &asking, sentence, from, to, length_points(s, from, to, counted),
                    &candidates[count]);
            count += counted && !candidates[count].of_kind ? 0 : 1;
        }
    }
    *ret_candidates = candidates;
    *ret_count = count;
    return SL_OK;
}
