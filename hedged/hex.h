/* SPDX-License-Identifier: MIT
 * hex: bytes as lower-case hexadecimal digits, and back. */
#ifndef HEDGED_HEX_H
#define HEDGED_HEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 2n digits and a NUL. */
void hex_write(const uint8_t *bytes, size_t n, char *out);
/* Exactly 2n digits, of either case, into n bytes. */
bool hex_read(const char *text, size_t n, uint8_t *bytes);
/* The value of one digit, -1 for what is none. */
int hex_digit(char c);

#endif
