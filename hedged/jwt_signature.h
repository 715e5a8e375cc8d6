/* SPDX-License-Identifier: MIT
 * jwt_signature: whether a signature is a key's (RFC 7518, 8037). */
#ifndef HEDGED_JWT_SIGNATURE_H
#define HEDGED_JWT_SIGNATURE_H

#include "jwks.h"

#define JWT_SIGNATURE_MAX 1024 /* bytes: RSA of 8,192 bits */

/* True if the signature over n bytes was made with the key, by the key's own
 * algorithm and no other. False with ENOMEM in errno: there was no memory to find
 * out. Any thread. */
bool jwt_signature_is_good(const jwks_key *key, const char *bytes, size_t n,
                           const uint8_t *signature, size_t size);

#endif
