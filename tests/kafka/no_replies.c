/*
 * no_replies.c -- the daemon without its memory for answers: the control of test_answers.py.
 *
 * Linked with --wrap=reply_cache_get, so that every other object is the one that is shipped.
 */
#include "daemon/engine_internal.h"

bool __wrap_reply_cache_get(struct sl_engine *engine, struct asked *asked);

bool __wrap_reply_cache_get(struct sl_engine *engine, struct asked *asked)
{
    (void)engine;
    (void)asked;
    return false;
}
