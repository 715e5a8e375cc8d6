/* SPDX-License-Identifier: MIT
 * http_options: whether civetweb took the options it was started with. */
#include "http_options.h"

#include <stdlib.h>
#include <string.h>

/* Below what malloc gives back to the system, and many times what 40 short texts take. */
enum { RESERVE_BYTES = 65536 };

/* What was given for an option, else its default; NULL: neither. */
static const char *wanted(const struct mg_option *option, const char *const *options)
{
    for (size_t i = 0; options[i] != NULL; i += 2)
        if (strcmp(options[i], option->name) == 0) return options[i + 1];
    return option->default_value;
}

bool http_options_taken(const struct mg_context *context, const char *const *options)
{
    for (const struct mg_option *o = mg_get_valid_options(); o->name != NULL; o++) {
        const char *const value = wanted(o, options), *const held = mg_get_option(context, o->name);

        if (value != NULL && (held == NULL || strcmp(held, value) != 0)) return false;
    }
    return true;
}

bool http_options_reserve(void)
{
    void *volatile room = malloc(RESERVE_BYTES);
    const bool there = room != NULL;

    free(room);
    return there;
}
