/* SPDX-License-Identifier: MIT
 * http_check: what the headers of a request may be. False: problem, and the
 * connection closes, because nobody can say where the next request begins. */
#ifndef HEDGED_HTTP_CHECK_H
#define HEDGED_HTTP_CHECK_H

#include "http.h"

#include <stddef.h>

struct mg_connection;

/* own: the only host, beside loopback's names, that may be asked for; NULL: any. */
bool http_check_host(const struct mg_connection *connection, const char *own, problem *p);
bool http_check_origin(const struct mg_connection *connection, problem *p);
/* Finds the Idempotency-Key of a route that takes one. */
bool http_check_key(const struct mg_connection *connection, const http_route *route,
                    http_request *request, problem *p);
/* How long the body is. */
bool http_check_length(const struct mg_connection *connection, const http_route *route, size_t *out,
                       problem *p);
bool http_check_expect(const struct mg_connection *connection, problem *p);
/* The one Authorization header; NULL: none. */
bool http_check_authorization(const struct mg_connection *connection, const char **out, problem *p);

#endif
