/* SPDX-License-Identifier: MIT
 * settings_names: which names of the environment are settings, and what becomes of others. */
#ifndef HEDGED_SETTINGS_NAMES_H
#define HEDGED_SETTINGS_NAMES_H

#include "setting.h"

/* Looks at every name that begins with HEDGE_ and has a value. One that is no setting is a warning
 * in the log; in production, or where it looks as if it were to keep callers out, it stops the
 * start. False: message names it, and the setting that may have been meant. */
bool settings_check_names(char message[SETTING_MESSAGE_MAX]);

#endif
