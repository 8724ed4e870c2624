/*
 * goldens_judge.c -- golden questions asked of two generations: may the new one take the old one's place?
 *
 * Each is asked with its own encoder, for vectors of two models cannot be compared. Both are asked at this moment, as
 * figures of an earlier round would be of other documents. Where the old encoder cannot be had the old one is
 * asked by words: the bar is then the one that its users have had since, not the one it was made for.
 *
 * Known weakness: what is written between the two rounds is in one of them only; drop_max has to bear that.
 */
#include <errno.h>
#include <stdlib.h>

#include <sluice/goldens.h>

static enum sl_err ask_one(const struct sl_golden *golden, const struct sl_goldens_gate *gate,
                           const struct sl_goldens_side *side, struct sl_arena *arena,
                           struct sl_golden_result *ret, struct sl_error *err)
{
    SL_CLEANUP(sl_snapshot_closep) struct sl_snapshot *snapshot = NULL;
    struct sl_retrieve_options options = *side->options;
    enum sl_err e = sl_snapshot_open(side->index, &snapshot, err);

    if (e)
        return e;
    if (side->embedder == NULL)
        options.mode = SL_MODE_LEXICAL;
    sl_arena_reset(arena);
    return sl_golden_ask(golden, snapshot, &options, side->embedder, gate->clock, arena, ret, err);
}

static enum sl_err ask_all(const struct sl_goldens *goldens, const struct sl_goldens_gate *gate,
                           const struct sl_goldens_side *side, struct sl_arena *arena,
                           struct sl_goldens_result *ret, struct sl_error *err)
{
    struct sl_golden_result *results = calloc((size_t)goldens->count + 1, sizeof(*results));
    enum sl_err e = SL_OK;

    if (results == NULL)
        return sl_stop(err, SL_EXIT_OS, ENOMEM, "memory", "golden questions: no memory");
    for (uint32_t i = 0; !e && i < goldens->count; i++) {
        if (gate->goes_on != NULL && !gate->goes_on(gate->context))
            e = sl_fail(err, SL_AGAIN, "cancelled", "golden questions: stopped");
        else
            e = ask_one(&goldens->items[i], gate, side, arena, &results[i], err);
    }
    if (!e)
        *ret = sl_goldens_sum(results, NULL, goldens->count);
    free(results);
    return e;
}

static enum sl_err refuse(const struct sl_goldens_gate *gate, const struct sl_goldens_side *before,
                          const struct sl_goldens_result *then, const struct sl_goldens_result *now,
                          struct sl_error *err)
{
    bool by_words = before->embedder == NULL && sl_index_dim(before->index) > 0;
    enum sl_err e = sl_fail(err, SL_REJECT, "golden_worse",
                            "%u golden questions: recall %.3f in the new generation, %.3f in the old one; "
                            "reciprocal rank %.3f, was %.3f; allowed to fall by %.3f%s",
                            now->count, now->recall, then->recall, now->reciprocal, then->reciprocal,
                            gate->drop_max,
                            by_words ? "; the old one was asked by words, for its encoder cannot be had" : "");

    if (err != NULL)
        err->exit_code = SL_EXIT_DATA;
    return e;
}

enum sl_err sl_goldens_judge(struct sl_view text, const struct sl_goldens_gate *gate,
                             const struct sl_goldens_side *before,
                             const struct sl_goldens_side *now, struct sl_error *err)
{
    SL_CLEANUP(sl_arena_closep) struct sl_arena *held = sl_arena_open(SL_ARENA_BYTES_MAX);
    SL_CLEANUP(sl_arena_closep) struct sl_arena *arena = sl_arena_open(SL_ARENA_BYTES_MAX);
    struct sl_goldens goldens = {0};
    struct sl_goldens_result old = {0}, new = {0};
    enum sl_err e;

    if (held == NULL || arena == NULL)
        return sl_stop(err, SL_EXIT_OS, ENOMEM, "memory", "golden questions: no memory");
    if ((e = sl_goldens_read(text, held, &goldens, err)) ||
        (e = ask_all(&goldens, gate, before, arena, &old, err)) ||
        (e = ask_all(&goldens, gate, now, arena, &new, err)))
        return e;
    return sl_goldens_worse(&old, &new, gate->drop_max) ? refuse(gate, before, &old, &new, err) : SL_OK;
}
