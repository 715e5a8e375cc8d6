/* SPDX-License-Identifier: MIT
 * json.h: writes one JSON value piece by piece; a number that JSON cannot hold becomes null. */
#ifndef HEDGE_CLI_JSON_H
#define HEDGE_CLI_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Start with {stdout, false}. Each piece takes the member's name, or NULL for
 * an element of an array and for the outermost value. */
typedef struct json {
    FILE *out;
    bool comma; /* the next piece needs one before it */
} json;

void json_open_object(json *j, const char *name);
void json_close_object(json *j);
void json_open_array(json *j, const char *name);
void json_close_array(json *j);
/* Bytes that are not UTF-8 (a file's name may hold some) become U+FFFD; a NULL
 * text becomes null. */
void json_text(json *j, const char *name, const char *text);
void json_number(json *j, const char *name, double number);
void json_integer(json *j, const char *name, int64_t number);
void json_bool(json *j, const char *name, bool value);

#endif
