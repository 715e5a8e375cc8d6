/* SPDX-License-Identifier: MIT
 * settings_jwt: whose tokens are believed. */
#include "settings_jwt.h"

#include <string.h>

#define LEEWAY_DEFAULT_S 30
#define LEEWAY_MOST_S 60
#define REQUESTS_MOST 1000000

/* What has no effect would be believed to have one. */
static bool check_unused(char message[SETTING_MESSAGE_MAX])
{
    static const char *const names[] = {"HEDGE_JWT_ISSUER", "HEDGE_JWT_AUDIENCE", "HEDGE_JWT_TYP",
                                        "HEDGE_JWT_LEEWAY_S"};
    const char *requests = setting_value("HEDGE_MAX_REQUESTS_PER_S");

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (setting_value(names[i]) != NULL)
            return setting_refuse(message,
                                  "%s: has no effect without HEDGE_JWT_KEYS; set that too, to a "
                                  "JWKS file",
                                  names[i]);
    return requests == NULL || strcmp(requests, "0") == 0 ||
           setting_refuse(message, "HEDGE_MAX_REQUESTS_PER_S: is for each caller, and callers have "
                                   "no names without HEDGE_JWT_KEYS; set that, or unset this");
}

bool settings_read_jwt(settings_jwt *s, char message[SETTING_MESSAGE_MAX])
{
    *s = (settings_jwt){.keys_path = setting_value("HEDGE_JWT_KEYS"),
                        .issuer = setting_value("HEDGE_JWT_ISSUER"),
                        .audience = setting_value("HEDGE_JWT_AUDIENCE"),
                        .type = setting_value("HEDGE_JWT_TYP"),
                        .leeway_s = LEEWAY_DEFAULT_S};
    if (s->keys_path == NULL) return check_unused(message);
    if (s->issuer == NULL || s->audience == NULL)
        return setting_refuse(message,
                              "%s: is missing; with HEDGE_JWT_KEYS it says what the %s of each "
                              "token must be",
                              s->issuer == NULL ? "HEDGE_JWT_ISSUER" : "HEDGE_JWT_AUDIENCE",
                              s->issuer == NULL ? "iss" : "aud");
    if (s->type != NULL && strcmp(s->type, "JWT") != 0 && strcmp(s->type, "at+jwt") != 0)
        return setting_refuse(message, "HEDGE_JWT_TYP=%.100s: must be JWT or at+jwt", s->type);
    return setting_whole_number("HEDGE_JWT_LEEWAY_S", 0, LEEWAY_MOST_S, &s->leeway_s, message) &&
           setting_whole_number("HEDGE_MAX_REQUESTS_PER_S", 0, REQUESTS_MOST, &s->requests_per_s,
                                message);
}

bool settings_jwt_are_missing(const settings_jwt *s, bool prod, const char *host, bool loopback,
                              char message[SETTING_MESSAGE_MAX])
{
    static const char help[] = "set HEDGE_JWT_KEYS to a JWKS file (`hedge token keys` makes one), "
                               "HEDGE_JWT_ISSUER and HEDGE_JWT_AUDIENCE";

    if (s->keys_path != NULL) return false;
    if (prod)
        setting_refuse(message, "HEDGE_ENV=prod: callers must show a token: %s", help);
    else if (!loopback)
        setting_refuse(message,
                       "HEDGE_API_HOST=%.60s: others than this machine can come there, so callers "
                       "must show a token: %s",
                       host, help);
    return prod || !loopback;
}
