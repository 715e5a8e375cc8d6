/* SPDX-License-Identifier: MIT
 * Sets of keys: what is refused, and that the message names the member. */
#include "jwks.h"

#include "auth.h"
#include "secret_file.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define SECRET "\"k\":\"a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s\""
#define OCT "{\"kty\":\"oct\",\"alg\":\"HS256\",\"kid\":\"a\"," SECRET "}"
#define X "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\""
#define Y "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\""
#define EC(more) "{\"kty\":\"EC\",\"alg\":\"ES256\",\"kid\":\"a\"," more "}"
#define ED "\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\""
/* Some 1,000 bits, the first and the last of them 1. */
#define SHORT_N                                                                                    \
    "\"n\":\"gAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE\""

static jwks *read_one(const char *key, char message[JWKS_MESSAGE_MAX])
{
    char set[2048];

    message[0] = '\0';
    snprintf(set, sizeof(set), "{\"keys\":[%s]}", key);
    return jwks_read(set, strlen(set), message);
}

Test(jwks, good_keys)
{
    static const char *const good[] = {
        OCT,
        EC("\"crv\":\"P-256\"," X "," Y),
        EC("\"crv\":\"P-256\",\"use\":\"sig\",\"key_ops\":[\"verify\"]," X "," Y),
        EC("\"crv\":\"P-256\",\"x5t\":\"abc\",\"x5c\":[\"MII\"]," X "," Y),
        "{\"kty\":\"OKP\",\"alg\":\"EdDSA\",\"kid\":\"a\"," ED "}",
    };

    for (size_t i = 0; i < COUNT(good); i++) {
        char message[JWKS_MESSAGE_MAX];
        jwks *keys = read_one(good[i], message);

        cr_assert_not_null(keys, "%s: %s", good[i], message);
        cr_expect_eq(keys->secret, i == 0);
        cr_expect_not_null(jwks_find(keys, "a"));
        cr_expect_null(jwks_find(keys, "A"));
        cr_expect_null(jwks_find(keys, ""));
        jwks_free(keys);
    }
}

Test(jwks, bad_keys_are_refused_by_their_member)
{
    static const struct {
        const char *key, *word;
    } rows[] = {
        {"7", "keys[0]"},
        {"{}", "alg"},
        {"{\"kty\":\"oct\",\"kid\":\"a\"," SECRET "}", "alg"},
        {"{\"kty\":\"oct\",\"alg\":\"none\",\"kid\":\"a\"," SECRET "}", "alg"},
        {"{\"kty\":\"oct\",\"alg\":\"hs256\",\"kid\":\"a\"," SECRET "}", "alg"},
        {"{\"kty\":\"oct\",\"alg\":\"HS512\",\"kid\":\"a\"," SECRET "}", "alg"},
        {"{\"kty\":\"oct\",\"alg\":7,\"kid\":\"a\"," SECRET "}", "alg"},
        {"{\"alg\":\"HS256\",\"kid\":\"a\"," SECRET "}", "kty"},
        {"{\"kty\":\"OCT\",\"alg\":\"HS256\",\"kid\":\"a\"," SECRET "}", "kty"},
        {"{\"kty\":\"oct\",\"alg\":\"RS256\",\"kid\":\"a\"," SECRET "}", "kty"},
        {"{\"kty\":\"RSA\",\"alg\":\"HS256\",\"kid\":\"a\"," SECRET "}", "kty"},
        {"{\"kty\":\"EC\",\"alg\":\"EdDSA\",\"kid\":\"a\",\"crv\":\"P-256\"," X "," Y "}", "kty"},
        {"{\"kty\":\"oct\",\"alg\":\"HS256\"," SECRET "}", "kid"},
        {"{\"kty\":\"oct\",\"alg\":\"HS256\",\"kid\":\"\"," SECRET "}", "kid"},
        {"{\"kty\":\"oct\",\"alg\":\"HS256\",\"kid\":\"a b\"," SECRET "}", "kid"},
        {"{\"kty\":\"oct\",\"alg\":\"HS256\",\"kid\":\"a\",\"kid\":\"b\"," SECRET "}", "twice"},
        {OCT "," OCT, "keys[1].kid"},
        {"{\"kty\":\"oct\",\"alg\":\"HS256\",\"kid\":\"a\",\"use\":\"enc\"," SECRET "}", "use"},
        {"{\"kty\":\"oct\",\"alg\":\"HS256\",\"kid\":\"a\",\"key_ops\":[\"encrypt\"]," SECRET "}",
         "key_ops"},
        {"{\"kty\":\"oct\",\"alg\":\"HS256\",\"kid\":\"a\"}", "k: is missing"},
        {"{\"kty\":\"oct\",\"alg\":\"HS256\",\"kid\":\"a\",\"k\":\"\"}", "k: is empty"},
        {"{\"kty\":\"oct\",\"alg\":\"HS256\",\"kid\":\"a\",\"k\":\"c2hvcnQ\"}", "k: has 5 bytes"},
        {"{\"kty\":\"oct\",\"alg\":\"HS256\",\"kid\":\"a\",\"k\":"
         "\"a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=\"}",
         "k: must be base64url"},
        {EC("\"crv\":\"P-256\"," X "," Y ",\"d\":\""
            "AAAA"
            "\""),
         "d: is the private half"},
        {EC("\"crv\":\"P-256\"," X "," Y "," SECRET), "k: is the private half"},
        {EC(X "," Y), "crv"},
        {EC("\"crv\":\"P-384\"," X "," Y), "crv"},
        {EC("\"crv\":\"P-256\"," X), "y"},
        {EC("\"crv\":\"P-256\"," X ",\"y\":\"AAAA\""), "y"},
        {EC("\"crv\":\"P-256\"," X ",\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5aw\""),
         "no point"},
        {"{\"kty\":\"OKP\",\"alg\":\"EdDSA\",\"kid\":\"a\",\"crv\":\"X25519\",\"x\":"
         "\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}",
         "crv"},
        {"{\"kty\":\"OKP\",\"alg\":\"EdDSA\",\"kid\":\"a\",\"crv\":\"Ed25519\",\"x\":\"AAAA\"}",
         "x: must have 32"},
        {"{\"kty\":\"RSA\",\"alg\":\"RS256\",\"kid\":\"a\",\"e\":\"AQAB\"," SHORT_N "}",
         "bits; at least 2048"},
        {"{\"kty\":\"RSA\",\"alg\":\"RS256\",\"kid\":\"a\"," SHORT_N "}", "e"},
        {"{\"kty\":\"RSA\",\"alg\":\"PS256\",\"kid\":\"a\",\"e\":\"AQAB\"," SHORT_N "}", "alg"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        char message[JWKS_MESSAGE_MAX];

        cr_expect_null(read_one(rows[i].key, message), "%s", rows[i].key);
        cr_expect_not_null(strstr(message, rows[i].word), "%s: %s", rows[i].key, message);
        cr_expect_null(strstr(message, "a2tra2"), "a message never shows a secret: %s", message);
    }
}

Test(jwks, bad_sets)
{
    static const char *const texts[] = {"",
                                        " ",
                                        "{}",
                                        "[]",
                                        "{\"keys\":[]}",
                                        "{\"keys\":{}}",
                                        "{\"keys\":[" OCT "],\"keys\":[]}",
                                        "{\"keys\":[" OCT "]}x",
                                        "{\"keys\":[" OCT,
                                        "{\"keys\":[" OCT "],\"more\":1}",
                                        OCT};
    static char many[JWKS_KEYS_MAX * 128];
    char message[JWKS_MESSAGE_MAX];

    for (size_t i = 0; i < COUNT(texts); i++) {
        message[0] = '\0';
        cr_expect_null(jwks_read(texts[i], strlen(texts[i]), message), "%s", texts[i]);
        cr_expect_neq(message[0], '\0', "%s", texts[i]);
    }
    strcpy(many, "{\"keys\":[" OCT);
    for (int i = 0; i < JWKS_KEYS_MAX; i++)
        strcat(many, "," OCT);
    strcat(many, "]}");
    cr_expect_null(jwks_read(many, strlen(many), message));
    cr_expect_not_null(strstr(message, "1 to 64"), "%s", message);
}

/* ---- files ------------------------------------------------------------------------ */

static bool load(const char *path, char message[JWKS_MESSAGE_MAX])
{
    secret_file file;
    jwks *keys;

    message[0] = '\0';
    keys = jwks_load(path, &file, message);
    secret_file_unload(&file);
    jwks_free(keys);
    return keys != NULL;
}

static void write_file(const char *path, const char *content, mode_t mode)
{
    FILE *file = fopen(path, "w");

    cr_assert_not_null(file);
    fputs(content, file);
    fclose(file);
    cr_assert_eq(chmod(path, mode), 0);
}

Test(jwks, a_secret_is_for_us_alone)
{
    char folder[] = "/tmp/hedge-jwks-XXXXXX", path[64], link[64], message[JWKS_MESSAGE_MAX];
    static const char public_set[] = "{\"keys\":[" EC("\"crv\":\"P-256\"," X "," Y) "]}";

    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/keys.json", folder);
    snprintf(link, sizeof(link), "%s/link.json", folder);
    cr_assert_eq(symlink("keys.json", link), 0);
    for (mode_t mode = 0; mode <= 0777; mode++) {
        if ((mode & 0400) == 0) continue; /* root reads it all the same */
        write_file(path, "{\"keys\":[" OCT "]}", mode | 0600);
        cr_expect_eq(load(path, message), (mode & 06) == 0, "%04o: %s", mode, message);
        cr_expect_eq(load(link, message), (mode & 06) == 0, "%04o: %s", mode, message);
        if ((mode & 06) != 0) cr_expect_not_null(strstr(message, "chmod"), "%s", message);
        write_file(path, public_set, mode | 0600);
        cr_expect_eq(load(path, message), (mode & 002) == 0, "%04o: %s", mode, message);
    }
    unlink(path);
    cr_expect_not(load(path, message));
    cr_expect_not_null(strstr(message, "keys.json"), "%s", message);
    cr_expect_not(load(folder, message), "a folder");
    cr_assert_eq(mkfifo(path, 0600), 0);
    cr_expect_not(load(path, message), "a pipe, and it does not wait for a writer");
    unlink(path);
    unlink(link);
    rmdir(folder);
}

/* Only root can give files away. */
Test(jwks, whose_file_it_is)
{
    const uid_t us = geteuid(), other = 12345;
    char path[] = "/tmp/hedge-jwks-XXXXXX", reason[SETTING_MESSAGE_MAX];
    const int fd = mkstemp(path);
    secret_file file;

    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, "x", 1), 1);
    cr_assert(secret_file_load(path, 10, &file, reason), "%s", reason);
    cr_expect(file.kept);
    secret_file_unload(&file);
    if (us == 0) {
        cr_assert_eq(fchown(fd, other, 0), 0);
        cr_assert(secret_file_load(path, 10, &file, reason), "%s", reason);
        cr_expect_not(file.kept, "somebody else's");
        secret_file_unload(&file);
        cr_assert_eq(fchown(fd, 0, other), 0);
        cr_assert_eq(fchmod(fd, 0640), 0);
        cr_assert(secret_file_load(path, 10, &file, reason), "%s", reason);
        cr_expect_not(file.kept, "another's group");
        secret_file_unload(&file);
    }
    cr_expect_not(secret_file_load(path, 0, &file, reason), "larger than is wanted");
    close(fd);
    unlink(path);
}

/* ---- scopes ---------- ---------------------------------------------------------- */

Test(jwks, a_scope_that_is_missing_is_named)
{
    static const char *const names[] = {"size", "override", "quote", "read", "admin", "halt"};

    for (uint32_t i = 0; i < 6; i++) {
        auth_caller caller = {.scopes = AUTH_ALL & ~(UINT32_C(1) << i)};
        problem p = {0};

        cr_expect_eq(auth_scope(names[i], strlen(names[i])), UINT32_C(1) << i);
        cr_expect_not(auth_may(&caller, UINT32_C(1) << i, &p));
        cr_expect_eq(p.status, 403);
        cr_expect_not_null(strstr(p.detail, names[i]));
        cr_expect_not_null(strstr(p.authenticate, names[i]));
        caller.scopes = UINT32_C(1) << i;
        cr_expect(auth_may(&caller, UINT32_C(1) << i, &p));
    }
}
