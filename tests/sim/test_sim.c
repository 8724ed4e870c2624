/*
 * test_sim.c -- the machines that keep the delivery guarantee, under one seed and a simulated
 * clock.
 *
 * Ledgers, lanes and the budget are the daemon's own. Around them a world that does everything at
 * its worst: logs with holes, records taken in any order across partitions, workers that finish
 * late, fail and try again, batches that fail, commits whose outcome nobody learns, crashes, limits
 * changed by a reload, questions whose partitions are taken away in the middle. One seed decides
 * all of it, so that a run can be had again.
 *
 * A run is unsafe for a while (safety: nothing false is ever stored) and then left in peace
 * (liveness: all of it gets done, nothing is left over). What is checked, after each commit and at
 * the end:
 *
 *     S1  an offset is applied once, over any number of restarts
 *     S2  versions of one key are applied in the order of their offsets
 *     S3  a stored position covers what is applied, and nothing else
 *     S4  what is taken stays within the limits, and nothing remains charged
 *     S5  a committed question has its answer; a second one only after a crash or a rebalance
 *     S6  in peace everything is applied and answered, and the documents are those of a replay
 *
 * With one mechanism taken out (--break NAME) a run must be caught; ctest runs each of them.
 *
 *     test_sim [--seeds N] [--from SEED] [--break NAME] [--trace]
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/budget.h"
#include "daemon/lanes.h"
#include "daemon/ledger.h"

#define PARTS       3u
#define RECORDS_MAX 160u
#define KEYS        7u
#define JOBS_MAX    (2u * PARTS * RECORDS_MAX)
#define RANGES_MAX  64u

enum broken {
    BROKEN_NOTHING,
    BROKEN_POSITION,
    BROKEN_CARRY,
    BROKEN_LANES,
    BROKEN_ABORT,
    BROKEN_EPOCH,
    BROKEN_BUDGET
};
static const char *const broken_names[] = {"nothing", "position", "carry", "lanes",
                                           "abort",   "epoch",    "budget"};

/* What Kafka and the disk hold: survives a crash. */
struct record {
    int64_t offset;
    uint32_t key;
    bool poison;
};
struct log {
    struct record records[RECORDS_MAX];
    uint32_t count;
    int64_t end;
};
struct stored {
    bool known;
    struct sl_position position;
    struct sl_offset_range ranges[RANGES_MAX];
};
struct world {
    struct log documents[PARTS], questions[PARTS];
    struct stored stored[PARTS];
    uint8_t applied[PARTS][RECORDS_MAX];
    int64_t version[PARTS][KEYS]; /* offset of the version in the index; -1: none */
    uint32_t answers[PARTS][RECORDS_MAX];
    int64_t committed[PARTS]; /* of questions, at the broker */
    uint32_t disturbed;       /* crashes and rebalances: what excuses a second answer */
};

/* What one run of the program holds. */
enum job_state { JOB_WAITS, JOB_RUNS, JOB_READY, JOB_STAGED };
struct job {
    struct sl_lane_item item; /* first */
    enum job_state state;
    uint32_t part, number; /* in the log */
    bool question;
    uint32_t epoch;
    uint32_t tries;
    uint64_t due;
    bool used;
};
struct program {
    struct sl_ledger *documents[PARTS], *questions[PARTS];
    uint32_t read[PARTS], asked[PARTS]; /* next record of the log to be taken */
    uint32_t epoch[PARTS];
    bool assigned[PARTS];
    bool paused;
    struct sl_lanes *lanes;
    struct sl_budget budget;
    int64_t items_max;
    struct job jobs[JOBS_MAX];
    uint32_t staged;
};

struct sim {
    uint64_t seed, random, now;
    uint32_t steps;
    enum broken broken;
    bool trace, peace;
    const char *fault; /* the first thing that went wrong */
    struct world world;
    struct program program;
    uint32_t crashes, aborts, rebalances, reloads, retries;
};

static uint64_t draw(struct sim *sim, uint64_t below)
{
    uint64_t z = (sim->random += 0x9E3779B97F4A7C15u);

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (z ^ (z >> 31)) % below;
}

static bool chance(struct sim *sim, uint32_t percent)
{
    return draw(sim, 100) < percent;
}

static void expect(struct sim *sim, bool condition, const char *fault)
{
    if (!condition && sim->fault == NULL)
        sim->fault = fault;
}

static struct record *record_of(struct sim *sim, const struct job *job)
{
    struct log *log = job->question ? sim->world.questions : sim->world.documents;

    return &log[job->part].records[job->number];
}

/* ------------------------------------------------------------------------------ the program */

static void start(struct sim *sim)
{
    struct program *program = &sim->program;

    memset(program, 0, sizeof *program);
    program->lanes = sl_lanes_make();
    program->items_max = 1 + (int64_t)draw(sim, 20);
    sl_budget_limit(&program->budget, (uint32_t)program->items_max, 1 << 20, 1 << 20);
    for (uint32_t p = 0; p < PARTS; p++) {
        struct stored *stored = &sim->world.stored[p];
        struct sl_position position = stored->position;
        if (sim->broken == BROKEN_CARRY)
            position.completed_count = 0;
        program->documents[p] = sl_ledger_make(stored->known ? &position : NULL);
        while (stored->known && program->read[p] < sim->world.documents[p].count &&
               sim->world.documents[p].records[program->read[p]].offset < position.next_offset)
            program->read[p]++;
    }
}

static void stop(struct sim *sim)
{
    struct program *program = &sim->program;

    while (sl_lanes_drain(program->lanes) != NULL)
        ;
    program->lanes = sl_lanes_free(program->lanes);
    for (uint32_t p = 0; p < PARTS; p++) {
        sl_ledger_free(program->documents[p]);
        sl_ledger_free(program->questions[p]);
    }
}

static struct job *new_job(struct sim *sim)
{
    for (uint32_t i = 0; i < JOBS_MAX; i++)
        if (!sim->program.jobs[i].used) {
            sim->program.jobs[i] = (struct job){.used = true};
            return &sim->program.jobs[i];
        }
    abort();
}

static void run_job(struct sim *sim, struct job *job)
{
    job->state = JOB_RUNS;
    job->due = sim->now + draw(sim, 50);
}

/* Take one document, if the brake allows it. */
static void take_document(struct sim *sim, uint32_t part)
{
    struct program *program = &sim->program;
    struct log *log = &sim->world.documents[part];
    struct sl_fingerprint seen;
    struct job *job;
    char key[16];

    if (program->paused && sl_budget_is_low(&program->budget))
        program->paused = false;
    if (sl_budget_is_high(&program->budget))
        program->paused = true;
    if ((program->paused && sim->broken != BROKEN_BUDGET) || program->read[part] == log->count)
        return;
    seen = (struct sl_fingerprint){log->records[program->read[part]].offset, 0, 0};
    program->read[part]++;
    if (!sl_ledger_deliver(program->documents[part], &seen))
        return;
    job = new_job(sim);
    job->part = part;
    job->number = program->read[part] - 1;
    sl_budget_add(&program->budget, SL_STAGE_LANES, 1, 100);
    expect(sim, sl_budget_documents(&program->budget) <= program->items_max,
           "S4: more taken than allowed");
    snprintf(key, sizeof key, "%u/%u", part, record_of(sim, job)->key);
    job->item.lane = sl_lane_of(SL_VIEW("docs"), sl_view_of(key));
    if (sim->broken == BROKEN_LANES || sl_lanes_enter(program->lanes, &job->item))
        run_job(sim, job);
}

static void take_question(struct sim *sim, uint32_t part)
{
    struct program *program = &sim->program;
    struct log *log = &sim->world.questions[part];
    struct sl_fingerprint seen;
    struct job *job;

    if (!program->assigned[part] || program->asked[part] == log->count)
        return;
    seen = (struct sl_fingerprint){log->records[program->asked[part]].offset, 0, 0};
    program->asked[part]++;
    if (!sl_ledger_deliver(program->questions[part], &seen))
        return;
    job = new_job(sim);
    job->question = true;
    job->part = part;
    job->number = program->asked[part] - 1;
    job->epoch = program->epoch[part];
    run_job(sim, job);
}

static void answer(struct sim *sim, struct job *job)
{
    struct program *program = &sim->program;
    bool stale = program->epoch[job->part] != job->epoch;

    sim->world.answers[job->part][job->number]++; /* published; only then is it done */
    if (!stale)
        sl_ledger_done(program->questions[job->part], record_of(sim, job)->offset);
    else if (sim->broken == BROKEN_EPOCH && program->assigned[job->part])
        sl_ledger_skip(program->questions[job->part], record_of(sim, job)->offset + 1);
    job->used = false;
}

/* One job that is due: done, or to be tried again later and later. */
static void work(struct sim *sim)
{
    uint32_t from = (uint32_t)draw(sim, JOBS_MAX);

    for (uint32_t i = 0; i < JOBS_MAX; i++) {
        struct job *job = &sim->program.jobs[(from + i) % JOBS_MAX];
        if (!job->used || job->state != JOB_RUNS || job->due > sim->now)
            continue;
        if (!sim->peace && chance(sim, 20)) {
            sim->retries++;
            job->due =
                sim->now + (uint64_t)(1u << (job->tries < 6 ? job->tries : 6)) * (1 + draw(sim, 4));
            job->tries++;
        } else if (job->question) {
            answer(sim, job);
        } else {
            job->state = JOB_READY;
        }
        return;
    }
}

/* -------------------------------------------------------------------------------- the writer */

static void store_positions(struct sim *sim)
{
    for (uint32_t p = 0; p < PARTS; p++) {
        struct stored *stored = &sim->world.stored[p];
        struct sl_position position;
        if (sl_ledger_frontier(sim->program.documents[p]) < 0)
            continue;
        sl_ledger_position(sim->program.documents[p], &position);
        if (position.completed_count > RANGES_MAX)
            abort();
        stored->known = true;
        stored->position = position;
        if (position.completed_count > 0)
            memcpy(stored->ranges, position.completed,
                   position.completed_count * sizeof *stored->ranges);
        stored->position.completed = stored->ranges;
    }
}

static void store_documents(struct sim *sim)
{
    for (uint32_t i = 0; i < JOBS_MAX; i++) {
        struct job *job = &sim->program.jobs[i];
        const struct record *record;
        int64_t *version;
        if (!job->used || job->question || job->state != JOB_STAGED)
            continue;
        record = record_of(sim, job);
        version = &sim->world.version[job->part][record->key];
        expect(sim, sim->world.applied[job->part][job->number] == 0, "S1: applied twice");
        expect(sim, *version < record->offset, "S2: an older version came after a newer one");
        sim->world.applied[job->part][job->number]++;
        if (!record->poison)
            *version = record->offset;
    }
}

/* S3: existing offsets below next_offset, and those in the ranges, are applied; the others are not.
 */
static void check_positions(struct sim *sim)
{
    for (uint32_t p = 0; p < PARTS; p++) {
        const struct stored *stored = &sim->world.stored[p];
        for (uint32_t i = 0; i < sim->world.documents[p].count; i++) {
            int64_t offset = sim->world.documents[p].records[i].offset;
            bool covered = stored->known && offset < stored->position.next_offset;
            for (uint32_t r = 0; stored->known && r < stored->position.completed_count; r++)
                covered = covered ||
                          (stored->ranges[r].first <= offset && offset <= stored->ranges[r].last);
            expect(sim, covered == (sim->world.applied[p][i] > 0),
                   "S3: a stored position and what is applied differ");
        }
    }
}

/* The batch is over: what was in it is done, or as before it. */
static void end_batch(struct sim *sim, bool committed)
{
    struct program *program = &sim->program;

    for (uint32_t p = 0; p < PARTS; p++) {
        if (committed)
            sl_ledger_commit(program->documents[p]);
        else
            sl_ledger_abort(program->documents[p]);
    }
    for (uint32_t i = 0; i < JOBS_MAX; i++) {
        struct job *job = &program->jobs[i];
        struct sl_lane_item *next;
        if (!job->used || job->question || job->state != JOB_STAGED)
            continue;
        job->state = JOB_READY;
        if (!committed)
            continue;
        job->used = false;
        sl_budget_add(&program->budget, SL_STAGE_LANES, -1, -100);
        next = sim->broken == BROKEN_LANES ? NULL : sl_lanes_leave(program->lanes, job->item.lane);
        if (next != NULL)
            run_job(sim, (struct job *)(void *)next);
    }
    program->staged = 0;
}

static void stage(struct sim *sim)
{
    uint32_t from = (uint32_t)draw(sim, JOBS_MAX), wanted = 1 + (uint32_t)draw(sim, 8);

    for (uint32_t i = 0; i < JOBS_MAX && wanted > 0; i++) {
        struct job *job = &sim->program.jobs[(from + i) % JOBS_MAX];
        if (!job->used || job->question || job->state != JOB_READY)
            continue;
        job->state = JOB_STAGED;
        sl_ledger_stage(sim->program.documents[job->part], record_of(sim, job)->offset);
        sim->program.staged++;
        wanted--;
    }
}

static void crash(struct sim *sim)
{
    sim->crashes++;
    sim->world.disturbed++;
    stop(sim);
    start(sim);
}

static void commit(struct sim *sim)
{
    uint32_t luck = sim->peace ? 0 : (uint32_t)draw(sim, 100);

    if (sim->program.staged == 0)
        return;
    if (luck >= 80 && luck < 90) { /* it fails: the disk is full */
        sim->aborts++;
        end_batch(sim, sim->broken == BROKEN_ABORT);
        return;
    }
    if (sim->broken == BROKEN_POSITION) {
        store_positions(sim);
        if (luck >= 90)
            crash(sim);
        else
            store_documents(sim);
    } else if (luck < 95) {
        store_positions(sim);
        store_documents(sim);
    }
    if (luck >= 90 && sim->broken != BROKEN_POSITION)
        crash(sim); /* nobody learned whether it was stored */
    else
        end_batch(sim, true);
    check_positions(sim);
}

/* ------------------------------------------------------------------------------- the world */

static void append(struct sim *sim, struct log *log)
{
    struct record *record = &log->records[log->count];

    if (log->count == RECORDS_MAX)
        return;
    log->end += chance(sim, 25) ? 1 + (int64_t)draw(sim, 3) : 0; /* a hole */
    *record = (struct record){log->end++, (uint32_t)draw(sim, KEYS), chance(sim, 5)};
    log->count++;
}

static void assign(struct sim *sim, uint32_t part)
{
    struct program *program = &sim->program;
    const struct log *log = &sim->world.questions[part];

    if (program->assigned[part])
        return;
    sl_ledger_free(program->questions[part]);
    program->questions[part] = sl_ledger_make(NULL);
    program->epoch[part]++;
    program->assigned[part] = true;
    for (program->asked[part] = 0;
         program->asked[part] < log->count &&
         log->records[program->asked[part]].offset < sim->world.committed[part];
         program->asked[part]++)
        ;
}

static void revoke(struct sim *sim, uint32_t part)
{
    sim->rebalances++;
    sim->world.disturbed++;
    sim->program.epoch[part]++;
    sim->program.assigned[part] = false;
}

static void commit_questions(struct sim *sim, uint32_t part)
{
    const struct log *log = &sim->world.questions[part];
    int64_t frontier;

    if (!sim->program.assigned[part])
        return;
    frontier = sl_ledger_frontier(sim->program.questions[part]);
    if (frontier > sim->world.committed[part])
        sim->world.committed[part] = frontier;
    for (uint32_t i = 0; i < log->count && log->records[i].offset < sim->world.committed[part]; i++)
        expect(sim, sim->world.answers[part][i] > 0,
               "S5: a question is committed without an answer");
}

static void reload(struct sim *sim)
{
    int64_t most = sl_budget_documents(&sim->program.budget);

    sim->reloads++;
    sim->program.items_max = 1 + (int64_t)draw(sim, 20);
    sl_budget_limit(&sim->program.budget, (uint32_t)sim->program.items_max, 1 << 20, 1 << 20);
    if (most > sim->program.items_max)
        sim->program.items_max = most; /* what was taken before may stay */
}

static void step(struct sim *sim)
{
    uint32_t part = (uint32_t)draw(sim, PARTS);

    sim->now += draw(sim, 8);
    switch (draw(sim, sim->peace ? 10 : 13)) {
    case 0:
    case 1:
    case 2:
        take_document(sim, part);
        break;
    case 3:
        take_question(sim, part);
        break;
    case 4:
    case 5:
    case 6:
        work(sim);
        break;
    case 7:
        stage(sim);
        break;
    case 8:
        commit(sim);
        break;
    case 9:
        if (sim->peace || chance(sim, 50))
            assign(sim, part);
        commit_questions(sim, part);
        break;
    case 10:
        append(sim, &sim->world.documents[part]);
        append(sim, &sim->world.documents[draw(sim, PARTS)]);
        break;
    case 11:
        append(sim, &sim->world.questions[part]);
        break;
    default:
        if (chance(sim, 10))
            crash(sim);
        else if (chance(sim, 10))
            revoke(sim, part);
        else if (chance(sim, 10))
            reload(sim);
    }
}

/* --------------------------------------------------------------------------------- one seed */

/* S6 and what remains of S4 and S5. */
static void check_end(struct sim *sim)
{
    for (uint32_t p = 0; p < PARTS; p++) {
        const struct log *log = &sim->world.documents[p];
        int64_t version[KEYS];
        for (uint32_t k = 0; k < KEYS; k++)
            version[k] = -1;
        for (uint32_t i = 0; i < log->count; i++) {
            expect(sim, sim->world.applied[p][i] == 1, "S6: a record was not applied");
            if (!log->records[i].poison)
                version[log->records[i].key] = log->records[i].offset;
        }
        expect(sim, memcmp(version, sim->world.version[p], sizeof version) == 0,
               "S6: the documents are not those of a replay");
        for (uint32_t i = 0; i < sim->world.questions[p].count; i++) {
            expect(sim, sim->world.answers[p][i] > 0, "S6: a question was not answered");
            expect(sim, sim->world.answers[p][i] == 1 || sim->world.disturbed > 0,
                   "S5: a second answer for no reason");
        }
        expect(sim, sl_ledger_open_count(sim->program.documents[p]) == 0,
               "S6: a ledger waits for something");
    }
    expect(sim, sl_budget_documents(&sim->program.budget) == 0, "S4: something remains charged");
    for (uint32_t i = 0; i < JOBS_MAX; i++)
        expect(sim, !sim->program.jobs[i].used, "S6: a job was forgotten");
}

static const char *run_seed(struct sim *sim, uint64_t seed, enum broken broken, bool trace)
{
    memset(sim, 0, sizeof *sim);
    sim->seed = sim->random = seed;
    sim->broken = broken;
    sim->trace = trace;
    for (uint32_t p = 0; p < PARTS; p++)
        for (uint32_t k = 0; k < KEYS; k++)
            sim->world.version[p][k] = -1;
    start(sim);
    sim->steps = 200 + (uint32_t)draw(sim, 1500);
    for (uint32_t i = 0; i < sim->steps && sim->fault == NULL; i++)
        step(sim);
    sim->peace = true;
    for (uint32_t i = 0; i < 40000 && sim->fault == NULL; i++) {
        bool open = false;
        step(sim);
        for (uint32_t p = 0; p < PARTS; p++)
            open = open || !sim->program.assigned[p] ||
                   sim->program.read[p] < sim->world.documents[p].count ||
                   sim->program.asked[p] < sim->world.questions[p].count;
        for (uint32_t j = 0; !open && j < JOBS_MAX; j++)
            open = sim->program.jobs[j].used;
        if (!open)
            break;
    }
    check_end(sim);
    stop(sim);
    return sim->fault;
}

static void print_seed(const struct sim *sim)
{
    uint32_t documents = 0, questions = 0;

    for (uint32_t p = 0; p < PARTS; p++) {
        documents += sim->world.documents[p].count;
        questions += sim->world.questions[p].count;
    }
    printf("seed %" PRIu64
           " --break %s: %u steps, %u documents, %u questions, %u crashes, %u failed commits, "
           "%u rebalances, %u reloads, %u retries: %s\n",
           sim->seed, broken_names[sim->broken], sim->steps, documents, questions, sim->crashes,
           sim->aborts, sim->rebalances, sim->reloads, sim->retries,
           sim->fault != NULL ? sim->fault : "good");
}

static int find_broken(const char *name)
{
    for (int i = 0; i < (int)(sizeof broken_names / sizeof *broken_names); i++)
        if (strcmp(broken_names[i], name) == 0)
            return i;
    fprintf(
        stderr,
        "test_sim: --break %s: there are nothing, position, carry, lanes, abort, epoch, budget\n",
        name);
    exit(2);
}

static uint64_t run_seeds(uint64_t from, uint64_t seeds, enum broken broken, bool trace,
                          uint64_t *ret_faults)
{
    struct sim *sim = malloc(sizeof *sim);
    uint64_t violations = 0;

    *ret_faults = 0;
    if (sim == NULL)
        abort();
    for (uint64_t seed = from; seed < from + seeds; seed++) {
        bool bad = run_seed(sim, seed, broken, trace) != NULL;
        violations += bad;
        *ret_faults += sim->crashes + sim->aborts + sim->rebalances + sim->reloads + sim->retries;
        if (trace || (bad && violations <= 3))
            print_seed(sim);
    }
    free(sim);
    return violations;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"seeds", 1, NULL, 's'},
                                            {"from", 1, NULL, 'f'},
                                            {"break", 1, NULL, 'b'},
                                            {"trace", 0, NULL, 't'},
                                            {NULL, 0, NULL, 0}};
    uint64_t from = 1, seeds = 10000, faults, violations;
    enum broken broken = BROKEN_NOTHING;
    bool trace = false;

    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (c == 's')
            seeds = strtoull(optarg, NULL, 10);
        else if (c == 'f')
            from = strtoull(optarg, NULL, 10);
        else if (c == 'b')
            broken = (enum broken)find_broken(optarg);
        else if (c == 't')
            trace = true;
        else
            return 2;
    }
    violations = run_seeds(from, seeds, broken, trace, &faults);
    printf("PROVED {\"promise\": \"documents.simulation\", \"says\": \"ledger, lanes and budget "
           "under a simulated world\", "
           "%s\"runs\": %" PRIu64 ", \"faults\": %" PRIu64 ", \"violations\": %" PRIu64 "}\n",
           broken != BROKEN_NOTHING ? "\"control\": true, " : "", seeds, faults, violations);
    if (broken != BROKEN_NOTHING)
        return violations > 0 ? 0 : 1; /* it must be caught */
    return violations == 0 ? 0 : 1;
}
