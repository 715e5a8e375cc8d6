/* SPDX-License-Identifier: MIT
 * auth: who asks, and what they may. */
#include "auth.h"

static const char *scope_name(uint32_t scope)
{
    switch (scope) {
    case AUTH_SIZE:
        return "size";
    case AUTH_OVERRIDE:
        return "override";
    case AUTH_QUOTE:
        return "quote";
    case AUTH_READ:
        return "read";
    case AUTH_ADMIN:
        return "admin";
    default:
        return "halt";
    }
}

bool auth_may(const auth_caller *caller, uint32_t scope, problem *p)
{
    return (caller->scopes & scope) == scope ||
           problem_set(p, 403, "forbidden", NULL, "the token lacks the scope %s",
                       scope_name(scope));
}
