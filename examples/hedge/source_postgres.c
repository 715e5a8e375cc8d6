/* SPDX-License-Identifier: MIT
 * source_postgres.c: records out of the tables of configs/postgres.sql.
 *
 * Everything is read in one read-only transaction, so that what is seen is one
 * state of the database, and through cursors, so that memory stays bounded. Only
 * tables proven to be ours are read (postgres_tables.h), never a view. */
#include <inttypes.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "postgres_row.h"
#include "postgres_tables.h"
#include "source.h"

enum { ROWS_A_FETCH = 2000, ROWS_A_LOOK = 3, POLICIES_A_FETCH = 16 };

typedef struct postgres_state {
    PGconn *connection;
    postgres_schema schema;
    PGresult *rows; /* the newest fetch */
    int at, count;  /* the next of them */
    int fetch;
    bool cursor;
} postgres_state;

/* ---- statements ------------------------------------------------------------- */

/* Runs one statement; NULL: it failed, noted. */
static PGresult *run(source *s, const char *sql)
{
    const postgres_state *p = s->state;

    return postgres_run(s, p->connection, sql, NULL);
}

static bool command_ok(source *s, const char *sql)
{
    const postgres_state *p = s->state;

    return postgres_command(s, p->connection, sql);
}

/* ---- rows ------------------------------------------------------------------- */

static void forget_rows(postgres_state *p)
{
    PQclear(p->rows);
    p->rows = NULL;
    p->at = p->count = 0;
}

static bool start(source *s, const source_chain *chain, uint64_t after, bool few)
{
    postgres_state *p = s->state;
    char sql[POSTGRES_ROW_SQL_MAX];

    forget_rows(p);
    p->fetch = few ? ROWS_A_LOOK : ROWS_A_FETCH;
    if (p->cursor && !command_ok(s, "CLOSE hedge_rows")) return false;
    p->cursor = false;
    postgres_row_sql(s->checked, p->schema.quoted, chain->writer, after, sql);
    p->cursor = command_ok(s, sql);
    return p->cursor;
}

static bool fetch(source *s)
{
    postgres_state *p = s->state;
    char sql[64];

    forget_rows(p);
    snprintf(sql, sizeof sql, "FETCH FORWARD %d FROM hedge_rows", p->fetch);
    p->rows = run(s, sql);
    p->count = p->rows != NULL ? PQntuples(p->rows) : 0;
    return p->rows != NULL;
}

static source_step next(source *s, source_row *row)
{
    postgres_state *p = s->state;

    if (p->at == p->count && !fetch(s)) return SOURCE_FAILED;
    if (p->count == 0) return SOURCE_END;
    postgres_row_read(p->rows, p->at++, s->checked, row);
    return SOURCE_ROW;
}

/* ---- policies and writers ---------------------------------------------------- */

static bool visit_policies(source *s, const PGresult *rows, source_visit *visit, void *context)
{
    for (int i = 0; i < PQntuples(rows); i++) {
        if (PQgetlength(rows, i, 0) != HEDGE_HASH_SIZE)
            return source_fail(s, "policy",
                               "a row of policies is not a hash of 32 bytes and a text");
        if (!visit(context, (const uint8_t *)PQgetvalue(rows, i, 0), PQgetvalue(rows, i, 1),
                   (size_t)PQgetlength(rows, i, 1), NULL))
            return false;
    }
    return true;
}

static bool policies(source *s, source_visit *visit, void *context)
{
    const postgres_state *p = s->state;
    char sql[POSTGRES_QUOTED_MAX + 128];
    int count = 1;

    snprintf(sql, sizeof sql,
             "DECLARE hedge_policies BINARY NO SCROLL CURSOR FOR "
             "SELECT hash, text FROM ONLY %s.policies ORDER BY hash",
             p->schema.quoted);
    if (!command_ok(s, sql)) return false;
    snprintf(sql, sizeof sql, "FETCH FORWARD %d FROM hedge_policies", POLICIES_A_FETCH);
    while (count > 0) {
        PGresult *rows = run(s, sql);
        const bool fine = rows != NULL && visit_policies(s, rows, visit, context);

        count = fine ? PQntuples(rows) : 0;
        PQclear(rows);
        if (!fine) return false;
    }
    return command_ok(s, "CLOSE hedge_policies");
}

/* From each writer the index leads to the next one. */
static bool list_writers(source *s)
{
    const postgres_state *p = s->state;
    char sql[POSTGRES_WRITERS_SQL_MAX];
    PGresult *rows;
    bool fine;

    postgres_row_writers_sql(p->schema.quoted, sql);
    rows = run(s, sql);
    fine = rows != NULL;
    for (int i = 0; fine && i < PQntuples(rows); i++)
        fine = source_add_chain(s, (uint64_t)strtoll(PQgetvalue(rows, i, 0), NULL, 10)) != NULL;
    PQclear(rows);
    return fine;
}

/* ---- its life --------------------------------------------------------------- */

static void close_postgres(source *s)
{
    postgres_state *p = s->state;

    forget_rows(p);
    PQfinish(p->connection);
    free(p);
}

/* The command line is for everybody on the machine to read. */
static bool has_password(const char *dsn, bool *readable)
{
    PQconninfoOption *options = PQconninfoParse(dsn, NULL);
    bool found = false;

    *readable = options != NULL;
    for (const PQconninfoOption *o = options; o != NULL && o->keyword != NULL; o++)
        if (strstr(o->keyword, "password") != NULL && o->val != NULL) found = true;
    PQconninfoFree(options);
    return found;
}

/* An @ : or / in a password that is not written %XX moves the rest of it into the host, the port or
 * the database, and from there into messages. */
static bool is_misread(const char *dsn)
{
    PQconninfoOption *options = PQconninfoParse(dsn, NULL);
    bool misread = false;
    size_t ats = 0;

    for (const char *at = strstr(dsn, "://"); at != NULL && *at != '\0' && *at != '?'; at++)
        ats += *at == '@';
    for (const PQconninfoOption *o = options; o != NULL && o->keyword != NULL; o++) {
        if (o->val == NULL) continue;
        if (strncmp(o->keyword, "host", 4) == 0) misread |= strchr(o->val, '@') != NULL;
        if (strcmp(o->keyword, "port") == 0)
            misread |= strspn(o->val, "0123456789,") != strlen(o->val);
    }
    PQconninfoFree(options);
    return misread || ats > 1;
}

/* What the parser has to say could repeat a password: it is not shown. */
static const char *take_dsn(source *s, const char *given)
{
    const bool env = strcmp(given, "env") == 0;
    const char *dsn = env ? getenv("HEDGE_DB_DSN") : given;
    bool readable = false, secret, misread;

    if (dsn == NULL || dsn[0] == '\0') {
        source_fail(s, "usage", "HEDGE_DB_DSN is not set");
        return NULL;
    }
    secret = has_password(dsn, &readable);
    misread = is_misread(dsn);
    if (!readable)
        source_fail(s, "usage",
                    "the DSN is not one: write \"host=… dbname=… user=…\", or a "
                    "postgresql:// URI");
    else if (misread)
        source_fail(s, "usage",
                    "the DSN's host or port cannot be meant so; in a user or a password @ is "
                    "written %%40, : %%3A and / %%2F");
    else if (secret && !env)
        source_fail(s, "usage",
                    "a password does not belong on a command line: take the DSN from HEDGE_DB_DSN "
                    "('--db env'), or the password from PGPASSWORD, ~/.pgpass or a service file");
    return readable && !misread && (env || !secret) ? dsn : NULL;
}

/* The schema's name is the database's word: nothing in it may move a cursor. */
static void name_it(source *s, const PGconn *c, const char *schema)
{
    const char *host = PQhost(c), *port = PQport(c), *database = PQdb(c), *user = PQuser(c);
    const int n = snprintf(s->name, sizeof s->name, "postgres %s@%s:%s/%s",
                           user != NULL ? user : "", host != NULL ? host : "",
                           port != NULL ? port : "", database != NULL ? database : "");

    if (schema == NULL || n < 0 || (size_t)n >= sizeof s->name) return;
    snprintf(s->name + n, sizeof s->name - (size_t)n, ", schema %s", schema);
    postgres_plain(s->name + n);
}

static bool connect_to(source *s, const char *dsn)
{
    /* What stands before the DSN yields to it. */
    const char *const keys[] = {"connect_timeout", "dbname", "fallback_application_name",
                                "client_encoding", NULL};
    const char *const values[] = {"10", dsn, "hedge", "UTF8", NULL};
    postgres_state *p = s->state;
    const char *text;

    p->connection = PQconnectdbParams(keys, values, 1);
    if (p->connection == NULL) return source_fail(s, "unreadable", "out of memory");
    name_it(s, p->connection, NULL);
    if (PQstatus(p->connection) != CONNECTION_OK) {
        text = PQerrorMessage(p->connection);
        return source_fail(s, "unreadable", "cannot be read: %.*s", (int)strcspn(text, "\n"), text);
    }
    if (!postgres_tables_open(s, p->connection, &p->schema)) return false;
    name_it(s, p->connection, p->schema.name);
    return true;
}

bool source_postgres_open(source *s, const char *dsn)
{
    static const source_ops ops = {
        .start = start, .next = next, .policies = policies, .close = close_postgres};
    postgres_state *p = calloc(1, sizeof *p);

    snprintf(s->name, sizeof s->name, "--db");
    if (p == NULL) return source_fail(s, "unreadable", "out of memory");
    s->state = p;
    s->ops = &ops;
    s->ships = true;
    dsn = take_dsn(s, dsn);
    return dsn != NULL && connect_to(s, dsn) && list_writers(s);
}
