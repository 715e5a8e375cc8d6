/* SPDX-License-Identifier: MIT
 * journal_file.c: opens a journal's file for reading, without changing or leaving anything.
 *
 * There are two ways in, because SQLite's plain read-only mode would create
 * -wal and -shm files beside a WAL database and leave them there:
 *
 *  - No -wal file, or an empty one (the daemon stopped in order): the file is
 *    complete in itself and is opened as immutable. SQLite then takes no lock,
 *    so we hold SQLite's own shared lock on it, which a daemon that starts
 *    respects.
 *  - A -wal file (the daemon was killed): its newest records are there alone.
 *    SQLite can read it without a -shm file only as the single, exclusive
 *    owner, and locks exclusively only what it may write. So the file is opened
 *    for writing, but query_only refuses every statement that would write, and
 *    no checkpoint is made on closing: both files stay as they were. */
#include "journal_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "number.h"

/* Where SQLite locks: the shared range behind the first gigabyte (its file
 * format, section 1.3.10 and os.h). A daemon holds all of it for writing. */
enum { SHARED_RANGE = 0x40000002, SHARED_LENGTH = 510 };

static journal_fault fail(journal_fault fault, char *message, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static journal_fault fail(journal_fault fault, char *message, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(message, JOURNAL_MESSAGE_MAX, format, arguments);
    va_end(arguments);
    return fault;
}

static journal_fault in_use(char *message)
{
    return fail(JOURNAL_IN_USE, message,
                "in use by a running daemon: stop it first, or read it with --url (GET "
                "/decisions; copying the file and its -wal one by one gives a damaged copy)");
}

/* Says what went wrong inside SQLite. */
static journal_fault fail_sqlite(sqlite3 *db, char *message)
{
    const int code = db != NULL ? sqlite3_errcode(db) : SQLITE_NOMEM;

    if (code == SQLITE_BUSY || code == SQLITE_LOCKED) return in_use(message);
    if (code == SQLITE_NOTADB || code == SQLITE_CORRUPT || code == SQLITE_ERROR)
        return fail(JOURNAL_FOREIGN, message, "not a journal: %s", sqlite3_errmsg(db));
    return fail(JOURNAL_UNREADABLE, message, "cannot be read: %s", sqlite3_errstr(code));
}

/* Refuses what is no SQLite file before SQLite sees it, and takes the lock. */
static journal_fault inspect(const char *path, journal_file *file, char *message)
{
    static const char magic[16] = "SQLite format 3";
    struct flock lock = {
        .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = SHARED_RANGE, .l_len = SHARED_LENGTH};
    char begin[sizeof magic];
    struct stat status;

    /* O_NONBLOCK: a FIFO must not hang us. */
    file->lock = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file->lock < 0) return fail(JOURNAL_UNREADABLE, message, "%s", strerror(errno));
    if (fstat(file->lock, &status) != 0 || !S_ISREG(status.st_mode))
        return fail(JOURNAL_UNREADABLE, message, "not a regular file");
    if (pread(file->lock, begin, sizeof begin, 0) != (ssize_t)sizeof begin ||
        memcmp(begin, magic, sizeof magic) != 0)
        return fail(JOURNAL_FOREIGN, message, "not a journal: not an SQLite database");
    if (fcntl(file->lock, F_SETLK, &lock) != 0) {
        if (errno == EAGAIN || errno == EACCES) return in_use(message);
        return fail(JOURNAL_UNREADABLE, message, "cannot be locked: %s", strerror(errno));
    }
    return JOURNAL_FINE;
}

static bool has_wal(const char *path)
{
    char wal[PATH_MAX + 8];
    struct stat status;

    snprintf(wal, sizeof wal, "%s-wal", path);
    return stat(wal, &status) == 0 && status.st_size > 0;
}

/* A path as the URI that opens it as immutable: every byte that means
 * something in a URI is escaped. */
static void write_uri(const char *path, char *uri, size_t capacity)
{
    size_t at = (size_t)snprintf(uri, capacity, "file://");

    for (; *path != '\0' && at + 32 < capacity; path++) {
        const unsigned char c = (unsigned char)*path;

        if (c == '?' || c == '#' || c == '%' || c < 0x21 || c > 0x7E)
            at += (size_t)snprintf(uri + at, capacity - at, "%%%02X", (unsigned)c);
        else
            uri[at++] = *path;
    }
    snprintf(uri + at, capacity - at, "?mode=ro&immutable=1");
}

static journal_fault open_whole(const char *path, journal_file *file, char *message)
{
    char uri[3 * PATH_MAX + 64];

    write_uri(path, uri, sizeof uri);
    if (sqlite3_open_v2(uri, &file->db,
                        SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX,
                        NULL) != SQLITE_OK)
        return fail_sqlite(file->db, message);
    return JOURNAL_FINE;
}

static journal_fault open_with_wal(const char *path, journal_file *file, char *message)
{
    /* POSIX drops a process's locks on a file when it closes any descriptor of
     * it: ours has to be gone before SQLite takes its own. */
    close(file->lock);
    file->lock = -1;
    if (sqlite3_open_v2(path, &file->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) !=
        SQLITE_OK)
        return fail_sqlite(file->db, message);
    if (sqlite3_db_readonly(file->db, "main") == 1)
        return fail(JOURNAL_UNREADABLE, message,
                    "its newest records are in the -wal file, which SQLite reads only where it "
                    "may write: copy both files to a folder of your own and read the copy");
    if (sqlite3_db_config(file->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL) != SQLITE_OK ||
        sqlite3_exec(file->db, "PRAGMA locking_mode = EXCLUSIVE; PRAGMA query_only = 1", NULL, NULL,
                     NULL) != SQLITE_OK)
        return fail_sqlite(file->db, message);
    return JOURNAL_FINE;
}

/* One value of the table `journal`; false if there is none. */
static bool read_value(sqlite3 *db, const char *key, char *value, size_t capacity)
{
    sqlite3_stmt *query = NULL;
    bool found = false;

    if (sqlite3_prepare_v2(db, "SELECT value FROM journal NOT INDEXED WHERE key = ?1", -1, &query,
                           NULL) == SQLITE_OK &&
        sqlite3_bind_text(query, 1, key, -1, SQLITE_STATIC) == SQLITE_OK &&
        sqlite3_step(query) == SQLITE_ROW && sqlite3_column_text(query, 0) != NULL) {
        snprintf(value, capacity, "%s", (const char *)sqlite3_column_text(query, 0));
        found = true;
    }
    sqlite3_finalize(query);
    return found;
}

/* The three tables are there, as tables: a view could answer anything. */
static journal_fault check_tables(sqlite3 *db, char *message)
{
    sqlite3_stmt *query = NULL;
    int tables = -1;

    if (sqlite3_prepare_v2(db,
                           "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name IN "
                           "('journal', 'policies', 'records')",
                           -1, &query, NULL) == SQLITE_OK &&
        sqlite3_step(query) == SQLITE_ROW)
        tables = sqlite3_column_int(query, 0);
    sqlite3_finalize(query);
    if (tables < 0) return fail_sqlite(db, message);
    if (tables != 3)
        return fail(JOURNAL_FOREIGN, message, "not a journal: a database without its tables");
    return JOURNAL_FINE;
}

/* A journal of format 1 has no such table, and nothing parked. */
static uint64_t count_parked(sqlite3 *db)
{
    sqlite3_stmt *query = NULL;
    uint64_t count = 0;

    if (sqlite3_prepare_v2(db, "SELECT count(*) FROM parked", -1, &query, NULL) == SQLITE_OK &&
        sqlite3_step(query) == SQLITE_ROW)
        count = (uint64_t)sqlite3_column_int64(query, 0);
    sqlite3_finalize(query);
    return count;
}

static journal_fault check_format(journal_file *file, char *message)
{
    char value[64];
    uint8_t writer[8];

    if (!read_value(file->db, "format", value, sizeof value))
        return fail(JOURNAL_FOREIGN, message, "not a journal: it names no format");
    if (strcmp(value, "1") != 0 && strcmp(value, "2") != 0)
        return fail(JOURNAL_FOREIGN, message,
                    "a journal of format '%.32s'; this program knows 1 and 2", value);
    if (!read_value(file->db, "writer", value, sizeof value) ||
        !number_read_hex(value, sizeof writer, writer))
        return fail(JOURNAL_FOREIGN, message, "not a journal: its writer is not 16 hex digits");
    file->writer = 0;
    for (size_t i = 0; i < sizeof writer; i++)
        file->writer = file->writer << 8 | writer[i];
    if (!read_value(file->db, "base", file->base, sizeof file->base)) file->base[0] = '\0';
    file->parked = count_parked(file->db);
    return JOURNAL_FINE;
}

journal_fault journal_file_open(const char *path, journal_file *file,
                                char message[JOURNAL_MESSAGE_MAX])
{
    char real[PATH_MAX];
    journal_fault fault;

    *file = (journal_file){.lock = -1};
    /* SQLite keeps the -wal beside the real file, not beside a link to it. */
    if (realpath(path, real) == NULL)
        return fail(JOURNAL_UNREADABLE, message, "%s", strerror(errno));
    fault = inspect(real, file, message);
    if (fault == JOURNAL_FINE)
        fault =
            has_wal(real) ? open_with_wal(real, file, message) : open_whole(real, file, message);
    if (fault != JOURNAL_FINE) return fault;
    /* The file comes from anywhere: its schema is not to be trusted. */
    sqlite3_db_config(file->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(file->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    fault = check_tables(file->db, message);
    return fault == JOURNAL_FINE ? check_format(file, message) : fault;
}

void journal_file_close(journal_file *file)
{
    sqlite3_close(file->db);
    if (file->lock >= 0) close(file->lock);
    *file = (journal_file){.lock = -1};
}
