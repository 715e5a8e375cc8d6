/* SPDX-License-Identifier: MIT
 * http: the server, and the shape of what passes through it.
 *
 * civetweb parses the protocol and owns the threads; everything is answered in
 * begin_request, so none of its file, CGI, form or directory code is reached. */
#include "http.h"

#include "clock.h"
#include "http_check.h"
#include "log.h"
#include "tls.h"

#include <civetweb.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REQUEST_MS 2000
#define SMALL_BODY 4096  /* read onto the stack */
#define SMALL_REPLY 8192 /* sent from the stack */

struct http_server {
    struct mg_context *context;
    char host[64];
    uint16_t port;
    atomic_bool stopped;
    const http_service *service;
    tls *tls;        /* NULL: plain HTTP */
    char error[160]; /* what civetweb says while it starts */
};

void http_reply_problem(http_reply *reply, const problem *p)
{
    reply->status = p->status;
    reply->content_type = "application/problem+json";
    reply->retry_after_s = p->retry_after_s;
    reply->authenticate = p->authenticate;
    reply->body.n = 0;
    problem_write(p, &reply->body);
}

/* ---- sending ------------------------------------------------------------------ */

static bool wants_close(const struct mg_connection *connection)
{
    const struct mg_request_info *info = mg_get_request_info(connection);
    const char *header = mg_get_header(connection, "Connection");

    if (header != NULL && strcasestr(header, "close") != NULL) return true;
    if (header != NULL && strcasestr(header, "keep-alive") != NULL) return false;
    return info->http_version == NULL || strcmp(info->http_version, "1.1") != 0;
}

static int write_head(char *out, size_t capacity, const http_reply *reply, bool close)
{
    char more[320] = "";
    size_t n = 0;

    if (reply->allow != NULL)
        n += (size_t)snprintf(more, sizeof(more), "Allow: %s\r\n", reply->allow);
    if (reply->retry_after_s > 0)
        n += (size_t)snprintf(more + n, sizeof(more) - n, "Retry-After: %d\r\n",
                              reply->retry_after_s);
    if (reply->authenticate != NULL)
        n += (size_t)snprintf(more + n, sizeof(more) - n, "WWW-Authenticate: %s\r\n",
                              reply->authenticate);
    if (reply->replayed) snprintf(more + n, sizeof(more) - n, "Idempotency-Replayed: true\r\n");
    return snprintf(out, capacity,
                    "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
                    "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
                    "Connection: %s\r\n%s\r\n",
                    reply->status, mg_get_response_code_text(NULL, reply->status),
                    reply->content_type, reply->body.n, close ? "close" : "keep-alive", more);
}

/* Head and body in one write: two would be two packets. */
static void send_reply(struct mg_connection *connection, http_reply *reply, bool close)
{
    const char *method = mg_get_request_info(connection)->request_method; /* NULL: unreadable */
    const bool bodiless = method != NULL && strcmp(method, "HEAD") == 0;
    char small[SMALL_REPLY];
    size_t body;
    int head;

    if (reply->body.failed) { /* no memory for a body: say so without one */
        text_free(&reply->body);
        reply->status = 503;
        close = true;
    }
    if (close) mg_disable_connection_keep_alive(connection);
    head = write_head(small, sizeof(small), reply, close);
    if (head < 0 || (size_t)head >= sizeof(small)) return;
    body = bodiless ? 0 : reply->body.n;
    if ((size_t)head + body <= sizeof(small)) {
        if (body > 0) memcpy(small + head, reply->body.bytes, body);
        mg_write(connection, small, (size_t)head + body);
    } else if (mg_write(connection, small, (size_t)head) > 0) {
        mg_write(connection, reply->body.bytes, body);
    }
}

/* ---- receiving ---------------------------------------------------------------- */

/* civetweb's timeout is for one read; this one is for the whole body, so that
 * a byte now and then does not hold a thread for ever. */
static bool read_body(struct mg_connection *connection, char *out, size_t n, problem *p)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    const int64_t until_ns = clock_steady_ns() + REQUEST_MS * NS_PER_MS;
    const char *expect = mg_get_header(connection, "Expect");
    size_t at = 0;

    if (expect != NULL && mg_strcasecmp(expect, "100-continue") == 0)
        mg_write(connection, go_on, strlen(go_on));
    while (at < n) {
        const int got = mg_read(connection, out + at, n - at);

        if (got <= 0) return problem_set(p, 400, "bad_request", NULL, "the body ended early");
        at += (size_t)got;
        if (at < n && clock_steady_ns() > until_ns)
            return problem_set(p, 408, "request_timeout", NULL, "the body took over %d ms",
                               REQUEST_MS);
    }
    out[n] = '\0';
    return true;
}

/* Compares a path with a route's; what stands for `{…}` goes into name. */
static bool matches(const char *route, const char *path, char name[HTTP_NAME_MAX])
{
    const char *brace = strchr(route, '{');
    const size_t prefix = brace != NULL ? (size_t)(brace - route) : 0;

    if (brace == NULL) return strcmp(route, path) == 0;
    if (strncmp(route, path, prefix) != 0 || path[prefix] == '\0') return false;
    if (strchr(path + prefix, '/') != NULL) return false;
    const int n = mg_url_decode(path + prefix, (int)strlen(path + prefix), name, HTTP_NAME_MAX, 0);
    /* A decoded NUL would end the name early and let it pass for another. */
    return n >= 0 && strlen(name) == (size_t)n;
}

/* The route of a request. False, and the problem is 404 or 405. */
static bool find_route(const http_service *service, const struct mg_request_info *info,
                       http_request *request, http_reply *reply, size_t *route, problem *p)
{
    const char *path = info->local_uri_raw != NULL ? info->local_uri_raw : info->local_uri;

    for (size_t i = 0; i < service->route_count; i++) {
        if (!matches(service->routes[i].path, path, request->name)) continue;
        if (strcmp(service->routes[i].method, info->request_method) == 0) {
            *route = i;
            return true;
        }
        reply->allow = service->routes[i].allow;
        if (reply->allow == NULL) reply->allow = service->routes[i].method;
    }
    if (reply->allow != NULL)
        return problem_set(p, 405, "method_not_allowed", NULL, "%s is for %s only", path,
                           reply->allow);
    return problem_set(p, 404, "not_found", NULL, "no such path; docs/http.md lists them");
}

/* Reads the body and runs the handler. False: problem. */
static bool handle(struct mg_connection *connection, const http_service *service, size_t route,
                   http_request *request, http_reply *reply, problem *p)
{
    char small[SMALL_BODY + 1];
    char *large = NULL;

    request->body = small;
    if (request->body_size > SMALL_BODY) request->body = large = malloc(request->body_size + 1);
    if (request->body == NULL)
        return problem_set(p, 503, "out_of_memory", NULL, "no memory for the body");
    if (!read_body(connection, request->body, request->body_size, p)) {
        free(large);
        return false;
    }
    service->routes[route].handle(service->context, request, reply);
    free(large);
    return true;
}

static bool check_open(const http_service *service, const http_route *route, problem *p)
{
    if (route->always || service->open(service->context)) return true;
    problem_set(p, 503, "stopping", NULL, "the daemon is starting or stopping");
    p->retry_after_s = 1;
    return false;
}

static bool authorize(const struct mg_connection *connection, const http_service *service,
                      const http_route *route, http_request *request, problem *p)
{
    const char *authorization;

    if (!http_check_authorization(connection, &authorization, p)) return false;
    if (service->authorize != NULL)
        return service->authorize(service->context, route, authorization, &request->caller, p);
    request->caller.scopes = AUTH_ALL;
    return true;
}

/* Before all else: a client that may not ask learns nothing. */
static bool check_peer(const http_server *server, const struct mg_request_info *info, problem *p)
{
    return server->tls == NULL ||
           tls_allows(server->tls, info->client_cert != NULL ? info->client_cert->peer_cert : NULL,
                      p);
}

static int begin_request(struct mg_connection *connection)
{
    const int64_t begin_ns = clock_steady_ns();
    const struct mg_request_info *info = mg_get_request_info(connection);
    const http_server *server = info->user_data;
    const http_service *service = server->service;
    http_request request = {.query = info->query_string};
    http_reply reply = {.status = 200, .content_type = "application/json"};
    size_t route = service->route_count;
    bool close = wants_close(connection), ok;
    problem p;

    ok = check_peer(server, info, &p) && http_check_host(connection, &p) &&
         http_check_origin(connection, &p) &&
         find_route(service, info, &request, &reply, &route, &p) &&
         check_open(service, &service->routes[route], &p) &&
         authorize(connection, service, &service->routes[route], &request, &p) &&
         http_check_key(connection, &service->routes[route], &request, &p) &&
         http_check_length(connection, service->routes[route].body, &request.body_size, &p) &&
         handle(connection, service, route, &request, &reply, &p);
    if (!ok) {
        /* The body was not read, or not to its end. */
        close = true;
        http_reply_problem(&reply, &p);
    }
    service->served(service->context, route, reply.status, clock_steady_ns() - begin_ns);
    send_reply(connection, &reply, close);
    text_free(&reply.body);
    return reply.status;
}

static const char *code_of(int status)
{
    switch (status) {
    case 408:
        return "request_timeout";
    case 411:
        return "length_required";
    case 413:
        return "too_large";
    default:
        return "bad_request";
    }
}

/* What civetweb refuses by itself, before begin_request: as a problem, too.
 * The connection has no request then that could be relied on. */
static int http_error(struct mg_connection *connection, int status, const char *message)
{
    http_reply reply = {0};
    problem p;

    problem_set(&p, status, code_of(status), NULL, "the request is malformed or too slow (%s)",
                message != NULL ? message : "no more is known");
    http_reply_problem(&reply, &p);
    send_reply(connection, &reply, true);
    text_free(&reply.body);
    return 0;
}

/* ---- life --------------------------------------------------------------------- */

/* civetweb asks when it starts, and once more before it would free it: it is ours. */
static int give_context(void **context, void *user_data)
{
    *context = tls_context(((http_server *)user_data)->tls);
    return 1;
}

static int log_message(const struct mg_connection *connection, const char *message)
{
    const struct mg_context *context = mg_get_context(connection);
    http_server *server = context != NULL ? mg_get_user_data(context) : NULL;

    if (server != NULL && server->context == NULL)
        snprintf(server->error, sizeof(server->error), "%.150s", message);
    else
        LOG(LOG_WARN, "http", LOG_TEXT("message", message));
    return 1;
}

http_server *http_start(const http_options *o, const http_service *service, uint16_t *port_out,
                        char message[200])
{
    const struct mg_callbacks callbacks = {.begin_request = begin_request,
                                           .http_error = http_error,
                                           .log_message = log_message,
                                           .external_ssl_ctx = give_context};
    struct mg_server_port bound = {0};
    char address[96];
    /* A connection occupies a thread for as long as it lives, idle or not. */
    const char *options[] = {"listening_ports",
                             address,
                             "num_threads",
                             "512",
                             "enable_keep_alive",
                             "yes",
                             "keep_alive_timeout_ms",
                             "15000",
                             "request_timeout_ms",
                             "2000",
                             "tcp_nodelay",
                             "1",
                             "decode_url",
                             "no",
                             "max_request_size",
                             "16384",
                             "enable_directory_listing",
                             "no",
                             "access_control_allow_origin",
                             "",
                             NULL};
    http_server *server = calloc(1, sizeof(*server));

    if (server == NULL) {
        snprintf(message, 200, "out of memory");
        return NULL;
    }
    server->service = service;
    server->tls = o->tls;
    snprintf(address, sizeof(address), "%s:%u%s", o->host, o->port, o->tls != NULL ? "s" : "");
    mg_init_library(0);
    server->context = mg_start(&callbacks, server, options);
    if (server->context == NULL) {
        snprintf(message, 200, "cannot listen on %.80s: %.100s", address,
                 server->error[0] != '\0' ? server->error : "the address is in use or not ours");
        free(server);
        return NULL;
    }
    *port_out =
        mg_get_server_ports(server->context, 1, &bound) == 1 ? (uint16_t)bound.port : o->port;
    snprintf(server->host, sizeof(server->host), "%s", o->host);
    server->port = *port_out;
    return server;
}

/* civetweb looks at its stop flag only when a connection comes or 2 seconds
 * have passed, so connections are made until it has stopped. */
static void *knock(void *argument)
{
    http_server *server = argument;
    const struct timespec pause = {.tv_nsec = 10 * NS_PER_MS};

    while (!atomic_load(&server->stopped)) {
        char error[64];
        struct mg_connection *c =
            mg_connect_client(server->host, server->port, 0, error, sizeof(error));

        if (c != NULL) mg_close_connection(c);
        nanosleep(&pause, NULL);
    }
    return NULL;
}

void http_stop(http_server *server)
{
    pthread_t knocker;
    bool knocking;

    if (server == NULL) return;
    knocking = pthread_create(&knocker, NULL, knock, server) == 0;
    mg_stop(server->context);
    atomic_store(&server->stopped, true);
    if (knocking) pthread_join(knocker, NULL);
    mg_exit_library();
    free(server);
}
