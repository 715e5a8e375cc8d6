/* SPDX-License-Identifier: MIT
 * strict: JSON read once more, by other code than the daemon's. */
#ifndef HEDGE_TESTS_STRICT_H
#define HEDGE_TESTS_STRICT_H

#include <stdbool.h>
#include <stddef.h>

/* True for n bytes that are one JSON object of RFC 8259 and nothing behind it,
 * nested at most `depth` deep, in good UTF-8, without "\u0000" and halves of
 * surrogate pairs, each number of at most `number` characters. */
bool strict_object(const char *bytes, size_t n, int depth, size_t number);

#endif
