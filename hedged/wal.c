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
static wal_state walk(const wal *w, sum begin, bool sound, uint64_t *bad)
{
    frame last = {.own = begin, .computed = begin}, f;
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

/* The header does not fit. It was damaged if commits of its own round are behind it: while it is
 * written anew, both its salts are others than those behind it. */
static wal_state walk_headless(wal *w)
{
    uint64_t bad;
    frame first;
    const int got = read_frame(w, 1, (sum){0, 0}, &first);
    wal_state state;

    if (got != 1) return got == 0 ? WAL_FINE : WAL_UNREADABLE;
    if (first.salt[0] != w->salt[0] && first.salt[1] != w->salt[1]) return WAL_FINE;
    memcpy(w->salt, first.salt, sizeof(w->salt));
    state = walk(w, (sum){0, 0}, false, &bad);
    if (state != WAL_FINE) return state;
    w->big_endian = !w->big_endian; /* the bit that says so may be the damaged one */
    return walk(w, (sum){0, 0}, false, &bad);
}

static wal_state check(wal *w, uint64_t *bad)
{
    uint8_t p[HEADER_SIZE];
    const int got = read_at(w->fd, p, sizeof(p), 0);
    sum begin;

    if (got != 1) return got == 0 ? WAL_FINE : WAL_UNREADABLE;
    w->big_endian = (big(p) & 1) != 0;
    w->salt[0] = big(p + 16);
    w->salt[1] = big(p + 20);
    begin = add(w, (sum){0, 0}, p, HEADER_SIZE - 8);
    if ((big(p) & ~UINT32_C(1)) == magic && big(p + 8) == w->page_size &&
        same(begin, (sum){big(p + 24), big(p + 28)}))
        return walk(w, begin, true, bad);
    return walk_headless(w);
}

wal_state wal_check(const char *path, size_t page_size, uint64_t *bad)
{
    wal w = {.page_size = page_size};
    char name[PATH_MAX + 8];
    wal_state state;

    *bad = 0;
    if (page_size == 0 || page_size > PAGE_MAX || page_size % 8 != 0) return WAL_FINE;
    snprintf(name, sizeof(name), "%s-wal", path);
    w.fd = open(name, O_RDONLY | O_CLOEXEC);
    if (w.fd < 0) return errno == ENOENT ? WAL_FINE : WAL_UNREADABLE;
    w.bytes = malloc(FRAME_HEADER_SIZE + page_size);
    state = w.bytes != NULL ? check(&w, bad) : WAL_UNREADABLE;
    free(w.bytes);
    close(w.fd);
    return state;
}
