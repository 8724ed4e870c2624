/*
 * config_table.c -- every option: where it is stored, what it may be, what it means.
 *
 * The parser, the validator, config/sluiced.conf, docs/CONFIGURATION.md and `sluicectl config explain` are all made
 * from these rows; an option is added here and in struct sl_config, nowhere else. [kafka] has no rows: its keys are
 * librdkafka's (config_kafka.c).
 *
 * A value marked planned belongs to the fixed vocabulary and is refused by name, so that a file written for a later
 * version fails with a sentence instead of doing something else.
 */
#include "daemon/config_internal.h"

#include <sluice/limits.h>

#define AT(field) offsetof(struct sl_config, field)

static const struct option_choice cleanup_words[] = {{"auto", SL_CLEANUP_AUTO, false},
                                                     {"compact", SL_CLEANUP_COMPACT, false},
                                                     {"delete", SL_CLEANUP_DELETE, false},
                                                     {0}};
static const struct option_choice reindex_words[] = {{"manual", false, false}, {"auto", true, false},
                                                     {NULL, 0, false}};
static const struct option_choice gap_words[] = {{"halt", SL_ON_GAP_HALT, false},
                                                 {"continue", SL_ON_GAP_CONTINUE, false},
                                                 {"resync", SL_ON_GAP_RESYNC, false},
                                                 {0}};
static const struct option_choice delivery_words[] = {
    {"at_least_once", SL_DELIVERY_AT_LEAST_ONCE, false},
    {"exactly_once", SL_DELIVERY_EXACTLY_ONCE, false},
    {0}};
static const struct option_choice embed_words[] = {{"bert", SL_EMBED_BACKEND_BERT, false},
                                                   {"static", SL_EMBED_BACKEND_STATIC, false},
                                                   {"http", SL_EMBED_BACKEND_HTTP, false},
                                                   {"none", SL_EMBED_BACKEND_NONE, false},
                                                   {0}};
static const struct option_choice api_words[] = {
    {"auto", 0, false}, {"openai", 0, false}, {"ollama", 0, false}, {"tei", 0, false}, {0}};
static const struct option_choice precision_words[] = {
    {"auto", 0, false}, {"f32", 0, false}, {"bf16", 0, false}, {"int8", 0, false}, {0}};
static const struct option_choice storage_words[] = {
    {"f32", 0, false}, {"f16", 0, false}, {"bf16", 0, false}, {"i8", 0, false}, {"bit", 0, false}, {0}};
static const struct option_choice mode_words[] = {
    {"hybrid", 0, false}, {"vector", 0, false}, {"lexical", 0, false}, {0}};
static const struct option_choice fusion_words[] = {{"rrf", 0, false}, {"minmax", 0, false}, {0}};
static const struct option_choice expand_words[] = {
    {"off", 0, false}, {"section", 0, false}, {"neighbours", 0, false}, {0}};
static const struct option_choice duplicates_words[] = {
    {"collapse", 0, false}, {"keep", 0, false}, {0}};
static const struct option_choice copies_words[] = {
    {"keep", SL_DUPLICATES_KEEP, false}, {"exact", SL_DUPLICATES_EXACT, false},
    {"near", SL_DUPLICATES_NEAR, false}, {0}};
static const struct option_choice expansion_words[] = {{"none", 0, false}, {"rm3", 0, false}, {0}};
static const struct option_choice rerank_words[] = {
    {"none", SL_RERANK_NONE, false}, {"bert", SL_RERANK_BERT, false}, {"http", SL_RERANK_HTTP, false}, {0}};
static const struct option_choice rerank_api_words[] = {
    {"auto", 0, false}, {"tei", 0, false},      {"jina", 0, false},
    {"cohere", 0, false}, {"llamacpp", 0, false}, {0}};
static const struct option_choice answer_words[] = {
    {"extract", SL_ANSWER_EXTRACT, false}, {"llm", SL_ANSWER_LLM, false}, {0}};
static const struct option_choice pii_words[] = {
    {"off", 0, false}, {"mask", 0, true}, {"hash", 0, true}, {0}};
static const struct option_choice level_words[] = {{"error", 0, false},
                                                   {"warning", 0, false},
                                                   {"notice", 0, false},
                                                   {"info", 0, false},
                                                   {"debug", 0, false},
                                                   {0}};
static const struct option_choice format_words[] = {{"auto", SL_LOG_AUTO, false},
                                                    {"journal", SL_LOG_JOURNAL, false},
                                                    {"json", SL_LOG_JSON, false},
                                                    {"text", SL_LOG_TEXT, false},
                                                    {0}};

const struct option_section option_sections[] = {
    {"kafka",
     "Every key is a property of librdkafka, passed on as it is: security.protocol, sasl.mechanism, "
     "ssl.ca.location, ... Properties that decide whether records are lost or doubled belong to sluiced and are "
     "refused here. Secrets are never values: write PROPERTY_credential, and give the name of a file in "
     "$CREDENTIALS_DIRECTORY or an absolute path (mode 0600)."},
    {"documents", "Where documents come from, and where records go that cannot be used."},
    {"queries", "Where questions come from and answers go."},
    {"workers", "Threads and memory."},
    {"chunk", "How documents are cut into the passages that are searched and cited. An index is made with one setting "
              "and refuses another (exit 78): to change it, name a new [index] path and let it fill from the topics."},
    {"embed", "The model that turns text into vectors."},
    {"index", "The index directory. One daemon at a time holds it."},
    {"text", "Words of your own: what the search by words should know of them. Files are UTF-8, one entry a line, "
             "# begins a comment."},
    {"retrieve", "How passages are found for a question."},
    {"answer", "How an answer is made from the passages."},
    {"golden", "Questions whose documents are known, asked again and again."},
    {"clean", "What is taken out of documents before they are indexed."},
    {"http", "Metrics, health and the status page."},
    {"log", "What is logged. Texts of documents, questions and answers never are."},
};
const size_t option_section_count = sizeof option_sections / sizeof option_sections[0];

#define FROM_TO(a, b)  .least = (a), .most = (b)
#define KIB            (1024ull)
#define MIB            (1024ull * KIB)
#define GIB            (1024ull * MIB)

const struct option option_table[] = {
    {.section = "documents", .key = "topics", .kind = OPTION_TOPICS, .at = AT(documents.topics),
     .fallback = "docs",
     .help = "Topics with documents, separated by commas. The record's key is the document's id; a record "
             "without a value deletes it. A topic that does not exist yet is waited for."},
    {.section = "documents", .key = "dead_letter_topic", .kind = OPTION_TOPIC,
     .at = AT(documents.dead_letter_topic), .fallback = "docs.dlq", .may_be_empty = true,
     .help = "Where records go that cannot be used, with the reason in their headers. Empty: such records are "
             "only counted and logged."},
    {.section = "documents", .key = "lag_group", .kind = OPTION_GROUP, .at = AT(documents.lag_group),
     .fallback = "", .may_be_empty = true,
     .help = "Consumer group under which positions are published for lag tools. It is written, never read: the "
             "positions that count are in the index. Empty: sluice-docs-INSTANCE."},
    {.section = "documents", .key = "cleanup", .kind = OPTION_CHOICE, .at = AT(documents.cleanup),
     .fallback = "auto", .choices = cleanup_words,
     .help = "The cleanup.policy of the document topics. auto asks the broker (DescribeConfigs); compact stands in "
             "where the broker may not be asked; delete promises that nothing is ever swept."},
    {.section = "documents", .key = "on_gap", .kind = OPTION_CHOICE, .at = AT(documents.on_gap),
     .fallback = "halt", .choices = gap_words, .reload = true,
     .help = "What to do when records that were never read are gone from a topic, or it is another one (retention, a "
             "topic cut short or made anew, tombstones missed in a long outage): halt stops with a sentence, continue "
             "goes on from what is there, deletes nothing and counts the gap, resync reads the partition again and "
             "deletes what it does not hold. resync is done only where cleanup.policy is compact alone, and halts "
             "elsewhere."},

    {.section = "queries", .key = "topics", .kind = OPTION_TOPICS, .at = AT(queries.topics),
     .fallback = "questions", .may_be_empty = true,
     .help = "Topics with questions, separated by commas: plain text or a JSON object. Empty: the daemon only "
             "indexes."},
    {.section = "queries", .key = "answers_topic", .kind = OPTION_TOPIC,
     .at = AT(queries.answers_topic), .fallback = "answers",
     .help = "Where answers go unless a question names a reply topic."},
    {.section = "queries", .key = "reply_topics", .kind = OPTION_TOPICS,
     .at = AT(queries.reply_topics), .fallback = "", .may_be_empty = true, .reload = true,
     .help = "Reply topics a question may name in its headers (kafka_replyTopic or REPLY_TOPIC), separated by "
             "commas. Any other gets its answer on answers_topic, with the error reply_topic_not_allowed."},
    {.section = "queries", .key = "group", .kind = OPTION_GROUP, .at = AT(queries.group),
     .fallback = "sluice",
     .help = "Consumer group of the questions. Daemons with the same group share them."},
    {.section = "queries", .key = "instance", .kind = OPTION_GROUP, .at = AT(queries.instance),
     .fallback = "", .may_be_empty = true,
     .help = "This daemon's name in the group; it must differ between daemons. Empty: the host name."},
    {.section = "queries", .key = "delivery", .kind = OPTION_CHOICE, .at = AT(queries.delivery),
     .fallback = "at_least_once", .choices = delivery_words,
     .help = "at_least_once: no answer is lost, one may come twice after a crash, with the same "
             "sluice-answer-id. exactly_once: answers and the offsets of their questions are committed in one "
             "Kafka transaction; who reads the answers with isolation.level=read_committed sees each once. Needs "
             "a cluster with transactions, and an instance name that no other daemon of the group has."},
    {.section = "queries", .key = "tenant", .kind = OPTION_TEXT, .at = AT(queries.tenant),
     .fallback = "", .may_be_empty = true, .most = SL_FIELD_BYTES_MAX,
     .help = "The tenant of everything on this daemon's topics: questions see only its documents. Not together "
             "with tenant_header."},
    {.section = "queries", .key = "tenant_header", .kind = OPTION_TEXT, .at = AT(queries.tenant_header),
     .fallback = "", .may_be_empty = true, .most = SL_FIELD_NAME_MAX,
     .help = "Name of the record header that carries the tenant. Only where producers can be trusted with it."},

    {.section = "workers", .key = "threads", .kind = OPTION_COUNT, .at = AT(workers.threads),
     .fallback = "0", FROM_TO(0, 256), .unit = "threads",
     .help = "Threads that decode, cut and embed documents. 0: one per core."},
    {.section = "workers", .key = "queue_items", .kind = OPTION_COUNT, .at = AT(workers.queue_items),
     .fallback = "1024", FROM_TO(16, 1000000), .unit = "records", .reload = true,
     .help = "Documents under way at most. When that many are, partitions pause."},
    {.section = "workers", .key = "queue_bytes", .kind = OPTION_SIZE, .at = AT(workers.queue_bytes),
     .fallback = "64M", FROM_TO(MIB, 64 * GIB), .reload = true,
     .help = "Bytes of documents under way at most. A single larger record still passes, alone."},
    {.section = "workers", .key = "memory_budget", .kind = OPTION_SIZE,
     .at = AT(workers.memory_budget), .fallback = "1G", FROM_TO(64 * MIB, 1024 * GIB), .reload = true,
     .help = "What records, chunks, requests and the Kafka client's queues may take together. Memory of the "
             "model and the mapped index come on top."},

    {.section = "chunk", .key = "words", .kind = OPTION_COUNT, .at = AT(chunk.words),
     .fallback = "220", FROM_TO(SL_CHUNK_WORDS_MIN, SL_CHUNK_WORDS_MAX), .unit = "words",
     .help = "Words of a passage at most; cuts fall between sentences."},
    {.section = "chunk", .key = "overlap_words", .kind = OPTION_COUNT, .at = AT(chunk.overlap_words),
     .fallback = "30", FROM_TO(0, SL_CHUNK_WORDS_MAX), .unit = "words",
     .help = "Words a passage repeats of the one before it. Less than words."},

    {.section = "embed", .key = "backend", .kind = OPTION_CHOICE, .at = AT(embed.backend),
     .fallback = "bert", .choices = embed_words,
     .help = "bert runs an encoder of the BERT family in the daemon; static adds up vectors of tokens from a table, "
             "a thousand times as fast and less exact; http asks a server; none searches by words alone."},
    {.section = "embed", .key = "model", .kind = OPTION_DIRECTORY, .at = AT(embed.model),
     .fallback = "/usr/share/sluice/models/all-MiniLM-L6-v2",
     .help = "Directory in Hugging Face layout: config.json, tokenizer.json or vocab.txt, model.safetensors "
             "(docs/FLOW.md). With backend = http: the model's name, as the server calls it. An index belongs to the "
             "model it was made with."},
    {.section = "embed", .key = "query_prefix", .kind = OPTION_TEXT, .at = AT(embed.query_prefix),
     .fallback = "", .may_be_empty = true, .most = 1024,
     .help = "Put before questions. Empty: what the model's directory says; with backend = http nothing. Quotes "
             "around it keep its spaces: \"query: \" for e5, \"Represent this sentence for searching relevant "
             "passages: \" for bge; \"\" is none. Belongs to the model: another makes another index."},
    {.section = "embed", .key = "passage_prefix", .kind = OPTION_TEXT, .at = AT(embed.passage_prefix),
     .fallback = "", .may_be_empty = true, .most = 1024,
     .help = "Put before passages, likewise: \"passage: \" for e5. Its tokens count against the model's limit."},
    {.section = "embed", .key = "precision", .kind = OPTION_WORD, .at = AT(embed.precision),
     .fallback = "auto", .choices = precision_words,
     .help = "What the encoder multiplies. bf16 takes half of f32's time and int8 a third, where the processor has "
             "instructions for them; vectors stay within a cosine of 0.999 and 0.99 of f32's. auto: bf16 where the "
             "processor has it (AVX512_BF16), else int8 (AVX512_VNNI, AVX_VNNI), else f32. An index belongs to one: "
             "machines that share or exchange an index should name it. Any can be computed anywhere, but bf16 and "
             "int8 slower than f32 without their instructions."},
    {.section = "embed", .key = "batch", .kind = OPTION_COUNT, .at = AT(embed.batch),
     .fallback = "32", FROM_TO(1, 1024), .unit = "texts",
     .help = "Texts the encoder reads in one pass, or a request holds, at most."},
    {.section = "embed", .key = "dimensions", .kind = OPTION_COUNT, .at = AT(embed.dimensions), .fallback = "0",
     FROM_TO(0, SL_DIM_MAX), .unit = "numbers",
     .help = "Length of the vectors a server is asked for; it must be able to. 0: the model's own, which a new "
             "index learns by a request at the start. For backend = http, as all that follows here."},
    {.section = "embed", .key = "url", .kind = OPTION_URL, .at = AT(embed.url), .fallback = "",
     .may_be_empty = true,
     .help = "Address of an embedding server: its base, https://api.example.org/v1, or the whole way. http:// only "
             "on this machine."},
    {.section = "embed", .key = "api", .kind = OPTION_WORD, .at = AT(embed.api), .fallback = "auto",
     .choices = api_words,
     .help = "How it is asked: openai (/v1/embeddings), ollama (/api/embed), tei (/embed). auto goes by the end of "
             "the url."},
    {.section = "embed", .key = "api_key_credential", .kind = OPTION_CREDENTIAL,
     .at = AT(embed.api_key_credential), .fallback = "", .may_be_empty = true,
     .help = "File with the server's key: a name in $CREDENTIALS_DIRECTORY, or an absolute path, which a reload "
             "reads again."},
    {.section = "embed", .key = "ca_file", .kind = OPTION_FILE, .at = AT(embed.ca_file), .fallback = "",
     .may_be_empty = true, .help = "PEM file with the certificates to trust, instead of the system's."},
    {.section = "embed", .key = "token_limit", .kind = OPTION_COUNT, .at = AT(embed.token_limit),
     .fallback = "512", FROM_TO(32, 131072), .unit = "tokens",
     .help = "Tokens of a text the server's model reads. Longer passages become several vectors."},
    {.section = "embed", .key = "batch_tokens", .kind = OPTION_COUNT, .at = AT(embed.batch_tokens),
     .fallback = "8192", FROM_TO(32, 1000000), .unit = "tokens",
     .help = "Tokens of a request at most; one text alone may have more."},
    {.section = "embed", .key = "batch_wait_ms", .kind = OPTION_MS, .at = AT(embed.batch_wait_ms),
     .fallback = "10", FROM_TO(0, 10000), .unit = "ms",
     .help = "How long a request that is not full waits for more texts."},
    {.section = "embed", .key = "in_flight", .kind = OPTION_COUNT, .at = AT(embed.in_flight),
     .fallback = "4", FROM_TO(1, 64), .unit = "requests",
     .help = "Requests for documents under way at once at most; questions have room beside them."},
    {.section = "embed", .key = "timeout_ms", .kind = OPTION_MS, .at = AT(embed.timeout_ms),
     .fallback = "30000", FROM_TO(100, 120000), .unit = "ms", .help = "Time for a request with documents."},
    {.section = "embed", .key = "question_timeout_ms", .kind = OPTION_MS, .at = AT(embed.question_timeout_ms),
     .fallback = "2000", FROM_TO(50, 60000), .unit = "ms",
     .help = "Time for a question's vector; beyond it the question is answered without, with a warning."},
    {.section = "embed", .key = "requests_per_minute", .kind = OPTION_COUNT,
     .at = AT(embed.requests_per_minute), .fallback = "0", FROM_TO(0, 10000000), .unit = "requests",
     .help = "What the server allows; no minute sees more. 0: no limit."},
    {.section = "embed", .key = "tokens_per_minute", .kind = OPTION_COUNT, .at = AT(embed.tokens_per_minute),
     .fallback = "0", FROM_TO(0, 4000000000), .unit = "tokens",
     .help = "What the server allows, by an estimate of each text's tokens. 0: no limit."},
    {.section = "embed", .key = "tokens_max_per_day", .kind = OPTION_COUNT, .at = AT(embed.tokens_max_per_day),
     .fallback = "0", FROM_TO(0, 4000000000), .unit = "tokens", .reload = true,
     .help = "When that many were sent since midnight (UTC) or the start, documents wait for the next day, or for a "
             "reload with more. 0: no limit."},
    {.section = "embed", .key = "price", .kind = OPTION_AMOUNT, .at = AT(embed.price), .fallback = "off",
     FROM_TO(0, 1000000), .reload = true,
     .help = "Of a million tokens, in any currency: for sluicectl estimate and cost_max_per_day."},
    {.section = "embed", .key = "cost_max_per_day", .kind = OPTION_AMOUNT, .at = AT(embed.cost_max_per_day),
     .fallback = "off", FROM_TO(0, 1000000000), .reload = true,
     .help = "As tokens_max_per_day, in the currency of price."},
    {.section = "embed", .key = "breaker_wait_ms", .kind = OPTION_MS, .at = AT(embed.breaker_wait_ms),
     .fallback = "5000", FROM_TO(50, 300000), .unit = "ms",
     .help = "How long nothing is sent to a server that fails again and again; then one harmless text is. Doubles "
             "each time in a row, up to 12 times as much."},

    {.section = "index", .key = "path", .kind = OPTION_DIRECTORY, .at = AT(index.path),
     .fallback = "", .may_be_empty = true,
     .help = "Directory of the index, on a local file system. Empty: $STATE_DIRECTORY, else "
             "/var/lib/sluiced/NAME when the file is NAME.conf."},
    {.section = "index", .key = "map_size_max", .kind = OPTION_SIZE, .at = AT(index.map_size_max),
     .fallback = "64G", FROM_TO(16 * MIB, 16 * 1024 * GIB),
     .help = "The index never grows beyond this. It is address space, not memory, and costs nothing until used."},
    {.section = "index", .key = "m", .kind = OPTION_COUNT, .at = AT(index.m), .fallback = "16",
     FROM_TO(4, SL_M_MAX), .unit = "links",
     .help = "Links of a vector in the graph. More finds more and takes more space. Fixed when the index is "
             "made."},
    {.section = "index", .key = "ef_construction", .kind = OPTION_COUNT,
     .at = AT(index.ef_construction), .fallback = "200", FROM_TO(8, SL_EF_MAX), .unit = "candidates",
     .help = "How thoroughly a new vector's neighbours are sought. At least m."},
    {.section = "index", .key = "ef_search", .kind = OPTION_COUNT, .at = AT(index.ef_search),
     .fallback = "64", FROM_TO(1, SL_EF_MAX), .unit = "candidates",
     .help = "How thoroughly a question's neighbours are sought. Below 100, and four times its passages, it changes nothing."},
    {.section = "index", .key = "storage", .kind = OPTION_WORD, .at = AT(index.storage),
     .fallback = "f32", .choices = storage_words,
     .help = "What is kept of a vector. i8 walks the graph on bytes and compares the best again on the full vectors: "
             "twice as fast and as exact, for a quarter more disk. f16 and bf16 keep half of each number and "
             "nothing else: half the disk. bit walks on signs: the least memory, and finds less. Fixed when the "
             "index is made."},

    {.section = "index", .key = "reindex", .kind = OPTION_CHOICE, .at = AT(index.reindex),
     .fallback = "manual", .choices = reindex_words,
     .help = "What to do at a start when the index was made by another model, other [chunk] or [clean] settings, m, "
             "storage, or by a program that cuts or analyses otherwise. manual: refuse (78), and say so; `sluicectl "
             "reindex` does it. auto: make it anew from the stored texts while the old one answers, then change over."},

    {.section = "text", .key = "synonyms", .kind = OPTION_FILE, .at = AT(text.synonyms), .fallback = "",
     .may_be_empty = true, .reload = true,
     .help = "A file of words that stand for each other (A = B = C) or one for others (A => B, C), of one word or "
             "several. Applied to questions alone: a reload is enough."},
    {.section = "text", .key = "words", .kind = OPTION_FILE, .at = AT(text.words), .fallback = "",
     .may_be_empty = true,
     .help = "A file of words kept whole: neither stopped nor stemmed, and found inside Korean compounds. An index "
             "made with other words is refused, as with [chunk]."},
    {.section = "text", .key = "stop_words", .kind = OPTION_FILE, .at = AT(text.stop_words),
     .fallback = "", .may_be_empty = true,
     .help = "A file of words that are not searched for, beside those of each language. An index made with others "
             "is refused, as with [chunk]."},

    {.section = "retrieve", .key = "mode", .kind = OPTION_WORD, .at = AT(retrieve.mode),
     .fallback = "hybrid", .choices = mode_words, .reload = true,
     .help = "hybrid searches by meaning and by words; a question may choose otherwise. Without a model it is "
             "by words alone."},
    {.section = "retrieve", .key = "k", .kind = OPTION_COUNT, .at = AT(retrieve.k), .fallback = "5",
     FROM_TO(1, SL_QUESTION_K_MAX), .unit = "passages", .reload = true,
     .help = "Passages looked at for an answer unless the question says how many."},
    {.section = "retrieve", .key = "fusion", .kind = OPTION_WORD, .at = AT(retrieve.fusion),
     .fallback = "minmax", .choices = fusion_words, .reload = true,
     .help = "How the two lists become one: minmax adds scaled scores, rrf adds reciprocal ranks. minmax "
             "found more on every set it was measured on."},
    {.section = "retrieve", .key = "weights", .kind = OPTION_WEIGHTS,
     .at = AT(retrieve.weight_lexical), .fallback = "1, 1", .reload = true,
     .help = "LEXICAL, VECTOR: what each list counts where the model knows the question's language. Where it "
             "does not, words decide alone."},
    {.section = "retrieve", .key = "expand", .kind = OPTION_WORD, .at = AT(retrieve.expand),
     .fallback = "section", .choices = expand_words, .reload = true,
     .help = "What a chat model reads around a passage: the rest of its section or turn, up to two chunks on each "
             "side; whatever stands there; or nothing. At most 6,000 bytes a passage, and no more once all have "
             "16,000."},
    {.section = "retrieve", .key = "duplicates", .kind = OPTION_WORD, .at = AT(retrieve.duplicates),
     .fallback = "collapse", .choices = duplicates_words, .reload = true,
     .help = "collapse shows one of several passages that are the same or nearly the same, the best ranked, and "
             "counts the others; a question about versions or changes still sees all that are not exact copies, "
             "and one with \"duplicates\": true sees them all."},
    {.section = "retrieve", .key = "half_life_days", .kind = OPTION_DAYS,
     .at = AT(retrieve.half_life_days), .fallback = "off", FROM_TO(0, 100000), .unit = "days",
     .reload = true, .help = "A dated document loses half its weight in that time."},
    {.section = "retrieve", .key = "expansion", .kind = OPTION_WORD, .at = AT(retrieve.expansion),
     .fallback = "none", .choices = expansion_words, .reload = true,
     .help = "rm3 searches by words a second time, with what the best passages have in common beside the question. "
             "It finds more that is worded otherwise, and blurs questions that are precise: measure it on yours."},
    {.section = "retrieve", .key = "rerank", .kind = OPTION_CHOICE, .at = AT(retrieve.rerank),
     .fallback = "none", .choices = rerank_words,
     .help = "A second look at the best passages, question and passage together: bert runs a cross-encoder in the "
             "daemon, http asks a server. When it fails or is late the first order stays, with a warning. Worth it "
             "only where it wins on your own questions: compare with sluicectl eval."},
    {.section = "retrieve", .key = "rerank_model", .kind = OPTION_DIRECTORY, .at = AT(retrieve.rerank_model),
     .fallback = "", .may_be_empty = true,
     .help = "With rerank = bert: a directory as for [embed] model, of a model for sequence classification with one "
             "label or two. With http: the model's name, as the server calls it."},
    {.section = "retrieve", .key = "rerank_url", .kind = OPTION_URL, .at = AT(retrieve.rerank_url),
     .fallback = "", .may_be_empty = true,
     .help = "Address of a reranking server: its base, https://api.example.org, or the whole way to /rerank. http:// "
             "only on this machine."},
    {.section = "retrieve", .key = "rerank_api", .kind = OPTION_WORD, .at = AT(retrieve.rerank_api),
     .fallback = "auto", .choices = rerank_api_words,
     .help = "How it is asked: tei (/rerank), jina and llamacpp (/v1/rerank), cohere (/v2/rerank). auto goes by the "
             "url: tei unless it names a version."},
    {.section = "retrieve", .key = "rerank_api_key_credential", .kind = OPTION_CREDENTIAL,
     .at = AT(retrieve.rerank_api_key_credential), .fallback = "", .may_be_empty = true,
     .help = "File with the server's key: a name in $CREDENTIALS_DIRECTORY, or an absolute path, which a reload "
             "reads again."},
    {.section = "retrieve", .key = "rerank_depth", .kind = OPTION_COUNT, .at = AT(retrieve.rerank_depth),
     .fallback = "20", FROM_TO(2, SL_RERANK_DEPTH_MAX), .unit = "passages", .reload = true,
     .help = "Passages looked at again."},
    {.section = "retrieve", .key = "rerank_deadline_ms", .kind = OPTION_MS, .at = AT(retrieve.rerank_deadline_ms),
     .fallback = "1000", FROM_TO(10, 60000), .unit = "ms", .reload = true,
     .help = "Time for it at most, and never more than half of what the question has left."},
    {.section = "retrieve", .key = "rerank_breaker_wait_ms", .kind = OPTION_MS,
     .at = AT(retrieve.rerank_breaker_wait_ms), .fallback = "5000", FROM_TO(10, 600000), .unit = "ms",
     .help = "How long a server that failed three times in a row is left alone, with half as much again at random; "
             "longer each time in a row, up to 12 times. Then one question tries it."},
    {.section = "retrieve", .key = "rerank_weight", .kind = OPTION_AMOUNT, .at = AT(retrieve.rerank_weight),
     .fallback = "1", FROM_TO(0, 1), .reload = true,
     .help = "Its share of the final score; the rest is the first order's."},
    {.section = "retrieve", .key = "diversity", .kind = OPTION_AMOUNT, .at = AT(retrieve.diversity),
     .fallback = "off", FROM_TO(0, 1), .reload = true,
     .help = "How much a passage's being different from those before it counts against its being relevant; 0.2 to 0.4 "
             "thins out repetition. It finds less where one document is the answer."},

    {.section = "answer", .key = "backend", .kind = OPTION_CHOICE, .at = AT(answer.backend),
     .fallback = "extract", .choices = answer_words,
     .help = "extract quotes sentences of the documents. llm asks a chat model to write from the passages; each "
             "quote is checked, and the extracted answer goes out when it does not hold."},
    {.section = "answer", .key = "url", .kind = OPTION_URL, .at = AT(answer.url), .fallback = "",
     .may_be_empty = true,
     .help = "Address of an OpenAI-compatible server: its base, https://llm.example.org/v1, or the whole way to "
             "/chat/completions. For backend = llm."},
    {.section = "answer", .key = "model", .kind = OPTION_TEXT, .at = AT(answer.model), .fallback = "",
     .may_be_empty = true, .most = 95, .help = "The model to ask for. For backend = llm."},
    {.section = "answer", .key = "api_key_credential", .kind = OPTION_CREDENTIAL,
     .at = AT(answer.api_key_credential), .fallback = "", .may_be_empty = true,
     .help = "File with the server's key: a name in $CREDENTIALS_DIRECTORY, or an absolute path."},
    {.section = "answer", .key = "reader", .kind = OPTION_DIRECTORY, .at = AT(answer.reader), .fallback = "",
     .may_be_empty = true,
     .help = "A directory as for [embed] model, of a model for question answering: it points at the words that answer. "
             "Without one they are found by their looks."},
    {.section = "answer", .key = "max_tokens", .kind = OPTION_COUNT, .at = AT(answer.max_tokens),
     .fallback = "512", FROM_TO(1, 100000), .unit = "tokens", .reload = true,
     .help = "Length of a written answer at most."},
    {.section = "answer", .key = "deadline_ms", .kind = OPTION_MS, .at = AT(answer.deadline_ms),
     .fallback = "30000", FROM_TO(100, SL_DEADLINE_MS_MAX), .unit = "ms", .reload = true,
     .help = "Time for an answer unless the question says how much. A suffix s or m may be used."},

    {.section = "golden", .key = "file", .kind = OPTION_TEXT, .at = AT(golden.file), .fallback = "",
     .may_be_empty = true, .most = 4095,
     .help = "Questions with the keys of their documents, JSON lines as `sluicectl golden` drafts them; asked on a "
             "schedule, at low priority, to see whether answers are still found. Empty: none."},
    {.section = "golden", .key = "interval", .kind = OPTION_MS, .at = AT(golden.interval_ms),
     .fallback = "1h", FROM_TO(1000, 86400000), .unit = "ms",
     .help = "Time between two rounds of them. A suffix s, m or h may be used."},
    {.section = "golden", .key = "drop_max", .kind = OPTION_AMOUNT, .at = AT(golden.drop_max),
     .fallback = "0.05", FROM_TO(0, 1),
     .help = "When recall or reciprocal rank is lower than the best round by more, the daemon warns. off: by "
             "anything."},

    {.section = "clean", .key = "pii", .kind = OPTION_WORD, .at = NO_FIELD, .fallback = "off",
     .choices = pii_words, .help = "What happens to e-mail addresses, telephone and card numbers."},
    {.section = "clean", .key = "boilerplate", .kind = OPTION_FLAG, .at = AT(clean.boilerplate),
     .fallback = "on", .help = "Leave out lines that repeat on every page: headers, footers, page numbers."},

    {.section = "clean", .key = "duplicates", .kind = OPTION_CHOICE, .at = AT(clean.duplicates),
     .fallback = "exact", .choices = copies_words,
     .help = "Documents of different keys that are otherwise the same, but for their url: exact stores each and indexes "
             "one, so that a text is embedded and found once; near does the same with texts that have nine tenths of "
             "their runs of three words in common, and all numbers; keep indexes all. It is about documents that come from "
             "now on; sluicectl reindex groups those that are there."},

    {.section = "http", .key = "listen", .kind = OPTION_LISTEN, .at = AT(http.listen),
     .fallback = "127.0.0.1:9464", .may_be_empty = true,
     .help = "ADDRESS:PORT of /metrics, /healthz, /readyz and the status page; [::1]:9464 for IPv6. There is no "
             "password: keep it on loopback or behind something that has one. Empty: off."},

    {.section = "log", .key = "level", .kind = OPTION_WORD, .at = AT(log.level), .fallback = "info",
     .choices = level_words, .reload = true, .help = "The least serious lines that are written."},
    {.section = "log", .key = "format", .kind = OPTION_CHOICE, .at = AT(log.format),
     .fallback = "auto", .choices = format_words, .reload = true,
     .help = "auto: the journal when standard error goes there, else text."},
};
const size_t option_count = sizeof option_table / sizeof option_table[0];

const struct option *option_find(const char *section, const char *key)
{
    for (size_t i = 0; i < option_count; i++)
        if (strcmp(option_table[i].section, section) == 0 &&
            strcmp(option_table[i].key, key) == 0)
            return &option_table[i];
    return NULL;
}
