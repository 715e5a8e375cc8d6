/* SPDX-License-Identifier: MIT
 * walk.h: takes a chain's rows in batches through several threads, and keeps the order.
 *
 * One thread reads, others judge whole batches, and the caller's thread takes
 * what they found in the order of the records. A row's hash can be judged
 * without the rows before it, because the hash before it is stored too: that
 * is why a chain can be checked by more than one thread. */
#ifndef HEDGE_CLI_WALK_H
#define HEDGE_CLI_WALK_H

#include "source.h"

enum { WALK_ROWS = 512 };

typedef struct walk_batch {
    source_row rows[WALK_ROWS];
    size_t n;
    source_row before; /* the row before the first; seq 0 or the base's: without a record */
    uint8_t *bytes;    /* the rows' records lie here, and that of `before` */
    size_t capacity;
    void *findings; /* what judging it gives: findings_size bytes, zeros at first */
} walk_batch;

typedef struct walk_job {
    source *from;
    const source_chain *chain;
    size_t findings_size;
    void *context;
    /* Any thread, any order. */
    void (*judge)(void *context, walk_batch *batch);
    /* The caller's thread, in order; false ends the walk. */
    bool (*take)(void *context, walk_batch *batch);
} walk_job;

/* Walks the whole chain from its base. False: it could not be read to its end
 * (source.fault says why; "truncated": not to the head that the source names); whatever was read
 * is taken first. */
bool walk_run(const walk_job *job);

#endif
