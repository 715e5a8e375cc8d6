/* SPDX-License-Identifier: MIT
 * setting: one variable of the environment, and how it may be read. */
#include "setting.h"

#include "hex.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool setting_refuse(char message[SETTING_MESSAGE_MAX], const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(message, SETTING_MESSAGE_MAX, format, arguments);
    va_end(arguments);
    return false;
}

const char *setting_value(const char *name)
{
    const char *value = getenv(name);

    return value != NULL && value[0] != '\0' ? value : NULL;
}

bool setting_is_prod(void)
{
    const char *environment = setting_value("HEDGE_ENV");

    return environment != NULL && strcmp(environment, "prod") == 0;
}

bool setting_number(const char *name, double least, double most, double *out, bool *given,
                    char message[SETTING_MESSAGE_MAX])
{
    const char *value = setting_value(name);
    char *end;

    *given = value != NULL;
    if (value == NULL) return true;
    *out = strtod(value, &end);
    if (*end != '\0' || strspn(value, "+-.0123456789eE") != strlen(value) || !(*out >= least) ||
        !(*out <= most))
        return setting_refuse(message, "%s=%.100s: must be a number from %g to %g", name, value,
                              least, most);
    return true;
}

bool setting_whole_number(const char *name, long least, long most, long *out,
                          char message[SETTING_MESSAGE_MAX])
{
    const char *value = setting_value(name);

    if (value == NULL || setting_digits(value, least, most, out)) return true;
    return setting_refuse(message, "%s=%.100s: must be a whole number from %ld to %ld", name, value,
                          least, most);
}

bool setting_choice(const char *name, const char *const words[2], bool *second,
                    char message[SETTING_MESSAGE_MAX])
{
    const char *value = setting_value(name);

    if (value == NULL) return true;
    if (strcmp(value, words[0]) != 0 && strcmp(value, words[1]) != 0)
        return setting_refuse(message, "%s=%.100s: must be %s or %s", name, value, words[0],
                              words[1]);
    *second = strcmp(value, words[1]) == 0;
    return true;
}

bool setting_digits(const char *text, long least, long most, long *out)
{
    char *end;
    long number;

    if (text[0] < '0' || text[0] > '9') return false;
    errno = 0;
    number = strtol(text, &end, 10);
    if (*end != '\0' || errno != 0 || number < least || number > most) return false;
    *out = number;
    return true;
}

bool setting_decode(const char *from, size_t n, char *out, size_t capacity)
{
    size_t at = 0;

    for (size_t i = 0; i < n; i++) {
        char c = from[i];

        if (c == '%') {
            if (i + 2 >= n || hex_digit(from[i + 1]) < 0 || hex_digit(from[i + 2]) < 0)
                return false;
            c = (char)(hex_digit(from[i + 1]) * 16 + hex_digit(from[i + 2]));
            i += 2;
        }
        if (c == '\0' || at + 1 >= capacity) return false;
        out[at++] = c;
    }
    out[at] = '\0';
    return true;
}
