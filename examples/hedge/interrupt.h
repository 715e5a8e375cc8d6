/* SPDX-License-Identifier: MIT
 * interrupt.h: Ctrl-C and SIGTERM as something to wait for, so that work ends between two rows. */
#ifndef HEDGE_CLI_INTERRUPT_H
#define HEDGE_CLI_INTERRUPT_H

#include <stdbool.h>

/* From now on the first SIGINT or SIGTERM is noted. If the program has not ended
 * by itself a second later, as where a write waits for a reader that takes
 * nothing, that signal ends it wherever it is; a second signal, of either kind,
 * does so at once. One that is ignored stays so. Call it before any thread is
 * started. */
void interrupt_catch(void);
bool interrupt_came(void);

/* Readable once a signal came or somebody woke the waiters; -1: there is none. */
int interrupt_fd(void);
void interrupt_wake(void);

/* If a signal was noted, ends the program by it, as its caller expects. What
 * stdout still holds is lost. */
void interrupt_end(void);

#endif
