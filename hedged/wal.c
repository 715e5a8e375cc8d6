/* SPDX-License-Identifier: MIT
 * wal: the write-ahead log that SQLite keeps beside a database, and whether it was damaged.
 *
 * The format is that of SQLite's documentation, "Database File Format", section 4. */
#include "wal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HEADER_SIZE = 32, FRAME_HEADER_SIZE = 24, PAGE_MAX = 65536 };

/* The lowest bit says in which order of bytes checksums are made. */
static const uint32_t magic = 0x377f0682;

typedef struct sum {
    uint32_t a, b;
} sum;

typedef struct frame {
    sum own;      /* as it bears it */
    sum computed; /* of its bytes, behind the one before as that bears it */
    uint32_t salt[2];
    bool commits;
} frame;

typedef struct wal {
    int fd;
    size_t page_size;
    bool big_endian;
    uint32_t salt[2];
    uint8_t *bytes; /* room for one frame */
    uint8_t *page;  /* and for one page of the database */
    sqlite3_file *database;
} wal;

static uint32_t big(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint32_t little(const uint8_t *p)
{
    return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

static bool same(sum x, sum y)
{
    return x.a == y.a && x.b == y.b;
}

/* Goes on from s over n bytes, a multiple of 8. */
static sum add(const wal *w, sum s, const uint8_t *p, size_t n)
{
    for (; n >= 8; p += 8, n -= 8) {
        s.a += (w->big_endian ? big(p) : little(p)) + s.b;
        s.b += (w->big_endian ? big(p + 4) : little(p + 4)) + s.a;
    }
    return s;
}

/* 1: read; 0: the file ends before; -1: errno. */
static int read_at(int fd, uint8_t *to, size_t n, uint64_t at)
{
    while (n > 0) {
        const ssize_t got = pread(fd, to, n, (off_t)at);

        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return (int)got;
        to += got;
        at += (uint64_t)got;
        n -= (size_t)got;
    }
    return 1;
}

/* Frame `number`, from 1, as it follows one that bears `before`. */
static int read_frame(const wal *w, uint64_t number, sum before, frame *out)
{
    const size_t size = FRAME_HEADER_SIZE + w->page_size;
    const int got = read_at(w->fd, w->bytes, size, HEADER_SIZE + (number - 1) * size);
    const uint8_t *p = w->bytes;

    if (got != 1) return got;
    out->commits = big(p + 4) != 0;
    out->salt[0] = big(p + 8);
    out->salt[1] = big(p + 12);
    out->own = (sum){big(p + 16), big(p + 20)};
    out->computed = add(w, add(w, before, p, 8), p + FRAME_HEADER_SIZE, w->page_size);
    return 1;
}

static bool is_of(const wal *w, const frame *f)
{
    return f->salt[0] == w->salt[0] && f->salt[1] == w->salt[1];
}

/* The frame was written behind `last`, whichever of the two is damaged: checksums run on. */
static bool follows(const wal *w, const frame *f, const frame *last)
{
    const size_t n = w->page_size;

    if (!is_of(w, f)) return false;
    return same(f->computed, f->own) ||
           same(add(w, add(w, last->computed, w->bytes, 8), w->bytes + FRAME_HEADER_SIZE, n),
                f->own);
}

/* From the header's checksum on. Frames of an earlier round, and of commits that were undone, may
 * stand behind the last one; none of them follows a commit. */
static wal_state walk(const wal *w, sum begin, uint64_t *bad)
{
    frame last = {.own = begin, .computed = begin}, f;
    bool sound = true;
    int got;

    for (uint64_t n = 1; (got = read_frame(w, n, last.own, &f)) == 1; last = f, n++) {
        if (!sound) {
            if (last.commits && follows(w, &f, &last)) return WAL_DAMAGED;
        } else if (!is_of(w, &f) || !same(f.computed, f.own)) {
            sound = false;
            *bad = n;
        }
    }
    return got == 0 ? WAL_FINE : WAL_UNREADABLE;
}

/* ---- a header that does not fit ------------------------------------------------ */

static bool is_in_database(const wal *w, uint32_t page)
{
    sqlite3_file *const file = w->database;
    const sqlite3_int64 at = (sqlite3_int64)(page - 1) * (sqlite3_int64)w->page_size;

    return file->pMethods->xRead(file, w->page, (int)w->page_size, at) == SQLITE_OK &&
           memcmp(w->page, w->bytes + FRAME_HEADER_SIZE, w->page_size) == 0;
}

/* The newest commit among the frames that follow one another from the first. 0: none. */
static uint64_t newest_commit(const wal *w, int *got)
{
    uint64_t newest = 0;
    sum before = {0, 0};
    frame f;

    for (uint64_t n = 1; (*got = read_frame(w, n, before, &f)) == 1; before = f.own, n++) {
        if (n > 1 && !same(f.computed, f.own)) return newest;
        if (f.commits) newest = n;
    }
    return newest;
}

/* The database holds each page as these frames have it in the end; from the last one back, so that
 * the first of a page that is met is the newest. */
static bool are_in_database(const wal *w, uint64_t newest, uint8_t *met, uint64_t pages, int *got)
{
    frame f;

    for (uint64_t n = newest; n > 0; n--) {
        uint32_t page;

        *got = read_frame(w, n, (sum){0, 0}, &f);
        if (*got != 1) return false;
        page = big(w->bytes);
        if (page == 0 || page > pages) return false;
        if ((met[page / 8] >> page % 8 & 1) == 0 && !is_in_database(w, page)) return false;
        met[page / 8] |= (uint8_t)(1 << page % 8);
    }
    return true;
}

/* A header is flushed before the frames of its round, so they vouch for it; while it is written
 * anew, all that is behind it has been brought into the database. */
static wal_state walk_headless(const wal *w)
{
    int got;
    const uint64_t newest = newest_commit(w, &got);
    sqlite3_int64 size = 0;
    uint8_t *met;
    bool lost;

    if (got < 0) return WAL_UNREADABLE;
    if (newest == 0) return WAL_FINE;
    if (w->database->pMethods->xFileSize(w->database, &size) != SQLITE_OK) return WAL_UNREADABLE;
    met = calloc(1, (size_t)size / w->page_size / 8 + 1);
    if (met == NULL) return WAL_UNREADABLE;
    lost = !are_in_database(w, newest, met, (uint64_t)size / w->page_size, &got);
    free(met);
    if (got != 1) return WAL_UNREADABLE;
    return lost ? WAL_DAMAGED : WAL_FINE;
}

static wal_state check(wal *w, uint64_t *bad)
{
    uint8_t p[HEADER_SIZE];
    const int got = read_at(w->fd, p, sizeof(p), 0);
    wal_state state;
    sum begin;

    if (got != 1) return got == 0 ? WAL_FINE : WAL_UNREADABLE;
    w->big_endian = (big(p) & 1) != 0;
    w->salt[0] = big(p + 16);
    w->salt[1] = big(p + 20);
    begin = add(w, (sum){0, 0}, p, HEADER_SIZE - 8);
    if ((big(p) & ~UINT32_C(1)) == magic && big(p + 8) == w->page_size &&
        same(begin, (sum){big(p + 24), big(p + 28)}))
        return walk(w, begin, bad);
    state = walk_headless(w);
    if (state != WAL_FINE) return state;
    w->big_endian = !w->big_endian; /* the bit that says so may be the damaged one */
    return walk_headless(w);
}

/* ---- the file ------------------------------------------------------------------- */

/* What SQLite says of the database that it has open. Its own descriptor reads it: closing another
 * would drop its locks. */
static bool take_database(wal *w, sqlite3 *db)
{
    sqlite3_stmt *s = NULL;

    if (sqlite3_prepare_v2(db, "PRAGMA page_size", -1, &s, NULL) == SQLITE_OK &&
        sqlite3_step(s) == SQLITE_ROW)
        w->page_size = (size_t)sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    errno = EIO;
    return w->page_size > 0 && w->page_size <= PAGE_MAX &&
           sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &w->database) == SQLITE_OK;
}

static int open_beside(const char *path)
{
    char name[PATH_MAX + 8];

    snprintf(name, sizeof(name), "%s-wal", path);
    return open(name, O_RDONLY | O_CLOEXEC);
}

wal_state wal_check(sqlite3 *db, const char *path, uint64_t *bad)
{
    wal w = {.fd = open_beside(path)};
    wal_state state = WAL_UNREADABLE;

    *bad = 0;
    if (w.fd < 0) return errno == ENOENT ? WAL_FINE : WAL_UNREADABLE;
    if (take_database(&w, db)) {
        w.bytes = malloc(FRAME_HEADER_SIZE + 2 * w.page_size);
        if (w.bytes != NULL) {
            w.page = w.bytes + FRAME_HEADER_SIZE + w.page_size;
            state = check(&w, bad);
        }
        free(w.bytes);
    }
    close(w.fd);
    return state;
}

bool wal_flush(const char *path)
{
    const int fd = open_beside(path);
    bool done;

    if (fd < 0) return errno == ENOENT;
    done = fsync(fd) == 0;
    close(fd);
    return done;
}
