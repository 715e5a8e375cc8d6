/* SPDX-License-Identifier: MIT
 * settings_jwt: whose tokens are believed. */
#ifndef HEDGED_SETTINGS_JWT_H
#define HEDGED_SETTINGS_JWT_H

#include "setting.h"

typedef struct settings_jwt {
    const char *keys_path; /* NULL: nobody is asked who they are */
    const char *issuer, *audience;
    const char *type; /* NULL: typ may be missing, JWT or at+jwt */
    long leeway_s;
    long requests_per_s; /* of one caller; 0: as many as they like */
} settings_jwt;

/* Reads HEDGE_JWT_KEYS, _ISSUER, _AUDIENCE, _TYP, _LEEWAY_S and
 * HEDGE_MAX_REQUESTS_PER_S. False: message. */
bool settings_read_jwt(settings_jwt *s, char message[SETTING_MESSAGE_MAX]);

/* Without keys anybody may ask anything: true if that is out of the question,
 * in production or where others than this machine can come. Then a message. */
bool settings_jwt_are_missing(const settings_jwt *s, bool prod, const char *host, bool loopback,
                              char message[SETTING_MESSAGE_MAX]);

#endif
