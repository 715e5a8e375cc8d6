/* SPDX-License-Identifier: MIT
 * settings_clickhouse: which ClickHouse server depth comes from, and how. */
#ifndef HEDGED_SETTINGS_CLICKHOUSE_H
#define HEDGED_SETTINGS_CLICKHOUSE_H

#include "setting.h"

#include <stdint.h>

#define SETTINGS_CLICKHOUSE_QUERY_MAX 16384
#define SETTINGS_CLICKHOUSE_URL_MAX 2047

typedef struct settings_clickhouse {
    bool on;
    char origin[320];              /* http[s]://host:port; no secret in it */
    char user[128], password[256]; /* "": none; fit for a header */
    char database[128];            /* as a URL has it, %XX and all; "": the user's own */
    char query[SETTINGS_CLICKHOUSE_QUERY_MAX]; /* of the file; "": the one built in */
    int32_t interval_ms, timeout_ms;
} settings_clickhouse;

/* Reads the HEDGE_CLICKHOUSE_ variables and the file that one of them names.
 * False: message names the variable at fault and what it may be, and holds
 * nothing of the URL, which may have a password in it. */
bool settings_read_clickhouse(settings_clickhouse *s, char message[SETTING_MESSAGE_MAX]);

#endif
