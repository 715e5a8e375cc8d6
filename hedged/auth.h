/* SPDX-License-Identifier: MIT
 * auth: who asks, and what they may. */
#ifndef HEDGED_AUTH_H
#define HEDGED_AUTH_H

#include "problem.h"

#include <stdbool.h>
#include <stddef.h>
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
#define AUTH_MESSAGE_MAX 400

/* Who asks. The name is printable ASCII without spaces; "": nobody was asked to
 * say who they are. */
typedef struct auth_caller {
    char name[AUTH_NAME_MAX + 1];
    uint32_t scopes; /* AUTH_…, or-ed */
} auth_caller;

/* The scope of that name (n characters); 0: none of ours. */
uint32_t auth_scope(const char *name, size_t n);

/* True if the caller has the scope; else problem 403, which names it. */
bool auth_may(const auth_caller *caller, uint32_t scope, problem *p);

typedef struct auth auth;
struct settings_jwt;

/* Reads the keys and keeps them in step with their file. The settings must
 * outlive it. NULL: message. */
auth *auth_new(const struct settings_jwt *settings, char message[AUTH_MESSAGE_MAX]);
void auth_free(auth *a);
/* Whether auth_new would find good keys. False: message. */
bool auth_check(const struct settings_jwt *settings, char message[AUTH_MESSAGE_MAX]);

/* What was asked for, and where from: for the log. */
typedef struct auth_place {
    const char *method, *path; /* of the route */
    const char *peer;          /* an address */
} auth_place;

/* Says who asks, from an Authorization header (NULL: there was none). False:
 * problem 401 or 429; a token that was refused is in the log. Any thread. */
bool auth_identify(auth *a, const auth_place *at, const char *authorization, auth_caller *caller,
                   problem *p);

/* The same, and whether they may what takes this scope (0: anybody may, and nobody is asked).
 * False: problem 401, 403 or 429; a token or scope that was refused is in the
 * log. Any thread. */
bool auth_authorize(auth *a, uint32_t scope, const auth_place *at, const char *authorization,
                    auth_caller *caller, problem *p);

/* Has the keys read again. Returns at once. */
void auth_ask(auth *a);
/* True if the file says what keys are in use; else message. */
bool auth_keys_are_good(auth *a, char message[AUTH_MESSAGE_MAX]);
/* Writes what was counted, as Prometheus reads it. */
void auth_write(auth *a, text *out);

#endif
