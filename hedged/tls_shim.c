/* SPDX-License-Identifier: MIT
 * tls_shim: OpenSSL as civetweb looks for it.
 *
 * Debian's civetweb opens `libcrypto.so` and `libssl.so`, which only libssl-dev
 * has, and calls SSL_get_peer_certificate, which OpenSSL 3 no longer has as a
 * function: without it the first connection ends the process. These two small
 * libraries bear the names and depend on the real ones. What civetweb reads is
 * told to http_receive.h, as with plain connections. */
#ifdef HEDGE_TLS_SHIM_SSL
#include "http_receive.h"

#include <openssl/ssl.h>

#undef SSL_get_peer_certificate
X509 *SSL_get_peer_certificate(const SSL *ssl);

/* The caller frees it, as ever. */
X509 *SSL_get_peer_certificate(const SSL *ssl)
{
    return SSL_get1_peer_certificate(ssl);
}

/* The program's; a tool that looks at this library need not have it. */
#pragma weak http_receive_filled

int SSL_read(SSL *ssl, void *buffer, int n)
{
    size_t got = 0;
    const int read = SSL_read_ex(ssl, buffer, n > 0 ? (size_t)n : 0, &got);

    if (read != 1) return read;
    if (http_receive_filled != NULL) http_receive_filled(buffer, (size_t)n, got);
    return (int)got;
}
#else
extern const char hedge_tls_shim[];
const char hedge_tls_shim[] = "libcrypto";
#endif
