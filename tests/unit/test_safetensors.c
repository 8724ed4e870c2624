/* test_safetensors.c -- weights files: good ones are read, each kind of bad one is refused by name.
 */
#include "../support/test.h"

#include <stdint.h>

#include "embed/safetensors.h"

static char path[4200];

/* Write a file of that header and so many bytes of data, the data counting up from 0. */
static void write_file(const char *header, uint64_t header_bytes, size_t data_bytes)
{
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/model.safetensors", test_directory());
    file = fopen(path, "wb");
    if (file == NULL)
        abort();
    for (int i = 0; i < 8; i++)
        (void)fputc((int)(header_bytes >> 8 * i & 255), file);
    (void)fputs(header, file);
    for (size_t i = 0; i < data_bytes; i++)
        (void)fputc((int)(i & 255), file);
    (void)fclose(file);
}

static void write_header(const char *header, size_t data_bytes)
{
    write_file(header, strlen(header), data_bytes);
}

/* Is the file refused, with an error that names it and holds `word`? */
static void check_refused(const char *word)
{
    struct sl_safetensors *file = NULL;
    struct sl_error err = {0};

    CHECK_THAT(sl_safetensors_open(path, &file, &err) == SL_STOP, "%s", word);
    CHECK_THAT(err.exit_code == SL_EXIT_CONFIG && strcmp(err.reason, "bad_model") == 0, "%s", word);
    CHECK_THAT(strstr(err.message, "model.safetensors") != NULL, "%s", err.message);
    CHECK_THAT(strstr(err.message, word) != NULL, "\"%s\" in \"%s\"", word, err.message);
    CHECK(file == NULL);
    sl_safetensors_close(file);
}

#define ENTRY(name, type, shape, from, to)                                                         \
    "\"" name "\":{\"dtype\":\"" type "\",\"shape\":[" shape "],\"data_offsets\":[" from "," to "]}"

TEST(tensors_of_each_type_are_read)
{
    struct sl_safetensors *file = NULL;
    struct sl_error err = {0};
    float values[6];

    (void)snprintf(path, sizeof path, "%s/model.safetensors", test_directory());
    write_header(
        "{\"__metadata__\":{\"format\":\"pt\"}," ENTRY("a", "F32", "2", "0", "8") "," ENTRY(
            "b", "F16", "2,2", "8", "16") "," ENTRY("c", "BF16", "2", "16",
                                                    "20") "," ENTRY("d", "I64", "1", "20",
                                                                    "28") "}  ",
        0);
    FILE *out = fopen(path, "ab");
    const float floats[2] = {1.5f, -2.25f};
    const uint16_t halves[4] = {0x3C00, 0xC000, 0x0001, 0x7BFF};
    const uint16_t brains[2] = {0x3F80, 0xC040};
    const int64_t whole = 7;
    REQUIRE(out != NULL);
    (void)fwrite(floats, 4, 2, out);
    (void)fwrite(halves, 2, 4, out);
    (void)fwrite(brains, 2, 2, out);
    (void)fwrite(&whole, 8, 1, out);
    (void)fclose(out);

    REQUIRE(sl_safetensors_open(path, &file, &err) == SL_OK);
    CHECK(sl_safetensors_has(file, "a") && !sl_safetensors_has(file, "__metadata__"));
    CHECK(sl_safetensors_read(file, "a", 2, 0, values, &err) == SL_OK);
    CHECK(values[0] == 1.5f && values[1] == -2.25f);
    CHECK(sl_safetensors_read(file, "b", 2, 2, values, &err) == SL_OK);
    CHECK(values[0] == 1.0f && values[1] == -2.0f && values[2] == 0x1p-24f && values[3] == 65504);
    CHECK(sl_safetensors_read(file, "c", 2, 0, values, &err) == SL_OK);
    CHECK(values[0] == 1.0f && values[1] == -3.0f);
    CHECK(sl_safetensors_read(file, "d", 1, 0, values, &err) == SL_STOP);
    CHECK_THAT(strstr(err.message, "allowed types") != NULL, "%s", err.message);
    CHECK(sl_safetensors_read(file, "b", 4, 0, values, &err) == SL_STOP);
    CHECK_THAT(strstr(err.message, "shape") != NULL, "%s", err.message);
    CHECK(sl_safetensors_read(file, "none", 4, 0, values, &err) == SL_STOP);
    CHECK_THAT(strstr(err.message, "no tensor none") != NULL, "%s", err.message);
    sl_safetensors_close(file);
}

TEST(a_missing_file_is_named)
{
    (void)snprintf(path, sizeof path, "%s/model.safetensors", test_directory());
    check_refused("No such file");
}

TEST(a_short_file_is_refused)
{
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/model.safetensors", test_directory());
    file = fopen(path, "wb");
    REQUIRE(file != NULL);
    (void)fputs("abc", file);
    (void)fclose(file);
    check_refused("not a safetensors file");
}

TEST(a_huge_header_is_refused_without_reading_it)
{
    write_file("{}", UINT64_MAX, 0);
    check_refused("header of 18446744073709551615 bytes");
    write_file("{}", 3, 0);
    check_refused("header of 3 bytes");
    write_file("{}", 200u << 20, 0);
    check_refused("at most");
}

TEST(a_header_that_is_not_what_it_should_be_is_refused)
{
    const char *headers[] = {
        "",
        "[]",
        "{",
        "null",
        "{\"a\":1}",
        "{\"a\":{}}",
        "{}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}",
        "{" ENTRY("a", "F32", "-1", "0", "4") "}",
        "{" ENTRY("a", "F32", "1.5", "0", "4") "}",
        "{" ENTRY("a", "F32", "1", "0", "1e300") "}",
        "{" ENTRY("a", "F32", "\"1\"", "0", "4") "}",
        "{" ENTRY("a", "F32", "9007199254740992,9007199254740992", "0", "4") "}",
        "{" ENTRY("a", "F32", "1,1,1,1,1,1,1,1,1", "0", "4") "}"};

    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        write_header(headers[i], 4);
        check_refused("must be");
    }
}

TEST(data_cut_short_is_refused)
{
    write_header("{" ENTRY("a", "F32", "4", "0", "16") "}", 15);
    check_refused("truncated");
    write_header("{" ENTRY("a", "F32", "4", "0", "16") "}", 20);
    check_refused("4 bytes after the last tensor");
}

TEST(offsets_that_overlap_or_leave_gaps_are_refused)
{
    write_header("{" ENTRY("a", "F32", "2", "0", "8") "," ENTRY("b", "F32", "2", "4", "12") "}",
                 12);
    check_refused("overlaps");
    write_header("{" ENTRY("a", "F32", "1", "0", "4") "," ENTRY("b", "F32", "1", "8", "12") "}",
                 12);
    check_refused("gap");
    write_header("{" ENTRY("a", "F32", "1", "4", "0") "}", 4);
    check_refused("bytes 4 to 0");
    write_header("{" ENTRY("a", "F32", "3", "0", "8") "}", 8);
    check_refused("need 12 bytes");
    write_header("{" ENTRY("a", "F32", "1", "0", "4") "," ENTRY("a", "F32", "1", "4", "8") "}", 8);
    check_refused("twice");
}
