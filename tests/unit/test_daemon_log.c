/* test_daemon_log.c -- three forms of one line, levels, the limit per event, stable ids. */
#include "test.h"

#include <cjson/cJSON.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/log.h"
#include "daemon/metrics.h"

static struct sl_buffer lines;
static size_t line_count;
static uint64_t clock_now;

static void sink(void *context, struct sl_view line)
{
    (void)context;
    line_count++;
    sl_buffer_view(&lines, line);
}

static uint64_t fake_clock(void)
{
    return clock_now;
}

static void begin(enum sl_log_format format, const char *level)
{
    sl_buffer_fini(&lines);
    line_count = 0;
    clock_now = 5000;
    sl_log_capture(sink, NULL, fake_clock);
    sl_log_configure(format, level, "hr");
}

static void end(void)
{
    sl_log_capture(NULL, NULL, NULL);
    sl_buffer_fini(&lines);
}

static bool has(const char *part)
{
    return lines.data != NULL && strstr(lines.data, part) != NULL;
}

static const struct sl_log_fields position = {
    .topic = "docs", .partition = 0, .has_offset = true, .offset = 17, .reason = "bad_json",
    .key_hash = 0xABC};

TEST(text_has_the_sentence_then_the_fields)
{
    begin(SL_LOG_TEXT, "info");
    sl_log_with(SL_LOG_WARNING, "record_refused", &position, "set %s", "aside");
    CHECK_THAT(has(" warning record_refused: set aside (topic=docs partition=0 offset=17 reason=bad_json "
                   "key_hash=0000000000000abc)\n"), "%s", lines.data);
    end();
}

TEST(json_is_json_with_the_journals_names)
{
    cJSON *line;

    begin(SL_LOG_JSON, "info");
    sl_log_with(SL_LOG_WARNING, "record_refused", &position, "a \"quoted\"\n\xFF sentence");
    REQUIRE(lines.data != NULL && lines.data[lines.size - 1] == '\n');
    line = cJSON_Parse(lines.data);
    REQUIRE(line != NULL);
    CHECK(strcmp(cJSON_GetObjectItem(line, "SLUICE_EVENT")->valuestring, "record_refused") == 0);
    CHECK(strcmp(cJSON_GetObjectItem(line, "SLUICE_INSTANCE")->valuestring, "hr") == 0);
    CHECK(cJSON_GetObjectItem(line, "PRIORITY")->valueint == 4);
    CHECK(cJSON_GetObjectItem(line, "SLUICE_OFFSET")->valueint == 17);
    CHECK(cJSON_GetObjectItem(line, "SLUICE_PARTITION")->valueint == 0);
    CHECK(strcmp(cJSON_GetObjectItem(line, "MESSAGE")->valuestring, "a \"quoted\"?\xEF\xBF\xBD sentence") == 0);
    CHECK(cJSON_GetObjectItem(line, "SLUICE_ATTEMPT") == NULL);
    cJSON_Delete(line);
    end();
}

TEST(journal_gets_fields)
{
    char id[33], expected[64];

    begin(SL_LOG_JOURNAL, "info");
    sl_log_with(SL_LOG_ERROR, "record_refused", &position, "one\nline");
    sl_log_message_id("record_refused", id);
    (void)snprintf(expected, sizeof expected, "MESSAGE_ID=%s\n", id);
    CHECK(has("MESSAGE=one?line\n") && has("PRIORITY=3\n") && has("SLUICE_TOPIC=docs\n") &&
          has("SLUICE_PARTITION=0\n") && has("SLUICE_OFFSET=17\n") && has("SLUICE_REASON=bad_json\n") &&
          has("SLUICE_EVENT=record_refused\n") && has("SYSLOG_IDENTIFIER=sluiced\n") && has(expected));
    end();
}

TEST(ids_are_stable_and_differ)
{
    char a[33], b[33];

    /* Sites have this number in their alerts: it must never change. */
    sl_log_message_id("config_rejected", a);
    CHECK_THAT(strcmp(a, "d01d8cefee6f5141b92a8e3b13ab80b2") == 0, "%s", a);
    sl_log_message_id("config_reloaded", b);
    CHECK(strlen(a) == 32 && strcmp(a, b) != 0);
}

TEST(levels_are_obeyed)
{
    static const char *const names[] = {"error", "warning", "notice", "info", "debug"};

    for (size_t i = 0; i < 5; i++) {
        begin(SL_LOG_TEXT, names[i]);
        sl_log(SL_LOG_ERROR, "a", "x");
        sl_log(SL_LOG_WARNING, "b", "x");
        sl_log(SL_LOG_NOTICE, "c", "x");
        sl_log(SL_LOG_INFO, "d", "x");
        sl_log(SL_LOG_DEBUG, "e", "x");
        CHECK_THAT(line_count == i + 1, "%s: %zu lines", names[i], line_count);
        CHECK(sl_log_wants(SL_LOG_DEBUG) == (i == 4));
    }
    end();
}

TEST(a_flood_is_held_back_and_counted)
{
    sl_metrics_reset();
    begin(SL_LOG_JSON, "info");
    for (int i = 0; i < 100; i++)
        sl_log(SL_LOG_INFO, "flood", "line %d", i);
    sl_log(SL_LOG_INFO, "other", "not affected");
    CHECK_THAT(line_count == 11, "%zu", line_count);
    CHECK(sl_metric_value(SL_METRIC_LOG_SUPPRESSED, "flood", NULL) == 90);
    CHECK(!has("SLUICE_SUPPRESSED"));
    clock_now += 999;
    sl_log(SL_LOG_INFO, "flood", "still the same second");
    CHECK(line_count == 11);
    clock_now += 1;
    sl_log(SL_LOG_INFO, "flood", "a new second");
    CHECK(line_count == 12 && has("\"SLUICE_SUPPRESSED\": 91"));
    end();
}

TEST(a_failure_is_logged_with_its_reason)
{
    struct sl_error err = {0};

    (void)sl_fail(&err, SL_REJECT, "disk_full", "no space on %s", "/var");
    begin(SL_LOG_TEXT, "info");
    sl_log_error(SL_LOG_ERROR, "commit_failed", &err);
    CHECK(has("error commit_failed: no space on /var (reason=disk_full)\n"));
    end();
}

TEST(a_long_sentence_is_cut)
{
    char *text = malloc(100000);

    REQUIRE(text != NULL);
    memset(text, 'x', 99999);
    text[99999] = '\0';
    begin(SL_LOG_TEXT, "info");
    sl_log(SL_LOG_INFO, "long", "%s", text);
    CHECK(lines.size > 1000 && lines.size < 1200);
    end();
    free(text);
}

/* auto: the journal only when standard error still is the stream the manager made. */
TEST(auto_looks_at_standard_error)
{
    struct stat at;
    char stream[64];

    REQUIRE(fstat(STDERR_FILENO, &at) == 0);
    (void)snprintf(stream, sizeof stream, "%llu:%llu", (unsigned long long)at.st_dev,
                   (unsigned long long)at.st_ino);
    (void)setenv("JOURNAL_STREAM", stream, 1);
    begin(SL_LOG_AUTO, "info");
    sl_log(SL_LOG_INFO, "a", "x");
    CHECK(has("MESSAGE=x\n"));
    (void)setenv("JOURNAL_STREAM", "1:2", 1);
    begin(SL_LOG_AUTO, "info");
    sl_log(SL_LOG_INFO, "a", "x");
    CHECK(has(" info a: x\n"));
    (void)unsetenv("JOURNAL_STREAM");
    end();
}

/* Every row of the manual's table: | `event` | `id` | what | */
TEST(the_documented_ids_are_these)
{
    FILE *file = fopen(SOURCE_DIR "/docs/OPERATIONS.md", "re");
    char line[512], event[64], documented[40], id[33];
    int rows = 0;

    REQUIRE(file != NULL);
    while (fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "| `%63[a-z_]` | `%32[0-9a-f]` |", event, documented) != 2)
            continue;
        rows++;
        sl_log_message_id(event, id);
        CHECK_THAT(strcmp(id, documented) == 0, "%s is %s", event, id);
    }
    (void)fclose(file);
    CHECK(rows > 20);
}
