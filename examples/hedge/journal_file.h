/* SPDX-License-Identifier: MIT
 * journal_file.h: opens a journal's file for reading, without changing or leaving anything. */
#ifndef HEDGE_CLI_JOURNAL_FILE_H
#define HEDGE_CLI_JOURNAL_FILE_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum journal_fault {
    JOURNAL_FINE,
    JOURNAL_UNREADABLE, /* it does not exist, or may not be read */
    JOURNAL_IN_USE,     /* a daemon owns it */
    JOURNAL_FOREIGN,    /* it is something else, or of a format we do not know */
    JOURNAL_DAMAGED     /* what was in it is not all there any more */
} journal_fault;

typedef struct journal_file {
    sqlite3 *db;
    int lock;   /* a descriptor that holds the lock, -1: SQLite holds it */
    int format; /* 1 to 3 */
    uint64_t writer;
    char base[96]; /* SEQ:HASH of the newest record that has left the file, "": none has */
} journal_file;

enum { JOURNAL_MESSAGE_MAX = 512 };

/* Opens and locks the journal, so that no daemon starts on it meanwhile, and
 * proves its tables (journal_tables.h). Nothing of it is changed. On a fault the message says what
 * to do. One thread at a time may use it. Close it in either case. */
journal_fault journal_file_open(const char *path, journal_file *file,
                                char message[JOURNAL_MESSAGE_MAX]);
/* Asks SQLite whether its pages, its indexes and the order of its rows hold together: what reads
 * well from one end to the other can still be lost to whoever looks for a row. Reads all of it.
 * False: message says what does not. */
bool journal_file_whole(const journal_file *file, char message[JOURNAL_MESSAGE_MAX]);
void journal_file_close(journal_file *file);

#endif
