/* SPDX-License-Identifier: MIT
 * tls_files: the certificates, the key and the revocation list, out of their files.
 *
 * All are read before any is looked at, and whatever would make every handshake
 * fail is found here, where it can be told. */
#include "tls_files.h"

#include "clock.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FILE_MAX (1024 * 1024)
#define LIST_MAX (16 * 1024 * 1024) /* of revoked certificates */
#define CHAIN_MAX 10
#define SETTLED_NS (2 * NS_PER_S)

enum { CERT, KEY, CLIENT_CA, CLIENT_CRL };

static const char *const variables[TLS_FILES] = {"HEDGE_TLS_CERT", "HEDGE_TLS_KEY",
                                                 "HEDGE_TLS_CLIENT_CA", "HEDGE_TLS_CLIENT_CRL"};

static const char *path_of(const settings_tls *s, int i)
{
    const char *const paths[TLS_FILES] = {s->cert, s->key, s->client_ca, s->client_crl};

    return paths[i];
}

static bool refuse(const settings_tls *s, int i, char *message, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static bool refuse(const settings_tls *s, int i, char *message, const char *format, ...)
{
    const int n = snprintf(message, TLS_MESSAGE_MAX, "%s=%.200s: ", variables[i], path_of(s, i));
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(message + n, TLS_MESSAGE_MAX - (size_t)n, format, arguments);
    va_end(arguments);
    ERR_clear_error();
    return false;
}

/* OpenSSL's word for what went wrong last. */
static const char *reason(void)
{
    const char *words = ERR_reason_error_string(ERR_peek_last_error());

    return words != NULL ? words : "no more is known";
}

/* ---- reading ------------------------------------------------------------------ */

static bool read_one(const settings_tls *s, int i, tls_files *out, char *message)
{
    char why[SETTING_MESSAGE_MAX];

    if (path_of(s, i) == NULL) return true;
    if (!secret_file_load(path_of(s, i), i == CLIENT_CRL ? LIST_MAX : FILE_MAX, &out->files[i],
                          why))
        return refuse(s, i, message, "%.200s", why);
    if (!out->files[i].guarded) return refuse(s, i, message, "anybody may write it; chmod o-w");
    return i != KEY || out->files[i].kept ||
           refuse(s, i, message, "holds a secret, and %s", out->files[i].why);
}

static bool digest(tls_files *f)
{
    EVP_MD_CTX *sum = EVP_MD_CTX_new();
    bool ok = sum != NULL && EVP_DigestInit_ex(sum, EVP_sha256(), NULL) == 1;

    for (int i = 0; ok && i < TLS_FILES; i++)
        ok = EVP_DigestUpdate(sum, &f->files[i].n, sizeof(f->files[i].n)) == 1 &&
             EVP_DigestUpdate(sum, f->files[i].bytes, f->files[i].n) == 1;
    ok = ok && EVP_DigestFinal_ex(sum, f->digest, NULL) == 1;
    EVP_MD_CTX_free(sum);
    return ok;
}

bool tls_files_read(const settings_tls *s, tls_files *out, char message[TLS_MESSAGE_MAX])
{
    bool ok = true;

    *out = (tls_files){0};
    for (int i = 0; ok && i < TLS_FILES; i++)
        ok = read_one(s, i, out, message);
    if (ok && !digest(out)) ok = refuse(s, CERT, message, "no memory to read it");
    if (!ok) tls_files_free(out);
    return ok;
}

void tls_files_free(tls_files *f)
{
    for (int i = 0; i < TLS_FILES; i++)
        secret_file_unload(&f->files[i]);
    *f = (tls_files){0};
}

uint64_t tls_files_print(const settings_tls *s, bool *settled)
{
    const int64_t now_ns = clock_wall_ns();
    uint64_t print = 0xcbf29ce484222325u; /* FNV-1a, a word at a time */

    *settled = true;
    for (int i = 0; i < TLS_FILES; i++) {
        struct stat f = {0};
        const bool there = path_of(s, i) != NULL && stat(path_of(s, i), &f) == 0;
        const uint64_t words[] = {there,
                                  f.st_dev,
                                  f.st_ino,
                                  f.st_mode,
                                  f.st_gid,
                                  (uint64_t)f.st_size,
                                  (uint64_t)f.st_mtim.tv_sec,
                                  (uint64_t)f.st_mtim.tv_nsec,
                                  (uint64_t)f.st_ctim.tv_sec,
                                  (uint64_t)f.st_ctim.tv_nsec};

        for (size_t k = 0; k < sizeof(words) / sizeof(words[0]); k++)
            print = (print ^ words[k]) * 0x100000001b3u;
        if (there &&
            now_ns - ((int64_t)f.st_ctim.tv_sec * NS_PER_S + f.st_ctim.tv_nsec) < SETTLED_NS)
            *settled = false;
    }
    return print;
}

/* ---- parsing ------------------------------------------------------------------ */

/* As certificates print names; escaped, so that it cannot break a line. */
static void write_name(const X509_NAME *name, char *out, size_t capacity)
{
    BIO *bio = BIO_new(BIO_s_mem());
    int n = 0;

    if (bio != NULL && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) >= 0)
        n = BIO_read(bio, out, (int)capacity - 1);
    out[n > 0 ? n : 0] = '\0';
    BIO_free(bio);
}

/* Unix time; -1: not to be understood. */
static int64_t seconds_of(const ASN1_TIME *time)
{
    struct tm parts;

    return time != NULL && ASN1_TIME_to_tm(time, &parts) == 1 ? (int64_t)timegm(&parts) : -1;
}

static void write_day(const ASN1_TIME *time, char out[40])
{
    struct tm parts;

    if (ASN1_TIME_to_tm(time, &parts) != 1 ||
        strftime(out, 40, "%Y-%m-%d %H:%M:%S UTC", &parts) == 0)
        strcpy(out, "a time that cannot be read");
}

/* Reads every block of a kind. NULL: message. */
static STACK_OF(X509) *
    parse_certificates(const settings_tls *s, int i, const tls_files *f, char *message)
{
    BIO *bio = BIO_new_mem_buf(f->files[i].bytes, (int)f->files[i].n);
    STACK_OF(X509) *list = sk_X509_new_null();
    bool ok = bio != NULL && list != NULL;
    X509 *one;

    ERR_clear_error();
    while (ok && (one = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL)
        if (sk_X509_push(list, one) <= 0) {
            X509_free(one);
            ok = false;
        }
    if (!ok)
        refuse(s, i, message, "out of memory");
    else if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
        ok = refuse(s, i, message, "certificate %d cannot be read: %s", sk_X509_num(list) + 1,
                    reason());
    else if (sk_X509_num(list) == 0)
        ok = refuse(s, i, message, "holds no certificate (PEM: BEGIN CERTIFICATE)");
    ERR_clear_error();
    BIO_free(bio);
    if (ok) return list;
    sk_X509_pop_free(list, X509_free);
    return NULL;
}

static int no_passphrase(char *out, int capacity, int writing, void *asked)
{
    (void)out, (void)capacity, (void)writing;
    *(bool *)asked = true;
    return -1;
}

static EVP_PKEY *parse_key(const settings_tls *s, const tls_files *f, char *message)
{
    BIO *bio = BIO_new_mem_buf(f->files[KEY].bytes, (int)f->files[KEY].n);
    bool asked = false;
    EVP_PKEY *key = bio != NULL ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, &asked) : NULL;

    BIO_free(bio);
    if (key == NULL && asked)
        refuse(s, KEY, message, "is encrypted: give it without a passphrase, chmod 600");
    else if (key == NULL)
        refuse(s, KEY, message, "holds no private key (PEM): %s", reason());
    return key;
}

/* ---- the server's certificate ------------------------------------------------- */

static bool check_time(const settings_tls *s, X509 *leaf, char *message)
{
    char day[40];

    if (X509_cmp_current_time(X509_get0_notAfter(leaf)) <= 0) {
        write_day(X509_get0_notAfter(leaf), day);
        return refuse(s, CERT, message, "expired on %s", day);
    }
    if (X509_cmp_current_time(X509_get0_notBefore(leaf)) > 0) {
        write_day(X509_get0_notBefore(leaf), day);
        return refuse(s, CERT, message, "is not valid before %s; is the clock right?", day);
    }
    return X509_check_purpose(leaf, X509_PURPOSE_SSL_SERVER, 0) == 1 ||
           refuse(s, CERT, message, "is not for servers (key usage or extended key usage)");
}

static bool install_chain(const settings_tls *s, STACK_OF(X509) * chain, EVP_PKEY *key,
                          SSL_CTX *context, char *message)
{
    if (sk_X509_num(chain) > CHAIN_MAX)
        return refuse(s, CERT, message, "holds over %d certificates", CHAIN_MAX);
    if (X509_check_private_key(sk_X509_value(chain, 0), key) != 1)
        return refuse(s, CERT, message,
                      "its first certificate does not fit the key in "
                      "HEDGE_TLS_KEY");
    if (SSL_CTX_use_certificate(context, sk_X509_value(chain, 0)) != 1 ||
        SSL_CTX_use_PrivateKey(context, key) != 1)
        return refuse(s, CERT, message, "is not taken: %s", reason());
    for (int i = 1; i < sk_X509_num(chain); i++)
        if (SSL_CTX_add1_chain_cert(context, sk_X509_value(chain, i)) != 1)
            return refuse(s, CERT, message, "certificate %d is not taken: %s", i + 1, reason());
    return true;
}

static bool install_certificate(const settings_tls *s, const tls_files *f, SSL_CTX *context,
                                tls_facts *facts, char *message)
{
    STACK_OF(X509) *chain = parse_certificates(s, CERT, f, message);
    EVP_PKEY *key = chain != NULL ? parse_key(s, f, message) : NULL;
    bool ok = false;

    if (key != NULL) {
        X509 *leaf = sk_X509_value(chain, 0);

        facts->not_after_s = seconds_of(X509_get0_notAfter(leaf));
        write_name(X509_get_subject_name(leaf), facts->subject, sizeof(facts->subject));
        ok = check_time(s, leaf, message) && install_chain(s, chain, key, context, message);
    }
    EVP_PKEY_free(key);
    sk_X509_pop_free(chain, X509_free);
    return ok;
}

/* ---- whom it asks for one ----------------------------------------------------- */

/* A chain ends in a root, so without one that is valid nobody would get in. */
static bool install_authorities(const settings_tls *s, STACK_OF(X509) * list, SSL_CTX *context,
                                char *message)
{
    X509_STORE *store = SSL_CTX_get_cert_store(context);
    bool root = false;

    for (int i = 0; i < sk_X509_num(list); i++) {
        X509 *one = sk_X509_value(list, i);
        char name[160];

        write_name(X509_get_subject_name(one), name, sizeof(name));
        if (X509_check_ca(one) == 0)
            return refuse(s, CLIENT_CA, message, "certificate %d, %s, is not of an authority",
                          i + 1, name);
        if (X509_STORE_add_cert(store, one) != 1 || SSL_CTX_add_client_CA(context, one) != 1)
            return refuse(s, CLIENT_CA, message, "certificate %d, %s: %s", i + 1, name, reason());
        root |= X509_check_issued(one, one) == X509_V_OK &&
                X509_cmp_current_time(X509_get0_notAfter(one)) > 0;
    }
    return root || refuse(s, CLIENT_CA, message,
                          "holds no root (a certificate that signed itself) that is still valid");
}

static STACK_OF(X509_CRL) * parse_lists(const settings_tls *s, const tls_files *f, char *message)
{
    BIO *bio = BIO_new_mem_buf(f->files[CLIENT_CRL].bytes, (int)f->files[CLIENT_CRL].n);
    STACK_OF(X509_CRL) *lists = sk_X509_CRL_new_null();
    bool ok = bio != NULL && lists != NULL;
    X509_CRL *one;

    ERR_clear_error();
    while (ok && (one = PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL)) != NULL)
        if (sk_X509_CRL_push(lists, one) <= 0) {
            X509_CRL_free(one);
            ok = false;
        }
    if (!ok)
        refuse(s, CLIENT_CRL, message, "out of memory");
    else if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
        ok = refuse(s, CLIENT_CRL, message, "list %d cannot be read: %s",
                    sk_X509_CRL_num(lists) + 1, reason());
    else if (sk_X509_CRL_num(lists) == 0)
        ok = refuse(s, CLIENT_CRL, message, "holds no list (PEM: BEGIN X509 CRL)");
    ERR_clear_error();
    BIO_free(bio);
    if (ok) return lists;
    sk_X509_CRL_pop_free(lists, X509_CRL_free);
    return NULL;
}

static bool install_lists(const settings_tls *s, STACK_OF(X509_CRL) * lists, SSL_CTX *context,
                          tls_facts *facts, char *message)
{
    X509_STORE *store = SSL_CTX_get_cert_store(context);

    for (int i = 0; i < sk_X509_CRL_num(lists); i++) {
        X509_CRL *one = sk_X509_CRL_value(lists, i);
        const ASN1_TIME *until = X509_CRL_get0_nextUpdate(one);
        char day[40];

        if (until != NULL && X509_cmp_current_time(until) <= 0) {
            write_day(until, day);
            return refuse(s, CLIENT_CRL, message, "list %d expired on %s: get a new one", i + 1,
                          day);
        }
        if (X509_cmp_current_time(X509_CRL_get0_lastUpdate(one)) > 0) {
            write_day(X509_CRL_get0_lastUpdate(one), day);
            return refuse(s, CLIENT_CRL, message, "list %d is of %s; is the clock right?", i + 1,
                          day);
        }
        if (X509_STORE_add_crl(store, one) != 1)
            return refuse(s, CLIENT_CRL, message, "list %d: %s", i + 1, reason());
        if (until == NULL) continue;
        if (facts->next_update_s == 0 || seconds_of(until) < facts->next_update_s)
            facts->next_update_s = seconds_of(until);
    }
    return true;
}

static bool has_list(STACK_OF(X509_CRL) * lists, X509 *authority)
{
    for (int i = 0; i < sk_X509_CRL_num(lists); i++) {
        X509_CRL *one = sk_X509_CRL_value(lists, i);

        if (X509_NAME_cmp(X509_CRL_get_issuer(one), X509_get_subject_name(authority)) == 0 &&
            X509_CRL_verify(one, X509_get0_pubkey(authority)) == 1)
            return true;
    }
    return false;
}

/* A handshake asks for a list of each authority in the chain. */
static bool check_lists(const settings_tls *s, STACK_OF(X509_CRL) * lists, STACK_OF(X509) * list,
                        char *message)
{
    for (int i = 0; i < sk_X509_num(list); i++) {
        char name[160];

        if (has_list(lists, sk_X509_value(list, i))) continue;
        write_name(X509_get_subject_name(sk_X509_value(list, i)), name, sizeof(name));
        return refuse(s, CLIENT_CRL, message,
                      "holds no list that %s has signed, though it is in HEDGE_TLS_CLIENT_CA",
                      name);
    }
    return true;
}

static bool install_clients(const settings_tls *s, const tls_files *f, SSL_CTX *context,
                            tls_facts *facts, char *message)
{
    STACK_OF(X509) *list = parse_certificates(s, CLIENT_CA, f, message);
    STACK_OF(X509_CRL) *lists = NULL;
    bool ok = list != NULL && install_authorities(s, list, context, message);

    if (ok && s->client_crl != NULL) {
        lists = parse_lists(s, f, message);
        ok = lists != NULL && check_lists(s, lists, list, message) &&
             install_lists(s, lists, context, facts, message);
    }
    sk_X509_CRL_pop_free(lists, X509_CRL_free);
    sk_X509_pop_free(list, X509_free);
    return ok;
}

bool tls_files_install(const settings_tls *s, const tls_files *f, SSL_CTX *context,
                       tls_facts *facts, char message[TLS_MESSAGE_MAX])
{
    *facts = (tls_facts){0};
    return install_certificate(s, f, context, facts, message) &&
           (s->client_ca == NULL || install_clients(s, f, context, facts, message));
}
