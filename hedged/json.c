/* SPDX-License-Identifier: MIT
 * json: strict reading of small JSON objects from strangers. */
#include "json.h"

#include "text.h"

#include <errno.h>
#include <math.h>
#include <string.h>

/* ---- the gate: every token is well-formed (RFC 8259) --------------------- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int hex_value(char c)
{
    if (is_digit(c)) return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* Four hexadecimal digits, or -1. */
static int hex4(const char *at)
{
    int v = 0;

    for (int i = 0; i < 4; i++) {
        const int digit = hex_value(at[i]);

        if (digit < 0) return -1;
        v = v * 16 + digit;
    }
    return v;
}

/* at is behind the backslash; NULL: not an escape. A surrogate must come in a
 * pair, and NUL is refused, because it would end a C string early. */
static const char *scan_escape(const char *at)
{
    int unit;

    if (*at != 'u') return *at != '\0' && strchr("\"\\/bfnrt", *at) != NULL ? at + 1 : NULL;
    unit = hex4(at + 1);
    if (unit <= 0 || (unit >= 0xdc00 && unit <= 0xdfff)) return NULL;
    at += 5;
    if (unit < 0xd800 || unit > 0xdbff) return at;
    if (at[0] != '\\' || at[1] != 'u') return NULL;
    unit = hex4(at + 2);
    return unit >= 0xdc00 && unit <= 0xdfff ? at + 6 : NULL;
}

static const char *scan_string(const char *at)
{
    at++;
    while (*at != '"') {
        const size_t n = text_utf8_length((const unsigned char *)at);

        if (n == 0 || (unsigned char)*at < 0x20) return NULL;
        if (*at == '\\') {
            at = scan_escape(at + 1);
            if (at == NULL) return NULL;
        } else {
            at += n;
        }
    }
    return at + 1;
}

static const char *scan_digits(const char *at)
{
    if (!is_digit(*at)) return NULL;
    while (is_digit(*at))
        at++;
    return at;
}

static const char *scan_number(const char *at)
{
    if (*at == '-') at++;
    at = *at == '0' ? at + 1 : scan_digits(at);
    if (at != NULL && *at == '.') at = scan_digits(at + 1);
    if (at != NULL && (*at == 'e' || *at == 'E')) {
        at++;
        if (*at == '+' || *at == '-') at++;
        at = scan_digits(at);
    }
    /* A digit right behind a number would be a leading zero's victim: 01. */
    return at != NULL && !is_digit(*at) ? at : NULL;
}

static const char *scan_word(const char *at)
{
    static const char *const words[] = {"true", "false", "null"};

    for (size_t i = 0; i < 3; i++)
        if (strncmp(at, words[i], strlen(words[i])) == 0) return at + strlen(words[i]);
    return NULL;
}

static const char *scan_token(const char *at, int *depth)
{
    switch (*at) {
    case '{':
    case '[':
        return ++*depth <= JSON_DEPTH_MAX ? at + 1 : NULL;
    case '}':
    case ']':
        --*depth;
        return at + 1;
    case ':':
    case ',':
    case ' ':
    case '\t':
    case '\r':
    case '\n':
        return at + 1;
    case '"':
        return scan_string(at);
    default:
        return *at == '-' || is_digit(*at) ? scan_number(at) : scan_word(at);
    }
}

static bool gate(const char *bytes, size_t n, problem *p)
{
    const char *at = bytes;
    int depth = 0, tokens = 0;

    while (at < bytes + n) {
        const char *next = scan_token(at, &depth);

        /* Each becomes a node of the tree, many times its own size. */
        if (strchr("}]:, \t\r\n", *at) == NULL && ++tokens > JSON_TOKENS_MAX)
            return problem_set(p, 400, "bad_json", NULL, "more than %d names and values",
                               JSON_TOKENS_MAX);

        if (next == NULL && depth > JSON_DEPTH_MAX)
            return problem_set(p, 400, "bad_json", NULL, "nested deeper than %d levels",
                               JSON_DEPTH_MAX);
        if (next == NULL || next > bytes + n)
            return problem_set(p, 400, "bad_json", NULL, "not JSON at byte %zu of the body",
                               (size_t)(at - bytes) + 1);
        at = next;
    }
    return true;
}

cJSON *json_read_object(const char *bytes, size_t n, problem *p)
{
    const char *end = NULL;
    cJSON *tree;

    if (n == 0) {
        problem_set(p, 400, "bad_json", NULL, "the body is empty; a JSON object is wanted");
        return NULL;
    }
    if (!gate(bytes, n, p)) return NULL;
    errno = 0;
    tree = cJSON_ParseWithLengthOpts(bytes, n + 1, &end, 1);
    if (tree == NULL && errno == ENOMEM) { /* it does not say so itself */
        problem_set(p, 503, "out_of_memory", NULL, "no memory to read the body");
        p->retry_after_s = 1;
        return NULL;
    }
    if (tree == NULL) {
        problem_set(p, 400, "bad_json", NULL, "not JSON at byte %zu of the body",
                    end != NULL ? (size_t)(end - bytes) + 1 : 1);
        return NULL;
    }
    if (!cJSON_IsObject(tree)) {
        problem_set(p, 400, "bad_json", NULL, "a JSON object is wanted");
        cJSON_Delete(tree);
        return NULL;
    }
    return tree;
}

/* ---- members -------------------------------------------------------------- */

bool json_check_members(const cJSON *object, const char *const *names, problem *p)
{
    uint32_t seen = 0;

    for (const cJSON *member = object->child; member != NULL; member = member->next) {
        uint32_t i = 0;

        while (names[i] != NULL && strcmp(names[i], member->string) != 0)
            i++;
        if (names[i] == NULL)
            return problem_set(p, 400, "bad_member", member->string, "unknown member");
        if (seen & UINT32_C(1) << i)
            return problem_set(p, 400, "bad_member", member->string, "the member is there twice");
        seen |= UINT32_C(1) << i;
    }
    return true;
}

bool json_number(const cJSON *object, const char *name, bool *given, double *out, problem *p)
{
    const cJSON *member = cJSON_GetObjectItemCaseSensitive(object, name);

    if (given != NULL) *given = member != NULL;
    if (member == NULL)
        return given != NULL ||
               problem_set(p, 422, "bad_value", name, "missing; a number is wanted");
    if (!cJSON_IsNumber(member)) return problem_set(p, 422, "bad_value", name, "must be a number");
    if (!isfinite(member->valuedouble))
        return problem_set(p, 400, "bad_json", name, "larger than any number this API takes");
    *out = member->valuedouble;
    return true;
}

bool json_string(const cJSON *object, const char *name, const char **out, problem *p)
{
    const cJSON *member = cJSON_GetObjectItemCaseSensitive(object, name);

    if (member == NULL) return problem_set(p, 422, "bad_value", name, "missing; a text is wanted");
    if (!cJSON_IsString(member)) return problem_set(p, 422, "bad_value", name, "must be a text");
    *out = member->valuestring;
    return true;
}
