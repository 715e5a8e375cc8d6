/* SPDX-License-Identifier: MIT
 * http_wire: whether a request's head is, byte for byte, what RFC 9112 has.
 *
 * civetweb takes much that it should not, and tells nobody: a line that begins
 * with a space ends the headers for it, so does the 64th, and what follows is
 * never looked at; a line may end with LF alone, and spaces may stand before a
 * colon or be doubled in the request line.
 *
 * What this relies on, in 1.15 and 1.16: method, target, version, names and
 * values point into the buffer that the head was received in, where the parser
 * has put NULs over the delimiters and changed nothing else. So a good head is
 * the one whose parts lie in the buffer without a gap but for these NULs. (The
 * parser rejects every control character but CR and LF beforehand, and the CR in
 * front of the last LF stays.) Anything else is refused, and so would be all
 * requests if that ceased to be so.
 *
 * What cannot be seen: which two of CR, LF and space ended the request line. */
#include "http_wire.h"

#include "hex.h"
#include "http_receive.h"

#include <civetweb.h>
#include <string.h>

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"
#define TOKEN LETTERS DIGITS "!#$%&'*+-.^_`|~"
/* RFC 3986: what stands in a path or a query as it is; % is looked at apart. */
#define TARGET LETTERS DIGITS "-._~!$&'()*+,;=:@/?%"

static bool bad(problem *p, const char *detail)
{
    return problem_set(p, 400, "bad_request", NULL, "%s", detail);
}

/* Where a line ended with two bytes. */
static bool is_line_end(const char *at)
{
    return at[0] == '\0' && at[1] == '\0';
}

static bool is_token(const char *word)
{
    return word[0] != '\0' && word[strspn(word, TOKEN)] == '\0';
}

/* The start of the first header; NULL: the request line is malformed. */
static const char *check_request_line(const struct mg_request_info *info)
{
    const char *target = info->request_uri, *end, *version;

    if (!is_token(info->request_method)) return NULL;
    if (target != info->request_method + strlen(info->request_method) + 1) return NULL;
    end = target + strlen(target);
    if (info->query_string != NULL) { /* a NUL took the place of the question mark */
        if (info->query_string != end + 1) return NULL;
        end += 1 + strlen(info->query_string);
    }
    version = info->http_version; /* the digits alone */
    if (version != end + 1 + strlen("HTTP/")) return NULL;
    if (strcmp(version, "1.1") != 0 && strcmp(version, "1.0") != 0) return NULL;
    return is_line_end(version + 3) ? version + 5 : NULL;
}

/* The start of the line behind a header; NULL: it is malformed. */
static const char *check_header(const struct mg_header *header, const char *begin)
{
    const char *at = begin;

    if (header->name != begin || !is_token(header->name)) return NULL;
    at += strlen(header->name) + 1; /* behind the colon */
    while (at < header->value && *at == ' ')
        at++;
    if (at != header->value) return NULL;
    for (; *at != '\0'; at++)
        if ((unsigned char)*at < ' ' || *at == 127) return NULL;
    return is_line_end(at) ? at + 2 : NULL;
}

static bool is_escaped_well(const char *at)
{
    for (; *at != '\0'; at++) {
        if (*at != '%') continue;
        if (hex_digit(at[1]) < 0 || hex_digit(at[2]) < 0) return false;
        if (at[1] == '0' && at[2] == '0') return false;
        at += 2;
    }
    return true;
}

/* The authority of an absolute target has to be the Host. */
static bool is_for_host(const struct mg_request_info *info)
{
    const char *authority = strstr(info->request_uri, "://");
    size_t n;

    if (info->local_uri_raw == info->request_uri) return true;
    if (authority == NULL) return false;
    authority += 3;
    n = strcspn(authority, "/");
    for (int i = 0; i < info->num_headers; i++)
        if (mg_strcasecmp(info->http_headers[i].name, "Host") == 0)
            return strlen(info->http_headers[i].value) == n &&
                   mg_strncasecmp(info->http_headers[i].value, authority, n) == 0;
    return false;
}

static bool check_target(const struct mg_request_info *info, problem *p)
{
    const char *path = info->local_uri_raw, *query = info->query_string;

    if (path == NULL || path[0] != '/') return bad(p, "the target must be a path");
    if (!is_for_host(info)) return bad(p, "the target names another host than Host does");
    if (path[strspn(path, TARGET)] != '\0' ||
        (query != NULL && query[strspn(query, TARGET)] != '\0'))
        return bad(p, "the target has a character that must be written %XX");
    if (!is_escaped_well(path) || (query != NULL && !is_escaped_well(query)))
        return bad(p, "the target has a % without two hexadecimal digits, or %00");
    return true;
}

bool http_wire_check(const struct mg_request_info *info, problem *p)
{
    const char *at = check_request_line(info), *start = http_receive_start();

    if (start != NULL && info->request_method != start)
        return bad(p, "there are blanks in front of the request line");
    if (at == NULL) return bad(p, "the request line is malformed");
    for (int i = 0; i < info->num_headers; i++) {
        at = check_header(&info->http_headers[i], at);
        if (at == NULL) return bad(p, "a header is malformed");
    }
    /* The blank line; where there are no headers, it was taken for spaces. */
    if (info->num_headers > 0 ? at[0] == '\r' && at[1] == '\0' : is_line_end(at))
        return check_target(info, p);
    if (info->num_headers == MG_MAX_HEADERS)
        return problem_set(p, 431, "too_many_headers", NULL, "a request may have %d headers",
                           MG_MAX_HEADERS);
    return bad(p, "a header is malformed");
}
