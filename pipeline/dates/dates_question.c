/*
 * dates_question.c -- the date range a question asks for.
 *
 * At every word: an open end ("since X", "X 이후"), a range ("between X and Y", "X부터 Y까지",
 * "X-Y"), or one date with the word that ties it to the sentence ("in X", "X에"). The question's
 * own date stands where people put it: at its start, or anywhere in a short question. In a long
 * text, such as a question with its background, dates further in are part of the matter ("growth in
 * 2014"), and a hard filter made of one would lose the answer. So a date counts in the first words,
 * or when the question is short.
 *
 * A grammar of a time library was left out: they read as much as possible, and here a wrong date
 * costs more than one not read, which still is searched as text.
 */
#include "dates_cursor.h"

#define SHORT_WORDS 30u /* a question of at most so many words is about its dates */

struct reader {
    struct sl_view text;
    sl_day today;
    bool is_short;
};

static bool atom_at(const struct reader *r, size_t at, struct sl_date_atom *ret)
{
    return sl_date_korean(r->text, at, r->today, ret) ||
           sl_date_english(r->text, at, r->today, ret);
}

static size_t past_space(const struct reader *r, size_t at)
{
    sl_scan_space(r->text, &at);
    return at;
}

static bool any_word(const struct reader *r, size_t *at, const char *const *words)
{
    size_t i = *at;
    int ignored;

    if (!sl_scan_any_word(r->text, &i, words, &ignored))
        return false;
    *at = past_space(r, i);
    return true;
}

static bool any_bytes(const struct reader *r, size_t *at, const char *const *bytes)
{
    size_t i = past_space(r, *at);

    for (; *bytes != NULL; bytes++)
        if (sl_scan_bytes(r->text, &i, *bytes)) {
            *at = i;
            return true;
        }
    return false;
}

/* What ties a Korean date to its sentence and says nothing of its own; *ret_as_of: asked is what
 * held then. */
static size_t past_in_force(const struct reader *r, size_t at, bool *ret_as_of)
{
    static const char *const in_force[] = {"에 시행 중이던",
                                           "에 시행 중인",
                                           "에 시행중이던",
                                           "에 시행중인",
                                           "에 시행되던",
                                           "에 유효하던",
                                           "에 유효한",
                                           "을 기준으로",
                                           "를 기준으로",
                                           "기준으로",
                                           "기준",
                                           "당시에는",
                                           "당시에",
                                           "당시의",
                                           "당시",
                                           "시점에서",
                                           "시점에",
                                           "시점의",
                                           "시점",
                                           "현재로",
                                           "현재의",
                                           "현재",
                                           NULL};
    size_t i = at;

    if (any_bytes(r, &i, in_force)) {
        *ret_as_of = true;
        return i;
    }
    return at;
}

/* ------------------------------------------------------------------------------------- ranges */

/* Give a date without a year the year of the other end, one earlier or later if the order asks for
 * it. */
static bool fill_year(struct sl_date_atom *partial, const struct sl_date_atom *whole, bool is_first)
{
    struct sl_date_atom placed;
    int year, ignored;

    sl_day_to_civil(is_first ? whole->days.to : whole->days.from, &year, &ignored, &ignored);
    for (int try = 0; try < 2; try++, year += is_first ? -1 : 1) {
        placed = *partial;
        if (sl_date_place(&placed, year) &&
            (is_first ? placed.days.from <= whole->days.to : placed.days.to >= whole->days.from)) {
            *partial = placed;
            return true;
        }
    }
    return false;
}

/* 22, 22nd, the seventeenth, 22일; and not the number of a length: 3년 이상 */
static bool day_number(const struct reader *r, size_t *at, int *ret)
{
    static const char *const lengths[] = {"년", "월", "개월", "주", "달", "분기", NULL};
    static const char *const articles[] = {"the", NULL};
    size_t i = *at;

    (void)any_word(r, &i, articles);
    struct cursor c = {r->text, i, r->today};
    if (sl_english_day(&c, ret)) {
        i = c.at;
    } else if (!sl_scan_digits(r->text, &i, 1, 2, ret) || *ret < 1 || *ret > 31) {
        return false;
    }
    if (any_bytes(r, &(size_t){i}, lengths))
        return false;
    (void)sl_scan_bytes(r->text, &i, "일");
    *at = i;
    return true;
}

/* A bare number as one end: "between 4 and 22 January 1995", "3월 4일부터 22일까지". */
static bool day_of_same_month(const struct reader *r, size_t at, const struct sl_date_atom *month,
                              struct sl_date_atom *ret)
{
    int year, month_number, ignored, day;
    size_t i = at;

    sl_day_to_civil(month->days.from, &year, &month_number, &ignored);
    if (!day_number(r, &i, &day) || day > sl_month_days(year, month_number))
        return false;
    *ret = (struct sl_date_atom){.days = sl_days_of(year, month_number, day),
                                 .end = i,
                                 .partial = month->partial,
                                 .yearless = month->yearless};
    return true;
}

/* from next Monday to Friday, 다음 주 수요일과 금요일 */
static bool weekday_behind(const struct reader *r, size_t at, const struct sl_date_atom *first,
                           struct sl_date_atom *ret)
{
    struct cursor c = {r->text, at, r->today};
    int weekday;
    sl_day day;

    if (first->partial || first->days.from != first->days.to ||
        (!sl_english_weekday(&c, &weekday) && !sl_korean_weekday(r->text, &c.at, &weekday)))
        return false;
    day = sl_day_monday(first->days.from) + weekday;
    return done(&c, sl_days_of_unit(day + (day < first->days.from ? 7 : 0), SL_UNIT_DAY, 0), ret);
}

static bool second_end(const struct reader *r, size_t at, struct sl_date_atom *first,
                       struct sl_date_atom *ret)
{
    struct sl_date_atom second;

    if (!atom_at(r, at, &second) && !weekday_behind(r, at, first, &second) &&
        (first->days.from != first->days.to || !day_of_same_month(r, at, first, &second)))
        return false;
    bool yearless = first->yearless && second.yearless;
    bool months = first->partial && second.partial && first->days.from != first->days.to;
    if (first->partial && second.partial) /* from March to May: the last that have begun */
        sl_date_resolve(first, r->today, false);
    if (first->partial && !fill_year(first, &second, true))
        return false;
    if (second.partial && !fill_year(&second, first, false))
        return false;
    if (first->days.from > second.days.to)
        return false;
    *ret = (struct sl_date_atom){.days = {first->days.from, second.days.to},
                                 .end = second.end,
                                 .weak = first->weak && second.weak && !(yearless && !months),
                                 .yearless = yearless};
    return true;
}

/* 2014 to 2018: years by their size, not just numbers */
static bool spans_years(struct sl_day_range days)
{
    int first, last, ignored;

    sl_day_to_civil(days.from, &first, &ignored, &ignored);
    sl_day_to_civil(days.to, &last, &ignored, &ignored);
    return first >= 1900 && last < 2100;
}

/* With a year, found or given: the last such that has begun. */
static bool settled(const struct reader *r, struct sl_date_atom *atom)
{
    if (atom->partial)
        sl_date_resolve(atom, r->today, false);
    return true;
}

/* The end of "from 4 to 22 January 1995" and of "between 4 and 22 this month", after the first
 * number: the month comes behind both. */
static bool month_behind(const struct reader *r, size_t first_at, size_t at,
                         struct sl_date_atom *ret)
{
    struct sl_date_atom month, first, last;
    size_t i = at;
    int day;

    if (day_number(r, &i, &day)) { /* 22 of next month */
        static const char *const of[] = {"of", "in", NULL};
        i = past_space(r, i);
        (void)any_word(r, &i, of);
        if (atom_at(r, i, &month) && month.days.to - month.days.from <= 30 && settled(r, &month) &&
            day_of_same_month(r, first_at, &month, &first) &&
            day_of_same_month(r, at, &month, &last)) {
            *ret = (struct sl_date_atom){.days = {first.days.from, last.days.to},
                                         .end = month.end,
                                         .yearless = month.yearless};
            return first.days.from <= last.days.to;
        }
    }
    if (!atom_at(r, at, &month) || !settled(r, &month) || month.days.from != month.days.to ||
        !day_of_same_month(r, first_at, &month, &first))
        return false;
    *ret = (struct sl_date_atom){
        .days = {first.days.from, month.days.to}, .end = month.end, .yearless = month.yearless};
    return first.days.from <= month.days.to;
}

/* between X and Y; from X to Y; X to Y; X-Y */
static bool english_range(const struct reader *r, size_t at, struct sl_date_atom *ret)
{
    static const char *const opening[] = {"between", "from", NULL};
    static const char *const joining[] = {"and",     "to",   "until", "till",
                                          "through", "thru", "or",    NULL};
    static const char *const to[] = {"to", "until", "till", "through", NULL};
    static const char *const up_to_now[] = {"to date", "till date", "to now", NULL};
    static const char *const dashes[] = {"-", "\xE2\x80\x93", "\xE2\x80\x94", "~", NULL};
    struct sl_date_atom first;
    size_t i = at, start;
    int ignored;
    bool opened = any_word(r, &i, opening), joined;

    start = i;
    if (!atom_at(r, i, &first)) {
        if (!day_number(r, &i, &ignored))
            return false;
        i = past_space(r, i);
        joined = opened ? any_word(r, &i, joining) || any_bytes(r, &i, dashes) : any_word(r, &i, to);
        return joined && month_behind(r, start, past_space(r, i), ret);
    }
    i = past_space(r, first.end);
    if (any_word(r, &i, up_to_now)) { /* from March to date */
        *ret = (struct sl_date_atom){.days = {first.days.from, r->today}, .end = i, .yearless = first.yearless};
        return opened && settled(r, &first) && (ret->days.from = first.days.from) <= r->today;
    }
    joined = any_word(r, &i, joining);
    if (!joined && !any_bytes(r, &i, dashes)) { /* between 3 and 12 September */
        *ret = first;
        ret->weak = false;
        return opened && first.days.from < first.days.to && first.days.to - first.days.from < 27 &&
               settled(r, ret);
    }
    if (!second_end(r, past_space(r, i), &first, ret))
        return false;
    if (opened || !joined || (!ret->yearless && spans_years(ret->days)))
        ret->weak = false;
    return true;
}

/* X부터 Y까지, X에서 Y까지, X과 Y 사이에, X ~ Y */
static bool korean_range(const struct reader *r, size_t at, struct sl_date_atom *ret)
{
    static const char *const joining[] = {"부터", "에서", "과",           "와",
                                          "~",    "-",    "\xE2\x80\x93", NULL};
    static const char *const up_to_now[] = {"현재까지", "지금까지", "들어 현재까지", "들어 지금까지", NULL};
    static const char *const closing[] = {"까지의", "까지", "사이에", "사이의", "사이", NULL};
    struct sl_date_atom first;
    size_t i;

    if (!sl_date_korean(r->text, at, r->today, &first))
        return false;
    i = first.end;
    if (any_bytes(r, &i, up_to_now)) {
        *ret = (struct sl_date_atom){.days = {first.days.from, r->today}, .end = i};
        return !first.partial && first.days.from <= r->today;
    }
    if (!any_bytes(r, &i, joining) || !second_end(r, past_space(r, i), &first, ret))
        return false;
    ret->weak = false;
    (void)any_bytes(r, &ret->end, closing);
    return true;
}

/* ----------------------------------------------------------------------------------- open ends */

static bool english_open(const struct reader *r, size_t at, struct sl_date_atom *ret)
{
    static const char *const since[] = {
        "since",    "on or after",  "starting from", "starting in", "starting on",
        "starting", "beginning in", "beginning on", "beginning",  "ever since",  NULL};
    static const char *const after[] = {"after", "later than", NULL};
    static const char *const before[] = {"before", "prior to", "earlier than", NULL};
    static const char *const until[] = {"until",        "till",          "up to and including",
                                        "up to",        "on or before",  "no later than",
                                        NULL};
    static const char *const by[] = {"by", NULL};
    static const char *const articles[] = {"the", NULL};
    static const char *const ends[] = {"end of", NULL};
    static const char *const onwards[] = {"onwards",  "onward",    "or later",   "and later",
                                          "or after", "and after", "and beyond", NULL};
    static const char *const backwards[] = {"or earlier", "and earlier", "or before", "and before",
                                            NULL};
    static const char *const tying[] = {"from", "in", "on", "during", "dated", "for", NULL};
    struct sl_date_atom atom;
    size_t i = at;
    int kind = any_word(r, &i, since)    ? 1
               : any_word(r, &i, after)  ? 2
               : any_word(r, &i, before) ? 3
               : any_word(r, &i, until)  ? 4
               : any_word(r, &i, by)     ? 5
                                         : 0;

    (void)any_word(r, &i, kind == 0 ? tying : articles);
    if (kind == 5 && !any_word(r, &(size_t){i}, ends)) /* "by March" also says when something is due */
        return false;
    if (kind == 3 && any_word(r, &(size_t){i}, ends)) /* before the end of 2019: up to it */
        kind = 4;
    if (!atom_at(r, i, &atom) || atom.now)
        return false;
    if (atom.partial) /* a limit may lie ahead */
        sl_date_resolve(&atom, r->today, kind >= 3);
    if (kind == 0) {
        i = past_space(r, atom.end);
        kind = any_word(r, &i, onwards) ? 1 : any_word(r, &i, backwards) ? 4 : 0;
        if (kind == 0)
            return false;
        atom.end = i;
    }
    *ret = (struct sl_date_atom){
        .days = {SL_DAY_NONE, SL_DAY_MAX}, .end = atom.end, .yearless = atom.yearless};
    if (kind <= 2)
        ret->days.from = kind == 1 ? atom.days.from : atom.days.to + 1;
    else
        ret->days.to = kind == 3 ? atom.days.from - 1 : atom.days.to;
    return true;
}

/* X 이후, X부터: from its first day; X 이전, X 전: before its first day; X까지: up to its last day
 */
static bool korean_open(const struct reader *r, size_t at, struct sl_date_atom *ret)
{
    static const char *const since[] = {
        "또는 그 이후", "그리고 그 이후", "및 그 이후", "이후로는", "이후로", "이후에는", "이후에",
        "이후의",       "이후",           "이래로",     "이래",     "부터",   NULL};
    static const char *const before[] = {"이전에는", "이전에", "이전의", "이전", "전에", NULL};
    static const char *const until[] = {"까지의", "까지", NULL};
    struct sl_date_atom atom;
    size_t i;

    if (!sl_date_korean(r->text, at, r->today, &atom) || atom.now || !settled(r, &atom))
        return false;
    i = atom.end;
    *ret = (struct sl_date_atom){
        .days = {SL_DAY_NONE, SL_DAY_MAX}, .yearless = atom.yearless, .ago = atom.ago};
    if (any_bytes(r, &i, since))
        ret->days.from = atom.days.from;
    else if (atom.yearless) /* "3월 31일까지" is a time limit, not a time asked about */
        return false;
    else if (any_bytes(r, &i, before))
        ret->days.to = atom.days.from - 1;
    else if (any_bytes(r, &i, until))
        ret->days.to = atom.days.to;
    else
        return false;
    ret->end = i;
    return true;
}

/* ---------------------------------------------------------------------------------- one phrase */

/* Is what follows a bare year a thing that is counted? "in 2000 cases" */
static bool counts_things(const struct reader *r, size_t at)
{
    static const char *const things[] = {
        "people", "men",   "women",    "cases",   "percent", "dollars", "euros",  "pounds", "won",
        "years",  "days",  "hours",    "minutes", "miles",   "feet",    "meters", "metres", "km",
        "words",  "pages", "students", "jobs",    "votes",   "of",      NULL};
    size_t i = past_space(r, at);

    return any_word(r, &i, things);
}

/* Does the question, or a part of it, end here? */
static bool ends_part(const struct reader *r, size_t at)
{
    return at >= r->text.size || memchr("?.!,;:)]", r->text.data[at], 8) != NULL;
}

/* Nothing but this phrase: "2014?" */
static bool is_alone(const struct reader *r, size_t at, size_t end)
{
    while (end < r->text.size && memchr(" ?.!", r->text.data[end], 4) != NULL)
        end++;
    return past_space(r, 0) == at && end == r->text.size;
}

/* May a bare year, or another form that often is none, be read where it stands? */
static bool is_meant(const struct reader *r, size_t at, const struct sl_date_atom *atom, bool tied)
{
    bool bracketed = at > 0 && memchr("[(", r->text.data[at - 1], 2) != NULL;
    bool marked = atom->end < r->text.size && memchr(":])", r->text.data[atom->end], 3) != NULL;

    if (counts_things(r, atom->end))
        return false;
    if (tied)
        return atom->yearless ||
               (!sl_scan_word(r->text, &at, "for") && !sl_scan_word(r->text, &at, "over"));
    if (atom->yearless &&
        atom->days.to - atom->days.from < 27) /* a day, not a month that may be a verb */
        return ends_part(r, atom->end) || at == past_space(r, 0);
    return ((at == 0 || bracketed) && marked) || is_alone(r, at, atom->end);
}

/* What was said today? Only a question about the past asks for the day: "which rules apply today?"
 * does not. */
static bool is_past(const struct reader *r, size_t at)
{
    static const char *const today[] = {"today", NULL};
    static const char *const past[] = {"was",     "were",      "did",       "happened",
                                       "said",    "announced", "published", "released",
                                       "decided", "reported",  NULL};
    int ignored;

    if (!any_word(r, &at, today))
        return false;
    for (size_t i = 0; i < r->text.size; i++) {
        size_t word = i;
        if ((i == 0 || r->text.data[i - 1] == ' ') &&
            sl_scan_any_word(r->text, &word, past, &ignored))
            return true;
    }
    return false;
}

/* A day of any year up to which something must be done: 3월 31일까지, 3월 말 전에 */
static bool is_limit(const struct reader *r, const struct sl_date_atom *atom)
{
    static const char *const limits[] = {"까지", "이전", "전", "이내", "안에", "생", "개월", NULL};
    size_t i = atom->end;

    return atom->yearless && any_bytes(r, &i, limits);
}

/* One date with the word before it. A bare year needs one. */
static bool single(const struct reader *r, size_t at, struct sl_date_atom *ret)
{
    static const char *const in_force[] = {
        "as of",        "as at",        "in force on",   "in force in",     "in force at",
        "in effect on", "in effect in", "effective on",  "effective as of", "valid on",
        "valid in",     "valid at",     "applicable on", "applicable in",   NULL};
    static const char *const tying[] = {"in",    "during", "throughout", "within", "on", "back in",
                                        "dated", "over",   "for",        "from",   NULL};
    size_t i = at;
    bool as_of = any_word(r, &i, in_force), tied = as_of || any_word(r, &i, tying);

    if (!atom_at(r, i, ret) || (ret->now && !as_of && !is_past(r, i)) || is_limit(r, ret))
        return false;
    if (ret->weak && !ret->now && !is_meant(r, at, ret, tied))
        return false;
    (void)settled(r, ret);
    ret->as_of = as_of;
    ret->end = past_in_force(r, ret->end, &ret->as_of);
    return true;
}

static bool any_phrase_at(const struct reader *r, size_t at, struct sl_date_atom *ret)
{
    static const char *const tying[] = {"in", "on", "during", "for", "over",
                                        "throughout", "within", NULL};
    size_t i = at;

    if (sl_date_counted(r->text, at, r->today, ret) || korean_range(r, at, ret) ||
        korean_open(r, at, ret) || english_open(r, at, ret))
        return true;
    if (english_range(r, at, ret) && !ret->weak)
        return true;
    if (any_word(r, &i, tying) && english_range(r, i, ret)) /* in 2014 through 2018 */
        return true;
    return single(r, at, ret);
}

/* Is the word before `at` one of `words`? */
static bool stands_behind(const struct reader *r, size_t at, const char *const *words)
{
    size_t end = at, start;
    int ignored;

    while (end > 0 && r->text.data[end - 1] == ' ')
        end--;
    for (start = end; start > 0 && r->text.data[start - 1] != ' ';)
        start--;
    return start < end && sl_scan_any_word(r->text, &start, words, &ignored);
}

/* Does one of `words` stand anywhere in bytes from..to? */
static bool holds(const struct reader *r, size_t from, size_t to, const char *const *words)
{
    for (size_t at = from; at < to; at++) {
        size_t i = at;
        if (any_bytes(r, &i, words) && i <= to)
            return true;
    }
    return false;
}

/* So long before something, and not before now: 퇴직 1개월 전, 예정일 30일 전부터; 30일 전에 예고해야 하나요? */
static bool is_notice(const struct reader *r, size_t at, const struct sl_date_atom *atom)
{
    static const char *const events[] = {"일",   "퇴직", "퇴사", "출산", "만료", "종료", "개시",
                                         "시작", "시행", "마감", "해고", "출발", NULL};
    static const char *const duties[] = {"해야",  "야 하", "야 합", "야 한", "야 할",
                                         "야 되", "야 됩", "야 된", "야 돼", NULL};
    static const char *const notices[] = {"예고", "통보", "통지", "고지", "신청", "제출", "취소", NULL};
    static const char *const particles[] = {"에는", "에", NULL};
    size_t before = at, next = past_space(r, atom->end);

    if (!atom->ago)
        return false;
    while (before > 0 && r->text.data[before - 1] == ' ')
        before--;
    if (any_bytes(r, &next, particles))
        next = past_space(r, next);
    for (int n = 0; before < at && events[n] != NULL; n++) {
        size_t length = strlen(events[n]);
        if (before >= length && memcmp(r->text.data + before - length, events[n], length) == 0)
            return true;
    }
    return any_bytes(r, &next, notices) || holds(r, atom->end, r->text.size, duties);
}

/* Where a right or a task goes, and not when something was said: carried over to next year, 내년으로 이월 */
static bool is_destination(const struct reader *r, size_t at, const struct sl_date_atom *atom)
{
    static const char *const articles[] = {"the", NULL};
    static const char *const to[] = {"to", "into", "until", NULL};
    static const char *const verbs[] = {"carry",    "carried",     "carrying",  "roll",   "rolled",
                                        "transfer", "transferred", "postpone",  "defer",  "deferred",
                                        "move",     "moved",       "postponed", "rollover", NULL};
    static const char *const particles[] = {"으로", "로", NULL};
    static const char *const moved[] = {"이월", "넘기", "넘길", "넘겨", "미루", "미룰", "미뤄", "옮기", "옮길", NULL};
    size_t behind = atom->end;
    int ignored;

    if (any_bytes(r, &behind, particles))
        return holds(r, behind, r->text.size, moved);
    if (stands_behind(r, at, articles)) /* to the next year */
        at -= strlen("the ");
    if (!stands_behind(r, at, to))
        return false;
    for (size_t i = 0; i < at; i++)
        if ((i == 0 || r->text.data[i - 1] == ' ') &&
            sl_scan_any_word(r->text, &(size_t){i}, verbs, &ignored))
            return true;
    return false;
}

/* What a sum is taken over, in law: 최근 3개월간의 평균임금 */
static bool is_measure(const struct reader *r, const struct sl_date_atom *atom)
{
    static const char *const over[] = {"동안의", "동안", "의", NULL};
    static const char *const sums[] = {"평균임금", "평균 임금", "평균보수", "평균 보수", "통상임금",
                                       "통상 임금", "임금총액", "임금 총액", NULL};
    size_t i = atom->end;

    (void)any_bytes(r, &i, over);
    return any_bytes(r, &i, sums);
}

/* A date that comes each year, or that only something else is compared with, is not asked about. */
static bool is_aside(const struct reader *r, size_t at, const struct sl_date_atom *atom)
{
    static const char *const recurring[] = {"every", "each", "매년", "매해", "해마다", "매", NULL};
    static const char *const comparing[] = {"than", "versus", "vs", NULL};
    static const char *const compared[] = {"대비",    "보다",    "에 비해", "에 비하",
                                           "와 비교", "과 비교", NULL};
    static const char *const verbs[] = {"compared to", "compared with", "relative to", NULL};
    size_t i = atom->end, start;

    if ((atom->yearless && stands_behind(r, at, recurring)) || stands_behind(r, at, comparing) ||
        is_notice(r, at, atom) || is_destination(r, at, atom) || is_measure(r, atom) ||
        any_bytes(r, &i, compared))
        return true;
    for (int n = 0; verbs[n] != NULL; n++) {
        start = at > strlen(verbs[n]) ? at - strlen(verbs[n]) - 1 : r->text.size;
        if (sl_scan_word(r->text, &start, verbs[n]))
            return true;
    }
    return false;
}

static bool phrase_at(const struct reader *r, size_t at, struct sl_date_atom *ret)
{
    return any_phrase_at(r, at, ret) && (r->is_short || !ret->yearless) && !is_aside(r, at, ret);
}

/* May a phrase start here? Not inside a word or a number. */
static bool is_start(struct sl_view text, size_t at)
{
    unsigned char here = (unsigned char)text.data[at];
    unsigned char before = at > 0 ? (unsigned char)text.data[at - 1] : ' ';
    bool before_inner = (before >= '0' && before <= '9') ||
                        ((before | 0x20) >= 'a' && (before | 0x20) <= 'z') || before == '_';

    if ((here & 0xC0) == 0x80 || here <= ' ')
        return false;
    if (at > 1 && memchr("/-.", (char)before, 3) != NULL && here >= '0' && here <= '9' &&
        text.data[at - 2] >= '0' && text.data[at - 2] <= '9') /* the rest of another number */
        return false;
    if (before >= 0x80) /* after another script: digits and letters start anew, Hangul goes on */
        return here < 0x80;
    return !before_inner;
}

static size_t count_words(struct sl_view text)
{
    size_t count = 0;
    bool inside = false;

    for (size_t i = 0; i < text.size; i++) {
        bool space = (unsigned char)text.data[i] <= ' ';
        count += !space && !inside ? 1 : 0;
        inside = !space;
    }
    return count;
}

bool sl_question_is_short(struct sl_view question)
{
    return count_words(question) <= SHORT_WORDS;
}

/* Where the first word ends that a leading phrase may begin with: after "[", "(" and "At the". */
static size_t leading_end(const struct reader *r)
{
    static const char *const openings[] = {"at the", "at", NULL};
    size_t i = past_space(r, 0);

    while (i < r->text.size && memchr("[(\"'", r->text.data[i], 4) != NULL)
        i++;
    (void)any_word(r, &i, openings);
    return i;
}

bool sl_date_read(struct sl_view question, sl_day today, struct sl_date_found *ret_found)
{
    struct reader r = {question, today, sl_question_is_short(question)};
    size_t end = r.is_short ? question.size : leading_end(&r) + 1;

    for (size_t at = 0; at < end && at < question.size; at++) {
        struct sl_date_atom atom;
        if (!is_start(question, at) || !phrase_at(&r, at, &atom))
            continue;
        *ret_found = (struct sl_date_found){atom.days, at, atom.end, atom.as_of};
        sl_date_phrase(question, &ret_found->byte_start, &ret_found->byte_end);
        return true;
    }
    return false;
}
