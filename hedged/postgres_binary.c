/* SPDX-License-Identifier: MIT
 * postgres_binary: values in PostgreSQL's binary form, as a COPY ... (FORMAT binary) takes them. */
#include "postgres_binary.h"

#include "number.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_OID 25
#define EPOCH_US INT64_C(946684800000000) /* 2000-01-01, where PostgreSQL counts from */
#define GROUPS_MAX 8                      /* of four digits: 17 digits and what fills them up */

static void put_integer(text *out, uint64_t v, size_t n)
{
    char bytes[8];

    for (size_t i = 0; i < n; i++)
        bytes[i] = (char)(uint8_t)(v >> (8 * (n - 1 - i)));
    text_put(out, bytes, n);
}

void postgres_binary_begin(text *out)
{
    static const char signature[11] = "PGCOPY\n\377\r\n"; /* the NUL belongs to it */

    text_put(out, signature, sizeof(signature));
    put_integer(out, 0, 4); /* no flags */
    put_integer(out, 0, 4); /* no extension */
}

void postgres_binary_row(text *out, size_t columns)
{
    put_integer(out, columns, 2);
}

void postgres_binary_end(text *out)
{
    put_integer(out, UINT16_MAX, 2);
}

void postgres_binary_null(text *out)
{
    put_integer(out, UINT32_MAX, 4);
}

void postgres_binary_bool(text *out, bool v)
{
    put_integer(out, 1, 4);
    put_integer(out, v, 1);
}

void postgres_binary_int8(text *out, int64_t v)
{
    put_integer(out, 8, 4);
    put_integer(out, (uint64_t)v, 8);
}

void postgres_binary_float8(text *out, double v)
{
    uint64_t bits;

    memcpy(&bits, &v, sizeof(bits));
    put_integer(out, 8, 4);
    put_integer(out, bits, 8);
}

void postgres_binary_time(text *out, int64_t ts_ns)
{
    const int64_t us = ts_ns / 1000 - (ts_ns % 1000 < 0);

    postgres_binary_int8(out, us - EPOCH_US);
}

void postgres_binary_bytes(text *out, const uint8_t *bytes, size_t n)
{
    put_integer(out, n, 4);
    text_put(out, (const char *)bytes, n);
}

void postgres_binary_text(text *out, const char *s)
{
    postgres_binary_bytes(out, (const uint8_t *)s, strlen(s));
}

void postgres_binary_texts(text *out, const char *const *s, size_t n)
{
    size_t bytes = n > 0 ? 20 : 12;

    for (size_t i = 0; i < n; i++)
        bytes += 4 + strlen(s[i]);
    put_integer(out, bytes, 4);
    put_integer(out, n > 0, 4); /* dimensions */
    put_integer(out, 0, 4);     /* no NULL in it */
    put_integer(out, TEXT_OID, 4);
    if (n > 0) {
        put_integer(out, n, 4);
        put_integer(out, 1, 4); /* the first one's index */
    }
    for (size_t i = 0; i < n; i++)
        postgres_binary_text(out, s[i]);
}

/* ---- numeric -------------------------------------------------------------------- */

enum {
    NUMERIC_NEGATIVE = 0x4000,
    NUMERIC_NAN = 0xC000,
    NUMERIC_PLUS_INFINITY = 0xD000,
    NUMERIC_MINUS_INFINITY = 0xF000
};

/* Whole digits and a power of ten: the number is 0.d1d2d3... with its point moved. */
typedef struct decimal {
    char digits[GROUPS_MAX * 4 + 1];
    int n;
    int exponent; /* of the last digit */
} decimal;

/* Takes a number's text apart: 1234.5, 5e-324. */
static decimal read_decimal(const char *s, size_t n)
{
    decimal d = {.n = 0};
    bool fraction = false;

    for (size_t i = 0; i < n; i++) {
        if (isdigit((unsigned char)s[i])) {
            if (d.n > 0 || s[i] != '0') d.digits[d.n++] = s[i]; /* at most 17, and zeros behind */
            if (fraction) d.exponent--;
        } else if (s[i] == '.') {
            fraction = true;
        } else if (s[i] == 'e') {
            d.exponent += atoi(s + i + 1);
            break;
        }
        if (d.n == GROUPS_MAX * 4 - 4) break;
    }
    return d;
}

static void put_numeric(text *out, const int *groups, int n, int weight, int sign, int scale)
{
    put_integer(out, (uint64_t)(8 + 2 * n), 4);
    put_integer(out, (uint64_t)n, 2);
    put_integer(out, (uint64_t)(int64_t)weight, 2);
    put_integer(out, (uint64_t)sign, 2);
    put_integer(out, (uint64_t)scale, 2);
    for (int i = 0; i < n; i++)
        put_integer(out, (uint64_t)groups[i], 2);
}

void postgres_binary_numeric(text *out, double v)
{
    char digits[NUMBER_TEXT_MAX + 1];
    int groups[GROUPS_MAX], n, scale;
    decimal d;

    if (!isfinite(v)) {
        put_numeric(out, NULL, 0, 0,
                    isnan(v) ? NUMERIC_NAN
                    : v > 0  ? NUMERIC_PLUS_INFINITY
                             : NUMERIC_MINUS_INFINITY,
                    0);
        return;
    }
    digits[number_write(digits, fabs(v))] = '\0';
    d = read_decimal(digits, strlen(digits));
    scale = d.exponent < 0 ? -d.exponent : 0;
    if (d.n == 0) {
        put_numeric(out, NULL, 0, 0, 0, 0);
        return;
    }
    while (d.exponent % 4 != 0) { /* four decimal digits make one of the numeric's */
        d.digits[d.n++] = '0';
        d.exponent--;
    }
    n = (d.n + 3) / 4;
    for (int i = 0; i < n; i++) {
        groups[i] = 0;
        for (int k = d.n - 4 * (n - i); k < d.n - 4 * (n - i - 1); k++)
            groups[i] = groups[i] * 10 + (k < 0 ? 0 : d.digits[k] - '0');
    }
    put_numeric(out, groups, n, n - 1 + d.exponent / 4, v < 0 ? NUMERIC_NEGATIVE : 0, scale);
}
