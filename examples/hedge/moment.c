/* SPDX-License-Identifier: MIT
 * moment.c: points in time as text, in UTC. */
#include "moment.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "number.h"

#define NS_PER_S INT64_C(1000000000)

void moment_write(int64_t ts_ns, char text[MOMENT_TEXT_MAX])
{
    int64_t seconds = ts_ns / NS_PER_S;
    int64_t rest = ts_ns % NS_PER_S;
    time_t time;
    struct tm parts;
    size_t n;

    if (rest < 0) {
        rest += NS_PER_S;
        seconds--;
    }
    time = (time_t)seconds;
    gmtime_r(&time, &parts);
    n = strftime(text, MOMENT_TEXT_MAX, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(text + n, MOMENT_TEXT_MAX - n, ".%09" PRId64 "Z", rest);
}

/* The decimals behind the seconds, up to the Z that must end the text. */
static bool read_decimals(const char *text, int64_t *ns)
{
    int64_t unit = NS_PER_S / 10;

    *ns = 0;
    if (*text == '.') {
        text++;
        if (*text < '0' || *text > '9') return false;
        for (; *text >= '0' && *text <= '9' && unit > 0; text++, unit /= 10)
            *ns += (*text - '0') * unit;
    }
    return strcmp(text, "Z") == 0;
}

bool moment_read(const char *text, int64_t *ts_ns)
{
    struct tm parts = {0};
    int64_t rest = 0;
    uint64_t seconds;
    const char *end;
    struct tm again;
    time_t time;

    if (number_read_whole(text, 0, INT64_MAX / NS_PER_S, &seconds)) {
        *ts_ns = (int64_t)seconds * NS_PER_S;
        return true;
    }
    end = strptime(text, "%Y-%m-%d", &parts);
    if (end != NULL && *end == 'T') {
        end = strptime(end, "T%H:%M:%S", &parts);
        if (end == NULL || !read_decimals(end, &rest)) return false;
    } else if (end == NULL || *end != '\0') {
        return false;
    }
    if (parts.tm_year < -200 || parts.tm_year > 360) return false; /* of int64 nanoseconds */
    again = parts;
    time = timegm(&again);
    if (again.tm_mday != parts.tm_mday) return false; /* the 30th of February */
    *ts_ns = (int64_t)time * NS_PER_S + rest;
    return true;
}
