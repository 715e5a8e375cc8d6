/* SPDX-License-Identifier: MIT
 * tls: who the server says it is, and whom it believes.
 *
 * The server has one context for as long as it runs, and that one holds no
 * certificate: at the first word of each handshake the connection moves to the
 * newest context. A context is never changed once it is in use, and OpenSSL
 * frees it after its last connection. */
#include "tls.h"

#include "clock.h"
#include "handshakes.h"
#include "log.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 4                  /* intermediate certificates of a client */
#define CLIENT_CHAIN_MAX (64 * 1024) /* bytes */

struct tls {
    const settings_tls *settings;
    SSL_CTX *front;
    pthread_mutex_t lock; /* around what is below, never for long */
    SSL_CTX *newest;
    tls_facts facts;
    uint8_t digest[TLS_DIGEST_SIZE]; /* of the files as they were taken */
    handshakes *begun;
    int begun_index; /* of what an SSL keeps of its handshake */
    atomic_ullong handshakes, refused;
};

/* ---- within a handshake ------------------------------------------------------- */

static int on_client_hello(SSL *ssl, int *alert, void *context)
{
    tls *t = context;
    SSL_CTX *newest;
    bool moved;

    pthread_mutex_lock(&t->lock);
    newest = t->newest;
    SSL_CTX_up_ref(newest);
    pthread_mutex_unlock(&t->lock);
    moved = SSL_set_SSL_CTX(ssl, newest) != NULL;
    SSL_CTX_free(newest); /* the connection has one of its own */
    if (moved) return SSL_CLIENT_HELLO_SUCCESS;
    *alert = SSL_AD_INTERNAL_ERROR;
    return SSL_CLIENT_HELLO_ERROR;
}

/* HTTP/1.1 where the client offers it; one that offers only others is told so. */
static int on_protocols(SSL *ssl, const unsigned char **out, unsigned char *out_n,
                        const unsigned char *in, unsigned in_n, void *context)
{
    static const unsigned char ours[] = "\x08http/1.1";

    (void)ssl, (void)context;
    return SSL_select_next_proto((unsigned char **)out, out_n, ours, sizeof(ours) - 1, in, in_n) ==
                   OPENSSL_NPN_NEGOTIATED
               ? SSL_TLSEXT_ERR_OK
               : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static void note_begin(tls *t, SSL *ssl)
{
    struct sockaddr_in peer;
    socklen_t n = sizeof(peer);
    handshake *one;

    if (SSL_get_ex_data(ssl, t->begun_index) != NULL) return;
    if (getpeername(SSL_get_fd(ssl), (struct sockaddr *)&peer, &n) != 0) return; /* it is gone */
    if (peer.sin_family != AF_INET) return;
    one = handshakes_begin(t->begun, peer.sin_addr);
    if (SSL_set_ex_data(ssl, t->begun_index, one) != 1) handshake_end(one);
}

static void note_done(tls *t, SSL *ssl)
{
    atomic_fetch_add(&t->handshakes, 1);
    handshake_end(SSL_get_ex_data(ssl, t->begun_index));
    SSL_set_ex_data(ssl, t->begun_index, NULL);
}

/* Of an SSL that ends, with what it has of a handshake that was never done. */
static void on_free(void *ssl, void *one, CRYPTO_EX_DATA *all, int index, long number,
                    void *context)
{
    (void)ssl, (void)all, (void)index, (void)number, (void)context;
    handshake_end(one);
}

static void on_state(const SSL *ssl, int where, int result)
{
    tls *t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

    (void)result;
    if ((where & SSL_CB_HANDSHAKE_START) != 0) note_begin(t, (SSL *)(uintptr_t)ssl);
    if ((where & SSL_CB_HANDSHAKE_DONE) != 0) note_done(t, (SSL *)(uintptr_t)ssl);
}

static void log_client(X509 *certificate, const char *reason)
{
    char subject[160] = "", serial[64] = "";

    if (certificate != NULL) {
        BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), NULL);
        char *digits = number != NULL ? BN_bn2hex(number) : NULL;

        X509_NAME_oneline(X509_get_subject_name(certificate), subject, sizeof(subject));
        if (digits != NULL) snprintf(serial, sizeof(serial), "%s", digits);
        OPENSSL_free(digits);
        BN_free(number);
    }
    LOG(LOG_WARN, "tls_client_refused", LOG_TEXT("reason", reason), LOG_TEXT("subject", subject),
        LOG_TEXT("serial", serial));
}

/* OpenSSL has decided already; here it is only told. */
static int on_verified(int good, X509_STORE_CTX *verified)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(verified, SSL_get_ex_data_X509_STORE_CTX_idx());
    tls *t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

    if (good) return good;
    atomic_fetch_add(&t->refused, 1);
    log_client(X509_STORE_CTX_get_current_cert(verified),
               X509_verify_cert_error_string(X509_STORE_CTX_get_error(verified)));
    return good;
}

/* ---- contexts ----------------------------------------------------------------- */

/* Sessions are not resumed: one would outlive a revocation and a new list of
 * authorities. */
static void set_options(SSL_CTX *context)
{
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                     SSL_OP_NO_TICKET | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                     SSL_OP_PRIORITIZE_CHACHA | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_security_level(context, 2); /* at least 112 bits */
}

static void ask_clients(const settings_tls *s, SSL_CTX *context)
{
    X509_VERIFY_PARAM *how = SSL_CTX_get0_param(context);

    if (s->client_ca == NULL) return;
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, on_verified);
    SSL_CTX_set_verify_depth(context, DEPTH_MAX);
    SSL_CTX_set_max_cert_list(context, CLIENT_CHAIN_MAX);
    X509_VERIFY_PARAM_set_purpose(how, X509_PURPOSE_SSL_CLIENT);
    if (s->client_crl != NULL)
        X509_VERIFY_PARAM_set_flags(how, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
}

/* A context without certificates. Every one is made here: what a connection
 * takes along when it moves, and what it does not, is then the same. */
static SSL_CTX *new_context(tls *t)
{
    static const char suites[] = "ECDHE+AESGCM:ECDHE+CHACHA20";
    static const unsigned char id[] = "hedged";
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());

    if (context == NULL) return NULL;
    if (SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_cipher_list(context, suites) != 1 ||
        SSL_CTX_set_session_id_context(context, id, sizeof(id) - 1) != 1 ||
        SSL_CTX_set_num_tickets(context, 0) != 1) {
        SSL_CTX_free(context);
        return NULL;
    }
    set_options(context);
    ask_clients(t->settings, context);
    SSL_CTX_set_app_data(context, t);
    SSL_CTX_set_client_hello_cb(context, on_client_hello, t);
    SSL_CTX_set_alpn_select_cb(context, on_protocols, NULL);
    SSL_CTX_set_info_callback(context, on_state);
    return context;
}

static void take(tls *t, SSL_CTX *next, const tls_files *files, const tls_facts *facts)
{
    SSL_CTX *old;

    pthread_mutex_lock(&t->lock);
    old = t->newest;
    t->newest = next;
    t->facts = *facts;
    memcpy(t->digest, files->digest, sizeof(t->digest));
    pthread_mutex_unlock(&t->lock);
    SSL_CTX_free(old);
}

tls_load_result tls_load(tls *t, char message[TLS_MESSAGE_MAX])
{
    tls_load_result result = TLS_REFUSED;
    tls_files files;
    tls_facts facts;
    SSL_CTX *next;

    if (!tls_files_read(t->settings, &files, message)) return TLS_REFUSED;
    if (t->newest != NULL && memcmp(files.digest, t->digest, sizeof(t->digest)) == 0) {
        tls_files_free(&files);
        return TLS_UNCHANGED;
    }
    next = new_context(t);
    if (next == NULL) {
        snprintf(message, TLS_MESSAGE_MAX, "HEDGE_TLS_CERT: no memory for a context");
    } else if (tls_files_install(t->settings, &files, next, &facts, message)) {
        take(t, next, &files, &facts);
        result = TLS_TAKEN;
    } else {
        SSL_CTX_free(next);
    }
    tls_files_free(&files);
    return result;
}

/* ---- names -------------------------------------------------------------------- */

/* Byte by byte: neither wildcards nor a NUL within a name mean anything. */
static bool is_listed(const char *list, const char *name, size_t size)
{
    for (const char *at = list; at != NULL;) {
        const size_t n = strcspn(at, ",");

        if (n == size && memcmp(at, name, n) == 0) return true;
        at = at[n] == ',' ? at + n + 1 : NULL;
    }
    return false;
}

static bool has_listed_name(const char *list, X509 *certificate)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    bool found = false;

    for (int i = 0; !found && i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *one = sk_GENERAL_NAME_value(names, i);

        if (one->type != GEN_DNS && one->type != GEN_URI) continue;
        found = is_listed(list, (const char *)ASN1_STRING_get0_data(one->d.ia5),
                          (size_t)ASN1_STRING_length(one->d.ia5));
    }
    GENERAL_NAMES_free(names);
    ERR_clear_error(); /* of a certificate without such names */
    return found;
}

bool tls_allows(tls *t, X509 *certificate, problem *p)
{
    const char *list = t->settings->client_names;

    errno = 0;
    if (list == NULL || (certificate != NULL && has_listed_name(list, certificate))) return true;
    /* The handshake had one: civetweb could not copy it, or it could not be read here. */
    if (certificate == NULL || errno == ENOMEM) {
        problem_set(p, 503, "out_of_memory", NULL, "there is no memory to look at the certificate");
        p->retry_after_s = 1;
        return false;
    }
    atomic_fetch_add(&t->refused, 1);
    log_client(certificate, "none of its names is in HEDGE_TLS_CLIENT_NAMES");
    return problem_set(p, 403, "forbidden", NULL,
                       "the certificate bears no name that may ask this daemon");
}

bool tls_welcomes(tls *t, struct in_addr peer, uint32_t open_most)
{
    return handshakes_take(t->begun, peer, open_most, clock_steady_ns());
}

/* ---- life --------------------------------------------------------------------- */

tls *tls_new(const settings_tls *s, char message[TLS_MESSAGE_MAX])
{
    tls *t = calloc(1, sizeof(*t));

    snprintf(message, TLS_MESSAGE_MAX, "HEDGE_TLS_CERT: no memory for a context");
    if (t == NULL) return NULL;
    t->settings = s;
    pthread_mutex_init(&t->lock, NULL);
    t->front = new_context(t);
    t->begun = handshakes_new(s->handshakes_per_s);
    t->begun_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, on_free);
    if (t->begun != NULL && t->begun_index >= 0 && t->front != NULL &&
        tls_load(t, message) == TLS_TAKEN)
        return t;
    tls_free(t);
    return NULL;
}

void tls_free(tls *t)
{
    if (t == NULL) return;
    SSL_CTX_free(t->newest);
    SSL_CTX_free(t->front);
    handshakes_free(t->begun);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

SSL_CTX *tls_context(const tls *t)
{
    return t->front;
}

bool tls_is_mutual(const tls *t)
{
    return t->settings->client_ca != NULL;
}

void tls_read_facts(tls *t, tls_facts *out)
{
    pthread_mutex_lock(&t->lock);
    *out = t->facts;
    pthread_mutex_unlock(&t->lock);
}

tls_counts tls_read_counts(tls *t)
{
    return (tls_counts){.handshakes = atomic_load(&t->handshakes),
                        .refused = atomic_load(&t->refused),
                        .limited = handshakes_refused(t->begun)};
}
