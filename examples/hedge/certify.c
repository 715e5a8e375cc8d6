/* SPDX-License-Identifier: MIT
 * certify.c: tries every score a curve can ever see, and says whether its promises hold. */
#include "certify.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Scores in a chunk: two arrays of them stay in the second-level cache. */
enum { CHUNK = 1 << 13, THREADS_MAX = 256 };
#define CHUNK_COUNT (CERTIFY_STEPS / CHUNK)

typedef struct job {
    const hedge_curve *curve;
    double lowest;        /* the first knot's hedge */
    double highest;       /* the last knot's */
    atomic_llong next;    /* the next chunk to take */
    atomic_llong done;    /* chunks finished */
    atomic_llong stop;    /* chunks from here on need not be tried */
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t ended;
    unsigned running;
    long long worst; /* the lowest chunk with a fault */
    certificate *out;
} job;

/* The scores of one chunk and the first of the next, so that the edge between
 * two chunks is a pair like any other. */
typedef struct chunk {
    double score[CHUNK + 1];
    double hedge[CHUNK + 1];
} chunk;

static double seconds_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* Counts pairs in the wrong order, without a branch in the loop. NaN is in no
 * order, so it counts. */
static uint64_t wrong_pairs(const double *hedge)
{
    uint64_t wrong = 0;

    for (size_t i = 0; i < CHUNK; i++)
        wrong += !(hedge[i] <= hedge[i + 1]);
    return wrong;
}

/* Fills in the first fault of a chunk that holds one. */
static void describe(const job *work, const chunk *c, certificate *found)
{
    for (size_t i = 0; i <= CHUNK; i++) {
        found->score[0] = c->score[i];
        found->hedge[0] = c->hedge[i];
        if (!(c->hedge[i] >= work->lowest && c->hedge[i] <= work->highest)) {
            found->fault = CERTIFY_OUTSIDE;
            return;
        }
        if (i < CHUNK && !(c->hedge[i] <= c->hedge[i + 1])) {
            found->fault = CERTIFY_DECREASES;
            found->score[1] = c->score[i + 1];
            found->hedge[1] = c->hedge[i + 1];
            return;
        }
    }
}

static void report(job *work, const chunk *c, long long number)
{
    pthread_mutex_lock(&work->lock);
    if (number < work->worst) {
        work->worst = number;
        describe(work, c, work->out);
        /* Chunks are handed out in order: the ones before are taken already. */
        atomic_store(&work->stop, number);
    }
    pthread_mutex_unlock(&work->lock);
}

static void try_chunk(job *work, chunk *c, long long number)
{
    const double first = (double)(number * CHUNK) * HEDGE_SCORE_STEP;

    /* Exact: every multiple of 2^-30 up to 1 is a double. */
    for (int i = 0; i <= CHUNK; i++)
        c->score[i] = first + (double)i * HEDGE_SCORE_STEP;
    hedge_curve_eval_n(work->curve, c->score, c->hedge, CHUNK + 1);
    /* In a row that never decreases the ends bound all the rest. */
    if (wrong_pairs(c->hedge) != 0 || !(c->hedge[0] >= work->lowest) ||
        !(c->hedge[CHUNK] <= work->highest))
        report(work, c, number);
}

static void *worker(void *argument)
{
    job *work = argument;
    chunk *c = malloc(sizeof *c);
    long long number;

    if (c == NULL) {
        pthread_mutex_lock(&work->lock);
        work->out->fault = CERTIFY_NO_MEMORY;
        pthread_mutex_unlock(&work->lock);
        atomic_store(&work->stop, 0);
    }
    while (c != NULL && (number = atomic_fetch_add(&work->next, 1)) < atomic_load(&work->stop)) {
        try_chunk(work, c, number);
        atomic_fetch_add(&work->done, 1);
    }
    free(c);
    pthread_mutex_lock(&work->lock);
    work->running--;
    pthread_cond_signal(&work->ended);
    pthread_mutex_unlock(&work->lock);
    return NULL;
}

/* Waits until no worker runs, and calls `progress` in between. */
static void wait_for_workers(job *work, certify_progress *progress, void *context)
{
    pthread_mutex_lock(&work->lock);
    while (work->running > 0) {
        struct timespec until;

        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += 100000000;
        if (until.tv_nsec >= 1000000000) {
            until.tv_nsec -= 1000000000;
            until.tv_sec++;
        }
        pthread_cond_timedwait(&work->ended, &work->lock, &until);
        if (progress != NULL)
            progress((double)atomic_load(&work->done) / (double)CHUNK_COUNT, context);
    }
    pthread_mutex_unlock(&work->lock);
}

static void run_workers(job *work, unsigned threads, certify_progress *progress, void *context)
{
    pthread_t ids[THREADS_MAX];
    unsigned started = 0;

    if (threads > THREADS_MAX) threads = THREADS_MAX;
    work->running = threads;
    while (started < threads && pthread_create(&ids[started], NULL, worker, work) == 0)
        started++;
    work->out->threads = started;
    pthread_mutex_lock(&work->lock);
    work->running -= threads - started;
    pthread_mutex_unlock(&work->lock);
    wait_for_workers(work, progress, context);
    for (unsigned i = 0; i < started; i++)
        pthread_join(ids[i], NULL);
    if (started == 0) { /* no thread to be had: this one does it all */
        work->running = 1;
        work->out->threads = 1;
        worker(work);
    }
}

/* At a knot the curve is the knot, to the bit, alone or in a batch. Knots need
 * not lie on the grid, so the sweep does not visit them. */
static void try_knots(const hedge_curve *curve, certificate *out)
{
    const size_t n = hedge_curve_knot_count(curve);

    for (size_t i = 0; i < n; i++) {
        double score = 0, hedge = 0, batch = 0;
        const int32_t got = hedge_curve_knot(curve, i, &score, &hedge);
        const double alone = hedge_curve_eval(curve, score);

        hedge_curve_eval_n(curve, &score, &batch, 1);
        out->tried++;
        if (got == HEDGE_OK && memcmp(&alone, &hedge, sizeof hedge) == 0 &&
            memcmp(&batch, &hedge, sizeof hedge) == 0)
            continue;
        out->fault = CERTIFY_KNOT;
        out->score[0] = out->score[1] = score;
        out->hedge[0] = alone == hedge ? batch : alone;
        out->hedge[1] = hedge;
        return;
    }
}

bool certify_curve(const hedge_curve *curve, unsigned threads, certify_progress *progress,
                   void *context, certificate *out)
{
    const double begin = seconds_now();
    job work = {.curve = curve, .worst = CHUNK_COUNT, .out = out};
    double score;

    *out = (certificate){.fault = CERTIFY_FINE};
    try_knots(curve, out);
    if (out->fault == CERTIFY_FINE) {
        hedge_curve_knot(curve, 0, &score, &work.lowest);
        hedge_curve_knot(curve, hedge_curve_knot_count(curve) - 1, &score, &work.highest);
        atomic_store(&work.stop, CHUNK_COUNT);
        pthread_mutex_init(&work.lock, NULL);
        pthread_cond_init(&work.ended, NULL);
        run_workers(&work, threads, progress, context);
        pthread_cond_destroy(&work.ended);
        pthread_mutex_destroy(&work.lock);
        out->tried = (uint64_t)atomic_load(&work.done) * CHUNK + 1;
    }
    out->seconds = seconds_now() - begin;
    return out->fault == CERTIFY_FINE;
}
