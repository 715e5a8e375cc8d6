/* SPDX-License-Identifier: MIT
 * key_ring: the keys of now, kept in step with their file. */
#ifndef HEDGED_KEY_RING_H
#define HEDGED_KEY_RING_H

#include "jwks.h"
#include "token_cache.h"

#include <stdatomic.h>

typedef struct key_ring key_ring;

/* One set of keys while it is in use, and what was verified with it. */
typedef struct key_set {
    jwks *keys;
    token_cache *verified;
    atomic_int users; /* the ring's own business */
} key_set;

typedef struct key_ring_state {
    bool ok; /* the file says what is in use */
    size_t keys;
    uint64_t loads, refusals;
    char message[JWKS_MESSAGE_MAX]; /* where !ok: file, member and fault */
} key_ring_state;

/* Reads the keys and watches their file (a JWKS; the path must outlive the
 * ring). NULL: message. */
key_ring *key_ring_new(const char *path, char message[JWKS_MESSAGE_MAX]);
void key_ring_free(key_ring *r);

/* The keys of this moment, to be released. Any thread. */
key_set *key_ring_acquire(key_ring *r);
void key_ring_release(key_set *set);

/* Has the watching thread look at the file now. Returns at once. */
void key_ring_ask(key_ring *r);
void key_ring_read_state(key_ring *r, key_ring_state *out);

#endif
