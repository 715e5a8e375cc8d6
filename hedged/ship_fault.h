/* SPDX-License-Identifier: MIT
 * ship_fault: what keeps the journal from being shipped, and what an SQLSTATE means for it. */
#ifndef HEDGED_SHIP_FAULT_H
#define HEDGED_SHIP_FAULT_H

/* What somebody has to look at. docs/postgres.md says what to do about each. */
typedef enum ship_fault {
    SHIP_FAULT_NONE,
    SHIP_FAULT_DIVERGED,  /* the database holds other records of this writer than the journal */
    SHIP_FAULT_GAP,       /* it lacks records that have left the journal */
    SHIP_FAULT_LOCKED,    /* another connection ships for this writer */
    SHIP_FAULT_SCHEMA,    /* the tables, or the database, are not there or not ours */
    SHIP_FAULT_PRIVILEGE, /* the role may not */
    SHIP_FAULT_REFUSED,   /* every row is refused: it is hardly the rows */
    SHIP_FAULT_SLOW,      /* what is sent takes longer than a statement may: less is tried */
    SHIP_FAULT_COUNT
} ship_fault;

/* "diverged"...; "" for none. */
const char *ship_fault_name(ship_fault fault);
/* What to do, in one sentence. */
const char *ship_fault_advice(ship_fault fault);

typedef enum ship_cause {
    SHIP_CAUSE_PASSING, /* the server's or the network's trouble: try again */
    SHIP_CAUSE_ROW,     /* the data */
    SHIP_CAUSE_CLASH,   /* a row that is there already, by its key */
    SHIP_CAUSE_SLOW,    /* it took too long; *fault too */
    SHIP_CAUSE_FAULT    /* *fault */
} ship_cause;

/* SQLSTATEs of hedge_check, and of what the shipper finds out itself. */
#define SHIP_STATE_DIVERGED "HE001"
#define SHIP_STATE_LACKS "HE002"   /* it holds no more what it held: ask where it stands */
#define SHIP_STATE_DROPPED "HE003" /* a row was taken and is not there */
#define SHIP_STATE_POLICY "HE004"  /* a policy's text was taken and is not there */

/* What the refusal of a statement is due to. */
ship_cause ship_cause_of(const char *sqlstate, ship_fault *fault);

#endif
