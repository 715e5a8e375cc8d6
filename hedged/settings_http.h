/* SPDX-License-Identifier: MIT
 * settings_http: how many may connect, and how long they may take. */
#ifndef HEDGED_SETTINGS_HTTP_H
#define HEDGED_SETTINGS_HTTP_H

#include "connections.h"
#include "setting.h"

/* Reads the HEDGE_HTTP_ variables. False: message. */
bool settings_read_http(connections_limits *limits, char message[SETTING_MESSAGE_MAX]);

#endif
