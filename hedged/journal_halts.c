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

static bool is_recorded(journal_file *f, const journal_halt *halt)
{
    hedge_record r = HEDGE_INIT(hedge_record);
    char note[sizeof(r.note)];
    journal_row row;
    uint64_t next;
    size_t n;

    if (halt->seq > 0 && halt->seq <= f->base.seq) return true; /* it has left */
    if (halt->seq == 0 || !journal_file_rows(f, halt->seq - 1, NULL, 1, &row, &n, &next) ||
        n != 1 || row.seq != halt->seq || hedge_record_decode(row.record, row.n, &r) != HEDGE_OK)
        return false;
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

int journal_halts_read(journal_file *f, journal_halt **out, size_t *n)
{
    sqlite3_stmt *s;
    int found = 1, code;

    *out = NULL;
    *n = 0;
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
    sqlite3_finalize(s);
    for (size_t i = 0; found == 1 && i < *n; i++)
        if (!is_recorded(f, &(*out)[i])) found = 0;
    if (found == 1) return 1;
    free(*out);
    *out = NULL;
    return found;
}
