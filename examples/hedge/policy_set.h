/* SPDX-License-Identifier: MIT
 * policy_set.h: the policies a journal keeps, each proven to be the text its hash names. */
#ifndef HEDGE_CLI_POLICY_SET_H
#define HEDGE_CLI_POLICY_SET_H

#include <hedge/hedge.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct policy_set {
    uint8_t (*hashes)[HEDGE_HASH_SIZE]; /* in ascending order */
    size_t count;
    size_t reworded; /* those whose canonical text this build would write otherwise */
    size_t last;     /* where the newest search ended: records come in runs of one policy */
} policy_set;

/* Reads and checks every row of `policies`. False when one is not what its
 * hash says, or the table cannot be read: message says why. Free in either case. */
bool policy_set_read(sqlite3 *db, policy_set *set, char *message, size_t capacity);
bool policy_set_has(policy_set *set, const uint8_t hash[HEDGE_HASH_SIZE]);
void policy_set_free(policy_set *set);

#endif
