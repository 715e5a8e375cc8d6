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

#define APPEND_ONLY "begin select raise(abort,'the journal is append-only'); end"

/* The triggers that a daemon makes; another one would run whenever a daemon writes. The last is
 * that of format 1. */
static const char *const triggers[] = {
    "create trigger records_no_update before update on records " APPEND_ONLY,
    "create trigger policies_no_update before update on policies " APPEND_ONLY,
    "create trigger policies_no_delete before delete on policies " APPEND_ONLY,
    "create trigger records_no_delete before delete on records when old.seq > ifnull((select "
    "cast(value as integer)from journal where key = 'base'),0)" APPEND_ONLY,
    "create trigger records_no_delete before delete on records " APPEND_ONLY,
};

/* The indexes that a daemon makes; they are searched by these names. */
static const char *const indexes[] = {
    "create index keys_by_age on keys(ts_ns)",
    "create index halt_orders on records(asset,seq,kind,ts_ns)where kind in(6,7)",
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

static bool is_mark(char c)
{
    return c == '(' || c == ')' || c == ',';
}

/* Writes a statement in small letters, with a space only where two words would run together; what
 * stands between quotes stays as it is. False: it is longer than any of ours. */
static bool fold(const char *sql, char folded[SQL_MAX])
{
    bool quoted = false;
    size_t at = 0;

    for (; *sql != '\0'; sql++) {
        const bool small = quoted || *sql < 'A' || *sql > 'Z';
        const char c = (char)(small ? *sql : *sql - 'A' + 'a');

        if (at + 2 >= SQL_MAX) return false;
        if (c == '\'') quoted = !quoted;
        if (quoted) {
            folded[at++] = c;
            continue;
        }
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

/* A table of others holds columns alone: brackets within its brackets could be a condition, which
 * is worked out for each row when the file is looked through, and may take for ever. */
static bool has_expression(const char *sql)
{
    int depth = 0;

    for (; *sql != '\0' && depth < 2; sql++)
        depth += *sql == '(' ? 1 : *sql == ')' ? -1 : 0;
    return depth >= 2;
}

static bool is_one_of(const char *folded, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(folded, list[i]) == 0) return true;
    return false;
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

/* Steps over a word and the text behind it; NULL: something else is there. */
static const char *step_over(const char *p, const char *behind)
{
    const char *end = p;

    while (is_word(*end))
        end++;
    return end > p && strncmp(end, behind, strlen(behind)) == 0 ? end + strlen(behind) : NULL;
}

/* Of columns alone, as `create index NAME on TABLE(a,b)`, and by a name that is none of ours.
 * Neither an expression nor a condition, which would be worked out for each row. */
static bool is_of_columns(const char *folded)
{
    const char *const name = folded + strlen("create index ");
    const char *p = step_over(name, " on ");

    if (p == NULL || strncmp(name, "keys_by_age ", 12) == 0 ||
        strncmp(name, "halt_orders ", 12) == 0)
        return false;
    p = step_over(p, "(");
    while (p != NULL && step_over(p, ",") != NULL)
        p = step_over(p, ",");
    p = p != NULL ? step_over(p, ")") : NULL;
    return p != NULL && *p == '\0';
}

/* A trigger or an index that a journal may have. A UNIQUE one would refuse or remove rows. */
static bool is_known(const char *sql)
{
    char folded[SQL_MAX];

    if (!fold(sql, folded)) return false;
    if (strncmp(folded, "create index ", 13) == 0)
        return is_one_of(folded, indexes, sizeof indexes / sizeof indexes[0]) ||
               is_of_columns(folded);
    return is_one_of(folded, triggers, sizeof triggers / sizeof triggers[0]);
}

/* Notes which of our tables one row of the schema declares. False: `message` says what it is. */
static bool take(sqlite3_stmt *row, bool seen[TABLE_COUNT], char *message, size_t capacity)
{
    const char *type = (const char *)sqlite3_column_text(row, 0);
    const char *sql = (const char *)sqlite3_column_text(row, 1);
    const char *name = (const char *)sqlite3_column_text(row, 3);
    const bool is_table = type != NULL && strcmp(type, "table") == 0;
    char folded[SQL_MAX];

    /* The index of a primary key has no statement. */
    if (sql == NULL ? type == NULL || strcmp(type, "index") != 0
                    : !is_plain(sql) || is_table != (strncmp(sql, "CREATE TABLE ", 13) == 0)) {
        snprintf(message, capacity,
                 "it holds a view, a virtual table or another thing that no journal has");
        return false;
    }
    if (sql == NULL) return true;
    if (!is_table && !is_known(sql)) {
        snprintf(message, capacity, "no journal has its %s %.100s",
                 strncmp(sql, "CREATE TRIGGER ", 15) == 0 ? "trigger" : "index",
                 name != NULL ? name : "without a name");
        return false;
    }
    if (!is_table) return true;
    for (size_t i = 0; fold(sql, folded) && i < TABLE_COUNT; i++)
        if (strcmp(folded, tables[i].sql) == 0) {
            seen[i] = sqlite3_column_int64(row, 2) > 0;
            return true;
        }
    if (has_expression(sql))
        snprintf(message, capacity, "its table %.100s is not declared as a journal's",
                 name != NULL ? name : "");
    return message[0] == '\0';
}

static bool read_schema(sqlite3 *db, bool seen[TABLE_COUNT], char *message, size_t capacity)
{
    sqlite3_stmt *rows = NULL;
    bool fine = true;
    int step;

    sqlite3_prepare_v2(db, "SELECT type, sql, rootpage, name FROM sqlite_master", -1, &rows, NULL);
    while ((step = sqlite3_step(rows)) == SQLITE_ROW && fine)
        fine = take(rows, seen, message, capacity);
    sqlite3_finalize(rows);
    return fine && step == SQLITE_DONE;
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

static bool has_halt_orders(sqlite3 *db)
{
    sqlite3_stmt *row = NULL;
    bool found;

    sqlite3_prepare_v2(db, "SELECT 1 FROM sqlite_master WHERE name = 'halt_orders'", -1, &row,
                       NULL);
    found = sqlite3_step(row) == SQLITE_ROW;
    sqlite3_finalize(row);
    return found;
}

bool journal_tables_unfit(sqlite3 *db, int format, char *what, size_t capacity)
{
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        const bool there = is_there(db, tables[i].name);

        if (there ? format >= tables[i].may : format < tables[i].must) continue;
        snprintf(what, capacity, "table %s", tables[i].name);
        return true;
    }
    if (format >= 3 || !has_halt_orders(db)) return false;
    snprintf(what, capacity, "index halt_orders");
    return true;
}
