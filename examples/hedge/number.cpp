// SPDX-License-Identifier: MIT
// number.cpp: numbers as text. C++ for std::from_chars and std::to_chars, which
// read and write a double exactly in some 30 ns, ten times as fast as C's.
#include "number.h"

#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <system_error>

// What from_chars calls out of range may be a number too small, which rounds to
// a subnormal or 0; strtod tells.
static bool read_tiny(const char *text, std::size_t n, double *out)
{
    char *copy = static_cast<char *>(std::malloc(n + 1));
    double number = HUGE_VAL;

    if (copy != nullptr) {
        std::memcpy(copy, text, n);
        copy[n] = '\0';
        number = std::strtod(copy, nullptr);
    }
    std::free(copy);
    if (std::isinf(number)) return false;
    *out = number;
    return true;
}

bool number_read_n(const char *text, std::size_t n, double *out)
{
    const char *end = text + n;
    double number;

    if (n == 0) return false; // there is no last byte to look at
    if (n > 1 && text[0] == '+' && text[1] != '-') text++;
    const std::from_chars_result got = std::from_chars(text, end, number);
    if (got.ptr != end || end[-1] == ')') return false; // "nan(7)" is nobody's number
    if (got.ec == std::errc::result_out_of_range)
        return read_tiny(text, static_cast<std::size_t>(end - text), out);
    if (got.ec != std::errc()) return false;
    *out = number;
    return true;
}

bool number_read(const char *text, double *out)
{
    return number_read_n(text, std::strlen(text), out);
}

bool number_read_int64(const char *text, std::size_t n, std::int64_t *out)
{
    const std::from_chars_result got = std::from_chars(text, text + n, *out);

    return got.ec == std::errc() && got.ptr == text + n;
}

bool number_read_whole(const char *text, std::uint64_t min, std::uint64_t max, std::uint64_t *out)
{
    const char *end = text + std::strlen(text);
    std::uint64_t number;
    const std::from_chars_result got = std::from_chars(text, end, number);

    if (got.ec != std::errc() || got.ptr != end || !(number >= min && number <= max)) return false;
    *out = number;
    return true;
}

// From 1e15 on, %g writes out the whole number only while it has as many
// digits as that takes.
static bool is_written_out(const char *text, const char *end, double size)
{
    const char *e =
        static_cast<const char *>(std::memchr(text, 'e', static_cast<std::size_t>(end - text)));
    const bool sign = text[0] == '-';
    const std::ptrdiff_t digits = e - text - (sign ? 1 : 0) - (e - text > (sign ? 2 : 1) ? 1 : 0);

    return size < 1e17 && digits > (size < 1e16 ? 15 : 16);
}

std::size_t number_write(double number, char text[NUMBER_TEXT_MAX])
{
    char *const last = text + NUMBER_TEXT_MAX - 1;
    const double size = std::fabs(number);
    char *end;

    if (std::isnan(number)) {
        std::memcpy(text, "nan", 4); // to_chars may show its sign
        return 3;
    }
    if ((size >= 1e-4 && size < 1e15) || size == 0) {
        end = std::to_chars(text, last, number, std::chars_format::fixed).ptr;
    } else {
        end = std::to_chars(text, last, number, std::chars_format::scientific).ptr;
        if (size >= 1e15 && is_written_out(text, end, size))
            end = std::to_chars(text, last, number, std::chars_format::fixed).ptr;
    }
    *end = '\0';
    return static_cast<std::size_t>(end - text);
}

std::size_t number_write_int64(std::int64_t number, char text[NUMBER_TEXT_MAX])
{
    char *const end = std::to_chars(text, text + NUMBER_TEXT_MAX - 1, number).ptr;

    *end = '\0';
    return static_cast<std::size_t>(end - text);
}

void number_write_grouped(std::uint64_t number, char text[NUMBER_TEXT_MAX])
{
    char digits[NUMBER_TEXT_MAX] = "";
    const std::size_t n = static_cast<std::size_t>(
        std::to_chars(digits, digits + sizeof digits, number).ptr - digits);
    std::size_t at = 0;

    for (std::size_t i = 0; i < n; i++) {
        if (i > 0 && (n - i) % 3 == 0) text[at++] = ',';
        text[at++] = digits[i];
    }
    text[at] = '\0';
}

void number_write_hex(const std::uint8_t *bytes, std::size_t n, char *text)
{
    static const char digits[] = "0123456789abcdef";

    for (std::size_t i = 0; i < n; i++) {
        text[2 * i] = digits[bytes[i] >> 4];
        text[2 * i + 1] = digits[bytes[i] & 15];
    }
    text[2 * n] = '\0';
}

bool number_read_hex(const char *text, std::size_t n, std::uint8_t *bytes)
{
    if (std::strlen(text) != 2 * n) return false;
    for (std::size_t i = 0; i < n; i++) {
        const char *pair = text + 2 * i;
        const std::from_chars_result got = std::from_chars(pair, pair + 2, bytes[i], 16);

        if (got.ec != std::errc() || got.ptr != pair + 2) return false;
    }
    return true;
}
