/* SPDX-License-Identifier: MIT
 * journal_schema: whether a file declares what a journal has, and nothing that would change what it
 * keeps. */
#ifndef HEDGED_JOURNAL_SCHEMA_H
#define HEDGED_JOURNAL_SCHEMA_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

enum { JOURNAL_SCHEMA_WORDS = 80 };

typedef struct journal_schema {
    int64_t objects; /* tables, indexes and the like; 0: an empty file */
    uint32_t has;    /* a bit for each of the journal's own */
} journal_schema;

/* Reads what the file declares; writes nothing. 1: plain tables and indexes, and no trigger but a
 * journal's; 0: something that no journal has (`what`): a trigger could swallow a record, a UNIQUE
 * index remove another, a view or a virtual table answer anything; -1: SQLite's error. A file whose
 * schema leads round in circles is 0. */
int journal_schema_read(sqlite3 *db, journal_schema *out, char what[JOURNAL_SCHEMA_WORDS]);

/* True if the table `journal` is there, which names the format. */
bool journal_schema_is_journal(const journal_schema *schema);

/* True if all that a journal of this format has is there, and nothing of a later one; else `what`.
 */
bool journal_schema_fits(const journal_schema *schema, int format, char what[JOURNAL_SCHEMA_WORDS]);

/* Writes "its KIND NAME END", the name as a file had it (NULL: none): cut, and without what is no
 * plain character. */
void journal_schema_say(char what[JOURNAL_SCHEMA_WORDS], const char *kind, const char *name,
                        const char *end);

#endif
