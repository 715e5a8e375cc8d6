/* SPDX-License-Identifier: MIT
 * Tokens: what is refused, and why. Keys, texts and signatures of the examples are those of RFC
 * 7515 (appendix A.1 to A.3) and RFC 8037 (appendix A.4). */
#include "jwt.h"

#include "base64url.h"
#include "jwt_signature.h"
#include "token_cache.h"
#include "token_maker.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define NOW 1800000000.0

/* 32 bytes of "k", and 32 of "o". */
#define KEYS                                                                                       \
    "{\"keys\":[{\"kty\":\"oct\",\"alg\":\"HS256\",\"kid\":\"one\","                               \
    "\"k\":\"a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s\"},"                                      \
    "{\"kty\":\"oct\",\"alg\":\"HS256\",\"kid\":\"other\","                                        \
    "\"k\":\"b29vb29vb29vb29vb29vb29vb29vb29vb29vb29vb28\"},"                                      \
    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"alg\":\"EdDSA\",\"kid\":\"ed\","                       \
    "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}"
#define HEADER "{\"alg\":\"HS256\",\"kid\":\"one\",\"typ\":\"JWT\"}"
#define WHO "\"iss\":\"me\",\"aud\":\"hedged\",\"sub\":\"bob\""
#define CLAIMS "{" WHO ",\"exp\":1800000100,\"scope\":\"size read\"}"

static const jwt_rules rules = {.issuer = "me", .audience = "hedged", .leeway_s = 30.0};

static jwks *keys_of(const char *set)
{
    char message[JWKS_MESSAGE_MAX] = "";
    jwks *keys = jwks_read(set, strlen(set), message);

    cr_assert_not_null(keys, "%s", message);
    return keys;
}

static jwt_fault verify_at(const char *token, const jwt_rules *r, double now_s, jwt_claims *out)
{
    jwks *keys = keys_of(KEYS);
    const jwt_fault fault = jwt_verify(token, strlen(token), keys, r, now_s, out);

    jwks_free(keys);
    return fault;
}

static jwt_fault verify(const char *token)
{
    jwt_claims claims;

    return verify_at(token, &rules, NOW, &claims);
}

static jwt_fault verify_texts(const char *header, const char *claims)
{
    static char token[TOKEN_MAKER_MAX];

    token_maker_hs256(token, header, claims, (const uint8_t *)"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk",
                      32);
    return verify(token);
}

Test(jwt, a_good_token_says_who_and_what)
{
    static char token[TOKEN_MAKER_MAX];
    jwt_claims claims;

    token_maker_hs256(token, HEADER, CLAIMS, (const uint8_t *)"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk",
                      32);
    cr_assert_eq(verify_at(token, &rules, NOW, &claims), JWT_GOOD);
    cr_expect_str_eq(claims.caller.name, "bob");
    cr_expect_eq(claims.caller.scopes, (uint32_t)(AUTH_SIZE | AUTH_READ));
    cr_expect_eq(claims.expires_s, 1800000100.0);
}

Test(jwt, headers)
{
    static const struct {
        const char *header;
        jwt_fault fault;
    } rows[] = {
        {"{\"alg\":\"HS256\",\"kid\":\"one\"}", JWT_GOOD},
        {"{\"alg\":\"HS256\",\"kid\":\"one\",\"typ\":\"application/AT+jwt\"}", JWT_GOOD},
        {"{\"alg\":\"HS256\",\"kid\":\"one\",\"typ\":\"jwt\"}", JWT_GOOD},
        {"{\"alg\":\"HS256\",\"kid\":\"one\",\"typ\":\"JOSE\"}", JWT_TYPE},
        {"{\"alg\":\"HS256\",\"kid\":\"one\",\"typ\":1}", JWT_HEADER},
        {"{\"alg\":\"none\",\"kid\":\"one\"}", JWT_ALGORITHM},
        {"{\"alg\":\"NONE\",\"kid\":\"one\"}", JWT_ALGORITHM},
        {"{\"alg\":\"nOnE\",\"kid\":\"one\"}", JWT_ALGORITHM},
        {"{\"alg\":\"hs256\",\"kid\":\"one\"}", JWT_ALGORITHM},
        {"{\"alg\":\"HS256 \",\"kid\":\"one\"}", JWT_ALGORITHM},
        {"{\"alg\":\"HS512\",\"kid\":\"one\"}", JWT_ALGORITHM},
        {"{\"alg\":\"HS256\",\"kid\":\"ed\"}", JWT_ALGORITHM},
        {"{\"alg\":\"EdDSA\",\"kid\":\"one\"}", JWT_ALGORITHM},
        {"{\"alg\":\"HS256\",\"kid\":\"other\"}", JWT_SIGNATURE},
        {"{\"alg\":\"HS256\",\"kid\":\"ONE\"}", JWT_KEY},
        {"{\"alg\":\"HS256\",\"kid\":\"\"}", JWT_KEY},
        {"{\"alg\":\"HS256\",\"kid\":\"../../../../dev/null\"}", JWT_KEY},
        {"{\"alg\":\"HS256\",\"kid\":\"one' OR '1'='1\"}", JWT_KEY},
        {"{\"alg\":\"HS256\",\"kid\":\"one\\u0000\"}", JWT_HEADER},
        {"{\"alg\":\"HS256\",\"kid\":[\"one\"]}", JWT_HEADER},
        {"{\"alg\":\"HS256\",\"kid\":null}", JWT_HEADER},
        {"{\"alg\":\"HS256\"}", JWT_HEADER},
        {"{\"kid\":\"one\"}", JWT_HEADER},
        {"{\"alg\":[\"HS256\"],\"kid\":\"one\"}", JWT_HEADER},
        {"{\"alg\":\"HS256\",\"alg\":\"HS256\",\"kid\":\"one\"}", JWT_HEADER},
        {"{\"alg\":\"none\",\"alg\":\"HS256\",\"kid\":\"one\"}", JWT_HEADER},
        {"{\"ALG\":\"none\",\"alg\":\"HS256\",\"kid\":\"one\"}", JWT_HEADER},
        {"{\"alg\":\"HS256\",\"kid\":\"one\",\"crit\":[\"exp\"]}", JWT_HEADER},
        {"{\"alg\":\"HS256\",\"kid\":\"one\",\"crit\":[]}", JWT_HEADER},
        {"{\"alg\":\"HS256\",\"kid\":\"one\",\"jku\":\"https://evil.example/k\"}", JWT_HEADER},
        {"{\"alg\":\"HS256\",\"kid\":\"one\",\"jwk\":{\"kty\":\"oct\",\"k\":\"aaaa\"}}",
         JWT_HEADER},
        {"{\"alg\":\"HS256\",\"kid\":\"one\",\"x5u\":\"https://evil.example/c\"}", JWT_HEADER},
        {"{\"alg\":\"HS256\",\"kid\":\"one\",\"x5c\":[\"MII\"]}", JWT_HEADER},
        {"{\"alg\":\"HS256\",\"kid\":\"one\",\"x5t\":\"aa\"}", JWT_HEADER},
        {"{\"alg\":\"HS256\",\"kid\":\"one\",\"b64\":true}", JWT_HEADER},
        {"{\"alg\":\"HS256\",\"kid\":\"one\",\"zip\":\"DEF\"}", JWT_HEADER},
        {"{\"alg\":\"HS256\",\"kid\":\"one\",\"cty\":\"JWT\"}", JWT_HEADER},
        {"{\"alg\":\"HS256\",\"kid\":\"one\",\"unknown\":1}", JWT_HEADER},
        {"{\"alg\":\"HS256\",\"kid\":\"one\"} ", JWT_GOOD},
        {"{\"alg\":\"HS256\",\"kid\":\"one\"}x", JWT_HEADER},
        {"{\"alg\":\"HS256\",\"kid\":\"one\",}", JWT_HEADER},
        {"[]", JWT_HEADER},
        {"\"HS256\"", JWT_HEADER},
        {"{}", JWT_HEADER},
        {"\xef\xbb\xbf{\"alg\":\"HS256\",\"kid\":\"one\"}", JWT_HEADER},
        {"{\"alg\":\"HS256\",\"kid\":\"one\xff\"}", JWT_HEADER},
    };

    for (size_t i = 0; i < COUNT(rows); i++)
        cr_expect_eq(verify_texts(rows[i].header, CLAIMS), rows[i].fault, "%s: %s", rows[i].header,
                     jwt_fault_name(verify_texts(rows[i].header, CLAIMS)));
}

Test(jwt, claims)
{
#define WITH(more) "{" WHO "," more "}"
    static const struct {
        const char *claims;
        jwt_fault fault;
    } rows[] = {
        {WITH("\"exp\":1800000100"), JWT_GOOD},
        {WITH("\"exp\":1800000100.5"), JWT_GOOD},
        {WITH("\"exp\":1.8000001e9"), JWT_GOOD},
        {WITH("\"exp\":253402300799"), JWT_GOOD},
        {WITH("\"exp\":1799999971"), JWT_GOOD}, /* within the leeway */
        {WITH("\"exp\":1799999970"), JWT_EXPIRED},
        {WITH("\"exp\":0"), JWT_EXPIRED},
        {WITH("\"exp\":-1"), JWT_CLAIMS},
        {WITH("\"exp\":1e400"), JWT_CLAIMS},
        {WITH("\"exp\":1e300"), JWT_CLAIMS},
        {WITH("\"exp\":9223372036854775808"), JWT_CLAIMS},
        {WITH("\"exp\":253402300800"), JWT_CLAIMS},
        {WITH("\"exp\":\"1800000100\""), JWT_CLAIMS},
        {WITH("\"exp\":true"), JWT_CLAIMS},
        {WITH("\"exp\":null"), JWT_CLAIMS},
        {WITH("\"exp\":[1800000100]"), JWT_CLAIMS},
        {WITH("\"exp\":NaN"), JWT_CLAIMS},
        {WITH("\"exp\":Infinity"), JWT_CLAIMS},
        {WITH("\"exp\":01800000100"), JWT_CLAIMS},
        {WITH("\"EXP\":1800000100"), JWT_CLAIMS},
        {"{" WHO "}", JWT_CLAIMS},
        {WITH("\"exp\":1,\"exp\":1800000100"), JWT_CLAIMS},
        {WITH("\"exp\":1800000100,\"sub\":\"eve\""), JWT_CLAIMS},
        {WITH("\"exp\":1800000100,\"x\":{\"a\":1,\"a\":2}"), JWT_CLAIMS},
        {WITH("\"exp\":1800000100,\"x\":[{\"a\":1},{\"b\":1,\"\\u0062\":2}]"), JWT_CLAIMS},
        {WITH("\"exp\":1800000100,\"x\":[{\"a\":1},{\"a\":2}]"), JWT_GOOD},
        {WITH("\"exp\":1800000100,\"nbf\":1800000030"), JWT_GOOD},
        {WITH("\"exp\":1800000100,\"nbf\":1800000031"), JWT_EARLY},
        {WITH("\"exp\":1800000100,\"nbf\":\"0\""), JWT_CLAIMS},
        {WITH("\"exp\":1800000100,\"nbf\":null"), JWT_CLAIMS},
        {WITH("\"exp\":1800000100,\"iat\":1800000030"), JWT_GOOD},
        {WITH("\"exp\":1800000100,\"iat\":1800000031"), JWT_EARLY},
        {WITH("\"exp\":1800000100,\"iat\":1800000031,\"nbf\":1"), JWT_EARLY},
        {WITH("\"exp\":1800000100,\"iat\":{}"), JWT_CLAIMS},
        {"{\"exp\":1800000100,\"aud\":\"hedged\",\"sub\":\"bob\"}", JWT_ISSUER},
        {"{\"exp\":1800000100,\"aud\":\"hedged\",\"sub\":\"bob\",\"iss\":\"Me\"}", JWT_ISSUER},
        {"{\"exp\":1800000100,\"aud\":\"hedged\",\"sub\":\"bob\",\"iss\":[\"me\"]}", JWT_ISSUER},
        {"{\"exp\":1800000100,\"aud\":\"hedged\",\"sub\":\"bob\",\"iss\":\"me/\"}", JWT_ISSUER},
        {"{\"exp\":1800000100,\"iss\":\"me\",\"sub\":\"bob\"}", JWT_AUDIENCE},
        {"{\"exp\":1800000100,\"iss\":\"me\",\"sub\":\"bob\",\"aud\":\"hedge\"}", JWT_AUDIENCE},
        {"{\"exp\":1800000100,\"iss\":\"me\",\"sub\":\"bob\",\"aud\":[]}", JWT_AUDIENCE},
        {"{\"exp\":1800000100,\"iss\":\"me\",\"sub\":\"bob\",\"aud\":[\"x\",\"hedged\"]}",
         JWT_GOOD},
        {"{\"exp\":1800000100,\"iss\":\"me\",\"sub\":\"bob\",\"aud\":[\"hedged\",1]}",
         JWT_AUDIENCE},
        {"{\"exp\":1800000100,\"iss\":\"me\",\"sub\":\"bob\",\"aud\":[[\"hedged\"]]}",
         JWT_AUDIENCE},
        {"{\"exp\":1800000100,\"iss\":\"me\",\"sub\":\"bob\",\"aud\":{\"a\":\"hedged\"}}",
         JWT_AUDIENCE},
        {"{\"exp\":1800000100,\"iss\":\"me\",\"aud\":\"hedged\"}", JWT_SUBJECT},
        {"{\"exp\":1800000100,\"iss\":\"me\",\"aud\":\"hedged\",\"sub\":\"\"}", JWT_SUBJECT},
        {"{\"exp\":1800000100,\"iss\":\"me\",\"aud\":\"hedged\",\"sub\":7}", JWT_SUBJECT},
        {"{\"exp\":1800000100,\"iss\":\"me\",\"aud\":\"hedged\",\"sub\":\"a b\"}", JWT_SUBJECT},
        {"{\"exp\":1800000100,\"iss\":\"me\",\"aud\":\"hedged\",\"sub\":\"a\\nb\"}", JWT_SUBJECT},
        {"{\"exp\":1800000100,\"iss\":\"me\",\"aud\":\"hedged\",\"sub\":\"caf\xc3\xa9\"}",
         JWT_SUBJECT},
        {WITH("\"exp\":1800000100,\"scope\":[\"size\"]"), JWT_CLAIMS},
        {WITH("\"exp\":1800000100,\"scope\":7"), JWT_CLAIMS},
        {"[]", JWT_CLAIMS},
        {"{", JWT_CLAIMS},
        {"x", JWT_CLAIMS},
    };

    for (size_t i = 0; i < COUNT(rows); i++)
        cr_expect_eq(verify_texts(HEADER, rows[i].claims), rows[i].fault, "%s: %s", rows[i].claims,
                     jwt_fault_name(verify_texts(HEADER, rows[i].claims)));
}

Test(jwt, a_name_has_127_characters_at_most)
{
    char claims[400], name[129];

    for (int n = 127; n <= 128; n++) {
        memset(name, 'n', (size_t)n);
        name[n] = '\0';
        snprintf(claims, sizeof(claims),
                 "{\"exp\":1800000100,\"iss\":\"me\",\"aud\":\"hedged\",\"sub\":\"%s\"}", name);
        cr_expect_eq(verify_texts(HEADER, claims), n == 127 ? JWT_GOOD : JWT_SUBJECT, "%d", n);
    }
}

Test(jwt, scopes_are_whole_words_of_ours)
{
    static const struct {
        const char *scope;
        uint32_t scopes;
    } rows[] = {
        {"", 0},
        {"size", AUTH_SIZE},
        {"size override quote read admin halt", AUTH_ALL},
        {"  read   openid  ", AUTH_READ},
        {"SIZE Read siz sizes admin:x halt,read", 0},
        {"read\\tsize", 0},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        static char token[TOKEN_MAKER_MAX];
        jwt_claims claims;
        char words[200];

        snprintf(words, sizeof(words), "{" WHO ",\"exp\":1800000100,\"scope\":\"%s\"}",
                 rows[i].scope);
        token_maker_hs256(token, HEADER, words, (const uint8_t *)"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk",
                          32);
        cr_assert_eq(verify_at(token, &rules, NOW, &claims), JWT_GOOD, "%s", rows[i].scope);
        cr_expect_eq(claims.caller.scopes, rows[i].scopes, "%s", rows[i].scope);
    }
}

Test(jwt, a_type_that_is_demanded_must_be_there)
{
    static const char header[] = "{\"alg\":\"HS256\",\"kid\":\"one\",\"typ\":\"at+jwt\"}";
    static char with[TOKEN_MAKER_MAX], without[TOKEN_MAKER_MAX];
    jwt_rules strict = rules;
    jwt_claims claims;

    token_maker_hs256(with, header, CLAIMS, (const uint8_t *)"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk",
                      32);
    token_maker_hs256(without, "{\"alg\":\"HS256\",\"kid\":\"one\"}", CLAIMS,
                      (const uint8_t *)"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk", 32);
    strict.type = "at+jwt";
    cr_expect_eq(verify_at(with, &strict, NOW, &claims), JWT_GOOD);
    cr_expect_eq(verify_at(without, &strict, NOW, &claims), JWT_TYPE);
    strict.type = "JWT";
    cr_expect_eq(verify_at(with, &strict, NOW, &claims), JWT_TYPE);
}

/* Each text of bytes has one way to be written, and three dots or one are none. */
Test(jwt, forms)
{
    static char good[TOKEN_MAKER_MAX], bad[TOKEN_MAKER_MAX + 16];
    const char *const texts[] = {"",        ".",          "..",       "...",      "a.b",
                                 "a.b.c.d", "e30.e30.",   ".e30.e30", "e30..e30", "e30.e30.e30.",
                                 "Bearer",  "e30.e30.e30"};
    size_t n;

    token_maker_hs256(good, HEADER, CLAIMS, (const uint8_t *)"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk",
                      32);
    n = strlen(good);
    cr_assert_eq(verify(good), JWT_GOOD);
    for (size_t i = 0; i < COUNT(texts); i++)
        cr_expect_neq(verify(texts[i]), JWT_GOOD, "%s", texts[i]);
    for (const char *c = " =\n+/,\t%~\x80"; *c != '\0'; c++) { /* behind, before, and inside */
        snprintf(bad, sizeof(bad), "%s%c", good, *c);
        cr_expect_neq(verify(bad), JWT_GOOD, "%d", *c);
        snprintf(bad, sizeof(bad), "%c%s", *c, good);
        cr_expect_neq(verify(bad), JWT_GOOD, "%d", *c);
        snprintf(bad, sizeof(bad), "%s", good);
        bad[n - 10] = *c;
        cr_expect_neq(verify(bad), JWT_GOOD, "%d", *c);
    }
    for (size_t i = 0; i < n; i++) { /* any one bit of the last 7 of each character */
        for (int bit = 0; bit < 7; bit++) {
            snprintf(bad, sizeof(bad), "%s", good);
            bad[i] = (char)(bad[i] ^ 1 << bit);
            cr_expect_neq(verify(bad), JWT_GOOD, "byte %zu, bit %d", i, bit);
        }
    }
    for (size_t i = 0; i < n; i++) { /* stripped from the end, a signature first */
        snprintf(bad, i + 1, "%s", good);
        cr_expect_neq(verify(bad), JWT_GOOD, "%zu bytes", i);
    }
}

Test(jwt, a_token_has_8_kib_at_most)
{
    static char claims[TOKEN_MAKER_MAX / 2], token[TOKEN_MAKER_MAX];
    jwt_claims out;

    for (int n = 5500; n < 6500; n++) {
        snprintf(claims, sizeof(claims), "{" WHO ",\"exp\":1800000100,\"x\":\"%0*d\"}", n, 0);
        token_maker_hs256(token, HEADER, claims,
                          (const uint8_t *)"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk", 32);
        if (strlen(token) < JWT_BYTES_MAX - 2 || strlen(token) > JWT_BYTES_MAX + 2) continue;
        cr_expect_eq(verify_at(token, &rules, NOW, &out),
                     strlen(token) <= JWT_BYTES_MAX ? JWT_GOOD : JWT_FORM, "%zu", strlen(token));
    }
}

/* RFC 4648, 10, without padding; and each last character but one has unused bits that are not 0. */
Test(jwt, base64url_is_canonical)
{
    static const char *const texts[] = {"", "Zg", "Zm8", "Zm9v", "Zm9vYg", "Zm9vYmE", "Zm9vYmFy"};
    static const char all[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint8_t out[8];
    size_t n, good = 0;

    for (size_t i = 0; i < COUNT(texts); i++) {
        cr_expect(base64url_decode(texts[i], strlen(texts[i]), out, sizeof(out), &n));
        cr_expect_eq(n, i);
        cr_expect_eq(memcmp(out, "foobar", n), 0);
        if (i > 0) cr_expect_not(base64url_decode(texts[i], strlen(texts[i]), out, i - 1, &n));
    }
    for (size_t i = 0; i < 64; i++) {
        const char two[2] = {'Z', all[i]};

        good += base64url_decode(two, 2, out, sizeof(out), &n);
    }
    cr_expect_eq(good, 4, "of 64 second characters, 4 end in four zero bits");
    cr_expect_not(base64url_decode("Z", 1, out, sizeof(out), &n));
    cr_expect_not(base64url_decode("Zm9vY", 5, out, sizeof(out), &n));
    cr_expect_not(base64url_decode("Zg==", 4, out, sizeof(out), &n));
    cr_expect_not(base64url_decode("Zm9\0", 4, out, sizeof(out), &n));
}

/* ---- signatures ------------------------------------------------------------------ */

typedef struct example {
    const char *key, *text, *signature;
} example;

static const example examples[] = {
    {"{\"kty\":\"oct\",\"alg\":\"HS256\",\"kid\":\"a\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-"
     "EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow\"}",
     "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0"
     "dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ",
     "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"},
    {"{\"kty\":\"RSA\",\"alg\":\"RS256\",\"kid\":\"a\",\"e\":\"AQAB\",\"n\":"
     "\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm"
     "4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-"
     "bSf63kpaSHSXndS5z5rex"
     "MdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_"
     "I5IhlJH7aGhyxXFvU"
     "K-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ\"}",
     "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNv"
     "bS9pc19yb290Ijp0cnVlfQ",
     "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_"
     "O8W2Fp5juj"
     "Gbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_"
     "nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Q"
     "e7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-"
     "eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUT"
     "I8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"},
    {"{\"kty\":\"EC\",\"alg\":\"ES256\",\"kid\":\"a\",\"crv\":\"P-256\",\"x\":"
     "\"f83OJ3D2xF1Bg8vub9tL"
     "e1gHMzV76e8Tus9uPHvRVEU\",\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}",
     "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNv"
     "bS9pc19yb290Ijp0cnVlfQ",
     "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"},
    {"{\"kty\":\"OKP\",\"alg\":\"EdDSA\",\"kid\":\"a\",\"crv\":\"Ed25519\",\"x\":"
     "\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}",
     "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
     "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"},
};

/* One key, whose signature over the example's text is in signature[*size]. */
static jwks *read_example(const example *e, uint8_t signature[JWT_SIGNATURE_MAX], size_t *size)
{
    static char set[2048];

    snprintf(set, sizeof(set), "{\"keys\":[%s]}", e->key);
    cr_assert(
        base64url_decode(e->signature, strlen(e->signature), signature, JWT_SIGNATURE_MAX, size));
    return keys_of(set);
}

Test(jwt, signatures_of_the_standards_are_good_and_none_beside_them)
{
    for (size_t i = 0; i < COUNT(examples); i++) {
        const example *e = &examples[i];
        uint8_t signature[JWT_SIGNATURE_MAX + 1] = {0};
        size_t size, n = strlen(e->text);
        jwks *keys = read_example(e, signature, &size);
        const jwks_key *key = &keys->keys[0];

        cr_expect(jwt_signature_is_good(key, e->text, n, signature, size), "%zu", i);
        cr_expect_not(jwt_signature_is_good(key, e->text, n - 1, signature, size), "%zu", i);
        cr_expect_not(jwt_signature_is_good(key, e->text, n, signature, size - 1), "%zu", i);
        cr_expect_not(jwt_signature_is_good(key, e->text, n, signature, size + 1), "%zu", i);
        cr_expect_not(jwt_signature_is_good(key, e->text, n, signature, 0), "%zu", i);
        for (size_t bit = 0; bit < size * 8; bit++) {
            signature[bit / 8] = (uint8_t)(signature[bit / 8] ^ 1 << bit % 8);
            cr_expect_not(jwt_signature_is_good(key, e->text, n, signature, size), "%zu: %zu", i,
                          bit);
            signature[bit / 8] = (uint8_t)(signature[bit / 8] ^ 1 << bit % 8);
        }
        jwks_free(keys);
    }
}

/* The order of P-256, and of Ed25519's group (little endian). */
static const uint8_t p256_order[32] = {
    0xff, 0xff, 0xff, 0xff, 0,    0,    0,    0,    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};
static const uint8_t ed25519_order[32] = {
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0x10};

/* CVE-2022-21449: r = s = 0 was good for any text. */
Test(jwt, r_and_s_of_0_or_the_order_are_no_signature)
{
    uint8_t real[JWT_SIGNATURE_MAX], forged[64];
    const uint8_t zero[32] = {0};
    const uint8_t *const halves[] = {zero, p256_order, real, real + 32};
    size_t size;
    jwks *keys = read_example(&examples[2], real, &size);

    for (size_t r = 0; r < COUNT(halves); r++)
        for (size_t s = 0; s < COUNT(halves); s++) {
            memcpy(forged, halves[r], 32);
            memcpy(forged + 32, halves[s], 32);
            cr_expect_eq(jwt_signature_is_good(&keys->keys[0], examples[2].text,
                                               strlen(examples[2].text), forged, 64),
                         r == 2 && s == 3, "%zu %zu", r, s);
        }
    jwks_free(keys);
}

/* RFC 8032, 5.1.7: s + order would be the same signature in other words. */
Test(jwt, a_signature_of_ed25519_has_one_form)
{
    uint8_t signature[JWT_SIGNATURE_MAX];
    unsigned carry = 0;
    size_t size;
    jwks *keys = read_example(&examples[3], signature, &size);

    for (size_t i = 0; i < 32; i++) {
        carry += (unsigned)signature[32 + i] + ed25519_order[i];
        signature[32 + i] = (uint8_t)carry;
        carry >>= 8;
    }
    cr_expect_eq(carry, 0);
    cr_expect_not(jwt_signature_is_good(&keys->keys[0], examples[3].text, strlen(examples[3].text),
                                        signature, size));
    jwks_free(keys);
}

/* ---- what is shown and kept ------------------------------------------------------- */

Test(jwt, every_fault_has_words_that_fit_a_header)
{
    for (jwt_fault f = JWT_GOOD; f < JWT_FAULTS; f++) {
        cr_assert_not_null(jwt_fault_words(f));
        cr_expect(strlen(jwt_fault_challenge(f)) < 250);
        cr_expect_not_null(strstr(jwt_fault_challenge(f), jwt_fault_words(f)));
        for (jwt_fault g = JWT_GOOD; g < f; g++)
            cr_expect_str_neq(jwt_fault_name(f), jwt_fault_name(g));
    }
}

Test(jwt, a_cache_finds_what_was_put_and_stays_bounded)
{
    token_cache *c = token_cache_new();
    uint8_t id[TOKEN_ID_SIZE];
    jwt_claims claims = {.caller = {.name = "bob"}};
    size_t found = 0;
    char token[32];

    token_cache_id("x", 1, id);
    cr_expect_not(token_cache_find(c, id, &claims));
    for (int i = 0; i < 20000; i++) {
        const int n = snprintf(token, sizeof(token), "token %d", i);

        token_cache_id(token, (size_t)n, id);
        claims.expires_s = i;
        token_cache_put(c, id, &claims);
        token_cache_put(c, id, &claims);
        cr_assert(token_cache_find(c, id, &claims));
        cr_assert_eq(claims.expires_s, i);
    }
    for (int i = 0; i < 20000; i++) {
        const int n = snprintf(token, sizeof(token), "token %d", i);

        token_cache_id(token, (size_t)n, id);
        if (!token_cache_find(c, id, &claims)) continue;
        cr_expect_eq(claims.expires_s, i);
        found++;
    }
    cr_expect(found > TOKEN_CACHE_ENTRIES * 9 / 10 && found <= TOKEN_CACHE_ENTRIES, "%zu", found);
    token_cache_free(c);
}
