/* SPDX-License-Identifier: MIT
 * rate: how often each caller may ask (the generic cell rate algorithm). */
#include "rate.h"

#include "auth.h"
#include "clock.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define WAYS 8
#define ROWS (RATE_CALLERS / WAYS)

typedef struct bucket {
    char caller[AUTH_NAME_MAX + 1];
    int64_t full_ns; /* when it is full again; past: free for anybody */
} bucket;

typedef struct row {
    pthread_mutex_t lock;
    bucket ways[WAYS];
    bucket shared; /* of those who find no place */
} row;

struct rate {
    int64_t interval_ns; /* that one request costs */
    uint64_t secret;     /* nobody can say beforehand whose rows are the same */
    row rows[ROWS];
};

rate *rate_new(long per_s)
{
    rate *r = calloc(1, sizeof(*r));

    if (r == NULL) return NULL;
    r->interval_ns = NS_PER_S / per_s;
    if (getrandom(&r->secret, sizeof(r->secret), GRND_NONBLOCK) != (ssize_t)sizeof(r->secret))
        r->secret = (uint64_t)clock_wall_ns(); /* early at boot, or where it is forbidden */
    for (int i = 0; i < ROWS; i++)
        pthread_mutex_init(&r->rows[i].lock, NULL);
    return r;
}

void rate_free(rate *r)
{
    for (int i = 0; r != NULL && i < ROWS; i++)
        pthread_mutex_destroy(&r->rows[i].lock);
    free(r);
}

static row *row_of(rate *r, const char *caller)
{
    uint64_t hash = r->secret;

    for (const char *c = caller; *c != '\0'; c++) {
        hash = (hash ^ (uint8_t)*c) * 0x9e3779b97f4a7c15u;
        hash ^= hash >> 29;
    }
    return &r->rows[(hash >> 32) % ROWS];
}

static bucket *find(row *w, const char *caller, int64_t now_ns)
{
    bucket *free_one = NULL;

    for (int i = 0; i < WAYS; i++) {
        if (strcmp(w->ways[i].caller, caller) == 0) return &w->ways[i];
        if (w->ways[i].full_ns <= now_ns) free_one = &w->ways[i];
    }
    if (free_one == NULL) return &w->shared;
    snprintf(free_one->caller, sizeof(free_one->caller), "%s", caller);
    free_one->full_ns = now_ns;
    return free_one;
}

int64_t rate_take(rate *r, const char *caller, int64_t now_ns)
{
    row *w = row_of(r, caller);
    int64_t full_ns, wait_ns;
    bucket *b;

    pthread_mutex_lock(&w->lock);
    b = find(w, caller, now_ns);
    full_ns = (b->full_ns > now_ns ? b->full_ns : now_ns) + r->interval_ns;
    wait_ns = full_ns - now_ns - NS_PER_S;
    if (wait_ns <= 0) b->full_ns = full_ns;
    pthread_mutex_unlock(&w->lock);
    return wait_ns > 0 ? wait_ns : 0;
}
