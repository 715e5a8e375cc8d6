/* SPDX-License-Identifier: MIT
 * ship_stand: where a connection finds this journal's writer in the database.
 *
 * The database alone knows what it holds; nothing about it is kept in the journal. */
#ifndef HEDGED_SHIP_STAND_H
#define HEDGED_SHIP_STAND_H

#include "journal.h"
#include "postgres_link.h"
#include "ship_fault.h"
#include "ship_rows.h"

typedef struct ship_stand {
    ship_place newest;       /* in the database */
    uint64_t whole;          /* up to here nothing is missing there, once `upto` is done */
    journal_head next_after; /* where to go on */
    ship_place before;       /* what it holds before that */
    uint64_t upto;           /* the end of a hole that has to be filled; 0: none, go on for ever */
    ship_fault fault;
    char words[POSTGRES_FAULT_MAX]; /* why not */
} ship_stand;

/* Sets the session up, takes the writer's lock, looks for the tables, and compares the newest
 * record there with the journal's. The lock lasts as long as the connection: no other one ships for
 * this writer meanwhile, and what an earlier one had under way is over. What the database lacks of
 * what the journal still holds comes first. False: fault, or without one trouble with the
 * connection; words either way. */
bool ship_stand_find(ship_stand *stand, postgres_link *link, journal *j);

/* Where to go on when the hole is filled. False: as above. */
bool ship_stand_go_on(ship_stand *stand, postgres_link *link, journal *j);

/* Makes the partitions of the months to come. *made: how many. */
postgres_answer ship_stand_partitions(postgres_link *link, int *made);

#endif
