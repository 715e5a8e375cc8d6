/* SPDX-License-Identifier: MIT
 * error: fills the caller's hedge_error. */
#include "error.h"

#include "struct_size.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Keeps the end of a long path: the name of the file is what helps. */
static void copy_end(char *out, size_t capacity, const char *text)
{
    const size_t n = strlen(text);
    const size_t skip = n < capacity ? 0 : n - capacity + 1;

    memcpy(out, text + skip, n - skip + 1);
}

int32_t error_set(hedge_error *error, int32_t code, error_place place, const char *format, ...)
{
    hedge_error e = HEDGE_INIT(hedge_error);
    va_list arguments;

    if (error == NULL || !struct_size_room(error->struct_size, OLDEST_ERROR)) return code;
    e.code = code;
    e.line = place.line;
    e.index = place.index;
    copy_end(e.file, sizeof(e.file), place.file != NULL ? place.file : "");
    snprintf(e.field, sizeof(e.field), "%s", place.field != NULL ? place.field : "");
    va_start(arguments, format);
    vsnprintf(e.message, sizeof(e.message), format, arguments);
    va_end(arguments);
    struct_size_answer(error, &e, sizeof(e));
    return code;
}
