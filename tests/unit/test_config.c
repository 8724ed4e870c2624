/* test_config.c -- the configuration: defaults, every message, secrets, paths, and the files made from the table. */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/config.h"
#include "daemon/control.h"

/* The outside of the program: names that may never change, with their defaults. */
static const char *const fixed_options[] = {
    "documents.topics=docs", "documents.dead_letter_topic=docs.dlq", "documents.lag_group=",
    "documents.cleanup=auto", "documents.on_gap=halt", "queries.topics=questions",
    "queries.answers_topic=answers", "queries.reply_topics=", "queries.group=sluice",
    "queries.instance=", "queries.delivery=at_least_once", "queries.tenant=",
    "queries.tenant_header=", "workers.threads=0", "workers.queue_items=1024",
    "workers.queue_bytes=64M", "workers.memory_budget=1G", "chunk.words=220",
    "chunk.overlap_words=30", "embed.backend=bert", "embed.model=", "embed.query_prefix=",
    "embed.passage_prefix=", "embed.precision=auto",
    "embed.batch=32", "embed.dimensions=0", "embed.url=", "embed.api_key_credential=",
    "embed.api=auto", "embed.ca_file=", "embed.token_limit=512", "embed.batch_tokens=8192",
    "embed.batch_wait_ms=10", "embed.in_flight=4", "embed.timeout_ms=30000",
    "embed.question_timeout_ms=2000", "embed.requests_per_minute=0", "embed.tokens_per_minute=0",
    "embed.tokens_max_per_day=0", "embed.price=off", "embed.cost_max_per_day=off",
    "embed.breaker_wait_ms=5000",
    "index.path=", "index.map_size_max=64G", "index.m=16", "index.ef_construction=200",
    "index.ef_search=64", "index.storage=f32", "retrieve.mode=hybrid", "retrieve.k=5",
    "retrieve.fusion=minmax", "retrieve.weights=1, 1", "retrieve.half_life_days=off",
    "retrieve.rerank=none", "answer.backend=extract", "answer.url=", "answer.model=",
    "answer.api_key_credential=", "answer.max_tokens=512", "answer.deadline_ms=30000",
    "clean.pii=off", "clean.boilerplate=on", "http.listen=127.0.0.1:9464", "log.level=info",
    "log.format=auto",
};

/* Parse; the problems are in `problems`, which the caller frees. NULL when something is wrong. */
static struct sl_config *parse(const char *text, struct sl_buffer *problems)
{
    struct sl_config *config = NULL;
    struct sl_error err = {0};
    enum sl_err result = sl_config_parse("t.conf", sl_view_of(text), &config, problems, &err);

    CHECK((result == SL_OK) == (problems->size == 0));
    CHECK(result == SL_OK || (err.exit_code == SL_EXIT_CONFIG && config == NULL));
    return config;
}

static void check_refused(const char *text, const char *expected)
{
    struct sl_buffer problems = {0};
    struct sl_config *config = parse(text, &problems);

    CHECK_THAT(config == NULL, "%s was taken", text);
    CHECK_THAT(problems.data != NULL && strstr(problems.data, expected) != NULL,
               "\n  file:     %s\n  expected: %s\n  got:      %s", text, expected,
               problems.data != NULL ? problems.data : "nothing");
    sl_config_free(config);
    sl_buffer_fini(&problems);
}

static void check_taken(const char *text)
{
    struct sl_buffer problems = {0};
    struct sl_config *config = parse(text, &problems);

    CHECK_THAT(config != NULL, "%s: %s", text, problems.data);
    sl_config_free(config);
    sl_buffer_fini(&problems);
}

TEST(every_fixed_option_is_there_with_its_default)
{
    for (size_t i = 0; i < sizeof fixed_options / sizeof fixed_options[0]; i++) {
        struct sl_buffer text = {0};
        const char *equals = strchr(fixed_options[i], '=');
        char name[64], fallback[96];

        (void)snprintf(name, sizeof name, "%.*s", (int)(equals - fixed_options[i]), fixed_options[i]);
        (void)snprintf(fallback, sizeof fallback, "Default: %s",
                       equals[1] == '\0' ? "" : equals + 1);
        CHECK_THAT(sl_config_explain(name, &text), "%s", name);
        CHECK_THAT(text.data != NULL && strstr(text.data, fallback) != NULL, "%s: %s", name,
                   text.data);
        sl_buffer_fini(&text);
    }
}

TEST(defaults_are_in_the_struct)
{
    struct sl_buffer problems = {0};
    struct sl_config *c = parse("", &problems);

    REQUIRE(c != NULL);
    CHECK(c->kafka.count == 1 && strcmp(c->kafka.properties[0].value, "localhost:9092") == 0);
    CHECK(c->documents.topics.count == 1 && strcmp(c->documents.topics.items[0], "docs") == 0);
    CHECK(strcmp(c->documents.dead_letter_topic, "docs.dlq") == 0);
    CHECK(c->documents.cleanup == SL_CLEANUP_AUTO && c->documents.on_gap == SL_ON_GAP_HALT);
    CHECK(c->queries.reply_topics.count == 0 && c->queries.instance[0] == '\0');
    CHECK(c->workers.queue_bytes == 64u << 20 && c->workers.memory_budget == 1u << 30);
    CHECK(c->chunk.words == 220 && c->chunk.overlap_words == 30);
    CHECK(c->embed.backend == SL_EMBED_BACKEND_BERT && strcmp(c->embed.precision, "auto") == 0);
    CHECK(c->index.map_size_max == 64ull << 30 && c->index.m == 16 && c->index.ef_search == 64);
    CHECK(c->retrieve.weight_lexical == 1.0 && c->retrieve.weight_vector == 1.0);
    CHECK(c->retrieve.half_life_days == 0.0 && c->retrieve.k == 5);
    CHECK(c->answer.deadline_ms == 30000 && c->answer.backend == SL_ANSWER_EXTRACT);
    CHECK(c->clean.boilerplate && c->log.format == SL_LOG_AUTO);
    sl_config_free(c);
}

TEST(values_reach_the_struct)
{
    struct sl_buffer problems = {0};
    struct sl_config *c = parse("[kafka]\nbootstrap.servers = a:1, b:2\nsasl.password_credential = pw\n"
                                "[documents]\ntopics = a , b.c,d_e-f\non_gap = continue\n"
                                "dead_letter_topic =\n"
                                "[workers]\nqueue_bytes = 128M\nthreads=3\n"
                                "[retrieve]\nweights = 0.25, 2\nhalf_life_days = 30.5\nmode = lexical\n"
                                "[answer]\ndeadline_ms = 5s\n"
                                "[clean]\nboilerplate = off\n[embed]\nbackend = none\n"
                                "[log]\nformat = json\nlevel = debug\n",
                                &problems);

    REQUIRE(c != NULL);
    CHECK(strcmp(c->kafka.properties[0].value, "a:1, b:2") == 0 && c->kafka.properties[0].line == 2);
    CHECK(c->kafka.credential_count == 1 &&
          strcmp(c->kafka.credentials[0].name, "sasl.password") == 0 &&
          strcmp(c->kafka.credentials[0].value, "pw") == 0);
    CHECK(c->documents.topics.count == 3 && strcmp(c->documents.topics.items[1], "b.c") == 0);
    CHECK(c->documents.on_gap == SL_ON_GAP_CONTINUE && c->documents.dead_letter_topic[0] == '\0');
    CHECK(c->workers.queue_bytes == 128u << 20 && c->workers.threads == 3);
    CHECK(c->retrieve.weight_lexical == 0.25 && c->retrieve.weight_vector == 2.0);
    CHECK(c->retrieve.half_life_days == 30.5 && strcmp(c->retrieve.mode, "lexical") == 0);
    CHECK(c->answer.deadline_ms == 5000 && !c->clean.boilerplate);
    CHECK(c->embed.backend == SL_EMBED_BACKEND_NONE && c->log.format == SL_LOG_JSON);
    sl_config_free(c);
}

TEST(a_message_names_file_line_key_and_what_is_allowed)
{
    check_refused("[chunk]\n\nwords = 5\n",
                  "t.conf:3: [chunk] words: '5' is out of range; allowed: 10 to 100000 words");
    check_refused("[index]\nmap_size_max = 64Q\n", "t.conf:2: [index] map_size_max: '64Q'");
    check_refused("[index]\nm = -1\n", "allowed: 4 to 64 links");
    check_refused("[index]\nm = 0x10\n", "allowed: 4 to 64");
    check_refused("[index]\nm =\n", "t.conf:2: [index] m:");
    check_refused("[workers]\nqueue_bytes = 99999999999999999999\n", "queue_bytes");
    check_refused("[workers]\nqueue_bytes = 18446744073709551615G\n", "out of range");
    check_refused("[workers]\nthreads = 3 # cores\n", "a comment needs a line of its own");
    check_refused("[log]\nlevel = loud\n", "allowed: error, warning, notice, info, debug");
    check_refused("[clean]\nboilerplate = yes\n", "allowed: on, off");
    check_refused("[documents]\ntopics = a,,b\n", "no topic name");
    check_refused("[documents]\ntopics = a,\n", "no topic name");
    check_refused("[documents]\ntopics = a, a\n", "names a topic twice");
    check_refused("[documents]\ntopics = ..\n", "no topic name");
    check_refused("[documents]\ntopics =\n", "t.conf:2: [documents] topics:");
    check_refused("[retrieve]\nweights = 1\n", "two numbers from 0 to 100");
    check_refused("[retrieve]\nweights = 0, 0\n", "not both 0");
    check_refused("[retrieve]\nhalf_life_days = 1e3\n", "allowed: off, or more than 0");
    check_refused("[http]\nlisten = 9464\n", "ADDRESS:PORT");
    check_refused("[http]\nlisten = localhost:9464\n", "numeric address");
    check_refused("[http]\nlisten = ::1:9464\n", "ADDRESS:PORT");
    check_refused("[http]\nlisten = 127.0.0.1:65536\n", "ADDRESS:PORT");
    check_taken("[http]\nlisten = [::1]:9464\n");
    check_taken("[http]\nlisten =\n");
}

TEST(values_of_later_versions_are_refused_by_name)
{
    check_refused("[clean]\npii = mask\n", "'mask' is not in this version; allowed: off");
    check_taken("[index]\nstorage = i8\n");
    check_taken("[embed]\nprecision = bf16\n");
    check_taken("[embed]\nprecision = int8\n");
    check_taken("[embed]\nbackend = static\n");
    check_taken("[embed]\nquery_prefix = \"query: \"\n");
    check_refused("[retrieve]\nrerank = bert\n", "rerank_model: missing");
    check_refused("[retrieve]\nrerank = http\n", "rerank_url: missing");
    check_taken("[retrieve]\nrerank = http\nrerank_url = https://rank.example.org\nrerank_depth = 50\n");
    check_refused("[retrieve]\nrerank_depth = 51\n", "50");
    check_refused("[retrieve]\ndiversity = 1.5\n", "1");
    check_refused("[clean]\npii = mask\n", "allowed: off");
    check_refused("[clean]\npii = hash\n", "allowed: off");
    check_refused("[documents]\non_gap = repair\n", "allowed: halt, continue, resync");
    check_refused("[queries]\ndelivery = at_most_once\n", "allowed: at_least_once, exactly_once");
    check_taken("[queries]\ndelivery = exactly_once\n");
    check_taken("[index]\nstorage = f32\n[clean]\npii = off\n[retrieve]\nrerank = none\n"
                "[embed]\nprecision = f32\ndimensions = 0\nurl =\n[queries]\n"
                "delivery = at_least_once\n");
}

TEST(an_embedding_server_needs_an_address_and_a_model)
{
    check_refused("[embed]\nbackend = http\nmodel = m\n", "needs the server's address");
    check_refused("[embed]\nbackend = http\nmodel = m\nurl = http://example.org/v1\n", "unencrypted");
    check_refused("[embed]\nbackend = http\nmodel = m\nurl = https://a.example\ncost_max_per_day = 2.5\n",
                  "says nothing without price");
    check_refused("[embed]\nprice = much\n", "is not an amount; allowed: off, or more than 0");
    check_refused("[embed]\ndimensions = 4097\n", "0 to 4096");
    check_taken("[embed]\nbackend = http\nmodel = m\nurl = http://127.0.0.1:8080\nprice = 0.02\n"
                "cost_max_per_day = 2.5\n");
}

TEST(unknown_names_get_a_suggestion)
{
    check_refused("[worker]\n", "t.conf:1: [worker] unknown section; did you mean [workers]?");
    check_refused("[zebra]\n", "unknown section; allowed: kafka, documents");
    check_refused("[workers]\nthreds = 1\n", "[workers] threds: unknown key; did you mean threads?");
    check_refused("[index]\nk = 3\n", "it belongs to [retrieve]");
    check_refused("[index]\ncolour = 3\n", "unknown key; docs/CONFIGURATION.md");
    check_refused("[kafka]\nbootstrap.servrs = a:1\n", "did you mean bootstrap.servers?");
    check_refused("[kafka]\nzebra = a\n", "has no such property");
}

TEST(lines_that_are_no_lines)
{
    check_refused("words = 1\n", "t.conf:1: a key before the first [section]");
    check_refused("[chunk]\nwords 220\n", "neither KEY = VALUE");
    check_refused("[chunk]\n= 220\n", "neither KEY = VALUE");
    check_refused("[chunk\nwords = 220\n", "a section must be [NAME]");
    check_refused("[]\n", "a section must be [NAME]");
    check_refused("[chunk]\nwords = 2\x01\n", "control character");
    check_refused("[chunk]\n\xFF\xFE\n", "not UTF-8");
    check_refused("[chunk]\nwords = 220\nwords = 221\n", "t.conf:3: [chunk] words: set before, on line 2");
    check_refused("[chunk]\n[log]\n[chunk]\n", "t.conf:3: [chunk] this section began before, on line 1");
    check_refused("[kafka]\nclient.id = a\nclient.id = b\n", "set before, on line 2");
    check_taken("\xEF\xBB\xBF[chunk]\r\n\twords = 100\t\r\n; note\r\n  # note\r\n[log]\nlevel = info");
}

TEST(a_zero_byte_is_refused)
{
    struct sl_buffer problems = {0};
    struct sl_config *config = NULL;

    CHECK(sl_config_parse("t.conf", SL_VIEW("[chunk]\nwords = 2\0 0\n"), &config, &problems, NULL) ==
          SL_STOP);
    CHECK(problems.data != NULL && strstr(problems.data, "t.conf:2: a control character") != NULL);
    sl_buffer_fini(&problems);
}

TEST(all_problems_are_reported_at_once)
{
    const char *text = "[kafka]\ngroup.id = x\n[chunk]\nwords = 1\noverlap = 3\n[index]\nm = 1000\n"
                       "storage = f8\n[nothing]\na = 1\nb = 2\n[http]\nlisten = x\n";
    struct sl_buffer problems = {0};
    struct sl_config *config = parse(text, &problems);
    size_t lines = 0;

    CHECK(config == NULL);
    REQUIRE(problems.data != NULL);
    for (const char *c = problems.data; *c != '\0'; c++)
        lines += *c == '\n';
    /* group.id, words, overlap, m, storage, [nothing] once, listen */
    CHECK_THAT(lines == 7, "%zu:\n%s", lines, problems.data);
    sl_buffer_fini(&problems);
}

TEST(thousands_of_problems_are_cut)
{
    struct sl_buffer text = {0}, problems = {0};

    sl_buffer_view(&text, SL_VIEW("[chunk]\n"));
    for (int i = 0; i < 5000; i++)
        sl_buffer_view(&text, SL_VIEW("nonsense\n"));
    CHECK(parse(text.data, &problems) == NULL);
    CHECK(problems.size < 20000);
    CHECK(problems.data != NULL && strstr(problems.data, "only the first 100") != NULL);
    sl_buffer_fini(&text);
    sl_buffer_fini(&problems);
}

TEST(lines_may_be_long_and_files_may_not_be_huge)
{
    struct sl_buffer text = {0}, problems = {0};
    struct sl_config *config;

    sl_buffer_view(&text, SL_VIEW("[documents]\ntopics = "));
    for (int i = 0; i < 256; i++)
        sl_buffer_format(&text, "%s%0200d", i > 0 ? "," : "", i);
    sl_buffer_view(&text, SL_VIEW("\n[log]\n# "));
    while (text.size < (1u << 20) - 1)
        sl_buffer_view(&text, SL_VIEW("x"));
    config = parse(text.data, &problems);
    CHECK_THAT(config != NULL && config->documents.topics.count == 256, "%s", problems.data);
    sl_config_free(config);
    sl_buffer_view(&text, SL_VIEW("xx"));
    CHECK(parse(text.data, &problems) == NULL);
    CHECK(problems.data != NULL && strstr(problems.data, "allowed: at most 1048576") != NULL);
    sl_buffer_fini(&text);
    sl_buffer_fini(&problems);
}

TEST(kafka_properties_that_belong_to_sluiced_are_refused)
{
    static const char *const owned[] = {
        "enable.auto.commit = true", "enable.auto.offset.store = true", "auto.offset.reset = latest",
        "isolation.level = read_uncommitted", "group.id = x", "group.instance.id = x",
        "transactional.id = x", "enable.partition.eof = false", "statistics.interval.ms = 1",
        "enable.idempotence = false", "acks = 1", "request.required.acks = 0",
        "plugin.library.paths = /tmp/x.so", "group.id_credential = x",
        "plugin.library.paths_credential = x", "partition.assignment.strategy = cooperative-sticky"};

    for (size_t i = 0; i < sizeof owned / sizeof owned[0]; i++) {
        char text[200];
        (void)snprintf(text, sizeof text, "[kafka]\n%s\n", owned[i]);
        check_refused(text, "belongs to sluiced: ");
    }
    check_refused("[kafka]\nsecurity.protocol = SASSL\n", "t.conf:2: [kafka] security.protocol: Invalid");
    check_refused("[kafka]\nsession.timeout.ms = many\n", "[kafka] session.timeout.ms:");
    check_taken("[kafka]\nsecurity.protocol = sasl_ssl\nsasl.mechanism = SCRAM-SHA-512\n"
                "ssl.ca.location = /etc/ssl/ca.pem\nfetch.max.bytes = 1000000\n"
                "ssl.key.location_credential = kafka-key\n");
}

TEST(secrets_are_never_values_and_never_shown)
{
    static const char *const lines[] = {
        "sasl.password = hunter2", "ssl.key.password = hunter2", "ssl.keystore.password = hunter2",
        "ssl.key.pem = hunter2", "sasl.oauthbearer.config = hunter2",
        "sasl.oauthbearer.client.secret = hunter2", "sasl.jaas.config = hunter2",
        "sasl.password_credential = hunter2/../x", "sasl.pasword = hunter2"};

    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct sl_buffer problems = {0};
        char text[200];
        (void)snprintf(text, sizeof text, "[kafka]\n%s\n", lines[i]);
        CHECK_THAT(parse(text, &problems) == NULL, "%s", text);
        CHECK_THAT(problems.data != NULL && strstr(problems.data, "hunter2") == NULL, "%s",
                   problems.data);
        sl_buffer_fini(&problems);
    }
    check_refused("[kafka]\nsasl.password = x\n", "write sasl.password_credential = NAME");
    check_refused("[answer]\napi_key_credential = sk hunter2\n", "not the name of a credential");
}

TEST(topics_cannot_form_a_loop)
{
    check_refused("[documents]\ntopics = docs, answers\n", "[queries] answers_topic: 'answers' is a documents topic");
    check_refused("[queries]\nanswers_topic = docs\n", "t.conf:2: [queries] answers_topic:");
    check_refused("[queries]\nanswers_topic = questions\n", "is a questions topic too");
    check_refused("[documents]\ndead_letter_topic = docs\n", "a dead letter would come back");
    check_refused("[documents]\ndead_letter_topic = questions\n", "a dead letter would come back");
    check_refused("[documents]\ndead_letter_topic = answers\n", "they must differ");
    check_refused("[queries]\ntopics = docs\n", "is a documents topic too");
    check_refused("[queries]\nreply_topics = docs\n", "[queries] reply_topics:");
    check_refused("[documents]\nlag_group = sluice\n", "[documents] lag_group:");
}

TEST(values_are_checked_against_each_other)
{
    check_refused("[chunk]\nwords = 20\n", "t.conf: [chunk] overlap_words: 30 is not less than words = 20");
    check_refused("[chunk]\nwords = 20\noverlap_words = 20\n", "t.conf:3: [chunk] overlap_words:");
    check_refused("[workers]\nmemory_budget = 100M\n", "more than half of memory_budget");
    check_refused("[index]\nm = 64\nef_construction = 32\n", "[index] ef_construction:");
    check_refused("[index]\nef_search = 4\n", "less than [retrieve] k");
    check_refused("[embed]\nbackend = none\n[retrieve]\nmode = vector\n", "[retrieve] mode:");
    check_refused("[answer]\nbackend = llm\n", "[answer] url: missing");
    check_refused("[answer]\nbackend = llm\nurl = https://x/v1\n", "[answer] model: missing");
    check_refused("[answer]\nurl = ftp://x\n", "http:// or https://");
    check_refused("[answer]\nurl = https://user:pw@x/\n", "http:// or https://");
    check_refused("[answer]\nurl = http://x/v1\napi_key_credential = k\n", "unencrypted");
    check_refused("[answer]\nurl = http://localhost.evil.org/v1\napi_key_credential = k\n", "unencrypted");
    check_taken("[answer]\nbackend = llm\nmodel = m\nurl = http://127.0.0.1:8080/v1\napi_key_credential = k\n");
    check_refused("[queries]\ntenant = a\ntenant_header = b\n", "[queries] tenant_header:");
}

static void check_committed(const char *file, void (*make)(struct sl_buffer *))
{
    struct sl_buffer made = {0};
    char path[4096];
    static char committed[1 << 17];
    FILE *opened;
    size_t size;

    (void)snprintf(path, sizeof path, SOURCE_DIR "/%s", file);
    make(&made);
    opened = fopen(path, "rb");
    REQUIRE(opened != NULL);
    size = fread(committed, 1, sizeof committed, opened);
    (void)fclose(opened);
    CHECK_THAT(size == made.size && memcmp(committed, made.data, size) == 0,
               "%s is not what the table makes; write it again with `sluicectl config`", file);
    sl_buffer_fini(&made);
}

TEST(committed_files_are_what_the_table_makes)
{
    check_committed("config/sluiced.conf", sl_config_sample);
    check_committed("docs/CONFIGURATION.md", sl_config_markdown);
}

/* The sample with its defaults switched on, and the bare defaults, mean what an empty file means. */
TEST(sample_and_defaults_are_the_defaults)
{
    struct sl_buffer sample = {0}, on = {0}, defaults = {0}, problems = {0}, differs = {0};
    struct sl_config *empty = parse("", &problems), *switched, *bare;

    sl_config_sample(&sample);
    sl_config_defaults(&defaults);
    for (const char *line = sample.data; *line != '\0';) {
        size_t size = strcspn(line, "\n") + 1;
        bool kafka = strncmp(line, "#sasl", 5) == 0 || strncmp(line, "#security", 9) == 0;
        bool off = line[0] == '#' && line[1] >= 'a' && line[1] <= 'z' && !kafka;
        sl_buffer_add(&on, line + off, size - off);
        line += size;
    }
    check_taken(sample.data);
    switched = parse(on.data, &problems);
    bare = parse(defaults.data, &problems);
    CHECK_THAT(switched != NULL && bare != NULL, "%s", problems.data);
    if (switched != NULL && bare != NULL) {
        sl_config_restart_needed(empty, switched, &differs);
        sl_config_restart_needed(empty, bare, &differs);
        CHECK_THAT(differs.size == 0, "%s", differs.data);
    }
    sl_config_free(empty);
    sl_config_free(switched);
    sl_config_free(bare);
    sl_buffer_fini(&sample);
    sl_buffer_fini(&on);
    sl_buffer_fini(&defaults);
    sl_buffer_fini(&problems);
    sl_buffer_fini(&differs);
}

TEST(explain_knows_keys_with_and_without_their_section)
{
    struct sl_buffer text = {0};

    CHECK(sl_config_explain("backend", &text));
    CHECK(strstr(text.data, "[embed] backend") != NULL);
    CHECK(strstr(text.data, "[answer] backend") != NULL);
    sl_buffer_fini(&text);
    CHECK(sl_config_explain("chunk.words", &text));
    CHECK(strstr(text.data, "220") != NULL && strstr(text.data, "10 to 100000") != NULL);
    CHECK(!sl_config_explain("chunk.nothing", &text));
    CHECK(!sl_config_explain("chunkwords", &text));
    CHECK(!sl_config_explain("", &text));
    sl_buffer_fini(&text);
}

TEST(a_reload_knows_what_needs_a_restart)
{
    struct sl_buffer problems = {0}, names = {0};
    struct sl_config *a = parse("", &problems);
    struct sl_config *b = parse("[retrieve]\nk = 7\nweights = 1, 2\n[log]\nlevel = debug\n"
                                "[workers]\nqueue_items = 99\n", &problems);
    struct sl_config *c = parse("[kafka]\nclient.id = x\n[index]\nm = 20\n[documents]\ntopics = z\n"
                                "[chunk]\nwords = 99\n[clean]\nboilerplate = off\n", &problems);

    sl_config_restart_needed(a, b, &names);
    CHECK_THAT(names.size == 0, "%s", names.data);
    sl_config_restart_needed(a, c, &names);
    CHECK_THAT(names.data != NULL && strcmp(names.data, "[kafka], [documents] topics, [chunk] words, [index] m, "
                                                       "[clean] boilerplate") == 0, "%s", names.data);
    sl_config_free(a);
    sl_config_free(b);
    sl_config_free(c);
    sl_buffer_fini(&names);
}

TEST(a_missing_file_is_no_input)
{
    struct sl_config *config = NULL;
    struct sl_buffer problems = {0};
    struct sl_error err = {0};

    CHECK(sl_config_read("/nonexistent/x.conf", &config, &problems, &err) == SL_STOP);
    CHECK(err.exit_code == SL_EXIT_NOINPUT && config == NULL && problems.size == 0);
    CHECK(sl_config_read("/", &config, &problems, &err) == SL_STOP);
}

static void write_file(const char *path, const char *bytes, size_t size, mode_t mode)
{
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);

    CHECK(file >= 0 && write(file, bytes, size) == (ssize_t)size && fchmod(file, mode) == 0);
    (void)close(file);
}

static void check_secret(const char *bytes, size_t size, mode_t mode, const char *expected)
{
    char path[4096], *secret = NULL;
    struct sl_error err = {0};
    enum sl_err result;

    (void)snprintf(path, sizeof path, "%s/secret", test_directory());
    write_file(path, bytes, size, mode);
    result = sl_secret_read(path, &secret, &err);
    CHECK_THAT((result == SL_OK) == (expected != NULL), "%s", err.message);
    CHECK(result == SL_OK || err.exit_code == SL_EXIT_CONFIG);
    CHECK(expected == NULL || (secret != NULL && strcmp(secret, expected) == 0));
    sl_secret_free(secret);
    (void)unlink(path);
}

TEST(secrets_come_from_protected_files)
{
    check_secret("hunter2", 7, 0600, "hunter2");
    check_secret("hunter2\n", 8, 0400, "hunter2");
    check_secret("hunter2\r\n", 9, 0600, "hunter2");
    check_secret("a\nb\n", 4, 0600, "a\nb");
    check_secret("hunter2", 7, 0644, NULL);
    check_secret("hunter2", 7, 0640, NULL);
    check_secret("", 0, 0600, NULL);
    check_secret("\n", 1, 0600, NULL);
    check_secret("hun\0ter", 7, 0600, NULL);
    check_secret("hun\x1bter", 7, 0600, NULL);
}

TEST(a_secret_is_bounded)
{
    char *bytes = malloc((64u << 10) + 1);

    REQUIRE(bytes != NULL);
    memset(bytes, 'x', (64u << 10) + 1);
    check_secret(bytes, (64u << 10) + 1, 0600, NULL);
    free(bytes);
}

TEST(named_credentials_come_from_their_directory)
{
    const char *directory = test_directory();
    char path[4096], *secret = NULL;
    struct sl_error err = {0};

    (void)snprintf(path, sizeof path, "%s/kafka-password", directory);
    write_file(path, "hunter2\n", 8, 0440);
    (void)unsetenv("CREDENTIALS_DIRECTORY");
    CHECK(sl_secret_read("kafka-password", &secret, &err) == SL_STOP);
    CHECK(strstr(err.message, "CREDENTIALS_DIRECTORY is not set") != NULL);
    (void)setenv("CREDENTIALS_DIRECTORY", directory, 1);
    CHECK(sl_secret_read("kafka-password", &secret, &err) == SL_OK);
    CHECK(secret != NULL && strcmp(secret, "hunter2") == 0);
    sl_secret_free(secret);
    secret = NULL;
    CHECK(sl_secret_read("absent", &secret, &err) == SL_STOP && err.foreign_code == ENOENT);
    CHECK(sl_secret_read("../kafka-password", &secret, &err) == SL_STOP && secret == NULL);
    CHECK(sl_secret_path("kafka-password", &secret, &err) == SL_OK && strcmp(secret, path) == 0);
    free(secret);
    (void)unsetenv("CREDENTIALS_DIRECTORY");
    (void)unlink(path);
}

TEST(the_index_path_follows_the_file_or_the_manager)
{
    struct sl_buffer problems = {0};
    struct sl_config *config = NULL;

    (void)unsetenv("STATE_DIRECTORY");
    CHECK(sl_config_parse("/etc/sluiced/hr.conf", SL_VIEW(""), &config, &problems, NULL) == SL_OK);
    CHECK(config != NULL && strcmp(config->index.path, "/var/lib/sluiced/hr") == 0);
    sl_config_free(config);
    (void)setenv("STATE_DIRECTORY", "/state/a:/state/b", 1);
    CHECK(sl_config_parse("hr.conf", SL_VIEW(""), &config, &problems, NULL) == SL_OK);
    CHECK(strcmp(config->index.path, "/state/a") == 0);
    sl_config_free(config);
    CHECK(sl_config_parse("hr.conf", SL_VIEW("[index]\npath = /x y\n"), &config, &problems, NULL) == SL_OK);
    CHECK(strcmp(config->index.path, "/x y") == 0);
    sl_config_free(config);
    (void)unsetenv("STATE_DIRECTORY");
}

TEST(the_control_socket_is_where_both_sides_look)
{
    struct sl_buffer problems = {0};
    struct sl_config *config = parse("[index]\npath = /x\n", &problems);
    struct sl_error err = {0};
    char path[SL_CONTROL_PATH_BYTES_MAX];

    REQUIRE(config != NULL);
    (void)unsetenv("RUNTIME_DIRECTORY");
    CHECK(sl_control_listen_path(config, path, sizeof path, &err) == SL_OK);
    CHECK(strcmp(path, "/x/control.sock") == 0);
    CHECK(sl_control_path(config, path, sizeof path, &err) == SL_OK);
    CHECK(strcmp(path, "/x/control.sock") == 0);
    (void)setenv("RUNTIME_DIRECTORY", "/run/sluiced/t", 1);
    CHECK(sl_control_listen_path(config, path, sizeof path, &err) == SL_OK);
    CHECK(strcmp(path, "/run/sluiced/t/control.sock") == 0);
    (void)unsetenv("RUNTIME_DIRECTORY");
    free(config->index.path);
    config->index.path = strdup("/a-very-long-directory/a-very-long-directory/a-very-long-directory/"
                                "a-very-long-directory/a-very-long-directory");
    CHECK(sl_control_listen_path(config, path, sizeof path, &err) == SL_REJECT);
    CHECK(strcmp(err.reason, "control_path_too_long") == 0);
    sl_config_free(config);
}
