/* SPDX-License-Identifier: MIT
 * jwt: reads a token and says who shows it (RFC 7515, 7519, 8725).
 *
 * The order is: form, header, key, signature, and only then the claims: nothing
 * that a stranger wrote is read further than it takes to refuse it. */
#ifndef HEDGED_JWT_H
#define HEDGED_JWT_H

#include "auth.h"
#include "jwks.h"

#define JWT_BYTES_MAX 8192

/* What is wrong with a token; jwt_fault_words has the words. */
typedef enum jwt_fault {
    JWT_GOOD,
    JWT_FORM,      /* not three segments of canonical base64url, or too long */
    JWT_HEADER,    /* not a strict JSON object, or parameters that are refused */
    JWT_TYPE,      /* its typ */
    JWT_KEY,       /* no such kid */
    JWT_ALGORITHM, /* not the key's */
    JWT_SIGNATURE,
    JWT_CLAIMS, /* not a strict JSON object, or a claim of the wrong type */
    JWT_EXPIRED,
    JWT_EARLY, /* nbf or iat in the future */
    JWT_ISSUER,
    JWT_AUDIENCE,
    JWT_SUBJECT,
    JWT_MEMORY, /* it ran out: nothing is known of the token */
    JWT_FAULTS
} jwt_fault;

/* What a token has to say. */
typedef struct jwt_rules {
    const char *issuer, *audience;
    const char *type; /* NULL: typ may be missing, JWT or at+jwt */
    double leeway_s;
} jwt_rules;

typedef struct jwt_claims {
    auth_caller caller;
    double expires_s, not_before_s; /* Unix time; the later of nbf and iat, 0: none */
} jwt_claims;

/* Checks a token of n bytes at the time now_s (Unix). *out is written where it
 * is good. Any thread. */
jwt_fault jwt_verify(const char *token, size_t n, const jwks *keys, const jwt_rules *rules,
                     double now_s, jwt_claims *out);
/* What time says of claims that were verified before. */
jwt_fault jwt_check_time(const jwt_claims *claims, const jwt_rules *rules, double now_s);

/* For people, and short: what is wrong, and nothing of what was shown. */
const char *jwt_fault_words(jwt_fault fault);
/* For metrics: a word. */
const char *jwt_fault_name(jwt_fault fault);
/* WWW-Authenticate of a 401 (RFC 6750). */
const char *jwt_fault_challenge(jwt_fault fault);

#endif
