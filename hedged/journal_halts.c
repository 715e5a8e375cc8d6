/* SPDX-License-Identifier: MIT
 * journal_halts: the halts in force, as the journal's file keeps them beside the
 * chain. */
#include "journal_halts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool run_once(sqlite3_stmt *statement)
{
    const bool done = sqlite3_step(statement) == SQLITE_DONE;

    return (sqlite3_finalize(statement) == SQLITE_OK) && done;
}

static bool set(sqlite3 *db, uint64_t seq, const journal_halt *halt)
{
    sqlite3_stmt *s;

    if (sqlite3_prepare_v2(db, "INSERT OR REPLACE INTO halts VALUES (?,?,?,?,?)", -1, &s, NULL) !=
        SQLITE_OK)
        return false;
    sqlite3_bind_text(s, 1, halt->asset, -1, SQLITE_STATIC);
    sqlite3_bind_int64(s, 2, halt->since_ns);
    sqlite3_bind_int64(s, 3, (sqlite3_int64)seq);
    sqlite3_bind_text(s, 4, halt->actor, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 5, halt->reason, -1, SQLITE_STATIC);
    return run_once(s);
}

static bool clear(sqlite3 *db, const char *asset)
{
    sqlite3_stmt *s;

    if (sqlite3_prepare_v2(db, "DELETE FROM halts WHERE asset = ?", -1, &s, NULL) != SQLITE_OK)
        return false;
    sqlite3_bind_text(s, 1, asset, -1, SQLITE_STATIC);
    return run_once(s);
}

bool journal_halts_apply(journal_file *f, const hedge_record *record, const journal_halt *halt)
{
    return record->kind == HEDGE_RECORD_HALT ? set(f->db, record->seq, halt)
                                             : clear(f->db, halt->asset);
}

void journal_halts_note(const journal_halt *halt, char *note, size_t capacity)
{
    char whole[JOURNAL_ACTOR_MAX + JOURNAL_REASON_MAX + 2];

    snprintf(whole, sizeof(whole), "%s %s", halt->actor, halt->reason);
    text_copy_utf8(note, capacity, whole);
}

/* A text of at least so many bytes that fits, without NUL inside. */
static bool take_text(sqlite3_stmt *s, int column, size_t least, char *out, size_t capacity)
{
    const char *value = (const char *)sqlite3_column_text(s, column);
    const size_t n = (size_t)sqlite3_column_bytes(s, column);

    if (value == NULL || n < least || n >= capacity || strlen(value) != n) return false;
    memcpy(out, value, n + 1);
    return true;
}

static bool take(sqlite3_stmt *s, journal_halt *out)
{
    *out = (journal_halt){.since_ns = sqlite3_column_int64(s, 1),
                          .seq = (uint64_t)sqlite3_column_int64(s, 2)};
    return take_text(s, 0, 0, out->asset, sizeof(out->asset)) &&
           take_text(s, 3, 1, out->actor, sizeof(out->actor)) &&
           take_text(s, 4, 1, out->reason, sizeof(out->reason));
}

/* 1: its record says so, or has left; 0: it does not; -1: SQLite's error. */
static int is_recorded(journal_file *f, const journal_halt *halt)
{
    hedge_record r = HEDGE_INIT(hedge_record);
    char note[sizeof(r.note)];
    journal_row row;
    uint64_t next;
    size_t n;

    if (halt->seq == 0) return 0;
    if (halt->seq <= f->base.seq) return 1; /* it has left */
    if (!journal_file_rows(f, halt->seq - 1, NULL, 1, &row, &n, &next)) return -1;
    if (n != 1 || row.seq != halt->seq || hedge_record_decode(row.record, row.n, &r) != HEDGE_OK)
        return 0;
    journal_halts_note(halt, note, sizeof(note));
    return r.kind == HEDGE_RECORD_HALT && strcmp(r.asset, halt->asset) == 0 &&
           strcmp(r.note, note) == 0;
}

static bool grow(journal_halt **list, size_t n)
{
    journal_halt *more;

    if (n % 64 != 0) return true;
    more = realloc(*list, (n + 64) * sizeof(**list));
    if (more != NULL) *list = more;
    return more != NULL;
}

/* The newest order of each asset, and the latch that is not what it says: there,
 * though it was resumed; missing; or of another order. */
static const char wrong_latch[] =
    "SELECT o.asset, o.seq, o.kind, h.asset IS NOT NULL"
    " FROM (SELECT asset, max(seq) AS seq, kind FROM records INDEXED BY halt_orders"
    "       WHERE kind IN (6, 7) GROUP BY asset) AS o"
    " LEFT JOIN halts AS h ON h.asset = o.asset"
    " WHERE CASE o.kind WHEN 6 THEN h.seq IS NOT o.seq ELSE h.asset IS NOT NULL END LIMIT 1";

/* The latch whose time is not that of the first halt behind the last resume. Where
 * the beginning has left the file, it cannot be known: ?1 is the base's seq. */
static const char wrong_time[] =
    "WITH resumed AS (SELECT h.asset, h.ts_ns, (SELECT max(seq) FROM records INDEXED BY halt_orders"
    "  WHERE kind IN (6, 7) AND kind = 7 AND records.asset = h.asset) AS seq FROM halts AS h)"
    " SELECT h.asset, o.seq, o.kind, 1 FROM resumed AS h JOIN records AS o ON o.seq ="
    "  (SELECT min(seq) FROM records INDEXED BY halt_orders WHERE kind IN (6, 7) AND kind = 6"
    "   AND records.asset = h.asset AND records.seq > ifnull(h.seq, 0))"
    " WHERE (h.seq IS NOT NULL OR ?1 = 0) AND o.ts_ns IS NOT h.ts_ns LIMIT 1";

static void name_wrong(sqlite3_stmt *s, const char *which, char what[JOURNAL_HALTS_WORDS])
{
    const char *asset = (const char *)sqlite3_column_text(s, 0);
    const bool all = asset == NULL || asset[0] == '\0';
    const bool halts = sqlite3_column_int(s, 2) == HEDGE_RECORD_HALT;

    snprintf(what, JOURNAL_HALTS_WORDS, "%s %.31s %s by record %lld", which,
             all ? "all assets" : asset, halts ? "halted" : "resumed",
             (long long)sqlite3_column_int64(s, 1));
}

/* 1: all are as the records say; 0: `what`; -1: SQLite's error. */
static int compare(journal_file *f, const char *sql, bool times, char what[JOURNAL_HALTS_WORDS])
{
    sqlite3_stmt *s;
    int code;

    if (sqlite3_prepare_v2(f->db, sql, -1, &s, NULL) != SQLITE_OK) return -1;
    if (times) sqlite3_bind_int64(s, 1, (sqlite3_int64)f->base.seq);
    code = sqlite3_step(s);
    if (code == SQLITE_ROW)
        name_wrong(s,
                   times                           ? "another time than that of"
                   : sqlite3_column_int(s, 3) != 0 ? "the row is not that of"
                                                   : "no row for",
                   what);
    sqlite3_finalize(s);
    return code == SQLITE_DONE ? 1 : code == SQLITE_ROW ? 0 : -1;
}

static int read_rows(journal_file *f, journal_halt **out, size_t *n, char what[JOURNAL_HALTS_WORDS])
{
    sqlite3_stmt *s;
    int found = 1, code;

    if (sqlite3_prepare_v2(f->db, "SELECT asset, ts_ns, seq, actor, reason FROM halts", -1, &s,
                           NULL) != SQLITE_OK)
        return -1;
    while ((code = sqlite3_step(s)) == SQLITE_ROW && found == 1) {
        if (!grow(out, *n))
            found = -1;
        else
            found = take(s, &(*out)[(*n)++]) ? 1 : 0;
    }
    if (found == 1 && code != SQLITE_DONE) found = -1;
    if (sqlite3_finalize(s) != SQLITE_OK) found = -1; /* also no memory for one of its texts */
    if (found == 0) snprintf(what, JOURNAL_HALTS_WORDS, "a row is no halt");
    return found;
}

int journal_halts_read(journal_file *f, journal_halt **out, size_t *n,
                       char what[JOURNAL_HALTS_WORDS])
{
    int found;

    *out = NULL;
    *n = 0;
    found = read_rows(f, out, n, what);
    if (found == 1) found = compare(f, wrong_latch, false, what);
    for (size_t i = 0; found == 1 && i < *n; i++) {
        const char *asset = (*out)[i].asset;

        found = is_recorded(f, &(*out)[i]);
        if (found == 0)
            snprintf(what, JOURNAL_HALTS_WORDS, "the row of %s is not what its record %llu says",
                     asset[0] != '\0' ? asset : "all assets", (unsigned long long)(*out)[i].seq);
    }
    if (found == 1) found = compare(f, wrong_time, true, what);
    if (found == 1) return 1;
    free(*out);
    *out = NULL;
    return found;
}
