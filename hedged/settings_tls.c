/* SPDX-License-Identifier: MIT
 * settings_tls: which certificates the server shows and asks for. */
#include "settings_tls.h"

#include <string.h>

/* As many as one address may have connections at once: a proxy that finds the daemon started again
 * connects them all in one second. */
#define HANDSHAKES_PER_S 256

/* Of one name between commas. A * would be taken for a wildcard, and none is. */
static bool is_name(const char *at, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (at[i] <= ' ' || at[i] > '~' || at[i] == '*') return false;
    return n > 0 && n <= 255;
}

static bool read_names(const char *names, char message[SETTING_MESSAGE_MAX])
{
    for (const char *at = names; at != NULL;) {
        const size_t n = strcspn(at, ",");

        if (!is_name(at, n))
            return setting_refuse(message,
                                  "HEDGE_TLS_CLIENT_NAMES: must be DNS names or URIs with commas "
                                  "between them, without spaces and without *; %.*s is none",
                                  n < 100 ? (int)n : 100, n > 0 ? at : "an empty one");
        at = at[n] == ',' ? at + n + 1 : NULL;
    }
    return true;
}

bool settings_read_tls(settings_tls *s, char message[SETTING_MESSAGE_MAX])
{
    static const char *const certs_more[] = {"HEDGE_TLS_KEY", "HEDGE_TLS_CLIENT_CA",
                                             "HEDGE_TLS_CLIENT_CRL", "HEDGE_TLS_CLIENT_NAMES",
                                             "HEDGE_TLS_HANDSHAKES_PER_S"};
    static const char *const cas_more[] = {"HEDGE_TLS_CLIENT_CRL", "HEDGE_TLS_CLIENT_NAMES"};

    *s = (settings_tls){.cert = setting_value("HEDGE_TLS_CERT"),
                        .key = setting_value("HEDGE_TLS_KEY"),
                        .client_ca = setting_value("HEDGE_TLS_CLIENT_CA"),
                        .client_crl = setting_value("HEDGE_TLS_CLIENT_CRL"),
                        .client_names = setting_value("HEDGE_TLS_CLIENT_NAMES"),
                        .handshakes_per_s = HANDSHAKES_PER_S};
    for (size_t i = 0; s->cert == NULL && i < sizeof(certs_more) / sizeof(certs_more[0]); i++)
        if (setting_value(certs_more[i]) != NULL)
            return setting_refuse(message, "%s: has no effect without HEDGE_TLS_CERT; set it too",
                                  certs_more[i]);
    if (s->cert != NULL && s->key == NULL)
        return setting_refuse(message, "HEDGE_TLS_KEY: must name the private key of "
                                       "HEDGE_TLS_CERT");
    for (size_t i = 0; s->client_ca == NULL && i < sizeof(cas_more) / sizeof(cas_more[0]); i++)
        if (setting_value(cas_more[i]) != NULL)
            return setting_refuse(
                message, "%s: has no effect without HEDGE_TLS_CLIENT_CA; set it too", cas_more[i]);
    return setting_whole_number("HEDGE_TLS_HANDSHAKES_PER_S", 0, 100000, &s->handshakes_per_s,
                                message) &&
           read_names(s->client_names, message);
}

bool settings_tls_is_exposed(const char *host)
{
    return strncmp(host, "127.", 4) != 0 || setting_is_prod();
}
