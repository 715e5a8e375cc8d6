/* SPDX-License-Identifier: MIT
 * settings_postgres: where the journal is shipped to, and how long it keeps what has arrived. */
#include "settings_postgres.h"

#include <libpq-fe.h>
#include <string.h>

#define KEEP_DEFAULT_S 604800   /* a week */
#define KEEP_MOST_S 3153600000L /* a hundred years */

/* An @ in a password that is not written %40 moves the rest of the password into the host, and from
 * there into every message of a failed connection. */
static bool host_holds_at(const PQconninfoOption *options)
{
    for (const PQconninfoOption *o = options; o->keyword != NULL; o++)
        if (o->val != NULL && strncmp(o->keyword, "host", 4) == 0 && strchr(o->val, '@') != NULL)
            return true;
    return false;
}

/* Neither the value nor libpq's words about it are repeated: they may hold a password. */
static bool read_dsn(settings_postgres *s, char message[SETTING_MESSAGE_MAX])
{
    PQconninfoOption *options;
    bool stray;

    s->dsn = setting_value("HEDGE_DB_DSN");
    if (s->dsn == NULL) return true;
    options = PQconninfoParse(s->dsn, NULL);
    if (options == NULL)
        return setting_refuse(message,
                              "HEDGE_DB_DSN: must be postgresql://user:password@host:port/database "
                              "with special characters as %%XX, or libpq's \"host=... user=... "
                              "dbname=...\" with values in single quotes where they hold spaces");
    stray = host_holds_at(options);
    PQconninfoFree(options);
    if (stray)
        return setting_refuse(message, "HEDGE_DB_DSN: there is an @ in the host; in a user or a "
                                       "password it is written %%40");
    return true;
}

bool settings_read_postgres(settings_postgres *s, char message[SETTING_MESSAGE_MAX])
{
    long keep_s = KEEP_DEFAULT_S;

    *s = (settings_postgres){0};
    if (!read_dsn(s, message) ||
        !setting_whole_number("HEDGE_JOURNAL_KEEP_S", 0, KEEP_MOST_S, &keep_s, message))
        return false;
    if (s->dsn == NULL && setting_value("HEDGE_JOURNAL_KEEP_S") != NULL)
        return setting_refuse(message,
                              "HEDGE_JOURNAL_KEEP_S: records leave the journal only where "
                              "they are shipped to Postgres; set HEDGE_DB_DSN or unset it");
    s->keep_s = keep_s;
    return true;
}
