/* SPDX-License-Identifier: MIT
 * moment.h: points in time as text, in UTC. */
#ifndef HEDGE_CLI_MOMENT_H
#define HEDGE_CLI_MOMENT_H

#include <stdbool.h>
#include <stdint.h>

enum { MOMENT_TEXT_MAX = 40 };

/* "2026-07-14T08:00:01.123456789Z" of nanoseconds since the Unix epoch. */
void moment_write(int64_t ts_ns, char text[MOMENT_TEXT_MAX]);
/* Reads what moment_write writes, with fewer decimals or none, a date alone
 * (its first instant), or seconds since the Unix epoch. False: it is none. */
bool moment_read(const char *text, int64_t *ts_ns);

#endif
