/* SPDX-License-Identifier: MIT
 * ship_policies: the texts of the policies that records name, each sent once. */
#ifndef HEDGED_SHIP_POLICIES_H
#define HEDGED_SHIP_POLICIES_H

#include "journal.h"
#include "postgres_link.h"

#define SHIP_POLICIES_KNOWN 16

/* Hashes that are known to be in the database, or not to be had; the oldest makes room. */
typedef struct ship_policies {
    uint8_t known[SHIP_POLICIES_KNOWN][HEDGE_HASH_SIZE];
    size_t n, next;
} ship_policies;

/* Sees to it that the database holds the policy, and looks whether it then does
 * (SHIP_STATE_POLICY); what the journal cannot give is a warning in the log. */
postgres_answer ship_policies_send(ship_policies *p, postgres_link *link, journal *j,
                                   const uint8_t hash[HEDGE_HASH_SIZE]);

#endif
