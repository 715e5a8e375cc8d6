/* SPDX-License-Identifier: MIT
 * jwks: the keys that tokens are checked with. */
#include "jwks.h"

#include "base64url.h"
#include "json.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 8192
#define NUMBER_MAX (RSA_BITS_MAX / 8)
#define COORDINATE 32 /* bytes, of P-256 and of Ed25519 */

/* How a key of each algorithm looks. */
typedef struct shape {
    const char *alg, *kty, *crv; /* crv NULL: none */
} shape;

static const shape shapes[] = {
    [JWKS_HS256] = {"HS256", "oct", NULL},
    [JWKS_RS256] = {"RS256", "RSA", NULL},
    [JWKS_ES256] = {"ES256", "EC", "P-256"},
    [JWKS_EDDSA] = {"EdDSA", "OKP", "Ed25519"},
};

const char *jwks_algorithm_name(jwks_algorithm algorithm)
{
    return shapes[algorithm].alg;
}

/* One member of one key; where a fault lies. */
typedef struct place {
    size_t i;
    const char *member;
    char *message;
} place;

static bool refuse(const place *at, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool refuse(const place *at, const char *format, ...)
{
    va_list arguments;
    int n = snprintf(at->message, JWKS_MESSAGE_MAX, "keys[%zu]%s%.40s: ", at->i,
                     at->member != NULL ? "." : "", at->member != NULL ? at->member : "");

    va_start(arguments, format);
    vsnprintf(at->message + n, JWKS_MESSAGE_MAX - (size_t)n, format, arguments);
    va_end(arguments);
    return false;
}

/* ---- members ------------------------------------------------------------------- */

/* A text of 1 to `most` visible ASCII characters; NULL: refused. */
static const char *read_word(const cJSON *key, const char *name, size_t most, size_t i,
                             char *message)
{
    const cJSON *member = cJSON_GetObjectItemCaseSensitive(key, name);
    const place at = {i, name, message};
    size_t n;

    if (member == NULL) {
        refuse(&at, "is missing");
        return NULL;
    }
    if (!cJSON_IsString(member)) {
        refuse(&at, "must be a text");
        return NULL;
    }
    n = strlen(member->valuestring);
    for (const char *c = member->valuestring; *c != '\0'; c++)
        if (*c <= ' ' || *c > '~') n = 0;
    if (n >= 1 && n <= most) return member->valuestring;
    refuse(&at, "must have 1 to %zu visible ASCII characters", most);
    return NULL;
}

static bool read_bytes(const cJSON *key, const char *name, uint8_t *out, size_t capacity, size_t *n,
                       const place *at)
{
    const cJSON *member = cJSON_GetObjectItemCaseSensitive(key, name);

    if (!cJSON_IsString(member)) return refuse(at, "is missing, or no text");
    if (!base64url_decode(member->valuestring, strlen(member->valuestring), out, capacity, n))
        return refuse(at, "must be base64url without padding, of at most %zu bytes", capacity);
    return *n > 0 || refuse(at, "is empty");
}

/* The private half has no business in a file that is for checking. */
static bool is_private(const char *name, jwks_algorithm algorithm)
{
    static const char *const names[] = {"d", "p", "q", "dp", "dq", "qi", "oth"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(name, names[i]) == 0) return true;
    return algorithm != JWKS_HS256 && strcmp(name, "k") == 0;
}

static bool is_twice(const cJSON *member)
{
    for (const cJSON *other = member->next; other != NULL; other = other->next)
        if (strcmp(other->string, member->string) == 0) return true;
    return false;
}

/* Others (x5c, x5t) mean nothing here and are passed over, as RFC 7517 wants:
 * what identity providers publish has them. */
static bool check_members(const cJSON *key, jwks_algorithm algorithm, size_t i, char *message)
{
    for (const cJSON *member = key->child; member != NULL; member = member->next) {
        const place at = {i, member->string, message};

        if (is_twice(member)) return refuse(&at, "is there twice");
        if (is_private(member->string, algorithm))
            return refuse(&at, "is the private half of a key; give the daemon the public one "
                               "alone (`hedge token keys` writes both)");
    }
    return true;
}

/* `use` and `key_ops`, where they are there, must allow what the key is for. */
static bool check_use(const cJSON *key, size_t i, char *message)
{
    const cJSON *use = cJSON_GetObjectItemCaseSensitive(key, "use");
    const cJSON *ops = cJSON_GetObjectItemCaseSensitive(key, "key_ops"), *op;
    bool verify = false;

    if (use != NULL && (!cJSON_IsString(use) || strcmp(use->valuestring, "sig") != 0))
        return refuse(&(place){i, "use", message}, "must be sig");
    if (ops == NULL) return true;
    cJSON_ArrayForEach(op, ops) verify |=
        cJSON_IsString(op) && strcmp(op->valuestring, "verify") == 0;
    return (cJSON_IsArray(ops) && verify) ||
           refuse(&(place){i, "key_ops", message}, "must hold verify");
}

/* ---- keys ------------------------------------------------------------------------ */

static EVP_PKEY *make_key(const char *type, OSSL_PARAM_BLD *build)
{
    OSSL_PARAM *parameters = OSSL_PARAM_BLD_to_param(build);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *key = NULL;

    if (parameters == NULL || context == NULL || EVP_PKEY_fromdata_init(context) <= 0 ||
        EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters) <= 0)
        key = NULL;
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(parameters);
    return key;
}

static bool check_public(EVP_PKEY *key)
{
    EVP_PKEY_CTX *context = key != NULL ? EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL) : NULL;
    const bool good = context != NULL && EVP_PKEY_public_check(context) == 1;

    EVP_PKEY_CTX_free(context);
    return good;
}

static bool read_rsa(const cJSON *object, jwks_key *key, size_t i, char *message)
{
    uint8_t n[NUMBER_MAX], e[8];
    size_t n_size, e_size;
    OSSL_PARAM_BLD *build;
    BIGNUM *n_number, *e_number;
    int bits;

    if (!read_bytes(object, "n", n, sizeof(n), &n_size, &(place){i, "n", message}) ||
        !read_bytes(object, "e", e, sizeof(e), &e_size, &(place){i, "e", message}))
        return false;
    n_number = BN_bin2bn(n, (int)n_size, NULL);
    e_number = BN_bin2bn(e, (int)e_size, NULL);
    bits = n_number != NULL ? BN_num_bits(n_number) : 0;
    build = OSSL_PARAM_BLD_new();
    if (bits >= RSA_BITS_MIN && build != NULL && e_number != NULL && BN_is_odd(e_number) &&
        BN_get_word(e_number) >= 3 &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n_number) &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e_number))
        key->public_key = make_key("RSA", build);
    OSSL_PARAM_BLD_free(build);
    BN_free(n_number);
    BN_free(e_number);
    if (bits < RSA_BITS_MIN)
        return refuse(&(place){i, "n", message}, "has %d bits; at least %d are wanted", bits,
                      RSA_BITS_MIN);
    return check_public(key->public_key) ||
           refuse(&(place){i, NULL, message}, "n and e are no RSA key");
}

static bool read_ec(const cJSON *object, jwks_key *key, size_t i, char *message)
{
    uint8_t point[1 + 2 * COORDINATE] = {4}; /* SEC 1: uncompressed */
    OSSL_PARAM_BLD *build;
    size_t x, y;

    if (!read_bytes(object, "x", point + 1, COORDINATE, &x, &(place){i, "x", message}) ||
        !read_bytes(object, "y", point + 1 + COORDINATE, COORDINATE, &y, &(place){i, "y", message}))
        return false;
    if (x != COORDINATE || y != COORDINATE)
        return refuse(&(place){i, x != COORDINATE ? "x" : "y", message}, "must have %d bytes",
                      COORDINATE);
    build = OSSL_PARAM_BLD_new();
    if (build != NULL &&
        OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) &&
        OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)))
        key->public_key = make_key("EC", build);
    OSSL_PARAM_BLD_free(build);
    return check_public(key->public_key) ||
           refuse(&(place){i, NULL, message}, "x and y are no point of P-256");
}

static bool read_ed25519(const cJSON *object, jwks_key *key, size_t i, char *message)
{
    const place at = {i, "x", message};
    uint8_t x[COORDINATE];
    size_t n;

    if (!read_bytes(object, "x", x, sizeof(x), &n, &at)) return false;
    if (n == sizeof(x)) key->public_key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, x, n);
    return key->public_key != NULL || refuse(&at, "must have %d bytes", COORDINATE);
}

static bool read_secret(const cJSON *object, jwks_key *key, size_t i, char *message)
{
    const place at = {i, "k", message};
    char *word = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, "k"));
    const bool good =
        read_bytes(object, "k", key->secret, sizeof(key->secret), &key->secret_size, &at);

    if (word != NULL) OPENSSL_cleanse(word, strlen(word)); /* the tree is freed as it is */
    if (!good) return false;
    return key->secret_size >= JWKS_SECRET_MIN ||
           refuse(&at, "has %zu bytes; at least %d are wanted", key->secret_size, JWKS_SECRET_MIN);
}

static bool find_shape(const cJSON *object, size_t i, jwks_algorithm *out, char *message)
{
    const char *alg = read_word(object, "alg", 16, i, message), *kty, *crv = NULL;
    size_t a = 0;

    if (alg == NULL) return false;
    while (a < sizeof(shapes) / sizeof(shapes[0]) && strcmp(shapes[a].alg, alg) != 0)
        a++;
    if (a == sizeof(shapes) / sizeof(shapes[0]))
        return refuse(&(place){i, "alg", message}, "must be RS256, ES256, EdDSA or HS256");
    kty = read_word(object, "kty", 16, i, message);
    if (kty == NULL) return false;
    if (strcmp(kty, shapes[a].kty) != 0)
        return refuse(&(place){i, "kty", message}, "must be %s for %s", shapes[a].kty, alg);
    if (shapes[a].crv != NULL) {
        crv = read_word(object, "crv", 16, i, message);
        if (crv == NULL) return false;
        if (strcmp(crv, shapes[a].crv) != 0)
            return refuse(&(place){i, "crv", message}, "must be %s for %s", shapes[a].crv, alg);
    }
    *out = (jwks_algorithm)a;
    return true;
}

static bool read_key(const cJSON *object, jwks_key *key, size_t i, char *message)
{
    static bool (*const readers[])(const cJSON *, jwks_key *, size_t,
                                   char *) = {[JWKS_HS256] = read_secret,
                                              [JWKS_RS256] = read_rsa,
                                              [JWKS_ES256] = read_ec,
                                              [JWKS_EDDSA] = read_ed25519};
    const char *kid;

    if (!cJSON_IsObject(object)) return refuse(&(place){i, NULL, message}, "must be an object");
    if (!find_shape(object, i, &key->algorithm, message) ||
        !check_members(object, key->algorithm, i, message) || !check_use(object, i, message))
        return false;
    kid = read_word(object, "kid", JWKS_KID_MAX, i, message);
    if (kid == NULL) return false;
    strcpy(key->kid, kid); /* fits: read_word has looked */
    return readers[key->algorithm](object, key, i, message);
}

/* ---- the set --------------------------------------------------------------------- */

void jwks_free(jwks *keys)
{
    if (keys == NULL) return;
    for (size_t i = 0; i < keys->n; i++) {
        EVP_PKEY_free(keys->keys[i].public_key);
        OPENSSL_cleanse(keys->keys[i].secret, sizeof(keys->keys[i].secret));
    }
    free(keys);
}

const jwks_key *jwks_find(const jwks *keys, const char *kid)
{
    for (size_t i = 0; i < keys->n; i++)
        if (strcmp(keys->keys[i].kid, kid) == 0) return &keys->keys[i];
    return NULL;
}

static bool read_keys(const cJSON *list, jwks *keys, char *message)
{
    const cJSON *object;

    cJSON_ArrayForEach(object, list)
    {
        const size_t i = keys->n++; /* counted first: it is freed whatever comes */

        if (!read_key(object, &keys->keys[i], i, message)) return false;
        if (jwks_find(keys, keys->keys[i].kid) != &keys->keys[i])
            return refuse(&(place){i, "kid", message}, "another key has it, too");
        keys->secret |= keys->keys[i].algorithm == JWKS_HS256;
    }
    return true;
}

static jwks *read_set(const cJSON *set, char message[JWKS_MESSAGE_MAX])
{
    static const char *const names[] = {"keys", NULL};
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(set, "keys");
    const int n = cJSON_GetArraySize(list);
    problem p;
    jwks *keys;

    if (!json_check_members(set, names, &p)) {
        snprintf(message, JWKS_MESSAGE_MAX, "%.63s: %.100s; a JWKS is {\"keys\": [...]}", p.member,
                 p.detail);
        return NULL;
    }
    if (!cJSON_IsArray(list) || n < 1 || n > JWKS_KEYS_MAX) {
        snprintf(message, JWKS_MESSAGE_MAX, "keys: must be a list of 1 to %d keys", JWKS_KEYS_MAX);
        return NULL;
    }
    keys = calloc(1, sizeof(*keys) + (size_t)n * sizeof(keys->keys[0]));
    if (keys == NULL) {
        snprintf(message, JWKS_MESSAGE_MAX, "out of memory");
        return NULL;
    }
    if (read_keys(list, keys, message)) return keys;
    jwks_free(keys);
    return NULL;
}

jwks *jwks_read(const char *bytes, size_t n, char message[JWKS_MESSAGE_MAX])
{
    problem p;
    cJSON *set = json_read_object(bytes, n, &p);
    jwks *keys;

    if (set == NULL) {
        char *body = strstr(p.detail, " of the body");

        if (body != NULL) *body = '\0';
        snprintf(message, JWKS_MESSAGE_MAX, "%.300s", p.detail);
        return NULL;
    }
    keys = read_set(set, message);
    cJSON_Delete(set);
    return keys;
}

jwks *jwks_load(const char *path, secret_file *file, char message[JWKS_MESSAGE_MAX])
{
    char words[JWKS_MESSAGE_MAX];
    jwks *keys = NULL;

    if (secret_file_load(path, JWKS_BYTES_MAX, file, words)) {
        if (file->guarded)
            keys = jwks_read(file->bytes, file->n, words);
        else
            snprintf(words, sizeof(words), "anybody may write it; chmod o-w");
    }
    if (keys != NULL && keys->secret && !file->kept) {
        snprintf(words, sizeof(words), "holds a secret, and %s", file->why);
        jwks_free(keys);
        keys = NULL;
    }
    if (keys == NULL) snprintf(message, JWKS_MESSAGE_MAX, "%.150s: %.240s", path, words);
    return keys;
}
