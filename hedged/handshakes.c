/* SPDX-License-Identifier: MIT
 * handshakes: how often each address may begin one. */
#include "handshakes.h"

#include "log.h"
#include "rate.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct handshake {
    handshakes *all;
    in_addr_t peer;
    handshake *next, **at; /* behind the lock */
};

struct handshakes {
    long per_s;
    rate *begun; /* NULL: any rate */
    rate *told;
    pthread_mutex_t lock;
    handshake *open;
    atomic_ullong refused;
};

handshakes *handshakes_new(long per_s)
{
    handshakes *h = calloc(1, sizeof(*h));

    if (h == NULL) return NULL;
    h->per_s = per_s;
    pthread_mutex_init(&h->lock, NULL);
    if (per_s > 0) h->begun = rate_new(per_s);
    h->told = rate_new(1);
    if ((h->begun != NULL || per_s == 0) && h->told != NULL) return h;
    handshakes_free(h);
    return NULL;
}

void handshakes_free(handshakes *h)
{
    if (h == NULL) return;
    rate_free(h->begun);
    rate_free(h->told);
    pthread_mutex_destroy(&h->lock);
    free(h);
}

/* As many as the server has threads at the most, and asked of those that are within the rate. */
static bool has_room(handshakes *h, in_addr_t peer, uint32_t most)
{
    uint32_t n = 0;

    pthread_mutex_lock(&h->lock);
    for (const handshake *one = h->open; one != NULL; one = one->next)
        n += one->peer == peer;
    pthread_mutex_unlock(&h->lock);
    return n < most;
}

bool handshakes_take(handshakes *h, struct in_addr peer, uint32_t open_most, int64_t now_ns)
{
    char name[INET_ADDRSTRLEN] = "";

    inet_ntop(AF_INET, &peer, name, sizeof(name));
    if ((h->begun == NULL || rate_take(h->begun, name, now_ns) == 0) &&
        (open_most == 0 || has_room(h, peer.s_addr, open_most)))
        return true;
    atomic_fetch_add(&h->refused, 1);
    if (rate_take(h->told, name, now_ns) == 0)
        LOG(LOG_WARN, "tls_handshakes_limited", LOG_TEXT("peer", name),
            LOG_NUMBER("per_s", h->per_s));
    return false;
}

handshake *handshakes_begin(handshakes *h, struct in_addr peer)
{
    handshake *one = malloc(sizeof(*one));

    if (one == NULL) return NULL;
    pthread_mutex_lock(&h->lock);
    *one = (handshake){.all = h, .peer = peer.s_addr, .next = h->open, .at = &h->open};
    if (one->next != NULL) one->next->at = &one->next;
    h->open = one;
    pthread_mutex_unlock(&h->lock);
    return one;
}

void handshake_end(handshake *one)
{
    handshakes *all = one != NULL ? one->all : NULL;

    if (all == NULL) return;
    pthread_mutex_lock(&all->lock);
    *one->at = one->next;
    if (one->next != NULL) one->next->at = one->at;
    pthread_mutex_unlock(&all->lock);
    free(one);
}

uint64_t handshakes_refused(handshakes *h)
{
    return atomic_load(&h->refused);
}
