/* SPDX-License-Identifier: MIT
 * postgres_tables.h: where in a database the tables of configs/postgres.sql are, and whether what
 * bears their names is such tables: a view of that name could tell each reader something else. */
#ifndef HEDGE_CLI_POSTGRES_TABLES_H
#define HEDGE_CLI_POSTGRES_TABLES_H

#include <libpq-fe.h>

#include "source.h"

enum { POSTGRES_SCHEMA_MAX = 256, POSTGRES_QUOTED_MAX = 2 * POSTGRES_SCHEMA_MAX + 3 };

/* The schema they are read from. */
typedef struct postgres_schema {
    char name[POSTGRES_SCHEMA_MAX];
    char quoted[POSTGRES_QUOTED_MAX]; /* as it stands in a statement */
} postgres_schema;

/* Runs one statement, with $1 = parameter unless NULL. The caller clears the result; NULL: it
 * failed, and the fault is noted. */
PGresult *postgres_run(source *s, PGconn *c, const char *sql, const char *parameter);
/* One whose rows do not matter, or several without a parameter. */
bool postgres_command(source *s, PGconn *c, const char *sql);

/* Puts '?' for control characters: a name or a message is the database owner's to choose. */
void postgres_plain(char *text);

/* Finds the schema, begins the read-only transaction in which all is to be read, with the tables
 * held as they are, and proves them to be such. In it nothing but pg_catalog is searched: every
 * other name needs its schema. False: the fault is noted. */
bool postgres_tables_open(source *s, PGconn *c, postgres_schema *schema);

#endif
