/* SPDX-License-Identifier: MIT
 * auth: who asks, and what they may. */
#include "auth.h"

#include "clock.h"
#include "key_ring.h"
#include "log.h"
#include "metrics.h"
#include "rate.h"
#include "settings_jwt.h"

#include <openssl/crypto.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ROUTE_MAX 64 /* a method and a path of ours */

struct auth {
    jwt_rules rules;
    key_ring *ring;
    rate *rate;                       /* NULL: no limit */
    atomic_ullong faults[JWT_FAULTS]; /* JWT_GOOD: tokens that were good */
    atomic_ullong missing, forbidden, limited, remembered;
};

/* ---- scopes ---------------------------------------------------------------------- */

#define SCOPE(bit, name)                                                                           \
    {                                                                                              \
        bit, name, "Bearer realm=\"hedged\", error=\"insufficient_scope\", scope=\"" name "\""     \
    }

static const struct {
    uint32_t bit;
    const char *name, *challenge;
} scopes[] = {
    SCOPE(AUTH_SIZE, "size"), SCOPE(AUTH_OVERRIDE, "override"), SCOPE(AUTH_QUOTE, "quote"),
    SCOPE(AUTH_READ, "read"), SCOPE(AUTH_ADMIN, "admin"),       SCOPE(AUTH_HALT, "halt"),
};
enum { SCOPES = sizeof(scopes) / sizeof(scopes[0]) };

uint32_t auth_scope(const char *name, size_t n)
{
    for (size_t i = 0; i < SCOPES; i++)
        if (strlen(scopes[i].name) == n && memcmp(scopes[i].name, name, n) == 0)
            return scopes[i].bit;
    return 0;
}

bool auth_may(const auth_caller *caller, uint32_t scope, problem *p)
{
    size_t i = 0;

    if ((caller->scopes & scope) == scope) return true;
    while (i < SCOPES - 1 && scopes[i].bit != scope)
        i++;
    problem_set(p, 403, "forbidden", NULL, "the token lacks the scope %s", scopes[i].name);
    p->authenticate = scopes[i].challenge;
    return false;
}

/* ---- asking ------------------------------------------------------------------------ */

static void count(atomic_ullong *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* The token of a bearer; NULL: the header is of another scheme, or not there. */
static const char *read_bearer(const char *authorization, size_t *n)
{
    static const char scheme[] = "Bearer ";

    if (authorization == NULL || strncasecmp(authorization, scheme, sizeof(scheme) - 1) != 0)
        return NULL;
    authorization += sizeof(scheme) - 1;
    authorization += strspn(authorization, " ");
    *n = strlen(authorization);
    return authorization;
}

static bool refuse_missing(auth *a, problem *p)
{
    count(&a->missing);
    problem_set(p, 401, "unauthorized", NULL,
                "a token is wanted, in a header Authorization: Bearer TOKEN");
    p->authenticate = "Bearer realm=\"hedged\""; /* RFC 6750, 3.1: no error, for none was made */
    return false;
}

static void write_route(char out[ROUTE_MAX], const auth_place *at)
{
    snprintf(out, ROUTE_MAX, "%s %s", at->method, at->path);
}

/* Not the caller's fault, who may have a good token and would throw it away. */
static bool refuse_unread(problem *p)
{
    problem_set(p, 503, "out_of_memory", NULL, "%s", jwt_fault_words(JWT_MEMORY));
    p->retry_after_s = 1;
    return false;
}

static bool refuse_token(auth *a, const auth_place *at, jwt_fault fault, problem *p)
{
    char route[ROUTE_MAX];

    count(&a->faults[fault]);
    if (fault == JWT_MEMORY) return refuse_unread(p);
    write_route(route, at);
    LOG(LOG_WARN, "unauthorized", LOG_TEXT("reason", jwt_fault_name(fault)),
        LOG_TEXT("route", route), LOG_TEXT("peer", at->peer));
    problem_set(p, 401, "unauthorized", NULL, "%s", jwt_fault_words(fault));
    p->authenticate = jwt_fault_challenge(fault);
    return false;
}

/* What the token says, from its signature or from memory. */
static jwt_fault verify(auth *a, const char *token, size_t n, jwt_claims *claims)
{
    const double now_s = (double)clock_wall_ns() / NS_PER_S;
    key_set *set = key_ring_acquire(a->ring);
    uint8_t id[TOKEN_ID_SIZE];
    jwt_fault fault = JWT_FORM;

    if (n <= JWT_BYTES_MAX) {
        token_cache_id(token, n, id);
        if (token_cache_find(set->verified, id, claims)) {
            count(&a->remembered);
            fault = jwt_check_time(claims, &a->rules, now_s);
        } else {
            fault = jwt_verify(token, n, set->keys, &a->rules, now_s, claims);
            if (fault == JWT_GOOD) token_cache_put(set->verified, id, claims);
        }
    }
    key_ring_release(set);
    return fault;
}

static bool check_rate(auth *a, const auth_caller *caller, problem *p)
{
    const int64_t wait_ns =
        a->rate != NULL ? rate_take(a->rate, caller->name, clock_steady_ns()) : 0;

    if (wait_ns == 0) return true;
    count(&a->limited);
    problem_set(p, 429, "too_many_requests", NULL,
                "more requests a second than one caller may make here");
    p->retry_after_s = (int)((wait_ns + NS_PER_S - 1) / NS_PER_S);
    return false;
}

static bool refuse_scope(auth *a, const auth_place *at, const auth_caller *caller, const problem *p)
{
    char route[ROUTE_MAX];

    count(&a->forbidden);
    write_route(route, at);
    LOG(LOG_WARN, "forbidden", LOG_TEXT("caller", caller->name), LOG_TEXT("detail", p->detail),
        LOG_TEXT("route", route), LOG_TEXT("peer", at->peer));
    return false;
}

bool auth_identify(auth *a, const auth_place *at, const char *authorization, auth_caller *caller,
                   problem *p)
{
    jwt_claims claims;
    const char *token;
    jwt_fault fault;
    size_t n;

    *caller = (auth_caller){.scopes = 0};
    token = read_bearer(authorization, &n);
    if (token == NULL) return refuse_missing(a, p);
    fault = verify(a, token, n, &claims);
    if (fault != JWT_GOOD) return refuse_token(a, at, fault, p);
    count(&a->faults[JWT_GOOD]);
    if (!check_rate(a, &claims.caller, p)) return false;
    *caller = claims.caller;
    return true;
}

bool auth_authorize(auth *a, uint32_t scope, const auth_place *at, const char *authorization,
                    auth_caller *caller, problem *p)
{
    *caller = (auth_caller){.scopes = 0};
    if (scope == 0) return true;
    if (!auth_identify(a, at, authorization, caller, p)) return false;
    return auth_may(caller, scope, p) || refuse_scope(a, at, caller, p);
}

/* ---- what is seen of it ---------------------------------------------------------- */

static double get(const atomic_ullong *counter)
{
    return (double)atomic_load_explicit((atomic_ullong *)(uintptr_t)counter, memory_order_relaxed);
}

static void write_refusals(const auth *a, text *out)
{
    static const char family[] = "hedge_auth_refused_total";
    char label[48];

    metrics_family(out, family, "counter",
                   "Requests refused for their token (401), scope (403) or number (429), or for "
                   "want of memory to look at the token (503).");
    metrics_sample(out, family, "reason=\"missing\"", get(&a->missing));
    for (jwt_fault fault = JWT_GOOD + 1; fault < JWT_FAULTS; fault++) {
        snprintf(label, sizeof(label), "reason=\"%s\"", jwt_fault_name(fault));
        metrics_sample(out, family, label, get(&a->faults[fault]));
    }
    metrics_sample(out, family, "reason=\"scope\"", get(&a->forbidden));
    metrics_sample(out, family, "reason=\"rate\"", get(&a->limited));
}

void auth_write(auth *a, text *out)
{
    static const char looks[] = "hedge_jwt_keys_reloads_total";
    key_ring_state state;

    key_ring_read_state(a->ring, &state);
    metrics_single(out, "hedge_jwt_keys_ok", "gauge",
                   "1: the file of keys says what is in use; 0: it is refused, the old ones stay.",
                   state.ok ? 1 : 0);
    metrics_single(out, "hedge_jwt_keys", "gauge", "Keys in use.", (double)state.keys);
    metrics_family(out, looks, "counter", "Changes of the file of keys.");
    metrics_sample(out, looks, "result=\"ok\"", (double)state.loads);
    metrics_sample(out, looks, "result=\"refused\"", (double)state.refusals);
    metrics_single(out, "hedge_auth_accepted_total", "counter", "Tokens that were good.",
                   get(&a->faults[JWT_GOOD]));
    metrics_single(out, "hedge_auth_remembered_total", "counter",
                   "Tokens that had been verified before, with the keys in use.",
                   get(&a->remembered));
    write_refusals(a, out);
}

bool auth_keys_are_good(auth *a, char message[AUTH_MESSAGE_MAX])
{
    key_ring_state state;

    key_ring_read_state(a->ring, &state);
    if (!state.ok) snprintf(message, AUTH_MESSAGE_MAX, "%s", state.message);
    return state.ok;
}

/* ---- life ---------------------------------------------------------------------------- */

static void say(char message[AUTH_MESSAGE_MAX], const char *words)
{
    snprintf(message, AUTH_MESSAGE_MAX, "HEDGE_JWT_KEYS=%.380s", words);
}

auth *auth_new(const settings_jwt *s, char message[AUTH_MESSAGE_MAX])
{
    auth *a = calloc(1, sizeof(*a));
    char words[JWKS_MESSAGE_MAX] = "out of memory";

    if (a != NULL) {
        a->rules = (jwt_rules){.issuer = s->issuer,
                               .audience = s->audience,
                               .type = s->type,
                               .leeway_s = (double)s->leeway_s};
        if (s->requests_per_s > 0) a->rate = rate_new(s->requests_per_s);
        if (a->rate != NULL || s->requests_per_s == 0) a->ring = key_ring_new(s->keys_path, words);
        if (a->ring != NULL) return a;
        auth_free(a);
    }
    say(message, words);
    return NULL;
}

void auth_free(auth *a)
{
    if (a == NULL) return;
    key_ring_free(a->ring);
    rate_free(a->rate);
    free(a);
}

bool auth_check(const settings_jwt *s, char message[AUTH_MESSAGE_MAX])
{
    char words[JWKS_MESSAGE_MAX];
    secret_file file;
    jwks *keys = jwks_load(s->keys_path, &file, words);

    if (keys == NULL) say(message, words);
    secret_file_unload(&file);
    jwks_free(keys);
    return keys != NULL;
}

void auth_ask(auth *a)
{
    key_ring_ask(a->ring);
}
