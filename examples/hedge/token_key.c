/* SPDX-License-Identifier: MIT
 * token_key.c: keys that sign tokens, as JSON Web Keys. */
#include "token_key.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/param_build.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "strict_json.h"
#include "token_base64.h"

enum {
    NUMBER_MAX = 1024,
    COORDINATE = 32,
    FILE_MAX = 64 * 1024,
    SECRET_SIZE = 32,
    RSA_BITS = 3072
};

const char *const token_key_algs[] = {"ES256", "EdDSA", "RS256", "HS256", NULL};

/* A number of a key: its name here and OpenSSL's. */
typedef struct part {
    const char *name, *parameter;
    size_t size; /* 0: as long as it is */
    bool secret;
} part;

static const part rsa_parts[] = {
    {"n", OSSL_PKEY_PARAM_RSA_N, 0, false},
    {"e", OSSL_PKEY_PARAM_RSA_E, 0, false},
    {"d", OSSL_PKEY_PARAM_RSA_D, 0, true},
    {"p", OSSL_PKEY_PARAM_RSA_FACTOR1, 0, true},
    {"q", OSSL_PKEY_PARAM_RSA_FACTOR2, 0, true},
    {"dp", OSSL_PKEY_PARAM_RSA_EXPONENT1, 0, true},
    {"dq", OSSL_PKEY_PARAM_RSA_EXPONENT2, 0, true},
    {"qi", OSSL_PKEY_PARAM_RSA_COEFFICIENT1, 0, true},
};
static const part ec_parts[] = {
    {"x", OSSL_PKEY_PARAM_EC_PUB_X, COORDINATE, false},
    {"y", OSSL_PKEY_PARAM_EC_PUB_Y, COORDINATE, false},
    {"d", OSSL_PKEY_PARAM_PRIV_KEY, COORDINATE, true},
};
enum { RSA_PARTS = sizeof rsa_parts / sizeof rsa_parts[0] };
enum { EC_PARTS = sizeof ec_parts / sizeof ec_parts[0] };

static bool is(const token_key *k, const char *alg)
{
    return strcmp(k->alg, alg) == 0;
}

void token_key_free(token_key *k)
{
    EVP_PKEY_free(k->pair);
    OPENSSL_cleanse(k, sizeof *k);
}

bool token_key_draw(token_key *k, const char *alg, const char *kid)
{
    *k = (token_key){.alg = alg};
    snprintf(k->kid, sizeof k->kid, "%s", kid);
    if (is(k, "HS256")) {
        k->secret_size = SECRET_SIZE;
        return RAND_priv_bytes(k->secret, SECRET_SIZE) == 1;
    }
    if (is(k, "RS256"))
        k->pair = EVP_RSA_gen(RSA_BITS);
    else if (is(k, "ES256"))
        k->pair = EVP_EC_gen("prime256v1");
    else
        k->pair = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    return k->pair != NULL;
}

/* ---- writing --------------------------------------------------------------------- */

static bool put_text(bytes *out, const char *text)
{
    return bytes_append(out, text, strlen(text));
}

static bool put_bytes(bytes *out, const char *name, const uint8_t *from, size_t n)
{
    return put_text(out, ",\"") && put_text(out, name) && put_text(out, "\":\"") &&
           token_base64_append(out, from, n) && put_text(out, "\"");
}

static bool put_part(const token_key *k, const part *p, bytes *out)
{
    uint8_t number[NUMBER_MAX];
    BIGNUM *value = NULL;
    bool good = EVP_PKEY_get_bn_param(k->pair, p->parameter, &value) == 1;
    const int size = good && p->size == 0 ? BN_num_bytes(value) : (int)p->size;

    good = good && BN_bn2binpad(value, number, size) == size &&
           put_bytes(out, p->name, number, (size_t)size);
    BN_clear_free(value);
    OPENSSL_cleanse(number, sizeof number);
    return good;
}

static bool put_parts(const token_key *k, const part *parts, size_t n, bool whole, bytes *out)
{
    for (size_t i = 0; i < n; i++)
        if ((whole || !parts[i].secret) && !put_part(k, &parts[i], out)) return false;
    return true;
}

static bool put_ed25519(const token_key *k, bool whole, bytes *out)
{
    uint8_t x[COORDINATE], d[COORDINATE];
    size_t x_size = sizeof x, d_size = sizeof d;
    bool good =
        EVP_PKEY_get_raw_public_key(k->pair, x, &x_size) == 1 && put_bytes(out, "x", x, x_size);

    if (whole)
        good = good && EVP_PKEY_get_raw_private_key(k->pair, d, &d_size) == 1 &&
               put_bytes(out, "d", d, d_size);
    OPENSSL_cleanse(d, sizeof d);
    return good;
}

bool token_key_write(const token_key *k, bool whole, bytes *out)
{
    const char *kind = is(k, "HS256")   ? "\"kty\":\"oct\""
                       : is(k, "RS256") ? "\"kty\":\"RSA\""
                       : is(k, "ES256") ? "\"kty\":\"EC\",\"crv\":\"P-256\""
                                        : "\"kty\":\"OKP\",\"crv\":\"Ed25519\"";

    if (!put_text(out, "{\"kid\":\"") || !put_text(out, k->kid) ||
        !put_text(out, "\",\"alg\":\"") || !put_text(out, k->alg) ||
        !put_text(out, "\",\"use\":\"sig\",") || !put_text(out, kind))
        return false;
    if (is(k, "HS256") && !put_bytes(out, "k", k->secret, k->secret_size)) return false;
    if (is(k, "RS256") && !put_parts(k, rsa_parts, RSA_PARTS, whole, out)) return false;
    if (is(k, "ES256") && !put_parts(k, ec_parts, EC_PARTS, whole, out)) return false;
    if (is(k, "EdDSA") && !put_ed25519(k, whole, out)) return false;
    return put_text(out, "}");
}

/* ---- reading --------------------------------------------------------------------- */

static bool fail(char message[TOKEN_KEY_MESSAGE_MAX], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static bool fail(char message[TOKEN_KEY_MESSAGE_MAX], const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(message, TOKEN_KEY_MESSAGE_MAX, format, arguments);
    va_end(arguments);
    return false;
}

/* The bytes of a member; 0: it is not there, or not base64url. */
static size_t take_bytes(const cJSON *object, const char *name, uint8_t *out, size_t capacity)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
    size_t n = 0;

    return text != NULL && token_base64_decode(text, strlen(text), out, capacity, &n) ? n : 0;
}

static BIGNUM *take_number(const cJSON *object, const char *name)
{
    uint8_t number[NUMBER_MAX];
    const size_t n = take_bytes(object, name, number, sizeof number);
    BIGNUM *value = n > 0 ? BN_bin2bn(number, (int)n, NULL) : NULL;

    OPENSSL_cleanse(number, sizeof number);
    return value;
}

static EVP_PKEY *build(const char *type, OSSL_PARAM_BLD *builder)
{
    OSSL_PARAM *parameters = OSSL_PARAM_BLD_to_param(builder);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *pair = NULL;

    if (parameters == NULL || context == NULL || EVP_PKEY_fromdata_init(context) != 1 ||
        EVP_PKEY_fromdata(context, &pair, EVP_PKEY_KEYPAIR, parameters) != 1)
        pair = NULL;
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(parameters);
    return pair;
}

static EVP_PKEY *take_rsa(const cJSON *object)
{
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    BIGNUM *numbers[RSA_PARTS] = {NULL};
    bool good = builder != NULL;
    EVP_PKEY *pair;

    for (size_t i = 0; i < RSA_PARTS; i++) {
        numbers[i] = take_number(object, rsa_parts[i].name);
        good = good && numbers[i] != NULL &&
               OSSL_PARAM_BLD_push_BN(builder, rsa_parts[i].parameter, numbers[i]) == 1;
    }
    pair = good ? build("RSA", builder) : NULL;
    for (size_t i = 0; i < RSA_PARTS; i++)
        BN_clear_free(numbers[i]);
    OSSL_PARAM_BLD_free(builder);
    return pair;
}

static EVP_PKEY *take_ec(const cJSON *object)
{
    uint8_t point[1 + 2 * COORDINATE] = {4}; /* uncompressed */
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    BIGNUM *d = take_number(object, "d");
    EVP_PKEY *pair = NULL;

    if (builder != NULL && d != NULL &&
        take_bytes(object, "x", point + 1, COORDINATE) == COORDINATE &&
        take_bytes(object, "y", point + 1 + COORDINATE, COORDINATE) == COORDINATE &&
        OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) &&
        OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point) &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_PRIV_KEY, d))
        pair = build("EC", builder);
    BN_clear_free(d);
    OSSL_PARAM_BLD_free(builder);
    return pair;
}

static EVP_PKEY *take_ed25519(const cJSON *object)
{
    uint8_t d[COORDINATE];
    EVP_PKEY *pair = NULL;

    if (take_bytes(object, "d", d, sizeof d) == sizeof d)
        pair = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, d, sizeof d);
    OPENSSL_cleanse(d, sizeof d);
    return pair;
}

static bool take_key(token_key *k, const cJSON *object)
{
    const char *alg = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, "alg"));
    const char *kid = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, "kid"));

    if (alg == NULL || kid == NULL || kid[0] == '\0' || strlen(kid) > TOKEN_KID_MAX) return false;
    snprintf(k->kid, sizeof k->kid, "%s", kid);
    for (const char *const *known = token_key_algs; *known != NULL; known++)
        if (strcmp(*known, alg) == 0) k->alg = *known;
    if (k->alg == NULL) return false;
    if (is(k, "HS256")) {
        k->secret_size = take_bytes(object, "k", k->secret, sizeof k->secret);
        return k->secret_size >= SECRET_SIZE;
    }
    k->pair = is(k, "RS256")   ? take_rsa(object)
              : is(k, "ES256") ? take_ec(object)
                               : take_ed25519(object);
    return k->pair != NULL;
}

static bool read_file(const char *path, bytes *out, char message[TOKEN_KEY_MESSAGE_MAX])
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat status;
    ssize_t got = -1;

    if (fd < 0) return fail(message, "cannot open %.200s: %s", path, strerror(errno));
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        close(fd);
        return fail(message, "%.200s is not a file", path);
    }
    if ((status.st_mode & 077) != 0) {
        close(fd);
        return fail(message,
                    "%.200s is open to others (mode %04o): who reads it can be anybody; "
                    "chmod 600",
                    path, status.st_mode & 07777);
    }
    if (bytes_reserve(out, FILE_MAX)) got = read(fd, out->at, FILE_MAX);
    close(fd);
    if (got < 0 || got == FILE_MAX) return fail(message, "%.200s cannot be read", path);
    out->n = (size_t)got;
    return true;
}

bool token_key_load(token_key *k, const char *path, char message[TOKEN_KEY_MESSAGE_MAX])
{
    bytes text = {0};
    const char *what = NULL;
    const cJSON *list, *object;
    cJSON *page;
    bool good;

    *k = (token_key){.alg = NULL};
    if (!read_file(path, &text, message)) {
        bytes_free(&text);
        return false;
    }
    page = strict_json_object(&text, &what);
    list = cJSON_GetObjectItemCaseSensitive(page, "keys");
    object = cJSON_GetArraySize(list) == 1 ? list->child : list == NULL ? page : NULL;
    good = object != NULL && take_key(k, object);
    cJSON_Delete(page);
    OPENSSL_cleanse(text.at, text.n);
    bytes_free(&text);
    if (good) return true;
    token_key_free(k);
    return fail(message, "%.200s: %s", path,
                what != NULL && page == NULL ? what
                                             : "is no private key as `hedge token keys` writes it "
                                               "(for HS256 its .jwks.json, else its .key.json)");
}

/* ---- signing --------------------------------------------------------------------- */

/* r and s out of ASN.1, 32 bytes each. */
static bool put_pair(const uint8_t *der, size_t n, bytes *out)
{
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &der, (long)n);
    uint8_t raw[2 * COORDINATE];
    const bool good =
        pair != NULL && BN_bn2binpad(ECDSA_SIG_get0_r(pair), raw, COORDINATE) == COORDINATE &&
        BN_bn2binpad(ECDSA_SIG_get0_s(pair), raw + COORDINATE, COORDINATE) == COORDINATE &&
        token_base64_append(out, raw, sizeof raw);

    ECDSA_SIG_free(pair);
    return good;
}

bool token_key_sign(const token_key *k, const char *from, size_t n, bytes *out)
{
    const uint8_t *at = (const uint8_t *)from;
    uint8_t signature[NUMBER_MAX];
    size_t size = sizeof signature;
    unsigned short_size = 0;
    EVP_MD_CTX *context;
    bool good;

    if (is(k, "HS256"))
        return HMAC(EVP_sha256(), k->secret, (int)k->secret_size, at, n, signature, &short_size) !=
                   NULL &&
               token_base64_append(out, signature, short_size);
    context = EVP_MD_CTX_new();
    good = context != NULL &&
           EVP_DigestSignInit(context, NULL, is(k, "EdDSA") ? NULL : EVP_sha256(), NULL, k->pair) ==
               1 &&
           EVP_DigestSign(context, signature, &size, at, n) == 1;
    EVP_MD_CTX_free(context);
    if (!good) return false;
    return is(k, "ES256") ? put_pair(signature, size, out)
                          : token_base64_append(out, signature, size);
}
