/* SPDX-License-Identifier: MIT
 * token_maker: tokens for the tests, of any header and claims. */
#include "token_maker.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

void token_maker_append(char *out, const void *bytes, size_t n)
{
    char *at = out + strlen(out);

    EVP_EncodeBlock((unsigned char *)at, bytes, (int)n);
    for (; *at != '\0' && *at != '='; at++)
        *at = *at == '+' ? '-' : *at == '/' ? '_' : *at;
    *at = '\0';
}

void token_maker_hs256(char out[TOKEN_MAKER_MAX], const char *header, const char *claims,
                       const uint8_t *secret, size_t n)
{
    uint8_t signature[EVP_MAX_MD_SIZE];
    unsigned size = 0;

    out[0] = '\0';
    token_maker_append(out, header, strlen(header));
    strcat(out, ".");
    token_maker_append(out, claims, strlen(claims));
    HMAC(EVP_sha256(), secret, (int)n, (const uint8_t *)out, strlen(out), signature, &size);
    strcat(out, ".");
    token_maker_append(out, signature, size);
}
