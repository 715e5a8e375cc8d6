/* SPDX-License-Identifier: MIT
 * settings_tls: which certificates the server shows and asks for. */
#ifndef HEDGED_SETTINGS_TLS_H
#define HEDGED_SETTINGS_TLS_H

#include "setting.h"

/* Out of the environment; NULL: not set. */
typedef struct settings_tls {
    const char *cert, *key;             /* files; both or neither: plain HTTP */
    const char *client_ca, *client_crl; /* files; without a CA no client is asked for one */
    const char *client_names;           /* commas between them */
    long handshakes_per_s;              /* of one address; 0: any number */
} settings_tls;

/* Reads HEDGE_TLS_…; the files themselves are looked at by tls_new. False:
 * message names the variable at fault. */
bool settings_read_tls(settings_tls *s, char message[SETTING_MESSAGE_MAX]);

/* True if others than this machine can listen in on what is sent to and from
 * the address (dotted), or HEDGE_ENV says that it is no trial. */
bool settings_tls_is_exposed(const char *host);

#endif
