/* SPDX-License-Identifier: MIT
 * ship_holes: which records the database lacks of those that it should hold.
 *
 * Records that are parked are not expected there. All of it is counted by the (writer, seq)
 * indexes. */
#ifndef HEDGED_SHIP_HOLES_H
#define HEDGED_SHIP_HOLES_H

#include "journal.h"
#include "postgres_link.h"

/* Records that are missing one after the other; first 0: none. */
typedef struct ship_hole {
    uint64_t first, last;
} ship_hole;

/* Looks for the first hole behind seq `after` and before `newest`, which the database holds.
 * POSTGRES_REFUSED with SHIP_STATE_DIVERGED: it holds more than there can be. A journal that cannot
 * be read counts as POSTGRES_BROKEN, too. */
postgres_answer ship_holes_find(postgres_link *link, journal *j, uint64_t after, uint64_t newest,
                                ship_hole *hole);

/* Before the journal lets records go that were made before before_ns: asks the database whether it
 * holds the next ones, up to `held`. *upto: so far they may go; 0: none is due.
 * POSTGRES_REFUSED with SHIP_STATE_LACKS: it lacks some; with SHIP_STATE_DIVERGED: it holds
 * another one. */
postgres_answer ship_holes_none(postgres_link *link, journal *j, uint64_t held, int64_t before_ns,
                                uint64_t *upto);

/* Whether a record is parked. False: message. */
bool ship_holes_is_parked(journal *j, uint64_t seq, bool *parked,
                          char message[JOURNAL_MESSAGE_MAX]);

#endif
