/* SPDX-License-Identifier: MIT
 * jwks: the keys that tokens are checked with (RFC 7517, 7518, 8037).
 *
 * Which algorithm a token is checked with is the key's business alone: each key
 * names the one it is for, and a token that names another is refused. */
#ifndef HEDGED_JWKS_H
#define HEDGED_JWKS_H

#include "secret_file.h"

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JWKS_BYTES_MAX (64 * 1024)
#define JWKS_KEYS_MAX 64
#define JWKS_KID_MAX 127
#define JWKS_SECRET_MIN 32 /* bytes, RFC 7518, 3.2 */
#define JWKS_SECRET_MAX 512
#define JWKS_MESSAGE_MAX 400

typedef enum jwks_algorithm { JWKS_HS256, JWKS_RS256, JWKS_ES256, JWKS_EDDSA } jwks_algorithm;

typedef struct jwks_key {
    jwks_algorithm algorithm;
    char kid[JWKS_KID_MAX + 1];
    EVP_PKEY *public_key; /* NULL for HS256 */
    uint8_t secret[JWKS_SECRET_MAX];
    size_t secret_size;
} jwks_key;

/* Immutable once read: any number of threads may look. */
typedef struct jwks {
    size_t n;
    bool secret; /* one of them is an HS256 key */
    jwks_key keys[];
} jwks;

/* As a token's `alg` has it. */
const char *jwks_algorithm_name(jwks_algorithm algorithm);

/* Reads a JWKS out of n bytes; bytes[n] must be NUL. NULL: the message names
 * the member at fault and never says what is in it. */
jwks *jwks_read(const char *bytes, size_t n, char message[JWKS_MESSAGE_MAX]);

/* Reads the file, for secret_file_unload whatever comes, and its keys out of it.
 * One that anybody may write, or that holds a secret and is open to others, is
 * refused. NULL: the message names file and fault. */
jwks *jwks_load(const char *path, secret_file *file, char message[JWKS_MESSAGE_MAX]);

/* The secrets are wiped. */
void jwks_free(jwks *keys);

/* NULL: no key of that name. */
const jwks_key *jwks_find(const jwks *keys, const char *kid);

#endif
