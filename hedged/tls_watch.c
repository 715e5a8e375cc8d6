/* SPDX-License-Identifier: MIT
 * tls_watch: keeps the certificates in step with their files.
 *
 * They are looked at, not waited for: whatever way they are replaced by, a new
 * file under the old name, a swapped link to a folder or bytes written in place,
 * a look a second later sees it. */
#include "tls_watch.h"

#include "clock.h"
#include "log.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define LOOK_MS 1000
#define LOOK_AGAIN_MS 200            /* while the files are at fault */
#define TOLD_AFTER_NS (2 * NS_PER_S) /* half of a replacement is no fault yet */
#define EXPIRING_S (14 * 86400)      /* before the end this is said, */
#define REPEAT_NS (86400 * NS_PER_S) /* and again each day */

struct tls_watch {
    tls *tls;
    const settings_tls *settings;
    pthread_mutex_t lock; /* around the state, never for long */
    tls_watch_state state;
    int wake_fd;
    atomic_bool stop, asked;
    pthread_t thread;
    /* The thread's own: */
    uint64_t print;     /* of the files as they were looked at, */
    bool looked;        /* and that look settled it */
    int64_t failing_ns; /* since when they are at fault, steady; 0: not */
    int64_t warned_ns;  /* of the end coming near, steady; 0: not yet */
};

static void warn_of_end(tls_watch *w)
{
    const int64_t now_ns = clock_steady_ns(), now_s = clock_wall_ns() / NS_PER_S;
    tls_facts facts;

    tls_read_facts(w->tls, &facts);
    if (w->warned_ns != 0 && now_ns - w->warned_ns < REPEAT_NS) return;
    if (facts.not_after_s - now_s < EXPIRING_S) {
        LOG(LOG_WARN, "tls_expiring", LOG_TEXT("file", w->settings->cert),
            LOG_TEXT("subject", facts.subject),
            LOG_NUMBER("days", (double)(facts.not_after_s - now_s) / 86400.0));
        w->warned_ns = now_ns;
    }
    if (facts.next_update_s != 0 && facts.next_update_s <= now_s) {
        LOG(LOG_ERROR, "tls_list_expired", LOG_TEXT("file", w->settings->client_crl),
            LOG_TEXT("effect", "no client gets in until there is a new one"));
        w->warned_ns = now_ns;
    }
}

static void note_good(tls_watch *w, tls_load_result result)
{
    tls_facts facts;
    bool healed;

    w->failing_ns = 0;
    pthread_mutex_lock(&w->lock);
    healed = !w->state.ok;
    w->state.ok = true;
    if (result == TLS_TAKEN) w->state.loads++;
    pthread_mutex_unlock(&w->lock);
    if (healed) LOG(LOG_INFO, "tls_healed", LOG_TEXT("file", w->settings->cert));
    if (result != TLS_TAKEN) return;
    w->warned_ns = 0;
    tls_read_facts(w->tls, &facts);
    LOG(LOG_INFO, "tls_taken", LOG_TEXT("subject", facts.subject),
        LOG_NUMBER("not_after_s", facts.not_after_s));
}

/* Tells a fault once, after it has lasted. */
static void note_fault(tls_watch *w, const char *message)
{
    const int64_t now_ns = clock_steady_ns();
    bool news;

    if (w->failing_ns == 0) w->failing_ns = now_ns;
    if (now_ns - w->failing_ns < TOLD_AFTER_NS) return;
    pthread_mutex_lock(&w->lock);
    news = w->state.ok || strcmp(w->state.fault, message) != 0;
    if (news) w->state.refusals++;
    w->state.ok = false;
    snprintf(w->state.fault, sizeof(w->state.fault), "%s", message);
    pthread_mutex_unlock(&w->lock);
    if (news)
        LOG(LOG_ERROR, "tls_refused", LOG_TEXT("message", message),
            LOG_TEXT("effect", "the certificates taken before stay in use"));
}

static void look(tls_watch *w)
{
    char message[TLS_MESSAGE_MAX];
    bool settled;
    const bool asked = atomic_exchange(&w->asked, false);
    const uint64_t print = tls_files_print(w->settings, &settled);

    if (asked || !w->looked || print != w->print || w->failing_ns != 0) {
        const tls_load_result result = tls_load(w->tls, message);

        if (result == TLS_REFUSED)
            note_fault(w, message);
        else
            note_good(w, result);
    }
    w->print = print;
    w->looked = settled;
    warn_of_end(w);
}

static void *watch_main(void *argument)
{
    tls_watch *w = argument;
    struct pollfd wake = {.fd = w->wake_fd, .events = POLLIN};
    eventfd_t woken;

    while (!atomic_load(&w->stop)) {
        look(w);
        if (poll(&wake, 1, w->failing_ns != 0 ? LOOK_AGAIN_MS : LOOK_MS) > 0)
            eventfd_read(w->wake_fd, &woken);
    }
    return NULL;
}

tls_watch *tls_watch_new(tls *t, const settings_tls *s)
{
    tls_watch *w = calloc(1, sizeof(*w));

    if (w == NULL) return NULL;
    *w = (tls_watch){.tls = t, .settings = s, .state = {.ok = true}};
    pthread_mutex_init(&w->lock, NULL);
    w->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (w->wake_fd >= 0 && pthread_create(&w->thread, NULL, watch_main, w) == 0) return w;
    if (w->wake_fd >= 0) close(w->wake_fd);
    pthread_mutex_destroy(&w->lock);
    free(w);
    return NULL;
}

void tls_watch_ask(tls_watch *w)
{
    atomic_store(&w->asked, true);
    eventfd_write(w->wake_fd, 1);
}

void tls_watch_free(tls_watch *w)
{
    if (w == NULL) return;
    atomic_store(&w->stop, true);
    eventfd_write(w->wake_fd, 1);
    pthread_join(w->thread, NULL);
    close(w->wake_fd);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

void tls_watch_read_state(tls_watch *w, tls_watch_state *out)
{
    pthread_mutex_lock(&w->lock);
    *out = w->state;
    pthread_mutex_unlock(&w->lock);
}
