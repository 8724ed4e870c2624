/*
 * config_pipeline.h -- from the configuration to what the pipeline's functions are told.
 *
 * sluiced and sluicectl take their options from here, so that a document imported by hand and one
 * read from Kafka end up alike, and a question finds the same either way.
 */
#ifndef SLUICE_CONFIG_PIPELINE_H
#define SLUICE_CONFIG_PIPELINE_H

#include <sluice/embed.h>
#include <sluice/error.h>
#include <sluice/ingest.h>
#include <sluice/retrieve.h>

#include "daemon/config.h"

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
 * Open the encoder that [embed] names; NULL in *ret_embedder when the backend is none.
 *
 * Owns:    caller closes *ret_embedder with sl_embedder_close().
 * Thread:  any.
 * Blocks:  disk and CPU, as sl_bert_open().
 * Errors:  as sl_bert_open()
 */
enum sl_err sl_config_embedder(const struct sl_config *config, struct sl_embedder **ret_embedder,
                               struct sl_error *err);

#endif
