/* SPDX-License-Identifier: MIT
 * field.c: one value of a row, as text, and what it says. */
#include "field.h"

#include <stdio.h>
#include <string.h>

#include "number.h"

enum { SHOWN_MAX = 48 };

/* ---- decoding ------------------------------------------------------------- */

static size_t put_utf8(uint32_t c, char out[4])
{
    if (c < 0x80) return out[0] = (char)c, 1;
    if (c < 0x800) return out[0] = (char)(0xC0 | c >> 6), out[1] = (char)(0x80 | (c & 63)), 2;
    if (c < 0x10000) {
        out[0] = (char)(0xE0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 63));
        out[2] = (char)(0x80 | (c & 63));
        return 3;
    }
    out[0] = (char)(0xF0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 63));
    out[2] = (char)(0x80 | (c >> 6 & 63));
    out[3] = (char)(0x80 | (c & 63));
    return 4;
}

/* The four hexadecimal digits at p, which were checked. */
static uint32_t unit_at(const char *p)
{
    uint32_t unit = 0;

    for (int i = 0; i < 4; i++) {
        const char c = p[i];

        unit = unit << 4 | (uint32_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return unit;
}

/* Decodes the \u at p, as a pair of surrogates where it is one; returns the
 * bytes read. */
static size_t decode_unit(const char *p, const char *end, char out[4], size_t *n)
{
    const uint32_t high = unit_at(p + 2);

    if (high >= 0xD800 && high < 0xDC00 && end - p >= 12 && p[6] == '\\' && p[7] == 'u') {
        const uint32_t low = unit_at(p + 8);

        if (low >= 0xDC00 && low < 0xE000) {
            *n = put_utf8(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00), out);
            return 12;
        }
    }
    *n = put_utf8(high, out);
    return 6;
}

static char escaped(char c, field_kind kind)
{
    static const char from[] = "bfnrt0";
    static const char to[] = "\b\f\n\r\t";
    const char *found = c != '\0' ? strchr(from, c) : NULL;

    if (found == NULL || (c == '0' && kind == FIELD_JSON)) return c;
    return to[found - from];
}

/* Decodes what is at p into out; returns the bytes read, *n those written. */
static size_t decode_one(const char *p, const char *end, field_kind kind, char out[4], size_t *n)
{
    *n = 1;
    out[0] = p[0];
    if (kind == FIELD_CSV && p[0] == '"') return 2;
    if ((kind != FIELD_TSV && kind != FIELD_JSON) || p[0] != '\\' || end - p < 2) return 1;
    if (kind == FIELD_JSON && p[1] == 'u') return decode_unit(p, end, out, n);
    out[0] = escaped(p[1], kind);
    return 2;
}

size_t field_decode(const field *f, char *text, size_t capacity)
{
    const char *p = f->at;
    const char *end = p + f->n;
    size_t n = 0;

    while (p < end) {
        char out[4];
        size_t more;

        p += decode_one(p, end, f->kind, out, &more);
        if (n + more >= capacity) return capacity;
        memcpy(text + n, out, more);
        n += more;
    }
    text[n] = '\0';
    return n;
}

bool field_is(const field *f, const char *word)
{
    const char *p = f->at;
    const char *end = p + f->n;
    size_t left = strlen(word);

    if (f->kind == FIELD_TEXT) return f->n == left && memcmp(p, word, left) == 0;
    while (p < end) {
        char out[4];
        size_t more;

        p += decode_one(p, end, f->kind, out, &more);
        if (more > left || memcmp(word, out, more) != 0) return false;
        word += more;
        left -= more;
    }
    return left == 0;
}

/* ---- values ---------------------------------------------------------------- */

/* The field as it may be shown on a terminal: its beginning, without control
 * characters. */
static void show(const field *f, char shown[SHOWN_MAX])
{
    size_t n = 0;

    for (; n < f->n && n < SHOWN_MAX - 1; n++)
        shown[n] = (unsigned char)f->at[n] < 0x20 || f->at[n] == 0x7F ? '?' : f->at[n];
    /* Not half a character of UTF-8. */
    while (n > 0 && n < f->n && ((unsigned char)f->at[n] & 0xC0) == 0x80)
        n--;
    shown[n] = '\0';
}

bool field_refuse(const field *f, const char *column, const char *wrong, char why[FIELD_WHY_MAX])
{
    char shown[SHOWN_MAX];
    int n = 0;

    if (column != NULL) n = snprintf(why, FIELD_WHY_MAX, "column %.64s: ", column);
    if (f->kind == FIELD_ABSENT || f->kind == FIELD_MISSING) {
        snprintf(why + n, FIELD_WHY_MAX - (size_t)n, "a value is missing");
        return false;
    }
    show(f, shown);
    snprintf(why + n, FIELD_WHY_MAX - (size_t)n, "'%s' is not %s", shown, wrong);
    return false;
}

bool field_number(const field *f, const char *column, double *out, char why[FIELD_WHY_MAX])
{
    if (f->kind == FIELD_TEXT && number_read_n(f->at, f->n, out)) return true;
    return field_refuse(f, column, "a number (digits, 1e-3, nan and inf are)", why);
}

bool field_int64(const field *f, const char *column, int64_t *out, char why[FIELD_WHY_MAX])
{
    if (f->kind == FIELD_TEXT && number_read_int64(f->at, f->n, out)) return true;
    return field_refuse(f, column, "a whole number of 64 bits", why);
}

bool field_bool(const field *f, const char *column, bool *out, char why[FIELD_WHY_MAX])
{
    if (f->kind == FIELD_TEXT) {
        *out = field_is(f, "1") || field_is(f, "true");
        if (*out || field_is(f, "0") || field_is(f, "false")) return true;
    }
    return field_refuse(f, column, "0, 1, false or true", why);
}
