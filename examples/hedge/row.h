/* SPDX-License-Identifier: MIT
 * row.h: where the rows of a stream end, in each format, and where their fields lie. */
#ifndef HEDGE_CLI_ROW_H
#define HEDGE_CLI_ROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "field.h"

typedef enum row_format { ROW_PLAIN, ROW_CSV, ROW_TSV, ROW_JSONL } row_format;

enum { ROW_SLOTS_MAX = 16, ROW_JSON_DEPTH_MAX = 64 };

/* One row without its end. */
typedef struct row {
    const char *at;
    size_t n;
    bool crlf;    /* it ended in a carriage return and a line feed */
    size_t lines; /* that it takes; more than 1 where a quoted field has several */
    size_t close; /* JSON: where its closing brace is */
    bool members; /* JSON: it has some */
} row;

/* ---- splitting: done by one thread, so it only looks for row ends ---------- */

/* Where splitting stands in bytes that begin with the beginning of a row. */
typedef struct row_split {
    row_format format;
    bool quoted;    /* within a quoted CSV field */
    size_t scanned; /* bytes looked at */
    size_t whole;   /* the end of the last whole row, 0: none yet */
} row_split;

/* Looks at what has come since the last call; returns split->whole. */
size_t row_split_scan(row_split *split, const char *bytes, size_t n);
/* The whole rows were taken away: the rest moves to the beginning. */
void row_split_cut(row_split *split);

/* ---- reading: done by every thread, on whole rows --------------------------- */

/* The row at `at`, which lies before end; returns where the next one begins. A
 * last row may lack its end. */
const char *row_next(row_format format, const char *at, const char *end, row *out);

/* Which columns are wanted: each has a slot. */
typedef struct row_columns {
    row_format format;
    size_t slots;
    int *slot_of;                    /* CSV, TSV: the slot of each column, -1: not wanted */
    size_t listed;                   /* elements of slot_of */
    size_t width;                    /* CSV, TSV: columns that each row must have, 0: any number */
    const char *name[ROW_SLOTS_MAX]; /* JSON: the member of each slot */
    const char *const *taken;        /* JSON: members that a row must not have, */
    size_t taken_count;              /* since the answers are called so */
} row_columns;

/* Finds the row's wanted fields; false when the row is malformed, and why. */
bool row_fields(const row_columns *columns, row *r, field fields[ROW_SLOTS_MAX],
                char why[FIELD_WHY_MAX]);

/* The part of row_fields that reads a JSON object (row_jsonl.c). */
bool row_fields_jsonl(const row_columns *columns, row *r, field *fields, char *why);

/* Calls `visit` with each field of a CSV or TSV row, in order. */
typedef void row_visit(void *context, size_t column, const field *f);
bool row_walk(row_format format, const row *r, row_visit *visit, void *context, char *why);

#endif
