/* SPDX-License-Identifier: MIT
 * journal_aside: what the journal's file keeps beside the chain. */
#include "journal_aside.h"

#include "clock.h"

#include <stdlib.h>
#include <string.h>

static bool prepare(journal_aside *a, const char *sql, sqlite3_stmt **out)
{
    return sqlite3_prepare_v3(a->db, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL) == SQLITE_OK;
}

bool journal_aside_open(journal_aside *a, sqlite3 *db)
{
    a->db = db;
    return prepare(a, "INSERT OR REPLACE INTO keys VALUES (?,?,?)", &a->put_key) &&
           prepare(a, "SELECT record FROM keys WHERE key = ? AND ts_ns >= ?", &a->find_key) &&
           prepare(a,
                   "DELETE FROM keys WHERE key IN"
                   " (SELECT key FROM keys WHERE ts_ns < ? ORDER BY ts_ns LIMIT 3)",
                   &a->drop_keys);
}

void journal_aside_close(journal_aside *a)
{
    sqlite3_finalize(a->put_key);
    sqlite3_finalize(a->find_key);
    sqlite3_finalize(a->drop_keys);
    *a = (journal_aside){0};
}

static bool step(sqlite3_stmt *statement)
{
    const bool done = sqlite3_step(statement) == SQLITE_DONE;

    return (sqlite3_reset(statement) == SQLITE_OK) && done;
}

/* Runs a statement that is used seldom, and forgets it. */
static bool step_once(sqlite3_stmt *statement)
{
    const bool done = sqlite3_step(statement) == SQLITE_DONE;

    return (sqlite3_finalize(statement) == SQLITE_OK) && done;
}

static void bind_hash(sqlite3_stmt *s, int i, const uint8_t hash[HEDGE_HASH_SIZE])
{
    sqlite3_bind_blob(s, i, hash, HEDGE_HASH_SIZE, SQLITE_STATIC);
}

void journal_row_take(sqlite3_stmt *s, int seq, int record, journal_row *row)
{
    const int n = sqlite3_column_bytes(s, record);
    const int hash = sqlite3_column_bytes(s, record + 1);

    row->seq = (uint64_t)sqlite3_column_int64(s, seq);
    row->n = 0;
    memset(row->hash, 0, sizeof(row->hash));
    if (n < 1 || n > HEDGE_RECORD_MAX || hash != HEDGE_HASH_SIZE) return;
    row->n = (size_t)n;
    memcpy(row->record, sqlite3_column_blob(s, record), row->n);
    memcpy(row->hash, sqlite3_column_blob(s, record + 1), HEDGE_HASH_SIZE);
}

/* ---- certificates --------------------------------------------------------- */

bool journal_aside_has_certificate(journal_aside *a, const uint8_t curve_hash[HEDGE_HASH_SIZE],
                                   const char *build)
{
    sqlite3_stmt *s;
    bool found;

    if (!prepare(a, "SELECT 1 FROM certificates WHERE curve_hash = ? AND build = ?", &s))
        return false;
    bind_hash(s, 1, curve_hash);
    sqlite3_bind_text(s, 2, build, -1, SQLITE_STATIC);
    found = sqlite3_step(s) == SQLITE_ROW;
    sqlite3_finalize(s);
    return found;
}

bool journal_aside_keep_certificate(journal_aside *a, const uint8_t curve_hash[HEDGE_HASH_SIZE],
                                    const char *build, int64_t ts_ns)
{
    sqlite3_stmt *s;

    if (!prepare(a, "INSERT OR REPLACE INTO certificates VALUES (?,?,?)", &s)) return false;
    bind_hash(s, 1, curve_hash);
    sqlite3_bind_text(s, 2, build, -1, SQLITE_STATIC);
    sqlite3_bind_int64(s, 3, ts_ns);
    return step_once(s);
}

/* ---- idempotency keys ----------------------------------------------------- */

bool journal_aside_put_key(journal_aside *a, const char *key, const hedge_record *record)
{
    uint8_t bytes[HEDGE_RECORD_MAX];
    size_t n;

    if (hedge_record_encode(record, bytes, sizeof(bytes), &n) != HEDGE_OK) return false;
    sqlite3_bind_text(a->put_key, 1, key, -1, SQLITE_STATIC);
    sqlite3_bind_int64(a->put_key, 2, record->ts_ns);
    sqlite3_bind_blob(a->put_key, 3, bytes, (int)n, SQLITE_STATIC);
    sqlite3_bind_int64(a->drop_keys, 1, record->ts_ns - JOURNAL_KEY_MS * NS_PER_MS);
    return step(a->put_key) && step(a->drop_keys);
}

int journal_aside_find_key(journal_aside *a, const char *key, int64_t since_ns, hedge_record *out)
{
    sqlite3_stmt *s = a->find_key;
    int code, found = -1;

    sqlite3_bind_text(s, 1, key, -1, SQLITE_STATIC);
    sqlite3_bind_int64(s, 2, since_ns);
    code = sqlite3_step(s);
    if (code == SQLITE_DONE) found = 0;
    if (code == SQLITE_ROW) {
        const void *bytes = sqlite3_column_blob(s, 0);
        const size_t n = (size_t)sqlite3_column_bytes(s, 0);

        if (hedge_record_decode(bytes, n, out) == HEDGE_OK) found = 1;
    }
    sqlite3_reset(s);
    return found;
}

/* ---- parked records ------------------------------------------------------- */

bool journal_aside_park(journal_aside *a, const journal_row *row,
                        const uint8_t previous[HEDGE_HASH_SIZE], const char *reason, int64_t ts_ns)
{
    sqlite3_stmt *s;

    if (!prepare(a, "INSERT OR REPLACE INTO parked VALUES (?,?,?,?,?,?)", &s)) return false;
    sqlite3_bind_int64(s, 1, (sqlite3_int64)row->seq);
    sqlite3_bind_int64(s, 2, ts_ns);
    sqlite3_bind_text(s, 3, reason, -1, SQLITE_STATIC);
    sqlite3_bind_blob(s, 4, row->record, (int)row->n, SQLITE_STATIC);
    bind_hash(s, 5, previous);
    bind_hash(s, 6, row->hash);
    return step_once(s);
}

bool journal_aside_unpark(journal_aside *a, uint64_t seq)
{
    sqlite3_stmt *s;

    if (!prepare(a, "DELETE FROM parked WHERE seq = ?", &s)) return false;
    sqlite3_bind_int64(s, 1, (sqlite3_int64)seq);
    return step_once(s);
}

bool journal_aside_parked(journal_aside *a, uint64_t after, size_t limit, journal_row *rows,
                          size_t *n)
{
    sqlite3_stmt *s;
    int code = SQLITE_DONE;

    *n = 0;
    if (!prepare(a, "SELECT seq, record, hash, previous FROM parked WHERE seq > ? ORDER BY seq",
                 &s))
        return false;
    sqlite3_bind_int64(s, 1, (sqlite3_int64)after);
    while (*n < limit && (code = sqlite3_step(s)) == SQLITE_ROW) {
        journal_row *row = &rows[(*n)++];

        journal_row_take(s, 0, 1, row);
        memset(row->previous, 0, sizeof(row->previous));
        if (sqlite3_column_bytes(s, 3) == sizeof(row->previous))
            memcpy(row->previous, sqlite3_column_blob(s, 3), sizeof(row->previous));
    }
    sqlite3_finalize(s);
    return code == SQLITE_ROW || code == SQLITE_DONE;
}

bool journal_aside_count_parked(journal_aside *a, uint64_t *n)
{
    sqlite3_stmt *s;
    bool read;

    if (!prepare(a, "SELECT count(*) FROM parked", &s)) return false;
    read = sqlite3_step(s) == SQLITE_ROW;
    if (read) *n = (uint64_t)sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return read;
}

/* ---- policies ------------------------------------------------------------- */

bool journal_aside_policy_text(journal_aside *a, const uint8_t policy_hash[HEDGE_HASH_SIZE],
                               char **out)
{
    sqlite3_stmt *s;
    char *copy = NULL;
    int code;

    *out = NULL;
    if (!prepare(a, "SELECT text FROM policies WHERE hash = ?", &s)) return false;
    bind_hash(s, 1, policy_hash);
    code = sqlite3_step(s);
    if (code == SQLITE_ROW) {
        const char *held = (const char *)sqlite3_column_text(s, 0);

        if (held != NULL) copy = strdup(held);
    }
    sqlite3_finalize(s);
    *out = copy;
    return copy != NULL || code == SQLITE_DONE;
}
