/* SPDX-License-Identifier: MIT
 * halt_rows.c: the halts in force, as a journal's file holds them beside its chain. */
#include "halt_rows.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static bool wrong(source *s, const char *asset, const char *what, uint64_t seq)
{
    char record[32] = "";

    if (seq > 0) snprintf(record, sizeof record, " %" PRIu64, seq);
    return source_fail(s, "halts", "the table halts: %.31s: %s%s",
                       asset[0] != '\0' ? asset : "everything", what, record);
}

/* A text without NUL inside; NULL: it is something else. */
static const char *text_of(sqlite3_stmt *row, int column)
{
    const bool is_text = sqlite3_column_type(row, column) == SQLITE_TEXT;
    const char *text = (const char *)sqlite3_column_text(row, column);

    return is_text && text != NULL && strlen(text) == (size_t)sqlite3_column_bytes(row, column)
               ? text
               : NULL;
}

/* The row says what the newest record of its halt says (its note is ACTOR REASON, and an actor has
 * no spaces), and when the first one was. */
static bool check_halted(source *s, const source_chain *chain, sqlite3_stmt *row,
                         const halted_asset *last)
{
    const char *actor = text_of(row, 3);
    const size_t n = strlen(actor);

    if (last->seq == 0) return wrong(s, last->asset, "it stands there, but it was resumed", 0);
    if ((uint64_t)sqlite3_column_int64(row, 2) != last->seq)
        return wrong(s, last->asset, "its record is not the newest that halted it, record",
                     last->seq);
    if (strchr(actor, ' ') != NULL || strncmp(last->note, actor, n) != 0 || last->note[n] != ' ' ||
        strcmp(last->note + n + 1, text_of(row, 4)) != 0)
        return wrong(s, last->asset, "its actor and reason are not those of record", last->seq);
    /* Where the beginning has left the file, the first one cannot be known. */
    return (!last->resumed && chain->base.given) ||
           sqlite3_column_int64(row, 1) == last->since_ns ||
           wrong(s, last->asset, "its time is not that of the first record that halted it", 0);
}

static bool check_row(source *s, const source_chain *chain, const halt_check *halted,
                      sqlite3_stmt *row)
{
    const char *asset = text_of(row, 0);
    const int64_t seq = sqlite3_column_int64(row, 2);
    const halted_asset *last;

    if (asset == NULL || sqlite3_column_type(row, 1) != SQLITE_INTEGER ||
        sqlite3_column_type(row, 2) != SQLITE_INTEGER || text_of(row, 3) == NULL ||
        text_of(row, 4) == NULL)
        return source_fail(s, "halts", "the table halts: a row is not of the journal's types");
    last = halt_check_last(halted, asset);
    if (last != NULL) return check_halted(s, chain, row, last);
    return (chain->base.given && seq > 0 && (uint64_t)seq <= chain->base.seq) ||
           wrong(s, asset, "it stands there, but no record halted it", 0);
}

static bool check_missing(source *s, sqlite3 *db, const halt_check *halted)
{
    sqlite3_stmt *find = NULL;
    bool fine = true;

    sqlite3_prepare_v2(db, "SELECT 1 FROM halts WHERE asset = ?1", -1, &find, NULL);
    for (size_t i = 0; fine && i < halted->n; i++) {
        if (halted->at[i].seq == 0) continue;
        sqlite3_bind_text(find, 1, halted->at[i].asset, -1, SQLITE_STATIC);
        fine = sqlite3_step(find) == SQLITE_ROW ||
               wrong(s, halted->at[i].asset, "it is not there, but it was halted by record",
                     halted->at[i].seq);
        sqlite3_reset(find);
    }
    sqlite3_finalize(find);
    return fine;
}

bool halt_rows_check(source *s, sqlite3 *db, const source_chain *chain, const halt_check *halted)
{
    sqlite3_stmt *rows = NULL;
    bool fine = true;
    int step;

    sqlite3_prepare_v2(db, "SELECT asset, ts_ns, seq, actor, reason FROM halts", -1, &rows, NULL);
    while ((step = sqlite3_step(rows)) == SQLITE_ROW && fine)
        fine = check_row(s, chain, halted, rows);
    if (fine && step != SQLITE_DONE)
        fine = source_fail(s, "damaged", "damaged file: %s", sqlite3_errmsg(db));
    sqlite3_finalize(rows);
    return fine && check_missing(s, db, halted);
}
