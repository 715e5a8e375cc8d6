/* SPDX-License-Identifier: MIT
 * bearer.h: the token that a daemon is shown. */
#ifndef HEDGE_CLI_BEARER_H
#define HEDGE_CLI_BEARER_H

#include <stdbool.h>

enum { BEARER_TOKEN_MAX = 8192, BEARER_HEADER_MAX = BEARER_TOKEN_MAX + 32 };

/* Writes the header that shows the token of HEDGE_TOKEN; "": there is none. A line's end behind the
 * token is left out, as `$(cat file)` would. False: *what says why it can be no token, and nothing
 * of it. */
bool bearer_header(char out[BEARER_HEADER_MAX], const char **what);

#endif
