/* SPDX-License-Identifier: MIT
 * bench_auth: what it costs to check a token, afresh and remembered, and whether
 * the time that an HMAC takes tells how much of it was right.
 *
 * bench_auth JWKS ISSUER AUDIENCE < tokens, one a line. */
#include "clock.h"
#include "jwt_signature.h"
#include "token_cache.h"

#include <math.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRESH 5000
#define REMEMBERED 500000
#define TRIES 400000


/* Of this thread alone: other work on the machine does not count. */
static int64_t spent_ns(void)
{
    return clock_read(CLOCK_THREAD_CPUTIME_ID);
}

static double now_s(void)
{
    return (double)clock_wall_ns() / NS_PER_S;
}

static void measure(const char *token, const jwks *keys, const jwt_rules *rules, token_cache *cache)
{
    const size_t n = strlen(token);
    uint8_t id[TOKEN_ID_SIZE];
    jwt_claims claims;
    int64_t begin_ns = spent_ns();
    double fresh_ns;

    for (int i = 0; i < FRESH; i++) {
        const jwt_fault fault = jwt_verify(token, n, keys, rules, now_s(), &claims);

        if (fault == JWT_GOOD) continue;
        fprintf(stderr, "bench_auth: %s\n", jwt_fault_words(fault));
        exit(1);
    }
    fresh_ns = (double)(spent_ns() - begin_ns) / FRESH;
    token_cache_id(token, n, id);
    token_cache_put(cache, id, &claims);
    begin_ns = spent_ns();
    for (int i = 0; i < REMEMBERED; i++) {
        token_cache_id(token, n, id);
        if (!token_cache_find(cache, id, &claims) ||
            jwt_check_time(&claims, rules, now_s()) != JWT_GOOD)
            exit(1);
    }
    printf("%-8s %4zu bytes  fresh %8.2f us  remembered %6.3f us\n", claims.caller.name, n,
           fresh_ns / 1e3, (double)(spent_ns() - begin_ns) / REMEMBERED / 1e3);
}

typedef struct moments {
    double n, mean, square;
} moments;

static void add(moments *m, double x)
{
    const double before = x - m->mean;

    m->n += 1;
    m->mean += before / m->n;
    m->square += before * (x - m->mean);
}

static double variance(const moments *m)
{
    return m->square / (m->n - 1);
}

/* Welch's t between signatures that differ in their first byte and in their
 * last, in turns of random order; slow outliers (interrupts) are left out. */
static void measure_hmac(const jwks_key *key)
{
    static const char what[] = "what is signed";
    uint8_t wrong[2][32], right[EVP_MAX_MD_SIZE];
    moments of[2] = {{0}};
    uint32_t random = 12345;
    unsigned size = 0;

    if (HMAC(EVP_sha256(), key->secret, (int)key->secret_size, (const uint8_t *)what,
             sizeof(what) - 1, right, &size) == NULL)
        exit(1);
    memcpy(wrong[0], right, 32);
    memcpy(wrong[1], right, 32);
    wrong[0][0] ^= 1;
    wrong[1][31] ^= 1;
    for (int i = 0; i < TRIES; i++) {
        random = random * 1664525 + 1013904223;
        const uint32_t which = random >> 31;
        const int64_t begin_ns = clock_steady_ns();

        if (jwt_signature_is_good(key, what, sizeof(what) - 1, wrong[which], 32)) exit(1);
        const double took = (double)(clock_steady_ns() - begin_ns);

        if (took < 5000) add(&of[which], took);
    }
    printf("HMAC: wrong in its first byte %.1f ns, in its last %.1f ns, t = %.2f\n", of[0].mean,
           of[1].mean,
           (of[0].mean - of[1].mean) /
               sqrt(variance(&of[0]) / of[0].n + variance(&of[1]) / of[1].n));
}

int main(int argc, char **argv)
{
    char message[JWKS_MESSAGE_MAX], token[JWT_BYTES_MAX + 2];
    token_cache *cache = token_cache_new();
    jwt_rules rules = {.leeway_s = 30};
    secret_file file;
    jwks *keys;

    if (argc != 4 || cache == NULL) {
        fputs("usage: bench_auth JWKS ISSUER AUDIENCE < tokens\n", stderr);
        return 2;
    }
    keys = jwks_load(argv[1], &file, message);
    secret_file_unload(&file);
    if (keys == NULL) {
        fprintf(stderr, "bench_auth: %s\n", message);
        return 1;
    }
    rules.issuer = argv[2];
    rules.audience = argv[3];
    while (fgets(token, sizeof(token), stdin) != NULL) {
        token[strcspn(token, "\n")] = '\0';
        measure(token, keys, &rules, cache);
    }
    for (size_t i = 0; i < keys->n; i++)
        if (keys->keys[i].algorithm == JWKS_HS256) measure_hmac(&keys->keys[i]);
    jwks_free(keys);
    token_cache_free(cache);
    return 0;
}
