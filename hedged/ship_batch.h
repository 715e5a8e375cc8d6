/* SPDX-License-Identifier: MIT
 * ship_batch: what has been read of the journal and is on its way to Postgres.
 *
 * A row that the database refuses for what it is is found by halving and put aside, so that the
 * others go on. Belongs to the shipper's thread. */
#ifndef HEDGED_SHIP_BATCH_H
#define HEDGED_SHIP_BATCH_H

#include "journal.h"
#include "postgres_link.h"
#include "ship_policies.h"
#include "ship_rows.h"
#include "ship_stand.h"

typedef struct ship_batch {
    journal *journal;
    uint64_t writer;
    journal_row *rows; /* from `at` to `n` not sent yet */
    size_t at, n;
    journal_head done; /* everything up to it is in the database, or parked */
    ship_place held;   /* the newest of them that is in the database */
    uint64_t upto;     /* the end of a hole that is filled; 0: none */
    ship_policies policies;
    ship_rows out;
    size_t window;  /* how many rows the next transaction may take; kept over connections */
    int refused;    /* rows in a row */
    uint64_t clash; /* where a row was there already; once it may be our own */
} ship_batch;

/* False: no memory. */
bool ship_batch_init(ship_batch *b, journal *j);
void ship_batch_free(ship_batch *b);

/* A new connection: forgets what was read, and goes on where the database stands. */
void ship_batch_begin(ship_batch *b, const ship_stand *stand);
/* The same connection: goes on elsewhere. */
void ship_batch_move(ship_batch *b, const ship_stand *stand);
/* A hole has been filled. */
bool ship_batch_is_filled(const ship_batch *b);

/* Reads on where all that was read is done. *empty: the journal has no more either. False:
 * message. */
bool ship_batch_read(ship_batch *b, bool *empty, char message[JOURNAL_MESSAGE_MAX]);

typedef enum ship_step {
    SHIP_STEP_SENT,    /* out.n records are confirmed */
    SHIP_STEP_PARKED,  /* one was put aside */
    SHIP_STEP_FEWER,   /* nothing went through; the next transaction takes fewer */
    SHIP_STEP_SLOW,    /* the same, because it took too long: link->fault */
    SHIP_STEP_REFUSED, /* one row after the other is refused; nothing was put aside */
    SHIP_STEP_JOURNAL, /* the journal could not put a record aside */
    SHIP_STEP_FAILED   /* *answer: what the server or the connection says */
} ship_step;

/* One transaction of what has been read, which is not empty. */
ship_step ship_batch_send(ship_batch *b, postgres_link *link, postgres_answer *answer);

#endif
