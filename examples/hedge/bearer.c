/* SPDX-License-Identifier: MIT
 * bearer.c: the token that a daemon is shown. */
#include "bearer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool bearer_header(char out[BEARER_HEADER_MAX], const char **what)
{
    const char *token = getenv("HEDGE_TOKEN");
    size_t n = token != NULL ? strlen(token) : 0;

    out[0] = '\0';
    while (n > 0 && (token[n - 1] == '\n' || token[n - 1] == '\r'))
        n--;
    if (n == 0) return true;
    *what = "holds the token alone, without `Bearer` in front of it";
    if (strncasecmp(token, "Bearer", 6) == 0 && (n == 6 || token[6] == ' ' || token[6] == ':'))
        return false;
    *what = "is too long for a token";
    if (n > BEARER_TOKEN_MAX) return false;
    *what = "is no token: it has a space or another character that a token never has";
    for (size_t i = 0; i < n; i++)
        if (token[i] <= ' ' || token[i] > '~') return false;
    snprintf(out, BEARER_HEADER_MAX, "Authorization: Bearer %.*s", (int)n, token);
    return true;
}
