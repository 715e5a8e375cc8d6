/* SPDX-License-Identifier: MIT
 * table_options.c: what the command line says about a stream of rows. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "number.h"
#include "options.h"
#include "table.h"

enum { COLUMNS_MAX = 4096 };

static bool take_format(table *t, const command *self, const char *given)
{
    static const char *const names[] = {"plain", "csv", "tsv", "jsonl"};

    if (given == NULL) return true;
    for (size_t i = 0; i < 4; i++)
        if (strcmp(given, names[i]) == 0) {
            t->in = t->out = (row_format)i;
            return true;
        }
    usage_error(self, "--format: '%s' is not plain, csv, tsv or jsonl", given);
    return false;
}

static bool take_threads(table *t, const command *self, const char *given)
{
    const long processors = sysconf(_SC_NPROCESSORS_ONLN);
    uint64_t threads = processors > 0 ? (uint64_t)processors : 1;

    if (given != NULL && !number_read_whole(given, 1, 256, &threads)) {
        usage_error(self, "--threads: '%s' is not a whole number from 1 to 256", given);
        return false;
    }
    t->threads = threads <= 256 ? (unsigned)threads : 256;
    return true;
}

static bool take_prefix(table *t, const command *self, const char *given)
{
    const char *prefix = given != NULL ? given : "";
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";

    if (strlen(prefix) > 64 || strspn(prefix, allowed) != strlen(prefix)) {
        usage_error(self, "--prefix: '%s' is not at most 64 of A-Z a-z 0-9 _ . -", given);
        return false;
    }
    for (size_t k = 0; k < t->answerer->answers; k++) {
        snprintf(t->names[k], sizeof t->names[k], "%s%s", prefix, t->answerer->answer[k]);
        t->name[k] = t->names[k];
    }
    return true;
}

static bool take_on_error(table *t, const command *self, const table_options *given)
{
    const char *what = given->on_error;

    t->nulls = given->keep_going || (what != NULL && strcmp(what, "null") == 0);
    if (what == NULL || strcmp(what, "null") == 0 || strcmp(what, "stop") == 0) return true;
    usage_error(self, "--on-error: '%s' is not stop or null", what);
    return false;
}

bool table_take_options(table *t, const command *self, const table_options *given)
{
    const char *wrong = NULL;

    t->self = self;
    t->row_end = '\n';
    if (!take_format(t, self, given->format) || !take_threads(t, self, given->threads) ||
        !take_prefix(t, self, given->prefix) || !take_on_error(t, self, given))
        return false;
    t->header = given->header;
    t->chunks = given->chunk_header;
    t->answer_only = given->answer_only || t->in == ROW_PLAIN;
    if (t->header && t->in != ROW_CSV && t->in != ROW_TSV)
        wrong = "--header is for --format csv or tsv";
    else if (t->header && t->chunks)
        wrong = "--header and --chunk-header do not go together";
    if (wrong != NULL) usage_error(self, "%s", wrong);
    return wrong == NULL;
}

/* By name: JSON's members now, a header's columns when it is read. */
static void choose_names(table *t)
{
    for (size_t i = 0; i < t->answerer->slots; i++) {
        t->columns.name[i] = t->wanted[i];
    }
    if (t->answer_only) return;
    t->columns.taken = t->name;
    t->columns.taken_count = t->answerer->answers;
}

static void begin_columns(table *t)
{
    t->columns.format = t->in;
    t->columns.slots = t->answerer->slots;
    for (size_t i = 0; i < t->answerer->slots; i++)
        t->wanted[i] = t->answerer->slot[i];
}

static bool columns_room(table *t, size_t n)
{
    t->columns.slot_of = malloc(n * sizeof *t->columns.slot_of);
    for (size_t i = 0; i < n && t->columns.slot_of != NULL; i++)
        t->columns.slot_of[i] = -1;
    t->columns.listed = n;
    if (t->columns.slot_of == NULL) fprintf(stderr, "hedge %s: out of memory\n", t->self->name);
    return t->columns.slot_of != NULL;
}

bool table_column(table *t, const char *column)
{
    uint64_t number = 1;

    begin_columns(t);
    if (t->in == ROW_PLAIN) {
        if (column != NULL) usage_error(t->self, "--column is for --format csv, tsv or jsonl");
        return column == NULL;
    }
    if (column != NULL) t->wanted[0] = column;
    choose_names(t);
    if (t->header || t->in == ROW_JSONL) return true;
    if (column != NULL && !number_read_whole(column, 1, COLUMNS_MAX, &number)) {
        usage_error(t->self,
                    "--column: '%s' is not a number from 1 to %d (with --header it is a name)",
                    column, COLUMNS_MAX);
        return false;
    }
    if (!columns_room(t, (size_t)number)) return false;
    t->columns.slot_of[number - 1] = 0;
    return true;
}

/* The slot of the name at `at`, -1 for "_", -2 for none of them. */
static int slot_called(const table *t, const char *at, size_t n)
{
    if (n == 1 && *at == '_') return -1;
    for (size_t i = 0; i < t->answerer->slots; i++)
        if (strlen(t->answerer->slot[i]) == n && memcmp(t->answerer->slot[i], at, n) == 0)
            return (int)i;
    return -2;
}

static bool list_name(table *t, const char *at, size_t n, size_t column)
{
    const int slot = slot_called(t, at, n);

    if (slot == -2) {
        usage_error(t->self, "--columns: '%.*s' is no column that is read ('_' skips one)", (int)n,
                    at);
        return false;
    }
    for (size_t c = 0; c < column && slot >= 0; c++)
        if (t->columns.slot_of[c] == slot) {
            usage_error(t->self, "--columns: '%.*s' is there twice", (int)n, at);
            return false;
        }
    t->columns.slot_of[column] = slot;
    return true;
}

bool table_columns_list(table *t, const char *list)
{
    const bool named = t->header || t->in == ROW_JSONL;
    size_t n = 1;

    begin_columns(t);
    choose_names(t);
    if (named == (list != NULL)) {
        usage_error(t->self, named ? "--columns is for csv or tsv without --header"
                                   : "csv and tsv need --header or --columns");
        return false;
    }
    if (named) return true;
    for (const char *p = list; *p != '\0'; p++)
        n += *p == ',';
    if (n > COLUMNS_MAX || !columns_room(t, n)) return false;
    for (size_t column = 0; column < n; column++) {
        const size_t length = strcspn(list, ",");

        if (!list_name(t, list, length, column)) return false;
        list += length + 1;
    }
    t->columns.width = n;
    return true;
}
