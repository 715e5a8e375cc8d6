/* SPDX-License-Identifier: MIT
 * token_show.c: `hedge token show`, what a token says. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "command.h"
#include "options.h"
#include "plain.h"
#include "strict_json.h"
#include "token.h"
#include "token_base64.h"

enum { TOKEN_MAX = 8192 };

static int refuse(const char *words)
{
    fprintf(stderr, "hedge token: %s\n", words);
    return RESULT_BAD_DATA;
}

/* What a segment holds; NULL: no strict JSON object. */
static cJSON *read_segment(const char *from, size_t n)
{
    char text[TOKEN_MAX];
    bytes b = {.at = text};
    const char *what;

    if (!token_base64_decode(from, n, (uint8_t *)text, sizeof text, &b.n)) return NULL;
    return strict_json_object(&b, &what);
}

/* Strings as they are would let a token write on the terminal. */
static void print_member(const cJSON *member)
{
    char *text = cJSON_PrintUnformatted(member);

    printf("  %-6s %s\n", plain(member->string), text != NULL ? plain(text) : "?");
    cJSON_free(text);
}

static void print_dates(const cJSON *claims)
{
    const cJSON *exp = cJSON_GetObjectItemCaseSensitive(claims, "exp");
    const double now_s = (double)time(NULL);

    if (!cJSON_IsNumber(exp)) return;
    if (exp->valuedouble > now_s)
        printf("good for %.0f s more, if the signature is\n", exp->valuedouble - now_s);
    else
        printf("expired %.0f s ago\n", now_s - exp->valuedouble);
}

static int show(const char *token, size_t n)
{
    const char *first = memchr(token, '.', n);
    const char *second =
        first != NULL ? memchr(first + 1, '.', n - (size_t)(first + 1 - token)) : NULL;
    cJSON *header, *claims;
    const cJSON *member;

    if (second == NULL) return refuse("that is no token: it has not three parts with . between");
    header = read_segment(token, (size_t)(first - token));
    claims = read_segment(first + 1, (size_t)(second - first - 1));
    if (header == NULL || claims == NULL) {
        cJSON_Delete(header);
        cJSON_Delete(claims);
        return refuse("that is no token: header or claims are not one JSON object in base64url");
    }
    puts("header");
    cJSON_ArrayForEach(member, header) print_member(member);
    puts("claims");
    cJSON_ArrayForEach(member, claims) print_member(member);
    print_dates(claims);
    puts("the signature was not checked: anybody can write this");
    cJSON_Delete(header);
    cJSON_Delete(claims);
    return RESULT_OK;
}

int token_run_show(const command *self, int argc, char **argv)
{
    char token[TOKEN_MAX + 2];
    size_t n;
    int result;

    if (!options_read(self, NULL, 0, &argc, argv, &result)) return result;
    if (argc > 0)
        return usage_error(self, "the token comes from stdin: arguments are seen by everybody");
    n = fread(token, 1, sizeof token, stdin);
    while (n > 0 && strchr(" \r\n\t", token[n - 1]) != NULL)
        n--;
    if (n > TOKEN_MAX) return refuse("that is no token: it has over 8192 bytes");
    return show(token, n);
}
