/* SPDX-License-Identifier: MIT
 * connections: who is connected, what each is about, and until when.
 *
 * A descriptor is used under the lock alone, which connection_close takes before
 * the descriptor is closed: it is still the connection's own. */
#include "connections.h"

#include "clock.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>

#define TICK_MS 50
#define GRACE_MS 100              /* for one that is refused to say what it wants, and be told */
#define PATIENCE_MS 500           /* from the end of reading to the end of all */
#define IDLE_LEAST_MS 1000        /* one that was busy just now is not closed for others' sake */
#define DESCRIPTORS_OWN 128       /* journal, feeds, shipping, listening, the server's queue */
#define BUFFER_BYTES (128 * 1024) /* of answers, that the kernel keeps for one */
#define NEVER (UINT64_MAX >> 3)

struct connection_slot {
    connections *all;
    /* Phase in the lowest three bits, deadline in steady nanoseconds above. */
    _Atomic uint64_t state;
    atomic_bool over;
    _Atomic connection_refusal refusal;
    /* Behind the lock. */
    bool taken; /* the slot is in use */
    int fd;     /* -1: not known yet */
    connection_slot *next_free;
    bool counted; /* against its peer's limit */
    in_addr_t peer;
    size_t held;     /* bytes of its answer, until it is sent */
    int64_t over_ns; /* when reading was ended; 0: not */
};

struct connections {
    connections_limits limits;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t thread;
    bool stopping;
    uint32_t slots, live;
    connection_slot *slot, *free;
    connection_slot **due; /* scratch of the watch */
    _Atomic uint64_t timed_out, overloaded, crowded, evicted;
};

/* ---- the state of one --------------------------------------------------------- */

static uint64_t state_of(connection_phase phase, int64_t deadline_ns)
{
    return (uint64_t)deadline_ns << 3 | (uint64_t)phase;
}

static connection_phase phase_of(uint64_t state)
{
    return (connection_phase)(state & 7);
}

static int64_t deadline_of(uint64_t state)
{
    return (int64_t)(state >> 3);
}

static int32_t allowed_ms(const connections_limits *limits, connection_phase phase)
{
    switch (phase) {
    case CONNECTION_HEAD:
        return limits->head_ms;
    case CONNECTION_BODY:
        return limits->body_ms;
    case CONNECTION_ANSWER:
        return limits->answer_ms;
    case CONNECTION_IDLE:
        return limits->idle_ms;
    case CONNECTION_WORK:
        break;
    }
    return 0;
}

void connection_enter(connection_slot *c, connection_phase phase)
{
    int64_t deadline_ns = (int64_t)NEVER;

    if (c == NULL) return;
    if (phase != CONNECTION_WORK)
        deadline_ns = clock_steady_ns() + allowed_ms(&c->all->limits, phase) * NS_PER_MS;
    atomic_store_explicit(&c->state, state_of(phase, deadline_ns), memory_order_release);
}

bool connection_is_over(const connection_slot *c)
{
    return c != NULL && atomic_load(&c->over);
}

/* ---- coming and going --------------------------------------------------------- */

/* Reading ends first: what was on its way is still answered, if only with a
 * 408. What then still stands, or does not take its answer, is dropped. */
static void end_one(connection_slot *c, int64_t now_ns)
{
    const struct linger drop = {.l_onoff = 1};
    const bool first = c->over_ns == 0;

    if (first) c->over_ns = now_ns;
    atomic_store(&c->over, true);
    if (first && phase_of(atomic_load(&c->state)) != CONNECTION_ANSWER) {
        shutdown(c->fd, SHUT_RD);
        return;
    }
    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &drop, sizeof(drop));
    shutdown(c->fd, SHUT_RDWR);
}

static uint32_t count_of_peer(const connections *all, in_addr_t peer)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < all->slots; i++)
        n += all->slot[i].taken && all->slot[i].counted && all->slot[i].peer == peer;
    return n;
}

/* With more than these, threads are scarce. */
static uint32_t plenty_of(const connections *all)
{
    return all->limits.most - all->limits.most / 8;
}

/* Whether its peer has too many. The lock is held. */
static void recognize(connection_slot *c, in_addr_t peer)
{
    connections *all = c->all;

    if (all->limits.most_per_peer == 0 || atomic_load(&c->refusal) != CONNECTION_WELCOME) return;
    c->peer = peer;
    c->counted = count_of_peer(all, peer) < all->limits.most_per_peer;
    if (c->counted) return;
    atomic_store(&c->refusal, CONNECTION_CROWDED);
    atomic_fetch_add(&all->crowded, 1);
}

void connection_found(connection_slot *c, int fd)
{
    static const int buffer = BUFFER_BYTES;
    struct sockaddr_in peer = {0};
    socklen_t n = sizeof(peer);
    bool known;

    if (c == NULL) return;
    /* It would else grow to megabytes, for one that does not read. */
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer));
    known = getpeername(fd, (struct sockaddr *)&peer, &n) == 0 && peer.sin_family == AF_INET;
    pthread_mutex_lock(&c->all->lock);
    c->fd = fd;
    if (known) recognize(c, peer.sin_addr.s_addr); /* else it is gone already */
    /* The watch would do it a moment later, when others may have been refused. */
    if (atomic_load(&c->refusal) == CONNECTION_CROWDED && c->all->live > plenty_of(c->all))
        end_one(c, clock_steady_ns());
    pthread_mutex_unlock(&c->all->lock);
}

connection_slot *connections_open(connections *all)
{
    int64_t deadline_ns = clock_steady_ns() + all->limits.head_ms * NS_PER_MS;
    connection_slot *c;

    pthread_mutex_lock(&all->lock);
    c = all->free;
    if (c != NULL) {
        all->free = c->next_free;
        all->live++;
        c->taken = true;
        c->fd = -1;
        c->counted = false;
        c->held = 0;
        c->over_ns = 0;
        atomic_store(&c->over, false);
        atomic_store(&c->refusal,
                     all->live > all->limits.most ? CONNECTION_OVERLOADED : CONNECTION_WELCOME);
        if (all->live > all->limits.most) {
            deadline_ns = clock_steady_ns() + GRACE_MS * NS_PER_MS;
            atomic_fetch_add(&all->overloaded, 1);
        }
        atomic_store(&c->state, state_of(CONNECTION_HEAD, deadline_ns));
    }
    pthread_mutex_unlock(&all->lock);
    return c;
}

void connection_close(connection_slot *c)
{
    connections *all;

    if (c == NULL) return;
    all = c->all;
    pthread_mutex_lock(&all->lock);
    c->taken = false;
    c->next_free = all->free;
    all->free = c;
    all->live--;
    pthread_mutex_unlock(&all->lock);
}

connection_refusal connection_admit(connection_slot *c)
{
    return c != NULL ? atomic_load(&c->refusal) : CONNECTION_OVERLOADED;
}

void connection_hold(connection_slot *c, size_t bytes)
{
    if (c == NULL) return;
    pthread_mutex_lock(&c->all->lock);
    c->held = bytes;
    pthread_mutex_unlock(&c->all->lock);
}

size_t connection_peer_holds(connection_slot *c)
{
    size_t held = 0;

    if (c == NULL) return 0;
    pthread_mutex_lock(&c->all->lock);
    for (uint32_t i = 0; c->counted && i < c->all->slots; i++) {
        const connection_slot *other = &c->all->slot[i];

        if (other->taken && other->counted && other->peer == c->peer) held += other->held;
    }
    pthread_mutex_unlock(&c->all->lock);
    return held;
}

/* ---- ending ------------------------------------------------------------------- */

void connection_reset(connection_slot *c)
{
    if (c == NULL) return;
    pthread_mutex_lock(&c->all->lock);
    if (c->over_ns == 0) c->over_ns = 1; /* not the first time: all of it ends */
    if (c->fd >= 0) end_one(c, c->over_ns);
    pthread_mutex_unlock(&c->all->lock);
}

/* ---- the watch ---------------------------------------------------------------- */

static bool is_due(const connection_slot *c, int64_t now_ns)
{
    const uint64_t state = atomic_load_explicit(&c->state, memory_order_acquire);
    const connection_phase phase = phase_of(state);

    if (phase == CONNECTION_WORK) return false;
    if (c->over_ns != 0)
        return now_ns - c->over_ns > PATIENCE_MS * NS_PER_MS &&
               (phase != CONNECTION_ANSWER || deadline_of(state) < now_ns);
    if (deadline_of(state) < now_ns) return true;
    /* Too many of one peer: over as soon as that is known, unless it is being told. */
    return atomic_load(&c->refusal) == CONNECTION_CROWDED && phase == CONNECTION_HEAD;
}

static int64_t idle_until(const connection_slot *c)
{
    const uint64_t state = atomic_load(&c->state);

    return !atomic_load(&c->over) && phase_of(state) == CONNECTION_IDLE ? deadline_of(state)
                                                                        : INT64_MAX;
}

/* Adds the longest idle to those that are due, when threads become scarce. */
static uint32_t evict(connections *all, uint32_t n, int64_t now_ns)
{
    const uint32_t plenty = plenty_of(all);
    const bool hurry = all->live > all->limits.most - all->limits.most / 16;
    const int64_t least_ms = hurry ? 0 : IDLE_LEAST_MS;
    const int64_t newest =
        now_ns + (all->limits.idle_ms - least_ms) * NS_PER_MS; /* the deadline it would have */

    for (uint32_t live = all->live - n; live > plenty; live--) {
        connection_slot *oldest = NULL;

        for (uint32_t i = 0; i < all->slots; i++) {
            connection_slot *c = &all->slot[i];

            if (!c->taken || c->fd < 0 || idle_until(c) > newest) continue;
            if (idle_until(c) < now_ns) continue; /* due already */
            if (oldest == NULL || idle_until(c) < idle_until(oldest)) oldest = c;
        }
        if (oldest == NULL) break;
        atomic_store(&oldest->over, true); /* so that it is not found again */
        all->due[n++] = oldest;
        atomic_fetch_add(&all->evicted, 1);
    }
    return n;
}

/* Looks at all of them once. */
static void look(connections *all, int64_t now_ns)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < all->slots; i++) {
        connection_slot *c = &all->slot[i];

        if (!c->taken || c->fd < 0 || !is_due(c, now_ns)) continue;
        if (c->over_ns == 0 && phase_of(atomic_load(&c->state)) != CONNECTION_IDLE &&
            atomic_load(&c->refusal) == CONNECTION_WELCOME)
            atomic_fetch_add(&all->timed_out, 1);
        all->due[n++] = c;
    }
    n = evict(all, n, now_ns);
    for (uint32_t i = 0; i < n; i++)
        end_one(all->due[i], now_ns);
}

static void *watch(void *argument)
{
    connections *all = argument;

    pthread_mutex_lock(&all->lock);
    while (!all->stopping) {
        int64_t until_ns = clock_steady_ns() + TICK_MS * NS_PER_MS;
        const struct timespec until = {.tv_sec = until_ns / NS_PER_S,
                                       .tv_nsec = until_ns % NS_PER_S};

        pthread_cond_timedwait(&all->wake, &all->lock, &until);
        if (all->live > 0) look(all, clock_steady_ns());
    }
    pthread_mutex_unlock(&all->lock);
    return NULL;
}

/* ---- life --------------------------------------------------------------------- */

bool connections_fit(connections_limits *limits)
{
    const rlim_t wanted = limits->most + CONNECTIONS_RESERVE + DESCRIPTORS_OWN;
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted) return true;
    limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted) return true;
    if (limit.rlim_cur < CONNECTIONS_LEAST + CONNECTIONS_RESERVE + DESCRIPTORS_OWN) return false;
    limits->most = (uint32_t)limit.rlim_cur - CONNECTIONS_RESERVE - DESCRIPTORS_OWN;
    return true;
}

static bool start_watch(connections *all)
{
    pthread_condattr_t steady;
    bool started;

    pthread_mutex_init(&all->lock, NULL);
    pthread_condattr_init(&steady);
    pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    pthread_cond_init(&all->wake, &steady);
    pthread_condattr_destroy(&steady);
    started = pthread_create(&all->thread, NULL, watch, all) == 0;
    if (started) return true;
    pthread_cond_destroy(&all->wake);
    pthread_mutex_destroy(&all->lock);
    return false;
}

connections *connections_new(const connections_limits *limits)
{
    connections *all = calloc(1, sizeof(*all));

    if (all == NULL) return NULL;
    all->limits = *limits;
    all->slots = limits->most + CONNECTIONS_RESERVE;
    all->slot = calloc(all->slots, sizeof(*all->slot));
    all->due = calloc(all->slots, sizeof(connection_slot *));
    for (uint32_t i = 0; all->slot != NULL && i < all->slots; i++) {
        all->slot[i].all = all;
        all->slot[i].next_free = all->free;
        all->free = &all->slot[i];
    }
    if (all->slot != NULL && all->due != NULL && start_watch(all)) return all;
    free(all->due);
    free(all->slot);
    free(all);
    return NULL;
}

void connections_free(connections *all)
{
    if (all == NULL) return;
    pthread_mutex_lock(&all->lock);
    all->stopping = true;
    pthread_cond_signal(&all->wake);
    pthread_mutex_unlock(&all->lock);
    pthread_join(all->thread, NULL);
    pthread_cond_destroy(&all->wake);
    pthread_mutex_destroy(&all->lock);
    free(all->due);
    free(all->slot);
    free(all);
}

void connections_read_state(connections *all, connections_state *out)
{
    pthread_mutex_lock(&all->lock);
    *out = (connections_state){.live = all->live, .most = all->limits.most};
    pthread_mutex_unlock(&all->lock);
    out->timed_out = atomic_load(&all->timed_out);
    out->overloaded = atomic_load(&all->overloaded);
    out->crowded = atomic_load(&all->crowded);
    out->evicted = atomic_load(&all->evicted);
}
