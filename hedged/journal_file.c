/* SPDX-License-Identifier: MIT
 * journal_file: the journal's SQLite file. */
#include "journal_file.h"

#include "hex.h"
#include "journal_format.h"
#include "log.h"
#include "wal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* EXCLUSIVE keeps every other connection out (two of them can damage a WAL
 * before SQLite 3.51.3) and the WAL's index in memory. FULL flushes the WAL at
 * each commit. The WAL is folded back every 4 MiB: seldom enough to cost little,
 * and soon enough to be a short pause. */
static const char setup[] = "PRAGMA journal_mode=WAL;"
                            "PRAGMA synchronous=FULL;"
                            "PRAGMA wal_autocheckpoint=1000;"
                            "PRAGMA journal_size_limit=67108864;";

/* Folds the WAL into the file and empties it. */
static const char fold[] = "PRAGMA wal_checkpoint(TRUNCATE)";

/* SEQ:HASH and a NUL. */
enum { BASE_SIZE = 32 + 2 * HEDGE_HASH_SIZE };

static bool run(journal_file *f, const char *sql)
{
    return sqlite3_exec(f->db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

static bool prepare(journal_file *f, const char *sql, sqlite3_stmt **out)
{
    return sqlite3_prepare_v3(f->db, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL) == SQLITE_OK;
}

static bool prepare_all(journal_file *f)
{
    return prepare(f, "BEGIN IMMEDIATE", &f->begin) && prepare(f, "COMMIT", &f->commit) &&
           prepare(f, "ROLLBACK", &f->rollback) &&
           prepare(f, "INSERT INTO records VALUES (?,?,?,?,?,?)", &f->insert) &&
           prepare(f, "INSERT OR IGNORE INTO policies VALUES (?,?,?)", &f->insert_policy) &&
           prepare(f,
                   "SELECT seq, asset, record, hash FROM records WHERE seq > ?1 AND seq <= ?2"
                   " ORDER BY seq",
                   &f->select) &&
           prepare(f, "INSERT OR REPLACE INTO journal VALUES ('base', ?)", &f->put_base) &&
           prepare(f, "DELETE FROM records WHERE seq <= ?", &f->forget);
}

/* Runs a prepared statement that gives no rows, and readies it for the next
 * time. */
static bool step(sqlite3_stmt *statement)
{
    const bool done = sqlite3_step(statement) == SQLITE_DONE;

    return (sqlite3_reset(statement) == SQLITE_OK) && done;
}

/* ---- where it lies -------------------------------------------------------- */

/* True if the path still leads to the file it led to before. */
static bool in_place(journal_place *place)
{
    struct stat info;

    if (stat(place->path, &info) != 0) return place->inode == 0;
    if (place->inode == 0) {
        place->device = info.st_dev;
        place->inode = info.st_ino;
    }
    return place->device == info.st_dev && place->inode == info.st_ino;
}

/* A journal that was removed or moved away takes every commit and keeps none
 * of them for those who will look for it. */
static bool check_places(journal_file *f)
{
    f->displaced = in_place(&f->main_file) && in_place(&f->wal_file)
                       ? NULL
                       : "the journal's file or its -wal was removed or moved while in use; put it "
                         "back, or restart";
    return f->displaced == NULL;
}

/* SQLite gives some names a meaning of their own (":memory:", "file:…"); with
 * a folder in front every name is a file. */
static bool set_places(journal_file *f, const char *path)
{
    const int n = snprintf(f->main_file.path, sizeof(f->main_file.path), "%s%s",
                           path[0] == '/' ? "" : "./", path);

    return n > 0 && snprintf(f->wal_file.path, sizeof(f->wal_file.path), "%.4000s-wal",
                             f->main_file.path) == n + 4;
}

/* ---- opening -------------------------------------------------------------- */

/* Not every file system can hold a WAL, and SQLite then goes on without one. */
static bool is_wal(journal_file *f)
{
    sqlite3_stmt *s;
    bool wal = false;

    if (!prepare(f, "PRAGMA journal_mode", &s)) return false;
    if (sqlite3_step(s) == SQLITE_ROW) {
        const char *mode = (const char *)sqlite3_column_text(s, 0); /* NULL: no memory */

        wal = mode != NULL && strcmp(mode, "wal") == 0;
    }
    sqlite3_finalize(s);
    return wal;
}

/* Reads row `seq`. 1: read, 0: not there, -1: not as it should be. */
static int read_row(journal_file *f, uint64_t seq, journal_row *row)
{
    size_t n = 0;
    uint64_t next;

    if (!journal_file_rows(f, seq - 1, NULL, 1, row, &n, &next)) return -1;
    return n == 1 && row->seq == seq ? 1 : 0;
}

static void write_base(const journal_head *base, char out[BASE_SIZE])
{
    const int n = snprintf(out, BASE_SIZE, "%" PRIu64 ":", base->seq);

    hex_write(base->hash, HEDGE_HASH_SIZE, out + n);
}

/* Where the chain of the file begins; nowhere yet: at the first record. What reads the same in
 * another spelling was changed by others. */
static bool read_base(journal_file *f, const char *value)
{
    char spelt[BASE_SIZE], *end;

    if (value[0] == '\0') return true;
    f->base.seq = strtoull(value, &end, 10);
    if (f->base.seq == 0 || *end != ':' || !hex_read(end + 1, HEDGE_HASH_SIZE, f->base.hash))
        return false;
    write_base(&f->base, spelt);
    return strcmp(value, spelt) == 0;
}

/* The numbers of the first record and of the newest; 0, 0: none. */
static bool read_ends(journal_file *f, uint64_t *first, uint64_t *newest)
{
    sqlite3_stmt *s;
    bool there;

    if (!prepare(f,
                 "SELECT ifnull((SELECT min(seq) FROM records), 0),"
                 " ifnull((SELECT max(seq) FROM records), 0)",
                 &s))
        return false;
    there = sqlite3_step(s) == SQLITE_ROW;
    *first = (uint64_t)sqlite3_column_int64(s, 0);
    *newest = (uint64_t)sqlite3_column_int64(s, 1);
    sqlite3_finalize(s);
    return there;
}

/* True if the record follows from the hash before it. */
static bool follows(const journal_row *row, const uint8_t before[HEDGE_HASH_SIZE])
{
    uint8_t hash[HEDGE_HASH_SIZE];

    hedge_record_chain(before, row->record, row->n, hash);
    return memcmp(hash, row->hash, sizeof(hash)) == 0;
}

/* A base that the first record does not follow would hide records, or say that some have left that
 * are nowhere. */
static bool check_first(journal_file *f, uint64_t seq)
{
    journal_row row;

    return seq == f->base.seq + 1 && read_row(f, seq, &row) == 1 && follows(&row, f->base.hash);
}

/* The chain goes on from the newest record, so that one has to be sound. */
static bool read_newest(journal_file *f, uint64_t seq)
{
    hedge_record record = HEDGE_INIT(hedge_record);
    journal_row row, before = {0};

    memcpy(before.hash, f->base.hash, sizeof(before.hash));
    if (read_row(f, seq, &row) != 1) return false;
    if (seq > f->base.seq + 1 && read_row(f, seq - 1, &before) != 1) return false;
    if (!follows(&row, before.hash)) return false;
    if (hedge_record_decode(row.record, row.n, &record) != HEDGE_OK || record.seq != seq ||
        record.writer != f->writer)
        return false;
    f->head.seq = seq;
    memcpy(f->head.hash, row.hash, sizeof(row.hash));
    return true;
}

/* NULL: read; else what is wrong, or SQLite's error. */
static const char *read_chain(journal_file *f, const char *base)
{
    uint64_t first, newest;

    if (!read_base(f, base)) return "its base is none that a daemon wrote";
    if (!read_ends(f, &first, &newest)) return "its records cannot be read";
    /* The newest record never leaves. */
    if (newest == 0 && f->base.seq == 0) return NULL;
    if (!check_first(f, first)) return "its first record does not follow from its base";
    return read_newest(f, newest) ? NULL : "its newest record does not fit the chain";
}

/* What it declares and says of itself, before anything is written. As journal_schema_read. */
static int identify(journal_file *f, const journal_schema *schema, journal_identity *says,
                    char what[JOURNAL_SCHEMA_WORDS])
{
    int found;

    if (!journal_schema_is_journal(schema)) {
        snprintf(what, JOURNAL_SCHEMA_WORDS, "is not a journal of format 1, 2 or 3");
        return 0;
    }
    found = journal_format_identify(f->db, says, what);
    if (found != 1) return found;
    return journal_schema_fits(schema, says->format, what) ? 1 : 0;
}

static bool fail(journal_file *f, char message[JOURNAL_MESSAGE_MAX], const char *path,
                 const char *what)
{
    snprintf(message, JOURNAL_MESSAGE_MAX, "HEDGE_JOURNAL=%.150s: %.150s", path, what);
    journal_file_close(f);
    return false;
}

/* Others have changed the file, and what it holds is not to be gone on with. */
static bool fail_changed(journal_file *f, char message[JOURNAL_MESSAGE_MAX], const char *path,
                         const char *what)
{
    char words[JOURNAL_MESSAGE_MAX];

    snprintf(words, sizeof(words),
             "%s; run `hedge verify` on it, keep it, and start with another file", what);
    return fail(f, message, path, words);
}

static bool fail_sqlite(journal_file *f, char message[JOURNAL_MESSAGE_MAX], const char *path,
                        bool *busy)
{
    const int code = sqlite3_errcode(f->db) & 0xff;

    *busy = journal_format_may_pass(f->db);
    if (code == SQLITE_BUSY || code == SQLITE_LOCKED)
        return fail(f, message, path,
                    "another process holds this journal; one journal, one daemon");
    if (code == SQLITE_NOTADB) return fail(f, message, path, "is not a journal");
    if (!journal_format_faulty(f->db)) return fail(f, message, path, "cannot be opened now");
    if (code == SQLITE_CORRUPT || code == SQLITE_ERROR)
        return fail_changed(f, message, path, sqlite3_errmsg(f->db));
    return fail(f, message, path, sqlite3_errmsg(f->db));
}

/* What SQLite would pass over was acknowledged, and its numbers would be given again. False:
 * message; the -wal stays as it is. */
static bool check_wal(journal_file *f, char message[JOURNAL_MESSAGE_MAX], const char *path,
                      bool *busy)
{
    uint64_t frame;
    const wal_state state = wal_check(f->db, f->main_file.path, &frame);

    if (state == WAL_FINE && wal_flush(f->main_file.path)) return true;
    if (state == WAL_DAMAGED) {
        LOG(LOG_ERROR, "journal_wal_damaged", LOG_TEXT("journal", path),
            LOG_NUMBER("frame", frame));
        return fail(f, message, path,
                    "its -wal file is damaged in front of commits that were whole; keep both, "
                    "bring both back from a copy, or start with another file");
    }
    *busy = true;
    return fail(f, message, path, "its -wal file cannot be read and flushed now");
}

/* A schema or a first table that is not a journal's; nothing was written. */
static bool fail_foreign(journal_file *f, char message[JOURNAL_MESSAGE_MAX], const char *path,
                         bool *busy, int found, const char *what)
{
    return found < 0 ? fail_sqlite(f, message, path, busy) : fail_changed(f, message, path, what);
}

bool journal_file_open(journal_file *f, const char *path, char message[JOURNAL_MESSAGE_MAX],
                       bool *busy)
{
    char what[JOURNAL_SCHEMA_WORDS];
    const char *wrong;
    journal_schema schema;
    journal_identity says;
    struct stat info;
    int found;

    *f = (journal_file){0};
    if (stat(path, &info) == 0 && !S_ISREG(info.st_mode))
        return fail(f, message, path, "is not a file");
    if (!set_places(f, path)) return fail(f, message, path, "the path is too long");
    if (sqlite3_open_v2(f->main_file.path, &f->db,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                        NULL) != SQLITE_OK)
        return fail_sqlite(f, message, path, busy);
    /* Looked at before anything is set: a file that is not ours stays as it is, and a -wal that
     * holds something is not folded into it on closing. */
    if (stat(f->wal_file.path, &info) == 0 && info.st_size > 0)
        sqlite3_db_config(f->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    if (!run(f, "PRAGMA locking_mode=EXCLUSIVE")) return fail_sqlite(f, message, path, busy);
    found = journal_schema_read(f->db, &schema, what);
    if (found == 1 && schema.objects > 0) found = identify(f, &schema, &says, what);
    if (found != 1) return fail_foreign(f, message, path, busy, found, what);
    /* The first write takes the exclusive lock. */
    if (!run(f, setup) || !run(f, "BEGIN IMMEDIATE; COMMIT"))
        return fail_sqlite(f, message, path, busy);
    if (!is_wal(f))
        return journal_format_faulty(f->db)
                   ? fail_sqlite(f, message, path, busy)
                   : fail(f, message, path, "lies on a file system that cannot hold a WAL");
    if (!check_wal(f, message, path, busy)) return false;
    if (schema.objects == 0 && !journal_format_create(f->db))
        return fail_sqlite(f, message, path, busy);
    found = journal_format_identify(f->db, &says, what);
    if (found != 1) return fail_foreign(f, message, path, busy, found, what);
    f->writer = says.writer;
    if (!journal_format_upgrade(f->db, says.format) || !prepare_all(f) ||
        !journal_aside_open(&f->aside, f->db))
        return fail_sqlite(f, message, path, busy);
    wrong = read_chain(f, says.base);
    if (wrong != NULL)
        return journal_format_faulty(f->db) ? fail_sqlite(f, message, path, busy)
                                            : fail_changed(f, message, path, wrong);
    sqlite3_db_config(f->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
    f->next = f->head;
    check_places(f); /* remembers where they are */
    if (realpath(path, f->absolute) == NULL) snprintf(f->absolute, sizeof(f->absolute), "%s", path);
    if (schema.objects == 0)
        LOG(LOG_WARN, "journal_created", LOG_TEXT("journal", f->absolute),
            LOG_TEXT("effect", "it knows no halts and no decisions; where there was a journal "
                               "before, stop and set HEDGE_JOURNAL to that"));
    return true;
}

void journal_file_close(journal_file *f)
{
    sqlite3_stmt *const statements[] = {f->begin,         f->commit, f->rollback, f->insert,
                                        f->insert_policy, f->select, f->put_base, f->forget};

    for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++)
        sqlite3_finalize(statements[i]);
    journal_aside_close(&f->aside);
    sqlite3_close(f->db);
    *f = (journal_file){0};
}

/* ---- writing -------------------------------------------------------------- */

bool journal_file_begin(journal_file *f)
{
    f->next = f->head;
    return check_places(f) && step(f->begin);
}

bool journal_file_put(journal_file *f, const hedge_record *record)
{
    uint8_t bytes[HEDGE_RECORD_MAX], hash[HEDGE_HASH_SIZE];
    size_t n;

    if (record->seq != f->next.seq + 1) return false;
    if (hedge_record_encode(record, bytes, sizeof(bytes), &n) != HEDGE_OK) return false;
    hedge_record_chain(f->next.hash, bytes, n, hash);
    sqlite3_bind_int64(f->insert, 1, (sqlite3_int64)record->seq);
    sqlite3_bind_int(f->insert, 2, record->kind);
    sqlite3_bind_int64(f->insert, 3, record->ts_ns);
    sqlite3_bind_text(f->insert, 4, record->asset, -1, SQLITE_STATIC);
    sqlite3_bind_blob(f->insert, 5, bytes, (int)n, SQLITE_STATIC);
    sqlite3_bind_blob(f->insert, 6, hash, (int)sizeof(hash), SQLITE_STATIC);
    if (!step(f->insert)) return false;
    /* A record that was not stored must not be acknowledged, whatever SQLite was told to do. */
    if (sqlite3_changes(f->db) != 1)
        f->unstored = "a record was not stored; stop, and run `hedge verify` on the journal";
    if (f->unstored != NULL) return false;
    f->next.seq = record->seq;
    memcpy(f->next.hash, hash, sizeof(hash));
    return true;
}

bool journal_file_put_policy(journal_file *f, const hedge_record *record, const char *policy_text)
{
    sqlite3_bind_blob(f->insert_policy, 1, record->policy_hash, HEDGE_HASH_SIZE, SQLITE_STATIC);
    sqlite3_bind_int64(f->insert_policy, 2, record->ts_ns);
    sqlite3_bind_text(f->insert_policy, 3, policy_text, -1, SQLITE_STATIC);
    return step(f->insert_policy);
}

bool journal_file_commit(journal_file *f)
{
    if (!step(f->commit)) return false;
    f->head = f->next;
    return true;
}

void journal_file_rollback(journal_file *f)
{
    step(f->rollback); /* fails where SQLite has rolled back by itself already */
    f->next = f->head;
    f->unstored = NULL;
    /* A commit whose flush failed may stand in the WAL, to be found after a
     * crash. Folding the WAL removes it, if the disk lets us. */
    if (f->displaced == NULL) run(f, fold);
}

const char *journal_file_fault(const journal_file *f)
{
    if (f->displaced != NULL) return f->displaced;
    return f->unstored != NULL ? f->unstored : sqlite3_errmsg(f->db);
}

/* ---- letting go ----------------------------------------------------------- */

/* The newest of the oldest records that may go all together: see
 * journal_forget. */
static bool find_last_to_go(journal_file *f, uint64_t shipped, int64_t before_ns,
                            journal_head *last)
{
    sqlite3_stmt *s;
    int code = SQLITE_DONE;

    *last = f->base;
    if (shipped >= f->head.seq) shipped = f->head.seq > 0 ? f->head.seq - 1 : 0;
    if (!prepare(f, "SELECT seq, ts_ns, hash FROM records WHERE seq <= ? ORDER BY seq LIMIT ?", &s))
        return false;
    sqlite3_bind_int64(s, 1, (sqlite3_int64)shipped);
    sqlite3_bind_int(s, 2, JOURNAL_FORGET_MAX);
    while ((code = sqlite3_step(s)) == SQLITE_ROW) {
        if (sqlite3_column_int64(s, 1) >= before_ns) break;
        if (sqlite3_column_bytes(s, 2) != HEDGE_HASH_SIZE) break; /* damaged: leave it be */
        last->seq = (uint64_t)sqlite3_column_int64(s, 0);
        memcpy(last->hash, sqlite3_column_blob(s, 2), HEDGE_HASH_SIZE);
    }
    sqlite3_finalize(s);
    return code == SQLITE_ROW || code == SQLITE_DONE;
}

static bool put_base(journal_file *f, const journal_head *base)
{
    char value[BASE_SIZE];

    write_base(base, value);
    sqlite3_bind_text(f->put_base, 1, value, -1, SQLITE_STATIC);
    return step(f->put_base);
}

bool journal_file_forget(journal_file *f, uint64_t shipped, int64_t before_ns, size_t *gone)
{
    journal_head last;

    *gone = 0;
    if (!check_places(f) || !find_last_to_go(f, shipped, before_ns, &last)) return false;
    if (last.seq == f->base.seq) return true;
    sqlite3_bind_int64(f->forget, 1, (sqlite3_int64)last.seq);
    /* The base first: the trigger lets nothing go that is behind it. */
    if (!step(f->begin)) return false;
    if (!put_base(f, &last) || !step(f->forget) || !step(f->commit)) {
        journal_file_rollback(f);
        return false;
    }
    *gone = (size_t)(last.seq - f->base.seq);
    f->base = last;
    return true;
}

/* ---- reading -------------------------------------------------------------- */

/* A row's asset is in column 1. */
static bool is_of_asset(sqlite3_stmt *s, const char *asset)
{
    const char *held = (const char *)sqlite3_column_text(s, 1);

    return held != NULL && strcmp(held, asset) == 0;
}

bool journal_file_rows(journal_file *f, uint64_t after, const char *asset, size_t limit,
                       journal_row *rows, size_t *n, uint64_t *next_after)
{
    sqlite3_stmt *s = f->select;
    int code = SQLITE_DONE;

    if (after < f->base.seq) after = f->base.seq; /* what was before it has left */
    *n = 0;
    *next_after = after;
    sqlite3_bind_int64(s, 1, (sqlite3_int64)after);
    sqlite3_bind_int64(s, 2, (sqlite3_int64)(after + JOURNAL_SCAN_MAX));
    while (*n < limit && (code = sqlite3_step(s)) == SQLITE_ROW) {
        *next_after = (uint64_t)sqlite3_column_int64(s, 0);
        if (asset != NULL && !is_of_asset(s, asset)) continue;
        journal_row_take(s, 0, 2, &rows[(*n)++]);
    }
    sqlite3_reset(s);
    return code == SQLITE_ROW || code == SQLITE_DONE;
}
