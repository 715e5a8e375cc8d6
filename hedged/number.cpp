// SPDX-License-Identifier: MIT
// number: doubles as text. std::to_chars is the one kept, fast implementation
// of shortest digits at hand: C's printf takes three tries and 20 times as
// long, and a reply holds seven doubles.
#include "number.h"

#include <charconv>

std::size_t number_write(char out[NUMBER_TEXT_MAX], double v)
{
    return static_cast<std::size_t>(std::to_chars(out, out + NUMBER_TEXT_MAX, v).ptr - out);
}
