/* SPDX-License-Identifier: MIT
 * base64url: bytes as tokens and keys write them. */
#include "base64url.h"

/* -1: not of the alphabet. */
static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == '-') return 62;
    return c == '_' ? 63 : -1;
}

bool base64url_decode(const char *from, size_t n, uint8_t *out, size_t capacity, size_t *out_n)
{
    const size_t size = n / 4 * 3 + n % 4 * 3 / 4;
    uint32_t bits = 0;
    size_t at = 0;

    if (n % 4 == 1 || size > capacity) return false;
    for (size_t i = 0; i < n; i++) {
        const int value = value_of(from[i]);

        if (value < 0) return false;
        bits = bits << 6 | (uint32_t)value;
        /* After 2, 3 and 4 characters of each four there is a byte more. */
        if (i % 4 != 0) out[at++] = (uint8_t)(bits >> (6 - i % 4 * 2));
    }
    *out_n = size;
    if (n % 4 == 2) return (bits & 15) == 0;
    return n % 4 != 3 || (bits & 3) == 0;
}
