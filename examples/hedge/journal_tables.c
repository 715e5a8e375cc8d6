/* SPDX-License-Identifier: MIT
 * journal_tables.c: proves that a file's tables are a journal's own, before a row is read. */
#include "journal_tables.h"

#include <stdio.h>
#include <string.h>

typedef struct declared {
    const char *name;
    int may, must; /* the first formats that may, and must, have it */
    const char *sql;
} declared;

/* As fold() leaves them. The whole text is compared, since PRAGMA table_xinfo shows no difference
 * between a rowid and `INTEGER PRIMARY KEY DESC` or a table WITHOUT ROWID, which hold any value. */
static const declared tables[] = {
    {"journal", 1, 1, "create table journal(key text primary key,value text not null)"},
    {"policies", 1, 1,
     "create table policies(hash blob primary key,ts_ns integer not null,text text not null)"},
    {"records", 1, 1,
     "create table records(seq integer primary key,kind integer not null,ts_ns integer not null,"
     "asset text not null,record blob not null,hash blob not null)"},
    {"certificates", 1, 2,
     "create table certificates(curve_hash blob not null,build text not null,ts_ns integer not "
     "null,primary key(curve_hash,build))"},
    {"parked", 2, 2,
     "create table parked(seq integer primary key,ts_ns integer not null,reason text not null,"
     "record blob not null,previous blob not null,hash blob not null)"},
    {"keys", 2, 2,
     "create table keys(key text primary key,ts_ns integer not null,record blob not null)without "
     "rowid"},
    {"halts", 3, 3,
     "create table halts(asset text primary key,ts_ns integer not null,seq integer not null,actor "
     "text not null,reason text not null)without rowid"},
};

enum { TABLE_COUNT = sizeof tables / sizeof tables[0], SQL_MAX = 512 };

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

static bool is_mark(char c)
{
    return c == '(' || c == ')' || c == ',';
}

/* Writes a statement in small letters, with a space only where two words would run together.
 * False: it is longer than any of ours. */
static bool fold(const char *sql, char folded[SQL_MAX])
{
    size_t at = 0;

    for (; *sql != '\0'; sql++) {
        const char c = (char)(*sql >= 'A' && *sql <= 'Z' ? *sql - 'A' + 'a' : *sql);

        if (at + 2 >= SQL_MAX) return false;
        if (is_space(c)) {
            if (at > 0 && folded[at - 1] != ' ' && !is_mark(folded[at - 1])) folded[at++] = ' ';
            continue;
        }
        if (is_mark(c) && at > 0 && folded[at - 1] == ' ') at--;
        folded[at++] = c;
    }
    if (at > 0 && folded[at - 1] == ' ') at--;
    folded[at] = '\0';
    return true;
}

/* SQLite writes these beginnings itself, and takes what it finds by the statement alone. */
static bool is_plain(const char *sql)
{
    static const char *const plain[] = {"CREATE TABLE ", "CREATE INDEX ", "CREATE UNIQUE INDEX ",
                                        "CREATE TRIGGER "};

    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
        if (strncmp(sql, plain[i], strlen(plain[i])) == 0) return true;
    return false;
}

/* Notes which of our tables one row of the schema declares; false: it is nothing plain. */
static bool take(sqlite3_stmt *row, bool seen[TABLE_COUNT])
{
    const char *type = (const char *)sqlite3_column_text(row, 0);
    const char *sql = (const char *)sqlite3_column_text(row, 1);
    const bool is_table = type != NULL && strcmp(type, "table") == 0;
    char folded[SQL_MAX];

    /* The index of a primary key has no statement. */
    if (sql == NULL) return type != NULL && strcmp(type, "index") == 0;
    if (!is_plain(sql) || is_table != (strncmp(sql, "CREATE TABLE ", 13) == 0)) return false;
    if (!is_table || !fold(sql, folded)) return true;
    for (size_t i = 0; i < TABLE_COUNT; i++)
        if (strcmp(folded, tables[i].sql) == 0) seen[i] = sqlite3_column_int64(row, 2) > 0;
    return true;
}

static bool read_schema(sqlite3 *db, bool seen[TABLE_COUNT], char *message, size_t capacity)
{
    sqlite3_stmt *rows = NULL;
    int step;

    sqlite3_prepare_v2(db, "SELECT type, sql, rootpage FROM sqlite_master", -1, &rows, NULL);
    while ((step = sqlite3_step(rows)) == SQLITE_ROW && message[0] == '\0')
        if (!take(rows, seen))
            snprintf(message, capacity,
                     "it holds a view, a virtual table or another thing that no journal has");
    sqlite3_finalize(rows);
    return message[0] == '\0' && step == SQLITE_DONE;
}

static bool is_there(sqlite3 *db, const char *table)
{
    return sqlite3_table_column_metadata(db, "main", table, NULL, NULL, NULL, NULL, NULL, NULL) ==
           SQLITE_OK;
}

bool journal_tables_check(sqlite3 *db, char *message, size_t capacity)
{
    bool seen[TABLE_COUNT] = {false};

    message[0] = '\0';
    if (!read_schema(db, seen, message, capacity)) return false;
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        const bool there = is_there(db, tables[i].name);

        if (!there && tables[i].must == 1)
            snprintf(message, capacity, "a database without its tables");
        else if (there && !seen[i])
            snprintf(message, capacity, "its table %s is not declared as a journal's",
                     tables[i].name);
        if (message[0] != '\0') return false;
    }
    return true;
}

const char *journal_tables_unfit(sqlite3 *db, int format)
{
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        const bool there = is_there(db, tables[i].name);

        if (there ? format < tables[i].may : format >= tables[i].must) return tables[i].name;
    }
    return NULL;
}
