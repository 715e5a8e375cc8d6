/* SPDX-License-Identifier: MIT
 * http_check: what the headers of a request may be. */
#include "http_check.h"

#include <arpa/inet.h>
#include <civetweb.h>
#include <stdlib.h>
#include <string.h>

static int count_headers(const struct mg_connection *connection, const char *name)
{
    const struct mg_request_info *info = mg_get_request_info(connection);
    int n = 0;

    for (int i = 0; i < info->num_headers; i++)
        n += mg_strcasecmp(info->http_headers[i].name, name) == 0;
    return n;
}

static bool is_old(const struct mg_connection *connection)
{
    return strcmp(mg_get_request_info(connection)->http_version, "1.0") == 0;
}

static bool is_port(const char *digits)
{
    const size_t n = strspn(digits, "0123456789");

    return n > 0 && n <= 5 && digits[n] == '\0' && atoi(digits) > 0 && atoi(digits) <= 65535;
}

/* host[:port] or [v6][:port]; *name is how long the host is, brackets and all. */
static bool read_host(const char *host, size_t *name)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";

    if (host[0] == '[') {
        *name = 1 + strspn(host + 1, "0123456789abcdefABCDEF:.");
        if (*name < 3 || host[*name] != ']') return false;
        (*name)++;
    } else {
        *name = strspn(host, letters);
        if (*name == 0 || *name > 255) return false;
    }
    return host[*name] == '\0' || (host[*name] == ':' && is_port(host + *name + 1));
}

static bool is_loopback(const char *host, size_t n)
{
    char name[64];
    struct in_addr address;

    if (n >= sizeof(name)) return false;
    memcpy(name, host, n);
    name[n] = '\0';
    if (mg_strcasecmp(name, "localhost") == 0 || strcmp(name, "[::1]") == 0) return true;
    return inet_pton(AF_INET, name, &address) == 1 && ntohl(address.s_addr) >> 24 == 127;
}

/* RFC 9112, 3.2: one Host, but in HTTP/1.0. */
bool http_check_host(const struct mg_connection *connection, const char *own, problem *p)
{
    const int hosts = count_headers(connection, "Host");
    const char *host = mg_get_header(connection, "Host");
    size_t n;

    if (hosts == 0 && is_old(connection)) return true;
    if (hosts != 1)
        return problem_set(p, 400, "bad_request", NULL, "a request has one Host header");
    if (!read_host(host, &n))
        return problem_set(p, 400, "bad_request", NULL, "Host must be a host, or host:port");
    if (own == NULL || is_loopback(host, n) ||
        (strlen(own) == n && mg_strncasecmp(own, host, n) == 0))
        return true;
    return problem_set(p, 403, "bad_host", NULL,
                       "without keys the daemon answers to a loopback name alone: a web page could "
                       "give it another");
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

/* A Transfer-Encoding is never read: nobody here needs one, and whoever reads
 * chunks and lengths can be told two different ends of one request. */
static bool check_encoding(const struct mg_connection *connection, problem *p)
{
    const int encodings = count_headers(connection, "Transfer-Encoding");
    const char *encoding = mg_get_header(connection, "Transfer-Encoding");

    if (encodings == 0) return true;
    if (encodings > 1 || count_headers(connection, "Content-Length") > 0 || is_old(connection) ||
        mg_strcasecmp(encoding, "chunked") != 0)
        return problem_set(p, 400, "bad_request", NULL,
                           "where the body ends cannot be said; send one Content-Length");
    return problem_set(p, 411, "length_required", NULL,
                       "send the body with a Content-Length, not a Transfer-Encoding");
}

bool http_check_length(const struct mg_connection *connection, const http_route *route, size_t *out,
                       problem *p)
{
    const struct mg_request_info *info = mg_get_request_info(connection);
    const int lengths = count_headers(connection, "Content-Length");
    const char *length = mg_get_header(connection, "Content-Length");

    if (!check_encoding(connection, p)) return false;
    if (lengths > 1) return problem_set(p, 400, "bad_request", NULL, "two Content-Length headers");
    if (length != NULL && (length[0] == '\0' || length[strspn(length, "0123456789")] != '\0'))
        return problem_set(p, 400, "bad_request", NULL, "Content-Length must be a whole number");
    if (lengths == 0 && route->body)
        return problem_set(p, 411, "length_required", NULL, "a Content-Length is missing");
    if (info->content_length > HTTP_BODY_MAX)
        return problem_set(p, 413, "too_large", NULL, "a body may have %d bytes at most",
                           HTTP_BODY_MAX);
    *out = lengths > 0 && info->content_length > 0 ? (size_t)info->content_length : 0;
    if (*out > 0 && !route->body)
        return problem_set(p, 400, "bad_request", NULL, "%s %s takes no body", route->method,
                           route->path);
    return true;
}

bool http_check_expect(const struct mg_connection *connection, problem *p)
{
    const int n = count_headers(connection, "Expect");

    return n == 0 ||
           (n == 1 && mg_strcasecmp(mg_get_header(connection, "Expect"), "100-continue") == 0) ||
           problem_set(p, 417, "bad_expectation", NULL, "only 100-continue can be expected");
}

bool http_check_authorization(const struct mg_connection *connection, const char **out, problem *p)
{
    *out = mg_get_header(connection, "Authorization");
    return count_headers(connection, "Authorization") <= 1 ||
           problem_set(p, 400, "bad_header", "Authorization", "the header is there twice");
}
