/* SPDX-License-Identifier: MIT
 * settings_postgres: where the journal is shipped to, and how long it keeps what has arrived. */
#ifndef HEDGED_SETTINGS_POSTGRES_H
#define HEDGED_SETTINGS_POSTGRES_H

#include "setting.h"

#include <stdint.h>

#define SETTINGS_POSTGRES_DSN_MAX 4095

typedef struct settings_postgres {
    char dsn[SETTINGS_POSTGRES_DSN_MAX + 1]; /* "": off. May hold a password: never shown */
    int64_t keep_s;                          /* shipped records stay in the journal for so long */
} settings_postgres;

/* Reads HEDGE_DB_DSN (or the file that HEDGE_DB_DSN_FILE names) and HEDGE_JOURNAL_KEEP_S. False:
 * message, without the DSN. */
bool settings_read_postgres(settings_postgres *s, char message[SETTING_MESSAGE_MAX]);

#endif
