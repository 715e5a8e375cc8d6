/* SPDX-License-Identifier: MIT
 * number.h: numbers as text, read strictly and written so that they read back to the same bits. */
#ifndef HEDGE_CLI_NUMBER_H
#define HEDGE_CLI_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { NUMBER_TEXT_MAX = 32 };

/* Reads a double that fills the whole text: decimal, no blanks, nothing behind
 * it, not too large for a double. "nan", "inf" and "infinity" are read in any
 * case of letters; what they mean is for the library to say. */
bool number_read(const char *text, double *out);
/* The same from n bytes. */
bool number_read_n(const char *text, size_t n, double *out);
/* A whole number in decimal digits, perhaps with a minus, that fills n bytes. */
bool number_read_int64(const char *text, size_t n, int64_t *out);
/* A whole number in [min, max], decimal digits alone. */
bool number_read_whole(const char *text, uint64_t min, uint64_t max, uint64_t *out);

/* Writes the fewest digits that read back to the same bits, laid out as
 * printf's %g does; returns the length. A NUL follows. */
size_t number_write(double number, char text[NUMBER_TEXT_MAX]);
size_t number_write_int64(int64_t number, char text[NUMBER_TEXT_MAX]);
/* A whole number with commas between the thousands. */
void number_write_grouped(uint64_t number, char text[NUMBER_TEXT_MAX]);

/* 2n hexadecimal digits and a NUL from n bytes, and back (true if all of the
 * text was 2n digits). */
void number_write_hex(const uint8_t *bytes, size_t n, char *text);
bool number_read_hex(const char *text, size_t n, uint8_t *bytes);

#ifdef __cplusplus
}
#endif

#endif
