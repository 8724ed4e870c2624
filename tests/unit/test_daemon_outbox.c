/* test_daemon_outbox.c -- records as rows, dead letters, reply targets and headers. */
#include <sluice/hash.h>
#include <sluice/limits.h>

#include "daemon/dead_letter.h"
#include "daemon/records.h"
#include "daemon/replies.h"
#include "test.h"

static const struct sl_header some_headers[] = {{{"a", 1}, {"1", 1}},
                                                {{"none", 4}, {NULL, 0}},
                                                {{"empty", 5}, {"", 0}},
                                                {{"a", 1}, {"\0\xff", 2}}};

static struct sl_message some_message(void)
{
    return (struct sl_message){.topic = SL_VIEW("docs"),
                               .partition = 3,
                               .offset = 17,
                               .timestamp_ms = 1234567890123,
                               .key = SL_VIEW("k\0y"),
                               .value = SL_VIEW("{\"text\": oops"),
                               .headers = some_headers,
                               .header_count = 4};
}

static bool same_bytes(struct sl_view a, struct sl_view b)
{
    return (a.data == NULL) == (b.data == NULL) && sl_view_equal(a, b);
}

TEST(record_copy_is_whole_and_independent)
{
    struct sl_message message = some_message();
    struct sl_record *copy;

    message.value = SL_VIEW_NULL;
    message.key = SL_VIEW("");
    copy = sl_record_copy(&message);
    REQUIRE(copy != NULL);
    CHECK(copy->message.value.data == NULL);
    CHECK(copy->message.key.data != NULL && copy->message.key.size == 0);
    CHECK(copy->message.topic.data != message.topic.data &&
          sl_view_is(copy->message.topic, "docs"));
    CHECK(copy->message.header_count == 4);
    for (uint32_t i = 0; i < 4; i++) {
        CHECK(same_bytes(copy->message.headers[i].name, some_headers[i].name));
        CHECK(same_bytes(copy->message.headers[i].value, some_headers[i].value));
    }
    free(copy);
}

TEST(record_digest_tells_questions_apart)
{
    struct sl_message a = some_message(), b = some_message();
    uint8_t x[32], y[32];

    sl_record_digest(&a, x);
    sl_record_digest(&b, y);
    CHECK(memcmp(x, y, 32) == 0);
    b.key = SL_VIEW("k\0y{");
    b.value = SL_VIEW("\"text\": oops"); /* the same bytes, cut elsewhere */
    sl_record_digest(&b, y);
    CHECK(memcmp(x, y, 32) != 0);
    b = some_message();
    b.header_count = 3;
    sl_record_digest(&b, y);
    CHECK(memcmp(x, y, 32) != 0);
}

TEST(outgoing_comes_back_as_it_was)
{
    struct sl_outgoing in = {"answers", 4, -1, SL_VIEW(""), SL_VIEW_NULL, some_headers, 4}, out;
    struct sl_arena *arena = sl_arena_open(1 << 20);
    struct sl_buffer bytes = {0};

    sl_outgoing_encode(&in, &bytes);
    REQUIRE(sl_outgoing_decode((struct sl_view){bytes.data, bytes.size}, arena, &out, NULL) ==
            SL_OK);
    CHECK(strcmp(out.topic, "answers") == 0 && out.partition == 4 && out.timestamp_ms == -1);
    CHECK(same_bytes(out.key, in.key) && same_bytes(out.value, in.value) && out.header_count == 4);
    for (uint32_t i = 0; i < 4; i++)
        CHECK(same_bytes(out.headers[i].value, some_headers[i].value));
    for (size_t size = 0; size < bytes.size; size++) /* cut anywhere: refused */
        CHECK(sl_outgoing_decode((struct sl_view){bytes.data, size}, arena, &out, NULL) == SL_STOP);
    sl_buffer_add(&bytes, "x", 1);
    CHECK(sl_outgoing_decode((struct sl_view){bytes.data, bytes.size}, arena, &out, NULL) ==
          SL_STOP);
    sl_buffer_fini(&bytes);
    sl_arena_close(arena);
}

TEST(reply_row_comes_back_as_it_was)
{
    struct sl_reply_row in = {
        {1, 2, 3}, 99, SL_VIEW("questions"), 2, 1LL << 40, SL_VIEW("answered"), SL_VIEW("rec")};
    struct sl_reply_row out;
    struct sl_buffer bytes = {0};

    sl_reply_row_encode(&in, &bytes);
    REQUIRE(sl_reply_row_decode((struct sl_view){bytes.data, bytes.size}, &out, NULL) == SL_OK);
    CHECK(memcmp(in.question_digest, out.question_digest, 32) == 0 &&
          out.question_timestamp_ms == 99);
    CHECK(sl_view_is(out.topic, "questions") && out.partition == 2 && out.offset == 1LL << 40);
    CHECK(sl_view_is(out.status, "answered") && sl_view_is(out.record, "rec"));
    for (size_t size = 0; size < bytes.size; size++)
        CHECK(sl_reply_row_decode((struct sl_view){bytes.data, size}, &out, NULL) == SL_STOP);
    sl_buffer_fini(&bytes);
}

/* ------------------------------------------------------------------------------ dead letters */

static struct sl_view header_of(const struct sl_outgoing *record, const char *name)
{
    struct sl_message message = {.headers = record->headers, .header_count = record->header_count};

    return sl_message_header(&message, name);
}

TEST(dead_letter_carries_the_record_and_connects_headers)
{
    struct sl_message message = some_message();
    struct sl_dead_letter letter = {.topic = "docs.dlq",
                                    .instance = "a",
                                    .message = &message,
                                    .reason = "bad_json",
                                    .explanation = "byte 9: what is this?",
                                    .attempts = 1};
    struct sl_arena *arena = sl_arena_open(1 << 20);
    struct sl_outgoing out;
    char id[37];

    REQUIRE(sl_dead_letter_make(&letter, arena, &out, NULL) == SL_OK);
    CHECK(strcmp(out.topic, "docs.dlq") == 0 && out.timestamp_ms == message.timestamp_ms);
    CHECK(same_bytes(out.key, message.key) && same_bytes(out.value, message.value));
    for (uint32_t i = 0; i < 4; i++)
        CHECK(same_bytes(out.headers[i].value, some_headers[i].value));
    CHECK(sl_view_is(header_of(&out, "sluice-reason"), "bad_json"));
    CHECK(sl_view_is(header_of(&out, "sluice-attempts"), "1"));
    CHECK(sl_view_is(header_of(&out, "__connect.errors.topic"), "docs"));
    CHECK(sl_view_is(header_of(&out, "__connect.errors.partition"), "3"));
    CHECK(sl_view_is(header_of(&out, "__connect.errors.offset"), "17"));
    CHECK(sl_view_is(header_of(&out, "__connect.errors.stage"), "VALUE_CONVERTER"));
    CHECK(sl_view_is(header_of(&out, "__connect.errors.exception.class.name"), "sluice.bad_json"));
    CHECK(
        sl_view_is(header_of(&out, "__connect.errors.exception.message"), "byte 9: what is this?"));
    CHECK(sl_view_is(header_of(&out, "__connect.errors.connector.name"), "sluice"));
    CHECK(sl_view_is(header_of(&out, "__connect.errors.task.id"), "a"));
    sl_record_id(NULL, &message, id);
    CHECK(sl_view_is(header_of(&out, "sluice-dlq-id"), id));
    sl_arena_close(arena);
}

TEST(dead_letter_without_its_value_says_what_it_was)
{
    struct sl_message message = some_message();
    struct sl_dead_letter letter = {.topic = "dlq",
                                    .instance = "a",
                                    .message = &message,
                                    .reason = "null_key",
                                    .explanation = "",
                                    .attempts = 1};
    struct sl_arena *arena = sl_arena_open(1 << 20);
    struct sl_outgoing whole, shorter;
    uint8_t digest[32];
    char hex[65];

    REQUIRE(sl_dead_letter_make(&letter, arena, &whole, NULL) == SL_OK);
    CHECK(sl_view_is(header_of(&whole, "__connect.errors.stage"), "KEY_CONVERTER"));
    CHECK(header_of(&whole, "sluice-value-sha256").data == NULL);
    REQUIRE(sl_dead_letter_shorten(&whole, arena, &shorter, NULL) == SL_OK);
    CHECK(shorter.value.data == NULL && same_bytes(shorter.key, message.key));
    sl_sha256(message.value, digest);
    sl_hex(digest, 32, hex);
    CHECK(sl_view_is(header_of(&shorter, "sluice-value-sha256"), hex));
    CHECK(sl_view_is(header_of(&shorter, "sluice-value-bytes"), "13"));
    CHECK(sl_view_is(header_of(&shorter, "sluice-reason"), "null_key"));
    sl_arena_close(arena);
}

TEST(a_shortened_letter_keeps_no_huge_key)
{
    static char key[(64 << 10) + 1];
    struct sl_message message = some_message();
    struct sl_dead_letter letter = {.topic = "dlq",
                                    .instance = "a",
                                    .message = &message,
                                    .reason = "key_too_long",
                                    .explanation = "",
                                    .attempts = 1};
    struct sl_arena *arena = sl_arena_open(1 << 20);
    struct sl_outgoing whole, shorter;

    memset(key, 'k', sizeof(key));
    message.key = (struct sl_view){key, sizeof(key) - 1};
    REQUIRE(sl_dead_letter_make(&letter, arena, &whole, NULL) == SL_OK);
    REQUIRE(sl_dead_letter_shorten(&whole, arena, &shorter, NULL) == SL_OK);
    CHECK(shorter.key.size == sizeof(key) - 1);
    message.key.size++;
    REQUIRE(sl_dead_letter_make(&letter, arena, &whole, NULL) == SL_OK);
    REQUIRE(sl_dead_letter_shorten(&whole, arena, &shorter, NULL) == SL_OK);
    CHECK(shorter.key.data == NULL && sl_view_is(header_of(&shorter, "sluice-key-bytes"), "65537"));
    CHECK(header_of(&shorter, "sluice-key-sha256").size == 64);
    sl_arena_close(arena);
}

TEST(record_id_is_a_uuid_of_the_place_in_the_cluster)
{
    struct sl_message message = some_message();
    uint8_t space[16];
    char a[37], b[37], expected[37];

    sl_uuid5_bytes(NULL, SL_VIEW("cluster-1"), space);
    sl_record_id(space, &message, a);
    sl_uuid5(space, SL_VIEW("docs/3/17"), expected);
    CHECK(strcmp(a, expected) == 0);
    message.offset = 18;
    sl_record_id(space, &message, b);
    CHECK(strcmp(a, b) != 0);
}

/* ------------------------------------------------------------------------------ replies */

static char list_item[] = "replies-a";
static char *list_items[] = {list_item};
static const struct sl_config_list allowed = {list_items, 1};

static struct sl_reply_target target_of(const char *topic_header, struct sl_view topic,
                                        const char *partition_header, struct sl_view partition)
{
    struct sl_header headers[2] = {{sl_view_of(topic_header), topic},
                                   {sl_view_of(partition_header), partition}};
    struct sl_message question = {.headers = headers, .header_count = partition_header ? 2 : 1};
    struct sl_reply_target target;

    sl_reply_target(&question, "answers", &allowed, &target);
    return target;
}

TEST(reply_target_of_both_dialects)
{
    struct sl_reply_target target = target_of("kafka_replyTopic", SL_VIEW("replies-a"),
                                              "kafka_replyPartition", SL_VIEW("\0\0\1\2"));

    CHECK(strcmp(target.topic, "replies-a") == 0 && target.partition == 258 && !target.not_allowed);
    target = target_of("REPLY_TOPIC", SL_VIEW("answers"), "REPLY_PARTITION", SL_VIEW("\0\0\0\5"));
    CHECK(strcmp(target.topic, "answers") == 0 && target.partition == 5);
    target = target_of("REPLY_TOPIC", SL_VIEW("answers"), "REPLY_PARTITION", SL_VIEW("12"));
    CHECK(target.partition == 12);
    target = target_of("other", SL_VIEW("x"), NULL, SL_VIEW_NULL);
    CHECK(strcmp(target.topic, "answers") == 0 && target.partition == -1 && !target.not_allowed);
}

TEST(reply_target_outside_the_list_goes_to_the_default)
{
    static const struct sl_view bad[] = {
        {"__consumer_offsets", 18}, {"docs", 4},         {"", 0},
        {"replies-a\0", 10},        {"replies-a\n", 10}, {"replies", 7}};

    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct sl_reply_target target =
            target_of("kafka_replyTopic", bad[i], "kafka_replyPartition", SL_VIEW("\0\0\0\1"));

        CHECK(target.not_allowed && strcmp(target.topic, "answers") == 0 && target.partition == -1);
    }
}

TEST(reply_target_ignores_what_is_no_partition)
{
    static const struct sl_view bad[] = {
        {"\xff\xff\xff\xff", 4}, {"", 0}, {"\0\0\0", 3}, {"1234567890", 10}, {"x", 1}};

    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        CHECK(target_of("kafka_replyTopic", SL_VIEW("answers"), "kafka_replyPartition", bad[i])
                  .partition == -1);
}

TEST(reply_headers_echo_bytes_and_cut_long_ones)
{
    char *big = calloc(1, 64 << 10);
    struct sl_header headers[] = {{SL_VIEW("kafka_correlationId"), SL_VIEW("\r\n\0\xff")},
                                  {SL_VIEW("REPLY_CORRELATION_ID"), {big, 64 << 10}},
                                  {SL_VIEW("traceparent"), SL_VIEW("00-abc")},
                                  {SL_VIEW("secret"), SL_VIEW("not echoed")}};
    struct sl_message question = {.headers = headers, .header_count = 4};
    struct sl_arena *arena = sl_arena_open(1 << 20);
    struct sl_outgoing out = {0};

    out.headers =
        sl_reply_headers(&question, SL_VIEW("id-1"), SL_VIEW("answered"), arena, &out.header_count);
    REQUIRE(out.headers != NULL);
    CHECK(out.header_count == 6);
    CHECK(sl_view_is(header_of(&out, "sluice-answer-id"), "id-1"));
    CHECK(sl_view_is(header_of(&out, "sluice-status"), "answered"));
    CHECK(sl_view_is(header_of(&out, "content-type"), "application/json"));
    CHECK(sl_view_equal(header_of(&out, "kafka_correlationId"), SL_VIEW("\r\n\0\xff")));
    CHECK(header_of(&out, "REPLY_CORRELATION_ID").size == SL_CORRELATION_BYTES_MAX);
    CHECK(sl_view_is(header_of(&out, "traceparent"), "00-abc"));
    CHECK(header_of(&out, "secret").data == NULL);
    sl_arena_close(arena);
    free(big);
}
