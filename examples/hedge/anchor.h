/* SPDX-License-Identifier: MIT
 * anchor.h: heads of a chain that were kept elsewhere, which nobody who rewrites it can meet. */
#ifndef HEDGE_CLI_ANCHOR_H
#define HEDGE_CLI_ANCHOR_H

#include "options.h"
#include "source.h"

/* 52 bits are what the daemon's metric hedge_journal_head_hash holds. Fewer
 * could be met by trying for a few minutes. */
enum { ANCHOR_DIGITS_MIN = 13, ANCHORS_MAX = OPTION_LIST_MAX + 1 };

typedef struct anchor {
    bool any_writer; /* of the one chain there is */
    bool own;        /* the source itself says so */
    uint64_t writer;
    uint64_t seq;
    uint8_t hash[HEDGE_HASH_SIZE];
    unsigned digits; /* how many of the hash's are known, from the front */
} anchor;

/* The anchors of one chain. */
typedef struct anchor_list {
    anchor at[ANCHORS_MAX];
    size_t count;
} anchor_list;

/* Reads [WRITER:]SEQ:HASH; false: it is not that. */
bool anchor_read(const char *text, anchor *out);
/* True unless the anchor is of this record and of another hash. */
bool anchor_agrees(const anchor *a, uint64_t seq, const uint8_t hash[HEDGE_HASH_SIZE]);

#endif
