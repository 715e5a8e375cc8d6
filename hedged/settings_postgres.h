/* SPDX-License-Identifier: MIT
 * settings_postgres: where the journal is shipped to, and how long it keeps what has arrived. */
#ifndef HEDGED_SETTINGS_POSTGRES_H
#define HEDGED_SETTINGS_POSTGRES_H

#include "setting.h"

#include <stdint.h>

typedef struct settings_postgres {
    const char *dsn; /* out of the environment; NULL: off. May hold a password: never shown */
    int64_t keep_s;  /* shipped records stay in the journal for so long */
} settings_postgres;

/* Reads HEDGE_DB_DSN and HEDGE_JOURNAL_KEEP_S. False: message, without the DSN. */
bool settings_read_postgres(settings_postgres *s, char message[SETTING_MESSAGE_MAX]);

#endif
