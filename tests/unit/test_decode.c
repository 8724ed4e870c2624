/* test_decode.c -- records to documents; every bad input with its one word. */
#include "test.h"

#include <sluice/dates.h>
#include <sluice/decode.h>
#include <sluice/limits.h>

#include <math.h>

static struct sl_arena *arena;
static struct sl_document doc;
static enum sl_decoded decoded;
static struct sl_error err;
static struct sl_decode_options options;

/* Decode one record under key "k"; SL_OK fills doc, else err. */
static enum sl_err decode_with(struct sl_view value, const struct sl_header *headers,
                               uint32_t count)
{
    struct sl_message message = {.topic = SL_VIEW("docs"),
                                 .partition = 3,
                                 .offset = 17,
                                 .timestamp_ms = 5,
                                 .key = SL_VIEW("k"),
                                 .value = value,
                                 .headers = headers,
                                 .header_count = count};

    if (arena == NULL)
        arena = sl_arena_open(SL_ARENA_BYTES_MAX);
    sl_arena_reset(arena);
    memset(&doc, 0, sizeof doc);
    memset(&err, 0, sizeof err);
    decoded = 0;
    return sl_decode(&message, &options, arena, &doc, &decoded, &err);
}

static enum sl_err decode_as(const char *type, struct sl_view value)
{
    struct sl_header header = {SL_VIEW("content-type"), sl_view_of(type)};

    return decode_with(value, &header, 1);
}

static const char *reason(enum sl_err code)
{
    return code == SL_OK ? "" : code == SL_REJECT ? err.reason : "not a rejection";
}
#define GIVES(literal, word)                                                                       \
    do {                                                                                           \
        const char *found_ = reason(decode_with(SL_VIEW(literal), NULL, 0));                       \
        CHECK_THAT(strcmp(found_, word) == 0, "gave '%s' %s", found_, err.message);                \
    } while (0)

static const struct sl_field *field(const char *name)
{
    for (uint32_t i = 0; i < doc.field_count; i++)
        if (sl_view_is(doc.fields[i].name, name))
            return &doc.fields[i];
    return NULL;
}

static sl_day day(int year, int month, int date)
{
    return sl_day_from_civil(year, month, date);
}

TEST(plain_text)
{
    REQUIRE(decode_with(SL_VIEW("hello world"), NULL, 0) == SL_OK);
    CHECK(decoded == SL_DECODED_DOCUMENT);
    CHECK(sl_view_is(doc.text, "hello world") && doc.text_media == SL_MEDIA_TEXT);
    CHECK(sl_view_is(doc.topic, "docs") && sl_view_is(doc.key, "k"));
    CHECK(doc.partition == 3 && doc.offset == 17 && doc.timestamp_ms == 5);
    CHECK(doc.title.data == NULL && doc.date.data == NULL && doc.tenant.data == NULL);
    CHECK(doc.date_days.from == SL_DAY_NONE);
}

TEST(json_with_everything)
{
    REQUIRE(
        decode_with(
            SL_VIEW(
                "{\"_id\":\"x\",\"title\":\"T\",\"text\":\"Body "
                "\\u00e9\",\"date\":\"2015-12\",\"lang\":\"en\","
                "\"url\":\"http://x\",\"tenant\":\"t1\",\"valid_from\":\"2015\",\"valid_to\":null,"
                "\"type\":\"note\",\"pages\":12,\"draft\":false,\"tags\":[\"a\",2,null,true],"
                "\"none\":null,"
                "\"metadata\":{\"source\":{\"name\":\"s\"}},\"Text\":\"other\",\"empty\":[],"
                "\"vector\":[3,0,4],\"vector_model\":\"m\"}"),
            NULL, 0) == SL_OK);
    CHECK(sl_view_is(doc.text, "Body é") && sl_view_is(doc.title, "T") &&
          sl_view_is(doc.lang, "en"));
    CHECK(sl_view_is(doc.url, "http://x") && sl_view_is(doc.tenant, "t1") &&
          sl_view_is(doc.date, "2015-12"));
    CHECK(doc.date_days.from == day(2015, 12, 1) && doc.date_days.to == day(2015, 12, 31));
    CHECK(doc.valid_count == 1 && doc.valid[0].from == day(2015, 1, 1) &&
          doc.valid[0].to == SL_DAY_MAX);
    CHECK(doc.field_count == 8);
    CHECK(field("_id") == NULL && field("none") == NULL && field("empty") == NULL);
    CHECK(sl_view_is(field("type")->string, "note") && !field("type")->in_array);
    CHECK(fabs(field("pages")->number - 12) < 1e-9 && field("pages")->type == SL_FIELD_NUMBER);
    CHECK(field("draft")->type == SL_FIELD_BOOL && !field("draft")->boolean);
    CHECK(sl_view_is(field("tags")->string, "a") && field("tags")->in_array);
    CHECK(fabs(field("tags")[1].number - 2) < 1e-9 && field("tags")[2].boolean);
    CHECK(sl_view_is(field("metadata.source.name")->string, "s"));
    CHECK(sl_view_is(field("Text")->string, "other")); /* B7 */
    CHECK(doc.vector_dim == 3 && fabs((double)doc.vector[2] - 4) < 1e-6 &&
          sl_view_is(doc.vector_model, "m"));
}

TEST(body_may_stand_for_text)
{
    REQUIRE(decode_with(SL_VIEW("{\"body\":\"b\"}"), NULL, 0) == SL_OK);
    CHECK(sl_view_is(doc.text, "b"));
    GIVES("{\"body\":\"b\",\"text\":\"t\"}", "bad_field");
    REQUIRE(decode_with(SL_VIEW("{\"body\":null,\"text\":\"t\"}"), NULL, 0) == SL_OK);
}

TEST(validity)
{
    REQUIRE(
        decode_with(
            SL_VIEW("{\"text\":\"t\",\"valid\":[[\"1997-03-13\",\"2007-04-10\"],[\"2010\",null]]}"),
            NULL, 0) == SL_OK);
    REQUIRE(doc.valid_count == 2);
    CHECK(doc.valid[0].from == day(1997, 3, 13) && doc.valid[0].to == day(2007, 4, 10));
    CHECK(doc.valid[1].from == day(2010, 1, 1) && doc.valid[1].to == SL_DAY_MAX);
    REQUIRE(decode_with(SL_VIEW("{\"text\":\"t\",\"valid_to\":\"2010-05\"}"), NULL, 0) == SL_OK);
    CHECK(doc.valid_count == 1 && doc.valid[0].from == SL_DAY_NONE &&
          doc.valid[0].to == day(2010, 5, 31));
    REQUIRE(decode_with(SL_VIEW("{\"text\":\"t\",\"valid\":[]}"), NULL, 0) == SL_OK);
    CHECK(doc.valid_count == 0);
    GIVES("{\"text\":\"t\",\"valid\":\"2010\"}", "bad_field");
    GIVES("{\"text\":\"t\",\"valid\":[[\"2010\"]]}", "bad_field");
    GIVES("{\"text\":\"t\",\"valid\":[[\"2011\",\"2010\"]]}", "bad_field");
    GIVES("{\"text\":\"t\",\"valid\":[[\"2011\",7]]}", "bad_field");
    GIVES("{\"text\":\"t\",\"valid\":[],\"valid_to\":\"2010\"}", "bad_field");
    GIVES("{\"text\":\"t\",\"valid_from\":\"soon\"}", "bad_field");
}

TEST(content_types)
{
    static const char *const good[] = {"application/json", "Application/JSON; charset=UTF-8",
                                       "\"application/json\"", "text/json",
                                       "application/json;charset=\"utf-8\"; profile=x"};
    static const char *const bad[] = {"application/cloudevents+json",
                                      "application/pdf",
                                      "text/html",
                                      "text",
                                      "*/*",
                                      "application/json; charset=utf-16",
                                      "application/octet-stream",
                                      "text/plain;charset=euc-kr"};

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        REQUIRE(decode_as(good[i], SL_VIEW("{\"text\":\"x\"}")) == SL_OK);
        CHECK(sl_view_is(doc.text, "x"));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK(decode_as(bad[i], SL_VIEW("{\"text\":\"x\"}")) == SL_REJECT);
        CHECK_THAT(strcmp(err.reason, "unsupported_content_type") == 0, "%s: %s", bad[i],
                   err.reason);
        CHECK(strstr(err.message, "text/markdown") != NULL);
    }
    CHECK(decode_as("text/plain", SL_VIEW("{\"text\":\"x\"}")) == SL_OK &&
          sl_view_is(doc.text, "{\"text\":\"x\"}"));
    CHECK(decode_as("text/plain; charset=us-ascii", SL_VIEW("x")) == SL_OK);
    CHECK(decode_as("text/markdown", SL_VIEW("x")) == SL_OK && doc.text_media == SL_MEDIA_MARKDOWN);
    CHECK(decode_as("", SL_VIEW("{\"text\":\"x\"}")) == SL_OK &&
          sl_view_is(doc.text, "x")); /* empty: sniffed */
    CHECK(decode_as("application/json", SL_VIEW("hello")) == SL_REJECT &&
          strcmp(err.reason, "bad_json") == 0);
    CHECK(decode_as("application/json", SL_VIEW("[1]")) == SL_REJECT &&
          strcmp(err.reason, "bad_json") == 0);
    CHECK(decode_as("bad\x01\xFFtype", SL_VIEW("x")) == SL_REJECT &&
          strchr(err.message, '\x01') == NULL);
}

TEST(cloudevents_binary_mode)
{
    struct sl_header headers[] = {{SL_VIEW("ce_specversion"), SL_VIEW("1.0")},
                                  {SL_VIEW("ce_type"), SL_VIEW("doc")},
                                  {SL_VIEW("content-type"), SL_VIEW("application/json")}};

    REQUIRE(decode_with(SL_VIEW("{\"text\":\"x\"}"), headers, 3) == SL_OK);
    CHECK(sl_view_is(doc.text, "x"));
    REQUIRE(decode_with(SL_VIEW_NULL, headers, 3) == SL_OK);
    CHECK(decoded == SL_DECODED_DELETE);
}

TEST(schema_registry_framing)
{
    REQUIRE(decode_with(SL_VIEW("\0\0\0\0\7{\"text\":\"x\"}"), NULL, 0) == SL_OK);
    CHECK(sl_view_is(doc.text, "x"));
    CHECK(decode_as("application/json", SL_VIEW("\0\0\0\0\7 {\"text\":\"x\"}")) == SL_OK);
    GIVES("\0\0\0\0\7\2\6abc", "schema_framing");
    GIVES("\0\0\0", "schema_framing");
    GIVES("\0\0\0\0\7", "schema_framing");
    GIVES("\0\0\0\0\7{\"text\":", "bad_json");
}

TEST(markdown_is_recognised)
{
    REQUIRE(decode_with(SL_VIEW("\n# The Title #\n\nText.\n## Part\nMore."), NULL, 0) == SL_OK);
    CHECK(doc.text_media == SL_MEDIA_MARKDOWN && sl_view_is(doc.title, "The Title"));
    REQUIRE(decode_with(SL_VIEW("{\"text\":\"intro\\n\\n## Part\\nMore.\"}"), NULL, 0) == SL_OK);
    CHECK(doc.text_media == SL_MEDIA_MARKDOWN && doc.title.data == NULL);
    REQUIRE(decode_with(SL_VIEW("{\"title\":\"T\",\"text\":\"# H\\nMore.\"}"), NULL, 0) == SL_OK);
    CHECK(sl_view_is(doc.title, "T"));
    REQUIRE(decode_with(SL_VIEW("#hashtag and #another\n```\n# comment\n```\n"), NULL, 0) == SL_OK);
    CHECK(doc.text_media == SL_MEDIA_TEXT && doc.title.data == NULL);
}

TEST(a_date_comes_from_body_header_title_and_key_in_this_order_and_never_from_the_text)
{
    struct sl_header headers[] = {{SL_VIEW("title"), SL_VIEW("Minutes of December 15-16, 2015")},
                                  {SL_VIEW("date"), SL_VIEW("2014-01-02")}};
    struct sl_message message = {.topic = SL_VIEW("docs"),
                                 .timestamp_ms = 5,
                                 .key = SL_VIEW("2012/FOMC20111216confcall.txt"),
                                 .value = SL_VIEW("On 2010-10-10 it rained."),
                                 .headers = headers,
                                 .header_count = 2};

    REQUIRE(decode_with(SL_VIEW("{\"text\":\"x\",\"date\":\"2013\"}"), headers, 2) == SL_OK);
    CHECK(sl_view_is(doc.date, "2013"));
    REQUIRE(decode_with(SL_VIEW("x"), headers, 2) == SL_OK && sl_view_is(doc.date, "2014-01-02"));
    REQUIRE(decode_with(SL_VIEW("x"), headers, 1) == SL_OK && sl_view_is(doc.date, "2015-12-16"));
    CHECK(doc.date_days.from == day(2015, 12, 16) && doc.date_days.to == day(2015, 12, 16));
    REQUIRE(sl_decode(&message, &options, arena, &doc, &decoded, &err) == SL_OK);
    CHECK(sl_view_is(doc.date, "2014-01-02"));
    message.header_count = 0;
    REQUIRE(sl_decode(&message, &options, arena, &doc, &decoded, &err) == SL_OK);
    CHECK(sl_view_is(doc.date, "2011-12-16"));
    message.key = SL_VIEW("2012-01-01/note");
    REQUIRE(sl_decode(&message, &options, arena, &doc, &decoded, &err) == SL_OK);
    CHECK(doc.date.data == NULL && doc.date_days.from == SL_DAY_NONE);
}

TEST(document_headers)
{
    struct sl_header headers[] = {{SL_VIEW("title"), SL_VIEW("first")},
                                  {SL_VIEW("title"), SL_VIEW("last")},
                                  {SL_VIEW("date"), SL_VIEW("2015-12-16")}};
    struct sl_header bad_date = {SL_VIEW("date"), SL_VIEW("yesterday")};
    struct sl_header bad_text = {SL_VIEW("title"), SL_VIEW("\xFF")};
    struct sl_header no_value = {SL_VIEW("title"), SL_VIEW_NULL};

    REQUIRE(decode_with(SL_VIEW("text"), headers, 3) == SL_OK);
    CHECK(sl_view_is(doc.title, "last") && doc.date_days.from == day(2015, 12, 16));
    REQUIRE(decode_with(SL_VIEW("{\"text\":\"x\",\"title\":\"own\",\"date\":\"2014\"}"), headers,
                        3) == SL_OK);
    CHECK(sl_view_is(doc.title, "own") && sl_view_is(doc.date, "2014"));
    CHECK(strcmp(reason(decode_with(SL_VIEW("x"), &bad_date, 1)), "bad_field") == 0);
    CHECK(strcmp(reason(decode_with(SL_VIEW("x"), &bad_text, 1)), "bad_field") == 0);
    REQUIRE(decode_with(SL_VIEW("x"), &no_value, 1) == SL_OK);
    CHECK(doc.title.data == NULL);
}

TEST(tenant_comes_from_the_trusted_place)
{
    struct sl_header header = {SL_VIEW("x-tenant"), SL_VIEW("from-header")};

    options.tenant_header = "x-tenant";
    REQUIRE(decode_with(SL_VIEW("{\"text\":\"x\",\"tenant\":\"own\"}"), &header, 1) == SL_OK);
    CHECK(sl_view_is(doc.tenant, "from-header"));
    options.tenant = SL_VIEW("from-topic");
    REQUIRE(decode_with(SL_VIEW("{\"text\":\"x\",\"tenant\":\"own\"}"), &header, 1) == SL_OK);
    CHECK(sl_view_is(doc.tenant, "from-topic"));
    memset(&options, 0, sizeof options);
    REQUIRE(decode_with(SL_VIEW("{\"text\":\"x\",\"tenant\":\"own\"}"), &header, 1) == SL_OK);
    CHECK(sl_view_is(doc.tenant, "own"));
}

TEST(B1_empty_value)
{
    CHECK(strcmp(reason(decode_with((struct sl_view){"", 0}, NULL, 0)), "empty_value") == 0);
}

TEST(B2_null_value_deletes)
{
    REQUIRE(decode_with(SL_VIEW_NULL, NULL, 0) == SL_OK);
    CHECK(decoded == SL_DECODED_DELETE);
    CHECK(sl_view_is(doc.key, "k") && sl_view_is(doc.topic, "docs") && doc.partition == 3 &&
          doc.offset == 17);
    CHECK(doc.text.data == NULL);
}

static const char *key_gives(struct sl_view key)
{
    struct sl_message message = {
        .topic = SL_VIEW("docs"), .key = key, .value = SL_VIEW("x"), .offset = 1};

    sl_arena_reset(arena);
    return reason(sl_decode(&message, &options, arena, &doc, &decoded, &err));
}

TEST(B3_B4_keys)
{
    size_t size = SL_KEY_BYTES_MAX + 1;
    char *bytes = calloc(1, size);

    CHECK(strcmp(key_gives(SL_VIEW_NULL), "null_key") == 0);
    CHECK(strcmp(key_gives((struct sl_view){"", 0}), "empty_key") == 0);
    CHECK(strcmp(key_gives((struct sl_view){bytes, 100 << 10}), "") == 0);
    CHECK(strcmp(key_gives((struct sl_view){bytes, size}), "key_too_long") == 0);
    CHECK(strcmp(key_gives(SL_VIEW("\xFF\0\x01")), "") == 0 && doc.key.size == 3);
    free(bytes);
}

TEST(B5_to_B17_json)
{
    GIVES("{\"text\":\"x\"}xyz", "trailing_data");
    GIVES("{\"text\":\"x\"}{\"text\":\"y\"}", "trailing_data");
    GIVES("{\"text\":\"x\",\"text\":\"y\"}", "duplicate_key");
    GIVES("{\"Text\":\"x\"}", "no_text"); /* B7: no text, only a metadata name that looks like it */
    GIVES("{\"text\":\"a\\u0000b\"}", "nul_in_string");
    GIVES("{\"text\":\"a\0b\"}", "nul_in_string");
    GIVES("{\"text\":\"\xFF\xFE\"}", "bad_utf8");
    GIVES("{\"text\":\"\xC0\xAF\"}", "bad_utf8");
    GIVES("{\"text\":\"\xED\xA0\x80\"}", "bad_utf8");
    GIVES("{\"text\":\"\\ud800\"}", "bad_utf8");
    GIVES("{\"text\":\"a\nb\"}", "control_in_string");
    GIVES("\xEF\xBB\xBF{\"text\":\"x\"}", "");
    GIVES("{\"text\":\"x\",\"n\":0123}", "bad_json");
    GIVES("{\"text\":\"x\",\"n\":1e999}", "number_range");
    GIVES("{\"text\":\"x\",\"version\":9007199254740993}", "number_range");
    GIVES(
        "{\"text\":\"x\",\"n\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}",
        "too_deep");
}

TEST(B9_B10_plain_text)
{
    GIVES("a\0b", "nul_in_string");
    GIVES("caf\xE9", "bad_utf8");
    GIVES("\xED\xA0\x80", "bad_utf8");
    REQUIRE(decode_with(SL_VIEW("\xEF\xBB\xBFtext"), NULL, 0) == SL_OK); /* B13 */
    CHECK(sl_view_is(doc.text, "text"));
}

TEST(B20_too_large)
{
    char *text = malloc(SL_TEXT_BYTES_MAX + 1);

    memset(text, 'x', SL_TEXT_BYTES_MAX + 1);
    CHECK(strcmp(reason(decode_with((struct sl_view){text, SL_TEXT_BYTES_MAX + 1}, NULL, 0)),
                 "too_large") == 0);
    options.record_bytes_max = 10;
    GIVES("12345678901", "too_large");
    GIVES("1234567890", "");
    options.record_bytes_max = 0;
    free(text);
}

TEST(B21_no_text)
{
    GIVES(" \n\t ", "no_text");
    GIVES("\xE2\x80\x8B\xE2\x80\x8B", "no_text");
    GIVES("\x01\x02", "no_text");
    GIVES("{\"text\":\"\"}", "no_text");
    GIVES("{\"text\":\"\\u200b \\u0001\"}", "no_text");
    GIVES("{}", "no_text");
    GIVES("{\"text\":null}", "no_text");
    GIVES("{\"title\":\"only a title\"}", "no_text");
    GIVES("{\"title\":\"only a title\",\"text\":null}", "no_text");
    GIVES("{\"title\":\"a title\",\"text\":\" \"}", "no_text");
    GIVES("{\"title\":\"\",\"text\":\"\"}", "no_text");
    GIVES("{\"title\":\"\\u200b\",\"text\":\"\"}", "no_text");
    GIVES("{\"title\":\"a title\",\"turns\":[]}", "no_text");
    GIVES("\xEF\xBB\xBF", "no_text");
}

TEST(a_title_with_an_empty_text_is_the_text)
{
    GIVES("{\"title\":\"Masks in hospitals\",\"text\":\"\"}", "");
    CHECK(sl_view_equal(doc.text, SL_VIEW("Masks in hospitals")) && sl_view_equal(doc.title, doc.text));
    GIVES("{\"title\":\"Masks\",\"body\":\"\"}", "");
    CHECK(sl_view_equal(doc.text, SL_VIEW("Masks")));
}

TEST(B22_B23_strange_but_good)
{
    size_t size = 5u << 20;
    char *word = malloc(size);

    memset(word, 'w', size);
    CHECK(decode_with((struct sl_view){word, size}, NULL, 0) == SL_OK && doc.text.size == size);
    free(word);
    GIVES("\xE2\x80\xAEright to left\xE2\x80\xAC", "");
    GIVES("x\xF3\xA0\x81\x81y", "");
}

TEST(B28_timestamps)
{
    int64_t stamps[] = {-1, 0, 253402300799999, INT64_MAX, INT64_MIN};

    for (size_t i = 0; i < 5; i++) {
        struct sl_message message = {.topic = SL_VIEW("docs"),
                                     .key = SL_VIEW("k"),
                                     .value = SL_VIEW("x"),
                                     .timestamp_ms = stamps[i]};
        sl_arena_reset(arena);
        REQUIRE(sl_decode(&message, &options, arena, &doc, &decoded, &err) == SL_OK);
        CHECK(doc.timestamp_ms == stamps[i] && doc.date.data == NULL);
    }
}

TEST(B32_headers_are_bytes)
{
    struct sl_header headers[] = {{SL_VIEW("correlation"), SL_VIEW("a\r\n\0b")},
                                  {SL_VIEW("\xFF\xFE"), SL_VIEW("x")}};

    CHECK(decode_with(SL_VIEW("x"), headers, 2) == SL_OK);
}

TEST(B33_vectors)
{
    GIVES("{\"text\":\"x\",\"vector\":[]}", "bad_vector");
    GIVES("{\"text\":\"x\",\"vector\":\"abc\"}", "bad_vector");
    GIVES("{\"text\":\"x\",\"vector\":[1,\"2\"]}", "bad_vector");
    GIVES("{\"text\":\"x\",\"vector\":[0,0]}", "bad_vector");
    GIVES("{\"text\":\"x\",\"vector\":[1e300]}", "bad_vector");
    GIVES("{\"text\":\"x\",\"vector\":[1e7]}", "bad_vector");
    GIVES("{\"text\":\"x\",\"vector\":null}", "");
}

TEST(fields_that_do_not_fit)
{
    struct sl_buffer many = {0};

    GIVES("{\"text\":7}", "bad_field");
    GIVES("{\"text\":\"x\",\"title\":7}", "bad_field");
    GIVES("{\"text\":\"x\",\"date\":\"16 Dec\"}", "bad_field");
    GIVES("{\"text\":\"x\",\"date\":20151216}", "bad_field");
    GIVES("{\"text\":\"x\",\"a\":[[1]]}", "bad_field");
    GIVES("{\"text\":\"x\",\"a\":[{\"b\":1}]}", "bad_field");
    GIVES("{\"text\":\"x\",\"\":1}", "bad_field");
    GIVES("{\"text\":\"x\",\"date\":\"\",\"title\":\"\"}", "");
    sl_buffer_format(&many, "{\"text\":\"x\",\"a\":[0");
    for (int i = 0; i < 256; i++)
        sl_buffer_format(&many, ",%d", i);
    sl_buffer_format(&many, "]}");
    CHECK(strcmp(reason(decode_with((struct sl_view){many.data, many.size}, NULL, 0)),
                 "bad_field") == 0);
    many.size = 0;
    sl_buffer_format(&many, "{\"text\":\"x\",\"a\":\"%05000d\"}", 0);
    CHECK(strcmp(reason(decode_with((struct sl_view){many.data, many.size}, NULL, 0)),
                 "bad_field") == 0);
    many.size = 0;
    sl_buffer_format(&many, "{\"text\":\"x\",\"%0200d\":1}", 0);
    CHECK(strcmp(reason(decode_with((struct sl_view){many.data, many.size}, NULL, 0)),
                 "bad_field") == 0);
    sl_buffer_fini(&many);
}

static void hash_of(const char *json, uint8_t *ret_hash)
{
    CHECK(decode_with(sl_view_of(json), NULL, 0) == SL_OK);
    memcpy(ret_hash, doc.content_hash, 32);
}

TEST(turns_are_a_text)
{
    REQUIRE(decode_with(SL_VIEW("{\"title\": \"T\", \"turns\": ["
                                "{\"speaker\": \"CHAIR YELLEN\", \"text\": \" Good afternoon. \"},"
                                "{\"speaker\": \"CHAIR YELLEN.\", \"text\": \"Welcome.\"},"
                                "{\"speaker\": \"Ms. Kim\", \"text\": \"\"},"
                                "{\"speaker\": \"Ms. Kim\", \"text\": \"Why?\", \"start\": 3723.9},"
                                "{\"speaker\": \"\uC0C1\uB2F4\uC6D0\", \"text\": \"A.\", "
                                "\"start\": \"01:02:10.5\"},"
                                "{\"speaker\": \"SPEAKER_00\", \"text\": \"B.\", \"id\": 7},"
                                "{\"speaker\": 2, \"text\": \"C.\"}, {\"text\": \"D.\"}]}"),
                        NULL, 0) == SL_OK);
    CHECK(sl_view_is(doc.text, "CHAIR YELLEN. Good afternoon. Welcome.\n\n"
                               "Ms. Kim: [1:02:03] Why?\n\n\uC0C1\uB2F4\uC6D0: [01:02:10.5] A.\n\n"
                               "**SPEAKER_00:** B.\n\n**Speaker 2:** C.\n\nD."));
    REQUIRE(doc.field_count == 5);
    CHECK(sl_view_is(doc.fields[0].name, "speaker") && doc.fields[0].in_array);
    CHECK(sl_view_is(doc.fields[0].string, "CHAIR YELLEN"));
    CHECK(sl_view_is(doc.fields[4].string, "Speaker 2"));
    REQUIRE(decode_with(SL_VIEW("{\"segments\": [{\"text\": \"a b\"}, {\"text\": \"c.\"}], "
                                "\"speaker\": \"me\"}"),
                        NULL, 0) == SL_OK);
    CHECK(sl_view_is(doc.text, "a b c.") && doc.field_count == 1);
    REQUIRE(decode_with(SL_VIEW("{\"text\": \"x\", \"segments\": [\"retail\", \"trade\"]}"), NULL,
                        0) == SL_OK);
    CHECK(sl_view_is(doc.text, "x") && doc.field_count == 2);
}

TEST(turns_that_do_not_fit)
{
    GIVES("{\"turns\": [{\"text\": \"a\"}, \"b\"]}", "bad_field");
    GIVES("{\"turns\": [{\"speaker\": \"A\"}]}", "bad_field");
    GIVES("{\"turns\": [{\"speaker\": \"A\", \"text\": 3}]}", "bad_field");
    GIVES("{\"turns\": [{\"speaker\": [], \"text\": \"a\"}]}", "bad_field");
    GIVES("{\"turns\": [{\"speaker\": \"a\\nb\", \"text\": \"a\"}]}", "bad_field");
    GIVES("{\"turns\": [{\"speaker\": \"0123456789012345678901234567890123456789+\", \"text\": "
          "\"a\"}]}",
          "bad_field");
    GIVES("{\"turns\": [{\"text\": \"a\", \"start\": -1}]}", "bad_field");
    GIVES("{\"turns\": [{\"text\": \"a\", \"start\": \"soon\"}]}", "bad_field");
    CHECK(strcmp(err.message, "turns[0]: start must be seconds, or a time such as \"00:12:03\"") ==
          0);
    GIVES("{\"text\": \"a\", \"turns\": [{\"text\": \"a\"}]}", "bad_field");
    GIVES("{\"turns\": [{\"text\": \" \"}]}", "no_text");
    GIVES("{\"turns\": []}", "no_text");
}

TEST(content_hash_tells_contents_apart)
{
    static const char *const different[] = {"{\"text\":\"x\"}",
                                            "{\"text\":\"y\"}",
                                            "{\"text\":\"x\",\"title\":\"t\"}",
                                            "{\"text\":\"x\",\"lang\":\"t\"}",
                                            "{\"text\":\"x\",\"date\":\"2015\"}",
                                            "{\"text\":\"x\",\"valid_from\":\"2015\"}",
                                            "{\"text\":\"x\",\"a\":1}",
                                            "{\"text\":\"x\",\"a\":[1]}",
                                            "{\"text\":\"x\",\"a\":\"1\"}",
                                            "{\"text\":\"x\",\"a\":true}",
                                            "{\"text\":\"x\",\"b\":1}",
                                            "{\"text\":\"x\",\"vector\":[1]}",
                                            "{\"text\":\"x\",\"tenant\":\"t\"}"};
    enum { COUNT = sizeof different / sizeof different[0] };
    uint8_t hashes[COUNT][32], again[32];

    for (int i = 0; i < COUNT; i++) {
        hash_of(different[i], hashes[i]);
        for (int j = 0; j < i; j++)
            CHECK_THAT(memcmp(hashes[i], hashes[j], 32) != 0, "%s and %s", different[i],
                       different[j]);
    }
    hash_of("  {\"_id\":\"z\", \"text\" : \"x\" }",
            again); /* the same content, written differently */
    CHECK(memcmp(again, hashes[0], 32) == 0);
}

TEST(a_small_arena_is_said)
{
    struct sl_message message = {
        .topic = SL_VIEW("docs"),
        .key = SL_VIEW("k"),
        .value = SL_VIEW("{\"text\":\"0123456789012345678901234567890123456789\"}")};
    struct sl_arena *small = sl_arena_open(16);

    CHECK(strcmp(reason(sl_decode(&message, &options, small, &doc, &decoded, &err)), "too_large") ==
          0);
    sl_arena_close(small);
}

__attribute__((destructor)) static void close_arena(void)
{
    arena = sl_arena_close(arena);
}
