/*
 * decode_turns.c -- a transcript given as a list of turns, to the text that is stored and cited.
 *
 * Each turn becomes a paragraph that begins with who speaks, in a form that chunking knows as a
 * label (outline.c), so that JSON and plain transcripts are cut alike. What one speaker says in
 * turns that follow each other is one paragraph: programs that write down speech part it every few
 * seconds. The same list gives the same text, byte by byte, and citations are ranges of that text.
 *
 * Rejected: keeping the list and citing turns by number; every reader of citations would have to
 * know two kinds of places. Known weakness: members of a turn that are not read are not kept.
 */
#include "decode_internal.h"
#include "text/text_internal.h"

#include <sluice/limits.h>

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>

enum {
    SPEAKER_BYTES_MAX = 40, /* labels are looked for in as much */
    TIME_BYTES_MAX = 16
};

struct transcript {
    const char *name; /* of the list, for messages */
    struct sl_buffer text;
    struct sl_view *speakers; /* [speakers_max], each once */
    uint32_t speaker_count;
    uint32_t speakers_max;
    char last[SPEAKER_BYTES_MAX + 1]; /* who spoke before; "": nobody is named */
    struct sl_arena *arena;
    struct sl_error *err;
};

static enum sl_err bad_turn(const struct transcript *t, int at, const char *what)
{
    return sl_fail(t->err, SL_REJECT, "bad_field", "%s[%d]: %s", t->name, at, what);
}

static enum sl_err no_memory(struct sl_error *err)
{
    return sl_fail(err, SL_REJECT, "too_large", "the turns need more memory than one may take");
}

/* Who speaks: a name, or a number as programs give to voices; "" when it is not said. */
static enum sl_err read_speaker(const struct transcript *t, int at, const cJSON *turn,
                                char name[SPEAKER_BYTES_MAX + 1])
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(turn, "speaker");
    struct sl_view speaker;

    name[0] = '\0';
    if (item == NULL || cJSON_IsNull(item))
        return SL_OK;
    if (cJSON_IsNumber(item) && item->valuedouble >= 0 && item->valuedouble <= 1e6) {
        (void)snprintf(name, SPEAKER_BYTES_MAX + 1, "Speaker %.0f", item->valuedouble);
        return SL_OK;
    }
    if (!cJSON_IsString(item))
        return bad_turn(t, at, "speaker must be a string, or a number from 0 on");
    speaker = sl_view_trim(sl_view_of(item->valuestring));
    while (speaker.size > 0 && strchr(".:", speaker.data[speaker.size - 1]) != NULL)
        speaker.size--;
    if (speaker.size > SPEAKER_BYTES_MAX)
        return bad_turn(t, at, "speaker has more than 40 bytes");
    for (size_t i = 0; i < speaker.size; i++)
        if ((unsigned char)speaker.data[i] < ' ' || speaker.data[i] == '*')
            return bad_turn(t, at, "speaker holds a line end, a control character or *");
    (void)snprintf(name, SPEAKER_BYTES_MAX + 1, "%.*s", SL_VIEW_ARG(speaker));
    return SL_OK;
}

/* When the turn starts, as it is shown: seconds as h:mm:ss, a text as it is. */
static enum sl_err read_start(const struct transcript *t, int at, const cJSON *turn,
                              char shown[TIME_BYTES_MAX + 1])
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(turn, "start");
    const char *text;

    shown[0] = '\0';
    if (item == NULL || cJSON_IsNull(item))
        return SL_OK;
    if (cJSON_IsNumber(item) && item->valuedouble >= 0 && item->valuedouble < 1e8) {
        unsigned seconds = (unsigned)item->valuedouble;

        (void)snprintf(shown, TIME_BYTES_MAX + 1, "%u:%02u:%02u", seconds / 3600, seconds / 60 % 60,
                       seconds % 60);
        return SL_OK;
    }
    text = cJSON_IsString(item) ? item->valuestring : NULL;
    if (text == NULL || strlen(text) > TIME_BYTES_MAX ||
        strspn(text, "0123456789:.,") != strlen(text))
        return bad_turn(t, at, "start must be seconds, or a time such as \"00:12:03\"");
    (void)snprintf(shown, TIME_BYTES_MAX + 1, "%s", text);
    return SL_OK;
}

/* "NAME. ", "Name: " or "**name:** ": the first that is known as a label. */
static void add_label(struct transcript *t, const char *name)
{
    static const char *const forms[] = {"%s. ", "%s: ", "**%s:** "};
    char label[SPEAKER_BYTES_MAX + 8];
    size_t i = 0;

    do
        (void)snprintf(label, sizeof label, forms[i], name);
    while (sl_turn_label(sl_view_of(label)) + 1 != strlen(label) && ++i < 3);
    sl_buffer_view(&t->text, sl_view_of(label));
}

static bool note_speaker(struct transcript *t, const char *name)
{
    struct sl_view copy;

    for (uint32_t i = 0; i < t->speaker_count; i++)
        if (sl_view_is(t->speakers[i], name))
            return true;
    if (t->speaker_count == t->speakers_max)
        return true;
    copy = sl_arena_copy(t->arena, sl_view_of(name));
    if (copy.data == NULL)
        return false;
    t->speakers[t->speaker_count++] = copy;
    return true;
}

static enum sl_err add_turn(struct transcript *t, int at, const cJSON *turn)
{
    const cJSON *text = cJSON_GetObjectItemCaseSensitive(turn, "text");
    char name[SPEAKER_BYTES_MAX + 1], start[TIME_BYTES_MAX + 1];
    struct sl_view said;
    enum sl_err e;

    if (!cJSON_IsObject(turn))
        return bad_turn(t, at, "must be an object with a string member text");
    if (!cJSON_IsString(text))
        return bad_turn(t, at, "needs a string member text");
    if ((e = read_speaker(t, at, turn, name)) || (e = read_start(t, at, turn, start)))
        return e;
    said = sl_view_trim(sl_view_of(text->valuestring));
    if (said.size == 0)
        return SL_OK;
    if (t->text.size > 0 && strcmp(name, t->last) == 0) {
        sl_buffer_view(&t->text, SL_VIEW(" "));
    } else {
        sl_buffer_view(&t->text, t->text.size > 0 ? SL_VIEW("\n\n") : SL_VIEW(""));
        if (name[0] != '\0')
            add_label(t, name);
        if (start[0] != '\0')
            sl_buffer_format(&t->text, "[%s] ", start);
    }
    sl_buffer_view(&t->text, said);
    (void)snprintf(t->last, sizeof t->last, "%s", name);
    if (t->text.failed || (name[0] != '\0' && !note_speaker(t, name)))
        return no_memory(t->err);
    if (t->text.size > SL_TEXT_BYTES_MAX)
        return sl_fail(t->err, SL_REJECT, "too_large", "%s: more than %u bytes of text", t->name,
                       SL_TEXT_BYTES_MAX);
    return SL_OK;
}

const struct cJSON *sl_decode_turns_find(const struct cJSON *root)
{
    static const char *const names[] = {"turns", "segments", "utterances"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const cJSON *list = cJSON_GetObjectItemCaseSensitive(root, names[i]);

        if (cJSON_IsArray(list) && cJSON_IsObject(cJSON_GetArrayItem(list, 0)))
            return list;
    }
    return NULL;
}

enum sl_err sl_decode_turns(const struct cJSON *list, uint32_t speakers_max, struct sl_arena *arena,
                            struct sl_view *ret_text, struct sl_view **ret_speakers,
                            uint32_t *ret_count, struct sl_error *err)
{
    struct transcript t = {.name = list->string,
                           .speakers = SL_NEW_ARRAY(arena, struct sl_view, speakers_max),
                           .speakers_max = speakers_max,
                           .arena = arena,
                           .err = err};
    const cJSON *turn;
    enum sl_err e = t.speakers != NULL ? SL_OK : no_memory(err);
    int at = 0;

    for (turn = list->child; !e && turn != NULL; turn = turn->next)
        e = add_turn(&t, at++, turn);
    if (!e) {
        *ret_text = sl_arena_copy(
            arena, (struct sl_view){t.text.data != NULL ? t.text.data : "", t.text.size});
        *ret_speakers = t.speakers;
        *ret_count = t.speaker_count;
        e = ret_text->data != NULL ? SL_OK : no_memory(err);
    }
    sl_buffer_fini(&t.text);
    return e;
}
