/*
 * metrics.c -- the registry behind /metrics.
 *
 * Many threads count; one scrape a few seconds reads. One lock and plain arrays: an update is a short scan of a
 * family's few series, far below the cost of the work it counts. Per-thread counters were rejected: they buy
 * speed nobody measured a need for, and lose the order between families in one scrape.
 *
 * Known weakness: a family with thousands of series (partitions) is scanned linearly; its gauges are set about
 * once a second, so that this stays far from mattering.
 */
#include "daemon/metrics.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <sluice/error.h>
#include <sluice/json.h>

#include "daemon/process.h"

#define BUCKETS_MAX 20u

struct series {
    char *label1, *label2; /* "" = none */
    double value;          /* counter or gauge; a histogram's sum */
    uint64_t count;
    uint64_t *buckets; /* histogram only */
};

struct family {
    struct series *series;
    size_t count, capacity;
};

struct description {
    const char *name, *label1, *label2, *help;
    enum sl_metric_type type;
    int buckets;
};

#define DESCRIBE(word, kind, name_, label1_, label2_, buckets_, help_)                             \
    [SL_METRIC_##word] = {name_, label1_, label2_, help_, SL_##kind, buckets_},
static const struct description table[SL_METRIC_COUNT] = {SL_METRICS(DESCRIBE)};

static const double bounds_seconds[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                        0.5,   1,      2.5,   5,    10,    30,   60};
static const double bounds_counts[] = {1,    2,    4,    8,    16,    32,    64,   128,  256,
                                       512,  1024, 2048, 4096, 8192,  16384, 65536};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct family families[SL_METRIC_COUNT];
static char build_librdkafka[32], build_lmdb[32], build_curl[32];

static const double *bounds_of(const struct description *d, size_t *ret_count)
{
    if (d->buckets == 1) {
        *ret_count = sizeof bounds_seconds / sizeof bounds_seconds[0];
        return bounds_seconds;
    }
    *ret_count = sizeof bounds_counts / sizeof bounds_counts[0];
    return bounds_counts;
}

static bool label_equal(const char *stored, const char *label)
{
    return strncmp(stored, label, SL_METRIC_LABEL_BYTES_MAX) == 0;
}

static struct series *find(struct family *family, const char *label1, const char *label2)
{
    for (size_t i = 0; i < family->count; i++)
        if (label_equal(family->series[i].label1, label1) &&
            label_equal(family->series[i].label2, label2))
            return &family->series[i];
    return NULL;
}

static bool grow(struct family *family)
{
    size_t capacity = family->capacity ? family->capacity * 2 : 4;
    struct series *series;

    if (family->count < family->capacity)
        return true;
    series = realloc(family->series, capacity * sizeof *series);
    if (series == NULL)
        return false;
    family->series = series;
    family->capacity = capacity;
    return true;
}

static void series_fini(struct series *series)
{
    free(series->label1);
    free(series->label2);
    free(series->buckets);
}

static struct series *add_series(enum sl_metric_family metric, const char *label1, const char *label2)
{
    struct family *family = &families[metric];
    struct series made = {0};

    if (family->count >= SL_METRIC_SERIES_MAX || !grow(family))
        return NULL;
    made.label1 = strndup(label1, SL_METRIC_LABEL_BYTES_MAX);
    made.label2 = strndup(label2, SL_METRIC_LABEL_BYTES_MAX);
    if (table[metric].type == SL_HISTOGRAM)
        made.buckets = calloc(BUCKETS_MAX, sizeof *made.buckets);
    if (made.label1 == NULL || made.label2 == NULL ||
        (table[metric].type == SL_HISTOGRAM && made.buckets == NULL)) {
        series_fini(&made);
        return NULL;
    }
    family->series[family->count] = made;
    return &family->series[family->count++];
}

/* The series, made on first use; NULL (and counted) when the family is full. Under the lock. */
static struct series *get(enum sl_metric_family metric, const char *label1, const char *label2)
{
    struct series *found;

    SL_PRE(metric < SL_METRIC_COUNT);
    SL_PRE((label1[0] == '\0' || table[metric].label1[0] != '\0') &&
           (label2[0] == '\0' || table[metric].label2[0] != '\0'));
    found = find(&families[metric], label1, label2);
    if (found == NULL)
        found = add_series(metric, label1, label2);
    if (found == NULL && metric != SL_METRIC_METRICS_DROPPED_SERIES) {
        struct series *dropped = get(SL_METRIC_METRICS_DROPPED_SERIES, "", "");
        if (dropped != NULL)
            dropped->value += 1;
    }
    return found;
}

static const char *text_of(const char *label)
{
    return label == NULL ? "" : label;
}

void sl_metric_add_labels(enum sl_metric_family metric, const char *label1, const char *label2,
                          uint64_t value)
{
    struct series *series;

    SL_PRE(metric < SL_METRIC_COUNT && table[metric].type == SL_COUNTER);
    pthread_mutex_lock(&lock);
    series = get(metric, text_of(label1), text_of(label2));
    if (series != NULL)
        series->value += (double)value;
    pthread_mutex_unlock(&lock);
}

void sl_metric_add(enum sl_metric_family metric, uint64_t value)
{
    sl_metric_add_labels(metric, NULL, NULL, value);
}

void sl_metric_add_label(enum sl_metric_family metric, const char *label, uint64_t value)
{
    sl_metric_add_labels(metric, label, NULL, value);
}

void sl_metric_add_seconds(enum sl_metric_family metric, const char *label, double seconds)
{
    struct series *series;

    SL_PRE(metric < SL_METRIC_COUNT && table[metric].type == SL_COUNTER && seconds >= 0);
    pthread_mutex_lock(&lock);
    series = get(metric, text_of(label), "");
    if (series != NULL)
        series->value += seconds;
    pthread_mutex_unlock(&lock);
}

void sl_metric_set_labels(enum sl_metric_family metric, const char *label1, const char *label2,
                          double value)
{
    struct series *series;

    SL_PRE(metric < SL_METRIC_COUNT && table[metric].type == SL_GAUGE);
    pthread_mutex_lock(&lock);
    series = get(metric, text_of(label1), text_of(label2));
    if (series != NULL)
        series->value = value;
    pthread_mutex_unlock(&lock);
}

void sl_metric_set(enum sl_metric_family metric, double value)
{
    sl_metric_set_labels(metric, NULL, NULL, value);
}

void sl_metric_set_label(enum sl_metric_family metric, const char *label, double value)
{
    sl_metric_set_labels(metric, label, NULL, value);
}

void sl_metric_set_partition(enum sl_metric_family metric, const char *topic, int32_t partition,
                             double value)
{
    char number[16];

    (void)snprintf(number, sizeof number, "%d", partition);
    sl_metric_set_labels(metric, topic, number, value);
}

void sl_metric_move(enum sl_metric_family metric, const char *label, double difference)
{
    struct series *series;

    SL_PRE(metric < SL_METRIC_COUNT && table[metric].type == SL_GAUGE);
    pthread_mutex_lock(&lock);
    series = get(metric, text_of(label), "");
    if (series != NULL)
        series->value += difference;
    pthread_mutex_unlock(&lock);
}

void sl_metric_observe(enum sl_metric_family metric, double value)
{
    const double *bounds;
    struct series *series;
    size_t count, at = 0;

    SL_PRE(metric < SL_METRIC_COUNT && table[metric].type == SL_HISTOGRAM);
    bounds = bounds_of(&table[metric], &count);
    while (at < count && value > bounds[at])
        at++;
    pthread_mutex_lock(&lock);
    series = get(metric, "", "");
    if (series != NULL) {
        series->value += value;
        series->count++;
        series->buckets[at]++;
    }
    pthread_mutex_unlock(&lock);
}

void sl_metric_forget(enum sl_metric_family metric, const char *label1, const char *label2)
{
    struct family *family;
    struct series *found;

    SL_PRE(metric < SL_METRIC_COUNT && table[metric].type == SL_GAUGE);
    family = &families[metric];
    pthread_mutex_lock(&lock);
    found = find(family, text_of(label1), text_of(label2));
    if (found != NULL) {
        series_fini(found);
        *found = family->series[--family->count];
    }
    pthread_mutex_unlock(&lock);
}

double sl_metric_value(enum sl_metric_family metric, const char *label1, const char *label2)
{
    const struct series *found;
    double value = 0;

    SL_PRE(metric < SL_METRIC_COUNT);
    pthread_mutex_lock(&lock);
    found = find(&families[metric], text_of(label1), text_of(label2));
    if (found != NULL)
        value = table[metric].type == SL_HISTOGRAM ? (double)found->count : found->value;
    pthread_mutex_unlock(&lock);
    return value;
}

const char *sl_metric_name(enum sl_metric_family metric)
{
    SL_PRE(metric < SL_METRIC_COUNT);
    return table[metric].name;
}

void sl_metrics_build_info(const char *librdkafka, const char *lmdb, const char *curl)
{
    pthread_mutex_lock(&lock);
    (void)snprintf(build_librdkafka, sizeof build_librdkafka, "%s", text_of(librdkafka));
    (void)snprintf(build_lmdb, sizeof build_lmdb, "%s", text_of(lmdb));
    (void)snprintf(build_curl, sizeof build_curl, "%s", text_of(curl));
    pthread_mutex_unlock(&lock);
}

/* A label's value: backslash, quote and newline escaped; the rest is whatever UTF-8 the topic name is. */
static void render_value(struct sl_buffer *out, const char *value)
{
    for (const char *c = value; *c != '\0'; c++) {
        if (*c == '\n')
            sl_buffer_add(out, "\\n", 2);
        else if (*c == '"' || *c == '\\')
            sl_buffer_format(out, "\\%c", *c);
        else
            sl_buffer_add(out, c, 1);
    }
}

/* {a="x",b="y",le="..."}; nothing at all without labels. */
static void render_labels(struct sl_buffer *out, const struct description *d,
                          const struct series *series, const char *bound)
{
    const char *names[3] = {d->label1, d->label2, bound != NULL ? "le" : ""};
    const char *values[3] = {series->label1, series->label2, bound};
    const char *separator = "{";

    for (int i = 0; i < 3; i++) {
        if (names[i][0] == '\0')
            continue;
        sl_buffer_format(out, "%s%s=\"", separator, names[i]);
        render_value(out, values[i]);
        sl_buffer_add(out, "\"", 1);
        separator = ",";
    }
    if (separator[0] == ',')
        sl_buffer_add(out, "}", 1);
}

static void render_histogram(struct sl_buffer *out, const struct description *d,
                             const struct series *series)
{
    static const struct series empty = {.label1 = (char *)"", .label2 = (char *)""};
    size_t count;
    const double *bounds = bounds_of(d, &count);
    uint64_t total = 0;

    if (series == NULL)
        series = &empty;
    for (size_t i = 0; i <= count; i++) {
        char bound[32] = "+Inf";
        if (i < count)
            (void)snprintf(bound, sizeof bound, "%g", bounds[i]);
        total += series->buckets != NULL ? series->buckets[i] : 0;
        sl_buffer_format(out, "%s_bucket", d->name);
        render_labels(out, d, series, bound);
        sl_buffer_format(out, " %llu\n", (unsigned long long)total);
    }
    sl_buffer_format(out, "%s_sum ", d->name);
    sl_json_number(out, series->value);
    sl_buffer_format(out, "\n%s_count %llu\n", d->name, (unsigned long long)series->count);
}

static void render_family(struct sl_buffer *out, enum sl_metric_family metric)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};
    const struct description *d = &table[metric];
    const struct family *family = &families[metric];

    sl_buffer_format(out, "# HELP %s %s\n# TYPE %s %s\n", d->name, d->help, d->name,
                     types[d->type]);
    if (d->type == SL_HISTOGRAM) {
        render_histogram(out, d, family->count > 0 ? &family->series[0] : NULL);
        return;
    }
    if (family->count == 0 && d->label1[0] == '\0')
        sl_buffer_format(out, "%s 0\n", d->name);
    for (size_t i = 0; i < family->count; i++) {
        sl_buffer_view(out, sl_view_of(d->name));
        render_labels(out, d, &family->series[i], NULL);
        sl_buffer_add(out, " ", 1);
        sl_json_number(out, family->series[i].value);
        sl_buffer_add(out, "\n", 1);
    }
}

static void render_build(struct sl_buffer *out)
{
    sl_buffer_format(out,
                     "# HELP sluice_build_info What this daemon is made of.\n"
                     "# TYPE sluice_build_info gauge\n"
                     "sluice_build_info{version=\"%s\",librdkafka=\"%s\",lmdb=\"%s\",curl=\"%s\"} "
                     "1\n",
                     SLUICE_VERSION, build_librdkafka, build_lmdb, build_curl);
}

void sl_metrics_render(struct sl_buffer *out)
{
    pthread_mutex_lock(&lock);
    render_build(out);
    for (enum sl_metric_family metric = 0; metric < SL_METRIC_COUNT; metric++)
        render_family(out, metric);
    pthread_mutex_unlock(&lock);
    sl_process_render(out);
}

void sl_metrics_markdown(struct sl_buffer *out)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};

    sl_buffer_format(out, "| metric | type | labels | what |\n| --- | --- | --- | --- |\n");
    for (enum sl_metric_family metric = 0; metric < SL_METRIC_COUNT; metric++) {
        const struct description *d = &table[metric];
        sl_buffer_format(out, "| `%s` | %s | %s%s%s | %s |\n", d->name, types[d->type], d->label1,
                         d->label2[0] != '\0' ? ", " : "", d->label2, d->help);
    }
}

void sl_metrics_reset(void)
{
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < SL_METRIC_COUNT; i++) {
        for (size_t j = 0; j < families[i].count; j++)
            series_fini(&families[i].series[j]);
        free(families[i].series);
        families[i] = (struct family){0};
    }
    pthread_mutex_unlock(&lock);
}
