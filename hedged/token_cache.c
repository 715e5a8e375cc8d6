/* SPDX-License-Identifier: MIT
 * token_cache: what tokens said that were verified before. */
#include "token_cache.h"

#include <openssl/sha.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define WAYS 4
#define ROWS (TOKEN_CACHE_ENTRIES / WAYS)
#define LOCKS 64

typedef struct entry {
    bool used;
    uint8_t id[TOKEN_ID_SIZE];
    jwt_claims claims;
} entry;

typedef struct row {
    uint32_t next; /* the way that is given up next */
    entry ways[WAYS];
} row;

struct token_cache {
    pthread_mutex_t locks[LOCKS]; /* of every LOCKS-th row */
    row rows[ROWS];
};

token_cache *token_cache_new(void)
{
    token_cache *c = calloc(1, sizeof(*c));

    for (int i = 0; c != NULL && i < LOCKS; i++)
        pthread_mutex_init(&c->locks[i], NULL);
    return c;
}

void token_cache_free(token_cache *c)
{
    for (int i = 0; c != NULL && i < LOCKS; i++)
        pthread_mutex_destroy(&c->locks[i]);
    free(c);
}

void token_cache_id(const char *token, size_t n, uint8_t id[TOKEN_ID_SIZE])
{
    SHA256((const unsigned char *)token, n, id);
}

/* SHA-256 spreads by itself. */
static uint32_t row_of(const uint8_t id[TOKEN_ID_SIZE])
{
    return ((uint32_t)id[0] << 8 | id[1]) % ROWS;
}

static entry *find(row *r, const uint8_t id[TOKEN_ID_SIZE])
{
    for (int i = 0; i < WAYS; i++)
        if (r->ways[i].used && memcmp(r->ways[i].id, id, TOKEN_ID_SIZE) == 0) return &r->ways[i];
    return NULL;
}

bool token_cache_find(token_cache *c, const uint8_t id[TOKEN_ID_SIZE], jwt_claims *out)
{
    const uint32_t i = row_of(id);
    const entry *found;

    pthread_mutex_lock(&c->locks[i % LOCKS]);
    found = find(&c->rows[i], id);
    if (found != NULL) *out = found->claims;
    pthread_mutex_unlock(&c->locks[i % LOCKS]);
    return found != NULL;
}

void token_cache_put(token_cache *c, const uint8_t id[TOKEN_ID_SIZE], const jwt_claims *claims)
{
    const uint32_t i = row_of(id);
    row *r = &c->rows[i];

    pthread_mutex_lock(&c->locks[i % LOCKS]);
    if (find(r, id) == NULL) {
        entry *e = &r->ways[r->next];

        r->next = (r->next + 1) % WAYS;
        e->used = true;
        memcpy(e->id, id, TOKEN_ID_SIZE);
        e->claims = *claims;
    }
    pthread_mutex_unlock(&c->locks[i % LOCKS]);
}
