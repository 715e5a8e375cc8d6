/* SPDX-License-Identifier: MIT
 * idempotency: requests with the same Idempotency-Key take turns, so that the
 * second finds what the first has put into the journal. */
#ifndef HEDGED_IDEMPOTENCY_H
#define HEDGED_IDEMPOTENCY_H

#include "journal.h"
#include "problem.h"

#include <pthread.h>

/* The keys of requests under way. */
typedef struct idempotency {
    pthread_mutex_t lock;
    pthread_cond_t left;
    struct idempotency_turn *first;
} idempotency;

/* One request's turn; lives on its stack. */
typedef struct idempotency_turn {
    struct idempotency_turn *next;
    const char *key;
} idempotency_turn;

void idempotency_init(idempotency *i);
void idempotency_destroy(idempotency *i);

/* Reads the key out of the header as it came, bare or in quotes as the IETF's
 * draft has it: 1 to JOURNAL_KEY_MAX visible ASCII characters. False: problem. */
bool idempotency_read_key(const char *header, char key[JOURNAL_KEY_MAX + 1], problem *p);

/* Waits until no other request with this key is under way. The key has to stay
 * as it is until idempotency_leave. Any thread. */
void idempotency_enter(idempotency *i, idempotency_turn *turn, const char *key);
void idempotency_leave(idempotency *i, idempotency_turn *turn);

#endif
