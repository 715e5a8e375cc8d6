/* SPDX-License-Identifier: MIT
 * wal: the write-ahead log that SQLite keeps beside a database, and whether it was damaged.
 *
 * SQLite reads it up to the first frame whose checksum does not fit, and takes what follows for a
 * commit that a crash tore. So one changed bit makes all later commits vanish without a word. But
 * each commit is flushed before the next one is written (synchronous=FULL): a commit that another
 * follows was whole once, and where it is not any more, the file was changed. */
#ifndef HEDGE_WAL_H
#define HEDGE_WAL_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum wal_state {
    WAL_FINE,      /* not there, empty, or cut off where a crash may have cut it */
    WAL_DAMAGED,   /* commits that were whole would be passed over */
    WAL_UNREADABLE /* errno says why */
} wal_state;

/* Reads the -wal file of the database at `path`, which `db` has open and locked, and changes
 * nothing. *frame: the first that does not fit, from 1; 0: the header. Damage to the newest commit
 * alone looks like a torn write and is WAL_FINE. */
wal_state wal_check(sqlite3 *db, const char *path, uint64_t *frame);

/* Flushes what a killed process has left in it unflushed. Before anything is written behind that:
 * else a crash could keep the later commit without the earlier one. False: errno. */
bool wal_flush(const char *path);

#endif
