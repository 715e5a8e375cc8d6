/* SPDX-License-Identifier: MIT
 * parked.h: the records that Postgres refused, of which a journal's file keeps copies. */
#ifndef HEDGE_CLI_PARKED_H
#define HEDGE_CLI_PARKED_H

#include <sqlite3.h>
#include <stdbool.h>

#include "source.h"

/* Counts them into chain->parked and ->parked_alone (those that have left the file), by the chain's
 * base. False: source.fault and .message say why. */
bool parked_count(source *s, sqlite3 *db, source_chain *chain);

/* Proves each copy: its bytes are a record of this chain, its hash follows from them and the one
 * before, and where the record itself is in the file, both are equal. Those are taken as proven;
 * `head` is the newest of them. False: source.fault is "parked", and .message names the record. */
bool parked_check(source *s, sqlite3 *db, const source_chain *chain, uint64_t head);

#endif
