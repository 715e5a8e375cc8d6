/* SPDX-License-Identifier: MIT
 * journal_tables.h: proves that a file's tables are a journal's own, before a row is read. */
#ifndef HEDGE_CLI_JOURNAL_TABLES_H
#define HEDGE_CLI_JOURNAL_TABLES_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>

/* The file holds plain tables, indexes and triggers alone, and each table that the daemon makes is
 * declared in the daemon's words (docs/journal.md), spaces and case aside. Then a row's number is a
 * whole number that no other row has, and nothing that the file itself says is run by reading it: a
 * view, a virtual table or a generated column could answer anything, or never end. Its triggers are
 * the daemon's own (they may be missing), and no index but the daemon's own has a condition, an
 * expression or unique rows: any of those would change or drop what a daemon writes. False: message
 * says why, or is empty where SQLite knows (sqlite3_errmsg). */
bool journal_tables_check(sqlite3 *db, char *message, size_t capacity);

/* True: a journal of this format has not got `what` ("table NAME", "index NAME"), which the file
 * has, or the other way round. An index that only searches faster may be missing. */
bool journal_tables_unfit(sqlite3 *db, int format, char *what, size_t capacity);

#endif
