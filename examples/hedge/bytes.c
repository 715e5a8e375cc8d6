/* SPDX-License-Identifier: MIT
 * bytes.c: a text that grows. */
#include "bytes.h"

#include <stdlib.h>
#include <string.h>

enum { LEAST = 4096 };

bool bytes_reserve(bytes *b, size_t more)
{
    size_t capacity = b->capacity > 0 ? b->capacity : LEAST;
    char *grown;

    if (b->capacity - b->n >= more && b->at != NULL) return true;
    while (capacity - b->n < more)
        capacity *= 2;
    grown = realloc(b->at, capacity);
    if (grown == NULL) return false;
    b->at = grown;
    b->capacity = capacity;
    return true;
}

bool bytes_append(bytes *b, const char *from, size_t n)
{
    if (!bytes_reserve(b, n)) return false;
    if (n > 0) memcpy(b->at + b->n, from, n); /* from may be null then */
    b->n += n;
    return true;
}

void bytes_free(bytes *b)
{
    free(b->at);
    *b = (bytes){0};
}
