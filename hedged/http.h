/* SPDX-License-Identifier: MIT
 * http: the server, and the shape of what passes through it. */
#ifndef HEDGED_HTTP_H
#define HEDGED_HTTP_H

#include "auth.h"
#include "connections.h"
#include "problem.h"
#include "text.h"

#include <stdint.h>

#define HTTP_BODY_MAX (1024 * 1024)
#define HTTP_NAME_MAX 80

typedef struct http_request {
    const char *query; /* still encoded; NULL: none */
    char *body;        /* NUL behind it */
    size_t body_size;
    char name[HTTP_NAME_MAX];    /* what stood for `{…}` in the path, decoded */
    const char *idempotency_key; /* the header as it came; NULL: none */
    const char *peer;            /* the address it came from; of a proxy, where one is between */
    auth_caller caller;
} http_request;

typedef struct http_reply {
    int status;
    const char *content_type;
    const char *allow;        /* of a 405; NULL: none */
    int retry_after_s;        /* 0: none */
    const char *authenticate; /* WWW-Authenticate of a 401; NULL: none */
    bool replayed;            /* says that an earlier answer is given again */
    text body;
    size_t held; /* bytes that the server counts for it; 0: not a large one */
} http_reply;

/* Turns the reply into a problem. */
void http_reply_problem(http_reply *reply, const problem *p);

/* One route; `path` may end in one `{…}`. */
typedef struct http_route {
    const char *method, *path;
    const char *allow; /* every method of the path, where it has several; else NULL */
    bool body;         /* the request has one */
    bool keyed;        /* it may have an Idempotency-Key */
    bool query;        /* it takes parameters, which its handler checks; else any is refused */
    bool always;       /* served while starting and stopping, too: it touches nothing */
    bool heavy; /* long and large answers: few at once, so that others keep processor and memory */
    uint32_t scope; /* AUTH_…; 0: for anybody */
    bool optional;  /* without the scope one is told less, not refused; a token that is given is
                       good */
    void (*handle)(void *context, const http_request *request, http_reply *reply);
} http_route;

/* What the server calls back with. All but the handlers may be called at any time. */
typedef struct http_service {
    const http_route *routes;
    size_t route_count;
    void *context;
    /* After each reply; route_count for one that no route took. */
    void (*served)(void *context, size_t route, int status, int64_t duration_ns);
    /* Says who asks (request->caller) and whether they may, from the Authorization
     * header (NULL: there was none). False: problem. NULL: anybody may do anything. */
    bool (*authorize)(void *context, const http_route *route, const char *authorization,
                      http_request *request, problem *p);
    /* False: only what is served always; else answer 503 `stopping`. */
    bool (*open)(void *context);
} http_service;

typedef struct http_options {
    const char *host;
    uint16_t port;   /* 0: any free one */
    struct tls *tls; /* must outlive the server; NULL: plain HTTP */
    /* Nobody is asked for a token: a web page whose name was pointed here must
     * not be served either, so Host has to be a loopback name, or `host`. */
    bool loopback_only;
    connections_limits limits;
} http_options;

typedef struct http_server http_server;

/* True if it has asked the process to end (SIGTERM), because it had no memory to serve with. */
bool http_is_crippled(const http_server *server);

/* Serves, and says on which port. NULL: message. The service must outlive it. */
http_server *http_start(const http_options *options, const http_service *service,
                        uint16_t *port_out, char message[200]);
void http_read_state(http_server *server, connections_state *out);
/* Lets the requests under way finish. */
void http_stop(http_server *server);

/* A query parameter, decoded. 1: found, 0: absent, -1: too long or malformed. */
int http_query(const http_request *request, const char *name, char *out, size_t capacity);
/* A whole number in the query; *out stays as it is where it is absent. False:
 * problem. */
bool http_query_number(const http_request *request, const char *name, uint64_t least, uint64_t most,
                       uint64_t *out, problem *p);
/* True if the query has no parameters but these (ended by NULL), none twice. */
bool http_query_known(const http_request *request, const char *const *names, problem *p);

#endif
