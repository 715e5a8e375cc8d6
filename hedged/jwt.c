/* SPDX-License-Identifier: MIT
 * jwt: reads a token and says who shows it. */
#include "jwt.h"

#include "base64url.h"
#include "json.h"
#include "jwt_signature.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define MEMBERS_MAX 64
#define LATEST_S 253402300799.0 /* the year 9999: what is beyond is no date */

/* The three parts of a token, and what is signed. */
typedef struct parts {
    const char *header, *claims, *signature;
    size_t header_n, claims_n, signature_n;
    size_t signed_n; /* bytes from the token's beginning */
} parts;

static bool split(const char *token, size_t n, parts *p)
{
    const char *end = token + n, *first, *second;

    if (n > JWT_BYTES_MAX) return false;
    first = memchr(token, '.', n);
    second = first != NULL ? memchr(first + 1, '.', (size_t)(end - first - 1)) : NULL;
    if (second == NULL) return false;
    *p = (parts){.header = token,
                 .claims = first + 1,
                 .signature = second + 1,
                 .header_n = (size_t)(first - token),
                 .claims_n = (size_t)(second - first - 1),
                 .signature_n = (size_t)(end - second - 1),
                 .signed_n = (size_t)(second - token)};
    return p->header_n > 0 && p->claims_n > 0 && p->signature_n > 0;
}

/* No member twice at any level: readers differ in which of two they take. Few
 * members, so that looking at each pair of them takes no time. */
static bool names_differ(const cJSON *object)
{
    size_t n = 0;

    for (const cJSON *member = object->child; member != NULL; member = member->next) {
        if (++n > MEMBERS_MAX) return false;
        for (const cJSON *other = object->child; other != member; other = other->next)
            if (strcmp(other->string, member->string) == 0) return false;
    }
    return true;
}

static bool all_names_differ(const cJSON *root)
{
    const cJSON *above[JSON_DEPTH_MAX + 1];
    const cJSON *at = root;
    size_t depth = 0;

    while (at != NULL) {
        if (cJSON_IsObject(at) && !names_differ(at)) return false;
        if (at->child != NULL) {
            if (depth == JSON_DEPTH_MAX + 1) return false;
            above[depth++] = at;
            at = at->child;
            continue;
        }
        while (at->next == NULL && depth > 0)
            at = above[--depth];
        at = depth > 0 ? at->next : NULL;
    }
    return true;
}

/* A segment's JSON object; NULL and *fault: it is not one, or could be read in two
 * ways. */
static cJSON *read_segment(const char *segment, size_t n, jwt_fault bad, jwt_fault *fault)
{
    char bytes[JWT_BYTES_MAX];
    size_t size;
    cJSON *object;
    problem p;

    *fault = bad;
    if (!base64url_decode(segment, n, (uint8_t *)bytes, sizeof(bytes) - 1, &size)) return NULL;
    bytes[size] = '\0';
    object = json_read_object(bytes, size, &p);
    if (object != NULL && all_names_differ(object)) return object;
    if (object == NULL && p.status == 503) *fault = JWT_MEMORY;
    cJSON_Delete(object);
    return NULL;
}

/* ---- the header ------------------------------------------------------------------ */

/* Media types are compared without case, and `application/` may be left out. */
static bool is_type(const char *typ, const char *wanted)
{
    static const char prefix[] = "application/";

    if (strncasecmp(typ, prefix, sizeof(prefix) - 1) == 0) typ += sizeof(prefix) - 1;
    return strcasecmp(typ, wanted) == 0;
}

static jwt_fault check_type(const cJSON *header, const jwt_rules *rules)
{
    const cJSON *member = cJSON_GetObjectItemCaseSensitive(header, "typ");
    bool good;

    if (member == NULL) return rules->type == NULL ? JWT_GOOD : JWT_TYPE;
    if (!cJSON_IsString(member)) return JWT_HEADER;
    if (rules->type != NULL)
        good = is_type(member->valuestring, rules->type);
    else
        good = is_type(member->valuestring, "JWT") || is_type(member->valuestring, "at+jwt");
    return good ? JWT_GOOD : JWT_TYPE;
}

/* The key that the header names, if it may be used as the header says. */
static jwt_fault check_header(const cJSON *header, const jwks *keys, const jwt_rules *rules,
                              const jwks_key **key)
{
    /* Every other parameter either brings a key along (jwk, jku, x5u, x5c) or
     * changes what the rest means (crit, b64, zip). */
    static const char *const names[] = {"alg", "kid", "typ", NULL};
    const char *alg, *kid;
    jwt_fault fault;
    problem p;

    if (!json_check_members(header, names, &p) || !json_string(header, "alg", &alg, &p) ||
        !json_string(header, "kid", &kid, &p))
        return JWT_HEADER;
    fault = check_type(header, rules);
    if (fault != JWT_GOOD) return fault;
    *key = jwks_find(keys, kid);
    if (*key == NULL) return JWT_KEY;
    return strcmp(alg, jwks_algorithm_name((*key)->algorithm)) == 0 ? JWT_GOOD : JWT_ALGORITHM;
}

static jwt_fault check_signature(const char *token, const parts *p, const jwks_key *key,
                                 const uint8_t *signature, size_t size)
{
    if (jwt_signature_is_good(key, token, p->signed_n, signature, size)) return JWT_GOOD;
    return errno == ENOMEM ? JWT_MEMORY : JWT_SIGNATURE;
}

static jwt_fault check_origin(const char *token, const parts *p, const jwks *keys,
                              const jwt_rules *rules)
{
    uint8_t signature[JWT_SIGNATURE_MAX];
    const jwks_key *key = NULL;
    size_t size;
    cJSON *header;
    jwt_fault fault;

    /* A longer signature than any key's is none; it is text all the same. */
    if (!base64url_decode(p->signature, p->signature_n, signature, sizeof(signature), &size))
        return JWT_FORM;
    header = read_segment(p->header, p->header_n, JWT_HEADER, &fault);
    if (header == NULL) return fault;
    fault = check_header(header, keys, rules, &key);
    cJSON_Delete(header);
    return fault == JWT_GOOD ? check_signature(token, p, key, signature, size) : fault;
}

/* ---- the claims ------------------------------------------------------------------ */

/* A NumericDate: a number, never a text. *given: it is there. */
static bool read_date(const cJSON *claims, const char *name, bool *given, double *out)
{
    const cJSON *member = cJSON_GetObjectItemCaseSensitive(claims, name);

    *given = member != NULL;
    if (member == NULL) return true;
    *out = member->valuedouble;
    return cJSON_IsNumber(member) && *out >= 0.0 && *out <= LATEST_S;
}

static jwt_fault read_dates(const cJSON *claims, jwt_claims *out)
{
    double not_before = 0.0, issued = 0.0;
    bool has_expiry, has_not_before, has_issued;

    if (!read_date(claims, "exp", &has_expiry, &out->expires_s) || !has_expiry ||
        !read_date(claims, "nbf", &has_not_before, &not_before) ||
        !read_date(claims, "iat", &has_issued, &issued))
        return JWT_CLAIMS;
    out->not_before_s = not_before > issued ? not_before : issued;
    return JWT_GOOD;
}

static bool is_text(const cJSON *member, const char *wanted)
{
    return cJSON_IsString(member) && strcmp(member->valuestring, wanted) == 0;
}

static bool has_audience(const cJSON *claims, const char *wanted)
{
    const cJSON *aud = cJSON_GetObjectItemCaseSensitive(claims, "aud"), *one;
    bool found = false;

    if (!cJSON_IsArray(aud)) return is_text(aud, wanted);
    cJSON_ArrayForEach(one, aud)
    {
        if (!cJSON_IsString(one)) return false;
        found |= is_text(one, wanted);
    }
    return found;
}

/* The subject goes into logs and the journal: plain characters alone. */
static bool read_subject(const cJSON *claims, char name[AUTH_NAME_MAX + 1])
{
    const cJSON *sub = cJSON_GetObjectItemCaseSensitive(claims, "sub");
    size_t n;

    if (!cJSON_IsString(sub)) return false;
    n = strlen(sub->valuestring);
    if (n < 1 || n > AUTH_NAME_MAX) return false;
    for (size_t i = 0; i < n; i++)
        if (sub->valuestring[i] <= ' ' || sub->valuestring[i] > '~') return false;
    memcpy(name, sub->valuestring, n + 1);
    return true;
}

/* RFC 8693, 4.2: words with spaces between. Those of other systems are theirs. */
static bool read_scope(const cJSON *claims, uint32_t *out)
{
    const cJSON *scope = cJSON_GetObjectItemCaseSensitive(claims, "scope");
    const char *at;

    *out = 0;
    if (scope == NULL) return true;
    if (!cJSON_IsString(scope)) return false;
    for (at = scope->valuestring; *at != '\0'; at += strspn(at, " ")) {
        const size_t n = strcspn(at, " ");

        *out |= auth_scope(at, n);
        at += n;
    }
    return true;
}

static jwt_fault check_claims(const cJSON *claims, const jwt_rules *rules, double now_s,
                              jwt_claims *out)
{
    jwt_fault fault = read_dates(claims, out);

    if (fault == JWT_GOOD) fault = jwt_check_time(out, rules, now_s);
    if (fault != JWT_GOOD) return fault;
    if (!is_text(cJSON_GetObjectItemCaseSensitive(claims, "iss"), rules->issuer)) return JWT_ISSUER;
    if (!has_audience(claims, rules->audience)) return JWT_AUDIENCE;
    if (!read_subject(claims, out->caller.name)) return JWT_SUBJECT;
    return read_scope(claims, &out->caller.scopes) ? JWT_GOOD : JWT_CLAIMS;
}

jwt_fault jwt_check_time(const jwt_claims *claims, const jwt_rules *rules, double now_s)
{
    if (!(now_s < claims->expires_s + rules->leeway_s)) return JWT_EXPIRED;
    return now_s + rules->leeway_s >= claims->not_before_s ? JWT_GOOD : JWT_EARLY;
}

jwt_fault jwt_verify(const char *token, size_t n, const jwks *keys, const jwt_rules *rules,
                     double now_s, jwt_claims *out)
{
    jwt_claims found = {0};
    jwt_fault fault;
    cJSON *claims;
    parts p;

    if (!split(token, n, &p)) return JWT_FORM;
    fault = check_origin(token, &p, keys, rules);
    if (fault != JWT_GOOD) return fault;
    claims = read_segment(p.claims, p.claims_n, JWT_CLAIMS, &fault);
    if (claims == NULL) return fault;
    fault = check_claims(claims, rules, now_s, &found);
    cJSON_Delete(claims);
    if (fault == JWT_GOOD) *out = found;
    return fault;
}

/* ---- words --------------------------------------------------------------------- */

#define FAULT(name, words)                                                                         \
    {                                                                                              \
        name, words,                                                                               \
            "Bearer realm=\"hedged\", error=\"invalid_token\", error_description=\"" words "\""    \
    }

static const struct {
    const char *name, *words, *challenge;
} faults[JWT_FAULTS] = {
    [JWT_GOOD] = FAULT("good", "the token is good"),
    [JWT_FORM] = FAULT("form", "the token is not a compact JWS of at most 8192 bytes"),
    [JWT_HEADER] = FAULT("header", "the token's header may hold alg, kid and typ alone, and needs "
                                   "alg and kid"),
    [JWT_TYPE] = FAULT("type", "the token's typ is not one that is taken here"),
    [JWT_KEY] = FAULT("key", "the token's kid names no key that is known here"),
    [JWT_ALGORITHM] = FAULT("algorithm", "the token's alg is not the one of its key"),
    [JWT_SIGNATURE] = FAULT("signature", "the token's signature is not its key's"),
    [JWT_CLAIMS] = FAULT("claims", "the token's claims are malformed, or exp is missing"),
    [JWT_EXPIRED] = FAULT("expired", "the token has expired"),
    [JWT_EARLY] = FAULT("early", "the token is not valid yet (nbf, iat)"),
    [JWT_ISSUER] = FAULT("issuer", "the token's iss is not the issuer that is trusted here"),
    [JWT_AUDIENCE] = FAULT("audience", "the token's aud is for somebody else"),
    [JWT_SUBJECT] = FAULT("subject", "the token's sub must be 1 to 127 visible ASCII characters"),
    [JWT_MEMORY] = FAULT("memory", "there is no memory to look at the token"),
};

const char *jwt_fault_words(jwt_fault fault)
{
    return faults[fault].words;
}

const char *jwt_fault_name(jwt_fault fault)
{
    return faults[fault].name;
}

const char *jwt_fault_challenge(jwt_fault fault)
{
    return faults[fault].challenge;
}
