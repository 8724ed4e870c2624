/*
 * embed_count.c -- tokens by script and length of words.
 *
 * Subword vocabularies differ less than one would think where they were made for the script: a
 * Latin word of up to seven letters is one token nearly always, a longer one grows as it gets
 * rarer; a sign is one; a number one for two or three digits. The table below is what the
 * 30,000-word BERT vocabulary makes of English speech, encyclopedia and science, between which it
 * differs by a tenth. For scripts that such a vocabulary does not hold it is the multilingual ones
 * of 100,000 words and more that count: two to three Hangul syllables in two tokens, and so on. Who
 * uses an English model on Korean text is off by a factor, and `sluicectl estimate --sample` says
 * so.
 *
 * Rejected: characters divided by four. Off by a fifth between speech and tables of numbers.
 */
#include "embed_count.h"

#include "text/text_internal.h"

#define UNIT 100u /* the sums are in hundredths of a token */

/* A Latin word of so many letters. */
static const uint16_t LATIN[] = {0,   100, 101, 105, 106, 107, 111, 115, 122, 132, 144,
                                 165, 172, 200, 250, 300, 380, 460, 530, 590, 640};
#define LATIN_COUNT (sizeof LATIN / sizeof LATIN[0])
#define LATIN_MORE  35u /* each further letter */

/* A number of so many digits. */
static const uint16_t DIGITS[] = {0, 100, 100, 115, 110, 250};
#define DIGITS_COUNT (sizeof DIGITS / sizeof DIGITS[0])
#define DIGITS_MORE  75u

enum kind { SPACE, SIGN, LATIN_LETTER, DIGIT, HANGUL, IDEOGRAPH, OTHER_LETTER };

static bool is_between(uint32_t code, uint32_t first, uint32_t last)
{
    return code >= first && code <= last;
}

static enum kind kind_of(uint32_t code)
{
    if (is_between(code, 'a', 'z') || is_between(code, 'A', 'Z') || is_between(code, 0xC0, 0x24F))
        return LATIN_LETTER;
    if (is_between(code, '0', '9'))
        return DIGIT;
    if (sl_char_space(code))
        return SPACE;
    if (code < 0xC0 || is_between(code, 0x2000, 0x206F) || is_between(code, 0x3000, 0x303F) ||
        is_between(code, 0xFF00, 0xFF0F))
        return SIGN;
    if (is_between(code, 0xAC00, 0xD7A3) || is_between(code, 0x1100, 0x11FF))
        return HANGUL;
    if (is_between(code, 0x3040, 0x30FF) || is_between(code, 0x3400, 0x9FFF) ||
        is_between(code, 0x20000, 0x3FFFF))
        return IDEOGRAPH;
    return OTHER_LETTER;
}

/* What a run of `length` of one kind counts. */
static uint64_t run_tokens(enum kind kind, uint64_t length)
{
    switch (kind) {
    case SPACE:
        return 0;
    case LATIN_LETTER:
        return length < LATIN_COUNT
                   ? LATIN[length]
                   : LATIN[LATIN_COUNT - 1] + (length - LATIN_COUNT + 1) * LATIN_MORE;
    case DIGIT:
        return length < DIGITS_COUNT
                   ? DIGITS[length]
                   : DIGITS[DIGITS_COUNT - 1] + (length - DIGITS_COUNT + 1) * DIGITS_MORE;
    case HANGUL:
        return 35 + length * 50;
    case IDEOGRAPH:
        return 20 + length * 65;
    case OTHER_LETTER:
        return 50 + length * 28;
    case SIGN:
        return length * UNIT;
    }
    return 0;
}

uint32_t sl_embed_count(struct sl_view text)
{
    uint64_t sum = 0, length = 0;
    enum kind kind = SPACE;

    for (size_t at = 0; at < text.size;) {
        enum kind next = kind_of(sl_utf8_next(text, &at));

        if (next != kind) {
            sum += run_tokens(kind, length);
            length = 0;
            kind = next;
        }
        length++;
    }
    sum += run_tokens(kind, length);
    return (uint32_t)((sum + UNIT - 1) / UNIT);
}
