/*
 * tool_kafka.c -- a Kafka client for the tests, told what to do by JSON lines.
 *
 * kcat cannot write a header with a zero byte, an empty key beside a missing one, or grow a topic. This
 * program can: one order a line on standard input, one reply a line on standard output, bytes as base64.
 * It stays up between orders, so that a test pays for connecting once.
 *
 *   {"do":"produce","records":[{"topic","partition"?,"key"?,"value"?,"timestamp"?,"headers":[[name,value]]}],
 *                  "transaction":"commit"|"abort"?}
 *   {"do":"consume","topic","from":[offset of each partition],"count":n,"timeout_ms":t,"uncommitted":true?}
 *   {"do":"create"|"grow","topic","partitions":n,"copies":n?,"config":{name:value}?}   {"do":"delete","topic"}
 *   {"do":"alter","topic","config":{name:value}} (all of them)   {"do":"trim","topic","before":[offset of each partition]}
 *   {"do":"marks","topic"}   {"do":"leaders","topic"}
 *   {"do":"allow"|"forbid","user","operation":number,"resource":number,"name"}: librdkafka's numbers
 *
 * Whatever was not acknowledged within `timeout_ms` of a produce order is dropped, and may be in the log.
 * A consume order ends with `count` records, or at the time limit; count 0 reads to the present end.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cjson/cJSON.h>
#include <librdkafka/rdkafka.h>
#include <openssl/evp.h>

enum { WAIT_MS = 15000, TICK_MS = 50 };

static const char *servers;
static rd_kafka_t *producer;
static rd_kafka_t *consumer;
static rd_kafka_t *uncommitted_consumer; /* reads what was aborted, too; made when first asked for */
static cJSON *reply;

static void fail(const char *what, const char *why)
{
    if (!cJSON_HasObjectItem(reply, "error")) {
        char text[512];
        snprintf(text, sizeof text, "%s: %s", what, why);
        cJSON_AddStringToObject(reply, "error", text);
    }
}

static long long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static const char *text_of(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    return cJSON_IsString(item) ? item->valuestring : NULL;
}

static long long number_of(const cJSON *object, const char *name, long long absent)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    return cJSON_IsNumber(item) ? (long long)item->valuedouble : absent;
}

/* Bytes of a base64 member; NULL for JSON null and a missing one. Never NULL for "". */
static unsigned char *bytes_of(const cJSON *item, size_t *ret_size)
{
    *ret_size = 0;
    if (!cJSON_IsString(item))
        return NULL;
    size_t length = strlen(item->valuestring);
    unsigned char *bytes = malloc(length + 1);
    int made = bytes == NULL ? -1
                             : EVP_DecodeBlock(bytes, (unsigned char *)item->valuestring, (int)length);
    if (made < 0) {
        fail("base64", "cannot be read");
        free(bytes);
        return NULL;
    }
    size_t padding = 0;
    while (padding < 2 && padding < length && item->valuestring[length - 1 - padding] == '=')
        padding++;
    *ret_size = (size_t)made - padding;
    return bytes;
}

static cJSON *bytes_json(const void *bytes, size_t size)
{
    if (bytes == NULL)
        return cJSON_CreateNull();
    char *text = malloc(4 * (size / 3 + 1) + 1);
    if (text == NULL)
        return cJSON_CreateNull();
    EVP_EncodeBlock((unsigned char *)text, bytes, (int)size);
    cJSON *item = cJSON_CreateString(text);
    free(text);
    return item;
}

/* The reply of one record is filled when the broker has said where it stands. */
static void on_delivery(rd_kafka_t *handle, const rd_kafka_message_t *message, void *context)
{
    (void)handle;
    (void)context;
    cJSON *record = message->_private;
    if (message->err != 0)
        fail("produce", rd_kafka_err2str(message->err));
    cJSON_AddNumberToObject(record, "partition", message->partition);
    cJSON_AddNumberToObject(record, "offset", (double)message->offset);
}

static rd_kafka_headers_t *headers_of(const cJSON *list)
{
    rd_kafka_headers_t *headers = rd_kafka_headers_new(8);
    const cJSON *pair;
    cJSON_ArrayForEach(pair, list)
    {
        size_t size;
        unsigned char *value = bytes_of(cJSON_GetArrayItem(pair, 1), &size);
        const cJSON *name = cJSON_GetArrayItem(pair, 0);
        if (cJSON_IsString(name))
            rd_kafka_header_add(headers, name->valuestring, -1, value, (ssize_t)size);
        free(value);
    }
    return headers;
}

static void record_produce(rd_kafka_t *to, const cJSON *record, cJSON *placed)
{
    const char *topic = text_of(record, "topic");
    size_t key_size;
    size_t value_size;
    unsigned char *key = bytes_of(cJSON_GetObjectItemCaseSensitive(record, "key"), &key_size);
    unsigned char *value = bytes_of(cJSON_GetObjectItemCaseSensitive(record, "value"), &value_size);
    rd_kafka_headers_t *headers = headers_of(cJSON_GetObjectItemCaseSensitive(record, "headers"));
    rd_kafka_resp_err_t code = rd_kafka_producev(
        to, RD_KAFKA_V_TOPIC(topic == NULL ? "" : topic),
        RD_KAFKA_V_PARTITION((int32_t)number_of(record, "partition", RD_KAFKA_PARTITION_UA)),
        RD_KAFKA_V_KEY(key, key_size), RD_KAFKA_V_VALUE(value, value_size),
        RD_KAFKA_V_TIMESTAMP(number_of(record, "timestamp", 0)), RD_KAFKA_V_HEADERS(headers),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_OPAQUE(placed), RD_KAFKA_V_END);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        fail("produce", rd_kafka_err2str(code));
        rd_kafka_headers_destroy(headers);
    }
    free(key);
    free(value);
}

/* `variant`: a producer's transactional id, a consumer's isolation level. NULL: neither. */
static rd_kafka_t *client_new(rd_kafka_type_t type, const char *variant)
{
    char why[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", servers, NULL, 0);
    rd_kafka_conf_set(conf, "message.max.bytes", "100000000", NULL, 0);
    rd_kafka_conf_set_log_cb(conf, NULL);
    if (variant != NULL)
        rd_kafka_conf_set(conf,
                          type == RD_KAFKA_CONSUMER ? "isolation.level" : "transactional.id",
                          variant, NULL, 0);
    if (type == RD_KAFKA_CONSUMER) {
        rd_kafka_conf_set(conf, "group.id", "sluice-test-reader", NULL, 0);
        rd_kafka_conf_set(conf, "enable.auto.commit", "false", NULL, 0);
        rd_kafka_conf_set(conf, "enable.partition.eof", "true", NULL, 0);
        rd_kafka_conf_set(conf, "auto.offset.reset", "earliest", NULL, 0);
        rd_kafka_conf_set(conf, "fetch.wait.max.ms", "20", NULL, 0);
    } else {
        rd_kafka_conf_set(conf, "linger.ms", "1", NULL, 0);
        rd_kafka_conf_set(conf, "topic.metadata.refresh.interval.ms", "2000", NULL, 0);
        rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    }
    rd_kafka_t *client = rd_kafka_new(type, conf, why, sizeof why);
    if (client == NULL) {
        fprintf(stderr, "tool_kafka: %s\n", why);
        exit(EXIT_FAILURE);
    }
    return client;
}

static void records_produce(rd_kafka_t *to, const cJSON *order)
{
    cJSON *placed = cJSON_AddArrayToObject(reply, "placed");
    const cJSON *record;
    cJSON_ArrayForEach(record, cJSON_GetObjectItemCaseSensitive(order, "records"))
    {
        cJSON *one = cJSON_CreateObject();
        cJSON_AddItemToArray(placed, one);
        record_produce(to, record, one);
        rd_kafka_poll(to, 0);
    }
    if (rd_kafka_flush(to, (int)number_of(order, "timeout_ms", 2 * WAIT_MS)) !=
        RD_KAFKA_RESP_ERR_NO_ERROR) {
        fail("produce", "not acknowledged in time");
        rd_kafka_purge(to, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        rd_kafka_flush(to, WAIT_MS); /* no report may come after the reply it writes to is gone */
    }
}

static void step(rd_kafka_error_t *error)
{
    if (error != NULL) {
        fail("transaction", rd_kafka_error_string(error));
        rd_kafka_error_destroy(error);
    }
}

/* All records in one transaction, by a producer of its own; aborted ones have been in the log all the same. */
static void transaction_produce(const cJSON *order, bool commits)
{
    rd_kafka_t *to = client_new(RD_KAFKA_PRODUCER, "sluice-test");
    step(rd_kafka_init_transactions(to, WAIT_MS));
    step(rd_kafka_begin_transaction(to));
    records_produce(to, order);
    step(commits ? rd_kafka_commit_transaction(to, WAIT_MS) : rd_kafka_abort_transaction(to, WAIT_MS));
    rd_kafka_destroy(to);
}

static void do_produce(const cJSON *order)
{
    const char *transaction = text_of(order, "transaction");
    if (transaction == NULL)
        records_produce(producer, order);
    else
        transaction_produce(order, strcmp(transaction, "commit") == 0);
}

/* The leader of each partition; -1: none just now. */
static void do_leaders(const char *topic)
{
    rd_kafka_topic_t *handle = rd_kafka_topic_new(producer, topic, NULL);
    const struct rd_kafka_metadata *metadata = NULL;
    cJSON *leaders = cJSON_AddArrayToObject(reply, "leaders");
    rd_kafka_resp_err_t code = rd_kafka_metadata(producer, 0, handle, &metadata, WAIT_MS);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        fail("leaders", rd_kafka_err2str(code));
    } else {
        for (int i = 0; metadata->topic_cnt == 1 && i < metadata->topics[0].partition_cnt; i++)
            for (int j = 0; j < metadata->topics[0].partition_cnt; j++)
                if (metadata->topics[0].partitions[j].id == i)
                    cJSON_AddItemToArray(
                        leaders, cJSON_CreateNumber(metadata->topics[0].partitions[j].leader));
        rd_kafka_metadata_destroy(metadata);
    }
    rd_kafka_topic_destroy(handle);
}

static int partitions_count(const char *topic)
{
    rd_kafka_topic_t *handle = rd_kafka_topic_new(producer, topic, NULL);
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_resp_err_t code = rd_kafka_metadata(producer, 0, handle, &metadata, WAIT_MS);
    int count = -1;
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        if (metadata->topic_cnt == 1 && metadata->topics[0].err == RD_KAFKA_RESP_ERR_NO_ERROR)
            count = metadata->topics[0].partition_cnt;
        rd_kafka_metadata_destroy(metadata);
    }
    rd_kafka_topic_destroy(handle);
    return count;
}

/* Aborted records are seen only when asked for. */
static rd_kafka_t *reader_of(const cJSON *order, rd_kafka_t *usual)
{
    if (!cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(order, "uncommitted")))
        return usual;
    if (uncommitted_consumer == NULL) {
        uncommitted_consumer = client_new(RD_KAFKA_CONSUMER, "read_uncommitted");
        rd_kafka_poll_set_consumer(uncommitted_consumer);
    }
    return uncommitted_consumer;
}

static void do_marks(const cJSON *order)
{
    const char *topic = text_of(order, "topic");
    cJSON *marks = cJSON_AddArrayToObject(reply, "marks");
    int count = topic == NULL ? -1 : partitions_count(topic);
    if (count < 0)
        fail("marks", "no such topic");
    for (int partition = 0; partition < count; partition++) {
        int64_t low = 0;
        int64_t high = 0;
        rd_kafka_resp_err_t code =
            rd_kafka_query_watermark_offsets(reader_of(order, producer), topic, partition, &low, &high, WAIT_MS);
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
            fail("marks", rd_kafka_err2str(code));
        cJSON *pair = cJSON_CreateArray();
        cJSON_AddItemToArray(pair, cJSON_CreateNumber((double)low));
        cJSON_AddItemToArray(pair, cJSON_CreateNumber((double)high));
        cJSON_AddItemToArray(marks, pair);
    }
}

static cJSON *headers_json(rd_kafka_message_t *message)
{
    cJSON *list = cJSON_CreateArray();
    rd_kafka_headers_t *headers = NULL;
    if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return list;
    const char *name;
    const void *value;
    size_t size;
    for (size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &size) == 0; i++) {
        cJSON *pair = cJSON_CreateArray();
        cJSON_AddItemToArray(pair, cJSON_CreateString(name));
        cJSON_AddItemToArray(pair, bytes_json(value, size));
        cJSON_AddItemToArray(list, pair);
    }
    return list;
}

static cJSON *message_json(rd_kafka_message_t *message)
{
    cJSON *record = cJSON_CreateObject();
    cJSON_AddNumberToObject(record, "partition", message->partition);
    cJSON_AddNumberToObject(record, "offset", (double)message->offset);
    cJSON_AddNumberToObject(record, "timestamp", (double)rd_kafka_message_timestamp(message, NULL));
    cJSON_AddItemToObject(record, "key", bytes_json(message->key, message->key_len));
    cJSON_AddItemToObject(record, "value", bytes_json(message->payload, message->len));
    cJSON_AddItemToObject(record, "headers", headers_json(message));
    return record;
}

static int consume_from(rd_kafka_t *reader, const char *topic, const cJSON *from)
{
    int count = partitions_count(topic);
    if (count < 0) {
        fail("consume", "no such topic");
        return 0;
    }
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(count);
    for (int partition = 0; partition < count; partition++) {
        const cJSON *at = cJSON_GetArrayItem(from, partition);
        rd_kafka_topic_partition_list_add(list, topic, partition)->offset =
            cJSON_IsNumber(at) ? (int64_t)at->valuedouble : RD_KAFKA_OFFSET_BEGINNING;
    }
    rd_kafka_assign(reader, list);
    rd_kafka_topic_partition_list_destroy(list);
    return count;
}

static void do_consume(const cJSON *order)
{
    const char *topic = text_of(order, "topic");
    long long count = number_of(order, "count", 0);
    long long deadline = now_ms() + number_of(order, "timeout_ms", WAIT_MS);
    cJSON *records = cJSON_AddArrayToObject(reply, "records");
    if (topic == NULL) {
        fail("consume", "which topic?");
        return;
    }
    rd_kafka_t *reader = reader_of(order, consumer);
    int open = consume_from(reader, topic, cJSON_GetObjectItemCaseSensitive(order, "from"));
    long long found = 0;
    while (now_ms() < deadline && (count > 0 ? found < count : open > 0)) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(reader, TICK_MS);
        if (message == NULL)
            continue;
        if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
            open--;
        } else if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            cJSON_AddItemToArray(records, message_json(message));
            found++;
        }
        rd_kafka_message_destroy(message);
    }
    rd_kafka_assign(reader, NULL);
}

static void topic_result(rd_kafka_queue_t *queue)
{
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, WAIT_MS);
    if (event == NULL) {
        fail("admin", "no reply in time");
        return;
    }
    if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR)
        fail("admin", rd_kafka_event_error_string(event));
    const rd_kafka_CreateTopics_result_t *made = rd_kafka_event_CreateTopics_result(event);
    const rd_kafka_CreatePartitions_result_t *grown = rd_kafka_event_CreatePartitions_result(event);
    const rd_kafka_DeleteTopics_result_t *gone = rd_kafka_event_DeleteTopics_result(event);
    size_t count = 0;
    const rd_kafka_topic_result_t **results =
        made != NULL    ? rd_kafka_CreateTopics_result_topics(made, &count)
        : grown != NULL ? rd_kafka_CreatePartitions_result_topics(grown, &count)
        : gone != NULL  ? rd_kafka_DeleteTopics_result_topics(gone, &count)
                        : NULL;
    for (size_t i = 0; i < count; i++)
        if (rd_kafka_topic_result_error(results[i]) != RD_KAFKA_RESP_ERR_NO_ERROR)
            fail("admin", rd_kafka_err2str(rd_kafka_topic_result_error(results[i])));
    const rd_kafka_AlterConfigs_result_t *altered = rd_kafka_event_AlterConfigs_result(event);
    const rd_kafka_ConfigResource_t **resources =
        altered != NULL ? rd_kafka_AlterConfigs_result_resources(altered, &count) : NULL;
    for (size_t i = 0; resources != NULL && i < count; i++)
        if (rd_kafka_ConfigResource_error(resources[i]) != RD_KAFKA_RESP_ERR_NO_ERROR)
            fail("admin", rd_kafka_ConfigResource_error_string(resources[i]));
    const rd_kafka_DeleteRecords_result_t *trimmed = rd_kafka_event_DeleteRecords_result(event);
    const rd_kafka_topic_partition_list_t *places =
        trimmed != NULL ? rd_kafka_DeleteRecords_result_offsets(trimmed) : NULL;
    for (int i = 0; places != NULL && i < places->cnt; i++)
        if (places->elems[i].err != RD_KAFKA_RESP_ERR_NO_ERROR)
            fail("admin", rd_kafka_err2str(places->elems[i].err));
    rd_kafka_event_destroy(event);
}

static void acl_result(rd_kafka_queue_t *queue)
{
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, WAIT_MS);
    if (event == NULL || rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR)
        fail("acl", event == NULL ? "no reply in time" : rd_kafka_event_error_string(event));
    const rd_kafka_CreateAcls_result_t *made = event ? rd_kafka_event_CreateAcls_result(event) : NULL;
    size_t count = 0;
    const rd_kafka_acl_result_t **results =
        made != NULL ? rd_kafka_CreateAcls_result_acls(made, &count) : NULL;
    for (size_t i = 0; i < count; i++)
        if (rd_kafka_acl_result_error(results[i]) != NULL)
            fail("acl", rd_kafka_error_string(rd_kafka_acl_result_error(results[i])));
    if (event != NULL)
        rd_kafka_event_destroy(event);
}

/* Give a user one right, or take it away again. */
static void do_acl(const cJSON *order, bool allows)
{
    char why[256] = "";
    int resource = (int)number_of(order, "resource", 0);
    int operation = (int)number_of(order, "operation", 0);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(producer);
    rd_kafka_AclBinding_t *acl =
        (allows ? rd_kafka_AclBinding_new : rd_kafka_AclBindingFilter_new)(
            (rd_kafka_ResourceType_t)resource, text_of(order, "name"),
            RD_KAFKA_RESOURCE_PATTERN_LITERAL, text_of(order, "user"), "*",
            (rd_kafka_AclOperation_t)operation, RD_KAFKA_ACL_PERMISSION_TYPE_ALLOW, why,
            sizeof why);
    if (acl == NULL) {
        fail("acl", why);
    } else {
        if (allows)
            rd_kafka_CreateAcls(producer, &acl, 1, NULL, queue);
        else
            rd_kafka_DeleteAcls(producer, &acl, 1, NULL, queue);
        acl_result(queue);
        rd_kafka_AclBinding_destroy(acl);
    }
    rd_kafka_queue_destroy(queue);
}

static void alter_topic(const char *topic, const cJSON *order, rd_kafka_queue_t *queue)
{
    const cJSON *setting;
    rd_kafka_ConfigResource_t *one = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);
    cJSON_ArrayForEach(setting, cJSON_GetObjectItemCaseSensitive(order, "config"))
        rd_kafka_ConfigResource_set_config(one, setting->string, setting->valuestring);
    rd_kafka_AlterConfigs(producer, &one, 1, NULL, queue);
    rd_kafka_ConfigResource_destroy(one);
}

static void trim_topic(const char *topic, const cJSON *order, rd_kafka_queue_t *queue)
{
    const cJSON *before;
    int partition = 0;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    cJSON_ArrayForEach(before, cJSON_GetObjectItemCaseSensitive(order, "before"))
        rd_kafka_topic_partition_list_add(list, topic, partition++)->offset =
            (int64_t)before->valuedouble;
    rd_kafka_DeleteRecords_t *one = rd_kafka_DeleteRecords_new(list);
    rd_kafka_DeleteRecords(producer, &one, 1, NULL, queue);
    rd_kafka_DeleteRecords_destroy(one);
    rd_kafka_topic_partition_list_destroy(list);
}

static void do_admin(const cJSON *order, const char *what)
{
    char why[256];
    const char *topic = text_of(order, "topic");
    int partitions = (int)number_of(order, "partitions", 1);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(producer);
    if (strcmp(what, "create") == 0) {
        const cJSON *setting;
        rd_kafka_NewTopic_t *one = rd_kafka_NewTopic_new(
            topic, partitions, (int)number_of(order, "copies", -1), why, sizeof why);
        cJSON_ArrayForEach(setting, cJSON_GetObjectItemCaseSensitive(order, "config"))
            rd_kafka_NewTopic_set_config(one, setting->string, setting->valuestring);
        rd_kafka_CreateTopics(producer, &one, 1, NULL, queue);
        rd_kafka_NewTopic_destroy(one);
    } else if (strcmp(what, "grow") == 0) {
        rd_kafka_NewPartitions_t *one =
            rd_kafka_NewPartitions_new(topic, (size_t)partitions, why, sizeof why);
        rd_kafka_CreatePartitions(producer, &one, 1, NULL, queue);
        rd_kafka_NewPartitions_destroy(one);
    } else if (strcmp(what, "alter") == 0) {
        alter_topic(topic, order, queue);
    } else if (strcmp(what, "trim") == 0) {
        trim_topic(topic, order, queue);
    } else {
        rd_kafka_DeleteTopic_t *one = rd_kafka_DeleteTopic_new(topic);
        rd_kafka_DeleteTopics(producer, &one, 1, NULL, queue);
        rd_kafka_DeleteTopic_destroy(one);
    }
    topic_result(queue);
    rd_kafka_queue_destroy(queue);
}

static void order_obey(const cJSON *order)
{
    const char *what = text_of(order, "do");
    if (what == NULL)
        fail("order", "not understood");
    else if (strcmp(what, "produce") == 0)
        do_produce(order);
    else if (strcmp(what, "consume") == 0)
        do_consume(order);
    else if (strcmp(what, "marks") == 0)
        do_marks(order);
    else if (strcmp(what, "allow") == 0 || strcmp(what, "forbid") == 0)
        do_acl(order, strcmp(what, "allow") == 0);
    else if (strcmp(what, "leaders") == 0 && text_of(order, "topic") != NULL)
        do_leaders(text_of(order, "topic"));
    else if (text_of(order, "topic") != NULL)
        do_admin(order, what);
    else
        fail(what, "which topic?");
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: tool_kafka BOOTSTRAP-SERVERS < orders > replies\n");
        return 64;
    }
    servers = argv[1];
    producer = client_new(RD_KAFKA_PRODUCER, NULL);
    consumer = client_new(RD_KAFKA_CONSUMER, NULL);
    rd_kafka_poll_set_consumer(consumer);

    char *line = NULL;
    size_t size = 0;
    while (getline(&line, &size, stdin) > 0) {
        cJSON *order = cJSON_Parse(line);
        reply = cJSON_CreateObject();
        order_obey(order);
        char *text = cJSON_PrintUnformatted(reply);
        puts(text);
        fflush(stdout);
        cJSON_free(text);
        cJSON_Delete(reply);
        cJSON_Delete(order);
    }
    free(line);
    if (uncommitted_consumer != NULL)
        rd_kafka_destroy(uncommitted_consumer);
    rd_kafka_destroy(consumer);
    rd_kafka_destroy(producer);
    return EXIT_SUCCESS;
}
