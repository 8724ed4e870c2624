/*
 * pairs.c -- a question and a passage as one sequence.
 *
 * Both are cut to what the network reads before they are laid down, so that a pass needs no scratch of its own.
 * Which family a model is of is told by where its positions begin, which is all that decides the layout.
 */
#include "embed/pairs.h"

#include <string.h>

/* Tokens that stay of two texts of `a` and `b`, the longer one cut first; `room` for both. */
static void cut_longest(uint32_t room, uint32_t *a, uint32_t *b)
{
    uint32_t *less = *a <= *b ? a : b, *more = *a <= *b ? b : a;

    if (*a + *b <= room)
        return;
    if (*less * 2 <= room) {
        *more = room - *less;
        return;
    }
    *less = room / 2;
    *more = room - *less;
}

struct sl_pair sl_pair_add(const struct sl_model_parts *parts, struct sl_encoder_pass *pass,
                           struct sl_view question, const uint32_t *passage_ids,
                           uint32_t passage_count, bool passage_only)
{
    const bool roberta = parts->config.position_first > 0;
    const uint32_t separators = roberta ? 4 : 3;
    const uint32_t first = pass->starts[pass->count], room = parts->config.sequence_max - separators;
    const uint32_t last_id = sl_tokenizer_last_id(parts->tokenizer);
    uint32_t row = first, question_count;
    struct sl_pair pair;

    SL_PRE(sl_encoder_pass_room(pass) >= parts->config.sequence_max);
    pass->ids[row++] = sl_tokenizer_first_id(parts->tokenizer);
    question_count = sl_tokenizer_ids(parts->tokenizer, question, pass->ids + row, room);
    if (passage_only && question_count >= room)
        question_count = room - 1;
    if (passage_only && passage_count > room - question_count)
        passage_count = room - question_count;
    cut_longest(room, &question_count, &passage_count);
    row += question_count;
    for (uint32_t i = 0; i < (roberta ? 2u : 1u); i++)
        pass->ids[row++] = last_id;
    memset(pass->types + first, 0, row - first);
    pair = (struct sl_pair){row, passage_count};
    if (passage_count > 0)
        memcpy(pass->ids + row, passage_ids, passage_count * sizeof *passage_ids);
    row += passage_count;
    pass->ids[row++] = last_id;
    memset(pass->types + pair.passage_row, parts->config.type_count > 1 ? 1 : 0, row - pair.passage_row);
    pass->starts[++pass->count] = row;
    return pair;
}
