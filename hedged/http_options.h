/* SPDX-License-Identifier: MIT
 * http_options: whether civetweb took the options it was started with. */
#ifndef HEDGED_HTTP_OPTIONS_H
#define HEDGED_HTTP_OPTIONS_H

#include <civetweb.h>
#include <stdbool.h>

/* civetweb copies its options and does not look whether there was memory: one that could not be
 * copied has its default, and a default that could not is NULL, which is read later. False: one is
 * not as given in `options` (name, value, …, NULL), or lacks its default. */
bool http_options_taken(const struct mg_context *context, const char *const *options);

/* Sees to it that civetweb's copies find memory: they are small, and what is given back here is
 * used for them first. False: there is none. */
bool http_options_reserve(void);

#endif
