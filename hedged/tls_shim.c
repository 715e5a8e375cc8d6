/* SPDX-License-Identifier: MIT
 * tls_shim: OpenSSL as civetweb looks for it.
 *
 * Debian's civetweb opens `libcrypto.so` and `libssl.so`, which only libssl-dev
 * has, and calls SSL_get_peer_certificate, which OpenSSL 3 no longer has as a
 * function: without it the first connection ends the process. These two small
 * libraries bear the names and depend on the real ones. */
#ifdef HEDGE_TLS_SHIM_SSL
#include <openssl/ssl.h>

#undef SSL_get_peer_certificate
X509 *SSL_get_peer_certificate(const SSL *ssl);

/* The caller frees it, as ever. */
X509 *SSL_get_peer_certificate(const SSL *ssl)
{
    return SSL_get1_peer_certificate(ssl);
}
#else
extern const char hedge_tls_shim[];
const char hedge_tls_shim[] = "libcrypto";
#endif
