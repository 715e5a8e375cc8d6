/* SPDX-License-Identifier: MIT
 * halt_check.c: what is halted along a chain, and which decision stands in spite of it. */
#include "halt_check.h"

#include <hedge/hedge.h>
#include <stdlib.h>
#include <string.h>

static halted_asset *find(const halt_check *h, const char *asset)
{
    for (size_t i = 0; i < h->n; i++)
        if (strcmp(h->at[i].asset, asset) == 0) return &h->at[i];
    return NULL;
}

static bool grow(halt_check *h)
{
    const size_t capacity = h->capacity * 2 + 16;
    halted_asset *more;

    if (h->n < h->capacity) return true;
    more = realloc(h->at, capacity * sizeof *more);
    if (more == NULL) return false;
    h->at = more;
    h->capacity = capacity;
    return true;
}

bool halt_check_order(halt_check *h, const source_row *row)
{
    halted_asset *there = find(h, row->asset);

    if (row->kind == HEDGE_RECORD_RESUME) {
        if (there != NULL) *there = h->at[--h->n];
        return true;
    }
    if (there == NULL) {
        if (!grow(h)) return false;
        there = &h->at[h->n++];
        memcpy(there->asset, row->asset, sizeof there->asset);
    }
    there->seq = row->seq;
    return true;
}

const halted_asset *halt_check_find(const halt_check *h, const char *asset)
{
    const halted_asset *own = h->n > 0 ? find(h, asset) : NULL;

    return own != NULL || h->n == 0 ? own : find(h, "");
}

void halt_check_free(halt_check *h)
{
    free(h->at);
    *h = (halt_check){0};
}
