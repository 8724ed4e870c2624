/* test_terms.c -- what a text is found by. Terms are compared as "term*count term*count ...". */
#include "test.h"

#include <sluice/limits.h>
#include <sluice/text.h>

#include <pthread.h>

static char *terms_of(struct sl_view text, const char *language, uint32_t *ret_length)
{
    struct sl_arena *arena = sl_arena_open(SL_ARENA_BYTES_MAX);
    struct sl_term_count *terms;
    struct sl_buffer out = {0};
    struct sl_error err = {0};
    uint32_t count, sum = 0;

    sl_buffer_view(&out, SL_VIEW(""));
    if (sl_text_terms(text, language, arena, &terms, &count, ret_length, &err) != SL_OK) {
        sl_buffer_format(&out, "error %s", err.reason);
    } else {
        for (uint32_t i = 0; i < count; i++) {
            sl_buffer_format(&out, "%s%.*s", i > 0 ? " " : "", SL_VIEW_ARG(terms[i].term));
            if (terms[i].count > 1)
                sl_buffer_format(&out, "*%u", terms[i].count);
            sum += terms[i].count;
            if (i > 0)
                CHECK(memcmp(terms[i - 1].term.data, terms[i].term.data,
                             terms[i].term.size < terms[i - 1].term.size
                                 ? terms[i].term.size
                                 : terms[i - 1].term.size) <= 0);
        }
        CHECK(sum == *ret_length);
    }
    sl_arena_close(arena);
    return out.data;
}

static void gives(int line, const char *text, const char *language, const char *expected)
{
    uint32_t length = 0;
    char *found = terms_of(sl_view_of(text), language, &length);

    CHECK_THAT(strcmp(found == NULL ? "" : found, expected) == 0,
               "line %d: %s\n  found    %s\n  expected %s", line, text, found, expected);
    free(found);
}
#define GIVES(text, expected)              gives(__LINE__, text, "en", expected)
#define GIVES_IN(language, text, expected) gives(__LINE__, text, language, expected)

TEST(english_words)
{
    GIVES("", "");
    GIVES("The rates of the banks were rising.", "bank rate rise were");
    GIVES("policy policies Policy's policy’s", "polici*4");
    GIVES("an and are not with", "");
    GIVES("don't state-of-the-art", "art don't state");
    GIVES("snake_case _x_", "case snake x");
    GIVES("CamelCase COVID-19", "19 camelcas covid covid19");
    GIVES("e-mail@example.com", "e email example.com mail");
}

TEST(names_written_with_and_without_hyphens_meet)
{
    GIVES("ISO-9001 KS-X-1001", "1001 9001 iso iso9001 k ksx1001 x");
    GIVES("ISO9001", "iso9001");
    GIVES("e-mails", "e email mail");
    GIVES("well-known vitamin-e-rich - -a a- 2015-12", "12 2015 2015-12 e known rich vitamin well");
}

TEST(accents_and_swallowed_articles)
{
    GIVES("Málaga Øre", "malaga málaga or øre");
    GIVES_IN("fr", "L'entreprise n’accorde qu'aujourd'hui", "accord aujourd'hui entrepris");
    GIVES_IN("it", "dell'anno", "anno");
    GIVES_IN("tr", "İstanbul'da", "istanbul i̇stanbul");
    GIVES_IN("ru", "Йод", "йод");
    GIVES("go 🚀!", "go 🚀");
}

TEST(korean_numbers_and_articles)
{
    GIVES("3,000원은", "3000 3000원 원은");
    GIVES("3000원", "3000 3000원");
    GIVES("2.5배", "2 2.5 2.5배 5");
    GIVES("1, 2원", "1 2 2원");
    GIVES("제23조제2항의", "2 23 제23조 제23조제2항 제2항 조제 항의");
}

TEST(forms_that_are_one)
{
    GIVES("ﬁne ＦＵＬＬ Straße", "fine full strass");
    GIVES("café cafe\xCC\x81", "cafe*2 café*2");
    GIVES("zero\xE2\x80\x8Bwidth so\xC2\xAD"
          "ft",
          "soft zerowidth");           /* U+200B and soft hyphen vanish */
    GIVES("e\xE2\x80\xAEvil", "evil"); /* a bidi override hides nothing */
}

TEST(numbers)
{
    GIVES("3.5", "3 3.5 5");
    GIVES("2015-12-16", "12 16 2015 2015-12-16");
    GIVES("2015/12/16 rose", "12 16 2015 2015/12/16 rose");
    GIVES("1,234,567 12,34", "12 12,34 1234567 34");
    GIVES("007", "007");
    GIVES("10:30", "10 10:30 30");
}

TEST(korean)
{
    GIVES_IN("ko", "기준", "기준 기준_");
    GIVES_IN("ko", "기준은", "기준 기준_ 준은");
    GIVES_IN("ko", "근로기준법의", "근로 근로기준법 기준 로기 법의 준법");
    GIVES_IN("ko", "법은", "법 법은");
    GIVES_IN("ko", "그", "그");
    GIVES_IN("ko", "2015년 12월", "12 12월 2015 2015년");
    GIVES_IN("ko", "제23조에서", "23 에서 제23조 조에");
    GIVES_IN("ko", "policies를", "polici policies");
    GIVES_IN("ko", "\xE1\x84\x92\xE1\x85\xA1\xE1\x86\xAB\xE1\x84\x80\xE1\x85\xAE\xE1\x86\xA8",
             "한국 한국_"); /* jamo */
}

TEST(a_question_meets_its_text_whatever_the_particle)
{
    GIVES_IN("ko", "최저임금이", "금이 임금 저임 최저 최저임금");
    GIVES_IN("ko", "최저임금을", "금을 임금 저임 최저 최저임금");
}

TEST(other_scripts)
{
    GIVES_IN("ja", "東京タワー", "タワ ワー 京タ 東京");
    GIVES_IN("zh", "京", "京");
    GIVES_IN("zh", "北京。上海", "上海 北京");
    GIVES_IN("ru", "книги книга и в", "книг*2");
    GIVES_IN("de", "die Häuser und der Hunde", "haus hund");
    GIVES_IN("fr", "les maisons de la ville", "maison vill");
}

TEST(language_is_guessed)
{
    CHECK(strcmp(sl_text_language(SL_VIEW("")), "en") == 0);
    CHECK(strcmp(sl_text_language(SL_VIEW("2015 !!")), "en") == 0);
    CHECK(strcmp(sl_text_language(SL_VIEW("The rate was raised by the board.")), "en") == 0);
    CHECK(strcmp(sl_text_language(SL_VIEW("이 법은 근로조건의 기준을 정한다.")), "ko") == 0);
    CHECK(strcmp(sl_text_language(SL_VIEW("FOMC는 금리를 인상했다 (federal funds rate)")), "ko") ==
          0);
    CHECK(strcmp(sl_text_language(SL_VIEW("これは日本語の文章です")), "ja") == 0);
    CHECK(strcmp(sl_text_language(SL_VIEW("这是一个中文句子")), "zh") == 0);
    CHECK(strcmp(sl_text_language(SL_VIEW("Это предложение на русском языке")), "ru") == 0);
    CHECK(strcmp(sl_text_language(SL_VIEW("Der Hund und die Katze sind nicht im Haus.")), "de") ==
          0);
    CHECK(strcmp(sl_text_language(SL_VIEW("Le chat est dans la maison avec les enfants.")), "fr") ==
          0);
    CHECK(strcmp(sl_text_language(SL_VIEW("El perro no está en la casa de los niños.")), "es") ==
          0);
}

TEST(long_terms_are_shortened_and_stay_different)
{
    char a[301], b[301];
    uint32_t length;
    char *terms_a, *terms_b;

    memset(a, 'x', 300);
    memset(b, 'x', 300);
    b[299] = 'y';
    a[300] = b[300] = '\0';
    terms_a = terms_of(sl_view_of(a), "en", &length);
    terms_b = terms_of(sl_view_of(b), "en", &length);
    CHECK(strlen(terms_a) == SL_TERM_BYTES_MAX);
    CHECK(strcmp(terms_a, terms_b) != 0);
    CHECK(strncmp(terms_a, terms_b, SL_TERM_BYTES_MAX - 16) == 0);
    free(terms_a);
    free(terms_b);
}

/* Quadratic work would take minutes here; the test's time limit is the judge. */
TEST(hostile_texts_take_linear_time)
{
    static const char *const pieces[] = {
        "x", "\xCC\x81\xCC\xA3", "가", "東", "a가", "\xEF\xB7\xBA", ".", "1.", "'"};
    uint32_t length;

    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        size_t piece = strlen(pieces[i]), size = (512u << 10) / piece * piece;
        char *text = malloc(size);

        for (size_t at = 0; at < size; at += piece)
            memcpy(text + at, pieces[i], piece);
        free(terms_of((struct sl_view){text, size}, "en", &length));
        free(text);
    }
}

static void *terms_in_thread(void *argument)
{
    uint32_t length;

    for (int i = 0; i < 50; i++) {
        char *found =
            terms_of(SL_VIEW("The rates rose; 금리는 올랐다. Die Zinsen stiegen."), NULL, &length);
        if (strcmp(found, argument) != 0)
            return argument;
        free(found);
    }
    return NULL;
}

TEST(threads_give_the_same)
{
    uint32_t length;
    char *expected =
        terms_of(SL_VIEW("The rates rose; 금리는 올랐다. Die Zinsen stiegen."), NULL, &length);
    pthread_t threads[4];
    void *differs;

    for (int i = 0; i < 4; i++)
        REQUIRE(pthread_create(&threads[i], NULL, terms_in_thread, expected) == 0);
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], &differs);
        CHECK(differs == NULL);
    }
    free(expected);
}

TEST(a_full_arena_is_said)
{
    struct sl_arena *arena = sl_arena_open(600);
    struct sl_term_count *terms;
    uint32_t count, length;
    struct sl_error err;

    CHECK(sl_text_terms(
              SL_VIEW("one two three four five six seven eight nine ten eleven twelve thirteen "
                      "fourteen fifteen sixteen seventeen eighteen nineteen twenty thirty forty"),
              "en", arena, &terms, &count, &length, &err) == SL_REJECT);
    CHECK(strcmp(err.reason, "too_large") == 0);
    sl_arena_close(arena);
}
