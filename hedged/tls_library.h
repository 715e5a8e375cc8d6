/* SPDX-License-Identifier: MIT
 * tls_library: lets civetweb find OpenSSL. */
#ifndef HEDGED_TLS_LIBRARY_H
#define HEDGED_TLS_LIBRARY_H

#include <stdbool.h>

#define TLS_LIBRARY_MESSAGE_MAX 400

/* Before a server with TLS starts; once for the process. False: message. */
bool tls_library_load(char message[TLS_LIBRARY_MESSAGE_MAX]);

#endif
