/* SPDX-License-Identifier: MIT
 * postgres_link: one connection to a PostgreSQL server, never waited for without an end.
 *
 * Every wait also looks at stop_fd. A link belongs to one thread. */
#ifndef HEDGED_POSTGRES_LINK_H
#define HEDGED_POSTGRES_LINK_H

#include "text.h"

#include <libpq-fe.h>

#define POSTGRES_FAULT_MAX 340           /* a journal's message fits too */
#define POSTGRES_LINK_STATEMENT_MS 10000 /* the server ends a statement that takes longer */

typedef struct postgres_link {
    PGconn *connection;
    int stop_fd;           /* becomes readable when the daemon stops */
    int stop_grace_ms;     /* how long waits may still take then */
    int64_t stop_until_ns; /* steady clock; 0: not told to stop yet */
    bool timed_out;        /* it is broken because an answer did not come in time */
    char sqlstate[6];      /* of the last refusal, "" where the server gave none */
    char fault[POSTGRES_FAULT_MAX];
} postgres_link;

typedef enum postgres_answer {
    POSTGRES_OK,
    POSTGRES_REFUSED, /* by the server: sqlstate, fault; its transaction is undone */
    POSTGRES_BROKEN /* fault; nothing more can be asked, and what was under way may have happened */
} postgres_answer;

/* Connects within 10 seconds. dsn: a conninfo string or URI. POSTGRES_REFUSED: the server, or what
 * answers there, does not want us. Not POSTGRES_OK: nothing stays open. */
postgres_answer postgres_link_open(postgres_link *link, const char *dsn, int stop_fd);
void postgres_link_close(postgres_link *link);

/* The daemon has been told to stop; and what waits may still take then is used up. */
bool postgres_link_stopping(postgres_link *link);
bool postgres_link_is_over(postgres_link *link);

/* Runs statements in one transaction. *last (may be NULL): the last one's result, to be cleared by
 * the caller; NULL unless POSTGRES_OK. */
postgres_answer postgres_link_query(postgres_link *link, const char *sql, PGresult **last);
/* Runs one statement with parameters in text. */
postgres_answer postgres_link_query_with(postgres_link *link, const char *sql, int n,
                                         const char *const *values, PGresult **last);

/* Runs statements in one transaction, of which the first `n` are COPY ... FROM STDIN: each gets its
 * stream. *rows: how many they took together. */
postgres_answer postgres_link_copy(postgres_link *link, const char *sql, const text *streams,
                                   size_t n, uint64_t *rows);

/* Waits until `fd` is readable, the server says something, the daemon stops or the time is up.
 * False: the connection is broken. */
bool postgres_link_idle(postgres_link *link, int fd, int timeout_ms);

#endif
