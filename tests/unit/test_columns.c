/* SPDX-License-Identifier: MIT
 * Decisions by the column are hedge_size's, row by row and bit by bit; a column that is not there
 * has the default that the header gives it. */
#include "scene.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 2000, IN_COLUMNS = 12, OUT_COLUMNS = 11 };

typedef struct table {
    int32_t asset[ROWS];
    double amount_usd[ROWS], override_score[ROWS];
    uint32_t request_flags[ROWS];
    double score[ROWS], confidence[ROWS];
    int64_t score_ts_ns[ROWS];
    double previous_score[ROWS], depth1pct_usd[ROWS];
    int64_t depth_ts_ns[ROWS];
    uint32_t quote_flags[ROWS];
    int64_t now_ns[ROWS];
} table;

/* A row more than is decided, which nobody may touch. */
typedef struct results {
    int32_t status[ROWS + 1];
    uint32_t flags[ROWS + 1];
    double number[7][ROWS + 1]; /* hedge_pct to liquidity_quality, in the header's order */
    int64_t score_age_ns[ROWS + 1], depth_age_ns[ROWS + 1];
} results;

static hedge_policy *policy;
static table in_rows;
static results out_rows;

static const char more[] =
    "assets:\n"
    "  A: {}\n"
    "  B: {curve: {method: steffen}, max_hedge_pct: 0.5, liquidity: {weight: log}}\n"
    "  C: {limits: {no_quote: {action: floor, floor: 0.3}, bad_quote: {action: floor, floor: "
    "0.4},\n"
    "      max_score_jump: 0.25, min_confidence: 0.2}}\n"
    "  D: {limits: {stale_score_ms: {limit: 100, action: floor, floor: 0.2},\n"
    "      max_clock_skew_ms: {action: flag}, min_depth_usd: {limit: 1e6, action: flag}}}\n";

static uint64_t bits_of(double v)
{
    uint64_t bits;

    memcpy(&bits, &v, sizeof(bits));
    return bits;
}

/* ---- columns by number --------------------------------------------------------- */

static hedge_size_in all_columns(table *t)
{
    hedge_size_in in = HEDGE_INIT(hedge_size_in);

    in.asset_all = 1;
    in.now_all_ns = NOW;
    in.asset = t->asset;
    in.amount_usd = t->amount_usd;
    in.override_score = t->override_score;
    in.request_flags = t->request_flags;
    in.score = t->score;
    in.confidence = t->confidence;
    in.score_ts_ns = t->score_ts_ns;
    in.previous_score = t->previous_score;
    in.depth1pct_usd = t->depth1pct_usd;
    in.depth_ts_ns = t->depth_ts_ns;
    in.quote_flags = t->quote_flags;
    in.now_ns = t->now_ns;
    return in;
}

static hedge_size_out all_results(results *r)
{
    hedge_size_out out = HEDGE_INIT(hedge_size_out);

    out.status = r->status;
    out.flags = r->flags;
    out.hedge_pct = r->number[0];
    out.notional_usd = r->number[1];
    out.confidence = r->number[2];
    out.score = r->number[3];
    out.liquidity_weight = r->number[4];
    out.effective_score = r->number[5];
    out.liquidity_quality = r->number[6];
    out.score_age_ns = r->score_age_ns;
    out.depth_age_ns = r->depth_age_ns;
    return out;
}

/* Takes the columns away whose bits are set: amount_usd, the second, never. */
static void drop(hedge_size_in *in, uint32_t gone)
{
    if (gone & 1) in->asset = NULL;
    if (gone & 4) in->override_score = NULL;
    if (gone & 8) in->request_flags = NULL;
    if (gone & 16) in->score = NULL;
    if (gone & 32) in->confidence = NULL;
    if (gone & 64) in->score_ts_ns = NULL;
    if (gone & 128) in->previous_score = NULL;
    if (gone & 256) in->depth1pct_usd = NULL;
    if (gone & 512) in->depth_ts_ns = NULL;
    if (gone & 1024) in->quote_flags = NULL;
    if (gone & 2048) in->now_ns = NULL;
}

/* ---- random rows ------------------------------------------------------------------ */

static double draw_number(rng *r, double most)
{
    static const double odd[] = {NAN, INFINITY, -INFINITY, -0.0, 0.0, -1, 1, 1.5, 5e-324, 1e308};

    return rng_below(r, 12) == 0 ? odd[rng_below(r, COUNT(odd))] : rng_unit(r) * most;
}

static int64_t draw_time(rng *r)
{
    switch (rng_below(r, 10)) {
    case 0:
        return (int64_t)rng_next(r);
    case 1:
        return rng_below(r, 2) == 0 ? INT64_MIN : INT64_MAX;
    case 2:
        return NOW + (int64_t)rng_below(r, 500) * MS;
    default:
        return NOW - (int64_t)rng_below(r, 400) * MS;
    }
}

static void draw_row(rng *r, table *t, size_t i)
{
    t->asset[i] = (int32_t)rng_below(r, 7) - 1; /* one too low to two too many */
    t->amount_usd[i] = draw_number(r, 1e9);
    t->override_score[i] = draw_number(r, 1);
    t->request_flags[i] = rng_below(r, 3) == 0 ? HEDGE_REQUEST_OVERRIDE : 0;
    if (rng_below(r, 16) == 0) t->request_flags[i] = (uint32_t)rng_next(r);
    t->score[i] = draw_number(r, 1);
    t->confidence[i] = draw_number(r, 1);
    t->score_ts_ns[i] = draw_time(r);
    t->previous_score[i] = draw_number(r, 1);
    t->depth1pct_usd[i] = draw_number(r, 1e7);
    t->depth_ts_ns[i] = draw_time(r);
    t->quote_flags[i] = rng_below(r, 4) == 0 ? (uint32_t)rng_below(r, 16) : 7;
    if (rng_below(r, 16) == 0) t->quote_flags[i] = (uint32_t)rng_next(r);
    t->now_ns[i] = rng_below(r, 10) == 0 ? draw_time(r) : NOW;
}

static void draw_rows(uint64_t seed)
{
    rng r = {seed};

    for (size_t i = 0; i < ROWS; i++)
        draw_row(&r, &in_rows, i);
}

static void set_up(void)
{
    policy = policy_with(more);
    cr_assert_not_null(policy);
    draw_rows(5);
}

static void tear_down(void)
{
    hedge_policy_free(policy);
}

TestSuite(columns, .init = set_up, .fini = tear_down);

/* ---- what hedge_size says ----------------------------------------------------------- */

/* The header's defaults, written once more. What a flag claims and no column has is NaN. */
static uint32_t default_quote_flags(const hedge_size_in *in)
{
    return (in->score != NULL ? HEDGE_QUOTE_SCORE : 0) |
           (in->previous_score != NULL ? HEDGE_QUOTE_PREVIOUS : 0) |
           (in->depth1pct_usd != NULL ? HEDGE_QUOTE_DEPTH : 0);
}

static double number_of(const double *column, size_t i, double otherwise)
{
    return column != NULL ? column[i] : otherwise;
}

static int64_t time_of(const int64_t *column, size_t i, int64_t otherwise)
{
    return column != NULL ? column[i] : otherwise;
}

static hedge_decision decide_row(const hedge_size_in *in, size_t i)
{
    hedge_request request = HEDGE_INIT(hedge_request);
    hedge_quote quote = HEDGE_INIT(hedge_quote);
    hedge_decision d = HEDGE_INIT(hedge_decision);
    const int64_t now = time_of(in->now_ns, i, in->now_all_ns);

    request.asset = in->asset != NULL ? in->asset[i] : in->asset_all;
    request.amount_usd = in->amount_usd[i];
    request.override_score = number_of(in->override_score, i, NAN);
    request.flags = in->request_flags != NULL    ? in->request_flags[i]
                    : in->override_score != NULL ? HEDGE_REQUEST_OVERRIDE
                                                 : 0;
    quote.flags = in->quote_flags != NULL ? in->quote_flags[i] : default_quote_flags(in);
    quote.score = number_of(in->score, i, NAN);
    quote.confidence = number_of(in->confidence, i, 1);
    quote.previous_score = number_of(in->previous_score, i, NAN);
    quote.depth1pct_usd = number_of(in->depth1pct_usd, i, NAN);
    quote.score_ts_ns = time_of(in->score_ts_ns, i, now);
    quote.depth_ts_ns = time_of(in->depth_ts_ns, i, now);
    if (hedge_size(policy, &request, &quote, now, &d) == HEDGE_E_ARG) d.status = HEDGE_E_ARG;
    return d;
}

static void same_row(const results *r, const hedge_decision *d, size_t i, uint32_t gone)
{
    const double want[7] = {d->hedge_pct,        d->notional_usd,    d->confidence,       d->score,
                            d->liquidity_weight, d->effective_score, d->liquidity_quality};

    cr_assert_eq(r->status[i], d->status, "row %zu without %x: %d, not %d", i, gone,
                 (int)r->status[i], (int)d->status);
    cr_assert_eq(r->flags[i], d->flags, "row %zu without %x: flags %x, not %x", i, gone,
                 r->flags[i], d->flags);
    for (size_t k = 0; k < COUNT(want); k++)
        cr_assert(same_bits(r->number[k][i], want[k]), "row %zu without %x, number %zu: %a, not %a",
                  i, gone, k, r->number[k][i], want[k]);
    cr_assert_eq(r->score_age_ns[i], d->score_age_ns, "row %zu without %x", i, gone);
    cr_assert_eq(r->depth_age_ns[i], d->depth_age_ns, "row %zu without %x", i, gone);
}

static size_t decide_without(uint32_t gone, size_t n)
{
    hedge_size_in in = all_columns(&in_rows);
    const hedge_size_out out = all_results(&out_rows);
    size_t fine = 0;

    drop(&in, gone);
    memset(&out_rows, 0xa5, sizeof(out_rows));
    cr_assert_eq(hedge_size_n(policy, &in, n, &out), HEDGE_OK);
    for (size_t i = 0; i < n; i++) {
        const hedge_decision d = decide_row(&in, i);

        same_row(&out_rows, &d, i, gone);
        fine += d.status == HEDGE_OK;
    }
    return fine;
}

/* ---- the tests ------------------------------------------------------------------------ */

Test(columns, decide_as_hedge_size_does_row_by_row)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        draw_rows(seed);

        const size_t fine = decide_without(0, ROWS);

        /* Both sorts of rows are there. */
        cr_assert(fine > 100 && fine < ROWS - 500, "seed %llu: %zu", (unsigned long long)seed,
                  fine);
    }
}

Test(columns, have_their_defaults_when_any_of_them_is_not_there)
{
    for (uint32_t gone = 0; gone < 1u << IN_COLUMNS; gone++)
        decide_without(gone, gone == (gone & -gone) ? ROWS : 40);
}

Test(columns, are_written_alone_when_the_others_are_not_wanted)
{
    static results whole, one;

    decide_without(0, ROWS);
    whole = out_rows;
    for (int wanted = -1; wanted < OUT_COLUMNS; wanted++) { /* -1: all but none at all */
        const hedge_size_in in = all_columns(&in_rows);
        hedge_size_out out = HEDGE_INIT(hedge_size_out), all = all_results(&one);
        const size_t first = offsetof(hedge_size_out, status);
        const size_t at = first + (size_t)(wanted < 0 ? 0 : wanted) * sizeof(void *);

        if (wanted >= 0) memcpy((char *)&out + at, (char *)&all + at, sizeof(void *));
        memset(&one, 0xa5, sizeof(one));
        cr_assert_eq(hedge_size_n(policy, &in, ROWS, &out), HEDGE_OK);
        for (size_t k = 0; k < OUT_COLUMNS; k++) {
            const size_t size = k < 2 ? sizeof(int32_t) : sizeof(double);
            const char *got, *want;
            hedge_size_out of_whole = all_results(&whole);
            static char untouched[(ROWS + 1) * sizeof(double)];

            memset(untouched, 0xa5, sizeof(untouched));
            memcpy(&got, (char *)&all + first + k * sizeof(void *), sizeof(got));
            memcpy(&want, (char *)&of_whole + first + k * sizeof(void *), sizeof(want));
            cr_assert_eq(memcmp(got, (int)k == wanted ? want : untouched, (ROWS + 1) * size), 0,
                         "column %zu when %d is wanted", k, wanted);
        }
    }
}

Test(columns, write_no_row_behind_the_last)
{
    for (size_t n = 0; n < 20; n++) {
        decide_without(0, n);
        cr_assert_eq(out_rows.status[n], (int32_t)0xa5a5a5a5);
        cr_assert_eq(out_rows.flags[n], 0xa5a5a5a5);
        for (size_t k = 0; k < COUNT(out_rows.number); k++)
            cr_assert_eq(bits_of(out_rows.number[k][n]), UINT64_C(0xa5a5a5a5a5a5a5a5));
        cr_assert_eq((uint64_t)out_rows.score_age_ns[n], UINT64_C(0xa5a5a5a5a5a5a5a5));
        cr_assert_eq((uint64_t)out_rows.depth_age_ns[n], UINT64_C(0xa5a5a5a5a5a5a5a5));
    }
}

/* Good rows with a bad flag in each third one. */
Test(columns, refuse_a_row_with_unknown_flags_and_go_on)
{
    hedge_size_in in = all_columns(&in_rows);
    const hedge_size_out out = all_results(&out_rows);

    for (uint32_t bit = 1; bit < 32; bit++) {
        for (size_t i = 0; i < 30; i++) {
            in_rows.asset[i] = 0;
            in_rows.amount_usd[i] = 1000;
            in_rows.score[i] = in_rows.previous_score[i] = 0.5;
            in_rows.confidence[i] = 0.9;
            in_rows.depth1pct_usd[i] = 2e6;
            in_rows.score_ts_ns[i] = in_rows.depth_ts_ns[i] = in_rows.now_ns[i] = NOW;
            in_rows.request_flags[i] = i % 3 == 1 ? UINT32_C(1) << bit : 0;
            in_rows.quote_flags[i] = 7 | (i % 3 == 2 && bit >= 4 ? UINT32_C(1) << bit : 0);
        }
        cr_assert_eq(hedge_size_n(policy, &in, 30, &out), HEDGE_OK);
        for (size_t i = 0; i < 30; i++) {
            const bool bad = i % 3 == 1 || (i % 3 == 2 && bit >= 4);

            cr_assert_eq(out_rows.status[i], bad ? HEDGE_E_ARG : HEDGE_OK, "bit %u, row %zu", bit,
                         i);
            cr_assert_eq(out_rows.flags[i], 0);
            cr_assert(bad ? same_bits(out_rows.number[0][i], 0.0) : out_rows.number[0][i] > 0.3);
            for (size_t k = 0; bad && k < COUNT(out_rows.number); k++)
                cr_assert(same_bits(out_rows.number[k][i], 0.0));
            cr_assert(!bad || (out_rows.score_age_ns[i] == 0 && out_rows.depth_age_ns[i] == 0));
        }
    }
}

/* A flag that claims what no column has must never be answered with a number made up. */
Test(columns, reject_what_a_flag_claims_and_no_column_has)
{
    static const struct {
        uint32_t gone, request, quote;
        int32_t status;
    } rows[] = {{4, HEDGE_REQUEST_OVERRIDE, 7, HEDGE_TRIP_BAD_OVERRIDE},
                {16, 0, 7, HEDGE_TRIP_BAD_QUOTE},
                {256, 0, 7, HEDGE_TRIP_BAD_QUOTE},
                {128, 0, 7, HEDGE_TRIP_SCORE_JUMP},
                {16, 0, 6, HEDGE_TRIP_NO_QUOTE},
                {256, 0, 3, HEDGE_TRIP_NO_QUOTE},
                {128, 0, 5, HEDGE_OK}};

    hedge_policy_free(policy);
    policy = policy_with("limits: {max_score_jump: 0.25}\nassets: {A: {}}\n");
    cr_assert_not_null(policy);
    for (size_t i = 0; i < COUNT(rows); i++) {
        hedge_size_in in = all_columns(&in_rows);
        const hedge_size_out out = all_results(&out_rows);

        in_rows.asset[0] = 0;
        in_rows.amount_usd[0] = 1000;
        in_rows.score[0] = in_rows.previous_score[0] = 0.5;
        in_rows.confidence[0] = 0.9;
        in_rows.depth1pct_usd[0] = 2e6;
        in_rows.score_ts_ns[0] = in_rows.depth_ts_ns[0] = in_rows.now_ns[0] = NOW;
        in_rows.request_flags[0] = rows[i].request;
        in_rows.quote_flags[0] = rows[i].quote;
        drop(&in, rows[i].gone);
        cr_assert_eq(hedge_size_n(policy, &in, 1, &out), HEDGE_OK);
        cr_assert_eq(out_rows.status[0], rows[i].status, "row %zu: %s", i,
                     hedge_status_name(out_rows.status[0]));
    }
}

Test(columns, refuse_null_pointers_and_write_nothing)
{
    hedge_size_in in = all_columns(&in_rows), no_amount = all_columns(&in_rows);
    const hedge_size_out out = all_results(&out_rows);
    hedge_size_out reserved = all_results(&out_rows);
    static results untouched;

    no_amount.amount_usd = NULL;
    reserved.reserved = 1;
    memset(&untouched, 0xa5, sizeof(untouched));
    memset(&out_rows, 0xa5, sizeof(out_rows));
    for (size_t n = 0; n <= 3; n += 3) {
        cr_assert_eq(hedge_size_n(NULL, &in, n, &out), HEDGE_E_ARG);
        cr_assert_eq(hedge_size_n(policy, NULL, n, &out), HEDGE_E_ARG);
        cr_assert_eq(hedge_size_n(policy, &in, n, NULL), HEDGE_E_ARG);
        cr_assert_eq(hedge_size_n(policy, &no_amount, n, &out), HEDGE_E_ARG);
        cr_assert_eq(hedge_size_n(policy, &in, n, &reserved), HEDGE_E_ARG);
    }
    cr_assert_eq(hedge_size_n(policy, &in, 0, &out), HEDGE_OK);
    cr_assert_eq(memcmp(&out_rows, &untouched, sizeof(untouched)), 0);
}

Test(columns, refuse_structs_of_a_size_they_cannot_read)
{
    struct {
        hedge_size_in in;
        uint64_t more[2];
    } in = {.in = all_columns(&in_rows)};
    struct {
        hedge_size_out out;
        uint64_t more[2];
    } out = {.out = all_results(&out_rows)};

    for (uint32_t size = 0; size < sizeof(hedge_size_in); size++) {
        in.in.struct_size = size;
        cr_assert_eq(hedge_size_n(policy, &in.in, 1, &out.out), HEDGE_E_STRUCT_SIZE);
    }
    in.in.struct_size = (uint32_t)sizeof(in); /* a newer caller's, with nothing new set */
    cr_assert_eq(hedge_size_n(policy, &in.in, 1, &out.out), HEDGE_OK);
    in.more[1] = 1; /* with a column that we do not know */
    cr_assert_eq(hedge_size_n(policy, &in.in, 1, &out.out), HEDGE_E_STRUCT_SIZE);
    in.in = all_columns(&in_rows);
    for (uint32_t size = 0; size < sizeof(hedge_size_out); size++) {
        out.out.struct_size = size;
        cr_assert_eq(hedge_size_n(policy, &in.in, 1, &out.out), HEDGE_E_STRUCT_SIZE);
    }
    out.out.struct_size = (uint32_t)sizeof(out);
    cr_assert_eq(hedge_size_n(policy, &in.in, 1, &out.out), HEDGE_OK);
    out.more[0] = 1;
    cr_assert_eq(hedge_size_n(policy, &in.in, 1, &out.out), HEDGE_E_STRUCT_SIZE);
    out.out.struct_size = 5000;
    cr_assert_eq(hedge_size_n(policy, &in.in, 1, &out.out), HEDGE_E_STRUCT_SIZE);
}
