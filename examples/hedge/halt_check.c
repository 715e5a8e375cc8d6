/* SPDX-License-Identifier: MIT
 * halt_check.c: what is halted along a chain, and which decision stands in spite of it. */
#include "halt_check.h"

#include <hedge/hedge.h>
#include <stdio.h>
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

/* The entry of an asset, new where it has none; NULL: out of memory. */
static halted_asset *entry_of(halt_check *h, const char *asset)
{
    halted_asset *entry = find(h, asset);

    if (entry != NULL || !grow(h)) return entry;
    entry = &h->at[h->n++];
    *entry = (halted_asset){0};
    snprintf(entry->asset, sizeof entry->asset, "%s", asset);
    return entry;
}

bool halt_check_order(halt_check *h, const source_row *row)
{
    hedge_record record = HEDGE_INIT(hedge_record);
    halted_asset *entry = entry_of(h, row->asset);

    if (entry == NULL || hedge_record_decode(row->record, row->record_size, &record) != HEDGE_OK)
        return false;
    if (row->kind == HEDGE_RECORD_RESUME) {
        h->standing -= entry->seq != 0 ? 1 : 0;
        entry->seq = 0;
        entry->resumed = true;
        return true;
    }
    if (entry->seq == 0) {
        h->standing++;
        entry->since_ns = row->ts_ns;
    }
    entry->seq = row->seq;
    memcpy(entry->note, record.note, sizeof entry->note);
    return true;
}

const halted_asset *halt_check_last(const halt_check *h, const char *asset)
{
    return find(h, asset);
}

const halted_asset *halt_check_find(const halt_check *h, const char *asset)
{
    const halted_asset *found = h->standing > 0 ? find(h, asset) : NULL;

    if (h->standing > 0 && (found == NULL || found->seq == 0)) found = find(h, "");
    return found != NULL && found->seq != 0 ? found : NULL;
}

void halt_check_free(halt_check *h)
{
    free(h->at);
    *h = (halt_check){0};
}
