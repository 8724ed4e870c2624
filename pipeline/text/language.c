/*
 * language.c -- the languages we know something of, and a guess which one a text is in.
 *
 * The guess decides stop words and stemmer only, so it is made cheaply: by script where the script
 * says it (Hangul, kana, Han, Cyrillic, Greek, Arabic), else by the commonest short words of each
 * language among the text's first words. A text of a few words often holds none of them and is
 * taken for English; its terms then still meet those of a document in another language wherever
 * stemming changes neither.
 */
#include "text_internal.h"

#include <string.h>

static const struct sl_language languages[SL_LANGUAGES] = {
    {"en", "porter",
     " a an and are as at be but by for if in into is it no not of on or such that the their then "
     "there "
     "these they this to was will with "},
    {"de", "german",
     " der die das den dem des und oder ist sind war ein eine einer eines einem einen nicht mit "
     "von zu "
     "zum zur im in auf an als auch es er sie wir ich bei aus nach wird werden hat haben dass "
     "durch um "},
    {"fr", "french",
     " le la les l un une des du de d et ou est sont dans en au aux par pour sur avec ne pas que "
     "qui ce "
     "cette ces il elle ils elles nous vous je se son sa ses leur plus "},
    {"es", "spanish",
     " el la los las un una unos unas de del y o es son en con por para que se no su sus al lo "
     "como más "
     "pero este esta fue ha entre "},
    {"it", "italian",
     " il lo la i gli le un uno una di del della dei delle e o è sono in nel nella con per che non "
     "si da "
     "dal al alla come più anche ma questo questa "},
    {"pt", "portuguese",
     " o a os as um uma de do da dos das e ou é são em no na nos nas com por para que não se ao à "
     "como "
     "mais mas este esta foi "},
    {"nl", "dutch",
     " de het een en of is zijn was in op van te met voor niet dat die er aan bij als ook door "
     "naar uit "
     "wordt worden "},
    {"sv", "swedish",
     " och det att i en ett som är på av för med den till inte har de om var från eller men vid "},
    {"no", "norwegian",
     " og det i en et som er på av for med den til ikke har de om var fra eller men ved å "},
    {"da", "danish",
     " og det i en et som er på af for med den til ikke har de om var fra eller men ved at "},
    {"fi", "finnish",
     " ja on ei se että oli ovat joka mutta kun niin myös tai hän olla sekä mukaan jotka tämä "},
    {"hu", "hungarian", " a az és egy hogy nem is van volt meg de ez vagy mint csak el már ki be "},
    {"ro", "romanian",
     " și în de la cu pe un o este sunt nu care din pentru că sau mai al ale a fost "},
    {"ru", "russian",
     " и в во не что он на я с со как а то все она так его но да ты к у же вы за бы по ее мне было "
     "вот "
     "от из или ни был для это "},
    {"tr", "turkish", " ve bir bu da de için ile olarak çok daha gibi en ama olan ne ya "},
    {"el", "greek", " και το η ο της του την να με για που είναι στο στη από τα οι τον δεν "},
    {"ar", "arabic", " في من على إلى أن عن مع هذا هذه التي الذي كان ما لا أو و "},
    {"id", "indonesian", " yang dan di ke dari untuk dengan pada ini itu adalah tidak atau oleh "},
    {"ca", "catalan", " el la els les un una de del i o és són en amb per que no es al com més "},
};

enum { LOOK_BYTES = 4096, WORD_BYTES_MAX = 12 };

uint32_t sl_language_index(const char *code)
{
    if (code != NULL && code[0] != '\0' && code[1] != '\0')
        for (uint32_t i = 0; i < SL_LANGUAGES; i++)
            if ((code[0] | 0x20) == languages[i].code[0] &&
                (code[1] | 0x20) == languages[i].code[1] &&
                (code[2] == '\0' || code[2] == '-' || code[2] == '_'))
                return i;
    return 0;
}

const struct sl_language *sl_language_at(uint32_t index)
{
    SL_PRE(index < SL_LANGUAGES);
    return &languages[index];
}

bool sl_language_stop_word(const struct sl_language *language, const char *word, size_t size)
{
    const char *at = language->stop_words;
    char padded[WORD_BYTES_MAX * 2 + 3];

    if (size == 0 || size > WORD_BYTES_MAX * 2)
        return false;
    padded[0] = ' ';
    memcpy(padded + 1, word, size);
    padded[size + 1] = ' ';
    padded[size + 2] = '\0';
    return strstr(at, padded) != NULL;
}

/* How many letters of each script, among the first ones. */
struct scripts {
    uint32_t letters, hangul, kana, han, cyrillic, greek, arabic, thai;
};

static void count_letter(struct scripts *scripts, uint32_t c)
{
    if (sl_char_space(c) || c < 0x41 || (c > 0x5A && c < 0x61) || (c > 0x7A && c < 0xC0))
        return;
    scripts->letters++;
    if (sl_char_hangul(c))
        scripts->hangul++;
    else if (c >= 0x3040 && c <= 0x30FF)
        scripts->kana++;
    else if (sl_char_han_kana(c))
        scripts->han++;
    else if (c >= 0x400 && c <= 0x52F)
        scripts->cyrillic++;
    else if (c >= 0x370 && c <= 0x3FF)
        scripts->greek++;
    else if (c >= 0x600 && c <= 0x6FF)
        scripts->arabic++;
    else if (c >= 0xE00 && c <= 0xE7F)
        scripts->thai++;
}

static const char *by_script(struct sl_view text)
{
    struct scripts n = {0};

    for (size_t at = 0; at < text.size;)
        count_letter(&n, sl_utf8_next(text, &at));
    if (n.hangul * 4 >= n.letters && n.hangul > 0)
        return "ko";
    if (n.kana * 10 >= n.letters && n.kana > 0)
        return "ja";
    if (n.han * 3 >= n.letters && n.han > 0)
        return "zh";
    if (n.cyrillic * 2 > n.letters)
        return "ru";
    if (n.greek * 2 > n.letters)
        return "el";
    if (n.arabic * 2 > n.letters)
        return "ar";
    if (n.thai * 2 > n.letters)
        return "th";
    return NULL;
}

static bool ends_word(unsigned char c)
{
    return c < 0x80 && !((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

/* How many of each language's stop words stand in the text. */
static void count_stop_words(struct sl_view text, uint32_t hits[SL_LANGUAGES])
{
    for (size_t at = 0; at < text.size;) {
        char word[WORD_BYTES_MAX];
        size_t size = 0, start = at;

        while (at < text.size && !ends_word((unsigned char)text.data[at])) {
            unsigned char c = (unsigned char)text.data[at++];
            if (size < sizeof word)
                word[size++] = (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
        }
        if (at - start <= sizeof word)
            for (uint32_t i = 0; i < SL_LANGUAGES; i++)
                hits[i] += sl_language_stop_word(&languages[i], word, size);
        at += at == start || at < text.size;
    }
}

/* The language most of whose stop words stand in the text; NULL: it has not two more than any other. */
static const char *by_stop_words(struct sl_view text, bool sure)
{
    uint32_t hits[SL_LANGUAGES] = {0}, best = 0, second = 0;

    count_stop_words(text, hits);
    for (uint32_t i = 1; i < SL_LANGUAGES; i++)
        if (hits[i] > hits[best])
            best = i;
    for (uint32_t i = 0; i < SL_LANGUAGES; i++)
        if (i != best && hits[i] > second)
            second = hits[i];
    if (sure)
        return hits[best] >= second + 2 ? languages[best].code : NULL;
    return hits[best] >= hits[0] + 2 ? languages[best].code : "en";
}

const char *sl_text_language(struct sl_view text)
{
    struct sl_view head = sl_view_range(text, 0, sl_utf8_floor(text, LOOK_BYTES));
    const char *found = by_script(head);

    return found != NULL ? found : by_stop_words(head, false);
}

const char *sl_text_language_told(struct sl_view text)
{
    struct sl_view head = sl_view_range(text, 0, sl_utf8_floor(text, LOOK_BYTES));
    const char *found = by_script(head);

    return found != NULL ? found : by_stop_words(head, true);
}

const char *const *sl_text_languages_latin(void)
{
    static const char *const codes[] = {"en", "de", "fr", "es", "it", "pt", "nl", "sv", "no",
                                        "da", "fi", "hu", "ro", "tr", "id", "ca", NULL};

    return codes;
}
