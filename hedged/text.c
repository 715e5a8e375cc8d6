/* SPDX-License-Identifier: MIT
 * text: a growing buffer that replies, metrics and log lines are written into. */
#include "text.h"

#include "hex.h"
#include "number.h"

#include <hedge/hedge.h>

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

text text_in(char *bytes, size_t capacity)
{
    return (text){.bytes = bytes, .capacity = capacity, .fixed = true};
}

void text_free(text *t)
{
    if (!t->fixed) free(t->bytes);
    *t = (text){0};
}

/* Room for n more bytes and a NUL. */
static bool reserve(text *t, size_t n)
{
    size_t capacity = t->capacity != 0 ? t->capacity : 512;
    char *grown;

    if (t->failed) return false;
    if (t->n + n < t->capacity) return true;
    while (capacity <= t->n + n)
        capacity *= 2;
    grown = t->fixed ? NULL : realloc(t->bytes, capacity);
    if (grown == NULL) {
        t->failed = true;
        return false;
    }
    t->bytes = grown;
    t->capacity = capacity;
    return true;
}

void text_put(text *t, const char *bytes, size_t n)
{
    if (!reserve(t, n)) return;
    memcpy(t->bytes + t->n, bytes, n);
    t->n += n;
    t->bytes[t->n] = '\0';
}

void text_puts(text *t, const char *s)
{
    text_put(t, s, strlen(s));
}

void text_printf(text *t, const char *format, ...)
{
    va_list arguments;
    int n;

    va_start(arguments, format);
    n = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (n < 0 || !reserve(t, (size_t)n)) return;
    va_start(arguments, format);
    vsnprintf(t->bytes + t->n, (size_t)n + 1, format, arguments);
    va_end(arguments);
    t->n += (size_t)n;
}

/* Unicode, table 3-7. */
size_t text_utf8_length(const unsigned char *s)
{
    const bool c1 = s[0] != '\0' && (s[1] & 0xc0) == 0x80;

    if (s[0] < 0x80) return 1;
    if (s[0] >= 0xc2 && s[0] <= 0xdf) return c1 ? 2 : 0;
    if (s[0] >= 0xe0 && s[0] <= 0xef) {
        if (!c1 || (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f)) return 0;
        return (s[2] & 0xc0) == 0x80 ? 3 : 0;
    }
    if (s[0] >= 0xf0 && s[0] <= 0xf4) {
        if (!c1 || (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f)) return 0;
        return (s[2] & 0xc0) == 0x80 && (s[3] & 0xc0) == 0x80 ? 4 : 0;
    }
    return 0;
}

void text_copy_utf8(char *out, size_t capacity, const char *s)
{
    const unsigned char *at = (const unsigned char *)s;
    size_t used = 0;

    while (*at != '\0') {
        const size_t n = text_utf8_length(at);
        const size_t put = n > 0 ? n : 1;

        if (used + put >= capacity) break;
        memcpy(out + used, n > 0 ? (const char *)at : "?", put);
        used += put;
        at += put;
    }
    out[used] = '\0';
}

void text_json_string(text *t, const char *s)
{
    const unsigned char *at = (const unsigned char *)s;

    text_put(t, "\"", 1);
    while (*at != '\0') {
        const size_t n = text_utf8_length(at);

        if (n == 0)
            text_puts(t, "\\ufffd");
        else if (*at == '"' || *at == '\\')
            text_printf(t, "\\%c", *at);
        else if (*at < 0x20 || *at == 0x7f)
            text_printf(t, "\\u%04x", *at);
        else if (*at == 0xc2 && at[1] < 0xa0) /* U+0080 to U+009F steer a terminal too */
            text_printf(t, "\\u%04x", at[1]);
        else
            text_put(t, (const char *)at, n);
        at += n > 0 ? n : 1;
    }
    text_put(t, "\"", 1);
}

void text_json_double(text *t, double v)
{
    char digits[NUMBER_TEXT_MAX];

    if (isfinite(v))
        text_put(t, digits, number_write(digits, v));
    else
        text_puts(t, "null");
}

void text_hex(text *t, const uint8_t *bytes, size_t n)
{
    if (!reserve(t, 2 * n)) return;
    hex_write(bytes, n, t->bytes + t->n);
    t->n += 2 * n;
}

void text_name(text *t, const char *name)
{
    const char last = t->n > 0 ? t->bytes[t->n - 1] : '{';

    if (last != '{' && last != '[') text_put(t, ",", 1);
    text_put(t, "\"", 1);
    text_puts(t, name);
    text_put(t, "\":", 2);
}

void text_member_string(text *t, const char *name, const char *s)
{
    text_name(t, name);
    text_json_string(t, s);
}

void text_member_double(text *t, const char *name, double v)
{
    text_name(t, name);
    text_json_double(t, v);
}

void text_member_int(text *t, const char *name, int64_t v)
{
    char digits[24];
    const int n = snprintf(digits, sizeof(digits), "%lld", (long long)v);

    text_name(t, name);
    text_put(t, digits, (size_t)n);
}

void text_member_bool(text *t, const char *name, bool v)
{
    text_name(t, name);
    text_puts(t, v ? "true" : "false");
}

void text_member_hex(text *t, const char *name, const uint8_t *bytes, size_t n)
{
    text_name(t, name);
    text_put(t, "\"", 1);
    text_hex(t, bytes, n);
    text_put(t, "\"", 1);
}

void text_member_flags(text *t, uint32_t flags)
{
    bool first = true;

    text_name(t, "flags");
    text_put(t, "[", 1);
    for (uint32_t bit = 0; bit < 32; bit++) {
        if (!(flags & UINT32_C(1) << bit) || hedge_flag_name(bit) == NULL) continue;
        if (!first) text_put(t, ",", 1);
        text_json_string(t, hedge_flag_name(bit));
        first = false;
    }
    text_put(t, "]", 1);
}
