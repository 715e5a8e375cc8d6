/* SPDX-License-Identifier: MIT
 * The market's slots. market_threads.c reads and writes them at the same time. */
#include "support.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static hedge_market *market;

static void open_market(void)
{
    cr_assert_eq(hedge_market_new(4, &market), HEDGE_OK);
}

static void close_market(void)
{
    hedge_market_free(market);
}

TestSuite(market, .init = open_market, .fini = close_market);

static hedge_quote quote_of(int32_t slot)
{
    hedge_quote q = HEDGE_INIT(hedge_quote);

    cr_assert_eq(hedge_market_read(market, slot, &q), HEDGE_OK);
    cr_assert_eq(q.struct_size, sizeof(q));
    return q;
}

/* A slot's quote must be this, member by member. */
static void holds(int32_t slot, hedge_quote want)
{
    const hedge_quote q = quote_of(slot);

    want.struct_size = sizeof(want);
    cr_assert_arr_eq(&q, &want, sizeof(q), "flags %x, score %g after %g, confidence %g, depth %g",
                     (unsigned)q.flags, q.score, q.previous_score, q.confidence, q.depth1pct_usd);
}

Test(market, gives_a_name_one_slot_for_good)
{
    const int32_t btc = hedge_market_add(market, "BTC");
    const int32_t eth = hedge_market_add(market, "ETH");

    cr_assert(btc >= 0 && eth >= 0 && btc != eth);
    cr_assert_eq(hedge_market_add(market, "BTC"), btc);
    cr_assert_eq(hedge_market_add(market, "ETH"), eth);
    cr_assert_neq(hedge_market_add(market, "btc"), btc, "case matters");
    cr_assert_neq(hedge_market_add(market, "BTC2"), btc);
    cr_assert_eq(hedge_market_add(market, "FIFTH"), HEDGE_E_TOO_LARGE);
    cr_assert_eq(hedge_market_add(market, "BTC"), btc);
}

Test(market, takes_only_names_that_a_policy_could_hold)
{
    static const char *const bad[] = {
        "",     " ",  "A B", "A/B",  "B\xc3\x89", "A\n",
        "BTC ", "A*", "a:b", "\x7f", "A\"",       "a2345678901234567890123456789012"};

    for (size_t i = 0; i < COUNT(bad); i++)
        cr_assert_eq(hedge_market_add(market, bad[i]), HEDGE_E_ARG, "'%s'", bad[i]);
    cr_assert_geq(hedge_market_add(market, "a234567890123456789012345678.-_"), 0);
    cr_assert_eq(hedge_market_add(market, NULL), HEDGE_E_ARG);
    cr_assert_eq(hedge_market_add(NULL, "BTC"), HEDGE_E_ARG);
}

Test(market, starts_with_empty_slots)
{
    holds(hedge_market_add(market, "BTC"), (hedge_quote){0});
}

Test(market, keeps_the_score_before_the_last)
{
    const int32_t s = hedge_market_add(market, "BTC");
    hedge_quote want = {
        .flags = HEDGE_QUOTE_SCORE, .score = 0.25, .confidence = 0.5, .score_ts_ns = 100};

    cr_assert_eq(hedge_market_put_score(market, s, 0.25, 0.5, 100), HEDGE_OK);
    holds(s, want);
    cr_assert_eq(hedge_market_put_score(market, s, 0.75, 1, 200), HEDGE_OK);
    want = (hedge_quote){.flags = HEDGE_QUOTE_SCORE | HEDGE_QUOTE_PREVIOUS,
                         .score = 0.75,
                         .previous_score = 0.25,
                         .confidence = 1,
                         .score_ts_ns = 200};
    holds(s, want);
    cr_assert_eq(hedge_market_put_score(market, s, 0.5, 1, 201), HEDGE_OK);
    want.score = 0.5, want.previous_score = 0.75, want.score_ts_ns = 201;
    holds(s, want);
}

Test(market, ignores_what_is_older)
{
    const int32_t s = hedge_market_add(market, "BTC");
    hedge_quote before;

    cr_assert_eq(hedge_market_put_score(market, s, 0.25, 0.5, 100), HEDGE_OK);
    cr_assert_eq(hedge_market_put_depth(market, s, 5e5, 1000), HEDGE_OK);
    before = quote_of(s);
    cr_assert_eq(hedge_market_put_score(market, s, 0.75, 1, 99), HEDGE_E_OLDER);
    cr_assert_eq(hedge_market_put_score(market, s, 0.75, 1, INT64_MIN), HEDGE_E_OLDER);
    cr_assert_eq(hedge_market_put_depth(market, s, 1, 999), HEDGE_E_OLDER);
    cr_assert_eq(hedge_market_put_depth(market, s, 1, INT64_MIN), HEDGE_E_OLDER);
    holds(s, before);
    /* Each has its own clock: a depth may be older than the score and the other way round. */
    cr_assert_eq(hedge_market_put_score(market, s, 0.75, 1, 101), HEDGE_OK);
}

Test(market, takes_a_correction_of_the_same_time)
{
    const int32_t s = hedge_market_add(market, "BTC");
    hedge_quote q;

    cr_assert_eq(hedge_market_put_score(market, s, 0.25, 0.5, 100), HEDGE_OK);
    cr_assert_eq(hedge_market_put_score(market, s, 0.5, 0.5, 100), HEDGE_OK);
    cr_assert_eq(hedge_market_put_depth(market, s, 1, 100), HEDGE_OK);
    cr_assert_eq(hedge_market_put_depth(market, s, 2, 100), HEDGE_OK);
    q = quote_of(s);
    cr_assert(q.score == 0.5 && q.depth1pct_usd == 2);
    cr_assert(q.previous_score == 0.25 && (q.flags & HEDGE_QUOTE_PREVIOUS));
}

/* Redis is read and listened to: the same message comes twice. That must not hide a jump. */
Test(market, does_not_take_a_repeated_message_for_a_new_score)
{
    const int32_t s = hedge_market_add(market, "BTC");
    hedge_quote before;

    cr_assert_eq(hedge_market_put_score(market, s, 0.1, 0.5, 100), HEDGE_OK);
    cr_assert_eq(hedge_market_put_score(market, s, 0.9, 0.5, 200), HEDGE_OK);
    before = quote_of(s);
    cr_assert_eq(hedge_market_put_score(market, s, 0.9, 0.5, 200), HEDGE_OK);
    holds(s, before);
    cr_assert_eq(before.previous_score, 0.1);
}

Test(market, latches_a_halt_until_it_is_cleared)
{
    const int32_t s = hedge_market_add(market, "BTC"), other = hedge_market_add(market, "ETH");

    cr_assert_eq(hedge_market_put_halt(market, s, -1), HEDGE_OK);
    holds(s, (hedge_quote){.flags = HEDGE_QUOTE_HALTED});
    cr_assert_eq(hedge_market_put_score(market, s, 0.25, 0.5, 1), HEDGE_OK);
    cr_assert_eq(hedge_market_put_depth(market, s, 5, 1), HEDGE_OK);
    cr_assert_eq(hedge_market_add(market, "BTC"), s);
    cr_assert(quote_of(s).flags & HEDGE_QUOTE_HALTED);
    cr_assert_eq(quote_of(other).flags, 0);
    cr_assert_eq(hedge_market_put_halt(market, s, 0), HEDGE_OK);
    cr_assert_eq(quote_of(s).flags, HEDGE_QUOTE_SCORE | HEDGE_QUOTE_DEPTH);
    cr_assert_eq(hedge_market_put_halt(market, s, 0), HEDGE_OK);
}

Test(market, forgets_everything_but_a_halt_when_reset)
{
    const int32_t slot = hedge_market_add(market, "BTC");

    cr_assert_eq(hedge_market_put_score(market, slot, 0.5, 0.9, 1000), HEDGE_OK);
    cr_assert_eq(hedge_market_put_score(market, slot, 0.6, 0.9, 2000), HEDGE_OK);
    cr_assert_eq(hedge_market_put_depth(market, slot, 1e6, 2000), HEDGE_OK);
    cr_assert_eq(hedge_market_put_halt(market, slot, 1), HEDGE_OK);
    cr_assert_eq(hedge_market_reset(market, slot), HEDGE_OK);
    holds(slot, (hedge_quote){.flags = HEDGE_QUOTE_HALTED});
    cr_assert_eq(hedge_market_put_score(market, slot, 0.4, 0.8, 10), HEDGE_OK, "an earlier time");
    holds(slot, (hedge_quote){.flags = HEDGE_QUOTE_HALTED | HEDGE_QUOTE_SCORE,
                              .score = 0.4,
                              .confidence = 0.8,
                              .score_ts_ns = 10});
    cr_assert_eq(hedge_market_reset(market, slot + 1), HEDGE_E_ARG);
    cr_assert_eq(hedge_market_reset(NULL, 0), HEDGE_E_ARG);
}

Test(market, stores_numbers_without_judging_them)
{
    const int32_t s = hedge_market_add(market, "BTC");
    const double odd[] = {NAN, INFINITY, -INFINITY, -1, 2, -0.0, 5e-324};

    for (size_t i = 0; i < COUNT(odd); i++) {
        cr_assert_eq(hedge_market_put_score(market, s, odd[i], odd[i], (int64_t)i), HEDGE_OK);
        cr_assert_eq(hedge_market_put_depth(market, s, odd[i], (int64_t)i), HEDGE_OK);

        const hedge_quote q = quote_of(s);

        cr_assert(same_bits(q.score, odd[i]) && same_bits(q.confidence, odd[i]), "%g", odd[i]);
        cr_assert(same_bits(q.depth1pct_usd, odd[i]), "%g", odd[i]);
        if (i > 0) cr_assert(same_bits(q.previous_score, odd[i - 1]), "%g", odd[i]);
    }
    cr_assert_eq(hedge_market_put_score(market, s, 0, 0, INT64_MAX), HEDGE_OK);
    cr_assert_eq(hedge_market_put_score(market, s, 1, 1, INT64_MAX), HEDGE_OK);
}

Test(market, knows_only_slots_that_were_added)
{
    const int32_t odd[] = {-1, 1, 2, 3, 4, 1024, INT32_MAX, INT32_MIN, HEDGE_E_ARG};
    hedge_quote q = HEDGE_INIT(hedge_quote);

    cr_assert_eq(hedge_market_read(market, 0, &q), HEDGE_E_ARG, "nothing was added yet");
    cr_assert_eq(hedge_market_add(market, "BTC"), 0);
    for (size_t i = 0; i < COUNT(odd); i++) {
        cr_assert_eq(hedge_market_read(market, odd[i], &q), HEDGE_E_ARG, "slot %d", (int)odd[i]);
        cr_assert_eq(hedge_market_put_score(market, odd[i], 0, 0, 0), HEDGE_E_ARG);
        cr_assert_eq(hedge_market_put_depth(market, odd[i], 0, 0), HEDGE_E_ARG);
        cr_assert_eq(hedge_market_put_halt(market, odd[i], 1), HEDGE_E_ARG);
    }
    cr_assert_eq(hedge_market_read(NULL, 0, &q), HEDGE_E_ARG);
    cr_assert_eq(hedge_market_read(market, 0, NULL), HEDGE_E_ARG);
    cr_assert_eq(hedge_market_put_score(NULL, 0, 0, 0, 0), HEDGE_E_ARG);
    cr_assert_eq(hedge_market_put_depth(NULL, 0, 0, 0), HEDGE_E_ARG);
    cr_assert_eq(hedge_market_put_halt(NULL, 0, 0), HEDGE_E_ARG);
}

Test(market, reads_into_structs_of_its_own_size_or_longer)
{
    struct {
        hedge_quote q;
        unsigned char tail[16];
    } longer;
    hedge_quote q = HEDGE_INIT(hedge_quote);

    cr_assert_eq(hedge_market_add(market, "BTC"), 0);
    for (uint32_t size = 0; size < sizeof(q); size++) {
        q.struct_size = size;
        cr_assert_eq(hedge_market_read(market, 0, &q), HEDGE_E_STRUCT_SIZE);
        cr_assert_eq(q.struct_size, size);
    }
    memset(&longer, 0, sizeof(longer));
    longer.q.struct_size = sizeof(longer);
    cr_assert_eq(hedge_market_read(market, 0, &longer.q), HEDGE_OK);
    cr_assert_eq(longer.q.struct_size, sizeof(longer));
    for (size_t i = 0; i < sizeof(longer.tail); i++)
        cr_assert_eq(longer.tail[i], 0);
}

Test(market, has_room_for_1024_assets_and_no_more)
{
    const size_t bad[] = {0, HEDGE_ASSETS_MAX + 1, SIZE_MAX};
    hedge_market *m;
    char name[16];

    for (size_t i = 0; i < COUNT(bad); i++) {
        m = market;
        cr_assert_eq(hedge_market_new(bad[i], &m), HEDGE_E_ARG, "%zu", bad[i]);
        cr_assert_null(m);
    }
    cr_assert_eq(hedge_market_new(1, NULL), HEDGE_E_ARG);
    cr_assert_eq(hedge_market_new(HEDGE_ASSETS_MAX, &m), HEDGE_OK);
    for (int32_t i = 0; i < HEDGE_ASSETS_MAX; i++) {
        snprintf(name, sizeof(name), "N%d", (int)i);
        cr_assert_eq(hedge_market_add(m, name), i);
        cr_assert_eq(hedge_market_put_score(m, i, i / 1024.0, 1, i), HEDGE_OK);
    }
    cr_assert_eq(hedge_market_add(m, "MORE"), HEDGE_E_TOO_LARGE);
    for (int32_t i = 0; i < HEDGE_ASSETS_MAX; i++) {
        hedge_quote q = HEDGE_INIT(hedge_quote);

        cr_assert_eq(hedge_market_read(m, i, &q), HEDGE_OK);
        cr_assert(q.score == i / 1024.0 && q.score_ts_ns == i);
    }
    hedge_market_free(m);
    hedge_market_free(NULL);
}
