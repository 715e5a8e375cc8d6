/* SPDX-License-Identifier: MIT
 * journal_file: the journal's SQLite file. Not thread-safe: journal locks. */
#ifndef HEDGED_JOURNAL_FILE_H
#define HEDGED_JOURNAL_FILE_H

#include "journal.h"
#include "journal_aside.h"

#include <sqlite3.h>

/* Which file a path leads to. */
typedef struct journal_place {
    char path[4096];
    uint64_t device, inode; /* 0, 0: not there yet */
} journal_place;

typedef struct journal_file {
    sqlite3 *db;
    journal_place main_file, wal_file;
    char absolute[4096];   /* the file's path from the root */
    const char *displaced; /* what has become of them; NULL: they are where they were */
    const char *unstored;  /* what became of a record of this transaction; NULL: all are stored */
    sqlite3_stmt *begin, *commit, *rollback, *insert, *insert_policy, *select, *put_base, *forget;
    journal_aside aside;
    uint64_t writer;
    journal_head base; /* where the chain of the file begins */
    journal_head head; /* of what is committed */
    journal_head next; /* of what is written in the open transaction */
} journal_file;

/* False: message, and *busy if it may pass: another process holds the file, a disk or memory fails.
 * Nothing stays open then. */
bool journal_file_open(journal_file *f, const char *path, char message[JOURNAL_MESSAGE_MAX],
                       bool *busy);
void journal_file_close(journal_file *f);

/* One transaction: begin, any number of puts, commit; each false when SQLite
 * refuses, and then journal_file_rollback. */
bool journal_file_begin(journal_file *f);
bool journal_file_put(journal_file *f, const hedge_record *record);
bool journal_file_put_policy(journal_file *f, const hedge_record *record, const char *policy_text);
bool journal_file_commit(journal_file *f);
void journal_file_rollback(journal_file *f);
/* Words for the last failure, SQLite's or ours. */
const char *journal_file_fault(const journal_file *f);

/* As journal_forget; between transactions. */
bool journal_file_forget(journal_file *f, uint64_t shipped, int64_t before_ns, size_t *gone);

/* As journal_rows, into room for `limit` rows. */
bool journal_file_rows(journal_file *f, uint64_t after, const char *asset, size_t limit,
                       journal_row *rows, size_t *n, uint64_t *next_after);

#endif
