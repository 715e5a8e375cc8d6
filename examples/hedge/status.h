/* SPDX-License-Identifier: MIT
 * status.h: what one daemon says of itself, as `hedge status` shows it. */
#ifndef HEDGE_CLI_STATUS_H
#define HEDGE_CLI_STATUS_H

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "halt_answer.h"
#include "halt_link.h"
#include "json.h"

/* What is asked of each daemon, in this order. */
enum { STATUS_READY, STATUS_HALTS, STATUS_QUOTES, STATUS_CURVE, STATUS_METRICS, STATUS_CALLS };

extern const char *const status_paths[STATUS_CALLS];

typedef struct daemon_status {
    const char *url;
    const halt_call *calls;      /* STATUS_CALLS of them */
    cJSON *answer[STATUS_CALLS]; /* NULL: none, or no object; the metrics are none */
    bool ready;                  /* it decides: /readyz is 200 */
    int halted;                  /* how much is halted; -1: it does not say */
} daemon_status;

/* Reads the answers; to be freed. */
void status_take(daemon_status *s, const char *url, const halt_call calls[STATUS_CALLS]);
void status_free(daemon_status *s);

/* In text for people, or as an element of an array. */
void status_print(const daemon_status *s);
void status_write(const daemon_status *s, json *j);

#endif
