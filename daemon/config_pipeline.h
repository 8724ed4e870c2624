/*
 * config_pipeline.h -- from the configuration to what the pipeline's functions are told.
 *
 * sluiced and sluicectl take their options from here, so that a document imported by hand and one
 * read from Kafka end up alike, and a question finds the same either way.
 */
#ifndef SLUICE_CONFIG_PIPELINE_H
#define SLUICE_CONFIG_PIPELINE_H

#include <stdatomic.h>

#include <sluice/embed.h>
#include <sluice/error.h>
#include <sluice/index.h>
#include <sluice/ingest.h>
#include <sluice/retrieve.h>

#include "daemon/config.h"
#include "net/embed_client.h"
#include "net/endpoint.h"

/*
 * How documents are decoded, cut and embedded; how questions are searched.
 *
 * Owns:    the options point into `config` and at `embedder`.
 * Thread:  any.
 * Blocks:  no.
 * Errors:  none.
 */
void sl_config_ingest(const struct sl_config *config, const struct sl_embedder *embedder,
                      struct sl_ingest_options *ret_options);
void sl_config_retrieve(const struct sl_config *config, struct sl_retrieve_options *ret_options);

/*
 * The user's words ([text]), for the options above; NULL where none are named.
 *
 * Owns:    caller closes them: sl_word_lists_close(), sl_synonyms_close().
 * Thread:  any.
 * Blocks:  disk.
 * Errors:  as sl_word_lists_open(), sl_synonyms_open()
 */
enum sl_err sl_config_lists(const struct sl_config *config, struct sl_word_lists **ret_lists,
                            struct sl_error *err);
enum sl_err sl_config_synonyms(const struct sl_config *config, const struct sl_word_lists *lists,
                               struct sl_synonyms **ret_synonyms, struct sl_error *err);

/*
 * Open the encoder that [embed] names; NULL in *ret_embedder when the backend is none.
 *
 * Owns:    caller closes *ret_embedder with sl_embedder_close().
 * Thread:  any.
 * Blocks:  disk and CPU, as sl_bert_open().
 * Errors:  as sl_bert_open()
 */
enum sl_err sl_config_embedder(const struct sl_config *config, struct sl_embedder **ret_embedder,
                               struct sl_error *err);

/*
 * The same for backend = http, telling `watch` (NULL: nobody) what happens. Then what a reload changes: the key,
 * when it is a file outside of $CREDENTIALS_DIRECTORY, and the ceilings a day.
 *
 * Owns:    as sl_config_embedder(). `cancelled` must outlive the embedder; NULL: never.
 * Thread:  any.
 * Blocks:  disk; network, when nothing says how long the vectors are.
 * Errors:  as sl_embed_open(), sl_secret_read()
 */
enum sl_err sl_config_embed_server(const struct sl_config *config, const struct sl_embed_watch *watch,
                                   const atomic_bool *cancelled, struct sl_embedder **ret_embedder,
                                   struct sl_error *err);
enum sl_err sl_config_embed_renew(const struct sl_config *config, const struct sl_embedder *embedder,
                                  struct sl_error *err);

/* A prefix as it is written, quotes around it taken off into `inner`; NULL when there is none. */
#define SL_CONFIG_PREFIX_BYTES_MAX 1024u
const char *sl_config_prefix(const char *text, char *inner, size_t size);

/* The lower of the two ceilings, in tokens; 0: none. */
uint64_t sl_config_tokens_max_per_day(const struct sl_config *config);

/* Networks that look at question and passage together; NULL: not configured. */
struct sl_config_heads {
    struct sl_reranker *reranker;
    struct sl_reader *reader;
};

/*
 * Open what [retrieve] rerank and [answer] reader name. `cancelled` true gives up requests under way; NULL: never.
 * `watch` hears of a reranking server's breaker; NULL: nobody does.
 *
 * Owns:    caller closes *ret_heads with sl_config_heads_close().
 * Thread:  any.
 * Blocks:  disk and CPU.
 * Errors:  as sl_cross_encoder_open(), sl_rerank_client_open(), sl_reader_open(), sl_secret_read()
 */
enum sl_err sl_config_heads_open(const struct sl_config *config, const atomic_bool *cancelled,
                                 const struct sl_endpoint_watch *watch, struct sl_config_heads *ret_heads,
                                 struct sl_error *err);
void sl_config_heads_close(struct sl_config_heads *heads);

/* The reranking server's key once more, from its file. Errors: as sl_secret_read(), sl_rerank_renew(). */
enum sl_err sl_config_rerank_renew(const struct sl_config *config, const struct sl_reranker *reranker,
                                   struct sl_error *err);

/*
 * What the configuration asks of an index that documents come into by `ingest`.
 *
 * Owns:    points into `config` and at `fingerprint`, char[SL_FINGERPRINT_BYTES], which is written.
 * Thread:  any. Blocks: no. Errors: none.
 */
void sl_config_index_options(const struct sl_config *config, const struct sl_ingest_options *ingest,
                             char *fingerprint, struct sl_index_options *ret_options);

/*
 * The configured encoder if it is the one of the fingerprint: with precision = auto, in whichever precision this
 * processor can do. And the one an index that is there was made with, from where it was read then.
 *
 * Owns:    caller closes it with sl_embedder_close(). NULL: it is none, or it cannot be had (any more).
 * Thread:  any.
 * Blocks:  disk and CPU: loads it, up to four times.
 * Errors:  none.
 */
struct sl_embedder *sl_config_embedder_like(const struct sl_config *config, const char *fingerprint);
struct sl_embedder *sl_config_embedder_of(const struct sl_config *config, struct sl_index *index);

/*
 * Have the index remember where its encoder is read from.
 *
 * Pre:     no batch is open; the index was made by this configuration.
 * Owns:    copied.
 * Thread:  the indexer's.
 * Blocks:  disk, when it is news.
 * Errors:  as sl_batch_commit()
 */
enum sl_err sl_config_remember(const struct sl_config *config, struct sl_index *index,
                               struct sl_error *err);

/*
 * May a generation that is building take its place by itself, or does it wait to be promoted? Kept in itself.
 *
 * Pre:     no batch of it is open.
 * Owns:    nothing changes hands.
 * Thread:  that which writes it.
 * Blocks:  disk, when it is news.
 * Errors:  as sl_batch_commit()
 */
enum sl_err sl_generation_hold(struct sl_index *building, bool held, struct sl_error *err);
bool sl_generation_is_held(struct sl_index *building);

/*
 * Has a generation by these options been begun in the configured directory?
 *
 * Owns:    nothing changes hands.
 * Thread:  any; nobody has it open in this process.
 * Blocks:  disk: reads its file, when no writer is there.
 * Errors:  false
 */
bool sl_config_is_building(const struct sl_config *config, const struct sl_index_options *options);

/*
 * Open the index that is there to write it, whatever made it, and say in what it differs from the configuration.
 *
 * Pre:     `ingest` and *embedder are by the configuration; neither was opened beside this index.
 * Post:    SL_OK: ret_differs->reason is "" when it does not differ, "fingerprint" else. *embedder may be another
 *          one then, of the index's precision, and `ingest` with it.
 * Owns:    caller closes *ret_index. `fingerprint`, char[SL_FINGERPRINT_BYTES], is written.
 * Thread:  any.
 * Blocks:  disk and CPU.
 * Errors:  as sl_index_open(); not_found (66): there is none
 */
enum sl_err sl_config_open_existing(const struct sl_config *config,
                                    struct sl_ingest_options *ingest, char *fingerprint,
                                    struct sl_embedder **embedder, struct sl_index **ret_index,
                                    struct sl_error *ret_differs, struct sl_error *err);

#endif
