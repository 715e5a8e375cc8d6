/* SPDX-License-Identifier: MIT
 * postgres_init: hedged --init-db, which makes the tables. */
#include "postgres_init.h"

#include "postgres_link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

extern const char postgres_schema[]; /* configs/postgres.sql, by CMake */

/* Their tables and partitions; -1: it cannot be asked. */
static int count_tables(postgres_link *link)
{
    static const char sql[] =
        "SELECT pg_catalog.count(*) FROM pg_catalog.pg_class AS c"
        " JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace"
        " WHERE n.nspname = pg_catalog.current_schema() AND c.relkind IN ('r', 'p') AND c.relname ~"
        " '^((shadow_)?decisions|events)(_[0-9]{4}_[0-9]{2}|_default)?$|^policies$'";
    PGresult *result;
    int n = -1;

    if (postgres_link_query(link, sql, &result) == POSTGRES_OK) n = atoi(PQgetvalue(result, 0, 0));
    PQclear(result);
    return n;
}

static postgres_init_result refuse(const postgres_link *link, postgres_answer answer,
                                   const char *what, char words[POSTGRES_INIT_WORDS_MAX])
{
    const bool later = answer == POSTGRES_BROKEN ||
                       link->sqlstate[0] == '5' || /* resources, intervention: it may pass */
                       (link->sqlstate[0] == '4' && link->sqlstate[1] == '0');

    snprintf(words, POSTGRES_INIT_WORDS_MAX, "HEDGE_DB_DSN: %s: %s", what, link->fault);
    return later ? POSTGRES_INIT_LATER : POSTGRES_INIT_REFUSED;
}

static postgres_init_result apply(postgres_link *link, char words[POSTGRES_INIT_WORDS_MAX])
{
    const int before = count_tables(link);
    PGresult *last;
    const postgres_answer answer = postgres_link_query(link, postgres_schema, &last);
    int made, mended;

    if (answer != POSTGRES_OK) return refuse(link, answer, "the tables cannot be made", words);
    made = count_tables(link) - before;
    mended = atoi(PQgetvalue(last, 0, 0)); /* triggers_put_right */
    PQclear(last);
    snprintf(words, POSTGRES_INIT_WORDS_MAX, "good: database %s on PostgreSQL %d: %d %s",
             PQdb(link->connection), PQserverVersion(link->connection) / 10000, made,
             before <= 0 ? "tables and partitions made"
                         : "more tables and partitions made, functions and rights renewed");
    if (mended > 0)
        snprintf(words + strlen(words), POSTGRES_INIT_WORDS_MAX - strlen(words),
                 "; %d triggers that were disabled, changed or missing put right", mended);
    return POSTGRES_INIT_DONE;
}

postgres_init_result postgres_init(const settings_postgres *settings,
                                   char words[POSTGRES_INIT_WORDS_MAX])
{
    const int never = eventfd(0, EFD_CLOEXEC); /* nobody stops it but a signal */
    postgres_init_result result;
    postgres_answer answer;
    postgres_link link;

    if (settings->dsn[0] == '\0') {
        snprintf(words, POSTGRES_INIT_WORDS_MAX, "HEDGE_DB_DSN: must be set for --init-db");
        return POSTGRES_INIT_REFUSED;
    }
    answer = postgres_link_open(&link, settings->dsn, never);
    if (answer == POSTGRES_OK) {
        result = apply(&link, words);
        postgres_link_close(&link);
    } else {
        result = refuse(&link, answer, "no connection", words);
    }
    if (never >= 0) close(never);
    return result;
}
