/* SPDX-License-Identifier: MIT
 * error: fills the caller's hedge_error. */
#include "error.h"

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
    va_list arguments;

    if (error == NULL || error->struct_size < sizeof(*error)) return code;
    error->code = code;
    error->line = place.line;
    error->index = place.index;
    copy_end(error->file, sizeof(error->file), place.file != NULL ? place.file : "");
    snprintf(error->field, sizeof(error->field), "%s", place.field != NULL ? place.field : "");
    va_start(arguments, format);
    vsnprintf(error->message, sizeof(error->message), format, arguments);
    va_end(arguments);
    return code;
}
