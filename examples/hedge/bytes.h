/* SPDX-License-Identifier: MIT
 * bytes.h: a text that grows. */
#ifndef HEDGE_CLI_BYTES_H
#define HEDGE_CLI_BYTES_H

#include <stdbool.h>
#include <stddef.h>

typedef struct bytes {
    char *at;
    size_t n;
    size_t capacity;
} bytes;

/* Makes room for `more` bytes behind the n there are. False: out of memory. */
bool bytes_reserve(bytes *b, size_t more);
bool bytes_append(bytes *b, const char *from, size_t n);
void bytes_free(bytes *b);

#endif
