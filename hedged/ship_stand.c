/* SPDX-License-Identifier: MIT
 * ship_stand: where a connection finds this journal's writer in the database. */
#include "ship_stand.h"

#include "hex.h"
#include "log.h"
#include "ship_holes.h"

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
    if (answer == POSTGRES_BROKEN && link->timed_out) fault = SHIP_FAULT_SLOW;
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
        "'hedge_check(bigint, bigint, bigint, bytea, bigint, bigint, bigint, bigint, bigint, "
        "bytea)')"
        " IS NOT NULL";
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
    char sql[240];
    PGresult *result;
    postgres_answer answer;
    bool ok = true;

    snprintf(sql, sizeof(sql),
             "SELECT seq, encode(hash, 'hex'), extract(epoch FROM ts)::bigint * 1000000000"
             " FROM chain WHERE writer = %" PRIu64 " ORDER BY seq DESC LIMIT 1",
             writer);
    answer = postgres_link_query(link, sql, &result);
    if (answer != POSTGRES_OK) return fail_answer(s, link, answer);
    if (PQntuples(result) == 1) {
        s->newest.head.seq = strtoull(PQgetvalue(result, 0, 0), NULL, 10);
        ok = hex_read(PQgetvalue(result, 0, 1), HEDGE_HASH_SIZE, s->newest.head.hash);
        s->newest.ts_ns = strtoll(PQgetvalue(result, 0, 2), NULL, 10);
    }
    PQclear(result);
    return ok || fail(s, SHIP_FAULT_DIVERGED, "record %" PRIu64 " has no hash in the database",
                      s->newest.head.seq);
}

/* The hash of record seq, which the journal must hold, and when it was made. */
static bool read_place(journal *j, uint64_t seq, ship_place *place,
                       char message[JOURNAL_MESSAGE_MAX])
{
    hedge_record record = HEDGE_INIT(hedge_record);
    journal_row *rows;
    uint64_t next;
    size_t n;
    bool found;

    if (!journal_rows(j, seq - 1, NULL, 1, &rows, &n, &next, message)) return false;
    found = n == 1 && rows[0].seq == seq;
    if (found) {
        *place = (ship_place){.head.seq = seq};
        memcpy(place->head.hash, rows[0].hash, HEDGE_HASH_SIZE);
        if (hedge_record_decode(rows[0].record, rows[0].n, &record) == HEDGE_OK)
            place->ts_ns = record.ts_ns;
    }
    free(rows);
    if (!found) snprintf(message, JOURNAL_MESSAGE_MAX, "record %" PRIu64 " is missing", seq);
    return found;
}

static bool compare(ship_stand *s, journal *j, const journal_state *state)
{
    const uint64_t held = s->newest.head.seq;
    char message[JOURNAL_MESSAGE_MAX];
    ship_place ours = {.head = state->base}; /* hash 0: before the first record */

    if (held > state->head.seq)
        return fail(s, SHIP_FAULT_DIVERGED,
                    "the database holds record %" PRIu64 " of this writer, the journal ends at "
                    "%" PRIu64,
                    held, state->head.seq);
    if (held < state->base.seq)
        return fail(s, SHIP_FAULT_GAP,
                    "the database ends at record %" PRIu64 ", the journal begins behind %" PRIu64,
                    held, state->base.seq);
    if (held > state->base.seq && !read_place(j, held, &ours, message))
        return fail(s, SHIP_FAULT_NONE, "the journal: %.250s", message);
    if (memcmp(ours.head.hash, s->newest.head.hash, sizeof(ours.head.hash)) == 0) return true;
    return fail(s, SHIP_FAULT_DIVERGED,
                "record %" PRIu64 " has another hash in the database than in the journal", held);
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

/* Goes on with a hole. What the database holds before it, the journal tells; behind its base
 * nothing is known, since old months may have been dropped. */
static bool enter(ship_stand *s, journal *j, const journal_state *state, const ship_hole *hole)
{
    char message[JOURNAL_MESSAGE_MAX];
    uint64_t seq = hole->first - 1;
    ship_place place;
    bool parked = true;

    s->before = (ship_place){0};
    s->next_after = state->base;
    s->upto = s->whole = hole->last;
    for (; seq > state->base.seq && parked; seq--) {
        if (!read_place(j, seq, &place, message) || !ship_holes_is_parked(j, seq, &parked, message))
            return fail(s, SHIP_FAULT_NONE, "the journal: %.250s", message);
        if (seq == hole->first - 1) s->next_after = place.head;
        if (!parked) s->before = place;
    }
    LOG(LOG_WARN, "database_lacks_records", LOG_NUMBER("first", hole->first),
        LOG_NUMBER("last", hole->last), LOG_TEXT("effect", "they are sent again"));
    return true;
}

bool ship_stand_go_on(ship_stand *stand, postgres_link *link, journal *j)
{
    postgres_answer answer;
    journal_state state;
    ship_hole hole;

    journal_read_state(j, &state);
    if (stand->whole < state.base.seq) stand->whole = state.base.seq;
    answer = ship_holes_find(link, j, stand->whole, stand->newest.head.seq, &hole);
    if (answer != POSTGRES_OK) return fail_answer(stand, link, answer);
    if (hole.first != 0) return enter(stand, j, &state, &hole);
    stand->before = stand->newest;
    stand->next_after = stand->newest.head;
    stand->upto = 0;
    return skip_parked(stand, j);
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
    return compare(stand, j, &state) && ship_stand_go_on(stand, link, j);
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
