/* SPDX-License-Identifier: MIT
 * ship_postgres: the journal's records on their way to Postgres, in order, each exactly once. */
#ifndef HEDGED_SHIP_POSTGRES_H
#define HEDGED_SHIP_POSTGRES_H

#include "journal.h"
#include "postgres_link.h"
#include "settings_postgres.h"
#include "ship_fault.h"

typedef struct ship_postgres ship_postgres;

typedef struct ship_postgres_state {
    bool connected; /* and the last thing that was tried went through */
    ship_fault fault;
    char words[POSTGRES_FAULT_MAX]; /* of the fault, or of the last lost connection; "" when well */
    uint64_t shipped_seq; /* up to here records are in the database, or parked; 0: not known yet */
    uint64_t lag_records; /* behind it; at least so many, as long as it is not known */
    double lag_s;         /* age of the oldest of them */
    uint64_t records, batches, failures, unparked, forgotten;
} ship_postgres_state;

/* Starts the thread. It never holds up a decision: it reads what is committed. NULL: no memory or
 * no thread. settings and journal must outlive it. */
ship_postgres *ship_postgres_new(const settings_postgres *settings, journal *j);

/* Ends it. As long as the server answers, up to a second goes into what is left. */
void ship_postgres_free(ship_postgres *s);

void ship_postgres_read_state(ship_postgres *s, ship_postgres_state *out);

#endif
