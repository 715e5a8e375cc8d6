/* SPDX-License-Identifier: MIT
 * halt: the kill switch. Of all assets, or of one; latched in the journal. */
#include "halt.h"

#include "clock.h"
#include "log.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RETRY_S 1                        /* between two tries to latch what is not on disk */
#define CLOSE_TRIES 5                    /* at the end, */
#define CLOSE_PAUSE_NS (100 * NS_PER_MS) /* so far apart */

/* One halt in force. */
typedef struct latch {
    journal_halt what;
    bool on_disk;
    char peer[HALT_PEER_MAX + 1]; /* who ordered it; "": not in this life of the daemon */
    uint64_t version; /* another one with each halt: a resume ends what it saw, and nothing newer */
} latch;

struct halt {
    journal *journal;
    live *live;
    /* Held while one halt or resume goes to the journal, so that memory and disk
     * see them in one order. A halt does not wait for it to take effect. */
    pthread_mutex_t turn;
    pthread_mutex_t lock; /* around everything below, never for long */
    pthread_cond_t wake;  /* of the thread that latches: there is something, or the end */
    bool owing, closing;
    pthread_t latching;
    uint64_t versions, halts, resumes;
    size_t n, capacity;
    latch *latches; /* by name: that of all, "", is the first */
};

/* ---- the latches in memory; under the lock ---------------------------------- */

static size_t place_of(const halt *h, const char *asset)
{
    size_t i = 0;

    while (i < h->n && strcmp(h->latches[i].what.asset, asset) < 0)
        i++;
    return i;
}

static latch *find(const halt *h, const char *asset)
{
    const size_t i = place_of(h, asset);

    return i < h->n && strcmp(h->latches[i].what.asset, asset) == 0 ? &h->latches[i] : NULL;
}

/* There is room: for every name that the file had, and HEDGE_ASSETS_MAX more. */
static latch *insert(halt *h, const journal_halt *what)
{
    const size_t i = place_of(h, what->asset);

    if (h->n == h->capacity) return NULL;
    memmove(&h->latches[i + 1], &h->latches[i], (h->n - i) * sizeof(latch));
    h->latches[i] = (latch){.what = *what};
    h->n++;
    return &h->latches[i];
}

static void take_out(halt *h, const latch *gone)
{
    const size_t i = (size_t)(gone - h->latches);

    h->n--;
    memmove(&h->latches[i], &h->latches[i + 1], (h->n - i) * sizeof(latch));
}

static void tell_market(halt *h, const char *asset, bool halted)
{
    if (asset[0] == '\0')
        live_halt_all(h->live, halted);
    else
        live_halt(h->live, asset, halted);
}

/* ---- what is asked ------------------------------------------------------------ */

/* U+0080 to U+009F, U+2028 and U+2029 (line and paragraph), U+200E, U+200F,
 * U+202A to U+202E and U+2066 to U+2069 (direction). */
static bool is_mark(const unsigned char *c)
{
    if (c[0] == 0xc2) return c[1] < 0xa0;
    if (c[0] != 0xe2) return false;
    if (c[1] == 0x80) return (c[2] >= 0xa8 && c[2] <= 0xae) || c[2] == 0x8e || c[2] == 0x8f;
    return c[1] == 0x81 && c[2] >= 0xa6 && c[2] <= 0xa9;
}

bool halt_check_reason(const char *reason, const char *actor, problem *p)
{
    const size_t room = sizeof(((hedge_record *)NULL)->note) - 2 - strlen(actor);
    const size_t most = room < JOURNAL_REASON_MAX ? room : JOURNAL_REASON_MAX;
    const size_t n = strlen(reason);
    bool seen = false;

    if (n < 1 || n > most)
        return problem_set(p, 422, "bad_value", "reason", "must be 1 to %zu bytes%s", most,
                           most < JOURNAL_REASON_MAX ? " beside so long a name of the actor" : "");
    for (const unsigned char *c = (const unsigned char *)reason; *c != '\0';) {
        const size_t length = text_utf8_length(c);

        if (length == 0 || *c < 0x20 || *c == 0x7f || is_mark(c))
            return problem_set(p, 422, "bad_value", "reason",
                               "must be text without control characters or line breaks");
        if (*c != ' ') seen = true;
        c += length;
    }
    return seen || problem_set(p, 422, "bad_value", "reason", "must say something");
}

static bool unknown_asset(const char *asset, problem *p)
{
    return problem_set(p, 422, "unknown_asset", "asset",
                       "%s: the policy does not name this asset; nothing was halted or resumed",
                       asset);
}

static bool is_known(const halt_order *order)
{
    return order->asset[0] == '\0' || hedge_policy_asset(order->policy->policy, order->asset) >= 0;
}

/* "all assets are", or "BTC is". */
static void name_it(const char *asset, char out[HEDGE_ASSET_NAME_MAX + 8])
{
    if (asset[0] == '\0')
        strcpy(out, "all assets are");
    else
        snprintf(out, HEDGE_ASSET_NAME_MAX + 8, "%s is", asset);
}

/* ---- the journal --------------------------------------------------------------- */

static journal_result record(halt *h, int32_t kind, const halt_order *order,
                             const journal_halt *what, halt_answer *out, uint64_t *seq)
{
    hedge_record r = HEDGE_INIT(hedge_record);
    journal_result result;

    r.kind = kind;
    /* Since the first record of a halt is how long it has held. */
    r.ts_ns = kind == HEDGE_RECORD_HALT && what->seq == 0 ? what->since_ns : clock_wall_ns();
    hedge_policy_hash(order->policy->policy, r.policy_hash);
    snprintf(r.build, sizeof(r.build), "%s", hedge_version());
    snprintf(r.asset, sizeof(r.asset), "%s", order->asset);
    /* Whole: halt_check_reason. */
    snprintf(r.note, sizeof(r.note), "%s %s", order->actor, order->reason);
    result = journal_append_halt(h->journal, &r, what);
    if (result != JOURNAL_OK) return result;
    hedge_record_id(r.writer, r.seq, out->record);
    *seq = r.seq;
    return JOURNAL_OK;
}

static const char *words_of(journal_result result)
{
    switch (result) {
    case JOURNAL_FULL:
        return "its queue is full";
    case JOURNAL_CLOSING:
        return "the daemon is stopping";
    default:
        return "it cannot be written; see the log";
    }
}

static void log_order(log_level level, const char *event, const halt_order *order,
                      const char *record)
{
    LOG(level, event, LOG_TEXT("asset", order->asset[0] != '\0' ? order->asset : "(all)"),
        LOG_TEXT("actor", order->actor), LOG_TEXT("reason", order->reason),
        LOG_TEXT("peer", order->peer), LOG_TEXT("record", record));
}

/* ---- halting ------------------------------------------------------------------- */

/* Puts the halt into memory and market, where it is not there yet. False: there
 * is no such asset. */
static bool take_effect(halt *h, const halt_order *order, bool *before, journal_halt *what)
{
    latch *l;

    pthread_mutex_lock(&h->lock);
    l = find(h, order->asset);
    *before = l != NULL;
    if (l == NULL && is_known(order)) {
        journal_halt fresh = {.since_ns = clock_wall_ns()};

        snprintf(fresh.asset, sizeof(fresh.asset), "%s", order->asset);
        snprintf(fresh.actor, sizeof(fresh.actor), "%s", order->actor);
        snprintf(fresh.reason, sizeof(fresh.reason), "%s", order->reason);
        l = insert(h, &fresh);
        if (l != NULL) snprintf(l->peer, sizeof(l->peer), "%s", order->peer);
    }
    if (l != NULL) {
        l->version = ++h->versions;
        *what = l->what;
        tell_market(h, order->asset, true);
    }
    pthread_mutex_unlock(&h->lock);
    return l != NULL;
}

/* The journal has it; nobody else's turn has been between. */
static void note_latched(halt *h, const journal_halt *what, const char *peer)
{
    latch *l;

    pthread_mutex_lock(&h->lock);
    l = find(h, what->asset);
    if (l != NULL) {
        l->what = *what;
        l->on_disk = true;
        snprintf(l->peer, sizeof(l->peer), "%s", peer);
    }
    pthread_mutex_unlock(&h->lock);
}

static void count_halt(halt *h)
{
    pthread_mutex_lock(&h->lock);
    h->halts++;
    pthread_mutex_unlock(&h->lock);
}

/* In memory alone, unless an earlier one of the same is on disk. */
static bool not_latched(halt *h, const halt_order *order, journal_result result, problem *p)
{
    char what[HEDGE_ASSET_NAME_MAX + 8];
    const latch *l;
    bool on_disk;

    pthread_mutex_lock(&h->lock);
    l = find(h, order->asset);
    on_disk = l != NULL && l->on_disk;
    h->owing = true;
    pthread_cond_signal(&h->wake);
    pthread_mutex_unlock(&h->lock);
    log_order(LOG_ERROR, "halt_not_latched", order, "");
    name_it(order->asset, what);
    if (on_disk)
        problem_set(p, 503, "journal_failed", NULL,
                    "%s halted, and would be after a restart, by the halt that was recorded "
                    "before; this one was not recorded: the journal: %s",
                    what, words_of(result));
    else
        problem_set(p, 503, "halt_not_latched", NULL,
                    "%s halted now, but would not be after a restart: the journal: %s; it is tried "
                    "again each second until it is latched: GET /halt says when",
                    what, words_of(result));
    p->retry_after_s = 1;
    return false;
}

bool halt_set(halt *h, const halt_order *order, halt_answer *out, problem *p)
{
    journal_halt what;
    journal_result result;
    bool before, since;

    *out = (halt_answer){0};
    if (!take_effect(h, order, &before, &what)) return unknown_asset(order->asset, p);
    pthread_mutex_lock(&h->turn);
    /* Once more: a resume whose turn it was may have ended it. */
    take_effect(h, order, &since, &what);
    snprintf(what.actor, sizeof(what.actor), "%s", order->actor);
    snprintf(what.reason, sizeof(what.reason), "%s", order->reason);
    result = record(h, HEDGE_RECORD_HALT, order, &what, out, &what.seq);
    if (result == JOURNAL_OK) note_latched(h, &what, order->peer);
    pthread_mutex_unlock(&h->turn);
    count_halt(h);
    out->changed = !before || !since;
    if (result != JOURNAL_OK) return not_latched(h, order, result, p);
    log_order(LOG_WARN, "halted", order, out->record);
    return true;
}

/* ---- latching what is not ------------------------------------------------------- */

static bool find_unlatched(halt *h, latch *out)
{
    size_t i = 0;

    pthread_mutex_lock(&h->lock);
    while (i < h->n && h->latches[i].on_disk)
        i++;
    if (i < h->n) *out = h->latches[i];
    pthread_mutex_unlock(&h->lock);
    return i < h->n;
}

/* Records each halt that is not on disk, as it was ordered. False: the journal
 * refuses one. */
static bool latch_all(halt *h)
{
    journal_result result = JOURNAL_OK;
    live_policy *policy = live_acquire(h->live);
    latch one;

    /* A turn each: who resumes or halts comes in between. */
    for (bool more = true; more && result == JOURNAL_OK;) {
        halt_answer did;

        pthread_mutex_lock(&h->turn);
        more = find_unlatched(h, &one);
        if (more) {
            journal_halt *what = &one.what;
            const halt_order order = {what->asset, what->actor, what->reason, one.peer, policy};

            result = record(h, HEDGE_RECORD_HALT, &order, what, &did, &what->seq);
            if (result == JOURNAL_OK) note_latched(h, what, one.peer);
            if (result == JOURNAL_OK) log_order(LOG_WARN, "halt_latched", &order, did.record);
        }
        pthread_mutex_unlock(&h->turn);
    }
    live_release(policy);
    return result == JOURNAL_OK;
}

/* Under the lock. */
static void wait_for_retry(halt *h)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += RETRY_S;
    while (!h->closing && pthread_cond_timedwait(&h->wake, &h->lock, &until) == 0) {
    }
}

static void *latching_main(void *argument)
{
    halt *h = argument;

    pthread_mutex_lock(&h->lock);
    while (!h->closing) {
        if (!h->owing) {
            pthread_cond_wait(&h->wake, &h->lock);
            continue;
        }
        wait_for_retry(h);
        if (h->closing) break;
        h->owing = false;
        pthread_mutex_unlock(&h->lock);
        const bool done = latch_all(h);
        pthread_mutex_lock(&h->lock);
        if (!done) h->owing = true;
    }
    pthread_mutex_unlock(&h->lock);
    return NULL;
}

/* ---- resuming ------------------------------------------------------------------ */

/* Looks what there is to end. False: problem; *found 0: nothing. */
static bool look(halt *h, const halt_order *order, latch *found, problem *p)
{
    const latch *l;
    bool all;

    pthread_mutex_lock(&h->lock);
    l = find(h, order->asset);
    all = find(h, "") != NULL;
    *found = l != NULL ? *l : (latch){0};
    pthread_mutex_unlock(&h->lock);
    if (l == NULL && !is_known(order)) return unknown_asset(order->asset, p);
    if (order->asset[0] != '\0' && all)
        return problem_set(p, 409, "halted_all", "asset",
                           "all assets are halted, and %s with them: resume without an asset "
                           "first; what is halted by itself stays halted until it is resumed by "
                           "its name",
                           order->asset);
    return true;
}

/* The journal has it. Ends the halt, unless a newer one came meanwhile: that one's
 * turn is next, and it will be recorded behind. */
static bool end(halt *h, const latch *ended)
{
    latch *l;
    bool same;

    pthread_mutex_lock(&h->lock);
    l = find(h, ended->what.asset);
    same = l != NULL && l->version == ended->version;
    if (same) {
        take_out(h, l);
        tell_market(h, ended->what.asset, false);
    } else if (l != NULL) {
        l->on_disk = false;
        l->what.seq = 0;
    }
    h->resumes++;
    pthread_mutex_unlock(&h->lock);
    return same;
}

bool halt_clear(halt *h, const halt_order *order, halt_answer *out, problem *p)
{
    journal_result result = JOURNAL_OK;
    uint64_t seq;
    latch found;
    bool ok;

    *out = (halt_answer){0};
    pthread_mutex_lock(&h->turn);
    ok = look(h, order, &found, p);
    if (ok && found.version > 0) {
        result = record(h, HEDGE_RECORD_RESUME, order, &found.what, out, &seq);
        if (result == JOURNAL_OK) out->changed = end(h, &found);
    }
    pthread_mutex_unlock(&h->turn);
    if (result != JOURNAL_OK) {
        char what[HEDGE_ASSET_NAME_MAX + 8];

        name_it(order->asset, what);
        log_order(LOG_ERROR, "resume_refused", order, "");
        problem_set(p, 503, result == JOURNAL_FULL ? "journal_full" : "journal_failed", NULL,
                    "%s still halted, because a resume that cannot be recorded does not happen: "
                    "the journal: %s",
                    what, words_of(result));
        p->retry_after_s = 1;
        return false;
    }
    if (ok && out->changed) log_order(LOG_WARN, "resumed", order, out->record);
    return ok;
}

/* ---- showing ------------------------------------------------------------------- */

static void write_latch(const halt *h, const latch *l, uint64_t writer, text *out)
{
    char id[37];

    text_puts(out, l == h->latches ? "{" : ",{");
    if (l->what.asset[0] != '\0') text_member_string(out, "asset", l->what.asset);
    text_member_string(out, "actor", l->what.actor);
    text_member_string(out, "reason", l->what.reason);
    text_member_int(out, "since_ms", l->what.since_ns / NS_PER_MS);
    text_member_bool(out, "latched", l->on_disk);
    if (l->on_disk && hedge_record_id(writer, l->what.seq, id) == HEDGE_OK)
        text_member_string(out, "record", id);
    text_puts(out, "}");
}

void halt_write(halt *h, text *out)
{
    journal_state state;

    journal_read_state(h->journal, &state);
    text_name(out, "halted");
    text_puts(out, "[");
    pthread_mutex_lock(&h->lock);
    for (size_t i = 0; i < h->n; i++)
        write_latch(h, &h->latches[i], state.writer, out);
    pthread_mutex_unlock(&h->lock);
    text_puts(out, "]");
}

void halt_read_state(halt *h, halt_state *out)
{
    pthread_mutex_lock(&h->lock);
    *out = (halt_state){.all = find(h, "") != NULL, .halts = h->halts, .resumes = h->resumes};
    out->assets = h->n - (out->all ? 1 : 0);
    for (size_t i = 0; i < h->n; i++)
        if (!h->latches[i].on_disk) out->unlatched++;
    pthread_mutex_unlock(&h->lock);
}

/* ---- life ---------------------------------------------------------------------- */

static void restore(halt *h, const journal_halt *what)
{
    latch *l = insert(h, what);

    if (l == NULL) return;
    l->version = ++h->versions;
    l->on_disk = true;
    tell_market(h, what->asset, true);
    LOG(LOG_WARN, "halt_in_force",
        LOG_TEXT("asset", what->asset[0] != '\0' ? what->asset : "(all)"),
        LOG_TEXT("actor", what->actor), LOG_TEXT("reason", what->reason),
        LOG_NUMBER("since_ms", what->since_ns / NS_PER_MS));
}

/* NULL: no memory or no thread. */
static halt *make(journal *j, live *l, size_t capacity)
{
    halt *h = calloc(1, sizeof(*h));
    pthread_condattr_t steady;

    if (h != NULL) h->latches = calloc(capacity, sizeof(latch));
    if (h == NULL || h->latches == NULL) {
        free(h);
        return NULL;
    }
    h->journal = j;
    h->live = l;
    h->capacity = capacity;
    pthread_mutex_init(&h->turn, NULL);
    pthread_mutex_init(&h->lock, NULL);
    pthread_condattr_init(&steady);
    pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    pthread_cond_init(&h->wake, &steady);
    pthread_condattr_destroy(&steady);
    if (pthread_create(&h->latching, NULL, latching_main, h) == 0) return h;
    free(h->latches);
    free(h);
    return NULL;
}

halt *halt_new(journal *j, live *l, char message[JOURNAL_MESSAGE_MAX], bool *busy)
{
    journal_halt *there;
    size_t n;
    halt *h;

    if (!journal_read_halts(j, &there, &n, message, busy)) return NULL;
    h = make(j, l, n + HEDGE_ASSETS_MAX + 1);
    *busy = h == NULL;
    if (h == NULL)
        snprintf(message, JOURNAL_MESSAGE_MAX, "out of memory, or no thread to latch halts");
    for (size_t i = 0; h != NULL && i < n; i++)
        restore(h, &there[i]);
    free(there);
    return h;
}

/* True if every halt is on disk. */
static bool latch_at_last(halt *h)
{
    const struct timespec pause = {.tv_nsec = CLOSE_PAUSE_NS};
    bool whole = latch_all(h);

    for (int i = 1; i < CLOSE_TRIES && !whole; i++) {
        nanosleep(&pause, NULL);
        whole = latch_all(h);
    }
    return whole;
}

static void log_lost(const latch *l)
{
    LOG(LOG_ERROR, "halt_lost_at_stop",
        LOG_TEXT("asset", l->what.asset[0] != '\0' ? l->what.asset : "(all)"),
        LOG_TEXT("actor", l->what.actor), LOG_TEXT("reason", l->what.reason),
        LOG_TEXT("peer", l->peer),
        LOG_TEXT("effect", "nothing of it is on disk: it is not halted after the next start, "
                           "unless it is asked for again"));
}

bool halt_close(halt *h)
{
    bool whole;

    if (h == NULL) return true;
    pthread_mutex_lock(&h->lock);
    h->closing = true;
    pthread_cond_signal(&h->wake);
    pthread_mutex_unlock(&h->lock);
    pthread_join(h->latching, NULL);
    whole = latch_at_last(h);
    for (size_t i = 0; i < h->n; i++)
        if (!h->latches[i].on_disk) log_lost(&h->latches[i]);
    pthread_mutex_destroy(&h->turn);
    pthread_mutex_destroy(&h->lock);
    pthread_cond_destroy(&h->wake);
    free(h->latches);
    free(h);
    return whole;
}
