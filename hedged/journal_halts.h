/* SPDX-License-Identifier: MIT
 * journal_halts: the halts in force, as the journal's file keeps them beside the
 * chain. Not thread-safe: journal locks. */
#ifndef HEDGED_JOURNAL_HALTS_H
#define HEDGED_JOURNAL_HALTS_H

#include "journal.h"

#include <sqlite3.h>

/* Inside a transaction, behind its record: sets the halt (HEDGE_RECORD_HALT), or
 * takes it away. False: SQLite's error. */
bool journal_halts_apply(sqlite3 *db, const hedge_record *record, const journal_halt *halt);

/* Writes what its record says: `ACTOR REASON`. What fits is whole; only a damaged
 * file holds more. */
void journal_halts_note(const journal_halt *halt, char *note, size_t capacity);

/* Reads all of them into a malloc'ed list. 1: read, 0: one of them cannot be a
 * halt, -1: SQLite's error, or no memory. */
int journal_halts_read(sqlite3 *db, journal_halt **out, size_t *n);

#endif
