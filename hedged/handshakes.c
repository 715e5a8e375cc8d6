/* SPDX-License-Identifier: MIT
 * handshakes: how often each address may begin one. */
#include "handshakes.h"

#include "log.h"
#include "rate.h"

#include <arpa/inet.h>
#include <stdatomic.h>
#include <stdlib.h>

struct handshakes {
    long per_s;
    rate *begun, *told;
    atomic_ullong refused;
};

handshakes *handshakes_new(long per_s)
{
    handshakes *h = calloc(1, sizeof(*h));

    if (h == NULL) return NULL;
    h->per_s = per_s;
    h->begun = rate_new(per_s);
    h->told = rate_new(1);
    if (h->begun != NULL && h->told != NULL) return h;
    handshakes_free(h);
    return NULL;
}

void handshakes_free(handshakes *h)
{
    if (h == NULL) return;
    rate_free(h->begun);
    rate_free(h->told);
    free(h);
}

bool handshakes_take(handshakes *h, struct in_addr peer, int64_t now_ns)
{
    char name[INET_ADDRSTRLEN] = "";

    inet_ntop(AF_INET, &peer, name, sizeof(name));
    if (rate_take(h->begun, name, now_ns) == 0) return true;
    atomic_fetch_add(&h->refused, 1);
    if (rate_take(h->told, name, now_ns) == 0)
        LOG(LOG_WARN, "tls_handshakes_limited", LOG_TEXT("peer", name),
            LOG_NUMBER("per_s", h->per_s));
    return false;
}

uint64_t handshakes_refused(handshakes *h)
{
    return atomic_load(&h->refused);
}
