/* SPDX-License-Identifier: MIT
 * journal_aside: what the journal's file keeps beside the chain. Certificates of
 * curves, answers to idempotency keys, copies of records that the database
 * refuses, the texts of policies. Not thread-safe: journal locks. */
#ifndef HEDGED_JOURNAL_ASIDE_H
#define HEDGED_JOURNAL_ASIDE_H

#include "journal.h"

#include <sqlite3.h>

typedef struct journal_aside {
    sqlite3 *db;
    sqlite3_stmt *put_key, *find_key, *drop_keys; /* each request with a key uses them */
} journal_aside;

/* Reads one row out of these columns, the hash behind the record. row->n is 0
 * for what cannot be a record: a page goes on without it. */
void journal_row_take(sqlite3_stmt *s, int seq, int record, journal_row *row);

/* The file has the newest format. False: SQLite's error. */
bool journal_aside_open(journal_aside *a, sqlite3 *db);
void journal_aside_close(journal_aside *a);

/* What journal_has_certificate and journal_keep_certificate say. */
bool journal_aside_has_certificate(journal_aside *a, const uint8_t curve_hash[HEDGE_HASH_SIZE],
                                   const char *build);
bool journal_aside_keep_certificate(journal_aside *a, const uint8_t curve_hash[HEDGE_HASH_SIZE],
                                    const char *build, int64_t ts_ns);

/* Inside a transaction: this record, numbered by now, answers the key. Drops a
 * few keys that are out of date, so that they stay bounded. */
bool journal_aside_put_key(journal_aside *a, const char *key, const hedge_record *record);
/* As journal_find_key; older than `since_ns` counts as none. */
int journal_aside_find_key(journal_aside *a, const char *key, int64_t since_ns, hedge_record *out);

/* What journal_park, _unpark and _parked say. */
bool journal_aside_park(journal_aside *a, const journal_row *row,
                        const uint8_t previous[HEDGE_HASH_SIZE], const char *reason, int64_t ts_ns);
bool journal_aside_unpark(journal_aside *a, uint64_t seq);
bool journal_aside_parked(journal_aside *a, uint64_t after, size_t limit, journal_row *rows,
                          size_t *n);
/* How many are parked; false: SQLite's error. */
bool journal_aside_count_parked(journal_aside *a, uint64_t *n);

/* *out: malloc'ed; NULL: none of that hash. False: it cannot be read, or no memory. */
bool journal_aside_policy_text(journal_aside *a, const uint8_t policy_hash[HEDGE_HASH_SIZE],
                               char **out);

#endif
