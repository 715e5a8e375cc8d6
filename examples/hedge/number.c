/* SPDX-License-Identifier: MIT
 * number.c: numbers as text, read strictly and written so that they read back to the same bits. */
#include "number.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool number_read(const char *text, double *out)
{
    char *end;
    double number;

    /* strtod steps over blanks, and the program never leaves the "C" numeric locale. */
    if (text[0] == '\0' || isspace((unsigned char)text[0])) return false;
    errno = 0;
    number = strtod(text, &end);
    if (end == text || *end != '\0') return false;
    if (errno == ERANGE && isinf(number)) return false;
    *out = number;
    return true;
}

bool number_read_whole(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
    uint64_t number = 0;

    if (text[0] == '\0') return false;
    for (; *text != '\0'; text++) {
        const unsigned digit = (unsigned)(unsigned char)*text - '0';

        if (digit > 9 || number > (UINT64_MAX - digit) / 10) return false;
        number = number * 10 + digit;
    }
    if (!(number >= min && number <= max)) return false;
    *out = number;
    return true;
}

size_t number_write(double number, char text[NUMBER_TEXT_MAX])
{
    char shorter[NUMBER_TEXT_MAX];
    int n = snprintf(text, NUMBER_TEXT_MAX, "%.16g", number);

    /* NaN never equals itself, and printf may show its sign. */
    if (isnan(number)) return (size_t)snprintf(text, NUMBER_TEXT_MAX, "nan");
    /* What 16 digits cannot tell, 15 cannot either, and 17 always can. */
    if (strtod(text, NULL) != number)
        return (size_t)snprintf(text, NUMBER_TEXT_MAX, "%.17g", number);
    snprintf(shorter, sizeof shorter, "%.15g", number);
    if (strtod(shorter, NULL) == number) n = snprintf(text, NUMBER_TEXT_MAX, "%s", shorter);
    return (size_t)n;
}

void number_write_grouped(uint64_t number, char text[NUMBER_TEXT_MAX])
{
    char digits[NUMBER_TEXT_MAX];
    const size_t n = (size_t)snprintf(digits, sizeof digits, "%" PRIu64, number);
    size_t at = 0;

    for (size_t i = 0; i < n; i++) {
        if (i > 0 && (n - i) % 3 == 0) text[at++] = ',';
        text[at++] = digits[i];
    }
    text[at] = '\0';
}

void number_write_hex(const uint8_t *bytes, size_t n, char *text)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < n; i++) {
        text[2 * i] = digits[bytes[i] >> 4];
        text[2 * i + 1] = digits[bytes[i] & 15];
    }
    text[2 * n] = '\0';
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

bool number_read_hex(const char *text, size_t n, uint8_t *bytes)
{
    if (strlen(text) != 2 * n) return false;
    for (size_t i = 0; i < n; i++) {
        const int high = hex_value(text[2 * i]);
        const int low = hex_value(text[2 * i + 1]);

        if (high < 0 || low < 0) return false;
        bytes[i] = (uint8_t)(high * 16 + low);
    }
    return true;
}
