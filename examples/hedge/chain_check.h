/* SPDX-License-Identifier: MIT
 * chain_check.h: proves one chain whole, record by record. */
#ifndef HEDGE_CLI_CHAIN_CHECK_H
#define HEDGE_CLI_CHAIN_CHECK_H

#include "anchor.h"
#include "policy_set.h"
#include "source.h"

typedef struct chain_report {
    source_chain chain;
    uint64_t records, decisions, rejections, shadows, halts;
    uint64_t seq; /* the newest record that was whole, or the base */
    uint8_t hash[HEDGE_HASH_SIZE];
    int64_t first_ts_ns, last_ts_ns;
    const char *fault; /* NULL: none; a stable name */
    uint64_t bad_seq;  /* the record at fault, 0: none of them */
    char message[SOURCE_MESSAGE_MAX];
} chain_report;

/* Walks the chain from its base to its end. False: *out says what is wrong
 * first. Every anchor must be met. */
bool chain_check(source *from, const source_chain *chain, policy_set *policies,
                 const anchor_list *anchors, chain_report *out);

#endif
