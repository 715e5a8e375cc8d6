/* SPDX-License-Identifier: MIT
 * row_jsonl.c: one JSON object a line (RFC 8259), checked whole, its wanted members found. */
#include <stdio.h>
#include <string.h>

#include "row.h"

typedef struct reading {
    const char *begin;
    const char *at;
    const char *end;
    char *why;
} reading;

static bool refuse(reading *r, const char *what)
{
    snprintf(r->why, FIELD_WHY_MAX, "no JSON object: %s at character %td", what,
             r->at - r->begin + 1);
    return false;
}

static void skip_blanks(reading *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\r' || *r->at == '\n'))
        r->at++;
}

static bool take(reading *r, char c)
{
    if (r->at == r->end || *r->at != c) return false;
    r->at++;
    return true;
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

/* Steps over the escape behind a backslash. */
static bool read_escape(reading *r)
{
    if (r->at == r->end || *r->at == '\0' || strchr("\"\\/bfnrtu", *r->at) == NULL)
        return refuse(r, "an unknown escape");
    if (*r->at++ != 'u') return true;
    for (int i = 0; i < 4; i++, r->at++)
        if (r->at == r->end || !is_hex(*r->at)) return refuse(r, "\\u without four digits");
    return true;
}

/* The string at `at`. Its bytes need not be UTF-8: they pass as they are. */
static bool read_string(reading *r, field *f)
{
    if (!take(r, '"')) return refuse(r, "no string");
    *f = (field){r->at, 0, FIELD_TEXT};
    for (;;) {
        while (r->at < r->end && (unsigned char)*r->at >= 0x20 && *r->at != '"' && *r->at != '\\')
            r->at++;
        if (r->at == r->end) return refuse(r, "a string is never closed,");
        if (*r->at == '"') break;
        if (*r->at++ != '\\') return r->at--, refuse(r, "a control character in a string");
        f->kind = FIELD_JSON;
        if (!read_escape(r)) return false;
    }
    f->n = (size_t)(r->at++ - f->at);
    return true;
}

static bool read_digits(reading *r)
{
    const char *from = r->at;

    while (r->at < r->end && *r->at >= '0' && *r->at <= '9')
        r->at++;
    return r->at > from;
}

static bool read_number(reading *r, field *f)
{
    bool fine;

    *f = (field){r->at, 0, FIELD_TEXT};
    take(r, '-');
    fine = take(r, '0') || read_digits(r);
    if (fine && take(r, '.')) fine = read_digits(r);
    if (fine && (take(r, 'e') || take(r, 'E'))) {
        if (!take(r, '+')) take(r, '-');
        fine = read_digits(r);
    }
    f->n = (size_t)(r->at - f->at);
    return fine || refuse(r, "no number");
}

static bool read_word(reading *r, const char *word, field *f, field_kind kind)
{
    const size_t n = strlen(word);

    if ((size_t)(r->end - r->at) < n || memcmp(r->at, word, n) != 0)
        return refuse(r, "an unknown word");
    *f = (field){r->at, n, kind};
    r->at += n;
    return true;
}

static bool read_scalar(reading *r, field *f)
{
    if (r->at == r->end) return refuse(r, "a value is missing");
    switch (*r->at) {
    case '"':
        return read_string(r, f);
    case 't':
        return read_word(r, "true", f, FIELD_TEXT);
    case 'f':
        return read_word(r, "false", f, FIELD_TEXT);
    case 'n':
        return read_word(r, "null", f, FIELD_MISSING);
    default:
        return read_number(r, f);
    }
}

static bool read_name(reading *r, field *name)
{
    skip_blanks(r);
    if (!read_string(r, name)) return false;
    skip_blanks(r);
    if (!take(r, ':')) return refuse(r, "no colon");
    skip_blanks(r);
    return true;
}

/* Steps over what may follow a value: closing brackets, then a comma or the
 * end. False: malformed. */
static bool close_nested(reading *r, const bool *object, size_t *depth)
{
    for (skip_blanks(r); *depth > 0; skip_blanks(r)) {
        if (take(r, ',')) return true;
        if (!take(r, object[*depth - 1] ? '}' : ']')) return refuse(r, "no comma");
        --*depth;
    }
    return true;
}

/* Steps over an object or array and all within, without recursion. */
static bool skip_nested(reading *r, field *f)
{
    bool object[ROW_JSON_DEPTH_MAX]; /* what is open: an object, or an array */
    size_t depth = 0;
    field inner;

    *f = (field){r->at, 0, FIELD_NESTED};
    do {
        skip_blanks(r);
        if (depth > 0 && object[depth - 1] && !read_name(r, &inner)) return false;
        if (r->at < r->end && (*r->at == '{' || *r->at == '[')) {
            if (depth == ROW_JSON_DEPTH_MAX - 1) return refuse(r, "nested more than 64 deep");
            object[depth++] = *r->at++ == '{';
            skip_blanks(r);
            if (!take(r, object[depth - 1] ? '}' : ']')) continue;
            depth--;
        } else if (!read_scalar(r, &inner)) {
            return false;
        }
        if (!close_nested(r, object, &depth)) return false;
    } while (depth > 0);
    f->n = (size_t)(r->at - f->at);
    return true;
}

static bool read_value(reading *r, field *f)
{
    if (r->at < r->end && (*r->at == '{' || *r->at == '[')) return skip_nested(r, f);
    return read_scalar(r, f);
}

/* Puts a member where it belongs. */
static bool place(const row_columns *columns, const field *name, const field *value, field *fields,
                  char *why)
{
    for (size_t i = 0; i < columns->taken_count; i++)
        if (field_is(name, columns->taken[i])) {
            snprintf(why, FIELD_WHY_MAX,
                     "member %.64s: the answer is called so too (--prefix renames answers)",
                     columns->taken[i]);
            return false;
        }
    for (size_t i = 0; i < columns->slots; i++) {
        if (columns->name[i] == NULL || !field_is(name, columns->name[i])) continue;
        if (fields[i].kind != FIELD_ABSENT) {
            snprintf(why, FIELD_WHY_MAX, "member %.64s is there twice", columns->name[i]);
            return false;
        }
        fields[i] = *value;
    }
    return true;
}

static bool read_members(const row_columns *columns, reading *r, row *out, field *fields)
{
    field name, value;

    do {
        if (!read_name(r, &name) || !read_value(r, &value)) return false;
        if (!place(columns, &name, &value, fields, r->why)) return false;
        out->members = true;
        skip_blanks(r);
    } while (take(r, ','));
    return true;
}

bool row_fields_jsonl(const row_columns *columns, row *out, field *fields, char *why)
{
    reading r = {out->at, out->at, out->at + out->n, why};

    out->members = false;
    skip_blanks(&r);
    if (!take(&r, '{')) return refuse(&r, "no opening brace");
    skip_blanks(&r);
    if (r.at < r.end && *r.at != '}' && !read_members(columns, &r, out, fields)) return false;
    out->close = (size_t)(r.at - out->at);
    if (!take(&r, '}')) return refuse(&r, "no closing brace");
    skip_blanks(&r);
    return r.at == r.end || refuse(&r, "text follows the object");
}
