/*
 * tool_load.c -- fills a topic with the history of a few documents, in transactions that commit or abort.
 *
 * A test that kills its daemon needs records that come all the while, with holes between their offsets:
 * each transaction ends with a control record, and an aborted one leaves data that must never be read. What
 * was committed is written down, a line a record as the broker placed it, so that the test need not believe
 * any consumer:
 *
 *     partition offset key kind revision sentences        kind: V document, T deletion, B bad record
 *
 * tool_load SERVERS TOPIC PARTITIONS RECORDS KEYS SEED HISTORY [MS]
 *
 * The text of a document follows from key, revision and sentences (tests/kafka/test_exactly_once_apply.py
 * makes the same). MS: how long each transaction takes at least. Ends with 0 when all RECORDS were placed.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <librdkafka/rdkafka.h>

enum { TRANSACTION_MAX = 80, SENTENCES_MAX = 40, WAIT_MS = 60000, TEXT_BYTES = 4096 };

static const char *const sentences[] = {
    "The pilot boarded the vessel at the outer buoy.", "The tide turned an hour after noon.",
    "Fog lay over the roads until the afternoon.",     "The keeper wrote the time into the log.",
    "Nothing moved in the inner basin.",               "A tug waited for the grain ship.",
};

struct record {
    char key[32];
    char kind;
    uint32_t revision;
    uint32_t sentences;
    int32_t partition;
    int64_t offset; /* -1: not placed */
};

struct loader {
    rd_kafka_t *producer;
    FILE *history;
    const char *topic;
    uint32_t partitions, keys;
    uint64_t random;
    struct record records[TRANSACTION_MAX];
    uint32_t count;
};

static uint32_t dice(struct loader *loader, uint32_t below)
{
    loader->random = loader->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(loader->random >> 33) % below;
}

static void give_up(const char *what, const char *why)
{
    fprintf(stderr, "tool_load: %s: %s\n", what, why);
    exit(1);
}

static void check(rd_kafka_error_t *error, const char *what)
{
    if (error != NULL)
        give_up(what, rd_kafka_error_string(error));
}

static void on_delivery(rd_kafka_t *producer, const rd_kafka_message_t *message, void *context)
{
    struct record *record = message->_private;

    (void)producer;
    (void)context;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR)
        give_up("produce", rd_kafka_err2str(message->err));
    record->offset = message->offset;
}

static struct record *make_record(struct loader *loader, uint32_t revision)
{
    struct record *record = &loader->records[loader->count++];
    uint32_t key = dice(loader, loader->keys), kind = dice(loader, 100);

    *record = (struct record){
        .kind = kind < 15 ? 'T' : kind < 16 ? 'B' : 'V',
        .revision = revision,
        .sentences = dice(loader, 4) == 0 ? dice(loader, SENTENCES_MAX) : dice(loader, 4),
        .partition = (int32_t)(key % loader->partitions),
        .offset = -1,
    };
    snprintf(record->key, sizeof record->key, "doc-%u", key);
    return record;
}

static size_t write_text(const struct record *record, bool aborts, char *text)
{
    int size = snprintf(text, TEXT_BYTES, "Entry %u of %s%s.", record->revision, record->key,
                        aborts ? " was aborted" : "");

    for (uint32_t i = 0; i < record->sentences; i++)
        size += snprintf(text + size, (size_t)(TEXT_BYTES - size), " %s",
                         sentences[(record->revision + i) % 6]);
    return (size_t)size;
}

static void produce(struct loader *loader, struct record *record, bool aborts)
{
    char text[TEXT_BYTES];
    void *value = record->kind == 'T' ? NULL : text;
    size_t size = record->kind == 'V' ? write_text(record, aborts, text) : 0;
    rd_kafka_resp_err_t code = rd_kafka_producev(
        loader->producer, RD_KAFKA_V_TOPIC(loader->topic), RD_KAFKA_V_PARTITION(record->partition),
        RD_KAFKA_V_KEY(record->key, strlen(record->key)),
        RD_KAFKA_V_VALUE(value, size), RD_KAFKA_V_OPAQUE(record),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);

    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        give_up("produce", rd_kafka_err2str(code));
}

static void write_history(struct loader *loader)
{
    for (uint32_t i = 0; i < loader->count; i++) {
        const struct record *record = &loader->records[i];

        if (record->offset < 0)
            give_up("history", "a committed record was not placed");
        fprintf(loader->history, "%d %lld %s %c %u %u\n", (int)record->partition,
                (long long)record->offset, record->key, record->kind, record->revision,
                record->sentences);
    }
    fflush(loader->history);
}

/* One transaction, written down when it committed. Returns how many records it placed. */
static uint32_t run_transaction(struct loader *loader, uint32_t revision, uint32_t wanted)
{
    bool aborts = dice(loader, 5) == 0;
    uint32_t size = 1 + dice(loader, TRANSACTION_MAX);

    loader->count = 0;
    check(rd_kafka_begin_transaction(loader->producer), "begin");
    for (uint32_t i = 0; i < size && i < wanted; i++)
        produce(loader, make_record(loader, revision + i), aborts);
    if (rd_kafka_flush(loader->producer, WAIT_MS) != RD_KAFKA_RESP_ERR_NO_ERROR)
        give_up("flush", "timed out");
    if (aborts) {
        check(rd_kafka_abort_transaction(loader->producer, WAIT_MS), "abort");
        return 0;
    }
    check(rd_kafka_commit_transaction(loader->producer, WAIT_MS), "commit");
    write_history(loader);
    return loader->count;
}

static rd_kafka_t *open_producer(const char *servers)
{
    const char *properties[][2] = {{"bootstrap.servers", servers},
                                   {"transactional.id", "tool-load"},
                                   {"linger.ms", "1"}};
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char why[512];
    rd_kafka_t *producer;

    for (size_t i = 0; i < sizeof properties / sizeof *properties; i++)
        if (rd_kafka_conf_set(conf, properties[i][0], properties[i][1], why, sizeof why) !=
            RD_KAFKA_CONF_OK)
            give_up(properties[i][0], why);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    if (producer == NULL)
        give_up("producer", why);
    check(rd_kafka_init_transactions(producer, WAIT_MS), "init");
    return producer;
}

int main(int count, char **arguments)
{
    static struct loader loader;
    uint32_t records, placed = 0;
    long pause_ms;

    if (count < 8 || count > 9) {
        fprintf(stderr, "tool_load SERVERS TOPIC PARTITIONS RECORDS KEYS SEED HISTORY [MS]\n");
        return 64;
    }
    loader.topic = arguments[2];
    loader.partitions = (uint32_t)strtoul(arguments[3], NULL, 10);
    records = (uint32_t)strtoul(arguments[4], NULL, 10);
    loader.keys = (uint32_t)strtoul(arguments[5], NULL, 10);
    loader.random = strtoul(arguments[6], NULL, 10);
    loader.history = fopen(arguments[7], "w");
    pause_ms = count == 9 ? strtol(arguments[8], NULL, 10) : 0;
    if (loader.history == NULL || loader.partitions == 0 || loader.keys == 0)
        give_up(arguments[7], "cannot be written, or a number is 0");
    loader.producer = open_producer(arguments[1]);
    while (placed < records) {
        struct timespec pause = {pause_ms / 1000, pause_ms % 1000 * 1000000};

        placed += run_transaction(&loader, placed, records - placed);
        nanosleep(&pause, NULL);
    }
    fclose(loader.history);
    rd_kafka_destroy(loader.producer);
    return 0;
}
