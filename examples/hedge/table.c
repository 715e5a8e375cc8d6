/* SPDX-License-Identifier: MIT
 * table.c: a stream of rows, each answered: `hedge eval` and `hedge size` as filters. */
#include "table.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "interrupt.h"

enum { ROW_MAX = 1 << 20, PLAIN_ROW_MAX = 1 << 16 };

/* What a thread works with: a batch of rows. */
typedef struct batch {
    row rows[TABLE_BATCH];
    bool null[TABLE_BATCH];
    size_t n;
    const char *at; /* the next row */
    const char *end;
    uint64_t chunk_left;
    _Alignas(max_align_t) char own[]; /* the answerer's */
} batch;

static size_t row_max(const table *t)
{
    return t->in == ROW_PLAIN ? PLAIN_ROW_MAX : ROW_MAX;
}

/* ---- reading ---------------------------------------------------------------- */

/* The row cannot be answered; false: so nothing more is. */
static bool add_fault(const table *t, stream_block *b, const char *why)
{
    stream_fault_add(b, t->nulls ? 0 : RESULT_BAD_DATA, why);
    return t->nulls;
}

static bool refuse_long_row(const table *t, stream_block *b)
{
    char why[FIELD_WHY_MAX];

    snprintf(why, sizeof why, "cannot read standard input: a row is longer than %zu bytes%s",
             row_max(t), t->in == ROW_CSV ? " (is a quote never closed?)" : "");
    stream_fault_add(b, RESULT_USAGE, why);
    return false;
}

/* The line with the number of rows in the chunk that follows. */
static bool take_chunk_header(batch *a, stream_block *b)
{
    row r;

    a->at = row_next(ROW_PLAIN, a->at, a->end, &r);
    if (!stream_chunk_rows(&r, &a->chunk_left)) {
        const field f = {r.at, r.n, FIELD_TEXT};
        char why[FIELD_WHY_MAX];

        field_refuse(&f, NULL, "the number of rows in a chunk (--chunk-header)", why);
        stream_fault_add(b, RESULT_BAD_DATA, why);
        return false;
    }
    b->lines++;
    return true;
}

/* Nulls cannot be added to a line that is no object: they stand alone then. */
static void drop_if_no_object(const table *t, row *r)
{
    const row_columns none = {
        .format = ROW_JSONL, .taken = t->columns.taken, .taken_count = t->columns.taken_count};
    char why[FIELD_WHY_MAX];

    if (!row_fields_jsonl(&none, r, NULL, why)) r->n = 0;
}

/* A field's fault names its column; JSON calls it a member. */
static void name_member(char *why)
{
    if (strncmp(why, "column ", 7) == 0) memcpy(why, "member ", 7);
}

/* Takes one row into the batch; false: nothing more can be read. */
static bool take_row(const table *t, batch *a, stream_block *b)
{
    const table_answerer *w = t->answerer;
    row *r = &a->rows[a->n];
    field fields[ROW_SLOTS_MAX];
    char why[FIELD_WHY_MAX];

    a->at = row_next(t->in, a->at, a->end, r);
    if (r->n > row_max(t)) return refuse_long_row(t, b);
    a->null[a->n] =
        !row_fields(&t->columns, r, fields, why) || !w->take(w->context, a->own, a->n, fields, why);
    if (a->null[a->n]) {
        if (t->in == ROW_JSONL) name_member(why);
        if (!add_fault(t, b, why)) return false;
        if (t->in == ROW_JSONL) drop_if_no_object(t, r);
    }
    if (t->chunks) a->chunk_left--;
    b->lines += r->lines;
    a->n++;
    return true;
}

/* Fills the batch; false: nothing more can be read. */
static bool collect(const table *t, batch *a, stream_block *b)
{
    a->n = 0;
    while (a->n < TABLE_BATCH && a->at < a->end) {
        const bool head = t->chunks && a->chunk_left == 0;

        if (head ? !take_chunk_header(a, b) : !take_row(t, a, b)) return false;
    }
    return true;
}

/* ---- writing ---------------------------------------------------------------- */

static char *put(char *out, const char *text, size_t n)
{
    memcpy(out, text, n);
    return out + n;
}

static char *put_null(row_format format, char *out)
{
    static const char *const nulls[] = {"nan", "", "\\N", "null"};

    return put(out, nulls[format], strlen(nulls[format]));
}

/* The answers to row i with separators between them; for JSON with names. */
static char *put_answers(const table *t, const batch *a, size_t i, char *out)
{
    const table_answerer *w = t->answerer;

    for (size_t k = 0; k < w->answers; k++) {
        if (k > 0) *out++ = t->out == ROW_CSV || t->out == ROW_JSONL ? ',' : '\t';
        if (t->out == ROW_JSONL) {
            *out++ = '"';
            out = put(out, t->name[k], strlen(t->name[k]));
            *out++ = '"';
            *out++ = ':';
        }
        if (a->null[i])
            out = put_null(t->out, out);
        else
            out += w->write(w->context, a->own, i, k, t->out, out);
    }
    return out;
}

static char *put_row(const table *t, const batch *a, size_t i, char *out)
{
    const row *r = &a->rows[i];
    const bool json = t->out == ROW_JSONL;
    const bool kept = !t->answer_only && (!json || r->n > 0);

    if (kept) out = put(out, r->at, json ? r->close : r->n);
    if (json && !kept) *out++ = '{';
    if (kept && (json ? r->members : true)) *out++ = t->out == ROW_TSV ? '\t' : ',';
    out = put_answers(t, a, i, out);
    if (json && !kept) *out++ = '}';
    if (json && kept) out = put(out, r->at + r->close, r->n - r->close);
    if (r->crlf && t->in != ROW_PLAIN) *out++ = '\r';
    *out++ = t->row_end;
    return out;
}

/* Room that the answers to one row take at most. */
static size_t answers_room(const table *t)
{
    return t->answerer->answers * (TABLE_VALUE_MAX + sizeof t->names[0]) + 8;
}

static bool put_rows(const table *t, const batch *a, bytes *out)
{
    const size_t room = answers_room(t);

    for (size_t i = 0; i < a->n; i++) {
        if (!bytes_reserve(out, a->rows[i].n + room)) return false;
        out->n = (size_t)(put_row(t, a, i, out->at + out->n) - out->at);
    }
    return true;
}

/* ---- a block ---------------------------------------------------------------- */

static void begin_block(const table *t, batch *a, stream_block *b)
{
    a->at = b->in.at;
    a->end = b->in.at + b->in.n;
    a->chunk_left = b->chunk_left;
    if (b->first && t->header && a->at < a->end) {
        row r;

        a->at = row_next(t->in, a->at, a->end, &r);
        b->lines += r.lines;
        if (!bytes_append(&b->out, t->head.at, t->head.n))
            stream_fault_add(b, RESULT_USAGE, "out of memory");
    }
}

static void work(void *context, void *memory, stream_block *b)
{
    const table *t = context;
    const table_answerer *w = t->answerer;
    batch *a = memory;
    bool more = true;

    begin_block(t, a, b);
    while (more && a->at < a->end) {
        more = collect(t, a, b);
        w->decide(w->context, a->own, a->n);
        if (!put_rows(t, a, &b->out)) {
            stream_fault_add(b, RESULT_USAGE, "out of memory");
            return;
        }
    }
    if (more && b->last && a->chunk_left > 0) {
        char why[FIELD_WHY_MAX];

        snprintf(why, sizeof why, "the input ends %" PRIu64 " row%s before its chunk does",
                 a->chunk_left, a->chunk_left == 1 ? "" : "s");
        stream_fault_add(b, RESULT_BAD_DATA, why);
    }
}

/* ---- the header ------------------------------------------------------------- */

typedef struct heading {
    table *t;
    size_t columns;
    bool twice;
    bool nomem;
    const char *collides;
} heading;

static void see_name(void *context, size_t column, const field *f)
{
    heading *h = context;
    table *t = h->t;

    t->columns.slot_of[column] = -1;
    h->columns = column + 1;
    for (size_t k = 0; k < t->answerer->answers; k++)
        if (!t->answer_only && field_is(f, t->name[k])) h->collides = t->name[k];
    for (size_t i = 0; i < t->columns.slots; i++) {
        if (t->wanted[i] == NULL || !field_is(f, t->wanted[i])) continue;
        for (size_t c = 0; c < column; c++)
            h->twice = h->twice || t->columns.slot_of[c] == (int)i;
        t->columns.slot_of[column] = (int)i;
    }
}

static int refuse_header(const table *t, const char *what, const char *name)
{
    fprintf(stderr, "hedge %s: line 1: %s%s\n", t->self->name, what, name);
    return RESULT_BAD_DATA;
}

/* The output's own header: the row as it was, and the answers' names. */
static bool write_header(table *t, const row *r)
{
    const char separator = t->out == ROW_TSV ? '\t' : ',';
    bool fine = t->answer_only || bytes_append(&t->head, r->at, r->n);

    for (size_t k = 0; k < t->answerer->answers && fine; k++) {
        if (k > 0 || !t->answer_only) fine = bytes_append(&t->head, &separator, 1);
        fine = fine && bytes_append(&t->head, t->name[k], strlen(t->name[k]));
    }
    return fine && (!r->crlf || bytes_append(&t->head, "\r", 1)) &&
           bytes_append(&t->head, &t->row_end, 1);
}

static size_t delimiters(const row *r)
{
    size_t n = 0;

    for (size_t i = 0; i < r->n; i++)
        n += r->at[i] == ',' || r->at[i] == '\t';
    return n;
}

static int read_header(void *context, const row *first)
{
    table *t = context;
    heading h = {.t = t};
    char why[FIELD_WHY_MAX];

    if (first->n > row_max(t)) return refuse_header(t, "the header is too long", "");
    t->columns.slot_of = malloc((delimiters(first) + 1) * sizeof *t->columns.slot_of);
    if (t->columns.slot_of == NULL || !write_header(t, first))
        return refuse_header(t, "out of memory", ""), RESULT_USAGE;
    if (!row_walk(t->in, first, see_name, &h, why)) return refuse_header(t, why, "");
    t->columns.width = t->columns.listed = h.columns;
    if (h.twice) return refuse_header(t, "a column that is to be read is there twice", "");
    if (h.collides != NULL)
        return refuse_header(t, "--prefix is needed, as there is already a column ", h.collides);
    for (size_t i = 0; i < t->columns.slots; i++) {
        bool there = t->wanted[i] == NULL || i >= t->answerer->needed;

        for (size_t c = 0; c < h.columns; c++)
            there = there || t->columns.slot_of[c] == (int)i;
        if (!there) return refuse_header(t, "the header has no column ", t->wanted[i]);
    }
    return 0;
}

int table_run(table *t)
{
    const stream_job job = {
        .command = t->self->name,
        .format = t->in,
        .row_max = row_max(t),
        .threads = t->threads,
        .chunks = t->chunks,
        .held = t->held,
        .memory_size = sizeof(batch) + t->answerer->batch_size,
        .context = t,
        .begin = t->header ? read_header : NULL,
        .work = work,
    };
    const stream_result result = stream_run(&job);

    if (result.faults > 0 && t->nulls)
        fprintf(stderr, "hedge %s: %" PRIu64 " row%s could not be answered\n", t->self->name,
                result.faults, result.faults == 1 ? "" : "s");
    t->faults = result.faults;
    interrupt_end();
    return result.code;
}

void table_free(table *t)
{
    free(t->columns.slot_of);
    bytes_free(&t->head);
}
