/* SPDX-License-Identifier: MIT
 * policy_set.h: the policies of a source, each proven to be the text its hash names. */
#ifndef HEDGE_CLI_POLICY_SET_H
#define HEDGE_CLI_POLICY_SET_H

#include <hedge/hedge.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "source.h"

/* One policy; it stays where it is, unchanged, as long as the set. */
typedef struct policy_entry {
    uint8_t hash[HEDGE_HASH_SIZE];
    hedge_policy *policy; /* NULL in a set that keeps none */
    bool has_ts;          /* the source says when it first went live, */
    int64_t ts_ns;
    uint64_t first_seq; /* the first record that says it went live; 0: none was seen */
    bool dated;         /* and that one bears this time, too */
} policy_entry;

typedef struct policy_set {
    source *from;
    bool keep; /* the policies themselves are wanted, not their names alone */
    pthread_mutex_t mutex;
    policy_entry **entries; /* in ascending order of hash */
    size_t count;
    size_t reworded; /* those whose canonical text this build would write otherwise */
} policy_set;

/* Reads and checks every policy of a source that can list them; the others are
 * asked for when a record names them. False when one is not what its hash says,
 * a hash is there twice, or they cannot be read: source.fault and .message say
 * why. Free in either case. */
bool policy_set_open(policy_set *set, source *from, bool keep);

/* The policy of a hash; NULL: message says why (without it, it is not there).
 * Any thread. */
const policy_entry *policy_set_find(policy_set *set, const uint8_t hash[HEDGE_HASH_SIZE],
                                    char message[SOURCE_MESSAGE_MAX]);
/* Record `seq` says that the policy of this hash went live at this time: a policy can go live
 * again, and bears the time of the first. Any thread, records in any order. */
void policy_set_date(policy_set *set, const uint8_t hash[HEDGE_HASH_SIZE], uint64_t seq,
                     int64_t ts_ns);
/* A policy whose time its first record does not bear out; NULL: there is none. */
const policy_entry *policy_set_undated(const policy_set *set);
void policy_set_free(policy_set *set);

#endif
