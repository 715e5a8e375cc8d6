/* SPDX-License-Identifier: MIT
 * wal: the write-ahead log that SQLite keeps beside a database, and whether it was damaged.
 *
 * SQLite reads it up to the first frame whose checksum does not fit, and takes what follows for a
 * commit that a crash tore. So one changed bit makes all later commits vanish without a word. But
 * each commit is flushed before the next one is written (synchronous=FULL): a commit that another
 * follows was whole once, and where it is not any more, the file was changed. */
#ifndef HEDGE_WAL_H
#define HEDGE_WAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum wal_state {
    WAL_FINE,      /* not there, empty, or cut off where a crash may have cut it */
    WAL_DAMAGED,   /* commits that were whole would be passed over */
    WAL_UNREADABLE /* errno says why */
} wal_state;

/* Reads the -wal file of the database at `path`, whose pages have page_size bytes, and changes
 * nothing. *frame: the first that does not fit, from 1; 0: the header. Damage to the newest commit
 * alone looks like a torn write and is WAL_FINE. Nobody else may write the file meanwhile. */
wal_state wal_check(const char *path, size_t page_size, uint64_t *frame);

#endif
