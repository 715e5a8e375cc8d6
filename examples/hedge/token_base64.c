/* SPDX-License-Identifier: MIT
 * token_base64.c: bytes as tokens and keys write them (base64url without padding). */
#include "token_base64.h"

#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

bool token_base64_append(bytes *out, const uint8_t *from, size_t n)
{
    uint32_t bits = 0;
    unsigned held = 0;

    if (!bytes_reserve(out, n / 3 * 4 + 4)) return false;
    for (size_t i = 0; i < n; i++) {
        bits = bits << 8 | from[i];
        held += 8;
        for (; held >= 6; held -= 6)
            out->at[out->n++] = alphabet[bits >> (held - 6) & 63];
    }
    if (held > 0) out->at[out->n++] = alphabet[bits << (6 - held) & 63];
    return true;
}

bool token_base64_decode(const char *from, size_t n, uint8_t *out, size_t capacity, size_t *out_n)
{
    uint32_t bits = 0;
    unsigned held = 0;
    size_t at = 0;

    for (size_t i = 0; i < n; i++) {
        const char *found = from[i] != '\0' ? strchr(alphabet, from[i]) : NULL;

        if (found == NULL) return false;
        bits = bits << 6 | (uint32_t)(found - alphabet);
        held += 6;
        if (held < 8) continue;
        held -= 8;
        if (at == capacity) return false;
        out[at++] = (uint8_t)(bits >> held);
    }
    *out_n = at;
    return n % 4 != 1 && (bits & ((1U << held) - 1)) == 0;
}
