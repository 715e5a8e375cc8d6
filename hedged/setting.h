/* SPDX-License-Identifier: MIT
 * setting: one variable of the environment, and how it may be read.
 *
 * Each reader leaves *out as it is where the variable is not set or empty, and
 * says false, with a message that names the variable and what it may be, where
 * it cannot be understood. */
#ifndef HEDGED_SETTING_H
#define HEDGED_SETTING_H

#include <stdbool.h>
#include <stddef.h>

#define SETTING_MESSAGE_MAX 400

/* NULL where it is not set, or empty. */
const char *setting_value(const char *name);
/* HEDGE_ENV says that it is no trial. */
bool setting_is_prod(void);

/* Writes the message and returns false, so that a check can end with it. Never
 * give it a value that may be a secret. */
bool setting_refuse(char message[SETTING_MESSAGE_MAX], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A number from least to most; *given: it is set. */
bool setting_number(const char *name, double least, double most, double *out, bool *given,
                    char message[SETTING_MESSAGE_MAX]);
/* A whole number from least to most. */
bool setting_whole_number(const char *name, long least, long most, long *out,
                          char message[SETTING_MESSAGE_MAX]);
/* One of two words: *second says which. */
bool setting_choice(const char *name, const char *const words[2], bool *second,
                    char message[SETTING_MESSAGE_MAX]);

/* A whole number in decimal digits alone, for parts of a value. */
bool setting_digits(const char *text, long least, long most, long *out);
/* Copies n bytes of a URL, %XX decoded, with a NUL behind; false: malformed, or
 * too long. */
bool setting_decode(const char *from, size_t n, char *out, size_t capacity);

#endif
