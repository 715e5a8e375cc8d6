/* SPDX-License-Identifier: MIT
 * certificate: that every score of a policy's curves was tried before it goes live. */
#include "certificate.h"

#include "build_id.h"
#include "clock.h"
#include "log.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define THREADS_MAX 64u
#define TELL_EVERY_S 10
#define BEHIND_NICE 10

/* One curve that needs a certificate, and the first asset that uses it. */
typedef struct candidate {
    const hedge_curve *curve;
    int32_t asset;
    uint8_t hash[HEDGE_HASH_SIZE];
    bool good, kept;
} candidate;

typedef struct work {
    const certificate_options *options;
    journal *journal;
    char build[160]; /* what certifies; "": nothing that could be named again */
    candidate *candidates;
    size_t n;
    atomic_size_t next;
    pthread_mutex_t lock; /* around what follows, and the candidates' marks */
    pthread_cond_t changed;
    unsigned running;
    size_t done;
    certificate_result result;
    size_t broken; /* candidate */
    hedge_certificate certificate;
} work;

/* ---- which curves ----------------------------------------------------------- */

/* Curves that are equal are one in a policy, so that comparing pointers does. */
static bool is_first_user(const hedge_policy *policy, int32_t asset)
{
    for (int32_t i = 0; i < asset; i++)
        if (hedge_policy_curve(policy, i) == hedge_policy_curve(policy, asset)) return false;
    return true;
}

/* A certificate holds for the very code that was tried, on the path that this
 * kind of processor takes through it; a version alone names no code. */
static void name_build(work *w, const hedge_curve *curve)
{
    char id[BUILD_ID_MAX];

    if (build_id_of_library(id))
        snprintf(w->build, sizeof(w->build), "%s %s %s", hedge_version(), id,
                 hedge_curve_path(curve));
}

static bool is_known(const work *w, const candidate *c)
{
    return w->build[0] != '\0' && journal_has_certificate(w->journal, c->hash, w->build);
}

static bool list_candidates(work *w, const hedge_policy *policy)
{
    const size_t assets = hedge_policy_asset_count(policy);

    w->candidates = calloc(assets, sizeof(*w->candidates));
    if (w->candidates == NULL) return false;
    name_build(w, hedge_policy_curve(policy, 0));
    for (int32_t i = 0; i < (int32_t)assets; i++) {
        candidate *c = &w->candidates[w->n];

        if (!is_first_user(policy, i)) continue;
        c->curve = hedge_policy_curve(policy, i);
        c->asset = i;
        hedge_curve_hash(c->curve, c->hash);
        if (!is_known(w, c)) w->n++;
    }
    return true;
}

/* ---- workers ---------------------------------------------------------------- */

static bool given_up(work *w)
{
    bool up;

    pthread_mutex_lock(&w->lock);
    up = w->result != CERTIFICATE_GOOD;
    pthread_mutex_unlock(&w->lock);
    return up || w->options->stop(w->options->context);
}

static int32_t progress(void *context, double share)
{
    (void)share;
    return given_up(context);
}

static void note(work *w, size_t i, int32_t code, const hedge_certificate *certificate)
{
    pthread_mutex_lock(&w->lock);
    if (code == HEDGE_OK) {
        w->candidates[i].good = true;
        w->done++;
        pthread_cond_signal(&w->changed);
    } else if (w->result == CERTIFICATE_GOOD) {
        w->result = code == HEDGE_E_CERTIFY ? CERTIFICATE_BROKEN : CERTIFICATE_STOPPED;
        w->broken = i;
        w->certificate = *certificate;
    }
    pthread_mutex_unlock(&w->lock);
}

static void *worker(void *argument)
{
    work *w = argument;
    size_t i;

    /* On Linux this is the thread's own: requests come first. */
    if (w->options->behind) setpriority(PRIO_PROCESS, 0, BEHIND_NICE);
    while ((i = atomic_fetch_add(&w->next, 1)) < w->n && !given_up(w)) {
        hedge_certificate certificate = HEDGE_INIT(hedge_certificate);

        note(w, i, hedge_curve_certify(w->candidates[i].curve, progress, w, &certificate),
             &certificate);
    }
    pthread_mutex_lock(&w->lock);
    if (--w->running == 0) pthread_cond_signal(&w->changed);
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

/* Under the lock, which is given back meanwhile. At once, so that what is done
 * is done whatever becomes of the rest; and not by the workers, since whoever
 * holds the journal's file must not wait behind the requests. */
static void keep_new(work *w)
{
    for (size_t i = 0; i < w->n; i++) {
        candidate *c = &w->candidates[i];

        if (!c->good || c->kept) continue;
        c->kept = true;
        pthread_mutex_unlock(&w->lock);
        if (w->build[0] != '\0' && !journal_keep_certificate(w->journal, c->hash, w->build))
            LOG(LOG_WARN, "certificate_not_kept", LOG_TEXT("effect", "it is made again next time"));
        pthread_mutex_lock(&w->lock);
    }
}

/* Says now and then how far a long run has come. */
static void wait_for_workers(work *w)
{
    int64_t told_ns = clock_steady_ns();

    pthread_mutex_lock(&w->lock);
    while (w->running > 0) {
        struct timespec until;

        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += TELL_EVERY_S;
        pthread_cond_timedwait(&w->changed, &w->lock, &until);
        keep_new(w);
        if (clock_steady_ns() - told_ns < TELL_EVERY_S * NS_PER_S) continue;
        told_ns = clock_steady_ns();
        LOG(LOG_INFO, "certifying", LOG_NUMBER("curves", (double)w->n),
            LOG_NUMBER("done", (double)w->done));
    }
    keep_new(w);
    pthread_mutex_unlock(&w->lock);
}

static bool run_workers(work *w)
{
    const unsigned most = w->options->threads < THREADS_MAX ? w->options->threads : THREADS_MAX;
    const unsigned wanted = w->n < most ? (unsigned)w->n : most;
    pthread_t ids[THREADS_MAX];
    unsigned started = 0;

    w->running = wanted;
    while (started < wanted && pthread_create(&ids[started], NULL, worker, w) == 0)
        started++;
    pthread_mutex_lock(&w->lock);
    w->running -= wanted - started;
    pthread_mutex_unlock(&w->lock);
    wait_for_workers(w);
    for (unsigned i = 0; i < started; i++)
        pthread_join(ids[i], NULL);
    return started > 0;
}

/* ---- the outcome ------------------------------------------------------------ */

static void tell_fault(const work *w, const hedge_policy *policy, hedge_error *error)
{
    static const char *const faults[] = {
        [HEDGE_CERTIFY_FINE] = "nothing",
        [HEDGE_CERTIFY_KNOT] = "a knot's hedge is not met",
        [HEDGE_CERTIFY_OUTSIDE] = "a hedge lies beyond the end knots'",
        [HEDGE_CERTIFY_FALLS] = "a higher score gets a lower hedge",
        [HEDGE_CERTIFY_JUMPS] = "the hedge jumps",
        [HEDGE_CERTIFY_PATHS] = "one by one and in a batch, the hedge differs",
    };
    const hedge_certificate *c = &w->certificate;

    error->code = HEDGE_E_CERTIFY;
    snprintf(error->file, sizeof(error->file), "%s",
             hedge_policy_file(policy, 0) != NULL ? hedge_policy_file(policy, 0) : "");
    snprintf(error->field, sizeof(error->field), "assets.%s.curve",
             hedge_policy_asset_name(policy, w->candidates[w->broken].asset));
    snprintf(error->message, sizeof(error->message),
             "the curve was not certified: %s at score %.17g (%.17g, then %.17g); please report it",
             faults[c->fault], c->score[0], c->hedge[0], c->hedge[1]);
}

static void tell(const work *w, const hedge_policy *policy, int64_t begin_ns)
{
    LOG(LOG_INFO, "policy_certified", LOG_TEXT("policy", hedge_policy_hash_hex(policy)),
        LOG_NUMBER("curves_tried", (double)w->n),
        LOG_NUMBER("ms", (double)(clock_steady_ns() - begin_ns) / NS_PER_MS));
}

certificate_result certificate_ensure(journal *j, const hedge_policy *policy,
                                      const certificate_options *options, hedge_error *error)
{
    const int64_t begin_ns = clock_steady_ns();
    work w = {.options = options, .journal = j, .result = CERTIFICATE_GOOD};

    if (!list_candidates(&w, policy)) return CERTIFICATE_FAILED;
    pthread_mutex_init(&w.lock, NULL);
    pthread_cond_init(&w.changed, NULL);
    if (w.n > 0 && !run_workers(&w)) w.result = CERTIFICATE_FAILED;
    pthread_cond_destroy(&w.changed);
    pthread_mutex_destroy(&w.lock);
    /* A worker that saw the stop between two curves took none and said nothing. */
    if (w.result == CERTIFICATE_GOOD && w.done < w.n) w.result = CERTIFICATE_STOPPED;
    if (w.result == CERTIFICATE_GOOD && w.n > 0) tell(&w, policy, begin_ns);
    if (w.result == CERTIFICATE_BROKEN) tell_fault(&w, policy, error);
    free(w.candidates);
    return w.result;
}
