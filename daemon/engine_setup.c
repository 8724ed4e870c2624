/*
 * engine_setup.c -- from the configuration to an open index and an answer writer.
 *
 * What the pipeline's functions are told comes from config_pipeline.c, which sluicectl uses too.
 */
#include "daemon/config_pipeline.h"
#include "daemon/engine_internal.h"
#include "net/llm_client.h"

static int64_t now_ms(void *context)
{
    (void)context;
    return clock_wall_ms();
}

static int64_t monotonic_us(void *context)
{
    (void)context;
    return clock_us();
}

const struct sl_clock sl_daemon_clock = {now_ms, monotonic_us, NULL};

void setup_settings(const struct sl_config *config, struct settings *ret)
{
    *ret = (struct settings){
        .answer_tokens_max = config->answer.max_tokens,
        .generate_deadline_ms = config->answer.deadline_ms,
        .on_gap = config->documents.on_gap,
    };
    sl_config_retrieve(config, &ret->retrieve);
}

enum sl_err setup_generator(const struct sl_config *config, const atomic_bool *cancelled,
                            struct sl_generator **ret, struct sl_error *err)
{
    struct sl_llm_options options = {.url = config->answer.url,
                                     .model = config->answer.model,
                                     .max_tokens = config->answer.max_tokens,
                                     .clock = &sl_daemon_clock,
                                     .cancelled = cancelled};
    char *secret = NULL;
    enum sl_err r = SL_OK;

    *ret = NULL;
    if (config->answer.backend != SL_ANSWER_LLM)
        return SL_OK;
    if (config->answer.api_key_credential[0])
        r = sl_secret_read(config->answer.api_key_credential, &secret, err);
    options.api_key = secret;
    if (r == SL_OK)
        r = sl_llm_open(&options, ret, err);
    sl_secret_free(secret);
    return r;
}

struct sl_generator *setup_generator_close(struct sl_generator *generator)
{
    return sl_llm_close(generator);
}
