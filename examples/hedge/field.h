/* SPDX-License-Identifier: MIT
 * field.h: one value of a row, as text, and what it says. */
#ifndef HEDGE_CLI_FIELD_H
#define HEDGE_CLI_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FIELD_WHY_MAX = 200 };

typedef enum field_kind {
    FIELD_ABSENT,  /* the table has no such column, the object no such member */
    FIELD_MISSING, /* it is there and empty, \N or null */
    FIELD_TEXT,    /* the text as it stands */
    FIELD_CSV,     /* the text with each quote doubled */
    FIELD_TSV,     /* the text with backslash escapes */
    FIELD_JSON,    /* the text with JSON's escapes */
    FIELD_NESTED   /* an object or an array of JSON */
} field_kind;

typedef struct field {
    const char *at;
    size_t n;
    field_kind kind;
} field;

/* The text that is meant; returns its length, capacity if it is longer than
 * capacity - 1. A NUL follows; there may be others within. */
size_t field_decode(const field *f, char *text, size_t capacity);

/* True if the text that is meant is this word, of which no NUL is a part. */
bool field_is(const field *f, const char *word);

/* Each reads a value that must be there; false, and why, if it is not what it
 * should be. column is its name for the message, NULL: it has none. */
bool field_number(const field *f, const char *column, double *out, char why[FIELD_WHY_MAX]);
bool field_int64(const field *f, const char *column, int64_t *out, char why[FIELD_WHY_MAX]);
bool field_bool(const field *f, const char *column, bool *out, char why[FIELD_WHY_MAX]);

/* Says what is wrong with a field and what is allowed; returns false. */
bool field_refuse(const field *f, const char *column, const char *wrong, char why[FIELD_WHY_MAX]);

#endif
