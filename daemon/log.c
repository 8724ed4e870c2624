/*
 * log.c -- lines for the journal, as JSON, or as text.
 *
 * One list of (name, value) fields is built a line, then written in one of three forms, so that the three can
 * never say different things. The journal gets them as fields; JSON uses the same names; text shows the sentence
 * and the fields after it. A sliding window of one second per event holds back floods: a broker that is down can
 * report thousands of failures a second, and the hundredth says what the first one said.
 *
 * Rejected: syslog(3) (loses the fields), a logging thread (a crash would lose the lines that explain it).
 * Known weakness: a blocked standard error blocks the caller; the journal's socket does the same when full.
 */
#define SD_JOURNAL_SUPPRESS_LOCATION
#include "daemon/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>
#include <time.h>
#include <unistd.h>

#include <sluice/error.h>
#include <sluice/hash.h>
#include <sluice/json.h>

#include "daemon/metrics.h"

#define EVENTS_MAX         256u
#define LINES_PER_SECOND   10u
#define SENTENCE_BYTES_MAX 1024u
#define FIELDS_MAX         24u
#define NUMBER_BYTES       24u

struct event {
    const char *name;
    uint64_t window_ms;
    uint32_t count;
    uint32_t suppressed;
};

/* One line's fields; numbers live beside them. */
struct line {
    struct {
        const char *name, *value;
        bool number;
    } fields[FIELDS_MAX];
    size_t count;
    char numbers[FIELDS_MAX][NUMBER_BYTES];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct event events[EVENTS_MAX];
static enum sl_log_format chosen = SL_LOG_TEXT;
static enum sl_log_level threshold = SL_LOG_INFO;
static char instance_name[256];
static void (*capture)(void *, struct sl_view);
static void *capture_context;
static uint64_t (*capture_clock)(void);

static const char *const level_names[] = {"error", "error",  "error", "error",
                                          "warning", "notice", "info",  "debug"};

static uint64_t clock_ms(void)
{
    struct timespec now;

    if (capture_clock != NULL)
        return capture_clock();
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

/* $JOURNAL_STREAM is DEVICE:INODE of the stream the manager gave us; somebody may have redirected it since. */
static bool stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;
    struct stat at;

    if (stream == NULL || sscanf(stream, "%llu:%llu", &device, &inode) != 2)
        return false;
    return fstat(STDERR_FILENO, &at) == 0 && (unsigned long long)at.st_dev == device &&
           (unsigned long long)at.st_ino == inode;
}

static enum sl_log_format format_choose(enum sl_log_format wanted)
{
    if (wanted == SL_LOG_AUTO)
        return stderr_is_journal() ? SL_LOG_JOURNAL : SL_LOG_TEXT;
    if (wanted == SL_LOG_JOURNAL && capture == NULL &&
        access("/run/systemd/journal/socket", W_OK) != 0)
        return SL_LOG_TEXT;
    return wanted;
}

void sl_log_configure(enum sl_log_format format, const char *level, const char *instance)
{
    pthread_mutex_lock(&lock);
    chosen = format_choose(format);
    threshold = SL_LOG_INFO;
    for (int i = SL_LOG_ERROR; i <= SL_LOG_DEBUG; i++)
        if (strcmp(level_names[i], level) == 0)
            threshold = (enum sl_log_level)i;
    (void)snprintf(instance_name, sizeof instance_name, "%s", instance);
    pthread_mutex_unlock(&lock);
}

bool sl_log_wants(enum sl_log_level level)
{
    bool wants;

    pthread_mutex_lock(&lock);
    wants = level <= threshold;
    pthread_mutex_unlock(&lock);
    return wants;
}

void sl_log_message_id(const char *event, char ret_id[33])
{
    /* A name space of our own: UUIDv5(NIL, "sluice-event"). */
    uint8_t space[16], id[16];

    sl_uuid5_bytes(NULL, SL_VIEW("sluice-event"), space);
    sl_uuid5_bytes(space, sl_view_of(event), id);
    sl_hex(id, sizeof id, ret_id);
}

/* NULL when the table is full: such an event is never held back. Under the lock. */
static struct event *event_find(const char *name)
{
    for (size_t i = 0; i < EVENTS_MAX; i++) {
        if (events[i].name == NULL)
            events[i].name = name;
        if (strcmp(events[i].name, name) == 0)
            return &events[i];
    }
    return NULL;
}

/* May this line pass, and how many were held back before it? Under the lock. */
static bool event_pass(const char *name, uint32_t *ret_suppressed)
{
    struct event *event = event_find(name);
    uint64_t now = clock_ms();

    *ret_suppressed = 0;
    if (event == NULL)
        return true;
    if (now - event->window_ms >= 1000 || event->count == 0) {
        event->window_ms = now;
        event->count = 0;
    }
    if (event->count >= LINES_PER_SECOND) {
        event->suppressed++;
        return false;
    }
    event->count++;
    *ret_suppressed = event->suppressed;
    event->suppressed = 0;
    return true;
}

static void field_text(struct line *line, const char *name, const char *value)
{
    if (value == NULL || value[0] == '\0')
        return;
    SL_INVARIANT(line->count < FIELDS_MAX);
    line->fields[line->count].name = name;
    line->fields[line->count++].value = value;
}

static void field_number(struct line *line, const char *name, long long value)
{
    char *number = line->numbers[line->count];

    (void)snprintf(number, NUMBER_BYTES, "%lld", value);
    line->fields[line->count].number = true;
    field_text(line, name, number);
}

static void fields_add(struct line *line, const struct sl_log_fields *fields)
{
    field_text(line, "SLUICE_TOPIC", fields->topic);
    if (fields->topic != NULL && fields->partition >= 0)
        field_number(line, "SLUICE_PARTITION", fields->partition);
    if (fields->has_offset)
        field_number(line, "SLUICE_OFFSET", fields->offset);
    field_text(line, "SLUICE_REASON", fields->reason);
    field_text(line, "SLUICE_STAGE", fields->stage);
    field_text(line, "SLUICE_ANSWER_ID", fields->answer_id);
    field_text(line, "SLUICE_KAFKA_ERR", fields->kafka_code);
    field_text(line, "TRACEPARENT", fields->trace);
    if (fields->attempt != 0)
        field_number(line, "SLUICE_ATTEMPT", fields->attempt);
    if (fields->duration_us != 0)
        field_number(line, "SLUICE_DURATION_US", (long long)fields->duration_us);
    if (fields->key_hash != 0) {
        char *number = line->numbers[line->count];
        (void)snprintf(number, NUMBER_BYTES, "%016llx", (unsigned long long)fields->key_hash);
        field_text(line, "SLUICE_KEY_HASH", number);
    }
    if (fields->system_errno != 0)
        field_number(line, "ERRNO", fields->system_errno);
    if (fields->http_status != 0)
        field_number(line, "SLUICE_HTTP_STATUS", fields->http_status);
}

static void write_journal(const struct line *line)
{
    struct sl_buffer text = {0};
    struct iovec parts[FIELDS_MAX];
    size_t ends[FIELDS_MAX + 1] = {0};

    for (size_t i = 0; i < line->count; i++) {
        sl_buffer_format(&text, "%s=%s", line->fields[i].name, line->fields[i].value);
        ends[i + 1] = text.size;
    }
    for (size_t i = 0; i < line->count && !text.failed; i++)
        parts[i] = (struct iovec){text.data + ends[i], ends[i + 1] - ends[i]};
    if (!text.failed && capture == NULL)
        (void)sd_journal_sendv(parts, (int)line->count);
    if (!text.failed && capture != NULL) {
        struct sl_buffer joined = {0};
        for (size_t i = 0; i < line->count; i++)
            sl_buffer_format(&joined, "%.*s\n", (int)parts[i].iov_len, (char *)parts[i].iov_base);
        capture(capture_context, (struct sl_view){joined.data, joined.size});
        sl_buffer_fini(&joined);
    }
    sl_buffer_fini(&text);
}

static void time_text(char *text, size_t size)
{
    struct timespec now;
    struct tm day;
    size_t used;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)gmtime_r(&now.tv_sec, &day);
    used = strftime(text, size, "%Y-%m-%dT%H:%M:%S", &day);
    (void)snprintf(text + used, size - used, ".%03ldZ", now.tv_nsec / 1000000);
}

static void format_json(struct sl_buffer *out, const struct line *line, const char *time)
{
    sl_buffer_add(out, "{", 1);
    sl_json_name(out, "TIMESTAMP");
    sl_json_string(out, sl_view_of(time));
    for (size_t i = 0; i < line->count; i++) {
        sl_json_name(out, line->fields[i].name);
        if (line->fields[i].number)
            sl_buffer_view(out, sl_view_of(line->fields[i].value));
        else
            sl_json_string(out, sl_view_of(line->fields[i].value));
    }
    sl_buffer_add(out, "}\n", 2);
}

/* The fields the sentence's line shows already. */
static bool shown(const char *name)
{
    return strcmp(name, "MESSAGE") == 0 || strcmp(name, "MESSAGE_ID") == 0 ||
           strcmp(name, "PRIORITY") == 0 || strcmp(name, "SLUICE_EVENT") == 0 ||
           strcmp(name, "SLUICE_INSTANCE") == 0 || strcmp(name, "SYSLOG_IDENTIFIER") == 0;
}

static void field_name_lower(struct sl_buffer *out, const char *name)
{
    if (strncmp(name, "SLUICE_", 7) == 0)
        name += 7;
    for (; *name != '\0'; name++) {
        char c = *name;
        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        sl_buffer_add(out, &c, 1);
    }
}

static void format_text(struct sl_buffer *out, const struct line *line, enum sl_log_level level,
                        const char *event, const char *sentence, const char *time)
{
    const char *separator = " (";

    sl_buffer_format(out, "%s %s %s: %s", time, level_names[level], event, sentence);
    for (size_t i = 0; i < line->count; i++) {
        if (shown(line->fields[i].name))
            continue;
        sl_buffer_view(out, sl_view_of(separator));
        field_name_lower(out, line->fields[i].name);
        sl_buffer_format(out, "=%s", line->fields[i].value);
        separator = " ";
    }
    sl_buffer_view(out, separator[1] == '\0' ? SL_VIEW(")\n") : SL_VIEW("\n"));
}

static void write_stderr(struct sl_buffer *text)
{
    size_t done = 0;

    if (capture != NULL) {
        capture(capture_context, (struct sl_view){text->data, text->size});
        return;
    }
    while (done < text->size) {
        ssize_t written = write(STDERR_FILENO, text->data + done, text->size - done);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return;
        done += (size_t)written;
    }
}

/* Build the fields and write them. Under the lock, so that lines never mix. */
static void line_write(enum sl_log_level level, const char *event,
                       const struct sl_log_fields *fields, const char *sentence,
                       uint32_t suppressed)
{
    struct line line = {0};
    struct sl_buffer text = {0};
    char id[33], time[40];

    sl_log_message_id(event, id);
    field_text(&line, "MESSAGE", sentence);
    field_text(&line, "MESSAGE_ID", id);
    field_number(&line, "PRIORITY", (long long)level);
    field_text(&line, "SYSLOG_IDENTIFIER", "sluiced");
    field_text(&line, "SLUICE_EVENT", event);
    field_text(&line, "SLUICE_INSTANCE", instance_name);
    if (suppressed > 0)
        field_number(&line, "SLUICE_SUPPRESSED", suppressed);
    if (fields != NULL)
        fields_add(&line, fields);
    if (chosen == SL_LOG_JOURNAL) {
        write_journal(&line);
        return;
    }
    time_text(time, sizeof time);
    if (chosen == SL_LOG_JSON)
        format_json(&text, &line, time);
    else
        format_text(&text, &line, level, event, sentence, time);
    if (!text.failed)
        write_stderr(&text);
    sl_buffer_fini(&text);
}

static void log_sentence(enum sl_log_level level, const char *event,
                         const struct sl_log_fields *fields, const char *format,
                         va_list arguments)
{
    char sentence[SENTENCE_BYTES_MAX];
    uint32_t suppressed = 0;
    bool wanted, passed = false;

    (void)vsnprintf(sentence, sizeof sentence, format, arguments);
    for (char *c = sentence; *c != '\0'; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7F)
            *c = '?';
    pthread_mutex_lock(&lock);
    wanted = level <= threshold;
    if (wanted)
        passed = event_pass(event, &suppressed);
    if (passed)
        line_write(level, event, fields, sentence, suppressed);
    pthread_mutex_unlock(&lock);
    if (wanted && !passed)
        sl_metric_add_label(SL_METRIC_LOG_SUPPRESSED, event, 1);
}

void sl_log(enum sl_log_level level, const char *event, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    log_sentence(level, event, NULL, format, arguments);
    va_end(arguments);
}

void sl_log_with(enum sl_log_level level, const char *event, const struct sl_log_fields *fields,
                 const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    log_sentence(level, event, fields, format, arguments);
    va_end(arguments);
}

void sl_log_error(enum sl_log_level level, const char *event, const struct sl_error *err)
{
    const struct sl_log_fields fields = {.reason = err->reason, .partition = -1};

    sl_log_with(level, event, &fields, "%s", err->message);
}

void sl_log_capture(void (*sink)(void *context, struct sl_view line), void *context,
                    uint64_t (*now_ms)(void))
{
    pthread_mutex_lock(&lock);
    capture = sink;
    capture_context = context;
    capture_clock = now_ms;
    memset(events, 0, sizeof events);
    pthread_mutex_unlock(&lock);
}
