/* SPDX-License-Identifier: MIT
 * settings: what the environment asks of the daemon. */
#ifndef HEDGED_SETTINGS_H
#define HEDGED_SETTINGS_H

#include "setting.h"
#include "settings_clickhouse.h"
#include "settings_http.h"
#include "settings_jwt.h"
#include "settings_postgres.h"
#include "settings_tls.h"

#include <hedge/hedge.h>

#include <stdbool.h>
#include <stdint.h>

/* A Redis server out of HEDGE_REDIS_URL. */
typedef struct settings_redis {
    bool on;
    char host[256];
    uint16_t port;
    char user[128], password[256]; /* "": none */
    int32_t database;
} settings_redis;

typedef struct settings {
    const char *policy_path;
    const char *shadow_path;     /* NULL: none */
    char installed_policy[4096]; /* where policy_path may point to */
    hedge_policy_overrides overrides;
    const char *journal_path;
    bool async;
    bool log_decisions;
    bool certify; /* curves, before a policy goes live */
    char host[64];
    uint16_t port;
    settings_jwt jwt;
    connections_limits http;
    settings_redis redis;
    settings_postgres postgres;
    settings_clickhouse clickhouse;
    settings_tls tls;
} settings;

/* Reads every HEDGE_ variable. False: message names the one at fault and what
 * it may be. Texts point into the environment. */
bool settings_read(settings *s, char message[SETTING_MESSAGE_MAX]);

/* Whether a journal could be opened or made at journal_path, as far as its folder and its mode
 * tell; touches nothing. False: message. */
bool settings_check_journal(const settings *s, char message[SETTING_MESSAGE_MAX]);

/* The variables with their defaults, for --help. */
const char *settings_help(void);

#endif
