/* SPDX-License-Identifier: MIT
 * How often a caller may ask. */
#include "rate.h"

#include "auth.h"
#include "clock.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static int granted(rate *r, const char *caller, int64_t now_ns, int n)
{
    int yes = 0;

    for (int i = 0; i < n; i++)
        yes += rate_take(r, caller, now_ns) == 0;
    return yes;
}

Test(rate, a_burst_is_one_second_and_then_it_is_the_rate)
{
    rate *r = rate_new(10);
    int64_t now_ns = 5 * NS_PER_S;

    cr_expect_eq(granted(r, "bob", now_ns, 100), 10);
    cr_expect_eq(rate_take(r, "bob", now_ns), NS_PER_S / 10);
    cr_expect_eq(granted(r, "bob", now_ns + NS_PER_S / 10, 100), 1);
    cr_expect_eq(granted(r, "bob", now_ns + NS_PER_S / 2, 100), 4);
    cr_expect_eq(granted(r, "bob", now_ns + 100 * NS_PER_S, 100), 10, "and never more");
    rate_free(r);
}

Test(rate, callers_do_not_share)
{
    rate *r = rate_new(3);

    cr_expect_eq(granted(r, "bob", NS_PER_S, 9), 3);
    cr_expect_eq(granted(r, "alice", NS_PER_S, 9), 3);
    cr_expect_eq(granted(r, "bob", NS_PER_S, 9), 0);
    rate_free(r);
}

Test(rate, any_rate_is_kept_over_a_while)
{
    static const long rates[] = {1, 7, 1000, 999983, 1000000};

    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        rate *r = rate_new(rates[i]);
        long yes = 0;

        for (int64_t ms = 0; ms < 10000; ms++) /* as often as it will */
            while (rate_take(r, "bob", NS_PER_S + ms * NS_PER_MS) == 0)
                yes++;
        cr_expect(yes >= rates[i] * 10 && yes <= rates[i] * 11 + 11, "%ld a second: %ld", rates[i],
                  yes);
        rate_free(r);
    }
}

/* However many come, nobody gets more than his share, and the table does not grow. */
Test(rate, too_many_callers_at_once_share_and_are_forgotten_after_a_second)
{
    rate *r = rate_new(1);
    char caller[AUTH_NAME_MAX + 1];
    int first = 0;

    for (int i = 0; i < 100000; i++) {
        snprintf(caller, sizeof(caller), "caller-%d", i);
        first += rate_take(r, caller, NS_PER_S) == 0;
    }
    cr_expect(first >= RATE_CALLERS / 2 && first <= RATE_CALLERS * 9 / 8, "%d", first);
    cr_expect_neq(rate_take(r, "caller-0", NS_PER_S), 0);
    cr_expect_eq(rate_take(r, "somebody new", 3 * NS_PER_S), 0);
    rate_free(r);
}

/* Whoever may choose addresses cannot choose those that share a row of the table with another's. */
Test(rate, nobody_can_work_out_who_shares_a_row)
{
    static const char victim[] = "10.0.0.1";
    rate *r = rate_new(1);
    int met = 0;

    for (uint32_t i = 2; met < 64; i++) {
        char name[16];
        uint32_t hashes[2] = {0x811c9dc5u, 0x811c9dc5u}; /* FNV-1a, which has no secret */

        snprintf(name, sizeof(name), "10.%u.%u.%u", i >> 16 & 255, i >> 8 & 255, i & 255);
        for (const char *c = victim; *c != '\0'; c++)
            hashes[0] = (hashes[0] ^ (uint8_t)*c) * 0x01000193u;
        for (const char *c = name; *c != '\0'; c++)
            hashes[1] = (hashes[1] ^ (uint8_t)*c) * 0x01000193u;
        if ((hashes[0] ^ hashes[1]) % (RATE_CALLERS / 8) != 0) continue;
        rate_take(r, name, NS_PER_S);
        met++;
    }
    cr_expect_eq(rate_take(r, victim, NS_PER_S), 0);
    rate_free(r);
}
