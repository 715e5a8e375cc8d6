/* SPDX-License-Identifier: MIT
 * settings_clickhouse: which ClickHouse server depth comes from, and how. */
#include "settings_clickhouse.h"

#include "secret_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIGITS "0123456789"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define PORT_HTTP 8123
#define PORT_HTTPS 8443

/* One part of a URL: n bytes at `at`. */
typedef struct span {
    const char *at;
    size_t n;
} span;

static bool is_made_of(span s, const char *characters)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.at[i] == '\0' || strchr(characters, s.at[i]) == NULL) return false;
    return s.n > 0;
}

/* A line's end in a header would begin another header. */
static bool fits_header(const char *s)
{
    for (; *s != '\0'; s++)
        if ((unsigned char)*s < 0x20 || *s == 0x7f) return false;
    return true;
}

/* user[:password] */
static bool read_credentials(span s, settings_clickhouse *out)
{
    const char *colon = memchr(s.at, ':', s.n);
    const size_t user = colon != NULL ? (size_t)(colon - s.at) : s.n;

    if (!setting_decode(s.at, user, out->user, sizeof(out->user))) return false;
    if (colon != NULL &&
        !setting_decode(colon + 1, s.n - user - 1, out->password, sizeof(out->password)))
        return false;
    if (out->user[0] == '\0') strcpy(out->user, "default"); /* as the server calls it */
    return fits_header(out->user) && fits_header(out->password);
}

/* host[:port] or [v6][:port] */
static bool read_host(span s, bool tls, settings_clickhouse *out)
{
    const bool v6 = s.n > 0 && s.at[0] == '[';
    const char *close = v6 ? memchr(s.at, ']', s.n) : NULL;
    const char *from = v6 ? close : s.at;
    const char *colon = from != NULL ? memchr(from, ':', s.n - (size_t)(from - s.at)) : NULL;
    const size_t host = colon != NULL ? (size_t)(colon - s.at) : s.n;
    const size_t digits = colon != NULL ? s.n - host - 1 : 0;
    long port = tls ? PORT_HTTPS : PORT_HTTP;
    char number[8];

    if (host > 255 || digits >= sizeof(number)) return false;
    if (v6 && (close == NULL || close != s.at + host - 1 ||
               !is_made_of((span){s.at + 1, host - 2}, DIGITS "abcdefABCDEF:.")))
        return false;
    if (!v6 && !is_made_of((span){s.at, host}, LETTERS DIGITS "-_.")) return false;
    if (colon != NULL) {
        snprintf(number, sizeof(number), "%.*s", (int)digits, colon + 1);
        if (!setting_digits(number, 1, 65535, &port)) return false;
    }
    snprintf(out->origin, sizeof(out->origin), "http%s://%.*s:%ld", tls ? "s" : "", (int)host, s.at,
             port);
    return true;
}

/* Behind the host: nothing, or a database and nothing else, since what else
 * the server would take there (user, password, settings) has its own place. */
static bool read_database(const char *rest, settings_clickhouse *out)
{
    static const char parameter[] = "?database=";
    span name;

    if (*rest == '/') rest++;
    if (*rest == '\0') return true;
    if (strncmp(rest, parameter, strlen(parameter)) != 0) return false;
    name.at = rest + strlen(parameter);
    name.n = strlen(name.at);
    if (name.n >= sizeof(out->database) || !is_made_of(name, LETTERS DIGITS "-_.%")) return false;
    if (!setting_decode(name.at, name.n, out->database, sizeof(out->database))) return false;
    memcpy(out->database, name.at, name.n + 1);
    return true;
}

static bool read_url(const char *url, settings_clickhouse *out)
{
    const bool tls = strncmp(url, "https://", 8) == 0;
    const char *end, *at;

    if (!tls && strncmp(url, "http://", 7) != 0) return false;
    url += tls ? 8 : 7;
    end = url + strcspn(url, "/?#");
    at = memrchr(url, '@', (size_t)(end - url));
    if (at != NULL && !read_credentials((span){url, (size_t)(at - url)}, out)) return false;
    if (at != NULL) url = at + 1;
    return read_host((span){url, (size_t)(end - url)}, tls, out) && read_database(end, out);
}

/* Without white space and semicolons at its end: older servers take a
 * semicolon for the beginning of another statement. */
/* A pipe would be waited for. */
static bool open_query(const char *path, FILE **file, char message[SETTING_MESSAGE_MAX])
{
    static const char name[] = "HEDGE_CLICKHOUSE_QUERY_FILE";
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat info;

    if (fd < 0) return setting_refuse(message, "%s=%.200s: %s", name, path, strerror(errno));
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        close(fd);
        return setting_refuse(message, "%s=%.200s: is not a file", name, path);
    }
    *file = fdopen(fd, "r");
    if (*file != NULL) return true;
    close(fd);
    return setting_refuse(message, "%s=%.200s: %s", name, path, strerror(errno));
}

static bool read_query(const char *path, settings_clickhouse *out,
                       char message[SETTING_MESSAGE_MAX])
{
    static const char name[] = "HEDGE_CLICKHOUSE_QUERY_FILE";
    FILE *file;
    size_t n;
    bool whole;

    if (!open_query(path, &file, message)) return false;
    n = fread(out->query, 1, sizeof(out->query) - 1, file);
    whole = ferror(file) == 0 && fgetc(file) == EOF;
    fclose(file);
    if (!whole)
        return setting_refuse(message, "%s=%.200s: must be a file of at most %zu bytes", name, path,
                              sizeof(out->query) - 1);
    if (memchr(out->query, '\0', n) != NULL)
        return setting_refuse(message, "%s=%.200s: must be a text without NUL", name, path);
    while (n > 0 && strchr(" \t\r\n;", out->query[n - 1]) != NULL)
        n--;
    out->query[n] = '\0';
    return n > 0 || setting_refuse(message, "%s=%.200s: must hold a query", name, path);
}

bool settings_read_clickhouse(settings_clickhouse *s, char message[SETTING_MESSAGE_MAX])
{
    const char *path = setting_value("HEDGE_CLICKHOUSE_QUERY_FILE");
    long interval = 1000, timeout = 2000;
    bool understood;
    char *url;

    *s = (settings_clickhouse){0};
    if (!secret_file_setting("HEDGE_CLICKHOUSE_URL", SETTINGS_CLICKHOUSE_URL_MAX, &url, message))
        return false;
    s->on = url != NULL;
    understood = url == NULL || read_url(url, s);
    secret_file_free(url);
    if (!understood)
        return setting_refuse(message, "HEDGE_CLICKHOUSE_URL: must be "
                                       "http[s]://[user:password@]host[:port][/?database=NAME], "
                                       "other characters as %%XX");
    if (path != NULL && !read_query(path, s, message)) return false;
    if (!setting_whole_number("HEDGE_CLICKHOUSE_INTERVAL_MS", 50, 60000, &interval, message) ||
        !setting_whole_number("HEDGE_CLICKHOUSE_TIMEOUT_MS", 50, 60000, &timeout, message))
        return false;
    s->interval_ms = (int32_t)interval;
    s->timeout_ms = (int32_t)timeout;
    return true;
}
