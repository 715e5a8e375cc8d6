/* SPDX-License-Identifier: MIT
 * journal_format: the tables of the journal's file, and whether a file has them. */
#ifndef HEDGED_JOURNAL_FORMAT_H
#define HEDGED_JOURNAL_FORMAT_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* True if SQLite's latest call failed by its own fault: no memory, a disk, a lock. Then nothing is
 * known of what is in the file. */
bool journal_format_faulty(sqlite3 *db);

/* How many tables and the like the file has; -1: it cannot be read. */
int journal_format_count(sqlite3 *db);

/* Makes the tables and draws a writer. Ends with them in the file itself, not
 * in the WAL beside it. False: SQLite's error. */
bool journal_format_create(sqlite3 *db);

/* Reads the writer out of a file of a format that this daemon knows. False: it
 * is another, or no journal at all. */
bool journal_format_identify(sqlite3 *db, uint64_t *writer);

/* Brings a file of an older format to the newest, whole or not at all. False:
 * SQLite's error. */
bool journal_format_upgrade(sqlite3 *db);

/* One text out of the journal's own settings. False: there is none, or
 * journal_format_faulty. */
bool journal_format_setting(sqlite3 *db, const char *key, char *out, size_t capacity);

#endif
