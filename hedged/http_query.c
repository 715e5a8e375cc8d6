/* SPDX-License-Identifier: MIT
 * http_query: the parameters behind the question mark. */
#include "http.h"

#include <civetweb.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int http_query(const http_request *request, const char *name, char *out, size_t capacity)
{
    int n;

    if (request->query == NULL) return 0;
    n = mg_get_var(request->query, strlen(request->query), name, out, capacity);
    if (n == -1) return 0;
    return n >= 0 ? 1 : -1;
}

bool http_query_number(const http_request *request, const char *name, uint64_t least, uint64_t most,
                       uint64_t *out, problem *p)
{
    char value[24];
    const int found = http_query(request, name, value, sizeof(value));
    char *end = value;
    uint64_t v;

    if (found == 0) return true;
    v = found > 0 ? strtoull(value, &end, 10) : 0;
    if (found < 0 || value[0] < '0' || value[0] > '9' || *end != '\0' || v < least || v > most)
        return problem_set(p, 400, "bad_query", name,
                           "must be a whole number from %" PRIu64 " to %" PRIu64, least, most);
    *out = v;
    return true;
}

bool http_query_known(const http_request *request, const char *const *names, problem *p)
{
    const char *at = request->query;
    uint32_t seen = 0;

    while (at != NULL && *at != '\0') {
        const size_t n = strcspn(at, "=&");
        uint32_t i = 0;

        while (names[i] != NULL && (strlen(names[i]) != n || strncmp(names[i], at, n) != 0))
            i++;
        if (names[i] == NULL || (seen & UINT32_C(1) << i) || at[n] != '=') {
            char name[64];

            snprintf(name, sizeof(name), "%.*s", (int)(n < 60 ? n : 60), at);
            return problem_set(p, 400, "bad_query", name, "%s",
                               names[i] == NULL ? "unknown parameter"
                               : at[n] != '='   ? "the parameter has no value"
                                                : "the parameter is there twice");
        }
        seen |= UINT32_C(1) << i;
        at += strcspn(at, "&");
        if (*at == '&') at++;
    }
    return true;
}
