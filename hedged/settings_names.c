/* SPDX-License-Identifier: MIT
 * settings_names: which names of the environment are settings, and what becomes of others.
 *
 * A misspelt name is a setting that somebody believes in and that has no effect: a journal, and the
 * halts in it, that nobody opens; keys that nobody asks for. */
#include "settings_names.h"

#include "log.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define NAME_MAX_SHOWN 100
#define NAME_MAX_MEANT 64 /* longer ones resemble none of ours */
#define TYPOS_MOST 3

extern char **environ;

static const char *const known[] = {"HEDGE_ENV",
                                    "HEDGE_API_HOST",
                                    "HEDGE_API_PORT",
                                    "HEDGE_HTTP_CONNECTIONS",
                                    "HEDGE_HTTP_CONNECTIONS_PER_PEER",
                                    "HEDGE_HTTP_HEAD_MS",
                                    "HEDGE_HTTP_BODY_MS",
                                    "HEDGE_HTTP_ANSWER_MS",
                                    "HEDGE_HTTP_IDLE_MS",
                                    "HEDGE_POLICY",
                                    "HEDGE_SHADOW_POLICY",
                                    "HEDGE_SPLINE_KNOTS",
                                    "HEDGE_MAX_HEDGE_PCT",
                                    "HEDGE_STALE_SCORE_S",
                                    "HEDGE_JOURNAL",
                                    "HEDGE_JOURNAL_KEEP_S",
                                    "HEDGE_DURABILITY",
                                    "HEDGE_LOG_DECISIONS",
                                    "HEDGE_CERTIFY",
                                    "HEDGE_REDIS_URL",
                                    "HEDGE_REDIS_URL_FILE",
                                    "HEDGE_CLICKHOUSE_URL",
                                    "HEDGE_CLICKHOUSE_URL_FILE",
                                    "HEDGE_CLICKHOUSE_QUERY_FILE",
                                    "HEDGE_CLICKHOUSE_INTERVAL_MS",
                                    "HEDGE_CLICKHOUSE_TIMEOUT_MS",
                                    "HEDGE_DB_DSN",
                                    "HEDGE_DB_DSN_FILE",
                                    "HEDGE_JWT_KEYS",
                                    "HEDGE_JWT_ISSUER",
                                    "HEDGE_JWT_AUDIENCE",
                                    "HEDGE_JWT_TYP",
                                    "HEDGE_JWT_LEEWAY_S",
                                    "HEDGE_MAX_REQUESTS_PER_S",
                                    "HEDGE_TLS_CERT",
                                    "HEDGE_TLS_KEY",
                                    "HEDGE_TLS_CLIENT_CA",
                                    "HEDGE_TLS_CLIENT_CRL",
                                    "HEDGE_TLS_CLIENT_NAMES",
                                    "HEDGE_TLS_HANDSHAKES_PER_S"};
enum { KNOWN = sizeof(known) / sizeof(known[0]) };

/* What the programs beside the daemon read: the tool `hedge`, and the Python package. */
static const char *const elsewhere[] = {"HEDGE_TOKEN", "HEDGE_CA", "HEDGE_CLIENT_CERT",
                                        "HEDGE_CLIENT_KEY", "HEDGE_LIBRARY"};
/* Of a misspelt name of these somebody believes that it keeps callers out. */
static const char *const strict[] = {"HEDGE_JWT_", "HEDGE_TLS_"};

static bool is_one_of(const char *name, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(name, names[i]) == 0) return true;
    return false;
}

/* ---- what Kubernetes makes ------------------------------------------------------- */

/* For each service that it knows, whatever it is called, it sets NAME_SERVICE_HOST, NAME_PORT,
 * NAME_PORT_80_TCP_ADDR and their like: nobody wrote those, so nobody believes in them. */

static bool ends_with(const char *name, const char *end)
{
    const size_t n = strlen(name), m = strlen(end);

    return n >= m && strcmp(name + n - m, end) == 0;
}

static bool is_number(const char *value)
{
    long number;

    return setting_digits(value, 0, 65535, &number);
}

static bool is_address(const char *value)
{
    struct in6_addr address; /* has room for either */

    return inet_pton(AF_INET, value, &address) == 1 || inet_pton(AF_INET6, value, &address) == 1;
}

static bool is_protocol(const char *value, size_t n)
{
    return (n == 3 && (strncmp(value, "tcp", n) == 0 || strncmp(value, "udp", n) == 0)) ||
           (n == 4 && strncmp(value, "sctp", n) == 0);
}

/* tcp://10.0.0.1:8123 */
static bool is_link(const char *value)
{
    const char *host = strstr(value, "://"), *port = strrchr(value, ':');

    return host != NULL && is_protocol(value, (size_t)(host - value)) && port > host + 3 &&
           is_number(port + 1);
}

static bool is_of_kubernetes(const char *name, const char *value)
{
    if (ends_with(name, "_SERVICE_HOST")) return is_address(value);
    if (ends_with(name, "_SERVICE_PORT") || strstr(name, "_SERVICE_PORT_") != NULL)
        return is_number(value);
    if (strstr(name, "_PORT_") == NULL) return ends_with(name, "_PORT") && is_link(value);
    if (ends_with(name, "_ADDR")) return is_address(value);
    if (ends_with(name, "_PORT")) return is_number(value);
    if (ends_with(name, "_PROTO")) return is_protocol(value, strlen(value));
    return is_link(value);
}

/* ---- what was meant -------------------------------------------------------------- */

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* How many characters have to be put in, taken out or replaced (Levenshtein), capitals or not. */
static size_t typos(const char *a, const char *b)
{
    const size_t n = strlen(b);
    size_t row[NAME_MAX_MEANT + 1];

    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 0; a[i] != '\0'; i++) {
        size_t across = row[0]; /* one up, one to the left */

        row[0] = i + 1;
        for (size_t j = 0; j < n; j++) {
            const size_t replaced = across + (toupper((unsigned char)a[i]) != b[j] ? 1 : 0);

            across = row[j + 1];
            row[j + 1] = least(replaced, least(row[j], across) + 1);
        }
    }
    return row[n];
}

/* NULL: it resembles none. */
static const char *find_meant(const char *name)
{
    const char *meant = NULL;
    size_t best = TYPOS_MOST + 1;

    if (strlen(name) > NAME_MAX_MEANT) return NULL;
    for (size_t i = 0; i < KNOWN; i++) {
        const size_t n = typos(name, known[i]);

        /* More than half of what stands behind HEDGE_ in common. */
        if (n >= best || 2 * n >= strlen(known[i]) - strlen("HEDGE_")) continue;
        best = n;
        meant = known[i];
    }
    return meant;
}

/* ---- looking --------------------------------------------------------------------- */

static bool is_strict(const char *name)
{
    for (size_t i = 0; i < sizeof(strict) / sizeof(strict[0]); i++)
        if (strncmp(name, strict[i], strlen(strict[i])) == 0) return true;
    return false;
}

static bool refuse(const char *name, const char *meant, char message[SETTING_MESSAGE_MAX])
{
    return setting_refuse(message, "%s: there is no such setting%s%s%s; see --help", name,
                          meant != NULL ? "; did you mean " : "", meant != NULL ? meant : "",
                          meant != NULL ? "?" : "");
}

static void warn(const char *name, const char *meant)
{
    if (meant != NULL)
        LOG(LOG_WARN, "unknown_setting", LOG_TEXT("name", name), LOG_TEXT("did_you_mean", meant));
    else
        LOG(LOG_WARN, "unknown_setting", LOG_TEXT("name", name));
}

bool settings_check_names(char message[SETTING_MESSAGE_MAX])
{
    const bool prod = setting_is_prod();

    for (char **entry = environ; *entry != NULL; entry++) {
        const size_t n = strcspn(*entry, "=");
        const char *value = *entry + n + ((*entry)[n] == '=' ? 1 : 0), *meant;
        char name[NAME_MAX_SHOWN + 1];

        if (strncmp(*entry, "HEDGE_", 6) != 0 || value[0] == '\0') continue;
        snprintf(name, sizeof(name), "%.*s", n < sizeof(name) ? (int)n : NAME_MAX_SHOWN, *entry);
        if (is_one_of(name, known, KNOWN) ||
            is_one_of(name, elsewhere, sizeof(elsewhere) / sizeof(elsewhere[0])))
            continue;
        meant = find_meant(name);
        if (is_strict(name) || (prod && !is_of_kubernetes(name, value)))
            return refuse(name, meant, message);
        warn(name, meant);
    }
    return true;
}
