/* SPDX-License-Identifier: MIT
 * token_keys.c: `hedge token keys`, makes a key to sign with and the set to check with. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "options.h"
#include "token.h"
#include "token_key.h"

enum { PATH_MOST = 4096 };

/* It becomes part of a file's name. */
static bool is_kid(const char *kid)
{
    static const char fine[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._";
    const size_t n = strlen(kid);

    return n >= 1 && n <= TOKEN_KID_MAX && strspn(kid, fine) == n && kid[0] != '.' && kid[0] != '-';
}

/* Into a new file, or not at all: a key that is in use is never written over. */
static bool write_new(const char *path, mode_t mode, const bytes *text)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    bool good;

    if (fd < 0) {
        fprintf(stderr, "hedge token: cannot make %s: %s\n", path, strerror(errno));
        return false;
    }
    good = write(fd, text->at, text->n) == (ssize_t)text->n && fsync(fd) == 0;
    good = close(fd) == 0 && good;
    if (good) return true;
    fprintf(stderr, "hedge token: cannot write %s: %s\n", path, strerror(errno));
    unlink(path);
    return false;
}

static bool put_set(const token_key *k, bytes *out)
{
    return bytes_append(out, "{\"keys\":[", 9) && token_key_write(k, false, out) &&
           bytes_append(out, "]}\n", 3);
}

static bool put_private(const token_key *k, bytes *out)
{
    return token_key_write(k, true, out) && bytes_append(out, "\n", 1);
}

static void wipe(bytes *text)
{
    if (text->at != NULL) OPENSSL_cleanse(text->at, text->capacity);
    bytes_free(text);
}

static int write_files(const token_key *k, const char *folder)
{
    const bool one = k->pair == NULL;
    char set_path[PATH_MOST], key_path[PATH_MOST];
    bytes set = {0}, key = {0};
    int result = RESULT_USAGE;

    snprintf(set_path, sizeof set_path, "%s/%s.jwks.json", folder, k->kid);
    snprintf(key_path, sizeof key_path, "%s/%s.key.json", folder, k->kid);
    if (!put_set(k, &set) || (!one && !put_private(k, &key))) {
        fputs("hedge token: out of memory\n", stderr);
    } else if (one || write_new(key_path, 0600, &key)) {
        if (write_new(set_path, one ? 0600 : 0644, &set))
            result = RESULT_OK;
        else if (!one)
            unlink(key_path);
    }
    wipe(&set);
    wipe(&key);
    if (result != RESULT_OK) return result;
    if (one)
        printf("%s\n  signs tokens (hedge token sign --key) and checks them (HEDGE_JWT_KEYS): "
               "keep it secret\n",
               set_path);
    else
        printf("%s\n  signs tokens (hedge token sign --key): keep it secret, and from the daemon\n"
               "%s\n  checks them (HEDGE_JWT_KEYS)\n",
               key_path, set_path);
    return RESULT_OK;
}

int token_run_keys(const command *self, int argc, char **argv)
{
    const char *alg = "ES256", *kid = NULL, *folder = ".", *known = NULL;
    const option options[] = {{.name = "alg", .value = &alg},
                              {.name = "kid", .value = &kid},
                              {.name = "out", .value = &folder}};
    token_key key;
    int result;

    if (!options_read(self, options, 3, &argc, argv, &result)) return result;
    if (argc > 0) return usage_error(self, "what is '%s' for?", argv[0]);
    for (const char *const *a = token_key_algs; *a != NULL; a++)
        if (strcmp(*a, alg) == 0) known = *a;
    if (known == NULL)
        return usage_error(self, "--alg %s: must be ES256, EdDSA, RS256 or HS256", alg);
    if (kid == NULL) return usage_error(self, "--kid is missing: a name for the key");
    if (!is_kid(kid))
        return usage_error(self, "--kid %s: must be 1 to %d letters, digits, - . or _", kid,
                           TOKEN_KID_MAX);
    if (strlen(folder) > PATH_MOST - TOKEN_KID_MAX - 16)
        return usage_error(self, "--out: the path is too long");
    if (!token_key_draw(&key, known, kid)) {
        token_key_free(&key);
        fputs("hedge token: no key could be drawn\n", stderr);
        return RESULT_USAGE;
    }
    result = write_files(&key, folder);
    token_key_free(&key);
    return result;
}
