/* SPDX-License-Identifier: MIT
 * http_check: what the headers of a request may be. */
#include "http_check.h"

#include <civetweb.h>
#include <stdio.h>
#include <string.h>

static int count_headers(const struct mg_connection *connection, const char *name)
{
    const struct mg_request_info *info = mg_get_request_info(connection);
    int n = 0;

    for (int i = 0; i < info->num_headers; i++)
        n += mg_strcasecmp(info->http_headers[i].name, name) == 0;
    return n;
}

/* RFC 9112, 3.2: one Host, but in HTTP/1.0. */
bool http_check_host(const struct mg_connection *connection, problem *p)
{
    const struct mg_request_info *info = mg_get_request_info(connection);
    const int hosts = count_headers(connection, "Host");
    const bool old = info->http_version != NULL && strcmp(info->http_version, "1.0") == 0;

    return hosts == 1 || (old && hosts == 0) ||
           problem_set(p, 400, "bad_request", NULL, "a request has one Host header");
}

/* What a header asks for and a route does not do would be believed to be done. */
bool http_check_key(const struct mg_connection *connection, const http_route *route,
                    http_request *request, problem *p)
{
    static const char name[] = "Idempotency-Key";

    request->idempotency_key = mg_get_header(connection, name);
    if (request->idempotency_key == NULL) return true;
    if (!route->keyed)
        return problem_set(p, 400, "bad_header", name, "%s %s takes no such header", route->method,
                           route->path);
    return count_headers(connection, name) == 1 ||
           problem_set(p, 400, "bad_header", name, "the header is there twice");
}

/* A page of another origin can make a browser post here; a program sends no
 * Origin. */
bool http_check_origin(const struct mg_connection *connection, problem *p)
{
    const char *origin = mg_get_header(connection, "Origin");
    const char *host = mg_get_header(connection, "Host");
    const char *at = origin != NULL ? strstr(origin, "://") : NULL;

    return origin == NULL || (at != NULL && host != NULL && strcmp(at + 3, host) == 0) ||
           problem_set(p, 403, "cross_origin", NULL, "pages of another origin may not ask this");
}

bool http_check_length(const struct mg_connection *connection, bool wanted, size_t *out, problem *p)
{
    const struct mg_request_info *info = mg_get_request_info(connection);
    const int lengths = count_headers(connection, "Content-Length");
    const char *length = mg_get_header(connection, "Content-Length");

    if (count_headers(connection, "Transfer-Encoding") > 0)
        return problem_set(p, 411, "length_required", NULL,
                           "send the body with a Content-Length, not a Transfer-Encoding");
    if (lengths > 1) return problem_set(p, 400, "bad_request", NULL, "two Content-Length headers");
    if (length != NULL && (length[0] == '\0' || length[strspn(length, "0123456789")] != '\0'))
        return problem_set(p, 400, "bad_request", NULL, "Content-Length must be a whole number");
    if (lengths == 0 && wanted)
        return problem_set(p, 411, "length_required", NULL, "a Content-Length is missing");
    if (info->content_length > HTTP_BODY_MAX)
        return problem_set(p, 413, "too_large", NULL, "a body may have %d bytes at most",
                           HTTP_BODY_MAX);
    *out = lengths > 0 && info->content_length > 0 ? (size_t)info->content_length : 0;
    return true;
}

bool http_check_authorization(const struct mg_connection *connection, const char **out, problem *p)
{
    *out = mg_get_header(connection, "Authorization");
    return count_headers(connection, "Authorization") <= 1 ||
           problem_set(p, 400, "bad_header", "Authorization", "the header is there twice");
}
