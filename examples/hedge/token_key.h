/* SPDX-License-Identifier: MIT
 * token_key.h: keys that sign tokens, as JSON Web Keys (RFC 7517, 7518, 8037). */
#ifndef HEDGE_CLI_TOKEN_KEY_H
#define HEDGE_CLI_TOKEN_KEY_H

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"

enum { TOKEN_KID_MAX = 64, TOKEN_SECRET_MAX = 512, TOKEN_KEY_MESSAGE_MAX = 300 };

typedef struct token_key {
    const char *alg; /* a literal of token_key_algs */
    char kid[TOKEN_KID_MAX + 1];
    EVP_PKEY *pair; /* NULL for HS256 */
    uint8_t secret[TOKEN_SECRET_MAX];
    size_t secret_size;
} token_key;

/* The algorithms, NULL behind. */
extern const char *const token_key_algs[];

/* Draws a new key. False: the system has no random numbers, or no memory. */
bool token_key_draw(token_key *k, const char *alg, const char *kid);
/* Reads one key, alone or in a set of one. False: message names the file. */
bool token_key_load(token_key *k, const char *path, char message[TOKEN_KEY_MESSAGE_MAX]);
void token_key_free(token_key *k);

/* Appends the key as JSON; `whole`: with its private half, else (HS256 has no
 * other) what the daemon needs. False: out of memory. */
bool token_key_write(const token_key *k, bool whole, bytes *out);
/* Appends the signature over n bytes as a token has it. */
bool token_key_sign(const token_key *k, const char *from, size_t n, bytes *out);

#endif
