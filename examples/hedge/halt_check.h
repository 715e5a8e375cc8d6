/* SPDX-License-Identifier: MIT
 * halt_check.h: what is halted along a chain, and which decision stands in spite of it. */
#ifndef HEDGE_CLI_HALT_CHECK_H
#define HEDGE_CLI_HALT_CHECK_H

#include "source.h"

typedef struct halted_asset {
    char asset[HEDGE_ASSET_NAME_MAX + 1]; /* "": all of them */
    uint64_t seq;                         /* the record that halted it */
} halted_asset;

typedef struct halt_check {
    halted_asset *at;
    size_t n, capacity;
} halt_check;

/* Takes a halt or a resume, in the order of the records. False: out of memory. */
bool halt_check_order(halt_check *h, const source_row *row);
/* The halt that an asset is under; NULL: none that is known. */
const halted_asset *halt_check_find(const halt_check *h, const char *asset);
void halt_check_free(halt_check *h);

#endif
