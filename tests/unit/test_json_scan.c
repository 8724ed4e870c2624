/* test_json_scan.c -- what cJSON lets through and sluice does not: one reason each. */
#include "test.h"

#include <sluice/decode.h>
#include <sluice/limits.h>

#include <cjson/cJSON.h>

/* "" when it parses, else the reason. */
static const char *parse(struct sl_view json)
{
    static struct sl_error err;
    cJSON *root = NULL;

    if (sl_json_parse(json, &root, &err) == SL_OK) {
        cJSON_Delete(root);
        return "";
    }
    return err.code == SL_REJECT ? err.reason : "not a rejection";
}
#define GIVES(literal, reason)                                                                     \
    CHECK_THAT(strcmp(parse(SL_VIEW(literal)), reason) == 0, "%s gave '%s'", literal,              \
               parse(SL_VIEW(literal)))

TEST(json_that_is_good)
{
    GIVES("{}", "");
    GIVES("[]", "");
    GIVES(" \r\n\t{ \"a\" : [ 1 , -2.5e+3 , true , false , null , { } , [ ] ] } \n", "");
    GIVES("{\"a\":{\"a\":{\"a\":1}},\"b\":[{\"a\":1},{\"a\":2}]}", "");
    GIVES("\"\\u00e9\\ud83d\\ude00\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "");
    GIVES("{\"text\":\"\xED\x95\x9C\",\"Text\":1}", ""); /* B7: names compare by bytes */
    GIVES("0", "");
    GIVES("-0.0", "");
    GIVES("9007199254740992", "");
    GIVES("1e308", "");
    GIVES("1e-999", "");
}

TEST(B5_trailing_data)
{
    GIVES("{}xyz", "trailing_data");
    GIVES("{} {}", "trailing_data");
    GIVES("1 2", "trailing_data");
    GIVES("{}]", "trailing_data");
}

TEST(B6_duplicate_keys)
{
    GIVES("{\"text\":\"a\",\"text\":\"b\"}", "duplicate_key");
    GIVES("{\"text\":1,\"x\":2,\"y\":{\"z\":[]},\"t\\u0065xt\":3}", "duplicate_key");
    GIVES("[{\"a\":{\"b\":1,\"b\":2}}]", "duplicate_key");
    GIVES("{\"\":1,\"\":2}", "duplicate_key");
    GIVES("{\"a\":{\"k\":1},\"b\":{\"k\":1}}", "");
}

TEST(B8_B9_nul)
{
    GIVES("{\"a\":\"a\\u0000b\"}", "nul_in_string");
    GIVES("{\"a\":\"a\0b\"}", "nul_in_string");
    GIVES("{\"a\\u0000\":1}", "nul_in_string");
    GIVES("{\"a\":1\0}", "bad_json");
    GIVES("{}\0", "trailing_data");
}

TEST(B10_B11_bad_utf8)
{
    GIVES("{\"a\":\"\xFF\xFE\"}", "bad_utf8");
    GIVES("{\"a\":\"\xC0\x80\"}", "bad_utf8");
    GIVES("{\"a\":\"\xED\xA0\x80\"}", "bad_utf8");
    GIVES("\"\\ud800\"", "bad_utf8");
    GIVES("\"\\ud800x\"", "bad_utf8");
    GIVES("\"\\ud800\\u0041\"", "bad_utf8");
    GIVES("\"\\udc00\"", "bad_utf8");
}

TEST(B12_controls)
{
    GIVES("{\"a\":\"x\ny\"}", "control_in_string");
    GIVES("{\"a\":\"x\ty\"}", "control_in_string");
    GIVES("{\"a\x01\":1}", "control_in_string");
    GIVES("{\"a\":\"\\u0001\"}", ""); /* escaped, it says what it means */
}

TEST(B13_byte_order_mark)
{
    GIVES("\xEF\xBB\xBF{\"a\":1}", "");
    GIVES("\xEF\xBB\xBF\xEF\xBB\xBF{}", "bad_json");
    GIVES("\xEF\xBB\xBF", "bad_json");
}

TEST(B14_numbers)
{
    static const char *const bad[] = {"0123", "1.", "+1",  "-",    "NaN", "Infinity", "-Infinity",
                                      ".5",   "1e", "1e+", "0x10", "--1", "1.e5",     "-01"};

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char json[40];
        snprintf(json, sizeof json, "[%s]", bad[i]);
        CHECK_THAT(strcmp(parse(sl_view_of(json)), "bad_json") == 0, "%s gave '%s'", json,
                   parse(sl_view_of(json)));
    }
    GIVES("[1234567890.12345678901234567890123]", "number_range"); /* over 32 bytes */
}

TEST(B15_B16_number_range)
{
    GIVES("1e999", "number_range");
    GIVES("[-1e309]", "number_range");
    GIVES("9007199254740993", "number_range");
    GIVES("-9007199254740993", "number_range");
    GIVES("{\"id\":123456789012345678901}", "number_range");
}

static char *nested(size_t depth, size_t *ret_size)
{
    char *json = malloc(2 * depth);

    memset(json, '[', depth);
    memset(json + depth, ']', depth);
    *ret_size = 2 * depth;
    return json;
}

TEST(B17_depth)
{
    size_t depths[] = {SL_JSON_DEPTH_MAX, SL_JSON_DEPTH_MAX + 1, 1000, 100000};

    for (size_t i = 0; i < 4; i++) {
        size_t size;
        char *json = nested(depths[i], &size);
        const char *reason = parse((struct sl_view){json, size});
        CHECK_THAT(strcmp(reason, i == 0 ? "" : "too_deep") == 0, "depth %zu: '%s'", depths[i],
                   reason);
        free(json);
    }
}

TEST(B18_tokens)
{
    size_t size = 10u << 20;
    char *json = malloc(size);

    for (size_t i = 0; i + 1 < size; i += 2) {
        json[i] = i == 0 ? '[' : ',';
        json[i + 1] = '0';
    }
    CHECK(strcmp(parse((struct sl_view){json, size}), "too_many_tokens") == 0);
    free(json);
}

static struct sl_buffer object_of(uint32_t members, const char *format)
{
    struct sl_buffer json = {0};

    sl_buffer_view(&json, SL_VIEW("{"));
    for (uint32_t i = 0; i < members; i++) {
        sl_buffer_format(&json, "%s\"", i > 0 ? "," : "");
        sl_buffer_format(&json, "%s%u", format, i);
        sl_buffer_view(&json, SL_VIEW("\":0"));
    }
    sl_buffer_view(&json, SL_VIEW("}"));
    return json;
}

TEST(B19_members)
{
    struct sl_buffer most = object_of(SL_JSON_MEMBERS_MAX, "k");
    struct sl_buffer more = object_of(SL_JSON_MEMBERS_MAX + 1, "k");
    struct sl_buffer many = object_of(50000, "member");

    CHECK(strcmp(parse((struct sl_view){most.data, most.size}), "") == 0);
    CHECK(strcmp(parse((struct sl_view){more.data, more.size}), "too_many_tokens") == 0);
    CHECK(strcmp(parse((struct sl_view){many.data, many.size}), "too_many_tokens") == 0);
    memcpy(strstr(most.data, "\"k999\""), "\"k500\"", 6); /* one of a thousand stands twice */
    CHECK(strcmp(parse((struct sl_view){most.data, most.size}), "duplicate_key") == 0);
    sl_buffer_fini(&most);
    sl_buffer_fini(&more);
    sl_buffer_fini(&many);
}

TEST(structure_that_is_broken)
{
    static const char *const bad[] = {"",
                                      " ",
                                      "{",
                                      "[",
                                      "[1",
                                      "[1,",
                                      "[1,]",
                                      "{\"a\"",
                                      "{\"a\":",
                                      "{\"a\":1",
                                      "{\"a\":1,}",
                                      "{a:1}",
                                      "{'a':1}",
                                      "[1 2]",
                                      "{\"a\" 1}",
                                      "]",
                                      "}",
                                      "[}",
                                      "{]",
                                      "tru",
                                      "nul",
                                      "\"abc",
                                      "\"\\",
                                      "\"\\x\"",
                                      "\"\\u12\"",
                                      "\"\\u12g4\"",
                                      "{,}",
                                      "[,]",
                                      "{\"a\":}",
                                      "// x",
                                      "{\"a\":1 /* */}",
                                      "True"};

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK_THAT(strcmp(parse(sl_view_of(bad[i])), "bad_json") == 0, "%s gave '%s'", bad[i],
                   parse(sl_view_of(bad[i])));
}

TEST(refusals_name_the_byte)
{
    struct sl_error err;
    cJSON *root = NULL;

    CHECK(sl_json_parse(SL_VIEW("{\"a\": 1, \"a\": 2}"), &root, &err) == SL_REJECT);
    CHECK_THAT(strstr(err.message, "byte 9") != NULL, "%s", err.message);
    CHECK(root == NULL);
}

/* Whatever the scan lets through, cJSON must read too: cut and changed variants of a good text. */
TEST(scan_and_parser_agree)
{
    static const char good[] =
        "{\"text\":\"a\\u00e9\",\"n\":[1,2.5,-3e2],\"o\":{\"t\":true,\"x\":null}}";
    char json[sizeof good];

    test_seed(7);
    for (int round = 0; round < 20000; round++) {
        struct sl_error err = {0};
        cJSON *root = NULL;

        memcpy(json, good, sizeof good);
        for (int change = 0; change < 2; change++)
            json[test_random() % (sizeof good - 1)] =
                "{}[],:\"\\0123e.-+tfn \n"[test_random() % 20];
        if (sl_json_parse((struct sl_view){json, sizeof good - 1}, &root, &err) == SL_OK)
            cJSON_Delete(root);
        else
            CHECK_THAT(strstr(err.message, "parser refused") == NULL, "%s", json);
    }
}
