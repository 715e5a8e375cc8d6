/* SPDX-License-Identifier: MIT
 * halt_check.h: what is halted along a chain, and which decision stands in spite of it. */
#ifndef HEDGE_CLI_HALT_CHECK_H
#define HEDGE_CLI_HALT_CHECK_H

#include "source.h"

/* What the records say last of an asset that was ever halted or resumed. */
typedef struct halted_asset {
    char asset[HEDGE_ASSET_NAME_MAX + 1]; /* "": all of them */
    uint64_t seq;                         /* the record that halted it; 0: it is resumed */
    int64_t since_ns;                     /* the first one that did, behind the resume before it */
    bool resumed;                         /* there was a resume: since_ns is the first for sure */
    char note[sizeof((hedge_record){0}.note)]; /* of the newest one */
} halted_asset;

typedef struct halt_check {
    halted_asset *at;
    size_t n, capacity;
    size_t standing; /* how many of them are halted */
} halt_check;

/* Takes a halt or a resume, whose bytes are proven, in the order of the records. False: out of
 * memory. */
bool halt_check_order(halt_check *h, const source_row *row);
/* The halt that an asset is under; NULL: none that is known. */
const halted_asset *halt_check_find(const halt_check *h, const char *asset);
/* What was taken of an asset itself ("": of all); NULL: nothing. */
const halted_asset *halt_check_last(const halt_check *h, const char *asset);
void halt_check_free(halt_check *h);

#endif
