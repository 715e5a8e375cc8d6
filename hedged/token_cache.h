/* SPDX-License-Identifier: MIT
 * token_cache: what tokens said that were verified before.
 *
 * A signature takes tens of microseconds to check and is shown with every
 * request. A token is known by its SHA-256; only good ones get in, so nobody
 * can fill it with rubbish. It belongs to one set of keys and ends with it. */
#ifndef HEDGED_TOKEN_CACHE_H
#define HEDGED_TOKEN_CACHE_H

#include "jwt.h"

#define TOKEN_CACHE_ENTRIES 4096
#define TOKEN_ID_SIZE 32

typedef struct token_cache token_cache;

/* NULL: no memory. */
token_cache *token_cache_new(void);
void token_cache_free(token_cache *c);

/* The name that a token of n bytes has here. */
void token_cache_id(const char *token, size_t n, uint8_t id[TOKEN_ID_SIZE]);
/* Any thread. Time has to be asked again: jwt_check_time. */
bool token_cache_find(token_cache *c, const uint8_t id[TOKEN_ID_SIZE], jwt_claims *out);
/* Takes the place of another where there is no room. */
void token_cache_put(token_cache *c, const uint8_t id[TOKEN_ID_SIZE], const jwt_claims *claims);

#endif
