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
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../hedged/wal.h"
#include "journal_tables.h"
#include "number.h"

/* Where SQLite locks: the shared range behind the first gigabyte (its file
 * format, section 1.3.10 and os.h). A daemon holds all of it for writing. */
enum { SHARED_RANGE = 0x40000002, SHARED_LENGTH = 510 };

/* Steps of SQLite's machine: a journal's own tables, indexes and triggers take some hundreds. */
enum { SCHEMA_STEPS = 1000000, STEPS_A_TIME = 1000 };

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

static bool find_beside(const char *path, const char *end, struct stat *status)
{
    char beside[PATH_MAX + 16];

    snprintf(beside, sizeof beside, "%s%s", path, end);
    return stat(beside, status) == 0;
}

/* A file beside it, of the same name and this end, holds something. */
static bool has_beside(const char *path, const char *end)
{
    struct stat status;

    return find_beside(path, end, &status) && status.st_size > 0;
}

/* SQLite opens what lies beside the file, and would wait for ever at a FIFO. A rollback journal it
 * would write back into the file, or pass over, by the way in. */
static journal_fault refuse_beside(const char *path, char *message)
{
    static const char *const ends[] = {"-journal", "-wal"};
    struct stat status;

    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        if (find_beside(path, ends[i], &status) && !S_ISREG(status.st_mode))
            return fail(JOURNAL_UNREADABLE, message,
                        "what lies beside it by its name and %s is not a regular file", ends[i]);
    if (!has_beside(path, "-journal")) return JOURNAL_FINE;
    return fail(JOURNAL_UNREADABLE, message,
                "a rollback journal lies beside it (its name and -journal): SQLite would undo what "
                "it names, and so change the file. Keep both as they are, copy both to a folder of "
                "your own, open the copy once with sqlite3, and read that");
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

/* What the table `journal` says. */
typedef struct journal_values {
    char format[64], writer[64], base[96]; /* "": not there */
} journal_values;

/* Takes one row; false: it is not two texts, or its key is none of ours or there already. */
static bool take_value(sqlite3_stmt *row, journal_values *v)
{
    const struct {
        const char *key;
        char *value;
        size_t capacity;
    } known[] = {{"format", v->format, sizeof v->format},
                 {"writer", v->writer, sizeof v->writer},
                 {"base", v->base, sizeof v->base}};
    /* Asked first: reading a value as text turns it into one. */
    const bool texts =
        sqlite3_column_type(row, 0) == SQLITE_TEXT && sqlite3_column_type(row, 1) == SQLITE_TEXT;
    const char *key = (const char *)sqlite3_column_text(row, 0);
    const char *value = (const char *)sqlite3_column_text(row, 1);

    if (!texts || key == NULL || value == NULL ||
        strlen(key) != (size_t)sqlite3_column_bytes(row, 0) ||
        strlen(value) != (size_t)sqlite3_column_bytes(row, 1))
        return false;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(key, known[i].key) != 0) continue;
        if (known[i].value[0] != '\0' || value[0] == '\0' || strlen(value) >= known[i].capacity)
            return false;
        memcpy(known[i].value, value, strlen(value) + 1);
        return true;
    }
    return false;
}

/* All of the table itself: its index could lead elsewhere. */
static journal_fault read_values(sqlite3 *db, journal_values *v, char *message)
{
    sqlite3_stmt *rows = NULL;
    bool fine = true;
    int step;

    sqlite3_prepare_v2(db, "SELECT key, value FROM journal NOT INDEXED", -1, &rows, NULL);
    while ((step = sqlite3_step(rows)) == SQLITE_ROW && fine)
        fine = take_value(rows, v);
    sqlite3_finalize(rows);
    if (!fine)
        return fail(JOURNAL_FOREIGN, message,
                    "not a journal: its table journal does not hold format, writer and base alone, "
                    "each once and as text");
    return step == SQLITE_DONE ? JOURNAL_FINE : fail_sqlite(db, message);
}

/* In capitals it would say the same, but no daemon wrote it so. */
static bool read_writer(const char *text, uint64_t *writer)
{
    uint8_t bytes[8] = {0};
    char spelt[2 * sizeof bytes + 1];

    if (!number_read_hex(text, sizeof bytes, bytes)) return false;
    number_write_hex(bytes, sizeof bytes, spelt);
    if (strcmp(text, spelt) != 0) return false;
    *writer = 0;
    for (size_t i = 0; i < sizeof bytes; i++)
        *writer = *writer << 8 | bytes[i];
    return true;
}

static journal_fault check_format(journal_file *file, char *message)
{
    journal_values v = {0};
    char unfit[64];
    const journal_fault fault = read_values(file->db, &v, message);

    if (fault != JOURNAL_FINE) return fault;
    if (v.format[0] == '\0')
        return fail(JOURNAL_FOREIGN, message, "not a journal: it names no format");
    if (strcmp(v.format, "1") != 0 && strcmp(v.format, "2") != 0 && strcmp(v.format, "3") != 0)
        return fail(JOURNAL_FOREIGN, message,
                    "a journal of format '%.32s'; this program knows 1, 2 and 3", v.format);
    file->format = v.format[0] - '0';
    if (journal_tables_unfit(file->db, file->format, unfit, sizeof unfit))
        return fail(JOURNAL_FOREIGN, message,
                    "not a journal: it names format %s, which its %s does not fit", v.format,
                    unfit);
    if (!read_writer(v.writer, &file->writer))
        return fail(JOURNAL_FOREIGN, message,
                    "not a journal: its writer is not 16 hex digits in small letters");
    memcpy(file->base, v.base, sizeof file->base);
    return JOURNAL_FINE;
}

/* SQLite passes over the commits behind a damaged frame without a word. */
static journal_fault check_wal(sqlite3 *db, const char *path, char *message)
{
    uint64_t frame;

    /* The first read takes the lock, so that no daemon writes meanwhile. */
    if (sqlite3_exec(db, "PRAGMA schema_version", NULL, NULL, NULL) != SQLITE_OK)
        return fail_sqlite(db, message);
    switch (wal_check(db, path, &frame)) {
    case WAL_FINE:
        return JOURNAL_FINE;
    case WAL_UNREADABLE:
        return fail(JOURNAL_UNREADABLE, message, "its -wal file: %s", strerror(errno));
    default:
        return fail(JOURNAL_DAMAGED, message,
                    "damaged: its -wal file, at frame %" PRIu64 " (0 is its header), in front of "
                    "commits that were whole and that SQLite would pass over",
                    frame);
    }
}

/* SQLite asks it from time to time while it works: enough is enough. */
static int count_down(void *context)
{
    int *left = context;

    return (*left)-- <= 0;
}

/* Pages can be tied so that they lead to each other's rows more often than anybody has time for. */
static journal_fault check_tables(sqlite3 *db, char *message)
{
    char why[JOURNAL_MESSAGE_MAX / 2];
    int left = SCHEMA_STEPS / STEPS_A_TIME;
    bool fine;

    sqlite3_progress_handler(db, STEPS_A_TIME, count_down, &left);
    fine = journal_tables_check(db, why, sizeof why);
    sqlite3_progress_handler(db, 0, NULL, NULL);
    if (fine) return JOURNAL_FINE;
    if (left < 0)
        return fail(JOURNAL_FOREIGN, message, "not a journal: its list of tables does not end");
    return why[0] == '\0' ? fail_sqlite(db, message)
                          : fail(JOURNAL_FOREIGN, message, "not a journal: %s", why);
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
    if (fault == JOURNAL_FINE) fault = refuse_beside(real, message);
    if (fault == JOURNAL_FINE)
        fault = has_beside(real, "-wal") ? open_with_wal(real, file, message)
                                         : open_whole(real, file, message);
    if (fault != JOURNAL_FINE) return fault;
    /* The file comes from anywhere: its schema is not to be trusted. */
    sqlite3_db_config(file->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(file->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    if (file->lock < 0) fault = check_wal(file->db, real, message);
    if (fault != JOURNAL_FINE) return fault;
    fault = check_tables(file->db, message);
    return fault == JOURNAL_FINE ? check_format(file, message) : fault;
}

/* In one line, and without the heading that says which of its databases SQLite means. */
static void take_report(const char *report, char *message)
{
    static const char heading[] = "*** in database main ***\n";

    if (strncmp(report, heading, sizeof heading - 1) == 0) report += sizeof heading - 1;
    fail(JOURNAL_FOREIGN, message, "damaged file: %s", report);
    for (char *p = message; *p != '\0'; p++)
        if (*p == '\n') *p = ' ';
}

bool journal_file_whole(const journal_file *file, char message[JOURNAL_MESSAGE_MAX])
{
    sqlite3_stmt *report = NULL;
    const char *said = NULL;
    bool whole;

    sqlite3_prepare_v2(file->db, "PRAGMA integrity_check(1)", -1, &report, NULL);
    if (sqlite3_step(report) == SQLITE_ROW) said = (const char *)sqlite3_column_text(report, 0);
    whole = said != NULL && strcmp(said, "ok") == 0;
    if (!whole) take_report(said != NULL ? said : sqlite3_errmsg(file->db), message);
    sqlite3_finalize(report);
    return whole;
}

void journal_file_close(journal_file *file)
{
    sqlite3_close(file->db);
    if (file->lock >= 0) close(file->lock);
    *file = (journal_file){.lock = -1};
}
