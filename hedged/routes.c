/* SPDX-License-Identifier: MIT
 * routes: what is served, and which scope it takes. */
#include "app.h"

const http_route routes[] = {
    {.method = "POST",
     .path = "/hedge",
     .scope = AUTH_SIZE,
     .body = true,
     .keyed = true,
     .handle = route_hedge},
    {.method = "POST",
     .path = "/hedge/batch",
     .scope = AUTH_SIZE,
     .body = true,
     .handle = route_hedge_batch},
    {.method = "PUT",
     .path = "/quotes/{asset}",
     .scope = AUTH_QUOTE,
     .body = true,
     .handle = route_put_quote},
    {.method = "GET", .path = "/quotes", .scope = AUTH_READ, .handle = route_quotes},
    {.method = "GET", .path = "/curve", .scope = AUTH_READ, .handle = route_curve},
    {.method = "POST", .path = "/curve/reload", .scope = AUTH_ADMIN, .handle = route_reload},
    {.method = "POST",
     .path = "/halt",
     .allow = "GET, POST",
     .scope = AUTH_HALT,
     .body = true,
     .handle = route_halt},
    {.method = "POST", .path = "/resume", .scope = AUTH_HALT, .body = true, .handle = route_resume},
    {.method = "GET",
     .path = "/halt",
     .allow = "GET, POST",
     .scope = AUTH_READ,
     .handle = route_halts},
    {.method = "GET", .path = "/decisions", .scope = AUTH_READ, .handle = route_decisions},
    {.method = "GET", .path = "/policies/{hash}", .scope = AUTH_READ, .handle = route_policy},
    {.method = "GET", .path = "/healthz", .always = true, .handle = route_healthz},
    {.method = "GET", .path = "/readyz", .handle = route_readyz},
    {.method = "GET", .path = "/metrics", .scope = AUTH_READ, .handle = route_metrics},
    {.method = "GET", .path = "/openapi.json", .always = true, .handle = route_openapi},
};

const size_t routes_count = sizeof(routes) / sizeof(routes[0]);
_Static_assert(sizeof(routes) / sizeof(routes[0]) < METRICS_ROUTES_MAX,
               "a row of metrics for each route, and one more");
