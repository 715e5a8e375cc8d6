/* SPDX-License-Identifier: MIT
 * parked.c: the records that Postgres refused, of which a journal's file keeps copies. */
#include "parked.h"

#include <inttypes.h>
#include <string.h>

/* The row before, while rows are read in the order of their numbers. */
typedef struct parked_place {
    int64_t seq; /* 0: none */
    uint8_t hash[HEDGE_HASH_SIZE];
} parked_place;

/* A journal of format 1 has no such table, and nothing parked. */
static bool has_table(sqlite3 *db)
{
    return sqlite3_table_column_metadata(db, "main", "parked", NULL, NULL, NULL, NULL, NULL,
                                         NULL) == SQLITE_OK;
}

static bool wrong(source *s, int64_t seq, const char *what)
{
    return source_fail(s, "parked", "the parked copy of record %" PRId64 ": %s", seq, what);
}

static bool unreadable(source *s, sqlite3 *db)
{
    return source_fail(s, "parked", "the table parked cannot be read: %s", sqlite3_errmsg(db));
}

/* Numbers rise: pages that were tied into a ring would be counted for ever. */
static bool rises(source *s, int64_t seq, int64_t before)
{
    return seq > before || wrong(s, seq, "it is not in its place");
}

bool parked_count(source *s, sqlite3 *db, source_chain *chain)
{
    sqlite3_stmt *rows = NULL;
    int64_t seq, before = 0;
    bool fine = true;
    int step;

    if (!has_table(db)) return true;
    sqlite3_prepare_v2(db, "SELECT seq FROM parked NOT INDEXED ORDER BY seq", -1, &rows, NULL);
    while ((step = sqlite3_step(rows)) == SQLITE_ROW && fine) {
        seq = sqlite3_column_int64(rows, 0);
        fine = rises(s, seq, before);
        before = seq;
        chain->parked++;
        if (chain->base.given && fine && (uint64_t)seq <= chain->base.seq) chain->parked_alone++;
    }
    if (fine && step != SQLITE_DONE) fine = unreadable(s, db);
    sqlite3_finalize(rows);
    return fine;
}

static bool is_blob(sqlite3_stmt *row, int column, size_t size)
{
    return sqlite3_column_type(row, column) == SQLITE_BLOB &&
           (size_t)sqlite3_column_bytes(row, column) == size;
}

static bool same_blob(sqlite3_stmt *a, int i, sqlite3_stmt *b, int k)
{
    const size_t size = (size_t)sqlite3_column_bytes(a, i);

    return is_blob(b, k, size) &&
           memcmp(sqlite3_column_blob(a, i), sqlite3_column_blob(b, k), size) == 0;
}

/* Its bytes are this record, and its hash is made of them. */
static bool check_bytes(source *s, const source_chain *chain, sqlite3_stmt *row)
{
    const int64_t seq = sqlite3_column_int64(row, 0);
    const size_t size = (size_t)sqlite3_column_bytes(row, 3);
    hedge_record record = HEDGE_INIT(hedge_record);
    uint8_t hash[HEDGE_HASH_SIZE];

    if (sqlite3_column_type(row, 1) != SQLITE_INTEGER ||
        sqlite3_column_type(row, 2) != SQLITE_TEXT || !is_blob(row, 4, HEDGE_HASH_SIZE) ||
        !is_blob(row, 5, HEDGE_HASH_SIZE))
        return wrong(s, seq, "its columns are not of the journal's types");
    if (!is_blob(row, 3, size) || size == 0 || size > HEDGE_RECORD_MAX ||
        hedge_record_decode(sqlite3_column_blob(row, 3), size, &record) != HEDGE_OK)
        return wrong(s, seq, "its bytes are not a record");
    if (record.writer != chain->writer) return wrong(s, seq, "another writer wrote it");
    if (record.seq != (uint64_t)seq) return wrong(s, seq, "its bytes are those of another record");
    if (hedge_record_chain(sqlite3_column_blob(row, 4), sqlite3_column_blob(row, 3), size, hash) !=
            HEDGE_OK ||
        memcmp(hash, sqlite3_column_blob(row, 5), sizeof hash) != 0)
        return wrong(s, seq, "its hash does not follow from its bytes and the hash before it");
    return true;
}

/* It stands in the chain where its number says, as far as its neighbours are known. */
static bool check_neighbours(source *s, const source_chain *chain, sqlite3_stmt *row,
                             const parked_place *before)
{
    static const uint8_t none[HEDGE_HASH_SIZE];
    const int64_t seq = sqlite3_column_int64(row, 0);
    const uint8_t *known = seq == 1 ? none : before->seq == seq - 1 ? before->hash : NULL;

    if (known != NULL && memcmp(sqlite3_column_blob(row, 4), known, HEDGE_HASH_SIZE) != 0)
        return wrong(s, seq, "the hash before it is not that of the record before it");
    if (chain->base.given && (uint64_t)seq == chain->base.seq &&
        memcmp(sqlite3_column_blob(row, 5), chain->base.hash, HEDGE_HASH_SIZE) != 0)
        return wrong(s, seq, "its hash is not that of the base");
    return true;
}

/* Where the record is in the file, its copy is equal. */
static bool check_twin(source *s, sqlite3 *db, const source_chain *chain, sqlite3_stmt *row,
                       sqlite3_stmt *records, uint64_t head)
{
    const int64_t seq = sqlite3_column_int64(row, 0);
    bool same;

    if (chain->base.given && (uint64_t)seq <= chain->base.seq) return true;
    if ((uint64_t)seq > head) return wrong(s, seq, "the journal ends before it");
    if (sqlite3_bind_int64(records, 1, seq) != SQLITE_OK || sqlite3_step(records) != SQLITE_ROW)
        return unreadable(s, db);
    same = same_blob(row, 3, records, 0) && same_blob(row, 5, records, 1);
    sqlite3_reset(records);
    return same || wrong(s, seq, "it differs from the record");
}

static bool check_rows(source *s, sqlite3 *db, const source_chain *chain, uint64_t head,
                       sqlite3_stmt *rows, sqlite3_stmt *records)
{
    parked_place before = {0};
    int step;

    while ((step = sqlite3_step(rows)) == SQLITE_ROW) {
        const int64_t seq = sqlite3_column_int64(rows, 0);

        if (!rises(s, seq, before.seq) || !check_bytes(s, chain, rows) ||
            !check_neighbours(s, chain, rows, &before) ||
            !check_twin(s, db, chain, rows, records, head))
            return false;
        before.seq = seq;
        memcpy(before.hash, sqlite3_column_blob(rows, 5), sizeof before.hash);
    }
    return step == SQLITE_DONE || unreadable(s, db);
}

bool parked_check(source *s, sqlite3 *db, const source_chain *chain, uint64_t head)
{
    sqlite3_stmt *rows = NULL, *records = NULL;
    bool fine;

    if (!has_table(db)) return true;
    if (sqlite3_prepare_v2(db,
                           "SELECT seq, ts_ns, reason, record, previous, hash FROM parked NOT "
                           "INDEXED ORDER BY seq",
                           -1, &rows, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(db, "SELECT record, hash FROM records NOT INDEXED WHERE seq = ?1", -1,
                           &records, NULL) != SQLITE_OK)
        fine = unreadable(s, db);
    else
        fine = check_rows(s, db, chain, head, rows, records);
    sqlite3_finalize(rows);
    sqlite3_finalize(records);
    return fine;
}
