/* SPDX-License-Identifier: MIT
 * settings_postgres: where the journal is shipped to, and how long it keeps what has arrived. */
#include "settings_postgres.h"

#include "secret_file.h"

#include <libpq-fe.h>
#include <string.h>

#define KEEP_DEFAULT_S 604800   /* a week */
#define KEEP_MOST_S 3153600000L /* a hundred years */

/* Digits, and commas between several. */
static bool is_port(const char *text)
{
    while (*text != '\0') {
        const size_t n = strcspn(text, ",");
        char one[8];
        long port;

        if (n >= sizeof(one)) return false;
        memcpy(one, text, n);
        one[n] = '\0';
        if (n > 0 && !setting_digits(one, 1, 65535, &port)) return false;
        text += n + (text[n] == ',' ? 1 : 0);
    }
    return true;
}

/* An @ : / or ? in a password that is not written %XX moves the rest of the password into the host,
 * the port or the database, and from there into every message of a failed connection. */
static bool is_misread(const char *dsn, const PQconninfoOption *options)
{
    const char *uri = strstr(dsn, "://");
    size_t ats = 0;

    for (const char *at = uri; at != NULL && *at != '\0' && *at != '?'; at++)
        ats += *at == '@';
    if (ats > 1) return true;
    for (const PQconninfoOption *o = options; o->keyword != NULL; o++) {
        if (o->val == NULL) continue;
        if (strncmp(o->keyword, "host", 4) == 0 && strchr(o->val, '@') != NULL) return true;
        if (strcmp(o->keyword, "port") == 0 && !is_port(o->val)) return true;
    }
    return false;
}

/* Neither the value nor libpq's words about it are repeated: they may hold a password. */
static bool read_dsn(settings_postgres *s, char message[SETTING_MESSAGE_MAX])
{
    PQconninfoOption *options;
    bool misread;
    char *dsn;

    if (!secret_file_setting("HEDGE_DB_DSN", SETTINGS_POSTGRES_DSN_MAX, &dsn, message))
        return false;
    if (dsn == NULL) return true;
    strcpy(s->dsn, dsn); /* fits: it was asked for at most so long */
    secret_file_free(dsn);
    options = PQconninfoParse(s->dsn, NULL);
    if (options == NULL)
        return setting_refuse(message,
                              "HEDGE_DB_DSN: must be postgresql://user:password@host:port/database "
                              "with special characters as %%XX, or libpq's \"host=... user=... "
                              "dbname=...\" with values in single quotes where they hold spaces");
    misread = is_misread(s->dsn, options);
    PQconninfoFree(options);
    if (misread)
        return setting_refuse(message,
                              "HEDGE_DB_DSN: its host or port cannot be meant so; in a user or a "
                              "password @ is written %%40, : %%3A and / %%2F");
    return true;
}

bool settings_read_postgres(settings_postgres *s, char message[SETTING_MESSAGE_MAX])
{
    long keep_s = KEEP_DEFAULT_S;

    *s = (settings_postgres){0};
    if (!read_dsn(s, message) ||
        !setting_whole_number("HEDGE_JOURNAL_KEEP_S", 0, KEEP_MOST_S, &keep_s, message))
        return false;
    if (s->dsn[0] == '\0' && setting_value("HEDGE_JOURNAL_KEEP_S") != NULL)
        return setting_refuse(message,
                              "HEDGE_JOURNAL_KEEP_S: records leave the journal only where "
                              "they are shipped to Postgres; set HEDGE_DB_DSN or unset it");
    s->keep_s = keep_s;
    return true;
}
