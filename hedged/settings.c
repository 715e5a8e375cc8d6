/* SPDX-License-Identifier: MIT
 * settings: what the environment asks of the daemon.
 *
 * A value that cannot be understood stops the start: a limit that an operator
 * believes in must never be dropped without a word. */
#include "settings.h"

#include "secret_file.h"
#include "settings_names.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define REDIS_URL_MAX 2047

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
    return !settings_jwt_are_missing(&s->jwt, setting_is_prod(), host,
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
    if (setting_is_prod() && (s->journal_path == NULL || s->journal_path[0] != '/'))
        return setting_refuse(message,
                              "HEDGE_JOURNAL%s%.200s: HEDGE_ENV=prod asks for an absolute path: "
                              "from another folder it would be another journal, which knows "
                              "nothing of the halts in this one",
                              s->journal_path != NULL ? "=" : "",
                              s->journal_path != NULL ? s->journal_path : "");
    if (s->journal_path == NULL) s->journal_path = "hedge-journal.db";
    s->certify = true;
    return setting_choice("HEDGE_DURABILITY", durability, &s->async, message) &&
           setting_choice("HEDGE_LOG_DECISIONS", off_on, &s->log_decisions, message) &&
           setting_choice("HEDGE_CERTIFY", off_on, &s->certify, message);
}

bool settings_read(settings *s, char message[SETTING_MESSAGE_MAX])
{
    *s = (settings){0};
    return settings_check_names(message) && settings_read_jwt(&s->jwt, message) &&
           read_address(s, message) && read_policy(s, message) && read_journal(s, message) &&
           read_redis(&s->redis, message) && settings_read_clickhouse(&s->clickhouse, message) &&
           settings_read_postgres(&s->postgres, message) && settings_read_tls(&s->tls, message) &&
           settings_read_http(&s->http, message);
}

bool settings_check_journal(const settings *s, char message[SETTING_MESSAGE_MAX])
{
    const char *path = s->journal_path, *slash = strrchr(path, '/');
    const int n = slash != NULL ? (int)(slash - path) : 0;
    struct stat info;
    char folder[4096];

    if (snprintf(folder, sizeof(folder), "%.*s%s", n, path, slash == path ? "/" : "") >=
        (int)sizeof(folder))
        return setting_refuse(message, "HEDGE_JOURNAL=%.150s: the path is too long", path);
    if (folder[0] == '\0') strcpy(folder, ".");
    /* Its -wal comes to lie beside it. */
    if (faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS) != 0)
        return setting_refuse(message, "HEDGE_JOURNAL=%.150s: its folder: %s", path,
                              strerror(errno));
    if (stat(path, &info) != 0)
        return errno == ENOENT ||
               setting_refuse(message, "HEDGE_JOURNAL=%.150s: %s", path, strerror(errno));
    if (!S_ISREG(info.st_mode))
        return setting_refuse(message, "HEDGE_JOURNAL=%.150s: is not a file", path);
    return faccessat(AT_FDCWD, path, R_OK | W_OK, AT_EACCESS) == 0 ||
           setting_refuse(message, "HEDGE_JOURNAL=%.150s: %s", path, strerror(errno));
}
