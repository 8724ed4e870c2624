/*
 * dates_korean_relative.c -- Korean dates that count from today: 작년, 올해 12월, 지난달 20일,
 * 지난주 금요일, 지난봄, 최근 3개월, 두 달 전.
 *
 * 지난 수요일 is the one before today, 이번 수요일 lies in this week, 다음 수요일 in the next. 지난
 * 9월 is the last September that has begun. 2년 전 is that whole year, as in English.
 */
#include "dates_internal.h"

static bool done(size_t at, struct sl_day_range days, struct sl_date_atom *ret)
{
    *ret = (struct sl_date_atom){.days = days, .end = at};
    return true;
}

/* 작년, 올해 12월, 내년 상반기, 올 봄 */
static bool read_year(struct sl_view text, size_t at, sl_day today, struct sl_date_atom *ret)
{
    static const struct sl_named years[] = {
        {"재작년", -2}, {"작년", -1}, {"지난해", -1}, {"지난 해", -1}, {"전년도", -1},
        {"올해", 0},    {"올 해", 0}, {"금년", 0},    {"이번 해", 0},  {"다다음 해", 2},
        {"내후년", 2},  {"내년", 1},  {"다음 해", 1}, {NULL, 0}};
    int shift = 0, year, month, day;
    bool bare = !sl_scan_named(text, &at, years, &shift);

    if (bare && !sl_scan_bytes(text, &at, "올"))
        return false;
    sl_day_to_civil(today, &year, &month, &day);
    (void)sl_scan_bytes(text, &at, "도");
    return sl_korean_in_year(text, at, year + shift, ret) && (!bare || ret->end > at);
}

/* Does the word end here, but for a particle? 이 주에, and not 이 주식. */
static bool word_ends(struct sl_view text, size_t at)
{
    static const struct sl_named particles[] = {{"에", 0}, {"의", 0},   {"초", 0},   {"중", 0},
                                                {"말", 0}, {"후", 0},   {"부터", 0}, {"까지", 0},
                                                {"이", 0},   {"가", 0}, {"자", 0}, {"로", 0},
        {"은", 0}, {"는", 0},   {"과", 0},   {"와", 0},
                                                {"도", 0}, {"동안", 0}, {NULL, 0}};
    int ignored;
    bool hangul = at < text.size && (unsigned char)text.data[at] >= 0xEA &&
                  (unsigned char)text.data[at] <= 0xED;

    return !hangul || sl_scan_named(text, &at, particles, &ignored);
}

static bool read_day(struct sl_view text, size_t at, sl_day today, struct sl_date_atom *ret)
{
    static const struct sl_named days[] = {
        {"그끄저께", -3}, {"그저께", -2},  {"그제", -2}, {"엊그제", -2}, {"어제", -1}, {"오늘", 0},
        {"내일 모레", 2}, {"내일모레", 2}, {"내일", 1},  {"모레", 2},    {"글피", 3},  {NULL, 0}};
    static const struct sl_named now[] = {{"현재", 0}, {"지금", 0}, {NULL, 0}};
    int shift;

    if (sl_scan_named(text, &at, days, &shift)) /* and not 오늘날, 내일채움공제 */
        return word_ends(text, at) && done(at, sl_days_of_unit(today, SL_UNIT_DAY, shift), ret);
    if (!sl_scan_named(text, &at, now, &shift))
        return false;
    done(at, sl_days_of_unit(today, SL_UNIT_DAY, 0), ret);
    ret->weak = ret->now = true;
    return true;
}

/* 지난 9월, 이번 9월, 다음 6월 */
static bool read_month(struct sl_view text, size_t at, int shift, sl_day today,
                       struct sl_date_atom *ret)
{
    int year, month, day, wanted;

    if (!sl_korean_number(text, &at, 1, 2, "월", &wanted) || wanted < 1 || wanted > 12)
        return false;
    sl_day_to_civil(today, &year, &month, &day);
    year += shift < 0 && wanted >= month ? -1 : shift > 0 && wanted <= month ? 1 : 0;
    return sl_korean_in_month(text, at, sl_days_of(year, wanted, 0), ret);
}

/* 지난 수요일, 다음 금요일 */
static bool read_weekday(struct sl_view text, size_t at, int shift, bool coming, sl_day today,
                         struct sl_date_atom *ret)
{
    sl_day day = sl_day_monday(today);
    int weekday;

    if (!sl_korean_weekday(text, &at, &weekday))
        return false;
    day += weekday;
    if (shift < 0 && day >= today)
        day -= 7;
    else if (shift > 0 && (!coming || day <= today))
        day += 7;
    return done(at, (struct sl_day_range){day, day}, ret);
}

/* 지난달, 이번 주, 다음 분기, 지난 주말, 지난봄, 지난 수요일, 지난 9월 */
static bool read_shifted(struct sl_view text, size_t at, sl_day today, struct sl_date_atom *ret)
{
    static const struct sl_named shifts[] = {
        {"지지난", -2}, {"저저번", -2},  {"지난", -1},    {"저번", -1}, {"이번", 0}, {"다다음", 2},
        {"다음", 1},    {"다가오는", 3}, {"돌아오는", 3}, {"이", 0},    {NULL, 0}};
    static const struct sl_named units[] = {{"주말", 0},
                                            {"주", SL_UNIT_WEEK},
                                            {"달", SL_UNIT_MONTH},
                                            {"분기", SL_UNIT_QUARTER},
                                            {NULL, 0}};
    static const struct sl_named seasons[] = {
        {"봄", 0}, {"여름", 1}, {"가을", 2}, {"겨울", 3}, {NULL, 0}};
    size_t start = at;
    int shift, unit;
    bool coming;

    if (!sl_scan_named(text, &at, shifts, &shift))
        return false;
    coming = shift == 3;
    shift = coming ? 1 : shift;
    if (at - start == strlen("이") && sl_scan_bytes(text, &(size_t){at}, "주"))
        return false; /* 이주 노동자 */
    sl_scan_space(text, &at);
    if (read_month(text, at, shift, today, ret) ||
        read_weekday(text, at, shift, coming, today, ret))
        return true;
    if (sl_scan_named(text, &at, seasons, &unit))
        return word_ends(text, at) && done(at, sl_days_of_season_near(today, unit, shift), ret);
    if (!sl_scan_named(text, &at, units, &unit) || !word_ends(text, at))
        return false;
    struct sl_day_range days =
        sl_days_of_unit(today, unit == 0 ? SL_UNIT_WEEK : (enum sl_unit)unit, shift);
    if (unit == 0)
        return done(at, (struct sl_day_range){days.to - 1, days.to}, ret);
    if (unit == SL_UNIT_WEEK)
        return sl_korean_in_week(text, at, days, ret);
    return unit == SL_UNIT_MONTH ? sl_korean_in_month(text, at, days, ret) : done(at, days, ret);
}

/* 전분기, 직전 분기, 전월 */
static bool read_previous(struct sl_view text, size_t at, sl_day today, struct sl_date_atom *ret)
{
    static const struct sl_named units[] = {{"직전 분기", SL_UNIT_QUARTER},
                                            {"직전분기", SL_UNIT_QUARTER},
                                            {"전분기", SL_UNIT_QUARTER},
                                            {"전 분기", SL_UNIT_QUARTER},
                                            {"전월", SL_UNIT_MONTH},
                                            {NULL, 0}};
    int unit;

    return sl_scan_named(text, &at, units, &unit) && word_ends(text, at) &&
           done(at, sl_days_of_unit(today, (enum sl_unit)unit, -1), ret);
}

/* How many: 3, 세, 몇 */
static bool how_many(struct sl_view text, size_t *at, struct sl_amount *ret)
{
    static const struct sl_named numbers[] = {{"한", 1},    {"두", 2},   {"석", 3},   {"세", 3},
                                              {"넉", 4},    {"네", 4},   {"다섯", 5}, {"여섯", 6},
                                              {"일곱", 7},  {"여덟", 8}, {"아홉", 9}, {"열두", 12},
                                              {"열한", 11}, {"열", 10},  {NULL, 0}};

    if (sl_scan_bytes(text, at, "몇") || sl_scan_bytes(text, at, "수")) {
        *ret = (struct sl_amount){.count = 3, .least = 2, .most = 5};
        return true;
    }
    if (!sl_scan_digits(text, at, 1, 3, &ret->count) &&
        !sl_scan_named(text, at, numbers, &ret->count) && !sl_korean_words(text, at, &ret->count))
        return false;
    ret->least = ret->most = ret->count;
    return ret->count > 0 && ret->count < 1000;
}

bool sl_korean_amount(struct sl_view text, size_t *at, struct sl_amount *ret)
{
    static const struct sl_named days[] = {{"하루", 1}, {"이틀", 2},  {"사흘", 3},  {"나흘", 4},
                                           {"닷새", 5}, {"열흘", 10}, {"보름", 15}, {NULL, 0}};
    static const struct sl_named units[] = {
        {"개월", SL_UNIT_MONTH},   {"달", SL_UNIT_MONTH},  {"년", SL_UNIT_YEAR},
        {"해", SL_UNIT_YEAR},      {"주일", SL_UNIT_WEEK}, {"주", SL_UNIT_WEEK},
        {"분기", SL_UNIT_QUARTER}, {"일", SL_UNIT_DAY},    {NULL, 0}};
    size_t i = *at;
    int unit = SL_UNIT_DAY;

    if (sl_scan_bytes(text, &i, "며칠")) {
        *ret = (struct sl_amount){.count = 3, .least = 2, .most = 5};
    } else if (sl_scan_named(text, &i, days, &ret->count)) {
        ret->least = ret->most = ret->count;
    } else {
        if (!how_many(text, &i, ret))
            return false;
        sl_scan_space(text, &i);
        if (!sl_scan_named(text, &i, units, &unit))
            return false;
    }
    *at = i;
    ret->unit = (enum sl_unit)unit;
    return true;
}

/* 지난 3개월, 최근 일주일, 향후 2년, 최근 몇 달 */
static bool read_span(struct sl_view text, size_t at, sl_day today, struct sl_date_atom *ret)
{
    static const struct sl_named starts[] = {{"지난", 1},      {"최근", 1},    {"과거", 1},
                                             {"향후", -1},     {"앞으로", -1}, {"다음", -1},
                                             {"다가오는", -1}, {NULL, 0}};
    int direction;
    struct sl_amount amount;

    if (!sl_scan_named(text, &at, starts, &direction))
        return false;
    sl_scan_space(text, &at);
    if (!sl_korean_amount(text, &at, &amount))
        return false;
    (void)(sl_scan_bytes(text, &at, "간") || sl_scan_bytes(text, &at, " 간"));
    return done(at, sl_days_span(today, amount.unit, direction * amount.count), ret);
}

/* 3년 전, 이틀 전, 2년 1개월 전; 몇 년 전: two to five. The same words say how long before something. */
static bool read_ago(struct sl_view text, size_t at, sl_day today, struct sl_date_atom *ret)
{
    enum sl_unit smallest = SL_UNIT_YEAR;
    sl_day first = today, last = today;
    struct sl_amount amount;
    int terms = 0;

    for (; terms < 3 && sl_korean_amount(text, &at, &amount); terms++) {
        first = sl_day_shifted(first, amount.unit, -amount.most);
        last = sl_day_shifted(last, amount.unit, -amount.least);
        smallest = amount.unit < smallest ? amount.unit : smallest;
        sl_scan_space(text, &at);
        (void)(sl_scan_bytes(text, &at, ",") || sl_scan_bytes(text, &at, "하고"));
        sl_scan_space(text, &at);
    }
    if (terms == 0 || !sl_scan_bytes(text, &at, "전") || sl_scan_bytes(text, &at, "체"))
        return false;
    *ret = (struct sl_date_atom){.days = {sl_days_of_unit(first, smallest, 0).from,
                                          sl_days_of_unit(last, smallest, 0).to},
                                 .end = at,
                                 .ago = true};
    return true;
}

/* 작년 이맘때, 전년 동기, 지난해 같은 달: that month; 작년 같은 분기 */
static bool read_same(struct sl_view text, size_t at, sl_day today, struct sl_date_atom *ret)
{
    static const struct sl_named years[] = {
        {"재작년", -2}, {"작년", -1}, {"지난해", -1}, {"전년", -1}, {NULL, 0}};
    static const struct sl_named same[] = {
        {"이맘때", SL_UNIT_MONTH},      {"같은 달", SL_UNIT_MONTH},
        {"같은 기간", SL_UNIT_MONTH},   {"같은 시기", SL_UNIT_MONTH},
        {"동기", SL_UNIT_MONTH},        {"동월", SL_UNIT_MONTH},
        {"같은 분기", SL_UNIT_QUARTER}, {"동분기", SL_UNIT_QUARTER},
        {"같은 주", SL_UNIT_WEEK},      {NULL, 0}};
    int shift, unit;

    if (!sl_scan_named(text, &at, years, &shift))
        return false;
    sl_scan_space(text, &at);
    if (!sl_scan_named(text, &at, same, &unit))
        return false;
    return done(at,
                sl_days_of_unit(sl_day_shifted(today, SL_UNIT_YEAR, shift), (enum sl_unit)unit, 0),
                ret);
}

bool sl_korean_relative(struct sl_view text, size_t at, sl_day today, struct sl_date_atom *ret)
{
    return read_same(text, at, today, ret) || read_span(text, at, today, ret) ||
           read_year(text, at, today, ret) || read_ago(text, at, today, ret) ||
           read_day(text, at, today, ret) || read_previous(text, at, today, ret) ||
           read_shifted(text, at, today, ret);
}
