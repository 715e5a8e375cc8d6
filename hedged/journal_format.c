/* SPDX-License-Identifier: MIT
 * journal_format: the tables of the journal's file, and whether a file has them. */
#include "journal_format.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* What was there from the beginning. Nothing below changes: files like it exist. */
static const char format_1[] =
    "CREATE TABLE journal (key TEXT PRIMARY KEY, value TEXT NOT NULL);"
    "CREATE TABLE policies (hash BLOB PRIMARY KEY, ts_ns INTEGER NOT NULL, text TEXT NOT NULL);"
    "CREATE TABLE records (seq INTEGER PRIMARY KEY, kind INTEGER NOT NULL, ts_ns INTEGER NOT NULL,"
    " asset TEXT NOT NULL, record BLOB NOT NULL, hash BLOB NOT NULL);"
    "CREATE TRIGGER records_no_update BEFORE UPDATE ON records"
    " BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;"
    "CREATE TRIGGER policies_no_update BEFORE UPDATE ON policies"
    " BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;"
    "CREATE TRIGGER policies_no_delete BEFORE DELETE ON policies"
    " BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;";

/* Records may leave, once `base` has passed them. CAST reads the number that
 * its text begins with. */
static const char format_2[] =
    "CREATE TABLE IF NOT EXISTS certificates (curve_hash BLOB NOT NULL, build TEXT NOT NULL,"
    " ts_ns INTEGER NOT NULL, PRIMARY KEY (curve_hash, build));"
    "CREATE TABLE parked (seq INTEGER PRIMARY KEY, ts_ns INTEGER NOT NULL, reason TEXT NOT NULL,"
    " record BLOB NOT NULL, previous BLOB NOT NULL, hash BLOB NOT NULL);"
    "CREATE TABLE keys (key TEXT PRIMARY KEY, ts_ns INTEGER NOT NULL, record BLOB NOT NULL)"
    " WITHOUT ROWID;"
    "CREATE INDEX keys_by_age ON keys (ts_ns);"
    "DROP TRIGGER IF EXISTS records_no_delete;"
    "CREATE TRIGGER records_no_delete BEFORE DELETE ON records WHEN OLD.seq >"
    " ifnull((SELECT CAST(value AS INTEGER) FROM journal WHERE key = 'base'), 0)"
    " BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;"
    "INSERT OR REPLACE INTO journal VALUES ('format', '2');";

/* The halts in force; asset '' is that of all. A daemon that does not know them
 * would decide in spite of them, so it must not know this format. */
static const char format_3[] =
    "CREATE TABLE halts (asset TEXT PRIMARY KEY, ts_ns INTEGER NOT NULL, seq INTEGER NOT NULL,"
    " actor TEXT NOT NULL, reason TEXT NOT NULL) WITHOUT ROWID;"
    "INSERT OR REPLACE INTO journal VALUES ('format', '3');";

/* Finds the halts and resumes among millions of records; what is not there is made anew. */
static const char halt_orders[] =
    "CREATE INDEX IF NOT EXISTS halt_orders ON records (asset, seq, kind, ts_ns)"
    " WHERE kind IN (6, 7)";

/* 16 digits and a NUL. What reads the same in another spelling was changed by others. */
enum { WRITER_SIZE = 17 };

static bool run(sqlite3 *db, const char *sql)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

bool journal_format_faulty(sqlite3 *db)
{
    const int code = sqlite3_errcode(db) & 0xff;

    return code != SQLITE_OK && code != SQLITE_ROW && code != SQLITE_DONE;
}

int journal_format_count(sqlite3 *db)
{
    sqlite3_stmt *s;
    int n = -1;

    if (sqlite3_prepare_v2(db, "SELECT count(*) FROM sqlite_master", -1, &s, NULL) != SQLITE_OK)
        return -1;
    if (sqlite3_step(s) == SQLITE_ROW) n = sqlite3_column_int(s, 0);
    sqlite3_finalize(s);
    return n;
}

static void write_writer(uint64_t writer, char out[WRITER_SIZE])
{
    snprintf(out, WRITER_SIZE, "%016" PRIx64, writer);
}

bool journal_format_create(sqlite3 *db)
{
    uint64_t writer;
    char spelt[WRITER_SIZE], sql[160];

    if (getrandom(&writer, sizeof(writer), 0) != (ssize_t)sizeof(writer)) return false;
    writer >>= 4; /* 60 bits fit a decision_id */
    write_writer(writer, spelt);
    snprintf(sql, sizeof(sql), "INSERT INTO journal VALUES ('writer','%s')", spelt);
    return run(db, "BEGIN IMMEDIATE") && run(db, format_1) && run(db, format_2) &&
           run(db, format_3) && run(db, halt_orders) && run(db, sql) && run(db, "COMMIT") &&
           run(db, "PRAGMA wal_checkpoint(TRUNCATE)");
}

bool journal_format_setting(sqlite3 *db, const char *key, char *out, size_t capacity)
{
    sqlite3_stmt *s;
    bool found = false;

    if (sqlite3_prepare_v2(db, "SELECT value FROM journal WHERE key = ?", -1, &s, NULL) !=
        SQLITE_OK)
        return false;
    sqlite3_bind_text(s, 1, key, -1, SQLITE_STATIC);
    if (sqlite3_step(s) == SQLITE_ROW) {
        const char *held = (const char *)sqlite3_column_text(s, 0); /* NULL: no memory, or NULL */

        found = held != NULL;
        if (found) snprintf(out, capacity, "%s", held);
    }
    sqlite3_finalize(s);
    return found;
}

/* 0: none that this daemon knows. */
static int read_format(sqlite3 *db)
{
    char value[32];

    if (!journal_format_setting(db, "format", value, sizeof(value)) || strlen(value) != 1) return 0;
    return value[0] >= '1' && value[0] <= '3' ? value[0] - '0' : 0;
}

bool journal_format_identify(sqlite3 *db, uint64_t *writer)
{
    char value[32], spelt[WRITER_SIZE];

    if (read_format(db) == 0) return false;
    if (!journal_format_setting(db, "writer", value, sizeof(value))) return false;
    *writer = strtoull(value, NULL, 16);
    write_writer(*writer, spelt);
    return strcmp(value, spelt) == 0 && *writer >> 60 == 0;
}

bool journal_format_upgrade(sqlite3 *db)
{
    const int format = read_format(db);

    if (format == 3) return run(db, halt_orders);
    if (format == 0) return false; /* it was known before: SQLite could not read it again */
    if (run(db, "BEGIN IMMEDIATE") && (format == 2 || run(db, format_2)) && run(db, format_3) &&
        run(db, halt_orders) && run(db, "COMMIT"))
        return true;
    run(db, "ROLLBACK");
    return false;
}
