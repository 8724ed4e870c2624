/* sluice/limits.h -- every bound of the program, in one place. Nothing is unlimited. */
#ifndef SLUICE_LIMITS_H
#define SLUICE_LIMITS_H

/* Index */
#define SL_DIM_MAX            4096u
#define SL_M_MAX              64u
#define SL_K_MAX              1000u /* a question's own k is clamped to SL_QUESTION_K_MAX */
#define SL_EF_MAX             10000u
#define SL_SNAPSHOTS_MAX      120u
#define SL_KEY_BYTES_MAX      (1u << 20) /* document key; over 511 bytes hashed in the table key */
#define SL_BATCH_OPS_MAX      4096u
#define SL_TERM_BYTES_MAX     64u /* longer terms are cut at a code point, then hashed */

/* Documents */
#define SL_RECORD_BYTES_MAX   (64u << 20) /* one Kafka value                         */
#define SL_TEXT_BYTES_MAX     (32u << 20) /* one document's stored text              */
#define SL_CHUNKS_MAX         65535u      /* in one document                         */
#define SL_FIELDS_MAX         256u        /* metadata values of one document         */
#define SL_FIELD_BYTES_MAX    4096u       /* one metadata value                      */
#define SL_FIELD_NAME_MAX     128u
#define SL_VALID_RANGES_MAX   64u
#define SL_HEADERS_MAX        64u         /* record headers looked at                */
#define SL_HEADER_BYTES_MAX   (16u << 10) /* total of the headers looked at          */
#define SL_ARENA_BYTES_MAX    (512u << 20) /* one work item's memory, hard stop      */

/* JSON, checked in one pass before any parser allocates */
#define SL_JSON_DEPTH_MAX     32u
#define SL_JSON_TOKENS_MAX    50000u
#define SL_JSON_MEMBERS_MAX   1000u
#define SL_JSON_NUMBER_BYTES_MAX 32u

/* Chunks */
#define SL_CHUNK_WORDS_MIN    10u
#define SL_CHUNK_WORDS_MAX    100000u
#define SL_CHUNK_BYTES_MAX    (8u << 20)
#define SL_WORD_BYTES_MAX     512u /* longer "words" are split at a grapheme boundary */

/* Questions */
#define SL_QUESTION_BYTES_MAX (256u << 10) /* the record             */
#define SL_QUERY_BYTES_MAX    8192u        /* the question's text    */
#define SL_QUESTION_K_MAX     100u
#define SL_RERANK_DEPTH_MAX   50u /* results looked at a second time */
#define SL_FILTER_BYTES_MAX   16384u
#define SL_FILTER_DEPTH_MAX   8u
#define SL_FILTER_TERMS_MAX   256u
#define SL_DEADLINE_MS_MAX    600000u
#define SL_CORRELATION_BYTES_MAX 1024u

_Static_assert(SL_QUESTION_K_MAX <= SL_K_MAX, "a question's k must be searchable");
_Static_assert(SL_K_MAX <= SL_EF_MAX, "ef must be able to cover k");

#endif /* SLUICE_LIMITS_H */
