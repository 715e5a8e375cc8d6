/* SPDX-License-Identifier: MIT
 * strict_json.h: one JSON object that can be read in one way alone. */
#ifndef HEDGE_CLI_STRICT_JSON_H
#define HEDGE_CLI_STRICT_JSON_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

#include "bytes.h"

/* Reads one object with nothing behind it, no member twice at any level, no NUL. To be deleted by
 * the caller; NULL: *what (a literal) says what the text is instead. */
cJSON *strict_json_object(const bytes *text, const char **what);

#endif
