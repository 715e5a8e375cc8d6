/* SPDX-License-Identifier: MIT
 * ship_stand: where a connection finds this journal's writer in the database.
 *
 * The database alone knows what it holds; nothing about it is kept in the journal. */
#ifndef HEDGED_SHIP_STAND_H
#define HEDGED_SHIP_STAND_H

#include "journal.h"
#include "postgres_link.h"
#include "ship_fault.h"

typedef struct ship_stand {
    uint64_t held;           /* the newest record in the database; 0: none */
    journal_head next_after; /* where to go on: it, and what is parked right behind it */
    ship_fault fault;
    char words[POSTGRES_FAULT_MAX]; /* why not */
} ship_stand;

/* Sets the session up, takes the writer's lock, looks for the tables, and compares the newest
 * record there with the journal's. The lock lasts as long as the connection: no other one ships for
 * this writer meanwhile, and what an earlier one had under way is over. False: fault, or without
 * one trouble with the connection; words either way. */
bool ship_stand_find(ship_stand *stand, postgres_link *link, journal *j);

/* Makes the partitions of the months to come. *made: how many. */
postgres_answer ship_stand_partitions(postgres_link *link, int *made);

#endif
