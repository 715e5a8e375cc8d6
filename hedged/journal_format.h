/* SPDX-License-Identifier: MIT
 * journal_format: the tables of the journal's file, and whether a file has them. */
#ifndef HEDGED_JOURNAL_FORMAT_H
#define HEDGED_JOURNAL_FORMAT_H

#include "journal_schema.h"

/* What a file says of itself. */
typedef struct journal_identity {
    int format;
    uint64_t writer;
    char base[128]; /* where its chain begins, as it is written; "": at the first record */
} journal_identity;

/* True if SQLite's latest call failed by its own fault: no memory, a disk, a lock. Then nothing is
 * known of what is in the file. */
bool journal_format_faulty(sqlite3 *db);

/* True if what failed just now may well go the next time, with the same file: no memory, a disk, a
 * lock. */
bool journal_format_may_pass(sqlite3 *db);

/* Makes the tables and draws a writer. Ends with them in the file itself, not
 * in the WAL beside it. False: SQLite's error. */
bool journal_format_create(sqlite3 *db);

/* Reads the table `journal`. 1: it is of a format that this daemon knows, with each key once and
 * none that is unknown; 0: it is not, see `what`; -1: SQLite's error. */
int journal_format_identify(sqlite3 *db, journal_identity *out, char what[JOURNAL_SCHEMA_WORDS]);

/* Brings a file of an older format to the newest, whole or not at all: closing it ends what was
 * begun. False: SQLite's error. */
bool journal_format_upgrade(sqlite3 *db, int format);

#endif
