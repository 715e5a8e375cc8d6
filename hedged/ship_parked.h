/* SPDX-License-Identifier: MIT
 * ship_parked: records that the database refused, tried again. */
#ifndef HEDGED_SHIP_PARKED_H
#define HEDGED_SHIP_PARKED_H

#include "journal.h"
#include "ship_policies.h"
#include "ship_rows.h"

#define SHIP_PARKED_REFUSALS 20 /* in a row, then the round is over */

/* Tries the parked records from the oldest on, and takes those off the list that the database now
 * holds; *taken counts them. Ends early when the daemon stops. POSTGRES_REFUSED: for a reason that
 * is not the records. */
postgres_answer ship_parked_retry(postgres_link *link, journal *j, ship_policies *policies,
                                  ship_rows *out, uint64_t *taken);

#endif
