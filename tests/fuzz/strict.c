/* SPDX-License-Identifier: MIT
 * strict: JSON read once more, by other code than the daemon's.
 *
 * One rule of the grammar a function; each takes what it can and returns
 * whether that was right. */
#include "strict.h"

#include <stdint.h>
#include <string.h>

typedef struct scan {
    const unsigned char *at, *end;
    int depth;     /* how much deeper it may go */
    size_t number; /* characters of a number at most */
} scan;

static bool value(scan *s);

/* The next byte; -1 at the end, which is no byte of JSON. */
static int next(const scan *s)
{
    return s->at < s->end ? *s->at : -1;
}

static bool take(scan *s, int byte)
{
    if (next(s) != byte) return false;
    s->at++;
    return true;
}

static void space(scan *s)
{
    while (take(s, ' ') || take(s, '\t') || take(s, '\n') || take(s, '\r'))
        ;
}

static bool word(scan *s, const char *what)
{
    for (; *what != '\0'; what++)
        if (!take(s, *what)) return false;
    return true;
}

static bool digits(scan *s)
{
    const unsigned char *from = s->at;

    while (next(s) >= '0' && next(s) <= '9')
        s->at++;
    return s->at > from;
}

static bool number(scan *s)
{
    const unsigned char *from = s->at;

    take(s, '-');
    if (!take(s, '0') && !digits(s)) return false;
    if (take(s, '.') && !digits(s)) return false;
    if (take(s, 'e') || take(s, 'E')) {
        if (!take(s, '+')) take(s, '-');
        if (!digits(s)) return false;
    }
    return (size_t)(s->at - from) <= s->number;
}

/* Four hexadecimal digits behind "\u". */
static bool unit(scan *s, unsigned *out)
{
    *out = 0;
    for (int i = 0; i < 4; i++) {
        static const char hex[] = "0123456789abcdefABCDEF";
        const int c = next(s);
        const char *found = c > 0 ? strchr(hex, c) : NULL;

        if (found == NULL) return false;
        *out = *out * 16 + (unsigned)(found - hex < 16 ? found - hex : found - hex - 6);
        s->at++;
    }
    return true;
}

static bool escape(scan *s)
{
    unsigned high, low;
    const int c = next(s);

    if (c != 'u') {
        s->at++;
        return c > 0 && strchr("\"\\/bfnrt", c) != NULL;
    }
    s->at++;
    if (!unit(s, &high) || high == 0) return false;
    if (high < 0xd800 || high > 0xdfff) return true;
    return high < 0xdc00 && take(s, '\\') && take(s, 'u') && unit(s, &low) && low >= 0xdc00 &&
           low <= 0xdfff;
}

/* A character of UTF-8: the shortest form of a code point that is no surrogate. */
static bool character(scan *s)
{
    const int first = next(s);
    const int more = first < 0x80 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    uint32_t code;

    if (first < 0x20 || (first >= 0x80 && first < 0xc0) || first > 0xf7) return false;
    code = (uint32_t)first & (more == 0 ? 0x7fu : 0x3fu >> more);
    s->at++;
    for (int i = 0; i < more; i++) {
        const int c = next(s);

        if (c < 0x80 || c > 0xbf) return false;
        code = code << 6 | ((uint32_t)c & 0x3f);
        s->at++;
    }
    return code >= least[more] && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff);
}

static bool string(scan *s)
{
    if (!take(s, '"')) return false;
    while (!take(s, '"')) {
        if (take(s, '\\')) {
            if (!escape(s)) return false;
        } else if (!character(s)) {
            return false;
        }
    }
    return true;
}

static bool member(scan *s)
{
    space(s);
    if (!string(s)) return false;
    space(s);
    return take(s, ':') && value(s);
}

/* What stands between brackets, with commas between. */
static bool items(scan *s, int close, bool (*item)(scan *))
{
    bool good = --s->depth >= 0;

    s->at++;
    space(s);
    if (good && !take(s, close)) {
        do
            good = item(s);
        while (good && take(s, ','));
        good = good && take(s, close);
    }
    s->depth++;
    return good;
}

static bool value(scan *s)
{
    bool good;

    space(s);
    switch (next(s)) {
    case '{':
        good = items(s, '}', member);
        break;
    case '[':
        good = items(s, ']', value);
        break;
    case '"':
        good = string(s);
        break;
    case 't':
        good = word(s, "true");
        break;
    case 'f':
        good = word(s, "false");
        break;
    case 'n':
        good = word(s, "null");
        break;
    default:
        good = number(s);
        break;
    }
    space(s);
    return good;
}

bool strict_object(const char *bytes, size_t n, int depth, size_t most)
{
    scan s = {.at = (const unsigned char *)bytes, .depth = depth, .number = most};

    s.end = s.at + n;
    space(&s);
    return next(&s) == '{' && value(&s) && s.at == s.end;
}
