/* SPDX-License-Identifier: MIT
 * postgres_link: one connection to a PostgreSQL server, never waited for without an end. */
#include "postgres_link.h"

#include "clock.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_MS 10000
#define ANSWER_MS (POSTGRES_LINK_STATEMENT_MS + 2000) /* the server's own limit comes first */

/* ---- faults --------------------------------------------------------------------- */

/* The first line of a message, as UTF-8 whatever the server's language. */
static void keep_words(postgres_link *link, const char *words)
{
    size_t n;

    text_copy_utf8(link->fault, sizeof(link->fault), words);
    n = strcspn(link->fault, "\r\n");
    link->fault[n] = '\0';
}

static postgres_answer broken(postgres_link *link, const char *words)
{
    link->sqlstate[0] = '\0';
    keep_words(link, words);
    return POSTGRES_BROKEN;
}

static postgres_answer broken_connection(postgres_link *link)
{
    const char *words = PQerrorMessage(link->connection);

    return broken(link, words[0] != '\0' ? words : "the connection was closed");
}

/* libpq keeps the SQLSTATE of a failed connection to itself; told to be verbose, it writes it
 * between the severity and the message: `FATAL:  28P01: ...`. */
static postgres_answer refused_connection(postgres_link *link)
{
    const char *words = PQerrorMessage(link->connection);

    broken_connection(link);
    for (const char *at = strstr(words, ":  "); at != NULL; at = strstr(at + 1, ":  ")) {
        if (strspn(at + 3, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") != 5 || at[8] != ':') continue;
        snprintf(link->sqlstate, sizeof(link->sqlstate), "%.5s", at + 3);
        return POSTGRES_REFUSED;
    }
    return POSTGRES_BROKEN;
}

/* ---- waiting -------------------------------------------------------------------- */

static void note_stop(postgres_link *link)
{
    if (link->stop_until_ns == 0)
        link->stop_until_ns = clock_steady_ns() + link->stop_grace_ms * NS_PER_MS;
}

bool postgres_link_stopping(postgres_link *link)
{
    struct pollfd stop = {.fd = link->stop_fd, .events = POLLIN};

    if (link->stop_until_ns == 0 && poll(&stop, 1, 0) > 0) note_stop(link);
    return link->stop_until_ns != 0;
}

bool postgres_link_is_over(postgres_link *link)
{
    return postgres_link_stopping(link) && clock_steady_ns() >= link->stop_until_ns;
}

/* Waits for one of `fds`, of which the last is left free for stop_fd. False: the time is up, or
 * that of the stop. */
static bool wait_any(postgres_link *link, struct pollfd *fds, nfds_t n, int64_t until_ns)
{
    for (;;) {
        const bool told = link->stop_until_ns != 0;
        const int64_t end_ns =
            told && link->stop_until_ns < until_ns ? link->stop_until_ns : until_ns;
        const int64_t left_ns = end_ns - clock_steady_ns();
        int ready;

        fds[n - 1] = (struct pollfd){.fd = told ? -1 : link->stop_fd, .events = POLLIN};
        ready = poll(fds, n, left_ns > 0 ? (int)(left_ns / NS_PER_MS) + 1 : 0);
        if (ready > 0 && fds[n - 1].revents != 0) {
            note_stop(link);
            if (ready == 1) continue;
        }
        if (ready > 0) return true;
        if (left_ns <= 0) return false;
        if (ready < 0 && errno != EINTR) return false;
    }
}

static bool wait_socket(postgres_link *link, short events, int64_t until_ns)
{
    struct pollfd fds[2] = {{.fd = PQsocket(link->connection), .events = events}};

    if (wait_any(link, fds, 2, until_ns)) return true;
    link->timed_out = link->stop_until_ns == 0;
    broken(link, link->timed_out ? "no answer in time" : "stopping");
    return false;
}

bool postgres_link_idle(postgres_link *link, int fd, int timeout_ms)
{
    struct pollfd fds[3] = {{.fd = PQsocket(link->connection), .events = POLLIN},
                            {.fd = fd, .events = POLLIN},
                            {.fd = link->stop_fd, .events = POLLIN}};

    if (poll(fds, 3, timeout_ms) <= 0) return true;
    if (fds[2].revents != 0) note_stop(link);
    if (fds[0].revents == 0) return true;
    if (PQconsumeInput(link->connection) == 1 && PQstatus(link->connection) == CONNECTION_OK)
        return true;
    broken_connection(link);
    return false;
}

/* ---- connecting ------------------------------------------------------------------ */

/* Notices would land on stderr, between the lines of the log. */
static void ignore_notice(void *context, const PGresult *notice)
{
    (void)context, (void)notice;
}

static postgres_answer connect_until(postgres_link *link, int64_t until_ns)
{
    PostgresPollingStatusType next = PGRES_POLLING_WRITING;

    while (next != PGRES_POLLING_OK) {
        if (next == PGRES_POLLING_FAILED) return refused_connection(link);
        if (!wait_socket(link, next == PGRES_POLLING_READING ? POLLIN : POLLOUT, until_ns))
            return POSTGRES_BROKEN;
        next = PQconnectPoll(link->connection);
    }
    return POSTGRES_OK;
}

postgres_answer postgres_link_open(postgres_link *link, const char *dsn, int stop_fd)
{
    /* What stands before dbname the DSN may set itself. A host that swallows packets must leave
     * time for the next one of a list. */
    static const char *const names[] = {
        "tcp_user_timeout", "keepalives_idle",           "keepalives_interval", "keepalives_count",
        "dbname",           "fallback_application_name", "client_encoding",     NULL};
    const char *const values[] = {"4000", "5", "5", "3", dsn, "hedged", "UTF8", NULL};
    postgres_answer answer;

    *link = (postgres_link){.stop_fd = stop_fd};
    if (postgres_link_stopping(link)) return broken(link, "stopping");
    link->connection = PQconnectStartParams(names, values, 1);
    if (link->connection == NULL) return broken(link, "out of memory");
    if (PQstatus(link->connection) == CONNECTION_BAD) {
        answer = broken_connection(link);
    } else {
        PQsetNoticeReceiver(link->connection, ignore_notice, NULL);
        PQsetErrorVerbosity(link->connection, PQERRORS_VERBOSE);
        answer = connect_until(link, clock_steady_ns() + CONNECT_MS * NS_PER_MS);
        PQsetErrorVerbosity(link->connection, PQERRORS_DEFAULT);
    }
    if (answer == POSTGRES_OK && PQsetnonblocking(link->connection, 1) != 0)
        answer = broken_connection(link);
    if (answer != POSTGRES_OK) postgres_link_close(link);
    link->timed_out = false; /* who never answers is not slow */
    return answer;
}

void postgres_link_close(postgres_link *link)
{
    PQfinish(link->connection);
    link->connection = NULL;
}

/* ---- statements ------------------------------------------------------------------ */

/* Sends what is buffered, and takes what comes meanwhile, so that neither side waits for the
 * other. */
static bool flush(postgres_link *link, int64_t until_ns)
{
    int left;

    while ((left = PQflush(link->connection)) == 1) {
        if (!wait_socket(link, POLLIN | POLLOUT, until_ns)) return false;
        if (PQconsumeInput(link->connection) != 1) {
            broken_connection(link);
            return false;
        }
    }
    if (left < 0) broken_connection(link);
    return left == 0;
}

/* The next result; NULL: there are no more, or (*ok false) the connection is broken. */
static PGresult *next_result(postgres_link *link, int64_t until_ns, bool *ok)
{
    *ok = flush(link, until_ns);
    while (*ok && PQisBusy(link->connection)) {
        *ok = wait_socket(link, POLLIN, until_ns);
        if (*ok && PQconsumeInput(link->connection) != 1) {
            broken_connection(link);
            *ok = false;
        }
    }
    return *ok ? PQgetResult(link->connection) : NULL;
}

/* What a failed result says. A failure of the connection carries no SQLSTATE. */
static postgres_answer refused(postgres_link *link, const PGresult *result)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *words = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
    char both[POSTGRES_FAULT_MAX * 2];

    if (state == NULL || words == NULL) return broken(link, PQresultErrorMessage(result));
    snprintf(both, sizeof(both), "%s%s%s", words, detail != NULL ? ": " : "",
             detail != NULL ? detail : "");
    keep_words(link, both);
    snprintf(link->sqlstate, sizeof(link->sqlstate), "%s", state);
    return POSTGRES_REFUSED;
}

static bool send_stream(postgres_link *link, const text *stream)
{
    if (!stream->failed && PQputCopyData(link->connection, stream->bytes, (int)stream->n) == 1 &&
        PQputCopyEnd(link->connection, NULL) == 1)
        return true;
    broken_connection(link);
    return false;
}

/* Takes every result of what was sent, feeds the COPYs, and keeps the last result. The connection
 * is ready for the next statement then, unless it is broken. */
static postgres_answer finish(postgres_link *link, const text *streams, size_t n, uint64_t *rows,
                              PGresult **last)
{
    const int64_t until_ns = clock_steady_ns() + ANSWER_MS * NS_PER_MS;
    postgres_answer answer = POSTGRES_OK;
    PGresult *result;
    bool ok;

    while ((result = next_result(link, until_ns, &ok)) != NULL) {
        const ExecStatusType status = PQresultStatus(result);

        if (status == PGRES_COPY_IN && n > 0) {
            ok = send_stream(link, streams++);
            n--;
        } else if (status == PGRES_FATAL_ERROR) {
            answer = refused(link, result);
        } else if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
            ok = false;
            broken(link, "an answer that was not asked for");
        } else if (rows != NULL && strncmp(PQcmdStatus(result), "COPY ", 5) == 0) {
            *rows += strtoull(PQcmdTuples(result), NULL, 10);
        }
        if (ok && last != NULL && answer == POSTGRES_OK) {
            PQclear(*last);
            *last = result;
        } else {
            PQclear(result);
        }
        if (!ok) break;
    }
    return ok ? answer : POSTGRES_BROKEN;
}

/* The last result, or none. */
static postgres_answer finish_last(postgres_link *link, PGresult **last)
{
    const postgres_answer answer = finish(link, NULL, 0, NULL, last);

    if (answer != POSTGRES_OK && last != NULL) {
        PQclear(*last);
        *last = NULL;
    }
    return answer;
}

postgres_answer postgres_link_query(postgres_link *link, const char *sql, PGresult **last)
{
    if (last != NULL) *last = NULL;
    if (PQsendQuery(link->connection, sql) != 1) return broken_connection(link);
    return finish_last(link, last);
}

postgres_answer postgres_link_query_with(postgres_link *link, const char *sql, int n,
                                         const char *const *values, PGresult **last)
{
    if (last != NULL) *last = NULL;
    if (PQsendQueryParams(link->connection, sql, n, NULL, values, NULL, NULL, 0) != 1)
        return broken_connection(link);
    return finish_last(link, last);
}

postgres_answer postgres_link_copy(postgres_link *link, const char *sql, const text *streams,
                                   size_t n, uint64_t *rows)
{
    *rows = 0;
    if (PQsendQuery(link->connection, sql) != 1) return broken_connection(link);
    return finish(link, streams, n, rows, NULL);
}
