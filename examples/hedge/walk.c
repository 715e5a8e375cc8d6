/* SPDX-License-Identifier: MIT
 * walk.c: takes a chain's rows in batches through several threads, and keeps the order. */
#include "walk.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { RING = 8, JUDGES_MAX = 8, BYTES = (WALK_ROWS + 1) * HEDGE_RECORD_MAX };

/* Batches go round a ring: read, judged, taken. Counters only grow; batch i is
 * in slot i % RING. */
typedef struct walk {
    const walk_job *job;
    walk_batch *slots[RING];
    bool judged[RING];
    uint64_t read_at, judge_at, take_at;
    bool ended;    /* nothing more will be read */
    bool failed;   /* because the source broke */
    bool stopping; /* nobody wants more */
    uint64_t last; /* the newest record that was taken */
    bool refused;  /* `take` wanted no more */
    pthread_mutex_t mutex;
    pthread_cond_t changed;
} walk;

/* ---- the ring -------------------------------------------------------------- */

static void slots_free(walk *w)
{
    for (size_t i = 0; i < RING; i++) {
        if (w->slots[i] == NULL) continue;
        free(w->slots[i]->bytes);
        free(w->slots[i]->findings);
        free(w->slots[i]);
    }
}

static bool slots_new(walk *w)
{
    for (size_t i = 0; i < RING; i++) {
        walk_batch *slot = w->slots[i] = calloc(1, sizeof *slot);

        if (slot == NULL) return false;
        slot->bytes = malloc(BYTES);
        slot->capacity = BYTES;
        slot->findings = malloc(w->job->findings_size);
        if (slot->bytes == NULL || slot->findings == NULL) return false;
    }
    return true;
}

/* ---- reading --------------------------------------------------------------- */

/* Copies a row and its record behind the bytes used so far. */
static void keep_row(walk_batch *batch, source_row *kept, const source_row *row, size_t *used)
{
    *kept = *row;
    if (row->record == NULL || row->record_size > HEDGE_RECORD_MAX) {
        kept->record = NULL;
        return;
    }
    memcpy(batch->bytes + *used, row->record, row->record_size);
    kept->record = batch->bytes + *used;
    *used += row->record_size;
}

/* Fills a batch; false: the source is at its end or broken. */
static bool fill(walk *w, walk_batch *batch, const source_row *before, bool *failed)
{
    source_row row;
    source_step step = SOURCE_ROW;
    size_t used = 0;

    batch->n = 0;
    keep_row(batch, &batch->before, before, &used);
    while (batch->n < WALK_ROWS &&
           (step = w->job->from->ops->next(w->job->from, &row)) == SOURCE_ROW)
        keep_row(batch, &batch->rows[batch->n++], &row, &used);
    *failed = step == SOURCE_FAILED;
    return step == SOURCE_ROW;
}

static bool wait_for_slot(walk *w)
{
    bool more;

    pthread_mutex_lock(&w->mutex);
    while (!w->stopping && w->read_at - w->take_at == RING)
        pthread_cond_wait(&w->changed, &w->mutex);
    more = !w->stopping;
    pthread_mutex_unlock(&w->mutex);
    return more;
}

static void *read_batches(void *context)
{
    walk *w = context;
    const source_place *base = &w->job->chain->base;
    source_row before = {.seq = base->given ? base->seq : 0};
    bool more = true, failed = false;

    if (base->given) memcpy(before.hash, base->hash, sizeof before.hash);
    while (more && wait_for_slot(w)) {
        walk_batch *batch = w->slots[w->read_at % RING];

        more = fill(w, batch, &before, &failed);
        /* Its record stays where it is: the slot is not filled again before the next one is. */
        if (batch->n > 0) before = batch->rows[batch->n - 1];
        pthread_mutex_lock(&w->mutex);
        if (batch->n > 0) w->read_at++;
        w->ended = !more;
        w->failed = failed;
        pthread_cond_broadcast(&w->changed);
        pthread_mutex_unlock(&w->mutex);
    }
    return NULL;
}

/* ---- judging --------------------------------------------------------------- */

static void *judge_batches(void *context)
{
    walk *w = context;

    pthread_mutex_lock(&w->mutex);
    for (;;) {
        uint64_t at;

        while (!w->stopping && !w->ended && w->judge_at == w->read_at)
            pthread_cond_wait(&w->changed, &w->mutex);
        if (w->stopping || w->judge_at == w->read_at) break;
        at = w->judge_at++;
        pthread_mutex_unlock(&w->mutex);
        memset(w->slots[at % RING]->findings, 0, w->job->findings_size);
        w->job->judge(w->job->context, w->slots[at % RING]);
        pthread_mutex_lock(&w->mutex);
        w->judged[at % RING] = true;
        pthread_cond_broadcast(&w->changed);
    }
    pthread_mutex_unlock(&w->mutex);
    return NULL;
}

/* ---- taking ---------------------------------------------------------------- */

static void take_batches(walk *w)
{
    bool more = true;

    pthread_mutex_lock(&w->mutex);
    while (more) {
        const size_t slot = w->take_at % RING;

        while (!(w->take_at < w->judge_at && w->judged[slot]) &&
               !(w->ended && w->take_at == w->read_at))
            pthread_cond_wait(&w->changed, &w->mutex);
        if (w->take_at == w->read_at) break;
        pthread_mutex_unlock(&w->mutex);
        w->last = w->slots[slot]->rows[w->slots[slot]->n - 1].seq;
        more = w->job->take(w->job->context, w->slots[slot]);
        w->refused = !more;
        pthread_mutex_lock(&w->mutex);
        w->judged[slot] = false;
        w->take_at++;
        pthread_cond_broadcast(&w->changed);
    }
    w->stopping = true;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->mutex);
}

static size_t judge_count(void)
{
    const long processors = sysconf(_SC_NPROCESSORS_ONLN);

    return processors < 1 ? 1 : processors > JUDGES_MAX ? JUDGES_MAX : (size_t)processors;
}

static bool run_threads(walk *w)
{
    pthread_t reader, judges[JUDGES_MAX];
    const size_t wanted = judge_count();
    size_t n = 0;

    while (n < wanted && pthread_create(&judges[n], NULL, judge_batches, w) == 0)
        n++;
    if (n == 0) return false;
    if (pthread_create(&reader, NULL, read_batches, w) == 0) {
        take_batches(w);
        pthread_join(reader, NULL);
    } else {
        pthread_mutex_lock(&w->mutex);
        w->stopping = w->failed = true;
        pthread_cond_broadcast(&w->changed);
        pthread_mutex_unlock(&w->mutex);
        source_fail(w->job->from, "unreadable", "no thread to read with");
    }
    while (n > 0)
        pthread_join(judges[--n], NULL);
    return true;
}

/* A source that names its head gives every record up to it. */
static bool reaches_head(const walk *w)
{
    const source_chain *chain = w->job->chain;

    if (w->refused || !chain->head.given || w->last >= chain->head.seq) return true;
    return source_fail(w->job->from, "truncated",
                       "truncated: the journal ends at record %" PRIu64
                       ", but the daemon's head is record %" PRIu64,
                       w->last, chain->head.seq);
}

bool walk_run(const walk_job *job)
{
    walk w = {.job = job, .mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    const source_place *base = &job->chain->base;

    w.last = base->given ? base->seq : 0;
    if (!job->from->ops->start(job->from, job->chain, base->given ? base->seq : 0, false))
        return false;
    if (!slots_new(&w) || !run_threads(&w)) {
        slots_free(&w);
        return source_fail(job->from, "unreadable", "out of memory");
    }
    slots_free(&w);
    return !w.failed && reaches_head(&w);
}
