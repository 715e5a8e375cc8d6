/* SPDX-License-Identifier: MIT
 * tls: who the server says it is, and whom it believes. */
#ifndef HEDGED_TLS_H
#define HEDGED_TLS_H

#include "problem.h"
#include "tls_files.h"

#include <netinet/in.h>

typedef struct tls tls;

typedef enum tls_load_result { TLS_UNCHANGED, TLS_TAKEN, TLS_REFUSED } tls_load_result;

/* Counted since the start. */
typedef struct tls_counts {
    uint64_t handshakes;
    uint64_t refused; /* clients: their certificate, or its names */
    uint64_t limited; /* connections that tls_welcomes did not */
} tls_counts;

/* Reads the files; the settings must outlive it. NULL: message. */
tls *tls_new(const settings_tls *s, char message[TLS_MESSAGE_MAX]);
/* After the server has stopped. */
void tls_free(tls *t);

/* Reads the files again: new handshakes go by what they say, connections that
 * are there already go on. Whatever is wrong with them, what was taken before
 * stays. TLS_REFUSED: message. One thread. */
tls_load_result tls_load(tls *t, char message[TLS_MESSAGE_MAX]);

/* What the server hands to OpenSSL for each connection; always the same. */
SSL_CTX *tls_context(const tls *t);

/* True if a connection of this address may begin a handshake now: not too many of them have within
 * a second, and fewer than open_most (0: any number) are about it. Any thread. */
bool tls_welcomes(tls *t, struct in_addr peer, uint32_t open_most);

/* True if a client with this certificate (NULL: none) may ask at all; else
 * problem 403. Any thread. */
bool tls_allows(tls *t, X509 *certificate, problem *p);

/* Clients have to show a certificate. */
bool tls_is_mutual(const tls *t);
/* What is used now. Any thread. */
void tls_read_facts(tls *t, tls_facts *out);
tls_counts tls_read_counts(tls *t);

#endif
