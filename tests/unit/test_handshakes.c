/* SPDX-License-Identifier: MIT
 * How often an address may begin a handshake. */
#include "handshakes.h"

#include "clock.h"
#include "log.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>

static int taken(handshakes *h, uint32_t peer, int64_t now_ns, int n)
{
    int yes = 0;

    for (int i = 0; i < n; i++)
        yes += handshakes_take(h, (struct in_addr){htonl(peer)}, 0, now_ns);
    return yes;
}

Test(handshakes, each_address_has_its_own)
{
    handshakes *h = handshakes_new(3);

    cr_expect_eq(taken(h, 0x0a000001, NS_PER_S, 10), 3);
    cr_expect_eq(taken(h, 0x0a000002, NS_PER_S, 2), 2);
    cr_expect_eq(handshakes_refused(h), 7);
    cr_expect_eq(taken(h, 0x0a000001, 2 * NS_PER_S, 10), 3, "a second later");
    cr_expect_eq(handshakes_refused(h), 14);
    handshakes_free(h);
}

Test(handshakes, those_that_are_not_done_count)
{
    const struct in_addr one = {htonl(0x0a000001)}, other = {htonl(0x0a000002)};
    handshakes *h = handshakes_new(0);
    handshake *open[3];

    for (int i = 0; i < 3; i++) {
        cr_expect(handshakes_take(h, one, 3, NS_PER_S), "%d", i);
        open[i] = handshakes_begin(h, one);
    }
    cr_expect_not(handshakes_take(h, one, 3, NS_PER_S));
    cr_expect(handshakes_take(h, one, 0, NS_PER_S), "any number");
    cr_expect(handshakes_take(h, other, 3, NS_PER_S));
    cr_expect_eq(handshakes_refused(h), 1);
    handshake_end(open[1]);
    cr_expect(handshakes_take(h, one, 3, NS_PER_S), "one is done");
    open[1] = handshakes_begin(h, other);
    cr_expect(handshakes_take(h, one, 3, NS_PER_S), "that is another's");
    for (int i = 2; i >= 0; i--)
        handshake_end(open[i]);
    handshake_end(NULL);
    handshakes_free(h);
}

Test(handshakes, a_flood_does_not_flood_the_log)
{
    handshakes *h = handshakes_new(1);
    const uint64_t before = log_suppressed();

    cr_expect_eq(taken(h, 0xffffffff, NS_PER_S, 100000), 1);
    cr_expect_eq(handshakes_refused(h), 99999);
    cr_expect_eq(log_suppressed(), before, "one line, not as many as the log lets through");
    handshakes_free(h);
    handshakes_free(NULL);
}
