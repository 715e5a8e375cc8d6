/* SPDX-License-Identifier: MIT
 * certify.c: tries the curves of a policy at every score, a thread a curve. */
#include "certify.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

enum { THREADS_MAX = 256, PARTS = 4096 };

typedef struct job {
    certificate *certificates;
    size_t n;
    atomic_size_t next;         /* the next curve to take */
    atomic_uint_least64_t done; /* of n * PARTS parts */
    atomic_bool stop;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t ended;
    unsigned running;
} job;

/* How far one curve is. */
typedef struct part {
    job *work;
    uint64_t done; /* of PARTS */
} part;

static double seconds_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static int32_t note_progress(void *context, double done)
{
    part *p = context;
    const uint64_t parts = (uint64_t)(done * PARTS);

    atomic_fetch_add(&p->work->done, parts - p->done);
    p->done = parts;
    return atomic_load(&p->work->stop) ? 1 : 0;
}

static void certify_one(job *work, certificate *c)
{
    const double begin = seconds_now();
    part p = {work, 0};

    c->found = (hedge_certificate)HEDGE_INIT(hedge_certificate);
    c->result = hedge_curve_certify(c->curve, note_progress, &p, &c->found);
    c->tried = c->found.tried;
    /* The knots were tried besides, as they were given. */
    if (c->result == HEDGE_OK) c->tried -= hedge_curve_knot_count(c->curve);
    note_progress(&p, 1);
    c->seconds = seconds_now() - begin;
}

static void *worker(void *argument)
{
    job *work = argument;
    size_t i;

    while ((i = atomic_fetch_add(&work->next, 1)) < work->n)
        certify_one(work, &work->certificates[i]);
    pthread_mutex_lock(&work->lock);
    work->running--;
    pthread_cond_signal(&work->ended);
    pthread_mutex_unlock(&work->lock);
    return NULL;
}

/* Waits until no worker runs, and calls `progress` in between. */
static void wait_for_workers(job *work, certify_progress *progress)
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
        if (progress((double)atomic_load(&work->done) / ((double)work->n * PARTS)) != 0)
            atomic_store(&work->stop, true);
    }
    pthread_mutex_unlock(&work->lock);
}

void certify_curves(certificate *certificates, size_t n, unsigned threads,
                    certify_progress *progress)
{
    job work = {.certificates = certificates,
                .n = n,
                .lock = PTHREAD_MUTEX_INITIALIZER,
                .ended = PTHREAD_COND_INITIALIZER};
    pthread_t ids[THREADS_MAX];
    unsigned started = 0;

    if (threads > n) threads = (unsigned)n;
    if (threads > THREADS_MAX) threads = THREADS_MAX;
    work.running = threads;
    while (started < threads && pthread_create(&ids[started], NULL, worker, &work) == 0)
        started++;
    pthread_mutex_lock(&work.lock);
    work.running -= threads - started;
    pthread_mutex_unlock(&work.lock);
    wait_for_workers(&work, progress);
    for (unsigned i = 0; i < started; i++)
        pthread_join(ids[i], NULL);
    if (started == 0) { /* no thread to be had: this one does it all */
        work.running = 1;
        worker(&work);
    }
    pthread_cond_destroy(&work.ended);
    pthread_mutex_destroy(&work.lock);
}
