/* SPDX-License-Identifier: MIT
 * key_ring: the keys of now, kept in step with their file.
 *
 * The file is small, so it is read again a few times a second and compared:
 * that sees a rename, a swapped link, an edit in place and a changed mode alike,
 * on every file system, and depends on no granularity of time stamps. */
#include "key_ring.h"

#include "log.h"

#include <errno.h>
#include <openssl/sha.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define LOOK_MS 250

/* What a look at the file saw, to tell it from the next. */
typedef struct sight {
    uint8_t bytes[SHA256_DIGEST_LENGTH];
    char message[JWKS_MESSAGE_MAX]; /* "": keys */
} sight;

struct key_ring {
    const char *path;
    pthread_mutex_t lock; /* around current and its first user, and state */
    key_set *current;
    key_ring_state state;
    sight taken, last; /* of the thread alone: what is in use, and the last look */
    int wake_fd;
    atomic_bool stop, asked;
    pthread_t thread;
};

static void set_free(key_set *set)
{
    if (set == NULL) return;
    jwks_free(set->keys);
    token_cache_free(set->verified);
    free(set);
}

/* Takes the keys over. NULL: no memory. */
static key_set *set_new(jwks *keys)
{
    key_set *set = calloc(1, sizeof(*set));

    if (set == NULL) {
        jwks_free(keys);
        return NULL;
    }
    set->keys = keys;
    set->verified = token_cache_new();
    atomic_init(&set->users, 1);
    if (set->verified != NULL) return set;
    set_free(set);
    return NULL;
}

key_set *key_ring_acquire(key_ring *r)
{
    key_set *set;

    pthread_mutex_lock(&r->lock);
    set = r->current;
    atomic_fetch_add_explicit(&set->users, 1, memory_order_relaxed);
    pthread_mutex_unlock(&r->lock);
    return set;
}

void key_ring_release(key_set *set)
{
    if (set != NULL && atomic_fetch_sub(&set->users, 1) == 1) set_free(set);
}

/* ---- looking -------------------------------------------------------------------- */

/* One look at the file: its keys, or NULL and why. */
static jwks *look(const key_ring *r, sight *seen)
{
    secret_file file;
    jwks *keys;

    *seen = (sight){0};
    keys = jwks_load(r->path, &file, seen->message);
    if (file.bytes != NULL) SHA256((const unsigned char *)file.bytes, file.n, seen->bytes);
    secret_file_unload(&file);
    return keys;
}

static bool is_same(const sight *a, const sight *b)
{
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0 && strcmp(a->message, b->message) == 0;
}

/* Makes the keys the ones in use; who holds the old ones finishes with them. */
static void publish(key_ring *r, key_set *next, const char *cause)
{
    key_set *before;

    pthread_mutex_lock(&r->lock);
    before = r->current;
    r->current = next;
    r->state.ok = true;
    r->state.keys = next->keys->n;
    r->state.loads++;
    pthread_mutex_unlock(&r->lock);
    key_ring_release(before);
    LOG(LOG_INFO, "jwt_keys_live", LOG_TEXT("cause", cause), LOG_TEXT("file", r->path),
        LOG_NUMBER("keys", next->keys->n));
}

static void refuse(key_ring *r, const char *message)
{
    pthread_mutex_lock(&r->lock);
    r->state.ok = false;
    r->state.refusals++;
    snprintf(r->state.message, sizeof(r->state.message), "%s", message);
    pthread_mutex_unlock(&r->lock);
    LOG(LOG_ERROR, "jwt_keys_refused", LOG_TEXT("message", message),
        LOG_TEXT("effect", "the old keys stay in use"));
}

static void heal(key_ring *r)
{
    bool healed;

    pthread_mutex_lock(&r->lock);
    healed = !r->state.ok;
    r->state.ok = true;
    pthread_mutex_unlock(&r->lock);
    if (healed) LOG(LOG_INFO, "jwt_keys_healed", LOG_TEXT("file", r->path));
}

/* Good keys are taken at once. A fault is told when a second look finds the
 * same, so that a file in the middle of being written is no fault. */
static void look_again(key_ring *r, const char *cause)
{
    sight seen;
    jwks *keys = look(r, &seen);
    const bool again = is_same(&seen, &r->last);
    key_set *next = NULL;
    bool told;

    r->last = seen;
    if (keys == NULL) {
        pthread_mutex_lock(&r->lock);
        told = !r->state.ok && strcmp(r->state.message, seen.message) == 0;
        pthread_mutex_unlock(&r->lock);
        if (again && !told) refuse(r, seen.message);
        return;
    }
    if (is_same(&seen, &r->taken)) {
        jwks_free(keys);
        heal(r);
        return;
    }
    next = set_new(keys);
    if (next == NULL) return; /* the next look tries again */
    r->taken = seen;
    publish(r, next, cause);
}

static void *watch_main(void *argument)
{
    key_ring *r = argument;
    struct pollfd wake = {.fd = r->wake_fd, .events = POLLIN};
    eventfd_t woken;

    while (!atomic_load(&r->stop)) {
        if (poll(&wake, 1, LOOK_MS) > 0) eventfd_read(r->wake_fd, &woken);
        if (atomic_load(&r->stop)) break;
        look_again(r, atomic_exchange(&r->asked, false) ? "signal" : "file");
    }
    return NULL;
}

/* ---- life ------------------------------------------------------------------------ */

static bool start(key_ring *r, char message[JWKS_MESSAGE_MAX])
{
    jwks *keys = look(r, &r->taken);

    if (keys == NULL) {
        snprintf(message, JWKS_MESSAGE_MAX, "%s", r->taken.message);
        return false;
    }
    r->last = r->taken;
    r->current = set_new(keys);
    if (r->current == NULL) {
        snprintf(message, JWKS_MESSAGE_MAX, "out of memory");
        return false;
    }
    r->state = (key_ring_state){.ok = true, .keys = keys->n, .loads = 1};
    r->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (r->wake_fd >= 0 && pthread_create(&r->thread, NULL, watch_main, r) == 0) return true;
    if (r->wake_fd >= 0) close(r->wake_fd);
    key_ring_release(r->current);
    snprintf(message, JWKS_MESSAGE_MAX, "no thread to watch it");
    return false;
}

key_ring *key_ring_new(const char *path, char message[JWKS_MESSAGE_MAX])
{
    key_ring *r = calloc(1, sizeof(*r));

    if (r == NULL) {
        snprintf(message, JWKS_MESSAGE_MAX, "out of memory");
        return NULL;
    }
    r->path = path;
    pthread_mutex_init(&r->lock, NULL);
    if (start(r, message)) return r;
    pthread_mutex_destroy(&r->lock);
    free(r);
    return NULL;
}

void key_ring_ask(key_ring *r)
{
    atomic_store(&r->asked, true);
    eventfd_write(r->wake_fd, 1);
}

void key_ring_read_state(key_ring *r, key_ring_state *out)
{
    pthread_mutex_lock(&r->lock);
    *out = r->state;
    pthread_mutex_unlock(&r->lock);
}

void key_ring_free(key_ring *r)
{
    if (r == NULL) return;
    atomic_store(&r->stop, true);
    eventfd_write(r->wake_fd, 1);
    pthread_join(r->thread, NULL);
    close(r->wake_fd);
    key_ring_release(r->current);
    pthread_mutex_destroy(&r->lock);
    free(r);
}
