/* SPDX-License-Identifier: MIT
 * postgres_row.h: one row of Postgres as a row of a chain, each column compared with the record. */
#ifndef HEDGE_CLI_POSTGRES_ROW_H
#define HEDGE_CLI_POSTGRES_ROW_H

#include <libpq-fe.h>

#include "source.h"

enum { POSTGRES_ROW_SQL_MAX = 8192, POSTGRES_WRITERS_SQL_MAX = 8192 };

/* The statement that declares the cursor hedge_rows over a writer's records
 * behind `after`; `all`: with every column there is, to be compared. `schema`:
 * quoted, at most POSTGRES_QUOTED_MAX. The indexes give the order: nothing is sorted. */
void postgres_row_sql(bool all, const char *schema, uint64_t writer, uint64_t after,
                      char sql[POSTGRES_ROW_SQL_MAX]);

/* The statement that lists the writers, from each to the next one by the indexes. */
void postgres_row_writers_sql(const char *schema, char sql[POSTGRES_WRITERS_SQL_MAX]);

/* Row i of what such a cursor gave, in binary. row->differs names the first
 * column that does not repeat what the record says. */
void postgres_row_read(const PGresult *rows, int i, bool all, source_row *row);

#endif
