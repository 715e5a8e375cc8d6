/* SPDX-License-Identifier: MIT
 * http: the server, and the shape of what passes through it.
 *
 * civetweb parses the protocol and owns the threads; everything is answered in
 * begin_request, so none of its file, CGI, form or directory code is reached. */
#include "http.h"

#include "clock.h"
#include "http_accept.h"
#include "http_check.h"
#include "http_options.h"
#include "http_receive.h"
#include "http_send.h"
#include "http_wire.h"
#include "log.h"
#include "tls.h"

#include <civetweb.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SMALL_BODY 4096          /* read onto the stack */
#define STACK_BYTES (512 * 1024) /* of a connection's thread */
#define HEAVY_MOST 4             /* heavy routes at work at once, on any machine */
#define HEAVY_WAIT_S 2           /* for one's turn */
#define HELD_MOST (64 << 20)     /* bytes of answers that are being sent; then no heavy ones */
#define HELD_MOST_PER_PEER (HELD_MOST / 4)
#define BODIES_MOST (64 << 20) /* bytes of large bodies at once; then no more of them */

struct http_server {
    struct mg_context *context;
    char host[64];
    uint16_t port;
    atomic_bool stopping, stopped, crippled;
    bool loopback_only;
    uint32_t most_per_peer; /* connections; 0: any */
    const http_service *service;
    tls *tls; /* NULL: plain HTTP */
    connections *connections;
    sem_t heavy;          /* turns of the heavy routes */
    atomic_size_t held;   /* bytes of large answers, until they are sent */
    atomic_size_t bodies; /* bytes of large bodies, until they are answered */
    pthread_t starter;
    bool started;    /* of the starter alone, as is */
    char error[160]; /* what civetweb says while it starts */
};

/* ---- receiving ---------------------------------------------------------------- */

/* How long it may take is the connection's deadline: civetweb's is for one read. */
static bool read_body(struct mg_connection *connection, char *out, size_t n, problem *p)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    connection_slot *link = mg_get_user_connection_data(connection);
    size_t at = 0;

    connection_enter(link, CONNECTION_BODY);
    if (mg_get_header(connection, "Expect") != NULL) mg_write(connection, go_on, strlen(go_on));
    while (at < n) {
        int got;

        http_receive_body(true);
        got = mg_read(connection, out + at, n - at);
        http_receive_body(false);
        if (got <= 0 && connection_is_over(link))
            return problem_set(p, 408, "request_timeout", NULL, "the body took too long");
        if (got <= 0) return problem_set(p, 400, "bad_request", NULL, "the body ended early");
        at += (size_t)got;
    }
    out[n] = '\0';
    connection_enter(link, CONNECTION_WORK);
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
            reply->allow = NULL; /* another route of this path had set it */
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

/* Whether more of large answers may be sent: of all, and of one address, so that nobody who does
 * not read shuts the others out. */
static bool may_hold(http_server *server, connection_slot *link)
{
    return atomic_load(&server->held) < HELD_MOST &&
           connection_peer_holds(link) < HELD_MOST_PER_PEER;
}

static void hold(http_server *server, connection_slot *link, http_reply *reply)
{
    if (reply->body.n <= HTTP_SEND_SMALL) return;
    reply->held = reply->body.n;
    atomic_fetch_add(&server->held, reply->held);
    connection_hold(link, reply->held);
}

static void release(http_server *server, connection_slot *link, http_reply *reply)
{
    if (reply->held == 0) return;
    connection_hold(link, 0);
    atomic_fetch_sub(&server->held, reply->held);
}

/* Waits for one's turn; sem_post ends it. False: problem. */
static bool begin_heavy(http_server *server, connection_slot *link, problem *p)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += HEAVY_WAIT_S;
    if (may_hold(server, link) && sem_clockwait(&server->heavy, CLOCK_MONOTONIC, &until) == 0) {
        if (may_hold(server, link)) return true; /* others have had their turn meanwhile */
        sem_post(&server->heavy);
    }
    problem_set(p, 503, "overloaded", NULL, "too many ask for large answers at once");
    p->retry_after_s = 1;
    return false;
}

/* Reads the body and runs the handler. False: problem. */
static bool handle_body(struct mg_connection *connection, http_server *server, size_t route,
                        http_request *request, http_reply *reply, problem *p)
{
    const http_route *to = &server->service->routes[route];
    connection_slot *link = mg_get_user_connection_data(connection);

    if (!read_body(connection, request->body, request->body_size, p)) return false;
    if (to->heavy && !begin_heavy(server, link, p)) return false;
    to->handle(server->service->context, request, reply);
    hold(server, link, reply);
    if (to->heavy) sem_post(&server->heavy);
    return true;
}

/* The same with a body that takes memory: there is only so much for all of them,
 * whoever sends them and however slowly. */
static bool handle_large(struct mg_connection *connection, http_server *server, size_t route,
                         http_request *request, http_reply *reply, problem *p)
{
    const size_t n = request->body_size + 1;
    bool ok = false;

    if (atomic_fetch_add(&server->bodies, n) + n <= BODIES_MOST) {
        request->body = malloc(n);
        if (request->body != NULL)
            ok = handle_body(connection, server, route, request, reply, p);
        else
            problem_set(p, 503, "out_of_memory", NULL, "no memory for the body");
        free(request->body);
    } else {
        problem_set(p, 503, "overloaded", NULL, "too many send large bodies at once");
        p->retry_after_s = 1;
    }
    atomic_fetch_sub(&server->bodies, n);
    return ok;
}

static bool handle(struct mg_connection *connection, http_server *server, size_t route,
                   http_request *request, http_reply *reply, problem *p)
{
    char small[SMALL_BODY + 1];

    if (request->body_size > SMALL_BODY)
        return handle_large(connection, server, route, request, reply, p);
    request->body = small;
    return handle_body(connection, server, route, request, reply, p);
}

/* A parameter that means nothing must not look as if it did: `POST /resume?asset=BTC` would resume
 * everything. */
static bool check_query(const http_route *route, const http_request *request, problem *p)
{
    static const char *const none[] = {NULL};

    return route->query || http_query_known(request, none, p);
}

static bool check_open(const http_service *service, const http_route *route, problem *p)
{
    if (route->always || service->open(service->context)) return true;
    problem_set(p, 503, "stopping", NULL, "the daemon is starting or stopping");
    p->retry_after_s = 1;
    return false;
}

/* Whether there is room for it at all. */
static bool check_room(struct mg_connection *connection, problem *p)
{
    switch (connection_admit(mg_get_user_connection_data(connection))) {
    case CONNECTION_WELCOME:
        return true;
    case CONNECTION_CROWDED:
        problem_set(p, 429, "too_many_connections", NULL,
                    "your address has as many connections as one may have");
        break;
    case CONNECTION_OVERLOADED:
        problem_set(p, 503, "overloaded", NULL, "there are as many connections as there may be");
        break;
    }
    p->retry_after_s = 1;
    return false;
}

static bool authorize(const struct mg_connection *connection, const http_service *service,
                      const http_route *route, http_request *request, problem *p)
{
    const char *authorization;

    if (!http_check_authorization(connection, &authorization, p)) return false;
    if (service->authorize != NULL)
        return service->authorize(service->context, route, authorization, request, p);
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
    http_server *server = info->user_data;
    const http_service *service = server->service;
    http_request request = {.query = info->query_string, .peer = info->remote_addr};
    http_reply reply = {.status = 200, .content_type = "application/json"};
    const char *own = server->loopback_only ? server->host : NULL;
    size_t route = service->route_count;
    bool close, ok;
    problem p;

    connection_enter(mg_get_user_connection_data(connection), CONNECTION_WORK);
    ok = check_room(connection, &p) && check_peer(server, info, &p) && http_wire_check(info, &p) &&
         http_check_host(connection, own, &p) && http_check_origin(connection, &p) &&
         find_route(service, info, &request, &reply, &route, &p) &&
         check_open(service, &service->routes[route], &p) &&
         authorize(connection, service, &service->routes[route], &request, &p) &&
         check_query(&service->routes[route], &request, &p) &&
         http_check_key(connection, &service->routes[route], &request, &p) &&
         http_check_length(connection, &service->routes[route], &request.body_size, &p) &&
         http_check_expect(connection, &p) &&
         handle(connection, server, route, &request, &reply, &p);
    if (!ok) http_reply_problem(&reply, &p);
    /* The body was not read, or not to its end; or what was taken for one made no
     * sense, and nobody can say whether it was one: civetweb takes blank lines in
     * front of a request for its head, and then the head for the body. */
    close = !ok || (reply.status == 400 && request.body_size > 0) || http_send_closes(connection) ||
            connection_is_over(mg_get_user_connection_data(connection));
    service->served(service->context, route, reply.status, clock_steady_ns() - begin_ns);
    http_send(connection, &reply, close);
    release(server, mg_get_user_connection_data(connection), &reply);
    text_free(&reply.body);
    return reply.status;
}

/* What civetweb refuses by itself, before begin_request: as a problem, too.
 * The connection has no request then that could be relied on. It says 411 where
 * a Content-Length is no number. Its message is not repeated: it may quote what
 * it could not read, and who asks has shown no token yet. */
static int http_error(struct mg_connection *connection, int status, const char *message)
{
    const http_server *server = mg_get_user_data(mg_get_context(connection));
    connection_slot *link = mg_get_user_connection_data(connection);
    http_reply reply = {0};
    problem p;

    if (link != NULL && !check_room(connection, &p))
        ;
    else if (connection_is_over(link))
        problem_set(&p, 408, "request_timeout", NULL, "the request took too long");
    else
        problem_set(&p, status == 411 || status == 505 ? 400 : status, "bad_request", NULL,
                    "the request is malformed");
    (void)message;
    http_reply_problem(&reply, &p);
    server->service->served(server->service->context, server->service->route_count, p.status, 0);
    http_send(connection, &reply, true);
    text_free(&reply.body);
    return 0;
}

/* ---- who is connected --------------------------------------------------------- */

/* Before the handshake. (What knocks while it stops is the daemon itself.) */
static bool is_welcome(void *context, struct in_addr peer)
{
    http_server *server = context;

    return atomic_load(&server->stopping) || tls_welcomes(server->tls, peer, server->most_per_peer);
}

static void *thread_began(const struct mg_context *context, int type)
{
    http_server *server = mg_get_user_data(context);

    if (type == 1) http_receive_begin(); /* a worker; 0 is the one that accepts */
    if (type == 0 && server->tls != NULL) http_accept_ask(is_welcome, server);
    return NULL;
}

static void found(void *context, int fd)
{
    connection_found(context, fd);
}

static int opened(const struct mg_connection *connection, void **data)
{
    http_server *server = mg_get_user_data(mg_get_context(connection));

    *data = connections_open(server->connections);
    http_receive_from(found, *data);
    return 0;
}

/* Also for a TLS handshake that failed, which was never opened: NULL then. */
static void closed(const struct mg_connection *connection)
{
    http_receive_from(NULL, NULL);
    connection_close(mg_get_user_connection_data(connection));
}

/* ---- life --------------------------------------------------------------------- */

/* civetweb asks when it starts, and once more before it would free it: it is ours. */
static int give_context(void **context, void *user_data)
{
    *context = tls_context(((http_server *)user_data)->tls);
    return 1;
}

/* A worker that gets no buffer ends, but civetweb goes on giving it connections, which nobody then
 * answers. This message is all that shows it. Every thread has SIGTERM blocked, and main waits. */
static void note_crippled(http_server *server, const char *message)
{
    if (strstr(message, "Cannot allocate buffer for worker") == NULL) return;
    atomic_store(&server->crippled, true);
    kill(getpid(), SIGTERM);
}

static int log_message(const struct mg_connection *connection, const char *message)
{
    const struct mg_context *context = mg_get_context(connection);
    http_server *server = context != NULL ? mg_get_user_data(context) : NULL;

    if (server != NULL) note_crippled(server, message);
    /* Others run already while it starts; the message is for the starter, and the
     * first says why. */
    if (server != NULL && pthread_equal(pthread_self(), server->starter) && !server->started) {
        if (server->error[0] == '\0')
            snprintf(server->error, sizeof(server->error), "%.150s", message);
        return 1;
    }
    if (server == NULL || !atomic_load(&server->stopping)) /* or it is a knock, see below */
        LOG(LOG_WARN, "http", LOG_TEXT("message", message));
    return 1;
}

/* A thread is made for each connection there may be. They need little stack, and
 * what is reserved counts where memory is limited by address space. */
static struct mg_context *start_threads(http_server *server, const char **options)
{
    const struct mg_callbacks callbacks = {.begin_request = begin_request,
                                           .http_error = http_error,
                                           .log_message = log_message,
                                           .init_thread = thread_began,
                                           .init_connection = opened,
                                           .connection_close = closed,
                                           .external_ssl_ctx = give_context};
    pthread_attr_t usual, small;
    struct mg_context *context;

    pthread_getattr_default_np(&usual);
    pthread_getattr_default_np(&small);
    pthread_attr_setstacksize(&small, STACK_BYTES);
    pthread_setattr_default_np(&small);
    context = mg_start(&callbacks, server, options);
    pthread_setattr_default_np(&usual);
    pthread_attr_destroy(&small);
    pthread_attr_destroy(&usual);
    return context;
}

static struct mg_context *start_server(http_server *server, const char *address,
                                       const connections_limits *limits)
{
    char threads[16], idle[16], wait[16], head[16];
    const char *options[] = {
        "listening_ports", address, "num_threads", threads,
        /* While all threads are taken, new ones wait in the kernel. */
        "listen_backlog", "4096", "enable_keep_alive", "yes", "keep_alive_timeout_ms", idle,
        /* For one read or write, and the handshake of TLS; the deadlines of
         * connections.h come first. */
        "request_timeout_ms", wait, "tcp_nodelay", "1", "decode_url", "no", "max_request_size",
        head, "enable_directory_listing", "no", "enable_auth_domain_check",
        "no", /* http_wire looks at a target's host */
        /* civetweb's own, but it would read a default that could not be copied. */
        "connection_queue", "20", "access_control_allow_origin", "", NULL};
    struct mg_context *context;
    const int32_t longest = limits->head_ms > limits->body_ms ? limits->head_ms : limits->body_ms;

    snprintf(threads, sizeof(threads), "%u", limits->most + CONNECTIONS_RESERVE);
    snprintf(idle, sizeof(idle), "%d", limits->idle_ms + 1000);
    snprintf(wait, sizeof(wait), "%d", longest + 1000);
    snprintf(head, sizeof(head), "%d", HTTP_HEAD_MAX);
    context = http_options_reserve() ? start_threads(server, options) : NULL;
    if (context == NULL || http_options_taken(context, options)) return context;
    mg_stop(context);
    snprintf(server->error, sizeof(server->error), "out of memory");
    return NULL;
}

/* How many heavy routes may be at work: half of the processors are left to those
 * who want decisions. */
static unsigned heavy_turns(void)
{
    const long half = sysconf(_SC_NPROCESSORS_ONLN) / 2;

    return half < 1 ? 1 : half > HEAVY_MOST ? HEAVY_MOST : (unsigned)half;
}

/* NULL: message. */
static http_server *new_server(const http_options *o, const http_service *service,
                               const connections_limits *limits, char message[200])
{
    http_server *server = calloc(1, sizeof(*server));

    if (server != NULL) server->connections = connections_new(limits);
    if (server == NULL || server->connections == NULL) {
        free(server);
        snprintf(message, 200, "out of memory or threads");
        return NULL;
    }
    sem_init(&server->heavy, 0, heavy_turns());
    server->starter = pthread_self();
    server->service = service;
    server->loopback_only = o->loopback_only;
    server->most_per_peer = limits->most_per_peer;
    server->tls = o->tls;
    snprintf(server->host, sizeof(server->host), "%s", o->host);
    return server;
}

/* Why there is no server. */
static void explain_start(const http_server *server, const char *address, char message[200])
{
    if (strstr(server->error, strerror(EADDRINUSE)) != NULL)
        snprintf(message, 200, "cannot listen on %.80s: it is in use by another process", address);
    else
        snprintf(message, 200, "cannot listen on %.80s: %.100s", address,
                 server->error[0] != '\0' ? server->error : "the address is not ours");
}

http_server *http_start(const http_options *o, const http_service *service, uint16_t *port_out,
                        char message[200])
{
    connections_limits limits = o->limits;
    struct mg_server_port bound = {0};
    http_server *server;
    char address[96];

    if (!connections_fit(&limits)) {
        snprintf(message, 200, "RLIMIT_NOFILE is too low for %d connections; raise it",
                 CONNECTIONS_LEAST);
        return NULL;
    }
    if (limits.most < o->limits.most)
        LOG(LOG_WARN, "fewer_connections", LOG_TEXT("because", "RLIMIT_NOFILE"),
            LOG_NUMBER("asked", o->limits.most), LOG_NUMBER("most", limits.most));
    server = new_server(o, service, &limits, message);
    if (server == NULL) return NULL;
    snprintf(address, sizeof(address), "%s:%u%s", o->host, o->port, o->tls != NULL ? "s" : "");
    mg_init_library(0);
    server->context = start_server(server, address, &limits);
    if (server->context == NULL) {
        explain_start(server, address, message);
        connections_free(server->connections);
        free(server);
        return NULL;
    }
    *port_out =
        mg_get_server_ports(server->context, 1, &bound) == 1 ? (uint16_t)bound.port : o->port;
    server->port = *port_out;
    server->started = true;
    return server;
}

void http_read_state(http_server *server, connections_state *out)
{
    connections_read_state(server->connections, out);
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

bool http_is_crippled(const http_server *server)
{
    return atomic_load(&server->crippled);
}

void http_stop(http_server *server)
{
    pthread_t knocker;
    bool knocking;

    if (server == NULL) return;
    atomic_store(&server->stopping, true);
    knocking = pthread_create(&knocker, NULL, knock, server) == 0;
    mg_stop(server->context);
    atomic_store(&server->stopped, true);
    if (knocking) pthread_join(knocker, NULL);
    mg_exit_library();
    connections_free(server->connections);
    free(server);
}
