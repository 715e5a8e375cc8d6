/* SPDX-License-Identifier: MIT
 * ship_stand: where a connection finds this journal's writer in the database. */
#include "ship_stand.h"

#include "hex.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_OF(number) #number
#define TEXT(number) TEXT_OF(number)
#define STATEMENT_MS TEXT(POSTGRES_LINK_STATEMENT_MS)

static bool fail(ship_stand *s, ship_fault fault, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static bool fail(ship_stand *s, ship_fault fault, const char *format, ...)
{
    va_list arguments;

    s->fault = fault;
    va_start(arguments, format);
    vsnprintf(s->words, sizeof(s->words), format, arguments);
    va_end(arguments);
    return false;
}

static bool fail_answer(ship_stand *s, const postgres_link *link, postgres_answer answer)
{
    ship_fault fault = SHIP_FAULT_NONE;

    if (answer == POSTGRES_REFUSED) ship_cause_of(link->sqlstate, &fault);
    return fail(s, fault, "%s", link->fault);
}

static bool is_true(const PGresult *result, int column)
{
    return strcmp(PQgetvalue(result, 0, column), "t") == 0;
}

/* The server ends what takes too long and notices soon when we are gone, because the writer's lock
 * waits for that. A commit that the server would forget in a crash is none. */
static const char settings[] =
    "SET statement_timeout = " STATEMENT_MS ";"
    "SET idle_in_transaction_session_timeout = " STATEMENT_MS ";"
    "SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3;"
    "SELECT set_config('synchronous_commit', 'on', false)"
    " WHERE current_setting('synchronous_commit') = 'off';";

static bool set_up(ship_stand *s, postgres_link *link)
{
    const int version = PQserverVersion(link->connection);
    postgres_answer answer;

    if (version < 130000)
        return fail(s, SHIP_FAULT_SCHEMA, "PostgreSQL %d is too old: it takes 13 or newer",
                    version / 10000);
    answer = postgres_link_query(link, settings, NULL);
    return answer == POSTGRES_OK || fail_answer(s, link, answer);
}

static bool look_for_tables(ship_stand *s, postgres_link *link)
{
    static const char sql[] =
        "SELECT to_regclass('decisions') IS NOT NULL AND to_regclass('shadow_decisions') IS NOT "
        "NULL"
        " AND to_regclass('events') IS NOT NULL AND to_regclass('policies') IS NOT NULL"
        " AND to_regclass('chain') IS NOT NULL"
        " AND to_regprocedure('hedge_make_partitions(integer)') IS NOT NULL AND to_regprocedure("
        "'hedge_check(bigint, bigint, bigint, bigint, bigint, bigint, bytea)') IS NOT NULL";
    PGresult *result;
    const postgres_answer answer = postgres_link_query(link, sql, &result);
    bool there;

    if (answer != POSTGRES_OK) return fail_answer(s, link, answer);
    there = is_true(result, 0);
    PQclear(result);
    return there || fail(s, SHIP_FAULT_SCHEMA, "the tables of configs/postgres.sql are not there");
}

static bool take_lock(ship_stand *s, postgres_link *link, uint64_t writer)
{
    char sql[80];
    PGresult *result;
    postgres_answer answer;
    bool ours;

    snprintf(sql, sizeof(sql), "SELECT pg_try_advisory_lock(%" PRIu64 ")", writer);
    answer = postgres_link_query(link, sql, &result);
    if (answer != POSTGRES_OK) return fail_answer(s, link, answer);
    ours = is_true(result, 0);
    PQclear(result);
    return ours ||
           fail(s, SHIP_FAULT_LOCKED, "another connection ships for writer %016" PRIx64, writer);
}

static bool read_newest(ship_stand *s, postgres_link *link, uint64_t writer)
{
    char sql[160];
    PGresult *result;
    postgres_answer answer;
    bool ok = true;

    snprintf(sql, sizeof(sql),
             "SELECT seq, encode(hash, 'hex') FROM chain WHERE writer = %" PRIu64
             " ORDER BY seq DESC LIMIT 1",
             writer);
    answer = postgres_link_query(link, sql, &result);
    if (answer != POSTGRES_OK) return fail_answer(s, link, answer);
    s->next_after = (journal_head){0};
    if (PQntuples(result) == 1) {
        s->next_after.seq = strtoull(PQgetvalue(result, 0, 0), NULL, 10);
        ok = hex_read(PQgetvalue(result, 0, 1), HEDGE_HASH_SIZE, s->next_after.hash);
    }
    PQclear(result);
    s->held = s->next_after.seq;
    return ok ||
           fail(s, SHIP_FAULT_DIVERGED, "record %" PRIu64 " has no hash in the database", s->held);
}

/* The hash of record seq, which the journal must hold. */
static bool read_hash(journal *j, uint64_t seq, uint8_t hash[HEDGE_HASH_SIZE],
                      char message[JOURNAL_MESSAGE_MAX])
{
    journal_row *rows;
    uint64_t next;
    size_t n;
    bool found;

    if (!journal_rows(j, seq - 1, NULL, 1, &rows, &n, &next, message)) return false;
    found = n == 1 && rows[0].seq == seq;
    if (found) memcpy(hash, rows[0].hash, HEDGE_HASH_SIZE);
    free(rows);
    if (!found) snprintf(message, JOURNAL_MESSAGE_MAX, "record %" PRIu64 " is missing", seq);
    return found;
}

static bool compare(ship_stand *s, journal *j, const journal_state *state)
{
    char message[JOURNAL_MESSAGE_MAX];
    uint8_t hash[HEDGE_HASH_SIZE] = {0}; /* before the first record */

    if (s->held > state->head.seq)
        return fail(s, SHIP_FAULT_DIVERGED,
                    "the database holds record %" PRIu64 " of this writer, the journal ends at "
                    "%" PRIu64,
                    s->held, state->head.seq);
    if (s->held < state->base.seq)
        return fail(s, SHIP_FAULT_GAP,
                    "the database ends at record %" PRIu64 ", the journal begins behind %" PRIu64,
                    s->held, state->base.seq);
    if (s->held == state->base.seq)
        memcpy(hash, state->base.hash, sizeof(hash));
    else if (!read_hash(j, s->held, hash, message))
        return fail(s, SHIP_FAULT_NONE, "the journal: %.250s", message);
    if (memcmp(hash, s->next_after.hash, sizeof(hash)) == 0) return true;
    return fail(s, SHIP_FAULT_DIVERGED,
                "record %" PRIu64 " has another hash in the database than in the journal", s->held);
}

/* Rows that were put aside right behind the newest one are not tried as new ones again. */
static bool skip_parked(ship_stand *s, journal *j)
{
    char message[JOURNAL_MESSAGE_MAX];
    journal_row row;
    size_t n = 1;

    for (;;) {
        if (!journal_parked(j, s->next_after.seq, 1, &row, &n, message))
            return fail(s, SHIP_FAULT_NONE, "the journal: %.250s", message);
        if (n == 0 || row.seq != s->next_after.seq + 1) return true;
        s->next_after.seq = row.seq;
        memcpy(s->next_after.hash, row.hash, sizeof(row.hash));
    }
}

bool ship_stand_find(ship_stand *stand, postgres_link *link, journal *j)
{
    journal_state state;

    *stand = (ship_stand){0};
    journal_read_state(j, &state);
    if (!set_up(stand, link) || !look_for_tables(stand, link) ||
        !take_lock(stand, link, state.writer) || !read_newest(stand, link, state.writer))
        return false;
    journal_read_state(j, &state); /* after the database: what it holds was in the journal then */
    return compare(stand, j, &state) && skip_parked(stand, j);
}

postgres_answer ship_stand_partitions(postgres_link *link, int *made)
{
    PGresult *result;
    const postgres_answer answer =
        postgres_link_query(link, "SELECT hedge_make_partitions()", &result);

    *made = 0;
    if (answer == POSTGRES_OK) *made = atoi(PQgetvalue(result, 0, 0));
    PQclear(result);
    return answer;
}
