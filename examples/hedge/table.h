/* SPDX-License-Identifier: MIT
 * table.h: a stream of rows, each answered: `hedge eval` and `hedge size` as filters. */
#ifndef HEDGE_CLI_TABLE_H
#define HEDGE_CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "command.h"
#include "field.h"
#include "row.h"
#include "stream.h"

enum { TABLE_BATCH = 512, TABLE_ANSWERS_MAX = 16, TABLE_VALUE_MAX = 640 };

/* What the options say, as text; NULL: not given. */
typedef struct table_options {
    const char *format, *columns, *prefix, *on_error, *threads;
    bool header, answer_only, chunk_header, keep_going;
} table_options;

/* The entries of an options list that fill in a table_options, `columns` apart. */
#define TABLE_OPTIONS(t)                                                                           \
    {"format", &(t).format, NULL}, {"header", NULL, &(t).header}, {"prefix", &(t).prefix, NULL},   \
        {"on-error", &(t).on_error, NULL}, {"threads", &(t).threads, NULL},                        \
        {"answer-only", NULL, &(t).answer_only},                                                   \
    {                                                                                              \
        "chunk-header", NULL, &(t).chunk_header                                                    \
    }

/* What a command does with rows. `batch` is a batch_size of its own, for
 * TABLE_BATCH rows; each thread has one. */
typedef struct table_answerer {
    const char *const *slot; /* the columns that can be read, by name */
    size_t slots;
    size_t needed; /* the first so many must be there */
    const char *answer[TABLE_ANSWERS_MAX];
    size_t answers;
    size_t batch_size;
    const void *context;
    /* Reads row i of the batch; false, and why. */
    bool (*take)(const void *context, void *batch, size_t i, const field *fields,
                 char why[FIELD_WHY_MAX]);
    void (*decide)(const void *context, void *batch, size_t n);
    /* Writes an answer to row i; returns its length. */
    size_t (*write)(const void *context, const void *batch, size_t i, size_t answer,
                    row_format format, char out[TABLE_VALUE_MAX]);
} table_answerer;

typedef struct table {
    const command *self;
    const table_answerer *answerer;
    row_format in, out;
    bool header, answer_only, chunks;
    bool nulls; /* a row that cannot be answered gets nulls */
    char row_end;
    unsigned threads;
    row_columns columns;
    const char *wanted[ROW_SLOTS_MAX]; /* the name of each slot's column, NULL: none */
    char names[TABLE_ANSWERS_MAX][96]; /* of the answers, prefix and all */
    const char *name[TABLE_ANSWERS_MAX];
    bytes head;      /* of the output */
    bytes *held;     /* where the output goes instead of standard output */
    uint64_t faults; /* rows that could not be answered */
} table;

/* Takes the options that both commands share. False: the fault is said. */
bool table_take_options(table *t, const command *self, const table_options *given);

/* Chooses the columns: by their names where there is a header or JSON, else by
 * place. table_columns_list reads "asset,_,score"; table_column reads one name
 * or number for slot 0. False: the fault is said. */
bool table_column(table *t, const char *column);
bool table_columns_list(table *t, const char *list);

/* Answers all of standard input; the exit code. */
int table_run(table *t);
void table_free(table *t);

#define HELP_TABLE_FORMATS                                                                         \
    "  --format FORMAT how rows look: csv (RFC 4180), tsv (ClickHouse's TabSeparated) or\n"        \
    "                  jsonl (one JSON object a line)"
#define HELP_TABLE                                                                                 \
    "  --header        the first row of csv or tsv names the columns\n"                            \
    "  --answer-only   leave out the columns that came in\n"                                       \
    "  --prefix TEXT   put before the names of the answers\n"                                      \
    "  --on-error WHAT stop (the default): end at the first row that cannot be answered,\n"        \
    "                  the rows before it answered; null: answer it with an empty field,\n"        \
    "                  \\N, null or (plain) nan, count it on standard error and go on\n"           \
    "  --chunk-header  before each so many rows stands a line with their number (ClickHouse's\n"   \
    "                  send_chunk_header)\n"                                                       \
    "  --threads N     threads to work on (one a processor); the answers do not depend on it\n"

#endif
