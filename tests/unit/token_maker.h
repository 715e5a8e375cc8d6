/* SPDX-License-Identifier: MIT
 * token_maker: tokens for the tests, of any header and claims. */
#ifndef HEDGE_TEST_TOKEN_MAKER_H
#define HEDGE_TEST_TOKEN_MAKER_H

#include <stddef.h>
#include <stdint.h>

#define TOKEN_MAKER_MAX 16384

/* Encodes n bytes as base64url behind `out`'s text. */
void token_maker_append(char *out, const void *bytes, size_t n);
/* A token of these texts, signed by HS256 with the secret. */
void token_maker_hs256(char out[TOKEN_MAKER_MAX], const char *header, const char *claims,
                       const uint8_t *secret, size_t n);

#endif
