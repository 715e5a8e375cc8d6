/* SPDX-License-Identifier: MIT
 * fuzz_jwt: a token, and a set of keys, from anybody.
 *
 * The first byte says which: `t` a token, checked with a key of each algorithm;
 * `s` header and claims (a line feed between), signed here so that the claims
 * are reached; `k` a set of keys. Whatever comes, only a token that was signed
 * here may be good. */
#include "jwt.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW 1800000000.0
#define TEXT_MAX 4096

/* The keys of RFC 7515 (A.2, A.3) and RFC 8037 (A.4), whose private halves
 * nobody here has, and 32 bytes of "k". */
static const char set[] =
    "{\"keys\":[{\"kty\":\"oct\",\"alg\":\"HS256\",\"kid\":\"h\",\"k\":"
    "\"a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s\"},"
    "{\"kty\":\"RSA\",\"alg\":\"RS256\",\"kid\":\"r\",\"e\":\"AQAB\",\"n\":"
    "\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm"
    "4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rex"
    "MdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvU"
    "K-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ\"},"
    "{\"kty\":\"EC\",\"alg\":\"ES256\",\"kid\":\"e\",\"crv\":\"P-256\",\"x\":"
    "\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"y\":"
    "\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"},"
    "{\"kty\":\"OKP\",\"alg\":\"EdDSA\",\"kid\":\"d\",\"crv\":\"Ed25519\",\"x\":"
    "\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}";

static const jwt_rules rules = {.issuer = "me", .audience = "hedged", .leeway_s = 30.0};

static const jwks *fixed_keys(void)
{
    static jwks *keys;
    char message[JWKS_MESSAGE_MAX];

    if (keys == NULL) keys = jwks_read(set, sizeof(set) - 1, message);
    if (keys == NULL) abort();
    return keys;
}

/* What is accepted keeps what was promised of it. */
static void check_claims(const jwt_claims *c)
{
    const size_t n = strlen(c->caller.name);

    if (n < 1 || n > AUTH_NAME_MAX || (c->caller.scopes & ~(uint32_t)AUTH_ALL) != 0) abort();
    for (size_t i = 0; i < n; i++)
        if (c->caller.name[i] <= ' ' || c->caller.name[i] > '~') abort();
    if (!(NOW < c->expires_s + rules.leeway_s) || !(NOW + rules.leeway_s >= c->not_before_s))
        abort();
}

static void encode(char *out, const uint8_t *bytes, size_t n)
{
    char *at = out + strlen(out);

    EVP_EncodeBlock((unsigned char *)at, bytes, (int)n);
    for (; *at != '\0' && *at != '='; at++)
        *at = *at == '+' ? '-' : *at == '/' ? '_' : *at;
    *at = '\0';
}

static void try_token(const char *token, size_t n)
{
    jwt_claims claims;

    if (jwt_verify(token, n, fixed_keys(), &rules, NOW, &claims) == JWT_GOOD) check_claims(&claims);
}

static void try_signed(const uint8_t *bytes, size_t n)
{
    static char token[4 * TEXT_MAX];
    const uint8_t *feed = memchr(bytes, '\n', n);
    uint8_t signature[EVP_MAX_MD_SIZE];
    unsigned size = 0;

    if (feed == NULL || n > TEXT_MAX) return;
    token[0] = '\0';
    encode(token, bytes, (size_t)(feed - bytes));
    strcat(token, ".");
    encode(token, feed + 1, n - (size_t)(feed - bytes) - 1);
    HMAC(EVP_sha256(), "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk", 32, (uint8_t *)token, strlen(token),
         signature, &size);
    strcat(token, ".");
    encode(token, signature, size);
    try_token(token, strlen(token));
}

static void try_keys(const char *bytes, size_t n)
{
    char message[JWKS_MESSAGE_MAX] = "";
    char *copy = malloc(n + 1);
    jwks *keys;

    if (copy == NULL) return;
    memcpy(copy, bytes, n);
    copy[n] = '\0';
    keys = jwks_read(copy, n, message);
    if (keys == NULL && (message[0] == '\0' || strlen(message) >= JWKS_MESSAGE_MAX)) abort();
    for (size_t i = 0; keys != NULL && i < keys->n; i++)
        if (jwks_find(keys, keys->keys[i].kid) != &keys->keys[i]) abort();
    jwks_free(keys);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) return 0;
    if (data[0] == 'k')
        try_keys((const char *)data + 1, size - 1);
    else if (data[0] == 's')
        try_signed(data + 1, size - 1);
    else
        try_token((const char *)data + 1, size - 1);
    return 0;
}
