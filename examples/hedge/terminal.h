/* SPDX-License-Identifier: MIT
 * terminal.h: what standard output can show. */
#ifndef HEDGE_CLI_TERMINAL_H
#define HEDGE_CLI_TERMINAL_H

#include <stdbool.h>

/* The characters of a line for a picture: the terminal's, at most 100; 80 where
 * it is none. */
int terminal_columns(void);
/* A terminal, and nobody switched colour off (no-color.org). */
bool terminal_wants_colour(void);
/* The user's locale is UTF-8. */
bool terminal_is_utf8(void);

#endif
