/* SPDX-License-Identifier: MIT
 * halt_rows.h: the halts in force, as a journal's file holds them beside its chain. */
#ifndef HEDGE_CLI_HALT_ROWS_H
#define HEDGE_CLI_HALT_ROWS_H

#include <sqlite3.h>
#include <stdbool.h>

#include "halt_check.h"
#include "source.h"

/* Proves that the table `halts` holds what the records say is halted at their end, and nothing
 * more; `halted` is that. Of a halt whose records have all left the file only its form is proven.
 * False: source.fault is "halts", and .message names the asset. */
bool halt_rows_check(source *s, sqlite3 *db, const source_chain *chain, const halt_check *halted);

#endif
