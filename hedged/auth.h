/* SPDX-License-Identifier: MIT
 * auth: who asks, and what they may. */
#ifndef HEDGED_AUTH_H
#define HEDGED_AUTH_H

#include "problem.h"

#include <stdbool.h>
#include <stdint.h>

/* What a caller may be allowed; a route asks for one of them, or for none. */
enum {
    AUTH_SIZE = 1,     /* ask for decisions */
    AUTH_OVERRIDE = 2, /* give a score of their own with it */
    AUTH_QUOTE = 4,    /* put quotes */
    AUTH_READ = 8,     /* see quotes, curve, decisions and metrics */
    AUTH_ADMIN = 16,   /* reload the policy */
    AUTH_HALT = 32,    /* halt and resume */
    AUTH_ALL = 63
};

#define AUTH_NAME_MAX 127 /* characters of a caller's name */

/* Who asks. The name is printable ASCII without spaces; "": nobody was asked to
 * say who they are. */
typedef struct auth_caller {
    char name[AUTH_NAME_MAX + 1];
    uint32_t scopes; /* AUTH_…, or-ed */
} auth_caller;

/* True if the caller has the scope; else problem 403, which names it. */
bool auth_may(const auth_caller *caller, uint32_t scope, problem *p);

#endif
