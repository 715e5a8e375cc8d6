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
    " asset TEXT NOT NULL, record BLOB NOT NULL, hash BLOB NOT NULL);";

/* Records may leave, once `base` has passed them. */
static const char format_2[] =
    "CREATE TABLE IF NOT EXISTS certificates (curve_hash BLOB NOT NULL, build TEXT NOT NULL,"
    " ts_ns INTEGER NOT NULL, PRIMARY KEY (curve_hash, build));"
    "CREATE TABLE parked (seq INTEGER PRIMARY KEY, ts_ns INTEGER NOT NULL, reason TEXT NOT NULL,"
    " record BLOB NOT NULL, previous BLOB NOT NULL, hash BLOB NOT NULL);"
    "CREATE TABLE keys (key TEXT PRIMARY KEY, ts_ns INTEGER NOT NULL, record BLOB NOT NULL)"
    " WITHOUT ROWID;"
    "CREATE INDEX keys_by_age ON keys (ts_ns);"
    "DROP TRIGGER IF EXISTS records_no_delete;" /* to be made anew, with that exception */
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

/* They hold mishaps off, but for records that `base` has passed (CAST reads the number that its
 * text begins with). What others do without them the chain shows; what is not there is made anew,
 * so that a journal which `hedge verify` calls whole starts. */
static const char triggers[] =
    "CREATE TRIGGER IF NOT EXISTS records_no_update BEFORE UPDATE ON records"
    " BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;"
    "CREATE TRIGGER IF NOT EXISTS policies_no_update BEFORE UPDATE ON policies"
    " BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;"
    "CREATE TRIGGER IF NOT EXISTS policies_no_delete BEFORE DELETE ON policies"
    " BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;"
    "CREATE TRIGGER IF NOT EXISTS records_no_delete BEFORE DELETE ON records WHEN OLD.seq >"
    " ifnull((SELECT CAST(value AS INTEGER) FROM journal WHERE key = 'base'), 0)"
    " BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;";

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

bool journal_format_may_pass(sqlite3 *db)
{
    const int code = sqlite3_errcode(db) & 0xff;

    return code == SQLITE_BUSY || code == SQLITE_LOCKED || code == SQLITE_NOMEM ||
           code == SQLITE_IOERR || code == SQLITE_FULL || !journal_format_faulty(db);
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
           run(db, format_3) && run(db, triggers) && run(db, halt_orders) && run(db, sql) &&
           run(db, "COMMIT") && run(db, "PRAGMA wal_checkpoint(TRUNCATE)");
}

/* ---- what a file says of itself ------------------------------------------- */

/* A text without a NUL inside that fits. */
static bool take_text(sqlite3_stmt *s, int column, char *out, size_t capacity)
{
    const bool is_text = sqlite3_column_type(s, column) == SQLITE_TEXT; /* before it is made one */
    const char *held = (const char *)sqlite3_column_text(s, column);
    const size_t n = (size_t)sqlite3_column_bytes(s, column);

    if (!is_text || held == NULL || n == 0 || n >= capacity || strlen(held) != n) return false;
    memcpy(out, held, n + 1);
    return true;
}

typedef struct values {
    char format[32], writer[32], base[sizeof(((journal_identity *)NULL)->base)];
} values;

/* One row; false: `what`, or no memory. */
static bool take_value(sqlite3_stmt *s, values *v, char what[JOURNAL_SCHEMA_WORDS])
{
    const struct {
        const char *key;
        char *value;
        size_t capacity;
    } known[] = {{"format", v->format, sizeof(v->format)},
                 {"writer", v->writer, sizeof(v->writer)},
                 {"base", v->base, sizeof(v->base)}};
    char key[16];

    if (take_text(s, 0, key, sizeof(key)))
        for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
            if (strcmp(key, known[i].key) != 0) continue;
            if (known[i].value[0] == '\0' && take_text(s, 1, known[i].value, known[i].capacity))
                return true;
            snprintf(what, JOURNAL_SCHEMA_WORDS, "its %s is there twice, or no text", key);
            return false;
        }
    journal_schema_say(what, "table journal has the key", (const char *)sqlite3_column_text(s, 0),
                       "that is unknown");
    return false;
}

/* The rows of the table itself: its index could lead elsewhere, or past one. As
 * journal_format_identify. */
static int read_values(sqlite3 *db, values *v, char what[JOURNAL_SCHEMA_WORDS])
{
    sqlite3_stmt *s = NULL;
    bool fine = true;

    if (sqlite3_prepare_v2(db, "SELECT key, value FROM journal NOT INDEXED", -1, &s, NULL) !=
        SQLITE_OK)
        return -1;
    while (fine && sqlite3_step(s) == SQLITE_ROW)
        fine = take_value(s, v, what);
    if (sqlite3_finalize(s) != SQLITE_OK) return -1;
    return fine ? 1 : 0;
}

int journal_format_identify(sqlite3 *db, journal_identity *out, char what[JOURNAL_SCHEMA_WORDS])
{
    values v = {0};
    char spelt[WRITER_SIZE];
    const int read = read_values(db, &v, what);

    *out = (journal_identity){0};
    if (read != 1) return read;
    if (v.format[0] >= '1' && v.format[0] <= '3' && v.format[1] == '\0')
        out->format = v.format[0] - '0';
    if (out->format == 0) {
        snprintf(what, JOURNAL_SCHEMA_WORDS, "is not a journal of format 1, 2 or 3");
        return 0;
    }
    out->writer = strtoull(v.writer, NULL, 16);
    write_writer(out->writer, spelt);
    memcpy(out->base, v.base, sizeof(out->base));
    if (strcmp(v.writer, spelt) == 0 && out->writer >> 60 == 0) return 1;
    snprintf(what, JOURNAL_SCHEMA_WORDS, "its writer is none that a daemon wrote");
    return 0;
}

bool journal_format_upgrade(sqlite3 *db, int format)
{
    if (format == 3) return run(db, triggers) && run(db, halt_orders);
    /* A ROLLBACK would put its own success in the place of SQLite's error. */
    return run(db, "BEGIN IMMEDIATE") && (format == 2 || run(db, format_2)) && run(db, format_3) &&
           run(db, triggers) && run(db, halt_orders) && run(db, "COMMIT");
}
