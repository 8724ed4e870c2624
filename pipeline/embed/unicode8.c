/*
 * unicode8.c -- ICU's properties, as of Unicode 8.0.
 *
 * The rule "newer than 8.0 is unassigned" plus six corrections was found by comparing every code
 * point with the reference (tests/embed holds the comparison). Rejected: tables of our own, which
 * would be 10 times the code and no easier to check. Lower case is not here: the reference takes it
 * from the current Unicode, as we do.
 */
#include "embed/unicode8.h"

#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/ustring.h>

#include <sluice/error.h>

static bool is_assigned(UChar32 c)
{
    UVersionInfo age;

    u_charAge(c, age);
    return age[0] != 0 && (age[0] < 8 || (age[0] == 8 && age[1] == 0));
}

static uint32_t category_mask(UChar32 c)
{
    switch (c) {  /* categories that changed after 8.0 */
    case 0x166D:  /* CANADIAN SYLLABICS CHI SIGN */
    case 0x111C9: /* SHARADA SANDHI MARK */
        return U_GC_PO_MASK;
    case 0x1734: /* HANUNOO SIGN PAMUDPOD */
        return U_GC_MN_MASK;
    case 0x1885: /* MONGOLIAN LETTER ALI GALI BALUDA */
    case 0x1886:
        return U_GC_LO_MASK;
    case 0xA9BD: /* JAVANESE CONSONANT SIGN KERET */
        return U_GC_MC_MASK;
    default:
        return is_assigned(c) ? U_GET_GC_MASK(c) : U_GC_CN_MASK;
    }
}

bool sl_u8_is_removed(UChar32 c)
{
    if (c == '\t' || c == '\n' || c == '\r')
        return false;
    return c == 0 || c == 0xFFFD ||
           (category_mask(c) & (U_GC_CC_MASK | U_GC_CF_MASK | U_GC_CO_MASK)) != 0;
}

bool sl_u8_is_mark(UChar32 c)
{
    return (category_mask(c) & U_GC_MN_MASK) != 0;
}

bool sl_u9_is_any_mark(UChar32 c)
{
    UVersionInfo age;

    if (c == 0x1CF2 || c == 0x1CF3) /* VEDIC SIGN ARDHAVISARGA and its ROTATED form: letters now */
        return true;
    u_charAge(c, age);
    return age[0] <= 9 && c != 0x111C9 && (U_GET_GC_MASK(c) & U_GC_M_MASK) != 0;
}

bool sl_u8_is_punctuation(UChar32 c)
{
    if (c < 0x80)
        return c > ' ' && c < 0x7F && !(c >= '0' && c <= '9') &&
               !((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
    return (category_mask(c) & U_GC_P_MASK) != 0;
}

bool sl_u8_is_chinese(UChar32 c)
{
    static const struct {
        UChar32 first, last;
    } blocks[] = {{0x3400, 0x4DBF},   {0x4E00, 0x9FFF},   {0xF900, 0xFAFF},   {0x20000, 0x2A6DF},
                  {0x2A700, 0x2B73F}, {0x2B740, 0x2B81F}, {0x2B920, 0x2CEAF}, {0x2F800, 0x2FA1F}};

    for (size_t i = 0; i < sizeof blocks / sizeof *blocks && c >= blocks[i].first; i++)
        if (c <= blocks[i].last)
            return true;
    return false;
}

uint32_t sl_u8_decompose(UChar32 c, UChar32 *ret)
{
    UErrorCode status = U_ZERO_ERROR;
    const UNormalizer2 *nfd = unorm2_getNFDInstance(&status);
    UChar units[2 * SL_DECOMPOSED_MAX];
    int32_t length, count = 0;

    SL_INVARIANT(U_SUCCESS(status)); /* NFD data is built into the ICU library */
    length = is_assigned(c) ? unorm2_getDecomposition(nfd, c, units, 2 * SL_DECOMPOSED_MAX, &status)
                            : -1;
    if (length < 0) {
        ret[0] = c;
        return 1;
    }
    (void)u_strToUTF32(ret, SL_DECOMPOSED_MAX, &count, units, length, &status);
    SL_INVARIANT(U_SUCCESS(status));
    return (uint32_t)count;
}
