/* SPDX-License-Identifier: MIT
 * connections: who is connected, what each is about, and until when.
 *
 * The server has a thread for each connection, so one that is slow or silent
 * takes a thread away from others. Each part of a request has a deadline here;
 * one thread watches them all, and ends by itself what is over its own. */
#ifndef HEDGED_CONNECTIONS_H
#define HEDGED_CONNECTIONS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONNECTIONS_RESERVE 16 /* over the most there may be: they are told so */
#define CONNECTIONS_LEAST 64   /* with fewer than these, a daemon does not start */

typedef struct connections_limits {
    uint32_t most;          /* at once */
    uint32_t most_per_peer; /* of one address; 0: any */
    int32_t head_ms;        /* a request's head, from the first connect */
    int32_t body_ms;        /* its body, from the end of the head */
    int32_t answer_ms;      /* until the answer is taken */
    int32_t idle_ms;        /* from an answer to the end of the next head */
} connections_limits;

/* What a connection is about. */
typedef enum connection_phase {
    CONNECTION_HEAD,
    CONNECTION_BODY,
    CONNECTION_WORK, /* the daemon's own time: no deadline */
    CONNECTION_ANSWER,
    CONNECTION_IDLE
} connection_phase;

/* Why it is not served. */
typedef enum connection_refusal {
    CONNECTION_WELCOME,
    CONNECTION_OVERLOADED, /* there are too many of all */
    CONNECTION_CROWDED     /* there are too many of its peer */
} connection_refusal;

typedef struct connections_state {
    uint32_t live, most;
    uint64_t timed_out, overloaded, crowded, evicted; /* since the start */
} connections_state;

typedef struct connection_slot connection_slot;
typedef struct connections connections;

/* Lowers limits->most to what descriptors can be had for; raises the soft limit
 * for that as far as the hard one lets it. False: fewer than CONNECTIONS_LEAST. */
bool connections_fit(connections_limits *limits);

/* NULL: no memory or no thread. */
connections *connections_new(const connections_limits *limits);
/* Stops watching. All must be closed. Takes NULL. */
void connections_free(connections *all);
void connections_read_state(connections *all, connections_state *out);

/* A new connection. NULL: no slot is left. All functions below take NULL, for one
 * without a slot. */
connection_slot *connections_open(connections *all);
/* Its descriptor, which says who it is; before it is told, it is not ended. */
void connection_found(connection_slot *c, int fd);
/* To be called before its descriptor is closed: not later, since the watch may
 * be about to end it, and the number would be another's. */
void connection_close(connection_slot *c);

/* Whether it may be served; to be asked at each request. */
connection_refusal connection_admit(connection_slot *c);

/* The bytes of a large answer that it takes until they are sent; 0: no more. Any thread. */
void connection_hold(connection_slot *c, size_t bytes);
/* Those of all connections of its address, where their number is limited; else 0. Any thread. */
size_t connection_peer_holds(connection_slot *c);

/* The phase begins now. By the connection's own thread alone. */
void connection_enter(connection_slot *c, connection_phase phase);
/* True once a deadline has passed: nothing more can be read from it. */
bool connection_is_over(const connection_slot *c);
/* Drops it with what was not sent: closing it would keep that for the peer. */
void connection_reset(connection_slot *c);

#endif
