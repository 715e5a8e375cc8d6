/* SPDX-License-Identifier: MIT
 * app: the parts of the daemon that a request may look at. */
#ifndef HEDGED_APP_H
#define HEDGED_APP_H

#include "feed_clickhouse.h"
#include "feed_redis.h"
#include "halt.h"
#include "http.h"
#include "idempotency.h"
#include "journal.h"
#include "live.h"
#include "metrics.h"
#include "policy_watch.h"
#include "settings.h"
#include "shadow.h"
#include "ship_postgres.h"
#include "tls_watch.h"

typedef struct app {
    const settings *settings;
    auth *auth; /* NULL: anybody may ask anything */
    live *live;
    journal *journal;
    halt *halt;
    policy_watch *watch;
    shadow *shadow;              /* NULL: none */
    feed_redis *redis;           /* NULL: off */
    feed_clickhouse *clickhouse; /* NULL: off */
    ship_postgres *ship;         /* NULL: off */
    tls *tls;                    /* NULL: plain HTTP; and with it: */
    tls_watch *tls_watch;
    idempotency idempotency;
    metrics metrics;
    int64_t started_ns; /* steady clock */
    bool recorded;      /* the journal says that this daemon started */
    atomic_bool open;   /* not while starting or stopping: requests are turned away */
} app;

/* What is served, and the handlers; their context is the app. */
extern const http_route routes[];
extern const size_t routes_count;

void route_hedge(void *context, const http_request *request, http_reply *reply);
void route_hedge_batch(void *context, const http_request *request, http_reply *reply);
void route_put_quote(void *context, const http_request *request, http_reply *reply);
void route_quotes(void *context, const http_request *request, http_reply *reply);
void route_curve(void *context, const http_request *request, http_reply *reply);
void route_reload(void *context, const http_request *request, http_reply *reply);
void route_decisions(void *context, const http_request *request, http_reply *reply);
void route_policy(void *context, const http_request *request, http_reply *reply);
void route_halt(void *context, const http_request *request, http_reply *reply);
void route_resume(void *context, const http_request *request, http_reply *reply);
void route_halts(void *context, const http_request *request, http_reply *reply);
void route_healthz(void *context, const http_request *request, http_reply *reply);
void route_readyz(void *context, const http_request *request, http_reply *reply);
void route_metrics(void *context, const http_request *request, http_reply *reply);
void route_openapi(void *context, const http_request *request, http_reply *reply);

#endif
