/* tuning.h -- what `tune` tries, and which of it is better than the configuration by more than chance. */
#ifndef SLUICECTL_TUNING_H
#define SLUICECTL_TUNING_H

#include <sluice/eval.h>

#include "config_edit.h"
#include "evaluate.h"

#define TUNE_ALTERNATIVES_MAX 20u
#define TUNE_FOLDS_MAX        20u
#define TUNE_CHUNKS_MAX       9u /* the configured one among them */
#define TUNE_SETTINGS_MAX     12u
#define TUNE_SIZES_MAX        8u
#define TUNE_PASSAGES         25u /* up to so many the legs look as deep as for a question of the usual size */
#define TUNE_P_MAX            0.05

/* What is varied. On each axis alternative 0 is the configuration. */
enum tune_axis { TUNE_FUSION = 0, TUNE_EXPANSION, TUNE_RECENCY, TUNE_DIVERSITY, TUNE_RERANK, TUNE_AXES };

/* One alternative on one axis. */
struct tune_alternative {
    char name[48];
    char lines[96]; /* of the configuration's [retrieve] */
    struct sl_retrieve_options options; /* those that the axis is of are looked at */
};

struct tune_point {
    uint8_t at[TUNE_AXES];
};

/* A point, at one size of chunks, that every question was asked at. */
struct tune_tried {
    uint32_t chunk; /* an index of tuning.chunks */
    struct tune_point point;
    double *values; /* [questions] */
    double *chance; /* [questions]: the same, judged as other questions */
};

/* A choice, by the questions outside one fold or by all. */
struct tune_choice {
    uint32_t tried;                    /* in the end */
    uint32_t of_chunk[TUNE_CHUNKS_MAX]; /* within each size of chunks */
};

/* What is configured to be done beside the search, and what it gains. */
struct tune_step {
    const char *name;
    struct sl_paired gain; /* of the configuration over doing without */
};

/* How much is looked at, and what that costs of what could be found. */
struct tune_size {
    uint32_t value;
    double mean;
    struct sl_paired loss; /* of it against the greatest */
};

struct tune_sizes {
    struct tune_size items[TUNE_SIZES_MAX];
    uint32_t count;
    double most;         /* the greatest's mean */
    uint32_t most_value;
    uint32_t configured; /* as it works */
    uint32_t chosen;     /* 0: none is near enough, or it was not looked at */
};

struct tuning {
    struct ctl_evaluation evaluation;
    struct sl_retrieve_options base; /* as configured */
    enum ctl_metric metric;
    struct tune_alternative alternatives[TUNE_AXES][TUNE_ALTERNATIVES_MAX];
    uint32_t alternative_counts[TUNE_AXES];
    bool kept[TUNE_AXES]; /* left as it is configured */
    bool keeps_ef, keeps_k;
    const char *work; /* where copies are made; NULL: beside the index */
    uint32_t chunks[TUNE_CHUNKS_MAX]; /* words; the first: as configured */
    uint32_t chunk_count;
    uint32_t fold_count;
    uint8_t *folds; /* [questions]: where each falls */

    struct tune_tried *tried;
    uint32_t tried_count;
    struct tune_choice choices[TUNE_FOLDS_MAX + 1]; /* by fold left out; [fold_count]: by all questions */
    double *held_out;       /* of each question, by the choice it had no part in */
    struct sl_paired gain;  /* of that over the configuration */
    struct sl_paired fit;   /* of the questions' own judgements over another's, in the end */
    bool fits;
    struct tune_step steps[TUNE_AXES];
    uint32_t step_count;
    struct tune_sizes ef, k;
    struct ctl_setting settings[TUNE_SETTINGS_MAX]; /* what changes */
    uint32_t setting_count;
    struct ctl_progress progress;
};

/* More than chance: `alternatives` were tried to find it. */
bool tune_is_real(const struct sl_paired *gain, uint32_t alternatives);

/* tune_space.c: fill `alternatives`, after `base`. */
void tune_space(struct tuning *tuning, bool vectors);
struct sl_retrieve_options tune_options(const struct tuning *tuning, const struct tune_point *point);
/* "hybrid, minmax 0.4 : 0.6; expansion rm3"; "as configured". */
void tune_name(const struct tuning *tuning, const struct tune_tried *tried, struct sl_buffer *out);

/* tune_search.c: what is best, by all questions and without each fold; held_out and gain. Exit code. */
int tune_search(struct tuning *tuning);
/* Every question asked with these options, on an index with the chosen chunks; values into `ret`, [questions]. */
int tune_ask(struct tuning *tuning, const struct sl_retrieve_options *options, double *ret);
bool tune_won(const struct tuning *tuning);
/* The best where it won, else the configuration. */
const struct tune_tried *tune_chosen(const struct tuning *tuning);

/* tune_sizes.c: ef and k at the choice, or at the configuration where nothing won. Exit code. */
int tune_sizes(struct tuning *tuning);

/* tune_report.c */
void tune_write_json(const struct tuning *tuning, struct sl_buffer *out);
void tune_write_text(const struct tuning *tuning, struct sl_buffer *out);

#endif
