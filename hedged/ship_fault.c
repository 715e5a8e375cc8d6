/* SPDX-License-Identifier: MIT
 * ship_fault: what keeps the journal from being shipped, and what an SQLSTATE means for it. */
#include "ship_fault.h"

#include <stddef.h>
#include <string.h>

static const struct {
    const char *name, *advice;
} faults[SHIP_FAULT_COUNT] = {
    [SHIP_FAULT_NONE] = {"", ""},
    [SHIP_FAULT_DIVERGED] = {"diverged", "an older copy of the journal was put back, or rows were "
                                         "changed: see docs/postgres.md before anything else"},
    [SHIP_FAULT_GAP] = {"gap", "restore the database from a backup that holds these records"},
    [SHIP_FAULT_LOCKED] = {"locked",
                           "an older connection of this daemon ends by itself, mostly within "
                           "20 seconds; if this stays, another daemon runs on a copy of this "
                           "journal: stop it"},
    [SHIP_FAULT_SCHEMA] = {"schema", "run hedged --init-db as the owner of the tables"},
    [SHIP_FAULT_PRIVILEGE] = {"privilege", "check user and password of HEDGE_DB_DSN, and GRANT "
                                           "hedge_daemon to that role"},
    [SHIP_FAULT_REFUSED] = {"refused", "look for a constraint or a trigger that refuses or drops "
                                       "every row"},
    [SHIP_FAULT_SLOW] = {"slow", "look for slow triggers, disks or links, and for locks; smaller "
                                 "batches are tried"},
};

const char *ship_fault_name(ship_fault fault)
{
    return faults[fault].name;
}

const char *ship_fault_advice(ship_fault fault)
{
    return faults[fault].advice;
}

/* The first row whose state begins what the server gave counts. Whatever is not here passes, or
 * does not: either way nothing is lost by trying again. */
static const struct {
    const char *state;
    ship_cause cause;
    ship_fault fault;
} causes[] = {
    {SHIP_STATE_DIVERGED, SHIP_CAUSE_FAULT, SHIP_FAULT_DIVERGED},
    {SHIP_STATE_LACKS, SHIP_CAUSE_PASSING, SHIP_FAULT_NONE}, /* the next connection mends it */
    {SHIP_STATE_DROPPED, SHIP_CAUSE_ROW, SHIP_FAULT_NONE},
    {SHIP_STATE_POLICY, SHIP_CAUSE_FAULT, SHIP_FAULT_REFUSED},
    {"57014", SHIP_CAUSE_SLOW, SHIP_FAULT_SLOW},  /* query_canceled */
    {"23505", SHIP_CAUSE_CLASH, SHIP_FAULT_NONE}, /* unique_violation */
    {"42501", SHIP_CAUSE_FAULT, SHIP_FAULT_PRIVILEGE},
    {"28", SHIP_CAUSE_FAULT, SHIP_FAULT_PRIVILEGE}, /* user or password */
    {"42", SHIP_CAUSE_FAULT, SHIP_FAULT_SCHEMA},    /* no such table, column, function */
    {"3D", SHIP_CAUSE_FAULT, SHIP_FAULT_SCHEMA},    /* no such database */
    {"3F", SHIP_CAUSE_FAULT, SHIP_FAULT_SCHEMA},
    {"0A", SHIP_CAUSE_FAULT, SHIP_FAULT_SCHEMA}, /* not supported by this server */
    {"22", SHIP_CAUSE_ROW, SHIP_FAULT_NONE},     /* a value */
    {"23", SHIP_CAUSE_ROW, SHIP_FAULT_NONE},     /* a constraint */
    {"21", SHIP_CAUSE_ROW, SHIP_FAULT_NONE},
    {"27", SHIP_CAUSE_ROW, SHIP_FAULT_NONE}, /* triggers, and what they call */
    {"38", SHIP_CAUSE_ROW, SHIP_FAULT_NONE},
    {"39", SHIP_CAUSE_ROW, SHIP_FAULT_NONE},
    {"44", SHIP_CAUSE_ROW, SHIP_FAULT_NONE},
    {"54", SHIP_CAUSE_ROW, SHIP_FAULT_NONE}, /* too large for an index */
    {"P0", SHIP_CAUSE_ROW, SHIP_FAULT_NONE},
};

ship_cause ship_cause_of(const char *sqlstate, ship_fault *fault)
{
    *fault = SHIP_FAULT_NONE;
    for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++) {
        if (strncmp(sqlstate, causes[i].state, strlen(causes[i].state)) != 0) continue;
        *fault = causes[i].fault;
        return causes[i].cause;
    }
    return SHIP_CAUSE_PASSING;
}
