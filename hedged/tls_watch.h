/* SPDX-License-Identifier: MIT
 * tls_watch: keeps the certificates in step with their files. */
#ifndef HEDGED_TLS_WATCH_H
#define HEDGED_TLS_WATCH_H

#include "tls.h"

typedef struct tls_watch tls_watch;

typedef struct tls_watch_state {
    bool ok;                     /* the files say what is used */
    char fault[TLS_MESSAGE_MAX]; /* where !ok */
    uint64_t loads, refusals;
} tls_watch_state;

/* Starts to look at the files, each second. Both must outlive it. NULL: no
 * memory or no thread. */
tls_watch *tls_watch_new(tls *t, const settings_tls *s);
void tls_watch_free(tls_watch *w);

/* Has it look now. Returns at once. */
void tls_watch_ask(tls_watch *w);
/* Any thread. */
void tls_watch_read_state(tls_watch *w, tls_watch_state *out);

#endif
