/* SPDX-License-Identifier: MIT
 * anchor.c: heads of a chain that were kept elsewhere, which nobody who rewrites it can meet. */
#include "anchor.h"

#include <string.h>

#include "number.h"

/* From 13 to 64 hexadecimal digits; those that are missing are 0 in the bytes. */
static bool read_hash(const char *text, anchor *out)
{
    char digits[2 * HEDGE_HASH_SIZE + 1];
    const size_t n = strlen(text);

    if (n < ANCHOR_DIGITS_MIN || n >= sizeof digits) return false;
    memset(digits, '0', sizeof digits - 1);
    digits[sizeof digits - 1] = '\0';
    memcpy(digits, text, n);
    out->digits = (unsigned)n;
    return number_read_hex(digits, sizeof out->hash, out->hash);
}

bool anchor_read(const char *text, anchor *out)
{
    char number[NUMBER_TEXT_MAX];
    const char *hash = strrchr(text, ':');
    const char *colon = strchr(text, ':');

    *out = (anchor){.any_writer = colon == hash};
    if (colon == NULL) return false;
    if (!out->any_writer) {
        if (colon - text >= (ptrdiff_t)sizeof number) return false;
        memcpy(number, text, (size_t)(colon - text));
        number[colon - text] = '\0';
        if (!source_read_writer(number, &out->writer)) return false;
        text = colon + 1;
    }
    if (hash <= text || hash - text >= (ptrdiff_t)sizeof number) return false;
    memcpy(number, text, (size_t)(hash - text));
    number[hash - text] = '\0';
    return number_read_whole(number, 1, INT64_MAX, &out->seq) && read_hash(hash + 1, out);
}

bool anchor_agrees(const anchor *a, uint64_t seq, const uint8_t hash[HEDGE_HASH_SIZE])
{
    const size_t whole = a->digits / 2;

    if (a->seq != seq) return true;
    if (memcmp(a->hash, hash, whole) != 0) return false;
    return a->digits % 2 == 0 || a->hash[whole] >> 4 == hash[whole] >> 4;
}
