/*
 * mock_broker.c -- librdkafka's mock cluster in a process of its own: Kafka to try sluice with, no JVM.
 *
 *     sluice-mock-broker --topics docs:4,questions:1,answers:1,docs.dlq:1 --port-file FILE
 *
 * The mock cluster lives inside a client handle and speaks the real protocol over loopback TCP, so any
 * client can use it. A process of its own, and not a thread of the daemon, so that the daemon can be killed
 * while its broker lives on.
 *
 * Known weakness: nothing is kept on disk, each partition holds the last 5 MiB, and transactions, fencing,
 * compaction and TLS are not there. Delivery promises are tested on a real broker instead.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

enum { EXIT_BAD_USAGE = 64, EXIT_NO_CLUSTER = 69, EXIT_NO_FILE = 73 };
enum { PARTITIONS_MAX = 1000, BROKERS_MAX = 9 };

struct options {
    const char *port_file; /* NULL: standard output only */
    char *topics;          /* name:partitions,... */
    int brokers;
};

static const char usage[] =
    "usage: sluice-mock-broker [--port-file FILE] [--brokers N] [--topics NAME:PARTITIONS,...]\n"
    "\n"
    "A Kafka cluster in memory, on loopback ports that the kernel picks. Prints its bootstrap servers;\n"
    "runs until SIGTERM or SIGINT. While it runs, a line `NAME:PARTITIONS` on standard input creates a\n"
    "topic, `down` and `up` stop and start all brokers. Nothing is kept.\n";

static bool number_parse(const char *text, int max, int *ret_number)
{
    char *end = NULL;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || value < 1 || value > max)
        return false;
    *ret_number = (int)value;
    return true;
}

/* "docs:4" makes a topic of four partitions; a bare "docs" one of one. Cuts `spec` in place. */
static bool topic_create(rd_kafka_mock_cluster_t *cluster, char *spec, int brokers)
{
    int partitions = 1;
    char *colon = strrchr(spec, ':');
    if (colon != NULL) {
        *colon = '\0';
        if (!number_parse(colon + 1, PARTITIONS_MAX, &partitions)) {
            fprintf(stderr, "sluice-mock-broker: topic %s: partitions must be 1 to %d, not %s\n",
                    spec, PARTITIONS_MAX, colon + 1);
            return false;
        }
    }
    rd_kafka_resp_err_t code = rd_kafka_mock_topic_create(cluster, spec, partitions, brokers);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        fprintf(stderr, "sluice-mock-broker: topic %s: %s\n", spec, rd_kafka_err2str(code));
        return false;
    }
    return true;
}

static bool topics_create(rd_kafka_mock_cluster_t *cluster, char *list, int brokers)
{
    char *rest = NULL;
    for (char *spec = strtok_r(list, ",", &rest); spec != NULL; spec = strtok_r(NULL, ",", &rest))
        if (!topic_create(cluster, spec, brokers))
            return false;
    return true;
}

/* Written whole under another name and renamed, so that who waits for the file never reads half of it. */
static bool port_file_write(const char *path, const char *servers)
{
    char partial[4096];
    int length = snprintf(partial, sizeof partial, "%s.new", path);
    if (length < 0 || (size_t)length >= sizeof partial)
        return false;
    FILE *file = fopen(partial, "we");
    if (file == NULL)
        return false;
    bool written = fprintf(file, "%s\n", servers) > 0;
    written = fclose(file) == 0 && written;
    return written && rename(partial, path) == 0;
}

static bool options_read(int argc, char **argv, struct options *ret_options)
{
    static const struct option known[] = {{"port-file", required_argument, NULL, 'p'},
                                          {"topics", required_argument, NULL, 't'},
                                          {"brokers", required_argument, NULL, 'b'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    struct options options = {.brokers = 1};
    for (int c; (c = getopt_long(argc, argv, "h", known, NULL)) != -1;) {
        switch (c) {
        case 'p': options.port_file = optarg; break;
        case 't': options.topics = optarg; break;
        case 'b':
            if (!number_parse(optarg, BROKERS_MAX, &options.brokers)) {
                fprintf(stderr, "sluice-mock-broker: --brokers must be 1 to %d\n", BROKERS_MAX);
                return false;
            }
            break;
        case 'h': fputs(usage, stdout); exit(EXIT_SUCCESS);
        default: fputs(usage, stderr); return false;
        }
    }
    if (optind < argc) {
        fputs(usage, stderr);
        return false;
    }
    *ret_options = options;
    return true;
}

static void brokers_switch(rd_kafka_mock_cluster_t *cluster, int brokers, bool up)
{
    for (int id = 1; id <= brokers; id++) {
        if (up)
            rd_kafka_mock_broker_set_up(cluster, id);
        else
            rd_kafka_mock_broker_set_down(cluster, id);
    }
}

static void order_obey(rd_kafka_mock_cluster_t *cluster, char *order, int brokers)
{
    order[strcspn(order, "\r\n")] = '\0';
    if (strcmp(order, "down") == 0 || strcmp(order, "up") == 0) {
        brokers_switch(cluster, brokers, order[0] == 'u');
        printf("ok %s\n", order);
    } else if (order[0] != '\0') {
        printf("%s\n", topic_create(cluster, order, brokers) ? "ok" : "refused");
    }
    fflush(stdout);
}

/* Orders come on standard input; its end is no reason to stop, a signal is. */
static void serve(rd_kafka_mock_cluster_t *cluster, int brokers)
{
    char *line = NULL;
    size_t size = 0;
    while (getline(&line, &size, stdin) > 0)
        order_obey(cluster, line, brokers);
    free(line);
    for (;;)
        pause();
}

static void on_end(int number)
{
    (void)number;
    _exit(EXIT_SUCCESS);
}

int main(int argc, char **argv)
{
    struct options options;
    if (!options_read(argc, argv, &options))
        return EXIT_BAD_USAGE;

    char why[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, NULL); /* it would warn of having no broker to call */
    rd_kafka_t *handle = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    if (handle == NULL) {
        fprintf(stderr, "sluice-mock-broker: %s\n", why);
        return EXIT_NO_CLUSTER;
    }
    rd_kafka_mock_cluster_t *cluster = rd_kafka_mock_cluster_new(handle, options.brokers);
    if (cluster == NULL) {
        fprintf(stderr, "sluice-mock-broker: cannot listen on the loopback address\n");
        return EXIT_NO_CLUSTER;
    }
    if (options.topics != NULL && !topics_create(cluster, options.topics, options.brokers))
        return EXIT_BAD_USAGE;

    /* Nothing to save: leaving at once is right, and the threads of the library need no farewell. */
    signal(SIGTERM, on_end);
    signal(SIGINT, on_end);
    const char *servers = rd_kafka_mock_cluster_bootstraps(cluster);
    if (options.port_file != NULL && !port_file_write(options.port_file, servers)) {
        fprintf(stderr, "sluice-mock-broker: %s: %s\n", options.port_file, strerror(errno));
        return EXIT_NO_FILE;
    }
    printf("%s\n", servers);
    fflush(stdout);
    serve(cluster, options.brokers);
}
