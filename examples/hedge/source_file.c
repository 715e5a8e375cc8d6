/* SPDX-License-Identifier: MIT
 * source_file.c: records out of a journal's own SQLite file. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "halt_rows.h"
#include "journal_file.h"
#include "number.h"
#include "parked.h"
#include "source.h"

typedef struct file_state {
    journal_file file;
    sqlite3_stmt *rows;
    int64_t last; /* the number of the row read last; none yet: what stands before the first */
} file_state;

/* SQLite lacks a word for "the file ended in the middle of a page": every
 * error while it reads is damage. */
static source_step damaged(source *s)
{
    const file_state *f = s->state;

    source_fail(s, "damaged", "damaged file: %s", sqlite3_errmsg(f->file.db));
    return SOURCE_FAILED;
}

static bool start(source *s, const source_chain *chain, uint64_t after, bool few)
{
    file_state *f = s->state;

    /* From the chain's start on, whatever is numbered before it is to be seen too. */
    const bool whole = after == (chain->base.given ? chain->base.seq : 0);

    (void)few;
    sqlite3_finalize(f->rows);
    f->rows = NULL;
    f->last = whole ? INT64_MIN : (int64_t)after;
    if (sqlite3_prepare_v2(f->file.db,
                           whole ? "SELECT seq, kind, ts_ns, asset, record, hash "
                                   "FROM records NOT INDEXED ORDER BY seq"
                                 : "SELECT seq, kind, ts_ns, asset, record, hash "
                                   "FROM records NOT INDEXED WHERE seq > ?1 ORDER BY seq",
                           -1, &f->rows, NULL) != SQLITE_OK ||
        (!whole && sqlite3_bind_int64(f->rows, 1, (sqlite3_int64)after) != SQLITE_OK)) {
        damaged(s);
        return false;
    }
    return true;
}

/* A table's rows come in the order of their numbers, but where its pages were tied into a ring:
 * then they would never end. */
static source_step disordered(source *s, int64_t seq)
{
    source_fail(s, "damaged", "damaged file: record %" PRId64 " comes out of its turn", seq);
    return SOURCE_FAILED;
}

/* The records are proven by then: whoever reads them stops at the first that is not. */
static source_step end(source *s)
{
    const file_state *f = s->state;

    if (s->checked &&
        !parked_check(s, f->file.db, &s->chains[0], f->last > 0 ? (uint64_t)f->last : 0))
        return SOURCE_FAILED;
    return SOURCE_END;
}

static source_step next(source *s, source_row *row)
{
    file_state *f = s->state;
    const int step = sqlite3_step(f->rows);
    const char *asset;
    int64_t seq;

    if (step == SQLITE_DONE) return end(s);
    if (step != SQLITE_ROW) return damaged(s);
    seq = sqlite3_column_int64(f->rows, 0);
    if (seq <= f->last) return disordered(s, seq);
    f->last = seq;
    *row = (source_row){.writer = f->file.writer};
    row->seq = (uint64_t)f->last;
    row->malformed = sqlite3_column_type(f->rows, 1) != SQLITE_INTEGER ||
                     sqlite3_column_type(f->rows, 2) != SQLITE_INTEGER ||
                     sqlite3_column_type(f->rows, 3) != SQLITE_TEXT ||
                     sqlite3_column_type(f->rows, 4) != SQLITE_BLOB ||
                     sqlite3_column_type(f->rows, 5) != SQLITE_BLOB ||
                     sqlite3_column_bytes(f->rows, 5) != HEDGE_HASH_SIZE;
    if (row->malformed) return SOURCE_ROW;
    row->kind = sqlite3_column_int64(f->rows, 1);
    row->ts_ns = sqlite3_column_int64(f->rows, 2);
    asset = (const char *)sqlite3_column_text(f->rows, 3);
    if (asset == NULL || strlen(asset) >= sizeof row->asset ||
        strlen(asset) != (size_t)sqlite3_column_bytes(f->rows, 3))
        row->differs = "asset";
    else
        memcpy(row->asset, asset, strlen(asset) + 1);
    row->record = sqlite3_column_blob(f->rows, 4);
    row->record_size = (size_t)sqlite3_column_bytes(f->rows, 4);
    memcpy(row->hash, sqlite3_column_blob(f->rows, 5), sizeof row->hash);
    return SOURCE_ROW;
}

static bool policies(source *s, source_visit *visit, void *context)
{
    const file_state *f = s->state;
    sqlite3_stmt *rows = NULL;
    bool fine = true;
    int step;

    /* Out of the table itself: an index holds copies of the hashes. */
    sqlite3_prepare_v2(f->file.db, "SELECT hash, text, ts_ns FROM policies NOT INDEXED", -1, &rows,
                       NULL);
    while ((step = sqlite3_step(rows)) == SQLITE_ROW && fine) {
        const int text_type = sqlite3_column_type(rows, 1), ts_type = sqlite3_column_type(rows, 2);
        const char *text = (const char *)sqlite3_column_text(rows, 1);
        const int64_t ts_ns = sqlite3_column_int64(rows, 2);

        if (sqlite3_column_type(rows, 0) != SQLITE_BLOB ||
            sqlite3_column_bytes(rows, 0) != HEDGE_HASH_SIZE || text_type != SQLITE_TEXT ||
            text == NULL || ts_type != SQLITE_INTEGER)
            fine = source_fail(s, "policy",
                               "a row of policies is not a hash of 32 bytes, a text and a time");
        else
            fine = visit(context, sqlite3_column_blob(rows, 0), text,
                         (size_t)sqlite3_column_bytes(rows, 1), &ts_ns);
    }
    if (fine && step != SQLITE_DONE)
        fine = source_fail(s, "policy", "the table policies cannot be read: %s",
                           sqlite3_errmsg(f->file.db));
    sqlite3_finalize(rows);
    return fine;
}

static void close_file(source *s)
{
    file_state *f = s->state;

    sqlite3_finalize(f->rows);
    journal_file_close(&f->file);
    free(f);
}

/* The first row stands behind the base, and there is one: the newest record never leaves. */
static bool check_base(source *s, const source_place *base)
{
    const file_state *f = s->state;
    sqlite3_stmt *first = NULL;
    bool fine = true;
    int64_t seq;
    int step;

    sqlite3_prepare_v2(f->file.db, "SELECT seq FROM records NOT INDEXED ORDER BY seq LIMIT 1", -1,
                       &first, NULL);
    step = sqlite3_step(first);
    seq = step == SQLITE_ROW ? sqlite3_column_int64(first, 0) : 0;
    if (step != SQLITE_ROW && step != SQLITE_DONE)
        fine = damaged(s) != SOURCE_FAILED;
    else if (step == SQLITE_DONE)
        fine = source_fail(s, "truncated",
                           "truncated: no record is behind its base %" PRIu64
                           ", but the newest one never leaves the file",
                           base->seq);
    else if (seq <= 0 || (uint64_t)seq <= base->seq)
        fine = source_fail(s, "reordered",
                           "record %" PRId64 " is in the file, whose base says that records 1 to "
                           "%" PRIu64 " have left it",
                           seq, base->seq);
    sqlite3_finalize(first);
    return fine;
}

/* As the daemon writes it: what reads the same with other zeros or capitals was changed. */
static bool is_spelt(const char *text, const source_place *place)
{
    char spelt[NUMBER_TEXT_MAX + 2 * HEDGE_HASH_SIZE + 1];
    const int n = snprintf(spelt, sizeof spelt, "%" PRIu64 ":", place->seq);

    number_write_hex(place->hash, HEDGE_HASH_SIZE, spelt + n);
    return strcmp(text, spelt) == 0;
}

/* Where the chain begins, if records have left. */
static bool take_base(source *s, source_chain *chain)
{
    const file_state *f = s->state;

    if (f->file.base[0] == '\0') return true;
    if (!source_read_place(f->file.base, &chain->base) || chain->base.seq == 0 ||
        !is_spelt(f->file.base, &chain->base))
        return source_fail(s, "not_a_journal",
                           "not a journal: its base is not SEQ:HASH of a record from 1 on");
    return check_base(s, &chain->base);
}

/* The table halts comes last: by then its pages are sound. */
static bool prove(source *s, const struct halt_check *halted)
{
    const file_state *f = s->state;
    char message[JOURNAL_MESSAGE_MAX];

    if (!journal_file_whole(&f->file, message)) return source_fail(s, "damaged", "%s", message);
    if (f->file.format >= 3) return halt_rows_check(s, f->file.db, &s->chains[0], halted);
    /* Halts came with format 3, and a daemon that knows them brings a file to it. */
    return halted->n == 0 ||
           source_fail(s, "not_a_journal",
                       "not a journal: it names format %d, but a record halts or resumes %.31s",
                       f->file.format,
                       halted->at[0].asset[0] != '\0' ? halted->at[0].asset : "everything");
}

bool source_file_open(source *s, const char *path)
{
    static const source_ops ops = {
        .start = start, .next = next, .policies = policies, .prove = prove, .close = close_file};
    static const char *const names[] = {NULL, "unreadable", "in_use", "not_a_journal", "damaged"};
    file_state *f = calloc(1, sizeof *f);
    char message[JOURNAL_MESSAGE_MAX] = "";
    journal_fault opened;
    source_chain *chain;

    snprintf(s->name, sizeof s->name, "%s", path);
    if (f == NULL) return source_fail(s, "unreadable", "out of memory");
    s->state = f;
    s->ops = &ops;
    opened = journal_file_open(path, &f->file, message);
    if (opened != JOURNAL_FINE) return source_fail(s, names[opened], "%s", message);
    chain = source_add_chain(s, f->file.writer);
    if (chain == NULL) return false;
    return take_base(s, chain) && (!s->checked || parked_count(s, f->file.db, chain));
}
