/* SPDX-License-Identifier: MIT
 * postgres_tables.c: where in a database the tables of configs/postgres.sql are, and whether what
 * bears their names is such tables. */
#include "postgres_tables.h"

#include <stdio.h>
#include <string.h>

/* ---- statements ------------------------------------------------------------- */

void postgres_plain(char *text)
{
    for (uint8_t *at = (uint8_t *)text; *at != '\0'; at++)
        if (*at < ' ' || *at == 0x7f)
            *at = '?';
        else if (at[0] == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0) /* U+0080 to U+009F */
            at[0] = at[1] = '?';
}

/* The first line of what the server or libpq says, without "ERROR:". */
static void fail(source *s, const PGconn *c, const PGresult *result)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

    if (text == NULL) text = PQerrorMessage(c);
    if (state != NULL && strcmp(state, "42P01") == 0)
        source_fail(s, "not_a_journal",
                    "not where a daemon ships to: %.300s (hedged --init-db makes the tables)",
                    text);
    else
        source_fail(s, "unreadable", "cannot be read: %.*s", (int)strcspn(text, "\n"), text);
    postgres_plain(s->message);
}

PGresult *postgres_run(source *s, PGconn *c, const char *sql, const char *parameter)
{
    PGresult *result = parameter == NULL ? PQexec(c, sql)
                                         : PQexecParams(c, sql, 1, NULL, &parameter, NULL, NULL, 0);
    const ExecStatusType status = PQresultStatus(result);

    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) return result;
    fail(s, c, result);
    PQclear(result);
    return NULL;
}

bool postgres_command(source *s, PGconn *c, const char *sql)
{
    PGresult *result = postgres_run(s, c, sql, NULL);

    PQclear(result);
    return result != NULL;
}

/* ---- which schema ----------------------------------------------------------- */

/* The search_path is still whatever the login or the database has: no operator or function may be
 * left to it. */
static const char find_sql[] =
    "SELECT n.nspname, p.source FROM pg_catalog.pg_class c "
    "JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace "
    "JOIN pg_catalog.pg_settings p ON p.name OPERATOR(pg_catalog.=) 'search_path'::pg_catalog.text "
    "WHERE c.oid OPERATOR(pg_catalog.=) "
    "pg_catalog.to_regclass('decisions'::pg_catalog.text)::pg_catalog.oid";

/* *chosen: whoever connects named the search_path, rather than the database's or login's owner. */
static bool find(source *s, PGconn *c, postgres_schema *schema, bool *chosen)
{
    PGresult *rows = postgres_run(s, c, find_sql, NULL);
    char *quoted = NULL;
    bool fine = false;

    if (rows == NULL) return false;
    if (PQntuples(rows) != 1) {
        source_fail(s, "not_a_journal",
                    "not where a daemon ships to: no table \"decisions\" is in the search_path "
                    "(hedged --init-db makes it; a login needs USAGE on its schema)");
    } else {
        snprintf(schema->name, sizeof schema->name, "%s", PQgetvalue(rows, 0, 0));
        *chosen = strcmp(PQgetvalue(rows, 0, 1), "client") == 0;
        quoted = PQescapeIdentifier(c, schema->name, strlen(schema->name));
        fine = quoted != NULL;
        if (fine)
            snprintf(schema->quoted, sizeof schema->quoted, "%s", quoted);
        else
            source_fail(s, "unreadable", "cannot be read: the name of its schema is no text");
        PQfreemem(quoted);
    }
    PQclear(rows);
    return fine;
}

/* ---- what is there ------------------------------------------------------------ */

/* Each gives no row, or what is wrong in words. */

/* Somebody else's ALTER DATABASE … SET search_path must not choose between two logs. */
static const char several_sql[] =
    "SELECT format('such tables are in the schemas %s: choose one, as in \"… "
    "options=-csearch_path=%s\"', string_agg(quote_ident(nspname), ', ' ORDER BY nspname), "
    "$1::text) "
    "FROM pg_namespace n WHERE (SELECT count(*) FROM pg_class c WHERE c.relnamespace = n.oid "
    "AND c.relpersistence <> 't' AND c.relname IN ('decisions', 'shadow_decisions', 'events', "
    "'policies')) = 4 HAVING count(*) > 1";

/* The four tables with all below them. */
#define WANTED                                                                                     \
    "WITH RECURSIVE wanted(name, kind) AS (VALUES ('decisions'::name, 'p'::\"char\"), "            \
    "('shadow_decisions', 'p'), ('events', 'p'), ('policies', 'r')), "                             \
    "tree(root, oid, top) AS (SELECT w.name, c.oid, true FROM wanted w JOIN pg_class c "           \
    "ON c.relname = w.name WHERE c.relnamespace = (SELECT oid FROM pg_namespace "                  \
    "WHERE nspname = $1::name) UNION ALL SELECT t.root, i.inhrelid, false FROM tree t "            \
    "JOIN pg_inherits i ON i.inhparent = t.oid) "

static const char kinds_sql[] =
    WANTED "SELECT format('there is no table %I.%I', $1::name, name) FROM wanted "
           "WHERE name NOT IN (SELECT root FROM tree) UNION ALL "
           "SELECT format('%I.%I, owned by %I, is %s, not %s', n.nspname, c.relname, "
           "pg_get_userbyid(c.relowner), CASE c.relkind WHEN 'v' THEN 'a view' "
           "WHEN 'm' THEN 'a materialized view' WHEN 'f' THEN 'a foreign table' "
           "WHEN 'p' THEN 'a partitioned table' WHEN 'r' THEN 'a plain table' "
           "WHEN 'S' THEN 'a sequence' ELSE 'no table' END, "
           "CASE WHEN t.top AND w.kind = 'p' THEN 'a partitioned table' ELSE 'a plain table' END) "
           "FROM tree t JOIN wanted w ON w.name = t.root JOIN pg_class c ON c.oid = t.oid "
           "JOIN pg_namespace n ON n.oid = c.relnamespace "
           "WHERE NOT (c.relkind = w.kind OR (NOT t.top AND w.kind = 'p' AND c.relkind = 'r')) "
           "UNION ALL SELECT format('other tables inherit from %I.policies', $1::name) FROM tree "
           "WHERE root = 'policies' AND NOT top LIMIT 1";

/* What configs/postgres.sql declares: no NULL hides from a comparison, no type rounds. */
static const char columns_sql[] = WANTED
    ", column_of(roots, type, needed, names) AS (VALUES "
    "('decisions shadow_decisions events', 'uuid'::regtype, true, 'id'), "
    "('decisions shadow_decisions events', 'timestamptz', true, 'ts received_at'), "
    "('decisions shadow_decisions events', 'text', true, 'asset note version'), "
    "('decisions shadow_decisions events', 'int8', true, 'ts_ns writer seq'), "
    "('decisions shadow_decisions events', 'bytea', true, 'policy record hash'), "
    "('decisions shadow_decisions', 'numeric', true, 'amount_usd'), "
    "('decisions shadow_decisions', 'text', true, 'status'), "
    "('decisions shadow_decisions', 'text[]', true, 'flags'), "
    "('decisions shadow_decisions', 'bool', true, 'halted'), "
    "('decisions shadow_decisions', 'float8', true, 'score hedge_pct confidence notional_usd "
    "effective_score liquidity_weight liquidity_quality'), "
    "('decisions shadow_decisions', 'float8', false, 'liquidity_depth override_score quote_score "
    "quote_confidence previous_score'), "
    "('decisions shadow_decisions', 'int8', true, 'score_age_ns depth_age_ns'), "
    "('decisions shadow_decisions', 'int8', false, 'score_ts_ns depth_ts_ns'), "
    "('events', 'text', true, 'kind'), ('policies', 'bytea', true, 'hash'), "
    "('policies', 'text', true, 'text'), ('policies', 'timestamptz', true, 'received_at')), "
    "each(root, name, type, needed) AS (SELECT r::name, c::name, type, needed FROM column_of, "
    "unnest(string_to_array(roots, ' ')) r, unnest(string_to_array(names, ' ')) c) "
    "SELECT format('%s.%I %s', t.oid::regclass, e.name, CASE WHEN a.attnum IS NULL "
    "THEN 'is missing' WHEN a.atttypid <> e.type THEN format('is of type %s, not %s', "
    "format_type(a.atttypid, NULL), format_type(e.type, NULL)) "
    "WHEN a.attgenerated <> '' THEN 'is computed, not stored' ELSE 'may be NULL' END) "
    "FROM tree t JOIN each e ON e.root = t.root LEFT JOIN pg_attribute a ON a.attrelid = t.oid "
    "AND a.attname = e.name AND a.attnum > 0 AND NOT a.attisdropped WHERE a.attnum IS NULL "
    "OR a.atttypid <> e.type OR a.attgenerated <> '' OR (e.needed AND (NOT a.attnotnull OR EXISTS "
    /* PostgreSQL 18: NOT NULL NOT VALID, for new rows alone */
    "(SELECT FROM pg_constraint k WHERE k.conrelid = t.oid AND k.contype = 'n' "
    "AND NOT k.convalidated AND a.attnum = ANY (k.conkey)))) LIMIT 1";

static const char hidden_sql[] = WANTED
    "SELECT format('row security of %s hides rows from %I: read as its owner without FORCE, or as "
    "a role with BYPASSRLS', oid::regclass, current_user) FROM tree "
    "WHERE top AND row_security_active(oid) LIMIT 1";

static bool none(source *s, PGconn *c, const char *sql, const postgres_schema *schema,
                 const char *fault, const char *before)
{
    PGresult *rows = postgres_run(s, c, sql, schema->name);
    bool fine = rows != NULL;

    if (fine && PQntuples(rows) > 0) {
        fine = source_fail(s, fault, "%s%.500s", before, PQgetvalue(rows, 0, 0));
        postgres_plain(s->message);
    }
    PQclear(rows);
    return fine;
}

static bool judge(source *s, PGconn *c, const postgres_schema *schema)
{
    static const char before[] = "not where a daemon ships to: ";

    return none(s, c, kinds_sql, schema, "not_a_journal", before) &&
           none(s, c, columns_sql, schema, "not_a_journal", before) &&
           none(s, c, hidden_sql, schema, "unreadable", "cannot be read: ");
}

/* ---- the transaction ------------------------------------------------------------ */

/* A CHECK on a partition can be made to say what its rows are not, so none may spare reading it. */
static bool begin(source *s, PGconn *c)
{
    return postgres_command(s, c,
                            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; "
                            "SET LOCAL row_security = off; SET LOCAL constraint_exclusion = off; "
                            "SET LOCAL search_path = pg_catalog, pg_temp");
}

/* Before the first snapshot, and with all partitions: what is judged is then what is read. */
static bool hold(source *s, PGconn *c, const postgres_schema *schema)
{
    char sql[5 * POSTGRES_QUOTED_MAX];

    snprintf(sql, sizeof sql,
             "LOCK TABLE %s.decisions, %s.shadow_decisions, %s.events, %s.policies "
             "IN ACCESS SHARE MODE",
             schema->quoted, schema->quoted, schema->quoted, schema->quoted);
    return postgres_command(s, c, sql);
}

bool postgres_tables_open(source *s, PGconn *c, postgres_schema *schema)
{
    bool chosen = false;

    if (!find(s, c, schema, &chosen)) return false;
    /* Once to say what they are, since not all can be held, and once when they are. */
    return begin(s, c) && (chosen || none(s, c, several_sql, schema, "usage", "")) &&
           judge(s, c, schema) && postgres_command(s, c, "ROLLBACK") && begin(s, c) &&
           hold(s, c, schema) && judge(s, c, schema);
}
