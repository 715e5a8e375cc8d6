/* SPDX-License-Identifier: MIT
 * row.c: where the rows of a stream end, in each format, and where their fields lie. */
#include "row.h"

#include <stdio.h>
#include <string.h>

/* ---- splitting ------------------------------------------------------------- */

static const char *find(const char *from, const char *end, char c)
{
    return memchr(from, c, (size_t)(end - from));
}

/* RFC 4180: a quote opens a field only at its beginning. */
static bool opens_field(const char *begin, const char *quote)
{
    return quote == begin || quote[-1] == ',' || quote[-1] == '\n';
}

/* Steps over the rest of a quoted field. False: its end is not here yet. */
static bool leave_quotes(row_split *split, const char *bytes, size_t n)
{
    const char *end = bytes + n;
    const char *quote = find(bytes + split->scanned, end, '"');

    if (quote == NULL || quote + 1 == end) {
        /* What follows the last byte says whether it ends the field. */
        split->scanned = quote == NULL ? n : n - 1;
        return false;
    }
    split->quoted = quote[1] == '"';
    split->scanned = (size_t)(quote - bytes) + (split->quoted ? 2 : 1);
    return true;
}

static void scan_unquoted(row_split *split, const char *bytes, size_t n)
{
    const char *from = bytes + split->scanned;
    const char *quote = split->format == ROW_CSV ? find(from, bytes + n, '"') : NULL;
    const char *end = quote != NULL ? quote : bytes + n;
    const char *newline = memrchr(from, '\n', (size_t)(end - from));

    if (newline != NULL) split->whole = (size_t)(newline - bytes) + 1;
    split->scanned = quote != NULL ? (size_t)(quote - bytes) + 1 : n;
    split->quoted = quote != NULL && opens_field(bytes, quote);
}

size_t row_split_scan(row_split *split, const char *bytes, size_t n)
{
    while (split->scanned < n) {
        if (!split->quoted)
            scan_unquoted(split, bytes, n);
        else if (!leave_quotes(split, bytes, n))
            break;
    }
    return split->whole;
}

void row_split_cut(row_split *split)
{
    split->scanned -= split->whole;
    split->whole = 0;
}

/* ---- one row --------------------------------------------------------------- */

/* The line feed that ends the CSV row at `at`, in which the first quote is. */
static const char *quoted_end(const char *at, const char *quote, const char *end, size_t *lines)
{
    const char *newline;

    for (;;) {
        const char *from = quote + 1;

        if (opens_field(at, quote)) {
            while (from < end && (*from != '"' || (end - from > 1 && from[1] == '"'))) {
                if (*from == '\n') ++*lines;
                from += *from == '"' ? 2 : 1; /* a doubled quote stands for one */
            }
            if (from < end) from++;
        }
        newline = find(from, end, '\n');
        quote = find(from, newline != NULL ? newline : end, '"');
        if (quote == NULL) return newline;
    }
}

const char *row_next(row_format format, const char *at, const char *end, row *out)
{
    const char *newline = find(at, end, '\n');
    const char *last;

    out->at = at;
    out->lines = 1;
    if (format == ROW_CSV) {
        const char *quote = find(at, newline != NULL ? newline : end, '"');

        if (quote != NULL) newline = quoted_end(at, quote, end, &out->lines);
    }
    last = newline != NULL ? newline : end;
    out->crlf = last > at && last[-1] == '\r';
    out->n = (size_t)(last - at) - (out->crlf ? 1 : 0);
    return newline != NULL ? newline + 1 : end;
}

/* ---- fields ---------------------------------------------------------------- */

static bool is_null(const char *at, size_t n)
{
    return n == 0 || (n == 2 && at[0] == '\\' && at[1] == 'N');
}

static bool malformed(char *why, size_t column, const char *what)
{
    snprintf(why, FIELD_WHY_MAX, "column %zu: %s", column + 1, what);
    return false;
}

/* Reads the quoted field at *at and steps to the comma or the end behind it. */
static bool read_quoted(const char **at, const char *end, field *f, const char **wrong)
{
    const char *from = *at + 1;
    const char *quote = find(from, end, '"');

    f->kind = FIELD_TEXT;
    while (quote != NULL && quote + 1 < end && quote[1] == '"') {
        f->kind = FIELD_CSV;
        quote = find(quote + 2, end, '"');
    }
    *wrong = quote == NULL ? "a quote is never closed" : "text follows a closing quote";
    if (quote == NULL || (quote + 1 < end && quote[1] != ',')) return false;
    f->at = from;
    f->n = (size_t)(quote - from);
    *at = quote + 1;
    if (f->n == 0) f->kind = FIELD_MISSING;
    return true;
}

static bool walk_csv(const row *r, row_visit *visit, void *context, char *why)
{
    const char *at = r->at;
    const char *end = at + r->n;
    const bool quotes = find(at, end, '"') != NULL;

    for (size_t column = 0;; column++) {
        field f = {.at = at, .kind = FIELD_TEXT};
        const char *wrong = "a quote within an unquoted field (quote it, and double the quote)";

        if (quotes && at < end && *at == '"') {
            if (!read_quoted(&at, end, &f, &wrong)) return malformed(why, column, wrong);
        } else {
            const char *comma = find(at, end, ',');

            at = comma != NULL ? comma : end;
            f.n = (size_t)(at - f.at);
            if (quotes && find(f.at, at, '"') != NULL) return malformed(why, column, wrong);
            if (is_null(f.at, f.n)) f.kind = FIELD_MISSING;
        }
        visit(context, column, &f);
        if (at == end) return true;
        at++;
    }
}

/* True if the character at p is escaped: an odd number of backslashes before it. */
static bool is_escaped(const char *begin, const char *p)
{
    const char *from = p;

    while (from > begin && from[-1] == '\\')
        from--;
    return (p - from) % 2 != 0;
}

static bool walk_tsv(const row *r, row_visit *visit, void *context, char *why)
{
    const char *at = r->at;
    const char *end = at + r->n;
    const bool escapes = find(at, end, '\\') != NULL;

    for (size_t column = 0;; column++) {
        field f = {.at = at, .kind = FIELD_TEXT};
        const char *tab = find(at, end, '\t');

        while (escapes && tab != NULL && is_escaped(f.at, tab))
            tab = find(tab + 1, end, '\t');
        at = tab != NULL ? tab : end;
        f.n = (size_t)(at - f.at);
        if (is_null(f.at, f.n))
            f.kind = FIELD_MISSING;
        else if (escapes && find(f.at, at, '\\') != NULL)
            f.kind = FIELD_TSV;
        if (f.kind == FIELD_TSV && at == end && is_escaped(f.at, end))
            return malformed(why, column, "it ends in a backslash (a line break is written \\n)");
        visit(context, column, &f);
        if (at == end) return true;
        at++;
    }
}

bool row_walk(row_format format, const row *r, row_visit *visit, void *context, char *why)
{
    if (format == ROW_CSV) return walk_csv(r, visit, context, why);
    return walk_tsv(r, visit, context, why);
}

/* ---- the wanted ones --------------------------------------------------------- */

typedef struct picking {
    const row_columns *columns;
    field *fields;
    size_t seen;
} picking;

static void pick(void *context, size_t column, const field *f)
{
    picking *p = context;

    p->seen = column + 1;
    if (column < p->columns->listed && p->columns->slot_of[column] >= 0)
        p->fields[p->columns->slot_of[column]] = *f;
}

static bool pick_fields(const row_columns *columns, const row *r, field *fields, char *why)
{
    picking p = {columns, fields, 0};

    if (!row_walk(columns->format, r, pick, &p, why)) return false;
    if (columns->width > 0 ? p.seen == columns->width : p.seen >= columns->listed) return true;
    if (columns->width > 0)
        snprintf(why, FIELD_WHY_MAX, "%zu column%s, where each row must have %zu", p.seen,
                 p.seen == 1 ? "" : "s", columns->width);
    else
        snprintf(why, FIELD_WHY_MAX, "%zu column%s, where column %zu is to be read", p.seen,
                 p.seen == 1 ? "" : "s", columns->listed);
    return false;
}

/* A number a line; blanks around it are nothing. */
static void take_plain(const row *r, field *f)
{
    const char *at = r->at;
    size_t n = r->n;

    while (n > 0 && (*at == ' ' || *at == '\t' || *at == '\r'))
        at++, n--;
    while (n > 0 && (at[n - 1] == ' ' || at[n - 1] == '\t' || at[n - 1] == '\r'))
        n--;
    *f = (field){at, n, FIELD_TEXT};
}

bool row_fields(const row_columns *columns, row *r, field fields[ROW_SLOTS_MAX],
                char why[FIELD_WHY_MAX])
{
    for (size_t i = 0; i < columns->slots; i++)
        fields[i].kind = FIELD_ABSENT;
    switch (columns->format) {
    case ROW_PLAIN:
        take_plain(r, &fields[0]);
        return true;
    case ROW_JSONL:
        return row_fields_jsonl(columns, r, fields, why);
    default:
        return pick_fields(columns, r, fields, why);
    }
}
