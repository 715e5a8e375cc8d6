/* SPDX-License-Identifier: MIT
 * tls_files: the certificates, the key and the revocation list, out of their files. */
#ifndef HEDGED_TLS_FILES_H
#define HEDGED_TLS_FILES_H

#include "secret_file.h"
#include "settings_tls.h"

#include <openssl/ssl.h>
#include <stdint.h>

#define TLS_MESSAGE_MAX 480
#define TLS_DIGEST_SIZE 32
#define TLS_FILES 4

/* The files' bytes as they were at one time. The key is among them. */
typedef struct tls_files {
    secret_file files[TLS_FILES];    /* in the order of settings_tls; not read: not asked for */
    uint8_t digest[TLS_DIGEST_SIZE]; /* of all of them */
} tls_files;

/* What they say. */
typedef struct tls_facts {
    int64_t not_after_s;   /* Unix time at which the certificate expires */
    int64_t next_update_s; /* and the first of the lists; 0: there is none */
    char subject[160];     /* of the certificate */
} tls_facts;

/* Reads the files. A key that others may read is refused. False: message, which
 * names variable, file and reason; nothing to free. */
bool tls_files_read(const settings_tls *s, tls_files *out, char message[TLS_MESSAGE_MAX]);
void tls_files_free(tls_files *f);

/* A number that is another when one of the files is another, without reading
 * them. *settled: none was touched in the last 2 seconds, so that a change that
 * comes after this look cannot leave the number as it is. */
uint64_t tls_files_print(const settings_tls *s, bool *settled);

/* Checks them and puts them into a context that has none yet. False: message;
 * the context is of no use then. */
bool tls_files_install(const settings_tls *s, const tls_files *f, SSL_CTX *context,
                       tls_facts *facts, char message[TLS_MESSAGE_MAX]);

#endif
