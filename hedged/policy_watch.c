/* SPDX-License-Identifier: MIT
 * policy_watch: keeps a policy in step with its files.
 *
 * Folders are watched, not files: an editor renames a new file over the old
 * one, and a Kubernetes ConfigMap swaps a symbolic link beside it. */
#include "policy_watch.h"

#include "certificate.h"
#include "clock.h"
#include "log.h"
#include "text.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define SETTLE_MS 50       /* changes that come together are looked at together, */
#define SETTLE_MOST_MS 500 /* but not put off for ever */
/* And a look now and then, for what no watch tells: a folder that was away for
 * a while, knots elsewhere that a refused policy names, a journal that would
 * not take the new policy. */
#define LOOK_MS 3000
#define WAITING_MAX 8 /* reloads asked for at the same time */

struct policy_watch {
    policy_watch_options options;
    live *live;
    journal *journal;
    pthread_mutex_t reload_lock; /* one reload at a time */
    pthread_mutex_t lock;        /* around the state, never for long */
    policy_watch_state state;
    char certified[65]; /* the newest policy found good, for a journal that cannot say so */
    int wake_fd;        /* something is asked of the thread: */
    atomic_bool stop, asked;
    atomic_int waiting; /* callers of policy_watch_reload */
    pthread_t thread;
};

/* ---- reloading -------------------------------------------------------------- */

static void fill_record(hedge_record *record, int32_t kind, const hedge_policy *policy,
                        const char *note)
{
    *record = (hedge_record)HEDGE_INIT(hedge_record);
    record->kind = kind;
    record->ts_ns = clock_wall_ns();
    hedge_policy_hash(policy, record->policy_hash);
    snprintf(record->build, sizeof(record->build), "%s", hedge_version());
    text_copy_utf8(record->note, sizeof(record->note), note);
}

/* Counts, and says whether this is news: the same fault is told once, however
 * often the file is looked at. */
static bool note_refusal(policy_watch *w, const hedge_error *error)
{
    const hedge_error *before = &w->state.error;
    bool news;

    pthread_mutex_lock(&w->lock);
    news = w->state.ok || before->line != error->line || strcmp(before->file, error->file) != 0 ||
           strcmp(before->message, error->message) != 0;
    w->state.refusals++;
    w->state.ok = false;
    w->state.error = *error;
    pthread_mutex_unlock(&w->lock);
    return news;
}

static void note_success(policy_watch *w, const char *hash)
{
    bool healed;

    pthread_mutex_lock(&w->lock);
    healed = !w->state.ok;
    w->state.loads++;
    w->state.ok = true;
    pthread_mutex_unlock(&w->lock);
    if (healed)
        LOG(LOG_INFO, w->options.shadow ? "shadow_policy_healed" : "policy_healed",
            LOG_TEXT("policy", hash));
}

static void refuse(policy_watch *w, const char *cause, const hedge_policy *old,
                   const hedge_error *error)
{
    hedge_record record;
    char note[256];

    if (!note_refusal(w, error)) return;
    LOG(LOG_ERROR, w->options.shadow ? "shadow_policy_refused" : "policy_refused",
        LOG_TEXT("cause", cause), LOG_TEXT("file", error->file), LOG_NUMBER("line", error->line),
        LOG_TEXT("field", error->field), LOG_TEXT("message", error->message),
        LOG_TEXT("live", hedge_policy_hash_hex(old)));
    snprintf(note, sizeof(note), "%s%s: %.120s:%d: %.90s", w->options.shadow ? "shadow " : "",
             cause, error->file, error->line, error->message);
    fill_record(&record, HEDGE_RECORD_POLICY_REFUSED, old, note);
    if (journal_append(w->journal, &record, 1) != JOURNAL_OK)
        LOG(LOG_ERROR, "journal_refused", LOG_TEXT("record", "policy_refused"));
}

static bool fail_ours(const policy_watch *w, policy_reload *out, const char *what)
{
    out->our_fault = true;
    snprintf(out->error.file, sizeof(out->error.file), "%.200s", w->options.path);
    snprintf(out->error.message, sizeof(out->error.message), "%s", what);
    return false;
}

/* ---- certifying ------------------------------------------------------------- */

/* What a look at a policy's files says of them: another number, other files. */
static uint64_t fingerprint(const hedge_policy *policy)
{
    uint64_t print = 0xcbf29ce484222325u; /* FNV-1a, a word at a time */

    for (size_t i = 0; hedge_policy_file(policy, i) != NULL; i++) {
        struct stat s = {0};
        const bool there = stat(hedge_policy_file(policy, i), &s) == 0;
        const uint64_t words[] = {there,
                                  s.st_dev,
                                  s.st_ino,
                                  (uint64_t)s.st_size,
                                  (uint64_t)s.st_mtim.tv_sec,
                                  (uint64_t)s.st_mtim.tv_nsec};

        for (size_t k = 0; k < sizeof(words) / sizeof(words[0]); k++)
            print = (print ^ words[k]) * 0x100000001b3u;
    }
    return print;
}

/* A policy that is being certified, and its files as they were. */
typedef struct attempt {
    policy_watch *watch;
    const hedge_policy *policy;
    uint64_t files;
} attempt;

static bool is_on_disk(const policy_watch *w, const hedge_policy *policy)
{
    hedge_policy *read;
    bool same;

    if (hedge_policy_load_with(w->options.path, w->options.overrides, NULL, &read) != HEDGE_OK)
        return false;
    same = strcmp(hedge_policy_hash_hex(read), hedge_policy_hash_hex(policy)) == 0;
    hedge_policy_free(read);
    return same;
}

/* What is no longer in the files shall not go live, and what is there now
 * shall not have to wait for it. Files that were only touched change nothing. */
static bool is_over(void *context)
{
    attempt *a = context;
    const uint64_t files = fingerprint(a->policy);

    if (atomic_load(&a->watch->stop)) return true;
    if (files == a->files) return false;
    a->files = files;
    return !is_on_disk(a->watch, a->policy);
}

/* How a look at the files ended. */
typedef enum outcome {
    UNCHANGED,
    WENT_LIVE,
    REFUSED,  /* for a fault that is told */
    STOPPED,  /* with the daemon: nothing is wrong with the policy */
    OVERTAKEN /* the files have changed meanwhile: look again */
} outcome;

/* One curve at a time and behind the requests, which go on meanwhile.
 * UNCHANGED: nothing stands in the policy's way. */
static outcome certify(policy_watch *w, const hedge_policy *policy, policy_reload *out)
{
    attempt a = {.watch = w, .policy = policy, .files = fingerprint(policy)};
    const certificate_options options = {
        .threads = 1, .behind = true, .stop = is_over, .context = &a};

    if (!w->options.certify || strcmp(w->certified, hedge_policy_hash_hex(policy)) == 0)
        return UNCHANGED;
    switch (certificate_ensure(w->journal, policy, &options, &out->error)) {
    case CERTIFICATE_GOOD:
        snprintf(w->certified, sizeof(w->certified), "%s", hedge_policy_hash_hex(policy));
        return is_on_disk(w, policy) ? UNCHANGED : OVERTAKEN;
    case CERTIFICATE_BROKEN:
        return REFUSED;
    case CERTIFICATE_STOPPED:
        return atomic_load(&w->stop) ? STOPPED : OVERTAKEN;
    case CERTIFICATE_FAILED:
        break;
    }
    fail_ours(w, out, "no memory or no thread to certify its curves with");
    return REFUSED;
}

/* ---- going live ------------------------------------------------------------- */

/* Journal before market: no decision may name a policy that the journal does
 * not hold. And everything that can fail before the journal: what it says went
 * live, went live. Takes the policy over. */
static bool go_live(policy_watch *w, const char *cause, hedge_policy *policy, policy_reload *out)
{
    live_policy *next = live_prepare(w->live, policy);
    hedge_record record;

    if (next == NULL)
        return fail_ours(w, out, "out of memory, or over 1,024 names of assets since the start");
    fill_record(&record, w->options.shadow ? HEDGE_RECORD_SHADOW_POLICY : HEDGE_RECORD_POLICY,
                policy, cause);
    if (journal_append_policy(w->journal, &record, hedge_policy_text(policy, NULL)) != JOURNAL_OK) {
        live_release(next);
        return fail_ours(w, out, "the journal cannot be written; tried again by itself");
    }
    LOG(LOG_INFO, w->options.shadow ? "shadow_policy_taken" : "policy_live",
        LOG_TEXT("cause", cause), LOG_TEXT("policy", hedge_policy_hash_hex(policy)));
    live_publish(w->live, next);
    return true;
}

/* One look at the files. */
static outcome look(policy_watch *w, const char *cause, policy_reload *out)
{
    hedge_policy *next;
    const int32_t code =
        hedge_policy_load_with(w->options.path, w->options.overrides, &out->error, &next);
    outcome o;

    if (code == HEDGE_E_NOMEM) fail_ours(w, out, "out of memory; tried again by itself");
    if (code != HEDGE_OK) return REFUSED;
    o = strcmp(hedge_policy_hash_hex(next), out->previous) == 0 ? UNCHANGED : WENT_LIVE;
    if (o == WENT_LIVE) {
        const outcome certified = certify(w, next, out);

        if (certified == UNCHANGED) {
            snprintf(out->hash, sizeof(out->hash), "%s", hedge_policy_hash_hex(next));
            return go_live(w, cause, next, out) ? WENT_LIVE : REFUSED;
        }
        o = certified;
    }
    hedge_policy_free(next);
    return o;
}

static void reload(policy_watch *w, const char *cause, policy_reload *out)
{
    live_policy *now = live_acquire(w->live);
    outcome o;

    snprintf(out->previous, sizeof(out->previous), "%s", hedge_policy_hash_hex(now->policy));
    snprintf(out->hash, sizeof(out->hash), "%s", out->previous);
    do
        o = look(w, cause, out);
    while (o == OVERTAKEN && !atomic_load(&w->stop));
    out->ok = o == UNCHANGED || o == WENT_LIVE;
    out->changed = o == WENT_LIVE;
    if (!out->ok) snprintf(out->hash, sizeof(out->hash), "%s", out->previous);
    if (out->ok)
        note_success(w, out->hash);
    else if (o == REFUSED)
        refuse(w, cause, now->policy, &out->error);
    else
        fail_ours(w, out, "the daemon is stopping");
    live_release(now);
}

static void reload_in_turn(policy_watch *w, const char *cause, policy_reload *out)
{
    *out = (policy_reload){.error = HEDGE_INIT(hedge_error)};
    pthread_mutex_lock(&w->reload_lock);
    reload(w, cause, out);
    pthread_mutex_unlock(&w->reload_lock);
}

void policy_watch_reload(policy_watch *w, const char *cause, policy_reload *out)
{
    if (atomic_fetch_add(&w->waiting, 1) < WAITING_MAX) {
        reload_in_turn(w, cause, out);
    } else { /* each waits with a thread that requests need */
        *out = (policy_reload){.error = HEDGE_INIT(hedge_error)};
        fail_ours(w, out, "other reloads are waiting already");
    }
    atomic_fetch_sub(&w->waiting, 1);
}

void policy_watch_read_state(policy_watch *w, policy_watch_state *out)
{
    pthread_mutex_lock(&w->lock);
    *out = w->state;
    pthread_mutex_unlock(&w->lock);
}

/* ---- watching --------------------------------------------------------------- */

static void watch_folder_of(int fd, const char *path)
{
    const uint32_t mask = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE |
                          IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF;
    char folder[PATH_MAX];
    char *slash;

    if (snprintf(folder, sizeof(folder), "%s", path) >= (int)sizeof(folder)) return;
    slash = strrchr(folder, '/');
    if (slash == NULL)
        strcpy(folder, ".");
    else
        slash[slash == folder ? 1 : 0] = '\0';
    if (inotify_add_watch(fd, folder, mask) < 0)
        LOG(LOG_WARN, "policy_watch_failed", LOG_TEXT("folder", folder),
            LOG_TEXT("message", strerror(errno)));
}

/* The folder that a file is named in and, where that is a link, the one that
 * it lies in. */
static void watch_file(int fd, const char *path)
{
    char *real = realpath(path, NULL);

    watch_folder_of(fd, path);
    if (real != NULL) watch_folder_of(fd, real);
    free(real);
}

/* A new set of watches, since a reload may name other files. -1: none. */
static int watch_files(policy_watch *w)
{
    const int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    live_policy *now;

    if (fd < 0) {
        LOG(LOG_WARN, "policy_watch_failed", LOG_TEXT("message", strerror(errno)),
            LOG_TEXT("effect", "only SIGHUP and POST /curve/reload reload"));
        return -1;
    }
    now = live_acquire(w->live);
    watch_file(fd, w->options.path);
    for (size_t i = 0; hedge_policy_file(now->policy, i) != NULL; i++)
        watch_file(fd, hedge_policy_file(now->policy, i));
    live_release(now);
    return fd;
}

/* Waits until something has changed and come to rest, or it is time for a look
 * anyway. False: stop. */
static bool wait_for_change(const policy_watch *w, int fd)
{
    struct pollfd fds[2] = {{.fd = w->wake_fd, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
    eventfd_t woken;
    int64_t until_ns = clock_steady_ns() + LOOK_MS * NS_PER_MS;
    int timeout_ms = LOOK_MS;
    char events[4096];

    for (;;) {
        const int n = poll(fds, fd >= 0 ? 2 : 1, timeout_ms);

        if (fds[0].revents != 0) {
            eventfd_read(w->wake_fd, &woken);
            return !atomic_load(&w->stop);
        }
        if (n < 0 && errno != EINTR) return false;
        if (n == 0 || clock_steady_ns() >= until_ns) return true;
        if (timeout_ms != SETTLE_MS) until_ns = clock_steady_ns() + SETTLE_MOST_MS * NS_PER_MS;
        timeout_ms = SETTLE_MS;
        while (read(fd, events, sizeof(events)) > 0) {
        }
    }
}

static void *watch_main(void *argument)
{
    policy_watch *w = argument;

    for (;;) {
        const int fd = watch_files(w);
        policy_reload result;

        /* Looks once more with the new watches in place: what changed before
         * them would go unseen. */
        reload_in_turn(w, atomic_exchange(&w->asked, false) ? "signal" : "file", &result);
        const bool go_on = (result.changed && !atomic_load(&w->stop)) || wait_for_change(w, fd);
        if (fd >= 0) close(fd);
        if (!go_on) return NULL;
    }
}

policy_watch *policy_watch_new(const policy_watch_options *options, live *l, journal *j)
{
    policy_watch *w = calloc(1, sizeof(*w));

    if (w == NULL) return NULL;
    *w = (policy_watch){.options = *options, .live = l, .journal = j, .state = {.ok = true}};
    w->state.error = (hedge_error)HEDGE_INIT(hedge_error);
    pthread_mutex_init(&w->reload_lock, NULL);
    pthread_mutex_init(&w->lock, NULL);
    w->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (w->wake_fd < 0 || pthread_create(&w->thread, NULL, watch_main, w) != 0) {
        if (w->wake_fd >= 0) close(w->wake_fd);
        free(w);
        return NULL;
    }
    return w;
}

void policy_watch_ask(policy_watch *w)
{
    atomic_store(&w->asked, true);
    eventfd_write(w->wake_fd, 1);
}

void policy_watch_stop(policy_watch *w)
{
    atomic_store(&w->stop, true);
    eventfd_write(w->wake_fd, 1);
}

void policy_watch_free(policy_watch *w)
{
    if (w == NULL) return;
    policy_watch_stop(w);
    pthread_join(w->thread, NULL);
    close(w->wake_fd);
    pthread_mutex_destroy(&w->reload_lock);
    pthread_mutex_destroy(&w->lock);
    free(w);
}
