/* SPDX-License-Identifier: MIT
 * token_sign.c: `hedge token sign`, prints a token. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "command.h"
#include "json.h"
#include "options.h"
#include "token.h"
#include "token_base64.h"
#include "token_key.h"

enum { SUB_MAX = 127, SECONDS_MAX = 366 * 86400 };

typedef struct wanted {
    const char *key, *sub, *scope, *iss, *aud, *lasts;
    long seconds;
} wanted;

static bool is_plain(const char *text)
{
    for (const char *c = text; *c != '\0'; c++)
        if (*c <= ' ' || *c > '~') return false;
    return text[0] != '\0';
}

/* 90s, 30m, 8h, 30d */
static bool read_seconds(const char *text, long *out)
{
    static const char units[] = "smhd";
    static const long of[] = {1, 60, 3600, 86400};
    char *end;
    const char *unit;

    if (text[0] < '0' || text[0] > '9') return false;
    *out = strtol(text, &end, 10);
    unit = end[0] != '\0' && end[1] == '\0' ? strchr(units, end[0]) : NULL;
    if (unit == NULL || *out < 1 || *out > SECONDS_MAX / of[unit - units]) return false;
    *out *= of[unit - units];
    return true;
}

/* A misspelt scope would be a token that may nothing. */
static int check_scopes(const command *self, const char *scope)
{
    static const char *const names[] = {"size", "override", "quote", "read", "admin", "halt"};
    size_t words = 0;

    for (const char *at = scope + strspn(scope, " "); *at != '\0'; words++) {
        const size_t n = strcspn(at, " ");
        char word[32] = "";
        const char *near;
        bool known = false;

        for (size_t i = 0; i < 6; i++)
            known |= strlen(names[i]) == n && memcmp(at, names[i], n) == 0;
        if (!known) {
            snprintf(word, sizeof word, "%.*s", (int)(n < 31 ? n : 31), at);
            near = nearest_name(word, names, 6);
            return usage_error(self, "--scope: there is no '%s'; %s%s%s", word,
                               near != NULL ? "did you mean '"
                                            : "there are size, override, quote, "
                                              "read, admin, halt",
                               near != NULL ? near : "", near != NULL ? "'?" : "");
        }
        at += n;
        at += strspn(at, " ");
    }
    return words > 0 ? RESULT_OK : usage_error(self, "--scope is empty");
}

static int check(const command *self, wanted *w)
{
    const char *const given[] = {w->key, w->sub, w->scope, w->iss, w->aud};
    static const char *const names[] = {"key", "sub", "scope", "iss", "aud"};

    for (size_t i = 0; i < 5; i++)
        if (given[i] == NULL || given[i][0] == '\0')
            return usage_error(self, "--%s is missing", names[i]);
    if (!is_plain(w->sub) || strlen(w->sub) > SUB_MAX)
        return usage_error(self, "--sub: must be 1 to %d visible ASCII characters", SUB_MAX);
    if (!read_seconds(w->lasts, &w->seconds))
        return usage_error(self, "--for %s: must be a time such as 90s, 30m, 8h, 30d, 366d at most",
                           w->lasts);
    return check_scopes(self, w->scope);
}

/* One JSON object as a segment. */
static bool put_segment(bytes *out, char *text, size_t n)
{
    const bool good = text != NULL && token_base64_append(out, (const uint8_t *)text, n);

    free(text);
    return good;
}

static bool put_header(const token_key *k, bytes *out)
{
    char *text = NULL;
    size_t n = 0;
    json j = {open_memstream(&text, &n), false};

    if (j.out == NULL) return false;
    json_open_object(&j, NULL);
    json_text(&j, "alg", k->alg);
    json_text(&j, "kid", k->kid);
    json_text(&j, "typ", "at+jwt");
    json_close_object(&j);
    fclose(j.out);
    return put_segment(out, text, n);
}

static bool put_claims(const wanted *w, bytes *out)
{
    const int64_t now_s = (int64_t)time(NULL);
    char *text = NULL;
    size_t n = 0;
    json j = {open_memstream(&text, &n), false};

    if (j.out == NULL) return false;
    json_open_object(&j, NULL);
    json_text(&j, "iss", w->iss);
    json_text(&j, "aud", w->aud);
    json_text(&j, "sub", w->sub);
    json_text(&j, "scope", w->scope);
    json_integer(&j, "iat", now_s);
    json_integer(&j, "exp", now_s + w->seconds);
    json_close_object(&j);
    fclose(j.out);
    return put_segment(out, text, n);
}

int token_run_sign(const command *self, int argc, char **argv)
{
    wanted w = {.lasts = "1h"};
    const option options[] = {
        {.name = "key", .value = &w.key},     {.name = "sub", .value = &w.sub},
        {.name = "scope", .value = &w.scope}, {.name = "iss", .value = &w.iss},
        {.name = "aud", .value = &w.aud},     {.name = "for", .value = &w.lasts}};
    char message[TOKEN_KEY_MESSAGE_MAX];
    bytes token = {0};
    token_key key;
    int result;
    bool good;

    if (!options_read(self, options, 6, &argc, argv, &result)) return result;
    if (argc > 0) return usage_error(self, "what is '%s' for?", argv[0]);
    result = check(self, &w);
    if (result != RESULT_OK) return result;
    if (!token_key_load(&key, w.key, message)) {
        fprintf(stderr, "hedge token: %s\n", message);
        return RESULT_USAGE;
    }
    good = put_header(&key, &token) && bytes_append(&token, ".", 1) && put_claims(&w, &token) &&
           bytes_reserve(&token, 2048); /* what is signed must not move while it is */
    if (good) {
        const size_t n = token.n;

        token.at[token.n++] = '.';
        good = token_key_sign(&key, token.at, n, &token);
    }
    token_key_free(&key);
    if (good)
        printf("%.*s\n", (int)token.n, token.at);
    else
        fputs("hedge token: the key does not sign\n", stderr);
    bytes_free(&token);
    return good ? RESULT_OK : RESULT_BAD_DATA;
}
