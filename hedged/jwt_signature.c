/* SPDX-License-Identifier: MIT
 * jwt_signature: whether a signature is a key's. */
#include "jwt_signature.h"

#include <errno.h>
#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>

#define HALF 32                 /* bytes of r, and of s, of P-256 */
#define DER_MAX (2 * HALF + 10) /* two integers with their heads, and the sequence's */

static bool check_hmac(const jwks_key *key, const uint8_t *bytes, size_t n,
                       const uint8_t *signature, size_t size)
{
    uint8_t expected[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    bool good;

    if (HMAC(EVP_sha256(), key->secret, (int)key->secret_size, bytes, n, expected, &length) == NULL)
        return false;
    /* Takes as long whichever byte differs. */
    good = size == length && CRYPTO_memcmp(expected, signature, length) == 0;
    OPENSSL_cleanse(expected, sizeof(expected));
    return good;
}

/* digest NULL: the algorithm has its own. */
static bool check_public(const jwks_key *key, const EVP_MD *digest, const uint8_t *bytes, size_t n,
                         const uint8_t *signature, size_t size)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *how = NULL;
    bool good =
        context != NULL && EVP_DigestVerifyInit(context, &how, digest, NULL, key->public_key) == 1;

    if (good && key->algorithm == JWKS_RS256)
        good = EVP_PKEY_CTX_set_rsa_padding(how, RSA_PKCS1_PADDING) == 1;
    good = good && EVP_DigestVerify(context, signature, size, bytes, n) == 1;
    EVP_MD_CTX_free(context);
    if (!good) ERR_clear_error();
    return good;
}

/* A token has r and s, 32 bytes each; OpenSSL wants them as ASN.1. It checks
 * itself that both are in [1, order). */
static size_t to_der(const uint8_t *signature, uint8_t der[DER_MAX])
{
    ECDSA_SIG *pair = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(signature, HALF, NULL), *s = BN_bin2bn(signature + HALF, HALF, NULL);
    int n = 0;

    if (pair != NULL && r != NULL && s != NULL && ECDSA_SIG_set0(pair, r, s) == 1) {
        r = s = NULL; /* the pair's now */
        n = i2d_ECDSA_SIG(pair, NULL) <= DER_MAX ? i2d_ECDSA_SIG(pair, &der) : 0;
    }
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(pair);
    return n > 0 ? (size_t)n : 0;
}

static bool check_ecdsa(const jwks_key *key, const uint8_t *bytes, size_t n,
                        const uint8_t *signature, size_t size)
{
    uint8_t der[DER_MAX];
    const size_t length = size == (size_t)2 * HALF ? to_der(signature, der) : 0;

    return length > 0 && check_public(key, EVP_sha256(), bytes, n, der, length);
}

bool jwt_signature_is_good(const jwks_key *key, const char *bytes, size_t n,
                           const uint8_t *signature, size_t size)
{
    const uint8_t *at = (const uint8_t *)bytes;

    errno = 0; /* OpenSSL cannot even note an error where it has no memory; malloc does */
    switch (key->algorithm) {
    case JWKS_HS256:
        return check_hmac(key, at, n, signature, size);
    case JWKS_RS256:
        return check_public(key, EVP_sha256(), at, n, signature, size);
    case JWKS_ES256:
        return check_ecdsa(key, at, n, signature, size);
    case JWKS_EDDSA:
        return check_public(key, NULL, at, n, signature, size);
    }
    return false;
}
