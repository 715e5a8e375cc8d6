/* SPDX-License-Identifier: MIT
 * idempotency: requests with the same Idempotency-Key take turns. */
#include "idempotency.h"

#include <string.h>

void idempotency_init(idempotency *i)
{
    *i = (idempotency){.first = NULL};
    pthread_mutex_init(&i->lock, NULL);
    pthread_cond_init(&i->left, NULL);
}

void idempotency_destroy(idempotency *i)
{
    pthread_mutex_destroy(&i->lock);
    pthread_cond_destroy(&i->left);
}

bool idempotency_read_key(const char *header, char key[JOURNAL_KEY_MAX + 1], problem *p)
{
    size_t n = strlen(header);
    bool good;

    if (n >= 2 && header[0] == '"' && header[n - 1] == '"') {
        header++;
        n -= 2;
    }
    good = n >= 1 && n <= JOURNAL_KEY_MAX;
    for (size_t i = 0; good && i < n; i++)
        good = header[i] > ' ' && header[i] < 0x7f && header[i] != '"' && header[i] != '\\';
    if (!good)
        return problem_set(p, 400, "bad_header", "Idempotency-Key",
                           "a key has 1 to %d visible ASCII characters, without \" and \\",
                           JOURNAL_KEY_MAX);
    memcpy(key, header, n);
    key[n] = '\0';
    return true;
}

/* A walk: there are as many turns as requests under way that have a key. */
static bool is_taken(const idempotency *i, const char *key)
{
    for (const idempotency_turn *t = i->first; t != NULL; t = t->next)
        if (strcmp(t->key, key) == 0) return true;
    return false;
}

void idempotency_enter(idempotency *i, idempotency_turn *turn, const char *key)
{
    pthread_mutex_lock(&i->lock);
    while (is_taken(i, key))
        pthread_cond_wait(&i->left, &i->lock);
    *turn = (idempotency_turn){.next = i->first, .key = key};
    i->first = turn;
    pthread_mutex_unlock(&i->lock);
}

void idempotency_leave(idempotency *i, idempotency_turn *turn)
{
    idempotency_turn **at = &i->first;

    pthread_mutex_lock(&i->lock);
    while (*at != turn)
        at = &(*at)->next;
    *at = turn->next;
    pthread_cond_broadcast(&i->left);
    pthread_mutex_unlock(&i->lock);
}
