/* SPDX-License-Identifier: MIT
 * plain.c: text of records, policies and servers, made safe to show on a terminal. */
#include "plain.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { TEXTS = 8, TEXT_MAX = 1024, ESCAPED_MAX = 4 };

/* RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. The NUL at the end is no
 * second byte. */
size_t plain_utf8_length(const unsigned char *p)
{
    unsigned low = 0x80;
    unsigned high = 0xBF;
    size_t n;

    if (p[0] < 0x80) return 1;
    if (p[0] >= 0xC2 && p[0] <= 0xDF)
        n = 2;
    else if (p[0] >= 0xE0 && p[0] <= 0xEF)
        n = 3;
    else if (p[0] >= 0xF0 && p[0] <= 0xF4)
        n = 4;
    else
        return 0;
    if (p[0] == 0xE0) low = 0xA0;
    if (p[0] == 0xED) high = 0x9F;
    if (p[0] == 0xF0) low = 0x90;
    if (p[0] == 0xF4) high = 0x8F;
    if (!(p[1] >= low && p[1] <= high)) return 0;
    for (size_t i = 2; i < n; i++)
        if (!(p[i] >= 0x80 && p[i] <= 0xBF)) return 0;
    return n;
}

/* Writes the character at *p and steps over it; the bytes written, at most ESCAPED_MAX. */
static size_t put(char *out, const unsigned char **p)
{
    const unsigned char *at = *p;
    const size_t n = plain_utf8_length(at);
    const bool c1 = n == 2 && at[0] == 0xC2 && at[1] < 0xA0;

    *p += n == 0 ? 1 : n;
    if (n == 0 || c1 || at[0] < 0x20 || at[0] == 0x7F)
        return (size_t)snprintf(out, ESCAPED_MAX + 1, "\\x%02x", (unsigned)(c1 ? at[1] : at[0]));
    memcpy(out, at, n);
    return n;
}

const char *plain(const char *text)
{
    static char texts[TEXTS][TEXT_MAX];
    static size_t next;
    char *out = texts[next++ % TEXTS];
    const unsigned char *p = (const unsigned char *)text;
    size_t used = 0;

    while (*p != '\0' && used < TEXT_MAX - 24)
        used += put(out + used, &p);
    strcpy(out + used, *p != '\0' ? "..." : "");
    return out;
}
