/* test_daemon_metrics.c -- the registry and the text it renders. */
#include "test.h"

#include <ctype.h>
#include <pthread.h>

#include "daemon/metrics.h"

/* What a scrape finds. The caller frees it. */
static struct sl_buffer rendered(void)
{
    struct sl_buffer out = {0};

    sl_metrics_render(&out);
    CHECK(!out.failed);
    return out;
}

static bool has_line(const struct sl_buffer *text, const char *line)
{
    const char *found = text->data;
    size_t size = strlen(line);

    while ((found = strstr(found, line)) != NULL) {
        if ((found == text->data || found[-1] == '\n') && found[size] == '\n')
            return true;
        found++;
    }
    return false;
}

/* The table's rule per type: counters end in _total, nothing else does, all are sluice_. */
TEST(names_follow_the_conventions)
{
    for (enum sl_metric_family a = 0; a < SL_METRIC_COUNT; a++) {
        const char *name = sl_metric_name(a);
        CHECK_THAT(strncmp(name, "sluice_", 7) == 0, "%s", name);
        for (const char *c = name; *c != '\0'; c++)
            CHECK_THAT(islower(*c) || isdigit(*c) || *c == '_', "%s", name);
        for (enum sl_metric_family b = 0; b < a; b++)
            CHECK_THAT(strcmp(name, sl_metric_name(b)) != 0, "%s twice", name);
    }
}

static bool is_total(const char *name)
{
    size_t size = strlen(name);

    return size > 6 && strcmp(name + size - 6, "_total") == 0;
}

TEST(every_family_is_rendered_with_type_and_help)
{
    struct sl_buffer text;

    sl_metrics_reset();
    text = rendered();
    for (enum sl_metric_family metric = 0; metric < SL_METRIC_COUNT; metric++) {
        const char *name = sl_metric_name(metric), *type;
        char heading[160];
        (void)snprintf(heading, sizeof heading, "# TYPE %s ", name);
        type = strstr(text.data, heading);
        CHECK_THAT(type != NULL, "%s", name);
        if (type != NULL)
            CHECK_THAT((strncmp(type + strlen(heading), "counter\n", 8) == 0) == is_total(name), "%s", name);
        (void)snprintf(heading, sizeof heading, "# HELP %s ", name);
        CHECK_THAT(strstr(text.data, heading) != NULL, "%s", name);
    }
    sl_buffer_fini(&text);
}

TEST(counters_gauges_and_labels)
{
    struct sl_buffer text;

    sl_metrics_reset();
    sl_metric_add(SL_METRIC_EMBED_TOKENS, 3);
    sl_metric_add(SL_METRIC_EMBED_TOKENS, 4);
    sl_metric_add_label(SL_METRIC_DLQ_RECORDS, "bad_json", 1);
    sl_metric_add_labels(SL_METRIC_RETRIES, "embed", "busy", 2);
    sl_metric_set_partition(SL_METRIC_PARTITION_LAG_RECORDS, "docs", 3, 41);
    sl_metric_set_partition(SL_METRIC_PARTITION_LAG_RECORDS, "docs", 3, 42);
    sl_metric_set_partition(SL_METRIC_PARTITION_LAG_RECORDS, "docs", 4, 9007199254740991.0);
    sl_metric_move(SL_METRIC_INFLIGHT_RECORDS, "embed", 5);
    sl_metric_move(SL_METRIC_INFLIGHT_RECORDS, "embed", -2);
    sl_metric_set(SL_METRIC_DISK_FREE_BYTES, 0.5);
    text = rendered();
    CHECK(has_line(&text, "sluice_embed_tokens_total 7"));
    CHECK(has_line(&text, "sluice_dlq_records_total{reason=\"bad_json\"} 1"));
    CHECK(has_line(&text, "sluice_retries_total{stage=\"embed\",reason=\"busy\"} 2"));
    CHECK(has_line(&text, "sluice_partition_lag_records{topic=\"docs\",partition=\"3\"} 42"));
    CHECK(has_line(&text, "sluice_partition_lag_records{topic=\"docs\",partition=\"4\"} 9007199254740991"));
    CHECK(has_line(&text, "sluice_inflight_records{stage=\"embed\"} 3"));
    CHECK(has_line(&text, "sluice_disk_free_bytes 0.5"));
    CHECK(has_line(&text, "sluice_documents_stale_total 0"));
    sl_buffer_fini(&text);
    sl_metric_forget(SL_METRIC_PARTITION_LAG_RECORDS, "docs", "3");
    text = rendered();
    CHECK(strstr(text.data, "partition=\"3\"") == NULL && strstr(text.data, "partition=\"4\"") != NULL);
    sl_buffer_fini(&text);
}

TEST(histograms_are_cumulative)
{
    struct sl_buffer text;

    sl_metrics_reset();
    sl_metric_observe(SL_METRIC_ANSWER_LATENCY, 0.001);
    sl_metric_observe(SL_METRIC_ANSWER_LATENCY, 0.03);
    sl_metric_observe(SL_METRIC_ANSWER_LATENCY, 1000);
    text = rendered();
    CHECK(has_line(&text, "sluice_answer_latency_seconds_bucket{le=\"0.001\"} 1"));
    CHECK(has_line(&text, "sluice_answer_latency_seconds_bucket{le=\"0.025\"} 1"));
    CHECK(has_line(&text, "sluice_answer_latency_seconds_bucket{le=\"0.05\"} 2"));
    CHECK(has_line(&text, "sluice_answer_latency_seconds_bucket{le=\"60\"} 2"));
    CHECK(has_line(&text, "sluice_answer_latency_seconds_bucket{le=\"+Inf\"} 3"));
    CHECK(has_line(&text, "sluice_answer_latency_seconds_sum 1000.031"));
    CHECK(has_line(&text, "sluice_answer_latency_seconds_count 3"));
    CHECK(has_line(&text, "sluice_embed_batch_size_bucket{le=\"+Inf\"} 0"));
    CHECK(sl_metric_value(SL_METRIC_ANSWER_LATENCY, NULL, NULL) == 3);
    sl_buffer_fini(&text);
}

TEST(label_values_are_escaped_and_cut)
{
    char label[400];
    struct sl_buffer text;

    sl_metrics_reset();
    sl_metric_add_label(SL_METRIC_KAFKA_ERRORS, "a\"b\\c\nd", 1);
    memset(label, 'x', sizeof label - 1);
    label[sizeof label - 1] = '\0';
    sl_metric_add_label(SL_METRIC_KAFKA_ERRORS, label, 1);
    label[300] = '\0'; /* the same once cut */
    sl_metric_add_label(SL_METRIC_KAFKA_ERRORS, label, 1);
    text = rendered();
    CHECK(has_line(&text, "sluice_kafka_errors_total{code=\"a\\\"b\\\\c\\nd\"} 1"));
    CHECK(sl_metric_value(SL_METRIC_KAFKA_ERRORS, label, NULL) == 2);
    sl_buffer_fini(&text);
}

TEST(a_family_cannot_grow_without_end)
{
    sl_metrics_reset();
    for (int i = 0; i < (int)SL_METRIC_SERIES_MAX + 10; i++)
        sl_metric_set_partition(SL_METRIC_PARTITION_NEXT_OFFSET, "docs", i, 1);
    CHECK(sl_metric_value(SL_METRIC_METRICS_DROPPED_SERIES, NULL, NULL) == 10);
    sl_metrics_reset();
}

static void *count(void *argument)
{
    (void)argument;
    for (int i = 0; i < 20000; i++) {
        sl_metric_add_label(SL_METRIC_RECORDS_CONSUMED, "docs", 1);
        sl_metric_observe(SL_METRIC_LMDB_COMMIT_DURATION, 0.01);
    }
    return NULL;
}

TEST(threads_lose_no_count)
{
    pthread_t threads[4];

    sl_metrics_reset();
    for (int i = 0; i < 4; i++)
        REQUIRE(pthread_create(&threads[i], NULL, count, NULL) == 0);
    for (int i = 0; i < 4; i++)
        (void)pthread_join(threads[i], NULL);
    CHECK(sl_metric_value(SL_METRIC_RECORDS_CONSUMED, "docs", NULL) == 80000);
    CHECK(sl_metric_value(SL_METRIC_LMDB_COMMIT_DURATION, NULL, NULL) == 80000);
}

TEST(process_and_build_are_shown)
{
    struct sl_buffer text;

    sl_metrics_reset();
    sl_metrics_build_info("2.0.2", "0.9.24", "7.88.1");
    text = rendered();
    CHECK(strstr(text.data, "librdkafka=\"2.0.2\",lmdb=\"0.9.24\",curl=\"7.88.1\"} 1\n") != NULL);
    CHECK(strstr(text.data, "\nprocess_resident_memory_bytes ") != NULL);
    CHECK(strstr(text.data, "\nprocess_resident_anonymous_bytes ") != NULL);
    CHECK(strstr(text.data, "\nprocess_open_fds ") != NULL);
    CHECK(strstr(text.data, "\nprocess_cpu_seconds_total ") != NULL);
    sl_buffer_fini(&text);
}

/* The whole text, line by line, against the grammar of the exposition format. */
TEST(the_text_is_well_formed)
{
    struct sl_buffer text;

    sl_metric_add_label(SL_METRIC_ANSWERS, "answered", 1);
    text = rendered();
    CHECK(text.data[text.size - 1] == '\n');
    for (char *line = text.data; *line != '\0';) {
        char *next = strchr(line, '\n'), *at = line;
        *next = '\0';
        if (line[0] == '#') {
            CHECK_THAT(strncmp(line, "# HELP ", 7) == 0 || strncmp(line, "# TYPE ", 7) == 0, "%s", line);
        } else {
            char *end;
            while (islower(*at) || isdigit(*at) || *at == '_')
                at++;
            if (*at == '{')
                at = strrchr(line, '}') + 1;
            CHECK_THAT(*at == ' ', "%s", line);
            (void)strtod(at + 1, &end);
            CHECK_THAT(*end == '\0' && end > at + 1, "%s", line);
        }
        line = next + 1;
    }
    sl_buffer_fini(&text);
}

static char *read_whole(const char *path)
{
    FILE *file = fopen(path, "rb");
    char *text = calloc(1, 1 << 17);

    if (file != NULL && text != NULL)
        (void)!fread(text, 1, (1 << 17) - 1, file);
    if (file != NULL)
        (void)fclose(file);
    return text;
}

TEST(the_documented_table_is_this_one)
{
    struct sl_buffer made = {0};
    char *page = read_whole(SOURCE_DIR "/docs/OPERATIONS.md");

    sl_metrics_markdown(&made);
    REQUIRE(page != NULL && made.data != NULL);
    CHECK_THAT(strstr(page, made.data) != NULL, "docs/OPERATIONS.md has another table than daemon/metrics.h; "
               "it should be:\n%s", made.data);
    sl_buffer_fini(&made);
    free(page);
}
