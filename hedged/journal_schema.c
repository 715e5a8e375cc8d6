/* SPDX-License-Identifier: MIT
 * journal_schema: whether a file declares what a journal has, and nothing that would change what it
 * keeps. */
#include "journal_schema.h"

#include <stdio.h>
#include <string.h>

#define APPEND_ONLY " BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END"

enum { FORMAT = 3, NEVER = 99 };

typedef struct declared {
    const char *name;
    int may, must, until; /* the first format that may and that must have it, the last that may */
    const char *sql;
} declared;

/* Every one that a daemon has made, in SQLite's words. They are what journal_format writes, and
 * each start of a new journal compares them. */
static const declared ours[] = {
    {"journal", 1, 1, FORMAT, "CREATE TABLE journal (key TEXT PRIMARY KEY, value TEXT NOT NULL)"},
    {"policies", 1, 1, FORMAT,
     "CREATE TABLE policies (hash BLOB PRIMARY KEY, ts_ns INTEGER NOT NULL, text TEXT NOT NULL)"},
    {"records", 1, 1, FORMAT,
     "CREATE TABLE records (seq INTEGER PRIMARY KEY, kind INTEGER NOT NULL, ts_ns INTEGER NOT NULL,"
     " asset TEXT NOT NULL, record BLOB NOT NULL, hash BLOB NOT NULL)"},
    {"records_no_update", 1, NEVER, FORMAT,
     "CREATE TRIGGER records_no_update BEFORE UPDATE ON records" APPEND_ONLY},
    {"policies_no_update", 1, NEVER, FORMAT,
     "CREATE TRIGGER policies_no_update BEFORE UPDATE ON policies" APPEND_ONLY},
    {"policies_no_delete", 1, NEVER, FORMAT,
     "CREATE TRIGGER policies_no_delete BEFORE DELETE ON policies" APPEND_ONLY},
    {"records_no_delete", 1, NEVER, 1,
     "CREATE TRIGGER records_no_delete BEFORE DELETE ON records" APPEND_ONLY},
    {"records_no_delete", 2, NEVER, FORMAT,
     "CREATE TRIGGER records_no_delete BEFORE DELETE ON records WHEN OLD.seq >"
     " ifnull((SELECT CAST(value AS INTEGER) FROM journal WHERE key = 'base'), 0)" APPEND_ONLY},
    {"certificates", 1, 2, FORMAT,
     "CREATE TABLE certificates (curve_hash BLOB NOT NULL, build TEXT NOT NULL,"
     " ts_ns INTEGER NOT NULL, PRIMARY KEY (curve_hash, build))"},
    {"parked", 2, 2, FORMAT,
     "CREATE TABLE parked (seq INTEGER PRIMARY KEY, ts_ns INTEGER NOT NULL, reason TEXT NOT NULL,"
     " record BLOB NOT NULL, previous BLOB NOT NULL, hash BLOB NOT NULL)"},
    {"keys", 2, 2, FORMAT,
     "CREATE TABLE keys (key TEXT PRIMARY KEY, ts_ns INTEGER NOT NULL, record BLOB NOT NULL)"
     " WITHOUT ROWID"},
    {"keys_by_age", 2, NEVER, FORMAT, "CREATE INDEX keys_by_age ON keys (ts_ns)"},
    {"halts", 3, 3, FORMAT,
     "CREATE TABLE halts (asset TEXT PRIMARY KEY, ts_ns INTEGER NOT NULL, seq INTEGER NOT NULL,"
     " actor TEXT NOT NULL, reason TEXT NOT NULL) WITHOUT ROWID"},
    {"halt_orders", 3, NEVER, FORMAT,
     "CREATE INDEX halt_orders ON records (asset, seq, kind, ts_ns) WHERE kind IN (6, 7)"},
};

enum { COUNT = sizeof(ours) / sizeof(ours[0]) };

/* Steps of SQLite's machine: ours takes some hundred of them, and no file needs so many. */
enum { STEPS_MAX = 1000000 };

/* ---- comparing ------------------------------------------------------------ */

typedef struct reader {
    const char *at;
    char last;
    bool quoted;
} reader;

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

/* The next character, in small letters and with a space only between two words; what is quoted
 * comes as it stands. */
static char next(reader *r)
{
    const char *from = r->at;
    char c;

    while (!r->quoted && *r->at != '\0' && strchr(" \t\n\r\f", *r->at) != NULL)
        r->at++;
    c = *r->at;
    if (!r->quoted && c >= 'A' && c <= 'Z') c = (char)(c - 'A' + 'a');
    if (r->at > from && is_word(r->last) && is_word(c))
        c = ' '; /* and the word behind it the next time */
    else if (c != '\0')
        r->at++;
    if (c == '\'') r->quoted = !r->quoted;
    r->last = c;
    return c;
}

static bool is_same(const char *sql, const char *other)
{
    reader a = {.at = sql}, b = {.at = other};

    for (;;) {
        const char c = next(&a);

        if (c != next(&b)) return false;
        if (c == '\0') return true;
    }
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* ---- reading -------------------------------------------------------------- */

/* What one row declares, if a journal may have it: SQLite writes these beginnings itself. */
static bool take(const char *name, const char *sql, journal_schema *out,
                 char what[JOURNAL_SCHEMA_WORDS])
{
    for (size_t i = 0; i < COUNT; i++)
        if (is_same(sql, ours[i].sql)) {
            out->has |= UINT32_C(1) << i;
            return true;
        }
    if (begins(sql, "CREATE TRIGGER "))
        journal_schema_say(what, "trigger", name, "is not a journal's");
    else if (begins(sql, "CREATE UNIQUE INDEX "))
        journal_schema_say(what, "UNIQUE index", name, "is not a journal's");
    else if (!begins(sql, "CREATE TABLE ") && !begins(sql, "CREATE INDEX "))
        journal_schema_say(what, "view or virtual table", name, "is not a journal's");
    for (size_t i = 0; i < COUNT && what[0] == '\0'; i++)
        if (sqlite3_stricmp(name, ours[i].name) == 0)
            journal_schema_say(what, begins(sql, "CREATE TABLE ") ? "table" : "index", name,
                               "is not declared as a journal's");
    return what[0] == '\0';
}

/* One row of the schema; as journal_schema_read. */
static int take_row(sqlite3_stmt *s, journal_schema *out, char what[JOURNAL_SCHEMA_WORDS])
{
    const bool is_nameless = sqlite3_column_type(s, 0) == SQLITE_NULL;
    const bool is_bare = sqlite3_column_type(s, 1) == SQLITE_NULL;
    const char *name = is_nameless ? "" : (const char *)sqlite3_column_text(s, 0);
    const char *sql = is_bare ? "" : (const char *)sqlite3_column_text(s, 1);

    out->objects++;
    if (name == NULL || sql == NULL) return -1; /* no memory */
    if (!is_bare) return take(name, sql, out, what) ? 1 : 0;
    /* The index of a primary key has no statement. */
    if (begins(name, "sqlite_autoindex_")) return 1;
    journal_schema_say(what, "index", name, "is not a journal's");
    return 0;
}

static int stop(void *stopped)
{
    *(bool *)stopped = true;
    return 1;
}

int journal_schema_read(sqlite3 *db, journal_schema *out, char what[JOURNAL_SCHEMA_WORDS])
{
    sqlite3_stmt *s = NULL;
    bool stopped = false;
    int code, found = 1;

    *out = (journal_schema){0};
    what[0] = '\0';
    /* SQLite reads the whole schema before it answers anything: one whose pages lead to each other
     * again and again would be read for ever. */
    sqlite3_progress_handler(db, STEPS_MAX, stop, &stopped);
    code = sqlite3_prepare_v2(db, "SELECT name, sql FROM sqlite_master", -1, &s, NULL);
    while (code == SQLITE_OK && found == 1 && sqlite3_step(s) == SQLITE_ROW)
        found = take_row(s, out, what);
    if (sqlite3_finalize(s) != SQLITE_OK || code != SQLITE_OK) found = found == 0 ? 0 : -1;
    sqlite3_progress_handler(db, 0, NULL, NULL);
    if (!stopped) return found;
    snprintf(what, JOURNAL_SCHEMA_WORDS, "its schema leads round in circles");
    return 0;
}

void journal_schema_say(char what[JOURNAL_SCHEMA_WORDS], const char *kind, const char *name,
                        const char *end)
{
    char shown[33]; /* no more than what may stand in a line */
    size_t n = 0;

    for (; name != NULL && name[n] != '\0' && n < sizeof(shown) - 1; n++)
        shown[n] = name[n] > ' ' && name[n] <= '~' ? name[n] : '?';
    shown[n] = '\0';
    snprintf(what, JOURNAL_SCHEMA_WORDS, "its %s %s %s", kind, shown, end);
}

/* ---- judging -------------------------------------------------------------- */

bool journal_schema_is_journal(const journal_schema *schema)
{
    return (schema->has & 1) != 0;
}

bool journal_schema_fits(const journal_schema *schema, int format, char what[JOURNAL_SCHEMA_WORDS])
{
    for (size_t i = 0; i < COUNT; i++) {
        const declared *d = &ours[i];
        const bool there = (schema->has >> i & 1) != 0;

        if (there ? format >= d->may && format <= d->until : format < d->must || format > d->until)
            continue;
        snprintf(what, JOURNAL_SCHEMA_WORDS, "it names format %d, and has %s%s%s", format,
                 there ? "" : "no ", d->name, there ? " of another" : "");
        return false;
    }
    return true;
}
