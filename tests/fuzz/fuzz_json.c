/* SPDX-License-Identifier: MIT
 * fuzz_json: any bytes as the body, the query and the Idempotency-Key of a
 * request, through the daemon's own handlers.
 *
 * The input: a line `METHOD PATH?QUERY`, a line that is the Idempotency-Key
 * (empty: none), and the body. For GET /decisions the body is the record that
 * the journal holds. */
#include "fuzz.h"
#include "fuzz_app.h"
#include "fuzz_market.h"
#include "strict.h"

#include "json.h"

#include <civetweb.h>

/* The daemon's reader and another one say the same of every body, but for
 * numbers of more than 63 characters: some releases of cJSON do not take them. */
static void check_reading(const char *body, size_t n)
{
    problem p;
    cJSON *tree = json_read_object(body, n, &p);

    REQUIRE(tree == NULL || strict_object(body, n, JSON_DEPTH_MAX, SIZE_MAX));
    REQUIRE(tree != NULL || !strict_object(body, n, JSON_DEPTH_MAX, 63));
    if (tree == NULL) REQUIRE(p.status == 400 && strcmp(p.code, "bad_json") == 0);
    cJSON_Delete(tree);
}

/* As the server does it; what it would not give to the handler is false. */
static bool take_name(const http_route *route, const char *path, char name[HTTP_NAME_MAX])
{
    const char *brace = strchr(route->path, '{');
    const size_t prefix = brace != NULL ? (size_t)(brace - route->path) : 0;
    int n;

    name[0] = '\0';
    if (brace == NULL) return strcmp(route->path, path) == 0;
    if (strncmp(route->path, path, prefix) != 0 || path[prefix] == '\0') return false;
    if (strchr(path + prefix, '/') != NULL) return false;
    n = mg_url_decode(path + prefix, (int)strlen(path + prefix), name, HTTP_NAME_MAX, 0);
    return n >= 0 && strlen(name) == (size_t)n;
}

static const http_route *find(const char *method, const char *path, char name[HTTP_NAME_MAX])
{
    static const http_route *served;
    static size_t n;

    if (served == NULL) served = fuzz_app_routes(&n);
    for (size_t i = 0; i < n; i++)
        if (strcmp(served[i].method, method) == 0 && take_name(&served[i], path, name))
            return &served[i];
    return NULL;
}

static void ask(app *a, const http_route *route, http_request *request)
{
    http_reply reply = {.status = 200, .content_type = "application/json"};

    route->handle(a, request, &reply);
    REQUIRE(!reply.body.failed && reply.body.n > 0);
    REQUIRE(reply.status == 200 || reply.status == 400 || reply.status == 404 ||
            reply.status == 409 || reply.status == 422 || reply.status == 503);
    fuzz_app_check_reply(reply.status, reply.content_type, reply.body.bytes, reply.body.n);
    text_free(&reply.body);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    fuzz_input in = {bytes, n};
    char *line = fuzz_text(fuzz_take_until(&in, "\n"));
    char *key = fuzz_text(fuzz_take_until(&in, "\n"));
    char *body = fuzz_text(in), *path = strchr(line, ' '), *query = strchr(line, '?');
    app *a = fuzz_app_empty();
    http_request request = {.body = body, .body_size = in.left, .query = query ? query + 1 : NULL};
    const http_route *route = NULL;

    if (path != NULL) *path++ = '\0';
    if (query != NULL) *query = '\0';
    if (path != NULL) route = find(line, path, request.name);
    request.caller.scopes = AUTH_ALL;
    check_reading(body, in.left);
    if (route != NULL) {
        if (route->keyed && key[0] != '\0') request.idempotency_key = key;
        if (!route->body) {
            fuzz_app_set_row(in.at, in.left);
            request.body_size = 0;
        }
        ask(a, route, &request);
        /* Once more: a key is answered again, a quote is not older than itself. */
        if (route->keyed || route->body) ask(a, route, &request);
        fuzz_market_check();
    }
    free(line);
    free(key);
    free(body);
    return 0;
}
