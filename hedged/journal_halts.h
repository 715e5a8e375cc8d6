/* SPDX-License-Identifier: MIT
 * journal_halts: the halts in force, as the journal's file keeps them beside the
 * chain. Not thread-safe: journal locks. */
#ifndef HEDGED_JOURNAL_HALTS_H
#define HEDGED_JOURNAL_HALTS_H

#include "journal_file.h"

#define JOURNAL_HALTS_WORDS 112

/* Inside a transaction, behind its record: sets the halt (HEDGE_RECORD_HALT), or
 * takes it away. False: SQLite's error. */
bool journal_halts_apply(journal_file *f, const hedge_record *record, const journal_halt *halt);

/* Writes what its record says: `ACTOR REASON`. What fits is whole; only a damaged
 * file holds more. */
void journal_halts_note(const journal_halt *halt, char *note, size_t capacity);

/* Reads all of them into a malloc'ed list. 1: read; 0: they are not what the halts
 * and resumes among the records say, as far as those are in the file (a changed
 * byte or a deleted row must not free an asset), and `what` names it; -1: SQLite's
 * error, or no memory. */
int journal_halts_read(journal_file *f, journal_halt **out, size_t *n,
                       char what[JOURNAL_HALTS_WORDS]);

#endif
