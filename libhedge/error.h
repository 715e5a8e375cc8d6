/* SPDX-License-Identifier: MIT
 * error: fills the caller's hedge_error. */
#ifndef HEDGE_ERROR_H
#define HEDGE_ERROR_H

#include <hedge/hedge.h>

/* Where a fault lies. Members that do not apply are NULL, 0 and -1. */
typedef struct error_place {
    const char *file;
    const char *field;
    int32_t line;
    int32_t index;
} error_place;

/* Writes code, place and message into *error where there is one, and returns
 * code, so that a failing function can end with `return error_set(…)`. */
int32_t error_set(hedge_error *error, int32_t code, error_place place, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
