/* SPDX-License-Identifier: MIT
 * settings: what the environment asks of the daemon.
 *
 * A value that cannot be understood stops the start: a limit that an operator
 * believes in must never be dropped without a word. */
#include "settings.h"

#include "log.h"
#include "secret_file.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REDIS_URL_MAX 2047

extern char **environ;

/* ---- Redis ------------------------------------------------------------------- */

/* [user]:password@ in front of the host. */
static bool read_credentials(const char *from, size_t n, settings_redis *redis)
{
    const char *colon = memchr(from, ':', n);
    const size_t user = colon != NULL ? (size_t)(colon - from) : n;

    if (colon == NULL) return false;
    if (!setting_decode(from, user, redis->user, sizeof(redis->user))) return false;
    return setting_decode(colon + 1, n - user - 1, redis->password, sizeof(redis->password));
}

/* host[:port] or [v6]:port */
static bool read_host(const char *from, size_t n, settings_redis *redis)
{
    char text[300], *port;
    long number = 6379;

    if (!setting_decode(from, n, text, sizeof(text)) || text[0] == '\0') return false;
    if (text[0] == '[') {
        char *close = strchr(text, ']');

        if (close == NULL || (close[1] != '\0' && close[1] != ':')) return false;
        port = close[1] == ':' ? close + 2 : NULL;
        *close = '\0';
        memmove(text, text + 1, strlen(text));
    } else {
        port = strchr(text, ':');
        if (port != NULL) *port++ = '\0';
    }
    if (port != NULL && !setting_digits(port, 1, 65535, &number)) return false;
    if (text[0] == '\0' || strlen(text) >= sizeof(redis->host)) return false;
    strcpy(redis->host, text); /* fits: checked above */
    redis->port = (uint16_t)number;
    return true;
}

/* The URL is not repeated in messages: it may hold a password. */
static bool read_redis_url(const char *url, settings_redis *redis,
                           char message[SETTING_MESSAGE_MAX])
{
    static const char form[] =
        "HEDGE_REDIS_URL: must be redis://[[user]:password@]host[:port][/database]";
    const char *slash, *at, *host;
    long database = 0;

    if (strncmp(url, "rediss://", 9) == 0)
        return setting_refuse(message,
                              "HEDGE_REDIS_URL: rediss:// (TLS) is not supported by this version; "
                              "use redis:// through a local TLS tunnel");
    if (strncmp(url, "redis://", 8) != 0) return setting_refuse(message, "%s", form);
    url += 8;
    slash = strchr(url, '/');
    if (slash == NULL) slash = url + strlen(url);
    at = memrchr(url, '@', (size_t)(slash - url));
    host = at != NULL ? at + 1 : url;
    if (at != NULL && !read_credentials(url, (size_t)(at - url), redis))
        return setting_refuse(message, "%s", form);
    if (!read_host(host, (size_t)(slash - host), redis)) return setting_refuse(message, "%s", form);
    if (slash[0] == '/' && slash[1] != '\0' && !setting_digits(slash + 1, 0, 1000000, &database))
        return setting_refuse(message, "%s", form);
    redis->database = (int32_t)database;
    redis->on = true;
    return true;
}

static bool read_redis(settings_redis *redis, char message[SETTING_MESSAGE_MAX])
{
    bool understood;
    char *url;

    *redis = (settings_redis){0};
    if (!secret_file_setting("HEDGE_REDIS_URL", REDIS_URL_MAX, &url, message)) return false;
    understood = url == NULL || read_redis_url(url, redis, message);
    secret_file_free(url);
    return understood;
}

/* ---- the groups -------------------------------------------------------------- */

static bool read_address(settings *s, char message[SETTING_MESSAGE_MAX])
{
    const char *host = setting_value("HEDGE_API_HOST"), *port = setting_value("HEDGE_API_PORT");
    const char *environment = setting_value("HEDGE_ENV");
    struct in_addr address;
    long number = 8000;

    if (host == NULL) host = "127.0.0.1";
    if (inet_pton(AF_INET, host, &address) != 1)
        return setting_refuse(message, "HEDGE_API_HOST=%.100s: must be an IPv4 address", host);
    if (port != NULL && !setting_digits(port, 0, 65535, &number))
        return setting_refuse(message,
                              "HEDGE_API_PORT=%.100s: must be a whole number from 0 (any free one) "
                              "to 65535",
                              port);
    snprintf(s->host, sizeof(s->host), "%s", host);
    s->port = (uint16_t)number;
    if (environment != NULL && strcmp(environment, "dev") != 0 && strcmp(environment, "prod") != 0)
        return setting_refuse(message, "HEDGE_ENV=%.100s: must be dev or prod", environment);
    return !settings_jwt_are_missing(&s->jwt,
                                     environment != NULL && strcmp(environment, "prod") == 0, host,
                                     ntohl(address.s_addr) >> 24 == 127, message);
}

/* The policy that was installed with this program, found from where it lies,
 * since a prefix may be moved. */
static const char *installed_policy(settings *s)
{
    char program[2048];
    const ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);
    char *slash;

    program[n > 0 ? n : 0] = '\0';
    slash = strrchr(program, '/');
    if (slash != NULL) *slash = '\0';
    snprintf(s->installed_policy, sizeof(s->installed_policy), "%s/" HEDGE_POLICY_FROM_BIN,
             program);
    return s->installed_policy;
}

static bool read_policy(settings *s, char message[SETTING_MESSAGE_MAX])
{
    hedge_policy_overrides *o = &s->overrides;
    double seconds = 0.0;
    bool given;

    *o = (hedge_policy_overrides)HEDGE_INIT(hedge_policy_overrides);
    s->policy_path = setting_value("HEDGE_POLICY");
    if (s->policy_path == NULL)
        s->policy_path =
            access("configs/policy.yaml", R_OK) == 0 ? "configs/policy.yaml" : installed_policy(s);
    s->shadow_path = setting_value("HEDGE_SHADOW_POLICY");
    o->knots_path = setting_value("HEDGE_SPLINE_KNOTS");
    if (o->knots_path != NULL) o->set |= HEDGE_SET_KNOTS;
    if (!setting_number("HEDGE_MAX_HEDGE_PCT", 0.0, 1.0, &o->max_hedge_pct, &given, message))
        return false;
    if (given) o->set |= HEDGE_SET_MAX_HEDGE_PCT;
    if (!setting_number("HEDGE_STALE_SCORE_S", 0.001, 86400.0, &seconds, &given, message))
        return false;
    if (given) o->set |= HEDGE_SET_STALE_SCORE;
    o->stale_score_ms = seconds * 1000.0;
    return true;
}

static bool read_journal(settings *s, char message[SETTING_MESSAGE_MAX])
{
    static const char *const durability[2] = {"commit", "async"};
    static const char *const off_on[2] = {"0", "1"};

    s->journal_path = setting_value("HEDGE_JOURNAL");
    if (s->journal_path == NULL) s->journal_path = "hedge-journal.db";
    s->certify = true;
    return setting_choice("HEDGE_DURABILITY", durability, &s->async, message) &&
           setting_choice("HEDGE_LOG_DECISIONS", off_on, &s->log_decisions, message) &&
           setting_choice("HEDGE_CERTIFY", off_on, &s->certify, message);
}

/* Anything that begins with HEDGE_ and is not ours may be another program's
 * (Kubernetes makes such names for services), so it is only warned of. But of a
 * misspelt name of tokens or TLS somebody believes that it keeps callers out. */
static bool check_names(char message[SETTING_MESSAGE_MAX])
{
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
                                        "HEDGE_TLS_CLIENT_NAMES"};
    static const char *const strict[] = {"HEDGE_JWT_", "HEDGE_TLS_"};

    for (char **entry = environ; *entry != NULL; entry++) {
        const size_t n = strcspn(*entry, "=");
        const char *value = *entry + n + ((*entry)[n] == '=' ? 1 : 0);
        bool found = false;
        char name[128];

        if (strncmp(*entry, "HEDGE_", 6) != 0 || value[0] == '\0') continue;
        for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
            found |= strlen(known[i]) == n && strncmp(*entry, known[i], n) == 0;
        if (found) continue;
        for (size_t i = 0; i < sizeof(strict) / sizeof(strict[0]); i++)
            if (strncmp(*entry, strict[i], strlen(strict[i])) == 0)
                return setting_refuse(message, "%.*s: there is no such setting; see --help", (int)n,
                                      *entry);
        snprintf(name, sizeof(name), "%.*s", (int)n, *entry);
        LOG(LOG_WARN, "unknown_setting", LOG_TEXT("name", name));
    }
    return true;
}

bool settings_read(settings *s, char message[SETTING_MESSAGE_MAX])
{
    *s = (settings){0};
    return check_names(message) && settings_read_jwt(&s->jwt, message) &&
           read_address(s, message) && read_policy(s, message) && read_journal(s, message) &&
           read_redis(&s->redis, message) && settings_read_clickhouse(&s->clickhouse, message) &&
           settings_read_postgres(&s->postgres, message) && settings_read_tls(&s->tls, message) &&
           settings_read_http(&s->http, message);
}

const char *settings_help(void)
{
    return "  HEDGE_ENV            dev (default); prod: not without HEDGE_JWT_KEYS\n"
           "  HEDGE_API_HOST       127.0.0.1   another than a loopback address: not without "
           "HEDGE_JWT_KEYS\n"
           "  HEDGE_API_PORT       8000        0: any free port, see the log\n"
           "  HEDGE_HTTP_CONNECTIONS           1024   at once; over it: 503\n"
           "  HEDGE_HTTP_CONNECTIONS_PER_PEER  256    of one address, 0: any; over it: 429. Behind "
           "a\n"
           "                       proxy all come from one address\n"
           "  HEDGE_HTTP_HEAD_MS, HEDGE_HTTP_BODY_MS   2000, 2000   a request's head, then its "
           "body\n"
           "  HEDGE_HTTP_ANSWER_MS, HEDGE_HTTP_IDLE_MS 5000, 15000  until the answer is taken; "
           "until\n"
           "                       the next head is there\n"
           "  HEDGE_POLICY         configs/policy.yaml, else the installed one\n"
           "  HEDGE_SHADOW_POLICY  a policy that is tried beside it: recorded, counted, never "
           "answered\n"
           "  HEDGE_SPLINE_KNOTS   a list of knots in place of every curve's\n"
           "  HEDGE_MAX_HEDGE_PCT  0 to 1, in place of every asset's\n"
           "  HEDGE_STALE_SCORE_S  seconds, in place of every asset's\n"
           "  HEDGE_JOURNAL        hedge-journal.db\n"
           "  HEDGE_DURABILITY     commit (default: on disk before the reply), async\n"
           "  HEDGE_LOG_DECISIONS  0 (default), 1: a line each, up to 1,000 a second\n"
           "  HEDGE_CERTIFY        1 (default): every score of a curve is tried before it goes "
           "live,\n"
           "                       once for a build and a journal; 0: not, for trials\n"
           "  HEDGE_REDIS_URL      redis://[[user]:password@]host[:port][/database]; empty: off\n"
           "  HEDGE_CLICKHOUSE_URL http[s]://[user:password@]host[:port][/?database=NAME]; empty: "
           "off\n"
           "  HEDGE_CLICKHOUSE_QUERY_FILE   in place of the depth query that is built in\n"
           "  HEDGE_CLICKHOUSE_INTERVAL_MS  1000        the pause between two polls\n"
           "  HEDGE_CLICKHOUSE_TIMEOUT_MS   2000        the longest that a poll may take\n"
           "  HEDGE_DB_DSN         postgresql://user:password@host:port/database, or libpq's\n"
           "                       keyword=value form; empty: the journal is not shipped\n"
           "  HEDGE_REDIS_URL_FILE, HEDGE_CLICKHOUSE_URL_FILE, HEDGE_DB_DSN_FILE\n"
           "                       a file that holds the value in place of the variable, and that\n"
           "                       nobody but the daemon may read\n"
           "  HEDGE_JOURNAL_KEEP_S 604800      seconds that shipped records stay in the journal\n"
           "  HEDGE_TLS_CERT, HEDGE_TLS_KEY  PEM files: certificate with its chain, and its key "
           "(mode 600);\n"
           "                       then the port speaks TLS 1.2 and 1.3 and nothing else; empty: "
           "HTTP\n"
           "  HEDGE_TLS_CLIENT_CA  PEM: clients must show a certificate of one of these\n"
           "  HEDGE_TLS_CLIENT_CRL    PEM: and it must not be revoked here\n"
           "  HEDGE_TLS_CLIENT_NAMES  a,b: and bear one of these, a DNS name or a URI\n";
}
