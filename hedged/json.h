/* SPDX-License-Identifier: MIT
 * json: strict reading of small JSON objects from strangers.
 *
 * cJSON builds the tree; a gate before it refuses what cJSON would take:
 * control characters, bad UTF-8, "\u0000", 01, 1., deep nesting, a byte order
 * mark, anything behind the value. */
#ifndef HEDGED_JSON_H
#define HEDGED_JSON_H

#include "problem.h"

#include <cjson/cJSON.h>

#define JSON_DEPTH_MAX 16
#define JSON_TOKENS_MAX 16384 /* names and values; a batch of 1,000 requests has 7,001 */

/* Reads one object. bytes[n] must be NUL. NULL, and the problem is bad_json. */
cJSON *json_read_object(const char *bytes, size_t n, problem *p);

/* True if every member is one of the names (ended by NULL) and none is there
 * twice; otherwise the problem is bad_member. */
bool json_check_members(const cJSON *object, const char *const *names, problem *p);

/* Reads a member. False, and the problem is bad_value: it is of another type,
 * not finite, or missing though required. *given, where not NULL, says whether
 * it is there. */
bool json_number(const cJSON *object, const char *name, bool *given, double *out, problem *p);
bool json_string(const cJSON *object, const char *name, const char **out, problem *p);

#endif
